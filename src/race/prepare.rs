//! Everything that happens before the clock of the first run starts: the origin and its bodies, names,
//! addresses, the output folder.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Settings, without_password};
use crate::event::{Event, ExecutorKind, Machine, RacePlan, RunId, RunPlan, TaskPlan};
use crate::executor::{Job, Patience};
use crate::origin::{Content, Library, Options, Origin, OriginTask, Shape};
use crate::scenario::{self, ExecutorChoice, Programs, Scenario, Source};
use crate::text;
use crate::workload::api::{Api, Calls};
use crate::workload::compute::{Computation, Compute};
use crate::workload::counter::{Counter, CounterWork};
use crate::workload::crud::{Crud, RowWork};
use crate::workload::download::{Conduct, Downloads, Limits, Server, Target};
use crate::workload::files::{FileWork, Files};
use crate::workload::sleep::{self, Sleep};
use crate::workload::{Emitter, OutputFolder, Progress, Resolved, RunFolder, TaskFault, Tls, Workload};

use super::{Preparing, RaceError};

/// How long all name look-ups together may take; what is not known by then is looked up by its task.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// How many names are looked up at once.
const LOOKUPS_AT_ONCE: usize = 16;

/// The origin's bodies, kept from one race to the next.
#[derive(Debug, Clone, Default)]
pub struct Libraries(Arc<Mutex<Option<(LibraryKey, Library)>>>);

type LibraryKey = (Content, u64, usize);

impl Libraries {
    fn get(
        &self,
        content: &Content,
        seed: u64,
        tasks: usize,
        cancel: &CancellationToken,
        tell: &dyn Fn(Preparing),
    ) -> Result<Library, RaceError> {
        let key = (content.clone(), seed, tasks);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, library)) = kept.as_ref().filter(|(kept, _)| *kept == key) {
            return Ok(library.clone());
        }
        let made = Library::make(content, seed, tasks, &mut |done, of| {
            tell(Preparing::Bodies { done, of });
            if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let library = made.ok_or(RaceError::Cancelled)?;
        *kept = Some((key, library.clone()));
        Ok(library)
    }
}

/// A race that is ready to start.
pub(super) struct Prepared {
    pub(super) plan: Arc<RacePlan>,
    pub(super) clock: Clock,
    supply: Supply,
    scenario: Scenario,
    programs: Programs,
    patience: Patience,
    output: Option<Output>,
    /// What of every run gets a file of its own.
    files: Vec<String>,
    /// Serves for as long as the race is.
    _origin: Option<Origin>,
}

/// The output folder with the folders of the runs, in the order of the runs.
struct Output {
    folder: OutputFolder,
    runs: Vec<RunFolder>,
}

/// What the workloads of the runs are made from.
enum Supply {
    Downloads(Downloads),
    Api { calls: Calls, base: Url, limits: Limits, tls: Tls },
    Files(FileWork),
    Crud(RowWork),
    Compute(Compute),
    Sleep(Arc<[Duration]>),
    Counter(CounterWork),
}

fn limits(settings: &crate::config::Download) -> Limits {
    Limits {
        deadline: settings.timeout,
        stall: settings.stall,
        connect: settings.connect,
        retries: settings.retries,
        backoff: settings.backoff,
        backoff_cap: settings.backoff_cap,
        retry_after_cap: settings.retry_after_cap,
        max_bytes: settings.max_bytes,
        redirects: settings.redirects as usize,
    }
}

/// How long processes may keep silent over these tasks. A program that computes has nothing to tell, and one
/// that sleeps neither.
fn patience(settings: &Settings) -> Patience {
    const READY: Duration = Duration::from_secs(10);
    const MARGIN: Duration = Duration::from_secs(10);
    const COMPUTING: Duration = Duration::from_secs(3600);
    let silent = match &settings.scenario.work {
        scenario::Work::Download(_) | scenario::Work::Api { .. } => settings.download.timeout,
        scenario::Work::Sleep(durations) => durations.iter().max().copied().unwrap_or_default(),
        _ => COMPUTING,
    };
    Patience { ready: READY, silent: silent + MARGIN }
}

/// What there is to do: the tasks, and where they come from, in words.
struct Work {
    tasks: Vec<TaskPlan>,
    supply: Supply,
    source: String,
    noun: &'static str,
    /// The names of the files that each run writes.
    files: Vec<String>,
    output: OutputNeed,
    origin: Option<Origin>,
}

/// Whether a scenario writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputNeed {
    Folder,
    Nothing,
}

