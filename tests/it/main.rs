//! What can only be seen from outside: the program in a terminal.

mod pty;
mod terminal;
