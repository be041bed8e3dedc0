//! The whole program in a terminal: it races, and however it ends, the terminal is as it was.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use portable_pty::CommandBuilder;
use rustix::process::Signal;
use threadrace::recording;

use crate::pty::{NEVER, Pty, stat};

/// A race that is over in a moment: tiny pictures from an origin that hardly waits.
const QUICK: &str = r#"
format = "threadrace-config-1"
scenario = "quick"
[scenarios.quick]
about = "eight tiny pictures"
content = "pictures"
tasks = 8
width = 32
height = 32
executors = ["sequential", "pool"]
workers = 4
[scenarios.quick.origin]
latency_seconds = 0.02
[scenarios.slow]
about = "pictures that hardly come"
content = "pictures"
tasks = 8
width = 32
height = 32
executors = ["sequential", "threads", "pool", "async"]
workers = 4
[scenarios.slow.origin]
latency_seconds = 30.0
"#;

fn program(folder: &Path, arguments: &[&str]) -> CommandBuilder {
    fs::write(folder.join("race.toml"), QUICK).expect("the test's folder can be written");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_threadrace"));
    command.args(["--config", "race.toml", "-o", "out"]);
    command.args(arguments);
    command.cwd(folder);
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("COLORTERM", "truecolor")] {
        command.env(name, value);
    }
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a folder for temporary files")
}

#[test]
fn a_race_ends_with_gauges_and_leaves_its_report() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["--report", "r.json"]), (100, 30));
    pty.wait_for_text("race over");
    pty.wait_for_text("speedup: how many times as fast as sequential");
    for (key, sight) in [("2", "own start"), ("3", "by # "), ("4", "what the words mean"), ("?", "this help")]
    {
        pty.send(key);
        pty.wait_for_text(sight);
    }
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
    assert!(pty.has_written("efficiency"), "the table is left on the terminal");
    let report = fs::read_to_string(folder.path().join("r.json")).expect("the report was written");
    assert!(report.contains("\"threadrace-report\""));
    assert_eq!(fs::read_dir(folder.path().join("out/pool")).expect("the run wrote").count(), 8);
}

#[test]
fn a_race_can_be_run_again_with_more_workers() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &[]), (100, 30));
    pty.wait_for_text("race over");
    pty.send("w");
    pty.wait_for_text("next race: pool ×5");
    pty.send("r");
    pty.wait_for_text("of 5× ideal");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_race_can_be_taken_home() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &[]), (120, 30));
    pty.wait_for_text("race over");
    pty.send("x");
    pty.wait_for_text("export the race into out");
    pty.send("\x1b[B\x1b[B\r");
    pty.wait_for_text("wrote out/quick.screen.svg");
    let picture = fs::read_to_string(folder.path().join("out/quick.screen.svg")).expect("it was written");
    assert!(picture.contains("race over") && !picture.contains("export the race"), "the list is not in it");
    pty.send("x\r");
    pty.wait_for_text("wrote out/quick.html");
    for name in ["quick.jsonl", "quick-2.jsonl"] {
        pty.send("k");
        pty.wait_for_text(&format!("wrote out/{name}"));
    }
    let kept = recording::read_file(&folder.path().join("out/quick.jsonl")).expect("it is a recording");
    assert!(kept.flaws.is_empty() && kept.race().went_as_meant());
    fs::rename(folder.path().join("out"), folder.path().join("away")).expect("it can be renamed");
    fs::write(folder.path().join("out"), "in the way").expect("a file can stand there");
    pty.send("x\r");
    pty.wait_for_text("out could not be written");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
    assert_eq!(fs::read_dir(folder.path().join("away")).expect("it is there").count(), 7);
}

#[test]
fn each_signal_ends_a_race_and_restores_the_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let folder = folder();
        let pty = Pty::spawn(program(folder.path(), &["slow"]), (80, 24));
        pty.wait_for_text("waiting");
        pty.signal(signal);
        assert_eq!(pty.wait_exit(Duration::from_secs(5)).exit_code(), code);
        pty.assert_restored();
    }
}

#[test]
fn ctrl_c_ends_it_like_the_signal() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["slow"]), (80, 24));
    pty.wait_for_text("waiting");
    pty.send("\x03");
    assert_eq!(pty.wait_exit(Duration::from_secs(5)).exit_code(), 130);
    pty.assert_restored();
}

