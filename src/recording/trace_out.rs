//! A race as a Chrome trace: the "Trace Event Format" (Google, 2016, in its JSON object form), which Perfetto,
//! `chrome://tracing` and speedscope open.
//!
//! | in the race | in the trace |
//! | --- | --- |
//! | a run | a process; its first thread has the run itself as one slice, and the deliveries |
//! | a lane | a thread, in the order of the lanes |
//! | a task | a slice (`X`, category `task`) with its figures as arguments |
//! | a span | a slice (`X`, category `phase`) inside its task's |
//! | a failed attempt, a delivery, an access to the counter, a task that nobody took up | an instant (`i`) |
//! | tasks in progress, tasks done, bytes | counters (`C`) |
//!
//! Times are microseconds with three decimals, so that no nanosecond is lost in a race of up to 26 days. Process
//! and thread ids are made up, and in order like the `sort_index` of each: viewers that don't know that order by ids
//! (speedscope) or by how many slices they have (Perfetto 52, whatever the trace asks for).
//! Viewers that honour `cname` show each phase in a colour of its own; Perfetto chooses one for each name.
//!
//! Beside what viewers read, the member `threadrace` has the plan, without the output folder: from it and from the
//! arguments, [`read_trace`](super::read_trace) makes the same lanes, spans and tasks again.

mod event;
mod lane;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::event::{Access, At, LaneId, Phase, RacePlan, RunId, TaskId, Worker};
use crate::model::{RaceState, RunState, Stage};
use crate::text::shown;

use super::read::clean_plan;
use event::{About, Kind, LaneName, Name, Own, SortIndex, TraceEvent, VERSION, micros, run_args, task_args};
use lane::Part;

/// Writes a race as a Chrome trace. What still goes on ends at the last moment that is known.
///
/// Writes through a buffer of its own and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn write_trace(race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let plan = RacePlan { output: PathBuf::new(), ..clean_plan((**race.plan()).clone()) };
    write!(out, "{{\"displayTimeUnit\":\"ms\",\n\"otherData\":")?;
    serde_json::to_writer(&mut out, &About::of(&plan))?;
    write!(out, ",\n\"threadrace\":")?;
    serde_json::to_writer(&mut out, &Own { version: VERSION, plan: &plan })?;
    write!(out, ",\n\"traceEvents\":[")?;
    let most = race.runs().iter().map(|run| run.lanes().len()).max().unwrap_or(0).max(race.runs().len());
    let stride = [100, 1_000, 10_000, 100_000].into_iter().find(|stride| *stride > most + 1);
    let mut trace = Trace { out: &mut out, first: true, stride: stride.unwrap_or(10_000_000) as u64 };
    for (index, run) in race.runs().iter().enumerate() {
        trace.run(RunId::of(index), run, race)?;
    }
    write!(out, "\n]}}\n")?;
    out.flush()
}

/// A trace that is being written.
struct Trace<'w, W: Write> {
    out: &'w mut W,
    first: bool,
    /// A thread's id is its process's times this, plus its place: unique, and never a process's.
    stride: u64,
}

/// One thread of the trace: its process's id and its own.
#[derive(Debug, Clone, Copy)]
struct Track {
    pid: u64,
    tid: u64,
}

