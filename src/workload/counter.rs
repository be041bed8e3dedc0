//! The workload `counter`: every task adds to one shared counter.
//!
//! Without a guard an addition is a load and then a store, as Python's `counter += 1` is. What other workers
//! add between the two is wiped out by the store. The counter is an atomic number all the same, and the store
//! a swap that tells what it replaced: that is how a lost update is known, and nothing here is undefined.
//!
//! Every `GAP_EVERY`th addition gives its processor up once between its load and its store, which keeps the
//! gap open long enough for others to come in, even where one processor is all there is. Guarded additions
//! do the same at the same times, so that runs differ by their guard alone.
//!
//! # What is told
//!
//! With a pace, every load and every store, since somebody follows them with the eye. Without one there are
//! millions, so a worker keeps its last few additions and tells them when its store hit a value that it had
//! not read (`STORIES` times in a run). Reading the clock twice costs more than an addition; so only the
//! first `TIMED` additions of a task are kept like that, in every run without a guard. An access's moment is
//! read right after the access: where a worker is interrupted between the two, moments can be in another order
//! than the values that were read and written.
//!
//! Waits for the mutex are told from `SHORTEST_WAIT` on; that is doubled each time when a task has told
//! `WAITS_AT_A_LENGTH` of them, so that a minute of contention makes about a thousand spans and not millions,
//! and the longest waits are always among them. The others count as computing; a task's result says how often
//! it waited, and how long in all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::event::{Access, At, Check, ErrorKind, Fact, Guard, Phase, RunId, TaskError};
use crate::text;

use super::{Emitter, Session, TaskContext, TaskFault, TaskFuture, TaskResult, Workload};

/// Every how many additions the gap between load and store is held open.
const GAP_EVERY: u64 = 16;

/// Every how many additions a task asks whether to go on: a multiple of [`GAP_EVERY`], so that it asks in the
/// gap. Where workers take turns at an interpreter lock, they change there, which is how CPython loses updates.
const CHECK_EVERY: u64 = 256;

/// How often in a run it is told how updates got lost.
const STORIES: u32 = 50;

/// How many additions a story consists of at most, the last of which hit an unread value.
const STORY_LENGTH: usize = 4;

/// How many additions of a task are timed, and so can be part of a story.
const TIMED: u64 = 10_000;

/// The shortest wait for the mutex that is told.
const SHORTEST_WAIT: Duration = Duration::from_micros(20);

/// How many waits a task tells before it tells only those that are twice as long.
const WAITS_AT_A_LENGTH: u32 = 64;

/// How the tasks of a scenario add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterWork {
    /// Additions of each task.
    pub adds: u64,
    /// What keeps them apart, where a run doesn't say otherwise.
    pub guard: Guard,
    /// The wait before each load and each store, so that the eye can follow; zero for none.
    pub pace: Duration,
}

/// The additions of one run. Clones add to the same counter.
#[derive(Debug, Clone)]
pub struct Counter {
    work: CounterWork,
    shared: Arc<Shared>,
}

/// A number alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot(AtomicU64);

/// What all tasks of a run have in common.
#[derive(Debug)]
struct Shared {
    value: Slot,
    /// Held for an addition without a pace.
    lock: Mutex<()>,
    /// Held for an addition with a pace, across its waits: a task that waits for it must not block the event
    /// loop that the holder needs.
    paced_lock: tokio::sync::Mutex<()>,
    /// How many additions each task has made.
    made: Box<[Slot]>,
    stories_left: AtomicU32,
}

impl Shared {
    /// The additions that were made. Whoever sees one of them here sees the counter after it.
    fn made(&self) -> u64 {
        self.made.iter().map(|made| made.0.load(Ordering::Acquire)).sum()
    }

    fn value(&self) -> u64 {
        self.value.0.load(Ordering::Relaxed)
    }
}

/// An addition that is a load and then a store.
#[derive(Debug, Clone, Copy)]
struct Addition {
    loaded: u64,
    over: u64,
}

impl Addition {
    fn load(self) -> Access {
        Access::Load { value: self.loaded }
    }

    fn store(self) -> Access {
        Access::Store { value: self.loaded + 1, over: self.over }
    }

    /// Whether somebody else stored between its load and its store.
    fn collided(self) -> bool {
        self.over != self.loaded
    }
}

