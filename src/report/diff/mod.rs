//! Two races side by side: what got faster, by how much, whether the difference is real, which tasks moved.
//!
//! # What can be told
//!
//! The runs of the two races are paired by their labels, and ratios are always A's time ÷ B's: above 1, B was the
//! faster one.
//!
//! - **Wall time, of repeated runs**: the ratio of the two medians. Its interval at 95 % goes from the lower end
//!   of A's by the upper end of B's to the upper end of A's by the lower end of B's, each being the interval of
//!   that side's median ([`median_of`]). It is wide, for nothing that the two sides have in common cancels out:
//!   they ran at other times, and whatever changed between them is taken for a difference.
//! - **Wall time, of single runs**: their ratio, and nothing about luck.
//! - **Tasks**: the same tasks, matched by name, are pairs; the median of their latencies' ratios has the
//!   interval of [`median_of`], for single runs as well. It tells of these runs alone: the tasks of a run share
//!   its machine and its network, so the next runs may differ by more.

mod json;
mod tasks;
mod unlike;
mod words;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use tasks::{Fate, Moved, Tasks};
pub use unlike::Unlike;
pub use words::{DEFINITIONS, change, span_of, tasks_words, times, wall_words};
pub use written::{DiffFormat, moved_row, write};

use crate::event::{ExecutorKind, Round, RunId, WorkloadKind};
use crate::model::{RaceState, as_much};
use crate::stats::compare::{Estimate, Interval, median_of};
use crate::stats::{self, Spread};
use crate::text::fit;

use super::summary::{RunSummary, Summary, comparable};
use super::words::{bytes, bytes_apart, count, percent, ratio, seconds};
use tasks::Matching;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that was named first.
    A,
    /// The one that was named second.
    B,
}

/// Something of each of the two.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Both<T> {
    /// A's.
    pub a: T,
    /// B's.
    pub b: T,
}

impl<T> Both<T> {
    /// What `make` makes of each.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Both<U> {
        Both { a: make(self.a), b: make(self.b) }
    }

    /// References to the two.
    pub fn as_ref(&self) -> Both<&T> {
        Both { a: &self.a, b: &self.b }
    }

    /// That of one side.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

impl<T> Both<Option<T>> {
    /// The two, where both are there.
    pub fn zip(self) -> Option<(T, T)> {
        self.a.zip(self.b)
    }
}

/// Two races, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// In what the two are not the same; what is compared may come from that.
    pub unlike: Vec<Unlike>,
    /// The runs that both have, in A's order.
    pub pairs: Vec<Pair>,
    /// The labels of the runs that only one has.
    pub only: Both<Vec<String>>,
}

/// A run that both races have.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its label.
    pub label: String,
    /// Who ran the tasks, in A.
    pub executor: ExecutorKind,
    /// The runs of each: one, or a round each.
    pub runs: Both<Vec<RunId>>,
    /// How many tasks it could have in progress at once.
    pub workers: Both<u32>,
    /// Its wall times.
    pub wall: Wall,
    /// Its other figures; where a side has several rounds, their medians.
    pub figures: Vec<Figure>,
    /// Its tasks.
    pub tasks: Tasks,
}

impl Pair {
    /// How much more B's is than A's of one of its figures, as a share of A's; none where that is not defined, and
    /// between runs that did not do the same work.
    pub fn change(&self, figure: &Figure) -> Option<f64> {
        let (a, b) = figure.value.zip().filter(|_| !self.wall.is_of_other_work())?;
        (a > 0.0).then(|| b / a - 1.0)
    }
}

/// The wall times of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Wall {
    /// The median of the rounds that count and can be compared; none without any.
    pub median: Both<Option<Duration>>,
    /// How many rounds those are.
    pub rounds: Both<usize>,
    /// A's by B's.
    pub compared: Result<Estimate, NoRatio>,
}

