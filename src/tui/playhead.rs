//! The playhead: which moment of a race is shown, and how it moves through time.
//!
//! A live race is shown as it is, from the state that everything folds into. Going back costs that race
//! nothing: the playhead has a fold of its own, of the first events of the [`Reel`], and moves that one. Time
//! is a parameter: whoever draws says how much of it has passed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::event::{At, RunId};
use crate::model::{RaceState, RunStatus, TaskState};

use super::reel::{Fold, Reel};

/// How fast a playhead goes: a power of two, from 1/64 of the race's own speed to 64 times it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(i8);

impl Speed {
    /// The race's own.
    pub const ONE: Speed = Speed(0);
    /// 1/64.
    pub const SLOWEST: Speed = Speed(-6);
    /// 64.
    pub const FASTEST: Speed = Speed(6);

    /// Half as fast, unless that is too slow.
    pub fn slower(self) -> Speed {
        Speed(self.0 - 1).max(Speed::SLOWEST)
    }

    /// Twice as fast, unless that is too fast.
    pub fn faster(self) -> Speed {
        Speed(self.0 + 1).min(Speed::FASTEST)
    }

    /// How much time of the race goes by in so much time of whoever watches.
    pub fn of(self, time: Duration) -> Duration {
        match self.0 {
            0.. => time.saturating_mul(1 << self.0),
            _ => time / (1 << -self.0),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0.. => write!(f, "×{}", 1_u32 << self.0),
            _ => write!(f, "×1/{}", 1_u32 << -self.0),
        }
    }
}

/// It is no speed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a speed is a number from 1/64 to 64, such as 1/4, 0.5 or 8")]
pub struct NoSpeed;

impl FromStr for Speed {
    type Err = NoSpeed;

    /// Reads `8`, `0.5` or `1/4`; what is no power of two becomes the nearest one.
    fn from_str(text: &str) -> Result<Speed, NoSpeed> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| NoSpeed);
        let factor = match text.trim().trim_start_matches('×').split_once('/') {
            Some((whole, parts)) => number(whole)? / number(parts)?,
            None => number(text.trim().trim_start_matches('×'))?,
        };
        if !(1.0 / 64.0..=64.0).contains(&factor) {
            return Err(NoSpeed);
        }
        Ok(Speed(factor.log2().round() as i8).clamp(Speed::SLOWEST, Speed::FASTEST))
    }
}

/// What there is at the end of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A race that goes on, or that has just been seen to end.
    Live,
    /// Nothing: the events are those of a recording.
    End,
}

/// Whether the picture moves, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// It is the live race's.
    Live,
    /// It stands still.
    Frozen,
    /// It moves with time, at the playhead's speed.
    Playing,
}

/// A direction in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Earlier.
    Back,
    /// Later.
    On,
}

/// How long the runs of a race are known to be: what the axes of a picture show that is not the newest, so
/// that they keep still while the playhead moves.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Extent(Vec<Option<Reach>>);

/// How long a run is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It goes on for at least so long.
    AtLeast(Duration),
    /// It is over, and took so long.
    Whole(Duration),
}

impl Extent {
    /// What is known of a race's runs.
    pub fn of(race: &RaceState) -> Extent {
        let reach = |run: &crate::model::RunState| match run.status() {
            RunStatus::Waiting => None,
            RunStatus::Running { .. } => run.elapsed(race.last_moment()).map(Reach::AtLeast),
            RunStatus::Ended { .. } => run.wall().map(Reach::Whole),
        };
        Extent(race.runs().iter().map(reach).collect())
    }

    /// How long a run is known to be; none where it is not known to have started.
    pub fn run(&self, run: RunId) -> Option<Reach> {
        self.0.get(run.index()).copied().flatten()
    }
}

/// A tape shorter than this is folded anew from its start whenever the playhead goes back, which takes some
/// milliseconds; and this many events are folded at a time, so that no step of a longer one stops the screen.
const SLICE: usize = 50_000;

/// What the states may take of the memory that are kept of a long race to go back to.
const KEPT_BYTES: usize = 200 << 20;

/// The most of them.
const MOST_KEPT: usize = 16;

/// Which moment of a race is shown.
#[derive(Debug)]
pub struct Playhead {
    edge: Edge,
    speed: Speed,
    past: Option<Box<Past>>,
}

/// A moment that is shown although there are later ones, or although the live race is at none.
#[derive(Debug)]
struct Past {
    fold: Fold,
    /// How many events are to be in the fold, and the moment that this is to show.
    target: (usize, At),
    playing: bool,
    extent: Extent,
    /// Earlier states of the fold, to go back to.
    kept: Vec<Fold>,
}

impl Playhead {
    /// A playhead that shows the live race.
    pub fn live() -> Playhead {
        Playhead { edge: Edge::Live, speed: Speed::ONE, past: None }
    }

