//! Painting into a buffer: clipped, safe against foreign text, and without building anything in between.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::text;

/// A part of a buffer to paint on. Whatever falls outside is not painted.
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
}

impl<'a> Canvas<'a> {
    /// The part `area` of `buffer`.
    pub fn new(buffer: &'a mut Buffer, area: Rect) -> Canvas<'a> {
        let area = area.intersection(buffer.area);
        Canvas { buffer, area }
    }

    /// A part of this part, in the buffer's coordinates.
    pub fn part(&mut self, area: Rect) -> Canvas<'_> {
        Canvas { area: area.intersection(self.area), buffer: self.buffer }
    }

    /// Where this part is.
    pub fn area(&self) -> Rect {
        self.area
    }

    /// Paints one character; wide ones are none of this function's business.
    pub fn glyph(&mut self, x: u16, y: u16, glyph: char, style: Style) {
        if self.area.contains((x, y).into())
            && let Some(cell) = self.buffer.cell_mut((x, y))
        {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Changes the style of a rectangle and leaves its text.
    pub fn style(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.area), style);
    }

    /// Marks a cell without hiding what it shows; an empty one gets `glyph`.
    pub fn mark(&mut self, x: u16, y: u16, glyph: char, style: Style) {
        if self.area.contains((x, y).into())
            && let Some(cell) = self.buffer.cell_mut((x, y))
        {
            if matches!(cell.symbol(), " " | "·") {
                cell.set_char(glyph);
            }
            cell.set_style(style);
        }
    }

    /// Paints the rows of another buffer, from row `first` on, into a rectangle. What is there and isn't in the
    /// other buffer stays.
    pub fn copy(&mut self, area: Rect, from: &Buffer, first: u16) {
        let area = area.intersection(self.area);
        for (y, row) in
            (area.top()..area.bottom()).zip(from.area.top().saturating_add(first)..from.area.bottom())
        {
            for (x, column) in (area.left()..area.right()).zip(from.area.left()..from.area.right()) {
                if let (Some(to), Some(cell)) = (self.buffer.cell_mut((x, y)), from.cell((column, row))) {
                    *to = cell.clone();
                }
            }
        }
    }

    /// Empties a rectangle.
    pub fn clear(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// Copies rows of another buffer, from its row `first` on, into a rectangle.
    pub fn paste(&mut self, from: &Buffer, first: u16, area: Rect) {
        let visible = area.intersection(self.area);
        for (y, row) in (visible.top()..visible.bottom()).zip(first + (visible.top() - area.top())..) {
            for (x, column) in (visible.left()..visible.right()).zip(visible.left() - area.left()..) {
                if let (Some(cell), Some(other)) = (self.buffer.cell_mut((x, y)), from.cell((column, row))) {
                    cell.clone_from(other);
                }
            }
        }
    }

    /// Writes text from `x` on, cut to `columns`, and returns the column after it.
    pub fn text(&mut self, x: u16, y: u16, columns: u16, words: &str, style: Style) -> u16 {
        if y < self.area.top() || y >= self.area.bottom() || x < self.area.left() || x >= self.area.right() {
            return x;
        }
        let columns = columns.min(self.area.right() - x);
        let words = text::fit(words, usize::from(columns));
        self.buffer.set_stringn(x, y, words, usize::from(columns), style).0
    }

    /// Writes text that ends before column `right`.
    pub fn text_right(&mut self, right: u16, y: u16, columns: u16, words: &str, style: Style) {
        let words = text::fit(words, usize::from(columns));
        let width = u16::try_from(text::width(&words)).unwrap_or(u16::MAX);
        if let Some(x) = right.checked_sub(width) {
            self.text(x, y, width, &words, style);
        }
    }

    /// A horizontal line with a title in it.
    pub fn rule(&mut self, y: u16, title: &str, line: char, rule: Style, words: Style) {
        let area = self.area;
        for x in area.left()..area.right() {
            self.glyph(x, y, line, rule);
        }
        if !title.is_empty() {
            let title = format!(" {title} ");
            self.text(area.left() + 1, y, area.width.saturating_sub(2), &title, words);
        }
    }
}

/// Cuts `rows` from the top of a rectangle: the part cut off, and the rest.
pub fn cut_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}

/// Cuts `rows` from the bottom of a rectangle: the rest, and the part cut off.
pub fn cut_bottom(area: Rect, rows: u16) -> (Rect, Rect) {
    let (rest, cut) = cut_top(area, area.height.saturating_sub(rows));
    (rest, cut)
}

/// Cuts `columns` from the left of a rectangle: the part cut off, and the rest.
pub fn cut_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    (Rect { width: columns, ..area }, Rect { x: area.x + columns, width: area.width - columns, ..area })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_painted_outside() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 2));
        let mut canvas = Canvas::new(&mut buffer, Rect::new(1, 0, 3, 1));
        canvas.text(1, 0, 99, "abcdef", Style::new());
        canvas.text(0, 1, 99, "below", Style::new());
        canvas.glyph(5, 0, 'x', Style::new());
        assert_eq!(buffer, Buffer::with_lines([" ab…  ", "      "]));
    }
}
