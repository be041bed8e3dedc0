//! Measured values as dots on one scale, so that people see whether two clouds overlap.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;

/// A measured value.
pub const DOT: char = '●';

/// A measured value that stands out.
pub const ODD_DOT: char = '○';

/// A scale of times on which each column is as many per cent longer as every other: twice as long is as far at
/// its left end as at its right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    least: f64,
    most: f64,
    left: u16,
    columns: u16,
}

impl Scale {
    /// Ends of a scale that are nearer to each other than this ratio are moved apart: a hair is to look like one.
    const NARROWEST: f64 = 1.2;

    /// The scale of values, in seconds, over the columns of `area`; none without a value.
    pub fn of(values: impl Iterator<Item = f64> + Clone, area: Rect) -> Option<Scale> {
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let least = positive.clone().min_by(f64::total_cmp)?;
        let most = positive.max_by(f64::total_cmp)?;
        let apart = (Scale::NARROWEST / (most / least)).max(1.0).sqrt();
        // A little room at both ends.
        let apart = apart * (most / least).powf(0.02);
        let (least, most) = (least / apart, most * apart);
        (area.width > 0 && most.is_finite() && least > 0.0)
            .then_some(Scale { least, most, left: area.x, columns: area.width })
    }

    /// The column of a value; the outermost for one beyond the ends.
    pub fn column(&self, value: f64) -> u16 {
        let share = (value / self.least).ln() / (self.most / self.least).ln();
        let column = (share * f64::from(self.columns)).floor().clamp(0.0, f64::from(self.columns - 1));
        self.left + column as u16
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

/// Paints a cloud: its values as dots that are piled up, and on the last row of `area` the median in the interval.
/// Where there is one row, the dots are on that too, beside the median. A pile that is higher than there is room for
/// has the number of its dots at its top.
pub fn dots(canvas: &mut Canvas<'_>, scale: &Scale, area: Rect, cloud: Dots<'_>, style: Style, mark: Style, odd: Style) {
    let Some(base) = area.bottom().checked_sub(1).filter(|_| area.height > 0) else { return };
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
    let mut piles = vec![(0_u16, false); usize::from(scale.columns)];
    for &(value, stands_out) in cloud.values {
        if let Some(pile) = piles.get_mut(usize::from(scale.column(value) - scale.left)) {
            *pile = (pile.0.saturating_add(1), pile.1 || stands_out);
        }
    }
    for ((count, stands_out), x) in piles.into_iter().zip(scale.left..) {
        let (glyph, style) = if stands_out { (ODD_DOT, odd) } else { (DOT, style) };
        for row in 0..count.min(room) {
            canvas.glyph(x, floor - row, glyph, style);
        }
        if count > room {
            let number = char::from_digit(u32::from(count), 10).unwrap_or('+');
            canvas.glyph(x, floor + 1 - room, number, style);
        }
    }
    if let Some(median) = cloud.median {
        canvas.glyph(scale.column(median), base, '┃', mark);
    }
}

/// Paints the scale's ticks and their times on one row.
pub fn scale(canvas: &mut Canvas<'_>, scale: &Scale, y: u16, line: Style, words: Style) {
    let right = scale.left + scale.columns;
    for x in scale.left..right {
        canvas.glyph(x, y, '─', line);
    }
    let mut free = scale.left;
    for tick in ticks(scale.least, scale.most) {
        let (x, label) = (scale.column(tick), label(tick));
        let width = u16::try_from(label.len()).unwrap_or(u16::MAX);
        if x < free || x.saturating_add(1 + width) > right {
            continue;
        }
        canvas.glyph(x, y, '┬', line);
        canvas.text(x + 1, y, width, &label, words);
        free = x + width + 2;
    }
}

/// Round values between two: 1, 2 and 5 times powers of ten, or where those are too few, round steps.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let decade = |value: f64| 10_f64.powf(value.log10().floor());
    if most / least >= 8.0 {
        let mut ticks = Vec::new();
        let mut power = decade(least);
        while power <= most {
            ticks.extend([1.0, 2.0, 5.0].map(|step| step * power).into_iter().filter(|t| (least..=most).contains(t)));
            power *= 10.0;
        }
        return ticks;
    }
    let rough = (most - least) / 5.0;
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade(rough)).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let first = (least / step).ceil();
    (0..10).map(|tick| (first + f64::from(tick)) * step).take_while(|tick| *tick <= most).collect()
}

/// A round time in its unit, without zeros at its end.
fn label(seconds: f64) -> String {
    let trimmed = |number: f64, unit: &str| {
        let digits = format!("{number:.3}");
        format!("{} {unit}", digits.trim_end_matches('0').trim_end_matches('.'))
    };
    if seconds < 0.1 { trimmed(seconds * 1e3, "ms") } else { trimmed(seconds, "s") }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(area: Rect, paint: impl Fn(&mut Canvas<'_>)) -> Vec<String> {
        let mut buffer = Buffer::empty(area);
        paint(&mut Canvas::new(&mut buffer, area));
        let row = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
        buffer.content.chunks(usize::from(area.width)).map(row).collect()
    }

    #[test]
    fn dots_pile_up_above_the_median_and_its_interval() {
        let area = Rect::new(0, 0, 20, 3);
        let values = [(1.0, false), (2.0, false), (2.0, false), (2.01, false), (4.0, true)];
        let rows = drawn(area, |canvas| {
            let Some(scale) = Scale::of(values.iter().map(|(value, _)| *value), area) else { return };
            let cloud = Dots { values: &values, median: Some(2.0), within: Some((1.0, 4.0)) };
            dots(canvas, &scale, area, cloud, Style::new(), Style::new(), Style::new());
        });
        assert_eq!(rows, ["          3         ", "●         ●        ○", "├─────────┃────────┤"]);
    }

    #[test]
    fn ticks_are_round_and_labels_short() {
        let labels = |least, most| ticks(least, most).into_iter().map(label).collect::<Vec<_>>();
        assert_eq!(labels(0.6, 11.0), ["1 s", "2 s", "5 s", "10 s"]);
        assert_eq!(labels(2.01, 2.6), ["2.2 s", "2.4 s", "2.6 s"].map(String::from)[..labels(2.01, 2.6).len()]);
        assert_eq!(labels(0.0412, 0.0498), ["42 ms", "44 ms", "46 ms", "48 ms"]);
    }

    #[test]
    fn values_that_are_no_times_have_no_scale() {
        let area = Rect::new(0, 0, 20, 1);
        assert_eq!(Scale::of([0.0, f64::NAN, -1.0].into_iter(), area), None);
        let hair = Scale::of([1.0, 1.001].into_iter(), area);
        assert!(hair.is_some_and(|scale| scale.column(1.001) - scale.column(1.0) <= 1));
    }
}
