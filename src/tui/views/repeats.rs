//! The page *Results* of a race that repeats: what the rounds of each executor say together.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::RaceState;
use crate::report::words::{self, Glyphs};
use crate::report::{Group, Summary};
use crate::stats::Difference;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::theme::Theme;
use crate::tui::ui::Shown;
use crate::tui::widgets::{Dots, Looks, Scale, dots, scale};

use super::Scene;
use super::counter::{counter_rows, counters};
use super::gauges::gauge_rows;
use super::results::{Part, median_runs, names, rows};

/// A column of the table: its head, how wide it is at least, and what it says.
struct Column {
    head: &'static str,
    least: u16,
    words: fn(&Group) -> String,
}

/// Columns between a cell and the one before it.
const GAP: usize = 2;

/// The columns, those that matter most first: a narrow screen has the first of them.
const COLUMNS: &[Column] = &[
    Column { head: "rounds", least: 8, words: |group| group.repeats.len().to_string() },
    Column { head: "median wall", least: 13, words: |group| or_dash(group.wall.map(words::seconds_of)) },
    Column {
        head: "95 % interval",
        least: 15,
        words: |group| or_dash(group.wall.and_then(words::seconds_within)),
    },
    Column {
        head: "speedup",
        least: 9,
        words: |group| or_dash(group.speedup.map(|speedup| words::times(speedup.value, Glyphs::Unicode))),
    },
    Column {
        head: "95 % interval",
        least: 15,
        words: |group| or_dash(group.speedup.filter(|_| !group.is_baseline()).and_then(words::ratio_within)),
    },
    Column { head: "difference", least: 16, words: |group| difference(group).to_owned() },
    Column { head: "stand out", least: 11, words: |group| group.outliers().count().to_string() },
    Column {
        head: "least",
        least: 9,
        words: |group| or_dash(group.extremes().map(|(least, _)| words::seconds(least))),
    },
    Column {
        head: "most",
        least: 9,
        words: |group| or_dash(group.extremes().map(|(_, most)| words::seconds(most))),
    },
    Column { head: "efficiency", least: 12, words: |group| or_dash(group.efficiency.map(words::percent)) },
    Column { head: "workers", least: 9, words: |group| group.workers.to_string() },
    Column { head: "left out", least: 10, words: |group| group.left_out.to_string() },
];

fn or_dash(words: Option<String>) -> String {
    words.unwrap_or_else(|| "–".to_owned())
}

fn difference(group: &Group) -> &'static str {
    match group.difference() {
        None => "–",
        Some(Difference::Faster) => "faster",
        Some(Difference::Slower) => "slower",
        Some(Difference::NotTold) => "no difference",
        Some(Difference::TooFew) => "too few rounds",
    }
}

/// The most runs that stand out which have a line each.
const NOTES: usize = 3;

/// What the page has before the parts that all races have, each with its rows. The clouds are as high as they
/// can be without pushing the words that follow from them off an area of that size.
pub(super) fn parts(race: &RaceState, summary: &Summary, area: Rect) -> Vec<(u16, Part)> {
    let groups = rows(summary.groups.len());
    let columns = usize::from(area.width.saturating_sub(4));
    let verdict = match race.is_over() {
        true => text::wrap(&summary.verdict(), columns),
        false => vec!["the race goes on; what follows from the figures comes at its end".to_owned()],
    };
    let notes = notes(summary, columns);
    let lines = rows(verdict.len() + notes.len());
    // What a counter race is about needs the rows more than high clouds.
    let counted = counter_rows(race);
    let pitch = match area.height.saturating_sub(groups + 1 + lines + counted) {
        room if room >= groups.saturating_mul(4).saturating_add(24) => 3,
        room if room >= groups.saturating_mul(2).saturating_add(4) => 2,
        _ => 1,
    };
    vec![
        (groups.saturating_add(1), Part::Rounds),
        (groups.saturating_mul(pitch).saturating_add(2), Part::Clouds(pitch)),
        (lines, Part::Said { notes, verdict }),
        (counted, Part::WorstCounters),
        (gauge_rows(race), Part::Gauges(Vec::new())),
        median_runs(summary, area.width),
    ]
}

pub(super) fn said(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    notes: &[String],
    verdict: &[String],
) {
    let styled = |lines: &[String], style| lines.iter().map(|line| (line.clone(), style)).collect::<Vec<_>>();
    let lines = [styled(notes, scene.theme.warn), styled(verdict, scene.theme.strong)].concat();
    for ((line, style), y) in lines.iter().zip(area.y..area.bottom()) {
        canvas.text(area.x + 2, y, area.width.saturating_sub(3), line, *style);
    }
}

