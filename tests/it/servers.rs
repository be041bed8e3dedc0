//! Servers that misbehave, on raw sockets: what each costs its task, and what is left on the disk.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Url;
use socket2::SockRef;
use threadrace::clock::Clock;
use threadrace::event::{Check, ErrorKind, Event, ExecutorKind, Fact, Phase};
use threadrace::model::Stage;
use threadrace::workload::download::{Conduct, Downloads, Limits, Server, Target};
use threadrace::workload::{OutputFolder, Resolved, Tls};

use crate::rig::{
    After, Asked, Disk, Fallible, MS, Ran, RawServer, SEED, Who, hold, limits, raw, reply, run,
};

/// Long enough that only those stall who mean to.
const STALL: Duration = Duration::from_millis(900);

/// How many attempts a task may make in all.
const ATTEMPTS: usize = 3;

type Answer = fn(&Asked, &mut TcpStream) -> io::Result<After>;

/// What a task comes to.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It has the body, held against that.
    Done(&'static [u8], Check),
    /// It fails, and its message says that.
    Fails(ErrorKind, &'static str),
}

/// A way to answer, what the task comes to, and how many requests that takes.
type Case = (&'static str, Answer, End, usize);

/// Cuts the connection with a reset: what was not read yet is lost.
fn reset(stream: &TcpStream) -> io::Result<After> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    Ok(After::Close)
}

/// Answers with a head and a body as they are.
fn answer(stream: &mut TcpStream, head: &str, body: &[u8]) -> io::Result<After> {
    let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    raw(stream, &[head.as_bytes(), body].concat())
}

fn redirect(stream: &mut TcpStream, to: &str) -> io::Result<After> {
    reply(stream, "302 Found", &format!("Location: {to}\r\n"), b"")
}

fn busy(stream: &mut TcpStream, retry_after: &str) -> io::Result<After> {
    reply(stream, "503 Service Unavailable", &format!("Retry-After: {retry_after}\r\n"), b"busy")
}

const CASES: &[Case] = {
    use Check::{Digest, Length, Nothing};
    use End::{Done, Fails};
    use ErrorKind::{Protocol, Redirect, Stalled, Status, TooLarge, Truncated};
    &[
        ("fine", |_, s| reply(s, "200 OK", "", b"fine"), Done(b"fine", Length), 1),
        (
            "truncated",
            |_, s| answer(s, "200 OK\r\nContent-Length: 100", b"half"),
            Fails(Truncated, "after 4 of 100 bytes"),
            ATTEMPTS,
        ),
        (
            "mended",
            |asked, s| match asked.head.contains("attempt: 1\r\n") {
                true => answer(s, "200 OK\r\nContent-Length: 100", b"longer than what comes then"),
                false => reply(s, "200 OK", "", b"whole"),
            },
            Done(b"whole", Length),
            2,
        ),
        (
            "as-it-is",
            |_, s| answer(s, "200 OK\r\nTransfer-Encoding: identity\r\nConnection: close", b"abc"),
            Done(b"abc", Nothing),
            1,
        ),
        (
            "compressed-on-the-way",
            |_, s| answer(s, "200 OK\r\nTransfer-Encoding: gzip, chunked", b"3\r\nabc\r\n0\r\n\r\n"),
            Fails(Protocol, "transfer coding gzip"),
            1,
        ),
        (
            "reset-in-the-middle",
            |_, s| {
                answer(s, "200 OK\r\nContent-Length: 100", b"half")?;
                thread::sleep(MS(50));
                reset(s)
            },
            Fails(Truncated, "the connection broke"),
            ATTEMPTS,
        ),
        ("reset-at-once", |_, s| reset(s), Fails(Truncated, "before an answer"), ATTEMPTS),
        ("closed-at-once", |_, _| Ok(After::Close), Fails(Truncated, "before an answer"), ATTEMPTS),
        ("silent", |_, s| hold(s), Fails(Stalled, "download.stall_seconds"), ATTEMPTS),
        (
            "silent-in-the-head",
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
                hold(s)
            },
            Fails(Stalled, "no answer for 0.9 s"),
            ATTEMPTS,
        ),
        (
            "silent-in-the-body",
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal")?;
                hold(s)
            },
            Fails(Stalled, "no byte for 0.9 s after 3 of 100"),
            ATTEMPTS,
        ),
        (
            "drip",
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\nConnection: close\r\n\r\n")?;
                for _ in 0..60 {
                    s.write_all(b".")?;
                    thread::sleep(MS(20));
                }
                Ok(After::Close)
            },
            Done(&[b'.'; 60], Length),
            1,
        ),
        ("loop", |asked, s| redirect(s, &asked.path), Fails(Redirect, "download.redirects"), 6),
        ("to-a-file", |_, s| redirect(s, "file:///etc/passwd"), Fails(Redirect, "not followed"), 1),
        ("to-ftp", |_, s| redirect(s, "ftp://127.0.0.1/a"), Fails(Redirect, "not followed"), 1),
        ("to-nowhere", |_, s| reply(s, "302 Found", "", b"hm"), Fails(Status, "302"), 1),
        (
            "elsewhere",
            |asked, s| match asked.path.as_str() {
                "/elsewhere" => redirect(s, "/elsewhere/moved?again"),
                _ => reply(s, "200 OK", "", b"moved"),
            },
            Done(b"moved", Length),
            2,
        ),
        ("missing", |_, s| reply(s, "404 Not Found", "", b"no"), Fails(Status, "404 (Not Found)"), 1),
        ("broken", |_, s| reply(s, "500 Oh", "", b"no"), Fails(Status, "500"), ATTEMPTS),
        ("busy", |_, s| reply(s, "503 Busy", "", b"no"), Fails(Status, "503"), ATTEMPTS),
        ("busy-for-0", |_, s| busy(s, "0"), Fails(Status, "503"), ATTEMPTS),
        (
            "busy-for-1",
            |asked, s| match asked.head.contains("attempt: 1\r\n") {
                true => busy(s, "1"),
                false => reply(s, "200 OK", "", b"now"),
            },
            Done(b"now", Length),
            2,
        ),
        ("busy-for-an-hour", |_, s| busy(s, "3600"), Fails(Status, "download.retry_after_cap_seconds"), 1),
        (
            "busy-for-ever",
            |_, s| busy(s, "99999999999999999999999"),
            Fails(Status, "download.retry_after_cap_seconds"),
            1,
        ),
        ("busy-until-soon", |_, s| busy(s, "soon"), Fails(Status, "503"), ATTEMPTS),
        ("busy-until-1994", |_, s| busy(s, "Sun, 06 Nov 1994 08:49:37 GMT"), Fails(Status, "503"), ATTEMPTS),
        (
            "busy-until-2999",
            |_, s| busy(s, "Sun, 06 Oct 2999 08:49:37 GMT"),
            Fails(Status, "download.retry_after_cap_seconds"),
            1,
        ),
        ("too-many", |_, s| reply(s, "429 Too Many Requests", "", b"no"), Fails(Status, "429"), ATTEMPTS),
        ("timed-out", |_, s| reply(s, "408 Request Timeout", "", b"no"), Fails(Status, "408"), ATTEMPTS),
        ("no-content", |_, s| answer(s, "204 No Content", b""), Fails(Status, "204"), 1),
        ("not-modified", |_, s| answer(s, "304 Not Modified", b""), Fails(Status, "304"), 1),
        (
            "whole-part",
            |_, s| reply(s, "206 Partial Content", "Content-Range: bytes 0-4/5\r\n", b"whole"),
            Done(b"whole", Length),
            1,
        ),
        (
            "part",
            |_, s| reply(s, "206 Partial Content", "Content-Range: bytes 0-3/5\r\n", b"part"),
            Fails(Status, "206"),
            1,
        ),
        (
            "less-than-its-range",
            |_, s| answer(s, "206 Partial Content\r\nContent-Range: bytes 0-10/11", b"hello"),
            Fails(Truncated, "after 5 of 11 bytes"),
            ATTEMPTS,
        ),
        (
            "more-than-its-range",
            |_, s| answer(s, "206 Partial Content\r\nContent-Range: bytes 0-3/4", b"hello"),
            Fails(Truncated, "after 5 of 4 bytes"),
            ATTEMPTS,
        ),
        ("part-of-what", |_, s| reply(s, "206 Partial Content", "", b"part"), Fails(Status, "206"), 1),
        (
            "early-hints",
            |_, s| {
                s.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")?;
                reply(s, "200 OK", "", b"late")
            },
            Done(b"late", Length),
            1,
        ),
        (
            "chunked",
            |_, s| answer(s, "200 OK\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            Done(b"abcde", Nothing),
            1,
        ),
        (
            "chunked-with-a-length",
            |_, s| {
                let head = "200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked";
                answer(s, head, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            },
            Done(b"abcde", Nothing),
            1,
        ),
        (
            "chunked-garbage",
            |_, s| answer(s, "200 OK\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\nwhat?\r\n"),
            Fails(Protocol, "not valid HTTP"),
            1,
        ),
        (
            "chunked-cut",
            |_, s| answer(s, "200 OK\r\nTransfer-Encoding: chunked", b"3\r\nabc\r\n9\r\nde"),
            Fails(Truncated, "the connection broke after"),
            ATTEMPTS,
        ),
        (
            "large",
            |_, s| answer(s, "200 OK\r\nContent-Length: 1000001", b"x"),
            Fails(TooLarge, "download.max_bytes"),
            1,
        ),
        (
            "large-in-chunks",
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                loop {
                    s.write_all(b"2710\r\n")?;
                    s.write_all(&[b'x'; 10_000])?;
                    s.write_all(b"\r\n")?;
                }
            },
            Fails(TooLarge, "download.max_bytes"),
            1,
        ),
        (
            "digest",
            |_, s| {
                let digest = "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";
                reply(s, "200 OK", digest, b"hello")
            },
            Done(b"hello", Digest),
            1,
        ),
        (
            "wrong-digest",
            |_, s| {
                let digest = "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";
                reply(s, "200 OK", digest, b"hallo")
            },
            Fails(ErrorKind::Digest, "the body's SHA-256 is"),
            1,
        ),
        ("no-length", |_, s| answer(s, "200 OK", b"until it closes"), Done(b"until it closes", Nothing), 1),
        ("http-1.0", |_, s| raw(s, b"HTTP/1.0 200 OK\r\n\r\nold"), Done(b"old", Nothing), 1),
        ("empty", |_, s| reply(s, "200 OK", "", b""), Done(b"", Length), 1),
        ("empty-without-length", |_, s| answer(s, "200 OK", b""), Done(b"", Nothing), 1),
        ("ssh", |_, s| raw(s, b"SSH-2.0-OpenSSH_9.6\r\n"), Fails(Protocol, "not HTTP"), 1),
        ("noise", |_, s| raw(s, &[0, 159, 146, 150, 13, 10, 13, 10]), Fails(Protocol, "not HTTP"), 1),
        (
            "huge-header",
            |_, s| {
                s.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
                loop {
                    s.write_all(&[b'x'; 10_000])?;
                }
            },
            Fails(Protocol, "not HTTP"),
            1,
        ),
        (
            "many-headers",
            |_, s| answer(s, &format!("200 OK{}", "\r\nX: y".repeat(5000)), b""),
            Fails(Protocol, "not HTTP"),
            1,
        ),
        (
            "headers-enough",
            |_, s| answer(s, &format!("200 OK{}", "\r\nX: y".repeat(99)), b"y"),
            Done(b"y", Nothing),
            1,
        ),
        (
            "one-header-too-many",
            |_, s| answer(s, &format!("200 OK{}", "\r\nX: y".repeat(100)), b"y"),
            Fails(Protocol, "not HTTP"),
            1,
        ),
        (
            "two-lengths",
            |_, s| answer(s, "200 OK\r\nContent-Length: 2\r\nContent-Length: 3", b"abc"),
            Fails(Protocol, "not HTTP"),
            1,
        ),
        (
            "no-number",
            |_, s| answer(s, "200 OK\r\nContent-Length: some", b"abc"),
            Fails(Protocol, "not HTTP"),
            1,
        ),
        (
            "gzip",
            |_, s| reply(s, "200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b not for us"),
            Done(b"\x1f\x8b not for us", Length),
            1,
        ),
    ]
};

