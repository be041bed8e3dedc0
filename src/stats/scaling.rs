//! Scaling: how a speedup grows with the workers, and the laws that are fitted to it.
//!
//! Both laws are one: `C(N) = N / (1 + σ(N − 1) + κN(N − 1))`, with `κ = 0` for Amdahl's. They are fitted by
//! least squares on the speedups themselves, with the parameters kept to their meaning (`0 ≤ σ ≤ 1`,
//! `0 ≤ κ`), by Levenberg and Marquardt's method with projection onto those bounds.
//!
//! Intervals are the usual ones of nonlinear least squares: the estimate ± Student's t times its standard
//! error from the covariance `s²(JᵀJ)⁻¹`, with `s² = SSE / (n − p)` over the `n` points of more than one worker,
//! cut to the bounds. They hold for errors that are alike and independent, and are wide rather than narrow
//! where a parameter stands at a bound.
//!
//! Sources: G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing
//! capabilities", AFIPS 1967; N. J. Gunther, "A simple capacity model of massively parallel transaction
//! systems", CMG 1993, and "Guerrilla Capacity Planning", Springer 2007; A. H. Karp and H. P. Flatt, "Measuring
//! parallel processor performance", Communications of the ACM 33(5), 1990; D. W. Marquardt, "An algorithm for
//! least-squares estimation of nonlinear parameters", Journal of the SIAM 11(2), 1963; G. A. F. Seber and
//! C. J. Wild, "Nonlinear Regression", Wiley 1989, section 5.1.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::Duration;

use super::compare::Interval;

/// A speedup that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// With so many workers; at least 1.
    pub workers: u32,
    /// So many times as fast as one after the other; finite and above zero.
    pub speedup: f64,
}

impl Point {
    fn is_sound(&self) -> bool {
        self.workers > 0 && self.speedup.is_finite() && self.speedup > 0.0
    }
}

/// Amdahl's law, `S(N) = 1 / (s + (1 − s) / N)`, fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amdahl {
    /// `s`, the share of the work that only one worker can do at a time; 0 to 1.
    pub serial: f64,
    /// Where `s` lies; none when no more points have several workers than there are parameters.
    pub interval: Option<Interval>,
    /// The root of the mean square of what the points differ from the law by, in speedups.
    pub residual: f64,
}

impl Amdahl {
    /// Fits the law. None unless every point is sound and one at least has more than one worker.
    pub fn fit(points: &[Point]) -> Option<Amdahl> {
        let fit = Fit::of(points, Law::Amdahl)?;
        Some(Amdahl { serial: fit.at[0], interval: fit.intervals.map(|of| of[0]), residual: fit.residual })
    }

    /// The speedup that the law says for so many workers, 1 or more.
    pub fn at(&self, workers: f64) -> f64 {
        speedup([self.serial, 0.0], workers)
    }

    /// The speedup that no number of workers exceeds, `1 / s`; none when nothing is serial.
    pub fn limit(&self) -> Option<f64> {
        (self.serial > 0.0).then(|| 1.0 / self.serial)
    }
}

/// Gunther's Universal Scalability Law, `C(N) = N / (1 + σ(N − 1) + κN(N − 1))`, fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// `σ`: what workers lose by queueing for what they share; 0 to 1.
    pub contention: f64,
    /// Where `σ` lies; none when no more points have several workers than there are parameters.
    pub contention_interval: Option<Interval>,
    /// `κ`: what they lose by agreeing with each other, pair by pair; 0 or more.
    pub coherency: f64,
    /// Where `κ` lies; none as for `σ`.
    pub coherency_interval: Option<Interval>,
    /// The root of the mean square of what the points differ from the law by, in speedups.
    pub residual: f64,
}

impl Usl {
    /// Fits the law. None unless every point is sound and they have two numbers of workers above 1 at least.
    pub fn fit(points: &[Point]) -> Option<Usl> {
        let fit = Fit::of(points, Law::Usl)?;
        Some(Usl {
            contention: fit.at[0],
            contention_interval: fit.intervals.map(|of| of[0]),
            coherency: fit.at[1],
            coherency_interval: fit.intervals.map(|of| of[1]),
            residual: fit.residual,
        })
    }

    /// The speedup that the law says for so many workers, 1 or more.
    pub fn at(&self, workers: f64) -> f64 {
        speedup([self.contention, self.coherency], workers)
    }

