//! threadrace runs the same tasks under several execution models and draws what every worker does while
//! it does it. This page is the architecture; each module's page has the details.
//!
//! # One way
//!
//! Data flows one way, and the one thing that flows is the [`event::Event`]:
//!
//! ```text
//! cli + config -> scenario -> race -> executor -> workload          origin
//!                               |        (workers stamp events)   (serves them)
//!                               v
//!                 events -> model -> tui | plain | report     probe -> race (what a run used)
//!                       \-> recording -> events again
//! ```
//!
//! - A worker stamps an event with the race's [`clock`] at the moment the thing happens, and sends it to a
//!   channel that has no bound and no sleeper on its other end. Nothing that a worker touches ever waits
//!   for the screen, so a stalled terminal changes no measured time.
//! - Bytes are no events: each task has a number of its own that its worker stores at every chunk. The
//!   [`race`]'s collector looks in about 20 times a second, takes the events and samples those numbers.
//! - [`model::RaceState::apply`] is the only fold. Whatever is on screen or in a report is read from a
//!   [`model::RaceState`], so it can come from a live race or from anywhere else that has events.
//! - The collector tells events in the order of time, up to a moment that it names ([`event::Fact::Collected`]).
//!   A live picture is the state as of the last such moment, and a [`recording`] keeps those moments with the
//!   events: what is played back is what was drawn. The dashboard keeps the events of the race on screen, too,
//!   and folds as many of them anew as were known at the moment that somebody goes back to.
//! - The views are pure: [`tui::draw`] makes a frame from a state and what the keyboard has set. The frame
//!   goes to a thread that owns the terminal; the latest one wins. What gives the terminal back when a fault
//!   ends the process waits in [`probe::fault`].
//!
//! # Who does the work
//!
//! A [`workload`] is one async function over a worker's own session. Every [`executor`] drives that same
//! function; what differs is who runs it and when:
//!
//! | executor | worker | driven by |
//! | --- | --- | --- |
//! | `sequential` | the run's own thread | its own current-thread runtime |
//! | `threads` | a thread for each task | a runtime for each thread |
//! | `pool` | N threads of the crate `threadpool` | a runtime for each thread |
//! | `async` | N slots | one runtime, of one thread or of a few |
//! | `gil` | N threads | a runtime for each thread, and one interpreter lock for all |
//! | `processes` | N child processes of this program | a thread's runtime in each child |
//! | another program | what it says | itself, by the protocol of `assets/protocol.md` |
//!
//! Workers in other processes send the same events as JSON lines, stamped with the machine's monotonic clock;
//! a checker holds every line against the protocol before it joins the others.
//!
//! A worker's HTTP client is its own and is made anew for each run, so no run inherits warm connections,
//! and a lane shows what its thread really does: there is no hidden thread behind it.
//!
//! # What holds it together
//!
//! Lower modules know nothing of higher ones: [`event`], [`clock`], [`chance`] and [`text`] are leaves;
//! only [`tui`] knows ratatui and crossterm. A test reads the `use` lines and holds this.

pub mod chance;
pub mod claims;
pub mod cli;
pub mod clock;
pub mod config;
pub mod event;
pub mod executor;
pub mod model;
pub mod origin;
pub mod plain;
pub mod probe;
pub mod race;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod text;
pub mod tui;
pub mod workload;
