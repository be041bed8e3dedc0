//! The reads and writes of a run's shared counter, lane by lane in the order of time: how updates get lost.

use ratatui::layout::Rect;

use crate::event::{Access, Guard, LaneId, Variant, WorkloadKind};
use crate::model::{CounterAccess, RaceState, RunState, RunStatus};
use crate::report::words;
use crate::text;
use crate::tui::canvas::{Canvas, cut_bottom, cut_top};

use super::Scene;

/// How far back the writer of a value is looked for.
const LOOK_BACK: usize = 64;

/// The run whose accesses are shown: the one that is looked at, where it counts.
fn shown_run<'a>(scene: &Scene<'_>, race: &'a RaceState) -> Option<&'a RunState> {
    let run = race.runs().get(scene.ui.run_of(race).index());
    run.filter(|_| race.plan().workload == WorkloadKind::Counter)
}

/// Which access is looked at: the last before the cursor, the newest of a run that can be followed with the eye or
/// in which the playhead stands, or the first that lost an update.
fn focus(scene: &Scene<'_>, run: &RunState) -> Option<usize> {
    let accesses = run.accesses();
    let last = accesses.len().checked_sub(1)?;
    if let (Some(cursor), Some(start)) = (scene.ui.timeline.cursor, run.started()) {
        let until = start.plus(cursor);
        return Some(accesses.partition_point(|access| access.at <= until).saturating_sub(1));
    }
    if is_followed(run) || scene.playhead_in(run).is_some() {
        return Some(last);
    }
    // The first that lost an update explains more where the other side of it was told as well.
    let losses = || accesses.iter().enumerate().filter(|(_, access)| access.loses()).map(|(at, _)| at);
    let both = losses().find(|&at| replaced(accesses, at).is_some());
    Some(both.or_else(|| losses().next()).unwrap_or(last))
}

/// Whether a run is under way and tells every access.
fn is_followed(run: &RunState) -> bool {
    let stores = run.accesses().iter().filter(|access| matches!(access.access, Access::Store { .. })).count();
    matches!(run.status(), RunStatus::Running { .. })
        && run.counter().is_none_or(|counter| counter.expected <= stores as u64)
}

/// The access that is looked at; none where nothing is counted.
pub fn focused(scene: &Scene<'_>, race: &RaceState) -> Option<CounterAccess> {
    let run = shown_run(scene, race)?;
    run.accesses().get(focus(scene, run)?).copied()
}

/// The rows that the panel takes of a page of which so many are spare: none where nothing is counted or the
/// page is low.
pub(super) fn rows(scene: &Scene<'_>, race: &RaceState, page: Rect, spare: u16) -> u16 {
    let Some(run) = shown_run(scene, race).filter(|_| page.height >= 12) else { return 0 };
    if run.accesses().is_empty() {
        return 2;
    }
    // Above the log on a low screen, the lanes need what there is but for the sentence.
    if page.height < 16 {
        return 1 + sentence(page);
    }
    // An empty row between the lanes where there is room for it.
    let lanes = u16::try_from(run.lanes().len()).unwrap_or(u16::MAX);
    let words = 1 + sentence(page);
    match lanes.saturating_mul(2).saturating_add(words) {
        airy if airy <= spare => airy,
        _ => words + lanes.min(page.height / 3),
    }
}

/// The rows of the sentence that says what an access did: beside a log, the longest takes two.
fn sentence(area: Rect) -> u16 {
    if area.width < 72 { 2 } else { 1 }
}