/// What a race is prepared with.
struct Preparation<'a> {
    settings: &'a Settings,
    libraries: &'a Libraries,
    cancel: &'a CancellationToken,
    tell: &'a dyn Fn(Preparing),
}

pub(super) fn prepare(
    settings: &Settings,
    libraries: &Libraries,
    cancel: &CancellationToken,
    tell: &dyn Fn(Preparing),
) -> Result<Prepared, RaceError> {
    raise_open_files();
    let scenario = &settings.scenario;
    let preparation = Preparation { settings, libraries, cancel, tell };
    let (work, clock) = preparation.work()?;
    let runs = run_plans(scenario, work.tasks.len());
    // Names are claimed only for runs that will start: what is claimed counts as ours from then on.
    if cancel.is_cancelled() {
        return Err(RaceError::Cancelled);
    }
    let output = match work.output {
        OutputNeed::Nothing => None,
        OutputNeed::Folder => {
            tell(Preparing::Output);
            let mut folder = OutputFolder::open(&settings.output)?;
            let names: Vec<&str> = work.files.iter().map(String::as_str).collect();
            let labels: Vec<&str> = runs.iter().map(|run| run.label.as_str()).collect();
            let runs = folder.make_room(&labels, &names)?;
            Some(Output { folder, runs })
        }
    };
    let plan = Arc::new(RacePlan {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        workload: scenario.work.kind(),
        noun: work.noun.to_owned(),
        source: work.source,
        time_scale: settings.time_scale,
        seed: settings.seed,
        order: settings.order,
        tasks: work.tasks,
        runs,
        output: std::path::absolute(&settings.output).unwrap_or_else(|_| PathBuf::from(&settings.output)),
        machine: machine(),
    });
    Ok(Prepared {
        plan,
        clock,
        supply: work.supply,
        scenario: scenario.clone(),
        programs: settings.programs.clone(),
        patience: patience(settings),
        output,
        files: work.files,
        _origin: work.origin,
    })
}

