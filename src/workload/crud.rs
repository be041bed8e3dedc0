//! The workload `crud`: inserts, reads, updates and deletes rows of a real SQLite file.

use serde::{Deserialize, Serialize};

use crate::event::{ErrorKind, TaskError};

use super::{Session, WorkPlan, Workload};

use super::RunFolder;

/// What the tasks of a scenario do in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowWork {
    /// Rows that each task inserts, reads, updates and, half of them, deletes.
    pub rows: u32,
}

/// The database tasks of one run.
#[derive(Debug, Clone)]
pub struct Crud {
    work: RowWork,
    tasks: usize,
    seed: u64,
    folder: RunFolder,
}

impl Crud {
    /// The database tasks of a run that works below `folder`; `seed` decides what is in the rows.
    pub fn new(work: RowWork, tasks: usize, seed: u64, folder: RunFolder) -> Crud {
        Crud { work, tasks, seed, folder }
    }
}

impl Workload for Crud {
    fn plan(&self) -> Option<WorkPlan> {
        let Crud { work, tasks, seed, .. } = *self;
        Some(WorkPlan::Crud { work, tasks, seed, folder: self.folder.path().to_owned() })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Err(TaskError::new(ErrorKind::Worker, "this workload is not built yet"))
    }
}

impl RowWork {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        format!("a SQLite database; each task inserts, reads, updates and deletes {} rows", self.rows)
    }
}

impl Crud {
    /// The name of the database's file in the run's folder.
    pub const FILE: &str = "rows.sqlite";
}
