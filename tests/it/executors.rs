//! Executors through their front door: real downloads, and workloads that watch who runs them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use socket2::{Domain, Socket, Type};
use threadrace::clock::Clock;
use threadrace::config::{ConfigFlag, Flags, Settings, Sources, load};
use threadrace::event::{
    At, Check, ErrorKind, Event, ExecutorKind, Fact, LaneId, Phase, RunEnd, TaskError, Worker,
};
use threadrace::executor::panic_is_expected;
use threadrace::model::{RaceState, RunState, RunStatus, Stage};
use threadrace::origin::{Content, Latency, Shape};
use threadrace::race::{Libraries, Notice, Race};
use threadrace::scenario::ExecutorList;
use threadrace::workload::download::{Conduct, Limits, Target};
use threadrace::workload::{Session, TaskContext, TaskFault, TaskFuture, TaskResult, Workload};
use tokio::sync::Barrier;

use crate::rig::{
    After, Disk, Fallible, MS, NEVER, RawServer, Served, Who, files_in, hold, limits, reply, run, start,
};

/// The longest that a cancelled run may take to end: a second, and two more for a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// A whole body, fetched by a client that knows nothing of this program.
fn fetch(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    Ok(answer.split_off(end + 4))
}

/// The bodies of all tasks by the names of their files.
fn bodies(served: &Served) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let body = |task: &threadrace::origin::OriginTask| {
        Ok((task.name.clone(), fetch(served.origin.address(), &task.path)?))
    };
    served.tasks.iter().map(body).collect()
}

/// The most intervals that hold one moment.
fn overlap(intervals: &[(u64, u64)]) -> usize {
    let at = |moment| intervals.iter().filter(|(from, to)| (*from..*to).contains(&moment)).count();
    intervals.iter().map(|(from, _)| at(*from)).max().unwrap_or(0)
}

#[test]
fn every_executor_writes_the_same_complete_files() -> Fallible {
    for content in [
        Content::Bytes { size: 300_000 },
        Content::Bytes { size: 0 },
        Content::Csv { rows: 50 },
        Content::Pictures { width: 64, height: 40 },
    ] {
        let served = Served::new(&content, 9, Shape::UNSHAPED)?;
        let (targets, bodies) = (served.targets()?, bodies(&served)?);
        let mut disk = Disk::new()?;
        for who in Who::everyone(3, targets.len()) {
            let ran = run(&who, disk.downloads(&targets, limits())?, &served.clock)?;
            ran.assert_accounted(&who);
            assert!(ran.run().is_comparable(), "{who:?}: {:?}", ran.run());
            assert_eq!(disk.files()?, bodies, "{who:?} {content:?}");
            let bytes: usize = bodies.values().map(Vec::len).sum();
            assert_eq!(ran.run().bytes(), bytes as u64, "{who:?}");
            assert!(ran.run().tasks().iter().all(|task| task.check == Check::Digest), "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn as_many_requests_are_in_flight_as_were_asked_for_and_no_more() -> Fallible {
    const LATENCY: Duration = Duration::from_millis(120);
    let shape = Shape { latency: Latency::Fixed(LATENCY), ..Shape::UNSHAPED };
    let served = Served::new(&Content::Posts, 8, shape)?;
    let (targets, mut disk, mut before) = (served.targets()?, Disk::new()?, 0);
    for who in Who::everyone(4, targets.len()) {
        let ran = run(&who, disk.downloads(&targets, limits())?, &served.clock)?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}");
        let log = served.origin.log().split_off(before);
        before += log.len();
        let mut seen: Vec<_> = log.iter().map(|served| (served.start.0, served.end.0)).collect();
        assert_eq!(seen.len(), targets.len(), "{who:?}");
        seen.sort_unstable();
        let most = overlap(&seen);
        assert!(most <= who.workers, "{who:?}: {most} at once");
        assert!(ran.run().in_progress().peak() as usize <= who.workers, "{who:?}");
        if who.kind == ExecutorKind::Sequential {
            assert!(seen.windows(2).all(|two| two[0].1 <= two[1].0), "{seen:?}");
            let paths: Vec<_> = log.iter().map(|served| served.path.clone()).collect();
            assert!(served.tasks.iter().map(|task| &task.path).eq(&paths));
        } else {
            assert!(most > 1, "{who:?}");
        }
        let rounds = u32::try_from(targets.len().div_ceil(who.workers))?;
        assert!(ran.took >= LATENCY * rounds, "{who:?}: {:?}", ran.took);
    }
    Ok(())
}

/// The first tasks wait until as many as the gate is wide are there at once.
struct Gate {
    width: usize,
    barrier: Barrier,
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Gate {
    fn new(width: usize) -> Arc<Gate> {
        Arc::new(Gate {
            width,
            barrier: Barrier::new(width),
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }
}

struct AtGate(Arc<Gate>);

impl Workload for AtGate {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(AtGate(self.0.clone())))
    }
}

const NOTHING: TaskResult = TaskResult { bytes: 0, check: Check::Nothing, result: None };

impl Session for AtGate {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let gate = &self.0;
            let inside = gate.inside.fetch_add(1, Ordering::SeqCst) + 1;
            gate.most.fetch_max(inside, Ordering::SeqCst);
            context.enter(Phase::Sleeping);
            if context.task().index() < gate.width {
                gate.barrier.wait().await;
            }
            tokio::time::sleep(MS(u64::from(context.task().0 * 7 % 4))).await;
            gate.inside.fetch_sub(1, Ordering::SeqCst);
            Ok(NOTHING)
        })
    }
}

