//! What a timeline shows of a race: a bounded number of rows, each exact or, where there are more spans than
//! there is room for, as shares of time.

use std::ops::Range;
use std::time::Duration;

use crate::event::{At, Phase, TaskId};
use crate::model::{Lane, RaceState, RunState, Span, Stage};
use crate::report::summary::{RunSummary, Summary};

const PHASES: usize = Phase::ALL.len();

/// The most runs that are drawn.
const RUNS: usize = 24;

/// A run with more lanes than this has rows of several lanes, of which there are then at most [`GROUPS`].
const SINGLE: usize = 64;
const GROUPS: usize = 32;

/// About as many spans are drawn one by one in all rows together, and as many columns of shares.
const SPANS: usize = 16_000;
const COLUMNS: usize = 16_000;

/// The lanes of a race's runs, each from its own start.
pub(in crate::report) struct Timeline<'a> {
    /// How long the longest run is, and at least a microsecond: the length of the axis.
    pub(in crate::report) long: Duration,
    pub(in crate::report) blocks: Vec<Block<'a>>,
    /// Runs that are not drawn, for there are too many.
    pub(in crate::report) left_out: usize,
    /// The phases that occur, in the order of legends.
    pub(in crate::report) phases: Vec<Phase>,
    /// The place and the wall time of the run that the others are measured against.
    pub(in crate::report) measure: Option<usize>,
    pub(in crate::report) baseline: Option<Duration>,
    /// How many columns the whole axis has in [`Block::strip`].
    pub(in crate::report) strip_columns: usize,
    /// The most tasks that any run had in progress at once: what fills a strip's height, in every run.
    pub(in crate::report) most: u32,
}

/// One run.
pub(in crate::report) struct Block<'a> {
    /// Its place among all runs.
    pub(in crate::report) place: usize,
    pub(in crate::report) run: &'a RunState,
    pub(in crate::report) figures: &'a RunSummary,
    /// When it was given its tasks; zero when its turn has not come.
    pub(in crate::report) start: At,
    /// How long something is known of it.
    pub(in crate::report) long: Duration,
    pub(in crate::report) rows: Vec<Row>,
    /// How many tasks were in progress on average, as a share of [`Timeline::most`], in columns of equal length
    /// over the whole axis; up to its end.
    pub(in crate::report) strip: Vec<f64>,
    /// Marks that have no room.
    pub(in crate::report) unmarked: usize,
}

/// One lane or several.
pub(in crate::report) struct Row {
    pub(in crate::report) lanes: Range<usize>,
    pub(in crate::report) drawn: Drawn,
    /// In the order of time.
    pub(in crate::report) marks: Vec<Mark>,
}

/// How a row is drawn.
pub(in crate::report) enum Drawn {
    /// Every span, in the order of time.
    Spans(Vec<Span>),
    /// In columns of equal length over the whole axis, up to the run's end: the share of the lanes' time that
    /// each phase took. Together at most 1, and the rest is idle.
    Shares {
        /// How many columns the whole axis has.
        of: usize,
        columns: Vec<[f64; PHASES]>,
    },
}

/// Something at one moment of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Mark {
    /// From the run's start.
    pub(in crate::report) at: Duration,
    pub(in crate::report) sign: Sign,
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Sign {
    /// The task failed or panicked.
    Failed(TaskId),
    /// The task was cut off when the main thread ended.
    Abandoned(TaskId),
    /// The worker was lost, and another took its place.
    Replaced,
    /// The task's result was handed to the main thread; it was there since that moment.
    Delivered(TaskId, Duration),
}

impl Sign {
    /// What legends call it.
    pub(in crate::report) fn name(self) -> &'static str {
        match self {
            Sign::Failed(_) => "failed",
            Sign::Abandoned(_) => "abandoned",
            Sign::Replaced => "worker replaced",
            Sign::Delivered(..) => "result taken (underlined: it waits)",
        }
    }

    /// The task that it is about.
    pub(in crate::report) fn task(self) -> Option<TaskId> {
        match self {
            Sign::Failed(task) | Sign::Abandoned(task) | Sign::Delivered(task, _) => Some(task),
            Sign::Replaced => None,
        }
    }
}

