//! What each screen shows, cell by cell, drawn from simulated races.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use threadrace::config::{self, Flags, Settings, Sources, ThemeName};
use threadrace::event::{At, Check, Collect, Event, ExecutorKind, Fact, TaskId, WorkloadKind};
use threadrace::model::RaceState;
use threadrace::race::Preparing;
use threadrace::report::Summary;
use threadrace::tui::{
    Activity, Depth, Ghost, Overlay, RoundChoice, RunChoice, Scene, Theme, Timeline, Ui, View, Window, draw,
    make_ascii,
};

use crate::simulate::{Fate, Race, folded};

const RUNS: [(ExecutorKind, usize); 4] = [
    (ExecutorKind::Sequential, 1),
    (ExecutorKind::Threads, 20),
    (ExecutorKind::Pool, 5),
    (ExecutorKind::Async, 5),
];

fn settings() -> Settings {
    let sources = Sources {
        flags: Flags::default(),
        variables: Vec::new(),
        folder: PathBuf::from("/nowhere"),
        home: None,
        stdin: &mut std::io::empty(),
    };
    config::load(sources).expect("the built-in settings are sound").settings
}

/// A screen to be: what is shown of which race, and how.
struct Shot {
    race: Option<RaceState>,
    now: At,
    activity: Activity<'static>,
    ui: Ui,
    theme: ThemeName,
}

impl Shot {
    fn of(race: RaceState, view: View) -> Shot {
        let now = race.last_moment();
        let activity = if race.is_over() { Activity::Idle } else { Activity::Racing };
        Shot { race: Some(race), now, activity, ui: Ui { view, ..Ui::default() }, theme: ThemeName::Dark }
    }

    fn arrange(&mut self) {
        if let Some(race) = &self.race {
            let run = &race.runs()[self.ui.run_of(race).index()];
            self.ui.table.arrange(race, run, self.now);
        }
    }

    fn frame(&mut self, columns: u16, rows: u16) -> Buffer {
        self.arrange();
        let settings = settings();
        let summary = self.race.as_ref().map(|race| Summary::of(race, self.now));
        let theme = Theme::new(self.theme, Depth::True);
        let scene = Scene {
            race: self.race.as_ref(),
            summary: summary.as_ref(),
            activity: self.activity,
            now: self.now,
            next: &settings,
            next_differs: false,
            notice: None,
            playback: None,
            ui: &self.ui,
            theme: &theme,
        };
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        draw(&mut buffer, &scene);
        buffer
    }

    fn text(&mut self, columns: u16, rows: u16) -> String {
        text(&self.frame(columns, rows))
    }
}

fn text(frame: &Buffer) -> String {
    let rows = frame.content.chunks(usize::from(frame.area.width));
    let line = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    rows.map(line).collect::<Vec<_>>().join("\n")
}

/// Each cell's style as a letter, and what the letters stand for.
fn styles(frame: &Buffer) -> String {
    let mut seen: Vec<Style> = Vec::new();
    let mut grid = String::new();
    for row in frame.content.chunks(usize::from(frame.area.width)) {
        for cell in row {
            let style = cell.style();
            let index = seen.iter().position(|other| *other == style).unwrap_or_else(|| {
                seen.push(style);
                seen.len() - 1
            });
            grid.push(char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 52]));
        }
        grid.push('\n');
    }
    for (index, style) in seen.iter().enumerate() {
        let letter = char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 52]);
        let modifiers = if style.add_modifier == Modifier::empty() {
            String::new()
        } else {
            format!(" {:?}", style.add_modifier)
        };
        grid.push_str(&format!("{letter}: {:?} on {:?}{modifiers}\n", style.fg, style.bg));
    }
    grid
}

fn race() -> Race {
    Race::new(7).tasks(20).runs(&RUNS)
}

#[test]
fn views_of_a_race_that_is_over() {
    for view in View::ALL {
        for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
            let name = format!("over_{}_{columns}x{rows}", view.name().to_lowercase());
            insta::assert_snapshot!(name, Shot::of(race().state(), view).text(columns, rows));
        }
    }
}

