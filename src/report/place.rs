//! Files to take home: whole or not there at all, and never in the place of one that somebody wants to keep.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It stays, and nothing is written.
    Stays,
    /// It is replaced.
    Goes,
}

/// Why a file is not there.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Another one has its name.
    #[error("{} is there already and stays as it is: --force replaces it, -o FILE names another", .0.display())]
    Taken(PathBuf),
    /// It can't be made or written.
    #[error("{} could not be written: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// How often a name is tried with another number.
const MOST_NAMES: u32 = 10_000;

/// Writes a file under its name. It is written beside that first, and has its name only when it is whole.
///
/// # Errors
/// When the name is taken, or the file can't be made or written; what was there is then as it was.
pub fn place(
    path: &Path,
    standing: Standing,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), PlaceError> {
    let failed = |error| PlaceError::File { path: path.to_owned(), error };
    // To find out only at the end would waste the writing.
    if is_taken(path, standing) {
        return Err(PlaceError::Taken(path.to_owned()));
    }
    if fs::symlink_metadata(path).is_ok() || standing == Standing::Goes {
        return replace(path, write).map_err(failed);
    }
    match create(path, write) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(PlaceError::Taken(path.to_owned())),
        written => written.map_err(failed),
    }
}

/// Whether something stands in the place that stays there. What is no file takes what is written, and nothing of it is
/// lost.
fn is_taken(path: &Path, standing: Standing) -> bool {
    let is_no_file = || fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
    standing == Standing::Stays && fs::symlink_metadata(path).is_ok() && !is_no_file()
}

/// Finds out whether [`place`] has a place for a file, and leaves everything as it was. What is no file is not tried:
/// a pipe would wait for a reader.
///
/// # Errors
/// As [`place`].
pub fn try_place(path: &Path, standing: Standing) -> Result<(), PlaceError> {
    let failed = |error| PlaceError::File { path: path.to_owned(), error };
    let beside = Beside::of(path).map_err(failed)?;
    if is_taken(path, standing) {
        return Err(PlaceError::Taken(path.to_owned()));
    }
    let try_it = |beside: Beside| new_file(&beside.part).and_then(|_| fs::remove_file(beside.part));
    beside.map_or(Ok(()), try_it).map_err(failed)
}

/// Writes a file into a folder, which is made if need be, under a name that nothing has there:
/// `STEM.EXTENSION`, or `STEM-2.EXTENSION` and so on. Returns its path.
///
/// # Errors
/// When the folder or the file can't be made or written.
pub fn place_anew(
    folder: &Path,
    stem: &str,
    extension: &str,
    write: impl Fn(&mut File) -> io::Result<()>,
) -> Result<PathBuf, PlaceError> {
    fs::create_dir_all(folder).map_err(|error| PlaceError::File { path: folder.to_owned(), error })?;
    let mut path = folder.join(format!("{stem}.{extension}"));
    for number in 2..MOST_NAMES {
        match place(&path, Standing::Stays, &write) {
            Err(PlaceError::Taken(_)) => path = folder.join(format!("{stem}-{number}.{extension}")),
            written => return written.map(|()| path),
        }
    }
    Err(PlaceError::Taken(path))
}

fn create(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let part = part_of(path)?;
    let mut file = new_file(&part)?;
    // A link never replaces what is there, as a change of name would.
    let written = write(&mut file).and_then(|()| match fs::hard_link(&part, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            fs::rename(&part, path)
        }
        linked => linked,
    });
    let _ = fs::remove_file(&part);
    written
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// The file that is written beside another until it is whole.
fn part_of(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    // The process's number keeps a file of somebody else's, and of another process, out of the way.
    name.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(name))
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let Some(beside) = Beside::of(path)? else {
        return write(&mut OpenOptions::new().write(true).open(path)?);
    };
    let mut file = new_file(&beside.part)?;
    let written = write(&mut file)
        .and_then(|()| beside.permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions)))
        .and_then(|()| fs::rename(&beside.part, beside.target));
    if written.is_err() {
        let _ = fs::remove_file(&beside.part);
    }
    written
}

