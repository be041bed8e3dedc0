//! The workload `files`: writes, reads, copies and deletes files, and checks each step.
//!
//! A task calls the operating system itself, on its worker's own thread: what blocks, blocks, and on an event
//! loop that holds up every other task. The files are in a folder that the run makes for itself, and that is
//! gone with them when the run is over, however it ends; after a killed process the folder is left, and the
//! next run makes itself another one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::chance::Rng;
use crate::event::{At, Check, ErrorKind, Phase, RunId, TaskError, TaskId};
use crate::text;

use super::output::disk_error;
use super::working::{OwnFile, Ready, WorkingFolder};
use super::{
    Emitter, RunFolder, Session, TaskContext, TaskFault, TaskFuture, TaskResult, WorkPlan, Workload,
};

/// Bytes that are read or written at once.
const CHUNK: u64 = 64 * 1024;

/// What each task does with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// Write it, read it back and verify it, copy it, verify the copy, and delete both.
    All,
    /// Read one that was written before the clock started, and verify it.
    Reads,
}

impl Operations {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Operations::All => "all",
            Operations::Reads => "reads",
        }
    }
}

/// Whether what is written must have reached the disk before a task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// It may stay in the operating system's cache.
    Cached,
    /// `fsync` after each write.
    Synced,
}

/// How the files of a scenario are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWork {
    /// What each task does.
    pub operations: Operations,
    /// The size of each file in bytes.
    pub bytes: u64,
    /// Whether the disk is waited for.
    pub durability: Durability,
}

impl FileWork {
    /// The work in words, for the screen: what follows "40 files from".
    pub fn describe(&self) -> String {
        let what = match (self.operations, self.durability) {
            (Operations::All, Durability::Cached) => "written, read, copied and deleted",
            (Operations::All, Durability::Synced) => "written and synced, read, copied and deleted",
            (Operations::Reads, _) => "read and verified",
        };
        format!("this disk: {} each, {what}", text::bytes(self.bytes))
    }
}

/// The file tasks of one run.
#[derive(Debug)]
pub struct Files {
    work: FileWork,
    tasks: usize,
    seed: u64,
    /// None where another process prepares the run.
    folder: Option<RunFolder>,
    place: Ready<Place>,
}

/// Where the tasks of a run work.
#[derive(Debug)]
struct Place {
    /// What was there before the clock started; dropped before its folder is.
    files: Vec<OwnFile>,
    folder: WorkingFolder,
}

impl Place {
    fn of(folder: WorkingFolder) -> Place {
        Place { files: Vec::new(), folder }
    }

    fn file(&self, task: usize) -> PathBuf {
        self.folder.path().join(format!("file-{}", task + 1))
    }

    fn copy(&self, task: usize) -> PathBuf {
        self.folder.path().join(format!("file-{}-copy", task + 1))
    }
}

impl Files {
    /// The file tasks of a run that works below `folder`; `seed` decides what is in the files.
    pub fn new(work: FileWork, tasks: usize, seed: u64, folder: RunFolder) -> Files {
        Files { work, tasks, seed, folder: Some(folder), place: Ready::not_yet() }
    }

    /// The same tasks in the [`working_folder`](Workload::working_folder) of another process, which prepared
    /// the run and concludes it.
    pub fn joining(work: FileWork, tasks: usize, seed: u64, working: PathBuf) -> Files {
        let place = Ready::with(Place::of(WorkingFolder::Joined(working)));
        Files { work, tasks, seed, folder: None, place }
    }
}

impl Workload for Files {
    fn plan(&self) -> Option<WorkPlan> {
        let Files { work, tasks, seed, .. } = *self;
        Some(WorkPlan::Files { work, tasks, seed, folder: self.working_folder()? })
    }

