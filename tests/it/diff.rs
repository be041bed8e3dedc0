//! Races read back from their reports, and two races compared: figures, words, pages.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Value, json};
use threadrace::config::ThemeName;
use threadrace::event::{
    At, Collect, Event, ExecutorKind, Fact, Machine, RacePlan, Round, RunId, TimeScale, WorkloadKind,
};
use threadrace::model::RaceState;
use threadrace::recording::{Recording, ReportError, from_report, read_file};
use threadrace::report::diff::{Both, Diff, DiffFormat, Fate, Unlike, tasks_words, wall_words, write};
use threadrace::report::{self, Format};
use threadrace::stats::compare::Difference;
use threadrace::tui::{Depth, DiffPanel, DiffScene, DiffSight, Theme, draw_diff, make_ascii};

use crate::schema::DIFF;
use crate::simulate::{Fate as Fated, Race, folded};

type Tested = Result<(), Box<dyn Error>>;

const RUNS: [(ExecutorKind, usize); 4] = [
    (ExecutorKind::Sequential, 1),
    (ExecutorKind::Threads, 20),
    (ExecutorKind::Pool, 5),
    (ExecutorKind::Async, 5),
];

fn json_of(race: &RaceState) -> Result<String, Box<dyn Error>> {
    let mut out = Vec::new();
    report::write(Format::Json, race, race.last_moment(), &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn read_back(report: &str) -> Result<Recording, ReportError> {
    from_report(report.as_bytes())
}

fn held(race: &RaceState) -> Tested {
    let before = json_of(race)?;
    let recording = read_back(&before)?;
    let after = recording.race();
    assert_eq!(after.misfits(), 0);
    let (before, after): (Value, Value) =
        (serde_json::from_str(&before)?, serde_json::from_str(&json_of(&after)?)?);
    for (run, of) in before["runs"].as_array().into_iter().flatten().enumerate() {
        for (key, value) in of.as_object().into_iter().flatten() {
            assert_eq!(&after["runs"][run][key], value, "{key} of run {run}");
        }
    }
    assert_eq!(before, after);
    assert!(recording.tape.told().windows(2).all(|pair| pair[0].known <= pair[1].known));
    Ok(())
}

#[test]
fn a_race_read_back_from_its_report_reports_the_same() -> Tested {
    let four = |seed| Race::new(seed).runs(&RUNS);
    held(&four(1).state())?;
    held(&four(2).together().state())?;
    let troubled = four(7).fate_in(2, 3, Fated::Failed).fate_in(2, 9, Fated::Panicked);
    held(&troubled.fate_in(3, 4, Fated::Retried).cancel(1, Duration::from_millis(400)).state())?;
    held(&four(3).breakdown(2, Duration::from_millis(600), "no threads left").state())?;
    held(&four(3).collect(2, Collect::Submit).collect(3, Collect::Completion).state())?;
    held(&four(3).leave(1, Duration::from_millis(300)).state())?;
    held(&Race::new(5).counter().state())?;
    held(&four(6).unknown_lengths().full_link().state())?;
    held(
        &Race::new(6)
            .runs(&[(ExecutorKind::Processes, 3), (ExecutorKind::External("node".into()), 3)])
            .state(),
    )
}

#[test]
fn an_interrupted_race_read_back_still_can_not_be_compared() -> Tested {
    for race in [Race::new(1), Race::new(1).together()] {
        let mut events = race.events();
        let middle = events.len() / 3;
        let at = events[middle].at;
        events.insert(middle, Event { at, fact: Fact::Interrupted { nanos: 5_000_000_000 } });
        held(&folded(&events))?;
    }
    Ok(())
}

#[test]
fn a_run_that_brought_other_bytes_read_back_still_did() -> Tested {
    let mut events = Race::new(1).runs(&RUNS).events();
    for event in &mut events {
        if let Fact::TaskFinished { run: RunId(2), end, .. } = &mut event.fact {
            end.bytes *= 2;
        }
    }
    let race = folded(&events);
    assert!(
        json_of(&race)?.contains("\"comparable\":false") || json_of(&race)?.contains("\"comparable\": false")
    );
    held(&race)
}

#[test]
fn a_report_of_an_older_program_is_read() -> Tested {
    let mut report: Value = serde_json::from_str(&json_of(&Race::new(1).state())?)?;
    for field in ["workload", "noun"] {
        report["scenario"].as_object_mut().ok_or("no object")?.remove(field);
    }
    for run in report["runs"].as_array_mut().ok_or("no runs")? {
        for field in ["variant", "started", "interrupted_seconds"] {
            run.as_object_mut().ok_or("no object")?.remove(field);
        }
    }
    let race = read_back(&report.to_string())?.race();
    let whole = Race::new(1).state();
    assert_eq!(race.plan().workload, whole.plan().workload);
    assert_eq!(race.runs()[1].wall(), whole.runs()[1].wall());
    assert_eq!(race.runs()[1].tasks()[3].finished, whole.runs()[1].tasks()[3].finished);
    Ok(())
}

#[test]
fn a_report_stands_in_for_a_recording() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    let race = Race::new(4).runs(&RUNS).state();
    report::save(Format::Json, &race, race.last_moment(), &path, report::Standing::Stays)?;
    let recording = read_file(&path)?;
    assert_eq!((recording.flaws.len(), recording.race().is_over()), (0, true));
    let half = Race::new(4).runs(&RUNS).state_at(At(3_000_000_000));
    assert_eq!(read_back(&json_of(&half)?)?.flaws.len(), 1);
    Ok(())
}

#[test]
fn what_a_report_says_wrong_is_told() -> Tested {
    let good: Value = serde_json::from_str(&json_of(&Race::new(1).tasks(6).state())?)?;
    let told = |change: &dyn Fn(&mut Value)| {
        let mut report = good.clone();
        change(&mut report);
        match read_back(&report.to_string()) {
            Ok(recording) => recording.flaws.first().map_or("nothing".to_owned(), ToString::to_string),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(told(&|_| {}), "nothing");
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(Change<'_>, &str); 13] = [
        (&|it| it["version"] = json!(2), "version 2"),
        (&|it| it["format"] = json!("other"), "not threadrace-report"),
        (&|it| it["runs"][0]["workers"] = json!(4_000_000_000_u32), "4000000000 workers"),
        (&|it| it["runs"][1]["workers"] = json!(0), "0 workers"),
        (&|it| it["runs"][1]["tasks"][2]["name"] = json!("other"), "other tasks"),
        (&|it| it["scenario"]["tasks"] = json!(7), "other tasks"),
        (&|it| it["runs"][1]["tasks"][2]["lane"] = json!(99), "can't have"),
        (&|it| it["runs"][1]["lanes"][0]["lane"] = json!(1), "can't have"),
        (&|it| it["runs"][1]["tasks"][2]["finished"] = json!(null), "task 3 of run 2"),
        (&|it| it["runs"][1]["tasks"][2]["started"] = json!(-1.0), "no time"),
        (&|it| it["runs"][1]["tasks"][2]["started"] = json!(1e300), "no time"),
        (&|it| it["runs"][1]["tasks"][2]["finished"] = json!(0.000_001), "contradict the rest"),
        (&|it| it["runs"][1]["tasks"][2]["attempts"] = json!(u32::MAX), "tried again"),
    ];
    for (change, words) in cases {
        assert!(told(change).contains(words), "{words}: {}", told(change));
    }
    for text in ["", "{", "[]", "null", "\u{1b}[2J", "{\"format\":\"threadrace-report\"}"] {
        assert!(matches!(read_back(text), Err(ReportError::Malformed(_))), "{text}");
    }
    Ok(())
}

/// Puts something else in some place of a report.
fn change(at: &mut Value, path: &[usize], to: &Value) {
    let inner = match at {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    match (path, at) {
        ([step, rest @ ..], Value::Array(items)) if inner > 0 => change(&mut items[step % inner], rest, to),
        ([step, rest @ ..], Value::Object(fields)) if inner > 0 => {
            fields.values_mut().skip(step % inner).take(1).for_each(|field| change(field, rest, to));
        }
        (_, at) => *at = to.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_report_panics(
        path in prop::collection::vec(0_usize..40, 1..9),
        to in prop_oneof![
            Just(Value::Null), Just(json!([])), Just(json!({})), Just(json!(true)), Just(json!("x\u{1b}")),
            any::<u64>().prop_map(|n| json!(n)), any::<i32>().prop_map(|n| json!(n)),
            (0_u32..8).prop_map(|n| json!(n)), any::<f64>().prop_map(|n| json!(n)), (0.0..9.0).prop_map(|n| json!(n)),
        ],
    ) {
        let race = Race::new(1).tasks(5).fate(1, Fated::Retried).fate(2, Fated::Failed).state();
        let Ok(mut report) = json_of(&race).map_err(|e| e.to_string()).and_then(|text| {
            serde_json::from_str::<Value>(&text).map_err(|e| e.to_string())
        }) else { return Err(TestCaseError::fail("no report")) };
        change(&mut report, &path, &to);
        if let Ok(recording) = read_back(&report.to_string()) {
            let other = recording.race();
            let diff = Diff::of(&race, &other);
            let mut out = Vec::new();
            let (names, races) = (Both { a: "a", b: "b" }, Both { a: &race, b: &other });
            for format in [DiffFormat::Table, DiffFormat::Json, DiffFormat::Markdown] {
                let written = write(format, &diff, races, names, &mut out);
                prop_assert!(written.is_ok());
            }
            let mut frame = Buffer::empty(Rect::new(0, 0, 100, 40));
            let theme = Theme::new(ThemeName::Dark, Depth::True);
            draw_diff(&mut frame, &scene(&diff, races, DiffSight::default(), &theme));
        }
    }

    #[test]
    fn any_simulated_race_comes_back(seed in any::<u64>(), tasks in 1_usize..12, workers in 1_usize..5, fate in 0_usize..5) {
        let fate = [Fated::Done, Fated::Failed, Fated::Retried, Fated::Panicked, Fated::Done][fate];
        let race = Race::new(seed % (1 << 53)).tasks(tasks).fate(seed as usize % tasks, fate)
            .runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, workers)]);
        prop_assert!(held(&race.state()).is_ok());
    }
}

/// A race of the same work in so many rounds, each by other chance; every time is multiplied.
fn rounds(seeds: std::ops::Range<u64>, times: f64) -> RaceState {
    let mut plan: RacePlan = (*Race::new(0).runs(&RUNS).plan()).clone();
    let (count, planned) = (plan.runs.len(), plan.runs.clone());
    plan.runs.clear();
    let mut all = Vec::new();
    let mut offset = 0;
    for (round, seed) in seeds.enumerate() {
        plan.runs.extend(planned.iter().cloned().map(|run| {
            let number = u32::try_from(round + 1).unwrap_or(1);
            threadrace::event::RunPlan { round: Round::Counted(number), ..run }
        }));
        let events = Race::new(seed).pictures(7).runs(&RUNS).events();
        let moved = |at: At| At(offset + (at.0 as f64 * times) as u64);
        let last = events.last().map_or(At::ZERO, |event| moved(event.at));
        for event in events {
            let mut fact = event.fact;
            if matches!(fact, Fact::RaceStarted { .. } | Fact::RaceFinished) {
                continue;
            }
            shift(&mut fact, round * count);
            all.push(Event { at: moved(event.at), fact });
        }
        offset = last.0 + 50_000_000;
    }
    let start = Event { at: At::ZERO, fact: Fact::RaceStarted { plan: Arc::new(plan) } };
    let events: Vec<Event> = std::iter::once(start)
        .chain(all)
        .chain([Event { at: At(offset), fact: Fact::RaceFinished }])
        .collect();
    let state = folded(&events);
    assert_eq!(state.misfits(), 0);
    state
}

/// Makes what a fact says of a run be about the run so many places later.
fn shift(fact: &mut Fact, by: usize) {
    match fact {
        Fact::RunStarted { run }
        | Fact::LaneOpened { run, .. }
        | Fact::TaskQueued { run, .. }
        | Fact::TaskStarted { run, .. }
        | Fact::PhaseEntered { run, .. }
        | Fact::AttemptStarted { run, .. }
        | Fact::AttemptFailed { run, .. }
        | Fact::ResponseArrived { run, .. }
        | Fact::BodyArrived { run, .. }
        | Fact::CounterAccessed { run, .. }
        | Fact::CounterRead { run, .. }
        | Fact::ResultDelivered { run, .. }
        | Fact::RunMeasured { run, .. }
        | Fact::BytesArrived { run, .. }
        | Fact::TaskFinished { run, .. }
        | Fact::RunFinished { run, .. } => *run = RunId::of(run.index() + by),
        Fact::RaceStarted { .. } | Fact::Interrupted { .. } | Fact::Collected | Fact::RaceFinished => {}
    }
}

/// A race whose plan is changed.
fn planned(race: Race, change: impl Fn(&mut RacePlan)) -> RaceState {
    let mut events = race.events();
    for event in &mut events {
        if let Fact::RaceStarted { plan } = &mut event.fact {
            change(Arc::make_mut(plan));
        }
    }
    folded(&events)
}

/// The same work as that of `Race::new(7)`, by the chance of another seed.
fn other(seed: u64, race: impl FnOnce(Race) -> Race) -> RaceState {
    let named = Race::new(7).runs(&RUNS).plan();
    planned(race(Race::new(seed).pictures(7).runs(&RUNS)), |plan| {
        (plan.seed, plan.tasks) = (7, named.tasks.clone());
    })
}

fn before() -> RaceState {
    Race::new(7).runs(&RUNS).state()
}

fn after() -> RaceState {
    other(8, |race| race.fate_in(2, 4, Fated::Failed).fate_in(3, 6, Fated::Retried))
}

#[test]
fn the_same_race_twice_differs_in_nothing() {
    let race = before();
    let diff = Diff::of(&race, &race);
    assert_eq!(diff.unlike, []);
    assert_eq!(diff.pairs.len(), 4);
    for pair in &diff.pairs {
        assert_eq!(pair.wall.ratio().map(|ratio| ratio.value), Some(1.0));
        assert!(
            wall_words(pair).ends_with("one run of each can't tell luck from truth."),
            "{}",
            wall_words(pair)
        );
        assert!(tasks_words(&pair.tasks).starts_with("Task by task, no difference can be told"));
        assert_eq!((pair.tasks.matched, pair.tasks.moved.len()), (20, 0));
        assert!(pair.figures.iter().all(|figure| pair.change(figure).is_none_or(|change| change == 0.0)));
    }
}

#[test]
fn rounds_tell_a_difference_from_luck() {
    let slow = rounds(10..20, 1.0);
    let difference = |a: &RaceState, b: &RaceState| {
        let diff = Diff::of(a, b);
        diff.pairs.iter().map(|pair| pair.wall.ratio().map(|it| it.difference())).collect::<Vec<_>>()
    };
    assert_eq!(difference(&slow, &rounds(20..30, 0.5)), [Some(Difference::Faster); 4]);
    assert_eq!(difference(&rounds(20..30, 0.5), &slow), [Some(Difference::Slower); 4]);
    assert_eq!(difference(&slow, &rounds(30..40, 1.0)), [Some(Difference::NotTold); 4]);
    assert_eq!(difference(&slow, &rounds(30..33, 0.5)), [Some(Difference::TooFew); 4]);
    let diff = Diff::of(&slow, &rounds(20..30, 0.5));
    let words = wall_words(&diff.pairs[2]);
    assert!(words.starts_with("B was faster: ") && words.contains("10 rounds of each"), "{words}");
    let words = wall_words(&Diff::of(&slow, &rounds(30..40, 1.0)).pairs[2]);
    assert!(words.starts_with("No difference can be told"), "{words}");
}

#[test]
fn the_ratios_interval_turns_around_with_the_sides() -> Tested {
    let (a, b) = (rounds(10..20, 1.0), rounds(20..27, 0.7));
    let there = Diff::of(&a, &b).pairs[1].wall.ratio().ok_or("no ratio")?;
    let back = Diff::of(&b, &a).pairs[1].wall.ratio().ok_or("no ratio")?;
    let (one, other) = (there.interval.ok_or("no interval")?, back.interval.ok_or("no interval")?);
    assert!((there.value * back.value - 1.0).abs() < 1e-9);
    assert!((one.low * other.high - 1.0).abs() < 1e-9 && (one.high * other.low - 1.0).abs() < 1e-9);
    Ok(())
}

#[test]
fn what_is_not_the_same_work_is_said() {
    let alike = |change: &dyn Fn(&mut RacePlan)| {
        let other = planned(Race::new(7).runs(&RUNS), change);
        let said = Diff::of(&before(), &other).unlike.iter().map(Unlike::to_string).collect::<Vec<_>>();
        said.join("; ")
    };
    assert_eq!(alike(&|_| {}), "");
    assert!(alike(&|plan| plan.scenario = "other".into()).contains("different scenarios"));
    assert!(alike(&|plan| plan.seed = 9).contains("different seeds"));
    assert!(alike(&|plan| plan.time_scale = TimeScale(100_000)).contains("× 1 in A, × 0.1 in B"));
    let machine = Machine { os: "linux".into(), arch: "aarch64".into(), cpus: 8 };
    assert!(alike(&|plan| plan.machine = machine.clone()).starts_with(
        "different machines: not a fair comparison (linux x86_64, 2 processors; linux aarch64, 8 processors)"
    ));
    assert!(
        alike(&|plan| plan.tasks[3].name = "new.jpg".into())
            .contains("19 in both, 1 in A alone, 1 in B alone")
    );
    let half = Race::new(7).runs(&RUNS).state_at(At(3_000_000_000));
    let said = Diff::of(&before(), &half).unlike;
    assert!(said.iter().any(|unlike| unlike.to_string().starts_with("B is not over")));
}

/// What is said of the pools of two races, and of their tasks.
fn said_of_pools(a: &RaceState, b: &RaceState) -> (String, String) {
    let diff = Diff::of(a, b);
    let pair = &diff.pairs[2];
    assert_eq!(pair.label, "pool");
    (wall_words(pair), tasks_words(&pair.tasks))
}

#[test]
fn times_of_different_work_are_not_divided() -> Tested {
    let four = |seed: u64| Race::new(seed).runs(&RUNS);
    let (wall, tasks) = said_of_pools(&before(), &four(7).tasks(19).state());
    assert_eq!(wall, "The wall times can't be compared. Not all tasks are in both: it is not the same work.");
    assert!(tasks.starts_with("Task by task, ") && !tasks.contains("Not the same work"), "{tasks}");

    // Pictures of the same names, but others.
    let others = four(8).state();
    let (wall, tasks) = said_of_pools(&before(), &others);
    assert!(wall.starts_with("The wall times can't be compared. A brought ") && wall.contains(" and B "));
    assert!(wall.ends_with(": it is not the same work."), "{wall}");
    assert!(
        tasks.contains("No task did the same work") || tasks.contains(" Not the same work: 1"),
        "{tasks}"
    );
    let diff = Diff::of(&before(), &others);
    assert!(diff.pairs.iter().all(|pair| pair.figures.iter().all(|figure| pair.change(figure).is_none())));
    let mut out = Vec::new();
    let races = Both { a: &before(), b: &others };
    write(DiffFormat::Json, &diff, races, Both { a: "a", b: "b" }, &mut out)?;
    assert!(serde_json::from_slice::<Value>(&out)?["runs"][2]["wall_ratio"].is_null());

    // What a trace of another program brought is not known.
    let imported = planned(four(8), |plan| plan.workload = WorkloadKind::Imported);
    assert!(said_of_pools(&before(), &imported).0.starts_with("B "));
    Ok(())
}

#[test]
fn work_that_brings_nothing_is_told_by_the_plan() {
    let sleeps = |kind: WorkloadKind, source: &str| {
        let race = Race::new(7).runs(&RUNS);
        planned(race, |plan| (plan.workload, plan.source) = (kind, source.to_owned()))
    };
    let one = sleeps(WorkloadKind::Sleep, "each task sleeps 1 s");
    assert!(said_of_pools(&one, &one).0.starts_with("B took as long as A, give or take"));
    let (wall, tasks) = said_of_pools(&one, &sleeps(WorkloadKind::Sleep, "each task sleeps 2 s"));
    assert_eq!(
        wall,
        "The wall times can't be compared. It is not the same work. A: each task sleeps 1 s; B: each task sleeps 2 s."
    );
    assert_eq!(tasks, "No task did the same work in both.");
    let (wall, _) = said_of_pools(&one, &sleeps(WorkloadKind::Compute, "each task sleeps 1 s"));
    assert!(wall.ends_with("A: sleep; B: compute."), "{wall}");
    // How files are written is what such a comparison is for.
    let files = |source: &str| sleeps(WorkloadKind::Files, source);
    assert!(said_of_pools(&files("synced"), &files("not synced")).0.starts_with("B took as long as A"));
}

#[test]
fn a_counter_that_was_cancelled_says_nothing_of_the_others() -> Tested {
    let whole = Race::new(7).counter().state();
    let mut events = Race::new(7).counter().cancel(0, Duration::from_millis(1)).events();
    let ends = |event: &Event| matches!(event.fact, Fact::RunFinished { run: RunId(0), .. });
    let end = events.iter().position(ends).ok_or("the first run never ends")?;
    let read = Fact::CounterRead { run: RunId(0), expected: 3, actual: 3 };
    events.insert(end, Event { at: events[end].at, fact: read });
    let diff = Diff::of(&whole, &folded(&events));
    let [cancelled, unguarded, other, ..] = &diff.pairs[..] else { return Err("too few pairs".into()) };
    assert!(wall_words(cancelled).contains("B: cancelled"), "{}", wall_words(cancelled));
    assert!(wall_words(unguarded).contains("A: its counter shows"), "{}", wall_words(unguarded));
    assert!(other.wall.compared.is_ok(), "{}", wall_words(other));
    Ok(())
}

#[test]
fn the_rounds_that_count_tell_what_was_brought() {
    let brought = |extra: u64| {
        let mut events = Race::new(7).runs(&RUNS).rounds(5).events();
        for event in &mut events {
            if let Fact::TaskFinished { end, .. } = &mut event.fact {
                end.bytes += end.bytes * extra / 1_000;
            }
        }
        folded(&events)
    };
    let same = brought(0);
    assert!(Diff::of(&same, &brought(9)).pairs.iter().all(|pair| pair.wall.compared.is_ok()));
    let diff = Diff::of(&same, &brought(11));
    for pair in &diff.pairs {
        let words = wall_words(pair);
        // To the byte, where both would read as 2.4 MB.
        assert!(pair.wall.is_of_other_work() && words.contains("A brought 2,"), "{words}");
    }
}

#[test]
fn tasks_that_failed_come_first_and_then_those_that_moved_farthest() {
    let diff = Diff::of(&before(), &after());
    let pool = &diff.pairs[2];
    assert!(wall_words(pool).contains("B: 1 of 20 tasks failed"), "{}", wall_words(pool));
    assert!(matches!(pool.tasks.moved[0].fate, Both { a: Fate::Done(_), b: Fate::Not(_) }));
    assert_eq!((pool.tasks.matched, pool.tasks.moved.len()), (19, 20));
    let far: Vec<f64> = pool.tasks.moved[1..]
        .iter()
        .filter_map(|moved| moved.change().map(|(longer, times)| longer.abs() * times.ln().abs()))
        .collect();
    assert!(far.len() == 19 && far.windows(2).all(|pair| pair[0] >= pair[1]));
}

#[test]
fn how_many_tasks_were_done_by_a_moment_is_known_of_each_moment() {
    let race = before();
    let run = &race.runs()[2];
    assert_eq!(run.done_by(At::ZERO), 0);
    for count in 1..=20 {
        let at = run.done_at(count).unwrap_or_default();
        assert_eq!((run.done_by(At(at.0 - 1)) < count, run.done_by(at) >= count), (true, true));
    }
    assert_eq!(run.done_by(race.last_moment()), 20);
}

#[test]
fn runs_that_only_one_has_are_named() {
    let (a, b) = (before(), Race::new(7).state());
    let diff = Diff::of(&a, &b);
    assert_eq!(diff.only, Both { a: vec!["threads".to_owned(), "async".to_owned()], b: vec![] });
    assert_eq!(diff.pairs.iter().map(|pair| pair.label.as_str()).collect::<Vec<_>>(), ["sequential", "pool"]);
}

fn written(format: DiffFormat, a: &RaceState, b: &RaceState) -> Result<String, Box<dyn Error>> {
    let mut out = Vec::new();
    let names = Both { a: "before.jsonl", b: "after.json" };
    write(format, &Diff::of(a, b), Both { a, b }, names, &mut out)?;
    Ok(String::from_utf8(out)?)
}

#[test]
fn comparisons_are_written() -> Tested {
    let table = written(DiffFormat::Table, &before(), &after())?;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    insta::assert_snapshot!("diff_table", table);
    insta::assert_snapshot!("diff_markdown", written(DiffFormat::Markdown, &before(), &after())?);
    let slow = rounds(10..20, 1.0);
    insta::assert_snapshot!("diff_table_rounds", written(DiffFormat::Table, &slow, &rounds(20..30, 0.8))?);
    Ok(())
}

#[test]
fn the_json_is_as_its_schema_says() -> Tested {
    let slow = rounds(10..20, 1.0);
    for (a, b) in
        [(before(), after()), (slow.clone(), rounds(20..30, 0.8)), (before(), Race::new(7).tasks(3).state())]
    {
        let json: Value = serde_json::from_str(&written(DiffFormat::Json, &a, &b)?)?;
        DIFF.check(&json)?;
    }
    Ok(())
}

#[test]
fn foreign_names_drive_no_terminal() -> Tested {
    let foreign = Race::new(7).runs(&RUNS).name(2, "\u{1b}[2J\u{202e}x|`").state();
    for format in [DiffFormat::Table, DiffFormat::Json, DiffFormat::Markdown] {
        let text = written(format, &foreign, &other(8, |race| race.name(2, "\u{1b}[2J\u{202e}x|`")))?;
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }
    Ok(())
}

fn scene<'a>(
    diff: &'a Diff,
    races: Both<&'a RaceState>,
    sight: DiffSight,
    theme: &'a Theme,
) -> DiffScene<'a> {
    let names = Both { a: "before.jsonl", b: "after.json" };
    DiffScene { diff, races, names, sight, leave: ("q", "quit"), theme }
}

