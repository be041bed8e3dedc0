//! What can only be seen from outside: real sockets, real processes, real terminals.

mod dashboard;
mod origin;
mod pty;
mod report;
mod screens;
mod simulate;
mod terminal;
