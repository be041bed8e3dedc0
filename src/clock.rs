//! The race's clock: monotonic, started once, read by every worker; and one that tests set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::event::At;

/// The operating system's monotonic time now, in nanoseconds: the same in every process of the machine
/// (`CLOCK_MONOTONIC`; POSIX, `clock_gettime`).
pub fn machine_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)).unwrap_or(0)
}

/// The processor time that the calling thread has used (`CLOCK_THREAD_CPUTIME_ID`; POSIX, `clock_gettime`).
pub fn thread_processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Tells the moment in a race. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Monotonic { start: u64 },
    Set { nanos: Arc<AtomicU64> },
}

impl Clock {
    /// A clock of the operating system's monotonic time that starts at zero now.
    pub fn start() -> Clock {
        Clock::started_at(machine_nanos())
    }

    /// A clock that another process started when [`machine_nanos`] was `start`: both tell the same time.
    pub fn started_at(start: u64) -> Clock {
        Clock(Source::Monotonic { start })
    }

    /// What [`machine_nanos`] was when the clock was at zero; zero for one that is set by hand.
    pub fn start_nanos(&self) -> u64 {
        match &self.0 {
            Source::Monotonic { start } => *start,
            Source::Set { .. } => 0,
        }
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn set_by_hand() -> Clock {
        Clock(Source::Set { nanos: Arc::default() })
    }

    /// The moment now.
    pub fn now(&self) -> At {
        match &self.0 {
            Source::Monotonic { start } => At(machine_nanos().saturating_sub(*start)),
            Source::Set { nanos } => At(nanos.load(Ordering::Relaxed)),
        }
    }

    /// Moves a clock that is set by hand; one that runs by itself is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Set { nanos } = &self.0 {
            nanos.fetch_add(At::from_duration(by).0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_by_hand_moves_only_by_hand() {
        let clock = Clock::set_by_hand();
        let twin = clock.clone();
        assert_eq!(clock.now(), At::ZERO);
        clock.advance(Duration::from_millis(3));
        assert_eq!(twin.now(), At(3_000_000));
    }

    #[test]
    fn a_clock_started_elsewhere_tells_the_same_time() {
        let clock = Clock::start();
        let twin = Clock::started_at(clock.start_nanos());
        let (before, between, after) = (clock.now(), twin.now(), clock.now());
        assert!(before <= between && between <= after);
    }

    #[test]
    fn a_running_clock_never_goes_back() {
        let clock = Clock::start();
        let readings: Vec<At> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
