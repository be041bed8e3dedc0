//! The timeline of a race as a picture for files: the lanes of all runs on one axis, each run from its own
//! start, so that the sequential run is the long one and the others visibly fit inside it.

mod block;
mod lanes;
mod palette;
mod paths;
mod scale;
mod svg;

pub(super) use lanes::{Block, Drawn, Mark, Row, Sign, Timeline, shares, strip};
pub use palette::Theme;
pub(super) use palette::{DARK, LIGHT, TILE, texture, write_pattern};
pub(super) use paths::{Axis, write_row, write_strip};
pub(super) use scale::ticks;
pub use svg::{Ghost, TimelineOptions, timeline_svg};

use std::time::Duration;

use super::summary::Reason;
use super::words::{self, Glyphs, count, percent, seconds, times, workers};

/// The name of a run within its race.
pub(super) fn name(block: &Block<'_>) -> String {
    block.run.plan().name()
}

/// What stands beside a run's name: its workers, its wall time, and how much faster it was or why that can't
/// be said. The most telling first.
pub(super) fn title_words(timeline: &Timeline<'_>, block: &Block<'_>) -> Vec<String> {
    let figures = block.figures;
    // Of the run that the others are measured against, there is nothing to compare.
    let compared = timeline.measure != Some(block.place);
    let mut said = Vec::new();
    match (figures.wall, block.run.started()) {
        (Some(wall), _) => said.push(seconds(wall)),
        (None, Some(_)) => said.push(format!("{} so far", seconds(block.long))),
        (None, None) => said.push(Reason::NotStarted.to_string()),
    }
    if let Some(speedup) = figures.speedup.filter(|_| compared) {
        said.push(times(speedup, Glyphs::Unicode));
    }
    if let Some(reason) = figures.comparable.reason().filter(|_| figures.wall.is_some()) {
        said.push(reason.to_string());
    }
    said.push(workers(figures.workers));
    if let Some(efficiency) = figures.efficiency.filter(|_| compared) {
        said.push(format!("{} efficient", percent(efficiency)));
    }
    said
}

/// The wall time of the sequential run, where it stands behind a run that can be compared with it.
pub(super) fn ghost(timeline: &Timeline<'_>, block: &Block<'_>) -> Option<Duration> {
    let compared = block.figures.speedup.is_some() && timeline.measure != Some(block.place);
    timeline.baseline.filter(|_| compared)
}

/// What the ghosts of a timeline are, where it has any.
pub(super) fn ghost_words(timeline: &Timeline<'_>) -> Option<String> {
    let long = timeline.blocks.iter().find_map(|block| ghost(timeline, block))?;
    Some(format!("Dashed: the {} that the sequential run took.", seconds(long)))
}

/// What is said about what the ghost shows: how much of the sequential run's time a run saved or took more.
pub(super) fn saved_words(block: &Block<'_>, baseline: Duration) -> Option<String> {
    let (wall, _) = (block.figures.wall?, block.figures.speedup?);
    match baseline.checked_sub(wall) {
        Some(saved) if !saved.is_zero() => Some(format!("{} saved", seconds(saved))),
        _ => None,
    }
}

/// How the lanes of a row are called: `1`, or `1–8`.
pub(super) fn lane_words(lanes: &std::ops::Range<usize>) -> String {
    match lanes.len() {
        0 | 1 => count(lanes.start as u64 + 1),
        _ => format!("{}–{}", count(lanes.start as u64 + 1), count(lanes.end as u64)),
    }
}

/// What a row's worker is, in a few words; empty where it stands for several or is not known.
pub(super) fn worker_words(block: &Block<'_>, lanes: &std::ops::Range<usize>) -> String {
    let lane = block.run.lanes().get(lanes.start).filter(|_| lanes.len() == 1);
    let Some(worker) = lane.and_then(|lane| lane.worker()) else { return String::new() };
    match (worker.pid(), worker.thread_id()) {
        (Some(pid), _) => format!("pid {pid}"),
        (None, Some(thread)) => format!("thread {thread}"),
        (None, None) => String::new(),
    }
}

/// How tall the rows of a run are, in pixels: fewer lanes have more room.
pub(super) fn row_height(block: &Block<'_>) -> f64 {
    match block.rows.len() {
        0..=20 => 18.0,
        21..=40 => 14.0,
        _ => 11.0,
    }
}

/// What all pictures of a race say of its axis.
pub(super) const AXIS_WORDS: &str = "time from each run’s own start";

pub(super) fn provenance(race: &crate::model::RaceState) -> String {
    let (plan, machine) = (race.plan(), &race.plan().machine);
    let delays = words::delays(plan.time_scale).map_or_else(String::new, |delays| format!("{delays} · "));
    format!(
        "{delays}seed {} · {} {}, {} processors · threadrace {}",
        plan.seed,
        machine.os,
        machine.arch,
        machine.cpus,
        env!("CARGO_PKG_VERSION")
    )
}
