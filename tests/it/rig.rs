//! One run without a conductor, and servers on raw sockets that do what they are told.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reqwest::Url;
use tempfile::TempDir;
use threadrace::clock::Clock;
use threadrace::event::{
    ClockZero, Collect, Event, ExecutorKind, Fact, Machine, Order, RacePlan, Round, RunId, RunPlan, TaskId,
    TaskPlan, TimeScale, WorkloadKind,
};

use threadrace::executor::{Job, Patience};
use threadrace::model::{RaceState, RunState, TaskState};
use threadrace::origin::{Content, Library, Options, Origin, OriginTask, Shape};
use threadrace::workload::download::{Conduct, Downloads, Limits, Server, Target};
use threadrace::workload::{Emitter, OutputFolder, Progress, Resolved, RunFolder, Tls, Workload};
use tokio_util::sync::CancellationToken;

/// A config file with which the built-in scenarios compute, draw and add less, so that a debug build is done
/// with them soon.
pub const SMALL_WORK: &str = "
[scenarios.cpu]
below = 20000
[scenarios.data]
rows = 2000
[scenarios.counter]
adds = 2000
[scenarios.crud]
rows = 200
[scenarios.files]
bytes = 40000
[scenarios.reads]
bytes = 40000
[scenarios.images-20]
width = 64
height = 48
[scenarios.images-10-threads]
width = 64
height = 48
[scenarios.images-10-pool]
width = 64
height = 48
[scenarios.images-link]
width = 64
height = 48
";

pub type Fallible<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub const MS: fn(u64) -> Duration = Duration::from_millis;

/// What a test waits for comes long before this, or never.
pub const NEVER: Duration = Duration::from_secs(60);

/// The seed of every origin here.
pub const SEED: u64 = 1;

/// Limits that no test meets unless it means to; retries follow at once.
pub fn limits() -> Limits {
    Limits {
        deadline: Duration::from_secs(30),
        stall: Duration::from_secs(20),
        connect: Duration::from_secs(20),
        retries: 2,
        backoff: MS(2),
        backoff_cap: MS(5),
        retry_after_cap: Duration::from_secs(2),
        max_bytes: 1_000_000,
        redirects: 5,
    }
}

/// The executors that run tasks inside this process and without a lock of their own.
pub const USUAL: [ExecutorKind; 4] =
    [ExecutorKind::Sequential, ExecutorKind::Threads, ExecutorKind::Pool, ExecutorKind::Async];

/// Who runs how many tasks on how many workers.
#[derive(Debug, Clone)]
pub struct Who {
    pub kind: ExecutorKind,
    pub workers: usize,
    pub tasks: usize,
    pub async_threads: usize,
    pub collect: Collect,
    pub main_work: Duration,
    pub command: Arc<[String]>,
    pub patience: Patience,
}

impl Who {
    pub fn new(kind: ExecutorKind, workers: usize, tasks: usize) -> Who {
        Who {
            workers: kind.parallelism(workers, tasks),
            kind,
            tasks,
            async_threads: 1,
            command: Arc::from([]),
            patience: Patience { ready: NEVER, silent: NEVER },
            collect: Collect::Join,
            main_work: Duration::ZERO,
        }
    }

