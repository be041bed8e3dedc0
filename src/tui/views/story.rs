//! One task's whole story, in lines.

use ratatui::style::Style;

use crate::event::{Check, TaskId};
use crate::model::{Stage, TaskState};
use crate::report::words;
use crate::text;

use super::{Line, Scene, json};

/// The story of a task of the run that is looked at, in lines of at most so many columns.
pub(super) fn lines(scene: &Scene<'_>, task: TaskId, columns: usize) -> Vec<Line> {
    let theme = scene.theme;
    let Some(race) = scene.race else { return Vec::new() };
    let id = scene.ui.run_of(race);
    let Some(run) = race.runs().get(id.index()) else { return Vec::new() };
    let (Some(state), Some(plan)) = (run.tasks().get(task.index()), race.plan().tasks.get(task.index()))
    else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    let mut field = |name: &str, words: String, style: Style| {
        let wrapped = text::wrap(&text::shown(&words), columns.saturating_sub(12).max(8));
        for (index, line) in wrapped.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(vec![(format!("{name:<11} "), theme.dim), (line, style)]);
        }
    };
    field(
        "task",
        format!("{} of {} in {}", task.0 + 1, race.plan().tasks.len(), run.plan().name()),
        theme.strong,
    );
    field("name", plan.name.clone(), theme.base);
    if let Some(url) = &plan.url {
        field("url", url.clone(), theme.base);
    }
    field("state", state.stage.called_in(race.plan().workload).to_owned(), theme.stage(state.stage));
    if let Some(message) = state.error_message() {
        field("error", message.to_owned(), theme.bad);
    }
    let at = state.started.unwrap_or_default();
    let lane = state.lane.and_then(|id| Some((id, run.lanes().get(id.index())?.worker_at(at)?)));
    if let Some((lane, worker)) = lane {
        let pid = worker.pid().map_or(String::new(), |pid| format!(", pid {pid}"));
        let thread = worker.thread_id().map_or(String::new(), |thread| format!(", thread {thread}"));
        field("lane", format!("{}{pid}{thread}", lane.0 + 1), theme.base);
    }
    if let (Some(at), Some(start)) = (state.delivered, run.started()) {
        let waited = at.since(state.finished.unwrap_or(at));
        let words = format!(
            "to the main thread at {}, {} after its end",
            words::seconds(at.since(start)),
            words::seconds(waited)
        );
        field("delivered", words, theme.base);
    }
    if let (Stage::Abandoned, Some(at), Some(start)) = (state.stage, state.finished, run.started()) {
        let at = words::seconds(at.since(start));
        field("cut off", format!("at {at}, when the main thread ended without waiting for it"), theme.warn);
    }
    if let Some(result) = &state.result {
        field("result", result.to_string(), theme.base);
    }
    if race.plan().workload.asks_a_server() {
        field("body", body(state), theme.base);
    } else if state.bytes > 0 {
        field("bytes", words::bytes(state.bytes), theme.base);
    }
    if let Some(path) = race.plan().path(id, task).filter(|_| state.stage == Stage::Done) {
        field("file", path.display().to_string(), theme.base);
    }
    if state.write_nanos > 0 {
        let time = words::seconds(std::time::Duration::from_nanos(state.write_nanos));
        field(
            "writes",
            format!("{time} inside the calls that wrote the chunks, part of receiving"),
            theme.base,
        );
    }
    phases(&mut lines, scene, race, id, task);
    attempts(&mut lines, scene, run.started().unwrap_or_default(), state, columns);
    lines
}

fn body(state: &TaskState) -> String {
    let here = words::bytes(state.bytes);
    let of = match state.length {
        Some(length) => format!("{here} of {}", words::bytes(length)),
        // The bodies of several answers, which no one length announced.
        None if state.check == Check::Result => here,
        None => format!("{here}, length not announced"),
    };
    let check = match (state.stage, state.check) {
        (Stage::Done, Check::Digest) => "; its digest is the announced one",
        (Stage::Done, Check::Length) => "; its length is the announced one",
        (Stage::Done, Check::Result) => "; it has the content that it must have",
        (Stage::Done, Check::Nothing) => "; nothing was announced to check it against",
        _ => "",
    };
    format!("{of}{check}")
}

