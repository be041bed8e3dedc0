//! The report as aligned plain text of at most 80 columns.

use std::io::{self, Write};

use crate::event::{At, Order};
use crate::model::RaceState;
use crate::stats::{Cause, Difference};
use crate::text::{fit, shown, width, wrap};

use super::groups::{Group, Repeat};
use super::rows::{failures, setting_line, tasks_line};
use super::scaling::Scaling;
use super::summary::{Reason, RunSummary, SHARED, Summary};
use super::utilisation::Use;
use super::words::{self, Glyphs, bytes, count, counted, percent, seconds, times};

/// No line is wider than this many columns.
const WIDTH: usize = 80;

/// As many failed tasks have a line of their own.
const FAILURES: usize = 20;

/// A column: its header, and what it says of a run or a group.
pub(super) type Column<T = RunSummary> = (&'static str, fn(&T) -> String);

/// What the rounds say of each executor.
pub(super) const REPEATS: &[Column<Group>] = &[
    ("workers", |group| count(u64::from(group.workers))),
    ("rounds", |group| count(group.repeats.len() as u64)),
    ("median wall", |group| or_dash(group.wall.map(words::seconds_of))),
    ("95 % interval", |group| or_dash(group.wall.and_then(words::seconds_within))),
    ("speedup", |group| or_dash(group.speedup.map(|speedup| times(speedup.value, Glyphs::Unicode)))),
    ("95 % interval", |group| {
        or_dash(group.speedup.filter(|_| !group.is_baseline()).and_then(words::ratio_within))
    }),
];

/// How the rounds differ.
pub(super) const SPREAD: &[Column<Group>] = &[
    ("least", |group| or_dash(group.extremes().map(|(least, _)| seconds(least)))),
    ("most", |group| or_dash(group.extremes().map(|(_, most)| seconds(most)))),
    ("efficiency", |group| or_dash(group.efficiency.map(percent))),
    ("stand out", |group| count(group.outliers().count() as u64)),
    ("left out", |group| count(group.left_out as u64)),
    ("difference", |group| difference(group).to_owned()),
];

fn difference(group: &Group) -> &'static str {
    match group.difference() {
        None => "-",
        Some(Difference::Faster) => "faster",
        Some(Difference::Slower) => "slower",
        Some(Difference::NotTold) => "no difference",
        Some(Difference::TooFew) => "too few rounds",
    }
}

/// How fast the runs were; the last column only where a run retried.
const SPEED: &[Column] = &[
    ("workers", |run| count(u64::from(run.workers))),
    ("wall", |run| or_dash(run.wall.map(seconds))),
    ("speedup", |run| or_dash(run.speedup.map(|speedup| times(speedup, Glyphs::Unicode)))),
    ("efficiency", |run| or_dash(run.efficiency.map(percent))),
    ("peak", |run| count(u64::from(run.peak_concurrency))),
    ("done", |run| count(u64::from(run.counts.done))),
    ("not done", |run| count(u64::from(run.counts.not_done()))),
    ("retries", |run| count(u64::from(run.counts.retries))),
];

/// What they saved, and what they used.
const USAGE: &[Column] = &[
    ("improvement", |run| or_dash(run.improvement.map(words::saved))),
    ("cpu time", |run| or_dash(run.cpu.map(|cpu| seconds(cpu.all())))),
    ("user", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.user)))),
    ("system", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.system)))),
    ("processors", |run| or_dash(run.processors.map(words::ratio))),
    ("memory", |run| or_dash(run.peak_memory.map(bytes))),
];

/// How long the tasks took.
const LATENCY: &[Column] = &[
    ("mean", |run| or_dash(run.latency.map(|l| seconds(l.mean)))),
    ("p50", |run| or_dash(run.latency.map(|l| seconds(l.p50)))),
    ("p95", |run| or_dash(run.latency.map(|l| seconds(l.p95)))),
    ("max", |run| or_dash(run.latency.map(|l| seconds(l.max)))),
    ("tasks/s", |run| or_dash(run.tasks_per_second.map(words::ratio))),
];

/// What they brought, where they bring bytes.
const BYTES: &[Column] = &[
    ("bytes", |run| bytes(run.bytes)),
    ("throughput", |run| or_dash(run.bytes_per_second.map(words::rate))),
];

/// Whether a column is about what the tasks brought.
pub(super) fn is_of_bytes(header: &str) -> bool {
    BYTES.iter().any(|(of, _)| *of == header)
}

/// What their shared counters show, in a race that has them.
pub(super) const COUNTER: &[Column] = &[
    ("expected", |run| or_dash(run.counter.map(|counter| count(counter.expected)))),
    ("actual", |run| or_dash(run.counter.map(|counter| count(counter.actual)))),
    ("lost", |run| or_dash(run.counter.map(|counter| count(counter.lost())))),
];

