//! The slices of a trace, gathered event by event within bounds.

use std::borrow::Cow;
use std::collections::HashMap;

use super::TraceLimits;
use super::notes::Notes;
use super::raw::{Key, Raw, Scalar, cut, key_of, operation_key};

/// A name and a category, by their place in [`Collector::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NameId(pub(super) u32);

/// A thread, or the async operations of a process, by its place in [`Collector::threads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ThreadId(pub(super) u32);

/// Something that a thread did, from when to when, in nanoseconds of the trace's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) name: NameId,
    pub(super) thread: ThreadId,
    /// The operation that it is part of; zero for what a thread itself does.
    pub(super) operation: u32,
    /// Whether the trace ends before it does.
    pub(super) endless: bool,
}

impl Slice {
    fn nanos(&self) -> u64 {
        self.to.abs_diff(self.from)
    }
}

/// A slice that began.
#[derive(Debug, Clone, Copy)]
struct Begun {
    from: i64,
    name: NameId,
    operation: u32,
}

/// What has begun on a thread or in an async operation, and not ended.
#[derive(Debug, Default)]
struct Stack {
    begun: Vec<Begun>,
    /// Beginnings that found no room: their ends come before those of the others.
    left_out: u64,
}

/// A thread, or the async operations of a process.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) pid: Key,
    /// None for async operations.
    pub(super) tid: Option<Key>,
    pub(super) name: Option<NameId>,
    pub(super) sort_index: f64,
    stack: Stack,
}

/// What is known of a process.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) name: Option<NameId>,
    pub(super) sort_index: f64,
}

/// Everything that is kept of a trace.
#[derive(Debug)]
pub(super) struct Collector {
    limits: TraceLimits,
    pub(super) slices: Vec<Slice>,
    /// Slices as short as this are left out.
    floor: Option<u64>,
    pub(super) threads: Vec<Thread>,
    by_id: HashMap<(Key, Option<Key>), ThreadId>,
    pub(super) processes: HashMap<Key, Process>,
    /// Each name with its category.
    pub(super) names: Vec<(Box<str>, Box<str>)>,
    name_ids: HashMap<(Box<str>, Box<str>), NameId>,
    name_bytes: usize,
    operations: HashMap<(ThreadId, u64), Stack>,
    next_operation: u32,
    open: usize,
    last: Option<i64>,
}

impl Collector {
    pub(super) fn new(limits: &TraceLimits) -> Collector {
        Collector {
            limits: *limits,
            slices: Vec::new(),
            floor: None,
            threads: Vec::new(),
            by_id: HashMap::new(),
            processes: HashMap::new(),
            names: Vec::new(),
            name_ids: HashMap::new(),
            name_bytes: 0,
            operations: HashMap::new(),
            next_operation: 1,
            open: 0,
            last: None,
        }
    }

    /// Takes one event in, as its JSON; says whether it is one.
    pub(super) fn take(&mut self, json: &[u8], notes: &mut Notes) -> bool {
        let Ok(raw) = serde_json::from_slice::<Raw<'_>>(json) else { return false };
        let Some(Scalar::Text(kind)) = &raw.ph else { return false };
        match kind.as_ref() {
            "X" => self.complete(&raw, notes),
            "B" => self.begin(&raw, notes),
            "E" => self.end(&raw, notes),
            "b" | "S" => self.begin_async(&raw, notes),
            "e" | "F" => self.end_async(&raw, notes),
            "M" => self.metadata(&raw),
            "i" | "I" | "n" | "R" => notes.ignore("instants"),
            "C" => notes.ignore("counter samples"),
            "s" | "t" | "f" => notes.ignore("flow arrows"),
            "T" | "p" => notes.ignore("steps of async operations"),
            "P" => notes.ignore("profiler samples"),
            "N" | "O" | "D" => notes.ignore("object snapshots"),
            "V" | "v" => notes.ignore("memory dumps"),
            _ => notes.ignore("events of other kinds"),
        }
        true
    }

    fn complete(&mut self, raw: &Raw<'_>, notes: &mut Notes) {
        let long = raw.dur.as_ref().map_or(Some(0), Scalar::nanos);
        let from = raw.ts.as_ref().and_then(Scalar::nanos);
        let Some((from, long)) = from.zip(long) else { return notes.timeless += 1 };
        let Some(to) = from.checked_add(long) else { return notes.timeless += 1 };
        if long < 0 {
            return notes.backwards += 1;
        }
        let Some(thread) = self.thread(raw) else { return notes.crowded += 1 };
        let name = self.named(raw);
        self.keep(Slice { from, to, name, thread, operation: 0, endless: false }, notes);
    }

