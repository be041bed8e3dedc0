//! What a race that repeats showed, in sentences that follow from its groups' intervals.

use super::cause::{limit, overlap};
use super::groups::{Group, best};
use super::summary::{Comparable, Reason, RunSummary, Summary};
use super::verdict::{joined, was, who};
use super::words::{
    capital, count, listed, ratio, ratio_within, rounds, seconds, seconds_of, seconds_within,
};
use crate::stats::{Difference, Estimate};
use crate::text::fit;

/// What happened in plain words, for a race whose runs are over.
pub(super) fn verdict(summary: &Summary) -> String {
    let Some(fastest) = best(&summary.groups).map(|place| &summary.groups[place]) else {
        return match summary.groups.iter().find(|group| group.wall.is_some()) {
            Some(alone) => joined(time_of(summary, alone), [hindrance(summary)]),
            None => joined(
                "No run did all of its tasks, so nothing can be compared.".to_owned(),
                [hindrance(summary)],
            ),
        };
    };
    let Some(run) = summary.runs.get(fastest.typical.index()) else { return String::new() };
    let baseline = summary.groups.iter().find(|group| group.is_baseline());
    let (Some(speedup), Some(baseline)) = (fastest.speedup, baseline) else {
        let first = time_of(summary, fastest);
        let why_not = "Without a sequential run there is no speedup to tell.".to_owned();
        return joined(first, [why_not, level(summary), hindrance(summary)]);
    };
    // No "became": the median of the rounds' speedups is not the quotient of the median times.
    let medians = match (baseline.median(), fastest.median()) {
        (Some(before), Some(after)) => format!("; median times: {} and {}", seconds(before), seconds(after)),
        _ => String::new(),
    };
    let (who, were) = (who(run), was(run));
    let of = of_rounds(speedup);
    let sequential = summary.runs.get(baseline.typical.index());
    let limit = || sequential.map_or_else(String::new, |one| limit(one, run, summary));
    let times = ratio(speedup.value);
    match speedup.difference() {
        Difference::Faster => {
            let first =
                format!("In the median round, {who} {were} {times}× as fast as one worker ({of}){medians}.");
            let why = match fastest.efficiency {
                Some(efficiency) if efficiency < super::verdict::LIMITED => limit(),
                _ => overlap(run, summary),
            };
            joined(first, [hindrance(summary), level(summary), why])
        }
        Difference::Slower => {
            let others = summary.groups.iter().filter(|group| group.speedup.is_some()).count() > 2;
            let which = if others { ", the fastest of the others," } else { "" };
            let subject = capital(&who);
            let first = format!(
                "{subject}{which} {were} slower than one worker: {times}× as fast in the median round ({of})."
            );
            joined(first, [hindrance(summary), limit()])
        }
        Difference::NotTold => {
            let first = format!(
                "No difference can be told between {who} and one worker: {times}× as fast in the median round ({of})."
            );
            joined(first, [hindrance(summary), limit()])
        }
        Difference::TooFew => {
            let first =
                format!("In the median of {of}, {who} {were} {times}× as fast as one worker{medians}.");
            let few = format!("It takes {} to tell that from chance.", rounds(crate::stats::LEAST));
            joined(first, [few, hindrance(summary)])
        }
    }
}

/// `4.80–5.02, 10 rounds`.
fn of_rounds(estimate: Estimate) -> String {
    match ratio_within(estimate) {
        Some(within) => format!("{within}, {}", rounds(estimate.samples)),
        None => rounds(estimate.samples),
    }
}

/// `One worker did 20 pictures in 10.02 s, the median of 10 rounds (9.98–10.10 s).`
fn time_of(summary: &Summary, group: &Group) -> String {
    let Some((run, wall)) = summary.runs.get(group.typical.index()).zip(group.wall) else {
        return String::new();
    };
    let within = seconds_within(wall).map_or_else(String::new, |within| format!(" ({within})"));
    let median = seconds_of(wall);
    let of = rounds(wall.samples);
    format!("{} did {} in {median}, the median of {of}{within}.", capital(&who(run)), summary.work())
}

/// Which executors can't be told from the fastest.
fn level(summary: &Summary) -> String {
    let labels = summary.level.iter().filter_map(|&place| summary.groups.get(place));
    let labels: Vec<String> = labels.map(|group| fit(&group.label, 16)).collect();
    if labels.is_empty() {
        return String::new();
    }
    let all = [vec!["it".to_owned()], labels].concat();
    format!("No difference can be told between {}.", listed(&all))
}

/// Which runs can't be compared, and why the first of them can't; empty when all can.
fn hindrance(summary: &Summary) -> String {
    let begun = |run: &&RunSummary| run.comparable.reason() != Some(&Reason::NotStarted);
    let mut hindered = summary.runs.iter().filter(begun).filter(|run| run.comparable != Comparable::Yes);
    let Some(first) = hindered.next() else { return String::new() };
    let why = |run: &RunSummary| {
        let reason = run.comparable.reason().map_or_else(String::new, ToString::to_string);
        format!("{} can't be compared ({})", capital(&fit(&summary.name(run), 40)), fit(&reason, 60))
    };
    match hindered.count() {
        0 => format!("{}.", why(first)),
        more => format!("{}; {} more can't either.", why(first), count(more as u64)),
    }
}
