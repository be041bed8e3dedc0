//! The fronts for no terminal: a race with a line on standard error as each task ends; and the origin
//! alone.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator;
use signal_hook::low_level::exit;

use crate::config::Settings;
use crate::event::{Event, Fact, Outcome, RunEnd};
use crate::model::{RaceState, RunState};
use crate::race::{Libraries, Notice, Race, RaceError, origin_alone};
use crate::report::words;
use crate::text::shown;

/// How a race without a dashboard came to its end.
#[derive(Debug)]
pub struct Raced {
    /// The race; none when it could not start.
    pub race: Option<RaceState>,
    /// What went wrong with the race itself.
    pub error: Option<RaceError>,
}

/// How long to wait for news before looking for a signal again.
const LOOK: Duration = Duration::from_millis(100);

/// How long, after a signal, the lines are waited for that nobody has read yet.
const LINES_WAIT: Duration = Duration::from_millis(300);

/// How long, after a signal, the report is waited for that nobody has read yet.
pub const REPORT_WAIT: Duration = Duration::from_secs(1);

/// How long, after a signal, a report's file may take: longer than any that is written, and not for ever where it is a
/// pipe that nobody reads.
pub const SAVE_WAIT: Duration = Duration::from_secs(10);

/// A second signal so soon after the first is the same one: `timeout`, for example, sends it to the process and
/// then to the process's group.
const ECHO: Duration = Duration::from_millis(200);

/// How many lines wait for a reader before the oldest are left out.
const LINES_KEPT: usize = 10_000;

/// Runs one race and writes a line to `progress` for each task that ends. One of the `signals` cancels the race,
/// and what was done by then is returned; a second one ends the process. Neither the race nor a signal ever
/// waits for whoever should read the lines.
///
/// # Errors
/// When there is no thread for the race or the lines.
pub fn run(
    settings: &Settings,
    signals: &Signals,
    progress: impl Write + Send + 'static,
) -> Result<Raced, RaceError> {
    let lines = Lines::write_to(progress).map_err(RaceError::Thread)?;
    let race = Race::start(settings.clone(), &Libraries::default())?;
    let (state, error) = follow(&race, signals, &lines);
    lines.finish(signals);
    Ok(Raced { race: state, error })
}

/// Follows a race to its end: returns as far as it came, and what went wrong with the race itself.
fn follow(race: &Race, signals: &Signals, lines: &Lines) -> (Option<RaceState>, Option<RaceError>) {
    let mut state: Option<RaceState> = None;
    let mut cancelled = false;
    loop {
        if !cancelled && signals.heard().is_some() {
            cancelled = true;
            race.cancel();
        }
        let notice = match race.notices().recv_timeout(LOOK) {
            Ok(notice) => notice,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return (state, None),
        };
        match notice {
            Notice::Preparing(_) => {}
            Notice::Events(events) => {
                // Handed over at once: waking the writer for each line would take time that the race wants.
                let mut new = Vec::new();
                for event in events.iter() {
                    if let Fact::RaceStarted { plan } = &event.fact {
                        state = Some(RaceState::new(plan.clone()));
                    }
                    if let Some(race) = &mut state {
                        race.apply(event);
                        new.extend(line(race, event));
                    }
                }
                lines.extend(new);
            }
            Notice::Refused(RaceError::Cancelled) if cancelled => return (state, None),
            Notice::Refused(error) => return (state, Some(error)),
            Notice::Over { tidied } => return (state, tidied.err()),
        }
    }
}

/// The signals that ask the program to end; 0 while none has come.
#[derive(Debug, Clone)]
pub struct Signals(Arc<AtomicI32>);

