//! The conductor: prepares a race, runs its executors one after the other or all at once, collects what
//! their workers say, and hands it on in batches.
//!
//! A race lives on threads of its own. Whoever watches it holds a [`Race`]: notices come out of it, and
//! its token cancels it. The workers never wait for the watcher, nor for the collector, which looks in
//! about 20 times a second and sleeps in between.

mod addresses;
mod collect;
mod prepare;
mod room;
mod work;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, panic, slice, thread};

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::event::{Event, ExecutorKind, Fact, Order, TaskError};
use crate::executor::Job;
use crate::origin::OriginError;
use crate::probe::{Family, Measuring, Probe};
use crate::recording::{Blank, Recorder, WriteError};
use crate::workload::{OutputError, TlsError};

pub use prepare::labels;
pub use work::{Libraries, origin_alone};

use prepare::Prepared;

/// What a race tells whoever watches it.
#[derive(Debug)]
pub enum Notice {
    /// It gets ready; the clock has not started.
    Preparing(Preparing),
    /// It happened, in the order of time but for what was said late; never empty.
    Events(Arc<Vec<Event>>),
    /// It could not start. Nothing else follows.
    Refused(RaceError),
    /// The race is over, and its output folder is tidy. Nothing else follows.
    Over {
        /// What went wrong with the output folder's manifest or with the recording, if anything.
        tidied: Result<(), RaceError>,
    },
}

/// What is being got ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparing {
    /// The origin's bodies.
    Bodies {
        /// How many are made.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// The addresses of the servers.
    Lookups,
    /// The output folder.
    Output,
}

/// Why a race can't be run.
#[derive(Debug, Error)]
pub enum RaceError {
    /// The output folder is no good.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The origin can't serve.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The race can't be recorded, or not to its end.
    #[error(transparent)]
    Recording(#[from] WriteError),
    /// There is no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A URL that was checked before is none.
    #[error("{url} is not a URL: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scenario has no origin to run.
    #[error(
        "scenario {0} has no origin: only built-in downloads and API calls have one; name another scenario"
    )]
    NoOrigin(String),
    /// It can't be repeated so often.
    #[error("{0}")]
    Repeats(String),
    /// What the tasks are to find can't be made.
    #[error("the tasks can't be got ready: {0}")]
    Unready(TaskError),
    /// The operating system gave no thread to run the race on.
    #[error("no thread could be had for the race: {0}")]
    Thread(io::Error),
    /// It was cancelled before it started.
    #[error("cancelled before it started")]
    Cancelled,
    /// A fault of this program.
    #[error("threadrace failed inside: {0}; please report it")]
    Internal(String),
}

