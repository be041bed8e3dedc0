//! Chrome traces, out and in: of races that ran, of races that are simulated, and of other programs.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use threadrace::event::{Collect, Event, ExecutorKind, Fact, Phase, RunEnd, Worker, WorkloadKind};
use threadrace::model::{RaceState, RunStatus, Stage};
use threadrace::recording::{
    self, Flaw, Imported, TraceError, TraceLimits, read_file, read_trace, read_trace_file, write_trace,
};
use threadrace::report::{self, Format, Summary};

use crate::checker::faults;
use crate::rig::SMALL_WORK;
use crate::schema::REPORT;
use crate::simulate::{Fate, Race, folded};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

/// The counters of a trace of this program that only rise.
const RISING: [&str; 2] = ["tasks done", "bytes arrived"];

fn traced(race: &RaceState) -> Fallible<String> {
    let mut out = Vec::new();
    write_trace(race, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn imported(trace: &str) -> Result<Imported, TraceError> {
    read_trace(trace.as_bytes(), "trace.json", &TraceLimits::default())
}

fn everything() -> Race {
    use ExecutorKind::{Async, Gil, Pool, Processes, Sequential, Threads};
    let runs = [(Sequential, 1), (Threads, 1), (Pool, 3), (Async, 4), (Processes, 2), (Gil, 2)];
    Race::new(11).tasks(9).runs(&runs)
}

/// It would stand at the race's start, where it never was.
#[test]
fn an_event_of_our_own_without_its_time_is_left_out() -> Fallible {
    let trace = traced(&everything().state())?;
    let at = trace.find(r#""cat":"task""#).ok_or("no task")?;
    let time = at + trace[at..].find(r#""ts":"#).ok_or("no time")?;
    let end = time + trace[time..].find(',').ok_or("no end")?;
    let timeless = [&trace[..time], &trace[end + 1..]].concat();
    let told = |imported: Imported| {
        imported.events.iter().filter(|event| matches!(event.fact, Fact::TaskFinished { .. })).count()
    };
    assert_eq!(told(imported(&timeless)?), told(imported(&trace)?) - 1);
    Ok(())
}

/// Races with everything that can happen in them.
fn races() -> Vec<Race> {
    vec![
        everything(),
        everything().together().unknown_lengths().full_link(),
        everything().fate(1, Fate::Failed).fate(3, Fate::Retried).fate(5, Fate::Panicked),
        everything().cancel(2, Duration::from_millis(300)).breakdown(
            3,
            Duration::from_millis(400),
            "no\u{1b}[2J more",
        ),
        everything()
            .collect(1, Collect::Submit)
            .collect(2, Collect::Completion)
            .leave(3, Duration::from_millis(350)),
        everything().replace(4, 1, Duration::from_millis(150)),
        Race::new(3).counter(),
        everything().name(0, "\u{202e}evil\u{1b}]0;x\u{7}\"\\</script>").name(1, ""),
        Race::new(5).tasks(0),
        Race::new(6).tasks(150).runs(&[(ExecutorKind::Threads, 1)]),
    ]
}

#[test]
fn the_trace_of_every_simulated_race_keeps_the_format() -> Fallible {
    for race in races() {
        let events = race.events();
        for part in [1, events.len() / 3, events.len() / 2, events.len()] {
            let trace = traced(&folded(&events[..part.max(1)]))?;
            assert_eq!(faults(&trace, &RISING), Vec::<String>::new(), "{race:?}");
            assert!(!trace.contains(['\u{1b}', '\u{202e}', '\u{7}']));
        }
    }
    Ok(())
}

#[test]
fn lanes_are_named_threads_in_our_order_with_phases_inside_tasks() -> Fallible {
    let trace: Value = serde_json::from_str(&traced(&everything().state())?)?;
    let events = trace["traceEvents"].as_array().ok_or("no events")?;
    let of = |name: &str| events.iter().filter(move |event| event["name"] == name).collect::<Vec<_>>();
    let processes: Vec<&str> =
        of("process_name").iter().filter_map(|event| event["args"]["name"].as_str()).collect();
    let expected = [
        "sequential, 1 worker",
        "threads, 9 workers",
        "pool, 3 workers",
        "async, 4 workers",
        "processes, 2 workers",
        "gil, 2 workers",
    ];
    assert_eq!(processes, expected);
    let threads: Vec<(&Value, &Value)> =
        of("thread_name").iter().filter(|e| e["pid"] == 3).map(|e| (&e["tid"], &e["args"]["name"])).collect();
    let named: Vec<&str> = threads.iter().filter_map(|(_, name)| name.as_str()).collect();
    assert_eq!(named[0], "run");
    assert!(named[1].starts_with("lane 1: ") && named[3].starts_with("lane 3: "), "{named:?}");
    let places: Vec<(&Value, &Value)> = of("thread_sort_index")
        .iter()
        .filter(|e| e["pid"] == 3)
        .map(|e| (&e["tid"], &e["args"]["sort_index"]))
        .collect();
    assert!(places.is_sorted_by_key(|(tid, _)| tid.as_i64()), "viewers without sort_index go by ids");
    assert!(places.is_sorted_by_key(|(_, place)| place.as_i64()));
    let task = events.iter().find(|e| e["cat"] == "task" && e["pid"] == 3).ok_or("no task")?;
    let inside = |e: &&Value| {
        let end = |e: &Value| e["ts"].as_f64().unwrap_or(0.0) + e["dur"].as_f64().unwrap_or(0.0);
        e["cat"] == "phase" && e["tid"] == task["tid"] && e["pid"] == 3 && end(e) <= end(task) + 0.000_1
    };
    let phases: Vec<&str> = events.iter().filter(inside).filter_map(|e| e["name"].as_str()).collect();
    assert_eq!(phases, ["connecting", "waiting", "receiving", "writing"]);
    assert_eq!(task["args"]["outcome"], "done");
    Ok(())
}

/// What must be the same after the way out and in again.
fn assert_same(before: &RaceState, after: &RaceState) {
    assert_eq!(after.misfits(), 0);
    assert_eq!(before.runs().len(), after.runs().len());
    for (before, after) in before.runs().iter().zip(after.runs()) {
        assert_eq!(before.plan(), after.plan());
        assert_eq!(before.status(), after.status());
        assert_eq!(before.accesses(), after.accesses());
        assert_eq!((before.counter(), before.usage()), (after.counter(), after.usage()));
        assert_eq!(before.interrupted(), after.interrupted());
        assert_eq!(before.lanes().len(), after.lanes().len());
        for (before, after) in before.lanes().iter().zip(after.lanes()) {
            assert_eq!((before.spans(), before.workers()), (after.spans(), after.workers()));
            assert_eq!(before.tasks(), after.tasks());
        }
        for (before, after) in before.tasks().iter().zip(after.tasks()) {
            assert_eq!((before.stage, before.lane, before.started), (after.stage, after.lane, after.started));
            assert_eq!((before.finished, before.delivered), (after.finished, after.delivered));
            assert_eq!((before.attempts, before.bytes), (after.attempts, after.bytes));
            assert_eq!((before.error, before.error_message()), (after.error, after.error_message()));
        }
    }
}

#[test]
fn the_report_of_an_imported_race_keeps_the_schema() -> Fallible {
    let trace = r#"[{"ph":"X","name":"f","pid":1,"tid":1,"ts":0,"dur":9},
        {"ph":"M","name":"process_name","pid":1,"tid":1,"args":{"name":"My App 2.0"}}]"#;
    let race = folded(&imported(trace)?.events);
    let mut report = Vec::new();
    report::write(Format::Json, &race, race.last_moment(), &mut report)?;
    REPORT.check(&serde_json::from_slice(&report)?)?;
    Ok(())
}

#[test]
fn what_could_not_be_compared_can_not_be_when_it_comes_in_again() -> Fallible {
    for race in [Race::new(1), Race::new(1).together()] {
        let mut events = race.events();
        let middle = events.len() / 3;
        let at = events[middle].at;
        events.insert(middle, Event { at, fact: Fact::Interrupted { nanos: 5_000_000_000 } });
        let before = folded(&events);
        assert!(before.runs().iter().any(|run| !run.interrupted().is_zero()));
        assert_same(&before, &folded(&imported(&traced(&before)?)?.events));
    }
    Ok(())
}

#[test]
fn a_race_goes_out_and_comes_in_again() -> Fallible {
    for race in races().into_iter().filter(|race| !race.plan().tasks.is_empty()) {
        let before = race.name(0, "plain").name(1, "again").state();
        let back = imported(&traced(&before)?)?;
        assert_eq!(back.notes, Vec::<String>::new());
        assert!(matches!(back.events.last().map(|event| &event.fact), Some(Fact::RaceFinished)));
        assert_same(&before, &folded(&back.events));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_race_goes_out_and_comes_in_again(
        seed in any::<u64>(), tasks in 1_usize..25, fate in 0_usize..25, kind in 0_usize..4,
        together in any::<bool>(), cancel in 0_u64..3000, workers in 1_usize..7,
    ) {
        let fates = [Fate::Done, Fate::Failed, Fate::Retried, Fate::Panicked];
        let runs = [(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, workers), (ExecutorKind::Async, workers)];
        let mut race = Race::new(seed).tasks(tasks).runs(&runs).fate(fate, fates[kind]);
        race = race.cancel(1, Duration::from_millis(cancel));
        if together {
            race = race.together();
        }
        let before = race.state();
        let fail = |error: Box<dyn Error>| TestCaseError::fail(error.to_string());
        let trace = traced(&before).map_err(fail)?;
        prop_assert_eq!(faults(&trace, &RISING), Vec::<String>::new());
        let back = imported(&trace).map_err(|error| fail(error.into()))?;
        assert_same(&before, &folded(&back.events));
    }
}

/// Races every scenario that ships, small and fast.
#[test]
fn the_trace_of_every_scenario_keeps_the_format() -> Fallible {
    let folder = tempfile::tempdir()?;
    let small = format!("format = \"threadrace-config-1\"{SMALL_WORK}");
    fs::write(folder.path().join("small.toml"), small)?;
    let listing = threadrace(folder.path(), &["scenarios"]).output()?;
    let listing = String::from_utf8(listing.stdout)?;
    let names =
        listing.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    let (mut kinds, mut executors) = (Vec::new(), Vec::new());
    for name in names.filter(|name| !name.is_empty()) {
        let file = format!("{name}.race");
        let arguments =
            [name, "--config", "small.toml", "--plain", "--time-scale", "0.01", "-n", "3", "-w", "2"];
        let output = threadrace(folder.path(), &arguments).args(["--record", &file, "-o", name]).output()?;
        let recording = read_file(&folder.path().join(&file))
            .map_err(|error| format!("{name}: {error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let race = recording.race();
        assert!(race.is_over(), "{name}");
        let trace = traced(&race)?;
        assert_eq!(faults(&trace, &RISING), Vec::<String>::new(), "{name}");
        let back = imported(&trace).map_err(|error| format!("{name}: {error}"))?;
        assert_same(&race, &folded(&back.events));
        kinds.push(race.plan().workload);
        executors.extend(race.runs().iter().map(|run| run.plan().executor.clone()));
    }
    for kind in WorkloadKind::ALL {
        assert!(kinds.contains(&kind), "no scenario does {}", kind.name());
    }
    for kind in ExecutorKind::BUILT_IN {
        assert!(executors.contains(&kind), "no scenario has {kind}");
    }
    Ok(())
}

/// A command of the program in `folder`, which finds no configuration of anybody's.
fn threadrace(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadrace"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
    command
}

/// The one run of an imported trace.
struct Run {
    state: RaceState,
    notes: Vec<String>,
}

impl Run {
    fn of(trace: &str) -> Result<Run, TraceError> {
        let imported = imported(trace)?;
        let state = folded(&imported.events);
        assert_eq!(state.misfits(), 0, "{trace}");
        assert_eq!(state.runs().len(), 1);
        Ok(Run { state, notes: imported.notes })
    }

    /// Each lane's spans, as `NAME phase from..to` in microseconds.
    fn spans(&self) -> Vec<Vec<String>> {
        let name = |task: usize| self.state.plan().tasks[task].name.clone();
        let micros = |at: threadrace::event::At| at.0 as f64 / 1e3;
        let lanes = self.state.runs()[0].lanes().iter();
        lanes
            .map(|lane| {
                let spans = lane.spans().iter();
                spans
                    .map(|span| {
                        let (task, phase) = (name(span.task.index()), span.phase.name());
                        format!("{task} {phase} {}..{}", micros(span.from), micros(span.to))
                    })
                    .collect()
            })
            .collect()
    }
}

#[test]
fn threads_are_lanes_and_outermost_slices_are_tasks() -> Fallible {
    let run = Run::of(
        r#"[{"name":"thread_name","ph":"M","pid":7,"tid":2,"args":{"name":"second"}},
        {"name":"a","ph":"X","pid":7,"tid":1,"ts":100,"dur":50},
        {"name":"time.sleep","ph":"X","pid":7,"tid":1,"ts":110,"dur":30},
        {"name":"b","ph":"B","pid":7,"tid":2,"ts":120.5},
        {"name":"recv","ph":"B","pid":7,"tid":2,"ts":"130"},
        {"ph":"E","pid":7,"tid":2,"ts":131.25},
        {"ph":"E","pid":7,"tid":2,"ts":140},
        {"name":"a","ph":"X","pid":7,"tid":1,"ts":150,"dur":0.5}]"#,
    )?;
    let expected = [
        vec![
            "a #1 computing 0..10",
            "a #1 sleeping 10..40",
            "a #1 computing 40..50",
            "a #2 computing 50..50.5",
        ],
        vec!["b computing 20.5..30", "b receiving 30..31.25", "b computing 31.25..40"],
    ];
    assert_eq!(run.spans(), expected);
    let workers: Vec<_> =
        run.state.runs()[0].lanes().iter().filter_map(|lane| lane.worker().cloned()).collect();
    let thread = |name: &str, id| Worker::Thread { name: name.to_owned(), thread_id: Some(id) };
    assert_eq!(workers, [thread("thread 1", 1), thread("second", 2)]);
    assert_eq!(run.notes, Vec::<String>::new());
    Ok(())
}

#[test]
fn async_operations_share_lanes_where_they_don_t_overlap() -> Fallible {
    let run = Run::of(
        r#"{"traceEvents":[
        {"name":"one","cat":"op","ph":"b","id":"0x1","pid":1,"tid":1,"ts":0},
        {"name":"two","cat":"op","ph":"b","id":"0x2","pid":1,"tid":1,"ts":2},
        {"name":"wait","cat":"op","ph":"b","id":"0x1","pid":1,"tid":1,"ts":3},
        {"name":"wait","cat":"op","ph":"e","id":"0x1","pid":1,"tid":1,"ts":8},
        {"name":"two","cat":"op","ph":"e","id":"0x2","pid":1,"tid":1,"ts":6},
        {"name":"one","cat":"op","ph":"e","id":"0x1","pid":1,"tid":1,"ts":10},
        {"name":"three","cat":"op","ph":"S","id":3,"pid":1,"tid":1,"ts":7},
        {"name":"three","cat":"op","ph":"F","id":3,"pid":1,"tid":1,"ts":9},
        {"name":"mark","cat":"op","ph":"n","id":3,"pid":1,"tid":1,"ts":8}]}"#,
    )?;
    let expected = [
        vec!["one computing 0..3", "one waiting 3..8", "one computing 8..10"],
        vec!["two computing 2..6", "three computing 7..9"],
    ];
    assert_eq!(run.spans(), expected);
    assert_eq!(run.notes, ["a race has no place for these, so they were left out: 1 instants"]);
    Ok(())
}

#[test]
fn slices_that_overlap_on_one_thread_get_lanes_beside_each_other() -> Fallible {
    let run = Run::of(
        r#"[{"name":"a","ph":"X","pid":1,"tid":1,"ts":0,"dur":100},
        {"name":"b","ph":"X","pid":1,"tid":1,"ts":50,"dur":100},
        {"name":"c","ph":"X","pid":1,"tid":1,"ts":149.5,"dur":10}]"#,
    )?;
    assert_eq!(
        run.spans(),
        [vec!["a computing 0..100", "c computing 149.5..159.5"], vec!["b computing 50..150"]]
    );
    assert_eq!(run.notes, ["1 slice overlaps another of its thread, and is on a lane beside it"]);
    Ok(())
}

#[test]
fn what_never_ends_is_closed_where_the_trace_ends_and_said() -> Fallible {
    let run = Run::of(
        r#"[{"name":"a","ph":"B","pid":1,"tid":1,"ts":0},
        {"name":"b","ph":"X","pid":1,"tid":2,"ts":5,"dur":5},
        {"ph":"E","pid":1,"tid":9,"ts":6},
        {"name":"c","ph":"X","pid":1,"tid":2,"ts":1,"dur":-5},
        {"name":"d","ph":"X","pid":1,"tid":2,"ts":"soon","dur":5}, 7, {"#,
    )?;
    assert_eq!(run.spans(), [vec!["a computing 0..10"], vec!["b computing 5..10"]]);
    let run_state = &run.state.runs()[0];
    assert_eq!((run_state.tasks()[0].stage, run_state.tasks()[1].stage), (Stage::Cancelled, Stage::Done));
    assert!(matches!(run_state.status(), RunStatus::Ended { end: RunEnd::Failed { .. }, .. }));
    let expected = [
        "1 slice never ends: it was closed where the trace ends",
        "1 end (E) has no beginning: left out",
        "1 slice ends before it begins: left out",
        "1 event has no usable time: left out",
        "1 of the values is no event (first on line 5): left out",
        "the file ends before the trace does: read as far as it goes",
    ];
    assert_eq!(run.notes, expected);
    Ok(())
}

#[test]
fn forms_that_tracers_write_are_read() -> Fallible {
    let slice = r#"{"name":"a","ph":"X","pid":1,"tid":1,"ts":0,"dur":1}"#;
    let forms = [
        format!("[{slice}]"),
        format!("\u{feff} [\n{slice},\n"),
        format!("[{slice},]"),
        format!("{{\"traceEvents\":[{slice}]}}"),
        format!("{{\"otherData\":{{\"traceEvents\":[1,\"]\"]}},\"traceEvents\":[{slice}],\"x\":[{{}}]}}\n\n"),
        format!(
            "{{\"traceEvents\":[{slice},{{\"ph\":\"M\",\"name\":\"process_name\",\"args\":3,\"pid\":null}}]"
        ),
        format!("[{slice}{slice}"),
        format!("[{}]", slice.replace("\"pid\":1", "\"pid\":\"main\"").replace("\"tid\":1", "\"tid\":\"x\"")),
        format!("[{}]", slice.replace("\"ts\":0", "\"ts\":1.7e15").replace("\"dur\":1", "\"dur\":1e0")),
    ];
    for form in forms {
        let run = Run::of(&form).map_err(|error| format!("{form}: {error}"))?;
        assert_eq!(run.spans(), [vec!["a computing 0..1"]], "{form}");
    }
    Ok(())
}

#[test]
fn what_is_no_trace_is_refused_in_words() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "the end is where a Chrome trace has an array of events"),
        (b"hello", "line 1, byte 0: 'h' stands where a Chrome trace has"),
        (b"\n\n  <html>", "line 3, byte 4: '<' stands"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"{\"a\": 1}", "has a member traceEvents"),
        (b"{\"traceEvents\": 3}", "has a member traceEvents"),
        (b"{a}", "'a' stands where a Chrome trace has the name of a member"),
        (b"[]", "nothing to watch in it".trim_end_matches(" in it")),
        (b"[{\"ph\":\"C\",\"name\":\"n\",\"ts\":1,\"args\":{\"v\":1}}]", "1 counter samples"),
    ];
    for (trace, expected) in cases {
        let told = read_trace(trace, "x", &TraceLimits::default()).err().map(|error| error.to_string());
        assert!(told.as_ref().is_some_and(|told| told.contains(expected)), "{trace:?}: {told:?}");
    }
}

