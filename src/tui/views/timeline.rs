//! The page *Timeline*: the lanes of all runs on one axis, each run from its own start, so that the
//! sequential run is the long one and the others visibly fit inside it.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::event::{At, ExecutorKind, LaneId, Phase, Worker, WorkloadKind};
use crate::model::{Lane, RaceState, RunState, Stage};
use crate::report::words;
use crate::tui::canvas::{Canvas, cut_bottom, cut_left, cut_top};
use crate::tui::ui::{Ghost as Choice, Shown};
use crate::tui::widgets::{Axis, LaneRow, Window, axis, density};

use super::accesses;
use super::ghost::Ghost;
use super::legend::{LANES_LOOKED_AT, Legend};
use super::race::paint_playhead;
use super::{Scene, all_of};

/// The rows of one run: a head, lanes, the strip of concurrency, the ghost of the sequential run.
struct Block<'a> {
    strip: bool,
    /// The most tasks that any run had in progress at once. One scale for all: what is as high is as many.
    most: u32,
    ghost: Option<Ghost<'a>>,
    shown: Shown<'a>,
    first_lane: usize,
    lanes: usize,
    hidden: usize,
}

/// What stands left of the axis.
struct Gutter {
    columns: u16,
    /// What its last columns tell of workers.
    workers: Workers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Workers {
    /// Nothing: there is no room.
    None,
    /// Threads of this program.
    Threads,
    /// Processes among them.
    Processes,
    /// Processes among them, each with the thread of the worker.
    ProcessThreads,
}

impl Gutter {
    fn of(runs: &[Shown<'_>], area: Rect) -> Gutter {
        let mut lanes = runs.iter().flat_map(|shown| shown.run.lanes().iter().take(LANES_LOOKED_AT));
        let (columns, workers) = match lanes.any(|lane| lane.worker().is_some_and(|w| w.pid().is_some())) {
            _ if area.width < 70 => (5, Workers::None),
            false => (15, Workers::Threads),
            true if area.width < 140 => (18, Workers::Processes),
            true => (33, Workers::ProcessThreads),
        };
        Gutter { columns, workers }
    }

    fn title(&self) -> &'static str {
        match self.workers {
            Workers::None => "lane",
            Workers::Threads => "lane  thread",
            Workers::Processes => "lane  worker",
            Workers::ProcessThreads => "lane  process, thread",
        }
    }
}

/// The window that the timeline shows: the one that was chosen, or all of the longest run that is known.
pub fn window(scene: &Scene<'_>, race: &RaceState) -> Window {
    scene.ui.timeline.window.unwrap_or_else(|| all_of(scene, race).1)
}

fn cells(runs: &[Shown<'_>], area: Rect) -> Rect {
    let gutter = Gutter::of(runs, area).columns.min(area.width);
    Rect { x: area.x + gutter, width: area.width.saturating_sub(gutter + 1), ..area }
}

/// The moment that a click on a column of the page means; none beside the axis.
pub fn cursor_at(scene: &Scene<'_>, race: &RaceState, page: Rect, column: u16) -> Option<Duration> {
    let axis = Axis::new(window(scene, race), cells(&scene.runs(race), page));
    axis.columns().contains(&column).then(|| axis.moment(column))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let theme = scene.theme;
    let area = canvas.area();
    let runs = scene.runs(race);
    let time = Axis::new(window(scene, race), cells(&runs, area));
    let words_rows = match scene.ui.timeline.cursor {
        Some(_) if area.height >= 14 => {
            let lanes = race.runs().get(scene.ui.run_of(race).index()).map_or(1, |run| run.lanes().len());
            let rows = lanes.div_ceil(usize::from(words_columns(area)));
            u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1).clamp(2, area.height / 4)
        }
        _ => 0,
    };
    let (body, words_area) = cut_bottom(area, words_rows);
    let (mut body, panel) = with_accesses(body, scene, race, &runs);
    if body.height >= 4 {
        let (row, rest) = cut_top(body, 1);
        axis(canvas, &time, row.y, theme.rule, theme.dim);
        let gutter = Gutter::of(&runs, area);
        if gutter.workers != Workers::None {
            let right = row.x + gutter.columns - 1;
            canvas.text_right(right, row.y, gutter.columns, gutter.title(), theme.dim);
        }
        body = rest;
    }
    let (rest, row) = cut_bottom(body, u16::from(body.height >= 6));
    let blocks = blocks(scene, race, &runs, &time, rest.height);
    if row.height > 0 {
        let legend = if row.width >= 100 {
            let after = canvas.text(row.x + 1, row.y, 40, "time from each run’s own start", theme.dim);
            cut_left(row, after - row.x + 2).1
        } else {
            row
        };
        let ghost = blocks.iter().find_map(|block| block.ghost);
        let legend = ghost.map_or(legend, |ghost| ghost.paint_legend(canvas, legend, theme));
        let states: Vec<&RunState> = runs.iter().map(|shown| shown.run).collect();
        Legend::of(&states, race.plan().workload, scene.now).paint(canvas, legend, theme);
        body = rest;
    }
    let mut y = body.y;
    let cursor_column = scene.ui.timeline.cursor.and_then(|cursor| time.column(cursor));
    for block in blocks {
        let head = y;
        y = draw_block(canvas, body, y, &time, scene, race, &runs, &block);
        paint_playhead(canvas, &time, head + 1..y, scene, block.shown.run);
        if let Some(x) = cursor_column {
            for y in head + 1..y {
                canvas.mark(x, y, '│', theme.cursor);
            }
        }
    }
    accesses::draw(canvas, panel, scene, race);
    if let Some(cursor) = scene.ui.timeline.cursor {
        cursor_words(canvas, words_area, &time, cursor, scene, race);
    }
}

/// The rows of the lanes, and those of the accesses to the counter below them, where something is counted.
fn with_accesses(area: Rect, scene: &Scene<'_>, race: &RaceState, runs: &[Shown<'_>]) -> (Rect, Rect) {
    // The blocks, the axis, the legend, an empty row.
    let lanes = u16::try_from(whole(runs) + 3).unwrap_or(u16::MAX);
    match accesses::rows(scene, race, area, area.height.saturating_sub(lanes)) {
        0 => cut_bottom(area, 0),
        rows => {
            let ghosts = runs.len().saturating_sub(1) * usize::from(scene.ui.ghost == Choice::Shown);
            let lanes = lanes.saturating_add(u16::try_from(ghosts).unwrap_or(u16::MAX));
            let (body, below) = cut_top(area, lanes.min(area.height - rows));
            (body, cut_top(below, rows).0)
        }
    }
}

