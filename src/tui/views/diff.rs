//! The page of two races side by side: each pair of runs on one axis, A over B; the ratio with its interval; and
//! of the pair that is looked at, what can be told, its lanes, the tasks that moved, its figures.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::RunId;
use crate::model::{RaceState, RunState};
use crate::report::diff::{
    Both, DEFINITIONS, Diff, Fate, Pair, Side, change, moved_row, tasks_words, times, wall_words,
};
use crate::report::words;
use crate::stats::compare::{Difference, Estimate};
use crate::text;
use crate::tui::canvas::{Canvas, cut_bottom, cut_left, cut_top};
use crate::tui::theme::{Theme, level_glyph};
use crate::tui::ui::{DiffPanel, DiffSight};
use crate::tui::widgets::{Axis, LaneRow, Window, axis};

use super::{Line, name_columns};

/// What the page of a comparison is painted from.
pub struct DiffScene<'a> {
    /// The comparison.
    pub diff: &'a Diff,
    /// The two races.
    pub races: Both<&'a RaceState>,
    /// What they are called; foreign text.
    pub names: Both<&'a str>,
    /// What the keyboard has set.
    pub sight: DiffSight,
    /// What leaves the page, in the footer.
    pub leave: (&'static str, &'static str),
    /// How things look.
    pub theme: &'a Theme,
}

impl DiffScene<'_> {
    /// The place of the pair that is looked at.
    fn at(&self) -> usize {
        self.sight.at.min(self.diff.pairs.len().saturating_sub(1))
    }

    /// The first run of a pair on one side.
    fn run(&self, pair: &Pair, side: Side) -> Option<&RunState> {
        let first: RunId = *pair.runs.of(side).first()?;
        self.races.of(side).runs().get(first.index())
    }
}

/// Paints the page on a whole frame.
pub fn draw_diff(buffer: &mut Buffer, scene: &DiffScene<'_>) {
    let area = buffer.area;
    let mut canvas = Canvas::new(buffer, area);
    canvas.clear(area, scene.theme.base);
    if area.width < 30 || area.height < 4 {
        let words = scene.diff.pairs.get(scene.at()).map_or("no run is in both".to_owned(), |pair| {
            let ratio = pair.wall.ratio.map_or("-".to_owned(), |ratio| times(ratio.value));
            format!("{} {ratio}", pair.label)
        });
        canvas.text(area.x, area.y, area.width, &words, scene.theme.strong);
        return;
    }
    let (mut body, foot) = cut_bottom(area, u16::from(area.height >= 8));
    footer(&mut canvas, foot, scene);
    body = head(&mut canvas, body, scene);
    let pairs = scene.diff.pairs.len();
    if pairs == 0 {
        canvas.text(
            body.x + 2,
            body.y,
            body.width,
            "no run is in both: there is nothing to compare",
            scene.theme.warn,
        );
        return;
    }
    // The pairs have what they need, as long as that leaves a part of the page to the one that is looked at.
    let rows = |pitch: usize| u16::try_from(1 + pairs * pitch).unwrap_or(u16::MAX);
    let most = (body.height * 3 / 5).max(3);
    let pitch = if rows(3) <= most.min(body.height.saturating_sub(26)) { 3 } else { 2 };
    let (overview, detail) = cut_top(body, rows(pitch).min(most));
    draw_pairs(&mut canvas, overview, scene, pitch);
    draw_detail(&mut canvas, detail, scene);
}

/// Title, the two races, and in what they are not the same; returns what is left.
fn head(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>) -> Rect {
    let theme = scene.theme;
    let mut y = area.y;
    let x = canvas.text(area.x, y, area.width, " threadrace diff", theme.name_of_program()) + 2;
    let room = area.right().saturating_sub(x + 1);
    canvas.text(x, y, room, &told(scene.diff), theme.strong);
    y += 1;
    let names = name_columns([scene.names.a, scene.names.b].into_iter(), 1, area.width / 2);
    for (letter, race, name) in [("A", scene.races.a, scene.names.a), ("B", scene.races.b, scene.names.b)] {
        let x = canvas.text(area.x + 1, y, 2, letter, theme.strong) + 1;
        canvas.text(x, y, names, name, theme.base);
        let x = x + names + 2;
        let plan = race.plan();
        let machine = format!("{} {}, {} processors", plan.machine.os, plan.machine.arch, plan.machine.cpus);
        let tasks = words::count(plan.tasks.len() as u64);
        let delays = words::delays(plan.time_scale).map_or_else(String::new, |delays| format!("{delays}, "));
        let about =
            format!("{}, {tasks} {}, {delays}seed {}, {machine}", plan.scenario, plan.noun, plan.seed);
        canvas.text(x, y, area.right().saturating_sub(x + 1), &about, theme.dim);
        y += 1;
    }
    let most = if area.height >= 30 { 5 } else { 2 };
    let unlike = &scene.diff.unlike;
    for (place, reason) in unlike.iter().enumerate() {
        if place + 1 == most && unlike.len() > most {
            let more = format!("and {} more reasons not to compare them; ? has them", unlike.len() - place);
            canvas.text(area.x + 3, y, area.width.saturating_sub(4), &more, theme.warn);
            y += 1;
            break;
        }
        canvas.text(area.x + 1, y, 1, "!", theme.warn);
        canvas.text(area.x + 3, y, area.width.saturating_sub(4), &reason.to_string(), theme.warn);
        y += 1;
    }
    let only: Vec<String> = [("A", &scene.diff.only.a), ("B", &scene.diff.only.b)]
        .into_iter()
        .filter(|(_, labels)| !labels.is_empty())
        .map(|(side, labels)| format!("in {side} alone: {}", labels.join(", ")))
        .collect();
    if !only.is_empty() {
        canvas.text(area.x + 3, y, area.width.saturating_sub(4), &only.join("; "), theme.dim);
        y += 1;
    }
    cut_top(area, y - area.y).1
}

