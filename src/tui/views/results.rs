//! The page *Results*: the figures of every run, the gauges, and what each word means.

use ratatui::layout::Rect;

use crate::model::RaceState;
use crate::report::words::{self, Glyphs};
use crate::report::{DEFINITIONS, RunSummary, Summary};
use crate::tui::canvas::{Canvas, cut_top, wrap};

use super::Scene;
use super::race::gauges;

/// The columns: a head, a width, and whether narrow screens go without it.
const COLUMNS: [(&str, u16, bool); 12] = [
    ("wall", 10, false),
    ("speedup", 8, false),
    ("efficiency", 11, true),
    ("mean", 8, false),
    ("p50", 8, true),
    ("p95", 8, false),
    ("max", 8, true),
    ("throughput", 11, true),
    ("bytes", 9, true),
    ("peak", 5, false),
    ("retries", 8, true),
    ("failed", 7, false),
];

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let (theme, area) = (scene.theme, canvas.area());
    let Some(summary) = scene.summary else {
        canvas.text(area.x + 2, area.y + 1, area.width, "no run has ended yet", theme.dim);
        return;
    };
    let (table, rest) =
        cut_top(area, u16::try_from(summary.runs.len()).unwrap_or(u16::MAX).saturating_add(2));
    figures(canvas, table, scene, summary);
    let words = if race.is_over() {
        wrap(&summary.verdict(), usize::from(rest.width.saturating_sub(4)))
    } else {
        vec!["The race goes on; the gauges follow when it is over.".to_owned()]
    };
    let gauge_rows = u16::try_from(summary.runs.len() + 1 + words.len()).unwrap_or(u16::MAX);
    let (end, rest) = cut_top(rest, gauge_rows);
    if race.is_over() {
        gauges(canvas, end, scene, summary, &words);
    } else {
        canvas.text(end.x + 2, end.y + 1, end.width, &words[0], theme.dim);
    }
    if rest.height >= 3 {
        definitions(canvas, rest, scene);
    }
}

fn figures(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary) {
    let theme = scene.theme;
    let full: u16 = 24 + COLUMNS.iter().map(|column| column.1).sum::<u16>();
    let shown: Vec<_> =
        COLUMNS.iter().enumerate().filter(|(_, column)| area.width >= full || !column.2).collect();
    canvas.text(area.x + 2, area.y, 12, "executor", theme.dim);
    canvas.text_right(area.x + 23, area.y, 8, "workers", theme.dim);
    let mut x = area.x + 24;
    for &(_, &(head, width, _)) in &shown {
        canvas.text_right(x + width, area.y, width, head, theme.dim);
        x += width;
    }
    for (run, y) in summary.runs.iter().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, 13, &run.label, theme.run(run.executor));
        canvas.text_right(area.x + 23, y, 8, &run.workers.to_string(), theme.base);
        let mut x = area.x + 24;
        for &(index, &(_, width, _)) in &shown {
            let words = figure(index, run);
            let style = match index {
                0 | 1 => theme.strong,
                11 if run.counts.not_done() > 0 => theme.bad,
                _ => theme.base,
            };
            canvas.text_right(x + width, y, width, &words, style);
            x += width;
        }
    }
}

fn figure(column: usize, run: &RunSummary) -> String {
    let none = || "–".to_owned();
    let latency = |pick: fn(&crate::stats::Latencies) -> std::time::Duration| {
        run.latency.as_ref().map_or_else(none, |latency| words::seconds(pick(latency)))
    };
    match column {
        0 => run.wall.map_or_else(none, words::seconds),
        1 => run.speedup.map_or_else(none, |speedup| words::times(speedup, Glyphs::Unicode)),
        2 => run.efficiency.map_or_else(none, words::percent),
        3 => latency(|latency| latency.mean),
        4 => latency(|latency| latency.p50),
        5 => latency(|latency| latency.p95),
        6 => latency(|latency| latency.max),
        7 => run.bytes_per_second.map_or_else(none, words::rate),
        8 => words::bytes(run.bytes),
        9 => words::count(u64::from(run.peak_concurrency)),
        10 => words::count(u64::from(run.counts.retries)),
        _ => words::count(u64::from(run.counts.not_done())),
    }
}

fn definitions(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    canvas.part(area).rule(area.y, "what the words mean", '─', theme.rule, theme.dim);
    let columns = usize::from(area.width.saturating_sub(22));
    let mut lines = Vec::new();
    for (term, definition) in DEFINITIONS {
        for (index, line) in wrap(definition, columns).into_iter().enumerate() {
            lines.push((if index == 0 { *term } else { "" }, line));
        }
    }
    let room = usize::from(area.height - 1);
    let first = scene.ui.results_scroll.min(lines.len().saturating_sub(room));
    for ((term, line), y) in lines.iter().skip(first).zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, 17, term, theme.strong);
        canvas.text(area.x + 20, y, area.width.saturating_sub(21), line, theme.dim);
    }
    let below = lines.len().saturating_sub(first + room);
    if below > 0 {
        canvas.text_right(area.right() - 1, area.y, 30, &format!(" +{below} lines, ↓ "), theme.dim);
    }
}
