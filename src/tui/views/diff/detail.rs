//! The pair that is looked at: what can be told, its lanes, the tasks that moved, its figures.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::report::diff::{Both, DEFINITIONS, Fate, Pair, Side, change, moved_row, tasks_words, wall_words};
use crate::report::words;
use crate::text;
use crate::tui::canvas::{Canvas, cut_left, cut_top};
use crate::tui::ui::DiffPanel;
use crate::tui::views::Line;
use crate::tui::widgets::{Axis, LaneRow, Window, axis};

use super::DiffScene;

/// The pair that is looked at, or what the words mean.
pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>) {
    let theme = scene.theme;
    let Some(pair) = scene.diff.pairs.get(scene.at()).filter(|_| area.height >= 2) else { return };
    let workers = match pair.workers {
        Both { a, b } if a == b => words::workers(a),
        Both { a, b } => format!("{a} and {b} workers"),
    };
    let title = match scene.sight.panel {
        DiffPanel::Pair => format!("{}: {workers}", pair.label),
        DiffPanel::Words => "what the words mean".to_owned(),
    };
    canvas.part(area).rule(area.y, &title, '─', theme.rule, theme.dim);
    let (_, mut body) = cut_top(area, 1);
    let width = usize::from(body.width.saturating_sub(4));
    if scene.sight.panel == DiffPanel::Words {
        scrolled(canvas, body, scene, &meanings(scene, width));
        return;
    }
    let sentences: Vec<String> = [wall_words(pair), tasks_words(&pair.tasks)]
        .iter()
        .flat_map(|said| text::wrap(said, width))
        .collect();
    let (said, rest) = cut_top(body, u16::try_from(sentences.len()).unwrap_or(u16::MAX));
    for (line, y) in sentences.iter().zip(said.top()..said.bottom()) {
        canvas.text(said.x + 2, y, said.width.saturating_sub(3), line, theme.strong);
    }
    body = rest;
    let lanes: usize =
        [Side::A, Side::B].iter().filter_map(|side| Some(scene.run(pair, *side)?.lanes().len())).sum();
    let wanted = u16::try_from(lanes + 3).unwrap_or(u16::MAX);
    if body.height >= 14 {
        let (timelines, rest) = cut_top(cut_top(body, 1).1, wanted.min(body.height.saturating_sub(8)));
        draw_lanes(canvas, timelines, scene, pair);
        body = cut_top(rest, 1).1;
    }
    if body.width >= 110 {
        let (left, right) = cut_left(body, (body.width * 3 / 5).min(body.width - FIGURES));
        scrolled(canvas, left, scene, &moved_lines(scene, pair, left));
        scrolled(canvas, right, scene, &figure_lines(scene, pair));
    } else {
        let lines = [moved_lines(scene, pair, body), vec![Vec::new()], figure_lines(scene, pair)].concat();
        scrolled(canvas, body, scene, &lines);
    }
}

/// The lanes of A above those of B, on one axis.
fn draw_lanes(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>, pair: &Pair) {
    let theme = scene.theme;
    let gutter = 8;
    let cells = Rect { x: area.x + gutter, width: area.width.saturating_sub(gutter + 1), ..area };
    let sides = [Side::A, Side::B];
    let elapsed =
        |side: Side| scene.run(pair, side).and_then(|run| run.elapsed(scene.races.of(side).last_moment()));
    let longest: Duration = sides.into_iter().filter_map(elapsed).max().unwrap_or_default();
    let time = Axis::new(Window::until(longest), cells);
    axis(canvas, &time, area.y, theme.rule, theme.dim);
    let room = usize::from(area.height.saturating_sub(2));
    let lanes = sides.map(|side| scene.run(pair, side).map_or(0, |run| run.lanes().len()));
    let mut given = lanes.map(|lanes| lanes.min(room / 2));
    given[0] = lanes[0].min(room - given[1]);
    given[1] = lanes[1].min(room - given[0]);
    let mut y = area.y + 1;
    for ((side, lanes), given) in sides.into_iter().zip(lanes).zip(given) {
        let Some(run) = scene.run(pair, side) else { continue };
        let until = run.until(scene.races.of(side).last_moment());
        let (Some(start), Some(until)) = (run.started(), until) else { continue };
        for (index, lane) in run.lanes().iter().take(given).enumerate() {
            let letter = if side == Side::A { "A" } else { "B" };
            if index == 0 {
                canvas.text(area.x + 2, y, 1, letter, theme.strong);
            }
            // The last row says how many more there are.
            let name = match lanes - given {
                more if more > 0 && index + 1 == given => format!("{} +{more}", index + 1),
                _ => (index + 1).to_string(),
            };
            canvas.text_right(cells.x - 1, y, 5, &name, theme.dim);
            let row = LaneRow { axis: &time, run, lane, start, until, theme };
            row.paint(canvas, y..y + 1);
            row.paint_tasks(canvas, y);
            y += 1;
        }
        if side == Side::A {
            y += 1;
        }
    }
}

