//! Reads what another program says of its work, and believes nothing that contradicts the rest.
//!
//! Pure: lines and moments come in, events or the fault that was found come out. No line makes it panic.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::event::{At, Event, Fact, LaneId, Outcome, Phase, RunId, TaskError, TaskId, Worker};
use crate::text;

use super::protocol::{FromProgram, LONGEST_LINE, PROTOCOL};

/// Events of one task that are let pass at once, and in each second that it takes: a sample of its bytes 20
/// times a second leaves room.
const EVENTS_AT_ONCE: u64 = 1000;
const EVENTS_A_SECOND: u64 = 200;

/// The most characters that are kept of a name, of a task's result and of a body's text, and bytes of the headers of
/// an answer.
const LONGEST_NAME: usize = 60;
const LONGEST_RESULT: usize = 200;
const LONGEST_TEXT: usize = 16 << 10;

/// How much of an offending line is shown, in columns.
const SHOWN: usize = 120;

/// What is wrong with what a program said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Breach {
    #[error("a line is longer than {LONGEST_LINE} bytes")]
    TooLong,
    #[error("a line is not UTF-8")]
    NotUtf8,
    #[error("a line is no message of the protocol ({0})")]
    NoMessage(String),
    #[error("it speaks edition {0} of the protocol, and threadrace speaks {PROTOCOL}")]
    Edition(u32),
    #[error("that event is not a program's to tell")]
    NotIts,
    #[error("the run is {run}, and not {told}", run = .run.0, told = .told.0)]
    Run { run: RunId, told: RunId },
    #[error("there are lanes 0 to {last} only")]
    NoLane { last: usize },
    #[error("lane {lane} was opened before", lane = .0.0)]
    LaneTwice(LaneId),
    #[error("lane {lane} was not opened", lane = .0.0)]
    LaneNotOpened(LaneId),
    #[error("a lane's worker must be of the kind process")]
    WorkerKind,
    #[error("lane {lane} is busy with task {task}", lane = .lane.0, task = .task.0)]
    LaneBusy { lane: LaneId, task: TaskId },
    #[error("task {task} was not handed out", task = .0.0)]
    NotHandedOut(TaskId),
    #[error("task {task} was started before", task = .0.0)]
    StartedTwice(TaskId),
    #[error("task {task} was not started", task = .0.0)]
    NotStarted(TaskId),
    #[error("task {task} has ended before", task = .0.0)]
    Over(TaskId),
    #[error("the number of the attempt must be {expected}")]
    Attempt { expected: u32 },
    #[error("the bytes of task {task} fall from {from} to {to}", task = .task.0)]
    BytesFall { task: TaskId, from: u64, to: u64 },
    #[error("the time is before the program was asked to do anything")]
    TooEarly,
    #[error("the time is in the future")]
    Future,
    #[error("the time of lane {lane} goes back", lane = .0.0)]
    TimeBack(LaneId),
    #[error("task {task} has {bytes} bytes, and {most} are the most (download.max_bytes)", task = .task.0)]
    TooLarge { task: TaskId, bytes: u64, most: u64 },
    #[error("a program's task ends done or failed")]
    Outcome,
    #[error("task {task} was started, and is queued no more", task = .0.0)]
    Queued(TaskId),
    #[error("these are too many events for task {task}: tell about 20 a second", task = .0.0)]
    Flood(TaskId),
}

/// A breach, and the line that it was found in: shortened, and safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{breach}: {line}")]
pub(super) struct Fault {
    pub(super) breach: Breach,
    pub(super) line: String,
}

impl Fault {
    pub(super) fn new(breach: Breach, line: &[u8]) -> Fault {
        let beginning = &line[..line.len().min(4 * SHOWN)];
        Fault { breach, line: text::fit(&String::from_utf8_lossy(beginning), SHOWN) }
    }
}

