//! What simulated sweeps say about more workers, and why.

use std::error::Error;
use std::sync::Arc;

use proptest::prelude::*;
use threadrace::event::{At, Collect, ExecutorKind, Order, RacePlan, Round, Variant};
use threadrace::model::RaceState;
use threadrace::report::scaling::{Progress, Sweep, Why};
use threadrace::report::{Format, Scaling, Summary, Target, Theme, scaling_svg, write};
use threadrace::stats::scaling::Knee;

use crate::simulate::{Fate, Race};

type Tested = Result<(), Box<dyn Error>>;

const END: At = At(u64::MAX);

fn scaling(race: &RaceState) -> Option<Scaling> {
    Summary::of(race, END).scaling
}

fn said(race: &RaceState) -> String {
    scaling(race).and_then(|scaling| scaling.sentence()).unwrap_or_default()
}

fn swept(tasks: usize, workers: &[usize]) -> Race {
    Race::new(7).tasks(tasks).sweep(workers)
}

#[test]
fn a_sweep_is_one_executor_with_three_numbers_of_workers() {
    use ExecutorKind::{Async, Pool, Sequential};
    let plan = |runs: &[(ExecutorKind, usize)]| Race::new(1).tasks(20).runs(runs).plan();
    let steps = |plan: &RacePlan| {
        Sweep::of(plan).map(|sweep| sweep.steps.iter().map(|step| step.workers).collect::<Vec<_>>())
    };
    let sweep = [(Sequential, 1), (Pool, 8), (Pool, 2), (Pool, 4)];
    assert_eq!(steps(&plan(&sweep)), Some(vec![2, 4, 8]));
    assert_eq!(steps(&plan(&sweep[..3])), None);
    assert_eq!(steps(&plan(&sweep[1..])), None, "nothing to compare with");
    assert_eq!(steps(&plan(&[sweep.as_slice(), &[(Async, 5)]].concat())), None);
    let together = Race::new(1).runs(&sweep).together();
    assert_eq!(steps(&together.plan()), None);
    let in_order = Race::new(1).runs(&sweep).collect(2, Collect::Submit);
    assert_eq!(steps(&in_order.plan()), None);
    // With 3 tasks, 4 and 8 workers are 3 each.
    let few = Race::new(1).tasks(3).runs(&[(Sequential, 1), (Pool, 1), (Pool, 2), (Pool, 4), (Pool, 8)]);
    assert_eq!(steps(&few.plan()), Some(vec![1, 2, 3]));
}

#[test]
fn a_sweep_in_rounds_has_one_speedup_for_each_number_of_workers() -> Tested {
    let race = swept(40, &[1, 2, 4, 8]).rounds(5).wobble(20).state();
    let summary = Summary::of(&race, END);
    let scaling = summary.scaling.as_ref().ok_or("it is a sweep")?;
    assert_eq!(scaling.measured.len(), 4);
    for of in &scaling.measured {
        let group = summary.groups.iter().find(|group| !group.is_baseline() && group.workers == of.workers);
        let speedup = group.and_then(|group| group.speedup).ok_or("its rounds have a speedup")?;
        assert!((of.speedup.median - speedup.value).abs() < 1e-9, "{of:?} {speedup:?}");
        assert!(of.speedup.least < of.speedup.most, "{of:?}");
    }
    Ok(())
}

#[test]
fn only_a_sweep_is_offered_as_a_picture_of_one() {
    let offered = |race: &Race| Target::of_race(&race.plan()).contains(&Target::Scaling);
    assert!(offered(&swept(10, &[1, 2, 4])));
    assert!(!offered(&swept(10, &[1, 2])));
}

#[test]
fn runs_that_only_warm_up_do_not_count_and_repeats_are_one_point() -> Tested {
    let mut plan = RacePlan::clone(&swept(20, &[1, 2, 4]).plan());
    let repeats = plan.runs.clone().into_iter().map(|mut run| {
        run.round = Round::Counted(2);
        run
    });
    plan.runs.extend(repeats.collect::<Vec<_>>());
    let sweep = Sweep::of(&plan).ok_or("no sweep")?;
    assert_eq!(sweep.baseline.len(), 2);
    assert_eq!(sweep.steps.iter().map(|step| step.runs.len()).collect::<Vec<_>>(), [2, 2, 2]);
    for run in &mut plan.runs[4..] {
        run.round = Round::Warmup(1);
    }
    let sweep = Sweep::of(&plan).ok_or("no sweep")?;
    assert_eq!((sweep.baseline.len(), sweep.steps[0].runs.len()), (1, 1));
    plan.order = Order::Together;
    assert_eq!(Sweep::of(&plan), None);
    plan.order = Order::OneByOne;
    plan.runs[2].variant = Some(Variant::Collect(Collect::Submit));
    assert_eq!(Sweep::of(&plan), None);
    Ok(())
}

