//! The dashboard's loop: takes in notices and input, and shows a frame when something changed.

mod act;

use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::{Settings, Start};
use crate::event::{At, Event, Fact};
use crate::model::{Counter, RaceState, RunState, RunStatus};
use crate::race::{Libraries, Notice, Preparing, Race, RaceError};
use crate::report::Summary;
use crate::report::words::Glyphs;

use crate::tui::pace::Pace;
use crate::tui::terminal::{Input, Options, Terminal};
use crate::tui::theme::Theme;
use crate::tui::ui::{Overlay, RoundChoice, RunChoice, Timeline, Ui, View};
use crate::tui::views::{Activity, Scene};
use crate::tui::{DashboardError, Left, Look, Reader, ascii, terminal, views};

/// How long the loop sleeps when nothing moves. Keys and signals wake it.
const IDLE: Duration = Duration::from_secs(60);

/// Sorting the table may take one part in so many of the time, and so may the figures of a race under way.
const SORTING_SHARE: u32 = 20;

/// What `r` does while a race is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// It asks first: one stray key should not cost a race.
    Asks,
    /// It has asked.
    Agreed,
}

pub(super) struct App {
    /// What the next race will be.
    next: Settings,
    /// What the race on screen was made from.
    shown: Option<Settings>,
    look: Look,
    theme: Theme,
    ui: Ui,
    race: Option<Race>,
    state: Option<RaceState>,
    summary: Option<Summary>,
    /// When the figures were last made, and how long that took.
    summarised: Option<(Instant, Duration)>,
    /// The place of the run that the last frame of a race under way was about.
    looked_at: Option<usize>,
    preparing: Option<Preparing>,
    cancelling: bool,
    race_after: bool,
    /// What a key has just done; gone with the next key.
    notice: Option<String>,
    /// Whether the next `r` cancels the race that is under way and starts another.
    restart: Restart,
    refused: Option<(String, RaceError)>,
    libraries: Libraries,
    arranged: Option<(Instant, Duration)>,
    size: (u16, u16),
    dirty: bool,
}

impl App {
    pub(super) fn new(settings: Settings, look: Look) -> App {
        let theme = Theme::new(look.theme, look.depth);
        App {
            next: settings,
            shown: None,
            theme,
            look,
            ui: Ui::default(),
            race: None,
            state: None,
            summary: None,
            summarised: None,
            looked_at: None,
            preparing: None,
            cancelling: false,
            race_after: false,
            notice: None,
            restart: Restart::Asks,
            refused: None,
            libraries: Libraries::default(),
            arranged: None,
            size: (80, 24),
            dirty: true,
        }
    }

    pub(super) fn run(mut self) -> Result<Left, DashboardError> {
        let mut terminal = Terminal::enter(Options { mouse: self.next.dashboard.mouse })?;
        let frame_time = self.next.dashboard.frames.interval();
        let mut pace = Pace::new(frame_time);
        self.size = terminal.size();
        // The first frame comes before anything else, so that the screen answers at once.
        self.show(&terminal);
        if self.next.dashboard.start == Start::AtOnce {
            self.start()?;
        }
        let why = loop {
            let since = Instant::now();
            if self.dirty {
                pace.drawing(|| self.show(&terminal));
            }
            let wait = if self.is_busy() { pace.interval().saturating_sub(since.elapsed()) } else { IDLE };
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
            if self.is_busy() {
                std::thread::sleep(frame_time.saturating_sub(since.elapsed()));
            }
            self.hear()?;
        };
        self.leave_race();
        let reader = match terminal.leave() {
            terminal::Left::Restored => Reader::There,
            terminal::Left::Stalled | terminal::Left::Gone => Reader::Gone,
        };
        Ok(Left { why, reader, race: self.state, refused: self.refused.map(|(_, error)| error) })
    }

