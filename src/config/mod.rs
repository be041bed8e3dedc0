//! The settings: read from flags, variables, the user's file and the built-in file, in that order of
//! precedence, and checked before anything starts.
//!
//! [`load`] is a function of its [`Sources`] and of the files that they lead to. Every setting is in one
//! table (`keys`) with its key, its variable, its flag and its rule; a value is judged by the same rule
//! wherever it comes from, also when a layer above hides it.

mod error;
mod file;
mod flags;
mod keys;
mod listing;
mod load;
mod rules;
mod scenarios;
mod settings;
#[cfg(test)]
mod tests;
mod urls;
mod variables;

pub use error::ConfigError;
pub use flags::{ConfigFlag, Flags, LookFlags, OriginFlags, time_scale_parser};
pub use listing::{Effective, Layer};
pub use load::{Sources, is_standard, load};
pub use settings::{Dashboard, FrameRate, GlyphChoice, OriginListen, Repeats, Settings, Start, ThemeName};
pub use urls::{UrlError, UrlsError, parse as parse_url, without_password};
pub use variables::help as variables_help;

use settings::{ComputationName, ContentName, Edition, LatencyName};
#[cfg(test)]
pub(crate) use {keys::flags as setting_flags, rules::RESERVED};

/// The name of the scenario that URLs make.
pub const URLS_SCENARIO: &str = "urls";

/// The edition of the keys that this program reads and writes.
const EDITION: &str = "threadrace-config-1";
/// What every edition's name starts with.
const EDITION_FAMILY: &str = "threadrace-config-";