impl Preparation<'_> {
    /// Makes the work ready, and starts the race's clock: after the origin's bodies were made, and before
    /// the origin starts, whose log it stamps.
    fn work(&self) -> Result<(Work, Clock), RaceError> {
        let scenario = &self.settings.scenario;
        let local = |tasks, supply, source: String, noun| {
            let work = Work {
                tasks,
                supply,
                source,
                noun,
                files: Vec::new(),
                output: OutputNeed::Nothing,
                origin: None,
            };
            (work, Clock::start())
        };
        Ok(match &scenario.work {
            scenario::Work::Download(Source::Origin { content, shape }) => {
                let library = self.library(content)?;
                let clock = Clock::start();
                (self.of_origin(content, *shape, library, &clock)?, clock)
            }
            scenario::Work::Download(Source::Urls(urls)) => {
                let clock = Clock::start();
                (self.of_urls(urls)?, clock)
            }
            scenario::Work::Api { calls, shape } => {
                let library = self.library(&Content::Posts)?;
                let clock = Clock::start();
                (self.of_api(*calls, *shape, library, &clock)?, clock)
            }
            scenario::Work::Files(files) => {
                let (work, clock) =
                    local(self.numbered("file"), Supply::Files(*files), files.describe(), "files");
                (Work { output: OutputNeed::Folder, ..work }, clock)
            }
            scenario::Work::Crud(rows) => {
                let (work, clock) =
                    local(self.numbered("batch"), Supply::Crud(*rows), rows.describe(), "batches of rows");
                let files = vec![Crud::FILE.to_owned()];
                (Work { output: OutputNeed::Folder, files, ..work }, clock)
            }
            scenario::Work::Compute(computation) => {
                let (one, many) = computation.noun();
                let supply = Supply::Compute(self.compute(*computation)?);
                local(self.numbered(one), supply, computation.describe(), many)
            }
            scenario::Work::Sleep(durations) => {
                let supply = Supply::Sleep(durations.clone());
                local(self.numbered("sleep"), supply, sleep::describe(durations), "sleeps")
            }
            scenario::Work::Counter(counter) => {
                let supply = Supply::Counter(*counter);
                local(self.numbered("adder"), supply, counter.describe(), "adders")
            }
        })
    }

    /// The tasks of work that has no names of its own.
    fn numbered(&self, noun: &str) -> Vec<TaskPlan> {
        let tasks = self.settings.scenario.tasks;
        let digits = tasks.to_string().len();
        (1..=tasks).map(|number| TaskPlan { name: format!("{noun}-{number:0digits$}"), url: None }).collect()
    }

    fn compute(&self, computation: Computation) -> Result<Compute, RaceError> {
        let Settings { seed, scenario, .. } = self.settings;
        let go_on = || match self.cancel.is_cancelled() {
            true => ControlFlow::Break(RaceError::Cancelled),
            false => ControlFlow::Continue(()),
        };
        match Compute::prepare(computation, scenario.tasks, *seed, &go_on) {
            ControlFlow::Continue(compute) => Ok(compute),
            ControlFlow::Break(error) => Err(error),
        }
    }

    fn library(&self, content: &Content) -> Result<Library, RaceError> {
        let Settings { seed, scenario, .. } = self.settings;
        self.libraries.get(content, *seed, scenario.tasks, self.cancel, self.tell)
    }

    fn origin(&self, shape: Shape, library: Library, clock: &Clock) -> Result<Origin, RaceError> {
        let bind = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options { bind, hosts: Vec::new(), seed: self.settings.seed, shape };
        Ok(Origin::start(options, library, clock.clone())?)
    }

    fn of_origin(
        &self,
        content: &Content,
        shape: Shape,
        library: Library,
        clock: &Clock,
    ) -> Result<Work, RaceError> {
        let tasks: Vec<_> = library.tasks().collect();
        let origin = self.origin(shape, library, clock)?;
        let targets = tasks.into_iter().map(|task| {
            let conduct = if task.panics { Conduct::Panics } else { Conduct::Normal };
            Ok(Target { url: parse(&origin.url(&task.path))?, name: task.name, conduct })
        });
        let targets = targets.collect::<Result<_, RaceError>>()?;
        let source = format!("built-in origin {}: {}", origin.address(), shape.describe());
        let work = self.downloads(targets, Server::Origin, source, content.noun())?;
        Ok(Work { origin: Some(origin), ..work })
    }

    fn of_api(&self, calls: Calls, shape: Shape, library: Library, clock: &Clock) -> Result<Work, RaceError> {
        let tasks: Vec<_> = library.tasks().collect();
        let origin = self.origin(shape, library, clock)?;
        let plan = |task: OriginTask| {
            let name = task.name.trim_end_matches(".json").to_owned();
            TaskPlan { name, url: Some(origin.url(&task.path)) }
        };
        let limits = limits(&self.settings.download);
        Ok(Work {
            tasks: tasks.into_iter().map(plan).collect(),
            supply: Supply::Api { calls, base: parse(&origin.url("/"))?, limits, tls: Tls::new()? },
            source: format!("built-in origin {}: {}", origin.address(), shape.describe()),
            noun: Content::Posts.noun(),
            files: Vec::new(),
            output: OutputNeed::Nothing,
            origin: Some(origin),
        })
    }

    fn of_urls(&self, urls: &[Url]) -> Result<Work, RaceError> {
        let last_segment = |url: &Url| {
            let segment = url.path_segments().and_then(|mut segments| segments.next_back());
            text::file_name(segment.unwrap_or_default())
        };
        let names = text::unique_names(urls.iter().map(last_segment).collect());
        let hosts: BTreeSet<&str> = urls.iter().filter_map(Url::host_str).collect();
        let source = match hosts.iter().copied().collect::<Vec<_>>()[..] {
            [one] => one.to_owned(),
            [one, two] => format!("{one} and {two}"),
            [one, ref more @ ..] => format!("{one} and {} other servers", more.len()),
            [] => String::new(),
        };
        let targets = urls.iter().cloned().zip(names);
        let targets = targets.map(|(url, name)| Target { url, name, conduct: Conduct::Normal }).collect();
        self.downloads(targets, Server::Foreign, source, "downloads")
    }

    fn downloads(
        &self,
        targets: Vec<Target>,
        server: Server,
        source: String,
        noun: &'static str,
    ) -> Result<Work, RaceError> {
        let tls = Tls::new()?;
        let mut resolved = Resolved::new();
        if server == Server::Foreign {
            (self.tell)(Preparing::Lookups);
            if targets.iter().any(|target| target.url.scheme() == "https") {
                tls.read_roots();
            }
            resolved = look_up(&targets, self.cancel)?;
        }
        let plan =
            |target: &Target| TaskPlan { name: target.name.clone(), url: Some(shown_url(&target.url)) };
        let tasks = targets.iter().map(plan).collect();
        let files = targets.iter().map(|target| target.name.clone()).collect();
        let limits = limits(&self.settings.download);
        let downloads = Downloads::new(targets, limits, server, tls, resolved, self.settings.seed);
        let (supply, output) = (Supply::Downloads(downloads), OutputNeed::Folder);
        Ok(Work { tasks, supply, source, noun, files, output, origin: None })
    }
}

