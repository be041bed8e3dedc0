//! Reports of simulated races: every format, and the schema that the JSON promises to keep.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use threadrace::event::{At, Event, ExecutorKind, Fact, Order, RunId, TaskId};
use threadrace::model::RaceState;
use threadrace::report::{
    Comparable, Format, SHARED, SaveError, Segment, Standing, Step, Summary, save, so_far, try_place, write,
};

use crate::schema::REPORT;
use crate::simulate::{Fate, Race, folded};

type Tested = Result<(), Box<dyn Error>>;

const END: At = At(u64::MAX);

fn report(format: Format, race: &RaceState, now: At) -> Result<String, Box<dyn Error>> {
    let mut out = Vec::new();
    write(format, race, now, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn json_of(race: &RaceState, now: At) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_str(&report(Format::Json, race, now)?)?)
}

fn four(seed: u64) -> Race {
    use ExecutorKind::{Async, Pool, Sequential, Threads};
    Race::new(seed).runs(&[(Sequential, 1), (Threads, 1), (Pool, 5), (Async, 5)])
}

/// Three tasks of the pool fail or panic, one of async retries, and the threads are cancelled.
fn troubled() -> Race {
    four(7)
        .fate_in(2, 3, Fate::Failed)
        .fate_in(2, 8, Fate::Failed)
        .fate_in(2, 9, Fate::Panicked)
        .fate_in(3, 4, Fate::Retried)
        .cancel(1, Duration::from_millis(400))
}

#[test]
fn only_a_report_for_programs_makes_way_by_itself() -> Tested {
    use Standing::{Goes, Stays};
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report");
    let races = [four(1), troubled(), four(3).together(), four(4).rounds(3), Race::new(5).counter()];
    for race in races.map(|race| race.state()) {
        for before in [Format::Json, Format::Csv] {
            for after in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
                save(before, &race, END, &path, Goes)?;
                try_place(&path, Stays)?;
                save(after, &race, END, &path, Stays)?;
                assert_eq!(std::fs::read_to_string(&path)?, report(after, &race, END)?);
            }
        }
    }
    let race = four(1).state();
    // Somebody may have written into what is for people, and a link may lead to what is not there now.
    let mut theirs = vec![String::from("{}"), "run,executor".to_owned(), "\n".to_owned()];
    for format in [Format::Table, Format::Markdown] {
        theirs.push(report(format, &race, END)? + "\nmy notes\n");
    }
    for theirs in theirs {
        std::fs::write(&path, &theirs)?;
        assert!(matches!(try_place(&path, Stays), Err(SaveError::Taken(_))), "{theirs}");
        assert!(
            matches!(save(Format::Table, &race, END, &path, Stays), Err(SaveError::Taken(_))),
            "{theirs}"
        );
        assert_eq!(std::fs::read_to_string(&path)?, theirs);
        try_place(&path, Goes)?;
        assert_eq!(std::fs::read_to_string(&path)?, theirs);
    }
    save(Format::Table, &race, END, &path, Goes)?;
    std::fs::write(&path, "")?;
    save(Format::Table, &race, END, &path, Stays)?;
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link)?;
    assert!(matches!(try_place(&link, Stays), Err(SaveError::Taken(_))));
    assert!(save(Format::Json, &race, END, &link, Stays).is_err() && link.is_symlink());
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 2, "no part is left");
    Ok(())
}

#[test]
fn runs_that_brought_different_bytes_are_not_compared() -> Tested {
    let race = |factor: u64| {
        let scaled = |mut event: Event| {
            match &mut event.fact {
                Fact::TaskFinished { run: RunId(2), end, .. } => end.bytes = end.bytes * factor / 1_000,
                Fact::BytesArrived { run: RunId(2), bytes, .. } => *bytes = *bytes * factor / 1_000,
                _ => {}
            }
            event
        };
        folded(&four(1).events().into_iter().map(scaled).collect::<Vec<_>>())
    };
    // What a page differs by from one request to the next is no other work.
    assert!(Summary::of(&race(997), END).runs.iter().all(|run| run.speedup.is_some()));
    let other = race(10);
    let summary = Summary::of(&other, END);
    let compared: Vec<bool> = summary.runs.iter().map(|run| run.speedup.is_some()).collect();
    assert_eq!(compared, [true, true, false, true]);
    let reason = summary.runs[2].comparable.reason().map(ToString::to_string).unwrap_or_default();
    assert!(
        reason.contains("those of the sequential run") && reason.contains("not the same work"),
        "{reason}"
    );
    let told = report(Format::Table, &other, END)?;
    assert!(told.contains("not the same work"), "{told}");
    let told = json_of(&other, END)?;
    REPORT.check(&told)?;
    assert_eq!(told["runs"][2]["comparable"], json!(false));
    Ok(())
}

