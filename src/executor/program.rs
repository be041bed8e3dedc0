//! The executor `external`: a program that is told all tasks, and runs them in its own way.

use std::io;
use std::process::Command;

use crate::event::LaneId;
use crate::text;

use super::crew::{Crew, Stop, Turn, with_crew};
use super::{Job, Leftovers};

/// The programs that are part of this one, by the argument that stands for their text.
const SHIPPED: [(&str, &str); 3] = [
    ("{python_threads.py}", include_str!("../../assets/executors/python_threads.py")),
    ("{python_asyncio.py}", include_str!("../../assets/executors/python_asyncio.py")),
    ("{node.js}", include_str!("../../assets/executors/node.js")),
];

pub(super) fn execute(job: &Job) -> io::Result<Leftovers> {
    Ok(with_crew(job, |crew| lead(job, crew)))
}

fn lead(job: &Job, crew: &mut Crew<'_>) -> Result<(), Stop> {
    let name = format!("the program {}", text::shown(job.executor.name()));
    let Some((program, arguments)) = job.command.split_first() else {
        return Err(Stop::Failed(format!("{name} has no command")));
    };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| spelled_out(argument)));
    let lanes = (LaneId(0), job.workers.get());
    let member = crew.hire(&mut command, name, lanes, None)?;
    let mut told = false;
    loop {
        match crew.next()? {
            Turn::Free { .. } if !told => {
                told = true;
                crew.give(member, job.task_ids());
            }
            Turn::Free { .. } => {}
            Turn::Gone { member, fate } => {
                crew.give_up(&member, &super::crew::failed(&fate));
                return Err(Stop::Failed(fate));
            }
            Turn::Over => return Ok(()),
        }
    }
}

/// An argument; where it stands for a program that is part of this one, that program's text.
fn spelled_out(argument: &str) -> &str {
    SHIPPED.iter().find(|(name, _)| *name == argument).map_or(argument, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shipped_programs_are_spelled_out() {
        for (name, text) in SHIPPED {
            assert_eq!(spelled_out(name), text);
            // Linux takes no single argument of more than 128 KiB.
            assert!(text.len() < 64 << 10, "{name}");
        }
        for other in ["-c", "{other.py}", "", "{python_threads.py} "] {
            assert_eq!(spelled_out(other), other);
        }
    }
}
