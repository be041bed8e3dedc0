//! A trace that this program wrote as the race that it was.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::event::{
    Access, At, Check, ErrorKind, Event, Fact, LaneId, Outcome, Phase, RacePlan, RunEnd, RunId, TaskEnd,
    TaskError, TaskId, Usage, Worker,
};
use crate::text::{fit, shown};

use super::super::interruptions::interruptions;
use super::super::read::{LATEST, check_plan, clean, clean_plan};
use super::notes::Notes;
use super::raw::cut;
use super::{Imported, TraceError, TraceLimits};

/// The most attempts of a task that are told.
const ATTEMPTS: u32 = 100;

/// The most workers that a lane had one after the other.
const WORKERS: usize = 100;

#[derive(Deserialize)]
struct Own {
    plan: RacePlan,
}

/// An event of a trace that this program wrote.
#[derive(Deserialize)]
struct Told {
    name: String,
    #[serde(default)]
    cat: String,
    ph: String,
    /// Metadata alone has none.
    ts: Option<f64>,
    #[serde(default)]
    dur: f64,
    pid: u64,
    tid: u64,
    #[serde(default)]
    args: Args,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Args {
    task: Option<TaskId>,
    outcome: Option<String>,
    attempts: u32,
    bytes: u64,
    queued_us: Option<f64>,
    result: Option<String>,
    error_kind: Option<ErrorKind>,
    error: Option<String>,
    end: Option<RunEnd>,
    lane: Option<LaneId>,
    came: Vec<(At, Worker)>,
    access: Option<Access>,
    interrupted_us: Option<f64>,
    user_us: Option<f64>,
    system_us: Option<f64>,
    peak_memory_bytes: Option<u64>,
    counter_expected: Option<u64>,
    counter_actual: Option<u64>,
}

/// How things that happen at one moment follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Of a run that is not over, and before another begins.
    Interrupted,
    RunStarted,
    LaneOpened,
    Queued,
    Finished,
    Started,
    Attempt,
    Entered,
    Happened,
    FinishedAtOnce,
    Delivered,
    Counted,
    RunFinished,
    Measured,
}

/// What the slices of one task say so far.
struct TaskSoFar {
    from: At,
    to: At,
    bytes: u64,
    end: Option<TaskEnd>,
}

/// A race that is being read.
pub(super) struct OwnRace {
    plan: Arc<RacePlan>,
    events: Vec<(At, Rank, Fact)>,
    most: usize,
    tasks: HashMap<(RunId, TaskId), TaskSoFar>,
    lanes: HashMap<(u64, u64), LaneId>,
    /// Each thread's last task, with its end: the phases that follow in the file are inside of it.
    under_way: HashMap<(u64, u64), (TaskId, At)>,
    /// When each run was over, and for how many nanoseconds it was interrupted.
    struck: Vec<(At, u64)>,
    last: At,
}

impl OwnRace {
    /// A race with this plan, as JSON; none where it is no plan, or one that is larger than any race.
    pub(super) fn with_plan(json: &[u8], limits: &TraceLimits) -> Option<OwnRace> {
        let Own { plan } = serde_json::from_slice(json).ok()?;
        check_plan(&plan).ok()?;
        let plan = RacePlan { output: PathBuf::new(), ..clean_plan(plan) };
        Some(OwnRace {
            plan: Arc::new(plan),
            events: Vec::new(),
            most: limits.slices.saturating_mul(4),
            tasks: HashMap::new(),
            lanes: HashMap::new(),
            under_way: HashMap::new(),
            struck: Vec::new(),
            last: At::ZERO,
        })
    }

