//! What can only be seen from outside: real sockets, real processes, real terminals.

mod origin;
mod pty;
mod report;
mod simulate;
mod terminal;