/// What a checker is told before it hears anything. Moments are of the machine's monotonic clock, in
/// nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assignment {
    /// The run.
    pub(super) run: RunId,
    /// Who is listened to.
    pub(super) teller: Teller,
    /// The lanes that the program may open: so many from this one on.
    pub(super) lanes: (LaneId, usize),
    /// The largest body of a task, in bytes.
    pub(super) max_bytes: u64,
    /// When the program was told hello.
    pub(super) asked: u64,
    /// When the race's clock was at zero.
    pub(super) zero: u64,
}

impl Assignment {
    fn hold(&self, task: TaskId, bytes: u64) -> Result<(), Breach> {
        let most = self.max_bytes;
        if bytes > most { Err(Breach::TooLarge { task, bytes, most }) } else { Ok(()) }
    }
}

/// Whose words are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// A worker that is this program in another process.
    Own,
    /// Somebody's program.
    Foreign,
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is ready.
    Ready,
    /// Something happened; the time is the race's.
    Event(Event),
}

/// How a program's clock is read.
///
/// Its reading was taken between the hello and the answer. A clock that agrees with that is the machine's
/// own; of any other the offset is estimated from the middle of the two moments, and is wrong by at most half
/// of what lies between them (F. Cristian, "Probabilistic clock synchronization", Distributed Computing 3,
/// 1989).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    offset: i128,
    error: u64,
}

impl Reading {
    fn of(asked: u64, theirs: u64, answered: u64) -> Reading {
        if (asked..=answered).contains(&theirs) {
            return Reading { offset: 0, error: 0 };
        }
        let between = answered.saturating_sub(asked);
        let middle = i128::from(asked) + i128::from(between / 2);
        Reading { offset: middle - i128::from(theirs), error: between.div_ceil(2) }
    }
}

#[derive(Debug)]
struct Lane {
    last: u64,
    busy: Option<TaskId>,
}

#[derive(Debug)]
enum Stage {
    Handed,
    Active(Active),
    Over,
}

#[derive(Debug)]
struct Active {
    lane: LaneId,
    since: u64,
    events: u64,
    attempts: u32,
    bytes: u64,
}

/// Holds what one program says against what it was told and said before.
#[derive(Debug)]
pub(super) struct Checker {
    terms: Assignment,
    reading: Option<Reading>,
    lanes: HashMap<LaneId, Lane>,
    tasks: HashMap<TaskId, Stage>,
}

impl Checker {
    pub(super) fn new(terms: Assignment) -> Checker {
        Checker { terms, reading: None, lanes: HashMap::new(), tasks: HashMap::new() }
    }

    /// The program was given a task.
    pub(super) fn hand_out(&mut self, task: TaskId) {
        self.tasks.insert(task, Stage::Handed);
    }

    /// Whether it listens to this program in another process.
    pub(super) fn hears_its_own(&self) -> bool {
        self.terms.teller == Teller::Own
    }

