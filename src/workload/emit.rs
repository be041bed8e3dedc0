//! How workers say what happens: stamp, send, and never wait for anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc;

use crate::clock::Clock;
use crate::event::{At, Event, Fact, LaneId, Phase, RunId, TaskId};

use super::interpreter::InterpreterLock;
use super::{TaskFault, Terms};

/// Stamps facts with the race's clock and hands them over. Sending never waits: the channel has no
/// bound, and nobody sleeps on its other end.
#[derive(Debug, Clone)]
pub struct Emitter {
    clock: Clock,
    out: mpsc::Sender<Event>,
}

impl Emitter {
    /// An emitter that stamps with `clock` and sends to `out`.
    pub fn new(clock: Clock, out: mpsc::Sender<Event>) -> Emitter {
        Emitter { clock, out }
    }

    /// The moment now.
    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// What the machine's monotonic clock showed when the race's clock was at zero, in nanoseconds.
    pub fn zero(&self) -> u64 {
        self.clock.start_nanos()
    }

    /// Says that something happens now.
    pub fn emit(&self, fact: Fact) {
        self.emit_at(self.now(), fact);
    }

    /// Says that something happened at `at`. Nobody listening is no error: the race is being dropped.
    pub fn emit_at(&self, at: At, fact: Fact) {
        let _ = self.out.send(Event { at, fact });
    }
}

/// One number with one writer, alone on its cache lines: neighbours that are written by other
/// processors cost a store 12 ns instead of 1 ns.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot(AtomicU64);

/// How many bytes each task of a run has: written by its worker at every chunk, sampled by the
/// collector. No event is sent for a chunk.
#[derive(Debug, Clone)]
pub struct Progress(Arc<[Slot]>);

impl Progress {
    /// Zero bytes for each of `tasks`.
    pub fn new(tasks: usize) -> Progress {
        Progress((0..tasks).map(|_| Slot::default()).collect())
    }

    /// One number that tasks share which never overlap.
    pub fn of_one_at_a_time() -> Progress {
        Progress::new(1)
    }

    /// Bytes of the task so far.
    pub fn bytes(&self, task: TaskId) -> u64 {
        self.slot(task).map_or(0, |slot| slot.0.load(Ordering::Relaxed))
    }

    fn slot(&self, task: TaskId) -> Option<&Slot> {
        match &*self.0 {
            [only] => Some(only),
            slots => slots.get(task.index()),
        }
    }

    fn set(&self, task: TaskId, bytes: u64) {
        if let Some(slot) = self.slot(task) {
            slot.0.store(bytes, Ordering::Relaxed);
        }
    }
}

/// A task in a worker's hands: which one it is, how to tell what happens to it, and what it has to heed.
#[derive(Debug, Clone)]
pub struct TaskContext {
    emitter: Emitter,
    progress: Progress,
    run: RunId,
    task: TaskId,
    lane: LaneId,
    notes: Arc<Notes>,
    terms: Terms,
}

/// What is remembered of a task. Its worker alone writes it.
#[derive(Debug)]
struct Notes {
    write_nanos: AtomicU64,
    /// The phase that the task said it is in, by [`Phase::index`]; none at first.
    phase: AtomicU8,
    /// Until when the lane is told: nothing that is said after it happened before it.
    told: AtomicU64,
}

/// A task's turn at the interpreter lock; over when dropped. Without such a lock it is always its turn.
#[derive(Debug)]
#[must_use]
pub struct Turn<'a>(Option<&'a TaskContext>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.0 {
            context.let_go();
        }
    }
}

/// Takes the interpreter lock back when it is dropped, be it by a panic.
struct Regain<'a> {
    context: &'a TaskContext,
    lock: &'a InterpreterLock,
}

impl Drop for Regain<'_> {
    fn drop(&mut self) {
        // The code that follows counts on the lock, also in a run that was cancelled: who has it lets go soon.
        self.context.take(self.lock, &|| false);
    }
}

impl TaskContext {
    /// The context of `task` of `run` on `lane`.
    pub fn new(
        emitter: Emitter,
        progress: Progress,
        run: RunId,
        task: TaskId,
        lane: LaneId,
        terms: Terms,
    ) -> TaskContext {
        let notes =
            Notes { write_nanos: AtomicU64::new(0), phase: AtomicU8::new(u8::MAX), told: AtomicU64::new(0) };
        TaskContext { emitter, progress, run, task, lane, notes: Arc::new(notes), terms }
    }

    /// Asks in the middle of a computation whether to go on. Cheap (two loads): may be asked every few
    /// microseconds, and must be every few milliseconds. Where there is an interpreter lock that another
    /// worker has asked for, hands it over and waits for the next turn.
    ///
    /// # Errors
    /// [`TaskFault::Stopped`] when the task is to stop.
    #[inline]
    pub fn checkpoint(&self) -> Result<(), TaskFault> {
        if self.terms.is_stopped() {
            return Err(TaskFault::Stopped);
        }
        match self.terms.lock() {
            Some(lock) if lock.is_asked_for() => self.give_way(lock),
            _ => Ok(()),
        }
    }