/// A race under way, on threads of its own. Dropping it cancels it, and waits up to a second for its end.
#[derive(Debug)]
pub struct Race {
    notices: Receiver<Notice>,
    cancel: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Race {
    /// Starts a race. `libraries` keeps the origin's bodies from one race to the next.
    ///
    /// # Errors
    /// When there is no thread for it. Everything else is told in notices.
    pub fn start(settings: Settings, libraries: &Libraries) -> Result<Race, RaceError> {
        let (sender, notices) = mpsc::channel();
        let cancel = CancellationToken::new();
        let (token, libraries) = (cancel.clone(), libraries.clone());
        let body = move || {
            let conducted =
                panic::catch_unwind(AssertUnwindSafe(|| conduct(&settings, &libraries, &token, &sender)));
            let last = match conducted {
                Ok(Ok(tidied)) => Notice::Over { tidied },
                Ok(Err(error)) => Notice::Refused(error),
                Err(_) => Notice::Refused(RaceError::Internal("the conductor panicked".to_owned())),
            };
            let _ = sender.send(last);
        };
        let thread = thread::Builder::new().name("conductor".to_owned()).spawn(body);
        Ok(Race { notices, cancel, thread: Some(thread.map_err(RaceError::Thread)?) })
    }

    /// What the race tells, in order.
    pub fn notices(&self) -> &Receiver<Notice> {
        &self.notices
    }

    /// Cancels the race: its tasks are dropped within a second, and the notices come to their end.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

#[cfg(test)]
impl Race {
    /// A race that is nothing but what it tells.
    pub(crate) fn told(notices: Receiver<Notice>) -> Race {
        Race { notices, cancel: CancellationToken::new(), thread: None }
    }
}

/// How long a dropped race is waited for. A picture that is just being made can't be broken off.
const PARTING: Duration = Duration::from_secs(1);

impl Drop for Race {
    fn drop(&mut self) {
        self.cancel.cancel();
        let begun = Instant::now();
        loop {
            match self.notices.recv_timeout(PARTING.saturating_sub(begun.elapsed())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return,
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs one race from its preparation to its end.
fn conduct(
    settings: &Settings,
    libraries: &Libraries,
    cancel: &CancellationToken,
    notices: &Sender<Notice>,
) -> Result<Result<(), RaceError>, RaceError> {
    let tell = |preparing| {
        let _ = notices.send(Notice::Preparing(preparing));
    };
    let blank = settings.record.as_deref().map(Blank::at).transpose()?;
    let mut prepared = prepare::prepare(settings, libraries, cancel, &tell)?;
    let ran = carry_out(&prepared, blank, cancel, notices);
    // Names that nothing was written under are claimed no longer, also where the race could not start; why it could
    // not matters more than a manifest that can't be written.
    let tidied = prepared.tidy();
    ran.map(|recorded| tidied.and(recorded))
}

/// Runs a race that is prepared; says whether its recording is whole.
fn carry_out(
    prepared: &Prepared,
    blank: Option<Blank>,
    cancel: &CancellationToken,
    notices: &Sender<Notice>,
) -> Result<Result<(), RaceError>, RaceError> {
    let (events, arriving) = mpsc::channel();
    let jobs = prepared.jobs(cancel, events)?;
    prepared.get_ready(&jobs, cancel)?;
    let recorder = blank.map(|blank| Recorder::start(blank, &prepared.plan)).transpose()?;
    let pass_on = |events: Vec<Event>| {
        let events = Arc::new(events);
        if let Some(recorder) = &recorder {
            recorder.take(events.clone());
        }
        let _ = notices.send(Notice::Events(events));
    };
    let clock = prepared.clock.clone();
    pass_on(vec![Event { at: clock.now(), fact: Fact::RaceStarted { plan: prepared.plan.clone() } }]);
    let probe = Probe::default();
    let run_all = || run_in_order(&jobs, prepared, &probe);
    let ran = thread::scope(|scope| {
        let (_lasts, over) = mpsc::channel();
        // On a thread of its own: what waits for the disk must not look like a program that was stopped.
        let sign_of_life = thread::Builder::new().name("sign-of-life".to_owned());
        let says = move || prepared.goes_on_until(&over);
        sign_of_life.spawn_scoped(scope, says).map_err(RaceError::Thread)?;
        collect::while_running(run_all, &arriving, &jobs, &probe, &clock, &pass_on)
    });
    pass_on(vec![Event { at: clock.now(), fact: Fact::RaceFinished }]);
    let recorded = recorder.map_or(Ok(()), Recorder::finish);
    ran.map(|()| recorded.map_err(RaceError::Recording))
}

/// Runs the jobs, each on a thread with its run's name: that thread is the worker of `sequential` and
/// of `async`. One that has the machine to itself is measured; what each of several uses can't be told apart.
fn run_in_order(jobs: &[Job], prepared: &Prepared, probe: &Probe) -> Result<(), RaceError> {
    let (order, workload) = (prepared.plan.order, prepared.plan.workload);
    thread::scope(|scope| {
        let mut running = Vec::new();
        for job in jobs {
            // A run that would only be cancelled never starts.
            if order == Order::OneByOne && job.cancel.is_cancelled() {
                break;
            }
            let at_once = if order == Order::Together { jobs } else { slice::from_ref(job) };
            // Runs that go on together are looked at together, before the first.
            if running.is_empty()
                && let Err(error) = room::room_for(at_once, workload)
            {
                job.refuse_because(&error.to_string());
                continue;
            }
            match prepared.get_ready_again(job) {
                Ok(()) => {}
                Err(_) if job.cancel.is_cancelled() => break,
                Err(why) => {
                    job.refuse_because(&why);
                    continue;
                }
            }
            let measuring = (order == Order::OneByOne).then(|| probe.begin(family(job)));
            let thread = thread::Builder::new().name(job.executor.name().to_owned());
            let execute = move || {
                let mut measuring = measuring;
                job.execute(|| measuring.iter_mut().for_each(Measuring::tasks_are_done));
                measuring
            };
            match thread.spawn_scoped(scope, execute) {
                Ok(thread) if order == Order::Together => running.push(thread),
                Ok(thread) => {
                    let usage = join(thread)?.map(Measuring::end);
                    if let Some(usage) = usage.map(Box::new) {
                        job.emitter.emit(Fact::RunMeasured { run: job.run, usage });
                    }
                }
                Err(error) => job.refuse(&error),
            }
        }
        running.into_iter().try_for_each(|thread| join(thread).map(drop))
    })
}

/// Which processes do the job.
fn family(job: &Job) -> Family {
    match job.executor {
        ExecutorKind::Processes | ExecutorKind::External(_) => Family::WithChildren,
        _ => Family::Alone,
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T, RaceError> {
    thread.join().map_err(|_| RaceError::Internal("an executor panicked".to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_race_that_cannot_be_broken_off_is_left_behind() {
        let (sender, notices) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let (gone, over) = mpsc::channel();
        let cancel = CancellationToken::new();
        let thread = thread::spawn(move || {
            let _ = sender.send(Notice::Preparing(Preparing::Output));
            // Ends when the race was dropped, so a drop that waits for this thread never returns.
            let _ = held.recv();
            let _ = gone.send(sender);
        });
        let race = Race { notices, cancel: cancel.clone(), thread: Some(thread) };
        drop(race);
        assert!(cancel.is_cancelled());
        drop(release);
        over.recv().unwrap();
    }
}
