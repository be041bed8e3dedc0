//! The page *Results*: the figures of every run, the gauges, and what each word means.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::event::WorkloadKind;
use crate::model::RaceState;
use crate::report::words::{self, Glyphs};
use crate::report::{RunSummary, Summary};
use crate::stats::Latencies;
use crate::text;
use crate::tui::canvas::{Canvas, cut_top};

use super::counter::{counter_rows, counters};
use super::gauges::gauges;
use super::{Scene, name_columns, repeats};

/// A figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Wall,
    Speedup,
    Improvement,
    Efficiency,
    Peak,
    TaskRate,
    Throughput,
    Bytes,
    Cpu,
    User,
    System,
    Processors,
    Memory,
    Retries,
    NotDone,
    Mean,
    P50,
    P95,
    Max,
}

impl Figure {
    /// Of the run as a whole.
    const RUN: [Figure; 7] = [
        Figure::Wall,
        Figure::Speedup,
        Figure::Improvement,
        Figure::Efficiency,
        Figure::Peak,
        Figure::Retries,
        Figure::NotDone,
    ];
    /// Of its tasks: their latency, the bytes that they brought, and what it took of the machine.
    const TASKS: [Figure; 11] = [
        Figure::Mean,
        Figure::P50,
        Figure::P95,
        Figure::Max,
        Figure::Throughput,
        Figure::Bytes,
        Figure::Cpu,
        Figure::User,
        Figure::System,
        Figure::Processors,
        Figure::Memory,
    ];
    /// The first to go where the screen is narrow: those that matter least, or follow from others.
    const SPARE: [Figure; 11] = [
        Figure::Retries,
        Figure::User,
        Figure::System,
        Figure::Bytes,
        Figure::Processors,
        Figure::Peak,
        Figure::Throughput,
        Figure::Efficiency,
        Figure::NotDone,
        Figure::P50,
        Figure::Mean,
    ];

    /// The figures of a race's tasks: bytes where tasks move them, and how many tasks a second where not, or
    /// where what a task brings is an answer.
    fn of_tasks(summary: &Summary) -> Vec<Figure> {
        let bytes = summary.runs.iter().any(|run| run.bytes > 0);
        let calls = summary.workload == WorkloadKind::Api;
        let swapped = Figure::TASKS.into_iter().map(|figure| match figure {
            Figure::Throughput if calls || !bytes => Figure::TaskRate,
            other => other,
        });
        swapped.filter(|figure| bytes || *figure != Figure::Bytes).collect()
    }

    /// The column's head and width.
    fn head(self) -> (&'static str, u16) {
        match self {
            Figure::Wall => ("wall", 9),
            Figure::Speedup => ("speedup", 9),
            Figure::Improvement => ("improvement", 12),
            Figure::Efficiency => ("efficiency", 11),
            Figure::Peak => ("peak", 5),
            Figure::TaskRate => ("tasks/s", 12),
            Figure::Throughput => ("throughput", 12),
            Figure::Bytes => ("bytes", 9),
            Figure::Cpu => ("cpu time", 12),
            Figure::User => ("user", 9),
            Figure::System => ("system", 9),
            Figure::Processors => ("processors", 11),
            Figure::Memory => ("memory", 9),
            Figure::Retries => ("retries", 8),
            Figure::NotDone => ("not done", 9),
            Figure::Mean | Figure::P50 | Figure::P95 | Figure::Max => (self.latency_head(), 8),
        }
    }

    fn latency_head(self) -> &'static str {
        match self {
            Figure::Mean => "mean",
            Figure::P50 => "p50",
            Figure::P95 => "p95",
            _ => "max",
        }
    }

    fn words(self, run: &RunSummary) -> String {
        let none = || "–".to_owned();
        let latency = |pick: fn(&Latencies) -> Duration| {
            run.latency.as_ref().map_or_else(none, |latency| words::seconds(pick(latency)))
        };
        match self {
            Figure::Wall => run.wall.map_or_else(none, words::seconds),
            Figure::Speedup => {
                run.speedup.map_or_else(none, |speedup| words::times(speedup, Glyphs::Unicode))
            }
            Figure::Improvement => run.improvement.map_or_else(none, words::saved),
            Figure::Efficiency => run.efficiency.map_or_else(none, words::percent),
            Figure::Peak => words::count(u64::from(run.peak_concurrency)),
            Figure::TaskRate => run.tasks_per_second.map_or_else(none, words::ratio),
            Figure::Throughput => run.bytes_per_second.map_or_else(none, words::rate),
            Figure::Bytes => words::bytes(run.bytes),
            Figure::Cpu => run.cpu.map_or_else(none, |cpu| words::seconds(cpu.all())),
            Figure::User => run.cpu.map_or_else(none, |cpu| words::seconds(cpu.user)),
            Figure::System => run.cpu.map_or_else(none, |cpu| words::seconds(cpu.system)),
            Figure::Processors => run.processors.map_or_else(none, words::ratio),
            Figure::Memory => run.peak_memory.map_or_else(none, words::bytes),
            Figure::Retries => words::count(u64::from(run.counts.retries)),
            Figure::NotDone => words::count(u64::from(run.counts.not_done())),
            Figure::Mean => latency(|latency| latency.mean),
            Figure::P50 => latency(|latency| latency.p50),
            Figure::P95 => latency(|latency| latency.p95),
            Figure::Max => latency(|latency| latency.max),
        }
    }
}

/// Columns for the names of a table's rows, at least.
const NAMES: u16 = 12;

