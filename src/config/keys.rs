//! Every setting: its key in the file, its variable, its flag and its rule. Flags, variables, the file
//! and the listing are all read from this one table.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::rules::{
    Address, Among, Decimal, Executors, Folder, HostNames, Line, OneOf, Refusal, Rule, Scale, ScenarioName,
    Seconds, SleepTimes, Sleeps, Switch, Whole, Words, Workloads,
};
use super::{ComputationName, ContentName, Edition, FrameRate, GlyphChoice, LatencyName, ThemeName};
use crate::event::{Guard, TimeScale, Variant, WorkloadKind};
use crate::scenario::{ExecutorList, MAX_WORKERS};
use crate::workload::files::Operations;

/// The variable that names the user's file. It has no key in the file.
pub(crate) const CONFIG_VARIABLE: &str = "THREADRACE_CONFIG";

/// Which table of the file a key stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// Above all tables.
    Top,
    /// `[download]`.
    Download,
    /// `[origin]`.
    Origin,
    /// `[dashboard]`.
    Dashboard,
    /// `[executors.NAME]`.
    Executor,
    /// `[scenarios.NAME]`.
    Scenario,
    /// `[scenarios.NAME.origin]`.
    ScenarioOrigin,
}

impl Section {
    /// The tables that lead to this one, for the scenario or the executor called `name`.
    pub(crate) fn path(self, name: &str) -> Vec<&str> {
        match self {
            Section::Top => vec![],
            Section::Download => vec!["download"],
            Section::Origin => vec!["origin"],
            Section::Dashboard => vec!["dashboard"],
            Section::Executor => vec!["executors", name],
            Section::Scenario => vec!["scenarios", name],
            Section::ScenarioOrigin => vec!["scenarios", name, "origin"],
        }
    }

    /// The tables that may stand in this one.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Section::Top => &["download", "origin", "dashboard", "executors", "scenarios"],
            Section::Scenario => &["origin"],
            _ => &[],
        }
    }
}

/// The names that a setting goes by.
#[derive(Debug)]
pub(crate) struct Name {
    /// The table.
    pub(crate) section: Section,
    /// The key in that table.
    pub(crate) key: &'static str,
    /// The variable.
    pub(crate) variable: Option<&'static str>,
    /// The flag, or the name of the positional argument.
    pub(crate) flag: Option<&'static str>,
}

impl Name {
    /// The key with its tables, for the scenario called `scenario`.
    pub(crate) fn full(&self, scenario: &str) -> String {
        let tables = self.section.path(scenario);
        tables.into_iter().chain([self.key]).collect::<Vec<_>>().join(".")
    }
}

/// A setting.
pub(crate) struct Key<T: 'static> {
    /// What it goes by.
    pub(crate) name: Name,
    /// What it may be.
    pub(crate) rule: &'static dyn Rule<T>,
    /// What it is when no file says; none for those that the built-in file must say.
    pub(crate) default: Option<fn() -> T>,
}

impl<T> Key<T> {
    /// What clap reads the flag's text with.
    pub(crate) fn parser(&'static self) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
        |text| {
            self.rule.text(text).map_err(|refusal| match refusal {
                Refusal::Not { .. } => format!("must be {}", self.rule.allowed()),
                Refusal::Because { reason, .. } => reason,
            })
        }
    }
}

