//! The program itself, as a shell and other programs meet it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use image::ImageFormat;
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::pty::Pty;
use crate::rig::{Fallible, MS, NEVER, RawServer, SMALL_WORK, files_in, hold, reply};
use crate::schema::REPORT;

const PROGRAM: &str = env!("CARGO_BIN_EXE_threadrace");

/// Small and quick scenarios; `threadrace` in its folder finds them by itself.
const CONFIG: &str = r#"
format = "threadrace-config-1"
scenario = "small"
[download]
retries = 1
backoff_seconds = 0.01
connect_seconds = 5.0
[scenarios.small]
content = "pictures"
tasks = 20
width = 64
height = 40
workers = 5
[scenarios.small.origin]
latency_seconds = 0.005
[scenarios.wrong]
content = "faults"
tasks = 8
width = 64
height = 40
executors = ["pool"]
[scenarios.endless]
content = "posts"
tasks = 6
executors = ["sequential", "pool"]
workers = 3
[scenarios.endless.origin]
latency_seconds = 3600.0
[scenarios.leisurely]
content = "posts"
tasks = 3
executors = ["sequential", "pool"]
workers = 3
[scenarios.leisurely.origin]
latency_seconds = 0.5
[scenarios.huge]
content = "pictures"
tasks = 64
width = 1200
height = 1200
"#;

/// A folder to run the program in.
struct Place(TempDir);

impl Place {
    fn new() -> io::Result<Place> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("config.toml"), CONFIG)?;
        Ok(Place(dir))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// The program in this folder; nothing of this process's environment reaches it.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        self.program(arguments).output()
    }

    /// Runs the program with `input` on its standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> io::Result<Output> {
        let mut child = self
            .program(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    }

    /// Everything below a folder, by its path in it.
    fn tree(&self, below: &str) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let (root, mut found) = (self.path(below), BTreeMap::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).map_err(io::Error::other)?.to_owned();
                    found.insert(name, fs::read(&path)?);
                }
            }
        }
        Ok(found)
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails unless the program ended with `code`.
#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", err(output));
}

/// Fails unless the program ended with `code` and told why in one line that begins with its name.
#[track_caller]
fn assert_refused(output: &Output, code: i32, words: &str) {
    assert_code(output, code);
    let told = err(output);
    assert!(told.contains(words), "{told}");
    assert!(!told.contains("panicked") && !told.contains("Location:"), "{told}");
    assert_eq!(out(output), "");
}

/// A program under way, killed when it is dropped.
struct Going(Child);

impl Going {
    fn pid(&self) -> Fallible<Pid> {
        Ok(i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).ok_or("no pid")?)
    }

    fn signal(&self, signal: Signal) -> Fallible {
        Ok(kill_process(self.pid()?, signal)?)
    }

    fn end(mut self, within: Duration) -> Fallible<(ExitStatus, String)> {
        let begun = Instant::now();
        let mut stdout = self.0.stdout.take();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            stdout.as_mut().map_or(Ok(0), |stdout| stdout.read_to_string(&mut text)).map(|_| text)
        });
        while begun.elapsed() < within {
            if let Some(status) = self.0.try_wait()? {
                let text = reader.join().map_err(|_| "the reader panicked")??;
                return Ok((status, text));
            }
            thread::sleep(MS(5));
        }
        Err(format!("it did not end within {within:?}").into())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How the tasks of a run ended, in their order.
