//! Who runs the tasks, and when. Every executor drives the same task body ([`crate::workload`]) on
//! workers of its own kind; each worker has a lane, a session and a runtime of its own.

mod checker;
mod child;
mod crew;
mod event_loop;
mod expected;
mod gil;
mod main_thread;
mod pool;
mod processes;
mod program;
mod protocol;
mod sequential;
mod threads;
mod worker;

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::event::{
    At, Check, Collect, ErrorKind, ExecutorKind, Fact, LaneId, Outcome, RunEnd, RunId, TaskEnd, TaskError,
    TaskId, Worker,
};
use crate::workload::{Emitter, Progress, Session, TaskContext, TaskFault, TaskResult, Terms, Workload};

pub use expected::panic_is_expected;
use expected::{ExpectingPanic, caught};
pub use worker::{WorkerError, work_for_parent};

/// One run, as an executor is given it.
#[derive(Clone)]
pub struct Job {
    /// Who runs the tasks.
    pub executor: ExecutorKind,
    /// Which run it is.
    pub run: RunId,
    /// How many tasks there are; each has work under its number in the workload.
    pub tasks: usize,
    /// How many of them may be in progress at once ([`ExecutorKind::parallelism`]).
    pub workers: NonZeroUsize,
    /// How many threads drive the event loop of async.
    pub async_threads: NonZeroUsize,
    /// How the main thread, which is the one that calls [`Job::execute`], takes the results.
    pub collect: Collect,
    /// How long the main thread has work of its own once the tasks are handed out; `sequential` does it after them,
    /// and other executors than that, threads, pool and gil do none.
    pub main_work: Duration,
    /// The program and its arguments, for [`ExecutorKind::External`].
    pub command: Arc<[String]>,
    /// This program, for [`ExecutorKind::Processes`]: its command `worker` is [`work_for_parent`].
    pub own_program: Arc<Path>,
    /// How long other processes may keep silent.
    pub patience: Patience,
    /// The work.
    pub workload: Arc<dyn Workload>,
    /// Where events go.
    pub emitter: Emitter,
    /// Where bytes are counted.
    pub progress: Progress,
    /// Cancels the run: tasks in progress are dropped, and no new one is taken up.
    pub cancel: CancellationToken,
}

/// How long a process that does tasks may keep silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until it is ready.
    pub ready: Duration,
    /// While it has tasks.
    pub silent: Duration,
}

impl Patience {
    /// Waits for ever.
    pub const ENDLESS: Patience = Patience { ready: Duration::MAX, silent: Duration::MAX };
}

impl Job {
    /// Does all tasks and returns when each has come to its end and what they were done with is gone.
    /// Everything else is said in events, from `RunStarted` to `RunFinished`, which is when the last task
    /// has ended and the executor has its workers back: taking their equipment apart is no part of a run.
    ///
    /// `done` is called where the last task has ended. An executor that answers with an error has taken no task up;
    /// its tasks then fail with that error.
    pub fn execute(&self, done: impl FnOnce()) {
        if let Err(error) = event_loop::try_threads(self) {
            return self.refuse(&error);
        }
        self.emitter.emit(Fact::RunStarted { run: self.run });
        let ended = match &self.executor {
            ExecutorKind::Sequential => sequential::execute(self),
            ExecutorKind::Threads => threads::execute(self),
            ExecutorKind::Pool => pool::execute(self),
            ExecutorKind::Async => event_loop::execute(self),
            ExecutorKind::Processes => processes::execute(self),
            ExecutorKind::Gil => gil::execute(self),
            ExecutorKind::External(_) => program::execute(self),
        };
        match ended {
            Ok(leftovers) => {
                let at = self.emitter.now();
                done();
                let concluded = self.workload.conclude(&self.emitter, self.run, at);
                let end = match (leftovers.broke_off, concluded) {
                    (Some(message), _) => RunEnd::Failed { message },
                    _ if self.cancel.is_cancelled() => RunEnd::Cancelled,
                    (None, Ok(())) => RunEnd::Completed,
                    (None, Err(message)) => RunEnd::Failed { message },
                };
                self.emitter.emit_at(at, Fact::RunFinished { run: self.run, end });
                (leftovers.take_apart)();
            }
            Err(error) => self.fail(no_worker(&error)),
        }
    }

