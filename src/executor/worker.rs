//! The other side of the executor `processes`: this program as a worker in a process of its own.

use std::io::{self, BufRead, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, machine_nanos};
use crate::event::{At, Collect, Event, ExecutorKind, Fact, RunId, TaskError, TaskId, Worker};
use crate::workload::{self, Emitter, Progress, Terms};

use super::protocol::{FromProgram, Hello, OwnWork, PROTOCOL, ToProgram};
use super::{Equipment, Job, Patience, ThreadWorker, thread_id};

/// How often events are sent while a task goes on, and its bytes sampled. What waits for each event makes
/// the worker pay for waking it.
const TICK: Duration = Duration::from_millis(50);

/// Why this process is no worker.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// Whoever started it does not speak the protocol.
    #[error("this command is for threadrace itself, which tells its workers what to do: {0}")]
    NoHello(String),
    /// The work can't be done.
    #[error("{}", .0.message)]
    Work(TaskError),
    /// Its pipes or its runtime failed.
    #[error("the worker can't work: {0}")]
    Io(#[from] io::Error),
}

/// Does tasks that come on standard input, and tells of them on standard output, until the input ends: then
/// the process ends at once, whatever it is at, because whoever started it is done with it, or dead.
///
/// # Errors
/// When the work can't even be begun.
pub fn work_for_parent() -> Result<(), WorkerError> {
    let (tell, told) = mpsc::channel();
    let read = move || {
        for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let _ = tell.send(line);
        }
        process::exit(0);
    };
    workload::outlive_large_files();
    // The system calls a process by the last part of the path that it was started by, which says nothing where that
    // was /proc/self/exe.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"threadrace");
    thread::Builder::new().name("from-parent".to_owned()).spawn(read)?;
    let (hello, own) = greeting(&told)?;
    let ready = FromProgram::Ready {
        protocol: PROTOCOL,
        machine_nanos: machine_nanos(),
        name: concat!("threadrace ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let ready = serde_json::to_string(&ready).map_err(io::Error::from)?;
    writeln!(io::stdout(), "{ready}")?;

    let (events, arriving) = mpsc::channel();
    let workload = Arc::unwrap_or_clone(own.plan).workload().map_err(WorkerError::Work)?;
    let job = Job {
        executor: ExecutorKind::Processes,
        run: hello.run,
        tasks: hello.tasks,
        workers: NonZeroUsize::MIN,
        async_threads: NonZeroUsize::MIN,
        collect: Collect::default(),
        main_work: Duration::ZERO,
        command: Arc::from([]),
        own_program: Path::new("").into(),
        patience: Patience::ENDLESS,
        workload,
        // Events carry the machine's own time.
        emitter: Emitter::new(Clock::started_at(0), events),
        progress: Progress::of_one_at_a_time(),
        cancel: CancellationToken::new(),
    };
    let teller =
        Teller { arriving, run: job.run, progress: job.progress.clone(), active: None, last: At::ZERO };
    let teller = Arc::new(Mutex::new(teller));
    let over = Arc::new(AtomicBool::new(false));
    let ticking = (teller.clone(), over.clone());
    let tick = move || {
        while !ticking.1.load(Ordering::Relaxed) {
            thread::sleep(TICK);
            ticking.0.lock().unwrap_or_else(PoisonError::into_inner).tick();
        }
    };
    thread::Builder::new().name("teller".to_owned()).spawn(tick)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worker = Worker::Process { pid: process::id(), name: own.name, thread_id: thread_id() };
    job.emitter.emit(Fact::LaneOpened { run: job.run, lane: own.lane, worker: Box::new(worker) });
    let terms = Terms::new(job.cancel.clone());
    let mut worker =
        ThreadWorker { lane: own.lane, runtime: Some(runtime), equipment: Equipment::None, terms };
    for line in told {
        let Ok(ToProgram::Task { task, .. }) = serde_json::from_slice(&line) else { break };
        worker.perform(&job, task);
        teller.lock().unwrap_or_else(PoisonError::into_inner).pass_on();
    }
    over.store(true, Ordering::Relaxed);
    Ok(())
}

fn greeting(told: &Receiver<Vec<u8>>) -> Result<(Hello, OwnWork), WorkerError> {
    let wrong = |what: &str| WorkerError::NoHello(what.to_owned());
    let line = told.recv().map_err(|_| wrong("nothing was said"))?;
    let message = serde_json::from_slice(&line).map_err(|error| wrong(&error.to_string()))?;
    let ToProgram::Hello(mut hello) = message else { return Err(wrong("the first message is no hello")) };
    if hello.protocol != PROTOCOL {
        return Err(wrong("the protocol is of another edition"));
    }
    let own = hello.work.take().ok_or_else(|| wrong("the hello has no work for a worker"))?;
    Ok((*hello, own))
}

/// Writes events to standard output, in the order of time.
struct Teller {
    arriving: Receiver<Event>,
    run: RunId,
    progress: Progress,
    /// The task in progress, with the bytes that were told of it.
    active: Option<(TaskId, u64)>,
    last: At,
}

impl Teller {
    /// Writes what has happened, and a sample of the bytes.
    fn tick(&mut self) {
        let lines = self.lines(true);
        send(&lines);
    }

    /// Writes what has happened.
    fn pass_on(&mut self) {
        let lines = self.lines(false);
        send(&lines);
    }

    fn lines(&mut self, sample: bool) -> Vec<u8> {
        let mut lines = Vec::new();
        while let Ok(event) = self.arriving.try_recv() {
            self.watch(&event.fact);
            self.add(event, &mut lines);
        }
        let sampled =
            self.active.filter(|_| sample).map(|(task, told)| (task, told, self.progress.bytes(task)));
        if let Some((task, told, bytes)) = sampled
            && bytes > told
        {
            self.active = Some((task, bytes));
            let fact = Fact::BytesArrived { run: self.run, task, bytes };
            self.add(Event { at: At(machine_nanos()), fact }, &mut lines);
        }
        lines
    }

    fn watch(&mut self, fact: &Fact) {
        match *fact {
            Fact::TaskStarted { task, .. } | Fact::AttemptStarted { task, .. } => {
                self.active = Some((task, 0));
            }
            Fact::TaskFinished { .. } => self.active = None,
            _ => {}
        }
    }

    fn add(&mut self, mut event: Event, lines: &mut Vec<u8>) {
        // What was stamped just before a sample and sent just after it must not go back behind it.
        event.at = event.at.max(self.last);
        self.last = event.at;
        let before = lines.len();
        match serde_json::to_writer(&mut *lines, &event) {
            Ok(()) => lines.push(b'\n'),
            Err(_) => lines.truncate(before),
        }
    }
}

fn send(lines: &[u8]) {
    if lines.is_empty() {
        return;
    }
    let mut out = io::stdout().lock();
    if out.write_all(lines).and_then(|()| out.flush()).is_err() {
        // Nobody hears what this process does.
        process::exit(1);
    }
}
