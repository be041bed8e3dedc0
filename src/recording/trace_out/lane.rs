//! A lane's tasks as slices that never overlap: a viewer takes slices of one thread for calls within calls.

use std::collections::HashSet;

use crate::event::{At, TaskId};
use crate::model::{RunState, Span};

/// What a lane does for one task at a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The task.
    pub(super) task: TaskId,
    /// From when on: when it was taken up, where the stretch is the task's first.
    pub(super) from: At,
    /// Until when: its end, where the stretch is the task's last.
    pub(super) to: At,
    /// Its spans, all between `from` and `to`.
    pub(super) spans: Vec<Span>,
    /// Whether its failed attempts are told here: the first stretch tells all of them.
    pub(super) tells_failures: bool,
}

/// The stretches of each lane, in the order of time; what goes on ends at `end`.
pub(super) fn parts(run: &RunState, end: At) -> Vec<Vec<Part>> {
    let mut taken: Vec<Vec<TaskId>> = vec![Vec::new(); run.lanes().len()];
    for (index, task) in run.tasks().iter().enumerate() {
        let lane = task.started.and(task.lane).and_then(|lane| taken.get_mut(lane.index()));
        if let Some(lane) = lane {
            lane.push(TaskId::of(index));
        }
    }
    taken.iter().enumerate().map(|(lane, taken)| stretches(run, lane, taken, end)).collect()
}

fn stretches(run: &RunState, lane: usize, taken: &[TaskId], end: At) -> Vec<Part> {
    let lane = &run.lanes()[lane];
    let open = lane.open().map(|open| {
        let to = end.max(open.from);
        Span { task: open.task, phase: open.phase, from: open.from, to }
    });
    let spans: Vec<Span> = lane.spans().iter().copied().chain(open).collect();
    let mut parts: Vec<Part> = Vec::new();
    for spans in spans.chunk_by(|a, b| a.task == b.task) {
        if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
            let (from, to, spans) = (first.from, last.to, spans.to_vec());
            parts.push(Part { task: first.task, from, to, spans, tells_failures: false });
        }
    }
    let spanned: HashSet<TaskId> = parts.iter().map(|part| part.task).collect();
    for &task in taken.iter().filter(|task| !spanned.contains(task)) {
        let at = run.tasks()[task.index()].started.unwrap_or_default();
        parts.push(Part { task, from: at, to: at, spans: Vec::new(), tells_failures: false });
    }
    parts.sort_by_key(|part| (part.from, part.to));
    widen(run, &mut parts, end);
    parts
}

/// Lets each task's first stretch begin when it was taken up, and its last one reach to its end, as far as the
/// stretches beside them leave room.
fn widen(run: &RunState, parts: &mut [Part], end: At) {
    let mut begun = HashSet::new();
    let mut free = At::ZERO;
    for part in parts.iter_mut() {
        let state = run.tasks().get(part.task.index());
        part.from = part.from.max(free);
        if begun.insert(part.task) {
            part.tells_failures = true;
            let started = state.and_then(|state| state.started);
            part.from = started.map_or(part.from, |started| started.clamp(free, part.from));
        }
        part.to = part.to.max(part.from);
        free = part.to;
    }
    let mut ended = HashSet::new();
    let mut next = At(u64::MAX);
    for part in parts.iter_mut().rev() {
        if ended.insert(part.task) {
            let finished = run.tasks().get(part.task.index()).and_then(|state| state.finished);
            part.to = part.to.max(finished.unwrap_or(end).min(next));
        }
        next = part.from;
    }
}
