//! What more workers bought: the points of a race that sweeps, the laws fitted to them, the knee, and why it
//! is where it is.

mod axes;
mod svg;
mod why;
mod words;

use std::time::Duration;

use crate::event::{At, ExecutorKind, Order, RacePlan, Round, RunId, Variant};
use crate::model::{RaceState, RunState, Stage};
use crate::stats::scaling::{Amdahl, Knee, Point, ScheduleBound, Usl, karp_flatt, knee};
use crate::stats::{self, Spread};

use super::summary::{RunSummary, comparable};

pub use axes::Scale;
pub use svg::scaling_svg;
pub use why::Why;
pub use words::{
    SCALING_DEFINITIONS, coherency_words, contention_words, knee_words, limit_words, peak_words,
    residual_words, serial_words,
};

/// A curve through fewer numbers of workers says nothing.
const LEAST_STEPS: usize = 3;

/// The runs of a race that sweeps: beside sequential ones, all its runs are of one executor, and only their
/// workers tell them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// Who has more and more workers.
    pub executor: ExecutorKind,
    /// What that executor does differently.
    pub variant: Option<Variant>,
    /// The sequential runs that count; never empty.
    pub baseline: Vec<RunId>,
    /// In ascending order of workers; three at least.
    pub steps: Vec<Step>,
}

/// The runs of a sweep that have as many workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many tasks they can have in progress at once.
    pub workers: u32,
    /// The runs that count, in the order of the plan; never empty.
    pub runs: Vec<RunId>,
}

impl Sweep {
    /// The sweep that a race is; none where it is none, for which there must be a sequential run, and runs of
    /// one executor with three numbers of workers or more that follow each other.
    pub fn of(plan: &RacePlan) -> Option<Sweep> {
        let swept = plan.runs.iter().find(|run| run.executor != ExecutorKind::Sequential)?;
        let (executor, variant) = (swept.executor.clone(), swept.variant);
        let mut sweep = Sweep { executor, variant, baseline: Vec::new(), steps: Vec::new() };
        for (index, run) in plan.runs.iter().enumerate() {
            let counted = matches!(run.round, Round::Counted(_));
            if run.executor == ExecutorKind::Sequential {
                sweep.baseline.extend(counted.then(|| RunId::of(index)));
                continue;
            }
            if (&run.executor, run.variant) != (&sweep.executor, sweep.variant) {
                return None;
            }
            if !counted {
                continue;
            }
            match sweep.steps.binary_search_by_key(&run.workers, |step| step.workers) {
                Ok(place) => sweep.steps[place].runs.push(RunId::of(index)),
                Err(place) => {
                    sweep.steps.insert(place, Step { workers: run.workers, runs: vec![RunId::of(index)] });
                }
            }
        }
        let enough = sweep.steps.len() >= LEAST_STEPS && !sweep.baseline.is_empty();
        (enough && plan.order == Order::OneByOne).then_some(sweep)
    }

    /// The most workers that there will be.
    pub fn most_workers(&self) -> u32 {
        self.steps.last().map_or(1, |step| step.workers)
    }
}

/// What was measured with one number of workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The number of workers.
    pub workers: u32,
    /// The median of the wall times of the runs that have a speedup.
    pub wall: Duration,
    /// The speedups of those runs, each against the sequential run of its round.
    pub speedup: Spread,
    /// The share of the workers that the median speedup amounts to.
    pub efficiency: Option<f64>,
    /// The serial share that the median speedup amounts to; none for one worker.
    pub karp_flatt: Option<f64>,
}

impl Measured {
    /// What all runs with as many workers come to; none when none of them has a speedup.
    fn of<'a>(workers: u32, runs: impl Iterator<Item = &'a RunSummary>) -> Option<Measured> {
        let (walls, speedups): (Vec<f64>, Vec<f64>) =
            runs.filter_map(|run| Some((run.wall?.as_secs_f64(), run.speedup?))).unzip();
        let speedup = Spread::of(&speedups)?;
        Some(Measured {
            workers,
            wall: Duration::try_from_secs_f64(Spread::of(&walls)?.median).ok()?,
            speedup,
            efficiency: stats::efficiency(speedup.median, workers),
            karp_flatt: karp_flatt(speedup.median, workers),
        })
    }

    /// The point that the laws are fitted to.
    pub fn point(&self) -> Point {
        Point { workers: self.workers, speedup: self.speedup.median }
    }
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There are runs to come.
    UnderWay,
    /// There are none.
    Over,
}

