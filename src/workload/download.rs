//! The workload `download`: streams bodies to files, and believes nobody.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use reqwest::{Response, StatusCode, Url, Version};
use serde::{Deserialize, Serialize};

use crate::event::{Check, ErrorKind, Fact, HEADS_KEPT, Phase, ResponseHead, TaskError, TaskId};

use super::http::{
    ClientSettings, ProxyUse, RedirectError, Resolved, Tls, Watch, cause, client, with_causes,
};
use super::output::{PartFile, RunFolder, disk_error};
use super::{Session, TargetPlan, TaskContext, TaskFault, TaskFuture, TaskResult, WorkPlan, Workload};

mod digest;
mod head;

use digest::{Announced, Hasher};
use head::{headers_kept, redirected_to};

/// The limits that every download keeps.
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

/// One thing to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub url: Url,
    /// The file's name in the run's folder.
    pub name: String,
    /// How its task body behaves.
    pub conduct: Conduct,
}

/// How a task body behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conduct {
    /// As written.
    Normal,
    /// It panics when its body arrives, because the scenario shows what a panic costs.
    Panics,
}

/// Who the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The embedded origin: it is told the attempt, and no proxy stands between.
    Origin,
    /// Anybody.
    Foreign,
}

/// The downloads of one race. A run adds the folder that it writes to.
#[derive(Debug, Clone)]
pub struct Downloads {
    targets: Arc<[Target]>,
    limits: Arc<Limits>,
    client: ClientSettings,
    server: Server,
    seed: u64,
}

impl Downloads {
    /// The downloads of `targets`; `seed` decides the jitter of retries.
    pub fn new(
        targets: Vec<Target>,
        limits: Limits,
        server: Server,
        tls: Tls,
        resolved: Resolved,
        seed: u64,
    ) -> Downloads {
        let proxy = match server {
            Server::Origin => ProxyUse::None,
            Server::Foreign => ProxyUse::of_variables(std::env::vars_os().map(|(name, _)| name)),
        };
        let client = ClientSettings {
            tls,
            resolved: Arc::new(resolved),
            connect_timeout: limits.connect,
            redirects: limits.redirects,
            proxy,
        };
        Downloads { targets: targets.into(), limits: Arc::new(limits), client, server, seed }
    }

    /// The workload of one run, which writes to `folder`.
    pub fn into_folder(&self, folder: RunFolder) -> Download {
        Download { shared: self.clone(), folder }
    }
}

/// The downloads of one run.
#[derive(Debug, Clone)]
pub struct Download {
    shared: Downloads,
    folder: RunFolder,
}

impl Workload for Download {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        let watch = Watch::default();
        let client = client(&self.shared.client, &watch).map_err(|error| {
            let words = format!("no HTTP client could be made: {}", with_causes(&error));
            TaskError::new(ErrorKind::Worker, words)
        })?;
        Ok(Box::new(DownloadSession { download: self.clone(), client, watch }))
    }

    fn plan(&self) -> Option<WorkPlan> {
        let Downloads { targets, limits, client, server, seed } = &self.shared;
        let target = |target: &Target| TargetPlan {
            url: target.url.to_string(),
            name: target.name.clone(),
            conduct: target.conduct,
        };
        Some(WorkPlan::Download {
            targets: targets.iter().map(target).collect(),
            limits: (**limits).clone(),
            server: *server,
            resolved: (*client.resolved).clone(),
            seed: *seed,
            folder: self.folder.path().to_owned(),
        })
    }

    fn done_elsewhere(&self, task: TaskId, bytes: Option<u64>) -> Result<(), TaskError> {
        let missing = || TaskError::new(ErrorKind::Worker, "the run has no such task");
        let target = self.shared.targets.get(task.index()).ok_or_else(missing)?;
        let there = self.folder.note(&target.name).map_err(|error| {
            TaskError::new(
                ErrorKind::Wrong,
                format!("it was told to be done, and its file can't be read: {error}"),
            )
        })?;
        match bytes.filter(|&bytes| bytes != there) {
            Some(bytes) => {
                let words = format!("it was told to have {bytes} bytes, and its file has {there}");
                Err(TaskError::new(ErrorKind::Wrong, words))
            }
            None => Ok(()),
        }
    }

    fn clear_elsewhere(&self, task: TaskId) {
        if let Some(target) = self.shared.targets.get(task.index()) {
            self.folder.clear(&target.name);
        }
    }
}

#[derive(Debug)]
struct DownloadSession {
    download: Download,
    client: reqwest::Client,
    watch: Watch,
}

impl Session for DownloadSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let deadline = self.download.shared.limits.deadline;
            let done = match tokio::time::timeout(deadline, self.attempts(context)).await {
                Ok(result) => result,
                Err(_) => Err(TaskError::new(
                    ErrorKind::Deadline,
                    format!("not finished within {} (download.timeout_seconds)", seconds(deadline)),
                )),
            };
            done.map_err(TaskFault::from)
        })
    }
}

/// A failed attempt, and what may come after it.
struct Failure {
    error: TaskError,
    next: Next,
}

