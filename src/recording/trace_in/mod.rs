//! A Chrome trace as a race to watch: the "Trace Event Format" (Google, 2016) in its array form and its object
//! form, as browsers, VizTracer, `tracing-chrome`, clang, Bazel and many others write it.
//!
//! A trace that this program wrote becomes the race that it was: same runs, lanes, tasks, spans and figures. What no
//! trace holds is missing then: the heads and bodies of answers.
//!
//! Any other trace is one run, for it tells of one execution of a program:
//!
//! | in the trace | in the race |
//! | --- | --- |
//! | the whole trace | one run, of an executor with the name of the process, or of the trace where there are several |
//! | a thread | a lane; slices that overlap without one being in the other get lanes beside it |
//! | async events (`b`, `e`; also `S`, `F`) | lanes of their process, of which each has one operation at a time |
//! | an outermost slice (`X`, or `B` with `E`) | a task |
//! | what is called within it | the task's phases |
//! | a slice without an end | a task that is cancelled where the trace ends |
//!
//! Tracers of Python show what runs a task as calls around it: the module itself, `threading`, `concurrent.futures`,
//! `asyncio` and `multiprocessing`. Such calls are looked through, so that a thread of a `ThreadPoolExecutor` has the
//! functions that were submitted as its tasks; a lock, queue or selector that is waited for right below them
//! is a worker without work, and leaves its lane idle.
//!
//! A phase is the innermost call whose name says one ([`names`] has the words); everything else of a task is
//! computing, for all that a trace can tell.
//!
//! Memory is bounded by [`TraceLimits`] however long the trace is: where there are too many slices, the shortest
//! are left out. Whatever was left out or guessed is said in [`Imported::notes`].

mod collect;
mod foreign;
mod lanes;
mod names;
mod notes;
mod own;
mod raw;
mod split;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::event::Event;
use crate::model::SharedPlan;

use collect::Collector;
use notes::Notes;
use own::OwnRace;
use split::{Extent, Splitter};

/// A trace as a race.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// What was planned, as far as the trace tells.
    pub plan: SharedPlan,
    /// What happened, in the order of time: from `RaceStarted` to `RaceFinished`.
    pub events: Vec<Event>,
    /// What was left out or guessed, in words; safe to show.
    pub notes: Vec<String>,
}

/// How much of a trace is kept. What is over a limit is left out, and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceLimits {
    /// The most slices; of more, the longest.
    pub slices: usize,
    /// The most tasks; of more, the longest.
    pub tasks: usize,
    /// The most threads, and the most lanes.
    pub lanes: usize,
    /// The most bytes of one event.
    pub event_bytes: usize,
    /// The most bytes of different names.
    pub name_bytes: usize,
    /// The most bytes of the plan that a trace of this program carries.
    pub plan_bytes: usize,
}

impl Default for TraceLimits {
    /// What a laptop watches with ease: a million slices, a hundred thousand tasks.
    fn default() -> TraceLimits {
        TraceLimits {
            slices: 1_000_000,
            tasks: 100_000,
            lanes: 10_000,
            event_bytes: 1 << 20,
            name_bytes: 16 << 20,
            plan_bytes: 64 << 20,
        }
    }
}

/// Why a file is not imported.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// There is no such file, or it can't be opened.
    #[error("the trace {} can't be opened: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read to its end.
    #[error("line {line}: the trace could not be read: {source}. Copy the file again, and import the copy")]
    Read {
        /// The line, from 1.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// It is compressed.
    #[error("the file is compressed: unpack it (gunzip FILE), and import what comes out")]
    Compressed,
    /// It is something else.
    #[error(
        "line {line}, byte {offset}: {found} where a Chrome trace has {expected}. Export the trace as JSON (\"Chrome JSON\" in \
         Perfetto, `-o result.json` in VizTracer), and import that"
    )]
    NotATrace {
        /// The line, from 1.
        line: u64,
        /// How many bytes come before it.
        offset: u64,
        /// What stands there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// There is nothing to watch in it.
    #[error("the trace has no slices (events X, B with E, or b with e), so there is nothing to watch{}", told(.notes))]
    NoSlices {
        /// What was found in it instead.
        notes: Vec<String>,
    },
}

fn told(notes: &[String]) -> String {
    if notes.is_empty() { String::new() } else { format!(": {}", notes.join("; ")) }
}

/// Reads the trace in a file, of which the race takes its name.
///
/// # Errors
/// When it can't be opened or read, is no Chrome trace, or has nothing to watch in it.
pub fn read_trace_file(path: &Path, limits: &TraceLimits) -> Result<Imported, TraceError> {
    let file = File::open(path).map_err(|source| TraceError::Open { path: path.to_owned(), source })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    read_trace(BufReader::with_capacity(256 * 1024, file), &name, limits)
}

