//! The scenarios: those of the files, and the one that URLs make.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::URLS_SCENARIO;
use super::error::{ConfigError, hint};
use super::flags::Flags;
use super::keys::{self, nearest};
use super::listing::{Entry, Layer, Whose};
use super::load::{Found, Layers};
use super::rules::RESERVED;
use super::settings::{ContentName, LatencyName};
use super::urls::UrlList;
use crate::origin::{Content, Latency, Shape};
use crate::scenario::{ExecutorList, Scenario, Source};
use crate::text::shown;

/// What every scenario has, also one made of URLs.
struct Sizes {
    tasks: Found<usize>,
    executors: Found<ExecutorList>,
    workers: Found<usize>,
    async_threads: Found<usize>,
}

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
        let about = Found { value: list.about(), layer: layer.clone(), span: 0..0 };
        let urls = list.into_urls();
        sizes.tasks.value = urls.len();
        let entries = [Entry::of(&keys::ABOUT, &about)].into_iter().chain(sizes.entries()).collect();
        Ok((sizes.into_scenario(URLS_SCENARIO, about.value, Source::Urls(urls)), entries, layer))
    }

    /// A scenario of the files; with what flags and variables say, when it is the selected one.
    pub(super) fn scenario(
        &self,
        name: &str,
        selected: Option<&Flags>,
    ) -> Result<(Scenario, Vec<Entry>), ConfigError> {
        let about = self.of_scenario(&keys::ABOUT, name)?;
        let content = self.of_scenario(&keys::CONTENT, name)?;
        let bytes = self.of_scenario(&keys::BYTES, name)?;
        let width = self.of_scenario(&keys::WIDTH, name)?;
        let height = self.of_scenario(&keys::HEIGHT, name)?;
        let rows = self.of_scenario(&keys::ROWS, name)?;
        let sizes = self.sizes(name, selected)?;
        let mut entries = vec![Entry::of(&keys::ABOUT, &about), Entry::of(&keys::CONTENT, &content)];
        let picture = [Entry::of(&keys::WIDTH, &width), Entry::of(&keys::HEIGHT, &height)];
        let served = match content.value {
            ContentName::Pictures => {
                entries.extend(picture);
                Content::Pictures { width: width.value, height: height.value }
            }
            ContentName::Posts => Content::Posts,
            ContentName::Csv => {
                entries.push(Entry::of(&keys::ROWS, &rows));
                Content::Csv { rows: rows.value }
            }
            ContentName::Bytes => {
                entries.push(Entry::of(&keys::BYTES, &bytes));
                Content::Bytes { size: bytes.value }
            }
            ContentName::Faults => {
                entries.extend(picture);
                Content::Faults { width: width.value, height: height.value }
            }
        };
        entries.extend(sizes.entries());
        let shape = self.shape(name, &mut entries)?;
        let source = Source::Origin { content: served, shape };
        Ok((sizes.into_scenario(name, about.value, source), entries))
    }

    fn sizes(&self, name: &str, selected: Option<&Flags>) -> Result<Sizes, ConfigError> {
        let mut sizes = Sizes {
            tasks: self.of_scenario(&keys::TASKS, name)?,
            executors: self.of_scenario(&keys::EXECUTORS, name)?,
            workers: self.of_scenario(&keys::WORKERS, name)?,
            async_threads: self.of_scenario(&keys::ASYNC_THREADS, name)?,
        };
        if let Some(flags) = selected {
            sizes = Sizes {
                tasks: self.above(sizes.tasks, &keys::TASKS, flags.tasks)?,
                executors: self.above(sizes.executors, &keys::EXECUTORS, flags.executors.clone())?,
                workers: self.above(sizes.workers, &keys::WORKERS, flags.workers)?,
                async_threads: self.above(sizes.async_threads, &keys::ASYNC_THREADS, flags.async_threads)?,
            };
        }
        let workers = sizes.workers.value;
        if let Some(twice) = sizes.executors.value.repeated(workers) {
            let meant = match twice.key(workers) {
                (kind, Some(workers)) => format!("{kind} with {workers} workers"),
                (kind, None) => kind.to_string(),
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
        let changed = |name| if users.contains(name) { Whose::Changed } else { Whose::BuiltIn };
        let owned = users.iter().filter(|name| !built_in.contains(name)).map(|name| (*name, Whose::Users));
        built_in.iter().map(|name| (*name, changed(name))).chain(owned).collect()
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

impl Sizes {
    fn entries(&self) -> [Entry; 4] {
        [
            Entry::of(&keys::TASKS, &self.tasks),
            Entry::of(&keys::EXECUTORS, &self.executors),
            Entry::of(&keys::WORKERS, &self.workers),
            Entry::of(&keys::ASYNC_THREADS, &self.async_threads),
        ]
    }

    fn into_scenario(self, name: &str, about: String, source: Source) -> Scenario {
        Scenario {
            name: name.to_owned(),
            about,
            tasks: self.tasks.value,
            executors: self.executors.value.into(),
            workers: self.workers.value,
            async_threads: self.async_threads.value,
            source,
        }
    }
}
