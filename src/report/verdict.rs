//! What happened, in one or two sentences that follow from the figures.

use std::time::Duration;

use crate::event::{ExecutorKind, Order, WorkloadKind};
use crate::model::RunStatus;
use crate::text::fit;

use super::cause::{TELLING, TIE, limit, overlap};
use super::scaling::Scaling;
use super::summary::{Comparable, Reason, RunSummary, Summary};
use super::utilisation::Use;
use super::words::{self, capital, count, counted, listed, percent, ratio, seconds};
use super::{counter, repeated};

/// The longest verdict, in characters.
pub const VERDICT_CHARS: usize = 240;

/// A speedup below this is called none at all.
const FASTER: f64 = 1.05;

/// A speedup that is slower than this is called slower.
const SLOWER: f64 = 0.95;

/// An efficiency below this wants an explanation.
pub(super) const LIMITED: f64 = 0.6;

/// One worker that computes keeps one processor busy; one that got less than this of it was kept waiting.
const STARVED: f64 = 0.9;

/// Workers that keep no more processors busy than this in all take turns.
const ONE_AT_A_TIME: f64 = 1.2;

impl Summary {
    /// What happened in plain words, in at most [`VERDICT_CHARS`] characters on one line and safe to show.
    pub fn verdict(&self) -> String {
        if self.runs.iter().any(|run| matches!(run.status, RunStatus::Running { .. })) {
            let over = self.runs.iter().filter(|run| matches!(run.status, RunStatus::Ended { .. })).count();
            return format!("So far {over} of {} runs are over.", self.runs.len());
        }
        if self.runs.iter().all(|run| run.status == RunStatus::Waiting) {
            return "Nothing has run yet.".to_owned();
        }
        if let Some(lost) = counter::verdict(self) {
            return within(lost);
        }
        if let Some(sentence) = self.scaling.as_ref().and_then(Scaling::sentence) {
            return joined(sentence, [self.hindrance()]);
        }
        if self.repeats() {
            return repeated::verdict(self);
        }
        let Some(fastest) = self.fastest() else { return self.nothing_to_compare() };
        let baseline = match self.baseline() {
            Some(baseline) => baseline,
            None => return self.without_baseline(fastest),
        };
        let Some(sequential) = baseline.wall.filter(|_| baseline.comparable == Comparable::Yes) else {
            return joined(
                format!("There is no speedup to tell, for {}.", hindered(baseline)),
                [self.time_of(fastest)],
            );
        };
        let Some((best, speedup)) = self.best(baseline) else {
            let first = format!("One worker did {} in {}.", self.work(), seconds(sequential));
            return joined(first, [self.hindrance()]);
        };
        if self.order == Order::Together {
            return together(best, sequential);
        }
        self.comparison(baseline, best, sequential, speedup)
    }

