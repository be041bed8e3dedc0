//! A report in a file: it takes the place of nothing that somebody may have written into, unless it is told to.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::event::At;
use crate::model::RaceState;

use super::place::{self, PlaceError, Standing, place};
use super::{Format, csv, json, write};

/// Why a report is not in a file.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// There is something else under its name.
    #[error(
        "{} is there already and stays as it is: --force replaces it, --report FILE names another",
        .0.display()
    )]
    Taken(PathBuf),
    /// The file can't be made or written.
    #[error(
        "the report could not be written to {}: {source}. Name another file, or make room there",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<PlaceError> for SaveError {
    fn from(error: PlaceError) -> SaveError {
        match error {
            PlaceError::Taken(path) => SaveError::Taken(path),
            PlaceError::File { path, error } => SaveError::File { path, source: error },
        }
    }
}

/// How much of a file is looked at to know it for a report.
const BEGINNING: u64 = 16 * 1024;

/// Whether a file is a report that a program reads, and so one that nobody has written into, or nothing at all. Of a
/// report for people that can't be told: it may have notes in it by now.
fn is_report(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let is_file = fs::metadata(path).is_ok_and(|there| there.is_file());
    let read =
        is_file && File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning)).is_ok();
    read && (beginning.is_empty() || json::is_report(&beginning) || csv::is_report(&beginning))
}

fn of(path: &Path, standing: Standing) -> Standing {
    if is_report(path) { Standing::Goes } else { standing }
}

/// Writes the report into a file. A report in JSON or CSV that is there is replaced, and whole until the new one is,
/// which is written beside it first; what becomes of anything else is `standing`.
///
/// # Errors
/// When something else is there and stays, or the file can't be made or written; what was there is then as it was.
pub fn save(
    format: Format,
    race: &RaceState,
    now: At,
    path: &Path,
    standing: Standing,
) -> Result<(), SaveError> {
    Ok(place(path, of(path, standing), |file| write(format, race, now, file))?)
}

/// Finds out whether [`save`] has a place for the file, and leaves everything as it was: a race is better not begun
/// than without its report at the end.
///
/// # Errors
/// When something else is there and stays, or the file can't be made.
pub fn try_place(path: &Path, standing: Standing) -> Result<(), SaveError> {
    Ok(place::try_place(path, of(path, standing))?)
}
