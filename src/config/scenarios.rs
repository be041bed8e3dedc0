//! The scenarios: those of the files, and the one that URLs make.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::URLS_SCENARIO;
use super::error::{ConfigError, hint};
use super::flags::Flags;
use super::keys::{self, Key, nearest};
use super::listing::{Entry, Layer, Whose};
use super::load::{Found, Layers};
use super::rules::RESERVED;
use super::settings::{ComputationName, ContentName, LatencyName};
use super::urls::UrlList;
use crate::event::{ExecutorKind, WorkloadKind};
use crate::origin::{Content, Latency, Shape};
use crate::scenario::{ExecutorChoice, ExecutorError, ExecutorList, Scenario, Source, Work, WorkerCounts};
use crate::text::{counted, shown};
use crate::workload::api::Calls;
use crate::workload::compute::Computation;
use crate::workload::counter::CounterWork;
use crate::workload::crud::RowWork;
use crate::workload::files::{Durability, FileWork};

/// What every scenario has, also one made of URLs.
struct Sizes {
    tasks: Found<usize>,
    executors: Found<ExecutorList>,
    workers: Found<usize>,
    async_threads: Found<usize>,
    main_work: Found<Duration>,
    pace: Found<Duration>,
}

/// What a scenario is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// To be raced: its executors must be there.
    Selected,
    /// To be listed: a program that is missing on this machine spoils nothing.
    Listed,
}

/// How often a task adds that is given a pace from outside: a scenario's thousands of additions would take days.
const PACED_ADDS: u64 = 5;

/// What the scenario of the URLs is. How many they are, and whose, the report says.
const OF_URLS: &str = "URLs of your own";

