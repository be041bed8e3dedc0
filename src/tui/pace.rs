//! How often a race is drawn while it runs: seldom enough that watching it costs it next to nothing.

use std::time::Duration;

use crate::clock::thread_processor_time as processor_time;

/// Frames take at most one part in so many of one processor's time.
const SHARE: u32 = 100;

/// The longest time between two frames: a picture that stands still for longer looks broken.
const LONGEST: Duration = Duration::from_millis(200);

/// The time between two frames of a race under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    shortest: Duration,
    last_cost: Duration,
}

impl Pace {
    /// A pace of frames that are never closer together than `shortest`.
    pub(super) fn new(shortest: Duration) -> Pace {
        Pace { shortest, last_cost: Duration::ZERO }
    }

    /// Draws a frame with `draw`, and takes note of the processor time that it cost: the time on the wall
    /// would count that of others as well, on a machine that has more to do.
    pub(super) fn drawing(&mut self, draw: impl FnOnce()) {
        let before = processor_time();
        draw();
        self.last_cost = processor_time().saturating_sub(before);
    }

    /// How long after the last frame the next one of a race under way is due.
    pub(super) fn interval(self) -> Duration {
        (self.last_cost * SHARE).clamp(self.shortest, LONGEST.max(self.shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_cost_more_come_less_often() {
        let interval = |shortest, cost| {
            let (shortest, last_cost) = (Duration::from_millis(shortest), Duration::from_micros(cost));
            Pace { shortest, last_cost }.interval().as_millis()
        };
        assert_eq!(interval(50, 0), 50);
        assert_eq!(interval(50, 500), 50);
        assert_eq!(interval(50, 1200), 120);
        assert_eq!(interval(50, 9000), 200);
        assert_eq!(interval(1000, 9000), 1000);
    }

    #[test]
    fn what_a_frame_costs_is_measured() {
        let mut pace = Pace::new(Duration::ZERO);
        pace.drawing(|| {
            let start = processor_time();
            while processor_time().saturating_sub(start) < Duration::from_millis(1) {}
        });
        assert!(pace.interval() >= Duration::from_millis(100), "{pace:?}");
    }
}
