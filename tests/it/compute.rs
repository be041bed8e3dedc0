//! The workloads that use the processor and the memory: computations, and the counter that all tasks share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use threadrace::clock::Clock;
use threadrace::event::{Access, Check, ExecutorKind, Fact, Guard, Phase, RunEnd, TaskId};
use threadrace::model::{RunStatus, Stage};
use threadrace::workload::compute::{Computation, Compute};
use threadrace::workload::counter::{Counter, CounterWork};

use crate::rig::{Fallible, MS, Ran, SEED, Who, run, start};

/// The longest that a cancelled run may take to end: a second, and two more for a busy machine.
const SOON: Duration = Duration::from_secs(3);

const ALL: [Computation; 4] = [
    Computation::Primes { below: 20_000 },
    Computation::Hash { bytes: 1_000_000 },
    Computation::Resize { width: 64, height: 40 },
    Computation::Csv { rows: 500 },
];

const KINDS: [ExecutorKind; 3] = [ExecutorKind::Sequential, ExecutorKind::Pool, ExecutorKind::Async];

fn completed(ran: &Ran) -> bool {
    matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Completed, .. })
}

/// Runs additions, and says what the counter lost.
fn count(who: &Who, work: CounterWork) -> Fallible<(Ran, u64)> {
    let ran = run(who, Arc::new(Counter::new(work, who.tasks)), &Clock::start())?;
    ran.assert_accounted(who);
    assert!(completed(&ran), "{who:?}: {:?}", ran.run().status());
    let counter = ran.run().counter().ok_or("the counter was not read")?;
    assert_eq!(counter.expected, work.adds * who.tasks as u64, "{who:?}");
    let lost = counter.expected.checked_sub(counter.actual).ok_or("the counter gained")?;
    Ok((ran, lost))
}

/// The accesses of each task, in the order in which it told them.
fn accesses(ran: &Ran) -> BTreeMap<TaskId, Vec<Access>> {
    let mut accesses = BTreeMap::<_, Vec<Access>>::new();
    for event in &ran.events {
        if let Fact::CounterAccessed { task, access, .. } = event.fact {
            accesses.entry(task).or_default().push(access);
        }
    }
    accesses
}

/// Pairs of what was loaded and what the store that followed was over; the store wrote one more than was loaded.
fn additions(accesses: &[Access]) -> Fallible<Vec<(u64, u64)>> {
    let pair = |pair: &[Access]| match pair {
        [Access::Load { value: loaded }, Access::Store { value, over }] if *value == loaded + 1 => {
            Ok((*loaded, *over))
        }
        other => Err(format!("no load and its store: {other:?}").into()),
    };
    accesses.chunks(2).map(pair).collect()
}

#[test]
fn everybody_computes_the_same_and_all_of_it_is_checked() -> Fallible {
    for computation in ALL {
        let prepared = Compute::new(computation, 5, SEED);
        let mut results: Vec<Vec<Option<String>>> = Vec::new();
        for kind in KINDS {
            let who = Who::new(kind, 3, 5);
            let ran = run(&who, Arc::new(prepared.for_another_run()), &Clock::start())?;
            ran.assert_accounted(&who);
            assert!(ran.run().went_as_meant(), "{computation:?} {who:?}");
            for task in ran.run().tasks() {
                assert_eq!(task.check, Check::Result, "{computation:?} {who:?}");
            }
            let result = |task: &threadrace::model::TaskState| task.result.as_deref().map(str::to_owned);
            results.push(ran.run().tasks().iter().map(result).collect());
        }
        assert!(results[0].iter().all(Option::is_some), "{computation:?}");
        assert!(results.iter().all(|others| *others == results[0]), "{computation:?}: {results:?}");
    }
    Ok(())
}

#[test]
fn a_computation_is_one_span_that_nothing_interrupts() -> Fallible {
    let who = Who::new(ExecutorKind::Async, 3, 3);
    let work = Compute::new(Computation::Primes { below: 20_000 }, 3, SEED);
    let ran = run(&who, Arc::new(work), &Clock::start())?;
    let spans: Vec<_> = ran.run().lanes().iter().flat_map(|lane| lane.spans()).collect();
    let mut computing: Vec<_> =
        spans.iter().filter(|span| span.phase == Phase::Computing).map(|span| (span.from, span.to)).collect();
    computing.sort();
    assert_eq!(computing.len(), 3);
    assert!(computing.windows(2).all(|two| two[0].1 <= two[1].0), "an event loop computes one at a time");
    Ok(())
}

#[test]
fn a_computation_that_is_cancelled_in_the_middle_ends_soon() -> Fallible {
    // Forty of each take far longer than it takes to cancel them.
    let endless = [
        Computation::Primes { below: 200_000_000 },
        Computation::Hash { bytes: 300_000_000 },
        Computation::Resize { width: 1600, height: 1600 },
        Computation::Csv { rows: 400_000 },
    ];
    for computation in endless {
        let prepared = Compute::new(computation, 40, SEED);
        for kind in KINDS {
            let who = Who::new(kind, 2, 40);
            let mut running = start(&who, Arc::new(prepared.for_another_run()), &Clock::start());
            running.wait_for(1, |fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Computing, .. }))?;
            let cancelled = Instant::now();
            running.cancel.cancel();
            let ran = running.finish()?;
            assert!(cancelled.elapsed() < SOON, "{computation:?} {who:?}: {:?}", cancelled.elapsed());
            ran.assert_accounted(&who);
            assert!(ran.run().counts().cancelled > 0, "{computation:?} {who:?}: {:?}", ran.run().counts());
            assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Cancelled, .. }));
        }
    }
    Ok(())
}

