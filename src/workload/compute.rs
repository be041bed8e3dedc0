//! The workload `compute`: uses the processor, and checks what comes out.
//!
//! Nothing here ever awaits. On an event loop a computation therefore keeps all other tasks waiting until it
//! is through, and the screen shows just that.
//!
//! Every task of a run has equally much to do, so that speedups mean something. What the results must be is
//! found out before the clock starts, wherever that can be in another way than the tasks go:
//!
//! | computation | a task | what its result is held against |
//! | --- | --- | --- |
//! | primes | counts by trial division | Legendre's count, which divides nothing |
//! | hash | SHA-256 over bytes of its own | the digest made beforehand, the common beginning only once |
//! | resize | decodes a JPEG picture and halves it | the halved size, and the mean colour of the picture as it was before it became a JPEG |
//! | csv | reads its part of a table | the totals that were kept while the table was written |

mod hash;
mod primes;
mod resize;
mod table;

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::event::{At, Check, ErrorKind, Phase, RunId, TaskError};
use crate::text;

use super::{Emitter, Session, TaskContext, TaskFault, TaskFuture, TaskResult, WorkPlan, Workload};
use hash::Hash;
use primes::Primes;
use resize::Resize;
use table::{Table, Totals};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Computation {
    /// Count the primes below a number.
    Primes {
        /// The number.
        below: u64,
    },
    /// Hash bytes with SHA-256.
    Hash {
        /// How many.
        bytes: u64,
    },
    /// Decode a JPEG picture and resize it to half its width and height.
    Resize {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// Aggregate one part of a CSV text.
    Csv {
        /// Rows in each part.
        rows: u32,
    },
}

/// The computations of one run. Clones share what was prepared, and what their tasks found out.
#[derive(Debug, Clone)]
pub struct Compute {
    computation: Computation,
    seed: u64,
    prepared: Arc<Prepared>,
    tasks: usize,
    found: Arc<Mutex<Found>>,
}

/// What there is to compute with, and what must come out.
#[derive(Debug)]
enum Prepared {
    Primes(Primes),
    Hash(Hash),
    Resize(Resize),
    Csv(Table),
}

/// What the tasks that are done found out together.
#[derive(Debug, Default)]
struct Found {
    parts: usize,
    totals: Totals,
}

impl Compute {
    /// The same computation for each task, on data that `seed` decides. Everything is prepared here.
    pub fn new(computation: Computation, tasks: usize, seed: u64) -> Compute {
        let ControlFlow::<Infallible, _>::Continue(compute) =
            Compute::prepare(computation, tasks, seed, &|| ControlFlow::Continue(()));
        compute
    }

    /// Like [`Compute::new`], for data that may take long to prepare: asks `go_on` every few milliseconds.
    pub fn prepare<B>(
        computation: Computation,
        tasks: usize,
        seed: u64,
        go_on: &dyn Fn() -> ControlFlow<B>,
    ) -> ControlFlow<B, Compute> {
        let prepared = match computation {
            Computation::Primes { below } => Prepared::Primes(Primes::prepare(below, go_on)?),
            Computation::Hash { bytes } => Prepared::Hash(Hash::prepare(bytes, tasks, seed, go_on)?),
            Computation::Resize { width, height } => Prepared::Resize(Resize::prepare(width, height, seed)),
            Computation::Csv { rows } => Prepared::Csv(Table::prepare(rows, tasks, seed, go_on)?),
        };
        let prepared = Arc::new(prepared);
        ControlFlow::Continue(Compute { computation, seed, prepared, tasks, found: Arc::default() })
    }

    /// The same computations for one more run: it shares what was prepared, and begins with nothing found out.
    pub fn for_another_run(&self) -> Compute {
        Compute { found: Arc::default(), ..self.clone() }
    }

    fn compute(&self, context: &TaskContext) -> Result<TaskResult, TaskFault> {
        context.enter(Phase::Computing);
        match self.prepared.as_ref() {
            Prepared::Primes(primes) => primes.perform(context),
            Prepared::Hash(hash) => hash.perform(context),
            Prepared::Resize(resize) => resize.perform(context),
            Prepared::Csv(table) => {
                let (result, totals) = table.perform(context)?;
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.parts += 1;
                found.totals.add(&totals);
                Ok(result)
            }
        }
    }
}

impl Workload for Compute {
    fn plan(&self) -> Option<WorkPlan> {
        let Compute { computation, tasks, seed, .. } = *self;
        Some(WorkPlan::Compute { computation, tasks, seed })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(self.clone()))
    }

    /// Adds the parts of a table up and holds the sum against the whole. Parts that were not aggregated here,
    /// but failed, were cut off, or went to another process, leave nothing to add up.
    fn conclude(&self, _emitter: &Emitter, _run: RunId, _at: At) -> Result<(), String> {
        let Prepared::Csv(table) = self.prepared.as_ref() else { return Ok(()) };
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.parts < self.tasks || found.totals == table.grand_total(self.tasks) {
            return Ok(());
        }
        Err("the parts of the table do not add up to the whole: a part was lost or counted twice".to_owned())
    }
}

impl Session for Compute {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move { self.compute(context) })
    }
}

