//! What was left out or guessed, counted while a trace is read and said in words at its end.

use std::collections::BTreeMap;

use crate::text::{count, counted};

/// What there is to say.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The file ends before the trace does.
    pub(super) cut: bool,
    /// The plan of a trace of this program could not be read.
    pub(super) unread_plan: bool,
    /// Events over the limit of bytes.
    pub(super) too_large: u64,
    /// Events that make no sense, and the first one's line.
    unreadable: u64,
    first_unreadable: Option<u64>,
    /// Slices whose times are missing, no numbers, or out of all bounds.
    pub(super) timeless: u64,
    /// Ends without a beginning.
    pub(super) ends_alone: u64,
    /// Slices that end before they begin.
    pub(super) backwards: u64,
    /// Slices that never end.
    pub(super) endless: u64,
    /// Slices over the limit, and how long the longest of them is, in nanoseconds.
    pub(super) short: u64,
    pub(super) longest_short: u64,
    /// Slices of threads, or beginnings, for which there was no more room.
    pub(super) crowded: u64,
    /// Slices that overlap others of their thread, and so went to lanes beside it.
    pub(super) overlapping: u64,
    /// Tasks over the limit.
    pub(super) tasks: u64,
    /// Events of the kinds that a race has no place for.
    ignored: BTreeMap<&'static str, u64>,
    /// What can't go on here.
    rest: Option<String>,
}

impl Notes {
    pub(super) fn unreadable(&mut self, line: u64) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert(line);
    }

    pub(super) fn ignore(&mut self, kind: &'static str) {
        *self.ignored.entry(kind).or_default() += 1;
    }

    pub(super) fn broken(&mut self, line: u64, found: Option<u8>) {
        let found = found.map_or_else(String::new, |byte| format!(" at {:?}", char::from(byte)));
        self.rest = Some(format!("what follows the events is no JSON (line {line}{found}): left out"));
    }

    /// How much of what happened is missing, in a few words that go with the race; none where nothing is.
    pub(super) fn missing(&self) -> Option<String> {
        let slices = self.short.saturating_add(self.crowded);
        let parts = [(self.tasks, "task", "tasks"), (slices, "slice", "slices")];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| counted(number, one, many))
            .collect();
        (!parts.is_empty()).then(|| format!("incomplete, without {} of the trace", parts.join(" and ")))
    }

    /// Everything in words.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |number: u64, one: &str, many: &str| {
            if number > 0 {
                words.push(counted(number, one, many));
            }
        };
        say(
            self.short,
            &format!(
                "slice was left out for want of room: it is no longer than {}",
                long(self.longest_short)
            ),
            &format!(
                "slices were left out for want of room: none is longer than {}",
                long(self.longest_short)
            ),
        );
        say(
            self.tasks,
            "task was left out for want of room: no longer than any that is kept",
            "tasks were left out for want of room: none longer than any that is kept",
        );
        say(
            self.crowded,
            "slice was left out: the trace has more threads, or more open slices, than there is room for",
            "slices were left out: the trace has more threads, or more open slices, than there is room for",
        );
        say(
            self.endless,
            "slice never ends: it was closed where the trace ends",
            "slices never end: they were closed where the trace ends",
        );
        say(self.ends_alone, "end (E) has no beginning: left out", "ends (E) have no beginning: left out");
        say(
            self.backwards,
            "slice ends before it begins: left out",
            "slices end before they begin: left out",
        );
        say(self.timeless, "event has no usable time: left out", "events have no usable time: left out");
        say(
            self.overlapping,
            "slice overlaps another of its thread, and is on a lane beside it",
            "slices overlap others of their thread, and are on lanes beside it",
        );
        say(self.too_large, "event is too large: left out", "events are too large: left out");
        if let Some(line) = self.first_unreadable {
            let which = if self.unreadable == 1 { "is no event" } else { "are no events" };
            let number = count(self.unreadable);
            words.push(format!("{number} of the values {which} (first on line {line}): left out"));
        }
        if self.unread_plan {
            words.push("the plan that another version of this program wrote was not understood".to_owned());
        }
        if self.cut {
            words.push("the file ends before the trace does: read as far as it goes".to_owned());
        }
        words.extend(self.rest.clone());
        let ignored: Vec<String> =
            self.ignored.iter().map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
        if !ignored.is_empty() {
            words.push(format!(
                "a race has no place for these, so they were left out: {}",
                ignored.join(", ")
            ));
        }
        words
    }
}

/// A time in words.
fn long(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        _ => format!("{} ms", nanos / 1_000_000),
    }
}
