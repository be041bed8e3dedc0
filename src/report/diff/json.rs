//! A comparison as JSON; `assets/diff.schema.json` describes it.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::event::{ExecutorKind, Machine, Order};
use crate::model::RaceState;
use crate::report::json::Visible;
use crate::stats::compare::{Difference, Estimate};

use super::{Both, Diff, Fate, Figure, Moved, Pair, Unit, tasks_words, wall_words};

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    version: u32,
    a: Race<'a>,
    b: Race<'a>,
    unlike: Vec<String>,
    runs: Vec<Run<'a>>,
    only_a: &'a [String],
    only_b: &'a [String],
}

#[derive(Serialize)]
struct Race<'a> {
    name: &'a str,
    scenario: &'a str,
    seed: u64,
    time_scale: f64,
    order: Order,
    tasks: usize,
    machine: &'a Machine,
}

#[derive(Serialize)]
struct Run<'a> {
    label: &'a str,
    executor: &'a ExecutorKind,
    wall_seconds: Sides<Option<f64>>,
    rounds: Sides<usize>,
    wall_ratio: Option<Ratio>,
    words: String,
    figures: Vec<FigureRow>,
    tasks: Tasks<'a>,
}

#[derive(Serialize)]
struct Sides<T> {
    a: T,
    b: T,
}

impl<T> From<Both<T>> for Sides<T> {
    fn from(both: Both<T>) -> Sides<T> {
        Sides { a: both.a, b: both.b }
    }
}

#[derive(Serialize)]
struct Ratio {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    samples: usize,
    difference: &'static str,
}

impl Ratio {
    fn of(estimate: Estimate) -> Ratio {
        Ratio {
            value: estimate.value,
            low: estimate.interval.map(|interval| interval.low),
            high: estimate.interval.map(|interval| interval.high),
            samples: estimate.samples,
            difference: match estimate.difference() {
                Difference::Faster => "faster",
                Difference::Slower => "slower",
                Difference::NotTold => "not_told",
                Difference::TooFew => "too_few",
            },
        }
    }
}

#[derive(Serialize)]
struct FigureRow {
    name: &'static str,
    unit: &'static str,
    a: Option<f64>,
    b: Option<f64>,
    change: Option<f64>,
}

#[derive(Serialize)]
struct Tasks<'a> {
    done_in_both: usize,
    not_the_same: usize,
    faster: usize,
    slower: usize,
    ratio: Option<Ratio>,
    words: String,
    moved: Vec<MovedRow<'a>>,
    more_moved: usize,
}

#[derive(Serialize)]
struct MovedRow<'a> {
    name: &'a str,
    a: FateRow,
    b: FateRow,
    longer_seconds: Option<f64>,
}

#[derive(Serialize)]
struct FateRow {
    outcome: &'static str,
    latency_seconds: Option<f64>,
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "seconds",
        Unit::Times => "times",
        Unit::Share => "share",
        Unit::ASecond => "per_second",
        Unit::BytesASecond => "bytes_per_second",
        Unit::Bytes => "bytes",
        Unit::Count | Unit::Number => "number",
    }
}

fn fate(fate: Fate) -> FateRow {
    match fate {
        Fate::Done(latency) => {
            FateRow { outcome: "done", latency_seconds: Some(latency.as_nanos() as f64 / 1e9) }
        }
        Fate::Not(stage) => FateRow { outcome: stage.name(), latency_seconds: None },
    }
}

fn moved(moved: &Moved) -> MovedRow<'_> {
    MovedRow {
        name: &moved.name,
        a: fate(moved.fate.a),
        b: fate(moved.fate.b),
        longer_seconds: moved.change().map(|(longer, _)| longer),
    }
}

fn figure(pair: &Pair, figure: &Figure) -> FigureRow {
    let Both { a, b } = figure.value;
    FigureRow { name: figure.name, unit: unit(figure.unit), a, b, change: pair.change(figure) }
}

fn run(pair: &Pair) -> Run<'_> {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_nanos() as f64 / 1e9);
    let tasks = &pair.tasks;
    Run {
        label: &pair.label,
        executor: &pair.executor,
        wall_seconds: pair.wall.median.map(seconds).into(),
        rounds: pair.wall.rounds.into(),
        wall_ratio: pair.wall.ratio().map(Ratio::of),
        words: wall_words(pair),
        figures: pair.figures.iter().map(|of| figure(pair, of)).collect(),
        tasks: Tasks {
            done_in_both: tasks.matched,
            not_the_same: tasks.other,
            faster: tasks.faster,
            slower: tasks.slower,
            ratio: tasks.ratio.map(Ratio::of),
            words: tasks_words(tasks),
            moved: tasks.moved.iter().map(moved).collect(),
            more_moved: tasks.more,
        },
    }
}

fn race<'a>(race: &'a RaceState, name: &'a str) -> Race<'a> {
    let plan = race.plan();
    Race {
        name,
        scenario: &plan.scenario,
        seed: plan.seed,
        time_scale: plan.time_scale.factor(),
        order: plan.order,
        tasks: plan.tasks.len(),
        machine: &plan.machine,
    }
}

pub(super) fn write(
    diff: &Diff,
    races: Both<&RaceState>,
    names: Both<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let report = Report {
        format: "threadrace-diff",
        version: 1,
        a: race(races.a, names.a),
        b: race(races.b, names.b),
        unlike: diff.unlike.iter().map(ToString::to_string).collect(),
        runs: diff.pairs.iter().map(run).collect(),
        only_a: &diff.only.a,
        only_b: &diff.only.b,
    };
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Visible))?;
    out.write_all(b"\n")
}
