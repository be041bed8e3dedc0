//! Pure arithmetic on durations: speedup, improvement, efficiency, mean, percentiles, and what repeated
//! measurements tell.
//!
//! A figure that is not defined (nothing was measured, or it would divide by zero) is `None`: no figure
//! here is ever a nan or an infinity.

pub mod compare;
pub mod outliers;
pub mod scaling;

pub use compare::{Difference, Estimate, Interval, LEAST, median_of, ratio_of};
pub use outliers::{Cause, Outlier, Sample, outliers};

use std::time::Duration;

/// How many times as fast this run was: `S = T₁ / Tₚ`, both of them wall times.
///
/// None when either wall time is zero.
///
/// Source: Eager, Zahorjan and Lazowska, "Speedup versus efficiency in parallel systems", IEEE
/// Transactions on Computers 38(3), 1989.
pub fn speedup(sequential: Duration, this: Duration) -> Option<f64> {
    (!sequential.is_zero() && !this.is_zero()).then(|| sequential.as_secs_f64() / this.as_secs_f64())
}

/// The share of the workers that the speedup amounts to: `E = S / p`; 1 is ideal.
///
/// None when there are no workers. Source: as for [`speedup`].
pub fn efficiency(speedup: f64, workers: u32) -> Option<f64> {
    (workers > 0).then(|| speedup / f64::from(workers))
}

/// The share of one worker's wall time that this run saved: `(T₁ − Tₚ) / T₁ = 1 − 1/S`. 0.95 is a speedup of
/// 20; below zero, this run took longer. It is at most 1, however many workers there are.
///
/// None when the sequential wall time is zero.
///
/// Source: the relative reduction in time, which is how tutorials on concurrency state what they gained; that
/// it is `1 − 1/S` follows from the definition of [`speedup`].
pub fn improvement(sequential: Duration, this: Duration) -> Option<f64> {
    let (before, after) = (sequential.as_secs_f64(), this.as_secs_f64());
    (!sequential.is_zero()).then(|| (before - after) / before)
}

/// How many processors were busy on average: processor time by wall time. More than the machine has only
/// when a part of the processor time was spent outside the wall time.
///
/// None when the wall time is zero.
pub fn processors(used: Duration, wall: Duration) -> Option<f64> {
    (!wall.is_zero()).then(|| used.as_secs_f64() / wall.as_secs_f64())
}

/// How many a second: `amount / time`; none when the time is zero.
pub fn rate(amount: u64, time: Duration) -> Option<f64> {
    (!time.is_zero()).then(|| amount as f64 / time.as_secs_f64())
}

/// The nearest-rank percentile of values in ascending order: the smallest value that at least `percent`
/// per cent of the values don't exceed, which is the one of rank `⌈percent/100 · n⌉`, counted from 1.
///
/// It is always one of the values. Per cents above 100 count as 100, and 0 is the smallest value.
/// None when there are no values.
///
/// Source: definition 1 (the inverse of the empirical distribution function) in Hyndman and Fan,
/// "Sample quantiles in statistical packages", The American Statistician 50(4), 1996.
pub fn percentile<T: Copy>(sorted: &[T], percent: u8) -> Option<T> {
    let rank = (sorted.len() * usize::from(percent.min(100))).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The arithmetic mean, to the nanosecond below; none when there are no values.
pub fn mean(durations: &[Duration]) -> Option<Duration> {
    let sum: u128 = durations.iter().map(Duration::as_nanos).sum();
    let mean = sum.checked_div(durations.len() as u128)?;
    Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
}

/// A median with what it lies between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median: the middle value, or the mean of the middle two.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// The spread of `values`, which may come in any order; none when there are none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let lower = if sorted.len().is_multiple_of(2) { sorted[middle - 1] } else { upper };
        Some(Spread { median: f64::midpoint(lower, upper), least: *sorted.first()?, most: *sorted.last()? })
    }
}

