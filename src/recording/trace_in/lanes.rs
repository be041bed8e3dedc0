//! Slices that lie within each other as lanes, tasks and phases.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::event::Phase;

use super::collect::{Collector, NameId, Slice, ThreadId};
use super::names::{Meaning, Role, Says, meaning};
use super::notes::Notes;

/// Tracers round times: slices that overlap by no more than this, in nanoseconds, follow each other.
const ROUNDING: i64 = 1_000;

/// The most lanes beside each other for one thread, whose slices overlap against all rules.
const ROWS: usize = 64;

/// The most lanes for the async operations of one process.
const ASYNC_ROWS: usize = 1_000;

/// An outermost slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// The place of its lane in [`Laid::lanes`].
    pub(super) lane: usize,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) name: NameId,
    /// Whether the trace ends before it does.
    pub(super) endless: bool,
    /// What it does from when on; the first is what it does from its beginning.
    pub(super) phases: Vec<(i64, Phase)>,
}

/// What becomes a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) thread: ThreadId,
    /// Which of the thread's lanes it is, from 0.
    pub(super) beside: usize,
    /// When its first slice begins.
    pub(super) first: i64,
}

/// Everything in its place.
#[derive(Debug, Default)]
pub(super) struct Laid {
    pub(super) lanes: Vec<Row>,
    pub(super) tasks: Vec<Task>,
}

/// A slice that goes on, and what was made of it.
#[derive(Debug, Clone, Copy)]
struct Frame {
    to: i64,
    /// The task that it is or is part of.
    task: Option<usize>,
    role: Role,
    phase: Phase,
    /// Whether nothing within changes the phase.
    holds: bool,
}

/// A lane that is being filled, in the order of time.
#[derive(Debug)]
struct Filling {
    lane: usize,
    frames: Vec<Frame>,
    /// Until when what was put into it reaches.
    free: i64,
}

/// Lays all slices of a trace out; at most `limit` lanes.
pub(super) fn lay_out(collector: &mut Collector, limit: usize, notes: &mut Notes) -> Laid {
    let meanings: Vec<Meaning> =
        collector.names.iter().map(|(name, category)| meaning(name, category)).collect();
    let mut slices = std::mem::take(&mut collector.slices);
    // Of slices from and to the same moments, the outer one is told last by those who tell at the end.
    slices.reverse();
    slices.sort_by_key(|slice| (slice.thread, slice.from, Reverse(slice.to)));
    let mut layout = Layout { laid: Laid::default(), meanings, limit };
    for of_thread in slices.chunk_by(|a, b| a.thread == b.thread) {
        if of_thread.iter().all(|slice| slice.operation == 0) {
            layout.thread(of_thread, notes);
        } else {
            layout.operations(of_thread, notes);
        }
    }
    layout.laid
}

struct Layout {
    laid: Laid,
    meanings: Vec<Meaning>,
    limit: usize,
}

impl Layout {
    fn thread(&mut self, slices: &[Slice], notes: &mut Notes) {
        let mut rows: Vec<Filling> = Vec::new();
        for slice in slices {
            let mut slice = *slice;
            let fitting = rows.iter_mut().position(|row| self.laid.fit(row, &mut slice));
            match fitting.or_else(|| self.open_row(&mut rows, &slice, ROWS)) {
                Some(row) => {
                    notes.overlapping += u64::from(row > 0);
                    self.put(&mut rows[row], &slice);
                }
                None => notes.crowded += 1,
            }
        }
        self.end(rows);
    }

    /// Operations have lanes of their own where they overlap, even where one lies within another.
    fn operations(&mut self, slices: &[Slice], notes: &mut Notes) {
        let mut operations: BTreeMap<u32, Vec<Slice>> = BTreeMap::new();
        for slice in slices {
            operations.entry(slice.operation).or_default().push(*slice);
        }
        let mut operations: Vec<Vec<Slice>> = operations.into_values().collect();
        operations.sort_by_key(|slices| slices.first().map(|slice| slice.from));
        let mut rows: Vec<Filling> = Vec::new();
        for operation in operations {
            let Some(first) = operation.first() else { continue };
            let free = rows.iter().position(|row| row.free <= first.from);
            let Some(row) = free.or_else(|| self.open_row(&mut rows, first, ASYNC_ROWS)) else {
                notes.crowded += operation.len() as u64;
                continue;
            };
            for mut slice in operation {
                if self.laid.fit(&mut rows[row], &mut slice) {
                    self.put(&mut rows[row], &slice);
                } else {
                    notes.overlapping += 1;
                }
            }
        }
        self.end(rows);
    }