/// What may come after a failed attempt.
enum Next {
    /// Nothing: it would fail again.
    GiveUp,
    /// Another attempt, not before so long from now.
    Retry { after: Duration },
}

impl Failure {
    fn last(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure { error: TaskError::new(kind, message), next: Next::GiveUp }
    }

    fn again(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure { error: TaskError::new(kind, message), next: Next::Retry { after: Duration::ZERO } }
    }

    fn disk(error: &io::Error) -> Failure {
        Failure { error: disk_error("the file can't be written", error), next: Next::GiveUp }
    }
}

impl DownloadSession {
    async fn attempts(&self, context: &TaskContext) -> Result<TaskResult, TaskError> {
        let limits = &self.download.shared.limits;
        let Some(target) = self.download.shared.targets.get(context.task().index()) else {
            return Err(TaskError::new(ErrorKind::Worker, "the run has no such task"));
        };
        let mut part = None;
        for number in 1.. {
            context.set_bytes(0);
            context.emit(|run, task| Fact::AttemptStarted { run, task, number });
            let failure = match self.attempt(context, target, number, &mut part).await {
                Ok(result) => {
                    part.map_or(Ok(()), PartFile::finish).map_err(|error| Failure::disk(&error).error)?;
                    return Ok(result);
                }
                Err(failure) => failure,
            };
            let wait = match failure.next {
                Next::Retry { after } if number <= limits.retries => after.max(self.jitter(context, number)),
                _ => return Err(failure.error),
            };
            let error = Box::new(failure.error);
            context.emit(|run, task| Fact::AttemptFailed { run, task, error });
            context.enter(Phase::BackingOff);
            part.as_mut().map_or(Ok(()), PartFile::restart).map_err(|error| Failure::disk(&error).error)?;
            tokio::time::sleep(wait).await;
        }
        Err(TaskError::new(ErrorKind::Deadline, "more attempts than can be counted"))
    }

    /// A random wait before the retry that follows attempt `number`: "full jitter", evenly spread from
    /// zero to `min(cap, backoff × 2^(number-1))`.
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    fn jitter(&self, context: &TaskContext, number: u32) -> Duration {
        let limits = &self.download.shared.limits;
        let factor = 2_u32.checked_pow(number - 1).unwrap_or(u32::MAX);
        let longest = limits.backoff.checked_mul(factor).unwrap_or(Duration::MAX).min(limits.backoff_cap);
        let key = self.download.shared.seed ^ (u64::from(context.task().0) << 32 | u64::from(number));
        longest.mul_f64(crate::chance::unit_of_key(key))
    }

