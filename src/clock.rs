//! The race's clock: monotonic, started once, read by every worker; and one that tests set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::At;

/// Tells the moment in a race. Clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Monotonic { start: Instant },
    Set { nanos: Arc<AtomicU64> },
}

impl Clock {
    /// A clock of the operating system's monotonic time that starts at zero now.
    pub fn start() -> Clock {
        Clock(Source::Monotonic { start: Instant::now() })
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn set_by_hand() -> Clock {
        Clock(Source::Set { nanos: Arc::default() })
    }

    /// The moment now.
    pub fn now(&self) -> At {
        match &self.0 {
            Source::Monotonic { start } => At::from_duration(start.elapsed()),
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
    fn a_running_clock_never_goes_back() {
        let clock = Clock::start();
        let readings: Vec<At> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