#[test]
fn views_of_a_race_under_way() {
    let whole = race().state();
    let pool = whole.runs()[2].started().expect("the pool ran");
    let moment = At(pool.0 + 700_000_000);
    for view in View::ALL {
        let name = format!("running_{}", view.name().to_lowercase());
        let mut shot = Shot::of(race().state_at(moment), view);
        shot.now = moment;
        insta::assert_snapshot!(name, shot.text(100, 30));
    }
}

#[test]
fn themes_differ_in_style_alone() {
    let themes = [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast, ThemeName::Monochrome];
    let mut texts = Vec::new();
    for theme in themes {
        let mut shot = Shot::of(race().state(), View::Race);
        shot.theme = theme;
        let frame = shot.frame(80, 24);
        texts.push(text(&frame));
        insta::assert_snapshot!(format!("theme_{theme:?}"), styles(&frame));
        if theme == ThemeName::Monochrome {
            let coloured = |cell: &ratatui::buffer::Cell| {
                cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset
            };
            assert!(!frame.content.iter().any(coloured));
        }
    }
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn ascii_is_ascii() {
    for view in View::ALL {
        let mut frame = Shot::of(race().state(), view).frame(100, 30);
        make_ascii(&mut frame);
        assert!(frame.content.iter().all(|cell| cell.symbol().is_ascii()));
        insta::assert_snapshot!(format!("ascii_{}", view.name().to_lowercase()), text(&frame));
    }
}

#[test]
fn the_sequential_runs_ghost_can_be_hidden_and_is_there_only_where_it_has_run() {
    let drawn = |race: RaceState, ghost| {
        let mut shot = Shot::of(race, View::Timeline);
        shot.ui.ghost = ghost;
        shot.text(120, 36).matches('╌').count() > 3
    };
    assert!(drawn(race().state(), Ghost::Shown));
    assert!(!drawn(race().state(), Ghost::Hidden));
    let others = [(ExecutorKind::Pool, 5), (ExecutorKind::Async, 5)];
    assert!(!drawn(race().runs(&others).state(), Ghost::Shown));
    assert!(!drawn(race().state_at(At(3_000_000_000)), Ghost::Shown));
}

#[test]
fn failures_are_named() {
    let race = || {
        let race = Race::new(3).tasks(12).runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 3)]);
        race.fate(1, Fate::Failed).fate(4, Fate::Panicked).fate(6, Fate::Retried)
    };
    insta::assert_snapshot!("failed_race", Shot::of(race().state(), View::Race).text(100, 30));
    insta::assert_snapshot!("failed_tasks", Shot::of(race().state(), View::Tasks).text(100, 24));
    let mut story = Shot::of(race().state(), View::Tasks);
    story.ui.overlay = Overlay::Story { task: TaskId(6), scroll: 0 };
    insta::assert_snapshot!("story_of_a_retry", story.text(100, 30));
}

#[test]
fn results_scroll_to_their_end_on_a_small_screen() {
    let mut shot = Shot::of(race().state(), View::Results);
    shot.ui.results_scroll = 16;
    insta::assert_snapshot!("over_results_scrolled", shot.text(80, 24));
    shot.ui.results_scroll = 10_000;
    let end = shot.text(80, 24);
    assert!(end.contains("  so far, ×…  ") && end.contains("─ ↑ "), "{end}");
    for (columns, rows) in [(80, 4), (30, 9), (1, 1)] {
        shot.text(columns, rows);
    }
}

#[test]
fn the_head_of_the_shares_of_time_is_whole_beside_narrow_names() {
    for columns in [60, 71, 72, 80] {
        let drawn = Shot::of(race().state(), View::Results).text(columns, 50);
        assert!(drawn.contains(" share of time "), "{columns} columns:\n{drawn}");
    }
}

