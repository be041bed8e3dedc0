//! The page *Tasks*: the selected run's tasks as a table that can be sorted and filtered.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::TaskId;
use crate::model::{RaceState, RunState, Span, TaskState};
use crate::report::words;
use crate::tui::canvas::{Canvas, cut_bottom, cut_top};
use crate::tui::ui::{Column, Direction, received, to_first_byte, took};
use crate::tui::widgets::Axis;

use super::Scene;

/// How many rows of tasks a page of that size has room for.
pub fn table_rows(page: Rect) -> usize {
    usize::from(page.height.saturating_sub(3))
}

/// Whether a run has failures to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failures {
    None,
    Some,
}

/// The columns that fit and say something of the run, each with its left edge and its width.
fn layout(area: Rect, race: &RaceState, run: &RunState, failures: Failures) -> Vec<(Column, u16, u16)> {
    let wide = area.width >= 110;
    let fixed = |column| match column {
        Column::Number => 7,
        Column::Name | Column::Error => 0,
        Column::Lane => 5,
        Column::State => 12,
        Column::Attempts => 6,
        Column::Delivered => 9,
        Column::Bytes | Column::Queued | Column::FirstByte | Column::Took | Column::Received => {
            if wide {
                10
            } else {
                8
            }
        }
    };
    let mut columns = Column::telling(race, run);
    if failures == Failures::Some {
        // Why something failed is what people look for; it gets the room of what they can do without.
        columns.retain(|column| !matches!(column, Column::Lane | Column::Queued | Column::Received));
    }
    let needs = |columns: &[Column]| columns.iter().map(|&column| fixed(column) + 1).sum::<u16>() + 30;
    let spared = [
        Column::Queued,
        Column::Attempts,
        Column::Lane,
        Column::Received,
        Column::FirstByte,
        Column::Took,
        Column::Bytes,
    ];
    for spare in spared {
        if needs(&columns) > area.width {
            columns.retain(|&column| column != spare);
        }
    }
    let taken: u16 = columns.iter().map(|&column| fixed(column) + u16::from(fixed(column) > 0)).sum();
    let free = area.width.saturating_sub(taken + 3);
    let name = (free / 2).clamp(8, 24).min(free);
    let mut x = area.x + 1;
    let mut placed = Vec::with_capacity(columns.len());
    for column in columns {
        let width = match column {
            Column::Name => name,
            Column::Error => free.saturating_sub(name),
            other => fixed(other),
        };
        placed.push((column, x, width));
        x = x.saturating_add(width + 1);
    }
    placed
}

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let (theme, area) = (scene.theme, canvas.area());
    let id = scene.ui.run_of(race);
    let Some(run) = race.runs().get(id.index()) else { return };
    let (title, rest) = cut_top(area, 1);
    let table = &scene.ui.table;
    let order = match table.direction {
        Direction::Ascending => "↑",
        Direction::Descending => "↓",
    };
    let shown = if table.order.len() == run.tasks().len() {
        words::count(run.tasks().len() as u64)
    } else {
        format!("{} of {}", words::count(table.order.len() as u64), words::count(run.tasks().len() as u64))
    };
    let mut words =
        format!("{}: {shown} {}, by {} {order}", run.plan().name(), race.plan().noun, table.sort.name());
    if !table.filter.is_empty() {
        words.push_str(&format!(", with “{}”", table.filter));
    }
    canvas.part(title).rule(title.y, &words, '─', theme.rule, theme.strong);
    let (row, rest) = cut_top(rest, 1);
    let failures =
        if run.counts().failed + run.counts().panicked > 0 { Failures::Some } else { Failures::None };
    let columns = layout(area, race, run, failures);
    for &(column, x, width) in &columns {
        let style = if column == table.sort { theme.strong } else { theme.dim };
        if is_number(column) {
            canvas.text_right(x + width, row.y, width, column.name(), style);
        } else {
            canvas.text(x, row.y, width, column.name(), style);
        }
    }
    let (rows, foot) = cut_bottom(rest, 1);
    if table.order.is_empty() {
        let words =
            format!("no task has “{}” in its name, state or error; Esc drops the filter", table.filter);
        canvas.text(rows.x + 2, rows.y + 1, rows.width, &words, theme.dim);
    }
    let room = table_rows(area);
    let top = table.top.min(table.order.len().saturating_sub(room));
    for (place, y) in (top..table.order.len().min(top + room)).zip(rows.y..rows.bottom()) {
        let Some(&task) = table.order.get(place) else { break };
        let row = Rect { y, height: 1, ..rows };
        draw_row(canvas, row, &columns, scene, (race, run), task);
        if place == table.selected {
            canvas.style(row, theme.selected);
            canvas.glyph(row.x, y, '▸', theme.strong.patch(theme.selected));
        }
    }
    let below = table.order.len().saturating_sub(top + room);
    if top + below > 0 {
        let words = more(top, below);
        canvas.text(foot.x + 1, foot.y, foot.width, &words, theme.dim);
    }
}

