//! The figures of the runs: gauges, where the time went, and the table of all of them.

use std::io::{self, Write};

use crate::event::{Order, Phase};
use crate::model::{RaceState, RunState};
use crate::report::markup::{Px, Text, cut};
use crate::report::summary::{DEFINITIONS, Reason, RunSummary, Summary, gauge_scale};
use crate::report::table::{COUNTER, Column, is_of_bytes, or_dash};
use crate::report::words::{self, Glyphs, bytes, count, percent, seconds, times};

/// Figures that only this page and the table tell, each with its definition.
pub(super) const MORE: &[(&str, &str)] = &[
    ("done", "tasks that did all of their work, and whose result was checked"),
    ("retries", "attempts beyond each task's first"),
    ("bytes", "bytes of complete bodies: those of the tasks that are done"),
    (
        "expected, actual, lost",
        "what a shared counter must show, what it shows, and the additions in between",
    ),
    ("idle", "the time in which a worker had no task, from the run's start to its end"),
];

/// Groups of figures, a row each.
const GROUPS: &[(&str, &[Column])] = &[
    (
        "Speed",
        &[
            ("wall", |run| or_dash(run.wall.map(seconds))),
            ("speedup", |run| or_dash(run.speedup.map(|speedup| times(speedup, Glyphs::Unicode)))),
            ("improvement", |run| or_dash(run.improvement.map(words::saved))),
            ("efficiency", |run| or_dash(run.efficiency.map(percent))),
        ],
    ),
    (
        "Latency",
        &[
            ("mean", |run| or_dash(run.latency.map(|l| seconds(l.mean)))),
            ("max", |run| or_dash(run.latency.map(|l| seconds(l.max)))),
            ("p50", |run| or_dash(run.latency.map(|l| seconds(l.p50)))),
            ("p95", |run| or_dash(run.latency.map(|l| seconds(l.p95)))),
        ],
    ),
    (
        "Throughput",
        &[
            ("tasks/s", |run| or_dash(run.tasks_per_second.map(words::ratio))),
            ("bytes", |run| bytes(run.bytes)),
            ("throughput", |run| or_dash(run.bytes_per_second.map(words::rate))),
            ("peak concurrency", |run| count(u64::from(run.peak_concurrency))),
        ],
    ),
    (
        "Machine",
        &[
            ("cpu time", |run| or_dash(run.cpu.map(|cpu| seconds(cpu.all())))),
            ("user", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.user)))),
            ("system", |run| or_dash(run.cpu_told_apart().map(|cpu| seconds(cpu.system)))),
            ("processors", |run| or_dash(run.processors.map(words::ratio))),
            ("memory", |run| or_dash(run.peak_memory.map(bytes))),
        ],
    ),
    (
        "Outcome",
        &[
            ("done", |run| count(u64::from(run.counts.done))),
            ("not done", |run| count(u64::from(run.counts.not_done()))),
            ("retries", |run| count(u64::from(run.counts.retries))),
        ],
    ),
];

/// A run's name as it stands on the page, with its colour.
fn write_name(run: &RunState, out: &mut dyn Write) -> io::Result<()> {
    let name = cut(&run.plan().name(), 40);
    write!(
        out,
        r#"<i class="dot" style="background:var(--r{})"></i><bdi>{}</bdi>"#,
        run.hue().index(),
        Text(&name)
    )
}

