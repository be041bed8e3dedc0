//! Recordings: the events of a race, kept in memory to go back in and in files to take home.
//!
//! A recording is text: a header, and an event a line, as JSON. [`Recorder`] writes it while the race runs;
//! [`read`] takes what is valid of one; a [`Tape`] holds it, and a [`Player`] folds as much of it as was known
//! at the moment that is shown. A report in JSON can stand in for one: [`from_report`] makes events of it.

mod interruptions;
mod line;
mod read;
mod report_in;
mod speed;
mod tape;
mod trace_in;
mod trace_out;
mod write;

pub use read::{Flaw, ReadError, Recording, read, read_file};
pub use report_in::{Contradiction, MOST_BYTES, ReportError, from_report};
pub use speed::{NoSpeed, Speed};
pub use tape::{Player, Tape, Told};
pub use trace_in::{Imported, TraceError, TraceLimits, read_trace, read_trace_file};
pub use trace_out::write_trace;
pub use write::{Blank, Header, Recorder, WriteError, name_after, write};
