//! Tasks in other processes: children of this program, programs in other languages, and liars.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use threadrace::clock::Clock;
use threadrace::event::{ErrorKind, Event, ExecutorKind, Fact, LaneId, Outcome, RunEnd, TaskEnd, Worker};
use threadrace::executor::Patience;
use threadrace::model::{RunStatus, Stage};
use threadrace::origin::{Content, Latency, Shape};
use threadrace::workload::compute::{Computation, Compute};
use threadrace::workload::crud::{Crud, RowWork};
use threadrace::workload::download::Limits;
use threadrace::workload::files::{Durability, FileWork, Files, Operations};
use threadrace::workload::sleep::Sleep;
use threadrace::workload::{OutputFolder, Workload};
use tokio_util::sync::CancellationToken;

use crate::rig::{
    After, Disk, Fallible, MS, NEVER, Ran, RawServer, SEED, Served, Who, limits, raw, reply, run, start,
};
use crate::schema::PROTOCOL;

fn sleeps(durations: &[Duration]) -> Arc<dyn Workload> {
    Arc::new(Sleep::new(durations.into()))
}

/// A program that is run by a shell.
fn told(words: &[&str]) -> Arc<[String]> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn external(name: &str, command: &[&str], workers: usize, tasks: usize) -> Who {
    Who { command: told(command), ..Who::new(ExecutorKind::External(name.into()), workers, tasks) }
}

/// The process of every lane that was opened.
fn pids(events: &[Event]) -> impl Iterator<Item = u32> {
    events.iter().filter_map(|event| match &event.fact {
        Fact::LaneOpened { worker, .. } => worker.pid(),
        _ => None,
    })
}

fn processes(ran: &Ran) -> BTreeSet<u32> {
    pids(&ran.events).collect()
}

fn end_of(ran: &Ran) -> Option<&RunEnd> {
    match ran.run().status() {
        RunStatus::Ended { end, .. } => Some(end),
        _ => None,
    }
}