    fn comparison(&self, baseline: &RunSummary, best: &RunSummary, before: Duration, speedup: f64) -> String {
        if let Some(busy) = self.starved(baseline) {
            let first = format!(
                "The speedups mislead: something else ran on this machine, and one worker, which computes all the \
                 time, got only {busy:.2} of a processor. Race again when it is quiet."
            );
            return joined(first, [self.hindrance()]);
        }
        let became = format!("{} became {}", seconds(before), seconds(best.wall.unwrap_or_default()));
        let subject = capital(&who(best));
        let hindrance = self.hindrance();
        if best.peak_concurrency == 1 && !(SLOWER..FASTER).contains(&speedup) {
            let [took, alone] = [best.wall.unwrap_or_default(), before].map(seconds);
            let first = format!("{subject} took {took}, one worker {alone}, though nothing overlapped.");
            let luck = "That may be luck: --repeat 10 would tell.".to_owned();
            return joined(first, [luck, hindrance, self.locked(), limit(baseline, best, self)]);
        }
        if speedup < FASTER {
            let others = self.runs.iter().filter(|run| run.speedup.is_some()).count() > 2;
            let which = if others { ", the fastest of the others," } else { "" };
            let verb = if speedup < SLOWER { "slower" } else { "no faster" };
            let were = was(best);
            let first = format!("{subject}{which} {were} {verb} than one worker: {became}.");
            return joined(first, [hindrance, limit(baseline, best, self), self.locked(), self.foreign()]);
        }
        let work = match self.tasks {
            1 => "the same task".to_owned(),
            _ => format!("the same {}", self.work()),
        };
        let times = ratio(speedup);
        let long = format!("{subject} did {work} {times} times as fast as one worker: {became}.");
        let short = format!("{subject} {} {times} times as fast as one worker: {became}.", was(best));
        let why = match best.efficiency {
            Some(efficiency) if efficiency < LIMITED => limit(baseline, best, self),
            _ => overlap(best, self),
        };
        let order = finished(best);
        let equals = self.equals(baseline, best, speedup);
        if !equals.is_empty() {
            let first = format!(
                "{equals} tied within {}, and did {work} up to {times} times as fast as one worker: {became}.",
                percent(TIE)
            );
            return joined(first, [hindrance, self.turns(), why, order, self.foreign()]);
        }
        let fewer = self.with_other_workers(baseline, best);
        let foreign = self.foreign();
        let turns = self.turns();
        let [long, short] = [long, short].map(|first| {
            let others = [&hindrance, &turns, &fewer, &why, &order, &foreign];
            joined(first, others.map(String::clone))
        });
        let sentences = |text: &str| text.matches(". ").count();
        if sentences(&short) > sentences(&long) { short } else { long }
    }

    /// The runs whose speedup is within [`TIE`] of the best, `Threads and async`; empty when the best is
    /// alone.
    fn equals(&self, baseline: &RunSummary, best: &RunSummary, speedup: f64) -> String {
        let equal = |run: &&RunSummary| {
            let near = run.speedup.is_some_and(|other| other >= speedup * (1.0 - TIE));
            std::ptr::eq(*run, best) || near && !std::ptr::eq(*run, baseline)
        };
        let labels: Vec<String> = self.runs.iter().filter(equal).map(|run| fit(&run.label, 16)).collect();
        match &labels[..] {
            [] | [_] => String::new(),
            all => capital(&listed(all)),
        }
    }

    /// That a program's factor is not its executor's alone, where there is one; of the first.
    fn foreign(&self) -> String {
        let program = |run: &&RunSummary| matches!(run.executor, ExecutorKind::External(_));
        self.runs.iter().filter(program).find(|run| run.speedup.is_some()).map_or_else(String::new, |run| {
            format!("{} is another program: its factor is its language's too.", capital(&fit(&run.label, 20)))
        })
    }

    /// How much of a processor one worker got that computes all the time, where something else kept it waiting.
    fn starved(&self, baseline: &RunSummary) -> Option<f64> {
        let computes = self.workload == WorkloadKind::Compute;
        baseline.processors.filter(|busy| computes && *busy < STARVED)
    }

    /// Which runs had several workers compute and kept one processor busy with all of them; empty when none did, or
    /// when others that nothing makes take turns did no better: then something else ran.
    fn turns(&self) -> String {
        let one_at_a_time = |run: &&RunSummary| {
            let used = run.utilisation();
            let all = used.share(Use::Computing) + used.share(Use::Locked);
            run.workers > 1 && all >= TELLING && run.processors.is_some_and(|busy| busy < ONE_AT_A_TIME)
        };
        if self.workload != WorkloadKind::Compute || self.cpus < 2 {
            return String::new();
        }
        let (may, must_not): (Vec<&RunSummary>, Vec<&RunSummary>) =
            self.runs.iter().filter(one_at_a_time).partition(|run| match run.executor {
                ExecutorKind::Async | ExecutorKind::Gil | ExecutorKind::External(_) => true,
                ExecutorKind::Sequential
                | ExecutorKind::Threads
                | ExecutorKind::Pool
                | ExecutorKind::Processes => false,
            });
        let runs = if must_not.is_empty() { may } else { Vec::new() };
        let most = runs.iter().filter_map(|run| run.processors).fold(0.0, f64::max);
        let labels: Vec<String> = runs.iter().map(|run| fit(&run.label, 16)).collect();
        match &labels[..] {
            [] => String::new(),
            all => format!(
                "{} kept {most:.1} of {} busy: workers took turns.",
                capital(&listed(all)),
                words::processors(self.cpus)
            ),
        }
    }

