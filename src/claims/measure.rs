//! Measures a claim: races its scenario a few times, headless.

use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use thiserror::Error;

use super::published::Claim;
use crate::config::{Repeats, Settings};
use crate::event::ExecutorKind;
use crate::model::{RaceState, RunState};
use crate::plain::{self, Signals};
use crate::race::RaceError;
use crate::report::{ORDER_TOLD, Reason, Summary};
use crate::scenario::{ExecutorChoice, ExecutorError, Scenario, Source, Work};
use crate::stats::scaling::ScheduleBound;
use crate::stats::{self, Spread};

/// Why a claim could not be checked.
#[derive(Debug, Error)]
pub enum ClaimsError {
    /// The race could not be run.
    #[error("{scenario}: {error}")]
    Race {
        /// Of this scenario.
        scenario: &'static str,
        /// Why.
        error: RaceError,
    },
    /// The configuration has no such scenario.
    #[error("there is no scenario {0} in the configuration; leave the built-in ones in place")]
    NoScenario(&'static str),
    /// The configuration made something of the scenario that the claim can't be checked with.
    #[error("{scenario}: {error}")]
    Executor {
        /// The scenario.
        scenario: &'static str,
        /// Why.
        error: ExecutorError,
    },
    /// A run can't be compared.
    #[error("{scenario}: {label} can't be compared: {reason}; race it to see more: threadrace {scenario}")]
    NotComparable {
        /// The scenario.
        scenario: &'static str,
        /// The run.
        label: String,
        /// Why not.
        reason: Reason,
    },
    /// A signal asked the program to end.
    #[error("signal {0}")]
    Signal(u8),
}

/// What a claim's races measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The workers of the executor that the claim is about.
    pub workers: u32,
    /// Wall times of the sequential runs, in the order of the races; never empty.
    pub sequential: Vec<Duration>,
    /// Wall times of the other runs, in the same order; empty where the claim is about the sequential run.
    pub concurrent: Vec<Duration>,
    /// The most that so many workers can reach with the sequential run's tasks, the median of the races.
    pub bound: Option<f64>,
    /// The tasks of the first race in the order in which the other run finished them, counted from 1; few
    /// tasks only.
    pub finish_order: Vec<usize>,
    /// The link that would explain the published figures, where one would.
    pub link: Option<Link>,
}

/// A link that all downloads share.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Its rate in bytes a second, where delays are not scaled: a scaled race has one that is faster by the
    /// same factor.
    pub rate: u64,
    /// The speedups through it, one for each race.
    pub speedups: Vec<f64>,
}

impl Measured {
    /// The speedups, race by race.
    pub fn speedups(&self) -> Vec<f64> {
        let pairs = self.sequential.iter().zip(&self.concurrent);
        pairs.filter_map(|(sequential, this)| stats::speedup(*sequential, *this)).collect()
    }
}

/// How often a race is run at most whose program was stopped in its middle.
const TRIES: usize = 3;

/// Races the claim's scenario `repeat` times, and tells before each race which one it is. `settings` has
/// the scenarios with their delays scaled. One of the `signals` ends it.
///
/// # Errors
/// When a race can't be run, a run can't be compared, or a signal comes.
pub fn check(
    claim: &Claim,
    settings: &Settings,
    repeat: usize,
    signals: &Signals,
    tell: &mut dyn FnMut(&str),
) -> Result<Measured, ClaimsError> {
    let found = settings.scenarios.iter().find(|scenario| scenario.name == claim.scenario);
    let scenario = found.ok_or(ClaimsError::NoScenario(claim.scenario))?;
    let choice: ExecutorChoice =
        claim.executor.parse().map_err(|error| ClaimsError::Executor { scenario: claim.scenario, error })?;
    let mut executors = vec![ExecutorChoice::plain(ExecutorKind::Sequential)];
    if choice.kind != ExecutorKind::Sequential {
        executors.push(choice);
    }
    let checking =
        Checking { claim, settings, scenario: Scenario { executors, ..scenario.clone() }, signals };
    let mut measured = Measured {
        workers: 1,
        sequential: Vec::new(),
        concurrent: Vec::new(),
        bound: None,
        finish_order: Vec::new(),
        link: None,
    };
    let (mut bytes, mut bounds) = (0, Vec::new());
    for number in 1..=repeat {
        tell(&format!("{} {number}/{repeat}", claim.scenario));
        let race = checking.race(&checking.scenario.work)?;
        let sequential = &race.runs()[0];
        measured.sequential.extend(sequential.wall());
        bytes = sequential.bytes();
        if let Some(other) = race.runs().get(1) {
            measured.concurrent.extend(other.wall());
            measured.workers = other.plan().workers;
            bounds.extend(bound(sequential, measured.workers));
            if number == 1 {
                measured.finish_order = finish_order(other);
            }
        }
    }
    measured.bound = Spread::of(&bounds).map(|bounds| bounds.median);
    measured.link = checking.link(&measured, bytes, tell)?;
    Ok(measured)
}

