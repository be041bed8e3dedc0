//! The spans of a race as CSV (RFC 4180): a row for each phase of each task on each lane.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::event::{At, Phase, TaskId, Worker};
use crate::model::RaceState;

use super::csv::cell;
use super::rows;

/// The columns, in the order of [`Row`]'s fields.
const HEADER: [&str; 15] = [
    "run",
    "executor",
    "workers",
    "lane",
    "worker",
    "pid",
    "thread_id",
    "task",
    "name",
    "phase",
    "from_seconds",
    "to_seconds",
    "open",
    "round",
    "warmup",
];

#[derive(Serialize)]
struct Row<'a> {
    run: &'a str,
    executor: Cow<'a, str>,
    workers: u32,
    lane: usize,
    worker: &'a str,
    pid: Option<u32>,
    thread_id: Option<u64>,
    task: u32,
    name: Cow<'a, str>,
    phase: Phase,
    from: f64,
    to: f64,
    open: bool,
    round: u32,
    warmup: bool,
}

/// Writes a row for each span of each lane of each run as CSV, in the order of runs, lanes and time.
///
/// The columns are called as in the JSON report; `run` is the run's label, which with `round` and `warmup` is its own. `from_seconds` and `to_seconds` count from the start of the
/// race's clock; `open` is true where the span went on at `now`, which is then its end. `worker`, `pid` and
/// `thread_id` are those of the worker that the lane had when the span began. Ids count from 0.
/// Writes through a buffer of its own and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn csv_spans(race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    let out = BufWriter::with_capacity(64 * 1024, out);
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(HEADER)?;
    for run in race.runs() {
        let label = cell(&run.plan().label);
        let (round, warmup) = rows::round(run.plan().round);
        for (id, lane) in run.lanes().iter().enumerate() {
            let ended = lane.spans().iter().map(|span| (span.task, span.phase, span.from, span.to, false));
            let open = lane.open().map(|open| (open.task, open.phase, open.from, now.max(open.from), true));
            for (task, phase, from, to, open) in ended.chain(open) {
                let worker = lane.worker_at(from);
                let words = worker.map_or("", Worker::name);
                writer.serialize(Row {
                    run: &label,
                    executor: cell(run.plan().executor.name()),
                    workers: run.plan().workers,
                    lane: id,
                    worker: &cell(words),
                    pid: worker.and_then(Worker::pid),
                    thread_id: worker.and_then(Worker::thread_id),
                    task: task.0,
                    name: task_name(race, task),
                    phase,
                    from: from.seconds(),
                    to: to.seconds(),
                    open,
                    round,
                    warmup,
                })?;
            }
        }
    }
    writer.flush()
}

fn task_name(race: &RaceState, task: TaskId) -> Cow<'_, str> {
    cell(race.plan().tasks.get(task.index()).map_or("", |task| &task.name))
}
