//! The origin over real sockets, met by a client that knows HTTP only from the RFC.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use threadrace::clock::Clock;
use threadrace::event::At;
use threadrace::origin::{
    Content, Latency, Library, Options, Origin, OriginError, OriginTask, Served, Shape,
};

type Outcome = Result<(), Box<dyn Error>>;

const SEED: u64 = 1;
const SMALL: Content = Content::Pictures { width: 64, height: 40 };
const FAULTS: Content = Content::Faults { width: 64, height: 40 };
const MS: fn(u64) -> Duration = Duration::from_millis;

fn start(content: &Content, tasks: usize, shape: Shape) -> Result<(Origin, Vec<OriginTask>), Box<dyn Error>> {
    let library =
        Library::make(content, SEED, tasks, &mut |_, _| ControlFlow::Continue(())).ok_or("stopped")?;
    let list = library.tasks().collect();
    let options =
        Options { bind: "127.0.0.1:0".parse()?, hosts: vec!["show.example".to_owned()], seed: SEED, shape };
    Ok((Origin::start(options, library, Clock::start())?, list))
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (this, value) = line.split_once(':')?;
            this.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends `request` as it is and reads until the server closes.
pub fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request.as_ref())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Reply { status, head, body: answer.split_off(end + 4) })
}

pub fn ask(origin: &Origin, method: &str, path: &str, more: &str) -> io::Result<Reply> {
    let address = origin.address();
    send(address, format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n"))
}

pub fn get(origin: &Origin, path: &str) -> io::Result<Reply> {
    ask(origin, "GET", path, "")
}

/// Asks for all paths at once, a thread for each.
fn get_all(origin: &Origin, tasks: &[OriginTask]) -> io::Result<Vec<Reply>> {
    thread::scope(|scope| {
        let threads: Vec<_> = tasks.iter().map(|task| scope.spawn(|| get(origin, &task.path))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("panicked"))?).collect()
    })
}

/// Waits until the log has `count` entries; something is broken when that takes a minute.
pub fn log_of(origin: &Origin, count: usize) -> Result<Vec<Served>, String> {
    let begun = Instant::now();
    loop {
        let log = origin.log();
        if log.len() >= count {
            return Ok(log);
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("the log has only {log:?}"));
        }
        thread::sleep(MS(2));
    }
}

/// Opens a connection, sends a request for `path` and reads nothing.
fn ask_and_stall(origin: &Origin, path: &str) -> io::Result<TcpStream> {
    let address = origin.address();
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    Ok(stream)
}

#[test]
fn every_kind_of_content_is_served_whole_and_described() -> Outcome {
    let kinds = [
        (SMALL, "image/jpeg"),
        (Content::Posts, "application/json"),
        (Content::Csv { rows: 20 }, "text/csv; charset=utf-8"),
        (Content::Bytes { size: 700_000 }, "application/octet-stream"),
        (Content::Bytes { size: 0 }, "application/octet-stream"),
    ];
    for (content, media_type) in kinds {
        let (origin, tasks) = start(&content, 5, Shape::UNSHAPED)?;
        for task in &tasks {
            let reply = get(&origin, &task.path)?;
            assert_eq!((reply.status, reply.length()), (200, Some(reply.body.len())), "{task:?}");
            assert_eq!(reply.header("content-type"), Some(media_type));
            assert!(reply.header("etag").is_some_and(|tag| tag.starts_with('"')));
            assert!(reply.header("repr-digest").is_some_and(|digest| digest.starts_with("sha-256=:")));
            if content == SMALL {
                let picture = image::load_from_memory_with_format(&reply.body, image::ImageFormat::Jpeg)?;
                assert_eq!((picture.width(), picture.height()), (64, 40));
            }
        }
        let bytes: u64 = log_of(&origin, 5)?.iter().map(|served| served.bytes).sum();
        if let Content::Bytes { size } = content {
            assert_eq!(bytes, 5 * size);
        }
    }
    Ok(())
}