/// A claim that is being checked.
struct Checking<'a> {
    claim: &'a Claim,
    settings: &'a Settings,
    /// The claim's, with the executors that are compared.
    scenario: Scenario,
    signals: &'a Signals,
}

impl Checking<'_> {
    /// Looks for the link that explains a published speedup below what the workers reach: through the rate at
    /// which all bytes take as long as the published speedup says, by arithmetic; then races through it.
    fn link(
        &self,
        measured: &Measured,
        bytes: u64,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Option<Link>, ClaimsError> {
        let claim = self.claim;
        let Work::Download(Source::Origin { content, shape }) = &self.scenario.work else { return Ok(None) };
        let seconds: Vec<f64> = measured.sequential.iter().map(Duration::as_secs_f64).collect();
        let figures = (claim.arithmetic(), Spread::of(&measured.speedups()), Spread::of(&seconds));
        let (Some((_, published)), Some(reached), Some(sequential)) = figures else { return Ok(None) };
        // A bandwidth per connection is what leaves room for a shared one to be the limit.
        if claim.remark.is_some() || published > 0.8 * reached.median || shape.bandwidth.is_none() {
            return Ok(None);
        }
        let through = |rate: u64| -> Result<Option<f64>, ClaimsError> {
            let shape = crate::origin::Shape { shared_bandwidth: NonZeroU64::new(rate), ..*shape };
            let race = self.race(&Work::Download(Source::Origin { content: content.clone(), shape }))?;
            let walls = (race.runs()[0].wall(), race.runs().get(1).and_then(RunState::wall));
            let (Some(sequential), Some(other)) = walls else { return Ok(None) };
            Ok(stats::speedup(sequential, other))
        };
        let races = measured.sequential.len();
        tell(&format!("{} looking for the link", claim.scenario));
        let mut rate = (bytes as f64 * published / sequential.median) as u64;
        if let Some(first) = through(rate)? {
            // Latency and the last task of the schedule leave the link idle for a part of the time.
            rate = (rate as f64 * published / first) as u64;
        }
        let mut speedups = Vec::new();
        for number in 1..=races {
            tell(&format!("{} through one link {number}/{races}", claim.scenario));
            speedups.extend(through(rate)?);
        }
        let rate = (rate as f64 * self.settings.time_scale.factor()) as u64;
        Ok(Some(Link { rate, speedups }))
    }

    /// A race of the scenario with this work, all of whose runs can be compared.
    fn race(&self, work: &Work) -> Result<RaceState, ClaimsError> {
        let scenario = Scenario { work: work.clone(), ..self.scenario.clone() };
        let settings = Settings { scenario, repeats: Repeats::ONCE, ..self.settings.clone() };
        let mut tries = 0;
        loop {
            tries += 1;
            let race = self.race_once(&settings)?;
            let summary = Summary::of(&race, race.last_moment());
            let mut reasons = summary.runs.iter().filter_map(|run| Some((run, run.comparable.reason()?)));
            match reasons.next() {
                None => return Ok(race),
                Some((_, Reason::Interrupted { .. })) if tries < TRIES => {}
                Some((run, reason)) => {
                    return Err(ClaimsError::NotComparable {
                        scenario: self.claim.scenario,
                        label: run.label.clone(),
                        reason: reason.clone(),
                    });
                }
            }
        }
    }

    fn race_once(&self, settings: &Settings) -> Result<RaceState, ClaimsError> {
        let broke = |error| ClaimsError::Race { scenario: self.claim.scenario, error };
        let raced = plain::run(settings, self.signals, io::sink()).map_err(broke)?;
        if let Some(signal) = self.signals.heard() {
            return Err(ClaimsError::Signal(signal));
        }
        match (raced.race, raced.error) {
            (_, Some(error)) => Err(broke(error)),
            (Some(race), None) => Ok(race),
            (None, None) => Err(broke(RaceError::Cancelled)),
        }
    }
}

/// What so many workers can reach at most with the tasks of a sequential run.
fn bound(sequential: &RunState, workers: u32) -> Option<f64> {
    let tasks = sequential.tasks().iter();
    let latencies: Vec<Duration> =
        tasks.filter_map(|task| Some(task.finished?.since(task.started?))).collect();
    Some(ScheduleBound::of(&latencies, workers)?.at(f64::from(workers)))
}

fn finish_order(run: &RunState) -> Vec<usize> {
    if run.tasks().len() > ORDER_TOLD {
        return Vec::new();
    }
    run.finish_order().into_iter().map(|task| task.index() + 1).collect()
}
