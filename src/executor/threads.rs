//! The executor `threads`: a thread for each task. It takes its equipment with it when it ends, and a join
//! waits for that: a thousand threads that kept theirs to the end of the run would use up the open files.

use std::io;
use std::thread;

use crate::event::{LaneId, Outcome, TaskId};
use crate::workload::Terms;

use super::main_thread::{self, Handout};
use super::{Job, Leftovers};

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    let digits = job.tasks.to_string().len();
    let (main, handout) = main_thread::of(job, Terms::new);
    thread::scope(|scope| {
        for task in job.task_ids() {
            job.queued(task);
            if job.cancel.is_cancelled() {
                handout.never_started(job, task, Outcome::Cancelled);
                continue;
            }
            let name = format!("task-{:0digits$}", task.0 + 1);
            let its_handout = handout.clone();
            let body = move || work(job, &its_handout, task);
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, body) {
                handout.no_worker(job, task, &error);
            }
        }
        drop(handout);
        main.go_on();
    });
    Ok(Leftovers::of(()))
}

fn work(job: &Job, handout: &Handout, task: TaskId) {
    match handout.open(job, LaneId(task.0)) {
        Ok(mut worker) => handout.perform(job, &mut worker, task),
        Err(error) => handout.no_worker(job, task, &error),
    }
}
