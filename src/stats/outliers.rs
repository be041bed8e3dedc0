//! Repeats of a run that took unusually long or short, and what is the likely cause.

use super::Spread;

/// Fewer repeats than this don't tell what is usual.
const LEAST: usize = 5;

/// How many standard deviations from the median are unusual.
const DEVIATIONS: f64 = 3.0;

/// What makes the median absolute deviation of Gaussian values their standard deviation: 1 / Φ⁻¹(3/4).
const GAUSSIAN: f64 = 1.4826;

/// How many interquartile ranges beyond a quartile are unusual.
const RANGES: f64 = 1.5;

/// A time nearer to the median than this share of it is never called unusual, however alike the others are.
const NEAR: f64 = 0.01;

/// One repeat of a run, with what may have made it slow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Its wall time in seconds.
    pub seconds: f64,
    /// Attempts of its tasks beyond their first.
    pub retries: u32,
    /// Whether none of its kind ran before it in the race, not even to warm up.
    pub first: bool,
}

/// A repeat that took unusually long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlier {
    /// Its place among the repeats, from 0.
    pub index: usize,
    /// The likely cause.
    pub cause: Cause,
}

/// What likely made a repeat an outlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was the first of its kind.
    FirstRun,
    /// Its tasks retried more often than is usual for them.
    Retries,
    /// Other runs of the same round were slow too.
    BusyMachine,
    /// Nothing that is known explains it.
    Unknown,
}

impl Cause {
    /// The cause in words, to follow a colon.
    pub fn words(self) -> &'static str {
        match self {
            Cause::FirstRun => "the first run, caches may have been cold",
            Cause::Retries => "more retries than usual",
            Cause::BusyMachine => "the machine was busy with something else",
            Cause::Unknown => "no cause known",
        }
    }
}

/// The outliers among the repeats of each run of a race. `runs` has the repeats of each run in the order of the
/// rounds; the same place in two runs is the same round. The answer is in the order of `runs`, and each part of
/// it in that of the rounds.
///
/// An outlier lies outside both of two fences that outliers themselves can't move: the median ± 3 · 1.4826 times the
/// median absolute deviation from it, and 1.5 interquartile ranges beyond the quartiles. It is also at least
/// 1 % off the median. Fewer than five repeats have no outliers.
///
/// Sources: Leys, Ley, Klein, Bernard and Licata, "Detecting outliers: Do not use standard deviation around the
/// mean, use absolute deviation around the median", Journal of Experimental Social Psychology 49(4), 2013; Tukey,
/// "Exploratory Data Analysis", 1977, section 2C.
pub fn outliers(runs: &[&[Sample]]) -> Vec<Vec<Outlier>> {
    let usual: Vec<Option<Usual>> = runs.iter().map(|samples| Usual::of(samples)).collect();
    let slow = |run: usize, round: usize| {
        let sample = runs[run].get(round)?;
        usual[run].as_ref().map(|usual| usual.is_slow(sample.seconds))
    };
    let of_run = |run: usize| {
        let Some(usual) = &usual[run] else { return Vec::new() };
        let unusual =
            |(_, sample): &(usize, &Sample)| usual.is_slow(sample.seconds) || usual.is_quick(sample.seconds);
        let cause = |(index, sample): (usize, &Sample)| {
            let others: Vec<bool> = (0..runs.len())
                .filter(|&other| other != run)
                .filter_map(|other| slow(other, index))
                .collect();
            let slow_too = others.iter().filter(|&&slow| slow).count();
            let cause = if usual.is_quick(sample.seconds) {
                Cause::Unknown
            } else if f64::from(sample.retries) > usual.retries {
                Cause::Retries
            } else if sample.first {
                Cause::FirstRun
            } else if slow_too > 0 && 2 * slow_too >= others.len() {
                Cause::BusyMachine
            } else {
                Cause::Unknown
            };
            Outlier { index, cause }
        };
        runs[run].iter().enumerate().filter(unusual).map(cause).collect()
    };
    (0..runs.len()).map(of_run).collect()
}

/// What is usual for the repeats of a run.
struct Usual {
    least: f64,
    most: f64,
    retries: f64,
}