fn page(a: &RaceState, b: &RaceState, sight: DiffSight, columns: u16, rows: u16) -> Buffer {
    let diff = Diff::of(a, b);
    let theme = Theme::new(ThemeName::Dark, Depth::True);
    let mut frame = Buffer::empty(Rect::new(0, 0, columns, rows));
    draw_diff(&mut frame, &scene(&diff, Both { a, b }, sight, &theme));
    frame
}

fn text(frame: &Buffer) -> String {
    let rows = frame.content.chunks(usize::from(frame.area.width));
    let line = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    rows.map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn pages_of_comparisons() {
    let pool = DiffSight { at: 2, ..DiffSight::default() };
    for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
        let name = format!("diff_{columns}x{rows}");
        insta::assert_snapshot!(name, text(&page(&before(), &after(), pool, columns, rows)));
    }
    let (slow, fast) = (rounds(10..20, 1.0), rounds(20..30, 0.8));
    insta::assert_snapshot!("diff_rounds", text(&page(&slow, &fast, pool, 120, 36)));
    let words = DiffSight { panel: DiffPanel::Words, ..pool };
    insta::assert_snapshot!("diff_words", text(&page(&slow, &fast, words, 100, 30)));
    let mut ascii = page(&slow, &fast, pool, 100, 30);
    make_ascii(&mut ascii);
    assert!(ascii.content.iter().all(|cell| cell.symbol().is_ascii()));
    insta::assert_snapshot!("diff_ascii", text(&ascii));
    let others = Race::new(8).tasks(16).runs(&RUNS).state();
    insta::assert_snapshot!("diff_other_work", text(&page(&before(), &others, pool, 80, 24)));
}