#[test]
fn the_simulator_makes_races_that_fit_the_model() {
    for race in [four(1), troubled(), four(3).together(), four(4).full_link().unknown_lengths()] {
        let events = race.events();
        assert!(events.is_sorted_by_key(|event| event.at));
        assert_eq!(events, race.events());
        assert_eq!(events.last().map(|event| &event.fact), Some(&Fact::RaceFinished));
        let state = folded(&events);
        assert_eq!(state.misfits(), 0);
        assert!(state.is_over());
        for run in state.runs() {
            assert!(run.counts().over() as usize == run.tasks().len() && run.counts().active == 0);
            assert!(run.in_progress().peak() <= run.plan().workers);
        }
    }
    let whole = four(1).state();
    let samples = four(1).events().iter().filter(|e| matches!(e.fact, Fact::BytesArrived { .. })).count();
    assert!(samples > 100, "{samples}");
    assert!(whole.runs().iter().all(|run| run.is_comparable()));
    assert!(four(3).unknown_lengths().state().runs()[0].tasks().iter().all(|task| task.length.is_none()));
}

#[test]
fn a_race_of_a_hundred_thousand_tasks_is_reported() -> Tested {
    let race = Race::new(5).tasks(100_000).runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Async, 500)]);
    let state = race.state();
    assert_eq!(state.misfits(), 0);
    let text = report(Format::Table, &state, END)?;
    assert!(text.contains("100,000"), "{text}");
    let speedup = Summary::of(&state, END).runs[1].speedup.ok_or("no speedup")?;
    assert!((490.0..=500.0).contains(&speedup), "{speedup}");
    Ok(())
}

#[test]
fn a_full_link_explains_why_workers_hardly_help() {
    let verdict = Summary::of(
        &four(1).runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 10)]).full_link().state(),
        END,
    )
    .verdict();
    assert!(verdict.contains("times as long as with one worker: the link or the processors"), "{verdict}");
}

#[test]
fn the_summary_follows_from_the_tasks() -> Tested {
    let state = four(1).state();
    let summary = Summary::of(&state, END);
    for (figures, run) in summary.runs.iter().zip(state.runs()) {
        let latency = figures.latency.ok_or("no latency")?;
        assert_eq!(latency.count, 20);
        assert_eq!(Some(latency.max), run.tasks().iter().filter_map(|task| task.latency(END)).max());
        assert_eq!(figures.bytes, run.tasks().iter().map(|task| task.bytes).sum::<u64>());
        let wall = figures.wall.ok_or("no wall")?;
        let busy = Duration::from_nanos(figures.phases.busy());
        assert_eq!(figures.idle + busy, wall * run.lanes().len() as u32);
        assert_eq!(figures.comparable, Comparable::Yes);
    }
    let [sequential, threads, ..] = &summary.runs[..] else { return Err("too few runs".into()) };
    assert_eq!((sequential.speedup, sequential.efficiency), (Some(1.0), Some(1.0)));
    assert_eq!((threads.workers, threads.peak_concurrency), (20, 20));
    Ok(())
}

#[test]
fn figures_that_build_on_earlier_ones_are_the_same() {
    for race in [four(1), troubled(), four(3).together(), four(4).rounds(3), Race::new(5).counter()] {
        let mut state = folded(&[]);
        let mut before: Option<Summary> = None;
        for event in race.events() {
            state.apply(&event);
            let over = |fact: &Fact| matches!(fact, Fact::RunFinished { .. } | Fact::RaceFinished);
            // Those of a moment in a run's middle do for the next one as well.
            if over(&event.fact) || matches!(event.fact, Fact::TaskFinished { task: TaskId(7), .. }) {
                let now = state.last_moment();
                let figures = Summary::after(before.as_ref(), &state, now);
                assert_eq!(figures, Summary::of(&state, now));
                before = Some(figures);
            }
        }
        assert!(before.is_some());
    }
}

