//! What is kept of the head of an answer. A server may send a hundred headers of kilobytes each, for every
//! task: what is kept of them is bounded by size as well as by number.

use std::borrow::Cow;

use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::event::Headers;

/// Headers kept of one answer.
const MOST_HEADERS: usize = 64;

/// Bytes kept of one header's value.
const LONGEST_VALUE: usize = 512;

/// Bytes kept of all headers of one answer, names and values.
const MOST_BYTES: usize = 8 * 1024;

/// Bytes kept of a URL.
const LONGEST_URL: usize = 2048;

/// The first headers, each value cut at [`LONGEST_VALUE`]. Where some had to be left out, a last entry named
/// `…` says how many.
pub(super) fn headers_kept(headers: &HeaderMap) -> Headers {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    let mut kept = Headers::with_capacity(headers.len().min(MOST_HEADERS), bytes.min(MOST_BYTES));
    let mut bytes = 0;
    for (name, value) in headers.iter().take(MOST_HEADERS) {
        // Four bytes more than fit tell that it must be cut, and where a character ends.
        let value = value.as_bytes();
        let value = String::from_utf8_lossy(&value[..value.len().min(LONGEST_VALUE + 4)]);
        let value = cut(&value, LONGEST_VALUE);
        bytes += name.as_str().len() + value.len();
        if bytes > MOST_BYTES {
            break;
        }
        kept.push(name.as_str(), &value);
    }
    match headers.len() - kept.len() {
        0 => {}
        1 => kept.push("…", "1 more header"),
        more => kept.push("…", &format!("{more} more headers")),
    }
    kept
}

/// Where the answer came from, when that is not what was asked for: without user, password and fragment,
/// which are shown to nobody and lead nowhere else.
pub(super) fn redirected_to(asked: &Url, answered: &Url) -> Option<String> {
    if asked == answered {
        return None;
    }
    let (asked, answered) = (bare(asked), bare(answered));
    (asked != answered).then(|| cut(answered.as_str(), LONGEST_URL).into_owned())
}

fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    // These fail only where a URL can have no user and no password.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The text, or the characters of its first `most` bytes and `…`.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn header(number: usize, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::try_from(format!("x-{number}")).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    }

    #[test]
    fn what_is_left_out_is_counted() {
        for (headers, kept, told) in
            [(64, 64, None), (65, 64, Some("1 more header")), (76, 64, Some("12 more headers"))]
        {
            let map: HeaderMap = (0..headers).filter_map(|number| header(number, b"y")).collect();
            let found = headers_kept(&map);
            let last = found.iter().last().filter(|(name, _)| *name == "…").map(|(_, value)| value);
            assert_eq!((found.len() - usize::from(last.is_some()), last), (kept, told));
        }
    }

    #[test]
    fn a_long_value_is_cut_between_two_characters() {
        let value = |text: &str| {
            let map: HeaderMap = header(0, text.as_bytes()).into_iter().collect();
            headers_kept(&map).iter().last().map(|(_, value)| value.to_owned())
        };
        let fits = "é".repeat(256);
        assert_eq!(value(&fits), Some(fits.clone()));
        assert_eq!(value(&format!("{fits}.")), Some(format!("{fits}…")));
        assert_eq!(value(&format!("a{fits}")), Some(format!("a{}…", "é".repeat(255))));
    }

    #[test]
    fn only_another_place_is_a_redirect_and_it_is_shown_bare() -> Result<(), url::ParseError> {
        let asked = Url::parse("http://me:secret@example.org/a#here")?;
        for (answered, told) in [
            ("http://example.org/a", None),
            ("http://you:other@example.org/a#there", None),
            ("http://you:other@example.org/b?c#there", Some("http://example.org/b?c")),
            ("https://example.org/a", Some("https://example.org/a")),
        ] {
            assert_eq!(redirected_to(&asked, &Url::parse(answered)?).as_deref(), told);
        }
        let long = Url::parse(&format!("http://example.org/{}", "a".repeat(10_000)))?;
        assert_eq!(redirected_to(&asked, &long).map(|url| url.len()), Some(LONGEST_URL + "…".len()));
        Ok(())
    }

    proptest! {
        #[test]
        fn no_head_is_kept_larger_than_it_may_be(
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 0..80),
        ) {
            let map: HeaderMap =
                values.iter().enumerate().filter_map(|(number, value)| header(number, value)).collect();
            let kept = headers_kept(&map);
            prop_assert!(kept.len() <= MOST_HEADERS + 1);
            let bytes: usize = kept.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert!(bytes <= MOST_BYTES + "…99 more headers".len());
            prop_assert!(kept.iter().all(|(_, value)| value.len() <= LONGEST_VALUE + "…".len()));
        }
    }
}