#[test]
fn limits_leave_the_shortest_out_and_say_so() -> Fallible {
    let slice = |n: usize| {
        let long = if n.is_multiple_of(10) { 100 } else { n % 10 };
        format!(r#"{{"name":"s{n}","ph":"X","pid":1,"tid":{},"ts":{},"dur":{long}}}"#, n % 7, n * 1000)
    };
    let trace = format!("[{}]", (0..1000).map(slice).collect::<Vec<_>>().join(","));
    let limits =
        TraceLimits { slices: 150, tasks: 60, lanes: 5, name_bytes: 5_000, ..TraceLimits::default() };
    let kept = read_trace(trace.as_bytes(), "x", &limits)?;
    let state = folded(&kept.events);
    assert_eq!((state.misfits(), state.plan().tasks.len()), (0, 60));
    assert!(state.runs()[0].lanes().len() <= 5);
    assert!(
        state.runs()[0]
            .tasks()
            .iter()
            .all(|task| task.latency(state.last_moment()) == Some(Duration::from_micros(100)))
    );
    assert!(
        kept.notes.iter().any(|note| note.contains("were left out for want of room: none is longer than ")),
        "{:?}",
        kept.notes
    );
    assert!(kept.notes.iter().any(|note| note.contains("more threads")), "{:?}", kept.notes);
    Ok(())
}

#[test]
fn one_wrong_clock_hides_nothing() -> Fallible {
    let run = Run::of(
        r#"[{"name":"a","ph":"X","pid":1,"tid":1,"ts":1700000000000000,"dur":5},
        {"name":"b","ph":"X","pid":1,"tid":1,"ts":1700000000000010,"dur":5},
        {"name":"stray","ph":"X","pid":1,"tid":1,"ts":3,"dur":5}]"#,
    )?;
    assert_eq!(run.spans(), [vec!["a computing 0..5", "b computing 10..15"]]);
    Ok(())
}