    fn lost_elsewhere(&self, task: TaskId, _bytes: u64) {
        let place = self.place.get().filter(|_| self.work.operations == Operations::All);
        if let Some(place) = place {
            for left in [place.file(task.index()), place.copy(task.index())] {
                let _ = fs::remove_file(left);
            }
        }
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        let place = self.place.wanted()?;
        Ok(Box::new(FileSession { work: self.work, seed: self.seed, place }))
    }

    fn prepare(&self, cancel: &CancellationToken) -> Result<(), TaskFault> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.place.get().is_none()) else {
            return Ok(());
        };
        let refused = |error: io::Error| disk_error("the run's folder can't be used", &error);
        let mut place = Place::of(WorkingFolder::create(folder).map_err(refused)?);
        if self.work.operations == Operations::Reads {
            for task in 0..self.tasks {
                let refused = |error: io::Error| disk_error("a file to read can't be written", &error);
                let (own, mut file) = OwnFile::create(place.file(task)).map_err(refused)?;
                place.files.push(own);
                let mut content = Content::of(self.seed, task, self.work.bytes);
                while let Some(chunk) = content.next() {
                    if cancel.is_cancelled() {
                        return Err(TaskFault::Stopped);
                    }
                    file.write_all(chunk).map_err(refused)?;
                }
            }
        }
        self.place.set(place);
        Ok(())
    }

    fn working_folder(&self) -> Option<PathBuf> {
        self.place.get().map(|place| place.folder.path().to_owned())
    }

    fn conclude(&self, _: &Emitter, _: RunId, _: At) -> Result<(), String> {
        self.place.take();
        Ok(())
    }
}

/// What a file holds, chunk by chunk: the seed and the task decide it.
struct Content {
    rng: Rng,
    left: u64,
    chunk: Vec<u8>,
}

impl Content {
    fn of(seed: u64, task: usize, bytes: u64) -> Content {
        Content { rng: Rng::new(seed, task), left: bytes, chunk: buffer(bytes) }
    }

    /// The next chunk; none after the last one.
    fn next(&mut self) -> Option<&[u8]> {
        let length = self.left.min(CHUNK);
        self.left -= length;
        let chunk = self.chunk.get_mut(..usize::try_from(length).unwrap_or_default())?;
        for eight in chunk.chunks_mut(8) {
            let bits = self.rng.bits().to_le_bytes();
            eight.copy_from_slice(bits.get(..eight.len())?);
        }
        (length > 0).then_some(chunk)
    }
}

/// Room for a chunk of a file of so many bytes.
fn buffer(bytes: u64) -> Vec<u8> {
    vec![0; usize::try_from(bytes.min(CHUNK)).unwrap_or_default()]
}

#[derive(Debug)]
struct FileSession {
    work: FileWork,
    seed: u64,
    place: Arc<Place>,
}

impl Session for FileSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move { Doing { session: self, context, bytes: 0 }.all() })
    }
}

/// A task under way.
struct Doing<'a> {
    session: &'a FileSession,
    context: &'a TaskContext,
    /// Bytes written and bytes read, together.
    bytes: u64,
}

