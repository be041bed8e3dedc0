//! A workload in words that another process understands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api::{Api, Calls};
use super::compute::{Computation, Compute};
use super::crud::{Crud, RowWork};
use super::download::{Conduct, Downloads, Limits, Server, Target};
use super::files::{FileWork, Files};
use super::output::RunFolder;
use super::sleep::Sleep;
use super::{Resolved, Tls, Workload};
use crate::event::{ErrorKind, TaskError, TaskId, WorkloadKind};

/// The tasks of one run as they are told to another process: enough to make the very same workload there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "workload", rename_all = "snake_case")]
pub enum WorkPlan {
    /// Downloads.
    Download {
        /// What to download, in the order of the tasks.
        targets: Vec<TargetPlan>,
        /// The limits.
        limits: Limits,
        /// Who the server is.
        server: Server,
        /// The addresses that were looked up.
        resolved: Resolved,
        /// The seed of the retries' jitter.
        seed: u64,
        /// The run's folder.
        folder: PathBuf,
    },
    /// Calls of an API.
    Api {
        /// What each task calls.
        calls: Calls,
        /// The API's address.
        base: String,
        /// How many tasks.
        tasks: usize,
        /// The limits.
        limits: Limits,
        /// The seed.
        seed: u64,
    },
    /// Work on files.
    Files {
        /// The work.
        work: FileWork,
        /// How many tasks.
        tasks: usize,
        /// The seed of what is in them.
        seed: u64,
        /// The folder that the tasks share.
        folder: PathBuf,
    },
    /// Work on a database.
    Crud {
        /// The work.
        work: RowWork,
        /// How many tasks.
        tasks: usize,
        /// The seed of what is in its rows.
        seed: u64,
        /// The folder that the tasks share.
        folder: PathBuf,
    },
    /// Computations.
    Compute {
        /// What is computed.
        computation: Computation,
        /// How many tasks.
        tasks: usize,
        /// The seed of the data.
        seed: u64,
    },
    /// Waits.
    Sleep {
        /// How long, in turn.
        durations: Vec<Duration>,
    },
}

/// One thing to download, as it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetPlan {
    /// Where it is.
    pub url: String,
    /// The file's name in the run's folder.
    pub name: String,
    /// How its task body behaves.
    pub conduct: Conduct,
}

impl WorkPlan {
    /// What the tasks do.
    pub fn kind(&self) -> WorkloadKind {
        match self {
            WorkPlan::Download { .. } => WorkloadKind::Download,
            WorkPlan::Api { .. } => WorkloadKind::Api,
            WorkPlan::Files { .. } => WorkloadKind::Files,
            WorkPlan::Crud { .. } => WorkloadKind::Crud,
            WorkPlan::Compute { .. } => WorkloadKind::Compute,
            WorkPlan::Sleep { .. } => WorkloadKind::Sleep,
        }
    }

    /// Makes the workload again, with TLS of its own.
    ///
    /// # Errors
    /// When there is no TLS, or an address is none.
    pub fn workload(self) -> Result<Arc<dyn Workload>, TaskError> {
        let wrong = |what: &dyn std::fmt::Display| {
            TaskError::new(ErrorKind::Worker, format!("the worker can't do this work: {what}"))
        };
        let tls = || Tls::new().map_err(|error| wrong(&error));
        let place = |folder| RunFolder::elsewhere(folder).map_err(|error| wrong(&error));
        let url = |url: &str| Url::parse(url).map_err(|error| wrong(&error));
        Ok(match self {
            WorkPlan::Download { targets, limits, server, resolved, seed, folder } => {
                let tls = tls()?;
                let target = |target: TargetPlan| {
                    Ok(Target { url: url(&target.url)?, name: target.name, conduct: target.conduct })
                };
                let targets = targets.into_iter().map(target).collect::<Result<Vec<_>, TaskError>>()?;
                if targets.iter().any(|target| target.url.scheme() == "https") {
                    tls.read_roots();
                }
                let downloads = Downloads::new(targets, limits, server, tls, resolved, seed);
                Arc::new(downloads.into_folder(place(folder)?))
            }
            WorkPlan::Api { calls, base, tasks, limits, seed } => {
                Arc::new(Api::new(calls, url(&base)?, tasks, limits, tls()?, seed))
            }
            WorkPlan::Files { work, tasks, seed, folder } => {
                Arc::new(Files::joining(work, tasks, seed, folder))
            }
            WorkPlan::Crud { work, tasks, seed, folder } => {
                Arc::new(Crud::joining(work, tasks, seed, folder))
            }
            WorkPlan::Compute { computation, tasks, seed } => {
                Arc::new(Compute::new(computation, tasks, seed))
            }
            WorkPlan::Sleep { durations } => Arc::new(Sleep::new(durations.into())),
        })
    }

    /// The limits that its tasks keep, where they speak HTTP.
    pub fn limits(&self) -> Option<&Limits> {
        match self {
            WorkPlan::Download { limits, .. } | WorkPlan::Api { limits, .. } => Some(limits),
            _ => None,
        }
    }

    /// Whether a program can be told all of it: texts are UTF-8 there, and names of folders need not be.
    pub fn can_be_told(&self) -> bool {
        match self {
            WorkPlan::Download { folder, .. } => absolute(folder).to_str().is_some(),
            _ => true,
        }
    }

    /// What a task is about, for a program that is not this one.
    pub fn about(&self, task: TaskId) -> Map<String, Value> {
        let number = task.index();
        let about = match self {
            WorkPlan::Download { targets, folder, .. } => targets.get(number).map_or(Value::Null, |target| {
                let place = |name: &str| absolute(folder).join(name).to_string_lossy().into_owned();
                let part = place(&format!("{}.part", target.name));
                json!({"name": target.name, "url": target.url, "part": part, "path": place(&target.name)})
            }),
            WorkPlan::Api { base, .. } => {
                json!({"url": format!("{}/posts/{}", base.trim_end_matches('/'), number + 1)})
            }
            WorkPlan::Sleep { durations } => {
                let duration = durations.get(number % durations.len().max(1)).copied().unwrap_or_default();
                json!({"seconds": duration.as_secs_f64()})
            }
            WorkPlan::Compute { computation: Computation::Primes { below }, .. } => {
                json!({"computation": "primes", "below": below})
            }
            WorkPlan::Compute { .. } | WorkPlan::Files { .. } | WorkPlan::Crud { .. } => Value::Null,
        };
        match about {
            Value::Object(about) => about,
            _ => Map::new(),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_the_way_to_another_process() -> Result<(), Box<dyn std::error::Error>> {
        let plan = WorkPlan::Sleep { durations: vec![Duration::from_millis(1500), Duration::from_secs(2)] };
        let told: WorkPlan = serde_json::from_str(&serde_json::to_string(&plan)?)?;
        assert_eq!(told.kind(), WorkloadKind::Sleep);
        assert_eq!(told.about(TaskId(2)), *json!({"seconds": 1.5}).as_object().ok_or("no object")?);
        let again = told.workload().map_err(|error| error.message)?.plan().ok_or("no plan")?;
        assert_eq!(serde_json::to_value(again)?, serde_json::to_value(plan)?);
        Ok(())
    }
}
