//! Recordings of races that ran, and of races that are simulated.

use std::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use threadrace::event::{At, Event, Fact};
use threadrace::model::RaceState;
use threadrace::recording::{self, Flaw, Player, Tape};

use crate::simulate::{Fate, Race};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_threadrace");

/// A command of the program in `folder`, which finds no configuration of anybody's.
fn threadrace(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
    command
}

fn folded(events: &[Event]) -> Option<RaceState> {
    let Fact::RaceStarted { plan } = &events.first()?.fact else { return None };
    let mut state = RaceState::new(plan.clone());
    events.iter().for_each(|event| state.apply(event));
    Some(state)
}

fn written(events: &[Event]) -> Fallible<Vec<u8>> {
    let Some(Fact::RaceStarted { plan }) = events.first().map(|event| &event.fact) else {
        return Err("no race".into());
    };
    let mut text = Vec::new();
    recording::write(plan, events, &mut text)?;
    Ok(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_what_was_written(
        seed in any::<u64>(), tasks in 1_usize..30, fate in 0_usize..30, kind in 0_usize..4, together in any::<bool>(),
    ) {
        let fate_kind = [Fate::Done, Fate::Failed, Fate::Retried, Fate::Panicked][kind];
        let mut race = Race::new(seed).tasks(tasks).fate(fate, fate_kind);
        if together {
            race = race.together();
        }
        let events = race.events();
        let text = written(&events).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let read = recording::read(&mut &text[..]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&read.flaws, &[]);
        let told: Vec<Event> = read.tape.told().iter().map(|told| told.event.clone()).collect();
        prop_assert_eq!(&told, &events);
        prop_assert_eq!(Some(read.race()), folded(&events));
    }

    #[test]
    fn a_player_is_at_any_place_what_the_fold_was_there(
        seed in any::<u64>(), places in prop::collection::vec(0_usize..2000, 1..12),
    ) {
        let events = Race::new(seed).tasks(6).fate(2, Fate::Retried).events();
        let tape: Tape = events.iter().cloned().collect();
        let Some(plan) = tape.plan() else { return Err(TestCaseError::fail("no plan")) };
        let mut player = Player::new(plan.clone());
        for place in places {
            let place = place % (events.len() + 1);
            player.seek(&tape, place);
            let mut fold = RaceState::new(plan.clone());
            events[..place].iter().for_each(|event| fold.apply(event));
            prop_assert_eq!(player.state(), &fold);
        }
    }
}

/// The scenario that these tests race: it has downloads that fail and ones that are tried again.
const RACE: [&str; 7] = ["bytes-1000", "-n", "24", "--plain", "--format", "json", "--record"];

#[test]
fn a_recorded_race_reads_as_it_was_told() -> Fallible {
    let folder = tempfile::tempdir()?;
    let live = threadrace(folder.path(), &RACE).arg("race.jsonl").output()?;
    assert!(live.status.success(), "{}", String::from_utf8_lossy(&live.stderr));
    let replayed = threadrace(folder.path(), &["replay", "race.jsonl", "--format", "json"]).output()?;
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), String::from_utf8_lossy(&live.stdout));
    assert!(replayed.stderr.is_empty(), "{}", String::from_utf8_lossy(&replayed.stderr));
    Ok(())
}

#[test]
fn live_events_come_in_the_order_of_time_up_to_moments_that_are_whole() -> Fallible {
    let folder = tempfile::tempdir()?;
    let live = threadrace(folder.path(), &RACE).arg("race.jsonl").output()?;
    assert!(live.status.success());
    let tape = recording::read_file(&folder.path().join("race.jsonl"))?.tape;
    let late = tape.told().iter().filter(|told| told.known > told.event.at).count();
    assert!(late * 100 <= tape.len(), "{late} of {} events were told late", tape.len());
    assert!(tape.told().iter().any(|told| told.event.fact == Fact::Collected));
    assert!(matches!(tape.told().last().map(|told| &told.event.fact), Some(Fact::RaceFinished)));
    Ok(())
}

