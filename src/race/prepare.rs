//! Everything that happens before the clock of the first run starts: the work, the output folder, the plan
//! and the jobs of its runs.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use crate::chance::{Rng, fnv1a};
use crate::clock::Clock;
use crate::config::{Repeats, Settings};
use crate::event::{At, ClockZero, Event, ExecutorKind, Machine, RacePlan, Round, RunId, RunPlan};
use crate::executor::{Job, Patience};
use crate::origin::Origin;
use crate::scenario::{self, ExecutorChoice, Programs, Scenario};
use crate::workload::{self, Emitter, OutputFolder, Progress, RunFolder, SIGN_OF_LIFE, TaskFault};

use super::work::{Libraries, OutputNeed, Preparation, Supply};
use super::{Preparing, RaceError};

/// A race that is ready to start.
pub(super) struct Prepared {
    pub(super) plan: Arc<RacePlan>,
    pub(super) clock: Clock,
    supply: Supply,
    scenario: Scenario,
    programs: Programs,
    patience: Patience,
    /// By run, which of the scenario's executors it is of.
    choices: Vec<usize>,
    output: Option<Output>,
    /// Serves for as long as the race is.
    _origin: Option<Origin>,
}

/// The output folder with the folders of the executors' runs, in the order of the executors: runs that repeat
/// each other share one, in which each replaces the files of the one before.
struct Output {
    folder: OutputFolder,
    runs: Vec<RunFolder>,
}

/// How long processes may keep silent over these tasks. A program that computes has nothing to tell, and one
/// that sleeps neither.
fn patience(settings: &Settings) -> Patience {
    const READY: Duration = Duration::from_secs(10);
    const MARGIN: Duration = Duration::from_secs(10);
    const COMPUTING: Duration = Duration::from_secs(3600);
    let silent = match &settings.scenario.work {
        scenario::Work::Download(_) | scenario::Work::Api { .. } => settings.download.deadline,
        scenario::Work::Sleep(durations) => durations.iter().max().copied().unwrap_or_default(),
        _ => COMPUTING,
    };
    Patience { ready: READY, silent: silent + MARGIN }
}

pub(super) fn prepare(
    settings: &Settings,
    libraries: &Libraries,
    cancel: &CancellationToken,
    tell: &dyn Fn(Preparing),
) -> Result<Prepared, RaceError> {
    raise_open_files();
    workload::outlive_large_files();
    let scenario = &settings.scenario;
    let preparation = Preparation { settings, libraries, cancel, tell };
    let (work, clock) = preparation.work()?;
    let executors = scenario.executors.len();
    if let Some(why_not) = settings.repeats.why_not(settings.order, executors, work.tasks.len()) {
        return Err(RaceError::Repeats(why_not));
    }
    let once = run_plans(scenario, work.tasks.len());
    let (runs, choices) = in_rounds(&once, settings.repeats, settings.seed);
    // Names are claimed only for runs that will start: what is claimed counts as ours from then on.
    if cancel.is_cancelled() {
        return Err(RaceError::Cancelled);
    }
    let output = match work.output {
        OutputNeed::Nothing => None,
        OutputNeed::Folder => {
            tell(Preparing::Output);
            let mut folder = OutputFolder::open(&settings.output)?;
            let names: Vec<&str> = work.files.iter().map(String::as_str).collect();
            let folders: Vec<&str> = once.iter().map(|run| run.label.as_str()).collect();
            let runs = folder.make_room(&folders, &names)?;
            Some(Output { folder, runs })
        }
    };
    let plan = Arc::new(RacePlan {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        workload: scenario.work.kind(),
        noun: work.noun.to_owned(),
        source: work.source,
        time_scale: settings.time_scale,
        seed: settings.seed,
        order: settings.order,
        tasks: work.tasks,
        runs,
        output: std::path::absolute(&settings.output).unwrap_or_else(|_| PathBuf::from(&settings.output)),
        machine: machine(),
        zero: clock_zero(&clock),
    });
    Ok(Prepared {
        plan,
        clock,
        supply: work.supply,
        scenario: scenario.clone(),
        programs: settings.programs.clone(),
        patience: patience(settings),
        choices,
        output,
        _origin: work.origin,
    })
}