/// Runs all cases as the tasks of one run against one server.
fn hold_against_all(kind: ExecutorKind) -> Fallible {
    let server = RawServer::start(|asked, stream| {
        let name = asked.path.split(['/', '?']).nth(1).unwrap_or_default();
        match CASES.iter().find(|case| case.0 == name) {
            Some(case) => case.1(asked, stream),
            None => reply(stream, "404 Not Found", "", b"no such case"),
        }
    })?;
    let targets = CASES.iter().map(|case| server.target(&format!("/{}", case.0)));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    let mut disk = Disk::new()?;
    let who = Who::new(kind, 8, targets.len());
    let ran = run(&who, disk.downloads(&targets, Limits { stall: STALL, ..limits() })?, &Clock::start())?;
    ran.assert_accounted(&who);
    let mut expected = BTreeMap::new();
    let asked = server.asked();
    for (index, (name, _, end, requests)) in CASES.iter().enumerate() {
        let task = ran.task(index);
        let message = task.error_message().unwrap_or_default();
        match end {
            End::Done(body, check) => {
                assert_eq!((task.stage, task.check), (Stage::Done, *check), "{name}: {message}");
                assert_eq!(task.bytes, body.len() as u64, "{name}");
                expected.insert((*name).to_owned(), body.to_vec());
            }
            End::Fails(kind, words) => {
                assert_eq!((task.stage, task.error), (Stage::Failed, Some(*kind)), "{name}: {message}");
                assert!(message.contains(words), "{name}: {message}");
            }
        }
        let path = format!("/{name}");
        let seen: Vec<_> =
            asked.iter().filter(|asked| asked.path.split("/moved").next() == Some(&path)).collect();
        assert_eq!(seen.len(), *requests, "{name}: {message}");
        // The redirects are followed within one attempt.
        let redirected = matches!(*name, "loop" | "elsewhere");
        assert_eq!(task.attempts as usize, if redirected { 1 } else { *requests }, "{name}");
        let retries = task.story.as_ref().map_or(0, |story| story.failures.len());
        assert_eq!(retries + 1, task.attempts as usize, "{name}");
    }
    assert_eq!(disk.files()?, expected, "only complete files, and all of them");
    Ok(())
}

