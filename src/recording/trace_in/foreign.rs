//! A trace of another program as a race of one run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::event::{
    At, Check, ClockZero, Event, ExecutorKind, Fact, LaneId, Machine, Order, Outcome, RacePlan, Round,
    RunEnd, RunId, RunPlan, TaskEnd, TaskId, TaskPlan, TimeScale, Worker, WorkloadKind,
};
use crate::text::{counted, fit, shown};

use super::super::read::LATEST;
use super::collect::{Collector, Thread};
use super::lanes::{Laid, Row, Task, lay_out};
use super::names::called;
use super::notes::Notes;
use super::raw::Key;
use super::{Imported, TraceError, TraceLimits};

/// The most columns of a task's name without its number, of a worker's, and of the run's.
const NAME_COLUMNS: usize = 60;

/// Makes a race of everything that was kept.
pub(super) fn race(
    mut collector: Collector,
    name: &str,
    limits: &TraceLimits,
    mut notes: Notes,
) -> Result<Imported, TraceError> {
    collector.close(&mut notes);
    leave_out_strays(&mut collector, &mut notes);
    let (begin, end) = bounds(&collector);
    let mut laid = lay_out(&mut collector, limits.lanes, &mut notes);
    keep_longest(&mut laid.tasks, limits.tasks, &mut notes);
    if laid.tasks.is_empty() {
        return Err(TraceError::NoSlices { notes: notes.words() });
    }
    leave_out_idlers(&mut laid);
    order_lanes(&mut laid, &collector);
    laid.tasks.sort_by_key(|task| (task.from, task.lane));
    let moment = |at: i64| At(at.abs_diff(begin));
    let mut plan = plan(&collector, &laid, name);
    if let Some(missing) = notes.missing() {
        plan.about = format!("{}; {missing}", plan.about);
    }
    let plan = Arc::new(plan);
    let mut events = vec![
        Event { at: At::ZERO, fact: Fact::RaceStarted { plan: plan.clone() } },
        Event { at: At::ZERO, fact: Fact::RunStarted { run: RUN } },
    ];
    let many = is_many(&collector, &laid);
    for (index, row) in laid.lanes.iter().enumerate() {
        let fact = Fact::LaneOpened {
            run: RUN,
            lane: LaneId::of(index),
            worker: Box::new(worker(&collector, row, many)),
        };
        events.push(Event { at: moment(row.first), fact });
    }
    // On a lane, tasks are in the order of time and end before the next one begins; so the sort, which keeps the
    // order of what happens at one moment, leaves each lane's events as they are.
    for (index, task) in laid.tasks.iter().enumerate() {
        tell(TaskId::of(index), task, &moment, &mut events);
    }
    events.sort_by_key(|event| event.at);
    let unfinished = laid.tasks.iter().filter(|task| task.endless).count();
    let end_of_run = match unfinished {
        0 => RunEnd::Completed,
        tasks => RunEnd::Failed {
            message: format!("the trace ends in the middle of {}", counted(tasks as u64, "task", "tasks")),
        },
    };
    let last = moment(end);
    events.push(Event { at: last, fact: Fact::RunFinished { run: RUN, end: end_of_run } });
    events.push(Event { at: last, fact: Fact::RaceFinished });
    Ok(Imported { plan, events, notes: notes.words() })
}

/// The one run.
const RUN: RunId = RunId(0);

fn tell(id: TaskId, task: &Task, moment: &impl Fn(i64) -> At, events: &mut Vec<Event>) {
    let mut say = |at: i64, fact: Fact| events.push(Event { at: moment(at), fact });
    say(task.from, Fact::TaskStarted { run: RUN, task: id, lane: LaneId::of(task.lane) });
    for (at, phase) in &task.phases {
        say(*at, Fact::PhaseEntered { run: RUN, task: id, phase: *phase });
    }
    let outcome = if task.endless { Outcome::Cancelled } else { Outcome::Done };
    let end = TaskEnd { outcome, bytes: 0, write_nanos: 0, check: Check::Nothing, result: None };
    say(task.to, Fact::TaskFinished { run: RUN, task: id, end: Box::new(end) });
}

