//! Recordings: the events of a race, kept in memory to go back in and in files to take home.

mod report_in;
mod report_rows;
mod tape;

pub use report_in::{Contradiction, MOST_BYTES, ReportError, from_report};
pub use tape::{Player, Tape, Told};
