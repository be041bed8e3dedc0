//! A scenario: a named workload with its sizes, its executors and its origin.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::event::{Collect, ExecutorKind, Guard, TimeScale, Variant, WorkloadKind};
use crate::origin::{Content, Shape};
use crate::workload::api::Calls;
use crate::workload::compute::Computation;
use crate::workload::counter::CounterWork;
use crate::workload::crud::RowWork;
use crate::workload::files::FileWork;

/// An executor of a scenario, with its own number of workers when it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorChoice {
    /// Who runs the tasks.
    pub kind: ExecutorKind,
    /// Its own number of workers; none takes the scenario's.
    pub workers: Option<usize>,
    /// What it does differently.
    pub variant: Option<Variant>,
}

/// What a race is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: String,
    /// What it teaches, in one line.
    pub about: String,
    /// How many tasks.
    pub tasks: usize,
    /// Who runs them, in this order.
    pub executors: Vec<ExecutorChoice>,
    /// Threads in a pool, tasks in flight in async, processes.
    pub workers: usize,
    /// Threads under async's event loop.
    pub async_threads: usize,
    /// How long the main thread of a run has work of its own, before it ends or waits for the tasks.
    pub main_work: Duration,
    /// What the tasks do.
    pub work: Work,
}

/// What the tasks of a scenario do.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// They download.
    Download(Source),
    /// They call the origin's JSON API.
    Api {
        /// What each calls.
        calls: Calls,
        /// How the origin slows itself down.
        shape: Shape,
    },
    /// They write and read files.
    Files(FileWork),
    /// They work on the rows of a database.
    Crud(RowWork),
    /// They compute.
    Compute(Computation),
    /// They wait so long, each in its turn; the list starts again where it is shorter than the tasks are many.
    Sleep(Arc<[Duration]>),
    /// They add to one counter.
    Counter(CounterWork),
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

/// A program that can run tasks, as the configuration tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The workloads that it can do.
    pub workloads: Vec<WorkloadKind>,
}

/// The programs that can run tasks, by the names that they go by as executors.
pub type Programs = BTreeMap<Arc<str>, Program>;

impl Work {
    /// The kind of the work.
    pub fn kind(&self) -> WorkloadKind {
        match self {
            Work::Download(_) => WorkloadKind::Download,
            Work::Api { .. } => WorkloadKind::Api,
            Work::Files(_) => WorkloadKind::Files,
            Work::Crud(_) => WorkloadKind::Crud,
            Work::Compute(_) => WorkloadKind::Compute,
            Work::Sleep(_) => WorkloadKind::Sleep,
            Work::Counter(_) => WorkloadKind::Counter,
        }
    }

    /// The same work with every simulated delay scaled; what is real keeps its size.
    fn scaled(self, scale: TimeScale) -> Work {
        match self {
            Work::Download(Source::Origin { content, shape }) => {
                Work::Download(Source::Origin { content, shape: shape.scaled(scale) })
            }
            Work::Api { calls, shape } => Work::Api { calls, shape: shape.scaled(scale) },
            Work::Sleep(durations) => {
                Work::Sleep(durations.iter().map(|duration| scale.of(*duration)).collect())
            }
            Work::Counter(work) => Work::Counter(CounterWork { pace: scale.of(work.pace), ..work }),
            other => other,
        }
    }
}

impl Scenario {
    /// The same scenario with every simulated delay scaled.
    pub fn scaled(self, scale: TimeScale) -> Scenario {
        Scenario { main_work: scale.of(self.main_work), work: self.work.scaled(scale), ..self }
    }

    /// Why an executor can't do this scenario's tasks; none when it can.
    pub fn why_not(&self, choice: &ExecutorChoice, programs: &Programs) -> Option<String> {
        let workload = self.work.kind();
        match (&choice.kind, workload) {
            (ExecutorKind::Processes, WorkloadKind::Counter) => {
                return Some("processes share no memory, so they have no counter in common".to_owned());
            }
            (ExecutorKind::External(name), _) => match programs.get(name) {
                None => return Some(format!("no program is configured as {name}")),
                Some(program) if !program.workloads.contains(&workload) => {
                    return Some(format!("the program does not do {}", workload.name()));
                }
                Some(_) => {}
            },
            _ => {}
        }
        match choice.variant {
            Some(Variant::Guard(_)) if workload != WorkloadKind::Counter => {
                Some("only the workload counter has something to guard".to_owned())
            }
            Some(Variant::Collect(_))
                if !matches!(choice.kind, ExecutorKind::Threads | ExecutorKind::Pool) =>
            {
                Some("only threads and pool hand results to a main thread".to_owned())
            }
            _ => None,
        }
    }
}

