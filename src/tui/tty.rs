//! The terminal device itself: its modes, its size, and writing to it without ever blocking.

use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::{getpgrp, getppid, getsid};
use rustix::termios::{
    OptionalActions, QueueSelector, Termios, isatty, tcflush, tcgetattr, tcgetpgrp, tcgetsid, tcgetwinsize,
    tcsetattr, ttyname,
};

use crate::probe::fault::{self, Rescue};

use super::terminal::TerminalError;

/// Alternate screen, hidden cursor, bracketed paste (so that pasted text presses no keys).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h";

/// Buttons, dragging and the wheel in the SGR encoding. Mere movement is not asked for: it would wake the
/// program at every pixel.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";

/// Undoes [`ENTER`] and [`MOUSE_ON`], and ends a synchronized update and a style that were cut short.
const LEAVE: &str = "\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l";

/// Columns and rows of a terminal that does not know its size.
const UNKNOWN_SIZE: (u16, u16) = (80, 24);

/// The most columns and rows that are drawn: a terminal may say anything, and each cell takes memory.
const LARGEST: (u16, u16) = (1_000, 500);

/// A writer to a terminal that takes nothing looks up this often to see whether it should still go on.
const STALL_LOOK: Duration = Duration::from_millis(50);

/// Whose the terminal is, as the system sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// This process's to use.
    Ours,
    /// Another's: a shell has put this process in the background.
    Background,
    /// Nobody's: the session that had it has ended.
    Lost,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// All bytes were taken.
    All,
    /// The terminal takes no more for now, and the writer would not wait.
    Stalled,
    /// The terminal is gone.
    Gone,
}

/// The terminal behind standard output, in an open file of its own: that this one does not block is
/// nobody else's concern, and standard input may be anything.
#[derive(Debug)]
pub(super) struct Tty {
    /// Its file, its modes as they were found, and whose it is.
    rescue: Arc<Rescue>,
    mouse: bool,
}

