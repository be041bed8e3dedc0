//! The events of the race on screen, as far back as they are kept, and where among them something is seen
//! to happen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::event::{At, Event, Fact, RunId};
use crate::model::{RaceState, RunStatus};
use crate::recording::{Tape, Told};
use crate::report::Summary;

/// The most events that are kept of a live race: about 100 MB.
const MOST: usize = 1_000_000;

/// The most rows of figures that are kept, over all moments at which there were new ones: some 30 MB.
const MOST_ROWS: usize = 50_000;

/// The events of a race in the order in which they were told. A place counts them from the race's first, so it
/// stays what it is when the first ones are no longer kept.
#[derive(Debug)]
pub struct Reel {
    /// Shared with whoever writes it to a file.
    tape: Arc<Tape>,
    most: usize,
    /// How many events are no longer kept, and the race as they left it.
    forgotten: usize,
    base: Option<RaceState>,
    /// The places of the events that tell something, run by run.
    telling: Vec<VecDeque<usize>>,
    /// After how many events there were new figures.
    changes: Vec<usize>,
    /// The figures after so many events.
    figures: BTreeMap<usize, Summary>,
}

impl Default for Reel {
    fn default() -> Reel {
        Reel::keeping(MOST)
    }
}

/// A race as it was after its first events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The race.
    pub state: RaceState,
    /// How many events of the race are in it.
    pub place: usize,
}

impl Fold {
    /// Takes in the events up to `place`, but not more than `most` of them.
    pub fn advance(&mut self, reel: &Reel, place: usize, most: usize) {
        let to = place.min(reel.end()).min(self.place.saturating_add(most));
        while let Some(told) = reel.told(self.place).filter(|_| self.place < to) {
            self.state.apply(&told.event);
            self.place += 1;
        }
    }
}

/// Whether an event tells something that can be pointed at, so that it has a line in the log and a step of its
/// own. What happens by the clock does not (samples, collections), and neither does a first attempt, which
/// begins in the moment in which its task is taken up.
pub fn tells(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::BytesArrived { .. }
            | Fact::Collected
            | Fact::CounterRead { .. }
            | Fact::AttemptStarted { number: 0 | 1, .. }
    )
}

impl Reel {
    /// A reel that keeps `most` events, the last ones.
    pub fn keeping(most: usize) -> Reel {
        Reel {
            tape: Arc::default(),
            most: most.max(16),
            forgotten: 0,
            base: None,
            telling: Vec::new(),
            changes: Vec::new(),
            figures: BTreeMap::new(),
        }
    }

    /// All of a tape, however long, and the race that it leads to; none where the tape does not tell of one.
    pub fn of(tape: Tape) -> Option<(Reel, RaceState)> {
        let mut state = RaceState::new(tape.plan()?.clone());
        let mut reel = Reel::keeping(usize::MAX);
        for (place, told) in tape.told().iter().enumerate() {
            state.apply(&told.event);
            reel.index(place, &told.event.fact);
            reel.take_figures(place + 1, &told.event.fact, &state);
        }
        reel.tape = Arc::new(tape);
        Some((reel, state))
    }

    /// Adds what was told next; `state` is the race with it.
    pub fn push(&mut self, event: Event, state: &RaceState) {
        let place = self.end();
        self.index(place, &event.fact);
        self.take_figures(place + 1, &event.fact, state);
        Arc::make_mut(&mut self.tape).push(event);
        if self.tape.len() > self.most {
            self.forget(self.most / 16);
        }
    }

    fn index(&mut self, place: usize, fact: &Fact) {
        if let Some(run) = fact.run().filter(|_| tells(fact)) {
            if run.index() >= self.telling.len() {
                self.telling.resize_with(run.index() + 1, VecDeque::new);
            }
            self.telling[run.index()].push_back(place);
        }
    }

    /// New figures come with the end of a run, with what it used, and with the end of the race.
    fn take_figures(&mut self, place: usize, fact: &Fact, state: &RaceState) {
        let comes = matches!(fact, Fact::RunFinished { .. } | Fact::RunMeasured { .. } | Fact::RaceFinished);
        if comes && state.runs().iter().any(|run| matches!(run.status(), RunStatus::Ended { .. })) {
            self.changes.push(place);
            let rows = state.runs().len().max(1);
            if (self.figures.len() + 1).saturating_mul(rows) > MOST_ROWS {
                self.figures.pop_first();
            }
            let before = self.figures.last_key_value().map(|(_, figures)| figures);
            let figures = Summary::after(before, state, state.last_moment());
            self.figures.insert(place, figures);
        }
    }