/// The most workers that an executor may be asked for.
pub const MAX_WORKERS: usize = 10_000;

/// Why the name of an executor was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// Nobody can have that name; what was given.
    #[error("there is no executor '{0}': name {names} or all", names = built_in_names())]
    Unknown(String),
    /// The executor's workers follow from what it is.
    #[error("{kind} takes no number of workers: it {why}", why = fixed(kind))]
    FixedWorkers {
        /// The executor.
        kind: ExecutorKind,
    },
    /// What follows the colon is neither a number of workers nor a variant; what was given.
    #[error(
        "'{0}' is neither a number of workers (1 to {MAX_WORKERS}) nor one of {names}",
        names = variant_names()
    )]
    Suffix(String),
    /// Nothing is there to run the tasks.
    #[error("no executor is named: name {names} or all", names = built_in_names())]
    None,
}

fn built_in_names() -> String {
    ExecutorKind::BUILT_IN.iter().map(ExecutorKind::name).collect::<Vec<_>>().join(", ")
}

fn variant_names() -> String {
    Variant::ALL.map(Variant::name).join(", ")
}

fn fixed(kind: &ExecutorKind) -> &'static str {
    match kind {
        ExecutorKind::Sequential => "always has one",
        ExecutorKind::Threads => "starts one for each task",
        _ => "takes the scenario's",
    }
}

/// Whether an executor can be told how many workers to have.
fn takes_workers(kind: &ExecutorKind) -> bool {
    !matches!(kind, ExecutorKind::Sequential | ExecutorKind::Threads)
}

/// What makes a run its own.
pub type ChoiceKey = (ExecutorKind, Option<usize>, Option<Variant>);

impl ExecutorChoice {
    /// The executor with the scenario's number of workers.
    pub fn plain(kind: ExecutorKind) -> ExecutorChoice {
        ExecutorChoice { kind, workers: None, variant: None }
    }

    /// What makes a run its own: two choices with the same key would be the same run twice. The number
    /// is that of the workers, none where the executor takes no number.
    pub fn key(&self, scenario_workers: usize) -> ChoiceKey {
        let workers = takes_workers(&self.kind).then(|| self.workers.unwrap_or(scenario_workers));
        (self.kind.clone(), workers, self.variant)
    }

    /// How the main thread takes the results.
    pub fn collect(&self) -> Collect {
        match self.variant {
            Some(Variant::Collect(collect)) => collect,
            _ => Collect::default(),
        }
    }

    /// What guards the counter, when this choice says it.
    pub fn guard(&self) -> Option<Guard> {
        match self.variant {
            Some(Variant::Guard(guard)) => Some(guard),
            _ => None,
        }
    }
}

impl fmt::Display for ExecutorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(workers) = self.workers {
            write!(f, ":{workers}")?;
        }
        match self.variant {
            Some(variant) => write!(f, ":{}", variant.name()),
            None => Ok(()),
        }
    }
}

/// Whether a name could be that of a program in the configuration.
pub fn is_program_name(name: &str) -> bool {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    (1..=32).contains(&name.len())
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.chars().all(plain)
        && name != "all"
        && ExecutorKind::built_in(name).is_none()
}

impl FromStr for ExecutorChoice {
    type Err = ExecutorError;

