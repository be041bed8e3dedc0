//! What the person at the keyboard has chosen to see.

use std::cmp::Ordering;
use std::time::Duration;

use crate::event::{At, RunId, TaskId, WorkloadKind};
use crate::model::{Counter, RaceState, RunState, TaskState};
use crate::scenario::ExecutorChoice;

use super::widgets::Window;

/// A page of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The runs, and the selected one's tasks and lanes.
    Race,
    /// The lanes of all runs on one axis.
    Timeline,
    /// A table of the selected run's tasks.
    Tasks,
    /// The figures.
    Results,
}

impl View {
    /// Every view, in the order of its keys.
    pub const ALL: [View; 4] = [View::Race, View::Timeline, View::Tasks, View::Results];

    /// The view's name.
    pub fn name(self) -> &'static str {
        match self {
            View::Race => "Race",
            View::Timeline => "Timeline",
            View::Tasks => "Tasks",
            View::Results => "Results",
        }
    }

    /// The view so many places further, around the end.
    pub fn after(self, steps: usize) -> View {
        View::ALL[(self as usize + steps) % View::ALL.len()]
    }
}

/// What lies over the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    None,
    /// The keys.
    Help {
        /// Lines scrolled.
        scroll: usize,
    },
    /// The scenarios to choose from.
    Scenarios {
        /// Which is selected.
        at: usize,
    },
    /// The executors to choose from.
    Executors {
        /// Which is selected.
        at: usize,
        /// Which are on.
        chosen: Vec<ExecutorChoice>,
    },
    /// What the race can be exported as.
    Export {
        /// Which is selected.
        at: usize,
    },
    /// One task's story.
    Story {
        /// The task.
        task: TaskId,
        /// Lines scrolled.
        scroll: usize,
    },
}

/// Which run of the round that is shown is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunChoice {
    /// The one that is under way, or was the last to be.
    Follow,
    /// The one at that place among the executors; in every round the same executor's.
    Fixed(usize),
}

/// Which round of a race that repeats is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundChoice {
    /// The one that is under way, or was the last to be.
    Follow,
    /// The one at that place, rounds to warm up counted too.
    Fixed(usize),
}

/// A run that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Which one it is in the race.
    pub id: RunId,
    /// Its place among the executors, the same in every round: it decides its row.
    pub place: usize,
    /// The run.
    pub run: &'a RunState,
}

/// A column of the tasks' table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The number.
    Number,
    /// The name.
    Name,
    /// The lane.
    Lane,
    /// The stage.
    State,
    /// Bytes so far.
    Bytes,
    /// How long it was queued.
    Queued,
    /// From being taken up to the first byte.
    FirstByte,
    /// From being taken up to the end.
    Took,
    /// From the first byte to the end.
    Received,
    /// When its result was handed to the main thread.
    Delivered,
    /// Attempts.
    Attempts,
    /// The error.
    Error,
}

impl Column {
    /// Every column, from left to right.
    pub const ALL: [Column; 12] = [
        Column::Number,
        Column::Name,
        Column::Lane,
        Column::State,
        Column::Bytes,
        Column::Queued,
        Column::FirstByte,
        Column::Took,
        Column::Received,
        Column::Delivered,
        Column::Attempts,
        Column::Error,
    ];

    /// The columns that say something of a run's tasks, from left to right.
    pub fn telling(race: &RaceState, run: &RunState) -> Vec<Column> {
        let asks = race.plan().workload.asks_a_server();
        let says = |column: &Column| match column {
            Column::FirstByte | Column::Attempts => asks,
            // A call may be several requests, of which the later ones are sent after the first byte.
            Column::Received => race.plan().workload == WorkloadKind::Download,
            Column::Took => !asks,
            Column::Bytes => asks || run.bytes() > 0,
            Column::Delivered => run.takes_results(),
            _ => true,
        };
        Column::ALL.into_iter().filter(says).collect()
    }

    /// The column to the right of this one; the first after the last.
    pub fn next(self) -> Column {
        let at = Column::ALL.iter().position(|&column| column == self).unwrap_or(0);
        Column::ALL[(at + 1) % Column::ALL.len()]
    }

