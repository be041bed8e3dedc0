//! The workload `api`: JSON over HTTP.

use serde::{Deserialize, Serialize};

use crate::event::{ErrorKind, TaskError};

use super::{Session, WorkPlan, Workload};

use super::Tls;
use super::download::Limits;
use reqwest::Url;

/// What each task calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// GET of one post by its id.
    Get,
    /// POST, GET, PUT, PATCH and DELETE of one post.
    Crud,
}

/// The calls of one run.
#[derive(Debug, Clone)]
pub struct Api {
    calls: Calls,
    base: Url,
    tasks: usize,
    limits: Limits,
    tls: Tls,
    seed: u64,
}

impl Api {
    /// Calls of the API at `base`, one post a task; its id is the task's number counted from 1.
    pub fn new(calls: Calls, base: Url, tasks: usize, limits: Limits, tls: Tls, seed: u64) -> Api {
        Api { calls, base, tasks, limits, tls, seed }
    }
}

impl Workload for Api {
    fn plan(&self) -> Option<WorkPlan> {
        let Api { calls, tasks, seed, .. } = *self;
        Some(WorkPlan::Api { calls, base: self.base.to_string(), tasks, limits: self.limits.clone(), seed })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Err(TaskError::new(ErrorKind::Worker, "this workload is not built yet"))
    }
}
