//! The executor `processes`: N children of this program, each with memory of its own. They get one task at
//! a time, from one queue.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::event::LaneId;

use super::crew::{Crew, Stop, Turn, failed, with_crew};
use super::{Job, Leftovers};

/// How many children for each worker may die one after the other, without a task ended in between, before
/// the run is given up.
const LOSSES: usize = 3;

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    Ok(with_crew(job, |crew| lead(job, crew)))
}

fn lead(job: &Job, crew: &mut Crew<'_>) -> Result<(), Stop> {
    let mut queue = job.task_ids().peekable();
    let mut losses = 0;
    for lane in 0..job.workers.get() {
        hire(job, crew, LaneId::of(lane))?;
    }
    loop {
        match crew.next()? {
            Turn::Free { member, ended } => {
                if ended {
                    losses = 0;
                }
                if let Some(task) = queue.next() {
                    crew.give(member, std::iter::once(task));
                }
            }
            Turn::Gone { member, fate } => {
                crew.give_up(&member, &failed(&fate));
                losses += 1;
                if losses >= LOSSES * job.workers.get() {
                    return Err(Stop::Failed(format!(
                        "{losses} worker processes were lost one after the other, the last: {fate}"
                    )));
                }
                if queue.peek().is_some() {
                    hire(job, crew, member.lane)?;
                }
            }
            Turn::Over => return Ok(()),
        }
    }
}

fn hire(job: &Job, crew: &mut Crew<'_>, lane: LaneId) -> Result<(), Stop> {
    let name = format!("process-{}", lane.0 + 1);
    let mut command = Command::new(&*job.own_program);
    // Who looks for this program's processes finds them, whatever path they were started by.
    command.arg0("threadrace").arg("worker");
    crew.hire(&mut command, format!("the worker {name}"), (lane, 1), Some(name)).map(drop)
}
