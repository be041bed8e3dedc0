//! The terminal, from enter to leave: its modes, its frames, its keys, and everything that happens to it.
//!
//! Three threads have a part in it. The dashboard's own calls [`Terminal`]; none of its calls waits for the
//! terminal to take output, except [`Terminal::leave`], for less than half a second. The painter writes
//! frames. A third one hears signals; it is started by the first [`Terminal::enter`] and stays for the life
//! of the process, because a signal handler, once installed, has replaced what the system would do.

use std::io::{self, Read as _};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Signal as SystemSignal, kill_current_process_group};
use thiserror::Error;

pub use super::house::Left;
pub use super::panics::install_panic_hook;
pub use super::signals::Signal;

use crate::probe::fault;

use super::house::{House, Notice, Role};
use super::input::{Act, Keyboard};
use super::painter::paint;
use super::signals::{listen, stop};
use super::tty::{Hold, Tty, gone, has_a_shell, wait};

/// In the background, how often to look whether the shell has given the terminal back. Not every shell says
/// so to a program that runs.
const BACKGROUND_LOOK: Duration = Duration::from_millis(100);

/// How the terminal is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether clicks, drags and the wheel come here rather than to the terminal's own selection.
    pub mouse: bool,
}

/// Why there can be no dashboard.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// Standard output is a file, a pipe or nothing.
    #[error("standard output is not a terminal; run in a terminal, or without the dashboard")]
    NotATerminal,
    /// The terminal's device cannot be opened.
    #[error(
        "the terminal behind standard output cannot be opened; check who owns it (ls -l $(tty)), or run \
         without the dashboard"
    )]
    Open(#[source] io::Error),
    /// The terminal's modes cannot be read or set.
    #[error("the terminal's modes cannot be read or set; try another terminal, or run without the dashboard")]
    Modes(#[source] io::Error),
    /// A dashboard has the terminal already.
    #[error("a dashboard has the terminal already; leave that one first")]
    Taken,
    /// The system gave no thread, no pipe or no signal handler.
    #[error(
        "the system gave no thread, pipe or signal handler; raise the limits (ulimit -u, ulimit -n) or \
         close other programs"
    )]
    Resources(#[source] io::Error),
}

/// What came from the terminal, or happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed. Ctrl-C is one; Ctrl-Z is not, it suspends the program.
    Key(KeyEvent),
    /// The mouse did something; columns and rows count from 0.
    Mouse(MouseEvent),
    /// Text was pasted: foreign text, which presses no keys.
    Pasted(String),
    /// The terminal may have another size: draw again.
    Resized,
    /// The program was stopped or in the background and has the terminal again: draw again, perhaps at
    /// another size.
    Resumed,
    /// Somebody wants the program to end. The second signal of a kind, 0.2 s or more after the first, is
    /// not reported: it ends the process at once.
    Signal(Signal),
    /// The terminal is gone, and nobody will ever see a frame again. Reported by each call from then on.
    Vanished,
    /// The time ran out.
    Nothing,
}

/// The terminal behind standard output, taken over: raw, on the alternate screen, without a cursor. Leaving
/// it, dropping it, a panic of its thread (with [`install_panic_hook`]) and a fault that ends the process
/// ([`fault`]) give it back as it was.
#[derive(Debug)]
pub struct Terminal {
    house: Arc<House>,
    bell: UnixStream,
    keyboard: Keyboard,
    /// When the last byte of something half said came.
    last_byte: Instant,
    vanished: Vanished,
    /// The thread that entered is marked as the dashboard's, so the terminal stays with it.
    here: PhantomData<Rc<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vanished {
    No,
    Yes,
    Told,
}

impl Terminal {
    /// Takes over the terminal behind standard output; standard input is left alone. From now on this
    /// thread is the dashboard's.
    ///
    /// # Errors
    /// See [`TerminalError`]; the terminal is then as it was.
    pub fn enter(options: Options) -> Result<Terminal, TerminalError> {
        let tty = Tty::open(options.mouse)?;
        let (bell, pull) = UnixStream::pair().map_err(TerminalError::Resources)?;
        bell.set_nonblocking(true).map_err(TerminalError::Resources)?;
        pull.set_nonblocking(true).map_err(TerminalError::Resources)?;
        listen().and_then(|()| fault::handle()).map_err(TerminalError::Resources)?;
        let house = House::move_in(tty, pull).ok_or(TerminalError::Taken)?;
        // From here on, dropping the terminal undoes what was done.
        let terminal = Terminal {
            house: Arc::clone(&house),
            bell,
            keyboard: Keyboard::default(),
            last_byte: Instant::now(),
            vanished: Vanished::No,
            here: PhantomData,
        };
        Role::Dashboard.take_on();
        thread::Builder::new()
            .name("painter".into())
            .spawn(move || paint(&house))
            .map_err(TerminalError::Resources)?;
        terminal.house.take_over().map_err(|error| TerminalError::Modes(error.into()))?;
        Ok(terminal)
    }

    /// Columns and rows, as they are now; at least 1 each, and 80 × 24 where the terminal does not know.
    pub fn size(&self) -> (u16, u16) {
        self.house.tty.size()
    }

