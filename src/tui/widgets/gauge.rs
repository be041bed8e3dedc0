//! A speedup as a bar, with the ideal marked, and the processors where they are fewer.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;

use super::bar::{Weight, bar};

/// What a gauge shows.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    /// The speedup.
    pub value: f64,
    /// What it lies in, where it is a median.
    pub within: Option<(f64, f64)>,
    /// What it could be at best.
    pub ideal: f64,
    /// How many processors there are, where they can't but stay below the ideal.
    pub processors: Option<u32>,
    /// What the right edge stands for. An ideal beyond it is pointed to.
    pub most: f64,
}

/// Marks the processors on a gauge.
pub const PROCESSORS: char = '┃';

/// Points to an ideal that lies beyond the right edge.
pub const BEYOND: char = '▸';

/// Paints a gauge on the first row of `area`: full to its value, a track from there to the ideal, and marks at
/// the processors and the ideal.
pub fn gauge(canvas: &mut Canvas<'_>, area: Rect, gauge: Gauge, filled: Style, track: Style, mark: Style) {
    let Some(columns) = area.width.checked_sub(1).filter(|&columns| columns > 0) else { return };
    let place = |value: f64| (value / gauge.most.max(1.0)).clamp(0.0, 1.0) * f64::from(columns);
    // Both to the nearest column: what is as good as ideal reaches the mark.
    let (to_ideal, to_value) = (place(gauge.ideal).round(), place(gauge.value).round());
    let whole = Rect { width: columns, ..area };
    // Half a column more keeps the division from costing a whole one.
    bar(canvas, whole, (to_value + 0.5) / f64::from(columns), Weight::Block, filled, track);
    let to_ideal = to_ideal as u16;
    let beyond = to_ideal.max(to_value as u16);
    for column in beyond..columns {
        canvas.glyph(area.x + column, area.y, ' ', track);
    }
    if let Some(processors) = gauge.processors {
        let to_processors = place(f64::from(processors)).round() as u16;
        canvas.glyph(area.x + to_processors, area.y, PROCESSORS, mark);
    }
    let ideal = if gauge.ideal > gauge.most { BEYOND } else { '◆' };
    canvas.glyph(area.x + to_ideal, area.y, ideal, mark);
    if let Some((low, high)) = gauge.within {
        let (low, high) = (place(low), place(high));
        // An interval that one cell has room for is told in words alone.
        if high - low >= 1.0 {
            canvas.glyph(area.x + low.floor() as u16, area.y, '[', mark);
            canvas.glyph(area.x + high.floor() as u16, area.y, ']', mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(value: f64, ideal: f64, most: f64) -> String {
        painted(Gauge { value, within: None, ideal, processors: None, most })
    }

    fn within(value: f64, within: Option<(f64, f64)>, ideal: f64, most: f64) -> String {
        painted(Gauge { value, within, ideal, processors: None, most })
    }

    fn painted(shown: Gauge) -> String {
        let area = Rect::new(0, 0, 21, 1);
        let mut buffer = Buffer::empty(area);
        let style = Style::new();
        gauge(&mut Canvas::new(&mut buffer, area), area, shown, style, style, style);
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn the_ideal_is_marked_and_what_is_missing_is_seen() {
        assert_eq!(drawn(4.5, 5.0, 5.0), "▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆──◆");
        assert_eq!(drawn(1.0, 2.0, 10.0), "▆▆──◆                ");
        assert_eq!(drawn(2.5, 2.0, 10.0), "▆▆▆▆◆                ");
        assert_eq!(drawn(1.0, 1.0, 12.0), "▆▆◆                  ");
    }

    #[test]
    fn an_ideal_beyond_the_scale_is_pointed_to() {
        assert_eq!(drawn(1.0, 20.0, 4.0), "▆▆▆▆▆───────────────▸");
    }

    #[test]
    fn the_processors_are_marked_on_the_bar_and_beyond_it() {
        let drawn =
            |value| painted(Gauge { value, within: None, ideal: 5.0, processors: Some(2), most: 5.0 });
        assert_eq!(drawn(1.0), "▆▆▆▆────┃───────────◆");
        assert_eq!(drawn(1.95), "▆▆▆▆▆▆▆▆┃───────────◆");
        assert_eq!(drawn(3.0), "▆▆▆▆▆▆▆▆┃▆▆▆────────◆");
    }

    #[test]
    fn the_interval_of_a_median_is_marked_where_it_can_be_seen() {
        assert_eq!(within(3.0, Some((2.5, 3.9)), 5.0, 5.0), "▆▆▆▆▆▆▆▆▆▆[▆───]────◆");
        assert_eq!(within(3.0, Some((2.98, 3.02)), 5.0, 5.0), "▆▆▆▆▆▆▆▆▆▆▆▆────────◆");
    }
}
