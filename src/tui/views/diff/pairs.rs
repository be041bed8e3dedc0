//! The pairs of a comparison: each as two bars on one axis, A over B, and its ratio with its interval.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::report::diff::{Diff, Pair, Side, times};
use crate::report::words;
use crate::stats::compare::{Difference, Estimate};
use crate::tui::canvas::{Canvas, cut_top};
use crate::tui::theme::{Theme, level_glyph};
use crate::tui::views::name_columns;
use crate::tui::widgets::{Axis, Window, axis};

use super::DiffScene;

/// Where the columns of the pairs stand.
struct Columns {
    name: u16,
    bars: Rect,
    /// The right edge of the wall times.
    wall: u16,
    /// The right edge of the ratios.
    ratio: u16,
    chart: Option<Rect>,
}

impl Columns {
    fn of(area: Rect, diff: &Diff) -> Columns {
        let name = name_columns(diff.pairs.iter().map(|pair| pair.label.as_str()), 8, 20);
        let name = name.min(area.width / 4);
        let chart = match area.width {
            _ if diff.pairs.iter().all(|pair| pair.wall.compared.is_err()) => 0,
            ..64 => 0,
            64..100 => 17,
            100..160 => 29,
            _ => 45,
        };
        let left = area.x + name + 5;
        let ratio = area.right().saturating_sub(chart + 3);
        let wall = ratio.saturating_sub(9);
        let bars = Rect { x: left, width: wall.saturating_sub(9).saturating_sub(left), ..area };
        let chart = Rect { x: ratio + 2, width: chart, ..area };
        Columns { name, bars, wall, ratio, chart: Some(chart).filter(|chart| chart.width > 0) }
    }
}

/// How far the chart of ratios reaches to each side of 1, as a natural logarithm.
fn reach(diff: &Diff) -> f64 {
    let ends = diff.pairs.iter().filter_map(|pair| pair.wall.ratio()).flat_map(|ratio| {
        let interval = ratio.interval.map_or([ratio.value; 2], |interval| [interval.low, interval.high]);
        interval.into_iter().chain([ratio.value])
    });
    let far = ends.filter(|end| *end > 0.0).map(|end| end.ln().abs()).filter(|far| far.is_finite());
    far.fold(1.25_f64.ln(), f64::max)
}

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>, pitch: usize) {
    let theme = scene.theme;
    let columns = Columns::of(area, scene.diff);
    let sides = [Side::A, Side::B];
    let walls = scene.diff.pairs.iter().flat_map(|pair| {
        sides.into_iter().filter_map(|side| {
            let run = scene.run(pair, side)?;
            run.elapsed(scene.races.of(side).last_moment())
        })
    });
    let time = Axis::new(Window::until(walls.max().unwrap_or_default()), columns.bars);
    let (row, rest) = cut_top(area, 1);
    let reach = reach(scene.diff);
    axis(canvas, &time, row.y, theme.rule, theme.dim);
    canvas.text_right(columns.wall, row.y, 9, "wall", theme.dim);
    canvas.text_right(columns.ratio, row.y, 8, "A ÷ B", theme.dim);
    if let Some(chart) = columns.chart {
        let far = reach.exp();
        let (slower, faster) = match chart.width {
            29.. => {
                (format!("{}× slower", words::ratio(1.0 / far)), format!("faster {}×", words::ratio(far)))
            }
            _ => ("slower".to_owned(), "faster".to_owned()),
        };
        canvas.text(chart.x, row.y, chart.width / 2, &slower, theme.dim);
        canvas.text_right(chart.right(), row.y, chart.width / 2, &faster, theme.dim);
    }
    let fit = usize::from(rest.height) / pitch;
    let first = (scene.at() + 1).saturating_sub(fit.max(1));
    for ((place, pair), slot) in scene.diff.pairs.iter().enumerate().skip(first).zip(0..fit) {
        let y = rest.y + u16::try_from(slot * pitch).unwrap_or(u16::MAX);
        let selected = place == scene.at();
        let mark = if selected { "▸ " } else { "  " };
        canvas.text(rest.x, y, 2, mark, theme.strong);
        let colour = scene.run(pair, Side::A).map_or(theme.base, |run| theme.run(run.hue()));
        canvas.text(rest.x + 2, y, columns.name, &pair.label, colour);
        for (side, y) in sides.into_iter().zip(y..) {
            let letter = if side == Side::A { "A" } else { "B" };
            canvas.text(rest.x + columns.name + 3, y, 1, letter, theme.strong);
            let style = if side == Side::A { theme.dim } else { colour };
            let Some(run) = scene.run(pair, side) else { continue };
            let now = scene.races.of(side).last_moment();
            if let (Some(start), Some(until)) = (run.started(), run.until(now)) {
                let most = pair.workers.a.max(pair.workers.b).min(peak(scene, pair));
                for x in time.columns() {
                    let (from, to) = time.cell(x, start);
                    if from >= until {
                        break;
                    }
                    let share = run.in_progress().mean(from, to.min(until)) / f64::from(most);
                    // An eighth stays free, so that A and B stay apart.
                    canvas.glyph(x, y, level_glyph(share.min(1.0) * 0.875), style);
                }
            }
            let wall = pair.wall.median.of(side).map_or_else(|| "-".to_owned(), words::seconds);
            canvas.text_right(columns.wall, y, 10, &wall, theme.strong);
        }
        ratio(canvas, y, scene, pair, &columns, reach);
        if selected {
            canvas.style(Rect { y, height: 1, ..rest }, theme.selected);
        }
    }
    let hidden = scene.diff.pairs.len().saturating_sub(fit);
    if hidden > 0 {
        let more = format!(" +{hidden} runs, ↑ ↓ ");
        canvas.text_right(area.x + columns.name + 4, row.y, columns.name + 4, &more, theme.dim);
    }
}

