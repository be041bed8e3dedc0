//! The executor `gil`: N threads share one queue, as in `pool`, and one interpreter lock, as CPython's do.
//!
//! A thread runs a task only with the lock in its hand: it takes it for each poll of the task's future, and
//! lets go while the task awaits (a socket, a sleep), around every call that may block, and at a checkpoint
//! when another has asked for it. What comes of that, and what is not modelled, is said at
//! [`crate::workload::InterpreterLock`].

use std::io;
use std::sync::Arc;

use crate::workload::{InterpreterLock, Terms};

use super::{Job, Leftovers, pool};

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    let lock = Arc::new(InterpreterLock::default());
    pool::share_a_queue(job, job.executor.name(), |cancel| Terms::new(cancel).with_lock(lock))
}