impl<'a> Timeline<'a> {
    /// The timeline of a race as of `now`, for a plot of so many pixels.
    pub(in crate::report) fn of(
        race: &'a RaceState,
        summary: &'a Summary,
        now: At,
        pixels: usize,
    ) -> Timeline<'a> {
        let longest = race.runs().iter().take(RUNS).filter_map(|run| run.elapsed(now)).max();
        let long = longest.unwrap_or_default().max(Duration::from_micros(1));
        let runs: Vec<(&RunState, &RunSummary)> = race.runs().iter().zip(&summary.runs).take(RUNS).collect();
        let groups: Vec<Vec<Range<usize>>> = runs.iter().map(|(run, _)| groups(run.lanes().len())).collect();
        let rows: usize = groups.iter().map(Vec::len).sum();
        let room = (SPANS / rows.max(1)).min(pixels / 2);
        let exact = |run: &RunState, lanes: &Range<usize>| {
            lanes.len() == 1 && run.lanes().get(lanes.start).is_some_and(|lane| lane.spans().len() <= room)
        };
        let shared = runs
            .iter()
            .zip(&groups)
            .map(|((run, _), rows)| rows.iter().filter(|row| !exact(run, row)).count());
        let columns = (COLUMNS / shared.sum::<usize>().max(1)).clamp(16, (pixels / 2).max(16));
        let strip_columns = pixels.clamp(1, 1_000);
        let most = runs.iter().map(|(run, _)| run.in_progress().peak()).max().unwrap_or(0);
        let mut blocks = Vec::with_capacity(runs.len());
        for (place, (&(run, figures), groups)) in runs.iter().zip(&groups).enumerate() {
            let (start, elapsed) = (run.started().unwrap_or_default(), run.elapsed(now).unwrap_or_default());
            let (marks, unmarked) = marks(run, start, groups, pixels / 4);
            let row = |(lanes, marks): (&Range<usize>, Vec<Mark>)| {
                let of = run.lanes().get(lanes.clone()).unwrap_or_default();
                let drawn = match of {
                    [lane] if exact(run, lanes) => Drawn::Spans(spans(lane, start.plus(elapsed))),
                    _ => Drawn::Shares { of: columns, columns: shares(of, (start, elapsed), long, columns) },
                };
                Row { lanes: lanes.clone(), drawn, marks }
            };
            let rows = groups.iter().zip(marks).map(row).collect();
            let strip = strip(run, most, (start, elapsed), long, strip_columns);
            blocks.push(Block { place, run, figures, start, long: elapsed, rows, strip, unmarked });
        }
        let occurs = |phase: &Phase| summary.runs.iter().any(|run| run.phases.of(*phase) > 0);
        Timeline {
            long,
            blocks,
            left_out: race.runs().len().saturating_sub(RUNS),
            phases: Phase::ALL.into_iter().filter(occurs).collect(),
            measure: summary
                .baseline()
                .and_then(|run| summary.runs.iter().position(|r| std::ptr::eq(r, run))),
            baseline: race.baseline().and_then(RunState::wall),
            strip_columns,
            most,
        }
    }

    /// One of each kind of mark that is drawn, in the order of legends.
    pub(in crate::report) fn signs(&self) -> Vec<Sign> {
        let marks = || self.blocks.iter().flat_map(|block| &block.rows).flat_map(|row| &row.marks);
        let kinds = [
            |sign: Sign| matches!(sign, Sign::Failed(_)),
            |sign: Sign| matches!(sign, Sign::Abandoned(_)),
            |sign: Sign| matches!(sign, Sign::Replaced),
            |sign: Sign| matches!(sign, Sign::Delivered(..)),
        ];
        let first = |kind: fn(Sign) -> bool| marks().map(|mark| mark.sign).find(|sign| kind(*sign));
        kinds.into_iter().filter_map(first).collect()
    }

    /// How many lanes the largest row stands for.
    pub(in crate::report) fn lanes_a_row(&self) -> usize {
        let rows = self.blocks.iter().flat_map(|block| &block.rows);
        rows.map(|row| row.lanes.len()).max().unwrap_or(1)
    }

    /// What a reader must know to read the rows, where not every span is drawn by itself; in sentences.
    pub(in crate::report) fn caveats(&self) -> Vec<String> {
        let mut said = Vec::new();
        let mut rows = self.blocks.iter().flat_map(|block| &block.rows);
        if rows.any(|row| matches!(row.drawn, Drawn::Shares { .. })) {
            said.push(
                "Rows with more spans than can be drawn one by one are cut into columns of equal time; in each, \
                 a phase is as high as its share of the lane’s time, and what is left empty was idle."
                    .to_owned(),
            );
        }
        if self.lanes_a_row() > 1 {
            let most = SINGLE;
            said.push(format!(
                "Where a run has more than {most} lanes, a row stands for several, as it says."
            ));
        }
        let unmarked: usize = self.blocks.iter().map(|block| block.unmarked).sum();
        if unmarked > 0 {
            let unmarked = crate::report::words::count(unmarked as u64);
            said.push(format!("{unmarked} marks have no room and are left out."));
        }
        if self.left_out > 0 {
            said.push(format!("{} more runs are not drawn; the results tell of them.", self.left_out));
        }
        said
    }
}

/// Which lanes share a row.
fn groups(lanes: usize) -> Vec<Range<usize>> {
    let size = if lanes <= SINGLE { 1 } else { lanes.div_ceil(GROUPS) };
    (0..lanes).step_by(size).map(|first| first..(first + size).min(lanes)).collect()
}

/// Every span of a lane; the one that goes on ends `until`.
fn spans(lane: &Lane, until: At) -> Vec<Span> {
    let open = lane.open().filter(|open| open.from < until);
    let open = open.map(|open| Span { task: open.task, phase: open.phase, from: open.from, to: until });
    lane.spans().iter().copied().chain(open).collect()
}

