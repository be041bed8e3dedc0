//! What was decided before a race began.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ExecutorKind, RunId, TaskId, Variant};

/// One task as planned; the same in every run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Its name: safe to show, and the name of the file it writes where it writes one.
    pub name: String,
    /// What it downloads or calls; none when its work has no address.
    pub url: Option<String>,
}

/// Which time around a run is, where a race repeats its runs. In each round every executor runs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// A round to warm up, counted from 1: its figures are shown and do not count.
    Warmup(u32),
    /// A round that counts, counted from 1.
    Counted(u32),
}

impl Round {
    /// The only round of a race that does not repeat.
    pub const ONLY: Round = Round::Counted(1);
}

/// One run as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// Who runs the tasks.
    pub executor: ExecutorKind,
    /// How many tasks it can have in progress at once ([`ExecutorKind::parallelism`]).
    pub workers: u32,
    /// What it does differently from other runs of this executor.
    pub variant: Option<Variant>,
    /// The name of the run within its round: the executor's, with the workers and the variant where one
    /// executor is there more than once (`pool-10`, `pool-submit`). Runs with the same label in several rounds
    /// are repeats of each other.
    pub label: String,
    /// Which time around it is.
    pub round: Round,
}

impl RunPlan {
    /// The run's name, unique within the race: its label, with the round where that is not the first that
    /// counts (`pool-round-2`, `pool-warmup-1`).
    pub fn name(&self) -> String {
        match self.round {
            Round::ONLY => self.label.clone(),
            Round::Counted(round) => format!("{}-round-{round}", self.label),
            Round::Warmup(round) => format!("{}-warmup-{round}", self.label),
        }
    }
}

/// How the runs of a race follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after the other: nothing is shared while the clock runs.
    OneByOne,
    /// All at once, sharing the network and the processors.
    Together,
}

/// What the tasks of a scenario do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// Stream bodies over HTTP to files.
    Download,
    /// Call a JSON API over HTTP.
    Api,
    /// Write, read, copy and delete files.
    Files,
    /// Insert, read, update and delete rows of a SQLite database.
    Crud,
    /// Use the processor.
    Compute,
    /// Wait.
    Sleep,
    /// Add to one shared counter.
    Counter,
    /// What another program's trace tells of: anything.
    Imported,
}

impl WorkloadKind {
    /// Every workload that can be raced, in the order in which they are listed.
    pub const ALL: [WorkloadKind; 7] = [
        WorkloadKind::Download,
        WorkloadKind::Api,
        WorkloadKind::Files,
        WorkloadKind::Crud,
        WorkloadKind::Compute,
        WorkloadKind::Sleep,
        WorkloadKind::Counter,
    ];

    /// Whether its tasks ask a server, and so wait for the first byte of an answer.
    pub fn asks_a_server(self) -> bool {
        matches!(self, WorkloadKind::Download | WorkloadKind::Api)
    }

    /// The workload's name, in the configuration as on screen.
    pub fn name(self) -> &'static str {
        match self {
            WorkloadKind::Download => "download",
            WorkloadKind::Api => "api",
            WorkloadKind::Files => "files",
            WorkloadKind::Crud => "crud",
            WorkloadKind::Compute => "compute",
            WorkloadKind::Sleep => "sleep",
            WorkloadKind::Counter => "counter",
            WorkloadKind::Imported => "imported",
        }
    }
}

/// What every simulated delay is multiplied with, in millionths: 1,000,000 leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeScale(pub u32);

impl TimeScale {
    /// Delays as they are.
    pub const ONE: TimeScale = TimeScale(1_000_000);

    /// The factor as a number.
    pub fn factor(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// `delay`, scaled.
    pub fn of(self, delay: Duration) -> Duration {
        let nanos = delay.as_nanos() * u128::from(self.0) / 1_000_000;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The machine that a race ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system's name.
    pub os: String,
    /// The processor's architecture.
    pub arch: String,
    /// How many processors this process may use.
    pub cpus: u32,
}

/// What other clocks said when the race's clock was at zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockZero {
    /// The machine's monotonic clock, in nanoseconds: what other programs of the same machine stamp with.
    pub monotonic_nanos: u64,
    /// The calendar, in nanoseconds since 1970 began (UTC); as true as the machine's clock.
    pub unix_nanos: u64,
}

/// Everything that was decided before a race began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RacePlan {
    /// The scenario's name.
    pub scenario: String,
    /// What the scenario shows, in one line.
    pub about: String,
    /// What the tasks do.
    pub workload: WorkloadKind,
    /// What the tasks are, in the plural: `pictures`, `downloads`.
    pub noun: String,
    /// Where the bytes come from, in words: the origin's address and its shaping, or the server's name.
    pub source: String,
    /// What every simulated delay was multiplied with.
    pub time_scale: TimeScale,
    /// The seed of all chance in the race.
    pub seed: u64,
    /// Whether the runs follow each other or run at once.
    pub order: Order,
    /// The tasks, in id order.
    pub tasks: Vec<TaskPlan>,
    /// The runs, in id order.
    pub runs: Vec<RunPlan>,
    /// The output folder; a run writes below it, in a folder with the run's label.
    pub output: PathBuf,
    /// The machine.
    pub machine: Machine,
    /// When the race's clock was started.
    pub zero: ClockZero,
}

impl RacePlan {
    /// The labels of its runs, each once, in their order.
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for run in &self.runs {
            if !labels.contains(&run.label) {
                labels.push(run.label.clone());
            }
        }
        labels
    }

    /// Where the finished file of `task` in `run` stands; none when there is no such run or task, or its work
    /// leaves no file. Runs that repeat each other share a folder, and each replaces the files of the one
    /// before.
    pub fn path(&self, run: RunId, task: TaskId) -> Option<PathBuf> {
        if self.workload != WorkloadKind::Download {
            return None;
        }
        let folder = &self.runs.get(run.index())?.label;
        Some(self.output.join(folder).join(&self.tasks.get(task.index())?.name))
    }
}

#[cfg(test)]
impl RacePlan {
    /// A race of sleeps that says no more than its tasks and its runs.
    pub(crate) fn of_sleeps(tasks: Vec<TaskPlan>, runs: Vec<RunPlan>) -> Self {
        Self {
            scenario: "test".to_owned(),
            about: String::new(),
            workload: WorkloadKind::Sleep,
            noun: "tasks".to_owned(),
            source: String::new(),
            time_scale: TimeScale::ONE,
            seed: 0,
            order: Order::OneByOne,
            tasks,
            runs,
            output: "out".into(),
            machine: Machine { os: String::new(), arch: String::new(), cpus: 1 },
            zero: ClockZero::default(),
        }
    }
}
