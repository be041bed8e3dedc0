//! Numbers in words for people: what the reports and the dashboard both say.

use std::time::Duration;

use crate::event::{Round, TimeScale};
use crate::model::RaceState;
use crate::stats::Estimate;
pub use crate::text::{bytes, count, counted, seconds};

/// Which characters the reader's terminal can show.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Any of Unicode's.
    #[default]
    Unicode,
    /// ASCII's only.
    Ascii,
}

/// A duration under a minute with so many decimals more than is common; a longer one as it is.
fn finer(time: Duration, more: usize) -> String {
    let (millis, whole) = (time.as_secs_f64() * 1e3, time.as_secs_f64());
    match seconds(time).split_once(' ') {
        Some((number, unit @ ("ms" | "s"))) if more > 0 && !number.starts_with('<') => {
            let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len()) + more;
            let value = if unit == "ms" { millis } else { whole };
            format!("{value:.decimals$} {unit}")
        }
        _ => seconds(time),
    }
}

/// How many decimals more than is common tell two durations apart.
fn decimals_between(from: Duration, to: Duration) -> usize {
    const MOST: usize = 2;
    let apart = |&more: &usize| from == to || finer(from, more) != finer(to, more);
    (0..=MOST).find(apart).unwrap_or(0)
}

/// Two durations and what is between them, with the unit once where it is the same: `9.98–10.10 s`. Two that
/// differ by less than is commonly told have as many decimals more as tell them apart.
pub fn span(from: Duration, to: Duration) -> String {
    let more = decimals_between(from, to);
    let (from, to) = (finer(from, more), finer(to, more));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same && !unit.contains(' ') => {
            format!("{number}–{to}")
        }
        _ => format!("{from}–{to}"),
    }
}

/// The ends, in seconds, of what an estimate lies in.
fn ends(estimate: Estimate) -> Option<(Duration, Duration)> {
    let interval = estimate.interval?;
    Duration::try_from_secs_f64(interval.low).ok().zip(Duration::try_from_secs_f64(interval.high).ok())
}

/// What a time in seconds lies in: `9.98–10.10 s`; none where nothing is known of it.
pub fn seconds_within(estimate: Estimate) -> Option<String> {
    ends(estimate).map(|(low, high)| span(low, high))
}

/// A time in seconds with the decimals of what it lies in, so that it is seen to lie there.
pub fn seconds_of(estimate: Estimate) -> String {
    let more = ends(estimate).map_or(0, |(low, high)| decimals_between(low, high));
    finer(Duration::try_from_secs_f64(estimate.value).unwrap_or_default(), more)
}

/// What a ratio lies in: `4.80–5.02`; none where nothing is known of it.
pub fn ratio_within(estimate: Estimate) -> Option<String> {
    let interval = estimate.interval?;
    Some(format!("{}–{}", ratio(interval.low), ratio(interval.high)))
}

/// A round among so many that count and that warm up: `round 3 of 10`, `warm-up 1 of 2`.
pub fn round(round: Round, counted: usize, warmups: usize) -> String {
    match round {
        Round::Counted(number) => format!("round {} of {}", count(number.into()), count(counted as u64)),
        Round::Warmup(number) => format!("warm-up {} of {}", count(number.into()), count(warmups as u64)),
    }
}

/// `1 round`, `10 rounds`.
pub fn rounds(number: usize) -> String {
    counted(number as u64, "round", "rounds")
}

/// What is to be said of a run that has not begun.
pub fn not_begun(race: &RaceState) -> &'static str {
    if race.is_over() { "it was not started" } else { "its turn has not come" }
}

/// `1 worker`, `20 workers`.
pub fn workers(number: u32) -> String {
    counted(u64::from(number), "worker", "workers")
}

/// `1 processor`, `8 processors`.
pub fn processors(number: u32) -> String {
    counted(u64::from(number), "processor", "processors")
}

/// `1 task`, `9,950 tasks`.
pub fn tasks(number: usize) -> String {
    counted(number as u64, "task", "tasks")
}

/// Bytes a second: `1.2 MB/s`.
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second.round() as u64))
}

/// A ratio: `4.87`, and from 100 on without decimals.
pub fn ratio(ratio: f64) -> String {
    if ratio < 99.995 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}

/// A ratio with its sign: `4.87×`, in ASCII `4.87x`.
pub fn times(times: f64, glyphs: Glyphs) -> String {
    let sign = match glyphs {
        Glyphs::Unicode => '×',
        Glyphs::Ascii => 'x',
    };
    format!("{}{sign}", ratio(times))
}

/// Two amounts of bytes that are told apart: to the byte, where they would read the same otherwise.
pub fn bytes_apart(one: u64, other: u64) -> [String; 2] {
    let rough = [one, other].map(bytes);
    if one != other && rough[0] == rough[1] {
        [one, other].map(|of| format!("{} B", count(of)))
    } else {
        rough
    }
}

/// That simulated delays were scaled, and by how much: `delays × 0.1`; none where they are as they are.
pub fn delays(scale: TimeScale) -> Option<String> {
    (scale != TimeScale::ONE).then(|| format!("delays × {}", scale.factor()))
}

