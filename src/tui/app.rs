//! The dashboard's loop and what its keys do.

use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::config::{Settings, Start, ThemeName};
use crate::event::{At, Event, Fact, RunId};
use crate::model::{RaceState, RunStatus};
use crate::race::{Libraries, Notice, Preparing, Race, RaceError};
use crate::report::Summary;
use crate::report::words::Glyphs;
use crate::scenario::MAX_WORKERS;

use super::keys::{Action, action};
use super::terminal::{Input, Options, Terminal};
use super::theme::Theme;
use super::ui::{Column, Direction, Overlay, RunChoice, Typing, Ui, View};
use super::views::{self, Activity, Scene};
use super::widgets::Window;
use super::{DashboardError, Left, Look, Reader, Why, ascii, offers, terminal};

/// How long the loop sleeps when nothing moves. Keys and signals wake it.
const IDLE: Duration = Duration::from_secs(60);

/// Sorting the table may take this share of the time.
const SORTING_SHARE: u32 = 20;

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
    /// When the race on screen started, on this thread's clock; its events are counted from there.
    zero: Option<Instant>,
    /// The end of what happened, once it is over.
    end: At,
    summary: Option<Summary>,
    preparing: Option<Preparing>,
    cancelling: bool,
    race_after: bool,
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
            zero: None,
            end: At::ZERO,
            summary: None,
            preparing: None,
            cancelling: false,
            race_after: false,
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
        self.size = terminal.size();
        // The first frame comes before anything else, so that the screen answers at once.
        self.show(&terminal);
        if self.next.dashboard.start == Start::AtOnce {
            self.start()?;
        }
        let why = loop {
            let since = Instant::now();
            if self.dirty {
                self.show(&terminal);
            }
            let wait = if self.is_busy() { frame_time.saturating_sub(since.elapsed()) } else { IDLE };
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
        self.zero = None;
        self.ui.scroll = None;
        self.ui.run = RunChoice::Follow;
        self.ui.timeline = super::ui::Timeline::default();
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
        self.race = None;
        self.cancelling = false;
        self.refused = error
            .filter(|error| !matches!(error, RaceError::Cancelled))
            .map(|error| (error.to_string(), error));
        self.summarise();
        self.arranged = None;
    }

    fn apply(&mut self, events: &[Event]) {
        let mut run_ended = false;
        for event in events {
            if let Fact::RaceStarted { plan } = &event.fact {
                self.state = Some(RaceState::new(plan.clone()));
                self.zero = Instant::now().checked_sub(Duration::from_nanos(event.at.0));
            }
            run_ended |= matches!(event.fact, Fact::RunFinished { .. } | Fact::RaceFinished);
            self.end = self.end.max(event.at);
            if matches!(event.fact, Fact::RaceStarted { .. }) {
                self.end = event.at;
            }
            if let Some(state) = &mut self.state {
                state.apply(event);
            }
        }
        if run_ended {
            self.summarise();
        }
    }

    fn summarise(&mut self) {
        let now = self.now();
        let ended = |state: &&RaceState| {
            state.runs().iter().any(|run| matches!(run.status(), RunStatus::Ended { .. }))
        };
        self.summary = self.state.as_ref().filter(ended).map(|state| Summary::of(state, now));
    }

    /// The moment that is shown: that of the race's clock while it runs, its end afterwards.
    fn now(&self) -> At {
        match (&self.state, self.zero) {
            (Some(state), Some(zero)) if !state.is_over() && self.race.is_some() => {
                At::from_duration(zero.elapsed()).max(self.end)
            }
            _ => self.end,
        }
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

    fn take(&mut self, input: &Input) -> Result<Option<Why>, RaceError> {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Mouse(mouse) => self.mouse(mouse),
            Input::Pasted(text) if self.ui.table.typing == Typing::Filter => {
                self.ui.table.filter.push_str(&crate::text::shown(text));
                self.arranged = None;
                self.dirty = true;
            }
            Input::Signal(signal) => return Ok(Some(Why::Signal(*signal))),
            Input::Vanished => return Ok(Some(Why::Vanished)),
            Input::Pasted(_) | Input::Resized | Input::Resumed | Input::Nothing => {}
        }
        Ok(None)
    }

    fn key(&mut self, key: &KeyEvent) -> Result<Option<Why>, RaceError> {
        self.dirty = true;
        if self.ui.table.typing == Typing::Filter && self.type_filter(key) {
            return Ok(None);
        }
        let Some(action) = action(key) else { return Ok(None) };
        match action {
            Action::Quit => return Ok(Some(Why::Quit)),
            Action::Interrupt => return Ok(Some(Why::Signal(super::Signal::Interrupt))),
            _ if self.ui.overlay != Overlay::None => self.in_overlay(action)?,
            Action::View(view) => self.ui.view = View::ALL[view.min(View::ALL.len() - 1)],
            Action::NextView => self.ui.view = self.ui.view.after(1),
            Action::PreviousView => self.ui.view = self.ui.view.after(View::ALL.len() - 1),
            Action::Race => self.start()?,
            Action::Cancel => self.cancel(),
            Action::Executors => {
                let chosen = self.next.scenario.executors.clone();
                self.ui.overlay = Overlay::Executors { at: 0, chosen };
            }
            Action::Scenarios => {
                let name = &self.next.scenario.name;
                let at = self.next.scenarios.iter().position(|scenario| scenario.name == *name).unwrap_or(0);
                self.ui.overlay = Overlay::Scenarios { at };
            }
            Action::MoreWorkers => self.workers(|workers| workers.saturating_add(1)),
            Action::FewerWorkers => self.workers(|workers| workers.saturating_sub(1)),
            Action::Theme => self.next_theme(),
            Action::Help => self.ui.overlay = Overlay::Help { scroll: 0 },
            Action::Close if !self.ui.table.filter.is_empty() => {
                self.ui.table.filter.clear();
                self.arranged = None;
            }
            other => self.in_view(other),
        }
        Ok(None)
    }

    fn type_filter(&mut self, key: &KeyEvent) -> bool {
        let table = &mut self.ui.table;
        match key.code {
            KeyCode::Char(c) if !key.modifiers.contains(ratatui::crossterm::event::KeyModifiers::CONTROL) => {
                table.filter.push(c);
            }
            KeyCode::Backspace => {
                table.filter.pop();
            }
            KeyCode::Enter => table.typing = Typing::Nothing,
            KeyCode::Esc => {
                table.filter.clear();
                table.typing = Typing::Nothing;
            }
            _ => return false,
        }
        (table.selected, table.top) = (0, 0);
        self.arranged = None;
        true
    }

    fn workers(&mut self, change: impl Fn(usize) -> usize) {
        let change = |workers: usize| change(workers).clamp(1, MAX_WORKERS);
        let scenario = &mut self.next.scenario;
        scenario.workers = change(scenario.workers);
        for executor in &mut scenario.executors {
            executor.workers = executor.workers.map(change);
        }
    }

    fn next_theme(&mut self) {
        const THEMES: [ThemeName; 4] =
            [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast, ThemeName::Monochrome];
        let at = THEMES.iter().position(|&name| name == self.theme.name).unwrap_or(0);
        self.theme = Theme::new(THEMES[(at + 1) % THEMES.len()], self.look.depth);
    }

    fn in_overlay(&mut self, action: Action) -> Result<(), RaceError> {
        let step = |at: usize, last: usize| match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => (at + 1).min(last),
            Action::PageUp => at.saturating_sub(10),
            Action::PageDown => (at + 10).min(last),
            Action::Home => 0,
            Action::End => last,
            _ => at,
        };
        let mut start = None;
        match &mut self.ui.overlay {
            Overlay::None => {}
            Overlay::Help { scroll } | Overlay::Story { scroll, .. } => match action {
                Action::Close | Action::Help | Action::Enter => self.ui.overlay = Overlay::None,
                _ => *scroll = step(*scroll, 10_000),
            },
            Overlay::Scenarios { at } => match action {
                Action::Close | Action::Scenarios => self.ui.overlay = Overlay::None,
                Action::Enter => start = self.next.scenarios.get(*at).cloned(),
                _ => *at = step(*at, self.next.scenarios.len().saturating_sub(1)),
            },
            Overlay::Executors { at, chosen } => {
                let offers = offers(&self.next, chosen);
                match action {
                    Action::Close | Action::Executors => self.ui.overlay = Overlay::None,
                    Action::Toggle => {
                        if let Some(offer) = offers.get(*at) {
                            match chosen.iter().position(|choice| choice == offer) {
                                Some(place) => _ = chosen.remove(place),
                                None => chosen.push(*offer),
                            }
                        }
                    }
                    Action::Enter if !chosen.is_empty() => {
                        let mut scenario = self.next.scenario.clone();
                        scenario.executors =
                            offers.into_iter().filter(|offer| chosen.contains(offer)).collect();
                        start = Some(scenario);
                    }
                    _ => *at = step(*at, offers.len().saturating_sub(1)),
                }
            }
        }
        if let Some(scenario) = start {
            self.ui.overlay = Overlay::None;
            self.ui.view = View::Race;
            self.next.scenario = scenario;
            self.start()?;
        }
        Ok(())
    }

    fn in_view(&mut self, action: Action) {
        match (self.ui.view, action) {
            (View::Tasks, _) => self.in_tasks(action),
            (View::Results, Action::Up) => self.ui.results_scroll = self.ui.results_scroll.saturating_sub(1),
            (View::Results, Action::Down) => self.ui.results_scroll = (self.ui.results_scroll + 1).min(100),
            (_, Action::Up | Action::PreviousRun) => self.step_run(-1),
            (_, Action::Down | Action::NextRun) => self.step_run(1),
            (View::Timeline, _) => self.in_timeline(action),
            (View::Race, Action::PageUp | Action::PageDown | Action::Home | Action::End) => {
                let most = self.tasks().saturating_sub(1);
                let page = usize::from(self.page().height / 2).max(1);
                let at = self.ui.scroll.unwrap_or(0);
                self.ui.scroll = Some(match action {
                    Action::PageUp => at.saturating_sub(page),
                    Action::PageDown => (at + page).min(most),
                    Action::Home => 0,
                    _ => most,
                });
            }
            (View::Race, Action::Close | Action::Follow) => {
                self.ui.scroll = None;
                self.ui.run = RunChoice::Follow;
            }
            (View::Race, Action::Enter) => {
                self.ui.view = View::Tasks;
                self.arranged = None;
            }
            _ => {}
        }
    }

    fn tasks(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.plan().tasks.len())
    }

    fn step_run(&mut self, by: isize) {
        if let Some(state) = &self.state {
            let last = state.runs().len().saturating_sub(1);
            let at = self.ui.run_of(state).index();
            self.ui.run = RunChoice::Fixed(at.saturating_add_signed(by).min(last));
            self.ui.timeline.scroll = 0;
            self.arranged = None;
        }
    }

    fn in_tasks(&mut self, action: Action) {
        let rows = views::table_rows(self.page()).max(1);
        let table = &mut self.ui.table;
        let last = table.order.len().saturating_sub(1);
        match action {
            Action::Up => table.selected = table.selected.saturating_sub(1),
            Action::Down => table.selected = (table.selected + 1).min(last),
            Action::PageUp => table.selected = table.selected.saturating_sub(rows),
            Action::PageDown => table.selected = (table.selected + rows).min(last),
            Action::Home => table.selected = 0,
            Action::End => table.selected = last,
            Action::Sort => {
                let at = Column::ALL.iter().position(|&column| column == table.sort).unwrap_or(0);
                table.sort = Column::ALL[(at + 1) % Column::ALL.len()];
                self.arranged = None;
            }
            Action::Reverse => {
                table.direction = match table.direction {
                    Direction::Ascending => Direction::Descending,
                    Direction::Descending => Direction::Ascending,
                };
                self.arranged = None;
            }
            Action::Filter => table.typing = Typing::Filter,
            Action::NextRun => self.step_run(1),
            Action::PreviousRun => self.step_run(-1),
            Action::Enter => {
                if let Some(&task) = table.order.get(table.selected) {
                    self.ui.overlay = Overlay::Story { task, scroll: 0 };
                }
            }
            _ => {}
        }
        let table = &mut self.ui.table;
        table.top = table.top.min(table.selected).max((table.selected + 1).saturating_sub(rows));
    }

    fn in_timeline(&mut self, action: Action) {
        let Some(state) = &self.state else { return };
        let scene = self.scene();
        let window = views::window(&scene, state);
        let longest = state.runs().iter().filter_map(|run| run.elapsed(scene.now)).max().unwrap_or_default();
        let cells = u32::from(self.size.0.saturating_sub(16).max(1));
        let cursor = self.ui.timeline.cursor;
        let run = state.runs().get(self.ui.run_of(state).index());
        let half_of_run = run.and_then(|run| run.elapsed(scene.now)).unwrap_or(longest) / 2;
        let timeline = &mut self.ui.timeline;
        let moved = |window: Window| Window {
            from: window.from.min(longest.saturating_sub(window.long)),
            long: window.long,
        };
        match action {
            Action::ZoomIn | Action::ZoomOut => {
                let factor = if action == Action::ZoomIn { 0.5 } else { 2.0 };
                let long = window.long.mul_f64(factor).max(Duration::from_micros(10));
                if long >= longest {
                    timeline.window = None;
                } else {
                    let middle = window.from + window.long / 2;
                    let around = cursor.filter(|c| *c >= window.from && *c < window.to()).unwrap_or(middle);
                    let share = around.saturating_sub(window.from).as_secs_f64() / window.long.as_secs_f64();
                    let from = around.saturating_sub(long.mul_f64(share));
                    timeline.window = Some(moved(Window { from, long }));
                }
            }
            Action::Left | Action::Right if timeline.window.is_some() => {
                let by = window.long / 4;
                let from = match action {
                    Action::Left => window.from.saturating_sub(by),
                    _ => window.from + by,
                };
                timeline.window = Some(moved(Window { from, ..window }));
            }
            Action::CursorLeft | Action::CursorRight => {
                let at = cursor.unwrap_or(window.from + half_of_run.min(window.long / 2));
                let by = window.long / cells;
                let at = match action {
                    Action::CursorLeft => at.saturating_sub(by),
                    _ => at + by,
                };
                timeline.cursor = Some(at.clamp(window.from, window.to().saturating_sub(by / 2)));
            }
            Action::Follow => (timeline.window, timeline.scroll) = (None, 0),
            Action::Close => timeline.cursor = None,
            Action::PageDown => timeline.scroll = (timeline.scroll + 5).min(1_000_000),
            Action::PageUp => timeline.scroll = timeline.scroll.saturating_sub(5),
            Action::Home => timeline.scroll = 0,
            Action::End => timeline.scroll = 1_000_000,
            _ => {}
        }
    }

    fn mouse(&mut self, mouse: &MouseEvent) {
        let page = self.page();
        match mouse.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let action = match (mouse.kind, self.ui.view) {
                    (MouseEventKind::ScrollUp, View::Timeline) => Action::PageUp,
                    (_, View::Timeline) => Action::PageDown,
                    (MouseEventKind::ScrollUp, _) => Action::Up,
                    (_, _) => Action::Down,
                };
                if self.ui.overlay != Overlay::None {
                    let _ = self.in_overlay(if action == Action::PageUp { Action::Up } else { action });
                } else if self.ui.view == View::Race {
                    let (at, most) = (self.ui.scroll.unwrap_or(0), self.tasks().saturating_sub(1));
                    self.ui.scroll =
                        Some(if action == Action::Up { at.saturating_sub(3) } else { (at + 3).min(most) });
                } else {
                    self.in_view(action);
                }
                self.dirty = true;
            }
            MouseEventKind::Down(MouseButton::Left) => {
                self.dirty = true;
                if self.ui.overlay != Overlay::None {
                    self.ui.overlay = Overlay::None;
                } else if mouse.row == 1 && page.y == 2 {
                    self.click_tab(mouse.column);
                } else if mouse.row >= page.y {
                    self.click(page, mouse.column, usize::from(mouse.row - page.y));
                }
            }
            _ => {}
        }
    }

    fn click_tab(&mut self, column: u16) {
        let mut right = 0;
        for view in View::ALL {
            right += view.name().len() + 4;
            if usize::from(column) < right {
                self.ui.view = view;
                return;
            }
        }
    }

    fn click(&mut self, page: Rect, column: u16, row: usize) {
        let Some(state) = &self.state else { return };
        match self.ui.view {
            View::Race | View::Results => {
                if let Some(run) = row.checked_sub(1).filter(|&run| run < state.runs().len()) {
                    self.ui.run = RunChoice::Fixed(RunId::of(run).index());
                }
            }
            View::Timeline => {
                let cursor = views::cursor_at(&self.scene(), state, page, column);
                if cursor.is_some() {
                    self.ui.timeline.cursor = cursor;
                }
            }
            View::Tasks => {
                let table = &mut self.ui.table;
                if let Some(place) = row.checked_sub(2).map(|row| table.top + row) {
                    let again = place == table.selected;
                    table.selected = place.min(table.order.len().saturating_sub(1));
                    if let Some(&task) = table.order.get(table.selected).filter(|_| again) {
                        self.ui.overlay = Overlay::Story { task, scroll: 0 };
                    }
                }
            }
        }
    }
}
