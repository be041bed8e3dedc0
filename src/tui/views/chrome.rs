//! What stands around every page: the title, the tabs, the keys; and the page before any race.

use ratatui::layout::Rect;

use crate::event::{ExecutorKind, Order, Round, RunId};
use crate::model::{RaceState, RunState, RunStatus};
use crate::race::Preparing;
use crate::report::words;
use crate::scenario::Scenario;
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::keys::BINDINGS;
use crate::tui::playhead::{Edge, Motion};
use crate::tui::theme::level_glyph;
use crate::tui::ui::{Overlay, Typing, View};
use crate::tui::widgets::{Weight, bar};

use super::{Activity, Layout, Scene, transport};

/// Paints title, tabs, banner, transport and footer.
pub(super) fn draw(canvas: &mut Canvas<'_>, layout: &Layout, scene: &Scene<'_>) {
    if let Some(row) = layout.title {
        title(canvas, row, scene);
    }
    if let Some(row) = layout.tabs {
        tabs(canvas, row, scene);
    }
    if let (Some(row), Some(banner)) = (layout.banner, scene.playback.and_then(|playback| playback.banner)) {
        let words = text::shown(banner);
        let x = canvas.text(row.x + 1, row.y, row.width, "note: ", scene.theme.warn);
        canvas.text(x, row.y, row.right().saturating_sub(x + 1), &words, scene.theme.warn);
    }
    if let (Some(row), Some(playback)) = (layout.transport, &scene.playback) {
        transport::draw(canvas, row, scene, playback);
    }
    if let Some(row) = layout.footer {
        footer(canvas, row, scene);
    }
}

fn title(canvas: &mut Canvas<'_>, row: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let state = state_words(scene);
    let mut state_width = u16::try_from(text::width(&state.0)).unwrap_or(0);
    let mut x = canvas.text(row.x, row.y, row.width, " threadrace", theme.name_of_program()) + 2;
    let (name, about) = match scene.race {
        Some(race) => (race.plan().scenario.as_str(), race.plan().about.as_str()),
        None => (scene.next.scenario.name.as_str(), scene.next.scenario.about.as_str()),
    };
    let mut right = row.right().saturating_sub(1);
    if let Some(badge) = badge(scene) {
        let width = u16::try_from(text::width(&badge)).unwrap_or(0);
        // Whatever else there is no room for: nobody may take an old picture for the newest.
        canvas.text_right(row.right(), row.y, width, &badge, theme.accent);
        right = row.right().saturating_sub(width + 1);
    }
    x = canvas.text(x, row.y, right.saturating_sub(x), name, theme.strong) + 2;
    if right < x + state_width {
        state_width = 0;
    }
    if let Some(delays) = scene.race.and_then(|race| words::delays(race.plan().time_scale)) {
        let room = right.saturating_sub(state_width + 2).saturating_sub(x);
        if usize::from(room) >= text::width(&delays) {
            x = canvas.text(x, row.y, room, &delays, theme.warn) + 2;
        }
    }
    let room = right.saturating_sub(state_width + 2).saturating_sub(x);
    if room >= 12 {
        canvas.text(x, row.y, room, about, theme.dim);
    }
    if right.saturating_sub(state_width) > x && state_width > 0 {
        canvas.text_right(right, row.y, state_width, &state.0, state.1);
    }
}

/// What kind of picture this is, where it is not the live race's.
fn badge(scene: &Scene<'_>) -> Option<String> {
    let past = scene.past().filter(|_| scene.race.is_some())?;
    Some(match (past.edge, past.motion) {
        (Edge::End, Motion::Frozen) if past.has_ended() => " replay, ended ".to_owned(),
        (Edge::End, Motion::Frozen) => " replay, frozen ".to_owned(),
        (Edge::End, _) => format!(" replay {} ", past.speed),
        (Edge::Live, Motion::Playing) => format!(" not live {} ", past.speed),
        (Edge::Live, _) => " frozen ".to_owned(),
    })
}

