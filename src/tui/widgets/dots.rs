//! Measured values as dots on one scale, so that people see whether two clouds overlap.

use std::collections::BTreeMap;

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;

/// A measured value.
pub const DOT: char = '●';

/// A measured value that stands out.
pub const ODD_DOT: char = '○';

/// What marks that a stretch of the scale is left out.
const CUT: char = '╱';

/// Columns between two pieces of a scale.
const CUT_COLUMNS: u16 = 3;

/// Columns of the shortest piece: room for a tick and its time.
const LEAST_PIECE: u16 = 10;

/// The finest scale, as a ratio of neighbouring columns: what differs by a hair is to look like it.
const FINEST: f64 = 1.0005;

/// A scale of times on which each column is as many per cent longer as every other: twice as long is as far at
/// its left end as at its right. Wide stretches in which nothing was measured are left out, so that small
/// differences are seen beside large ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// In the order of time; never empty.
    pieces: Vec<Piece>,
    /// The logarithm of the ratio of neighbouring columns.
    step: f64,
}

/// A stretch of the scale.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// The logarithm of the time at its left edge.
    from: f64,
    left: u16,
    columns: u16,
}

impl Piece {
    fn to(&self, step: f64) -> f64 {
        self.from + f64::from(self.columns) * step
    }
}

impl Scale {
    /// The scale of times in seconds over the columns of `area`; none without a time or room.
    pub fn of(values: impl Iterator<Item = f64>, area: Rect) -> Option<Scale> {
        let mut logs: Vec<f64> = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::ln).collect();
        logs.sort_by(f64::total_cmp);
        if area.width < LEAST_PIECE {
            return None;
        }
        let clusters = clusters(&logs, area.width)?;
        let cuts = u16::try_from(clusters.len() - 1).unwrap_or(u16::MAX).saturating_mul(CUT_COLUMNS);
        let room = area.width.saturating_sub(cuts);
        // A column apart from each edge.
        let columns = |step: f64| -> Vec<u16> {
            let needed = clusters.iter().map(|(from, to)| ((to - from) / step).ceil() + 3.0);
            needed.map(|columns| (columns.min(60_000.0) as u16).max(LEAST_PIECE)).collect()
        };
        let fits = |step: f64| columns(step).iter().map(|&c| u32::from(c)).sum::<u32>() <= u32::from(room);
        let mut step = FINEST.ln();
        while !fits(step) {
            step *= 1.05;
        }
        let mut widths = columns(step);
        // What is left over goes to the widest piece.
        let spare = room - widths.iter().sum::<u16>();
        let widest = (0..widths.len()).max_by_key(|&piece| widths[piece])?;
        widths[widest] += spare;
        let mut left = area.x;
        let pieces = clusters.iter().zip(widths).map(|(&(from, to), columns)| {
            let middle = f64::midpoint(from, to);
            let piece = Piece { from: middle - f64::from(columns) * step / 2.0, left, columns };
            left += columns + CUT_COLUMNS;
            piece
        });
        Some(Scale { pieces: pieces.collect(), step })
    }

    /// The column of a time; the nearest for one that stands nowhere.
    pub fn column(&self, value: f64) -> u16 {
        let log = value.ln();
        let piece = self.pieces.iter().rfind(|piece| piece.from <= log).unwrap_or(&self.pieces[0]);
        let column = ((log - piece.from) / self.step).floor().clamp(0.0, f64::from(piece.columns - 1));
        piece.left + column as u16
    }

    /// The column after the last.
    #[cfg(test)]
    fn right(&self) -> u16 {
        self.pieces.last().map_or(0, |piece| piece.left + piece.columns)
    }

    fn cuts(&self) -> impl Iterator<Item = u16> {
        self.pieces.iter().skip(1).map(|piece| piece.left - CUT_COLUMNS / 2 - 1)
    }
}

/// Values, in order, that are near each other: from and to. Fewer where there is no room for so many pieces.
fn clusters(logs: &[f64], columns: u16) -> Option<Vec<(f64, f64)>> {
    let most = usize::from(columns / (LEAST_PIECE + CUT_COLUMNS)).max(1);
    let mut apart = 0.15;
    loop {
        let mut clusters: Vec<(f64, f64)> = vec![(*logs.first()?, *logs.first()?)];
        for &log in logs {
            match clusters.last_mut() {
                Some(last) if log - last.1 <= apart => last.1 = log,
                _ => clusters.push((log, log)),
            }
        }
        if clusters.len() <= most {
            return Some(clusters);
        }
        apart *= 1.5;
    }
}

/// What is drawn of one cloud.
#[derive(Debug, Clone, Copy)]
pub struct Dots<'a> {
    /// The values, and whether each stands out.
    pub values: &'a [(f64, bool)],
    /// Their median.
    pub median: Option<f64>,
    /// What the true median probably lies in.
    pub within: Option<(f64, f64)>,
}

