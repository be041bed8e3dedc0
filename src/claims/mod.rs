//! The published claims about speed, each checked on this machine: what was said, what its own figures
//! give, what so many workers could reach at most, and what they reach here.

mod measure;
mod published;
mod tables;

pub use measure::{ClaimsError, Link, Measured, check};
pub use published::{CLAIMS, Claim, Published, Seconds};
pub use tables::{ClaimsFormat, verdict, write};
