//! The report as JSON: the whole race with every task and span. `assets/report.schema.json` describes it.
//!
//! Written as it goes, from structs that borrow: no tree of values is built, however many tasks there are.

use std::io::{self, Write};
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::event::{
    At, ExecutorKind, Machine, Order, Phase, REPORT_FORMAT, RunEnd, Variant, Worker, WorkloadKind,
};
use crate::model::{Counter, Lane, RaceState, RunState, RunStatus, TaskState};
use crate::stats::scaling::{Knee, ScheduleBound};
use crate::stats::{Cause, Difference, Estimate, Interval, Latencies};
use crate::text::says_format;

use super::critical::{CriticalPath, Segment, Step};
use super::groups::{Group, Repeat};
use super::rows::{self, Kind};
use super::scaling::Scaling;
use super::summary::{Comparable, RunSummary, Summary};
use super::utilisation::Utilisation;

#[derive(Serialize)]
struct Report<'a, R, G> {
    format: &'static str,
    version: u32,
    scenario: Scenario<'a>,
    machine: &'a Machine,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<SweepRow>,
    runs: R,
    groups: G,
}

/// What more workers bought.
#[derive(Serialize)]
struct SweepRow {
    executor: ExecutorKind,
    points: Vec<PointRow>,
    bound: Option<f64>,
    amdahl: Option<AmdahlRow>,
    usl: Option<UslRow>,
    knee: Option<u32>,
    sentence: Option<String>,
}

#[derive(Serialize)]
struct PointRow {
    workers: u32,
    wall_seconds: f64,
    speedup: f64,
    efficiency: Option<f64>,
    bound: Option<f64>,
    karp_flatt: Option<f64>,
}

#[derive(Serialize)]
struct AmdahlRow {
    serial: f64,
    interval: Option<[f64; 2]>,
    residual: f64,
}

#[derive(Serialize)]
struct UslRow {
    contention: f64,
    contention_interval: Option<[f64; 2]>,
    coherency: f64,
    coherency_interval: Option<[f64; 2]>,
    peak_workers: Option<f64>,
    residual: f64,
}

impl SweepRow {
    fn of(scaling: &Scaling) -> SweepRow {
        let ends = |interval: Interval| [interval.low, interval.high];
        let points = scaling.measured.iter().map(|of| PointRow {
            workers: of.workers,
            wall_seconds: exact(of.wall),
            speedup: of.speedup.median,
            efficiency: of.efficiency,
            bound: scaling.bound.as_ref().map(|bound| bound.at(f64::from(of.workers))),
            karp_flatt: of.karp_flatt,
        });
        SweepRow {
            executor: scaling.executor.clone(),
            points: points.collect(),
            bound: scaling.bound.as_ref().map(ScheduleBound::limit),
            amdahl: scaling.amdahl.map(|fit| AmdahlRow {
                serial: fit.serial,
                interval: fit.interval.map(ends),
                residual: fit.residual,
            }),
            usl: scaling.usl.map(|fit| UslRow {
                contention: fit.contention,
                contention_interval: fit.contention_interval.map(ends),
                coherency: fit.coherency,
                coherency_interval: fit.coherency_interval.map(ends),
                peak_workers: fit.peak(),
                residual: fit.residual,
            }),
            knee: match scaling.knee {
                Some(Knee::At { workers, .. }) => Some(workers),
                _ => None,
            },
            sentence: scaling.sentence(),
        }
    }
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    about: &'a str,
    workload: WorkloadKind,
    noun: &'a str,
    tasks: usize,
    seed: u64,
    source: &'a str,
    time_scale: f64,
    order: Order,
}

