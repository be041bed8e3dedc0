//! Recordings: the events of a race, kept in memory to go back in and in files to take home.

mod tape;
mod trace_in;
mod trace_out;

pub use tape::{Player, Tape, Told};
pub use trace_in::{Imported, TraceError, TraceLimits, read_trace};
pub use trace_out::write_trace;