impl Counter {
    /// The additions of a run with a counter of its own.
    pub fn new(work: CounterWork, tasks: usize) -> Counter {
        let shared = Shared {
            value: Slot::default(),
            lock: Mutex::default(),
            paced_lock: tokio::sync::Mutex::default(),
            made: (0..tasks).map(|_| Slot::default()).collect(),
            stories_left: AtomicU32::new(STORIES),
        };
        Counter { work, shared: Arc::new(shared) }
    }

    fn made(&self, context: &TaskContext, additions: u64) {
        if let Some(made) = self.shared.made.get(context.task().index()) {
            made.0.store(additions, Ordering::Release);
        }
    }

    /// Makes all additions of a task as fast as they go; returns how many of them collided, and its waits.
    fn add_all(&self, context: &TaskContext) -> Result<(u64, Waits), TaskFault> {
        context.enter(Phase::Computing);
        context.checkpoint()?;
        let mut collisions = 0;
        let mut story = Story::default();
        let mut waits = Waits::default();
        for number in 1..=self.work.adds {
            let addition = match self.work.guard {
                Guard::None => {
                    let timed = number <= TIMED && self.shared.stories_left.load(Ordering::Relaxed) > 0;
                    if timed {
                        self.add_timed(context, number, &mut story)?
                    } else {
                        self.add(context, number)?
                    }
                }
                Guard::Mutex => {
                    let _held = self.lock(context, &mut waits);
                    self.add(context, number)?
                }
                Guard::Atomic => {
                    pause(context, number)?;
                    let loaded = self.shared.value.0.fetch_add(1, Ordering::Relaxed);
                    Addition { loaded, over: loaded }
                }
            };
            self.made(context, number);
            collisions += u64::from(addition.collided());
        }
        Ok((collisions, waits))
    }

    fn add(&self, context: &TaskContext, number: u64) -> Result<Addition, TaskFault> {
        let loaded = self.shared.value();
        pause(context, number)?;
        let over = self.shared.value.0.swap(loaded + 1, Ordering::Relaxed);
        Ok(Addition { loaded, over })
    }

    fn add_timed(
        &self,
        context: &TaskContext,
        number: u64,
        story: &mut Story,
    ) -> Result<Addition, TaskFault> {
        let loaded = self.shared.value();
        let loaded_at = context.now();
        pause(context, number)?;
        let over = self.shared.value.0.swap(loaded + 1, Ordering::Relaxed);
        let addition = Addition { loaded, over };
        story.keep(loaded_at, context.now(), addition);
        let left = &self.shared.stories_left;
        let may_tell = |left: u32| left.checked_sub(1);
        if addition.collided() && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, may_tell).is_ok() {
            story.tell(context);
        }
        Ok(addition)
    }

    fn lock<'a>(&'a self, context: &TaskContext, waits: &mut Waits) -> MutexGuard<'a, ()> {
        let lock = &self.shared.lock;
        match lock.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => context.blocking(|| {
                let from = context.now();
                let held = lock.lock().unwrap_or_else(PoisonError::into_inner);
                waits.add(context, from, context.now());
                held
            }),
        }
    }

    /// Makes all additions of a task slowly, and tells of each access; returns how many of them collided.
    async fn add_paced(&self, context: &TaskContext) -> u64 {
        // Next to its waits an addition takes no time, so the task sleeps as good as always.
        context.enter(Phase::Sleeping);
        let value = &self.shared.value;
        let pace = || tokio::time::sleep(self.work.pace);
        let tell = |access| context.emit(|run, task| Fact::CounterAccessed { run, task, access });
        let mut collisions = 0;
        for number in 1..=self.work.adds {
            let _held = match self.work.guard {
                Guard::None | Guard::Atomic => None,
                Guard::Mutex => Some(self.lock_paced(context).await),
            };
            pace().await;
            let addition = if self.work.guard == Guard::Atomic {
                pace().await;
                let loaded = value.0.fetch_add(1, Ordering::Relaxed);
                tell(Access::Load { value: loaded });
                Addition { loaded, over: loaded }
            } else {
                let loaded = self.shared.value();
                tell(Access::Load { value: loaded });
                pace().await;
                Addition { loaded, over: value.0.swap(loaded + 1, Ordering::Relaxed) }
            };
            let at = context.now();
            self.made(context, number);
            // What the counter shows from this moment on is known here, and in a moment's picture it must not lag
            // behind the store that is pointed at.
            let expected = self.shared.made();
            let actual = (addition.loaded + 1).min(expected);
            context.emit_at(at, |run, _| Fact::CounterRead { run, expected, actual });
            context.emit_at(at, |run, task| Fact::CounterAccessed { run, task, access: addition.store() });
            collisions += u64::from(addition.collided());
        }
        collisions
    }

    async fn lock_paced(&self, context: &TaskContext) -> tokio::sync::MutexGuard<'_, ()> {
        let lock = &self.shared.paced_lock;
        if let Ok(held) = lock.try_lock() {
            return held;
        }
        context.enter(Phase::Locked);
        let held = lock.lock().await;
        context.enter(Phase::Sleeping);
        held
    }

    fn result(&self, collisions: u64, waits: Waits) -> Result<TaskResult, TaskFault> {
        let additions = match self.work.adds {
            1 => "1 addition".to_owned(),
            adds => format!("{} additions", text::count(adds)),
        };
        let (check, said) = match (self.work.guard, collisions) {
            (Guard::Mutex, 0) => (Check::Result, additions + &waits.in_words()),
            (Guard::None | Guard::Atomic, 0) => (Check::Nothing, additions),
            (Guard::None, some) => (
                Check::Nothing,
                format!("{additions}, {} of them over one or more of others'", text::count(some)),
            ),
            (Guard::Mutex | Guard::Atomic, some) => {
                let some = text::count(some);
                let words = format!("{some} of {additions} met somebody else's in spite of the guard");
                return Err(TaskFault::failed(ErrorKind::Wrong, words));
            }
        };
        Ok(TaskResult { bytes: 0, check, result: Some(said) })
    }
}

