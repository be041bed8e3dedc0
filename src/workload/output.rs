//! The output folder: a final name always means a complete file, and nothing that somebody else
//! wrote is ever overwritten or deleted.
//!
//! What this program wrote is in a manifest in the folder. Before a run, the manifest takes note of the
//! names that the run is about to write (none of which may exist, unless the manifest says whose it is);
//! after the run, of the size and the time of each file that a task gave its name, and of no other: what
//! else stands there by then is somebody's. A file is ours when it still has that size and time, or when its
//! run never came to its end (the program was killed) and it was last touched while the program still ran: for as
//! long as a race goes on, the manifest's own time is kept up to date.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat, unlinkat};
use rustix::io::retry_on_intr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::{ErrorKind, TaskError};

const MANIFEST: &str = ".threadrace-manifest.json";
const FORMAT: &str = "threadrace-manifest";
const VERSION: u32 = 2;

/// Why the output folder can't be used.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The folder or a file in it can't be made, read or written.
    #[error("{}: {error}; choose another folder with -o DIR", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file stands where a run would write, and it isn't ours.
    #[error("{} exists and was not written by threadrace: move it, or choose another folder with -o DIR", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The manifest is not one that this version wrote.
    #[error("{}: {reason}; move it away, or choose another folder with -o DIR", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another threadrace is at work in the folder.
    #[error("{} is in use by another threadrace: wait for it, or choose another folder with -o DIR", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OutputError + '_ {
    move |error| OutputError::Io { path: path.to_owned(), error }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    version: u32,
    /// By path below the output folder.
    files: BTreeMap<String, Written>,
}

/// What is known of a file that this program wrote or is about to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    /// Written, and then so long and so old.
    Finished { bytes: u64, modified_nanos: u64 },
    /// To be written by a run that has not ended.
    Announced {
        /// Until when the program that announced it is known to have run, in nanoseconds since 1970; none while
        /// it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alive_nanos: Option<u64>,
    },
}

/// How often a program that runs says so ([`OutputFolder::is_in_use`]).
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How much later than the last of those signs a file of its own may be.
const GRACE: Duration = Duration::from_secs(3);

/// The output folder of a race, locked against other races for as long as this lives.
#[derive(Debug)]
pub struct OutputFolder {
    root: PathBuf,
    manifest: Manifest,
    /// Held for its lock.
    _lock: File,
}

/// Where one run writes, and what it has written.
#[derive(Debug, Clone)]
pub struct RunFolder(Arc<Place>);

#[derive(Debug)]
struct Place {
    label: String,
    path: PathBuf,
    /// The folder, open: a file in it is found by its name, without its whole path being walked each time.
    folder: OwnedFd,
    /// What got its final name, in the order of time: a worker waits for each note of it.
    finished: Mutex<Vec<(String, Written)>>,
}

impl RunFolder {
    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The folder of a run that another process keeps the notes of.
    pub(super) fn elsewhere(path: PathBuf) -> io::Result<RunFolder> {
        let folder = File::open(&path)?.into();
        let (label, finished) = (String::new(), Mutex::default());
        Ok(RunFolder(Arc::new(Place { label, path, folder, finished })))
    }

    /// Takes note that another process of this run gave the file `name` its final name; says how many bytes
    /// it has.
    pub(super) fn note(&self, name: &str) -> io::Result<u64> {
        let found = fs::symlink_metadata(self.0.path.join(name))?;
        if !found.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        self.take_note(name.to_owned(), written(&found));
        Ok(found.len())
    }

    /// Takes care of what another process of this run left of `name`, of which it had told so many bytes when it was
    /// lost: its part file goes. Where it had one and there is none any more, the process got as far as the final name,
    /// and that file is ours; beside a part file, a file of that name is somebody's.
    pub(super) fn take_over(&self, name: &str, bytes: u64) {
        let part = part_path(&self.0.path, name);
        let regular = |path: &Path| fs::symlink_metadata(path).ok().filter(|found| found.is_file());
        let left = regular(&part);
        let is_ours = |whole: &Metadata| match &left {
            None => bytes > 0,
            // A name that is linked before the other goes is the same file for a moment.
            Some(left) => (whole.dev(), whole.ino()) == (left.dev(), left.ino()),
        };
        if let Some(whole) = regular(&self.0.path.join(name)).filter(is_ours) {
            self.take_note(name.to_owned(), written(&whole));
        }
        if left.is_some() {
            let _ = fs::remove_file(part);
        }
    }

