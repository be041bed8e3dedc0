//! A race as files to take home: the one place that knows who writes which.

use std::io::{self, Write};
use std::time::Duration;

use crate::config::{Settings, ThemeName};
use crate::model::RaceState;
use crate::recording::{Player, Speed, Tape};
use crate::report::words::{Glyphs, seconds};
use crate::report::{self, Format, ScreenSize, Target, ViewName};

use super::cast::{CastOptions, cast};
use super::picture::picture;
use super::still::{Looks, Stage, figures};
use super::ui::View;

/// What is asked of an export. Each target takes what it has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// How large screens are.
    pub size: ScreenSize,
    /// The colours; none for the dashboard's own.
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
        let Looks { size, glyphs, .. } = Looks::default();
        ExportOptions { size, theme: None, glyphs, speed: None, view: ViewName::default(), at: None }
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

/// Writes the race of a tape, as far as it goes. `next` are the settings of the dashboard that screens are of.
///
/// # Errors
/// What `out` answers, and when the tape tells of no race.
pub fn export(
    target: Target,
    tape: &Tape,
    next: &Settings,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let theme = options.theme.unwrap_or(next.dashboard.theme);
    let looks = Looks { size: options.size, theme, glyphs: options.glyphs };
    let race = || played(tape, tape.len());
    match target {
        Target::Cast => cast(tape, next, &CastOptions { looks, speed: options.speed }, out),
        Target::Screen => screen(tape, next, looks, options, out),
        Target::Json => as_report(Format::Json, &race()?, out),
        Target::Markdown => as_report(Format::Markdown, &race()?, out),
        Target::Table => as_report(Format::Table, &race()?, out),
    }
}

fn as_report(format: Format, race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    report::write(format, race, race.last_moment(), out)
}

/// The race with the first events of a tape in it.
fn played(tape: &Tape, events: usize) -> io::Result<RaceState> {
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "there is no race to export");
    let mut player = Player::new(tape.plan().ok_or_else(none)?.clone());
    player.seek(tape, events);
    Ok(player.into_state())
}

fn screen(
    tape: &Tape,
    next: &Settings,
    looks: Looks,
    options: &ExportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let start = tape.get(0).map_or(tape.end(), |told| told.known);
    let moment = options.at.map_or(tape.end(), |at| start.plus(at).min(tape.end()));
    let race = played(tape, tape.known_at(moment))?;
    let stage = Stage::new(next, looks);
    let view = View::from(options.view);
    let frame = stage.frame(&race, figures(&race, moment).as_ref(), moment, view);
    let scenario = &race.plan().scenario;
    let after = seconds(moment.since(start));
    picture(&frame, stage.theme(), &format!("threadrace {scenario}: {} after {after}", view.name()), out)
}