impl Supply {
    /// The workload of one run.
    fn workload(
        &self,
        plan: &RacePlan,
        choice: &ExecutorChoice,
        folder: Option<&RunFolder>,
    ) -> Result<Arc<dyn Workload>, RaceError> {
        let (tasks, seed) = (plan.tasks.len(), plan.seed);
        let folder = || {
            let missing = || RaceError::Internal("a run that writes has no folder".to_owned());
            folder.cloned().ok_or_else(missing)
        };
        Ok(match self {
            Supply::Downloads(downloads) => Arc::new(downloads.into_folder(folder()?)),
            Supply::Api { calls, base, limits, tls } => {
                Arc::new(Api::new(*calls, base.clone(), tasks, limits.clone(), tls.clone(), seed))
            }
            Supply::Files(work) => Arc::new(Files::new(*work, tasks, seed, folder()?)),
            Supply::Crud(work) => Arc::new(Crud::new(*work, tasks, seed, folder()?)),
            Supply::Compute(compute) => Arc::new(compute.for_another_run()),
            Supply::Sleep(durations) => Arc::new(Sleep::new(durations.clone())),
            Supply::Counter(work) => {
                let guard = choice.guard().unwrap_or(work.guard);
                Arc::new(Counter::new(CounterWork { guard, ..*work }, tasks))
            }
        })
    }
}

impl Prepared {
    /// The jobs of the race, in the order of its runs.
    pub(super) fn jobs(
        &self,
        cancel: &CancellationToken,
        events: mpsc::Sender<Event>,
    ) -> Result<Vec<Job>, RaceError> {
        let tasks = self.plan.tasks.len();
        let emitter = Emitter::new(self.clock.clone(), events);
        let own_program: Arc<Path> =
            std::env::current_exe().unwrap_or_else(|_| PathBuf::from("threadrace")).into();
        let runs = self.plan.runs.iter().zip(&self.scenario.executors).enumerate();
        runs.map(|(index, (run, choice))| {
            let folder = self.output.as_ref().and_then(|output| output.runs.get(index));
            let program = match &run.executor {
                ExecutorKind::External(name) => self.programs.get(name),
                _ => None,
            };
            Ok(Job {
                executor: run.executor.clone(),
                run: RunId::of(index),
                tasks,
                workers: NonZeroUsize::new(run.workers as usize).unwrap_or(NonZeroUsize::MIN),
                async_threads: NonZeroUsize::new(self.scenario.async_threads).unwrap_or(NonZeroUsize::MIN),
                collect: choice.collect(),
                main_work: self.scenario.main_work,
                command: program.map_or_else(|| Arc::from([]), |program| program.command.clone().into()),
                own_program: own_program.clone(),
                patience: self.patience,
                workload: self.supply.workload(&self.plan, choice, folder)?,
                emitter: emitter.clone(),
                progress: Progress::new(tasks),
                cancel: cancel.clone(),
            })
        })
        .collect()
    }

    /// Takes note of the files that the race wrote.
    pub(super) fn tidy(&mut self) -> Result<(), RaceError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let names: Vec<&str> = self.files.iter().map(String::as_str).collect();
        Ok(output.folder.close_runs(&output.runs, &names)?)
    }
}

/// Gets ready what the tasks of each run are to find, such as files to read.
pub(super) fn get_ready(jobs: &[Job], cancel: &CancellationToken) -> Result<(), RaceError> {
    jobs.iter().try_for_each(|job| {
        job.workload.prepare(cancel).map_err(|fault| match fault {
            TaskFault::Failed(error) => RaceError::Unready(error),
            TaskFault::Stopped => RaceError::Cancelled,
        })
    })
}

/// Starts the origin of a scenario by itself, where the settings say that it listens; returns it and what
/// it serves, in words.
///
/// # Errors
/// When the scenario has no origin, the address can't be listened on, or `go_on` breaks while the bodies
/// are made, after each of which it is asked.
pub fn origin_alone(
    settings: &Settings,
    go_on: &dyn Fn() -> ControlFlow<()>,
) -> Result<(Origin, String), RaceError> {
    raise_open_files();
    let (content, shape) = match &settings.scenario.work {
        scenario::Work::Download(Source::Origin { content, shape }) => (content, shape),
        scenario::Work::Api { shape, .. } => (&Content::Posts, shape),
        _ => return Err(RaceError::NoOrigin(settings.scenario.name.clone())),
    };
    let tasks = settings.scenario.tasks;
    let made = Library::make(content, settings.seed, tasks, &mut |_, _| go_on());
    let library = made.ok_or(RaceError::Cancelled)?;
    let options = Options {
        bind: settings.origin.bind,
        hosts: settings.origin.hosts.clone(),
        seed: settings.seed,
        shape: *shape,
    };
    let origin = Origin::start(options, library, Clock::start())?;
    Ok((origin, format!("{tasks} {}: {}", content.noun(), shape.describe())))
}