#[test]
fn quitting_in_the_middle_is_prompt_and_not_a_success() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["slow", "--together"]), (80, 24));
    pty.wait_for_text("runs at once");
    pty.wait_for_text("waiting");
    pty.send("q");
    assert_eq!(pty.wait_exit(Duration::from_secs(5)).exit_code(), 1);
    pty.assert_restored();
    for run in ["sequential", "threads", "pool", "async"] {
        let left = fs::read_dir(folder.path().join("out").join(run)).expect("the run had a folder").count();
        assert_eq!(left, 0, "{run} left something half-done");
    }
}

#[test]
fn quitting_while_a_race_gets_ready_is_not_a_success() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["images-20", "-n", "20000"]), (80, 24));
    pty.wait_for_text("Getting ready");
    pty.send("q");
    assert_eq!(pty.wait_exit(Duration::from_secs(5)).exit_code(), 1);
    pty.assert_restored();
}

#[test]
fn cancelling_leaves_the_dashboard_up() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["slow"]), (100, 30));
    pty.wait_for_text("waiting");
    pty.send("c");
    pty.wait_for_text("race over");
    pty.wait_for_text("cancelled");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 1);
    pty.assert_restored();
}

#[test]
fn a_panicking_task_costs_itself_alone() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["errors", "-e", "pool", "-n", "8"]), (100, 30));
    pty.wait_for_text("race over");
    pty.wait_for_text("panicked");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 1);
    pty.assert_restored();
    assert!(!pty.has_written("stack backtrace"), "a task's panic is an event, not a message on the screen");
    assert!(!pty.has_written("RUST_BACKTRACE"));
}

#[test]
fn a_file_of_somebody_else_is_named_and_stays() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("out/pool")).expect("the test's folder can be written");
    fs::write(folder.path().join("out/pool/picture-1.jpg"), "mine")
        .expect("the test's folder can be written");
    let mut pty = Pty::spawn(program(folder.path(), &[]), (100, 30));
    pty.wait_for_text("The race could not start");
    pty.wait_for_text("was not written by threadrace");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 3);
    pty.assert_restored();
    assert_eq!(fs::read(folder.path().join("out/pool/picture-1.jpg")).expect("it is there"), b"mine");
}

#[test]
fn ctrl_z_stops_it_and_fg_brings_it_back() {
    let folder = folder();
    let mut shell = CommandBuilder::new("/bin/bash");
    shell.args(["--norc", "-i"]);
    let program = program(folder.path(), &[]);
    let line: Vec<String> =
        program.get_argv().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    shell.cwd(folder.path());
    shell.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PS1", "shell> "), ("HOME", "/")]
    {
        shell.env(name, value);
    }
    let mut pty = Pty::spawn(shell, (100, 30));
    pty.wait_for_text("shell>");
    pty.send(&format!("{}\r", line.join(" ")));
    pty.wait_for_text("race over");
    pty.send("\x1a");
    pty.wait_for_text("Stopped");
    assert!(!pty.look(vt100::Screen::alternate_screen));
    pty.send("fg\r");
    pty.wait_for("the dashboard", |screen| {
        screen.alternate_screen() && screen.contents().contains("race over")
    });
    pty.send("q");
    pty.wait_for("the shell's prompt below the report", |screen| {
        let last = screen.contents().trim_end().lines().last().map(str::to_owned);
        !screen.alternate_screen() && last.is_some_and(|line| line.trim() == "shell>")
    });
    pty.send("exit\r");
    pty.wait_exit(NEVER);
}

#[test]
fn every_size_is_drawn_and_a_race_that_is_over_costs_nothing() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &[]), (1, 1));
    pty.resize((20, 5));
    pty.wait_for_text("speedup");
    pty.resize((100, 30));
    pty.wait_for_text("race over");
    pty.wait_for_quiet(Duration::from_millis(300));
    let process = pty.pid.as_raw_nonzero().to_string();
    let (before, _) = stat(&process);
    pty.wait_for_quiet(Duration::from_secs(1));
    let (after, _) = stat(&process);
    assert!(
        after - before <= 0.05,
        "{} s of processor time in a second in which nothing moved",
        after - before
    );
    pty.resize((3, 2));
    pty.resize((80, 24));
    pty.wait_for_text("1 Race");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

/// What a frozen picture says of its moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FrozenAt {
    seconds: f64,
    /// How many of the run's events have happened.
    events: usize,
}

