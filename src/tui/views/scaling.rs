//! The page *Results* of a race that sweeps: speedup against workers, the laws fitted to it, and what follows.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::{Hue, RaceState, RunStatus};
use crate::report::scaling::{
    SCALING_DEFINITIONS, Scale, Sweep, coherency_words, contention_words, knee_words, limit_words,
    peak_words, residual_words, serial_words,
};
use crate::report::words::{self, Glyphs};
use crate::report::{DEFINITIONS, Scaling, so_far};
use crate::stats::scaling::Knee;
use crate::text;
use crate::tui::canvas::{Canvas, cut_bottom, cut_left, cut_top};
use crate::tui::theme::Theme;
use crate::tui::widgets::{Dash, Plot, curve_sample};

use super::{Scene, results};

/// The fewest columns that have room for the panel beside the chart.
const BESIDE: u16 = 110;

/// Rows for the workers' axis and its numbers.
const FOOT: u16 = 2;

/// Columns for the numbers of the speedups, with the axis.
const GUTTER: u16 = 7;

/// Columns for what an entry of the panel is called, with its sample.
const TERM: u16 = 17;

/// What the page says, and where.
struct Page<'a> {
    scaling: Cow<'a, Scaling>,
    /// The sentence that says what came of it, in lines.
    said: Vec<String>,
    /// The panel's, beside the chart or below it.
    lines: Vec<PanelLine>,
    beside: bool,
    chart: Rect,
    sentence: Rect,
    panel_below: Rect,
    /// Where the figures are, and how many of their lines are above; none where the screen has no room for them
    /// until somebody scrolls.
    figures: Option<(Rect, usize)>,
    /// Whether the figures have taken the chart's place.
    over_chart: bool,
}

impl<'a> Page<'a> {
    fn of(scene: &Scene<'a>, race: &RaceState, sweep: &Sweep, area: Rect) -> Page<'a> {
        let scaling = match scene.summary.and_then(|summary| summary.scaling.as_ref()) {
            Some(scaling) => Cow::Borrowed(scaling),
            None => Cow::Owned(Scaling::planned(race.plan(), sweep)),
        };
        let said = words(scene, race, &scaling);
        let said = text::wrap(&said, usize::from(area.width.saturating_sub(4)));
        let said_rows = u16::try_from(said.len()).unwrap_or(2).min(3);
        let beside = area.width >= BESIDE;
        let entries = if beside { entries(&scaling, area.width) } else { brief(&scaling) };
        let lines = laid_out(&entries, panel_width(area.width));
        let panel_rows = u16::try_from(lines.len()).unwrap_or(0);
        let (chart_rows, below) = if beside {
            let rows = (area.height * 3 / 5).max(panel_rows + 1);
            (rows.min(area.height.saturating_sub(said_rows + 1)), 0)
        } else {
            // A low screen keeps a chart that can be read, and gives up the last of the entries.
            let all = area.height.saturating_sub(said_rows + panel_rows);
            let chart = if area.height > 34 { area.height / 2 } else { all.max(10) };
            let chart = chart.min(area.height.saturating_sub(said_rows));
            (chart, panel_rows.min(area.height.saturating_sub(said_rows + chart)))
        };
        let scrolled = scene.ui.results_scroll;
        let (chart, rest) = cut_top(area, chart_rows);
        let (mut sentence, rest) = cut_top(rest, said_rows);
        let (panel_below, rest) = cut_top(rest, below);
        let roomy = rest.height >= 5;
        // Where there is no room below the chart, the figures take its place when somebody scrolls.
        let over_chart = !roomy && scrolled > 0;
        let figures = if roomy {
            Some((cut_top(rest, 1).1, scrolled))
        } else if over_chart {
            let (above, end) = cut_bottom(area, said_rows);
            sentence = end;
            Some((cut_top(above, 1).1, scrolled - 1))
        } else {
            None
        };
        Page { scaling, said, lines, beside, chart, sentence, panel_below, figures, over_chart }
    }
}

fn panel_width(columns: u16) -> u16 {
    match columns {
        150.. => 66,
        BESIDE.. => 52,
        narrow => narrow.saturating_sub(2),
    }
}

/// How far the figures can be scrolled, and how many of their lines a screen shows at once.
pub(super) fn figures_extent(scene: &Scene<'_>, race: &RaceState, sweep: &Sweep, area: Rect) -> (u16, u16) {
    let page = Page::of(scene, race, sweep, area);
    let (_, lines) = paper(scene, &page.scaling, area.width);
    // Where they are seen only when somebody scrolls, one step takes them into sight.
    let (height, before) = match page.figures {
        Some((figures, _)) => (figures.height, u16::from(page.over_chart)),
        None => (area.height.saturating_sub(page.sentence.height + 1), 1),
    };
    let shown = if lines <= height { height } else { height.saturating_sub(1) };
    (lines.saturating_sub(shown) + before, shown.max(1))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, scene: &Scene<'_>, race: &RaceState, sweep: &Sweep) {
    let area = canvas.area();
    let page = Page::of(scene, race, sweep, area);
    let scaling = &*page.scaling;
    let title = format!(
        "speedup against workers: {}, {} {}",
        sweep.executor,
        words::count(race.plan().tasks.len() as u64),
        race.plan().noun
    );
    canvas.part(area).rule(page.chart.y, &title, '─', scene.theme.rule, scene.theme.dim);
    if !page.over_chart {
        let chart_area = cut_top(page.chart, 1).1;
        let (chart_area, panel) = match page.beside {
            true => cut_left(chart_area, chart_area.width.saturating_sub(panel_width(area.width) + 1)),
            false => (chart_area, page.panel_below),
        };
        chart(canvas, chart_area, scene, race, (sweep, scaling));
        paint_entries(canvas, panel, &page.lines, scene.theme);
    }
    let sentence = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..page.sentence };
    canvas.lines(sentence, &page.said, scene.theme.strong);
    if let Some((figures, skipped)) = page.figures {
        document(canvas, figures, scene, scaling, skipped);
    }
    if !page.beside {
        let free = area.x + 2 + u16::try_from(text::width(&title)).unwrap_or(u16::MAX);
        let hint = if page.figures.is_none() { " ↓ figures " } else { "" };
        curve_names(canvas, page.chart, free, (scaling, hint), scene.theme);
    }
}