#[test]
fn a_full_link_is_found() -> Tested {
    let race = swept(40, &[1, 2, 3, 4, 6, 8, 12, 16]).full_link().state();
    let scaling = scaling(&race).ok_or("no sweep")?;
    assert!(matches!(scaling.why, Some(Why::LinkFull { .. })), "{scaling:?}");
    let words = said(&race);
    assert!(words.contains(" workers buy ") && words.contains(": the link is full. Of 16, "), "{words}");
    Ok(())
}

#[test]
fn each_task_with_a_worker_of_its_own_needs_no_more() {
    let words = said(&swept(8, &[1, 2, 4, 8]).state());
    assert!(words.contains("up to 8 workers") && words.contains("a worker of its own"), "{words}");
    let words = said(&swept(200, &[1, 2, 4, 8]).state());
    assert!(words.starts_with("The speedup still grows at 8 workers, the most that were tried"), "{words}");
}

#[test]
fn nothing_is_claimed_for_runs_that_can_not_be_compared() -> Tested {
    let race = swept(20, &[1, 2, 4, 8]).fate_in(3, 5, Fate::Failed).state();
    let scaling = scaling(&race).ok_or("no sweep")?;
    let workers: Vec<u32> = scaling.measured.iter().map(|of| of.workers).collect();
    assert_eq!(workers, [1, 2, 8]);
    assert!(Summary::of(&race, END).verdict().contains("pool-4") || !said(&race).is_empty());
    let failed = swept(20, &[1, 2, 4, 8]).fate_in(0, 5, Fate::Failed).state();
    let scaling = self::scaling(&failed).ok_or("no sweep")?;
    assert_eq!((scaling.measured.len(), scaling.sentence(), scaling.bound), (0, None, None));
    assert!(Summary::of(&failed, END).verdict().contains("no speedup to tell"));
    Ok(())
}

#[test]
fn a_sweep_is_in_the_table_and_in_markdown() -> Tested {
    let race = swept(120, &[1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20]).full_link().state();
    for (format, name) in [(Format::Table, "sweep_table"), (Format::Markdown, "sweep_markdown")] {
        let mut out = Vec::new();
        write(format, &race, END, &mut out)?;
        insta::assert_snapshot!(name, String::from_utf8(out)?);
    }
    let scaling = scaling(&race).ok_or("no sweep")?;
    insta::assert_snapshot!("sweep_svg", scaling_svg(&scaling, Theme::Auto, 760));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_sweep_is_told_at_every_moment(
        seed in 0_u64..1_000, tasks in 1_usize..30, full in any::<bool>(),
        workers in prop::collection::btree_set(1_usize..40, 1..8),
        share in 0.0..=1.0_f64, failed in prop::option::of((0_usize..9, 0_usize..30)),
    ) {
        let workers: Vec<usize> = workers.into_iter().collect();
        let mut race = Race::new(seed).tasks(tasks).sweep(&workers);
        if full {
            race = race.full_link();
        }
        if let Some((run, task)) = failed {
            race = race.fate_in(run, task, Fate::Failed);
        }
        let whole = race.state();
        let moment = At((whole.last_moment().0 as f64 * share) as u64);
        for state in [race.state_at(moment), whole] {
            let plan: Arc<RacePlan> = state.plan().clone();
            let scaling = Summary::of(&state, state.last_moment()).scaling;
            prop_assert_eq!(Sweep::of(&plan).is_some(), scaling.is_some());
            let Some(scaling) = scaling else { continue };
            prop_assert!(scaling.measured.windows(2).all(|pair| pair[0].workers < pair[1].workers));
            prop_assert!(scaling.measured.len() <= scaling.planned);
            if let Some(Knee::At { workers, .. }) = scaling.knee {
                prop_assert!(scaling.measured.iter().any(|of| of.workers == workers));
            }
            let sentence = scaling.sentence();
            prop_assert_eq!(sentence.is_some(), scaling.knee.is_some() && scaling.progress == Progress::Over);
            prop_assert!(sentence.is_none_or(|it| it.chars().count() <= 200 && it.ends_with('.')));
            // No schedule is shorter than its bound; the simulator's workers lose a little between tasks.
            for of in &scaling.measured {
                let bound = scaling.bound.as_ref().map_or(0.0, |bound| bound.at(f64::from(of.workers)));
                prop_assert!(of.speedup.median <= bound * 1.05 + 0.01, "{of:?} {bound}");
            }
            let svg = scaling_svg(&scaling, Theme::Auto, 640);
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }
}