impl<W: Write> Trace<'_, W> {
    fn tell<A: Serialize>(&mut self, event: &TraceEvent<'_, A>) -> io::Result<()> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        Ok(serde_json::to_writer(&mut *self.out, event)?)
    }

    fn metadata<A: Serialize>(&mut self, track: Track, name: &str, args: A) -> io::Result<()> {
        let Track { pid, tid } = track;
        self.tell(&TraceEvent {
            name,
            cat: None,
            ph: Kind::Metadata,
            ts: None,
            dur: None,
            pid,
            tid,
            scope: None,
            colour: None,
            args: Some(args),
        })
    }

    fn slice<A: Serialize>(
        &mut self,
        track: Track,
        (cat, name, colour): (&'static str, &str, Option<&'static str>),
        (from, to): (At, At),
        args: Option<A>,
    ) -> io::Result<()> {
        let Track { pid, tid } = track;
        let (ts, dur) = (Some(micros(from.0)), Some(micros(to.0.saturating_sub(from.0))));
        let cat = Some(cat);
        self.tell(&TraceEvent { name, cat, ph: Kind::Complete, ts, dur, pid, tid, scope: None, colour, args })
    }

    fn instant<A: Serialize>(
        &mut self,
        track: Track,
        (cat, name): (&'static str, &str),
        at: At,
        args: A,
    ) -> io::Result<()> {
        let Track { pid, tid } = track;
        self.tell(&TraceEvent {
            name,
            cat: Some(cat),
            ph: Kind::Instant,
            ts: Some(micros(at.0)),
            dur: None,
            pid,
            tid,
            scope: Some("t"),
            colour: None,
            args: Some(args),
        })
    }

    /// A counter that starts at zero and takes these steps; told once for each moment. Perfetto calls it by its
    /// name and its series, `chrome://tracing` by its name.
    fn counter(
        &mut self,
        Track { pid, tid }: Track,
        (name, series): (&str, &'static str),
        start: At,
        mut steps: Vec<(At, i128)>,
    ) -> io::Result<()> {
        steps.push((start, 0));
        steps.sort_unstable();
        let mut level: i128 = 0;
        for now in steps.chunk_by(|a, b| a.0 == b.0) {
            level += now.iter().map(|(_, delta)| delta).sum::<i128>();
            let args = BTreeMap::from([(series, u64::try_from(level).unwrap_or(0))]);
            self.tell(&TraceEvent {
                name,
                cat: None,
                ph: Kind::Counter,
                ts: Some(micros(now[0].0.0)),
                dur: None,
                pid,
                tid,
                scope: None,
                colour: None,
                args: Some(args),
            })?;
        }
        Ok(())
    }

    fn run(&mut self, id: RunId, run: &RunState, race: &RaceState) -> io::Result<()> {
        let pid = u64::from(id.0) + 1;
        let main = Track { pid, tid: pid * self.stride };
        let name = shown(&run.plan().name()).into_owned();
        let workers = run.plan().workers;
        let titled = format!("{name}, {workers} {}", if workers == 1 { "worker" } else { "workers" });
        self.metadata(main, "process_name", Name { name: &titled })?;
        self.metadata(main, "process_sort_index", SortIndex { sort_index: id.index() })?;
        self.metadata(main, "thread_name", Name { name: "run" })?;
        self.metadata(main, "thread_sort_index", SortIndex { sort_index: 0 })?;
        let digits = run.lanes().len().to_string().len();
        for (index, lane) in run.lanes().iter().enumerate() {
            let track = self.lane_track(main, index);
            let named = lane.worker().map_or_else(String::new, worker);
            let name = format!("lane {:0digits$}{named}", index + 1);
            self.metadata(
                track,
                "thread_name",
                LaneName { name: &name, lane: LaneId::of(index), came: lane.workers() },
            )?;
            self.metadata(track, "thread_sort_index", SortIndex { sort_index: index + 1 })?;
        }
        let now = race.last_moment();
        let (Some(start), Some(end)) = (run.started(), run.until(now)) else { return Ok(()) };
        self.slice(main, ("run", &name, None), (start, end), Some(run_args(run)))?;
        self.counters(main, run, start, end)?;
        for (at, task) in deliveries(run) {
            let title = format!("{} delivered", task_name(race.plan(), task));
            self.instant(main, ("delivery", &title), at, serde_json::json!({ "task": task }))?;
        }
        self.never_taken_up(main, run, race.plan(), end)?;
        for (index, parts) in lane::parts(run, end).iter().enumerate() {
            let track = self.lane_track(main, index);
            for part in parts {
                self.part(track, part, run, race)?;
            }
            for (came, new) in run.lanes()[index].workers().iter().skip(1) {
                let args = serde_json::json!({ "worker": worker(new).trim_start_matches([':', ' ']) });
                self.instant(track, ("worker", "new worker"), *came, args)?;
            }
        }
        for access in run.accesses() {
            let (name, loses) = match access.access {
                Access::Load { value } => (format!("load {value}"), false),
                Access::Store { value, over } if access.loses() => {
                    (format!("store {value} over {over}: lost"), true)
                }
                Access::Store { value, .. } => (format!("store {value}"), false),
            };
            let args = serde_json::json!({ "task": access.task, "access": access.access, "loses": loses });
            self.instant(self.lane_track(main, access.lane.index()), ("counter", &name), access.at, args)?;
        }
        Ok(())
    }

    /// Tells the tasks that were handed over, and that no worker took up, when they ended.
    fn never_taken_up(&mut self, main: Track, run: &RunState, plan: &RacePlan, end: At) -> io::Result<()> {
        for (index, task) in run.tasks().iter().enumerate() {
            if task.started.is_none() && (task.finished.is_some() || task.queued.is_some()) {
                let (id, at) = (TaskId::of(index), task.finished.unwrap_or(end));
                let title = format!("{} never taken up", task_name(plan, id));
                self.instant(main, ("unstarted", &title), at, task_args(id, task, plan, at))?;
            }
        }
        Ok(())
    }

    fn lane_track(&self, run: Track, lane: usize) -> Track {
        Track { pid: run.pid, tid: run.tid + 1 + lane as u64 }
    }

    fn part(&mut self, track: Track, part: &Part, run: &RunState, race: &RaceState) -> io::Result<()> {
        let name = task_name(race.plan(), part.task);
        let Some(state) = run.tasks().get(part.task.index()) else { return Ok(()) };
        let colour = match state.stage {
            Stage::Failed | Stage::Panicked => Some("terrible"),
            Stage::Cancelled | Stage::Abandoned => Some("grey"),
            _ => None,
        };
        let taken_up = state.started.unwrap_or(part.from);
        let args = task_args(part.task, state, race.plan(), taken_up);
        self.slice(track, ("task", &name, colour), (part.from, part.to), Some(args))?;
        for span in &part.spans {
            let looks = ("phase", span.phase.name(), Some(colour_of(span.phase)));
            // Without arguments, for speedscope takes slices for the same only where theirs are.
            self.slice(track, looks, (span.from, span.to), None::<()>)?;
        }
        if part.tells_failures {
            for (at, error) in state.story.iter().flat_map(|story| &story.failures) {
                let at = (*at).clamp(part.from, part.to);
                let args = serde_json::json!({
                    "task": part.task, "error_kind": error.kind, "error": shown(&error.message),
                });
                self.instant(track, ("attempt", "attempt failed"), at, args)?;
            }
        }
        Ok(())
    }

    fn counters(&mut self, main: Track, run: &RunState, start: At, end: At) -> io::Result<()> {
        let (mut progress, mut done) = (Vec::new(), Vec::new());
        let (mut arrived, mut in_flight) = (Vec::new(), Vec::new());
        for task in run.tasks() {
            if let Some(started) = task.started {
                progress.extend([(started, 1), (task.finished.unwrap_or(end), -1)]);
            }
            if let Some(finished) = task.finished {
                done.extend((task.stage == Stage::Done).then_some((finished, 1)));
                arrived.extend((task.bytes > 0).then_some((finished, i128::from(task.bytes))));
            }
            if let Some(first) = task.first_byte.filter(|_| task.bytes > 0) {
                let bytes = i128::from(task.bytes);
                in_flight.extend([(first, bytes), (task.finished.unwrap_or(end).max(first), -bytes)]);
            }
        }
        self.counter(main, ("tasks in progress", "now"), start, progress)?;
        self.counter(main, ("tasks done", "so far"), start, done)?;
        if run.bytes() > 0 {
            self.counter(main, ("bytes arrived", "as tasks end"), start, arrived)?;
            self.counter(main, ("bytes of bodies", "on their way"), start, in_flight)?;
        }
        Ok(())
    }
}

/// Every delivery of a run, in the order of time.
fn deliveries(run: &RunState) -> Vec<(At, TaskId)> {
    let found = run.tasks().iter().enumerate();
    let mut all: Vec<_> =
        found.filter_map(|(index, task)| Some((task.delivered?, TaskId::of(index)))).collect();
    all.sort_unstable();
    all
}

fn task_name(plan: &RacePlan, task: TaskId) -> Cow<'_, str> {
    plan.tasks.get(task.index()).map_or_else(|| format!("task {}", task.0).into(), |task| shown(&task.name))
}

/// What a lane's name says of its worker, from the mark that parts it from the lane's number.
fn worker(worker: &Worker) -> String {
    let thread = worker.thread_id().map_or_else(String::new, |id| format!(" (thread {id})"));
    match worker {
        Worker::Thread { name, .. } => format!(": {}{thread}", shown(name)),
        Worker::AsyncSlot { threads: 0 | 1, .. } => format!(": async slot{thread}"),
        Worker::AsyncSlot { threads, .. } => format!(": async slot on {threads} threads"),
        Worker::Process { pid, name, .. } => format!(": {} of process {pid}{thread}", shown(name)),
    }
}

/// One of the colours that `cname` can name (catapult's `color_scheme.html` lists them).
fn colour_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "grey",
        Phase::Connecting => "thread_state_uninterruptible",
        Phase::Waiting => "thread_state_iowait",
        Phase::Receiving => "thread_state_running",
        Phase::Writing => "rail_response",
        Phase::Computing => "good",
        Phase::Locked => "bad",
        Phase::Sleeping => "thread_state_sleeping",
        Phase::BackingOff => "olive",
    }
}
