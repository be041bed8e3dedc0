//! When the bytes of a body may leave: a schedule for each connection, and one that all share.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Unlimited bodies go out in pieces of this size.
pub(super) const LARGEST_CHUNK: usize = 256 * 1024;

/// A limited body moves about this often.
const TICK: Duration = Duration::from_millis(15);

/// A limited body's first piece is this much of its rate, so that the first byte isn't a whole tick late.
const OPENING: Duration = Duration::from_millis(1);

/// On a crowded link, pieces get no smaller than this (or one tick's worth, when that is less).
const CROWDED_CHUNK: usize = 512;

/// A sender that fell behind, since the machine was busy or the client slow, catches up on so much and no
/// more: on a real link, the time that nothing was sent in is lost.
const SLACK: Duration = Duration::from_millis(100);

/// A link that carries a fixed number of bytes a second: each piece is sent when the ones before it are.
#[derive(Debug)]
struct Link {
    rate: NonZeroU64,
    free: Instant,
}

impl Link {
    /// Books the next `bytes` and returns when the last of them has passed the link.
    fn book(&mut self, bytes: usize, now: Instant) -> Instant {
        let begin = now.checked_sub(SLACK).map_or(self.free, |earliest| self.free.max(earliest));
        let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(self.rate.get()));
        self.free = begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free
    }

    /// How many bytes pass within `time`; at least one, at most [`LARGEST_CHUNK`].
    fn carries(&self, time: Duration) -> usize {
        let bytes = u128::from(self.rate.get()) * time.as_micros() / 1_000_000;
        bytes.clamp(1, LARGEST_CHUNK as u128) as usize
    }
}

/// The link that all bodies share, a piece at a time in the order of asking.
#[derive(Debug)]
pub(super) struct SharedLink(Mutex<Crowd>);

#[derive(Debug)]
struct Crowd {
    link: Link,
    bodies: usize,
}

impl SharedLink {
    pub(super) fn new(rate: NonZeroU64, now: Instant) -> SharedLink {
        SharedLink(Mutex::new(Crowd { link: Link { rate, free: now }, bodies: 0 }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Crowd) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One body's place on the shared link, from its first byte to its last.
#[derive(Debug)]
struct Seat(Arc<SharedLink>);

impl Seat {
    fn take(link: Arc<SharedLink>, now: Instant) -> Seat {
        link.with(|crowd| {
            if crowd.bodies == 0 {
                crowd.link.free = crowd.link.free.max(now);
            }
            crowd.bodies += 1;
        });
        Seat(link)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.with(|crowd| crowd.bodies -= 1);
    }
}

/// The schedule of one body.
#[derive(Debug)]
pub(super) struct Pacer {
    own: Option<Link>,
    seat: Option<Seat>,
    opened: bool,
}

impl Pacer {
    /// A body that begins `now`.
    pub(super) fn new(own: Option<NonZeroU64>, shared: Option<&Arc<SharedLink>>, now: Instant) -> Pacer {
        Pacer {
            own: own.map(|rate| Link { rate, free: now }),
            seat: shared.map(|link| Seat::take(Arc::clone(link), now)),
            opened: false,
        }
    }

    /// How many bytes the next piece should have; at least one.
    pub(super) fn chunk(&self) -> usize {
        let time = if self.opened { TICK } else { OPENING };
        let own = self.own.as_ref().map_or(LARGEST_CHUNK, |link| link.carries(time));
        let shared = self.seat.as_ref().map_or(LARGEST_CHUNK, |seat| {
            seat.0.with(|crowd| {
                let all = crowd.link.carries(time);
                (all / crowd.bodies.max(1)).max(all.min(CROWDED_CHUNK))
            })
        });
        own.min(shared)
    }

    /// Books the next piece and returns when it may be handed over: once the links have carried all of it,
    /// so that n bytes never take less than n divided by the rate.
    pub(super) fn book(&mut self, bytes: usize, now: Instant) -> Instant {
        self.opened = true;
        let own = self.own.as_mut().map_or(now, |link| link.book(bytes, now));
        let shared = self.seat.as_ref().map_or(now, |seat| seat.0.with(|crowd| crowd.link.book(bytes, now)));
        own.max(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(bytes)
    }

    #[test]
    fn the_schedule_doesnt_drift_when_each_piece_is_a_little_late() {
        let start = Instant::now();
        let mut pacer = Pacer::new(rate(100_000), None, start);
        let (mut now, mut left) = (start, 100_000);
        while left > 0 {
            let piece = pacer.chunk().min(left);
            now = pacer.book(piece, now).max(now) + Duration::from_millis(1);
            left -= piece;
        }
        assert_eq!(now - start, Duration::from_millis(1001));
    }

    #[test]
    fn lost_time_is_made_good_only_up_to_the_slack() {
        let start = Instant::now();
        let mut pacer = Pacer::new(rate(1000), None, start);
        let late = start + Duration::from_secs(60);
        assert_eq!(pacer.book(1000, late), late - SLACK + Duration::from_secs(1));
    }

    #[test]
    fn a_shared_link_carries_its_rate_however_many_share_it() {
        let start = Instant::now();
        let link = Arc::new(SharedLink::new(NonZeroU64::MIN.saturating_add(999_999), start));
        let mut pacers: Vec<Pacer> = (0..10).map(|_| Pacer::new(None, Some(&link), start)).collect();
        let mut last = start;
        let mut sent = 0_u64;
        for _ in 0..20 {
            for pacer in &mut pacers {
                let piece = pacer.chunk();
                last = pacer.book(piece, start);
                sent += piece as u64;
            }
        }
        assert_eq!(last - start, Duration::from_micros(sent));
        assert_eq!(pacers[0].chunk(), 1500, "ten bodies share the 15,000 bytes of a tick");
    }

    #[test]
    fn an_idle_shared_link_saves_nothing_up() {
        let start = Instant::now();
        let link = Arc::new(SharedLink::new(NonZeroU64::MIN.saturating_add(999), start));
        drop(Pacer::new(None, Some(&link), start));
        let later = start + Duration::from_secs(5);
        let mut pacer = Pacer::new(None, Some(&link), later);
        assert_eq!(pacer.book(1000, later), later + Duration::from_secs(1));
    }

    #[test]
    fn pieces_fit_the_rate() {
        let now = Instant::now();
        let mut pacer = Pacer::new(rate(500_000), None, now);
        assert_eq!(pacer.chunk(), 500);
        pacer.book(500, now);
        assert_eq!(pacer.chunk(), 7500);
        assert_eq!(Pacer::new(None, None, now).chunk(), LARGEST_CHUNK);
        assert_eq!(Pacer::new(rate(1), None, now).chunk(), 1);
        assert_eq!(Pacer::new(rate(u64::MAX), None, now).chunk(), LARGEST_CHUNK);
    }
}