    /// Takes a complete file that was written elsewhere on the same disk under its final name, and takes note
    /// that it is ours; fails when a file of that name has come to be meanwhile.
    pub(super) fn adopt(&self, whole: &Path, name: &str) -> io::Result<()> {
        let written = written(&fs::metadata(whole)?);
        rename_without_replacing(CWD, whole, &self.0.folder, name)?;
        self.take_note(name.to_owned(), written);
        Ok(())
    }

    /// Removes what the run before wrote here, for the run that repeats it. A file that somebody has changed
    /// since is theirs, and stays.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make_room_again(&self) -> io::Result<()> {
        let mut finished = self.0.finished.lock().unwrap_or_else(PoisonError::into_inner);
        // What can't be removed stays noted as ours, with all that is left.
        while let Some((name, note)) = finished.last() {
            let path = self.0.path.join(name);
            let mine =
                fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && *note == written(&found));
            if mine {
                fs::remove_file(&path)?;
            }
            finished.pop();
        }
        Ok(())
    }

    fn take_note(&self, name: String, written: Written) {
        let mut finished = self.0.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.push((name, written));
    }
}

impl OutputFolder {
    /// Opens the folder, and makes it and what is above it where they are missing.
    ///
    /// # Errors
    /// When it can't be made or read, is in use by another race, or holds a manifest of another kind.
    pub fn open(root: &Path) -> Result<OutputFolder, OutputError> {
        fs::create_dir_all(root).map_err(io_error(root))?;
        let lock = File::open(root).map_err(io_error(root))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(OutputError::InUse { path: root.to_owned() });
            }
            Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(fs::TryLockError::Error(error)) => return Err(io_error(root)(error)),
        }
        let path = root.join(MANIFEST);
        // A pipe would be waited for.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(io_error(&path)(io::Error::other("it is there and is no regular file")));
        }
        let manifest = match fs::read(&path) {
            Ok(text) => {
                let alive =
                    fs::metadata(&path).map(|found| modified_nanos(&found)).map_err(io_error(&path))?;
                let mut manifest = parse(&text).map_err(|reason| OutputError::Manifest { path, reason })?;
                for written in manifest.files.values_mut() {
                    if let Written::Announced { alive_nanos: until @ None } = written {
                        *until = Some(alive);
                    }
                }
                manifest
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Manifest { format: FORMAT.to_owned(), version: VERSION, files: BTreeMap::new() }
            }
            Err(error) => return Err(io_error(&path)(error)),
        };
        Ok(OutputFolder { root: root.to_owned(), manifest, _lock: lock })
    }

    /// Says that this program still runs, for whoever finds out one day that it was killed. A busy disk can make
    /// it wait.
    pub fn is_in_use(&self) {
        // Where it fails, files are taken for somebody's, and stay.
        let manifest = File::options().write(true).open(self.root.join(MANIFEST));
        let _ = manifest.and_then(|manifest| manifest.set_modified(SystemTime::now()));
    }

    /// Makes room for runs: the folder of each, without the files that earlier races of this program
    /// left under the names that are about to be written. Nothing is deleted until every name was looked
    /// at.
    ///
    /// # Errors
    /// When a file that isn't ours stands in the way, or the disk refuses.
    pub fn make_room(&mut self, labels: &[&str], names: &[&str]) -> Result<Vec<RunFolder>, OutputError> {
        let mut folders = Vec::with_capacity(labels.len());
        let mut ours = Vec::new();
        for label in labels {
            let folder = self.root.join(label);
            fs::create_dir_all(&folder).map_err(io_error(&folder))?;
            let empty = fs::read_dir(&folder).map_err(io_error(&folder))?.next().is_none();
            for name in names.iter().filter(|_| !empty) {
                ours.extend(self.in_the_way(label, &folder, name)?);
            }
            let place = Place {
                label: (*label).to_owned(),
                folder: File::open(&folder).map_err(io_error(&folder))?.into(),
                path: folder,
                finished: Mutex::new(Vec::with_capacity(names.len())),
            };
            folders.push(RunFolder(Arc::new(place)));
        }
        for path in ours {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
        for label in labels {
            let announced =
                names.iter().map(|name| (key(label, name), Written::Announced { alive_nanos: None }));
            self.manifest.files.append(&mut announced.collect());
        }
        self.save()?;
        Ok(folders)
    }

    /// The files that stand where `name` and its part file will be written; all of them ours.
    fn in_the_way(&self, label: &str, folder: &Path, name: &str) -> Result<Vec<PathBuf>, OutputError> {
        let known = self.manifest.files.get(&key(label, name));
        let mut ours = Vec::new();
        for path in [folder.join(name), part_path(folder, name)] {
            let found = match fs::symlink_metadata(&path) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error(&path)(error)),
            };
            let mine = match known {
                None => false,
                Some(Written::Announced { alive_nanos: None }) => found.is_file(),
                Some(Written::Announced { alive_nanos: Some(alive) }) => {
                    let grace = u64::try_from(GRACE.as_nanos()).unwrap_or(u64::MAX);
                    found.is_file() && touched_nanos(&found) <= alive.saturating_add(grace)
                }
                Some(finished) => found.is_file() && *finished == written(&found),
            };
            if !mine {
                return Err(OutputError::Foreign { path });
            }
            ours.push(path);
        }
        Ok(ours)
    }

    /// Takes note of what the runs that there was made room for wrote, now that they are over: of the files that they
    /// finished. Under any other of their names nothing is ours from now on, whatever stands there.
    ///
    /// # Errors
    /// When the manifest can't be written.
    pub fn close_runs(&mut self, folders: &[RunFolder]) -> Result<(), OutputError> {
        let files = &mut self.manifest.files;
        files.retain(|_, written| *written != Written::Announced { alive_nanos: None });
        for RunFolder(folder) in folders {
            let finished = folder.finished.lock().unwrap_or_else(PoisonError::into_inner);
            let finished = finished.iter().map(|(name, written)| (key(&folder.label, name), written.clone()));
            files.append(&mut finished.collect());
        }
        self.save()
    }

    fn save(&self) -> Result<(), OutputError> {
        let path = self.root.join(MANIFEST);
        let part = self.root.join(format!("{MANIFEST}.part"));
        let text = serde_json::to_vec(&self.manifest)
            .map_err(|error| io_error(&path)(io::Error::other(error.to_string())))?;
        let begun = || File::options().write(true).create_new(true).open(&part);
        let mut file = match begun() {
            // A killed program left it, unless it is somebody's.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !is_begun_manifest(&part).map_err(io_error(&part))? {
                    return Err(OutputError::Foreign { path: part });
                }
                fs::remove_file(&part).map_err(io_error(&part))?;
                begun()
            }
            begun => begun,
        }
        .map_err(io_error(&part))?;
        file.write_all(&text).map_err(io_error(&part))?;
        fs::rename(&part, &path).map_err(io_error(&path))
    }
}

