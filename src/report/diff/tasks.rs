//! The tasks of two races that are the same work, and which of them moved.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{RunId, TaskId};
use crate::model::{RaceState, Stage, as_much};
use crate::stats::compare::{Estimate, median_of};
use crate::stats::mean;

use super::{Both, is_imported};

/// How many tasks that moved are kept of a pair.
const MOVED: usize = 100;

/// How often one task took how many times as long counts at most, where it took no time at all on one side.
const MOST_RATIO: f64 = 1e9;

/// Which task of one race is which of the other: the one with the same name; among those with one name, the
/// one in the same place.
pub(super) struct Matching {
    pairs: Vec<Both<TaskId>>,
    only: Both<usize>,
}

impl Matching {
    pub(super) fn of(races: Both<&RaceState>) -> Matching {
        let mut places: HashMap<(&str, usize), TaskId> = HashMap::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (id, task) in races.b.plan().tasks.iter().enumerate() {
            let times = seen.entry(&task.name).or_default();
            places.insert((&task.name, *times), TaskId::of(id));
            *times += 1;
        }
        let mut pairs = Vec::new();
        seen.clear();
        for (id, task) in races.a.plan().tasks.iter().enumerate() {
            let times = seen.entry(&task.name).or_default();
            if let Some(&b) = places.get(&(task.name.as_str(), *times)) {
                pairs.push(Both { a: TaskId::of(id), b });
            }
            *times += 1;
        }
        let only = races.map(|race| race.plan().tasks.len() - pairs.len());
        Matching { pairs, only }
    }

    pub(super) fn pairs(&self) -> &[Both<TaskId>] {
        &self.pairs
    }

    /// How many tasks each race has alone.
    pub(super) fn only(&self) -> Both<usize> {
        self.only
    }
}

/// What became of a task on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was done; where there are rounds, in this median time.
    Done(Duration),
    /// It was not done, or not in every round.
    Not(Stage),
}

impl Fate {
    /// How long it took, where it was done.
    pub fn latency(self) -> Option<Duration> {
        match self {
            Fate::Done(latency) => Some(latency),
            Fate::Not(_) => None,
        }
    }
}

/// A task that took another time in B than in A, or was done in one of them alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its name; foreign text.
    pub name: String,
    /// What became of it.
    pub fate: Both<Fate>,
}

impl Moved {
    /// How many seconds longer it took in B, and how many times as long it took in A as in B; none where it
    /// was not done in both.
    pub fn change(&self) -> Option<(f64, f64)> {
        let (a, b) = self.fate.map(Fate::latency).zip()?;
        Some((b.as_secs_f64() - a.as_secs_f64(), times(a, b)))
    }

    /// How far it moved: by how long and by how many times, multiplied, so that neither a long task that
    /// hardly changed nor a short one that changed by nothing comes first. Most of all where it was done in one
    /// race alone.
    fn far(&self) -> f64 {
        self.change().map_or(f64::INFINITY, |(longer, times)| longer.abs() * times.ln().abs())
    }
}

fn times(a: Duration, b: Duration) -> f64 {
    let (a, b) = (a.as_secs_f64(), b.as_secs_f64());
    match (a > 0.0, b > 0.0) {
        (true, true) => (a / b).clamp(1.0 / MOST_RATIO, MOST_RATIO),
        (true, false) => MOST_RATIO,
        (false, true) => 1.0 / MOST_RATIO,
        (false, false) => 1.0,
    }
}

/// The tasks of a pair of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tasks {
    /// How many were done in both, and are the same work.
    pub matched: usize,
    /// How many of those took less time in B.
    pub faster: usize,
    /// How many took more.
    pub slower: usize,
    /// How many were done in both under one name, and are not the same work.
    pub other: usize,
    /// The median of their ratios, A's latency ÷ B's; none where there are none.
    pub ratio: Option<Estimate>,
    /// The mean latency of those that were done in both.
    pub mean: Both<Option<Duration>>,
    /// Those that moved, the farthest first; at most 100.
    pub moved: Vec<Moved>,
    /// How many more moved.
    pub more: usize,
}

impl Tasks {
    pub(super) fn of(
        races: Both<&RaceState>,
        matching: &Matching,
        runs: &Both<Vec<RunId>>,
        is_other_work: bool,
        seed: u64,
    ) -> Tasks {
        let mut moved = Vec::new();
        let (mut ratios, mut latencies) = (Vec::new(), Both::<Vec<Duration>>::default());
        let (mut faster, mut slower, mut other) = (0, 0, 0);
        let known = !is_imported(races);
        let brought_other = |pair: &Both<TaskId>| {
            let brought = Both { a: bytes(races.a, &runs.a, pair.a), b: bytes(races.b, &runs.b, pair.b) };
            known && brought.zip().is_some_and(|(a, b)| !as_much(a, b))
        };
        for pair in matching.pairs() {
            let fate = Both { a: fate(races.a, &runs.a, pair.a), b: fate(races.b, &runs.b, pair.b) };
            let done = fate.map(Fate::latency).zip();
            if is_other_work || done.is_some() && brought_other(pair) {
                other += usize::from(done.is_some());
                continue;
            }
            if let Some((a, b)) = done {
                faster += usize::from(b < a);
                slower += usize::from(b > a);
                ratios.push(times(a, b));
                latencies.a.push(a);
                latencies.b.push(b);
            }
            if fate.a != fate.b {
                moved.push((*pair, fate));
            }
        }
        let name = |pair: Both<TaskId>| {
            races.a.plan().tasks.get(pair.a.index()).map_or_else(String::new, |task| task.name.clone())
        };
        let far = |fate: Both<Fate>| Moved { name: String::new(), fate }.far();
        moved.sort_by(|(_, one), (_, other)| far(*other).total_cmp(&far(*one)));
        let more = moved.len().saturating_sub(MOVED);
        let kept = moved.into_iter().take(MOVED);
        Tasks {
            matched: ratios.len(),
            faster,
            slower,
            other,
            ratio: median_of(&ratios, seed),
            mean: latencies.as_ref().map(|latencies| mean(latencies)),
            moved: kept.map(|(pair, fate)| Moved { name: name(pair), fate }).collect(),
            more,
        }
    }
}

/// What a task brought in the first of some runs.
fn bytes(race: &RaceState, runs: &[RunId], task: TaskId) -> Option<u64> {
    Some(race.runs().get(runs.first()?.index())?.tasks().get(task.index())?.bytes)
}

fn fate(race: &RaceState, runs: &[RunId], task: TaskId) -> Fate {
    let mut latencies = Vec::with_capacity(runs.len());
    for run in runs.iter().filter_map(|run| race.runs().get(run.index())) {
        match run.tasks().get(task.index()) {
            Some(state) if state.stage == Stage::Done => {
                latencies.extend(state.latency(race.last_moment()));
            }
            Some(state) => return Fate::Not(state.stage),
            None => return Fate::Not(Stage::Planned),
        }
    }
    latencies.sort_unstable();
    let middle = latencies.len() / 2;
    match (latencies.get(middle), latencies.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if latencies.len().is_multiple_of(2) => Fate::Done((*upper + *lower) / 2),
        (Some(median), _) => Fate::Done(*median),
        (None, _) => Fate::Not(Stage::Planned),
    }
}
