//! A lane as a row of cells.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::event::{At, Phase, TaskId};
use crate::model::{Lane, Mix, RunState, RunStatus, Stage, Steps};
use crate::tui::canvas::Canvas;
use crate::tui::theme::{Mark, Theme, level_glyph, turns_glyph};

use super::axis::Axis;

/// A lane of a run, laid over an axis.
#[derive(Clone, Copy)]
pub struct LaneRow<'a> {
    /// The axis.
    pub axis: &'a Axis,
    /// The lane's run.
    pub run: &'a RunState,
    /// The lane.
    pub lane: &'a Lane,
    /// When its run started.
    pub start: At,
    /// The moment up to which something is known.
    pub until: At,
    /// How things look.
    pub theme: &'a Theme,
}

/// A task's result on its way to the main thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The task.
    pub task: TaskId,
    /// The column in which the task ended; the first one when that was earlier.
    pub from: u16,
    /// The column of the moment at which the result was handed over; none while it waits, or when that lies
    /// beyond the axis.
    pub mark: Option<u16>,
}

/// A lane with more spans than this in the window has only its cells painted, in the interest of a frame's
/// cost. A lane that waits for a lock has many spans of few tasks.
const SPANS_WALKED: usize = 5_000;

impl LaneRow<'_> {
    /// Paints the lane on each of the rows. A cell shows the phase that took most of its time, and is idle
    /// only when nothing happened in it; computing and waiting for a lock by turns share it.
    pub fn paint(&self, canvas: &mut Canvas<'_>, rows: std::ops::Range<u16>) {
        let mixes = self.lane.mixes(self.axis.edges(self.start), self.until);
        let known = mixes.take_while(|(from, _)| *from < self.until);
        for (x, (_, mix)) in self.axis.columns().zip(known) {
            let (glyph, style) = match (turns(&mix), mix.most()) {
                (Some(computing), _) => (turns_glyph(computing), self.theme.mark(Mark::Turns)),
                (None, Some(phase)) => (self.theme.phase_glyph(phase), self.theme.phase(phase)),
                (None, None) => ('·', self.theme.idle()),
            };
            for y in rows.clone() {
                canvas.glyph(x, y, glyph, style);
            }
        }
    }

    /// Writes each task's number at the start of its stretch, unless most of them have no room; and marks
    /// what became of tasks that did not end well, of their results, and of the worker.
    pub fn paint_tasks(&self, canvas: &mut Canvas<'_>, y: u16) {
        let window = self.axis.window();
        let (from, to) = (self.start.plus(window.from), self.start.plus(window.to()).min(self.until));
        let (spans, columns) = (self.lane.spans_between(from, to), self.axis.columns().len());
        let few_tasks = self.lane.tasks() as usize <= columns && spans.len() <= SPANS_WALKED;
        if spans.len() > columns * 4 && !few_tasks {
            return;
        }
        let open =
            self.lane.open().filter(|open| open.from < to).map(|open| (open.task, open.from, self.until));
        let mut stretches: Vec<Stretch> = Vec::new();
        for (task, begins, ends) in spans.iter().map(|span| (span.task, span.from, span.to)).chain(open) {
            match stretches.last_mut().filter(|last| last.task == task) {
                Some(last) => last.ends = ends,
                None => stretches.push(Stretch { task, begins, ends }),
            }
        }
        let deliveries = self.deliveries();
        for delivery in &deliveries {
            self.paint_hold(canvas, y, delivery);
        }
        let nexts = stretches.iter().skip(1).map(|next| Some(next.begins)).chain([None]);
        let broken: Vec<(u16, char, Style)> = stretches
            .iter()
            .zip(nexts)
            .filter_map(|(stretch, next)| self.broken_off(stretch, next))
            .collect();
        let places: Vec<Option<u16>> =
            stretches.iter().map(|stretch| self.place_of(stretch, &broken)).collect();
        let fitting = places.iter().filter(|place| place.is_some()).count();
        for (stretch, place) in stretches.iter().zip(places) {
            if let Some(place) = place.filter(|_| fitting * 2 > stretches.len()) {
                self.paint_number(canvas, y, place, stretch.task);
            }
        }
        for column in deliveries.iter().filter_map(|delivery| delivery.mark) {
            canvas.glyph(column, y, Mark::Delivered.glyph(), self.theme.mark(Mark::Delivered));
        }
        for (x, glyph, style) in broken {
            canvas.glyph(x, y, glyph, style);
        }
        for (at, _) in self.lane.workers().iter().skip(1) {
            if let Some(x) = self.axis.column(at.since(self.start)) {
                canvas.glyph(x, y, Mark::Replaced.glyph(), self.theme.mark(Mark::Replaced));
            }
        }
    }

    /// The results of this lane's tasks that were handed over, or wait for it, in the time that is shown;
    /// empty where they are too many to be told apart.
    pub fn deliveries(&self) -> Vec<Delivery> {
        if !self.run.takes_results() {
            return Vec::new();
        }
        let window = self.axis.window();
        let (from, to) = (self.start.plus(window.from), self.start.plus(window.to()));
        let columns = self.axis.columns();
        let (told, most) = (self.lane.deliveries_from(from), columns.len() / 4);
        if told.get(most).is_some_and(|(at, _)| *at < to) {
            return Vec::new();
        }
        let under_way = matches!(self.run.status(), RunStatus::Running { .. });
        let spans = self.lane.spans_between(from, to);
        let recent = spans.iter().skip(spans.len().saturating_sub(columns.len())).filter(|_| under_way);
        let mut waiting: Vec<TaskId> = recent.map(|span| span.task).collect();
        waiting.dedup();
        waiting.retain(|task| {
            let state = self.run.tasks().get(task.index());
            state.is_some_and(|state| state.stage == Stage::Done && state.delivered.is_none())
        });
        let told = told.iter().take(most).map(|&(at, task)| (task, Some(at)));
        let place = |(task, at): (TaskId, Option<At>)| {
            let ended = self.run.tasks().get(task.index())?.finished?;
            let cell = if ended <= from { columns.start } else { self.last_column(ended)? };
            // A cell whose larger part comes after the end has the number of the next task.
            let (begins, ends) = self.axis.cell(cell, self.start);
            let early = ended.0 < begins.0.midpoint(ends.0) && cell > columns.start;
            let from = cell - u16::from(early);
            // What is handed over at once belongs to the end of its own task, not to the start of the next.
            let mark = at.and_then(|at| self.last_column(at));
            let mark = mark.map(|mark| if mark <= cell + 1 { from } else { mark });
            Some(Delivery { task, from, mark })
        };
        told.chain(waiting.into_iter().map(|task| (task, None))).filter_map(place).collect()
    }

    /// Whether that column is the last of what ended at a moment.
    pub fn ends_in(&self, at: At, column: u16) -> bool {
        self.last_column(at) == Some(column)
    }

    /// The column that ends at a moment.
    fn last_column(&self, at: At) -> Option<u16> {
        self.axis.column(At(at.0.saturating_sub(1)).since(self.start))
    }

    /// A thin line below the time in which a result waits for its turn; what the worker does then stays seen.
    fn paint_hold(&self, canvas: &mut Canvas<'_>, y: u16, delivery: &Delivery) {
        let end = delivery.mark.unwrap_or(self.axis.columns().end);
        for x in delivery.from + 1..end {
            let (from, to) = self.axis.cell(x, self.start);
            if from >= self.until {
                break;
            }
            let held = Mark::Held.glyph();
            match self.lane.mix(from, to, self.until).most() {
                None => canvas.glyph(x, y, held, self.theme.mark(Mark::Held)),
                // A full block leaves no room for a line below it.
                Some(phase @ Phase::Receiving) => canvas.glyph(x, y, held, self.theme.label_on_lane(phase)),
                Some(_) => {
                    let cell = Rect { x, y, width: 1, height: 1 };
                    canvas.style(cell, Style::new().add_modifier(Modifier::UNDERLINED));
                }
            }
        }
    }

    /// The mark of a task that did not end well, in the last cell that shows the task.
    fn broken_off(&self, stretch: &Stretch, next: Option<At>) -> Option<(u16, char, Style)> {
        let stage = self.run.tasks().get(stretch.task.index())?.stage;
        let (glyph, style) = match stage {
            Stage::Failed | Stage::Panicked => ('✗', self.theme.failure()),
            Stage::Abandoned => (Mark::Abandoned.glyph(), self.theme.mark(Mark::Abandoned)),
            _ => return None,
        };
        let last = self.last_column(stretch.ends)?;
        // A cell whose larger part belongs to the next task shows that one.
        let (from, to) = self.axis.cell(last, self.start);
        let taken = next.is_some_and(|next| next.0 < from.0.midpoint(to.0));
        let early = taken && stretch.begins < from;
        let x = if early { last.saturating_sub(1).max(self.axis.columns().start) } else { last };
        Some((x, glyph, style))
    }

    /// Where a task's number goes, when there is room for it beside the marks of others, which are in the
    /// order of their columns.
    fn place_of(&self, stretch: &Stretch, marks: &[(u16, char, Style)]) -> Option<u16> {
        let (axis, start) = (self.axis, self.start);
        let mut first = axis.column(stretch.begins.since(start).max(axis.window().from))?;
        let last = axis.column(stretch.ends.since(start)).unwrap_or(axis.columns().end);
        // A cell whose larger part belongs to the task before keeps that task's look.
        let (from, to) = axis.cell(first, start);
        if stretch.begins.0 > from.0.midpoint(to.0) {
            first += 1;
        }
        let digits = (stretch.task.0 + 1).to_string().len();
        let next = marks.get(marks.partition_point(|(x, ..)| *x < first));
        let free = next.is_none_or(|(x, ..)| usize::from(*x) >= usize::from(first) + digits);
        (free && usize::from(last.saturating_sub(first)) > digits).then_some(first)
    }

    fn paint_number(&self, canvas: &mut Canvas<'_>, y: u16, first: u16, task: TaskId) {
        let (from, to) = self.axis.cell(first, self.start);
        let Some(phase) = self.lane.mix(from, to, self.until).most() else { return };
        for (column, glyph) in (first..).zip((task.0 + 1).to_string().chars()) {
            canvas.glyph(column, y, glyph, self.theme.label_on_lane(phase));
        }
    }
}