/// Columns left of the accesses.
const GUTTER: u16 = 13;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, race: &RaceState) {
    let theme = scene.theme;
    let Some(run) = shown_run(scene, race).filter(|_| area.height >= 2) else { return };
    let (label, accesses) = (&run.plan().label, run.accesses());
    let (head, body) = cut_top(area, 1);
    let words_room = area.width.saturating_sub(3);
    let Some(at) = focus(scene, run) else {
        canvas.part(head).rule(area.y, &format!("the counter of {label}"), '─', theme.rule, theme.dim);
        canvas.text(area.x + 2, body.y, words_room, &without_accesses(race, run), theme.dim);
        return;
    };
    // The picture may not have all of them.
    let place = scene.ui.run_of(race).index();
    let whole = scene.playback.and_then(|playback| playback.whole.runs().get(place));
    let told = whole.map_or(0, |whole| whole.accesses().len()).max(accesses.len());
    let place = format!(" step {} of {}, keys , . ", words::count(at as u64 + 1), words::count(told as u64));
    // With the line's ends and a little of it between the two.
    let room = usize::from(area.width).saturating_sub(text::width(&place) + 8);
    let titles = [
        format!("{label}: R reads the counter, W writes it, ✗ over a value that it had not read"),
        format!("{label}: R reads, W writes, ✗ loses"),
        format!("{label}: R reads, W writes"),
    ];
    let title = titles.iter().find(|title| text::width(title) <= room).unwrap_or(label);
    canvas.part(head).rule(area.y, title, '─', theme.rule, theme.dim);
    canvas.text_right(area.right().saturating_sub(1), area.y, 32, &place, theme.dim);

    let (lanes, words_rows) = cut_bottom(body, sentence(area).min(body.height / 2).max(1));
    let cells = Rect { x: lanes.x + GUTTER, width: lanes.width.saturating_sub(GUTTER + 1), ..lanes };
    let columns = Columns::of(accesses, at, cells);
    let shown = usize::from(lanes.height);
    let pitch = if run.lanes().len() * 2 <= shown { 2 } else { 1 };
    for (lane, row) in columns.lanes(run, at, shown).into_iter().zip(0..) {
        let y = lanes.y + row * pitch;
        let worker = format!("worker {}", lane.0 + 1);
        canvas.text(lanes.x + 2, y, GUTTER - 3, &worker, theme.lane(lane.index()));
        columns.paint_lane(canvas, y, lane, scene);
    }
    let x = columns.x(at);
    canvas.style(Rect { x, width: columns.width - 1, ..lanes }, theme.selected);

    // Whoever follows the newest still wants to know what was lost a moment ago.
    let told = match accesses[columns.first..=at].iter().rposition(CounterAccess::loses) {
        Some(place) if is_followed(run) && scene.playhead_in(run).is_none() => columns.first + place,
        _ => at,
    };
    let style = if accesses[told].loses() { theme.bad } else { theme.base };
    let lines = text::wrap(&told_in_words(accesses, told), usize::from(words_room));
    for (line, y) in lines.iter().zip(words_rows.top()..words_rows.bottom()) {
        canvas.text(area.x + 2, y, words_room, line, style);
    }
}

/// Where the accesses stand: a column for each, as many as there is room for, the one looked at among them.
struct Columns<'a> {
    accesses: &'a [CounterAccess],
    first: usize,
    end: usize,
    left: u16,
    width: u16,
}

impl Columns<'_> {
    fn of(accesses: &[CounterAccess], focus: usize, cells: Rect) -> Columns<'_> {
        let most = accesses.iter().map(|access| value(access.access)).max().unwrap_or(0);
        // `W 42`, the mark of a loss, a space.
        let width = u16::try_from(most.to_string().len()).unwrap_or(20) + 4;
        let room = usize::from(cells.width / width).max(1);
        // What led to an access matters more than what followed.
        let first =
            (focus + 1).saturating_sub((room * 3).div_ceil(4)).min(accesses.len().saturating_sub(room));
        let end = accesses.len().min(first + room);
        Columns { accesses, first, end, left: cells.x, width }
    }

    fn x(&self, at: usize) -> u16 {
        self.left + u16::try_from(at - self.first).unwrap_or(u16::MAX).saturating_mul(self.width)
    }

    /// The lanes to show, in order: all where there is room, else those nearest to the access looked at.
    fn lanes(&self, run: &RunState, focus: usize, room: usize) -> Vec<LaneId> {
        let all = run.lanes().len();
        if all <= room {
            return (0..all).map(LaneId::of).collect();
        }
        let before = (self.first..=focus).rev();
        let mut lanes: Vec<LaneId> = Vec::new();
        for at in before.chain(focus + 1..self.end) {
            let lane = self.accesses[at].lane;
            if lanes.len() < room && !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        lanes.sort();
        lanes
    }

    /// A lane's reads and writes, and a line from each read to the write that follows from it: in between, the
    /// value that the worker holds can grow stale.
    fn paint_lane(&self, canvas: &mut Canvas<'_>, y: u16, lane: LaneId, scene: &Scene<'_>) {
        let theme = scene.theme;
        let colour = theme.lane(lane.index());
        let is_mine = |access: &&CounterAccess| access.lane == lane;
        let is_load = |access: &CounterAccess| matches!(access.access, Access::Load { .. });
        let mut holds = self.accesses[..self.first].iter().rev().find(is_mine).is_some_and(is_load);
        for at in self.first..self.end {
            let (access, mut x) = (&self.accesses[at], self.x(at));
            let right = x + self.width;
            if access.lane == lane {
                let (letter, style) = match access.access {
                    Access::Load { .. } => ('R', colour),
                    Access::Store { .. } if access.loses() => ('W', theme.bad),
                    Access::Store { .. } => ('W', colour),
                };
                let words = format!("{letter} {}", value(access.access));
                x = canvas.text(x, y, self.width, &words, style);
                if access.loses() {
                    canvas.glyph(x, y, '✗', theme.bad);
                }
                holds = is_load(access);
                x += u16::from(holds);
            }
            if holds {
                let next = self.accesses[at + 1..].iter().find(is_mine);
                let line = if next.is_some_and(CounterAccess::loses) { theme.bad } else { theme.rule };
                // A space before what comes next.
                let end = if next.is_some_and(|next| self.is_at(at + 1, next)) { right - 1 } else { right };
                for x in x..end {
                    canvas.glyph(x, y, '─', line);
                }
            }
        }
    }

    fn is_at(&self, at: usize, access: &CounterAccess) -> bool {
        self.accesses.get(at).is_some_and(|there| std::ptr::eq(there, access))
    }
}