const fn first(names: &[&'static str]) -> Option<&'static str> {
    match names {
        [name, ..] => Some(*name),
        [] => None,
    }
}

macro_rules! keys {
    ($(
        $id:ident: $type:ty = $section:ident $key:literal
            $(, env $variable:literal)? $(, flag $flag:literal)? $(, or $default:expr)? => $rule:expr;
    )*) => {
        $(
            pub(crate) static $id: Key<$type> = Key {
                name: Name {
                    section: Section::$section,
                    key: $key,
                    variable: first(&[$(concat!("THREADRACE_", $variable))?]),
                    flag: first(&[$($flag)?]),
                },
                rule: &$rule,
                default: { let defaults: &[fn() -> $type] = &[$(|| $default)?]; match defaults {
                    [default, ..] => Some(*default),
                    [] => None,
                } },
            };
        )*

        /// What every setting goes by, in the order of the built-in file.
        pub(crate) static NAMES: &[&Name] = &[$(&$id.name),*];

        /// What is allowed for every setting, in the order of [`NAMES`].
        #[cfg(test)]
        pub(crate) fn allowed() -> Vec<String> {
            vec![$($id.rule.allowed()),*]
        }

        /// The default of every setting as TOML, in the order of [`NAMES`].
        #[cfg(test)]
        pub(crate) fn defaults() -> Vec<Option<String>> {
            vec![$($id.default.map(|default| $id.rule.write(&default()))),*]
        }
    };
}

/// The most that a count of bytes may be: 1 TiB.
const TEBIBYTE: u64 = 1 << 40;
/// The largest whole number that every reader of JSON keeps exactly: 2^53 - 1.
const EXACT_IN_JSON: u64 = (1 << 53) - 1;
const BYTES_A_SECOND: Whole<u64> = Whole::within(0, 1_000_000_000_000);

fn guard_name(guard: Guard) -> &'static str {
    Variant::Guard(guard).name()
}

keys! {
    FORMAT: Edition = Top "format" => OneOf;
    SCENARIO: String = Top "scenario", env "SCENARIO", flag "SCENARIO" => ScenarioName;
    OUTPUT: PathBuf = Top "output", env "OUTPUT", flag "--output" => Folder;
    SEED: u64 = Top "seed", env "SEED", flag "--seed" => Whole::within(0, EXACT_IN_JSON);
    TIME_SCALE: TimeScale = Top "time_scale", env "TIME_SCALE", flag "--time-scale" => Scale;
    TOGETHER: bool = Top "together", env "TOGETHER", flag "--together" => Switch;
    REPEAT: u32 = Top "repeat", env "REPEAT", flag "--repeat" => Whole::within(1, 1000);
    WARMUP: u32 = Top "warmup", env "WARMUP", flag "--warmup" => Whole::within(0, 100);

    TIMEOUT: Duration = Download "timeout_seconds", env "TIMEOUT", flag "--timeout" => Seconds::within(0.001, 86400.0);
    STALL: Duration = Download "stall_seconds", env "STALL" => Seconds::within(0.001, 86400.0);
    CONNECT: Duration = Download "connect_seconds", env "CONNECT" => Seconds::within(0.001, 86400.0);
    RETRIES: u32 = Download "retries", env "RETRIES", flag "--retries" => Whole::within(0, 100);
    BACKOFF: Duration = Download "backoff_seconds", env "BACKOFF" => Seconds::within(0.0, 3600.0);
    BACKOFF_CAP: Duration = Download "backoff_cap_seconds", env "BACKOFF_CAP" => Seconds::within(0.0, 3600.0);
    RETRY_AFTER_CAP: Duration = Download "retry_after_cap_seconds", env "RETRY_AFTER_CAP" => Seconds::within(0.0, 86400.0);
    MAX_BYTES: u64 = Download "max_bytes", env "MAX_BYTES", flag "--max-bytes" => Whole::within(1, TEBIBYTE);
    REDIRECTS: usize = Download "redirects", env "REDIRECTS" => Whole::within(0, 50);

    BIND: SocketAddr = Origin "bind", env "BIND", flag "--bind" => Address;
    HOSTS: Vec<String> = Origin "hosts", env "HOSTS", flag "--host" => HostNames;

    AUTOSTART: bool = Dashboard "autostart", env "AUTOSTART", flag "--no-autostart" => Switch;
    THEME: ThemeName = Dashboard "theme", env "THEME", flag "--theme" => OneOf;
    GLYPHS: GlyphChoice = Dashboard "glyphs", env "GLYPHS", flag "--glyphs" => OneOf;
    FRAMES: FrameRate = Dashboard "frames_per_second", env "FRAMES_PER_SECOND" => Whole::within(1, 60);
    MOUSE: bool = Dashboard "mouse", env "MOUSE" => Switch;

    COMMAND: Vec<String> = Executor "command", or Vec::new() => Words;
    DOES: Vec<WorkloadKind> = Executor "workloads", or Vec::new() => Workloads;

    ABOUT: String = Scenario "about", or String::new() => Line;
    WORKLOAD: WorkloadKind = Scenario "workload", or WorkloadKind::Download => Among::these(&WorkloadKind::ALL, WorkloadKind::name);
    CONTENT: ContentName = Scenario "content", or ContentName::Pictures => OneOf;
    TASKS: usize = Scenario "tasks", env "TASKS", flag "--tasks", or 20 => Whole::within(1, 1_000_000);
    BYTES: u64 = Scenario "bytes", or 10240 => Whole::within(0, TEBIBYTE);
    WIDTH: u32 = Scenario "width", or 1024 => Whole::within(16, 4096);
    HEIGHT: u32 = Scenario "height", or 640 => Whole::within(16, 4096);
    ROWS: u32 = Scenario "rows", or 2000 => Whole::within(1, 1_000_000);
    API_CRUD: bool = Scenario "crud", or false => Switch;
    OPERATIONS: Operations = Scenario "operations", or Operations::All => Among::these(&[Operations::All, Operations::Reads], Operations::name);
    FSYNC: bool = Scenario "fsync", or false => Switch;
    COMPUTATION: ComputationName = Scenario "computation", or ComputationName::Primes => OneOf;
    BELOW: u64 = Scenario "below", or 2_000_000 => Whole::within(2, 1_000_000_000);
    SLEEP: SleepTimes = Scenario "sleep_seconds", or SleepTimes::one(Duration::from_secs(1)) => Sleeps;
    ADDS: u64 = Scenario "adds", or 100_000 => Whole::within(1, 1_000_000_000);
    GUARD: Guard = Scenario "guard", or Guard::None => Among::these(&[Guard::None, Guard::Mutex, Guard::Atomic], guard_name);
    PACE: Duration = Scenario "pace_seconds", env "PACE", flag "--pace", or Duration::ZERO => Seconds::within(0.0, 60.0);
    MAIN_WORK: Duration = Scenario "main_seconds", or Duration::ZERO => Seconds::within(0.0, 3600.0);
    EXECUTORS: ExecutorList = Scenario "executors", env "EXECUTORS", flag "--executors", or ExecutorList::usual() => Executors;
    WORKERS: usize = Scenario "workers", env "WORKERS", flag "--workers", or 5 => Whole::within(1, MAX_WORKERS as u64);
    ASYNC_THREADS: usize = Scenario "async_threads", env "ASYNC_THREADS", flag "--async-threads", or 1 => Whole::within(1, 256);

    LATENCY: Duration = ScenarioOrigin "latency_seconds", or Duration::ZERO => Seconds::within(0.0, 3600.0);
    LATENCY_KIND: LatencyName = ScenarioOrigin "latency", or LatencyName::Fixed => OneOf;
    LATENCY_SPREAD: Duration = ScenarioOrigin "latency_spread_seconds", or Duration::ZERO => Seconds::within(0.0, 3600.0);
    BANDWIDTH: u64 = ScenarioOrigin "bandwidth", or 0 => BYTES_A_SECOND;
    SHARED_BANDWIDTH: u64 = ScenarioOrigin "shared_bandwidth", or 0 => BYTES_A_SECOND;
    CONCURRENT: usize = ScenarioOrigin "concurrent", or 0 => Whole::within(0, 100_000);
    FAILURES: f64 = ScenarioOrigin "failures", or 0.0 => Decimal::within(0.0, 1.0);
}

/// The flags of all settings.
#[cfg(test)]
pub(crate) fn flags() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter_map(|name| name.flag)
}

