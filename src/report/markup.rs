//! What every document made of markup needs: foreign text in it, numbers, and bytes as text.

use std::fmt::{self, Write};

use crate::text::{fit, shown};

/// Foreign text as characters of an XML or HTML document: inside an element, or inside an attribute in quotes.
/// Nothing in it is markup, drives a terminal, or turns a line around.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in shown(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No XML document may hold these two (XML 1.0, section 2.2).
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Foreign text made safe to show, at most `columns` columns wide and, as marks without a width can be any
/// number, at most four characters a column long. What is cut off is marked with `…`.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let most = columns.saturating_mul(4);
    if text.chars().nth(most).is_none() {
        return fit(text, columns);
    }
    let head: String = text.chars().take(most).collect();
    let mut head = fit(&head, columns);
    if !head.ends_with('…') {
        head.push('…');
    }
    head
}

/// A length or a place in a picture, in its units, with at most two decimals; zero where it is not finite.
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A number that is no number becomes zero, and one beyond the range its end.
        let hundredths = (self.0 * 100.0).round() as i64;
        let (whole, part) = ((hundredths / 100).unsigned_abs(), (hundredths % 100).unsigned_abs());
        if hundredths < 0 {
            f.write_char('-')?;
        }
        match part {
            0 => write!(f, "{whole}"),
            part if part % 10 == 0 => write!(f, "{whole}.{}", part / 10),
            part => write!(f, "{whole}.{part:02}"),
        }
    }
}

/// Bytes as text (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let of = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        let text = Text("</script><img src=\"x\" onerror='y'>&\u{202e}\0\u{ffff}").to_string();
        assert_eq!(
            text,
            "&lt;/script&gt;&lt;img src=&quot;x&quot; onerror=&#39;y&#39;&gt;&amp;\\u{202e}\\u{0}\u{fffd}"
        );
    }

    #[test]
    fn numbers_are_short() {
        let said = [0.0, 1.0, 1.5, 1.25, 0.004, -0.05, -12.5, f64::NAN].map(|n| Px(n).to_string());
        assert_eq!(said, ["0", "1", "1.5", "1.25", "0", "-0.05", "-12.5", "0"]);
    }

    #[test]
    fn bytes_are_written_as_the_standard_says() {
        let said = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(said, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn marks_without_a_width_are_cut_too() {
        let text = cut(&format!("a{}", "\u{301}".repeat(1_000_000)), 20);
        assert!(text.chars().count() <= 81 && text.ends_with('…'), "{}", text.len());
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut(&"a".repeat(100), 3), "aa…");
    }

    proptest! {
        #[test]
        fn escaped_text_has_no_markup(text in ".{0,200}") {
            let escaped = Text(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.contains(crate::text::is_unsafe));
        }
    }
}