    /// Takes one event in, as its JSON; says whether it is one.
    pub(super) fn take(&mut self, json: &[u8], notes: &mut Notes) -> bool {
        let Ok(told) = serde_json::from_slice::<Told>(json) else { return false };
        let run = told.pid.checked_sub(1).and_then(|index| u16::try_from(index).ok());
        let run = run.filter(|run| usize::from(*run) < self.plan.runs.len());
        let Some(ts) = told.ts.or((told.ph == "M").then_some(0.0)) else { return false };
        let (Some(run), Some(from), Some(to)) = (run, moment(ts), moment(ts + told.dur)) else {
            return false;
        };
        if to < from {
            return false;
        }
        if self.events.len() >= self.most {
            notes.crowded += 1;
            return true;
        }
        self.happened(told, RunId(run), (from, to), notes).is_some()
    }

    fn happened(&mut self, told: Told, run: RunId, (from, to): (At, At), notes: &mut Notes) -> Option<()> {
        let Told { name, cat, ph, pid, tid, mut args, .. } = told;
        args.task = args.task.filter(|task| task.index() < self.plan.tasks.len());
        let lane = self.lanes.get(&(pid, tid)).copied();
        if ph != "M" {
            self.last = self.last.max(to);
        }
        match (ph.as_str(), cat.as_str()) {
            ("M", _) => self.metadata(&name, run, (pid, tid), args),
            ("C", _) => {}
            ("X", "run") => {
                self.say(from, Rank::RunStarted, Fact::RunStarted { run });
                self.run_over(run, to, args);
            }
            ("X", "task") => {
                let (task, lane) = (args.task?, lane?);
                self.under_way.insert((pid, tid), (task, to));
                self.task(run, Some(lane), (from, to), args)?;
            }
            ("i", "unstarted") => self.task(run, None, (from, to), args)?,
            ("X", "phase") => {
                let phase = Phase::ALL.into_iter().find(|phase| phase.name() == name)?;
                let task = self.under_way.get(&(pid, tid)).filter(|(_, end)| to <= *end)?.0;
                self.say(from, Rank::Entered, Fact::PhaseEntered { run, task, phase });
            }
            ("i", "delivery") => {
                self.say(from, Rank::Delivered, Fact::ResultDelivered { run, task: args.task? });
            }
            ("i", "attempt") => {
                let error = Box::new(TaskError::new(args.error_kind?, args.error?));
                self.say(from, Rank::Happened, Fact::AttemptFailed { run, task: args.task?, error });
            }
            ("i", "counter") => {
                let (task, access) = (args.task?, args.access?);
                self.say(from, Rank::Happened, Fact::CounterAccessed { run, task, access });
            }
            ("i", "worker") => {}
            _ => notes.ignore("events that somebody else added"),
        }
        Some(())
    }

    /// What the slice of a run says of its end; nothing where it was under way.
    fn run_over(&mut self, run: RunId, at: At, args: Args) {
        let Some(end) = args.end else { return };
        let nanos = |micros: Option<f64>| micros.and_then(moment).map(|time| time.0);
        self.struck.extend(nanos(args.interrupted_us).map(|nanos| (at, nanos)));
        if let (Some(expected), Some(actual)) = (args.counter_expected, args.counter_actual) {
            self.say(at, Rank::Counted, Fact::CounterRead { run, expected, actual });
        }
        self.say(at, Rank::RunFinished, Fact::RunFinished { run, end });
        let usage = Usage {
            user_nanos: nanos(args.user_us),
            system_nanos: nanos(args.system_us),
            peak_memory: args.peak_memory_bytes,
        };
        if usage != Usage::default() {
            self.say(at, Rank::Measured, Fact::RunMeasured { run, usage: Box::new(usage) });
        }
    }

    fn metadata(&mut self, name: &str, run: RunId, ids: (u64, u64), args: Args) {
        let most = self.plan.runs[run.index()].workers;
        let Some(lane) = args.lane.filter(|lane| lane.0 < most && name == "thread_name") else { return };
        self.lanes.insert(ids, lane);
        for (at, worker) in args.came.into_iter().filter(|(at, _)| *at <= LATEST).take(WORKERS) {
            self.say(at, Rank::LaneOpened, Fact::LaneOpened { run, lane, worker: Box::new(worker) });
        }
    }

