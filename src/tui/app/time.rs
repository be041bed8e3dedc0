//! Which moment of the race is shown, and how keys and time move it.

use std::time::{Duration, Instant};

use crate::event::{At, Fact, Order, RunId};
use crate::model::{RaceState, RunStatus};
use crate::report::Summary;
use crate::tui::keys::Action;
use crate::tui::playhead::{Edge, Motion, Way};
use crate::tui::ui::{LogPanel, RunChoice, View};
use crate::tui::views::{self, Playback};
use crate::tui::widgets::Window;

use super::App;

/// The most time that passes for a playing picture between two frames: whoever stopped the program and brings it
/// back goes on where they left.
const LONGEST_FRAME: Duration = Duration::from_millis(500);

impl App {
    /// The race as it was at the moment that is shown.
    pub(super) fn picture(&self) -> Option<&RaceState> {
        self.playhead.picture().map(|fold| &fold.state).or(self.state.as_ref())
    }

    /// How many events are in the picture.
    pub(super) fn place(&self) -> usize {
        self.playhead.picture().map_or(self.reel.end(), |fold| fold.place)
    }

    /// The moment that is shown: of a live race, the last one up to which everything is known.
    pub(super) fn now(&self) -> At {
        self.state.as_ref().map_or(At::ZERO, |state| self.playhead.at(&self.reel, state))
    }

