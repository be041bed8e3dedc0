//! What the main thread of a run has to do with its tasks once they are handed out: work of its own, and
//! then their results, or leaving them behind.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::event::{Collect, Fact, LaneId, Outcome, TaskId};
use crate::workload::Terms;

use super::{Job, Left, ThreadWorker, no_worker};

/// What workers need besides the run's job: the terms of their tasks, and where the results go.
#[derive(Clone)]
pub(super) struct Handout {
    terms: Terms,
    /// None where the main thread takes no results: then none pays for waking it.
    results: Option<Sender<(TaskId, Left)>>,
}

/// The main thread, which is the one that calls [`Job::execute`].
pub(super) struct MainThread<'a> {
    job: &'a Job,
    takes: Takes,
}

/// How it takes the results.
enum Takes {
    None,
    InOrder(Receiver<(TaskId, Left)>),
    AsTheyEnd(Receiver<(TaskId, Left)>),
    /// It leaves the tasks behind, and this cuts them off.
    Leaves(CancellationToken),
}

/// The main thread of a run, and what its workers need. `terms` makes a worker's terms from the token that
/// stops its tasks.
pub(super) fn of(job: &Job, terms: impl FnOnce(CancellationToken) -> Terms) -> (MainThread<'_>, Handout) {
    let cancel = match job.collect {
        Collect::Daemon => job.cancel.child_token(),
        _ => job.cancel.clone(),
    };
    let terms = terms(cancel.clone());
    let (takes, results) = match job.collect {
        Collect::Join => (Takes::None, None),
        Collect::Daemon => (Takes::Leaves(cancel), None),
        Collect::Submit => {
            let (results, arriving) = mpsc::channel();
            (Takes::InOrder(arriving), Some(results))
        }
        Collect::Completion => {
            let (results, arriving) = mpsc::channel();
            (Takes::AsTheyEnd(arriving), Some(results))
        }
    };
    (MainThread { job, takes }, Handout { terms, results })
}

impl Handout {
    /// The worker of the calling thread.
    pub(super) fn open(&self, job: &Job, lane: LaneId) -> io::Result<ThreadWorker> {
        ThreadWorker::open(job, lane, self.terms.clone())
    }

    /// Does a task, and hands over what it left.
    pub(super) fn perform(&self, job: &Job, worker: &mut ThreadWorker, task: TaskId) {
        let left = worker.perform(job, task);
        self.hand_over(task, left);
    }

    /// Ends a task that no worker took up.
    pub(super) fn never_started(&self, job: &Job, task: TaskId, outcome: Outcome) {
        let left = Left::of(&outcome);
        job.task_ended_unstarted(task, outcome);
        self.hand_over(task, left);
    }

    /// Ends a task for which there is no worker.
    pub(super) fn no_worker(&self, job: &Job, task: TaskId, error: &io::Error) {
        self.never_started(job, task, Outcome::Failed(no_worker(error)));
    }

    fn hand_over(&self, task: TaskId, left: Left) {
        if let Some(results) = &self.results {
            let _ = results.send((task, left));
        }
    }
}

impl MainThread<'_> {
    /// Goes on after the tasks are handed out, until it has all results, or has left the tasks behind. The
    /// caller's own [`Handout`] must be gone, and joins the workers afterwards.
    pub(super) fn go_on(self) {
        self.job.do_main_work();
        match self.takes {
            Takes::None => {}
            Takes::Leaves(cut) => cut.cancel(),
            Takes::AsTheyEnd(arriving) => {
                for (task, left) in arriving {
                    self.job.delivered(task, left);
                }
            }
            Takes::InOrder(arriving) => {
                let mut ended: Vec<Option<Left>> = vec![None; self.job.tasks];
                let mut next = 0;
                for (task, left) in arriving {
                    if let Some(slot) = ended.get_mut(task.index()) {
                        *slot = Some(left);
                    }
                    while let Some(left) = ended.get(next).copied().flatten() {
                        self.job.delivered(TaskId::of(next), left);
                        next += 1;
                    }
                }
            }
        }
    }
}

impl Job {
    /// Does what the main thread has to do besides; until the run is cancelled.
    pub(super) fn do_main_work(&self) {
        if !self.main_work.is_zero() {
            work(self.main_work, &self.cancel);
        }
    }

    fn delivered(&self, task: TaskId, left: Left) {
        if left == Left::Result {
            self.emitter.emit(Fact::ResultDelivered { run: self.run, task });
        }
    }
}

/// Has work for so long, or until the run is cancelled. The work is simulated: it takes no processor time.
fn work(long: Duration, cancel: &CancellationToken) {
    let begun = Instant::now();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cancelled = pin!(cancel.cancelled());
    while cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        let left = long.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}