/// Shares the rows out: every run has a head, a strip and a ghost; lanes come first to the run that is looked
/// at, and what is left is shared by the others.
fn blocks<'a>(
    scene: &Scene<'_>,
    race: &'a RaceState,
    runs: &[Shown<'a>],
    time: &Axis,
    rows: u16,
) -> Vec<Block<'a>> {
    let looked_at = scene.ui.run_of(race);
    let selected = runs.iter().position(|shown| shown.id == looked_at).unwrap_or(0);
    let lanes: Vec<usize> = runs.iter().map(|shown| shown.run.lanes().len()).collect();
    let most = runs.iter().map(|shown| shown.run.in_progress().peak()).max().unwrap_or(1);
    // Where there is no room for both, the accesses to a counter take the place of the strips.
    let strips = usize::from(rows) >= whole(runs) || race.plan().workload != WorkloadKind::Counter;
    let has_strip = |run: &RunState| strips && has_strip(run);
    let frame: usize = runs.iter().map(|shown| 1 + usize::from(has_strip(shown.run))).sum();
    let mut ghosts: Vec<Option<Ghost<'a>>> =
        runs.iter().map(|shown| Ghost::below(scene, race, shown, time)).collect();
    let rows_of_ghosts = ghosts.iter().flatten().count();
    // The ghost is there to be seen beside lanes: it has rows only where these leave lanes enough.
    let enough: usize = lanes.iter().map(|&lanes| lanes.min(2)).sum();
    let frame = if usize::from(rows) >= frame + rows_of_ghosts + enough {
        frame + rows_of_ghosts
    } else {
        ghosts.fill(None);
        frame
    };
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
        let (shown, ghost) = (runs[run], ghosts.get(run).copied().flatten());
        Block { shown, strip: has_strip(shown.run), most, ghost, first_lane, lanes: given, hidden }
    };
    lanes.into_iter().zip(given).enumerate().map(block).collect()
}