    /// Ends a run that has no thread to run on: its tasks fail, and it is told why.
    pub fn refuse(&self, error: &io::Error) {
        self.emitter.emit(Fact::RunStarted { run: self.run });
        self.fail(no_worker(error));
    }

    /// Ends a run that can't be begun for a `reason`, which says what to do about it: its tasks fail.
    pub fn refuse_because(&self, reason: &str) {
        self.emitter.emit(Fact::RunStarted { run: self.run });
        self.fail(TaskError::new(ErrorKind::Worker, reason));
    }

    fn fail(&self, error: TaskError) {
        for task in self.task_ids() {
            self.task_ended_unstarted(task, Outcome::Failed(error.clone()));
        }
        let end = RunEnd::Failed { message: error.message };
        self.emitter.emit(Fact::RunFinished { run: self.run, end });
    }

    fn task_ids(&self) -> impl Iterator<Item = TaskId> + Clone + use<> {
        (0..self.tasks).map(TaskId::of)
    }

    fn queued(&self, task: TaskId) {
        self.emitter.emit(Fact::TaskQueued { run: self.run, task });
    }

    /// Says that a lane of this thread is open.
    fn thread_lane(&self, lane: LaneId) {
        let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let worker = Worker::Thread { name, thread_id: thread_id() };
        self.emitter.emit(Fact::LaneOpened { run: self.run, lane, worker: Box::new(worker) });
    }

    fn task_ended_at(&self, at: At, task: TaskId, end: TaskEnd) {
        self.emitter.emit_at(at, Fact::TaskFinished { run: self.run, task, end: Box::new(end) });
    }

    /// Ends a task that no worker took up.
    fn task_ended_unstarted(&self, task: TaskId, outcome: Outcome) {
        let end = TaskEnd { outcome, bytes: 0, write_nanos: 0, check: Check::Nothing, result: None };
        self.task_ended_at(self.emitter.now(), task, end);
    }

    /// How a task ended that was told to stop: only its own terms tell it so when it is left behind, and the
    /// run's token otherwise.
    fn stopped(&self) -> Outcome {
        if self.cancel.is_cancelled() { Outcome::Cancelled } else { Outcome::Abandoned }
    }

    /// Does one task on a lane: the same body, whoever drives it. The outcome is said in events; a
    /// panic costs this task, and the session in which it happened. Returns what there is to hand over.
    async fn drive(&self, terms: &Terms, equipment: &mut Equipment, lane: LaneId, task: TaskId) -> Left {
        // Whose task was the first to hear of a cancel asks for the next one before the sign of it stands.
        if terms.cancel().is_cancelled() {
            self.task_ended_unstarted(task, self.stopped());
            return Left::Nothing;
        }
        let (emitter, progress) = (self.emitter.clone(), self.progress.clone());
        let context = TaskContext::new(emitter, progress, self.run, task, lane, terms.clone());
        context.emit(|run, task| Fact::TaskStarted { run, task, lane });
        let mut ended = None;
        let done = {
            let body = AssertUnwindSafe(async { equipment.session(self)?.perform(&context).await });
            let mut body = pin!(body.catch_unwind());
            let body = poll_fn(|polled| {
                // A turn that never comes is the token's doing, which ends the wait for this future.
                let Ok(_turn) = context.turn() else { return Poll::Pending };
                let _expecting = ExpectingPanic::here();
                let polled = body.as_mut().poll(polled);
                if polled.is_ready() {
                    // Stamped before the turn ends: whoever has the next one begins later.
                    ended = Some(self.emitter.now());
                }
                polled
            });
            tokio::select! {
                biased;
                done = body => Some(done),
                () = terms.cancel().cancelled() => None,
            }
        };
        let mut result = TaskResult::default();
        let outcome = match done {
            None | Some(Ok(Err(TaskFault::Stopped))) => self.stopped(),
            Some(Ok(Ok(done))) => {
                result = done;
                Outcome::Done
            }
            Some(Ok(Err(TaskFault::Failed(error)))) => Outcome::Failed(error),
            Some(Err(panic)) => {
                *equipment = Equipment::None;
                Outcome::Panicked { message: panic_message(panic.as_ref()).to_owned() }
            }
        };
        let bytes = if outcome == Outcome::Done { result.bytes } else { context.bytes() };
        let disk_full = matches!(&outcome, Outcome::Failed(error) if error.kind == ErrorKind::DiskFull);
        let (write_nanos, check) = (context.write_nanos(), result.check);
        let left = Left::of(&outcome);
        let at = ended.unwrap_or_else(|| self.emitter.now());
        self.task_ended_at(at, task, TaskEnd { outcome, bytes, write_nanos, check, result: result.result });
        if disk_full {
            self.cancel.cancel();
        }
        left
    }
}

