//! Reading recordings, which are foreign text: what is valid of them, up to where it ends, in bounded memory.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::event::{At, Event, Fact, REPORT_FORMAT, RacePlan, Worker};
use crate::model::{RaceState, SharedPlan};
use crate::text::{bytes, counted, says_format, shown};

use super::report_in::{ReportError, from_report};
use super::tape::{Player, Tape};
use super::write::{FORMAT, Header, VERSION};

/// How much is read, in bytes: the events take about as much memory.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Of the whole recording.
    all: u64,
    /// Of one line.
    line: usize,
}

impl Limits {
    /// Enough for four runs of 100,000 tasks, and for a line with the plan of a million.
    const USUAL: Limits = Limits { all: 512 << 20, line: 128 << 20 };
}

/// The most tasks of all runs together: each has its place in memory from the start.
const MOST_TASKS: usize = 4_000_000;

/// The most runs.
const MOST_RUNS: usize = 10_000;

/// No race lasts longer: a year.
pub(super) const LATEST: At = At(366 * 24 * 3600 * 1_000_000_000);

/// An event may be told after so many that happened later. The collector tells them nearly in order; to
/// put one in its place costs as much as it has gone astray.
const ASTRAY: usize = 4096;

/// What is wrong with a recording of which something can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It ends in the middle of the race: whoever wrote it was killed, or its disk was full.
    BrokenOff,
    /// A line is not an event, or none that can come here; it and what follows it are left out.
    Damaged {
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It is larger than what is read; the rest is left out.
    TooLarge {
        /// How much was read, in bytes.
        read: u64,
    },
    /// Its events were in no order, and have been sorted by time.
    Unsorted,
    /// So many of its events contradict those before them, and change nothing.
    Contradictory {
        /// How many.
        events: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::BrokenOff => f.write_str("the recording breaks off before the race is over"),
            Flaw::Damaged { line, reason } => {
                write!(
                    f,
                    "the recording is damaged at line {line}, and is shown up to there: {}",
                    shown(reason)
                )
            }
            Flaw::TooLarge { read } => {
                write!(f, "the recording is larger than {}, and is shown up to there", bytes(*read))
            }
            Flaw::Unsorted => f.write_str("the recording's events were in no order; they are sorted by time"),
            Flaw::Contradictory { events } => {
                let events = counted(*events, "event contradicts the rest", "events contradict the rest");
                write!(f, "{events}, and changed nothing: the figures may not be what happened")
            }
        }
    }
}

/// Why nothing can be shown of a file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file can't be read.
    #[error("{} can't be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It can't be read any further, before there is anything to show.
    #[error("the recording can't be read: {0}")]
    Broken(#[from] io::Error),
    /// It does not begin as recordings do.
    #[error("this is no recording: {0}; `threadrace --record FILE` makes one")]
    NoRecording(String),
    /// A newer program wrote it.
    #[error(
        "this recording has version {version} of the format, of program version {program}, and this program \
         knows version {VERSION}: replay it with a newer one"
    )]
    Newer {
        /// The format's version.
        version: u32,
        /// The program's; foreign text.
        program: String,
    },
    /// It is a report, and none that could stand in for a recording.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// It has a header, and no race that could be shown.
    #[error("this recording holds no race: {0}")]
    NoRace(String),
}

/// A recording, as far as it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    /// What was planned.
    pub plan: SharedPlan,
    /// Its events; the first one starts the race.
    pub tape: Tape,
    /// What is wrong with it.
    pub flaws: Vec<Flaw>,
}

impl Recording {
    /// The race as far as the recording goes.
    pub fn race(&self) -> RaceState {
        let mut player = Player::new(self.plan.clone());
        player.seek(&self.tape, self.tape.len());
        player.into_state()
    }

    /// Finds what in it contradicts the rest.
    pub(super) fn held_against_itself(mut self) -> Recording {
        let events = self.race().misfits();
        if events > 0 {
            self.flaws.push(Flaw::Contradictory { events });
        }
        self
    }
}

