//! What the dashboard, its painter and the signals share about the terminal: whose it is, the frame to draw
//! next, and what the dashboard must hear of.

use std::cell::Cell;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::io::Errno;

use crate::probe::fault;

use super::signals::Signal;
use super::tty::{Hold, Tty, Written};

/// How long to wait for the painter to lay down the pen; it looks up 20 times a second while it waits.
const PEN_PATIENCE: Duration = Duration::from_millis(250);

/// How long to wait for a terminal that takes nothing to take what restores it.
const LEAVE_PATIENCE: Duration = Duration::from_millis(200);

static LIVE: Mutex<Option<Arc<House>>> = Mutex::new(None);

/// What a thread is to the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It runs the dashboard.
    Dashboard,
    /// It draws for the dashboard.
    Painter,
    /// It does something else.
    Other,
}

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Other) };
}

impl Role {
    /// This thread's role.
    pub fn here() -> Role {
        ROLE.get()
    }

    /// Gives this thread the role.
    pub fn take_on(self) {
        ROLE.set(self);
    }
}

/// The terminal that a dashboard is on now.
pub(super) fn live() -> Option<Arc<House>> {
    lock(&LIVE).clone()
}

/// Locks even after a panic elsewhere: what is locked here is never left half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the terminal was left like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// As it was found.
    Restored,
    /// Its modes are as they were found, but it took no output: writing more to it may block for good.
    Stalled,
    /// It was gone already, or a shell had given it to another program.
    Gone,
}

/// Whose the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The dashboard's.
    Up,
    /// The shell's, while this process is stopped or in the background.
    Suspended,
    /// No longer the dashboard's.
    Left(Left),
}

/// What the dashboard must hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// Somebody asks the program to end.
    Signal(Signal),
    /// The terminal is gone.
    Vanished,
    /// The shell wants this process stopped.
    Stop,
    /// This process goes on after a stop.
    Continued,
    /// The terminal has another size.
    Resized,
}

#[derive(Debug)]
struct Desk {
    stage: Stage,
    drawing: bool,
    /// The terminal must be switched over before anything is drawn.
    entering: bool,
    /// Nothing is known about what the terminal shows.
    whole: bool,
    frame: Option<Buffer>,
    spent: Option<Buffer>,
    notices: Vec<Notice>,
}

/// The terminal and everything about it that more than one thread must know.
#[derive(Debug)]
pub(super) struct House {
    pub tty: Tty,
    desk: Mutex<Desk>,
    turned: Condvar,
    bell: UnixStream,
}

/// What to draw next.
pub(super) struct Job {
    /// Whether to switch the terminal over first.
    pub entering: bool,
    /// A frame of the terminal's size.
    pub frame: Option<(Buffer, Reach)>,
}

/// How much of a frame to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything: nothing is known about what the terminal shows.
    Whole,
    /// What differs from the frame before.
    Changes,
}

impl House {
    /// A house with the dashboard in it, known to all; none when there is one already. `bell` is written to
    /// when there is a [`Notice`].
    pub fn move_in(tty: Tty, bell: UnixStream) -> Option<Arc<House>> {
        let mut live = lock(&LIVE);
        if live.is_some() {
            return None;
        }
        let desk = Desk {
            stage: Stage::Suspended,
            drawing: false,
            entering: false,
            whole: true,
            frame: None,
            spent: None,
            notices: Vec::new(),
        };
        let house = Arc::new(House { tty, desk: Mutex::new(desk), turned: Condvar::new(), bell });
        *live = Some(Arc::clone(&house));
        Some(house)
    }

    /// Switches the terminal over to the dashboard, or does so again; the painter writes what is to write.
    pub fn take_over(&self) -> Result<(), Errno> {
        let mut desk = lock(&self.desk);
        if !matches!(desk.stage, Stage::Left(_)) {
            // First of all, so that there is no moment at which a fault leaves it raw.
            fault::arm(self.tty.rescue());
            if let Err(error) = self.tty.make_raw() {
                fault::disarm();
                return Err(error);
            }
            desk.stage = Stage::Up;
            desk.entering = true;
            desk.whole = true;
            self.turned.notify_all();
        }
        Ok(())
    }

    /// Gives the terminal to the shell until [`House::take_over`].
    pub fn lend(&self) {
        let desk = lock(&self.desk);
        if desk.stage == Stage::Up {
            self.give_back(desk, Stage::Suspended);
        }
    }

    /// Gives the terminal back for good. Only the first call does anything; it takes less than half a
    /// second even when nobody reads the terminal.
    pub fn leave(&self) -> Left {
        let desk = lock(&self.desk);
        let left = match desk.stage {
            Stage::Left(left) => return left,
            Stage::Suspended => {
                let mut desk = desk;
                desk.stage = Stage::Left(Left::Restored);
                self.turned.notify_all();
                Left::Restored
            }
            Stage::Up => {
                let left = self.give_back(desk, Stage::Left(Left::Gone));
                lock(&self.desk).stage = Stage::Left(left);
                left
            }
        };
        *lock(&LIVE) = None;
        left
    }