#[test]
fn servers_that_misbehave_cost_sequential_their_own_tasks() -> Fallible {
    hold_against_all(ExecutorKind::Sequential)
}

#[test]
fn servers_that_misbehave_cost_threads_their_own_tasks() -> Fallible {
    hold_against_all(ExecutorKind::Threads)
}

#[test]
fn servers_that_misbehave_cost_the_pool_their_own_tasks() -> Fallible {
    hold_against_all(ExecutorKind::Pool)
}

#[test]
fn servers_that_misbehave_cost_async_their_own_tasks() -> Fallible {
    hold_against_all(ExecutorKind::Async)
}

/// Downloads one thing, sequentially.
fn one(target: Target, limits: Limits) -> Fallible<(Ran, BTreeMap<String, Vec<u8>>)> {
    let (who, mut disk) = (Who::new(ExecutorKind::Sequential, 1, 1), Disk::new()?);
    let ran = run(&who, disk.downloads(&[target], limits)?, &Clock::start())?;
    ran.assert_accounted(&who);
    Ok((ran, disk.files()?))
}

/// Fails unless the one task failed like this after so many attempts and left nothing.
fn assert_fails(ran: &(Ran, BTreeMap<String, Vec<u8>>), kind: ErrorKind, words: &str, attempts: u32) {
    let (task, message) = (ran.0.task(0), ran.0.task(0).error_message().unwrap_or_default());
    assert_eq!((task.error, task.attempts), (Some(kind), attempts), "{message}");
    assert!(message.contains(words), "{message}");
    assert!(ran.1.is_empty(), "{:?}", ran.1);
}