/// What every addition goes through in the middle of it.
fn pause(context: &TaskContext, number: u64) -> Result<(), TaskFault> {
    if number.is_multiple_of(GAP_EVERY) {
        if number.is_multiple_of(CHECK_EVERY) {
            context.checkpoint()?;
        }
        thread::yield_now();
    }
    Ok(())
}

/// The last few additions of a task, to be told when they turn out to matter.
#[derive(Debug, Default)]
struct Story(VecDeque<(At, At, Addition)>);

impl Story {
    fn keep(&mut self, loaded: At, stored: At, addition: Addition) {
        if self.0.len() == STORY_LENGTH {
            self.0.pop_front();
        }
        self.0.push_back((loaded, stored, addition));
    }

    fn tell(&mut self, context: &TaskContext) {
        for (loaded, stored, addition) in self.0.drain(..) {
            for (at, access) in [(loaded, addition.load()), (stored, addition.store())] {
                context.emit_at(at, |run, task| Fact::CounterAccessed { run, task, access });
            }
        }
    }
}

/// The waits of a task for the mutex.
#[derive(Debug, Default, Clone, Copy)]
struct Waits {
    count: u64,
    long: Duration,
    told: u32,
}

impl Waits {
    fn shortest(&self) -> Duration {
        SHORTEST_WAIT.saturating_mul(1_u32.checked_shl(self.told / WAITS_AT_A_LENGTH).unwrap_or(u32::MAX))
    }

    /// ` (waited for the mutex 4,512 times, 123 ms in all)`.
    fn in_words(&self) -> String {
        match self.count {
            0 => String::new(),
            1 => format!(" (waited for the mutex once, {})", text::seconds(self.long)),
            many => format!(
                " (waited for the mutex {} times, {} in all)",
                text::count(many),
                text::seconds(self.long)
            ),
        }
    }

    fn add(&mut self, context: &TaskContext, from: At, to: At) {
        self.count += 1;
        self.long = self.long.saturating_add(to.since(from));
        if to.since(from) >= self.shortest() {
            self.told += 1;
            context.enter_at(from, Phase::Locked);
            context.enter_at(to, Phase::Computing);
        }
    }
}

impl Workload for Counter {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(self.clone()))
    }

    /// Says what the counter shows at the end; additions that a stopped task did make count. Lost updates are
    /// what this workload is about, and no error, unless there was a guard.
    fn conclude(&self, emitter: &Emitter, run: RunId, at: At) -> Result<(), String> {
        let (expected, actual) = (self.shared.made(), self.shared.value());
        emitter.emit_at(at, Fact::CounterRead { run, expected, actual });
        if self.work.guard == Guard::None || expected == actual {
            return Ok(());
        }
        Err(format!(
            "the counter shows {} after {} additions, though it is guarded: this is a bug",
            text::count(actual),
            text::count(expected)
        ))
    }

    /// Looks at the tasks first and at the counter then: what was added in between would look like a gain, and
    /// is left for the next sample.
    fn sample(&self, emitter: &Emitter, run: RunId) {
        let expected = self.shared.made();
        let actual = self.shared.value().min(expected);
        emitter.emit(Fact::CounterRead { run, expected, actual });
    }
}

