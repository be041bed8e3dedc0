//! A number that goes up and down in steps over time, such as how many tasks are in progress.

use crate::event::At;

/// A step function of time. Steps may come slightly out of order: two workers stamp their events
/// themselves, and the later one may be the first to be heard.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Steps {
    points: Vec<Point>,
    /// How many points stand at each level, so that the peak is known although late steps can lower it.
    at_level: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    at: At,
    delta: i32,
    /// The level from this point on.
    level: i32,
    /// The sum of level × nanoseconds from the first point to this one.
    area: i64,
}

impl Steps {
    /// Adds a step of `delta` at `at`. At one moment, steps down come before steps up: a worker that
    /// ends one task and starts the next within one tick of the clock never had two.
    pub fn add(&mut self, at: At, delta: i32) {
        let key = (at, delta);
        let place = self.points.iter().rposition(|p| (p.at, p.delta) <= key).map_or(0, |i| i + 1);
        self.points.insert(place, Point { at, delta, level: 0, area: 0 });
        for i in place..self.points.len() {
            let (before_at, before_level, before_area) = match i.checked_sub(1).map(|b| self.points[b]) {
                Some(before) => (before.at, before.level, before.area),
                None => (self.points[i].at, 0, 0),
            };
            let old = (i > place).then_some(self.points[i].level);
            let point = &mut self.points[i];
            let width = i64::try_from(point.at.0 - before_at.0).unwrap_or(i64::MAX);
            point.level = before_level.saturating_add(point.delta);
            point.area = before_area.saturating_add(width.saturating_mul(i64::from(before_level)));
            let new = point.level;
            if let Some(old) = old {
                self.count(old, -1);
            }
            self.count(new, 1);
        }
    }

    fn count(&mut self, level: i32, by: i32) {
        let Ok(level) = usize::try_from(level) else { return };
        if level >= self.at_level.len() {
            self.at_level.resize(level + 1, 0);
        }
        self.at_level[level] = self.at_level[level].saturating_add_signed(by);
    }

    /// The level at a moment.
    pub fn level(&self, at: At) -> u32 {
        let place = self.points.partition_point(|p| p.at <= at);
        place.checked_sub(1).map_or(0, |i| u32::try_from(self.points[i].level).unwrap_or(0))
    }

    /// The highest level that there ever was.
    pub fn peak(&self) -> u32 {
        let highest = self.at_level.iter().rposition(|&count| count > 0).unwrap_or(0);
        u32::try_from(highest).unwrap_or(u32::MAX)
    }

    /// The mean level between two moments, weighted by time; the level itself where they are one.
    pub fn mean(&self, from: At, to: At) -> f64 {
        if to <= from {
            return f64::from(self.level(from));
        }
        let area = self.area_to(to).saturating_sub(self.area_to(from)).max(0);
        area as f64 / (to.0 - from.0) as f64
    }

    fn area_to(&self, at: At) -> i64 {
        let place = self.points.partition_point(|p| p.at <= at);
        let Some(point) = place.checked_sub(1).map(|i| self.points[i]) else { return 0 };
        let width = i64::try_from(at.0 - point.at.0).unwrap_or(i64::MAX);
        point.area.saturating_add(width.saturating_mul(i64::from(point.level)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_peak_of_tasks_that_touch_is_one() {
        let mut steps = Steps::default();
        steps.add(At(0), 1);
        steps.add(At(10), 1);
        steps.add(At(10), -1);
        steps.add(At(20), -1);
        assert_eq!(steps.peak(), 1);
        assert_eq!(steps.level(At(10)), 1);
        assert_eq!(steps.level(At(20)), 0);
        assert!((steps.mean(At(0), At(40)) - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_changes_nothing(
            spans in prop::collection::vec((0_u64..500, 1_u64..200), 1..40),
            order in any::<u64>(),
        ) {
            let mut steps: Vec<(At, i32)> =
                spans.iter().flat_map(|&(from, long)| [(At(from), 1), (At(from + long), -1)]).collect();
            let mut sorted = Steps::default();
            steps.sort();
            for &(at, delta) in &steps {
                sorted.add(at, delta);
            }
            let len = steps.len();
            for i in 0..len {
                steps.swap(i, (order as usize).wrapping_mul(i + 7) % len);
            }
            let mut mixed = Steps::default();
            for &(at, delta) in &steps {
                mixed.add(at, delta);
            }
            prop_assert_eq!(mixed.peak(), sorted.peak());
            let level = |at: u64| spans.iter().filter(|&&(f, l)| f <= at && at < f + l).count() as u32;
            for at in 0..700 {
                prop_assert_eq!(mixed.level(At(at)), level(at));
            }
            let brute = (100..300).map(level).sum::<u32>();
            prop_assert!((mixed.mean(At(100), At(300)) - f64::from(brute) / 200.0).abs() < 1e-9);
            prop_assert_eq!(sorted.peak(), (0..700).map(level).max().unwrap_or(0));
        }
    }
}
