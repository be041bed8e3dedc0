//! The workload `crud`: inserts, reads, updates and deletes rows of a real SQLite file.
//!
//! Each worker has a connection of its own to one database in WAL mode: readers never wait, and one writer
//! works at a time (<https://www.sqlite.org/wal.html>). SQLite works on the worker's own thread, so on an event
//! loop a transaction holds up every other task; a wait for the lock does not, because it is spent asleep
//! between two tries and not inside SQLite.
//!
//! The tasks work in a folder that the run makes for itself, and that is gone when the run is over, however it
//! ends. When every task did all of its work, the run leaves a copy of the database in one file
//! (`VACUUM INTO`), which gets its final name when it is whole; otherwise it leaves nothing.

mod database;
mod session;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::event::{At, RunId, TaskError};
use crate::text;

use super::working::Ready;
use super::{Emitter, RunFolder, Session, TaskFault, WorkPlan, Workload};

use database::{Database, Kept};
use session::RowSession;

/// What the tasks of a scenario do in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowWork {
    /// Rows that each task inserts, reads, updates and, half of them, deletes.
    pub rows: u32,
}

impl RowWork {
    /// The work in words, for the screen: what follows "20 batches of rows from".
    pub fn describe(&self) -> String {
        let rows = text::count(u64::from(self.rows));
        format!("one SQLite file: {rows} rows each, inserted, read, updated, half of them deleted")
    }

    /// How many rows of a task stay when it has deleted its half: the odd one out is kept.
    fn kept(self) -> u32 {
        self.rows.div_ceil(2)
    }
}

/// The database tasks of one run.
#[derive(Debug)]
pub struct Crud {
    work: RowWork,
    tasks: usize,
    seed: u64,
    /// None where another process prepares the run.
    folder: Option<RunFolder>,
    database: Ready<Database>,
}

impl Crud {
    /// The name of the database's file in the run's folder.
    pub const FILE: &str = "rows.sqlite";

    /// The database tasks of a run that works below `folder`; `seed` decides what is in the rows.
    pub fn new(work: RowWork, tasks: usize, seed: u64, folder: RunFolder) -> Crud {
        Crud { work, tasks, seed, folder: Some(folder), database: Ready::not_yet() }
    }

    /// The same tasks on the database in the [`working_folder`](Workload::working_folder) of another process,
    /// which prepared the run and concludes it.
    pub fn joining(work: RowWork, tasks: usize, seed: u64, working: PathBuf) -> Crud {
        Crud { work, tasks, seed, folder: None, database: Ready::with(Database::join(working)) }
    }
}

impl Workload for Crud {
    fn plan(&self) -> Option<WorkPlan> {
        let Crud { work, tasks, seed, .. } = *self;
        Some(WorkPlan::Crud { work, tasks, seed, folder: self.working_folder()? })
    }

    fn open(&self) -> Result<Box<dyn Session>, TaskError> {
        let database = self.database.wanted()?;
        Ok(Box::new(RowSession::new(database, self.work, self.seed)))
    }

    fn prepare(&self, cancel: &CancellationToken) -> Result<(), TaskFault> {
        if let Some(folder) = self.folder.as_ref().filter(|_| self.database.get().is_none()) {
            self.database.set(Database::create(folder, cancel)?);
        }
        Ok(())
    }

    fn working_folder(&self) -> Option<PathBuf> {
        self.database.get().map(|database| database.folder().to_owned())
    }

