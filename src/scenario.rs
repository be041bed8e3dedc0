//! A scenario: a named workload with its sizes, its executors and its origin.

mod sweep;

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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

pub use sweep::{CountsError, SweepError, WorkerCounts};

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
    /// Whether it is on this machine.
    pub presence: Presence,
}

/// Whether a program is on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// There is a file that can be run.
    Installed,
    /// There is none.
    Missing,
}

impl Presence {
    /// Looks for the program of a command without running it: in the folders of `path`, which is what `PATH`
    /// says, unless it is named with a folder.
    pub fn of(program: &str, path: Option<&OsStr>) -> Presence {
        let runs = |file: &Path| {
            file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let found = if program.contains('/') {
            runs(Path::new(program))
        } else {
            path.is_some_and(|path| std::env::split_paths(path).any(|folder| runs(&folder.join(program))))
        };
        if found { Presence::Installed } else { Presence::Missing }
    }
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
    /// Why the protocol has no words for these tasks; none when it has.
    fn untellable(&self) -> Option<&'static str> {
        match &self.work {
            Work::Api { calls: Calls::Crud, .. } => Some("programs are only told to GET"),
            Work::Compute(computation) if !matches!(computation, Computation::Primes { .. }) => {
                Some("programs are only told to count primes")
            }
            Work::Files(_) | Work::Crud(_) | Work::Counter(_) => Some("programs are not told of such work"),
            _ => None,
        }
    }

    /// The same scenario with every simulated delay scaled.
    pub fn scaled(self, scale: TimeScale) -> Scenario {
        Scenario { main_work: scale.of(self.main_work), work: self.work.scaled(scale), ..self }
    }

    /// Why an executor can't do this scenario's tasks, here and now; none when it can.
    pub fn why_not(&self, choice: &ExecutorChoice, programs: &Programs) -> Option<String> {
        self.unfit(choice, programs).or_else(|| missing(choice, programs))
    }

    /// Why an executor can't do this scenario's tasks on any machine; none when it can.
    pub fn unfit(&self, choice: &ExecutorChoice, programs: &Programs) -> Option<String> {
        let workload = self.work.kind();
        let does_main_work = matches!(
            choice.kind,
            ExecutorKind::Sequential | ExecutorKind::Threads | ExecutorKind::Pool | ExecutorKind::Gil
        );
        if !self.main_work.is_zero() && !does_main_work {
            let why = "its main thread has no time for work of its own (main_seconds); that of sequential, \
                       threads, pool and gil has";
            return Some(why.to_owned());
        }
        match (&choice.kind, workload) {
            (ExecutorKind::Processes, WorkloadKind::Counter) => {
                return Some("processes share no memory, so they have no counter in common".to_owned());
            }
            (ExecutorKind::External(name), _) => match programs.get(name) {
                None => return Some(format!("no program is configured as {name}")),
                Some(program) if !program.workloads.contains(&workload) => {
                    return Some(format!("the program does not do {}", workload.name()));
                }
                Some(_) => return self.untellable().map(str::to_owned),
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

/// Why the program of an executor can't be started; none when it can, or when the executor is no program.
pub fn missing(choice: &ExecutorChoice, programs: &Programs) -> Option<String> {
    let ExecutorKind::External(name) = &choice.kind else { return None };
    let program = programs.get(name).filter(|program| program.presence == Presence::Missing)?;
    Some(format!("{} is not installed", program.command.first()?))
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
    fn a_program_is_looked_for_where_it_would_be_run() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path =
            std::env::join_paths(["/nowhere".as_ref(), folder.path()]).map_err(std::io::Error::other)?;
        let presence = |program: &str| Presence::of(program, Some(&path));
        let file = folder.path().join("tool");
        std::fs::write(&file, "")?;
        assert_eq!(presence("tool"), Presence::Missing);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        assert_eq!(presence("tool"), Presence::Installed);
        assert_eq!(Presence::of("tool", None), Presence::Missing);
        assert_eq!(Presence::of(&file.to_string_lossy(), None), Presence::Installed);
        std::fs::create_dir(folder.path().join("folder"))?;
        assert_eq!(presence("folder"), Presence::Missing);
        Ok(())
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