/// What a task that has ended leaves for a main thread that takes results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// A result, or the error in its place.
    Result,
    /// Nothing: it was told to stop.
    Nothing,
}

impl Left {
    fn of(outcome: &Outcome) -> Left {
        match outcome {
            Outcome::Done | Outcome::Failed(_) | Outcome::Panicked { .. } => Left::Result,
            Outcome::Cancelled | Outcome::Abandoned => Left::Nothing,
        }
    }
}

/// What a worker does its tasks with: made when the first one comes, and made anew after a panic.
#[derive(Default)]
enum Equipment {
    #[default]
    None,
    Session(Box<dyn Session>),
}

impl Equipment {
    fn session(&mut self, job: &Job) -> Result<&mut dyn Session, TaskError> {
        if let Equipment::None = self {
            *self = Equipment::Session(job.workload.open()?);
        }
        match self {
            Equipment::Session(session) => Ok(session.as_mut()),
            Equipment::None => Err(TaskError::new(ErrorKind::Worker, "the worker has no session")),
        }
    }
}

/// A worker that is a thread: it drives the shared task body on a runtime of its own, so that its lane
/// shows what this very thread does.
struct ThreadWorker {
    lane: LaneId,
    runtime: Option<Runtime>,
    equipment: Equipment,
    terms: Terms,
}

impl ThreadWorker {
    /// Opens the lane of the calling thread.
    fn open(job: &Job, lane: LaneId, terms: Terms) -> io::Result<ThreadWorker> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        job.thread_lane(lane);
        Ok(ThreadWorker { lane, runtime: Some(runtime), equipment: Equipment::None, terms })
    }

    fn perform(&mut self, job: &Job, task: TaskId) -> Left {
        match &self.runtime {
            Some(runtime) => runtime.block_on(job.drive(&self.terms, &mut self.equipment, self.lane, task)),
            None => Left::Nothing,
        }
    }
}

impl Drop for ThreadWorker {
    fn drop(&mut self) {
        self.equipment = Equipment::None;
        // Waiting for a name look-up that still runs on a hidden thread could take minutes.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What is left of an executor when the last task has ended.
struct Leftovers {
    /// Takes apart what it did its tasks with, when the run's end is told.
    take_apart: Box<dyn FnOnce()>,
    /// Why it could not go on to the end, if it could not.
    broke_off: Option<String>,
}

impl Leftovers {
    fn of(rest: impl Any) -> Leftovers {
        Leftovers::taken_apart_by(move || drop(rest))
    }

    fn taken_apart_by(take_apart: impl FnOnce() + 'static) -> Leftovers {
        Leftovers { take_apart: Box::new(take_apart), broke_off: None }
    }

    /// Of an executor that could not go on, for a reason in words.
    fn broken_off(reason: String) -> Leftovers {
        Leftovers { broke_off: Some(reason), ..Leftovers::of(()) }
    }
}

/// The error of a task for which no worker could be had.
fn no_worker(error: &io::Error) -> TaskError {
    let words =
        format!("no thread could be had: {error}; use fewer workers, or raise `ulimit -u` and `ulimit -n`");
    TaskError::new(ErrorKind::Worker, words)
}

/// The error of an executor that can't have all the threads that it needs.
fn too_many(threads: usize) -> io::Error {
    io::Error::other(format!("{threads} at once are more than the system gives"))
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

/// The operating system's id of the calling thread, where it tells one.
fn thread_id() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return u64::try_from(rustix::thread::gettid().as_raw_nonzero().get()).ok();
    #[cfg(not(target_os = "linux"))]
    None
}
