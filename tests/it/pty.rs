//! A terminal that is made of a pty and a screen in memory, for programs that want one.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portable_pty::{ChildKiller, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{InputModes, LocalModes, OutputModes, tcgetattr};
use vt100::{MouseProtocolMode, Screen};

/// What a test waits for comes long before this, or never.
pub const NEVER: Duration = Duration::from_secs(20);

/// A program in a terminal of its own, as its session's leader.
pub struct Pty {
    pub pid: Pid,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    /// The program's side of the pty. That it stays open here keeps the modes readable when the program has
    /// ended.
    slave: OwnedFd,
    modes: Modes,
    ended: Receiver<ExitStatus>,
    killer: Box<dyn ChildKiller + Send + Sync>,
    view: Arc<View>,
    reader: Option<JoinHandle<()>>,
}

type Modes = (InputModes, OutputModes, LocalModes);

struct View {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    terminal: vt100::Parser,
    wanted: Reading,
    now: Reading,
    /// Everything that the program has written.
    output: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    On,
    Held,
    Ended,
}

impl Seen {
    fn has_written(&self, text: &str) -> bool {
        self.output.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl View {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn length(of: u16) -> NonZeroU16 {
    NonZeroU16::new(of).unwrap_or(NonZeroU16::MIN)
}

fn size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

#[expect(clippy::unwrap_used, reason = "without a pty there is no test")]
impl Pty {
    /// Starts `command` in a terminal of so many columns and rows.
    pub fn spawn(mut command: CommandBuilder, columns_rows: (u16, u16)) -> Pty {
        if command.get_cwd().is_none() {
            command.cwd(std::env::current_dir().unwrap());
        }
        let pair = native_pty_system().openpty(size(columns_rows)).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let slave = open(pair.master.tty_name().unwrap(), flags, Mode::empty()).unwrap();
        let modes = modes(&slave);
        let mut child = pair.slave.spawn_command(command).unwrap();
        let pid = Pid::from_raw(child.process_id().unwrap().try_into().unwrap()).unwrap();
        let killer = child.clone_killer();
        let (end, ended) = channel();
        thread::spawn(move || end.send(child.wait().unwrap()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let (columns, rows) = columns_rows;
        let seen = Seen {
            terminal: vt100::Parser::new(length(rows), length(columns), 0),
            wanted: Reading::On,
            now: Reading::On,
            output: Vec::new(),
        };
        let view = Arc::new(View { seen: Mutex::new(seen), changed: Condvar::new() });
        let reader = thread::spawn({
            let view = Arc::clone(&view);
            move || {
                let mut space = [0; 4096];
                while let Ok(length @ 1..) = output.read(&mut space) {
                    let mut seen = view.lock();
                    seen.terminal.process(&space[..length]);
                    seen.output.extend(&space[..length]);
                    seen.now = seen.wanted;
                    view.changed.notify_all();
                    while seen.wanted == Reading::Held {
                        seen = view.changed.wait(seen).unwrap_or_else(PoisonError::into_inner);
                    }
                    seen.now = seen.wanted;
                    if seen.wanted == Reading::Ended {
                        break;
                    }
                }
                view.lock().now = Reading::Ended;
                view.changed.notify_all();
            }
        });
        let writer = Some(pair.master.take_writer().unwrap());
        let (master, reader) = (Some(pair.master), Some(reader));
        Pty { pid, master, writer, slave, modes, ended, killer, view, reader }
    }

    /// Waits until the screen is as it should be; fails with the screen when it never is.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Screen) -> bool) {
        let (seen, timeout) = self
            .view
            .changed
            .wait_timeout_while(self.view.lock(), NEVER, |seen| !is_it(seen.terminal.screen()))
            .unwrap_or_else(PoisonError::into_inner);
        let screen = seen.terminal.screen();
        assert!(
            !timeout.timed_out(),
            "never saw {what} in:\n{}\nalternate {}, cursor hidden {}",
            screen.contents(),
            screen.alternate_screen(),
            screen.hide_cursor(),
        );
    }

    /// Waits until the screen has the text.
    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contents().contains(text));
    }

    /// Waits until the program has written the text, even if it has left the screen by now.
    pub fn wait_for_output(&self, text: &str) {
        let (seen, timeout) = self
            .view
            .changed
            .wait_timeout_while(self.view.lock(), NEVER, |seen| !seen.has_written(text))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "never saw {text} in:\n{}", seen.output.escape_ascii());
    }

    /// Whether the program has ever written the text.
    pub fn has_written(&self, text: &str) -> bool {
        self.view.lock().has_written(text)
    }

    /// Something about the screen as it is now.
    pub fn look<T>(&self, at: impl FnOnce(&Screen) -> T) -> T {
        at(self.view.lock().terminal.screen())
    }

    /// Waits until the program has written nothing for so long.
    pub fn wait_for_quiet(&self, time: Duration) {
        let start = Instant::now();
        let mut seen = self.view.lock();
        loop {
            let length = seen.output.len();
            let (next, timeout) = self
                .view
                .changed
                .wait_timeout_while(seen, time, |seen| seen.output.len() == length)
                .unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return;
            }
            assert!(start.elapsed() < NEVER, "the program never stopped writing");
            seen = next;
        }
    }

