//! How a task went: the head of its answer, and its end.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Headers;

/// What failed: one kind for each thing that a person would do something different about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The server's name could not be resolved.
    NameLookup,
    /// No connection: refused, unreachable, or TLS failed.
    Connect,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// The task's total deadline passed.
    Deadline,
    /// No byte arrived for the stall timeout.
    Stalled,
    /// The server answered with a status that was not asked for: for a download, one that is not 200, nor a 206
    /// that covers the whole.
    Status,
    /// More redirects than allowed, or one that leads to something other than HTTP(S).
    Redirect,
    /// The body is larger than the cap.
    TooLarge,
    /// The body ended before its announced length, or the connection broke in the middle.
    Truncated,
    /// The body's digest is not the one that the server announced.
    Digest,
    /// What the server sent is not HTTP.
    Protocol,
    /// The output folder or the disk refused.
    Disk,
    /// No room is left on the disk.
    DiskFull,
    /// No thread, client or other thing that a worker is made of could be had; or the worker itself was
    /// lost, as a process is that somebody kills.
    Worker,
    /// The result is not what it must be.
    Wrong,
    /// The database refused.
    Database,
    /// The task raised an error of its own, as tasks in other programs do.
    Raised,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// The kind, for programs.
    pub kind: ErrorKind,
    /// The words, for people: what happened, and where it helps what to do next.
    pub message: String,
}

impl TaskError {
    /// The most characters of a message: it may quote a server, which may send any number of them.
    pub const LONGEST_MESSAGE: usize = 500;

    /// An error of `kind` in the words of `message`, which is cut, and then ends in `…`, where it is longer
    /// than [`Self::LONGEST_MESSAGE`].
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> TaskError {
        let mut message = message.into();
        if message.chars().nth(Self::LONGEST_MESSAGE).is_some() {
            message = message.chars().take(Self::LONGEST_MESSAGE - 1).chain(['…']).collect();
        }
        TaskError { kind, message }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did all of its work, and the result was checked.
    Done,
    /// It gave up.
    Failed(TaskError),
    /// The run was cancelled before it was finished.
    Cancelled,
    /// Its code panicked.
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The main thread ended without waiting for it, and it was cut off.
    Abandoned,
}

/// What a finished task's work was held against.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing: the server announced neither a length nor a digest.
    #[default]
    Nothing,
    /// The announced length.
    Length,
    /// The announced digest, and the length where there was one.
    Digest,
    /// What the task computed or read was held against what it must be.
    Result,
}

/// The end of one task. A finished file is `OUTPUT/RUN/NAME`, of which the plan knows all three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Bytes of the body that arrived in the last attempt.
    pub bytes: u64,
    /// Time spent inside the system calls that wrote the body's chunks, in nanoseconds: part of the
    /// receiving phase, which they interrupt, or of the writing phase where files are the work itself.
    pub write_nanos: u64,
    /// What a finished task's work was held against.
    pub check: Check,
    /// What came out, in a few words of the task's own (`664,579 primes`); none when there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// The head of an HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The protocol's version, such as `HTTP/1.1`; empty where heads are not kept.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub version: Cow<'static, str>,
    /// The body's announced length in bytes; none when the server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The address that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The URL that answered, when redirects led away from the task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirected_to: Option<String>,
    /// The headers.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_two_characters() {
        let message = |length: usize| TaskError::new(ErrorKind::Digest, "é".repeat(length)).message;
        assert_eq!(message(500), "é".repeat(500));
        assert_eq!(message(501), format!("{}…", "é".repeat(499)));
    }
}