/// A URL as it may be shown.
fn shown_url(url: &Url) -> String {
    // Parsing again costs time with a long list, and only few URLs name a user.
    if url.username().is_empty() && url.password().is_none() {
        return url.as_str().to_owned();
    }
    without_password(url.as_str()).into_owned()
}

fn parse(url: &str) -> Result<Url, RaceError> {
    Url::parse(url)
        .map_err(|error| RaceError::Url { url: text::shown(url).into_owned(), reason: error.to_string() })
}

/// The runs of a scenario. A label is the executor's name, and carries the workers and the variant where
/// the same executor runs more than once.
fn run_plans(scenario: &Scenario, tasks: usize) -> Vec<RunPlan> {
    let alike = |choice: &ExecutorChoice| {
        let kind = choice.kind.clone();
        scenario.executors.iter().filter(move |other| other.kind == kind)
    };
    let workers_of = |choice: &ExecutorChoice| choice.workers.unwrap_or(scenario.workers);
    let plan = |choice: &ExecutorChoice| {
        let asked = workers_of(choice);
        let mut label = choice.kind.to_string();
        if alike(choice).any(|other| workers_of(other) != asked) {
            label = format!("{label}-{asked}");
        }
        if let Some(variant) =
            choice.variant.filter(|_| alike(choice).any(|other| other.variant != choice.variant))
        {
            label = format!("{label}-{}", variant.name());
        }
        let workers = u32::try_from(choice.kind.parallelism(asked, tasks)).unwrap_or(u32::MAX);
        RunPlan { executor: choice.kind.clone(), workers, variant: choice.variant, label }
    };
    scenario.executors.iter().map(plan).collect()
}

/// Looks the hosts' names up, before any clock runs: inside a race, look-ups happen on hidden threads
/// of the runtime. The addresses have port 0, for which the connector takes the URL's own: a redirect may
/// lead to another port of the same host. A name that can't be resolved here fails in its task.
fn look_up(targets: &[Target], cancel: &CancellationToken) -> Result<Resolved, RaceError> {
    let named = |target: &Target| match target.url.host() {
        Some(url::Host::Domain(name)) => Some(name.to_owned()),
        _ => None,
    };
    let names: BTreeSet<String> = targets.iter().filter_map(named).collect();
    let mut left = names.len();
    let queue = Arc::new(Mutex::new(names.into_iter()));
    let (answers, arriving) = mpsc::channel();
    for _ in 0..left.min(LOOKUPS_AT_ONCE) {
        let (queue, answers) = (queue.clone(), answers.clone());
        let look_up = move || {
            while let Some(name) = { queue.lock().unwrap_or_else(PoisonError::into_inner).next() } {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
                if answers.send((name, found)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("look-up".to_owned()).spawn(look_up).map_err(RaceError::Thread)?;
    }
    let mut resolved = Resolved::new();
    let start = std::time::Instant::now();
    while left > 0 && start.elapsed() < LOOKUP_TIME {
        if cancel.is_cancelled() {
            return Err(RaceError::Cancelled);
        }
        if let Ok((name, addresses)) = arriving.recv_timeout(Duration::from_millis(100)) {
            left -= 1;
            let addresses: Vec<SocketAddr> = addresses;
            if !addresses.is_empty() {
                resolved.insert(name, addresses);
            }
        }
    }
    Ok(resolved)
}

fn machine() -> Machine {
    let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Machine {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
    }
}

/// Asks for as many open files as the operating system lets this process have: a thread with its own
/// runtime and connection needs about six, and the usual soft limit of 1024 ends at 170 of them; an
/// origin needs one for each connection.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_and_without_a_port() -> Result<(), Box<dyn std::error::Error>> {
        let urls =
            ["http://localhost/a", "http://localhost:81/b", "https://localhost/c", "http://127.0.0.1/d"];
        let target = |url| Ok(Target { url: parse(url)?, name: String::new(), conduct: Conduct::Normal });
        let targets = urls.into_iter().map(target).collect::<Result<Vec<_>, RaceError>>()?;
        let resolved = look_up(&targets, &CancellationToken::new())?;
        assert_eq!(resolved.keys().collect::<Vec<_>>(), ["localhost"]);
        let addresses = resolved.get("localhost").ok_or("not found")?;
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.port() == 0), "{addresses:?}");
        Ok(())
    }
}
