//! One request over HTTP and what can become of it: what every workload that speaks HTTP has in common.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use reqwest::{Client, RequestBuilder, Response, Url, Version};
use serde::{Deserialize, Serialize};

use crate::event::{ErrorKind, Fact, HEADS_KEPT, Headers, Phase, ResponseHead, TaskError};

use super::http::{ClientSettings, RedirectError, Watch, cause, client, with_causes};
use super::{TaskContext, TaskResult};

mod head;

use head::{headers_kept, redirected_to};

/// The header that tells the origin which attempt of its task a request is, from 1.
pub(super) const ATTEMPT_HEADER: &str = "threadrace-attempt";

/// The limits that every task keeps which speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For one task with all its attempts.
    pub deadline: Duration,
    /// A task fails when no byte has come for so long.
    pub stall: Duration,
    /// For opening a connection, TLS included.
    pub connect: Duration,
    /// Attempts after the first one.
    pub retries: u32,
    /// The longest wait before the first retry; it doubles with each.
    pub backoff: Duration,
    /// The longest wait before any retry.
    pub backoff_cap: Duration,
    /// The longest `Retry-After` that is honoured.
    pub retry_after_cap: Duration,
    /// The largest body, in bytes.
    pub max_bytes: u64,
    /// Redirects followed.
    pub redirects: usize,
}

/// A failed attempt, and what may come after it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: TaskError,
    next: Next,
}

/// What may come after a failed attempt.
#[derive(Debug)]
enum Next {
    /// Nothing: it would fail again.
    GiveUp,
    /// Another attempt, not before so long from now.
    Retry { after: Duration, effect: Effect },
}

/// What a failed attempt did at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it was never sent, or the server said that it did not take it up.
    None,
    /// Nobody knows.
    Unknown,
}

impl Failure {
    pub(super) fn last(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure::final_error(TaskError::new(kind, message))
    }

    pub(super) fn final_error(error: TaskError) -> Failure {
        Failure { error, next: Next::GiveUp }
    }

    pub(super) fn again(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure::retry(kind, message, Duration::ZERO, Effect::Unknown)
    }

    fn unsent(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure::retry(kind, message, Duration::ZERO, Effect::None)
    }

    fn retry(kind: ErrorKind, message: impl Into<String>, after: Duration, effect: Effect) -> Failure {
        Failure { error: TaskError::new(kind, message), next: Next::Retry { after, effect } }
    }

    /// Whether the request may have been carried out, though another attempt may follow.
    pub(super) fn effect(&self) -> Effect {
        match self.next {
            Next::GiveUp => Effect::Unknown,
            Next::Retry { effect, .. } => effect,
        }
    }

    /// The failure of a request that must not be carried out twice: it is sent again only where it is known
    /// that it was not carried out.
    pub(super) fn of_once(self) -> Failure {
        match self.next {
            Next::Retry { effect: Effect::Unknown, .. } => {
                let words =
                    format!("{}; it is not sent again, for the server may have done it", self.error.message);
                Failure::last(self.error.kind, words)
            }
            _ => self,
        }
    }
}

/// What may be done with a request that got no answer (RFC 9110, section 9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Sent again: twice does what once does.
    Freely,
    /// Nothing, unless it is known that it was not carried out.
    IfUndone,
}

/// The attempts of one task, of which each is told.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    context: &'a TaskContext,
    limits: &'a Limits,
    seed: u64,
    number: u32,
}

impl<'a> Attempts<'a> {
    /// No attempt yet; `seed` decides the waits.
    pub(super) fn new(context: &'a TaskContext, limits: &'a Limits, seed: u64) -> Attempts<'a> {
        Attempts { context, limits, seed, number: 0 }
    }

    /// Begins the next attempt; the first is number 1.
    pub(super) fn begin(&mut self) -> u32 {
        self.number = self.number.saturating_add(1);
        let number = self.number;
        self.context.set_bytes(0);
        self.context.emit(|run, task| Fact::AttemptStarted { run, task, number });
        number
    }

    /// Which attempt it is, from 1; 0 before the first.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The attempt failed: how long to wait before the next one, which the task has begun to do.
    ///
    /// # Errors
    /// When there is no next one.
    pub(super) fn back_off(&self, failure: Failure) -> Result<Duration, TaskError> {
        let wait = match failure.next {
            Next::Retry { after, .. } if self.number <= self.limits.retries => after.max(self.jitter()),
            _ => return Err(failure.error),
        };
        let error = Box::new(failure.error);
        self.context.emit(|run, task| Fact::AttemptFailed { run, task, error });
        self.context.enter(Phase::BackingOff);
        Ok(wait)
    }

    /// A random wait before the retry that follows this attempt: "full jitter", evenly spread from zero to
    /// `min(cap, backoff × 2^(number-1))`.
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    fn jitter(&self) -> Duration {
        let factor = 2_u32.checked_pow(self.number.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.limits.backoff.checked_mul(factor).unwrap_or(Duration::MAX);
        let key = self.seed ^ (u64::from(self.context.task().0) << 32 | u64::from(self.number));
        longest.min(self.limits.backoff_cap).mul_f64(crate::chance::unit_of_key(key))
    }
}

