//! One run of a timeline as a part of its picture.

use std::io::{self, Write};

use crate::event::At;
use crate::report::markup::{Px, cut};
use crate::report::words::count;
use crate::text::width;

use super::lanes::{Block, Drawn, Row, Sign, Stretch, stretches};
use super::paths::{write_row, write_strip};
use super::svg::{BETWEEN, Ghost, MONO, PAD, Picture, SANS};
use super::{ghost, lane_words, name, row_height, saved_words, title_words, worker_words};

const GAP: f64 = 2.0;
const TITLE: f64 = 26.0;
const STRIP: f64 = 16.0;

impl Picture<'_, '_> {
    /// Draws one run below what is there: its title, its lanes, and the count of its tasks in progress.
    pub(super) fn block(&mut self, block: &Block<'_>) -> io::Result<()> {
        let (left, right) = (self.axis.left, self.axis.left + self.axis.width);
        let baseline = y_baseline(self.y);
        // The words stand on the grid's lines.
        write!(
            self.out,
            r#"<rect class="f-ground" x="{}" y="{}" width="{}" height="{}"/><rect class="f-r{}" x="{}" y="{}" width="4" height="15" rx="1"/>"#,
            Px(left - 4.0),
            Px(self.y + 3.0),
            Px(right - left + 8.0),
            Px(TITLE - 5.0),
            block.run.hue().index(),
            Px(PAD),
            Px(baseline - 12.0)
        )?;
        let words = title_words(self.timeline, block);
        let room = ((self.wide - 2.0 * PAD) / (12.0 * SANS)) as usize;
        let name = cut(&name(block), room / 3);
        self.text("n f-strong", (PAD + 12.0, baseline), &name)?;
        let words = words.join(" · ");
        // What has no room beside the name has a line of its own.
        if width(&words) + width(&name) + 6 <= room {
            self.text("f-text e", (right, baseline), &words)?;
        } else {
            self.y += 18.0;
            write!(
                self.out,
                r#"<rect class="f-ground" x="{}" y="{}" width="{}" height="18"/>"#,
                Px(left - 4.0),
                Px(self.y + TITLE - 20.0),
                Px(right - left + 8.0)
            )?;
            self.text("f-text", (PAD + 12.0, baseline + 18.0), &cut(&words, room.saturating_sub(3)))?;
        }
        self.y += TITLE;
        let (top, height) = (self.y, row_height(block));
        let step = height + GAP;
        let tall = step * block.rows.len() as f64 - GAP;
        if !block.rows.is_empty() {
            self.ghost(block, top, tall)?;
        }
        let end = self.axis.x(block.long);
        for row in &block.rows {
            let y = self.y;
            write!(
                self.out,
                r#"<rect class="f-lane" x="{}" y="{}" width="{}" height="{}"/>"#,
                Px(left),
                Px(y),
                Px(end - left),
                Px(height)
            )?;
            write_row(self.axis, block, row, (y, height), self.out)?;
            self.lane(block, row, y, height)?;
            self.y += step;
        }
        self.slower(block, top, tall)?;
        if block.figures.workers > 1 && !block.strip.is_empty() {
            self.y += 2.0;
            let most = block.figures.peak_concurrency;
            self.text(
                "m f-dim e",
                (left - 10.0, self.y + STRIP - 4.0),
                &if left > 120.0 {
                    format!("{} at once", count(most.into()))
                } else {
                    format!("max {}", count(most.into()))
                },
            )?;
            let fill = format!("f-r{}", block.run.hue().index());
            write_strip(self.axis, block, self.timeline.strip_columns, &fill, (self.y, STRIP), self.out)?;
            self.y += STRIP + GAP;
        }
        self.y += BETWEEN;
        Ok(())
    }

    /// The time that the sequential run took, from where this run was over.
    fn ghost(&mut self, block: &Block<'_>, y: f64, tall: f64) -> io::Result<()> {
        let baseline = ghost(self.timeline, block).filter(|_| self.options.ghost == Ghost::Shown);
        let Some(baseline) = baseline else { return Ok(()) };
        let (from, to) = (self.axis.x(block.long), self.axis.x(baseline));
        if to <= from + 2.0 {
            return Ok(());
        }
        write!(
            self.out,
            r#"<rect class="f-panel" fill-opacity=".6" x="{x}" y="{y}" width="{w}" height="{h}"/><path class="d s-rule" d="M{x} {y}H{to}V{bottom}H{x}"/>"#,
            x = Px(from),
            y = Px(y + 0.5),
            w = Px(to - from),
            h = Px(tall - 1.0),
            to = Px(to - 0.5),
            bottom = Px(y + tall - 0.5),
        )?;
        let Some(words) = saved_words(block, baseline) else { return Ok(()) };
        if (to - from) > width(&words) as f64 * 12.0 * SANS + 16.0 {
            self.text("f-dim c o s-ground", ((from + to) / 2.0, y + tall / 2.0 + 4.0), &words)?;
        }
        Ok(())
    }