#[test]
fn head_sends_the_head_alone() -> Outcome {
    let (origin, tasks) = start(&SMALL, 2, Shape::UNSHAPED)?;
    let (get, head) = (get(&origin, &tasks[0].path)?, ask(&origin, "HEAD", &tasks[0].path, "")?);
    assert_eq!((head.status, head.body.len(), head.length()), (200, 0, get.length()));
    for name in ["etag", "repr-digest", "content-type"] {
        assert_eq!(head.header(name), get.header(name));
    }
    let missing = ask(&origin, "HEAD", "/nothing", "")?;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    assert!(log_of(&origin, 3)?.iter().skip(1).all(|served| served.complete && served.bytes == 0));
    Ok(())
}

#[test]
fn what_isnt_there_or_cant_be_done_is_said() -> Outcome {
    let (origin, _) = start(&SMALL, 20, Shape::UNSHAPED)?;
    let missing = get(&origin, "/pictures/21.jpg")?;
    assert_eq!((missing.status, missing.text().lines().count()), (404, 1));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let refused = ask(&origin, method, "/pictures/01.jpg", "")?;
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let index = get(&origin, "/")?;
    assert_eq!(index.status, 200);
    assert!(index.text().contains("/pictures/20.jpg"), "{}", index.text());
    Ok(())
}

#[test]
fn a_foreign_host_is_turned_away() -> Outcome {
    let (origin, _) = start(&SMALL, 1, Shape::UNSHAPED)?;
    let port = origin.address().port();
    let call = |host: &str| {
        send(origin.address(), format!("GET /pictures/1.jpg HTTP/1.1\r\n{host}Connection: close\r\n\r\n"))
    };
    for host in [String::new(), "Host: evil.example\r\n".to_owned(), format!("Host: evil.example:{port}\r\n")]
    {
        let reply = call(&host)?;
        assert_eq!(reply.status, 421, "{host}");
        let text = reply.text();
        assert!(text.contains(&format!("localhost:{port}")) && text.contains("show.example"), "{text}");
        assert!(!text.contains("evil"), "{text}");
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "show.example:443".to_owned()] {
        assert_eq!(call(&format!("Host: {host}\r\n"))?.status, 200, "{host}");
    }
    Ok(())
}

#[test]
fn a_head_without_an_end_is_refused() -> Outcome {
    let (origin, _) = start(&SMALL, 1, Shape::UNSHAPED)?;
    let long = "x".repeat(30_000);
    assert_eq!(ask(&origin, "GET", "/", &format!("X: {long}\r\n"))?.status, 431);
    assert_eq!(get(&origin, "/")?.status, 200);
    Ok(())
}

#[test]
fn one_connection_carries_many_requests() -> Outcome {
    let (origin, _) = start(&Content::Bytes { size: 3 }, 3, Shape::UNSHAPED)?;
    let request =
        |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{close}\r\n", origin.address());
    let three = [
        request("/bytes/1.bin", ""),
        request("/bytes/2.bin", ""),
        request("/bytes/3.bin", "Connection: close\r\n"),
    ]
    .concat();
    let reply = send(origin.address(), three)?;
    assert_eq!(reply.text().matches("HTTP/1.1 200 OK").count(), 2, "beside the first one");
    let paths: Vec<String> = log_of(&origin, 3)?.into_iter().map(|served| served.path).collect();
    assert_eq!(paths, ["/bytes/1.bin", "/bytes/2.bin", "/bytes/3.bin"]);
    Ok(())
}

#[test]
fn delays_belong_to_paths_whatever_the_order() -> Outcome {
    let shape = Shape { latency: Latency::Uniform { mean: MS(20), spread: MS(20) }, ..Shape::UNSHAPED };
    for backwards in [false, true] {
        let (origin, mut tasks) = start(&Content::Bytes { size: 1 }, 8, shape)?;
        if backwards {
            tasks.reverse();
        }
        for task in &tasks {
            get(&origin, &task.path)?;
        }
        for served in log_of(&origin, 8)? {
            let (waited, planned) = (served.first_byte.since(served.start), shape.delay(SEED, &served.path));
            assert!(waited >= planned, "{}: {waited:?} of {planned:?}", served.path);
        }
    }
    Ok(())
}

