//! The settings as flags: the layer above all others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};

use super::keys::{self, Key};
use super::rules::{HostNames, Refusal};
use super::{GlyphChoice, ThemeName};
use crate::event::TimeScale;
use crate::scenario::{CountsError, ExecutorList, WorkerCounts};

/// The settings that flags can give; what is not given is left to the layers below.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Flags {
    /// Scenario to race; `threadrace scenarios` lists them
    #[arg(conflicts_with_all = ["urls", "url_list"])]
    pub scenario: Option<String>,

    /// Executors and their order: sequential, threads, pool, async, processes, gil, a program's name, or
    /// all; pool:N has workers of its own, pool:submit, pool:completion and threads:daemon take results so
    #[arg(short, long, value_name = "LIST", help_heading = "Race", value_parser = keys::EXECUTORS.parser())]
    pub executors: Option<ExecutorList>,
    /// Threads in the pool, tasks in flight in async, processes
    #[arg(short, long, value_name = "N", help_heading = "Race", value_parser = worker_counts)]
    #[arg(allow_negative_numbers = true)]
    pub workers: Option<WorkerCounts>,
    /// Number of tasks; with URLs, the first N of them
    #[arg(short = 'n', long, value_name = "N", help_heading = "Race", value_parser = keys::TASKS.parser())]
    #[arg(allow_negative_numbers = true)]
    pub tasks: Option<usize>,
    /// Threads under async's event loop
    #[arg(long, value_name = "N", help_heading = "Race", value_parser = keys::ASYNC_THREADS.parser())]
    #[arg(allow_negative_numbers = true)]
    pub async_threads: Option<usize>,
    /// Multiply every simulated delay: 0.1 makes a race ten times as fast
    #[arg(long, value_name = "F", help_heading = "Race", value_parser = keys::TIME_SCALE.parser())]
    #[arg(allow_negative_numbers = true)]
    pub time_scale: Option<TimeScale>,
    /// Seconds before each step of a counter's tasks, so that the eye can follow; each then adds 5 times at most
    #[arg(long, value_name = "S", help_heading = "Race", value_parser = keys::PACE.parser())]
    #[arg(allow_negative_numbers = true)]
    pub pace: Option<Duration>,
    /// Start all runs at once: a show, not a measurement
    #[arg(long, help_heading = "Race")]
    pub together: bool,
    /// Rounds: each executor runs N times, in turns, so that chance can be told from difference
    #[arg(long, value_name = "N", help_heading = "Race", value_parser = keys::REPEAT.parser())]
    #[arg(allow_negative_numbers = true)]
    pub repeat: Option<u32>,
    /// Rounds before those, which don't count
    #[arg(long, value_name = "N", help_heading = "Race", value_parser = keys::WARMUP.parser())]
    #[arg(allow_negative_numbers = true)]
    pub warmup: Option<u32>,
    /// Seed of all chance
    #[arg(long, value_name = "N", help_heading = "Race", value_parser = keys::SEED.parser())]
    #[arg(allow_negative_numbers = true)]
    pub seed: Option<u64>,

    /// Download this URL instead of a scenario's; may be repeated
    #[arg(long = "url", value_name = "URL", help_heading = "Downloads", value_hint = ValueHint::Url)]
    pub urls: Vec<String>,
    /// Download the URLs of FILE, one a line; - is standard input
    #[arg(long = "urls", value_name = "FILE", help_heading = "Downloads", value_hint = ValueHint::FilePath)]
    pub url_list: Option<PathBuf>,
    /// Folder for finished files
    #[arg(short, long, value_name = "DIR", help_heading = "Downloads", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Seconds that a task may take with all its attempts
    #[arg(long, value_name = "S", help_heading = "Downloads", value_parser = keys::TIMEOUT.parser())]
    #[arg(allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
    /// Attempts after the first
    #[arg(long, value_name = "N", help_heading = "Downloads", value_parser = keys::RETRIES.parser())]
    #[arg(allow_negative_numbers = true)]
    pub retries: Option<u32>,
    /// Largest body, in bytes
    #[arg(long, value_name = "N", help_heading = "Downloads", value_parser = keys::MAX_BYTES.parser())]
    #[arg(allow_negative_numbers = true)]
    pub max_bytes: Option<u64>,

    /// How the dashboard looks.
    #[command(flatten)]
    pub look: LookFlags,
    /// Wait for the key r before the race starts
    #[arg(long, help_heading = "Dashboard")]
    pub no_autostart: bool,

    /// The config file's path.
    #[command(flatten)]
    pub config: ConfigFlag,

    /// With how many workers the race is swept; none where it is no sweep.
    #[arg(skip)]
    pub sweep: Option<WorkerCounts>,
    /// Where an origin that runs alone listens.
    #[arg(skip)]
    pub bind: Option<SocketAddr>,
    /// Hosts that requests to it may name.
    #[arg(skip)]
    pub hosts: Option<Vec<String>>,
}

