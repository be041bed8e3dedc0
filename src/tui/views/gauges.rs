//! The speedup gauges of a race, and the sentence that says what happened.

use std::fmt::Write as _;

use ratatui::layout::Rect;

use crate::event::Order;
use crate::model::RaceState;
use crate::report::words::{self, Glyphs};
use crate::report::{Group, Reason, RunSummary, Summary, gauge_scale};
use crate::stats::Interval;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::{BEYOND, Gauge, PROCESSORS, gauge};

use super::{Scene, name_columns};

/// A rule and a row for each executor.
pub(super) fn gauge_rows(race: &RaceState) -> u16 {
    u16::try_from(race.rounds().groups()).unwrap_or(u16::MAX).saturating_add(1)
}

/// What a gauge is about: a run, or an executor's rounds.
struct Figures<'a> {
    run: &'a RunSummary,
    speedup: Option<f64>,
    /// What the true median of the rounds probably lies in.
    within: Option<Interval>,
    efficiency: Option<f64>,
}

impl Figures<'_> {
    fn of(summary: &Summary) -> Vec<Figures<'_>> {
        let of = |(group, run): (&Group, _)| match summary.repeats() {
            false => of_run(run),
            true => Figures {
                run,
                speedup: group.speedup.map(|speedup| speedup.value),
                within: group.speedup.filter(|_| !group.is_baseline()).and_then(|speedup| speedup.interval),
                efficiency: group.efficiency,
            },
        };
        fn of_run(run: &RunSummary) -> Figures<'_> {
            Figures { run, speedup: run.speedup, within: None, efficiency: run.efficiency }
        }
        summary.groups.iter().zip(summary.typical()).map(of).collect()
    }
}

/// The marks on the gauges that have to be told.
struct Marks {
    /// An ideal lies beyond the scale.
    beyond: bool,
    /// The processors keep a run below its ideal.
    processors: bool,
}

/// What the gauges show, in as many words as a row so wide has room for.
fn title(summary: &Summary, width: u16, on_them: &Marks) -> String {
    let processors = words::processors(summary.cpus);
    let marks = |ideal: &str, beyond: &str, the: &str| {
        let mut words = ideal.to_owned();
        if on_them.beyond {
            let _ = write!(words, ", {BEYOND} {beyond}");
        }
        if on_them.processors {
            let _ = write!(words, ", {PROCESSORS} {the}{processors}");
        }
        words
    };
    let long = marks("◆ marks the ideal", "one beyond the scale", "the ");
    let short = marks("◆ ideal", "beyond", "");
    let titles = match summary.order {
        Order::OneByOne if summary.repeats() => [
            format!("speedup: the median of the rounds, [ ] its 95 % interval; {long}"),
            format!("speedup: median of rounds, [ ] 95 % interval, {short}"),
        ],
        Order::OneByOne => [
            format!("speedup: how many times as fast as sequential; {long}"),
            format!("speedup: times as fast as sequential; {short}"),
        ],
        Order::Together => [
            format!("speedup, while all runs shared the network and the processors; {long}"),
            format!("speedup, while all runs shared everything; {short}"),
        ],
    };
    // A rule has a column and a space on either side of its title.
    let fits = |title: &String| text::width(title) + 4 <= usize::from(width);
    let [roomy, brief] = titles;
    if fits(&roomy) {
        roomy
    } else if fits(&brief) {
        brief
    } else {
        format!("speedup; {short}")
    }
}

/// The gauges of all executors on one scale, and the sentence that says what happened.
pub(super) fn gauges(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    summary: &Summary,
    verdict: &[String],
) {
    let theme = scene.theme;
    let figures = Figures::of(summary);
    let reach = |of: &Figures<'_>| of.within.map_or(of.speedup.unwrap_or(1.0), |within| within.high);
    let measured = || figures.iter().filter(|of| of.speedup.is_some());
    let most = gauge_scale(figures.iter().map(|of| (reach(of), of.run.workers)));
    let marks = Marks {
        beyond: measured().any(|of| f64::from(of.run.workers) > most),
        processors: measured().any(|of| summary.processors_for(of.run).is_some()),
    };
    let title = title(summary, area.width, &marks);
    canvas.part(area).rule(area.y, &title, '─', theme.rule, theme.dim);
    let words_width = if area.width >= 100 { 38 } else { 23 };
    let labels = figures.iter().map(|of| of.run.label.as_str());
    let name = if area.width >= 72 { name_columns(labels, 12, 20) } else { 12 };
    let mut y = area.y + 1;
    for Figures { run, speedup, within, efficiency } in figures {
        if y >= area.bottom() {
            return;
        }
        let x = canvas.text(area.x + 2, y, name, &run.label, theme.run(run.hue));
        canvas.text(x + 1, y, 6, &format!("×{}", run.workers), theme.dim);
        let left = area.x + 6 + name;
        let row = Rect { x: left, y, width: area.width.saturating_sub(7 + name + words_width), height: 1 };
        let right = row.right() + 2;
        let room = area.right().saturating_sub(right + 1);
        match speedup {
            Some(value) => {
                let ideal = f64::from(run.workers);
                let style = theme.run(run.hue);
                let ends = within.map(|within| (within.low, within.high));
                let processors = summary.processors_for(run);
                let shown = Gauge { value, within: ends, ideal, processors, most };
                gauge(canvas, row, shown, style, theme.track, theme.strong);
                let mut x =
                    canvas.text(right, y, room, &words::times(value, Glyphs::Unicode), theme.strong) + 1;
                if let Some(within) = within {
                    let words = format!("{}–{}", words::ratio(within.low), words::ratio(within.high));
                    let style = if within.includes(1.0) { theme.warn } else { theme.base };
                    x = canvas.text(x, y, area.right().saturating_sub(x + 1), &words, style) + 1;
                }
                // The interval says more than what would be ideal, which is marked.
                let of = match efficiency
                    .filter(|_| within.is_none() || area.width >= 100)
                    .filter(|_| summary.order == Order::OneByOne)
                {
                    Some(_) if within.is_some_and(|within| within.includes(1.0)) => {
                        "no difference told".to_owned()
                    }
                    Some(efficiency) if within.is_some() => {
                        format!("of {ideal:.0}×, {}", words::percent(efficiency))
                    }
                    Some(efficiency) if area.width >= 100 => {
                        format!("of {ideal:.0}× ideal, {} efficient", words::percent(efficiency))
                    }
                    Some(efficiency) => format!("of {ideal:.0}×, {}", words::percent(efficiency)),
                    None if within.is_some() => String::new(),
                    None => format!("of {ideal:.0}×"),
                };
                canvas.text(x, y, area.right().saturating_sub(x + 1), &of, theme.dim);
            }
            None => {
                let (words, style) = match run.comparable.reason() {
                    Some(reason @ (Reason::NotStarted | Reason::UnderWay)) => (reason.to_string(), theme.dim),
                    Some(reason) => (format!("no speedup: {reason}"), theme.warn),
                    None => ("no sequential run to compare with".to_owned(), theme.dim),
                };
                canvas.text(left, y, area.right().saturating_sub(left + 1), &words, style);
            }
        }
        y += 1;
    }
    let said = Rect {
        x: area.x + 2,
        y,
        width: area.width.saturating_sub(3),
        height: area.bottom().saturating_sub(y),
    };
    canvas.lines(said, verdict, theme.strong);
}