/// The most tasks that were in progress at once on either side.
fn peak(scene: &DiffScene<'_>, pair: &Pair) -> u32 {
    let peak = |side| scene.run(pair, side).map_or(1, |run| run.in_progress().peak());
    peak(Side::A).max(peak(Side::B)).max(1)
}

/// The ratio in words, and with its interval on a logarithmic scale around 1.
fn ratio(canvas: &mut Canvas<'_>, y: u16, scene: &DiffScene<'_>, pair: &Pair, columns: &Columns, reach: f64) {
    let theme = scene.theme;
    let middle = |chart: Rect| chart.x + chart.width / 2;
    for chart in columns.chart.into_iter() {
        canvas.glyph(middle(chart), y, '│', theme.rule);
        canvas.glyph(middle(chart), y + 1, '│', theme.rule);
    }
    let Some(estimate) = pair.wall.ratio() else {
        canvas.text_right(columns.ratio, y + 1, 8, "-", theme.dim);
        return;
    };
    let roomy = columns.chart.is_some_and(|chart| chart.width >= 29);
    let (word, style) = difference_word(estimate, theme, roomy);
    let ratio = times(estimate.value);
    canvas.text_right(columns.ratio, y + 1, 9, &ratio, theme.strong);
    let Some(chart) = columns.chart else { return };
    canvas.text(middle(chart) + 2, y, chart.width / 2, word, style);
    let column = |ratio: f64| {
        let half = f64::from(chart.width / 2);
        let offset = (ratio.ln() / reach * half).clamp(-half, half).round();
        (f64::from(middle(chart)) + offset) as u16
    };
    if let Some(interval) = estimate.interval {
        let (low, high) = (column(interval.low), column(interval.high));
        for x in low..=high {
            canvas.glyph(x, y + 1, '─', style);
        }
        canvas.glyph(low, y + 1, '├', style);
        canvas.glyph(high, y + 1, '┤', style);
    }
    canvas.glyph(column(estimate.value), y + 1, '◆', theme.strong);
}

fn difference_word(estimate: Estimate, theme: &Theme, roomy: bool) -> (&'static str, Style) {
    match estimate.difference() {
        Difference::Faster => ("faster", theme.good),
        Difference::Slower => ("slower", theme.bad),
        Difference::NotTold if roomy => ("can't be told", theme.warn),
        Difference::NotTold => ("equal?", theme.warn),
        Difference::TooFew if roomy => ("too few runs", theme.dim),
        Difference::TooFew => ("luck?", theme.dim),
    }
}
