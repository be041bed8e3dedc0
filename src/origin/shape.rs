//! What a [`Shape`] means: the delays, the failures, and how it reads on screen.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{Latency, Shape};
use crate::chance::{Lot, draw};
use crate::event::TimeScale;

impl Shape {
    /// No delay, no limit, no failure.
    pub const UNSHAPED: Shape = Shape {
        latency: Latency::Fixed(Duration::ZERO),
        bandwidth: None,
        shared_bandwidth: None,
        concurrent: None,
        failures: 0.0,
    };

    /// How long the answer for `path` waits; depends on the seed and the path alone.
    pub fn delay(&self, seed: u64, path: &str) -> Duration {
        let chance = || draw(seed, path, Lot::Delay);
        let seconds = match self.latency {
            Latency::Fixed(delay) => return delay,
            Latency::Uniform { mean, spread } => {
                mean.as_secs_f64() + spread.as_secs_f64() * (2.0 * chance() - 1.0)
            }
            Latency::Exponential { mean } => -mean.as_secs_f64() * (1.0 - chance()).ln(),
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }

    /// Whether this attempt (counted from 1) at `path` is answered with 503; depends on the seed, the path
    /// and the attempt alone.
    pub fn fails(&self, seed: u64, path: &str, attempt: u32) -> bool {
        draw(seed, path, Lot::Failure { attempt }) < self.failures
    }

    /// The same shape with every delay scaled, and every rate with it, so that a body takes its share of
    /// the time as before. Rates stay above zero.
    pub fn scaled(self, scale: TimeScale) -> Shape {
        let rate = |rate: NonZeroU64| {
            let scaled = u128::from(rate.get()) * u128::from(TimeScale::ONE.0) / u128::from(scale.0.max(1));
            NonZeroU64::new(u64::try_from(scaled).unwrap_or(u64::MAX)).unwrap_or(NonZeroU64::MIN)
        };
        let latency = match self.latency {
            Latency::Fixed(delay) => Latency::Fixed(scale.of(delay)),
            Latency::Uniform { mean, spread } => {
                Latency::Uniform { mean: scale.of(mean), spread: scale.of(spread) }
            }
            Latency::Exponential { mean } => Latency::Exponential { mean: scale.of(mean) },
        };
        let (bandwidth, shared_bandwidth) = (self.bandwidth.map(rate), self.shared_bandwidth.map(rate));
        Shape { latency, bandwidth, shared_bandwidth, ..self }
    }

    /// The shape in words, for the screen: `200–300 ms before the first byte, 500 kB/s a connection`.
    /// A kB is 1000 bytes.
    pub fn describe(&self) -> String {
        let latency = match self.latency {
            Latency::Fixed(Duration::ZERO) => None,
            Latency::Fixed(delay) => Some(time(delay)),
            Latency::Uniform { mean, spread } => {
                Some(range(mean.saturating_sub(spread), mean.saturating_add(spread)))
            }
            Latency::Exponential { mean } => Some(format!("{} on average", time(mean))),
        };
        let parts: Vec<String> = [
            latency.map(|wait| format!("{wait} before the first byte")),
            self.bandwidth.map(|rate| format!("{} a connection", speed(rate.get()))),
            self.shared_bandwidth.map(|rate| format!("{} for all connections together", speed(rate.get()))),
            self.concurrent.map(|most| match most.get() {
                1 => "one request at a time".to_owned(),
                most => format!("at most {most} requests at once"),
            }),
            (self.failures > 0.0).then(|| format!("{} % of requests fail", short(self.failures * 100.0))),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { "as fast as it can".to_owned() } else { parts.join(", ") }
    }
}

/// Three significant digits at most before the point matters, and no trailing zeros.
fn short(value: f64) -> String {
    let digits = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A duration as its number and its unit: milliseconds below a second.
fn measure(duration: Duration) -> (String, &'static str) {
    let seconds = duration.as_secs_f64();
    if seconds < 0.9995 { (short(seconds * 1e3), "ms") } else { (short(seconds), "s") }
}

fn time(duration: Duration) -> String {
    let (number, unit) = measure(duration);
    format!("{number} {unit}")
}

fn range(from: Duration, to: Duration) -> String {
    match (measure(from), measure(to)) {
        (low, high) if low == high => format!("{} {}", high.0, high.1),
        (low, high) if low.1 == high.1 || from.is_zero() => format!("{}–{} {}", low.0, high.0, high.1),
        (low, high) => format!("{} {}–{} {}", low.0, low.1, high.0, high.1),
    }
}

fn speed(rate: u64) -> String {
    let mut value = rate as f64;
    let mut units = ["B/s", "kB/s", "MB/s", "GB/s"].into_iter();
    let mut unit = units.next();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        unit = Some(next);
        value /= 1000.0;
    }
    format!("{} {}", short(value), unit.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_shape_reads_like_a_sentence() {
        let shape = Shape {
            latency: Latency::Uniform { mean: MS(250), spread: MS(50) },
            bandwidth: NonZeroU64::new(500_000),
            ..Shape::UNSHAPED
        };
        assert_eq!(shape.describe(), "200–300 ms before the first byte, 500 kB/s a connection");
        assert_eq!(Shape::UNSHAPED.describe(), "as fast as it can");
        let shape = Shape {
            latency: Latency::Exponential { mean: MS(10) },
            bandwidth: None,
            shared_bandwidth: NonZeroU64::new(1_500_000),
            concurrent: NonZeroUsize::new(8),
            failures: 0.125,
        };
        assert_eq!(
            shape.describe(),
            "10 ms on average before the first byte, 1.5 MB/s for all connections together, \
             at most 8 requests at once, 12.5 % of requests fail"
        );
    }

    #[test]
    fn units_change_where_the_number_would_grow_long() {
        assert_eq!([speed(1), speed(999), speed(1000)], ["1 B/s", "999 B/s", "1 kB/s"]);
        assert_eq!([speed(999_999), speed(1_000_000_000_000)], ["1 MB/s", "1000 GB/s"]);
        assert_eq!(
            [time(MS(2000)), time(MS(1500)), time(Duration::from_micros(999_900))],
            ["2 s", "1.5 s", "1 s"]
        );
        assert_eq!(range(MS(500), MS(1500)), "500 ms–1.5 s");
        assert_eq!(range(MS(0), MS(2000)), "0–2 s");
        assert_eq!(range(MS(70), MS(70)), "70 ms");
    }

    #[test]
    fn an_exponential_delay_has_its_mean() {
        let shape = Shape { latency: Latency::Exponential { mean: MS(10) }, ..Shape::UNSHAPED };
        let sum: Duration = (0..10_000).map(|i| shape.delay(7, &format!("/bytes/{i}.bin"))).sum();
        let mean = sum / 10_000;
        assert!((MS(9)..MS(11)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn failures_have_their_share_and_a_retry_gets_a_new_chance() {
        let shape = Shape { failures: 0.3, ..Shape::UNSHAPED };
        let path = |i: usize| format!("/bytes/{i:04}.bin");
        let failed = |attempt| (0..10_000).filter(|&i| shape.fails(1, &path(i), attempt)).count();
        assert!((2850..3150).contains(&failed(1)), "{}", failed(1));
        let twice =
            (0..10_000).filter(|&i| shape.fails(1, &path(i), 1) && shape.fails(1, &path(i), 2)).count();
        assert!((800..1000).contains(&twice), "{twice}");
        let never = Shape::UNSHAPED;
        let always = Shape { failures: 1.0, ..never };
        assert!((0..1000).all(|i| always.fails(1, &path(i), 1) && !never.fails(1, &path(i), 1)));
    }

    proptest! {
        #[test]
        fn a_uniform_delay_stays_within_its_range(
            mean in 0_u64..10_000_000, share in 0.0..=1.0, seed: u64, path in "/[a-z0-9/.]{0,20}",
        ) {
            let mean = Duration::from_micros(mean);
            let spread = mean.mul_f64(share);
            let shape = Shape { latency: Latency::Uniform { mean, spread }, ..Shape::UNSHAPED };
            let delay = shape.delay(seed, &path);
            let rounding = Duration::from_nanos(2);
            prop_assert!(delay + rounding >= mean - spread && delay <= mean + spread + rounding);
            prop_assert_eq!(delay, shape.delay(seed, &path));
        }

        #[test]
        fn no_latency_panics(seconds: u64, seed: u64) {
            let mean = Duration::from_secs(seconds);
            for latency in [Latency::Fixed(mean), Latency::Uniform { mean, spread: mean }, Latency::Exponential { mean }] {
                let shape = Shape { latency, ..Shape::UNSHAPED };
                let _ = (shape.delay(seed, "/"), shape.describe());
            }
        }
    }
}