/// Whether a file has nothing in it but the beginning of a manifest.
fn is_begun_manifest(path: &Path) -> io::Result<bool> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Ok(false);
    }
    let expected = format!(r#"{{"format":"{FORMAT}","#);
    let mut begins = Vec::new();
    File::open(path)?.take(expected.len() as u64).read_to_end(&mut begins)?;
    Ok(expected.as_bytes().starts_with(&begins))
}

/// What a disk's refusal means for a task: `what` could not be done, such as `the file can't be read`.
pub(super) fn disk_error(what: &str, error: &io::Error) -> TaskError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if full { ErrorKind::DiskFull } else { ErrorKind::Disk };
    TaskError::new(kind, format!("{what}: {error}"))
}

/// Has a file that may grow no further (`ulimit -f`) be an error of the write, as a full disk is, where it would end
/// the process. For each process that does tasks: children start without this.
pub fn outlive_large_files() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // A handler is what keeps the signal from ending the process; that it came, the write says.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    });
}

fn parse(text: &[u8]) -> Result<Manifest, String> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|error| format!("not a manifest of threadrace's ({error})"))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        return Err("not a manifest of this version of threadrace's".to_owned());
    }
    Ok(manifest)
}

fn written(found: &fs::Metadata) -> Written {
    Written::Finished { bytes: found.len(), modified_nanos: modified_nanos(found) }
}

