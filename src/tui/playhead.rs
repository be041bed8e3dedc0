//! The playhead: which moment of a race is shown, and how it moves through time.
//!
//! A live race is shown as it is, from the state that everything folds into. Going back costs that race
//! nothing: the playhead has a fold of its own, of the first events of the [`Reel`], and moves that one. Time
//! is a parameter: whoever draws says how much of it has passed.

use std::time::Duration;

use crate::event::{At, RunId};
use crate::model::{RaceState, RunStatus, TaskState};
use crate::recording::Speed;

use super::reel::{Fold, Reel};

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

/// So many events are folded at a time, which takes some 15 ms: going back to any moment of a shorter race is done
/// at once, and none of a longer one stops the screen.
const SLICE: usize = 200_000;

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
        if self.fold.place >= last + stride && self.kept.len() < most {
            self.kept.push(self.fold.clone());
        }
    }
}

/// After how many events a state is kept to go back to, and how many of them there may be.
fn kept(state: &RaceState, reel: &Reel) -> (usize, usize) {
    let tasks = state.plan().tasks.len() * state.runs().len() * size_of::<TaskState>();
    // A span, a step up or down and what goes with them, for every few events.
    let bytes = tasks + (reel.end() - reel.start()) * 32;
    let most = (KEPT_BYTES / bytes.max(1)).clamp(1, MOST_KEPT);
    (((reel.end() - reel.start()) / (most + 1)).max(SLICE), most)
}

