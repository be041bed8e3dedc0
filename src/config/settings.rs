//! The settings in force, each of them checked.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::event::{Order, Round, TimeScale};
use crate::scenario::{Programs, Scenario};
use crate::text::count;
use crate::workload::download::Limits;

/// Everything that a race and its fronts are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The scenario to race, with what flags and variables say about it.
    pub scenario: Scenario,
    /// All scenarios: those of the built-in file, then the user's own. The selected one among them is
    /// equal to `scenario`, unless that is swept; where URLs are raced, they are the first.
    pub scenarios: Vec<Scenario>,
    /// The folder for finished files; a relative path starts at the current folder.
    pub output: PathBuf,
    /// The programs that can run tasks.
    pub programs: Programs,
    /// What every simulated delay was multiplied with; the scenarios have theirs multiplied already.
    pub time_scale: TimeScale,
    /// The seed of all chance.
    pub seed: u64,
    /// How the runs follow each other.
    pub order: Order,
    /// How often each executor runs.
    pub repeats: Repeats,
    /// The limits that tasks keep which speak HTTP.
    pub download: Limits,
    /// How the dashboard looks and behaves.
    pub dashboard: Dashboard,
    /// Where an origin that runs alone listens.
    pub origin: OriginListen,
    /// The file to record the race in; the command line alone names it.
    pub record: Option<PathBuf>,
}

/// How often each executor runs: in each round once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// Rounds that count; at least 1.
    pub counted: u32,
    /// Rounds before those, whose figures don't count.
    pub warmups: u32,
}

impl Repeats {
    /// Each executor runs once.
    pub const ONCE: Repeats = Repeats { counted: 1, warmups: 0 };

    /// The most runs of a race that repeats.
    const RUNS: u64 = 10_000;

    /// The most tasks in all runs of a race that repeats: each keeps its story, about 2 kB, until the end.
    const TASKS: u64 = 500_000;

    /// Every round, in the order in which they are run.
    pub fn rounds(self) -> impl Iterator<Item = Round> {
        (1..=self.warmups).map(Round::Warmup).chain((1..=self.counted).map(Round::Counted))
    }

    /// Why a race can't repeat so often, and what to do about it; none where it can.
    pub fn why_not(self, order: Order, executors: usize, tasks: usize) -> Option<String> {
        if self == Repeats::ONCE {
            return None;
        }
        if order == Order::Together {
            return Some(
                "runs that all start at once are a show and can't be repeated: leave one of the two out"
                    .to_owned(),
            );
        }
        let runs = (u64::from(self.counted) + u64::from(self.warmups)).saturating_mul(executors as u64);
        let all = runs.saturating_mul(tasks as u64);
        (runs > Repeats::RUNS || all > Repeats::TASKS).then(|| {
            format!(
                "{} runs with {} tasks in all are too many to keep in memory; at most {} and {}: repeat less often, \
                 or race fewer tasks or executors",
                count(runs),
                count(all),
                count(Repeats::RUNS),
                count(Repeats::TASKS)
            )
        })
    }
}

/// How the dashboard looks and behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    /// What starts the race.
    pub start: Start,
    /// The colours.
    pub theme: ThemeName,
    /// The characters that bars and lanes are drawn with.
    pub glyphs: GlyphChoice,
    /// The most frames in a second.
    pub frames: FrameRate,
    /// Whether the mouse selects and scrolls; otherwise it stays with the terminal.
    pub mouse: bool,
}

/// What starts the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The opening of the dashboard.
    AtOnce,
    /// A key.
    OnKey,
}

/// A set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// For dark backgrounds.
    Dark,
    /// For light backgrounds.
    Light,
    /// Few colours, far apart.
    HighContrast,
    /// No colours.
    Monochrome,
}

/// A set of characters to draw with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GlyphChoice {
    /// Unicode where the locale is UTF-8.
    Auto,
    /// Blocks and lines.
    Unicode,
    /// ASCII alone.
    Ascii,
}

/// The most frames in a second: 1 to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate(u8);

impl FrameRate {
    /// The shortest time between two frames.
    pub fn interval(self) -> Duration {
        Duration::from_secs(1) / u32::from(self.0)
    }
}

impl TryFrom<u64> for FrameRate {
    type Error = u64;

    fn try_from(number: u64) -> Result<FrameRate, u64> {
        u8::try_from(number).ok().filter(|number| (1..=60).contains(number)).map(FrameRate).ok_or(number)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an origin that runs alone listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginListen {
    /// The address; port 0 is any free one.
    pub bind: SocketAddr,
    /// Hosts that requests may name, beside the bound address and localhost; in lower case.
    pub hosts: Vec<String>,
}

/// The edition of the keys that a file speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Edition {
    /// The first.
    #[value(name = "threadrace-config-1")]
    First,
}

/// What an origin serves, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContentName {
    /// JPEG pictures.
    Pictures,
    /// JSON posts.
    Posts,
    /// CSV files.
    Csv,
    /// Bytes without a meaning.
    Bytes,
    /// Pictures among answers that go wrong.
    Faults,
}

/// How an origin's latency is spread, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LatencyName {
    /// Not at all.
    Fixed,
    /// Evenly.
    Uniform,
    /// Exponentially.
    Exponential,
}

/// What is computed, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ComputationName {
    /// Counting primes.
    Primes,
    /// Hashing.
    Hash,
    /// Resizing a picture.
    Resize,
    /// Aggregating a CSV text.
    Csv,
}
