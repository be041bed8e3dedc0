//! What keys and the mouse do.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::event::{ExecutorKind, Order};
use crate::race::RaceError;
use crate::report::Target;
use crate::report::diff::Both;
use crate::report::scaling::Sweep;
use crate::scenario::{ExecutorChoice, MAX_WORKERS, Programs, Scenario, WorkerCounts};
use crate::tui::compare::Comparing;
use crate::tui::keys::{Action, action};
use crate::tui::terminal::Input;
use crate::tui::theme::Theme;
use crate::tui::ui::{Direction, Ghost, Overlay, RoundChoice, RunChoice, Typing, View};
use crate::tui::widgets::Window;
use crate::tui::{Signal, Why, offers, views};

use super::{App, Ending, Restart};

/// Whether two executors of a scenario are the same with the same workers.
fn repeats(scenario: &Scenario) -> bool {
    let keys: Vec<_> = scenario.executors.iter().map(|choice| choice.key(scenario.workers)).collect();
    (1..keys.len()).any(|at| keys[..at].contains(&keys[at]))
}

/// A scenario without those of its executors that can't do it here, and what is to be said about that.
fn fitting(mut scenario: Scenario, programs: &Programs) -> (Scenario, Option<String>) {
    let mut left_out = Vec::new();
    for choice in std::mem::take(&mut scenario.executors) {
        match scenario.why_not(&choice, programs) {
            Some(why_not) => left_out.push(format!("without {choice}: {why_not}")),
            None => scenario.executors.push(choice),
        }
    }
    let notice = match (left_out.first(), left_out.len()) {
        (None, _) => None,
        (Some(first), 1) => Some(first.clone()),
        (Some(first), all) => Some(format!("{first}, and without {} more", all - 1)),
    };
    (scenario, notice)
}

