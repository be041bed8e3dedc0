//! The critical path of a run: the chain of tasks, and of waits between them, that set its wall time.
//!
//! It is walked from the end of the run back to its start. The last task to end set the end. What let it begin
//! when it did is the latest of what it needed: the end of the task before it on its lane, its own hand-over to
//! the executor, its worker. Where all of these were there and it still did not begin, the wait ended with
//! another task that ended in the meantime (one that held the event loop's thread, say): the path goes on from
//! there. So every moment of the run is in exactly one part of the path, and making a task that is not on it
//! faster makes the run no faster.
//!
//! Source: the "last arrival" rule of Fields, Rubin and Bodík, "Focusing processor policies via critical-path
//! prediction", ISCA 2001: walk back along whichever dependence was met last.

use crate::event::{At, LaneId, TaskId, TaskPlan};
use crate::model::{RunState, RunStatus, Stage};
use crate::text;

use super::words;

/// A wait that is shorter than the wall time divided by this is a worker's way from one task to the next.
const BACK_TO_BACK: u64 = 1_000;

/// So many of the tasks that ended before a wait's end are looked at for the one that ended it.
const LOOKED_AT: usize = 8;

/// What went on in a part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A task was done, from when a worker took it up until its end.
    Task {
        /// Where.
        lane: LaneId,
        /// Which.
        task: TaskId,
    },
    /// The next task's worker was not there yet.
    Starting,
    /// The next task was not handed to the executor yet.
    Queueing,
    /// The next task and its worker were there, and it had not begun.
    TakingUp,
    /// All tasks had ended, and the run had not: results were delivered, workers joined.
    Ending,
    /// The run went on until its tasks were cut off, with the main thread or by a cancel: none of them set its
    /// time.
    CutOff,
}

impl Step {
    /// What is no task.
    const WAITS: [Step; 5] = [Step::Starting, Step::Queueing, Step::TakingUp, Step::Ending, Step::CutOff];

    /// What went on, in a report for programs.
    pub fn key(self) -> &'static str {
        match self {
            Step::Task { .. } => "task",
            Step::Starting => "starting",
            Step::Queueing => "queueing",
            Step::TakingUp => "taking_up",
            Step::Ending => "ending",
            Step::CutOff => "cut_off",
        }
    }

    /// What a wait was for; none for a task.
    pub fn wait(self) -> Option<&'static str> {
        match self {
            Step::Task { .. } => None,
            Step::Starting => Some("starting workers"),
            Step::Queueing => Some("queueing tasks"),
            Step::TakingUp => Some("taking tasks up"),
            Step::Ending => Some("ending the run"),
            Step::CutOff => Some("until tasks were cut off"),
        }
    }
}

/// A part of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// What went on.
    pub step: Step,
    /// From this moment on.
    pub from: At,
    /// Until this moment, after `from`.
    pub to: At,
}

/// What set a run's wall time. Its segments are in the order of time; each begins where the one before it ends,
/// the first at the run's start, and the last ends at the run's end.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CriticalPath {
    segments: Vec<Segment>,
    sums: Sums,
}

/// What the segments come to, in nanoseconds: a path may have 100,000 of them, and every frame tells of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Sums {
    all: u64,
    /// How many segments are tasks.
    tasks: usize,
    in_tasks: u64,
    /// By the place in [`Step::WAITS`].
    waits: [u64; Step::WAITS.len()],
    /// The longest segments that are tasks, the longest first; of equals the first.
    longest: Vec<(TaskId, u64)>,
}

impl Sums {
    /// So many of the longest are named.
    const NAMED: usize = 3;

    fn of(segments: &[Segment]) -> Sums {
        let mut sums = Sums::default();
        for segment in segments {
            let nanos = segment.to.0.saturating_sub(segment.from.0);
            sums.all += nanos;
            let Step::Task { task, .. } = segment.step else {
                if let Some(place) = Step::WAITS.iter().position(|&wait| wait == segment.step) {
                    sums.waits[place] += nanos;
                }
                continue;
            };
            sums.tasks += 1;
            sums.in_tasks += nanos;
            let place = sums.longest.partition_point(|&(_, longer)| longer >= nanos);
            if place < Sums::NAMED {
                sums.longest.insert(place, (task, nanos));
                sums.longest.truncate(Sums::NAMED);
            }
        }
        sums
    }

    /// The part of the whole that so many nanoseconds are, 0 to 1.
    fn share(&self, nanos: u64) -> f64 {
        nanos as f64 / self.all.max(1) as f64
    }
}

/// A task that a worker took up.
struct Taken {
    lane: LaneId,
    task: TaskId,
    started: At,
    finished: At,
}

