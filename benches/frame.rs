//! What a frame costs, what an event costs, and what a race of 100,000 tasks takes of the memory.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

use divan::Bencher;
use divan::counter::ItemsCount;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use threadrace::config::{self, Flags, Settings, Sources, ThemeName};
use threadrace::event::{At, ExecutorKind};
use threadrace::model::RaceState;
use threadrace::recording::{self, Speed};
use threadrace::report::Summary;
use threadrace::tui::{
    Activity, Depth, Edge, Extent, LogPanel, Motion, Playback, Reel, RunChoice, Scene, Theme, Ui, View, draw,
};

use simulate::{Race, folded};

#[path = "../tests/it/simulate.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod simulate;

const RUNS: [(ExecutorKind, usize); 4] = [
    (ExecutorKind::Sequential, 1),
    (ExecutorKind::Threads, 16),
    (ExecutorKind::Pool, 16),
    (ExecutorKind::Async, 16),
];

const MANY: usize = 100_000;

fn main() {
    let events = Race::new(1).tasks(MANY).runs(&RUNS).events();
    let before = memory("VmRSS");
    let state = folded(&events);
    let after = memory("VmRSS");
    if let (Some(before), Some(after)) = (before, after) {
        let tasks = state.plan().tasks.len();
        println!("the state of {tasks} tasks in {} runs: {} MiB", state.runs().len(), (after - before) >> 10);
    }
    drop((state, events));
    divan::main();
    if let Some(peak) = memory("VmHWM") {
        println!("peak of the bench itself, with all its races and their events: {} MiB", peak >> 10);
    }
}

/// A figure of this process's memory in KiB, where the operating system tells it.
fn memory(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The moment of a race, and the run that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The pool is half-way.
    Racing,
    /// All is over, and the pool is looked at.
    Over,
    /// All is over, and the run with a lane for each task is looked at.
    OverThreads,
}

/// What is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shot {
    view: View,
    tasks: usize,
    moment: Moment,
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{} {} {:?}", self.view.name(), self.tasks, self.moment);
        f.pad(&name)
    }
}

fn shots() -> impl Iterator<Item = Shot> {
    let moments = [Moment::Racing, Moment::Over, Moment::OverThreads];
    let all = [100, MANY].into_iter().flat_map(move |tasks| moments.map(|moment| (tasks, moment)));
    all.flat_map(|(tasks, moment)| View::ALL.map(|view| Shot { view, tasks, moment }))
}

fn settings() -> Settings {
    let sources = Sources {
        flags: Flags::default(),
        variables: Vec::new(),
        folder: PathBuf::from("/nowhere"),
        home: None,
        stdin: &mut std::io::empty(),
    };
    match config::load(sources) {
        Ok(effective) => effective.settings,
        Err(error) => panic!("the built-in settings are unsound: {error}"),
    }
}

fn state(tasks: usize, moment: Moment) -> RaceState {
    let race = Race::new(1).tasks(tasks).runs(&RUNS);
    let over = race.state();
    let Some(pool) = over.runs().get(2).filter(|_| moment == Moment::Racing) else { return over };
    let half = pool.wall().unwrap_or_default() / 2;
    race.state_at(pool.started().unwrap_or(At::ZERO).plus(half))
}

thread_local! {
    /// The state that was folded last: four views are painted of each.
    static LAST: RefCell<Option<(usize, Moment, RaceState)>> = const { RefCell::new(None) };
}