#[derive(Serialize)]
struct Run<'a, P, T, L> {
    label: &'a str,
    round: u32,
    warmup: bool,
    executor: ExecutorKind,
    workers: u32,
    variant: Option<&'static str>,
    status: &'static str,
    message: Option<&'a str>,
    comparable: bool,
    started: Option<f64>,
    wall_seconds: Option<f64>,
    interrupted_seconds: f64,
    speedup: Option<f64>,
    improvement: Option<f64>,
    efficiency: Option<f64>,
    peak_concurrency: u32,
    cpu_seconds: Option<CpuSeconds>,
    processors: Option<f64>,
    peak_memory_bytes: Option<u64>,
    bytes: u64,
    bytes_per_second: Option<f64>,
    tasks_per_second: Option<f64>,
    counter: Option<CounterRow>,
    done: u32,
    failed: u32,
    cancelled: u32,
    panicked: u32,
    abandoned: u32,
    retries: u32,
    latency_seconds: LatencySeconds,
    utilisation: Option<Utilisation>,
    critical_path: Option<P>,
    tasks: T,
    lanes: L,
}

#[derive(Serialize)]
struct GroupRow<'a> {
    label: &'a str,
    executor: &'a ExecutorKind,
    workers: u32,
    samples: usize,
    left_out: usize,
    wall_seconds: Option<EstimateRow>,
    speedup: Option<EstimateRow>,
    difference: Option<&'static str>,
    efficiency: Option<f64>,
    least_seconds: Option<f64>,
    most_seconds: Option<f64>,
    typical_run: u16,
    rounds: Vec<RepeatRow>,
    outliers: Vec<OutlierRow>,
}

#[derive(Serialize)]
struct EstimateRow {
    estimate: f64,
    low: Option<f64>,
    high: Option<f64>,
    samples: usize,
}

#[derive(Serialize)]
struct RepeatRow {
    round: u32,
    run: u16,
    wall_seconds: f64,
    speedup: Option<f64>,
}

#[derive(Serialize)]
struct OutlierRow {
    round: u32,
    run: u16,
    wall_seconds: f64,
    cause: &'static str,
}

#[derive(Serialize)]
struct CounterRow {
    expected: u64,
    actual: u64,
}

#[derive(Serialize)]
struct CpuSeconds {
    user: f64,
    system: f64,
}

#[derive(Serialize)]
struct LatencySeconds {
    mean: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct SegmentRow {
    step: &'static str,
    task: Option<u32>,
    lane: Option<u32>,
    from: f64,
    to: f64,
    share: f64,
}

#[derive(Serialize)]
struct Task<'a> {
    task: usize,
    name: &'a str,
    url: Option<&'a str>,
    lane: Option<u32>,
    queued: Option<f64>,
    started: Option<f64>,
    first_byte: Option<f64>,
    finished: Option<f64>,
    delivered: Option<f64>,
    bytes: u64,
    attempts: u32,
    outcome: Option<&'static str>,
    result: Option<&'a str>,
    error: Option<Failure<'a>>,
    path: Option<String>,
}

#[derive(Serialize)]
struct Failure<'a> {
    kind: Kind,
    message: &'a str,
}

#[derive(Serialize)]
struct LaneRow<'a, S> {
    lane: usize,
    worker: Option<&'a str>,
    opened: Option<f64>,
    pid: Option<u32>,
    thread_id: Option<u64>,
    utilisation: Option<Utilisation>,
    spans: S,
}

#[derive(Serialize)]
struct SpanRow {
    task: u32,
    phase: Phase,
    from: f64,
    to: f64,
}

/// A sequence that is made while it is written.
struct List<F>(F);

impl<F, I> Serialize for List<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Whether what begins like that is a report in JSON.
pub(super) fn is_report(beginning: &[u8]) -> bool {
    says_format(beginning, REPORT_FORMAT)
}

pub(super) fn write(race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    let (plan, summary) = (race.plan(), Summary::of(race, now));
    let runs = || {
        let rows = race.runs().iter().zip(&summary.runs).enumerate();
        rows.map(|(i, (run, figures))| run_row(race, i, run, figures, now))
    };
    let report = Report {
        format: REPORT_FORMAT,
        version: 1,
        scenario: Scenario {
            name: &plan.scenario,
            about: &plan.about,
            workload: plan.workload,
            noun: &plan.noun,
            tasks: plan.tasks.len(),
            seed: plan.seed,
            source: &plan.source,
            time_scale: plan.time_scale.factor(),
            order: plan.order,
        },
        machine: &plan.machine,
        sweep: summary.scaling.as_ref().map(SweepRow::of),
        runs: List(runs),
        groups: List(|| summary.groups.iter().map(group_row)),
    };
    report.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Visible))?;
    out.write_all(b"\n")
}

