//! Rows as shapes: one path for each phase, which keeps files small.

use std::io::{self, Write};
use std::time::Duration;

use crate::event::{At, Phase};
use crate::report::markup::Px;

use super::lanes::{Block, Drawn, Row};

/// A span that is narrower than this is drawn this wide, in pixels: it is there, so it is seen.
const HAIR: f64 = 0.6;

/// The axis of time laid over pixels.
pub(in crate::report) struct Axis {
    pub(in crate::report) left: f64,
    pub(in crate::report) width: f64,
    pub(in crate::report) long: Duration,
}

impl Axis {
    /// Where a moment is, counted from a run's start; moments beyond the axis are at its end.
    pub(in crate::report) fn x(&self, moment: Duration) -> f64 {
        let share = moment.as_secs_f64() / self.long.as_secs_f64();
        self.left + self.width * share.clamp(0.0, 1.0)
    }

    fn of(&self, at: At, start: At) -> f64 {
        self.x(at.since(start))
    }
}

/// Writes a row's phases as paths with the class `pN`, where N is the phase's index.
pub(in crate::report) fn write_row(
    axis: &Axis,
    block: &Block<'_>,
    row: &Row,
    (y, height): (f64, f64),
    out: &mut dyn Write,
) -> io::Result<()> {
    for phase in Phase::ALL {
        let mut path = Path { phase, begun: false, out: &mut *out };
        match &row.drawn {
            Drawn::Spans(spans) => {
                for span in spans.iter().filter(|span| span.phase == phase) {
                    let (from, to) = (axis.of(span.from, block.start), axis.of(span.to, block.start));
                    path.rectangle(from, y, (to - from).max(HAIR), height)?;
                }
            }
            Drawn::Shares { of, columns } => {
                let width = axis.width / (*of).max(1) as f64;
                write_shares(&mut path, axis.left, width, columns, (y, height))?;
            }
        }
        path.end()?;
    }
    Ok(())
}

/// One phase of columns that are stacked from the bottom. Neighbours of the same height become one shape.
fn write_shares(
    path: &mut Path<'_>,
    left: f64,
    width: f64,
    columns: &[[f64; Phase::ALL.len()]],
    (y, height): (f64, f64),
) -> io::Result<()> {
    // Half pixels are as fine as anybody sees.
    let steps = (height * 2.0).round();
    let band = |column: &[f64; Phase::ALL.len()]| {
        let below: f64 = column[..path.phase.index()].iter().sum();
        let upper = below + column[path.phase.index()];
        ((below * steps).round() / 2.0, (upper * steps).round() / 2.0)
    };
    let bands: Vec<(f64, f64)> = columns.iter().map(band).collect();
    let mut first = 0;
    while first < bands.len() {
        let (low, high) = bands[first];
        let same = bands[first..].iter().take_while(|band| **band == (low, high)).count();
        if high > low {
            path.rectangle(left + width * first as f64, y + height - high, width * same as f64, high - low)?;
        }
        first += same;
    }
    Ok(())
}

/// A path that is only begun once something is in it.
struct Path<'a> {
    phase: Phase,
    begun: bool,
    out: &'a mut dyn Write,
}

impl Path<'_> {
    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64) -> io::Result<()> {
        if !self.begun {
            write!(self.out, r#"<path class="p{}" d=""#, self.phase.index())?;
            self.begun = true;
        }
        let (right, height) = (Px(x + width), Px(height));
        write!(self.out, "M{} {}H{right}v{height}H{}z", Px(x), Px(y), Px(x))
    }

    fn end(self) -> io::Result<()> {
        if self.begun { write!(self.out, "\"/>") } else { Ok(()) }
    }
}

/// Writes how many tasks were in progress over time as one shape, with the class `fill`.
pub(in crate::report) fn write_strip(
    axis: &Axis,
    block: &Block<'_>,
    columns: usize,
    fill: &str,
    (y, height): (f64, f64),
    out: &mut dyn Write,
) -> io::Result<()> {
    if block.strip.is_empty() {
        return Ok(());
    }
    let width = axis.width / columns.max(1) as f64;
    let end = axis.x(block.long);
    write!(out, r#"<path class="{fill}" d="M{} {}"#, Px(axis.left), Px(y + height))?;
    let level = |share: f64| (y + height - share * height) * 10.0;
    let mut last = f64::NAN;
    for (place, share) in block.strip.iter().enumerate() {
        let level = level(*share).round() / 10.0;
        if level != last {
            write!(out, "H{}V{}", Px(axis.left + width * place as f64), Px(level))?;
            last = level;
        }
    }
    write!(out, "H{}V{}z\"/>", Px(end), Px(y + height))
}
