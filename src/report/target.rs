//! What a race can be taken home as: the one table of them, for the command line and the dashboard.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::event::RacePlan;

use super::scaling::Sweep;

/// What a race can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One page with everything, for a browser.
    Html,
    /// The lanes of all runs, as a picture.
    Svg,
    /// What more workers brought, as a picture.
    Scaling,
    /// One screen of the dashboard, as a picture.
    Screen,
    /// The dashboard playing the race, for asciinema.
    Cast,
    /// Runs, lanes, tasks and spans as a Chrome trace.
    Trace,
    /// A row for each task.
    CsvTasks,
    /// A row for each span.
    CsvSpans,
    /// The figures, the tasks and the spans, for programs.
    Json,
    /// The figures and what they mean, for documents.
    Markdown,
    /// The figures and what they mean, for a terminal.
    Table,
}

/// What there is to say about a target.
struct Row {
    name: &'static str,
    extension: &'static str,
    about: &'static str,
}

impl Target {
    /// Every target, in the order in which they are listed.
    pub const ALL: [Target; 11] = [
        Target::Html,
        Target::Svg,
        Target::Scaling,
        Target::Screen,
        Target::Cast,
        Target::Trace,
        Target::CsvTasks,
        Target::CsvSpans,
        Target::Json,
        Target::Markdown,
        Target::Table,
    ];

    /// What a race of that plan can be written as, in the order of the list: what shows a sweep needs one.
    pub fn of_race(plan: &RacePlan) -> Vec<Target> {
        let sweeps = Sweep::of(plan).is_some();
        Target::ALL.into_iter().filter(|&target| target != Target::Scaling || sweeps).collect()
    }

    const fn row(self) -> Row {
        let (name, extension, about) = match self {
            Target::Html => ("html", "html", "one page with results and timeline, for any browser"),
            Target::Svg => ("svg", "svg", "the timeline of all runs, as an SVG picture"),
            Target::Scaling => ("scaling", "scaling.svg", "a sweep’s speedups by workers, as an SVG picture"),
            Target::Screen => ("screen", "screen.svg", "one screen of the dashboard, as an SVG picture"),
            Target::Cast => ("cast", "cast", "the dashboard playing the race, for asciinema"),
            Target::Trace => {
                ("trace", "trace.json", "runs, lanes and tasks, for Perfetto or chrome://tracing")
            }
            Target::CsvTasks => {
                ("csv-tasks", "tasks.csv", "a row for each task of each run, for spreadsheets")
            }
            Target::CsvSpans => {
                ("csv-spans", "spans.csv", "a row for each span of each lane, for spreadsheets")
            }
            Target::Json => ("json", "json", "all figures, tasks and spans, for programs"),
            Target::Markdown => ("markdown", "md", "the figures and what they mean, for documents"),
            Target::Table => ("table", "txt", "the figures and what they mean, as plain text"),
        };
        Row { name, extension, about }
    }

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What its files' names end with, after a dot.
    pub fn extension(self) -> &'static str {
        self.row().extension
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// The target that a file's name asks for: the one with the longest extension that the name ends with.
    pub fn of_path(path: &Path) -> Option<Target> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let ends = |target: &Target| {
            let stem = name.strip_suffix(target.extension()).and_then(|stem| stem.strip_suffix('.'));
            stem.is_some_and(|stem| !stem.is_empty())
        };
        Target::ALL.into_iter().filter(ends).max_by_key(|target| target.extension().len())
    }

    /// Whether people read it as it is, so that a terminal is a place for it.
    pub fn is_for_reading(self) -> bool {
        matches!(self, Target::Markdown | Target::Table)
    }
}

impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Target] {
        &Target::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// A view of the dashboard, by name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ViewName {
    /// The runs, and one run's tasks and lanes.
    #[default]
    Race,
    /// The lanes of all runs on one axis.
    Timeline,
    /// A table of one run's tasks.
    Tasks,
    /// The figures and what they mean.
    Results,
}

/// How large a screen is, in characters: 20 to 500 columns and 6 to 200 rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize {
    columns: u16,
    rows: u16,
}

impl ScreenSize {
    /// A screen of that size, or of the nearest that there is.
    pub fn near(columns: u16, rows: u16) -> ScreenSize {
        ScreenSize { columns: columns.clamp(20, 500), rows: rows.clamp(6, 200) }
    }

    /// How many columns it has.
    pub fn columns(self) -> u16 {
        self.columns
    }

    /// How many rows it has.
    pub fn rows(self) -> u16 {
        self.rows
    }
}

impl Default for ScreenSize {
    fn default() -> ScreenSize {
        ScreenSize { columns: 120, rows: 36 }
    }
}

impl fmt::Display for ScreenSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}

/// It is no size of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size is COLUMNSxROWS, such as 120x36, from 20x6 to 500x200")]
pub struct NoSize;

impl FromStr for ScreenSize {
    type Err = NoSize;

    fn from_str(words: &str) -> Result<ScreenSize, NoSize> {
        let (columns, rows) = words.split_once(['x', '×', 'X']).ok_or(NoSize)?;
        let number = |digits: &str| digits.parse::<u16>().map_err(|_| NoSize);
        let (columns, rows) = (number(columns)?, number(rows)?);
        let size = ScreenSize::near(columns, rows);
        if size == (ScreenSize { columns, rows }) { Ok(size) } else { Err(NoSize) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn targets_are_told_apart_by_name_and_by_extension() {
        for word in [Target::name, Target::extension, Target::about] {
            assert_eq!(Target::ALL.map(word).into_iter().collect::<HashSet<_>>().len(), Target::ALL.len());
        }
        for target in Target::ALL {
            let path = format!("some.where/a race.{}", target.extension());
            assert_eq!(Target::of_path(Path::new(&path)), Some(target), "{path}");
            assert_eq!(Target::of_path(Path::new(&path.to_uppercase())), Some(target), "{path}");
        }
        for path in ["race", "race.jsonl", ".cast", "cast", "a.cast/b", ""] {
            assert_eq!(Target::of_path(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for size in [ScreenSize::default(), ScreenSize::near(0, 0), ScreenSize::near(9_999, 9_999)] {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for wrong in
            ["", "x", "80", "80x", "80x5", "19x24", "501x24", "80x201", "-80x24", "80x24x2", "1e2x24"]
        {
            assert_eq!(wrong.parse::<ScreenSize>(), Err(NoSize), "{wrong}");
        }
    }
}
