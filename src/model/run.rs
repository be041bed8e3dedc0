//! The state of one run: its tasks, its lanes and what they add up to.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{
    Access, At, Check, Collect, ErrorKind, Event, Fact, HEADS_KEPT, LaneId, Outcome, Phase, ResponseHead,
    RunEnd, RunPlan, TaskError, TaskId, Usage, Variant, WorkloadKind,
};

use super::hue::Hue;
use super::lane::{Lane, Span};
use super::steps::Steps;

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// Its turn has not come.
    Waiting,
    /// It is under way since then.
    Running {
        /// When it was given its tasks.
        since: At,
    },
    /// It is over.
    Ended {
        /// When it was given its tasks.
        from: At,
        /// When its last task ended.
        to: At,
        /// How it ended.
        end: RunEnd,
    },
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not handed to the executor yet.
    Planned,
    /// Waiting for a worker.
    Queued,
    /// A worker is on it.
    Active(Phase),
    /// It did its work.
    Done,
    /// It gave up.
    Failed,
    /// The run was cancelled before it was finished.
    Cancelled,
    /// Its code panicked.
    Panicked,
    /// The main thread ended without waiting for it, and it was cut off.
    Abandoned,
}

impl Stage {
    /// The stage's name for people; for an active task, its phase's.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Planned => "planned",
            Stage::Queued => Phase::Queued.name(),
            Stage::Active(phase) => phase.name(),
            Stage::Done => "done",
            Stage::Failed => "failed",
            Stage::Cancelled => "cancelled",
            Stage::Panicked => "panicked",
            Stage::Abandoned => "abandoned",
        }
    }

    /// The stage's name for people, in a workload; for an active task, what its phase is called there.
    pub fn called_in(self, workload: WorkloadKind) -> &'static str {
        match self {
            Stage::Active(phase) => phase.called_in(workload),
            _ => self.name(),
        }
    }

    /// Whether the task has come to its end.
    pub fn is_over(self) -> bool {
        !matches!(self, Stage::Planned | Stage::Queued | Stage::Active(_))
    }
}

/// What only few tasks have, and is looked at one task at a time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Story {
    /// The heads of the answers, in the order of arrival, each with when it came.
    pub heads: Vec<(At, Arc<ResponseHead>)>,
    /// The attempts that failed and were followed by another.
    pub failures: Vec<(At, TaskError)>,
    /// The message of the error or panic that ended the task.
    pub error: Option<String>,
    /// The body of the last answer, where it is short text; foreign.
    pub body: Option<Arc<str>>,
}

/// One task of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Where it is.
    pub stage: Stage,
    /// The lane of the worker that took it up.
    pub lane: Option<LaneId>,
    /// When it was handed to the executor.
    pub queued: Option<At>,
    /// When a worker took it up.
    pub started: Option<At>,
    /// When the last attempt's first byte of a body arrived; of several answers, the first one's.
    pub first_byte: Option<At>,
    /// When it ended.
    pub finished: Option<At>,
    /// When its result was handed to the main thread, where that takes results.
    pub delivered: Option<At>,
    /// What came out, in a few words.
    pub result: Option<Box<str>>,
    /// Bytes of the body so far, in the attempt that goes on or was the last.
    pub bytes: u64,
    /// The body's announced length in bytes.
    pub length: Option<u64>,
    /// Attempts begun.
    pub attempts: u32,
    /// Nanoseconds inside the system calls that wrote the chunks.
    pub write_nanos: u64,
    /// What the finished body was held against.
    pub check: Check,
    /// The kind of the error that ended it.
    pub error: Option<ErrorKind>,
    /// The rest of its story, where there is more.
    pub story: Option<Box<Story>>,
}

impl TaskState {
    const PLANNED: TaskState = TaskState {
        stage: Stage::Planned,
        lane: None,
        queued: None,
        started: None,
        first_byte: None,
        finished: None,
        delivered: None,
        result: None,
        bytes: 0,
        length: None,
        attempts: 0,
        write_nanos: 0,
        check: Check::Nothing,
        error: None,
        story: None,
    };