/// Why a wall time of A is not divided by one of B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRatio {
    /// A side has no round that can be compared; why, in words.
    Hindered(Both<Option<String>>),
    /// The tasks do other things: what each side's do, in words.
    OtherWork(Both<String>),
    /// Not all tasks are in both races.
    OtherTasks,
    /// The tasks of one side brought more than those of the other: so many bytes.
    OtherBytes(Both<u64>),
    /// That side took no time at all.
    NoTime(Side),
}

impl fmt::Display for NoRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRatio::Hindered(why) => {
                let side =
                    |side: &str, reason: &Option<String>| Some(format!("{side}: {}", reason.as_ref()?));
                let both = [side("A", &why.a), side("B", &why.b)];
                f.write_str(&both.into_iter().flatten().collect::<Vec<String>>().join("; "))
            }
            NoRatio::OtherWork(Both { a, b }) => {
                write!(f, "It is not the same work. A: {}; B: {}", fit(a, 60), fit(b, 60))
            }
            NoRatio::OtherTasks => f.write_str("Not all tasks are in both: it is not the same work"),
            NoRatio::OtherBytes(Both { a, b }) => {
                let [a, b] = bytes_apart(*a, *b);
                write!(f, "A brought {a} and B {b}: it is not the same work")
            }
            NoRatio::NoTime(side) => write!(f, "{side:?} took no time"),
        }
    }
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Times as much.
    Times,
    /// A share of one.
    Share,
    /// Something a second.
    ASecond,
    /// Bytes a second.
    BytesASecond,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
    /// A number with decimals.
    Number,
}

/// A figure of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Its name, which the definitions of every report explain.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Each side's; none where it is not known.
    pub value: Both<Option<f64>>,
}

impl Figure {
    /// One side's in words; a dash where it is not known.
    pub fn words(&self, side: Side) -> String {
        let Some(value) = *self.value.of(side) else { return "-".to_owned() };
        let whole = value.round().max(0.0) as u64;
        match self.unit {
            Unit::Seconds => seconds(Duration::try_from_secs_f64(value).unwrap_or_default()),
            Unit::Times => format!("{}×", ratio(value)),
            Unit::Share => percent(value),
            Unit::ASecond | Unit::Number => words::number(value),
            Unit::BytesASecond => format!("{}/s", bytes(whole)),
            Unit::Bytes => bytes(whole),
            Unit::Count => count(whole),
        }
    }
}