#[test]
fn foreign_names_are_harmless_and_claim_nothing() -> Fallible {
    let run = Run::of(
        r#"[{"name":"process_name","ph":"M","pid":1,"tid":1,"args":{"name":"sequential"}},
        {"name":"\u001b[2J\u202eevil","ph":"X","pid":1,"tid":1,"ts":0,"dur":5000}]"#,
    )?;
    let plan = run.state.plan();
    assert_eq!(plan.runs[0].executor, ExecutorKind::External("sequential (imported)".into()));
    assert_eq!(plan.tasks[0].name, "\\u{1b}[2J\\u{202e}evil");
    assert_eq!(plan.workload, WorkloadKind::Imported);
    assert_eq!(
        Summary::of(&run.state, run.state.last_moment()).verdict(),
        "Sequential (imported) with one worker did 1 task in 5.00 ms. Without a sequential run there is no speedup to tell."
    );
    Ok(())
}

#[test]
fn a_deep_call_stack_is_one_task() -> Fallible {
    let depth = 50_000;
    let begin = |n: usize| format!(r#"{{"name":"f","ph":"B","pid":1,"tid":1,"ts":{n}}}"#);
    let end = |n: usize| format!(r#"{{"ph":"E","pid":1,"tid":1,"ts":{}}}"#, depth + n);
    let all: Vec<String> = (0..depth).map(begin).chain((0..depth).map(end)).collect();
    let run = Run::of(&format!("[{}]", all.join(",")))?;
    assert_eq!(run.spans(), [vec![format!("f computing 0..{}", depth * 2 - 1)]]);
    let nested = format!("[{}{}]", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(matches!(Run::of(&nested), Err(TraceError::NoSlices { .. })));
    Ok(())
}

/// What VizTracer 1.1.1 recorded of a `ThreadPoolExecutor` with four threads that download, sleep and hash: every
/// call that took 250 µs or more, with the paths of the standard library shortened.
const VIZTRACER: &str = "tests/it/data/viztracer-pool.json";

#[test]
fn the_threads_of_a_python_pool_are_lanes_and_what_was_submitted_are_tasks() -> Fallible {
    let pool = read_trace_file(Path::new(VIZTRACER), &TraceLimits::default())?;
    let state = folded(&pool.events);
    assert_eq!((state.misfits(), state.went_as_meant()), (0, true));
    let run = &state.runs()[0];
    let names: Vec<String> = run
        .lanes()
        .iter()
        .filter_map(|lane| match lane.worker()? {
            Worker::Thread { name, .. } => Some(name.clone()),
            _ => None,
        })
        .collect();
    let expected = [
        "MainThread",
        "ThreadPoolExecutor-0_0",
        "ThreadPoolExecutor-0_1",
        "ThreadPoolExecutor-0_2",
        "ThreadPoolExecutor-0_3",
    ];
    assert_eq!(names, expected);
    let of_pool: Vec<&str> = state
        .plan()
        .tasks
        .iter()
        .zip(run.tasks())
        .filter(|(_, task)| task.lane.is_some_and(|lane| lane.0 > 0))
        .map(|(plan, _)| plan.name.split(' ').next().unwrap_or_default())
        .collect();
    let count = |name: &str| of_pool.iter().filter(|task| **task == name).count();
    assert_eq!((count("download"), count("nap"), count("hash_rounds"), of_pool.len()), (6, 4, 4, 14));
    let mut of_naps = Duration::ZERO;
    for lane in &run.lanes()[1..] {
        let total = lane.total(state.last_moment());
        of_naps += Duration::from_nanos(total.of(Phase::Sleeping));
    }
    assert!((290..400).contains(&of_naps.as_millis()), "the naps are 0.3 s in all: {of_naps:?}");
    Ok(())
}

#[test]
fn the_program_imports_a_trace_that_it_then_replays() -> Fallible {
    let folder = tempfile::tempdir()?;
    fs::copy(VIZTRACER, folder.path().join("pool.json"))?;
    let import = threadrace(folder.path(), &["import", "pool.json"]).output()?;
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    assert!(String::from_utf8(import.stdout)?.contains("Watch it: threadrace replay pool.jsonl"));
    let recording = recording::read_file(&folder.path().join("pool.jsonl"))?;
    assert_eq!(recording.flaws, []);
    let flags = ["import", "pool.json", "--force", "-o", "./pool.json"];
    let itself = threadrace(folder.path(), &flags).stderr(Stdio::piped()).output()?;
    assert_eq!(itself.status.code(), Some(2));
    assert!(String::from_utf8(itself.stderr)?.contains("pool.json is the trace: it can't be the recording"));
    let kept = fs::read(folder.path().join("pool.jsonl"))?;
    let again = threadrace(folder.path(), &["import", "pool.json"]).stderr(Stdio::piped()).output()?;
    assert_eq!(again.status.code(), Some(2));
    assert!(
        String::from_utf8(again.stderr)?.contains("pool.jsonl is there already and stays as it is: --force")
    );
    assert!(threadrace(folder.path(), &["import", "pool.json", "--force"]).output()?.status.success());
    assert_eq!(fs::read(folder.path().join("pool.jsonl"))?, kept);
    let piped = threadrace(folder.path(), &["import", "pool.json", "-o", "-"]).output()?;
    assert_eq!((piped.status.code(), &piped.stdout), (Some(0), &kept), "the recording and nothing else");
    let trace = fs::File::open(folder.path().join("pool.json"))?;
    let mut from_pipe = threadrace(folder.path(), &["import", "-"]);
    let from_pipe = from_pipe.stdin(trace).output()?;
    let kept_lines = kept.split(|byte| *byte == b'\n').count();
    assert_eq!(from_pipe.stdout.split(|byte| *byte == b'\n').count(), kept_lines);
    assert!(!folder.path().join("-").exists() && !folder.path().join("-.jsonl").exists());
    let direct = read_trace_file(Path::new(VIZTRACER), &TraceLimits::default())?;
    let told: Vec<Event> = recording.tape.told().iter().map(|told| told.event.clone()).collect();
    assert_eq!(told[1..], direct.events[1..]);
    let report = threadrace(folder.path(), &["replay", "pool.jsonl", "--plain"]).output()?;
    assert!(String::from_utf8(report.stdout)?.contains("Without a sequential run"));

    fs::write(folder.path().join("none.json"), "hello")?;
    let refused = threadrace(folder.path(), &["import", "none.json"]).stderr(Stdio::piped()).output()?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.starts_with("threadrace: line 1, byte 0: 'h' stands"));
    assert!(!folder.path().join("none.jsonl").exists(), "nothing is written for what can't be read");
    Ok(())
}

/// Pieces from which traces are made that no tracer wrote.
fn piece() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0_i64..50).prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("null".to_owned()),
        Just("-1".to_owned()),
        Just("1e999".to_owned()),
        Just("NaN".to_owned()),
        "\"[0-9.e-]{0,6}\"",
        Just("{\"a\":[1]}".to_owned()),
    ];
    let kind =
        prop::sample::select(vec!["X", "B", "E", "b", "e", "S", "F", "M", "C", "i", "s", "P", "", "XX"]);
    let name = prop::sample::select(vec![
        "a",
        "time.sleep",
        "lock.acquire",
        "<module> (m.py:1)",
        "run (/x/threading.py:3)",
        "thread_name",
        "process_sort_index",
        "\\u001b]0;",
        "\\ud800",
        "é\\n",
    ]);
    let event = (kind, name, prop::collection::vec(number, 5), any::<bool>()).prop_map(|(kind, name, n, args)| {
        let args = if args { format!(",\"args\":{{\"name\":\"{name}\",\"sort_index\":{},\"task\":{}}}", n[0], n[1]) } else { String::new() };
        format!(
            "{{\"ph\":\"{kind}\",\"name\":\"{name}\",\"cat\":\"c\",\"ts\":{},\"dur\":{},\"pid\":{},\"tid\":{},\"id\":{}{args}}},",
            n[0], n[1], n[2], n[3], n[4]
        )
    });
    prop_oneof![
        8 => event,
        1 => "[\\[\\]{},:\"\\\\ a0.-]{0,5}",
        1 => prop::sample::select(vec!["[", "{\"traceEvents\":[", "]}", "\u{feff}", "{\"threadrace\":{\"plan\":{}},\"traceEvents\":["]).prop_map(str::to_owned),
    ]
}

