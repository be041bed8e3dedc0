//! A lane as a row of cells.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::{At, TaskId};
use crate::model::{Lane, Steps};
use crate::tui::canvas::Canvas;
use crate::tui::theme::{Theme, level_glyph};

use super::axis::Axis;

/// Paints a lane of a run that started at `start`. A cell shows the phase that took most of its time, and
/// is idle only when nothing happened in it; a task's first cell has a mark when the one before belongs
/// to another task.
pub fn lane(
    canvas: &mut Canvas<'_>,
    axis: &Axis,
    y: u16,
    lane: &Lane,
    (start, now): (At, At),
    theme: &Theme,
) {
    for x in axis.columns() {
        let (from, to) = axis.cell(x, start);
        if from >= now {
            break;
        }
        match lane.mix(from, to, now).most() {
            Some(phase) => canvas.glyph(x, y, theme.phase_glyph(phase), theme.phase(phase)),
            None => canvas.glyph(x, y, '·', theme.idle()),
        }
    }
}

/// Writes each task's number at the start of its stretch, where there is room for it.
pub fn task_numbers(
    canvas: &mut Canvas<'_>,
    axis: &Axis,
    y: u16,
    lane: &Lane,
    (start, now): (At, At),
    theme: &Theme,
) {
    let window = axis.window();
    let (from, to) = (start.plus(window.from), start.plus(window.to()).min(now));
    let spans = lane.spans_between(from, to);
    if spans.len() > axis.columns().len() * 4 {
        return;
    }
    let open = lane.open().filter(|open| open.from < to).map(|open| (open.task, open.from, now));
    let ended = spans.iter().map(|span| (span.task, span.from, span.to));
    let mut stretch: Option<(TaskId, At, At)> = None;
    for (task, begins, ends) in ended.chain(open) {
        stretch = match stretch {
            Some((same, first, _)) if same == task => Some((task, first, ends)),
            other => {
                if let Some(whole) = other {
                    number(canvas, axis, y, lane, (start, now), theme, whole);
                }
                Some((task, begins, ends))
            }
        };
    }
    if let Some(whole) = stretch {
        number(canvas, axis, y, lane, (start, now), theme, whole);
    }
}

fn number(
    canvas: &mut Canvas<'_>,
    axis: &Axis,
    y: u16,
    lane: &Lane,
    (start, now): (At, At),
    theme: &Theme,
    (task, begins, ends): (TaskId, At, At),
) {
    let window = axis.window();
    let first = axis.column(begins.since(start).max(window.from));
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
    let Some(phase) = lane.mix(from, to, now).most() else { return };
    for (column, glyph) in (first..).zip(label.chars()) {
        canvas.glyph(column, y, glyph, theme.label_on_lane(phase));
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