fn outcomes(run: &Value) -> Vec<&str> {
    let tasks = run["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    tasks.iter().map(|task| task["outcome"].as_str().unwrap_or("none")).collect()
}

#[test]
fn a_sweep_tells_what_more_workers_bought() -> Fallible {
    let place = Place::new()?;
    let output = place.run(&[
        "sweep",
        "small",
        "--workers",
        "1,2,4..6",
        "--plain",
        "--format",
        "json",
        "--report",
        "r.txt",
    ])?;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    REPORT.check(&report)?;
    let labels: Vec<&str> =
        report["runs"].as_array().into_iter().flatten().filter_map(|run| run["label"].as_str()).collect();
    assert_eq!(labels, ["sequential", "pool-1", "pool-2", "pool-4", "pool-5", "pool-6"]);
    let sweep = &report["sweep"];
    assert_eq!((&sweep["executor"], sweep["points"].as_array().map(Vec::len)), (&"pool".into(), Some(5)));
    assert!(sweep["usl"]["contention"].is_number() && sweep["amdahl"]["serial"].is_number(), "{sweep}");
    assert!(sweep["sentence"].is_string(), "{sweep}");
    let table = fs::read_to_string(place.path("r.txt"))?;
    assert!(table.contains("Karp-Flatt") && table.lines().all(|line| line.chars().count() <= 80), "{table}");

    let told = |arguments: &[&str]| -> io::Result<(Option<i32>, String)> {
        let output = place.run(arguments)?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    for (arguments, reason) in [
        (&["sweep", "small", "-e", "threads"][..], "threads takes no number of workers"),
        (&["sweep", "small", "-e", "pool,async"], "one executor"),
        (&["sweep", "small", "-e", "pool:3"], "--workers"),
        (&["sweep", "small", "-w", "1,2"], "3 numbers of workers at least"),
        (&["sweep", "small", "--together"], "--together"),
        (&["small", "-w", "1..8"], "threadrace sweep"),
        (&["sweep", "smal"], "small"),
    ] {
        let (code, words) = told(arguments)?;
        assert_eq!((code, words.contains(reason)), (Some(2), true), "{arguments:?}: {words}");
    }
    Ok(())
}

#[test]
fn twenty_pictures_are_raced_and_reported_as_json() -> Fallible {
    let place = Place::new()?;
    let output = place.run(&["--format", "json", "--report", "report.csv"])?;
    assert_code(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    REPORT.check(&report)?;
    let runs = report["runs"].as_array().ok_or("no runs")?;
    assert_eq!(runs.len(), 4);
    for run in runs {
        let tasks = run["tasks"].as_array().ok_or("no tasks")?;
        assert_eq!(tasks.len(), 20);
        for task in tasks {
            let path = task["path"].as_str().ok_or("no path")?;
            let picture = image::load_from_memory_with_format(&fs::read(path)?, ImageFormat::Jpeg)?;
            assert_eq!((picture.width(), picture.height()), (64, 40), "{path}");
        }
        let folder = place.path("threadrace-output").join(run["label"].as_str().ok_or("no label")?);
        assert_eq!(files_in(&folder)?.len(), 20);
        if cfg!(target_os = "linux") {
            let cpu = |kind: &str| run["cpu_seconds"][kind].as_f64().ok_or("no processor time");
            assert!(cpu("user")? + cpu("system")? > 0.0, "{run}");
            assert!(run["peak_memory_bytes"].as_u64().ok_or("no memory")? > 1_000_000, "{run}");
        }
    }
    let csv = fs::read_to_string(place.path("report.csv"))?;
    assert_eq!(csv.lines().count(), 81, "a row for each task of each run, and the head");
    let told = err(&output);
    assert!(told.contains("sequential: 20 tasks, 1 at once") && told.contains("pool 20/20"), "{told}");
    Ok(())
}

#[test]
fn tasks_that_fail_make_exit_code_1_and_a_report() -> Fallible {
    let place = Place::new()?;
    let output = place.run(&["wrong", "--format", "json"])?;
    assert_code(&output, 1);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    REPORT.check(&report)?;
    let outcomes = outcomes(&report["runs"][0]);
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!((count("done"), count("failed"), count("panicked")), (4, 3, 1), "{outcomes:?}");
    assert!(err(&output).contains("FAILED: ") && err(&output).contains("PANICKED: "), "{}", err(&output));
    assert!(!err(&output).contains("panicked at"), "a panic is told as one line: {}", err(&output));
    Ok(())
}

#[test]
fn a_condition_that_is_true_makes_exit_code_1_and_tells_the_value() -> Fallible {
    let place = Place::new()?;
    let pool =
        ["small", "-e", "sequential,pool", "--fail-if", "pool.wall<=0", "--fail-if", "pool.failed > 0"];
    let output = place.run(&pool)?;
    assert_code(&output, 0);
    let output = place
        .run(&[&pool[..], &["--fail-if", "pool.wall>0", "--fail-if", "sequential.speedup==1"]].concat())?;
    assert_code(&output, 1);
    let told = err(&output);
    assert!(told.contains("threadrace: pool.wall>0 is true: measured 0."), "{told}");
    assert!(told.contains("threadrace: sequential.speedup==1 is true: measured 1\n"), "{told}");
    assert!(!told.contains("pool.failed"), "{told}");
    assert!(out(&output).contains("speedup"), "the report is there all the same");
    let output = place.run(&["small", "--fail-if", "pool.luck<1"])?;
    assert_code(&output, 2);
    assert!(err(&output).contains("there is no figure 'luck'; there are: wall, speedup"), "{}", err(&output));
    let output = place.run(&["small", "-e", "pool", "--fail-if", "pool.speedup<1"])?;
    assert_code(&output, 1);
    assert!(
        err(&output).contains("pool.speedup<1 could not be measured: there is nothing to compare"),
        "{}",
        err(&output)
    );
    let output = place.run(&["wrong", "--fail-if", "pool.speedup<1"])?;
    assert_code(&output, 1);
    assert!(err(&output).contains("tasks failed"), "{}", err(&output));
    Ok(())
}

#[test]
fn a_recording_is_held_against_conditions_too() -> Fallible {
    let place = Place::new()?;
    // Its tasks fail, which a replay is not blamed for.
    assert_code(&place.run(&["wrong", "-e", "pool", "--record", "race.jsonl"])?, 1);
    let replay = |conditions: &[&str]| {
        place.run(&[&["replay", "race.jsonl", "--plain", "--format", "csv"], conditions].concat())
    };
    assert_code(&replay(&[])?, 0);
    assert_code(&replay(&["--fail-if", "pool.wall<=0"])?, 0);
    let output = replay(&["--fail-if", "pool.failed>0"])?;
    assert_code(&output, 1);
    assert!(err(&output).contains("threadrace: pool.failed>0 is true: measured "), "{}", err(&output));
    assert!(out(&output).contains("pool"), "the report is there all the same");
    let output = replay(&["--fail-if", "async.wall>1"])?;
    assert_code(&output, 2);
    assert!(err(&output).contains("this race has no run 'async'; it has: pool"), "{}", err(&output));
    Ok(())
}

#[test]
fn a_wrong_usage_is_exit_code_2() -> Fallible {
    let place = Place::new()?;
    let empty = place.path("empty.txt");
    fs::write(&empty, "# nothing\n\n")?;
    for (arguments, words) in [
        (&["no-such-scenario"][..], "there is no scenario 'no-such-scenario'"),
        (&["--workers", "0"], "--workers"),
        (&["--frobnicate"], "--frobnicate"),
        (&["--url", "not a url"], "this is no URL"),
        (&["--url", "file:///etc/passwd"], "only http and https are"),
        (&["--url", "http://"], "this is no URL"),
        (&["--urls", "empty.txt"], "there is no URL in it"),
        (&["--urls", "missing.txt"], "missing.txt"),
        (&["--config", "missing.toml"], "missing.toml"),
        (&["small", "--url", "http://127.0.0.1/"], "--url"),
        (&["-e", "pool:0"], "pool:0"),
        (&["daemon", "-e", "sequential,async"], "has no time for work of its own (main_seconds)"),
        (&["small", "--fail-if", "pool.speedup=4\u{1b}[2J"], "one of < <= > >= == !="),
        (&["small", "--fail-if", "gil.speedup<4"], "this race has no run 'gil'; it has: "),
        (&["small", "--report", "-"], "standard output has the report already: name a file"),
        (&["small", "--record", "-"], "standard output has the report already: name a file"),
        (&["small", "--report", ""], "--report"),
        (&["small", "--record", ""], "--record"),
        (&["origin", "--bind", "nowhere"], "nowhere"),
        (&["--theme", "a\u{1b}[31mb\u{202e}\u{7}"], "--theme"),
        (&["-e", "pool", "--fro\u{1b}]0;b\u{7}"], "--fro"),
    ] {
        let output = place.run(arguments)?;
        assert_refused(&output, 2, words);
        let acts = |c: char| c != '\n' && threadrace::text::is_unsafe(c);
        assert!(!err(&output).contains(acts), "{:?}", err(&output));
    }
    let output = place.run_with(&["--urls", "-"], "http://ok/\n\u{1b}[31mgarbage\u{202e}\n")?;
    assert_refused(&output, 2, "standard input:2");
    assert!(!err(&output).contains(['\u{1b}', '\u{202e}']), "{:?}", err(&output));
    assert!(!place.path("threadrace-output").exists(), "nothing was begun");
    Ok(())
}

/// A program with these arguments whose race's first task is under way, which it says on standard error.
fn racing(place: &Place, arguments: &[&str]) -> Fallible<Going> {
    let mut command = place.program(arguments);
    let mut going = Going(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let stderr = going.0.stderr.take().ok_or("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    for line in lines.by_ref() {
        if line?.contains(" at once") {
            // Somebody has to go on reading.
            thread::spawn(move || lines.for_each(drop));
            return Ok(going);
        }
    }
    Err("it ended before it began".into())
}

#[test]
fn a_damaged_recording_writes_nothing_but_text_and_no_export_takes_its_place() -> Fallible {
    let place = Place::new()?;
    assert_code(&place.run(&["small", "-n", "2", "-e", "pool", "--plain", "--record", "race.jsonl"])?, 0);
    let whole = fs::read_to_string(place.path("race.jsonl"))?;
    let refused = place.run(&["export", "race.jsonl", "--to", "json", "-o", "./race.jsonl", "--force"])?;
    assert_refused(&refused, 2, "race.jsonl is the recording");
    assert_eq!(fs::read_to_string(place.path("race.jsonl"))?, whole);

    let evil = r#"{"at":1,"event":"\u001b]0;pwned\u0007\u202eevil"}"#;
    let lines: Vec<&str> = whole.lines().take(2).chain([evil]).collect();
    fs::write(place.path("evil.jsonl"), lines.join("\n") + "\n")?;
    for arguments in
        [&["replay", "evil.jsonl", "--plain"][..], &["diff", "evil.jsonl", "race.jsonl", "--plain"]]
    {
        let told = place.run(arguments)?;
        assert!(err(&told).contains("damaged at line 3"), "{}", err(&told));
        let foreign = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!err(&told).contains(foreign) && !out(&told).contains(foreign), "{arguments:?}");
    }
    Ok(())
}

#[test]
fn two_races_are_not_recorded_into_one_file() -> Fallible {
    let place = Place::new()?;
    let _first = racing(&place, &["endless", "--record", "race.jsonl"])?;
    let second = place.run(&["small", "--record", "race.jsonl", "-o", "elsewhere"])?;
    assert_refused(&second, 3, "race.jsonl is being written by another threadrace");
    Ok(())
}

#[test]
fn a_list_of_urls_from_standard_input_is_downloaded() -> Fallible {
    let server = RawServer::start(|asked, stream| reply(stream, "200 OK", "", asked.path.as_bytes()))?;
    let hostile = [
        "/a/same.bin",
        "/b/same.bin",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/..%5c..%5cboot.ini",
        "/nul%00byte",
        "/%e2%80%ae%67%70%6a.exe",
        "/%1b%5b31mred",
        "/-rf",
        "/.hidden",
        "/file.part",
        "/file",
        "/",
        "/FILE",
        "/%ff%fe",
    ];
    let long = format!("/{}", "x".repeat(400));
    let sly = format!("/{}.part{}", "y".repeat(195), "z".repeat(50));
    let victim = format!("/{}", "y".repeat(195));
    let paths: Vec<&str> =
        hostile.iter().copied().chain([long.as_str(), sly.as_str(), victim.as_str()]).collect();
    let list: Vec<String> = paths.iter().map(|path| server.url(path)).collect();
    let place = Place::new()?;
    let arguments = ["--urls", "-", "-e", "sequential,threads,pool:9", "-o", "deep/out", "--format", "json"];
    let output = place.run_with(&arguments, &format!("# a comment\n\n{}\n", list.join("\r\n")))?;
    assert_code(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    REPORT.check(&report)?;
    for run in ["sequential", "threads", "pool"] {
        let files = files_in(&place.path("deep/out").join(run))?;
        assert_eq!(files.len(), paths.len(), "{:?}", files.keys());
        for name in files.keys() {
            assert!(name.len() <= 210 && !name.starts_with(['.', '-']), "{name:?}");
            assert!(
                !name.contains(|c: char| threadrace::text::is_unsafe(c) || "/\\:".contains(c)),
                "{name:?}"
            );
        }
        let mut bodies: Vec<_> = files.values().map(|body| String::from_utf8_lossy(body)).collect();
        bodies.sort_unstable();
        let mut expected = paths.clone();
        expected.sort_unstable();
        assert_eq!(bodies, expected, "each body is in a file of its own");
    }
    let beside: Vec<_> = place.tree(".")?.into_keys().filter(|path| !path.starts_with("deep/out")).collect();
    assert_eq!(beside, [Path::new("config.toml")], "nothing is written anywhere else");
    Ok(())
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() -> Fallible {
    for name in ["picture-01.jpg", "picture-07.jpg.part"] {
        let place = Place::new()?;
        assert_code(&place.run(&["-e", "pool,sequential"])?, 0);
        let before = place.tree("threadrace-output/pool")?;
        let foreign = place.path("threadrace-output/threads").join(name);
        fs::create_dir_all(place.path("threadrace-output/threads"))?;
        fs::write(&foreign, "theirs")?;
        let output = place.run(&["-e", "pool,threads"])?;
        assert_refused(&output, 3, name);
        assert!(err(&output).contains("-o DIR"), "{}", err(&output));
        assert_eq!(fs::read(&foreign)?, b"theirs");
        assert_eq!(place.tree("threadrace-output/pool")?, before, "nothing was deleted");
    }
    Ok(())
}

#[test]
fn a_second_race_replaces_its_own_files_and_nothing_else() -> Fallible {
    let place = Place::new()?;
    assert_code(&place.run(&["-e", "pool"])?, 0);
    let first = place.tree("threadrace-output/pool")?;
    fs::write(place.path("threadrace-output/pool/notes.txt"), "mine")?;
    assert_code(&place.run(&["-e", "pool", "--seed", "7"])?, 0);
    let mut second = place.tree("threadrace-output/pool")?;
    assert_eq!(second.remove(Path::new("notes.txt")), Some(b"mine".to_vec()));
    assert!(first.keys().eq(second.keys()), "{:?}", second.keys());
    assert!(first.iter().all(|(name, body)| second.get(name) != Some(body)), "another seed, other pictures");
    fs::write(place.path("threadrace-output/pool/picture-03.jpg"), "edited")?;
    assert_refused(&place.run(&["-e", "pool"])?, 3, "picture-03.jpg");
    Ok(())
}

#[test]
fn rounds_replace_each_others_files_and_are_reported_together() -> Fallible {
    let place = Place::new()?;
    let repeated = ["-e", "sequential,pool", "--repeat", "3", "--warmup", "1", "--format", "json"];
    let output = place.run(&repeated)?;
    assert_code(&output, 0);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    REPORT.check(&report)?;
    let runs = report["runs"].as_array().ok_or("no runs")?;
    let rounds: Vec<_> = runs.iter().map(|run| (run["round"].as_u64(), run["warmup"].as_bool())).collect();
    let round = |number, warmup| [(Some(number), Some(warmup)); 2];
    assert_eq!(rounds, [round(1, true), round(1, false), round(2, false), round(3, false)].concat());
    assert!(runs.iter().all(|run| run["done"] == 20 && run["speedup"].is_number()), "{rounds:?}");
    for pair in runs.chunks(2) {
        let sequential =
            pair.iter().find(|run| run["executor"] == "sequential").ok_or("no sequential run")?;
        let walls = |run: &Value| run["wall_seconds"].as_f64().ok_or("no wall");
        for run in pair {
            assert_eq!(run["speedup"].as_f64().ok_or("no speedup")?, walls(sequential)? / walls(run)?);
        }
    }
    for (place_of, run) in runs.iter().enumerate() {
        let path = &run["tasks"][0]["path"];
        assert_eq!(path.is_string(), place_of >= 6, "the files of the last round are there");
        assert!(path.as_str().is_none_or(|path| Path::new(path).is_file()));
    }
    let groups = report["groups"].as_array().ok_or("no groups")?;
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!((&group["samples"], &group["wall_seconds"]["samples"]), (&3.into(), &3.into()));
        assert!(group["wall_seconds"]["low"].is_null(), "three rounds are too few for an interval");
    }
    assert_eq!(groups[1]["difference"], "too_few");
    for label in ["sequential", "pool"] {
        assert_eq!(files_in(&place.path("threadrace-output").join(label))?.len(), 20);
    }
    let told = err(&output);
    for line in ["warm-up 1 of 1, sequential: 20 tasks, 1 at once", "round 3 of 3, pool 20/20"] {
        assert!(told.contains(line), "{told}");
    }
    // What the last round wrote is ours, for the next race to replace.
    assert_code(&place.run(&["-e", "sequential,pool", "--repeat", "2"])?, 0);
    assert_refused(&place.run(&["--together", "--repeat", "2"])?, 2, "can't be repeated");
    assert_refused(&place.run(&["-n", "1000", "--repeat", "1000"])?, 2, "too many to keep in memory");
    Ok(())
}

#[test]
fn every_kind_of_work_is_repeated() -> Fallible {
    let place = Place::new()?;
    fs::write(place.path("config.toml"), format!("{CONFIG}{SMALL_WORK}"))?;
    let small = "-n 4 -w 2 --time-scale 0.01 --repeat 2 --warmup 1 --format json";
    let small: Vec<&str> = small.split(' ').collect();
    for scenario in ["files", "reads", "crud", "api", "data", "sleep-10", "counter", "daemon", "wrong"] {
        let output = place.run(&[&[scenario], small.as_slice()].concat())?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        REPORT.check(&report).map_err(|error| format!("{scenario}: {error}"))?;
        let runs = report["runs"].as_array().ok_or("no runs")?;
        let ended = |run: &Value| run["status"] == "completed";
        assert!(runs.iter().all(ended), "{scenario}: {}", err(&output));
        assert_code(&output, i32::from(scenario == "wrong"));
        let labels = report["groups"].as_array().ok_or("no groups")?.len();
        assert_eq!(runs.len(), 3 * labels, "{scenario}");
    }
    Ok(())
}

#[test]
fn a_race_after_a_killed_one_clears_its_parts() -> Fallible {
    let server = RawServer::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
        hold(stream)
    })?;
    let place = Place::new()?;
    let url = server.url("/a.bin");
    let arguments = ["--url", url.as_str(), "-e", "pool", "-o", "out"];
    let going = Going(place.program(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let (begun, part) = (Instant::now(), place.path("out/pool/a.bin.part"));
    while !part.exists() {
        assert!(begun.elapsed() < NEVER, "no part file came");
        thread::sleep(MS(2));
    }
    going.signal(Signal::KILL)?;
    going.end(NEVER)?;
    assert!(part.exists() && !place.path("out/pool/a.bin").exists());
    let server = RawServer::start(|_, stream| reply(stream, "200 OK", "", b"whole"))?;
    let url = server.url("/a.bin");
    assert_code(&place.run(&["--url", &url, "-e", "pool", "-o", "out"])?, 0);
    assert_eq!(files_in(&place.path("out/pool"))?, [("a.bin".to_owned(), b"whole".to_vec())].into());
    Ok(())
}

#[test]
fn an_output_folder_that_is_none_is_exit_code_3() -> Fallible {
    let place = Place::new()?;
    fs::write(place.path("file"), "a file")?;
    for folder in ["file", "file/below", "/dev/null/x", "/proc/threadrace"] {
        let output = place.run(&["-o", folder])?;
        assert_refused(&output, 3, folder);
        assert!(err(&output).contains("-o DIR"), "{}", err(&output));
    }
    assert_eq!(fs::read(place.path("file"))?, b"a file");
    Ok(())
}

#[test]
fn two_races_in_one_folder_are_one_too_many() -> Fallible {
    let place = Place::new()?;
    let _first = racing(&place, &["endless"])?;
    assert_refused(&place.run(&["small"])?, 3, "in use by another threadrace");
    assert_code(&place.run(&["small", "-o", "elsewhere"])?, 0);
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_is_exit_code_3() -> Fallible {
    let place = Place::new()?;
    for (no_place, why) in [("no/such/folder.json", "No such file"), (".", "directory")] {
        let output = place.run(&["-e", "pool", "--report", no_place, "-o", "files"])?;
        assert_refused(&output, 3, &format!("written to {no_place}: "));
        assert!(err(&output).contains(why), "{}", err(&output));
        assert!(!place.path("files").exists(), "nothing was begun");
    }
    // The race's own folder need not be there yet, whatever it is called, and whether or not the race writes.
    let here = place.path("four/r.json");
    let here = here.to_str().ok_or("no UTF-8")?;
    for (inside, report) in
        [("one", "one/r.json"), ("two", "./two/r.json"), ("./three", "three/deep/r.json"), ("four", here)]
    {
        for scenario in ["small", "abc"] {
            let race = [scenario, "-e", "pool", "--time-scale", "0.01", "--report", report, "-o", inside];
            assert_code(&place.run(&race)?, 0);
            assert!(place.path(report).exists(), "{report}");
            fs::remove_dir_all(place.path(inside))?;
        }
    }
    // Only what no person can have written into makes way by itself.
    for (name, again) in [("r.json", 0), ("r.csv", 0), ("r.md", 3), ("r.txt", 3)] {
        let report = |more: &[&str]| {
            let race = [&["-e", "pool", "-o", "files", "--report", name], more].concat();
            place.run(&race)
        };
        assert_code(&report(&[])?, 0);
        assert_code(&report(&[])?, again);
        assert_code(&report(&["--force"])?, 0);
    }
    for (name, theirs) in
        [("mine.md", "# My notes\n\nseed 1, and so on"), ("mine.json", "{}"), ("mine.csv", "run,x")]
    {
        fs::write(place.path(name), theirs)?;
        let refused = place.run(&["-e", "pool", "--report", name, "-o", "none"])?;
        assert_refused(&refused, 3, "is there already and stays as it is: --force replaces it");
        assert_eq!(fs::read_to_string(place.path(name))?, theirs);
    }
    assert!(!place.path("none").exists(), "nothing was begun");
    fs::write(place.path("kept.json"), "{\"format\":\"threadrace-report\",\"kept\":true}")?;
    fs::write(place.path("no-folder"), "")?;
    let refused = place.run(&["-e", "pool", "--report", "kept.json", "-o", "no-folder"])?;
    assert_refused(&refused, 3, "no-folder");
    assert!(fs::read_to_string(place.path("kept.json"))?.contains("kept"));
    let parts = fs::read_dir(place.path("."))?.filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
    });
    assert_eq!(parts.count(), 0);
    if cfg!(target_os = "linux") {
        let output = place.run(&["-e", "pool", "--report", "/dev/full"])?;
        assert_code(&output, 3);
        assert!(out(&output).contains("pool"), "the report is on standard output all the same");
        let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
        let output = place.program(&["scenarios"]).stdout(full).output()?;
        assert_code(&output, 3);
        assert!(err(&output).starts_with("threadrace: standard output can't be written (No space left"));
    }
    Ok(())
}

#[test]
fn a_line_says_what_came_out_of_work_without_bytes() -> Fallible {
    let place = Place::new()?;
    let lines = |scenario: &str| -> Fallible<String> {
        let arguments = [scenario, "-e", "pool", "-n", "1", "--time-scale", "0.01", "--plain"];
        Ok(err(&place.run(&arguments)?))
    };
    let slept = lines("abc")?;
    assert!(slept.contains(" done, slept ") && !slept.contains("0 B"), "{slept}");
    let downloaded = lines("small")?;
    assert!(downloaded.contains(" kB in ") && !downloaded.contains("0 B in"), "{downloaded}");
    Ok(())
}

#[test]
fn claims_are_checked_and_a_signal_tells_how_many() -> Fallible {
    let place = Place::new()?;
    let output = place.run(&["claims", "abc", "--time-scale", "0.01", "--repeat", "1"])?;
    assert_code(&output, 0);
    assert!(out(&output).contains("abc"), "{}", out(&output));
    assert_eq!(err(&output), "abc 1/1\n");

    let mut command = place.program(&["claims", "abc", "sleep-10", "--repeat", "1", "--time-scale", "1"]);
    let mut going = Going(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let mut lines = BufReader::new(going.0.stderr.take().ok_or("no standard error")?).lines();
    assert_eq!(lines.next().ok_or("it said nothing")??, "sleep-10 1/1");
    going.signal(Signal::INT)?;
    assert_eq!(lines.next().ok_or("it said nothing more")??, "0 of 2 claims were checked");
    let (status, text) = going.end(NEVER)?;
    assert_eq!((status.code(), text.as_str()), (Some(130), ""));
    Ok(())
}

#[test]
fn what_is_asked_for_is_printed() -> Fallible {
    let place = Place::new()?;
    for (arguments, words) in [
        (&["config"][..], &["scenario = \"small\"", "config.toml"][..]),
        (&["config", "csv-5", "-w", "3"], &["csv-5", "workers = 3", "--workers"]),
        (&["scenarios"], &["images-20", "small", "endless"]),
        (&["completions", "bash"], &["complete", "threadrace", "--workers"]),
        (&["completions", "zsh"], &["#compdef threadrace"]),
        (&["man"], &[".TH", "threadrace", "COMMANDS"]),
        (&["--help"], &["Exit codes", "128+n"]),
        (&["-h"], &["--executors"]),
        (&["--version"], &["threadrace ", env!("CARGO_PKG_VERSION")]),
    ] {
        let output = place.run(arguments)?;
        assert_code(&output, 0);
        let printed = out(&output);
        assert!(words.iter().all(|word| printed.contains(word)), "{arguments:?}: {printed}");
        assert_eq!(err(&output), "", "{arguments:?}");
    }
    Ok(())
}

#[test]
fn an_origin_alone_tells_its_address_and_serves_until_a_signal() -> Fallible {
    let place = Place::new()?;
    let mut going = Going(place.program(&["origin"]).stdout(Stdio::piped()).spawn()?);
    let mut lines = BufReader::new(going.0.stdout.take().ok_or("no output")?).lines();
    let first = lines.next().ok_or("it said nothing")??;
    let address = first.strip_prefix("http://").ok_or("no address")?;
    let second = lines.next().ok_or("it said one line")??;
    assert!(second.contains("20 pictures") && second.contains("small"), "{second}");
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut index = String::new();
    stream.read_to_string(&mut index)?;
    assert!(index.starts_with("HTTP/1.1 200 ") && index.contains("/pictures/01.jpg"), "{index}");
    going.signal(Signal::TERM)?;
    assert_eq!(going.end(NEVER)?.0.code(), Some(143));

    let taken = TcpListener::bind("127.0.0.1:0")?;
    let output = place.run(&["origin", "--bind", &taken.local_addr()?.to_string()])?;
    assert_refused(&output, 2, "port 0 for any free port");
    assert!(!err(&output).contains('\u{1b}'), "no colours where no terminal is: {:?}", err(&output));
    Ok(())
}

#[test]
fn nobody_reading_is_no_failure() -> Fallible {
    let place = Place::new()?;
    let closed = || io::pipe().map(|(_, writer)| Stdio::from(writer));
    for arguments in [&["scenarios"][..], &["man"], &["completions", "bash"], &["-e", "pool"]] {
        let output = place.program(arguments).stdout(closed()?).output()?;
        assert_code(&output, 0);
        assert!(!err(&output).contains("panicked"), "{}", err(&output));
    }
    // The report's file is written, and errors keep their codes where nobody hears of them.
    let output = place.program(&["-e", "pool", "--report", "r.json"]).stdout(closed()?).output()?;
    assert_code(&output, 0);
    assert!(fs::metadata(place.path("r.json"))?.len() > 0);
    let output = place.program(&["-e", "pool"]).stderr(closed()?).output()?;
    assert_code(&output, 0);
    let output = place.program(&["no-such-scenario"]).stderr(closed()?).output()?;
    assert_code(&output, 2);
    Ok(())
}

#[test]
fn closed_standard_streams_are_no_failure() -> Fallible {
    let place = Place::new()?;
    for closing in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!(r#"exec "$0" -e pool {closing}"#), PROGRAM]);
        let output = command.current_dir(place.0.path()).env_clear().output()?;
        assert_code(&output, 0);
    }
    let output = Command::new("/bin/sh")
        .args(["-c", r#"exec "$0" --urls - <&-"#, PROGRAM])
        .current_dir(place.0.path())
        .env_clear()
        .output()?;
    assert_refused(&output, 2, "standard input");
    Ok(())
}

#[test]
fn a_dumb_terminal_gets_lines() -> Fallible {
    let place = Place::new()?;
    let mut command = CommandBuilder::new(PROGRAM);
    command.args(["-e", "pool"]);
    command.cwd(place.0.path());
    command.env_clear();
    command.env("TERM", "dumb");
    let pty = Pty::spawn(command, (100, 60));
    assert_eq!(pty.wait_exit(NEVER).exit_code(), 0);
    pty.wait_for_text("pool 20/20");
    assert!(!pty.has_written("\u{1b}"));
    Ok(())
}

#[test]
fn a_server_of_another_make_is_downloaded_byte_for_byte() -> Fallible {
    let place = Place::new()?;
    let share = place.path("share");
    fs::create_dir(&share)?;
    let bodies = [("a.bin", 0_usize), ("b.bin", 1), ("größe.bin", 70_000), ("c.bin", 2_000_000)];
    for (name, size) in bodies {
        let body: Vec<u8> = (0..size).map(|at| (at * at % 251) as u8).collect();
        fs::write(share.join(name), body)?;
    }
    let mut python = Command::new("python3");
    python.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(&share);
    let Ok(child) = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        println!("skipped: there is no python3");
        return Ok(());
    };
    let mut server = Going(child);
    let mut said = String::new();
    BufReader::new(server.0.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    let Some(port) = said.split_whitespace().skip_while(|word| *word != "port").nth(1) else {
        println!("skipped: python3 has no http.server");
        return Ok(());
    };
    let list: Vec<String> = ["a.bin", "b.bin", "gr%C3%B6%C3%9Fe.bin", "c.bin"]
        .map(|name| format!("http://127.0.0.1:{port}/{name}"))
        .into();
    let output = place.run_with(&["--urls", "-", "-e", "all", "-w", "3", "-o", "out"], &list.join("\n"))?;
    assert_code(&output, 0);
    let expected = files_in(&share)?;
    for run in ["sequential", "threads", "pool", "async"] {
        assert_eq!(files_in(&place.path("out").join(run))?, expected, "{run}");
    }
    Ok(())
}

/// What only Linux tells or limits.
#[cfg(target_os = "linux")]
mod on_linux;

mod signals;
