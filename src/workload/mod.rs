//! What a task does. A workload is one async function over a worker's own session, and every executor
//! drives that same function: what differs between two runs is who runs it and when, never the work.

pub mod download;
mod emit;
mod http;
mod output;

use std::future::Future;
use std::pin::Pin;

pub use emit::{Emitter, Progress, TaskContext};
pub use http::{Resolved, Tls, TlsError};
pub use output::{OutputError, OutputFolder, RunFolder};

use crate::event::{Check, TaskError};

/// What is left of a task that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskResult {
    /// Bytes of the body.
    pub bytes: u64,
    /// What the body was held against.
    pub check: Check,
}

/// The future of one task.
pub type TaskFuture<'a> = Pin<Box<dyn Future<Output = Result<TaskResult, TaskError>> + Send + 'a>>;

/// The tasks of one run, ready to be done.
pub trait Workload: Send + Sync {
    /// Makes what a worker needs for itself, such as a client with its connections. Called on the
    /// worker's own runtime.
    ///
    /// # Errors
    /// When the worker can't be equipped; its tasks then fail with that error.
    fn open(&self) -> Result<Box<dyn Session>, TaskError>;
}

/// What one worker keeps from task to task. Two workers never share one.
pub trait Session: Send {
    /// Does the task that the context names. Dropping the future gives the task up and leaves nothing
    /// half-done behind.
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a>;
}