/// How the workers' time was used: a column for each use.
const USES: [fn(&RunSummary) -> String; Use::ALL.len()] = [
    |run| or_dash(run.utilisation().percent(Use::Waiting)),
    |run| or_dash(run.utilisation().percent(Use::Receiving)),
    |run| or_dash(run.utilisation().percent(Use::Writing)),
    |run| or_dash(run.utilisation().percent(Use::Computing)),
    |run| or_dash(run.utilisation().percent(Use::Locked)),
    |run| or_dash(run.utilisation().percent(Use::Sleeping)),
    |run| or_dash(run.utilisation().percent(Use::BackingOff)),
    |run| or_dash(run.utilisation().percent(Use::Idle)),
];

/// The columns of the uses that a race has.
pub(super) fn uses(summary: &Summary) -> Vec<Column> {
    let column = |of: Use| (of.called_in(summary.workload), USES[of as usize]);
    summary.uses().into_iter().map(column).collect()
}

pub(super) fn or_dash(words: Option<String>) -> String {
    words.unwrap_or_else(|| "-".to_owned())
}

pub(super) fn write(race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    let (plan, summary) = (race.plan(), Summary::of(race, now));
    let head = [format!("{}: {}", plan.scenario, plan.about), tasks_line(plan), setting_line(plan)];
    for line in &head {
        paragraph(&shown(line), out)?;
    }
    if plan.order == Order::Together {
        paragraph(SHARED, out)?;
    }
    let runs: Vec<&RunSummary> = summary.typical().collect();
    let label = |run: &RunSummary| run.label.clone();
    let retried = runs.iter().any(|run| run.counts.retries > 0);
    let speed = if retried { SPEED } else { &SPEED[..SPEED.len() - 1] };
    if summary.repeats() {
        paragraph(&rounds_line(&summary), out)?;
        let groups: Vec<&Group> = summary.groups.iter().collect();
        let of_group = |group: &Group| group.label.clone();
        block(&groups, of_group, "executor", REPEATS, out)?;
        block(&groups, of_group, "executor", SPREAD, out)?;
        // Workers, wall time and speedup are those of the rounds.
        block(&runs, label, "median run", &speed[4..], out)?;
        block(&runs, label, "median run", &USAGE[1..], out)?;
    } else {
        block(&runs, label, "run", speed, out)?;
        block(&runs, label, "run", USAGE, out)?;
    }
    let bytes = if summary.brings_bytes() { BYTES } else { &[] };
    block(&runs, label, "latency", &[LATENCY, bytes].concat(), out)?;
    if runs.iter().any(|run| run.counter.is_some()) {
        block(&runs, label, "counter", COUNTER, out)?;
    }
    let uses = uses(&summary);
    if !uses.is_empty() {
        block(&runs, label, "workers' time", &uses, out)?;
    }
    if let Some(scaling) = &summary.scaling {
        sweep(scaling, out)?;
    }
    critical_paths(race, &summary, out)?;
    writeln!(out)?;
    for line in outlier_lines(&summary).into_iter().chain(hindrance_lines(&summary)) {
        paragraph(&line, out)?;
    }
    paragraph(&summary.verdict(), out)?;
    failed(race, out)
}

/// How often the executors ran.
pub(super) fn rounds_line(summary: &Summary) -> String {
    let warmups = match summary.warmups {
        0 => "no warm-up".to_owned(),
        some => counted(some as u64, "warm-up that does not count", "warm-ups that do not count"),
    };
    format!("{}, {warmups}", words::rounds(summary.rounds))
}

/// The runs that stand out, each with the likely cause; of many, the first.
pub(super) fn outlier_lines(summary: &Summary) -> Vec<String> {
    let found = summary.groups.iter().flat_map(|group| group.outliers().map(move |found| (group, found)));
    let line = |(group, (repeat, cause)): (&Group, (&Repeat, Cause))| {
        let (label, wall) = (shown(&group.label), seconds(repeat.wall));
        format!("{label} in round {} stands out with {wall}: {}.", repeat.round, cause.words())
    };
    listed_lines(found.map(line).collect(), "more stand out")
}

