//! Whether the operating system has room for the workers of a run.

use crate::event::{ExecutorKind, WorkloadKind};
use crate::executor::Job;
use crate::probe::limits::{self, Needs, NoRoom};

/// Open files of a runtime: its event queue twice, and what wakes it.
const FILES_PER_RUNTIME: u64 = 3;

/// What a child process takes of this one: three pipes, each with a thread at its end.
const PIPES_PER_CHILD: u64 = 3;

/// Threads of a child process that is a worker: the one that works, the one that listens, and the one that tells.
const THREADS_OF_CHILD: u64 = 3;

/// Whether there is room for runs that go on at once.
pub(super) fn room_for(jobs: &[Job], workload: WorkloadKind) -> Result<(), NoRoom> {
    let all = jobs.iter().map(|job| needs(job, workload)).fold(Needs::default(), |all, more| Needs {
        threads: all.threads.saturating_add(more.threads),
        threads_of_children: all.threads_of_children.saturating_add(more.threads_of_children),
        files: all.files.saturating_add(more.files),
    });
    // What one worker needs fits wherever this program does.
    if all == Needs::default() { Ok(()) } else { limits::room_for(all) }
}

/// What a run needs at once. The threads of `threads` may all be there together, so all are counted.
fn needs(job: &Job, workload: WorkloadKind) -> Needs {
    let number = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
    let (workers, files) = (number(job.workers.get()), files_per_task(workload));
    let on_threads = |threads: u64| Needs {
        threads,
        files: threads.saturating_mul(FILES_PER_RUNTIME + files.here + files.at_origin),
        ..Needs::default()
    };
    let in_children = |children: u64| Needs {
        threads: children.saturating_mul(PIPES_PER_CHILD),
        threads_of_children: children.saturating_mul(THREADS_OF_CHILD),
        files: children
            .saturating_mul(PIPES_PER_CHILD)
            .saturating_add(workers.saturating_mul(files.at_origin)),
    };
    match job.executor {
        ExecutorKind::Sequential => Needs::default(),
        ExecutorKind::Threads => on_threads(number(job.tasks)),
        ExecutorKind::Pool | ExecutorKind::Gil => on_threads(workers),
        ExecutorKind::Async => Needs {
            // Its one thread is the run's own, which is there already.
            threads: number(job.async_threads.get() - 1),
            files: FILES_PER_RUNTIME.saturating_add(workers.saturating_mul(files.here + files.at_origin)),
            ..Needs::default()
        },
        ExecutorKind::Processes => in_children(workers),
        // How many threads a program of somebody's has, nobody knows.
        ExecutorKind::External(_) => in_children(1),
    }
}

/// Files that a task has open at once.
struct Files {
    /// Where it is done: its end of a connection among them.
    here: u64,
    /// The other end of that connection, where the origin is this program's own.
    at_origin: u64,
}

fn files_per_task(workload: WorkloadKind) -> Files {
    let (here, at_origin) = match workload {
        WorkloadKind::Download => (2, 1),
        WorkloadKind::Api => (1, 1),
        WorkloadKind::Crud => (3, 0),
        WorkloadKind::Files => (2, 0),
        WorkloadKind::Compute | WorkloadKind::Sleep | WorkloadKind::Counter | WorkloadKind::Imported => {
            (0, 0)
        }
    };
    Files { here, at_origin }
}