fn group_row(group: &Group) -> GroupRow<'_> {
    let estimate = |of: Estimate| EstimateRow {
        estimate: of.value,
        low: of.interval.map(|interval| interval.low),
        high: of.interval.map(|interval| interval.high),
        samples: of.samples,
    };
    let row = |repeat: &Repeat| RepeatRow {
        round: repeat.round,
        run: repeat.run.0,
        wall_seconds: exact(repeat.wall),
        speedup: repeat.speedup,
    };
    let outlier = |(repeat, cause): (&Repeat, Cause)| OutlierRow {
        round: repeat.round,
        run: repeat.run.0,
        wall_seconds: exact(repeat.wall),
        cause: match cause {
            Cause::FirstRun => "first_run",
            Cause::Retries => "retries",
            Cause::BusyMachine => "busy_machine",
            Cause::Unknown => "unknown",
        },
    };
    GroupRow {
        label: &group.label,
        executor: &group.executor,
        workers: group.workers,
        samples: group.repeats.len(),
        left_out: group.left_out,
        wall_seconds: group.wall.map(estimate),
        speedup: group.speedup.map(estimate),
        difference: group.difference().map(|difference| match difference {
            Difference::Faster => "faster",
            Difference::Slower => "slower",
            Difference::NotTold => "not_told",
            Difference::TooFew => "too_few",
        }),
        efficiency: group.efficiency,
        least_seconds: group.extremes().map(|(least, _)| exact(least)),
        most_seconds: group.extremes().map(|(_, most)| exact(most)),
        typical_run: group.typical.0,
        rounds: group.repeats.iter().map(row).collect(),
        outliers: group.outliers().map(outlier).collect(),
    }
}

fn run_row<'a>(
    race: &'a RaceState,
    id: usize,
    run: &'a RunState,
    figures: &'a RunSummary,
    now: At,
) -> impl Serialize + 'a {
    let message = match &figures.status {
        RunStatus::Ended { end: RunEnd::Failed { message }, .. } => Some(message.as_str()),
        _ => None,
    };
    let (round, warmup) = rows::round(figures.round);
    Run {
        label: &figures.label,
        round,
        warmup,
        executor: figures.executor.clone(),
        workers: figures.workers,
        variant: figures.variant.map(Variant::name),
        status: figures.status_name(),
        message,
        comparable: figures.comparable == Comparable::Yes,
        started: run.started().map(At::seconds),
        wall_seconds: figures.wall.map(exact),
        interrupted_seconds: exact(run.interrupted()),
        speedup: figures.speedup,
        improvement: figures.improvement,
        efficiency: figures.efficiency,
        peak_concurrency: figures.peak_concurrency,
        cpu_seconds: figures.cpu.map(|cpu| CpuSeconds { user: exact(cpu.user), system: exact(cpu.system) }),
        processors: figures.processors,
        peak_memory_bytes: figures.peak_memory,
        bytes: figures.bytes,
        bytes_per_second: figures.bytes_per_second,
        tasks_per_second: figures.tasks_per_second,
        counter: figures.counter.map(|Counter { expected, actual }| CounterRow { expected, actual }),
        done: figures.counts.done,
        failed: figures.counts.failed,
        cancelled: figures.counts.cancelled,
        panicked: figures.counts.panicked,
        abandoned: figures.counts.abandoned,
        retries: figures.counts.retries,
        latency_seconds: latency_seconds(figures.latency),
        utilisation: told(figures.utilisation()),
        critical_path: figures
            .critical
            .as_ref()
            .map(|path| List(move || path.segments().iter().map(move |segment| segment_row(path, segment)))),
        tasks: List(move || run.tasks().iter().enumerate().map(move |(i, task)| task_row(race, id, i, task))),
        lanes: List(move || run.lanes().iter().enumerate().map(move |(i, lane)| lane_row(run, i, lane, now))),
    }
}