/// What a run figures as, and how it is read from a summary.
type Reading = (&'static str, Unit, fn(&RunSummary) -> Option<f64>);

const FIGURES: [Reading; 11] = [
    ("mean", Unit::Seconds, |run| Some(run.latency?.mean.as_secs_f64())),
    ("p50", Unit::Seconds, |run| Some(run.latency?.p50.as_secs_f64())),
    ("p95", Unit::Seconds, |run| Some(run.latency?.p95.as_secs_f64())),
    ("max", Unit::Seconds, |run| Some(run.latency?.max.as_secs_f64())),
    ("tasks/s", Unit::ASecond, |run| run.tasks_per_second),
    ("throughput", Unit::BytesASecond, |run| run.bytes_per_second.filter(|_| run.bytes > 0)),
    ("peak concurrency", Unit::Count, |run| Some(f64::from(run.peak_concurrency))),
    ("cpu time", Unit::Seconds, |run| Some(run.cpu?.all().as_secs_f64())),
    ("processors", Unit::Number, |run| run.processors),
    ("memory", Unit::Bytes, |run| Some(run.peak_memory? as f64)),
    ("not done", Unit::Count, |run| Some(f64::from(run.counts.not_done()))),
];

/// The runs of a race that count, by label.
fn by_label(race: &RaceState) -> Vec<(String, Vec<RunId>)> {
    let mut labels: Vec<(String, Vec<RunId>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, run) in race.runs().iter().enumerate() {
        if matches!(run.plan().round, Round::Warmup(_)) {
            continue;
        }
        let place = *places.entry(&run.plan().label).or_insert_with(|| {
            labels.push((run.plan().label.clone(), Vec::new()));
            labels.len() - 1
        });
        labels[place].1.push(RunId::of(id));
    }
    labels
}

impl Diff {
    /// Compares two races as far as they are known.
    pub fn of(a: &RaceState, b: &RaceState) -> Diff {
        let races = Both { a, b };
        let summaries = races.map(|race| Summary::of(race, race.last_moment()));
        let matching = Matching::of(races);
        let (mut pairs, mut only) = (Vec::new(), Both::<Vec<String>>::default());
        let mut of_b = by_label(b);
        for (label, runs_a) in by_label(a) {
            match of_b.iter().position(|(other, _)| *other == label) {
                Some(place) => {
                    let (_, runs_b) = of_b.remove(place);
                    pairs.extend(pair(label, races, &summaries, &matching, Both { a: runs_a, b: runs_b }));
                }
                None => only.a.push(label),
            }
        }
        only.b = of_b.into_iter().map(|(label, _)| label).collect();
        let mut unlike = unlike::found(races, &matching);
        unlike.extend(
            pairs
                .iter()
                .filter(|pair| pair.workers.a != pair.workers.b)
                .map(|pair| Unlike::Workers { label: pair.label.clone(), workers: pair.workers }),
        );
        Diff { unlike, pairs, only }
    }
}

fn pair(
    label: String,
    races: Both<&RaceState>,
    summaries: &Both<Summary>,
    matching: &Matching,
    runs: Both<Vec<RunId>>,
) -> Option<Pair> {
    let seed = races.a.plan().seed;
    let figures_of = |summary: &'_ Summary, runs: &[RunId]| -> Vec<RunSummary> {
        runs.iter().filter_map(|run| summary.runs.get(run.index())).cloned().collect()
    };
    let rows = Both { a: figures_of(&summaries.a, &runs.a), b: figures_of(&summaries.b, &runs.b) };
    let first = rows.a.first().zip(rows.b.first())?;
    let wall = Wall::of(&rows, other_work(races, matching, &rows), seed);
    Some(Pair {
        executor: first.0.executor.clone(),
        workers: Both { a: first.0.workers, b: first.1.workers },
        figures: figures(&rows),
        tasks: Tasks::of(races, matching, &runs, matches!(wall.compared, Err(NoRatio::OtherWork(_))), seed),
        wall,
        label,
        runs,
    })
}

/// Whether another program told of one of two races: then nothing is known of its work but the tasks.
fn is_imported(races: Both<&RaceState>) -> bool {
    [races.a, races.b].iter().any(|race| race.plan().workload == WorkloadKind::Imported)
}

/// In what the work of a pair's runs is not the same. What brings bytes brings as many, to a hundredth as within a
/// race; what does not is told by the plan. How it is done, how fast the server is, and what is guarded by what
/// are conditions, under which the same work may be compared.
fn other_work(races: Both<&RaceState>, matching: &Matching, rows: &Both<Vec<RunSummary>>) -> Option<NoRatio> {
    let plans = races.map(|race| race.plan());
    let kinds = plans.map(|plan| plan.workload);
    let imported = is_imported(races);
    if kinds.a != kinds.b && !imported {
        return Some(NoRatio::OtherWork(kinds.map(|kind| kind.name().to_owned())));
    }
    let is_told = matches!(kinds.a, WorkloadKind::Compute | WorkloadKind::Sleep | WorkloadKind::Crud);
    if is_told && plans.a.source != plans.b.source && !imported {
        return Some(NoRatio::OtherWork(plans.map(|plan| plan.source.clone())));
    }
    let additions = rows.as_ref().map(|rows| comparable(rows).find_map(|run| Some(run.counter?.expected)));
    if let Some((a, b)) = additions.zip().filter(|(a, b)| a != b) {
        let words = |additions| format!("{} additions", count(additions));
        return Some(NoRatio::OtherWork(Both { a, b }.map(words)));
    }
    let only = matching.only();
    if only.a + only.b > 0 {
        return Some(NoRatio::OtherTasks);
    }
    let brought =
        rows.as_ref().map(|rows| Some(median(comparable(rows).map(|run| run.bytes as f64))? as u64));
    let (a, b) = brought.zip().filter(|&(a, b)| !imported && !as_much(a, b))?;
    Some(NoRatio::OtherBytes(Both { a, b }))
}