impl Signals {
    /// Watches them from now on, for the life of the process, on a thread that sleeps until one comes. A second
    /// signal ends the process at once, unless it is an echo of the first. What `is_ignored` says to be ignored stays
    /// so.
    ///
    /// # Errors
    /// When signals can't be watched or there is no thread for it.
    pub fn watch(is_ignored: impl Fn(i32) -> bool) -> io::Result<Signals> {
        let heard = Arc::new(AtomicI32::new(0));
        let asking = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().filter(|number| !is_ignored(*number));
        let mut coming = iterator::Signals::new(asking)?;
        let tell = heard.clone();
        let watch = move || {
            let mut first: Option<Instant> = None;
            for number in coming.forever() {
                match first {
                    None => {
                        first = Some(Instant::now());
                        tell.store(number, Ordering::Relaxed);
                    }
                    Some(first) if first.elapsed() < ECHO => {}
                    Some(_) => exit(128 + number),
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
        Ok(Signals(heard))
    }

    /// The number of the first one that came.
    pub fn heard(&self) -> Option<u8> {
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|&number| number > 0)
    }

    /// From now on the program may wait for a reader for ever, but only for `patience` once a signal has come: then
    /// the process ends with 128 and the signal's number.
    pub fn bound_what_is_left(&self, patience: Duration) {
        let signals = self.clone();
        let watch = move || loop {
            if let Some(number) = signals.heard() {
                end_after(patience, number);
            }
            thread::sleep(LOOK);
        };
        // Without a thread, a second signal of the kind ends the process still.
        let _ = thread::Builder::new().name("last-wait".to_owned()).spawn(watch);
    }
}

/// Ends the process with 128 and the number of the signal that asked it to, if it still waits for a reader then.
pub fn end_within(patience: Duration, number: u8) {
    // Without a thread, a signal that can't be caught ends it still.
    let _ = thread::Builder::new().name("last-wait".to_owned()).spawn(move || end_after(patience, number));
}

fn end_after(patience: Duration, number: u8) {
    thread::sleep(patience);
    process::exit(128 + i32::from(number))
}

/// Lines on their way to somebody who may not read them, written by a thread of their own.
struct Lines {
    queue: Arc<Queue>,
    /// Disconnected when everything is written.
    written: Receiver<()>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<String>,
    left_out: u64,
    over: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines, and takes all that there are; none when no more will come.
    fn take(&self) -> Option<String> {
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.over;
        let mut waiting = self.news.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.is_empty() {
            return None;
        }
        let mut text = String::new();
        match std::mem::take(&mut waiting.left_out) {
            0 => {}
            1 => text += "(1 line is left out here: it came sooner than it could be written)\n",
            count => {
                text += &format!(
                    "({count} lines are left out here: they came sooner than they could be written)\n"
                )
            }
        }
        text.extend(waiting.lines.drain(..));
        Some(text)
    }
}

impl Lines {
    fn write_to(mut out: impl Write + Send + 'static) -> io::Result<Lines> {
        let queue = Arc::<Queue>::default();
        let (writing, written) = mpsc::channel();
        let lines = queue.clone();
        let write = move || {
            while let Some(text) = lines.take() {
                // Nobody reading the lines is no reason to stop downloading.
                let _ = out.write_all(text.as_bytes());
            }
            drop(writing);
        };
        thread::Builder::new().name("lines".to_owned()).spawn(write)?;
        Ok(Lines { queue, written })
    }

    /// Adds lines; leaves the oldest out where too many wait.
    fn extend(&self, more: Vec<String>) {
        if more.is_empty() {
            return;
        }
        let mut waiting = self.queue.lock();
        waiting.lines.extend(more);
        let too_many = waiting.lines.len().saturating_sub(LINES_KEPT);
        waiting.lines.drain(..too_many);
        waiting.left_out += too_many as u64;
        drop(waiting);
        self.queue.news.notify_one();
    }

    /// Waits until every line is written; not for long once a signal has come.
    fn finish(self, signals: &Signals) {
        self.queue.lock().over = true;
        self.queue.news.notify_one();
        let mut heard = None;
        while self.written.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if signals.heard().is_some() && heard.get_or_insert_with(Instant::now).elapsed() >= LINES_WAIT {
                return;
            }
        }
    }
}

/// Serves a scenario's content until a signal comes, whose number is returned. The address is printed
/// first, alone on its line.
///
/// # Errors
/// When the scenario has no origin, or the address can't be listened on.
pub fn serve(settings: &Settings, signals: &Signals, out: &mut dyn Write) -> Result<u8, RaceError> {
    let asked_to_end = || signals.heard().map_or(ControlFlow::Continue(()), ControlFlow::Break);
    let go_on = || asked_to_end().map_break(|_| ());
    let (origin, tasks) = match (origin_alone(settings, &go_on), asked_to_end()) {
        (Err(RaceError::Cancelled), ControlFlow::Break(number)) => return Ok(number),
        (served, _) => served?,
    };
    signals.bound_what_is_left(REPORT_WAIT);
    // Whoever started the origin may have seen enough and closed the pipe; it serves all the same.
    let _ = writeln!(out, "http://{}", origin.address());
    let _ = writeln!(out, "{tasks} in scenario {}; Ctrl-C ends it", shown(&settings.scenario.name));
    let _ = out.flush();
    loop {
        if let ControlFlow::Break(number) = asked_to_end() {
            origin.stop();
            return Ok(number);
        }
        std::thread::sleep(LOOK);
    }
}

/// What the lines call a run: its label, with its round before it where there are several.
fn name<'a>(race: &RaceState, run: &'a RunState) -> Cow<'a, str> {
    let (plan, rounds) = (run.plan(), race.rounds());
    if !rounds.are_several() {
        return Cow::Borrowed(&plan.label);
    }
    let round = words::round(plan.round, rounds.counted(), rounds.warmups());
    Cow::Owned(format!("{round}, {}", plan.label))
}

