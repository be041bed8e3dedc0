//! A race in figures: one row per run.

use std::fmt;
use std::time::Duration;

use super::critical::CriticalPath;
use super::groups::{self, Group, REPEAT_DEFINITIONS};
use super::scaling::{SCALING_DEFINITIONS, Scaling};
use super::utilisation::{Use, Utilisation};
use super::words::{bytes_apart, count, seconds};
use crate::event::{
    At, ExecutorKind, Order, Phase, Round, RunEnd, RunId, TaskId, Usage, Variant, WorkloadKind,
};
use crate::model::{Counter, Counts, Hue, Mix, RaceState, RunState, RunStatus, Stage};
use crate::stats::{self, Latencies};
use crate::text::shown;

/// What each figure means, a line each: shown on screen and in reports.
pub const DEFINITIONS: &[(&str, &str)] = &[
    ("wall", "time from the moment the executor was given the tasks until the last of them had ended"),
    (
        "speedup",
        "wall time of the sequential run ÷ wall time of this run; both must have done every task, right",
    ),
    (
        "improvement",
        "how much of the sequential wall time T1 was saved: (T1 - Tn) ÷ T1; 95 % is the same as 20×",
    ),
    ("efficiency", "speedup ÷ workers; a speedup as large as the number of workers is ideal, that is 100 %"),
    ("latency", "time of a task that was done, from when a worker took it up until its end; no queueing"),
    ("mean, max", "the sum of the latencies ÷ their number; the longest of them"),
    ("p50, p95", "half of the tasks, and 95 of 100, were done within this latency, by nearest rank"),
    ("tasks/s", "tasks done ÷ wall time"),
    ("throughput", "bytes of complete bodies ÷ wall time"),
    ("peak concurrency", "the most tasks that were ever in progress at one moment"),
    (
        "cpu time",
        "processor time of the run's own threads and child processes; not the dashboard's or the origin's",
    ),
    (
        "user, system",
        "cpu time in the programs' own code, and in the system for them; sampled, so told from 0.1 s on",
    ),
    ("processors", "cpu time ÷ wall time: how many processors the run kept busy on average"),
    (
        "memory",
        "the most that this whole program, origin and dashboard too, and its children had in use at once",
    ),
    (
        "waiting … idle",
        "shares of all workers' time from the run's start to its end; together they are 100 %",
    ),
    ("waiting", "connecting, and waiting for the server's first byte"),
    ("reading", "of files and rows: opening, reading and comparing them; formats for programs say waiting"),
    ("receiving", "from a body's first byte to its last; writing what has come to the file is part of it"),
    ("writing", "what is left then: checking the body and naming its file; writing files or rows themselves"),
    (
        "computing",
        "in the task's own code; waiting for a processor, or for Python's lock there, is part of it",
    ),
    (
        "locked",
        "waiting for a lock; a counter's short waits count as computing; its tasks' results may sum them up",
    ),
    ("by turns", "a task computes and waits for a lock in turns that are shorter than a column of a lane"),
    ("sleeping", "waiting for a time to pass, without a processor"),
    ("backing off", "waiting before a failed attempt is repeated"),
    ("idle", "a worker had no task"),
    (
        "critical path",
        "the tasks and waits that set the wall time, back from its end: each let the next begin as it ended",
    ),
    (
        "a dash",
        "no figure: not over yet, nothing to compare with, not told by the system, or shared between runs",
    ),
    (
        "not done",
        "tasks that failed, panicked, were cancelled or abandoned; a run with any of them claims no speedup",
    ),
    (
        "so far, ×…",
        "the time after which the sequential run had as many tasks done ÷ the time this run took for them",
    ),
];

/// What every report of a race says whose runs ran at once.
pub const SHARED: &str =
    "The runs ran at once and shared the network and the processors: a show, not a measurement.";

/// The most tasks of which it is told in which order they ended.
pub const ORDER_TOLD: usize = 10;

