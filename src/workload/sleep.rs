//! The workload `sleep`: waits, and says so. It is the download of the tutorials that download nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Check, Phase, TaskError};

use super::{Session, TaskContext, TaskFuture, TaskResult, WorkPlan, Workload};

/// The waits of one run.
#[derive(Debug, Clone)]
pub struct Sleep {
    durations: Arc<[Duration]>,
}

impl Sleep {
    /// Tasks that wait in turn for each of `durations`; the list starts again where it is shorter than the
    /// tasks are many.
    pub fn new(durations: Arc<[Duration]>) -> Sleep {
        Sleep { durations }
    }
}

impl Workload for Sleep {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(self.clone()))
    }

    fn plan(&self) -> Option<WorkPlan> {
        Some(WorkPlan::Sleep { durations: self.durations.to_vec() })
    }
}

impl Session for Sleep {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let turn = context.task().index() % self.durations.len().max(1);
            let duration = self.durations.get(turn).copied().unwrap_or_default();
            context.enter(Phase::Sleeping);
            tokio::time::sleep(duration).await;
            let result = Some(format!("slept {} s", duration.as_secs_f64()));
            Ok(TaskResult { bytes: 0, check: Check::Nothing, result })
        })
    }
}

/// The waits in words, for the screen.
pub fn describe(durations: &[Duration]) -> String {
    let least = durations.iter().min().copied().unwrap_or_default().as_secs_f64();
    let most = durations.iter().max().copied().unwrap_or_default().as_secs_f64();
    let range = if least == most { format!("{least} s") } else { format!("{least}–{most} s") };
    format!("simulated: each task sleeps {range}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_read_like_a_sentence() {
        let seconds =
            |all: &[u64]| describe(&all.iter().copied().map(Duration::from_secs).collect::<Vec<_>>());
        assert_eq!(seconds(&[2]), "simulated: each task sleeps 2 s");
        assert_eq!(seconds(&[2, 4, 1]), "simulated: each task sleeps 1–4 s");
    }
}
