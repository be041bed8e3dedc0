//! A sweep: the same tasks raced by one executor with more and more workers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{ExecutorChoice, MAX_WORKERS, Programs, Scenario, takes_workers};
use crate::event::ExecutorKind;

/// The most numbers of workers that a sweep may have.
const MOST_COUNTS: usize = 100;

/// A curve through fewer numbers of workers says nothing.
const LEAST_COUNTS: usize = 3;

/// One number of workers or several, in ascending order, each once; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCounts(Vec<usize>);

/// Why numbers of workers were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// A part is no number of workers and no range; what was given.
    #[error(
        "'{0}' is no number of workers: give numbers from 1 to {MAX_WORKERS} and ranges, such as 1..32 or 1,2,4..8"
    )]
    NoCount(String),
    /// A range ends before it begins; what was given.
    #[error("{0} ends before it begins: the smaller number comes first")]
    Backwards(String),
    /// Nobody waits for so many runs.
    #[error("{0} numbers of workers are too many: give at most {MOST_COUNTS}")]
    TooMany(usize),
}

/// Why a scenario can't be swept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// Its executor has always as many workers.
    #[error("{kind} takes no number of workers: name another executor, such as -e pool", kind = .0.name())]
    FixedWorkers(ExecutorKind),
    /// More executors were named than one.
    #[error("a sweep has one executor beside sequential: name one, such as -e pool")]
    OneExecutor,
    /// The executor was named with a number of workers.
    #[error("the numbers of workers are given by --workers: name {} without one", .0.name())]
    OwnWorkers(ExecutorKind),
    /// The executor can't do the tasks.
    #[error("{} can't do scenario {scenario}: {reason}", kind.name())]
    Unfit {
        /// The executor.
        kind: ExecutorKind,
        /// The scenario's name.
        scenario: String,
        /// Why.
        reason: String,
    },
    /// There is nothing to draw a curve through.
    #[error(
        "a sweep needs {LEAST_COUNTS} numbers of workers at least, and {tasks} tasks keep at most {tasks} workers busy: \
         give more of either"
    )]
    TooFew {
        /// How many tasks there are.
        tasks: usize,
    },
}

impl WorkerCounts {
    /// The counts in ascending order.
    pub fn counts(&self) -> &[usize] {
        &self.0
    }

    /// One number of workers, 1 or more.
    pub fn one(count: usize) -> WorkerCounts {
        WorkerCounts(vec![count.max(1)])
    }

    /// The count, where there is but one.
    pub fn single(&self) -> Option<usize> {
        match self.0[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// All from `first` to `last` up to 8, and beyond that two in each doubling, where one worker more changes
    /// little. Both ends are always there.
    fn spaced(first: usize, last: usize) -> impl Iterator<Item = usize> {
        let doublings = (2..).map(|power| 1_usize << power).take_while(move |power| *power <= last);
        let beyond = doublings.flat_map(|power| [power * 2, power * 3]);
        let within = move |count: &usize| (first..=last).contains(count);
        (1..=8).chain(beyond).filter(within).chain([first, last])
    }
}

impl Default for WorkerCounts {
    /// `1..32`.
    fn default() -> WorkerCounts {
        let counts: BTreeSet<usize> = WorkerCounts::spaced(1, 32).collect();
        WorkerCounts(counts.into_iter().collect())
    }
}

impl fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&counts.join(","))
    }
}

impl FromStr for WorkerCounts {
    type Err = CountsError;

