//! Holds a body against the digest that its server announced.

use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256, Sha512};

/// A digest that a server announced for the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced {
    algorithm: Algorithm,
    /// In base64, as announced.
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    fn of(name: &str) -> Option<Algorithm> {
        match name.to_ascii_lowercase().as_str() {
            "sha-256" => Some(Algorithm::Sha256),
            "sha-512" => Some(Algorithm::Sha512),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        }
    }
}

/// Characters of the longest digest that can be right: SHA-512 in base64.
const LONGEST: usize = 88;

impl Announced {
    /// The first digest that can be checked and is no longer than a digest can be, from `Repr-Digest` and
    /// `Content-Digest` (RFC 9530: `sha-256=:BASE64:`) and the older `Digest` (RFC 3230: `SHA-256=BASE64`). Of several
    /// for one algorithm in a field, the last counts (RFC 8941, section 4.2.2).
    pub(super) fn of(headers: &HeaderMap) -> Option<Announced> {
        let entries = |name: &str| {
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
        };
        let modern = |entry: &str| {
            let (name, value) = entry.trim().split_once('=')?;
            let value = value.split(';').next()?.trim().strip_prefix(':')?.strip_suffix(':')?;
            Some(Announced { algorithm: Algorithm::of(name.trim())?, value: value.to_owned() })
        };
        let older = |entry: &str| {
            let (name, value) = entry.trim().split_once('=')?;
            Some(Announced { algorithm: Algorithm::of(name.trim())?, value: value.trim().to_owned() })
        };
        let fields = [
            last_of_each(entries("repr-digest").filter_map(modern)),
            last_of_each(entries("content-digest").filter_map(modern)),
            last_of_each(entries("digest").filter_map(older)),
        ];
        fields.into_iter().flatten().find(|announced| announced.value.len() <= LONGEST)
    }
}

/// One digest for each algorithm, in the order in which they came first.
fn last_of_each(entries: impl Iterator<Item = Announced>) -> Vec<Announced> {
    let mut kept: Vec<Announced> = Vec::new();
    for entry in entries {
        match kept.iter_mut().find(|other| other.algorithm == entry.algorithm) {
            Some(other) => *other = entry,
            None => kept.push(entry),
        }
    }
    kept
}

/// Digests a body as it comes.
#[derive(Debug, Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    pub(super) fn new(announced: &Announced) -> Hasher {
        match announced.algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Box::default()),
        }
    }

    pub(super) fn update(&mut self, chunk: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(chunk),
            Hasher::Sha512(hasher) => hasher.update(chunk),
        }
    }

    /// Says in words what is wrong when the body is not the announced one.
    pub(super) fn check(self, announced: &Announced) -> Result<(), String> {
        let found = match self {
            Hasher::Sha256(hasher) => base64(&hasher.finalize()),
            Hasher::Sha512(hasher) => base64(&hasher.finalize()),
        };
        if found.trim_end_matches('=') == announced.value.trim_end_matches('=') {
            return Ok(());
        }
        let name = announced.algorithm.name();
        Err(format!("the body's {name} is {found}, and the server announced {}", announced.value))
    }
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let sextet = bits >> (18 - 6 * i) & 63;
            text.push(if i > group.len() { '=' } else { char::from(ALPHABET[sextet as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn announced(name: &'static str, value: &'static str) -> Option<Announced> {
        let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
        Announced::of(&HeaderMap::from_iter(headers))
    }

    #[test]
    fn base64_is_the_standards() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn digests_of_three_headers_are_checked() {
        // RFC 9530, appendix D: the digest of {"hello": "world"} and a line feed.
        let body = b"{\"hello\": \"world\"}\n";
        for (name, value) in [
            ("repr-digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
            ("content-digest", "md5=:x:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
            ("digest", "SHA-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="),
            // Of two, the last counts.
            ("repr-digest", "sha-256=:x:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
        ] {
            let announced = announced(name, value);
            assert!(announced.is_some(), "{name}");
            for announced in announced.iter() {
                let mut hasher = Hasher::new(announced);
                hasher.update(body);
                assert_eq!(hasher.clone().check(announced), Ok(()));
                hasher.update(b"!");
                assert!(hasher.check(announced).is_err());
            }
        }
    }

    #[test]
    fn a_digest_that_is_too_long_is_not_announced() {
        let announced = |length: usize| {
            let value = HeaderValue::try_from(format!("sha-512=:{}:", "a".repeat(length))).ok()?;
            Announced::of(&HeaderMap::from_iter([(HeaderName::from_static("repr-digest"), value)]))
        };
        assert!(announced(88).is_some());
        assert_eq!(announced(89), None);
    }

    #[test]
    fn what_cannot_be_checked_is_not_announced() {
        for value in ["", "sha-256", "sha-256=abc", "unixsum=:30637:", "=::"] {
            assert_eq!(announced("repr-digest", value), None, "{value}");
        }
    }
}