    /// The number of workers with the highest speedup that the law knows, `√((1 − σ) / κ)` and at least 1; none
    /// when it grows for ever, which it does without coherency.
    pub fn peak(&self) -> Option<f64> {
        let peak = ((1.0 - self.contention) / self.coherency).sqrt();
        (self.coherency > 0.0 && peak.is_finite()).then(|| peak.max(1.0))
    }
}

/// The serial share that a single speedup amounts to, `e = (1/S − 1/p) / (1 − 1/p)`. Where it grows with the
/// workers, it is overhead that holds them up; where it stays, a part of the work is serial. Below 0, the
/// speedup was better than ideal.
///
/// None for one worker or none, and when the speedup is not above zero and finite. Source: Karp and Flatt.
pub fn karp_flatt(speedup: f64, workers: u32) -> Option<f64> {
    let ideal = f64::from(workers);
    let sound = workers > 1 && speedup.is_finite() && speedup > 0.0;
    sound.then(|| (1.0 / speedup - 1.0 / ideal) / (1.0 - 1.0 / ideal)).filter(|share| share.is_finite())
}

/// The share of the best speedup from which on more workers are taken to bring nothing: one run of each can't
/// tell smaller differences.
pub const KNEE: f64 = 0.95;

/// Where more workers stop bringing more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Knee {
    /// The fewest workers whose speedup is [`KNEE`] of the best or more; there are points with more workers.
    At {
        /// The number of workers.
        workers: u32,
        /// Their speedup.
        speedup: f64,
    },
    /// Only the most workers that were measured came so near to the best: the speedup still grew.
    Beyond {
        /// The number of workers.
        workers: u32,
    },
}

/// Where the knee of these points is. None unless all are sound and they have two numbers of workers at least.
pub fn knee(points: &[Point]) -> Option<Knee> {
    let most = points.iter().map(|point| point.workers).max()?;
    let alike = points.iter().all(|point| point.workers == most);
    if alike || !points.iter().all(Point::is_sound) {
        return None;
    }
    let best = points.iter().map(|point| point.speedup).fold(0.0, f64::max);
    let near = points.iter().filter(|point| point.speedup >= KNEE * best);
    let first = near.min_by_key(|point| point.workers)?;
    Some(match first.workers == most {
        true => Knee::Beyond { workers: most },
        false => Knee::At { workers: first.workers, speedup: first.speedup },
    })
}

/// How long so many workers take for the tasks when each free worker takes the next one up: list scheduling in
/// the order given. None without tasks or workers.
///
/// Source: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM Journal on Applied Mathematics
/// 17(2), 1969.
pub fn list_schedule(tasks: &[Duration], workers: u32) -> Option<Duration> {
    let workers = (workers as usize).min(tasks.len());
    let mut free: BinaryHeap<Reverse<Duration>> = tasks[..workers].iter().copied().map(Reverse).collect();
    let mut last = tasks[..workers].iter().max().copied()?;
    for &task in &tasks[workers..] {
        let Reverse(from) = free.pop()?;
        let end = from.saturating_add(task);
        last = last.max(end);
        free.push(Reverse(end));
    }
    Some(last)
}

/// The most that a speedup can be, by workers, with tasks that take as long as they did one after the other: the
/// work of all divided by a lower bound of the makespan, which no schedule of them is shorter than, whoever takes
/// up which task when. It is the longest of
/// - an equal share of the work for each worker,
/// - the longest task, and
/// - for every `k`, the `k + 1` shortest of the `k × workers + 1` longest tasks: of so many, one worker has
///   `k + 1` at least. Twenty tasks alike take sixteen workers as long as ten.
///
/// Source of the first two: R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM Journal on Applied
/// Mathematics 17(2), 1969.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleBound {
    /// For one worker, two, and so on; at least one, no less than the one before, and no more than the workers.
    by_workers: Vec<f64>,
    limit: f64,
}