#[test]
fn nobody_listening_is_refused_again_and_again() -> Fallible {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let url = Url::parse(&format!("http://{address}/a"))?;
    let ran = one(Target { url, name: "a".to_owned(), conduct: Conduct::Normal }, limits())?;
    assert_fails(&ran, ErrorKind::Connect, "onnection refused", 3);
    Ok(())
}

#[test]
fn a_connection_that_never_opens_is_given_up() -> Fallible {
    let full = crate::executors::Full::new()?;
    let url = Url::parse(&format!("http://{}/a", full.address()?))?;
    let limits = Limits { connect: MS(150), retries: 1, ..limits() };
    let ran = one(Target { url, name: "a".to_owned(), conduct: Conduct::Normal }, limits)?;
    assert_fails(&ran, ErrorKind::ConnectTimeout, "download.connect_seconds", 2);
    assert!(ran.0.took >= MS(300), "{:?}", ran.0.took);
    Ok(())
}

#[test]
fn the_deadline_ends_a_body_that_never_does() -> Fallible {
    let server = RawServer::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            thread::sleep(MS(20));
        }
    })?;
    let ran = one(server.target("/a")?, Limits { deadline: MS(400), ..limits() })?;
    assert_fails(&ran, ErrorKind::Deadline, "download.timeout_seconds", 1);
    assert!(ran.0.took >= MS(400), "{:?}", ran.0.took);
    Ok(())
}