impl Layers<'_> {
    /// The scenario of the URLs, with its entries in the listing and the flag that gave them.
    pub(super) fn of_urls(
        &self,
        mut list: UrlList,
        flags: &Flags,
    ) -> Result<(Scenario, Vec<Entry>, Layer), ConfigError> {
        let layer = Layer::Flag(if flags.url_list.is_some() { "--urls" } else { "--url" });
        let mut sizes = self.sizes(URLS_SCENARIO, Some(flags))?;
        match sizes.tasks.layer {
            Layer::BuiltIn | Layer::File(_) => sizes.tasks.layer = layer.clone(),
            Layer::Variable(_) | Layer::Flag(_) => list.keep(sizes.tasks.value),
        }
        let about = Found { value: OF_URLS.to_owned(), layer: layer.clone(), span: 0..0 };
        let urls = list.into_urls();
        sizes.tasks.value = urls.len();
        let entries = [Entry::of(&keys::ABOUT, &about)].into_iter().chain(sizes.entries()).collect();
        let work = Work::Download(Source::Urls(urls));
        Ok((self.scenario_of(sizes, URLS_SCENARIO, about.value, work, Use::Selected)?, entries, layer))
    }

    /// A scenario of the files; with what flags and variables say, when it is the selected one.
    pub(super) fn scenario(
        &self,
        name: &str,
        selected: Option<&Flags>,
    ) -> Result<(Scenario, Vec<Entry>), ConfigError> {
        let about = self.of_scenario(&keys::ABOUT, name)?;
        let workload = self.of_scenario(&keys::WORKLOAD, name)?;
        let sizes = self.sizes(name, selected)?;
        let mut entries = vec![Entry::of(&keys::ABOUT, &about), Entry::of(&keys::WORKLOAD, &workload)];
        let mut after = Vec::new();
        let work = self.work(name, workload.value, &sizes.pace, &mut entries, &mut after)?;
        entries.extend(sizes.entries());
        entries.append(&mut after);
        let its_use = if selected.is_some() { Use::Selected } else { Use::Listed };
        Ok((self.scenario_of(sizes, name, about.value, work, its_use)?, entries))
    }

    /// What the tasks do, with the entries of its settings: those of the scenario itself, and those of its
    /// origin, which come after all others.
    fn work(
        &self,
        name: &str,
        workload: WorkloadKind,
        pace: &Found<Duration>,
        entries: &mut Vec<Entry>,
        after: &mut Vec<Entry>,
    ) -> Result<Work, ConfigError> {
        Ok(match workload {
            WorkloadKind::Download => {
                let content = self.content(name, entries)?;
                Work::Download(Source::Origin { content, shape: self.shape(name, after)? })
            }
            WorkloadKind::Api => {
                let calls = match self.listed(&keys::API_CRUD, name, entries)? {
                    true => Calls::Crud,
                    false => Calls::Get,
                };
                Work::Api { calls, shape: self.shape(name, after)? }
            }
            WorkloadKind::Files => Work::Files(FileWork {
                operations: self.listed(&keys::OPERATIONS, name, entries)?,
                bytes: self.listed(&keys::BYTES, name, entries)?,
                durability: match self.listed(&keys::FSYNC, name, entries)? {
                    true => Durability::Synced,
                    false => Durability::Cached,
                },
            }),
            WorkloadKind::Crud => Work::Crud(RowWork { rows: self.listed(&keys::ROWS, name, entries)? }),
            WorkloadKind::Compute => Work::Compute(match self.listed(&keys::COMPUTATION, name, entries)? {
                ComputationName::Primes => {
                    Computation::Primes { below: self.listed(&keys::BELOW, name, entries)? }
                }
                ComputationName::Hash => {
                    Computation::Hash { bytes: self.listed(&keys::BYTES, name, entries)? }
                }
                ComputationName::Resize => Computation::Resize {
                    width: self.listed(&keys::WIDTH, name, entries)?,
                    height: self.listed(&keys::HEIGHT, name, entries)?,
                },
                ComputationName::Csv => Computation::Csv { rows: self.listed(&keys::ROWS, name, entries)? },
            }),
            WorkloadKind::Sleep => {
                let times = self.listed(&keys::SLEEP, name, entries)?;
                Work::Sleep(times.durations().into())
            }
            // The rule of the setting names only what can be raced, so this is never asked for.
            WorkloadKind::Imported => Work::Sleep(Arc::from([])),
            WorkloadKind::Counter => {
                let mut adds = self.of_scenario(&keys::ADDS, name)?;
                let is_imposed = matches!(pace.layer, Layer::Variable(_) | Layer::Flag(_));
                if is_imposed && !pace.value.is_zero() && adds.value > PACED_ADDS {
                    adds = Found { value: PACED_ADDS, layer: pace.layer.clone(), span: 0..0 };
                }
                entries.push(Entry::of(&keys::ADDS, &adds));
                let adds = adds.value;
                let guard = self.listed(&keys::GUARD, name, entries)?;
                entries.push(Entry::of(&keys::PACE, pace));
                Work::Counter(CounterWork { adds, guard, pace: pace.value })
            }
        })
    }

    /// A setting of a scenario, with its entry in the listing.
    fn listed<T>(&self, key: &Key<T>, name: &str, entries: &mut Vec<Entry>) -> Result<T, ConfigError> {
        let found = self.of_scenario(key, name)?;
        entries.push(Entry::of(key, &found));
        Ok(found.value)
    }

    fn content(&self, name: &str, entries: &mut Vec<Entry>) -> Result<Content, ConfigError> {
        Ok(match self.listed(&keys::CONTENT, name, entries)? {
            ContentName::Pictures => {
                let (width, height) = self.picture(name, entries)?;
                Content::Pictures { width, height }
            }
            ContentName::Posts => Content::Posts,
            ContentName::Csv => Content::Csv { rows: self.listed(&keys::ROWS, name, entries)? },
            ContentName::Bytes => Content::Bytes { size: self.listed(&keys::BYTES, name, entries)? },
            ContentName::Faults => {
                let (width, height) = self.picture(name, entries)?;
                Content::Faults { width, height }
            }
        })
    }

    fn picture(&self, name: &str, entries: &mut Vec<Entry>) -> Result<(u32, u32), ConfigError> {
        Ok((self.listed(&keys::WIDTH, name, entries)?, self.listed(&keys::HEIGHT, name, entries)?))
    }

    /// Puts a scenario together: its delays scaled, and its executors able to do it.
    fn scenario_of(
        &self,
        sizes: Sizes,
        name: &str,
        about: String,
        work: Work,
        its_use: Use,
    ) -> Result<Scenario, ConfigError> {
        let scenario = Scenario {
            name: name.to_owned(),
            about,
            tasks: sizes.tasks.value,
            executors: Vec::new(),
            workers: sizes.workers.value,
            async_threads: sizes.async_threads.value,
            main_work: sizes.main_work.value,
            work,
        };
        let found = sizes.executors;
        let fitting = found.value.clone().fitting(|choice| match its_use {
            Use::Selected => scenario.why_not(choice, &self.programs),
            Use::Listed => scenario.unfit(choice, &self.programs),
        });
        let executors = fitting.map_err(|(choice, reason)| {
            let message = match &choice.kind {
                ExecutorKind::External(program) if !self.programs.contains_key(program) => {
                    let known = ExecutorKind::BUILT_IN;
                    let known =
                        known.iter().map(ExecutorKind::name).chain(self.programs.keys().map(|name| &**name));
                    let near = hint(nearest(program, known));
                    let programs: Vec<&str> = self.programs.keys().map(|name| &**name).collect();
                    let programs = match programs[..] {
                        [] => String::new(),
                        _ => format!("; or a program: {}", programs.join(", ")),
                    };
                    format!("{}{near}{programs}", ExecutorError::Unknown(program.to_string()))
                }
                _ => format!("{choice} can't do scenario {}: {reason}", shown(name)),
            };
            self.blame(&found, &keys::EXECUTORS, name, &message)
        })?;
        Ok(Scenario { executors, ..scenario }.scaled(self.time_scale))
    }

    fn sizes(&self, name: &str, selected: Option<&Flags>) -> Result<Sizes, ConfigError> {
        let mut sizes = Sizes {
            tasks: self.of_scenario(&keys::TASKS, name)?,
            executors: self.of_scenario(&keys::EXECUTORS, name)?,
            workers: self.of_scenario(&keys::WORKERS, name)?,
            async_threads: self.of_scenario(&keys::ASYNC_THREADS, name)?,
            main_work: self.of_scenario(&keys::MAIN_WORK, name)?,
            pace: self.of_scenario(&keys::PACE, name)?,
        };
        if let Some(flags) = selected {
            sizes = Sizes {
                tasks: self.above(sizes.tasks, &keys::TASKS, flags.tasks)?,
                executors: self.above(sizes.executors, &keys::EXECUTORS, flags.executors.clone())?,
                workers: self.above(sizes.workers, &keys::WORKERS, one_count(flags)?)?,
                async_threads: self.above(sizes.async_threads, &keys::ASYNC_THREADS, flags.async_threads)?,
                main_work: sizes.main_work,
                pace: self.above(sizes.pace, &keys::PACE, flags.pace)?,
            };
        }
        let workers = sizes.workers.value;
        if let Some(twice) = sizes.executors.value.repeated(workers) {
            let number = |workers: usize| counted(workers as u64, "worker", "workers");
            let meant = match twice.key(workers) {
                (kind, Some(workers), None) => format!("{kind} with {}", number(workers)),
                (kind, Some(workers), Some(variant)) => {
                    format!("{kind} with {}, {},", number(workers), variant.name())
                }
                (kind, None, None) => kind.to_string(),
                (kind, None, Some(variant)) => format!("{kind}, {},", variant.name()),
            };
            let message = format!("{meant} is there twice: name each run once");
            return Err(match sizes.workers.layer > sizes.executors.layer {
                true => self.blame(&sizes.workers, &keys::WORKERS, name, &message),
                false => self.blame(&sizes.executors, &keys::EXECUTORS, name, &message),
            });
        }
        Ok(sizes)
    }

    fn shape(&self, name: &str, entries: &mut Vec<Entry>) -> Result<Shape, ConfigError> {
        let mean = self.of_scenario(&keys::LATENCY, name)?;
        let kind = self.of_scenario(&keys::LATENCY_KIND, name)?;
        let spread = self.of_scenario(&keys::LATENCY_SPREAD, name)?;
        let bandwidth = self.of_scenario(&keys::BANDWIDTH, name)?;
        let shared = self.of_scenario(&keys::SHARED_BANDWIDTH, name)?;
        let concurrent = self.of_scenario(&keys::CONCURRENT, name)?;
        let failures = self.of_scenario(&keys::FAILURES, name)?;
        entries.push(Entry::of(&keys::LATENCY, &mean));
        entries.push(Entry::of(&keys::LATENCY_KIND, &kind));
        let latency = match kind.value {
            LatencyName::Uniform if spread.value > mean.value => {
                let message = format!(
                    "latency_spread_seconds, {}, is more than latency_seconds, {}: no answer comes before its request",
                    spread.value.as_secs_f64(),
                    mean.value.as_secs_f64()
                );
                return Err(match mean.layer > spread.layer {
                    true => self.blame(&mean, &keys::LATENCY, name, &message),
                    false => self.blame(&spread, &keys::LATENCY_SPREAD, name, &message),
                });
            }
            LatencyName::Uniform => {
                entries.push(Entry::of(&keys::LATENCY_SPREAD, &spread));
                Latency::Uniform { mean: mean.value, spread: spread.value }
            }
            // The built-in file's spread may be left over when somebody changes the kind; their own may not.
            _ if spread.value > Duration::ZERO && spread.layer != Layer::BuiltIn => {
                let message = "only latency = \"uniform\" has a spread";
                return Err(self.blame(&spread, &keys::LATENCY_SPREAD, name, message));
            }
            LatencyName::Fixed => Latency::Fixed(mean.value),
            LatencyName::Exponential => Latency::Exponential { mean: mean.value },
        };
        entries.push(Entry::of(&keys::BANDWIDTH, &bandwidth));
        entries.push(Entry::of(&keys::SHARED_BANDWIDTH, &shared));
        entries.push(Entry::of(&keys::CONCURRENT, &concurrent));
        entries.push(Entry::of(&keys::FAILURES, &failures));
        Ok(Shape {
            latency,
            bandwidth: NonZeroU64::new(bandwidth.value),
            shared_bandwidth: NonZeroU64::new(shared.value),
            concurrent: NonZeroUsize::new(concurrent.value),
            failures: failures.value,
        })
    }

    /// The scenarios: the built-in ones, then the user's own, each in its file's order.
    pub(super) fn names(&self) -> Vec<(&str, Whose)> {
        let built_in = self.built_in.scenario_names();
        let users = self.user.as_ref().map(|(file, _)| file.scenario_names()).unwrap_or_default();
        let is_changed = |name: &str| {
            self.user.as_ref().is_some_and(|(file, _)| file.says_otherwise(&self.built_in, name))
        };
        let changed = |name: &str| if is_changed(name) { Whose::Changed } else { Whose::BuiltIn };
        let owned = users.iter().filter(|name| !built_in.contains(name)).map(|name| (*name, Whose::Users));
        built_in.iter().map(|name| (*name, changed(name))).chain(owned).collect()
    }

    /// The scenario as a sweep with so many workers: by the executor that was named, and otherwise by the pool.
    pub(super) fn swept(
        &self,
        scenario: &Scenario,
        counts: &WorkerCounts,
        flags: &Flags,
    ) -> Result<Scenario, ConfigError> {
        if flags.together {
            let message =
                "--together: the runs of a sweep follow each other, or they would measure each other";
            return Err(ConfigError::Flag { message: message.to_owned() });
        }
        let choice = match &flags.executors {
            Some(named) => Scenario::sweep_choice(named.choices()),
            None => Ok(ExecutorChoice::plain(ExecutorKind::Pool)),
        };
        let swept = choice.and_then(|choice| scenario.swept(&choice, counts, &self.programs));
        swept.map_err(|error| ConfigError::Flag { message: shown(&error.to_string()).into_owned() })
    }

    pub(super) fn no_scenario(&self, selected: &Found<String>) -> ConfigError {
        let name = selected.value.as_str();
        let commands = || RESERVED.into_iter().filter(|name| *name != URLS_SCENARIO);
        let scenarios = self.names().into_iter().map(|(name, _)| name);
        let hint = match selected.layer {
            Layer::Flag(_) if commands().any(|command| command == name) => {
                format!(" (the command comes before all flags: threadrace {name})")
            }
            Layer::Flag(_) => hint(nearest(name, scenarios.chain(commands()))),
            _ => hint(nearest(name, scenarios)),
        };
        let message =
            format!("there is no scenario '{}'{hint}; `threadrace scenarios` lists them", shown(name));
        self.blame(selected, &keys::SCENARIO, "", &message)
    }
}

/// The one number of workers that a race is given.
fn one_count(flags: &Flags) -> Result<Option<usize>, ConfigError> {
    let Some(counts) = &flags.workers else { return Ok(None) };
    let message = "--workers: a race takes one number of workers; `threadrace sweep` races with several";
    counts.single().map(Some).ok_or_else(|| ConfigError::Flag { message: message.to_owned() })
}

impl Sizes {
    fn entries(&self) -> [Entry; 5] {
        [
            Entry::of(&keys::TASKS, &self.tasks),
            Entry::of(&keys::EXECUTORS, &self.executors),
            Entry::of(&keys::WORKERS, &self.workers),
            Entry::of(&keys::ASYNC_THREADS, &self.async_threads),
            Entry::of(&keys::MAIN_WORK, &self.main_work),
        ]
    }
}