/// Why a run's wall time can't be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its turn has not come.
    NotStarted,
    /// It is not over.
    UnderWay,
    /// Somebody cancelled it.
    Cancelled {
        /// How many tasks were done by then.
        done: u32,
        /// How many there are.
        tasks: usize,
    },
    /// The executor could not go on.
    Broken {
        /// Why; foreign text.
        message: String,
    },
    /// The program did not run for a while in its middle.
    Interrupted {
        /// How long.
        long: Duration,
    },
    /// It did every task, and brought more or less than the run that it is measured against.
    OtherBytes {
        /// What its tasks brought, in bytes.
        brought: u64,
        /// What the tasks of the other run brought.
        other: u64,
    },
    /// It did every task, and its shared counter does not show what it must.
    WrongSum(Counter),
    /// It is over, and did not do every task.
    Incomplete {
        /// How its tasks ended.
        counts: Counts,
        /// How many there are.
        tasks: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotStarted => f.write_str("not started"),
            Reason::UnderWay => f.write_str("not over"),
            Reason::Interrupted { long } => {
                write!(f, "this program was stopped for {} in its middle", seconds(*long))
            }
            Reason::OtherBytes { brought, other } => {
                let [brought, other] = bytes_apart(*brought, *other);
                write!(
                    f,
                    "its tasks brought {brought}, those of the sequential run {other}: not the same work"
                )
            }
            Reason::WrongSum(Counter { expected, actual }) => {
                write!(f, "its counter shows {} of {}", count(*actual), count(*expected))
            }
            Reason::Cancelled { done, tasks } => write!(f, "cancelled with {done} of {tasks} tasks done"),
            Reason::Broken { message } => write!(f, "the executor stopped: {}", shown(message)),
            Reason::Incomplete { counts, tasks } => {
                let unfinished = tasks.saturating_sub(counts.over() as usize);
                let ends = [
                    (counts.failed as usize, "failed"),
                    (counts.panicked as usize, "panicked"),
                    (counts.cancelled as usize, "were cancelled"),
                    (counts.abandoned as usize, "were abandoned when the main thread ended"),
                    (unfinished, "never ended"),
                ];
                let mut first = true;
                for (count, end) in ends.into_iter().filter(|&(count, _)| count > 0) {
                    if first {
                        write!(f, "{count} of {tasks} tasks {end}")?;
                    } else {
                        write!(f, ", {count} {end}")?;
                    }
                    first = false;
                }
                Ok(())
            }
        }
    }
}

/// Processor time, by where it was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// In user mode.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

impl CpuTime {
    fn of(usage: Usage) -> Option<CpuTime> {
        let (user, system) = usage.user_nanos.zip(usage.system_nanos)?;
        Some(CpuTime { user: Duration::from_nanos(user), system: Duration::from_nanos(system) })
    }

    /// Both together.
    pub fn all(self) -> Duration {
        self.user.saturating_add(self.system)
    }
}

/// Whether a run's wall time can be compared with another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparable {
    /// It is over, did every task, uninterrupted, and added up right.
    Yes,
    /// It can't.
    No(Reason),
}

impl Comparable {
    fn of(run: &RunState, baseline: Option<&RunState>) -> Comparable {
        let (counts, tasks) = (run.counts(), run.tasks().len());
        let other = baseline.filter(|baseline| !run.brought_as_much_as(baseline));
        Comparable::No(match run.status() {
            _ if run.is_comparable() => match other {
                None => return Comparable::Yes,
                Some(other) => Reason::OtherBytes { brought: run.bytes(), other: other.bytes() },
            },
            RunStatus::Waiting => Reason::NotStarted,
            RunStatus::Running { .. } => Reason::UnderWay,
            RunStatus::Ended { end: RunEnd::Cancelled, .. } => Reason::Cancelled { done: counts.done, tasks },
            RunStatus::Ended { end: RunEnd::Failed { message }, .. } => {
                Reason::Broken { message: message.clone() }
            }
            RunStatus::Ended { end: RunEnd::Completed, .. } if run.did_everything() => {
                match run.wrong_sum() {
                    Some(counter) if run.interrupted().is_zero() => Reason::WrongSum(counter),
                    _ => Reason::Interrupted { long: run.interrupted() },
                }
            }
            RunStatus::Ended { end: RunEnd::Completed, .. } => Reason::Incomplete { counts, tasks },
        })
    }

