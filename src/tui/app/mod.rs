//! The dashboard's loop: takes in notices and input, and shows a frame when something changed.

mod act;
mod export;
#[cfg(test)]
mod tests;
mod time;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::{Settings, Start};
use crate::event::{Event, Fact};
use crate::model::RaceState;
use crate::race::{Libraries, Notice, Preparing, Race, RaceError};
use crate::recording::{self, Speed, Tape};
use crate::report::Summary;
use crate::report::diff::Both;
use crate::report::words::Glyphs;

use crate::tui::compare::Comparing;
use crate::tui::pace::Pace;
use crate::tui::playhead::{Motion, Playhead};
use crate::tui::reel::Reel;
use crate::tui::terminal::{Input, Options, Terminal};
use crate::tui::theme::Theme;
use crate::tui::ui::{Overlay, RoundChoice, RunChoice, Timeline, Ui, View};
use crate::tui::views::{Activity, Scene};
use crate::tui::{DashboardError, Left, Look, Reader, ascii, terminal, views};

use export::Exports;

/// How long the loop sleeps when nothing moves. Keys and signals wake it.
const IDLE: Duration = Duration::from_secs(60);

/// How long a race that was left is listened to for what it still says.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Sorting the table may take one part in so many of the time, and so may the figures of a race under way.
const SORTING_SHARE: u32 = 20;

/// What `r` and `S` do while there is something to lose: a race under way, or the replay that one has come to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// It asks first: one stray key should not cost a race.
    Asks,
    /// It has asked.
    Agreed,
    /// `S` has asked, which starts another race, too.
    ToSweep,
}

/// A race that has not ended.
struct UnderWay {
    race: Race,
    /// What it does before it starts.
    preparing: Option<Preparing>,
    ending: Ending,
}

/// Whether a race under way was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It comes to its own end.
    Own,
    /// It was cancelled.
    Cancelled,
    /// It was cancelled, and another race follows.
    ForAnother,
}

impl UnderWay {
    fn new(race: Race) -> UnderWay {
        UnderWay { race, preparing: None, ending: Ending::Own }
    }
}

/// What is to be known of the recording that is played.
struct Replay {
    banner: Option<String>,
}

pub(super) struct App {
    /// What the next race will be.
    next: Settings,
    /// What the race on screen was made from.
    shown: Option<Settings>,
    look: Look,
    theme: Theme,
    ui: Ui,
    race: Option<UnderWay>,
    /// The race with everything that was told of it, whichever moment is shown.
    state: Option<RaceState>,
    reel: Reel,
    playhead: Playhead,
    /// When time was last seen to pass.
    passed: Instant,
    /// The race is one of a recording.
    replay: Option<Replay>,
    /// Figures that the reel has no more, after so many events.
    figures: Option<(usize, Summary)>,
    /// The race that was over before the one on screen began.
    before: Option<RaceState>,
    /// The page that compares the two, while it is open.
    comparing: Option<Comparing>,
    /// The place of the run that the last frame of a race under way was about.
    looked_at: Option<usize>,
    /// The run that was chosen for whoever watches when the race was seen to be over.
    settled: Option<usize>,
    /// What a key has just done; gone with the next key.
    notice: Option<String>,
    /// Whether the next `r` cancels the race that is under way and starts another.
    restart: Restart,
    refused: Option<(String, RaceError)>,
    libraries: Libraries,
    exports: Exports,
    arranged: Option<(Instant, Duration)>,
    size: (u16, u16),
    dirty: bool,
}

impl App {
    pub(super) fn new(settings: Settings, look: Look) -> App {
        let theme = Theme::new(look.theme, look.depth);
        // A sweep that was asked for is watched where its points come.
        let named = settings.scenarios.iter().find(|it| it.name == settings.scenario.name);
        let as_named = named.is_some_and(|named| named.executors == settings.scenario.executors);
        let view = if settings.scenario.is_sweep() && !as_named { View::Results } else { View::Race };
        App {
            next: settings,
            shown: None,
            theme,
            look,
            ui: Ui { view, ..Ui::default() },
            race: None,
            state: None,
            reel: Reel::default(),
            playhead: Playhead::live(),
            passed: Instant::now(),
            replay: None,
            figures: None,
            before: None,
            comparing: None,
            looked_at: None,
            settled: None,
            notice: None,
            restart: Restart::Asks,
            refused: None,
            libraries: Libraries::default(),
            exports: Exports::default(),
            arranged: None,
            size: (80, 24),
            dirty: true,
        }
    }

    /// A dashboard that plays a recording.
    pub(super) fn replaying(
        tape: Tape,
        speed: Speed,
        banner: Option<String>,
        settings: Settings,
        look: Look,
    ) -> App {
        let mut app = App::new(settings, look);
        match Reel::of(tape) {
            Some((reel, race)) => {
                // What is raced next begins with the scenario that is watched, where there is one of its name.
                let name = &race.plan().scenario;
                if let Some(known) = app.next.scenarios.iter().find(|scenario| scenario.name == *name) {
                    app.next.scenario = known.clone();
                }
                app.playhead = Playhead::replay(&reel, &race, speed);
                (app.reel, app.state) = (reel, Some(race));
            }
            None => app.notice = banner.clone(),
        }
        app.replay = Some(Replay { banner });
        app
    }

