//! Recordings as files: a header, then an event a line, all in JSON.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::{ClockZero, Event, Machine, RacePlan};

use super::line;
use super::read::check_plan;

/// What the first line of every recording says that it is.
pub(super) const FORMAT: &str = "threadrace-recording";

/// The version of the format that this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// The first line of a recording: what can be known of it without reading on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// That it is a recording.
    pub format: String,
    /// The format's version.
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed of all chance in the race.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// What the machine's clocks said when the race's own was at zero.
    pub zero: ClockZero,
}

impl Header {
    /// The header of a recording of that race, written by this program.
    pub fn of(plan: &RacePlan) -> Header {
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: plan.scenario.clone(),
            seed: plan.seed,
            machine: plan.machine.clone(),
            zero: plan.zero,
        }
    }
}

/// Writes a whole recording: the header, then the events in the order in which they were told, of which the
/// first starts the race.
///
/// # Errors
/// Those of `out`.
pub fn write<'a>(
    plan: &RacePlan,
    events: impl IntoIterator<Item = &'a Event>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut text = Vec::with_capacity(2 * ENOUGH);
    line::push(&Header::of(plan), &mut text)?;
    lines(events, &mut text, out)?;
    out.flush()
}

/// How many bytes of text are written at once: as many as stay in a processor's nearest caches.
const ENOUGH: usize = 32 * 1024;

/// Writes `text`, the lines of all `events` behind it, and leaves it empty.
fn lines<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    text: &mut Vec<u8>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for event in events {
        line::push_event(event, text)?;
        if text.len() > ENOUGH {
            out.write_all(text)?;
            text.clear();
        }
    }
    out.write_all(text)?;
    text.clear();
    Ok(())
}

/// Why a recording can't be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// There is something else under its name.
    #[error("{} is there already and is no recording: it stays as it is; name another file", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Another race is being recorded there.
    #[error("{} is being written by another threadrace: wait for it, or name another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Nobody could read it back.
    #[error("such a race can't be recorded: {0}; race fewer tasks or runs, or leave --record out")]
    TooMuch(String),
    /// The file can't be made or written.
    #[error("the recording {} can't be written: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// Where the next race is recorded after the one at `path`, so that it takes nobody's place: the first of
/// `race.jsonl`, `race-2.jsonl`, `race-3.jsonl` after it that is free.
pub fn name_after(path: &Path) -> PathBuf {
    let mut name = numbered_on(path);
    while fs::symlink_metadata(&name).is_ok() {
        name = numbered_on(&name);
    }
    name
}

fn numbered_on(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = stem.rsplit_once('-').and_then(|(name, number)| Some((name, number.parse::<u32>().ok()?)));
    let (name, number) = match numbered {
        Some((name, number)) if number >= 2 => (name, number.saturating_add(1)),
        _ => (&*stem, 2),
    };
    let extension = path.extension().map_or_else(String::new, |it| format!(".{}", it.to_string_lossy()));
    path.with_file_name(format!("{name}-{number}{extension}"))
}

/// A file for a recording of which nothing is written yet: until then, what was there stays as it was. One that
/// was made for it is gone when it is dropped. The file is locked against other races for as long as it is open.
#[derive(Debug)]
pub struct Blank {
    file: Option<File>,
    path: PathBuf,
    made: bool,
}

impl Blank {
    /// The file at `path`, made or opened. One that is there already will be replaced when it is a recording, too,
    /// or has nothing in it.
    ///
    /// # Errors
    /// When something else is there, or the file can't be made.
    pub fn at(path: &Path) -> Result<Blank, WriteError> {
        let failed = |error| WriteError::File { path: path.to_owned(), error };
        let blank = |file: File, made| match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(WriteError::InUse { path: path.to_owned() }),
            // Not every file system has locks.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Blank { file: Some(file), path: path.to_owned(), made })
            }
        };
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => blank(file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_recording(path).map_err(failed)? {
                    return Err(WriteError::Taken { path: path.to_owned() });
                }
                let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
                blank(file, false)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The file, empty.
    fn begin(mut self) -> io::Result<(File, PathBuf)> {
        let file = self.file.take().ok_or_else(|| io::Error::other("the file is gone"))?;
        file.set_len(0)?;
        Ok((file, std::mem::take(&mut self.path)))
    }
}