/// When the first slice begins and the last one ends.
fn bounds(collector: &Collector) -> (i64, i64) {
    let begin = collector.slices.iter().map(|slice| slice.from).min().unwrap_or(0);
    let end = collector.slices.iter().map(|slice| slice.to).max().unwrap_or(0);
    (begin, end.max(begin))
}

/// Leaves out what is told for other years than the rest: one wrong clock would make everything else invisible.
fn leave_out_strays(collector: &mut Collector, notes: &mut Notes) {
    let (begin, end) = bounds(collector);
    if end.abs_diff(begin) <= LATEST.0 {
        return;
    }
    let mut froms: Vec<i64> = collector.slices.iter().map(|slice| slice.from).collect();
    let middle = froms.len() / 2;
    let middle = *froms.select_nth_unstable(middle).1;
    let near = |at: i64| at.abs_diff(middle) <= LATEST.0 / 2;
    let before = collector.slices.len();
    collector.slices.retain(|slice| near(slice.from) && near(slice.to));
    notes.timeless += (before - collector.slices.len()) as u64;
}

/// Leaves out the lanes of threads without tasks where there are more lanes than tasks.
fn leave_out_idlers(laid: &mut Laid) {
    if laid.lanes.len() <= laid.tasks.len() {
        return;
    }
    let mut place = vec![None; laid.lanes.len()];
    laid.tasks.iter().for_each(|task| place[task.lane] = Some(0));
    let mut kept = Vec::new();
    for (row, place) in laid.lanes.iter().zip(&mut place) {
        if place.is_some() {
            *place = Some(kept.len());
            kept.push(*row);
        }
    }
    laid.lanes = kept;
    laid.tasks.iter_mut().for_each(|task| task.lane = place[task.lane].unwrap_or(0));
}

fn keep_longest(tasks: &mut Vec<Task>, most: usize, notes: &mut Notes) {
    let over = tasks.len().saturating_sub(most);
    if over == 0 {
        return;
    }
    let long = |task: &Task| task.to.abs_diff(task.from);
    let mut longs: Vec<u64> = tasks.iter().map(long).collect();
    let floor = *longs.select_nth_unstable(over).1;
    let longer = longs.iter().filter(|nanos| **nanos > floor).count();
    let mut room = most.saturating_sub(longer);
    tasks.retain(|task| {
        let stays = long(task) > floor || long(task) == floor && room > 0;
        room -= usize::from(stays && long(task) == floor);
        stays
    });
    notes.tasks += over as u64;
}

/// Brings the lanes into the order that the trace asks for, and else into that of their first slices, each
/// process's together.
fn order_lanes(laid: &mut Laid, collector: &Collector) {
    let mut process_first: HashMap<&Key, i64> = HashMap::new();
    let mut thread_first: HashMap<u32, i64> = HashMap::new();
    for row in &laid.lanes {
        let first = process_first.entry(&thread(collector, row).pid).or_insert(row.first);
        *first = row.first.min(*first);
        let first = thread_first.entry(row.thread.0).or_insert(row.first);
        *first = row.first.min(*first);
    }
    let mut order: Vec<usize> = (0..laid.lanes.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |index: usize| {
            let row = &laid.lanes[index];
            let of = thread(collector, row);
            let first = (process_first.get(&of.pid), thread_first.get(&row.thread.0));
            let sort = collector.processes.get(&of.pid).map_or(0.0, |process| process.sort_index);
            (row, of, first, sort)
        };
        let ((row, of, first, sort), (other, other_of, other_first, other_sort)) = (key(a), key(b));
        sort.total_cmp(&other_sort)
            .then_with(|| first.0.cmp(&other_first.0))
            .then_with(|| of.pid.cmp(&other_of.pid))
            .then_with(|| of.sort_index.total_cmp(&other_of.sort_index))
            .then_with(|| first.1.cmp(&other_first.1))
            .then_with(|| row.thread.cmp(&other.thread))
            .then_with(|| row.beside.cmp(&other.beside))
    });
    let mut place = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new;
    }
    laid.lanes = order.iter().map(|old| laid.lanes[*old]).collect();
    laid.tasks.iter_mut().for_each(|task| task.lane = place[task.lane]);
}

fn thread<'a>(collector: &'a Collector, row: &Row) -> &'a Thread {
    &collector.threads[row.thread.0 as usize]
}

