//! The workload `counter`: every task adds to one shared counter.

use crate::event::{ErrorKind, TaskError};

use super::{Session, Workload};

use std::time::Duration;

use crate::event::Guard;

/// How the tasks of a scenario add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterWork {
    /// Additions of each task.
    pub adds: u64,
    /// What keeps them apart, where a run doesn't say otherwise.
    pub guard: Guard,
    /// The wait before each load and each store, so that the eye can follow; zero for none.
    pub pace: Duration,
}

/// The additions of one run.
#[derive(Debug, Clone)]
pub struct Counter {
    work: CounterWork,
    tasks: usize,
}

impl Counter {
    /// The additions of a run with a counter of its own.
    pub fn new(work: CounterWork, tasks: usize) -> Counter {
        Counter { work, tasks }
    }
}

impl Workload for Counter {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Err(TaskError::new(ErrorKind::Worker, "this workload is not built yet"))
    }
}

impl CounterWork {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        format!("each task adds {} times 1 to one counter in memory", self.adds)
    }
}