    /// Reads `NAME`, `NAME:WORKERS`, `NAME:VARIANT` or `NAME:WORKERS:VARIANT`. Whether a program goes by a
    /// name that is no built-in executor's is another question.
    fn from_str(text: &str) -> Result<ExecutorChoice, ExecutorError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let kind = match ExecutorKind::built_in(name) {
            Some(kind) => kind,
            None if is_program_name(name) => ExecutorKind::External(name.into()),
            None => return Err(ExecutorError::Unknown(name.to_owned())),
        };
        let mut choice = ExecutorChoice::plain(kind);
        for part in parts {
            let wrong = || ExecutorError::Suffix(part.to_owned());
            if let Some(variant) = Variant::from_name(part).filter(|_| choice.variant.is_none()) {
                choice.variant = Some(variant);
            } else if choice.workers.is_some() || choice.variant.is_some() {
                return Err(wrong());
            } else {
                let workers = part.parse().ok().filter(|workers| (1..=MAX_WORKERS).contains(workers));
                match (workers, takes_workers(&choice.kind)) {
                    (Some(workers), true) => choice.workers = Some(workers),
                    (Some(_), false) => return Err(ExecutorError::FixedWorkers { kind: choice.kind }),
                    (None, _) => return Err(wrong()),
                }
            }
        }
        Ok(choice)
    }
}

/// The executors of a race, in their order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorList {
    choices: Vec<ExecutorChoice>,
    whole: Whole,
}

/// Whether a list names all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// It has `all`: who can't do the work is left out without a word.
    All,
    /// Every one was named, and must be able to do the work.
    Named,
}

impl ExecutorList {
    /// The executors that most scenarios compare: sequential, threads, pool and async, each with the
    /// scenario's workers.
    pub fn usual() -> ExecutorList {
        use ExecutorKind::{Async, Pool, Sequential, Threads};
        let choices = [Sequential, Threads, Pool, Async].map(ExecutorChoice::plain).into();
        ExecutorList { choices, whole: Whole::Named }
    }

    /// Reads names such as `sequential`, `pool:10`, `threads:daemon` and `all`.
    ///
    /// # Errors
    ///
    /// What is wrong, and which name it is, counted from 0.
    pub fn from_names<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<ExecutorList, (usize, ExecutorError)> {
        let mut list = Vec::new();
        let mut whole = Whole::Named;
        for (index, name) in names.into_iter().enumerate() {
            match name.trim() {
                "all" => {
                    whole = Whole::All;
                    list.extend(ExecutorKind::BUILT_IN.map(ExecutorChoice::plain));
                }
                name => list.push(name.parse().map_err(|error| (index, error))?),
            }
        }
        if list.is_empty() {
            return Err((0, ExecutorError::None));
        }
        Ok(ExecutorList { choices: list, whole })
    }

    /// The choices, in their order.
    pub fn choices(&self) -> &[ExecutorChoice] {
        &self.choices
    }

    /// Leaves out, where all were asked for, whom `why_not` gives a reason against; otherwise returns the
    /// first such choice with the reason.
    ///
    /// # Errors
    ///
    /// The choice that was named and can't do the work.
    pub fn fitting(
        mut self,
        why_not: impl Fn(&ExecutorChoice) -> Option<String>,
    ) -> Result<Vec<ExecutorChoice>, (ExecutorChoice, String)> {
        match self.whole {
            Whole::All => self.choices.retain(|choice| why_not(choice).is_none()),
            Whole::Named => {
                let refused = self.choices.iter().find_map(|choice| Some((choice.clone(), why_not(choice)?)));
                if let Some(refused) = refused {
                    return Err(refused);
                }
            }
        }
        Ok(self.choices)
    }

    /// The first choice that would be the same run as one before it.
    pub fn repeated(&self, scenario_workers: usize) -> Option<&ExecutorChoice> {
        let mut seen = HashSet::new();
        self.choices.iter().find(|choice| !seen.insert(choice.key(scenario_workers)))
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
            Ok(["sequential", "threads", "pool", "async", "processes", "gil", "pool:2"]
                .map(String::from)
                .into())
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
    fn a_variant_follows_the_workers() {
        for right in ["pool:3:submit", "threads:daemon", "pool:completion", "node:4", "gil:2"] {
            assert_eq!(names(right), Ok(vec![right.to_owned()]));
        }
        for wrong in ["pool:submit:3", "pool:submit:mutex", "pool:3:4", "pool:3:", "pool:Submit"] {
            assert!(names(wrong).is_err_and(|error| error.contains("neither a number")), "{wrong}");
        }
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
        for wrong in ["", "pool,,async", "Pool", "fi_bers", "all:3"] {
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
