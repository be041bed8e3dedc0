//! The executor `pool`: N threads share one queue.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use threadpool::ThreadPool;
use tokio_util::sync::CancellationToken;

use crate::event::{LaneId, TaskId};
use crate::workload::Terms;

use super::main_thread::{self, Handout};
use super::{Job, Leftovers, ThreadWorker, caught, too_many};

thread_local! {
    /// The lane of this pool thread. The crate `threadpool` names all its threads alike and gives no
    /// index; the first job on a thread takes the next lane.
    static LANE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The pool's workers by lane. Each is used by its own thread alone, so no lock is ever waited for; they
/// stand here rather than in the threads so that they outlive no run.
struct Workers {
    opened: AtomicUsize,
    by_lane: Vec<Mutex<Option<ThreadWorker>>>,
}

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    share_a_queue(job, "pool", Terms::new)
}

/// Does the tasks on threads of that name that share a queue, on `terms`.
pub(super) fn share_a_queue(
    job: &Job,
    name: &str,
    terms: impl FnOnce(CancellationToken) -> Terms,
) -> io::Result<Leftovers> {
    let size = job.workers.get();
    // The crate panics when a thread can't be had, and tells no reason.
    let pool = caught(|| ThreadPool::with_name(name.to_owned(), size)).ok_or_else(|| too_many(size))?;
    let workers = Arc::new(Workers {
        opened: AtomicUsize::new(0),
        by_lane: (0..size).map(|_| Mutex::new(None)).collect(),
    });
    let (main, handout) = main_thread::of(job, terms);
    let job = Arc::new(job.clone());
    for task in job.task_ids() {
        job.queued(task);
        let (job, workers, handout) = (job.clone(), workers.clone(), handout.clone());
        pool.execute(move || work(&job, &workers, &handout, task));
    }
    drop(handout);
    main.go_on();
    pool.join();
    Ok(Leftovers::of((workers, pool)))
}

fn work(job: &Job, workers: &Workers, handout: &Handout, task: TaskId) {
    let lane = LANE.get().unwrap_or_else(|| workers.opened.fetch_add(1, Ordering::Relaxed));
    LANE.set(Some(lane));
    let Some(slot) = workers.by_lane.get(lane) else {
        let error = io::Error::other("the pool has more threads than it was given");
        return handout.no_worker(job, task, &error);
    };
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.is_none() {
        match handout.open(job, LaneId::of(lane)) {
            Ok(worker) => *slot = Some(worker),
            Err(error) => return handout.no_worker(job, task, &error),
        }
    }
    if let Some(worker) = slot.as_mut() {
        handout.perform(job, worker, task);
    }
}
