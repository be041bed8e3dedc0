//! Lays the layers over each other.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{ConfigError, hint};
use super::file::{ConfigFile, Text, Whereabouts, user_file};
use super::flags::Flags;
use super::keys::{self, Key, nearest};
use super::listing::{Effective, Entry, Layer, Whose};
use super::rules::{RESERVED, Refusal};
use super::settings::{ContentName, Dashboard, Download, LatencyName, OriginListen, Settings, Start};
use super::urls::{UrlList, UrlsError};
use super::variables::Variables;
use super::{URLS_SCENARIO, shown};
use crate::event::Order;
use crate::origin::{Content, Latency, Shape};
use crate::scenario::{ExecutorList, Scenario, Source};

/// Where settings come from. The built-in file is always the last of them.
pub struct Sources<'a> {
    /// The command line's flags, as its parsers let them through.
    pub flags: Flags,
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
    /// The current folder.
    pub folder: PathBuf,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// What `--urls -` reads.
    pub stdin: &'a mut dyn Read,
}

impl<'a> Sources<'a> {
    /// The flags, and this process's environment and folders.
    pub fn of_process(flags: Flags, stdin: &'a mut dyn Read) -> Sources<'a> {
        Sources {
            flags,
            variables: std::env::vars_os().collect(),
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            home: std::env::home_dir(),
            stdin,
        }
    }
}

/// Reads and checks all settings: flags beat variables, which beat the user's file, which beats the
/// built-in file.
///
/// # Errors
///
/// The first thing that is wrong in any of the sources.
pub fn load(sources: Sources<'_>) -> Result<Effective, ConfigError> {
    let Sources { flags, variables, folder, home, stdin } = sources;
    let variables = Variables::checked(variables)?;
    let named = match (&flags.config.path, variables.get(keys::CONFIG_VARIABLE)) {
        (Some(path), _) => Some(path.as_path()),
        (None, Some(path)) if path.is_empty() => {
            let message = format!("{} must be the path of a file, not ''", keys::CONFIG_VARIABLE);
            return Err(ConfigError::Variable { message });
        }
        (None, path) => path.map(Path::new),
    };
    let user = user_file(&Whereabouts {
        named,
        folder: &folder,
        xdg: variables.get("XDG_CONFIG_HOME"),
        home: home.as_deref(),
    })?;
    let urls = read_urls(&flags, &folder, stdin)?;

    let built_in = Text::built_in();
    let layers = Layers {
        built_in: ConfigFile::parse(&built_in)?,
        user: match &user {
            Some(text) => Some((ConfigFile::parse(text)?, Layer::File(text.path.clone()))),
            None => None,
        },
        variables,
    };
    layers.effective(&flags, urls)
}

fn read_urls(flags: &Flags, folder: &Path, stdin: &mut dyn Read) -> Result<Option<UrlList>, ConfigError> {
    if flags.urls.is_empty() && flags.url_list.is_none() {
        return Ok(None);
    }
    if let Some(scenario) = &flags.scenario {
        return Err(ConfigError::ScenarioAndUrls(shown(scenario).into_owned()));
    }
    let list = match &flags.url_list {
        None => UrlList::read(&flags.urls, None),
        Some(path) if path == Path::new("-") => UrlList::read(&flags.urls, Some(("standard input", stdin))),
        Some(path) => {
            let list = path.to_string_lossy();
            let mut file = File::open(folder.join(path))
                .map_err(|cause| UrlsError::Unreadable { list: shown(&list).into_owned(), cause })?;
            UrlList::read(&flags.urls, Some((&list, &mut file)))
        }
    };
    Ok(Some(list?))
}

/// A value, and where it came from.
struct Found<T> {
    value: T,
    layer: Layer,
    /// The bytes of the layer's file; empty where it has none.
    span: Range<usize>,
}

/// What every scenario has, also one made of URLs.
struct Sizes {
    tasks: Found<usize>,
    executors: Found<ExecutorList>,
    workers: Found<usize>,
    async_threads: Found<usize>,
}

struct Layers<'t> {
    built_in: ConfigFile<'t>,
    user: Option<(ConfigFile<'t>, Layer)>,
    variables: Variables,
}

impl Layers<'_> {
    fn effective(&self, flags: &Flags, urls: Option<UrlList>) -> Result<Effective, ConfigError> {
        let mut entries = Vec::new();
        self.take(&mut entries, &keys::FORMAT, None)?;
        let selected = self.general(&keys::SCENARIO, flags.scenario.clone())?;
        let urls = urls.map(|list| self.of_urls(list, flags)).transpose()?;
        entries.push(match &urls {
            Some((_, _, layer)) => Entry::of(
                &keys::SCENARIO,
                &Found { value: URLS_SCENARIO.to_owned(), layer: layer.clone(), span: 0..0 },
            ),
            None => Entry::of(&keys::SCENARIO, &selected),
        });
        let output = self.take(&mut entries, &keys::OUTPUT, flags.output.clone())?;
        let seed = self.take(&mut entries, &keys::SEED, flags.seed)?;
        let order = match self.take(&mut entries, &keys::TOGETHER, flags.together.then_some(true))? {
            true => Order::Together,
            false => Order::OneByOne,
        };
        let download = self.download(&mut entries, flags)?;
        let origin = OriginListen {
            bind: self.take(&mut entries, &keys::BIND, flags.bind)?,
            hosts: self.take(&mut entries, &keys::HOSTS, flags.hosts.clone())?,
        };
        let dashboard = self.dashboard(&mut entries, flags)?;

        let mut scenarios = Vec::new();
        let mut whose = Vec::new();
        let mut scenario = None;
        if let Some((of_urls, its_entries, _)) = urls {
            scenarios.push(of_urls.clone());
            whose.push(Whose::Urls);
            entries.extend(its_entries);
            scenario = Some(of_urls);
        }
        for (name, owner) in self.names() {
            let picked = scenario.is_none() && name == selected.value;
            let (one, its_entries) = self.scenario(name, picked.then_some(flags))?;
            if picked {
                scenario = Some(one.clone());
                entries.extend(its_entries);
            }
            scenarios.push(one);
            whose.push(owner);
        }
        let scenario = scenario.ok_or_else(|| self.no_scenario(&selected))?;
        let settings = Settings { scenario, scenarios, output, seed, order, download, dashboard, origin };
        Ok(Effective { settings, entries, whose })
    }