/// Names the curves that have no entry below the chart, against the right edge of the row above it, as far as they
/// fit in beside what ends at `free`.
fn curve_names(
    canvas: &mut Canvas<'_>,
    part: Rect,
    free: u16,
    (scaling, hint): (&Scaling, &str),
    theme: &Theme,
) {
    /// Enough to see how either is dashed.
    const SAMPLE: u16 = 2;
    let (row, below) = cut_top(part, 1);
    let columns = |words: &str| u16::try_from(text::width(words)).unwrap_or(u16::MAX);
    let mut right = row.right().saturating_sub(1);
    canvas.text_right(right, row.y, columns(hint), hint, theme.dim);
    right = right.saturating_sub(columns(hint));
    let in_sight = scaling.bound.as_ref().is_some_and(|bound| {
        let parts = bound.parts_from_ideal();
        parts < scaling.most_workers && bound.at(f64::from(parts)) < speedups(scaling, below).most
    });
    let [ideal, bound, ..] = looks(theme);
    // The ideal needs its name least, should there be room for one only.
    let names = [(bound, " bound ", in_sight), (ideal, " ideal ", true)];
    for ((dash, style), name, _) in names.into_iter().filter(|(_, _, seen)| *seen) {
        let wide = 1 + SAMPLE + columns(name);
        if right < free + wide + 2 {
            return;
        }
        right -= wide;
        canvas.text(right, row.y, wide, &" ".repeat(usize::from(wide)), theme.dim);
        curve_sample(canvas, (right + 1, row.y), SAMPLE, dash, style);
        canvas.text(right + 1 + SAMPLE, row.y, columns(name), name, theme.dim);
    }
}

/// What there is to say: the sentence, or how far the sweep is.
fn words(scene: &Scene<'_>, race: &RaceState, scaling: &Scaling) -> String {
    if let Some(sentence) = scaling.sentence() {
        return sentence;
    }
    if race.is_over() {
        return scene.summary.map_or_else(String::new, |summary| summary.verdict());
    }
    let done = scaling.measured.len();
    let so_far = match (race.baseline(), scaling.best()) {
        (Some(one), _) if !one.is_comparable() => {
            format!("; one after the other goes first: {} of {}", one.counts().done, one.tasks().len())
        }
        (_, Some(best)) => {
            let speedup = words::times(best.speedup, Glyphs::Unicode);
            format!("; the best so far: {speedup} with {}", words::count(u64::from(best.workers)))
        }
        _ => String::new(),
    };
    format!("{done} of {} numbers of workers are measured{so_far}", scaling.planned)
}

/// Which curve is dashed how, and in which colour, in the order of [`Scaling::curves`].
fn looks(theme: &Theme) -> [(Dash, Style); 4] {
    [
        (Dash::Dots, theme.dim),
        (Dash::Short, theme.run(Hue::ALL[3])),
        (Dash::Long, theme.run(Hue::ALL[1])),
        (Dash::Solid, theme.run(Hue::ALL[2])),
    ]
}