    /// From the moment a worker took the task up to its end, or until `now` while it goes on.
    pub fn latency(&self, now: At) -> Option<Duration> {
        Some(self.finished.unwrap_or(now).since(self.started?))
    }

    /// From the hand-over to the executor until a worker took it up, or until `now`.
    pub fn queue_time(&self, now: At) -> Option<Duration> {
        Some(self.started.or(self.finished).unwrap_or(now).since(self.queued?))
    }

    /// How much of the body is here, 0 to 1; none when the length is unknown.
    pub fn fraction(&self) -> Option<f64> {
        match (self.stage, self.length) {
            (Stage::Done, _) => Some(1.0),
            (_, Some(0) | None) => None,
            (_, Some(length)) => Some((self.bytes as f64 / length as f64).min(1.0)),
        }
    }

    /// The message of the error or panic that ended it.
    pub fn error_message(&self) -> Option<&str> {
        self.story.as_ref()?.error.as_deref()
    }

    fn story_mut(&mut self) -> &mut Story {
        self.story.get_or_insert_with(Box::default)
    }
}

/// How many tasks are where.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// A worker is on them.
    pub active: u32,
    /// Did their work.
    pub done: u32,
    /// Gave up.
    pub failed: u32,
    /// Were cancelled.
    pub cancelled: u32,
    /// Panicked.
    pub panicked: u32,
    /// Were cut off when the main thread ended.
    pub abandoned: u32,
    /// Attempts beyond each task's first.
    pub retries: u32,
}

impl Counts {
    /// Tasks that came to their end, however.
    pub fn over(&self) -> u32 {
        self.done + self.not_done()
    }

    /// Tasks that came to an end other than done.
    pub fn not_done(&self) -> u32 {
        self.failed + self.cancelled + self.panicked + self.abandoned
    }
}

/// One executor doing all the tasks once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    plan: RunPlan,
    hue: Hue,
    status: RunStatus,
    tasks: Vec<TaskState>,
    lanes: Vec<Lane>,
    counts: Counts,
    bytes: u64,
    in_progress: Steps,
    finishes: Vec<At>,
    interrupted: Duration,
    counter: Option<Counter>,
    accesses: Vec<CounterAccess>,
    usage: Option<Usage>,
}

/// The most accesses to the counter that a run keeps: more than anybody follows with the eye.
const ACCESSES_KEPT: usize = 10_000;

/// What a run's shared counter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// What it must be.
    pub expected: u64,
    /// What it is.
    pub actual: u64,
}

impl Counter {
    /// How many additions were lost; a counter that shows too much has lost none.
    pub fn lost(self) -> u64 {
        self.expected.saturating_sub(self.actual)
    }

    /// Whether it shows what it must.
    pub fn is_right(self) -> bool {
        self.expected == self.actual
    }
}

/// A worker read or wrote the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterAccess {
    /// When.
    pub at: At,
    /// For which task.
    pub task: TaskId,
    /// On which lane.
    pub lane: LaneId,
    /// What it did.
    pub access: Access,
}

impl CounterAccess {
    /// Whether it wrote over a value that it had not read: what others added in between is lost.
    pub fn loses(&self) -> bool {
        match self.access {
            Access::Load { .. } => false,
            Access::Store { value, over } => value.checked_sub(1) != Some(over),
        }
    }
}

/// Whether two amounts of bytes are alike to a hundredth: pages that are made anew for each request differ a little,
/// and what differs by more is not the same work.
pub fn as_much(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= one.max(other) / 100
}

impl RunState {
    pub(super) fn new(plan: RunPlan, hue: Hue, tasks: usize) -> RunState {
        RunState {
            plan,
            hue,
            status: RunStatus::Waiting,
            tasks: vec![TaskState::PLANNED; tasks],
            lanes: Vec::new(),
            counts: Counts::default(),
            bytes: 0,
            in_progress: Steps::default(),
            finishes: Vec::new(),
            interrupted: Duration::ZERO,
            counter: None,
            accesses: Vec::new(),
            usage: None,
        }
    }

