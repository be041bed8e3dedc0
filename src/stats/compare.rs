//! What repeated measurements tell: a median with its confidence interval, and whether two differ.
//!
//! # The method
//!
//! The estimate is a median, because single runs of a program are skewed: something can only make them
//! slower. Its interval, at 95 %, reaches as far as either of these two does:
//!
//! - The percentile **bootstrap**: the median of 2,000 samples that are drawn from the measured ones with
//!   replacement; their middle 95 %. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//!   chapter 13.
//! - The **order statistics** of the sign test: from the k-th smallest to the k-th largest value, with the
//!   largest k for which `2 · P(X < k) ≤ 0.05`, where X counts the heads of n fair coins. It covers the median
//!   of any distribution in at least 95 of 100 cases, however few samples there are, and equal values make
//!   it safer still. Source: David and Nagaraja, "Order Statistics", 3rd ed., 2003, section 7.1.
//!
//! The bootstrap alone promises too much where samples are few: in its resamples, the outermost values are
//! hardly ever the median. Fewer than [`LEAST`] samples yield no interval: with five, even "all of them were faster"
//! happens to equals in 1 of 16 cases.
//!
//! Two series of the same length are rounds, and each round is a pair: what the machine did to a round, a
//! clock that throttles or a cache that fills, hits both of its runs and cancels out of their ratio. Between
//! equals, each ratio is then as likely above 1 as below, provided that chance decides who runs first in a
//! round, and the order statistics promise at most 5 % false differences, whatever the noise. Series of
//! different lengths can't be paired; there, the ends of the two medians' own intervals are divided by each
//! other, which is wide, and drift between the two series is taken for a difference.

use super::Spread;
use crate::chance::Rng;

/// So many samples yield an interval; fewer don't.
pub const LEAST: usize = 6;

/// Of more samples than this the bootstrap is left out: there it hardly differs from the order statistics, and
/// would take its time.
const RESAMPLED: usize = 2_000;

/// How often a confidence interval may miss.
const MISSES: f64 = 0.05;

/// How many samples the bootstrap draws.
const RESAMPLES: usize = 2_000;

/// What a figure probably lies between, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end; never below `low`.
    pub high: f64,
}

impl Interval {
    fn or_wider(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn with(self, value: f64) -> Interval {
        self.or_wider(Interval { low: value, high: value })
    }

    /// Whether a value lies in it.
    pub fn includes(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A figure from repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure itself.
    pub value: f64,
    /// What it lies between at 95 % confidence; none where there were too few samples to say.
    pub interval: Option<Interval>,
    /// How many samples it rests on: rounds where they were paired, else those of the shorter series.
    pub samples: usize,
}

/// What a ratio of times says about the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The other took less time than the base.
    Faster,
    /// The other took more time than the base.
    Slower,
    /// No difference can be told: the interval includes 1.
    NotTold,
    /// There are too few samples to say.
    TooFew,
}

impl Estimate {
    /// What the estimate says, if it is a ratio: base ÷ other.
    pub fn difference(&self) -> Difference {
        match self.interval {
            None => Difference::TooFew,
            Some(interval) if interval.low > 1.0 => Difference::Faster,
            Some(interval) if interval.high < 1.0 => Difference::Slower,
            Some(_) => Difference::NotTold,
        }
    }
}

/// The median of samples with its interval; the module's page has the method. The same seed yields the same
/// interval.
///
/// None when there are no samples, or one of them is not finite.
pub fn median_of(samples: &[f64], seed: u64) -> Option<Estimate> {
    let sorted = Sorted::of(samples)?;
    let interval = sorted.order_statistics().map(|exact| {
        if samples.len() > RESAMPLED {
            return exact.with(sorted.median());
        }
        let mut chance = Rng::new(seed, 0);
        let mut drawn = Vec::new();
        exact.or_wider(bootstrap(|| sorted.resampled(&mut chance, &mut drawn))).with(sorted.median())
    });
    Some(Estimate { value: sorted.median(), interval, samples: samples.len() })
}

/// How many times as long `base` took as `other`: above 1, the other is faster. Series of the same length are
/// rounds and are paired: the median of the rounds' ratios. Else it is the ratio of the medians. The module's
/// page has the method of the interval.
///
/// None when there are no samples, or one of them is not a positive finite number.
pub fn ratio_of(base: &[f64], other: &[f64], seed: u64) -> Option<Estimate> {
    if !base.iter().chain(other).all(|&sample| sample > 0.0 && sample.is_finite()) {
        return None;
    }
    if base.len() == other.len() {
        let ratios: Vec<f64> = base.iter().zip(other).map(|(base, other)| base / other).collect();
        return median_of(&ratios, seed);
    }
    let (base, other) = (Sorted::of(base)?, Sorted::of(other)?);
    let value = base.median() / other.median();
    let interval = base.ratio_of_order_statistics(&other).map(|exact| {
        let mut chance = Rng::new(seed, 0);
        let mut drawn = Vec::new();
        let resampled =
            bootstrap(|| base.resampled(&mut chance, &mut drawn) / other.resampled(&mut chance, &mut drawn));
        exact.or_wider(resampled).with(value)
    });
    Some(Estimate { value, interval, samples: base.0.len().min(other.0.len()) }).filter(|_| value.is_finite())
}

/// Finite values in ascending order, one at least.
struct Sorted(Vec<f64>);

impl Sorted {
    fn of(samples: &[f64]) -> Option<Sorted> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        (!sorted.is_empty() && sorted.iter().all(|sample| sample.is_finite())).then_some(Sorted(sorted))
    }

