//! Everything that happens before the clock of the first run starts: the origin and its bodies, names,
//! addresses, the output folder.

use std::collections::{BTreeSet, HashMap};
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Settings, without_password};
use crate::event::{Event, ExecutorKind, Machine, RacePlan, RunId, RunPlan, TaskPlan};
use crate::executor::Job;
use crate::origin::{Content, Library, Options, Origin, Shape};
use crate::scenario::{ExecutorChoice, Scenario, Source};
use crate::text;
use crate::workload::download::{Conduct, Downloads, Limits, Server, Target};
use crate::workload::{Emitter, OutputFolder, Progress, Resolved, RunFolder, Tls};

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
    downloads: Downloads,
    output: OutputFolder,
    folders: Vec<RunFolder>,
    async_threads: NonZeroUsize,
    /// Serves for as long as the race is.
    _origin: Option<Origin>,
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

/// What there is to download, and from whom.
struct Work {
    targets: Vec<Target>,
    server: Server,
    source: String,
    noun: &'static str,
    origin: Option<Origin>,
}

pub(super) fn prepare(
    settings: &Settings,
    libraries: &Libraries,
    cancel: &CancellationToken,
    tell: &dyn Fn(Preparing),
) -> Result<Prepared, RaceError> {
    raise_open_files();
    let scenario = &settings.scenario;
    let clock;
    let work = match &scenario.source {
        Source::Origin { content, shape } => {
            let library = libraries.get(content, settings.seed, scenario.tasks, cancel, tell)?;
            clock = Clock::start();
            of_origin(settings, content, *shape, library, &clock)?
        }
        Source::Urls(urls) => {
            clock = Clock::start();
            of_urls(urls)
        }
    };
    let tls = Tls::new()?;
    let mut resolved = Resolved::new();
    if work.server == Server::Foreign {
        tell(Preparing::Lookups);
        if work.targets.iter().any(|target| target.url.scheme() == "https") {
            tls.read_roots();
        }
        resolved = look_up(&work.targets, cancel)?;
    }
    tell(Preparing::Output);
    let runs = run_plans(scenario, work.targets.len());
    // Names are claimed only for runs that will start: what is claimed counts as ours from then on.
    if cancel.is_cancelled() {
        return Err(RaceError::Cancelled);
    }
    let mut output = OutputFolder::open(&settings.output)?;
    let names: Vec<&str> = work.targets.iter().map(|target| target.name.as_str()).collect();
    let labels: Vec<&str> = runs.iter().map(|run| run.label.as_str()).collect();
    let folders = output.make_room(&labels, &names)?;
    let tasks = work
        .targets
        .iter()
        .map(|target| TaskPlan { name: target.name.clone(), url: shown_url(&target.url) })
        .collect();
    let plan = Arc::new(RacePlan {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        noun: work.noun.to_owned(),
        source: work.source,
        seed: settings.seed,
        order: settings.order,
        tasks,
        runs,
        output: std::path::absolute(&settings.output).unwrap_or_else(|_| PathBuf::from(&settings.output)),
        machine: machine(),
    });
    let limits = limits(&settings.download);
    let downloads = Downloads::new(work.targets, limits, work.server, tls, resolved, settings.seed);
    let async_threads = NonZeroUsize::new(scenario.async_threads).unwrap_or(NonZeroUsize::MIN);
    Ok(Prepared { plan, clock, downloads, output, folders, async_threads, _origin: work.origin })
}

impl Prepared {
    /// The jobs of the race, in the order of its runs.
    pub(super) fn jobs(&self, cancel: &CancellationToken, events: mpsc::Sender<Event>) -> Vec<Job> {
        let tasks = self.plan.tasks.len();
        let emitter = Emitter::new(self.clock.clone(), events);
        let runs = self.plan.runs.iter().zip(&self.folders).enumerate();
        runs.map(|(index, (run, folder))| Job {
            executor: run.executor,
            run: RunId::of(index),
            tasks,
            workers: NonZeroUsize::new(run.workers as usize).unwrap_or(NonZeroUsize::MIN),
            async_threads: self.async_threads,
            workload: Arc::new(self.downloads.into_folder(folder.clone())),
            emitter: emitter.clone(),
            progress: Progress::new(tasks),
            cancel: cancel.clone(),
        })
        .collect()
    }

    /// Takes note of the files that the race wrote.
    pub(super) fn tidy(&mut self) -> Result<(), RaceError> {
        let names: Vec<&str> = self.plan.tasks.iter().map(|task| task.name.as_str()).collect();
        Ok(self.output.close_runs(&self.folders, &names)?)
    }
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
    let Source::Origin { content, shape } = &settings.scenario.source else {
        return Err(RaceError::NoOrigin(settings.scenario.name.clone()));
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

fn of_origin(
    settings: &Settings,
    content: &Content,
    shape: Shape,
    library: Library,
    clock: &Clock,
) -> Result<Work, RaceError> {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options { bind, hosts: Vec::new(), seed: settings.seed, shape };
    let tasks: Vec<_> = library.tasks().collect();
    let origin = Origin::start(options, library, clock.clone())?;
    let targets = tasks.into_iter().map(|task| {
        let conduct = if task.panics { Conduct::Panics } else { Conduct::Normal };
        Ok(Target { url: parse(&origin.url(&task.path))?, name: task.name, conduct })
    });
    let targets = targets.collect::<Result<_, RaceError>>()?;
    let source = format!("built-in origin {}: {}", origin.address(), shape.describe());
    Ok(Work { targets, server: Server::Origin, source, noun: content.noun(), origin: Some(origin) })
}

fn of_urls(urls: &[Url]) -> Work {
    let last_segment = |url: &Url| {
        let segment = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
        text::file_name(segment)
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
    Work { targets, server: Server::Foreign, source, noun: "downloads", origin: None }
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

/// The runs of a scenario. A label is the executor's name, and carries the workers where the same
/// executor runs more than once.
fn run_plans(scenario: &Scenario, tasks: usize) -> Vec<RunPlan> {
    let mut count: HashMap<ExecutorKind, usize> = HashMap::new();
    for choice in &scenario.executors {
        *count.entry(choice.kind).or_default() += 1;
    }
    let plan = |choice: &ExecutorChoice| {
        let asked = choice.workers.unwrap_or(scenario.workers);
        let label = match count.get(&choice.kind) {
            Some(2..) => format!("{}-{asked}", choice.kind),
            _ => choice.kind.to_string(),
        };
        let workers = u32::try_from(choice.kind.parallelism(asked, tasks)).unwrap_or(u32::MAX);
        RunPlan { executor: choice.kind, workers, label }
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
