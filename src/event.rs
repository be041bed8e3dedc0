//! The one thing that flows: an [`Event`] says what happened, and when.
//!
//! Workers stamp events at the moment the thing happened, with the race's monotonic clock. Everything
//! that is shown, reported or recorded is derived from events alone, so a recording can stand in for
//! a live race. Events are owned and carry facts only: no formatted text and no display setting.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// The request is sent and no byte of the answer's body is here.
    Waiting,
    /// The body is arriving; each chunk is written to the file as it comes.
    Receiving,
    /// Finishing the file: the last bytes, the checks, the rename.
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
}

/// Who runs the tasks, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorKind {
    /// One worker does one task after another.
    Sequential,
    /// A thread for each task.
    Threads,
    /// A fixed number of threads share a queue.
    Pool,
    /// A fixed number of tasks in flight on one event loop.
    Async,
}

impl ExecutorKind {
    /// Every executor, in the order in which they are listed.
    pub const ALL: [ExecutorKind; 4] =
        [ExecutorKind::Sequential, ExecutorKind::Threads, ExecutorKind::Pool, ExecutorKind::Async];

    /// The executor's name, on the command line as on screen.
    pub fn name(self) -> &'static str {
        match self {
            ExecutorKind::Sequential => "sequential",
            ExecutorKind::Threads => "threads",
            ExecutorKind::Pool => "pool",
            ExecutorKind::Async => "async",
        }
    }

    /// The executor with that [`name`](ExecutorKind::name).
    pub fn from_name(name: &str) -> Option<ExecutorKind> {
        ExecutorKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How many tasks this executor can have in progress at once, when asked for `workers` and given
    /// `tasks`: what a perfect speedup could be, and at least 1.
    pub fn parallelism(self, workers: usize, tasks: usize) -> usize {
        match self {
            ExecutorKind::Sequential => 1,
            ExecutorKind::Threads => tasks.max(1),
            ExecutorKind::Pool | ExecutorKind::Async => workers.min(tasks).max(1),
        }
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
        /// How many threads drive the event loop.
        threads: u32,
        /// The thread that drives it; none where several do, for then a task may move between them.
        thread_id: Option<u64>,
    },
}

impl Worker {
    /// The operating system's id of the one thread that this worker runs on, where there is one and
    /// it is known.
    pub fn thread_id(&self) -> Option<u64> {
        match self {
            Worker::Thread { thread_id, .. } | Worker::AsyncSlot { thread_id, .. } => *thread_id,
        }
    }
}

/// What failed: one kind for each thing that a person would do something different about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The server's name could not be resolved.
    NameLookup,
    /// No connection: refused, unreachable, or TLS failed.
    Connect,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// The task's total deadline passed.
    Deadline,
    /// No byte arrived for the stall timeout.
    Stalled,
    /// The server answered with a status that is not 200, nor a 206 that covers the whole.
    Status,
    /// More redirects than allowed, or one that leads to something other than HTTP(S).
    Redirect,
    /// The body is larger than the cap.
    TooLarge,
    /// The body ended before its announced length, or the connection broke in the middle.
    Truncated,
    /// The body's digest is not the one that the server announced.
    Digest,
    /// What the server sent is not HTTP.
    Protocol,
    /// The output folder or the disk refused.
    Disk,
    /// No room is left on the disk.
    DiskFull,
    /// No thread, client or other thing that a worker is made of could be had.
    Worker,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// The words, for people: what happened, and where it helps what to do next.
    pub message: String,
}

impl TaskError {
    /// The most characters of a message: it may quote a server, which may send any number of them.
    pub const LONGEST_MESSAGE: usize = 500;

    /// An error of `kind` in the words of `message`, which is cut, and then ends in `…`, where it is longer
    /// than [`Self::LONGEST_MESSAGE`].
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> TaskError {
        let mut message = message.into();
        if message.chars().nth(Self::LONGEST_MESSAGE).is_some() {
            message = message.chars().take(Self::LONGEST_MESSAGE - 1).chain(['…']).collect();
        }
        TaskError { kind, message }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did all of its work, and the result was checked.
    Done,
    /// It gave up.
    Failed(TaskError),
    /// The run was cancelled before it was finished.
    Cancelled,
    /// Its code panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
}

/// What a finished body was held against.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing: the server announced neither a length nor a digest.
    #[default]
    Nothing,
    /// The announced length.
    Length,
    /// The announced digest, and the length where there was one.
    Digest,
}

