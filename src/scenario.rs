//! A scenario: a named workload with its sizes, its executors and its origin.

use crate::event::ExecutorKind;
use crate::origin::{Content, Shape};

/// An executor of a scenario, with its own number of workers when it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorChoice {
    /// Who runs the tasks.
    pub kind: ExecutorKind,
    /// Its own number of workers; none takes the scenario's.
    pub workers: Option<usize>,
}

/// What a race is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: String,
    /// What it shows, in one line.
    pub about: String,
    /// How many tasks.
    pub tasks: usize,
    /// Who runs them, in this order.
    pub executors: Vec<ExecutorChoice>,
    /// Threads in a pool, tasks in flight in async.
    pub workers: usize,
    /// Threads under async's event loop.
    pub async_threads: usize,
    /// Where the bytes come from.
    pub source: Source,
}

/// Where a scenario's bytes come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The embedded origin.
    Origin {
        /// What it serves.
        content: Content,
        /// How it slows itself down.
        shape: Shape,
    },
    /// Servers that are not ours, by URL; a task for each.
    Urls(Vec<String>),
}
