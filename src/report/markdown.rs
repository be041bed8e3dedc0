//! The report as Markdown: the runs, the verdict, and what the figures mean.

use std::io::{self, Write};

use crate::event::{At, Order};
use crate::model::RaceState;
use crate::text::shown;

use super::groups::Group;
use super::rows::{setting_line, tasks_line};
use super::summary::{RunSummary, SHARED, Summary};
use super::table::{
    COUNTER, Column, REPEATS, SPREAD, hindrance_lines, is_of_bytes, or_dash, outlier_lines, rounds_line, uses,
};
use super::words::{self, Glyphs, bytes, count, percent, seconds, times};

/// A critical path is told in so many characters.
const PATH: usize = 160;

const COLUMNS: &[Column] = &[
    ("workers", |run| count(u64::from(run.workers))),
    ("wall", |run| or_dash(run.wall.map(seconds))),
    ("speedup", |run| or_dash(run.speedup.map(|speedup| times(speedup, Glyphs::Unicode)))),
    ("improvement", |run| or_dash(run.improvement.map(words::saved))),
    ("efficiency", |run| or_dash(run.efficiency.map(percent))),
    ("mean", |run| or_dash(run.latency.map(|l| seconds(l.mean)))),
    ("p50", |run| or_dash(run.latency.map(|l| seconds(l.p50)))),
    ("p95", |run| or_dash(run.latency.map(|l| seconds(l.p95)))),
    ("max", |run| or_dash(run.latency.map(|l| seconds(l.max)))),
    ("tasks/s", |run| or_dash(run.tasks_per_second.map(words::ratio))),
    ("throughput", |run| or_dash(run.bytes_per_second.map(words::rate))),
    ("peak concurrency", |run| count(u64::from(run.peak_concurrency))),
    ("cpu time", |run| or_dash(run.cpu.map(|cpu| seconds(cpu.all())))),
    ("user", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.user)))),
    ("system", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.system)))),
    ("processors", |run| or_dash(run.processors.map(words::ratio))),
    ("memory", |run| or_dash(run.peak_memory.map(bytes))),
    ("done", |run| count(u64::from(run.counts.done))),
    ("not done", |run| count(u64::from(run.counts.not_done()))),
];

/// What the rounds tell of a race that repeats, rather than one run.
const OF_ROUNDS: [&str; 5] = ["workers", "wall", "speedup", "improvement", "efficiency"];

pub(super) fn write(race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    let (plan, summary) = (race.plan(), Summary::of(race, now));
    writeln!(out, "# {}\n\n{}\n", escaped(&plan.scenario), escaped(&plan.about))?;
    let tasks = tasks_line(plan);
    writeln!(out, "{}; {}.\n", escaped(&tasks), escaped(&setting_line(plan)))?;
    if plan.order == Order::Together {
        writeln!(out, "{SHARED}\n")?;
    }

    let counted = summary.runs.iter().any(|run| run.counter.is_some());
    let mut columns = [COLUMNS, if counted { COUNTER } else { &[] }].concat();
    let runs: Vec<&RunSummary> = summary.typical().collect();
    columns.retain(|(header, _)| summary.brings_bytes() || !is_of_bytes(header));
    let label = |run: &RunSummary| run.label.clone();
    if summary.repeats() {
        writeln!(out, "{}.\n", rounds_line(&summary))?;
        let groups: Vec<&Group> = summary.groups.iter().collect();
        rows(&groups, |group| group.label.clone(), "executor", &[REPEATS, SPREAD].concat(), out)?;
        writeln!(out)?;
        columns.retain(|(header, _)| !OF_ROUNDS.contains(header));
        rows(&runs, label, "median run", &columns, out)?;
    } else {
        rows(&runs, label, "run", &columns, out)?;
    }
    writeln!(out, "\n{}\n", escaped(&summary.verdict()))?;
    let lines = [outlier_lines(&summary), hindrance_lines(&summary)].concat();
    for line in &lines {
        writeln!(out, "- {}", escaped(line))?;
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    if !summary.uses().is_empty() {
        writeln!(out, "## How the workers' time was used\n")?;
        rows(&runs, label, "run", &uses(&summary), out)?;
        writeln!(out)?;
    }
    if let Some(scaling) = &summary.scaling {
        writeln!(out, "## What more workers bought\n")?;
        writeln!(out, "| workers | wall | speedup | efficiency | bound | Amdahl | USL | Karp-Flatt |")?;
        writeln!(out, "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for row in scaling.rows() {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        writeln!(out)?;
        for line in scaling.lines() {
            writeln!(out, "- {}", escaped(&line))?;
        }
        writeln!(out)?;
    }
    if summary.runs.iter().any(|run| run.critical.is_some()) {
        writeln!(out, "## The critical path: the tasks that set the wall time\n")?;
        for run in &runs {
            let Some(path) = &run.critical else { continue };
            writeln!(out, "- {}: {}", escaped(&run.label), escaped(&path.words(&plan.tasks, PATH)))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "## What the figures mean\n")?;
    for (term, definition) in summary.definitions() {
        writeln!(out, "- **{term}**: {definition}")?;
    }
    Ok(())
}

fn rows<T>(
    rows: &[&T],
    label: fn(&T) -> String,
    first: &str,
    columns: &[Column<T>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let headers: Vec<&str> = columns.iter().map(|(header, _)| *header).collect();
    writeln!(out, "| {first} | {} |", headers.join(" | "))?;
    writeln!(out, "| --- |{}", " ---: |".repeat(columns.len()))?;
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|(_, say)| escaped(&say(row))).collect();
        writeln!(out, "| {} | {} |", escaped(&label(row)), cells.join(" | "))?;
    }
    Ok(())
}

/// Foreign text as Markdown that shows it as it is: nothing in it is markup, and it stays on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in shown(text).chars() {
        match c {
            '\n' | '\r' => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '|' | '*' | '_' | '[' | ']' | '~' | '#' | '!' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(escaped("a|b`c`<img src=x>&"), "a\\|b\\`c\\`&lt;img src=x&gt;&amp;");
        assert_eq!(escaped("[x](javascript:y) **z**"), "\\[x\\](javascript:y) \\*\\*z\\*\\*");
        let lines = escaped("one\r\n# two\u{202e}");
        assert!(!lines.contains(['\n', '\r', '\u{202e}']), "{lines}");
    }
}
