//! The pages of the dashboard: pure functions from what is known to what is painted.

mod accesses;
mod chrome;
mod counter;
mod diff;
mod gauges;
mod ghost;
mod json;
mod legend;
mod log;
mod overlays;
mod race;
mod repeats;
mod results;
mod scaling;
mod story;
mod tasks;
mod timeline;
mod transport;
mod usage;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::config::Settings;
use crate::event::{At, RunId};
use crate::model::{RaceState, RunStatus};
use crate::race::Preparing;
use crate::recording::Speed;
use crate::report::Summary;
use crate::text;

use super::canvas::{Canvas, cut_bottom, cut_top};
use super::playhead::{Edge, Extent, Motion, Reach};
use super::reel::Reel;
use super::theme::Theme;
use super::ui::{LogPanel, Shown, Ui, View};
use super::widgets::Window;

pub use accesses::focused;
pub use diff::{DiffScene, draw_diff};
pub use log::has_room;
pub use race::run_at;
pub use results::results_extent;
pub use tasks::table_rows;
pub use timeline::{cursor_at, window};
pub use transport::moment_at;

/// How many columns the longest of the runs' names takes, within bounds.
fn name_columns<'a>(labels: impl Iterator<Item = &'a str>, least: u16, most: u16) -> u16 {
    let longest = labels.map(text::width).max().unwrap_or(0);
    u16::try_from(longest).unwrap_or(most).clamp(least, most)
}

/// A line of words, each with its look.
type Line = Vec<(String, Style)>;

/// Everything that a frame is painted from.
pub struct Scene<'a> {
    /// The race; none before the first has started.
    pub race: Option<&'a RaceState>,
    /// Its figures, as of the last run's end.
    pub summary: Option<&'a Summary>,
    /// What is going on.
    pub activity: Activity<'a>,
    /// The moment that is shown.
    pub now: At,
    /// What the next race will be.
    pub next: &'a Settings,
    /// Whether the next race would differ from the one that is shown.
    pub next_differs: bool,
    /// What a key has just done, where that isn't seen otherwise.
    pub notice: Option<&'a str>,
    /// The events behind the picture, and which of them are in it; none where they are not at hand.
    pub playback: Option<Playback<'a>>,
    /// What the keyboard has set.
    pub ui: &'a Ui,
    /// How things look.
    pub theme: &'a Theme,
}

/// The events behind a picture, and which of them are in it.
#[derive(Debug, Clone, Copy)]
pub struct Playback<'a> {
    /// The events.
    pub reel: &'a Reel,
    /// How many of them are in the picture.
    pub place: usize,
    /// Whether the picture moves, and with what.
    pub motion: Motion,
    /// How fast, while it plays.
    pub speed: Speed,
    /// What there is at the end of the events.
    pub edge: Edge,
    /// The race with all of the events.
    pub whole: &'a RaceState,
    /// How long the runs are known to be; none for a live picture, whose axes grow with it.
    pub extent: Option<&'a Extent>,
    /// What is wrong with the recording, where something is; foreign.
    pub banner: Option<&'a str>,
}

impl Playback<'_> {
    /// Whether a recording was played to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.edge == Edge::End && self.motion == Motion::Frozen && self.place == self.reel.end()
    }
}

impl Scene<'_> {
    /// The runs that every view of a race shows: those of one round.
    fn runs<'a>(&self, race: &'a RaceState) -> Vec<Shown<'a>> {
        self.ui.runs_of(race)
    }

    /// The playback, where the picture is not the live race's.
    fn past(&self) -> Option<&Playback<'_>> {
        self.playback.as_ref().filter(|playback| playback.motion != Motion::Live)
    }

    /// How long a run is known to be, however much of it is in the picture.
    fn reach(&self, race: &RaceState, run: RunId) -> Option<Reach> {
        let state = race.runs().get(run.index())?;
        let elapsed = state.elapsed(self.now);
        let known = self.past().and_then(|past| past.extent?.run(run));
        match (known, elapsed) {
            (Some(Reach::Whole(long)), Some(elapsed)) => Some(Reach::Whole(long.max(elapsed))),
            (Some(Reach::AtLeast(long)), Some(elapsed)) => Some(Reach::AtLeast(long.max(elapsed))),
            (Some(known), None) => Some(known),
            (None, Some(elapsed)) if state.wall().is_some() => Some(Reach::Whole(elapsed)),
            (None, elapsed) => elapsed.map(Reach::AtLeast),
        }
    }

    /// The window that shows all of a run.
    fn window_of(&self, race: &RaceState, run: RunId) -> Window {
        match self.reach(race, run) {
            Some(Reach::Whole(long)) => Window::until(long),
            Some(Reach::AtLeast(long)) => Window::round(long),
            None => Window::round(Duration::ZERO),
        }
    }

    /// Where the playhead stands in a run, from its start; none where the picture is live, or shows a moment at
    /// which the run is not under way.
    pub fn playhead_in(&self, run: &crate::model::RunState) -> Option<Duration> {
        self.past()?;
        match run.status() {
            RunStatus::Running { since } => Some(self.now.since(*since)),
            RunStatus::Waiting | RunStatus::Ended { .. } => None,
        }
    }
}