impl ScheduleBound {
    /// The bounds for up to `most` workers, from how long each task took. None when there is no work.
    pub fn of(tasks: &[Duration], most: u32) -> Option<ScheduleBound> {
        let mut nanos: Vec<u128> = tasks.iter().map(Duration::as_nanos).collect();
        nanos.sort_unstable_by_key(|&task| Reverse(task));
        let longest = *nanos.first().filter(|&&longest| longest > 0)?;
        // By how many, how long that many of the longest tasks take.
        let mut sums = vec![0];
        let mut sum = 0;
        for task in nanos {
            sum += task;
            sums.push(sum);
        }
        let bound = |workers: usize| {
            let many = (1..).map_while(|k| Some(sums.get(k * workers + 1)? - sums[k * (workers - 1)]));
            let whole = many.fold(longest, u128::max) as f64;
            (sum as f64 / whole.max(sum as f64 / workers as f64)).min(workers as f64)
        };
        Some(ScheduleBound {
            by_workers: (1..=most.max(1) as usize).map(bound).collect(),
            limit: sum as f64 / longest as f64,
        })
    }

    /// The bound for so many workers. Between whole numbers, which mean nothing, it goes straight from one to the
    /// next; beyond the most it stays.
    pub fn at(&self, workers: f64) -> f64 {
        let last = self.by_workers.len() - 1;
        let place = (workers - 1.0).clamp(0.0, last as f64);
        let (below, above) =
            (self.by_workers[place as usize], self.by_workers[(place as usize + 1).min(last)]);
        below + (above - below) * place.fract()
    }

    /// What no number of workers exceeds: all work divided by the longest task.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Up to how many workers, from one on, the bound is as good as their number: to within a hundredth.
    pub fn parts_from_ideal(&self) -> u32 {
        let ideal = (1_u32..)
            .zip(&self.by_workers)
            .take_while(|(workers, bound)| **bound >= 0.99 * f64::from(*workers));
        ideal.last().map_or(1, |(workers, _)| workers)
    }
}

/// Which law is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Law {
    Amdahl,
    Usl,
}

impl Law {
    /// How many of the two parameters are free; the others are zero.
    fn free(self) -> usize {
        match self {
            Law::Amdahl => 1,
            Law::Usl => 2,
        }
    }
}

/// `σ` and `κ`.
type Parameters = [f64; 2];

/// The most that each parameter may be.
const MOST: Parameters = [1.0, f64::INFINITY];

/// What each parameter is multiplied with in the law's denominator.
fn basis(workers: f64) -> Parameters {
    [workers - 1.0, workers * (workers - 1.0)]
}

fn speedup(at: Parameters, workers: f64) -> f64 {
    let [contention, coherency] = basis(workers);
    workers / (1.0 + at[0] * contention + at[1] * coherency)
}

/// A law fitted to points.
struct Fit {
    at: Parameters,
    intervals: Option<[Interval; 2]>,
    residual: f64,
}

impl Fit {
    fn of(points: &[Point], law: Law) -> Option<Fit> {
        let several: BTreeSet<u32> =
            points.iter().map(|point| point.workers).filter(|&workers| workers > 1).collect();
        if several.len() < law.free() || !points.iter().all(Point::is_sound) {
            return None;
        }
        // Amdahl's law is a case of the other, which so fits no worse.
        let simpler = (law == Law::Usl).then(|| Fit::of(points, Law::Amdahl)).flatten().map(|fit| fit.at);
        let starts = STARTS.into_iter().chain([linearised(points, law)]).chain(simpler);
        let ends = starts.map(|start| descend(points, law, start));
        let best = ends.min_by(|(_, a), (_, b)| a.total_cmp(b));
        let (at, squares) = best.filter(|(_, squares)| squares.is_finite())?;
        let residual = (squares / points.len() as f64).sqrt();
        Some(Fit { at, intervals: intervals(points, law, at), residual })
    }
}

/// Where the descent begins: no loss at all, and losses of several kinds.
const STARTS: [Parameters; 5] = [[0.0, 0.0], [0.05, 0.0], [0.5, 0.0], [0.05, 1e-3], [0.5, 0.05]];

/// The sum of the squares of what the points differ from the law by.
fn squares(points: &[Point], at: Parameters) -> f64 {
    points.iter().map(|point| (point.speedup - speedup(at, f64::from(point.workers))).powi(2)).sum()
}

/// `JᵀJ` and `Jᵀr`, with the residuals `r` of the points and the slopes `J` of the law at them.
fn normal(points: &[Point], law: Law, at: Parameters) -> ([Parameters; 2], Parameters) {
    let (mut matrix, mut right) = ([[0.0; 2]; 2], [0.0; 2]);
    for point in points {
        let workers = f64::from(point.workers);
        let said = speedup(at, workers);
        let slope = basis(workers).map(|basis| -said * said * basis / workers);
        for i in 0..law.free() {
            right[i] += slope[i] * (point.speedup - said);
            for j in 0..law.free() {
                matrix[i][j] += slope[i] * slope[j];
            }
        }
    }
    (matrix, right)
}