#[test]
fn a_counter_race_shows_what_is_lost_and_how() {
    for view in [View::Race, View::Timeline, View::Results] {
        for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
            let name = format!("counter_{}_{columns}x{rows}", view.name().to_lowercase());
            let mut shot = Shot::of(Race::new(7).counter().state(), view);
            shot.ui.run = RunChoice::Fixed(1);
            insta::assert_snapshot!(name, shot.text(columns, rows));
        }
    }
    let mut shot = Shot::of(Race::new(7).counter().state(), View::Timeline);
    shot.ui.run = RunChoice::Fixed(1);
    shot.ui.timeline.cursor = Some(std::time::Duration::from_micros(2_100));
    let pointed_at = shot.text(80, 36);
    assert!(
        pointed_at.contains("worker 3 wrote 43 over worker 4’s 44, not 45: 2 additions are lost"),
        "{pointed_at}"
    );
    shot.ui.timeline.cursor = Some(std::time::Duration::from_millis(20));
    assert!(shot.text(80, 36).contains("worker 2 wrote 44 over 43, which it had read"));
    shot.ui.timeline.cursor = None;
    shot.ui.run = RunChoice::Fixed(3);
    assert!(shot.text(80, 24).contains("no update was lost; --pace 0.3 shows each step"));
    shot.ui.run = RunChoice::Fixed(2);
    let mutex = shot.text(120, 36);
    assert!(mutex.contains("no update was lost; short waits look like computing; --pace 0.3"), "{mutex}");
}

#[test]
fn the_selected_scenario_is_named_however_small_the_terminal_is() {
    let mut shot = Shot::of(race().state(), View::Race);
    let names: Vec<String> = settings().scenarios.iter().map(|scenario| scenario.name.clone()).collect();
    assert!(names.len() > 10, "{names:?}");
    for (columns, rows) in [(30, 6), (40, 10), (60, 8), (80, 24)] {
        for (at, name) in names.iter().enumerate() {
            shot.ui.overlay = Overlay::Scenarios { at };
            let drawn = shot.text(columns, rows);
            assert!(drawn.contains(&format!("│ {name} ")), "{columns}x{rows}: {name}\n{drawn}");
        }
    }
}

#[test]
fn what_the_letters_of_a_counter_mean_never_runs_into_the_step() {
    let mut shot = Shot::of(Race::new(7).counter().state(), View::Timeline);
    shot.ui.run = RunChoice::Fixed(1);
    for columns in 60..=140 {
        let drawn = shot.text(columns, 30);
        let line = drawn.lines().find(|line| line.contains(" step ")).unwrap_or_default();
        let title = line.split(" step ").next().unwrap_or_default();
        assert!(title.ends_with('─'), "{columns} columns: {line}");
    }
}

/// Pictures over one full link, swept over up to 20 workers.
fn sweep() -> Race {
    Race::new(7).tasks(120).full_link().sweep(&[1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20])
}

#[test]
fn a_sweep_is_a_chart_with_what_follows_from_it() {
    for (columns, rows) in SIZES {
        let name = format!("sweep_results_{columns}x{rows}");
        insta::assert_snapshot!(name, Shot::of(sweep().state(), View::Results).text(columns, rows));
    }
    // Few tasks: more workers than ten don't make two rounds of them one, which the bound shows.
    let few = Race::new(7).tasks(20).sweep(&[1, 2, 5, 8, 10, 12, 14, 16, 18, 20]);
    insta::assert_snapshot!("sweep_rounds_80x24", Shot::of(few.state(), View::Results).text(80, 24));
    let mut scrolled = Shot::of(sweep().state(), View::Results);
    scrolled.ui.results_scroll = 1;
    insta::assert_snapshot!("sweep_figures_80x24", scrolled.text(80, 24));
    scrolled.ui.results_scroll = 1_000;
    assert!(scrolled.text(80, 24).contains("a dash"), "the last of the definitions can be reached");
}

