//! The interpreter lock: one thread at a time has it, and gives it up when it waits or when it is asked to.
//!
//! It follows CPython's since version 3.2 (`Python/ceval_gil.c`; David Beazley, "Understanding the Python
//! GIL"):
//!
//! - A thread takes the lock when it is free, whether others wait for it or not. Otherwise it waits, and
//!   when the switch interval has passed without the lock going from one thread to another, it asks for it
//!   (`gil_drop_request`).
//! - The thread that has the lock looks at its checkpoints whether it was asked, and lets go. It also lets go
//!   whenever it waits for something else: around each call that may block, and while its task awaits.
//! - Who lets go after it was asked waits until another thread has really taken the lock ("forced
//!   switching"), and only then queues again. Without that it would often win the lock right back.
//!
//! So a thread that comes back from I/O has to wait for up to an interval while another computes: the convoy
//! effect. Not modelled are the cost of counting references, the granularity of bytecodes (a computation
//! here lets go only at its checkpoints), sub-interpreters, and builds without the lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::LaneId;

/// How long a thread waits before it asks for the lock: `sys.getswitchinterval()`.
pub const SWITCH_INTERVAL: Duration = Duration::from_millis(5);

/// Waits shorter than this are not told: nobody sees them, and telling each would cost more than they do.
const UNTOLD: Duration = Duration::from_micros(50);

/// One interpreter lock: all workers of a run share it.
#[derive(Debug)]
pub struct InterpreterLock {
    turns: Mutex<Turns>,
    /// The lock came free.
    free: Condvar,
    /// The lock was taken, or who waited for it has given up.
    taken: Condvar,
    /// Somebody has waited for long enough, and wants it.
    asked: AtomicBool,
    interval: Duration,
}

#[derive(Debug, Default)]
struct Turns {
    holder: Option<LaneId>,
    last: Option<LaneId>,
    /// How often it was taken.
    takes: u64,
    /// How often it was taken by another thread than the time before.
    switches: u64,
    waiting: usize,
}

impl Turns {
    fn give_to(&mut self, who: LaneId) {
        self.holder = Some(who);
        self.takes += 1;
        if self.last != Some(who) {
            self.last = Some(who);
            self.switches += 1;
        }
    }
}

impl Default for InterpreterLock {
    fn default() -> InterpreterLock {
        InterpreterLock::new(SWITCH_INTERVAL)
    }
}

impl InterpreterLock {
    /// A lock that nobody has, which is asked for after a wait of `interval`.
    pub fn new(interval: Duration) -> InterpreterLock {
        InterpreterLock {
            turns: Mutex::default(),
            free: Condvar::new(),
            taken: Condvar::new(),
            asked: AtomicBool::new(false),
            interval,
        }
    }

