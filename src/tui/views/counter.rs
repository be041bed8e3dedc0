//! What the shared counter of each run shows, and what is lost of it.

use ratatui::layout::Rect;

use crate::event::WorkloadKind;
use crate::model::{Counter, RaceState, RunState};
use crate::report::words;
use crate::tui::canvas::Canvas;
use crate::tui::theme::LOST;
use crate::tui::ui::Shown;
use crate::tui::widgets::bar_with_loss;

use super::{Scene, name_columns};

/// Columns of each number.
const NUMBER: u16 = 12;

/// A head and a row for each run; none where nothing is counted.
pub(super) fn counter_rows(race: &RaceState) -> u16 {
    match race.plan().workload {
        WorkloadKind::Counter => u16::try_from(race.rounds().groups()).unwrap_or(u16::MAX).saturating_add(1),
        _ => 0,
    }
}

/// A row for each run: a bar of the additions made so far, those that are lost at its end, and the numbers.
/// All bars are on one scale. `head` stands above the names of the runs.
pub(super) fn counters(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    (head, runs): (&str, &[Shown<'_>]),
) {
    if area.height == 0 {
        return;
    }
    let theme = scene.theme;
    let labels = runs.iter().map(|shown| shown.run.plan().label.as_str());
    let name = (area.x + 2, name_columns(labels, 11, 20).min(area.width / 3));
    let right = area.right().saturating_sub(1);
    let [expected, actual, lost] = match area.width {
        72.. => [Some(right.saturating_sub(2 * NUMBER)), Some(right.saturating_sub(NUMBER)), Some(right)],
        50.. => [None, Some(right.saturating_sub(NUMBER)), Some(right)],
        30.. => [None, None, Some(right)],
        _ => [None; 3],
    };
    let heads = [(expected, "expected"), (actual, "actual"), (lost, "lost")];
    canvas.text(name.0, area.y, name.1, head, theme.dim);
    for (right, head) in heads {
        if let Some(right) = right {
            canvas.text_right(right, area.y, NUMBER, head, theme.dim);
        }
    }
    let left = name.0 + name.1 + 2;
    let bar_right = expected.or(actual).or(lost).map_or(right, |first| first.saturating_sub(NUMBER));
    let bar = Rect { x: left, width: bar_right.saturating_sub(left), height: 1, ..area };
    legend(canvas, bar, scene);
    let whole = scale(race, runs);
    for (&Shown { run, .. }, y) in runs.iter().zip(area.y + 1..area.bottom()) {
        let Some(counter) = run.counter() else {
            canvas.text(name.0, y, name.1, &run.plan().label, theme.dim);
            let words = if run.started().is_some() { "" } else { words::not_begun(race) };
            canvas.text(left, y, bar.width, words, theme.dim);
            continue;
        };
        canvas.text(name.0, y, name.1, &run.plan().label, theme.run(run.hue()));
        let share = |additions: u64| additions as f64 / whole.max(1) as f64;
        let shares = (share(counter.expected.min(counter.actual)), share(counter.lost()));
        bar_with_loss(canvas, Rect { y, ..bar }, shares, theme.run(run.hue()), theme.bad, theme.track);
        let numbers = [(expected, counter.expected), (actual, counter.actual)];
        for (right, number) in numbers {
            if let Some(right) = right {
                canvas.text_right(right, y, NUMBER, &words::count(number), theme.base);
            }
        }
        let (words, style) = match counter.lost() {
            0 => ("0".to_owned(), theme.base),
            some => (format!("{LOST} {}", words::count(some)), theme.bad),
        };
        if let Some(right) = lost {
            canvas.text_right(right, y, NUMBER, &words, style);
        }
    }
}

fn legend(canvas: &mut Canvas<'_>, row: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    if row.width >= 30 {
        canvas.text(row.x, row.y, 14, "▆▆ counted", theme.dim);
        canvas.text(row.x + 14, row.y, 2, "◇◇", theme.bad);
        canvas.text(row.x + 17, row.y, 12, "lost", theme.dim);
    }
}

/// What the bars' right end stands for: the additions of a run that made them all, since each makes as many;
/// before there is one, a round number that is not reached yet.
fn scale(race: &RaceState, runs: &[Shown<'_>]) -> u64 {
    let made = |run: &RunState| run.counter().map(|counter: Counter| counter.expected.max(counter.actual));
    let most = runs.iter().filter_map(|shown| made(shown.run)).max().unwrap_or(0);
    if race.is_over() || runs.iter().any(|shown| shown.run.did_everything()) {
        return most;
    }
    let steps = (0..19).map(|zeros| 10_u64.pow(zeros)).flat_map(|ten| [ten, 2 * ten, 5 * ten]);
    steps.into_iter().find(|&step| step > most).unwrap_or(most)
}
