//! What the terminal sends, byte by byte, made into keys, mouse events and pasted text.
//!
//! crossterm's own reader blocks for as long as a sequence is cut short, and spins when the terminal hangs
//! up; here the bytes come from whoever polls, so neither can happen. The encodings are those of xterm's
//! "Control Sequences" document (the sections on PC-style function keys, SGR mouse tracking and bracketed
//! paste), with the Linux console's F1 to F5 and the `CSI u` keys that some terminals send.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// A lone escape byte is the Esc key when nothing follows it for so long.
const ESCAPE_PATIENCE: Duration = Duration::from_millis(50);

/// A paste whose end does not come is taken to be over when nothing follows for so long.
const PASTE_PATIENCE: Duration = Duration::from_millis(500);

/// No sequence that means anything here is longer, in bytes.
const LONGEST_SEQUENCE: usize = 64;

/// Pasted text beyond so many bytes is left out.
const LONGEST_PASTE: usize = 64 * 1024;

const PASTE_END: &[u8] = b"\x1b[201~";

/// One thing that somebody did at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was pressed, released, dragged or scrolled; columns and rows count from 0.
    Mouse(MouseEvent),
    /// Text was pasted; it is as foreign as any other.
    Pasted(String),
}

/// Bytes in, [`Act`]s out. However the bytes are cut into pieces, the acts are the same.
#[derive(Debug, Default)]
pub struct Keyboard {
    state: State,
    acts: VecDeque<Act>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    Csi(Vec<u8>),
    /// `ESC [ [`, the Linux console's prefix of F1 to F5.
    Console,
    Ss3,
    /// `ESC [ M` and three bytes: the mouse, from a terminal that does not know the SGR encoding.
    OldMouse(Vec<u8>),
    /// A character of several bytes.
    Character {
        bytes: Vec<u8>,
        alt: bool,
    },
    /// An answer to a question that was not asked here, up to BEL or ST.
    Answer {
        escape: bool,
    },
    Paste(Vec<u8>),
}

