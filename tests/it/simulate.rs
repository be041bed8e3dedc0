//! Races that never ran: events as real workers would stamp them, made from a seed in no time.
//!
//! Tasks are list-scheduled: the lane that is free first takes the next task up, for a time that depends on
//! the seed and the task alone. The same race always yields the same events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use threadrace::event::{
    Access, At, Check, ClockZero, Collect, ErrorKind, Event, ExecutorKind, Fact, Guard, HEADS_KEPT, Headers,
    LaneId, Machine, Order, Outcome, Phase, RacePlan, ResponseHead, Round, RunEnd, RunId, RunPlan, TaskEnd,
    TaskError, TaskId, TaskPlan, TimeScale, Usage, Variant, Worker, WorkloadKind,
};
use threadrace::model::RaceState;

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;

/// Between two samples of the bytes that arrived.
const SAMPLE: u64 = 50 * MS;

/// Between the end of a run and the start of the next.
const PAUSE: u64 = 40 * MS;

/// Between a worker's tasks, and between two workers' births.
const STEP: u64 = MS / 50;

/// What becomes of a task.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The first attempt does it.
    #[default]
    Done,
    /// The first attempt is answered with 404.
    Failed,
    /// The first attempt breaks in the middle of the body, the second one does it.
    Retried,
    /// It panics in the middle of the body.
    Panicked,
}

/// How a run ends before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cut {
    Cancelled,
    Broken(String),
    /// The main thread ends, and leaves its tasks behind.
    Left,
}

/// A race to simulate.
#[derive(Debug, Clone)]
pub struct Race {
    seed: u64,
    tasks: usize,
    runs: Vec<(ExecutorKind, usize)>,
    order: Order,
    lengths: bool,
    full_link: bool,
    counter: bool,
    names: BTreeMap<usize, String>,
    fates: BTreeMap<usize, Fate>,
    fates_in: BTreeMap<(usize, usize), Fate>,
    cuts: BTreeMap<usize, (Duration, Cut)>,
    collects: BTreeMap<usize, Collect>,
    replaced: BTreeMap<(usize, u32), Duration>,
    rounds: Vec<Round>,
    /// How many per cent runs differ from round to round.
    wobble: u64,
    /// Whose pictures it downloads, where not its own.
    pictures: Option<u64>,
}

impl Race {
    /// A race of 20 tasks in one sequential run and a pool of 5, one after the other; all go well.
    pub fn new(seed: u64) -> Race {
        Race {
            seed,
            tasks: 20,
            runs: vec![(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 5)],
            order: Order::OneByOne,
            lengths: true,
            full_link: false,
            counter: false,
            names: BTreeMap::new(),
            fates: BTreeMap::new(),
            fates_in: BTreeMap::new(),
            cuts: BTreeMap::new(),
            collects: BTreeMap::new(),
            replaced: BTreeMap::new(),
            rounds: vec![Round::ONLY],
            wobble: 0,
            pictures: None,
        }
    }

    /// How many tasks there are.
    pub fn tasks(mut self, tasks: usize) -> Race {
        self.tasks = tasks;
        self
    }

    /// Who runs them, each with the number of workers asked for.
    pub fn runs(mut self, runs: &[(ExecutorKind, usize)]) -> Race {
        self.runs = runs.to_vec();
        self
    }

    /// One after the other, and then a pool with each of these numbers of workers.
    pub fn sweep(self, workers: &[usize]) -> Race {
        let pools = workers.iter().map(|&workers| (ExecutorKind::Pool, workers));
        let runs: Vec<_> = [(ExecutorKind::Sequential, 1)].into_iter().chain(pools).collect();
        self.runs(&runs)
    }

    /// All runs start at once.
    pub fn together(mut self) -> Race {
        self.order = Order::Together;
        self
    }

    /// The server announces no lengths.
    pub fn unknown_lengths(mut self) -> Race {
        self.lengths = false;
        self
    }

    /// All connections share one link that is full: a body takes as many times as long as there are workers.
    pub fn full_link(mut self) -> Race {
        self.full_link = true;
        self
    }

    /// Four tasks add to one counter 200,000 times each: one after the other, and in threads with each guard.
    /// Without one, every 20th addition is lost.
    pub fn counter(mut self) -> Race {
        self.counter = true;
        let threads = (ExecutorKind::Threads, 4);
        self.tasks(4).runs(&[(ExecutorKind::Sequential, 1), threads.clone(), threads.clone(), threads])
    }

    /// One task's name, in place of `picture-01.jpg` and so on.
    pub fn name(mut self, task: usize, name: impl Into<String>) -> Race {
        self.names.insert(task, name.into());
        self
    }