/// The end of one task. A finished file is `OUTPUT/RUN/NAME`, of which the plan knows all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Bytes of the body that arrived in the last attempt.
    pub bytes: u64,
    /// Time spent inside the system calls that wrote the body's chunks, in nanoseconds: part of the
    /// receiving phase, which they interrupt.
    pub write_nanos: u64,
    /// What a finished body was held against.
    pub check: Check,
}

/// The head of an HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The protocol's version, such as `HTTP/1.1`.
    pub version: String,
    /// The body's announced length in bytes; none when the server does not say.
    pub length: Option<u64>,
    /// The address that answered.
    pub remote: Option<String>,
    /// The URL that answered, when redirects led away from the task's own.
    pub redirected_to: Option<String>,
    /// The headers in the order of arrival; foreign text.
    pub headers: Vec<(String, String)>,
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

/// One task as planned; the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Its name: safe to show, and the name of the file it writes.
    pub name: String,
    /// What it downloads.
    pub url: String,
}

/// One run as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// Who runs the tasks.
    pub executor: ExecutorKind,
    /// How many tasks it can have in progress at once ([`ExecutorKind::parallelism`]).
    pub workers: u32,
    /// The run's name, unique within the race: the executor's, with the workers where one executor
    /// runs more than once (`pool-10`). Also the name of its folder.
    pub label: String,
}

/// How the runs of a race follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after the other: nothing is shared while the clock runs.
    OneByOne,
    /// All at once, sharing the network and the processors.
    Together,
}

/// The machine that a race ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system's name.
    pub os: String,
    /// The processor's architecture.
    pub arch: String,
    /// How many processors this process may use.
    pub cpus: u32,
}

/// Everything that was decided before a race began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacePlan {
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario shows, in one line.
    pub about: String,
    /// What the tasks are, in the plural: `pictures`, `downloads`.
    pub noun: String,
    /// Where the bytes come from, in words: the origin's address and its shaping, or the server's name.
    pub source: String,
    /// The seed of all chance in the race.
    pub seed: u64,
    /// Whether the runs follow each other or run at once.
    pub order: Order,
    /// The tasks, in id order.
    pub tasks: Vec<TaskPlan>,
    /// The runs, in id order.
    pub runs: Vec<RunPlan>,
    /// The output folder; a run writes below it, in a folder with the run's label.
    pub output: PathBuf,
    /// The machine.
    pub machine: Machine,
}

impl RacePlan {
    /// Where the finished file of `task` in `run` stands; none when there is no such run or task.
    pub fn path(&self, run: RunId, task: TaskId) -> Option<PathBuf> {
        let label = Path::new(&self.runs.get(run.index())?.label);
        Some(self.output.join(label).join(&self.tasks.get(task.index())?.name))
    }
}

/// How many tasks of a run, from the first, tell the head of their answer. The heads of 100,000 tasks
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
    /// A worker exists.
    LaneOpened {
        /// The run.
        run: RunId,
        /// The worker's lane.
        lane: LaneId,
        /// What the worker is.
        worker: Worker,
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
    /// The head of an answer arrived; sent for the first [`HEADS_KEPT`] tasks of a run.
    ResponseArrived {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// The head.
        head: Box<ResponseHead>,
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
    /// This program did not run for a while, up to this moment: it was stopped, or the machine had no time
    /// for it. The times of the runs under way mean nothing any more.
    Interrupted {
        /// How long, in nanoseconds.
        nanos: u64,
    },
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
    fn a_message_is_cut_between_two_characters() {
        let message = |length: usize| TaskError::new(ErrorKind::Digest, "é".repeat(length)).message;
        assert_eq!(message(500), "é".repeat(500));
        assert_eq!(message(501), format!("{}…", "é".repeat(499)));
    }
}
