//! A comparison as a table, Markdown or JSON.

use std::io::{self, BufWriter, Write};

use crate::model::RaceState;
use crate::report::markdown::escaped;
use crate::report::rows::tasks_line;
use crate::report::words::{count, seconds};
use crate::text::{fit, shown, width, wrap};

use super::words::{DEFINITIONS, change, span_of, tasks_words, times, wall_words};
use super::{Both, Diff, Fate, Figure, Moved, Pair, Side, json};

/// No line of the table is wider than this many columns.
const WIDTH: usize = 80;

/// As many tasks that moved are listed of each pair.
const MOVED: usize = 5;

/// How a comparison is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DiffFormat {
    /// Aligned plain text of at most 80 columns, for people.
    #[default]
    #[value(help = None::<&str>)]
    Table,
    /// All of it, for programs; `assets/diff.schema.json` describes it.
    #[value(help = None::<&str>)]
    Json,
    /// The figures and what they mean, for documents.
    #[value(help = None::<&str>)]
    Markdown,
}

/// Writes a comparison of two races, which are called by those names.
///
/// Writes through a buffer of its own and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn write(
    format: DiffFormat,
    diff: &Diff,
    races: Both<&RaceState>,
    names: Both<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    match format {
        DiffFormat::Table => table(diff, races, names, &mut out)?,
        DiffFormat::Json => json::write(diff, races, names, &mut out)?,
        DiffFormat::Markdown => markdown(diff, races, names, &mut out)?,
    }
    out.flush()
}

/// What a race is, in a line: its tasks, its seed, its machine.
fn race_line(race: &RaceState) -> String {
    let (plan, machine) = (race.plan(), &race.plan().machine);
    let machine = format!("{} {}, {} processors", machine.os, machine.arch, machine.cpus);
    format!("{}, {}; seed {}, {machine}", plan.scenario, tasks_line(plan), plan.seed)
}

/// The head of the table of all pairs, and its rows.
fn overview(diff: &Diff) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let head = vec!["run", "A wall", "B wall", "A ÷ B", "95 %", "A speedup", "B speedup"];
    let rows = diff.pairs.iter().map(|pair| {
        let wall = |of: Option<std::time::Duration>| of.map_or_else(|| "-".to_owned(), seconds);
        let estimate = pair.wall.ratio();
        let interval = estimate.and_then(|estimate| estimate.interval);
        let speedup = |side| speedup(pair, side);
        vec![
            pair.label.clone(),
            wall(pair.wall.median.a),
            wall(pair.wall.median.b),
            estimate.map_or_else(|| "-".to_owned(), |estimate| times(estimate.value)),
            interval.map_or_else(|| "-".to_owned(), span_of),
            speedup(Side::A),
            speedup(Side::B),
        ]
    });
    (head, rows.collect())
}

fn speedup(pair: &Pair, side: Side) -> String {
    let figure = pair.figures.iter().find(|figure| figure.name == "speedup");
    figure.map_or_else(|| "-".to_owned(), |figure| figure.words(side))
}

fn figure_row(pair: &Pair, figure: &Figure) -> Vec<String> {
    let change = pair.change(figure).map_or_else(|| "-".to_owned(), change);
    vec![figure.name.to_owned(), figure.words(Side::A), figure.words(Side::B), change]
}

/// What became of a task, in a word or as its latency.
fn fate_words(fate: Fate) -> String {
    match fate {
        Fate::Done(latency) => seconds(latency),
        Fate::Not(stage) => stage.name().to_owned(),
    }
}

/// A task that moved: its name, both latencies, by how long and by how many times.
pub fn moved_row(moved: &Moved) -> [String; 5] {
    let (longer, times) = match moved.change() {
        Some((longer, ratio)) => {
            let sign = if longer < 0.0 { "-" } else { "+" };
            let longer = seconds(std::time::Duration::try_from_secs_f64(longer.abs()).unwrap_or_default());
            let none = |fate: Fate| fate.latency().is_some_and(|latency| latency.is_zero());
            let words = if none(moved.fate.a) != none(moved.fate.b) {
                "no time in one".to_owned()
            } else if ratio >= 1.0 {
                format!("{} as fast", times(ratio))
            } else {
                format!("{} as long", times(1.0 / ratio))
            };
            (format!("{sign}{longer}"), words)
        }
        None => ("-".to_owned(), "not done in both".to_owned()),
    };
    [moved.name.clone(), fate_words(moved.fate.a), fate_words(moved.fate.b), longer, times]
}

/// The tasks that are listed, and how many more moved.
fn listed(pair: &Pair) -> (&[Moved], usize) {
    let moved = &pair.tasks.moved;
    let shown = &moved[..moved.len().min(MOVED)];
    (shown, pair.tasks.more + moved.len() - shown.len())
}

