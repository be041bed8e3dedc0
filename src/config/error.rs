//! What can be wrong with the settings, in words that say what to do next.

use std::io;
use std::path::{Path, PathBuf};

use super::urls::UrlsError;
use crate::text::shown;

/// Settings that can't be used. Every message is safe to show: foreign text in it is escaped.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Something in a config file is wrong. Line and column count from 1; the column counts characters.
    #[error("{file}:{line}:{column}: {message}\n{excerpt}", file = path_shown(path))]
    InFile {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong, and what is allowed.
        message: String,
        /// The line itself, with a mark below the place.
        excerpt: String,
    },
    /// A config file that was asked for can't be read.
    #[error("{file}: the config file can't be read ({cause}); name one that can, or name none", file = path_shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A config file is too long to be one.
    #[error("{file}: longer than {limit} bytes, so this is no config file of threadrace", file = path_shown(path))]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes that a config file may have.
        limit: u64,
    },
    /// A config file isn't text.
    #[error("{file}:{line}: this line isn't UTF-8; save the file as UTF-8", file = path_shown(path))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first line that isn't UTF-8, from 1.
        line: usize,
    },
    /// A variable's value is wrong.
    #[error("{message}")]
    Variable {
        /// What is wrong, and what is allowed; starts with the variable's name.
        message: String,
    },
    /// A variable that starts like ours, and that nothing reads.
    #[error("there is no variable {name}{hint}: unset it, or see `threadrace --help` for those there are")]
    UnknownVariable {
        /// Its name, safe to show.
        name: String,
        /// The one that may be meant, in brackets.
        hint: String,
    },
    /// A flag's value is wrong, by itself or beside the others.
    #[error("{message}")]
    Flag {
        /// What is wrong, and what is allowed; starts with the flag's name.
        message: String,
    },
    /// A race has one source: a scenario's origin, or URLs.
    #[error("a scenario and URLs can't be raced together: leave out '{0}', or --url and --urls")]
    ScenarioAndUrls(String),
    /// The URLs can't be used.
    #[error(transparent)]
    Urls(#[from] UrlsError),
}

/// A path, safe to show.
pub(super) fn path_shown(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// Which one may be meant, in brackets; empty when none is near.
pub(super) fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// The number, from 1, of the line in which the byte at `offset` stands.
pub(super) fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes.iter().take(offset).filter(|&&byte| byte == b'\n').count()
}
