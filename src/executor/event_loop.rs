//! The executor `async`: at most N tasks in flight on one event loop, driven by one thread or by a few.

use std::io;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;

use crate::event::{ExecutorKind, Fact, LaneId, TaskId, Worker};
use crate::workload::Terms;

use super::{Equipment, Job, Leftovers, caught, thread_id, too_many};

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    let threads = job.async_threads.get();
    let runtime = build(threads)?;
    job.task_ids().for_each(|task| job.queued(task));
    let job = Arc::new(job.clone());
    let next = Arc::new(AtomicUsize::new(0));
    let used = runtime.block_on(async {
        let slots = (0..job.workers.get()).map(|slot| {
            let lane = LaneId::of(slot);
            let worker = Worker::AsyncSlot {
                threads: u32::try_from(threads).unwrap_or(u32::MAX),
                thread_id: if threads == 1 { thread_id() } else { None },
            };
            job.emitter.emit(Fact::LaneOpened { run: job.run, lane, worker: Box::new(worker) });
            tokio::spawn(slot_loop(job.clone(), next.clone(), lane))
        });
        let slots: Vec<_> = slots.collect();
        let mut used = Vec::with_capacity(slots.len());
        for slot in slots {
            match slot.await.map_err(JoinError::try_into_panic) {
                Ok(equipment) => used.push(equipment),
                Err(Ok(panic)) => panic::resume_unwind(panic),
                Err(Err(_)) => {}
            }
        }
        used
    });
    Ok(Leftovers::taken_apart_by(move || {
        drop(used);
        // Waiting for a name look-up that still runs on a hidden thread could take minutes.
        runtime.shutdown_background();
    }))
}

/// The runtime of an event loop that so many threads drive.
fn build(threads: usize) -> io::Result<Runtime> {
    if threads == 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    // The runtime panics when its threads can't be had, and tells no reason.
    caught(|| Builder::new_multi_thread().worker_threads(threads).thread_name("async").enable_all().build())
        .unwrap_or_else(|| Err(too_many(threads)))
}

/// Finds out whether the loop's threads can be had, where it needs several: a runtime that gets only some of
/// them hangs, with its tasks or while it is built. Asks for twice as many, because the operating system may
/// count threads for a moment longer than they live. Belongs before the run's clock starts.
pub(super) fn try_threads(job: &Job) -> io::Result<()> {
    let threads = job.async_threads.get();
    if job.executor != ExecutorKind::Async || threads == 1 {
        return Ok(());
    }
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        let wait = || drop(gate.lock());
        let tried: io::Result<Vec<_>> =
            (0..2 * threads).map(|_| thread::Builder::new().spawn_scoped(scope, wait)).collect();
        drop(closed);
        tried?.into_iter().for_each(|thread| drop(thread.join()));
        Ok(())
    })
}

/// One place for a task in flight: takes the next task of the run until there is none, and gives back what
/// it did them with.
async fn slot_loop(job: Arc<Job>, next: Arc<AtomicUsize>, lane: LaneId) -> Equipment {
    let (mut equipment, terms) = (Equipment::None, Terms::new(job.cancel.clone()));
    loop {
        let task = next.fetch_add(1, Ordering::Relaxed);
        if task >= job.tasks {
            return equipment;
        }
        job.drive(&terms, &mut equipment, lane, TaskId::of(task)).await;
        // The session's connection is free again only after its own task on the loop has had a turn; without
        // one, the next download opens a second connection.
        tokio::task::yield_now().await;
    }
}