/// The runs that can't be compared, each with the reason; where the race repeats and they are many, the first.
pub(super) fn hindrance_lines(summary: &Summary) -> Vec<String> {
    let line = |run: &RunSummary| {
        let reason = run.comparable.reason()?;
        // The time of what came out wrong can be told, and what a guard costs beside it.
        let claim = if run.comparable.is_of_all_tasks() { "claims no speedup" } else { "can't be compared" };
        Some(format!("{} {claim}: {reason}.", shown(&summary.name(run))))
    };
    if !summary.repeats() {
        return summary.runs.iter().filter_map(line).collect();
    }
    let never_started = |run: &&RunSummary| run.comparable.reason() == Some(&Reason::NotStarted);
    let begun = summary.runs.iter().filter(|run| !never_started(run));
    let mut lines = listed_lines(begun.filter_map(line).collect(), "more can't be compared");
    match summary.runs.iter().filter(never_started).count() {
        0 => {}
        runs => lines.push(format!("{} not started.", counted(runs as u64, "run was", "runs were"))),
    }
    lines
}

/// As many runs have a line of their own in a race that repeats.
const LINES: usize = 10;

fn listed_lines(mut lines: Vec<String>, more: &str) -> Vec<String> {
    let left_out = lines.len().saturating_sub(LINES);
    if left_out > 0 {
        lines.truncate(LINES);
        lines.push(format!("{} {more}.", count(left_out as u64)));
    }
    lines
}

fn block<T>(
    rows: &[&T],
    label: fn(&T) -> String,
    first: &str,
    columns: &[Column<T>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let labels: Vec<String> = rows.iter().map(|row| label(row)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, say)| say(row)).collect()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|i| rows.iter().map(|row| width(&row[i])).chain([width(columns[i].0)]).max().unwrap_or(0))
        .collect();
    let room = WIDTH.saturating_sub(widths.iter().map(|wide| wide + 2).sum());
    let labels: Vec<String> = labels.iter().map(|label| fit(label, room)).collect();
    let label_width = labels.iter().map(|label| width(label)).chain([width(first)]).max().unwrap_or(0);

    let mut line = |label: &str, cells: &mut dyn Iterator<Item = &str>| {
        let mut text = format!("{label}{}", " ".repeat(label_width.saturating_sub(width(label))));
        for (cell, wide) in cells.zip(&widths) {
            text.push_str(&" ".repeat((wide + 2).saturating_sub(width(cell))));
            text.push_str(cell);
        }
        writeln!(out, "{}", fit(text.trim_end(), WIDTH))
    };
    line("", &mut [].into_iter())?;
    line(first, &mut columns.iter().map(|(header, _)| *header))?;
    for (label, row) in labels.iter().zip(&rows) {
        line(label, &mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// A line for each run that is over, with what set its wall time.
fn critical_paths(race: &RaceState, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let labels = summary.typical().map(|run| width(&run.label)).max().unwrap_or(0).min(20);
    let mut head = "\ncritical path: the tasks that set the wall time\n";
    for run in summary.typical() {
        let Some(path) = &run.critical else { continue };
        let label = fit(&run.label, labels);
        let gap = " ".repeat(labels - width(&label) + 2);
        let words = path.words(&race.plan().tasks, WIDTH - labels - 2);
        writeln!(out, "{head}{label}{gap}{words}")?;
        head = "";
    }
    Ok(())
}

/// What more workers bought: a row for each number of them, and the laws fitted to those.
fn sweep(scaling: &Scaling, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["workers", "wall", "speedup", "efficiency", "bound", "Amdahl", "USL", "Karp-Flatt"];
    const WIDTHS: [usize; 8] = [7, 13, 10, 12, 9, 9, 8, 12];
    writeln!(out)?;
    for row in [heads.map(str::to_owned)].into_iter().chain(scaling.rows()) {
        let cells = row.iter().zip(WIDTHS);
        let line: String =
            cells.map(|(cell, wide)| " ".repeat(wide.saturating_sub(width(cell))) + cell).collect();
        writeln!(out, "{}", fit(&line, WIDTH))?;
    }
    writeln!(out)?;
    scaling.lines().iter().try_for_each(|line| paragraph(line, out))
}

fn failed(race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    let mut failures = failures(race);
    for (i, failure) in failures.by_ref().take(FAILURES).enumerate() {
        if i == 0 {
            writeln!(out, "\nfailed tasks")?;
        }
        let (run, name) = (fit(&failure.run, 20), fit(failure.name, 30));
        writeln!(out, "{}", fit(&format!("{run}  {name}  {}", failure.message), WIDTH))?;
    }
    match failures.count() {
        0 => Ok(()),
        more => writeln!(out, "and {} more", count(more as u64)),
    }
}

/// Writes text in lines that are broken between words; a word that is wider than a line is cut.
fn paragraph(text: &str, out: &mut dyn Write) -> io::Result<()> {
    wrap(text, WIDTH).iter().try_for_each(|line| writeln!(out, "{}", fit(line, WIDTH)))
}
