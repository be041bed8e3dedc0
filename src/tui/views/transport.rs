//! The row that says which moment is shown, how it moves, and where in the race it stands.

use ratatui::layout::Rect;

use crate::event::At;
use crate::report::words;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::playhead::{Edge, Motion};

use super::{Playback, Scene};

/// What stands on the row, from left to right.
struct Parts {
    state: String,
    moment: String,
    track: Rect,
    rest: String,
}

/// Columns for what else is to be known.
const REST: usize = 27;

/// The least columns that make a track.
const LEAST_TRACK: u16 = 8;

impl Parts {
    fn of(row: Rect, scene: &Scene<'_>, playback: &Playback<'_>) -> Parts {
        let state = match playback.motion {
            Motion::Playing => " ▸ playing ",
            _ if playback.has_ended() => " ┃┃ ended ",
            _ => " ┃┃ frozen ",
        };
        let (at, end) = (scene.now, end(playback));
        let whole = match end.since(At::ZERO) {
            long if long.as_secs() == 0 => moment(end),
            long => words::seconds(long),
        };
        // Whatever they say, the words take the same room, so that the track keeps still below the mouse.
        let widest = text::width(&moment(end));
        let mut words = format!("{:>widest$} of {whole}  {:<5}", moment(at), playback.speed.to_string());
        let mut rest = format!("{:>REST$}", rest(playback, at));
        let width = |words: &str| u16::try_from(text::width(words)).unwrap_or(u16::MAX);
        let room = |words: &str, rest: &str| {
            let taken = [width(state) + 1, width(words) + 2, width(rest) + 2];
            row.width.saturating_sub(taken.iter().fold(0, |sum, part| sum.saturating_add(*part)))
        };
        if room(&words, &rest) < LEAST_TRACK {
            rest = String::new();
        }
        if room(&words, &rest) < LEAST_TRACK {
            words = format!("{:>widest$}", moment(at));
        }
        let x = row.x + width(state) + 1 + width(&words) + 2;
        let columns = room(&words, &rest);
        let columns = if columns < LEAST_TRACK { 0 } else { columns };
        let track = Rect { x: x.min(row.right()), width: columns, ..row };
        Parts { state: state.to_owned(), moment: words, track, rest }
    }
}

/// The moment with which the track ends.
fn end(playback: &Playback<'_>) -> At {
    playback.whole.last_moment().max(playback.reel.last_moment())
}

/// What else is to be known: what has happened meanwhile, or that there is no more.
fn rest(playback: &Playback<'_>, at: At) -> String {
    let reel = playback.reel;
    if reel.start() > 0 && at <= reel.first_moment() {
        return "earlier is no longer kept".to_owned();
    }
    let ahead = end(playback).since(at);
    match playback.edge {
        Edge::End if playback.place == reel.end() => "the end: r plays it again".to_owned(),
        Edge::End => String::new(),
        Edge::Live if playback.whole.is_over() && ahead.is_zero() => "the race’s end".to_owned(),
        Edge::Live if playback.whole.is_over() => format!("its end is {} ahead: End", words::seconds(ahead)),
        Edge::Live => format!("live is {} ahead: End", words::seconds(ahead)),
    }
}

/// A moment to the millisecond, cut and not rounded: it never says more than has come.
fn moment(at: At) -> String {
    let (seconds, millis) = (at.0 / 1_000_000_000, at.0 / 1_000_000 % 1_000);
    match seconds {
        0..60 => format!("{seconds}.{millis:03} s"),
        _ => format!("{} min {:02}.{millis:03} s", seconds / 60, seconds % 60),
    }
}

fn column(track: Rect, at: At, end: At) -> u16 {
    let share = at.seconds() / end.seconds().max(1e-9);
    let steps = f64::from(track.width.saturating_sub(1));
    track.x + (share.clamp(0.0, 1.0) * steps).round() as u16
}

/// The moment that a click on a column of the row means; none beside the track.
pub fn moment_at(scene: &Scene<'_>, row: Rect, x: u16) -> Option<At> {
    let playback = scene.past()?;
    let track = Parts::of(row, scene, playback).track;
    let inside = track.x <= x && x < track.right();
    let share = f64::from(x.saturating_sub(track.x)) / f64::from(track.width.saturating_sub(1).max(1));
    inside.then(|| At((end(playback).0 as f64 * share) as u64))
}

pub(super) fn draw(canvas: &mut Canvas<'_>, row: Rect, scene: &Scene<'_>, playback: &Playback<'_>) {
    let (theme, y) = (scene.theme, row.y);
    let parts = Parts::of(row, scene, playback);
    let badge = if playback.motion == Motion::Playing { theme.strong } else { theme.accent };
    let x = canvas.text(row.x, y, row.width, &parts.state, badge) + 1;
    canvas.text(x, y, row.right().saturating_sub(x), &parts.moment, theme.strong);
    if !parts.rest.is_empty() {
        let warns = playback.edge == Edge::Live;
        let style = if warns { theme.warn } else { theme.dim };
        canvas.text_right(row.right().saturating_sub(1), y, row.width, &parts.rest, style);
    }
    let (track, end) = (parts.track, end(playback));
    if track.width == 0 {
        return;
    }
    let here = column(track, scene.now, end);
    let kept = column(track, playback.reel.first_moment(), end);
    for x in track.x..track.right() {
        let (glyph, style) = match x {
            _ if playback.reel.start() > 0 && x < kept => ('·', theme.rule),
            _ if x < here => ('━', theme.playhead),
            _ => ('─', theme.rule),
        };
        canvas.glyph(x, y, glyph, style);
    }
    for run in playback.whole.runs() {
        if let Some(start) = run.started() {
            canvas.glyph(column(track, start, end), y, '┬', theme.run(run.hue()));
        }
    }
    canvas.glyph(here, y, '●', theme.playhead);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_cut_to_the_millisecond() {
        let said = [0, 999_999, 3_214_999_999, 59_999_999_999, 63_200_000_000].map(|at| moment(At(at)));
        assert_eq!(said, ["0.000 s", "0.000 s", "3.214 s", "59.999 s", "1 min 03.200 s"]);
    }
}