fn modified_nanos(found: &fs::Metadata) -> u64 {
    let modified = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    u64::try_from(modified.map_or(0, |since| since.as_nanos())).unwrap_or(u64::MAX)
}

/// When the file came to be what and where it is, which nobody can set.
fn touched_nanos(found: &fs::Metadata) -> u64 {
    let seconds = u64::try_from(found.ctime()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(found.ctime_nsec()).unwrap_or(0))
}

/// The name of a run's file in the manifest.
fn key(label: &str, name: &str) -> String {
    [label, "/", name].concat()
}

fn part_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.part"))
}

/// A file on its way: `NAME.part` until it is complete, gone when it is dropped before.
#[derive(Debug)]
pub(super) struct PartFile {
    file: Option<File>,
    part: String,
    name: String,
    folder: RunFolder,
}

impl PartFile {
    /// Starts the file `name`; its part file must not exist.
    pub(super) fn create(folder: &RunFolder, name: &str) -> io::Result<PartFile> {
        let part = [name, ".part"].concat();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let file = retry_on_intr(|| openat(&folder.0.folder, &part, flags, mode))?;
        Ok(PartFile { file: Some(file.into()), part, name: name.to_owned(), folder: folder.clone() })
    }

    /// Adds a chunk.
    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(chunk),
            None => Ok(()),
        }
    }

    /// Starts again from nothing, for another attempt.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        use std::io::Seek;
        if let Some(file) = &mut self.file {
            file.set_len(0)?;
            file.rewind()?;
        }
        Ok(())
    }

    /// Gives the complete file its name, and takes note that it is ours; fails when a file of that name has
    /// come to be meanwhile.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let written = written(&file.metadata()?);
        let folder = &self.folder.0.folder;
        rename_without_replacing(folder.as_fd(), Path::new(&self.part), folder, &self.name)?;
        self.file = None;
        self.folder.take_note(std::mem::take(&mut self.name), written);
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = unlinkat(&self.folder.0.folder, &self.part, AtFlags::empty());
        }
    }
}