    fn download(&self, entries: &mut Vec<Entry>, flags: &Flags) -> Result<Download, ConfigError> {
        Ok(Download {
            timeout: self.take(entries, &keys::TIMEOUT, flags.timeout)?,
            stall: self.take(entries, &keys::STALL, None)?,
            connect: self.take(entries, &keys::CONNECT, None)?,
            retries: self.take(entries, &keys::RETRIES, flags.retries)?,
            backoff: self.take(entries, &keys::BACKOFF, None)?,
            backoff_cap: self.take(entries, &keys::BACKOFF_CAP, None)?,
            retry_after_cap: self.take(entries, &keys::RETRY_AFTER_CAP, None)?,
            max_bytes: self.take(entries, &keys::MAX_BYTES, flags.max_bytes)?,
            redirects: self.take(entries, &keys::REDIRECTS, None)?,
        })
    }

    fn dashboard(&self, entries: &mut Vec<Entry>, flags: &Flags) -> Result<Dashboard, ConfigError> {
        let autostart = self.take(entries, &keys::AUTOSTART, flags.no_autostart.then_some(false))?;
        Ok(Dashboard {
            start: if autostart { Start::AtOnce } else { Start::OnKey },
            theme: self.take(entries, &keys::THEME, flags.theme)?,
            glyphs: self.take(entries, &keys::GLYPHS, flags.glyphs)?,
            frames: self.take(entries, &keys::FRAMES, None)?,
            mouse: self.take(entries, &keys::MOUSE, None)?,
        })
    }

    fn of_urls(
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
        let urls = list.into_texts();
        sizes.tasks.value = urls.len();
        let entries = [Entry::of(&keys::ABOUT, &about)].into_iter().chain(sizes.entries()).collect();
        Ok((sizes.into_scenario(URLS_SCENARIO, about.value, Source::Urls(urls)), entries, layer))
    }