    /// Every executor, and async on one thread and on several.
    pub fn everyone(workers: usize, tasks: usize) -> Vec<Who> {
        let mut all = USUAL.map(|kind| Who::new(kind, workers, tasks)).to_vec();
        all.push(Who { async_threads: 3, ..Who::new(ExecutorKind::Async, workers, tasks) });
        all
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Ran {
    pub events: Vec<Event>,
    pub state: RaceState,
    pub took: Duration,
}

impl Ran {
    pub fn run(&self) -> &RunState {
        &self.state.runs()[0]
    }

    pub fn task(&self, index: usize) -> &TaskState {
        &self.run().tasks()[index]
    }

    /// What is said of each task when it came to its end.
    pub fn ends(&self) -> BTreeMap<TaskId, usize> {
        let mut ends = BTreeMap::new();
        for event in &self.events {
            if let Fact::TaskFinished { task, .. } = event.fact {
                *ends.entry(task).or_default() += 1;
            }
        }
        ends
    }

    /// Every task came to one end, no more and no less, and nothing that was told contradicts the rest.
    pub fn assert_accounted(&self, who: &Who) {
        assert_eq!(self.state.misfits(), 0, "{who:?}");
        assert_eq!(self.run().counts().over() as usize, who.tasks, "{who:?}: {:?}", self.run().counts());
        assert_eq!(self.ends(), (0..who.tasks).map(|task| (TaskId::of(task), 1)).collect(), "{who:?}");
        assert!(
            matches!(self.events.last().map(|event| &event.fact), Some(Fact::RunFinished { .. })),
            "{who:?}"
        );
        for lane in self.run().lanes() {
            assert!(lane.spans().iter().all(|span| span.from <= span.to), "{who:?}");
            assert!(lane.spans().windows(2).all(|two| two[0].to <= two[1].from), "{who:?}: {lane:?}");
        }
    }
}

/// A run under way on a thread of its own.
pub struct Running {
    thread: JoinHandle<Duration>,
    arriving: mpsc::Receiver<Event>,
    seen: Vec<Event>,
    who: Who,
    pub cancel: CancellationToken,
}

/// Starts a run of `workload`.
pub fn start(who: &Who, workload: Arc<dyn Workload>, clock: &Clock) -> Running {
    let (events, arriving) = mpsc::channel();
    let cancel = CancellationToken::new();
    let job = Job {
        executor: who.kind.clone(),
        run: RunId(0),
        tasks: who.tasks,
        workers: NonZeroUsize::new(who.workers).unwrap_or(NonZeroUsize::MIN),
        async_threads: NonZeroUsize::new(who.async_threads).unwrap_or(NonZeroUsize::MIN),
        collect: who.collect,
        main_work: who.main_work,
        command: who.command.clone(),
        own_program: Path::new(env!("CARGO_BIN_EXE_threadrace")).into(),
        patience: who.patience,
        workload,
        emitter: Emitter::new(clock.clone(), events),
        progress: Progress::new(who.tasks),
        cancel: cancel.clone(),
    };
    let thread = thread::spawn(move || {
        let begun = Instant::now();
        job.execute(|| ());
        begun.elapsed()
    });
    Running { thread, arriving, seen: Vec::new(), who: who.clone(), cancel }
}

impl Running {
    /// Waits until something happened `times` times that `wanted` says yes to.
    pub fn wait_for(&mut self, times: usize, wanted: impl Fn(&Fact) -> bool) -> Fallible {
        let mut seen = 0;
        while seen < times {
            let event = self.arriving.recv_timeout(NEVER).map_err(|_| format!("{:?}: never", self.who))?;
            seen += usize::from(wanted(&event.fact));
            self.seen.push(event);
        }
        Ok(())
    }

    /// Waits until something can be found in what happened.
    pub fn first<T>(&mut self, find: impl Fn(&[Event]) -> Option<T>) -> Fallible<T> {
        loop {
            if let Some(found) = find(&self.seen) {
                return Ok(found);
            }
            self.wait_for(1, |_| true)?;
        }
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Fallible<Ran> {
        // The job's own emitter is dropped with its thread, and then the channel ends.
        let mut rest: Vec<Event> = Vec::new();
        loop {
            match self.arriving.recv_timeout(NEVER) {
                Ok(event) => rest.push(event),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("{:?} hangs after {:?}", self.who, rest.last()).into());
                }
            }
        }
        self.seen.append(&mut rest);
        let took = self.thread.join().map_err(|_| format!("{:?} panicked", self.who))?;
        let mut state = RaceState::new(Arc::new(plan(&self.who)));
        self.seen.iter().for_each(|event| state.apply(event));
        Ok(Ran { events: self.seen, state, took })
    }
}

/// Does a whole run of `workload`.
pub fn run(who: &Who, workload: Arc<dyn Workload>, clock: &Clock) -> Fallible<Ran> {
    start(who, workload, clock).finish()
}

fn plan(who: &Who) -> RacePlan {
    let task = |task| TaskPlan { name: format!("{task}"), url: Some(format!("http://localhost/{task}")) };
    RacePlan {
        scenario: "test".to_owned(),
        about: String::new(),
        workload: WorkloadKind::Download,
        noun: "tasks".to_owned(),
        source: String::new(),
        time_scale: TimeScale::ONE,
        seed: SEED,
        order: Order::OneByOne,
        tasks: (0..who.tasks).map(task).collect(),
        runs: vec![RunPlan {
            executor: who.kind.clone(),
            workers: u32::try_from(who.workers).unwrap_or(u32::MAX),
            variant: None,
            label: who.kind.name().to_owned(),
            round: Round::ONLY,
        }],
        output: "out".into(),
        machine: Machine { os: String::new(), arch: String::new(), cpus: 1 },
        zero: ClockZero::default(),
    }
}

/// An origin, its bodies, and a clock that it shares with the workers.
pub struct Served {
    pub origin: Origin,
    pub clock: Clock,
    pub tasks: Vec<OriginTask>,
}

impl Served {
    pub fn new(content: &Content, tasks: usize, shape: Shape) -> Fallible<Served> {
        let library = Library::make(content, SEED, tasks, &mut |_, _| std::ops::ControlFlow::Continue(()))
            .ok_or("stopped")?;
        let clock = Clock::start();
        let options = Options { bind: "127.0.0.1:0".parse()?, hosts: Vec::new(), seed: SEED, shape };
        let tasks = library.tasks().collect();
        let origin = Origin::start(options, library, clock.clone())?;
        Ok(Served { origin, clock, tasks })
    }

