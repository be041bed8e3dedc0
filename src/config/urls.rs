//! URLs that somebody gave to race: checked before anything starts, and shown without their passwords.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

use reqwest::Url;
use url::ParseError;

use super::error::line_of;
use crate::text::shown;

/// The most URLs in one race.
pub const MOST_URLS: usize = 1_000_000;
/// The most bytes of a list of URLs: 256 MiB.
pub const LONGEST_LIST: u64 = 256 << 20;

/// URLs that can't be raced.
#[derive(Debug, thiserror::Error)]
pub enum UrlsError {
    /// One of them is wrong.
    #[error("{place}: {url}: {why}")]
    Wrong {
        /// Where it stands: `--url`, or the list and the line.
        place: String,
        /// The URL, safe to show.
        url: String,
        /// What is wrong with it.
        why: UrlError,
    },
    /// The list has none.
    #[error("{list}: there is no URL in it; write one a line")]
    Empty {
        /// The list.
        list: String,
    },
    /// There are too many.
    #[error("more than {MOST_URLS} URLs; race fewer at a time")]
    TooMany,
    /// The list is too long.
    #[error("{list}: longer than 256 MiB; race fewer URLs at a time")]
    TooLong {
        /// The list.
        list: String,
    },
    /// The list isn't text.
    #[error("{list}:{line}: this line isn't UTF-8; save the list as UTF-8, one URL a line")]
    NotUtf8 {
        /// The list.
        list: String,
        /// The first line that isn't UTF-8, from 1.
        line: usize,
    },
    /// The list can't be read.
    #[error(
        "{list}: the list of URLs can't be read ({cause}); check the path, or pipe the list into --urls -"
    )]
    Unreadable {
        /// The list.
        list: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// Why a text is not a URL that can be raced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It isn't one; the parser's words.
    #[error("this is no URL ({0}); write it in full, such as https://example.org/file")]
    NoUrl(String),
    /// It is one for another protocol; the scheme.
    #[error("{0} is not supported; only http and https are")]
    Scheme(String),
    /// It names no server.
    #[error("it names no host")]
    NoHost,
}

/// Reads one URL.
///
/// # Errors
///
/// It is none, or not for HTTP(S).
pub fn parse(text: &str) -> Result<Url, UrlError> {
    let no_scheme = || UrlError::NoUrl("it does not begin with http:// or https://".to_owned());
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => no_scheme(),
        error => UrlError::NoUrl(error.to_string()),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(match scheme_of(text) {
            Some(_) => UrlError::Scheme(shown(url.scheme()).into_owned()),
            // What stands before the colon may be somebody's name or token: user:password@host.
            None => no_scheme(),
        });
    }
    if !url.has_host() {
        return Err(UrlError::NoHost);
    }
    Ok(url)
}

/// Reads URLs one after the other, of which many are of one server: for those in a row that have the same
/// scheme, user, host and port, written alike, that is read only once. It takes most of the time, and a list
/// may have a million lines.
#[derive(Debug, Default)]
struct Neighbours {
    /// The last URL that was read in full, and its text up to the path.
    last: Option<(Url, String)>,
}

impl Neighbours {
    fn parse(&mut self, text: &str) -> Result<Url, UrlError> {
        if let Some((last, before)) = &self.last
            && let Some(path) = text.strip_prefix(before.as_str())
            && stands_alone(path)
            && let Ok(url) = last.join(path)
        {
            return Ok(url);
        }
        let url = parse(text)?;
        self.last = before_path(text).map(|before| (url.clone(), before.to_owned()));
        Ok(url)
    }

    /// Reads a URL that stands at a place.
    fn checked(&mut self, text: &str, place: impl FnOnce() -> String) -> Result<Url, UrlsError> {
        self.parse(text).map_err(|why| UrlsError::Wrong { place: place(), url: excerpt(text), why })
    }
}

/// What leads up to a URL's path, where that begins with a single slash.
fn before_path(url: &str) -> Option<&str> {
    let authority = url.find("://")? + "://".len();
    let end = authority + url[authority..].find(['/', '\\', '?', '#'])?;
    url[end..].starts_with('/').then(|| &url[..end])
}

