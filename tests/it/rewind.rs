//! Pictures of earlier moments: what they show, and that it is what the live race showed.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use threadrace::config::{self, ConfigFlag, Flags, Settings, Sources, ThemeName};
use threadrace::event::{Access, At, Event, ExecutorKind, Fact, Order, RunId};
use threadrace::model::RaceState;
use threadrace::race::{Libraries, Notice, Race as LiveRace};
use threadrace::recording::{Speed, Tape};
use threadrace::tui::{
    Activity, Depth, Edge, LogPanel, Playback, Playhead, Reel, RunChoice, Scene, Theme, Ui, View, Way, draw,
    make_ascii,
};

use crate::rig::{Fallible, NEVER};
use crate::simulate::Race;

const RUNS: [(ExecutorKind, usize); 3] =
    [(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 3), (ExecutorKind::Async, 3)];

fn settings(flags: Flags, folder: &Path) -> Settings {
    let nothing = &mut std::io::empty();
    let sources =
        Sources { flags, variables: Vec::new(), folder: folder.to_owned(), home: None, stdin: nothing };
    config::load(sources).expect("the settings are sound").settings
}

/// Events with what a collector says about 20 times a second.
fn with_marks(events: Vec<Event>) -> Vec<Event> {
    const TICK: u64 = 50_000_000;
    let mut marked: Vec<Event> = Vec::new();
    for event in events {
        let from = marked.last().map_or(0, |last| last.at.0);
        let ticks = (from / TICK + 1..).map(|tick| tick * TICK).take_while(|tick| *tick < event.at.0);
        let ticks: Vec<u64> = ticks.collect();
        marked.extend(ticks.into_iter().map(|tick| Event { at: At(tick), fact: Fact::Collected }));
        marked.push(event);
    }
    marked
}

/// A race as its dashboard has it, as far as it has come.
struct Watched {
    reel: Reel,
    race: RaceState,
}

impl Watched {
    fn of(events: &[Event]) -> Watched {
        let tape: Tape = events.iter().cloned().collect();
        let (reel, race) = Reel::of(tape).expect("the race has begun");
        Watched { reel, race }
    }