    pub fn targets(&self) -> Fallible<Vec<Target>> {
        let target = |task: &OriginTask| {
            let conduct = if task.panics { Conduct::Panics } else { Conduct::Normal };
            Ok(Target { url: Url::parse(&self.origin.url(&task.path))?, name: task.name.clone(), conduct })
        };
        self.tasks.iter().map(target).collect()
    }
}

/// A folder for one run after the other.
pub struct Disk {
    dir: TempDir,
    output: OutputFolder,
    last: Option<RunFolder>,
}

/// The run's folder in a [`Disk`].
const LABEL: &str = "run";

impl Disk {
    pub fn new() -> Fallible<Disk> {
        let dir = tempfile::tempdir()?;
        let output = OutputFolder::open(dir.path())?;
        Ok(Disk { dir, output, last: None })
    }

    /// Downloads of `targets` that keep `limits`. The files of the run before are gone.
    pub fn downloads(&mut self, targets: &[Target], limits: Limits) -> Fallible<Arc<dyn Workload>> {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let folder = self.output.make_room(&[LABEL], &names)?.remove(0);
        self.last = Some(folder.clone());
        let tls = Tls::new()?;
        let downloads = Downloads::new(targets.to_vec(), limits, Server::Origin, tls, Resolved::new(), SEED);
        Ok(Arc::new(downloads.into_folder(folder)))
    }

    /// Takes note of what the last run wrote: what it did not tell of is somebody else's from now on.
    pub fn close(&mut self) -> Fallible {
        if let Some(folder) = self.last.take() {
            self.output.close_runs(&[folder])?;
        }
        Ok(())
    }

    /// Puts somebody's file into the run's folder.
    pub fn put(&self, name: &str, text: &[u8]) -> io::Result<()> {
        fs::write(self.dir.path().join(LABEL).join(name), text)
    }

    /// What stands in the run's folder, part files and all.
    pub fn files(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        files_in(&self.dir.path().join(LABEL))
    }
}

/// The files of a folder with what is in them.
pub fn files_in(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}

/// A request as a [`RawServer`] got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How many requests came before it.
    pub number: usize,
    pub path: String,
    pub head: String,
    /// As long as its `Content-Length` says.
    pub body: Vec<u8>,
}

/// What becomes of a connection when a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It stays open for the next request.
    Open,
    /// It is closed.
    Close,
}

type Answer = dyn Fn(&Asked, &mut TcpStream) -> io::Result<After> + Send + Sync;

/// A server that answers requests with whatever its function writes.
pub struct RawServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepted: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RawServer {
    pub fn start(
        answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<After> + Send + Sync + 'static,
    ) -> io::Result<RawServer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (asked, accepted, over) = (
            Arc::<Mutex<Vec<Asked>>>::default(),
            Arc::<AtomicUsize>::default(),
            Arc::<AtomicBool>::default(),
        );
        let answer: Arc<Answer> = Arc::new(answer);
        let thread = thread::spawn({
            let (asked, accepted, over) = (asked.clone(), accepted.clone(), over.clone());
            move || {
                for stream in listener.incoming().flatten() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    accepted.fetch_add(1, Ordering::SeqCst);
                    let (asked, answer) = (asked.clone(), answer.clone());
                    // A client that hangs up in the middle is one of the things that are tested.
                    thread::spawn(move || drop(serve(stream, &asked, answer.as_ref())));
                }
            }
        });
        Ok(RawServer { address, asked, accepted, over, thread: Some(thread) })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn target(&self, path: &str) -> Fallible<Target> {
        let name = path.trim_start_matches('/').replace('/', "_");
        Ok(Target { url: Url::parse(&self.url(path))?, name, conduct: Conduct::Normal })
    }

    /// The requests so far, in the order in which their heads were read.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let request = {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            let request = Asked { number: asked.len(), path, head, body };
            asked.push(request.clone());
            request
        };
        if answer(&request, &mut stream)? == After::Close {
            return Ok(());
        }
    }
}

/// Writes an answer whose body is complete, on a connection that is then closed.
pub fn reply(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<After> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())?;
    Ok(After::Close)
}

/// Writes bytes as they are, and closes the connection.
pub fn raw(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<After> {
    stream.write_all(bytes)?;
    Ok(After::Close)
}

/// Keeps a connection open, and says nothing, until the client closes it.
pub fn hold(stream: &mut TcpStream) -> io::Result<After> {
    let mut nothing = [0; 64];
    while stream.read(&mut nothing)? > 0 {}
    Ok(After::Close)
}