    fn median(&self) -> f64 {
        Spread::of(&self.0).map_or(f64::NAN, |spread| spread.median)
    }

    /// The interval of the sign test; none for fewer than [`LEAST`] values.
    fn order_statistics(&self) -> Option<Interval> {
        let rank = rank(self.0.len())?;
        let (low, high) = (self.0.get(rank - 1)?, self.0.get(self.0.len() - rank)?);
        Some(Interval { low: *low, high: *high })
    }

    /// The ends of the two medians' intervals, divided by each other.
    fn ratio_of_order_statistics(&self, other: &Sorted) -> Option<Interval> {
        let (base, other) = self.order_statistics().zip(other.order_statistics())?;
        Some(Interval { low: base.low / other.high, high: base.high / other.low })
    }

    /// The median of as many values, drawn with replacement. `drawn` is room to count in.
    fn resampled(&self, chance: &mut Rng, drawn: &mut Vec<usize>) -> f64 {
        let count = self.0.len();
        drawn.clear();
        drawn.resize(count, 0);
        for _ in 0..count {
            drawn[chance.below(count)] += 1;
        }
        let ranked = |rank: usize| {
            let mut seen = 0;
            let place = drawn.iter().position(|times| {
                seen += times;
                seen > rank
            });
            self.0[place.unwrap_or(count - 1)]
        };
        let upper = ranked(count / 2);
        if count.is_multiple_of(2) { f64::midpoint(ranked(count / 2 - 1), upper) } else { upper }
    }
}

/// The largest k, from 1, with `2 · P(X < k) ≤ 0.05` for the number X of heads of `samples` fair coins; none
/// when there is no such k.
fn rank(samples: usize) -> Option<usize> {
    let n = samples as f64;
    let (mut ln_share, mut below, mut rank) = (-n * std::f64::consts::LN_2, 0.0, 0);
    loop {
        below += ln_share.exp();
        if 2.0 * below > MISSES {
            return (rank > 0).then_some(rank);
        }
        ln_share += ((n - rank as f64) / (rank as f64 + 1.0)).ln();
        rank += 1;
    }
}

