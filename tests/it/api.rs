//! The API: its workload under every executor and against servers that answer wrongly, and the origin's store.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;
use reqwest::Url;
use serde_json::{Value, json};
use threadrace::clock::Clock;
use threadrace::event::{Check, ErrorKind, ExecutorKind, Fact, HEADS_KEPT, Phase, RunEnd};
use threadrace::model::{RunStatus, Stage};
use threadrace::origin::{Content, Latency, Origin, Shape};
use threadrace::workload::api::{Api, Calls};
use threadrace::workload::download::Limits;
use threadrace::workload::{Tls, Workload};

use crate::origin::{Reply, ask, get, log_of, send};
use crate::rig::{
    After, Asked, Fallible, NEVER, Ran, RawServer, SEED, Served, Who, limits, raw, reply, run, start,
};

fn api(calls: Calls, base: &str, tasks: usize, limits: Limits) -> Fallible<Arc<dyn Workload>> {
    Ok(Arc::new(Api::new(calls, Url::parse(base)?, tasks, limits, Tls::new()?, SEED)))
}

fn served(tasks: usize, shape: Shape) -> Fallible<Served> {
    Served::new(&Content::Posts, tasks, shape)
}

fn run_on(served: &Served, who: &Who, calls: Calls, limits: Limits) -> Fallible<Ran> {
    let ran = run(who, api(calls, &served.origin.url("/"), who.tasks, limits)?, &served.clock)?;
    ran.assert_accounted(who);
    Ok(ran)
}

#[test]
fn everyone_gets_the_posts_and_tells_them() -> Fallible {
    let served = served(9, Shape::UNSHAPED)?;
    for who in Who::everyone(3, 9) {
        let ran = run_on(&served, &who, Calls::Get, limits())?;
        assert!(ran.run().is_comparable(), "{who:?}: {:?}", ran.run().counts());
        for (index, task) in ran.run().tasks().iter().enumerate() {
            let story = task.story.as_ref().ok_or("no story")?;
            let body = story.body.as_ref().ok_or("no body")?;
            let post: Value = serde_json::from_str(body)?;
            assert_eq!((&post["id"], task.bytes), (&json!(index + 1), body.len() as u64), "{who:?}");
            let title = post["title"].as_str().ok_or("no title")?;
            assert_eq!(task.result.as_deref(), Some(format!("post {}: \"{title}\"", index + 1).as_str()));
            assert_eq!((task.check, task.attempts, task.length), (Check::Result, 1, Some(task.bytes)));
            let [(_, head)] = &story.heads[..] else { return Err(format!("{story:?}").into()) };
            assert_eq!(head.status, 200);
        }
        let phases = ran.events.iter().filter_map(|event| match event.fact {
            Fact::PhaseEntered { phase, .. } => Some(phase),
            _ => None,
        });
        let expected = [Phase::Connecting, Phase::Waiting, Phase::Receiving];
        assert!(phases.into_iter().all(|phase| expected.contains(&phase)), "{who:?}");
    }
    Ok(())
}

#[test]
fn of_many_posts_only_the_first_are_told() -> Fallible {
    let tasks = HEADS_KEPT as usize + 1;
    let (served, who) = (served(tasks, Shape::UNSHAPED)?, Who::new(ExecutorKind::Async, 8, tasks));
    let ran = run_on(&served, &who, Calls::Get, limits())?;
    assert!(ran.run().is_comparable(), "{:?}", ran.run().counts());
    let body = |index: usize| ran.task(index).story.as_ref().and_then(|story| story.body.as_ref()).is_some();
    assert!(body(tasks - 2) && !body(tasks - 1));
    assert_eq!(ran.task(tasks - 1).length, Some(ran.task(tasks - 1).bytes));
    Ok(())
}

/// How often each method was answered with each status.
fn tally(log: &[threadrace::origin::Served]) -> Vec<(String, usize)> {
    let mut tally = std::collections::BTreeMap::<String, usize>::new();
    for served in log {
        *tally.entry(format!("{} {}", served.method, served.status)).or_default() += 1;
    }
    tally.into_iter().collect()
}