#[test]
fn no_size_of_a_page_panics() {
    let (a, others, b) = (before(), Race::new(7).tasks(3).state(), after());
    for columns in [0, 1, 5, 20, 31, 45, 63, 64, 90, 130, 300] {
        for rows in [0, 1, 2, 3, 4, 5, 8, 12, 17, 25, 80] {
            for panel in [DiffPanel::Pair, DiffPanel::Words] {
                let sight = DiffSight { at: 9, scroll: 400, panel };
                page(&a, &others, sight, columns, rows);
                page(&a, &b, sight, columns, rows);
            }
        }
    }
}

fn program(folder: &std::path::Path, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_threadrace"));
    command.args(arguments).current_dir(folder).env_clear();
    command
}

#[test]
fn a_recording_and_a_report_are_compared_in_any_format() -> Tested {
    let folder = tempfile::tempdir()?;
    let (a, b) = (Race::new(7).runs(&RUNS), after());
    let plan = a.plan();
    let mut file = std::fs::File::create(folder.path().join("before.jsonl"))?;
    threadrace::recording::write(&plan, a.events().iter(), &mut file)?;
    report::save(
        Format::Json,
        &b,
        b.last_moment(),
        &folder.path().join("after.json"),
        report::Standing::Stays,
    )?;
    for (format, wanted) in
        [("table", DiffFormat::Table), ("json", DiffFormat::Json), ("markdown", DiffFormat::Markdown)]
    {
        let out =
            program(folder.path(), &["diff", "before.jsonl", "after.json", "--format", format]).output()?;
        assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(String::from_utf8(out.stdout)?, written(wanted, &before(), &b)?);
    }
    let out = program(folder.path(), &["diff", "before.jsonl", "after.json"]).output()?;
    assert_eq!(String::from_utf8(out.stdout)?, written(DiffFormat::Table, &before(), &b)?);
    Ok(())
}