    /// A line over the lanes of a run that took longer than the sequential one, where that was over.
    fn slower(&mut self, block: &Block<'_>, y: f64, tall: f64) -> io::Result<()> {
        let baseline = ghost(self.timeline, block).filter(|_| self.options.ghost == Ghost::Shown);
        let Some(x) = baseline.filter(|long| *long < block.long).map(|long| self.axis.x(long)) else {
            return Ok(());
        };
        let (top, bottom) = (Px(y - 2.0), Px(y + tall + 2.0));
        write!(self.out, r#"<path class="d s-strong" stroke-width="1.5" d="M{} {top}V{bottom}"/>"#, Px(x))
    }

    /// A lane's name, the numbers of its tasks, and its marks.
    fn lane(&mut self, block: &Block<'_>, row: &Row, y: f64, height: f64) -> io::Result<()> {
        let left = self.axis.left;
        let middle = y + height / 2.0 + 3.5;
        let number = lane_words(&row.lanes);
        self.text("m f-text e", (left - 10.0, middle), &number)?;
        let worker = worker_words(block, &row.lanes);
        let room = ((left - PAD - 16.0) / (10.5 * MONO)) as usize;
        if !worker.is_empty() && width(&worker) + width(&number) + 2 <= room {
            self.text("m f-dim", (PAD, middle), &worker)?;
        }
        if let Drawn::Spans(spans) = &row.drawn {
            self.numbers(block, &stretches(spans), y, height)?;
        }
        for mark in &row.marks {
            let x = self.axis.x(mark.at);
            if let Sign::Delivered(_, since) = mark.sign {
                let (from, y) = (self.axis.x(since), y + height - 1.0);
                if x > from + 3.0 {
                    write!(
                        self.out,
                        r#"<path class="s-strong" stroke-width="2" d="M{} {}H{}"/>"#,
                        Px(from),
                        Px(y),
                        Px(x)
                    )?;
                }
            }
            // What ends a task stands inside it, not on the next one.
            let inside = if matches!(mark.sign, Sign::Failed(_) | Sign::Abandoned(_)) { 6.0 } else { 0.0 };
            self.sign(mark.sign, ((x - inside).max(left + 6.0), y + height / 2.0), height)?;
        }
        Ok(())
    }

    /// The numbers of a lane's tasks, each where its stretch begins, unless most have no room; and a line
    /// between two tasks.
    fn numbers(&mut self, block: &Block<'_>, tasks: &[Stretch], y: f64, height: f64) -> io::Result<()> {
        let place = |at: At| self.axis.x(at.since(block.start));
        let digits = |number: &str| number.len() as f64 * 10.5 * MONO;
        let fits: Vec<(f64, String)> = tasks
            .iter()
            .map(|task| (place(task.from), place(task.to), (task.task.0 + 1).to_string()))
            .filter(|(from, to, number)| to - from > digits(number) + 6.0)
            .map(|(from, _, number)| (from, number))
            .collect();
        let apart: Vec<f64> = tasks.iter().skip(1).map(|task| place(task.from)).collect();
        if tasks.len() as f64 * 5.0 < self.axis.x(block.long) - self.axis.left && !apart.is_empty() {
            write!(self.out, r#"<path class="s-ground" stroke-width="1" d=""#)?;
            for x in apart {
                write!(self.out, "M{} {}v{}", Px(x), Px(y), Px(height))?;
            }
            write!(self.out, "\"/>")?;
        }
        if fits.len() * 2 > tasks.len() {
            for (x, number) in fits {
                self.text("m f-strong o s-ground", (x + 4.0, y + height / 2.0 + 3.5), &number)?;
            }
        }
        Ok(())
    }

    /// Draws a mark around a place.
    pub(super) fn sign(&mut self, sign: Sign, (x, y): (f64, f64), height: f64) -> io::Result<()> {
        let half = (height / 2.0 - 4.0).clamp(2.0, 4.0);
        let (x, y) = (Px(x), Px(y));
        match sign {
            Sign::Failed(_) => write!(
                self.out,
                r#"<circle class="f-ground" cx="{x}" cy="{y}" r="{r}"/><path class="k s-bad" d="M{x} {y}m-{h}-{h}l{d} {d}m0-{d}l-{d} {d}"/>"#,
                r = Px(half + 2.5),
                h = Px(half),
                d = Px(half * 2.0)
            ),
            Sign::Abandoned(_) => write!(
                self.out,
                r#"<path class="k s-warn" stroke-width="3" d="M{x} {y}m-2-{h}v{d}m4 0v-{d}"/>"#,
                h = Px(half + 2.0),
                d = Px(half * 2.0 + 4.0)
            ),
            Sign::Replaced => write!(
                self.out,
                r#"<circle class="f-ground" cx="{x}" cy="{y}" r="{r}"/><circle class="k s-warn" cx="{x}" cy="{y}" r="{h}" stroke-dasharray="{dash} 4"/>"#,
                r = Px(half + 2.0),
                h = Px(half),
                dash = Px(half * 5.0)
            ),
            Sign::Delivered(..) => write!(
                self.out,
                r#"<circle class="f-strong s-ground" cx="{x}" cy="{y}" r="{h}" stroke-width="1.5"/>"#,
                h = Px(half)
            ),
        }
    }
}

/// Where the letters of a run's title stand.
fn y_baseline(top: f64) -> f64 {
    top + TITLE - 9.0
}
