//! Who has a turn, and who takes the results: the interpreter lock, the main thread, and a thousand threads.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use threadrace::clock::Clock;
use threadrace::event::{Collect, ErrorKind, Event, ExecutorKind, Fact, LaneId, Phase, RunEnd, TaskError};
use threadrace::model::{RunStatus, Span};
use threadrace::workload::sleep::Sleep;
use threadrace::workload::{Session, TaskContext, TaskFault, TaskFuture, TaskResult, Workload};
use tokio::sync::{Barrier, Semaphore};

use crate::rig::{Fallible, MS, Ran, Who, run, start};

/// A workload whose every task is this function.
struct Each<F>(Arc<F>);

impl<F> Clone for Each<F> {
    fn clone(&self) -> Each<F> {
        Each(self.0.clone())
    }
}

impl<F: for<'a> Fn(&'a TaskContext) -> TaskFuture<'a> + Send + Sync + 'static> Workload for Each<F> {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(self.clone()))
    }
}

impl<F: for<'a> Fn(&'a TaskContext) -> TaskFuture<'a> + Send + Sync + 'static> Session for Each<F> {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        (self.0)(context)
    }
}

fn each<F: for<'a> Fn(&'a TaskContext) -> TaskFuture<'a> + Send + Sync + 'static>(
    task: F,
) -> Arc<dyn Workload> {
    Arc::new(Each(Arc::new(task)))
}

fn nothing() -> Result<TaskResult, TaskFault> {
    Ok(TaskResult::default())
}

/// The spans in a phase, with their lanes, in the order of time.
fn spans_in(ran: &Ran, phase: Phase) -> Vec<(LaneId, Span)> {
    let lanes = ran.run().lanes().iter().enumerate();
    let mut spans: Vec<_> = lanes
        .flat_map(|(lane, of)| of.spans().iter().map(move |span| (LaneId::of(lane), *span)))
        .filter(|(_, span)| span.phase == phase)
        .collect();
    spans.sort_unstable_by_key(|(_, span)| (span.from, span.to));
    spans
}

/// Each task computes until all of them have begun, and then for some more checkpoints.
fn computing(tasks: usize, more: usize, inside: Arc<AtomicUsize>) -> Arc<dyn Workload> {
    let begun = Arc::new(AtomicUsize::new(0));
    each(move |context| {
        let (begun, inside) = (begun.clone(), inside.clone());
        Box::pin(async move {
            context.enter(Phase::Computing);
            begun.fetch_add(1, Ordering::SeqCst);
            let mut left = more;
            while left > 0 {
                if begun.load(Ordering::SeqCst) == tasks {
                    left -= 1;
                }
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two compute at once");
                std::hint::black_box((0..200_u64).sum::<u64>());
                inside.fetch_sub(1, Ordering::SeqCst);
                context.checkpoint()?;
            }
            nothing()
        })
    })
}

#[test]
fn under_the_lock_never_two_compute_at_once() -> Fallible {
    let who = Who::new(ExecutorKind::Gil, 4, 4);
    // It hangs, and so fails, where one that computes never lets the others have a turn.
    let ran = run(&who, computing(4, 20_000, Arc::default()), &Clock::start())?;
    ran.assert_accounted(&who);
    assert!(ran.run().did_everything(), "{:?}", ran.run().counts());
    let computing = spans_in(&ran, Phase::Computing);
    for two in computing.windows(2) {
        assert!(two[0].0 == two[1].0 || two[0].1.to <= two[1].1.from, "{two:?}");
    }
    let switches = computing.windows(2).filter(|two| two[0].0 != two[1].0).count();
    assert!(switches >= 3, "{switches}");
    let locked = spans_in(&ran, Phase::Locked);
    assert!(locked.len() >= 3, "{locked:?}");
    Ok(())
}

#[test]
fn the_lock_is_let_go_while_tasks_await() -> Fallible {
    let who = Who::new(ExecutorKind::Gil, 4, 12);
    let barrier = Arc::new(Barrier::new(4));
    let workload = each(move |context| {
        let barrier = barrier.clone();
        Box::pin(async move {
            context.enter(Phase::Sleeping);
            barrier.wait().await;
            nothing()
        })
    });
    let ran = run(&who, workload, &Clock::start())?;
    ran.assert_accounted(&who);
    assert!(ran.run().did_everything());
    assert_eq!(ran.run().in_progress().peak(), 4);
    Ok(())
}

