//! Recordings: the events of a race, kept in memory to go back in and in files to take home.

mod tape;

pub use tape::{Player, Tape, Told};