fn frozen_at(screen: &vt100::Screen) -> Option<FrozenAt> {
    let screen = screen.contents();
    let (_, moment) = screen.split_once("┃┃ frozen")?;
    let (seconds, _) = moment.split_once(" s of")?;
    let (_, log) = screen.split_once("events, ms from start")?;
    let (events, _) = log.trim_start_matches([' ', '─']).split_once(" of ")?;
    Some(FrozenAt { seconds: seconds.trim().parse().ok()?, events: events.parse().ok()? })
}

#[test]
fn a_live_race_is_frozen_scrubbed_and_returned_to() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["slow"]), (120, 36));
    // Only then is there something to go back to, step by step.
    pty.wait_for("a run of more than a second", |screen| {
        screen.contents().lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&"running")
                && words.windows(2).any(|pair| pair[1] == "s" && pair[0].parse::<f64>().is_ok())
        })
    });
    pty.send(" ");
    pty.wait_for_text("┃┃ frozen");
    pty.wait_for_text("events, ms from start");
    // The race goes on behind the picture.
    pty.wait_for("the live race ahead", |screen| {
        let screen = screen.contents();
        screen.contains("live is") && screen.contains("ahead: End")
    });
    for keys in ["\x1b[D", ",", "\x1b[H"] {
        let before = pty.look(frozen_at);
        assert!(before.is_some(), "no moment is told");
        pty.send(keys);
        // Two events may lie in the same millisecond.
        pty.wait_for("fewer events, or an earlier moment", |screen| {
            frozen_at(screen).zip(before).is_some_and(|(now, before)| {
                now != before && now.events <= before.events && now.seconds <= before.seconds
            })
        });
    }
    pty.send(">> ");
    pty.wait_for_text("not live ×4");
    pty.send("\x1b[F");
    pty.wait_for("the live race", |screen| {
        let screen = screen.contents();
        !screen.contains("not live") && !screen.contains("frozen") && screen.contains("run 1 of 4")
    });
    pty.send("q");
    assert_eq!(pty.wait_exit(Duration::from_secs(5)).exit_code(), 1);
    pty.assert_restored();
}

#[test]
fn a_frozen_picture_of_a_race_that_is_over_costs_nothing() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &[]), (100, 30));
    pty.wait_for_text("race over");
    pty.send(",");
    pty.wait_for_text("┃┃ frozen");
    pty.wait_for_quiet(Duration::from_millis(300));
    let process = pty.pid.as_raw_nonzero().to_string();
    let (before, _) = stat(&process);
    pty.wait_for_quiet(Duration::from_secs(1));
    let (after, _) = stat(&process);
    assert!(
        after - before <= 0.05,
        "{} s of processor time in a second in which nothing moved",
        after - before
    );
    pty.send(" ");
    pty.wait_for("the race's end, played to", |screen| !screen.contents().contains("frozen"));
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_stalled_terminal_stalls_no_race() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &["--report", "r.json"]), (200, 60));
    pty.wait_for_text("threadrace");
    pty.stall();
    let manifest = folder.path().join("out/.threadrace-manifest.json");
    let deadline = std::time::Instant::now() + NEVER;
    // What a run wrote is noted when the race is over.
    while !fs::read_to_string(&manifest).is_ok_and(|text| text.contains("modified_nanos")) {
        assert!(std::time::Instant::now() < deadline, "the race did not go on");
        std::thread::yield_now();
    }
    pty.send("q");
    pty.flow();
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let folder = folder();
    let mut command = program(folder.path(), &[]);
    command.env("TERM", "dumb");
    let pty = Pty::spawn(command, (80, 24));
    pty.wait_for_output("efficiency");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    assert!(!pty.has_written("\x1b["), "no escape sequence goes to a terminal that knows none");
}

#[test]
fn a_race_is_compared_with_the_one_before() {
    let folder = folder();
    let mut pty = Pty::spawn(program(folder.path(), &[]), (110, 40));
    pty.wait_for_text("race over");
    pty.send("d");
    pty.wait_for_text("no race came before this one");
    pty.send("wr");
    pty.wait_for_text("of 5× ideal");
    pty.send("d");
    pty.wait_for_text("one run of each can't tell luck from truth");
    pty.wait_for_text("pool had 4 workers in A and 5 in B");
    pty.send("?");
    pty.wait_for_text("what the words mean");
    pty.send("\u{1b}");
    pty.wait_for_text("race over");
    pty.send("q");
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.assert_restored();
}