/// Does the work of a task within its deadline.
pub(super) fn in_time(
    deadline: Duration,
    work: impl Future<Output = Result<TaskResult, TaskError>>,
) -> impl Future<Output = Result<TaskResult, TaskError>> {
    tokio::time::timeout(deadline, work).map(move |ended| {
        ended.unwrap_or_else(|_| {
            let words = format!("not finished within {} (download.timeout_seconds)", seconds(deadline));
            Err(TaskError::new(ErrorKind::Deadline, words))
        })
    })
}

/// A worker's own client, and the watch that sees it connect.
#[derive(Debug)]
pub(super) struct Caller {
    client: Client,
    watch: Watch,
}

impl Caller {
    /// # Errors
    /// When no client can be made; the worker's tasks then fail with that error.
    pub(super) fn new(settings: &ClientSettings) -> Result<Caller, TaskError> {
        let watch = Watch::default();
        let client = client(settings, &watch).map_err(|error| {
            let words = format!("no HTTP client could be made: {}", with_causes(&error));
            TaskError::new(ErrorKind::Worker, words)
        })?;
        Ok(Caller { client, watch })
    }

    /// Sends the request that `make` makes and waits for the head of the answer, no longer than `stall`
    /// while it is the server's turn. A server may close a kept connection at any time: a request that dies
    /// on one before its answer is sent once more where it may be repeated, which is no new attempt
    /// (RFC 9112, section 9.3.1).
    pub(super) async fn send(
        &self,
        context: &TaskContext,
        stall: Duration,
        repeat: Repeat,
        make: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let watching = self.watch.begin(context);
        match self.send_once(stall, make(&self.client)).await {
            Err(failure)
                if failure.error.kind == ErrorKind::Truncated
                    && repeat == Repeat::Freely
                    && watching.on_kept_connection() =>
            {
                watching.restart();
                self.send_once(stall, make(&self.client)).await
            }
            sent => sent,
        }
    }

    async fn send_once(&self, stall: Duration, request: RequestBuilder) -> Result<Response, Failure> {
        let mut sending = pin!(request.send());
        let mut sending = pin!(poll_fn(|polled| {
            let state = sending.as_mut().poll(polled);
            self.watch.moved();
            state
        }));
        loop {
            let left = self.watch.waited().map_or(stall, |waited| stall.saturating_sub(waited));
            if left.is_zero() {
                let words = format!("no answer for {} (download.stall_seconds)", seconds(stall));
                return Err(Failure::again(ErrorKind::Stalled, words));
            }
            match tokio::time::timeout(left, sending.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(request_failure(&error)),
                Err(_) => {}
            }
        }
    }
}

/// The next chunk of a body of which so many bytes of `length` are here; none at its end.
///
/// # Errors
/// When none came for `stall`, or the connection broke.
pub(super) async fn next_chunk(
    response: &mut Response,
    stall: Duration,
    bytes: u64,
    length: Option<u64>,
) -> Result<Option<Bytes>, Failure> {
    let next = tokio::time::timeout(stall, response.chunk()).await;
    next.map_err(|_| stalled(stall, bytes, length))?.map_err(|error| body_failure(&error, bytes, length))
}

/// The body's length, where the answer says it. `Transfer-Encoding` overrides `Content-Length` (RFC 9112,
/// section 6.3).
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Tells the head of an answer to a request for `asked`; where few heads are kept, of the others only the
/// length.
pub(super) fn tell_head(context: &TaskContext, asked: &Url, response: &Response, length: Option<u64>) {
    if context.task().0 >= HEADS_KEPT {
        if length.is_some() {
            let head = ResponseHead {
                status: response.status().as_u16(),
                version: Cow::Borrowed(""),
                length,
                remote: None,
                redirected_to: None,
                headers: Headers::default(),
            };
            context.emit(|run, task| Fact::ResponseArrived { run, task, head: Arc::new(head) });
        }
        return;
    }
    let head = ResponseHead {
        status: response.status().as_u16(),
        version: Cow::Borrowed(version_name(response.version())),
        length,
        remote: response.remote_addr().map(|address| address.to_string()),
        redirected_to: redirected_to(asked, response.url()),
        headers: headers_kept(response.headers()),
    };
    context.emit(|run, task| Fact::ResponseArrived { run, task, head: Arc::new(head) });
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP",
    }
}