/// Reads the recording in a file, or the report in JSON that stands in for one.
///
/// # Errors
/// When it can't be read, is no recording or one of a newer version, or holds no race.
pub fn read_file(path: &Path) -> Result<Recording, ReadError> {
    let failed = |error| ReadError::File { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let mut input = BufReader::with_capacity(256 * 1024, file);
    if says_format(input.fill_buf().map_err(failed)?, REPORT_FORMAT) {
        return Ok(from_report(input)?);
    }
    match read(&mut input) {
        Err(ReadError::Broken(error)) => Err(failed(error)),
        read => read,
    }
}

/// Reads a recording.
///
/// # Errors
/// When it can't be read, is no recording or one of a newer version, or holds no race.
pub fn read(input: &mut dyn BufRead) -> Result<Recording, ReadError> {
    read_within(Limits::USUAL, input)
}

fn read_within(limits: Limits, input: &mut dyn BufRead) -> Result<Recording, ReadError> {
    let mut lines = Lines { limits, input, number: 0, bytes: 0, line: Vec::new() };
    let header = match lines.next()? {
        Next::Line { .. } => header(&lines.line)?,
        Next::TooLong | Next::TooMuch => {
            return Err(ReadError::NoRecording("its first line has no end".to_owned()));
        }
        Next::End => return Err(ReadError::NoRecording("it is empty".to_owned())),
    };
    let first = match lines.next()? {
        Next::Line { .. } => serde_json::from_slice::<Event>(&lines.line)
            .map_err(|error| ReadError::NoRace(format!("line 2 is no event: {error}")))?,
        Next::TooLong | Next::TooMuch => return Err(ReadError::NoRace("line 2 has no end".to_owned())),
        Next::End => return Err(ReadError::NoRace("it ends after its header".to_owned())),
    };
    let Fact::RaceStarted { plan } = first.fact else {
        return Err(ReadError::NoRace("it does not begin with the start of a race".to_owned()));
    };
    check_plan(&plan).map_err(ReadError::NoRace)?;
    let plan = Arc::new(clean_plan(Arc::unwrap_or_clone(plan)));
    let mut checker = Checker { plan: plan.clone(), late: Lateness::default(), over: false };
    checker.check(&first.at).map_err(ReadError::NoRace)?;
    let mut tape = Tape::default();
    tape.push(Event { at: first.at, fact: Fact::RaceStarted { plan: plan.clone() } });
    let mut flaws = checker.read_on(&mut lines, &mut tape);
    if checker.late.astray {
        tape.sort();
        flaws.push(Flaw::Unsorted);
    }
    Ok(Recording { header, plan, tape, flaws }.held_against_itself())
}

fn header(line: &[u8]) -> Result<Header, ReadError> {
    /// What the header of every version has.
    #[derive(serde::Deserialize)]
    struct Any {
        format: String,
        version: u32,
        #[serde(default)]
        program: String,
    }
    let none = |reason: String| ReadError::NoRecording(reason);
    let any: Any = serde_json::from_slice(line)
        .map_err(|error| none(format!("its first line is no recording's header: {error}")))?;
    if any.format != FORMAT {
        return Err(none(format!("its format is '{}'", shown(&any.format))));
    }
    if any.version > VERSION {
        return Err(ReadError::Newer { version: any.version, program: shown(&any.program).into_owned() });
    }
    let header: Header =
        serde_json::from_slice(line).map_err(|error| none(format!("its header: {error}")))?;
    Ok(Header {
        program: shown(&header.program).into_owned(),
        scenario: shown(&header.scenario).into_owned(),
        ..header
    })
}

/// What a plan must hold for the fold to stay within its memory.
pub(super) fn check_plan(plan: &RacePlan) -> Result<(), String> {
    let (tasks, runs) = (plan.tasks.len(), plan.runs.len());
    if runs == 0 || runs > MOST_RUNS {
        return Err(format!("it has {runs} runs, and 1 to {MOST_RUNS} can be shown"));
    }
    if tasks.saturating_mul(runs) > MOST_TASKS {
        return Err(format!("{runs} runs of {tasks} tasks are more than {MOST_TASKS} tasks in all"));
    }
    match plan.runs.iter().find(|run| run.workers == 0 || run.workers as usize > tasks.max(1)) {
        Some(run) => Err(format!("a run of {tasks} tasks has {} workers", run.workers)),
        None => Ok(()),
    }
}

/// The plan with texts that are safe to show.
pub(super) fn clean_plan(mut plan: RacePlan) -> RacePlan {
    let clean = |text: &mut String| {
        if let std::borrow::Cow::Owned(safe) = shown(text) {
            *text = safe;
        }
    };
    [&mut plan.scenario, &mut plan.about, &mut plan.noun, &mut plan.source].into_iter().for_each(clean);
    [&mut plan.machine.os, &mut plan.machine.arch].into_iter().for_each(clean);
    for task in &mut plan.tasks {
        clean(&mut task.name);
        task.url.as_mut().into_iter().for_each(clean);
    }
    for run in &mut plan.runs {
        clean(&mut run.label);
        if let crate::event::ExecutorKind::External(name) = &mut run.executor {
            *name = shown(name).into();
        }
    }
    plan
}

/// The lines of a recording.
struct Lines<'a> {
    limits: Limits,
    input: &'a mut dyn BufRead,
    number: u64,
    bytes: u64,
    line: Vec<u8>,
}

