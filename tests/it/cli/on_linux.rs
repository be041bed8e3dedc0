use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::*;

/// Waits until the program catches `signal`, which Linux tells.
fn wait_until_caught(pid: Pid, signal: Signal) -> Fallible {
    let begun = Instant::now();
    while begun.elapsed() < NEVER {
        let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        if u64::from_str_radix(caught.trim(), 16)? >> (signal.as_raw() - 1) & 1 == 1 {
            return Ok(());
        }
        thread::sleep(MS(2));
    }
    Err("it never catches signals".into())
}

#[test]
fn a_signal_ends_the_preparation_too() -> Fallible {
    for (arguments, signal, code) in
        [(&["huge"][..], Signal::INT, 130), (&["origin", "huge"], Signal::TERM, 143)]
    {
        let place = Place::new()?;
        let mut command = place.program(arguments);
        let going = Going(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
        wait_until_caught(going.pid()?, Signal::QUIT)?;
        going.signal(signal)?;
        let (status, text) = going.end(NEVER)?;
        assert_eq!((status.code(), text.as_str()), (Some(code), ""), "{arguments:?}");
    }
    Ok(())
}

/// A pipe that nobody reads and that holds no more.
fn stalled() -> Fallible<(io::PipeReader, io::PipeWriter)> {
    let (reader, mut writer) = io::pipe()?;
    let flags = rustix::fs::fcntl_getfl(&writer)?;
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK)?;
    for size in [4096, 1] {
        while writer.write(&vec![b'.'; size]).is_ok() {}
    }
    rustix::fs::fcntl_setfl(&writer, flags)?;
    Ok((reader, writer))
}

/// Longer than a stalled reader is waited for, and two seconds more for a busy machine.
const SOON: Duration = Duration::from_secs(4);

#[test]
fn a_stalled_standard_error_holds_up_neither_the_race_nor_a_signal() -> Fallible {
    let server = RawServer::start(|_, stream| hold(stream))?;
    let place = Place::new()?;
    let url = server.url("/a.bin");
    let arguments = ["--url", &url, "-e", "pool", "--format", "json", "--report", "r.json", "-o", "out"];
    let (_reader, writer) = stalled()?;
    let mut command = place.program(&arguments);
    let going = Going(command.stdout(Stdio::piped()).stderr(writer).spawn()?);
    let begun = Instant::now();
    while !place.path("out/pool/a.bin.part").exists() {
        assert!(begun.elapsed() < NEVER, "it never began");
        thread::sleep(MS(2));
    }
    going.signal(Signal::TERM)?;
    let (status, text) = going.end(SOON)?;
    assert_eq!(status.code(), Some(143));
    assert_eq!(serde_json::from_str::<Value>(&text)?["runs"][0]["status"], "cancelled");
    assert!(place.path("r.json").exists());
    Ok(())
}

#[test]
fn a_stalled_standard_output_keeps_no_report_file_back_and_no_signal() -> Fallible {
    let place = Place::new()?;
    let (_reader, writer) = stalled()?;
    let mut command = place.program(&["-e", "pool", "--report", "r.json"]);
    let mut going = Going(command.stdout(writer).stderr(Stdio::null()).spawn()?);
    let begun = Instant::now();
    while !place.path("r.json").exists() {
        assert!(begun.elapsed() < NEVER, "the report was never saved");
        assert!(going.0.try_wait()?.is_none(), "it ended without a report");
        thread::sleep(MS(2));
    }
    going.signal(Signal::INT)?;
    assert_eq!(going.end(SOON)?.0.code(), Some(130));
    let report: Value = serde_json::from_slice(&fs::read(place.path("r.json"))?)?;
    REPORT.check(&report)?;
    Ok(())
}

#[test]
fn a_full_standard_output_loses_no_report_file() -> Fallible {
    let place = Place::new()?;
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let output = place.program(&["-e", "pool", "--report", "r.csv"]).stdout(full).output()?;
    assert_code(&output, 3);
    assert_eq!(fs::read_to_string(place.path("r.csv"))?.lines().count(), 21);
    Ok(())
}

