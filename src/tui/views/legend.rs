//! What the colours and the marks of lanes mean.

use ratatui::layout::Rect;

use crate::event::{At, Collect, Phase, Variant, WorkloadKind};
use crate::model::{Mix, RunState};
use crate::tui::canvas::Canvas;
use crate::tui::theme::{Mark, Theme};

/// So many lanes of a run are looked at, so that it costs the same for 1,000 of them.
pub(super) const LANES_LOOKED_AT: usize = 64;

/// The phases that lanes have been in, and the marks on them, each with its name.
pub(super) struct Legend {
    mix: Mix,
    workload: WorkloadKind,
    marks: Vec<Mark>,
}

impl Legend {
    /// The legend of the lanes of some runs.
    pub(super) fn of(runs: &[&RunState], workload: WorkloadKind, now: At) -> Legend {
        let mut mix = Mix::default();
        for lane in runs.iter().flat_map(|run| run.lanes().iter().take(LANES_LOOKED_AT)) {
            mix.add(&lane.total(now));
        }
        let marks = Mark::ALL.into_iter().filter(|&mark| is_there(mark, runs, &mix)).collect();
        Legend { mix, workload, marks }
    }

    /// How many columns all of it takes.
    pub(super) fn width(&self) -> u16 {
        let phases: u16 = self.phases().map(|phase| self.phase_width(phase)).sum();
        let marks: u16 = self.marks.iter().map(|&mark| mark_width(mark)).sum();
        phases + marks
    }

    /// Paints the glyph and the name of each phase, and then of the marks, against the right edge of a row. Where
    /// there is no room for all, those phases that took the least time are left out.
    pub(super) fn paint(&self, canvas: &mut Canvas<'_>, row: Rect, theme: &Theme) {
        let mut right = row.right().saturating_sub(1);
        for &mark in self.marks.iter().rev() {
            let (cells, width) = (mark_cells(mark), mark_width(mark));
            if right < row.x + width {
                continue;
            }
            right -= width;
            canvas.text(right + cells, row.y, width - cells, &format!("  {} ", mark.name()), theme.dim);
            for x in right + 1..right + 1 + cells {
                canvas.glyph(x, row.y, mark.glyph(), theme.mark(mark));
            }
        }
        for phase in self.fitting(right.saturating_sub(row.x)).into_iter().rev() {
            let width = self.phase_width(phase);
            right -= width;
            canvas.text(right, row.y, width, &format!("    {} ", phase.called_in(self.workload)), theme.dim);
            for x in right + 1..right + 3 {
                canvas.glyph(x, row.y, theme.phase_glyph(phase), theme.phase(phase));
            }
        }
    }

    fn phases(&self) -> impl Iterator<Item = Phase> {
        Phase::ALL.into_iter().filter(|&phase| self.mix.of(phase) > 0)
    }

    /// The phases that so many columns have room for.
    fn fitting(&self, mut room: u16) -> Vec<Phase> {
        let mut phases: Vec<Phase> = self.phases().collect();
        phases.sort_by_key(|&phase| std::cmp::Reverse(self.mix.of(phase)));
        phases.retain(|&phase| {
            let fits = room >= self.phase_width(phase);
            room = room.saturating_sub(self.phase_width(phase));
            fits
        });
        phases.sort();
        phases
    }

    /// Columns of a phase: its glyph twice, its name, and what keeps it apart.
    fn phase_width(&self, phase: Phase) -> u16 {
        u16::try_from(phase.called_in(self.workload).len()).unwrap_or(0) + 5
    }
}

fn is_there(mark: Mark, runs: &[&RunState], mix: &Mix) -> bool {
    let in_order = |run: &RunState| run.plan().variant == Some(Variant::Collect(Collect::Submit));
    let replaced = |run: &RunState| run.lanes().iter().take(LANES_LOOKED_AT).any(|l| l.workers().len() > 1);
    match mark {
        Mark::Turns => mix.of(Phase::Computing) > 0 && mix.of(Phase::Locked) > 0,
        Mark::Delivered => runs.iter().any(|run| run.takes_results()),
        Mark::Held => runs.iter().any(|run| in_order(run)),
        Mark::Abandoned => runs.iter().any(|run| run.counts().abandoned > 0),
        Mark::Replaced => runs.iter().any(|run| replaced(run)),
    }
}

/// Columns of a mark: its glyph, its name, and what keeps it apart.
fn mark_width(mark: Mark) -> u16 {
    u16::try_from(mark.name().len()).unwrap_or(0) + 3 + mark_cells(mark)
}

fn mark_cells(mark: Mark) -> u16 {
    if matches!(mark, Mark::Turns | Mark::Held) { 2 } else { 1 }
}
