//! The one thing that flows: an [`Event`] says what happened, and when.
//!
//! Workers stamp events at the moment the thing happened, with the race's monotonic clock. Everything
//! that is shown, reported or recorded is derived from events alone, so a recording can stand in for
//! a live race. Events are owned and carry facts only: no formatted text and no display setting.

mod headers;
mod plan;
mod task;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use headers::Headers;
pub use plan::{ClockZero, Machine, Order, RacePlan, Round, RunPlan, TaskPlan, TimeScale, WorkloadKind};
pub use task::{Check, ErrorKind, Outcome, ResponseHead, TaskEnd, TaskError};

/// A moment: nanoseconds since the race's clock was started.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// The start of the race's clock.
    pub const ZERO: At = At(0);

    /// The moment `elapsed` after the clock's start; saturates after 584 years.
    pub fn from_duration(elapsed: Duration) -> At {
        At(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Seconds since the clock's start.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved later by `by`.
    pub fn plus(self, by: Duration) -> At {
        At(self.0.saturating_add(At::from_duration(by).0))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The id as an index into a list kept in id order.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of the element at `index`; saturates at the largest id.
            pub fn of(index: usize) -> Self {
                Self(<$inner>::try_from(index).unwrap_or(<$inner>::MAX))
            }
        }
    };
}

id! {
    /// A run within a race, counted from 0 in the order of the plan.
    RunId(u16)
}
id! {
    /// A task within a race, counted from 0; the same id is the same work in every run.
    TaskId(u32)
}
id! {
    /// A worker's lane within a run, counted from 0 in the order in which lanes opened.
    LaneId(u32)
}

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Handed to the executor, and no worker has taken it up.
    Queued,
    /// Opening a connection: the name's look-up (when it was not resolved up front), TCP and TLS.
    Connecting,
    /// Waiting for an answer: the request is sent and no byte of the answer's body is here; or the disk or the
    /// database was asked for what it holds, which is compared as it comes.
    Waiting,
    /// The body is arriving; each chunk is written to the file as it comes.
    Receiving,
    /// Finishing the file: the last bytes, the checks, the rename; or, where files and rows are the work itself,
    /// making, copying, changing and deleting them.
    Writing,
    /// Using the processor.
    Computing,
    /// Waiting for a lock that another worker holds.
    Locked,
    /// Sleeping on purpose: the work itself is a wait.
    Sleeping,
    /// Waiting before the next attempt.
    BackingOff,
}

impl Phase {
    /// Every phase, in the order in which legends list them.
    pub const ALL: [Phase; 9] = [
        Phase::Queued,
        Phase::Connecting,
        Phase::Waiting,
        Phase::Receiving,
        Phase::Writing,
        Phase::Computing,
        Phase::Locked,
        Phase::Sleeping,
        Phase::BackingOff,
    ];

    /// The phase's position in [`Phase::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The phase's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Queued => "queued",
            Phase::Connecting => "connecting",
            Phase::Waiting => "waiting",
            Phase::Receiving => "receiving",
            Phase::Writing => "writing",
            Phase::Computing => "computing",
            Phase::Locked => "locked",
            Phase::Sleeping => "sleeping",
            Phase::BackingOff => "backing off",
        }
    }

    /// What people call the phase in a workload: no server is waited for where files and rows are read.
    pub fn called_in(self, workload: WorkloadKind) -> &'static str {
        match (self, workload) {
            (Phase::Waiting, WorkloadKind::Files | WorkloadKind::Crud) => "reading",
            _ => self.name(),
        }
    }
}

/// What a report in JSON calls its format, to who writes it and who reads it back.
pub const REPORT_FORMAT: &str = "threadrace-report";

/// Who runs the tasks, and when. In JSON, its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ExecutorKind {
    /// One worker does one task after another.
    Sequential,
    /// A thread for each task.
    Threads,
    /// A fixed number of threads share a queue.
    Pool,
    /// A fixed number of tasks in flight on one event loop.
    Async,
    /// A fixed number of child processes of this program, each with memory of its own.
    Processes,
    /// A fixed number of threads that take turns at one interpreter lock, the way CPython's do.
    Gil,
    /// Another program, which speaks the protocol of `assets/protocol.md`; by its name in the configuration.
    External(Arc<str>),
}