impl Session for Counter {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let (collisions, waits) = match self.work.pace {
                Duration::ZERO => self.add_all(context)?,
                // Its waits are all told as they are.
                _ => (self.add_paced(context).await, Waits::default()),
            };
            self.result(collisions, waits)
        })
    }
}

impl CounterWork {
    /// The work in words, for the screen.
    pub fn describe(&self) -> String {
        let times = match self.adds {
            1 => "once".to_owned(),
            adds => format!("{} times", text::count(adds)),
        };
        let guard = match self.guard {
            Guard::None => "",
            Guard::Mutex => ", guarded by a mutex",
            Guard::Atomic => ", each addition atomic",
        };
        let pace = match self.pace {
            Duration::ZERO => String::new(),
            pace => format!(", and waits {} s before each load and each store", pace.as_secs_f64()),
        };
        format!("each task adds 1 to one shared counter {times}{guard}{pace}")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;
    use crate::clock::Clock;
    use crate::event::{Event, LaneId, TaskId};
    use crate::workload::{Progress, Terms};

    const WORK: CounterWork = CounterWork { adds: 5, guard: Guard::None, pace: Duration::ZERO };

    struct Rig {
        clock: Clock,
        events: mpsc::Sender<Event>,
        arriving: mpsc::Receiver<Event>,
    }

    impl Rig {
        fn new() -> Rig {
            let (events, arriving) = mpsc::channel();
            Rig { clock: Clock::set_by_hand(), events, arriving }
        }

        fn emitter(&self) -> Emitter {
            Emitter::new(self.clock.clone(), self.events.clone())
        }

        fn context(&self, task: usize) -> TaskContext {
            let progress = Progress::new(task + 1);
            TaskContext::new(
                self.emitter(),
                progress,
                RunId(0),
                TaskId::of(task),
                LaneId(0),
                Terms::default(),
            )
        }

        /// What was told since it was asked last.
        fn told(&self) -> Vec<Fact> {
            self.arriving.try_iter().map(|event| event.fact).collect()
        }

        fn accesses(&self) -> Vec<Access> {
            let access = |fact| match fact {
                Fact::CounterAccessed { access, .. } => Some(access),
                _ => None,
            };
            self.told().into_iter().filter_map(access).collect()
        }
    }

    fn read(expected: u64, actual: u64) -> Vec<Fact> {
        vec![Fact::CounterRead { run: RunId(0), expected, actual }]
    }

    #[test]
    fn one_task_after_the_other_loses_nothing() {
        let rig = Rig::new();
        for guard in [Guard::None, Guard::Mutex, Guard::Atomic] {
            let counter = Counter::new(CounterWork { adds: 1_000, guard, ..WORK }, 2);
            for task in 0..2 {
                let done = counter.clone().perform(&rig.context(task)).now_or_never();
                let said = done.and_then(Result::ok).and_then(|result| result.result);
                assert_eq!(said.as_deref(), Some("1,000 additions"), "{guard:?}");
            }
            rig.told();
            assert_eq!(counter.conclude(&rig.emitter(), RunId(0), At::ZERO), Ok(()));
            assert_eq!(rig.told(), read(2_000, 2_000));
        }
    }

    #[test]
    fn a_store_over_an_unread_value_is_told_with_what_came_before() -> Result<(), TaskFault> {
        let rig = Rig::new();
        let context = rig.context(0);
        let counter = Counter::new(WORK, 1);
        let mut story = Story::default();
        for number in 1..=6 {
            counter.add_timed(&context, number, &mut story)?;
        }
        assert_eq!(rig.accesses(), [], "nothing was lost so far");
        let collision = Addition { loaded: 6, over: 9 };
        story.keep(At(1), At(2), collision);
        assert!(collision.collided());
        story.tell(&context);
        let told = rig.accesses();
        assert_eq!(told.len(), 2 * STORY_LENGTH);
        assert_eq!(told[..2], [Access::Load { value: 3 }, Access::Store { value: 4, over: 3 }]);
        assert_eq!(told[6..], [Access::Load { value: 6 }, Access::Store { value: 7, over: 9 }]);
        story.tell(&context);
        assert_eq!(rig.accesses(), [], "each is told once");
        Ok(())
    }

    #[test]
    fn a_paced_store_is_told_with_what_the_counter_then_shows() -> std::io::Result<()> {
        for guard in [Guard::None, Guard::Mutex, Guard::Atomic] {
            let rig = Rig::new();
            let counter = Counter::new(CounterWork { adds: 2, guard, pace: Duration::from_nanos(1) }, 1);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            runtime.block_on(counter.add_paced(&rig.context(0)));
            let told: Vec<Fact> = rig
                .told()
                .into_iter()
                .filter(|fact| fact.task().is_none() || matches!(fact, Fact::CounterAccessed { .. }))
                .collect();
            let access = |access| Fact::CounterAccessed { run: RunId(0), task: TaskId(0), access };
            let mut expected = Vec::new();
            for value in 1..=2 {
                expected.push(access(Access::Load { value: value - 1 }));
                expected.extend(read(value, value));
                expected.push(access(Access::Store { value, over: value - 1 }));
            }
            assert_eq!(told, expected, "{guard:?}");
        }
        Ok(())
    }

    #[test]
    fn collisions_are_no_error_without_a_guard_and_one_with_it() {
        let said = |guard, collisions| {
            let counter = Counter::new(CounterWork { adds: 100_000, guard, ..WORK }, 1);
            let result = counter.result(collisions, Waits::default());
            result.map(|result| result.result.unwrap_or_default())
        };
        assert_eq!(
            said(Guard::None, 1_234),
            Ok("100,000 additions, 1,234 of them over one or more of others'".to_owned())
        );
        let wrong = said(Guard::Mutex, 1);
        assert!(
            matches!(&wrong, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Wrong),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_guarded_counter_that_is_wrong_fails_the_run() {
        let rig = Rig::new();
        for (guard, fine) in [(Guard::None, true), (Guard::Mutex, false), (Guard::Atomic, false)] {
            let counter = Counter::new(CounterWork { guard, ..WORK }, 1);
            counter.made(&rig.context(0), 5);
            counter.shared.value.0.store(3, Ordering::Relaxed);
            let concluded = counter.conclude(&rig.emitter(), RunId(0), At::ZERO);
            assert_eq!(concluded.is_ok(), fine, "{guard:?}: {concluded:?}");
            assert_eq!(rig.told(), read(5, 3));
        }
    }

    #[test]
    fn a_sample_shows_no_gain() {
        let rig = Rig::new();
        let counter = Counter::new(WORK, 2);
        counter.made(&rig.context(0), 3);
        counter.made(&rig.context(1), 4);
        for (value, shown) in [(9, 7), (7, 7), (5, 5)] {
            counter.shared.value.0.store(value, Ordering::Relaxed);
            counter.sample(&rig.emitter(), RunId(0));
            assert_eq!(rig.told(), read(7, shown));
        }
    }

    #[test]
    fn only_long_waits_are_told_and_never_too_many() {
        let rig = Rig::new();
        let context = rig.context(0);
        let mut waits = Waits::default();
        waits.add(&context, At(0), At(19_999));
        assert_eq!(rig.told(), []);
        let minute = 60_000_000_000;
        let mut at = 0;
        while at < minute {
            waits.add(&context, At(at), At(at + 20_000));
            at += 20_000;
        }
        assert_eq!(rig.told().len(), 2 * WAITS_AT_A_LENGTH as usize);
        waits.add(&context, At(at), At(at + 40_000));
        assert_eq!(rig.told().len(), 2, "a longer one is still told");
        // What isn't told is counted all the same.
        let expected = " (waited for the mutex 3,000,002 times, 1 min 00 s in all)";
        assert_eq!(waits.in_words(), expected);
        waits.told = u32::MAX;
        assert!(waits.shortest() > Duration::from_secs(3600));
    }

    #[test]
    fn work_reads_like_a_sentence() {
        assert_eq!(WORK.describe(), "each task adds 1 to one shared counter 5 times");
        let paced = CounterWork { adds: 100_000, guard: Guard::Mutex, pace: Duration::from_millis(250) };
        assert_eq!(
            paced.describe(),
            "each task adds 1 to one shared counter 100,000 times, guarded by a mutex, \
             and waits 0.25 s before each load and each store"
        );
        let atomic = CounterWork { adds: 1, guard: Guard::Atomic, pace: Duration::ZERO };
        assert_eq!(atomic.describe(), "each task adds 1 to one shared counter once, each addition atomic");
    }
}