#[test]
fn what_can_not_be_compared_is_named() -> Tested {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("mine.txt"), "mine\n")?;
    std::fs::write(folder.path().join("old.json"), "{\"format\":\"threadrace-report\",\"version\":9}")?;
    let told = |file: &str| -> Result<(Option<i32>, String), Box<dyn Error>> {
        let out = program(folder.path(), &["diff", file, "mine.txt"]).output()?;
        Ok((out.status.code(), String::from_utf8(out.stderr)?))
    };
    for (file, words) in [
        ("none.json", "none.json"),
        ("mine.txt", "mine.txt: this is no recording"),
        ("old.json", "version 9"),
    ] {
        let (code, said) = told(file)?;
        assert!(code == Some(2) && said.contains(words), "{file}: {said}");
    }
    Ok(())
}

#[test]
fn the_page_opens_in_a_terminal_and_leaves_the_table() -> Tested {
    let folder = tempfile::tempdir()?;
    for (name, race) in [("a.json", before()), ("b.json", after())] {
        report::save(
            Format::Json,
            &race,
            race.last_moment(),
            &folder.path().join(name),
            report::Standing::Stays,
        )?;
    }
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_threadrace"));
    command.args(["diff", "a.json", "b.json"]);
    command.cwd(folder.path());
    command.env_clear();
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("COLORTERM", "truecolor")] {
        command.env(name, value);
    }
    let mut pty = crate::pty::Pty::spawn(command, (100, 30));
    pty.wait_for_text("threadrace diff");
    pty.send("\u{1b}[B\u{1b}[B");
    pty.wait_for_text("pool: 5 workers");
    pty.send("?");
    pty.wait_for_text("what the words mean");
    pty.send("tq");
    pty.wait_for_output("tasks that moved most");
    assert_eq!(pty.wait_exit(crate::pty::NEVER).exit_code(), 0);
    pty.assert_restored();
    Ok(())
}
