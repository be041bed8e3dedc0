//! Frames that are drawn for files: what the dashboard would show of a race, at any size and moment.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::{Settings, ThemeName};
use crate::event::At;
use crate::model::{RaceState, RunStatus};
use crate::report::words::Glyphs;
use crate::report::{ScreenSize, Summary};

use super::ascii::make_ascii;
use super::theme::{Depth, Theme};
use super::ui::{RunChoice, Ui, View};
use super::views::{self, Activity, Scene};

/// How frames for files look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// How large they are.
    pub size: ScreenSize,
    /// In what colours.
    pub theme: ThemeName,
    /// In what characters.
    pub glyphs: Glyphs,
}

impl Default for Looks {
    fn default() -> Looks {
        Looks { size: ScreenSize::default(), theme: ThemeName::Dark, glyphs: Glyphs::Unicode }
    }
}

/// Draws frames that all look alike.
pub(super) struct Stage<'a> {
    next: &'a Settings,
    looks: Looks,
    theme: Theme,
}

impl<'a> Stage<'a> {
    /// A stage for races of a dashboard with such settings.
    pub(super) fn new(next: &'a Settings, looks: Looks) -> Stage<'a> {
        Stage { next, looks, theme: Theme::new(looks.theme, Depth::True) }
    }

    /// The colours.
    pub(super) fn theme(&self) -> &Theme {
        &self.theme
    }

    /// What `view` shows of a race at `now`. A race that is over is shown with the run that its result is about.
    pub(super) fn frame(&self, race: &RaceState, summary: Option<&Summary>, now: At, view: View) -> Buffer {
        let mut ui = Ui { view, ..Ui::default() };
        if let Some(run) = ui.telling_run(race).filter(|_| race.is_over()) {
            ui.run = RunChoice::Fixed(run);
        }
        if let Some(run) = race.runs().get(ui.run_of(race).index()).filter(|_| view == View::Tasks) {
            ui.table.arrange(race, run, now);
        }
        let scene = Scene {
            race: Some(race),
            summary,
            activity: if race.is_over() { Activity::Idle } else { Activity::Racing },
            now,
            next: self.next,
            next_differs: false,
            notice: None,
            playback: None,
            ui: &ui,
            theme: &self.theme,
        };
        let mut frame = Buffer::empty(Rect::new(0, 0, self.looks.size.columns(), self.looks.size.rows()));
        views::draw(&mut frame, &scene);
        if self.looks.glyphs == Glyphs::Ascii {
            make_ascii(&mut frame);
        }
        frame
    }
}

/// The figures of a race at `now`; none before its first run is over.
pub(super) fn figures(race: &RaceState, now: At) -> Option<Summary> {
    let ended = race.runs().iter().any(|run| matches!(run.status(), RunStatus::Ended { .. }));
    ended.then(|| Summary::of(race, now))
}