    /// Whether its wall time is that of all its tasks, whatever came out of them.
    pub fn is_of_all_tasks(&self) -> bool {
        matches!(self, Comparable::Yes | Comparable::No(Reason::WrongSum(_)))
    }

    /// Why not, if not.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Comparable::Yes => None,
            Comparable::No(reason) => Some(reason),
        }
    }
}

/// What a run's tasks came to: for all that is summed up over tasks and lanes.
struct TaskSums {
    latency: Option<Latencies>,
    bytes: u64,
    phases: Mix,
    idle: Duration,
    critical: Option<CriticalPath>,
    finish_order: Vec<TaskId>,
}

impl TaskSums {
    /// One pass over the tasks, and one sort.
    fn of(run: &RunState, now: At) -> TaskSums {
        let mut latencies = Vec::with_capacity(run.counts().done as usize);
        let mut bytes = 0_u64;
        for task in run.tasks() {
            if task.stage == Stage::Done {
                latencies.extend(task.latency(now));
                bytes = bytes.saturating_add(task.bytes);
            }
        }
        let (mut phases, mut lanes) = (Mix::default(), 0_u64);
        for lane in run.lanes().iter().filter(|lane| lane.opened().is_some() || lane.tasks() > 0) {
            phases.add(&lane.total(now));
            lanes += 1;
        }
        let share = At::from_duration(run.elapsed(now).unwrap_or_default()).0.saturating_mul(lanes);
        TaskSums {
            latency: Latencies::of(latencies),
            bytes,
            idle: Duration::from_nanos(share.saturating_sub(phases.busy())),
            phases,
            critical: CriticalPath::of(run),
            finish_order: match run.tasks().len() <= ORDER_TOLD && run.wall().is_some() {
                true => run.finish_order(),
                false => Vec::new(),
            },
        }
    }

    fn in_summary(run: &RunSummary) -> TaskSums {
        TaskSums {
            latency: run.latency,
            bytes: run.bytes,
            phases: run.phases,
            idle: run.idle,
            critical: run.critical.clone(),
            finish_order: run.finish_order.clone(),
        }
    }
}

/// Those of runs that repeat each other whose wall times can be compared. None where any of them added up wrong: luck
/// in the others is no measure.
pub(super) fn comparable<'a>(
    runs: impl IntoIterator<Item = &'a RunSummary, IntoIter: Clone>,
) -> impl Iterator<Item = &'a RunSummary> {
    let runs = runs.into_iter();
    let wrong = runs.clone().any(|run| matches!(run.comparable.reason(), Some(Reason::WrongSum(_))));
    runs.filter(move |run| !wrong && run.comparable == Comparable::Yes)
}

