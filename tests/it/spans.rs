//! What is drawn is what happened: the workers' spans against the origin's own log, on one clock.

use std::collections::BTreeMap;
use std::time::Duration;

use threadrace::event::{At, ExecutorKind, Phase, TaskId};
use threadrace::model::Span;
use threadrace::origin::{Content, Latency, Shape};

use crate::rig::{Disk, Fallible, MS, Served, Who, limits, run};

/// How far the workers' moments may be from the origin's.
const NEAR: Duration = Duration::from_millis(5);

fn only(spans: &[Span], phase: Phase) -> Option<Span> {
    let mut found = spans.iter().filter(|span| span.phase == phase);
    found.next().copied().filter(|_| found.next().is_none())
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

#[test]
fn spans_agree_with_the_origins_log() -> Fallible {
    let shape = Shape {
        latency: Latency::Uniform { mean: MS(40), spread: MS(20) },
        bandwidth: 2_000_000.try_into().ok(),
        ..Shape::UNSHAPED
    };
    let served = Served::new(&Content::Bytes { size: 50_000 }, 8, shape)?;
    let (targets, mut disk, mut before) = (served.targets()?, Disk::new()?, 0);
    let (mut begins, mut firsts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for who in Who::everyone(4, targets.len()) {
        let ran = run(&who, disk.downloads(&targets, limits())?, &served.clock)?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}");
        let log = served.origin.log().split_off(before);
        before += log.len();
        let by_path: BTreeMap<_, _> = log.iter().map(|served| (served.path.as_str(), served)).collect();
        for (index, task) in served.tasks.iter().enumerate() {
            let entry = by_path.get(task.path.as_str()).ok_or("not in the log")?;
            let spans = ran.run().spans_of(TaskId::of(index), At(u64::MAX));
            let waiting = only(&spans, Phase::Waiting).ok_or("one span of waiting")?;
            let receiving = only(&spans, Phase::Receiving).ok_or("one span of receiving")?;
            let here = format!("{who:?}, task {index}: {entry:?} {spans:?}");
            assert!(spans.first().is_some_and(|first| first.from <= entry.start), "{here}");
            // Where several threads drive the loop, a connection that comes free while another is opened
            // can carry the request.
            assert!(waiting.from <= entry.start || who.async_threads > 1, "{here}");
            assert!(waiting.to == receiving.from && receiving.from >= entry.first_byte, "{here}");
            assert!(receiving.to >= entry.end, "{here}");
            assert!(entry.complete && entry.bytes == 50_000, "{here}");
            // From the moment a worker took the task up until its end, each moment is in one span.
            let state = ran.task(index);
            assert!(spans.windows(2).all(|two| two[0].to == two[1].from), "{here}");
            assert_eq!(spans.last().map(|span| Some(span.to)), Some(state.finished), "{here}");
            assert_eq!(state.first_byte, Some(receiving.from), "{here}");
            begins.push(entry.start.since(waiting.from));
            firsts.push(receiving.from.since(entry.first_byte));
            ends.push(receiving.to.since(entry.end));
        }
        if who.async_threads == 1 {
            let connects = |span: &&Span| span.phase == Phase::Connecting;
            let lanes = ran.run().lanes().iter();
            let connected: Vec<_> = lanes.map(|lane| lane.spans().iter().filter(connects).count()).collect();
            assert_eq!(connected, vec![1; who.workers], "{who:?}: a worker keeps its connection");
        }
    }
    // All runs together, for on a busy machine a thread for each task may wait for a processor.
    for (what, deviations) in [("begin", begins), ("first byte", firsts), ("end", ends)] {
        let middle = median(deviations.clone());
        assert!(middle < NEAR, "the {what} is {middle:?} off: {deviations:?}");
    }
    Ok(())
}

#[test]
fn a_retry_is_in_the_spans_and_in_the_log() -> Fallible {
    let shape = Shape { failures: 0.5, latency: Latency::Fixed(MS(5)), ..Shape::UNSHAPED };
    let served = Served::new(&Content::Posts, 20, shape)?;
    let (targets, mut disk) = (served.targets()?, Disk::new()?);
    let who = Who::new(ExecutorKind::Pool, 4, targets.len());
    let limits = threadrace::workload::download::Limits { retries: 20, ..limits() };
    let ran = run(&who, disk.downloads(&targets, limits)?, &served.clock)?;
    ran.assert_accounted(&who);
    assert!(ran.run().is_comparable());
    let log = served.origin.log();
    let mut retried = 0;
    for (index, task) in served.tasks.iter().enumerate() {
        let mut entries: Vec<_> = log.iter().filter(|entry| entry.path == task.path).collect();
        entries.sort_unstable_by_key(|entry| entry.start);
        let state = ran.task(index);
        assert_eq!(entries.len(), state.attempts as usize, "{entries:?}");
        assert!(entries.iter().map(|entry| entry.attempt).eq(1..=state.attempts), "{entries:?}");
        let spans = ran.run().spans_of(TaskId::of(index), At(u64::MAX));
        let waits: Vec<_> = spans.iter().filter(|span| span.phase == Phase::Waiting).collect();
        let pauses: Vec<_> = spans.iter().filter(|span| span.phase == Phase::BackingOff).collect();
        assert_eq!((waits.len(), pauses.len()), (entries.len(), entries.len() - 1), "{spans:?}");
        for (wait, entry) in waits.iter().zip(&entries) {
            assert!(wait.from <= entry.start && wait.to >= entry.first_byte, "{wait:?} {entry:?}");
        }
        retried += pauses.len();
    }
    assert!(retried > 0 && ran.run().counts().retries as usize == retried, "{retried}");
    Ok(())
}
