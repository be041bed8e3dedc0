//! The page *Timeline*: the lanes of all runs on one axis, each run from its own start, so that the
//! sequential run is the long one and the others visibly fit inside it.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::event::{At, LaneId, WorkloadKind};
use crate::model::{Mix, RaceState, RunState};
use crate::report::words;
use crate::tui::canvas::{Canvas, cut_bottom, cut_left, cut_top};
use crate::tui::widgets::{Axis, LaneRow, Window, axis, density};

use super::Scene;
use super::accesses;
use super::race::{LEGEND_LANES, phase_names};

/// The rows of one run: a head, lanes, the strip of concurrency.
struct Block {
    strip: bool,
    run: usize,
    first_lane: usize,
    lanes: usize,
    hidden: usize,
}

/// Columns left of the axis: a lane's number and its thread.
fn gutter(area: Rect) -> u16 {
    if area.width >= 70 { 15 } else { 5 }
}

/// The window that the timeline shows: the one that was chosen, or all of the longest run so far.
pub fn window(scene: &Scene<'_>, race: &RaceState) -> Window {
    let longest = race.runs().iter().filter_map(|run| run.elapsed(scene.now)).max().unwrap_or_default();
    let all = if race.is_over() { Window::until(longest) } else { Window::round(longest) };
    scene.ui.timeline.window.unwrap_or(all)
}

fn cells(area: Rect) -> Rect {
    let gutter = gutter(area).min(area.width);
    Rect { x: area.x + gutter, width: area.width.saturating_sub(gutter + 1), ..area }
}

/// The moment that a click on a column of the page means; none beside the axis.
pub fn cursor_at(scene: &Scene<'_>, race: &RaceState, page: Rect, column: u16) -> Option<Duration> {
    let axis = Axis::new(window(scene, race), cells(page));
    axis.columns().contains(&column).then(|| axis.moment(column))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let theme = scene.theme;
    let area = canvas.area();
    let time = Axis::new(window(scene, race), cells(area));
    let words_rows = match scene.ui.timeline.cursor {
        Some(_) if area.height >= 14 => {
            let lanes = race.runs().get(scene.ui.run_of(race).index()).map_or(1, |run| run.lanes().len());
            let rows = lanes.div_ceil(usize::from(words_columns(area)));
            u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1).clamp(2, area.height / 4)
        }
        _ => 0,
    };
    let (body, words_area) = cut_bottom(area, words_rows);
    let (mut body, panel) = with_accesses(body, scene, race);
    if body.height >= 4 {
        let (row, rest) = cut_top(body, 1);
        axis(canvas, &time, row.y, theme.rule, theme.dim);
        if gutter(area) >= 12 {
            canvas.text_right(row.x + gutter(area) - 1, row.y, 12, "lane  thread", theme.dim);
        }
        body = rest;
    }
    if body.height >= 6 {
        let (rest, row) = cut_bottom(body, 1);
        let legend = if row.width >= 100 {
            let after = canvas.text(row.x + 1, row.y, 40, "seconds from each run’s own start", theme.dim);
            cut_left(row, after - row.x + 2).1
        } else {
            row
        };
        phase_names(canvas, legend, &mix_of(race, scene.now), theme);
        body = rest;
    }
    let mut y = body.y;
    let cursor_column = scene.ui.timeline.cursor.and_then(|cursor| time.column(cursor));
    for block in blocks(scene, race, body.height) {
        let Some(run) = race.runs().get(block.run) else { continue };
        let head = y;
        y = draw_block(canvas, body, y, &time, scene, race, run, &block);
        if let Some(x) = cursor_column {
            for y in head + 1..y {
                canvas.mark(x, y, '│', theme.cursor);
            }
        }
    }
    accesses::draw(canvas, panel, scene, race);
    if let Some(cursor) = scene.ui.timeline.cursor {
        cursor_words(canvas, words_area, cursor, scene, race);
    }
}

/// The rows of the lanes, and those of the accesses to the counter below them, where something is counted.
fn with_accesses(area: Rect, scene: &Scene<'_>, race: &RaceState) -> (Rect, Rect) {
    // The blocks, the axis, the legend, an empty row.
    let lanes = u16::try_from(whole(race) + 3).unwrap_or(u16::MAX);
    match accesses::rows(scene, race, area, area.height.saturating_sub(lanes)) {
        0 => cut_bottom(area, 0),
        rows => {
            let (body, below) = cut_top(area, lanes.min(area.height - rows));
            (body, cut_top(below, rows).0)
        }
    }
}

