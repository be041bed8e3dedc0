//! The front for no terminal: a line on standard error as each task ends, the report on standard output.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::config::Settings;
use crate::event::{Event, Fact, Outcome, RunEnd};
use crate::model::RaceState;
use crate::race::{Libraries, Notice, Race, RaceError};
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
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        let seen = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let watch = signal_hook::flag::register_conditional_shutdown(number, 128 + number, seen.clone())
            .and_then(|_| signal_hook::flag::register(number, seen))
            .and_then(|_| signal_hook::flag::register_usize(number, signal.clone(), number as usize));
        watch.map_err(RaceError::Thread)?;
    }
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
            Notice::Preparing(_) => {}
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
                Outcome::Done => writeln!(out, "done, {} in {}", words::bytes(end.bytes), words::seconds(latency)),
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
                RunEnd::Failed { message } => writeln!(out, "{}: FAILED: {}", run.plan().label, shown(message)),
            }
        }
        _ => Ok(()),
    }
}