/// A share of one: `97 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// An improvement: `95 %`, and from 99 % on with a decimal that never makes up the whole.
pub fn saved(share: f64) -> String {
    let tenths = (share * 1_000.0).floor().min(999.0);
    if tenths >= 990.0 {
        return format!("{:.1} %", tenths / 10.0);
    }
    // The sum takes the sign off a zero.
    format!("{:.0} %", (share * 100.0).round() + 0.0)
}

/// Names in a sentence: `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Words with a capital at their beginning.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::stats::Interval;

    use super::*;

    #[test]
    fn durations_carry_over_into_the_next_unit() {
        let said = |nanos: u64| seconds(Duration::from_nanos(nanos));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(4_999), "<0.01 ms");
        assert_eq!(said(5_000), "0.01 ms");
        assert_eq!(said(9_994_999), "9.99 ms");
        assert_eq!(said(9_995_000), "10 ms");
        assert_eq!(said(412_000_000), "412 ms");
        assert_eq!(said(999_499_999), "999 ms");
        assert_eq!(said(999_500_000), "1.00 s");
        assert_eq!(said(9_980_000_000), "9.98 s");
        assert_eq!(said(59_994_999_999), "59.99 s");
        assert_eq!(said(59_995_000_000), "1 min 00 s");
        assert_eq!(said(63_200_000_000), "1 min 03 s");
        assert_eq!(said(3_599_499_999_999), "59 min 59 s");
        assert_eq!(said(3_599_500_000_000), "1 h 00 min");
        assert_eq!(said(7_500_000_000_000), "2 h 05 min");
    }

    #[test]
    fn bytes_are_in_powers_of_a_thousand() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(999_949), "999.9 kB");
        assert_eq!(bytes(999_950), "1.0 MB");
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!(rate(1_234_567.4), "1.2 MB/s");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 7, 999, 9_950, 1_234_567].map(count), ["0", "7", "999", "9,950", "1,234,567"]);
        assert_eq!(times(4.8712, Glyphs::Unicode), "4.87×");
        assert_eq!(times(4.8712, Glyphs::Ascii), "4.87x");
        assert_eq!(times(99.996, Glyphs::Ascii), "100x");
        assert_eq!(percent(0.9741), "97 %");
        let scaled = [100_000, 2_500_000, 1_000_000].map(|millionths| delays(TimeScale(millionths)));
        assert_eq!(scaled, [Some("delays × 0.1".to_owned()), Some("delays × 2.5".to_owned()), None]);
        let improvements = [0.95, 0.7952, 0.9899, 0.9975, 0.99999, 1.0, 0.0, -0.004, -0.25].map(saved);
        assert_eq!(
            improvements,
            ["95 %", "80 %", "99 %", "99.7 %", "99.9 %", "99.9 %", "0 %", "0 %", "-25 %"]
        );
    }

    #[test]
    fn spans_have_their_unit_once() {
        let said = |from, to| span(Duration::from_millis(from), Duration::from_millis(to));
        assert_eq!(said(9_980, 10_100), "9.98–10.10 s");
        assert_eq!(said(980, 1_020), "980 ms–1.02 s");
        assert_eq!(said(9_981, 9_984), "9.981–9.984 s");
        assert_eq!(said(61_000, 63_000), "1 min 01 s–1 min 03 s");
        let said = |from, to| span(Duration::from_micros(from), Duration::from_micros(to));
        assert_eq!(said(151_900, 152_300), "151.9–152.3 ms");
        assert_eq!(said(12_660, 12_710), "12.66–12.71 ms");
        assert_eq!(said(9_991, 9_994), "9.991–9.994 ms");
        assert_eq!(said(10_001_000, 10_002_000), "10.001–10.002 s");
        assert_eq!(said(12_660, 12_660), "13–13 ms");
    }

    #[test]
    fn rounds_have_their_number() {
        assert_eq!(round(Round::Warmup(1), 10, 2), "warm-up 1 of 2");
        assert_eq!(round(Round::Counted(3), 10, 2), "round 3 of 10");
    }

    #[test]
    fn a_time_is_told_as_finely_as_what_it_lies_in() {
        let estimate =
            |value, low, high| Estimate { value, interval: Some(Interval { low, high }), samples: 9 };
        let said = |estimate| (seconds_of(estimate), seconds_within(estimate).unwrap_or_default());
        assert_eq!(said(estimate(0.0127, 0.01266, 0.01271)), ("12.70 ms".into(), "12.66–12.71 ms".into()));
        assert_eq!(said(estimate(0.0127, 0.012, 0.014)), ("13 ms".into(), "12–14 ms".into()));
        assert_eq!(said(estimate(10.02, 9.98, 10.1)), ("10.02 s".into(), "9.98–10.10 s".into()));
    }

    proptest! {
        #[test]
        fn words_stay_short(n in any::<u64>()) {
            prop_assert!(seconds(Duration::from_nanos(n)).len() <= 16);
            prop_assert!(bytes(n).len() <= 8);
            prop_assert_eq!(count(n).replace(',', ""), n.to_string());
        }
    }
}