    /// Which run waited the most for a database's lock; empty when none did for long.
    fn locked(&self) -> String {
        let share = |run: &RunSummary| run.utilisation().share(Use::Locked);
        let most = self.runs.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
        let most = most.filter(|run| self.workload == WorkloadKind::Crud && share(run) >= 0.25);
        most.map_or_else(String::new, |run| {
            let wall = seconds(run.wall.unwrap_or_default());
            let waited = percent(share(run));
            format!(
                "{} took {wall}, and waited {waited} of the time for a lock.",
                capital(&fit(&run.label, 16))
            )
        })
    }

    /// What a pool or async did with another number of workers, so that nobody takes workers for a model.
    fn with_other_workers(&self, baseline: &RunSummary, best: &RunSummary) -> String {
        let others =
            self.runs.iter().filter(|run| !std::ptr::eq(*run, baseline) && run.workers != best.workers);
        let other = others.filter_map(|run| Some((run, run.speedup?))).next();
        other.map_or_else(String::new, |(run, speedup)| {
            format!("{}: {} times.", capital(&who(run)), ratio(speedup))
        })
    }

    fn without_baseline(&self, fastest: &RunSummary) -> String {
        let first = self.time_of(fastest);
        joined(first, ["Without a sequential run there is no speedup to tell.".to_owned(), self.hindrance()])
    }

    fn nothing_to_compare(&self) -> String {
        let hindered: Vec<&RunSummary> =
            self.runs.iter().filter(|run| run.comparable != Comparable::Yes).collect();
        let Some(first) = hindered.first() else { return "There is no run to tell of.".to_owned() };
        let cut_short = |run: &&RunSummary| {
            matches!(run.comparable.reason(), Some(Reason::Cancelled { .. } | Reason::NotStarted))
        };
        if hindered.iter().all(cut_short) {
            return joined("Cancelled: nothing can be compared.".to_owned(), [self.hindrance()]);
        }
        let all = match hindered.len() {
            1 => String::new(),
            _ if hindered.iter().any(|run| run.comparable.is_of_all_tasks()) => {
                "No run can be compared. ".to_owned()
            }
            _ => "No run did all of its tasks, so nothing can be compared. ".to_owned(),
        };
        within(format!("{all}{}.", capital(&self::hindered(first))))
    }

    /// The comparable run with the shortest wall time.
    fn fastest(&self) -> Option<&RunSummary> {
        let comparable = self.runs.iter().filter(|run| run.comparable == Comparable::Yes);
        comparable.min_by_key(|run| run.wall.unwrap_or(Duration::MAX))
    }

