//! The executor `sequential`: the calling worker does one task after another.

use std::io;

use crate::event::LaneId;
use crate::workload::Terms;

use super::{Job, Leftovers, ThreadWorker};

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    job.task_ids().for_each(|task| job.queued(task));
    let mut worker = ThreadWorker::open(job, LaneId(0), Terms::new(job.cancel.clone()))?;
    for task in job.task_ids() {
        worker.perform(job, task);
    }
    // The main thread is the worker, so its own work comes after all tasks.
    job.do_main_work();
    Ok(Leftovers::of(worker))
}
