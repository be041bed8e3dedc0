//! A frame as an SVG picture: one grid of cells whatever the reader's font, and the dashboard's own colours.
//!
//! Text is text, stretched to its cells, so that it can be read out, found and copied. What has to meet the next
//! cell (blocks, shades, lines) is drawn as shapes, for fonts disagree about where it ends.

mod shapes;

use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

use crate::text::shown;

use super::theme::{Theme, hex, rgb_of};
use shapes::{HIGH, Shape, WIDE, shape};

/// Around the cells, in pixels.
const MARGIN: u32 = 14;

/// The type's size, and how far below a cell's top its letters stand, in pixels.
const TYPE: u32 = 15;
const BASELINE: u32 = 14;

const FONTS: &str = "ui-monospace,'SF Mono','Cascadia Mono','JetBrains Mono',Menlo,Consolas,'DejaVu Sans Mono',\
                     'Liberation Mono','Noto Sans Mono',monospace";

/// Text and ground where the theme leaves them to the terminal.
const PLAIN: [[u8; 3]; 2] = [[0xd7, 0xdd, 0xe4], [0x10, 0x14, 0x18]];

/// Writes a frame as an SVG document with that title. Colours that are the terminal's own are those of `theme`'s
/// ground. Writes through a buffer and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn picture(frame: &Buffer, theme: &Theme, title: &str, out: &mut dyn Write) -> io::Result<()> {
    let [text, ground] = [theme.base.fg, theme.base.bg].map(|color| color.and_then(rgb_of));
    let plain = [text.unwrap_or(PLAIN[0]), ground.unwrap_or(PLAIN[1])];
    let (columns, rows) = (u32::from(frame.area.width), u32::from(frame.area.height));
    let (width, height) = (columns * WIDE + 2 * MARGIN, rows * HIGH + 2 * MARGIN);
    let [text, ground] = plain.map(hex);
    let mut out = io::BufWriter::with_capacity(64 * 1024, out);
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" xml:space=\"preserve\">\n\
         <title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{ground}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" fill=\"{text}\" font-family=\"{FONTS}\" \
         font-size=\"{TYPE}\">\n",
        escaped(title)
    )?;
    let cells: Vec<Vec<Look<'_>>> = frame
        .content
        .chunks(usize::from(frame.area.width).max(1))
        .map(|row| row.iter().map(|cell| Look::of(cell, plain)).collect())
        .collect();
    // Neighbours share an edge, which a smooth one would let the ground shine through.
    writeln!(out, "<g shape-rendering=\"crispEdges\">")?;
    for (y, row) in cells.iter().enumerate() {
        grounds(row, y as u32 * HIGH, plain, &mut out)?;
    }
    writeln!(out, "</g>")?;
    for (y, row) in cells.iter().enumerate() {
        foregrounds(row, y as u32 * HIGH, plain, &mut out)?;
    }
    write!(out, "</g>\n</svg>\n")?;
    out.flush()
}

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look<'a> {
    symbol: &'a str,
    pen: Pen,
    ground: [u8; 3],
    underlined: bool,
}

/// What a cell is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    colour: [u8; 3],
    bold: bool,
    dim: bool,
}

