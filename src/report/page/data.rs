//! What the page's script draws from: JSON inside the page, as short as it can be.
//!
//! Moments are whole microseconds from the run's own start.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::event::{At, Phase};
use crate::model::{Lane, RaceState, RunState, Span};
use crate::report::markup::cut;
use crate::report::rows;
use crate::report::timeline::{
    Block, Drawn, Mark, Row, Sign, TILE, Timeline, ghost, lane_words, name, row_height, saved_words, shares,
    strip, texture,
};

use super::gantt::{GAP, STRIP, has_strip};

/// About as many spans are told one by one over all runs.
const SPANS: usize = 16_000;

/// About as many columns of shares are told over all rows, and the most of one row.
const COLUMNS: usize = 16_000;
const FINEST: usize = 600;

/// Columns in which tasks in progress are counted.
const STEPS: usize = 1_000;

/// As many tasks have a name, and over all runs as many have details.
const NAMES: usize = 2_000;
const DETAILS: usize = 4_000;

#[derive(Serialize)]
struct Data<'a> {
    long: u64,
    gap: f64,
    strip: f64,
    /// The most tasks that any run had in progress at once: what fills a strip's height.
    most: u32,
    tile: u32,
    phases: Vec<(&'a str, &'a str, f64)>,
    tasks: Vec<String>,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    name: String,
    /// Which of the runs' colours it has.
    hue: usize,
    long: u64,
    row: f64,
    /// The sequential run's wall time, and how much of it was saved, where the run can be compared.
    base: Option<u64>,
    saved: Option<String>,
    peak: u32,
    rows: Vec<RowData>,
    /// How long it was at which level, in turn; none where there is nothing to count.
    steps: Option<Vec<f64>>,
    tasks: Vec<Details>,
}

#[derive(Serialize)]
struct RowData {
    name: String,
    /// For each span: the time since the end of the one before, its length, its phase and its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<Vec<u64>>,
    /// How many columns the whole run has, and then for equal neighbours: how many, and each phase with its share
    /// in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<(usize, Vec<Vec<u32>>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<(u64, u8, Option<u32>, Option<u64>)>,
}

