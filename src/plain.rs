//! The fronts for no terminal: a race with a line on standard error as each task ends; and the origin
//! alone.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;

use crate::config::Settings;
use crate::event::{Event, Fact, Outcome, RunEnd};
use crate::model::RaceState;
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
    /// The signal that cancelled it.
    pub signal: Option<u8>,
}

/// How long to wait for news before looking for a signal again.
const LOOK: Duration = Duration::from_millis(100);

/// Runs one race and writes a line to `progress` for each task that ends. A signal cancels the race, and
/// what was done by then is returned; a second one ends the process.
///
/// # Errors
/// When signals can't be watched or there is no thread for the race.
pub fn run(settings: &Settings, progress: &mut dyn Write) -> Result<Raced, RaceError> {
    let signal = watch_signals().map_err(RaceError::Thread)?;
    let race = Race::start(settings.clone(), &Libraries::default())?;
    let mut raced = Raced { race: None, error: None, signal: None };
    loop {
        if raced.signal.is_none()
            && let Ok(number @ 1..) = u8::try_from(signal.load(Ordering::Relaxed))
        {
            raced.signal = Some(number);
            race.cancel();
        }
        let notice = match race.notices().recv_timeout(LOOK) {
            Ok(notice) => notice,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(raced),
        };
        match notice {
            Notice::Preparing(_) | Notice::Started(_) => {}
            Notice::Events(events) => {
                let mut lines = Vec::new();
                for event in &events {
                    if let Fact::RaceStarted { plan } = &event.fact {
                        raced.race = Some(RaceState::new(plan.clone()));
                    }
                    if let Some(race) = &mut raced.race {
                        race.apply(event);
                        // Nobody reading the lines is no reason to stop downloading.
                        let _ = tell(&mut lines, race, event);
                    }
                }
                let _ = progress.write_all(&lines);
            }
            Notice::Refused(RaceError::Cancelled) if raced.signal.is_some() => return Ok(raced),
            Notice::Refused(error) => {
                raced.error = Some(error);
                return Ok(raced);
            }
            Notice::Over { tidied } => {
                raced.error = tidied.err();
                return Ok(raced);
            }
        }
    }
}

/// The number of the last signal that asked the program to end; 0 before one did. The second signal of
/// a kind ends the process at once.
fn watch_signals() -> io::Result<Arc<AtomicUsize>> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        let seen = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(number, 128 + number, seen.clone())?;
        flag::register(number, seen)?;
        flag::register_usize(number, signal.clone(), usize::try_from(number).unwrap_or(0))?;
    }
    Ok(signal)
}

/// Serves a scenario's content until a signal comes, whose number is returned. The address is printed
/// first, alone on its line.
///
/// # Errors
/// When the scenario has no origin, the address can't be listened on, or signals can't be watched.
pub fn serve(settings: &Settings, out: &mut dyn Write) -> Result<u8, RaceError> {
    let signal = watch_signals().map_err(RaceError::Thread)?;
    let asked_to_end = || match u8::try_from(signal.load(Ordering::Relaxed)) {
        Ok(number @ 1..) => ControlFlow::Break(number),
        _ => ControlFlow::Continue(()),
    };
    let go_on = || asked_to_end().map_break(|_| ());
    let (origin, tasks) = match (origin_alone(settings, &go_on), asked_to_end()) {
        (Err(RaceError::Cancelled), ControlFlow::Break(number)) => return Ok(number),
        (served, _) => served?,
    };
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

/// Writes the line of an event that has one.
fn tell(out: &mut dyn Write, race: &RaceState, event: &Event) -> io::Result<()> {
    match &event.fact {
        Fact::RunStarted { run } => {
            let Some(run) = race.runs().get(run.index()) else { return Ok(()) };
            let plan = run.plan();
            writeln!(out, "{}: {} tasks, {} at once", plan.label, run.tasks().len(), plan.workers)
        }
        Fact::TaskFinished { run, task, end } => {
            let Some(run) = race.runs().get(run.index()) else { return Ok(()) };
            let Some(state) = run.tasks().get(task.index()) else { return Ok(()) };
            let name = race.plan().tasks.get(task.index()).map_or("", |task| task.name.as_str());
            let latency = state.latency(event.at).unwrap_or_default();
            let (label, over, of) = (&run.plan().label, run.counts().over(), run.tasks().len());
            write!(out, "{label} {over}/{of} {} ", shown(name))?;
            match &end.outcome {
                Outcome::Done => {
                    writeln!(out, "done, {} in {}", words::bytes(end.bytes), words::seconds(latency))
                }
                Outcome::Failed(error) => writeln!(out, "FAILED: {}", shown(&error.message)),
                Outcome::Panicked { message } => writeln!(out, "PANICKED: {}", shown(message)),
                Outcome::Cancelled => writeln!(out, "cancelled"),
            }
        }
        Fact::RunFinished { run, end } => {
            let Some(run) = race.runs().get(run.index()) else { return Ok(()) };
            let wall = run.wall().unwrap_or_default();
            match end {
                RunEnd::Completed => writeln!(out, "{}: {}", run.plan().label, words::seconds(wall)),
                RunEnd::Cancelled => writeln!(out, "{}: cancelled", run.plan().label),
                RunEnd::Failed { message } => {
                    writeln!(out, "{}: FAILED: {}", run.plan().label, shown(message))
                }
            }
        }
        _ => Ok(()),
    }
}
