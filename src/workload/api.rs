//! The workload `api`: JSON over HTTP, every answer held against what it must be.

use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::event::{Check, ErrorKind, Fact, HEADS_KEPT, Phase, TaskError};

use super::download::Limits;
use super::http::{ClientSettings, ProxyUse, Redirects, Resolved};
use super::request::{
    ATTEMPT_HEADER, Attempts, Caller, Effect, Failure, Repeat, announced_length, ended_early, in_time,
    next_chunk, status_failure, tell_head, too_large,
};
use super::{Session, TaskContext, TaskFault, TaskFuture, TaskResult, Tls, WorkPlan, Workload};

mod post;

use post::{Draft, Post};

/// The largest answer that is read, in bytes, also where larger bodies may be downloaded: it is kept whole.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// Bytes of an answer's text that are told.
const TEXT_TOLD: usize = 8 * 1024;

/// What each task calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// GET of one post by its id.
    Get,
    /// POST, GET, PUT, PATCH and DELETE of one post, and a GET that no longer finds it.
    Crud,
}

/// The calls of one run.
///
/// The limits hold for a task with all its calls: its deadline, and its retries. GET, PUT and DELETE are
/// retried like downloads, and a DELETE that finds nothing is fine when one before it got no answer. POST and
/// PATCH are retried only where it is known that they were not carried out: no connection was opened for
/// them, or the server turned them away with 429 or 503. A redirect is followed by none of them.
#[derive(Debug, Clone)]
pub struct Api {
    calls: Calls,
    base: Url,
    tasks: usize,
    limits: Limits,
    client: ClientSettings,
    seed: u64,
}

impl Api {
    /// Calls of the API at `base`, one post a task; its id is the task's number counted from 1. `seed` decides
    /// the jitter of retries, and what is in the posts that are created.
    pub fn new(calls: Calls, base: Url, tasks: usize, limits: Limits, tls: Tls, seed: u64) -> Api {
        let client = ClientSettings {
            tls,
            resolved: Arc::new(Resolved::new()),
            connect_timeout: limits.connect,
            redirects: Redirects::Returned,
            proxy: ProxyUse::None,
        };
        Api { calls, base, tasks, limits, client, seed }
    }

    /// The address of all posts, or of one.
    fn url(&self, id: Option<u64>) -> Result<Url, TaskError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("posts").extend(id.map(|id| id.to_string()));
        } else {
            let words = format!("{} can have no posts below it; name an http address", self.base);
            return Err(TaskError::new(ErrorKind::Worker, words));
        }
        Ok(url)
    }
}

impl Workload for Api {
    fn plan(&self) -> Option<WorkPlan> {
        let Api { calls, tasks, seed, .. } = *self;
        Some(WorkPlan::Api { calls, base: self.base.to_string(), tasks, limits: self.limits.clone(), seed })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(ApiSession { caller: Caller::new(&self.client)?, api: self.clone() }))
    }
}

#[derive(Debug)]
struct ApiSession {
    api: Api,
    caller: Caller,
}

impl Session for ApiSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let limits = &self.api.limits;
            let work = async {
                if context.task().index() >= self.api.tasks {
                    return Err(TaskError::new(ErrorKind::Worker, "the run has no such task"));
                }
                let attempts = Attempts::new(context, limits, self.api.seed);
                let mut talk = Talk { session: self, context, attempts, bytes: 0 };
                talk.attempts.begin();
                match self.api.calls {
                    Calls::Get => talk.get().await,
                    Calls::Crud => talk.crud().await,
                }
            };
            in_time(limits.deadline, work).await.map_err(TaskFault::from)
        })
    }
}

/// One request to be made.
#[derive(Debug)]
struct Call {
    method: Method,
    url: Url,
    /// JSON.
    body: Option<String>,
    /// The status that its answer must have.
    wanted: StatusCode,
}

impl Call {
    fn new(method: Method, url: Url, wanted: StatusCode) -> Call {
        Call { method, url, body: None, wanted }
    }

    fn with(self, body: &impl serde::Serialize) -> Call {
        Call { body: serde_json::to_string(body).ok(), ..self }
    }

    /// Which methods are idempotent: RFC 9110, section 9.2.2, and RFC 5789 for PATCH.
    fn repeat(&self) -> Repeat {
        match self.method {
            Method::POST | Method::PATCH => Repeat::IfUndone,
            _ => Repeat::Freely,
        }
    }

    /// Whether the answer is one that was asked for. `before` is what an earlier attempt did.
    fn wants(&self, status: StatusCode, before: Effect) -> bool {
        let deleted = self.method == Method::DELETE
            && (status == StatusCode::OK || status == StatusCode::NOT_FOUND && before == Effect::Unknown);
        status == self.wanted || deleted
    }
}