#[test]
fn a_run_with_failures_claims_no_speedup_and_says_why() -> Tested {
    let state = troubled().state();
    let summary = Summary::of(&state, END);
    assert_eq!(
        summary.runs.iter().map(|run| run.speedup.is_some()).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    let reasons: Vec<String> =
        summary.runs.iter().filter_map(|run| run.comparable.reason()).map(ToString::to_string).collect();
    assert!(reasons[0].starts_with("cancelled with "), "{reasons:?}");
    assert_eq!(reasons[1], "2 of 20 tasks failed, 1 panicked");
    for format in [Format::Table, Format::Markdown] {
        let text = report(format, &state, END)?;
        assert!(text.contains("2 of 20 tasks failed, 1 panicked"), "{text}");
    }
    let broken = Race::new(1).breakdown(0, Duration::from_secs(1), "no threads left").state();
    let summary = Summary::of(&broken, END);
    assert!(summary.runs.iter().all(|run| run.speedup.is_none()));
    assert!(summary.verdict().contains("no threads left"), "{}", summary.verdict());
    Ok(())
}

#[test]
fn the_critical_path_of_one_worker_is_all_tasks_and_of_many_the_longest() -> Tested {
    let state = four(1).state();
    let summary = Summary::of(&state, END);
    let tasks = |run: usize| -> Result<Vec<TaskId>, &str> {
        let path = summary.runs[run].critical.as_ref().ok_or("no path")?;
        let task = |segment: &Segment| match segment.step {
            Step::Task { task, .. } => Some(task),
            _ => None,
        };
        Ok(path.segments().iter().filter_map(task).collect())
    };
    assert_eq!(tasks(0)?, (0..20).map(TaskId::of).collect::<Vec<_>>());
    let last = state.runs()[1].tasks().iter().enumerate().max_by_key(|(_, task)| task.finished);
    assert_eq!(Some(tasks(1)?), last.map(|(id, _)| vec![TaskId::of(id)]));
    assert_eq!(tasks(2)?, tasks(3)?);
    for run in &summary.runs {
        assert!(run.critical.as_ref().is_some_and(|path| path.segments().len() <= 2 * 20 + 1));
    }
    Ok(())
}

#[test]
fn so_far_ends_up_near_the_speedup() -> Tested {
    let race = four(2);
    let pool_started = race.state().runs()[2].started().ok_or("not started")?;
    let early = race.state_at(pool_started.plus(Duration::from_millis(100)));
    assert_eq!(so_far(&early.runs()[0], &early.runs()[2]), None);
    let later = race.state_at(pool_started.plus(Duration::from_millis(1_000)));
    let speedup = so_far(&later.runs()[0], &later.runs()[2]).ok_or("nothing so far")?;
    assert!((2.0..=5.5).contains(&speedup), "{speedup}");

    let end = race.state();
    let last = so_far(&end.runs()[0], &end.runs()[2]).ok_or("nothing at the end")?;
    let whole = Summary::of(&end, END).runs[2].speedup.ok_or("no speedup")?;
    assert!((last - whole).abs() < 1e-9, "{last} {whole}");
    assert_eq!(so_far(&end.runs()[0], &end.runs()[0]), Some(1.0));
    let failed = troubled().state();
    assert_eq!(so_far(&failed.runs()[0], &failed.runs()[2]), None);
    Ok(())
}

#[test]
fn every_format_says_that_the_runs_were_together() -> Tested {
    let state = four(1).together().state();
    assert_eq!(state.plan().order, Order::Together);
    let on_one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for format in [Format::Table, Format::Markdown] {
        let text = on_one_line(report(format, &state, END)?);
        assert!(text.contains(SHARED), "{text}");
    }
    let json = json_of(&state, END)?;
    assert_eq!(json["scenario"]["order"], "together");
    let used = |run: &Value| ["cpu_seconds", "processors", "peak_memory_bytes"].map(|key| run[key].clone());
    assert_eq!(used(&json["runs"][0]), [Value::Null, Value::Null, Value::Null]);
    assert!(used(&json_of(&four(1).state(), END)?["runs"][0]).iter().all(|figure| !figure.is_null()));
    assert!(report(Format::Csv, &state, END)?.lines().skip(1).all(|line| line.contains(",together,")));
    Ok(())
}

#[test]
fn the_table() -> Tested {
    insta::assert_snapshot!(report(Format::Table, &four(1).state(), END)?);
    Ok(())
}

#[test]
fn the_table_of_a_race_with_troubles() -> Tested {
    insta::assert_snapshot!(report(Format::Table, &troubled().state(), END)?);
    Ok(())
}

#[test]
fn the_markdown() -> Tested {
    insta::assert_snapshot!(report(Format::Markdown, &troubled().name(8, "a|b`<i>.jpg").state(), END)?);
    Ok(())
}

#[test]
fn the_table_lists_twenty_failures_and_counts_the_others() -> Tested {
    let mut race = Race::new(1).tasks(30);
    for task in 0..23 {
        race = race.fate_in(1, task, Fate::Failed);
    }
    let text = report(Format::Table, &race.state(), END)?;
    assert_eq!(text.matches("answered 404").count(), 20, "{text}");
    assert!(text.ends_with("and 3 more\n"), "{text}");
    Ok(())
}

#[test]
fn the_csv_has_a_row_for_each_task_and_no_formula() -> Tested {
    let race = troubled().name(3, "=HYPERLINK(\"http://x\")").name(4, "a,\"b\"\nc");
    let text = report(Format::Csv, &race.state(), END)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let rows: Vec<BTreeMap<String, String>> = reader
        .records()
        .map(|row| Ok(headers.iter().map(str::to_owned).zip(row?.iter().map(str::to_owned)).collect()))
        .collect::<Result<_, csv::Error>>()?;
    assert_eq!(rows.len(), 80);
    let failed = &rows[43];
    assert_eq!(failed["run"], "pool");
    assert_eq!(failed["name"], "'=HYPERLINK(\"http://x\")");
    assert_eq!((failed["outcome"].as_str(), failed["error_kind"].as_str()), ("failed", "status"));
    assert!(failed["error_message"].contains("404") && failed["path"].is_empty());
    let retried = &rows[64];
    assert_eq!((retried["attempts"].as_str(), retried["outcome"].as_str()), ("2", "done"));
    assert!(retried["queued_seconds"].parse::<f64>()? <= retried["started_seconds"].parse::<f64>()?);
    let never_started = rows.iter().find(|row| row["outcome"] == "cancelled").ok_or("none cancelled")?;
    assert!(never_started["path"].is_empty());
    assert_eq!(rows[49]["error_kind"], "panic");
    Ok(())
}

#[test]
fn what_came_out_of_a_task_and_when_it_was_delivered_is_reported() -> Tested {
    let mut events = four(1).events();
    let is_it = |event: &Event| match &event.fact {
        Fact::TaskFinished { run, task, .. } => (*run, *task) == (RunId(2), TaskId(4)),
        _ => false,
    };
    let place = events.iter().position(is_it).ok_or("it never finished")?;
    let at = events[place].at;
    if let Fact::TaskFinished { end, .. } = &mut events[place].fact {
        end.result = Some("=post 5: \"\u{202e}\"".to_owned());
    }
    let delivered = Fact::ResultDelivered { run: RunId(2), task: TaskId(4) };
    events.insert(place + 1, Event { at, fact: delivered });
    let state = folded(&events);
    assert_eq!(state.misfits(), 0);
    let json = json_of(&state, END)?;
    REPORT.check(&json)?;
    let (task, other) = (&json["runs"][2]["tasks"][4], &json["runs"][2]["tasks"][5]);
    assert_eq!(task["result"], "=post 5: \"\u{202e}\"");
    assert_eq!(task["delivered"], task["finished"]);
    assert!(other["result"].is_null() && other["delivered"].is_null());
    let text = report(Format::Csv, &state, END)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name).ok_or("no such column");
    let row = reader.records().nth(44).ok_or("no such row")??;
    assert_eq!(&row[column("result")?], "'=post 5: \"\\u{202e}\"");
    assert_eq!(row[column("delivered_seconds")?], row[column("finished_seconds")?]);
    Ok(())
}