#[test]
fn a_sweep_is_told_without_colours_and_in_ascii() {
    let mut shot = Shot::of(sweep().state(), View::Results);
    let coloured = shot.text(100, 30);
    shot.theme = ThemeName::Monochrome;
    let mut frame = shot.frame(100, 30);
    assert_eq!(text(&frame), coloured);
    make_ascii(&mut frame);
    let ascii = text(&frame);
    let page = ascii.lines().rev().skip(1).collect::<String>();
    assert!(ascii.is_ascii() && !page.contains('?'), "{ascii}");
    insta::assert_snapshot!("sweep_results_ascii", ascii);
}

#[test]
fn the_points_of_a_sweep_come_one_by_one() {
    let whole = sweep().state();
    let started = |run: usize| whole.runs()[run].started().expect("it ran");
    for (run, later, said) in [
        (0, 900_000_000, "one after the other goes first: 1 of 120"),
        (1, 100_000_000, "0 of 11 numbers of workers are measured"),
        (4, 1_500_000_000, "3 of 11 numbers of workers are measured; the best so far: "),
    ] {
        let moment = At(started(run).0 + later);
        let mut shot = Shot::of(sweep().state_at(moment), View::Results);
        shot.now = moment;
        let screen = shot.text(100, 30);
        assert!(screen.contains(said), "{screen}");
        assert_eq!(screen.contains('○'), run == 4, "the speedup so far is a point: {screen}");
        insta::assert_snapshot!(format!("sweep_under_way_{run}"), screen);
    }
}

#[test]
fn many_runs_leave_room_for_the_selected_one() {
    for (columns, rows) in SIZES {
        let name = format!("sweep_race_{columns}x{rows}");
        insta::assert_snapshot!(name, Shot::of(sweep().state(), View::Race).text(columns, rows));
    }
    for run in 0..12 {
        let mut shot = Shot::of(sweep().state(), View::Race);
        shot.ui.run = RunChoice::Fixed(run);
        let screen = shot.text(80, 24);
        let label = sweep().plan().runs[run].label.clone();
        assert!(screen.contains(&format!("▸ {label}")), "{label}\n{screen}");
        assert!(screen.contains(&format!("{label}: pictures")), "{label}\n{screen}");
    }
}

#[test]
fn a_counter_under_way_is_followed() {
    let race = Race::new(7).counter();
    let start = race.state().runs()[1].started().expect("the threads ran");
    for (millis, said) in [(1, "worker 1 read 40"), (150, "worker 1 wrote 42 over worker 2’s 42, not 43")] {
        let moment = At(start.0 + millis * 1_000_000);
        let mut shot = Shot::of(race.state_at(moment), View::Timeline);
        shot.now = moment;
        let text = shot.text(80, 24);
        assert!(text.contains(said), "{text}");
        shot.ui.view = View::Race;
        let counted = shot.text(80, 24).contains("◇ ");
        assert_eq!(counted, millis > 50, "losses are drawn as soon as the counter was looked at");
    }
}

#[test]
fn a_counter_race_is_readable_without_colours_and_without_unicode() {
    for view in [View::Race, View::Timeline] {
        let mut shot = Shot::of(Race::new(7).counter().state(), view);
        shot.theme = ThemeName::Monochrome;
        shot.ui.run = RunChoice::Fixed(1);
        let mut frame = shot.frame(80, 24);
        make_ascii(&mut frame);
        insta::assert_snapshot!(format!("counter_{}_ascii", view.name().to_lowercase()), text(&frame));
    }
}