/// One frame of 200 × 60 cells.
#[divan::bench(args = shots())]
fn frame(bencher: Bencher<'_, '_>, shot: Shot) {
    LAST.with_borrow_mut(|last| {
        if !matches!(last, Some((tasks, moment, _)) if (*tasks, *moment) == (shot.tasks, shot.moment)) {
            *last = None;
            *last = Some((shot.tasks, shot.moment, state(shot.tasks, shot.moment)));
        }
        let Some((_, _, race)) = last else { return };
        let now = race.last_moment();
        let run = if shot.moment == Moment::OverThreads { RunChoice::Fixed(1) } else { RunChoice::Follow };
        let mut ui = Ui { view: shot.view, run, ..Ui::default() };
        let looked_at = ui.run_of(race);
        ui.table.arrange(race, &race.runs()[looked_at.index()], now);
        let activity = if race.is_over() { Activity::Idle } else { Activity::Racing };
        paint(bencher, race, &ui, activity, None);
    });
}

/// Paints a frame of 200 × 60 cells again and again.
fn paint(
    bencher: Bencher<'_, '_>,
    race: &RaceState,
    ui: &Ui,
    activity: Activity,
    playback: Option<Playback<'_>>,
) {
    let (settings, theme) = (settings(), Theme::new(ThemeName::Dark, Depth::True));
    let now = race.last_moment();
    let summary = Summary::of(race, now);
    let scene = Scene {
        race: Some(race),
        summary: Some(&summary),
        activity,
        now,
        next: &settings,
        next_differs: false,
        notice: None,
        playback,
        ui,
        theme: &theme,
    };
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
    bencher.bench_local(|| draw(divan::black_box(&mut buffer), divan::black_box(&scene)));
}

/// One frame of 200 × 60 cells of a race that stands still half-way, with the log of what happened around there.
#[divan::bench(args = [100, MANY])]
fn frozen(bencher: Bencher<'_, '_>, tasks: usize) {
    let events = Race::new(1).tasks(tasks).runs(&RUNS).events();
    let Some((reel, whole)) = Reel::of(events.into_iter().collect()) else { panic!("a race has a plan") };
    let race = state(tasks, Moment::Racing);
    let now = race.last_moment();
    let extent = Extent::of(&whole);
    let mut ui = Ui { log: LogPanel::Shown, ..Ui::default() };
    let looked_at = ui.run_of(&race);
    ui.table.arrange(&race, &race.runs()[looked_at.index()], now);
    let playback = Playback {
        reel: &reel,
        place: reel.known_at(now),
        motion: Motion::Frozen,
        speed: Speed::default(),
        edge: Edge::End,
        whole: &whole,
        extent: Some(&extent),
        banner: None,
    };
    paint(bencher, &race, &ui, Activity::Idle, Some(playback));
}

/// The fold: all events of a race, one by one.
#[divan::bench(args = [100, MANY], sample_count = 5)]
fn fold(bencher: Bencher<'_, '_>, tasks: usize) {
    let events = Race::new(1).tasks(tasks).runs(&RUNS).events();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| folded(divan::black_box(&events)));
}

/// What a recording costs without its disk: all events of a race as lines, one by one.
#[divan::bench(args = [100, MANY], sample_count = 5)]
fn record(bencher: Bencher<'_, '_>, tasks: usize) {
    let race = Race::new(1).tasks(tasks).runs(&RUNS);
    let (plan, events) = (race.plan(), race.events());
    bencher
        .counter(ItemsCount::new(events.len()))
        .bench_local(|| recording::write(&plan, divan::black_box(&events), &mut std::io::sink()));
}

/// What the table of tasks costs when it is sorted anew; the dashboard does that seldom.
#[divan::bench(args = [100, MANY], sample_count = 20)]
fn arrange(bencher: Bencher<'_, '_>, tasks: usize) {
    let race = state(tasks, Moment::Over);
    let mut ui = Ui::default();
    bencher.bench_local(|| ui.table.arrange(&race, &race.runs()[2], race.last_moment()));
}

/// What the figures of the report cost; the dashboard asks for them when a run ends.
#[divan::bench(args = [100, MANY], sample_count = 20)]
fn summary(bencher: Bencher<'_, '_>, tasks: usize) {
    let race = state(tasks, Moment::Over);
    bencher.bench_local(|| Summary::of(divan::black_box(&race), race.last_moment()));
}