/// What there is next.
enum Next {
    /// A line.
    Line {
        /// Whether its end is there.
        whole: bool,
    },
    /// A line that is longer than any event.
    TooLong,
    /// More than is read.
    TooMuch,
    /// Nothing.
    End,
}

impl Lines<'_> {
    /// Goes to the next line that is not empty, and keeps it without its end.
    fn next(&mut self) -> io::Result<Next> {
        loop {
            self.line.clear();
            self.number += 1;
            let whole = loop {
                let ready = match self.input.fill_buf() {
                    Ok(ready) => ready,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let (taken, whole) = match ready.iter().position(|&byte| byte == b'\n') {
                    Some(end) => (end + 1, true),
                    None => (ready.len(), false),
                };
                if taken == 0 {
                    break false;
                }
                self.line.extend_from_slice(&ready[..taken]);
                self.input.consume(taken);
                self.bytes += taken as u64;
                if self.line.len() > self.limits.line {
                    return Ok(Next::TooLong);
                }
                if self.bytes > self.limits.all {
                    return Ok(Next::TooMuch);
                }
                if whole {
                    break true;
                }
            };
            if self.line.is_empty() {
                return Ok(Next::End);
            }
            self.line.truncate(self.line.trim_ascii_end().len());
            if !self.line.is_empty() || !whole {
                return Ok(Next::Line { whole });
            }
        }
    }
}

/// Whether events come in about the order of time.
#[derive(Debug, Default)]
struct Lateness {
    /// For each event the latest moment so far, over the last [`ASTRAY`] events.
    latest: std::collections::VecDeque<At>,
    astray: bool,
}

impl Lateness {
    fn note(&mut self, at: At) {
        if self.latest.len() == ASTRAY {
            let before = self.latest.pop_front();
            self.astray |= before.is_some_and(|latest| at < latest);
        }
        let latest = self.latest.back().map_or(at, |latest| at.max(*latest));
        self.latest.push_back(latest);
    }
}

/// Holds events against the plan.
struct Checker {
    plan: Arc<RacePlan>,
    late: Lateness,
    over: bool,
}

