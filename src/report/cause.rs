//! Why a run was as fast as it was: what its workers' time went by with, and what kept it from its ideal.

use std::time::Duration;

use crate::event::{ExecutorKind, Phase, WorkloadKind};
use crate::stats::Spread;
use crate::text::fit;

use super::critical::CriticalPath;
use super::summary::{Comparable, RunSummary, Summary};
use super::utilisation::Use;
use super::words::{self, capital, percent, ratio, seconds};

/// Figures that differ by less than this share are told as equal: one run of each can't tell them apart.
pub(super) const TIE: f64 = 0.03;

/// A factor of the efficiency that is nearer to 1 than this explains nothing.
pub(super) const TELLING: f64 = 0.8;

/// Uses of time, what workers did then, and what follows.
type Went<'a> = (&'a [Use], &'a str, &'a str);

/// What the workers' time mostly went by with, where that overlapped.
pub(super) fn overlap(run: &RunSummary, summary: &Summary) -> String {
    let used = run.utilisation();
    let waits = match summary.workload {
        WorkloadKind::Files | WorkloadKind::Crud => ", and that overlapped",
        _ => ": I/O-bound, waits overlap",
    };
    let processors = match run.processors {
        Some(busy) => format!(": CPU-bound, it kept {busy:.1} of {} processors busy", summary.cpus),
        None => ": CPU-bound, on more than one processor".to_owned(),
    };
    let both: Went = (&[Use::Waiting, Use::Receiving], "waited and received", ": I/O-bound, tasks overlap");
    let waited: Went = (&[Use::Waiting], waited(summary.workload), waits);
    let uses: [Went; 5] = [
        if used.share(Use::Receiving) < 0.2 { waited } else { both },
        both,
        (&[Use::Sleeping, Use::BackingOff], "slept", ", and sleep overlaps"),
        (&[Use::Computing], "computed", &processors),
        (&[Use::Locked], "waited for a lock", ", which lets one on at a time"),
    ];
    for (uses, how, so) in uses {
        let share = uses.iter().map(|&of| used.share(of)).sum();
        if share >= 0.5 {
            return format!("{} {how} {} of the time{so}.", capital(&fit(&run.label, 16)), percent(share));
        }
    }
    String::new()
}

/// What workers of a workload do in [`Phase::Waiting`].
fn waited(workload: WorkloadKind) -> &'static str {
    match workload {
        WorkloadKind::Files => "read and compared files",
        WorkloadKind::Crud => "read rows",
        _ => "waited for the server",
    }
}

/// What kept a run from its ideal. With `p` workers over the wall time `T`, busy for `B` in all, and one
/// worker busy for `B₁`: efficiency ≈ `(1 − idle share) · B₁ / B`. The smaller of the two factors is the cause.
pub(super) fn limit(baseline: &RunSummary, run: &RunSummary, summary: &Summary) -> String {
    let (alone, busy) = (baseline.phases.busy() as f64, run.phases.busy() as f64);
    if alone <= 0.0 || busy <= 0.0 || run.workers < 2 {
        return String::new();
    }
    // A task that keeps the loop's thread to itself lets no other start.
    if run.executor == ExecutorKind::Async && run.peak_concurrency == 1 {
        return "On the event loop each task kept the one thread until it was done.".to_owned();
    }
    let (used, label) = (1.0 - run.idle_share(), fit(&run.label, 16));
    if used.min(alone / busy) > TELLING {
        return String::new();
    }
    if used <= alone / busy {
        let longest = run.critical.as_ref().and_then(CriticalPath::longest_task);
        let why = match longest {
            _ if run.workers as usize > summary.tasks => ": there are more workers than tasks".to_owned(),
            Some(share) if share >= 0.5 => {
                format!(": one task alone took {} of the wall time", percent(share))
            }
            _ => String::new(),
        };
        return format!("In {label}, workers had no task {} of the time{why}.", percent(run.idle_share()));
    }
    let growth = |phase: Phase| run.phases.of(phase).saturating_sub(baseline.phases.of(phase));
    let Some(phase) = Phase::ALL.into_iter().max_by_key(|&phase| growth(phase)) else { return String::new() };
    let (doing, cause) = match phase {
        Phase::Queued | Phase::Connecting => ("connecting", "the server, the link or the processors"),
        Phase::Waiting => match summary.workload {
            WorkloadKind::Files => ("reading and comparing", "the disk or the processors"),
            WorkloadKind::Crud => ("reading rows", "the database or the processors"),
            _ => ("waiting for the server", "the server, the link or the processors"),
        },
        Phase::Receiving => ("receiving", "the link or the processors"),
        Phase::Writing if summary.workload == WorkloadKind::Crud => ("writing rows", "the database"),
        Phase::Writing => ("writing", "the disk"),
        Phase::Computing => ("computing", "the processors"),
        Phase::Locked => ("waiting for locks", "the lock"),
        Phase::Sleeping => ("sleeping", "the waits themselves"),
        Phase::BackingOff => ("backing off", "a server that turned requests away"),
    };
    let more = match baseline.phases.of(phase) {
        0 => format!("{doing} took {} more than", seconds(Duration::from_nanos(growth(phase)))),
        before => {
            let times = ratio(run.phases.of(phase) as f64 / before as f64);
            format!("{doing} took each task {times} times as long as")
        }
    };
    let known = match phase {
        Phase::Computing => run.processors.map(|busy| match busy >= TELLING * f64::from(summary.cpus) {
            true => format!("the tasks shared {}", words::processors(summary.cpus)),
            false => format!("the run got {busy:.1} of {}", words::processors(summary.cpus)),
        }),
        Phase::Receiving => {
            full_link(summary).map(|full| format!("the link is full at {}", words::rate(full)))
        }
        _ => None,
    };
    let so = known.unwrap_or_else(|| format!("{cause} probably set the limit"));
    format!("In {label}, {more} with one worker: {so}.")
}

/// The throughput of the runs that mostly received, where it is the same for two of them at least and the processors
/// had time to spare: more workers get no more from that link.
fn full_link(summary: &Summary) -> Option<f64> {
    let receiving = summary
        .runs
        .iter()
        .filter(|run| run.comparable == Comparable::Yes && run.utilisation().share(Use::Receiving) >= 0.5);
    let spare =
        |run: &RunSummary| run.processors.is_some_and(|busy| busy < TELLING * f64::from(summary.cpus));
    let rates: Option<Vec<f64>> = receiving.map(|run| run.bytes_per_second.filter(|_| spare(run))).collect();
    let spread = Spread::of(&rates.filter(|rates| rates.len() > 1)?)?;
    (spread.least >= spread.most * (1.0 - 2.0 * TIE)).then_some(spread.most)
}