/// The middle 95 % of what `figure` yields, asked [`RESAMPLES`] times.
fn bootstrap(figure: impl FnMut() -> f64) -> Interval {
    let mut figures: Vec<f64> = std::iter::repeat_with(figure).take(RESAMPLES).collect();
    figures.sort_by(f64::total_cmp);
    let outside = (RESAMPLES as f64 * MISSES / 2.0) as usize;
    Interval { low: figures[outside], high: figures[RESAMPLES - 1 - outside] }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;
    use std::thread;

    use proptest::prelude::*;

    use super::*;
    use crate::chance::{Rng, unit};

    /// What the time of a run is off by, beside what its round does to it.
    #[derive(Debug, Clone, Copy)]
    enum Noise {
        Even,
        Gaussian,
        /// Often a little slow, sometimes very.
        Skewed,
        /// One run of ten takes twice to eleven times as long.
        Spikes,
        /// Half of Cauchy's distribution: neither a mean nor a variance.
        Heavy,
        /// Two speeds: a processor that throttles, or not.
        TwoSpeeds,
        /// A clock so coarse that most runs tie.
        Ticks,
    }

    const NOISES: [Noise; 7] = [
        Noise::Even,
        Noise::Gaussian,
        Noise::Skewed,
        Noise::Spikes,
        Noise::Heavy,
        Noise::TwoSpeeds,
        Noise::Ticks,
    ];

    /// What happens to the machine while a race goes on.
    #[derive(Debug, Clone, Copy)]
    enum Drift {
        Still,
        /// It gets steadily slower, twofold over the race.
        Slower,
        /// It wanders: each run starts where the one before it left the machine.
        Wandering,
        /// Something else keeps it busy for a few runs in a row, now and then.
        Bursts,
    }

    const DRIFTS: [Drift; 4] = [Drift::Still, Drift::Slower, Drift::Wandering, Drift::Bursts];

    fn normal(chance: &mut Rng) -> f64 {
        let radius = (-2.0 * (1.0 - unit(chance.bits())).ln()).sqrt();
        radius * (TAU * unit(chance.bits())).cos()
    }

    fn seconds(noise: Noise, chance: &mut Rng) -> f64 {
        match noise {
            Noise::Even => 1.0 + 0.1 * unit(chance.bits()),
            Noise::Gaussian => (1.0 + 0.02 * normal(chance)).max(0.5),
            Noise::Skewed => (0.3 * normal(chance).powi(2)).exp(),
            Noise::Spikes if chance.chance(0.1) => 2.0 + 9.0 * unit(chance.bits()),
            Noise::Spikes => 1.0 + 0.01 * unit(chance.bits()),
            Noise::Heavy => 1.0 + 0.05 * (TAU / 4.0 * unit(chance.bits())).tan(),
            Noise::TwoSpeeds if chance.chance(0.5) => 1.5 + 0.01 * unit(chance.bits()),
            Noise::TwoSpeeds => 1.0 + 0.01 * unit(chance.bits()),
            Noise::Ticks => 0.01 * (100.0 + normal(chance)).round(),
        }
    }

    /// A race of two whose `other` is `speed` times as fast: rounds in which chance says who runs first.
    fn race(noise: Noise, drift: Drift, rounds: usize, speed: f64, chance: &mut Rng) -> [Vec<f64>; 2] {
        let (mut walls, mut machine, mut burst) = ([Vec::new(), Vec::new()], 1.0_f64, 0);
        for round in 0..rounds {
            let first = chance.below(2);
            for (turn, run) in [first, 1 - first].into_iter().enumerate() {
                let slowed = match drift {
                    Drift::Still => 1.0,
                    Drift::Slower => 1.0 + (2 * round + turn) as f64 / (2 * rounds) as f64,
                    Drift::Wandering => {
                        machine *= (0.1 * normal(chance)).exp();
                        machine
                    }
                    Drift::Bursts => {
                        burst = if burst == 0 && chance.chance(0.1) { 4 } else { burst.max(1) - 1 };
                        if burst > 0 { 1.6 } else { 1.0 }
                    }
                };
                walls[run].push(seconds(noise, chance) * slowed / if run == 1 { speed } else { 1.0 });
            }
        }
        walls
    }

    fn told(base: &[f64], other: &[f64], seed: u64) -> bool {
        let difference = ratio_of(base, other, seed).map(|ratio| ratio.difference());
        matches!(difference, Some(Difference::Faster | Difference::Slower))
    }

    /// Whether the order statistics alone tell a difference, which `ratio_of` is never quicker to do: so
    /// the bootstrap need be asked only for those that do.
    fn might_be_told(base: &[f64], other: &[f64]) -> bool {
        let exact = if base.len() == other.len() {
            let ratios: Vec<f64> = base.iter().zip(other).map(|(base, other)| base / other).collect();
            Sorted::of(&ratios).and_then(|ratios| ratios.order_statistics())
        } else {
            let both = Sorted::of(base).zip(Sorted::of(other));
            both.and_then(|(base, other)| base.ratio_of_order_statistics(&other))
        };
        exact.is_none_or(|exact| !exact.includes(1.0))
    }

    const RACES: usize = 4_000;

    #[test]
    fn equals_are_told_apart_in_at_most_5_of_100_races() {
        thread::scope(|scope| {
            for (stream, noise) in (1..).zip(NOISES) {
                scope.spawn(move || {
                    let mut chance = Rng::new(1, stream);
                    for (drift, rounds) in
                        DRIFTS.into_iter().flat_map(|drift| [6, 7, 10, 20].map(|n| (drift, n)))
                    {
                        let wrong = (0..RACES as u64).filter(|&seed| {
                            let [a, b] = race(noise, drift, rounds, 1.0, &mut chance);
                            might_be_told(&a, &b) && told(&a, &b, seed)
                        });
                        let share = wrong.count() as f64 / RACES as f64;
                        assert!(share <= MISSES, "{noise:?} {drift:?} {rounds}: {share}");
                    }
                });
            }
        });
    }

    #[test]
    fn equals_of_different_lengths_are_told_apart_as_seldom() {
        let mut chance = Rng::new(2, 0);
        for noise in NOISES {
            for (rounds, more) in [(6, 7), (6, 40), (10, 20)] {
                let wrong = (0..RACES as u64).filter(|&seed| {
                    let [a, _] = race(noise, Drift::Still, rounds, 1.0, &mut chance);
                    let [_, b] = race(noise, Drift::Still, more, 1.0, &mut chance);
                    might_be_told(&a, &b) && told(&a, &b, seed)
                });
                let share = wrong.count() as f64 / RACES as f64;
                assert!(share <= MISSES, "{noise:?} {rounds} {more}: {share}");
            }
        }
    }

    #[test]
    fn a_tenth_is_told_in_spite_of_noise_and_drift() {
        for (drift, rounds) in [(Drift::Still, 10), (Drift::Slower, 10), (Drift::Bursts, 20)] {
            let mut chance = Rng::new(3, 0);
            let races = 200;
            let faster = (0..races).filter(|&seed| {
                let [a, b] = race(Noise::Gaussian, drift, rounds, 1.1, &mut chance);
                ratio_of(&a, &b, seed).is_some_and(|ratio| ratio.difference() == Difference::Faster)
            });
            let share = faster.count() as f64 / races as f64;
            assert!(share >= 0.95, "{drift:?}: {share}");
        }
    }

    #[test]
    fn no_rank_promises_more_than_the_coins_do() {
        let shares = |n: usize| {
            let mut row = vec![1.0_f64];
            for _ in 0..n {
                let mut next = vec![0.0; row.len() + 1];
                for (heads, share) in row.iter().enumerate() {
                    next[heads] += share / 2.0;
                    next[heads + 1] += share / 2.0;
                }
                row = next;
            }
            row
        };
        assert_eq!((0..LEAST).map(rank).collect::<Vec<_>>(), vec![None; LEAST]);
        for samples in LEAST..400 {
            let below = |rank: usize| 2.0 * shares(samples)[..rank].iter().sum::<f64>();
            let rank = rank(samples).unwrap_or_default();
            assert!(rank > 0 && below(rank) <= MISSES && below(rank + 1) > MISSES, "{samples}: {rank}");
        }
        // From tables of the sign test.
        assert_eq!([6, 8, 9, 10, 20, 25].map(rank), [1, 1, 2, 2, 6, 8].map(Some));
        assert_eq!(rank(100_000).map(|rank| (49_600..49_800).contains(&rank)), Some(true));
    }

    #[test]
    fn few_samples_yield_a_figure_and_no_interval() {
        let estimate = median_of(&[3.0, 1.0, 2.0], 7);
        assert_eq!(estimate, Some(Estimate { value: 2.0, interval: None, samples: 3 }));
        assert_eq!(estimate.map(|estimate| estimate.difference()), Some(Difference::TooFew));
        assert_eq!(ratio_of(&[4.0], &[2.0], 7).map(|ratio| ratio.value), Some(2.0));
        assert_eq!(ratio_of(&[4.0, 6.0], &[2.0], 7).map(|ratio| ratio.value), Some(2.5));
    }

    #[test]
    fn rounds_are_paired() {
        let base = [2.0, 20.0, 200.0, 2.2, 21.0, 210.0];
        let other = [1.0, 10.0, 100.0, 1.0, 10.0, 100.0];
        let ratio = ratio_of(&base, &other, 7);
        assert_eq!(ratio.and_then(|ratio| ratio.interval), Some(Interval { low: 2.0, high: 2.2 }));
        assert_eq!(ratio.map(|ratio| ratio.difference()), Some(Difference::Faster));
        let back = ratio_of(&other, &base, 7).map(|ratio| ratio.difference());
        assert_eq!(back, Some(Difference::Slower));
    }

    #[test]
    fn what_is_no_time_yields_nothing() {
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(ratio_of(&[1.0, 1.0], &[1.0, odd], 7), None, "{odd}");
            assert_eq!(ratio_of(&[odd], &[1.0, 1.0], 7), None, "{odd}");
        }
        assert_eq!(ratio_of(&[f64::MAX], &[f64::MIN_POSITIVE], 7), None);
        assert_eq!((ratio_of(&[], &[], 7), ratio_of(&[], &[1.0], 7)), (None, None));
        assert_eq!((median_of(&[], 7), median_of(&[f64::NAN], 7)), (None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_interval_has_the_figure_and_the_order_statistics_inside(
            samples in prop::collection::vec(0.001_f64..1000.0, 1..40), seed: u64,
        ) {
            let estimate = median_of(&samples, seed);
            prop_assert_eq!(estimate, median_of(&samples, seed));
            let Some(estimate) = estimate else { return Err(TestCaseError::fail("none")) };
            prop_assert_eq!(estimate.interval.is_some(), samples.len() >= LEAST);
            let exact = Sorted::of(&samples).and_then(|sorted| sorted.order_statistics());
            if let Some((interval, exact)) = estimate.interval.zip(exact) {
                prop_assert!(interval.includes(estimate.value));
                prop_assert!(interval.includes(exact.low) && interval.includes(exact.high));
                let all = Spread::of(&samples).map(|all| (all.least, all.most));
                prop_assert!(all.is_some_and(|(least, most)| least <= interval.low && interval.high <= most));
            }
        }

        #[test]
        fn a_ratio_turned_round_says_the_opposite(
            base in prop::collection::vec(0.5_f64..2.0, 6..12), other in prop::collection::vec(0.5_f64..2.0, 6..12),
        ) {
            let (there, back) = (ratio_of(&base, &other, 1), ratio_of(&other, &base, 1));
            let Some((there, back)) = there.zip(back) else { return Err(TestCaseError::fail("none")) };
            let opposed = (there.difference(), back.difference());
            prop_assert!(
                !matches!(opposed, (Difference::Faster, Difference::Faster) | (Difference::Slower, Difference::Slower))
            );
        }
    }
}
