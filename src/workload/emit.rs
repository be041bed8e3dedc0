//! How workers say what happens: stamp, send, and never wait for anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::{At, Event, Fact, LaneId, Phase, RunId, TaskId};

use super::TaskFault;

/// Stamps facts with the race's clock and hands them over. Sending never waits: the channel has no
/// bound, and nobody sleeps on its other end.
#[derive(Debug, Clone)]
pub struct Emitter {
    clock: Clock,
    out: mpsc::Sender<Event>,
}

impl Emitter {
    /// An emitter that stamps with `clock` and sends to `out`.
    pub fn new(clock: Clock, out: mpsc::Sender<Event>) -> Emitter {
        Emitter { clock, out }
    }

    /// The moment now.
    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// What the machine's monotonic clock showed when the race's clock was at zero, in nanoseconds.
    pub fn zero(&self) -> u64 {
        self.clock.start_nanos()
    }

    /// Says that something happens now.
    pub fn emit(&self, fact: Fact) {
        self.emit_at(self.now(), fact);
    }

    /// Says that something happened at `at`. Nobody listening is no error: the race is being dropped.
    pub fn emit_at(&self, at: At, fact: Fact) {
        let _ = self.out.send(Event { at, fact });
    }
}

/// One number with one writer, alone on its cache lines: neighbours that are written by other
/// processors cost a store 12 ns instead of 1 ns.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot(AtomicU64);

/// How many bytes each task of a run has: written by its worker at every chunk, sampled by the
/// collector. No event is sent for a chunk.
#[derive(Debug, Clone)]
pub struct Progress(Arc<[Slot]>);

impl Progress {
    /// Zero bytes for each of `tasks`.
    pub fn new(tasks: usize) -> Progress {
        Progress((0..tasks).map(|_| Slot::default()).collect())
    }

    /// One number that tasks share which never overlap.
    pub fn of_one_at_a_time() -> Progress {
        Progress::new(1)
    }

    /// Bytes of the task so far.
    pub fn bytes(&self, task: TaskId) -> u64 {
        self.slot(task).map_or(0, |slot| slot.0.load(Ordering::Relaxed))
    }

    fn slot(&self, task: TaskId) -> Option<&Slot> {
        match &*self.0 {
            [only] => Some(only),
            slots => slots.get(task.index()),
        }
    }

    fn set(&self, task: TaskId, bytes: u64) {
        if let Some(slot) = self.slot(task) {
            slot.0.store(bytes, Ordering::Relaxed);
        }
    }
}

/// What a task has to heed while it keeps its worker's thread to itself.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Tells it to stop.
    pub cancel: CancellationToken,
}

/// A task in a worker's hands: which one it is, how to tell what happens to it, and what it has to heed.
#[derive(Debug, Clone)]
pub struct TaskContext {
    emitter: Emitter,
    progress: Progress,
    run: RunId,
    task: TaskId,
    lane: LaneId,
    write_nanos: Arc<AtomicU64>,
    terms: Terms,
}

impl TaskContext {
    /// The context of `task` of `run` on `lane`.
    pub fn new(
        emitter: Emitter,
        progress: Progress,
        run: RunId,
        task: TaskId,
        lane: LaneId,
        terms: Terms,
    ) -> TaskContext {
        TaskContext { emitter, progress, run, task, lane, write_nanos: Arc::default(), terms }
    }

    /// Asks in the middle of a computation whether to go on. Cheap: may be asked every few microseconds, and
    /// must be every few milliseconds.
    ///
    /// # Errors
    /// [`TaskFault::Stopped`] when the task is to stop.
    pub fn checkpoint(&self) -> Result<(), TaskFault> {
        if self.terms.cancel.is_cancelled() { Err(TaskFault::Stopped) } else { Ok(()) }
    }

    /// Makes a call that may block the thread: what an interpreter makes without its lock.
    pub fn blocking<T>(&self, call: impl FnOnce() -> T) -> T {
        call()
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The lane of the worker that does it.
    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// The moment now.
    pub fn now(&self) -> At {
        self.emitter.now()
    }

    /// Says something about this task that is so since `at`.
    pub fn emit_at(&self, at: At, fact: impl FnOnce(RunId, TaskId) -> Fact) {
        self.emitter.emit_at(at, fact(self.run, self.task));
    }

    /// Says something about this task that is so from now on.
    pub fn emit(&self, fact: impl FnOnce(RunId, TaskId) -> Fact) {
        self.emit_at(self.now(), fact);
    }

    /// Goes into a phase now.
    pub fn enter(&self, phase: Phase) {
        self.enter_at(self.now(), phase);
    }

    /// Went into a phase at `at`.
    pub fn enter_at(&self, at: At, phase: Phase) {
        self.emit_at(at, |run, task| Fact::PhaseEntered { run, task, phase });
    }

    /// Sets how many bytes of the body are here.
    pub fn set_bytes(&self, bytes: u64) {
        self.progress.set(self.task, bytes);
    }

    /// Bytes of the body that are here.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes(self.task)
    }

    /// Adds to the time spent inside the system calls that write.
    pub fn add_write_nanos(&self, nanos: u64) {
        self.write_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Nanoseconds spent inside the system calls that write.
    pub fn write_nanos(&self) -> u64 {
        self.write_nanos.load(Ordering::Relaxed)
    }
}
