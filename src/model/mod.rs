//! The one fold: [`RaceState::apply`] turns events into tasks, lanes, spans and progress.
//!
//! Everything on screen and in a report is read from a [`RaceState`]. One event costs the same however
//! many tasks there are, and so does one question of those that a frame asks. Events may be foreign (a
//! recording): what doesn't fit is counted in [`RaceState::misfits`] and changes nothing.

mod lane;
mod run;
mod steps;

pub use lane::{Lane, Mix, OpenSpan, Span};
pub use run::{Counts, RunState, RunStatus, SharedPlan, Stage, Story, TaskState};
pub use steps::Steps;

use std::time::Duration;

use crate::event::{At, ErrorKind, Event, ExecutorKind, Fact, RunId};

/// Where a race is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaceStatus {
    /// Under way.
    Running,
    /// All runs are over since then.
    Ended {
        /// When the last of them was over.
        at: At,
    },
}

/// Everything that is known of a race.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaceState {
    plan: SharedPlan,
    status: RaceStatus,
    runs: Vec<RunState>,
    misfits: u64,
    last: At,
}

impl RaceState {
    /// A race that is planned and of which nothing has happened.
    pub fn new(plan: SharedPlan) -> RaceState {
        let runs = plan.runs.iter().map(|run| RunState::new(run.clone(), plan.tasks.len())).collect();
        RaceState { plan, status: RaceStatus::Running, runs, misfits: 0, last: At::ZERO }
    }

    /// What was planned.
    pub fn plan(&self) -> &SharedPlan {
        &self.plan
    }

    /// Where the race is.
    pub fn status(&self) -> RaceStatus {
        self.status
    }

    /// Whether all runs are over.
    pub fn is_over(&self) -> bool {
        matches!(self.status, RaceStatus::Ended { .. })
    }

    /// The runs in id order.
    pub fn runs(&self) -> &[RunState] {
        &self.runs
    }

    /// How many events did not fit what came before them; zero in a live race.
    pub fn misfits(&self) -> u64 {
        self.misfits
    }

    /// The run that the others are measured against: the first sequential one.
    pub fn baseline(&self) -> Option<&RunState> {
        self.runs.iter().find(|run| run.plan().executor == ExecutorKind::Sequential)
    }

    /// The run that is under way; the first of them when they run together.
    pub fn running(&self) -> Option<RunId> {
        let place = self.runs.iter().position(|run| matches!(run.status(), RunStatus::Running { .. }));
        place.map(RunId::of)
    }

    /// The last moment of which something is known: the end of the race, or of what was heard of it.
    pub fn last_moment(&self) -> At {
        self.last
    }

    /// Whether every run did every task.
    pub fn did_everything(&self) -> bool {
        self.runs.iter().all(RunState::did_everything)
    }

    /// Whether a task failed because the output folder or the disk refused.
    pub fn met_a_bad_disk(&self) -> bool {
        let disk = |task: &TaskState| matches!(task.error, Some(ErrorKind::Disk | ErrorKind::DiskFull));
        self.runs.iter().flat_map(RunState::tasks).any(disk)
    }

    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) {
        self.last = self.last.max(event.at);
        let fits = match &event.fact {
            Fact::RaceStarted { plan } => {
                *self = RaceState { last: event.at, ..RaceState::new(plan.clone()) };
                true
            }
            Fact::Interrupted { nanos } => {
                self.runs.iter_mut().for_each(|run| run.interrupt(Duration::from_nanos(*nanos)));
                true
            }
            Fact::RaceFinished => {
                self.status = RaceStatus::Ended { at: event.at };
                true
            }
            Fact::RunStarted { run } => self.with_run(*run, |run| {
                run.start(event.at);
                true
            }),
            Fact::RunFinished { run, end } => self.with_run(*run, |run| {
                run.finish(event.at, end.clone());
                true
            }),
            Fact::LaneOpened { run, .. }
            | Fact::TaskQueued { run, .. }
            | Fact::TaskStarted { run, .. }
            | Fact::PhaseEntered { run, .. }
            | Fact::AttemptStarted { run, .. }
            | Fact::AttemptFailed { run, .. }
            | Fact::ResponseArrived { run, .. }
            | Fact::BytesArrived { run, .. }
            | Fact::TaskFinished { run, .. } => self.with_run(*run, |run| run.apply(event)),
        };
        self.misfits += u64::from(!fits);
    }

    fn with_run(&mut self, run: RunId, then: impl FnOnce(&mut RunState) -> bool) -> bool {
        self.runs.get_mut(run.index()).is_some_and(then)
    }
}
