//! What a signal ends is ended in order, and what is known by then is told.

use super::*;

/// Whether these tests themselves were started to ignore the signal, as whatever they start is then.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

#[test]
fn a_signal_cancels_the_race_and_the_report_is_printed() -> Fallible {
    let all = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)];
    for (signal, code) in all.into_iter().filter(|(signal, _)| !is_ignored(*signal)) {
        let place = Place::new()?;
        let going = racing(&place, &["endless", "--format", "json"])?;
        going.signal(signal)?;
        let (status, text) = going.end(NEVER)?;
        assert_eq!(status.code(), Some(code), "{signal:?}: {text}");
        let report: Value = serde_json::from_str(&text)?;
        REPORT.check(&report)?;
        let (first, others) =
            report["runs"].as_array().and_then(|runs| runs.split_first()).ok_or("no runs")?;
        assert_eq!(first["status"], "cancelled");
        assert_eq!(outcomes(first), ["cancelled"; 6]);
        // A run whose turn never came is not said to have been cancelled.
        assert!(others.iter().all(|run| run["status"] == "waiting" && run["wall_seconds"].is_null()));
        let files = place.tree("threadrace-output")?;
        assert!(files.keys().all(|file| file.ends_with(".threadrace-manifest.json")), "{:?}", files.keys());
    }
    Ok(())
}

#[test]
fn a_run_in_whose_middle_the_program_was_stopped_claims_no_speedup() -> Fallible {
    let place = Place::new()?;
    let going = racing(&place, &["leisurely", "--format", "json"])?;
    going.signal(Signal::STOP)?;
    // The wait is what is tested: so long the program does not run.
    thread::sleep(Duration::from_secs(1));
    going.signal(Signal::CONT)?;
    let (status, text) = going.end(NEVER)?;
    assert_eq!(status.code(), Some(0), "every task was done: {text}");
    let report: Value = serde_json::from_str(&text)?;
    REPORT.check(&report)?;
    let stopped = &report["runs"][0];
    assert_eq!((&stopped["comparable"], &stopped["speedup"]), (&Value::Bool(false), &Value::Null));
    assert_eq!(outcomes(stopped), ["done"; 3]);
    assert_eq!(report["runs"][1]["speedup"], Value::Null, "there is nothing to compare it with");
    Ok(())
}

#[test]
fn a_run_that_ended_while_the_program_was_stopped_is_the_one_that_is_told_of() -> Fallible {
    let place = Place::new()?;
    // Its three tasks wait for two seconds at once, and have their answers before the program goes on.
    let arguments = ["leisurely", "-e", "threads,pool", "--time-scale", "4", "--format", "json"];
    let going = racing(&place, &arguments)?;
    going.signal(Signal::STOP)?;
    // The wait is what is tested: so long the program does not run.
    thread::sleep(Duration::from_secs(3));
    going.signal(Signal::CONT)?;
    let (status, text) = going.end(NEVER)?;
    assert_eq!(status.code(), Some(0), "every task was done: {text}");
    let report: Value = serde_json::from_str(&text)?;
    let interrupted = |run: usize| report["runs"][run]["interrupted_seconds"].as_f64();
    assert!(interrupted(0).is_some_and(|seconds| seconds > 1.0), "{text}");
    assert_eq!(interrupted(1), Some(0.0), "it began after the program went on");
    Ok(())
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one_and_the_report_is_printed() -> Fallible {
    let place = Place::new()?;
    let going = racing(&place, &["endless", "--format", "json"])?;
    going.signal(Signal::TERM)?;
    going.signal(Signal::TERM)?;
    let (status, text) = going.end(NEVER)?;
    assert_eq!(status.code(), Some(143));
    REPORT.check(&serde_json::from_str(&text)?)?;
    Ok(())
}

#[test]
fn a_second_signal_ends_a_program_that_cannot_end() -> Fallible {
    let place = Place::new()?;
    // A pipe that nobody reads: the report is never taken.
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status()?.success());
    let going = racing(&place, &["endless", "--report", "pipe", "--format", "json"])?;
    going.signal(Signal::INT)?;
    // The wait is what is tested: what comes sooner is an echo.
    thread::sleep(MS(400));
    going.signal(Signal::TERM)?;
    assert_eq!(going.end(NEVER)?.0.code(), Some(143));
    Ok(())
}

#[test]
fn claims_that_were_checked_are_told_when_a_signal_ends_the_rest() -> Fallible {
    let place = Place::new()?;
    let mut command =
        place.program(&["claims", "sleep-10", "posts-5", "--repeat", "1", "--time-scale", "0.01"]);
    let mut going = Going(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let lines = BufReader::new(going.0.stderr.take().ok_or("no standard error")?).lines();
    let mut lines = lines.map_while(Result::ok);
    let first = lines.next().ok_or("it said nothing")?;
    let (one, other) =
        if first.contains("sleep-10") { ("sleep-10", "posts-5") } else { ("posts-5", "sleep-10") };
    assert!(lines.any(|line| line.contains(other)), "{first}");
    going.signal(Signal::TERM)?;
    let (_, text) = going.end(NEVER)?;
    assert!(text.contains(one), "{text}");
    Ok(())
}
