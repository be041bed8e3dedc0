//! The server itself: connections in, answers out.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::body::{Extent, PacedBody};
use super::hosts::Hosts;
use super::library::Fate;
use super::log::{Entry, Log};
use super::pace::{Pacer, SharedLink};
use super::payload::{Payload, Piece, value};
use super::posts::{Granted, Posts, Route, Wish};
use super::{ATTEMPT_HEADER, Library, Options, OriginError, Shape};
use crate::clock::Clock;

/// As many connections may wait to be accepted: a thread for each of thousands of tasks connects at once, and
/// one that the kernel turns away tries again only a second later. The kernel may lower it.
const BACKLOG: u32 = 4096;

/// When the operating system has no file or memory for one more connection, accepting pauses this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A request's head must be here within this time; a connection without a request is closed after it, too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A request's head may be this long; a longer one gets 431.
const LARGEST_HEAD: usize = 16 * 1024;

/// A request's body must be here within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request's body may be this long; a longer one gets 413.
const LARGEST_BODY: usize = 64 * 1024;

/// So much of a body that is too long is read all the same: a client that is still sending would not read why
/// it is refused.
const MOST_READ: usize = 1024 * 1024;

/// What hyper may keep for one connection.
const LARGEST_BUFFER: usize = 64 * 1024;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Serves until `stop` is notified; tells `started` where it listens, or why it does not.
pub(super) fn run(
    options: Options,
    library: Library,
    clock: Clock,
    log: Arc<Log>,
    stop: &Notify,
    started: &mpsc::SyncSender<Result<SocketAddr, OriginError>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(OriginError::Thread(error)))),
    };
    runtime.block_on(async {
        let listening = listen(options.bind).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = match listening {
            Ok(listening) => listening,
            Err(source) => {
                return drop(started.send(Err(OriginError::Listen { address: options.bind, source })));
            }
        };
        let server = Arc::new(Server::new(options, library, clock, log, address));
        let _ = started.send(Ok(address));
        let accept = || async { listener.accept().await.map(|(stream, _)| stream) };
        tokio::select! {
            () = stop.notified() => {}
            () = accept_all(accept, |stream| serve(Arc::clone(&server), stream)) => {}
        }
    });
    // Dropping the runtime drops every connection, and with it what was being served.
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Windows this would let another program take the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections for ever and serves each as a task of its own: one that panics harms no other.
async fn accept_all<S, F>(accept: impl AsyncFn() -> io::Result<S>, serve: impl Fn(S) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match accept().await {
            Ok(stream) => drop(tokio::spawn(serve(stream))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(server: Arc<Server>, stream: TcpStream) {
    // Without it, the last small piece of a body can wait 40 ms for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    let answer = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(request, local).await) }
    });
    // An error here is the client's: it left, or spoke no HTTP. The log has what it got.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// What all connections share.
struct Server {
    library: Library,
    posts: Option<Posts>,
    seed: u64,
    shape: Shape,
    hosts: Hosts,
    link: Option<Arc<SharedLink>>,
    turns: Option<Arc<Semaphore>>,
    log: Arc<Log>,
    clock: Clock,
}

/// What to answer, once the waiting is over.
struct Reply {
    status: StatusCode,
    answer: Answer,
    extent: Extent,
    also: Option<(HeaderName, HeaderValue)>,
}

enum Answer {
    Piece(Piece),
    Line(String),
    Nothing,
}

impl Reply {
    fn piece(piece: Piece) -> Reply {
        Reply { status: StatusCode::OK, answer: Answer::Piece(piece), extent: Extent::Whole, also: None }
    }

    fn json(json: String) -> Reply {
        Reply::piece(Piece::digested(Payload::whole(json.into()), "application/json"))
    }

    fn nothing_here() -> Reply {
        Reply::line(StatusCode::NOT_FOUND, "there is nothing here; / lists what there is\n")
    }

    fn only(methods: &'static str) -> Reply {
        let line = format!("only {methods} are answered here\n");
        Reply::line(StatusCode::METHOD_NOT_ALLOWED, line).with(ALLOW, HeaderValue::from_static(methods))
    }

    fn failure() -> Reply {
        Reply::line(StatusCode::SERVICE_UNAVAILABLE, "this attempt fails on purpose; try again\n")
    }

    fn line(status: StatusCode, line: impl Into<String>) -> Reply {
        Reply { status, answer: Answer::Line(line.into()), extent: Extent::Whole, also: None }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.also = Some((name, value));
        self
    }
}

/// A reply, and what its delay depends on beside the seed; nothing where it isn't slowed down.
struct Decision<'a> {
    reply: Reply,
    lot: Option<Cow<'a, str>>,
}

impl<'a> Decision<'a> {
    fn at_once(reply: Reply) -> Decision<'a> {
        Decision { reply, lot: None }
    }

    fn slowed(reply: Reply, lot: impl Into<Cow<'a, str>>) -> Decision<'a> {
        Decision { reply, lot: Some(lot.into()) }
    }
}

impl Server {
    fn new(options: Options, library: Library, clock: Clock, log: Arc<Log>, address: SocketAddr) -> Server {
        let shape = options.shape;
        Server {
            posts: library.posts(),
            library,
            seed: options.seed,
            hosts: Hosts::new(address, &options.hosts),
            link: shape.shared_bandwidth.map(|rate| Arc::new(SharedLink::new(rate, Instant::now()))),
            turns: shape
                .concurrent
                .map(|most| Arc::new(Semaphore::new(most.get().min(Semaphore::MAX_PERMITS)))),
            shape,
            log,
            clock,
        }
    }

    /// Answers one request; whatever was waited for and noted ends when the body is dropped.
    async fn answer(&self, request: Request<Incoming>, local: Option<SocketAddr>) -> Response<PacedBody> {
        let (request, body) = request.into_parts();
        let (path, attempt) = (request.uri.path(), attempt(&request));
        let mut entry =
            Entry::open(Arc::clone(&self.log), self.clock.clone(), &request.method, path, attempt);
        let Decision { reply, lot } = self.decide(&request, body, local, attempt).await;
        entry.decided(reply.status.as_u16());
        let mut turn = None;
        let mut begin = Instant::now();
        if let Some(lot) = lot {
            if let Some(turns) = &self.turns {
                turn = Arc::clone(turns).acquire_owned().await.ok();
            }
            let delay = self.shape.delay(self.seed, &lot);
            // The body's schedule starts when the wait should have ended: timers are a little late.
            begin = Instant::now().checked_add(delay).unwrap_or(begin);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
        }
        let extent = if request.method == Method::HEAD { Extent::HeadOnly } else { reply.extent };
        let pacer = Pacer::new(self.shape.bandwidth, self.link.as_ref(), begin);
        let (payload, head) = head(reply);
        let mut response = Response::new(PacedBody::new(payload, extent, pacer, entry, turn));
        *response.status_mut() = head.0;
        response.headers_mut().extend(head.1);
        response
    }

    /// Decides what to answer, and does what is asked for. A refusal is not slowed down.
    async fn decide<'a>(
        &self,
        request: &'a Parts,
        body: Incoming,
        local: Option<SocketAddr>,
        attempt: u32,
    ) -> Decision<'a> {
        if !self.hosts.allow(request, local) {
            return Decision::at_once(Reply::line(StatusCode::MISDIRECTED_REQUEST, self.hosts.advice()));
        }
        let path = request.uri.path();
        let posts = self.posts.as_ref().and_then(|posts| Some((posts, Route::of(&request.method, path)?)));
        match posts {
            Some((posts, Route::To(wish))) => self.grant(posts, wish, request, body, attempt).await,
            Some((_, Route::Only(methods))) => Decision::at_once(Reply::only(methods)),
            None if [Method::GET, Method::HEAD].contains(&request.method) => {
                Decision::slowed(self.look_up(path, attempt), path)
            }
            None => Decision::at_once(Reply::only("GET, HEAD")),
        }
    }

    async fn grant<'a>(
        &self,
        posts: &Posts,
        wish: Wish,
        request: &Parts,
        body: Incoming,
        attempt: u32,
    ) -> Decision<'a> {
        let mut bytes = Bytes::new();
        if wish.has_body() {
            bytes = match read(body).await {
                Ok(bytes) => bytes,
                Err((status, line)) => return Decision::at_once(Reply::line(status, line)),
            };
            if !wish.takes(&media_type(request)) {
                let line = "a post is sent with Content-Type: application/json\n";
                return Decision::at_once(Reply::line(StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
            }
        }
        let lot = posts.lot(&request.method, wish, &bytes);
        if posts.has(wish) && self.shape.fails(self.seed, &lot, attempt) {
            return Decision::slowed(Reply::failure(), lot);
        }
        let reply = match posts.grant(wish, &bytes) {
            Granted::Json(json) => Reply::json(json),
            Granted::Created { json, path } => {
                Reply { status: StatusCode::CREATED, ..Reply::json(json) }.with(LOCATION, value(&path))
            }
            Granted::Deleted => Reply {
                status: StatusCode::NO_CONTENT,
                answer: Answer::Nothing,
                extent: Extent::Whole,
                also: None,
            },
            Granted::Missing => Reply::nothing_here(),
            Granted::Invalid(words) => Reply::line(StatusCode::BAD_REQUEST, format!("{words}\n")),
            Granted::Full => {
                Reply::line(StatusCode::INSUFFICIENT_STORAGE, "no more posts can be kept; delete some\n")
            }
        };
        Decision::slowed(reply, lot)
    }

    fn look_up(&self, path: &str, attempt: u32) -> Reply {
        if path == "/" {
            return Reply::piece(self.library.index().clone());
        }
        let Some((task, fate)) = self.library.find(path) else { return Reply::nothing_here() };
        if self.shape.fails(self.seed, path, attempt) {
            return Reply::failure();
        }
        let fine = || self.library.piece(task).map_or_else(Reply::nothing_here, Reply::piece);
        match fate {
            Fate::Missing => Reply::line(StatusCode::NOT_FOUND, "this file is missing on purpose\n"),
            Fate::Busy if attempt == 1 => {
                Reply::line(StatusCode::SERVICE_UNAVAILABLE, "busy on purpose; come back in a second\n")
                    .with(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            Fate::Loop => Reply::line(StatusCode::FOUND, "this leads back here on purpose\n")
                .with(LOCATION, value(path)),
            Fate::Truncated => Reply { extent: Extent::Half, ..fine() },
            Fate::Fine | Fate::Panic | Fate::Busy => fine(),
        }
    }
}

/// Splits a reply into its body and its head.
fn head(reply: Reply) -> (Payload, (StatusCode, Vec<(HeaderName, HeaderValue)>)) {
    let mut headers = Vec::with_capacity(5);
    let payload = match reply.answer {
        Answer::Piece(piece) => {
            headers.push((CONTENT_TYPE, piece.media_type));
            headers.push((ETAG, piece.etag));
            headers.extend(piece.digest.map(|digest| (REPR_DIGEST, digest)));
            piece.payload
        }
        Answer::Line(line) => {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")));
            Payload::whole(line.into())
        }
        Answer::Nothing => {
            // An answer that has no body has no length either (RFC 9110, section 8.6).
            headers.extend(reply.also);
            return (Payload::whole(Bytes::new()), (reply.status, headers));
        }
    };
    headers.push((CONTENT_LENGTH, payload.len().into()));
    headers.extend(reply.also);
    (payload, (reply.status, headers))
}

/// Reads a request's body, or says with which status and line the request is refused.
async fn read(mut body: Incoming) -> Result<Bytes, (StatusCode, String)> {
    let reading = async {
        let (mut bytes, mut length) = (BytesMut::new(), 0);
        while let Some(frame) = poll_fn(|polled| Pin::new(&mut body).poll_frame(polled)).await {
            let Ok(frame) = frame else {
                return Err((StatusCode::BAD_REQUEST, "the body broke off\n".to_owned()));
            };
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length <= LARGEST_BODY {
                bytes.extend_from_slice(&data);
            } else if length > MOST_READ {
                break;
            }
        }
        if length > LARGEST_BODY {
            let line = format!("a post has at most {LARGEST_BODY} bytes\n");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, line));
        }
        Ok(bytes.freeze())
    };
    let late = |_| Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n".to_owned()));
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or_else(late)
}