impl Checker {
    /// Reads events until something is wrong or the race is over.
    fn read_on(&mut self, lines: &mut Lines<'_>, tape: &mut Tape) -> Vec<Flaw> {
        loop {
            let damaged = |line, reason: String| vec![Flaw::Damaged { line, reason }];
            let whole = match lines.next() {
                Ok(Next::Line { whole }) => whole,
                Ok(Next::End) if self.over => return Vec::new(),
                Ok(Next::End) => return vec![Flaw::BrokenOff],
                Ok(Next::TooMuch) => return vec![Flaw::TooLarge { read: lines.limits.all }],
                Ok(Next::TooLong) => return damaged(lines.number, "it has no end".to_owned()),
                Err(error) => return damaged(lines.number, error.to_string()),
            };
            if self.over {
                return damaged(lines.number, "the race is over before it".to_owned());
            }
            match serde_json::from_slice::<Event>(&lines.line) {
                Ok(mut event) => {
                    if let Err(reason) = self.check(&event.at).and_then(|()| self.fits(&event.fact)) {
                        return damaged(lines.number, reason);
                    }
                    self.over = event.fact == Fact::RaceFinished;
                    clean(&mut event.fact);
                    tape.push(event);
                }
                // A program that is killed while it writes leaves half a line.
                Err(_) if !whole => return vec![Flaw::BrokenOff],
                Err(error) => return damaged(lines.number, format!("it is no event: {error}")),
            }
        }
    }

    fn check(&mut self, at: &At) -> Result<(), String> {
        if *at > LATEST {
            return Err(format!("{} ns is later than a year after the race's start", at.0));
        }
        self.late.note(*at);
        Ok(())
    }

    /// Whether the run and the task that a fact names are planned.
    fn fits(&self, fact: &Fact) -> Result<(), String> {
        if matches!(fact, Fact::RaceStarted { .. }) {
            return Err("a second race starts".to_owned());
        }
        let runs = self.plan.runs.len();
        if let Some(run) = fact.run().filter(|run| run.index() >= runs) {
            return Err(format!("it is about run {}, and there are {runs}", run.0));
        }
        let tasks = self.plan.tasks.len();
        match fact.task().filter(|task| task.index() >= tasks) {
            Some(task) => Err(format!("it is about task {}, and there are {tasks}", task.0)),
            None => Ok(()),
        }
    }
}

