//! A lane as a row of cells.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::{At, TaskId};
use crate::model::{Lane, Stage, Steps, TaskState};
use crate::tui::canvas::Canvas;
use crate::tui::theme::{Theme, level_glyph};

use super::axis::Axis;

/// A lane of a run, laid over an axis.
#[derive(Clone, Copy)]
pub struct LaneRow<'a> {
    /// The axis.
    pub axis: &'a Axis,
    /// The lane.
    pub lane: &'a Lane,
    /// The tasks of its run, in id order.
    pub tasks: &'a [TaskState],
    /// When its run started.
    pub start: At,
    /// The moment up to which something is known.
    pub until: At,
    /// How things look.
    pub theme: &'a Theme,
}

impl LaneRow<'_> {
    /// Paints the lane on each of the rows. A cell shows the phase that took most of its time, and is idle only when nothing
    /// happened in it.
    pub fn paint(&self, canvas: &mut Canvas<'_>, rows: std::ops::Range<u16>) {
        for x in self.axis.columns() {
            let (from, to) = self.axis.cell(x, self.start);
            if from >= self.until {
                break;
            }
            let (glyph, style) = match self.lane.mix(from, to, self.until).most() {
                Some(phase) => (self.theme.phase_glyph(phase), self.theme.phase(phase)),
                None => ('·', self.theme.idle()),
            };
            for y in rows.clone() {
                canvas.glyph(x, y, glyph, style);
            }
        }
    }

    /// Writes each task's number at the start of its stretch, unless most of them have no room; and marks
    /// the end of each task that failed.
    pub fn paint_tasks(&self, canvas: &mut Canvas<'_>, y: u16) {
        let window = self.axis.window();
        let (from, to) = (self.start.plus(window.from), self.start.plus(window.to()).min(self.until));
        let spans = self.lane.spans_between(from, to);
        if spans.len() > self.axis.columns().len() * 4 {
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
        let places: Vec<Option<u16>> = stretches.iter().map(|stretch| self.place_of(stretch)).collect();
        let fitting = places.iter().filter(|place| place.is_some()).count();
        for (stretch, place) in stretches.iter().zip(places) {
            if let Some(place) = place.filter(|_| fitting * 2 > stretches.len()) {
                self.paint_number(canvas, y, place, stretch.task);
            }
        }
        for stretch in &stretches {
            let stage = self.tasks.get(stretch.task.index()).map(|state| state.stage);
            let last = At(stretch.ends.0.saturating_sub(1)).since(self.start);
            if let (Some(Stage::Failed | Stage::Panicked), Some(x)) = (stage, self.axis.column(last)) {
                canvas.glyph(x, y, '✗', self.theme.failure());
            }
        }
    }

    /// Where a task's number goes, when there is room for it.
    fn place_of(&self, stretch: &Stretch) -> Option<u16> {
        let (axis, start) = (self.axis, self.start);
        let mut first = axis.column(stretch.begins.since(start).max(axis.window().from))?;
        let last = axis.column(stretch.ends.since(start)).unwrap_or(axis.columns().end);
        // A cell whose larger part belongs to the task before keeps that task's look.
        let (from, to) = axis.cell(first, start);
        if stretch.begins.0 > from.0.midpoint(to.0) {
            first += 1;
        }
        let digits = (stretch.task.0 + 1).to_string().len();
        (usize::from(last.saturating_sub(first)) > digits).then_some(first)
    }

    fn paint_number(&self, canvas: &mut Canvas<'_>, y: u16, first: u16, task: TaskId) {
        let (from, to) = self.axis.cell(first, self.start);
        let Some(phase) = self.lane.mix(from, to, self.until).most() else { return };
        for (column, glyph) in (first..).zip((task.0 + 1).to_string().chars()) {
            canvas.glyph(column, y, glyph, self.theme.label_on_lane(phase));
        }
    }
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