#[test]
fn a_killed_program_leaves_what_was_told_before() -> Fallible {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("race.jsonl");
    let mut child = threadrace(folder.path(), &["images-20", "-n", "6", "--plain", "--record", "race.jsonl"])
        .stderr(Stdio::piped())
        .spawn()?;
    // The first line of the second task: the race is under way.
    let mut lines = std::io::BufReader::new(child.stderr.take().ok_or("no stderr")?);
    for _ in 0..3 {
        std::io::BufRead::read_line(&mut lines, &mut String::new())?;
    }
    child.kill()?;
    child.wait()?;
    lines.read_to_string(&mut String::new())?;
    let read = recording::read_file(&path)?;
    assert_eq!(read.flaws, [Flaw::BrokenOff]);
    let race = read.race();
    assert!(!race.is_over() && race.misfits() == 0);
    assert!(race.runs()[0].counts().done >= 1);
    let replayed = threadrace(folder.path(), &["replay", "race.jsonl"]).output()?;
    assert!(replayed.status.success());
    assert!(String::from_utf8_lossy(&replayed.stderr).contains("breaks off"));
    Ok(())
}

#[test]
fn a_file_that_is_no_recording_stays_as_it_is() -> Fallible {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.txt");
    fs::write(&path, "my notes\n")?;
    let race = threadrace(folder.path(), &RACE).arg("mine.txt").output()?;
    assert_eq!(race.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&race.stderr).contains("mine.txt is there already and is no recording"));
    assert_eq!(fs::read_to_string(&path)?, "my notes\n");
    let replayed = threadrace(folder.path(), &["replay", "mine.txt"]).output()?;
    assert_eq!(replayed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&replayed.stderr).contains("mine.txt: this is no recording"));
    Ok(())
}

#[test]
fn a_race_that_never_starts_costs_no_recording() -> Fallible {
    let folder = tempfile::tempdir()?;
    let race = |name: &str, output: &str| {
        let flags = ["bytes-1000", "-n", "2", "-e", "pool", "--plain", "-o", output, "--record", name];
        threadrace(folder.path(), &flags).output()
    };
    assert!(race("race.jsonl", "out")?.status.success());
    let kept = fs::read(folder.path().join("race.jsonl"))?;
    fs::create_dir_all(folder.path().join("theirs/pool"))?;
    for name in ["bytes-1.bin", "bytes-2.bin"] {
        fs::write(folder.path().join("theirs/pool").join(name), "theirs")?;
    }
    for name in ["race.jsonl", "new.jsonl"] {
        let refused = race(name, "theirs")?;
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    }
    assert_eq!(fs::read(folder.path().join("race.jsonl"))?, kept);
    assert!(!folder.path().join("new.jsonl").exists());
    // A file with nothing in it has nothing to lose.
    fs::write(folder.path().join("empty.jsonl"), "")?;
    assert!(race("empty.jsonl", "out")?.status.success());
    assert!(recording::read_file(&folder.path().join("empty.jsonl"))?.flaws.is_empty());
    Ok(())
}

#[test]
fn a_report_never_takes_its_recordings_place() -> Fallible {
    let folder = tempfile::tempdir()?;
    let race = ["bytes-1000", "-n", "2", "-e", "pool", "--plain", "--record", "race.jsonl"];
    assert!(threadrace(folder.path(), &race).output()?.status.success());
    let kept = fs::read(folder.path().join("race.jsonl"))?;
    let replay = ["replay", "race.jsonl", "--plain", "--report", "./race.jsonl"];
    for flags in [&replay[..], &[&race[..], &["--report", "race.jsonl"]].concat()] {
        let refused = threadrace(folder.path(), flags).output()?;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("race.jsonl is the recording"));
        assert_eq!(fs::read(folder.path().join("race.jsonl"))?, kept);
    }
    fs::create_dir(folder.path().join("d"))?;
    let race = ["bytes-1000", "-n", "2", "-e", "pool", "--plain", "--record", "d/../new.jsonl"];
    let refused = threadrace(folder.path(), &[&race[..], &["--report", "new.jsonl"]].concat()).output()?;
    assert_eq!((refused.status.code(), folder.path().join("new.jsonl").exists()), (Some(2), false));
    Ok(())
}