/// Makes a worker's name safe to show. What servers and tasks say is foreign in live races, too.
pub(super) fn clean(fact: &mut Fact) {
    if let Fact::LaneOpened { worker, .. } = fact
        && let Worker::Thread { name, .. } | Worker::Process { name, .. } = worker.as_mut()
        && let std::borrow::Cow::Owned(safe) = shown(name)
    {
        *name = safe;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A recording of a race of two tasks by two workers, as text.
    fn text() -> String {
        let lines = [
            r#"{"format":"threadrace-recording","version":1,"program":"0.1.0","scenario":"test","seed":1,"machine":{"os":"","arch":"","cpus":1},"zero":{"monotonic_nanos":0,"unix_nanos":0}}"#,
            r#"{"at":0,"event":"race_started","plan":{"scenario":"test","about":"","workload":"sleep","noun":"tasks","source":"","time_scale":1000000,"seed":1,"order":"one_by_one","tasks":[{"name":"a","url":null},{"name":"b","url":null}],"runs":[{"executor":"pool","workers":2,"variant":null,"label":"pool","round":{"counted":1}}],"output":"out","machine":{"os":"","arch":"","cpus":1},"zero":{"monotonic_nanos":0,"unix_nanos":0}}}"#,
            r#"{"at":1,"event":"run_started","run":0}"#,
            r#"{"at":2,"event":"lane_opened","run":0,"lane":0,"worker":{"kind":"thread","name":"pool-0","thread_id":7}}"#,
            r#"{"at":3,"event":"task_queued","run":0,"task":0}"#,
            r#"{"at":4,"event":"task_started","run":0,"task":0,"lane":0}"#,
            r#"{"at":5,"event":"phase_entered","run":0,"task":0,"phase":"sleeping"}"#,
            r#"{"at":9,"event":"task_finished","run":0,"task":0,"end":{"outcome":"done","bytes":0,"write_nanos":0,"check":"nothing","result":null}}"#,
            r#"{"at":10,"event":"collected"}"#,
            r#"{"at":11,"event":"run_finished","run":0,"end":{"end":"cancelled"}}"#,
            r#"{"at":12,"event":"race_finished"}"#,
        ];
        lines.map(|line| format!("{line}\n")).concat()
    }

    fn read_text(text: &str) -> Result<Recording, ReadError> {
        read(&mut text.as_bytes())
    }

    /// The recording with the line of that number in place of its own, or after the last one.
    fn with_line(number: usize, line: &str) -> String {
        let text = text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.resize(lines.len().max(number), "");
        lines[number - 1] = line;
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn damaged(text: &str) -> Option<(u64, String, usize)> {
        let recording = read_text(text).ok()?;
        match &recording.flaws[..] {
            [Flaw::Damaged { line, reason }] => Some((*line, reason.clone(), recording.tape.len())),
            _ => None,
        }
    }

    #[test]
    fn a_whole_recording_has_no_flaw() -> Result<(), ReadError> {
        let recording = read_text(&text())?;
        assert_eq!((recording.flaws.len(), recording.tape.len()), (0, 10));
        let race = recording.race();
        assert!(race.is_over());
        assert_eq!((race.misfits(), race.runs()[0].counts().done), (0, 1));
        Ok(())
    }

    #[test]
    fn every_beginning_is_read_as_far_as_it_goes() {
        let text = text();
        let second_line_ends = text.match_indices('\n').nth(1).map_or(0, |(place, _)| place);
        for length in 0..text.len() {
            match read_text(&text[..length]) {
                Ok(recording) if length >= text.len() - 1 => assert_eq!(recording.flaws, []),
                Ok(recording) => {
                    assert_eq!(recording.flaws, [Flaw::BrokenOff], "{length}");
                    let whole = text[..length + 1].matches("}\n").count();
                    assert_eq!(recording.tape.len() + 1, whole, "{length}");
                }
                Err(error) => assert!(length < second_line_ends, "{length}: {error}"),
            }
        }
    }

    #[test]
    fn what_cannot_come_here_ends_what_is_shown() {
        let found =
            |line: &str| damaged(&with_line(7, line)).map(|(line, reason, events)| (line, events, reason));
        let told = |line: &str, part: &str| match found(line) {
            Some((7, 5, reason)) => assert!(reason.contains(part), "{reason}"),
            other => panic!("{line}: {other:?}"),
        };
        told("no event", "no event");
        told("[[[[[[[[", "no event");
        told(r#"{"at":5,"event":"dream"}"#, "no event");
        told(r#"{"at":-5,"event":"collected"}"#, "no event");
        told(r#"{"at":5e99,"event":"collected"}"#, "no event");
        told(r#"{"at":5,"event":"run_started","run":1}"#, "run 1, and there are 1");
        told(r#"{"at":5,"event":"task_queued","run":0,"task":2}"#, "task 2, and there are 2");
        told(&format!(r#"{{"at":{},"event":"collected"}}"#, u64::MAX), "later than a year");
        told(text().lines().nth(1).unwrap_or_default(), "a second race");
        assert_eq!(
            damaged(&with_line(12, r#"{"at":13,"event":"collected"}"#)).map(|it| (it.0, it.2)),
            Some((12, 10))
        );
    }

    #[test]
    fn what_holds_no_race_says_why() {
        let error =
            |text: &str| read_text(text).map_or_else(|error| error.to_string(), |_| "it was read".to_owned());
        for (text, part) in [
            (String::new(), "it is empty"),
            ("hello\n".to_owned(), "no recording's header"),
            ("{\"format\":\"threadrace-report\",\"version\":1}\n".to_owned(), "'threadrace-report'"),
            (
                with_line(
                    1,
                    &text().lines().next().unwrap_or_default().replace("\"version\":1", "\"version\":2"),
                ),
                "newer",
            ),
            (with_line(2, "{}"), "line 2"),
            (with_line(2, r#"{"at":0,"event":"collected"}"#), "start of a race"),
            (text().replace("\"workers\":2", "\"workers\":4000000000"), "4000000000 workers"),
            (text().replace("\"workers\":2", "\"workers\":0"), "0 workers"),
        ] {
            assert!(error(&text).contains(part), "{part}: {}", error(&text));
        }
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() -> Result<(), ReadError> {
        let text = text();
        let whole = text.len() as u64;
        let recording = read_within(Limits { all: whole - 1, line: 10_000 }, &mut text.as_bytes())?;
        assert_eq!(recording.flaws, [Flaw::TooLarge { read: whole - 1 }]);
        assert_eq!(recording.tape.len(), 9);
        let endless = io::repeat(b'x');
        let start = text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
        let mut input = BufReader::new(io::Read::chain(start.as_bytes(), endless));
        let recording = read_within(Limits { all: u64::MAX, line: 10_000 }, &mut input)?;
        assert_eq!(recording.tape.len(), 2);
        assert!(matches!(recording.flaws[..], [Flaw::Damaged { line: 4, .. }]), "{:?}", recording.flaws);
        Ok(())
    }

    #[test]
    fn events_that_contradict_each_other_are_counted_and_told() -> Result<(), ReadError> {
        assert_eq!(read_text(&text())?.flaws, []);
        // On a lane that the pool of two does not have.
        let astray = with_line(6, r#"{"at":4,"event":"task_started","run":0,"task":0,"lane":9}"#);
        let recording = read_text(&astray)?;
        let [Flaw::Contradictory { events }] = recording.flaws[..] else {
            panic!("{:?}", recording.flaws);
        };
        assert_eq!(events, recording.race().misfits());
        assert!(recording.flaws[0].to_string().contains("contradict the rest"), "{}", recording.flaws[0]);
        Ok(())
    }

    #[test]
    fn foreign_names_are_made_safe() -> Result<(), ReadError> {
        let text =
            text().replace(r#""name":"a""#, r#""name":"a\u001b[2J\u202e""#).replace("pool-0", "p\\u0007");
        let recording = read_text(&text)?;
        let plan = &recording.plan;
        let workers = recording.race().runs()[0]
            .lanes()
            .iter()
            .filter_map(|lane| match lane.worker()? {
                Worker::Thread { name, .. } => Some(name.clone()),
                _ => None,
            })
            .collect::<String>();
        for (name, safe) in [(&plan.tasks[0].name, "a\\u{1b}[2J\\u{202e}"), (&workers, "p\\u{7}")] {
            assert_eq!(name, safe);
        }
        Ok(())
    }

    #[test]
    fn events_in_no_order_are_sorted() -> Result<(), ReadError> {
        let text = text();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let filler = (0..ASTRAY + 5).map(|at| format!(r#"{{"at":{},"event":"collected"}}"#, 100 + at));
        lines.splice(2..2, filler);
        let recording = read_text(&lines.join("\n"))?;
        assert_eq!(recording.flaws, [Flaw::Unsorted]);
        assert!(recording.tape.told().windows(2).all(|pair| pair[0].event.at <= pair[1].event.at));
        assert_eq!(recording.race().runs()[0].counts().done, 1);
        Ok(())
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop_oneof![".*", "(\\{\"format\":\"threadrace-recording\".{0,80}\n?.*){1,5}"]) {
            let _ = read_text(&text);
        }

        #[test]
        fn no_damage_panics(place in 0_usize..2000, bytes in prop::collection::vec(any::<u8>(), 0..8), keep in 0_usize..12) {
            let mut text = text().into_bytes();
            let place = place % text.len();
            let end = (place + keep).min(text.len());
            text.splice(place..end, bytes);
            if let Ok(recording) = read(&mut &text[..]) {
                let _ = recording.race();
            }
        }

        #[test]
        fn no_order_of_events_panics(lines in prop::collection::vec((0_usize..9, 0_u64..50), 0..60)) {
            let text = text();
            let all: Vec<&str> = text.lines().collect();
            let events = lines.iter().filter_map(|&(line, at)| {
                let (_, rest) = all[2 + line].split_once(',')?;
                Some(format!("{{\"at\":{at},{rest}\n"))
            });
            let text = format!("{}\n{}\n{}", all[0], all[1], events.collect::<String>());
            let recording = read_text(&text);
            prop_assert!(recording.is_ok());
            if let Ok(recording) = recording {
                let _ = recording.race();
            }
        }
    }
}