    pub(super) fn run(mut self) -> Result<Left, DashboardError> {
        let mut terminal = Terminal::enter(Options { mouse: self.next.dashboard.mouse })?;
        let frame_time = self.next.dashboard.frames.interval();
        let mut pace = Pace::new(frame_time);
        self.size = terminal.size();
        // The first frame comes before anything else, so that the screen answers at once.
        self.show(&terminal);
        if self.next.dashboard.start == Start::AtOnce && self.replay.is_none() {
            self.start()?;
        }
        self.passed = Instant::now();
        let why = loop {
            let since = Instant::now();
            if self.dirty {
                pace.drawing(|| self.show(&terminal));
            }
            let wait = match self.is_busy() {
                true => pace.interval().saturating_sub(since.elapsed()),
                // Nothing is measured while a recording plays.
                false if self.is_playing() => frame_time.saturating_sub(since.elapsed()),
                false => IDLE,
            };
            let mut input = terminal.next(wait);
            let mut why = None;
            loop {
                match self.take(&input)? {
                    Some(reason) => why = Some(reason),
                    None if input == Input::Resized || input == Input::Resumed => {
                        self.size = terminal.size();
                        self.dirty = true;
                    }
                    None => {}
                }
                if input == Input::Nothing || why.is_some() {
                    break;
                }
                input = terminal.next(Duration::ZERO);
            }
            if let Some(why) = why {
                break why;
            }
            // Keys may come faster than frames should; a race is drawn at its own pace.
            if self.is_busy() || self.is_playing() {
                std::thread::sleep(frame_time.saturating_sub(since.elapsed()));
            }
            self.hear()?;
            self.hear_exports();
            self.pass();
        };
        self.leave_race(LAST_WORDS);
        let reader = match terminal.leave() {
            terminal::Left::Restored => Reader::There,
            terminal::Left::Stalled | terminal::Left::Gone => Reader::Gone,
        };
        self.exports.finish();
        Ok(Left { why, reader, race: self.state, refused: self.refused.map(|(_, error)| error) })
    }

