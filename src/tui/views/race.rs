//! The page *Race*: the runs; the selected one's tasks and lanes; at the end, the gauges.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::{LaneId, Phase, TaskId, WorkloadKind};
use crate::model::{RaceState, RunState, RunStatus, Stage};
use crate::report::scaling::Sweep;
use crate::report::words::{self, Glyphs};
use crate::report::{Group, Reason, so_far};
use crate::stats;
use crate::text;
use crate::tui::canvas::{Canvas, cut_bottom, cut_left, cut_top};
use crate::tui::theme::{PLAYHEAD, Theme};
use crate::tui::ui::Shown;
use crate::tui::widgets::{Axis, LaneRow, Weight, axis, bar, density, unknown_bar};

use super::chrome::status_name;
use super::counter::{counter_rows, counters};
use super::gauges::{gauge_rows, gauges};
use super::legend::Legend;
use super::tasks::more;
use super::{Scene, name_columns};

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let shown = scene.runs(race);
    let visible = visible(scene, race, &shown, canvas.area().height);
    let (table, mut rest) = cut_top(canvas.area(), visible.rows());
    runs(canvas, table, scene, race, &shown, &visible);
    let many = shown.len() > MANY_RUNS && Sweep::of(race.plan()).is_some();
    if let Some(summary) = scene.summary.filter(|_| many && race.is_over()) {
        let verdict = text::wrap(&summary.verdict(), usize::from(rest.width.saturating_sub(4)));
        let rows = u16::try_from(verdict.len()).unwrap_or(2) + 1;
        if rest.height >= rows + 4 {
            let (middle, end) = cut_bottom(rest, rows);
            let title = "speedup against workers: 4 shows the chart";
            canvas.part(end).rule(end.y, title, '─', scene.theme.rule, scene.theme.dim);
            let said = Rect { x: end.x + 2, width: end.width.saturating_sub(3), ..cut_top(end, 1).1 };
            canvas.lines(said, &verdict, scene.theme.strong);
            rest = middle;
        }
    }
    if counter_rows(race) > 0 && rest.height >= counter_rows(race) + 20 {
        rest = cut_top(rest, 1).1;
    }
    // Where there is no room for all, the lanes and then the counter give way.
    if rest.height >= counter_rows(race) + 2 {
        let (block, below) = cut_top(rest, counter_rows(race));
        counters(canvas, block, scene, race, ("counter", &shown));
        rest = below;
    }
    // A tall screen shows the gauges as soon as there is something to compare with.
    let compared = shown.iter().any(|shown| race.baseline_of(shown.id).is_some_and(RunState::is_comparable));
    let early = rest.height >= 40 && !many && compared;
    if let Some(summary) = scene.summary.filter(|_| race.is_over() && !many || early) {
        let verdict = match race.is_over() {
            true => text::wrap(&summary.verdict(), usize::from(rest.width.saturating_sub(4))),
            false => Vec::new(),
        };
        let rows = gauge_rows(race) + u16::try_from(verdict.len()).unwrap_or(2);
        if rest.height >= rows + 4 {
            let (middle, end) = cut_bottom(rest, rows);
            gauges(canvas, end, scene, summary, &verdict);
            rest = middle;
        } else if rest.height > gauge_rows(race) {
            gauges(canvas, rest, scene, summary, &verdict);
            return;
        }
    }
    let run = scene.ui.run_of(race);
    if let Some(shown) = shown.iter().find(|shown| shown.id == run).filter(|_| rest.height >= 2) {
        selected(canvas, rest, scene, race, shown);
    }
}

/// So many runs always have a row each.
const MANY_RUNS: usize = 6;

/// Which runs have a row, where there is no room for all.
struct Visible {
    first: usize,
    shown: usize,
    left_out: usize,
}

impl Visible {
    /// The head, the runs, and what says that there are more.
    fn rows(&self) -> u16 {
        u16::try_from(1 + self.shown + usize::from(self.left_out > 0)).unwrap_or(u16::MAX)
    }
}