#[test]
fn an_event_loop_without_all_its_threads_fails_and_never_hangs() -> Fallible {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become somebody who may have few threads");
        return Ok(());
    }
    let place = Place::new()?;
    fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o777))?;
    let loops = "[scenarios.loops]\ncontent = \"posts\"\ntasks = 6\nworkers = 3\nasync_threads = 9\n";
    fs::write(place.path("config.toml"), format!("{CONFIG}{loops}"))?;
    let program = place.path("threadrace");
    fs::copy(PROGRAM, &program)?;
    // The program itself needs six or seven threads: some of the nine can be had, and some can't.
    for limit in 5..=32 {
        let somebody = 200_000 + std::process::id() * 64 + limit;
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={limit}")).arg(&program);
        command.args(["loops", "-e", "async", "-o", &format!("out-{limit}")]);
        command.current_dir(place.0.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.uid(somebody).gid(somebody).stdout(Stdio::piped()).stderr(Stdio::null());
        let going = match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("skipped: there is no prlimit");
                return Ok(());
            }
            child => Going(child?),
        };
        let (status, _) = going.end(NEVER)?;
        assert!(matches!(status.code(), Some(0 | 1 | 4)), "{limit}: {status:?}");
    }
    Ok(())
}

#[test]
fn a_run_that_would_need_more_threads_than_there_can_be_is_refused() -> Fallible {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become somebody who may have few threads");
        return Ok(());
    }
    // A user whom nobody else is, so that all of its threads are this test's.
    let somebody = 100_000 + std::process::id();
    let place = Place::new()?;
    fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o777))?;
    let program = place.path("threadrace");
    fs::copy(PROGRAM, &program)?;
    for executors in ["threads", "pool:60", "sequential", "async"] {
        let report = format!("{}.json", executors.replace(':', "-"));
        let mut command = Command::new("prlimit");
        command.arg("--nproc=12").arg(&program);
        command.args(["-n", "60", "-e", executors, "--report", &report, "-o", &format!("out-{report}")]);
        command
            .current_dir(place.0.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .uid(somebody)
            .gid(somebody);
        let output = match command.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                println!("skipped: there is no prlimit");
                return Ok(());
            }
            output => output?,
        };
        let text = fs::read_to_string(place.path(&report))
            .map_err(|error| format!("{executors}: {error}: {}", err(&output)))?;
        let report: Value = serde_json::from_str(&text)?;
        REPORT.check(&report).map_err(|error| format!("{executors}: {error}"))?;
        let run = &report["runs"][0];
        let outcomes = outcomes(run);
        assert!(
            outcomes.iter().all(|outcome| ["done", "failed"].contains(outcome)),
            "{executors}: {outcomes:?}"
        );
        let failed = outcomes.iter().filter(|outcome| **outcome == "failed").count();
        assert_code(&output, i32::from(failed > 0));
        assert!(!err(&output).contains("panicked at"), "{executors}: {}", err(&output));
        match executors {
            "threads" | "pool:60" => assert_eq!((failed, &run["status"]), (60, &Value::from("failed"))),
            _ => assert_eq!(failed, 0),
        }
        let tasks = run["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        for task in tasks.iter().filter(|task| task["outcome"] == "failed") {
            assert_eq!(task["error"]["kind"], "worker");
            let message = task["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("use fewer workers"), "{message}");
        }
    }
    Ok(())
}

#[test]
fn a_run_that_needs_more_open_files_than_there_are_is_not_begun() -> Fallible {
    let place = Place::new()?;
    for (executor, workers) in [("async", "200"), ("processes", "100")] {
        let race = format!(
            "ulimit -n 150 && exec '{PROGRAM}' small -n 400 -e {executor} -w {workers} --plain --format json"
        );
        let output = Command::new("bash").args(["-c", &race]).current_dir(place.0.path()).output()?;
        assert_code(&output, 1);
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let why = report["runs"][0]["message"].as_str().unwrap_or_default();
        assert!(why.contains("open files") && why.contains("ulimit -n"), "{executor}: {why}");
    }
    Ok(())
}

