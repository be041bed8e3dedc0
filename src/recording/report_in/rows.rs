//! A JSON report as it is read: the shape of `assets/report.schema.json`, of foreign text.
//!
//! Fields that are not known are passed over, and those that came to the format later may be missing.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IntoDeserializer, Visitor};

use crate::event::{At, ErrorKind, Order, Phase, REPORT_FORMAT, Round, Variant, WorkloadKind};

/// No text of a report is longer, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;

/// No moment of a report is later, in seconds: a year.
const LATEST: f64 = 366.0 * 24.0 * 3600.0;

#[derive(Deserialize)]
pub(super) struct Report {
    #[expect(dead_code, reason = "reading it is checking it")]
    format: Format,
    #[expect(dead_code, reason = "reading it is checking it")]
    version: Version,
    pub(super) scenario: Scenario,
    pub(super) machine: MachineRow,
    pub(super) runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(try_from = "Text")]
struct Format;

impl TryFrom<Text> for Format {
    type Error = String;

    fn try_from(text: Text) -> Result<Format, String> {
        match text.0.as_str() {
            REPORT_FORMAT => Ok(Format),
            _ => Err(format!("its format is not {}", REPORT_FORMAT)),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Version;

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Version, String> {
        match version {
            1 => Ok(Version),
            other => Err(format!(
                "it has version {other} of the format, and this program knows version 1: read it with a newer one"
            )),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Scenario {
    pub(super) name: Text,
    pub(super) about: Text,
    #[serde(default)]
    pub(super) workload: Option<WorkloadKind>,
    #[serde(default)]
    pub(super) noun: Option<Text>,
    pub(super) tasks: u64,
    pub(super) seed: u64,
    pub(super) source: Text,
    pub(super) time_scale: Factor,
    pub(super) order: Order,
}

#[derive(Deserialize)]
pub(super) struct MachineRow {
    pub(super) os: Text,
    pub(super) arch: Text,
    pub(super) cpus: u32,
}

#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) label: Text,
    #[serde(default)]
    round: Option<u32>,
    #[serde(default)]
    warmup: bool,
    pub(super) executor: Text,
    pub(super) workers: u32,
    #[serde(default)]
    pub(super) variant: Option<VariantName>,
    pub(super) status: Status,
    pub(super) message: Option<Text>,
    pub(super) comparable: bool,
    #[serde(default)]
    pub(super) started: Option<Time>,
    pub(super) wall_seconds: Option<Time>,
    #[serde(default)]
    pub(super) interrupted_seconds: Option<Time>,
    pub(super) cpu_seconds: Option<CpuSeconds>,
    pub(super) peak_memory_bytes: Option<u64>,
    pub(super) counter: Option<CounterRow>,
    pub(super) tasks: Vec<Task>,
    pub(super) lanes: Vec<Lane>,
}

impl Run {
    pub(super) fn round(&self) -> Round {
        match (self.round, self.warmup) {
            (round, false) => Round::Counted(round.unwrap_or(1)),
            (round, true) => Round::Warmup(round.unwrap_or(1)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Waiting,
    Running,
    Completed,
    Cancelled,
    Failed,
}

#[derive(Deserialize)]
pub(super) struct CpuSeconds {
    pub(super) user: Time,
    pub(super) system: Time,
}

#[derive(Deserialize)]
pub(super) struct CounterRow {
    pub(super) expected: u64,
    pub(super) actual: u64,
}

#[derive(Deserialize)]
pub(super) struct Task {
    pub(super) task: usize,
    pub(super) name: Text,
    pub(super) url: Option<Text>,
    pub(super) lane: Option<u32>,
    pub(super) queued: Option<Time>,
    pub(super) started: Option<Time>,
    pub(super) first_byte: Option<Time>,
    pub(super) finished: Option<Time>,
    pub(super) delivered: Option<Time>,
    pub(super) bytes: u64,
    pub(super) attempts: u32,
    pub(super) outcome: Option<End>,
    pub(super) result: Option<Text>,
    pub(super) error: Option<Failure>,
    pub(super) path: Option<Text>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Done,
    Failed,
    Cancelled,
    Panicked,
    Abandoned,
}

#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: Text,
}

/// What ended a task: `panic`, or the kind of its error.
#[derive(Deserialize)]
#[serde(try_from = "Text")]
pub(super) enum Kind {
    Error(ErrorKind),
    Panic,
}

impl TryFrom<Text> for Kind {
    type Error = de::value::Error;

    fn try_from(text: Text) -> Result<Kind, de::value::Error> {
        match text.0.as_str() {
            "panic" => Ok(Kind::Panic),
            kind => ErrorKind::deserialize(kind.into_deserializer()).map(Kind::Error),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Lane {
    pub(super) lane: usize,
    pub(super) worker: Option<Text>,
    #[serde(default)]
    pub(super) opened: Option<Time>,
    pub(super) pid: Option<u32>,
    pub(super) thread_id: Option<u64>,
    pub(super) spans: Vec<Span>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Span {
    pub(super) task: u32,
    pub(super) phase: Phase,
    pub(super) from: Time,
    pub(super) to: Time,
}

/// A moment or a duration in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Time(pub(super) At);

impl TryFrom<f64> for Time {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Time, String> {
        if (0.0..=LATEST).contains(&seconds) {
            return Ok(Time(At((seconds * 1e9).round() as u64)));
        }
        Err(format!("{seconds} s is no time within a year"))
    }
}

/// What delays were multiplied with.
#[derive(Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Factor(pub(super) f64);

impl TryFrom<f64> for Factor {
    type Error = String;

    fn try_from(factor: f64) -> Result<Factor, String> {
        if (1e-6..=4_000.0).contains(&factor) {
            return Ok(Factor(factor));
        }
        Err(format!("delays can't be multiplied with {factor}"))
    }
}

/// A variant by its name; an unknown one counts as none.
#[derive(Deserialize)]
#[serde(from = "Text")]
pub(super) struct VariantName(pub(super) Option<Variant>);

impl From<Text> for VariantName {
    fn from(text: Text) -> VariantName {
        VariantName(Variant::from_name(&text.0))
    }
}

/// A text of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        struct Bounded;

        impl Visitor<'_> for Bounded {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text of at most {LONGEST_TEXT} bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                match text.len() {
                    0..=LONGEST_TEXT => Ok(Text(text.to_owned())),
                    long => Err(E::invalid_length(long, &self)),
                }
            }
        }

        from.deserialize_str(Bounded)
    }
}
