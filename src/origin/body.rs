//! An answer's body: hands bytes over when the schedule allows, and keeps the log's entry.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::log::Entry;
use super::pace::Pacer;
use super::payload::Payload;

/// Before a connection is cut, what was handed over gets this long to leave it.
const BEFORE_THE_CUT: Duration = Duration::from_millis(20);

/// The body is cut off on purpose; hyper answers by closing the connection.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut off here on purpose")]
pub(super) struct Cut;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// With its last byte.
    Whole,
    /// Before its first byte: the answer to HEAD.
    HeadOnly,
    /// Halfway; then the connection closes, though the head promised the whole length.
    Half,
}

/// The body of one answer.
#[derive(Debug)]
pub(super) struct PacedBody {
    payload: Payload,
    extent: Extent,
    stop: u64,
    handed: u64,
    pacer: Pacer,
    next: Option<Bytes>,
    cutting: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    entry: Entry,
    turn: Option<OwnedSemaphorePermit>,
}

impl PacedBody {
    /// The body of an answer whose head is handed over now. `turn` is given back with the last byte.
    pub(super) fn new(
        payload: Payload,
        extent: Extent,
        pacer: Pacer,
        entry: Entry,
        turn: Option<OwnedSemaphorePermit>,
    ) -> PacedBody {
        let stop = match extent {
            Extent::Whole => payload.len(),
            Extent::HeadOnly => 0,
            Extent::Half => payload.len() / 2,
        };
        let mut body = PacedBody {
            payload,
            extent,
            stop,
            handed: 0,
            pacer,
            next: None,
            cutting: false,
            sleep: None,
            entry,
            turn,
        };
        if body.is_end_stream() {
            body.entry.handed(0);
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        self.entry.done();
        self.turn = None;
    }

    fn wait_until(&mut self, moment: Instant) {
        self.sleep = (moment > Instant::now()).then(|| Box::pin(tokio::time::sleep_until(moment)));
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if this.is_end_stream() {
            return Poll::Ready(None);
        }
        if this.next.is_none() && !this.cutting {
            let now = Instant::now();
            let left = usize::try_from(this.stop - this.handed).unwrap_or(usize::MAX);
            let piece = this.payload.slice(this.handed, this.pacer.chunk().min(left));
            if piece.is_empty() {
                this.cutting = true;
                this.wait_until(now + BEFORE_THE_CUT);
            } else {
                let due = this.pacer.book(piece.len(), now);
                this.next = Some(piece);
                this.wait_until(due);
            }
        }
        if let Some(sleep) = &mut this.sleep {
            ready!(sleep.as_mut().poll(cx));
            this.sleep = None;
        }
        let Some(piece) = this.next.take() else {
            return Poll::Ready(Some(Err(Cut)));
        };
        this.handed += piece.len() as u64;
        this.entry.handed(piece.len());
        if this.is_end_stream() {
            this.finish();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.handed == self.stop && self.extent != Extent::Half
    }

    /// What the head promises, which is more than comes when the body is cut halfway.
    fn size_hint(&self) -> SizeHint {
        match self.extent {
            Extent::HeadOnly => SizeHint::with_exact(0),
            Extent::Whole | Extent::Half => SizeHint::with_exact(self.payload.len() - self.handed),
        }
    }
}
