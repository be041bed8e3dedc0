//! Progress bars.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;

/// The left part of a cell, in eighths.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar on the first row of `area`, full to `fraction` in eighths of a cell. Its track stays visible, so
/// that an empty bar is seen to be one.
pub fn bar(canvas: &mut Canvas<'_>, area: Rect, fraction: f64, filled: Style, track: Style) {
    let eighths = (fraction.clamp(0.0, 1.0) * f64::from(area.width) * 8.0).floor() as u32;
    for column in 0..area.width {
        let x = area.x + column;
        let (glyph, style) = match eighths.saturating_sub(u32::from(column) * 8) {
            8.. => ('█', filled),
            0 => ('─', track),
            part => (EIGHTHS[part as usize - 1], filled),
        };
        canvas.glyph(x, area.y, glyph, style);
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
        bar(&mut Canvas::new(&mut buffer, area), area, fraction, Style::new(), Style::new());
        buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(drawn(0.0), "────");
        assert_eq!(drawn(0.5), "██──");
        assert_eq!(drawn(0.6), "██▍─");
        assert_eq!(drawn(0.999), "███▉");
        assert_eq!(drawn(1.0), "████");
        assert_eq!(drawn(f64::NAN), "────");
    }
}