/// Whether a text means the same after a server's name as it does in relation to a URL of that server: it is a
/// path from the root, and no slash after the first makes it the name of another server (URL Standard,
/// "relative slash state"). Tabs and line ends, which are left out before a URL is looked at, could hide one.
fn stands_alone(path: &str) -> bool {
    let mut bytes = path.bytes();
    bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The scheme that a text begins with, with the two slashes that tell it from a user before a password.
fn scheme_of(text: &str) -> Option<&str> {
    // What is left out before a URL is looked at.
    let text = text.trim_start_matches(|letter: char| letter <= ' ');
    let colon = text.find(|letter: char| !letter.is_ascii_alphanumeric() && !"+-.".contains(letter))?;
    let is_one = colon > 0 && text[colon..].starts_with("://");
    is_one.then(|| &text[..colon + "://".len()])
}

/// `url` as it may be shown: with `***` for the password, or for the user where there is no password, for
/// that is usually a token; and with nothing that a terminal would obey.
pub fn without_password(url: &str) -> Cow<'_, str> {
    match Url::parse(url) {
        Ok(mut parsed) if matches!(parsed.scheme(), "http" | "https") => {
            let hidden = match (parsed.username(), parsed.password()) {
                ("", None) => return shown(url),
                (_, Some(_)) => parsed.set_password(Some("***")),
                (_, None) => parsed.set_username("***"),
            };
            if hidden.is_err() {
                return shown(url);
            }
            Cow::Owned(shown(parsed.as_str()).into_owned())
        }
        // What is no URL of ours may hold a password all the same: hide all that stands before an @, also before
        // one that was escaped or is a wide one.
        _ => match ["@", "%40", "＠"].into_iter().filter_map(|at| url.rfind(at)).max() {
            Some(end) => {
                let scheme = scheme_of(&url[..end]).unwrap_or_default();
                Cow::Owned(shown(&format!("{scheme}***{}", &url[end..])).into_owned())
            }
            None => shown(url),
        },
    }
}

/// URLs to race: at least one, each of them checked.
#[derive(Debug)]
pub(super) struct UrlList(Vec<Url>);

impl UrlList {
    /// The URLs of `--url`, then those of the list of `--urls`: its name to show, and its bytes.
    pub(super) fn read(flags: &[String], list: Option<(&str, &mut dyn Read)>) -> Result<UrlList, UrlsError> {
        let (mut urls, mut neighbours) = (Vec::new(), Neighbours::default());
        for text in flags {
            urls.push(neighbours.checked(text, || "--url".to_owned())?);
        }
        if let Some((name, reader)) = list {
            let list = shown(name).into_owned();
            let bytes = bytes_of(reader, &list, LONGEST_LIST)?;
            add_lines(&mut urls, &bytes, &list)?;
        }
        if urls.len() > MOST_URLS {
            return Err(UrlsError::TooMany);
        }
        Ok(UrlList(urls))
    }

    /// Keeps the first `most`.
    pub(super) fn keep(&mut self, most: usize) {
        self.0.truncate(most);
    }

    /// The URLs, passwords and all.
    pub(super) fn into_urls(self) -> Arc<[Url]> {
        self.0.into()
    }
}

fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = without_password(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

fn bytes_of(reader: &mut dyn Read, list: &str, most: u64) -> Result<Vec<u8>, UrlsError> {
    let list = list.to_owned();
    let mut bytes = Vec::new();
    match reader.take(most + 1).read_to_end(&mut bytes) {
        Err(cause) => Err(UrlsError::Unreadable { list, cause }),
        Ok(_) if bytes.len() as u64 > most => Err(UrlsError::TooLong { list }),
        Ok(_) => Ok(bytes),
    }
}

fn add_lines(urls: &mut Vec<Url>, bytes: &[u8], list: &str) -> Result<(), UrlsError> {
    let text = str::from_utf8(bytes).map_err(|error| UrlsError::NotUtf8 {
        list: list.to_owned(),
        line: line_of(bytes, error.valid_up_to()),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = urls.len();
    let mut neighbours = Neighbours::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if urls.len() == MOST_URLS {
            return Err(UrlsError::TooMany);
        }
        urls.push(neighbours.checked(line, || format!("{list}:{}", index + 1))?);
    }
    if urls.len() == before {
        return Err(UrlsError::Empty { list: list.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        UrlList::read(&[], Some(("urls.txt", &mut &*bytes)))
            .map(|list| list.0.into_iter().map(String::from).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_is_one_url_a_line() {
        let list = b"\xef\xbb\xbf# pictures\r\nhttp://a.example/1\r\n\r\n  https://b.example/2  \n#x\nhttp://[::1]:80/3";
        assert_eq!(
            read(list),
            Ok(["http://a.example/1", "https://b.example/2", "http://[::1]/3"].map(String::from).into())
        );
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (line, told) in [
            (
                "example.org/x",
                "urls.txt:3: example.org/x: this is no URL (it does not begin with http:// or https://)",
            ),
            (
                "ftp://example.org/x",
                "urls.txt:3: ftp://example.org/x: ftp is not supported; only http and https",
            ),
            ("file:///etc/passwd", "urls.txt:3: file:///etc/passwd: file is not supported"),
            ("http://", "urls.txt:3: http://: this is no URL (empty host)"),
            (
                "token:x@example.org",
                "urls.txt:3: ***@example.org: this is no URL (it does not begin with http:// or https://)",
            ),
            (
                "http://u:secret@host:99999/",
                "urls.txt:3: http://***@host:99999/: this is no URL (invalid port",
            ),
            (
                "http://u:secret@\u{202e} \u{1b}[2J",
                "urls.txt:3: http://***@\\u{202e} \\u{1b}[2J: this is no URL",
            ),
        ] {
            let list = format!("# one\nhttp://a.example/\n{line}\n");
            let error = read(list.as_bytes()).err().unwrap_or_default();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn lists_without_urls_or_without_text_are_refused() {
        assert_eq!(read(b"\n# none\n"), Err("urls.txt: there is no URL in it; write one a line".to_owned()));
        assert!(read(b"").is_err());
        assert!(
            read(b"http://a.example/\n\xff")
                .is_err_and(|told| told.starts_with("urls.txt:2: this line isn't UTF-8"))
        );
    }

    #[test]
    fn there_is_a_most() {
        let list = "http://a\n".repeat(MOST_URLS + 1);
        assert!(read(list.as_bytes()).is_err_and(|told| told.starts_with("more than 1000000 URLs")));
        let told = bytes_of(&mut io::repeat(b'\n'), "endless", 100).map_err(|error| error.to_string());
        assert!(told.is_err_and(|told| told.starts_with("endless: longer than 256 MiB")));
        assert_eq!(bytes_of(&mut &b"12345"[..], "short", 5).map(|bytes| bytes.len()).ok(), Some(5));
    }

    #[test]
    fn passwords_are_never_shown() {
        assert_eq!(without_password("https://me:secret@example.org/a?b"), "https://me:***@example.org/a?b");
        assert_eq!(without_password("https://token@example.org/a"), "https://***@example.org/a");
        assert_eq!(without_password("https://token:@example.org/a"), "https://***@example.org/a");
        assert_eq!(without_password("https://@example.org/a"), "https://@example.org/a");
        assert_eq!(without_password("https:me:secret@example.org"), "https://me:***@example.org/");
        assert_eq!(without_password("https://me:secret@ex ample.org"), "https://***@ex ample.org");
        assert_eq!(without_password("me:secret@example.org"), "***@example.org");
        assert_eq!(without_password("ftp://me:secret@example.org"), "ftp://***@example.org");
        assert_eq!(without_password(" ftp://me:secret@example.org"), "ftp://***@example.org");
        assert_eq!(without_password("://me:secret@example.org"), "***@example.org");
        assert_eq!(without_password("http://me:secret%40example.org"), "http://***%40example.org");
        assert_eq!(without_password("http://me:secret＠example.org"), "http://***＠example.org");
        assert_eq!(without_password("x:/me:secret@//@"), "***@");
        assert_eq!(without_password("x:/me:secret@//@example.org"), "***@example.org");
    }

    proptest! {
        #[test]
        fn a_url_means_the_same_whatever_stands_before_it(
            lines in proptest::collection::vec(
                "(http|HTTP|https|ftp)://(u:p@)?(a\\.example|A\\.example|127\\.1|\\[::1\\]|x y)(:8[01])?[/?#\\\\:@.%2fé\ta]{0,6}",
                1..8,
            ),
        ) {
            let mut neighbours = Neighbours::default();
            for line in &lines {
                prop_assert_eq!(neighbours.parse(line), parse(line), "{}", line);
            }
        }

        #[test]
        fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_password_gets_through(
            before in "(https?:/{0,3}|ftp://|[a-z]{1,4}:/{0,3}|)", user in "[a-g@%:]{1,4}",
            at in "@|%40|＠", host in "\\PC{0,12}",
            end in "[/?#]?\\PC{0,5}",
        ) {
            prop_assume!(!host.contains("s3cret") && !end.contains("s3cret"));
            let url = format!("{before}{user}:s3cret{at}{host}");
            let told = without_password(&url);
            prop_assert!(!told.contains("s3cret"), "{}", told);
            let told = read(format!("{url}{end}").as_bytes());
            prop_assert!(told.err().is_none_or(|told| !told.contains("s3cret")));
        }
    }
}
