//! The tasks on the page: those that failed, and a table for each run.

use std::io::{self, Write};

use crate::event::At;
use crate::model::{RaceState, RunState, Stage, TaskState};
use crate::report::markup::{Text, cut};
use crate::report::rows::failures;
use crate::report::words::{bytes, count, seconds};

/// As many tasks that failed have a line of their own.
const FAILURES: usize = 50;

/// As many tasks have a row, over all runs; and the most and the fewest of one run.
const ROWS: usize = 1_200;
const MOST: usize = 200;
const FEWEST: usize = 10;

pub(super) fn write_failures(race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    let mut failures = failures(race).peekable();
    if failures.peek().is_none() {
        return Ok(());
    }
    write!(
        out,
        r#"<section id="failures"><h2>What went wrong</h2><div class="scroll"><table class="tasks"><thead><tr><th scope="col">run</th><th scope="col">task</th><th scope="col">why</th></tr></thead><tbody>"#
    )?;
    for failure in failures.by_ref().take(FAILURES) {
        write!(
            out,
            r#"<tr><td><bdi>{}</bdi></td><th scope="row"><bdi>{}</bdi></th><td class="bad"><bdi>{}</bdi></td></tr>"#,
            Text(&cut(&failure.run, 40)),
            Text(&cut(failure.name, 60)),
            Text(&cut(&failure.message, 300))
        )?;
    }
    write!(out, "</tbody></table></div>")?;
    match failures.count() {
        0 => {}
        more => write!(out, r#"<p class="hint">+{} more that failed.</p>"#, count(more as u64))?,
    }
    write!(out, "</section>")
}

pub(super) fn write_tables(race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    if race.plan().tasks.is_empty() || race.runs().is_empty() {
        return Ok(());
    }
    write!(
        out,
        r#"<section id="tasks"><h2>Tasks</h2><p class="hint">Moments count from the run’s own start.</p>"#
    )?;
    let limit = (ROWS / race.runs().len()).clamp(FEWEST, MOST);
    // Of a great many runs, the pages would be the same many times over.
    let runs = ROWS / FEWEST;
    for run in race.runs().iter().take(runs) {
        write_table(race, run, now, limit, out)?;
    }
    match race.runs().len().saturating_sub(runs) {
        0 => {}
        more => write!(out, r#"<p class="hint">+{} more runs.</p>"#, count(more as u64))?,
    }
    write!(out, "</section>")
}

/// Which columns have something to say in a run.
struct Columns {
    bytes: bool,
    first_byte: bool,
    delivered: bool,
    said: bool,
}

fn write_table(
    race: &RaceState,
    run: &RunState,
    now: At,
    limit: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tasks = run.tasks();
    let shown = &tasks[..tasks.len().min(limit)];
    let any = |of: fn(&TaskState) -> bool| shown.iter().any(of);
    let columns = Columns {
        bytes: any(|task| task.bytes > 0),
        first_byte: any(|task| task.first_byte.is_some()),
        delivered: any(|task| task.delivered.is_some()),
        said: any(|task| task.result.is_some() || task.error_message().is_some()),
    };
    let counts = run.counts();
    let summary = match counts.not_done() {
        0 => format!("{} of {} done", count(counts.done.into()), count(tasks.len() as u64)),
        not => format!(
            "{} of {} done, {} not done",
            count(counts.done.into()),
            count(tasks.len() as u64),
            count(not.into())
        ),
    };
    write!(
        out,
        r#"<details><summary><b><bdi>{}</bdi></b> <span>{summary}</span></summary><div class="scroll"><table class="tasks"><thead><tr><th scope="col" class="n">#</th><th scope="col">task</th><th scope="col">outcome</th><th scope="col" class="n">lane</th><th scope="col" class="n">queued for</th><th scope="col" class="n">taken up at</th>"#,
        Text(&cut(&run.plan().name(), 40))
    )?;
    if columns.first_byte {
        write!(out, r#"<th scope="col" class="n">first byte at</th>"#)?;
    }
    write!(out, r#"<th scope="col" class="n">took</th>"#)?;
    if columns.delivered {
        write!(out, r#"<th scope="col" class="n">result taken at</th>"#)?;
    }
    if columns.bytes {
        write!(out, r#"<th scope="col" class="n">bytes</th>"#)?;
    }
    write!(out, r#"<th scope="col" class="n">attempts</th>"#)?;
    if columns.said {
        write!(out, r#"<th scope="col">result or error</th>"#)?;
    }
    write!(out, "</tr></thead><tbody>")?;
    for (id, task) in shown.iter().enumerate() {
        write_row(race, run, (id, task), &columns, now, out)?;
    }
    write!(out, "</tbody></table></div>")?;
    match tasks.len() - shown.len() {
        0 => {}
        more => write!(
            out,
            r#"<p class="hint">+{} more tasks; the JSON and CSV reports have all of them.</p>"#,
            count(more as u64)
        )?,
    }
    write!(out, "</details>")
}

fn write_row(
    race: &RaceState,
    run: &RunState,
    (id, task): (usize, &TaskState),
    columns: &Columns,
    now: At,
    out: &mut dyn Write,
) -> io::Result<()> {
    let plan = race.plan().tasks.get(id);
    let start = run.started().unwrap_or_default();
    let moment = |at: Option<At>| at.map_or_else(|| "–".to_owned(), |at| seconds(at.since(start)));
    let long = |long: Option<std::time::Duration>| long.map_or_else(|| "–".to_owned(), seconds);
    write!(
        out,
        r#"<tr><td class="n">{}</td><th scope="row"><bdi>{}</bdi>"#,
        count(id as u64 + 1),
        Text(&cut(plan.map_or("", |plan| &plan.name), 60))
    )?;
    if let Some(url) = plan.and_then(|plan| plan.url.as_deref()) {
        write!(out, "<small><bdi>{}</bdi></small>", Text(&cut(url, 120)))?;
    }
    let class = match task.stage {
        Stage::Done => "good",
        Stage::Failed | Stage::Panicked => "bad",
        Stage::Cancelled | Stage::Abandoned => "warn",
        Stage::Planned | Stage::Queued | Stage::Active(_) => "dim",
    };
    let lane = task.lane.map_or_else(|| "–".to_owned(), |lane| count(u64::from(lane.0) + 1));
    write!(
        out,
        r#"</th><td class="{class}">{}</td><td class="n">{lane}</td><td class="n">{}</td><td class="n">{}</td>"#,
        task.stage.name(),
        long(task.queue_time(now)),
        moment(task.started)
    )?;
    if columns.first_byte {
        write!(out, r#"<td class="n">{}</td>"#, moment(task.first_byte))?;
    }
    write!(out, r#"<td class="n">{}</td>"#, long(task.latency(now)))?;
    if columns.delivered {
        write!(out, r#"<td class="n">{}</td>"#, moment(task.delivered))?;
    }
    if columns.bytes {
        write!(out, r#"<td class="n">{}</td>"#, bytes(task.bytes))?;
    }
    // Only downloads and calls are attempted.
    let attempts = if task.attempts == 0 { "–".to_owned() } else { count(task.attempts.into()) };
    write!(out, r#"<td class="n">{attempts}</td>"#)?;
    if columns.said {
        let said = task.error_message().or(task.result.as_deref()).unwrap_or_default();
        write!(out, "<td><bdi>{}</bdi></td>", Text(&cut(said, 160)))?;
    }
    write!(out, "</tr>")
}
