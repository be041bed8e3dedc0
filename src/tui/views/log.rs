//! The interleaving log: what happened around the moment that is shown, in order, a line for each event. Each
//! lane has a column and a colour of its own, so that one sees at a glance where workers take turns.

use std::collections::HashMap;
use std::time::Duration;

use ratatui::layout::Rect;

use crate::event::{Access, At, Event, Fact, LaneId, Outcome, Phase, RunEnd, TaskId, Worker, WorkloadKind};
use crate::model::{RaceState, RunState, TaskState};
use crate::recording::Told;
use crate::report::words;
use crate::text;
use crate::tui::canvas::{Canvas, cut_left, cut_top};
use crate::tui::reel::Places;

use super::{Playback, Scene};

/// Screens of so many columns have the log beside the page.
const BESIDE: u16 = 110;

/// The fewest columns of a page with the log beside it: with these, it tells all that it can.
const LEAST_PAGE: u16 = 70;

/// The fewest rows of a page with the log below it, and of the log itself.
const LEAST_ROWS: (u16, u16) = (8, 4);

/// How many events are looked through for the phase that a task was in before.
const LOOK_BACK: usize = 400;

/// Shares a page between the view and the log: side by side where it is wide enough, else one above the other; a
/// page too small for both keeps the view.
pub(super) fn cut(body: Rect) -> (Rect, Option<Rect>) {
    if body.width >= BESIDE {
        let columns = (body.width - LEAST_PAGE).min(76);
        let (page, log) = cut_left(body, body.width - columns);
        return (page, Some(log));
    }
    let rows = (body.height * 2 / 5).max(LEAST_ROWS.1);
    match body.height.checked_sub(rows) {
        Some(page) if page >= LEAST_ROWS.0 => {
            let (page, log) = cut_top(body, page);
            (page, Some(log))
        }
        _ => (body, None),
    }
}

/// Whether the log can open by itself without taking room that the view needs.
pub fn has_room(body: Rect) -> bool {
    body.width >= BESIDE || body.height >= 32
}

/// A line of the log.
struct Entry {
    /// When it happened, in nanoseconds from the run's start.
    time: i64,
    /// How much later than the event before it.
    after: Option<i64>,
    lane: Option<LaneId>,
    task: Option<TaskId>,
    what: Words,
}

/// An event in words.
struct Words {
    long: String,
    /// In fewer words, where they say enough.
    short: Option<String>,
    /// Whether it tells of something that should not be.
    bad: bool,
}

impl Words {
    fn good(long: impl Into<String>) -> Words {
        Words { long: long.into(), short: None, bad: false }
    }

    fn bad(long: impl Into<String>) -> Words {
        Words { bad: true, ..Words::good(long) }
    }

    fn or(self, short: impl Into<String>) -> Words {
        Words { short: Some(short.into()), ..self }
    }
}

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    race: &RaceState,
    playback: &Playback<'_>,
) {
    let theme = scene.theme;
    let id = scene.ui.run_of(race);
    let Some(run) = playback.whole.runs().get(id.index()) else { return };
    canvas.clear(area, theme.base);
    let beside = area.width < canvas.area().width;
    let area = if beside {
        for y in area.top()..area.bottom() {
            canvas.glyph(area.x, y, '│', theme.rule);
        }
        cut_left(area, 1).1
    } else {
        area
    };
    let (head, rows) = cut_top(area, 1);
    let title = format!("{}: events, ms from start", run.plan().label);
    canvas.part(head).rule(head.y, &title, '─', theme.rule, theme.strong);
    let places = playback.reel.telling(id);
    let known = places.before(playback.place);
    if places.is_empty() {
        canvas.text(
            rows.x + 2,
            rows.y,
            rows.width.saturating_sub(3),
            "nothing has happened in this run",
            theme.dim,
        );
        return;
    }
    let count = format!(" {} of {} ", words::count(known as u64), words::count(places.len() as u64));
    if text::width(&title) + count.len() + 4 < usize::from(head.width) {
        canvas.text_right(head.right().saturating_sub(1), head.y, 30, &count, theme.dim);
    }
    // What led to the moment matters more than what followed; without the one there is room for the other.
    let room = usize::from(rows.height);
    let above = (room * 3).div_ceil(5).max(room.saturating_sub(places.len() - known));
    let first = known.saturating_sub(above);
    let last = places.len().min(first + room);
    let entries = entries(playback, run, places, first..last);
    let columns = Columns::of(rows, run, &entries, playback);
    for ((number, entry), y) in (first..last).zip(&entries).zip(rows.y..rows.bottom()) {
        let when = match number + 1 {
            next if next > known => When::Later,
            next if next == known => When::Now,
            _ => When::Before,
        };
        columns.paint(canvas, y, entry, when, scene, race);
    }
}