    async fn attempt(
        &self,
        context: &TaskContext,
        target: &Target,
        number: u32,
        part: &mut Option<PartFile>,
    ) -> Result<TaskResult, Failure> {
        let limits = &self.download.shared.limits;
        let (mut response, part) =
            tokio::try_join!(self.request(context, target, number), self.file(target, part))?;
        let length = announced_length(response.headers());
        tell_head(context, target, &response, length);
        check_head(&response, length, limits)?;
        let announced = Announced::of(response.headers());
        let mut hasher = announced.as_ref().map(Hasher::new);
        let mut bytes: u64 = 0;
        loop {
            let next = tokio::time::timeout(limits.stall, response.chunk()).await;
            let chunk = match next.map_err(|_| stalled(limits.stall, bytes, length))? {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(body_failure(&error, bytes, length)),
            };
            if bytes == 0 {
                context.enter(Phase::Receiving);
                if target.conduct == Conduct::Panics {
                    panics_on_purpose();
                }
            }
            bytes += chunk.len() as u64;
            if bytes > limits.max_bytes {
                return Err(too_large(limits));
            }
            let before = Instant::now();
            part.write(&chunk).map_err(|error| Failure::disk(&error))?;
            context.add_write_nanos(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if let Some(hasher) = &mut hasher {
                hasher.update(&chunk);
            }
            context.set_bytes(bytes);
        }
        context.enter(Phase::Writing);
        if let Some(length) = length.filter(|&length| length != bytes) {
            let words = format!("the body ended after {bytes} of {length} bytes");
            return Err(Failure::again(ErrorKind::Truncated, words));
        }
        let check = match (&announced, hasher) {
            (Some(announced), Some(hasher)) => {
                hasher.check(announced).map_err(|words| Failure::last(ErrorKind::Digest, words))?;
                Check::Digest
            }
            _ if length.is_some() => Check::Length,
            _ => Check::Nothing,
        };
        Ok(TaskResult { bytes, check, result: None })
    }

    /// The task's part file, made by its first attempt. The request goes out first: the file is made while
    /// the server is at work.
    async fn file<'a>(
        &self,
        target: &Target,
        part: &'a mut Option<PartFile>,
    ) -> Result<&'a mut PartFile, Failure> {
        if part.is_none() {
            tokio::task::yield_now().await;
        }
        match part {
            Some(part) => Ok(part),
            None => {
                let made = PartFile::create(&self.download.folder, &target.name);
                Ok(part.insert(made.map_err(|error| Failure::disk(&error))?))
            }
        }
    }

    /// Sends the request and waits for the head of the answer. A server may close a kept connection at
    /// any time: a request that dies on one before its answer is sent once more, which is no new attempt
    /// (RFC 9112, section 9.3.1).
    async fn request(
        &self,
        context: &TaskContext,
        target: &Target,
        number: u32,
    ) -> Result<Response, Failure> {
        let watching = self.watch.begin(context);
        match self.send(target, number).await {
            Err(failure) if failure.error.kind == ErrorKind::Truncated && watching.on_kept_connection() => {
                watching.restart();
                self.send(target, number).await
            }
            sent => sent,
        }
    }

    async fn send(&self, target: &Target, number: u32) -> Result<Response, Failure> {
        let stall = self.download.shared.limits.stall;
        let mut request = self.client.get(target.url.clone());
        if self.download.shared.server == Server::Origin {
            request = request.header("threadrace-attempt", number);
        }
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

fn panics_on_purpose() -> ! {
    panic!("this task panics on purpose")
}

/// The body's length, where the answer says it. `Transfer-Encoding` overrides `Content-Length` (RFC 9112,
/// section 6.3).
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn tell_head(context: &TaskContext, target: &Target, response: &Response, length: Option<u64>) {
    if context.task().0 >= HEADS_KEPT {
        if length.is_some() {
            let head = ResponseHead {
                status: response.status().as_u16(),
                version: String::new(),
                length,
                remote: None,
                redirected_to: None,
                headers: Vec::new(),
            };
            context.emit(|run, task| Fact::ResponseArrived { run, task, head: Box::new(head) });
        }
        return;
    }
    let head = ResponseHead {
        status: response.status().as_u16(),
        version: version_name(response.version()).to_owned(),
        length,
        remote: response.remote_addr().map(|address| address.to_string()),
        redirected_to: redirected_to(&target.url, response.url()),
        headers: headers_kept(response.headers()),
    };
    context.emit(|run, task| Fact::ResponseArrived { run, task, head: Box::new(head) });
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

/// Accepts 200, and a 206 that covers the whole; nothing else has the body that was asked for.
fn check_head(response: &Response, length: Option<u64>, limits: &Limits) -> Result<(), Failure> {
    let status = response.status();
    let whole =
        status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT && is_whole(response.headers());
    if !whole {
        let reason = status.canonical_reason().unwrap_or("no standard meaning");
        let words = format!("the server answered {} ({reason})", status.as_u16());
        if status.is_redirection() && response.headers().contains_key(LOCATION) {
            let words = format!("{words} and leads to no HTTP address, which is not followed");
            return Err(Failure::last(ErrorKind::Redirect, words));
        }
        let may_pass = matches!(status.as_u16(), 408 | 429) || status.is_server_error();
        if !may_pass {
            return Err(Failure::last(ErrorKind::Status, words));
        }
        let after = retry_after(response.headers(), SystemTime::now()).unwrap_or_default();
        if after > limits.retry_after_cap {
            let words = format!(
                "{words} and asks to wait {}, more than download.retry_after_cap_seconds allows",
                seconds(after)
            );
            return Err(Failure::last(ErrorKind::Status, words));
        }
        return Err(Failure { error: TaskError::new(ErrorKind::Status, words), next: Next::Retry { after } });
    }
    if length.is_some_and(|length| length > limits.max_bytes) {
        return Err(too_large(limits));
    }
    Ok(())
}

/// Whether a `Content-Range` says `bytes 0-(n-1)/n` (RFC 9110, section 14.4).
fn is_whole(headers: &HeaderMap) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((span, total)) = range.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let Some((first, last)) = span.split_once('-') else { return false };
    match (first.parse::<u64>(), last.parse::<u64>(), total.parse::<u64>()) {
        (Ok(0), Ok(last), Ok(total)) => last.checked_add(1) == Some(total),
        _ => false,
    }
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

fn too_large(limits: &Limits) -> Failure {
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
        return Failure::again(ErrorKind::NameLookup, words);
    }
    if error.is_connect() && error.is_timeout() {
        return Failure::again(ErrorKind::ConnectTimeout, format!("{words} (download.connect_seconds)"));
    }
    if error.is_connect() {
        return Failure::again(ErrorKind::Connect, words);
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
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(name: reqwest::header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_206_counts_only_when_it_is_whole() {
        let cases = [
            ("bytes 0-9/10", true),
            ("bytes 0-8/10", false),
            ("bytes 1-9/10", false),
            ("bytes 0-9/*", false),
            ("bytes 0-18446744073709551615/0", false),
            ("items 0-9/10", false),
            ("", false),
        ];
        for (range, whole) in cases {
            assert_eq!(is_whole(&headers(CONTENT_RANGE, range)), whole, "{range}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            ("3", Some(3)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-3", None),
            ("soon", None),
        ];
        for (value, wait) in cases {
            assert_eq!(
                retry_after(&headers(RETRY_AFTER, value), now),
                wait.map(Duration::from_secs),
                "{value}"
            );
        }
        let for_ever = headers(RETRY_AFTER, "99999999999999999999999");
        assert_eq!(retry_after(&for_ever, now), Some(Duration::MAX));
    }
}
