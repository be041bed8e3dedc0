//! The pages of the dashboard: pure functions from what is known to what is painted.

mod accesses;
mod chrome;
mod counter;
mod gauges;
mod json;
mod overlays;
mod race;
mod repeats;
mod results;
mod story;
mod tasks;
mod timeline;

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::config::Settings;
use crate::event::At;
use crate::model::RaceState;
use crate::race::Preparing;
use crate::report::Summary;
use crate::text;

use super::canvas::Canvas;
use super::theme::Theme;
use super::ui::{Shown, Ui, View};

pub use accesses::step;
pub use tasks::table_rows;
pub use timeline::{cursor_at, window};

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
    /// What the keyboard has set.
    pub ui: &'a Ui,
    /// How things look.
    pub theme: &'a Theme,
}

impl Scene<'_> {
    /// The runs that every view of a race shows: those of one round.
    fn runs<'a>(&self, race: &'a RaceState) -> Vec<Shown<'a>> {
        self.ui.runs_of(race)
    }
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
    let body = chrome::draw(&mut canvas, area, scene);
    let mut page = canvas.part(body);
    match (scene.race, scene.ui.view) {
        (None, _) => chrome::no_race(&mut page, scene),
        (Some(race), View::Race) => race::draw(&mut page, scene, race),
        (Some(race), View::Timeline) => timeline::draw(&mut page, scene, race),
        (Some(race), View::Tasks) => tasks::draw(&mut page, scene, race),
        (Some(race), View::Results) => results::draw(&mut page, scene, race),
    }
    overlays::draw(&mut canvas, body, scene);
}