/// The axis of the speedups in a chart.
fn speedups(scaling: &Scaling, chart: Rect) -> Scale {
    scaling.speedup_axis(usize::from(chart.height.saturating_sub(FOOT) / 3).max(2))
}

fn chart(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    (sweep, scaling): (&Sweep, &Scaling),
) {
    let theme = scene.theme;
    if area.height < 4 || area.width < GUTTER + 10 {
        return;
    }
    let (rows, foot) = cut_bottom(area, FOOT);
    let gutter = area.x + GUTTER;
    let field = Rect { x: gutter, width: area.width.saturating_sub(GUTTER + 2), ..rows };
    let x = scaling.workers_axis(usize::from(field.width / 7).max(2));
    let y = speedups(scaling, area);
    let mut plot = Plot::new(field, (x.most, y.most));
    for row in field.top()..field.bottom() {
        canvas.glyph(gutter - 1, row, '│', theme.rule);
    }
    for tick in y.ticks().skip(1) {
        let Some((_, row)) = plot.cell(0.0, tick) else { continue };
        canvas.glyph(gutter - 1, row, '┤', theme.rule);
        canvas.text_right(gutter - 1, row, GUTTER - 1, &format!("{}×", Scale::words(tick)), theme.dim);
    }
    for (law, (dash, style)) in scaling.curves(plot.pitch()).into_iter().zip(looks(theme)) {
        if let Some(curve) = law {
            plot.curve(&curve.law, curve.from, dash, style);
        }
    }
    plot.paint(canvas);
    points(canvas, &plot, scene, race, (sweep, scaling));
    let tick_row = foot.y;
    for column in gutter..field.right() {
        canvas.glyph(column, tick_row, '─', theme.rule);
    }
    canvas.glyph(gutter - 1, tick_row, '┼', theme.rule);
    canvas.text_right(gutter - 1, tick_row, GUTTER - 1, "0×", theme.dim);
    canvas.text(area.x, tick_row + 1, GUTTER, "workers", theme.dim);
    let knee = knee(canvas, &plot, scaling, tick_row, theme);
    for tick in x.ticks().map(|tick| tick.max(1.0)) {
        let Some((column, _)) = plot.cell(tick, 0.0) else { continue };
        let label = Scale::words(tick);
        let wide = u16::try_from(label.len()).unwrap_or(0);
        let left = column.saturating_sub(wide / 2);
        if knee.start < left + wide && left < knee.end {
            continue;
        }
        canvas.glyph(column, tick_row, '┬', theme.rule);
        if left > gutter {
            canvas.text(left, tick_row + 1, wide, &label, theme.dim);
        }
    }
}

/// What was measured, with what it lies between where there are several runs; and the run under way.
fn points(
    canvas: &mut Canvas<'_>,
    plot: &Plot,
    scene: &Scene<'_>,
    race: &RaceState,
    (sweep, scaling): (&Sweep, &Scaling),
) {
    let theme = scene.theme;
    let under_way = race.running().and_then(|id| Some((id, race.runs().get(id.index())?)));
    if let (Some((id, run)), Some(baseline)) = (under_way, race.baseline())
        && matches!(run.status(), RunStatus::Running { .. })
        && let Some(step) = sweep.steps.iter().find(|step| step.runs.contains(&id))
        && let Some((x, y)) =
            so_far(baseline, run).and_then(|speedup| plot.cell(f64::from(step.workers), speedup))
    {
        canvas.glyph(x, y, '○', theme.warn);
    }
    for of in &scaling.measured {
        let workers = f64::from(of.workers);
        let ends = (plot.cell(workers, of.speedup.least), plot.cell(workers, of.speedup.most));
        if let (Some((x, low)), Some((_, high))) = ends {
            for y in high..=low {
                if high < low {
                    canvas.glyph(x, y, '┃', theme.strong);
                }
            }
        }
        if let Some((x, y)) = plot.cell(workers, of.speedup.median) {
            canvas.glyph(x, y, '●', theme.strong);
        }
    }
}