/// The race's state in a few words, and how they look.
fn state_words(scene: &Scene<'_>) -> (String, ratatui::style::Style) {
    let theme = scene.theme;
    match scene.activity {
        Activity::Refused(_) => ("refused".to_owned(), theme.bad),
        Activity::Cancelling => ("cancelling".to_owned(), theme.warn),
        Activity::Preparing(_) => ("getting ready".to_owned(), theme.warn),
        Activity::Idle | Activity::Racing => match scene.race {
            None => ("ready".to_owned(), theme.dim),
            Some(race) => race_words(scene, race),
        },
    }
}

fn race_words(scene: &Scene<'_>, race: &RaceState) -> (String, ratatui::style::Style) {
    let theme = scene.theme;
    if race.is_over() {
        // Those of a run that was not started are none of its counts.
        let left = |run: &RunState| run.tasks().len().saturating_sub(run.counts().done as usize);
        let not_done: usize = race.runs().iter().map(left).sum();
        let words = words::tasks(not_done);
        return match not_done {
            0 => ("race over".to_owned(), theme.good),
            _ if race.went_as_meant() => (format!("race over, {words} abandoned"), theme.warn),
            _ => (format!("race over, {words} not done"), theme.bad),
        };
    }
    let of_round = |runs: &[RunId]| -> (usize, usize) {
        let begun = |run: &&RunId| race.runs().get(run.index()).is_some_and(|run| run.started().is_some());
        (runs.iter().filter(begun).count(), runs.len())
    };
    let (begun, runs) = of_round(race.rounds().runs(race.current_round()));
    match (race.plan().order, race.running()) {
        (Order::Together, _) => (format!("{runs} runs at once"), theme.warn),
        (Order::OneByOne, Some(run)) => {
            let label = race.runs().get(run.index()).map_or("", |run| run.plan().label.as_str());
            (format!("run {begun} of {runs}: {label}"), theme.warn)
        }
        (Order::OneByOne, None) => (format!("{begun} of {runs} runs"), theme.warn),
    }
}

fn tabs(canvas: &mut Canvas<'_>, row: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let mut x = row.x;
    for (index, view) in View::ALL.into_iter().enumerate() {
        let open = view == scene.ui.view;
        let style = if open { theme.accent } else { theme.dim };
        x = canvas.text(
            x,
            row.y,
            row.right().saturating_sub(x),
            &format!(" {} {} ", index + 1, view.name()),
            style,
        );
    }
    let mut right = row.right().saturating_sub(1);
    let Some(race) = scene.race else { return };
    if let Some(words) = round_words(scene, race) {
        let width = u16::try_from(text::width(&words)).unwrap_or(u16::MAX);
        canvas.text_right(right, row.y, right.saturating_sub(x + 2), &words, theme.strong);
        right = right.saturating_sub(width + 2);
        if usize::from(right.saturating_sub(x + 2)) < text::width(&race.plan().source) {
            return;
        }
    }
    let room = right.saturating_sub(x + 2);
    let source = &race.plan().source;
    // Where not all of it fits, how it answers says more than the name of who does.
    let how = source.split_once(": ").map(|(_, how)| how).filter(|_| text::width(source) > usize::from(room));
    canvas.text_right(right, row.y, room, how.unwrap_or(source), theme.dim);
}

/// Which round of a race that repeats is shown, and what else there is; none where there is one round.
fn round_words(scene: &Scene<'_>, race: &RaceState) -> Option<String> {
    let rounds = race.rounds();
    if !rounds.are_several() {
        return None;
    }
    let (counted, warmups) = (rounds.counted(), rounds.warmups());
    if scene.ui.view == View::Results {
        let warmups = match warmups as u64 {
            0 => String::new(),
            some => format!(" after {}", words::counted(some, "warm-up", "warm-ups")),
        };
        return Some(format!("{}{warmups}", words::rounds(counted)));
    }
    let place = scene.ui.round_of(race);
    let shown = words::round(*rounds.all().get(place)?, counted, warmups);
    let now =
        rounds.all().get(race.current_round()).filter(|_| !race.is_over() && place != race.current_round());
    Some(match now {
        Some(Round::Counted(now)) => format!("{shown} (now {now}), [ ] others"),
        Some(Round::Warmup(now)) => format!("{shown} (now warm-up {now}), [ ] others"),
        None => format!("{shown}, [ ] others"),
    })
}