    /// The tasks that it has and that have not ended, with their bytes where it has started them.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (TaskId, Option<u64>)> {
        self.tasks.iter().filter_map(|(task, stage)| match stage {
            Stage::Handed => Some((*task, None)),
            Stage::Active(active) => Some((*task, Some(active.bytes))),
            Stage::Over => None,
        })
    }

    /// The task that has been in progress for the longest, and for how long it has at the machine's moment `now`.
    pub(super) fn oldest(&self, now: u64) -> Option<(TaskId, Duration)> {
        let active = self.tasks.iter().filter_map(|(task, stage)| match stage {
            Stage::Active(active) => Some((active.since, *task)),
            Stage::Handed | Stage::Over => None,
        });
        active.min().map(|(since, task)| (task, Duration::from_nanos(now.saturating_sub(since))))
    }

    /// Whether it said that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.reading.is_some()
    }

    /// Takes in a line, without its end, that arrived at the machine's moment `now`.
    ///
    /// # Errors
    /// What is wrong with it. Nothing that follows would make sense.
    pub(super) fn hear(&mut self, line: &[u8], now: u64) -> Result<Heard, Fault> {
        self.check(line, now).map_err(|breach| Fault::new(breach, line))
    }

    fn check(&mut self, line: &[u8], now: u64) -> Result<Heard, Breach> {
        if line.len() > LONGEST_LINE {
            return Err(Breach::TooLong);
        }
        let line = std::str::from_utf8(line).map_err(|_| Breach::NotUtf8)?;
        let Some(reading) = self.reading else {
            let FromProgram::Ready { protocol, machine_nanos, .. } =
                serde_json::from_str(line).map_err(|error| no_message(&error))?;
            if protocol != PROTOCOL {
                return Err(Breach::Edition(protocol));
            }
            self.reading = Some(Reading::of(self.terms.asked, machine_nanos, now));
            return Ok(Heard::Ready);
        };
        let event: Event = serde_json::from_str(line).map_err(|error| no_message(&error))?;
        let theirs = event.at.0;
        let (run, place) = place(&event.fact).ok_or(Breach::NotIts)?;
        if run != self.terms.run {
            return Err(Breach::Run { run: self.terms.run, told: run });
        }
        let at = self.moment(theirs, reading, now)?;
        let fact = match place {
            Place::Lane(lane) => self.open(lane, theirs, event.fact, reading)?,
            Place::Task(task) => self.task(task, theirs, at, now, event.fact)?,
        };
        Ok(Heard::Event(Event { at: At(at.saturating_sub(self.terms.zero)), fact }))
    }

    /// The machine's moment of a program's. What the clocks may differ by is forgiven, and never drawn.
    fn moment(&self, theirs: u64, reading: Reading, now: u64) -> Result<u64, Breach> {
        let ours = i128::from(theirs) + reading.offset;
        let error = i128::from(reading.error);
        let (earliest, latest) = (i128::from(self.terms.asked), i128::from(now));
        if ours < earliest - error {
            Err(Breach::TooEarly)
        } else if ours > latest + error {
            Err(Breach::Future)
        } else {
            Ok(u64::try_from(ours.max(earliest).min(latest)).unwrap_or(now))
        }
    }

    fn open(&mut self, lane: LaneId, theirs: u64, fact: Fact, reading: Reading) -> Result<Fact, Breach> {
        let (first, lanes) = self.terms.lanes;
        let last = (first.index() + lanes).saturating_sub(1);
        if lane < first || lane.index() > last {
            return Err(Breach::NoLane { last });
        }
        let Fact::LaneOpened { run, worker, .. } = fact else { return Err(Breach::NotIts) };
        let Worker::Process { pid, name, thread_id } = *worker else { return Err(Breach::WorkerKind) };
        match self.lanes.entry(lane) {
            Entry::Occupied(_) => return Err(Breach::LaneTwice(lane)),
            Entry::Vacant(free) => drop(free.insert(Lane { last: theirs, busy: None })),
        }
        let mut name = text::fit(&name, LONGEST_NAME);
        if reading.error > 0 {
            name = format!("{name} (clock ±{:.1} ms)", reading.error as f64 / 1e6);
        }
        let worker = Box::new(Worker::Process { pid, name, thread_id });
        Ok(Fact::LaneOpened { run, lane, worker })
    }

    fn task(&mut self, task: TaskId, theirs: u64, at: u64, now: u64, fact: Fact) -> Result<Fact, Breach> {
        let stage = self.tasks.get_mut(&task).ok_or(Breach::NotHandedOut(task))?;
        if let Fact::TaskStarted { lane, .. } = fact {
            match stage {
                Stage::Handed => {}
                Stage::Active(_) => return Err(Breach::StartedTwice(task)),
                Stage::Over => return Err(Breach::Over(task)),
            }
            let row = self.lanes.get_mut(&lane).ok_or(Breach::LaneNotOpened(lane))?;
            if let Some(task) = row.busy {
                return Err(Breach::LaneBusy { lane, task });
            }
            row.go_on(lane, theirs)?;
            row.busy = Some(task);
            *stage = Stage::Active(Active { lane, since: at, events: 0, attempts: 0, bytes: 0 });
            return Ok(fact);
        }
        let active = match stage {
            Stage::Handed => return Err(Breach::NotStarted(task)),
            Stage::Active(active) => active,
            Stage::Over => return Err(Breach::Over(task)),
        };
        let lane = active.lane;
        let row = self.lanes.get_mut(&lane).ok_or(Breach::LaneNotOpened(lane))?;
        row.go_on(lane, theirs)?;
        active.events += 1;
        let seconds = now.saturating_sub(active.since) / 1_000_000_000;
        if active.events > EVENTS_AT_ONCE.saturating_add(EVENTS_A_SECOND.saturating_mul(seconds)) {
            return Err(Breach::Flood(task));
        }
        match &fact {
            Fact::PhaseEntered { phase: Phase::Queued, .. } => return Err(Breach::Queued(task)),
            Fact::AttemptStarted { number, .. } => {
                let expected = active.attempts.saturating_add(1);
                if *number != expected {
                    return Err(Breach::Attempt { expected });
                }
                (active.attempts, active.bytes) = (expected, 0);
            }
            Fact::BytesArrived { bytes, .. } => {
                if *bytes < active.bytes {
                    return Err(Breach::BytesFall { task, from: active.bytes, to: *bytes });
                }
                self.terms.hold(task, *bytes)?;
                active.bytes = *bytes;
            }
            Fact::TaskFinished { end, .. } => {
                self.terms.hold(task, end.bytes)?;
                let told = matches!(end.outcome, Outcome::Done | Outcome::Failed(_));
                if self.terms.teller == Teller::Foreign && !told {
                    return Err(Breach::Outcome);
                }
                row.busy = None;
                *stage = Stage::Over;
            }
            _ => {}
        }
        Ok(bounded(fact))
    }
}