    /// The colour that tells it from the others of its round.
    pub fn hue(&self) -> Hue {
        self.hue
    }

    /// What the run's shared counter shows, where there is one.
    pub fn counter(&self) -> Option<Counter> {
        self.counter
    }

    /// The accesses to the counter that were told, in the order of time; at most 10,000 of them, the first.
    pub fn accesses(&self) -> &[CounterAccess] {
        &self.accesses
    }

    /// What the run used of the machine; none before its end.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the run came to its end as it was meant to: every task did its work, or was left behind by a
    /// main thread that waits for none.
    pub fn went_as_meant(&self) -> bool {
        let daemon = self.plan.variant == Some(Variant::Collect(Collect::Daemon));
        let done = self.counts.done + if daemon { self.counts.abandoned } else { 0 };
        matches!(self.status, RunStatus::Ended { end: RunEnd::Completed, .. })
            && done as usize == self.tasks.len()
    }

    /// Whether the main thread takes the results of the tasks, so that each of them has a moment at which it
    /// is delivered.
    pub fn takes_results(&self) -> bool {
        matches!(self.plan.variant, Some(Variant::Collect(Collect::Submit | Collect::Completion)))
    }

    /// What was planned.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// Where the run is.
    pub fn status(&self) -> &RunStatus {
        &self.status
    }

    /// When it was given its tasks.
    pub fn started(&self) -> Option<At> {
        match self.status {
            RunStatus::Waiting => None,
            RunStatus::Running { since } => Some(since),
            RunStatus::Ended { from, .. } => Some(from),
        }
    }

    /// The moment up to which there is something to draw: its end, or `now` while it goes on.
    pub fn until(&self, now: At) -> Option<At> {
        match self.status {
            RunStatus::Waiting => None,
            RunStatus::Running { .. } => Some(now),
            RunStatus::Ended { to, .. } => Some(to),
        }
    }

    /// Wall time so far, or in all once it is over; none before it starts.
    pub fn elapsed(&self, now: At) -> Option<Duration> {
        Some(self.until(now)?.since(self.started()?))
    }

    /// Wall time of a run that is over: from the moment the executor was given the tasks until the last
    /// of them had ended.
    pub fn wall(&self) -> Option<Duration> {
        match self.status {
            RunStatus::Ended { from, to, .. } => Some(to.since(from)),
            _ => None,
        }
    }

    /// Whether the run did all of its tasks.
    pub fn did_everything(&self) -> bool {
        matches!(self.status, RunStatus::Ended { end: RunEnd::Completed, .. })
            && self.counts.done as usize == self.tasks.len()
    }

    /// Whether the run did all of its tasks without an interruption, and added up right where it shares a
    /// counter: only then can its wall time be compared.
    pub fn is_comparable(&self) -> bool {
        self.did_everything() && self.interrupted.is_zero() && self.wrong_sum().is_none()
    }

    /// Its shared counter, where that does not show what it must.
    pub fn wrong_sum(&self) -> Option<Counter> {
        self.counter.filter(|counter| !counter.is_right())
    }

    /// Whether both brought [`as_much`].
    pub fn brought_as_much_as(&self, other: &RunState) -> bool {
        as_much(self.bytes, other.bytes)
    }

    /// How long the program did not run while this run was under way.
    pub fn interrupted(&self) -> Duration {
        self.interrupted
    }

    /// The tasks in id order.
    pub fn tasks(&self) -> &[TaskState] {
        &self.tasks
    }

