//! The page *Results*: the figures of every run, the gauges, how the time was used, what set it, and what each
//! word means.

use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use crate::event::WorkloadKind;
use crate::model::{RaceState, RunStatus};
use crate::report::scaling::Sweep;
use crate::report::words::{self, Glyphs};
use crate::report::{RunSummary, Summary};
use crate::stats::Latencies;
use crate::text;
use crate::tui::canvas::{Canvas, cut_top};

use super::counter::{counter_rows, counters};
use super::gauges::gauges;
use super::{Scene, name_columns, repeats, scaling, usage};

/// A figure of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
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
        let bytes = summary.brings_bytes();
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
        // It has no figures yet, nor zeros.
        if run.status == RunStatus::Waiting {
            return none();
        }
        let apart = run.cpu_told_apart();
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
            Figure::User => apart.map_or_else(none, |cpu| words::seconds(cpu.user)),
            Figure::System => apart.map_or_else(none, |cpu| words::seconds(cpu.system)),
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

/// From so many rows on, the parts that tell of rounds stand apart.
const ROUNDS_APART: u16 = 30;

/// A part of the page.
pub(super) enum Part {
    /// What the rounds of each executor say together.
    Rounds,
    /// Every round's wall time, with so many rows for each executor.
    Clouds(u16),
    /// What is to be said of the rounds: the runs that stand out, and what follows.
    Said {
        notes: Vec<String>,
        verdict: Vec<String>,
    },
    /// The counters of the rounds in which most was lost.
    WorstCounters,
    /// The figures of the runs that stand for their executors' rounds.
    Median(Vec<Figure>),
    Runs(Vec<Figure>),
    Latency(Vec<Figure>),
    Counters,
    Gauges(Vec<String>),
    GoesOn,
    Time,
    Critical,
    Words(Vec<(&'static str, String)>),
}

/// The page is as long as it has to be; the screen shows a part of it, and says how much more there is.
pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState) {
    let (theme, area) = (scene.theme, canvas.area());
    if let Some(sweep) = Sweep::of(race.plan()) {
        scaling::draw(canvas, scene, race, &sweep);
        return;
    }
    let Some(summary) = scene.summary else {
        canvas.text(area.x + 2, area.y + 1, area.width, "no run has ended yet", theme.dim);
        return;
    };
    let parts = parts(race, summary, area);
    let all = rows_of(&parts);
    let below = below(all, area.height);
    let first = u16::try_from(scene.ui.results_scroll).unwrap_or(u16::MAX).min(below);
    let whole = Rect { x: 0, y: 0, width: area.width, height: all };
    let mut empty = Cell::default();
    empty.set_style(theme.base);
    let mut buffer = Buffer::filled(whole, empty);
    let mut page = Canvas::new(&mut buffer, whole);
    let mut rest = whole;
    for (rows, part) in parts {
        let (place, below) = cut_top(rest, rows);
        rest = below;
        match part {
            Part::Rounds => repeats::figures(&mut page, place, scene, summary),
            Part::Clouds(pitch) => repeats::clouds(&mut page, place, scene, summary, pitch),
            Part::Said { notes, verdict } => repeats::said(&mut page, place, scene, &notes, &verdict),
            Part::WorstCounters => repeats::worst_counters(&mut page, place, scene, race, summary),
            Part::Median(of) => figures(&mut page, place, scene, summary, Rows::Median, &of),
            Part::Runs(of) => figures(&mut page, place, scene, summary, Rows::Runs, &of),
            Part::Latency(of) => figures(&mut page, place, scene, summary, Rows::Latency, &of),
            Part::Counters => counters(&mut page, place, scene, race, ("counter", &scene.runs(race))),
            Part::Gauges(verdict) => gauges(&mut page, place, scene, summary, &verdict),
            Part::GoesOn => {
                let words = "the race goes on; the gauges follow when it is over";
                page.text(place.x + 2, place.y, place.width, words, theme.dim);
            }
            Part::Time => usage::time(&mut page, place, scene, summary, race),
            Part::Critical => usage::critical(&mut page, place, scene, summary, race),
            Part::Words(lines) => defined(&mut page, place, scene, &lines),
        }
    }
    canvas.paste(&buffer, first, area);
    if below > 0 && area.height > 0 {
        scrolled(canvas.part(area), scene, first, below - first);
    }
}

/// Says in the last row of an area how many lines of a page are above and below those that are shown.
pub(super) fn scrolled(mut canvas: Canvas<'_>, scene: &Scene<'_>, above: u16, below: u16) {
    let words = match below {
        0 => format!("↑ {}", words::counted(u64::from(above), "line", "lines")),
        more => format!("↓ {}", words::counted(u64::from(more), "more line", "more lines")),
    };
    let last = canvas.area().bottom().saturating_sub(1);
    canvas.rule(last, &words, '─', scene.theme.rule, scene.theme.dim);
}

/// How far the page can be scrolled, and how many of its rows a screen shows at once.
pub fn results_extent(scene: &Scene<'_>, area: Rect) -> (usize, usize) {
    let Some((race, summary)) = scene.race.zip(scene.summary) else { return (0, 1) };
    let (below, shown) = match Sweep::of(race.plan()) {
        Some(sweep) => scaling::figures_extent(scene, race, &sweep, area),
        None => {
            (below(rows_of(&parts(race, summary, area)), area.height), area.height.saturating_sub(1).max(1))
        }
    };
    (usize::from(below), usize::from(shown))
}

/// A page that is longer than its area leaves the last row to the words that say so.
fn below(all: u16, height: u16) -> u16 {
    if all <= height { 0 } else { all - height.saturating_sub(1) }
}

fn rows_of(parts: &[(u16, Part)]) -> u16 {
    parts.iter().fold(0, |all, (rows, _)| all.saturating_add(*rows))
}

/// What the page has, each part with its rows. Where there is room, they stand apart; those of rounds have to be
/// scrolled on any screen.
fn parts(race: &RaceState, summary: &Summary, area: Rect) -> Vec<(u16, Part)> {
    let columns = area.width;
    let mut parts = match summary.repeats() {
        true => repeats::parts(race, summary, area),
        false => of_runs(race, summary, columns),
    };
    parts.push((usage::time_rows(summary), Part::Time));
    parts.push((usage::critical_rows(summary), Part::Critical));
    let words = words_of(summary, columns);
    parts.push((rows(words.len()) + 1, Part::Words(words)));
    parts.retain(|(rows, _)| *rows > 0);
    let rounds = summary.repeats() && area.height >= ROUNDS_APART;
    if rounds || rows_of(&parts).saturating_add(rows(parts.len())) <= area.height {
        parts.iter_mut().for_each(|(rows, _)| *rows = rows.saturating_add(1));
    }
    parts
}

/// The figures of the runs that stand for their executors' rounds, as many as there are columns for.
pub(super) fn median_runs(summary: &Summary, columns: u16) -> (u16, Part) {
    let of = fitting(&Figure::of_tasks(summary), columns.saturating_sub(names(summary, columns)));
    (rows(summary.groups.len()) + 1, Part::Median(of))
}

pub(super) fn rows(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn of_runs(race: &RaceState, summary: &Summary, columns: u16) -> Vec<(u16, Part)> {
    let runs = rows(summary.runs.len());
    let of_tasks = Figure::of_tasks(summary);
    let whole = [Figure::RUN.as_slice(), &of_tasks].concat();
    let names = names(summary, columns);
    let needed = names + WORKERS + whole.iter().map(|figure| figure.head().1).sum::<u16>();
    let mut parts = Vec::new();
    let latency = if needed < columns {
        parts.push((runs + 1, Part::Runs(whole)));
        None
    } else {
        let of_run = fitting(&Figure::RUN, columns.saturating_sub(names + WORKERS));
        parts.push((runs + 1, Part::Runs(of_run)));
        Some((runs + 1, Part::Latency(fitting(&of_tasks, columns.saturating_sub(names)))))
    };
    // A counter race is about its counters more than about latencies.
    let (latency, later) = if counter_rows(race) == 0 { (latency, None) } else { (None, latency) };
    parts.extend(latency);
    parts.push((counter_rows(race), Part::Counters));
    if race.is_over() {
        let verdict = text::wrap(&summary.verdict(), usize::from(columns.saturating_sub(4)));
        parts.push((runs + 1 + rows(verdict.len()), Part::Gauges(verdict)));
    } else {
        parts.push((2, Part::GoesOn));
    }
    parts.extend(later);
    parts
}

/// Paints the figures of all runs in the upper part of an area; returns the row after the last.
pub(super) fn tables(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary) -> u16 {
    let lines = rows(summary.groups.len()).saturating_add(1);
    let of_tasks = Figure::of_tasks(summary);
    let names = names(summary, area.width);
    let (above, rest) = cut_top(area, lines);
    let of_runs = fitting(&Figure::RUN, area.width.saturating_sub(names + WORKERS));
    if summary.repeats() {
        // What the rounds have in common stands above, by number of workers; one run's own would contradict it.
        let told = [Figure::Wall, Figure::Speedup, Figure::Improvement, Figure::Efficiency];
        let others: Vec<Figure> = of_runs.into_iter().filter(|figure| !told.contains(figure)).collect();
        figures(canvas, above, scene, summary, Rows::Median, &others);
    } else {
        figures(canvas, above, scene, summary, Rows::Runs, &of_runs);
    }
    let (below, rest) = cut_top(rest, lines);
    let of_tasks = fitting(&of_tasks, area.width.saturating_sub(names));
    figures(canvas, below, scene, summary, Rows::Latency, &of_tasks);
    rest.y
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
    for (run, y) in summary.typical().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, names - 2, &run.label, theme.run(run.hue));
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

/// What the figures of a race mean, as lines for so many columns, each with its term where that begins.
fn words_of(summary: &Summary, columns: u16) -> Vec<(&'static str, String)> {
    let mut words = Vec::new();
    for (term, definition) in summary.definitions() {
        let lines = text::wrap(definition, usize::from(columns.saturating_sub(22)));
        words.extend(lines.into_iter().enumerate().map(|(i, line)| (if i == 0 { *term } else { "" }, line)));
    }
    words
}

fn defined(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, lines: &[(&str, String)]) {
    let theme = scene.theme;
    canvas.part(area).rule(area.y, "what the words mean", '─', theme.rule, theme.dim);
    for ((term, line), y) in lines.iter().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, 17, term, theme.strong);
        canvas.text(area.x + 20, y, area.width.saturating_sub(21), line, theme.dim);
    }
}