#[test]
fn posts_are_made_changed_and_deleted_and_the_store_is_as_it_was() -> Fallible {
    let served = served(20, Shape::UNSHAPED)?;
    let before = get(&served.origin, "/posts")?.text();
    let mut seen = 1;
    for who in [Who::new(ExecutorKind::Pool, 5, 20), Who::new(ExecutorKind::Async, 5, 20)] {
        let ran = run_on(&served, &who, Calls::Crud, limits())?;
        assert!(ran.run().is_comparable(), "{:?}", ran.run().counts());
        for task in ran.run().tasks() {
            assert_eq!((task.check, task.attempts), (Check::Result, 1));
            let result = task.result.as_deref().unwrap_or_default();
            assert!(result.ends_with("\", created, changed and deleted"), "{result}");
            let story = task.story.as_ref().ok_or("no story")?;
            let statuses: Vec<u16> = story.heads.iter().map(|(_, head)| head.status).collect();
            assert_eq!(statuses, [201, 200, 200, 200, 204, 404]);
            let amended: Value = serde_json::from_str(story.body.as_ref().ok_or("no body")?)?;
            assert!(amended["title"].as_str().is_some_and(|title| title.starts_with("Another title")));
        }
        assert_eq!(get(&served.origin, "/posts")?.text(), before);
        let expected = [
            ("DELETE 204", 20),
            ("GET 200", 21),
            ("GET 404", 20),
            ("PATCH 200", 20),
            ("POST 201", 20),
            ("PUT 200", 20),
        ];
        let log = log_of(&served.origin, seen + 121)?.split_off(seen);
        assert_eq!(tally(&log), expected.map(|(what, times)| (what.to_owned(), times)));
        seen += 121;
    }
    Ok(())
}

#[test]
fn failures_and_retries_are_the_same_in_every_run() -> Fallible {
    let served = served(12, Shape { failures: 0.3, ..Shape::UNSHAPED })?;
    let limits = Limits { retries: 50, ..limits() };
    let mut all = Vec::new();
    for who in [Who::new(ExecutorKind::Pool, 4, 12), Who::new(ExecutorKind::Sequential, 1, 12)] {
        let ran = run_on(&served, &who, Calls::Crud, limits.clone())?;
        assert!(ran.run().is_comparable(), "{:?}", ran.run().counts());
        all.push(ran.run().tasks().iter().map(|task| task.attempts).collect::<Vec<_>>());
    }
    assert_eq!(all[0], all[1]);
    assert!(all[0].iter().sum::<u32>() > 12, "{:?}", all[0]);
    let log = served.origin.log();
    assert_eq!(log.iter().filter(|served| served.status == 201).count(), 24, "nothing is created twice");
    Ok(())
}

#[test]
fn a_cancelled_call_ends_at_once() -> Fallible {
    let shape = Shape { latency: Latency::Fixed(Duration::from_secs(3600)), ..Shape::UNSHAPED };
    let served = served(6, shape)?;
    let patient = Limits { stall: NEVER, deadline: NEVER, ..limits() };
    for calls in [Calls::Get, Calls::Crud] {
        for who in Who::everyone(2, 6) {
            let workload = api(calls, &served.origin.url("/"), 6, patient.clone())?;
            let mut running = start(&who, workload, &served.clock);
            let waits = |fact: &Fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Waiting, .. });
            running.wait_for(who.workers, waits)?;
            running.cancel.cancel();
            let ran = running.finish()?;
            ran.assert_accounted(&who);
            assert_eq!(ran.run().counts().cancelled, 6, "{who:?}");
            assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Cancelled, .. }), "{who:?}");
        }
    }
    Ok(())
}

type Answering = fn(&Asked, &mut TcpStream) -> io::Result<After>;

/// Runs one task against a server; returns it with how many requests there were.
fn against(
    calls: Calls,
    limits: Limits,
    answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<After> + Send + Sync + 'static,
) -> Fallible<(Ran, usize)> {
    let server = RawServer::start(answer)?;
    let who = Who::new(ExecutorKind::Sequential, 1, 1);
    let ran = run(&who, api(calls, &server.url("/"), 1, limits)?, &Clock::start())?;
    ran.assert_accounted(&who);
    Ok((ran, server.asked().len()))
}

