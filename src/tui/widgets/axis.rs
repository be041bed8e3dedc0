//! The axis of time that lanes share.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::event::At;
use crate::tui::canvas::Canvas;

/// A stretch of time that is shown, counted from a run's own start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The moment at the left edge.
    pub from: Duration,
    /// How long the stretch is; never zero.
    pub long: Duration,
}

impl Window {
    /// From the start until `until`, and at least a millisecond.
    pub fn until(until: Duration) -> Window {
        Window { from: Duration::ZERO, long: until.max(Duration::from_millis(1)) }
    }

    /// From the start until the next round time after `elapsed`: a window that seldom changes while a run
    /// goes on, and is never much longer than it.
    pub fn round(elapsed: Duration) -> Window {
        const TENTHS: [u32; 8] = [10, 12, 15, 20, 30, 40, 60, 80];
        let mut decade = Duration::from_millis(10);
        while decade * 10 < elapsed && decade < Duration::from_secs(1_000_000) {
            decade *= 10;
        }
        let steps = TENTHS.iter().map(|tenths| decade * *tenths / 10).chain([decade * 10]);
        Window::until(steps.into_iter().find(|step| *step >= elapsed).unwrap_or(elapsed))
    }

    /// The moment at the right edge.
    pub fn to(&self) -> Duration {
        self.from + self.long
    }
}

/// A window laid over the columns of a rectangle.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    window: Window,
    left: u16,
    columns: u16,
}

impl Axis {
    /// The window over the columns of `area`.
    pub fn new(window: Window, area: Rect) -> Axis {
        Axis { window, left: area.x, columns: area.width }
    }

    /// The columns.
    pub fn columns(&self) -> std::ops::Range<u16> {
        self.left..self.left + self.columns
    }

    /// The moment at the left edge of a column, from the run's start.
    pub fn moment(&self, column: u16) -> Duration {
        let share = f64::from(column.saturating_sub(self.left)) / f64::from(self.columns.max(1));
        self.window.from + Duration::from_nanos((self.window.long.as_nanos() as f64 * share).round() as u64)
    }

    /// The stretch of time that a column stands for, in a run that started at `start`.
    pub fn cell(&self, column: u16, start: At) -> (At, At) {
        (start.plus(self.moment(column)), start.plus(self.moment(column + 1)))
    }

    /// The moments at the edges of all columns, in a run that started at `start`: one more than there are columns.
    pub fn edges(&self, start: At) -> impl Iterator<Item = At> {
        (0..=self.columns).map(move |column| start.plus(self.moment(self.left + column)))
    }

    /// The column in which a moment falls; none outside the window.
    pub fn column(&self, moment: Duration) -> Option<u16> {
        let after = moment.checked_sub(self.window.from)?;
        let share = after.as_secs_f64() / self.window.long.as_secs_f64();
        let column = (share * f64::from(self.columns)).floor();
        (column < f64::from(self.columns)).then_some(self.left + column as u16)
    }

    /// The window.
    pub fn window(&self) -> Window {
        self.window
    }
}

/// Paints the axis' ticks and their seconds on one row.
pub fn axis(canvas: &mut Canvas<'_>, axis: &Axis, y: u16, line: Style, words: Style) {
    for x in axis.columns() {
        canvas.glyph(x, y, '─', line);
    }
    let step = tick_step(axis.window.long, axis.columns);
    let first = axis.window.from.as_nanos().div_ceil(step.as_nanos());
    let mut free = axis.left;
    for tick in first.. {
        let nanos = step.as_nanos().saturating_mul(tick);
        let moment = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let Some(x) = axis.column(moment) else { break };
        let label = label(moment, step);
        let width = u16::try_from(label.len()).unwrap_or(u16::MAX);
        if x < free {
            continue;
        }
        canvas.glyph(x, y, '┬', line);
        if x + 1 + width <= axis.left + axis.columns {
            canvas.text(x + 1, y, width, &label, words);
            free = x + width + 2;
        }
    }
}

/// The time between two ticks: 1, 2 or 5 times a power of ten, and wide enough for its label.
fn tick_step(long: Duration, columns: u16) -> Duration {
    let most = u32::from(columns / 8).max(1);
    let mut step = Duration::from_micros(1);
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if step * most >= long {
            break;
        }
        step = step.mul_f64(factor);
    }
    step
}

/// The moment in the unit that its step needs.
fn label(moment: Duration, step: Duration) -> String {
    let seconds = moment.as_secs_f64();
    if step >= Duration::from_secs(1) {
        format!("{seconds:.0} s")
    } else if step >= Duration::from_millis(100) {
        format!("{seconds:.1} s")
    } else if step >= Duration::from_millis(1) {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{:.2} ms", seconds * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(window: Window, columns: u16) -> String {
        let area = Rect::new(0, 0, columns, 1);
        let mut buffer = Buffer::empty(area);
        axis(&mut Canvas::new(&mut buffer, area), &Axis::new(window, area), 0, Style::new(), Style::new());
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(
            drawn(Window::until(Duration::from_secs(10)), 40),
            "┬0 s────┬2 s────┬4 s────┬6 s────┬8 s────"
        );
        let late = Window { from: Duration::from_millis(150), long: Duration::from_millis(30) };
        assert_eq!(drawn(late, 30), "┬150 ms───┬160 ms───┬170 ms───");
    }

    #[test]
    fn a_round_window_holds_what_elapsed() {
        let cases =
            [(0, 10), (90, 100), (101, 120), (350, 400), (900, 1000), (9_980, 10_000), (10_100, 12_000)];
        for (elapsed, long) in cases {
            let window = Window::round(Duration::from_millis(elapsed));
            assert_eq!(window.long, Duration::from_millis(long), "{elapsed}");
        }
    }

    #[test]
    fn columns_and_moments_agree() {
        let axis = Axis::new(Window::until(Duration::from_secs(7)), Rect::new(5, 0, 61, 1));
        for column in axis.columns() {
            let (from, to) = (axis.moment(column), axis.moment(column + 1));
            assert_eq!(axis.column((from + to) / 2), Some(column));
        }
        assert_eq!(axis.column(Duration::from_secs(7)), None);
    }
}
