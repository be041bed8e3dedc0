//! The one fold: [`RaceState::apply`] turns events into tasks, lanes, spans and progress.
//!
//! Everything on screen and in a report is read from a [`RaceState`]. One event costs the same however
//! many tasks there are, and so does one question of those that a frame asks. Events may be foreign (a
//! recording): what doesn't fit is counted in [`RaceState::misfits`] and changes nothing.

mod hue;
mod lane;
mod rounds;
mod run;
mod steps;

pub use hue::Hue;
pub use lane::{Lane, Mix, OpenSpan, Span};
pub use rounds::Rounds;
pub use run::{
    Counter, CounterAccess, Counts, RunState, RunStatus, SharedPlan, Stage, Story, TaskState, as_much,
};
pub use steps::Steps;

use std::time::Duration;

use crate::event::{At, ErrorKind, Event, ExecutorKind, Fact, RunEnd, RunId, RunPlan};

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
    rounds: Rounds,
    misfits: u64,
    last: At,
}

impl RaceState {
    /// A race that is planned and of which nothing has happened.
    pub fn new(plan: SharedPlan) -> RaceState {
        let rounds = Rounds::of(&plan.runs);
        let run = |(run, hue): (&RunPlan, Hue)| RunState::new(run.clone(), hue, plan.tasks.len());
        let runs = plan.runs.iter().zip(rounds.hues(&plan.runs)).map(run).collect();
        RaceState { plan, status: RaceStatus::Running, runs, rounds, misfits: 0, last: At::ZERO }
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

    /// Which runs repeat each other.
    pub fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// The run that the others of the first counted round are measured against; the first sequential run of a
    /// race that does not repeat.
    pub fn baseline(&self) -> Option<&RunState> {
        self.sequential_in(self.rounds.first_counted()?)
    }

    /// The run that a run is measured against: the first sequential one of its round.
    pub fn baseline_of(&self, run: RunId) -> Option<&RunState> {
        self.sequential_in(self.rounds.round_of(run)?)
    }

    fn sequential_in(&self, round: usize) -> Option<&RunState> {
        let mut runs = self.rounds.runs(round).iter().filter_map(|run| self.runs.get(run.index()));
        runs.find(|run| run.plan().executor == ExecutorKind::Sequential)
    }

    /// The place of the round that is under way, or was the last to be.
    pub fn current_round(&self) -> usize {
        let last = || self.runs.iter().rposition(|run| run.started().is_some()).map(RunId::of);
        self.running().or_else(last).and_then(|run| self.rounds.round_of(run)).unwrap_or(0)
    }

    /// Whether the files that a run wrote are still there at the end: those of a run whose executor has run
    /// again since were replaced.
    pub fn keeps_files(&self, run: RunId) -> bool {
        let Some(group) = self.rounds.group_of(run) else { return false };
        let started = |id: &&RunId| self.runs.get(id.index()).is_some_and(|run| run.started().is_some());
        self.rounds.group(group).iter().rfind(started) == Some(&run)
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

    /// Whether every run came to its end as it was meant to.
    pub fn went_as_meant(&self) -> bool {
        self.runs.iter().all(RunState::went_as_meant)
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
                let broken = RunEnd::Failed { message: "the race broke off".to_owned() };
                self.runs.iter_mut().for_each(|run| run.finish(event.at, broken.clone()));
                self.status = RaceStatus::Ended { at: event.at };
                true
            }
            Fact::Collected => true,
            Fact::RunStarted { run } => self.with_run(*run, |run| {
                run.start(event.at);
                true
            }),
            Fact::RunFinished { run, end } => self.with_run(*run, |run| {
                run.finish(event.at, end.clone());
                true
            }),
            // What is about one run is that run's.
            fact => fact.run().is_some_and(|run| self.with_run(run, |run| run.apply(event))),
        };
        self.misfits += u64::from(!fits);
    }

    fn with_run(&mut self, run: RunId, then: impl FnOnce(&mut RunState) -> bool) -> bool {
        self.runs.get_mut(run.index()).is_some_and(then)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::event::{LaneId, RacePlan, Round, TaskId, TaskPlan};

    use super::*;

    #[test]
    fn no_run_goes_on_when_the_race_is_over() {
        let run = |label: &str| RunPlan {
            executor: ExecutorKind::Pool,
            workers: 1,
            variant: None,
            label: label.to_owned(),
            round: Round::ONLY,
        };
        let plan = RacePlan::of_sleeps(
            vec![TaskPlan { name: "a".to_owned(), url: None }],
            vec![run("over"), run("broken"), run("waiting")],
        );
        let mut race = RaceState::new(Arc::new(plan));
        let facts = [
            Fact::RunStarted { run: RunId(0) },
            Fact::RunFinished { run: RunId(0), end: RunEnd::Cancelled },
            Fact::RunStarted { run: RunId(1) },
            Fact::TaskStarted { run: RunId(1), task: TaskId(0), lane: LaneId(0) },
            Fact::RaceFinished,
        ];
        for (at, fact) in facts.into_iter().enumerate() {
            race.apply(&Event { at: At(at as u64), fact });
        }
        let message = "the race broke off".to_owned();
        let broken = RunStatus::Ended { from: At(2), to: At(4), end: RunEnd::Failed { message } };
        let over = RunStatus::Ended { from: At(0), to: At(1), end: RunEnd::Cancelled };
        let found: Vec<_> = race.runs().iter().map(|run| run.status().clone()).collect();
        assert_eq!(found, [over, broken, RunStatus::Waiting]);
        assert_eq!((race.running(), race.misfits()), (None, 0));
        assert!(race.runs()[1].lanes().iter().all(|lane| lane.open().is_none()));
    }
}
