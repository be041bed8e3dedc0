//! A child process that speaks in lines: what goes in, what comes out, and that none outlives its run.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::clock::machine_nanos;
use crate::text;

use super::protocol::LONGEST_LINE;

/// How often a child that is to end is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// How long what a dead child wrote to standard error may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How much of what a child wrote to standard error is kept: its end.
const STDERR_KEPT: usize = 600;

/// Lines for a child's standard input, made when it is their turn.
pub(super) type Lines = Box<dyn Iterator<Item = Vec<u8>> + Send>;

/// What came out of a child's standard output.
#[derive(Debug)]
pub(super) enum Said {
    /// A line, without its end.
    Line(Vec<u8>),
    /// The beginning of a line that is longer than any may be; nothing else follows.
    Endless(Vec<u8>),
    /// Nothing more will come: it closed its output, or is dead.
    End,
}

/// Something that a child said, and when it arrived.
#[derive(Debug)]
pub(super) struct Letter {
    /// Which child, as the one who started it counts them.
    pub(super) from: usize,
    /// The machine's monotonic time, in nanoseconds.
    pub(super) at: u64,
    /// What it said.
    pub(super) said: Said,
}

/// A child process with a process group of its own, which signals from the terminal don't reach. Dropping
/// it ends it.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    input: Option<Sender<Lines>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// The threads that write and read for it; the last reads standard error.
    threads: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
    /// Whether it had to be ended.
    forced: bool,
}

impl Child {
    /// Starts a child, which is number `from` on its letters.
    pub(super) fn spawn(
        command: &mut Command,
        from: usize,
        letters: SyncSender<Letter>,
    ) -> io::Result<Child> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn()?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (input, lines) = mpsc::channel::<Lines>();
        let mut child = Child {
            process,
            input: Some(input),
            stderr: Arc::default(),
            threads: Vec::new(),
            ended: None,
            forced: false,
        };
        let kept = child.stderr.clone();
        let threads = [
            thread::Builder::new().name("to-program".to_owned()).spawn(move || {
                if let Some(stdin) = stdin {
                    // A child that is gone reads no more, and its end is told elsewhere.
                    let _ = write_all(stdin, lines.into_iter().flatten());
                }
            }),
            thread::Builder::new().name("from-program".to_owned()).spawn(move || {
                if let Some(stdout) = stdout {
                    pass_on(stdout, &mut |said| {
                        letters.send(Letter { from, at: machine_nanos(), said }).is_ok()
                    });
                }
            }),
            thread::Builder::new().name("stderr".to_owned()).spawn(move || {
                if let Some(stderr) = stderr {
                    keep_end(stderr, &kept);
                }
            }),
        ];
        for thread in threads {
            match thread {
                Ok(thread) => child.threads.push(thread),
                Err(error) => {
                    child.kill();
                    return Err(error);
                }
            }
        }
        Ok(child)
    }

    /// Sends lines; returns at once.
    pub(super) fn tell(&self, lines: Lines) {
        if let Some(input) = &self.input {
            let _ = input.send(lines);
        }
    }

    /// Ends the child's input, after what was sent: its sign to end.
    pub(super) fn close(&mut self) {
        self.input = None;
    }

    /// Whether it has ended.
    fn is_over(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(pid), options), Ok(None))
    }

    fn pid(&self) -> Option<Pid> {
        self.ended.is_none().then(|| Pid::from_child(&self.process))
    }

    /// Waits until `deadline` for it to end by itself, then ends it and what it started.
    pub(super) fn end_by(&mut self, deadline: Instant) {
        self.close();
        while !self.is_over() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        self.kill();
    }

    /// Ends it and what it started, now.
    fn kill(&mut self) {
        self.close();
        if let Some(pid) = self.pid() {
            self.forced = !self.is_over();
            // Before it is waited for: until then, nobody else can get its number.
            let _ = kill_process_group(pid, Signal::KILL);
            self.ended = self.process.wait().ok();
        }
        // Its pipes end with it, but what it wrote last may still be on its way out of them.
        let deadline = Instant::now() + LAST_WORDS;
        while self.threads.last().is_some_and(|last| !last.is_finished()) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
    }

    /// How it ended, in words: after [`Child::end_by`].
    pub(super) fn fate(&self) -> String {
        let how = match self.ended.filter(|_| !self.forced).map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) => {
                let name = signal_hook::low_level::signal_name(signal);
                format!("killed by {}", name.map_or_else(|| format!("signal {signal}"), str::to_owned))
            }
            Some((None, Some(code))) => format!("it ended with exit status {code}"),
            _ => "it closed its output, and had to be ended".to_owned(),
        };
        match self.last_words() {
            Some(words) => format!("{how} ({words})"),
            None => how,
        }
    }

    /// The last line that it wrote to standard error: shortened, and safe to show.
    pub(super) fn last_words(&self) -> Option<String> {
        let kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(&kept);
        let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(text::fit(last, 200))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn write_all(mut stdin: impl Write, lines: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    for line in lines {
        stdin.write_all(&line)?;
    }
    Ok(())
}

/// Reads lines until there are no more, or nobody wants them. What has no end of line is no line: whoever
/// wrote it was stopped in the middle.
fn pass_on(stdout: impl Read, tell: &mut dyn FnMut(Said) -> bool) {
    let mut stdout = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut line = Vec::new();
        let read = stdout.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line);
        let said = match read {
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Said::Line(line)
            }
            Ok(length) if length > LONGEST_LINE => Said::Endless(line),
            _ => Said::End,
        };
        let over = !matches!(said, Said::Line(_));
        if !tell(said) || over {
            return;
        }
    }
}

fn keep_end(mut stderr: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut chunk) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&chunk[..length]);
        let surplus = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &[u8]) -> Vec<String> {
        let mut all = Vec::new();
        pass_on(text, &mut |said| {
            all.push(match said {
                Said::Line(line) => String::from_utf8_lossy(&line).into_owned(),
                Said::Endless(line) => format!("endless {}", line.len()),
                Said::End => "end".to_owned(),
            });
            true
        });
        all
    }

    #[test]
    fn lines_are_passed_on_and_what_is_cut_off_is_not() {
        assert_eq!(said(b"one\n\ntwo\nthr"), ["one", "", "two", "end"]);
        assert_eq!(said(b""), ["end"]);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut text = vec![b'x'; LONGEST_LINE];
        text.push(b'\n');
        assert_eq!(said(&text).len(), 2);
        text.insert(0, b'x');
        assert_eq!(said(&text), [format!("endless {}", LONGEST_LINE + 1)]);
    }

    #[test]
    fn the_end_of_standard_error_is_kept() {
        let kept = Mutex::default();
        keep_end([b"x".repeat(10_000), b"\nthe end".to_vec()].concat().as_slice(), &kept);
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(kept.len(), STDERR_KEPT);
        assert!(kept.ends_with(b"the end"));
    }
}