    /// Gives the terminal back with no regard for who is doing so already: the process ends next.
    pub fn force_back(&self) {
        if matches!(lock(&self.desk).stage, Stage::Left(_)) {
            self.tty.leave(Duration::ZERO);
        } else {
            self.leave();
        }
    }

    fn give_back(&self, mut desk: MutexGuard<'_, Desk>, next: Stage) -> Left {
        desk.stage = next;
        self.turned.notify_all();
        // The painter itself comes here when it panics, and must not wait for itself.
        let patience = if Role::here() == Role::Painter { Duration::ZERO } else { PEN_PATIENCE };
        drop(
            self.turned
                .wait_timeout_while(desk, patience, |desk| desk.drawing)
                .unwrap_or_else(PoisonError::into_inner),
        );
        let left = if self.tty.hold() == Hold::Background {
            Left::Gone
        } else {
            match self.tty.leave(LEAVE_PATIENCE) {
                Written::All => Left::Restored,
                Written::Stalled => Left::Stalled,
                Written::Gone => Left::Gone,
            }
        };
        fault::disarm();
        left
    }

    /// Whether the dashboard has the terminal now.
    pub fn is_up(&self) -> bool {
        lock(&self.desk).stage == Stage::Up
    }

    /// Whether the shell has the terminal until [`House::take_over`].
    pub fn is_lent(&self) -> bool {
        lock(&self.desk).stage == Stage::Suspended
    }

    /// Leaves `notice` for the dashboard and wakes it.
    pub fn tell(&self, notice: Notice) {
        let mut desk = lock(&self.desk);
        if notice == Notice::Resized {
            desk.whole = true;
        }
        // Of a stop and its continuation, the later one counts.
        desk.notices.retain(|&other| match notice {
            Notice::Stop => other != Notice::Continued && other != Notice::Stop,
            Notice::Continued => other != Notice::Stop && other != Notice::Continued,
            _ => other != notice,
        });
        desk.notices.push(notice);
        drop(desk);
        // A full pipe wakes as well as one more byte would, and without a dashboard nobody listens.
        let _ = (&self.bell).write(&[0]);
    }

    /// Whether there is a notice.
    pub fn has_news(&self) -> bool {
        !lock(&self.desk).notices.is_empty()
    }

    /// The most urgent notice: signals, then the terminal's end, then the oldest of the rest.
    pub fn hear(&self) -> Option<Notice> {
        let mut desk = lock(&self.desk);
        let rank = |notice: &Notice| match notice {
            Notice::Signal(_) => 0,
            Notice::Vanished => 1,
            _ => 2,
        };
        let (index, _) = desk.notices.iter().enumerate().min_by_key(|(_, notice)| rank(notice))?;
        Some(desk.notices.remove(index))
    }

    /// Puts `frame` where the painter finds it, in place of one that was not drawn yet.
    pub fn show(&self, frame: Buffer) {
        let mut desk = lock(&self.desk);
        let unseen = desk.frame.replace(frame);
        if unseen.is_some() {
            desk.spent = unseen;
        }
        self.turned.notify_all();
    }

    /// A buffer that is no longer needed.
    pub fn recycle(&self) -> Option<Buffer> {
        lock(&self.desk).spent.take()
    }

    /// Waits for something to draw; none once the terminal was left.
    pub fn job(&self) -> Option<Job> {
        let mut desk = lock(&self.desk);
        loop {
            match desk.stage {
                Stage::Left(_) => return None,
                Stage::Up => {
                    let (columns, rows) = self.tty.size();
                    let stale = desk.frame.take_if(|frame| frame.area != Rect::new(0, 0, columns, rows));
                    if stale.is_some() {
                        desk.spent = stale;
                    }
                    if desk.entering || desk.frame.is_some() {
                        desk.drawing = true;
                        let entering = std::mem::take(&mut desk.entering);
                        let frame = desk.frame.take().map(|frame| {
                            let whole = std::mem::take(&mut desk.whole);
                            (frame, if whole { Reach::Whole } else { Reach::Changes })
                        });
                        return Some(Job { entering, frame });
                    }
                }
                Stage::Suspended => {}
            }
            desk = self.turned.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends a job: how its writing went, and a buffer that it left over.
    pub fn lay_down_the_pen(&self, written: Written, spent: Option<Buffer>) {
        let mut desk = lock(&self.desk);
        desk.drawing = false;
        if spent.is_some() {
            desk.spent = spent;
        }
        // A frame that was cut short: nobody knows what the terminal shows now.
        desk.whole |= written != Written::All;
        self.turned.notify_all();
    }
}
