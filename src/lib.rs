//! threadrace: the same tasks under several execution models, drawn as they happen.

pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod event;
pub mod executor;
pub mod model;
pub mod origin;
pub mod plain;
pub mod race;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod text;
pub mod tui;
pub mod workload;
