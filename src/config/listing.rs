//! The settings in force as people read them: what `threadrace config` and `threadrace scenarios` print.

use std::fmt;
use std::path::PathBuf;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::error::path_shown;
use super::keys::Section;
use super::rules::quoted;
use super::settings::Settings;
use crate::scenario::Scenario;
use crate::text::shown;

/// Where a setting's value came from; a later one beats those before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The built-in file, or what holds when it says nothing.
    BuiltIn,
    /// The user's file.
    File(PathBuf),
    /// A variable.
    Variable(&'static str),
    /// A flag, or a positional argument.
    Flag(&'static str),
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::BuiltIn => f.write_str("default"),
            Layer::File(path) => write!(f, "file {}", path_shown(path)),
            Layer::Variable(name) => write!(f, "environment {name}"),
            Layer::Flag(name) if name.starts_with('-') => write!(f, "flag {name}"),
            Layer::Flag(name) => write!(f, "argument {name}"),
        }
    }
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: Section,
    pub(super) key: &'static str,
    pub(super) toml: String,
    pub(super) layer: Layer,
}

/// Who made a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is as the built-in file has it.
    BuiltIn,
    /// The built-in file has it, and the user's file says something else about it.
    Changed,
    /// Only the user's file has it.
    Users,
    /// The URLs of the command line make it.
    Urls,
}

/// The settings in force, and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    pub(super) entries: Vec<Entry>,
    pub(super) whose: Vec<Whose>,
}

/// The widest that the listings may be, in columns, where words leave a choice.
const WIDEST: usize = 80;

impl Effective {
    /// The general settings and those of the selected scenario as TOML, each with where it came from in a
    /// comment. Unless URLs are raced, the listing is a config file that says the same.
    pub fn listing(&self) -> String {
        // A long line keeps its comment close, rather than push all others out of sight.
        const FARTHEST: usize = 48;
        let lines: Vec<String> =
            self.entries.iter().map(|entry| format!("{} = {}", entry.key, entry.toml)).collect();
        let column =
            lines.iter().map(|line| line.width()).filter(|width| *width <= FARTHEST).max().unwrap_or(0);
        let mut out = String::new();
        let mut section = Section::Top;
        for (entry, line) in self.entries.iter().zip(lines) {
            if entry.section != section {
                section = entry.section;
                out.push_str(&format!("\n[{}]\n", header(section, &self.settings.scenario.name)));
            }
            let gap = " ".repeat(column.saturating_sub(line.width()) + 2);
            out.push_str(&format!("{line}{gap}# {}\n", entry.layer));
        }
        out
    }

    /// The scenarios: their names, tasks and executors in columns, and what they show on lines below.
    pub fn scenario_listing(&self) -> String {
        let scenarios = &self.settings.scenarios;
        let width = scenarios.iter().map(|scenario| scenario.name.width()).max().unwrap_or(0);
        let digits = scenarios.iter().map(|scenario| scenario.tasks.to_string().len()).max().unwrap_or(0);
        let mut out = String::new();
        for (scenario, whose) in scenarios.iter().zip(&self.whose) {
            let name = format!("{}{}", scenario.name, " ".repeat(width - scenario.name.width()));
            let noun = if scenario.tasks == 1 { "task " } else { "tasks" };
            let head = format!("{name}  {:>digits$} {noun}  ", scenario.tasks);
            let note = match whose {
                Whose::BuiltIn | Whose::Urls => "",
                Whose::Changed => " (changed by you)",
                Whose::Users => " (yours)",
            };
            let executors = format!("{}{note}", executors(scenario));
            wrap(&mut out, &head, &executors, head.width());
            wrap(&mut out, "  ", &shown(&scenario.about), 2);
        }
        out
    }
}

fn executors(scenario: &Scenario) -> String {
    scenario.executors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The name of a section's table, for the scenario called `scenario`.
fn header(section: Section, scenario: &str) -> String {
    let bare =
        |part: &str| part.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    let parts = section.path(scenario).into_iter();
    parts.map(|part| if bare(part) { part.to_owned() } else { quoted(part) }).collect::<Vec<_>>().join(".")
}

/// Adds `text` in lines of at most [`WIDEST`] columns, the first after `head`, the others indented by
/// `indent` columns. Lines break between words, and within a word only when it is wider than a line.
fn wrap(out: &mut String, head: &str, text: &str, indent: usize) {
    let mut line = head.to_owned();
    let mut fresh = true;
    let mut newline = |line: &mut String| {
        out.push_str(line.trim_end());
        out.push('\n');
        *line = " ".repeat(indent);
    };
    for word in text.split_whitespace() {
        let space = if fresh { 0 } else { 1 };
        if !fresh && line.width() + space + word.width() > WIDEST {
            newline(&mut line);
        } else {
            line.push_str(&" "[..space]);
        }
        for char in word.chars() {
            if line.width() + char.width().unwrap_or(0) > WIDEST.max(indent + 2) {
                newline(&mut line);
            }
            line.push(char);
        }
        fresh = false;
    }
    if !fresh {
        newline(&mut line);
    }
}