#[test]
fn a_connection_gets_its_bandwidth_and_no_more() -> Outcome {
    let shape = Shape { bandwidth: NonZeroU64::new(100_000), ..Shape::UNSHAPED };
    let (origin, tasks) = start(&Content::Bytes { size: 20_000 }, 3, shape)?;
    let begun = Instant::now();
    for reply in get_all(&origin, &tasks)? {
        assert_eq!(reply.body.len(), 20_000);
    }
    assert!(begun.elapsed() >= MS(200), "{:?}", begun.elapsed());
    for served in log_of(&origin, 3)? {
        assert!(served.end.since(served.start) >= MS(200), "{served:?}");
        assert!(served.first_byte < served.end);
    }
    Ok(())
}

#[test]
fn all_connections_share_the_link() -> Outcome {
    let shape = Shape { shared_bandwidth: NonZeroU64::new(100_000), ..Shape::UNSHAPED };
    let (origin, tasks) = start(&Content::Bytes { size: 10_000 }, 4, shape)?;
    let begun = Instant::now();
    for reply in get_all(&origin, &tasks)? {
        assert_eq!(reply.body.len(), 10_000);
    }
    assert!(begun.elapsed() >= MS(400), "{:?}", begun.elapsed());
    Ok(())
}

/// How many of the spans overlap at the worst moment.
fn peak(spans: impl Iterator<Item = (At, At)>) -> i32 {
    let mut edges: Vec<(At, i32)> = spans.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    edges.sort_unstable();
    let mut now = 0;
    edges.into_iter().map(|(_, step)| (now += step, now).1).max().unwrap_or(0)
}

#[test]
fn no_more_requests_are_served_at_once_than_allowed() -> Outcome {
    let shape = Shape {
        latency: Latency::Fixed(MS(10)),
        bandwidth: NonZeroU64::new(100_000),
        concurrent: NonZeroUsize::new(2),
        ..Shape::UNSHAPED
    };
    let (origin, tasks) = start(&Content::Bytes { size: 3_000 }, 8, shape)?;
    let begun = Instant::now();
    get_all(&origin, &tasks)?;
    assert!(begun.elapsed() >= MS(4 * 40), "{:?}", begun.elapsed());
    let log = log_of(&origin, 8)?;
    assert!(peak(log.iter().map(|served| (served.first_byte, served.end))) <= 2, "{log:?}");
    assert!(log.iter().all(|served| served.complete));
    Ok(())
}

#[test]
fn failures_belong_to_paths_and_attempts() -> Outcome {
    let shape = Shape { failures: 0.3, ..Shape::UNSHAPED };
    let (origin, tasks) = start(&Content::Bytes { size: 1 }, 60, shape)?;
    let mut failed = 0;
    for attempt in [2, 1] {
        for task in &tasks {
            let reply = ask(&origin, "GET", &task.path, &format!("threadrace-attempt: {attempt}\r\n"))?;
            let fails = shape.fails(SEED, &task.path, attempt);
            assert_eq!(reply.status, if fails { 503 } else { 200 }, "{task:?}, attempt {attempt}");
            failed += usize::from(fails);
        }
    }
    assert!((18..=54).contains(&failed), "{failed} of 120");
    let first = get(&origin, &tasks[0].path)?.status;
    assert_eq!(
        first == 503,
        shape.fails(SEED, &tasks[0].path, 1),
        "without the header it is the first attempt"
    );
    let attempts: Vec<u32> = log_of(&origin, 121)?.iter().map(|served| served.attempt).collect();
    assert_eq!((attempts[0], attempts[60], attempts[120]), (2, 1, 1));
    Ok(())
}

#[test]
fn each_fault_is_the_one_that_its_name_says() -> Outcome {
    let (origin, tasks) = start(&FAULTS, 8, Shape::UNSHAPED)?;
    let path = |task: usize| tasks[task].path.as_str();
    for task in [0, 3, 6, 7] {
        let reply = get(&origin, path(task))?;
        assert!(reply.status == 200 && image::load_from_memory(&reply.body).is_ok(), "{task}");
    }
    assert_eq!(get(&origin, path(1))?.status, 404);
    let busy = get(&origin, path(2))?;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")));
    assert_eq!(ask(&origin, "GET", path(2), "threadrace-attempt: 2\r\n")?.status, 200);
    let cut = get(&origin, path(4))?;
    let promised = cut.length().ok_or("no length")?;
    assert_eq!((cut.status, cut.body.len()), (200, promised / 2));
    let around = get(&origin, path(5))?;
    assert_eq!((around.status, around.header("location")), (302, Some(path(5))));
    let log = log_of(&origin, 9)?;
    let cut: Vec<&Served> = log.iter().filter(|served| !served.complete).collect();
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].path.as_str(), cut[0].bytes), (path(4), (promised / 2) as u64));
    Ok(())
}

