//! The collector: looks in about 20 times a second, takes what the workers said and samples how many
//! bytes the tasks in progress have.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, thread_processor_time};
use crate::event::{At, Event, Fact, RunId, TaskId};
use crate::executor::Job;
use crate::probe::Probe;

use super::RaceError;

/// How long the collector sleeps. A collector that waits for events instead makes every worker pay for
/// waking it, which cost downloads 15 to 60 % of their wall time.
const TICK: Duration = Duration::from_millis(50);

/// A collector that was away for so much longer than it slept and worked was not let run: somebody stopped the
/// program, or the machine had no time for it.
const INTERRUPTION: Duration = Duration::from_millis(400);

/// Runs `work` on a thread of its own, and passes on what the workers say until it returns and
/// everything was passed on. In between, `probe` may look at the run that it measures.
pub(super) fn while_running(
    work: impl FnOnce() -> Result<(), RaceError> + Send,
    arriving: &Receiver<Event>,
    jobs: &[Job],
    probe: &Probe,
    clock: &Clock,
    pass_on: &dyn Fn(Vec<Event>),
) -> Result<(), RaceError> {
    let over = AtomicBool::new(false);
    let collector = thread::current();
    thread::scope(|scope| {
        let runner = thread::Builder::new().name("runner".to_owned()).spawn_scoped(scope, || {
            let _wake = WakeOnDrop { over: &over, collector };
            work()
        });
        let runner = runner.map_err(RaceError::Thread)?;
        let mut collected =
            Collected { sampler: Sampler { jobs, active: HashMap::new() }, early: Vec::new() };
        let (mut awake, mut used) = (clock.now(), thread_processor_time());
        loop {
            let last = over.load(Ordering::Acquire);
            collected.sampler.ask_workloads();
            probe.look(clock);
            pass_on(collected.take(arriving, clock, last));
            if last {
                break;
            }
            thread::park_timeout(TICK);
            // Somebody may stop the program while the collector works, too.
            let (before, used_before) = (awake, used);
            (awake, used) = (clock.now(), thread_processor_time());
            let meant = TICK + used.saturating_sub(used_before);
            collected.early.extend(interruption(before, awake, meant));
        }
        runner.join().map_err(|_| RaceError::Internal("the runner panicked".to_owned()))?
    })
}

/// What is to be told of a collector that meant to be back after so long.
///
/// It would have been back by the moment of the event, so a stop had begun by then, and was not over: whatever ran
/// at that moment was struck, though it may have ended before the collector could look, and nothing else was.
fn interruption(before: At, awake: At, meant: Duration) -> Option<Event> {
    let away = awake.since(before).saturating_sub(meant);
    let nanos = u64::try_from(away.as_nanos()).unwrap_or(u64::MAX);
    (away >= INTERRUPTION).then(|| Event { at: before.plus(meant), fact: Fact::Interrupted { nanos } })
}

/// Wakes the collector when the work is over, however it ended.
struct WakeOnDrop<'a> {
    over: &'a AtomicBool,
    collector: thread::Thread,
}

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.collector.unpark();
    }
}

/// What the workers have said, in the order of time.
struct Collected<'a> {
    sampler: Sampler<'a>,
    /// Happened after the moment up to which events were passed on.
    early: Vec<Event>,
}

impl Collected<'_> {
    /// Everything that was said and happened until now, in the order of time, and that it is everything. Only
    /// what a worker had stamped and not sent yet comes with the next batch. With `all`, which is for when
    /// nobody is left to say more, what happened since is there too.
    fn take(&mut self, arriving: &Receiver<Event>, clock: &Clock, all: bool) -> Vec<Event> {
        let mut batch = std::mem::take(&mut self.early);
        batch.extend(arriving.try_iter());
        self.sampler.watch(&batch);
        let samples = self.sampler.sample();
        let now = clock.now();
        let sampled = batch.len();
        batch.extend(arriving.try_iter());
        // The sample of a task that has gone on meanwhile may be about its end or its next attempt.
        let late = &batch[sampled..];
        self.sampler.watch(late);
        let gone_on: HashSet<(RunId, TaskId)> = late.iter().filter_map(gone_on).collect();
        let samples = samples.into_iter().filter(|(place, _)| !gone_on.contains(place));
        batch.extend(
            samples
                .map(|((run, task), bytes)| Event { at: now, fact: Fact::BytesArrived { run, task, bytes } }),
        );
        batch.push(Event { at: now, fact: Fact::Collected });
        batch.sort_by_key(|event| event.at);
        if !all {
            self.early = batch.split_off(batch.partition_point(|event| event.at <= now));
        }
        batch
    }
}

/// The task that has come to its end or begun an attempt.
fn gone_on(event: &Event) -> Option<(RunId, TaskId)> {
    match event.fact {
        Fact::TaskFinished { run, task, .. } | Fact::AttemptStarted { run, task, .. } => Some((run, task)),
        _ => None,
    }
}

/// Knows which tasks are in progress, and what was last said of their bytes.
struct Sampler<'a> {
    jobs: &'a [Job],
    active: HashMap<(RunId, TaskId), u64>,
}

impl Sampler<'_> {
    /// Lets the workloads with tasks in progress say what those are doing together.
    fn ask_workloads(&self) {
        let busy: BTreeSet<RunId> = self.active.keys().map(|(run, _)| *run).collect();
        for job in busy.iter().filter_map(|run| self.jobs.get(run.index())) {
            job.workload.sample(&job.emitter, job.run);
        }
    }

    /// Takes note of the tasks that start and end.
    fn watch(&mut self, events: &[Event]) {
        for event in events {
            match event.fact {
                Fact::TaskStarted { run, task, .. } => {
                    self.active.insert((run, task), 0);
                }
                Fact::TaskFinished { run, task, .. } => {
                    self.active.remove(&(run, task));
                }
                Fact::AttemptStarted { run, task, .. } => {
                    if let Some(bytes) = self.active.get_mut(&(run, task)) {
                        *bytes = 0;
                    }
                }
                _ => {}
            }
        }
    }

    /// The bytes of the tasks that have more than when they were last asked.
    fn sample(&mut self) -> Vec<((RunId, TaskId), u64)> {
        let mut samples = Vec::new();
        for (&(run, task), told) in &mut self.active {
            let bytes = self.jobs.get(run.index()).map_or(0, |job| job.progress.bytes(task));
            if bytes > *told {
                *told = bytes;
                samples.push(((run, task), bytes));
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_of_where_it_was() {
        let after = |millis| At::from_duration(Duration::from_millis(millis));
        let meant = Duration::from_millis(60);
        let told = |back| interruption(after(1_000), after(back), meant);
        assert_eq!([told(1_050), told(1_060), told(1_459)], [None, None, None]);
        let nanos = 2_000_000_000;
        assert_eq!(told(3_060), Some(Event { at: after(1_060), fact: Fact::Interrupted { nanos } }));
    }
}
