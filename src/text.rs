//! Makes foreign text safe to show and to name files with.
//!
//! A server, a file or a command line may hold anything: terminal escapes, marks that turn the
//! direction of writing around, names that climb out of their folder. Everything foreign passes
//! through here before it is drawn, printed, logged, exported or made a file's name.
//!
//! Amounts in words stand here too, because everybody says them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The longest file name that [`file_name`] makes, in bytes. File systems allow 255, and `.part` and a
/// number that makes the name unique must still fit.
pub const MAX_NAME_BYTES: usize = 200;

/// The text with everything that could drive a terminal, reorder a line or hide in it written out as
/// `\n`, `\u{1b}`, `\u{202e}` and so on.
pub fn shown(text: &str) -> Cow<'_, str> {
    // Most text is ASCII, which can be told at a glance.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Whether a character acts on the text around it instead of being seen.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// How many columns of a terminal the text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text made safe and cut to at most `columns` columns; what is cut off is marked with `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let text = shown(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        used += width(cluster);
        if used + 1 > columns {
            break;
        }
        kept.push_str(cluster);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// A name for a file, made from foreign text such as the last segment of a URL's path: one component
/// of a path, visible, at most [`MAX_NAME_BYTES`] long, and never one that this program or a file
/// system gives a meaning of its own.
pub fn file_name(foreign: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(foreign).decode_utf8_lossy();
    let has_a_meaning = |c| matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') || is_unsafe(c);
    let name = decoded.replace(has_a_meaning, "_");
    let mut name = name.trim_end_matches(['.', ' ']).trim_start_matches(' ').to_owned();
    if name.is_empty() {
        return if decoded.is_empty() { "index".to_owned() } else { "_".to_owned() };
    }
    if name.starts_with(['.', '-']) {
        name.replace_range(0..1, "_");
    }
    if name.len() >= MAX_NAME_BYTES {
        // What is cut off can bare an end that the whole name did not have.
        name = shorten(&name, MAX_NAME_BYTES - 1).trim_end_matches(['.', ' ']).to_owned();
    }
    let end = name.len().checked_sub(PART.len()).and_then(|at| name.get(at..));
    if end.is_some_and(|end| end.eq_ignore_ascii_case(PART)) {
        name.push('_');
    }
    name
}

/// The extension of a file that is on its way.
const PART: &str = ".part";

/// The name, longer than `bytes`, cut to them, with its extension kept when that is short.
fn shorten(name: &str, bytes: usize) -> String {
    let (stem, extension) = split_extension(name);
    let keep = (0..=bytes - extension.len()).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or(0);
    format!("{}{extension}", &stem[..keep])
}

/// The stem and the extension with its dot; no extension where it would be longer than 16 bytes.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 16 => name.split_at(dot),
        _ => (name, ""),
    }
}

/// Names made different from each other, also where the file system takes `A` and `a` for the same:
/// the second `a.jpg` becomes `a-2.jpg`.
pub fn unique_names(names: Vec<String>) -> Vec<String> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let wanted: HashSet<&str> = lower.iter().map(String::as_str).collect();
    if wanted.len() == names.len() {
        return names;
    }
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    let mut unique = Vec::with_capacity(names.len());
    let mut next_number: HashMap<&str, usize> = HashMap::new();
    for (name, lower) in names.into_iter().zip(&lower) {
        if taken.insert(lower.clone()) {
            unique.push(name);
            continue;
        }
        let (stem, extension) = split_extension(&name);
        let number = next_number.entry(lower).or_insert(2);
        loop {
            let candidate = format!("{stem}-{number}{extension}");
            *number += 1;
            let key = candidate.to_lowercase();
            if !wanted.contains(key.as_str()) && taken.insert(key) {
                unique.push(candidate);
                break;
            }
        }
    }
    unique
}

/// An amount of bytes in powers of 1000: `999 B`, `1.2 MB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut scale, mut unit) = (1_000, UNITS[0]);
    for larger in &UNITS[1..] {
        if in_tenths(bytes, scale) < 10_000 {
            break;
        }
        (scale, unit) = (scale * 1_000, larger);
    }
    let tenths = in_tenths(bytes, scale);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// How many tenths of `scale`, a power of 1000, that is.
fn in_tenths(bytes: u64, scale: u64) -> u64 {
    bytes.saturating_add(scale / 20) / (scale / 10)
}

/// A number with its thousands apart: `9,950`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration with three digits or so: `412 ms`, `9.98 s`, `1 min 03 s`, `2 h 05 min`.
pub fn seconds(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let in_units_of = |unit: u64| nanos.saturating_add(unit / 2) / unit;
    let (hundredths_of_ms, millis) = (in_units_of(10_000), in_units_of(1_000_000));
    let (hundredths, whole) = (in_units_of(10_000_000), in_units_of(1_000_000_000));
    if nanos == 0 {
        "0 s".to_owned()
    } else if hundredths_of_ms == 0 {
        "<0.01 ms".to_owned()
    } else if hundredths_of_ms < 1_000 {
        format!("{}.{:02} ms", hundredths_of_ms / 100, hundredths_of_ms % 100)
    } else if millis < 1_000 {
        format!("{millis} ms")
    } else if hundredths < 6_000 {
        format!("{}.{:02} s", hundredths / 100, hundredths % 100)
    } else if whole < 3_600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        let minutes = in_units_of(60_000_000_000);
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// Whether what begins like that is a JSON object that says what format it has: `{"format":"NAME"`, with whatever else
/// before it.
pub fn says_format(beginning: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let Some((before, after)) = text.split_once("\"format\"") else { return false };
    let value = after.trim_start().strip_prefix(':').map(str::trim_start);
    let said = value.and_then(|value| value.strip_prefix('"')?.split_once('"'));
    before.trim_start().starts_with('{') && said.is_some_and(|(said, _)| said == name)
}

/// So many of something: `1 worker`, `9,950 workers`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", count(number)) }
}