    fn begin(&mut self, raw: &Raw<'_>, notes: &mut Notes) {
        let Some(from) = raw.ts.as_ref().and_then(Scalar::nanos) else { return notes.timeless += 1 };
        let Some(thread) = self.thread(raw) else { return notes.crowded += 1 };
        let name = self.named(raw);
        self.last = self.last.max(Some(from));
        let room = self.open < self.limits.slices / 4;
        let stack = &mut self.threads[thread.0 as usize].stack;
        self.open += usize::from(stack.push(Begun { from, name, operation: 0 }, room, notes));
    }

    fn end(&mut self, raw: &Raw<'_>, notes: &mut Notes) {
        let Some(to) = raw.ts.as_ref().and_then(Scalar::nanos) else { return notes.timeless += 1 };
        let key = (key_of(&raw.pid), Some(key_of(&raw.tid)));
        let Some(&thread) = self.by_id.get(&key) else { return notes.ends_alone += 1 };
        let ended = self.threads[thread.0 as usize].stack.pop(notes);
        self.ended(ended, to, thread, notes);
    }

    fn ended(&mut self, begun: Option<Begun>, to: i64, thread: ThreadId, notes: &mut Notes) {
        let Some(Begun { from, name, operation }) = begun else { return };
        self.open -= 1;
        if to < from {
            return notes.backwards += 1;
        }
        self.keep(Slice { from, to, name, thread, operation, endless: false }, notes);
    }

    fn begin_async(&mut self, raw: &Raw<'_>, notes: &mut Notes) {
        let Some(from) = raw.ts.as_ref().and_then(Scalar::nanos) else { return notes.timeless += 1 };
        let Some(thread) = self.thread_of(key_of(&raw.pid), None) else { return notes.crowded += 1 };
        let name = self.named(raw);
        self.last = self.last.max(Some(from));
        let room = self.open < self.limits.slices / 4;
        let key = (thread, operation_key(raw));
        if !room && !self.operations.contains_key(&key) {
            return notes.crowded += 1;
        }
        let stack = self.operations.entry(key).or_default();
        let operation = stack.begun.first().map_or(self.next_operation, |first| first.operation);
        if stack.begun.is_empty() {
            self.next_operation = self.next_operation.checked_add(1).unwrap_or(1);
        }
        self.open += usize::from(stack.push(Begun { from, name, operation }, room, notes));
    }

    fn end_async(&mut self, raw: &Raw<'_>, notes: &mut Notes) {
        let Some(to) = raw.ts.as_ref().and_then(Scalar::nanos) else { return notes.timeless += 1 };
        let thread = self.by_id.get(&(key_of(&raw.pid), None)).copied();
        let Some(thread) = thread else { return notes.ends_alone += 1 };
        let key = (thread, operation_key(raw));
        let Some(stack) = self.operations.get_mut(&key) else { return notes.ends_alone += 1 };
        let ended = stack.pop(notes);
        if stack.begun.is_empty() && stack.left_out == 0 {
            self.operations.remove(&key);
        }
        self.ended(ended, to, thread, notes);
    }

    fn metadata(&mut self, raw: &Raw<'_>) {
        let Some(Scalar::Text(what)) = &raw.name else { return };
        let Some(args) = &raw.args else { return };
        let name = args.name.as_ref().and_then(Scalar::text);
        let sort_index = args.sort_index.as_ref().and_then(Scalar::number).filter(|index| index.is_finite());
        match (what.as_ref(), name, sort_index) {
            ("process_name", Some(name), _) => {
                let name = self.intern(&name, "");
                if let Some(process) = self.process(key_of(&raw.pid)) {
                    process.name = Some(name);
                }
            }
            ("process_sort_index", _, Some(index)) => {
                if let Some(process) = self.process(key_of(&raw.pid)) {
                    process.sort_index = index;
                }
            }
            ("thread_name", Some(name), _) => {
                let name = self.intern(&name, "");
                if let Some(thread) = self.thread(raw) {
                    self.threads[thread.0 as usize].name = Some(name);
                }
            }
            ("thread_sort_index", _, Some(index)) => {
                if let Some(thread) = self.thread(raw) {
                    self.threads[thread.0 as usize].sort_index = index;
                }
            }
            _ => {}
        }
    }

    fn process(&mut self, pid: Key) -> Option<&mut Process> {
        if self.processes.len() >= self.limits.lanes && !self.processes.contains_key(&pid) {
            return None;
        }
        Some(self.processes.entry(pid).or_default())
    }

    fn thread(&mut self, raw: &Raw<'_>) -> Option<ThreadId> {
        self.thread_of(key_of(&raw.pid), Some(key_of(&raw.tid)))
    }

