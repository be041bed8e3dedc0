//! What a task does. A workload is one async function over a worker's own session, and every executor
//! drives that same function: what differs between two runs is who runs it and when, never the work.

pub mod api;
pub mod compute;
pub mod counter;
pub mod crud;
pub mod download;
mod emit;
pub mod files;
mod http;
mod interpreter;
mod output;
mod plan;
mod request;
pub mod sleep;
mod terms;
mod working;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use tokio_util::sync::CancellationToken;

pub use emit::{Emitter, Progress, TaskContext, Turn};
pub use http::{Resolved, Tls, TlsError};
pub use interpreter::{InterpreterLock, SWITCH_INTERVAL};
pub use output::{OutputError, OutputFolder, RunFolder, SIGN_OF_LIFE, outlive_large_files};
pub use plan::{TargetPlan, WorkPlan};
pub use terms::Terms;

use crate::event::{At, Check, ErrorKind, RunId, TaskError, TaskId};

/// What is left of a task that did its work.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TaskResult {
    /// Bytes of the body, or of the files that were written and read.
    pub bytes: u64,
    /// What the work was held against.
    pub check: Check,
    /// What came out, in a few words.
    pub result: Option<String>,
}

/// Why a task did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskFault {
    /// It gave up.
    Failed(TaskError),
    /// It was told to stop, and did.
    Stopped,
}

impl From<TaskError> for TaskFault {
    fn from(error: TaskError) -> TaskFault {
        TaskFault::Failed(error)
    }
}

impl TaskFault {
    /// A failure of `kind`, in words.
    pub fn failed(kind: ErrorKind, message: impl Into<String>) -> TaskFault {
        TaskFault::Failed(TaskError::new(kind, message))
    }
}

/// The future of one task.
pub type TaskFuture<'a> = Pin<Box<dyn Future<Output = Result<TaskResult, TaskFault>> + Send + 'a>>;

/// The tasks of one run, ready to be done.
pub trait Workload: Send + Sync {
    /// Makes what a worker needs for itself, such as a client with its connections. Called on the
    /// worker's own runtime.
    ///
    /// # Errors
    /// When the worker can't be equipped; its tasks then fail with that error.
    fn open(&self) -> Result<Box<dyn Session>, TaskError>;

    /// Gets ready what the tasks of the run are to find. Called once, before any clock runs.
    ///
    /// # Errors
    /// When it can't be had; [`TaskFault::Stopped`] when `cancel` broke it off. Either way nothing stays behind.
    fn prepare(&self, _cancel: &CancellationToken) -> Result<(), TaskFault> {
        Ok(())
    }

    /// The folder that the tasks of this run share while they work, for workers in other processes to join;
    /// none before it is prepared, and where there is nothing to share.
    fn working_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Looks, when every task of `run` has ended, at what they did together, and says it at `at`, which is
    /// the run's end. The workers' sessions still exist.
    ///
    /// # Errors
    /// In words, when what they did together is wrong though each did its work: the run has then failed.
    fn conclude(&self, _emitter: &Emitter, _run: RunId, _at: At) -> Result<(), String> {
        Ok(())
    }

    /// What the tasks are doing together, for the collector to ask about 20 times a second; said at once.
    fn sample(&self, _emitter: &Emitter, _run: RunId) {}

    /// What another process must know to do these tasks; none when only this one can.
    fn plan(&self) -> Option<WorkPlan> {
        None
    }

    /// Takes note that another process finished what `task` leaves behind, such as a file, which has so many
    /// bytes.
    ///
    /// # Errors
    /// When it is not there, or not whole: then the task is not done.
    fn done_elsewhere(&self, _task: TaskId, _bytes: u64) -> Result<(), TaskError> {
        Ok(())
    }

    /// Another process was lost while it worked on `task`, of which it had told so many bytes: takes note of what it had
    /// finished without saying so, and removes what it left half-done.
    fn lost_elsewhere(&self, _task: TaskId, _bytes: u64) {}
}

/// What one worker keeps from task to task. Two workers never share one.
pub trait Session: Send {
    /// Does the task that the context names. Dropping the future gives the task up and leaves nothing
    /// half-done behind.
    ///
    /// Whatever computes for longer than a few milliseconds asks [`TaskContext::checkpoint`] in between,
    /// and every call that may block goes through [`TaskContext::blocking`].
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a>;
}
