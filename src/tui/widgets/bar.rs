//! Progress bars.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;
use crate::tui::theme::LOST;

/// How heavy a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A line: many of them stand below each other.
    Line,
    /// A block that leaves a gap to the row above it.
    Block,
}

/// A bar on the first row of `area`, full to `fraction`. It is never drawn full before the end, and never
/// empty once there is something; its track stays visible, so that an empty bar is seen to be one.
pub fn bar(canvas: &mut Canvas<'_>, area: Rect, fraction: f64, weight: Weight, filled: Style, track: Style) {
    let fraction = fraction.clamp(0.0, 1.0);
    let (whole, half, steps) = match weight {
        Weight::Line => ('━', '╸', 2),
        Weight::Block => ('▆', '▆', 1),
    };
    let all = u32::from(area.width) * steps;
    let least = u32::from(fraction > 0.0).min(all);
    let full = ((fraction * f64::from(all)).floor() as u32).max(least);
    for column in 0..area.width {
        let (glyph, style) = match full.saturating_sub(u32::from(column) * steps) {
            0 => ('─', track),
            left if left < steps => (half, filled),
            _ => (whole, filled),
        };
        canvas.glyph(area.x + column, area.y, glyph, style);
    }
}

/// A bar of which a part is lost, as shares of the whole width: what is there, what is lost after it. Where
/// both are something, both are seen.
pub fn bar_with_loss(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (kept, lost): (f64, f64),
    filled: Style,
    missing: Style,
    track: Style,
) {
    let fraction = (kept + lost).clamp(0.0, 1.0);
    bar(canvas, area, fraction, Weight::Block, filled, track);
    if lost > 0.0 {
        let full = ((fraction * f64::from(area.width)).floor() as u16).max(1).min(area.width);
        let most = if kept > 0.0 { full.saturating_sub(1).max(1) } else { full };
        let columns = ((lost / (kept + lost) * f64::from(full)).round() as u16).max(1).min(most);
        for x in area.x + full.saturating_sub(columns)..area.x + full {
            canvas.glyph(x, area.y, LOST, missing);
        }
    }
}

/// The track of a bar whose end nobody knows: hatched, and never full.
pub fn unknown_bar(canvas: &mut Canvas<'_>, area: Rect, style: Style) {
    for x in area.left()..area.right() {
        canvas.glyph(x, area.y, '╱', style);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(fraction: f64) -> String {
        let area = Rect::new(0, 0, 4, 1);
        let mut buffer = Buffer::empty(area);
        bar(&mut Canvas::new(&mut buffer, area), area, fraction, Weight::Line, Style::new(), Style::new());
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(drawn(0.0), "────");
        assert_eq!(drawn(0.001), "╸───");
        assert_eq!(drawn(0.5), "━━──");
        assert_eq!(drawn(0.65), "━━╸─");
        assert_eq!(drawn(0.999), "━━━╸");
        assert_eq!(drawn(1.0), "━━━━");
        assert_eq!(drawn(f64::NAN), "────");
    }

    #[test]
    fn a_loss_is_never_too_small_to_be_seen() {
        let drawn = |kept, lost| {
            let area = Rect::new(0, 0, 8, 1);
            let mut buffer = Buffer::empty(area);
            let style = Style::new();
            bar_with_loss(&mut Canvas::new(&mut buffer, area), area, (kept, lost), style, style, style);
            buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect::<String>()
        };
        assert_eq!(drawn(1.0, 0.0), "▆▆▆▆▆▆▆▆");
        assert_eq!(drawn(0.999, 0.001), "▆▆▆▆▆▆▆◇");
        assert_eq!(drawn(0.5, 0.25), "▆▆▆▆◇◇──");
        assert_eq!(drawn(0.001, 0.999), "▆◇◇◇◇◇◇◇");
        assert_eq!(drawn(0.01, 0.01), "◇───────");
        assert_eq!(drawn(0.0, 0.0), "────────");
    }
}