/// Outcome, bytes, attempts, and the result or the error.
#[derive(Serialize)]
struct Details(&'static str, u64, u32, String);

pub(super) fn write(race: &RaceState, timeline: &Timeline<'_>, out: &mut dyn Write) -> io::Result<()> {
    let runs = timeline.blocks.len().max(1);
    let rows = timeline.blocks.iter().flat_map(|block| &block.rows);
    let rows = rows.filter(|row| matches!(row.drawn, Drawn::Shares { .. })).count();
    let columns = (COLUMNS / rows.max(1)).clamp(16, FINEST);
    let phases = Phase::ALL
        .map(|phase| (phase.called_in(race.plan().workload), texture(phase).path, texture(phase).width));
    let data = Data {
        long: micros(timeline.long),
        gap: GAP,
        strip: STRIP,
        most: timeline.most,
        tile: TILE,
        phases: phases.to_vec(),
        tasks: race.plan().tasks.iter().take(NAMES).map(|task| cut(&task.name, 60)).collect(),
        runs: timeline.blocks.iter().map(|block| run(timeline, block, runs, columns)).collect(),
    };
    serde_json::to_writer(&mut Inert(out), &data).map_err(io::Error::from)
}

fn micros(time: Duration) -> u64 {
    u64::try_from((time.as_nanos() + 500) / 1_000).unwrap_or(u64::MAX)
}

fn run(timeline: &Timeline<'_>, block: &Block<'_>, runs: usize, columns: usize) -> Run {
    let spans: usize = block.run.lanes().iter().map(|lane| lane.spans().len()).sum();
    let exact = spans <= SPANS / runs;
    let baseline = ghost(timeline, block);
    let details = NAMES.min(DETAILS / runs);
    Run {
        name: cut(&name(block), 40),
        hue: block.run.hue().index(),
        long: micros(block.long),
        row: row_height(block),
        base: baseline.map(micros),
        saved: baseline.and_then(|baseline| saved_words(block, baseline)),
        peak: block.figures.peak_concurrency,
        rows: block.rows.iter().map(|row| row_data(block, row, exact, columns)).collect(),
        steps: has_strip(block).then(|| steps(block, exact)),
        tasks: block.run.tasks().iter().take(details).map(task).collect(),
    }
}

fn task(task: &crate::model::TaskState) -> Details {
    let said = task.error_message().or(task.result.as_deref()).unwrap_or_default();
    Details(rows::outcome(task).unwrap_or("not over"), task.bytes, task.attempts, cut(said, 200))
}

fn row_data(block: &Block<'_>, row: &Row, exact: bool, columns: usize) -> RowData {
    let lane = block.run.lanes().get(row.lanes.start).filter(|_| row.lanes.len() == 1 && exact);
    let (spans, shares) = match (&row.drawn, lane) {
        (Drawn::Spans(spans), _) => (Some(flat(spans.iter().copied(), block.start)), None),
        (Drawn::Shares { .. }, Some(lane)) => (Some(flat(all(lane, block), block.start)), None),
        (Drawn::Shares { .. }, None) => {
            let lanes = block.run.lanes().get(row.lanes.clone()).unwrap_or_default();
            let of = shares(lanes, (block.start, block.long), whole(block), columns);
            (None, Some((columns, merged(&of))))
        }
    };
    let marks = row.marks.iter().map(mark).collect();
    RowData { name: lane_words(&row.lanes), spans, shares, marks }
}

/// The run's length, and never none.
fn whole(block: &Block<'_>) -> Duration {
    block.long.max(Duration::from_nanos(1))
}

fn all<'a>(lane: &'a Lane, block: &Block<'_>) -> impl Iterator<Item = Span> + 'a {
    let until = block.start.plus(block.long);
    let open = lane.open().filter(|open| open.from < until);
    let open = open.map(|open| Span { task: open.task, phase: open.phase, from: open.from, to: until });
    lane.spans().iter().copied().chain(open)
}

fn flat(spans: impl Iterator<Item = Span>, start: At) -> Vec<u64> {
    let mut last = 0;
    let mut flat = Vec::new();
    for span in spans {
        let from = micros(span.from.since(start)).max(last);
        let to = micros(span.to.since(start)).max(from);
        flat.extend([from - last, to - from, span.phase.index() as u64, u64::from(span.task.0)]);
        last = to;
    }
    flat
}

fn merged(columns: &[[f64; Phase::ALL.len()]]) -> Vec<Vec<u32>> {
    let mut merged: Vec<Vec<u32>> = Vec::new();
    for column in columns {
        let shares =
            column.iter().enumerate().map(|(phase, share)| (phase as u32, (share * 100.0).round() as u32));
        let shares: Vec<u32> =
            shares.filter(|(_, share)| *share > 0).flat_map(|(phase, share)| [phase, share]).collect();
        match merged.last_mut().filter(|last| last[1..] == shares) {
            Some(last) => last[0] += 1,
            None => merged.push([1].into_iter().chain(shares).collect()),
        }
    }
    merged
}

fn mark(mark: &Mark) -> (u64, u8, Option<u32>, Option<u64>) {
    let (kind, since) = match mark.sign {
        Sign::Failed(_) => (0, None),
        Sign::Abandoned(_) => (1, None),
        Sign::Replaced => (2, None),
        Sign::Delivered(_, since) => (3, Some(micros(since))),
    };
    (micros(mark.at), kind, mark.sign.task().map(|task| task.0), since)
}

/// How many tasks were in progress: at each moment, or on average in columns.
fn steps(block: &Block<'_>, exact: bool) -> Vec<f64> {
    if exact {
        return exact_steps(block.run, block.start, block.long);
    }
    let column = block.long.as_secs_f64() * 1e6 / STEPS as f64;
    let peak = block.figures.peak_concurrency;
    let mut steps: Vec<f64> = Vec::new();
    for share in strip(block.run, peak, (block.start, block.long), whole(block), STEPS) {
        let level = (share * f64::from(peak) * 100.0).round() / 100.0;
        match steps.len() {
            0 => steps.extend([column, level]),
            len if steps[len - 1] == level => steps[len - 2] += column,
            _ => steps.extend([column, level]),
        }
    }
    steps.iter_mut().step_by(2).for_each(|long| *long = (*long * 10.0).round() / 10.0);
    steps
}

fn exact_steps(run: &RunState, start: At, long: Duration) -> Vec<f64> {
    let until = start.plus(long);
    let moment = |at: At| micros(at.min(until).since(start));
    let taken_up = run.tasks().iter().filter_map(|task| Some((moment(task.started?), 1_i64)));
    let ended = run.tasks().iter().filter(|task| task.started.is_some());
    let ended = ended.filter_map(|task| Some((moment(task.finished?), -1_i64)));
    let mut changes: Vec<(u64, i64)> = taken_up.chain(ended).collect();
    changes.sort_unstable();
    let (mut steps, mut last, mut level) = (Vec::new(), 0, 0_i64);
    for (at, change) in changes.into_iter().chain([(micros(long), 0)]) {
        if at > last {
            steps.extend([(at - last) as f64, level.max(0) as f64]);
            last = at;
        }
        level += change;
    }
    steps
}

/// JSON in which nothing can end the element that it stands in, or be taken for markup: those characters are
/// only ever in texts, where their escapes mean the same (RFC 8259, section 7).
struct Inert<'a>(&'a mut dyn Write);

impl Write for Inert<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(place) = rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&')) {
            self.0.write_all(&rest[..place])?;
            write!(self.0, "\\u{:04x}", rest[place])?;
            rest = &rest[place + 1..];
        }
        self.0.write_all(rest)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_the_page_ends_no_element() -> io::Result<()> {
        let mut out = Vec::new();
        serde_json::to_writer(&mut Inert(&mut out), "</script><!-- & é")?;
        let json = String::from_utf8_lossy(&out).into_owned();
        assert_eq!(json, r#""\u003c/script\u003e\u003c!-- \u0026 é""#);
        assert_eq!(serde_json::from_str::<String>(&json)?, "</script><!-- & é");
        Ok(())
    }

    #[test]
    fn equal_columns_are_told_once() {
        let mut column = [0.0; Phase::ALL.len()];
        column[2] = 0.5;
        let idle = [0.0; Phase::ALL.len()];
        assert_eq!(merged(&[column, column, idle]), [vec![2, 2, 50], vec![1]]);
    }
}