impl App {
    pub(super) fn take(&mut self, input: &Input) -> Result<Option<Why>, RaceError> {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Mouse(mouse) => self.mouse(mouse),
            Input::Pasted(text) if self.ui.table.typing == Typing::Filter => {
                self.ui.table.filter.push_str(&crate::text::shown(text));
                self.filtered();
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
        self.notice = None;
        let asked = matches!(
            (self.restart, action),
            (Restart::Agreed, Action::Race) | (Restart::ToSweep, Action::Sweep)
        );
        if !asked {
            self.restart = Restart::Asks;
        }
        match action {
            Action::Quit => return Ok(Some(Why::Quit)),
            Action::Interrupt => return Ok(Some(Why::Signal(Signal::Interrupt))),
            _ if self.comparing.is_some() => self.in_comparison(action),
            _ if self.ui.overlay != Overlay::None => self.in_overlay(action)?,
            Action::View(view) => self.ui.view = View::ALL[view.min(View::ALL.len() - 1)],
            Action::NextView => self.ui.view = self.ui.view.after(1),
            Action::PreviousView => self.ui.view = self.ui.view.after(View::ALL.len() - 1),
            Action::Race if self.is_replay() => self.play_again(),
            Action::Race if self.race.is_some() && self.restart == Restart::Asks => {
                self.restart = Restart::Agreed;
                self.notice = Some("r again cancels this race and starts another".to_owned());
            }
            Action::Race => {
                self.restart = Restart::Asks;
                self.start()?;
            }
            Action::Sweep if (self.race.is_some() || self.is_replay()) && self.restart == Restart::Asks => {
                self.restart = Restart::ToSweep;
                let name = &self.next.scenario.name;
                let leaves = if self.is_replay() { "leaves this replay" } else { "cancels this race" };
                self.notice =
                    Some(format!("S again {leaves} and starts a sweep of {}", crate::text::shown(name)));
            }
            Action::Sweep => {
                self.restart = Restart::Asks;
                self.sweep()?;
            }
            Action::Cancel => self.end(Ending::Cancelled),
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
            Action::RoundBack => self.step_round(-1),
            Action::RoundOn => self.step_round(1),
            Action::Keep => self.keep(),
            Action::Export => self.offer_exports(),
            Action::Theme => self.next_theme(),
            Action::Help => self.ui.overlay = Overlay::Help { scroll: 0 },
            Action::Ghost => self.toggle_ghost(),
            Action::Diff => self.compare(),
            Action::Close if !self.ui.table.filter.is_empty() => {
                self.ui.table.filter.clear();
                self.filtered();
            }
            other if self.in_time(other) => {}
            other => self.in_view(other),
        }
        Ok(None)
    }

    /// Sweeps the scenario: the executor of the run that was chosen, where it can be swept, or the pool.
    fn sweep(&mut self) -> Result<(), RaceError> {
        if self.next.order == Order::Together {
            self.notice = Some("a sweep’s runs follow each other: leave --together out".to_owned());
            return Ok(());
        }
        let chosen = match (&self.state, self.ui.run) {
            (Some(state), RunChoice::Fixed(_)) => {
                state.runs().get(self.ui.run_of(state).index()).map(|run| ExecutorChoice {
                    variant: run.plan().variant,
                    ..ExecutorChoice::plain(run.plan().executor.clone())
                })
            }
            _ => None,
        };
        let swept = |choice: &ExecutorChoice| {
            self.next.scenario.swept(choice, &WorkerCounts::default(), &self.next.programs)
        };
        let pool = ExecutorChoice::plain(ExecutorKind::Pool);
        match chosen.and_then(|choice| swept(&choice).ok()).map_or_else(|| swept(&pool), Ok) {
            Ok(scenario) => {
                self.next.scenario = scenario;
                self.ui.view = View::Results;
                self.ui.results_scroll = 0;
                self.start()?;
            }
            Err(error) => self.notice = Some(error.to_string()),
        }
        Ok(())
    }

    fn type_filter(&mut self, key: &KeyEvent) -> bool {
        let table = &mut self.ui.table;
        match key.code {
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
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
        self.filtered();
        true
    }

    /// The table has another filter: it is shown from its top.
    fn filtered(&mut self) {
        (self.ui.table.selected, self.ui.table.top) = (0, 0);
        self.arranged = None;
    }

    fn workers(&mut self, change: impl Fn(usize) -> usize) {
        if self.is_replay() {
            self.notice = Some(
                "a replay has the workers that it had: s races a scenario, and w then gives it more"
                    .to_owned(),
            );
            return;
        }
        let change = |workers: usize| change(workers).clamp(1, MAX_WORKERS);
        let mut scenario = self.next.scenario.clone();
        scenario.workers = change(scenario.workers);
        for executor in &mut scenario.executors {
            executor.workers = executor.workers.map(change);
        }
        // Runs that become alike at the end of the range would be one run drawn twice.
        if repeats(&scenario) {
            self.notice = Some("two executors would become the same; e chooses them".to_owned());
        } else if scenario == self.next.scenario {
            self.notice = Some("there are no fewer workers than 1".to_owned());
        } else {
            self.next.scenario = scenario;
        }
    }

    fn next_theme(&mut self) {
        self.theme = Theme::new(self.theme.next(), self.look.depth);
        self.notice = Some(format!("theme: {}", self.theme.title()));
    }

    fn compare(&mut self) {
        match (&self.before, &self.state) {
            (Some(before), Some(race)) if race.is_over() => {
                self.comparing = Some(Comparing::of(Both { a: before, b: race }));
            }
            (Some(_), _) => {
                self.notice = Some("d compares this race with the one before when it is over".to_owned());
            }
            (None, _) if self.is_replay() => {
                self.notice = Some("`threadrace diff A B` compares two recordings".to_owned());
            }
            (None, _) => {
                self.notice = Some("no race came before this one: r races again, then d compares".to_owned());
            }
        }
    }

    fn in_comparison(&mut self, action: Action) {
        match action {
            Action::Close | Action::Diff | Action::Enter => self.comparing = None,
            Action::Theme => self.next_theme(),
            action => {
                if let Some(page) = &mut self.comparing {
                    page.act(action);
                }
            }
        }
    }

    fn toggle_ghost(&mut self) {
        self.ui.ghost = match self.ui.ghost {
            Ghost::Shown => Ghost::Hidden,
            Ghost::Hidden => Ghost::Shown,
        };
        if self.state.as_ref().is_some_and(|race| race.baseline().is_none()) {
            self.notice = Some("no ghost: this race has no sequential run".to_owned());
        } else if self.ui.view != View::Timeline {
            let now = if self.ui.ghost == Ghost::Shown { "shows" } else { "hides" };
            self.notice = Some(format!("the timeline {now} the sequential run as a ghost"));
        }
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
            Overlay::Export { at } => {
                let targets =
                    self.state.as_ref().map(|race| Target::of_race(race.plan())).unwrap_or_default();
                *at = step(*at, targets.len().saturating_sub(1));
                let target = targets.get(*at).copied();
                self.in_exports(target, action);
            }
            Overlay::Scenarios { at } => match action {
                Action::Close | Action::Scenarios => self.ui.overlay = Overlay::None,
                Action::Enter => {
                    if let Some(scenario) = self.next.scenarios.get(*at) {
                        let (scenario, notice) = fitting(scenario.clone(), &self.next.programs);
                        self.notice = notice;
                        start = Some(scenario).filter(|scenario| !scenario.executors.is_empty());
                    }
                }
                _ => *at = step(*at, self.next.scenarios.len().saturating_sub(1)),
            },
            Overlay::Executors { at, chosen } => {
                let offers = offers(&self.next, chosen);
                match action {
                    Action::Close | Action::Executors => self.ui.overlay = Overlay::None,
                    Action::Space => {
                        if let Some(offer) = offers.get(*at) {
                            match chosen.iter().position(|choice| choice == offer) {
                                Some(place) => _ = chosen.remove(place),
                                None => match self.next.scenario.why_not(offer, &self.next.programs) {
                                    Some(why_not) => {
                                        self.notice = Some(format!("{} can’t: {why_not}", offer.kind));
                                    }
                                    None => chosen.push(offer.clone()),
                                },
                            }
                        }
                    }
                    Action::Enter if !chosen.is_empty() => {
                        let mut scenario = self.next.scenario.clone();
                        scenario.executors =
                            offers.into_iter().filter(|offer| chosen.contains(offer)).collect();
                        let (scenario, notice) = fitting(scenario, &self.next.programs);
                        if repeats(&scenario) {
                            self.notice = Some("two of these are the same executor".to_owned());
                        } else {
                            self.notice = notice;
                            start = Some(scenario).filter(|scenario| !scenario.executors.is_empty());
                        }
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
            (View::Results, Action::Up | Action::Down | Action::PageUp | Action::PageDown) => {
                let (most, shown) = views::results_extent(&self.scene(), self.page());
                // One line stays in sight.
                let page = shown.saturating_sub(1).max(1);
                let at = self.ui.results_scroll.min(most);
                self.ui.results_scroll = match action {
                    Action::Up => at.saturating_sub(1),
                    Action::Down => (at + 1).min(most),
                    Action::PageUp => at.saturating_sub(page),
                    _ => (at + page).min(most),
                };
            }
            (_, Action::Up | Action::PreviousRun) => self.step_run(-1),
            (_, Action::Down | Action::NextRun) => self.step_run(1),
            (View::Timeline, _) => self.in_timeline(action),
            (View::Race, Action::PageUp | Action::PageDown) => {
                let most = self.tasks().saturating_sub(1);
                let page = usize::from(self.page().height / 2).max(1);
                let at = self.ui.scroll.unwrap_or(0);
                self.ui.scroll = Some(match action {
                    Action::PageUp => at.saturating_sub(page),
                    _ => (at + page).min(most),
                });
            }
            (View::Race, Action::Close | Action::Follow) => {
                self.ui.scroll = None;
                self.ui.run = RunChoice::Follow;
                self.ui.round = RoundChoice::Follow;
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
        if let Some(picture) = self.picture() {
            let (runs, looked_at) = (self.ui.runs_of(picture), self.ui.run_of(picture));
            let at = runs.iter().position(|shown| shown.id == looked_at).unwrap_or(0);
            let next = at.saturating_add_signed(by).min(runs.len().saturating_sub(1));
            if let Some(place) = runs.get(next).map(|shown| shown.place) {
                self.ui.run = RunChoice::Fixed(place);
            }
            self.settled = None;
            self.ui.timeline.scroll = 0;
            self.arranged = None;
        }
    }

    /// Shows another round; the last of a race under way is followed.
    fn step_round(&mut self, by: isize) {
        let Some(state) = &self.state else { return };
        if !state.rounds().are_several() {
            self.notice = Some("this race has one round; --repeat N runs it N times".to_owned());
            return;
        }
        let last = state.rounds().all().len() - 1;
        let next = self.ui.round_of(state).saturating_add_signed(by).min(last);
        // A round that has not begun has nothing to show.
        self.ui.round = match next >= state.current_round() {
            true => RoundChoice::Follow,
            false => RoundChoice::Fixed(next),
        };
        self.ui.timeline.scroll = 0;
        self.arranged = None;
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
                table.sort = table.sort.next();
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
        let scene = self.scene();
        let Some(state) = scene.race else { return };
        let window = views::window(&scene, state);
        let (longest, _) = views::all_of(&scene, state);
        let cells = u32::from(self.size.0.saturating_sub(16).max(1));
        let cursor = self.ui.timeline.cursor;
        let run = state.runs().get(self.ui.run_of(state).index());
        let half_of_run = run.and_then(|run| run.elapsed(scene.now)).unwrap_or(longest) / 2;
        let pointed_at = cursor.or_else(|| scene.playhead_in(run?));
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
                    let around =
                        pointed_at.filter(|c| *c >= window.from && *c < window.to()).unwrap_or(middle);
                    let share = around.saturating_sub(window.from).as_secs_f64() / window.long.as_secs_f64();
                    let from = around.saturating_sub(long.mul_f64(share));
                    timeline.window = Some(moved(Window { from, long }));
                }
            }
            // A window that shows everything can't be panned.
            Action::PanLeft | Action::PanRight if timeline.window.is_some() => {
                let by = window.long / 4;
                let from = match action {
                    Action::PanLeft => window.from.saturating_sub(by),
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
            _ => {}
        }
    }

    fn mouse(&mut self, mouse: &MouseEvent) {
        if self.comparing.is_some() {
            return;
        }
        let layout = self.layout();
        let page = layout.page;
        let on_transport = layout.transport.filter(|row| row.y == mouse.row);
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
            MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left)
                if on_transport.is_some() && self.ui.overlay == Overlay::None =>
            {
                let pointed = on_transport.and_then(|row| views::moment_at(&self.scene(), row, mouse.column));
                if let Some(at) = pointed {
                    self.point_at(at);
                }
            }
            MouseEventKind::Down(MouseButton::Left) => {
                self.dirty = true;
                if self.ui.overlay != Overlay::None {
                    self.ui.overlay = Overlay::None;
                } else if layout.tabs.is_some_and(|tabs| tabs.y == mouse.row) {
                    self.click_tab(mouse.column);
                } else if page.contains((mouse.column, mouse.row).into()) {
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
        let scene = self.scene();
        let Some(state) = scene.race else { return };
        match self.ui.view {
            View::Race => {
                if let Some(run) = views::run_at(&self.scene(), state, page.height, row) {
                    (self.ui.run, self.settled) = (RunChoice::Fixed(run), None);
                }
            }
            View::Results => {
                let place = row.checked_sub(1).and_then(|row| Some(self.ui.runs_of(state).get(row)?.place));
                if let Some(place) = place.filter(|_| Sweep::of(state.plan()).is_none()) {
                    (self.ui.run, self.settled) = (RunChoice::Fixed(place), None);
                }
            }
            View::Timeline => {
                let cursor = views::cursor_at(&scene, state, page, column);
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
