//! What can only be seen from outside: real sockets, real processes, real terminals.

mod origin;
mod report;
mod simulate;