    /// The thread with these ids; none where it would be one more than there is room for.
    fn thread_of(&mut self, pid: Key, tid: Option<Key>) -> Option<ThreadId> {
        let key = (pid, tid);
        if let Some(found) = self.by_id.get(&key) {
            return Some(*found);
        }
        if self.threads.len() >= self.limits.lanes {
            return None;
        }
        let id = ThreadId(u32::try_from(self.threads.len()).ok()?);
        let (pid, tid) = key.clone();
        self.threads.push(Thread { pid, tid, name: None, sort_index: 0.0, stack: Stack::default() });
        self.by_id.insert(key, id);
        Some(id)
    }

    fn named(&mut self, raw: &Raw<'_>) -> NameId {
        let name = raw.name.as_ref().and_then(Scalar::text).unwrap_or(Cow::Borrowed("(no name)"));
        let category = raw.cat.as_ref().and_then(Scalar::text).unwrap_or_default();
        self.intern(&name, &category)
    }

    fn intern(&mut self, name: &str, category: &str) -> NameId {
        let full = self.name_bytes >= self.limits.name_bytes;
        let key: (Box<str>, Box<str>) = (cut(name).into(), cut(category).into());
        if let Some(found) = self.name_ids.get(&key) {
            return *found;
        }
        if full && &*key.0 != OTHER {
            return self.intern(OTHER, "");
        }
        let id = NameId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.name_bytes += key.0.len() + key.1.len() + NAME_COST;
        self.names.push(key.clone());
        self.name_ids.insert(key, id);
        id
    }

    fn keep(&mut self, slice: Slice, notes: &mut Notes) {
        self.last = self.last.max(Some(slice.to));
        let full = self.slices.len() >= self.limits.slices;
        if full && self.floor.is_none_or(|floor| slice.nanos() > floor) {
            self.thin(notes);
        }
        if self.floor.is_some_and(|floor| slice.nanos() <= floor) || self.slices.len() >= self.limits.slices {
            leave_out(&slice, notes);
        } else {
            self.slices.push(slice);
        }
    }

    /// Leaves the shorter half of the slices out, and every other one as short from now on.
    fn thin(&mut self, notes: &mut Notes) {
        let mut long: Vec<u64> = self.slices.iter().map(Slice::nanos).collect();
        let middle = long.len() / 2;
        if middle == 0 {
            return;
        }
        let floor = *long.select_nth_unstable(middle).1;
        // Of slices that are all as long as each other, the first ones stay.
        let longer = long.iter().filter(|nanos| **nanos > floor).count();
        let mut room = middle.saturating_sub(longer);
        self.slices.retain(|slice| {
            let stays = slice.nanos() > floor || slice.nanos() == floor && room > 0;
            if stays && slice.nanos() == floor {
                room -= 1;
            }
            if !stays {
                leave_out(slice, notes);
            }
            stays
        });
        self.floor = Some(floor);
    }

    /// Ends what never ended where the trace ends.
    pub(super) fn close(&mut self, notes: &mut Notes) {
        let Some(last) = self.last else { return };
        let mut open = Vec::new();
        for (index, thread) in self.threads.iter_mut().enumerate() {
            let id = ThreadId(u32::try_from(index).unwrap_or(u32::MAX));
            open.extend(thread.stack.begun.drain(..).rev().map(|begun| (id, begun)));
        }
        let mut operations: Vec<_> = self.operations.drain().collect();
        operations.sort_unstable_by_key(|(key, _)| *key);
        for ((thread, _), mut stack) in operations {
            open.extend(stack.begun.drain(..).rev().map(|begun| (thread, begun)));
        }
        for (thread, Begun { from, name, operation }) in open {
            notes.endless += 1;
            self.keep(Slice { from, to: last, name, thread, operation, endless: true }, notes);
        }
    }
}

fn leave_out(slice: &Slice, notes: &mut Notes) {
    notes.short += 1;
    notes.longest_short = notes.longest_short.max(slice.nanos());
}

/// What stands for the names for which there was no more room.
const OTHER: &str = "(another name)";

/// About what one more name costs beside its letters, in bytes.
const NAME_COST: usize = 100;

impl Stack {
    /// Says whether it was pushed.
    fn push(&mut self, begun: Begun, room: bool, notes: &mut Notes) -> bool {
        if room && self.left_out == 0 {
            self.begun.push(begun);
            return true;
        }
        self.left_out += 1;
        notes.crowded += 1;
        false
    }

    fn pop(&mut self, notes: &mut Notes) -> Option<Begun> {
        if self.left_out > 0 {
            self.left_out -= 1;
            return None;
        }
        let begun = self.begun.pop();
        notes.ends_alone += u64::from(begun.is_none());
        begun
    }
}