    fn conclude(&self, _: &Emitter, _: RunId, _: At) -> Result<(), String> {
        let (Some(database), Some(folder)) = (self.database.take(), &self.folder) else { return Ok(()) };
        match database.check(self.tasks, self.work)? {
            Kept::Whole => database.keep(folder),
            Kept::Part => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;

    use rusqlite::Connection;

    use super::super::{OutputFolder, Progress, TaskContext, Terms};
    use super::*;
    use crate::clock::Clock;
    use crate::event::{LaneId, TaskId};

    type Fallible<T = ()> = Result<T, Box<dyn std::error::Error>>;

    const WORK: RowWork = RowWork { rows: 1_001 };

    fn emitter() -> Emitter {
        Emitter::new(Clock::start(), mpsc::channel().0)
    }

    fn context(task: usize) -> TaskContext {
        let task = TaskId::of(task);
        TaskContext::new(emitter(), Progress::new(3), RunId(0), task, LaneId(0), Terms::default())
    }

    /// What two tasks did, of which `planned` says how many there should be.
    fn two_tasks(run: &RunFolder, planned: usize) -> Fallible<Crud> {
        let crud = Crud::new(WORK, planned, 1, run.clone());
        assert_eq!(crud.prepare(&CancellationToken::new()), Ok(()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut session = crud.open().map_err(|error| error.message)?;
        for task in 0..2 {
            let done = runtime.block_on(session.perform(&context(task)));
            let done = done.map_err(|fault| format!("{fault:?}"))?;
            assert_eq!(done.result.as_deref(), Some("1,001 rows inserted, read and updated; 500 deleted"));
        }
        Ok(crud)
    }

    fn concluded(crud: Crud) -> Result<(), String> {
        crud.conclude(&emitter(), RunId(0), At::ZERO)
    }

    #[test]
    fn the_work_reads_like_a_sentence() {
        assert_eq!(
            RowWork { rows: 2_000 }.describe(),
            "one SQLite file: 2,000 rows each, inserted, read, updated, half of them deleted"
        );
    }

    #[test]
    fn the_odd_row_is_kept() {
        assert_eq!([1, 2, 3, 2_000].map(|rows| RowWork { rows }.kept()), [1, 1, 2, 1_000]);
    }

    #[test]
    fn a_whole_database_is_one_file_that_is_ours() -> Fallible {
        let dir = tempfile::tempdir()?;
        let mut output = OutputFolder::open(dir.path())?;
        for _ in 0..2 {
            let run = output.make_room(&["pool"], &[Crud::FILE])?.remove(0);
            assert_eq!(concluded(two_tasks(&run, 2)?), Ok(()));
            let names: Vec<_> =
                fs::read_dir(run.path())?.map(|entry| Ok(entry?.file_name())).collect::<Fallible<_>>()?;
            assert_eq!(names, [Crud::FILE]);
            let bytes = fs::read(run.path().join(Crud::FILE))?;
            // The file format's versions are 2 in WAL mode (sqlite.org/fileformat.html, section 1.3).
            assert_eq!(bytes.get(18..20), Some([1, 1].as_slice()), "it needs no file beside it");
            let left = Connection::open(run.path().join(Crud::FILE))?;
            let count: i64 = left.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?;
            assert_eq!(count, 2 * 501);
            drop(left);
            output.close_runs(&[run])?;
        }
        Ok(())
    }

    #[test]
    fn what_a_run_did_not_do_leaves_no_file() -> Fallible {
        let dir = tempfile::tempdir()?;
        let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[Crud::FILE])?.remove(0);
        assert_eq!(concluded(two_tasks(&run, 3)?), Ok(()));
        assert_eq!(fs::read_dir(run.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn rows_that_are_missing_are_noticed() -> Fallible {
        let cases = [
            ("DELETE FROM items WHERE task = 1 AND number = 4", "has 1,001 rows, and must have 1,002"),
            ("INSERT INTO items VALUES (0, 5000, 1, '')", "has 1,003 rows, and must have 1,002"),
            ("DELETE FROM items WHERE task = 1; DELETE FROM batches WHERE task = 1", "1 of the 2 tasks"),
            (
                "UPDATE items SET task = 0, number = 5000 WHERE task = 1 AND number = 4",
                "the right number of rows, but not of each task",
            ),
        ];
        for (harm, words) in cases {
            let dir = tempfile::tempdir()?;
            let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[Crud::FILE])?.remove(0);
            let crud = two_tasks(&run, 2)?;
            let file = crud.working_folder().ok_or("not prepared")?.join(Crud::FILE);
            Connection::open(file)?.execute_batch(harm)?;
            let told = concluded(crud);
            assert!(told.as_ref().is_err_and(|told| told.contains(words)), "{harm}: {told:?}");
            assert_eq!(fs::read_dir(run.path())?.count(), 0, "{harm}");
        }
        Ok(())
    }

    #[test]
    fn a_worker_of_another_process_joins_and_clears_nothing_away() -> Fallible {
        let dir = tempfile::tempdir()?;
        let run = OutputFolder::open(dir.path())?.make_room(&["pool"], &[Crud::FILE])?.remove(0);
        let crud = two_tasks(&run, 3)?;
        let working = crud.working_folder().ok_or("not prepared")?;
        let joined = Crud::joining(WORK, 3, 1, working.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let mut session = joined.open().map_err(|error| error.message)?;
        assert!(runtime.block_on(session.perform(&context(2))).is_ok());
        drop(session);
        assert_eq!(concluded(joined), Ok(()));
        assert!(working.join(Crud::FILE).exists());
        assert_eq!(concluded(crud), Ok(()));
        assert!(run.path().join(Crud::FILE).exists() && !working.exists());
        Ok(())
    }
}