/// What was read or written.
fn value(access: Access) -> u64 {
    match access {
        Access::Load { value } | Access::Store { value, .. } => value,
    }
}

/// One access in a sentence.
fn told_in_words(accesses: &[CounterAccess], at: usize) -> String {
    let Some(access) = accesses.get(at) else { return String::new() };
    let worker = |lane: LaneId| format!("worker {}", lane.0 + 1);
    let (who, number) = (worker(access.lane), words::count);
    match access.access {
        Access::Load { value } => format!("{who} read {}", number(value)),
        Access::Store { value, over } if !access.loses() => {
            format!("{who} wrote {} over {}, which it had read: nothing is lost", number(value), number(over))
        }
        Access::Store { value, over } => {
            let whose = replaced(accesses, at).map_or("another worker".to_owned(), worker);
            // What it had read is one less than what it wrote.
            let due = over.saturating_add(1);
            let loss = match due.checked_sub(value) {
                Some(1) => format!(", not {}: one addition is lost", number(due)),
                Some(some) if some > 1 => {
                    format!(", not {}: {} additions are lost", number(due), number(some))
                }
                _ => format!(": what others added since it read {} is lost", number(value.saturating_sub(1))),
            };
            format!("{who} wrote {} over {whose}’s {}{loss}", number(value), number(over))
        }
    }
}

/// Whose value a write replaced, where that was told.
fn replaced(accesses: &[CounterAccess], at: usize) -> Option<LaneId> {
    let by = accesses.get(at)?;
    let Access::Store { over, .. } = by.access else { return None };
    let wrote = |access: &&CounterAccess| {
        access.lane != by.lane && matches!(access.access, Access::Store { value, .. } if value == over)
    };
    accesses[..at].iter().rev().take(LOOK_BACK).find(wrote).map(|access| access.lane)
}

/// Why there is nothing to show.
fn without_accesses(race: &RaceState, run: &RunState) -> String {
    let lost = run.counter().map_or(0, |counter| counter.lost());
    match run.status() {
        RunStatus::Waiting => words::not_begun(race).to_owned(),
        RunStatus::Running { .. } if lost == 0 => "no update was lost so far".to_owned(),
        _ if lost == 0 && run.plan().variant == Some(Variant::Guard(Guard::Mutex)) => {
            "no update was lost; short waits look like computing; --pace 0.3 shows all".to_owned()
        }
        _ if lost == 0 => "no update was lost; --pace 0.3 shows each step".to_owned(),
        _ => {
            let lost = words::count(lost);
            format!("{lost} additions were lost, and how was not told; --pace 0.3 shows each step")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{At, TaskId};

    fn load(lane: u32, value: u64) -> CounterAccess {
        access(lane, Access::Load { value })
    }

    fn store(lane: u32, value: u64, over: u64) -> CounterAccess {
        access(lane, Access::Store { value, over })
    }

    fn access(lane: u32, access: Access) -> CounterAccess {
        CounterAccess { at: At::ZERO, task: TaskId(lane), lane: LaneId(lane), access }
    }

    #[test]
    fn each_access_is_told_in_a_sentence() {
        let accesses = [
            load(0, 41),
            load(1, 41),
            store(0, 42, 41),
            store(1, 42, 42),
            load(0, 42),
            store(2, 1_000, 1_002),
            store(0, 43, 7),
        ];
        let told: Vec<String> = (0..8).map(|at| told_in_words(&accesses, at)).collect();
        assert_eq!(
            told,
            [
                "worker 1 read 41",
                "worker 2 read 41",
                "worker 1 wrote 42 over 41, which it had read: nothing is lost",
                "worker 2 wrote 42 over worker 1’s 42, not 43: one addition is lost",
                "worker 1 read 42",
                "worker 3 wrote 1,000 over another worker’s 1,002, not 1,003: 3 additions are lost",
                "worker 1 wrote 43 over another worker’s 7: what others added since it read 42 is lost",
                "",
            ]
        );
    }

    #[test]
    fn the_access_that_is_looked_at_is_always_shown() {
        let accesses: Vec<CounterAccess> = (0..50).map(|value| load(0, value)).collect();
        for width in 0..60 {
            for focus in 0..accesses.len() {
                let columns = Columns::of(&accesses, focus, Rect::new(0, 0, width, 4));
                assert!((columns.first..columns.end).contains(&focus), "{width}, {focus}");
            }
        }
    }
}