fn footer(canvas: &mut Canvas<'_>, row: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    if scene.ui.table.typing == Typing::Filter {
        let x = canvas.text(row.x + 1, row.y, row.width, "filter: ", theme.strong);
        let x = canvas.text(x, row.y, row.right().saturating_sub(x), &scene.ui.table.filter, theme.base);
        canvas.glyph(x, row.y, '▏', theme.strong);
        canvas.text(
            x + 2,
            row.y,
            row.right().saturating_sub(x + 2),
            "Enter keeps it, Esc drops it",
            theme.dim,
        );
        return;
    }
    let mut x = row.x + 1;
    if let Some(notice) = scene.notice {
        x = canvas.text(x, row.y, row.right().saturating_sub(x), notice, theme.warn) + 2;
    } else if scene.next_differs {
        let words = format!("next race: {}; r starts it", next_workers(&scene.next.scenario));
        x = canvas.text(x, row.y, row.right().saturating_sub(x), &words, theme.warn) + 2;
    }
    let hints: Vec<(&str, &str)> = match (&scene.ui.overlay, scene.ui.view) {
        (Overlay::Help { .. } | Overlay::Story { .. }, _) => vec![("↑ ↓", "scroll"), ("Esc", "close")],
        (Overlay::Scenarios { .. }, _) => vec![("↑ ↓", "select"), ("Enter", "race it"), ("Esc", "close")],
        (Overlay::Export { .. }, _) => vec![("↑ ↓", "select"), ("Enter", "write it"), ("Esc", "close")],
        (Overlay::Executors { .. }, _) => {
            vec![("↑ ↓", "select"), ("Space", "on or off"), ("Enter", "race"), ("Esc", "close")]
        }
        (Overlay::None, view) => {
            let own: &[(&str, &str)] = match view {
                _ if scene.past().is_some() => &past_hints(scene),
                View::Race => &[("↑ ↓", "run")],
                View::Timeline => &[("+ -", "zoom"), ("H L", "pan"), ("h l", "cursor"), ("f", "all")],
                View::Tasks => &[("n p", "run"), ("o", "sort"), ("/", "filter"), ("Enter", "story")],
                View::Results => &[],
            };
            let replayed = scene.past().is_some_and(|past| past.edge == Edge::End);
            let said = |hint: &str| match hint {
                "" => true,
                "freeze" => scene.past().is_some(),
                // There is nothing under way, and nothing that other workers would do again.
                "cancel" | "workers" => replayed,
                _ => false,
            };
            let global = BINDINGS.iter().filter(|binding| !said(binding.hint));
            let hint = |hint| if hint == "race" && replayed { "again" } else { hint };
            let global =
                global.map(|binding| (binding.keys.split(' ').next().unwrap_or(""), hint(binding.hint)));
            own.iter().copied().chain(global).collect()
        }
    };
    for (keys, hint) in hints {
        let width = u16::try_from(text::width(keys) + 1 + text::width(hint)).unwrap_or(u16::MAX);
        if x.saturating_add(width) > row.right() {
            continue;
        }
        x = canvas.text(x, row.y, width, keys, theme.strong) + 1;
        x = canvas.text(x, row.y, width, hint, theme.dim) + 2;
    }
}

/// The keys that move the playhead.
fn past_hints(scene: &Scene<'_>) -> [(&'static str, &'static str); 5] {
    let (mut space, mut end) = ("go on", "live");
    if let Some(past) = scene.past() {
        if past.motion == Motion::Playing {
            space = "freeze";
        } else if past.edge == Edge::End && past.place == past.reel.end() {
            space = "again";
        }
        if past.edge == Edge::End || past.whole.is_over() {
            end = "to end";
        }
    }
    [("Space", space), ("Left Right", "move"), (", .", "one event"), ("< >", "speed"), ("End", end)]
}