impl Keyboard {
    /// Takes `bytes` as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.step(byte);
        }
    }

    /// The next act, oldest first.
    pub fn take(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// How long to wait for more bytes before [`Keyboard::give_up`]; none when nothing is half said.
    pub fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Paste(_) => Some(PASTE_PATIENCE),
            _ => Some(ESCAPE_PATIENCE),
        }
    }

    /// No more bytes came in time: what is half said is read as if it were all.
    pub fn give_up(&mut self) {
        match std::mem::take(&mut self.state) {
            State::Escape => self.key(KeyCode::Esc, KeyModifiers::NONE),
            State::Csi(body) if body.is_empty() => self.key(KeyCode::Char('['), KeyModifiers::ALT),
            State::Ss3 => self.key(KeyCode::Char('O'), KeyModifiers::ALT | KeyModifiers::SHIFT),
            State::Paste(text) => self.pasted(&text),
            _ => {}
        }
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.acts.push_back(Act::Key(KeyEvent::new(code, modifiers)));
    }

    fn pasted(&mut self, text: &[u8]) {
        let text = text.get(..LONGEST_PASTE).unwrap_or(text);
        self.acts.push_back(Act::Pasted(String::from_utf8_lossy(text).into_owned()));
    }

    fn step(&mut self, byte: u8) {
        self.state = match std::mem::take(&mut self.state) {
            State::Ground => self.plain(byte, false),
            State::Escape => match byte {
                b'[' => State::Csi(Vec::new()),
                b'O' => State::Ss3,
                b']' | b'P' | b'X' | b'^' | b'_' => State::Answer { escape: false },
                0x1b => {
                    self.key(KeyCode::Esc, KeyModifiers::NONE);
                    State::Escape
                }
                _ => self.plain(byte, true),
            },
            State::Csi(body) => self.csi(body, byte),
            State::Console => {
                if let b'A'..=b'E' = byte {
                    self.key(KeyCode::F(byte - b'A' + 1), KeyModifiers::NONE);
                }
                State::Ground
            }
            State::Ss3 => {
                if let Some(code) = keypad(byte) {
                    self.key(code, KeyModifiers::NONE);
                }
                if byte == 0x1b { State::Escape } else { State::Ground }
            }
            State::OldMouse(mut body) => {
                body.push(byte.wrapping_sub(32));
                if let [button, column, row] = body[..] {
                    let kind = match (button & 0b1100_0011, button & 32) {
                        (3, 0) => Some(MouseEventKind::Up(MouseButton::Left)),
                        _ => mouse_kind(u16::from(button), true),
                    };
                    self.mouse(kind, u16::from(button), u16::from(column), u16::from(row));
                    State::Ground
                } else {
                    State::OldMouse(body)
                }
            }
            State::Character { bytes, alt } => self.character(bytes, alt, byte),
            State::Answer { escape } => match byte {
                0x07 => State::Ground,
                b'\\' if escape => State::Ground,
                _ => State::Answer { escape: byte == 0x1b },
            },
            State::Paste(mut text) => {
                text.push(byte);
                if text.ends_with(PASTE_END) {
                    text.truncate(text.len() - PASTE_END.len());
                    self.pasted(&text);
                    State::Ground
                } else {
                    if text.len() > LONGEST_PASTE + PASTE_END.len() {
                        // What is too much goes; the end of it may be the start of the end.
                        text.remove(LONGEST_PASTE);
                    }
                    State::Paste(text)
                }
            }
        };
    }

    fn plain(&mut self, byte: u8, alt: bool) -> State {
        let alted = if alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        match byte {
            0x1b => return State::Escape,
            b'\r' | b'\n' => self.key(KeyCode::Enter, alted),
            b'\t' => self.key(KeyCode::Tab, alted),
            0x08 | 0x7f => self.key(KeyCode::Backspace, alted),
            0 => self.key(KeyCode::Char(' '), alted | KeyModifiers::CONTROL),
            0x01..=0x1a => {
                self.key(KeyCode::Char(char::from(byte - 1 + b'a')), alted | KeyModifiers::CONTROL);
            }
            0x1c..=0x1f => {
                self.key(KeyCode::Char(char::from(byte - 0x1c + b'4')), alted | KeyModifiers::CONTROL);
            }
            0x20..=0x7e => self.typed(char::from(byte), alted),
            0x80.. => return self.character(Vec::new(), alt, byte),
        }
        State::Ground
    }

    fn typed(&mut self, character: char, modifiers: KeyModifiers) {
        let shift = if character.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.key(KeyCode::Char(character), modifiers | shift);
    }

    fn character(&mut self, mut bytes: Vec<u8>, alt: bool, byte: u8) -> State {
        bytes.push(byte);
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                let alted = if alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
                if let Some(character) = text.chars().next() {
                    self.typed(character, alted);
                }
                State::Ground
            }
            Err(error) if error.error_len().is_none() => State::Character { bytes, alt },
            // A byte that cuts a character short may begin something of its own.
            Err(_) if bytes.len() > 1 && byte < 0x80 => self.plain(byte, false),
            Err(_) => State::Ground,
        }
    }

    fn csi(&mut self, mut body: Vec<u8>, byte: u8) -> State {
        match byte {
            b'[' if body.is_empty() => return State::Console,
            b'M' if body.is_empty() => return State::OldMouse(Vec::new()),
            0x1b => return State::Escape,
            0x20..=0x3f => {
                // What is longer than anything known is read to its end, and means nothing.
                if body.len() < LONGEST_SEQUENCE {
                    body.push(byte);
                }
                return State::Csi(body);
            }
            0x40..=0x7e => {}
            _ => return State::Ground,
        }
        if let (Some(numbers), b'M' | b'm') = (body.strip_prefix(b"<"), byte) {
            if let [button, column, row] = numbers_of(numbers)[..] {
                let kind = mouse_kind(button, byte == b'M');
                self.mouse(kind, button, column, row);
            }
            return State::Ground;
        }
        let numbers = numbers_of(&body);
        let first = numbers.first().copied().unwrap_or(0);
        let modifiers = modifiers_of(numbers.get(1).copied().unwrap_or(1));
        let code = match byte {
            b'~' if first == 200 => return State::Paste(Vec::new()),
            b'~' => match first {
                1 | 7 => KeyCode::Home,
                2 => KeyCode::Insert,
                3 => KeyCode::Delete,
                4 | 8 => KeyCode::End,
                5 => KeyCode::PageUp,
                6 => KeyCode::PageDown,
                11..=15 => function(first - 10),
                17..=21 => function(first - 11),
                23..=26 => function(first - 12),
                28..=29 => function(first - 13),
                31..=34 => function(first - 14),
                _ => return State::Ground,
            },
            b'u' => match char::from_u32(u32::from(first)) {
                Some('\r') => KeyCode::Enter,
                Some('\t') => KeyCode::Tab,
                Some('\x1b') => KeyCode::Esc,
                Some('\x7f' | '\x08') => KeyCode::Backspace,
                Some(character) if !character.is_control() => KeyCode::Char(character),
                _ => return State::Ground,
            },
            b'Z' => {
                self.key(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT);
                return State::Ground;
            }
            b'A'..=b'F' | b'H' | b'P'..=b'S' => match keypad(byte) {
                Some(code) => code,
                None => return State::Ground,
            },
            _ => return State::Ground,
        };
        self.key(code, modifiers);
        State::Ground
    }

    fn mouse(&mut self, kind: Option<MouseEventKind>, button: u16, column: u16, row: u16) {
        let Some(kind) = kind else { return };
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::SHIFT, button & 4 != 0);
        modifiers.set(KeyModifiers::ALT, button & 8 != 0);
        modifiers.set(KeyModifiers::CONTROL, button & 16 != 0);
        let (column, row) = (column.saturating_sub(1), row.saturating_sub(1));
        self.acts.push_back(Act::Mouse(MouseEvent { kind, column, row, modifiers }));
    }
}