    /// What becomes of one task, in every run.
    pub fn fate(mut self, task: usize, fate: Fate) -> Race {
        self.fates.insert(task, fate);
        self
    }

    /// What becomes of one task in one run.
    pub fn fate_in(mut self, run: usize, task: usize, fate: Fate) -> Race {
        self.fates_in.insert((run, task), fate);
        self
    }

    /// One run is cancelled so long after its start, unless it is over by then.
    pub fn cancel(mut self, run: usize, after: Duration) -> Race {
        self.cuts.insert(run, (after, Cut::Cancelled));
        self
    }

    /// One run's executor breaks down so long after its start, unless it is over by then. Its tasks in
    /// progress never end.
    pub fn breakdown(mut self, run: usize, after: Duration, message: impl Into<String>) -> Race {
        self.cuts.insert(run, (after, Cut::Broken(message.into())));
        self
    }

    /// How the main thread of one run takes the results.
    pub fn collect(mut self, run: usize, collect: Collect) -> Race {
        self.collects.insert(run, collect);
        self
    }

    /// The main thread of one run ends so long after its start, and leaves its tasks behind.
    pub fn leave(mut self, run: usize, after: Duration) -> Race {
        self.cuts.insert(run, (after, Cut::Left));
        self.collect(run, Collect::Daemon)
    }

    /// The worker on one lane of one run is replaced so long after the run's start.
    pub fn replace(mut self, run: usize, lane: u32, after: Duration) -> Race {
        self.replaced.insert((run, lane), after);
        self
    }

    /// Every run is repeated in so many rounds; what is said of runs by number goes by the order of the whole race.
    pub fn rounds(mut self, counted: u32) -> Race {
        self.rounds.retain(|round| matches!(round, Round::Warmup(_)));
        self.rounds.extend((1..=counted).map(Round::Counted));
        self
    }

    /// So many rounds before those only warm up.
    pub fn warmups(mut self, warmups: u32) -> Race {
        self.rounds.retain(|round| matches!(round, Round::Counted(_)));
        self.rounds.splice(0..0, (1..=warmups).map(Round::Warmup));
        self
    }

    /// The server is up to so many per cent slower in one run than in another.
    pub fn wobble(mut self, per_cent: u64) -> Race {
        self.wobble = per_cent;
        self
    }

    /// The pictures are those of the race with that seed: the same work at other times.
    pub fn pictures(mut self, seed: u64) -> Race {
        self.pictures = Some(seed);
        self
    }

    /// The plan.
    pub fn plan(&self) -> Arc<RacePlan> {
        let tasks = (0..self.tasks).map(|i| {
            let name = match self.counter {
                true => format!("adder-{}", i + 1),
                false => format!("picture-{:02}.jpg", i + 1),
            };
            let name = self.names.get(&i).cloned().unwrap_or(name);
            TaskPlan {
                name,
                url: Some(format!("http://127.0.0.1:8080/pictures/{}?seed={}", i + 1, self.seed)),
            }
        });
        let runs = self.runs.iter().enumerate().map(|(run, (executor, workers))| {
            let workers = executor.parallelism(*workers, self.tasks);
            let twins = self.runs.iter().filter(|(kind, _)| kind == executor).count();
            let variant = self.collects.get(&run).map(|collect| Variant::Collect(*collect));
            let label = if twins > 1 { format!("{executor}-{workers}") } else { executor.name().to_owned() };
            let workers = u32::try_from(workers).unwrap_or(u32::MAX);
            let label = variant.map_or(label, |variant| format!("{executor}-{}", variant.name()));
            RunPlan { executor: executor.clone(), workers, variant, label, round: Round::ONLY }
        });
        let mut runs: Vec<RunPlan> = runs.collect();
        if self.counter {
            let guards = [Guard::None, Guard::Mutex, Guard::Atomic].map(Variant::Guard);
            for (run, guard) in runs.iter_mut().skip(1).zip(guards) {
                (run.variant, run.label) = (Some(guard), format!("{}-{}", run.executor, guard.name()));
            }
        }
        let once = runs;
        let mut runs = Vec::new();
        for round in &self.rounds {
            let mut of_round: Vec<RunPlan> =
                once.iter().map(|run| RunPlan { round: *round, ..run.clone() }).collect();
            if let Round::Counted(number @ 2..) = round {
                // Later rounds have another order: each begins with another executor.
                let places = of_round.len().max(1);
                of_round.rotate_left(*number as usize % places);
            }
            runs.extend(of_round);
        }
        let (workload, noun) = match self.counter {
            true => (WorkloadKind::Counter, "adders"),
            false => (WorkloadKind::Download, "pictures"),
        };
        Arc::new(RacePlan {
            scenario: "simulated".to_owned(),
            about: "pictures over a slow connection each".to_owned(),
            workload,
            noun: noun.to_owned(),
            time_scale: TimeScale::ONE,
            source: "a simulated origin".to_owned(),
            seed: self.seed,
            order: self.order,
            tasks: tasks.collect(),
            runs,
            output: PathBuf::from("threadrace-output"),
            machine: Machine { os: "linux".to_owned(), arch: "x86_64".to_owned(), cpus: 2 },
            zero: ClockZero::default(),
        })
    }

