//! How the workers' time was used: shares of each phase, and of having no task, that add up to the whole.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::{At, Phase, WorkloadKind};
use crate::model::{Lane, Mix, RunState};

/// What a worker's time goes by with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Connecting and waiting, for a server's first byte or for what a disk or a database holds.
    Waiting,
    /// [`Phase::Receiving`].
    Receiving,
    /// [`Phase::Writing`].
    Writing,
    /// [`Phase::Computing`].
    Computing,
    /// [`Phase::Locked`].
    Locked,
    /// [`Phase::Sleeping`].
    Sleeping,
    /// [`Phase::BackingOff`].
    BackingOff,
    /// No task.
    Idle,
}

impl Use {
    /// Every use, in the order in which they are listed.
    pub const ALL: [Use; 8] = [
        Use::Waiting,
        Use::Receiving,
        Use::Writing,
        Use::Computing,
        Use::Locked,
        Use::Sleeping,
        Use::BackingOff,
        Use::Idle,
    ];

    /// What a phase counts as.
    pub fn of(phase: Phase) -> Use {
        match phase {
            Phase::Queued | Phase::Connecting | Phase::Waiting => Use::Waiting,
            Phase::Receiving => Use::Receiving,
            Phase::Writing => Use::Writing,
            Phase::Computing => Use::Computing,
            Phase::Locked => Use::Locked,
            Phase::Sleeping => Use::Sleeping,
            Phase::BackingOff => Use::BackingOff,
        }
    }

    /// The phase whose mark stands for it; none for having no task.
    pub fn phase(self) -> Option<Phase> {
        match self {
            Use::Waiting => Some(Phase::Waiting),
            Use::Receiving => Some(Phase::Receiving),
            Use::Writing => Some(Phase::Writing),
            Use::Computing => Some(Phase::Computing),
            Use::Locked => Some(Phase::Locked),
            Use::Sleeping => Some(Phase::Sleeping),
            Use::BackingOff => Some(Phase::BackingOff),
            Use::Idle => None,
        }
    }

    /// What people call it in a workload.
    pub fn called_in(self, workload: WorkloadKind) -> &'static str {
        self.phase().map_or("idle", |phase| phase.called_in(workload))
    }
}

/// How much time went by with what, over one lane or all lanes of a run. All uses together are the lanes' time
/// from the run's start to its end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Utilisation([u64; Use::ALL.len()]);

impl Utilisation {
    /// From the time in each phase and the time without a task.
    pub fn of(phases: &Mix, idle: Duration) -> Utilisation {
        let mut nanos = [0_u64; Use::ALL.len()];
        let mut add = |of: Use, more: u64| nanos[of as usize] = nanos[of as usize].saturating_add(more);
        for phase in Phase::ALL {
            add(Use::of(phase), phases.of(phase));
        }
        add(Use::Idle, At::from_duration(idle).0);
        Utilisation(nanos)
    }

    /// Of one lane of a run as of `now`, which matters only while the run goes on.
    pub fn of_lane(run: &RunState, lane: &Lane, now: At) -> Utilisation {
        let phases = lane.total(now);
        let busy = Duration::from_nanos(phases.busy());
        Utilisation::of(&phases, run.elapsed(now).unwrap_or_default().saturating_sub(busy))
    }

    /// Whether there is no time at all.
    pub fn is_empty(&self) -> bool {
        self.all() == 0
    }

    /// Nanoseconds of one use.
    pub fn nanos(&self, of: Use) -> u64 {
        self.0[of as usize]
    }

    /// The share of one use, 0 to 1; zero when there is no time at all.
    pub fn share(&self, of: Use) -> f64 {
        if self.is_empty() { 0.0 } else { self.nanos(of) as f64 / self.all() as f64 }
    }

    /// The shares in whole parts of `whole`, by [`Use::ALL`], which add up to it: the largest remainders are
    /// rounded up. Zeros when there is no time at all.
    ///
    /// Source: Hamilton's method of apportionment; Balinski and Young, "Fair Representation", 1982.
    pub fn parts(&self, whole: u32) -> [u32; Use::ALL.len()] {
        let mut parts = [0; Use::ALL.len()];
        if self.is_empty() {
            return parts;
        }
        let exact = |of: Use| u128::from(self.nanos(of)) * u128::from(whole);
        for of in Use::ALL {
            parts[of as usize] = u32::try_from(exact(of) / self.all()).unwrap_or(whole);
        }
        let mut by_remainder = Use::ALL;
        by_remainder.sort_by_key(|&of| std::cmp::Reverse(exact(of) % self.all()));
        let missing = whole.saturating_sub(parts.iter().sum());
        for of in by_remainder.into_iter().take(missing as usize) {
            parts[of as usize] += 1;
        }
        parts
    }

    /// The share of one use for people, `94 %`: those of all uses add up to 100, save that a share too small
    /// for that is `<1 %`. None when there is no time.
    pub fn percent(&self, of: Use) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        Some(match (self.parts(100)[of as usize], self.nanos(of)) {
            (0, 1..) => "<1 %".to_owned(),
            (percent, _) => format!("{percent} %"),
        })
    }

    fn all(&self) -> u128 {
        self.0.iter().copied().map(u128::from).sum()
    }
}

/// As an object: each use with its share, 0 to 1.
impl Serialize for Utilisation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Use::ALL.map(|of| (of, self.share(of))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn used(nanos: [u64; 8]) -> Utilisation {
        Utilisation(nanos)
    }

    #[test]
    fn connecting_is_waiting() {
        let mut mix = Mix::default();
        mix.0[Phase::Connecting.index()] = 1;
        mix.0[Phase::Waiting.index()] = 2;
        mix.0[Phase::Computing.index()] = 4;
        let of = Utilisation::of(&mix, Duration::from_nanos(1));
        assert_eq!(Use::ALL.map(|it| of.nanos(it)), [3, 0, 0, 4, 0, 0, 0, 1]);
        assert_eq!((of.share(Use::Computing), of.percent(Use::Computing)), (0.5, Some("50 %".to_owned())));
    }

    #[test]
    fn whole_per_cents_add_up() {
        let thirds = used([1, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(thirds.parts(100), [34, 33, 33, 0, 0, 0, 0, 0]);
        let little = used([99_999, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            [Use::Waiting, Use::Receiving, Use::Idle].map(|of| little.percent(of)),
            ["100 %", "<1 %", "0 %"].map(|words| Some(words.to_owned()))
        );
        assert_eq!(used([0; 8]).parts(100), [0; 8]);
        assert_eq!((used([0; 8]).share(Use::Idle), used([0; 8]).percent(Use::Idle)), (0.0, None));
    }

    #[test]
    fn every_phase_has_a_use_and_every_use_but_one_a_phase() {
        for of in Use::ALL {
            assert_eq!(of.phase().map(Use::of), (of != Use::Idle).then_some(of));
        }
        assert_eq!(Use::ALL.map(|of| of as usize), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_near(nanos: [u64; 8], whole in 0_u32..300) {
            let of = used(nanos);
            prop_assume!(!of.is_empty());
            let parts = of.parts(whole);
            prop_assert_eq!(parts.iter().sum::<u32>(), whole);
            for it in Use::ALL {
                let exact = of.share(it) * f64::from(whole);
                prop_assert!((f64::from(parts[it as usize]) - exact).abs() < 1.0 + 1e-6);
            }
            let shares: f64 = Use::ALL.into_iter().map(|it| of.share(it)).sum();
            prop_assert!((shares - 1.0).abs() < 1e-9);
        }
    }
}