/// A file that is written beside the one whose place it takes.
struct Beside {
    target: PathBuf,
    part: PathBuf,
    /// Of the file that is there.
    permissions: Option<Permissions>,
}

impl Beside {
    /// None where no file is in the place: a terminal or a pipe takes what is written, and nothing can stand in
    /// its place.
    fn of(path: &Path) -> io::Result<Option<Beside>> {
        let there = fs::metadata(path).ok();
        match &there {
            Some(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(there) if !there.is_file() => return Ok(None),
            _ => {}
        }
        // Whoever named a link means the file that it leads to.
        let target = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
        let part = part_of(&target)?;
        Ok(Some(Beside { target, part, permissions: there.map(|there| there.permissions()) }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    type Fallible = Result<(), Box<dyn std::error::Error>>;

    fn saying(words: &'static str) -> impl Fn(&mut File) -> io::Result<()> {
        move |file| file.write_all(words.as_bytes())
    }

    #[test]
    fn a_file_that_is_there_stays_unless_it_is_told_to_go() -> Fallible {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        place(&path, Standing::Stays, saying("first"))?;
        let again = place(&path, Standing::Stays, |_| Err(io::Error::other("is not even tried")));
        assert!(matches!(again, Err(PlaceError::Taken(taken)) if taken == path));
        assert_eq!(fs::read(&path)?, b"first");
        place(&path, Standing::Goes, saying("second"))?;
        assert_eq!(fs::read(&path)?, b"second");
        place(Path::new("/dev/null"), Standing::Stays, saying("gone"))?;
        Ok(())
    }

    #[test]
    fn what_appears_meanwhile_stays_too() -> Fallible {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        let late = place(&path, Standing::Stays, |file| {
            fs::write(&path, "somebody's")?;
            file.write_all(b"ours")
        });
        assert!(matches!(late, Err(PlaceError::Taken(_))));
        assert_eq!((fs::read(&path)?, fs::read_dir(folder.path())?.count()), (b"somebody's".to_vec(), 1));
        Ok(())
    }

    #[test]
    fn nothing_is_left_of_a_file_that_could_not_be_written() -> Fallible {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        let full = place(&path, Standing::Stays, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(full, Err(PlaceError::File { .. })));
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn a_free_name_is_found() -> Fallible {
        let folder = tempfile::tempdir()?;
        let inside = folder.path().join("new/folder");
        let names = (0..3).map(|_| place_anew(&inside, "race", "tasks.csv", saying("x")));
        let names: Vec<PathBuf> = names.collect::<Result<_, _>>()?;
        assert_eq!(
            names,
            ["race.tasks.csv", "race-2.tasks.csv", "race-3.tasks.csv"].map(|name| inside.join(name))
        );
        Ok(())
    }

    #[test]
    fn a_report_takes_an_older_ones_place_whole_or_not_at_all() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("report.txt");
        let names = || fs::read_dir(folder.path()).map(Iterator::count);
        replace(&path, |file| file.write_all(b"old"))?;
        let broken = replace(&path, |file| {
            file.write_all(b"ne")?;
            assert_eq!(fs::read(&path)?, b"old");
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(broken.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert_eq!((fs::read(&path)?, names()?), (b"old".to_vec(), 1));
        replace(&path, |file| file.write_all(b"new"))?;
        assert_eq!((fs::read(&path)?, names()?), (b"new".to_vec(), 1));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_report_goes_where_a_link_leads_and_into_what_is_no_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (path, link) = (folder.path().join("report.txt"), folder.path().join("link"));
        fs::write(&path, "old")?;
        std::os::unix::fs::symlink(&path, &link)?;
        replace(&link, |file| file.write_all(b"new"))?;
        assert_eq!(fs::read(&path)?, b"new");
        assert!(fs::symlink_metadata(&link)?.is_symlink());
        replace(Path::new("/dev/null"), |file| file.write_all(b"gone"))?;
        assert!(!fs::metadata("/dev/null")?.is_file());
        Ok(())
    }
}