impl ExecutorKind {
    /// Every executor that is part of this program, in the order in which they are listed.
    pub const BUILT_IN: [ExecutorKind; 6] = [
        ExecutorKind::Sequential,
        ExecutorKind::Threads,
        ExecutorKind::Pool,
        ExecutorKind::Async,
        ExecutorKind::Processes,
        ExecutorKind::Gil,
    ];

    /// The executor's name, on the command line as on screen.
    pub fn name(&self) -> &str {
        match self {
            ExecutorKind::Sequential => "sequential",
            ExecutorKind::Threads => "threads",
            ExecutorKind::Pool => "pool",
            ExecutorKind::Async => "async",
            ExecutorKind::Processes => "processes",
            ExecutorKind::Gil => "gil",
            ExecutorKind::External(name) => name,
        }
    }

    /// The built-in executor with that [`name`](ExecutorKind::name).
    pub fn built_in(name: &str) -> Option<ExecutorKind> {
        ExecutorKind::BUILT_IN.into_iter().find(|kind| kind.name() == name)
    }

    /// How many tasks this executor can have in progress at once, when asked for `workers` and given
    /// `tasks`: what a perfect speedup could be, and at least 1.
    pub fn parallelism(&self, workers: usize, tasks: usize) -> usize {
        match self {
            ExecutorKind::Sequential => 1,
            ExecutorKind::Threads => tasks.max(1),
            _ => workers.min(tasks).max(1),
        }
    }
}

impl From<String> for ExecutorKind {
    fn from(name: String) -> ExecutorKind {
        ExecutorKind::built_in(&name).unwrap_or_else(|| ExecutorKind::External(name.into()))
    }
}

impl From<ExecutorKind> for String {
    fn from(kind: ExecutorKind) -> String {
        kind.name().to_owned()
    }
}

impl fmt::Display for ExecutorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a lane's worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Worker {
    /// An operating-system thread.
    Thread {
        /// The thread's name.
        name: String,
        /// The operating system's id of the thread, where it tells one.
        thread_id: Option<u64>,
    },
    /// A place for one task in flight on an event loop.
    AsyncSlot {
        /// How many threads drive the event loop; zero where nobody told.
        threads: u32,
        /// The thread that drives it; none where several do, for then a task may move between them.
        thread_id: Option<u64>,
    },
    /// A thread of another process.
    Process {
        /// The operating system's id of the process.
        pid: u32,
        /// The thread's name in that process.
        name: String,
        /// The operating system's id of the thread, where the process told one.
        thread_id: Option<u64>,
    },
}

impl Worker {
    /// What an async slot is called, which has no name of its own.
    pub const SLOT: &str = "slot";

    /// The worker's name.
    pub fn name(&self) -> &str {
        match self {
            Worker::Thread { name, .. } | Worker::Process { name, .. } => name,
            Worker::AsyncSlot { .. } => Worker::SLOT,
        }
    }

    /// The operating system's id of the one thread that this worker runs on, where there is one and
    /// it is known.
    pub fn thread_id(&self) -> Option<u64> {
        match self {
            Worker::Thread { thread_id, .. }
            | Worker::AsyncSlot { thread_id, .. }
            | Worker::Process { thread_id, .. } => *thread_id,
        }
    }

    /// The operating system's id of the process that this worker is in, where that is another than ours.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Worker::Process { pid, .. } => Some(*pid),
            Worker::Thread { .. } | Worker::AsyncSlot { .. } => None,
        }
    }
}

/// How the main thread of a run takes its tasks' results.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collect {
    /// It waits until all tasks have ended, and takes none by itself: `join`.
    #[default]
    Join,
    /// In the order in which the tasks were submitted: Python's `map`.
    Submit,
    /// In the order in which they end: Python's `as_completed`.
    Completion,
    /// Not at all: its workers are daemons, and what still runs when the main thread ends is cut off.
    Daemon,
}

