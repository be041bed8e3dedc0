//! The embedded HTTP server: the offline default that every race can fall back on.
//!
//! A [`Library`] is made first, so that serving it costs next to nothing while the clock runs. [`Origin::start`]
//! then serves it over HTTP/1.1 from one thread of its own, named `origin`, slowed down as its [`Shape`] says.
//!
//! Posts are a small REST store: `GET /posts` lists the first thousand, `POST /posts` makes one more and says in
//! `Location` where it is, and `GET`, `PUT`, `PATCH` and `DELETE` do what they say with `/posts/ID`. What is
//! changed lasts as long as the origin does.
//!
//! All chance comes from the seed: the bytes depend on the seed and the task; the delay of an answer on the seed
//! and the path, and the method where it is another than `GET`; an injected failure on the seed, the path and the attempt. The order of requests changes nothing,
//! so every run of a race meets the same origin. A client says which attempt a request is in the header
//! [`ATTEMPT_HEADER`]; without it, every request counts as the first.

mod body;
mod hosts;
mod landscape;
mod library;
mod log;
mod pace;
mod payload;
mod posts;
mod prose;
mod server;
mod shape;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;

pub use library::{Library, OriginTask};
pub use log::{LOG_CAPACITY, Served};

/// The request header that says which attempt this is, counted from 1.
pub const ATTEMPT_HEADER: &str = "threadrace-attempt";

/// What the origin serves, and so what the tasks are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// JPEG pictures.
    Pictures {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// JSON posts, which can also be made, changed and deleted.
    Posts,
    /// CSV files.
    Csv {
        /// Rows below the header.
        rows: u32,
    },
    /// Bytes without a meaning.
    Bytes {
        /// How many in one body.
        size: u64,
    },
    /// Pictures among answers that go wrong in every way a task must survive.
    Faults {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

impl Content {
    /// What the tasks are, in the plural.
    pub fn noun(&self) -> &'static str {
        match self {
            Content::Pictures { .. } => "pictures",
            Content::Posts => "posts",
            Content::Csv { .. } | Content::Bytes { .. } => "files",
            Content::Faults { .. } => "downloads",
        }
    }
}

/// How long the origin waits before the first byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// The same for every request.
    Fixed(Duration),
    /// Evenly spread over `mean ± spread`.
    Uniform {
        /// The middle.
        mean: Duration,
        /// Half the width; at most `mean`.
        spread: Duration,
    },
    /// Exponentially distributed.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

/// How the origin slows itself down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Before the first byte.
    pub latency: Latency,
    /// Bytes a second for each connection; none is no limit.
    pub bandwidth: Option<std::num::NonZeroU64>,
    /// Bytes a second for all connections together; none is no limit.
    pub shared_bandwidth: Option<std::num::NonZeroU64>,
    /// Requests served at once; none is no limit.
    pub concurrent: Option<std::num::NonZeroUsize>,
    /// The share of requests that are answered with 503, 0 to 1.
    pub failures: f64,
}

/// How to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where to listen; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Names that requests may call this server by, beside the bound address and the loopback's: `name`
    /// allows any port, `name:port` that port alone. Everything else is answered with 421, so that no web page
    /// can reach the origin by a name that it points at this machine.
    pub hosts: Vec<String>,
    /// The seed of all delays and failures.
    pub seed: u64,
    /// How to slow down.
    pub shape: Shape,
}

/// Why an origin did not start.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The address can't be listened on.
    #[error(
        "the origin cannot listen on {address}: {source}; choose another address, or port 0 for any free port"
    )]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system gave no thread or no event queue.
    #[error(
        "the origin cannot start its thread: {0}; end some programs or raise the limits on threads and files"
    )]
    Thread(#[source] io::Error),
}

/// A running origin. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    log: Arc<log::Log>,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Origin {
    /// Starts to serve `library`; when this returns, requests are welcome. The log is stamped with `clock`.
    ///
    /// # Errors
    ///
    /// When the address can't be listened on, or no thread is to be had.
    pub fn start(options: Options, library: Library, clock: Clock) -> Result<Origin, OriginError> {
        let log = Arc::<log::Log>::default();
        let stop = Arc::new(Notify::new());
        let (started, starts) = mpsc::sync_channel(1);
        let run = {
            let (log, stop) = (Arc::clone(&log), Arc::clone(&stop));
            move || server::run(options, library, clock, log, &stop, &started)
        };
        let thread =
            std::thread::Builder::new().name("origin".to_owned()).spawn(run).map_err(OriginError::Thread)?;
        let address = starts
            .recv()
            .unwrap_or_else(|_| Err(OriginError::Thread(io::Error::other("it ended before it listened"))))?;
        Ok(Origin { address, log, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of `path`, which starts with a slash. An origin that listens everywhere is reached over the loopback.
    pub fn url(&self, path: &str) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}{path}")
    }

    /// The requests served so far, in the order of their ends; at most [`LOG_CAPACITY`] of them.
    pub fn log(&self) -> Vec<Served> {
        self.log.entries()
    }

    /// How many requests were read and have not ended.
    pub fn in_progress(&self) -> usize {
        self.log.open()
    }

    /// How many requests ended after the log was full.
    pub fn log_dropped(&self) -> u64 {
        self.log.dropped()
    }

    /// Cuts all connections and waits for the thread's end, which is a matter of milliseconds. The log stays.
    /// Stopping again does nothing.
    pub fn stop(&self) {
        self.stop.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic on that thread was reported there, and there is nothing left to end.
            let _ = thread.join();
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
    }
}