fn rename_without_replacing(
    from_folder: BorrowedFd<'_>,
    from: &Path,
    folder: &OwnedFd,
    to: &str,
) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from_folder, from, folder, to, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            result => return Ok(result?),
        }
    }
    // A hard link is the other operation that never replaces; file systems that lack the rename have it.
    linkat(from_folder, from, folder, to, AtFlags::empty())?;
    Ok(unlinkat(from_folder, from, AtFlags::empty())?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn write(folder: &RunFolder, name: &str, text: &[u8]) {
        let mut part = PartFile::create(folder, name).unwrap();
        part.write(text).unwrap();
        part.finish().unwrap();
    }

    #[test]
    fn what_this_program_wrote_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for text in [b"one".as_slice(), b"other"] {
            let mut output = OutputFolder::open(dir.path()).unwrap();
            let folder = output.make_room(&["pool"], &["a", "b"]).unwrap().remove(0);
            write(&folder, "a", text);
            output.close_runs(&[folder]).unwrap();
            assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), text);
        }
    }

    #[test]
    fn a_repeat_replaces_what_the_round_before_wrote_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a", "b", "c"]).unwrap().remove(0);
        for name in ["a", "b"] {
            write(&folder, name, b"first");
        }
        fs::write(dir.path().join("pool/b"), "somebody's").unwrap();
        fs::write(dir.path().join("pool/c"), "somebody's").unwrap();
        folder.make_room_again().unwrap();
        assert!(!dir.path().join("pool/a").exists());
        write(&folder, "a", b"second");
        assert!(PartFile::create(&folder, "b").unwrap().finish().is_err());
        output.close_runs(&[folder]).unwrap();
        assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), b"second");
        for name in ["b", "c"] {
            assert_eq!(fs::read(dir.path().join("pool").join(name)).unwrap(), b"somebody's");
        }
        // What the manifest calls ours is what the last round wrote.
        drop(output);
        let mut output = OutputFolder::open(dir.path()).unwrap();
        assert!(output.make_room(&["pool"], &["b"]).is_err());
        assert!(output.make_room(&["pool"], &["a"]).is_ok());
    }

    #[test]
    fn a_foreign_file_stops_everything_before_anything_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a"]).unwrap().remove(0);
        write(&folder, "a", b"ours");
        output.close_runs(&[folder]).unwrap();
        fs::create_dir(dir.path().join("async")).unwrap();
        for foreign in ["async/a", "async/a.part"] {
            fs::write(dir.path().join(foreign), "theirs").unwrap();
            let error = output.make_room(&["pool", "async"], &["a"]).unwrap_err();
            assert!(matches!(error, OutputError::Foreign { .. }), "{error}");
            assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), b"ours");
            assert_eq!(fs::read(dir.path().join(foreign)).unwrap(), b"theirs");
            fs::remove_file(dir.path().join(foreign)).unwrap();
        }
    }

    #[test]
    fn a_file_of_ours_that_was_changed_is_foreign() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a"]).unwrap().remove(0);
        write(&folder, "a", b"ours");
        output.close_runs(&[folder]).unwrap();
        fs::write(dir.path().join("pool/a"), "edited by hand").unwrap();
        assert!(matches!(output.make_room(&["pool"], &["a"]), Err(OutputError::Foreign { .. })));
    }

    #[test]
    fn what_a_killed_run_left_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a", "b"]).unwrap().remove(0);
        write(&folder, "a", b"complete");
        std::mem::forget(PartFile::create(&folder, "b").unwrap());
        drop(output);
        let mut output = OutputFolder::open(dir.path()).unwrap();
        output.make_room(&["pool"], &["a", "b"]).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("pool")).unwrap().count(), 0);
    }

    #[test]
    fn what_somebody_wrote_after_this_program_was_killed_is_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a", "b"]).unwrap().remove(0);
        std::mem::forget(PartFile::create(&folder, "a").unwrap());
        // It ran an hour ago for the last time.
        let manifest = File::options().write(true).open(dir.path().join(MANIFEST)).unwrap();
        manifest.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        drop((output, manifest));
        fs::write(dir.path().join("pool/b"), "theirs").unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        assert!(matches!(output.make_room(&["pool"], &["b"]), Err(OutputError::Foreign { .. })));
        assert_eq!(fs::read(dir.path().join("pool/b")).unwrap(), b"theirs");
        // What is noted once stays so, however often the manifest is written from then on.
        output.make_room(&["other"], &["c"]).unwrap();
        drop(output);
        let mut output = OutputFolder::open(dir.path()).unwrap();
        assert!(matches!(output.make_room(&["pool"], &["b"]), Err(OutputError::Foreign { .. })));
    }

    #[test]
    fn a_program_that_runs_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        output.make_room(&["pool"], &["a"]).unwrap();
        let path = dir.path().join(MANIFEST);
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let age = || path.metadata().unwrap().modified().unwrap().elapsed().unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(age() > Duration::from_secs(3000));
        output.is_in_use();
        assert!(age() < Duration::from_secs(3000));
    }

    #[test]
    fn a_file_that_came_to_be_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a"]).unwrap().remove(0);
        let part = PartFile::create(&folder, "a").unwrap();
        fs::write(dir.path().join("pool/a"), "theirs").unwrap();
        assert_eq!(part.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), b"theirs");
        assert!(!dir.path().join("pool/a.part").exists());
    }

    #[test]
    fn a_folder_that_is_moved_under_a_run_keeps_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a", "b"]).unwrap().remove(0);
        let part = PartFile::create(&folder, "a").unwrap();
        fs::rename(dir.path().join("pool"), dir.path().join("moved")).unwrap();
        fs::create_dir(dir.path().join("pool")).unwrap();
        fs::write(dir.path().join("pool/a"), "theirs").unwrap();
        part.finish().unwrap();
        drop(PartFile::create(&folder, "b").unwrap());
        let names = fs::read_dir(dir.path().join("moved")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["a"]);
        assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), b"theirs");
    }

    #[test]
    fn a_file_that_was_written_elsewhere_is_ours_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &["a", "b"]).unwrap().remove(0);
        let elsewhere = dir.path().join("elsewhere");
        fs::write(dir.path().join("pool/b"), "theirs").unwrap();
        fs::write(&elsewhere, "ours").unwrap();
        assert_eq!(folder.adopt(&elsewhere, "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        folder.adopt(&elsewhere, "a").unwrap();
        assert!(!elsewhere.exists());
        output.close_runs(&[folder]).unwrap();
        assert!(matches!(output.make_room(&["pool"], &["b"]), Err(OutputError::Foreign { .. })));
        assert_eq!(fs::read(dir.path().join("pool/a")).unwrap(), b"ours");
        output.make_room(&["pool"], &["a"]).unwrap();
        assert!(!dir.path().join("pool/a").exists());
    }

    #[test]
    fn only_what_was_finished_is_ours_when_a_run_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["failed", "refused", "done"];
        let mut output = OutputFolder::open(dir.path()).unwrap();
        let folder = output.make_room(&["pool"], &names).unwrap().remove(0);
        drop(PartFile::create(&folder, "failed").unwrap());
        let refused = PartFile::create(&folder, "refused").unwrap();
        for theirs in ["failed", "refused"] {
            fs::write(dir.path().join("pool").join(theirs), "theirs").unwrap();
        }
        assert!(refused.finish().is_err());
        write(&folder, "done", b"ours");
        output.close_runs(&[folder]).unwrap();
        drop(output);
        let mut output = OutputFolder::open(dir.path()).unwrap();
        for theirs in ["failed", "refused"] {
            assert!(matches!(output.make_room(&["pool"], &names), Err(OutputError::Foreign { .. })));
            let path = dir.path().join("pool").join(theirs);
            assert_eq!(fs::read(&path).unwrap(), b"theirs");
            fs::remove_file(path).unwrap();
        }
        output.make_room(&["pool"], &names).unwrap();
        assert!(!dir.path().join("pool/done").exists());
    }

    #[test]
    fn two_races_never_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = OutputFolder::open(dir.path()).unwrap();
        assert!(matches!(OutputFolder::open(dir.path()), Err(OutputError::InUse { .. })));
        drop(first);
        assert!(OutputFolder::open(dir.path()).is_ok());
    }

    #[test]
    fn a_manifest_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for text in [
            "{}",
            "rubbish",
            r#"{"format":"threadrace-manifest","version":1,"files":{}}"#,
            r#"{"format":"threadrace-manifest","version":2,"files":{},"more":0}"#,
            r#"{"format":"threadrace-manifest","version":2,"files":{"pool/a":{}}}"#,
            r#"{"format":"threadrace-manifest","version":2,"files":{"pool/a":{"state":"announced","bytes":1}}}"#,
            r#"{"format":"threadrace-manifest","version":2,"files":{"pool/a":{"state":"finished","bytes":1}}}"#,
        ] {
            fs::write(dir.path().join(MANIFEST), text).unwrap();
            assert!(matches!(OutputFolder::open(dir.path()), Err(OutputError::Manifest { .. })), "{text}");
            assert_eq!(fs::read_to_string(dir.path().join(MANIFEST)).unwrap(), text);
        }
    }

    #[test]
    fn a_half_written_manifest_is_replaced_and_anything_else_of_its_name_stays() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join(format!("{MANIFEST}.part"));
        for left in ["", "{", r#"{"format":"threadrace-manifest","version":2,"fi"#] {
            fs::write(&part, left).unwrap();
            OutputFolder::open(dir.path()).unwrap().make_room(&["pool"], &["a"]).unwrap();
            assert!(!part.exists());
        }
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, &part).unwrap();
        let room = || OutputFolder::open(dir.path()).unwrap().make_room(&["pool"], &["a"]);
        assert!(matches!(room(), Err(OutputError::Foreign { path }) if path == part));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        fs::remove_file(&part).unwrap();
        fs::write(&part, "notes").unwrap();
        assert!(matches!(room(), Err(OutputError::Foreign { .. })));
        assert_eq!(fs::read_to_string(&part).unwrap(), "notes");
    }
}