/// Reads a trace to its end. `name` says in the plan where it comes from, usually the file's name.
///
/// A trace that breaks off is read as far as it goes, which is noted.
///
/// # Errors
/// When it can't be read, is no Chrome trace, or has nothing to watch in it.
pub fn read_trace(reader: impl BufRead, name: &str, limits: &TraceLimits) -> Result<Imported, TraceError> {
    let mut import = Import {
        split: Splitter::new(reader),
        limits: *limits,
        buffer: Vec::new(),
        notes: Notes::default(),
        kept: Kept::Foreign(Box::new(Collector::new(limits))),
    };
    import.read()?;
    let Import { kept, notes, .. } = import;
    match kept {
        Kept::Foreign(collector) => foreign::race(*collector, name, limits, notes),
        Kept::Own(race) => race.finish(notes),
    }
}

/// What is kept of the events.
enum Kept {
    Foreign(Box<Collector>),
    Own(Box<OwnRace>),
}

struct Import<R> {
    split: Splitter<R>,
    limits: TraceLimits,
    buffer: Vec<u8>,
    notes: Notes,
    kept: Kept,
}

impl<R: BufRead> Import<R> {
    fn read(&mut self) -> Result<(), TraceError> {
        self.split.skip_mark()?;
        match self.split.next_mark()? {
            Some(b'[') => self.events(),
            Some(b'{') => self.object(),
            Some(0x1f) => Err(TraceError::Compressed),
            found => Err(self.split.stranger(found, "an array of events or an object with them")),
        }
    }

    /// The object form: `{"traceEvents": […], …}`.
    fn object(&mut self) -> Result<(), TraceError> {
        self.split.bump();
        let mut seen = false;
        loop {
            match self.split.next_mark()? {
                Some(b',') => self.split.bump(),
                Some(b'"') => {
                    self.split.value(&mut self.buffer, MEMBER_BYTES)?;
                    let member = serde_json::from_slice::<String>(&self.buffer).unwrap_or_default();
                    match self.split.next_mark()? {
                        Some(b':') => self.split.bump(),
                        None => break self.notes.cut = true,
                        found => return Err(self.split.stranger(found, "a colon")),
                    }
                    let next = self.split.next_mark()?;
                    if member == "traceEvents" && next == Some(b'[') {
                        seen = true;
                        self.events()?;
                    } else if self.member(&member, seen)? {
                        break self.notes.cut = true;
                    }
                }
                Some(b'}') => break,
                None => break self.notes.cut = true,
                found if seen => break self.notes.broken(self.split.line(), found),
                found => return Err(self.split.stranger(found, "the name of a member")),
            }
        }
        if seen { Ok(()) } else { Err(self.split.stranger(None, "a member traceEvents")) }
    }

    /// Reads one member that is not the events; says whether the file ends within it.
    fn member(&mut self, member: &str, after_events: bool) -> Result<bool, TraceError> {
        let own = member == "threadrace" && !after_events;
        let limit = if own { self.limits.plan_bytes } else { 0 };
        let extent = self.split.value(&mut self.buffer, limit)?;
        if own && extent != Extent::Cut {
            match OwnRace::with_plan(&self.buffer, &self.limits) {
                Some(race) if extent == Extent::Whole => self.kept = Kept::Own(Box::new(race)),
                _ => self.notes.unread_plan = true,
            }
        }
        Ok(extent == Extent::Cut)
    }

    fn events(&mut self) -> Result<(), TraceError> {
        self.split.bump();
        loop {
            match self.split.next_mark()? {
                Some(b']') => break self.split.bump(),
                Some(b',') => self.split.bump(),
                None => break self.notes.cut = true,
                Some(_) => {
                    let line = self.split.line();
                    let extent = self.split.value(&mut self.buffer, self.limits.event_bytes)?;
                    match extent {
                        Extent::Whole => self.event(line),
                        Extent::TooLarge => self.notes.too_large += 1,
                        Extent::Cut => break self.notes.cut = true,
                    }
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, line: u64) {
        let understood = match &mut self.kept {
            Kept::Foreign(collector) => collector.take(&self.buffer, &mut self.notes),
            Kept::Own(race) => race.take(&self.buffer, &mut self.notes),
        };
        if !understood {
            self.notes.unreadable(line);
        }
    }
}

/// The most bytes of a member's name: longer ones are nobody's.
const MEMBER_BYTES: usize = 256;
