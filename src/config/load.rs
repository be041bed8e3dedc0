//! Lays the layers over each other.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::URLS_SCENARIO;
use super::error::ConfigError;
use super::file::{ConfigFile, Text, Whereabouts, user_file};
use super::flags::Flags;
use super::keys::{self, Key};
use super::listing::{Effective, Entry, Layer, Whose};
use super::rules::Refusal;
use super::settings::{Dashboard, OriginListen, Repeats, Settings, Start};
use super::urls::{UrlList, UrlsError};
use super::variables::Variables;
use crate::event::{Order, TimeScale};
use crate::scenario::{Presence, Program, Programs};
use crate::text::shown;
use crate::workload::download::Limits;

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
    let mut layers = Layers {
        built_in: ConfigFile::parse(&built_in)?,
        user: match &user {
            Some(text) => Some((ConfigFile::parse(text)?, Layer::File(text.path.clone()))),
            None => None,
        },
        variables,
        programs: Programs::new(),
        time_scale: TimeScale::ONE,
    };
    layers.programs = layers.programs()?;
    layers.time_scale = layers.general(&keys::TIME_SCALE, flags.time_scale)?.value;
    layers.effective(&flags, urls)
}

/// Whether a path is `-`, which stands for the standard stream where a file is read or written.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
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
        Some(path) if is_standard(path) => UrlList::read(&flags.urls, Some(("standard input", stdin))),
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
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) layer: Layer,
    /// The bytes of the layer's file; empty where it has none.
    pub(super) span: Range<usize>,
}

/// The layers below the flags.
pub(super) struct Layers<'t> {
    pub(super) built_in: ConfigFile<'t>,
    pub(super) user: Option<(ConfigFile<'t>, Layer)>,
    variables: Variables,
    /// What the files call executors beside the built-in ones.
    pub(super) programs: Programs,
    /// What every scenario's delays are multiplied with.
    pub(super) time_scale: TimeScale,
}

impl Layers<'_> {
    /// The programs of `[executors.NAME]`.
    fn programs(&self) -> Result<Programs, ConfigError> {
        let files = [Some(&self.built_in), self.user.as_ref().map(|(file, _)| file)];
        let mut programs = Programs::new();
        for name in files.into_iter().flatten().flat_map(ConfigFile::executor_names) {
            let command = self.of_scenario(&keys::COMMAND, name)?;
            if command.value.is_empty() {
                let message = "a program needs its command: an array of texts, the program first";
                return Err(self.blame(&command, &keys::COMMAND, name, message));
            }
            let workloads = self.of_scenario(&keys::DOES, name)?.value;
            let path = self.variables.get("PATH");
            let presence = Presence::of(command.value.first().map_or("", String::as_str), path);
            programs.insert(name.into(), Program { command: command.value, workloads, presence });
        }
        Ok(programs)
    }

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
        let time_scale = self.take(&mut entries, &keys::TIME_SCALE, flags.time_scale)?;
        let order = match self.take(&mut entries, &keys::TOGETHER, flags.together.then_some(true))? {
            true => Order::Together,
            false => Order::OneByOne,
        };
        let repeat = self.general(&keys::REPEAT, flags.repeat)?;
        let warmup = self.general(&keys::WARMUP, flags.warmup)?;
        entries.extend([Entry::of(&keys::REPEAT, &repeat), Entry::of(&keys::WARMUP, &warmup)]);
        let repeats = Repeats { counted: repeat.value, warmups: warmup.value };
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
        let mut scenario = scenario.ok_or_else(|| self.no_scenario(&selected))?;
        let mut order = order;
        if let Some(counts) = &flags.sweep {
            scenario = self.swept(&scenario, counts, flags)?;
            order = Order::OneByOne;
        }
        if let Some(message) = repeats.why_not(order, scenario.executors.len(), scenario.tasks) {
            return Err(match repeats.counted {
                1 => self.blame(&warmup, &keys::WARMUP, "", &message),
                _ => self.blame(&repeat, &keys::REPEAT, "", &message),
            });
        }
        let settings = Settings {
            scenario,
            scenarios,
            programs: self.programs.clone(),
            output,
            time_scale,
            seed,
            order,
            repeats,
            download,
            dashboard,
            origin,
            record: None,
        };
        Ok(Effective { settings, entries, whose })
    }

    fn download(&self, entries: &mut Vec<Entry>, flags: &Flags) -> Result<Limits, ConfigError> {
        Ok(Limits {
            deadline: self.take(entries, &keys::TIMEOUT, flags.timeout)?,
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
            theme: self.take(entries, &keys::THEME, flags.look.theme)?,
            glyphs: self.take(entries, &keys::GLYPHS, flags.look.glyphs)?,
            frames: self.take(entries, &keys::FRAMES, None)?,
            mouse: self.take(entries, &keys::MOUSE, None)?,
        })
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

    pub(super) fn of_scenario<T>(&self, key: &Key<T>, scenario: &str) -> Result<Found<T>, ConfigError> {
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
    pub(super) fn above<T>(
        &self,
        below: Found<T>,
        key: &Key<T>,
        flag: Option<T>,
    ) -> Result<Found<T>, ConfigError> {
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
    pub(super) fn blame<T>(
        &self,
        found: &Found<T>,
        key: &Key<T>,
        scenario: &str,
        message: &str,
    ) -> ConfigError {
        let in_file = format!("{}: {message}", key.name.full(scenario));
        match (&found.layer, &self.user) {
            (Layer::Variable(name), _) => ConfigError::Variable { message: format!("{name}: {message}") },
            (Layer::Flag(name), _) => ConfigError::Flag { message: format!("{name}: {message}") },
            (Layer::File(_), Some((file, _))) => file.error(found.span.clone(), in_file),
            (Layer::BuiltIn | Layer::File(_), _) => self.built_in.error(found.span.clone(), in_file),
        }
    }
}

impl Entry {
    pub(super) fn of<T>(key: &Key<T>, found: &Found<T>) -> Entry {
        Entry {
            section: key.name.section,
            key: key.name.key,
            toml: key.rule.write(&found.value),
            layer: found.layer.clone(),
        }
    }
}
