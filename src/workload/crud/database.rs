//! The database of one run: made before the clock starts, checked and kept when the run is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio_util::sync::CancellationToken;

use super::super::output::{RunFolder, disk_error};
use super::super::working::{OwnFile, WorkingFolder};
use super::{Crud, RowWork};
use crate::event::{ErrorKind, TaskError};
use crate::text;

/// `batches` says, in the transactions that change the rows, how many rows of each task there must be, and
/// whether the task did all of its work.
const TABLES: &str = "
    CREATE TABLE items (
        task INTEGER NOT NULL, number INTEGER NOT NULL, amount INTEGER NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (task, number)
    ) WITHOUT ROWID;
    CREATE TABLE batches (task INTEGER PRIMARY KEY, rows INTEGER NOT NULL, done INTEGER NOT NULL);
";

/// How many steps of SQLite's machine it takes between two looks at whether to go on.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// How much of its work a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All of it.
    Whole,
    /// Tasks were cancelled or failed, or the check was broken off.
    Part,
}

/// The database while tasks work in it.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    /// Keeps the WAL from being folded up whenever the last worker closes its connection; only whoever made
    /// the database has it.
    keeper: Mutex<Option<Connection>>,
    cancel: CancellationToken,
    /// Tasks of this process that did all of their work.
    finished: AtomicI64,
    folder: WorkingFolder,
}

impl Database {
    pub(super) fn create(run: &RunFolder, cancel: &CancellationToken) -> Result<Database, TaskError> {
        let folder = WorkingFolder::create(run)
            .map_err(|error| disk_error("the run's folder can't be used", &error))?;
        // From here on it is cleared away with whatever is in it.
        let database = Database::in_folder(folder, cancel.clone());
        let keeper = database.prepared()?;
        *database.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        Ok(database)
    }

    pub(super) fn join(working: PathBuf) -> Database {
        Database::in_folder(WorkingFolder::Joined(working), CancellationToken::new())
    }

    fn in_folder(folder: WorkingFolder, cancel: CancellationToken) -> Database {
        Database {
            path: folder.path().join(Crud::FILE),
            keeper: Mutex::new(None),
            cancel,
            finished: AtomicI64::new(0),
            folder,
        }
    }

    fn prepared(&self) -> Result<Connection, TaskError> {
        let refused = |error| refusal(&error);
        let mut keeper = self.connection(OpenFlags::SQLITE_OPEN_CREATE).map_err(refused)?;
        let mode: String =
            keeper.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(refused)?;
        if mode != "wal" {
            let words = "SQLite can't share a database here, as on a network drive: choose another folder with -o DIR";
            return Err(TaskError::new(ErrorKind::Database, words));
        }
        keeper.execute_batch(TABLES).map_err(refused)?;
        let cancel = self.cancel.clone();
        keeper.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || cancel.is_cancelled())).map_err(refused)?;
        Ok(keeper)
    }

    /// A worker's own connection. SQLite never waits by itself in it: a lock that somebody else has is told.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        self.connection(OpenFlags::empty())
    }

    fn connection(&self, more: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        // In WAL mode this loses nothing to a program that is killed; to a power cut, but then the file never
        // gets its name.
        connection.pragma_update(None, "synchronous", "normal")?;
        // What is closed last is about to be deleted, and a cancelled run is not to wait for the disk first.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn task_finished(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// Holds the rows against what the tasks committed: each has as many as its last transaction left, and
    /// no task that came to its end is missing.
    pub(super) fn check(&self, tasks: usize, work: RowWork) -> Result<Kept, String> {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keeper) = keeper.as_ref().filter(|_| !self.cancel.is_cancelled()) else {
            return Ok(Kept::Part);
        };
        let counted = || {
            let number = |sql: &str| keeper.query_row(sql, [], |row| row.get::<_, i64>(0));
            Ok([
                number("SELECT count(*) FROM items")?,
                number("SELECT coalesce(sum(rows), 0) FROM batches")?,
                number("SELECT count(*) FROM batches WHERE done")?,
                number(
                    "SELECT count(*) FROM (SELECT task, count(*) AS found FROM items GROUP BY task)
                     FULL JOIN batches USING (task) WHERE found IS NOT rows",
                )?,
                number("SELECT coalesce(sum(rows), 0) FROM batches WHERE done")?,
            ])
        };
        let [found, wanted, done, amiss, of_done] = match counted() {
            Ok(numbers) => numbers,
            Err(error) if interrupted(&error) => return Ok(Kept::Part),
            Err(error) => return Err(format!("the database can't be checked: {error}")),
        };
        let count = |number: i64| text::count(number.unsigned_abs());
        let finished = self.finished.load(Ordering::Relaxed);
        if done < finished {
            return Err(format!(
                "{} of the {} tasks that did their work are missing in the database",
                count(finished - done),
                count(finished)
            ));
        }
        if found != wanted {
            let (found, wanted) = (count(found), count(wanted));
            return Err(format!("the database has {found} rows, and must have {wanted}"));
        }
        if amiss > 0 || of_done != done * i64::from(work.kept()) {
            return Err("the database has the right number of rows, but not of each task".to_owned());
        }
        Ok(if usize::try_from(done) == Ok(tasks) { Kept::Whole } else { Kept::Part })
    }

    /// Leaves the database in the run's folder under its final name, in one file.
    pub(super) fn keep(&self, run: &RunFolder) -> Result<(), String> {
        let refused = |error: &dyn std::fmt::Display| format!("{} can't be written: {error}", Crud::FILE);
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keeper) = keeper.as_ref() else { return Ok(()) };
        let whole = self.folder().join("whole.sqlite");
        // VACUUM takes an empty file for none; until it is adopted, it is cleared away.
        let (_own, _) = OwnFile::create(whole.clone()).map_err(|error| refused(&error))?;
        // A path need not be UTF-8, and SQLite takes its bytes as they are.
        let path = ToSqlOutput::Borrowed(ValueRef::Text(whole.as_os_str().as_encoded_bytes()));
        match keeper.execute("VACUUM INTO ?1", [path]) {
            Ok(_) => run.adopt(&whole, Crud::FILE).map_err(|error| refused(&error)),
            Err(error) if interrupted(&error) => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let WorkingFolder::Own(_) = self.folder {
            self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(self.folder.path().join(format!("{}{suffix}", Crud::FILE)));
            }
        }
    }
}

fn interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// What SQLite's refusal means for a task.
pub(super) fn refusal(error: &rusqlite::Error) -> TaskError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ErrorKind::DiskFull,
        _ => ErrorKind::Database,
    };
    TaskError::new(kind, format!("the database refused: {error}"))
}