#[test]
fn saving_replaces_the_file_and_explains_when_it_cannot() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("report.json");
    std::fs::write(&path, [r#"{"format":"threadrace-report","#, &" ".repeat(1 << 20)].concat())?;
    let state = four(1).state();
    save(Format::Json, &state, END, &path, Standing::Stays)?;
    assert_eq!(std::fs::read_to_string(&path)?, report(Format::Json, &state, END)?);
    let nowhere = folder.path().join("no/such/folder.json");
    let error = save(Format::Json, &state, END, &nowhere, Standing::Stays).err().ok_or("it was saved")?;
    assert!(error.to_string().contains("folder.json"), "{error}");
    Ok(())
}

/// Eight rounds after a warm-up; the pool fails in one of them, and async takes long in another.
fn repeated() -> Race {
    let race = four(5).warmups(1).rounds(8).wobble(6);
    let runs = race.plan().runs.clone();
    let run = |name: &str| runs.iter().position(|run| run.name() == name).unwrap_or(usize::MAX);
    let (failed, slow) = (run("pool-round-3"), run("async-round-5"));
    (0..20).fold(race.fate_in(failed, 3, Fate::Failed), |race, task| race.fate_in(slow, task, Fate::Retried))
}

#[test]
fn rounds_are_told_of_together() -> Tested {
    let state = repeated().state();
    let summary = Summary::of(&state, END);
    assert!(summary.repeats() && summary.groups.len() == 4 && summary.runs.len() == 36);
    for (place, run) in summary.runs.iter().enumerate() {
        let base = state.baseline_of(RunId::of(place)).ok_or("no baseline")?;
        assert_eq!(base.plan().round, run.round);
        let wall = run.wall.ok_or("no wall")?.as_secs_f64();
        let speedup = base.wall().map(|base| base.as_secs_f64() / wall);
        assert!(run.comparable != Comparable::Yes || run.speedup == speedup);
    }
    let [sequential, _, pool, asynchronous] = &summary.groups[..] else {
        return Err("too few groups".into());
    };
    assert_eq!((sequential.repeats.len(), pool.repeats.len(), pool.left_out), (8, 7, 1));
    let speedup = pool.speedup.ok_or("no speedup")?;
    let interval = speedup.interval.ok_or("no interval")?;
    assert!(interval.includes(speedup.value) && speedup.samples == 7, "{speedup:?}");
    let mut walls: Vec<Duration> = pool.repeats.iter().map(|repeat| repeat.wall).collect();
    walls.sort();
    assert_eq!(summary.runs[pool.typical.index()].wall, Some(walls[3]));
    let outliers: Vec<_> = asynchronous.outliers().map(|(repeat, cause)| (repeat.round, cause)).collect();
    assert!(outliers.contains(&(5, threadrace::stats::Cause::Retries)), "{outliers:?}");
    insta::assert_snapshot!("rounds_table", report(Format::Table, &state, END)?);
    insta::assert_snapshot!("rounds_markdown", report(Format::Markdown, &state, END)?);
    let csv = report(Format::Csv, &state, END)?;
    assert_eq!(csv.lines().filter(|line| line.ends_with(",1,true")).count(), 4 * 20);
    let json = json_of(&state, END)?;
    assert_eq!((&json["runs"][0]["warmup"], &json["runs"][4]["warmup"]), (&json!(true), &json!(false)));
    assert_eq!(json["groups"][2]["left_out"], 1);
    let causes = json["groups"][3]["outliers"].as_array().ok_or("no outliers")?;
    assert!(causes.iter().any(|outlier| outlier["cause"] == "retries" && outlier["round"] == 5));
    // The files of a round stand until the next one replaces them.
    let path = |run: usize| &json["runs"][run]["tasks"][0]["path"];
    assert!(path(0).is_null() && path(35).as_str().is_some_and(|path| !path.contains("round")));
    Ok(())
}

#[test]
fn few_rounds_claim_little() {
    let verdict = |rounds| Summary::of(&four(5).rounds(rounds).wobble(6).state(), END).verdict();
    assert!(verdict(3).contains("the median of 3 rounds"), "{}", verdict(3));
    assert!(verdict(3).contains("It takes 6 rounds to tell that from chance."), "{}", verdict(3));
    assert!(verdict(6).contains(", 6 rounds)"), "{}", verdict(6));
    let alone = Race::new(1).runs(&[(ExecutorKind::Pool, 5)]).rounds(6).wobble(6).state();
    let text = Summary::of(&alone, END).verdict();
    assert!(text.contains("the median of 6 rounds (") && text.contains("Without a sequential run"), "{text}");
}

#[test]
fn what_was_cancelled_is_told_of_in_few_lines() -> Tested {
    // The pool of the second round, and nothing after it.
    let race = Race::new(3).rounds(20);
    let run = race.plan().runs.iter().position(|run| run.name() == "pool-round-2").ok_or("no such run")?;
    let cancelled = Race::new(3).rounds(20).cancel(run, Duration::from_millis(300));
    let over = cancelled.state().runs()[run].started().ok_or("not started")?.plus(Duration::from_millis(310));
    let mut events = cancelled.events_until(over);
    events.push(Event { at: over, fact: Fact::RaceFinished });
    let text = report(Format::Table, &folded(&events), END)?;
    assert!(text.contains("pool in round 2 of 20 can't be compared: cancelled with"), "{text}");
    assert!(text.contains(" runs were not started.") && text.lines().count() < 40, "{text}");
    Ok(())
}

#[test]
fn equals_are_seldom_told_apart() {
    let pair = [(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 1)];
    let verdict =
        |seed| Summary::of(&Race::new(seed).tasks(3).runs(&pair).rounds(8).wobble(6).state(), END).verdict();
    let races = 200;
    let equal = "No difference can be told between the pool of 1 and one worker: ";
    let told = (0..races).filter(|seed| !verdict(*seed).starts_with(equal)).count();
    // 5 of 100 are promised; the simulated noise is even, and 8 rounds promise less than 1.
    assert!(told * 100 <= 5 * races as usize, "{told} of {races}");
}

#[test]
fn reports_keep_the_schema() -> Tested {
    let long = Duration::from_millis(700);
    let races = [
        repeated().state(),
        repeated().state_at(At(30_000_000_000)),
        Race::new(2).runs(&[]).rounds(3).state(),
        four(1).state(),
        troubled().state(),
        four(1).together().state(),
        four(1).tasks(0).state(),
        Race::new(2).runs(&[]).state(),
        Race::new(2).cancel(0, Duration::ZERO).state(),
        Race::new(2).cancel(0, long).breakdown(1, long, "no threads left").state(),
        Race::new(2).tasks(3).fate(0, Fate::Failed).fate(1, Fate::Failed).fate(2, Fate::Panicked).state(),
        four(1).state_at(At(1_000_000_000)),
        four(1).state_at(At::ZERO),
    ];
    for race in races {
        let report = json_of(&race, At(1_500_000_000))?;
        REPORT.check(&report)?;
    }
    Ok(())
}

#[test]
fn a_report_that_was_tampered_with_breaks_the_schema() -> Tested {
    let report = json_of(&troubled().state(), END)?;
    REPORT.check(&report)?;
    let set: &[(&str, Value)] = &[
        ("/format", json!("other-report")),
        ("/version", json!(2)),
        ("/scenario/tasks", json!(-1)),
        ("/scenario/order", json!("at once")),
        ("/machine", json!(null)),
        ("/runs", json!({})),
        ("/runs/0/executor", json!(7)),
        ("/runs/0/workers", json!(0)),
        ("/runs/0/status", json!("running")),
        ("/runs/0/status", json!("cancelled")),
        ("/runs/0/message", json!("why")),
        ("/runs/0/comparable", json!(false)),
        ("/runs/0/wall_seconds", json!(null)),
        ("/runs/0/wall_seconds", json!("10")),
        ("/runs/0/speedup", json!(0.0)),
        ("/runs/0/improvement", json!(1.1)),
        ("/runs/0/cpu_seconds", json!({ "user": 1.0 })),
        ("/runs/0/cpu_seconds/system", json!(-1.0)),
        ("/runs/0/peak_memory_bytes", json!(0.5)),
        ("/runs/2/improvement", json!(0.5)),
        ("/runs/0/latency_seconds/mean", json!(null)),
        ("/runs/0/latency_seconds/p99", json!(-1.0)),
        ("/runs/2/speedup", json!(4.0)),
        ("/runs/2/tasks/3/error", json!(null)),
        ("/runs/2/tasks/3/error/kind", json!("bad luck")),
        ("/runs/2/tasks/3/path", json!("somewhere")),
        ("/runs/0/tasks/0/outcome", json!("lost")),
        ("/runs/0/tasks/0/outcome", json!(null)),
        ("/runs/0/tasks/0/path", json!(7)),
        ("/runs/0/tasks/0/delivered", json!("soon")),
        ("/runs/0/tasks/0/result", json!(7)),
        ("/runs/0/tasks/0/lane", json!(null)),
        ("/runs/0/tasks/0/finished", json!(null)),
        ("/runs/0/lanes/0/spans/0/phase", json!("dreaming")),
        ("/runs/0/lanes/0/spans/0/from", json!(null)),
        ("/runs/0/lanes/0/utilisation/idle", json!(1.5)),
        ("/runs/0/critical_path/0/step", json!("luck")),
    ];
    for (place, value) in set {
        let mut report = report.clone();
        *report.pointer_mut(place).ok_or(*place)? = value.clone();
        assert!(REPORT.check(&report).is_err(), "{place} may be {value}");
    }
    let objects = [
        "",
        "/scenario",
        "/machine",
        "/runs/0",
        "/runs/0/latency_seconds",
        "/runs/0/utilisation",
        "/runs/0/critical_path/0",
        "/runs/0/tasks/0",
        "/runs/2/tasks/3/error",
        "/runs/0/lanes/0",
        "/runs/0/lanes/0/spans/0",
    ];
    for place in objects {
        let object = report.pointer(place).and_then(Value::as_object).ok_or(place)?;
        for key in object.keys() {
            let mut report = report.clone();
            report.pointer_mut(place).and_then(Value::as_object_mut).ok_or(place)?.remove(key);
            assert!(REPORT.check(&report).is_err(), "{place}/{key} may be missing");
        }
        let mut report = report.clone();
        let object = report.pointer_mut(place).and_then(Value::as_object_mut).ok_or(place)?;
        object.insert("more".to_owned(), json!(0.0));
        assert!(REPORT.check(&report).is_err(), "{place} may hold more");
    }
    Ok(())
}

/// Text that a server might send to do harm, or a person in another script by right.
fn foreign() -> impl Strategy<Value = String> {
    let harmful =
        ['\u{1b}', '\n', '\r', '\t', '\u{9b}', '\u{202e}', '\u{2066}', '|', '=', '\\', '宽', '\u{301}'];
    let c = prop_oneof![3 => any::<char>(), 1 => prop::sample::select(harmful.to_vec())];
    prop::collection::vec(c, 0..60).prop_map(|chars| chars.into_iter().collect())
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Done),
        1 => Just(Fate::Failed),
        1 => Just(Fate::Retried),
        1 => Just(Fate::Panicked),
    ]
}

