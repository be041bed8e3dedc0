//! ASCII for terminals that can show nothing else: every view is painted once, in Unicode, and each
//! character that such a terminal lacks is replaced in the finished frame.

use ratatui::buffer::Buffer;

/// The character of ASCII that stands for a character of the dashboard; `?` for all that is foreign.
pub fn ascii(c: char) -> char {
    match c {
        ' '..='~' => c,
        '█' => '#',
        '━' => '=',
        '╸' => '>',
        '▏' => '|',
        '░' => '.',
        '▒' => 'c',
        '▓' => 'w',
        '■' => '%',
        '▚' => 'X',
        '▎' => ':',
        '▌' => '+',
        '▊' => '&',
        '╫' => '!',
        '↻' => 'r',
        '╳' => 'x',
        '╱' => '/',
        '·' => ',',
        '▁' => '_',
        '▂' => '.',
        '▃' => ':',
        '▄' => '-',
        '▅' => '+',
        '▆' => '#',
        '▇' => '#',
        '│' | '┃' | '┊' => '|',
        '─' | '┄' | '╌' | '–' | '—' => '-',
        '┼' | '┴' | '┬' | '├' | '┤' | '╭' | '╮' | '╰' | '╯' => '+',
        '×' => 'x',
        '÷' => '/',
        '±' => '+',
        '…' => '~',
        '▸' | '→' | '›' => '>',
        '◂' | '←' | '‹' => '<',
        '↑' | '▴' => '^',
        '↓' | '▾' => 'v',
        '◆' => '*',
        '◇' => '!',
        '●' => 'o',
        '○' => 'O',
        'σ' => 's',
        'κ' => 'k',
        // The upper two of a cell's rows of dots, the lower two, or both.
        '\u{2800}'..='\u{28ff}' => match u32::from(c) {
            bits if bits & 0xe4 == 0 => '\'',
            bits if bits & 0x1b == 0 => '.',
            _ => ':',
        },
        '✓' => 'y',
        '✗' => 'X',
        '’' => '\'',
        '“' | '”' => '"',
        _ => '?',
    }
}

/// Makes a frame ASCII.
pub fn make_ascii(frame: &mut Buffer) {
    for cell in &mut frame.content {
        if !cell.symbol().is_ascii() {
            let replaced = cell.symbol().chars().next().map_or(' ', ascii);
            cell.set_char(replaced);
        }
    }
}
