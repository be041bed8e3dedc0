//! The executor `threads`: a thread for each task.

use std::io;
use std::thread;

use crate::event::{LaneId, Outcome, TaskId};

use super::{Job, ThreadWorker, no_worker};

pub(super) fn execute(job: &Job) -> io::Result<()> {
    let digits = job.tasks.to_string().len();
    thread::scope(|scope| {
        for task in job.task_ids() {
            job.queued(task);
            if job.cancel.is_cancelled() {
                job.task_ended_unstarted(task, Outcome::Cancelled);
                continue;
            }
            let name = format!("task-{:0digits$}", task.0 + 1);
            let spawned = thread::Builder::new().name(name).spawn_scoped(scope, move || work(job, task));
            if let Err(error) = spawned {
                job.task_ended_unstarted(task, Outcome::Failed(no_worker(&error)));
            }
        }
    });
    Ok(())
}

fn work(job: &Job, task: TaskId) {
    match ThreadWorker::open(job, LaneId(task.0)) {
        Ok(mut worker) => worker.perform(job, task),
        Err(error) => job.task_ended_unstarted(task, Outcome::Failed(no_worker(&error))),
    }
}