/// Whatever a trace holds, a race comes out of it that fits, or an error in words.
fn assert_sound(trace: &[u8], limits: &TraceLimits) -> Fallible {
    match read_trace(trace, "x", limits) {
        Ok(imported) => {
            assert!(matches!(
                imported.events.first().map(|event| &event.fact),
                Some(Fact::RaceStarted { .. })
            ));
            assert!(matches!(imported.events.last().map(|event| &event.fact), Some(Fact::RaceFinished)));
            assert!(imported.events.is_sorted_by_key(|event| event.at));
            let state = folded(&imported.events);
            if imported.plan.workload == WorkloadKind::Imported {
                assert_eq!(state.misfits(), 0);
                assert!(state.plan().tasks.len() <= limits.tasks);
            }
            let mut text = Vec::new();
            recording::write(&imported.plan, &imported.events, &mut text)?;
            let read = recording::read(&mut &text[..])?;
            let contradictory = Flaw::Contradictory { events: state.misfits() };
            let expected = if state.misfits() == 0 { vec![] } else { vec![contradictory] };
            assert_eq!(read.flaws, expected);
            let trace = traced(&state)?;
            assert_eq!(faults(&trace, &RISING), Vec::<String>::new());
        }
        Err(error) => assert!(!error.to_string().contains(|c: char| c.is_control())),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(256), ..ProptestConfig::default() })]

    #[test]
    fn hostile_traces_are_read_or_refused(
        begin in prop::sample::select(vec!["[", "{\"traceEvents\":[", "", " [ {"]),
        pieces in prop::collection::vec(piece(), 0..40),
        small in any::<bool>(),
    ) {
        let limits = match small {
            true => TraceLimits { slices: 8, tasks: 3, lanes: 3, event_bytes: 150, name_bytes: 300, plan_bytes: 50 },
            false => TraceLimits::default(),
        };
        let sound = assert_sound(format!("{begin}{}", pieces.concat()).as_bytes(), &limits);
        sound.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn a_trace_with_bytes_changed_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
        own in any::<bool>(),
    ) {
        let mut trace = match own {
            true => traced(&everything().tasks(3).state()).map_err(|e| TestCaseError::fail(e.to_string()))?.into_bytes(),
            false => br#"{"traceEvents":[{"name":"a","ph":"X","pid":7,"tid":1,"ts":100,"dur":50,"args":{"x":[1,2]}},
                {"name":"recv","ph":"B","pid":7,"tid":2,"ts":"130"},{"ph":"E","pid":7,"tid":2,"ts":131.25},
                {"name":"op","cat":"c","id":"1","ph":"b","pid":7,"tid":2,"ts":1},{"name":"op","cat":"c","id":"1","ph":"e","pid":7,"tid":2,"ts":9}],
                "otherData":{"a":"b"}}"#.to_vec(),
        };
        for (place, byte) in changes {
            let place = place.index(trace.len());
            trace[place] = byte;
        }
        trace.truncate(cut.index(trace.len()) + 1);
        let sound = assert_sound(&trace, &TraceLimits::default());
        sound.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

/// How many cases a property of hostile input is tried with: more where `HOSTILE_CASES` says so.
fn cases(usual: u32) -> u32 {
    std::env::var("HOSTILE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}
