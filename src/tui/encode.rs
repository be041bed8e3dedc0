//! Frames as the bytes that make a terminal show them.

use std::io;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr as _;

use super::house::Reach;

/// Appends to `bytes` what turns a terminal that shows `drawn` into one that shows `frame`: nothing when
/// they are equal. When nothing is known about what the terminal shows, everything is drawn and `drawn` is
/// only scratch.
pub(super) fn encode(
    drawn: &mut Buffer,
    frame: &Buffer,
    reach: Reach,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let start = bytes.len();
    // A synchronized update: terminals that know it show the frame at once, and others ignore it.
    bytes.extend(b"\x1b[?2026h");
    let empty_handed = bytes.len();
    if reach == Reach::Whole || drawn.area != frame.area {
        drawn.resize(frame.area);
        drawn.reset();
        bytes.extend(b"\x1b[0m\x1b[2J");
    }
    let mut changes = drawn.diff_iter(frame).peekable();
    if changes.peek().is_some() {
        CrosstermBackend::new(&mut *bytes).draw(changes)?;
    }
    if bytes.len() == empty_handed {
        bytes.truncate(start);
    } else {
        bytes.extend(b"\x1b[?2026l");
    }
    Ok(())
}

/// Blanks wide characters of which something else covers the right half (a window over a name, say), as a
/// terminal would: the comparison of frames takes it that there are none.
pub(super) fn mend(frame: &mut Buffer) {
    let columns = usize::from(frame.area.width);
    let last = frame.content.len().saturating_sub(1);
    for index in 0..frame.content.len() {
        let symbol = frame.content[index].symbol();
        // Whatever takes two columns takes three bytes or more in UTF-8.
        if symbol.len() >= 3 && symbol.width() > 1 {
            let at_the_edge = index == last || (index + 1) % columns == 0;
            if at_the_edge || frame.content[index + 1].symbol() != " " {
                frame.content[index].set_symbol(" ");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    use super::*;

    const AREA: Rect = Rect { x: 0, y: 0, width: 9, height: 3 };

    fn frame(texts: &[(u16, u16, String)]) -> Buffer {
        let mut frame = Buffer::empty(AREA);
        for (x, y, text) in texts {
            frame.set_string(*x, *y, text, Style::new().fg(Color::Red));
        }
        mend(&mut frame);
        frame
    }

    /// The rows of a frame as a terminal shows them.
    fn rows(frame: &Buffer) -> Vec<String> {
        let mut rows = Vec::new();
        for y in 0..AREA.height {
            let mut row = String::new();
            let mut x = 0;
            while let Some(cell) = frame.cell((x, y)) {
                row.push_str(cell.symbol());
                x += if matches!(cell.symbol(), "駅" | "コ") { 2 } else { 1 };
            }
            rows.push(row.trim_end().to_owned());
        }
        rows
    }

    #[test]
    fn an_unchanged_frame_writes_nothing() -> io::Result<()> {
        let mut drawn = frame(&[(1, 1, "駅 ab".into())]);
        let mut bytes = Vec::new();
        let same = drawn.clone();
        encode(&mut drawn, &same, Reach::Changes, &mut bytes)?;
        assert_eq!(bytes, b"");
        encode(&mut drawn, &same, Reach::Whole, &mut bytes)?;
        assert!(bytes.starts_with(b"\x1b[?2026h\x1b[0m\x1b[2J") && bytes.ends_with(b"\x1b[?2026l"));
        Ok(())
    }

    proptest! {
        #[test]
        fn the_terminal_shows_the_last_frame(
            frames in prop::collection::vec(
                (
                    prop::collection::vec((0..9u16, 0..3u16, "[ abコ駅─]{0,9}"), 0..5),
                    prop::bool::weighted(0.2),
                ),
                1..8,
            )
        ) {
            let size = |length| NonZeroU16::new(length).unwrap_or(NonZeroU16::MIN);
            let mut terminal = vt100::Parser::new(size(AREA.height), size(AREA.width), 0);
            let mut drawn = Buffer::empty(Rect::ZERO);
            for (texts, whole) in frames {
                let frame = frame(&texts);
                let mut bytes = Vec::new();
                let reach = if whole { Reach::Whole } else { Reach::Changes };
                encode(&mut drawn, &frame, reach, &mut bytes)?;
                terminal.process(&bytes);
                let shown: Vec<String> =
                    terminal.screen().rows(0, AREA.width).map(|row| row.trim_end().to_owned()).collect();
                prop_assert_eq!(shown, rows(&frame));
                drawn = frame;
            }
        }
    }
}