#[test]
fn concurrency_is_exactly_what_was_asked_for() -> Fallible {
    for (workers, tasks) in [(1, 1), (1, 5), (4, 30), (16, 40), (50, 7)] {
        for who in Who::everyone(workers, tasks) {
            // It hangs, and so fails, where fewer tasks than that are ever in progress at once.
            let gate = Gate::new(who.workers);
            let ran = run(&who, Arc::new(AtGate(gate.clone())), &Clock::start())?;
            ran.assert_accounted(&who);
            assert_eq!(gate.most.load(Ordering::SeqCst), who.workers, "{who:?}");
            assert_eq!(ran.run().in_progress().peak() as usize, who.workers, "{who:?}");
            assert_eq!(ran.run().lanes().len(), who.workers, "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn tasks_are_taken_up_in_their_order() -> Fallible {
    let events_of = |events: &[Event], wanted: fn(&Fact) -> Option<usize>| -> Vec<usize> {
        events.iter().filter_map(|event| wanted(&event.fact)).collect()
    };
    for who in Who::everyone(4, 60) {
        let ran = run(&who, Arc::new(AtGate(Gate::new(who.workers))), &Clock::start())?;
        ran.assert_accounted(&who);
        let queued = events_of(&ran.events, |fact| match fact {
            Fact::TaskQueued { task, .. } => Some(task.index()),
            _ => None,
        });
        assert!(queued.into_iter().eq(0..who.tasks), "{who:?}");
        let started = events_of(&ran.events, |fact| match fact {
            Fact::TaskStarted { task, .. } => Some(task.index()),
            _ => None,
        });
        if who.workers == 1 {
            assert!(started.into_iter().eq(0..who.tasks), "{who:?}");
        }
        // Two workers that take up neighbours at once may say so in either order; more than that, no.
        for (index, task) in ran.run().tasks().iter().enumerate() {
            let over = |other: &&threadrace::model::TaskState| other.finished <= task.started;
            let before = ran.run().tasks()[..index].iter().filter(over).count();
            assert!(before + who.workers > index, "{who:?}: task {index} started after {before} others");
        }
        let mut last: BTreeMap<LaneId, usize> = BTreeMap::new();
        for (index, task) in ran.run().tasks().iter().enumerate() {
            let lane = task.lane.ok_or("no lane")?;
            let before = last.insert(lane, index).map(|before| &ran.run().tasks()[before]);
            assert!(before.is_none_or(|before| before.finished <= task.started), "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn every_lane_says_what_its_worker_is() -> Fallible {
    for who in Who::everyone(3, 12) {
        let ran = run(&who, Arc::new(AtGate(Gate::new(who.workers))), &Clock::start())?;
        let workers: Vec<&Worker> = ran.run().lanes().iter().filter_map(|lane| lane.worker()).collect();
        assert_eq!(workers.len(), who.workers, "{who:?}");
        let ids: Vec<u64> = workers.iter().filter_map(|worker| worker.thread_id()).collect();
        let different = ids.iter().collect::<std::collections::BTreeSet<_>>().len();
        match who.kind {
            ExecutorKind::Async => {
                assert!(workers.iter().all(|worker| matches!(worker,
                    Worker::AsyncSlot { threads, .. } if *threads as usize == who.async_threads)));
                let known = if who.async_threads == 1 { who.workers } else { 0 };
                assert_eq!((ids.len(), different), (known, known.min(1)), "{who:?}");
            }
            _ if cfg!(target_os = "linux") => {
                assert_eq!((ids.len(), different), (who.workers, who.workers), "{who:?}");
            }
            _ => assert!(workers.iter().all(|worker| matches!(worker, Worker::Thread { .. }))),
        }
    }
    Ok(())
}

#[test]
fn every_run_opens_connections_of_its_own() -> Fallible {
    let server = RawServer::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        Ok(After::Open)
    })?;
    let targets: Vec<Target> =
        (0..6).map(|task| server.target(&format!("/{task}"))).collect::<Result<_, _>>()?;
    let mut disk = Disk::new()?;
    for who in Who::everyone(2, targets.len()) {
        for _ in 0..2 {
            let before = server.accepted();
            let ran = run(&who, disk.downloads(&targets, limits())?, &Clock::start())?;
            assert!(ran.run().is_comparable(), "{who:?}");
            let used = ran.run().lanes().iter().filter(|lane| lane.tasks() > 0).count();
            let opened = server.accepted() - before;
            assert!((used..=targets.len()).contains(&opened), "{who:?}: {opened} for {used} workers");
            // Each lane's first task connects: nothing is left of the run before.
            for lane in ran.run().lanes().iter().filter(|lane| lane.tasks() > 0) {
                assert_eq!(lane.spans().first().map(|span| span.phase), Some(Phase::Connecting), "{who:?}");
            }
        }
    }
    Ok(())
}

/// Panics where it is told to: in a session's making, before its task's future, and within it.
#[derive(Debug, Default)]
struct Fragile {
    opened: AtomicUsize,
    open_panics: bool,
}

struct FragileSession {
    hurt: AtomicBool,
}

impl Workload for Fragile {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        let before = self.opened.fetch_add(1, Ordering::SeqCst);
        assert!(!self.open_panics || before > 0, "a session panics on purpose");
        Ok(Box::new(FragileSession { hurt: AtomicBool::new(false) }))
    }
}

impl Session for FragileSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        let hurt = self.hurt.swap(true, Ordering::SeqCst);
        assert_ne!(context.task().0, 2, "task 2 panics on purpose");
        Box::pin(async move {
            tokio::time::sleep(MS(1)).await;
            assert_ne!(context.task().0, 4, "task {} panics on purpose", context.task().0);
            self.hurt.store(false, Ordering::SeqCst);
            if hurt { Err(TaskFault::failed(ErrorKind::Worker, "used after a panic")) } else { Ok(NOTHING) }
        })
    }
}

#[test]
fn a_panic_costs_its_task_and_its_session_alone() -> Fallible {
    for who in Who::everyone(3, 12) {
        let workload = Arc::new(Fragile::default());
        let ran = run(&who, workload.clone(), &Clock::start())?;
        ran.assert_accounted(&who);
        for (index, task) in ran.run().tasks().iter().enumerate() {
            let stage = if [2, 4].contains(&index) { Stage::Panicked } else { Stage::Done };
            assert_eq!(task.stage, stage, "{who:?}: task {index}: {:?}", task.error_message());
        }
        for index in [2, 4] {
            let message = ran.task(index).error_message().unwrap_or_default();
            assert!(message.contains(&format!("task {index} panics on purpose")), "{who:?}: {message}");
        }
        assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Completed, .. }), "{who:?}");
        if who.kind == ExecutorKind::Sequential {
            assert_eq!(workload.opened.load(Ordering::SeqCst), 3);
        }
    }
    Ok(())
}

