//! Tasks in other processes: starts the processes, hears what they say, and ends them.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use crate::clock::machine_nanos;
use crate::event::{
    Check, ErrorKind, Event, ExecutorKind, Fact, LaneId, Outcome, TaskEnd, TaskError, TaskId,
};
use crate::workload::WorkPlan;

use super::checker::{Assignment, Breach, Checker, Fault, Heard, Teller};
use super::child::{Child, Letter, Lines, Said};
use super::protocol::{Hello, OwnWork, PROTOCOL, ToProgram};
use super::{Job, Leftovers};

/// How often the members are looked at when none says anything.
const TICK: Duration = Duration::from_millis(50);

/// How many letters may lie unread.
const LETTERS: usize = 256;

/// How long members have to end by themselves when their run was cancelled, and when it is over.
const PARTING_EARLY: Duration = Duration::from_millis(300);
const PARTING: Duration = Duration::from_secs(1);

/// How long the last words of dead members may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why a crew stops before its tasks are done.
#[derive(Debug)]
pub(super) enum Stop {
    /// The run was cancelled.
    Cancelled,
    /// It can't go on; why, in words.
    Failed(String),
}

/// What the executor has to act on.
#[derive(Debug)]
pub(super) enum Turn {
    /// A member can take a task: it got ready, or one of its tasks ended.
    Free { member: usize, ended: bool },
    /// A member is dead; its fate, in words.
    Gone { member: Box<Member>, fate: String },
    /// Every task has ended.
    Over,
}

/// A process that does tasks.
#[derive(Debug)]
pub(super) struct Member {
    child: Child,
    checker: Checker,
    /// Its first lane.
    pub(super) lane: LaneId,
    /// What it is called when something is wrong with it.
    name: String,
    /// How long nothing was heard of it, while somebody listened.
    quiet: Duration,
}

/// The processes of one run.
pub(super) struct Crew<'a> {
    job: &'a Job,
    plan: Arc<WorkPlan>,
    post: SyncSender<Letter>,
    letters: Receiver<Letter>,
    members: BTreeMap<usize, Member>,
    /// How many members there ever were.
    hired: usize,
    /// By task, whether it has ended.
    over: Vec<bool>,
    left: usize,
    looked: Instant,
}