impl<'a> Look<'a> {
    fn of(cell: &'a Cell, [text, ground]: [[u8; 3]; 2]) -> Look<'a> {
        let mut colours = [rgb_of(cell.fg).unwrap_or(text), rgb_of(cell.bg).unwrap_or(ground)];
        if cell.modifier.contains(Modifier::REVERSED) {
            colours.reverse();
        }
        let has = |modifier| cell.modifier.contains(modifier);
        let pen = Pen { colour: colours[0], bold: has(Modifier::BOLD), dim: has(Modifier::DIM) };
        Look { symbol: cell.symbol(), pen, ground: colours[1], underlined: has(Modifier::UNDERLINED) }
    }

    fn is_blank(&self) -> bool {
        self.symbol.trim().is_empty()
    }

    /// How many cells its symbol takes.
    fn columns(&self) -> usize {
        self.symbol.width().max(1)
    }

    /// Whether every font that has letters of one width has this one.
    fn is_plain(&self) -> bool {
        let mut letters = self.symbol.chars();
        letters.next().is_some_and(|c| matches!(c, ' '..='~' | '\u{a1}'..='\u{17f}' | '–'..='…'))
            && letters.next().is_none()
    }

    fn shape(&self) -> Option<Shape> {
        let mut letters = self.symbol.chars();
        letters.next().and_then(shape).filter(|_| letters.next().is_none())
    }
}

/// How many cells from `at` on are alike.
fn alike(row: &[Look<'_>], at: usize, are: impl Fn(&Look<'_>) -> bool) -> usize {
    row[at..].iter().take_while(|look| are(look)).count()
}

fn grounds(row: &[Look<'_>], y: u32, [_, plain]: [[u8; 3]; 2], out: &mut dyn Write) -> io::Result<()> {
    let mut at = 0;
    while at < row.len() {
        let ground = row[at].ground;
        let long = alike(row, at, |look| look.ground == ground);
        if ground != plain {
            let (x, width) = (at as u32 * WIDE, long as u32 * WIDE);
            let fill = hex(ground);
            writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{HIGH}\" fill=\"{fill}\"/>")?;
        }
        at += long;
    }
    Ok(())
}

fn foregrounds(row: &[Look<'_>], y: u32, [plain, _]: [[u8; 3]; 2], out: &mut dyn Write) -> io::Result<()> {
    let mut at = 0;
    while at < row.len() {
        let look = row[at];
        let x = at as u32 * WIDE;
        if look.is_blank() {
            at += 1;
        } else if let Some(shape) = look.shape() {
            let long = alike(row, at, |other| (other.symbol, other.pen) == (look.symbol, look.pen));
            let faint = if look.pen.dim { 0.6 } else { 1.0 };
            let (fill, path) = (fill(look.pen, plain), shape.path(long as u32, x, y));
            match shape.opacity() * faint {
                opacity if opacity < 1.0 => {
                    writeln!(out, "<path d=\"{path}\"{fill} fill-opacity=\"{opacity:.2}\"/>")?;
                }
                _ => writeln!(out, "<path d=\"{path}\"{fill}/>")?,
            }
            at += long;
        } else {
            let (words, columns) = words(row, at);
            let length = columns as u32 * WIDE;
            let baseline = y + BASELINE;
            let fill = fill(look.pen, plain);
            let bold = if look.pen.bold { " font-weight=\"bold\"" } else { "" };
            let dim = if look.pen.dim { " fill-opacity=\"0.6\"" } else { "" };
            writeln!(
                out,
                "<text x=\"{x}\" y=\"{baseline}\" textLength=\"{length}\" \
                 lengthAdjust=\"spacingAndGlyphs\"{fill}{bold}{dim}>{}</text>",
                escaped(&words)
            )?;
            at += columns;
        }
    }
    let mut at = 0;
    while at < row.len() {
        let long = alike(row, at, |look| look.underlined && look.pen == row[at].pen).max(1);
        if row[at].underlined {
            let (x, y, width) = (at as u32 * WIDE, y + HIGH - 2, long as u32 * WIDE);
            let fill = fill(row[at].pen, plain);
            writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"1\"{fill}/>")?;
        }
        at += long;
    }
    Ok(())
}

fn fill(pen: Pen, plain: [u8; 3]) -> String {
    if pen.colour == plain { String::new() } else { format!(" fill=\"{}\"", hex(pen.colour)) }
}

/// The text that begins at a cell, and how many cells it takes: letters of one pen with single blanks between
/// them, the same symbol several times, or one that takes two cells.
fn words(row: &[Look<'_>], at: usize) -> (String, usize) {
    let first = row[at];
    if !first.is_plain() || first.columns() > 1 {
        let same = |look: &Look<'_>| (look.symbol, look.pen) == (first.symbol, first.pen);
        let many = if first.columns() == 1 { alike(row, at, same) } else { 1 };
        let columns = (many * first.columns()).min(row.len() - at);
        return (first.symbol.repeat(many), columns);
    }
    let (mut words, mut columns, mut blanks) = (String::new(), 0, 0);
    for look in &row[at..] {
        let goes_on = look.is_plain() && look.columns() == 1 && look.shape().is_none();
        if look.symbol == " " && blanks == 0 {
            blanks = 1;
        } else if !goes_on || look.symbol == " " || look.pen != first.pen {
            break;
        } else {
            words.extend(std::iter::repeat_n(' ', blanks));
            words.push_str(look.symbol);
            (columns, blanks) = (columns + blanks + 1, 0);
        }
    }
    (words, columns)
}

/// Text between the tags of an XML document.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in shown(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // Characters that XML 1.0 does not have.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use crate::config::ThemeName;
    use crate::tui::theme::Depth;

    use super::*;

    fn drawn(frame: &Buffer, theme: ThemeName) -> io::Result<String> {
        let mut bytes = Vec::new();
        picture(frame, &Theme::new(theme, Depth::True), "a <b> & \u{1b}[2J", &mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    #[test]
    fn text_stands_in_its_cells_and_lines_are_shapes() -> io::Result<()> {
        let mut frame = Buffer::empty(Rect::new(0, 0, 24, 2));
        frame.set_string(0, 0, "one two  <3> │██ 駅 ✓✓", Style::new());
        frame.set_string(2, 1, "red", Style::new().fg(Color::Rgb(255, 0, 1)).bg(Color::Indexed(15)));
        let text = drawn(&frame, ThemeName::Monochrome)?;
        for part in [
            "<title>a &lt;b&gt; &amp; \\u{1b}[2J</title>",
            ">one two</text>",
            "x=\"81\" y=\"14\" textLength=\"27\" lengthAdjust=\"spacingAndGlyphs\">&lt;3&gt;</text>",
            "<path d=\"M126 0h18v18h-18z\"/>",
            "x=\"153\" y=\"14\" textLength=\"18\" lengthAdjust=\"spacingAndGlyphs\">駅</text>",
            "x=\"180\" y=\"14\" textLength=\"18\" lengthAdjust=\"spacingAndGlyphs\">✓✓</text>",
            "<rect x=\"18\" y=\"18\" width=\"27\" height=\"18\" fill=\"#ffffff\"/>",
            "fill=\"#ff0001\">red</text>",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        Ok(())
    }

    #[test]
    fn without_colours_there_are_bold_dim_underlined_and_reversed() -> io::Result<()> {
        let mut frame = Buffer::empty(Rect::new(0, 0, 8, 1));
        frame.set_string(0, 0, "ab", Style::new().add_modifier(Modifier::BOLD | Modifier::DIM));
        frame.set_string(2, 0, "cd", Style::new().add_modifier(Modifier::UNDERLINED));
        frame.set_string(4, 0, "ef", Style::new().add_modifier(Modifier::REVERSED));
        let text = drawn(&frame, ThemeName::Monochrome)?;
        for part in [
            " font-weight=\"bold\" fill-opacity=\"0.6\">ab<",
            "<rect x=\"18\" y=\"16\" width=\"18\" height=\"1\"/>",
            "<rect x=\"36\" y=\"0\" width=\"18\" height=\"18\" fill=\"#d7dde4\"/>",
            "fill=\"#101418\">ef<",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        Ok(())
    }

    #[test]
    fn a_cut_off_wide_symbol_stays_inside() -> io::Result<()> {
        let mut frame = Buffer::empty(Rect::new(0, 0, 2, 1));
        frame.cell_mut((1, 0)).into_iter().for_each(|cell| _ = cell.set_symbol("駅"));
        assert!(drawn(&frame, ThemeName::Dark)?.contains("x=\"9\" y=\"14\" textLength=\"9\""));
        assert!(drawn(&Buffer::empty(Rect::ZERO), ThemeName::Light)?.ends_with("</svg>\n"));
        Ok(())
    }
}