#[test]
fn a_panic_while_a_session_is_made_costs_one_task() -> Fallible {
    for who in Who::everyone(3, 2) {
        let workload = Arc::new(Fragile { open_panics: true, ..Fragile::default() });
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        let counts = ran.run().counts();
        assert_eq!((counts.panicked, counts.done), (1, 1), "{who:?}");
    }
    Ok(())
}

#[test]
fn a_picture_that_panics_leaves_no_part_behind() -> Fallible {
    let served = Served::new(&Content::Faults { width: 64, height: 40 }, 16, Shape::UNSHAPED)?;
    let (targets, mut disk) = (served.targets()?, Disk::new()?);
    for who in Who::everyone(4, targets.len()) {
        let limits = Limits { retry_after_cap: Duration::ZERO, ..limits() };
        let ran = run(&who, disk.downloads(&targets, limits)?, &served.clock)?;
        ran.assert_accounted(&who);
        let done = ran.run().tasks().iter().zip(&targets).filter(|(task, _)| task.stage == Stage::Done);
        let names: Vec<&String> = done.map(|(_, target)| &target.name).collect();
        assert_eq!(ran.run().counts().panicked, 2, "{who:?}");
        assert!(disk.files()?.keys().eq(names.iter().copied()), "{who:?}: {names:?}");
    }
    Ok(())
}