impl Doing<'_> {
    fn all(mut self) -> Result<TaskResult, TaskFault> {
        let FileSession { work, place, .. } = self.session;
        let task = self.context.task().index();
        self.context.set_bytes(0);
        let size = text::bytes(work.bytes);
        let result = match work.operations {
            Operations::All => {
                self.context.enter(Phase::Writing);
                let file = self.write(place.file(task))?;
                self.verify(place.file(task))?;
                self.context.enter(Phase::Writing);
                let copy = self.copy(place.file(task), place.copy(task))?;
                self.verify(place.copy(task))?;
                self.context.enter(Phase::Writing);
                for own in [file, copy] {
                    self.call("the file can't be deleted", || own.delete())?;
                }
                format!("2 × {size} written, read and verified")
            }
            Operations::Reads => {
                self.verify(place.file(task))?;
                format!("{size} read and verified")
            }
        };
        Ok(TaskResult { bytes: self.bytes, check: Check::Result, result: Some(result) })
    }

    fn content(&self) -> Content {
        Content::of(self.session.seed, self.context.task().index(), self.session.work.bytes)
    }

    fn write(&mut self, path: PathBuf) -> Result<OwnFile, TaskFault> {
        let (own, mut file) = self.create(path)?;
        let mut content = self.content();
        while let Some(chunk) = content.next() {
            self.write_chunk(&mut file, chunk)?;
        }
        self.close(file)?;
        Ok(own)
    }

    fn copy(&mut self, from: PathBuf, to: PathBuf) -> Result<OwnFile, TaskFault> {
        let mut source = self.open(from)?;
        let (own, mut file) = self.create(to)?;
        let mut buffer = buffer(self.session.work.bytes);
        loop {
            let read = self.read_chunk(&mut source, &mut buffer)?;
            match buffer.get(..read) {
                Some(chunk) if read > 0 => self.write_chunk(&mut file, chunk)?,
                _ => break,
            }
        }
        self.close(file)?;
        Ok(own)
    }

    /// Reads a file to its end, and holds each of its bytes against what was written.
    fn verify(&mut self, path: PathBuf) -> Result<(), TaskFault> {
        self.context.enter(Phase::Waiting);
        let mut file = self.open(path)?;
        let (mut content, mut before) = (self.content(), 0_u64);
        // One byte at least, so that a file that should be empty and is not gets noticed.
        let mut buffer = vec![0; buffer(self.session.work.bytes).len().max(1)];
        loop {
            let read = self.read_chunk(&mut file, &mut buffer)?;
            let (found, wanted) =
                (buffer.get(..read).unwrap_or_default(), content.next().unwrap_or_default());
            if found != wanted {
                let same = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
                let words = match before + same as u64 {
                    at if same < found.len() && same < wanted.len() => {
                        format!("byte {} of the file is not what was written", text::count(at + 1))
                    }
                    at if same == found.len() => format!("the file ends after {} bytes", text::count(at)),
                    at => format!("the file goes on after its {} bytes", text::count(at)),
                };
                return Err(TaskFault::failed(ErrorKind::Wrong, words));
            }
            if read == 0 {
                return Ok(());
            }
            before += read as u64;
        }
    }

    /// Makes a call to the operating system.
    fn call<T>(&self, refused: &str, call: impl FnOnce() -> io::Result<T>) -> Result<T, TaskFault> {
        Ok(self.context.blocking(call).map_err(|error| disk_error(refused, &error))?)
    }

    /// Makes a call that writes.
    fn call_timed<T>(&self, call: impl FnOnce() -> io::Result<T>) -> Result<T, TaskFault> {
        let call = || {
            let before = Instant::now();
            (call(), before.elapsed().as_nanos())
        };
        let (done, nanos) = self.context.blocking(call);
        self.context.add_write_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Ok(done.map_err(|error| disk_error("the file can't be written", &error))?)
    }

    fn create(&self, path: PathBuf) -> Result<(OwnFile, File), TaskFault> {
        self.call("the file can't be made", || OwnFile::create(path))
    }

    fn open(&self, path: PathBuf) -> Result<File, TaskFault> {
        self.call("the file can't be opened", || File::open(path))
    }

    fn write_chunk(&mut self, file: &mut File, chunk: &[u8]) -> Result<(), TaskFault> {
        self.context.checkpoint()?;
        self.call_timed(|| file.write_all(chunk))?;
        self.moved(chunk.len());
        Ok(())
    }

    /// Fills the buffer; with less where the file ends.
    fn read_chunk(&mut self, file: &mut File, buffer: &mut [u8]) -> Result<usize, TaskFault> {
        self.context.checkpoint()?;
        let fill = || {
            let mut read = 0;
            while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
                match file.read(rest) {
                    Ok(0) => break,
                    Ok(more) => read += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(read)
        };
        let read = self.call("the file can't be read", fill)?;
        self.moved(read);
        Ok(read)
    }

    fn moved(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.context.set_bytes(self.bytes);
    }

    fn close(&self, file: File) -> Result<(), TaskFault> {
        self.context.checkpoint()?;
        let durability = self.session.work.durability;
        self.call_timed(move || match durability {
            Durability::Cached => Ok(()),
            Durability::Synced => file.sync_all(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use super::super::{OutputFolder, Progress, Terms};
    use super::*;
    use crate::clock::Clock;
    use crate::event::{LaneId, TaskId};

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    const READS: FileWork =
        FileWork { operations: Operations::Reads, bytes: 100_000, durability: Durability::Cached };

    fn content(seed: u64, task: usize, bytes: u64) -> Vec<u8> {
        let (mut content, mut all) = (Content::of(seed, task, bytes), Vec::new());
        while let Some(chunk) = content.next() {
            all.extend_from_slice(chunk);
        }
        all
    }

    #[test]
    fn content_is_decided_by_seed_and_task() {
        for bytes in [0, 1, 7, 8, 65_535, 65_536, 65_537, 200_001] {
            assert_eq!(content(1, 0, bytes).len() as u64, bytes);
            assert_eq!(content(1, 0, bytes), content(1, 0, bytes));
        }
        assert_ne!(content(1, 0, 100), content(2, 0, 100));
        assert_ne!(content(1, 0, 100), content(1, 1, 100));
    }

    #[test]
    fn the_work_reads_like_a_sentence() {
        let said = |operations, durability| FileWork { operations, bytes: 1_000_000, durability }.describe();
        assert_eq!(
            said(Operations::All, Durability::Cached),
            "this disk: 1.0 MB each, written, read, copied and deleted"
        );
        assert_eq!(
            said(Operations::All, Durability::Synced),
            "this disk: 1.0 MB each, written and synced, read, copied and deleted"
        );
        assert_eq!(said(Operations::Reads, Durability::Synced), "this disk: 1.0 MB each, read and verified");
    }

    fn performed(files: &Files) -> Result<Result<TaskResult, TaskFault>, Box<dyn std::error::Error>> {
        let emitter = Emitter::new(Clock::start(), mpsc::channel().0);
        let (progress, terms) = (Progress::new(1), Terms::default());
        let context = TaskContext::new(emitter, progress, RunId(0), TaskId(0), LaneId(0), terms);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(runtime.block_on(files.open().map_err(|error| error.message)?.perform(&context)))
    }

    #[test]
    fn a_file_that_is_not_what_it_was_is_wrong() -> Fallible {
        let dir = tempfile::tempdir()?;
        let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[])?.remove(0);
        let files = Files::new(READS, 1, 1, run.clone());
        assert_eq!(files.prepare(&CancellationToken::new()), Ok(()));
        let path = files.working_folder().ok_or("not prepared")?.join("file-1");
        let right = fs::read(&path)?;
        assert_eq!(performed(&files)?.map(|done| done.bytes), Ok(100_000));
        let mut changed = right.clone();
        changed[70_000] ^= 1;
        let longer = [right.as_slice(), b"!"].concat();
        let cases = [
            (changed.as_slice(), "byte 70,001 of the file is not what was written"),
            (&right[..99_999], "the file ends after 99,999 bytes"),
            (&right[..65_536], "the file ends after 65,536 bytes"),
            (&longer, "the file goes on after its 100,000 bytes"),
        ];
        for (content, words) in cases {
            fs::write(&path, content)?;
            assert_eq!(performed(&files)?, Err(TaskFault::failed(ErrorKind::Wrong, words)));
        }
        drop(files);
        assert_eq!(fs::read_dir(run.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_preparation_that_is_broken_off_leaves_nothing() -> Fallible {
        let dir = tempfile::tempdir()?;
        let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[])?.remove(0);
        let files = Files::new(READS, 3, 1, run.clone());
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(files.prepare(&cancel), Err(TaskFault::Stopped));
        assert_eq!(fs::read_dir(run.path())?.count(), 0);
        assert!(files.open().is_err());
        Ok(())
    }
}