/// How a cloud looks.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Its dots and its interval.
    pub cloud: Style,
    /// Its median.
    pub median: Style,
    /// The dots that stand out.
    pub odd: Style,
    /// What marks that a stretch is left out.
    pub faint: Style,
}

/// Paints a cloud: its values as dots that are piled up, and on the last row of `area` the median in the interval.
/// Where there is one row, the dots are on that too, and a median with dots under it is their number. A pile that is
/// higher than there is room for has the number of its dots at its top.
pub fn dots(canvas: &mut Canvas<'_>, scale: &Scale, area: Rect, cloud: Dots<'_>, looks: Looks) {
    let Looks { cloud: style, median: mark, odd, faint } = looks;
    let Some(base) = area.bottom().checked_sub(1).filter(|_| area.height > 0) else { return };
    for x in scale.cuts() {
        canvas.glyph(x, base, CUT, faint);
    }
    if let Some((low, high)) = cloud.within {
        let (low, high) = (scale.column(low), scale.column(high));
        for x in low..=high {
            canvas.glyph(x, base, '─', style);
        }
        if high > low {
            canvas.glyph(low, base, '├', style);
            canvas.glyph(high, base, '┤', style);
        }
    }
    let room = area.height.saturating_sub(1).max(1);
    let floor = if area.height > 1 { base - 1 } else { base };
    let mut piles: BTreeMap<u16, (u16, bool)> = BTreeMap::new();
    for &(value, stands_out) in cloud.values {
        let pile = piles.entry(scale.column(value)).or_default();
        *pile = (pile.0.saturating_add(1), pile.1 || stands_out);
    }
    let digit = |count: u16| char::from_digit(u32::from(count), 10).unwrap_or('+');
    for (&x, &(count, stands_out)) in &piles {
        let (glyph, style) = if stands_out { (ODD_DOT, odd) } else { (DOT, style) };
        for row in 0..count.min(room) {
            canvas.glyph(x, floor - row, glyph, style);
        }
        if count > room {
            canvas.glyph(x, floor + 1 - room, digit(count), style);
        }
    }
    if let Some(median) = cloud.median {
        let x = scale.column(median);
        let under = piles.get(&x).filter(|_| floor == base);
        canvas.glyph(x, base, under.map_or('┃', |&(count, _)| digit(count)), mark);
    }
}

/// Paints the scale's ticks and their times on one row.
pub fn scale(canvas: &mut Canvas<'_>, scale: &Scale, y: u16, line: Style, words: Style) {
    for x in scale.cuts() {
        canvas.glyph(x, y, CUT, line);
        canvas.glyph(x + 1, y, CUT, line);
    }
    for piece in &scale.pieces {
        let right = piece.left + piece.columns;
        for x in piece.left..right {
            canvas.glyph(x, y, '─', line);
        }
        let (least, most) = (piece.from.exp(), piece.to(scale.step).exp());
        let mut free = piece.left;
        let ticks = ticks(least, most, f64::from(piece.columns / 12).max(1.0));
        for (tick, label) in ticks.iter().zip(labels(&ticks)) {
            let x = scale.column(*tick);
            let width = u16::try_from(label.len()).unwrap_or(u16::MAX);
            // A label stands right of its tick, or left of it at the edge.
            let start = if x + 1 + width <= right { x + 1 } else { x.saturating_sub(width) };
            if start < free || x < free {
                continue;
            }
            canvas.glyph(x, y, '┬', line);
            canvas.text(start, y, width, &label, words);
            free = x.max(start + width - 1) + 2;
        }
    }
}

/// About so many round values between two: 1, 2 and 5 times powers of ten, or where those are too few, round
/// steps.
fn ticks(least: f64, most: f64, wanted: f64) -> Vec<f64> {
    let decade = |value: f64| 10_f64.powf(value.log10().floor());
    if most / least >= 8.0 {
        let mut ticks = Vec::new();
        let mut power = decade(least);
        while power <= most {
            ticks.extend(
                [1.0, 2.0, 5.0].map(|step| step * power).into_iter().filter(|t| (least..=most).contains(t)),
            );
            power *= 10.0;
        }
        return ticks;
    }
    // The finer step where the coarser one has no value between the two.
    let rough = (most - least) / wanted;
    let steps = [5.0, 2.0, 1.0, 0.5, 0.2, 0.1].map(|step| step * decade(rough));
    let in_steps = |step: f64| {
        let first = (least / step).ceil();
        let all = (0..60).map(move |tick| (first + f64::from(tick)) * step);
        all.take_while(|tick| *tick <= most).collect::<Vec<_>>()
    };
    steps.into_iter().map(in_steps).find(|ticks| ticks.len() as f64 >= wanted).unwrap_or_default()
}