impl Drop for Blank {
    fn drop(&mut self) {
        if self.file.take().is_some() && self.made {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the file begins as recordings do, or has nothing in it. What is no regular file, such as a pipe, is none.
fn is_recording(path: &Path) -> io::Result<bool> {
    let found = path.metadata()?;
    if !found.is_file() {
        return Ok(false);
    }
    let mut first = Vec::new();
    BufReader::new(File::open(path)?).take(64 * 1024).read_until(b'\n', &mut first)?;
    let header = serde_json::from_slice::<Header>(&first);
    Ok(found.len() == 0 || header.is_ok_and(|header| header.format == FORMAT))
}

/// Writes a recording while its race runs, on a thread of its own: neither the race nor whoever watches it
/// waits for the disk.
#[derive(Debug)]
pub struct Recorder {
    batches: Sender<Arc<Vec<Event>>>,
    written: Receiver<io::Result<()>>,
    thread: JoinHandle<()>,
    path: PathBuf,
}

impl Recorder {
    /// Starts to record a race into a file, in the place of what was there.
    ///
    /// # Errors
    /// When the race is larger than what is read back, the file can't be emptied, or there is no thread for it.
    pub fn start(blank: Blank, plan: &Arc<RacePlan>) -> Result<Recorder, WriteError> {
        check_plan(plan).map_err(WriteError::TooMuch)?;
        let path = blank.path.clone();
        let failed = |error| WriteError::File { path: path.clone(), error };
        let (file, path) = blank.begin().map_err(failed)?;
        let (batches, arriving) = mpsc::channel();
        let (done, written) = mpsc::channel();
        let plan = plan.clone();
        let there = path.clone();
        let body = move || {
            let _ = done.send(write_down(file, &there, &plan, &arriving));
        };
        let thread = thread::Builder::new().name("recorder".to_owned()).spawn(body);
        match thread {
            Ok(thread) => Ok(Recorder { batches, written, thread, path }),
            Err(error) => Err(WriteError::File { path, error }),
        }
    }

    /// Takes events to write; returns at once. After a failure they are dropped.
    pub fn take(&self, events: Arc<Vec<Event>>) {
        let _ = self.batches.send(events);
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// When something was not: the recording then holds what came before, and can be read so far.
    pub fn finish(self) -> Result<(), WriteError> {
        let Recorder { batches, written, thread, path } = self;
        drop(batches);
        let end = written.recv().unwrap_or_else(|_| Err(io::Error::other("the recorder panicked")));
        let _ = thread.join();
        end.map_err(|error| WriteError::File { path, error })
    }
}

/// Gives this thread the lowest priority: a race that keeps all processors busy is written down when it leaves
/// one idle, at the latest when it is over.
fn give_way() {
    // Linux has priorities for threads, by their ids; elsewhere the whole program would give way.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19);
}

/// Writes batches as they come, each at once: a killed program leaves all that was told before the last of
/// them. The first failure ends it, for what came after a gap could not be read.
fn write_down(
    mut file: File,
    path: &Path,
    plan: &RacePlan,
    batches: &Receiver<Arc<Vec<Event>>>,
) -> io::Result<()> {
    give_way();
    let mut text = Vec::with_capacity(2 * ENOUGH);
    line::push(&Header::of(plan), &mut text)?;
    while let Ok(batch) = batches.recv() {
        lines(&*batch, &mut text, &mut file)?;
    }
    file.write_all(&text)?;
    if is_still_there(&file, path) {
        return Ok(());
    }
    Err(io::Error::other("somebody moved, emptied or replaced it while the race ran"))
}

/// Whether what was written begins where its name says.
fn is_still_there(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    let first = || {
        let mut first = [0];
        File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok_and(|()| first == *b"{")
    };
    !ours.is_file() || (ours.dev(), ours.ino()) == (there.dev(), there.ino()) && first()
}

#[cfg(test)]
mod tests {
    use crate::event::{ExecutorKind, Round, RunPlan, TaskPlan};

    use super::*;

    fn plan(tasks: usize, runs: usize) -> Arc<RacePlan> {
        let run = RunPlan {
            executor: ExecutorKind::Pool,
            workers: 1,
            variant: None,
            label: "pool".to_owned(),
            round: Round::ONLY,
        };
        Arc::new(RacePlan::of_sleeps(
            vec![TaskPlan { name: "a".to_owned(), url: None }; tasks],
            vec![run; runs],
        ))
    }

    #[test]
    fn a_file_that_somebody_takes_away_meanwhile_is_told_of() -> io::Result<()> {
        let takes: [fn(&Path) -> io::Result<()>; 4] = [
            |_| Ok(()),
            |path| fs::remove_file(path),
            |path| fs::rename(path, path.with_extension("moved")),
            |path| fs::remove_file(path).and_then(|()| fs::write(path, "{")),
        ];
        for (number, take) in takes.into_iter().enumerate() {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("race.jsonl");
            let blank = Blank::at(&path).map_err(io::Error::other)?;
            let recorder = Recorder::start(blank, &plan(1, 1)).map_err(io::Error::other)?;
            take(&path)?;
            assert_eq!(recorder.finish().is_ok(), number == 0, "{number}");
        }
        Ok(())
    }

    #[test]
    fn what_nobody_could_read_back_is_not_recorded() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("race.jsonl");
        let blank = Blank::at(&path).map_err(io::Error::other)?;
        let refused = Recorder::start(blank, &plan(500, 9_000)).err();
        assert!(matches!(refused, Some(WriteError::TooMuch(_))), "{refused:?}");
        assert!(!path.exists(), "the file that was made for it is gone");
        Ok(())
    }

    #[test]
    fn the_next_race_has_a_recording_of_its_own() {
        let after = |path: &str| numbered_on(Path::new(path)).display().to_string();
        assert_eq!(after("to/race.jsonl"), "to/race-2.jsonl");
        assert_eq!(after("to/race-2.jsonl"), "to/race-3.jsonl");
        assert_eq!(after("race-1.jsonl"), "race-1-2.jsonl");
        assert_eq!(after("race"), "race-2");
    }
}
