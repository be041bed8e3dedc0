//! The times in which the program did not run, where only their sum for each run is kept.

use crate::event::{At, Event, Fact, Order};

/// Interruptions that add up for each run to the nanoseconds that are told with the run's end: each is told at the
/// end of a run that it struck. What struck runs that ran at once is told once.
pub(super) fn interruptions(mut struck: Vec<(At, u64)>, order: Order) -> Vec<Event> {
    struck.sort();
    let mut told = 0_u64;
    let mut events = Vec::new();
    for (at, nanos) in struck {
        let nanos = match order {
            Order::OneByOne => nanos,
            Order::Together => nanos.saturating_sub(told),
        };
        told = told.saturating_add(nanos);
        if nanos > 0 {
            events.push(Event { at, fact: Fact::Interrupted { nanos } });
        }
    }
    events
}