    /// Whether the one who has it was asked to let go. Cheap: one relaxed load.
    pub(super) fn is_asked_for(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether anybody waits for it. Forgets a request of somebody who has given up.
    pub(super) fn is_waited_for(&self) -> bool {
        let turns = self.turns();
        if turns.waiting == 0 {
            self.asked.store(false, Ordering::Relaxed);
        }
        turns.waiting > 0
    }

    /// Takes it when it is free; says whether it was.
    pub(super) fn take_free(&self, who: LaneId) -> bool {
        let mut turns = self.turns();
        let free = turns.holder.is_none();
        if free {
            self.give(&mut turns, who);
        }
        free
    }

    /// Takes it, waiting as long as that takes; says whether it was taken before `gives_up`, which is asked
    /// at least once an interval. Calls `long` once when the wait is worth telling; it must not panic.
    pub(super) fn take(&self, who: LaneId, gives_up: &dyn Fn() -> bool, long: &mut dyn FnMut()) -> bool {
        let begun = Instant::now();
        let mut turns = self.turns();
        let (mut told, mut since, mut seen) = (false, begun, turns.switches);
        turns.waiting += 1;
        let taken = loop {
            if turns.holder.is_none() {
                break true;
            }
            if gives_up() {
                break false;
            }
            let now = Instant::now();
            if !told && now.duration_since(begun) >= UNTOLD {
                told = true;
                long();
            }
            if turns.switches != seen {
                (since, seen) = (now, turns.switches);
            } else if now.duration_since(since) >= self.interval {
                since = now;
                self.asked.store(true, Ordering::Relaxed);
            }
            let left = self.interval.saturating_sub(now.duration_since(since));
            let wait = if told { left } else { left.min(UNTOLD) };
            turns = self.free.wait_timeout(turns, wait).unwrap_or_else(PoisonError::into_inner).0;
        };
        turns.waiting -= 1;
        if taken {
            self.give(&mut turns, who);
        } else {
            // It may have been woken for a lock that came free, and somebody may wait for it to be taken.
            self.free.notify_one();
            self.taken.notify_all();
        }
        taken
    }

    /// Lets go of it, and waits until another has it where one asked; says whether `who` had it.
    pub(super) fn release(&self, who: LaneId) -> bool {
        let mut turns = self.turns();
        if turns.holder != Some(who) {
            return false;
        }
        turns.holder = None;
        self.free.notify_one();
        if self.is_asked_for() {
            let takes = turns.takes;
            while turns.takes == takes && turns.waiting > 0 {
                turns = self.taken.wait(turns).unwrap_or_else(PoisonError::into_inner);
            }
        }
        true
    }

    fn give(&self, turns: &mut Turns, who: LaneId) {
        turns.give_to(who);
        self.asked.store(false, Ordering::Relaxed);
        self.taken.notify_all();
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const A: LaneId = LaneId(0);
    const B: LaneId = LaneId(1);

    /// What a test waits for comes long before this, or never.
    const NEVER: Duration = Duration::from_secs(60);

    fn never() -> bool {
        false
    }

    fn wait_until(so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < NEVER, "it never came");
            thread::yield_now();
        }
    }

    #[test]
    fn one_at_a_time_has_it() {
        let lock = InterpreterLock::new(Duration::from_micros(100));
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for lane in (0..4).map(LaneId::of) {
                let (lock, inside, turns) = (&lock, &inside, &turns);
                scope.spawn(move || {
                    for _ in 0..500 {
                        assert!(lock.take(lane, &never, &mut || ()));
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                        assert!(lock.release(lane));
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 2000);
        assert_eq!(lock.turns().waiting, 0);
    }

    #[test]
    fn who_waits_asks_for_it_and_has_it_when_the_other_let_go() {
        let lock = InterpreterLock::default();
        assert!(lock.take_free(A) && !lock.take_free(B));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                assert!(lock.take(B, &never, &mut || ()));
                assert!(!lock.is_asked_for());
            });
            wait_until(|| lock.is_asked_for());
            assert!(lock.is_waited_for());
            // Nobody else takes it, so it is with the one who asked for it as soon as this returns.
            assert!(lock.release(A));
            assert_eq!(lock.turns().holder, Some(B));
            assert!(!lock.release(A), "it is not A's any more");
            waiter.join().unwrap();
        });
        assert!(lock.release(B));
        assert!(lock.take_free(A));
    }

    #[test]
    fn a_wait_is_told_once_and_given_up_when_asked_to() {
        let lock = InterpreterLock::default();
        let (told, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        assert!(lock.take_free(A));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let gives_up = || stop.load(Ordering::SeqCst);
                lock.take(B, &gives_up, &mut || {
                    told.fetch_add(1, Ordering::SeqCst);
                })
            });
            wait_until(|| told.load(Ordering::SeqCst) > 0 && lock.is_asked_for());
            stop.store(true, Ordering::SeqCst);
            assert!(!waiter.join().unwrap());
        });
        assert_eq!(told.into_inner(), 1);
        assert_eq!(lock.turns().holder, Some(A));
        assert!(lock.is_asked_for() && !lock.is_waited_for() && !lock.is_asked_for());
        assert!(lock.release(A), "and waits for nobody");
    }

    #[test]
    fn who_lets_go_does_not_wait_for_somebody_who_has_given_up() {
        let lock = InterpreterLock::default();
        let stop = AtomicBool::new(false);
        assert!(lock.take_free(A));
        let (done, over) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| lock.take(B, &|| stop.load(Ordering::SeqCst), &mut || ()));
            wait_until(|| lock.is_asked_for());
            stop.store(true, Ordering::SeqCst);
            scope.spawn(|| {
                lock.release(A);
                done.send(()).unwrap();
            });
            over.recv_timeout(NEVER).unwrap();
        });
    }
}