/// All that a screen for a few characters can say: how far the race is, in words or as a level.
pub(super) fn tiny(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let runs = scene.race.map_or(&[][..], RaceState::runs);
    let over: usize = runs.iter().map(|run| run.counts().over() as usize).sum();
    let tasks: usize = runs.iter().map(|run| run.tasks().len()).sum();
    let share = if tasks == 0 { 0.0 } else { over as f64 / tasks as f64 };
    let frozen = scene.past().is_some_and(|past| past.motion == Motion::Frozen);
    if area.width < 4 {
        let level = if tasks == 0 { '·' } else { level_glyph(share.max(0.01)) };
        canvas.glyph(area.x, area.y, level, scene.theme.strong);
        return;
    }
    let words = format!("{over} of {tasks} tasks");
    let mark = if frozen { "┃┃ " } else { "" };
    let fits = text::width(mark) + text::width(&words) <= usize::from(area.width);
    let words = format!("{mark}{}", if fits { words } else { words::percent(share) });
    canvas.text(area.x, area.y, area.width, &words, scene.theme.strong);
}

/// The workers of the executors whose number can be chosen.
fn next_workers(scenario: &Scenario) -> String {
    let chosen = scenario.executors.iter().filter_map(|choice| match choice.kind {
        ExecutorKind::Sequential | ExecutorKind::Threads => None,
        _ => Some(format!("{} ×{}", choice.kind, choice.workers.unwrap_or(scenario.workers))),
    });
    let chosen: Vec<String> = chosen.collect();
    if chosen.is_empty() { "other executors".to_owned() } else { chosen.join(", ") }
}

/// The page before the first race, and when a race could not start.
pub(super) fn no_race(canvas: &mut Canvas<'_>, scene: &Scene<'_>) {
    let (area, theme) = (canvas.area(), scene.theme);
    let columns = area.width.saturating_sub(4).min(76);
    let left = area.x + (area.width - columns) / 2;
    let middle = area.y + area.height / 3;
    match scene.activity {
        Activity::Refused(message) => {
            let mut y = middle;
            canvas.text(left, y, columns, "The race could not start", theme.bad);
            y += 2;
            for line in text::wrap(&text::shown(message), usize::from(columns)) {
                canvas.text(left, y, columns, &line, theme.base);
                y += 1;
            }
            canvas.text(
                left,
                y + 1,
                columns,
                "r tries again, s chooses another scenario, q quits",
                theme.dim,
            );
        }
        Activity::Idle => {
            let about = text::wrap(&text::shown(&scene.next.scenario.about), usize::from(columns));
            for (line, y) in about.iter().zip(middle.saturating_sub(2)..) {
                canvas.text(left, y, columns, line, theme.strong);
            }
            canvas.text(
                left,
                middle + 2,
                columns,
                "r starts the race, s chooses a scenario, ? shows the keys",
                theme.dim,
            );
        }
        Activity::Preparing(step) => preparing(canvas, left, middle, columns, step, scene),
        Activity::Racing | Activity::Cancelling => {}
    }
}

fn preparing(
    canvas: &mut Canvas<'_>,
    left: u16,
    y: u16,
    columns: u16,
    step: Option<Preparing>,
    scene: &Scene<'_>,
) {
    let theme = scene.theme;
    let words = match step {
        None => "getting ready".to_owned(),
        Some(Preparing::Bodies { done, of }) => format!("preparing what will be served: {done} of {of}"),
        Some(Preparing::Lookups) => "looking up the servers' addresses".to_owned(),
        Some(Preparing::Output) => "making room in the output folder".to_owned(),
    };
    canvas.text(left, y, columns, "Getting ready; the clock has not started", theme.strong);
    canvas.text(left, y + 1, columns, &words, theme.dim);
    if let Some(Preparing::Bodies { done, of }) = step {
        let row = Rect { x: left, y: y + 3, width: columns.min(40), height: 1 };
        bar(canvas, row, done as f64 / of.max(1) as f64, Weight::Block, theme.good, theme.track);
    }
}

/// The run's state in a word.
pub(super) fn status_name(status: &RunStatus) -> &'static str {
    use crate::event::RunEnd;
    match status {
        RunStatus::Waiting => "next",
        RunStatus::Running { .. } => "running",
        RunStatus::Ended { end: RunEnd::Completed, .. } => "done",
        RunStatus::Ended { end: RunEnd::Cancelled, .. } => "cancelled",
        RunStatus::Ended { end: RunEnd::Failed { .. }, .. } => "failed",
    }
}
