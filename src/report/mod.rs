//! A race's report: the figures, what follows from them, and both as a table, JSON, CSV or Markdown; its
//! timeline as a picture; and all of it on a page of HTML.
//!
//! All formats are written from one [`RaceState`] and one [`Summary`], which the dashboard shows too, so
//! no two of them can disagree. Names, addresses and messages are foreign text: they are made safe for
//! each format before they are written.

mod cause;
mod conditions;
mod counter;
mod critical;
mod csv;
pub mod diff;
mod groups;
mod json;
mod markdown;
mod markup;
mod page;
mod place;
mod repeated;
mod rows;
mod save;
pub mod scaling;
mod spans;
mod summary;
mod table;
mod target;
mod timeline;
mod utilisation;
mod verdict;
pub mod words;

use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use conditions::{Condition, ConditionError, Judgement};
pub use critical::{CriticalPath, Segment, Step};
pub use groups::{Group, REPEAT_DEFINITIONS, Repeat};
pub use page::{Chart, Page, html};
pub use place::{PlaceError, Standing, place, place_anew};
pub use save::{SaveError, save, try_place};
pub use scaling::{Scaling, scaling_svg};
pub use spans::csv_spans;
pub use summary::{
    Comparable, CpuTime, DEFINITIONS, ORDER_TOLD, Reason, RunSummary, SHARED, Summary, gauge_scale, so_far,
};
pub use target::{NoSize, ScreenSize, Target, ViewName};
pub use timeline::{Ghost, Theme, TimelineOptions, timeline_svg};
pub use utilisation::{Use, Utilisation};
pub use verdict::VERDICT_CHARS;

use crate::event::At;
use crate::model::RaceState;

/// How a report is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned plain text of at most 80 columns, for people.
    #[default]
    #[value(help = None::<&str>)]
    Table,
    /// The whole race with every task and span, for programs; `assets/report.schema.json` describes it.
    #[value(help = None::<&str>)]
    Json,
    /// A row for each task of each run, for spreadsheets.
    #[value(help = None::<&str>)]
    Csv,
    /// The figures and what they mean, for documents.
    #[value(help = None::<&str>)]
    Markdown,
}

impl Format {
    /// The format that a file's extension asks for: `txt`, `json`, `csv`, `md` or `markdown`, in any case.
    pub fn of_path(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Format::Table),
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "md" | "markdown" => Some(Format::Markdown),
            _ => None,
        }
    }
}

/// Writes the report of a race as of `now`, which matters only while the race goes on.
///
/// Writes through a buffer of its own and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn write(format: Format, race: &RaceState, now: At, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    match format {
        Format::Table => table::write(race, now, &mut out)?,
        Format::Json => json::write(race, now, &mut out)?,
        Format::Csv => csv::write(race, &mut out)?,
        Format::Markdown => markdown::write(race, now, &mut out)?,
    }
    out.flush()
}

/// Writes a row for each task of each run as CSV: the same as [`Format::Csv`].
///
/// Moments are seconds since the race's clock was started, sizes are bytes. Writes through a buffer of its own
/// and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn csv_tasks(race: &RaceState, out: &mut dyn Write) -> io::Result<()> {
    csv::write(race, &mut BufWriter::with_capacity(64 * 1024, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_extension_asks_for_a_format() {
        let by_path = |path: &str| Format::of_path(Path::new(path));
        assert_eq!(by_path("a/report.JSON"), Some(Format::Json));
        assert_eq!(by_path("report.md"), Some(Format::Markdown));
        assert_eq!(by_path("report.txt"), Some(Format::Table));
        assert_eq!(by_path("a.csv"), Some(Format::Csv));
        assert_eq!(by_path("report"), None);
        assert_eq!(by_path(".json"), None);
    }
}