/// The line of an event that has one.
fn line(race: &RaceState, event: &Event) -> Option<String> {
    let line = match &event.fact {
        Fact::RunStarted { run } => {
            let run = race.runs().get(run.index())?;
            let plan = run.plan();
            let name = name(race, run);
            format!("{name}: {}, {} at once\n", words::tasks(run.tasks().len()), plan.workers)
        }
        Fact::TaskFinished { run, task, end } => {
            let run = race.runs().get(run.index())?;
            let state = run.tasks().get(task.index())?;
            let name = race.plan().tasks.get(task.index()).map_or("", |task| task.name.as_str());
            let latency = state.latency(event.at).unwrap_or_default();
            let (outcome, more) = match &end.outcome {
                Outcome::Done => {
                    // Work without bytes says in words what came out.
                    let out = end.result.as_deref().filter(|_| end.bytes == 0).map(shown);
                    let out = out.unwrap_or_else(|| Cow::Owned(words::bytes(end.bytes)));
                    ("done, ", Cow::Owned([&out, " in ", &words::seconds(latency)].concat()))
                }
                Outcome::Failed(error) => ("FAILED: ", shown(&error.message)),
                Outcome::Panicked { message } => ("PANICKED: ", shown(message)),
                Outcome::Cancelled => ("cancelled", Cow::Borrowed("")),
                Outcome::Abandoned => ("abandoned: the main thread ended first", Cow::Borrowed("")),
            };
            let (run, over, of) = (self::name(race, run), run.counts().over(), run.tasks().len());
            format!("{run} {over}/{of} {} {outcome}{more}\n", shown(name))
        }
        Fact::RunFinished { run, end } => {
            let run = race.runs().get(run.index())?;
            let name = name(race, run);
            match end {
                RunEnd::Completed => format!("{name}: {}\n", words::seconds(run.wall().unwrap_or_default())),
                RunEnd::Cancelled => format!("{name}: cancelled\n"),
                RunEnd::Failed { message } => format!("{name}: FAILED: {}\n", shown(message)),
            }
        }
        _ => return None,
    };
    Some(line)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Writes into a channel, and only as often as it is let.
    struct Slow {
        let_go: Receiver<()>,
        begun: mpsc::Sender<()>,
        out: mpsc::Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            let _ = self.let_go.recv();
            let _ = self.out.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_the_oldest_lines_and_holds_nobody_up() {
        let (release, let_go) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        let (out, written) = mpsc::channel();
        let lines = Lines::write_to(Slow { let_go, begun, out }).unwrap();
        lines.extend(vec!["first\n".to_owned()]);
        begins.recv().unwrap();
        for number in 0..LINES_KEPT + 7 {
            lines.extend(vec![format!("{number}\n")]);
        }
        let signalled = Signals(Arc::new(AtomicI32::new(2)));
        lines.finish(&signalled);
        drop(release);
        let text: String = written.iter().collect();
        let mut text = text.lines();
        assert_eq!(text.next(), Some("first"));
        assert_eq!(
            text.next(),
            Some("(7 lines are left out here: they came sooner than they could be written)")
        );
        assert_eq!(text.next(), Some("7"));
        assert_eq!(text.count(), LINES_KEPT - 1);
    }

    #[test]
    fn every_line_is_written_when_it_is_finished() {
        let (out, written) = mpsc::channel();
        let (release, let_go) = mpsc::channel();
        drop(release);
        let lines = Lines::write_to(Slow { let_go, begun: mpsc::channel().0, out }).unwrap();
        lines.extend((0..500).map(|number| format!("{number}\n")).collect());
        lines.finish(&Signals(Arc::default()));
        assert_eq!(written.try_iter().collect::<String>().lines().count(), 500);
    }
}