/// The solution of two equations of which only those with a place in `held` that is false count.
fn solve(matrix: [Parameters; 2], right: Parameters, held: [bool; 2]) -> Option<Parameters> {
    let step = match held {
        [true, true] => [0.0, 0.0],
        [false, true] => [right[0] / matrix[0][0], 0.0],
        [true, false] => [0.0, right[1] / matrix[1][1]],
        [false, false] => {
            let determinant = matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0];
            [
                (right[0] * matrix[1][1] - right[1] * matrix[0][1]) / determinant,
                (right[1] * matrix[0][0] - right[0] * matrix[1][0]) / determinant,
            ]
        }
    };
    step.iter().all(|of| of.is_finite()).then_some(step)
}

/// The law's equation turned around, `N/C − 1 = σ(N − 1) + κN(N − 1)`, is linear: its solution by weighted
/// least squares is near that of the law itself, and the same where the points follow the law exactly.
fn linearised(points: &[Point], law: Law) -> Parameters {
    let (mut matrix, mut right) = ([[0.0; 2]; 2], [0.0; 2]);
    for point in points {
        let workers = f64::from(point.workers);
        let (basis, weight) = (basis(workers), (point.speedup * point.speedup / workers).powi(2));
        let lost = workers / point.speedup - 1.0;
        for i in 0..law.free() {
            right[i] += weight * basis[i] * lost;
            for j in 0..law.free() {
                matrix[i][j] += weight * basis[i] * basis[j];
            }
        }
    }
    kept(solve(matrix, right, [false, law == Law::Amdahl]).unwrap_or([0.0; 2]), law)
}

/// Parameters within their bounds.
fn kept(at: Parameters, law: Law) -> Parameters {
    let coherency = if law == Law::Usl { at[1].clamp(0.0, MOST[1]) } else { 0.0 };
    [at[0].clamp(0.0, MOST[0]), coherency]
}

/// Goes down from `start` to where no step within the bounds makes the squares less: where, and the squares.
fn descend(points: &[Point], law: Law, start: Parameters) -> (Parameters, f64) {
    let mut at = kept(start, law);
    let (mut least, mut damping) = (squares(points, at), 1e-3);
    for _ in 0..200 {
        let (mut matrix, right) = normal(points, law, at);
        // A parameter at a bound, and drawn over it, is held there.
        let held = [0, 1].map(|i| {
            let outwards = at[i] <= 0.0 && right[i] <= 0.0 || at[i] >= MOST[i] && right[i] >= 0.0;
            i >= law.free() || outwards || matrix[i][i] <= 0.0
        });
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] *= 1.0 + damping;
        }
        let Some(step) = solve(matrix, right, held) else { break };
        let next = kept([at[0] + step[0], at[1] + step[1]], law);
        let found = squares(points, next);
        if found < least {
            (at, least, damping) = (next, found, damping * 0.1);
        } else if next == at || damping > 1e12 {
            break;
        } else {
            damping = (damping * 10.0).max(1e-9);
        }
    }
    (at, least)
}

/// Of one worker every law says the same, so a point of it tells nothing of what errors a fit leaves.
fn intervals(points: &[Point], law: Law, at: Parameters) -> Option<[Interval; 2]> {
    let telling: Vec<Point> = points.iter().copied().filter(|point| point.workers > 1).collect();
    let freedom = telling.len().checked_sub(law.free()).filter(|&freedom| freedom > 0)?;
    let variance = squares(&telling, at) / freedom as f64;
    let (matrix, _) = normal(&telling, law, at);
    let inverse = match law {
        Law::Amdahl => [1.0 / matrix[0][0], 0.0],
        Law::Usl => {
            let determinant = matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0];
            [matrix[1][1] / determinant, matrix[0][0] / determinant]
        }
    };
    if !inverse.iter().all(|of| of.is_finite() && *of >= 0.0) {
        return None;
    }
    Some([0, 1].map(|i| {
        let reach = student(freedom) * (variance * inverse[i]).sqrt();
        Interval { low: (at[i] - reach).max(0.0), high: (at[i] + reach).min(MOST[i]) }
    }))
}