/// Fails to equip its workers, always or the first time.
struct Unequipped {
    asked: AtomicUsize,
    failures: usize,
}

impl Workload for Unequipped {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < self.failures {
            return Err(TaskError::new(ErrorKind::Worker, "no tools today"));
        }
        Ok(Box::new(FragileSession { hurt: AtomicBool::new(false) }))
    }
}

#[test]
fn a_worker_that_cannot_be_equipped_fails_its_tasks() -> Fallible {
    for (failures, failed) in [(usize::MAX, 2), (1, 1), (0, 0)] {
        for who in Who::everyone(2, 2) {
            let workload = Unequipped { asked: AtomicUsize::new(0), failures };
            let ran = run(&who, Arc::new(workload), &Clock::start())?;
            ran.assert_accounted(&who);
            assert_eq!(ran.run().counts().failed, failed, "{who:?}");
            let errors = ran.run().tasks().iter().filter(|task| task.stage == Stage::Failed);
            for task in errors {
                assert_eq!(task.error, Some(ErrorKind::Worker));
                assert_eq!(task.error_message(), Some("no tools today"));
            }
        }
    }
    Ok(())
}

/// Sessions that say when they are dropped, which takes them a while.
struct SlowToLeave {
    clock: Clock,
    opened: AtomicUsize,
    left: Arc<Mutex<Vec<At>>>,
}

struct Leaving(Clock, Arc<Mutex<Vec<At>>>);

impl Workload for SlowToLeave {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Leaving(self.clock.clone(), self.left.clone())))
    }
}

impl Session for Leaving {
    fn perform<'a>(&'a mut self, _: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async { Ok(NOTHING) })
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let at = self.0.now();
        std::thread::sleep(MS(2));
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    }
}

#[test]
fn a_runs_time_does_not_hold_the_taking_apart_of_its_workers() -> Fallible {
    // A thread that takes its equipment with it is not among them.
    for who in Who::everyone(5, 20).into_iter().filter(|who| who.kind != ExecutorKind::Threads) {
        let clock = Clock::start();
        let (left, opened) = (Arc::default(), AtomicUsize::new(0));
        let workload = Arc::new(SlowToLeave { clock: clock.clone(), opened, left: Arc::clone(&left) });
        let ran = run(&who, workload.clone(), &clock)?;
        ran.assert_accounted(&who);
        let over = ran.run().until(At::ZERO).ok_or("it never started")?;
        let left = left.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(left.iter().all(|&at| over <= at), "{who:?}: over at {over:?}, left at {left:?}");
        assert_eq!(left.len(), workload.opened.load(Ordering::SeqCst), "{who:?}: all are gone by now");
    }
    Ok(())
}

/// Tells whether a panic would be reported, from within a task and from outside.
struct Expects;

impl Workload for Expects {
    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        Ok(Box::new(Expects))
    }
}

impl Session for Expects {
    fn perform<'a>(&'a mut self, _: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async {
            let elsewhere = tokio::spawn(async { panic_is_expected() });
            let before = panic_is_expected();
            let outside = elsewhere.await.unwrap_or(true);
            match (before, outside, panic_is_expected()) {
                (true, false, true) => Ok(NOTHING),
                told => Err(TaskFault::failed(ErrorKind::Worker, format!("{told:?}"))),
            }
        })
    }
}

#[test]
fn a_panic_is_expected_in_a_task_and_nowhere_else() -> Fallible {
    for who in Who::everyone(3, 9) {
        let ran = run(&who, Arc::new(Expects), &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().went_as_meant(), "{who:?}: {:?}", ran.task(0).error_message());
    }
    Ok(())
}

/// A listener whose queue is full: whoever connects waits.
pub struct Full {
    listener: TcpListener,
    _queue: Vec<Socket>,
}