    /// The run with the highest speedup beside the baseline itself.
    fn best(&self, baseline: &RunSummary) -> Option<(&RunSummary, f64)> {
        let others = self.runs.iter().filter(|run| !std::ptr::eq(*run, baseline));
        others
            .filter_map(|run| Some((run, run.speedup?)))
            .max_by(|(_, a), (_, b)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    }

    /// `20 pictures`.
    pub(super) fn work(&self) -> String {
        counted(self.tasks as u64, "task", &fit(&self.noun, 20))
    }

    fn time_of(&self, run: &RunSummary) -> String {
        let wall = seconds(run.wall.unwrap_or_default());
        format!("{} did {} in {wall}.", capital(&who(run)), self.work())
    }

    /// Which runs claim no speedup, and why the first of them doesn't; empty when all do.
    fn hindrance(&self) -> String {
        let mut hindered = self.runs.iter().filter(|run| run.comparable != Comparable::Yes);
        let Some(first) = hindered.next() else { return String::new() };
        match hindered.count() {
            0 => format!("{}.", capital(&self::hindered(first))),
            more => format!("{}; {more} more can't either.", capital(&self::hindered(first))),
        }
    }
}

/// `pool can't be compared (3 of 20 tasks failed)`.
pub(super) fn hindered(run: &RunSummary) -> String {
    let reason = run.comparable.reason().map_or_else(String::new, Reason::to_string);
    format!("{} can't be compared ({})", fit(&run.label, 24), fit(&reason, 60))
}

fn together(best: &RunSummary, sequential: Duration) -> String {
    let wall = seconds(best.wall.unwrap_or_default());
    let times = format!("{} took {wall}, one worker {}.", capital(&who(best)), seconds(sequential));
    joined(super::summary::SHARED.to_owned(), [times])
}

/// A run's workers as a subject: `the pool of 5`.
pub(super) fn who(run: &RunSummary) -> String {
    let workers = count(u64::from(run.workers));
    match &run.executor {
        ExecutorKind::Sequential => "one worker".to_owned(),
        ExecutorKind::Threads if run.workers == 1 => "one thread".to_owned(),
        ExecutorKind::Threads => format!("{workers} threads"),
        ExecutorKind::Pool => format!("the pool of {workers}"),
        ExecutorKind::Async => format!("async with {workers} in flight"),
        ExecutorKind::Processes if run.workers == 1 => "one process".to_owned(),
        ExecutorKind::Processes => format!("{workers} processes"),
        ExecutorKind::Gil if run.workers == 1 => "one thread under an interpreter lock".to_owned(),
        ExecutorKind::Gil => format!("the {workers} threads under one interpreter lock"),
        ExecutorKind::External(name) if run.workers == 1 => format!("{name} with one worker"),
        ExecutorKind::External(name) => format!("{name} with {workers} workers"),
    }
}

pub(super) fn was(run: &RunSummary) -> &'static str {
    let many = matches!(run.executor, ExecutorKind::Threads | ExecutorKind::Processes | ExecutorKind::Gil);
    if many && run.workers > 1 { "were" } else { "was" }
}

/// In which order the tasks of a run ended, where that is another than the one in which they were handed out.
fn finished(run: &RunSummary) -> String {
    if run.finish_order.is_sorted() {
        return String::new();
    }
    let order: Vec<String> = run.finish_order.iter().map(|task| (task.index() + 1).to_string()).collect();
    format!("{} finished {}.", capital(&fit(&run.label, 16)), order.join(", "))
}

/// The first sentence, and as many of the others after it as there is room for.
pub(super) fn joined<const N: usize>(first: String, others: [String; N]) -> String {
    let mut text = within(first);
    for other in others.into_iter().filter(|other| !other.is_empty()) {
        if text.chars().count() + 1 + other.chars().count() <= VERDICT_CHARS {
            text.push(' ');
            text.push_str(&other);
        }
    }
    text
}