    fn forget(&mut self, count: usize) {
        let Some(base) = self.base.take().or_else(|| Some(RaceState::new(self.tape.plan()?.clone()))) else {
            return;
        };
        let mut fold = Fold { state: base, place: self.forgotten };
        fold.advance(self, self.forgotten + count, count);
        self.base = Some(fold.state);
        self.forgotten = fold.place;
        Arc::make_mut(&mut self.tape).forget(count);
        for places in &mut self.telling {
            places.drain(..places.partition_point(|&place| place < self.forgotten));
        }
    }

    /// How many events there were.
    pub fn end(&self) -> usize {
        self.forgotten + self.tape.len()
    }

    /// How many of them, from the first, are no longer kept.
    pub fn start(&self) -> usize {
        self.forgotten
    }

    /// The whole race; none where its first events are no longer kept.
    pub fn whole(&self) -> Option<&Arc<Tape>> {
        (self.forgotten == 0).then_some(&self.tape)
    }

    /// The event at a place; none where there is none or it is no longer kept.
    pub fn told(&self, place: usize) -> Option<&Told> {
        self.tape.get(place.checked_sub(self.forgotten)?)
    }

    /// How many events were known at a moment; never fewer than are no longer kept.
    pub fn known_at(&self, at: At) -> usize {
        self.forgotten + self.tape.known_at(at)
    }

    /// The earliest moment that one can go back to.
    pub fn first_moment(&self) -> At {
        match &self.base {
            Some(base) => base.last_moment(),
            None => self.tape.get(0).map_or(At::ZERO, |told| told.known),
        }
    }

    /// The moment at which the last event is known.
    pub fn last_moment(&self) -> At {
        self.tape.end()
    }

    /// The race as it was before the first event that is kept; none before a race has begun.
    pub fn origin(&self) -> Option<Fold> {
        match &self.base {
            Some(base) => Some(Fold { state: base.clone(), place: self.forgotten }),
            None => Some(Fold { state: RaceState::new(self.tape.plan()?.clone()), place: 0 }),
        }
    }

    /// After how many of the first `place` events there were new figures for the last time; none where no run
    /// had ended by then.
    pub fn last_figures(&self, place: usize) -> Option<usize> {
        self.changes.get(self.changes.partition_point(|&change| change <= place).checked_sub(1)?).copied()
    }

    /// The figures that were new after so many events; none where they are no longer kept, which happens in a
    /// race of very many runs.
    pub fn figures(&self, change: usize) -> Option<&Summary> {
        self.figures.get(&change)
    }

    /// The places of a run's events that tell something, in order.
    pub fn telling(&self, run: RunId) -> Places<'_> {
        Places(self.telling.get(run.index()))
    }

    /// The place of the next event that tells something, from a place on: of that run, or of any.
    pub fn next(&self, run: Option<RunId>, place: usize) -> Option<usize> {
        match run {
            Some(run) => self.telling(run).get(self.telling(run).before(place)),
            None => (place..self.end()).find(|&place| self.tells(place)),
        }
    }

    /// The place of the last event before a place that tells something: of that run, or of any.
    pub fn last(&self, run: Option<RunId>, place: usize) -> Option<usize> {
        match run {
            Some(run) => self.telling(run).get(self.telling(run).before(place).checked_sub(1)?),
            None => (self.start()..place.min(self.end())).rev().find(|&place| self.tells(place)),
        }
    }

    fn tells(&self, place: usize) -> bool {
        self.told(place).is_some_and(|told| tells(&told.event.fact))
    }
}

/// Places in a reel, in order.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a>(Option<&'a VecDeque<usize>>);

impl Places<'_> {
    /// How many there are.
    pub fn len(self) -> usize {
        self.0.map_or(0, VecDeque::len)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The one with that number, counted from 0.
    pub fn get(self, number: usize) -> Option<usize> {
        self.0?.get(number).copied()
    }

    /// How many of them come before a place.
    pub fn before(self, place: usize) -> usize {
        self.0.map_or(0, |places| places.partition_point(|&other| other < place))
    }
}