impl Full {
    pub fn new() -> Fallible<Full> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>()?.into())?;
        socket.listen(0)?;
        let listener = TcpListener::from(socket);
        let mut queue = Vec::new();
        for _ in 0..64 {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            let connected = client.connect_timeout(&listener.local_addr()?.into(), MS(200));
            queue.push(client);
            if connected.is_err() {
                return Ok(Full { listener, _queue: queue });
            }
        }
        Err("the queue never fills".into())
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Cancels runs of `targets` on all executors when their workers are in `phase`.
fn cancel_in(phase: Phase, targets: &[Target]) -> Fallible {
    let mut disk = Disk::new()?;
    for who in Who::everyone(2, targets.len()) {
        let limits = Limits {
            stall: NEVER,
            connect: NEVER,
            deadline: NEVER,
            retry_after_cap: NEVER,
            backoff_cap: NEVER,
            ..limits()
        };
        let mut running = start(&who, disk.downloads(targets, limits)?, &Clock::start());
        running.wait_for(
            who.workers,
            |fact| matches!(fact, Fact::PhaseEntered { phase: p, .. } if *p == phase),
        )?;
        running.cancel.cancel();
        let asked = Instant::now();
        let ran = running.finish()?;
        assert!(asked.elapsed() < SOON, "{who:?} in {phase:?}: {:?}", asked.elapsed());
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled as usize, targets.len(), "{who:?} in {phase:?}");
        assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Cancelled, .. }), "{who:?}");
        let started = ran.run().tasks().iter().filter(|task| task.started.is_some()).count();
        assert_eq!(started, who.workers, "{who:?}: nothing is taken up after a cancel");
        assert!(disk.files()?.is_empty(), "{who:?} in {phase:?}: {:?}", disk.files()?.keys());
    }
    Ok(())
}

#[test]
fn a_run_is_cancelled_while_it_connects() -> Fallible {
    let full = Full::new()?;
    let target = |task| -> Fallible<Target> {
        let url = Url::parse(&format!("http://{}/{task}", full.address()?))?;
        Ok(Target { url, name: format!("{task}"), conduct: Conduct::Normal })
    };
    cancel_in(Phase::Connecting, &(0..5).map(target).collect::<Result<Vec<_>, _>>()?)
}

#[test]
fn a_run_is_cancelled_while_it_waits() -> Fallible {
    let server = RawServer::start(|_, stream| hold(stream))?;
    cancel_in(
        Phase::Waiting,
        &(0..5).map(|task| server.target(&format!("/{task}"))).collect::<Result<Vec<_>, _>>()?,
    )
}

#[test]
fn a_run_is_cancelled_while_it_receives() -> Fallible {
    let server = RawServer::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        loop {
            stream.write_all(b".")?;
            std::thread::sleep(MS(20));
        }
    })?;
    cancel_in(
        Phase::Receiving,
        &(0..5).map(|task| server.target(&format!("/{task}"))).collect::<Result<Vec<_>, _>>()?,
    )
}

#[test]
fn a_run_is_cancelled_while_it_backs_off() -> Fallible {
    let server = RawServer::start(|_, stream| {
        reply(stream, "503 Service Unavailable", "Retry-After: 50\r\n", b"later")
    })?;
    cancel_in(
        Phase::BackingOff,
        &(0..5).map(|task| server.target(&format!("/{task}"))).collect::<Result<Vec<_>, _>>()?,
    )
}

#[test]
fn a_run_that_is_cancelled_before_it_starts_starts_nothing() -> Fallible {
    for who in Who::everyone(3, 1000) {
        let gate = Gate::new(1001);
        let running = start(&who, Arc::new(AtGate(gate)), &Clock::start());
        running.cancel.cancel();
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled as usize, who.tasks, "{who:?}");
    }
    Ok(())
}

const CONFIG: &str = r#"
format = "threadrace-config-1"
scenario = "small"
[scenarios.small]
content = "pictures"
tasks = 8
width = 64
height = 40
workers = 3
[scenarios.small.origin]
latency_seconds = 0.01
[scenarios.slow]
content = "bytes"
tasks = 8
bytes = 100000
workers = 3
[scenarios.slow.origin]
bandwidth = 20000
"#;

fn settings(folder: &std::path::Path, scenario: Option<&str>) -> Fallible<Settings> {
    fs::write(folder.join("config.toml"), CONFIG)?;
    let flags = Flags {
        scenario: scenario.map(str::to_owned),
        output: Some(folder.join("out")),
        executors: Some(ExecutorList::from_names(INSIDE).map_err(|(_, error)| error)?),
        config: ConfigFlag { path: Some(folder.join("config.toml")) },
        ..Flags::default()
    };
    let nothing = &mut io::empty();
    let sources =
        Sources { flags, variables: Vec::new(), folder: folder.to_owned(), home: None, stdin: nothing };
    Ok(load(sources)?.settings)
}