/// An answer with the status that was asked for.
#[derive(Debug)]
struct Answer {
    location: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn post(&self) -> Result<Post, TaskError> {
        Post::read(&self.body).map_err(wrong)
    }
}

fn wrong(words: String) -> TaskError {
    TaskError::new(ErrorKind::Wrong, words)
}

/// The calls of one task.
#[derive(Debug)]
struct Talk<'a> {
    session: &'a ApiSession,
    context: &'a TaskContext,
    attempts: Attempts<'a>,
    /// Of the bodies of the answers so far.
    bytes: u64,
}

impl Talk<'_> {
    async fn get(&mut self) -> Result<TaskResult, TaskError> {
        let id = self.context.task().index() as u64 + 1;
        let url = self.session.api.url(Some(id))?;
        let post = self.call(Call::new(Method::GET, url, StatusCode::OK)).await?.post()?;
        post.check_id(id).map_err(wrong)?;
        Ok(self.done(post.describe("")))
    }

    async fn crud(&mut self) -> Result<TaskResult, TaskError> {
        let api = &self.session.api;
        let [first, second, third] = Draft::three(api.seed, self.context.task());
        let all = api.url(None)?;
        let created =
            self.call(Call::new(Method::POST, all.clone(), StatusCode::CREATED).with(&first)).await?;
        let post = created.post()?;
        let (id, url) = (post.id, api.url(Some(post.id))?);
        post.check(id, &first).map_err(wrong)?;
        let location = created.location.as_deref();
        if location.and_then(|location| all.join(location).ok()).as_ref() != Some(&url) {
            let said = location.map_or("not at all".to_owned(), |location| format!("as {location}"));
            return Err(wrong(format!("post {id} was created, and its Location is given {said}")));
        }
        let call = |method, wanted| Call::new(method, url.clone(), wanted);
        let read = self.call(call(Method::GET, StatusCode::OK)).await?;
        read.post()?.check(id, &first).map_err(wrong)?;
        let replaced = self.call(call(Method::PUT, StatusCode::OK).with(&second)).await?;
        replaced.post()?.check(id, &second).map_err(wrong)?;
        let title = serde_json::json!({ "title": third.title });
        let amended = self.call(call(Method::PATCH, StatusCode::OK).with(&title)).await?.post()?;
        amended.check(id, &third).map_err(wrong)?;
        self.call(call(Method::DELETE, StatusCode::NO_CONTENT)).await?;
        self.call(call(Method::GET, StatusCode::NOT_FOUND)).await?;
        Ok(self.done(amended.describe(", created, changed and deleted")))
    }

    fn done(&self, result: String) -> TaskResult {
        TaskResult { bytes: self.bytes, check: Check::Result, result: Some(result) }
    }

    /// Makes a call, again where it fails and may be repeated.
    async fn call(&mut self, call: Call) -> Result<Answer, TaskError> {
        let mut before = Effect::None;
        loop {
            let failure = match self.once(&call, before).await {
                Ok(answer) => {
                    self.bytes += answer.body.len() as u64;
                    return Ok(answer);
                }
                Err(failure) if call.repeat() == Repeat::IfUndone => failure.of_once(),
                Err(failure) => failure,
            };
            if failure.effect() == Effect::Unknown {
                before = Effect::Unknown;
            }
            let wait = self.attempts.back_off(failure)?;
            tokio::time::sleep(wait).await;
            self.attempts.begin();
        }
    }

    async fn once(&self, call: &Call, before: Effect) -> Result<Answer, Failure> {
        let (api, context) = (&self.session.api, self.context);
        let make = |client: &Client| {
            let request = client
                .request(call.method.clone(), call.url.clone())
                .header(ACCEPT, "application/json")
                .header(ATTEMPT_HEADER, self.attempts.number());
            match &call.body {
                Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
                None => request,
            }
        };
        let response = self.session.caller.send(context, api.limits.stall, call.repeat(), make).await?;
        let length = announced_length(response.headers());
        // Of a task with several answers, no one's length is what there is to come.
        tell_head(context, &call.url, &response, length.filter(|_| api.calls == Calls::Get));
        if !call.wants(response.status(), before) {
            return Err(status_failure(&response, &api.limits));
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.map(str::to_owned);
        let body = self.receive(response, length).await?;
        if call.wanted.is_success() {
            tell_body(context, &body);
        }
        Ok(Answer { location, body })
    }

    async fn receive(&self, mut response: Response, length: Option<u64>) -> Result<Vec<u8>, Failure> {
        let limits = &self.session.api.limits;
        let most = limits.max_bytes.min(LARGEST_ANSWER);
        if length.is_some_and(|length| length > most) {
            return Err(too_large_to_keep(limits));
        }
        let (mut body, mut bytes) = (Vec::new(), 0);
        while let Some(chunk) = next_chunk(&mut response, limits.stall, bytes, length).await? {
            if bytes == 0 {
                self.context.enter(Phase::Receiving);
            }
            bytes += chunk.len() as u64;
            if bytes > most {
                return Err(too_large_to_keep(limits));
            }
            body.extend_from_slice(&chunk);
            self.context.set_bytes(self.bytes + bytes);
        }
        match length {
            Some(length) if length != bytes => Err(ended_early(bytes, length)),
            _ => Ok(body),
        }
    }
}