impl Prepared {
    /// The jobs of the race, in the order of its runs.
    pub(super) fn jobs(
        &self,
        cancel: &CancellationToken,
        events: mpsc::Sender<Event>,
    ) -> Result<Vec<Job>, RaceError> {
        let tasks = self.plan.tasks.len();
        let emitter = Emitter::new(self.clock.clone(), events);
        let own_program: Arc<Path> = own_program().into();
        let runs = self.plan.runs.iter().zip(&self.choices).enumerate();
        runs.map(|(index, (run, &of))| {
            let choice = self.scenario.executors.get(of);
            let choice = choice.ok_or_else(|| RaceError::Internal("a run has no executor".to_owned()))?;
            let folder = self.output.as_ref().and_then(|output| output.runs.get(of));
            let program = match &run.executor {
                ExecutorKind::External(name) => self.programs.get(name),
                _ => None,
            };
            Ok(Job {
                executor: run.executor.clone(),
                run: RunId::of(index),
                tasks,
                workers: NonZeroUsize::new(run.workers as usize).unwrap_or(NonZeroUsize::MIN),
                async_threads: NonZeroUsize::new(self.scenario.async_threads).unwrap_or(NonZeroUsize::MIN),
                collect: choice.collect(),
                main_work: self.scenario.main_work,
                command: program.map_or_else(|| Arc::from([]), |program| program.command.clone().into()),
                own_program: own_program.clone(),
                patience: self.patience,
                workload: self.supply.workload(&self.plan, choice, folder)?,
                emitter: emitter.clone(),
                progress: Progress::new(tasks),
                cancel: cancel.clone(),
            })
        })
        .collect()
    }

    /// Whether a run repeats one before it.
    fn is_repeat(&self, job: &Job) -> bool {
        let round = |run: RunId| self.plan.runs.get(run.index()).map(|run| run.round);
        round(job.run) != round(RunId(0))
    }

    /// Gets ready what the tasks of the first round are to find, such as files to read.
    pub(super) fn get_ready(&self, jobs: &[Job], cancel: &CancellationToken) -> Result<(), RaceError> {
        jobs.iter().filter(|job| !self.is_repeat(job)).try_for_each(|job| {
            job.workload.prepare(cancel).map_err(|fault| match fault {
                TaskFault::Failed(error) => RaceError::Unready(error),
                TaskFault::Stopped => RaceError::Cancelled,
            })
        })
    }

    /// Gets ready for a run of a later round, right before it and beside its clock: twenty rounds have no more
    /// on the disk at once than one.
    ///
    /// # Errors
    /// In words, when the run can't be begun.
    pub(super) fn get_ready_again(&self, job: &Job) -> Result<(), String> {
        if !self.is_repeat(job) {
            return Ok(());
        }
        let of = self.choices.get(job.run.index());
        if let Some(folder) = of.and_then(|&of| self.output.as_ref()?.runs.get(of)) {
            let refused = |error| format!("the files of the round before can't be removed: {error}");
            folder.make_room_again().map_err(refused)?;
        }
        match job.workload.prepare(&job.cancel) {
            Ok(()) => Ok(()),
            Err(TaskFault::Failed(error)) => Err(error.message),
            Err(TaskFault::Stopped) => Err(RaceError::Cancelled.to_string()),
        }
    }

    /// Says in the output folder once a second that the race goes on, until nobody is left to send `over`.
    pub(super) fn goes_on_until(&self, over: &mpsc::Receiver<Infallible>) {
        let Some(output) = &self.output else { return };
        while let Err(mpsc::RecvTimeoutError::Timeout) = over.recv_timeout(SIGN_OF_LIFE) {
            output.folder.is_in_use();
        }
    }

    /// Takes note of the files that the race wrote.
    pub(super) fn tidy(&mut self) -> Result<(), RaceError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        Ok(output.folder.close_runs(&output.runs)?)
    }
}

/// The labels of a scenario's runs, in their order.
pub fn labels(scenario: &Scenario) -> Vec<String> {
    run_plans(scenario, scenario.workers).into_iter().map(|run| run.label).collect()
}

/// The runs of one round. A label is the executor's name, and carries the workers and the variant where
/// the same executor runs more than once.
fn run_plans(scenario: &Scenario, tasks: usize) -> Vec<RunPlan> {
    let alike = |choice: &ExecutorChoice| {
        let kind = choice.kind.clone();
        scenario.executors.iter().filter(move |other| other.kind == kind)
    };
    let workers_of = |choice: &ExecutorChoice| choice.workers.unwrap_or(scenario.workers);
    let plan = |choice: &ExecutorChoice| {
        let asked = workers_of(choice);
        let mut label = choice.kind.to_string();
        if alike(choice).any(|other| workers_of(other) != asked) {
            label = format!("{label}-{asked}");
        }
        if let Some(variant) =
            choice.variant.filter(|_| alike(choice).any(|other| other.variant != choice.variant))
        {
            label = format!("{label}-{}", variant.name());
        }
        let workers = u32::try_from(choice.kind.parallelism(asked, tasks)).unwrap_or(u32::MAX);
        RunPlan { executor: choice.kind.clone(), workers, variant: choice.variant, label, round: Round::ONLY }
    };
    scenario.executors.iter().map(plan).collect()
}

