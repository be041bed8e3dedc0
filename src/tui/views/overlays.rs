//! What lies over a page: the help, the scenarios, the executors, the exports, a task's story.

use ratatui::layout::Rect;

use crate::event::ExecutorKind;
use crate::report::{Target, words};
use crate::text;
use crate::tui::canvas::Canvas;
use crate::tui::keys::BINDINGS;
use crate::tui::ui::Overlay;

use super::{Line, Scene, story};

pub(super) fn draw(canvas: &mut Canvas<'_>, page: Rect, scene: &Scene<'_>) {
    match &scene.ui.overlay {
        Overlay::None => {}
        Overlay::Help { scroll } => scrolled(canvas, page, scene, "keys", help(scene), *scroll),
        Overlay::Story { task, scroll } => {
            let width = usize::from(page.width.saturating_sub(8));
            let lines = story::lines(scene, *task, width);
            scrolled(canvas, page, scene, "the story of a task", lines, *scroll);
        }
        Overlay::Scenarios { at } => list(canvas, page, scene, "scenarios", scenarios(scene, page), *at),
        Overlay::Export { at } => {
            let title = format!("export the race into {}", scene.next.output.display());
            list(canvas, page, scene, &title, targets(scene), *at);
        }
        Overlay::Executors { at, chosen } => {
            let title = format!("executors of the next race: {}", text::shown(&scene.next.scenario.name));
            list(canvas, page, scene, &title, executors(scene, page, chosen), *at);
        }
    }
}