    fn open_row(&mut self, rows: &mut Vec<Filling>, slice: &Slice, most: usize) -> Option<usize> {
        if rows.len() >= most || self.laid.lanes.len() >= self.limit {
            return None;
        }
        let lane = self.laid.lanes.len();
        self.laid.lanes.push(Row { thread: slice.thread, beside: rows.len(), first: slice.from });
        rows.push(Filling { lane, frames: Vec::new(), free: slice.from });
        Some(rows.len() - 1)
    }

    fn put(&mut self, row: &mut Filling, slice: &Slice) {
        row.free = row.free.max(slice.to);
        let meaning = self.meanings[slice.name.0 as usize];
        let frame = match row.frames.last().copied() {
            Some(Frame { task: Some(task), phase, holds, .. }) => {
                let inner = match meaning.says {
                    _ if holds => phase,
                    Says::Nothing => phase,
                    Says::Phase(phase) | Says::ForWork(phase) => phase,
                    Says::Wait => Phase::Waiting,
                };
                self.laid.tasks[task].enter(slice.from, inner);
                let holds = holds || meaning.says == Says::Wait;
                Frame { to: slice.to, task: Some(task), role: meaning.role, phase: inner, holds }
            }
            caller => {
                let is_task = begins_task(caller.map(|caller| caller.role), meaning);
                self.outermost(row.lane, slice, meaning, is_task)
            }
        };
        row.frames.push(frame);
    }

    fn outermost(&mut self, lane: usize, slice: &Slice, meaning: Meaning, is_task: bool) -> Frame {
        let phase = match meaning.says {
            Says::Nothing => Phase::Computing,
            Says::Phase(phase) | Says::ForWork(phase) => phase,
            Says::Wait => Phase::Waiting,
        };
        let task = is_task.then_some(self.laid.tasks.len());
        if is_task {
            let Slice { from, to, name, endless, .. } = *slice;
            self.laid.tasks.push(Task { lane, from, to, name, endless, phases: vec![(from, phase)] });
        }
        let holds = meaning.says == Says::Wait;
        Frame { to: slice.to, task, role: meaning.role, phase, holds }
    }

    fn end(&mut self, rows: Vec<Filling>) {
        for mut row in rows {
            while self.laid.leave(&mut row) {}
        }
    }
}

/// Whether a slice outside of any task begins one.
fn begins_task(caller: Option<Role>, Meaning { role, says }: Meaning) -> bool {
    match (role, caller) {
        (Role::Around | Role::Starter | Role::Module, _) => false,
        (Role::Located, _) | (_, None) => true,
        (Role::Library, Some(caller)) => matches!(caller, Role::Starter | Role::Module),
        (Role::Bare, Some(Role::Starter)) => !matches!(says, Says::ForWork(_)),
        (Role::Bare, Some(Role::Module)) => matches!(says, Says::Phase(_)),
        (Role::Bare, Some(_)) => false,
    }
}

impl Laid {
    /// Ends what is over where the slice begins; says whether the slice then has room in what goes on, made to
    /// fit where times were rounded.
    fn fit(&mut self, row: &mut Filling, slice: &mut Slice) -> bool {
        loop {
            let Some(top) = row.frames.last() else { return true };
            let to = top.to;
            if to <= slice.from && (to < slice.to || to < slice.from) {
                self.leave(row);
            } else if slice.to <= to {
                return true;
            } else if to.saturating_sub(slice.from) <= ROUNDING {
                slice.from = to;
            } else if slice.to.saturating_sub(to) <= ROUNDING {
                slice.to = to;
                return true;
            } else {
                return false;
            }
        }
    }

    /// Ends the innermost slice of a row; says whether there was one.
    fn leave(&mut self, row: &mut Filling) -> bool {
        let Some(ended) = row.frames.pop() else { return false };
        let outer = row.frames.last().filter(|outer| outer.task == ended.task);
        match (ended.task, outer) {
            (Some(task), Some(outer)) => self.tasks[task].enter(ended.to, outer.phase),
            (Some(task), None) => self.tasks[task].tidy(),
            (None, _) => {}
        }
        true
    }
}

impl Task {
    fn enter(&mut self, at: i64, phase: Phase) {
        // What lasted no time was not there.
        if self.phases.len() > 1 && self.phases.last().is_some_and(|last| last.0 == at) {
            self.phases.pop();
        }
        match self.phases.last_mut() {
            Some(last) if last.0 == at => last.1 = phase,
            Some(last) if last.1 == phase => {}
            _ => self.phases.push((at, phase)),
        }
    }

    /// Forgets what would begin at its end.
    fn tidy(&mut self) {
        while self.phases.len() > 1 && self.phases.last().is_some_and(|last| last.0 >= self.to) {
            self.phases.pop();
        }
    }
}