/// Who needs no other process of this program, which a test is not.
const INSIDE: [&str; 5] = ["sequential", "threads", "pool", "async", "pool:2"];

/// Folds a race until it is over; `then` sees it after each batch.
fn watch(race: &Race, mut then: impl FnMut(&RaceState)) -> Fallible<RaceState> {
    let mut state = None;
    loop {
        match race.notices().recv_timeout(NEVER)? {
            Notice::Preparing(_) => {}
            Notice::Events(events) => {
                for event in events.iter() {
                    if let Fact::RaceStarted { plan } = &event.fact {
                        state = Some(RaceState::new(plan.clone()));
                    }
                    if let Some(state) = &mut state {
                        state.apply(event);
                    }
                }
                state.iter().for_each(&mut then);
            }
            Notice::Refused(error) => return Err(error.into()),
            Notice::Over { tidied } => {
                tidied?;
                return state.ok_or_else(|| "nothing was planned".into());
            }
        }
    }
}

#[test]
fn a_race_is_run_from_its_settings_again_and_again() -> Fallible {
    let folder = tempfile::tempdir()?;
    let (settings, libraries) = (settings(folder.path(), None)?, Libraries::default());
    let mut first = None;
    for _ in 0..2 {
        let race = Race::start(settings.clone(), &libraries)?;
        let state = watch(&race, |_| {})?;
        assert_eq!(state.misfits(), 0);
        assert!(state.is_over() && state.went_as_meant());
        let labels: Vec<&str> = state.runs().iter().map(|run| run.plan().label.as_str()).collect();
        assert_eq!(labels, ["sequential", "threads", "pool-3", "async", "pool-2"]);
        for label in labels {
            let files = files_in(&folder.path().join("out").join(label))?;
            assert_eq!(files.len(), 8, "{label}");
            assert_eq!(first.get_or_insert_with(|| files.clone()), &files, "{label}");
        }
        // One after the other: no run starts before the one before is over.
        let started = state.runs().iter().map(|run| (run.started(), run.until(state.last_moment())));
        let started: Vec<_> = started.collect();
        assert!(started.windows(2).all(|two| two[0].1 <= two[1].0), "{started:?}");
    }
    Ok(())
}

#[test]
fn a_cancelled_race_accounts_for_every_task_of_every_run() -> Fallible {
    let folder = tempfile::tempdir()?;
    let race = Race::start(settings(folder.path(), Some("slow"))?, &Libraries::default())?;
    let mut asked = None;
    let receives = |run: &RunState| {
        run.tasks().iter().any(|task| task.stage == Stage::Active(Phase::Receiving) && task.bytes > 0)
    };
    let state = watch(&race, |state| {
        if asked.is_none() && state.runs().iter().any(receives) {
            race.cancel();
            asked = Some(Instant::now());
        }
    })?;
    assert!(asked.is_some_and(|asked| asked.elapsed() < SOON), "{asked:?}");
    assert!(state.is_over() && !state.went_as_meant());
    for run in state.runs() {
        // A run whose turn never came has nothing to account for.
        let tasks = if run.started().is_some() { run.tasks().len() } else { 0 };
        assert_eq!(run.counts().cancelled as usize, tasks, "{:?}", run.plan());
        assert!(files_in(&folder.path().join("out").join(&run.plan().label))?.is_empty());
    }
    // What was cancelled claims no name: a file that somebody puts there is theirs.
    let foreign = folder.path().join("out/threads").join(&state.plan().tasks[0].name);
    fs::write(&foreign, "theirs")?;
    let again = Race::start(settings(folder.path(), Some("slow"))?, &Libraries::default())?;
    assert!(watch(&again, |_| again.cancel()).is_err());
    assert_eq!(fs::read(&foreign)?, b"theirs");
    Ok(())
}

#[test]
fn dropping_a_race_cancels_it() -> Fallible {
    let folder = tempfile::tempdir()?;
    let race = Race::start(settings(folder.path(), Some("slow"))?, &Libraries::default())?;
    while !matches!(race.notices().recv_timeout(NEVER)?, Notice::Events(_)) {}
    let asked = Instant::now();
    drop(race);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    for label in ["sequential", "threads", "pool-3", "async", "pool-2"] {
        assert!(files_in(&folder.path().join("out").join(label))?.is_empty());
    }
    Ok(())
}