    /// Reads numbers and ranges with a comma between them: `1,2,4,8`, `1..32`, `1..8,10,20`. A range has both
    /// its ends in it, every number up to 8, and then 12, 16, 24, 32, 48, 64 and so on.
    fn from_str(text: &str) -> Result<WorkerCounts, CountsError> {
        let mut counts = BTreeSet::new();
        for part in text.split(',').map(str::trim) {
            let count = |text: &str| {
                let count = text.trim().parse().ok().filter(|count| (1..=MAX_WORKERS).contains(count));
                count.ok_or_else(|| CountsError::NoCount(part.to_owned()))
            };
            match part.split_once("..") {
                None => _ = counts.insert(count(part)?),
                Some((first, last)) => {
                    let (first, last) = (count(first)?, count(last)?);
                    if first > last {
                        return Err(CountsError::Backwards(part.to_owned()));
                    }
                    counts.extend(WorkerCounts::spaced(first, last));
                }
            }
        }
        if counts.len() > MOST_COUNTS {
            return Err(CountsError::TooMany(counts.len()));
        }
        Ok(WorkerCounts(counts.into_iter().collect()))
    }
}

impl Scenario {
    /// This scenario as a sweep: one after the other, and then by `choice` with each of `counts` workers. More
    /// workers than there are tasks have nothing to do, so as many as there are tasks stand for all of those.
    ///
    /// # Errors
    /// When the executor can't do that or the tasks, or fewer than three numbers of workers are left.
    pub fn swept(
        &self,
        choice: &ExecutorChoice,
        counts: &WorkerCounts,
        programs: &Programs,
    ) -> Result<Scenario, SweepError> {
        if !takes_workers(&choice.kind) {
            return Err(SweepError::FixedWorkers(choice.kind.clone()));
        }
        if let Some(reason) = self.why_not(choice, programs) {
            return Err(SweepError::Unfit { kind: choice.kind.clone(), scenario: self.name.clone(), reason });
        }
        let counts: BTreeSet<usize> =
            counts.counts().iter().map(|&count| choice.kind.parallelism(count, self.tasks)).collect();
        if counts.len() < LEAST_COUNTS {
            return Err(SweepError::TooFew { tasks: self.tasks });
        }
        let steps = counts.into_iter().map(|count| ExecutorChoice { workers: Some(count), ..choice.clone() });
        let sequential = ExecutorChoice::plain(ExecutorKind::Sequential);
        Ok(Scenario { executors: [sequential].into_iter().chain(steps).collect(), ..self.clone() })
    }

    /// The one executor beside sequential that `choices` name, for a sweep of it.
    ///
    /// # Errors
    /// When they name more or none, or one with a number of workers of its own.
    pub fn sweep_choice(choices: &[ExecutorChoice]) -> Result<ExecutorChoice, SweepError> {
        let mut others = choices.iter().filter(|choice| choice.kind != ExecutorKind::Sequential);
        match (others.next(), others.next()) {
            (Some(ExecutorChoice { kind, workers: Some(_), .. }), None) => {
                Err(SweepError::OwnWorkers(kind.clone()))
            }
            (Some(choice), None) => Ok(choice.clone()),
            _ => Err(SweepError::OneExecutor),
        }
    }