/// The runs that have a row on a page so high: all of them where they leave half of it, and otherwise those
/// around the selected one.
fn visible(scene: &Scene<'_>, race: &RaceState, shown: &[Shown<'_>], height: u16) -> Visible {
    let runs = shown.len();
    let most = usize::from(height / 2).saturating_sub(2).max(MANY_RUNS);
    if runs <= most + 1 {
        return Visible { first: 0, shown: runs, left_out: 0 };
    }
    let selected = scene.ui.run_of(race);
    let selected = shown.iter().position(|shown| shown.id == selected).unwrap_or(0);
    let first = selected.saturating_sub(most / 2).min(runs - most);
    Visible { first, shown: most, left_out: runs - most }
}

/// The place of the run whose row is so many rows below the top of a page so high.
pub fn run_at(scene: &Scene<'_>, race: &RaceState, height: u16, row: usize) -> Option<usize> {
    let shown = scene.runs(race);
    let visible = visible(scene, race, &shown, height);
    let row = row.checked_sub(1).filter(|&row| row < visible.shown)?;
    shown.get(visible.first + row).map(|shown| shown.place)
}

/// Where the columns of the runs' table stand: left edge and width, or the right edge of a number. The
/// narrower the screen, the fewer there are; the name and the speedup stay.
struct Columns {
    name: (u16, u16),
    workers: Option<u16>,
    state: Option<(u16, u16)>,
    bar: (u16, u16),
    done: Option<u16>,
    /// Columns for what the tasks are called, above how many are done.
    noun: u16,
    rate: Option<u16>,
    elapsed: Option<u16>,
    /// Of a race that repeats: the median of the rounds so far.
    median: Option<u16>,
    speedup: u16,
}

/// Room for a number that is written against the right edge of its column.
const NUMBER: u16 = 11;

impl Columns {
    fn of(area: Rect, race: &RaceState, shown: &[Shown<'_>]) -> Columns {
        let roomy = area.width >= 100;
        let repeats = race.rounds().are_several();
        // What moves no bytes has no rate of them.
        let moves =
            race.plan().workload == WorkloadKind::Download || shown.iter().any(|shown| shown.run.bytes() > 0);
        // Where races repeat, what their rounds have in common says more than one round's rate.
        let rated = area.width >= if repeats { 110 } else { 72 } && moves;
        let wanted = name_columns(shown.iter().map(|shown| shown.run.plan().label.as_str()), 11, 20);
        // A long name says more than the number of workers, which is part of many.
        let no_room = !roomy && rated && wanted > 11;
        let name =
            (area.x + 2, area.width.saturating_sub(11).min(if area.width >= 60 { wanted } else { 11 }));
        let workers = (area.width >= 60 && !no_room).then(|| name.0 + name.1 + 8);
        let long = |shown: &Shown<'_>| {
            let counts = shown.run.counts();
            let never = race.is_over() && matches!(shown.run.status(), RunStatus::Waiting);
            counts.abandoned + counts.panicked > 0 || never
        };
        let state_width = if shown.iter().any(long) { 13 } else { 10 };
        let state = (area.width >= 50).then(|| (workers.unwrap_or(name.0 + name.1) + 2, state_width));
        let speedup = area.right().saturating_sub(1);
        let median =
            (repeats && area.width >= 60).then(|| speedup.saturating_sub(if roomy { 16 } else { 9 }));
        let elapsed = (area.width >= 31).then(|| match median {
            Some(median) => median.saturating_sub(if roomy { 16 } else { 10 }),
            None => speedup.saturating_sub(if roomy { 16 } else { 9 }),
        });
        let rate = rated.then(|| elapsed.unwrap_or(speedup).saturating_sub(11));
        let done = (area.width >= 40).then(|| match rate {
            Some(rate) => rate.saturating_sub(11),
            None => elapsed.unwrap_or(speedup).saturating_sub(9),
        });
        let bar = state.map_or(name.0 + name.1, |(x, width)| x + width);
        let noun = u16::try_from(text::width(&race.plan().noun)).unwrap_or(u16::MAX).saturating_add(1);
        let noun = if roomy { noun.clamp(14, 18) } else { noun.clamp(9, 14) };
        let bar_right = done.or(elapsed).unwrap_or(speedup).saturating_sub(noun);
        Columns {
            name,
            workers,
            state,
            bar: (bar, bar_right.saturating_sub(bar)),
            done,
            noun: done.map_or(noun, |right| right.saturating_sub(bar)).min(noun.saturating_sub(1)),
            rate,
            elapsed,
            median,
            speedup,
        }
    }
}