/// The events of a race whose one task tells a post.
fn race_of_posts() -> Vec<Event> {
    let mut told = Vec::new();
    for mut event in Race::new(7).tasks(5).runs(&[(ExecutorKind::Pool, 2)]).events() {
        let mut post = None;
        match &mut event.fact {
            Fact::RaceStarted { plan } => {
                let plan = Arc::make_mut(plan);
                (plan.workload, plan.noun) = (WorkloadKind::Api, "posts".to_owned());
            }
            Fact::ResponseArrived { run, task: TaskId(2), .. } => {
                let body = "{\"id\":3,\"userId\":1,\"title\":\"The \u{202e}mill\",\"tags\":[\"a\",{}],\
                    \"body\":\"The mill turned all night, since nobody had told it that it was night.\\nThe last \
                    one home decides when supper is, and the ferry takes an hour whether one waits or forty.\"}";
                let (run, task) = (*run, TaskId(2));
                post = Some(Event { at: event.at, fact: Fact::BodyArrived { run, task, text: body.into() } });
            }
            Fact::TaskFinished { task: TaskId(2), end, .. } => {
                (end.check, end.result) = (Check::Result, Some("post 3: \"The mill\"".to_owned()));
            }
            _ => {}
        }
        told.push(event);
        told.extend(post);
    }
    told
}

#[test]
fn a_post_is_laid_out_in_its_tasks_story() {
    let mut shot = Shot::of(folded(&race_of_posts()), View::Tasks);
    shot.ui.overlay = Overlay::Story { task: TaskId(2), scroll: 0 };
    insta::assert_snapshot!("story_of_a_post", shot.text(100, 40));
    assert!(!shot.text(60, 16).contains("whether one waits"));
    shot.ui.overlay = Overlay::Story { task: TaskId(2), scroll: 10_000 };
    let end = shot.text(60, 16);
    assert!(end.contains("waits or forty.\"") && end.contains("│             }"), "{end}");
}

#[test]
fn overlays() {
    let settings = settings();
    for (name, overlay) in [
        ("export", Overlay::Export { at: 3 }),
        ("help", Overlay::Help { scroll: 0 }),
        ("scenarios", Overlay::Scenarios { at: 1 }),
        ("executors", Overlay::Executors { at: 2, chosen: settings.scenario.executors.clone() }),
    ] {
        let mut shot = Shot::of(race().state(), View::Race);
        shot.ui.overlay = overlay;
        insta::assert_snapshot!(format!("overlay_{name}"), shot.text(100, 32));
    }
}