pub(super) fn write_gauges(race: &RaceState, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.runs.is_empty() {
        return Ok(());
    }
    let most = gauge_scale(summary.runs.iter().map(|run| (run.speedup.unwrap_or(1.0), run.workers)));
    let mut measured = summary.runs.iter().filter(|run| run.speedup.is_some());
    let beyond = if measured.any(|run| f64::from(run.workers) > most) {
        r#" (<b class="ideal">▸</b>: beyond the scale)"#
    } else {
        ""
    };
    let shared = match summary.order {
        Order::OneByOne => "",
        Order::Together => " All runs ran at once and shared the network and the processors.",
    };
    let bounded =
        summary.runs.iter().filter(|run| run.speedup.is_some()).find_map(|run| summary.processors_for(run));
    let processors = bounded.map_or_else(String::new, |cpus| {
        let processors = words::processors(cpus);
        format!(r#" <b class="ideal">┃</b> marks the {processors}: no more tasks can compute at once."#)
    });
    write!(
        out,
        r#"<section id="speedup"><h2>Speedup</h2><p class="hint">How many times as fast as the sequential run; <b class="ideal">◆</b> marks the ideal: as many times as there are workers{beyond}.{processors}{shared}</p><ul class="gauges">"#
    )?;
    for (state, run) in race.runs().iter().zip(&summary.runs) {
        write!(out, r#"<li><p class="name">"#)?;
        write_name(state, out)?;
        write!(out, " <small>{}</small></p>", words::workers(run.workers))?;
        match run.speedup {
            Some(speedup) => {
                let share = |value: f64| Px((value / most).min(1.0) * 100.0);
                let ideal = f64::from(run.workers);
                let mark = if ideal > most { '▸' } else { '◆' };
                let within = summary.processors_for(run).filter(|&cpus| f64::from(cpus) <= most);
                let processors = within.map_or_else(String::new, |cpus| {
                    format!(r#"<b style="left:{}%">┃</b>"#, share(f64::from(cpus)))
                });
                let efficient = |e| format!(" <span>{} efficient</span>", percent(e));
                let note = run.efficiency.map_or_else(String::new, efficient);
                write!(
                    out,
                    r#"<div class="bar" aria-hidden="true"><span style="width:{}%;background:var(--r{})"></span>{processors}<b style="left:{}%">{mark}</b></div><p class="value"><strong>{}</strong> <small>of {}× ideal{note}</small></p>"#,
                    share(speedup),
                    run.hue.index(),
                    share(ideal),
                    times(speedup, Glyphs::Unicode),
                    count(u64::from(run.workers)),
                )?;
            }
            None => {
                let words = match run.comparable.reason() {
                    Some(reason @ (Reason::NotStarted | Reason::UnderWay)) => reason.to_string(),
                    Some(reason) => format!("no speedup: {reason}"),
                    None => "no sequential run to compare with".to_owned(),
                };
                write!(out, r#"<p class="none">{}</p><p class="value"></p>"#, Text(&cut(&words, 160)))?;
            }
        }
        let wall = or_dash(run.wall.map(seconds)).replace('-', "–");
        write!(out, r#"<p class="wall">{wall}</p></li>"#)?;
    }
    write!(out, "</ul></section>")
}

/// What the workers of each run spent their time on.
pub(super) fn write_time(race: &RaceState, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let spent = |run: &RunSummary| run.phases.busy() as f64 + run.idle.as_nanos() as f64;
    if summary.runs.iter().all(|run| spent(run) <= 0.0) {
        return Ok(());
    }
    write!(
        out,
        r#"<section id="time"><h2>Where the workers’ time went</h2><p class="hint">The time of all workers of a run, from its start to its end, is 100 %; what is left empty was idle.</p><ul class="spent">"#
    )?;
    for (state, run) in race.runs().iter().zip(&summary.runs).filter(|(_, run)| spent(run) > 0.0) {
        write!(out, r#"<li><p class="name">"#)?;
        write_name(state, out)?;
        write!(
            out,
            r#"</p><svg width="100%" height="20" aria-hidden="true"><rect class="idle" width="100%" height="20" rx="2"/>"#
        )?;
        let (mut left, mut said) = (0.0, Vec::new());
        for phase in Phase::ALL {
            let share = run.phases.of(phase) as f64 / spent(run);
            if share <= 0.0 {
                continue;
            }
            write!(
                out,
                r#"<rect class="p{}" x="{}%" width="{}%" height="20"/>"#,
                phase.index(),
                Px(left * 100.0),
                Px(share * 100.0)
            )?;
            left += share;
            said.push((share, phase.called_in(summary.workload)));
        }
        said.push((run.idle_share(), "idle"));
        said.sort_by(|a, b| b.0.total_cmp(&a.0));
        let said: Vec<String> = said
            .into_iter()
            .filter(|(share, _)| *share > 0.0)
            .map(|(share, name)| format!("{name} {}", small_percent(share)))
            .collect();
        write!(out, r#"</svg><p class="shares">{}</p></li>"#, said.join(", "))?;
    }
    write!(out, "</ul></section>")
}

/// A share in per cent that is never rounded to none.
fn small_percent(share: f64) -> String {
    if share > 0.0 && share < 0.005 { "<1 %".replace('<', "&lt;") } else { percent(share) }
}

pub(super) fn write_results(race: &RaceState, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if summary.runs.is_empty() {
        return Ok(());
    }
    write!(
        out,
        r#"<section id="results"><h2>Results</h2><div class="scroll" tabindex="0" role="region" aria-label="All figures of all runs"><table class="results"><thead><tr><th scope="col">figure</th>"#
    )?;
    for (state, run) in race.runs().iter().zip(&summary.runs) {
        write!(out, r#"<th scope="col">"#)?;
        write_name(state, out)?;
        write!(out, "<small>{}</small></th>", words::workers(run.workers))?;
    }
    write!(out, "</tr></thead>")?;
    let counted = summary.runs.iter().any(|run| run.counter.is_some());
    let groups = GROUPS.iter().copied().chain(counted.then_some(("Shared counter", COUNTER)));
    let mut told: Vec<&str> = Vec::new();
    for (title, columns) in groups {
        write!(
            out,
            r#"<tbody><tr class="group"><th scope="rowgroup" colspan="{}">{title}"#,
            summary.runs.len() + 1
        )?;
        let itself = columns.iter().any(|(figure, _)| figure.eq_ignore_ascii_case(title));
        if let Some((_, definition)) = definition(&title.to_lowercase()).filter(|_| !itself) {
            write!(out, "<small>{}</small>", Text(definition))?;
        }
        write!(out, "</th></tr>")?;
        let told_of = |(figure, _): &&Column| summary.brings_bytes() || !is_of_bytes(figure);
        for (figure, say) in columns.iter().filter(told_of) {
            write!(out, r#"<tr><th scope="row">{figure}"#)?;
            // One definition can be about several figures, of which the first tells it.
            if let Some((_, definition)) = definition(figure).filter(|(term, _)| !told.contains(term)) {
                told.extend(definition_term(figure));
                write!(out, "<small>{}</small>", Text(definition))?;
            }
            write!(out, "</th>")?;
            for run in &summary.runs {
                let value = say(run);
                let value = if value == "-" { "–" } else { &value };
                write!(out, "<td>{}</td>", Text(value))?;
            }
            write!(out, "</tr>")?;
        }
        write!(out, "</tbody>")?;
    }
    write!(out, "</table></div>")?;
    let hindered = race.runs().iter().zip(&summary.runs).filter_map(|(state, run)| {
        Some(format!(
            "{} can’t be compared: {}.",
            cut(&state.plan().name(), 40),
            cut(&run.comparable.reason()?.to_string(), 200)
        ))
    });
    let hindered: Vec<String> = hindered.collect();
    if !hindered.is_empty() {
        write!(out, r#"<p class="note">{}</p>"#, Text(&hindered.join(" ")))?;
    }
    write!(out, "</section>")
}

fn definition(figure: &str) -> Option<(&'static str, &'static str)> {
    let about = |(term, _): &&(&str, &str)| term.split(", ").any(|term| term == figure);
    DEFINITIONS.iter().chain(MORE).find(about).copied()
}

fn definition_term(figure: &str) -> Option<&'static str> {
    definition(figure).map(|(term, _)| term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_figure_is_without_a_definition() {
        for (figure, _) in GROUPS.iter().flat_map(|(_, columns)| *columns).chain(COUNTER) {
            assert!(definition(figure).is_some(), "{figure}");
        }
    }
}
