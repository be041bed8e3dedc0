//! Faults that end the process at once: the terminal is given back before they do.
//!
//! A handler of such a signal may do next to nothing (signal-safety(7)): it may neither wait for a lock nor take
//! memory. So whoever takes the terminal leaves here, beforehand, what gives it back ([`arm`]).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, Once, PoisonError, TryLockError};

use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcsetattr};
use signal_hook::consts::{SIGABRT, SIGBUS};
use signal_hook::low_level::{emulate_default_handler, register};

/// `abort`, which also ends a Rust program whose stack has overflowed or that was given no memory; and a mapped
/// file that somebody made shorter. The standard library handles SIGSEGV itself, on a stack of its own.
const FAULTS: [(i32, &[u8]); 2] = [
    (
        SIGABRT,
        b"threadrace: ended by SIGABRT: there was no memory left, a stack has overflowed, or this is a defect. The \
          terminal is as it was; the system's own words are kept by 2>FILE\n",
    ),
    (
        SIGBUS,
        b"threadrace: ended by SIGBUS: somebody made a file shorter while it was in use. The terminal is as it was\n",
    ),
];

/// What gives a terminal back.
#[derive(Debug)]
pub struct Rescue {
    /// The terminal, in an open file that doesn't block.
    pub tty: OwnedFd,
    /// Its modes as they were found.
    pub modes: Termios,
    /// What switches it back.
    pub leaving: &'static [u8],
}

static RESCUE: Mutex<Option<Rescue>> = Mutex::new(None);

/// From now on, a fault gives the terminal back before it ends the process.
///
/// # Errors
/// The system refused a handler.
pub fn arm(rescue: Rescue) -> io::Result<()> {
    *RESCUE.lock().unwrap_or_else(PoisonError::into_inner) = Some(rescue);
    static HANDLED: Once = Once::new();
    let mut handled = Ok(());
    HANDLED.call_once(|| handled = FAULTS.into_iter().try_for_each(handle));
    handled
}

/// The terminal was given back: a fault leaves it alone.
pub fn disarm() {
    *RESCUE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

#[expect(unsafe_code, reason = "what a handler may do, no type can check")]
fn handle((signal, words): (i32, &'static [u8])) -> io::Result<()> {
    // SAFETY: the handler does not panic, waits for no lock (it tries one), takes no memory and gives none back; it
    // calls write, tcflush and tcsetattr, which may be called there (signal-safety(7)), and then what restores the
    // default action and raises the signal again, which may too.
    let registered = unsafe {
        register(signal, move || {
            give_back(words);
            let _ = emulate_default_handler(signal);
        })
    };
    registered.map(drop)
}

fn give_back(words: &[u8]) {
    let rescue = match RESCUE.try_lock() {
        Ok(rescue) => rescue,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Just now it is being armed or disarmed: whose the terminal is can't be known.
        Err(TryLockError::WouldBlock) => return,
    };
    let Some(Rescue { tty, modes, leaving }) = rescue.as_ref() else { return };
    // A terminal that takes no more makes room by forgetting what it has not shown.
    if rustix::io::write(tty, leaving) != Ok(leaving.len()) && tcflush(tty, QueueSelector::OFlush).is_ok() {
        let _ = rustix::io::write(tty, leaving);
    }
    // Reports of the mouse that are still on their way would be typed into the shell.
    let _ = tcflush(tty, QueueSelector::IFlush);
    let _ = tcsetattr(tty, OptionalActions::Now, modes);
    let _ = rustix::io::write(rustix::stdio::stderr(), words);
}