#[test]
fn a_recording_gives_way_to_the_next_one() -> Fallible {
    let folder = tempfile::tempdir()?;
    for tasks in ["3", "2"] {
        let race =
            threadrace(folder.path(), &["bytes-1000", "-n", tasks, "--plain", "--record", "race.jsonl"])
                .output()?;
        assert!(race.status.success());
    }
    let read = recording::read_file(&folder.path().join("race.jsonl"))?;
    assert_eq!((read.plan.tasks.len(), read.flaws.len()), (2, 0));
    Ok(())
}

/// The names of the scenarios that are built in.
fn scenario_names() -> Fallible<Vec<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml"))?;
    let config: toml::Table = text.parse()?;
    let scenarios = config.get("scenarios").and_then(toml::Value::as_table).ok_or("no scenarios")?;
    Ok(scenarios.keys().cloned().collect())
}

/// The recordings that come with the program, by scenario.
fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/recordings")
}

#[test]
fn every_built_in_scenario_has_a_recording_that_is_whole() -> Fallible {
    let mut bytes = 0;
    for scenario in scenario_names()? {
        let path = shipped().join(format!("{scenario}.jsonl"));
        bytes += fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
        let read = recording::read_file(&path)?;
        assert_eq!((read.plan.scenario.as_str(), &read.flaws), (scenario.as_str(), &Vec::new()));
        let race = read.race();
        assert!(race.is_over() && race.misfits() == 0, "{scenario}: {} misfits", race.misfits());
        assert_eq!(race.went_as_meant(), scenario != "errors", "{scenario}");
        let marks = read.tape.told().iter().filter(|told| told.event.fact == Fact::Collected).count();
        assert!(marks >= 5, "{scenario}: {marks} moments at which everything is known");
    }
    assert!(bytes < 4_000_000, "{bytes} bytes are more than anybody wants to download");
    Ok(())
}

#[test]
fn what_is_seen_at_a_moment_of_a_recording_is_what_was_seen_live() -> Fallible {
    for scenario in ["images-20", "counter"] {
        let tape = recording::read_file(&shipped().join(format!("{scenario}.jsonl")))?.tape;
        let plan = tape.plan().ok_or("no plan")?.clone();
        let marks: Vec<usize> =
            (0..tape.len()).filter(|&place| tape.told()[place].event.fact == Fact::Collected).collect();
        let (mut live, mut folded) = (RaceState::new(plan.clone()), 0);
        let mut player = Player::new(plan);
        for tenth in 0..10 {
            let mark = marks[tenth * (marks.len() - 1) / 9];
            // A live race has folded what was told up to the mark, and shows its moment.
            tape.told()[folded..=mark].iter().for_each(|told| live.apply(&told.event));
            folded = mark + 1;
            let moment = tape.told()[mark].known;
            assert_eq!(tape.known_at(moment), mark + 1);
            player.seek(&tape, tape.known_at(moment));
            assert_eq!(player.state(), &live);
            assert_eq!(live.last_moment(), moment);
        }
    }
    Ok(())
}

/// On a full disk the race goes on, and what was written before can be read.
#[test]
fn a_full_disk_ends_the_recording_and_not_the_race() -> Fallible {
    let folder = tempfile::tempdir()?;
    // The shell's limit on the size of files stands for a disk that is full: the race's own files are smaller.
    let script = format!(
        "ulimit -f 16; trap '' XFSZ; exec '{PROGRAM}' sleep-10 --time-scale 0.02 --plain --format json --record race.jsonl"
    );
    let race = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env_remove("XDG_CONFIG_HOME")
        .output()?;
    let told = String::from_utf8_lossy(&race.stderr).into_owned();
    assert_eq!(race.status.code(), Some(3), "{told}");
    assert!(told.contains("race.jsonl can't be written"), "{told}");
    let report: serde_json::Value = serde_json::from_slice(&race.stdout)?;
    let runs = report["runs"].as_array().ok_or("no runs")?;
    assert!(!runs.is_empty() && runs.iter().all(|run| run["failed"] == 0), "{report}");
    let read = recording::read_file(&folder.path().join("race.jsonl"))?;
    assert_eq!(read.flaws, [Flaw::BrokenOff]);
    assert!(read.tape.end() > At::ZERO);
    Ok(())
}
