//! The axes of a scaling chart, whatever it is drawn with.

use super::Scaling;

/// The range and the ticks of one axis, which begins at zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Where it ends.
    pub most: f64,
    /// From one tick to the next.
    pub step: f64,
}

impl Scale {
    /// An axis that ends at `most`, a whole number, with whole steps and so many ticks at most.
    fn whole(most: u32, ticks: usize) -> Scale {
        Scale { most: f64::from(most.max(1)), step: step(f64::from(most), ticks).max(1.0) }
    }

    /// A tick's number without needless decimals.
    pub fn words(tick: f64) -> String {
        let text = format!("{tick:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// The ticks from zero on.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let (step, last) = (self.step, (self.most / self.step + 1e-9).floor().min(1_000.0));
        (0..=last as u32).map(move |tick| f64::from(tick) * step)
    }
}

/// 1, 2 or 5 times a power of ten, such that so many steps or fewer reach `range`.
fn step(range: f64, most: usize) -> f64 {
    let rough = (range / most.max(1) as f64).max(1e-9);
    let decade = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * decade);
    steps.into_iter().find(|step| *step >= rough * (1.0 - 1e-9)).unwrap_or(rough)
}

impl Scaling {
    /// The axis of the workers, with so many ticks at most.
    pub fn workers_axis(&self, ticks: usize) -> Scale {
        Scale::whole(self.most_workers, ticks)
    }

    /// The axis of the speedups, with so many ticks at most: it ends above what was measured, so that this has
    /// most of the room, and what is ideal leaves the chart where it is far away.
    pub fn speedup_axis(&self, ticks: usize) -> Scale {
        let best = self.measured.iter().map(|of| of.speedup.most).fold(0.0, f64::max);
        let wanted = match best {
            0.0 => f64::from(self.most_workers),
            best => (best * 1.2).max(2.0).min(f64::from(self.most_workers).max(best * 1.05)),
        };
        let step = step(wanted, ticks);
        Scale { most: (wanted / step - 1e-9).ceil().max(1.0) * step, step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([step(32.0, 8), step(20.0, 8), step(2.0, 4), step(0.9, 4)], [5.0, 5.0, 0.5, 0.5]);
        let ticks: Vec<f64> = Scale::whole(32, 8).ticks().collect();
        assert_eq!(ticks, [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(Scale::whole(3, 8).ticks().count(), 4);
        assert_eq!(Scale::whole(0, 8).ticks().count(), 2);
    }
}
