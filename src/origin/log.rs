//! What the origin served: its own side of the story, to hold against what the workers saw.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Method;

use crate::clock::Clock;
use crate::event::At;

/// The log keeps this many requests; later ones are only counted.
pub const LOG_CAPACITY: usize = 1_000_000;

/// A path or method longer than this is shortened in the log, so that no client can fill the memory with it.
const LONGEST_PATH: usize = 128;

/// One request, from its head to the last byte of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The method, such as `GET`; foreign text where it is none of HTTP's own, cut off after 128 bytes.
    pub method: Cow<'static, str>,
    /// The path asked for, without the query; foreign text, cut off after 128 bytes.
    pub path: String,
    /// Which attempt the client said it was ([`ATTEMPT_HEADER`](super::ATTEMPT_HEADER)), from 1.
    pub attempt: u32,
    /// The answer's status; when the client left before, the one that it would have got.
    pub status: u16,
    /// The request's head was read.
    pub start: At,
    /// The answer's head and its body's first byte (when it has one) were handed to the connection; the same
    /// as `end` when the client left before.
    pub first_byte: At,
    /// The body's last byte was handed to the connection, or the client went away.
    pub end: At,
    /// Bytes of the body that were handed over.
    pub bytes: u64,
    /// Whether that was all of the body.
    pub complete: bool,
}

/// The requests served so far, in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    kept: Vec<Served>,
    dropped: u64,
    open: usize,
}

impl Log {
    fn with<T>(&self, act: impl FnOnce(&mut Entries) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn entries(&self) -> Vec<Served> {
        self.with(|entries| entries.kept.clone())
    }

    pub(super) fn dropped(&self) -> u64 {
        self.with(|entries| entries.dropped)
    }

    pub(super) fn open(&self) -> usize {
        self.with(|entries| entries.open)
    }

    fn push(&self, served: Served, capacity: usize) {
        self.with(|entries| {
            entries.open = entries.open.saturating_sub(1);
            if entries.kept.len() < capacity {
                entries.kept.push(served);
            } else {
                entries.dropped += 1;
            }
        });
    }
}

/// A request that is being served. Dropping it before it is done says that the client went away.
#[derive(Debug)]
pub(super) struct Entry {
    log: Arc<Log>,
    clock: Clock,
    served: Option<Served>,
    begun: bool,
}

impl Entry {
    /// Opens the entry of a request whose head was just read.
    pub(super) fn open(log: Arc<Log>, clock: Clock, method: &Method, path: &str, attempt: u32) -> Entry {
        let start = clock.now();
        let served = Served {
            method: name(method),
            path: shorten(path),
            attempt,
            status: 0,
            start,
            first_byte: start,
            end: start,
            bytes: 0,
            complete: false,
        };
        log.with(|entries| entries.open += 1);
        Entry { log, clock, served: Some(served), begun: false }
    }

    /// Sets what the answer will be.
    pub(super) fn decided(&mut self, status: u16) {
        if let Some(served) = &mut self.served {
            served.status = status;
        }
    }

    /// Notes that so many more bytes were handed over; the first time, the head was handed over too.
    pub(super) fn handed(&mut self, bytes: usize) {
        if let Some(served) = &mut self.served {
            if !self.begun {
                self.begun = true;
                served.first_byte = self.clock.now();
            }
            served.bytes += bytes as u64;
        }
    }

    /// Notes that all of the answer was handed over.
    pub(super) fn done(&mut self) {
        self.close(true);
    }

    fn close(&mut self, complete: bool) {
        if let Some(mut served) = self.served.take() {
            served.end = self.clock.now();
            served.complete = complete;
            if !self.begun {
                served.first_byte = served.end;
            }
            self.log.push(served, LOG_CAPACITY);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.close(false);
    }
}

/// The method's name; those that come often cost no memory.
fn name(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => Cow::Borrowed("GET"),
        Method::HEAD => Cow::Borrowed("HEAD"),
        Method::POST => Cow::Borrowed("POST"),
        Method::PUT => Cow::Borrowed("PUT"),
        Method::PATCH => Cow::Borrowed("PATCH"),
        Method::DELETE => Cow::Borrowed("DELETE"),
        _ => Cow::Owned(shorten(method.as_str())),
    }
}

fn shorten(path: &str) -> String {
    if path.len() <= LONGEST_PATH {
        return path.to_owned();
    }
    let end = path.char_indices().map(|(at, _)| at).take_while(|&at| at <= LONGEST_PATH).last().unwrap_or(0);
    format!("{}…", &path[..end])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_entry_tells_when_and_how_much() {
        let (log, clock) = (Arc::<Log>::default(), Clock::set_by_hand());
        let mut whole = Entry::open(Arc::clone(&log), clock.clone(), &Method::GET, "/a", 2);
        whole.decided(200);
        clock.advance(Duration::from_nanos(5));
        whole.handed(10);
        clock.advance(Duration::from_nanos(5));
        whole.handed(20);
        whole.done();
        let mut left_early = Entry::open(Arc::clone(&log), clock.clone(), &Method::DELETE, "/b", 1);
        left_early.decided(404);
        clock.advance(Duration::from_nanos(1));
        drop(left_early);
        drop(whole);
        let expected = [
            Served {
                method: "GET".into(),
                path: "/a".to_owned(),
                attempt: 2,
                status: 200,
                start: At(0),
                first_byte: At(5),
                end: At(10),
                bytes: 30,
                complete: true,
            },
            Served {
                method: "DELETE".into(),
                path: "/b".to_owned(),
                attempt: 1,
                status: 404,
                start: At(10),
                first_byte: At(11),
                end: At(11),
                bytes: 0,
                complete: false,
            },
        ];
        assert_eq!(log.entries(), expected);
    }

    #[test]
    fn what_doesnt_fit_is_counted() {
        let (log, clock) = (Log::default(), Clock::set_by_hand());
        for _ in 0..5 {
            let mut entry = Entry::open(Arc::default(), clock.clone(), &Method::GET, "/a", 1);
            if let Some(served) = entry.served.take() {
                log.push(served, 3);
            }
        }
        assert_eq!((log.entries().len(), log.dropped()), (3, 2));
    }

    #[test]
    fn long_paths_are_shortened_at_a_letter() {
        assert_eq!(shorten("/short"), "/short");
        let long = shorten(&"é".repeat(1000));
        assert_eq!(long.chars().count(), 65);
        assert!(long.ends_with("é…"));
    }
}
