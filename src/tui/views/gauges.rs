//! The speedup gauges of a race, and the sentence that says what happened.

use ratatui::layout::Rect;

use crate::event::Order;
use crate::model::RaceState;
use crate::report::words::{self, Glyphs};
use crate::report::{Reason, Summary};
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::{Gauge, gauge};

use super::Scene;

/// A rule and a row for each run.
pub(super) fn gauge_rows(race: &RaceState) -> u16 {
    u16::try_from(race.runs().len()).unwrap_or(u16::MAX).saturating_add(1)
}

/// The gauges of all runs on one scale, and the sentence that says what happened.
pub(super) fn gauges(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    summary: &Summary,
    verdict: &[String],
) {
    let theme = scene.theme;
    let title = match summary.order {
        Order::OneByOne => "speedup: how many times as fast as sequential; ◆ marks the ideal",
        Order::Together => "speedup, while all runs shared the network and the processors; ◆ marks the ideal",
    };
    canvas.part(area).rule(area.y, title, '─', theme.rule, theme.dim);
    let most = summary.runs.iter().map(|run| f64::from(run.workers).max(run.speedup.unwrap_or(1.0)));
    let most = most.fold(1.0, f64::max);
    let words_width = if area.width >= 100 { 38 } else { 23 };
    let labels = summary.runs.iter().map(|run| text::width(&run.label)).max().unwrap_or(0);
    let label = u16::try_from(labels).unwrap_or(u16::MAX).clamp(12, 17);
    let mut y = area.y + 1;
    for (place, run) in summary.runs.iter().enumerate() {
        if y >= area.bottom() {
            return;
        }
        let x = canvas.text(area.x + 2, y, label, &run.label, theme.run(place));
        canvas.text(x + 1, y, 6, &format!("×{}", run.workers), theme.dim);
        let left = area.x + label + 6;
        let row = Rect { x: left, y, width: area.width.saturating_sub(label + 7 + words_width), height: 1 };
        let right = row.right() + 2;
        let room = area.right().saturating_sub(right + 1);
        match run.speedup {
            Some(value) => {
                let ideal = f64::from(run.workers);
                let style = theme.run(place);
                gauge(canvas, row, Gauge { value, ideal, most }, style, theme.track, theme.strong);
                let x = canvas.text(right, y, room, &words::times(value, Glyphs::Unicode), theme.strong) + 1;
                let of = match run.efficiency.filter(|_| summary.order == Order::OneByOne) {
                    Some(efficiency) if area.width >= 100 => {
                        format!("of {ideal:.0}× ideal, {} efficient", words::percent(efficiency))
                    }
                    Some(efficiency) => format!("of {ideal:.0}×, {}", words::percent(efficiency)),
                    None => format!("of {ideal:.0}×"),
                };
                canvas.text(x, y, area.right().saturating_sub(x + 1), &of, theme.dim);
            }
            None => {
                let (words, style) = match run.comparable.reason() {
                    Some(reason @ (Reason::NotStarted | Reason::UnderWay)) => (reason.to_string(), theme.dim),
                    Some(reason) => (format!("no speedup: {reason}"), theme.warn),
                    None => ("no sequential run to compare with".to_owned(), theme.dim),
                };
                canvas.text(left, y, area.right().saturating_sub(left + 1), &words, style);
            }
        }
        y += 1;
    }
    for line in verdict {
        canvas.text(area.x + 2, y, area.width.saturating_sub(3), line, theme.strong);
        y += 1;
    }
}