fn too_large_to_keep(limits: &Limits) -> Failure {
    if limits.max_bytes <= LARGEST_ANSWER {
        return too_large(limits);
    }
    let words = format!("the answer is larger than {LARGEST_ANSWER} bytes, which no post is");
    Failure::last(ErrorKind::TooLarge, words)
}

/// Tells the beginning of an answer's text, for the tasks of which that is kept.
fn tell_body(context: &TaskContext, body: &[u8]) {
    if context.task().0 >= HEADS_KEPT || body.is_empty() {
        return;
    }
    let text = beginning(body).into();
    context.emit(|run, task| Fact::BodyArrived { run, task, text });
}

/// As much of a body's text as is told; what is no text in it is replaced by U+FFFD.
fn beginning(body: &[u8]) -> String {
    // Three bytes more than fit, so that no character is cut that fits.
    let mut text = String::from_utf8_lossy(&body[..body.len().min(TEXT_TOLD + 3)]).into_owned();
    let end = (0..=text.len().min(TEXT_TOLD)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_that_is_told_is_cut_between_two_characters() {
        assert_eq!(beginning("größe".as_bytes()), "größe");
        assert_eq!(beginning(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(beginning("é".repeat(5000).as_bytes()), "é".repeat(4096));
        assert_eq!(beginning(format!("a{}", "é".repeat(5000)).as_bytes()), format!("a{}", "é".repeat(4095)));
        assert_eq!(beginning(&[0xff; 10_000]).len(), TEXT_TOLD / 3 * 3);
    }

    #[test]
    fn posts_are_below_the_base() -> Result<(), Box<dyn std::error::Error>> {
        let limits = Limits {
            deadline: std::time::Duration::MAX,
            stall: std::time::Duration::MAX,
            connect: std::time::Duration::MAX,
            retries: 0,
            backoff: std::time::Duration::ZERO,
            backoff_cap: std::time::Duration::ZERO,
            retry_after_cap: std::time::Duration::ZERO,
            max_bytes: 1,
            redirects: 0,
        };
        for (base, all, one) in [
            ("http://a", "http://a/posts", "http://a/posts/3"),
            ("http://a/", "http://a/posts", "http://a/posts/3"),
            ("http://a/v1", "http://a/v1/posts", "http://a/v1/posts/3"),
            ("http://a/v1/", "http://a/v1/posts", "http://a/v1/posts/3"),
        ] {
            let api = Api::new(Calls::Get, Url::parse(base)?, 1, limits.clone(), Tls::new()?, 1);
            let url = |id| api.url(id).map(String::from);
            assert_eq!((url(None), url(Some(3))), (Ok(all.to_owned()), Ok(one.to_owned())));
        }
        let nowhere = Api::new(Calls::Get, Url::parse("data:a")?, 1, limits, Tls::new()?, 1);
        assert_eq!(nowhere.url(None).map_err(|error| error.kind), Err(ErrorKind::Worker));
        Ok(())
    }

    #[test]
    fn only_a_delete_without_an_answer_may_find_nothing() -> Result<(), url::ParseError> {
        let url = Url::parse("http://a/posts/1")?;
        let (gone, fine) = (StatusCode::NOT_FOUND, StatusCode::NO_CONTENT);
        let delete = Call::new(Method::DELETE, url.clone(), fine);
        assert!(delete.wants(fine, Effect::None) && delete.wants(StatusCode::OK, Effect::None));
        assert!(!delete.wants(gone, Effect::None) && delete.wants(gone, Effect::Unknown));
        let put = Call::new(Method::PUT, url, StatusCode::OK);
        assert!(!put.wants(gone, Effect::Unknown) && !put.wants(fine, Effect::None));
        Ok(())
    }
}
