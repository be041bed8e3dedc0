//! What can only be seen from outside: real sockets, real processes, real terminals.

mod api;
mod checker;
mod cli;
mod compute;
mod dashboard;
mod diff;
mod disk;
mod executors;
mod export;
mod house;
mod origin;
mod page;
mod programs;
mod pty;
mod recording;
mod report;
mod rewind;
mod rig;
mod scaling;
mod screens;
mod servers;
mod simulate;
mod spans;
mod terminal;
mod trace;
mod turns;
