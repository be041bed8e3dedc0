//! What more than one format says of a task.

use std::borrow::Cow;

use serde::Serialize;

use crate::event::{ErrorKind, RacePlan, Round, RunId, TaskId, WorkloadKind};
use crate::model::{RaceState, Stage, TaskState};

use super::words::{self, counted};

/// What ended a task: the kind of its error, or that it panicked.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Kind {
    Error(ErrorKind),
    Panic(&'static str),
}

/// What ended a task that failed or panicked.
pub(super) fn kind(task: &TaskState) -> Option<Kind> {
    match task.stage {
        Stage::Panicked => Some(Kind::Panic("panic")),
        _ => task.error.map(Kind::Error),
    }
}

/// How a task ended; none while it hasn't.
pub(super) fn outcome(task: &TaskState) -> Option<&'static str> {
    task.stage.is_over().then(|| task.stage.name())
}

/// The number of a round, and whether it only warms up.
pub(super) fn round(round: Round) -> (u32, bool) {
    match round {
        Round::Counted(number) => (number, false),
        Round::Warmup(number) => (number, true),
    }
}

/// Where a finished task's file stands; none where a later round replaced it.
pub(super) fn path(race: &RaceState, run: usize, task: usize) -> Option<String> {
    let state = race.runs().get(run)?.tasks().get(task)?;
    let kept = state.stage == Stage::Done && race.keeps_files(RunId::of(run));
    let path = race.plan().path(RunId::of(run), TaskId::of(task)).filter(|_| kept)?;
    Some(path.to_string_lossy().into_owned())
}

/// A task that gave up or panicked: its run's name, its own and its message, all foreign text.
pub(super) struct Failure<'a> {
    pub(super) run: String,
    pub(super) name: &'a str,
    pub(super) message: Cow<'a, str>,
}

/// The tasks that gave up or panicked, in the order of runs and tasks.
pub(super) fn failures(race: &RaceState) -> impl Iterator<Item = Failure<'_>> {
    let names = &race.plan().tasks;
    race.runs().iter().flat_map(move |run| {
        run.tasks().iter().zip(names).filter_map(move |(task, plan)| {
            let said = task.error_message().unwrap_or("no reason is known");
            let message = match task.stage {
                Stage::Failed => Cow::Borrowed(said),
                Stage::Panicked => Cow::Owned(format!("panicked: {said}")),
                _ => return None,
            };
            Some(Failure { run: run.plan().name(), name: &plan.name, message })
        })
    })
}

/// What a race ran with and on: its delays where they are not as they are, its seed, its machine.
pub(super) fn setting_line(plan: &RacePlan) -> String {
    if plan.workload == WorkloadKind::Imported {
        return "what machine it ran on is not told".to_owned();
    }
    let delays = words::delays(plan.time_scale).map_or_else(String::new, |delays| format!("{delays}, "));
    let machine = &plan.machine;
    let processors = words::processors(machine.cpus);
    format!("{delays}seed {}, {} {}, {processors}", plan.seed, machine.os, machine.arch)
}

/// What the tasks of a race are, in a sentence's words: `20 pictures from …`, `10 sleeps: …`.
pub(super) fn tasks_line(plan: &RacePlan) -> String {
    let joint = if plan.workload.asks_a_server() { " from " } else { ": " };
    format!("{}{joint}{}", counted(plan.tasks.len() as u64, "task", &plan.noun), plan.source)
}