fn table(diff: &Diff, races: Both<&RaceState>, names: Both<&str>, out: &mut dyn Write) -> io::Result<()> {
    for (letter, race, name) in [("A", races.a, names.a), ("B", races.b, names.b)] {
        paragraph(&format!("{letter}  {}: {}", shown(name), shown(&race_line(race))), out)?;
    }
    for unlike in &diff.unlike {
        paragraph(&format!("!  {unlike}"), out)?;
    }
    let (head, rows) = overview(diff);
    writeln!(out)?;
    if rows.is_empty() {
        paragraph("no run is in both", out)?;
    } else {
        aligned(&head, &rows, out)?;
    }
    for (letter, labels) in [("A", &diff.only.a), ("B", &diff.only.b)] {
        if !labels.is_empty() {
            let labels: Vec<String> = labels.iter().map(|label| fit(label, 30)).collect();
            paragraph(&format!("in {letter} alone: {}", labels.join(", ")), out)?;
        }
    }
    for pair in &diff.pairs {
        writeln!(out, "\n{}", fit(&pair.label, WIDTH))?;
        paragraph(&wall_words(pair), out)?;
        paragraph(&tasks_words(&pair.tasks), out)?;
        let figures: Vec<Vec<String>> = pair.figures.iter().map(|figure| figure_row(pair, figure)).collect();
        aligned(&["figure", "A", "B", "change"], &figures, out)?;
        let (moved, more) = listed(pair);
        if !moved.is_empty() {
            let rows: Vec<Vec<String>> = moved.iter().map(|moved| moved_row(moved).to_vec()).collect();
            writeln!(out)?;
            aligned(&["tasks that moved most", "A", "B", "longer in B", "B was"], &rows, out)?;
        }
        if more > 0 {
            writeln!(out, "and {} more", count(more as u64))?;
        }
    }
    Ok(())
}

/// A table whose first column is text, and whose others are numbers.
fn aligned(head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let column = |i: usize| {
        rows.iter()
            .map(|row| row.get(i).map_or(0, |cell| width(cell)))
            .chain([width(head[i])])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(column).collect();
    let room = WIDTH.saturating_sub(widths.iter().skip(1).map(|wide| wide + 2).sum());
    let first = widths.first().copied().unwrap_or(0).min(room);
    let head: Vec<String> = head.iter().map(|&head| head.to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut cells = row.iter();
        let name = fit(cells.next().map_or("", String::as_str), first);
        let mut line = format!("{name}{}", " ".repeat(first.saturating_sub(width(&name))));
        for (cell, wide) in cells.zip(&widths[1..]) {
            line.push_str(&" ".repeat((wide + 2).saturating_sub(width(cell))));
            line.push_str(cell);
        }
        writeln!(out, "{}", fit(line.trim_end(), WIDTH))?;
    }
    Ok(())
}

fn paragraph(text: &str, out: &mut dyn Write) -> io::Result<()> {
    wrap(text, WIDTH).iter().try_for_each(|line| writeln!(out, "{}", fit(line, WIDTH)))
}

fn markdown(diff: &Diff, races: Both<&RaceState>, names: Both<&str>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# {} and {}\n", escaped(names.a), escaped(names.b))?;
    for (letter, race, name) in [("A", races.a, names.a), ("B", races.b, names.b)] {
        writeln!(out, "- **{letter}**, {}: {}", escaped(name), escaped(&race_line(race)))?;
    }
    writeln!(out)?;
    for unlike in &diff.unlike {
        writeln!(out, "> {}\n", escaped(&unlike.to_string()))?;
    }
    let (head, rows) = overview(diff);
    piped(&head, &rows, out)?;
    for (letter, labels) in [("A", &diff.only.a), ("B", &diff.only.b)] {
        if !labels.is_empty() {
            writeln!(out, "\nIn {letter} alone: {}.", escaped(&labels.join(", ")))?;
        }
    }
    for pair in &diff.pairs {
        writeln!(out, "\n## {}\n", escaped(&pair.label))?;
        writeln!(out, "{} {}\n", escaped(&wall_words(pair)), escaped(&tasks_words(&pair.tasks)))?;
        let figures: Vec<Vec<String>> = pair.figures.iter().map(|figure| figure_row(pair, figure)).collect();
        piped(&["figure", "A", "B", "change"], &figures, out)?;
        let (moved, more) = listed(pair);
        if !moved.is_empty() {
            let rows: Vec<Vec<String>> = moved.iter().map(|moved| moved_row(moved).to_vec()).collect();
            writeln!(out)?;
            piped(&["task that moved", "A", "B", "longer in B", "B was"], &rows, out)?;
        }
        if more > 0 {
            writeln!(out, "\nand {} more", count(more as u64))?;
        }
    }
    writeln!(out, "\n## What the words mean\n")?;
    for (term, definition) in DEFINITIONS {
        writeln!(out, "- **{term}**: {definition}")?;
    }
    Ok(())
}

fn piped(head: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| {} |", head.join(" | "))?;
    writeln!(out, "| --- |{}", " ---: |".repeat(head.len().saturating_sub(1)))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}
