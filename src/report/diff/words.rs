//! What a comparison says, in sentences that follow from its figures.

use crate::report::words::{self, count, ratio, seconds};
use crate::stats::compare::{Difference, Estimate, Interval, LEAST};

use super::{Both, Pair, Tasks};

/// What the words of a comparison mean, a line each.
pub const DEFINITIONS: &[(&str, &str)] = &[
    ("A, B", "the race that was named first, and the one that was named second"),
    ("A ÷ B", "A's wall time ÷ B's: above 1, B was faster; with rounds, the medians of each side"),
    ("95 %", "where that ratio lies in 95 of 100 cases; the two sides' own intervals, divided"),
    ("no difference", "the interval includes 1, so that luck alone could have made what is seen"),
    ("task by task", "the median of A's latency ÷ B's, over tasks of one name that brought as much"),
    (
        "its 95 %",
        "for these runs alone: tasks of a run share its machine, so the next run may differ by more",
    ),
    ("speedup", "the sequential wall time ÷ the run's own, of each round, and of these the median"),
    ("moved", "ordered by how much longer a task took in one race, times the log of how many times as long"),
    ("change", "B's figure ÷ A's - 1"),
];

/// A ratio with its sign, and with as many decimals as it takes to tell it from 1, five at most: `1.93×`, `1.0021×`.
pub fn times(of: f64) -> String {
    match (of - 1.0).abs() {
        ..0.000_005 => "1×".to_owned(),
        ..0.000_05 => format!("{of:.5}×"),
        ..0.005 => format!("{of:.4}×"),
        ..0.05 => format!("{of:.3}×"),
        _ => format!("{}×", ratio(of)),
    }
}

/// `1.80× to 2.05×`.
pub fn span_of(interval: Interval) -> String {
    format!("{} to {}", times(interval.low), times(interval.high))
}

/// A number, also a small one with digits that count: two that change sixteenfold are not both `0.00`.
pub fn number(value: f64) -> String {
    match value {
        0.0 => ratio(value),
        ..0.0001 => "<0.0001".to_owned(),
        ..0.01 => format!("{value:.4}"),
        ..0.1 => format!("{value:.3}"),
        _ => ratio(value),
    }
}

/// `+12 %`, `-48 %`, and from tenfold on `12×`.
pub fn change(share: f64) -> String {
    match share {
        share if share >= 9.0 => times(share + 1.0),
        share if share.abs() < 0.005 => "0 %".to_owned(),
        share => format!("{:+.0} %", share * 100.0),
    }
}

fn inverse(interval: Interval) -> Interval {
    Interval { low: 1.0 / interval.high, high: 1.0 / interval.low }
}

/// `10 rounds of each`, `10 and 12 rounds`.
fn rounds(rounds: Both<usize>) -> String {
    match rounds {
        Both { a: 1, b: 1 } => "one run of each".to_owned(),
        Both { a, b } if a == b => format!("{a} rounds of each"),
        Both { a, b } => format!("{a} and {b} rounds"),
    }
}

/// What can be said of a pair's wall times, in a sentence.
pub fn wall_words(pair: &Pair) -> String {
    let wall = &pair.wall;
    let estimate = match &wall.compared {
        Ok(estimate) => *estimate,
        Err(why) => return format!("The wall times can't be compared. {why}."),
    };
    let of = rounds(wall.rounds);
    let told = |interval: Interval| format!("95 %: {}; {of}", span_of(interval));
    match (estimate.difference(), estimate.interval) {
        (Difference::Faster, Some(interval)) => {
            format!("B was faster: {} as fast as A ({}).", times(estimate.value), told(interval))
        }
        (Difference::Slower, Some(interval)) => {
            let long = times(1.0 / estimate.value);
            format!("B was slower: it took {long} as long as A ({}).", told(inverse(interval)))
        }
        (Difference::NotTold, Some(interval)) => {
            let fast = times(estimate.value);
            format!("No difference can be told: B was {fast} as fast as A ({}).", told(interval))
        }
        _ => {
            let Both { a, b } = wall.median.map(|median| seconds(median.unwrap_or_default()));
            let luck = match wall.rounds {
                Both { a: 1, b: 1 } => "one run of each can't tell luck from truth".to_owned(),
                _ => format!("{of} can't tell luck from truth, {LEAST} of each are the least"),
            };
            if (estimate.value - 1.0).abs() < 0.005 {
                return format!("B took as long as A, give or take: {b} and {a}; {luck}.");
            }
            let was = if estimate.value >= 1.0 { "was" } else { "took" };
            format!("B {was} {} as A: {b} instead of {a}; {luck}.", faster_or_slower(estimate))
        }
    }
}