    /// The lanes in id order.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// How many tasks are where.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Tasks that no worker has taken up yet.
    pub fn waiting(&self) -> u32 {
        let taken = self.counts.active + self.counts.over();
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).saturating_sub(taken)
    }

    /// Bytes of bodies so far: what every task has of its last attempt.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many tasks are in progress (taken up and not ended), over time.
    pub fn in_progress(&self) -> &Steps {
        &self.in_progress
    }

    /// When the `count`-th task was done; none when fewer are. No task at all is done at the start.
    pub fn done_at(&self, count: usize) -> Option<At> {
        match count.checked_sub(1) {
            None => self.started(),
            Some(last) => self.finishes.get(last).copied(),
        }
    }

    /// Its tasks in the order in which they ended, those that have not ended last.
    pub fn finish_order(&self) -> Vec<TaskId> {
        let mut order: Vec<TaskId> = (0..self.tasks.len()).map(TaskId::of).collect();
        let ended = |task: &TaskId| self.tasks.get(task.index()).and_then(|task| task.finished);
        order.sort_by_key(|task| (ended(task).is_none(), ended(task)));
        order
    }

    /// How many tasks were done by that moment. Costs a search, however many there are.
    pub fn done_by(&self, at: At) -> usize {
        self.finishes.partition_point(|done| *done <= at)
    }

    /// The spans of one task, in order; the one that goes on ends `now`.
    pub fn spans_of(&self, task: TaskId, now: At) -> Vec<Span> {
        let found = self.tasks.get(task.index()).and_then(|state| Some((state.lane?, state.started?)));
        let Some((lane, from)) = found else { return Vec::new() };
        self.lanes.get(lane.index()).map_or_else(Vec::new, |lane| lane.story(task, from, now))
    }

    pub(super) fn start(&mut self, at: At) {
        if self.status == RunStatus::Waiting {
            self.status = RunStatus::Running { since: at };
        }
    }

    pub(super) fn interrupt(&mut self, long: Duration) {
        if matches!(self.status, RunStatus::Running { .. }) {
            self.interrupted += long;
        }
    }

    pub(super) fn finish(&mut self, at: At, end: RunEnd) {
        let RunStatus::Running { since } = self.status else { return };
        for lane in &mut self.lanes {
            lane.close(at);
        }
        self.status = RunStatus::Ended { from: since, to: at.max(since), end };
    }

    /// Takes one event of this run in; says whether it fitted.
    pub(super) fn apply(&mut self, event: &Event) -> bool {
        let at = event.at;
        if let Fact::LaneOpened { lane, worker, .. } = &event.fact {
            return self.lane_mut(*lane).map(|lane| lane.open_with((**worker).clone(), at)).is_some();
        }
        match &event.fact {
            Fact::CounterRead { expected, actual, .. } => {
                self.counter = Some(Counter { expected: *expected, actual: *actual });
                return true;
            }
            Fact::RunMeasured { usage, .. } => {
                self.usage = Some(**usage);
                return true;
            }
            _ => {}
        }
        let Some(task) = event.fact.task() else { return false };
        let Some(state) = self.tasks.get_mut(task.index()) else { return false };
        if let Fact::ResultDelivered { .. } = &event.fact {
            state.delivered = Some(at);
            if let Some(lane) = state.lane.and_then(|lane| self.lanes.get_mut(lane.index())) {
                lane.deliver(task, at);
            }
            return true;
        }
        if state.stage.is_over() {
            return false;
        }
        match &event.fact {
            Fact::TaskQueued { .. } => {
                state.queued = Some(at);
                if state.stage == Stage::Planned {
                    state.stage = Stage::Queued;
                }
            }
            Fact::TaskStarted { lane, .. } => return self.task_started(task, *lane, at),
            Fact::PhaseEntered { phase, .. } => {
                let Some(lane) = state.lane else { return false };
                state.stage = Stage::Active(*phase);
                if *phase == Phase::Receiving {
                    state.first_byte.get_or_insert(at);
                }
                if let Some(lane) = self.lanes.get_mut(lane.index()) {
                    lane.enter(task, *phase, at);
                }
            }
            Fact::AttemptStarted { number, .. } => {
                if *number > 1 {
                    self.counts.retries += 1;
                }
                state.attempts = *number;
                self.bytes = self.bytes.saturating_sub(state.bytes);
                (state.bytes, state.length, state.first_byte) = (0, None, None);
            }
            Fact::AttemptFailed { error, .. } => state.story_mut().failures.push((at, (**error).clone())),
            Fact::ResponseArrived { head, .. } => {
                state.length = head.length;
                if task.0 < HEADS_KEPT {
                    state.story_mut().heads.push((at, head.clone()));
                }
            }
            Fact::BodyArrived { text, .. } => {
                if task.0 < HEADS_KEPT {
                    state.story_mut().body = Some(text.clone());
                }
            }
            Fact::CounterAccessed { access, .. } => {
                let Some(lane) = state.lane else { return false };
                if self.accesses.len() < ACCESSES_KEPT {
                    let place = self.accesses.iter().rposition(|other| other.at <= at).map_or(0, |i| i + 1);
                    self.accesses.insert(place, CounterAccess { at, task, lane, access: *access });
                }
            }
            Fact::BytesArrived { bytes, .. } => {
                let more = bytes.saturating_sub(state.bytes);
                state.bytes += more;
                self.bytes = self.bytes.saturating_add(more);
            }
            Fact::TaskFinished { end, .. } => {
                self.bytes = self.bytes.saturating_sub(state.bytes).saturating_add(end.bytes);
                state.bytes = end.bytes;
                state.write_nanos = end.write_nanos;
                state.check = end.check;
                state.result = end.result.as_deref().map(Box::from);
                self.task_finished(task, &end.outcome, at);
            }
            _ => return false,
        }
        true
    }

    /// The lane with that id, opened when the plan has room for it.
    fn lane_mut(&mut self, lane: LaneId) -> Option<&mut Lane> {
        if lane.0 >= self.plan.workers {
            return None;
        }
        if lane.index() >= self.lanes.len() {
            self.lanes.resize_with(lane.index() + 1, Lane::default);
        }
        self.lanes.get_mut(lane.index())
    }

    fn task_started(&mut self, task: TaskId, lane: LaneId, at: At) -> bool {
        if self.tasks[task.index()].started.is_some() {
            return false;
        }
        let Some(on) = self.lane_mut(lane) else { return false };
        on.count_task();
        let state = &mut self.tasks[task.index()];
        state.lane = Some(lane);
        state.started = Some(at);
        state.stage = Stage::Active(Phase::Waiting);
        self.counts.active += 1;
        self.in_progress.add(at, 1);
        true
    }

    fn task_finished(&mut self, task: TaskId, outcome: &Outcome, at: At) {
        let state = &mut self.tasks[task.index()];
        state.finished = Some(at);
        let (stage, count) = match outcome {
            Outcome::Done => (Stage::Done, &mut self.counts.done),
            Outcome::Failed(error) => {
                state.error = Some(error.kind);
                state.story_mut().error = Some(error.message.clone());
                (Stage::Failed, &mut self.counts.failed)
            }
            Outcome::Cancelled => (Stage::Cancelled, &mut self.counts.cancelled),
            Outcome::Abandoned => (Stage::Abandoned, &mut self.counts.abandoned),
            Outcome::Panicked { message } => {
                state.story_mut().error = Some(message.clone());
                (Stage::Panicked, &mut self.counts.panicked)
            }
        };
        *count += 1;
        state.stage = stage;
        let (was_started, lane) = (state.started.is_some(), state.lane);
        if was_started {
            self.counts.active = self.counts.active.saturating_sub(1);
            self.in_progress.add(at, -1);
        }
        if stage == Stage::Done {
            let place = self.finishes.iter().rposition(|&other| other <= at).map_or(0, |i| i + 1);
            self.finishes.insert(place, at);
        }
        let lane = lane.and_then(|lane| self.lanes.get_mut(lane.index()));
        if let Some(lane) = lane.filter(|lane| lane.open().is_some_and(|open| open.task == task)) {
            lane.close(at);
        }
    }
}

/// The plan, shared: the state and everything that shows it look names up there.
pub type SharedPlan = Arc<crate::event::RacePlan>;
