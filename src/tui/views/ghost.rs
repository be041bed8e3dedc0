//! The sequential run as a ghost below other runs' lanes: on the same axis, how long it took and when its tasks
//! were done, so that one sees at each moment how far it had come.
//!
//! It has a row of its own, in no phase's glyphs, and so is never taken for what a worker of that run did.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::event::{At, ExecutorKind};
use crate::model::{RaceState, RunState};
use crate::report::words::count;
use crate::tui::canvas::Canvas;
use crate::tui::theme::{GHOST, GHOST_TICK, Theme};
use crate::tui::ui::{Ghost as Choice, Shown};
use crate::tui::widgets::Axis;

use super::Scene;

/// Columns between two ticks on average, at least.
const COLUMNS_A_TICK: usize = 3;

/// The sequential run, as it is laid under others.
#[derive(Clone, Copy)]
pub(super) struct Ghost<'a> {
    run: &'a RunState,
    start: At,
    until: At,
    /// Its tasks from one tick to the next: 1, 2 or 5 times a power of ten.
    tasks_a_tick: usize,
}

impl<'a> Ghost<'a> {
    /// The ghost for the lanes of a run: the one that it is measured against; none where
    /// it is not wanted, one of the two has not begun, or that run is sequential itself.
    pub(super) fn below(
        scene: &Scene<'_>,
        race: &'a RaceState,
        of: &Shown<'_>,
        axis: &Axis,
    ) -> Option<Ghost<'a>> {
        let run = of.run;
        let sequential = run.plan().executor == ExecutorKind::Sequential;
        if scene.ui.ghost == Choice::Hidden || sequential || run.started().is_none() {
            return None;
        }
        let sequential = race.baseline_of(of.id)?;
        let (start, until) = (sequential.started()?, sequential.until(scene.now)?);
        let columns = |time: Duration| {
            time.as_secs_f64() / axis.window().long.as_secs_f64() * axis.columns().len() as f64
        };
        let most = columns(until.since(start)) / COLUMNS_A_TICK as f64;
        let tasks = sequential.tasks().len() as f64;
        let mut steps = (0..7).flat_map(|power| [1, 2, 5].map(|step| step * 10_usize.pow(power)));
        let tasks_a_tick = steps.find(|step| tasks / *step as f64 <= most).unwrap_or(10_000_000);
        Some(Ghost { run: sequential, start, until, tasks_a_tick })
    }

    /// Paints the ghost on one row: a thin line as long as it took, with a tick where its tasks were done.
    pub(super) fn paint(&self, canvas: &mut Canvas<'_>, axis: &Axis, y: u16, theme: &Theme) {
        let ticks = |at: At| self.run.done_by(at) / self.tasks_a_tick;
        for x in axis.columns() {
            let (from, to) = axis.cell(x, self.start);
            if from >= self.until {
                break;
            }
            match ticks(to.min(self.until)) > ticks(from) {
                true => canvas.glyph(x, y, GHOST_TICK, theme.ghost_tick()),
                false => canvas.glyph(x, y, GHOST, theme.ghost()),
            }
        }
    }

    /// The name of the run that it is the ghost of.
    pub(super) fn label(&self) -> &str {
        &self.run.plan().label
    }

    /// How far it had come so long after its start: `sequential had 4 of 20`.
    pub(super) fn progress(&self, after: Duration) -> String {
        let done = self.run.done_by(self.start.plus(after));
        let (done, tasks) = (count(done as u64), count(self.run.tasks().len() as u64));
        format!("{} had {done} of {tasks}", self.label())
    }

    /// Whether it is known how far it had come so long after its start.
    pub(super) fn reaches(&self, after: Duration) -> bool {
        self.run.wall().is_some() || self.start.plus(after) <= self.until
    }

    fn legend(&self) -> String {
        let tick = match self.tasks_a_tick {
            1 => format!(", {GHOST_TICK} a task done"),
            tasks if tasks > self.run.tasks().len() => String::new(),
            tasks => format!(", {GHOST_TICK} {} tasks done", count(tasks as u64)),
        };
        let sample = if tick.is_empty() { GHOST } else { GHOST_TICK };
        format!("{GHOST}{sample}{GHOST} {}{tick}", self.label())
    }

    /// Says what the ghost is at the right end of a row, and returns what is left of the row.
    pub(super) fn paint_legend(&self, canvas: &mut Canvas<'_>, row: Rect, theme: &Theme) -> Rect {
        let words = self.legend();
        let columns = u16::try_from(crate::text::width(&words)).unwrap_or(u16::MAX);
        if row.width < columns.saturating_add(30) {
            return row;
        }
        let x = row.right().saturating_sub(columns + 1);
        canvas.text(x, row.y, columns, &words, theme.dim);
        for (x, glyph) in (x..).zip(words.chars().take(3)) {
            let style = if glyph == GHOST { theme.ghost() } else { theme.ghost_tick() };
            canvas.glyph(x, row.y, glyph, style);
        }
        Rect { width: row.width - columns - 3, ..row }
    }
}