#[test]
fn the_lock_is_let_go_around_calls_that_block() -> Fallible {
    let who = Who::new(ExecutorKind::Gil, 3, 9);
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let workload = each(move |context| {
        let barrier = barrier.clone();
        Box::pin(async move {
            context.enter(Phase::Writing);
            let _leader = context.blocking(|| barrier.wait());
            nothing()
        })
    });
    let ran = run(&who, workload, &Clock::start())?;
    ran.assert_accounted(&who);
    assert!(ran.run().did_everything());
    Ok(())
}

#[test]
fn a_panic_under_the_lock_costs_its_task_alone() -> Fallible {
    let who = Who::new(ExecutorKind::Gil, 3, 9);
    let workload = each(|context| {
        Box::pin(async move {
            match context.task().index() % 3 {
                0 => panic!("on purpose"),
                1 => context.blocking(|| panic!("on purpose, without the lock")),
                _ => nothing(),
            }
        })
    });
    let ran = run(&who, workload, &Clock::start())?;
    ran.assert_accounted(&who);
    assert_eq!((ran.run().counts().panicked, ran.run().counts().done), (6, 3));
    Ok(())
}

#[test]
fn a_cancelled_run_ends_whoever_has_the_lock_and_whoever_waits_for_it() -> Fallible {
    let who = Who::new(ExecutorKind::Gil, 4, 20);
    let workload = each(|context| {
        Box::pin(async move {
            context.enter(Phase::Computing);
            loop {
                context.checkpoint()?;
            }
        })
    });
    let mut running = start(&who, workload, &Clock::start());
    running.wait_for(3, |fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Locked, .. }))?;
    running.cancel.cancel();
    let ran = running.finish()?;
    ran.assert_accounted(&who);
    assert_eq!(ran.run().counts().cancelled, 20);
    assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Cancelled, .. }));
    Ok(())
}

#[test]
fn without_such_a_lock_nothing_is_locked_and_a_computation_hears_the_token() -> Fallible {
    for who in [Who::new(ExecutorKind::Sequential, 1, 3), Who::new(ExecutorKind::Pool, 2, 4)] {
        let workload = each(|context| {
            Box::pin(async move {
                context.enter(Phase::Computing);
                loop {
                    context.checkpoint()?;
                }
            })
        });
        let mut running = start(&who, workload, &Clock::start());
        let computing = |fact: &Fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Computing, .. });
        running.wait_for(who.workers, computing)?;
        running.cancel.cancel();
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled as usize, who.tasks);
        assert!(spans_in(&ran, Phase::Locked).is_empty());
    }
    Ok(())
}

