//! The page that compares two races, over a dashboard or alone in a terminal.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::RaceState;
use crate::report::diff::{Both, Diff};
use crate::report::words::Glyphs;

use super::keys::{Action, action};
use super::terminal::{self, Input, Options, Terminal, TerminalError};
use super::theme::Theme;
use super::ui::{DiffPanel, DiffSight};
use super::views::{DiffScene, draw_diff};
use super::{Look, Reader, Signal, Why, ascii};

/// How long the page sleeps when no key is pressed. Keys and signals wake it.
const IDLE: Duration = Duration::from_secs(60);

/// A comparison on screen.
#[derive(Debug)]
pub(super) struct Comparing {
    diff: Diff,
    sight: DiffSight,
}

impl Comparing {
    pub(super) fn of(races: Both<&RaceState>) -> Comparing {
        Comparing { diff: Diff::of(races.a, races.b), sight: DiffSight::default() }
    }

    /// What a key does on the page, where it does something.
    pub(super) fn act(&mut self, action: Action) {
        let sight = &mut self.sight;
        let last = self.diff.pairs.len().saturating_sub(1);
        match action {
            Action::Up => (sight.at, sight.scroll) = (sight.at.saturating_sub(1), 0),
            Action::Down => (sight.at, sight.scroll) = ((sight.at + 1).min(last), 0),
            Action::PageUp => sight.scroll = sight.scroll.saturating_sub(5),
            Action::PageDown => sight.scroll = (sight.scroll + 5).min(500),
            Action::Home => sight.scroll = 0,
            Action::Help => {
                sight.scroll = 0;
                sight.panel = match sight.panel {
                    DiffPanel::Pair => DiffPanel::Words,
                    DiffPanel::Words => DiffPanel::Pair,
                };
            }
            _ => {}
        }
    }

    /// Paints the page on a whole frame; `leave` is what leaves it, and what that is called.
    pub(super) fn draw(
        &self,
        frame: &mut Buffer,
        races: Both<&RaceState>,
        names: Both<&str>,
        leave: (&'static str, &'static str),
        theme: &Theme,
    ) {
        draw_diff(frame, &DiffScene { diff: &self.diff, races, names, sight: self.sight, leave, theme });
    }
}

/// Shows a comparison of two races in the terminal and returns when it was left. The terminal is then as it was.
///
/// # Errors
/// When there is no terminal.
pub fn show_diff(
    races: Both<&RaceState>,
    names: Both<&str>,
    look: &Look,
) -> Result<(Why, Reader), TerminalError> {
    let mut page = Comparing::of(races);
    let mut theme = Theme::new(look.theme, look.depth);
    let mut terminal = Terminal::enter(Options { mouse: false })?;
    let why = loop {
        let (columns, rows) = terminal.size();
        let area = Rect::new(0, 0, columns, rows);
        let mut frame = terminal.recycle().unwrap_or_else(|| Buffer::empty(area));
        frame.resize(area);
        page.draw(&mut frame, races, names, ("q", "quit"), &theme);
        if look.glyphs == Glyphs::Ascii {
            ascii::make_ascii(&mut frame);
        }
        terminal.show(frame);
        match terminal.next(IDLE) {
            Input::Key(key) => match action(&key) {
                Some(Action::Quit | Action::Close) => break Why::Quit,
                Some(Action::Interrupt) => break Why::Signal(Signal::Interrupt),
                Some(Action::Theme) => theme = Theme::new(theme.next(), look.depth),
                Some(action) => page.act(action),
                None => {}
            },
            Input::Signal(signal) => break Why::Signal(signal),
            Input::Vanished => break Why::Vanished,
            Input::Mouse(_) | Input::Pasted(_) | Input::Resized | Input::Resumed | Input::Nothing => {}
        }
    };
    let reader = match terminal.leave() {
        terminal::Left::Restored => Reader::There,
        terminal::Left::Stalled | terminal::Left::Gone => Reader::Gone,
    };
    Ok((why, reader))
}
