//! What the operating system says: what a run used of processor time and memory, and what there is room for
//! ([`limits`]); and what is left to do when it ends the process ([`fault`]).
//!
//! Everything is read from Linux' `/proc` (proc(5)); where there is none, a figure is none.
//!
//! *Processor time* is that of the run alone: what the whole process used, with the children that it waited
//! for, from just before the run's first thread was started until its last one was gone; less what those
//! threads used that were there before. These are the dashboard, its painter, the signals, the embedded
//! origin, the collector and the conductor, none of which does a run's work. Two things can blur it: a
//! thread that was there before and ended during the run counts as the run's from its start on, and a child
//! that was not waited for counts not at all. The sum is exact; how it divides between user and system is
//! told in hundredths of a second.
//!
//! *Memory* is that of the whole program and of all its descendants: the sum of their resident sets, with
//! the dashboard, the origin's bodies and whatever earlier runs left in the allocator. A page that several
//! processes share counts once for each. It is looked at when the run starts, when it ends, and at every
//! tick of the collector in between; what comes and goes between two looks is not seen.

pub mod fault;
pub mod limits;
mod memory;
mod proc;
mod processor;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::event::{At, Usage};

use memory::Watch;
use proc::Proc;
use processor::{Reading, Spent};

/// Which signals whoever started this program has it ignore, as `nohup` does with `SIGHUP`; none where the system
/// doesn't tell. To be asked before anybody handles them.
pub fn ignored_signals() -> impl Fn(i32) -> bool {
    let mask = proc::ignored_signals();
    move |signal| (1..=64).contains(&signal) && mask >> (signal - 1) & 1 == 1
}

/// Which processes a run's memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// This one alone: the run starts no other.
    Alone,
    /// This one and all its descendants.
    WithChildren,
}

/// Measures runs, one at a time. Whoever conducts them begins and ends each; somebody else may look in
/// meanwhile.
#[derive(Debug, Default)]
pub struct Probe {
    proc: Proc,
    watch: Mutex<Watch>,
}

impl Probe {
    /// A run is about to begin, on threads that are not there yet.
    pub fn begin(&self, family: Family) -> Measuring<'_> {
        *self.watch() = Watch::begin(&self.proc, family);
        Measuring { probe: self, family, before: Reading::of_all(&self.proc), spent: None }
    }

    /// Looks at the memory of the run under way, if there is one. Costs some 10 µs; where it costs more, as
    /// with many child processes, most calls do nothing, so that looking takes a hundredth of the time at most.
    pub fn look(&self, clock: &Clock) {
        self.watch().look(&self.proc, || clock.now());
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is measured.
#[derive(Debug)]
#[must_use = "a run's usage is known when the measuring has ended"]
pub struct Measuring<'a> {
    probe: &'a Probe,
    family: Family,
    before: Option<Reading>,
    /// What was spent by the end of its last task.
    spent: Option<Spent>,
}

impl Measuring<'_> {
    /// The last task has ended: to take apart what its threads worked with is no part of the run, nor is the
    /// processor time for it. What child processes spent is told only of those that were waited for, so theirs is
    /// told at the end.
    pub fn tasks_are_done(&mut self) {
        if self.family == Family::Alone {
            self.spent = self.spent_since();
        }
    }

    fn spent_since(&self) -> Option<Spent> {
        self.before.as_ref().and_then(|before| before.spent_since(&self.probe.proc))
    }

    /// The run is over: its threads are gone, and its children were waited for.
    pub fn end(self) -> Usage {
        let proc = &self.probe.proc;
        let spent = self.spent.or_else(|| self.spent_since());
        let peak_memory = std::mem::take(&mut *self.probe.watch()).end(proc);
        Usage {
            user_nanos: spent.map(|spent| At::from_duration(spent.user).0),
            system_nanos: spent.map(|spent| At::from_duration(spent.system).0),
            peak_memory,
        }
    }
}