/// The moment of the last of the first `place` events.
fn known_of(reel: &Reel, place: usize) -> At {
    let told = place.checked_sub(1).and_then(|last| reel.told(last));
    told.map_or(reel.first_moment(), |told| told.known)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{
        Event, ExecutorKind, Fact, LaneId, Outcome, Phase, RacePlan, Round, RunEnd, RunPlan, TaskEnd, TaskId,
        TaskPlan,
    };
    use crate::tui::reel::tells;

    fn plan() -> Arc<RacePlan> {
        let run = |label: &str| RunPlan {
            executor: ExecutorKind::Pool,
            workers: 2,
            variant: None,
            label: label.to_owned(),
            round: Round::ONLY,
        };
        let task = |name: &str| TaskPlan { name: name.to_owned(), url: None };
        Arc::new(RacePlan::of_sleeps(vec![task("a"), task("b"), task("c")], vec![run("one"), run("two")]))
    }

    /// What happens in a race of two runs, one event every `step` nanoseconds but for those that come at one
    /// moment; collected after every fifth, and one of them told late.
    pub fn events(step: u64) -> Vec<Event> {
        let mut facts = vec![Fact::RaceStarted { plan: plan() }];
        for run in [RunId(0), RunId(1)] {
            facts.push(Fact::RunStarted { run });
            facts.extend((0..3).map(|task| Fact::TaskQueued { run, task: TaskId(task) }));
            for task in [TaskId(0), TaskId(1), TaskId(2)] {
                facts.push(Fact::TaskStarted { run, task, lane: LaneId(task.0 % 2) });
                facts.push(Fact::AttemptStarted { run, task, number: 1 });
                facts.push(Fact::PhaseEntered { run, task, phase: Phase::Waiting });
                facts.push(Fact::BytesArrived { run, task, bytes: 7 });
                let end = TaskEnd {
                    outcome: Outcome::Done,
                    bytes: 9,
                    write_nanos: 0,
                    check: Default::default(),
                    result: None,
                };
                facts.push(Fact::TaskFinished { run, task, end: Box::new(end) });
            }
            facts.push(Fact::RunFinished { run, end: RunEnd::Completed });
        }
        facts.push(Fact::RaceFinished);
        let mut told = Vec::new();
        for (number, fact) in (0..).zip(facts) {
            let late = if number == 11 { 3 } else { 0 };
            told.push(Event { at: At((number / 2 * 2 - late) * step), fact });
            if number % 5 == 4 {
                told.push(Event { at: At(number * step), fact: Fact::Collected });
            }
        }
        told
    }

    fn live(events: Vec<Event>, most: usize) -> (Reel, RaceState) {
        let (mut reel, mut state) = (Reel::keeping(most), RaceState::new(plan()));
        for event in events {
            state.apply(&event);
            reel.push(event, &state);
        }
        (reel, state)
    }

    fn folded(events: &[Event]) -> RaceState {
        let mut state = RaceState::new(plan());
        events.iter().for_each(|event| state.apply(event));
        state
    }

    #[test]
    fn a_frozen_picture_stands_while_the_race_goes_on() {
        let mut all = events(1_000);
        let rest = all.split_off(20);
        let (mut reel, mut state) = live(all.clone(), 1_000);
        let mut playhead = Playhead::live();
        assert_eq!((playhead.motion(), playhead.picture()), (Motion::Live, None));
        playhead.toggle(&reel, &state);
        for event in rest {
            state.apply(&event);
            reel.push(event, &state);
        }
        playhead.pass(&reel, &state, Duration::from_secs(1));
        assert_eq!(playhead.motion(), Motion::Frozen);
        assert_eq!(playhead.picture(), Some(&Fold { state: folded(&all), place: 20 }));
        assert_eq!(playhead.at(&reel, &state), folded(&all).last_moment());
        // It goes on from where it is, and comes to the newest in the end.
        playhead.toggle(&reel, &state);
        playhead.pass(&reel, &state, Duration::from_nanos(1));
        assert_eq!(playhead.motion(), Motion::Playing);
        playhead.pass(&reel, &state, Duration::from_secs(1));
        assert_eq!(playhead.motion(), Motion::Live);
    }

    #[test]
    fn a_replay_plays_to_its_end_stays_there_and_plays_again() {
        let (reel, race) = live(events(1_000_000), usize::MAX);
        let mut playhead = Playhead::replay(&reel, &race, Speed::ONE.faster());
        assert_eq!((playhead.motion(), playhead.at(&reel, &race)), (Motion::Playing, At::ZERO));
        playhead.pass(&reel, &race, Duration::from_millis(5));
        assert_eq!(playhead.at(&reel, &race), At(10_000_000));
        for _ in 0..100 {
            playhead.pass(&reel, &race, Duration::from_millis(5));
        }
        assert_eq!(playhead.motion(), Motion::Frozen);
        assert_eq!(playhead.picture().map(|fold| &fold.state), Some(&race));
        playhead.toggle(&reel, &race);
        assert_eq!((playhead.motion(), playhead.at(&reel, &race)), (Motion::Playing, At::ZERO));
    }

    #[test]
    fn the_live_race_can_be_played_more_slowly_but_not_faster() {
        let (reel, race) = live(events(1_000).into_iter().take(20).collect(), 1_000);
        let mut playhead = Playhead::live();
        playhead.change_speed(&reel, &race, Way::On);
        assert_eq!((playhead.motion(), playhead.speed()), (Motion::Live, Speed::ONE));
        playhead.change_speed(&reel, &race, Way::Back);
        assert_eq!((playhead.motion(), playhead.speed().to_string()), (Motion::Playing, "×1/2".to_owned()));
    }

    #[test]
    fn each_step_changes_one_event_that_tells() {
        let all = events(1_000);
        let (reel, race) = live(all.clone(), 1_000);
        for run in [None, Some(RunId(0)), Some(RunId(1))] {
            let mut playhead = Playhead::live();
            let mine =
                |event: &&Event| tells(&event.fact) && run.is_none_or(|run| event.fact.run() == Some(run));
            let in_picture = |playhead: &Playhead| {
                let place = playhead.picture().map_or(0, |fold| fold.place);
                all[..place].iter().filter(mine).count()
            };
            let count = all.iter().filter(mine).count();
            for left in (1..count).rev() {
                assert!(playhead.step(&reel, &race, Way::Back, run));
                assert_eq!(in_picture(&playhead), left);
            }
            assert!(!playhead.step(&reel, &race, Way::Back, run));
            for more in 2..=count {
                assert!(playhead.step(&reel, &race, Way::On, run));
                assert_eq!(in_picture(&playhead), more);
            }
            assert!(!playhead.step(&reel, &race, Way::On, run));
        }
    }

    #[derive(Debug, Clone)]
    enum Move {
        Tell,
        Toggle,
        Home,
        End,
        To(u64),
        By(Way, u64),
        Step(Way, Option<RunId>),
        Speed(Way),
        Pass(u64),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let way = prop::sample::select(vec![Way::Back, Way::On]);
        let run = prop::sample::select(vec![None, Some(RunId(0)), Some(RunId(1)), Some(RunId(9))]);
        let one = prop_oneof![
            4 => Just(Move::Tell),
            1 => Just(Move::Toggle),
            1 => Just(Move::Home),
            1 => Just(Move::End),
            2 => (0_u64..60_000).prop_map(Move::To),
            2 => (way.clone(), 0_u64..9_000).prop_map(|(way, by)| Move::By(way, by)),
            4 => (way.clone(), run).prop_map(|(way, run)| Move::Step(way, run)),
            1 => way.prop_map(Move::Speed),
            3 => (0_u64..9_000).prop_map(Move::Pass),
        ];
        prop::collection::vec(one, 0..120)
    }

    proptest! {
        /// Wherever the playhead goes, in a race that goes on or in a recording, with all events or the last few
        /// of them: its picture is the fold of the first events, those that were known at its moment.
        #[test]
        fn a_picture_is_the_fold_of_what_was_known(
            moves in moves(), begun in 0_usize..40, most in prop::sample::select(vec![16, 24, 1_000]), recorded in any::<bool>(),
        ) {
            let all = events(1_000);
            let begun = if recorded { all.len() } else { begun };
            let (mut reel, mut race) = live(all[..begun].to_vec(), if recorded { 1_000 } else { most });
            let mut rest = all[begun..].iter();
            let mut playhead =
                if recorded { Playhead::replay(&reel, &race, Speed::ONE) } else { Playhead::live() };
            for one in moves {
                match one {
                    Move::Tell => if let Some(event) = rest.next() {
                        race.apply(event);
                        reel.push(event.clone(), &race);
                        playhead.keep_within(&reel);
                    },
                    Move::Toggle => playhead.toggle(&reel, &race),
                    Move::Home => playhead.home(&reel, &race),
                    Move::End => playhead.end(&reel, &race),
                    Move::To(at) => playhead.to(&reel, &race, At(at)),
                    Move::By(way, by) => playhead.by(&reel, &race, way, Duration::from_nanos(by)),
                    Move::Step(way, run) => drop(playhead.step(&reel, &race, way, run)),
                    Move::Speed(way) => playhead.change_speed(&reel, &race, way),
                    Move::Pass(by) => playhead.pass(&reel, &race, Duration::from_nanos(by)),
                }
                prop_assert!(!playhead.is_on_its_way());
                let Some(fold) = playhead.picture() else {
                    prop_assert!(!recorded);
                    continue;
                };
                prop_assert!(fold.place >= reel.start() && fold.place <= reel.end());
                prop_assert_eq!(&fold.state, &folded(&all[..fold.place]));
                let at = playhead.at(&reel, &race);
                // A frozen live picture has what was told late, which is known a nanosecond after its moment.
                prop_assert!(fold.place <= reel.known_at(at.plus(Duration::from_nanos(1))), "{at:?}, {}", fold.place);
                prop_assert!(at >= fold.state.last_moment().min(reel.last_moment()));
            }
        }
    }
}