/// Where an event stands to the moment that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Now,
    Later,
}

/// Where the parts of a line stand.
struct Columns {
    row: Rect,
    time: u16,
    after: u16,
    /// Columns between two lanes' badges; none where all badges stand in one column.
    stair: Option<u16>,
    lanes: u16,
    task: u16,
    /// Whether a task is told by its name.
    named: bool,
    precision: Precision,
}

/// How exactly the time between two events is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Microseconds,
    /// Accesses to a counter follow each other within one microsecond.
    Nanoseconds,
}

impl Columns {
    fn of(row: Rect, run: &RunState, entries: &[Entry], playback: &Playback<'_>) -> Columns {
        let widest = |words: &mut dyn Iterator<Item = String>| {
            u16::try_from(words.map(|words| words.len()).max().unwrap_or(0)).unwrap_or(12)
        };
        let precision = match playback.whole.plan().workload {
            WorkloadKind::Counter => Precision::Nanoseconds,
            _ => Precision::Microseconds,
        };
        let time = widest(&mut entries.iter().map(|entry| millis(entry.time, Precision::Microseconds)));
        let after = widest(&mut entries.iter().map(|entry| later(entry.after, precision))).min(12);
        let workers = u16::try_from(run.plan().workers.max(1)).unwrap_or(u16::MAX);
        let digits = u16::try_from(workers.to_string().len()).unwrap_or(6);
        let free = row.width.saturating_sub(time + after + 3);
        // Where every lane has one task, its number is the task's.
        let is_alike =
            |(place, task): (usize, &TaskState)| task.lane.is_none_or(|lane| lane.index() == place);
        let one_each = run.tasks().len() <= 64 && run.tasks().iter().enumerate().all(is_alike);
        // A badge is as wide as a lane's number and a space on either side.
        let badge = digits + 2;
        let stair = [badge, 2, 1]
            .into_iter()
            .find(|&step| (workers - 1).saturating_mul(step).saturating_add(badge) <= free / 4);
        let stair = stair.filter(|_| workers <= 64);
        let lanes = stair.map_or(badge, |step| (workers - 1) * step + badge);
        let numbers = u16::try_from(playback.whole.plan().tasks.len().to_string().len()).unwrap_or(6);
        let names = playback.whole.plan().tasks.iter().take(200).map(|task| text::width(&task.name));
        let names = u16::try_from(names.max().unwrap_or(0)).unwrap_or(u16::MAX).min(18);
        // A space after the last badge, where the words can do without.
        let lanes = lanes + u16::from(free.saturating_sub(lanes) >= 30);
        let named = free.saturating_sub(lanes) >= names + 30;
        Columns {
            row,
            time,
            after,
            stair,
            lanes,
            task: match named {
                true => names,
                false if one_each => 0,
                false => numbers,
            },
            named,
            precision,
        }
    }

    fn paint(
        &self,
        canvas: &mut Canvas<'_>,
        y: u16,
        entry: &Entry,
        when: When,
        scene: &Scene<'_>,
        race: &RaceState,
    ) {
        let theme = scene.theme;
        let line = Rect { y, height: 1, ..self.row };
        let is_later = when == When::Later;
        let base = if is_later { theme.dim } else { theme.base };
        let right = line.right();
        let mut x = line.x + 1 + self.time;
        canvas.text_right(
            x,
            y,
            self.time,
            &millis(entry.time, Precision::Microseconds),
            if is_later { theme.dim } else { base },
        );
        x += 1 + self.after;
        canvas.text_right(x, y, self.after, &later(entry.after, self.precision), theme.dim);
        x += 1;
        let badge = entry.lane.map(|lane| {
            let at = x + self.stair.map_or(0, |step| u16::try_from(lane.0).unwrap_or(0).saturating_mul(step));
            let style = if is_later { theme.lane(lane.index()) } else { theme.lane_badge(lane.index()) };
            (at.min(right), format!(" {} ", lane.0 + 1), style)
        });
        x += self.lanes;
        if let Some(task) = entry.task.filter(|_| self.task > 0) {
            let number = (task.0 + 1).to_string();
            let name = race.plan().tasks.get(task.index()).map_or("", |task| task.name.as_str());
            let coloured = entry.lane.map_or(theme.dim, |lane| theme.lane(lane.index()));
            let style = if is_later { theme.dim } else { coloured };
            if self.named {
                canvas.text(x, y, self.task.min(right.saturating_sub(x)), name, style);
            } else {
                canvas.text_right(x + self.task, y, self.task, &number, style);
            }
            x += self.task + 1;
        }
        let style = match entry.what.bad {
            true if is_later => theme.dim,
            true => theme.bad,
            false => base,
        };
        // Nobody's task yet, where a lane's number stands for the task's.
        let unnamed = entry.task.filter(|_| self.task == 0 && entry.lane.is_none());
        if let Some(task) = unnamed {
            x = canvas.text(x, y, right.saturating_sub(x), &(task.0 + 1).to_string(), theme.dim) + 1;
        }
        let room = right.saturating_sub(x);
        let long = text::shown(&entry.what.long);
        let short = entry.what.short.as_deref().filter(|_| text::width(&long) > usize::from(room));
        canvas.text(x, y, room, short.unwrap_or(&long), style);
        if when == When::Now {
            canvas.style(line, theme.selected);
            canvas.glyph(line.x, y, '▸', theme.strong.patch(theme.selected));
        }
        if let Some((x, number, style)) = badge {
            canvas.text(x, y, right.saturating_sub(x), &number, style);
        }
    }
}