#[test]
fn the_deadline_is_for_all_attempts_together() -> Fallible {
    let server = RawServer::start(|_, stream| busy(stream, "1"))?;
    let begun = Instant::now();
    let ran = one(server.target("/a")?, Limits { deadline: MS(1500), retries: 100, ..limits() })?;
    assert_fails(&ran, ErrorKind::Deadline, "download.timeout_seconds", 2);
    assert!(begun.elapsed() >= MS(1500));
    Ok(())
}

#[test]
fn a_retry_after_is_waited_out() -> Fallible {
    let server = RawServer::start(|asked, stream| match asked.number {
        0 => busy(stream, "1"),
        _ => reply(stream, "200 OK", "", b"now"),
    })?;
    let (ran, files) = one(server.target("/a")?, limits())?;
    assert_eq!((ran.task(0).stage, ran.task(0).attempts), (Stage::Done, 2));
    assert!(ran.took >= Duration::from_secs(1), "{:?}", ran.took);
    assert_eq!(files.into_values().collect::<Vec<_>>(), [b"now"]);
    Ok(())
}

#[test]
fn no_retries_means_one_attempt() -> Fallible {
    let server = RawServer::start(|_, stream| busy(stream, "0"))?;
    let ran = one(server.target("/a")?, Limits { retries: 0, ..limits() })?;
    assert_fails(&ran, ErrorKind::Status, "503", 1);
    Ok(())
}

#[test]
fn no_redirects_means_none() -> Fallible {
    let server = RawServer::start(|_, stream| redirect(stream, "/b"))?;
    let ran = one(server.target("/a")?, Limits { redirects: 0, ..limits() })?;
    assert_fails(&ran, ErrorKind::Redirect, "download.redirects", 1);
    assert_eq!(server.asked().len(), 1);
    Ok(())
}

#[test]
fn a_body_of_exactly_the_cap_is_fine() -> Fallible {
    for head in ["200 OK\r\nContent-Length: 8", "200 OK"] {
        let server = RawServer::start(move |_, stream| answer(stream, head, b"8 bytes!"))?;
        let (ran, files) = one(server.target("/a")?, Limits { max_bytes: 8, ..limits() })?;
        assert_eq!((ran.task(0).stage, files.len()), (Stage::Done, 1), "{head}");
        let ran = one(server.target("/a")?, Limits { max_bytes: 7, ..limits() })?;
        assert_fails(&ran, ErrorKind::TooLarge, "larger than 7 bytes", 1);
    }
    Ok(())
}