/// How long the longest run is known to be, and the window that shows all runs.
pub fn all_of(scene: &Scene<'_>, race: &RaceState) -> (Duration, Window) {
    let runs = scene.runs(race);
    let reaches = || runs.iter().map(|shown| scene.reach(race, shown.id));
    let longest = reaches().flatten().map(|reach| match reach {
        Reach::AtLeast(long) | Reach::Whole(long) => long,
    });
    let longest = longest.max().unwrap_or_default();
    let known = reaches().all(|reach| matches!(reach, Some(Reach::Whole(_))));
    let all = if race.is_over() || known { Window::until(longest) } else { Window::round(longest) };
    (longest, all)
}

/// Where things stand on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The page of the view.
    pub page: Rect,
    /// What lies over the page lies over the log, too.
    pub body: Rect,
    /// The row with the title.
    pub title: Option<Rect>,
    /// The row with the views' names.
    pub tabs: Option<Rect>,
    /// What is wrong with the recording.
    pub banner: Option<Rect>,
    /// The interleaving log.
    pub log: Option<Rect>,
    /// The row that says which moment is shown.
    pub transport: Option<Rect>,
    /// The row with the keys.
    pub footer: Option<Rect>,
}

/// Shares a screen out. One too low for everything keeps the page.
pub fn layout(area: Rect, scene: &Scene<'_>) -> Layout {
    let mut body = area;
    let mut first_row = |least: u16, wanted: bool| {
        let (row, rest) = cut_top(body, u16::from(wanted && body.height >= least));
        body = rest;
        (row.height > 0).then_some(row)
    };
    let title = first_row(4, true);
    let tabs = first_row(6, true);
    let banner = first_row(9, scene.playback.is_some_and(|playback| playback.banner.is_some()));
    let mut last_row = |least: u16, wanted: bool| {
        let (rest, row) = cut_bottom(body, u16::from(wanted && body.height >= least));
        body = rest;
        (row.height > 0).then_some(row)
    };
    let footer = last_row(6, true);
    let is_past = scene.past().is_some() && scene.race.is_some();
    let transport = last_row(2, is_past);
    let shows_log = scene.ui.log == LogPanel::Shown && scene.race.is_some() && scene.playback.is_some();
    let (page, log) = if shows_log { log::cut(body) } else { (body, None) };
    Layout { page, body, title, tabs, banner, log, transport, footer }
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity<'a> {
    /// Nothing: press a key to race.
    Idle,
    /// A race gets ready.
    Preparing(Option<Preparing>),
    /// A race is under way.
    Racing,
    /// A race is being cancelled.
    Cancelling,
    /// The last race could not start, or its folder could not be tidied.
    Refused(&'a str),
}

/// Paints a whole frame.
pub fn draw(buffer: &mut Buffer, scene: &Scene<'_>) {
    let area = buffer.area;
    let mut canvas = Canvas::new(buffer, area);
    canvas.clear(area, scene.theme.base);
    if area.width < 20 || area.height < 2 {
        chrome::tiny(&mut canvas, area, scene);
        return;
    }
    let layout = layout(area, scene);
    chrome::draw(&mut canvas, &layout, scene);
    let mut page = canvas.part(layout.page);
    match (scene.race, scene.ui.view) {
        (None, _) => chrome::no_race(&mut page, scene),
        (Some(race), View::Race) => race::draw(&mut page, scene, race),
        (Some(race), View::Timeline) => timeline::draw(&mut page, scene, race),
        (Some(race), View::Tasks) => tasks::draw(&mut page, scene, race),
        (Some(race), View::Results) => results::draw(&mut page, scene, race),
    }
    if let (Some(area), Some(race), Some(playback)) = (layout.log, scene.race, &scene.playback) {
        log::draw(&mut canvas, area, scene, race, playback);
    }
    overlays::draw(&mut canvas, layout.body, scene);
}