/// One run in figures; see [`DEFINITIONS`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run's name within its round; in a recording, foreign text.
    pub label: String,
    /// Which time around it is.
    pub round: Round,
    /// The colour that tells it from the others of its round.
    pub hue: Hue,
    /// Who ran the tasks.
    pub executor: ExecutorKind,
    /// How many tasks it could have in progress at once.
    pub workers: u32,
    /// What it does differently from other runs of its executor.
    pub variant: Option<Variant>,
    /// Where the run is.
    pub status: RunStatus,
    /// Its wall time; none until it is over.
    pub wall: Option<Duration>,
    /// Against the first sequential run of the same round; none unless both are comparable.
    pub speedup: Option<f64>,
    /// The share of that sequential run's wall time that it saved; none where there is no speedup.
    pub improvement: Option<f64>,
    /// Speedup by worker, 1 is ideal; none where there is no speedup.
    pub efficiency: Option<f64>,
    /// Over the tasks that are done, from when a worker took them up until their end; none before one is.
    pub latency: Option<Latencies>,
    /// Bytes of complete bodies: those of tasks that are done.
    pub bytes: u64,
    /// Those bytes by second of wall time, or of the time so far while the run goes on.
    pub bytes_per_second: Option<f64>,
    /// Tasks done per second of wall time.
    pub tasks_per_second: Option<f64>,
    /// The most tasks that were ever in progress at one moment.
    pub peak_concurrency: u32,
    /// Processor time of its threads and of its child processes; none where that is not known.
    pub cpu: Option<CpuTime>,
    /// How many processors it kept busy on average; none where its processor time is not known.
    pub processors: Option<f64>,
    /// The most bytes that this program and its children had in memory at once; none where that is not known.
    pub peak_memory: Option<u64>,
    /// What its shared counter shows, where it has one.
    pub counter: Option<Counter>,
    /// How the tasks ended, and how many attempts beyond the first ones it took.
    pub counts: Counts,
    /// Time in each phase, over all lanes.
    pub phases: Mix,
    /// Time in which lanes had no task, over all lanes, from the run's start to its end (or to now).
    pub idle: Duration,
    /// What set its wall time; none until it is over.
    pub critical: Option<CriticalPath>,
    /// Its tasks in the order in which they ended; empty until it is over, and of more than [`ORDER_TOLD`].
    pub finish_order: Vec<TaskId>,
    /// Whether its wall time can be compared.
    pub comparable: Comparable,
}

impl RunSummary {
    /// The processor time, where there is enough of it to tell user mode from the kernel: most systems only
    /// look now and then, at clock ticks of 1 to 10 ms, where a program is, and share what they measured
    /// accordingly.
    pub fn cpu_told_apart(&self) -> Option<CpuTime> {
        const ENOUGH: Duration = Duration::from_millis(100);
        self.cpu.filter(|cpu| cpu.all() >= ENOUGH)
    }

    fn of(run: &RunState, baseline: Option<&RunState>, now: At, before: Option<&RunSummary>) -> RunSummary {
        let (plan, comparable) = (run.plan(), Comparable::of(run, baseline));
        let TaskSums { latency, bytes, phases, idle, critical, finish_order } = match before {
            Some(before) if before.has_the_tasks_of(run) => TaskSums::in_summary(before),
            _ => TaskSums::of(run, now),
        };
        let elapsed = run.elapsed(now).unwrap_or_default();
        let wall = run.wall();
        let against = baseline.and_then(RunState::wall).zip(wall).filter(|_| comparable == Comparable::Yes);
        let speedup = against.and_then(|(sequential, wall)| stats::speedup(sequential, wall));
        let improvement = against.and_then(|(sequential, wall)| stats::improvement(sequential, wall));
        let usage = run.usage().unwrap_or_default();
        let cpu = CpuTime::of(usage);
        RunSummary {
            label: plan.label.clone(),
            round: plan.round,
            hue: run.hue(),
            executor: plan.executor.clone(),
            workers: plan.workers,
            variant: plan.variant,
            status: run.status().clone(),
            wall,
            speedup,
            improvement: improvement.filter(|_| speedup.is_some()),
            efficiency: speedup.and_then(|speedup| stats::efficiency(speedup, plan.workers)),
            latency,
            bytes,
            bytes_per_second: stats::rate(bytes, elapsed),
            tasks_per_second: stats::rate(u64::from(run.counts().done), elapsed),
            peak_concurrency: run.in_progress().peak(),
            cpu,
            processors: cpu.zip(wall).and_then(|(cpu, wall)| stats::processors(cpu.all(), wall)),
            peak_memory: usage.peak_memory,
            counter: run.counter(),
            counts: run.counts(),
            phases,
            idle,
            critical,
            finish_order,
            comparable,
        }
    }

    /// Whether nothing can have become of the run's tasks since these figures: it was over by then.
    fn has_the_tasks_of(&self, run: &RunState) -> bool {
        matches!(self.status, RunStatus::Ended { .. })
            && self.status == *run.status()
            && self.counts == run.counts()
    }