#[test]
fn the_cursor_says_what_each_lane_was_doing() {
    let mut shot = Shot::of(race().state(), View::Timeline);
    shot.ui.run = RunChoice::Fixed(2);
    let second = std::time::Duration::from_secs(1);
    shot.ui.timeline = Timeline {
        window: Some(Window { from: second / 4, long: second }),
        cursor: Some(second / 2),
        scroll: 0,
    };
    insta::assert_snapshot!("timeline_zoomed_with_cursor", shot.text(120, 36));
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

#[test]
fn results_are_marked_where_the_main_thread_took_them() {
    use ExecutorKind::{Pool, Sequential};
    let race = || {
        let race = Race::new(7).tasks(9).runs(&[(Sequential, 1), (Pool, 3), (Pool, 3)]);
        race.collect(1, Collect::Submit).collect(2, Collect::Completion)
    };
    for (columns, rows) in SIZES {
        let mut shot = Shot::of(race().state(), View::Timeline);
        shot.ui.run = RunChoice::Fixed(1);
        shot.ui.timeline.cursor = Some(std::time::Duration::from_millis(500));
        insta::assert_snapshot!(format!("delivered_timeline_{columns}x{rows}"), shot.text(columns, rows));
    }
    insta::assert_snapshot!("delivered_race", Shot::of(race().state(), View::Race).text(120, 36));
    let mut shot = Shot::of(race().state(), View::Tasks);
    shot.ui.run = RunChoice::Fixed(1);
    insta::assert_snapshot!("delivered_tasks", shot.text(120, 24));
    shot.ui.overlay = Overlay::Story { task: TaskId(1), scroll: 0 };
    assert!(shot.text(120, 36).contains("to the main thread at"));
    let mut frame = Shot::of(race().state(), View::Timeline).frame(120, 36);
    make_ascii(&mut frame);
    assert!(text(&frame).contains("o delivered") && text(&frame).contains("__ result waits"));
}

#[test]
fn tasks_that_were_left_behind_are_seen_to_be_cut_off() {
    let race = || {
        let race = Race::new(7).tasks(6).runs(&[(ExecutorKind::Threads, 6), (ExecutorKind::Threads, 6)]);
        race.collect(0, Collect::Join).leave(1, std::time::Duration::from_millis(420))
    };
    assert!(race().state().went_as_meant() && race().state().runs()[1].counts().abandoned > 0);
    for (columns, rows) in SIZES {
        for view in [View::Race, View::Timeline] {
            let name = format!("abandoned_{}_{columns}x{rows}", view.name().to_lowercase());
            insta::assert_snapshot!(name, Shot::of(race().state(), view).text(columns, rows));
        }
    }
}

#[test]
fn processes_are_told_by_their_ids_and_a_lost_one_stays_known() {
    use ExecutorKind::{External, Processes};
    let race = || {
        let race = Race::new(7).tasks(12).runs(&[(Processes, 3), (External("python-asyncio".into()), 3)]);
        race.replace(0, 1, std::time::Duration::from_millis(900))
    };
    for (columns, rows) in SIZES {
        let mut shot = Shot::of(race().state(), View::Timeline);
        shot.ui.run = RunChoice::Fixed(0);
        shot.ui.timeline.cursor = Some(std::time::Duration::from_millis(900));
        let screen = shot.text(columns, rows);
        assert!(screen.contains("pid 5001 → 5004"), "{screen}");
        insta::assert_snapshot!(format!("processes_timeline_{columns}x{rows}"), screen);
    }
    insta::assert_snapshot!("processes_race_80x24", Shot::of(race().state(), View::Race).text(80, 24));
}

/// A race of two threads that compute and wait for a lock by turns of 5 ms.
fn race_of_turns() -> Vec<Event> {
    use threadrace::event::{Phase, RunId};
    let run = RunId(0);
    let mut events = Race::new(7).tasks(2).runs(&[(ExecutorKind::Gil, 2)]).events();
    let in_phases = |event: &Event| matches!(event.fact, Fact::PhaseEntered { .. });
    let from = events.iter().find(|event| in_phases(event)).expect("tasks have phases").at;
    events.retain(|event| !in_phases(event));
    let until = events.iter().filter(|e| matches!(e.fact, Fact::TaskFinished { .. })).map(|e| e.at).min();
    let until = until.expect("tasks end");
    for turn in 0..(until.0 - from.0) / 5_000_000 {
        for task in [0, 1] {
            let phase = if turn % 2 == u64::from(task) { Phase::Computing } else { Phase::Locked };
            let at = At(from.0 + turn * 5_000_000 + 100_000);
            events.push(Event { at, fact: Fact::PhaseEntered { run, task: TaskId(task), phase } });
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

#[test]
fn turns_at_a_lock_are_seen_although_no_cell_is_as_short() {
    let mut shot = Shot::of(folded(&race_of_turns()), View::Timeline);
    let screen = shot.text(80, 24);
    assert!(screen.contains("▌▌▌▌▌▌▌▌") && screen.contains("by turns"), "{screen}");
    shot.theme = ThemeName::Monochrome;
    let mut frame = shot.frame(80, 24);
    make_ascii(&mut frame);
    assert!(text(&frame).contains("++++++++"), "{}", text(&frame));
}

#[test]
fn screens_without_a_race() {
    let shot =
        |activity| Shot { race: None, now: At::ZERO, activity, ui: Ui::default(), theme: ThemeName::Dark };
    let screens = [
        ("ready", Activity::Idle),
        ("preparing", Activity::Preparing(Some(Preparing::Bodies { done: 7, of: 20 }))),
        ("refused", Activity::Refused("/tmp/x/pool/a.jpg exists and was not written by threadrace: move it")),
    ];
    for (name, activity) in screens {
        insta::assert_snapshot!(format!("no_race_{name}"), shot(activity).text(80, 24));
    }
}

#[test]
fn many_tasks_are_counted_and_never_dropped() {
    let runs = [(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 500)];
    let race = || Race::new(5).tasks(10_000).runs(&runs).state();
    insta::assert_snapshot!("many_race", Shot::of(race(), View::Race).text(120, 30));
    insta::assert_snapshot!("many_timeline", Shot::of(race(), View::Timeline).text(120, 30));
}

#[test]
fn unknown_lengths_are_said_to_be_unknown() {
    let race = Race::new(7).tasks(6).runs(&RUNS).unknown_lengths();
    let whole = race.state();
    let pool = whole.runs()[2].started().expect("the pool ran");
    let moment = At(pool.0 + 450_000_000);
    let mut shot = Shot::of(race.state_at(moment), View::Race);
    shot.now = moment;
    insta::assert_snapshot!("unknown_lengths", shot.text(100, 24));
}

#[test]
fn every_size_draws_something() {
    let mut shots: Vec<Shot> = View::ALL.into_iter().map(|view| Shot::of(race().state(), view)).collect();
    shots.extend(View::ALL.map(|view| Shot::of(Race::new(7).counter().state(), view)));
    shots.extend(View::ALL.map(|view| Shot::of(sweep().state(), view)));
    for shot in &mut shots {
        shot.ui.timeline.cursor = Some(std::time::Duration::from_millis(300));
        for columns in (1..24).step_by(2).chain([2, 4, 10, 30, 39, 59, 60, 71, 72, 99, 100]) {
            for rows in [1, 2, 3, 4, 5, 6, 7, 10, 14, 24] {
                let frame = shot.frame(columns, rows);
                let drawn = frame.content.iter().any(|cell| cell.symbol() != " ");
                assert!(drawn, "{columns}x{rows}, {}", shot.ui.view.name());
            }
        }
    }
    insta::assert_snapshot!("tiny_40x10", shots[0].text(40, 10));
    insta::assert_snapshot!("tiny_20x5", shots[0].text(20, 5));
}

/// Ten rounds after a warm-up, in which one run took unusually long.
fn repeated() -> Race {
    let race = race().rounds(10).warmups(1).wobble(6);
    (0..20).fold(race, |race, task| race.fate_in(14, task, Fate::Retried))
}

#[test]
fn rounds_are_shown_one_at_a_time_and_told_of_together() {
    for (columns, rows) in SIZES {
        for view in View::ALL {
            let name = format!("rounds_{}_{columns}x{rows}", view.name().to_lowercase());
            insta::assert_snapshot!(name, Shot::of(repeated().state(), view).text(columns, rows));
        }
    }
}

#[test]
fn the_page_of_rounds_is_scrolled_to_its_end() {
    let mut shot = Shot::of(repeated().state(), View::Results);
    let mut pages = Vec::new();
    for first in (0..200).step_by(10) {
        shot.ui.results_scroll = first;
        pages.push(shot.text(80, 24));
    }
    for part in [
        "speedup: the median of the rounds",
        "median run",
        "the workers' time in the median run",
        "critical path of",
    ] {
        assert!(pages.iter().any(|page| page.contains(part)), "{part} is nowhere");
    }
    assert!(pages[0].contains("more lines"), "{}", pages[0]);
    let last = &pages[pages.len() - 1];
    assert!(last.contains("↑ ") && last.contains("idle"), "{last}");
}

#[test]
fn rounds_under_way_are_followed_or_looked_back_on() {
    let whole = repeated().state();
    let third = whole.rounds().runs(3)[1];
    let moment = At(whole.runs()[third.index()].started().expect("it ran").0 + 500_000_000);
    let shot = |view, round| {
        let mut shot = Shot::of(repeated().state_at(moment), view);
        (shot.now, shot.ui.round) = (moment, round);
        shot.text(100, 30)
    };
    insta::assert_snapshot!("rounds_running_race", shot(View::Race, RoundChoice::Follow));
    insta::assert_snapshot!("rounds_running_results", shot(View::Results, RoundChoice::Follow));
    let back = shot(View::Race, RoundChoice::Fixed(0));
    assert!(back.contains("warm-up 1 of 1 (now 3), [ ] others"), "{back}");
    assert!(shot(View::Tasks, RoundChoice::Fixed(2)).contains("-round-2: 20 pictures"));
    let far = shot(View::Timeline, RoundChoice::Fixed(1_000));
    assert!(far.contains("round 10 of 10 (now 3), [ ] others"), "{far}");
}

#[test]
fn rounds_are_readable_without_colours_and_without_unicode() {
    for view in [View::Race, View::Results] {
        let mut shot = Shot::of(repeated().state(), view);
        shot.theme = ThemeName::Monochrome;
        let mut frame = shot.frame(100, 40);
        make_ascii(&mut frame);
        assert_eq!(text(&frame).matches('?').count(), 1, "the key of the help");
        insta::assert_snapshot!(format!("rounds_{}_ascii", view.name().to_lowercase()), text(&frame));
    }
}

#[test]
fn what_a_counter_lost_in_its_worst_round_is_shown() {
    let shot = || Shot::of(Race::new(7).counter().rounds(6).state(), View::Results);
    for (columns, rows) in SIZES {
        insta::assert_snapshot!(format!("rounds_counter_{columns}x{rows}"), shot().text(columns, rows));
    }
    assert!(shot().text(80, 24).contains("worst round"));
}

#[test]
fn each_round_has_its_executors_in_the_same_rows() {
    let race = repeated().state();
    let labels = |round| {
        let ui = Ui { round: RoundChoice::Fixed(round), ..Ui::default() };
        ui.runs_of(&race)
            .iter()
            .map(|shown| (shown.place, shown.run.plan().label.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!((0..11).map(labels).collect::<Vec<_>>(), vec![labels(0); 11]);
    let ui = Ui { round: RoundChoice::Fixed(4), run: RunChoice::Fixed(2), ..Ui::default() };
    let looked_at = &race.runs()[ui.run_of(&race).index()];
    assert_eq!(looked_at.plan().name(), "pool-round-4");
}

/// The same race, each run made to take so long, in turn.
fn taking(events: Vec<Event>, mut walls: impl Iterator<Item = u64>) -> Vec<Event> {
    let (mut later, mut began) = (0, At::ZERO);
    let moved = |event: Event| {
        let mut at = At(event.at.0.saturating_add_signed(later));
        match event.fact {
            Fact::RunStarted { .. } => began = at,
            Fact::RunFinished { .. } => {
                let wanted = At(began.0 + walls.next().expect("as many walls as runs"));
                later += wanted.0.cast_signed() - at.0.cast_signed();
                at = wanted;
            }
            _ => {}
        }
        Event { at, ..event }
    };
    events.into_iter().map(moved).collect()
}

#[test]
fn a_long_interval_keeps_its_distance() {
    use ExecutorKind::{Pool, Sequential};
    let race = Race::new(4).tasks(1).runs(&[(Sequential, 1), (Pool, 1)]).rounds(10);
    let events = taking(race.events(), (0..).map(|run| 999_120_000 + run * 10_000));
    let results = Shot::of(folded(&events), View::Results).text(120, 36);
    let row = results.lines().find(|line| line.contains("sequential  ")).expect("a row");
    assert!(row.contains(" ms  999.1"), "{results}");
    assert!(row.contains(" ms   "), "{results}");
}

#[test]
fn clouds_of_equals_overlap_and_are_called_equal() {
    use ExecutorKind::{Async, Pool, Sequential};
    let race = Race::new(4).tasks(10).runs(&[(Sequential, 1), (Pool, 5), (Async, 5)]).rounds(12).wobble(8);
    let results = Shot::of(race.state(), View::Results).text(120, 36);
    let words = results.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("No difference can be told between it and async."), "{results}");
    insta::assert_snapshot!("rounds_of_equals", results);
}