/// Every phase with its moment from the run's start, its length, and a bar in proportion.
fn phases(
    lines: &mut Vec<Line>,
    scene: &Scene<'_>,
    race: &crate::model::RaceState,
    id: crate::event::RunId,
    task: TaskId,
) {
    let theme = scene.theme;
    let Some((run, start)) = race.runs().get(id.index()).and_then(|run| Some((run, run.started()?))) else {
        return;
    };
    let Some(state) = run.tasks().get(task.index()) else { return };
    let until = run.until(scene.now).unwrap_or(scene.now);
    let spans = run.spans_of(task, until);
    let whole = state.latency(until).unwrap_or_default().as_secs_f64().max(1e-9);
    lines.push(Vec::new());
    if let Some(queue) = state.queue_time(until) {
        lines.push(vec![
            (format!("{:<11} ", "queued"), theme.dim),
            (format!("{:>10}  before a worker took it up", words::seconds(queue)), theme.base),
        ]);
    }
    for span in spans {
        let long = span.to.since(span.from);
        let place = |time: std::time::Duration| (time.as_secs_f64() / whole * 30.0).round() as usize;
        let first = place(span.from.since(state.started.unwrap_or(start))).min(29);
        let last = place(span.to.since(state.started.unwrap_or(start))).clamp(first + 1, 30.max(first + 1));
        let bar: String = std::iter::repeat_n(theme.phase_glyph(span.phase), last - first).collect();
        lines.push(vec![
            (format!("{:<11} ", span.phase.called_in(race.plan().workload)), theme.dim),
            (
                format!("{:>10}  from {:<10} ", words::seconds(long), words::seconds(span.from.since(start))),
                theme.base,
            ),
            (" ".repeat(first), theme.base),
            (bar, theme.phase(span.phase)),
        ]);
    }
}

fn attempts(
    lines: &mut Vec<Line>,
    scene: &Scene<'_>,
    start: crate::event::At,
    state: &TaskState,
    columns: usize,
) {
    let theme = scene.theme;
    let Some(story) = &state.story else { return };
    for (at, error) in &story.failures {
        let words = format!("at {}: {}", words::seconds(at.since(start)), text::shown(&error.message));
        for (index, line) in text::wrap(&words, columns.saturating_sub(12).max(8)).into_iter().enumerate() {
            let name = if index == 0 { "retried" } else { "" };
            lines.push(vec![(format!("{name:<11} "), theme.dim), (line, theme.warn)]);
        }
    }
    for (at, head) in &story.heads {
        lines.push(Vec::new());
        let remote = head.remote.as_deref().map_or(String::new(), |remote| format!(" from {remote}"));
        let words =
            format!("{} {}{remote}, at {}", head.version, head.status, words::seconds(at.since(start)));
        lines.push(vec![(format!("{:<11} ", "answer"), theme.dim), (words, theme.strong)]);
        if let Some(url) = &head.redirected_to {
            lines
                .push(vec![(format!("{:<11} ", "redirected"), theme.dim), (format!("to {url}"), theme.base)]);
        }
        for (name, value) in head.headers.iter() {
            lines.push(vec![
                (" ".repeat(12), theme.dim),
                (format!("{}: ", text::shown(name)), theme.dim),
                (text::shown(value).into_owned(), theme.base),
            ]);
        }
    }
    if let Some(body) = &story.body {
        lines.push(Vec::new());
        for (index, line) in json::lines(body, columns.saturating_sub(12).max(8)).into_iter().enumerate() {
            let name = if index == 0 { "text" } else { "" };
            lines.push(vec![(format!("{name:<11} "), theme.dim), (line, theme.base)]);
        }
    }
}
