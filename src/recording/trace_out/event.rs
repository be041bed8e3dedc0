//! The events of a trace, and what they have as arguments.

use std::borrow::Cow;

use serde::Serialize;

use crate::event::{At, ErrorKind, LaneId, RacePlan, RunEnd, TaskId, Worker};
use crate::model::{RunState, RunStatus, Stage, TaskState};
use crate::text::shown;

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is shown of the race as a whole.
#[derive(Serialize)]
pub(super) struct About<'a> {
    pub(super) program: String,
    pub(super) scenario: Cow<'a, str>,
    pub(super) about: Cow<'a, str>,
    pub(super) workload: &'static str,
    pub(super) tasks: usize,
    pub(super) source: Cow<'a, str>,
    pub(super) seed: u64,
    pub(super) time_scale: f64,
    pub(super) machine: String,
    pub(super) clock_zero_unix_nanos: u64,
}

impl About<'_> {
    pub(super) fn of(plan: &RacePlan) -> About<'_> {
        let machine = &plan.machine;
        About {
            program: format!("threadrace {VERSION}"),
            scenario: shown(&plan.scenario),
            about: shown(&plan.about),
            workload: plan.workload.name(),
            tasks: plan.tasks.len(),
            source: shown(&plan.source),
            seed: plan.seed,
            time_scale: plan.time_scale.factor(),
            machine: shown(&format!("{} {}, {} processors", machine.os, machine.arch, machine.cpus))
                .into_owned(),
            clock_zero_unix_nanos: plan.zero.unix_nanos,
        }
    }
}

/// What the plan is read back from.
#[derive(Serialize)]
pub(super) struct Own<'a> {
    pub(super) version: &'static str,
    pub(super) plan: &'a RacePlan,
}

/// Microseconds, as the format has them.
pub(super) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

/// What kind of event it is (the format's "phase").
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Kind {
    #[serde(rename = "X")]
    Complete,
    #[serde(rename = "i")]
    Instant,
    #[serde(rename = "C")]
    Counter,
    #[serde(rename = "M")]
    Metadata,
}

/// One event of the format.
#[derive(Serialize)]
pub(super) struct TraceEvent<'a, A> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cat: Option<&'static str>,
    pub(super) ph: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dur: Option<f64>,
    pub(super) pid: u64,
    pub(super) tid: u64,
    /// How far an instant's line reaches: `t` is its thread.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<&'static str>,
    #[serde(rename = "cname", skip_serializing_if = "Option::is_none")]
    pub(super) colour: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) args: Option<A>,
}

/// The arguments of a task's slice.
#[derive(Serialize)]
pub(super) struct TaskArgs<'a> {
    pub(super) task: TaskId,
    pub(super) outcome: &'static str,
    pub(super) attempts: u32,
    pub(super) bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queued_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_kind: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Cow<'a, str>>,
}

/// The arguments of a run's slice.
#[derive(Serialize)]
pub(super) struct RunArgs<'a> {
    pub(super) executor: &'a str,
    pub(super) workers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<&'a RunEnd>,
    pub(super) tasks_done: u32,
    pub(super) tasks_not_done: u32,
    pub(super) retries: u32,
    pub(super) bytes: u64,
    pub(super) peak_in_progress: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interrupted_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peak_memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counter_expected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counter_actual: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Name<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct LaneName<'a> {
    pub(super) name: &'a str,
    pub(super) lane: LaneId,
    pub(super) came: &'a [(At, Worker)],
}

#[derive(Serialize)]
pub(super) struct SortIndex {
    pub(super) sort_index: usize,
}

pub(super) fn run_args(run: &RunState) -> RunArgs<'_> {
    let (usage, counter) = (run.usage(), run.counter());
    let end = match run.status() {
        RunStatus::Ended { end, .. } => Some(end),
        RunStatus::Waiting | RunStatus::Running { .. } => None,
    };
    RunArgs {
        executor: run.plan().executor.name(),
        workers: run.plan().workers,
        end,
        tasks_done: run.counts().done,
        tasks_not_done: run.counts().not_done(),
        retries: run.counts().retries,
        bytes: run.bytes(),
        peak_in_progress: run.in_progress().peak(),
        interrupted_us: (!run.interrupted().is_zero())
            .then(|| micros(At::from_duration(run.interrupted()).0)),
        user_us: usage.and_then(|usage| usage.user_nanos).map(micros),
        system_us: usage.and_then(|usage| usage.system_nanos).map(micros),
        peak_memory_bytes: usage.and_then(|usage| usage.peak_memory),
        counter_expected: counter.map(|counter| counter.expected),
        counter_actual: counter.map(|counter| counter.actual),
    }
}

/// The figures of a task that was in the queue until `until`.
pub(super) fn task_args<'a>(
    task: TaskId,
    state: &'a TaskState,
    plan: &'a RacePlan,
    until: At,
) -> TaskArgs<'a> {
    TaskArgs {
        task,
        outcome: match state.stage {
            Stage::Planned | Stage::Queued | Stage::Active(_) => "unfinished",
            stage => stage.name(),
        },
        attempts: state.attempts,
        bytes: state.bytes,
        queued_us: state.queued.map(|queued| micros(until.0.saturating_sub(queued.0))),
        url: plan.tasks.get(task.index()).and_then(|task| Some(shown(task.url.as_deref()?))),
        result: state.result.as_deref().map(shown),
        error_kind: state.error,
        error: state.error_message().map(shown),
    }
}