    /// A playhead that plays a recording of `race` from its start; stays without a picture where nothing is
    /// recorded.
    pub fn replay(reel: &Reel, race: &RaceState, speed: Speed) -> Playhead {
        let mut playhead = Playhead { edge: Edge::End, speed, past: None };
        playhead.again(reel, race);
        playhead
    }

    /// What there is at the end of the events.
    pub fn edge(&self) -> Edge {
        self.edge
    }

    /// How fast it goes while it plays.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Whether the picture moves, and with what.
    pub fn motion(&self) -> Motion {
        match &self.past {
            None => Motion::Live,
            Some(past) if past.playing => Motion::Playing,
            Some(_) => Motion::Frozen,
        }
    }

    /// The race at the moment that is shown; none where that is the live race.
    pub fn picture(&self) -> Option<&Fold> {
        self.past.as_ref().map(|past| &past.fold)
    }

    /// How long the runs are known to be, as of when the picture left the live race.
    pub fn extent(&self) -> Option<&Extent> {
        self.past.as_ref().map(|past| &past.extent)
    }

    /// The moment that is shown: the live race's newest, or the playhead's own. While a long way is still being
    /// gone, the moment that it has come to.
    pub fn at(&self, reel: &Reel, race: &RaceState) -> At {
        match &self.past {
            None => race.last_moment(),
            Some(past) if past.is_there() => past.target.1,
            Some(past) => known_of(reel, past.fold.place).min(past.target.1),
        }
    }

    /// Whether it has yet to come to where it was sent.
    pub fn is_on_its_way(&self) -> bool {
        self.past.as_ref().is_some_and(|past| !past.is_there())
    }

    /// Shows the live race again; in a recording, its end.
    pub fn end(&mut self, reel: &Reel, race: &RaceState) {
        match self.edge {
            Edge::Live => self.past = None,
            Edge::End => self.go(reel, race, (reel.end(), reel.last_moment()), false),
        }
    }

    /// Goes to where the race starts, or to the first moment that is still known; goes on playing if it did.
    pub fn home(&mut self, reel: &Reel, race: &RaceState) {
        let playing = self.motion() == Motion::Playing;
        let at = reel.first_moment();
        self.go(reel, race, (reel.known_at(at), at), playing);
    }

    /// Plays from the start.
    pub fn again(&mut self, reel: &Reel, race: &RaceState) {
        self.home(reel, race);
        if let Some(past) = &mut self.past {
            past.playing = true;
        }
    }

    /// Freezes the picture, or lets it go on from where it is.
    pub fn toggle(&mut self, reel: &Reel, race: &RaceState) {
        match &mut self.past {
            None => self.freeze(reel, race),
            Some(past) if past.playing => past.playing = false,
            Some(past) if past.target.0 < reel.end() => past.playing = true,
            Some(past) if self.edge == Edge::Live && !race.is_over() => past.playing = true,
            Some(_) if self.edge == Edge::Live => self.past = None,
            Some(_) => self.again(reel, race),
        }
    }

    /// Freezes the picture.
    pub fn freeze(&mut self, reel: &Reel, race: &RaceState) {
        match &mut self.past {
            Some(past) => past.playing = false,
            None if reel.origin().is_none() => {}
            None => {
                let fold = Fold { state: race.clone(), place: reel.end() };
                let target = (reel.end(), race.last_moment());
                let extent = Extent::of(race);
                self.past = Some(Box::new(Past { fold, target, playing: false, extent, kept: Vec::new() }));
            }
        }
    }

    /// Shows a moment, as near to it as events are kept; past the newest of a live race, that race. Goes on
    /// playing if it did.
    pub fn to(&mut self, reel: &Reel, race: &RaceState, at: At) {
        let playing = self.motion() == Motion::Playing;
        let newest = self.newest(reel, race);
        if at >= newest {
            return self.end(reel, race);
        }
        let at = at.max(reel.first_moment());
        self.go(reel, race, (reel.known_at(at), at), playing);
    }

    /// Shows the moment so much earlier or later.
    pub fn by(&mut self, reel: &Reel, race: &RaceState, way: Way, time: Duration) {
        let at = self.past.as_ref().map_or(race.last_moment(), |past| past.target.1);
        let at = match way {
            Way::Back => At(at.0.saturating_sub(At::from_duration(time).0)),
            Way::On => at.plus(time),
        };
        self.to(reel, race, at);
    }

