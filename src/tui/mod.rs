//! The dashboard.

mod house;
mod input;
mod painter;
mod panics;
mod signals;
pub mod terminal;
mod tty;