/// Queues the tasks of a run and does them with a crew, the way that `work` leads it.
pub(super) fn with_crew(job: &Job, work: impl FnOnce(&mut Crew<'_>) -> Result<(), Stop>) -> Leftovers {
    job.task_ids().for_each(|task| job.queued(task));
    let (post, letters) = mpsc::sync_channel(LETTERS);
    let (over, left, looked) = (vec![false; job.tasks], job.tasks, Instant::now());
    let Some(plan) = job.workload.plan() else {
        let message = "this work can't be done in another process".to_owned();
        job.task_ids().for_each(|task| job.task_ended_unstarted(task, failed(&message)));
        return Leftovers::broken_off(message);
    };
    let mut crew = Crew {
        job,
        plan: Arc::new(plan),
        post,
        letters,
        members: BTreeMap::new(),
        hired: 0,
        over,
        left,
        looked,
    };
    match work(&mut crew) {
        Ok(()) => {
            let members = crew.members;
            Leftovers::taken_apart_by(move || end_all(members.into_values(), PARTING))
        }
        Err(Stop::Cancelled) => {
            crew.stop(PARTING_EARLY, &Outcome::Cancelled);
            Leftovers::of(())
        }
        Err(Stop::Failed(message)) => {
            crew.stop(Duration::ZERO, &failed(&message));
            Leftovers::broken_off(message)
        }
    }
}

/// The outcome of a task whose process is gone.
pub(super) fn failed(message: &str) -> Outcome {
    Outcome::Failed(TaskError::new(ErrorKind::Worker, message))
}

fn end_all(members: impl Iterator<Item = Member>, grace: Duration) {
    let mut members: Vec<Member> = members.collect();
    members.iter_mut().for_each(|member| member.child.close());
    let deadline = Instant::now() + grace;
    members.iter_mut().for_each(|member| member.child.end_by(deadline));
}

impl Crew<'_> {
    /// Starts one more member, which may open so many lanes from `lane` on; `name` is for blame.
    pub(super) fn hire(
        &mut self,
        command: &mut Command,
        name: String,
        lanes: (LaneId, usize),
        own: Option<String>,
    ) -> Result<usize, Stop> {
        let asked = machine_nanos();
        let hello = Hello {
            protocol: PROTOCOL,
            run: self.job.run,
            workers: lanes.1,
            tasks: self.job.tasks,
            workload: self.plan.kind(),
            machine_nanos: asked,
            max_bytes: self.plan.limits().map(|limits| limits.max_bytes),
            timeout_seconds: self.plan.limits().map(|limits| limits.deadline.as_secs_f64()),
            work: own.map(|name| OwnWork { lane: lanes.0, name, plan: self.plan.clone() }),
        };
        let untold = |why: &str| {
            Stop::Failed(format!("{name} can't be told its work ({why}); is the output folder's name UTF-8?"))
        };
        if !self.plan.can_be_told() {
            return Err(untold("a path is no text"));
        }
        let hello = ToProgram::Hello(Box::new(hello)).line().map_err(|error| untold(&error.to_string()))?;
        let from = self.hired;
        let child = Child::spawn(command, from, self.post.clone())
            .map_err(|error| Stop::Failed(format!("{name} can't be started: {error}")))?;
        child.tell(Box::new(std::iter::once(hello)));
        let zero = self.job.emitter.zero();
        let max_bytes = self.plan.limits().map_or(u64::MAX, |limits| limits.max_bytes);
        let teller = match self.job.executor {
            ExecutorKind::Processes => Teller::Own,
            _ => Teller::Foreign,
        };
        let run = self.job.run;
        let checker = Checker::new(Assignment { run, teller, lanes, max_bytes, asked, zero });
        let member = Member { child, checker, lane: lanes.0, name, quiet: Duration::ZERO };
        self.members.insert(from, member);
        self.hired += 1;
        Ok(from)
    }

    /// Gives tasks to a member.
    pub(super) fn give(
        &mut self,
        member: usize,
        tasks: impl Iterator<Item = TaskId> + Send + Clone + 'static,
    ) {
        let Some(member) = self.members.get_mut(&member) else { return };
        tasks.clone().for_each(|task| member.checker.hand_out(task));
        member.quiet = Duration::ZERO;
        let plan = self.plan.clone();
        let own = self.job.executor == ExecutorKind::Processes;
        let line = move |task| {
            let about = if own { serde_json::Map::new() } else { plan.about(task) };
            ToProgram::Task { task, about }.line().ok()
        };
        let lines: Lines = Box::new(tasks.filter_map(line));
        member.child.tell(lines);
    }

    /// Waits for the next thing to act on.
    pub(super) fn next(&mut self) -> Result<Turn, Stop> {
        loop {
            if self.left == 0 {
                return Ok(Turn::Over);
            }
            if self.job.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            match self.letters.recv_timeout(TICK) {
                Ok(letter) => {
                    if let Some(turn) = self.open(letter)? {
                        return Ok(turn);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.look()?;
        }
    }

    /// Looks whether a member has been silent for too long.
    fn look(&mut self) -> Result<(), Stop> {
        let since = self.looked.elapsed();
        if since < TICK {
            return Ok(());
        }
        self.looked = Instant::now();
        let patience = self.job.patience;
        for member in self.members.values_mut() {
            // When this program did not run either, the time was nobody's silence.
            member.quiet += since.min(4 * TICK);
            let name = &member.name;
            if !member.checker.is_ready() && member.quiet > patience.ready {
                let words = format!("{name} was not ready after {} s", patience.ready.as_secs_f64());
                return Err(Stop::Failed(member.with_last_words(words)));
            }
            if member.quiet > patience.silent && member.checker.unfinished().next().is_some() {
                let words =
                    format!("{name} has tasks, and said nothing for {} s", patience.silent.as_secs_f64());
                return Err(Stop::Failed(member.with_last_words(words)));
            }
            if let Some((task, took)) = member.checker.oldest(machine_nanos())
                && took > patience.silent
            {
                let words = format!(
                    "{name} goes on with task {} beyond its time, after {:.0} s",
                    task.0,
                    took.as_secs_f64()
                );
                return Err(Stop::Failed(member.with_last_words(words)));
            }
        }
        Ok(())
    }

    fn open(&mut self, letter: Letter) -> Result<Option<Turn>, Stop> {
        let Letter { from, at, said } = letter;
        let Some(member) = self.members.get_mut(&from) else { return Ok(None) };
        member.quiet = Duration::ZERO;
        let heard = match said {
            Said::Line(line) => member.checker.hear(&line, at),
            Said::Endless(line) => Err(Fault::new(Breach::TooLong, &line)),
            Said::End => {
                let Some(mut member) = self.members.remove(&from) else { return Ok(None) };
                member.child.end_by(Instant::now() + PARTING_EARLY);
                let fate = format!("{} was lost: {}", member.name, member.child.fate());
                return Ok(Some(Turn::Gone { member: Box::new(member), fate }));
            }
        };
        match heard {
            Ok(Heard::Ready) => Ok(Some(Turn::Free { member: from, ended: false })),
            Ok(Heard::Event(event)) => {
                let ended = matches!(event.fact, Fact::TaskFinished { .. });
                self.pass_on(event);
                Ok(ended.then_some(Turn::Free { member: from, ended }))
            }
            Err(fault) => {
                let words = format!("{} does not keep to the protocol: {fault}", member.name);
                Err(Stop::Failed(member.with_last_words(words)))
            }
        }
    }

    /// Tells an event that was found to be in order.
    fn pass_on(&mut self, event: Event) {
        let Event { at, mut fact } = event;
        if let Fact::TaskFinished { task, end, .. } = &mut fact {
            let workload = &self.job.workload;
            if end.outcome == Outcome::Done
                && let Err(error) = workload.done_elsewhere(*task, end.bytes)
            {
                end.outcome = Outcome::Failed(error);
            }
            // A disk that is full is full for all.
            if matches!(&end.outcome, Outcome::Failed(error) if error.kind == ErrorKind::DiskFull) {
                self.job.cancel.cancel();
            }
            self.ended(*task);
        }
        self.job.emitter.emit_at(at, fact);
    }

    /// Takes note that a task has ended; says whether it had not before.
    fn ended(&mut self, task: TaskId) -> bool {
        let first = self.over.get_mut(task.index()).is_some_and(|over| !std::mem::replace(over, true));
        self.left -= usize::from(first);
        first
    }

    /// Ends the tasks that a dead member had.
    pub(super) fn give_up(&mut self, member: &Member, outcome: &Outcome) {
        for (task, bytes) in member.checker.unfinished() {
            // One that has a task at a time may have begun it without having said so yet.
            if bytes.is_some() || member.checker.hears_its_own() {
                self.job.workload.lost_elsewhere(task, bytes.unwrap_or(0));
            }
            self.lose(task, bytes.unwrap_or(0), outcome);
        }
    }

    /// Ends a task that no process works on any more.
    fn lose(&mut self, task: TaskId, bytes: u64, outcome: &Outcome) {
        if !self.ended(task) {
            return;
        }
        let end =
            TaskEnd { outcome: outcome.clone(), bytes, write_nanos: 0, check: Check::Nothing, result: None };
        self.job.task_ended_at(self.job.emitter.now(), task, end);
    }

    /// Ends all members and the tasks that are left.
    fn stop(mut self, grace: Duration, outcome: &Outcome) {
        self.members.values_mut().for_each(|member| member.child.close());
        let deadline = Instant::now() + grace;
        self.members.values_mut().for_each(|member| member.child.end_by(deadline));
        self.hear_last_words();
        for member in std::mem::take(&mut self.members).into_values() {
            self.give_up(&member, outcome);
        }
        for task in self.job.task_ids() {
            self.lose(task, 0, outcome);
        }
    }

    /// Takes in what dead members said before: a task that was done is done.
    fn hear_last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        let mut talking = self.members.len();
        while talking > 0 {
            let Ok(letter) = self.letters.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            else {
                return;
            };
            let Some(member) = self.members.get_mut(&letter.from) else { continue };
            match letter.said {
                Said::Line(line) => {
                    if let Ok(Heard::Event(event)) = member.checker.hear(&line, letter.at) {
                        self.pass_on(event);
                    }
                }
                Said::Endless(_) | Said::End => talking -= 1,
            }
        }
    }
}

impl Member {
    fn with_last_words(&self, words: String) -> String {
        match self.child.last_words() {
            Some(last) => format!("{words} (it wrote: {last})"),
            None => words,
        }
    }
}