#[test]
fn additions_get_lost_wherever_two_threads_add_without_a_guard() -> Fallible {
    let work = CounterWork { adds: 50_000, guard: Guard::None, pace: Duration::ZERO };
    for round in 0..10 {
        for kind in [ExecutorKind::Threads, ExecutorKind::Pool] {
            let who = Who::new(kind, 4, 4);
            let (ran, lost) = count(&who, work)?;
            assert!(lost > 0, "round {round}: {who:?}");
            let accesses = accesses(&ran);
            let mut collisions = 0;
            for told in accesses.values() {
                collisions += additions(told)?.iter().filter(|(loaded, over)| loaded != over).count();
            }
            assert!((1..=50).contains(&collisions), "round {round}: {who:?}: {collisions}");
            assert!(ran.events.len() < 1_000, "{}", ran.events.len());
            let said = ran.run().tasks().iter().filter_map(|task| task.result.as_deref());
            assert!(
                said.into_iter().any(|said| said.ends_with("of them over one or more of others'")),
                "{who:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn nothing_gets_lost_with_a_guard_or_with_one_thread() -> Fallible {
    let work = |guard| CounterWork { adds: 20_000, guard, pace: Duration::ZERO };
    for guard in [Guard::Mutex, Guard::Atomic] {
        for who in Who::everyone(4, 4) {
            let (ran, lost) = count(&who, work(guard))?;
            assert_eq!(lost, 0, "{who:?} {guard:?}");
            assert!(accesses(&ran).is_empty());
        }
    }
    for kind in [ExecutorKind::Sequential, ExecutorKind::Async] {
        let who = Who::new(kind, 4, 4);
        let (ran, lost) = count(&who, work(Guard::None))?;
        assert_eq!(lost, 0, "{who:?}");
        assert!(accesses(&ran).is_empty());
    }
    Ok(())
}

#[test]
fn with_a_pace_every_access_is_told_and_adds_up() -> Fallible {
    let work = |guard| CounterWork { adds: 3, guard, pace: MS(2) };
    for guard in [Guard::None, Guard::Mutex, Guard::Atomic] {
        for who in Who::everyone(3, 3) {
            let (ran, lost) = count(&who, work(guard))?;
            let accesses = accesses(&ran);
            assert_eq!(accesses.len(), 3);
            let mut overwritten = 0;
            for told in accesses.values() {
                let additions = additions(told)?;
                assert_eq!(additions.len(), 3);
                overwritten +=
                    additions.iter().map(|(loaded, over)| *over as i64 - *loaded as i64).sum::<i64>();
            }
            assert_eq!(overwritten, lost as i64, "what the stores were over is what was lost: {who:?}");
            assert!(guard == Guard::None || lost == 0, "{who:?} {guard:?}");
            if who.kind == ExecutorKind::Sequential {
                assert_eq!(lost, 0);
            }
        }
    }
    Ok(())
}

#[test]
fn an_event_loop_loses_additions_where_tasks_wait_between_load_and_store() -> Fallible {
    let work = CounterWork { adds: 4, guard: Guard::None, pace: MS(5) };
    let (_, lost) = count(&Who::new(ExecutorKind::Async, 4, 4), work)?;
    assert!(lost > 0);
    Ok(())
}

#[test]
fn who_waits_for_the_mutex_shows_it() -> Fallible {
    let work = CounterWork { adds: 3, guard: Guard::Mutex, pace: MS(2) };
    for kind in [ExecutorKind::Threads, ExecutorKind::Async] {
        let who = Who::new(kind, 3, 3);
        let (ran, _) = count(&who, work)?;
        let locked = |fact: &Fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Locked, .. });
        assert!(ran.events.iter().any(|event| locked(&event.fact)), "{who:?}");
    }
    Ok(())
}

#[test]
fn additions_that_are_cancelled_count_as_far_as_they_were_made() -> Fallible {
    for (guard, pace) in [
        (Guard::None, Duration::ZERO),
        (Guard::Mutex, Duration::ZERO),
        (Guard::Atomic, Duration::ZERO),
        (Guard::Mutex, MS(1)),
    ] {
        let work = CounterWork { adds: 1_000_000_000, guard, pace };
        for kind in KINDS {
            let who = Who::new(kind, 3, 4);
            let mut running = start(&who, Arc::new(Counter::new(work, 4)), &Clock::start());
            running.wait_for(1, |fact| matches!(fact, Fact::PhaseEntered { .. }))?;
            let cancelled = Instant::now();
            running.cancel.cancel();
            let ran = running.finish()?;
            assert!(cancelled.elapsed() < SOON, "{work:?} {who:?}: {:?}", cancelled.elapsed());
            ran.assert_accounted(&who);
            assert!(ran.run().tasks().iter().all(|task| task.stage == Stage::Cancelled), "{work:?} {who:?}");
            let counter = ran.run().counter().ok_or("the counter was not read")?;
            assert!(guard == Guard::None || counter.expected == counter.actual, "{counter:?}");
        }
    }
    Ok(())
}