pub(super) fn within(text: String) -> String {
    if text.chars().count() <= VERDICT_CHARS {
        return text;
    }
    text.chars().take(VERDICT_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use crate::event::{At, Phase, Round, RunEnd, TaskId};
    use crate::model::{Counter, Counts, Hue, Mix};
    use crate::stats;

    use super::*;

    fn mix(of: &[(Phase, u64)]) -> Mix {
        let mut mix = Mix::default();
        for &(phase, millis) in of {
            mix.0[phase.index()] = millis * 1_000_000;
        }
        mix
    }

    /// A run that did every one of 20 tasks in `millis`, without a speedup yet.
    fn run(executor: ExecutorKind, workers: u32, millis: u64, phases: &[(Phase, u64)]) -> RunSummary {
        let wall = Duration::from_millis(millis);
        let phases = mix(phases);
        let status = RunStatus::Ended { from: At::ZERO, to: At::from_duration(wall), end: RunEnd::Completed };
        RunSummary {
            label: executor.name().to_owned(),
            round: Round::ONLY,
            hue: Hue::ALL[0],
            executor,
            workers,
            variant: None,
            status,
            wall: Some(wall),
            speedup: None,
            improvement: None,
            efficiency: None,
            latency: None,
            bytes: 0,
            bytes_per_second: None,
            tasks_per_second: None,
            peak_concurrency: workers,
            cpu: None,
            processors: None,
            peak_memory: None,
            counter: None,
            counts: Counts { done: 20, ..Counts::default() },
            phases,
            idle: (wall * workers).saturating_sub(Duration::from_nanos(phases.busy())),
            critical: None,
            finish_order: Vec::new(),
            comparable: Comparable::Yes,
        }
    }

    fn sequential() -> RunSummary {
        run(ExecutorKind::Sequential, 1, 10_020, &[(Phase::Waiting, 6_000), (Phase::Receiving, 4_000)])
    }

    fn pool(millis: u64, phases: &[(Phase, u64)]) -> RunSummary {
        run(ExecutorKind::Pool, 5, millis, phases)
    }

    fn hindered(mut run: RunSummary, reason: Reason) -> RunSummary {
        run.comparable = Comparable::No(reason);
        run
    }

    fn failing(run: RunSummary) -> RunSummary {
        let counts = Counts { done: 17, failed: 3, ..Counts::default() };
        hindered(run, Reason::Incomplete { counts, tasks: 20 })
    }

    fn verdict_told(workload: WorkloadKind, order: Order, mut runs: Vec<RunSummary>) -> String {
        let base = runs.iter().find(|run| run.executor == ExecutorKind::Sequential).and_then(|run| run.wall);
        let comparable = |run: &RunSummary| run.comparable == Comparable::Yes;
        if runs.iter().any(|run| run.executor == ExecutorKind::Sequential && comparable(run)) {
            for run in runs.iter_mut().filter(|run| comparable(run)) {
                run.speedup = base.zip(run.wall).and_then(|(base, wall)| stats::speedup(base, wall));
                run.efficiency = run.speedup.and_then(|speedup| stats::efficiency(speedup, run.workers));
            }
        }
        let verdict = Summary {
            workload,
            noun: "downloads".to_owned(),
            tasks: 20,
            order,
            cpus: 2,
            runs,
            scaling: None,
            rounds: 1,
            warmups: 0,
            groups: Vec::new(),
            level: Vec::new(),
        }
        .verdict();
        assert!(verdict.chars().count() <= VERDICT_CHARS, "{verdict}");
        verdict
    }

    fn verdict_in(order: Order, runs: Vec<RunSummary>) -> String {
        verdict_told(WorkloadKind::Download, order, runs)
    }

    fn verdict_of(workload: WorkloadKind, runs: Vec<RunSummary>) -> String {
        verdict_told(workload, Order::OneByOne, runs)
    }

    fn verdict(runs: Vec<RunSummary>) -> String {
        verdict_in(Order::OneByOne, runs)
    }

    #[test]
    fn waiting_overlaps() {
        let pool = pool(2_060, &[(Phase::Waiting, 9_900), (Phase::Writing, 100)]);
        assert_eq!(
            verdict(vec![sequential(), pool]),
            "The pool of 5 did the same 20 downloads 4.86 times as fast as one worker: 10.02 s became 2.06 s. \
             Pool waited for the server 96 % of the time: I/O-bound, waits overlap."
        );
    }

    #[test]
    fn the_fastest_of_several_is_named() {
        let threads = run(ExecutorKind::Threads, 20, 600, &[(Phase::Waiting, 9_900)]);
        let text = verdict(vec![sequential(), pool(2_060, &[(Phase::Waiting, 9_900)]), threads]);
        assert_eq!(
            text,
            "20 threads did the same 20 downloads 16.70 times as fast as one worker: 10.02 s became 600 ms. \
             The pool of 5: 4.86 times. Threads waited for the server 82 % of the time: I/O-bound, \
             waits overlap."
        );
    }

    #[test]
    fn a_hair_decides_nothing() {
        let waiting = [(Phase::Waiting, 9_900)];
        let runs = vec![
            sequential(),
            run(ExecutorKind::Threads, 5, 2_040, &waiting),
            pool(2_060, &waiting),
            run(ExecutorKind::Async, 5, 2_050, &waiting),
        ];
        assert_eq!(
            verdict(runs),
            "Threads, pool and async tied within 3 %, and did the same 20 downloads up to 4.91 times as fast as one worker: 10.02 s \
             became 2.04 s. Threads waited for the server 97 % of the time: I/O-bound, waits overlap."
        );
    }

    #[test]
    fn a_full_link_is_the_limit() {
        let pool = pool(6_000, &[(Phase::Waiting, 6_000), (Phase::Receiving, 23_000)]);
        assert_eq!(
            verdict(vec![sequential(), pool]),
            "The pool of 5 did the same 20 downloads 1.67 times as fast as one worker: 10.02 s became 6.00 s. \
             In pool, receiving took each task 5.75 times as long as with one worker: the link or the processors probably set the limit."
        );
    }

    #[test]
    fn a_link_that_gives_all_runs_the_same_is_full() {
        let receiving = |millis, workers| {
            let mut run = run(ExecutorKind::Pool, workers, millis, &[(Phase::Receiving, 5 * millis)]);
            (run.bytes_per_second, run.processors) = (Some(2.5e6), Some(0.2));
            run
        };
        let text = verdict(vec![sequential(), receiving(6_000, 5), receiving(6_100, 5)]);
        let so = "In pool, receiving took each task 7.50 times as long as with one worker: the link is full at 2.5 MB/s.";
        assert!(text.ends_with(so), "{text}");
        let mut busy = receiving(7_000, 5);
        busy.processors = Some(1.9);
        let text = verdict(vec![sequential(), receiving(6_000, 5), busy]);
        assert!(text.contains("the link or the processors"), "{text}");
    }

    #[test]
    fn workers_without_tasks_are_the_limit() {
        let few = run(ExecutorKind::Pool, 30, 1_000, &[(Phase::Waiting, 10_000)]);
        let text = verdict(vec![sequential(), few]);
        assert!(
            text.ends_with(
                "In pool, workers had no task 67 % of the time: there are more workers than tasks."
            ),
            "{text}"
        );
        let uneven = pool(5_000, &[(Phase::Waiting, 10_000)]);
        let text = verdict(vec![sequential(), uneven]);
        assert!(text.ends_with("In pool, workers had no task 60 % of the time."), "{text}");
    }

    #[test]
    fn computing_is_told_with_the_processors_that_it_keeps_busy() {
        let computing = |millis, busy| {
            let mut run = run(ExecutorKind::Pool, 2, millis, &[(Phase::Computing, 2 * millis)]);
            run.processors = busy;
            run
        };
        let text = verdict(vec![sequential(), computing(5_100, Some(1.96))]);
        assert!(
            text.ends_with("Pool computed 100 % of the time: CPU-bound, it kept 2.0 of 2 processors busy."),
            "{text}"
        );
        let text = verdict(vec![sequential(), computing(9_900, Some(1.0))]);
        assert!(
            text.ends_with("19.80 s more than with one worker: the run got 1.0 of 2 processors."),
            "{text}"
        );
    }

    fn computed(executor: ExecutorKind, workers: u32, millis: u64, processors: f64) -> RunSummary {
        let of = [(Phase::Computing, u64::from(workers) * millis)];
        RunSummary { processors: Some(processors), ..run(executor, workers, millis, &of) }
    }

    #[test]
    fn who_took_turns_at_one_processor_is_told() {
        let alone = computed(ExecutorKind::Sequential, 1, 10_000, 1.0);
        assert_eq!(
            who(&computed(ExecutorKind::Gil, 1, 10_300, 0.98)),
            "one thread under an interpreter lock"
        );
        let mut gil = computed(ExecutorKind::Gil, 4, 10_300, 0.98);
        gil.phases = mix(&[(Phase::Computing, 10_300), (Phase::Locked, 30_900)]);
        let program = computed(ExecutorKind::External("python-threads".into()), 4, 90_000, 1.01);
        let pool = computed(ExecutorKind::Pool, 4, 5_200, 1.93);
        let text = verdict_of(WorkloadKind::Compute, vec![alone, pool, gil, program]);
        assert!(
            text.contains("Gil and python-threads kept 1.0 of 2 processors busy: workers took turns."),
            "{text}"
        );
    }

    #[test]
    fn nobody_took_turns_where_something_else_ran() {
        let alone = computed(ExecutorKind::Sequential, 1, 10_000, 0.95);
        let (threads, gil) =
            (computed(ExecutorKind::Threads, 4, 8_000, 1.1), computed(ExecutorKind::Gil, 4, 11_000, 0.9));
        let text = verdict_of(WorkloadKind::Compute, vec![alone, threads, gil]);
        assert!(text.ends_with("the run got 1.1 of 2 processors."), "{text}");
    }

    #[test]
    fn one_worker_that_was_kept_waiting_is_no_measure() {
        let alone = computed(ExecutorKind::Sequential, 1, 11_190, 0.44);
        let pool = computed(ExecutorKind::Pool, 4, 2_280, 1.9);
        let text = verdict_of(WorkloadKind::Compute, vec![alone, pool]);
        assert!(text.starts_with("The speedups mislead: something else ran"), "{text}");
        assert!(text.contains("got only 0.44 of a processor"), "{text}");
    }

    #[test]
    fn who_waited_for_the_databases_lock_is_told() {
        let alone = run(ExecutorKind::Sequential, 1, 650, &[(Phase::Writing, 600)]);
        let threads = run(ExecutorKind::Threads, 5, 1_950, &[(Phase::Writing, 600), (Phase::Locked, 7_800)]);
        let mut slots = run(ExecutorKind::Async, 5, 690, &[(Phase::Writing, 650)]);
        slots.peak_concurrency = 1;
        let text = verdict_of(WorkloadKind::Crud, vec![alone, threads, slots]);
        assert!(text.ends_with("Threads took 1.95 s, and waited 80 % of the time for a lock."), "{text}");
    }

    #[test]
    fn another_order_than_the_one_they_began_in_is_told() {
        let mut pool = pool(2_060, &[(Phase::Waiting, 9_900)]);
        pool.finish_order = [0, 2, 1].map(TaskId).to_vec();
        let text = verdict(vec![sequential(), pool.clone()]);
        assert!(text.ends_with("Pool finished 1, 3, 2."), "{text}");
        pool.finish_order.sort();
        let text = verdict(vec![sequential(), pool]);
        assert!(!text.contains("finished"), "{text}");
    }

    #[test]
    fn a_program_is_not_compared_by_its_executor_alone() {
        let waiting = [(Phase::Waiting, 9_900)];
        let program = run(ExecutorKind::External("python-threads".into()), 5, 3_000, &waiting);
        let text = verdict(vec![sequential(), pool(2_060, &waiting), program]);
        assert!(
            text.ends_with("Python-threads is another program: its factor is its language's too."),
            "{text}"
        );
    }

    #[test]
    fn what_did_not_overlap_is_called_no_gain() {
        for (millis, took) in [(8_000, "8.00 s"), (12_000, "12.00 s")] {
            let mut alone = run(ExecutorKind::Async, 5, millis, &[(Phase::Writing, millis)]);
            alone.peak_concurrency = 1;
            let text = verdict(vec![sequential(), alone]);
            assert_eq!(
                text,
                format!(
                    "Async with 5 in flight took {took}, one worker 10.02 s, though nothing overlapped. That may be \
                     luck: --repeat 10 would tell. On the event loop each task kept the one thread until it was done."
                )
            );
        }
    }

    #[test]
    fn no_faster_and_slower() {
        let busy = [(Phase::Computing, 50_000)];
        let text = verdict(vec![sequential(), pool(10_010, &busy)]);
        assert_eq!(
            text,
            "The pool of 5 was no faster than one worker: 10.02 s became 10.01 s. In pool, computing took 50.00 s more \
             than with one worker: the processors probably set the limit."
        );
        let text = verdict(vec![sequential(), pool(20_000, &[]), pool(30_000, &[])]);
        assert_eq!(
            text,
            "The pool of 5, the fastest of the others, was slower than one worker: 10.02 s became 20.00 s."
        );
    }

    #[test]
    fn without_a_baseline_there_is_no_speedup() {
        assert_eq!(
            verdict(vec![pool(2_060, &[])]),
            "The pool of 5 did 20 downloads in 2.06 s. Without a sequential run there is no speedup to tell."
        );
        assert_eq!(verdict(vec![sequential()]), "One worker did 20 downloads in 10.02 s.");
    }

    #[test]
    fn failures_claim_nothing() {
        assert_eq!(
            verdict(vec![sequential(), failing(pool(1_000, &[]))]),
            "One worker did 20 downloads in 10.02 s. Pool can't be compared (3 of 20 tasks failed)."
        );
        assert_eq!(
            verdict(vec![failing(sequential()), pool(2_060, &[])]),
            "There is no speedup to tell, for sequential can't be compared (3 of 20 tasks failed). \
             The pool of 5 did 20 downloads in 2.06 s."
        );
        assert_eq!(
            verdict(vec![failing(sequential()), failing(pool(2_060, &[]))]),
            "No run did all of its tasks, so nothing can be compared. \
             Sequential can't be compared (3 of 20 tasks failed)."
        );
        let text = verdict(vec![sequential(), pool(2_060, &[]), failing(pool(1_000, &[]))]);
        assert!(text.ends_with("2.06 s. Pool can't be compared (3 of 20 tasks failed)."), "{text}");
    }

    #[test]
    fn a_wrong_sum_is_no_task_undone() {
        let wrong = hindered(sequential(), Reason::WrongSum(Counter { expected: 20, actual: 5 }));
        let cancelled = || hindered(pool(1_000, &[]), Reason::Cancelled { done: 1, tasks: 4 });
        let text = verdict(vec![wrong, cancelled()]);
        assert!(text.starts_with("No run can be compared. Sequential can't"), "{text}");
        let text = verdict(vec![failing(sequential()), cancelled()]);
        assert!(text.starts_with("No run did all of its tasks, so nothing can be compared."), "{text}");
    }

    #[test]
    fn cancelled_runs_are_said_to_be() {
        let reason = || Reason::Cancelled { done: 12, tasks: 20 };
        assert_eq!(
            verdict(vec![hindered(sequential(), reason())]),
            "Cancelled: nothing can be compared. Sequential can't be compared (cancelled with 12 of 20 tasks done)."
        );
        assert_eq!(
            verdict(vec![hindered(sequential(), reason()), hindered(pool(0, &[]), Reason::NotStarted)]),
            "Cancelled: nothing can be compared. Sequential can't be compared (cancelled with 12 of 20 tasks done); \
             1 more can't either."
        );
        let text = verdict(vec![sequential(), hindered(pool(1_000, &[]), reason())]);
        assert!(text.ends_with("Pool can't be compared (cancelled with 12 of 20 tasks done)."), "{text}");
    }

    #[test]
    fn together_is_a_show() {
        assert_eq!(
            verdict_in(Order::Together, vec![sequential(), pool(2_060, &[])]),
            "The runs ran at once and shared the network and the processors: a show, not a measurement. \
             The pool of 5 took 2.06 s, one worker 10.02 s."
        );
    }

    #[test]
    fn before_the_end_nothing_is_claimed() {
        let mut waiting = sequential();
        waiting.status = RunStatus::Waiting;
        waiting.comparable = Comparable::No(Reason::NotStarted);
        assert_eq!(verdict(vec![waiting]), "Nothing has run yet.");
        let mut running = pool(1, &[]);
        running.status = RunStatus::Running { since: At::ZERO };
        running.comparable = Comparable::No(Reason::UnderWay);
        assert_eq!(verdict(vec![sequential(), running]), "So far 1 of 2 runs are over.");
        assert_eq!(verdict(Vec::new()), "Nothing has run yet.");
    }

    #[test]
    fn long_foreign_words_are_cut() {
        let mut pool = hindered(pool(1_000, &[]), Reason::Broken { message: "no\u{1b}[31m! ".repeat(100) });
        pool.label = "\u{202e}evil".repeat(50);
        let runs = vec![sequential(), pool.clone(), pool];
        let summary = Summary {
            workload: WorkloadKind::Download,
            noun: "n".repeat(500),
            tasks: 20,
            order: Order::OneByOne,
            cpus: 2,
            runs,
            scaling: None,
            rounds: 1,
            warmups: 0,
            groups: Vec::new(),
            level: Vec::new(),
        };
        let text = summary.verdict();
        assert!(text.chars().count() <= VERDICT_CHARS && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}
