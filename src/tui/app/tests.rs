//! What keys and the mouse do to the moment that is shown.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::config::{self, Flags, Settings, Sources, ThemeName};
use crate::event::{At, Event, Fact};
use crate::race::{Notice, Preparing, Race, RaceError};
use crate::recording::{Speed, Tape, WriteError};
use crate::report::words::Glyphs;
use crate::tui::playhead::Motion;
use crate::tui::playhead::tests::events;
use crate::tui::terminal::Input;
use crate::tui::ui::{LogPanel, RunChoice, View};
use crate::tui::widgets::Window;
use crate::tui::{Depth, Look};

use super::{App, UnderWay};

fn settings() -> Settings {
    let sources = Sources {
        flags: Flags::default(),
        variables: Vec::new(),
        folder: "/nowhere".into(),
        home: None,
        stdin: &mut std::io::empty(),
    };
    config::load(sources).expect("the built-in settings are sound").settings
}

fn look() -> Look {
    Look { theme: ThemeName::Dark, glyphs: Glyphs::Unicode, depth: Depth::True }
}

/// A millisecond and a bit between two events.
const STEP: u64 = 1_048_576;

fn app(told: Vec<Event>) -> App {
    let mut app = App::new(settings(), look());
    app.size = (120, 36);
    app.apply(told);
    app
}

fn half() -> Vec<Event> {
    events(STEP).into_iter().take(28).collect()
}

fn replay(speed: Speed) -> App {
    let tape: Tape = events(STEP).into_iter().collect();
    let mut app = App::replaying(tape, speed, Some("a note".to_owned()), settings(), look());
    app.size = (120, 36);
    app
}

impl App {
    fn press(&mut self, code: KeyCode) {
        let left = self.take(&Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        assert!(matches!(left, Ok(None)), "{code:?}: {left:?}");
    }

    fn type_in(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.press(KeyCode::Char(key)));
    }

    fn screen(&mut self) -> String {
        let mut frame = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.paint(&mut frame);
        let rows = frame.content.chunks(usize::from(self.size.0));
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
    }

    fn motion(&self) -> Motion {
        self.playhead.motion()
    }
}

#[test]
fn space_freezes_the_picture_and_the_race_goes_on_behind_it() {
    let mut app = app(half());
    assert!(!app.screen().contains("frozen"));
    app.press(KeyCode::Char(' '));
    let frozen = (app.place(), app.now());
    assert!(app.screen().contains("┃┃ frozen") && app.screen().contains("events, ms from start"));
    app.apply(events(STEP).split_off(28));
    assert_eq!((app.place(), app.now()), frozen);
    let screen = app.screen();
    assert!(screen.contains("its end is") && screen.contains("┃┃ frozen"), "{screen}");
    app.press(KeyCode::End);
    assert_eq!(app.motion(), Motion::Live);
    assert!(app.screen().contains("race over") && !app.screen().contains("┃┃ frozen"));
}

#[test]
fn what_is_frozen_and_still_costs_nothing() {
    let mut app = app(events(STEP));
    app.type_in(" ");
    app.dirty = false;
    app.pass();
    assert!(!app.dirty && !app.is_playing() && !app.is_busy());
}

#[test]
fn tasks_are_sorted_by_the_columns_that_tell_something_of_them() {
    let mut app = app(events(STEP));
    app.type_in("3");
    let mut heads = Vec::new();
    loop {
        let screen = app.screen();
        let by = screen.split_once(", by ").and_then(|(_, rest)| rest.split_once(" ↑"));
        let (by, rest) = by.expect("the title says what the tasks are sorted by");
        if heads.first().is_some_and(|first| first == by) {
            break;
        }
        assert!(rest.contains(by), "no column {by}:\n{screen}");
        heads.push(by.to_owned());
        app.type_in("o");
    }
    assert_eq!(heads, ["#", "name", "lane", "state", "bytes", "queued", "took", "when, or error"]);
}

