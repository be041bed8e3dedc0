//! A race's report: the figures, what follows from them, and both as a table, JSON, CSV or Markdown; its
//! timeline as a picture; and all of it on a page of HTML.
//!
//! All formats are written from one [`RaceState`] and one [`Summary`], which the dashboard shows too, so
//! no two of them can disagree. Names, addresses and messages are foreign text: they are made safe for
//! each format before they are written.

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
pub mod scaling;
mod spans;
mod summary;
mod table;
mod target;
mod timeline;
mod utilisation;
mod verdict;
pub mod words;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

pub use conditions::{Condition, ConditionError, Judgement};
pub use critical::{CriticalPath, Segment, Step};
pub use groups::{Group, REPEAT_DEFINITIONS, Repeat};
pub use page::{Chart, Page, html};
pub use place::{PlaceError, Standing, place, place_anew};
pub use scaling::{Scaling, scaling_svg};
pub use spans::csv_spans;
pub use summary::{Comparable, CpuTime, DEFINITIONS, Reason, RunSummary, SHARED, Summary, so_far};
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

/// Why a report is not in a file.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// There is something else under its name.
    #[error("{} is there already and is no report: it stays as it is; name another file", .0.display())]
    Taken(PathBuf),
    /// The file can't be made or written.
    #[error("the report could not be written to {}: {source}. Name another file, or make room there", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SaveError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> SaveError + '_ {
        |source| SaveError::File { path: path.to_owned(), source }
    }
}

/// Whether a text is a report of any format, by how it begins: a table or Markdown tells the race's conditions
/// there. Nothing at all may become one.
fn is_report(text: &str) -> bool {
    let tells_conditions = || {
        text.match_indices("seed ").any(|(at, seed)| {
            let rest = &text[at + seed.len()..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let line: String = rest[digits..].chars().take(120).collect();
            digits > 0 && line.starts_with(',') && line.contains("processor")
        })
    };
    text.is_empty()
        || text.starts_with(&format!(r#"{{"format":"{}""#, json::FORMAT))
        || text.starts_with(&csv::HEADER.join(","))
        || tells_conditions()
}

/// How much of a file is looked at to know it for a report: what comes before the conditions is short.
const BEGINNING: u64 = 16 * 1024;

/// Makes sure that what is in a file's place may go: only a report may.
fn makes_way(path: &Path) -> Result<(), SaveError> {
    let mut beginning = Vec::new();
    match fs::metadata(path) {
        Ok(there) if there.is_file() => {}
        _ => return Ok(()),
    }
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.map_err(SaveError::at(path))?;
    match is_report(&String::from_utf8_lossy(&beginning)) {
        true => Ok(()),
        false => Err(SaveError::Taken(path.to_owned())),
    }
}

/// Writes the report into a file, in place of the report that may be there. That one is whole until the new
/// one is, which is written beside it first.
///
/// # Errors
/// When something else is there, or the file can't be made or written; what was there is then as it was.
pub fn save(format: Format, race: &RaceState, now: At, path: &Path) -> Result<(), SaveError> {
    makes_way(path)?;
    replace(path, |file| write(format, race, now, file)).map_err(SaveError::at(path))
}

/// Finds out whether [`save`] has a place for the file, and leaves everything as it was: a race is better not
/// begun than without its report at the end. What is no file is not tried: a pipe would wait for a reader.
///
/// # Errors
/// When something else is there, or the file can't be made.
pub fn try_place(path: &Path) -> Result<(), SaveError> {
    makes_way(path)?;
    let tried = || match Beside::of(path)? {
        None => Ok(()),
        Some(beside) => {
            beside.create()?;
            fs::remove_file(beside.part)
        }
    };
    tried().map_err(SaveError::at(path))
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let Some(beside) = Beside::of(path)? else {
        return write(&mut OpenOptions::new().write(true).open(path)?);
    };
    let mut file = beside.create()?;
    let written = write(&mut file)
        .and_then(|()| beside.permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions)))
        .and_then(|()| fs::rename(&beside.part, beside.target));
    if written.is_err() {
        let _ = fs::remove_file(&beside.part);
    }
    written
}

/// A file that is written beside the one whose place it takes.
struct Beside {
    target: PathBuf,
    part: PathBuf,
    /// Of the file that is there.
    permissions: Option<Permissions>,
}

impl Beside {
    /// None where no file is in the place: a terminal or a pipe takes what is written, and nothing can stand in
    /// its place.
    fn of(path: &Path) -> io::Result<Option<Beside>> {
        let there = fs::metadata(path).ok();
        match &there {
            Some(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(there) if !there.is_file() => return Ok(None),
            _ => {}
        }
        // Whoever named a link means the file that it leads to.
        let target = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
        let mut name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        // The process's number keeps a file of somebody else's, and of another process, out of the way.
        name.push(format!(".{}.part", std::process::id()));
        let part = target.with_file_name(name);
        Ok(Some(Beside { target, part, permissions: there.map(|there| there.permissions()) }))
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(&self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_takes_an_older_ones_place_whole_or_not_at_all() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("report.txt");
        let names = || fs::read_dir(folder.path()).map(Iterator::count);
        replace(&path, |file| file.write_all(b"old"))?;
        let broken = replace(&path, |file| {
            file.write_all(b"ne")?;
            assert_eq!(fs::read(&path)?, b"old");
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(broken.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert_eq!((fs::read(&path)?, names()?), (b"old".to_vec(), 1));
        replace(&path, |file| file.write_all(b"new"))?;
        assert_eq!((fs::read(&path)?, names()?), (b"new".to_vec(), 1));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_report_goes_where_a_link_leads_and_into_what_is_no_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (path, link) = (folder.path().join("report.txt"), folder.path().join("link"));
        fs::write(&path, "old")?;
        std::os::unix::fs::symlink(&path, &link)?;
        replace(&link, |file| file.write_all(b"new"))?;
        assert_eq!(fs::read(&path)?, b"new");
        assert!(fs::symlink_metadata(&link)?.is_symlink());
        replace(Path::new("/dev/null"), |file| file.write_all(b"gone"))?;
        assert!(!fs::metadata("/dev/null")?.is_file());
        Ok(())
    }

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