/// The share of the lanes' time that each phase took, in each of so many columns of the time `long` from the
/// run's start. One pass over the spans, however long they are.
pub(in crate::report) fn shares(
    lanes: &[Lane],
    (start, elapsed): (At, Duration),
    long: Duration,
    columns: usize,
) -> Vec<[f64; PHASES]> {
    let until = start.plus(elapsed);
    let place = |at: At| at.min(until).since(start).as_secs_f64() / long.as_secs_f64() * columns as f64;
    let used = (place(until).ceil() as usize).min(columns);
    // What a span covers in part, and where those begin and end that cover a column whole.
    let mut part = vec![[0.0; PHASES]; used + 1];
    let mut whole = vec![[0_i64; PHASES]; used + 1];
    let mut add = |phase: Phase, from: At, to: At| {
        let (from, to) = (place(from).min(used as f64), place(to).min(used as f64));
        let (first, last, phase) = (from as usize, to as usize, phase.index());
        if first == last {
            part[first][phase] += to - from;
            return;
        }
        part[first][phase] += (first + 1) as f64 - from;
        part[last][phase] += to - last as f64;
        whole[first + 1][phase] += 1;
        whole[last][phase] -= 1;
    };
    for lane in lanes {
        for span in lane.spans() {
            add(span.phase, span.from, span.to);
        }
        if let Some(open) = lane.open().filter(|open| open.from < until) {
            add(open.phase, open.from, until);
        }
    }
    let mut level = [0_i64; PHASES];
    let lanes = lanes.len().max(1) as f64;
    let column = |(part, whole): (&[f64; PHASES], &[i64; PHASES])| {
        let mut shares = [0.0; PHASES];
        for phase in 0..PHASES {
            level[phase] += whole[phase];
            shares[phase] = ((part[phase] + level[phase] as f64) / lanes).clamp(0.0, 1.0);
        }
        shares
    };
    part.iter().zip(&whole).take(used).map(column).collect()
}

/// How many tasks were in progress on average, as a share of the most at once, in so many columns of the time
/// `long` from the run's start, up to its end.
pub(in crate::report) fn strip(
    run: &RunState,
    most: u32,
    (start, elapsed): (At, Duration),
    long: Duration,
    columns: usize,
) -> Vec<f64> {
    let until = start.plus(elapsed);
    let most = f64::from(most.max(1));
    let moment = |column: usize| start.plus(long.mul_f64(column as f64 / columns as f64));
    let columns = (0..columns).map(|column| (moment(column), moment(column + 1).min(until)));
    let columns = columns.take_while(|(from, _)| *from < until);
    columns.map(|(from, to)| (run.in_progress().mean(from, to) / most).clamp(0.0, 1.0)).collect()
}

/// The marks of each row, and how many have no room: a row has room for `most` of them or for none.
fn marks(run: &RunState, start: At, rows: &[Range<usize>], most: usize) -> (Vec<Vec<Mark>>, usize) {
    let size = rows.first().map_or(1, |row| row.len().max(1));
    let mut marks: Vec<Vec<Mark>> = vec![Vec::new(); rows.len()];
    let mut counts = vec![0_usize; rows.len()];
    let mut add = |lane: usize, at: At, sign: Sign| {
        let row = lane / size;
        let (Some(marks), Some(count)) = (marks.get_mut(row), counts.get_mut(row)) else { return };
        *count += 1;
        if *count <= most {
            marks.push(Mark { at: at.since(start), sign });
        }
    };
    for (id, task) in run.tasks().iter().enumerate() {
        let (Some(lane), Some(finished)) = (task.lane, task.finished) else { continue };
        let id = TaskId::of(id);
        match task.stage {
            Stage::Failed | Stage::Panicked => add(lane.index(), finished, Sign::Failed(id)),
            Stage::Abandoned => add(lane.index(), finished, Sign::Abandoned(id)),
            _ => {}
        }
        if let Some(delivered) = task.delivered.filter(|_| run.takes_results()) {
            add(lane.index(), delivered, Sign::Delivered(id, finished.since(start)));
        }
    }
    for (id, lane) in run.lanes().iter().enumerate() {
        for (at, _) in lane.workers().iter().skip(1) {
            add(id, *at, Sign::Replaced);
        }
    }
    let mut unmarked = 0;
    for (marks, count) in marks.iter_mut().zip(counts) {
        if count > most {
            unmarked += count;
            marks.clear();
        }
        marks.sort_by_key(|mark| mark.at);
    }
    (marks, unmarked)
}

/// One task on a lane, from its first phase to its last.
pub(in crate::report) struct Stretch {
    pub(in crate::report) task: TaskId,
    pub(in crate::report) from: At,
    pub(in crate::report) to: At,
}

/// The tasks of a lane's spans, one after the other.
pub(in crate::report) fn stretches(spans: &[Span]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for span in spans {
        match stretches.last_mut().filter(|last| last.task == span.task) {
            Some(last) => last.to = span.to,
            None => stretches.push(Stretch { task: span.task, from: span.from, to: span.to }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_is_in_one_row() {
        for lanes in [0, 1, 64, 65, 500, 100_000] {
            let rows = groups(lanes);
            assert_eq!(rows.iter().map(Range::len).sum::<usize>(), lanes);
            assert!(rows.len() <= SINGLE);
            assert!(rows.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