/// The rows of every run's block once all its workers are there, without the ghosts.
fn whole(runs: &[Shown<'_>]) -> usize {
    runs.iter().map(|shown| shown.run.plan().workers as usize + 1 + usize::from(has_strip(shown.run))).sum()
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
    runs: &[Shown<'_>],
    block: &Block<'_>,
) -> u16 {
    let theme = scene.theme;
    let gutter = Gutter::of(runs, body);
    let Shown { id, run, .. } = block.shown;
    if y >= body.bottom() {
        return y;
    }
    let colour = theme.run(run.hue());
    let selected = scene.ui.run_of(race) == id;
    let row = Rect { y, height: 1, ..body };
    let mark = if selected { "▸ " } else { "  " };
    let x = canvas.text(body.x, y, 2, mark, theme.strong);
    let x = canvas.text(x, y, 24, &run.plan().label, colour.add_modifier(ratatui::style::Modifier::BOLD));
    let words = head_words(scene, race, run, block, body.width);
    canvas.text(x + 2, y, body.right().saturating_sub(x + 3), &words, theme.dim);
    if selected {
        canvas.style(row, theme.selected);
    }
    y += 1;
    let (Some(start), Some(until)) = (run.started(), run.until(scene.now)) else {
        return y;
    };
    for index in block.first_lane..block.first_lane + block.lanes {
        let Some(state) = run.lanes().get(index).filter(|_| y < body.bottom()) else { break };
        lane_name(canvas, body.x, y, &gutter, LaneId::of(index), state, theme);
        let painted = LaneRow { axis: time, run, lane: state, start, until, theme };
        painted.paint(canvas, y..y + 1);
        painted.paint_tasks(canvas, y);
        y += 1;
    }
    if y < body.bottom() && block.strip {
        canvas.text_right(
            body.x + gutter.columns - 1,
            y,
            gutter.columns - 1,
            &format!("{} at once", run.in_progress().peak()),
            theme.dim,
        );
        let strip = Rect { y, height: 1, ..cells(runs, body) };
        density(canvas, time, strip, run.in_progress(), (start, until), block.most, colour);
        y += 1;
    }
    if let Some(ghost) = block.ghost.filter(|_| y < body.bottom()) {
        let columns = gutter.columns - 1;
        let label = if gutter.workers == Workers::None { "seq" } else { ghost.label() };
        canvas.text_right(body.x + columns, y, columns, label, theme.dim);
        ghost.paint(canvas, time, y, theme);
        y += 1;
    }
    y
}

fn head_words(
    scene: &Scene<'_>,
    race: &RaceState,
    run: &RunState,
    block: &Block<'_>,
    columns: u16,
) -> String {
    let workers = words::workers(run.plan().workers);
    let elapsed = run.elapsed(scene.now).map_or(words::not_begun(race).to_owned(), words::seconds);
    let hidden = match block.hidden {
        0 => String::new(),
        hidden => {
            let counted = if block.strip && columns >= 100 { " (the strip counts all)" } else { "" };
            format!(", +{}, PgDn{counted}", words::counted(hidden as u64, "lane", "lanes"))
        }
    };
    // Of a program's threads nobody else knows which one has its interpreter's lock.
    let computes = race.plan().workload == WorkloadKind::Compute && run.in_progress().peak() > 1;
    let unseen = match &run.plan().executor {
        ExecutorKind::External(_) if computes => "; computing may be waiting for a lock of its own",
        _ => "",
    };
    let ghost = match (block.ghost, run.elapsed(scene.now)) {
        (Some(ghost), Some(elapsed)) if ghost.reaches(elapsed) => {
            let by = if run.wall().is_some() { "by then" } else { "by now" };
            format!("; {} {by}", ghost.progress(elapsed))
        }
        _ => String::new(),
    };
    format!("{workers}, {elapsed}{hidden}{unseen}{ghost}")
}

fn lane_name(
    canvas: &mut Canvas<'_>,
    x: u16,
    y: u16,
    gutter: &Gutter,
    id: LaneId,
    lane: &Lane,
    theme: &crate::tui::theme::Theme,
) {
    let number = (id.0 + 1).to_string();
    if gutter.workers == Workers::None {
        canvas.text_right(x + gutter.columns.min(6) - 1, y, gutter.columns, &number, theme.dim);
        return;
    }
    canvas.text_right(x + 6, y, 6, &number, theme.dim);
    let Some(worker) = lane.worker() else { return };
    let words = match (worker.pid(), worker.thread_id()) {
        (Some(pid), Some(thread)) if gutter.workers == Workers::ProcessThreads => {
            format!("pid {pid}, thread {thread}")
        }
        (Some(pid), _) => format!("pid {pid}"),
        (None, Some(thread)) => thread.to_string(),
        (None, None) => return,
    };
    canvas.text_right(x + gutter.columns - 1, y, gutter.columns - 7, &words, theme.dim);
}

/// How many lanes are told of beside each other.
fn words_columns(area: Rect) -> u16 {
    (area.width / 55).clamp(1, 4)
}

/// Says what each lane of the selected run was doing at the cursor, and what is marked there.
fn cursor_words(
    canvas: &mut Canvas<'_>,
    area: Rect,
    time: &Axis,
    cursor: Duration,
    scene: &Scene<'_>,
    race: &RaceState,
) {
    let theme = scene.theme;
    let run = scene.ui.run_of(race);
    let runs = scene.runs(race);
    let Some(of) = runs.iter().find(|of| of.id == run).filter(|_| area.height > 1) else { return };
    let state = of.run;
    let ghost = Ghost::below(scene, race, of, time).filter(|ghost| ghost.reaches(cursor));
    let ghost = ghost.map(|ghost| format!("; {} tasks done", ghost.progress(cursor)));
    let (label, at) = (&state.plan().label, words::seconds(cursor));
    let title = format!("{label} at {at}{}", ghost.unwrap_or_default());
    canvas.part(area).rule(area.y, &title, '─', theme.rule, theme.strong);
    let (Some(start), Some(until)) = (state.started(), state.until(scene.now)) else {
        canvas.text(area.x + 2, area.y + 1, area.width, words::not_begun(race), theme.dim);
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
        let mut next = canvas.text(x, y, 10, &format!("lane {}", index + 1), theme.dim) + 1;
        let right = (x + width).saturating_sub(3);
        let row = LaneRow { axis: time, run: state, lane, start, until, theme };
        if let Some(change) = replaced(&row, cursor) {
            next = canvas.text(next, y, 21, &change, theme.warn) + 1;
        } else if let Some(pid) = lane.worker_at(at).and_then(Worker::pid) {
            next = canvas.text(next, y, 11, &format!("pid {pid}"), theme.dim) + 1;
        }
        let marks = marked(&row, cursor);
        let mut notes = Vec::new();
        match lane.doing(at) {
            Some(doing) => {
                let phase = doing.phase;
                next = canvas.text(
                    next,
                    y,
                    12,
                    phase.called_in(race.plan().workload),
                    theme.stage(Stage::Active(phase)),
                ) + 1;
                let name = race.plan().tasks.get(doing.task.index()).map_or("", |task| task.name.as_str());
                let since = words::seconds(at.since(doing.from));
                let task = doing.task.0 + 1;
                // What is marked at the cursor tells more than a task's name.
                let doing = match notes.is_empty() && marks.is_empty() {
                    true => format!("task {task}, {name}, for {since}"),
                    false => format!("task {task} for {since}"),
                };
                notes.push(doing);
            }
            None => {
                next = canvas.text(next, y, 8, "idle", theme.dim) + 1;
                notes.extend(blocked(state, lane, at));
            }
        }
        notes.extend(marks);
        canvas.text(next, y, right.saturating_sub(next), &notes.join("; "), theme.base);
    }
    if lanes > shown {
        let more = format!(" +{} lanes, PgDn ", words::count((lanes - shown) as u64));
        canvas.text_right(area.right() - 1, area.y, 24, &more, theme.dim);
    }
}

/// Why a place on an event loop has no turn: another task computes, and gives the loop's one thread back
/// only when it is done.
fn blocked(run: &RunState, lane: &Lane, at: At) -> Option<String> {
    let thread = match lane.worker()? {
        Worker::AsyncSlot { thread_id: Some(thread), .. } => *thread,
        _ => return None,
    };
    let computes = |other: &Lane| {
        other.worker().and_then(Worker::thread_id) == Some(thread)
            && other.doing(at).is_some_and(|doing| doing.phase == Phase::Computing)
    };
    let place = run.lanes().iter().take(LANES_LOOKED_AT).position(computes)?;
    Some(format!("while lane {} computes on the loop’s thread", place + 1))
}

/// Which worker was lost in the cursor's cell, and which one took its place.
fn replaced(row: &LaneRow<'_>, cursor: Duration) -> Option<String> {
    let (from, to) = row.axis.cell(row.axis.column(cursor)?, row.start);
    let mut pairs = row.lane.workers().windows(2);
    let (lost, new) = pairs.find_map(|pair| match pair {
        [(_, lost), (came, new)] if *came >= from && *came < to => Some((lost, new)),
        _ => None,
    })?;
    Some(format!("pid {} → {}", lost.pid()?, new.pid()?))
}

/// What is marked on a lane in the cursor's cell, or goes on there, in words.
fn marked(row: &LaneRow<'_>, cursor: Duration) -> Vec<String> {
    let Some(column) = row.axis.column(cursor) else { return Vec::new() };
    let mut notes = Vec::new();
    let mut waiting = Vec::new();
    for delivery in row.deliveries() {
        let number = delivery.task.0 + 1;
        match delivery.mark {
            Some(mark) if mark == column => notes.push(format!("{number} delivered")),
            mark if delivery.from < column && mark.is_none_or(|mark| column < mark) => {
                waiting.push(number.to_string());
            }
            _ => {}
        }
    }
    if !waiting.is_empty() {
        notes.push(format!("the result of {} waits", waiting.join(", ")));
    }
    let (from, to) = row.axis.cell(column, row.start);
    let cut_off = |task: &crate::model::TaskState| {
        task.stage == Stage::Abandoned && task.finished.is_some_and(|at| row.ends_in(at, column))
    };
    let last = row.lane.spans_between(from, to).last();
    if let Some(span) = last.filter(|s| row.run.tasks().get(s.task.index()).is_some_and(cut_off)) {
        notes.push(format!("{} was cut off here", span.task.0 + 1));
    }
    notes
}
