//! A race's runs by executor: what its rounds say together.

use std::time::Duration;

use super::summary::{Comparable, RunSummary};
use crate::event::{ExecutorKind, Round, RunId, Variant};
use crate::model::{Counter, Hue, RaceState};
use crate::stats::{self, Cause, Difference, Estimate, Sample, median_of, ratio_of};

/// What each figure of a race that repeats means, a line each, beside those of all races.
pub const REPEAT_DEFINITIONS: &[(&str, &str)] = &[
    ("round", "each executor runs once in it, in an order that the seed shuffles; warm-ups don't count"),
    ("median wall", "the middle of the wall times of the rounds that count and did every task"),
    ("speedup", "of each round: its sequential wall time ÷ this one's; shown is the median of the rounds"),
    (
        "95 % interval",
        "what the true median lies in 19 times of 20: bootstrap and sign test, the wider; from 6 rounds",
    ),
    (
        "difference",
        "faster or slower than sequential where the speedup’s interval leaves 1 out; else none is told",
    ),
    ("stands out", "beyond 3 deviations (MAD) and 1.5 quartile ranges of its rounds; it still counts"),
    (
        "left out",
        "rounds that count of which not all was done, or not the same work, or which were interrupted",
    ),
    (
        "median run",
        "the one with the median wall time, or that lost most of a counter: the other figures are its",
    ),
];

/// A run that counts and did every task, uninterrupted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeat {
    /// Which round that counts, from 1.
    pub round: u32,
    /// The run.
    pub run: RunId,
    /// Its wall time.
    pub wall: Duration,
    /// Against the sequential run of the same round; none unless that can be compared.
    pub speedup: Option<f64>,
    /// Why it took unusually long or short, if it did.
    pub outlier: Option<Cause>,
}

/// The runs of one executor, which repeat each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The runs' label; in a recording, foreign text.
    pub label: String,
    /// The colour that tells it from the other groups.
    pub hue: Hue,
    /// Who ran the tasks.
    pub executor: ExecutorKind,
    /// How many tasks it could have in progress at once.
    pub workers: u32,
    /// What it does differently from other runs of its executor.
    pub variant: Option<Variant>,
    /// The runs that count and did every task, uninterrupted, in the order of the rounds.
    pub repeats: Vec<Repeat>,
    /// How many runs of rounds that count are over and are not among them.
    pub left_out: usize,
    /// The median wall time in seconds; none before there is one.
    pub wall: Option<Estimate>,
    /// The median of the rounds' speedups; none before there is one.
    pub speedup: Option<Estimate>,
    /// That speedup by worker, 1 is ideal.
    pub efficiency: Option<f64>,
    /// The run whose other figures stand for the group: the one with the median wall time, or of the middle two
    /// the shorter; where a counter is shared, the one that lost the most. Before any can be compared, the last
    /// that started.
    pub typical: RunId,
}

impl Group {
    fn of(race: &RaceState, runs: &[RunSummary], ids: &[RunId]) -> Option<Group> {
        let figures = |id: RunId| runs.get(id.index());
        let plan = figures(*ids.first()?)?;
        let (mut repeats, mut left_out) = (Vec::new(), 0);
        let (mut bases, mut paired) = (Vec::new(), Vec::new());
        for &run in ids {
            let Some((of, Round::Counted(round))) = figures(run).map(|of| (of, of.round)) else { continue };
            match of.wall.filter(|_| of.comparable.is_of_all_tasks()) {
                Some(wall) => {
                    repeats.push(Repeat { round, run, wall, speedup: of.speedup, outlier: None });
                    let base = race.baseline_of(run).filter(|base| base.is_comparable());
                    if let Some(base) = base.and_then(|base| base.wall()) {
                        bases.push(base.as_secs_f64());
                        paired.push(wall.as_secs_f64());
                    }
                }
                None => left_out += usize::from(of.wall.is_some()),
            }
        }
        let seed = race.plan().seed;
        let walls: Vec<f64> = repeats.iter().map(|repeat| repeat.wall.as_secs_f64()).collect();
        // Luck in some of the rounds is no speedup.
        let right = |repeat: &Repeat| figures(repeat.run).is_some_and(|of| of.comparable == Comparable::Yes);
        let speedup = ratio_of(&bases, &paired, seed).filter(|_| repeats.iter().all(right));
        let typical = typical(&repeats, runs).or_else(|| {
            let started =
                |id: &&RunId| race.runs().get(id.index()).is_some_and(|run| run.started().is_some());
            ids.iter().rfind(started).or(ids.first()).copied()
        })?;
        Some(Group {
            label: plan.label.clone(),
            hue: plan.hue,
            executor: plan.executor.clone(),
            workers: plan.workers,
            variant: plan.variant,
            repeats,
            left_out,
            wall: median_of(&walls, seed),
            speedup,
            efficiency: speedup.and_then(|speedup| stats::efficiency(speedup.value, plan.workers)),
            typical,
        })
    }

    /// Whether the others are measured against it.
    pub fn is_baseline(&self) -> bool {
        self.executor == ExecutorKind::Sequential
    }

    /// The median wall time.
    pub fn median(&self) -> Option<Duration> {
        self.wall.and_then(|wall| Duration::try_from_secs_f64(wall.value).ok())
    }

