//! The executor `program`: another program, by the protocol of `assets/protocol.md`.

use std::io;

use super::{Job, Leftovers};

pub(super) fn execute(_job: &Job) -> io::Result<Leftovers> {
    Err(io::Error::other("this executor is not built yet"))
}