impl Wall {
    /// Whether the two can't be compared because what was done is not the same.
    pub fn is_of_other_work(&self) -> bool {
        matches!(self.compared, Err(NoRatio::OtherWork(_) | NoRatio::OtherTasks | NoRatio::OtherBytes(_)))
    }

    /// A's by B's; none where that would tell nothing.
    pub fn ratio(&self) -> Option<Estimate> {
        self.compared.as_ref().ok().copied()
    }

    fn of(rows: &Both<Vec<RunSummary>>, other_work: Option<NoRatio>, seed: u64) -> Wall {
        let walls = rows.as_ref().map(|rows| {
            comparable(rows).filter_map(|run| Some(run.wall?.as_secs_f64())).collect::<Vec<f64>>()
        });
        let median = walls.as_ref().map(|walls| median_of(walls, seed));
        let hindered = || {
            let why = |rows: &Vec<RunSummary>, walls: &Vec<f64>| {
                let reason = rows.iter().find_map(|run| run.comparable.reason());
                reason.filter(|_| walls.is_empty()).map(ToString::to_string)
            };
            NoRatio::Hindered(Both { a: why(&rows.a, &walls.a), b: why(&rows.b, &walls.b) })
        };
        let compared = median.zip().ok_or_else(hindered).and_then(|(a, b)| match other_work {
            Some(other_work) => Err(other_work),
            None => quotient(a, b),
        });
        let time = |estimate: Estimate| Duration::try_from_secs_f64(estimate.value).ok();
        Wall {
            median: median.map(|median| median.and_then(time)),
            rounds: walls.as_ref().map(|walls| walls.len()),
            compared,
        }
    }
}

/// One median by another that has nothing in common with it.
fn quotient(a: Estimate, b: Estimate) -> Result<Estimate, NoRatio> {
    for (side, of) in [(Side::A, a), (Side::B, b)] {
        if of.value <= 0.0 {
            return Err(NoRatio::NoTime(side));
        }
    }
    let interval = a.interval.zip(b.interval).filter(|(_, b)| b.low > 0.0);
    let interval = interval.map(|(a, b)| Interval { low: a.low / b.high, high: a.high / b.low });
    let samples = a.samples.min(b.samples);
    Ok(Estimate { value: a.value / b.value, interval, samples })
}

/// The figures of a pair, each the median of the rounds that count.
fn figures(rows: &Both<Vec<RunSummary>>) -> Vec<Figure> {
    let speedups = rows.as_ref().map(|rows| median(comparable(rows).filter_map(|run| run.speedup)));
    let efficiency =
        |speedup: Option<f64>, rows: &[RunSummary]| stats::efficiency(speedup?, rows.first()?.workers);
    let efficiencies = Both { a: efficiency(speedups.a, &rows.a), b: efficiency(speedups.b, &rows.b) };
    let derived = [("speedup", Unit::Times, speedups), ("efficiency", Unit::Share, efficiencies)];
    let derived = derived.map(|(name, unit, value)| Figure { name, unit, value });
    let read = FIGURES.iter().map(|&(name, unit, read): &Reading| {
        let value = rows.as_ref().map(|rows| median(rows.iter().filter_map(read)));
        Figure { name, unit, value }
    });
    let known = |figure: &Figure| figure.value.a.is_some() || figure.value.b.is_some();
    derived.into_iter().chain(read).filter(known).collect()
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    Spread::of(&values.collect::<Vec<f64>>()).map(|spread| spread.median)
}
