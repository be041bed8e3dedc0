//! Signals: reported to the dashboard while it is up, and never ignored when nobody is there to hear.

use std::io;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGWINCH, SIGXCPU,
};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, exit};

use super::house::{Notice, live, lock};
use super::tty::has_a_shell;

/// A second signal so soon after the first of its kind is the same one: `timeout`, for example, sends it to
/// the process and then to the process's group.
const ECHO: Duration = Duration::from_millis(200);

/// What ends a program without asking it. There is time to give the terminal back, and no more.
const ENDING: [i32; 6] = [SIGALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU];

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The terminal, or the connection to it, was closed (SIGHUP).
    Hangup,
    /// Ctrl-C from outside: in the dashboard, Ctrl-C is a key (SIGINT).
    Interrupt,
    /// Ctrl-\ from outside (SIGQUIT).
    Quit,
    /// Somebody asked politely, with `kill` or at a shutdown (SIGTERM).
    Terminate,
}

impl Signal {
    /// Every such signal.
    pub const ALL: [Signal; 4] = [Signal::Hangup, Signal::Interrupt, Signal::Quit, Signal::Terminate];

    /// The code with which a program ends that this signal ended: 128 and the signal's number, as shells
    /// count.
    pub fn exit_code(self) -> u8 {
        128 + self.number()
    }

    /// The signal's number.
    pub fn number(self) -> u8 {
        match self {
            Signal::Hangup => 1,
            Signal::Interrupt => 2,
            Signal::Quit => 3,
            Signal::Terminate => 15,
        }
    }

    /// The signal's name as `kill` knows it.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Quit => "SIGQUIT",
            Signal::Terminate => "SIGTERM",
        }
    }

    fn of(number: i32) -> Option<Signal> {
        match number {
            SIGHUP => Some(Signal::Hangup),
            SIGINT => Some(Signal::Interrupt),
            SIGQUIT => Some(Signal::Quit),
            SIGTERM => Some(Signal::Terminate),
            _ => None,
        }
    }
}

/// Starts the thread that hears signals, once for the life of the process. It sleeps until one comes.
///
/// # Errors
/// The system gave no thread or refused a handler.
pub(super) fn listen() -> io::Result<()> {
    static LISTENING: Mutex<bool> = Mutex::new(false);
    let mut listening = lock(&LISTENING);
    if !*listening {
        let asking = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH];
        let mut signals = Signals::new(asking.iter().chain(&ENDING))?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut first = [None; Signal::ALL.len()];
            loop {
                let heard: Vec<i32> = signals.wait().collect();
                for &number in &heard {
                    match Signal::of(number) {
                        Some(signal) => end(signal, &mut first[signal as usize]),
                        // A stop that was taken back before anybody heard of it must not stop: the process
                        // that would continue it has done so already.
                        None if number == SIGTSTP && heard.contains(&SIGCONT) => {}
                        None => house_keeping(number),
                    }
                }
            }
        })?;
        *listening = true;
    }
    Ok(())
}

fn end(signal: Signal, first: &mut Option<Instant>) {
    let house = live();
    match (first.as_ref(), &house) {
        (Some(first), _) if first.elapsed() < ECHO => {}
        (None, Some(house)) => {
            *first = Some(Instant::now());
            house.tell(Notice::Signal(signal));
        }
        _ => {
            if let Some(house) = house {
                house.force_back();
            }
            exit(signal.exit_code().into());
        }
    }
}

fn house_keeping(number: i32) {
    match (number, live()) {
        (SIGTSTP, Some(house)) => house.tell(Notice::Stop),
        (SIGTSTP, None) => stop(),
        (SIGCONT, Some(house)) => house.tell(Notice::Continued),
        (SIGWINCH, Some(house)) => house.tell(Notice::Resized),
        (ending, house) if ENDING.contains(&ending) => {
            if let Some(house) = house {
                house.force_back();
            }
            // Fails for unknown signals only.
            let _ = emulate_default_handler(ending);
        }
        _ => {}
    }
}

/// Stops this process, as SIGTSTP does by default; returns once it has been continued. Does nothing where
/// nobody would continue it.
pub(super) fn stop() {
    if has_a_shell() {
        // Fails for unknown signals only.
        let _ = emulate_default_handler(SIGTSTP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_agree() {
        for (signal, number) in Signal::ALL.into_iter().zip([SIGHUP, SIGINT, SIGQUIT, SIGTERM]) {
            assert_eq!(Signal::of(number), Some(signal));
            assert_eq!(i32::from(signal.exit_code()), 128 + number);
        }
        assert_eq!(Signal::of(SIGWINCH), None);
    }
}
