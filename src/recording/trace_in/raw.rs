//! An event as it stands in a trace, which tracers write as they please.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// The most characters of a name that are kept.
const NAME_CHARS: usize = 200;

/// A value that tracers write as they please: ids as numbers and as texts, times as whole numbers, as fractions
/// and as texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Whole(i64),
    Real(f64),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Whole(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar<'de>, E> {
                Ok(i64::try_from(number).map_or(Scalar::Real(number as f64), Scalar::Whole))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Real(number))
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Other)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Scalar<'_> {
    /// Microseconds as nanoseconds; none where it is no number, or no time of the next or last 290 years.
    pub(super) fn nanos(&self) -> Option<i64> {
        let real = |micros: f64| {
            let nanos = (micros * 1e3).round();
            (nanos.abs() < 9e18).then_some(nanos as i64)
        };
        match self {
            Scalar::Whole(micros) => micros.checked_mul(1_000),
            Scalar::Real(micros) => real(*micros),
            Scalar::Text(text) => match text.trim().parse::<i64>() {
                Ok(micros) => micros.checked_mul(1_000),
                Err(_) => real(text.trim().parse().ok()?),
            },
            Scalar::Other => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Whole(number) => Some(*number as f64),
            Scalar::Real(number) => Some(*number),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Other => None,
        }
    }

    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Scalar::Text(text) => Some(Cow::Borrowed(text)),
            Scalar::Whole(number) => Some(number.to_string().into()),
            Scalar::Real(number) => Some(number.to_string().into()),
            Scalar::Other => None,
        }
    }

    fn key(&self) -> Key {
        match self.text() {
            Some(text) => text.trim().parse().map_or_else(|_| Key::Text(cut(&text).into()), Key::Number),
            None => Key::Number(0),
        }
    }
}

/// The id of a process or a thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Number(i64),
    Text(Box<str>),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Number(number) => number.fmt(f),
            Key::Text(text) => text.fmt(f),
        }
    }
}

/// An event as it stands in the file.
#[derive(Deserialize)]
pub(super) struct Raw<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) cat: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) ph: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) ts: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) dur: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) pid: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) tid: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) id2: Option<Members<'a>>,
    #[serde(borrow, default)]
    pub(super) scope: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) args: Option<Members<'a>>,
}

/// The members of an object that mean something here; none of what is no object.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    pub(super) name: Option<Scalar<'a>>,
    pub(super) sort_index: Option<Scalar<'a>>,
    pub(super) id: Option<Scalar<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(key) = map.next_key::<Scalar<'de>>()? {
                    let Scalar::Text(key) = key else { continue };
                    match key.as_ref() {
                        "name" => members.name = map.next_value()?,
                        "sort_index" => members.sort_index = map.next_value()?,
                        "local" | "global" => members.id = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(members)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Members<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Members::default())
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Members<'de>, E> {
                Ok(Members::default())
            }
        }
        deserializer.deserialize_any(Object)
    }
}

/// The first characters of a foreign text.
pub(super) fn cut(text: &str) -> &str {
    text.char_indices().nth(NAME_CHARS).map_or(text, |(end, _)| &text[..end])
}

/// The id, or the one of those that have none.
pub(super) fn key_of(id: &Option<Scalar<'_>>) -> Key {
    id.as_ref().map_or(Key::Number(0), Scalar::key)
}

/// What tells an async operation from others of its process: its category, its scope and its id. Their hash
/// stands for them, for there may be very many.
pub(super) fn operation_key(raw: &Raw<'_>) -> u64 {
    let id = if raw.id.is_some() { &raw.id } else { raw.id2.as_ref().map_or(&None, |id| &id.id) };
    let mut hasher = DefaultHasher::new();
    for part in [&raw.cat, &raw.scope, id] {
        part.as_ref().and_then(Scalar::text).hash(&mut hasher);
    }
    hasher.finish()
}