impl Computation {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        match self {
            Computation::Primes { below } => {
                format!("each task counts the primes below {} by trial division", text::count(*below))
            }
            Computation::Hash { bytes } => {
                format!("each task hashes {} with SHA-256", text::bytes(*bytes))
            }
            Computation::Resize { width, height } => {
                format!("each task decodes a JPEG picture of {width} × {height} pixels and halves it")
            }
            Computation::Csv { rows } => match rows {
                1 => "each task aggregates 1 row of CSV".to_owned(),
                rows => format!("each task aggregates {} rows of CSV", text::count(u64::from(*rows))),
            },
        }
    }

    /// What a task is, one and many.
    pub fn noun(&self) -> (&'static str, &'static str) {
        match self {
            Computation::Primes { .. } => ("primes", "prime counts"),
            Computation::Hash { .. } => ("hash", "hashes"),
            Computation::Resize { .. } => ("picture", "pictures"),
            Computation::Csv { .. } => ("part", "parts of a table"),
        }
    }
}

/// What a task found that came out right.
fn right(bytes: u64, result: String) -> TaskResult {
    TaskResult { bytes, check: Check::Result, result: Some(result) }
}

/// What a task found is not what it must be.
fn wrong(found: &str, expected: &str) -> TaskFault {
    TaskFault::failed(
        ErrorKind::Wrong,
        format!("the result is {found} and must be {expected}: suspect this machine's memory, or a bug here"),
    )
}

#[cfg(test)]
mod testing {
    //! Does one task without an executor.

    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;
    use crate::clock::Clock;
    use crate::event::{LaneId, TaskId};
    use crate::workload::{Progress, Terms};

    /// A context for task `task`, of a run that is cancelled already or never is.
    pub(super) fn context(task: usize, cancelled: bool) -> TaskContext {
        let terms = Terms::default();
        if cancelled {
            terms.cancel().cancel();
        }
        let emitter = Emitter::new(Clock::set_by_hand(), mpsc::channel().0);
        TaskContext::new(emitter, Progress::new(task + 1), RunId(0), TaskId::of(task), LaneId(0), terms)
    }

    impl Compute {
        /// Does a task; it must be through when it is asked for the first time.
        pub(super) fn perform_alone(&self, task: usize) -> Result<TaskResult, TaskFault> {
            let context = context(task, false);
            let mut session = self.clone();
            let done = session.perform(&context).now_or_never();
            done.unwrap_or_else(|| Err(TaskFault::failed(ErrorKind::Worker, "it awaits")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::context;
    use super::*;

    const ALL: [Computation; 4] = [
        Computation::Primes { below: 10_000 },
        Computation::Hash { bytes: 300_000 },
        Computation::Resize { width: 48, height: 32 },
        Computation::Csv { rows: 300 },
    ];

    #[test]
    fn every_computation_is_done_without_a_wait_and_checked() -> Result<(), TaskFault> {
        for computation in ALL {
            let compute = Compute::new(computation, 3, 1);
            for task in 0..3 {
                let result = compute.perform_alone(task).inspect_err(|fault| eprintln!("{fault:?}"))?;
                assert_eq!(result.check, Check::Result, "{computation:?}");
                assert!(result.result.is_some_and(|said| !said.is_empty()), "{computation:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_computation_stops_when_it_is_told_to() {
        for computation in ALL {
            let compute = Compute::new(computation, 1, 1);
            assert_eq!(compute.compute(&context(0, true)), Err(TaskFault::Stopped), "{computation:?}");
        }
    }

    #[test]
    fn preparing_stops_when_it_is_told_to() {
        for computation in [ALL[0], ALL[1], ALL[3], Computation::Hash { bytes: 1 << 40 }] {
            let prepared = Compute::prepare(computation, 3, 1, &|| ControlFlow::Break(()));
            assert!(prepared.is_break(), "{computation:?}");
        }
    }

    #[test]
    fn parts_that_do_not_add_up_to_the_table_fail_the_run() -> Result<(), TaskFault> {
        let (events, _arriving) = std::sync::mpsc::channel();
        let emitter = Emitter::new(crate::clock::Clock::set_by_hand(), events);
        let compute = Compute::new(Computation::Csv { rows: 50 }, 2, 1);
        let conclude = |compute: &Compute| compute.conclude(&emitter, RunId(0), At::ZERO);
        compute.perform_alone(0)?;
        assert_eq!(conclude(&compute), Ok(()), "a part is missing, and whoever lost it says so");
        compute.perform_alone(1)?;
        assert_eq!(conclude(&compute), Ok(()));
        compute.perform_alone(1)?;
        assert!(conclude(&compute).is_err());
        assert_eq!(conclude(&compute.for_another_run()), Ok(()));
        Ok(())
    }

    #[test]
    fn work_reads_like_a_sentence() {
        let said = |computation: Computation| computation.describe();
        assert_eq!(
            said(Computation::Primes { below: 2_000_000 }),
            "each task counts the primes below 2,000,000 by trial division"
        );
        assert_eq!(said(Computation::Hash { bytes: 64_000_000 }), "each task hashes 64.0 MB with SHA-256");
        assert_eq!(
            said(Computation::Resize { width: 1024, height: 640 }),
            "each task decodes a JPEG picture of 1024 × 640 pixels and halves it"
        );
        assert_eq!(said(Computation::Csv { rows: 2_000 }), "each task aggregates 2,000 rows of CSV");
        assert_eq!(said(Computation::Csv { rows: 1 }), "each task aggregates 1 row of CSV");
    }
}