impl CriticalPath {
    /// The path of a run; none until it is over. It costs a sort of the tasks.
    pub fn of(run: &RunState) -> Option<CriticalPath> {
        let RunStatus::Ended { from: start, to: end, .. } = *run.status() else { return None };
        let mut walk = Walk { segments: Vec::new(), until: end, start };
        let taken = taken(run, end);
        let mut by_end: Vec<usize> = (0..taken.len()).collect();
        by_end.sort_by_key(|&place| (taken[place].finished, place));
        let is_cut_off = |of: &Taken| {
            let stage = run.tasks().get(of.task.index()).map(|task| task.stage);
            matches!(stage, Some(Stage::Abandoned | Stage::Cancelled))
        };
        if by_end.last().is_some_and(|&last| is_cut_off(&taken[last])) {
            walk.back_to(start, Step::CutOff);
            let sums = Sums::of(&walk.segments);
            return Some(CriticalPath { segments: walk.segments, sums });
        }
        let mut next = by_end.last().copied();
        let mut gap = Step::Ending;
        while let Some(place) = next {
            let Taken { lane, task, started, finished } = taken[place];
            walk.back_to(finished, gap);
            walk.back_to(started, Step::Task { lane, task });
            gap = Step::TakingUp;
            if walk.until == start {
                break;
            }
            let before = place.checked_sub(1).filter(|&before| taken[before].lane == lane);
            let ended = before.map_or(start, |before| taken[before].finished);
            let queued = run.tasks().get(task.index()).and_then(|task| task.queued).unwrap_or(start);
            let opened = run.lanes().get(lane.index()).map_or(&[][..], |lane| lane.workers());
            let opened = opened.iter().map(|(came, _)| *came).rfind(|came| *came <= started).unwrap_or(start);
            let possible = ended.max(queued).max(opened).max(start).min(walk.until);
            let back_to_back = |at: At| {
                walk.until.0.saturating_sub(at.0) <= end.since(start).as_nanos() as u64 / BACK_TO_BACK
            };
            let freed_by = || {
                let ends = by_end.partition_point(|&other| taken[other].finished <= walk.until);
                let latest = by_end[..ends].iter().rev().take(LOOKED_AT).copied();
                let mut latest = latest.take_while(|&other| taken[other].finished > possible);
                latest.find(|&other| taken[other].started < started)
            };
            next = match before {
                Some(before) if back_to_back(ended) => Some(before),
                _ if !back_to_back(possible) && freed_by().is_some() => freed_by(),
                Some(before) if possible <= ended => Some(before),
                _ => None,
            };
            if next.is_none() {
                walk.back_to(possible, Step::TakingUp);
                gap = if possible == queued { Step::Queueing } else { Step::Starting };
            }
        }
        walk.back_to(start, gap);
        walk.segments.reverse();
        let sums = Sums::of(&walk.segments);
        Some(CriticalPath { segments: walk.segments, sums })
    }

    /// The parts of the path, in the order of time.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The part of the run's wall time that a segment is, 0 to 1.
    pub fn share(&self, segment: &Segment) -> f64 {
        self.sums.share(segment.to.0.saturating_sub(segment.from.0))
    }

    /// The largest share that one task has; none when no task is on the path.
    pub fn longest_task(&self) -> Option<f64> {
        self.sums.longest.first().map(|&(_, nanos)| self.sums.share(nanos))
    }

    /// The path in words of at most `columns`, safe to show: its tasks in the order of time where they
    /// fit, else how many they are and the longest of them; then what they waited for. It costs no more for a
    /// long path than for a short one.
    pub fn words(&self, tasks: &[TaskPlan], columns: usize) -> String {
        let sums = &self.sums;
        let waits = Step::WAITS.iter().zip(sums.waits).filter_map(|(step, nanos)| {
            let share = sums.share(nanos);
            step.wait().filter(|_| share >= 0.005).map(|what| format!("; {what} {}", percent(share)))
        });
        let waits: String = waits.collect();
        let named = |task: TaskId, share: f64| {
            let name = tasks.get(task.index()).map_or("?", |plan| &plan.name);
            format!("{} {}", text::fit(name, 24), percent(share))
        };
        if sums.tasks == 0 {
            return text::fit(waits.trim_start_matches("; "), columns);
        }
        // A name and its share take four columns at the very least.
        if sums.tasks <= columns / 4 {
            let on_path = self.segments.iter().filter_map(|segment| match segment.step {
                Step::Task { task, .. } => Some(named(task, self.share(segment))),
                _ => None,
            });
            let all: Vec<String> = on_path.collect();
            let all = format!("{}{waits}", all.join(" → "));
            if text::width(&all) <= columns {
                return all;
            }
        }
        let together = percent(sums.share(sums.in_tasks));
        let mut words = format!("{} in a row {together}", words::tasks(sums.tasks));
        for (place, &(task, nanos)) in sums.longest.iter().enumerate() {
            let before = if place == 0 { ", longest " } else { ", " };
            let more = format!("{before}{}", named(task, sums.share(nanos)));
            if text::width(&words) + text::width(&more) + text::width(&waits) > columns {
                break;
            }
            words += &more;
        }
        text::fit(&(words + &waits), columns)
    }
}