pub(super) fn worst_counters(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    summary: &Summary,
) {
    let worst = |(place, group): (usize, &Group)| {
        Some(Shown { id: group.typical, place, run: race.runs().get(group.typical.index())? })
    };
    let worst: Vec<Shown<'_>> = summary.groups.iter().enumerate().filter_map(worst).collect();
    counters(canvas, area, scene, race, ("worst round", &worst));
}

pub(super) fn figures(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary) {
    let theme = scene.theme;
    let names = names(summary, area.width);
    canvas.text(area.x + 2, area.y, names, "executor", theme.dim);
    let mut x = area.x + names;
    for column in COLUMNS {
        let cells: Vec<String> = summary.groups.iter().map(column.words).collect();
        let widest = cells.iter().map(|cell| text::width(cell)).max().unwrap_or(0);
        let width = column.least.max(u16::try_from(widest + GAP).unwrap_or(u16::MAX));
        if x.saturating_add(width) >= area.right() {
            break;
        }
        x += width;
        canvas.text_right(x, area.y, width, column.head, theme.dim);
        for ((group, cell), y) in summary.groups.iter().zip(&cells).zip(area.y + 1..area.bottom()) {
            canvas.text_right(x, y, width, cell, style(column, group, theme));
        }
    }
    for (group, y) in summary.groups.iter().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, names - 2, &group.label, theme.run(group.hue));
    }
}

fn style(column: &Column, group: &Group, theme: &Theme) -> Style {
    match (column.head, group.difference()) {
        ("median wall" | "speedup", _) => theme.strong,
        ("difference", Some(Difference::Faster)) => theme.good,
        ("difference", Some(Difference::Slower)) => theme.bad,
        ("difference", Some(_)) => theme.warn,
        ("left out", _) if group.left_out > 0 => theme.bad,
        ("stand out", _) if group.outliers().next().is_some() => theme.warn,
        _ => theme.base,
    }
}

/// The runs that stand out, a line each with the likely cause; of many, the first.
fn notes(summary: &Summary, columns: usize) -> Vec<String> {
    let found = summary.groups.iter().flat_map(|group| group.outliers().map(move |found| (group, found)));
    let mut notes: Vec<String> = found
        .map(|(group, (repeat, cause))| {
            let wall = words::seconds(repeat.wall);
            format!("○ {} in round {} took {wall}: {}", group.label, repeat.round, cause.words())
        })
        .collect();
    let more = notes.len().saturating_sub(NOTES);
    if more > 0 {
        notes.truncate(NOTES - 1);
        notes.push(format!("○ {} more stand out", words::count(more as u64 + 1)));
    }
    notes.iter().map(|note| text::fit(note, columns)).collect()
}

/// Every round's wall time on one scale, a cloud for each executor.
pub(super) fn clouds(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, summary: &Summary, pitch: u16) {
    let theme = scene.theme;
    let title = match area.width {
        116.. => {
            "every round’s wall time ● (2: two there), ┃ the median, ├─┤ its 95 % interval, ○ stands out, ╱ a stretch left out"
        }
        _ if pitch == 1 => "● a round’s time (2: two), ┃ or bold: median, ├─┤ interval, ○ stands out",
        _ => "● a round’s wall time (2: two), ┃ median, ├─┤ 95 % interval, ○ stands out",
    };
    canvas.part(area).rule(area.y, title, '─', theme.rule, theme.dim);
    let names = names(summary, area.width);
    let cells = Rect {
        x: area.x + names + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(names + 3),
        height: area.height.saturating_sub(1),
    };
    let walls =
        summary.groups.iter().flat_map(|group| &group.repeats).map(|repeat| repeat.wall.as_secs_f64());
    let Some(time) = Scale::of(walls, cells) else {
        canvas.text(area.x + 2, area.y + 1, area.width, "no round that counts is over yet", theme.dim);
        return;
    };
    let mut y = cells.y;
    for group in &summary.groups {
        let row = Rect { y, height: pitch, ..cells }.intersection(cells);
        if row.height == 0 {
            break;
        }
        canvas.text(area.x + 2, row.bottom() - 1, names - 2, &group.label, theme.run(group.hue));
        let values: Vec<(f64, bool)> = group
            .repeats
            .iter()
            .map(|repeat| (repeat.wall.as_secs_f64(), repeat.outlier.is_some()))
            .collect();
        let within = group.wall.and_then(|wall| wall.interval).map(|within| (within.low, within.high));
        let cloud = Dots { values: &values, median: group.wall.map(|wall| wall.value), within };
        let looks =
            Looks { cloud: theme.run(group.hue), median: theme.strong, odd: theme.warn, faint: theme.rule };
        dots(canvas, &time, row, cloud, looks);
        y += pitch;
    }
    if y < area.bottom() {
        scale(canvas, &time, y, theme.rule, theme.dim);
    }
}
