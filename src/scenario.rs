//! A scenario: a named workload with its sizes, its executors and its origin.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;

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
    Urls(Arc<[Url]>),
}

/// The most workers that an executor may be asked for.
pub const MAX_WORKERS: usize = 10_000;

/// Why the name of an executor was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// Nobody has that name; what was given.
    #[error("there is no executor '{0}': name sequential, threads, pool, async or all")]
    Unknown(String),
    /// The executor's workers follow from what it is.
    #[error("{kind} takes no number of workers: it {why}", why = fixed(*kind))]
    FixedWorkers {
        /// The executor.
        kind: ExecutorKind,
    },
    /// What follows the colon is not a number of workers; what was given.
    #[error("'{0}' is not a number of workers: write a whole number, 1 to {MAX_WORKERS}")]
    Workers(String),
    /// Nothing is there to run the tasks.
    #[error("no executor is named: name sequential, threads, pool, async or all")]
    None,
}

fn fixed(kind: ExecutorKind) -> &'static str {
    match kind {
        ExecutorKind::Sequential => "always has one",
        ExecutorKind::Threads => "starts one for each task",
        ExecutorKind::Pool | ExecutorKind::Async => "takes the scenario's",
    }
}

impl ExecutorChoice {
    /// The executor with the scenario's number of workers.
    pub fn plain(kind: ExecutorKind) -> ExecutorChoice {
        ExecutorChoice { kind, workers: None }
    }

    /// What makes a run its own: two choices with the same key would be the same run twice. The number
    /// is that of the workers, none where the executor takes no number.
    pub fn key(self, scenario_workers: usize) -> (ExecutorKind, Option<usize>) {
        match self.kind {
            ExecutorKind::Sequential | ExecutorKind::Threads => (self.kind, None),
            ExecutorKind::Pool | ExecutorKind::Async => {
                (self.kind, Some(self.workers.unwrap_or(scenario_workers)))
            }
        }
    }
}

impl fmt::Display for ExecutorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.workers {
            Some(workers) => write!(f, "{}:{workers}", self.kind.name()),
            None => f.write_str(self.kind.name()),
        }
    }
}

impl FromStr for ExecutorChoice {
    type Err = ExecutorError;

    /// Reads `NAME` or `NAME:WORKERS`.
    fn from_str(text: &str) -> Result<ExecutorChoice, ExecutorError> {
        let (name, workers) = match text.split_once(':') {
            Some((name, workers)) => (name, Some(workers)),
            None => (text, None),
        };
        let kind = ExecutorKind::from_name(name).ok_or_else(|| ExecutorError::Unknown(name.to_owned()))?;
        let Some(workers) = workers else {
            return Ok(ExecutorChoice::plain(kind));
        };
        match kind {
            ExecutorKind::Sequential | ExecutorKind::Threads => Err(ExecutorError::FixedWorkers { kind }),
            ExecutorKind::Pool | ExecutorKind::Async => workers
                .parse()
                .ok()
                .filter(|workers| (1..=MAX_WORKERS).contains(workers))
                .map(|workers| ExecutorChoice { kind, workers: Some(workers) })
                .ok_or_else(|| ExecutorError::Workers(workers.to_owned())),
        }
    }
}

/// The executors of a race, in their order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorList(Vec<ExecutorChoice>);

impl ExecutorList {
    /// All four executors, each with the scenario's workers.
    pub fn all() -> ExecutorList {
        ExecutorList(ExecutorKind::ALL.map(ExecutorChoice::plain).into())
    }

    /// Reads names such as `sequential`, `pool:10` and `all`.
    ///
    /// # Errors
    ///
    /// What is wrong, and which name it is, counted from 0.
    pub fn from_names<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<ExecutorList, (usize, ExecutorError)> {
        let mut list = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            match name.trim() {
                "all" => list.extend(ExecutorList::all().0),
                name => list.push(name.parse().map_err(|error| (index, error))?),
            }
        }
        if list.is_empty() { Err((0, ExecutorError::None)) } else { Ok(ExecutorList(list)) }
    }

    /// The choices, in their order.
    pub fn choices(&self) -> &[ExecutorChoice] {
        &self.0
    }

    /// The first choice that would be the same run as one before it.
    pub fn repeated(&self, scenario_workers: usize) -> Option<ExecutorChoice> {
        let mut seen = HashSet::new();
        self.0.iter().copied().find(|choice| !seen.insert(choice.key(scenario_workers)))
    }
}

impl From<ExecutorList> for Vec<ExecutorChoice> {
    fn from(list: ExecutorList) -> Vec<ExecutorChoice> {
        list.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        ExecutorList::from_names(text.split(','))
            .map(|list| list.choices().iter().map(ExecutorChoice::to_string).collect())
            .map_err(|(index, error)| format!("{index}: {error}"))
    }

    #[test]
    fn names_are_read_in_their_order() {
        assert_eq!(
            names("async, pool:10 ,sequential"),
            Ok(["async", "pool:10", "sequential"].map(String::from).into())
        );
        assert_eq!(
            names("all,pool:2"),
            Ok(["sequential", "threads", "pool", "async", "pool:2"].map(String::from).into())
        );
    }

    #[test]
    fn only_pool_and_async_take_workers() {
        assert_eq!(
            names("pool,sequential:3"),
            Err("1: sequential takes no number of workers: it always has one".to_owned())
        );
        assert_eq!(
            names("threads:3"),
            Err("0: threads takes no number of workers: it starts one for each task".to_owned())
        );
    }

    #[test]
    fn workers_are_within_bounds() {
        for wrong in ["pool:", "pool:0", "pool:10001", "pool:x", "pool:-1", "pool:99999999999999999999999"] {
            assert!(names(wrong).is_err_and(|error| error.contains("1 to 10000")), "{wrong}");
        }
        assert!(names("async:10000").is_ok());
    }

    #[test]
    fn unknown_and_missing_names_are_refused() {
        for wrong in ["", "pool,,async", "Pool", "fibers", "all:3"] {
            assert!(
                names(wrong).is_err_and(|error| error.contains("sequential, threads, pool, async")),
                "{wrong}"
            );
        }
        assert_eq!(ExecutorList::from_names([]), Err((0, ExecutorError::None)));
    }

    #[test]
    fn the_same_run_twice_is_found() -> Result<(), (usize, ExecutorError)> {
        let repeated = |text: &str, workers| {
            ExecutorList::from_names(text.split(','))
                .map(|list| list.repeated(workers).map(|it| it.to_string()))
        };
        assert_eq!(repeated("pool,async,pool", 5)?.as_deref(), Some("pool"));
        assert_eq!(repeated("pool,pool:5", 5)?.as_deref(), Some("pool:5"));
        assert_eq!(repeated("pool,pool:5", 6)?, None);
        assert_eq!(repeated("all,sequential", 6)?.as_deref(), Some("sequential"));
        Ok(())
    }
}