impl Lane {
    fn go_on(&mut self, lane: LaneId, theirs: u64) -> Result<(), Breach> {
        if theirs < self.last {
            return Err(Breach::TimeBack(lane));
        }
        self.last = theirs;
        Ok(())
    }
}

fn no_message(error: &serde_json::Error) -> Breach {
    Breach::NoMessage(text::fit(&error.to_string(), SHOWN))
}

/// Whose event it is.
enum Place {
    Lane(LaneId),
    Task(TaskId),
}

/// The run and the place of an event that a program may tell.
fn place(fact: &Fact) -> Option<(RunId, Place)> {
    match *fact {
        Fact::LaneOpened { run, lane, .. } => Some((run, Place::Lane(lane))),
        Fact::TaskStarted { run, task, .. }
        | Fact::PhaseEntered { run, task, .. }
        | Fact::AttemptStarted { run, task, .. }
        | Fact::AttemptFailed { run, task, .. }
        | Fact::ResponseArrived { run, task, .. }
        | Fact::BodyArrived { run, task, .. }
        | Fact::BytesArrived { run, task, .. }
        | Fact::TaskFinished { run, task, .. } => Some((run, Place::Task(task))),
        _ => None,
    }
}

/// The fact with everything cut that a program might make endless.
fn bounded(fact: Fact) -> Fact {
    let error = |error: TaskError| TaskError::new(error.kind, error.message);
    match fact {
        Fact::AttemptFailed { run, task, error: told } => {
            Fact::AttemptFailed { run, task, error: Box::new(error(*told)) }
        }
        Fact::ResponseArrived { run, task, head } => {
            let (mut head, mut kept) = (Arc::unwrap_or_clone(head), 0_usize);
            let fits = |(name, value): &(&str, &str)| {
                kept += name.len() + value.len();
                kept <= LONGEST_TEXT
            };
            head.headers = head.headers.iter().take_while(fits).collect();
            head.version = cut(&head.version, LONGEST_NAME).into();
            head.remote = head.remote.map(|remote| cut(&remote, LONGEST_RESULT));
            head.redirected_to = head.redirected_to.map(|url| cut(&url, LONGEST_TEXT));
            Fact::ResponseArrived { run, task, head: Arc::new(head) }
        }
        Fact::BodyArrived { run, task, text } => {
            Fact::BodyArrived { run, task, text: cut(&text, LONGEST_TEXT).into() }
        }
        Fact::TaskFinished { run, task, mut end } => {
            end.outcome = match end.outcome {
                Outcome::Failed(told) => Outcome::Failed(error(told)),
                Outcome::Panicked { message } => Outcome::Panicked { message: cut(&message, LONGEST_TEXT) },
                other => other,
            };
            end.result = end.result.map(|result| cut(&result, LONGEST_RESULT));
            Fact::TaskFinished { run, task, end }
        }
        other => other,
    }
}