    /// The shortest and the longest wall time.
    pub fn extremes(&self) -> Option<(Duration, Duration)> {
        let walls = || self.repeats.iter().map(|repeat| repeat.wall);
        walls().min().zip(walls().max())
    }

    /// What its rounds say about it and the sequential runs; none for those themselves, and without any.
    pub fn difference(&self) -> Option<Difference> {
        self.speedup.filter(|_| !self.is_baseline()).map(|speedup| speedup.difference())
    }

    /// The repeats that stand out, each with the likely cause.
    pub fn outliers(&self) -> impl Iterator<Item = (&Repeat, Cause)> {
        self.repeats.iter().filter_map(|repeat| Some((repeat, repeat.outlier?)))
    }

    fn wall_in(&self, round: u32) -> Option<f64> {
        let place = self.repeats.binary_search_by_key(&round, |repeat| repeat.round).ok()?;
        Some(self.repeats[place].wall.as_secs_f64())
    }
}

/// The run with the median wall time; where a counter is shared, the one that lost the most.
fn typical(repeats: &[Repeat], runs: &[RunSummary]) -> Option<RunId> {
    let lost =
        |repeat: &&Repeat| runs.get(repeat.run.index()).and_then(|run| run.counter).map_or(0, Counter::lost);
    if let Some(worst) = repeats.iter().max_by_key(lost).filter(|worst| lost(worst) > 0) {
        return Some(worst.run);
    }
    let mut sorted: Vec<&Repeat> = repeats.iter().collect();
    sorted.sort_by_key(|repeat| repeat.wall);
    sorted.get(sorted.len().checked_sub(1)? / 2).map(|repeat| repeat.run)
}

/// The groups of a race, in the order of its executors, from the figures of its runs.
pub(super) fn groups(race: &RaceState, runs: &[RunSummary]) -> Vec<Group> {
    let rounds = race.rounds();
    let of = |group| Group::of(race, runs, rounds.group(group));
    let mut groups: Vec<Group> = (0..rounds.groups()).filter_map(of).collect();
    for group in &mut groups {
        // A recording may number its rounds as it likes.
        group.repeats.sort_by_key(|repeat| repeat.round);
    }
    mark_outliers(race, runs, &mut groups);
    groups
}

/// Looks for runs that stand out, in the rounds that every group did which did any: a round that was slow for all
/// is known by its place.
fn mark_outliers(race: &RaceState, runs: &[RunSummary], groups: &mut [Group]) {
    let first = |run: RunId| {
        let group = race.rounds().group_of(run);
        group.is_some_and(|group| race.rounds().group(group).first() == Some(&run))
    };
    let counted: Vec<usize> = (0..groups.len()).filter(|&group| !groups[group].repeats.is_empty()).collect();
    let Some(&some) = counted.first() else { return };
    let everywhere = |round: &u32| counted.iter().all(|&group| groups[group].wall_in(*round).is_some());
    let rounds: Vec<u32> =
        groups[some].repeats.iter().map(|repeat| repeat.round).filter(everywhere).collect();
    let sample = |repeat: &Repeat| Sample {
        seconds: repeat.wall.as_secs_f64(),
        retries: runs.get(repeat.run.index()).map_or(0, |run| run.counts.retries),
        first: first(repeat.run),
    };
    let of_group = |&group: &usize| -> Vec<Sample> {
        let common = |repeat: &&Repeat| rounds.binary_search(&repeat.round).is_ok();
        groups[group].repeats.iter().filter(common).map(sample).collect()
    };
    let samples: Vec<Vec<Sample>> = counted.iter().map(of_group).collect();
    let samples: Vec<&[Sample]> = samples.iter().map(Vec::as_slice).collect();
    for (&group, found) in counted.iter().zip(stats::outliers(&samples)) {
        for outlier in found {
            let round = rounds.get(outlier.index).copied();
            let repeat = groups[group].repeats.iter_mut().find(|repeat| Some(repeat.round) == round);
            if let Some(repeat) = repeat {
                repeat.outlier = Some(outlier.cause);
            }
        }
    }
}

/// The place of the group with the highest speedup beside the sequential one, or where there is none, with the
/// shortest wall time.
pub(super) fn best(groups: &[Group]) -> Option<usize> {
    let figure = |group: &Group| match group.speedup {
        Some(speedup) => Some(speedup.value),
        None => group.wall.map(|wall| -wall.value),
    };
    let others = groups.iter().enumerate().filter(|(_, group)| !group.is_baseline());
    let others = others.filter_map(|(place, group)| Some((place, figure(group)?)));
    others.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
}

/// The places of the groups that can't be told from the best one by the rounds that both did.
pub(super) fn level_with_best(groups: &[Group], seed: u64) -> Vec<usize> {
    let Some(best) = best(groups) else { return Vec::new() };
    let told = |other: &Group| {
        let pairs = groups[best].repeats.iter();
        let pairs =
            pairs.filter_map(|repeat| Some((repeat.wall.as_secs_f64(), other.wall_in(repeat.round)?)));
        let (best, other): (Vec<f64>, Vec<f64>) = pairs.unzip();
        ratio_of(&best, &other, seed).map(|ratio| ratio.difference())
    };
    let level = |place: &usize| {
        *place != best && !groups[*place].is_baseline() && told(&groups[*place]) == Some(Difference::NotTold)
    };
    (0..groups.len()).filter(level).collect()
}