/// Round times in their unit, all with as many decimals as the one that needs most.
fn labels(seconds: &[f64]) -> Vec<String> {
    let (unit, factor) = if seconds.iter().all(|time| *time < 1.0) { ("ms", 1e3) } else { ("s", 1.0) };
    let needed = |time: &f64| {
        let digits = format!("{:.4}", time * factor);
        let digits = digits.trim_end_matches('0');
        digits.len() - digits.find('.').map_or(digits.len(), |point| point + 1)
    };
    let decimals = seconds.iter().map(needed).max().unwrap_or(0);
    seconds.iter().map(|time| format!("{:.decimals$} {unit}", time * factor)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(area: Rect, paint: impl Fn(&mut Canvas<'_>)) -> Vec<String> {
        let mut buffer = Buffer::empty(area);
        paint(&mut Canvas::new(&mut buffer, area));
        let row = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
        buffer.content.chunks(usize::from(area.width)).map(row).collect()
    }

    fn looks() -> Looks {
        Looks { cloud: Style::new(), median: Style::new(), odd: Style::new(), faint: Style::new() }
    }

    #[test]
    fn dots_pile_up_above_the_median_and_its_interval() {
        let area = Rect::new(0, 0, 24, 3);
        let values = [(1.0, false), (1.1, false), (1.1, false), (1.1, false), (1.2, true)];
        let rows = drawn(area, |canvas| {
            let Some(scale) = Scale::of(values.iter().map(|(value, _)| *value), area) else { return };
            let cloud = Dots { values: &values, median: Some(1.1), within: Some((1.0, 1.2)) };
            dots(canvas, &scale, area, cloud, looks());
        });
        assert_eq!(
            rows,
            ["            3           ", " ●          ●         ○ ", " ├──────────┃─────────┤ "]
        );
    }

    #[test]
    fn on_one_row_the_median_hides_no_dot() {
        let area = Rect::new(0, 0, 24, 1);
        let row = |values: &[(f64, bool)], median| {
            drawn(area, |canvas| {
                let Some(scale) = Scale::of(values.iter().map(|(value, _)| *value), area) else { return };
                let cloud = Dots { values, median: Some(median), within: Some((1.0, 1.2)) };
                dots(canvas, &scale, area, cloud, looks());
            })
        };
        let three = [(1.0, false), (1.1, false), (1.2, false)];
        assert_eq!(row(&three, 1.1), [" ●──────────1─────────● "]);
        assert_eq!(row(&[(1.0, false), (1.2, false)], 1.1), [" ●──────────┃─────────● "]);
    }

    #[test]
    fn wide_stretches_without_a_dot_are_left_out() {
        let area = Rect::new(0, 0, 40, 3);
        let rows = drawn(area, |canvas| {
            let Some(times) = Scale::of([1.0, 1.05, 10.0, 10.2].into_iter(), area) else { return };
            let values = [(1.0, false), (1.05, false)];
            let cloud = Dots { values: &values, median: None, within: None };
            dots(canvas, &times, Rect { height: 2, ..area }, cloud, looks());
            scale(canvas, &times, 2, Style::new(), Style::new());
        });
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn ticks_are_round_and_labels_short() {
        let labels = |least, most| labels(&ticks(least, most, 3.0));
        assert_eq!(labels(0.6, 11.0), ["1 s", "2 s", "5 s", "10 s"]);
        assert_eq!(labels(2.01, 2.6), ["2.2 s", "2.4 s", "2.6 s"]);
        assert_eq!(labels(0.0412, 0.0498), ["42 ms", "44 ms", "46 ms", "48 ms"]);
        assert_eq!(labels(9.951, 9.968), ["9.955 s", "9.960 s", "9.965 s"]);
    }

    #[test]
    fn values_that_are_no_times_have_no_scale() {
        let area = Rect::new(0, 0, 20, 1);
        assert_eq!(Scale::of([0.0, f64::NAN, -1.0].into_iter(), area), None);
        assert_eq!(Scale::of([1.0].into_iter(), Rect::new(0, 0, 3, 1)), None);
        let hair = Scale::of([1.0, 1.0002].into_iter(), area);
        assert!(hair.is_some_and(|scale| scale.column(1.0002) - scale.column(1.0) <= 1));
    }

    proptest! {
        #[test]
        fn every_time_has_a_column_and_longer_ones_are_never_further_left(
            mut values in prop::collection::vec(prop_oneof![1e-9_f64..1e5, 0.99_f64..1.01], 1..60),
            columns in 10_u16..220,
        ) {
            let area = Rect::new(3, 0, columns, 1);
            values.sort_by(f64::total_cmp);
            let Some(scale) = Scale::of(values.iter().copied(), area) else {
                return Err(TestCaseError::fail("none"));
            };
            prop_assert!(scale.right() <= area.right());
            let columns: Vec<u16> = values.iter().map(|value| scale.column(*value)).collect();
            prop_assert!(columns.is_sorted());
            prop_assert!(columns.iter().all(|x| (area.left()..area.right()).contains(x)));
        }
    }
}
