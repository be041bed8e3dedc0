//! The workload `compute`: uses the processor, and checks what comes out.

use serde::{Deserialize, Serialize};

use crate::event::{ErrorKind, TaskError};

use super::{Session, WorkPlan, Workload};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Computation {
    /// Count the primes below a number.
    Primes {
        /// The number.
        below: u64,
    },
    /// Hash bytes with SHA-256.
    Hash {
        /// How many.
        bytes: u64,
    },
    /// Make a picture and resize it.
    Resize {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// Aggregate one part of a CSV text.
    Csv {
        /// Rows in each part.
        rows: u32,
    },
}

/// The computations of one run.
#[derive(Debug, Clone)]
pub struct Compute {
    computation: Computation,
    tasks: usize,
    seed: u64,
}

impl Compute {
    /// The same computation for each task, on data that `seed` decides.
    pub fn new(computation: Computation, tasks: usize, seed: u64) -> Compute {
        Compute { computation, tasks, seed }
    }
}

impl Workload for Compute {
    fn plan(&self) -> Option<WorkPlan> {
        let Compute { computation, tasks, seed } = *self;
        Some(WorkPlan::Compute { computation, tasks, seed })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Err(TaskError::new(ErrorKind::Worker, "this workload is not built yet"))
    }
}

impl Computation {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        match self {
            Computation::Primes { below } => format!("each task counts the primes below {below}"),
            Computation::Hash { bytes } => format!("each task hashes {bytes} bytes with SHA-256"),
            Computation::Resize { width, height } => {
                format!("each task resizes a picture of {width} × {height}")
            }
            Computation::Csv { rows } => format!("each task aggregates {rows} rows of CSV"),
        }
    }

    /// What a task is, one and many.
    pub fn noun(&self) -> (&'static str, &'static str) {
        match self {
            Computation::Primes { .. } => ("primes", "prime counts"),
            Computation::Hash { .. } => ("hash", "hashes"),
            Computation::Resize { .. } => ("picture", "pictures"),
            Computation::Csv { .. } => ("part", "parts of a table"),
        }
    }
}
