//! The dashboard's house-keeping holds, whatever happens to the terminal.

use std::thread;
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Screen};

use crate::pty::{NEVER, Pty, stat};

/// The program in the terminal: a small dashboard that this same executable runs.
mod actor {
    use std::fmt::Write as _;
    use std::process::exit;

    use ratatui::buffer::Buffer;
    use ratatui::crossterm::event::{KeyCode, KeyModifiers};
    use ratatui::layout::Rect;
    use ratatui::style::Style;
    use threadrace::tui::terminal::{Input, Options, Terminal, TerminalError, install_panic_hook};

    use super::*;

    const PART: &str = "THREADRACE_TEST_PART";

    /// Runs the actor in a shell command, in which `"$@"` stands for it.
    pub fn in_shell(script: &str, part: &str) -> CommandBuilder {
        let mut command = CommandBuilder::new("/bin/sh");
        // Some of what it is told to do leaves the dump of a process behind where that is allowed.
        command.args(["-c", &format!("ulimit -c 0; {script}"), "sh"]);
        command.arg(std::env::current_exe().unwrap_or_default());
        command.args(["--ignored", "--exact", "terminal::actor::play", "--nocapture", "--test-threads=1"]);
        command.env(PART, part);
        command.env("TERM", "xterm-256color");
        command
    }

    /// The actor as the leader of its session, with the part to play.
    pub fn alone(part: &str) -> Pty {
        let pty = Pty::spawn(in_shell(r#"exec "$@""#, part), (60, 12));
        pty.wait_for_text("frame 2");
        pty
    }

    /// What the tests beside it run in a terminal, by [`in_shell`].
    #[test]
    #[ignore = "run in a terminal by the tests beside it"]
    fn play() -> Result<(), TerminalError> {
        let part = std::env::var(PART).unwrap_or_default();
        install_panic_hook(|| false);
        let mut terminal = Terminal::enter(Options { mouse: part != "no mouse" })?;
        let mut said = String::from("nothing");
        let mut noise = false;
        for frame in 1_u64.. {
            let (columns, rows) = terminal.size();
            let area = Rect::new(0, 0, columns, rows);
            let mut buffer = terminal.recycle().unwrap_or_default();
            buffer.resize(area);
            buffer.reset();
            let count = if part == "still" { 2 } else { frame };
            let lines = if noise {
                vec![format!("{frame}.").repeat(columns.into()); rows.into()]
            } else {
                vec![
                    format!("frame {count}."),
                    format!("{columns} by {rows}."),
                    format!("pid {}.", std::process::id()),
                    format!("said {said}."),
                ]
            };
            for (row, line) in (0..rows).zip(lines) {
                buffer.set_stringn(0, row, line, columns.into(), Style::new());
            }
            terminal.show(buffer);
            match terminal.next(Duration::from_millis(20)) {
                Input::Nothing => {}
                Input::Vanished => exit(linger(&mut terminal)),
                Input::Signal(_) if part == "deaf" => {}
                Input::Signal(signal) if part == "slow to leave" => {
                    said = format!("{signal:?}");
                    let mut line = Buffer::empty(area);
                    line.set_string(0, 0, &said, Style::new());
                    terminal.show(line);
                    loop {
                        thread::park();
                    }
                }
                Input::Signal(signal) => {
                    terminal.leave();
                    exit(signal.exit_code().into());
                }
                Input::Key(key) if key.modifiers == KeyModifiers::NONE => match key.code {
                    KeyCode::Char('q') => {
                        let left = terminal.leave();
                        println!("left {left:?}");
                        exit(0);
                    }
                    KeyCode::Char('d') => return Ok(()),
                    KeyCode::Char('n') => noise = true,
                    KeyCode::Char('a') => std::process::abort(),
                    KeyCode::Char('o') => said = overflow(0).to_string(),
                    KeyCode::Char('p') => panic!("the dashboard is on fire"),
                    KeyCode::Char('w') => {
                        let end = thread::spawn(|| panic!("a worker is on fire")).join();
                        said = format!("worker {}", if end.is_err() { "panicked" } else { "ended" });
                    }
                    code => said = format!("{code:?}"),
                },
                Input::Mouse(mouse) => {
                    said = format!("{:?} at {} {}", mouse.kind, mouse.column, mouse.row);
                }
                other => {
                    said.clear();
                    let _ = write!(said, "{other:?}");
                }
            }
        }
        Ok(())
    }

    /// Needs more of its stack than there is.
    fn overflow(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 1_000]);
        if depth == u64::MAX { 0 } else { overflow(depth + 1) + room[999] }
    }

    /// What a program does that ends a little after its terminal; its exit code is 0 when that was cheap.
    fn linger(terminal: &mut Terminal) -> i32 {
        let (before, start) = (stat("self").0, Instant::now());
        while start.elapsed() < Duration::from_millis(500) {
            terminal.next(Duration::from_millis(50));
        }
        i32::from(stat("self").0 - before > 0.1)
    }
}