/// Waits until the process is gone; a zombie is not.
fn gone(pid: u32) -> Fallible {
    let pid = Pid::from_raw(i32::try_from(pid)?).ok_or("no process id")?;
    let begun = Instant::now();
    while test_kill_process(pid).is_ok() {
        if begun.elapsed() > NEVER {
            return Err(format!("{pid:?} is still there").into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

fn kill(pid: u32) -> Fallible {
    Ok(kill_process(Pid::from_raw(i32::try_from(pid)?).ok_or("no process id")?, Signal::KILL)?)
}

#[test]
fn children_share_the_tasks_and_are_gone_afterwards() -> Fallible {
    let who = Who::new(ExecutorKind::Processes, 3, 9);
    let ran = run(&who, sleeps(&[MS(60)]), &Clock::start())?;
    ran.assert_accounted(&who);
    assert!(ran.run().is_comparable(), "{:?}", end_of(&ran));
    assert_eq!(ran.run().in_progress().peak(), 3);
    let pids = processes(&ran);
    assert_eq!(pids.len(), 3);
    assert!(!pids.contains(&std::process::id()));
    for lane in ran.run().lanes() {
        assert!(lane.tasks() > 0);
        assert!(lane.worker().and_then(Worker::thread_id).is_some() == cfg!(target_os = "linux"));
    }
    assert_eq!(ran.task(0).result.as_deref(), Some("slept 0.06 s"));
    pids.into_iter().try_for_each(gone)
}

#[test]
fn children_download_what_threads_download() -> Fallible {
    let shape = Shape { latency: Latency::Fixed(MS(5)), ..Shape::UNSHAPED };
    let served = Served::new(&Content::Bytes { size: 200_000 }, 8, shape)?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let mut files = BTreeMap::new();
    for kind in [ExecutorKind::Pool, ExecutorKind::Processes] {
        let who = Who::new(kind, 3, targets.len());
        // Room is made for it twice: what children finished must be known as ours.
        for _ in 0..2 {
            let ran = run(&who, disk.downloads(&targets, limits())?, &served.clock)?;
            ran.assert_accounted(&who);
            assert!(ran.run().is_comparable(), "{who:?}");
            assert_eq!(ran.run().bytes(), 8 * 200_000);
            assert!(ran.run().tasks().iter().all(|task| task.first_byte.is_some() && task.story.is_some()));
            disk.close()?;
        }
        files.insert(who.kind.name().to_owned(), disk.files()?);
    }
    assert_eq!(files["pool"], files["processes"]);
    assert_eq!(files["pool"].len(), 8);
    Ok(())
}

#[test]
fn a_child_that_is_killed_costs_its_task_and_is_replaced() -> Fallible {
    let who = Who::new(ExecutorKind::Processes, 2, 6);
    let mut running = start(&who, sleeps(&[Duration::from_secs(3600), MS(5), MS(5)]), &Clock::start());
    // Tasks 0 and 3 never end by themselves.
    let mut killed = BTreeSet::new();
    for _ in 0..2 {
        let (task, pid) = running.first(|events| {
            let lane = |task| {
                events.iter().find_map(|event| match event.fact {
                    Fact::TaskStarted { task: other, lane, .. } if other.0 == task => Some(lane),
                    _ => None,
                })
            };
            let worker = |wanted: LaneId| {
                events.iter().rev().find_map(|event| match &event.fact {
                    Fact::LaneOpened { lane, worker, .. } if *lane == wanted => worker.pid(),
                    _ => None,
                })
            };
            [0, 3]
                .into_iter()
                .filter(|task| !killed.contains(task))
                .find_map(|task| Some((task, worker(lane(task)?)?)))
        })?;
        killed.insert(task);
        kill(pid)?;
    }
    let ran = running.finish()?;
    ran.assert_accounted(&who);
    assert_eq!((ran.run().counts().done, ran.run().counts().failed), (4, 2), "{:?}", end_of(&ran));
    assert_eq!(end_of(&ran), Some(&RunEnd::Completed));
    for task in [0, 3] {
        assert_eq!(ran.task(task).error, Some(ErrorKind::Worker));
        let message = ran.task(task).error_message().unwrap_or_default();
        assert!(message.contains("was lost: killed by SIGKILL"), "{message}");
    }
    assert!(processes(&ran).len() > 2);
    assert_eq!(ran.run().lanes().len(), 2);
    processes(&ran).into_iter().try_for_each(gone)
}

#[test]
fn a_cancelled_run_leaves_no_child() -> Fallible {
    let who = Who::new(ExecutorKind::Processes, 3, 9);
    let mut running = start(&who, sleeps(&[Duration::from_secs(3600)]), &Clock::start());
    running.wait_for(3, |fact| matches!(fact, Fact::TaskStarted { .. }))?;
    running.cancel.cancel();
    let ran = running.finish()?;
    ran.assert_accounted(&who);
    assert_eq!(end_of(&ran), Some(&RunEnd::Cancelled));
    assert_eq!(ran.run().counts().cancelled, 9);
    assert_eq!(processes(&ran).len(), 3);
    processes(&ran).into_iter().try_for_each(gone)
}

/// Two files that arrive so slowly that what happens to their downloads happens before their ends.
fn two_slow_files() -> Fallible<Served> {
    let shape = Shape { bandwidth: std::num::NonZeroU64::new(20_000), ..Shape::UNSHAPED };
    Served::new(&Content::Bytes { size: 900_000 }, 2, shape)
}

#[test]
fn a_cancelled_download_leaves_no_part() -> Fallible {
    let served = two_slow_files()?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let who = Who::new(ExecutorKind::Processes, 2, 2);
    let mut running = start(&who, disk.downloads(&targets, limits())?, &served.clock);
    running.wait_for(2, |fact| matches!(fact, Fact::BytesArrived { .. }))?;
    assert!(!disk.files()?.is_empty());
    running.cancel.cancel();
    let ran = running.finish()?;
    ran.assert_accounted(&who);
    assert!(ran.run().bytes() > 0);
    assert_eq!(disk.files()?, BTreeMap::new());
    Ok(())
}

#[test]
fn a_child_that_is_killed_before_it_says_that_it_began_leaves_no_part() -> Fallible {
    let served = two_slow_files()?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let who = Who::new(ExecutorKind::Processes, 2, 2);
    let mut running = start(&who, disk.downloads(&targets, limits())?, &served.clock);
    let children = running.first(|events| {
        let children: Vec<u32> = pids(events).collect();
        (children.len() == 2).then_some(children)
    })?;
    let begun = Instant::now();
    while disk.files()?.is_empty() && begun.elapsed() < NEVER {
        std::thread::yield_now();
    }
    children.into_iter().try_for_each(kill)?;
    running.wait_for(1, |fact| matches!(fact, Fact::TaskFinished { .. }))?;
    running.cancel.cancel();
    let ran = running.finish()?;
    ran.assert_accounted(&who);
    assert_eq!(ran.run().counts().done, 0);
    assert_eq!(disk.files()?, BTreeMap::new());
    Ok(())
}

#[test]
fn a_part_file_that_somebody_made_is_not_removed() -> Fallible {
    let served = Served::new(&Content::Bytes { size: 1_000 }, 3, Shape::UNSHAPED)?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let work = disk.downloads(&targets, limits())?;
    let theirs = format!("{}.part", targets[1].name);
    disk.put(&theirs, b"theirs")?;
    let who = Who::new(ExecutorKind::Processes, 2, 3);
    let ran = start(&who, work, &served.clock).finish()?;
    ran.assert_accounted(&who);
    assert_eq!((ran.run().counts().done, ran.task(1).stage), (2, Stage::Failed));
    assert_eq!(disk.files()?.get(&theirs).map(Vec::as_slice), Some(&b"theirs"[..]));
    Ok(())
}

#[test]
fn a_file_that_somebody_put_under_the_name_of_a_lost_workers_download_is_theirs() -> Fallible {
    let served = two_slow_files()?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let who = Who::new(ExecutorKind::Processes, 2, 2);
    let mut running = start(&who, disk.downloads(&targets, limits())?, &served.clock);
    running.wait_for(2, |fact| matches!(fact, Fact::BytesArrived { .. }))?;
    disk.put(&targets[0].name, b"precious")?;
    let children = running.first(|events| Some(pids(events).collect::<Vec<u32>>()))?;
    children.into_iter().try_for_each(kill)?;
    running.wait_for(1, |fact| matches!(fact, Fact::TaskFinished { .. }))?;
    running.cancel.cancel();
    running.finish()?.assert_accounted(&who);
    disk.close()?;
    assert!(disk.downloads(&targets, limits()).is_err(), "it is in the way of the next race");
    let left = disk.files()?;
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [(targets[0].name.clone(), b"precious".to_vec())]);
    Ok(())
}

#[test]
fn children_work_on_the_disk_that_the_run_prepared() -> Fallible {
    let dir = tempfile::tempdir()?;
    let mut output = OutputFolder::open(dir.path())?;
    let folder = output.make_room(&["run"], &[Crud::FILE])?.remove(0);
    let who = Who::new(ExecutorKind::Processes, 2, 4);
    let work = FileWork { operations: Operations::All, bytes: 100_000, durability: Durability::Cached };
    let all: [Arc<dyn Workload>; 2] = [
        Arc::new(Crud::new(RowWork { rows: 50 }, 4, SEED, folder.clone())),
        Arc::new(Files::new(work, 4, SEED, folder)),
    ];
    for workload in all {
        workload.prepare(&CancellationToken::new()).map_err(|fault| format!("{fault:?}"))?;
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{:?} {:?}", end_of(&ran), ran.task(0));
    }
    let left: Vec<_> = fs::read_dir(dir.path().join("run"))?.collect::<Result<_, _>>()?;
    assert_eq!(left.iter().map(|entry| entry.file_name()).collect::<Vec<_>>(), [Crud::FILE]);
    Ok(())
}

#[test]
fn children_end_with_their_parent_however_it_dies() -> Fallible {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("my.toml");
    fs::write(
        &config,
        "format = \"threadrace-config-1\"\n[scenarios.slow]\nworkload = \"sleep\"\ntasks = 4\n\
         sleep_seconds = 3600.0\nworkers = 4\n\
         [scenarios.busy]\nworkload = \"compute\"\ntasks = 4\nbelow = 1000000000\nworkers = 4\n",
    )?;
    for scenario in ["slow", "busy"] {
        let mut parent = Command::new(env!("CARGO_BIN_EXE_threadrace"))
            .args([scenario, "-e", "processes", "--plain", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(parent.stderr.take().ok_or("no stderr")?).lines();
        let first = lines.next().ok_or("it said nothing")??;
        assert!(first.starts_with("processes"), "{first}");
        let begun = Instant::now();
        let children = loop {
            let found = children_of(parent.id())?;
            if found.len() == 4 && found.iter().all(|&child| goes_by_its_name(child)) {
                break found;
            }
            if begun.elapsed() > NEVER {
                kill(parent.id())?;
                return Err(format!("{scenario}: {} children", found.len()).into());
            }
            std::thread::yield_now();
        };
        kill(parent.id())?;
        parent.wait()?;
        children.into_iter().try_for_each(gone)?;
    }
    Ok(())
}

/// Whether the system calls the process by this program's name, which it gives itself soon after its start.
fn goes_by_its_name(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    !cfg!(target_os = "linux") || name.is_ok_and(|name| name == "threadrace\n")
}

/// The processes that `parent` started and that are at work.
fn children_of(parent: u32) -> Fallible<Vec<u32>> {
    let out = Command::new("ps").args(["-A", "-o", "pid=,ppid=,args="]).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        (words.next()? == parent.to_string() && line.ends_with(" threadrace worker")).then_some(pid)
    };
    Ok(text.lines().filter_map(of_line).collect())
}

/// A shell script that says ready first, and then `rest`.
fn liar(rest: &str) -> String {
    format!(
        r#"read hello; echo '{{"message":"ready","protocol":1,"machine_nanos":0,"name":"liar"}}'; {rest}"#
    )
}

/// Events on a clock that starts when it says ready.
const LANE: &str = r#"echo '{"at":0,"event":"lane_opened","run":0,"lane":0,"worker":{"kind":"process","pid":1,"name":"w"}}'; "#;
const STARTED: &str = r#"echo '{"at":0,"event":"task_started","run":0,"task":0,"lane":0}'; "#;

#[test]
fn whoever_lies_is_named_with_the_line() -> Fallible {
    let phase = r#"echo '{"at":0,"event":"phase_entered","run":0,"task":0,"phase":"waiting"}'; "#;
    let cases = [
        (
            "echo hello; sleep 100".to_owned(),
            "no message of the protocol (expected value at line 1 column 1): hello",
        ),
        (liar("echo '\u{1b}[2J'; sleep 100"), "\\u{1b}[2J"),
        (liar("printf '\\377\\n'; sleep 100"), "a line is not UTF-8"),
        (liar("head -c 2000000 /dev/zero | tr '\\0' x; sleep 100"), "longer than 1048576 bytes: xxx"),
        (liar(&format!("{STARTED} sleep 100")), "lane 0 was not opened: {\"at\":0"),
        (liar(&format!("{LANE} {phase} sleep 100")), "task 0 was not started"),
        (liar(&format!("{LANE} {LANE} sleep 100")), "lane 0 was opened before"),
        (
            liar(&format!("{LANE} {} sleep 100", STARTED.replace("\"at\":0", "\"at\":999999999999999999"))),
            "in the future",
        ),
        (liar(&format!("{LANE} {STARTED} while :; do {phase} done")), "too many events for task 0"),
        ("echo broken >&2; exit 3".to_owned(), "was lost: it ended with exit status 3 (broken)"),
        (liar(&format!("{LANE} {STARTED} kill -9 $$")), "was lost: killed by SIGKILL"),
        (liar("exec 1>&-; sleep 100"), "closed its output"),
        (
            liar(&format!("{LANE} {STARTED} echo why >&2; sleep 100")),
            "has tasks, and said nothing for 1 s (it wrote: why)",
        ),
        (
            liar(&format!(
                r#"{LANE} {STARTED} echo '{{"at":0,"event":"task_finished","run":0,"task":0,"end":{{"outcome":"abandoned","bytes":0,"write_nanos":0,"check":"nothing"}}}}'; sleep 100"#
            )),
            "a program's task ends done or failed",
        ),
        (
            liar(&format!("{LANE} {STARTED} while :; do {phase} sleep 0.1; done")),
            "goes on with task 0 beyond its time, after ",
        ),
        ("echo why >&2; sleep 100".to_owned(), "was not ready after 1 s (it wrote: why)"),
    ];
    for (script, expected) in cases {
        // Only what is tested is waited for no longer than a second.
        let short = |of: &[&str]| match of.iter().any(|words| expected.contains(words)) {
            true => Duration::from_secs(1),
            false => NEVER,
        };
        let patience =
            Patience { ready: short(&["not ready"]), silent: short(&["said nothing", "beyond its time"]) };
        let who = Who { patience, ..external("liar", &["sh", "-c", &script], 2, 3) };
        let ran = run(&who, sleeps(&[MS(1)]), &Clock::start())?;
        ran.assert_accounted(&who);
        let Some(RunEnd::Failed { message }) = end_of(&ran) else { panic!("{script}: {:?}", end_of(&ran)) };
        assert!(message.contains("the program liar") && message.contains(expected), "{script}: {message}");
        assert!(!message.contains('\u{1b}'));
        for task in ran.run().tasks() {
            assert_eq!((task.stage, task.error), (Stage::Failed, Some(ErrorKind::Worker)), "{script}");
        }
    }
    Ok(())
}

#[test]
fn a_program_that_is_not_there_is_named() -> Fallible {
    let who = external("mine", &["/nowhere/tool"], 2, 3);
    let ran = run(&who, sleeps(&[MS(1)]), &Clock::start())?;
    ran.assert_accounted(&who);
    let Some(RunEnd::Failed { message }) = end_of(&ran) else { panic!("{:?}", end_of(&ran)) };
    assert!(message.contains("the program mine can't be started: No such file"), "{message}");
    Ok(())
}

#[test]
fn a_download_that_is_only_told_is_not_done() -> Fallible {
    let served = Served::new(&Content::Bytes { size: 100 }, 1, Shape::UNSHAPED)?;
    let mut disk = Disk::new()?;
    let end = serde_json::to_string(&TaskEnd {
        outcome: Outcome::Done,
        bytes: 100,
        write_nanos: 0,
        check: threadrace::event::Check::Length,
        result: None,
    })?;
    let finished = format!(r#"echo '{{"at":0,"event":"task_finished","run":0,"task":0,"end":{end}}}'; "#);
    let script = liar(&format!("read task; {LANE} {STARTED} {finished} cat >/dev/null"));
    let who = external("liar", &["sh", "-c", &script], 1, 1);
    let ran = run(&who, disk.downloads(&served.targets()?, limits())?, &served.clock)?;
    ran.assert_accounted(&who);
    assert_eq!(ran.task(0).error, Some(ErrorKind::Wrong), "{:?}", end_of(&ran));
    assert_eq!(end_of(&ran), Some(&RunEnd::Completed));
    Ok(())
}

/// The shipped programs whose interpreter is here.
fn shipped(workers: usize, tasks: usize) -> Vec<Who> {
    let all = [
        ("python-threads", ["python3", "-u", "-c", "{python_threads.py}"].as_slice()),
        ("python-asyncio", ["python3", "-u", "-c", "{python_asyncio.py}"].as_slice()),
        ("node", ["node", "-e", "{node.js}"].as_slice()),
    ];
    let here = |command: &[&str]| {
        Command::new(command[0]).arg("--version").output().is_ok_and(|out| out.status.success())
    };
    let mut found = Vec::new();
    for (name, command) in all {
        if here(command) {
            found.push(external(name, command, workers, tasks));
        } else {
            eprintln!("skipped: {name}, for {} is not installed", command[0]);
        }
    }
    found
}

#[test]
fn shipped_programs_download_what_we_download() -> Fallible {
    let shape = Shape { latency: Latency::Fixed(MS(20)), ..Shape::UNSHAPED };
    let served = Served::new(&Content::Pictures { width: 300, height: 200 }, 6, shape)?;
    let targets = served.targets()?;
    let mut disk = Disk::new()?;
    let ours = Who::new(ExecutorKind::Pool, 3, 6);
    run(&ours, disk.downloads(&targets, limits())?, &served.clock)?;
    let expected = disk.files()?;
    disk.close()?;
    for who in shipped(3, 6) {
        let ran = run(&who, disk.downloads(&targets, limits())?, &served.clock)?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}: {:?} {:?}", end_of(&ran), ran.run().tasks());
        assert_eq!(disk.files()?, expected, "{who:?}");
        assert_eq!(ran.run().in_progress().peak(), 3, "{who:?}");
        assert!(ran.run().lanes().iter().all(|lane| lane.worker().is_some()), "{who:?}");
        disk.close()?;
        processes(&ran).into_iter().try_for_each(gone)?;
    }
    Ok(())
}

#[test]
fn shipped_programs_sleep_and_compute() -> Fallible {
    for who in shipped(3, 6) {
        let ran = run(&who, sleeps(&[MS(30)]), &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}: {:?}", end_of(&ran));
        assert_eq!(ran.task(0).result.as_deref(), Some("slept 0.03 s"), "{who:?}");
        let primes = Arc::new(Compute::new(Computation::Primes { below: 100_000 }, 6, SEED));
        let ran = run(&who, primes, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().is_comparable(), "{who:?}: {:?}", end_of(&ran));
        assert!(
            ran.run().tasks().iter().all(|task| task.result.as_deref() == Some("9,592 primes")),
            "{who:?}"
        );
    }
    Ok(())
}

/// Bytes until nobody takes them any more.
fn without_end(stream: &mut TcpStream) -> io::Result<After> {
    raw(stream, b"HTTP/1.1 200 OK\r\n\r\n")?;
    loop {
        stream.write_all(&[b'x'; 1000])?;
        thread::sleep(MS(1));
    }
}

#[test]
fn shipped_programs_keep_the_limits_and_lose_one_task_to_one_bad_answer() -> Fallible {
    let server = RawServer::start(|asked, stream| match asked.path.as_str() {
        "/endless" => without_end(stream),
        "/negative" => raw(stream, b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
        "/huge" => raw(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello"),
        "/digits" => raw(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello"),
        "/coded" => {
            raw(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        }
        "/cut" => raw(stream, b"HTTP/1.1 200 OK\r\nContent-Le"),
        // A server may close a kept connection without a word.
        path if path.starts_with("/fine-kept") => {
            raw(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        }
        "/other" => {
            raw(stream, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx")
        }
        _ => reply(stream, "200 OK", "", b"fine"),
    })?;
    let paths = [
        "/fine",
        "/endless",
        "/negative",
        "/huge",
        "/digits",
        "/other",
        "/coded",
        "/cut",
        "/fine-kept-1",
        "/fine-kept-2",
        "/fine-kept-3",
        "/fine-kept-4",
        "/fine-too",
    ];
    let targets = paths.iter().map(|path| server.target(path)).collect::<Fallible<Vec<_>>>()?;
    let mut disk = Disk::new()?;
    for who in shipped(2, paths.len()) {
        let bytes = Limits { max_bytes: 50_000, ..limits() };
        let ran = run(&who, disk.downloads(&targets, bytes)?, &Clock::start())?;
        ran.assert_accounted(&who);
        assert_eq!(end_of(&ran), Some(&RunEnd::Completed), "{who:?}");
        assert_eq!(ran.task(1).error, Some(ErrorKind::TooLarge), "{who:?}");
        for (task, path) in paths.iter().enumerate() {
            let is_done = ran.task(task).stage == Stage::Done;
            assert_eq!(is_done, path.starts_with("/fine"), "{who:?} {path}: {:?}", ran.task(task));
        }
        let fine = ["fine", "fine-kept-1", "fine-kept-2", "fine-kept-3", "fine-kept-4", "fine-too"];
        assert_eq!(disk.files()?.into_keys().collect::<Vec<_>>(), fine, "{who:?}");
        disk.close()?;
    }
    let late = Limits { deadline: MS(300), ..limits() };
    for who in shipped(1, 1) {
        let ran = run(&who, disk.downloads(&targets[1..2], late.clone())?, &Clock::start())?;
        assert_eq!(ran.task(0).error, Some(ErrorKind::Deadline), "{who:?} {:?}", end_of(&ran));
        disk.close()?;
    }
    Ok(())
}

#[test]
fn shipped_programs_send_a_password_and_tell_nobody() -> Fallible {
    let server = RawServer::start(|_, stream| reply(stream, "200 OK", "", b"fine"))?;
    let mut target = server.target("/fine")?;
    target
        .url
        .set_username("user")
        .and_then(|()| target.url.set_password(Some("p%40ss")))
        .map_err(|()| "no URL")?;
    let mut disk = Disk::new()?;
    for (number, who) in shipped(1, 1).into_iter().enumerate() {
        let ran = run(&who, disk.downloads(std::slice::from_ref(&target), limits())?, &Clock::start())?;
        assert_eq!(ran.task(0).stage, Stage::Done, "{who:?}: {:?}", ran.task(0));
        let asked = server.asked();
        let head = asked.get(number).map(|asked| asked.head.to_lowercase()).unwrap_or_default();
        assert!(head.contains("authorization: basic dxnlcjpwqhnz"), "{who:?}: {head}");
        assert!(!format!("{:?}", ran.events).contains("p%40ss"), "{who:?}");
        disk.close()?;
    }
    Ok(())
}

#[test]
fn shipped_programs_end_with_a_cancelled_run() -> Fallible {
    for who in shipped(2, 4) {
        let endless = Arc::new(Compute::new(Computation::Primes { below: 1_000_000_000 }, 4, SEED));
        let mut running = start(&who, endless, &Clock::start());
        running.wait_for(1, |fact| matches!(fact, Fact::PhaseEntered { .. }))?;
        running.cancel.cancel();
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert_eq!(end_of(&ran), Some(&RunEnd::Cancelled), "{who:?}");
        processes(&ran).into_iter().try_for_each(gone)?;
    }
    Ok(())
}

#[test]
fn the_page_and_the_schema_agree_with_the_program() -> Fallible {
    let page = include_str!("../../assets/protocol.md");
    let lines: Vec<_> =
        page.lines().filter_map(|line| line.trim().strip_prefix('{').map(|_| line.trim())).collect();
    assert!(lines.len() > 8);
    for line in &lines {
        let value: serde_json::Value = serde_json::from_str(line)?;
        PROTOCOL.check(&value).map_err(|error| format!("{line}: {error}"))?;
        if value.get("event").is_some() {
            serde_json::from_str::<threadrace::event::Event>(line)?;
        }
    }
    let who = Who::new(ExecutorKind::Processes, 1, 1);
    let ran = run(&who, sleeps(&[MS(1)]), &Clock::start())?;
    let told = ran.events.iter().filter(|event| {
        !matches!(event.fact, Fact::RunStarted { .. } | Fact::TaskQueued { .. } | Fact::RunFinished { .. })
    });
    let told: Vec<_> = told.collect();
    assert!(told.len() >= 4, "{told:?}");
    for event in told {
        PROTOCOL.check(&serde_json::to_value(event)?).map_err(|error| format!("{event:?}: {error}"))?;
    }
    let least = r#"{"at":1,"event":"response_arrived","run":0,"task":0,"head":{"status":200}}"#;
    PROTOCOL.check(&serde_json::from_str(least)?)?;
    serde_json::from_str::<threadrace::event::Event>(least)?;
    for liar in [
        "{}",
        r#"{"at":-1,"event":"task_started","run":0,"task":0,"lane":0}"#,
        r#"{"message":"ready"}"#,
        r#"{"at":1,"event":"phase_entered","run":0,"task":0,"phase":"queued"}"#,
        r#"{"at":1,"event":"task_finished","run":0,"task":0,"end":{"outcome":"cancelled","bytes":0,"write_nanos":0,"check":"nothing"}}"#,
    ] {
        assert!(PROTOCOL.check(&serde_json::from_str(liar)?).is_err(), "{liar}");
    }
    Ok(())
}