/// Marks the knee: a line from its point down to the axis, and the word below. Returns the columns of the word, none
/// without a knee in the plot.
fn knee(canvas: &mut Canvas<'_>, plot: &Plot, scaling: &Scaling, axis: u16, theme: &Theme) -> Range<u16> {
    let Some(Knee::At { workers, speedup }) = scaling.knee else { return 0..0 };
    let Some((x, y)) = plot.cell(f64::from(workers), speedup) else { return 0..0 };
    for row in y + 1..axis {
        canvas.glyph(x, row, '┊', theme.good);
    }
    canvas.glyph(x, axis, '▴', theme.good);
    let label = format!(" {workers} knee ");
    let wide = u16::try_from(label.len()).unwrap_or(0);
    let number = u16::try_from(workers.to_string().len()).unwrap_or(0);
    let left = x.saturating_sub(number / 2 + 1).min(canvas.area().right().saturating_sub(wide));
    canvas.text(left, axis + 1, wide, &label, theme.good);
    left..left + wide
}

/// What stands before an entry of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    Nothing,
    Glyph(char),
    /// The curve at that place of [`looks`].
    Curve(usize),
}

/// An entry of the panel: its sample, what it is called, and what is said of it.
type Entry = (Sample, &'static str, Vec<String>);

/// The entries for a wide screen, each on lines of its own.
fn entries(scaling: &Scaling, columns: u16) -> Vec<Entry> {
    let mut entries = vec![(Sample::Glyph('●'), "measured", vec![best_words(scaling)])];
    if scaling.measured.iter().any(|of| of.speedup.least < of.speedup.most) {
        entries.push((Sample::Glyph('┃'), "rounds", vec!["their least and most".to_owned()]));
    }
    entries.push((Sample::Curve(0), "ideal", vec!["as many times as workers".to_owned()]));
    entries.extend(scaling.bound_words().map(|words| (Sample::Curve(1), "bound", vec![words])));
    entries.extend(fits(scaling));
    entries.push((Sample::Glyph('▴'), "knee", vec![knee_said(scaling)]));
    if columns >= 150 {
        entries.push((Sample::Nothing, "", vec!["in brackets: 95 % confidence intervals".to_owned()]));
    }
    entries
}

/// The entries for a narrow screen, where those that need no words share a line.
fn brief(scaling: &Scaling) -> Vec<Entry> {
    let mut entries = fits(scaling);
    entries.insert(0, (Sample::Glyph('▴'), "knee", vec![knee_words(scaling.knee), best_words(scaling)]));
    entries
}

fn knee_said(scaling: &Scaling) -> String {
    match scaling.knee {
        Some(Knee::At { .. }) => format!("{}, 95 % of the best", knee_words(scaling.knee)),
        knee => knee_words(knee),
    }
}

fn best_words(scaling: &Scaling) -> String {
    match scaling.best() {
        Some(best) => {
            let speedup = words::times(best.speedup, Glyphs::Unicode);
            format!("best {speedup} with {}", words::count(u64::from(best.workers)))
        }
        None => "nothing yet".to_owned(),
    }
}

/// The laws with their parameters, and the Karp-Flatt shares.
fn fits(scaling: &Scaling) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Some(fit) = &scaling.amdahl {
        let words = vec![serial_words(fit), limit_words(fit), residual_words(fit.residual)];
        entries.push((Sample::Curve(2), "Amdahl", words));
    }
    if let Some(fit) = &scaling.usl {
        let peak = peak_words(fit, scaling.most_workers);
        let words = vec![contention_words(fit), coherency_words(fit), peak, residual_words(fit.residual)];
        entries.push((Sample::Curve(3), "USL", words));
    }
    if let Some(words) = scaling.karp_flatt_words() {
        entries.push((Sample::Nothing, "Karp-Flatt", words.split("; ").map(str::to_owned).collect()));
    }
    if let Some(caution) = scaling.caution() {
        let words = caution.trim_start_matches("caution: ").split("; ").map(str::to_owned);
        entries.push((Sample::Glyph('!'), "caution", words.collect()));
    }
    entries
}

