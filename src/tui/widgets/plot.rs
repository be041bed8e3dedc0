//! Curves in dots of braille, two across and four down in each cell.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::canvas::Canvas;

/// How a curve is dashed: curves are told apart without their colours, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// Without a gap.
    Solid,
    /// Long strokes with short gaps.
    Long,
    /// Strokes as long as the gaps.
    Short,
    /// Single dots.
    Dots,
}

impl Dash {
    /// Whether the dot at that place along the curve is drawn.
    fn draws(self, place: u32) -> bool {
        match self {
            Dash::Solid => true,
            Dash::Long => place % 8 < 5,
            Dash::Short => place % 4 < 2,
            Dash::Dots => place.is_multiple_of(4),
        }
    }
}

/// Dots across and down in a cell.
const ACROSS: u16 = 2;
const DOWN: u16 = 4;

/// The bit of each dot, by row and column (Unicode, "Braille Patterns").
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// An area over which curves are drawn, both of whose axes begin at zero.
pub struct Plot {
    area: Rect,
    most: (f64, f64),
    cells: Vec<(u8, Style)>,
}

impl Plot {
    /// An empty plot whose right and upper edges are at `most`.
    pub fn new(area: Rect, most: (f64, f64)) -> Plot {
        let cells = usize::from(area.width) * usize::from(area.height);
        Plot { area, most, cells: vec![(0, Style::new()); cells] }
    }

    /// The cell of a point, for one on the lower edge that of the last row; none outside the plot.
    pub fn cell(&self, x: f64, y: f64) -> Option<(u16, u16)> {
        let (column, row) = self.dot(x, y)?;
        let rows = self.area.height * DOWN;
        let row = u16::try_from(row).ok().filter(|row| *row <= rows && rows > 0)?.min(rows - 1);
        (column < self.area.width * ACROSS)
            .then_some((self.area.x + column / ACROSS, self.area.y + row / DOWN))
    }

    /// The dot of a point: its column, and its row, which may be outside the plot. The lower edge is the row below
    /// the last, where the axis stands: so rows are as far apart as speedups are.
    fn dot(&self, x: f64, y: f64) -> Option<(u16, i32)> {
        let (columns, rows) = (f64::from(self.area.width * ACROSS) - 1.0, f64::from(self.area.height * DOWN));
        let (column, row) = (x / self.most.0 * columns, (1.0 - y / self.most.1) * rows);
        let sound = column.is_finite() && row.is_finite() && (-0.5..=columns + 0.5).contains(&column);
        sound.then(|| (column.round() as u16, row.round().clamp(-1e6, 1e6) as i32))
    }

    /// How far apart two columns of dots are, along the lower axis.
    pub fn pitch(&self) -> f64 {
        self.most.0 / f64::from((self.area.width * ACROSS).saturating_sub(1).max(1))
    }

    /// Draws a curve from `from` to the right edge; later curves lie over earlier ones.
    pub fn curve(&mut self, law: &dyn Fn(f64) -> f64, from: f64, dash: Dash, style: Style) {
        let columns = self.area.width * ACROSS;
        let (mut before, mut place) = (None, 0);
        for column in 0..columns {
            let x = self.pitch() * f64::from(column);
            let Some((_, row)) = (x >= from).then(|| self.dot(x, law(x))).flatten() else { continue };
            // What is outside counts as one dot beyond the edge: a curve that leaves is drawn up to there.
            let row = row.clamp(-1, i32::from(self.area.height * DOWN));
            let start = match before {
                Some(last) if last < row => last + 1,
                Some(last) if last > row => last - 1,
                _ => row,
            };
            let rows: Vec<i32> =
                if start <= row { (start..=row).collect() } else { (row..=start).rev().collect() };
            for row in rows {
                if dash.draws(place) {
                    self.set(column, row, style);
                }
                place += 1;
            }
            before = Some(row);
        }
    }

    fn set(&mut self, column: u16, row: i32, style: Style) {
        let Some(row) = u16::try_from(row).ok().filter(|row| *row < self.area.height * DOWN) else { return };
        let cell = usize::from(row / DOWN) * usize::from(self.area.width) + usize::from(column / ACROSS);
        if let Some((bits, look)) = self.cells.get_mut(cell) {
            *bits |= BITS[usize::from(row % DOWN)][usize::from(column % ACROSS)];
            *look = style;
        }
    }

    /// Paints what was drawn.
    pub fn paint(&self, canvas: &mut Canvas<'_>) {
        let places = (self.area.top()..self.area.bottom())
            .flat_map(|y| (self.area.left()..self.area.right()).map(move |x| (x, y)));
        for ((x, y), &(bits, style)) in places.zip(&self.cells) {
            if bits != 0 {
                canvas.glyph(x, y, braille(bits), style);
            }
        }
    }
}

/// Paints a sample of a curve for the legend, so many columns long.
pub fn curve_sample(canvas: &mut Canvas<'_>, (x, y): (u16, u16), columns: u16, dash: Dash, style: Style) {
    for column in 0..columns {
        let bit = |side: u16| {
            let drawn = dash.draws(u32::from(column * ACROSS + side));
            if drawn { BITS[1][usize::from(side)] } else { 0 }
        };
        let bits = bit(0) | bit(1);
        if bits != 0 {
            canvas.glyph(x + column, y, braille(bits), style);
        }
    }
}

fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or('·')
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn drawn(columns: u16, rows: u16, dash: Dash, law: &dyn Fn(f64) -> f64) -> Vec<String> {
        let area = Rect::new(0, 0, columns, rows);
        let mut buffer = Buffer::empty(area);
        let mut plot = Plot::new(area, (8.0, 8.0));
        plot.curve(law, 0.0, dash, Style::new());
        plot.paint(&mut Canvas::new(&mut buffer, area));
        let lines = buffer.content.chunks(usize::from(columns));
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    #[test]
    fn a_diagonal_goes_from_corner_to_corner() {
        assert_eq!(drawn(4, 2, Dash::Solid, &|x| x), ["  ⡠⠊", "⢀⠔⠁ "]);
    }

    #[test]
    fn what_leaves_the_plot_is_cut_off() {
        assert!(drawn(4, 2, Dash::Solid, &|_| 99.0).concat().trim().is_empty());
        assert!(drawn(4, 2, Dash::Solid, &|_| -1.0).concat().trim().is_empty());
        assert!(drawn(4, 2, Dash::Solid, &|_| f64::NAN).concat().trim().is_empty());
        assert!(!drawn(4, 2, Dash::Solid, &|x| x * 3.0).concat().trim().is_empty());
    }

    #[test]
    fn dashes_differ_without_their_colours() {
        let all = [Dash::Solid, Dash::Long, Dash::Short, Dash::Dots].map(|dash| drawn(8, 1, dash, &|_| 4.0));
        assert!(all.iter().enumerate().all(|(i, one)| !all[..i].contains(one)));
    }

    #[test]
    fn a_point_stands_in_its_cell() {
        let plot = Plot::new(Rect::new(10, 5, 20, 6), (32.0, 4.0));
        assert_eq!(plot.cell(0.0, 0.0), Some((10, 10)));
        assert_eq!(plot.cell(32.0, 4.0), Some((29, 5)));
        assert_eq!([plot.cell(33.0, 1.0), plot.cell(1.0, 5.0), plot.cell(f64::NAN, 1.0)], [None; 3]);
    }
}