    /// Everything that happens, in the order of time.
    pub fn events(&self) -> Vec<Event> {
        let plan = self.plan();
        let mut events = vec![Event { at: At::ZERO, fact: Fact::RaceStarted { plan: plan.clone() } }];
        let (mut start, mut end) = (PAUSE, 0);
        for (i, run) in plan.runs.iter().enumerate() {
            let over = self.run(i, run, start, &mut events);
            end = end.max(over);
            if self.order == Order::OneByOne {
                start = over + PAUSE;
            }
        }
        events.sort_by_key(|event| event.at);
        events.push(Event { at: At(end + STEP), fact: Fact::RaceFinished });
        events
    }

    /// What happens until a moment, that moment included.
    pub fn events_until(&self, at: At) -> Vec<Event> {
        let mut events = self.events();
        events.truncate(events.partition_point(|event| event.at <= at));
        events
    }

    /// The state after the whole race.
    pub fn state(&self) -> RaceState {
        folded(&self.events())
    }

    /// The state at a moment.
    pub fn state_at(&self, at: At) -> RaceState {
        folded(&self.events_until(at))
    }

    /// Adds one run's events; says when it is over.
    fn run(&self, id: usize, plan: &RunPlan, start: u64, events: &mut Vec<Event>) -> u64 {
        let run = RunId::of(id);
        let cut = self.cuts.get(&id).map(|(after, cut)| (At(start).plus(*after).0, cut));
        let before_cut = |at: u64| cut.is_none_or(|(cut, _)| at <= cut);
        let mut tell = |at: u64, fact: Fact| events.push(Event { at: At(at), fact });

        tell(start, Fact::RunStarted { run });
        let mut free = BinaryHeap::new();
        for i in 0..plan.workers {
            let born = start + u64::from(i) * STEP;
            if before_cut(born) {
                tell(
                    born,
                    Fact::LaneOpened {
                        run,
                        lane: LaneId(i),
                        worker: Box::new(worker(&plan.executor, id, i)),
                    },
                );
            }
            if let Some(after) = self.replaced.get(&(id, i)) {
                let worker = worker(&plan.executor, id, i + plan.workers);
                tell(
                    At(start).plus(*after).0,
                    Fact::LaneOpened { run, lane: LaneId(i), worker: Box::new(worker) },
                );
            }
            free.push(Reverse((born, LaneId(i), true)));
        }
        let (mut over, mut turn) = (start, start);
        for i in 0..self.tasks {
            let task = TaskId::of(i);
            tell(start, Fact::TaskQueued { run, task });
            let Some(Reverse((at, lane, fresh))) = free.pop() else { break };
            let fate = self.fates_in.get(&(id, i)).or(self.fates.get(&i)).copied().unwrap_or_default();
            let mut script = Script { run, task, at, bytes: 0, facts: Vec::new() };
            script.tell(Fact::TaskStarted { run, task, lane });
            match self.counter {
                true => add(&mut script, plan.variant),
                false => self.task(&mut script, plan.workers, fresh, fate),
            }
            free.push(Reverse((script.at + STEP, lane, false)));

            let finished = script.at;
            over = over.max(finished);
            let mut bytes = 0;
            for (at, fact) in script.facts.into_iter().take_while(|(at, _)| before_cut(*at)) {
                if let Fact::BytesArrived { bytes: so_far, .. } = fact {
                    bytes = so_far;
                }
                tell(at, fact);
            }
            match cut.filter(|(cut, _)| *cut < finished) {
                Some((cut, Cut::Cancelled)) => tell(cut, finished_with(run, task, Outcome::Cancelled, bytes)),
                Some((cut, Cut::Left)) => tell(cut, finished_with(run, task, Outcome::Abandoned, bytes)),
                Some((_, Cut::Broken(_))) | None => {}
            }
            turn = turn.max(finished);
            let delivered = match self.collects.get(&id) {
                Some(Collect::Submit) => Some(turn + STEP),
                Some(Collect::Completion) => Some(finished + STEP),
                _ => None,
            };
            if let Some(delivered) = delivered {
                tell(delivered, Fact::ResultDelivered { run, task });
                over = over.max(delivered);
            }
        }
        let (over, end) = match cut.filter(|(cut, _)| *cut < over) {
            None => (over, RunEnd::Completed),
            Some((cut, Cut::Cancelled)) => (cut, RunEnd::Cancelled),
            Some((cut, Cut::Left)) => (cut, RunEnd::Completed),
            Some((cut, Cut::Broken(message))) => (cut, RunEnd::Failed { message: message.clone() }),
        };
        if self.counter {
            count(run, plan.variant, (start, over), &mut tell);
        }
        tell(over, Fact::RunFinished { run, end });
        if self.order == Order::OneByOne {
            let usage = usage(self.tasks, plan.workers, over - start);
            tell(over + STEP, Fact::RunMeasured { run, usage: Box::new(usage) });
        }
        over
    }