/// Nanoseconds as milliseconds, with what they are known to behind the point.
fn millis(nanos: i64, precision: Precision) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, part) = (nanos.unsigned_abs() / 1_000_000, nanos.unsigned_abs() % 1_000_000);
    match precision {
        Precision::Microseconds => format!("{sign}{whole}.{:03}", part / 1_000),
        Precision::Nanoseconds => format!("{sign}{whole}.{part:06}"),
    }
}

/// How much later something is than what is above it.
fn later(after: Option<i64>, precision: Precision) -> String {
    let Some(after) = after else { return String::new() };
    // Of a long time, the nanoseconds say nothing.
    let precision = if after.abs() >= 10_000_000 { Precision::Microseconds } else { precision };
    format!("{}{}", if after < 0 { "" } else { "+" }, millis(after, precision))
}

fn between(from: At, to: At) -> i64 {
    let apart = |a: At, b: At| i64::try_from(a.0.saturating_sub(b.0)).unwrap_or(i64::MAX);
    apart(to, from) - apart(from, to)
}

/// The lines of a range of a run's telling events.
fn entries(
    playback: &Playback<'_>,
    run: &RunState,
    places: Places<'_>,
    range: std::ops::Range<usize>,
) -> Vec<Entry> {
    let start = run.started().unwrap_or_default();
    let event = |number: usize| places.get(number).and_then(|place| playback.reel.told(place));
    let mut teller = Teller { run, workload: playback.whole.plan().workload, phases: HashMap::new() };
    for told in (range.start.saturating_sub(LOOK_BACK)..range.start).filter_map(event) {
        teller.watch(&told.event);
    }
    let mut before = range.start.checked_sub(1).and_then(event).map(|told| told.event.at);
    let entry = |told: &Told| {
        let at = told.event.at;
        let after = before.replace(at).map(|before| between(before, at));
        let what = teller.tell(&told.event);
        teller.watch(&told.event);
        let task = told.event.fact.task();
        let lane = match &told.event.fact {
            Fact::TaskStarted { lane, .. } | Fact::LaneOpened { lane, .. } => Some(*lane),
            // Nobody has taken it up; or what is taken has left the lane.
            Fact::TaskQueued { .. } | Fact::ResultDelivered { .. } => None,
            _ => task.and_then(|task| run.tasks().get(task.index())?.lane),
        };
        Entry { time: between(start, at), after, lane, task, what }
    };
    range.filter_map(event).map(entry).collect()
}

/// Puts events into words, knowing which phases their tasks are in.
struct Teller<'a> {
    run: &'a RunState,
    workload: WorkloadKind,
    phases: HashMap<TaskId, Phase>,
}

