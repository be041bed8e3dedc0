//! What there is to do in a race: the tasks of its workload, what they are made from, and the origin that
//! serves them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Settings;
use crate::event::{RacePlan, TaskPlan};
use crate::origin::{Content, Library, Options, Origin, OriginTask, Shape};
use crate::scenario::{self, ExecutorChoice, Source};
use crate::text;
use crate::workload::api::{Api, Calls};
use crate::workload::compute::{Computation, Compute};
use crate::workload::counter::{Counter, CounterWork};
use crate::workload::crud::{Crud, RowWork};
use crate::workload::download::{Conduct, Downloads, Limits, Server, Target};
use crate::workload::files::{FileWork, Files};
use crate::workload::sleep::{self, Sleep};
use crate::workload::{Resolved, RunFolder, Tls, Workload};

use super::addresses::{look_up, parse, shown_url};
use super::prepare::raise_open_files;
use super::{Preparing, RaceError};

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

/// What the workloads of the runs are made from.
pub(super) enum Supply {
    Downloads(Downloads),
    Api { calls: Calls, base: Url, limits: Limits, tls: Tls },
    Files(FileWork),
    Crud(RowWork),
    Compute(Compute),
    Sleep(Arc<[Duration]>),
    Counter(CounterWork),
}

/// What there is to do: the tasks, and where they come from, in words.
pub(super) struct Work {
    pub(super) tasks: Vec<TaskPlan>,
    pub(super) supply: Supply,
    pub(super) source: String,
    pub(super) noun: &'static str,
    /// The names of the files that each run writes.
    pub(super) files: Vec<String>,
    pub(super) output: OutputNeed,
    pub(super) origin: Option<Origin>,
}

/// Whether a scenario writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputNeed {
    Folder,
    Nothing,
}

/// What a race is prepared with.
pub(super) struct Preparation<'a> {
    pub(super) settings: &'a Settings,
    pub(super) libraries: &'a Libraries,
    pub(super) cancel: &'a CancellationToken,
    pub(super) tell: &'a dyn Fn(Preparing),
}

impl Preparation<'_> {
    /// Makes the work ready, and starts the race's clock: after the origin's bodies were made, and before
    /// the origin starts, whose log it stamps.
    pub(super) fn work(&self) -> Result<(Work, Clock), RaceError> {
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
        let limits = self.settings.download.clone();
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
        let limits = self.settings.download.clone();
        let downloads = Downloads::new(targets, limits, server, tls, resolved, self.settings.seed);
        let (supply, output) = (Supply::Downloads(downloads), OutputNeed::Folder);
        Ok(Work { tasks, supply, source, noun, files, output, origin: None })
    }
}

impl Supply {
    /// The workload of one run.
    pub(super) fn workload(
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