    /// Fills the terminal up until it takes nothing more, not even a byte. [`Pty::stall`] comes first.
    pub fn fill_up(&self) {
        let (start, mut full) = (Instant::now(), 0);
        // The kernel moves what was written from buffer to buffer, which makes room again for a while.
        while full < 5 {
            assert!(start.elapsed() < NEVER, "the terminal never filled up");
            full += 1;
            while rustix::io::write(&self.slave, &[0; 64]).is_ok() {
                full = 0;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Gives the terminal so many columns and rows.
    pub fn resize(&self, columns_rows: (u16, u16)) {
        let (columns, rows) = columns_rows;
        self.view.lock().terminal.set_size(length(rows), length(columns));
        self.master.as_ref().unwrap().resize(size(columns_rows)).unwrap();
    }

    /// Makes the terminal forget its size, as one that was never told has none.
    pub fn forget_size(&self) {
        self.master.as_ref().unwrap().resize(size((0, 0))).unwrap();
    }

    /// Puts `bytes` on the screen as if another program had written them.
    pub fn scribble(&self, bytes: &[u8]) {
        self.view.lock().terminal.process(bytes);
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for the program's end, which must come within `time`.
    pub fn wait_exit(&self, time: Duration) -> ExitStatus {
        match self.ended_within(time) {
            Some(status) => status,
            None => panic!("no end within {time:?} of:\n{}", self.look(Screen::contents)),
        }
    }

    /// The program's end, if it comes within `time`.
    pub fn ended_within(&self, time: Duration) -> Option<ExitStatus> {
        self.ended.recv_timeout(time).ok()
    }

    /// Stops reading: soon the program's writes block.
    pub fn stall(&self) {
        self.turn(Reading::Held);
    }

    /// Reads again.
    pub fn flow(&self) {
        self.view.lock().wanted = Reading::On;
        self.view.changed.notify_all();
    }

    /// Closes the terminal under the program.
    pub fn hang_up(&mut self) {
        self.turn(Reading::Ended);
        self.reader.take().unwrap().join().unwrap();
        self.writer = None;
        self.master = None;
    }

    fn turn(&self, wanted: Reading) {
        let mut seen = self.view.lock();
        seen.wanted = wanted;
        // The reader may be waiting for a byte. This one shows nothing; with others under way it may find
        // no room, and isn't needed.
        let _ = rustix::io::write(&self.slave, b"\0");
        self.view.changed.notify_all();
        while seen.now != wanted && seen.now != Reading::Ended {
            seen = self.view.changed.wait(seen).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the terminal's modes are as they were before the program started.
    pub fn has_its_modes(&self) -> bool {
        modes(&self.slave) == self.modes
    }

    /// Fails unless everything about the terminal is as it was. Waits for output that is still under way.
    pub fn assert_restored(&self) {
        assert!(self.has_its_modes(), "{:?} became {:?}", self.modes, modes(&self.slave));
        self.wait_for("a restored screen", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.killer.kill();
        if let Some(reader) = self.reader.take() {
            self.turn(Reading::Ended);
            let _ = reader.join();
        }
    }
}

#[expect(clippy::unwrap_used, reason = "without a pty there is no test")]
fn modes(terminal: &OwnedFd) -> Modes {
    let modes = tcgetattr(terminal).unwrap();
    (modes.input_modes, modes.output_modes, modes.local_modes)
}

/// The processor time that a process has used, in seconds; and its state, a letter.
#[expect(clippy::unwrap_used, reason = "the process exists, and Linux describes it")]
pub fn stat(process: &str) -> (f64, char) {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u32 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    (f64::from(ticks) / 100.0, fields[0].chars().next().unwrap())
}