/// In how many runs B was faster, slower, or no difference can be told.
fn told(diff: &Diff) -> String {
    let of = |wanted: Difference| {
        diff.pairs.iter().filter(|pair| pair.wall.ratio.is_some_and(|it| it.difference() == wanted)).count()
    };
    if of(Difference::TooFew) == diff.pairs.len() && !diff.pairs.is_empty() {
        let single = diff.pairs.iter().all(|pair| pair.wall.rounds == Both { a: 1, b: 1 });
        let few = if single { "one run of each" } else { "so few rounds" };
        return format!("{few} can't tell luck from truth; race with --repeat 10");
    }
    let runs = |count: usize| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    let counted = [
        (of(Difference::Faster), "B was faster in"),
        (of(Difference::Slower), "B was slower in"),
        (of(Difference::NotTold), "no difference can be told in"),
        (of(Difference::TooFew), "too few runs to tell luck from truth in"),
    ];
    let words: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{words} {}", runs(count)))
        .collect();
    words.join("; ")
}

fn footer(canvas: &mut Canvas<'_>, row: Rect, scene: &DiffScene<'_>) {
    let theme = scene.theme;
    let help = match scene.sight.panel {
        DiffPanel::Pair => "what the words mean",
        DiffPanel::Words => "back to the runs",
    };
    let mut x = row.x + 1;
    for (keys, does) in [("↑ ↓", "run"), ("PgUp PgDn", "scroll"), ("?", help), ("t", "theme"), scene.leave]
    {
        let width = u16::try_from(text::width(keys) + text::width(does) + 1).unwrap_or(u16::MAX);
        if x.saturating_add(width) <= row.right() {
            x = canvas.text(x, row.y, width, keys, theme.strong) + 1;
            x = canvas.text(x, row.y, width, does, theme.dim) + 2;
        }
    }
}

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
    let ends = diff.pairs.iter().filter_map(|pair| pair.wall.ratio).flat_map(|ratio| {
        let interval = ratio.interval.map_or([ratio.value; 2], |interval| [interval.low, interval.high]);
        interval.into_iter().chain([ratio.value])
    });
    let far = ends.filter(|end| *end > 0.0).map(|end| end.ln().abs()).filter(|far| far.is_finite());
    far.fold(1.25_f64.ln(), f64::max)
}

fn draw_pairs(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>, pitch: usize) {
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
        let colour = scene
            .run(pair, Side::A)
            .map_or(theme.base, |run| theme.run(super::race::place_of(scene.races.a, run)));
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
    let Some(estimate) = pair.wall.ratio else {
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

/// The pair that is looked at, or what the words mean.
fn draw_detail(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>) {
    let theme = scene.theme;
    let Some(pair) = scene.diff.pairs.get(scene.at()).filter(|_| area.height >= 2) else { return };
    let workers = match pair.workers {
        Both { a: 1, b: 1 } => "1 worker".to_owned(),
        Both { a, b } if a == b => format!("{a} workers"),
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
        let (left, right) = cut_left(body, body.width * 3 / 5);
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
        return vec![vec![("no task took another time".to_owned(), theme.dim)]];
    }
    let name = usize::from(area.width).saturating_sub(53).clamp(10, 40);
    let row = |cells: &[String; 5]| -> [String; 5] {
        let [first, a, b, longer, was] = cells;
        [pad(first, name), pad_left(a, 10), pad_left(b, 10), pad_left(longer, 12), format!("  {was}")]
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

fn figure_lines(scene: &DiffScene<'_>, pair: &Pair) -> Vec<Line> {
    let theme = scene.theme;
    let row = |name: &str, a: &str, b: &str, change: &str| {
        [pad(name, 16), pad_left(a, 10), pad_left(b, 10), pad_left(change, 8)]
    };
    let mut lines: Vec<Line> = vec![row("figure", "A", "B", "change").map(|cell| (cell, theme.dim)).to_vec()];
    for figure in &pair.figures {
        let changed = figure.change().map_or_else(|| "-".to_owned(), change);
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
