//! In what two races are not the same, so that what differs between them may come from that.

use std::fmt;

use crate::event::{Machine, Order, TimeScale};
use crate::model::RaceState;
use crate::report::words::{self, count};
use crate::text::{fit, shown};

use super::tasks::Matching;
use super::{Both, Side};

/// Something in which two races are not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlike {
    /// They are of different scenarios.
    Scenario(Both<String>),
    /// Not all tasks are in both.
    Tasks {
        /// How many are in one alone.
        only: Both<usize>,
        /// How many are in both.
        both: usize,
    },
    /// What came by chance was not the same.
    Seed(Both<u64>),
    /// Simulated delays were scaled differently.
    TimeScale(Both<TimeScale>),
    /// They ran on different machines.
    Machine(Both<Machine>),
    /// The runs of one of them ran at once, or of both.
    Together(Both<bool>),
    /// A run had another number of workers.
    Workers {
        /// The run's label.
        label: String,
        /// The workers.
        workers: Both<u32>,
    },
    /// One is not over.
    Unfinished(Side),
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unlike::Scenario(Both { a, b }) => {
                write!(f, "different scenarios ({}; {})", fit(a, 30), fit(b, 30))
            }
            Unlike::Tasks { only, both } => {
                let number = |tasks: usize| count(tasks as u64);
                write!(f, "different tasks: {} in both, ", number(*both))?;
                write!(f, "{} in A alone, {} in B alone", number(only.a), number(only.b))
            }
            Unlike::Seed(Both { a, b }) => {
                write!(f, "different seeds: what came by chance was not the same ({a}; {b})")
            }
            Unlike::TimeScale(scales) => {
                let Both { a, b } = scales.map(|scale| scale.factor());
                write!(f, "different time scales: simulated delays × {a} in A, × {b} in B")
            }
            Unlike::Machine(machines) => {
                let words = |machine: &Machine| {
                    let processors = words::processors(machine.cpus);
                    format!("{} {}, {processors}", machine.os, machine.arch)
                };
                let Both { a, b } = machines.as_ref().map(words);
                write!(f, "different machines: not a fair comparison ({}; {})", shown(&a), shown(&b))
            }
            Unlike::Together(at_once) => {
                let who = match at_once {
                    Both { a: true, b: true } => "both",
                    Both { a: true, .. } => "A",
                    Both { .. } => "B",
                };
                write!(f, "the runs of {who} ran at once and shared the machine: a show, not a measurement")
            }
            Unlike::Workers { label, workers: Both { a, b } } => {
                write!(f, "{} had {} in A and {b} in B", fit(label, 20), words::workers(*a))
            }
            Unlike::Unfinished(side) => write!(f, "{side:?} is not over, and is compared as far as it goes"),
        }
    }
}

pub(super) fn found(races: Both<&RaceState>, matching: &Matching) -> Vec<Unlike> {
    let plans = races.map(|race| race.plan());
    let Both { a, b } = plans;
    let mut found = Vec::new();
    if a.scenario != b.scenario {
        found.push(Unlike::Scenario(plans.map(|plan| plan.scenario.clone())));
    }
    let only = matching.only();
    if only.a + only.b > 0 {
        found.push(Unlike::Tasks { only, both: matching.pairs().len() });
    }
    if a.seed != b.seed {
        found.push(Unlike::Seed(plans.map(|plan| plan.seed)));
    }
    if a.time_scale != b.time_scale {
        found.push(Unlike::TimeScale(plans.map(|plan| plan.time_scale)));
    }
    if a.machine != b.machine {
        found.push(Unlike::Machine(plans.map(|plan| plan.machine.clone())));
    }
    let together = plans.map(|plan| plan.order == Order::Together);
    if together.a || together.b {
        found.push(Unlike::Together(together));
    }
    let sides = [(Side::A, races.a), (Side::B, races.b)];
    found.extend(sides.iter().filter(|(_, race)| !race.is_over()).map(|(side, _)| Unlike::Unfinished(*side)));
    found
}