/// How many rows of a list are above and below those that are shown.
pub(super) fn more(above: usize, below: usize) -> String {
    let (up, down) = (words::count(above as u64), words::count(below as u64));
    match (above, below) {
        (0, _) => format!("+{down} more below"),
        (_, 0) => format!("+{up} more above"),
        _ => format!("+{up} above, +{down} below"),
    }
}

fn is_number(column: Column) -> bool {
    !matches!(column, Column::Name | Column::State | Column::Error)
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    row: Rect,
    columns: &[(Column, u16, u16)],
    scene: &Scene<'_>,
    (race, run): (&RaceState, &RunState),
    task: TaskId,
) {
    let theme = scene.theme;
    let Some(state) = run.tasks().get(task.index()) else { return };
    for &(column, x, width) in columns {
        if column == Column::Error && state.error_message().is_none() {
            life(canvas, Rect { x, width, ..row }, scene, (race, run), task);
            continue;
        }
        let (words, style) = cell(column, scene, (race, run), state, task);
        let style: Style = style.unwrap_or(theme.base);
        if is_number(column) {
            canvas.text_right(x + width, row.y, width, &words, style);
        } else {
            canvas.text(x, row.y, width, &words, style);
        }
    }
}

/// A task's phases on the run's own axis, from when it was queued.
fn life(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    (race, run): (&RaceState, &RunState),
    task: TaskId,
) {
    let theme = scene.theme;
    let (Some(start), Some(until)) = (run.started(), run.until(scene.now)) else { return };
    let Some(state) = run.tasks().get(task.index()) else { return };
    let time = Axis::new(scene.window_of(race, scene.ui.run_of(race)), area);
    let spans = run.spans_of(task, until);
    let (queued, taken) = (state.queued.unwrap_or(start), state.started.or(state.finished).unwrap_or(until));
    for x in time.columns() {
        let (from, to) = time.cell(x, start);
        let overlap = |span: &&Span| span.to.min(to).since(span.from.max(from));
        match spans.iter().max_by_key(overlap).filter(|span| !overlap(span).is_zero()) {
            Some(span) => canvas.glyph(x, area.y, theme.phase_glyph(span.phase), theme.phase(span.phase)),
            None if to > queued && from < taken => canvas.glyph(x, area.y, '·', theme.dim),
            None => {}
        }
    }
}

fn cell(
    column: Column,
    scene: &Scene<'_>,
    (race, run): (&RaceState, &RunState),
    state: &TaskState,
    task: TaskId,
) -> (String, Option<Style>) {
    let (theme, now) = (scene.theme, scene.now);
    let time = |time: Option<Duration>| time.map_or("–".to_owned(), words::seconds);
    match column {
        Column::Number => ((task.0 + 1).to_string(), Some(theme.dim)),
        Column::Name => {
            (race.plan().tasks.get(task.index()).map_or(String::new(), |task| task.name.clone()), None)
        }
        Column::Lane => (state.lane.map_or("–".to_owned(), |lane| (lane.0 + 1).to_string()), Some(theme.dim)),
        Column::State => {
            (state.stage.called_in(race.plan().workload).to_owned(), Some(theme.stage(state.stage)))
        }
        Column::Bytes if state.bytes == 0 && !state.stage.is_over() => ("–".to_owned(), Some(theme.dim)),
        Column::Bytes => (words::bytes(state.bytes), None),
        Column::Queued => (time(state.queue_time(now)), None),
        Column::FirstByte => (time(to_first_byte(state, now)), None),
        Column::Took => (time(took(state, now)), None),
        Column::Received => (time(received(state, now)), None),
        Column::Delivered => (time(state.delivered.and_then(|at| Some(at.since(run.started()?)))), None),
        Column::Attempts => {
            (state.attempts.to_string(), Some(if state.attempts > 1 { theme.warn } else { theme.dim }))
        }
        Column::Error => (state.error_message().unwrap_or("").to_owned(), Some(theme.bad)),
    }
}