    /// Whether the executors are those of a sweep: sequential, and then one executor that only its workers tell
    /// apart.
    pub fn is_sweep(&self) -> bool {
        match self.executors.split_first() {
            Some((first, [second, rest @ ..])) => {
                first.kind == ExecutorKind::Sequential
                    && rest.len() + 1 >= LEAST_COUNTS
                    && takes_workers(&second.kind)
                    && rest.iter().all(|it| it.kind == second.kind && it.variant == second.variant)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use std::time::Duration;

    use super::*;
    use crate::scenario::Work;

    fn sleeps(tasks: usize) -> Scenario {
        Scenario {
            name: "naps".to_owned(),
            about: String::new(),
            tasks,
            executors: vec![ExecutorChoice::plain(ExecutorKind::Threads)],
            workers: 5,
            async_threads: 1,
            main_work: Duration::ZERO,
            work: Work::Sleep([Duration::ZERO].into()),
        }
    }

    fn swept(tasks: usize, executor: &str, counts: &str) -> Result<Vec<String>, String> {
        let choice: ExecutorChoice = executor.parse().unwrap();
        let sweep = sleeps(tasks).swept(&choice, &counts.parse().unwrap(), &Programs::new());
        let sweep = sweep.map_err(|error| error.to_string())?;
        assert!(sweep.is_sweep());
        Ok(sweep.executors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn counts_are_read() {
        let read = |text: &str| text.parse::<WorkerCounts>().map(|counts| counts.to_string());
        assert_eq!(read("1..32").unwrap(), "1,2,3,4,5,6,7,8,12,16,24,32");
        assert_eq!(read("1..32"), Ok(WorkerCounts::default().to_string()));
        assert_eq!(read("8, 1,2 ,4,2").unwrap(), "1,2,4,8");
        assert_eq!(read("3..10").unwrap(), "3,4,5,6,7,8,10");
        assert_eq!(read("2..100").unwrap(), "2,3,4,5,6,7,8,12,16,24,32,48,64,96,100");
        assert_eq!(read("20..30,1").unwrap(), "1,20,24,30");
        assert_eq!(read("5..5").unwrap(), "5");
        for wrong in ["", ",", "0", "1..", "..8", "1..=8", "a", "1..2..3", "-1", "1..10001", "1.5"] {
            assert!(read(wrong).is_err_and(|error| error.to_string().contains("1 to 10000")), "{wrong}");
        }
        assert_eq!(read("8..1"), Err(CountsError::Backwards("8..1".to_owned())));
        let many: Vec<String> = (1..=101).map(|count| count.to_string()).collect();
        assert_eq!(read(&many.join(",")), Err(CountsError::TooMany(101)));
    }

    #[test]
    fn a_sweep_begins_with_one_after_the_other() {
        assert_eq!(swept(100, "pool", "1,2,4").unwrap(), ["sequential", "pool:1", "pool:2", "pool:4"]);
        assert_eq!(
            swept(9, "async", "1,2,8,16,32").unwrap(),
            ["sequential", "async:1", "async:2", "async:8", "async:9"]
        );
        assert_eq!(swept(100, "pool:submit", "1,2,3").unwrap()[3], "pool:3:submit");
        assert!(swept(2, "pool", "1..32").is_err_and(|error| error.contains("2 tasks")));
        assert!(swept(20, "pool", "1,2").is_err_and(|error| error.contains("at least")));
        assert!(swept(20, "threads", "1..32").is_err_and(|error| error.contains("takes no number")));
        assert!(swept(20, "node", "1..32").is_err_and(|error| error.contains("no program")));
    }

    #[test]
    fn one_executor_is_swept() {
        let choice = |text: &str| {
            let choices: Vec<ExecutorChoice> = text.split(',').map(|it| it.parse().unwrap()).collect();
            Scenario::sweep_choice(&choices).map(|choice| choice.to_string())
        };
        assert_eq!(choice("async"), Ok("async".to_owned()));
        assert_eq!(choice("sequential,pool:submit"), Ok("pool:submit".to_owned()));
        assert_eq!(choice("pool,async"), Err(SweepError::OneExecutor));
        assert_eq!(choice("sequential"), Err(SweepError::OneExecutor));
        assert_eq!(choice("pool:5"), Err(SweepError::OwnWorkers(ExecutorKind::Pool)));
        assert!(!sleeps(5).is_sweep());
    }

    proptest! {
        #[test]
        fn counts_ascend_within_their_bounds(first in 1_usize..=MAX_WORKERS, more in 0_usize..=MAX_WORKERS) {
            let last = (first + more).min(MAX_WORKERS);
            let read = format!("{first}..{last}").parse::<WorkerCounts>();
            let Ok(read) = read else { return Err(TestCaseError::fail("refused")) };
            prop_assert!(read.counts().windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!((read.counts().first(), read.counts().last()), (Some(&first), Some(&last)));
            prop_assert!(read.counts().len() <= 32);
        }

        #[test]
        fn foreign_text_is_refused_in_words(text in ".{0,40}") {
            if let Ok(counts) = text.parse::<WorkerCounts>() {
                prop_assert!(counts.counts().iter().all(|count| (1..=MAX_WORKERS).contains(count)));
            }
        }
    }
}