    /// Has `frame` drawn, in place of one that was shown before and is not drawn yet. Never waits. A frame
    /// that does not have the terminal's size (from its upper left corner) is dropped; one that equals the
    /// frame before it writes nothing.
    pub fn show(&self, frame: Buffer) {
        self.house.show(frame);
    }

    /// A buffer that was drawn or replaced, to be used again. It has its old content and size.
    pub fn recycle(&self) -> Option<Buffer> {
        self.house.recycle()
    }

    /// Waits up to `timeout` for something to happen. Ctrl-Z and SIGTSTP stop the process here, with the
    /// terminal given back, and this returns [`Input::Resumed`] when it goes on.
    pub fn next(&mut self, timeout: Duration) -> Input {
        let start = Instant::now();
        loop {
            if let Some(input) = self.heard().or_else(|| self.typed()) {
                return input;
            }
            if self.vanished == Vanished::Yes {
                self.vanished = Vanished::Told;
                return Input::Vanished;
            }
            let left = timeout.saturating_sub(start.elapsed());
            let patience =
                self.keyboard.patience().map(|patience| patience.saturating_sub(self.last_byte.elapsed()));
            let look = self.house.is_lent().then_some(BACKGROUND_LOOK);
            self.wait(patience.into_iter().chain(look).fold(left, Duration::min));
            if let Some(input) = look.and_then(|_| self.come_back()) {
                return input;
            }
            if patience.is_some() && self.keyboard.patience().is_some_and(|p| self.last_byte.elapsed() >= p) {
                self.keyboard.give_up();
            }
            if start.elapsed() >= timeout {
                return match self.heard().or_else(|| self.typed()) {
                    Some(input) => input,
                    None if self.vanished == Vanished::No => Input::Nothing,
                    None => {
                        self.vanished = Vanished::Told;
                        Input::Vanished
                    }
                };
            }
        }
    }

    /// Gives the terminal back. Takes less than half a second even when nobody reads it.
    pub fn leave(self) -> Left {
        self.close()
    }

    fn close(&self) -> Left {
        let left = self.house.leave();
        Role::Other.take_on();
        left
    }

    fn wait(&mut self, timeout: Duration) {
        // A stopped program's terminal is the shell's, and one that is gone has something to say at all
        // times.
        let events = if self.house.is_up() && self.vanished == Vanished::No {
            let fds =
                &mut [PollFd::new(&self.bell, PollFlags::IN), PollFd::new(&self.house.tty, PollFlags::IN)];
            wait(fds, timeout)
        } else {
            let fds = &mut [PollFd::new(&self.bell, PollFlags::IN)];
            wait(fds, timeout).map(|[bell]| [bell, PollFlags::empty()])
        };
        let Some([bell, tty]) = events else { return };
        if !bell.is_empty() {
            // How often it rang does not matter; what for is at the house.
            let _ = self.bell.read(&mut [0; 64]);
        }
        if tty.contains(PollFlags::IN) {
            let mut space = [0; 1024];
            match self.house.tty.read(&mut space) {
                Ok(Some(bytes)) => {
                    self.last_byte = Instant::now();
                    self.keyboard.feed(bytes);
                }
                Ok(None) => {}
                Err(_) => self.vanished = Vanished::Yes,
            }
        } else if gone(tty) {
            self.vanished = Vanished::Yes;
        }
    }

    fn heard(&mut self) -> Option<Input> {
        while let Some(notice) = self.house.hear() {
            match notice {
                Notice::Signal(signal) => return Some(Input::Signal(signal)),
                Notice::Resized => return Some(Input::Resized),
                Notice::Vanished if self.vanished == Vanished::No => self.vanished = Vanished::Yes,
                Notice::Vanished => {}
                Notice::Stop if has_a_shell() => {
                    self.house.lend();
                    // What came meanwhile takes the stop back, or ends the program.
                    if !self.house.has_news() {
                        stop();
                    }
                }
                Notice::Stop => {}
                Notice::Continued => {
                    if let Some(input) = self.come_back() {
                        return Some(input);
                    }
                }
            }
        }
        None
    }

    /// Takes the terminal again if it is this process's to take.
    fn come_back(&mut self) -> Option<Input> {
        if self.vanished != Vanished::No {
            return None;
        }
        match self.house.tty.hold() {
            Hold::Ours if self.house.take_over().is_ok() => return Some(Input::Resumed),
            Hold::Background if has_a_shell() => self.house.lend(),
            Hold::Ours | Hold::Background | Hold::Lost => self.vanished = Vanished::Yes,
        }
        None
    }

    fn typed(&mut self) -> Option<Input> {
        while let Some(act) = self.keyboard.take() {
            match act {
                Act::Key(key) if key == KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL) => {
                    if has_a_shell() {
                        // As the terminal would: the shell waits until all of the job has stopped. This
                        // process hears the signal too, and stops when it does.
                        let _ = kill_current_process_group(SystemSignal::TSTP);
                    }
                }
                Act::Key(key) => return Some(Input::Key(key)),
                Act::Mouse(mouse) => return Some(Input::Mouse(mouse)),
                Act::Pasted(text) => return Some(Input::Pasted(text)),
            }
        }
        None
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}
