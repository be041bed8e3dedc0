//! The server itself: connections in, answers out.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

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
}

impl Reply {
    fn piece(piece: Piece) -> Reply {
        Reply { status: StatusCode::OK, answer: Answer::Piece(piece), extent: Extent::Whole, also: None }
    }

    fn line(status: StatusCode, line: impl Into<String>) -> Reply {
        Reply { status, answer: Answer::Line(line.into()), extent: Extent::Whole, also: None }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.also = Some((name, value));
        self
    }
}

impl Server {
    fn new(options: Options, library: Library, clock: Clock, log: Arc<Log>, address: SocketAddr) -> Server {
        let shape = options.shape;
        Server {
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
        let (request, _) = request.into_parts();
        let path = request.uri.path();
        let attempt = attempt(&request);
        let mut entry = Entry::open(Arc::clone(&self.log), self.clock.clone(), path, attempt);
        let refusal = self.refuse(&request, local);
        let shaped = refusal.is_none();
        let reply = refusal.unwrap_or_else(|| self.decide(path, attempt));
        entry.decided(reply.status.as_u16());
        let mut turn = None;
        let mut begin = Instant::now();
        if shaped {
            if let Some(turns) = &self.turns {
                turn = Arc::clone(turns).acquire_owned().await.ok();
            }
            let delay = self.shape.delay(self.seed, path);
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

    /// What is wrong with a request that isn't even looked up, if anything. A refusal is not slowed down.
    fn refuse(&self, request: &Parts, local: Option<SocketAddr>) -> Option<Reply> {
        if !self.hosts.allow(request, local) {
            return Some(Reply::line(StatusCode::MISDIRECTED_REQUEST, self.hosts.advice()));
        }
        if ![Method::GET, Method::HEAD].contains(&request.method) {
            let refusal =
                Reply::line(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
            return Some(refusal.with(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        None
    }

    fn decide(&self, path: &str, attempt: u32) -> Reply {
        if path == "/" {
            return Reply::piece(self.library.index().clone());
        }
        let nothing = || Reply::line(StatusCode::NOT_FOUND, "there is nothing here; / lists what there is\n");
        let Some((task, fate)) = self.library.find(path) else { return nothing() };
        if self.shape.fails(self.seed, path, attempt) {
            return Reply::line(
                StatusCode::SERVICE_UNAVAILABLE,
                "this attempt fails on purpose; try again\n",
            );
        }
        let fine = || self.library.piece(task).map_or_else(nothing, Reply::piece);
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
    };
    headers.push((CONTENT_LENGTH, payload.len().into()));
    headers.extend(reply.also);
    (payload, (reply.status, headers))
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