/// The media type of a request's body, in lower case and without parameters; empty when it says none.
fn media_type(request: &Parts) -> String {
    let said = request.headers.get(CONTENT_TYPE).and_then(|said| said.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Which attempt a request says it is; the first, when it doesn't say or says nonsense.
fn attempt(request: &Parts) -> u32 {
    let said = request.headers.get(ATTEMPT_HEADER).and_then(|said| said.to_str().ok()?.parse().ok());
    said.filter(|&attempt| attempt > 0).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn accepting_outlives_failures_and_panics() -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (served, mut all_served) = mpsc::unbounded_channel();
        let calls = AtomicUsize::new(0);
        let accept = || async {
            match calls.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(io::Error::other("no file descriptor is left")),
                number @ 2..4 => Ok(number),
                _ => std::future::pending().await,
            }
        };
        let serve = |number| {
            let served = served.clone();
            async move {
                assert_ne!(number, 2, "this connection panics on purpose");
                let _ = served.send(number);
            }
        };
        let begun = Instant::now();
        let served = runtime.block_on(async {
            tokio::select! {
                () = accept_all(accept, serve) => None,
                served = all_served.recv() => served,
            }
        });
        assert_eq!(served, Some(3));
        assert!(begun.elapsed() >= 2 * ACCEPT_PAUSE, "each failure pauses");
        Ok(())
    }
}