/// Whether the lanes are of several processes.
fn is_many(collector: &Collector, laid: &Laid) -> bool {
    let mut pids = laid.lanes.iter().map(|row| &thread(collector, row).pid);
    let first = pids.next();
    pids.any(|pid| Some(pid) != first)
}

fn worker(collector: &Collector, row: &Row, many: bool) -> Worker {
    let of = thread(collector, row);
    let Some(tid) = &of.tid else { return Worker::AsyncSlot { threads: 0, thread_id: None } };
    let number = |key: &Key| match key {
        Key::Number(number) => u64::try_from(*number).ok(),
        Key::Text(_) => None,
    };
    let named = of.name.map(|name| fit(&collector.names[name.0 as usize].0, NAME_COLUMNS));
    let mut name = named.unwrap_or_else(|| fit(&format!("thread {tid}"), NAME_COLUMNS));
    if row.beside > 0 {
        name = format!("{name} ({})", row.beside + 1);
    }
    let thread_id = number(tid);
    match number(&of.pid).and_then(|pid| u32::try_from(pid).ok()).filter(|_| many) {
        Some(pid) => Worker::Process { pid, name, thread_id },
        None => Worker::Thread { name, thread_id },
    }
}

fn plan(collector: &Collector, laid: &Laid, name: &str) -> RacePlan {
    let name = fit(name, NAME_COLUMNS);
    let executor = executor(collector, laid, &name);
    let pids: std::collections::HashSet<&Key> =
        laid.lanes.iter().map(|row| &thread(collector, row).pid).collect();
    let lanes = laid.lanes.len();
    let number = |number: usize, one: &str, many: &str| counted(number as u64, one, many);
    let about = format!(
        "an imported trace: {} on {} of {}",
        number(laid.tasks.len(), "task", "tasks"),
        number(lanes, "lane", "lanes"),
        number(pids.len(), "process", "processes")
    );
    RacePlan {
        scenario: name.clone(),
        about,
        workload: WorkloadKind::Imported,
        noun: "tasks".to_owned(),
        source: format!("the Chrome trace {name}"),
        time_scale: TimeScale::ONE,
        seed: 0,
        order: Order::OneByOne,
        tasks: task_names(collector, &laid.tasks),
        runs: vec![RunPlan {
            label: executor.name().to_owned(),
            executor,
            workers: u32::try_from(lanes).unwrap_or(u32::MAX),
            variant: None,
            round: Round::ONLY,
        }],
        output: PathBuf::new(),
        machine: Machine { os: String::new(), arch: String::new(), cpus: 0 },
        zero: ClockZero::default(),
    }
}

/// The run's executor: never one of this program's own, of which more would be claimed than is known.
fn executor(collector: &Collector, laid: &Laid, name: &str) -> ExecutorKind {
    let only =
        laid.lanes.first().filter(|_| !is_many(collector, laid)).map(|row| &thread(collector, row).pid);
    let process = only.and_then(|pid| collector.processes.get(pid)?.name);
    let named = process.map(|name| fit(&collector.names[name.0 as usize].0, NAME_COLUMNS));
    let stem = name.strip_suffix(".json").unwrap_or(name);
    let named = named.filter(|name| !name.is_empty()).unwrap_or_else(|| stem.to_owned());
    match ExecutorKind::built_in(&named) {
        Some(_) => ExecutorKind::External(format!("{named} (imported)").into()),
        None => ExecutorKind::External(named.into()),
    }
}

/// The tasks' names; several of one name are numbered.
fn task_names(collector: &Collector, tasks: &[Task]) -> Vec<TaskPlan> {
    let name_of = |task: &Task| called(&collector.names[task.name.0 as usize].0);
    let mut total: HashMap<&str, u32> = HashMap::new();
    for task in tasks {
        *total.entry(name_of(task)).or_default() += 1;
    }
    let mut so_far: HashMap<&str, u32> = HashMap::new();
    let named = |task: &Task| {
        let name = name_of(task);
        let number = so_far.entry(name).or_default();
        *number += 1;
        let shown = fit(&shown(name), NAME_COLUMNS);
        let name = if total.get(name) == Some(&1) { shown } else { format!("{shown} #{number}") };
        TaskPlan { name, url: None }
    };
    tasks.iter().map(named).collect()
}
