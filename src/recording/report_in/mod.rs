//! Reports in JSON as races: what a report tells of each task and lane, as the events that it must have come
//! from.
//!
//! A report carries less than a recording: no samples of bytes, no answers' heads, no accesses to a counter, and
//! of a lane's workers the last. Where none was replaced, the report of the race that comes out of this equals
//! the one that went in.

mod rows;
mod story;

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::event::{
    At, ClockZero, Event, ExecutorKind, Fact, LaneId, Machine, Phase, RacePlan, RunEnd, RunId, RunPlan,
    TaskId, TaskPlan, TimeScale, Usage, Worker, WorkloadKind,
};
use crate::text::shown;

use super::interruptions::interruptions;
use super::read::{Flaw, Recording};
use super::write::Header;
use rows::{End, Report, Run, Span, Status, Task, Text};
use story::Story;

/// How many bytes of a report are read: the events take about three times as much memory.
pub const MOST_BYTES: u64 = 256 << 20;

/// How many attempts the tasks of a report may have begun beyond their first ones: each becomes an event.
const MOST_RETRIES: u64 = 1_000_000;

/// Why a report can't be taken for a race.
#[derive(Debug, Error)]
pub enum ReportError {
    /// It can't be read.
    #[error("the report could not be read: {0}")]
    Read(#[source] io::Error),
    /// It is too large.
    #[error("the report is larger than {} MiB; race fewer tasks, or record the race", MOST_BYTES >> 20)]
    TooLarge,
    /// It is not JSON, or no report, or one of another version.
    #[error("this is no report that could be read: {0}. `--format json` writes one")]
    Malformed(#[source] serde_json::Error),
    /// It says what can't be.
    #[error("the report contradicts itself: {0}. `--format json` writes one that doesn't")]
    Contradiction(Contradiction),
}

/// What can't be so in a report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// A run has not the tasks that every run has.
    #[error("run {run} lists other tasks than its race has")]
    Tasks {
        /// The run's place, from 1.
        run: usize,
    },
    /// Its lanes are not numbered as they are listed, or are more than its workers.
    #[error("run {run} lists lanes that it can't have")]
    Lanes {
        /// The run's place, from 1.
        run: usize,
    },
    /// More workers than tasks, or none.
    #[error("run {run} has {workers} workers for {tasks} tasks")]
    Workers {
        /// The run's place, from 1.
        run: usize,
        /// Its workers.
        workers: u32,
        /// Its tasks.
        tasks: usize,
    },
    /// A task ended at no moment, or failed for no reason.
    #[error("task {task} of run {run} tells its end by halves")]
    End {
        /// The run's place, from 1.
        run: usize,
        /// The task's number, from 1.
        task: usize,
    },
    /// More runs than a race can have.
    #[error("it has {0} runs")]
    Runs(usize),
    /// More attempts than anybody made.
    #[error("its tasks were tried again more than {MOST_RETRIES} times")]
    Retries,
}

/// The race that a JSON report is about, as a recording of it.
///
/// The report is foreign: however wrong it is, this ends with an error, in memory bounded by
/// [`MOST_BYTES`]. Names are made safe to show.
///
/// # Errors
/// See [`ReportError`].
pub fn from_report(input: impl Read) -> Result<Recording, ReportError> {
    from_report_within(input, MOST_BYTES)
}

fn from_report_within(input: impl Read, most: u64) -> Result<Recording, ReportError> {
    // One byte more than is allowed tells that there is more.
    let mut input = BufReader::with_capacity(64 * 1024, input.take(most + 1));
    let report: Report = match serde_json::from_reader(&mut input) {
        Ok(report) => report,
        Err(_) if input.get_ref().limit() == 0 => return Err(ReportError::TooLarge),
        Err(error) if error.is_io() => return Err(ReportError::Read(error.into())),
        Err(error) => return Err(ReportError::Malformed(error)),
    };
    check(&report).map_err(ReportError::Contradiction)?;
    let plan = Arc::new(plan(&report));
    let goes_on = report.runs.iter().any(|run| run.status == Status::Running);
    let mut events = interruptions(struck(&report), report.scenario.order);
    for (place, run) in report.runs.into_iter().enumerate() {
        tell_run(RunId::of(place), run, &mut events).map_err(ReportError::Contradiction)?;
    }
    // Stable: what a run tells of one moment stays in its order.
    events.sort_by_key(|event| event.at);
    let last = events.last().map_or(At::ZERO, |event| event.at);
    let (end, flaws) = match goes_on {
        true => (Fact::Collected, vec![Flaw::BrokenOff]),
        false => (Fact::RaceFinished, Vec::new()),
    };
    let start = Event { at: At::ZERO, fact: Fact::RaceStarted { plan: plan.clone() } };
    let tape = std::iter::once(start).chain(events).chain([Event { at: last, fact: end }]).collect();
    Ok(Recording { header: Header::of(&plan), plan, tape, flaws }.held_against_itself())
}

fn check(report: &Report) -> Result<(), Contradiction> {
    if report.runs.len() > usize::from(u16::MAX) {
        return Err(Contradiction::Runs(report.runs.len()));
    }
    let named = report.runs.first().map_or(&[][..], |run| &run.tasks);
    let tasks = report.runs.iter().flat_map(|run| &run.tasks);
    if tasks.map(|task| u64::from(task.attempts.saturating_sub(1))).sum::<u64>() > MOST_RETRIES {
        return Err(Contradiction::Retries);
    }
    for (place, run) in (1..).zip(&report.runs) {
        let same = |(id, (task, named)): (usize, (&Task, &Task))| {
            task.task == id && task.name == named.name && task.url == named.url
        };
        let as_many = run.tasks.len() as u64 == report.scenario.tasks;
        if !as_many || !run.tasks.iter().zip(named).enumerate().all(same) {
            return Err(Contradiction::Tasks { run: place });
        }
        let tasks = run.tasks.len();
        if run.workers == 0 || run.workers as usize > tasks.max(1) {
            return Err(Contradiction::Workers { run: place, workers: run.workers, tasks });
        }
        let numbered = run.lanes.iter().enumerate().all(|(id, lane)| lane.lane == id);
        let lane_of = |task: &Task| task.lane.is_none_or(|lane| (lane as usize) < run.lanes.len());
        if !numbered || run.lanes.len() > run.workers as usize || !run.tasks.iter().all(lane_of) {
            return Err(Contradiction::Lanes { run: place });
        }
    }
    Ok(())
}

fn plan(report: &Report) -> RacePlan {
    let scenario = &report.scenario;
    let tasks = report.runs.first().map_or(&[][..], |run| &run.tasks);
    let safe = |text: &Text| shown(&text.0).into_owned();
    let name = |task: &Task| TaskPlan { name: safe(&task.name), url: task.url.as_ref().map(safe) };
    let run = |run: &Run| RunPlan {
        executor: ExecutorKind::from(safe(&run.executor)),
        workers: run.workers,
        variant: run.variant.as_ref().and_then(|variant| variant.0),
        label: safe(&run.label),
        round: run.round(),
    };
    let paths = report.runs.iter().flat_map(|run| &run.tasks).filter_map(|task| task.path.as_ref());
    let output = paths.map(|path| folder(Path::new(&path.0))).next();
    let workload = scenario.workload.unwrap_or_else(|| guessed(report, output.is_some()));
    let noun = scenario.noun.as_ref().map_or_else(|| "tasks".to_owned(), safe);
    RacePlan {
        scenario: safe(&scenario.name),
        about: safe(&scenario.about),
        workload,
        noun,
        source: safe(&scenario.source),
        time_scale: TimeScale((scenario.time_scale.0 * 1e6).round() as u32),
        seed: scenario.seed,
        order: scenario.order,
        tasks: tasks.iter().map(name).collect(),
        runs: report.runs.iter().map(run).collect(),
        output: output.unwrap_or_default(),
        machine: Machine {
            os: safe(&report.machine.os),
            arch: safe(&report.machine.arch),
            cpus: report.machine.cpus,
        },
        zero: ClockZero::default(),
    }
}

/// The output folder that a finished file at `OUTPUT/RUN/NAME` tells.
fn folder(path: &Path) -> PathBuf {
    path.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_owned()
}

/// What the tasks of a report do that does not say so, as those of older programs don't.
fn guessed(report: &Report, has_files: bool) -> WorkloadKind {
    let spans = || report.runs.iter().flat_map(|run| &run.lanes).flat_map(|lane| &lane.spans);
    let addressed = report.runs.iter().flat_map(|run| &run.tasks).any(|task| task.url.is_some());
    if report.runs.iter().any(|run| run.counter.is_some()) {
        WorkloadKind::Counter
    } else if has_files {
        WorkloadKind::Download
    } else if addressed {
        WorkloadKind::Api
    } else if spans().any(|span| span.phase == Phase::Writing) {
        WorkloadKind::Files
    } else if spans().any(|span| span.phase == Phase::Computing) {
        WorkloadKind::Compute
    } else {
        WorkloadKind::Sleep
    }
}

/// Tells what one run did.
fn tell_run(id: RunId, run: Run, events: &mut Vec<Event>) -> Result<(), Contradiction> {
    let Some(start) = started(&run) else { return Ok(()) };
    let mut tell = |at: At, fact: Fact| events.push(Event { at, fact });
    tell(start, Fact::RunStarted { run: id });
    for (place, lane) in run.lanes.iter().enumerate() {
        if let Some(name) = &lane.worker {
            let worker = worker(&run, &name.0, lane.pid, lane.thread_id);
            let opened = lane.opened.map_or(start, |at| at.0);
            tell(opened, Fact::LaneOpened { run: id, lane: LaneId::of(place), worker: Box::new(worker) });
        }
    }
    let mut spans: Vec<Span> = run.lanes.iter().flat_map(|lane| &lane.spans).copied().collect();
    spans.sort_by_key(|span| (span.task, span.from, span.to));
    let latest = spans.iter().map(|span| span.to.0).max().unwrap_or(start).max(start);

    // A worker's tasks are told in the order in which it took them up, so that one which ends as the next one
    // starts is told of first.
    let mut order: Vec<usize> = (0..run.tasks.len()).collect();
    order.sort_by_key(|&task| run.tasks[task].started.map(|at| at.0));
    for place in order {
        let task = &run.tasks[place];
        let of_task = spans.partition_point(|span| (span.task as usize) < place);
        let after = of_task + spans[of_task..].partition_point(|span| span.task as usize == place);
        let story = Story { run: id, id: TaskId::of(place), task, spans: &spans[of_task..after] };
        story.tell(latest, &mut tell).ok_or(Contradiction::End { run: id.index() + 1, task: place + 1 })?;
    }
    let end = match run.status {
        Status::Waiting | Status::Running => {
            tell(latest, Fact::Collected);
            return Ok(());
        }
        Status::Completed => RunEnd::Completed,
        Status::Cancelled => RunEnd::Cancelled,
        Status::Failed => {
            RunEnd::Failed { message: run.message.as_ref().map_or_else(String::new, |text| text.0.clone()) }
        }
    };
    let over = over(&run).unwrap_or(latest);
    if let Some(counter) = run.counter {
        let (expected, actual) = (counter.expected, counter.actual);
        tell(over, Fact::CounterRead { run: id, expected, actual });
    }
    tell(over, Fact::RunFinished { run: id, end });
    let cpu = run.cpu_seconds.as_ref();
    if cpu.is_some() || run.peak_memory_bytes.is_some() {
        let usage = Usage {
            user_nanos: cpu.map(|cpu| cpu.user.0.0),
            system_nanos: cpu.map(|cpu| cpu.system.0.0),
            peak_memory: run.peak_memory_bytes,
        };
        tell(over, Fact::RunMeasured { run: id, usage: Box::new(usage) });
    }
    Ok(())
}

/// When each run was over, and for how many nanoseconds the program did not run while it was under way.
fn struck(report: &Report) -> Vec<(At, u64)> {
    let struck = |run: &Run| {
        // An older report says of no run how long it was interrupted: one that did everything, and that right, and
        // can't be compared was.
        let right = run.counter.as_ref().is_none_or(|counter| counter.expected == counter.actual);
        let done = right && run.tasks.iter().all(|task| task.outcome == Some(End::Done));
        let hidden = u64::from(run.status == Status::Completed && done && !run.comparable);
        Some((over(run)?, run.interrupted_seconds.map_or(hidden, |time| time.0.0)))
    };
    report.runs.iter().filter_map(struck).collect()
}

/// When a run was over; none where it isn't, or that is not said.
fn over(run: &Run) -> Option<At> {
    let wall = run.wall_seconds.filter(|_| !matches!(run.status, Status::Waiting | Status::Running))?;
    Some(At(started(run)?.0.saturating_add(wall.0.0)))
}

/// When a run was given its tasks: what it says, or else the first moment that it tells of.
fn started(run: &Run) -> Option<At> {
    if run.status == Status::Waiting {
        return None;
    }
    let tasks = run.tasks.iter().flat_map(|task| [task.queued, task.started]).flatten();
    let spans = run.lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.from);
    let told = run.started.or_else(|| tasks.chain(spans).min());
    Some(told.map_or(At::ZERO, |time| time.0))
}

fn worker(run: &Run, name: &str, pid: Option<u32>, thread_id: Option<u64>) -> Worker {
    match pid {
        Some(pid) => Worker::Process { pid, name: name.to_owned(), thread_id },
        None if name == Worker::SLOT && run.executor.0 == ExecutorKind::Async.name() => {
            Worker::AsyncSlot { threads: if thread_id.is_some() { 1 } else { 2 }, thread_id }
        }
        None => Worker::Thread { name: name.to_owned(), thread_id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_does_not_end_is_given_up() {
        let endless = "{\"format\":\"".as_bytes().chain(io::repeat(b'a'));
        assert!(matches!(from_report_within(endless, 100_000), Err(ReportError::TooLarge)));
        let spaces = "{".as_bytes().chain(io::repeat(b' '));
        assert!(matches!(from_report_within(spaces, 100_000), Err(ReportError::TooLarge)));
    }

    #[test]
    fn what_can_not_be_read_is_told() {
        struct Broken;

        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }

        assert!(matches!(from_report(Broken), Err(ReportError::Read(_))));
    }
}