    /// Freezes the picture one event earlier or later, that is where one fewer or one more of the events that
    /// tell something is in it: of a run, or of any. The moment becomes that event's. Says whether there was one.
    pub fn step(&mut self, reel: &Reel, race: &RaceState, way: Way, run: Option<RunId>) -> bool {
        let place = self.past.as_ref().map_or(reel.end(), |past| past.target.0);
        let found = match way {
            Way::Back => reel.last(run, place).and_then(|newest| reel.last(run, newest)),
            Way::On => reel.next(run, place),
        };
        if let Some(found) = found {
            self.show(reel, race, found);
        }
        found.is_some()
    }

    /// Freezes the picture at the event at a place: it is the last one in it.
    pub fn show(&mut self, reel: &Reel, race: &RaceState, place: usize) {
        if let Some(told) = reel.told(place) {
            self.go(reel, race, (place + 1, told.known), false);
        }
    }

    /// Plays half as fast, or twice as fast. The live race itself can be played more slowly, from now on.
    pub fn change_speed(&mut self, reel: &Reel, race: &RaceState, way: Way) {
        if self.motion() == Motion::Live {
            if way == Way::Back && !race.is_over() {
                self.speed = Speed::ONE.slower();
                self.freeze(reel, race);
                self.toggle(reel, race);
            }
            return;
        }
        self.speed = match way {
            Way::Back => self.speed.slower(),
            Way::On => self.speed.faster(),
        };
    }

    /// So much time has passed for whoever watches. What it plays comes to an end at the live race, which is
    /// then shown, or at the end of the recording, where it stays.
    pub fn pass(&mut self, reel: &Reel, race: &RaceState, time: Duration) {
        let newest = self.newest(reel, race);
        let Some(past) = &mut self.past else { return };
        if !past.is_there() {
            return past.advance(reel);
        }
        if !past.playing {
            return;
        }
        let at = past.target.1.plus(self.speed.of(time));
        if at >= newest {
            // A live race whose newest moment was reached may still go on: from here on it is shown.
            return self.end(reel, race);
        }
        past.target = (reel.known_at(at).max(past.target.0), at);
        past.advance(reel);
    }

    /// Comes to terms with events that are no longer kept: what can't be gone on from is left.
    pub fn keep_within(&mut self, reel: &Reel) {
        let Some(past) = &mut self.past else { return };
        past.kept.retain(|kept| kept.place >= reel.start());
        if past.fold.place < reel.start()
            && let Some(origin) = reel.origin()
        {
            past.fold = origin;
            past.target = (past.target.0.max(reel.start()), past.target.1.max(reel.first_moment()));
            past.advance(reel);
        }
    }

    fn newest(&self, reel: &Reel, race: &RaceState) -> At {
        match self.edge {
            Edge::Live => race.last_moment(),
            Edge::End => reel.last_moment(),
        }
    }

    fn go(&mut self, reel: &Reel, race: &RaceState, target: (usize, At), playing: bool) {
        if self.past.is_none() {
            let Some(origin) = reel.origin() else { return };
            let extent = Extent::of(race);
            let past = Past { fold: origin, target, playing, extent, kept: Vec::new() };
            self.past = Some(Box::new(past));
        }
        let Some(past) = &mut self.past else { return };
        (past.target, past.playing) = (target, playing);
        if target.0 < past.fold.place {
            let Some(origin) = reel.origin() else { return };
            let near = past.kept.iter().rev().find(|kept| kept.place <= target.0);
            past.fold = near.cloned().unwrap_or(origin);
        }
        past.advance(reel);
    }
}

impl Past {
    fn is_there(&self) -> bool {
        self.fold.place == self.target.0
    }

    /// Goes on towards the target, by one slice.
    fn advance(&mut self, reel: &Reel) {
        self.fold.advance(reel, self.target.0, SLICE);
        let (stride, most) = kept(&self.fold.state, reel);
        let last = self.kept.iter().map(|kept| kept.place).max().unwrap_or(reel.start());
        if self.fold.place >= last + stride {
            if self.kept.len() >= most {
                let mut at = 0;
                self.kept.retain(|_| {
                    at += 1;
                    at % 2 == 0
                });
            }
            self.kept.push(self.fold.clone());
        }
    }
}

/// After how many events a state is kept to go back to, and how many of them there may be.
fn kept(state: &RaceState, reel: &Reel) -> (usize, usize) {
    let tasks = state.plan().tasks.len() * state.runs().len() * size_of::<TaskState>();
    // A span, a step up or down and what goes with them, for every few events.
    let bytes = tasks + (reel.end() - reel.start()) * 32;
    let most = (KEPT_BYTES / bytes.max(1)).clamp(2, MOST_KEPT);
    (((reel.end() - reel.start()) / most).max(SLICE), most)
}

/// The moment of the last of the first `place` events.
fn known_of(reel: &Reel, place: usize) -> At {
    let told = place.checked_sub(1).and_then(|last| reel.told(last));
    told.map_or(reel.first_moment(), |told| told.known)
}