/// Long enough for a busy machine, short enough for somebody who waits.
const IN_TIME: Duration = Duration::from_secs(2);

#[test]
fn entering_takes_the_terminal_and_leaving_gives_it_back() {
    let mut pty = actor::alone("");
    assert!(!pty.has_its_modes());
    pty.look(|screen| {
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::ButtonMotion);
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.wait_for_text("left Restored");
    pty.assert_restored();
}

#[test]
fn dropping_gives_the_terminal_back() {
    let mut pty = actor::alone("no mouse");
    assert_eq!(pty.look(Screen::mouse_protocol_mode), MouseProtocolMode::None);
    pty.send("d");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn keys_and_the_mouse_arrive() {
    let mut pty = actor::alone("");
    for (sent, said) in [
        ("\x1b[A", "said Up."),
        ("\x1b", "said Esc."),
        ("\x1b[<0;3;4M", "said Down(Left) at 2 3."),
        ("\x1b[200~q\x1b[201~", "said Pasted(\"q\")."),
    ] {
        pty.send(sent);
        pty.wait_for_text(said);
    }
    // What is cut short is neither a key nor a reason to wait for more.
    pty.send("\x1b[1;");
    let frame = frame_of(&pty);
    pty.wait_for("ten more frames", |screen| frame_on(screen) > frame + 10);
    pty.send("x");
    pty.wait_for_text("said Char('x').");
}

fn frame_of(pty: &Pty) -> u64 {
    pty.look(frame_on)
}

fn frame_on(screen: &Screen) -> u64 {
    let screen = screen.contents();
    let number = screen.strip_prefix("frame ").and_then(|rest| rest.split('.').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn a_still_dashboard_writes_nothing() {
    let pty = actor::alone("still");
    // The actor shows ten equal frames in this time.
    pty.wait_for_quiet(Duration::from_millis(200));
}

#[test]
fn signals_end_the_program_with_their_code() {
    let signals = [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)];
    for (signal, code) in signals {
        let pty = actor::alone("");
        pty.signal(signal);
        assert_eq!(pty.wait_exit(NEVER).exit_code(), code);
        pty.assert_restored();
    }
}

#[test]
fn a_signal_that_asks_for_nothing_ends_the_program_and_restores_the_terminal_first() {
    for signal in [Signal::ALARM, Signal::USR1, Signal::USR2, Signal::VTALARM, Signal::PROF, Signal::XCPU] {
        let pty = actor::alone("");
        pty.signal(signal);
        let status = pty.wait_exit(NEVER);
        assert!(status.signal().is_some(), "{signal:?}: {status}");
        pty.assert_restored();
    }
}

#[test]
fn a_second_signal_ends_a_program_that_is_slow_to_leave() {
    let pty = actor::alone("slow to leave");
    pty.signal(Signal::TERM);
    pty.wait_for_text("Terminate");
    let status = loop {
        // One that comes too soon after the first counts as the first.
        pty.signal(Signal::TERM);
        if let Some(status) = pty.ended_within(Duration::from_millis(100)) {
            break status;
        }
    };
    assert_eq!(status.exit_code(), 143);
    pty.assert_restored();
}

#[test]
fn a_new_size_is_drawn_whole() {
    let mut pty = actor::alone("");
    for size @ (columns, rows) in [(100, 30), (20, 5), (9, 1), (1, 1), (60, 12)] {
        pty.resize(size);
        if columns > 8 && rows > 1 {
            pty.wait_for_text(&format!("{columns} by {rows}."));
        }
    }
    pty.wait_for_text("pid");
    // What the terminal forgot on its way is there again.
    pty.resize((60, 3));
    pty.wait_for_text("60 by 3.");
    pty.resize((60, 12));
    pty.wait_for_text("60 by 12.");
    pty.wait_for_text("said Resized.");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_terminal_without_a_size_is_80_by_24() {
    let pty = Pty::spawn(actor::in_shell(r#"exec "$@""#, ""), (80, 24));
    pty.wait_for_text("80 by 24.");
    pty.forget_size();
    pty.wait_for_text("said Resized.");
    pty.look(|screen| assert!(screen.contents().contains("80 by 24.")));
}

/// A shell with job control around the actor: it speaks when the job has stopped, and waits for a line.
const SHELL: &str = r#"set -m; "$@"; echo "stopped, $?"; read line; fg >/dev/null; echo "ended, $?""#;

fn suspend_and_go_on(stop: impl FnOnce(&mut Pty)) {
    let mut pty = Pty::spawn(actor::in_shell(SHELL, ""), (60, 12));
    pty.wait_for_text("frame 2");
    stop(&mut pty);
    pty.wait_for_text("stopped, 1");
    pty.assert_restored();
    pty.resize((70, 13));
    pty.send("\n");
    pty.wait_for_text("70 by 13.");
    pty.wait_for("the alternate screen", |screen| screen.alternate_screen() && screen.hide_cursor());
    pty.wait_for_text("said Res");
    assert!(!pty.has_its_modes());
    pty.send("q");
    pty.wait_for_text("ended, 0");
    pty.assert_restored();
}

#[test]
fn ctrl_z_hands_the_terminal_to_the_shell_and_takes_it_back() {
    suspend_and_go_on(|pty| pty.send("\x1a"));
}

#[test]
fn an_outside_stop_is_as_good_as_ctrl_z() {
    suspend_and_go_on(|pty| {
        let actor = actor_of(pty);
        assert!(kill_process(actor, Signal::TSTP).is_ok());
    });
}

#[test]
fn a_stopped_program_can_be_ended_without_the_terminal() {
    let script = r#"set -m; "$@"; kill -TERM %1; kill -CONT %1; wait; echo "killed, $?""#;
    let mut pty = Pty::spawn(actor::in_shell(script, ""), (60, 12));
    let actor = actor_of(&pty);
    pty.send("\x1a");
    pty.wait_for_text("killed, ");
    pty.assert_restored();
    // Not every shell's `wait` waits for a job that was stopped.
    ends_with_the_terminal_as_it_was(&pty, actor);
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
}

#[test]
fn a_stopped_program_whose_shell_ends_leaves_the_terminal_alone() {
    // Deaf to the signal that says so, it learns from the terminal that nobody is there.
    let mut pty = Pty::spawn(actor::in_shell(r#"set -m; "$@"; exit 0"#, "deaf"), (60, 12));
    let actor = actor_of(&pty);
    pty.send("\x1a");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
    ends_with_the_terminal_as_it_was(&pty, actor);
}

fn ends_with_the_terminal_as_it_was(pty: &Pty, actor: Pid) {
    let start = Instant::now();
    let stat = format!("/proc/{}/stat", actor.as_raw_pid());
    // Nobody may be there to bury it.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(pty.has_its_modes());
        assert!(start.elapsed() < NEVER, "the actor never ended");
        thread::yield_now();
    }
    pty.assert_restored();
}

#[test]
fn in_the_background_a_program_goes_on_unseen_until_it_has_the_terminal_again() {
    let script = r#"exec bash -c 'set -m; "$@"; bg >/dev/null; echo "in the background"; read line; fg >/dev/null; echo "ended, $?"' bash "$@""#;
    let mut pty = Pty::spawn(actor::in_shell(script, ""), (60, 12));
    let actor = actor_of(&pty);
    pty.send("\x1a");
    pty.wait_for_text("in the background");
    let (pid, start) = (actor.as_raw_pid().to_string(), Instant::now());
    while start.elapsed() < Duration::from_millis(300) {
        assert_ne!(stat(&pid).1, 'T');
        assert!(pty.has_its_modes());
        thread::sleep(Duration::from_millis(1));
    }
    pty.assert_restored();
    pty.send("\n");
    pty.wait_for("the dashboard", |screen| screen.alternate_screen() && screen.hide_cursor());
    pty.wait_for_text("said Resumed.");
    pty.send("q");
    pty.wait_for_text("ended, 0");
    pty.assert_restored();
}

/// The actor's process, which need not be the one that was started.
#[expect(clippy::unwrap_used, reason = "the screen shows it")]
fn actor_of(pty: &Pty) -> Pid {
    pty.wait_for_text("pid ");
    let screen = pty.look(Screen::contents);
    let pid = screen.split("pid ").nth(1).unwrap().split('.').next().unwrap();
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

#[test]
fn a_stop_that_nobody_would_undo_is_not_made() {
    let mut pty = actor::alone("");
    pty.send("\x1a");
    pty.signal(Signal::TSTP);
    pty.send("x");
    pty.wait_for_text("said Char('x').");
    assert_ne!(stat(&pty.pid.to_string()).1, 'T');
}

#[test]
fn going_on_without_a_stop_draws_everything_again() {
    let mut pty = actor::alone("");
    pty.signal(Signal::CONT);
    pty.wait_for_text("said Resumed.");
    // Somebody stops it the hard way, and uses the terminal meanwhile.
    pty.signal(Signal::STOP);
    while stat(&pty.pid.to_string()).1 != 'T' {
        thread::yield_now();
    }
    pty.scribble(b"\x1b[?1049l\x1b[?25h\x1b[2J");
    pty.signal(Signal::CONT);
    pty.wait_for("the dashboard", |screen| {
        screen.alternate_screen() && screen.hide_cursor() && screen.contents().contains("60 by 12.")
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_workers_panic_leaves_the_dashboard_alone() {
    let mut pty = actor::alone("");
    pty.send("w");
    pty.wait_for_text("said worker panicked.");
    assert!(pty.look(Screen::alternate_screen));
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
    assert!(!pty.has_written("fire"));
}

#[test]
fn the_dashboards_panic_restores_the_terminal_and_is_reported() {
    let mut pty = actor::alone("");
    pty.send("p");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 101);
    pty.wait_for_output("the dashboard is on fire");
    pty.assert_restored();
}

#[test]
fn a_fault_restores_the_terminal_and_is_told() {
    let ended = |pty: Pty, told: &str| {
        let status = pty.wait_exit(NEVER);
        assert!(status.signal().is_some(), "{status}");
        pty.wait_for_output(told);
        pty.assert_restored();
    };
    for key in ["a", "o"] {
        let mut pty = actor::alone("");
        pty.send(key);
        ended(pty, "threadrace: ended by SIGABRT: ");
    }
    for (signal, told) in [(Signal::ABORT, "ended by SIGABRT: "), (Signal::BUS, "ended by SIGBUS: ")] {
        let pty = actor::alone("");
        pty.signal(signal);
        ended(pty, told);
    }
}

#[test]
fn a_fault_ends_the_program_whoever_reads_nothing() {
    let mut pty = actor::alone("");
    pty.stall();
    pty.send("n");
    pty.fill_up();
    pty.signal(Signal::ABORT);
    let status = pty.wait_exit(IN_TIME);
    assert!(status.signal().is_some(), "{status}");
    assert!(pty.has_its_modes());
    pty.flow();
    pty.assert_restored();

    // Standard error is a pipe that holds no more.
    let script = r#"{ dd if=/dev/zero bs=65536 count=1 >&3 2>/dev/null; (exec "$@" 2>&3); echo "ended" >/dev/tty; } 3>&1 >/dev/tty | sleep 25"#;
    let mut pty = Pty::spawn(actor::in_shell(script, ""), (60, 12));
    pty.wait_for_text("frame 2");
    pty.send("a");
    pty.wait_for_text("ended");
    pty.assert_restored();
}

#[test]
fn a_fault_leaves_the_terminal_alone_that_a_shell_has() {
    // Who stops like this is not asked, and finds the terminal in the shell's hands when it goes on.
    for stop in [Signal::TSTP, Signal::STOP] {
        let script = r#"set -m; "$@"; echo stopped; kill -ABRT %1; kill -CONT %1; wait; echo "killed, $?""#;
        let pty = Pty::spawn(actor::in_shell(script, ""), (60, 12));
        let actor = actor_of(&pty);
        assert!(kill_process(actor, stop).is_ok());
        pty.wait_for_output("killed, ");
        assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
        assert!(!pty.has_written("ended by SIGABRT"));
        assert_eq!(pty.has_written("\x1b[?1049l"), stop == Signal::TSTP);
    }
}

#[test]
fn a_stalled_terminal_stops_nobody() {
    let mut pty = actor::alone("");
    pty.stall();
    pty.send("n");
    pty.fill_up();
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_exit(IN_TIME).exit_code(), 143);
    assert!(pty.has_its_modes());
    pty.flow();
    pty.assert_restored();
}

#[test]
fn a_terminal_that_is_read_again_shows_the_latest_frame() {
    let mut pty = actor::alone("");
    pty.stall();
    pty.send("n");
    pty.fill_up();
    pty.flow();
    // A noisy frame fills every row.
    pty.wait_for("a frame", |screen| {
        let last = screen.rows(0, 60).last().unwrap_or_default();
        last.len() == 60 && !screen.contents().contains("pid")
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.wait_for_text("left Restored");
    pty.assert_restored();
}

#[test]
fn a_vanished_terminal_ends_the_program_soon_and_cheaply() {
    let mut pty = actor::alone("deaf");
    pty.hang_up();
    assert_eq!(pty.wait_exit(IN_TIME).exit_code(), 0, "it used the processor while it ended");
}

#[test]
fn a_hang_up_is_a_signal_too() {
    let mut pty = actor::alone("");
    pty.hang_up();
    // Whichever comes first, the signal or the terminal's end.
    assert!(matches!(pty.wait_exit(IN_TIME).exit_code(), 0 | 129));
}

#[test]
fn standard_input_may_be_anything() {
    let mut pty = Pty::spawn(actor::in_shell(r#"exec "$@" </dev/null"#, ""), (60, 12));
    pty.wait_for_text("frame 2");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn standard_output_must_be_a_terminal() {
    let pty = Pty::spawn(actor::in_shell(r#""$@" | cat"#, ""), (200, 12));
    pty.wait_exit(NEVER);
    pty.wait_for_output("NotATerminal");
    pty.assert_restored();
}