#[test]
fn a_password_is_sent_and_told_to_nobody_else() -> Fallible {
    let server = RawServer::start(|asked, stream| match asked.path.as_str() {
        "/a" => redirect(stream, "/b"),
        "/d" => redirect(stream, &format!("http://user:opensesame@{}/b", stream.local_addr()?)),
        "/b" => reply(stream, "200 OK", "", b"b"),
        _ => reply(stream, "404 Not Found", "", b""),
    })?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let secret = |address: std::net::SocketAddr, path| -> Fallible<Target> {
        let url = Url::parse(&format!("http://user:opensesame@{address}/{path}"))?;
        Ok(Target { url, name: "a".to_owned(), conduct: Conduct::Normal })
    };
    let at = server.address;
    for target in [secret(at, "a")?, secret(at, "c")?, secret(at, "d")?, secret(closed, "a")?] {
        let (ran, _) = one(target, limits())?;
        for event in &ran.events {
            let told = serde_json::to_string(event)?;
            assert!(!told.contains("opensesame"), "{told}");
        }
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    // user:opensesame in base64.
    assert!(asked.iter().all(|asked| asked.head.contains("Basic dXNlcjpvcGVuc2VzYW1l")), "{asked:?}");
    Ok(())
}

#[test]
fn a_user_that_is_sent_apart_is_no_redirect() -> Fallible {
    let server = RawServer::start(|_, stream| reply(stream, "200 OK", "", b"b"))?;
    let url = Url::parse(&format!("http://user:opensesame@{}/b#part", server.address))?;
    let (ran, _) = one(Target { url, name: "a".to_owned(), conduct: Conduct::Normal }, limits())?;
    let story = ran.task(0).story.as_ref().ok_or("no story")?;
    assert_eq!(story.heads.iter().map(|(_, head)| &head.redirected_to).collect::<Vec<_>>(), [&None]);
    Ok(())
}

#[test]
fn what_the_server_says_is_kept_with_the_task() -> Fallible {
    let server = RawServer::start(|asked, stream| match asked.number {
        0 => redirect(stream, "/b"),
        _ => reply(stream, "200 OK", "X-Odd: \u{202e}\r\n", b"b"),
    });
    let server = server?;
    let (ran, _) = one(server.target("/a")?, limits())?;
    let story = ran.task(0).story.as_ref().ok_or("no story")?;
    let [(_, head)] = &story.heads[..] else { return Err(format!("{story:?}").into()) };
    assert_eq!((head.status, &*head.version, head.length), (200, "HTTP/1.1", Some(1)));
    assert_eq!(head.remote, Some(server.address.to_string()));
    assert_eq!(head.redirected_to, Some(server.url("/b")));
    assert!(head.headers.iter().any(|(name, _)| name == "x-odd"), "{head:?}");
    Ok(())
}

#[test]
fn of_a_huge_head_little_is_kept() -> Fallible {
    let server = RawServer::start(|_, stream| {
        let headers: String = (0..90).map(|number| format!("X-{number}: {}\r\n", "y".repeat(2000))).collect();
        reply(stream, "200 OK", &headers, b"b")
    })?;
    let (ran, _) = one(server.target("/a")?, limits())?;
    let story = ran.task(0).story.as_ref().ok_or("no story")?;
    let [(_, head)] = &story.heads[..] else { return Err(format!("{story:?}").into()) };
    let bytes: usize = head.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes < 8192 + 100, "{bytes}");
    let (name, value) = head.headers.iter().last().ok_or("no header")?;
    assert!(name == "…" && value.ends_with(" more headers"), "{name}: {value}");
    Ok(())
}

#[test]
fn a_server_that_leaves_while_it_is_kept_warm_costs_nothing() -> Fallible {
    let server = RawServer::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        stream.shutdown(Shutdown::Both)?;
        Ok(After::Close)
    })?;
    let targets = (0..20).map(|task| server.target(&format!("/{task}"))).collect::<Result<Vec<_>, _>>()?;
    for who in Who::everyone(3, targets.len()) {
        let ran = run(&who, Disk::new()?.downloads(&targets, limits())?, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}: {:?}", ran.run().counts());
        assert_no_retries(&ran);
    }
    Ok(())
}

/// Every task was done in its first attempt, and nobody waited for another.
fn assert_no_retries(ran: &Ran) {
    for task in ran.run().tasks() {
        assert_eq!((task.stage, task.attempts), (Stage::Done, 1), "{:?}", task.error_message());
    }
    let waits = |event: &&Event| matches!(event.fact, Fact::PhaseEntered { phase: Phase::BackingOff, .. });
    assert_eq!(ran.events.iter().filter(waits).count(), 0);
}

