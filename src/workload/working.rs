//! What a run has on the disk while it works, and what is not to stay: a folder of its own, and files that
//! are gone when their owner is.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{ErrorKind, TaskError};

use super::RunFolder;

/// A folder below a run's folder in which its tasks work.
#[derive(Debug)]
pub(super) enum WorkingFolder {
    /// Made by this process, and removed, once it is empty, when this is dropped.
    Own(PathBuf),
    /// Made by another process, which removes it.
    Joined(PathBuf),
}

impl WorkingFolder {
    /// Makes a folder that was not there before: `threadrace-work-1`, or with the next number where a run that
    /// was killed left that one behind.
    pub(super) fn create(run: &RunFolder) -> io::Result<WorkingFolder> {
        let run = std::path::absolute(run.path())?;
        for number in 1_u32.. {
            let path = run.join(format!("threadrace-work-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(WorkingFolder::Own(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            WorkingFolder::Own(path) | WorkingFolder::Joined(path) => path,
        }
    }
}

impl Drop for WorkingFolder {
    fn drop(&mut self) {
        if let WorkingFolder::Own(path) = self {
            // Where somebody put a file of theirs, the folder is not empty and stays.
            let _ = fs::remove_dir(path);
        }
    }
}

/// A file that this process made, gone when this is dropped.
#[derive(Debug)]
pub(super) struct OwnFile(Option<PathBuf>);

impl OwnFile {
    /// Makes a file that was not there before.
    pub(super) fn create(path: PathBuf) -> io::Result<(OwnFile, File)> {
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok((OwnFile(Some(path)), file))
    }

    /// Deletes it now, and says when that fails.
    pub(super) fn delete(mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), fs::remove_file)
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// What was prepared for the tasks of a run. It lives until the run is concluded and nobody works with it
/// any more.
#[derive(Debug)]
pub(super) struct Ready<T>(Mutex<Option<Arc<T>>>);

impl<T> Ready<T> {
    pub(super) fn not_yet() -> Ready<T> {
        Ready(Mutex::new(None))
    }

    pub(super) fn with(it: T) -> Ready<T> {
        Ready(Mutex::new(Some(Arc::new(it))))
    }

    pub(super) fn set(&self, it: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(it));
    }

    pub(super) fn get(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What every session needs.
    pub(super) fn wanted(&self) -> Result<Arc<T>, TaskError> {
        self.get().ok_or_else(|| TaskError::new(ErrorKind::Worker, "the run is not prepared, or is over"))
    }

    /// Gives it away: it is gone when the last who works with it is.
    pub(super) fn take(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::OutputFolder;
    use super::*;

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_folder_is_new_and_goes_only_when_it_is_empty() -> Fallible {
        let dir = tempfile::tempdir()?;
        let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[])?.remove(0);
        fs::create_dir(run.path().join("threadrace-work-1"))?;
        fs::write(run.path().join("threadrace-work-2"), "theirs")?;
        let folder = WorkingFolder::create(&run)?;
        let path = folder.path().to_owned();
        assert!(path.ends_with("pool/threadrace-work-3"), "{path:?}");
        drop(folder);
        assert!(!path.exists());
        let folder = WorkingFolder::create(&run)?;
        fs::write(path.join("theirs"), "theirs")?;
        drop(folder);
        assert_eq!(fs::read(path.join("theirs"))?, b"theirs");
        assert!(run.path().join("threadrace-work-1").is_dir());
        assert_eq!(fs::read(run.path().join("threadrace-work-2"))?, b"theirs");
        drop(WorkingFolder::Joined(run.path().join("threadrace-work-1")));
        assert!(run.path().join("threadrace-work-1").is_dir());
        Ok(())
    }

    #[test]
    fn a_file_of_somebody_else_is_not_made_ours() -> Fallible {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a");
        let (own, _) = OwnFile::create(path.clone())?;
        assert!(OwnFile::create(path.clone()).is_err());
        assert!(path.exists(), "the attempt to make it again does not delete it");
        drop(own);
        assert!(!path.exists());
        OwnFile::create(path.clone())?.0.delete()?;
        assert!(!path.exists());
        Ok(())
    }
}