fn mix_of(race: &RaceState, now: At) -> Mix {
    let mut mix = Mix::default();
    for lane in race.runs().iter().flat_map(|run| run.lanes().iter().take(LEGEND_LANES)) {
        mix.add(&lane.total(now));
    }
    mix
}

/// Shares the rows out: every run has a head and a strip; lanes come first to the run that is looked at,
/// and what is left is shared by the others.
fn blocks(scene: &Scene<'_>, race: &RaceState, rows: u16) -> Vec<Block> {
    let selected = scene.ui.run_of(race).index();
    let lanes: Vec<usize> = race.runs().iter().map(|run| run.lanes().len()).collect();
    // Where there is no room for both, the accesses to a counter take the place of the strips.
    let strips = usize::from(rows) >= whole(race) || race.plan().workload != WorkloadKind::Counter;
    let has_strip = |run: &RunState| strips && has_strip(run);
    let frame: usize = race.runs().iter().map(|run| 1 + usize::from(has_strip(run))).sum();
    let room = usize::from(rows).saturating_sub(frame);
    let mut given = vec![0_usize; lanes.len()];
    let mut left = room;
    // One lane each, then all of the selected run that leaves the others two, then in turn.
    for (given, lanes) in given.iter_mut().zip(&lanes) {
        let one = (*lanes).min(1).min(left);
        *given = one;
        left -= one;
    }
    let for_others: usize = lanes
        .iter()
        .enumerate()
        .filter(|&(run, _)| run != selected)
        .map(|(_, &lanes)| lanes.min(5) - lanes.min(1))
        .sum();
    if let (Some(given), Some(&lanes)) = (given.get_mut(selected), lanes.get(selected)) {
        let more = (lanes - *given).min(left.saturating_sub(for_others.min(left / 2)));
        *given += more;
        left -= more;
    }
    while left > 0 {
        let Some(run) = (0..lanes.len()).filter(|&run| given[run] < lanes[run]).min_by_key(|&run| given[run])
        else {
            break;
        };
        given[run] += 1;
        left -= 1;
    }
    let block = |(run, (lanes, given)): (usize, (usize, usize))| {
        let hidden = lanes - given;
        let first_lane = if run == selected { scene.ui.timeline.scroll.min(hidden) } else { 0 };
        let strip = race.runs().get(run).is_some_and(has_strip);
        Block { run, strip, first_lane, lanes: given, hidden }
    };
    lanes.into_iter().zip(given).enumerate().map(block).collect()
}

/// The rows of every run's block once all its workers are there.
fn whole(race: &RaceState) -> usize {
    race.runs().iter().map(|run| run.plan().workers as usize + 1 + usize::from(has_strip(run))).sum()
}

/// Whether the strip of concurrency says more than the lanes: one lane is its own strip.
fn has_strip(run: &RunState) -> bool {
    run.plan().workers > 1
}

#[expect(
    clippy::too_many_arguments,
    reason = "a block is painted from everything that a frame is painted from"
)]
fn draw_block(
    canvas: &mut Canvas<'_>,
    body: Rect,
    mut y: u16,
    time: &Axis,
    scene: &Scene<'_>,
    race: &RaceState,
    run: &RunState,
    block: &Block,
) -> u16 {
    let theme = scene.theme;
    let gutter = gutter(body);
    if y >= body.bottom() {
        return y;
    }
    let colour = theme.run(block.run);
    let selected = scene.ui.run_of(race).index() == block.run;
    let row = Rect { y, height: 1, ..body };
    let mark = if selected { "▸ " } else { "  " };
    let x = canvas.text(body.x, y, 2, mark, theme.strong);
    let x = canvas.text(x, y, 24, &run.plan().label, colour.add_modifier(ratatui::style::Modifier::BOLD));
    canvas.text(x + 2, y, body.right().saturating_sub(x + 3), &head_words(scene, run, block), theme.dim);
    if selected {
        canvas.style(row, theme.selected);
    }
    y += 1;
    let (Some(start), Some(until)) = (run.started(), run.until(scene.now)) else {
        return y;
    };
    for index in block.first_lane..block.first_lane + block.lanes {
        let Some(state) = run.lanes().get(index).filter(|_| y < body.bottom()) else { break };
        lane_name(canvas, body.x, y, gutter, LaneId::of(index), state, theme);
        let painted = LaneRow { axis: time, lane: state, tasks: run.tasks(), start, until, theme };
        painted.paint(canvas, y..y + 1);
        painted.paint_tasks(canvas, y);
        y += 1;
    }
    if y < body.bottom() && block.strip {
        let most = run.in_progress().peak();
        canvas.text_right(body.x + gutter - 1, y, gutter - 1, &format!("{most} at once"), theme.dim);
        let strip = Rect { y, height: 1, ..cells(body) };
        density(canvas, time, strip, run.in_progress(), (start, until), most, colour);
        y += 1;
    }
    y
}

