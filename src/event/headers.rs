//! The headers of an answer, in one piece.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The headers of an answer, in the order of arrival: foreign text. A worker makes them for each answer while
/// it is measured, so all names and values stand in one text.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// Where in the text each name ends, and each value.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    /// No headers, with room for so many, of so many bytes in all.
    pub fn with_capacity(headers: usize, bytes: usize) -> Headers {
        Headers { text: String::with_capacity(bytes), ends: Vec::with_capacity(headers) }
    }

    /// Adds a header.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name_ends = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_ends, self.text.len()));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Each name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |&(name_ends, value_ends)| {
            let header = (&self.text[begin..name_ends], &self.text[name_ends..value_ends]);
            begin = value_ends;
            header
        })
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.push(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As a list of pairs.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
        Ok(Vec::<(String, String)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_was_put_in_and_read_as_pairs(pairs: Vec<(String, String)>) {
            let headers: Headers = pairs.iter().map(|(name, value)| (name, value)).collect();
            let all: Vec<_> = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(&all, &pairs);
            prop_assert_eq!((headers.len(), headers.is_empty()), (pairs.len(), pairs.is_empty()));
            let text = serde_json::to_string(&headers).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&pairs).unwrap());
            prop_assert_eq!(serde_json::from_str::<Headers>(&text).unwrap(), headers);
        }
    }

    #[test]
    fn equal_text_that_is_divided_otherwise_is_not_equal() {
        let of = |name, value| Headers::from_iter([(name, value)]);
        assert_ne!(of("ab", "c"), of("a", "bc"));
    }
}