    /// Cancels the race and takes in what it still says, for the report.
    fn leave_race(&mut self) {
        if let Some(race) = self.race.take() {
            race.cancel();
            let deadline = Instant::now() + Duration::from_secs(2);
            while let Ok(notice) =
                race.notices().recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                match notice {
                    Notice::Events(events) => self.apply(&events),
                    Notice::Over { .. } | Notice::Refused(_) => break,
                    Notice::Preparing(_) => {}
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.race.is_some()
    }

    fn start(&mut self) -> Result<(), RaceError> {
        if self.race.is_some() {
            self.race_after = true;
            self.cancel();
            return Ok(());
        }
        self.race_after = false;
        self.cancelling = false;
        self.refused = None;
        self.preparing = None;
        self.state = None;
        self.summary = None;
        self.summarised = None;
        self.ui.scroll = None;
        self.ui.run = RunChoice::Follow;
        self.ui.round = RoundChoice::Follow;
        self.ui.timeline = Timeline::default();
        self.ui.table.order.clear();
        self.arranged = None;
        self.shown = Some(self.next.clone());
        self.race = Some(Race::start(self.next.clone(), &self.libraries)?);
        self.dirty = true;
        Ok(())
    }

    fn cancel(&mut self) {
        if let Some(race) = &self.race {
            race.cancel();
            self.cancelling = true;
            self.dirty = true;
        }
    }

    /// Takes in what the race has said since the last time.
    fn hear(&mut self) -> Result<(), RaceError> {
        let Some(race) = &self.race else { return Ok(()) };
        let notices: Vec<Notice> = race.notices().try_iter().collect();
        for notice in notices {
            match notice {
                Notice::Preparing(step) => self.preparing = Some(step),
                Notice::Events(events) => self.apply(&events),
                Notice::Refused(error) => self.over(Some(error)),
                Notice::Over { tidied } => self.over(tidied.err()),
            }
        }
        // A race under way moves by itself: its clock is on screen.
        self.dirty = true;
        if self.race.is_none() && self.race_after {
            self.start()?;
        }
        Ok(())
    }

    fn over(&mut self, error: Option<RaceError>) {
        self.stay_with_a_run();
        self.race = None;
        self.cancelling = false;
        self.refused = error
            .filter(|error| !matches!(error, RaceError::Cancelled))
            .map(|error| (error.to_string(), error));
        self.summarise();
        self.arranged = None;
    }

    /// When a race ends, somebody who reads a task's story or the table keeps the run that is looked at;
    /// otherwise the run that the verdict is about is shown.
    fn stay_with_a_run(&mut self) {
        let Some(state) = self.state.as_ref().filter(|_| self.ui.run == RunChoice::Follow) else { return };
        let reading = self.ui.overlay != Overlay::None || self.ui.view == View::Tasks;
        let runs = self.ui.runs_of(state);
        let lost = |run: &RunState| run.counter().map_or(0, Counter::lost);
        let loser = runs.iter().filter(|shown| lost(shown.run) > 0).max_by_key(|shown| lost(shown.run));
        let fastest = runs.iter().filter(|s| s.run.is_comparable()).min_by_key(|shown| shown.run.wall());
        let told = loser.or(fastest).map(|shown| shown.place);
        let place = told.filter(|_| !reading).or(self.looked_at);
        self.ui.run = place.map_or(RunChoice::Follow, RunChoice::Fixed);
    }

    fn apply(&mut self, events: &[Event]) {
        let mut run_ended = false;
        for event in events {
            if let Fact::RaceStarted { plan } = &event.fact {
                self.state = Some(RaceState::new(plan.clone()));
            }
            run_ended |= matches!(
                event.fact,
                Fact::RunFinished { .. } | Fact::RunMeasured { .. } | Fact::RaceFinished
            );
            if let Some(state) = &mut self.state {
                state.apply(event);
            }
        }
        let due = |(when, took): (Instant, Duration)| when.elapsed() >= took * SORTING_SHARE;
        if run_ended && self.summarised.is_none_or(due) {
            self.summarise();
        }
    }

    fn summarise(&mut self) {
        let begin = Instant::now();
        let now = self.now();
        let ended = |state: &&RaceState| {
            state.runs().iter().any(|run| matches!(run.status(), RunStatus::Ended { .. }))
        };
        self.summary = self.state.as_ref().filter(ended).map(|state| Summary::of(state, now));
        self.summarised = Some((Instant::now(), begin.elapsed()));
    }

    /// The moment that is shown: the last one up to which everything is known.
    fn now(&self) -> At {
        self.state.as_ref().map_or(At::ZERO, RaceState::last_moment)
    }

    fn next_differs(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| shown.scenario != self.next.scenario)
    }

    fn scene(&self) -> Scene<'_> {
        let activity = match (&self.race, &self.refused) {
            (Some(_), _) if self.cancelling => Activity::Cancelling,
            (Some(_), _) if self.state.is_none() => Activity::Preparing(self.preparing),
            (Some(_), _) => Activity::Racing,
            (None, Some((message, _))) => Activity::Refused(message),
            (None, None) => Activity::Idle,
        };
        Scene {
            race: self.state.as_ref(),
            summary: self.summary.as_ref(),
            activity,
            now: self.now(),
            next: &self.next,
            next_differs: self.next_differs(),
            notice: self.notice.as_deref(),
            ui: &self.ui,
            theme: &self.theme,
        }
    }

    fn show(&mut self, terminal: &Terminal) {
        self.arrange();
        let (columns, rows) = self.size;
        let area = Rect::new(0, 0, columns, rows);
        let mut frame = terminal.recycle().unwrap_or_else(|| Buffer::empty(area));
        frame.resize(area);
        frame.reset();
        if let Some(state) = self.state.as_ref().filter(|state| !state.is_over()) {
            self.looked_at = state.rounds().group_of(self.ui.run_of(state));
        }
        views::draw(&mut frame, &self.scene());
        if self.look.glyphs == Glyphs::Ascii {
            ascii::make_ascii(&mut frame);
        }
        terminal.show(frame);
        self.dirty = false;
    }

    /// Sorts the table when it is on screen, and so seldom that it takes one part in twenty of the time.
    fn arrange(&mut self) {
        if self.ui.view != View::Tasks {
            return;
        }
        let now = self.now();
        let Some(state) = &self.state else { return };
        let due = self
            .arranged
            .is_none_or(|(when, took)| self.race.is_some() && when.elapsed() >= took * SORTING_SHARE);
        if due {
            let begin = Instant::now();
            let run = self.ui.run_of(state);
            if let Some(run) = state.runs().get(run.index()) {
                self.ui.table.arrange(state, run, now);
            }
            self.arranged = Some((Instant::now(), begin.elapsed()));
        }
    }

    /// The part of the screen that the page has.
    fn page(&self) -> Rect {
        let (columns, rows) = self.size;
        let chrome = if rows >= 6 { 3 } else { u16::from(rows >= 4) };
        Rect::new(0, if rows >= 6 { 2 } else { chrome }, columns, rows.saturating_sub(chrome))
    }
}