/// What more workers bought, as far as is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// Who had more and more workers.
    pub executor: ExecutorKind,
    /// How many tasks every run has.
    pub tasks: usize,
    /// How many numbers of workers were planned.
    pub planned: usize,
    /// The most workers that were planned.
    pub most_workers: u32,
    /// How far the sweep is.
    pub progress: Progress,
    /// What was measured, in ascending order of workers.
    pub measured: Vec<Measured>,
    /// What is beyond the reach of so many workers, with tasks as long as they were one after the other. None before
    /// the sequential run is over.
    pub bound: Option<ScheduleBound>,
    /// Amdahl's law fitted to the medians.
    pub amdahl: Option<Amdahl>,
    /// The Universal Scalability Law fitted to the medians.
    pub usl: Option<Usl>,
    /// Where more workers stop bringing more.
    pub knee: Option<Knee>,
    /// Why they do; none without a knee, and while there are runs to come.
    pub why: Option<Why>,
}

impl Scaling {
    /// What a race that sweeps has shown by `now`; none when it is no sweep. `figures` are those of its runs.
    pub(super) fn of(race: &RaceState, figures: &[RunSummary], now: At) -> Option<Scaling> {
        let sweep = Sweep::of(race.plan())?;
        let measure = |step: &Step| {
            let runs = step.runs.iter().filter_map(|run| figures.get(run.index()));
            Measured::of(step.workers, comparable(runs))
        };
        let measured: Vec<Measured> = sweep.steps.iter().filter_map(measure).collect();
        let points: Vec<Point> = measured.iter().map(Measured::point).collect();
        let one = sweep.baseline.iter().filter_map(|run| race.runs().get(run.index()));
        let tasks = one.filter(|run| run.is_comparable()).map(|run| latencies(run, now)).next();
        let tasks = tasks.unwrap_or_default();
        let knee = knee(&points);
        let progress = if race.is_over() { Progress::Over } else { Progress::UnderWay };
        let why = match (knee, progress) {
            (Some(Knee::At { workers, .. }), Progress::Over) => {
                why::of(race, &sweep, &measured, figures, &tasks, workers)
            }
            _ => None,
        };
        Some(Scaling {
            progress,
            bound: ScheduleBound::of(&tasks, sweep.most_workers()),
            amdahl: Amdahl::fit(&points),
            usl: Usl::fit(&points),
            measured,
            knee,
            why,
            ..Scaling::planned(race.plan(), &sweep)
        })
    }

    /// A sweep of which nothing is known but its plan.
    pub fn planned(plan: &RacePlan, sweep: &Sweep) -> Scaling {
        Scaling {
            executor: sweep.executor.clone(),
            tasks: plan.tasks.len(),
            planned: sweep.steps.len(),
            most_workers: sweep.most_workers(),
            progress: Progress::UnderWay,
            measured: Vec::new(),
            bound: None,
            amdahl: None,
            usl: None,
            knee: None,
            why: None,
        }
    }

    /// The best that was measured: its workers and its speedup.
    pub fn best(&self) -> Option<Point> {
        self.measured.iter().map(Measured::point).max_by(|a, b| a.speedup.total_cmp(&b.speedup))
    }

    /// The speedups by workers that are drawn as curves: the ideal, the bound, Amdahl's law, and the Universal
    /// Scalability Law; none where they are not known. They are drawn from samples, `pitch` workers apart: the
    /// bound, which only grows, is told for the end of each, so that it is never drawn below what it is.
    pub fn curves(&self, pitch: f64) -> [Option<Curve<'_>>; 4] {
        fn curve(from: f64, law: Law<'_>) -> Option<Curve<'_>> {
            Some(Curve { from, law })
        }
        [
            curve(1.0, Box::new(|workers| workers)),
            self.bound.as_ref().and_then(|bound| {
                curve(
                    f64::from(bound.parts_from_ideal()),
                    Box::new(move |workers| bound.at(workers + pitch / 2.0)),
                )
            }),
            self.amdahl.and_then(|fit| curve(1.0, Box::new(move |workers| fit.at(workers)))),
            self.usl.and_then(|fit| curve(1.0, Box::new(move |workers| fit.at(workers)))),
        ]
    }
}

/// A speedup by workers.
pub type Law<'a> = Box<dyn Fn(f64) -> f64 + 'a>;

/// A curve of the chart.
pub struct Curve<'a> {
    /// From so many workers on.
    pub from: f64,
    /// What it says.
    pub law: Law<'a>,
}

/// How long each task of a run took, in the order of the tasks.
fn latencies(run: &RunState, now: At) -> Vec<Duration> {
    run.tasks().iter().filter(|task| task.stage == Stage::Done).filter_map(|task| task.latency(now)).collect()
}
