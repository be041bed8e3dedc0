//! What a race about a shared counter showed, in a sentence that follows from the figures.

use crate::event::{Guard, Order, Variant};
use crate::model::Counter;
use crate::text::fit;

use super::summary::{RunSummary, Summary};
use super::words::{count, listed};

/// How many additions were lost without a lock, and what it cost to lose none.
///
/// None where that was not the question, or where a run did not do all of its tasks.
pub(super) fn verdict(summary: &Summary) -> Option<String> {
    if summary.typical().any(|run| !run.comparable.is_of_all_tasks()) {
        return None;
    }
    let runs = || summary.typical().filter_map(|run| Some((run, run.counter?)));
    let unguarded = || runs().filter(|&(run, counter)| is_unguarded(run, counter));
    let (worst, counter) = unguarded().max_by_key(|(_, counter)| counter.lost())?;
    let which = match unguarded().count() {
        1 => String::new(),
        _ => format!(" in {}", fit(&worst.label, 20)),
    };
    let of = format!("of {} additions", count(counter.expected));
    let first = match counter.lost() {
        0 if unguarded().all(|(run, _)| run.peak_concurrency == 1) => {
            format!("Without a lock none {of} was lost{which}, for no two tasks overlapped")
        }
        0 => format!("Without a lock none {of} was lost{which}, which was luck"),
        1 => format!("Without a lock 1 {of} was lost{which}"),
        lost => format!("Without a lock {} {of} were lost{which}", count(lost)),
    };
    let safe: Vec<&RunSummary> = runs()
        .filter(|&(run, counter)| guard(run).is_some_and(|guard| guard != Guard::None) && counter.is_right())
        .map(|(run, _)| run)
        .collect();
    if safe.is_empty() {
        return Some(format!("{first}."));
    }
    let names = listed(&safe.iter().map(|run| name(run, &safe)).collect::<Vec<_>>());
    let cost = match summary.order {
        Order::OneByOne => cost(&safe, &unguarded().map(|(run, _)| run).collect::<Vec<_>>()),
        Order::Together => String::new(),
    };
    Some(format!("{first}; {names} lost none{cost}."))
}

/// Whether the run's additions were made without a lock: it says so, or additions were lost. Where a run says nothing
/// of a guard, the scenario may have one for all runs.
fn is_unguarded(run: &RunSummary, counter: Counter) -> bool {
    guard(run).map_or(counter.lost() > 0, |guard| guard == Guard::None)
}

fn guard(run: &RunSummary) -> Option<Guard> {
    match run.variant? {
        Variant::Guard(guard) => Some(guard),
        Variant::Collect(_) => None,
    }
}

/// A guard's name, or the run's where several have the same guard.
fn name(run: &RunSummary, among: &[&RunSummary]) -> String {
    let alone = among.iter().filter(|other| other.variant == run.variant).count() == 1;
    match guard(run) {
        Some(Guard::Mutex) if alone => "the mutex".to_owned(),
        Some(Guard::Atomic) if alone => "the atomic addition".to_owned(),
        _ => fit(&run.label, 20),
    }
}

