//! The messages between this program and one that runs tasks for it; `assets/protocol.md` explains them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{LaneId, RunId, TaskId, WorkloadKind};
use crate::workload::WorkPlan;

/// The edition of the protocol that this program speaks.
pub(super) const PROTOCOL: u32 = 1;

/// The longest line that a program may write, in bytes, without its end.
pub(super) const LONGEST_LINE: usize = 1 << 20;

/// What a program is told, a line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(super) enum ToProgram {
    /// The first line.
    Hello(Box<Hello>),
    /// A task to be done.
    Task {
        /// Which one.
        task: TaskId,
        /// What it is about, by workload.
        #[serde(flatten)]
        about: Map<String, Value>,
    },
}

impl ToProgram {
    /// The message as a line, with its end.
    ///
    /// # Errors
    /// When it holds the path of a file that is not UTF-8.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What a program must know before it gets tasks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// [`PROTOCOL`].
    pub(super) protocol: u32,
    /// The run that its events are of.
    pub(super) run: RunId,
    /// How many tasks may be in progress at once.
    pub(super) workers: usize,
    /// How many tasks the run has.
    pub(super) tasks: usize,
    /// What they do.
    pub(super) workload: WorkloadKind,
    /// What this program's monotonic clock shows.
    pub(super) machine_nanos: u64,
    /// The largest body of a task, in bytes, where tasks speak HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_bytes: Option<u64>,
    /// How long a task may take with all its attempts, where tasks speak HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_seconds: Option<f64>,
    /// What this program tells its own workers besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<OwnWork>,
}

/// What a worker that is this program in another process must know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OwnWork {
    /// Its lane.
    pub(super) lane: LaneId,
    /// Its name.
    pub(super) name: String,
    /// What the tasks do, in full.
    pub(super) plan: Arc<WorkPlan>,
}

/// What a program says before its events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(super) enum FromProgram {
    /// It is ready for tasks.
    Ready {
        /// The edition that it speaks.
        protocol: u32,
        /// What its monotonic clock shows.
        machine_nanos: u64,
        /// What it calls itself.
        #[serde(default)]
        name: String,
    },
}