impl Teller<'_> {
    fn watch(&mut self, event: &Event) {
        match &event.fact {
            Fact::PhaseEntered { task, phase, .. } => drop(self.phases.insert(*task, *phase)),
            Fact::TaskQueued { task, .. } | Fact::TaskStarted { task, .. } => {
                self.phases.insert(*task, Phase::Queued);
            }
            _ => {}
        }
    }

    fn tell(&self, event: &Event) -> Words {
        match &event.fact {
            Fact::RunStarted { .. } => Words::good("the run starts"),
            Fact::LaneOpened { lane, worker, .. } => {
                let first = self.run.lanes().get(lane.index()).and_then(|lane| lane.opened());
                let worker = worker_name(worker);
                match first.is_some_and(|first| first < event.at) {
                    true => Words::bad(format!("{worker} instead of the lost one")).or(worker),
                    false => Words::good(format!("{worker} is there")).or(worker),
                }
            }
            Fact::TaskQueued { .. } => Words::good("queued"),
            Fact::TaskStarted { .. } => Words::good("taken up"),
            Fact::PhaseEntered { task, phase, .. } => {
                let to = format!("→ {}", phase.called_in(self.workload));
                match self.phases.get(task) {
                    Some(from) if *from != Phase::Queued => {
                        Words::good(format!("{} {to}", from.called_in(self.workload))).or(to)
                    }
                    _ => Words::good(to),
                }
            }
            Fact::AttemptStarted { number, .. } => Words::good(format!("attempt {number}")),
            Fact::AttemptFailed { error, .. } => Words::bad(format!("will be retried: {}", error.message)),
            Fact::ResponseArrived { head, .. } => {
                let length = head.length.map_or(String::new(), |long| format!(", {}", words::bytes(long)));
                let short = format!("{}{length}", head.status);
                let words = if head.status >= 400 { Words::bad } else { Words::good };
                words(format!("answer {short}")).or(short)
            }
            Fact::BodyArrived { .. } => Words::good("the answer’s text"),
            Fact::CounterAccessed { access, .. } => access_words(*access),
            Fact::ResultDelivered { .. } => Words::good("taken by the main thread").or("to the main thread"),
            Fact::TaskFinished { end, .. } => match &end.outcome {
                Outcome::Done => match &end.result {
                    Some(result) => Words::good(format!("done: {result}")),
                    None => Words::good("done"),
                },
                Outcome::Failed(error) => Words::bad(format!("failed: {}", error.message)),
                Outcome::Cancelled => Words::bad("cancelled"),
                Outcome::Panicked { message } => Words::bad(format!("panicked: {message}")),
                Outcome::Abandoned => Words::bad("abandoned"),
            },
            Fact::RunMeasured { usage, .. } => match usage.user_nanos.zip(usage.system_nanos) {
                Some((user, system)) => {
                    let time = words::seconds(Duration::from_nanos(user.saturating_add(system)));
                    Words::good(format!("used {time} of cpu time")).or(format!("{time} of cpu time"))
                }
                None => Words::good("its use of the machine is known"),
            },
            Fact::RunFinished { end, .. } => match end {
                RunEnd::Completed => Words::good("the run is over"),
                RunEnd::Cancelled => Words::bad("the run is cancelled"),
                RunEnd::Failed { message } => Words::bad(format!("stopped: {message}")),
            },
            // These have no line, or are not told of a run.
            Fact::CounterRead { .. }
            | Fact::BytesArrived { .. }
            | Fact::RaceStarted { .. }
            | Fact::Interrupted { .. }
            | Fact::Collected
            | Fact::RaceFinished => Words::good(""),
        }
    }
}

fn worker_name(worker: &Worker) -> String {
    match (worker, worker.thread_id()) {
        (Worker::Process { pid, .. }, _) => format!("process {pid}"),
        (Worker::AsyncSlot { .. }, _) => worker.name().to_owned(),
        (Worker::Thread { .. }, Some(thread)) => format!("thread {thread}"),
        (Worker::Thread { .. }, None) => "thread".to_owned(),
    }
}

/// A read or a write of the counter. What it had read is one less than what it writes; whatever stands there
/// beyond that were other workers' additions.
fn access_words(access: Access) -> Words {
    match access {
        Access::Load { value } => Words::good(format!("load {}", words::count(value))),
        Access::Store { value, over } => {
            let stored = format!("{} over {}", words::count(value), words::count(over));
            match over.saturating_add(1).checked_sub(value) {
                Some(0) => Words::good(format!("store {stored}")).or(stored),
                Some(lost) => {
                    let stored = format!("{stored}: {} lost", words::count(lost));
                    Words::bad(format!("store {stored}")).or(stored)
                }
                None => Words::bad(format!("store {stored}: others’ additions lost"))
                    .or(format!("store {stored}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_say_what_is_lost() {
        let said = |access| {
            let words = access_words(access);
            (words.long, words.bad)
        };
        let store = |value, over| said(Access::Store { value, over });
        assert_eq!(said(Access::Load { value: 41 }), ("load 41".to_owned(), false));
        assert_eq!(store(42, 41), ("store 42 over 41".to_owned(), false));
        assert_eq!(store(42, 42), ("store 42 over 42: 1 lost".to_owned(), true));
        assert_eq!(store(1_042, 1_044), ("store 1,042 over 1,044: 3 lost".to_owned(), true));
        assert_eq!(store(42, 7), ("store 42 over 7: others’ additions lost".to_owned(), true));
    }

    #[test]
    fn times_are_milliseconds() {
        use Precision::{Microseconds, Nanoseconds};
        assert_eq!(millis(13_999, Microseconds), "0.013");
        assert_eq!(millis(13_999, Nanoseconds), "0.013999");
        assert_eq!(millis(15_390_123_456, Microseconds), "15390.123");
        assert_eq!(millis(-2_000_500, Microseconds), "-2.000");
        assert_eq!(later(Some(13_000), Microseconds), "+0.013");
        assert_eq!(later(Some(-13_000), Microseconds), "-0.013");
        assert_eq!(later(None, Microseconds), "");
        assert_eq!([between(At(5), At(9)), between(At(9), At(5))], [4, -4]);
    }
}