    /// A scenario of the files; with what flags and variables say, when it is the selected one.
    fn scenario(&self, name: &str, selected: Option<&Flags>) -> Result<(Scenario, Vec<Entry>), ConfigError> {
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
    fn names(&self) -> Vec<(&str, Whose)> {
        let built_in = self.built_in.scenario_names();
        let users = self.user.as_ref().map(|(file, _)| file.scenario_names()).unwrap_or_default();
        let changed = |name| if users.contains(name) { Whose::Changed } else { Whose::BuiltIn };
        let owned = users.iter().filter(|name| !built_in.contains(name)).map(|name| (*name, Whose::Users));
        built_in.iter().map(|name| (*name, changed(name))).chain(owned).collect()
    }

    fn no_scenario(&self, selected: &Found<String>) -> ConfigError {
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

    /// A general setting, with its entry in the listing.
    fn take<T>(&self, entries: &mut Vec<Entry>, key: &Key<T>, flag: Option<T>) -> Result<T, ConfigError> {
        let found = self.general(key, flag)?;
        entries.push(Entry::of(key, &found));
        Ok(found.value)
    }

    fn general<T>(&self, key: &Key<T>, flag: Option<T>) -> Result<Found<T>, ConfigError> {
        let found = self
            .in_files(key, "")?
            .ok_or_else(|| self.built_in.error(0..0, format!("the key {} is missing", key.name.full(""))))?;
        self.above(found, key, flag)
    }

    fn of_scenario<T>(&self, key: &Key<T>, scenario: &str) -> Result<Found<T>, ConfigError> {
        if let Some(found) = self.in_files(key, scenario)? {
            return Ok(found);
        }
        let default = key.default.ok_or_else(|| {
            self.built_in.error(0..0, format!("the key {} is missing", key.name.full(scenario)))
        })?;
        Ok(Found { value: default(), layer: Layer::BuiltIn, span: 0..0 })
    }

    fn in_files<T>(&self, key: &Key<T>, scenario: &str) -> Result<Option<Found<T>>, ConfigError> {
        let path = key.name.section.path(scenario);
        let user = self.user.as_ref().map(|(file, layer)| (file, layer.clone()));
        let mut found = None;
        for (file, layer) in [(&self.built_in, Layer::BuiltIn)].into_iter().chain(user) {
            let Some(value) = file.get(&path, key.name.key) else { continue };
            found = match key.rule.toml(value.get_ref()) {
                Ok(taken) => Some(Found { value: taken, layer, span: value.span() }),
                Err(refusal) => {
                    let message = refusal.sentence(&key.name.full(scenario), &key.rule.allowed());
                    let span = match refusal {
                        Refusal::Because { part: Some(part), .. } => part,
                        _ => value.span(),
                    };
                    return Err(file.error(span, message));
                }
            };
        }
        Ok(found)
    }

    /// What a variable and a flag make of a value that was found in the files.
    fn above<T>(&self, below: Found<T>, key: &Key<T>, flag: Option<T>) -> Result<Found<T>, ConfigError> {
        let mut found = below;
        if let Some(name) = key.name.variable
            && let Some(text) = self.variables.get(name)
        {
            let value = key.rule.system_text(text).map_err(|refusal| ConfigError::Variable {
                message: refusal.sentence(name, &key.rule.allowed()),
            })?;
            found = Found { value, layer: Layer::Variable(name), span: 0..0 };
        }
        if let Some(name) = key.name.flag
            && let Some(value) = flag
        {
            found = Found { value, layer: Layer::Flag(name), span: 0..0 };
        }
        Ok(found)
    }

    /// The error that a value which is fine by itself makes together with others.
    fn blame<T>(&self, found: &Found<T>, key: &Key<T>, scenario: &str, message: &str) -> ConfigError {
        let in_file = format!("{}: {message}", key.name.full(scenario));
        match (&found.layer, &self.user) {
            (Layer::Variable(name), _) => ConfigError::Variable { message: format!("{name}: {message}") },
            (Layer::Flag(name), _) => ConfigError::Flag { message: format!("{name}: {message}") },
            (Layer::File(_), Some((file, _))) => file.error(found.span.clone(), in_file),
            (Layer::BuiltIn | Layer::File(_), _) => self.built_in.error(found.span.clone(), in_file),
        }
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

impl Entry {
    fn of<T>(key: &Key<T>, found: &Found<T>) -> Entry {
        Entry {
            section: key.name.section,
            key: key.name.key,
            toml: key.rule.write(&found.value),
            layer: found.layer.clone(),
        }
    }
}