    /// Cancels the race and takes in what it says within `patience`, for the report.
    fn leave_race(&mut self, patience: Duration) {
        let Some(UnderWay { race, .. }) = self.race.take() else { return };
        race.cancel();
        let deadline = Instant::now() + patience;
        let refused = loop {
            match race.notices().recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                // Where nothing records the race, the events are the dashboard's alone.
                Ok(Notice::Events(events)) => self.apply(Arc::unwrap_or_clone(events)),
                Ok(Notice::Preparing(_)) => {}
                Ok(Notice::Refused(error)) => break Some(error),
                // It would not have started any more.
                Err(_) if self.state.is_none() => break Some(RaceError::Cancelled),
                Ok(Notice::Over { tidied }) => break tidied.err(),
                Err(_) => break None,
            }
        };
        self.refused = refused.map(|error| (error.to_string(), error));
    }

    fn is_busy(&self) -> bool {
        self.race.is_some() || self.exports.are_under_way()
    }

    fn start(&mut self) -> Result<(), RaceError> {
        if self.race.is_some() {
            self.end(Ending::ForAnother);
            return Ok(());
        }
        self.refused = None;
        if let Some(over) = self.state.take().filter(RaceState::is_over) {
            self.before = Some(over);
        }
        self.comparing = None;
        (self.reel, self.playhead) = (Reel::default(), Playhead::live());
        (self.replay, self.figures, self.settled) = (None, None, None);
        self.ui.scroll = None;
        self.ui.run = RunChoice::Follow;
        self.ui.round = RoundChoice::Follow;
        self.ui.timeline = Timeline::default();
        self.ui.table.order.clear();
        self.arranged = None;
        self.shown = Some(self.next.clone());
        self.race = Some(UnderWay::new(Race::start(self.next.clone(), &self.libraries)?));
        self.next.record = self.next.record.take().map(|path| recording::name_after(&path));
        self.dirty = true;
        Ok(())
    }

    /// Cancels the race under way, if there is one; one that another was to follow is followed by none, where
    /// somebody cancels again.
    fn end(&mut self, how: Ending) {
        if let Some(under_way) = &mut self.race {
            under_way.race.cancel();
            under_way.ending = how;
            self.dirty = true;
        }
    }

    /// Takes in what the race has said since the last time.
    fn hear(&mut self) -> Result<(), RaceError> {
        let Some(under_way) = &mut self.race else { return Ok(()) };
        let notices: Vec<Notice> = under_way.race.notices().try_iter().collect();
        let ending = under_way.ending;
        for notice in notices {
            match notice {
                Notice::Preparing(step) => {
                    if let Some(under_way) = &mut self.race {
                        under_way.preparing = Some(step);
                    }
                }
                // Where nothing records the race, the events are the dashboard's alone.
                Notice::Events(events) => self.apply(Arc::unwrap_or_clone(events)),
                Notice::Refused(error) => self.over(Some(error)),
                Notice::Over { tidied } => self.over(tidied.err()),
            }
        }
        // A race under way moves by itself: its clock is on screen.
        self.dirty = true;
        if self.race.is_none() && ending == Ending::ForAnother {
            self.start()?;
        }
        Ok(())
    }

    fn over(&mut self, error: Option<RaceError>) {
        self.race = None;
        self.settle();
        self.refused = error
            .filter(|error| !matches!(error, RaceError::Cancelled))
            .map(|error| (error.to_string(), error));
        self.arranged = None;
    }

    /// When a race is seen to end, somebody who reads a task's story or the table keeps the run that is looked at;
    /// otherwise the run that the verdict is about is shown.
    fn stay_with_a_run(&mut self) {
        let Some(state) = self.state.as_ref() else { return };
        let reading = self.ui.overlay != Overlay::None || self.ui.view == View::Tasks;
        let place = self.ui.telling_run(state).filter(|_| !reading).or(self.looked_at);
        let place = place.or_else(|| state.rounds().group_of(self.ui.run_of(state))).unwrap_or(0);
        (self.ui.run, self.settled) = (RunChoice::Fixed(place), Some(place));
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            if let Fact::RaceStarted { plan } = &event.fact {
                self.state = Some(RaceState::new(plan.clone()));
            }
            if let Some(state) = &mut self.state {
                state.apply(&event);
                self.reel.push(event, state);
            }
        }
        self.playhead.keep_within(&self.reel);
    }

    fn next_differs(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.scenario != self.next.scenario)
    }

    fn scene(&self) -> Scene<'_> {
        let activity = match (&self.race, &self.refused) {
            (Some(UnderWay { ending: Ending::Cancelled | Ending::ForAnother, .. }), _) => {
                Activity::Cancelling
            }
            (Some(under_way), _) if self.state.is_none() => Activity::Preparing(under_way.preparing),
            (Some(_), _) => Activity::Racing,
            (None, Some((message, _))) => Activity::Refused(message),
            (None, None) => Activity::Idle,
        };
        let change = self.reel.last_figures(self.place());
        let kept = |change| self.figures.as_ref().filter(|(at, _)| *at == change).map(|(_, figures)| figures);
        Scene {
            race: self.picture(),
            summary: change.and_then(|change| self.reel.figures(change).or_else(|| kept(change))),
            activity,
            now: self.now(),
            next: &self.next,
            next_differs: self.next_differs(),
            notice: self.notice.as_deref(),
            playback: self.playback(),
            ui: &self.ui,
            theme: &self.theme,
        }
    }

    fn show(&mut self, terminal: &Terminal) {
        let (columns, rows) = self.size;
        let area = Rect::new(0, 0, columns, rows);
        let mut frame = terminal.recycle().unwrap_or_else(|| Buffer::empty(area));
        frame.resize(area);
        self.paint(&mut frame);
        terminal.show(frame);
        self.dirty = false;
    }

    /// Paints the picture of now.
    fn paint(&mut self, frame: &mut Buffer) {
        self.arrange();
        self.refigure();
        if let Some(picture) = self.picture().filter(|picture| !picture.is_over()) {
            self.looked_at = picture.rounds().group_of(self.ui.run_of(picture));
        }
        match (&self.comparing, &self.before, &self.state) {
            (Some(page), Some(a), Some(b)) => {
                let names = Both { a: "the race before", b: "this race" };
                page.draw(frame, Both { a, b }, names, ("Esc", "close"), &self.theme);
            }
            _ => views::draw(frame, &self.scene()),
        }
        if self.look.glyphs == Glyphs::Ascii {
            ascii::make_ascii(frame);
        }
    }

    /// Sorts the table when it is on screen, and so seldom that it takes one part in twenty of the time.
    fn arrange(&mut self) {
        if self.ui.view != View::Tasks {
            return;
        }
        let now = self.now();
        let moves = self.race.is_some() || self.playhead.motion() == Motion::Playing;
        let due = self.arranged.is_none_or(|(when, took)| moves && when.elapsed() >= took * SORTING_SHARE);
        let picture = self.playhead.picture().map(|fold| &fold.state).or(self.state.as_ref());
        if let Some(picture) = picture.filter(|_| due) {
            let begin = Instant::now();
            let run = self.ui.run_of(picture);
            if let Some(run) = picture.runs().get(run.index()) {
                self.ui.table.arrange(picture, run, now);
            }
            self.arranged = Some((Instant::now(), begin.elapsed()));
        }
    }

    /// Where things stand on the screen.
    fn layout(&self) -> views::Layout {
        let (columns, rows) = self.size;
        views::layout(Rect::new(0, 0, columns, rows), &self.scene())
    }

    /// The part of the screen that the page has.
    fn page(&self) -> Rect {
        self.layout().page
    }
}
