//! Why more workers bring nothing: where the time of those went that were added beyond the knee.

use std::time::Duration;

use crate::event::{ExecutorKind, Phase, WorkloadKind};
use crate::model::RaceState;
use crate::report::summary::{Comparable, RunSummary};
use crate::stats::scaling::list_schedule;

use super::{Measured, Step, Sweep};

/// Processors count as used up from this share of them on: some of their time is other programs'.
const USED_UP: f64 = 0.85;

/// Below this share of the processors, they are not what holds bytes up. The origin on the same machine takes
/// about as much of them as whoever receives, and is not in the figure.
const SPARE: f64 = 0.25;

/// Figures that differ by less are taken to be equal.
const ALIKE: f64 = 0.95;

/// What sets the limit, as far as the figures tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// Bytes come no faster, however many workers receive them, and the processors have time to spare.
    LinkFull {
        /// What came in a second.
        bytes_per_second: f64,
        /// How many workers received at a time, on average.
        receiving: f64,
    },
    /// Bytes come no faster, and whether the link or the processors hold them up can't be told.
    LinkOrProcessors {
        /// What came in a second.
        bytes_per_second: f64,
        /// How many workers received at a time, on average.
        receiving: f64,
    },
    /// The processors are used up.
    ProcessorsUsedUp {
        /// How many were busy on average.
        busy: f64,
        /// How many there are.
        of: u32,
    },
    /// Workers wait for a lock.
    Lock {
        /// How many waited at a time, on average.
        waiting: f64,
    },
    /// One task alone takes about as long as the whole run.
    LongestTask {
        /// How long it took one after the other.
        longest: Duration,
    },
    /// The tasks are such that a schedule by the most workers is no shorter than one by those at the knee.
    Schedule,
    /// The event loop has one thread, and each task kept it until it was done.
    EventLoop,
    /// Answers take longer, the more workers ask.
    Server {
        /// How many workers waited at a time, on average.
        waiting: f64,
    },
    /// The database does one change at a time, or no more of them in a second.
    Database,
    /// What the added workers mostly did, from which nothing follows; none where they had no task.
    Unknown {
        /// What they did.
        phase: Option<Phase>,
    },
}

/// Why workers beyond the knee bring nothing, from the figures of a run at the knee and of one with the most
/// workers; none where either can't be compared.
///
/// The time that a run's workers spent in a phase ÷ its wall time is the mean number of workers in that phase.
/// What this number grew by from one run to the other says what the added workers did.
pub(super) fn of(
    race: &RaceState,
    sweep: &Sweep,
    measured: &[Measured],
    figures: &[RunSummary],
    tasks: &[Duration],
    knee: u32,
) -> Option<Why> {
    let first = |step: &Step| {
        let runs = step.runs.iter().filter_map(|run| figures.get(run.index()));
        runs.into_iter().find(|run| run.comparable == Comparable::Yes)
    };
    let with = |workers: u32| sweep.steps.iter().find(|step| step.workers == workers).and_then(first);
    let (at, last) = (with(knee)?, with(measured.last()?.workers)?);
    let cpus = race.plan().machine.cpus;
    let fastest = figures.iter().filter_map(|run| run.bytes_per_second).fold(0.0, f64::max);
    Some(cause(race.plan().workload, cpus, fastest, (at, last), tasks))
}

/// The mean number of workers in a phase.
fn mean_in(run: &RunSummary, phase: Phase) -> f64 {
    let wall = run.wall.unwrap_or_default().as_nanos() as f64;
    if wall > 0.0 { run.phases.of(phase) as f64 / wall } else { 0.0 }
}

/// The mean number of workers without a task.
fn mean_idle(run: &RunSummary) -> f64 {
    let busy: f64 = Phase::ALL.into_iter().map(|phase| mean_in(run, phase)).sum();
    (f64::from(run.workers) - busy).max(0.0)
}

fn cause(
    workload: WorkloadKind,
    cpus: u32,
    fastest: f64,
    (at, last): (&RunSummary, &RunSummary),
    tasks: &[Duration],
) -> Why {
    if last.executor == ExecutorKind::Async && last.peak_concurrency == 1 {
        return Why::EventLoop;
    }
    let grown = |phase: Phase| mean_in(last, phase) - mean_in(at, phase);
    let most = Phase::ALL.into_iter().max_by(|&a, &b| grown(a).total_cmp(&grown(b)));
    let most = most.filter(|&phase| grown(phase) > mean_idle(last) - mean_idle(at));
    let busy = [at, last].into_iter().filter_map(|run| run.processors).fold(None, |most: Option<f64>, busy| {
        Some(most.map_or(busy, |most| most.max(busy)))
    });
    let used_up = busy.filter(|&busy| busy >= USED_UP * f64::from(cpus.max(1)));
    let spare = busy.is_some_and(|busy| busy < SPARE * f64::from(cpus));
    match (most, used_up) {
        (Some(Phase::Locked), _) => Why::Lock { waiting: mean_in(last, Phase::Locked) },
        (Some(_), Some(busy)) => Why::ProcessorsUsedUp { busy, of: cpus },
        (Some(Phase::Receiving), None) => {
            let receiving = mean_in(last, Phase::Receiving);
            match last.bytes_per_second.filter(|&rate| rate >= ALIKE * fastest) {
                Some(bytes_per_second) if spare => Why::LinkFull { bytes_per_second, receiving },
                Some(bytes_per_second) => Why::LinkOrProcessors { bytes_per_second, receiving },
                None => Why::Unknown { phase: Some(Phase::Receiving) },
            }
        }
        (Some(Phase::Waiting), None) if matches!(workload, WorkloadKind::Download | WorkloadKind::Api) => {
            Why::Server { waiting: mean_in(last, Phase::Waiting) }
        }
        (Some(Phase::Writing | Phase::Waiting), None) if workload == WorkloadKind::Crud => Why::Database,
        (Some(phase), None) => Why::Unknown { phase: Some(phase) },
        (None, _) => idle(at, last, tasks),
    }
}

/// Why workers had no task: what the tasks' own lengths say about it.
fn idle(at: &RunSummary, last: &RunSummary, tasks: &[Duration]) -> Why {
    let unknown = Why::Unknown { phase: None };
    let (Some(wall), Some(&longest)) = (last.wall, tasks.iter().max()) else { return unknown };
    let near = |a: Duration, b: Duration| a.as_secs_f64() >= ALIKE * b.as_secs_f64();
    let schedule = |run: &RunSummary| list_schedule(tasks, run.workers);
    match schedule(at).zip(schedule(last)) {
        // A run that took much longer than its schedule was held up by something else.
        Some((few, many)) if many.as_secs_f64() >= 0.8 * wall.as_secs_f64() && near(many, few) => {
            if near(longest, many) { Why::LongestTask { longest } } else { Why::Schedule }
        }
        _ => unknown,
    }
}