impl Usual {
    fn of(samples: &[Sample]) -> Option<Usual> {
        let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.seconds).collect();
        if sorted.len() < LEAST || !sorted.iter().all(|seconds| seconds.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let median = Spread::of(&sorted)?.median;
        let deviations: Vec<f64> = sorted.iter().map(|seconds| (seconds - median).abs()).collect();
        let far = (DEVIATIONS * GAUSSIAN * Spread::of(&deviations)?.median).max(NEAR * median.abs());
        // Tukey's hinges: the medians of the halves, which share the middle value of an odd number.
        let half = sorted.len().div_ceil(2);
        let lower = Spread::of(&sorted[..half])?.median;
        let upper = Spread::of(&sorted[sorted.len() - half..])?.median;
        let beyond = RANGES * (upper - lower);
        let retries: Vec<f64> = samples.iter().map(|sample| f64::from(sample.retries)).collect();
        Some(Usual {
            least: (median - far).min(lower - beyond),
            most: (median + far).max(upper + beyond),
            retries: Spread::of(&retries)?.median,
        })
    }

    fn is_slow(&self, seconds: f64) -> bool {
        seconds > self.most
    }

    fn is_quick(&self, seconds: f64) -> bool {
        seconds < self.least
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual(seconds: f64) -> Sample {
        Sample { seconds, retries: 0, first: false }
    }

    const ROUNDS: [f64; 8] = [1.01, 1.00, 0.99, 1.02, 1.00, 0.98, 1.01, 1.00];

    fn rounds() -> Vec<Sample> {
        let mut rounds: Vec<Sample> = ROUNDS.into_iter().map(usual).collect();
        rounds[0].first = true;
        rounds
    }

    #[test]
    fn equal_repeats_have_no_outliers() {
        assert_eq!(outliers(&[&rounds(), &rounds()]), [vec![], vec![]]);
        assert_eq!(outliers(&[&[usual(1.0); 6]]), [vec![]]);
        assert_eq!(outliers(&[]), [] as [Vec<Outlier>; 0]);
    }

    #[test]
    fn each_outlier_is_named_with_its_cause() {
        let mut samples = [rounds(), rounds(), rounds()].concat();
        samples[0].seconds = 1.5;
        samples[3] = Sample { retries: 2, ..usual(1.9) };
        samples[7] = usual(3.0);
        samples[9] = usual(0.5);
        let causes = [(0, Cause::FirstRun), (3, Cause::Retries), (7, Cause::Unknown), (9, Cause::Unknown)];
        assert_eq!(outliers(&[&samples]), [causes.map(|(index, cause)| Outlier { index, cause }).to_vec()]);
    }

    #[test]
    fn a_round_that_was_slow_for_all_had_a_busy_machine() {
        let (mut a, mut b, c) = (rounds(), rounds(), rounds());
        (a[4].seconds, b[4].seconds) = (2.0, 3.0);
        let busy = vec![Outlier { index: 4, cause: Cause::BusyMachine }];
        assert_eq!(outliers(&[&a, &b, &c]), [busy.clone(), busy, vec![]]);
        let alone = vec![Outlier { index: 4, cause: Cause::Unknown }];
        assert_eq!(outliers(&[&a, &c, &rounds()]), [alone, vec![], vec![]]);
    }

    #[test]
    fn retries_that_are_usual_explain_nothing() {
        let mut samples: Vec<Sample> = ROUNDS.map(|seconds| Sample { retries: 2, ..usual(seconds) }).to_vec();
        samples[6].seconds = 2.0;
        assert_eq!(outliers(&[&samples]), [vec![Outlier { index: 6, cause: Cause::Unknown }]]);
    }

    #[test]
    fn a_few_repeats_tell_nothing() {
        assert_eq!(outliers(&[&[usual(1.0), usual(1.0), usual(9.0), usual(1.0)]]), [vec![]]);
        let odd = [f64::NAN, 1.0, 1.0, 1.0, 1.0, 9.0].map(usual);
        assert_eq!(outliers(&[&odd]), [vec![]]);
    }

    #[test]
    fn a_hair_is_no_outlier_though_all_others_tie() {
        let mut samples = [usual(1.0); 8];
        samples[2].seconds = 1.009;
        assert_eq!(outliers(&[&samples]), [vec![]]);
        samples[2].seconds = 1.02;
        assert_eq!(outliers(&[&samples]), [vec![Outlier { index: 2, cause: Cause::Unknown }]]);
    }

    proptest! {
        #[test]
        fn fewer_than_half_of_the_repeats_are_outliers(
            seconds in prop::collection::vec(prop_oneof![0.1_f64..10.0, Just(1.0)], 0..40),
        ) {
            let samples: Vec<Sample> = seconds.into_iter().map(usual).collect();
            let found = outliers(&[&samples, &[]]);
            prop_assert_eq!(found.len(), 2);
            prop_assert!(2 * found[0].len() < samples.len().max(1));
        }
    }
}