/// The tasks that workers took up, in the order of lanes and on each in that of time. Those that have not ended did
/// so with the run.
fn taken(run: &RunState, end: At) -> Vec<Taken> {
    let tasks = run.tasks().iter().enumerate();
    let mut taken: Vec<Taken> = tasks
        .filter_map(|(id, task)| {
            let (lane, started) = task.lane.zip(task.started)?;
            let finished = task.finished.unwrap_or(end).max(started);
            Some(Taken { lane, task: TaskId::of(id), started, finished })
        })
        .collect();
    taken.sort_by_key(|taken| (taken.lane, taken.started, taken.task));
    taken
}

/// The path so far, the last segment first.
struct Walk {
    segments: Vec<Segment>,
    until: At,
    start: At,
}

impl Walk {
    /// What went on until the path's first moment so far began at `at`. What lies outside is cut off.
    fn back_to(&mut self, at: At, step: Step) {
        let from = at.clamp(self.start, self.until);
        if from < self.until {
            self.segments.push(Segment { step, from, to: self.until });
            self.until = from;
        }
    }
}

fn percent(share: f64) -> String {
    let rounded = super::words::percent(share);
    if rounded == "0 %" { "<1 %".to_owned() } else { rounded }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{
        Check, ErrorKind, Event, ExecutorKind, Fact, Outcome, RacePlan, Round, RunEnd, RunId, RunPlan,
        TaskEnd, TaskError, Worker,
    };
    use crate::model::RaceState;

    const RUN: RunId = RunId(0);

    /// A task: when it was queued, on which lane it was taken up when, and when it ended.
    type Task = (u64, u32, u64, u64);

    fn names(tasks: usize) -> Vec<TaskPlan> {
        (0..tasks).map(|i| TaskPlan { name: format!("t{i}"), url: None }).collect()
    }

    /// A run from 100 to `end` with lanes that open at 100, save those that open when `opened` says.
    fn path(tasks: &[Task], opened: &[(u32, u64)], end: u64) -> CriticalPath {
        path_with(&Outcome::Done, tasks, opened, end)
    }

    /// The same, with an outcome for the tasks that end with the run.
    fn path_with(last: &Outcome, tasks: &[Task], opened: &[(u32, u64)], end: u64) -> CriticalPath {
        let plan = RunPlan {
            executor: ExecutorKind::Pool,
            workers: 8,
            variant: None,
            label: "pool".to_owned(),
            round: Round::ONLY,
        };
        let plan = RacePlan::of_sleeps(names(tasks.len()), vec![plan]);
        let mut race = RaceState::new(Arc::new(plan));
        let mut events = vec![(100, Fact::RunStarted { run: RUN })];
        for &(lane, at) in opened {
            let worker = Worker::AsyncSlot { threads: 1, thread_id: None };
            events.push((at, Fact::LaneOpened { run: RUN, lane: LaneId(lane), worker: Box::new(worker) }));
        }
        let run_end = end;
        for (i, &(queued, lane, started, finished)) in tasks.iter().enumerate() {
            let task = TaskId::of(i);
            let end = TaskEnd {
                outcome: if finished == run_end { last.clone() } else { Outcome::Done },
                bytes: 0,
                write_nanos: 0,
                check: Check::Nothing,
                result: None,
            };
            events.push((queued, Fact::TaskQueued { run: RUN, task }));
            events.push((started, Fact::TaskStarted { run: RUN, task, lane: LaneId(lane) }));
            events.push((finished, Fact::TaskFinished { run: RUN, task, end: Box::new(end) }));
        }
        events.push((end, Fact::RunFinished { run: RUN, end: RunEnd::Completed }));
        for (at, fact) in events {
            race.apply(&Event { at: At(at), fact });
        }
        CriticalPath::of(&race.runs()[0]).unwrap_or_default()
    }

    fn told(path: &CriticalPath) -> Vec<(&'static str, u32, u64, u64)> {
        let told = |segment: &Segment| {
            let task = match segment.step {
                Step::Task { task, .. } => task.0,
                _ => u32::MAX,
            };
            (segment.step.key(), task, segment.from.0, segment.to.0)
        };
        path.segments().iter().map(told).collect()
    }

    const NO: u32 = u32::MAX;

    #[test]
    fn tasks_follow_each_other_on_the_lane_that_ends_last() {
        let tasks =
            [(100, 0, 100, 3_000), (100, 1, 100, 2_000), (100, 1, 2_001, 9_000), (100, 0, 3_000, 5_000)];
        let path = path(&tasks, &[], 9_100);
        assert_eq!(
            told(&path),
            [
                ("task", 1, 100, 2_000),
                ("taking_up", NO, 2_000, 2_001),
                ("task", 2, 2_001, 9_000),
                ("ending", NO, 9_000, 9_100)
            ]
        );
        assert_eq!(path.words(&names(4), 80), "t1 21 % → t2 78 %; ending the run 1 %");
        assert_eq!(path.words(&names(4), 24), "2 tasks in a row 99 %; …");
        assert_eq!(path.longest_task().map(|share| share > 0.77), Some(true));
    }

    #[test]
    fn a_task_that_was_not_there_waited_for_its_queueing() {
        let tasks = [(100, 0, 100, 2_000), (5_000, 0, 5_200, 9_000)];
        assert_eq!(
            told(&path(&tasks, &[], 9_000)),
            [("queueing", NO, 100, 5_000), ("taking_up", NO, 5_000, 5_200), ("task", 1, 5_200, 9_000)]
        );
    }

    #[test]
    fn a_worker_that_was_not_there_had_to_start() {
        let tasks = [(100, 0, 200, 2_000), (100, 1, 4_000, 9_000)];
        assert_eq!(
            told(&path(&tasks, &[(0, 150), (1, 4_000)], 9_000)),
            [("starting", NO, 100, 4_000), ("task", 1, 4_000, 9_000)]
        );
    }

    #[test]
    fn where_all_was_there_another_task_had_to_end() {
        let tasks = [(100, 0, 100, 5_000), (100, 1, 5_010, 9_000)];
        assert_eq!(
            told(&path(&tasks, &[(0, 100), (1, 100)], 9_000)),
            [("task", 0, 100, 5_000), ("taking_up", NO, 5_000, 5_010), ("task", 1, 5_010, 9_000)]
        );
    }

    #[test]
    fn what_is_cut_off_set_no_time() {
        let tasks = [(100, 0, 100, 5_000), (100, 1, 100, 9_000)];
        for outcome in [Outcome::Abandoned, Outcome::Cancelled] {
            let path = path_with(&outcome, &tasks, &[], 9_000);
            assert_eq!(told(&path), [("cut_off", NO, 100, 9_000)]);
            assert_eq!(path.words(&names(2), 80), "until tasks were cut off 100 %");
        }
        // One that gave up did set it.
        let failed = Outcome::Failed(TaskError::new(ErrorKind::Wrong, "no"));
        assert_eq!(told(&path_with(&failed, &tasks, &[], 9_000)), [("task", 1, 100, 9_000)]);
    }

    #[test]
    fn a_run_without_tasks_only_starts_and_ends() {
        assert_eq!(told(&path(&[], &[], 100)), []);
        let empty = path(&[], &[], 500);
        assert_eq!(told(&empty), [("ending", NO, 100, 500)]);
        assert_eq!(empty.words(&[], 80), "ending the run 100 %");
    }

    proptest! {
        #[test]
        fn the_path_is_the_run_from_start_to_end(
            tasks in prop::collection::vec((0_u64..2_000, 0_u32..8, 0_u64..2_000, 0_u64..2_000), 0..60),
            opened in prop::collection::vec((0_u32..8, 0_u64..2_000), 0..9),
            end in 100_u64..2_500,
            columns in 0_usize..120,
        ) {
            let path = path(&tasks, &opened, end);
            let segments = path.segments();
            prop_assert!(segments.iter().all(|segment| segment.from < segment.to));
            prop_assert!(segments.windows(2).all(|pair| pair[0].to == pair[1].from));
            prop_assert_eq!(segments.is_empty(), end == 100);
            if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
                prop_assert_eq!((first.from, last.to), (At(100), At(end)));
            }
            let shares: f64 = segments.iter().map(|segment| path.share(segment)).sum();
            prop_assert!(segments.is_empty() || (shares - 1.0).abs() < 1e-9);
            for segment in segments {
                if let Step::Task { task, .. } = segment.step {
                    let (_, _, started, finished) = tasks[task.index()];
                    prop_assert!(started <= segment.from.0 && segment.to.0 <= finished.max(started));
                }
            }
            let mut longest: Vec<(TaskId, u64)> = segments
                .iter()
                .filter_map(|segment| match segment.step {
                    Step::Task { task, .. } => Some((task, segment.to.0 - segment.from.0)),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(path.sums.tasks, longest.len());
            prop_assert_eq!(path.sums.in_tasks + path.sums.waits.iter().sum::<u64>(), end - 100);
            longest.sort_by_key(|&(_, nanos)| std::cmp::Reverse(nanos));
            longest.truncate(Sums::NAMED);
            prop_assert_eq!(&path.sums.longest, &longest);
            prop_assert!(text::width(&path.words(&names(tasks.len()), columns)) <= columns);
        }
    }
}