/// A line of the panel: the sample and the term where an entry begins, and words.
type PanelLine = (Sample, &'static str, String);

/// Entries broken into lines of so many columns, their words kept whole.
fn laid_out(entries: &[Entry], columns: u16) -> Vec<PanelLine> {
    let room = usize::from(columns.saturating_sub(TERM));
    let mut lines = Vec::new();
    for (sample, term, words) in entries {
        let mut line = String::new();
        let mut head = (*sample, *term);
        for word in words.iter().flat_map(|words| text::wrap(words, room)) {
            let joint = if line.is_empty() { "" } else { ", " };
            if !line.is_empty() && text::width(&line) + joint.len() + text::width(&word) > room {
                lines.push((head.0, head.1, std::mem::take(&mut line)));
                head = (Sample::Nothing, "");
                line.push_str(&word);
            } else {
                line.push_str(joint);
                line.push_str(&word);
            }
        }
        lines.push((head.0, head.1, line));
    }
    lines
}

fn paint_entries(canvas: &mut Canvas<'_>, area: Rect, lines: &[PanelLine], theme: &Theme) {
    for ((sample, term, words), y) in lines.iter().zip(area.top()..area.bottom()) {
        let x = area.x + 1;
        match *sample {
            Sample::Nothing => {}
            Sample::Glyph(glyph) => {
                let style = match glyph {
                    '▴' => theme.good,
                    '!' => theme.warn,
                    _ => theme.strong,
                };
                canvas.glyph(x + 1, y, glyph, style);
            }
            Sample::Curve(place) => {
                if let Some(&(dash, style)) = looks(theme).get(place) {
                    curve_sample(canvas, (x, y), 4, dash, style);
                }
            }
        }
        canvas.text(x + 5, y, TERM - 6, term, theme.strong);
        canvas.text(x + TERM - 1, y, area.width.saturating_sub(TERM), words, theme.base);
    }
}

/// The figures by number of workers, those of every run, and what the words mean, scrolled so many lines.
fn document(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, scaling: &Scaling, scrolled: usize) {
    let (page, used) = paper(scene, scaling, area.width);
    let whole = used <= area.height;
    let shown = if whole { area } else { cut_bottom(area, 1).0 };
    let most = used.saturating_sub(shown.height);
    let first = u16::try_from(scrolled).unwrap_or(u16::MAX).min(most);
    canvas.paste(&page, first, shown);
    if !whole && area.height > 0 {
        results::scrolled(canvas.part(area), scene, first, most - first);
    }
}

/// The figures and their definitions as one long page, and how many lines of it are used.
fn paper(scene: &Scene<'_>, scaling: &Scaling, width: u16) -> (Buffer, u16) {
    let columns = usize::from(width.saturating_sub(22));
    let meanings = SCALING_DEFINITIONS.iter().chain(DEFINITIONS);
    let definitions: Vec<(&str, String)> = meanings
        .flat_map(|(term, definition)| {
            let lines = text::wrap(definition, columns).into_iter().enumerate();
            lines.map(move |(index, line)| (if index == 0 { *term } else { "" }, line))
        })
        .collect();
    let runs = scene.summary.map_or(0, |summary| summary.runs.len());
    let rows = (scaling.measured.len() + 2) + 2 * (runs + 1) + 2 + definitions.len();
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(2_000);
    let whole = Rect { x: 0, y: 0, width, height: rows };
    let mut page = Buffer::empty(whole);
    let mut paper = Canvas::new(&mut page, whole);
    paper.clear(whole, scene.theme.base);
    let mut y = points_table(&mut paper, scene, scaling) + 1;
    if let Some(summary) = scene.summary {
        y = results::tables(&mut paper, Rect { y, height: rows.saturating_sub(y), ..whole }, scene, summary)
            + 1;
    }
    paper.rule(y, "what the words mean", '─', scene.theme.rule, scene.theme.dim);
    for ((term, line), y) in definitions.iter().zip(y + 1..) {
        paper.text(2, y, 17, term, scene.theme.strong);
        paper.text(20, y, width.saturating_sub(21), line, scene.theme.dim);
    }
    let used = y.saturating_add(1 + u16::try_from(definitions.len()).unwrap_or(0)).min(rows);
    (page, used)
}

/// A row for each number of workers; returns the row after the last.
fn points_table(canvas: &mut Canvas<'_>, scene: &Scene<'_>, scaling: &Scaling) -> u16 {
    const HEADS: [&str; 8] =
        ["workers", "wall", "speedup", "efficiency", "bound", "Amdahl", "USL", "Karp-Flatt"];
    const WIDTHS: [u16; 8] = [8, 12, 9, 12, 9, 9, 8, 12];
    let theme = scene.theme;
    let rows = scaling.rows();
    if rows.is_empty() {
        canvas.text(2, 0, canvas.area().width, "nothing is measured yet", theme.dim);
        return 1;
    }
    let heads = [HEADS.map(str::to_owned)];
    for ((index, row), y) in heads.iter().chain(&rows).enumerate().zip(0..) {
        let mut right = 0;
        for ((place, cell), wide) in row.iter().enumerate().zip(WIDTHS) {
            right += wide;
            let style = match (index, place) {
                (0, _) => theme.dim,
                (_, 2) => theme.strong,
                _ => theme.base,
            };
            canvas.text_right(right, y, wide, cell, style);
        }
    }
    1 + u16::try_from(rows.len()).unwrap_or(0)
}