/// What an answer means whose status is not the one that was asked for.
pub(super) fn status_failure(response: &Response, limits: &Limits) -> Failure {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or("no standard meaning");
    let words = format!("the server answered {} ({reason})", status.as_u16());
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        return Failure::last(ErrorKind::Redirect, format!("{words}, and where that leads is not followed"));
    }
    let may_pass = matches!(status.as_u16(), 408 | 429) || status.is_server_error();
    if !may_pass {
        return Failure::last(ErrorKind::Status, words);
    }
    let after = retry_after(response.headers(), SystemTime::now()).unwrap_or_default();
    if after > limits.retry_after_cap {
        const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        let long = if after > LONG { "for ever".to_owned() } else { format!("{} s", after.as_secs()) };
        let words =
            format!("{words} and asks to wait {long}, more than download.retry_after_cap_seconds allows");
        return Failure::last(ErrorKind::Status, words);
    }
    // These two say that the request was turned away (RFC 6585, section 4; RFC 9110, section 15.6.4).
    let turned_away = matches!(status.as_u16(), 429 | 503);
    let effect = if turned_away { Effect::None } else { Effect::Unknown };
    Failure::retry(ErrorKind::Status, words, after, effect)
}

/// A body that ended early.
pub(super) fn ended_early(bytes: u64, length: u64) -> Failure {
    Failure::again(ErrorKind::Truncated, format!("the body ended after {bytes} of {length} bytes"))
}

/// How long a `Retry-After` asks to wait: seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than can be counted are still no leave to come back at once.
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

pub(super) fn too_large(limits: &Limits) -> Failure {
    let words = format!("the body is larger than {} bytes (download.max_bytes)", limits.max_bytes);
    Failure::last(ErrorKind::TooLarge, words)
}

fn stalled(stall: Duration, bytes: u64, length: Option<u64>) -> Failure {
    let of = length.map_or_else(String::new, |length| format!(" of {length}"));
    let words = format!("no byte for {} after {bytes}{of} (download.stall_seconds)", seconds(stall));
    Failure::again(ErrorKind::Stalled, words)
}

/// What an error before the head of the answer means.
fn request_failure(error: &reqwest::Error) -> Failure {
    let words = words_of(error);
    if let Some(redirect) = cause::<RedirectError>(error) {
        return Failure::last(ErrorKind::Redirect, redirect.to_string());
    }
    if error.is_redirect() {
        return Failure::last(ErrorKind::Redirect, words);
    }
    if error.is_dns() {
        return Failure::unsent(ErrorKind::NameLookup, words);
    }
    if error.is_connect() && error.is_timeout() {
        return Failure::unsent(ErrorKind::ConnectTimeout, format!("{words} (download.connect_seconds)"));
    }
    if error.is_connect() {
        return Failure::unsent(ErrorKind::Connect, words);
    }
    match cause::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse() || hyper.is_parse_too_large() => {
            Failure::last(ErrorKind::Protocol, format!("the answer is not HTTP: {words}"))
        }
        _ => Failure::again(ErrorKind::Truncated, format!("the connection broke before an answer: {words}")),
    }
}

/// What an error in the middle of the body means.
fn body_failure(error: &reqwest::Error, bytes: u64, length: Option<u64>) -> Failure {
    let words = words_of(error);
    let broke = cause::<hyper::Error>(error).is_some_and(|e| e.is_incomplete_message() || e.is_closed())
        || cause::<io::Error>(error).is_some_and(|e| {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
            matches!(e.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        });
    if broke {
        let of = length.map_or_else(String::new, |length| format!(" of {length}"));
        return Failure::again(
            ErrorKind::Truncated,
            format!("the connection broke after {bytes}{of} bytes: {words}"),
        );
    }
    Failure::last(ErrorKind::Protocol, format!("the body is not valid HTTP: {words}"))
}

/// The causes of a reqwest error without its own first line, which repeats the URL.
fn words_of(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| error.to_string(), with_causes)
}

/// Seconds as a setting would say them.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers =
            |value: &'static str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            ("3", Some(3)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-3", None),
            ("soon", None),
        ];
        for (value, wait) in cases {
            assert_eq!(retry_after(&headers(value), now), wait.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&headers("99999999999999999999999"), now), Some(Duration::MAX));
    }

    #[test]
    fn what_may_have_been_done_is_not_asked_for_twice() {
        let again = Failure::again(ErrorKind::Truncated, "it broke").of_once();
        assert!(matches!(again.next, Next::GiveUp));
        assert_eq!(again.error.kind, ErrorKind::Truncated);
        assert!(again.error.message.starts_with("it broke; it is not sent again"), "{}", again.error.message);
        let unsent = Failure::unsent(ErrorKind::Connect, "refused").of_once();
        assert!(matches!(unsent.next, Next::Retry { effect: Effect::None, .. }));
        assert_eq!(unsent.error.message, "refused");
    }
}