#[test]
fn the_log_opens_by_itself_once_where_there_is_room() {
    for (size, opens) in [((120, 36), LogPanel::Shown), ((80, 24), LogPanel::OnFreeze)] {
        let mut app = app(half());
        app.size = size;
        app.type_in(" ");
        assert_eq!(app.ui.log, opens);
        app.type_in("i");
        let toggled = if opens == LogPanel::Shown { LogPanel::Hidden } else { LogPanel::Shown };
        assert_eq!(app.ui.log, toggled);
        app.press(KeyCode::End);
        app.type_in(" ");
        assert_eq!(app.ui.log, toggled, "somebody has chosen");
    }
}

#[test]
fn arrows_move_by_a_hundredth_of_what_is_shown() {
    let mut app = app(events(STEP));
    let end = app.now();
    app.press(KeyCode::Left);
    assert_eq!(app.motion(), Motion::Frozen);
    assert_eq!(end.since(app.now()), end.since(At::ZERO) / 100);
    app.press(KeyCode::Right);
    assert_eq!(app.motion(), Motion::Live);
    app.ui.view = View::Timeline;
    app.ui.timeline.window = Some(Window { from: Duration::ZERO, long: Duration::from_millis(1) });
    app.press(KeyCode::Left);
    assert_eq!(end.since(app.now()), Duration::from_micros(10));
}

#[test]
fn the_timelines_window_follows_the_playhead() {
    let mut app = app(events(STEP));
    app.ui.view = View::Timeline;
    let long = Duration::from_millis(2);
    app.ui.timeline.window = Some(Window { from: Duration::ZERO, long });
    let mut seen = 0;
    for _ in 0..40 {
        app.type_in(",");
        let state = app.picture().expect("there is a race");
        let run = &state.runs()[app.ui.run_of(state).index()];
        if let (Some(start), None) = (run.started(), run.wall()) {
            let window = app.ui.timeline.window.expect("it is zoomed");
            let at = app.now().since(start);
            assert!(window.from <= at && at < window.to() && window.long == long);
            seen += 1;
        }
    }
    assert!(seen > 20);
}

#[test]
fn a_step_is_an_event_and_an_end_is_told() {
    let mut app = app(events(STEP));
    app.type_in(".");
    assert_eq!(app.notice.as_deref(), Some("the race has no later event"));
    let mut places = Vec::new();
    while app.notice.as_deref() != Some("the race has no earlier event") {
        app.type_in(",");
        places.push(app.place());
    }
    places.pop();
    assert!(places.windows(2).all(|two| two[0] > two[1]) && places.last() == Some(&1), "{places:?}");
    // Of a run that somebody chose, only its own events count.
    app.press(KeyCode::End);
    app.ui.run = RunChoice::Fixed(0);
    app.settled = None;
    app.type_in(",");
    assert!(app.picture().is_some_and(|race| race.runs()[1].started().is_none()));
}

#[test]
fn speeds_are_chosen_while_it_plays_and_while_it_stands() {
    let mut app = app(half());
    app.type_in(">");
    assert_eq!((app.motion(), app.notice.is_some()), (Motion::Live, true));
    app.type_in("<");
    assert_eq!(app.motion(), Motion::Playing);
    assert!(app.screen().contains("not live ×1/2"));
    app.type_in(" <<");
    assert_eq!((app.motion(), app.playhead.speed().to_string()), (Motion::Frozen, "×1/8".to_owned()));
}

#[test]
fn home_and_end_are_the_lists_where_there_is_one() {
    let mut app = app(events(STEP));
    app.ui.view = View::Tasks;
    app.screen();
    app.press(KeyCode::End);
    assert_eq!((app.ui.table.selected, app.motion()), (2, Motion::Live));
    app.press(KeyCode::Home);
    assert_eq!((app.ui.table.selected, app.motion()), (0, Motion::Live));
    app.type_in("1");
    app.press(KeyCode::Home);
    assert_eq!((app.motion(), app.now(), app.place()), (Motion::Frozen, At::ZERO, 2));
    app.type_in("?");
    app.press(KeyCode::End);
    assert_eq!(app.motion(), Motion::Frozen);
}

