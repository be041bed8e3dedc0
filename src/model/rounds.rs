//! Which runs of a race repeat each other: rounds across, groups along.

use std::collections::HashMap;

use crate::event::{Round, RunId, RunPlan};

use super::hue::{Hue, hues};

/// The runs of a race by round, and by what they repeat. Rounds and groups are counted from 0 in the order of
/// their first runs; a group has at most one run in each round.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rounds {
    all: Vec<Round>,
    /// By round: its runs, in the order of the groups.
    runs: Vec<Vec<RunId>>,
    /// By group: its runs, in the order of the race.
    groups: Vec<Vec<RunId>>,
    /// By run: the places of its round and of its group.
    places: Vec<(usize, usize)>,
}

impl Rounds {
    /// Sorts planned runs, which may be foreign: equal labels in one round are of several groups.
    pub(super) fn of(plans: &[RunPlan]) -> Rounds {
        let mut rounds = Rounds::default();
        let mut round_places: HashMap<Round, usize> = HashMap::new();
        let mut group_places: HashMap<(&str, usize), usize> = HashMap::new();
        let mut seen: HashMap<(&str, Round), usize> = HashMap::new();
        for (index, plan) in plans.iter().enumerate() {
            let round = *round_places.entry(plan.round).or_insert_with(|| {
                rounds.all.push(plan.round);
                rounds.runs.push(Vec::new());
                rounds.all.len() - 1
            });
            let before = seen.entry((&plan.label, plan.round)).or_insert(0);
            let group = *group_places.entry((&plan.label, *before)).or_insert_with(|| {
                rounds.groups.push(Vec::new());
                rounds.groups.len() - 1
            });
            *before += 1;
            rounds.runs[round].push(RunId::of(index));
            rounds.groups[group].push(RunId::of(index));
            rounds.places.push((round, group));
        }
        for runs in &mut rounds.runs {
            runs.sort_by_key(|run| rounds.places[run.index()].1);
        }
        rounds
    }

    /// By run of the same plans: the colour that tells it from the others of its round, the same in every round.
    pub(super) fn hues(&self, plans: &[RunPlan]) -> Vec<Hue> {
        let first = |group: &Vec<RunId>| group.first().and_then(|run| plans.get(run.index()));
        let hues = hues(self.groups.iter().filter_map(first).map(|plan| &plan.executor));
        self.places.iter().filter_map(|(_, group)| hues.get(*group).copied()).collect()
    }

    /// Every round, in the order in which they begin.
    pub fn all(&self) -> &[Round] {
        &self.all
    }

    /// Whether the race repeats its runs.
    pub fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// How many rounds count.
    pub fn counted(&self) -> usize {
        self.all.iter().filter(|round| matches!(round, Round::Counted(_))).count()
    }

    /// How many rounds only warm up.
    pub fn warmups(&self) -> usize {
        self.all.len() - self.counted()
    }

    /// The place of the first round that counts, or of the first round where none does; none without runs.
    pub fn first_counted(&self) -> Option<usize> {
        let counted = self.all.iter().position(|round| matches!(round, Round::Counted(_)));
        counted.or_else(|| (!self.all.is_empty()).then_some(0))
    }

    /// The runs of the round at a place, in the order of the groups, whatever the order in which they run.
    pub fn runs(&self, round: usize) -> &[RunId] {
        self.runs.get(round).map_or(&[], Vec::as_slice)
    }

    /// How many groups there are: as many as a round has runs.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The runs that repeat each other, in the order of the race.
    pub fn group(&self, group: usize) -> &[RunId] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    /// The place of a run's round.
    pub fn round_of(&self, run: RunId) -> Option<usize> {
        self.places.get(run.index()).map(|(round, _)| *round)
    }

    /// The place of a run's group.
    pub fn group_of(&self, run: RunId) -> Option<usize> {
        self.places.get(run.index()).map(|(_, group)| *group)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::ExecutorKind;

    fn plan(label: &str, round: Round) -> RunPlan {
        let executor = ExecutorKind::Pool;
        RunPlan { executor, workers: 1, variant: None, label: label.to_owned(), round }
    }

    fn ids(ids: &[u16]) -> Vec<RunId> {
        ids.iter().map(|id| RunId(*id)).collect()
    }

    #[test]
    fn rounds_are_shown_in_one_order_however_they_ran() {
        let (warm, one, two) = (Round::Warmup(1), Round::Counted(1), Round::Counted(2));
        let plans = [("s", warm), ("p", warm), ("s", one), ("p", one), ("p", two), ("s", two)];
        let rounds = Rounds::of(&plans.map(|(label, round)| plan(label, round)));
        assert_eq!(rounds.all(), [warm, one, two]);
        assert_eq!((rounds.counted(), rounds.warmups(), rounds.first_counted()), (2, 1, Some(1)));
        assert_eq!(rounds.runs(2), ids(&[5, 4]));
        assert_eq!(rounds.group(1), ids(&[1, 3, 4]));
        assert_eq!((rounds.round_of(RunId(4)), rounds.group_of(RunId(4))), (Some(2), Some(1)));
        assert!(rounds.are_several());
    }

    #[test]
    fn equal_labels_in_one_round_stay_apart() {
        let rounds = Rounds::of(&[plan("pool", Round::ONLY), plan("pool", Round::ONLY)]);
        assert_eq!((rounds.groups(), rounds.runs(0).len()), (2, 2));
        assert!(!rounds.are_several());
        let none = Rounds::of(&[]);
        assert_eq!((none.first_counted(), none.groups(), none.runs(0)), (None, 0, &[][..]));
    }

    proptest! {
        #[test]
        fn every_run_has_its_place(runs in prop::collection::vec((0_u8..3, 0_u32..4, any::<bool>()), 0..40)) {
            let plans: Vec<RunPlan> = runs.iter().map(|(label, number, warm)| {
                let round = if *warm { Round::Warmup(*number) } else { Round::Counted(*number) };
                plan(&label.to_string(), round)
            }).collect();
            let rounds = Rounds::of(&plans);
            let mut found: Vec<RunId> = (0..rounds.all().len()).flat_map(|r| rounds.runs(r).to_vec()).collect();
            found.sort();
            prop_assert_eq!(&found, &(0..plans.len()).map(RunId::of).collect::<Vec<_>>());
            for group in 0..rounds.groups() {
                let in_rounds: Vec<_> = rounds.group(group).iter().map(|run| rounds.round_of(*run)).collect();
                let distinct: std::collections::BTreeSet<_> = in_rounds.iter().collect();
                prop_assert_eq!(distinct.len(), in_rounds.len());
            }
        }
    }
}
