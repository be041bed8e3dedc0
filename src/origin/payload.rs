//! Bytes that are served without being copied, and the headers that describe them.

use bytes::Bytes;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

/// Some bytes of a shared block: `len` of them from `start`, going round at the block's end, so that a body
/// of any length costs no memory.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    block: Bytes,
    start: usize,
    len: u64,
}

impl Payload {
    /// All of `bytes`, once.
    pub(super) fn whole(bytes: Bytes) -> Payload {
        let len = bytes.len() as u64;
        Payload { block: bytes, start: 0, len }
    }

    /// `len` bytes of `block`, round and round from `start`. An empty block makes an empty payload.
    pub(super) fn round(block: Bytes, start: usize, len: u64) -> Payload {
        if block.is_empty() {
            Payload::whole(block)
        } else {
            Payload { start: start % block.len(), block, len }
        }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Up to `most` bytes from `offset`: fewer at the block's end, none at the payload's end.
    pub(super) fn slice(&self, offset: u64, most: usize) -> Bytes {
        let left = self.len.saturating_sub(offset);
        if left == 0 {
            return Bytes::new();
        }
        let size = self.block.len() as u64;
        let begin = ((self.start as u64 + offset % size) % size) as usize;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        self.block.slice(begin..begin.saturating_add(most).min(self.block.len()))
    }

    fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut offset = 0;
        loop {
            let piece = self.slice(offset, usize::MAX);
            if piece.is_empty() {
                return hash.finalize().into();
            }
            hash.update(&piece);
            offset += piece.len() as u64;
        }
    }
}

/// A representation: bytes, what they are, and how a client can check them.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) payload: Payload,
    pub(super) media_type: HeaderValue,
    pub(super) etag: HeaderValue,
    /// The value of `Repr-Digest` (RFC 9530).
    pub(super) digest: Option<HeaderValue>,
}

impl Piece {
    /// A representation with its digest; the ETag is the digest's beginning.
    pub(super) fn digested(payload: Payload, media_type: &'static str) -> Piece {
        let sum = payload.sha256();
        let tag: String = sum[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Piece {
            payload,
            media_type: HeaderValue::from_static(media_type),
            etag: value(&format!("\"{tag}\"")),
            digest: Some(value(&format!("sha-256=:{}:", base64(&sum)))),
        }
    }

    /// A representation too large to be read beforehand; `identity` must differ where the bytes do.
    pub(super) fn undigested(payload: Payload, media_type: &'static str, identity: u64) -> Piece {
        Piece {
            payload,
            media_type: HeaderValue::from_static(media_type),
            etag: value(&format!("\"{identity:016x}\"")),
            digest: None,
        }
    }
}

/// A header value of text that is known to be ASCII; anything else becomes empty.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base64_matches_the_rfcs_examples() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn the_digest_is_the_one_of_the_bytes() {
        let piece = Piece::digested(Payload::whole(Bytes::from_static(b"abc")), "text/plain");
        let digest = piece.digest.as_ref().and_then(|digest| digest.to_str().ok());
        assert_eq!(digest, Some("sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"), "FIPS 180-2, B.1");
        assert_eq!(piece.etag, "\"ba7816bf8f01cfea\"");
    }

    #[test]
    fn a_body_larger_than_the_memory_has_an_end() {
        let payload = Payload::round(Bytes::from(vec![7; 1024]), 5, 1 << 40);
        assert_eq!(payload.slice((1 << 40) - 3, 1000).len(), 3);
        assert!(payload.slice(1 << 40, 1000).is_empty());
        assert_eq!(Payload::round(Bytes::new(), 5, 10).len(), 0);
    }

    proptest! {
        #[test]
        fn slices_put_together_are_the_block_going_round(
            block in proptest::collection::vec(any::<u8>(), 1..50), start: usize, len in 0_u64..200, most in 1_usize..60,
        ) {
            let first = start % block.len();
            let expected: Vec<u8> = block.iter().copied().cycle().skip(first).take(len as usize).collect();
            let payload = Payload::round(Bytes::from(block), start, len);
            let mut all = Vec::new();
            loop {
                let piece = payload.slice(all.len() as u64, most);
                prop_assert!(piece.len() <= most);
                if piece.is_empty() { break }
                all.extend_from_slice(&piece);
            }
            prop_assert_eq!(all, expected);
        }
    }
}