#[test]
fn a_click_on_the_track_goes_there_and_so_does_a_drag() {
    let mut app = app(events(STEP));
    app.type_in(" ");
    let row = app.layout().transport.expect("it is shown").y;
    let end = app.now();
    let text = app.screen();
    let line = text.lines().nth(usize::from(row)).expect("it is drawn");
    let last = line.chars().position(|c| c == '●').expect("the playhead is drawn");
    let first = line.chars().position(|c| matches!(c, '━' | '┬')).expect("the track is drawn");
    let mut at = |kind, column: usize| {
        let column = u16::try_from(column).expect("it is on screen");
        let mouse = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        assert!(matches!(app.take(&Input::Mouse(mouse)), Ok(None)));
        app.now()
    };
    let half = at(MouseEventKind::Down(MouseButton::Left), first.midpoint(last));
    assert!(half.0.abs_diff(end.0 / 2) <= end.0 / 20, "{half:?} of {end:?}");
    assert_eq!(at(MouseEventKind::Drag(MouseButton::Left), first), At::ZERO);
    assert_eq!(at(MouseEventKind::Down(MouseButton::Left), first - 3), At::ZERO);
    assert_eq!(at(MouseEventKind::Down(MouseButton::Left), last), end);
}

#[test]
fn a_replay_plays_from_its_start_and_stays_at_its_end() {
    let mut app = replay(Speed::ONE);
    assert_eq!((app.motion(), app.now()), (Motion::Playing, At::ZERO));
    assert!(app.screen().contains("note: a note") && app.screen().contains("replay ×1"));
    for _ in 0..100 {
        app.move_by(Duration::from_millis(1));
    }
    assert_eq!(app.motion(), Motion::Frozen);
    let screen = app.screen();
    assert!(screen.contains("race over") && screen.contains("the end: r plays it again"), "{screen}");
    assert!(screen.contains("Space again"), "{screen}");
    for key in ["r", " "] {
        app.type_in(key);
        assert_eq!((app.motion(), app.now(), app.is_busy()), (Motion::Playing, At::ZERO, false));
        for _ in 0..100 {
            app.move_by(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_replay_shows_what_the_live_race_showed() {
    let all = events(STEP);
    let mut replay = replay(Speed::ONE);
    let mut live = app(Vec::new());
    for event in all {
        let mark = matches!(event.fact, Fact::Collected | Fact::RaceFinished);
        live.apply(vec![event]);
        if mark {
            replay.point_at(live.now());
            assert_eq!(replay.picture(), live.picture());
            assert_eq!(replay.now(), live.now());
            assert_eq!(replay.scene().summary, live.scene().summary);
        }
    }
    assert!(live.scene().summary.is_some());
}

#[test]
fn the_run_of_the_verdict_is_shown_at_the_end_and_not_before() {
    let mut app = replay(Speed::ONE);
    app.press(KeyCode::End);
    let settled = app.ui.run;
    assert!(matches!(settled, RunChoice::Fixed(_)));
    app.press(KeyCode::Home);
    assert_eq!(app.ui.run, RunChoice::Follow);
    app.press(KeyCode::End);
    assert_eq!(app.ui.run, settled);
    // What somebody chose stays.
    app.press(KeyCode::Down);
    let chosen = app.ui.run;
    app.press(KeyCode::Home);
    assert_eq!(app.ui.run, chosen);
}

#[test]
fn a_stray_key_does_not_leave_a_replay_for_a_sweep() {
    let mut app = replay(Speed::ONE);
    for _ in 0..2 {
        app.type_in("S");
        assert!(app.is_replay() && app.race.is_none());
        assert!(app.screen().contains("S again leaves this replay and starts a sweep of images-20"));
        app.type_in("1");
    }
}

#[test]
fn a_page_of_a_sweeps_figures_follows_the_one_before_without_a_gap() {
    let file = std::path::Path::new("assets/recordings/images-link.jsonl");
    let tape = crate::recording::read_file(file).expect("it is a recording").tape;
    let mut app = App::replaying(tape, Speed::ONE, None, settings(), look());
    assert_eq!(app.next.scenario.name, "images-link", "what is raced next is what is watched");
    for size in [(80, 24), (120, 36), (200, 60)] {
        app.size = size;
        app.ui.results_scroll = 0;
        app.press(KeyCode::End);
        app.type_in("4");
        let mut seen = app.screen();
        let mut pages = 0;
        while !seen.contains("↑ ") && pages < 50 {
            let below = seen.lines().position(|line| line.starts_with("─ ↓ "));
            let before = below.and_then(|row| seen.lines().nth(row - 1)).map(str::to_owned);
            app.press(KeyCode::PageDown);
            seen = app.screen();
            // On a low screen the first page is the chart.
            if let Some(before) = before {
                assert!(seen.lines().any(|line| line == before), "{size:?}: {before}\n{seen}");
            }
            pages += 1;
        }
        assert!(pages > 0 && pages < 50, "{size:?}");
    }
}

#[test]
fn a_replay_says_that_it_has_its_workers() {
    let mut app = replay(Speed::ONE);
    let next = app.next.scenario.clone();
    for key in ["w", "W"] {
        app.type_in(key);
        assert!(app.screen().contains("a replay has the workers that it had"), "{}", app.screen());
        assert_eq!(app.next.scenario, next);
    }
}

#[test]
fn a_tape_without_a_race_is_no_fault() {
    let mut app =
        App::replaying(Tape::default(), Speed::ONE, Some("it is empty".to_owned()), settings(), look());
    assert!(app.screen().contains("it is empty"));
    app.type_in(" ,.<>i");
    app.press(KeyCode::Home);
    app.press(KeyCode::Left);
    assert!(app.screen().contains("there is no race"));
}

#[test]
fn a_filter_that_is_pasted_shows_the_table_from_its_top_as_a_typed_one_does() {
    let mut app = app(events(STEP));
    app.type_in("3/");
    (app.ui.table.selected, app.ui.table.top) = (1, 1);
    assert!(matches!(app.take(&Input::Pasted("a".to_owned())), Ok(None)));
    assert_eq!((app.ui.table.selected, app.ui.table.top, app.ui.table.filter.as_str()), (0, 0, "a"));
    app.ui.table.selected = 1;
    app.press(KeyCode::Backspace);
    assert_eq!((app.ui.table.selected, app.ui.table.filter.as_str()), (0, ""));
}

#[test]
fn a_race_that_is_left_tells_what_could_not_be_kept_of_it() {
    let (sender, notices) = mpsc::channel();
    let error = io::ErrorKind::StorageFull.into();
    let recording = RaceError::Recording(WriteError::File { path: "race.jsonl".into(), error });
    sender.send(Notice::Over { tidied: Err(recording) }).expect("the race listens");
    let mut app = App::new(settings(), look());
    app.race = Some(UnderWay::new(Race::told(notices)));
    app.leave_race(Duration::from_secs(60));
    assert!(matches!(app.refused, Some((_, RaceError::Recording(_)))), "{:?}", app.refused);
}

#[test]
fn a_race_that_is_left_before_it_starts_was_cancelled_whether_or_not_it_says_so() {
    let (sender, notices) = mpsc::channel();
    sender.send(Notice::Preparing(Preparing::Output)).expect("the race listens");
    let mut app = App::new(settings(), look());
    app.race = Some(UnderWay::new(Race::told(notices)));
    app.leave_race(Duration::ZERO);
    assert!(matches!(app.refused, Some((_, RaceError::Cancelled))), "{:?}", app.refused);
    drop(sender);
}