/// The 97.5th percentile of Student's t with so many degrees of freedom, 1 or more; that of 30 from there on.
fn student(freedom: usize) -> f64 {
    const T: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    T[freedom.clamp(1, T.len()) - 1]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COUNTS: [u32; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32];

    fn points(counts: &[u32], law: impl Fn(f64) -> f64) -> Vec<Point> {
        counts.iter().map(|&workers| Point { workers, speedup: law(f64::from(workers)) }).collect()
    }

    /// Numbers by chance, spread like a standard normal distribution (Box and Muller, 1958).
    struct Noise(u64);

    impl Noise {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn bounds(tasks: &[Duration], most: u32) -> Option<Vec<f64>> {
        ScheduleBound::of(tasks, most).map(|bound| bound.by_workers)
    }

    #[test]
    fn no_schedule_is_shorter_than_its_longest_task_or_an_equal_share() {
        assert_eq!(bounds(&[SECOND; 3], 5), Some(vec![1.0, 1.5, 3.0, 3.0, 3.0]));
        assert_eq!(bounds(&[SECOND, SECOND * 4, SECOND], 3), Some(vec![1.0, 1.5, 1.5]));
        assert_eq!(bounds(&[SECOND], 0), Some(vec![1.0]));
        assert_eq!(bounds(&[Duration::ZERO], 3), None);
        assert_eq!(bounds(&[], 3), None);
    }

    #[test]
    fn whole_tasks_leave_workers_idle() {
        let alike = ScheduleBound::of(&[SECOND; 20], 24).unwrap();
        let at = [1, 2, 3, 5, 7, 9, 10, 16, 19, 20, 24].map(|workers: u32| alike.at(f64::from(workers)));
        let rounds = [20.0, 10.0, 7.0, 4.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 1.0];
        assert_eq!(at, rounds.map(|rounds| 20.0 / rounds));
        assert_eq!((alike.limit(), alike.parts_from_ideal()), (20.0, 2));
        assert_eq!((alike.at(0.0), alike.at(19.5), alike.at(1e9)), (1.0, 15.0, 20.0));
        // Of the three longest, one of two workers has two.
        assert_eq!(bounds(&[SECOND * 3, SECOND * 3, SECOND * 2], 2), Some(vec![1.0, 8.0 / 5.0]));
    }

    #[test]
    fn the_serial_share_of_a_half_is_found() {
        let fit = Amdahl::fit(&points(&COUNTS, |n| 1.0 / (0.5 + 0.5 / n))).unwrap();
        assert!((fit.serial - 0.5).abs() < 1e-9 && fit.residual < 1e-9, "{fit:?}");
        assert!((fit.limit().unwrap() - 2.0).abs() < 1e-6);
        assert!((fit.at(4.0) - 1.6).abs() < 1e-9);
    }

    #[test]
    fn a_perfect_speedup_has_no_loss_and_no_peak() {
        let perfect = points(&COUNTS, |n| n);
        let (amdahl, usl) = (Amdahl::fit(&perfect).unwrap(), Usl::fit(&perfect).unwrap());
        assert_eq!((amdahl.serial, amdahl.limit()), (0.0, None));
        assert_eq!((usl.contention, usl.coherency, usl.peak()), (0.0, 0.0, None));
        let better = points(&COUNTS, |n| n * 1.1);
        assert_eq!(Usl::fit(&better).map(|fit| (fit.contention, fit.coherency)), Some((0.0, 0.0)));
    }

    #[test]
    fn the_peak_is_where_the_law_is_highest() {
        let usl = Usl::fit(&points(&COUNTS, |n| speedup([0.03, 0.001], n))).unwrap();
        let peak = usl.peak().unwrap();
        assert!((peak - (0.97_f64 / 0.001).sqrt()).abs() < 1e-3);
        assert!(usl.at(peak) >= usl.at(peak - 0.5) && usl.at(peak) >= usl.at(peak + 0.5));
        let falling = Usl::fit(&points(&COUNTS, |n| 1.0 / n)).unwrap();
        assert_eq!(falling.peak(), Some(1.0));
    }

    #[test]
    fn what_can_not_be_fitted_is_none() {
        let point = |workers, speedup| Point { workers, speedup };
        let degenerate = [
            vec![],
            vec![point(1, 1.0)],
            vec![point(1, 1.0); 5],
            vec![point(0, 1.0), point(4, 2.0), point(8, 3.0)],
            vec![point(2, 0.0), point(4, 2.0), point(8, 3.0)],
            vec![point(2, -1.0), point(4, 2.0), point(8, 3.0)],
            vec![point(2, f64::NAN), point(4, 2.0), point(8, 3.0)],
            vec![point(2, f64::INFINITY), point(4, 2.0), point(8, 3.0)],
        ];
        for points in &degenerate {
            assert_eq!((Amdahl::fit(points), Usl::fit(points)), (None, None), "{points:?}");
            assert_eq!(knee(points), None, "{points:?}");
        }
        let same = vec![point(4, 3.0); 5];
        assert_eq!((Usl::fit(&same), knee(&same)), (None, None));
        let one = Amdahl::fit(&[point(4, 3.0)]).unwrap();
        assert!(one.interval.is_none() && (one.serial - 1.0 / 9.0).abs() < 1e-9);
        let exact = Usl::fit(&[point(1, 1.0), point(2, 1.8), point(4, 3.0)]).unwrap();
        assert!(exact.contention_interval.is_none(), "as many parameters as points: {exact:?}");
    }

    #[test]
    fn karp_and_flatt_find_the_serial_share() {
        assert!((karp_flatt(1.6, 4).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(karp_flatt(4.0, 4), Some(0.0));
        assert!(karp_flatt(5.0, 4).unwrap() < 0.0);
        let undefined = [(1.0, 1), (1.0, 0), (0.0, 4), (-1.0, 4), (f64::NAN, 4), (f64::INFINITY, 4)];
        assert!(undefined.into_iter().all(|(speedup, workers)| karp_flatt(speedup, workers).is_none()));
    }

    #[test]
    fn the_knee_is_where_95_per_cent_of_the_best_begin() {
        let flat = points(&[1, 2, 4, 8, 16], |n| n.min(4.0));
        assert_eq!(knee(&flat), Some(Knee::At { workers: 4, speedup: 4.0 }));
        let falling = points(&[1, 2, 4, 8], |n| if n < 4.0 { n } else { 8.0 / n });
        assert_eq!(knee(&falling), Some(Knee::At { workers: 2, speedup: 2.0 }));
        assert_eq!(knee(&points(&[8, 1, 4, 2], |n| n)), Some(Knee::Beyond { workers: 8 }));
        assert_eq!(knee(&points(&[1, 2, 3], |_| 1.0)), Some(Knee::At { workers: 1, speedup: 1.0 }));
    }

    #[test]
    fn each_free_worker_takes_the_next_task() {
        let seconds = |of: &[u64]| of.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        let schedule = |tasks: &[u64], workers| list_schedule(&seconds(tasks), workers).map(|t| t.as_secs());
        assert_eq!(schedule(&[1; 20], 8), Some(3));
        assert_eq!(schedule(&[1; 20], 10), schedule(&[1; 20], 19));
        assert_eq!(schedule(&[3, 1, 2, 2], 2), Some(5));
        assert_eq!(schedule(&[3, 1, 2, 2], 1), Some(8));
        assert_eq!(schedule(&[3, 1], 100), Some(3));
        assert_eq!((schedule(&[], 3), schedule(&[1], 0)), (None, None));
    }

    #[test]
    fn nineteen_intervals_of_twenty_hold_what_is_true() {
        let (mut held, mut all) = ([0, 0, 0], 0);
        for seed in 0..600_u64 {
            let mut noise = Noise(seed * 7 + 1);
            let truth = [0.02 + 0.2 * noise.uniform(), 0.002 + 0.003 * noise.uniform()];
            let inside = |interval: Option<Interval>, truth| {
                interval.is_some_and(|it: Interval| it.low <= truth && truth <= it.high)
            };
            let noisy = |at: Parameters, noise: &mut Noise| -> Vec<Point> {
                let exact = points(&COUNTS, |n| speedup(at, n)).into_iter();
                exact.map(|p| Point { speedup: p.speedup + 0.05 * noise.normal(), ..p }).collect()
            };
            let usl = Usl::fit(&noisy(truth, &mut noise)).unwrap();
            let amdahl = Amdahl::fit(&noisy([truth[0], 0.0], &mut noise)).unwrap();
            held[0] += u32::from(inside(usl.contention_interval, truth[0]));
            held[1] += u32::from(inside(usl.coherency_interval, truth[1]));
            held[2] += u32::from(inside(amdahl.interval, truth[0]));
            all += 1;
        }
        for held in held {
            let share = f64::from(held) / f64::from(all);
            assert!((0.92..=0.98).contains(&share), "{share}");
        }
    }

    proptest! {
        #[test]
        fn no_schedule_beats_the_bound_and_more_workers_never_lower_it(
            millis in proptest::collection::vec(0_u64..1_000, 1..40), most in 1_u32..24,
        ) {
            let tasks: Vec<Duration> = millis.into_iter().map(Duration::from_millis).collect();
            let Some(bound) = ScheduleBound::of(&tasks, most) else { return Ok(()) };
            let all: Duration = tasks.iter().sum();
            for workers in 1..=most {
                let reached = all.div_duration_f64(list_schedule(&tasks, workers).unwrap());
                let at = bound.at(f64::from(workers));
                prop_assert!(reached <= at * (1.0 + 1e-12), "{workers}: {reached} {at}");
                prop_assert!((1.0..=f64::from(workers)).contains(&at) && at <= bound.limit());
                prop_assert!(at >= bound.at(f64::from(workers) - 0.5) && at >= bound.at(f64::from(workers) - 1.0));
            }
        }

        #[test]
        fn known_parameters_are_found_again(
            serial in 0.0..=1.0_f64, contention in 0.0..=1.0_f64, coherency in 0.0..0.1_f64, most in 4_u32..64,
        ) {
            let counts: Vec<u32> = (1..=most).collect();
            let amdahl = Amdahl::fit(&points(&counts, |n| 1.0 / (serial + (1.0 - serial) / n)));
            let Some(amdahl) = amdahl else { return Err(TestCaseError::fail("no Amdahl")) };
            prop_assert!((amdahl.serial - serial).abs() < 1e-6, "{amdahl:?}");
            let Some(usl) = Usl::fit(&points(&counts, |n| speedup([contention, coherency], n))) else {
                return Err(TestCaseError::fail("no law"));
            };
            prop_assert!((usl.contention - contention).abs() < 1e-5, "{usl:?}");
            prop_assert!((usl.coherency - coherency).abs() < 1e-5, "{usl:?}");
            prop_assert!(amdahl.residual < 1e-6 && usl.residual < 1e-6);
        }

        #[test]
        fn small_noise_makes_small_errors(
            contention in 0.0..0.5_f64, coherency in 0.0..0.01_f64,
            noise in prop::collection::vec(-1.0..1.0_f64, 12),
        ) {
            let exact = points(&COUNTS, |n| speedup([contention, coherency], n));
            let noisy: Vec<Point> =
                exact.iter().zip(&noise).map(|(p, e)| Point { speedup: p.speedup * (1.0 + 0.01 * e), ..*p }).collect();
            let Some(usl) = Usl::fit(&noisy) else { return Err(TestCaseError::fail("no law")) };
            prop_assert!((usl.contention - contention).abs() < 0.06, "{usl:?}");
            prop_assert!((usl.coherency - coherency).abs() < 0.006, "{usl:?}");
        }

        #[test]
        fn a_fit_keeps_its_bounds_and_is_no_worse_than_no_loss(
            counts in prop::collection::vec((1_u32..=10_000, 1e-6..1e6_f64), 0..40),
        ) {
            let points: Vec<Point> =
                counts.iter().map(|&(workers, speedup)| Point { workers, speedup }).collect();
            let (amdahl, usl) = (Amdahl::fit(&points), Usl::fit(&points));
            let rms = |at| (squares(&points, at) / points.len() as f64).sqrt();
            if let Some(fit) = amdahl {
                prop_assert!((0.0..=1.0).contains(&fit.serial));
                prop_assert!(fit.residual <= rms([0.0, 0.0]) + 1e-9 && fit.residual <= rms([1.0, 0.0]) + 1e-9);
                prop_assert!(fit.interval.is_none_or(|it| it.low <= fit.serial && fit.serial <= it.high));
            }
            if let Some(fit) = usl {
                prop_assert!((0.0..=1.0).contains(&fit.contention) && fit.coherency >= 0.0);
                prop_assert!(fit.coherency.is_finite() && fit.residual.is_finite());
                let amdahl = amdahl.map_or(f64::INFINITY, |fit| fit.residual);
                prop_assert!(fit.residual <= amdahl * (1.0 + 1e-6) + 1e-9, "{fit:?} {amdahl}");
            }
            let _ = knee(&points);
        }
    }
}