/// `, and took 3.1 and 1.2 times as long as without`. Nothing unless each of them has a run without that differs in
/// nothing else: another executor would take another time for its own reasons.
fn cost(safe: &[&RunSummary], unguarded: &[&RunSummary]) -> String {
    let times = |run: &&RunSummary| {
        let like = |other: &&&RunSummary| (&other.executor, other.workers) == (&run.executor, run.workers);
        let without = unguarded.iter().find(like)?.wall?.as_secs_f64();
        (without > 0.0).then_some(run.wall?.as_secs_f64() / without)
    };
    match safe.iter().map(|run| Some(format!("{:.1}", times(run)?))).collect::<Option<Vec<String>>>() {
        Some(times) => format!(", and took {} times as long as without", listed(&times)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::event::{
        At, Event, ExecutorKind, Fact, RacePlan, Round, RunEnd, RunId, RunPlan, WorkloadKind,
    };
    use crate::model::RaceState;
    use crate::report::summary::{Comparable, Reason, comparable};

    struct Run {
        label: &'static str,
        guard: Option<Guard>,
        millis: u64,
        actual: u64,
    }

    const fn run(label: &'static str, guard: Guard, millis: u64, actual: u64) -> Run {
        Run { label, guard: Some(guard), millis, actual }
    }

    const SEQUENTIAL: Run = Run { label: "sequential", guard: None, millis: 500, actual: 800_000 };
    const MUTEX: Run = run("threads-mutex", Guard::Mutex, 3_100, 800_000);
    const ATOMIC: Run = run("threads-atomic", Guard::Atomic, 1_200, 800_000);

    fn unguarded(actual: u64) -> Run {
        run("threads-unguarded", Guard::None, 1_000, actual)
    }

    fn summary(order: Order, runs: &[Run]) -> Summary {
        let plan = |run: &Run| RunPlan {
            executor: match run.label.split('-').next() {
                Some("threads") => ExecutorKind::Threads,
                Some("pool") => ExecutorKind::Pool,
                Some("async") => ExecutorKind::Async,
                _ => ExecutorKind::Sequential,
            },
            workers: 4,
            variant: run.guard.map(Variant::Guard),
            label: run.label.to_owned(),
            round: Round::ONLY,
        };
        let plan = RacePlan {
            scenario: "counter".to_owned(),
            workload: WorkloadKind::Counter,
            noun: "adders".to_owned(),
            order,
            ..RacePlan::of_sleeps(Vec::new(), runs.iter().map(plan).collect())
        };
        let mut race = RaceState::new(Arc::new(plan));
        for (place, of) in runs.iter().enumerate() {
            let (run, over) = (RunId::of(place), At(of.millis * 1_000_000));
            let end = RunEnd::Completed;
            race.apply(&Event { at: At::ZERO, fact: Fact::RunStarted { run } });
            race.apply(&Event {
                at: over,
                fact: Fact::CounterRead { run, expected: 800_000, actual: of.actual },
            });
            race.apply(&Event { at: over, fact: Fact::RunFinished { run, end } });
        }
        Summary::of(&race, At::ZERO)
    }

    fn said(runs: &[Run]) -> Option<String> {
        let said = verdict(&summary(Order::OneByOne, runs));
        assert!(said.as_ref().is_none_or(|said| said.chars().count() <= super::super::VERDICT_CHARS));
        said
    }

    #[test]
    fn what_was_lost_and_what_it_cost_to_lose_none() {
        let text = "Without a lock 35,017 of 800,000 additions were lost; the mutex and the atomic addition \
                    lost none, and took 3.1 and 1.2 times as long as without.";
        let runs = [SEQUENTIAL, unguarded(764_983), MUTEX, ATOMIC];
        assert_eq!(said(&runs).as_deref(), Some(text));
        assert_eq!(summary(Order::OneByOne, &runs).verdict(), text);
        let shared = verdict(&summary(Order::Together, &runs));
        assert!(shared.is_some_and(|text| text.ends_with("the mutex and the atomic addition lost none.")));
    }

    #[test]
    fn a_wrong_sum_is_no_speedup() {
        let figures = |actual| {
            let summary = summary(Order::OneByOne, &[SEQUENTIAL, unguarded(actual)]);
            let run = summary.runs.last().cloned();
            run.map(|run| (run.wall, run.speedup, run.comparable))
        };
        let wall = Some(Duration::from_secs(1));
        assert_eq!(figures(800_000), Some((wall, Some(0.5), Comparable::Yes)));
        for actual in [200_000, 799_999, 800_001] {
            let wrong = Reason::WrongSum(Counter { expected: 800_000, actual });
            assert_eq!(figures(actual), Some((wall, None, Comparable::No(wrong))));
        }
    }

    #[test]
    fn luck_in_some_rounds_is_no_measure() {
        let compared = |runs: &[Run]| comparable(&summary(Order::OneByOne, runs).runs).count();
        assert_eq!(compared(&[unguarded(800_000), unguarded(800_000)]), 2);
        assert_eq!(compared(&[unguarded(800_000), unguarded(799_999)]), 0);
    }

    #[test]
    fn few_runs_are_told_of_as_they_are() {
        let said = |runs: &[Run]| said(runs).unwrap_or_default();
        assert_eq!(said(&[unguarded(799_999)]), "Without a lock 1 of 800,000 additions was lost.");
        assert_eq!(
            said(&[unguarded(800_000), MUTEX]),
            "Without a lock none of 800,000 additions was lost, which was luck; the mutex lost none, and took \
             3.1 times as long as without."
        );
        let pool = |guard, label, actual| run(label, guard, 2_000, actual);
        assert_eq!(
            said(&[
                unguarded(700_000),
                pool(Guard::None, "pool-unguarded", 600_000),
                MUTEX,
                pool(Guard::Mutex, "pool-mutex", 800_000),
            ]),
            "Without a lock 200,000 of 800,000 additions were lost in pool-unguarded; threads-mutex and \
             pool-mutex lost none, and took 3.1 and 1.0 times as long as without."
        );
    }

    #[test]
    fn a_run_that_says_nothing_of_a_guard_and_lost_additions_had_none() {
        let bare = Run { label: "threads", guard: None, millis: 900, actual: 408_453 };
        assert_eq!(
            said(&[run("async-unguarded", Guard::None, 300, 800_000), bare]).as_deref(),
            Some("Without a lock 391,547 of 800,000 additions were lost in threads.")
        );
    }

    #[test]
    fn where_no_two_tasks_overlapped_it_was_no_luck() {
        let unguarded = run("async-unguarded", Guard::None, 300, 800_000);
        let mut summary = summary(Order::OneByOne, &[SEQUENTIAL, unguarded]);
        summary.runs.iter_mut().for_each(|run| run.peak_concurrency = 1);
        assert_eq!(
            verdict(&summary).as_deref(),
            Some("Without a lock none of 800,000 additions was lost, for no two tasks overlapped.")
        );
    }

    #[test]
    fn a_guard_is_not_charged_with_what_another_executor_took() {
        let mutex = run("async-mutex", Guard::Mutex, 700, 800_000);
        assert_eq!(
            said(&[unguarded(700_000), mutex]).as_deref(),
            Some("Without a lock 100,000 of 800,000 additions were lost; the mutex lost none.")
        );
    }

    #[test]
    fn where_nothing_ran_without_a_lock_there_is_nothing_to_say() {
        assert_eq!(said(&[SEQUENTIAL, MUTEX, ATOMIC]), None);
    }
}
