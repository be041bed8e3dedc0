//! Splits a trace into its events without ever holding more than one of them.

use std::io::{BufRead, ErrorKind};

use super::TraceError;

/// How a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it is in the buffer.
    Whole,
    /// It is longer than was asked for, and was passed over.
    TooLarge,
    /// The file ends within it.
    Cut,
}

/// A file, and how far it was read.
pub(super) struct Splitter<R> {
    reader: R,
    line: u64,
    offset: u64,
}

impl<R: BufRead> Splitter<R> {
    pub(super) fn new(reader: R) -> Splitter<R> {
        Splitter { reader, line: 1, offset: 0 }
    }

    /// The line that is being read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// What is buffered; empty at the file's end only.
    fn ahead(&mut self) -> Result<&[u8], TraceError> {
        loop {
            // The buffer is asked for again below because a borrow that is returned from a loop lives too long.
            match self.reader.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(TraceError::Read { line: self.line, source }),
            }
        }
        let line = self.line;
        self.reader.fill_buf().map_err(|source| TraceError::Read { line, source })
    }

    fn consume(&mut self, bytes: usize, lines: u64) {
        self.reader.consume(bytes);
        self.offset += bytes as u64;
        self.line += lines;
    }

    /// Passes over the mark of byte order that some editors put first.
    pub(super) fn skip_mark(&mut self) -> Result<(), TraceError> {
        for mark in [0xef, 0xbb, 0xbf] {
            if self.ahead()?.first() == Some(&mark) {
                self.consume(1, 0);
            }
        }
        Ok(())
    }

    /// The next byte that is not white space, left where it is; none at the end.
    pub(super) fn next_mark(&mut self) -> Result<Option<u8>, TraceError> {
        loop {
            let ahead = self.ahead()?;
            if ahead.is_empty() {
                return Ok(None);
            }
            let found = ahead.iter().position(|byte| !byte.is_ascii_whitespace());
            let mark = found.map(|place| ahead[place]);
            let passed = found.unwrap_or(ahead.len());
            let lines = count_lines(&ahead[..passed]);
            self.consume(passed, lines);
            if mark.is_some() {
                return Ok(mark);
            }
        }
    }

    /// Passes over the byte that [`Splitter::next_mark`] told.
    pub(super) fn bump(&mut self) {
        self.consume(1, 0);
    }

    /// Reads one value, that begins here, into the buffer, as far as `limit` bytes; always moves on.
    pub(super) fn value(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<Extent, TraceError> {
        buffer.clear();
        let mut scan = Scan::default();
        let mut long = 0_usize;
        loop {
            let ahead = self.ahead()?;
            if ahead.is_empty() {
                let scalar = scan.kind == Shape::Scalar && long > 0;
                return Ok(if scalar { Extent::Whole } else { Extent::Cut });
            }
            let end = scan.end(ahead);
            let piece = &ahead[..end.unwrap_or(ahead.len())];
            long = long.saturating_add(piece.len());
            if long <= limit {
                buffer.extend_from_slice(piece);
            }
            let (bytes, lines) = (piece.len(), count_lines(piece));
            self.consume(bytes, lines);
            if end.is_some() {
                return Ok(if long <= limit { Extent::Whole } else { Extent::TooLarge });
            }
        }
    }

    /// The error of something that does not belong here.
    pub(super) fn stranger(&self, found: Option<u8>, expected: &'static str) -> TraceError {
        let found = match found {
            Some(byte) if byte.is_ascii_graphic() => format!("'{}' stands", char::from(byte)),
            Some(byte) => format!("the byte {byte:#04x} stands"),
            None => "the end is".to_owned(),
        };
        TraceError::NotATrace { line: self.line, offset: self.offset, found, expected }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// What a value is, as its first byte tells.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Shape {
    #[default]
    Unseen,
    /// A number, a word, or nothing that JSON knows.
    Scalar,
    Text,
    /// An array or an object.
    Nest,
}

/// Where in a value the reading is.
#[derive(Debug, Default)]
struct Scan {
    kind: Shape,
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// How many of these bytes belong to the value, where it ends in them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.kind == Shape::Text {
                            return Some(place + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match (self.kind, byte) {
                (Shape::Unseen, b'"') => (self.kind, self.in_text) = (Shape::Text, true),
                (Shape::Unseen, b'{' | b'[') => (self.kind, self.depth) = (Shape::Nest, 1),
                (Shape::Unseen, b'}' | b']' | b',' | b':') => return Some(place + 1),
                (Shape::Unseen, _) => self.kind = Shape::Scalar,
                (Shape::Nest, b'"') => self.in_text = true,
                (Shape::Nest, b'{' | b'[') => self.depth += 1,
                (Shape::Nest, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(place + 1);
                    }
                }
                (
                    Shape::Scalar,
                    b',' | b']' | b'}' | b'{' | b'[' | b'"' | b':' | b' ' | b'\t' | b'\r' | b'\n',
                ) => {
                    return Some(place);
                }
                (Shape::Nest | Shape::Scalar | Shape::Text, _) => {}
            }
        }
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The values of a text, each with how it was read, through a buffer of that many bytes.
    fn values(text: &str, capacity: usize, limit: usize) -> Vec<(String, Extent)> {
        let mut split = Splitter::new(BufReader::with_capacity(capacity, text.as_bytes()));
        let (mut found, mut buffer) = (Vec::new(), Vec::new());
        while split.next_mark().unwrap().is_some() {
            let extent = split.value(&mut buffer, limit).unwrap();
            found.push((String::from_utf8(buffer.clone()).unwrap(), extent));
        }
        found
    }

    #[test]
    fn values_end_where_json_says_whatever_the_buffer() {
        let text = r#" {"a": "}\"]", "b": [1, {"c": 2}]} "x\\" 12.5 [] true"#;
        for capacity in 1..=64 {
            let found: Vec<String> =
                values(text, capacity, 100).into_iter().map(|(value, _)| value).collect();
            let expected = [r#"{"a": "}\"]", "b": [1, {"c": 2}]}"#, r#""x\\""#, "12.5", "[]", "true"];
            assert_eq!(found, expected, "{capacity}");
        }
    }

    #[test]
    fn what_is_too_large_is_passed_over_and_the_next_is_read() {
        let text = format!(r#"{{"a": "{}"}} {{"b": 1}}"#, "x".repeat(1000));
        let found = values(&text, 16, 50);
        assert_eq!(found[0].1, Extent::TooLarge);
        assert_eq!(found[1], (r#"{"b": 1}"#.to_owned(), Extent::Whole));
        assert!(found[0].0.len() <= 50);
    }

    #[test]
    fn a_value_that_the_file_cuts_is_told() {
        assert_eq!(values(r#"{"a": 1"#, 4, 50)[0].1, Extent::Cut);
        assert_eq!(values(r#""abc"#, 4, 50)[0].1, Extent::Cut);
        assert_eq!(values("}", 4, 50), [("}".to_owned(), Extent::Whole)]);
    }
}