/// How what is on screen looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct LookFlags {
    /// Colours
    #[arg(long, value_name = "NAME", help_heading = "Dashboard", value_parser = one_of(&keys::THEME))]
    pub theme: Option<ThemeName>,
    /// Characters to draw with
    #[arg(long, value_name = "SET", help_heading = "Dashboard", value_parser = one_of(&keys::GLYPHS))]
    pub glyphs: Option<GlyphChoice>,
}

/// The flag that names the config file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigFlag {
    /// Config file to read instead of ./config.toml or the one in the configuration folder
    #[arg(id = "config", long = "config", value_name = "FILE", help_heading = "Settings")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub path: Option<PathBuf>,
}

/// The settings of an origin that runs alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct OriginFlags {
    /// Scenario to serve; `threadrace scenarios` lists them
    pub scenario: Option<String>,
    /// Address to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT", value_parser = keys::BIND.parser())]
    pub bind: Option<SocketAddr>,
    /// Host that requests may name, beside the address and localhost; may be repeated
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub hosts: Vec<String>,
    /// Seed of all chance
    #[arg(long, value_name = "N", value_parser = keys::SEED.parser(), allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// The config file's path.
    #[command(flatten)]
    pub config: ConfigFlag,
}

impl From<OriginFlags> for Flags {
    fn from(flags: OriginFlags) -> Flags {
        Flags {
            scenario: flags.scenario,
            bind: flags.bind,
            hosts: (!flags.hosts.is_empty()).then_some(flags.hosts),
            seed: flags.seed,
            config: flags.config,
            ..Flags::default()
        }
    }
}

impl From<ConfigFlag> for Flags {
    fn from(config: ConfigFlag) -> Flags {
        Flags { config, ..Flags::default() }
    }
}

/// One number of workers, by the rule of its setting, or several.
fn worker_counts(text: &str) -> Result<WorkerCounts, String> {
    match keys::WORKERS.parser()(text) {
        Err(refusal) if !text.contains(['.', ',']) => Err(refusal),
        Ok(one) => Ok(WorkerCounts::one(one)),
        Err(_) => text.parse().map_err(|error: CountsError| error.to_string()),
    }
}

fn host(text: &str) -> Result<String, String> {
    HostNames::one(text).map_err(|refusal| match refusal {
        Refusal::Because { reason, .. } => reason,
        Refusal::Not { found } => found,
    })
}

/// What reads an enum's name, and lets completions know the names.
fn one_of<T>(key: &'static Key<T>) -> impl TypedValueParser<Value = T>
where
    T: ValueEnum + Clone + Send + Sync + 'static,
{
    let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    PossibleValuesParser::new(names).try_map(move |name| key.parser()(&name))
}

/// What reads a factor for simulated delays.
pub fn time_scale_parser() -> impl Fn(&str) -> Result<TimeScale, String> + Clone + Send + Sync {
    keys::TIME_SCALE.parser()
}