/// Columns for the number of workers.
const WORKERS: u16 = 8;

/// What the first column of a table says above its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Runs, with their workers.
    Runs,
    /// The latency of the same runs.
    Latency,
    /// The runs that stand for their executors' rounds, with the figures of their tasks.
    Median,
}

/// The figures of the runs that stand for their executors' rounds, as many as there are columns for.
pub(super) fn median_runs(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary) {
    let room = area.width.saturating_sub(names(summary, area.width));
    figures(canvas, area, scene, summary, Rows::Median, &fitting(&Figure::of_tasks(summary), room));
}

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let (theme, area) = (scene.theme, canvas.area());
    let Some(summary) = scene.summary else {
        canvas.text(area.x + 2, area.y + 1, area.width, "no run has ended yet", theme.dim);
        return;
    };
    if summary.repeats() {
        return repeats::draw(canvas, scene, race, summary);
    }
    let rows = u16::try_from(summary.runs.len()).unwrap_or(u16::MAX).saturating_add(1);
    let of_tasks = Figure::of_tasks(summary);
    let whole = [Figure::RUN.as_slice(), &of_tasks].concat();
    let names = names(summary, area.width);
    let columns = names + WORKERS + whole.iter().map(|figure| figure.head().1).sum::<u16>();
    let (table, mut rest) = cut_top(area, rows);
    if columns < area.width {
        figures(canvas, table, scene, summary, Rows::Runs, &whole);
    } else {
        figures(
            canvas,
            table,
            scene,
            summary,
            Rows::Runs,
            &fitting(&Figure::RUN, area.width.saturating_sub(names + WORKERS)),
        );
        // What a counter race is about needs the rows more than its latencies.
        if counter_rows(race) == 0 || rest.height >= 3 * rows + 3 {
            let (table, below) = cut_top(rest, rows);
            figures(
                canvas,
                table,
                scene,
                summary,
                Rows::Latency,
                &fitting(&of_tasks, area.width.saturating_sub(names)),
            );
            rest = below;
        }
    }
    let (block, below) = cut_top(rest, counter_rows(race));
    counters(canvas, block, scene, race, ("counter", &scene.runs(race)));
    rest = below;
    if rest.height > rows + 8 {
        rest = cut_top(rest, 1).1;
    }
    if race.is_over() {
        let verdict = text::wrap(&summary.verdict(), usize::from(rest.width.saturating_sub(4)));
        let (end, below) = cut_top(rest, rows + u16::try_from(verdict.len()).unwrap_or(2));
        gauges(canvas, end, scene, summary, &verdict);
        rest = below;
    } else {
        let (row, below) = cut_top(rest, 2);
        let words = "the race goes on; the gauges follow when it is over";
        canvas.text(row.x + 2, row.y, row.width, words, theme.dim);
        rest = below;
    }
    if rest.height > 10 + rows {
        rest = cut_top(rest, 1).1;
    }
    if rest.height >= 3 {
        definitions(canvas, rest, scene, summary);
    }
}

/// Columns for the names of a table's rows, where there is room for long ones.
pub(super) fn names(summary: &Summary, columns: u16) -> u16 {
    let labels = summary.groups.iter().map(|group| group.label.as_str());
    if columns >= 72 { name_columns(labels, NAMES - 2, 20) + 2 } else { NAMES }
}

/// The figures that so many columns beside the names have room for.
fn fitting(figures: &[Figure], columns: u16) -> Vec<Figure> {
    let mut kept = figures.to_vec();
    for spare in Figure::SPARE {
        let needed = kept.iter().map(|figure| figure.head().1).sum::<u16>();
        if needed > columns {
            kept.retain(|&figure| figure != spare);
        }
    }
    kept
}

fn figures(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    summary: &Summary,
    rows: Rows,
    figures: &[Figure],
) {
    let theme = scene.theme;
    let names = names(summary, area.width);
    let mut left = area.x + names;
    match rows {
        Rows::Runs => {
            canvas.text(area.x + 2, area.y, names, "executor", theme.dim);
            left += WORKERS;
            canvas.text_right(left, area.y, 8, "workers", theme.dim);
        }
        Rows::Latency => {
            canvas.text(area.x + 2, area.y, names, "latency", theme.dim);
        }
        Rows::Median => {
            canvas.text(area.x + 2, area.y, names, "median run", theme.dim);
        }
    }
    let mut x = left;
    for figure in figures {
        let (head, width) = figure.head();
        canvas.text_right(x + width, area.y, width, head, theme.dim);
        x += width;
    }
    for ((place, run), y) in summary.typical().enumerate().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, names - 2, &run.label, theme.run(place));
        if rows == Rows::Runs {
            canvas.text_right(left, y, 8, &run.workers.to_string(), theme.base);
        }
        let mut x = left;
        for &figure in figures {
            let width = figure.head().1;
            let style = match figure {
                Figure::Wall | Figure::Speedup => theme.strong,
                Figure::NotDone if run.counts.not_done() > 0 => theme.bad,
                _ => theme.base,
            };
            canvas.text_right(x + width, y, width, &figure.words(run), style);
            x += width;
        }
    }
}

pub(super) fn definitions(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary) {
    let theme = scene.theme;
    canvas.part(area).rule(area.y, "what the words mean", '─', theme.rule, theme.dim);
    let columns = usize::from(area.width.saturating_sub(22));
    let mut lines = Vec::new();
    for (term, definition) in summary.definitions() {
        for (index, line) in text::wrap(definition, columns).into_iter().enumerate() {
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
