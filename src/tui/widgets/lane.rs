//! A lane as a row of cells.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::{At, TaskId};
use crate::model::{Lane, Steps};
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
    /// When its run started.
    pub start: At,
    /// The moment up to which something is known.
    pub until: At,
    /// How things look.
    pub theme: &'a Theme,
}

impl LaneRow<'_> {
    /// Paints the lane. A cell shows the phase that took most of its time, and is idle only when nothing
    /// happened in it.
    pub fn paint(&self, canvas: &mut Canvas<'_>, y: u16) {
        for x in self.axis.columns() {
            let (from, to) = self.axis.cell(x, self.start);
            if from >= self.until {
                break;
            }
            match self.lane.mix(from, to, self.until).most() {
                Some(phase) => canvas.glyph(x, y, self.theme.phase_glyph(phase), self.theme.phase(phase)),
                None => canvas.glyph(x, y, '·', self.theme.idle()),
            }
        }
    }

    /// Writes each task's number at the start of its stretch, where there is room for it.
    pub fn paint_numbers(&self, canvas: &mut Canvas<'_>, y: u16) {
        let window = self.axis.window();
        let (from, to) = (self.start.plus(window.from), self.start.plus(window.to()).min(self.until));
        let spans = self.lane.spans_between(from, to);
        if spans.len() > self.axis.columns().len() * 4 {
            return;
        }
        let open =
            self.lane.open().filter(|open| open.from < to).map(|open| (open.task, open.from, self.until));
        let ended = spans.iter().map(|span| (span.task, span.from, span.to));
        let mut stretch: Option<(TaskId, At, At)> = None;
        for (task, begins, ends) in ended.chain(open) {
            stretch = match stretch {
                Some((same, first, _)) if same == task => Some((task, first, ends)),
                other => {
                    if let Some(whole) = other {
                        self.paint_number(canvas, y, whole);
                    }
                    Some((task, begins, ends))
                }
            };
        }
        if let Some(whole) = stretch {
            self.paint_number(canvas, y, whole);
        }
    }

    fn paint_number(&self, canvas: &mut Canvas<'_>, y: u16, (task, begins, ends): (TaskId, At, At)) {
        let (axis, start) = (self.axis, self.start);
        let first = axis.column(begins.since(start).max(axis.window().from));
        let last = axis.column(ends.since(start)).unwrap_or(axis.columns().end);
        let label = (task.0 + 1).to_string();
        let Some(mut first) = first else { return };
        // A cell whose larger part belongs to the task before keeps that task's look.
        let (from, to) = axis.cell(first, start);
        if begins.0 > from.0.midpoint(to.0) {
            first += 1;
        }
        if usize::from(last.saturating_sub(first)) < label.len() + 1 {
            return;
        }
        let (from, to) = axis.cell(first, start);
        let Some(phase) = self.lane.mix(from, to, self.until).most() else { return };
        for (column, glyph) in (first..).zip(label.chars()) {
            canvas.glyph(column, y, glyph, self.theme.label_on_lane(phase));
        }
    }
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