    /// The column's head.
    pub fn name(self) -> &'static str {
        match self {
            Column::Number => "#",
            Column::Name => "name",
            Column::Lane => "lane",
            Column::State => "state",
            Column::Bytes => "bytes",
            Column::Queued => "queued",
            Column::FirstByte => "1st byte",
            Column::Took => "took",
            Column::Received => "received",
            Column::Delivered => "delivered",
            Column::Attempts => "tries",
            Column::Error => "when, or error",
        }
    }
}

/// Which end of an order comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

/// Whether a filter is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Keys go to the filter.
    Filter,
    /// Keys mean what the key table says.
    Nothing,
}

/// The tasks' table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The column that it is sorted by.
    pub sort: Column,
    /// Which end comes first.
    pub direction: Direction,
    /// Only tasks whose name, stage or error has this in it.
    pub filter: String,
    /// Whether the filter is being typed.
    pub typing: Typing,
    /// Which row is selected.
    pub selected: usize,
    /// The first row that is shown.
    pub top: usize,
    /// The tasks in order; remade by [`Table::arrange`].
    pub order: Vec<TaskId>,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            sort: Column::Number,
            direction: Direction::Ascending,
            filter: String::new(),
            typing: Typing::Nothing,
            selected: 0,
            top: 0,
            order: Vec::new(),
        }
    }
}

impl Table {
    /// Filters and sorts the tasks of a run, by the next column that says something of them. Costs time in the
    /// number of tasks, so not for each frame.
    pub fn arrange(&mut self, race: &RaceState, run: &RunState, now: At) {
        let telling = Column::telling(race, run);
        while !telling.contains(&self.sort) {
            self.sort = self.sort.next();
        }
        let filter = self.filter.to_lowercase();
        let fits = |task: &TaskId| {
            let Some(state) = run.tasks().get(task.index()) else { return false };
            let name = race.plan().tasks.get(task.index()).map_or("", |task| task.name.as_str());
            filter.is_empty()
                || name.to_lowercase().contains(&filter)
                || state.stage.called_in(race.plan().workload).contains(&filter)
                || state.error_message().is_some_and(|message| message.to_lowercase().contains(&filter))
        };
        self.order.clear();
        self.order.extend((0..run.tasks().len()).map(TaskId::of).filter(fits));
        if self.sort != Column::Number {
            let (sort, tasks) = (self.sort, run.tasks());
            let name = |task: &TaskId| race.plan().tasks.get(task.index()).map(|task| task.name.as_str());
            self.order.sort_by(|a, b| {
                let (x, y) = (&tasks[a.index()], &tasks[b.index()]);
                match sort {
                    Column::Number => Ordering::Equal,
                    Column::Name => name(a).cmp(&name(b)),
                    Column::Lane => x.lane.cmp(&y.lane),
                    Column::State => x.stage.cmp(&y.stage),
                    Column::Bytes => x.bytes.cmp(&y.bytes),
                    Column::Queued => x.queue_time(now).cmp(&y.queue_time(now)),
                    Column::FirstByte => to_first_byte(x, now).cmp(&to_first_byte(y, now)),
                    Column::Took => took(x, now).cmp(&took(y, now)),
                    Column::Received => received(x, now).cmp(&received(y, now)),
                    Column::Delivered => x.delivered.cmp(&y.delivered),
                    Column::Attempts => x.attempts.cmp(&y.attempts),
                    Column::Error => x.error.cmp(&y.error),
                }
            });
        }
        if self.direction == Direction::Descending {
            self.order.reverse();
        }
        self.selected = self.selected.min(self.order.len().saturating_sub(1));
    }
}

/// From being taken up to the first byte, or until `now` while one may still come.
pub fn to_first_byte(task: &TaskState, now: At) -> Option<Duration> {
    let until = task.first_byte.or_else(|| task.finished.is_none().then_some(now))?;
    Some(until.since(task.started?))
}

/// From being taken up to the end, or until `now`.
pub fn took(task: &TaskState, now: At) -> Option<Duration> {
    Some(task.finished.unwrap_or(now).since(task.started?))
}

/// From the first byte to the end, or until `now`.
pub fn received(task: &TaskState, now: At) -> Option<Duration> {
    Some(task.finished.unwrap_or(now).since(task.first_byte?))
}

/// The timeline.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// The stretch that is shown; none shows all, and follows the race.
    pub window: Option<Window>,
    /// Where the cursor stands, from each run's start.
    pub cursor: Option<Duration>,
    /// Lanes scrolled in the selected run.
    pub scroll: usize,
}