fn head_words(scene: &Scene<'_>, run: &RunState, block: &Block) -> String {
    let workers = match run.plan().workers {
        1 => "1 worker".to_owned(),
        workers => format!("{} workers", words::count(u64::from(workers))),
    };
    let elapsed = run.elapsed(scene.now).map_or("its turn has not come".to_owned(), words::seconds);
    let hidden = match block.hidden {
        0 => String::new(),
        hidden => {
            let counted = if block.strip { " (the last row counts all)" } else { "" };
            format!(", +{} lanes, PgDn{counted}", words::count(hidden as u64))
        }
    };
    format!("{workers}, {elapsed}{hidden}")
}

fn lane_name(
    canvas: &mut Canvas<'_>,
    x: u16,
    y: u16,
    gutter: u16,
    id: LaneId,
    lane: &crate::model::Lane,
    theme: &crate::tui::theme::Theme,
) {
    let number = (id.0 + 1).to_string();
    let thread = lane.worker().and_then(crate::event::Worker::thread_id);
    match thread.filter(|_| gutter >= 12) {
        Some(thread) => {
            canvas.text_right(x + gutter - 9, y, gutter, &number, theme.dim);
            canvas.text_right(x + gutter - 1, y, 8, &thread.to_string(), theme.dim);
        }
        None => canvas.text_right(x + gutter.min(6) - 1, y, gutter, &number, theme.dim),
    }
}

/// How many lanes are told of beside each other.
fn words_columns(area: Rect) -> u16 {
    (area.width / 55).clamp(1, 4)
}

/// Says what each lane of the selected run was doing at the cursor.
fn cursor_words(canvas: &mut Canvas<'_>, area: Rect, cursor: Duration, scene: &Scene<'_>, race: &RaceState) {
    let theme = scene.theme;
    let run = scene.ui.run_of(race);
    let Some(state) = race.runs().get(run.index()).filter(|_| area.height > 1) else { return };
    let title = format!("{} at {}", state.plan().label, words::seconds(cursor));
    canvas.part(area).rule(area.y, &title, '─', theme.rule, theme.strong);
    let (Some(start), Some(until)) = (state.started(), state.until(scene.now)) else {
        canvas.text(area.x + 2, area.y + 1, area.width, "its turn has not come", theme.dim);
        return;
    };
    let at = start.plus(cursor);
    if at > until {
        let words = match state.wall() {
            Some(wall) => format!("this run was over after {}", words::seconds(wall)),
            None => "not there yet".to_owned(),
        };
        canvas.text(area.x + 2, area.y + 1, area.width.saturating_sub(3), &words, theme.dim);
        return;
    }
    let columns = words_columns(area);
    let width = area.width / columns;
    let rows = usize::from(area.height - 1);
    let shown = rows * usize::from(columns);
    let lanes = state.lanes().len();
    let first = scene.ui.timeline.scroll.min(lanes.saturating_sub(shown));
    for (place, index) in (first..lanes.min(first + shown)).enumerate() {
        let Some(lane) = state.lanes().get(index) else { break };
        let column = u16::try_from(place / rows).unwrap_or(0);
        let (x, y) = (area.x + 2 + column * width, area.y + 1 + u16::try_from(place % rows).unwrap_or(0));
        let next = canvas.text(x, y, 10, &format!("lane {}", index + 1), theme.dim) + 1;
        match lane.doing(at) {
            Some(doing) => {
                let phase = doing.phase;
                let next =
                    canvas.text(next, y, 12, phase.name(), theme.stage(crate::model::Stage::Active(phase)))
                        + 1;
                let name = race.plan().tasks.get(doing.task.index()).map_or("", |task| task.name.as_str());
                let since = words::seconds(at.since(doing.from));
                let words = format!("task {}, {name}, for {since}", doing.task.0 + 1);
                canvas.text(next, y, (x + width).saturating_sub(next + 3), &words, theme.base);
            }
            None => {
                canvas.text(next, y, 8, "idle", theme.dim);
            }
        }
    }
    if lanes > shown {
        let more = format!(" +{} lanes, PgDn ", words::count((lanes - shown) as u64));
        canvas.text_right(area.right() - 1, area.y, 24, &more, theme.dim);
    }
}
