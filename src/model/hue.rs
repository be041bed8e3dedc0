//! Which of a few colours tells a run from the others.

use crate::event::ExecutorKind;

/// One of [`Hue::COUNT`] colours, whatever they are in the theme at hand. An executor has its own in every race,
/// so that people who saw it once know it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hue(usize);

impl Hue {
    /// How many runs are told apart by colour; more share them.
    pub const COUNT: usize = 6;

    /// Every hue, in their order.
    pub const ALL: [Hue; Hue::COUNT] = [Hue(0), Hue(1), Hue(2), Hue(3), Hue(4), Hue(5)];

    /// From 0 to [`Hue::COUNT`], which is out.
    pub fn index(self) -> usize {
        self.0
    }

    /// The colour of an executor; none for other programs, which take what is left.
    fn of(executor: &ExecutorKind) -> Option<Hue> {
        match executor {
            ExecutorKind::Sequential => Some(Hue::ALL[0]),
            ExecutorKind::Threads => Some(Hue::ALL[1]),
            ExecutorKind::Pool => Some(Hue::ALL[2]),
            ExecutorKind::Async => Some(Hue::ALL[3]),
            ExecutorKind::Processes => Some(Hue::ALL[4]),
            ExecutorKind::Gil => Some(Hue::ALL[5]),
            ExecutorKind::External(_) => None,
        }
    }
}

/// A colour for each of several runs that stand beside each other: the first run of an executor has that
/// executor's; each other run has the first of those that the fewest have. The sequential run's is nobody
/// else's.
pub(super) fn hues<'a>(executors: impl Iterator<Item = &'a ExecutorKind> + Clone) -> Vec<Hue> {
    let mut uses = [0_usize; Hue::COUNT];
    let own: Vec<Option<Hue>> = executors
        .clone()
        .map(|executor| {
            let hue = Hue::of(executor)?;
            let free = uses[hue.0] == 0 || *executor == ExecutorKind::Sequential;
            uses[hue.0] += usize::from(free);
            free.then_some(hue)
        })
        .collect();
    let left = |own: Option<Hue>| {
        own.unwrap_or_else(|| {
            let fewest = (1..Hue::COUNT).min_by_key(|&hue| uses[hue]).unwrap_or_default();
            uses[fewest] += 1;
            Hue(fewest)
        })
    };
    own.into_iter().map(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hues_of(executors: &[ExecutorKind]) -> Vec<usize> {
        hues(executors.iter()).into_iter().map(Hue::index).collect()
    }

    #[test]
    fn an_executor_has_the_same_colour_in_every_race() {
        use ExecutorKind::{Async, Gil, Pool, Processes, Sequential, Threads};
        assert_eq!(hues_of(&ExecutorKind::BUILT_IN), [0, 1, 2, 3, 4, 5]);
        assert_eq!(hues_of(&[Sequential, Async, Threads]), [0, 3, 1]);
        assert_eq!(hues_of(&[Gil, Pool, Processes]), [5, 2, 4]);
    }

    #[test]
    fn runs_of_one_executor_differ() {
        use ExecutorKind::{Async, Pool, Sequential};
        assert_eq!(hues_of(&[Sequential, Pool, Pool, Async, Pool]), [0, 2, 1, 3, 4]);
        let node = ExecutorKind::External("node".into());
        assert_eq!(hues_of(&[node.clone(), Sequential, node]), [1, 0, 2]);
    }

    #[test]
    fn where_there_are_many_runs_no_colour_is_rare_and_the_sequential_runs_is_its_own() {
        let mut executors = vec![ExecutorKind::Pool; 16];
        executors[7] = ExecutorKind::Sequential;
        let hues = hues_of(&executors);
        assert!((1..Hue::COUNT).all(|hue| hues.iter().filter(|of| **of == hue).count() == 3));
        assert_eq!(hues.iter().position(|hue| *hue == 0), Some(7));
    }
}