fn fine(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> io::Result<After> {
    reply(stream, status, headers, body.as_bytes())
}

const POST: &str = r#"{"id":1,"title":"A","body":"b"}"#;

#[test]
fn wrong_answers_are_named() -> Fallible {
    use ErrorKind::{Protocol, Redirect, Status, TooLarge, Truncated, Wrong};
    let cases: &[(Answering, ErrorKind, &str, usize)] = &[
        (|_, s| fine(s, "200 OK", "", "<html>"), Wrong, "the answer is not JSON", 1),
        (|_, s| fine(s, "200 OK", "", ""), Wrong, "the answer is not JSON", 1),
        (|_, s| fine(s, "200 OK", "", "{}"), Wrong, "not a post: missing field `id`", 1),
        (|_, s| fine(s, "200 OK", "", &POST.replace('1', "2")), Wrong, "post 1 was asked for, and 2 came", 1),
        (|_, s| fine(s, "200 OK", "", &POST.replace('A', " ")), Wrong, "the title of post 1 is empty", 1),
        (|_, s| fine(s, "200 OK", "", &POST.replace("\"A\"", "[]")), Wrong, "not a post: invalid type", 1),
        (|_, s| fine(s, "201 Created", "", POST), Status, "201 (Created)", 1),
        (|_, s| fine(s, "404 Not Found", "", POST), Status, "404 (Not Found)", 1),
        (|_, s| fine(s, "500 Oh", "", POST), Status, "500", 3),
        (|_, s| fine(s, "302 Found", "Location: /b\r\n", POST), Redirect, "is not followed", 1),
        (|_, s| raw(s, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), Truncated, "after 1 of 50", 3),
        (|_, _| Ok(After::Close), Truncated, "before an answer", 3),
        (|_, s| raw(s, b"{\"id\":1}\r\n\r\n"), Protocol, "not HTTP", 1),
        (
            |_, s| raw(s, b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n"),
            TooLarge,
            "larger than 1048576 bytes",
            1,
        ),
        (
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                raw(s, &vec![b' '; 2_000_000])
            },
            TooLarge,
            "larger than 1048576 bytes",
            1,
        ),
    ];
    for (answer, kind, words, requests) in cases {
        let limits = Limits { max_bytes: 1 << 32, ..limits() };
        let (ran, asked) = against(Calls::Get, limits, *answer)?;
        let (task, message) = (ran.task(0), ran.task(0).error_message().unwrap_or_default());
        assert_eq!((task.stage, task.error, asked), (Stage::Failed, Some(*kind), *requests), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let (ran, _) =
        against(Calls::Get, Limits { max_bytes: 8, ..limits() }, |_, s| fine(s, "200 OK", "", POST))?;
    assert!(ran.task(0).error_message().is_some_and(|words| words.contains("download.max_bytes")));
    Ok(())
}

/// The body of a post request under an id.
fn under(id: u64, asked: &Asked) -> String {
    let mut post: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    post["id"] = json!(id);
    post.to_string()
}

#[test]
fn a_post_is_not_sent_twice_when_it_may_have_been_taken() -> Fallible {
    use ErrorKind::{Status, Truncated, Wrong};
    let cases: &[(Answering, ErrorKind, &str, usize)] = &[
        (|_, _| Ok(After::Close), Truncated, "it is not sent again", 1),
        (|_, s| fine(s, "500 Oh", "", ""), Status, "it is not sent again", 1),
        (|_, s| fine(s, "503 Busy", "", ""), Status, "503", 3),
        (|_, s| fine(s, "429 Slow Down", "Retry-After: 0\r\n", ""), Status, "429", 3),
        (|a, s| fine(s, "201 Created", "", &under(7, a)), Wrong, "its Location is given not at all", 1),
        (
            |a, s| fine(s, "201 Created", "Location: /posts/8\r\n", &under(7, a)),
            Wrong,
            "its Location is given as /posts/8",
            1,
        ),
        (|_, s| fine(s, "201 Created", "Location: /posts/1\r\n", POST), Wrong, "and is “A”", 1),
    ];
    for (answer, kind, words, requests) in cases {
        let (ran, asked) = against(Calls::Crud, limits(), *answer)?;
        let (task, message) = (ran.task(0), ran.task(0).error_message().unwrap_or_default());
        assert_eq!((task.stage, task.error, asked), (Stage::Failed, Some(*kind), *requests), "{message}");
        assert!(message.contains(words), "{message}");
    }
    Ok(())
}

#[test]
fn a_delete_that_finds_nothing_is_fine_after_one_that_got_no_answer() -> Fallible {
    for lost in [true, false] {
        let store = Mutex::new(Some(Value::Null));
        let (ran, asked) = against(Calls::Crud, limits(), move |asked, stream| {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            let sent: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            let method = asked.head.split(' ').next().unwrap_or_default();
            match (method, store.as_mut()) {
                ("PATCH", Some(post)) => post["title"] = sent["title"].clone(),
                ("POST" | "PUT", Some(post)) => {
                    *post = sent;
                    post["id"] = json!(7);
                }
                ("DELETE", Some(_)) => {
                    *store = None;
                    if lost {
                        return Ok(After::Close);
                    }
                }
                _ => {}
            }
            match (method, store.as_ref()) {
                ("POST", Some(post)) => {
                    fine(stream, "201 Created", "Location: /posts/7\r\n", &post.to_string())
                }
                (_, Some(post)) => fine(stream, "200 OK", "", &post.to_string()),
                // The delete that did it, when its answer is not lost, says the contrary.
                _ => fine(stream, "404 Not Found", "", "gone"),
            }
        })?;
        let (task, message) = (ran.task(0), ran.task(0).error_message().unwrap_or_default());
        let expected = if lost { (Stage::Done, 2, 7) } else { (Stage::Failed, 1, 5) };
        assert_eq!((task.stage, task.attempts, asked), expected, "{message}");
    }
    Ok(())
}

/// Sends a request with a body.
fn tell(origin: &Origin, method: &str, path: &str, media_type: &str, body: &[u8]) -> io::Result<Reply> {
    let address = origin.address();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {media_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    send(address, [head.as_bytes(), body].concat())
}

const JSON: &str = "application/json";

#[test]
fn the_store_keeps_to_http() -> Fallible {
    let served = served(3, Shape::UNSHAPED)?;
    let origin = &served.origin;
    let draft = br#"{"title":"A","body":"b"}"#;
    let made = tell(origin, "POST", "/posts?really", "Application/JSON; charset=utf-8", draft)?;
    assert_eq!((made.status, made.header("location")), (201, Some("/posts/4")));
    assert_eq!(made.header("content-type"), Some(JSON));
    let read = get(origin, "/posts/4")?;
    assert_eq!((read.status, read.text()), (200, made.text()));
    let head = ask(origin, "HEAD", "/posts/4", "")?;
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, read.header("etag")));
    let amended = tell(origin, "PATCH", "/posts/4", "application/merge-patch+json", br#"{"title":"C"}"#)?;
    assert_eq!(amended.status, 200);
    assert_ne!(get(origin, "/posts/4")?.header("etag"), read.header("etag"));
    let list: Vec<Value> = serde_json::from_slice(&get(origin, "/posts")?.body)?;
    assert_eq!(list.iter().map(|post| post["id"].as_u64()).collect::<Vec<_>>(), [1, 2, 3, 4].map(Some));
    assert_eq!((&list[3]["title"], &list[3]["body"]), (&json!("C"), &json!("b")));
    let deleted = ask(origin, "DELETE", "/posts/4", "")?;
    assert_eq!((deleted.status, deleted.body.len(), deleted.header("content-length")), (204, 0, None));
    assert_eq!(ask(origin, "DELETE", "/posts/4", "")?.status, 404);
    let methods: Vec<String> =
        log_of(origin, 8)?.iter().map(|served| format!("{} {}", served.method, served.path)).collect();
    assert_eq!(methods[..2], ["POST /posts", "GET /posts/4"].map(str::to_owned));
    Ok(())
}

#[test]
fn what_the_store_refuses_is_said_and_changes_nothing() -> Fallible {
    let served = served(3, Shape::UNSHAPED)?;
    let origin = &served.origin;
    let before = get(origin, "/posts")?.text();
    let draft: &[u8] = br#"{"title":"A","body":"b"}"#;
    let long = [br#"{"title":"A","body":""#, &[b'x'; 70_000][..], br#""}"#].concat();
    let longer = vec![b'['; 1_000_000];
    let cases: [(&str, &str, &str, &[u8], u16); 16] = [
        ("POST", "/posts", JSON, b"", 400),
        ("POST", "/posts", JSON, b"{\"title\":", 400),
        ("POST", "/posts", JSON, b"\xff\xfe", 400),
        ("POST", "/posts", JSON, &[b'['; 5000], 400),
        ("POST", "/posts", JSON, br#"{"title":"A"}"#, 400),
        ("PUT", "/posts/1", JSON, br#"{"title":"A"}"#, 400),
        ("PATCH", "/posts/1", JSON, br#"{"id":3}"#, 400),
        ("POST", "/posts", "text/plain", draft, 415),
        ("POST", "/posts", "application/merge-patch+json", draft, 415),
        ("PUT", "/posts/1", "", draft, 415),
        ("POST", "/posts", JSON, &long, 413),
        ("POST", "/posts", JSON, &longer, 413),
        ("PUT", "/posts/9", JSON, draft, 404),
        ("PATCH", "/posts/0", JSON, draft, 404),
        ("PUT", "/posts", JSON, draft, 405),
        ("POST", "/posts/1", JSON, draft, 405),
    ];
    for (method, path, media_type, body, status) in cases {
        let reply = tell(origin, method, path, media_type, body)?;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
        assert!(reply.text().ends_with('\n') && reply.text().lines().count() == 1, "{}", reply.text());
    }
    let allow = |method: &str, path: &str| -> io::Result<Option<String>> {
        Ok(ask(origin, method, path, "")?.header("allow").map(str::to_owned))
    };
    assert_eq!(allow("DELETE", "/posts")?.as_deref(), Some("GET, HEAD, POST"));
    assert_eq!(allow("OPTIONS", "/posts/1")?.as_deref(), Some("GET, HEAD, PUT, PATCH, DELETE"));
    assert_eq!(allow("POST", "/")?.as_deref(), Some("GET, HEAD"));
    let foreign = "POST /posts HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"title\":\"A\",\"body\":\"b\"}";
    assert_eq!(send(origin.address(), foreign)?.status, 421);
    assert_eq!(get(origin, "/posts")?.text(), before);
    Ok(())
}

#[test]
fn a_body_in_chunks_is_put_together() -> Fallible {
    let served = served(1, Shape::UNSHAPED)?;
    let address = served.origin.address();
    let request = format!(
        "POST /posts HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n9\r\n{{\"title\":\r\nf\r\n\"A\",\"body\":\"b\"}}\r\n0\r\n\r\n"
    );
    let made = send(address, request)?;
    assert_eq!(made.status, 201, "{}", made.text());
    let broken = format!(
        "POST /posts HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\nno number\r\n"
    );
    assert!(send(address, broken).map_or(400, |reply| reply.status) == 400);
    assert_eq!(get(&served.origin, "/posts/3")?.status, 404);
    Ok(())
}

#[test]
fn every_origin_starts_with_the_same_posts() -> Fallible {
    let lists =
        [served(5, Shape::UNSHAPED)?, served(5, Shape::UNSHAPED)?].map(|served| -> Fallible<String> {
            let list = get(&served.origin, "/posts")?.text();
            assert_eq!(ask(&served.origin, "DELETE", "/posts/2", "")?.status, 204);
            Ok(list)
        });
    let [first, second] = lists;
    assert_eq!(first?, second?);
    Ok(())
}

#[test]
fn writes_are_slowed_down_and_fail_like_reads() -> Fallible {
    let always = served(1, Shape { failures: 1.0, ..Shape::UNSHAPED })?;
    let draft = br#"{"title":"A","body":"b"}"#;
    for (method, path) in [("POST", "/posts"), ("PUT", "/posts/1"), ("DELETE", "/posts/1")] {
        assert_eq!(tell(&always.origin, method, path, JSON, draft)?.status, 503, "{method}");
    }
    let shape = Shape { latency: Latency::Fixed(Duration::from_millis(30)), ..Shape::UNSHAPED };
    let slow = served(1, shape)?;
    for (method, path) in [("POST", "/posts"), ("PATCH", "/posts/1"), ("DELETE", "/posts/2")] {
        tell(&slow.origin, method, path, JSON, draft)?;
    }
    for served in log_of(&slow.origin, 3)? {
        assert!(served.first_byte.since(served.start) >= Duration::from_millis(30), "{served:?}");
    }
    Ok(())
}

#[test]
fn no_request_brings_the_store_down() -> Fallible {
    let served = served(3, Shape::UNSHAPED)?;
    let requests = (
        prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"]),
        prop_oneof![Just("/posts".to_owned()), "/posts/[0-9]{1,20}", "/[!-~]{0,20}"],
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            r#"\{"(title|body|id|userId)":("[a-z]{0,3}"|-?[0-9]{1,20}|null)\}"#.prop_map(String::into_bytes),
        ],
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(96));
    runner.run(&requests, |(method, path, body)| {
        let answer = tell(&served.origin, method, &path, JSON, &body);
        let answer = answer.map_err(|error| TestCaseError::fail(format!("{method} {path}: {error}")))?;
        prop_assert!(answer.status < 500, "{}", answer.status);
        Ok(())
    })?;
    assert_eq!(get(&served.origin, "/")?.status, 200);
    Ok(())
}