/// The share of a cell's time that it computes, where it does little else than to compute and to wait for a
/// lock by turns; none where one of the two takes nearly all of it.
fn turns(mix: &Mix) -> Option<f64> {
    let (computing, locked) = (mix.of(Phase::Computing), mix.of(Phase::Locked));
    let both = computing + locked;
    let share = computing as f64 / both.max(1) as f64;
    (both * 2 > mix.busy() && (0.1..=0.9).contains(&share)).then_some(share)
}

/// One task on a lane, from its first phase to its last.
struct Stretch {
    task: TaskId,
    begins: At,
    ends: At,
}

/// Paints how much of `most` there was over time, as blocks of that height.
pub fn density(
    canvas: &mut Canvas<'_>,
    axis: &Axis,
    area: Rect,
    steps: &Steps,
    (start, until): (At, At),
    most: u32,
    style: Style,
) {
    for x in axis.columns() {
        let (from, to) = axis.cell(x, start);
        if from >= until {
            break;
        }
        let share = steps.mean(from, to.min(until)) / f64::from(most.max(1));
        for row in 0..area.height {
            let rows_below = f64::from(area.height - 1 - row);
            let level = (share * f64::from(area.height) - rows_below).clamp(0.0, 1.0);
            canvas.glyph(x, area.y + row, level_glyph(level), style);
        }
    }
}