fn runs(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    shown: &[Shown<'_>],
    visible: &Visible,
) {
    let theme = scene.theme;
    let columns = Columns::of(area, race, shown);
    let y = area.y;
    let dim = theme.dim;
    canvas.text(columns.name.0, y, columns.name.1, "executor", dim);
    if let Some(right) = columns.workers {
        canvas.text_right(right, y, 8, "workers", dim);
    }
    if let Some((x, width)) = columns.state {
        canvas.text(x, y, width, "state", dim);
    }
    if let Some(right) = columns.done {
        let noun = race.plan().noun.as_str();
        // Of what they are, there is less to say than what they are.
        let short = noun.split_once(" of ").map_or(noun, |(short, _)| short);
        let fits = text::width(noun) <= usize::from(columns.noun);
        canvas.text_right(right, y, columns.noun, if fits { noun } else { short }, dim);
    }
    if let Some(right) = columns.rate {
        canvas.text_right(right, y, NUMBER, "bytes/s", dim);
    }
    if let Some(right) = columns.elapsed {
        canvas.text_right(right, y, NUMBER, "elapsed", dim);
    }
    if let Some(right) = columns.median {
        let counted = || scene.summary.iter().flat_map(|summary| &summary.groups).map(|g| g.repeats.len());
        // In the middle of a round some have more repeats than others.
        let head = match counted().max().filter(|&rounds| counted().all(|of| of == rounds)) {
            Some(rounds @ 1..) if area.width >= 100 => format!("median of {rounds}"),
            _ => "median".to_owned(),
        };
        canvas.text_right(right, y, 14, &head, dim);
    }
    canvas.text_right(columns.speedup, y, 7, "speedup", dim);
    let selected = scene.ui.run_of(race);
    if visible.left_out > 0 {
        let (above, below) = (visible.first, shown.len() - visible.first - visible.shown);
        let words = match (above, below) {
            (0, below) => format!("+{below} more runs below, ↑ ↓ select"),
            (above, 0) => format!("+{above} more runs above, ↑ ↓ select"),
            (above, below) => format!("+{above} runs above, +{below} below, ↑ ↓ select"),
        };
        canvas.text(columns.name.0, area.bottom().saturating_sub(1), area.width, &words, dim);
    }
    let rows = (area.y + 1..).take(visible.shown);
    for (shown, y) in shown.iter().skip(visible.first).zip(rows) {
        let row = Rect { y, height: 1, ..area };
        if row.y >= area.bottom() {
            break;
        }
        run_row(canvas, row, &columns, scene, race, shown);
        if shown.id == selected {
            canvas.style(row, theme.selected);
            canvas.glyph(row.x, row.y, '▸', theme.strong.patch(theme.selected));
        }
    }
}

fn run_row(
    canvas: &mut Canvas<'_>,
    row: Rect,
    columns: &Columns,
    scene: &Scene<'_>,
    race: &RaceState,
    shown: &Shown<'_>,
) {
    let (theme, now, y) = (scene.theme, scene.now, row.y);
    let Shown { id, place, run } = *shown;
    let counts = run.counts();
    let waiting = matches!(run.status(), RunStatus::Waiting);
    let colour = if waiting { theme.dim } else { theme.run(run.hue()) };
    canvas.text(columns.name.0, y, columns.name.1, &run.plan().label, colour);
    if let Some(right) = columns.workers {
        canvas.text_right(
            right,
            y,
            8,
            &run.plan().workers.to_string(),
            if waiting { theme.dim } else { theme.base },
        );
    }
    let (state, style) = match run.status() {
        _ if counts.failed + counts.panicked > 0 && counts.cancelled == 0 => {
            let words = if counts.panicked > 0 { "not done" } else { "failed" };
            (format!("{} {words}", counts.failed + counts.panicked), theme.bad)
        }
        _ if counts.abandoned > 0 => (format!("{} abandoned", counts.abandoned), theme.warn),
        status @ RunStatus::Running { .. } => (status_name(status).to_owned(), theme.warn),
        RunStatus::Waiting if race.is_over() => (Reason::NotStarted.to_string(), theme.dim),
        status @ RunStatus::Waiting => (status_name(status).to_owned(), theme.dim),
        _ if run.did_everything() && run.wrong_sum().is_some() => ("wrong sum".to_owned(), theme.bad),
        status if run.is_comparable() => (status_name(status).to_owned(), theme.good),
        status => (status_name(status).to_owned(), theme.bad),
    };
    if let Some((x, width)) = columns.state {
        canvas.text(x, y, width, &state, style);
    }
    let bar_area = Rect { x: columns.bar.0, width: columns.bar.1, ..row };
    run_bar(canvas, bar_area, run, theme.run(run.hue()), theme);
    let tasks = run.tasks().len();
    if let Some(right) = columns.done.filter(|_| !waiting) {
        let done = format!("{}/{}", words::count(u64::from(counts.done)), words::count(tasks as u64));
        canvas.text_right(right, y, 15, &done, theme.base);
    }
    if let Some(right) = columns.median {
        let group = scene.summary.and_then(|summary| summary.groups.get(place));
        let median = group.and_then(Group::median).map_or_else(|| "–".to_owned(), words::seconds);
        let style = if waiting { theme.dim } else { theme.base };
        canvas.text_right(right, y, NUMBER, &median, style);
        // Beside the median of the rounds stands theirs, as on the gauge.
        let speedup = group.and_then(|group| group.speedup);
        let speedup = speedup.map_or_else(|| "–".to_owned(), |of| words::times(of.value, Glyphs::Unicode));
        canvas.text_right(
            columns.speedup,
            y,
            NUMBER,
            &speedup,
            if waiting { theme.dim } else { theme.strong },
        );
    }
    let Some(elapsed) = run.elapsed(now) else { return };
    // Once the run is over, what counts are the complete bodies.
    let figures = scene.summary.and_then(|summary| summary.runs.get(id.index()));
    let rate = match figures.filter(|_| run.wall().is_some()) {
        Some(figures) => figures.bytes_per_second,
        None => stats::rate(run.bytes(), elapsed),
    };
    if let (Some(right), Some(rate)) = (columns.rate, rate) {
        canvas.text_right(right, y, NUMBER, &words::rate(rate), theme.base);
    }
    if let Some(right) = columns.elapsed {
        canvas.text_right(right, y, NUMBER, &words::seconds(elapsed), theme.strong);
    }
    if columns.median.is_some() {
        return;
    }
    let (speedup, style) = speedup_words(race.baseline_of(id), run, row.width >= 100, theme);
    canvas.text_right(columns.speedup, y, 15, &speedup, style);
}

/// Done tasks in the run's colour, then those that ended otherwise, hatched, then what is left.
fn run_bar(canvas: &mut Canvas<'_>, area: Rect, run: &RunState, colour: Style, theme: &Theme) {
    let share = |count: u32| f64::from(count) / run.tasks().len().max(1) as f64;
    let counts = run.counts();
    let waiting = matches!(run.status(), RunStatus::Waiting);
    if waiting {
        bar(canvas, area, 0.0, Weight::Block, colour, theme.track);
        return;
    }
    bar(canvas, area, share(counts.over()), Weight::Block, colour, theme.track);
    let columns = |count: u32| (share(count) * f64::from(area.width)).floor() as u16;
    for x in area.x + columns(counts.done)..area.x + columns(counts.over()) {
        canvas.glyph(
            x,
            area.y,
            '▚',
            if counts.failed + counts.panicked > 0 { theme.bad } else { theme.warn },
        );
    }
}

/// The speedup, final or so far.
fn speedup_words(baseline: Option<&RunState>, run: &RunState, roomy: bool, theme: &Theme) -> (String, Style) {
    if let Some(baseline) = baseline
        && baseline.is_comparable()
        && run.is_comparable()
        && run.brought_as_much_as(baseline)
    {
        let walls = baseline.wall().zip(run.wall());
        if let Some(speedup) = walls.and_then(|(sequential, wall)| stats::speedup(sequential, wall)) {
            return (words::times(speedup, Glyphs::Unicode), theme.strong);
        }
    }
    let under_way = matches!(run.status(), RunStatus::Running { .. });
    let is_baseline = baseline.is_some_and(|baseline| baseline.plan() == run.plan());
    match baseline.filter(|_| under_way && !is_baseline).and_then(|baseline| so_far(baseline, run)) {
        Some(speedup) if roomy => (format!("so far {}", words::times(speedup, Glyphs::Unicode)), theme.dim),
        Some(speedup) => (format!("{}…", words::times(speedup, Glyphs::Unicode)), theme.dim),
        None => ("–".to_owned(), theme.dim),
    }
}

/// The selected run: its tasks, and its lanes beside them.
fn selected(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, race: &RaceState, shown: &Shown<'_>) {
    let (theme, run) = (scene.theme, shown.run);
    if area.width < 60 {
        let title = format!("{}: {}", run.plan().label, race.plan().noun);
        canvas.part(area).rule(area.y, &title, '─', theme.rule, theme.dim);
        tasks(canvas, cut_top(area, 1).1, scene, race, run);
        return;
    }
    let left_width = if area.width < 76 { 32 } else { (area.width * 2 / 5).clamp(40, 64) };
    let (left, right) = cut_left(area, left_width);
    let right = cut_left(right, 1).1;
    let title = format!("{}: {}", run.plan().label, race.plan().noun);
    canvas.part(area).rule(area.y, "", '─', theme.rule, theme.dim);
    canvas.part(left).rule(area.y, &title, '─', theme.rule, theme.dim);
    // An empty row keeps the legend apart from the first lane, where there is room for it.
    let (height, count) = (usize::from(area.height), run.tasks().len());
    let fits = height >= count + 2 || height < count + 1;
    let head = if fits && height > 12 + run.lanes().len().min(20) { 2 } else { 1 };
    let (_, tasks_area) = cut_top(left, head);
    let (_, lanes_area) = cut_top(right, head);
    tasks(canvas, tasks_area, scene, race, run);
    let all = words::counted(run.lanes().len() as u64, "lane", "lanes");
    let visible = lanes_shown(lanes_area.height, run.lanes().len());
    let legend = Legend::of(&[run], race.plan().workload, scene.now);
    let hidden = words::counted((run.lanes().len() - visible) as u64, "lane", "lanes");
    let long = format!("{} of {all}", words::count(visible as u64));
    // What the colours mean matters more.
    let fits = usize::from(right.width) > text::width(&long) + 3 + usize::from(legend.width());
    let title = match run.lanes().len() - visible {
        0 => all,
        _ if fits => long,
        _ => format!("+{hidden}"),
    };
    canvas.part(right).rule(area.y, &title, '─', theme.rule, theme.dim);
    let titled = u16::try_from(text::width(&title)).unwrap_or(u16::MAX).saturating_add(3).max(12);
    let row = Rect { height: 1, ..cut_left(right, titled).1 };
    legend.paint(canvas, row, theme);
    lanes(canvas, lanes_area, scene, race, shown);
}

/// The first task that is shown: where the person scrolled to, or such that the tasks in progress are seen.
fn first_task(scene: &Scene<'_>, run: &RunState, rows: usize) -> usize {
    let tasks = run.tasks().len();
    let most = tasks.saturating_sub(rows);
    match scene.ui.scroll {
        Some(first) => first.min(most),
        None if run.wall().is_some() => 0,
        None => {
            let over = run.counts().over() as usize;
            over.saturating_sub(2).min(most)
        }
    }
}

fn tasks(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, race: &RaceState, run: &RunState) {
    let count = run.tasks().len();
    let all_fit = count <= usize::from(area.height);
    let rows = if all_fit { count } else { usize::from(area.height.saturating_sub(1)) };
    let first = first_task(scene, run, rows);
    let digits = u16::try_from(count.to_string().len()).unwrap_or(6);
    for (index, row) in (first..count.min(first + rows)).zip(area.y..) {
        task_row(canvas, Rect { y: row, height: 1, ..area }, scene, race, run, TaskId::of(index), digits);
    }
    if !all_fit && area.height > 0 {
        let (above, below) = (first, count.saturating_sub(first + rows));
        let more = more(above, below);
        let counts = run.counts();
        let rest = match run.wall() {
            Some(_) => more,
            None => format!(
                "{more} · {} active, {} queued",
                words::count(u64::from(counts.active)),
                words::count(u64::from(run.waiting()))
            ),
        };
        canvas.text(area.x + 1, area.bottom() - 1, area.width.saturating_sub(2), &rest, scene.theme.dim);
    }
}

fn task_row(
    canvas: &mut Canvas<'_>,
    row: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    run: &RunState,
    task: TaskId,
    digits: u16,
) {
    let theme = scene.theme;
    let Some(state) = run.tasks().get(task.index()) else { return };
    let name = race.plan().tasks.get(task.index()).map_or("", |task| task.name.as_str());
    let (y, right) = (row.y, row.right().saturating_sub(1));
    canvas.text_right(row.x + 1 + digits, y, digits, &(task.0 + 1).to_string(), theme.dim);
    let x = row.x + digits + 2;
    let name_width = (row.width * 3 / 8).clamp(6, 22);
    let resting = matches!(state.stage, Stage::Planned | Stage::Queued);
    canvas.text(x, y, name_width, name, if resting { theme.dim } else { theme.base });
    let x = x + name_width + 1;
    let stage = state.stage.called_in(race.plan().workload);
    canvas.text(right.saturating_sub(11), y, 11, stage, theme.stage(state.stage));
    let bar_area = Rect { x, y, width: right.saturating_sub(12).saturating_sub(x), height: 1 };
    match (state.stage, state.fraction()) {
        (Stage::Planned | Stage::Queued, _) => {
            bar(canvas, bar_area, 0.0, Weight::Line, theme.base, theme.track)
        }
        (stage, Some(fraction)) => {
            let style = match stage {
                Stage::Active(_) => theme.phase(Phase::Receiving).bg(theme.base.bg.unwrap_or_default()),
                other => theme.stage(other),
            };
            bar(canvas, bar_area, fraction, Weight::Line, style, theme.track);
        }
        (_, None) if state.bytes > 0 && state.length.is_none() => {
            unknown_bar(canvas, bar_area, theme.dim);
            let bytes = words::bytes(state.bytes);
            let whole = format!("{bytes} of ? ");
            let words = if whole.len() <= usize::from(bar_area.width) { whole } else { bytes };
            canvas.text(bar_area.x, y, bar_area.width, &words, theme.base);
        }
        (_, None) => bar(canvas, bar_area, 0.0, Weight::Line, theme.base, theme.track),
    }
}

/// How many of so many lanes have a row of their own in a block so high: all of them, or as many as leave a row that
/// counts all. The axis has the last row.
fn lanes_shown(height: u16, lanes: usize) -> usize {
    let rows = usize::from(height.saturating_sub(1));
    if lanes <= rows { lanes } else { rows.saturating_sub(1) }
}

/// The lanes of one run, on an axis of their own.
fn lanes(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, race: &RaceState, of: &Shown<'_>) {
    let (theme, colour, run) = (scene.theme, scene.theme.run(of.run.hue()), of.run);
    let (Some(start), Some(until)) = (run.started(), run.until(scene.now)) else {
        canvas.text(area.x + 1, area.y, area.width, words::not_begun(race), theme.dim);
        return;
    };
    let count = run.lanes().len();
    let digits = u16::try_from(count.to_string().len()).unwrap_or(6);
    let (rows, axis_row) = cut_bottom(area, 1);
    let shown = lanes_shown(area.height, count);
    let all_fit = shown == count;
    let gutter = if all_fit { digits + 2 } else { (digits + 2).max(4) };
    let window = scene.window_of(race, of.id);
    let cells = Rect { x: rows.x + gutter, width: rows.width.saturating_sub(gutter + 1), ..rows };
    let time = Axis::new(window, cells);
    let first = scene.ui.scroll.unwrap_or(0).min(count.saturating_sub(shown));
    let pitch = LanePitch::of(rows.height, count);
    let mut y = rows.y;
    for index in first..first + shown {
        let Some(state) = run.lanes().get(index) else { break };
        let number = (LaneId::of(index).0 + 1).to_string();
        canvas.text_right(cells.x - 1, y, digits, &number, theme.dim);
        let painted = LaneRow { axis: &time, run, lane: state, start, until, theme };
        painted.paint(canvas, y..y + pitch.painted);
        painted.paint_tasks(canvas, y);
        paint_playhead(canvas, &time, y..y + pitch.painted, scene, run);
        y += pitch.painted + pitch.gap;
    }
    if !all_fit && rows.height > 0 {
        let row = Rect { y, height: 1, ..cells };
        density(canvas, &time, row, run.in_progress(), (start, until), run.plan().workers, colour);
        canvas.text_right(cells.x - 1, y, 3, "all", theme.dim);
        y += 1;
    }
    y = (y - pitch.gap.min(y - rows.y)).min(axis_row.y);
    axis(canvas, &time, y, theme.rule, theme.dim);
    let left = axis_row.bottom().saturating_sub(y + 2);
    if all_fit && left >= 3 && run.plan().workers > 1 {
        let peak = run.in_progress().peak();
        let title = format!("tasks in progress, at most {}", words::count(u64::from(peak)));
        canvas.text(cells.x, y + 2, cells.width, &title, theme.dim);
        let strip = Rect { y: y + 3, height: (left - 1).min(8), ..cells };
        density(
            canvas,
            &time,
            strip,
            run.in_progress(),
            (start, until),
            run.plan().workers.max(peak),
            colour,
        );
    }
}

/// Paints the playhead over rows of lanes: right after the last cell in which something has happened, so that
/// it hides none of it.
pub(super) fn paint_playhead(
    canvas: &mut Canvas<'_>,
    time: &Axis,
    rows: std::ops::Range<u16>,
    scene: &Scene<'_>,
    run: &RunState,
) {
    let Some(at) = scene.playhead_in(run).and_then(|moment| time.column(moment)) else { return };
    let x = (at + 1).min(time.columns().end.saturating_sub(1));
    for y in rows {
        canvas.mark(x, y, PLAYHEAD, scene.theme.playhead);
    }
}

/// How many rows a lane takes: as many as there is room for, so that few lanes are seen from afar.
struct LanePitch {
    painted: u16,
    gap: u16,
}

impl LanePitch {
    fn of(rows: u16, lanes: usize) -> LanePitch {
        let lanes = u16::try_from(lanes.max(1)).unwrap_or(u16::MAX);
        match rows / lanes {
            0 | 1 => LanePitch { painted: 1, gap: 0 },
            2 => LanePitch { painted: 1, gap: 1 },
            3 | 4 => LanePitch { painted: 2, gap: 1 },
            _ => LanePitch { painted: 3, gap: 1 },
        }
    }
}