    /// Makes a call that may block the thread: what an interpreter makes without its lock.
    pub fn blocking<T>(&self, call: impl FnOnce() -> T) -> T {
        let lock = self.terms.lock().filter(|lock| lock.release(self.lane));
        let _regain = lock.map(|lock| Regain { context: self, lock });
        call()
    }

    /// Waits for the task's turn at the interpreter lock, where there is one. An executor holds a turn
    /// while it polls the task's future, and ends it while the task awaits.
    ///
    /// # Errors
    /// [`TaskFault::Stopped`] when the task is to stop before its turn has come.
    pub fn turn(&self) -> Result<Turn<'_>, TaskFault> {
        let Some(lock) = self.terms.lock() else { return Ok(Turn(None)) };
        if self.take(lock, &|| self.terms.is_stopped()) {
            Ok(Turn(Some(self)))
        } else {
            Err(TaskFault::Stopped)
        }
    }

    fn let_go(&self) {
        if let Some(lock) = self.terms.lock() {
            lock.release(self.lane);
        }
    }

    /// Hands the lock to whoever asked for it, and takes it again.
    #[cold]
    fn give_way(&self, lock: &InterpreterLock) -> Result<(), TaskFault> {
        if !lock.is_waited_for() {
            return Ok(());
        }
        let from = self.now();
        if !lock.release(self.lane) {
            return Ok(());
        }
        self.locked_since(from);
        if !lock.take(self.lane, &|| self.terms.is_stopped(), &mut || ()) {
            return Err(TaskFault::Stopped);
        }
        self.unlocked();
        Ok(())
    }

    /// Takes the lock; says whether it was taken before `gives_up`. A wait is told when it is long, and
    /// whenever the task would otherwise seem to compute while another does.
    fn take(&self, lock: &InterpreterLock, gives_up: &dyn Fn() -> bool) -> bool {
        if lock.take_free(self.lane) {
            return true;
        }
        let from = self.now();
        let mut told = self.phase() == Some(Phase::Computing);
        if told {
            self.locked_since(from);
        }
        let taken = lock.take(self.lane, gives_up, &mut || {
            if !told {
                told = true;
                self.locked_since(from);
            }
        });
        if told && taken {
            self.unlocked();
        }
        taken
    }

    /// Says that the task waits for the lock since `at`.
    fn locked_since(&self, at: At) {
        self.emit_at(at, |run, task| Fact::PhaseEntered { run, task, phase: Phase::Locked });
    }

    /// Says that the task goes on with what it did before it waited for the lock.
    fn unlocked(&self) {
        let now = self.now();
        // What runs with the lock computes, whatever comes of it, until it says something else.
        let phase = self.phase().unwrap_or(Phase::Computing);
        self.emit_at(now, |run, task| Fact::PhaseEntered { run, task, phase });
        self.notes.told.store(now.0, Ordering::Relaxed);
    }

    fn phase(&self) -> Option<Phase> {
        Phase::ALL.get(usize::from(self.notes.phase.load(Ordering::Relaxed))).copied()
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The lane of the worker that does it.
    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// The moment now.
    pub fn now(&self) -> At {
        self.emitter.now()
    }

    /// Says something about this task that is so since `at`. What happened while the task waited for an
    /// interpreter lock is so for the task only from the end of that wait on.
    pub fn emit_at(&self, at: At, fact: impl FnOnce(RunId, TaskId) -> Fact) {
        let told = At(self.notes.told.load(Ordering::Relaxed));
        self.emitter.emit_at(at.max(told), fact(self.run, self.task));
    }

    /// Says something about this task that is so from now on.
    pub fn emit(&self, fact: impl FnOnce(RunId, TaskId) -> Fact) {
        self.emit_at(self.now(), fact);
    }

    /// Goes into a phase now.
    pub fn enter(&self, phase: Phase) {
        self.enter_at(self.now(), phase);
    }

    /// Went into a phase at `at`.
    pub fn enter_at(&self, at: At, phase: Phase) {
        self.notes.phase.store(phase as u8, Ordering::Relaxed);
        self.emit_at(at, |run, task| Fact::PhaseEntered { run, task, phase });
    }

    /// Sets how many bytes of the body are here.
    pub fn set_bytes(&self, bytes: u64) {
        self.progress.set(self.task, bytes);
    }

    /// Bytes of the body that are here.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes(self.task)
    }

    /// Adds to the time spent inside the system calls that write.
    pub fn add_write_nanos(&self, nanos: u64) {
        self.notes.write_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Nanoseconds spent inside the system calls that write.
    pub fn write_nanos(&self) -> u64 {
        self.notes.write_nanos.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::Receiver;
    use std::thread;
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;

    /// What a test waits for comes long before this, or never.
    const NEVER: Duration = Duration::from_secs(60);

    struct Pair {
        lock: Arc<InterpreterLock>,
        cancel: CancellationToken,
        a: TaskContext,
        b: TaskContext,
        told: Receiver<Event>,
    }

    fn pair() -> Pair {
        let (out, told) = mpsc::channel();
        let (lock, cancel) = (Arc::<InterpreterLock>::default(), CancellationToken::new());
        let terms = Terms::new(cancel.clone()).with_lock(lock.clone());
        let (emitter, progress) = (Emitter::new(Clock::start(), out), Progress::new(2));
        let context = |index| {
            let (task, lane) = (TaskId::of(index), LaneId::of(index));
            TaskContext::new(emitter.clone(), progress.clone(), RunId(0), task, lane, terms.clone())
        };
        Pair { a: context(0), b: context(1), lock, cancel, told }
    }

    fn phases(told: &Receiver<Event>, of: &TaskContext) -> Vec<Phase> {
        let all: Vec<(At, Phase)> = told
            .try_iter()
            .filter_map(|event| match event.fact {
                Fact::PhaseEntered { task, phase, .. } if task == of.task() => Some((event.at, phase)),
                _ => None,
            })
            .collect();
        assert!(all.is_sorted_by_key(|(at, _)| *at), "{all:?}");
        all.into_iter().map(|(_, phase)| phase).collect()
    }

    #[test]
    fn who_only_computes_hands_over_at_a_checkpoint_and_goes_on_computing() {
        let Pair { a, b, told, .. } = pair();
        thread::scope(|scope| {
            let turn = a.turn().unwrap();
            a.enter(Phase::Computing);
            let waiter = scope.spawn(|| drop(b.turn().unwrap()));
            while !waiter.is_finished() {
                a.checkpoint().unwrap();
            }
            drop(turn);
        });
        assert_eq!(phases(&told, &a), [Phase::Computing, Phase::Locked, Phase::Computing]);
    }

    #[test]
    fn who_waits_for_its_turn_is_locked_and_then_what_it_was() {
        let Pair { a, b, told, .. } = pair();
        let of = b.clone();
        thread::scope(|scope| {
            let turn = a.turn().unwrap();
            b.enter(Phase::Sleeping);
            let early = b.now();
            let waiter = scope.spawn(move || {
                let _turn = b.turn().unwrap();
                // It learned that while it waited; it could do something about it only now.
                b.enter_at(early, Phase::Receiving);
            });
            while !waiter.is_finished() {
                a.checkpoint().unwrap();
            }
            drop(turn);
        });
        assert_eq!(phases(&told, &of), [Phase::Sleeping, Phase::Locked, Phase::Sleeping, Phase::Receiving]);
    }

    #[test]
    fn turns_that_nobody_else_wants_are_not_told() {
        let Pair { a, told, .. } = pair();
        for _ in 0..1000 {
            let _turn = a.turn().unwrap();
            a.checkpoint().unwrap();
            a.blocking(|| ());
        }
        assert_eq!(told.try_iter().count(), 0);
    }

    #[test]
    fn a_call_that_may_block_is_made_without_the_lock() {
        let Pair { lock, a, b, .. } = pair();
        let _turn = a.turn().unwrap();
        let had = a.blocking(|| {
            // A call within such a call has nothing to let go, and nothing to take back.
            a.blocking(|| ());
            let free = lock.take_free(b.lane());
            lock.release(b.lane());
            free
        });
        assert!(had && !lock.take_free(b.lane()));
    }

    #[test]
    fn a_panic_leaves_the_lock_free() {
        let Pair { lock, a, b, .. } = pair();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _turn = a.turn().unwrap();
            a.blocking(|| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert!(lock.take_free(b.lane()));
    }

    #[test]
    fn being_cancelled_ends_every_wait_for_a_turn() {
        let Pair { lock, cancel, a, b, .. } = pair();
        assert!(lock.take_free(LaneId(9)));
        thread::scope(|scope| {
            let waiters = [&a, &b].map(|context| scope.spawn(|| context.turn().is_err()));
            cancel.cancel();
            assert!(waiters.map(|waiter| waiter.join().unwrap()).iter().all(|stopped| *stopped));
        });
        assert_eq!(a.checkpoint(), Err(TaskFault::Stopped));
    }

    #[test]
    fn who_hands_over_and_is_cancelled_stops_without_the_lock() {
        let Pair { lock, cancel, a, b, told, .. } = pair();
        let (has, wait) = mpsc::channel();
        thread::scope(|scope| {
            let turn = a.turn().unwrap();
            a.enter(Phase::Computing);
            let holder = scope.spawn(move || {
                let turn = b.turn().unwrap();
                wait.recv_timeout(NEVER).unwrap();
                drop(turn);
            });
            let of = &a;
            let stopper = scope.spawn(move || {
                // `a` is told to be locked once `b` has the lock.
                while phases(&told, of).last() != Some(&Phase::Locked) {
                    thread::yield_now();
                }
                cancel.cancel();
            });
            while a.checkpoint().is_ok() {}
            drop(turn);
            assert!(!lock.take_free(LaneId(9)), "it is the other's still");
            has.send(()).unwrap();
            holder.join().unwrap();
            stopper.join().unwrap();
        });
        assert!(lock.take_free(LaneId(9)));
    }
}
