//! Painting into a buffer: clipped, safe against foreign text, and without building anything in between.

use std::borrow::Cow;

use ratatui::buffer::{Buffer, Cell};
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

    /// Empties a rectangle.
    pub fn clear(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.area);
        let mut empty = Cell::default();
        empty.set_style(style);
        for y in area.top()..area.bottom() {
            row(self.buffer, area, y).fill(empty.clone());
        }
    }

    /// Copies rows of another buffer, from its row `first` on, into a rectangle. What is there and isn't in the other
    /// buffer stays.
    pub fn paste(&mut self, from: &Buffer, first: u16, area: Rect) {
        let visible = area.intersection(self.area);
        let (left, top) = (visible.x.saturating_sub(area.x), visible.y.saturating_sub(area.y));
        let width = visible.width.min(from.area.width.saturating_sub(left));
        let visible = Rect { width, ..visible };
        let (skipped, all) = (usize::from(first) + usize::from(top), usize::from(from.area.width).max(1));
        let rows = from.content.chunks_exact(all).skip(skipped);
        for (y, cells) in (visible.top()..visible.bottom()).zip(rows) {
            let cells = cells.iter().skip(left.into());
            row(self.buffer, visible, y).iter_mut().zip(cells).for_each(|(to, cell)| to.clone_from(cell));
        }
    }

    /// Writes text from `x` on, cut to `columns`, and returns the column after it.
    pub fn text(&mut self, x: u16, y: u16, columns: u16, words: &str, style: Style) -> u16 {
        if y < self.area.top() || y >= self.area.bottom() || x < self.area.left() || x >= self.area.right() {
            return x;
        }
        let columns = columns.min(self.area.right() - x);
        if is_plain(words) {
            return self.plain_text(Rect { x, y, width: columns, height: 1 }, words, style);
        }
        let words = text::fit(words, usize::from(columns));
        self.buffer.set_stringn(x, y, words, usize::from(columns), style).0
    }

    /// Writes lines below each other; where not all have room, the last that has ends with an ellipsis.
    pub fn lines(&mut self, area: Rect, lines: &[String], style: Style) {
        for (index, (line, y)) in lines.iter().zip(area.top()..area.bottom()).enumerate() {
            let is_cut = index + 1 == usize::from(area.height) && index + 1 < lines.len();
            let line = match is_cut {
                true => Cow::Owned(format!("{line} …")),
                false => Cow::Borrowed(line.as_str()),
            };
            self.text(area.x, y, area.width, &line, style);
        }
    }

    /// Writes characters of a column each, as [`text::fit`] would cut them, and returns the column after them.
    fn plain_text(&mut self, area: Rect, words: &str, style: Style) -> u16 {
        let columns = usize::from(area.width);
        let (kept, cut) = match words.len().checked_sub(columns) {
            None | Some(0) => (words.len(), None),
            Some(_) => (columns.saturating_sub(1), Some('…')),
        };
        let glyphs = words.chars().take(kept).chain(cut);
        for (cell, glyph) in row(self.buffer, area, area.y).iter_mut().zip(glyphs) {
            cell.set_char(glyph).set_style(style);
        }
        area.x + area.width.min(u16::try_from(words.len()).unwrap_or(u16::MAX))
    }

    /// Writes text that ends before column `right`.
    pub fn text_right(&mut self, right: u16, y: u16, columns: u16, words: &str, style: Style) {
        let words = match is_plain(words) {
            true => Cow::Borrowed(words),
            false => Cow::Owned(text::fit(words, usize::from(columns))),
        };
        let width = u16::try_from(text::width(&words)).unwrap_or(u16::MAX).min(columns);
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

/// The cells of a row of a rectangle that lies in a buffer.
fn row(buffer: &mut Buffer, area: Rect, y: u16) -> &mut [Cell] {
    if area.is_empty() {
        return &mut [];
    }
    let first = buffer.index_of(area.x, y);
    &mut buffer.content[first..first + usize::from(area.width)]
}

/// Whether each byte of a text is a character that takes a column and does nothing else: most are, and cost less.
fn is_plain(words: &str) -> bool {
    words.bytes().all(|byte| matches!(byte, b' '..=b'~'))
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

    #[test]
    fn lines_without_room_leave_a_mark() {
        let said = ["one two", "three"].map(str::to_owned);
        let painted = |height: u16| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 2));
            let area = Rect { height, ..buffer.area };
            Canvas::new(&mut buffer, area).lines(area, &said, Style::new());
            buffer
        };
        assert_eq!(painted(2), Buffer::with_lines(["one two  ", "three    "]));
        assert_eq!(painted(1), Buffer::with_lines(["one two …", "         "]));
    }

    #[test]
    fn plain_text_is_cut_as_any_text() {
        for columns in 0..6 {
            let painted = |words: &str| {
                let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
                let area = buffer.area;
                let mut canvas = Canvas::new(&mut buffer, area);
                let end = canvas.text(1, 0, columns, words, Style::new());
                canvas.text_right(7, 1, columns, words, Style::new());
                (end, buffer)
            };
            let (plain, mut other) = (painted("abcd"), painted("äbcd"));
            for cell in other.1.content.iter_mut().filter(|cell| cell.symbol() == "ä") {
                cell.set_symbol("a");
            }
            assert_eq!(plain, other, "{columns}");
        }
    }

    #[test]
    fn another_buffer_is_pasted_where_it_can_be_seen() {
        let page = Buffer::with_lines(["abc", "def", "ghi"]);
        let mut buffer = Buffer::with_lines(["......", "......", "......"]);
        let mut canvas = Canvas::new(&mut buffer, Rect::new(1, 1, 4, 2));
        canvas.paste(&page, 1, Rect::new(0, 0, 5, 9));
        assert_eq!(buffer, Buffer::with_lines(["......", ".hi...", "......"]));
    }
}
