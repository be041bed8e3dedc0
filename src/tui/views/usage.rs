//! How the workers' time was used, and which tasks set a run's wall time.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::WorkloadKind;
use crate::model::{RaceState, RunStatus};
use crate::report::{Summary, Use, Utilisation, words};
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::theme::Theme;

use super::{Scene, name_columns};

/// A bar has at least so many columns.
const BAR: u16 = 12;

/// The longest that a column's number is: `100 %`.
const NUMBER: usize = 5;

/// A rule, a head and a row for each executor.
pub(super) fn time_rows(summary: &Summary) -> u16 {
    u16::try_from(summary.groups.len()).unwrap_or(u16::MAX).saturating_add(2)
}

/// A rule and a row for each executor.
pub(super) fn critical_rows(summary: &Summary) -> u16 {
    time_rows(summary).saturating_sub(1)
}

/// A bar for each run, of rounds for the median one, stacked from the shares of its lanes' time, and the
/// shares in figures below the marks of their phases. Where there is no room for all of the figures, the
/// smallest shares have none.
pub(super) fn time(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    summary: &Summary,
    race: &RaceState,
) {
    let theme = scene.theme;
    let title = match summary.repeats() {
        true => "the workers' time in the median run: of all lanes, from its start to its end",
        false => "the workers' time: of all lanes, from a run's start to its end",
    };
    canvas.part(area).rule(area.y, title, '─', theme.rule, theme.dim);
    let (name, left) = names(summary, area);
    let right = area.right().saturating_sub(1);
    let room = right.saturating_sub(left);
    let uses = fitting(summary, room.saturating_sub(BAR));
    let columns = |of: Use| columns(of, summary.workload);
    let width = room.saturating_sub(uses.iter().map(|of| columns(*of)).sum());
    let y = area.y + 1;
    // Nothing stands above the bars.
    canvas.text(area.x + 2, y, name + width, "share of time", theme.dim);
    let mut x = left + width;
    for &of in &uses {
        x += columns(of);
        let name = of.called_in(summary.workload);
        canvas.text_right(x, y, columns(of), name, theme.dim);
        let before = u16::try_from(text::width(name)).unwrap_or(0) + 2;
        let (glyph, style) = mark(of, theme);
        canvas.glyph(x.saturating_sub(before), y, glyph, style);
    }
    for ((place, run), y) in summary.typical().enumerate().zip(y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, name, &run.label, theme.run(run.hue));
        if let Some(words) = not_over(race, summary, place) {
            canvas.text(left, y, room, words, theme.dim);
            continue;
        }
        let used = run.utilisation();
        let bar = Rect { x: left, y, width, height: 1 };
        stack(canvas, bar, &used, theme);
        let mut x = left + width;
        for &of in &uses {
            x += columns(of);
            let style = if used.nanos(of) == 0 { theme.dim } else { theme.base };
            let percent = used.percent(of);
            canvas.text_right(x, y, columns(of), percent.as_deref().unwrap_or("–"), style);
        }
    }
}

/// A line for each run: the tasks whose ends let the next begin, and what else took its time.
pub(super) fn critical(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    summary: &Summary,
    race: &RaceState,
) {
    let theme = scene.theme;
    let title = match summary.repeats() {
        true => "critical path of the median run: the tasks that set its wall time",
        false => "critical path: the tasks that set the wall time",
    };
    canvas.part(area).rule(area.y, title, '─', theme.rule, theme.dim);
    let (name, left) = names(summary, area);
    let room = area.right().saturating_sub(left + 1);
    for ((place, run), y) in summary.typical().enumerate().zip(area.y + 1..area.bottom()) {
        canvas.text(area.x + 2, y, name, &run.label, theme.run(run.hue));
        match &run.critical {
            Some(path) => {
                let words = path.words(&race.plan().tasks, usize::from(room));
                canvas.text(left, y, room, &words, theme.base);
            }
            None => {
                let words = not_over(race, summary, place).unwrap_or_default();
                canvas.text(left, y, room, words, theme.dim);
            }
        }
    }
}

/// The columns of the runs' names, and where what stands beside them begins.
fn names(summary: &Summary, area: Rect) -> (u16, u16) {
    let labels = summary.typical().map(|run| run.label.as_str());
    let name = if area.width >= 72 { name_columns(labels, 13, 20) } else { 12.min(area.width / 3) };
    (name, area.x + name + 3)
}

/// Why there are no figures of a run; they are added up when a run ends, and others may have begun since.
fn not_over(race: &RaceState, summary: &Summary, place: usize) -> Option<&'static str> {
    let run = race.runs().get(summary.groups.get(place)?.typical.index())?;
    match run.status() {
        RunStatus::Waiting => Some(words::not_begun(race)),
        RunStatus::Running { .. } => Some("under way"),
        RunStatus::Ended { .. } => None,
    }
}

/// The columns of a use's figure, of its name with its mark, and of a gap before them.
fn columns(of: Use, workload: WorkloadKind) -> u16 {
    u16::try_from(text::width(of.called_in(workload)).max(NUMBER) + 4).unwrap_or(u16::MAX)
}

/// The uses whose figures have room in so many columns: those that are smallest in all runs together go first.
fn fitting(summary: &Summary, room: u16) -> Vec<Use> {
    let mut uses = summary.uses();
    let share = |of: Use| summary.typical().map(|run| run.utilisation().share(of)).sum::<f64>();
    while uses.iter().map(|of| columns(*of, summary.workload)).sum::<u16>() > room {
        let least = uses.iter().copied().min_by(|a, b| share(*a).total_cmp(&share(*b)));
        uses.retain(|of| Some(*of) != least);
    }
    uses
}

/// A bar in which each use has its share of the columns. What is less than half of one has its figure alone.
fn stack(canvas: &mut Canvas<'_>, area: Rect, used: &Utilisation, theme: &Theme) {
    let parts = used.parts(u32::from(area.width));
    let mut x = area.x;
    for of in Use::ALL {
        let (glyph, style) = mark(of, theme);
        for _ in 0..parts[of as usize] {
            canvas.glyph(x, area.y, glyph, style);
            x += 1;
        }
    }
}

/// The glyph and the look of a use, as on a lane.
fn mark(of: Use, theme: &Theme) -> (char, Style) {
    match of.phase() {
        Some(phase) => (theme.phase_glyph(phase), theme.phase(phase)),
        None => ('·', theme.idle()),
    }
}