fn latency_seconds(latency: Option<Latencies>) -> LatencySeconds {
    let seconds = |of: fn(&Latencies) -> Duration| latency.as_ref().map(of).map(exact);
    LatencySeconds {
        mean: seconds(|l| l.mean),
        p50: seconds(|l| l.p50),
        p90: seconds(|l| l.p90),
        p95: seconds(|l| l.p95),
        p99: seconds(|l| l.p99),
        max: seconds(|l| l.max),
    }
}

/// None when there is no time to share.
fn told(used: Utilisation) -> Option<Utilisation> {
    (!used.is_empty()).then_some(used)
}

fn segment_row(path: &CriticalPath, segment: &Segment) -> SegmentRow {
    let (task, lane) = match segment.step {
        Step::Task { lane, task } => (Some(task.0), Some(lane.0)),
        _ => (None, None),
    };
    let (from, to) = (segment.from.seconds(), segment.to.seconds());
    SegmentRow { step: segment.step.key(), task, lane, from, to, share: path.share(segment) }
}

fn task_row<'a>(race: &'a RaceState, run: usize, id: usize, task: &'a TaskState) -> Task<'a> {
    let plan = race.plan().tasks.get(id);
    Task {
        task: id,
        name: plan.map_or("", |plan| &plan.name),
        url: plan.and_then(|plan| plan.url.as_deref()),
        lane: task.lane.map(|lane| lane.0),
        queued: task.queued.map(At::seconds),
        started: task.started.map(At::seconds),
        first_byte: task.first_byte.map(At::seconds),
        finished: task.finished.map(At::seconds),
        delivered: task.delivered.map(At::seconds),
        bytes: task.bytes,
        attempts: task.attempts,
        outcome: rows::outcome(task),
        result: task.result.as_deref(),
        error: rows::kind(task)
            .map(|kind| Failure { kind, message: task.error_message().unwrap_or_default() }),
        path: rows::path(race, run, id),
    }
}

fn lane_row<'a>(run: &RunState, id: usize, lane: &'a Lane, now: At) -> impl Serialize + use<'a> {
    let worker = lane.worker().map(Worker::name);
    let spans = move || {
        let ended = lane.spans().iter().map(|span| (span.task, span.phase, span.from, span.to));
        let open = lane.open().map(|open| (open.task, open.phase, open.from, now.max(open.from)));
        ended.chain(open).map(|(task, phase, from, to)| SpanRow {
            task: task.0,
            phase,
            from: from.seconds(),
            to: to.seconds(),
        })
    };
    LaneRow {
        lane: id,
        worker,
        opened: lane.opened().map(At::seconds),
        pid: lane.worker().and_then(Worker::pid),
        thread_id: lane.worker().and_then(Worker::thread_id),
        utilisation: told(Utilisation::of_lane(run, lane, now)),
        spans: List(spans),
    }
}

/// Seconds in the same way as [`At::seconds`], so that differences of moments and durations agree.
fn exact(time: Duration) -> f64 {
    At::from_duration(time).seconds()
}

/// Compact JSON in which no character can turn a line around or drive a terminal: serde escapes what JSON
/// asks for, this the rest.
pub(super) struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find(is_hidden) {
            let (plain, from) = rest.split_at(place);
            out.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                write!(out, "\\u{:04x}", u32::from(c))?;
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

/// Control characters beyond ASCII's first, line separators and bidi controls; all are below U+10000.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_read_back() -> serde_json::Result<()> {
        let text = "a\u{202e}b\u{9b}2J\u{2069}\n\u{1b}é \u{85}";
        let mut out = Vec::new();
        text.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Visible))?;
        let json = String::from_utf8_lossy(&out).into_owned();
        assert_eq!(json, r#""a\u202eb\u009b2J\u2069\n\u001bé \u0085""#);
        assert_eq!(serde_json::from_str::<String>(&json)?, text);
        Ok(())
    }
}