/// A box in the middle of the page, with room for so many lines and columns; returns its inside.
fn panel(
    canvas: &mut Canvas<'_>,
    page: Rect,
    scene: &Scene<'_>,
    title: &str,
    columns: u16,
    rows: u16,
) -> Rect {
    let theme = scene.theme;
    let width = columns.saturating_add(4).min(page.width);
    let height = rows.saturating_add(2).min(page.height);
    let area =
        Rect { x: page.x + (page.width - width) / 2, y: page.y + (page.height - height) / 2, width, height };
    canvas.clear(area, theme.base);
    let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    for x in area.left()..area.right() {
        canvas.glyph(x, area.y, '─', theme.rule);
        canvas.glyph(x, bottom, '─', theme.rule);
    }
    for y in area.top()..area.bottom() {
        canvas.glyph(area.x, y, '│', theme.rule);
        canvas.glyph(right, y, '│', theme.rule);
    }
    for (x, y, corner) in
        [(area.x, area.y, '╭'), (right, area.y, '╮'), (area.x, bottom, '╰'), (right, bottom, '╯')]
    {
        canvas.glyph(x, y, corner, theme.rule);
    }
    canvas.text(area.x + 2, area.y, area.width.saturating_sub(4), &format!(" {title} "), theme.accent);
    Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

fn put(canvas: &mut Canvas<'_>, row: Rect, line: &Line) {
    let mut x = row.x;
    for (words, style) in line {
        x = canvas.text(x, row.y, row.right().saturating_sub(x), words, *style);
    }
}

fn scrolled(
    canvas: &mut Canvas<'_>,
    page: Rect,
    scene: &Scene<'_>,
    title: &str,
    lines: Vec<Line>,
    scroll: usize,
) {
    let columns =
        lines.iter().map(|line| line.iter().map(|(words, _)| text::width(words)).sum::<usize>()).max();
    let columns = u16::try_from(columns.unwrap_or(0)).unwrap_or(u16::MAX);
    let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let inside = panel(canvas, page, scene, title, columns, rows);
    let first = scroll.min(lines.len().saturating_sub(usize::from(inside.height)));
    for (line, y) in lines.iter().skip(first).zip(inside.top()..inside.bottom()) {
        put(canvas, Rect { y, height: 1, ..inside }, line);
    }
    let below = lines.len().saturating_sub(first + usize::from(inside.height));
    if below > 0 {
        let words = format!(" ↓ {} ", words::counted(below as u64, "more line", "more lines"));
        canvas.text_right(inside.right(), inside.bottom(), 20, &words, scene.theme.dim);
    }
}

/// A list of which one is selected; an entry may have several lines.
fn list(
    canvas: &mut Canvas<'_>,
    page: Rect,
    scene: &Scene<'_>,
    title: &str,
    entries: Vec<Vec<Line>>,
    at: usize,
) {
    let width = |line: &Line| line.iter().map(|(words, _)| text::width(words)).sum::<usize>();
    let columns = entries.iter().flatten().map(width).max().unwrap_or(0);
    let columns = u16::try_from(columns).unwrap_or(u16::MAX);
    let all = u16::try_from(entries.iter().map(Vec::len).sum::<usize>()).unwrap_or(u16::MAX);
    let inside = panel(canvas, page, scene, title, columns.max(30), all);
    let before: usize = entries.iter().take(at).map(Vec::len).sum();
    let through = before + entries.get(at).map_or(0, Vec::len);
    // Where not all of the selected entry fits, its beginning says what it is.
    let skip = through.saturating_sub(usize::from(inside.height)).min(before);
    let lines =
        entries.iter().enumerate().flat_map(|(index, entry)| entry.iter().map(move |line| (index, line)));
    for ((index, line), y) in lines.skip(skip).zip(inside.top()..inside.bottom()) {
        let row = Rect { y, height: 1, ..inside };
        put(canvas, row, line);
        if index == at {
            canvas.style(row, scene.theme.selected);
        }
    }
}

fn help(scene: &Scene<'_>) -> Vec<Line> {
    let theme = scene.theme;
    let keys = BINDINGS.iter().map(|binding| text::width(binding.keys)).max().unwrap_or(0) + 2;
    let pad = |words: &str| format!("{words}{}", " ".repeat(keys.saturating_sub(text::width(words))));
    let mut lines: Vec<Line> = BINDINGS
        .iter()
        .map(|binding| vec![(pad(binding.keys), theme.strong), (binding.does.to_owned(), theme.base)])
        .collect();
    lines.push(Vec::new());
    let notes = [
        "A cell of a lane shows the phase that took most of its time; it is idle (·) only when nothing",
        "happened in it; ▎▌▊ computes and waits for a lock by turns. Numbers are tasks, ● is a result",
        "taken by the main thread, ╫ a task cut off, ↻ a new worker. A click selects, the wheel scrolls.",
    ];
    lines.extend(notes.map(|note| vec![(note.to_owned(), theme.dim)]));
    lines
}

/// With fewer columns than this, what a scenario is about is a tower of words.
const LEAST_ABOUT: usize = 20;

fn scenarios(scene: &Scene<'_>, page: Rect) -> Vec<Vec<Line>> {
    let theme = scene.theme;
    let names = scene.next.scenarios.iter().map(|scenario| text::width(&scenario.name)).max().unwrap_or(0);
    let columns = usize::from(page.width.saturating_sub(10)).saturating_sub(names).min(100);
    let entry = |scenario: &crate::scenario::Scenario| {
        let about = match columns {
            ..LEAST_ABOUT => vec![String::new()],
            _ => text::wrap(&text::shown(&scenario.about), columns),
        };
        let lines = about.iter().enumerate().map(|(index, line)| {
            let name = if index == 0 { scenario.name.as_str() } else { "" };
            let pad = " ".repeat(names + 2 - text::width(name));
            vec![(format!("{name}{pad}"), theme.strong), (line.clone(), theme.base)]
        });
        lines.collect()
    };
    scene.next.scenarios.iter().map(entry).collect()
}

fn targets(scene: &Scene<'_>) -> Vec<Vec<Line>> {
    let theme = scene.theme;
    let targets = scene.race.map(|race| Target::of_race(race.plan())).unwrap_or_default();
    let names = targets.iter().map(|target| target.name().len()).max().unwrap_or(0) + 2;
    let entry = |target: &Target| {
        let name = format!("{:<names$}", target.name());
        vec![vec![(name, theme.strong), (target.about().to_owned(), theme.base)]]
    };
    targets.iter().map(entry).collect()
}

fn executors(scene: &Scene<'_>, page: Rect, chosen: &[crate::scenario::ExecutorChoice]) -> Vec<Vec<Line>> {
    let theme = scene.theme;
    let offers = crate::tui::offers(scene.next, chosen);
    let workers = |offer: &crate::scenario::ExecutorChoice| {
        let tasks = scene.next.scenario.tasks;
        let workers = offer.kind.parallelism(offer.workers.unwrap_or(scene.next.scenario.workers), tasks);
        let words = words::counted(workers as u64, "worker", "workers");
        match offer.variant {
            Some(variant) => format!("{words}, {}", variant.name()),
            None => words,
        }
    };
    let names = offers.iter().map(|offer| text::width(offer.kind.name())).max().unwrap_or(0) + 2;
    let numbers = offers.iter().map(|offer| text::width(&workers(offer))).max().unwrap_or(0) + 2;
    let columns = usize::from(page.width.saturating_sub(4)).saturating_sub(4 + names);
    let entry = |offer: &crate::scenario::ExecutorChoice| {
        let name = format!("{:<names$}", offer.kind.name());
        if let Some(why_not) = scene.next.scenario.why_not(offer, &scene.next.programs) {
            let variant = offer.variant.map_or(String::new(), |variant| format!("{}, ", variant.name()));
            let words = text::wrap(&text::shown(&format!("{variant}not here: {why_not}")), columns.min(72));
            let lines = words.into_iter().enumerate().map(|(index, line)| {
                let name = if index == 0 { name.clone() } else { " ".repeat(names) };
                vec![("    ".to_owned(), theme.dim), (name, theme.dim), (line, theme.dim)]
            });
            return lines.collect();
        }
        let (does, like) = match &offer.kind {
            ExecutorKind::Sequential => ("one after the other", ": a for loop"),
            ExecutorKind::Threads => ("a thread for each task", ": threading.Thread, no GIL"),
            ExecutorKind::Pool => ("threads that share a queue", ": ThreadPoolExecutor, no GIL"),
            ExecutorKind::Async => ("tasks in flight on one event loop", ": asyncio"),
            ExecutorKind::Processes => ("child processes", ": ProcessPoolExecutor"),
            ExecutorKind::Gil => ("threads taking turns at one lock", ": CPython’s threads"),
            ExecutorKind::External(_) => ("a program of its own", ""),
        };
        let room = columns.saturating_sub(numbers) >= 54;
        let mark = if chosen.contains(offer) { "[x] " } else { "[ ] " };
        vec![vec![
            (mark.to_owned(), theme.strong),
            (name, theme.strong),
            (format!("{:<numbers$}", workers(offer)), theme.base),
            (format!("{does}{}", if room { like } else { "" }), theme.dim),
        ]]
    };
    offers.iter().map(entry).collect()
}