#[test]
fn what_nohup_keeps_away_does_not_end_the_race() -> Fallible {
    let place = Place::new()?;
    let mut command = Command::new("nohup");
    command.arg(PROGRAM).args(["leisurely", "-e", "pool", "--plain", "--format", "json"]);
    command.current_dir(place.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let going = Going(command.spawn()?);
    wait_until_caught(going.pid()?, Signal::TERM)?;
    going.signal(Signal::HUP)?;
    let (status, text) = going.end(NEVER)?;
    assert_eq!(status.code(), Some(0), "{text}");
    assert_eq!(outcomes(&serde_json::from_str::<Value>(&text)?["runs"][0]), ["done"; 3]);
    Ok(())
}

#[test]
fn a_manifest_that_is_a_pipe_is_not_waited_for() -> Fallible {
    let place = Place::new()?;
    fs::create_dir(place.path("out"))?;
    let pipe = place.path("out/.threadrace-manifest.json");
    assert!(Command::new("mkfifo").arg(pipe).status()?.success());
    assert_refused(&place.run(&["small", "-o", "out"])?, 3, "is no regular file");
    Ok(())
}

#[test]
fn a_report_that_nobody_takes_does_not_outlast_a_signal() -> Fallible {
    let place = Place::new()?;
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status()?.success());
    let going = racing(&place, &["endless", "--report", "pipe", "--format", "json"])?;
    going.signal(Signal::TERM)?;
    assert_eq!(going.end(NEVER)?.0.code(), Some(143));
    Ok(())
}

#[test]
fn a_program_is_not_told_a_folder_that_it_could_not_name() -> Fallible {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new()?;
    let program = format!("[executors.mine]\ncommand = [\"{PROGRAM}\"]\nworkloads = [\"download\"]\n");
    fs::write(place.path("config.toml"), format!("{CONFIG}{program}"))?;
    let folder = std::ffi::OsStr::from_bytes(b"bad\xff");
    let mut command = place.program(&["small", "-e", "sequential,mine", "--format", "json", "-o"]);
    let output = command.arg(folder).output()?;
    assert_code(&output, 1);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let why = report["runs"][1]["message"].as_str().unwrap_or_default();
    assert!(why.contains("is the output folder's name UTF-8?"), "{why}");
    Ok(())
}

#[test]
fn worker_processes_are_of_the_program_that_runs_whatever_has_taken_its_place() -> Fallible {
    let place = Place::new()?;
    // A name of its own for the same file. A copy would be open for writing in any child that another test starts just
    // now, and could not be run.
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let program = own.path().join("threadrace");
    fs::hard_link(PROGRAM, &program)?;
    let arguments =
        ["sleep-10", "--time-scale", "0.1", "-e", "sequential,processes", "--plain", "--format", "json"];
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(place.path("")).env_clear().env("HOME", place.path(""));
    let mut race = Going(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let mut lines = BufReader::new(race.0.stderr.take().ok_or("no standard error")?).lines();
    lines.next().ok_or("it said nothing")??;
    // The first task of the sequential run is under way: no worker process was needed yet.
    fs::remove_file(&program)?;
    fs::write(&program, "#!/bin/sh\nexit 9\n")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let told: Vec<String> = lines.map_while(Result::ok).collect();
    let (status, report) = race.end(NEVER)?;
    assert_eq!(status.code(), Some(0), "{told:?}");
    let report: Value = serde_json::from_str(&report)?;
    assert!(outcomes(&report["runs"][1]).iter().all(|outcome| *outcome == "done"), "{report}");
    Ok(())
}

#[test]
fn a_file_that_may_grow_no_further_is_a_disk_that_refuses_in_every_process() -> Fallible {
    let place = Place::new()?;
    let mut command = Command::new("sh");
    // Blocks of 512 or 1024 bytes, as the shell counts: a picture needs more of either, all else fewer.
    command.args(["-c", r#"ulimit -f 40; exec "$@""#, "sh", PROGRAM]);
    command.args(["images-20", "-n", "6", "-w", "2", "-e", "pool,processes", "--plain", "--format", "json"]);
    command.current_dir(place.path("")).env_clear().env("HOME", place.path("")).env("PATH", "/usr/bin:/bin");
    let output = command.output()?;
    assert_code(&output, 3);
    let report: Value = serde_json::from_str(&out(&output))?;
    for run in 0..2 {
        let tasks = report["runs"][run]["tasks"].as_array().ok_or("no tasks")?;
        assert_eq!(tasks.len(), 6);
        for task in tasks {
            assert_eq!(task["outcome"], "failed", "{task}");
            assert_eq!(task["error"]["kind"], "disk", "{task}");
        }
    }
    let left = place.tree("threadrace-output")?;
    assert!(left.keys().all(|file| !file.to_string_lossy().ends_with(".part")), "{:?}", left.keys());
    Ok(())
}