    /// The run's status in a word, for people and programs.
    pub fn status_name(&self) -> &'static str {
        match &self.status {
            RunStatus::Waiting => "waiting",
            RunStatus::Running { .. } => "running",
            RunStatus::Ended { end: RunEnd::Completed, .. } => "completed",
            RunStatus::Ended { end: RunEnd::Cancelled, .. } => "cancelled",
            RunStatus::Ended { end: RunEnd::Failed { .. }, .. } => "failed",
        }
    }

    /// How its lanes' time was used.
    pub fn utilisation(&self) -> Utilisation {
        Utilisation::of(&self.phases, self.idle)
    }

    /// The share of its lanes' time in which they had no task, 0 to 1; zero when there is no time.
    pub fn idle_share(&self) -> f64 {
        self.utilisation().share(Use::Idle)
    }
}

/// A race in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// What the tasks do.
    pub workload: WorkloadKind,
    /// What the tasks are, in the plural.
    pub noun: String,
    /// How many tasks every run has.
    pub tasks: usize,
    /// Whether the runs followed each other.
    pub order: Order,
    /// How many processors the program may use.
    pub cpus: u32,
    /// The runs in id order.
    pub runs: Vec<RunSummary>,
    /// What more workers bought, where the race is a sweep.
    pub scaling: Option<Scaling>,
    /// The rounds that count.
    pub rounds: usize,
    /// The rounds that only warm up.
    pub warmups: usize,
    /// The executors' runs together, in the order of the executors; in a race that does not repeat, each group
    /// has one run.
    pub groups: Vec<Group>,
    /// The places of the groups that can't be told from the fastest.
    pub level: Vec<usize>,
}

impl Summary {
    /// The race's figures as of `now`. One pass over the tasks and one sort for each run.
    pub fn of(race: &RaceState, now: At) -> Summary {
        Summary::after(None, race, now)
    }

    /// The same figures, sooner: `before` are those of an earlier moment of the same race, and the tasks of runs that
    /// were over by then are not summed up again.
    pub fn after(before: Option<&Summary>, race: &RaceState, now: At) -> Summary {
        let run = |(place, run): (usize, &RunState)| {
            let baseline = race.baseline_of(RunId::of(place)).filter(|run| run.is_comparable());
            let before = before.and_then(|before| before.runs.get(place));
            RunSummary::of(run, baseline, now, before)
        };
        let runs: Vec<RunSummary> = race.runs().iter().enumerate().map(run).collect();
        let groups = groups::groups(race, &runs);
        Summary {
            scaling: Scaling::of(race, &runs, now),
            workload: race.plan().workload,
            noun: race.plan().noun.clone(),
            tasks: race.plan().tasks.len(),
            order: race.plan().order,
            cpus: race.plan().machine.cpus,
            rounds: race.rounds().counted(),
            warmups: race.rounds().warmups(),
            level: if race.rounds().are_several() {
                groups::level_with_best(&groups, race.plan().seed)
            } else {
                Vec::new()
            },
            groups,
            runs,
        }
    }

    /// What the workers' time went by with in any of the runs, in the order in which it is listed.
    pub fn uses(&self) -> Vec<Use> {
        let used = |of: &Use| self.typical().any(|run| run.utilisation().nanos(*of) > 0);
        Use::ALL.into_iter().filter(used).collect()
    }

    /// Whether its tasks bring bytes, as far as they have got: of other work there are none to tell of.
    pub fn brings_bytes(&self) -> bool {
        self.runs.iter().any(|run| run.bytes > 0)
    }

    /// Whether the race repeats its runs.
    pub fn repeats(&self) -> bool {
        self.rounds + self.warmups > 1
    }

    /// The run that stands for each group, in the order of the groups: where nothing repeats, every run.
    pub fn typical(&self) -> impl Iterator<Item = &RunSummary> {
        self.groups.iter().filter_map(|group| self.runs.get(group.typical.index()))
    }

    /// A run's name for people: its label, with its round where there are several.
    pub fn name(&self, run: &RunSummary) -> String {
        match self.repeats() {
            true => format!("{} in {}", run.label, super::words::round(run.round, self.rounds, self.warmups)),
            false => run.label.clone(),
        }
    }

