//! Faults that end the process at once: the terminal is given back before they do.
//!
//! A handler of such a signal may do next to nothing (signal-safety(7)): it may neither wait for a lock nor take
//! memory. So whoever takes the terminal leaves here, beforehand, what gives it back ([`arm`]). SIGSEGV, SIGILL and
//! SIGFPE have no handler here: the standard library needs the first for stacks that overflow, which it then ends
//! with SIGABRT.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, QueueSelector, Termios, isatty, tcflush, tcgetpgrp, tcsetattr};
use signal_hook::consts::SIGABRT;
#[cfg(target_os = "linux")]
use signal_hook::consts::SIGBUS;
use signal_hook::low_level::{emulate_default_handler, register};

/// The signals of such faults, and what is said of each.
const FAULTS: &[(i32, &[u8])] = &[
    (
        SIGABRT,
        b"threadrace: ended by SIGABRT: there was no memory left, a stack has overflowed, or this is a defect; \
          the system's own words are kept by 2>FILE\n",
    ),
    // On other systems the standard library needs this one for stacks that overflow.
    #[cfg(target_os = "linux")]
    (
        SIGBUS,
        b"threadrace: ended by SIGBUS: a file that was in use was made shorter, or its disk is full or failing\n",
    ),
];

/// How long to wait for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_millis(200);

/// What gives a terminal back.
#[derive(Debug)]
pub struct Rescue {
    /// The terminal, in an open file that doesn't block.
    pub tty: OwnedFd,
    /// Its modes as they were found.
    pub modes: Termios,
    /// Whether a shell may put this process in the background of it: it is the session's own.
    pub controlling: bool,
    /// What switches it back.
    pub leaving: &'static [u8],
}

static RESCUE: Mutex<Option<Arc<Rescue>>> = Mutex::new(None);

static ENDING: AtomicBool = AtomicBool::new(false);

/// Handles faults from now on, for the life of the process.
///
/// # Errors
/// The system refused a handler.
pub fn handle() -> io::Result<()> {
    static HANDLED: Mutex<bool> = Mutex::new(false);
    let mut handled = HANDLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*handled {
        FAULTS.iter().try_for_each(on_fault)?;
        *handled = true;
    }
    Ok(())
}

/// From now on, a fault gives this terminal back before it ends the process.
pub fn arm(rescue: Arc<Rescue>) {
    *rescued() = Some(rescue);
}

/// The terminal was given back: a fault leaves it alone.
pub fn disarm() {
    *rescued() = None;
}

/// Whether a fault is ending the process: nobody may write to the terminal any more.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

fn rescued() -> MutexGuard<'static, Option<Arc<Rescue>>> {
    RESCUE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(unsafe_code, reason = "what a handler may do, no type can check")]
fn on_fault(&(signal, words): &(i32, &'static [u8])) -> io::Result<()> {
    // SAFETY: the handler does not panic, and neither takes memory nor gives any back. It waits for no lock: it tries
    // one, and to try a lock and to give it up are atomic instructions, at most with a call that wakes whoever waits.
    // Besides, it calls clock_gettime, poll, write, tcgetpgrp, tcflush and tcsetattr, which signal-safety(7) lists,
    // and what restores the default action and raises the signal again, which signal-hook says may be called there.
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
        // Just now it is being armed or disarmed: whose the terminal is can't be known. Or another thread is here.
        Err(TryLockError::WouldBlock) => return,
    };
    let Some(rescue) = rescue.as_deref() else { return };
    // In the background the terminal is a shell's, and who sets its modes from there is stopped. Where the session
    // that had it has ended, it may be anybody's.
    if rescue.controlling && tcgetpgrp(&rescue.tty) != Ok(getpgrp()) {
        return;
    }
    ENDING.store(true, Ordering::Release);
    let until = Instant::now() + PATIENCE;
    if !write(rescue, rescue.leaving, until) && tcflush(&rescue.tty, QueueSelector::OFlush).is_ok() {
        // What it has not shown yet is forgotten, which makes room.
        write(rescue, rescue.leaving, until);
    }
    // Reports of the mouse that are still on their way would be typed into the shell.
    let _ = tcflush(&rescue.tty, QueueSelector::IFlush);
    let _ = tcsetattr(&rescue.tty, OptionalActions::Now, &rescue.modes);
    tell(rescue, words);
}

/// Writes all of the bytes, if the terminal takes them in time: whether it did.
fn write(rescue: &Rescue, mut bytes: &[u8], until: Instant) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(&rescue.tty, bytes) {
            Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
            // It is full, or the painter is at it.
            Err(_) if Instant::now() < until => {
                let look = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                let _ = poll(&mut [PollFd::new(&rescue.tty, PollFlags::HUP)], Some(&look));
            }
            Err(_) => return false,
        }
    }
    true
}

/// Says the words on standard error, unless that would have to wait.
fn tell(rescue: &Rescue, words: &[u8]) {
    let stderr = rustix::stdio::stderr();
    if isatty(stderr) {
        // A terminal with little room would hold up a write to it, but not one by the file that doesn't block.
        let _ = rustix::io::write(&rescue.tty, words);
    } else {
        let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut fds, Some(&at_once)).is_ok() && fds[0].revents().contains(PollFlags::OUT) {
            let _ = rustix::io::write(stderr, words);
        }
    }
}
