//! Whether the operating system has room for the workers of a run.

use crate::event::{ExecutorKind, WorkloadKind};
use crate::executor::Job;
use crate::probe::limits::{self, Needs, NoRoom};

/// Open files of a thread's runtime: its event queue twice, and what wakes it.
const FILES_PER_RUNTIME: u64 = 3;

/// Whether there is room for runs that go on at once.
pub(super) fn room_for(jobs: &[Job], workload: WorkloadKind) -> Result<(), NoRoom> {
    let mut all = Needs::default();
    for job in jobs {
        let threads = threads(job);
        all.threads = all.threads.saturating_add(threads);
        all.files =
            all.files.saturating_add(threads.saturating_mul(FILES_PER_RUNTIME + files_per_task(workload)));
    }
    // A run that starts no threads of its own fits wherever this program does.
    if all == Needs::default() { Ok(()) } else { limits::room_for(all) }
}

/// How many threads with a runtime of their own a run has at once. Those of `threads` may all be there
/// together, so all are counted.
fn threads(job: &Job) -> u64 {
    let threads = match job.executor {
        ExecutorKind::Threads => job.tasks,
        ExecutorKind::Pool | ExecutorKind::Gil => job.workers.get(),
        ExecutorKind::Sequential
        | ExecutorKind::Async
        | ExecutorKind::Processes
        | ExecutorKind::External(_) => 0,
    };
    u64::try_from(threads).unwrap_or(u64::MAX)
}

/// How many files a task has open at once: a connection has two ends where the origin is this program's own.
fn files_per_task(workload: WorkloadKind) -> u64 {
    match workload {
        WorkloadKind::Download | WorkloadKind::Crud => 3,
        WorkloadKind::Api | WorkloadKind::Files => 2,
        WorkloadKind::Compute | WorkloadKind::Sleep | WorkloadKind::Counter | WorkloadKind::Imported => 0,
    }
}