prop_compose! {
    /// A race of any shape, and a moment in or after it.
    fn any_race()(
        seed in any::<u64>(),
        tasks in 0_usize..14,
        runs in prop::collection::vec((0_usize..4, 1_usize..6), 0..4),
        fates in prop::collection::vec((0_usize..4, 0_usize..14, fate()), 0..6),
        names in prop::collection::vec((0_usize..14, foreign()), 0..6),
        cut in prop::option::of((0_usize..4, 0_u64..3_000, any::<bool>())),
        (together, full_link) in any::<(bool, bool)>(),
        until in prop_oneof![Just(u64::MAX), 0_u64..12_000_000_000],
    ) -> (Race, At) {
        let runs: Vec<_> = runs.iter().map(|&(kind, workers)| (ExecutorKind::BUILT_IN[kind].clone(), workers)).collect();
        let mut race = Race::new(seed).tasks(tasks).runs(&runs);
        for (run, task, fate) in fates {
            race = race.fate_in(run, task, fate);
        }
        for (task, name) in names {
            race = race.name(task, name);
        }
        match cut {
            Some((run, millis, true)) => race = race.cancel(run, Duration::from_millis(millis)),
            Some((run, millis, false)) => race = race.breakdown(run, Duration::from_millis(millis), "it broke"),
            None => {}
        }
        if together {
            race = race.together();
        }
        if full_link {
            race = race.full_link();
        }
        (race, At(until))
    }
}

