//! The workload `files`: writes, reads, copies and deletes files, and checks each step.

use serde::{Deserialize, Serialize};

use crate::event::{ErrorKind, TaskError};

use super::{Session, WorkPlan, Workload};

use super::RunFolder;

/// What each task does with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// Write it, read it back and verify it, copy it, and delete both.
    All,
    /// Read one that was written before the clock started.
    Reads,
}

impl Operations {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Operations::All => "all",
            Operations::Reads => "reads",
        }
    }
}

/// Whether what is written must have reached the disk before a task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// It may stay in the operating system's cache.
    Cached,
    /// `fsync` after each write.
    Synced,
}

/// How the files of a scenario are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWork {
    /// What each task does.
    pub operations: Operations,
    /// The size of each file in bytes.
    pub bytes: u64,
    /// Whether the disk is waited for.
    pub durability: Durability,
}

/// The file tasks of one run.
#[derive(Debug, Clone)]
pub struct Files {
    work: FileWork,
    tasks: usize,
    seed: u64,
    folder: RunFolder,
}

impl Files {
    /// The file tasks of a run that works below `folder`; `seed` decides what is in the files.
    pub fn new(work: FileWork, tasks: usize, seed: u64, folder: RunFolder) -> Files {
        Files { work, tasks, seed, folder }
    }
}

impl Workload for Files {
    fn plan(&self) -> Option<WorkPlan> {
        let Files { work, tasks, seed, .. } = *self;
        Some(WorkPlan::Files { work, tasks, seed, folder: self.folder.path().to_owned() })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Err(TaskError::new(ErrorKind::Worker, "this workload is not built yet"))
    }
}

impl FileWork {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        let what = match self.operations {
            Operations::All => "written, read back, copied and deleted",
            Operations::Reads => "read",
        };
        let how = match self.durability {
            Durability::Cached => "",
            Durability::Synced => ", each write on the disk before the next step",
        };
        format!("files of {} bytes, {what}{how}", self.bytes)
    }
}
