//! What the operating system says, and allows.

pub mod limits;