/// Text broken into lines of at most `columns` columns, at spaces where there are any, and never between
/// a number and its unit.
pub fn wrap(words: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut glued: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        let unit = word.trim_end_matches(['.', ',', ':', ';']);
        let is_unit = matches!(unit, "s" | "ms" | "min" | "h" | "%" | "B" | "kB" | "MB" | "GB");
        match glued.last_mut().filter(|before| is_unit && before.ends_with(|c: char| c.is_ascii_digit())) {
            Some(number) => {
                number.push(' ');
                number.push_str(word);
            }
            None => glued.push(word.to_owned()),
        }
    }
    for word in glued {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(&word) <= columns => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_wraps_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), Vec::<String>::new());
        assert_eq!(wrap("it took 9.11 s.", 13), ["it took", "9.11 s."]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0, "task", "tasks"), "0 tasks");
        assert_eq!(counted(1, "task", "tasks"), "1 task");
        assert_eq!(counted(9_950, "task", "tasks"), "9,950 tasks");
    }

    #[test]
    fn escapes_and_bidi_are_written_out() {
        assert_eq!(shown("plain — größe"), "plain — größe");
        assert_eq!(shown("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(shown("exe\u{202e}gpj"), "exe\\u{202e}gpj");
        assert_eq!(shown("two\nlines"), "two\\nlines");
    }

    #[test]
    fn text_is_cut_by_columns_not_characters() {
        assert_eq!(fit("日本語の名前", 7), "日本語…");
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("abcd", 0), "");
    }

    #[test]
    fn hostile_names_become_harmless() {
        let cases = [
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("..%2f..%2fx", "_._.._x"),
            ("..", "_"),
            ("", "index"),
            ("a%00b", "a_b"),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("x.part", "x.part_"),
            ("x.PART", "x.PART_"),
            ("a\u{202e}b", "a_b"),
            ("con\u{7}", "con_"),
            ("name. . ", "name"),
        ];
        for (foreign, safe) in cases {
            assert_eq!(file_name(foreign), safe, "{foreign:?}");
        }
        let long = file_name(&format!("{}.jpeg", "ü".repeat(400)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("ü.jpeg"), "{long}");
        for bared in [".part", ".PART", ".", " "] {
            for kept in 190..=200 {
                let name = file_name(&format!("{}{bared}{}", "x".repeat(kept - bared.len()), "z".repeat(50)));
                assert!(!name.to_lowercase().ends_with(".part") && !name.ends_with(['.', ' ']), "{name}");
                assert!(name.len() <= MAX_NAME_BYTES, "{name}");
            }
        }
    }

    #[test]
    fn the_same_name_twice_is_told_apart() {
        let names = ["a.jpg", "A.jpg", "a-2.jpg", "a.jpg", "b"].map(str::to_owned).to_vec();
        assert_eq!(unique_names(names), ["a.jpg", "A-3.jpg", "a-2.jpg", "a-4.jpg", "b"]);
    }

    proptest! {
        #[test]
        fn any_name_is_one_visible_component(foreign in ".{0,300}") {
            let name = file_name(&foreign);
            prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES);
            prop_assert!(!name.starts_with('.') && !name.to_lowercase().ends_with(".part"));
            prop_assert!(!name.contains(['/', '\\', '\0']) && !name.contains(is_unsafe));
            let components: Vec<_> = std::path::Path::new(&name).components().collect();
            prop_assert!(matches!(components[..], [std::path::Component::Normal(_)]));
        }

        #[test]
        fn unique_names_are_unique(names in prop::collection::vec("[aAbB]{1,2}(-[23])?(\\.j)?", 0..40)) {
            let unique = unique_names(names.clone());
            let distinct: HashSet<String> = unique.iter().map(|n| n.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), names.len());
        }

        #[test]
        fn fitted_text_fits(text in ".{0,80}", columns in 0_usize..40) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
        }
    }

    #[test]
    fn formats_are_told_by_their_beginnings() {
        let is_report = |beginning: &[u8]| says_format(beginning, "threadrace-report");
        assert!(is_report(br#"{"format":"threadrace-report","version":1"#));
        assert!(is_report(b"{\n  \"version\": 1,\n  \"format\" : \"threadrace-report\""));
        assert!(!is_report(br#"{"format":"threadrace-recording","scenario":"\"threadrace-report\""}"#));
        assert!(!is_report(b"\xff{}") && !is_report(br#"{"format":"threadrace-reports"}"#));
        assert!(!is_report(br#"my notes on "format": "threadrace-report""#));
    }
}