    fn frame(&self, playhead: &Playhead, mut ui: Ui, look: &Look, size: (u16, u16)) -> Buffer {
        let settings = settings(Flags::default(), &PathBuf::from("/nowhere"));
        let theme = Theme::new(look.theme, Depth::True);
        let (race, place) = match playhead.picture() {
            Some(fold) => (&fold.state, fold.place),
            None => (&self.race, self.reel.end()),
        };
        let now = playhead.at(&self.reel, &self.race);
        let run = ui.run_of(race);
        ui.table.arrange(race, &race.runs()[run.index()], now);
        let change = self.reel.last_figures(place);
        let playback = Playback {
            reel: &self.reel,
            place,
            motion: playhead.motion(),
            speed: playhead.speed(),
            edge: playhead.edge(),
            whole: &self.race,
            extent: playhead.extent(),
            banner: look.banner,
        };
        let scene = Scene {
            race: Some(race),
            summary: change.and_then(|change| self.reel.figures(change)),
            activity: Activity::Racing,
            now,
            next: &settings,
            next_differs: false,
            notice: None,
            playback: Some(playback).filter(|_| look.transport == Transport::Shown),
            ui: &ui,
            theme: &theme,
        };
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        draw(&mut buffer, &scene);
        buffer
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Shown,
    Hidden,
}

struct Look {
    theme: ThemeName,
    transport: Transport,
    banner: Option<&'static str>,
}

const PLAIN: Look = Look { theme: ThemeName::Dark, transport: Transport::Shown, banner: None };

fn text(frame: &Buffer) -> String {
    let rows = frame.content.chunks(usize::from(frame.area.width));
    let line = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    rows.map(line).collect::<Vec<_>>().join("\n")
}

/// Draws a race at each of its marks as it is told, and by sending a playhead there when all of it is known.
fn is_drawn_alike(events: &[Event]) {
    let whole = Watched::of(events);
    let mut playhead = Playhead::replay(&whole.reel, &whole.race, Speed::ONE);
    let look = Look { transport: Transport::Hidden, ..PLAIN };
    let is_mark = |event: &Event| matches!(event.fact, Fact::Collected | Fact::RaceFinished);
    let marks: Vec<usize> = (0..events.len()).filter(|&place| is_mark(&events[place])).collect();
    assert!(marks.len() >= 10, "{} moments are too few", marks.len());
    let every = marks.len() / 12;
    // Back and forth, so that both ways of going there are gone.
    let moments: Vec<usize> =
        marks.iter().copied().step_by(every.max(1)).chain(marks.last().copied()).collect();
    let order = moments.iter().rev().chain(&moments);
    for &mark in order {
        let live = Watched::of(&events[..=mark]);
        let at = live.race.last_moment();
        playhead.to(&whole.reel, &whole.race, at);
        for view in View::ALL {
            for size in [(80, 24), (120, 36)] {
                let ui = || Ui { view, ..Ui::default() };
                let told = live.frame(&Playhead::live(), ui(), &look, size);
                let played = whole.frame(&playhead, ui(), &look, size);
                assert!(told == played, "{} at {at:?}:\n{}\n{}", view.name(), text(&told), text(&played));
            }
        }
    }
}

#[test]
fn a_moment_is_drawn_as_the_live_race_was() {
    is_drawn_alike(&with_marks(Race::new(7).tasks(12).runs(&RUNS).events()));
    is_drawn_alike(&with_marks(Race::new(8).tasks(12).runs(&RUNS).together().events()));
    is_drawn_alike(&with_marks(Race::new(7).counter().events()));
}

#[test]
fn a_moment_of_a_real_race_is_drawn_as_it_was() -> Fallible {
    let folder = tempfile::tempdir()?;
    let config = "format = \"threadrace-config-1\"\nscenario = \"quick\"\n[scenarios.quick]\nabout = \"quick\"\n\
        content = \"pictures\"\ntasks = 8\nwidth = 32\nheight = 32\nexecutors = [\"sequential\", \"pool\"]\n\
        workers = 4\n[scenarios.quick.origin]\nlatency_seconds = 0.1\n";
    std::fs::write(folder.path().join("config.toml"), config)?;
    let flags = Flags {
        config: ConfigFlag { path: Some(folder.path().join("config.toml")) },
        output: Some(folder.path().join("out")),
        ..Flags::default()
    };
    let race = LiveRace::start(settings(flags, folder.path()), &Libraries::default())?;
    let mut events = Vec::new();
    loop {
        match race.notices().recv_timeout(NEVER)? {
            Notice::Preparing(_) => {}
            Notice::Events(more) => events.extend(more.iter().cloned()),
            Notice::Refused(error) => return Err(error.into()),
            Notice::Over { tidied } => {
                tidied?;
                break;
            }
        }
    }
    is_drawn_alike(&events);
    Ok(())
}

/// A live race, frozen half-way through its second run.
fn frozen(race: &Race) -> (Watched, Playhead) {
    let events = with_marks(race.events());
    let run = Watched::of(&events).race.runs()[1].clone();
    let half = run.started().expect("the run ran").plus(run.wall().unwrap_or_default() / 2);
    let told: Vec<Event> = events.into_iter().filter(|event| event.at <= half).collect();
    let watched = Watched::of(&told);
    let mut playhead = Playhead::live();
    playhead.toggle(&watched.reel, &watched.race);
    (watched, playhead)
}

fn with_log(view: View) -> Ui {
    Ui { view, log: LogPanel::Shown, ..Ui::default() }
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];

#[test]
fn a_frozen_picture_says_so_and_shows_what_happens_around_its_moment() {
    let (watched, mut playhead) = frozen(&Race::new(7).tasks(12).runs(&RUNS));
    playhead.by(&watched.reel, &watched.race, Way::Back, Duration::from_millis(400));
    for (columns, rows) in SIZES {
        for view in [View::Race, View::Timeline] {
            let screen = text(&watched.frame(&playhead, with_log(view), &PLAIN, (columns, rows)));
            assert!(screen.contains("live is 400 ms ahead: End"), "{screen}");
            let name = format!("frozen_{}_{columns}x{rows}", view.name().to_lowercase());
            insta::assert_snapshot!(name, screen);
        }
    }
    let look = Look { theme: ThemeName::Monochrome, ..PLAIN };
    let mut frame = watched.frame(&playhead, with_log(View::Timeline), &look, (80, 24));
    make_ascii(&mut frame);
    assert!(frame.content.iter().all(|cell| cell.symbol().is_ascii()));
    insta::assert_snapshot!("frozen_timeline_ascii", text(&frame));
}

#[test]
fn accesses_to_a_counter_are_stepped_through_one_by_one() {
    let events = with_marks(Race::new(7).counter().events());
    let watched = Watched::of(&events);
    let (reel, race) = (&watched.reel, &watched.race);
    let mut playhead = Playhead::replay(reel, race, Speed::ONE);
    let lost = Access::Store { value: 43, over: 44 };
    let is_loss =
        |event: &Event| matches!(event.fact, Fact::CounterAccessed { access, .. } if access == lost);
    let loss = events.iter().position(is_loss);
    playhead.show(reel, race, loss.expect("an update is lost"));
    let ui = || Ui { run: RunChoice::Fixed(1), ..with_log(View::Timeline) };
    for (columns, rows) in SIZES {
        let screen = text(&watched.frame(&playhead, ui(), &PLAIN, (columns, rows)));
        assert!(
            screen.contains("worker 3 wrote 43 over worker 4’s 44, not 45: 2 additions are lost"),
            "{screen}"
        );
        assert!(screen.contains("store 43 over 44: 2 lost"), "{screen}");
        insta::assert_snapshot!(format!("stepped_counter_{columns}x{rows}"), screen);
    }
    assert!(playhead.step(reel, race, Way::On, Some(RunId(1))));
    let screen = text(&watched.frame(&playhead, ui(), &PLAIN, (120, 36)));
    assert!(screen.contains("worker 2 read 43"), "{screen}");
}

#[test]
fn a_replay_shows_its_banner_and_its_end() {
    let events = with_marks(Race::new(7).tasks(12).runs(&RUNS).events());
    let watched = Watched::of(&events);
    let mut playhead = Playhead::replay(&watched.reel, &watched.race, Speed::ONE.slower());
    let look = Look { banner: Some("this recording broke off: \u{202e}unexpected end"), ..PLAIN };
    playhead.to(&watched.reel, &watched.race, At(2_000_000_000));
    insta::assert_snapshot!("replay_80x24", text(&watched.frame(&playhead, Ui::default(), &look, (80, 24))));
    playhead.end(&watched.reel, &watched.race);
    assert_eq!(
        (playhead.edge(), playhead.picture().map(|fold| &fold.state)),
        (Edge::End, Some(&watched.race))
    );
    let screen = text(&watched.frame(&playhead, Ui::default(), &look, (80, 24)));
    assert!(screen.contains("the end: r plays it again"), "{screen}");
    assert!(
        screen.contains("race over") && screen.contains("of 3× ideal") | screen.contains("of 3×"),
        "{screen}"
    );
}

#[test]
fn the_axes_keep_still_while_the_playhead_moves() {
    let events = with_marks(Race::new(7).tasks(12).runs(&RUNS).events());
    let watched = Watched::of(&events);
    let mut playhead = Playhead::replay(&watched.reel, &watched.race, Speed::ONE);
    let mut axes = Vec::new();
    for tenth in 1..10 {
        playhead.to(&watched.reel, &watched.race, At(watched.race.last_moment().0 / 10 * tenth));
        let screen =
            text(&watched.frame(&playhead, Ui { view: View::Timeline, ..Ui::default() }, &PLAIN, (100, 30)));
        axes.push(screen.lines().nth(2).map(str::to_owned));
    }
    axes.dedup();
    assert_eq!(axes.len(), 1, "{axes:?}");
}

#[test]
fn every_size_tells_a_frozen_picture_from_a_live_one() {
    for race in [Race::new(7).tasks(12).runs(&RUNS), Race::new(7).counter()] {
        let (watched, playhead) = frozen(&race);
        assert_eq!(watched.race.plan().order, Order::OneByOne);
        for view in View::ALL {
            for columns in (4..40).step_by(3).chain([5, 6, 59, 60, 79, 80, 99, 109, 110, 130]) {
                for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 24, 40] {
                    let screen = text(&watched.frame(&playhead, with_log(view), &PLAIN, (columns, rows)));
                    assert!(screen.contains("┃┃") || screen.contains("froz"), "{columns}x{rows}:\n{screen}");
                }
            }
        }
    }
    let (watched, playhead) = frozen(&Race::new(7).tasks(12).runs(&RUNS));
    insta::assert_snapshot!(
        "frozen_40x10",
        text(&watched.frame(&playhead, with_log(View::Race), &PLAIN, (40, 10)))
    );
    insta::assert_snapshot!(
        "frozen_20x5",
        text(&watched.frame(&playhead, with_log(View::Race), &PLAIN, (20, 5)))
    );
}