#[test]
fn the_log_tells_who_left_early() -> Outcome {
    let shape = Shape { bandwidth: NonZeroU64::new(50_000), ..Shape::UNSHAPED };
    let (origin, tasks) = start(&Content::Bytes { size: 1 << 40 }, 2, shape)?;
    let mut stream = ask_and_stall(&origin, &tasks[1].path)?;
    let mut some = [0; 2000];
    stream.read_exact(&mut some)?;
    assert!(String::from_utf8_lossy(&some).contains("content-length: 1099511627776"));
    drop(stream);
    let log = log_of(&origin, 1)?;
    assert_eq!((log[0].path.as_str(), log[0].status, log[0].complete), ("/bytes/2.bin", 200, false));
    assert!((1..1 << 40).contains(&log[0].bytes));
    assert!(log[0].start <= log[0].first_byte && log[0].first_byte < log[0].end);
    assert_eq!(origin.log_dropped(), 0);
    Ok(())
}

#[test]
fn a_client_that_leaves_while_it_waits_is_noticed() -> Outcome {
    let shape = Shape {
        latency: Latency::Fixed(Duration::from_secs(3600)),
        concurrent: NonZeroUsize::new(1),
        ..Shape::UNSHAPED
    };
    let (origin, tasks) = start(&SMALL, 2, shape)?;
    // A client that leaves before its request was read never was one.
    for task in &tasks {
        let stalled = ask_and_stall(&origin, &task.path)?;
        let begun = Instant::now();
        while origin.in_progress() == 0 && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(MS(2));
        }
        drop(stalled);
        while origin.in_progress() > 0 && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(MS(2));
        }
    }
    for served in log_of(&origin, 2)? {
        assert_eq!((served.bytes, served.complete, served.first_byte), (0, false, served.end));
    }
    Ok(())
}

#[test]
fn stopping_doesnt_wait_for_anybody() -> Outcome {
    let (origin, tasks) = start(&Content::Bytes { size: 1 << 40 }, 1, Shape::UNSHAPED)?;
    let mut stalled = ask_and_stall(&origin, &tasks[0].path)?;
    stalled.read_exact(&mut [0; 100])?;
    let idle = TcpStream::connect(origin.address())?;
    let (stopped, stops) = mpsc::channel();
    let stopper = thread::spawn(move || {
        origin.stop();
        origin.stop();
        let _ = stopped.send(());
        origin
    });
    stops.recv_timeout(Duration::from_secs(20))?;
    let origin = stopper.join().map_err(|_| "stop panicked")?;
    let log = origin.log();
    assert_eq!((log.len(), log[0].complete), (1, false));
    assert!(TcpStream::connect(origin.address()).is_err(), "nobody listens any more");
    drop((stalled, idle));
    Ok(())
}

#[test]
fn a_taken_address_is_an_error_that_says_so() -> Outcome {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    let library = Library::make(&SMALL, SEED, 1, &mut |_, _| ControlFlow::Continue(())).ok_or("stopped")?;
    let options = Options { bind: address, hosts: Vec::new(), seed: SEED, shape: Shape::UNSHAPED };
    let Err(error) = Origin::start(options, library, Clock::start()) else { return Err("it started".into()) };
    assert!(matches!(error, OriginError::Listen { .. }));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    Ok(())
}

#[test]
fn an_origin_that_listens_everywhere_is_reached_over_the_loopback() -> Outcome {
    let library = Library::make(&SMALL, SEED, 1, &mut |_, _| ControlFlow::Continue(())).ok_or("stopped")?;
    let options =
        Options { bind: "0.0.0.0:0".parse()?, hosts: Vec::new(), seed: SEED, shape: Shape::UNSHAPED };
    let origin = Origin::start(options, library, Clock::start())?;
    let port = origin.address().port();
    assert_eq!(origin.url("/pictures/1.jpg"), format!("http://127.0.0.1:{port}/pictures/1.jpg"));
    Ok(())
}