    fn task(&mut self, run: RunId, lane: Option<LaneId>, (from, to): (At, At), args: Args) -> Option<()> {
        let task = args.task?;
        let end = outcome(&args).map(|outcome| TaskEnd {
            outcome,
            bytes: args.bytes,
            write_nanos: 0,
            check: Check::Nothing,
            result: args.result.as_deref().map(|result| shown(cut(result)).into_owned()),
        });
        if let Some(before) = self.tasks.get_mut(&(run, task)) {
            before.to = before.to.max(to);
            return Some(());
        }
        self.tasks.insert((run, task), TaskSoFar { from, to, bytes: args.bytes, end });
        if let Some(queued) = args.queued_us.and_then(moment) {
            let at = At(from.0.saturating_sub(queued.0));
            self.say(at, Rank::Queued, Fact::TaskQueued { run, task });
        }
        let Some(lane) = lane else { return Some(()) };
        self.say(from, Rank::Started, Fact::TaskStarted { run, task, lane });
        for number in 1..=args.attempts.min(ATTEMPTS) {
            self.say(from, Rank::Attempt, Fact::AttemptStarted { run, task, number });
        }
        Some(())
    }

    fn say(&mut self, at: At, rank: Rank, fact: Fact) {
        self.events.push((at, rank, fact));
    }

    /// The race, in the order of time.
    pub(super) fn finish(mut self, notes: Notes) -> Result<Imported, TraceError> {
        if !self.events.iter().any(|(_, rank, _)| *rank == Rank::RunStarted) {
            return Err(TraceError::NoSlices { notes: notes.words() });
        }
        let mut tasks: Vec<_> = self.tasks.drain().collect();
        tasks.sort_unstable_by_key(|(key, _)| *key);
        for ((run, task), TaskSoFar { from, to, bytes, end }) in tasks {
            if end.is_none() && bytes > 0 {
                self.say(to, Rank::Happened, Fact::BytesArrived { run, task, bytes });
            }
            if let Some(end) = end {
                let rank = if from == to { Rank::FinishedAtOnce } else { Rank::Finished };
                self.say(to, rank, Fact::TaskFinished { run, task, end: Box::new(end) });
            }
        }
        for Event { at, fact } in interruptions(std::mem::take(&mut self.struck), self.plan.order) {
            self.say(at, Rank::Interrupted, fact);
        }
        self.events.sort_by_key(|(at, rank, _)| (*at, *rank));
        let plan = self.plan;
        let last = self.events.last().map_or(self.last, |(at, ..)| self.last.max(*at));
        let mut events = vec![Event { at: At::ZERO, fact: Fact::RaceStarted { plan: plan.clone() } }];
        events.extend(self.events.into_iter().map(|(at, _, mut fact)| {
            clean(&mut fact);
            Event { at, fact }
        }));
        events.push(Event { at: last, fact: Fact::RaceFinished });
        Ok(Imported { plan, events, notes: notes.words() })
    }
}

/// How a task ended; none where it was under way.
fn outcome(args: &Args) -> Option<Outcome> {
    let message = || fit(args.error.as_deref().unwrap_or_default(), TaskError::LONGEST_MESSAGE);
    match args.outcome.as_deref()? {
        "done" => Some(Outcome::Done),
        "failed" => {
            Some(Outcome::Failed(TaskError::new(args.error_kind.unwrap_or(ErrorKind::Raised), message())))
        }
        "cancelled" => Some(Outcome::Cancelled),
        "panicked" => Some(Outcome::Panicked { message: message() }),
        "abandoned" => Some(Outcome::Abandoned),
        _ => None,
    }
}

/// Microseconds as a moment; none where they are none of any race.
fn moment(micros: f64) -> Option<At> {
    let nanos = (micros * 1e3).round();
    (0.0..=LATEST.0 as f64).contains(&nanos).then_some(At(nanos as u64))
}