/// The numbers between semicolons; what is no number is 0, and what follows a colon is left out.
fn numbers_of(body: &[u8]) -> Vec<u16> {
    body.split(|&byte| byte == b';')
        .map(|part| part.split(|&byte| byte == b':').next().unwrap_or_default())
        .map(|part| std::str::from_utf8(part).ok().and_then(|text| text.parse().ok()).unwrap_or(0))
        .collect()
}

/// xterm's modifier number is one more than a sum: shift 1, alt 2, control 4, meta 8.
fn modifiers_of(number: u16) -> KeyModifiers {
    let sum = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, sum & 1 != 0);
    modifiers.set(KeyModifiers::ALT, sum & (2 | 8) != 0);
    modifiers.set(KeyModifiers::CONTROL, sum & 4 != 0);
    modifiers
}

fn function(number: u16) -> KeyCode {
    u8::try_from(number).map_or(KeyCode::Null, KeyCode::F)
}

fn keypad(byte: u8) -> Option<KeyCode> {
    Some(match byte {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
        b'j'..=b'y' => KeyCode::Char(char::from(byte - b'j' + b'*')),
        _ => return None,
    })
}

fn mouse_kind(button: u16, pressed: bool) -> Option<MouseEventKind> {
    let which = |low| match low {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let moving = button & 32 != 0;
    match (button & 0b1100_0000, button & 3) {
        (0, low) if moving => Some(which(low).map_or(MouseEventKind::Moved, MouseEventKind::Drag)),
        (0, low) if pressed => which(low).map(MouseEventKind::Down),
        (0, low) => which(low).map(MouseEventKind::Up),
        (64, 0) => Some(MouseEventKind::ScrollUp),
        (64, 1) => Some(MouseEventKind::ScrollDown),
        (64, 2) => Some(MouseEventKind::ScrollLeft),
        (64, _) => Some(MouseEventKind::ScrollRight),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn acts(bytes: &[u8]) -> Vec<Act> {
        let mut keyboard = Keyboard::default();
        keyboard.feed(bytes);
        keyboard.give_up();
        std::iter::from_fn(|| keyboard.take()).collect()
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Act {
        Act::Key(KeyEvent::new(code, modifiers))
    }

    fn plain(code: KeyCode) -> Act {
        key(code, KeyModifiers::NONE)
    }

    #[test]
    fn keys_are_told_apart() {
        let cases: &[(&[u8], KeyCode, KeyModifiers)] = &[
            (b"q", KeyCode::Char('q'), KeyModifiers::NONE),
            (b"Q", KeyCode::Char('Q'), KeyModifiers::SHIFT),
            ("ß".as_bytes(), KeyCode::Char('ß'), KeyModifiers::NONE),
            ("\x1b駅".as_bytes(), KeyCode::Char('駅'), KeyModifiers::ALT),
            (b"\r", KeyCode::Enter, KeyModifiers::NONE),
            (b"\t", KeyCode::Tab, KeyModifiers::NONE),
            (b"\x1b[Z", KeyCode::BackTab, KeyModifiers::SHIFT),
            (b"\x7f", KeyCode::Backspace, KeyModifiers::NONE),
            (b"\x03", KeyCode::Char('c'), KeyModifiers::CONTROL),
            (b"\x1a", KeyCode::Char('z'), KeyModifiers::CONTROL),
            (b"\x1c", KeyCode::Char('4'), KeyModifiers::CONTROL),
            (b"\0", KeyCode::Char(' '), KeyModifiers::CONTROL),
            (b"\x1b", KeyCode::Esc, KeyModifiers::NONE),
            (b"\x1b[", KeyCode::Char('['), KeyModifiers::ALT),
            (b"\x1bx", KeyCode::Char('x'), KeyModifiers::ALT),
            (b"\x1b[A", KeyCode::Up, KeyModifiers::NONE),
            (b"\x1bOB", KeyCode::Down, KeyModifiers::NONE),
            (b"\x1b[1;5C", KeyCode::Right, KeyModifiers::CONTROL),
            (b"\x1b[1;4D", KeyCode::Left, KeyModifiers::SHIFT.union(KeyModifiers::ALT)),
            (b"\x1b[5~", KeyCode::PageUp, KeyModifiers::NONE),
            (b"\x1b[6;2~", KeyCode::PageDown, KeyModifiers::SHIFT),
            (b"\x1b[H", KeyCode::Home, KeyModifiers::NONE),
            (b"\x1b[4~", KeyCode::End, KeyModifiers::NONE),
            (b"\x1bOP", KeyCode::F(1), KeyModifiers::NONE),
            (b"\x1b[[E", KeyCode::F(5), KeyModifiers::NONE),
            (b"\x1b[15~", KeyCode::F(5), KeyModifiers::NONE),
            (b"\x1b[21~", KeyCode::F(10), KeyModifiers::NONE),
            (b"\x1b[24;3~", KeyCode::F(12), KeyModifiers::ALT),
            (b"\x1b[34~", KeyCode::F(20), KeyModifiers::NONE),
            (b"\x1b[97;5u", KeyCode::Char('a'), KeyModifiers::CONTROL),
            (b"\x1bOM", KeyCode::Enter, KeyModifiers::NONE),
            (b"\x1bOp", KeyCode::Char('0'), KeyModifiers::NONE),
        ];
        for &(bytes, code, modifiers) in cases {
            assert_eq!(acts(bytes), [key(code, modifiers)], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_mouse_is_read_in_both_encodings() {
        let mouse = |kind, column, row, modifiers| Act::Mouse(MouseEvent { kind, column, row, modifiers });
        let none = KeyModifiers::NONE;
        assert_eq!(acts(b"\x1b[<0;1;1M"), [mouse(MouseEventKind::Down(MouseButton::Left), 0, 0, none)]);
        assert_eq!(acts(b"\x1b[<2;300;9m"), [mouse(MouseEventKind::Up(MouseButton::Right), 299, 8, none)]);
        assert_eq!(acts(b"\x1b[<32;3;4M"), [mouse(MouseEventKind::Drag(MouseButton::Left), 2, 3, none)]);
        assert_eq!(acts(b"\x1b[<35;3;4M"), [mouse(MouseEventKind::Moved, 2, 3, none)]);
        assert_eq!(acts(b"\x1b[<81;3;4M"), [mouse(MouseEventKind::ScrollDown, 2, 3, KeyModifiers::CONTROL)]);
        assert_eq!(acts(b"\x1b[M !!"), [mouse(MouseEventKind::Down(MouseButton::Left), 0, 0, none)]);
        assert_eq!(acts(b"\x1b[M#!!"), [mouse(MouseEventKind::Up(MouseButton::Left), 0, 0, none)]);
        assert_eq!(acts(b"\x1b[M`!\""), [mouse(MouseEventKind::ScrollUp, 0, 1, none)]);
    }

    #[test]
    fn a_paste_presses_no_keys() {
        assert_eq!(acts(b"\x1b[200~q\rx\x1b[201~y"), [Act::Pasted("q\rx".into()), plain(KeyCode::Char('y'))]);
        assert_eq!(acts(b"\x1b[200~lost"), [Act::Pasted("lost".into())]);
        let long = [b"\x1b[200~".as_slice(), &vec![b'a'; 2 * LONGEST_PASTE], b"\x1b[201~z"].concat();
        assert_eq!(acts(&long), [Act::Pasted("a".repeat(LONGEST_PASTE)), plain(KeyCode::Char('z'))]);
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        for junk in [
            b"\x1b[?62;22c".as_slice(),
            b"\x1b]11;rgb:0000/0000/0000\x07",
            b"\x1bP>|term 1.0\x1b\\",
            b"\x1b[I",
            b"\x1b[999~",
            b"\x1b[<1;2M",
            b"\xff",
        ] {
            assert_eq!(acts(&[junk, b"k"].concat()), [plain(KeyCode::Char('k'))], "{}", junk.escape_ascii());
        }
        assert_eq!(acts(b"\xe9\x1b[A"), [plain(KeyCode::Up)]);
    }

    #[test]
    fn a_fast_escape_is_a_key_of_its_own() {
        assert_eq!(acts(b"\x1b\x1b[A"), [plain(KeyCode::Esc), plain(KeyCode::Up)]);
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            b"\x1b".as_slice(),
            b"\x1b[",
            b"\x1b[200~",
            b"\x1b[201~",
            b"\x1b[<0;1;",
            b"\x1b[M",
            b"\x1bO",
            b"\x1b]",
            b"\x07",
            b"M",
            b"~",
            b"A",
            b";",
            "é".as_bytes(),
        ])
        .prop_map(<[u8]>::to_vec);
        let any = prop::collection::vec(any::<u8>(), 0..4);
        prop::collection::vec(prop_oneof![known, any], 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(bytes in pieces(), cut in any::<prop::sample::Index>()) {
            let (one, two) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut keyboard = Keyboard::default();
            keyboard.feed(one);
            keyboard.feed(two);
            keyboard.give_up();
            let cut: Vec<Act> = std::iter::from_fn(|| keyboard.take()).collect();
            prop_assert_eq!(cut, acts(&bytes));
            prop_assert_eq!(keyboard.patience(), None);
        }
    }
}