/// What keeps the additions to a shared counter apart.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Nothing: each addition is a load and then a store, and updates get lost.
    #[default]
    None,
    /// A mutex around the load and the store.
    Mutex,
    /// One atomic addition.
    Atomic,
}

/// What a run does differently from other runs of the same executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// How its main thread takes the results.
    Collect(Collect),
    /// What guards the shared counter.
    Guard(Guard),
}

impl Variant {
    /// Every variant that can be named, in the order in which they are listed.
    pub const ALL: [Variant; 7] = [
        Variant::Collect(Collect::Join),
        Variant::Collect(Collect::Submit),
        Variant::Collect(Collect::Completion),
        Variant::Collect(Collect::Daemon),
        Variant::Guard(Guard::None),
        Variant::Guard(Guard::Mutex),
        Variant::Guard(Guard::Atomic),
    ];

    /// The variant's name, on the command line as on screen.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Collect(Collect::Join) => "join",
            Variant::Collect(Collect::Submit) => "submit",
            Variant::Collect(Collect::Completion) => "completion",
            Variant::Collect(Collect::Daemon) => "daemon",
            Variant::Guard(Guard::None) => "unguarded",
            Variant::Guard(Guard::Mutex) => "mutex",
            Variant::Guard(Guard::Atomic) => "atomic",
        }
    }

    /// The variant with that [`name`](Variant::name).
    pub fn from_name(name: &str) -> Option<Variant> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name)
    }
}

/// What a worker did to the shared counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It read this value.
    Load {
        /// The value.
        value: u64,
    },
    /// It wrote a value over the one that stood there.
    Store {
        /// The value.
        value: u64,
        /// What it replaced. Where that is more than it had read, other workers' additions were lost.
        over: u64,
    },
}

/// What a run used of the machine, as the operating system tells it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time in user mode, in nanoseconds, children included; none where it is not told.
    pub user_nanos: Option<u64>,
    /// Processor time in the kernel, in nanoseconds, children included; none where it is not told.
    pub system_nanos: Option<u64>,
    /// The most memory that this program and its children had in use at once, in bytes (resident set size,
    /// sampled about 20 times a second); none where it is not told.
    pub peak_memory: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum RunEnd {
    /// Every task came to its own end.
    Completed,
    /// Somebody cancelled it.
    Cancelled,
    /// The executor could not go on.
    Failed {
        /// Why, in words.
        message: String,
    },
}