/// The interleaving log: the events around the moment that is shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum LogPanel {
    /// It opens with the first picture that somebody freezes, where there is room for it.
    #[default]
    OnFreeze,
    /// It is there.
    Shown,
    /// Somebody has closed it.
    Hidden,
}

/// Whether the sequential run is shown as a ghost below the lanes of the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ghost {
    /// It is.
    #[default]
    Shown,
    /// It isn't.
    Hidden,
}

/// What is seen below the runs on the page of a comparison.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum DiffPanel {
    /// The pair that is looked at.
    #[default]
    Pair,
    /// What the words mean.
    Words,
}

/// What the keyboard has set on the page of a comparison.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DiffSight {
    /// Which pair is looked at.
    pub at: usize,
    /// Lines scrolled below the runs.
    pub scroll: usize,
    /// What is seen there.
    pub panel: DiffPanel,
}

/// Everything that the keyboard and the mouse have set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// The page.
    pub view: View,
    /// What lies over it.
    pub overlay: Overlay,
    /// Which round is shown.
    pub round: RoundChoice,
    /// Which of its runs is looked at.
    pub run: RunChoice,
    /// Tasks scrolled in the race view; none follows the tasks in progress.
    pub scroll: Option<usize>,
    /// The timeline.
    pub timeline: Timeline,
    /// The interleaving log.
    pub log: LogPanel,
    /// The ghost in the timeline.
    pub ghost: Ghost,
    /// The tasks' table.
    pub table: Table,
    /// Lines scrolled in the results.
    pub results_scroll: usize,
}

impl Default for Ui {
    fn default() -> Ui {
        Ui {
            view: View::Race,
            overlay: Overlay::None,
            round: RoundChoice::Follow,
            run: RunChoice::Follow,
            scroll: None,
            timeline: Timeline::default(),
            log: LogPanel::default(),
            ghost: Ghost::default(),
            table: Table::default(),
            results_scroll: 0,
        }
    }
}

impl Ui {
    /// The place of the round that is shown.
    pub fn round_of(&self, race: &RaceState) -> usize {
        match self.round {
            RoundChoice::Fixed(round) => round.min(race.rounds().all().len().saturating_sub(1)),
            RoundChoice::Follow => race.current_round(),
        }
    }

    /// The runs that are shown: those of one round, each executor at its place. All runs of a race that does not
    /// repeat.
    pub fn runs_of<'a>(&self, race: &'a RaceState) -> Vec<Shown<'a>> {
        let shown = |id: &RunId| {
            let (place, run) = (race.rounds().group_of(*id)?, race.runs().get(id.index())?);
            Some(Shown { id: *id, place, run })
        };
        race.rounds().runs(self.round_of(race)).iter().filter_map(shown).collect()
    }

    /// The run that is looked at.
    pub fn run_of(&self, race: &RaceState) -> RunId {
        let runs = self.runs_of(race);
        let chosen = match self.run {
            RunChoice::Fixed(place) => runs.iter().find(|run| run.place >= place).or(runs.last()),
            RunChoice::Follow => {
                let running = race.running().and_then(|id| runs.iter().find(|run| run.id == id));
                running.or_else(|| last_started(&runs)).or(runs.first())
            }
        };
        chosen.map_or(RunId(0), |run| run.id)
    }

    /// The place of the run that a race's result is about, among those that are shown: the one that lost most
    /// updates, or the fastest.
    pub fn telling_run(&self, race: &RaceState) -> Option<usize> {
        let runs = self.runs_of(race);
        let lost = |run: &RunState| run.counter().map_or(0, Counter::lost);
        let loser = runs.iter().filter(|shown| lost(shown.run) > 0).max_by_key(|shown| lost(shown.run));
        let comparable = |shown: &&Shown<'_>| {
            let baseline = race.baseline_of(shown.id).filter(|run| run.is_comparable());
            shown.run.is_comparable() && baseline.is_none_or(|run| shown.run.brought_as_much_as(run))
        };
        let fastest = runs.iter().filter(comparable).min_by_key(|shown| shown.run.wall());
        loser.or(fastest).map(|shown| shown.place)
    }
}

/// The run to look at when none is under way: the last that has started.
fn last_started<'r, 'a>(runs: &'r [Shown<'a>]) -> Option<&'r Shown<'a>> {
    runs.iter().filter(|run| run.run.started().is_some()).max_by_key(|run| run.id)
}