/// Which results were delivered, in that order.
fn delivered(events: &[Event]) -> Vec<usize> {
    let of = |event: &Event| match event.fact {
        Fact::ResultDelivered { task, .. } => Some(task.index()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Executors that hand results to a main thread, with three tasks in progress at once.
fn collecting(collect: Collect) -> [Who; 2] {
    [ExecutorKind::Threads, ExecutorKind::Pool].map(|kind| Who { collect, ..Who::new(kind, 3, 3) })
}

/// Three tasks, each of which waits until the test lets it end.
fn let_end() -> ([Arc<Semaphore>; 3], Arc<dyn Workload>) {
    let gates = [(); 3].map(|()| Arc::new(Semaphore::new(0)));
    let of = gates.clone();
    let workload = each(move |context| {
        let gate = of[context.task().index()].clone();
        Box::pin(async move {
            context.enter(Phase::Sleeping);
            let _open = gate.acquire().await;
            match context.task().index() {
                1 => Err(TaskFault::failed(ErrorKind::Raised, "on purpose")),
                2 => panic!("on purpose"),
                _ => nothing(),
            }
        })
    });
    (gates, workload)
}

#[test]
fn results_are_delivered_as_they_end() -> Fallible {
    for who in collecting(Collect::Completion) {
        let (gates, workload) = let_end();
        let mut running = start(&who, workload, &Clock::start());
        for task in [2, 0, 1] {
            gates[task].add_permits(1);
            let its =
                |fact: &Fact| matches!(fact, Fact::ResultDelivered { task: of, .. } if of.index() == task);
            running.wait_for(1, its)?;
        }
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(delivered(&ran.events), [2, 0, 1], "{who:?}");
        assert!(ran.run().tasks().iter().all(|task| task.delivered >= task.finished), "{who:?}");
    }
    Ok(())
}

#[test]
fn results_are_delivered_in_the_order_of_submission() -> Fallible {
    for who in collecting(Collect::Submit) {
        let (gates, workload) = let_end();
        let mut running = start(&who, workload, &Clock::start());
        for task in [2, 1, 0] {
            gates[task].add_permits(1);
            let its = |fact: &Fact| matches!(fact, Fact::TaskFinished { task: of, .. } if of.index() == task);
            running.wait_for(1, its)?;
        }
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(delivered(&ran.events), [0, 1, 2], "{who:?}");
        let first = ran.task(0).finished;
        assert!(ran.run().tasks().iter().all(|task| task.delivered >= first), "{who:?}");
        let end = ran.run().wall().zip(ran.run().started()).map(|(wall, from)| from.plus(wall));
        assert!(ran.run().tasks().iter().all(|task| task.delivered <= end), "{who:?}");
    }
    Ok(())
}

#[test]
fn what_was_cancelled_is_not_delivered_and_holds_nobody_up() -> Fallible {
    for collect in [Collect::Submit, Collect::Completion] {
        for who in collecting(collect) {
            let (gates, workload) = let_end();
            let mut running = start(&who, workload, &Clock::start());
            running.wait_for(3, |fact| matches!(fact, Fact::TaskStarted { .. }))?;
            gates[1].add_permits(1);
            running.wait_for(1, |fact| matches!(fact, Fact::TaskFinished { .. }))?;
            running.cancel.cancel();
            let ran = running.finish()?;
            ran.assert_accounted(&who);
            assert_eq!(delivered(&ran.events), [1], "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn one_worker_does_the_main_threads_work_after_its_tasks() -> Fallible {
    let who = Who { main_work: MS(30), ..Who::new(ExecutorKind::Sequential, 1, 2) };
    let ran = run(&who, each(|_| Box::pin(async { nothing() })), &Clock::start())?;
    ran.assert_accounted(&who);
    let last = ran.run().tasks().iter().filter_map(|task| task.finished).max();
    let over = match ran.run().status() {
        RunStatus::Ended { to, .. } => Some(*to),
        _ => None,
    };
    assert!(over >= last.map(|last| last.plus(who.main_work)), "{last:?}, {over:?}");
    Ok(())
}

#[test]
fn a_main_thread_that_joins_takes_no_result_and_does_its_work_first() -> Fallible {
    for who in collecting(Collect::Join) {
        let who = Who { main_work: MS(30), ..who };
        let ran = run(&who, each(|_| Box::pin(async { nothing() })), &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().did_everything(), "{who:?}");
        assert!(delivered(&ran.events).is_empty(), "{who:?}");
        assert!(ran.run().wall() >= Some(who.main_work), "{who:?}: {:?}", ran.run().wall());
    }
    Ok(())
}

#[test]
fn daemons_are_cut_off_when_the_main_thread_ends() -> Fallible {
    for kind in [ExecutorKind::Threads, ExecutorKind::Pool] {
        let who = Who { collect: Collect::Daemon, main_work: MS(30), ..Who::new(kind, 2, 6) };
        let workload = each(|context| {
            Box::pin(async move {
                if context.task().index() % 2 == 0 {
                    context.enter(Phase::Sleeping);
                    pending::<()>().await;
                }
                context.enter(Phase::Computing);
                loop {
                    context.checkpoint()?;
                }
            })
        });
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().abandoned, 6, "{who:?}");
        let RunStatus::Ended { from, to, end } = ran.run().status() else { return Err("not over".into()) };
        assert_eq!(*end, RunEnd::Completed, "{who:?}");
        for task in ran.run().tasks() {
            let cut = task.finished.ok_or("not finished")?;
            assert!(cut >= from.plus(who.main_work) && cut <= *to, "{who:?}: {cut:?}");
        }
    }
    Ok(())
}

#[test]
fn a_cancelled_main_thread_stops_working_and_abandons_nobody() -> Fallible {
    for kind in [ExecutorKind::Threads, ExecutorKind::Pool] {
        let who =
            Who { collect: Collect::Daemon, main_work: Duration::from_secs(3600), ..Who::new(kind, 2, 4) };
        let workload = each(|context| {
            Box::pin(async move {
                context.enter(Phase::Sleeping);
                pending().await
            })
        });
        let mut running = start(&who, workload, &Clock::start());
        running.wait_for(2, |fact| matches!(fact, Fact::TaskStarted { .. }))?;
        running.cancel.cancel();
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled, 4, "{who:?}");
    }
    Ok(())
}

#[test]
fn a_thousand_threads_sleep_at_once() -> Fallible {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;
    let who = Who::new(ExecutorKind::Threads, 1, 1000);
    let ran = run(&who, Arc::new(Sleep::new([MS(10)].into())), &Clock::start())?;
    ran.assert_accounted(&who);
    assert!(ran.run().did_everything(), "{:?}", ran.run().counts());
    assert!(ran.run().in_progress().peak() > 1);
    Ok(())
}