impl Tty {
    /// Opens the terminal behind standard output and remembers its modes.
    pub fn open(mouse: bool) -> Result<Tty, TerminalError> {
        let stdout = rustix::stdio::stdout();
        if !isatty(stdout) {
            return Err(TerminalError::NotATerminal);
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let by_name = ttyname(stdout, Vec::new()).and_then(|name: CString| open(name, flags, Mode::empty()));
        let fd = by_name.or_else(|error| {
            // After `su`, or in a container, the name may be out of reach; the controlling terminal never is.
            let controlling = tcgetsid(stdout).is_ok_and(|session| getsid(None) == Ok(session));
            if controlling { open("/dev/tty", flags, Mode::empty()) } else { Err(error) }
        });
        let fd = fd.map_err(|error| TerminalError::Open(error.into()))?;
        let modes = tcgetattr(&fd).map_err(|error| TerminalError::Modes(error.into()))?;
        let controlling = tcgetpgrp(&fd).is_ok();
        let rescue = Arc::new(Rescue { tty: fd, modes, controlling, leaving: LEAVE.as_bytes() });
        Ok(Tty { rescue, mouse })
    }

    /// Columns and rows, as they are now; at least 1 each and at most [`LARGEST`], and 80 × 24 where the terminal
    /// does not know.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.rescue.tty) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.min(LARGEST.0), size.ws_row.min(LARGEST.1))
            }
            _ => UNKNOWN_SIZE,
        }
    }

    /// What gives the terminal back when a fault ends the process.
    pub fn rescue(&self) -> Arc<Rescue> {
        Arc::clone(&self.rescue)
    }

    /// Keys arrive one by one, unechoed, and make no signals.
    pub fn make_raw(&self) -> Result<(), Errno> {
        let mut raw = self.rescue.modes.clone();
        raw.make_raw();
        self.set(&raw)
    }

    /// The modes as they were found. Takes effect at once, even when nobody reads the output.
    pub fn make_cooked(&self) -> Result<(), Errno> {
        self.set(&self.rescue.modes)
    }

    fn set(&self, modes: &Termios) -> Result<(), Errno> {
        loop {
            match tcsetattr(&self.rescue.tty, OptionalActions::Now, modes) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    }

    /// What switches the terminal over to the dashboard.
    pub fn entering(&self) -> impl Iterator<Item = u8> {
        ENTER.bytes().chain(if self.mouse { MOUSE_ON } else { "" }.bytes())
    }

    /// Switches the terminal back, waiting at most `patience` for it to take what it must take; when it
    /// takes nothing, what it has not shown yet is thrown away to make room.
    pub fn leave(&self, patience: Duration) -> Written {
        let start = Instant::now();
        let mut written = self.write(LEAVE.as_bytes(), || start.elapsed() < patience);
        if written == Written::Stalled && tcflush(&self.rescue.tty, QueueSelector::OFlush).is_ok() {
            written = self.write(LEAVE.as_bytes(), || false);
        }
        if self.mouse {
            // Reports of the mouse that are still on their way would be typed into the shell. Where this
            // fails nothing is lost.
            let _ = tcflush(&self.rescue.tty, QueueSelector::IFlush);
        }
        match self.make_cooked() {
            Ok(()) => written,
            Err(_) => Written::Gone,
        }
    }

    /// Writes `bytes`; while the terminal takes nothing, asks `go_on` about 20 times a second.
    pub fn write(&self, mut bytes: &[u8], mut go_on: impl FnMut() -> bool) -> Written {
        while !bytes.is_empty() {
            if fault::is_ending() {
                return Written::Stalled;
            }
            match rustix::io::write(&self.rescue.tty, bytes) {
                Ok(taken) => bytes = bytes.get(taken..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !go_on() {
                        return Written::Stalled;
                    }
                    let events = wait(&mut [PollFd::new(&self.rescue.tty, PollFlags::OUT)], STALL_LOOK);
                    if events.is_some_and(|[events]| gone(events)) {
                        return Written::Gone;
                    }
                }
                Err(_) => return Written::Gone,
            }
        }
        Written::All
    }

    /// Reads what is there into `space`: none when nothing is.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn read<'a>(&self, space: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
        match rustix::io::read(&self.rescue.tty, &mut *space) {
            Ok(0) => Err(Errno::IO),
            Ok(length) => Ok(space.get(..length)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose the terminal is now. One that never was the session's own is this process's for good.
    pub fn hold(&self) -> Hold {
        match tcgetpgrp(&self.rescue.tty) {
            Ok(group) if group == getpgrp() => Hold::Ours,
            Ok(_) => Hold::Background,
            Err(_) if self.rescue.controlling => Hold::Lost,
            Err(_) => Hold::Ours,
        }
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rescue.tty.as_fd()
    }
}

/// Waits until one of `fds` has something, for at most `timeout`: what each has, or none when the time ran
/// out or a signal came.
pub(super) fn wait<const N: usize>(fds: &mut [PollFd<'_>; N], timeout: Duration) -> Option<[PollFlags; N]> {
    let timeout = Timespec::try_from(timeout).ok();
    match poll(fds, timeout.as_ref()) {
        Ok(ready) if ready > 0 => Some(std::array::from_fn(|index| fds[index].revents())),
        _ => None,
    }
}

/// Whether `events` say that the terminal is gone.
pub(super) fn gone(events: PollFlags) -> bool {
    events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

/// Whether somebody is there to continue this process once it has stopped. The kernel asks the same before
/// it lets SIGTSTP stop anything: in a process group without a job-controlling shell above it (the program
/// that a terminal window or `docker run` started) nobody would ever send SIGCONT.
pub(super) fn has_a_shell() -> bool {
    let Ok(session) = getsid(None) else { return false };
    getpgrp() != session && getsid(getppid()) == Ok(session)
}
