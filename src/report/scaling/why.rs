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

/// A throughput of this share of the fastest is as fast: while the last of the tasks end, not all workers have one.
const AS_FAST: f64 = 0.9;

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
        /// What they did, as it is called in the workload.
        doing: Option<&'static str>,
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
    let busy = [at, last]
        .into_iter()
        .filter_map(|run| run.processors)
        .fold(None, |most: Option<f64>, busy| Some(most.map_or(busy, |most| most.max(busy))));
    let used_up = busy.filter(|&busy| busy >= USED_UP * f64::from(cpus.max(1)));
    let spare = busy.is_some_and(|busy| busy < SPARE * f64::from(cpus));
    match (most, used_up) {
        (Some(Phase::Locked), _) => Why::Lock { waiting: mean_in(last, Phase::Locked) },
        (Some(_), Some(busy)) => Why::ProcessorsUsedUp { busy, of: cpus },
        (Some(Phase::Receiving), None) => {
            let receiving = mean_in(last, Phase::Receiving);
            match last.bytes_per_second.filter(|&rate| rate >= AS_FAST * fastest) {
                Some(bytes_per_second) if spare => Why::LinkFull { bytes_per_second, receiving },
                Some(bytes_per_second) => Why::LinkOrProcessors { bytes_per_second, receiving },
                None => Why::Unknown { doing: Some(Phase::Receiving.name()) },
            }
        }
        (Some(Phase::Waiting), None) if workload.asks_a_server() => {
            Why::Server { waiting: mean_in(last, Phase::Waiting) }
        }
        (Some(Phase::Writing | Phase::Waiting), None) if workload == WorkloadKind::Crud => Why::Database,
        (Some(phase), None) => Why::Unknown { doing: Some(phase.called_in(workload)) },
        (None, _) => idle(at, last, tasks),
    }
}

/// Why workers had no task: what the tasks' own lengths say about it.
fn idle(at: &RunSummary, last: &RunSummary, tasks: &[Duration]) -> Why {
    let unknown = Why::Unknown { doing: None };
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

#[cfg(test)]
mod tests {
    use crate::event::{At, Round, RunEnd};
    use crate::model::{Counts, Hue, Mix, RunStatus};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A run of so many workers, of which so many were in a phase at a time, on average.
    fn run(workers: u32, wall: Duration, means: &[(Phase, f64)], processors: Option<f64>) -> RunSummary {
        let mut phases = Mix::default();
        for &(phase, mean) in means {
            phases.0[phase.index()] = (mean * wall.as_nanos() as f64) as u64;
        }
        RunSummary {
            label: format!("pool-{workers}"),
            executor: ExecutorKind::Pool,
            workers,
            variant: None,
            round: Round::ONLY,
            hue: Hue::ALL[0],
            status: RunStatus::Ended { from: At::ZERO, to: At::from_duration(wall), end: RunEnd::Completed },
            wall: Some(wall),
            speedup: None,
            improvement: None,
            efficiency: None,
            latency: None,
            bytes: 0,
            bytes_per_second: Some(1e6),
            tasks_per_second: None,
            peak_concurrency: workers,
            cpu: None,
            processors,
            peak_memory: None,
            counter: None,
            critical: None,
            finish_order: Vec::new(),
            counts: Counts::default(),
            phases,
            idle: Duration::ZERO,
            comparable: Comparable::Yes,
        }
    }

    /// Why a run of 16 workers is no faster than one of 4, all of which were busy in one phase.
    fn busy(workload: WorkloadKind, phase: Phase, processors: Option<f64>) -> Why {
        let at = run(4, SECOND, &[(phase, 3.5), (Phase::Connecting, 0.5)], processors);
        let last = run(16, SECOND, &[(phase, 15.0), (Phase::Connecting, 1.0)], processors);
        cause(workload, 4, 1e6, (&at, &last), &[])
    }

    #[test]
    fn a_full_link_has_processors_to_spare() {
        let download = |processors| busy(WorkloadKind::Download, Phase::Receiving, processors);
        let (bytes_per_second, receiving) = (1e6, 15.0);
        assert_eq!(download(Some(0.1)), Why::LinkFull { bytes_per_second, receiving });
        assert_eq!(download(Some(2.0)), Why::LinkOrProcessors { bytes_per_second, receiving });
        assert_eq!(download(None), Why::LinkOrProcessors { bytes_per_second, receiving });
        assert_eq!(download(Some(3.9)), Why::ProcessorsUsedUp { busy: 3.9, of: 4 });
        let at = run(4, SECOND, &[(Phase::Receiving, 4.0)], Some(0.1));
        let last = run(16, SECOND, &[(Phase::Receiving, 16.0)], Some(0.1));
        let slower = cause(WorkloadKind::Download, 4, 2e6, (&at, &last), &[]);
        assert_eq!(slower, Why::Unknown { doing: Some("receiving") }, "others got more");
    }

    #[test]
    fn each_phase_has_its_cause() {
        use WorkloadKind::{Api, Compute, Counter, Crud, Files};
        let computing = |processors| busy(Compute, Phase::Computing, processors);
        assert_eq!(computing(Some(3.8)), Why::ProcessorsUsedUp { busy: 3.8, of: 4 });
        assert_eq!(computing(Some(1.0)), Why::Unknown { doing: Some("computing") });
        assert_eq!(computing(None), Why::Unknown { doing: Some("computing") });
        assert_eq!(busy(Counter, Phase::Locked, Some(4.0)), Why::Lock { waiting: 15.0 });
        assert_eq!(busy(Api, Phase::Waiting, Some(0.5)), Why::Server { waiting: 15.0 });
        assert_eq!(busy(Crud, Phase::Writing, Some(0.5)), Why::Database);
        assert_eq!(busy(Files, Phase::Waiting, Some(0.5)), Why::Unknown { doing: Some("reading") });
    }

    #[test]
    fn tasks_that_can_not_be_shared_out_better_are_found() {
        let idle = |tasks: &[u64], (few, many): (u32, u32), wall: u64| {
            let tasks: Vec<Duration> = tasks.iter().copied().map(Duration::from_secs).collect();
            let (at, last) = (run(few, SECOND * 10, &[(Phase::Sleeping, f64::from(few))], Some(0.0)), SECOND);
            let last = run(many, last * wall as u32, &[(Phase::Sleeping, f64::from(few))], Some(0.0));
            cause(WorkloadKind::Sleep, 4, 0.0, (&at, &last), &tasks)
        };
        assert_eq!(idle(&[1; 20], (10, 16), 2), Why::Schedule);
        assert_eq!(idle(&[9, 1, 1, 1], (2, 3), 9), Why::LongestTask { longest: SECOND * 9 });
        // Workers that had no task although a schedule would have had some for them.
        assert_eq!(idle(&[1; 20], (4, 10), 5), Why::Unknown { doing: None });
        assert_eq!(idle(&[], (4, 10), 5), Why::Unknown { doing: None });
    }

    #[test]
    fn an_event_loop_that_is_kept_busy_is_named() {
        let mut last = run(16, SECOND, &[(Phase::Computing, 1.0)], Some(1.0));
        (last.executor, last.peak_concurrency) = (ExecutorKind::Async, 1);
        assert_eq!(cause(WorkloadKind::Compute, 4, 0.0, (&last, &last), &[]), Why::EventLoop);
    }
}
