//! A race's events in memory, and the fold of a part of them.

use crate::event::{At, Event, Fact};
use crate::model::{RaceState, SharedPlan};

/// An event on a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The moment from which on whoever watches knows of it: when it happened or, for one that was told late,
    /// just after the moment up to which everything was said to have been told.
    pub known: At,
    /// What happened.
    pub event: Event,
}

/// The events of a race in the order in which they were told, which is that of [`Told::known`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tape {
    told: Vec<Told>,
    /// Before this moment nothing more can become known.
    frontier: At,
}

impl Tape {
    /// Adds what was told next.
    pub fn push(&mut self, event: Event) {
        let known = event.at.max(self.frontier);
        // What is told after a collection was not in the picture that showed that moment.
        let after = u64::from(matches!(event.fact, Fact::Collected));
        self.frontier = At(known.0.saturating_add(after));
        self.told.push(Told { known, event });
    }

    /// Puts the events in the order of time; the first one stays the first.
    pub(super) fn sort(&mut self) {
        if let Some((_, rest)) = self.told.split_first_mut() {
            rest.sort_by_key(|told| told.event.at);
        }
        let told = std::mem::take(self).told;
        self.extend(told.into_iter().map(|told| told.event));
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The events, in the order in which they were told.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The event at a place, counted from 0.
    pub fn get(&self, place: usize) -> Option<&Told> {
        self.told.get(place)
    }

    /// How many events are known at a moment: what was told by then.
    pub fn known_at(&self, at: At) -> usize {
        self.told.partition_point(|told| told.known <= at)
    }

    /// Drops the first `count` events. What they led to is then the caller's to keep.
    pub fn forget(&mut self, count: usize) {
        self.told.drain(..count.min(self.told.len()));
    }

    /// The moment at which the first event is known; zero without any.
    pub fn start(&self) -> At {
        self.told.first().map_or(At::ZERO, |told| told.known)
    }

    /// The moment at which the last event is known; zero without any.
    pub fn end(&self) -> At {
        self.told.last().map_or(At::ZERO, |told| told.known)
    }

    /// What was planned; none before the race's first event.
    pub fn plan(&self) -> Option<&SharedPlan> {
        self.told.iter().find_map(|told| match &told.event.fact {
            Fact::RaceStarted { plan } => Some(plan),
            _ => None,
        })
    }
}

impl Extend<Event> for Tape {
    fn extend<T: IntoIterator<Item = Event>>(&mut self, events: T) {
        events.into_iter().for_each(|event| self.push(event));
    }
}

impl FromIterator<Event> for Tape {
    fn from_iter<T: IntoIterator<Item = Event>>(events: T) -> Tape {
        let mut tape = Tape::default();
        tape.extend(events);
        tape
    }
}

/// The fold of the first events of a tape: the race as it was known at some moment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    state: RaceState,
    applied: usize,
}

impl Player {
    /// A player of a race of which nothing has happened.
    pub fn new(plan: SharedPlan) -> Player {
        Player { state: RaceState::new(plan), applied: 0 }
    }

    /// The race with the first [`applied`](Player::applied) events.
    pub fn state(&self) -> &RaceState {
        &self.state
    }

    /// The state, for good.
    pub fn into_state(self) -> RaceState {
        self.state
    }

    /// How many events of the tape are in the state.
    pub fn applied(&self) -> usize {
        self.applied
    }

    /// Goes to where the first `applied` events of `tape` are in the state. Forward it costs the events in
    /// between, backward all events from the first.
    pub fn seek(&mut self, tape: &Tape, applied: usize) {
        let applied = applied.min(tape.len());
        if applied < self.applied {
            *self = Player::new(self.state.plan().clone());
        }
        for told in &tape.told[self.applied..applied] {
            self.state.apply(&told.event);
        }
        self.applied = applied;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(at: u64) -> Event {
        Event { at: At(at), fact: Fact::Collected }
    }

    fn said(at: u64) -> Event {
        Event { at: At(at), fact: Fact::Interrupted { nanos: 0 } }
    }

    #[test]
    fn what_is_told_late_is_known_after_the_moment_that_did_not_show_it() {
        let tape: Tape = [said(3), said(5), collected(10), said(9), said(10), said(11)].into_iter().collect();
        let known: Vec<u64> = tape.told().iter().map(|told| told.known.0).collect();
        assert_eq!(known, [3, 5, 10, 11, 11, 11]);
        assert_eq!([0, 3, 4, 10, 11].map(|at| tape.known_at(At(at))), [0, 1, 1, 3, 6]);
        assert_eq!(tape.end(), At(11));
    }

    #[test]
    fn the_last_moment_there_is_has_no_moment_after_it() {
        let tape: Tape = [collected(u64::MAX), said(0)].into_iter().collect();
        assert_eq!(tape.known_at(At(u64::MAX)), 2);
    }
}
