//! A race as files to take home: the one place that knows who writes which.

use std::io::{self, Write};
use std::time::Duration;

use crate::config::{Settings, ThemeName};
use crate::event::At;
use crate::model::RaceState;
use crate::recording::{Player, Speed, Tape, write_trace};
use crate::report::words::{Glyphs, seconds};
use crate::report::{
    self, Chart, Format, Ghost, Page, ScreenSize, Summary, Target, Theme, TimelineOptions, ViewName,
    scaling_svg,
};

use super::cast::{CastOptions, cast};
use super::picture::picture;
use super::still::{Looks, Stage, figures};
use super::ui::View;

/// The picture of a sweep was asked for of another race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this race is no sweep; `threadrace sweep` makes one")]
pub struct NoSweep;

/// The race to export.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The race, as far as it came.
    pub race: &'a RaceState,
    /// Its events; none where the first of them are no longer kept, and it can't be played.
    pub tape: Option<&'a Tape>,
    /// The settings of the dashboard that screens are of.
    pub next: &'a Settings,
    /// The version of the program that raced, where it is not this one; foreign text.
    pub raced_with: Option<&'a str>,
}

/// What is asked of an export. Each target takes what it has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// How large screens are.
    pub size: ScreenSize,
    /// How wide a timeline is, in pixels.
    pub width: u32,
    /// The colours; none for the dashboard's own in screens, and for the reader's in documents.
    pub theme: Option<ThemeName>,
    /// The characters of screens.
    pub glyphs: Glyphs,
    /// How fast a cast plays; none leaves it to the cast.
    pub speed: Option<Speed>,
    /// What a screen shows.
    pub view: ViewName,
    /// At which time of the race a screen shows it, from the race's start; none for the end.
    pub at: Option<Duration>,
}

impl Default for ExportOptions {
    fn default() -> ExportOptions {
        ExportOptions {
            size: ScreenSize::default(),
            width: TimelineOptions::default().width,
            theme: None,
            glyphs: Glyphs::default(),
            speed: None,
            view: ViewName::default(),
            at: None,
        }
    }
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> View {
        match name {
            ViewName::Race => View::Race,
            ViewName::Timeline => View::Timeline,
            ViewName::Tasks => View::Tasks,
            ViewName::Results => View::Results,
        }
    }
}

/// Writes a race as `target`.
///
/// # Errors
/// What `out` answers, and when what is asked for needs events that are no longer kept.
pub fn export(
    target: Target,
    source: &Source<'_>,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (race, now) = (source.race, source.race.last_moment());
    let looks = Looks {
        size: options.size,
        theme: options.theme.unwrap_or(source.next.dashboard.theme),
        glyphs: options.glyphs,
    };
    let theme = match options.theme {
        None => Theme::Auto,
        Some(ThemeName::Light) => Theme::Light,
        Some(ThemeName::Dark | ThemeName::HighContrast | ThemeName::Monochrome) => Theme::Dark,
    };
    let timeline = TimelineOptions { width: options.width, theme, ghost: Ghost::Shown };
    match target {
        Target::Html => page(source, theme, out),
        Target::Svg => report::timeline_svg(race, &Summary::of(race, now), now, &timeline, out),
        Target::Scaling => scaling(source, theme, options.width, out),
        Target::Screen => screen(source, looks, options, out),
        Target::Cast => cast(played(source)?, source.next, &CastOptions { looks, speed: options.speed }, out),
        Target::Trace => write_trace(race, out),
        Target::CsvTasks => report::csv_tasks(race, out),
        Target::CsvSpans => report::csv_spans(race, now, out),
        Target::Json => report::write(Format::Json, race, now, out),
        Target::Markdown => report::write(Format::Markdown, race, now, out),
        Target::Table => report::write(Format::Table, race, now, out),
    }
}

fn page(source: &Source<'_>, theme: Theme, out: &mut dyn Write) -> io::Result<()> {
    let now = source.race.last_moment();
    let summary = Summary::of(source.race, now);
    let sweep = summary.scaling.as_ref().map(|scaling| {
        let about = scaling.sentence().unwrap_or_else(|| "what more workers brought".to_owned());
        (about, scaling_svg(scaling, theme, TimelineOptions::default().width))
    });
    let title = "speedup against workers";
    let charts: Vec<Chart<'_>> = sweep.iter().map(|(about, svg)| Chart { title, about, svg }).collect();
    let page = Page { theme, raced_with: source.raced_with, charts: &charts };
    report::html(source.race, &summary, now, &page, out)
}

fn scaling(source: &Source<'_>, theme: Theme, width: u32, out: &mut dyn Write) -> io::Result<()> {
    let summary = Summary::of(source.race, source.race.last_moment());
    let none = || io::Error::new(io::ErrorKind::InvalidInput, NoSweep);
    let chart = scaling_svg(&summary.scaling.ok_or_else(none)?, theme, width);
    out.write_all(chart.as_bytes())?;
    out.flush()
}

fn played<'a>(source: &Source<'a>) -> io::Result<&'a Tape> {
    source.tape.ok_or_else(|| io::Error::other("the first events of this race are no longer kept"))
}

fn screen(source: &Source<'_>, looks: Looks, options: &ExportOptions, out: &mut dyn Write) -> io::Result<()> {
    let tape = played(source)?;
    let start = tape.get(0).map_or(At::ZERO, |told| told.known);
    let moment = options.at.map_or(tape.end(), |at| start.plus(at).min(tape.end()));
    let mut player = Player::new(source.race.plan().clone());
    player.seek(tape, tape.known_at(moment));
    let (race, view) = (player.state(), View::from(options.view));
    let stage = Stage::new(source.next, looks);
    let frame = stage.frame(race, figures(race, moment).as_ref(), moment, view);
    picture(&frame, stage.theme(), &title(race, view, moment.since(start)), out)
}

/// What a picture of a screen is called.
pub(super) fn title(race: &RaceState, view: View, after: Duration) -> String {
    format!("threadrace {}: {} after {}", race.plan().scenario, view.name(), seconds(after))
}
