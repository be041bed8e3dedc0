//! The executor `async`: at most N tasks in flight on one event loop, driven by one thread or by a few.

use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Builder;

use crate::event::{Fact, LaneId, TaskId, Worker};

use super::{Equipment, Job, thread_id};

pub(super) fn execute(job: &Job) -> io::Result<()> {
    let threads = job.async_threads.get();
    let runtime = if threads == 1 {
        Builder::new_current_thread().enable_all().build()?
    } else {
        Builder::new_multi_thread().worker_threads(threads).thread_name("async").enable_all().build()?
    };
    job.task_ids().for_each(|task| job.queued(task));
    let job = Arc::new(job.clone());
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let slots = (0..job.workers.get()).map(|slot| {
            let lane = LaneId::of(slot);
            let worker = Worker::AsyncSlot {
                threads: u32::try_from(threads).unwrap_or(u32::MAX),
                thread_id: if threads == 1 { thread_id() } else { None },
            };
            job.emitter.emit(Fact::LaneOpened { run: job.run, lane, worker });
            tokio::spawn(slot_loop(job.clone(), next.clone(), lane))
        });
        for slot in slots.collect::<Vec<_>>() {
            if let Err(error) = slot.await
                && let Ok(panic) = error.try_into_panic()
            {
                panic::resume_unwind(panic);
            }
        }
    });
    runtime.shutdown_background();
    Ok(())
}

/// One place for a task in flight: takes the next task of the run until there is none.
async fn slot_loop(job: Arc<Job>, next: Arc<AtomicUsize>, lane: LaneId) {
    let mut equipment = Equipment::None;
    loop {
        let task = next.fetch_add(1, Ordering::Relaxed);
        if task >= job.tasks {
            return;
        }
        job.drive(&mut equipment, lane, TaskId::of(task)).await;
        // The session's connection is free again only after its own task on the loop has had a turn; without
        // one, the next download opens a second connection.
        tokio::task::yield_now().await;
    }
}