fn pad(words: &str, columns: usize) -> String {
    let words = text::fit(words, columns);
    format!("{words}{}", " ".repeat(columns.saturating_sub(text::width(&words))))
}

fn pad_left(words: &str, columns: usize) -> String {
    let words = text::fit(words, columns);
    format!("{}{words}", " ".repeat(columns.saturating_sub(text::width(&words))))
}

/// The tasks that moved, with a head.
fn moved_lines(scene: &DiffScene<'_>, pair: &Pair, area: Rect) -> Vec<Line> {
    let theme = scene.theme;
    if pair.tasks.moved.is_empty() {
        let words = if pair.tasks.matched == 0 { "no task to compare" } else { "no task took another time" };
        return vec![vec![(words.to_owned(), theme.dim)]];
    }
    let name = usize::from(area.width).saturating_sub(54).clamp(10, 40);
    let row = |cells: &[String; 5]| -> [String; 5] {
        let [first, a, b, longer, was] = cells;
        [pad(first, name), pad_left(a, 10), pad_left(b, 10), pad_left(longer, 13), format!("  {was}")]
    };
    let head = ["tasks that moved", "A", "B", "longer in B", "B was"].map(str::to_owned);
    let mut lines: Vec<Line> = vec![row(&head).map(|cell| (cell, theme.dim)).to_vec()];
    for moved in &pair.tasks.moved {
        let [first, a, b, longer, was] = row(&moved_row(moved));
        let style = match moved.change() {
            Some((_, times)) if (times - 1.0).abs() < 0.01 => theme.dim,
            Some((longer, _)) if longer < 0.0 => theme.good,
            _ => theme.bad,
        };
        let fate = |fate: Fate| if fate.latency().is_some() { theme.base } else { theme.bad };
        lines.push(vec![
            (first, theme.base),
            (a, fate(moved.fate.a)),
            (b, fate(moved.fate.b)),
            (longer, style),
            (was, theme.dim),
        ]);
    }
    if pair.tasks.more > 0 {
        lines.push(vec![(format!("and {} more", words::count(pair.tasks.more as u64)), theme.dim)]);
    }
    lines
}

/// Columns for a pair's figures, with a gap before them.
const FIGURES: u16 = 50;

fn figure_lines(scene: &DiffScene<'_>, pair: &Pair) -> Vec<Line> {
    let theme = scene.theme;
    let row = |name: &str, a: &str, b: &str, change: &str| {
        [pad(name, 16), pad_left(a, 11), pad_left(b, 11), pad_left(change, 8)]
    };
    let mut lines: Vec<Line> = vec![row("figure", "A", "B", "change").map(|cell| (cell, theme.dim)).to_vec()];
    for figure in &pair.figures {
        let changed = pair.change(figure).map_or_else(|| "-".to_owned(), change);
        let cells = row(figure.name, &figure.words(Side::A), &figure.words(Side::B), &changed);
        lines.push(cells.map(|cell| (cell, theme.base)).to_vec());
    }
    lines
}

fn meanings(scene: &DiffScene<'_>, width: usize) -> Vec<Line> {
    let theme = scene.theme;
    let mut lines: Vec<Line> = Vec::new();
    for unlike in &scene.diff.unlike {
        lines.extend(text::wrap(&unlike.to_string(), width).into_iter().map(|line| vec![(line, theme.warn)]));
    }
    if !lines.is_empty() {
        lines.push(Vec::new());
    }
    for (term, definition) in DEFINITIONS {
        for (index, line) in text::wrap(definition, width.saturating_sub(15)).into_iter().enumerate() {
            let term = if index == 0 { term } else { "" };
            lines.push(vec![(pad(term, 15), theme.strong), (line, theme.base)]);
        }
    }
    lines.push(Vec::new());
    let bars = "A bar is as long as its run took; its height says how many tasks were in progress.";
    lines.extend(text::wrap(bars, width).into_iter().map(|line| vec![(line, theme.dim)]));
    lines
}

fn scrolled(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>, lines: &[Line]) {
    let all_fit = lines.len() <= usize::from(area.height);
    let room = usize::from(area.height.saturating_sub(u16::from(!all_fit)));
    let first = scene.sight.scroll.min(lines.len().saturating_sub(room));
    let below = lines.len().saturating_sub(first + room);
    for (line, y) in lines.iter().skip(first).take(room).zip(area.top()..area.bottom()) {
        let mut x = area.x + 2;
        for (words, style) in line {
            x = canvas.text(x, y, area.right().saturating_sub(x + 1), words, *style);
        }
    }
    if !all_fit && area.height > 1 {
        let more = match (first, below) {
            (0, below) => format!("+{below} lines below"),
            (above, 0) => format!("+{above} lines above"),
            (above, below) => format!("+{above} above, +{below} below"),
        };
        canvas.text(area.x + 2, area.bottom() - 1, area.width.saturating_sub(3), &more, scene.theme.dim);
    }
}
