//! The workload `download`: streams bodies to files, and believes nobody.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{CONTENT_RANGE, HeaderMap, TRANSFER_ENCODING};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::event::{Check, ErrorKind, Phase, TaskError, TaskId};
use crate::text::shown;

use super::http::{ClientSettings, ProxyUse, Redirects, Resolved, Tls};
use super::output::{PartFile, RunFolder, disk_error};
use super::request::{
    ATTEMPT_HEADER, Attempts, Caller, Failure, Repeat, announced_length, ended_early, in_time, next_chunk,
    status_failure, tell_head, too_large,
};
use super::{Session, TargetPlan, TaskContext, TaskFault, TaskFuture, TaskResult, WorkPlan, Workload};

mod digest;

pub use super::request::Limits;
use digest::{Announced, Hasher};

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
            redirects: Redirects::Followed(limits.redirects),
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
        let caller = Caller::new(&self.shared.client)?;
        Ok(Box::new(DownloadSession { download: self.clone(), caller }))
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

    fn done_elsewhere(&self, task: TaskId, bytes: u64) -> Result<(), TaskError> {
        let missing = || TaskError::new(ErrorKind::Worker, "the run has no such task");
        let target = self.shared.targets.get(task.index()).ok_or_else(missing)?;
        let there = self.folder.note(&target.name).map_err(|error| {
            TaskError::new(
                ErrorKind::Wrong,
                format!("it was told to be done, and its file can't be read: {error}"),
            )
        })?;
        if bytes != there {
            let words = format!("it was told to have {bytes} bytes, and its file has {there}");
            return Err(TaskError::new(ErrorKind::Wrong, words));
        }
        Ok(())
    }

    fn lost_elsewhere(&self, task: TaskId, bytes: u64) {
        if let Some(target) = self.shared.targets.get(task.index()) {
            self.folder.take_over(&target.name, bytes);
        }
    }
}

#[derive(Debug)]
struct DownloadSession {
    download: Download,
    caller: Caller,
}

impl Session for DownloadSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let deadline = self.download.shared.limits.deadline;
            in_time(deadline, self.attempts(context)).await.map_err(TaskFault::from)
        })
    }
}

fn disk(error: &io::Error) -> Failure {
    Failure::final_error(disk_error("the file can't be written", error))
}

impl DownloadSession {
    async fn attempts(&self, context: &TaskContext) -> Result<TaskResult, TaskError> {
        let limits = &self.download.shared.limits;
        let Some(target) = self.download.shared.targets.get(context.task().index()) else {
            return Err(TaskError::new(ErrorKind::Worker, "the run has no such task"));
        };
        let mut attempts = Attempts::new(context, limits, self.download.shared.seed);
        let mut part = None;
        loop {
            let number = attempts.begin();
            let failure = match self.attempt(context, target, number, &mut part).await {
                Ok(result) => {
                    part.map_or(Ok(()), PartFile::finish).map_err(|error| disk(&error).error)?;
                    return Ok(result);
                }
                Err(failure) => failure,
            };
            let wait = attempts.back_off(failure)?;
            part.as_mut().map_or(Ok(()), PartFile::restart).map_err(|error| disk(&error).error)?;
            tokio::time::sleep(wait).await;
        }
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
        let length = body_length(&response);
        tell_head(context, &target.url, &response, length);
        check_head(&response, length, limits)?;
        let announced = Announced::of(response.headers());
        let mut hasher = announced.as_ref().map(Hasher::new);
        let mut bytes: u64 = 0;
        while let Some(chunk) = next_chunk(&mut response, limits.stall, bytes, length).await? {
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
            part.write(&chunk).map_err(|error| disk(&error))?;
            context.add_write_nanos(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if let Some(hasher) = &mut hasher {
                hasher.update(&chunk);
            }
            context.set_bytes(bytes);
        }
        context.enter(Phase::Writing);
        if let Some(length) = length.filter(|&length| length != bytes) {
            return Err(ended_early(bytes, length));
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
                Ok(part.insert(made.map_err(|error| disk(&error))?))
            }
        }
    }

    async fn request(
        &self,
        context: &TaskContext,
        target: &Target,
        number: u32,
    ) -> Result<Response, Failure> {
        let shared = &self.download.shared;
        let make = |client: &Client| {
            let request = client.get(target.url.clone());
            match shared.server {
                Server::Origin => request.header(ATTEMPT_HEADER, number),
                Server::Foreign => request,
            }
        };
        self.caller.send(context, shared.limits.stall, Repeat::Freely, make).await
    }
}

fn panics_on_purpose() -> ! {
    panic!("this task panics on purpose")
}

/// Refuses a body in a transfer coding other than `chunked`: none was asked for, and the bytes would not be the
/// file's (RFC 9112, section 6.1). `identity` was once a name for none (RFC 2616, section 3.6).
fn check_coding(headers: &HeaderMap) -> Result<(), Failure> {
    let told = headers.get_all(TRANSFER_ENCODING).into_iter();
    let codings = told.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for coding in codings.map(|coding| coding.trim_ascii()) {
        let known = [&b""[..], b"chunked", b"identity"];
        if !known.iter().any(|known| coding.eq_ignore_ascii_case(known)) {
            let coding = String::from_utf8_lossy(coding);
            let words =
                format!("the body is in the transfer coding {}, which was not asked for", shown(&coding));
            return Err(Failure::last(ErrorKind::Protocol, words));
        }
    }
    Ok(())
}

/// The body's length, where the answer says it: a 206 does by what it covers.
fn body_length(response: &Response) -> Option<u64> {
    let covered =
        (response.status() == StatusCode::PARTIAL_CONTENT).then(|| whole_length(response.headers()));
    covered.flatten().or_else(|| announced_length(response.headers()))
}

/// Accepts 200, and a 206 that covers the whole; nothing else has the body that was asked for.
fn check_head(response: &Response, length: Option<u64>, limits: &Limits) -> Result<(), Failure> {
    let status = response.status();
    let whole = status == StatusCode::OK
        || status == StatusCode::PARTIAL_CONTENT && whole_length(response.headers()).is_some();
    if !whole {
        return Err(status_failure(response, limits));
    }
    check_coding(response.headers())?;
    if length.is_some_and(|length| length > limits.max_bytes) {
        return Err(too_large(limits));
    }
    Ok(())
}

/// The `n` of a `Content-Range` that says `bytes 0-(n-1)/n` (RFC 9110, section 14.4); none of any other.
fn whole_length(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    match (first.parse::<u64>(), last.parse::<u64>(), total.parse::<u64>()) {
        (Ok(0), Ok(last), Ok(total)) if last.checked_add(1) == Some(total) => Some(total),
        _ => None,
    }
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
            ("bytes 0-9/10", Some(10)),
            ("bytes 0-8/10", None),
            ("bytes 1-9/10", None),
            ("bytes 0-9/*", None),
            ("bytes 0-18446744073709551615/0", None),
            ("items 0-9/10", None),
            ("", None),
        ];
        for (range, whole) in cases {
            assert_eq!(whole_length(&headers(CONTENT_RANGE, range)), whole, "{range}");
        }
    }
}