/// The text's first `characters` at most.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ASKED: u64 = 1_000_000;
    const NOW: u64 = 9_000_000;
    const READY: &str = r#"{"message":"ready","protocol":1,"machine_nanos":2000000,"name":"test"}"#;

    /// The largest body.
    const MOST: u64 = 1 << 40;

    fn checker() -> Checker {
        let mut checker = Checker::new(Assignment {
            run: RunId(0),
            teller: Teller::Foreign,
            lanes: (LaneId(0), 2),
            max_bytes: MOST,
            asked: ASKED,
            zero: 500_000,
        });
        (0..3).for_each(|task| checker.hand_out(TaskId(task)));
        checker
    }

    fn ready() -> Checker {
        let mut checker = checker();
        assert_eq!(checker.hear(READY.as_bytes(), 3_000_000), Ok(Heard::Ready));
        checker
    }

    fn line(at: u64, event: &str, more: Value) -> String {
        let mut line = json!({"at": at, "event": event, "run": 0, "unknown": [1, 2]});
        let object = line.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        line.to_string()
    }

    fn lane(at: u64, lane: u32) -> String {
        line(at, "lane_opened", json!({"lane": lane, "worker": {"kind": "process", "pid": 1, "name": "w"}}))
    }

    fn started(at: u64, task: u32, lane: u32) -> String {
        line(at, "task_started", json!({"task": task, "lane": lane}))
    }

    fn finished(at: u64, task: u32) -> String {
        let end = json!({"outcome": "done", "bytes": 1, "write_nanos": 0, "check": "nothing", "result": "r"});
        line(at, "task_finished", json!({"task": task, "end": end}))
    }

    fn phase(at: u64, task: u32) -> String {
        line(at, "phase_entered", json!({"task": task, "phase": "waiting"}))
    }

    fn bytes(at: u64, task: u32, bytes: u64) -> String {
        line(at, "bytes_arrived", json!({"task": task, "bytes": bytes}))
    }

    /// What is found in the last of the lines; all before it are fine.
    fn breach(lines: &[String]) -> Breach {
        let mut checker = ready();
        let (last, before) = lines.split_last().unwrap();
        for line in before {
            checker.hear(line.as_bytes(), NOW).unwrap();
        }
        let fault = checker.hear(last.as_bytes(), NOW).unwrap_err();
        assert!(last.starts_with(fault.line.trim_end_matches('…')), "{fault}");
        fault.breach
    }

    const T: u64 = 4_000_000;

    #[test]
    fn what_is_in_order_passes_with_the_races_time() {
        let mut checker = ready();
        let all = [
            lane(T, 0),
            lane(T + 1, 1),
            started(T + 1, 1, 0),
            started(T + 1, 0, 1),
            phase(T + 2, 1),
            line(T + 2, "attempt_started", json!({"task": 1, "number": 1})),
            bytes(T + 3, 1, 5),
            line(T + 3, "attempt_started", json!({"task": 1, "number": 2})),
            bytes(T + 3, 1, 3),
            finished(T + 4, 1),
            started(T + 4, 2, 0),
        ];
        for text in &all {
            let Heard::Event(heard) = checker.hear(text.as_bytes(), NOW).unwrap() else { panic!("{text}") };
            let told: Event = serde_json::from_str(text).unwrap();
            assert_eq!((heard.at.0, heard.fact), (told.at.0 - 500_000, told.fact));
        }
        let mut left: Vec<_> = checker.unfinished().collect();
        left.sort();
        assert_eq!(left, [(TaskId(0), Some(0)), (TaskId(2), Some(0))]);
    }

    #[test]
    fn every_lie_is_found() {
        let open = lane(T, 0);
        let start = started(T, 0, 0);
        let cases: Vec<(Vec<String>, Breach)> = vec![
            (vec![lane(T, 2)], Breach::NoLane { last: 1 }),
            (vec![open.clone(), lane(T, 0)], Breach::LaneTwice(LaneId(0))),
            (vec![start.clone()], Breach::LaneNotOpened(LaneId(0))),
            (vec![open.clone(), started(T, 9, 0)], Breach::NotHandedOut(TaskId(9))),
            (vec![open.clone(), start.clone(), started(T, 0, 0)], Breach::StartedTwice(TaskId(0))),
            (
                vec![open.clone(), start.clone(), started(T, 1, 0)],
                Breach::LaneBusy { lane: LaneId(0), task: TaskId(0) },
            ),
            (vec![open.clone(), phase(T, 0)], Breach::NotStarted(TaskId(0))),
            (vec![open.clone(), finished(T, 0)], Breach::NotStarted(TaskId(0))),
            (vec![open.clone(), start.clone(), finished(T, 0), finished(T, 0)], Breach::Over(TaskId(0))),
            (vec![open.clone(), start.clone(), finished(T, 0), started(T, 0, 0)], Breach::Over(TaskId(0))),
            (vec![open.clone(), start.clone(), phase(T - 1, 0)], Breach::TimeBack(LaneId(0))),
            (vec![open.clone(), started(T - 1, 0, 0)], Breach::TimeBack(LaneId(0))),
            (vec![lane(NOW + 1, 0)], Breach::Future),
            (vec![lane(u64::MAX, 0)], Breach::Future),
            (vec![lane(ASKED - 1, 0)], Breach::TooEarly),
            (
                vec![open.clone(), start.clone(), bytes(T, 0, 5), bytes(T, 0, 4)],
                Breach::BytesFall { task: TaskId(0), from: 5, to: 4 },
            ),
            (
                vec![
                    open.clone(),
                    start.clone(),
                    line(T, "attempt_started", json!({"task": 0, "number": 2})),
                ],
                Breach::Attempt { expected: 1 },
            ),
            (
                vec![
                    open.clone(),
                    start.clone(),
                    line(T, "phase_entered", json!({"task": 0, "phase": "queued"})),
                ],
                Breach::Queued(TaskId(0)),
            ),
            (vec![line(T, "task_queued", json!({"task": 0}))], Breach::NotIts),
            (vec![line(T, "run_finished", json!({"end": {"end": "completed"}}))], Breach::NotIts),
            (vec![line(T, "race_finished", json!({}))], Breach::NotIts),
            (
                vec![line(T, "lane_opened", json!({"lane": 0, "worker": {"kind": "thread", "name": "w"}}))],
                Breach::WorkerKind,
            ),
            (
                vec![started(T, 0, 0).replace("\"run\":0", "\"run\":3")],
                Breach::Run { run: RunId(0), told: RunId(3) },
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(breach(&lines), expected, "{lines:?}");
        }
        for rubbish in ["", "hello", "{}", "[]", READY, r#"{"at":-1,"event":"race_finished"}"#] {
            assert!(matches!(breach(&[rubbish.to_owned()]), Breach::NoMessage(_)), "{rubbish}");
        }
    }

    #[test]
    fn the_first_word_is_ready() {
        let mut first = checker();
        let fault = first.hear(lane(T, 0).as_bytes(), NOW).unwrap_err();
        assert!(matches!(fault.breach, Breach::NoMessage(_)), "{fault}");
        let other = READY.replace("\"protocol\":1", "\"protocol\":2");
        assert_eq!(checker().hear(other.as_bytes(), NOW).unwrap_err().breach, Breach::Edition(2));
    }

    #[test]
    fn lines_that_are_no_text_or_endless_are_found() {
        assert_eq!(ready().hear(b"\xff\xfe", NOW).unwrap_err().breach, Breach::NotUtf8);
        let fault = ready().hear(&vec![b'x'; LONGEST_LINE + 1], NOW).unwrap_err();
        assert_eq!(fault.breach, Breach::TooLong);
        assert!(text::width(&fault.line) <= SHOWN);
        let fault = ready().hear(b"\x1b[2J\xe2\x80\xae", NOW).unwrap_err();
        assert_eq!(fault.line, "\\u{1b}[2J\\u{202e}");
    }

    #[test]
    fn more_bytes_than_a_task_may_have_are_a_breach() {
        let mut checker = ready();
        checker.hear(lane(T, 0).as_bytes(), NOW).unwrap();
        checker.hear(started(T, 0, 0).as_bytes(), NOW).unwrap();
        checker.hear(bytes(T, 0, MOST).as_bytes(), NOW).unwrap();
        let fault = checker.hear(bytes(T, 0, MOST + 1).as_bytes(), NOW).unwrap_err();
        assert_eq!(fault.breach, Breach::TooLarge { task: TaskId(0), bytes: MOST + 1, most: MOST });
    }

    #[test]
    fn a_task_is_as_old_as_the_time_since_its_start() {
        let mut checker = ready();
        assert_eq!(checker.oldest(NOW), None);
        checker.hear(lane(T, 0).as_bytes(), NOW).unwrap();
        checker.hear(started(T, 0, 0).as_bytes(), NOW).unwrap();
        assert_eq!(checker.oldest(T + 5), Some((TaskId(0), Duration::from_nanos(5))));
    }

    #[test]
    fn a_flood_is_told_from_a_long_task() {
        let mut checker = ready();
        checker.hear(lane(T, 0).as_bytes(), NOW).unwrap();
        checker.hear(started(T, 0, 0).as_bytes(), NOW).unwrap();
        for number in 0..EVENTS_AT_ONCE {
            checker.hear(bytes(T, 0, number).as_bytes(), NOW).unwrap();
        }
        // A second later there is room for a few more.
        let later = NOW + 1_000_000_000;
        for number in 0..EVENTS_A_SECOND {
            checker.hear(bytes(later, 0, EVENTS_AT_ONCE + number).as_bytes(), later).unwrap();
        }
        let fault = checker.hear(bytes(later, 0, u64::MAX).as_bytes(), later).unwrap_err();
        assert_eq!(fault.breach, Breach::Flood(TaskId(0)));
    }

    #[test]
    fn another_clock_is_translated_and_its_error_is_told() {
        for theirs in [50_u64, 77_000_000_000] {
            let mut checker = checker();
            let ready = READY.replace("2000000", &theirs.to_string());
            checker.hear(ready.as_bytes(), 3_000_000).unwrap();
            // The middle of the bracket is 2 ms, and the error 1 ms.
            let at = |ours: u64| theirs + ours - 2_000_000;
            let heard = checker.hear(lane(at(T), 0).as_bytes(), NOW).unwrap();
            let Heard::Event(Event { at: moment, fact: Fact::LaneOpened { worker, .. } }) = heard else {
                panic!("no lane")
            };
            assert_eq!(moment, At(T - 500_000));
            assert!(matches!(*worker, Worker::Process { name, .. } if name == "w (clock ±1.0 ms)"));
            // Within the error the future is forgiven, and never drawn.
            let heard = checker.hear(started(at(NOW + 900_000), 0, 0).as_bytes(), NOW).unwrap();
            assert!(matches!(heard, Heard::Event(Event { at, .. }) if at == At(NOW - 500_000)));
            let fault = checker.hear(phase(at(NOW + 1_000_001), 0).as_bytes(), NOW).unwrap_err();
            assert_eq!(fault.breach, Breach::Future);
        }
    }

    #[test]
    fn what_could_be_endless_is_cut() {
        let mut checker = ready();
        checker.hear(lane(T, 0).as_bytes(), NOW).unwrap();
        checker.hear(started(T, 0, 0).as_bytes(), NOW).unwrap();
        let end = json!({"outcome": "failed", "kind": "raised", "message": "é".repeat(5000), "bytes": 0,
            "write_nanos": 0, "check": "nothing", "result": "ü".repeat(5000)});
        let told = line(T, "task_finished", json!({"task": 0, "end": end}));
        let Heard::Event(Event { fact: Fact::TaskFinished { end, .. }, .. }) =
            checker.hear(told.as_bytes(), NOW).unwrap()
        else {
            panic!("no end")
        };
        let Outcome::Failed(error) = end.outcome else { panic!("not failed") };
        assert_eq!(error.message.chars().count(), TaskError::LONGEST_MESSAGE);
        assert_eq!(end.result.unwrap().chars().count(), LONGEST_RESULT);
    }

    /// Lines that are nearly right, in any order.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let small = 0_u32..4;
        let at = prop_oneof![T..T + 20, Just(0), Just(u64::MAX), any::<u64>()];
        prop_oneof![
            (at.clone(), small.clone()).prop_map(|(at, id)| lane(at, id).into_bytes()),
            (at.clone(), small.clone(), small.clone())
                .prop_map(|(at, task, lane)| started(at, task, lane).into_bytes()),
            (at.clone(), small.clone()).prop_map(|(at, task)| phase(at, task).into_bytes()),
            (at.clone(), small.clone()).prop_map(|(at, task)| finished(at, task).into_bytes()),
            (at, small, any::<u64>()).prop_map(|(at, task, told)| bytes(at, task, told).into_bytes()),
            prop::collection::vec(any::<u8>(), 0..60),
            ".{0,60}".prop_map(String::into_bytes),
            any::<u64>().prop_map(|nanos| READY.replace("2000000", &nanos.to_string()).into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic_and_what_passes_is_in_order(
            said in prop::collection::vec(lines(), 0..40),
            theirs in any::<u64>(),
        ) {
            let mut checker = checker();
            let first = READY.replace("2000000", &theirs.to_string());
            prop_assert_eq!(checker.hear(first.as_bytes(), 3_000_000), Ok(Heard::Ready));
            let mut on: HashMap<LaneId, TaskId> = HashMap::new();
            let mut seen: HashMap<LaneId, At> = HashMap::new();
            for line in said {
                let Ok(Heard::Event(event)) = checker.hear(&line, NOW) else { continue };
                prop_assert!((At(ASKED - 500_000)..=At(NOW - 500_000)).contains(&event.at));
                let lane = match event.fact {
                    Fact::LaneOpened { lane, .. } => {
                        prop_assert!(!seen.contains_key(&lane));
                        lane
                    }
                    Fact::TaskStarted { task, lane, .. } => {
                        prop_assert_eq!(on.insert(lane, task), None);
                        lane
                    }
                    Fact::TaskFinished { task, .. } => {
                        let lane = on.iter().find(|(_, on)| **on == task).map(|(lane, _)| *lane);
                        on.remove(&lane.unwrap());
                        lane.unwrap()
                    }
                    Fact::PhaseEntered { task, .. } | Fact::BytesArrived { task, .. } => {
                        let lane = on.iter().find(|(_, on)| **on == task).map(|(lane, _)| *lane);
                        lane.unwrap()
                    }
                    other => panic!("{other:?}"),
                };
                let before = seen.insert(lane, event.at);
                prop_assert!(before.is_none_or(|before| before <= event.at));
            }
        }
    }
}