/// The runs of all rounds in the order in which they are run, and which of the first round's each repeats. Rounds
/// to warm up and the first that counts keep the order; those after it are shuffled by the seed, each on its own,
/// so that what drifts while the race goes on falls on all executors alike.
fn in_rounds(once: &[RunPlan], repeats: Repeats, seed: u64) -> (Vec<RunPlan>, Vec<usize>) {
    let mut choices = Vec::new();
    let mut runs = Vec::new();
    for round in repeats.rounds() {
        let mut order: Vec<usize> = (0..once.len()).collect();
        if let Round::Counted(number @ 2..) = round {
            // Fisher and Yates's shuffle.
            let mut rng = Rng::new(seed ^ fnv1a(b"rounds"), number as usize);
            for last in (1..order.len()).rev() {
                order.swap(last, rng.below(last + 1));
            }
        }
        runs.extend(order.iter().map(|&of| RunPlan { round, ..once[of].clone() }));
        choices.append(&mut order);
    }
    (runs, choices)
}

fn clock_zero(clock: &Clock) -> ClockZero {
    let calendar = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix = calendar.saturating_sub(clock.now().since(At::ZERO));
    ClockZero {
        monotonic_nanos: clock.start_nanos(),
        unix_nanos: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
    }
}

fn machine() -> Machine {
    let cpus = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Machine {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
    }
}

/// Asks for as many open files as the operating system lets this process have: a thread with its own
/// runtime and connection needs about six, and the usual soft limit of 1024 ends at 170 of them; an
/// origin needs one for each connection.
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Where this program can be started again: on Linux the file that runs, also when another has taken its place
/// or none is there any more.
fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return running;
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("threadrace"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn once(executors: usize) -> Vec<RunPlan> {
        let plan = |index: usize| RunPlan {
            executor: ExecutorKind::Pool,
            workers: 1,
            variant: None,
            label: format!("pool-{index}"),
            round: Round::ONLY,
        };
        (0..executors).map(plan).collect()
    }

    proptest! {
        #[test]
        fn each_round_is_a_permutation_that_the_seed_decides(
            executors in 0_usize..8, counted in 1_u32..20, warmups in 0_u32..4, seed in any::<u64>(),
        ) {
            let repeats = Repeats { counted, warmups };
            let once = once(executors);
            let (runs, choices) = in_rounds(&once, repeats, seed);
            prop_assert_eq!(&(runs.clone(), choices.clone()), &in_rounds(&once, repeats, seed));
            prop_assert_eq!(runs.len(), executors * (counted + warmups) as usize);
            for (run, &of) in runs.iter().zip(&choices) {
                prop_assert_eq!(&run.label, &once[of].label);
            }
            let given: Vec<usize> = (0..executors).collect();
            for ((order, plans), round) in
                choices.chunks(executors.max(1)).zip(runs.chunks(executors.max(1))).zip(repeats.rounds())
            {
                prop_assert!(plans.iter().all(|run| run.round == round));
                let mut sorted = order.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(&sorted, &given);
                if matches!(round, Round::ONLY | Round::Warmup(_)) {
                    prop_assert_eq!(order, &given[..]);
                }
            }
            let names: BTreeSet<String> = runs.iter().map(RunPlan::name).collect();
            prop_assert_eq!(names.len(), runs.len());
        }
    }

    #[test]
    fn every_order_comes_up_about_as_often_as_every_other() {
        let (_, choices) = in_rounds(&once(3), Repeats { counted: 601, warmups: 0 }, 1);
        let mut seen: BTreeMap<&[usize], usize> = BTreeMap::new();
        for order in choices.chunks(3).skip(1) {
            *seen.entry(order).or_default() += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|&times| (70..=130).contains(&times)), "{seen:?}");
        let (_, other) = in_rounds(&once(3), Repeats { counted: 601, warmups: 0 }, 2);
        assert_ne!(choices, other);
    }
}