    pub(super) fn playback(&self) -> Option<Playback<'_>> {
        Some(Playback {
            reel: &self.reel,
            place: self.place(),
            motion: self.playhead.motion(),
            speed: self.playhead.speed(),
            edge: self.playhead.edge(),
            whole: self.state.as_ref()?,
            extent: self.playhead.extent(),
            banner: self.replay.as_ref().and_then(|replay| replay.banner.as_deref()),
        })
    }

    /// Whether the picture moves by itself, and not with a live race.
    pub(super) fn is_playing(&self) -> bool {
        self.playhead.motion() == Motion::Playing || self.playhead.is_on_its_way()
    }

    /// Lets the time pass that went by since the last time.
    pub(super) fn pass(&mut self) {
        let now = Instant::now();
        let time = now.duration_since(self.passed).min(LONGEST_FRAME);
        self.passed = now;
        if self.is_playing() {
            self.move_by(time);
        }
    }

    /// Moves a playing picture by so much time of whoever watches.
    pub(super) fn move_by(&mut self, time: Duration) {
        if let Some(state) = &self.state {
            self.playhead.pass(&self.reel, state, time);
            self.moved();
        }
    }

    /// Follows up on a move of the playhead.
    fn moved(&mut self) {
        self.dirty = true;
        if self.playhead.motion() != Motion::Playing {
            self.arranged = None;
        }
        self.settle();
        self.keep_in_sight();
    }

    /// A picture of a race that is over shows the run that the verdict is about; one from before its end follows
    /// the run that was under way, unless somebody has chosen another.
    pub(super) fn settle(&mut self) {
        let over = self.picture().is_some_and(RaceState::is_over) && self.race.is_none();
        match self.ui.run {
            RunChoice::Follow if over => self.stay_with_a_run(),
            RunChoice::Fixed(place) if !over && self.settled == Some(place) => {
                (self.ui.run, self.settled) = (RunChoice::Follow, None);
            }
            _ => {}
        }
    }

    /// Makes the figures of the picture anew where the reel has them no more.
    pub(super) fn refigure(&mut self) {
        let Some(change) = self.reel.last_figures(self.place()) else { return };
        let is_here = self.figures.as_ref().is_some_and(|(at, _)| *at == change);
        if !is_here && self.reel.figures(change).is_none() {
            let now = self.now();
            self.figures = self.picture().map(|picture| (change, Summary::of(picture, now)));
        }
    }

    /// Moves the window of the timeline where the playhead has left it.
    fn keep_in_sight(&mut self) {
        let (Some(window), Some(fold)) = (self.ui.timeline.window, self.playhead.picture()) else { return };
        let run = self.ui.run_of(&fold.state);
        let Some(RunStatus::Running { since }) = fold.state.runs().get(run.index()).map(|run| run.status())
        else {
            return;
        };
        let at = self.now().since(*since);
        if at < window.from || at >= window.to() {
            let from = at.saturating_sub(window.long / 2);
            self.ui.timeline.window = Some(Window { from, ..window });
        }
    }

    /// What a key does that moves the playhead; says whether it is one.
    pub(super) fn in_time(&mut self, action: Action) -> bool {
        let of_list = matches!(action, Action::Home | Action::End) && self.ui.view == View::Tasks;
        let is_mine = matches!(
            action,
            Action::Space
                | Action::Left
                | Action::Right
                | Action::EventBack
                | Action::EventOn
                | Action::Slower
                | Action::Faster
                | Action::Home
                | Action::End
                | Action::Log
        );
        if !is_mine || of_list {
            return false;
        }
        if self.state.is_none() {
            let words = if self.race.is_some() { "the race has not begun" } else { "there is no race yet" };
            self.notice = Some(words.to_owned());
            return true;
        }
        let before = self.playhead.motion();
        match action {
            Action::Log => self.toggle_log(),
            Action::EventBack => self.step(Way::Back),
            Action::EventOn => self.step(Way::On),
            _ => self.drive(action),
        }
        if before == Motion::Live || self.playhead.motion() == Motion::Playing {
            self.passed = Instant::now();
        }
        let froze = self.playhead.motion() == Motion::Frozen && before != Motion::Frozen;
        if froze && self.ui.log == LogPanel::OnFreeze && views::has_room(self.layout().body) {
            self.ui.log = LogPanel::Shown;
        }
        self.moved();
        true
    }

    fn drive(&mut self, action: Action) {
        let hundredth = self.shown_time() / 100;
        let Some(state) = &self.state else { return };
        let (playhead, reel) = (&mut self.playhead, &self.reel);
        match action {
            Action::Space => playhead.toggle(reel, state),
            Action::Left => playhead.by(reel, state, Way::Back, hundredth),
            Action::Right => playhead.by(reel, state, Way::On, hundredth),
            Action::Slower => playhead.change_speed(reel, state, Way::Back),
            Action::Faster => playhead.change_speed(reel, state, Way::On),
            Action::Home => playhead.home(reel, state),
            Action::End => playhead.end(reel, state),
            _ => {}
        }
        // A live race's first step back is a freeze: from there on, nothing moves unless it is asked to.
        let is_live = playhead.motion() == Motion::Live;
        self.notice = match action {
            Action::Right | Action::Faster if is_live && !state.is_over() => {
                Some("this is live: there is nothing later yet".to_owned())
            }
            Action::Right | Action::Slower | Action::Faster if is_live => {
                Some("this is the end; Left goes back, Home to the start".to_owned())
            }
            Action::Slower | Action::Faster if !is_live => Some(format!("speed {}", playhead.speed())),
            _ => None,
        };
    }

    /// How much time the view shows: the timeline's window, or the race.
    fn shown_time(&self) -> Duration {
        let scene = self.scene();
        match (scene.race, self.ui.timeline.window) {
            (Some(race), _) if self.ui.view == View::Timeline => views::window(&scene, race).long,
            _ => self.state.as_ref().map_or(Duration::ZERO, |state| state.last_moment().since(At::ZERO)),
        }
    }

    /// One event back or on: of the run that is looked at where somebody chose one, or where several are under way;
    /// of the race otherwise. In a timeline with the accesses to a counter, the first step goes to the one in
    /// focus.
    fn step(&mut self, way: Way) {
        let run = self.run_to_step();
        let focused = self.focused_access();
        let Some(state) = &self.state else { return };
        if let Some(place) = focused {
            return self.playhead.show(&self.reel, state, place);
        }
        if !self.playhead.step(&self.reel, state, way, run) {
            let (which, of) = match way {
                Way::Back => ("earlier", run.map_or("race", |_| "run")),
                Way::On => ("later", run.map_or("race", |_| "run")),
            };
            self.notice = Some(format!("the {of} has no {which} event"));
        }
    }

    fn run_to_step(&self) -> Option<RunId> {
        let picture = self.picture()?;
        match self.ui.run {
            RunChoice::Fixed(place) if self.settled != Some(place) => Some(self.ui.run_of(picture)),
            _ if picture.plan().order == Order::Together => Some(self.ui.run_of(picture)),
            _ => None,
        }
    }

    /// Where in the reel the access to the counter is that a timeline of a live race has in focus.
    fn focused_access(&self) -> Option<usize> {
        if self.ui.view != View::Timeline || self.playhead.motion() != Motion::Live {
            return None;
        }
        let scene = self.scene();
        let race = scene.race?;
        let run = self.ui.run_of(race);
        let access = views::focused(&scene, race)?;
        let places = self.reel.telling(run);
        let is_it = |place: &usize| {
            self.reel.told(*place).is_some_and(|told| match &told.event.fact {
                Fact::CounterAccessed { task, access: done, .. } => {
                    (told.event.at, *task, *done) == (access.at, access.task, access.access)
                }
                _ => false,
            })
        };
        (0..places.len()).filter_map(|number| places.get(number)).find(is_it)
    }

    fn toggle_log(&mut self) {
        self.ui.log = match self.ui.log {
            LogPanel::Shown => LogPanel::Hidden,
            LogPanel::OnFreeze | LogPanel::Hidden => LogPanel::Shown,
        };
        if self.ui.log == LogPanel::Shown && self.layout().log.is_none() {
            self.notice = Some("this screen is too small for the log".to_owned());
        }
    }

    /// Plays the recording from its start, if it is one.
    pub(super) fn play_again(&mut self) {
        if let Some(state) = &self.state {
            self.playhead.again(&self.reel, state);
            self.passed = Instant::now();
            self.moved();
        }
    }

    /// Shows a moment that was pointed at.
    pub(super) fn point_at(&mut self, at: At) {
        if let Some(state) = &self.state {
            self.playhead.to(&self.reel, state, at);
            self.moved();
        }
    }

    /// Whether `r` plays a recording again instead of starting a race.
    pub(super) fn is_replay(&self) -> bool {
        self.playhead.edge() == Edge::End && self.state.is_some()
    }
}
