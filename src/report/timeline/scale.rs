//! The axis of time.

use std::time::Duration;

/// A moment with a label, on an axis of which it has passed that share.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Tick {
    pub(in crate::report) share: f64,
    pub(in crate::report) label: String,
}

/// The ticks of an axis from zero to `long`, at most about `most` of them, at round times.
pub(in crate::report) fn ticks(long: Duration, most: usize) -> Vec<Tick> {
    let step = step(long, most.clamp(1, 100));
    let whole = long.as_secs_f64().max(f64::MIN_POSITIVE);
    let tick = |number: u32| {
        let moment = step.checked_mul(number).filter(|moment| *moment <= long)?;
        Some(Tick { share: moment.as_secs_f64() / whole, label: label(moment, step) })
    };
    (0..=200).map_while(tick).collect()
}

/// The time between two ticks: 1, 2 or 5 of a unit that people count in.
fn step(long: Duration, most: usize) -> Duration {
    const CLOCK: [u64; 14] =
        [10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let decimal = (0..7).flat_map(|power| [1, 2, 5].map(|n| Duration::from_micros(n * 10_u64.pow(power))));
    let clock = CLOCK.into_iter().map(Duration::from_secs);
    let days =
        (0..8).flat_map(|power| [2, 5, 10].map(|n| Duration::from_secs(86_400 * n * 10_u64.pow(power))));
    let mut steps = decimal.chain(clock).chain(days);
    steps.find(|step| step.saturating_mul(most) >= long).unwrap_or(long)
}

fn label(moment: Duration, step: Duration) -> String {
    let (seconds, whole) = (moment.as_secs_f64(), moment.as_secs());
    match step {
        _ if moment.is_zero() => "0".to_owned(),
        step if step >= Duration::from_secs(86_400) => format!("{} d", whole / 86_400),
        step if step >= Duration::from_secs(3_600) => format!("{} h", whole / 3_600),
        _ if whole >= 3_600 => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
        step if step >= Duration::from_secs(60) => format!("{} min", whole / 60),
        _ if whole >= 600 => format!("{} min {:02} s", whole / 60, whole % 60),
        step if step >= Duration::from_secs(1) => format!("{whole} s"),
        step if step >= Duration::from_millis(100) => format!("{seconds:.1} s"),
        step if step >= Duration::from_millis(1) => format!("{:.0} ms", seconds * 1e3),
        step if step >= Duration::from_micros(10) => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.0} µs", seconds * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(long: Duration, most: usize) -> Vec<String> {
        ticks(long, most).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_times() {
        assert_eq!(labels(Duration::from_millis(9_980), 5), ["0", "2 s", "4 s", "6 s", "8 s"]);
        assert_eq!(
            labels(Duration::from_millis(300), 4),
            ["0", "100 ms", "200 ms", "300 ms"].map(|t| {
                t.replace("100 ms", "0.1 s").replace("200 ms", "0.2 s").replace("300 ms", "0.3 s")
            })
        );
        assert_eq!(labels(Duration::from_secs(90), 3), ["0", "30 s", "60 s", "90 s"]);
        assert_eq!(labels(Duration::from_secs(7_000), 4), ["0", "30 min", "1 h 00 min", "1 h 30 min"]);
        assert_eq!(labels(Duration::from_micros(7), 4), ["0", "2 µs", "4 µs", "6 µs"]);
        assert_eq!(labels(Duration::ZERO, 4), ["0"]);
    }

    proptest! {
        #[test]
        fn ticks_are_few_and_on_the_axis(nanos in any::<u64>(), most in 0_usize..300) {
            let ticks = ticks(Duration::from_nanos(nanos), most);
            prop_assert!(!ticks.is_empty() && ticks.len() <= 201);
            prop_assert!(ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.share)));
        }
    }
}
