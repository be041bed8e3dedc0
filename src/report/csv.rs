//! The report as CSV (RFC 4180): a row for each task of each run.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::event::{At, ExecutorKind, Order};
use crate::model::{RaceState, RunState};
use crate::text::shown;

use super::rows::{self, Kind};

/// The columns, in the order of [`Row`]'s fields.
const HEADER: [&str; 22] = [
    "run",
    "executor",
    "workers",
    "order",
    "task",
    "name",
    "url",
    "lane",
    "queued_seconds",
    "started_seconds",
    "first_byte_seconds",
    "finished_seconds",
    "delivered_seconds",
    "bytes",
    "attempts",
    "outcome",
    "result",
    "error_kind",
    "error_message",
    "path",
    "round",
    "warmup",
];

#[derive(Serialize)]
struct Row<'a> {
    run: &'a str,
    executor: ExecutorKind,
    workers: u32,
    order: Order,
    task: usize,
    name: Cow<'a, str>,
    url: Cow<'a, str>,
    lane: Option<u32>,
    queued: Option<f64>,
    started: Option<f64>,
    first_byte: Option<f64>,
    finished: Option<f64>,
    delivered: Option<f64>,
    bytes: u64,
    attempts: u32,
    outcome: Option<&'static str>,
    result: Option<Cow<'a, str>>,
    error_kind: Option<Kind>,
    error_message: Option<Cow<'a, str>>,
    path: Option<String>,
    round: u32,
    warmup: bool,
}

/// Whether what begins like that is a report in CSV.
pub(super) fn is_report(beginning: &[u8]) -> bool {
    beginning.starts_with(HEADER.join(",").as_bytes())
}

pub(super) fn write(race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(HEADER)?;
    for (i, run) in race.runs().iter().enumerate() {
        let label = cell(&run.plan().label);
        for task in 0..run.tasks().len() {
            if let Some(row) = row(race, i, run, task, &label) {
                writer.serialize(row)?;
            }
        }
    }
    writer.flush()
}

fn row<'a>(
    race: &'a RaceState,
    run: usize,
    state: &'a RunState,
    at: usize,
    label: &'a str,
) -> Option<Row<'a>> {
    let (task, plan) = (state.tasks().get(at)?, race.plan().tasks.get(at)?);
    let (round, warmup) = rows::round(state.plan().round);
    Some(Row {
        run: label,
        executor: state.plan().executor.clone(),
        workers: state.plan().workers,
        order: race.plan().order,
        task: at,
        name: cell(&plan.name),
        url: cell(plan.url.as_deref().unwrap_or_default()),
        lane: task.lane.map(|lane| lane.0),
        queued: task.queued.map(At::seconds),
        started: task.started.map(At::seconds),
        first_byte: task.first_byte.map(At::seconds),
        finished: task.finished.map(At::seconds),
        delivered: task.delivered.map(At::seconds),
        bytes: task.bytes,
        attempts: task.attempts,
        outcome: rows::outcome(task),
        result: task.result.as_deref().map(cell),
        error_kind: rows::kind(task),
        error_message: task.error_message().map(cell),
        path: rows::path(race, run, at).map(|path| cell(&path).into_owned()),
        round,
        warmup,
    })
}

/// Foreign text as a cell that a spreadsheet shows and never runs: one that begins like a formula gets an
/// apostrophe in front.
///
/// Source: OWASP, "CSV Injection".
pub(super) fn cell(text: &str) -> Cow<'_, str> {
    let safe = shown(text);
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if safe.starts_with(formula) || text.starts_with(formula) { Cow::Owned(format!("'{safe}")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        for start in ['+', '-', '@', '\t', '\r'] {
            assert!(cell(&format!("{start}1")).starts_with('\''));
        }
        assert_eq!(cell("picture-01.jpg"), "picture-01.jpg");
        assert_eq!(cell("a=b"), "a=b");
    }
}
