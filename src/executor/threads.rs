//! The executor `threads`: a thread for each task. It takes its equipment with it when it ends, and a join
//! waits for that: a thousand threads that kept theirs to the end of the run would use up the open files.

use std::io;
use std::thread;

use crate::event::{LaneId, Outcome, TaskId};

use super::{Job, Leftovers, ThreadWorker, no_worker};

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
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
    Ok(Leftovers::of(()))
}

fn work(job: &Job, task: TaskId) {
    match ThreadWorker::open(job, LaneId(task.0)) {
        Ok(mut worker) => worker.perform(job, task),
        Err(error) => job.task_ended_unstarted(task, Outcome::Failed(no_worker(&error))),
    }
}