/// How many tasks of a run, from the first, tell the whole head of their answer. The heads of 100,000 tasks
/// would fill the memory that a laptop has, and nobody reads them.
pub const HEADS_KEPT: u32 = 500;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    /// The race is planned and about to start; always the first event.
    RaceStarted {
        /// The plan.
        plan: Arc<RacePlan>,
    },
    /// The executor was given the tasks: a run's wall time starts here.
    RunStarted {
        /// The run.
        run: RunId,
    },
    /// A worker exists. A lane that opens again has a new worker: the one before it was lost.
    LaneOpened {
        /// The run.
        run: RunId,
        /// The worker's lane.
        lane: LaneId,
        /// What the worker is.
        worker: Box<Worker>,
    },
    /// A task was handed to the executor.
    TaskQueued {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
    },
    /// A worker took a task up.
    TaskStarted {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The worker's lane.
        lane: LaneId,
    },
    /// A task went into a phase; the one before it ends at the same moment.
    PhaseEntered {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The phase.
        phase: Phase,
    },
    /// A task began one more attempt; the first is number 1.
    AttemptStarted {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// Which attempt, from 1.
        number: u32,
    },
    /// An attempt failed, and another will follow.
    AttemptFailed {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// Why.
        error: Box<TaskError>,
    },
    /// The head of an answer arrived: for the first [`HEADS_KEPT`] tasks of a run all of it, for the others its status
    /// and the body's length where that is known.
    ResponseArrived {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The head, which whoever keeps it shares.
        head: Arc<ResponseHead>,
    },
    /// The body of an answer that is short text, or its beginning; sent for the first [`HEADS_KEPT`] tasks of
    /// a run whose workload is about it.
    BodyArrived {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The text, as it came; foreign.
        text: Arc<str>,
    },
    /// A worker read or wrote the shared counter; told only where somebody is to follow it with the eye.
    CounterAccessed {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// What it did.
        access: Access,
    },
    /// What the shared counter of a run shows, and what it would show had no addition been lost: a sample
    /// while tasks are adding, and the truth once they have ended.
    CounterRead {
        /// The run.
        run: RunId,
        /// What it must be.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The result of a task was handed to the main thread.
    ResultDelivered {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
    },
    /// What a run used of the machine; told right after its end.
    RunMeasured {
        /// The run.
        run: RunId,
        /// What it used.
        usage: Box<Usage>,
    },
    /// How many bytes of the body had arrived at this moment: a sample, about 20 a second.
    BytesArrived {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// Bytes so far in this attempt.
        bytes: u64,
    },
    /// A task came to its end.
    TaskFinished {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// How, and what is left of it.
        end: Box<TaskEnd>,
    },
    /// This program did not run for a while, this moment among it: it was stopped, or the machine had no time
    /// for it. The times of the runs that were under way mean nothing any more.
    Interrupted {
        /// How long, in nanoseconds.
        nanos: u64,
    },
    /// The collector has passed on everything that workers had said until this moment; told about 20 times a
    /// second. What a live race shows is the state as of the last of these moments.
    Collected,
    /// Every task has ended, or was given up: a run's wall time ends here.
    RunFinished {
        /// The run.
        run: RunId,
        /// How.
        end: RunEnd,
    },
    /// All runs are over; always the last event.
    RaceFinished,
}

impl Fact {
    /// The run that the fact is about; none where it is about the race.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Fact::RunStarted { run }
            | Fact::LaneOpened { run, .. }
            | Fact::TaskQueued { run, .. }
            | Fact::TaskStarted { run, .. }
            | Fact::PhaseEntered { run, .. }
            | Fact::AttemptStarted { run, .. }
            | Fact::AttemptFailed { run, .. }
            | Fact::ResponseArrived { run, .. }
            | Fact::BodyArrived { run, .. }
            | Fact::CounterAccessed { run, .. }
            | Fact::CounterRead { run, .. }
            | Fact::ResultDelivered { run, .. }
            | Fact::RunMeasured { run, .. }
            | Fact::BytesArrived { run, .. }
            | Fact::TaskFinished { run, .. }
            | Fact::RunFinished { run, .. } => Some(*run),
            Fact::RaceStarted { .. } | Fact::Interrupted { .. } | Fact::Collected | Fact::RaceFinished => {
                None
            }
        }
    }

    /// The task that the fact is about; none where it is about more than one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Fact::TaskQueued { task, .. }
            | Fact::TaskStarted { task, .. }
            | Fact::PhaseEntered { task, .. }
            | Fact::AttemptStarted { task, .. }
            | Fact::AttemptFailed { task, .. }
            | Fact::ResponseArrived { task, .. }
            | Fact::BodyArrived { task, .. }
            | Fact::CounterAccessed { task, .. }
            | Fact::ResultDelivered { task, .. }
            | Fact::BytesArrived { task, .. }
            | Fact::TaskFinished { task, .. } => Some(*task),
            Fact::RaceStarted { .. }
            | Fact::RunStarted { .. }
            | Fact::LaneOpened { .. }
            | Fact::CounterRead { .. }
            | Fact::RunMeasured { .. }
            | Fact::Interrupted { .. }
            | Fact::Collected
            | Fact::RunFinished { .. }
            | Fact::RaceFinished => None,
        }
    }
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened, stamped by whoever did it.
    pub at: At,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<Event>() <= 48, "{}", size_of::<Event>());
    }
}
