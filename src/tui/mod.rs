//! The dashboard: a loop that takes in events and keys, and shows a frame when something changed.

mod app;
mod ascii;
mod canvas;
mod cast;
mod compare;
mod encode;
mod export;
mod house;
mod input;
mod keys;
mod pace;
mod painter;
mod panics;
mod picture;
mod playhead;
mod reel;
mod signals;
mod still;
pub mod terminal;
mod theme;
mod tty;
mod ui;
mod views;
mod widgets;

use thiserror::Error;

use crate::config::{GlyphChoice, Settings, ThemeName};
use crate::event::ExecutorKind;
use crate::model::RaceState;
use crate::race::RaceError;
use crate::recording::{Speed, Tape};
use crate::report::words::Glyphs;
use crate::scenario::ExecutorChoice;

pub use canvas::Canvas;
pub use cast::{CastOptions, cast};
pub use compare::show_diff;
pub use export::{ExportOptions, NoSweep, Source, export};
pub use picture::picture;
pub use playhead::{Edge, Extent, Motion, Playhead, Reach, Way};
pub use reel::{Fold, Reel};
pub use still::Looks;
pub use theme::{Depth, Theme};
pub use ui::{
    Column, DiffPanel, DiffSight, Direction, Ghost, LogPanel, Overlay, RoundChoice, RunChoice, Shown, Table,
    Timeline, Typing, Ui, View,
};
pub use views::{Activity, DiffScene, Playback, Scene, draw, draw_diff};
pub use widgets::Window;

pub use ascii::make_ascii;
pub use terminal::Signal;

/// Why the dashboard ended before it was asked to.
#[derive(Debug, Error)]
pub enum DashboardError {
    /// The terminal can't be used.
    #[error(transparent)]
    Terminal(#[from] terminal::TerminalError),
    /// The race can't be run at all.
    #[error(transparent)]
    Race(#[from] RaceError),
}

/// How the dashboard was left.
#[derive(Debug)]
pub struct Left {
    /// Why.
    pub why: Why,
    /// Whether the terminal takes output.
    pub reader: Reader,
    /// The last race, as far as it came.
    pub race: Option<RaceState>,
    /// Why the last race could not start or its folder could not be tidied, if it could not.
    pub refused: Option<RaceError>,
}

/// Whether somebody can still read what the program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The terminal is as it was and takes output.
    There,
    /// The terminal is gone or takes no output; writing to it could wait for ever.
    Gone,
}

/// Why the dashboard was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody pressed the key.
    Quit,
    /// A signal came.
    Signal(Signal),
    /// The terminal went away.
    Vanished,
}

/// What the environment says about the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The theme to start with.
    pub theme: ThemeName,
    /// Which characters can be drawn.
    pub glyphs: Glyphs,
    /// How many colours there are.
    pub depth: Depth,
}

impl Look {
    /// How things are to look, from the settings and the environment: `NO_COLOR` set to anything asks for
    /// the monochrome theme (no-color.org), `COLORTERM` and `TERM` tell the colours, and the first of
    /// `LC_ALL`, `LC_CTYPE` and `LANG` that is set and not empty tells whether there is UTF-8.
    pub fn of(settings: &Settings, variable: &dyn Fn(&str) -> Option<String>) -> Look {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let theme = match set("NO_COLOR") {
            Some(_) => ThemeName::Monochrome,
            None => settings.dashboard.theme,
        };
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = ["utf-8", "utf8"].iter().any(|name| locale.to_lowercase().contains(name));
        let glyphs = match settings.dashboard.glyphs {
            GlyphChoice::Unicode => Glyphs::Unicode,
            GlyphChoice::Ascii => Glyphs::Ascii,
            GlyphChoice::Auto if utf8 => Glyphs::Unicode,
            GlyphChoice::Auto => Glyphs::Ascii,
        };
        let true_colour =
            set("COLORTERM").is_some_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        let depth = match set("TERM") {
            _ if true_colour => Depth::True,
            Some(term) if term.contains("256color") || term.contains("direct") => Depth::Indexed,
            _ => Depth::Basic,
        };
        Look { theme, glyphs, depth }
    }
}

/// Opens the dashboard and returns when it was left. The terminal is then as it was.
///
/// # Errors
/// When there is no terminal, or no thread to race on.
pub fn run(settings: Settings, look: Look) -> Result<Left, DashboardError> {
    app::App::new(settings, look).run()
}

/// Opens the dashboard on a recorded race, which it plays from its start at `speed`, and returns when it was left.
/// `banner` says what is wrong with the recording, where something is; it may be foreign text. Whoever chooses
/// another scenario there goes on with a live race; `settings` are for that.
///
/// # Errors
/// When there is no terminal, or no thread to race on.
pub fn replay(
    tape: Tape,
    speed: Speed,
    banner: Option<String>,
    settings: Settings,
    look: Look,
) -> Result<Left, DashboardError> {
    app::App::replaying(tape, speed, banner, settings, look).run()
}

/// The executors that can be chosen for the next race: those of its scenario and those that are chosen,
/// then every other kind.
pub fn offers(next: &Settings, chosen: &[ExecutorChoice]) -> Vec<ExecutorChoice> {
    let mut offers = next.scenario.executors.clone();
    let programs = next.programs.keys().cloned().map(ExecutorKind::External);
    let others = ExecutorKind::BUILT_IN.into_iter().chain(programs).map(ExecutorChoice::plain);
    for offer in chosen.iter().cloned().chain(others) {
        let covered = offers
            .iter()
            .any(|other| other.kind == offer.kind && offer.workers.is_none() && offer.variant.is_none());
        if !covered && !offers.contains(&offer) {
            offers.push(offer);
        }
    }
    offers
}