/// How a set of durations is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// How many there are; at least one.
    pub count: usize,
    /// The arithmetic [`mean`].
    pub mean: Duration,
    /// The median, as a nearest-rank [`percentile`]; the same goes for those below.
    pub p50: Duration,
    /// 90 per cent don't exceed it.
    pub p90: Duration,
    /// 95 per cent don't exceed it.
    pub p95: Duration,
    /// 99 per cent don't exceed it.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Latencies {
    /// The spread of `durations`, which may come in any order; none when there are none. Sorts once.
    pub fn of(mut durations: Vec<Duration>) -> Option<Latencies> {
        durations.sort_unstable();
        Some(Latencies {
            count: durations.len(),
            mean: mean(&durations)?,
            p50: percentile(&durations, 50)?,
            p90: percentile(&durations, 90)?,
            p95: percentile(&durations, 95)?,
            p99: percentile(&durations, 99)?,
            max: *durations.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_quarter_of_the_time_is_a_speedup_of_four() {
        let speedup = speedup(SECOND * 10, Duration::from_millis(2_500));
        assert_eq!(speedup, Some(4.0));
        assert_eq!(speedup.and_then(|s| efficiency(s, 5)), Some(0.8));
    }

    #[test]
    fn a_twentieth_of_the_time_is_an_improvement_of_95_per_cent() {
        assert_eq!(improvement(SECOND * 20, SECOND), Some(0.95));
        assert_eq!(improvement(SECOND, SECOND), Some(0.0));
        assert_eq!(improvement(SECOND * 2, SECOND * 3), Some(-0.5));
        assert_eq!(processors(SECOND * 3, SECOND * 2), Some(1.5));
    }

    #[test]
    fn what_is_not_defined_is_none() {
        assert_eq!(improvement(Duration::ZERO, SECOND), None);
        assert_eq!(processors(SECOND, Duration::ZERO), None);
        assert_eq!(speedup(SECOND, Duration::ZERO), None);
        assert_eq!(speedup(Duration::ZERO, SECOND), None);
        assert_eq!(efficiency(1.0, 0), None);
        assert_eq!(rate(1, Duration::ZERO), None);
        assert_eq!(mean(&[]), None);
        assert_eq!(percentile::<u8>(&[], 50), None);
        assert_eq!(Latencies::of(Vec::new()), None);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn the_nearest_rank_of_five_values() {
        let values = [15, 20, 35, 40, 50];
        let at = |percent| percentile(&values, percent);
        assert_eq!(
            [at(0), at(5), at(20), at(30), at(40), at(50), at(100), at(255)],
            [15, 15, 15, 20, 20, 35, 50, 50].map(Some)
        );
    }

    #[test]
    fn the_mean_of_the_longest_durations_does_not_overflow() {
        let longest = Duration::from_nanos(u64::MAX);
        assert_eq!(mean(&[longest; 3]), Some(longest));
    }

    proptest! {
        #[test]
        fn improvement_and_speedup_tell_the_same(before in 1_u64..1 << 40, after in 1_u64..1 << 40) {
            let (before, after) = (Duration::from_nanos(before), Duration::from_nanos(after));
            let (Some(speedup), Some(saved)) = (speedup(before, after), improvement(before, after)) else {
                return Err(TestCaseError::fail("none"));
            };
            prop_assert!(saved <= 1.0);
            prop_assert!(((1.0 - saved) * speedup - 1.0).abs() < 1e-3, "{speedup} {saved}");
        }

        #[test]
        fn a_percentile_is_the_least_value_that_enough_values_do_not_exceed(
            mut values in prop::collection::vec(0_u32..100, 1..60),
            percent in 1_u8..=100,
        ) {
            values.sort_unstable();
            let enough = |&x: &u32| {
                values.iter().filter(|&&v| v <= x).count() * 100 >= values.len() * usize::from(percent)
            };
            prop_assert_eq!(percentile(&values, percent), values.iter().copied().find(enough));
        }

        #[test]
        fn latencies_are_in_order(nanos in prop::collection::vec(any::<u64>(), 1..200)) {
            let durations: Vec<Duration> = nanos.iter().copied().map(Duration::from_nanos).collect();
            let Some(l) = Latencies::of(durations.clone()) else { return Err(TestCaseError::fail("none")) };
            prop_assert!([l.p50, l.p90, l.p95, l.p99, l.max].is_sorted());
            prop_assert!(l.mean <= l.max && Some(&l.max) == durations.iter().max());
            prop_assert_eq!(l.count, nanos.len());
        }
    }
}