    /// How many of a run's workers the machine's processors let compute at once, where the tasks do nothing else
    /// and the run has more of them.
    pub fn processors_for(&self, run: &RunSummary) -> Option<u32> {
        let computes = matches!(self.workload, WorkloadKind::Compute | WorkloadKind::Counter)
            && run.phases.of(Phase::Sleeping) == 0;
        (computes && self.cpus > 0 && run.workers > self.cpus).then_some(self.cpus)
    }

    /// What the figures of the race mean, a line each.
    pub fn definitions(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let (own, replaced) = if self.repeats() { (REPEAT_DEFINITIONS, true) } else { (&[][..], false) };
        let of_sweep = self.scaling.as_ref().map_or(&[][..], |_| SCALING_DEFINITIONS);
        let others = DEFINITIONS.iter().filter(move |(term, _)| !(replaced && *term == "speedup"));
        own.iter().chain(of_sweep).chain(others)
    }

    /// The run that the others are measured against: the first sequential one.
    pub fn baseline(&self) -> Option<&RunSummary> {
        self.runs.iter().find(|run| run.executor == ExecutorKind::Sequential)
    }
}

/// What the right edge of the gauges stands for, by each run's reach (its speedup, or the end of its interval; 1 before
/// there is one) and its workers: the largest ideal, but no more than lets the longest bar take a quarter of the row.
pub fn gauge_scale(gauges: impl Iterator<Item = (f64, u32)>) -> f64 {
    let (mut reach, mut ideal) = (1.0_f64, 1.0_f64);
    for (of, workers) in gauges {
        reach = reach.max(of);
        ideal = ideal.max(f64::from(workers));
    }
    ideal.clamp(reach, 4.0 * reach)
}

/// The speedup so far of a run under way: when the sequential run had as many tasks done, divided by when
/// this run had its latest one done, each counted from its run's start.
///
/// None before a task is done, while the sequential run has fewer done, or when a task of either ended
/// in any other way.
pub fn so_far(baseline: &RunState, run: &RunState) -> Option<f64> {
    let done = run.counts().done;
    if done == 0 || run.counts().not_done() > 0 || baseline.counts().not_done() > 0 {
        return None;
    }
    let time = |run: &RunState| Some(run.done_at(done as usize)?.since(run.started()?));
    stats::speedup(time(baseline)?, time(run)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ideal_far_away_makes_no_gauge_too_short_to_see() {
        let scale = |gauges: &[(f64, u32)]| gauge_scale(gauges.iter().copied());
        assert_eq!(scale(&[(1.0, 1), (4.5, 5), (11.0, 20)]), 20.0);
        assert_eq!(scale(&[(1.0, 1), (1.7, 40), (0.8, 5)]), 6.8);
        assert_eq!(scale(&[(1.0, 1), (5.2, 5)]), 5.2);
        assert_eq!(scale(&[]), 1.0);
    }

    #[test]
    fn definitions_fit_a_line() {
        for (term, definition) in DEFINITIONS.iter().chain(REPEAT_DEFINITIONS) {
            assert!(definition.chars().count() <= 100, "{term}: {}", definition.chars().count());
        }
    }

    #[test]
    fn reasons_name_every_kind_of_end() {
        let counts = Counts { done: 14, failed: 3, panicked: 1, cancelled: 1, ..Counts::default() };
        let reason = Reason::Incomplete { counts, tasks: 20 };
        assert_eq!(reason.to_string(), "3 of 20 tasks failed, 1 panicked, 1 were cancelled, 1 never ended");
        let counts = Counts { done: 17, failed: 3, ..Counts::default() };
        assert_eq!(Reason::Incomplete { counts, tasks: 20 }.to_string(), "3 of 20 tasks failed");
        let counts = Counts { done: 2, abandoned: 2, ..Counts::default() };
        assert_eq!(
            Reason::Incomplete { counts, tasks: 4 }.to_string(),
            "2 of 4 tasks were abandoned when the main thread ended"
        );
        let broken = Reason::Broken { message: "no\u{1b}[2J threads".to_owned() };
        assert!(!broken.to_string().contains('\u{1b}'));
    }
}