/// The known name nearest to a mistyped one, when one is near enough to be meant.
pub(crate) fn nearest<'a>(mistyped: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 80;
    if mistyped.len() > LONGEST {
        return None;
    }
    let (distance, name) =
        known.into_iter().map(|name| (strsim::damerau_levenshtein(mistyped, name), name)).min()?;
    (distance <= mistyped.chars().count().div_ceil(3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_settings_share_a_name() {
        let mut seen = HashSet::new();
        for name in NAMES {
            assert!(seen.insert(format!("{:?}.{}", name.section, name.key)), "{name:?}");
            assert!(name.variable.is_none_or(|variable| seen.insert(variable.to_owned())), "{name:?}");
            assert!(name.flag.is_none_or(|flag| seen.insert(flag.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn a_general_setting_has_a_variable_and_a_scenarios_setting_has_a_default() {
        for (name, default) in NAMES.iter().zip(defaults()) {
            match name.section {
                Section::Executor | Section::Scenario | Section::ScenarioOrigin => {
                    assert!(default.is_some(), "{name:?}")
                }
                _ => assert!(
                    default.is_none() && (name.variable.is_some() || name.key == "format"),
                    "{name:?}"
                ),
            }
        }
    }

    #[test]
    fn the_nearest_name_is_one_that_could_be_meant() {
        let known = ["workers", "tasks", "rows"];
        assert_eq!(nearest("wrokers", known), Some("workers"));
        assert_eq!(nearest("task", known), Some("tasks"));
        assert_eq!(nearest("bandwidth", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"workers".repeat(1000), known), None);
    }
}