#[test]
fn a_kept_connection_that_dies_under_a_request_is_replaced_at_once() -> Fallible {
    let served = Mutex::new(HashSet::new());
    let server = RawServer::start(move |_, stream| {
        // The second request of a connection finds it closed.
        if !served.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.peer_addr()?) {
            return Ok(After::Close);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        Ok(After::Open)
    })?;
    let targets = (0..6).map(|task| server.target(&format!("/{task}"))).collect::<Result<Vec<_>, _>>()?;
    let who = Who::new(ExecutorKind::Sequential, 1, targets.len());
    let limits = Limits { retries: 0, ..limits() };
    let ran = run(&who, Disk::new()?.downloads(&targets, limits)?, &Clock::start())?;
    ran.assert_accounted(&who);
    assert_no_retries(&ran);
    // Each task after the first is asked for twice: on the kept connection, and on its own.
    assert_eq!((server.accepted(), server.asked().len()), (6, 11));
    Ok(())
}

#[test]
fn a_request_is_repeated_only_once() -> Fallible {
    let server = RawServer::start(|asked, stream| match asked.path.as_str() {
        "/0" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            Ok(After::Open)
        }
        _ => Ok(After::Close),
    })?;
    let targets = [server.target("/0")?, server.target("/1")?];
    let who = Who::new(ExecutorKind::Sequential, 1, targets.len());
    let limits = Limits { retries: 0, ..limits() };
    let ran = run(&who, Disk::new()?.downloads(&targets, limits)?, &Clock::start())?;
    ran.assert_accounted(&who);
    assert_eq!((ran.task(1).error, ran.task(1).attempts), (Some(ErrorKind::Truncated), 1));
    assert_eq!((server.accepted(), server.asked().len()), (2, 3));
    Ok(())
}

#[test]
fn every_server_of_a_chain_of_redirects_has_its_own_time() -> Fallible {
    let server = RawServer::start(|asked, stream| {
        thread::sleep(STALL / 3);
        let head = match asked.number {
            0..5 => format!("302 Found\r\nLocation: /{}\r\nContent-Length: 0", asked.number + 1),
            _ => "200 OK\r\nContent-Length: 0".to_owned(),
        };
        stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes())?;
        Ok(After::Open)
    })?;
    let (ran, _) = one(server.target("/a")?, Limits { stall: STALL, ..limits() })?;
    assert_no_retries(&ran);
    assert_eq!((server.accepted(), server.asked().len()), (1, 6));
    assert!(ran.took > STALL, "{:?}", ran.took);
    Ok(())
}

#[test]
fn a_redirect_to_another_port_of_a_known_name_goes_there() -> Fallible {
    let to = RawServer::start(|_, stream| reply(stream, "200 OK", "", b"from B"))?;
    let port = to.address.port();
    let from = RawServer::start(move |_, stream| redirect(stream, &format!("http://localhost:{port}/b")))?;
    let url = Url::parse(&format!("http://localhost:{}/a", from.address.port()))?;
    let target = Target { url, name: "a".to_owned(), conduct: Conduct::Normal };
    let dir = tempfile::tempdir()?;
    let folder = OutputFolder::open(dir.path())?.make_room(&["run"], &["a"])?.remove(0);
    let resolved = Resolved::from([("localhost".to_owned(), vec!["127.0.0.1:0".parse()?])]);
    let downloads = Downloads::new(vec![target], limits(), Server::Origin, Tls::new()?, resolved, SEED);
    let who = Who::new(ExecutorKind::Sequential, 1, 1);
    let ran = run(&who, Arc::new(downloads.into_folder(folder)), &Clock::start())?;
    let message = ran.task(0).error_message();
    assert_eq!((ran.task(0).stage, ran.task(0).attempts), (Stage::Done, 1), "{message:?}");
    assert_eq!(std::fs::read(dir.path().join("run/a"))?, b"from B");
    assert_eq!((from.asked().len(), to.asked().len()), (1, 1));
    Ok(())
}