/// `1.93× as fast`, `1.31× as long`.
fn faster_or_slower(ratio: Estimate) -> String {
    if (ratio.value - 1.0).abs() < f64::EPSILON {
        "as fast".to_owned()
    } else if ratio.value >= 1.0 {
        format!("{} as fast", times(ratio.value))
    } else {
        format!("{} as long", times(1.0 / ratio.value))
    }
}

/// What can be said of a pair's tasks, in a sentence.
pub fn tasks_words(tasks: &Tasks) -> String {
    let number = |tasks: usize| count(tasks as u64);
    let Some(estimate) = tasks.ratio else {
        return match tasks.other {
            0 => "No task was done in both.".to_owned(),
            _ => "No task did the same work in both.".to_owned(),
        };
    };
    let counts = match (tasks.faster, tasks.slower, tasks.matched) {
        (1, 0, 1) => "the only task was faster in B".to_owned(),
        (0, 1, 1) => "the only task was slower in B".to_owned(),
        (faster, 0, matched) if faster == matched => {
            format!("all {} tasks were faster in B", number(matched))
        }
        (0, slower, matched) if slower == matched => {
            format!("all {} tasks were slower in B", number(matched))
        }
        (faster, slower, matched) => format!(
            "{} of {} tasks were faster in B, {} slower",
            number(faster),
            number(matched),
            number(slower)
        ),
    };
    let middle = faster_or_slower(estimate);
    let told = match (estimate.difference(), estimate.interval) {
        (Difference::Slower, Some(interval)) => {
            let span = span_of(inverse(interval));
            format!("Task by task, {counts}; in the median {middle} (95 %: {span}).")
        }
        (Difference::Faster, Some(interval)) => {
            format!("Task by task, {counts}; in the median {middle} (95 %: {}).", span_of(interval))
        }
        (Difference::NotTold, Some(interval)) => format!(
            "Task by task, no difference can be told: {counts}; in the median {} as fast (95 %: {}).",
            times(estimate.value),
            span_of(interval)
        ),
        _ => format!("Task by task, {counts}; too few to say more, {LEAST} are the least."),
    };
    match tasks.other {
        0 => told,
        other => format!("{told} Not the same work: {}.", words::counted(other as u64, "task", "tasks")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_signs_and_no_change_has_none() {
        assert_eq!([0.12, -0.48, 0.0, -0.001, 11.0].map(change), ["+12 %", "-48 %", "0 %", "0 %", "12.00×"]);
    }

    #[test]
    fn a_ratio_near_1_is_told_from_it_and_has_no_more_digits_than_that() {
        let told = [1.0, 0.999_92, 1.000_03, 1.000_001, 1.0021, 0.985, 1.93, 120.4].map(times);
        assert_eq!(told, ["1×", "0.9999×", "1.00003×", "1×", "1.0021×", "0.985×", "1.93×", "120×"]);
    }

    #[test]
    fn small_numbers_have_digits_that_count() {
        let told = [0.0, 0.000_01, 0.000_191, 0.003_07, 0.0307, 0.307, 4.871, 120.4].map(number);
        assert_eq!(told, ["0.00", "<0.0001", "0.0002", "0.0031", "0.031", "0.31", "4.87", "120"]);
    }

    #[test]
    fn definitions_fit_a_line() {
        for (term, definition) in DEFINITIONS {
            assert!(definition.chars().count() <= 100, "{term}: {}", definition.chars().count());
        }
    }
}