/// The number at a place in a report.
fn number(value: &Value) -> Result<f64, TestCaseError> {
    value.as_f64().ok_or_else(|| TestCaseError::fail(format!("no number: {value}")))
}

fn list(value: &Value) -> Result<&Vec<Value>, TestCaseError> {
    value.as_array().ok_or_else(|| TestCaseError::fail(format!("no list: {value}")))
}

fn failed(error: impl ToString) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn json_of_any_race_is_true_to_it((race, until) in any_race()) {
        let state = race.state_at(until);
        let now = At(until.0.min(20_000_000_000));
        let report = json_of(&state, now).map_err(failed)?;
        REPORT.check(&report).map_err(failed)?;
        let runs = list(&report["runs"])?;
        let baseline = runs.iter().find(|run| run["executor"] == "sequential");
        for run in runs {
            let tasks = list(&run["tasks"])?;
            prop_assert_eq!(report["scenario"]["tasks"].as_u64(), Some(tasks.len() as u64));
            for outcome in ["done", "failed", "cancelled", "panicked"] {
                let count = tasks.iter().filter(|task| task["outcome"] == outcome).count();
                prop_assert_eq!(run[outcome].as_u64(), Some(count as u64));
            }
            if run["comparable"] == true {
                prop_assert_eq!(run["done"].as_u64(), Some(tasks.len() as u64));
            }
            for lane in list(&run["lanes"])? {
                let spans = list(&lane["spans"])?;
                for span in spans {
                    prop_assert!(number(&span["from"])? <= number(&span["to"])?);
                }
                for pair in spans.windows(2) {
                    prop_assert!(number(&pair[0]["to"])? <= number(&pair[1]["from"])?);
                }
            }
            for used in std::iter::once(run).chain(list(&run["lanes"])?).map(|it| &it["utilisation"]) {
                if let Some(shares) = used.as_object() {
                    let all = shares.values().map(number).sum::<Result<f64, _>>()?;
                    prop_assert!((all - 1.0).abs() < 1e-9, "{:?}", shares);
                }
            }
            prop_assert_eq!(run["critical_path"].is_null(), run["wall_seconds"].is_null());
            if !run["critical_path"].is_null() {
                let path = list(&run["critical_path"])?;
                let mut long = 0.0;
                for segment in path {
                    long += number(&segment["to"])? - number(&segment["from"])?;
                    if let Some(task) = segment["task"].as_u64() {
                        let task = &tasks[task as usize];
                        prop_assert_eq!(&task["lane"], &segment["lane"]);
                        prop_assert!(number(&task["started"])? <= number(&segment["from"])?);
                        prop_assert!(task["finished"].is_null() || number(&segment["to"])? <= number(&task["finished"])?);
                    }
                }
                prop_assert!((long - number(&run["wall_seconds"])?).abs() < 1e-9);
                prop_assert!(path.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]));
            }
            if !run["speedup"].is_null() {
                let wall = number(&run["wall_seconds"])?;
                let sequential = number(&baseline.ok_or_else(|| failed("no baseline"))?["wall_seconds"])?;
                prop_assert!((number(&run["speedup"])? * wall - sequential).abs() < 1e-9 * sequential);
                let workers = number(&run["workers"])?;
                prop_assert!((number(&run["efficiency"])? * workers - number(&run["speedup"])?).abs() < 1e-9);
                let improvement = number(&run["improvement"])?;
                prop_assert!(((1.0 - improvement) * number(&run["speedup"])? - 1.0).abs() < 1e-9);
            }
            if !run["processors"].is_null() {
                let cpu = number(&run["cpu_seconds"]["user"])? + number(&run["cpu_seconds"]["system"])?;
                let wall = number(&run["wall_seconds"])?;
                prop_assert!((number(&run["processors"])? * wall - cpu).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_number_is_read_back_as_it_was_written(seconds in 0.0..1e5) {
        let text = serde_json::to_string(&seconds).map_err(failed)?;
        prop_assert_eq!(serde_json::from_str::<f64>(&text).map_err(failed)?, seconds);
    }

    #[test]
    fn text_of_any_race_is_safe_and_fits((race, until) in any_race(), message in foreign()) {
        let state = race.breakdown(0, Duration::from_millis(900), message).state_at(until);
        let now = At(until.0.min(20_000_000_000));
        let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        for format in [Format::Table, Format::Markdown, Format::Csv] {
            let text = report(format, &state, now).map_err(failed)?;
            prop_assert!(!text.replace('\n', "").contains(hidden), "{:?}", text);
            if format == Format::Table {
                for line in text.lines() {
                    prop_assert!(threadrace::text::width(line) <= 80, "{}", line);
                }
            }
        }
        prop_assert!(Summary::of(&state, now).verdict().chars().count() <= threadrace::report::VERDICT_CHARS);
    }
}