    /// What one task does once a worker has taken it up.
    fn task(&self, script: &mut Script, workers: u32, fresh: bool, fate: Fate) {
        let (run, task) = (script.run, script.task);
        let drawn = |seed: u64| {
            let mut chance = Chance(seed ^ (u64::from(task.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let (connecting, waiting) = (chance.between(8 * MS, 15 * MS), chance.between(200 * MS, 300 * MS));
            let length = chance.between(40_000, 200_000);
            (chance, connecting, waiting, length)
        };
        let (mut chance, connecting, waiting, length) = drawn(self.seed);
        let length = self.pictures.map_or(length, |seed| drawn(seed).3);
        let mut of_run = Chance(self.seed ^ (u64::from(run.0) + 7).wrapping_mul(0xd134_2543_de82_ef95));
        let slower = 1_000 + of_run.next() % (10 * self.wobble).max(1);
        let waiting = waiting * slower / 1_000;
        let writing = chance.between(MS, 3 * MS);
        let receiving = length * 2_000 * if self.full_link { u64::from(workers) } else { 1 };

        script.tell(Fact::AttemptStarted { run, task, number: 1 });
        if fresh {
            script.phase(Phase::Connecting, connecting);
        }
        script.phase(Phase::Waiting, waiting);
        if fate == Fate::Failed {
            let message = "the server answered 404 Not Found: check the address".to_owned();
            script.head(404, None);
            return script.finish(Outcome::Failed(TaskError { kind: ErrorKind::Status, message }));
        }
        script.head(200, self.lengths.then_some(length));
        match fate {
            Fate::Panicked => {
                script.receive(length / 2, receiving / 2);
                let message = "index out of bounds: the len is 3 but the index is 3".to_owned();
                return script.finish(Outcome::Panicked { message });
            }
            Fate::Retried => {
                script.receive(length / 3, receiving / 3);
                let error = TaskError::new(ErrorKind::Truncated, "the connection broke in the middle");
                script.tell(Fact::AttemptFailed { run, task, error: Box::new(error) });
                script.phase(Phase::BackingOff, chance.between(50 * MS, 200 * MS));
                script.tell(Fact::AttemptStarted { run, task, number: 2 });
                script.phase(Phase::Connecting, connecting);
                script.phase(Phase::Waiting, waiting);
                script.head(200, self.lengths.then_some(length));
                script.receive(length, receiving);
            }
            Fate::Done | Fate::Failed => script.receive(length, receiving),
        }
        script.phase(Phase::Writing, writing);
        script.finish(Outcome::Done);
    }
}

/// What one task does, and the moment it has come to.
struct Script {
    run: RunId,
    task: TaskId,
    at: u64,
    bytes: u64,
    facts: Vec<(u64, Fact)>,
}

impl Script {
    fn tell(&mut self, fact: Fact) {
        self.facts.push((self.at, fact));
    }

    fn phase(&mut self, phase: Phase, long: u64) {
        self.tell(Fact::PhaseEntered { run: self.run, task: self.task, phase });
        self.at += long;
    }

    /// The body arrives evenly and is sampled whenever the race's clock is at a multiple of [`SAMPLE`].
    fn receive(&mut self, bytes: u64, long: u64) {
        let from = self.at;
        self.phase(Phase::Receiving, long);
        let mut sample = (from / SAMPLE + 1) * SAMPLE;
        while sample < self.at {
            let so_far = u128::from(bytes) * u128::from(sample - from) / u128::from(long.max(1));
            let so_far = u64::try_from(so_far).unwrap_or(u64::MAX);
            self.facts.push((sample, Fact::BytesArrived { run: self.run, task: self.task, bytes: so_far }));
            sample += SAMPLE;
        }
        self.bytes = bytes;
    }

    fn head(&mut self, status: u16, length: Option<u64>) {
        if self.task.0 >= HEADS_KEPT {
            return;
        }
        let head = ResponseHead {
            status,
            version: "HTTP/1.1".into(),
            length,
            remote: Some("127.0.0.1:8080".to_owned()),
            redirected_to: None,
            headers: Headers::from_iter([("content-type", "image/jpeg")]),
        };
        self.tell(Fact::ResponseArrived { run: self.run, task: self.task, head: Arc::new(head) });
    }

    fn finish(&mut self, outcome: Outcome) {
        self.tell(finished_with(self.run, self.task, outcome, self.bytes));
    }
}

/// Makes the additions of one task.
fn add(script: &mut Script, guard: Option<Variant>) {
    let long = (100 + u64::from(script.task.0)) * MS;
    match guard {
        Some(Variant::Guard(Guard::Mutex)) => {
            for _ in 0..3 {
                script.phase(Phase::Computing, long);
                script.phase(Phase::Locked, 10 * MS);
            }
        }
        Some(_) => script.phase(Phase::Computing, 2 * long),
        None => script.phase(Phase::Computing, long / 2),
    }
    script.finish(Outcome::Done);
}

/// Tells what the counter of a run shows, and where it has no guard, how the first updates got lost.
fn count(run: RunId, guard: Option<Variant>, (start, over): (u64, u64), tell: &mut impl FnMut(u64, Fact)) {
    let unguarded = guard == Some(Variant::Guard(Guard::None));
    for at in (start..over).step_by(SAMPLE as usize).skip(1).chain([over]) {
        let expected = 800_000 * (at - start) / (over - start);
        let actual = if unguarded { expected - expected / 20 } else { expected };
        tell(at, Fact::CounterRead { run, expected, actual });
    }
    let load = |value| Access::Load { value };
    let store = |value, over| Access::Store { value, over };
    let accesses = [
        (0, load(40)),
        (0, store(41, 40)),
        (1, load(41)),
        (0, load(41)),
        (1, store(42, 41)),
        (0, store(42, 42)),
        (2, load(42)),
        (3, load(42)),
        (3, store(43, 42)),
        (3, load(43)),
        (3, store(44, 43)),
        (2, store(43, 44)),
        (1, load(43)),
        (1, store(44, 43)),
    ];
    for ((task, access), at) in accesses.into_iter().zip((start + MS..).step_by(MS as usize / 10)) {
        if unguarded && at <= over {
            tell(at, Fact::CounterAccessed { run, task: TaskId(task), access });
        }
    }
}

fn finished_with(run: RunId, task: TaskId, outcome: Outcome, bytes: u64) -> Fact {
    let check = if outcome == Outcome::Done { Check::Length } else { Check::Nothing };
    let end = TaskEnd { outcome, bytes, write_nanos: bytes / 10, check, result: None };
    Fact::TaskFinished { run, task, end: Box::new(end) }
}

fn worker(executor: &ExecutorKind, run: usize, lane: u32) -> Worker {
    let thread_id = Some(4_000 + run as u64 * 100_000 + u64::from(lane));
    let name = match executor {
        ExecutorKind::Sequential => "sequential".to_owned(),
        ExecutorKind::Threads => format!("task-{:02}", lane + 1),
        ExecutorKind::Pool | ExecutorKind::Gil => executor.name().to_owned(),
        ExecutorKind::Processes | ExecutorKind::External(_) => {
            let pid = 5_000 + lane;
            return Worker::Process { pid, name: "worker".to_owned(), thread_id: Some(pid.into()) };
        }
        ExecutorKind::Async => {
            return Worker::AsyncSlot { threads: 1, thread_id: Some(4_000 + run as u64 * 100_000) };
        }
    };
    Worker::Thread { name, thread_id }
}

/// Each task costs some processor time, and each worker some memory; never more of the two processors than
/// there is.
fn usage(tasks: usize, workers: u32, wall: u64) -> Usage {
    let (tasks, workers) = (tasks as u64, u64::from(workers));
    Usage {
        user_nanos: Some((tasks * 12 * MS).min(wall)),
        system_nanos: Some((tasks * 3 * MS + workers * MS / 10).min(wall)),
        peak_memory: Some(48_000_000 + workers * 850_000),
    }
}

/// The state that the events lead to.
pub fn folded(events: &[Event]) -> RaceState {
    let mut state = RaceState::new(Race::new(0).tasks(0).runs(&[]).plan());
    for event in events {
        state.apply(event);
    }
    state
}

/// Numbers by chance that depend on the seed alone.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}
