//! The workloads that are about the disk: real files, and a real database that workers contend for.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tempfile::TempDir;
use threadrace::clock::Clock;
use threadrace::event::{Check, ErrorKind, ExecutorKind, Fact, Phase, RunEnd, TaskId};
use threadrace::model::{RunStatus, Stage};
use threadrace::workload::crud::{Crud, RowWork};
use threadrace::workload::files::{Durability, FileWork, Files, Operations};
use threadrace::workload::{OutputFolder, RunFolder, TaskFault, Workload};
use tokio_util::sync::CancellationToken;

use crate::rig::{Fallible, Ran, SEED, Who, run, start};

/// The longest that a cancelled run may take to end: a second, and two more for a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// A run's folder, with what keeps it.
struct Place {
    _dir: TempDir,
    _output: OutputFolder,
    run: RunFolder,
}

impl Place {
    fn new() -> Fallible<Place> {
        let dir = tempfile::tempdir()?;
        let mut output = OutputFolder::open(dir.path())?;
        let run = output.make_room(&["run"], &[Crud::FILE])?.remove(0);
        Ok(Place { _dir: dir, _output: output, run })
    }

    fn path(&self) -> &Path {
        self.run.path()
    }

    fn files(&self, work: FileWork, tasks: usize) -> Fallible<Arc<Files>> {
        ready(Files::new(work, tasks, SEED, self.run.clone()))
    }

    fn crud(&self, rows: u32, tasks: usize) -> Fallible<Arc<Crud>> {
        ready(Crud::new(RowWork { rows }, tasks, SEED, self.run.clone()))
    }

    /// The names in the run's folder.
    fn names(&self) -> Fallible<Vec<String>> {
        names_in(self.path())
    }
}

fn names_in(folder: &Path) -> Fallible<Vec<String>> {
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = fs::read_dir(folder)?.map(name).collect::<Fallible<Vec<String>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn ready<W: Workload>(workload: W) -> Fallible<Arc<W>> {
    workload.prepare(&CancellationToken::new()).map_err(|fault| format!("{fault:?}"))?;
    Ok(Arc::new(workload))
}

fn working(workload: &dyn Workload) -> Fallible<PathBuf> {
    Ok(workload.working_folder().ok_or("the run is not prepared")?)
}

/// The phases of a task in their order, as they were told.
fn phases(ran: &Ran, of: usize) -> Vec<Phase> {
    let phase = |fact: &Fact| match *fact {
        Fact::PhaseEntered { task, phase, .. } if task == TaskId::of(of) => Some(phase),
        _ => None,
    };
    ran.events.iter().filter_map(|event| phase(&event.fact)).collect()
}

const ALL: FileWork =
    FileWork { operations: Operations::All, bytes: 150_000, durability: Durability::Cached };

#[test]
fn every_executor_writes_reads_copies_and_deletes() -> Fallible {
    use Phase::{Waiting, Writing};
    for durability in [Durability::Cached, Durability::Synced] {
        for bytes in [0, 1, 65_536, 150_000] {
            for who in Who::everyone(3, 7) {
                let place = Place::new()?;
                let workload = place.files(FileWork { bytes, durability, ..ALL }, who.tasks)?;
                assert_eq!(names_in(&working(&*workload)?)?, [""; 0]);
                let ran = run(&who, workload, &Clock::start())?;
                ran.assert_accounted(&who);
                assert!(ran.run().did_everything(), "{who:?}: {:?}", ran.task(0).error_message());
                assert_eq!(ran.run().bytes(), 7 * 5 * bytes, "{who:?}");
                for task in 0..who.tasks {
                    assert_eq!(phases(&ran, task), [Writing, Waiting, Writing, Waiting, Writing], "{who:?}");
                    assert_eq!(ran.task(task).check, Check::Result);
                }
                assert_eq!(place.names()?, [""; 0], "{who:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_executor_reads_what_was_there_before() -> Fallible {
    for who in Who::everyone(3, 7) {
        let place = Place::new()?;
        let workload = place.files(FileWork { operations: Operations::Reads, ..ALL }, who.tasks)?;
        assert_eq!(names_in(&working(&*workload)?)?.len(), who.tasks);
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().did_everything(), "{who:?}: {:?}", ran.task(0).error_message());
        assert_eq!(ran.run().bytes(), 7 * ALL.bytes, "{who:?}");
        assert!((0..who.tasks).all(|task| phases(&ran, task) == [Phase::Waiting]), "{who:?}");
        assert_eq!(place.names()?, [""; 0], "{who:?}");
    }
    Ok(())
}

#[test]
fn a_cancelled_run_of_files_leaves_nothing() -> Fallible {
    // More than any disk takes in that time.
    for bytes in [40_000_000_000, 1_000_000] {
        for who in Who::everyone(3, 5) {
            if bytes < 2_000_000 && who.kind == ExecutorKind::Threads {
                continue;
            }
            let place = Place::new()?;
            let workload = place.files(FileWork { bytes, ..ALL }, who.tasks)?;
            let mut running = start(&who, workload, &Clock::start());
            running.wait_for(1, |fact| matches!(fact, Fact::PhaseEntered { .. }))?;
            running.cancel.cancel();
            let asked = Instant::now();
            let ran = running.finish()?;
            assert!(asked.elapsed() < SOON, "{who:?}: {:?}", asked.elapsed());
            ran.assert_accounted(&who);
            assert!(ran.run().counts().cancelled > 0, "{who:?}");
            assert!(matches!(ran.run().status(), RunStatus::Ended { end: RunEnd::Cancelled, .. }), "{who:?}");
            assert_eq!(place.names()?, [""; 0], "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn what_somebody_else_wrote_stays() -> Fallible {
    for who in Who::everyone(2, 4) {
        let place = Place::new()?;
        fs::create_dir(place.path().join("threadrace-work-1"))?;
        fs::write(place.path().join("threadrace-work-1/file-1"), "left by a killed run")?;
        let workload = place.files(ALL, who.tasks)?;
        let working = working(&*workload)?;
        assert!(working.ends_with("threadrace-work-2"), "{working:?}");
        fs::write(working.join("file-2"), "theirs")?;
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert_eq!(ran.task(1).error, Some(ErrorKind::Disk), "{who:?}");
        assert_eq!(ran.run().counts().done, 3, "{who:?}");
        assert_eq!(names_in(&working)?, ["file-2"], "{who:?}");
        assert_eq!(fs::read(working.join("file-2"))?, b"theirs");
        assert_eq!(fs::read(place.path().join("threadrace-work-1/file-1"))?, b"left by a killed run");
    }
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_to_is_the_disks_fault() -> Fallible {
    use rustix::fs::Mode;
    for who in Who::everyone(2, 3) {
        let place = Place::new()?;
        let workload = place.files(ALL, who.tasks)?;
        let working = working(&*workload)?;
        // Root may write anywhere, so the folder is not read-only but gone.
        if rustix::process::geteuid().is_root() {
            fs::remove_dir(&working)?;
        } else {
            rustix::fs::chmod(&working, Mode::RUSR | Mode::XUSR)?;
        }
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().tasks().iter().all(|task| task.error == Some(ErrorKind::Disk)), "{who:?}");
        assert_eq!(place.names()?, [""; 0], "{who:?}");
    }
    let place = Place::new()?;
    if rustix::process::geteuid().is_root() {
        fs::remove_dir(place.path())?;
    } else {
        rustix::fs::chmod(place.path(), Mode::RUSR | Mode::XUSR)?;
    }
    let both: [Box<dyn Workload>; 2] = [
        Box::new(Files::new(ALL, 3, SEED, place.run.clone())),
        Box::new(Crud::new(RowWork { rows: 3 }, 3, SEED, place.run.clone())),
    ];
    for workload in both {
        let refused = workload.prepare(&CancellationToken::new());
        assert!(
            matches!(&refused, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Disk),
            "{refused:?}"
        );
        assert_eq!(workload.open().err().map(|error| error.kind), Some(ErrorKind::Worker));
    }
    Ok(())
}

/// The rows in the database that a run left.
fn rows(place: &Place) -> Fallible<i64> {
    let database = Connection::open(place.path().join(Crud::FILE))?;
    Ok(database.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?)
}

#[test]
fn every_executor_leaves_the_same_rows() -> Fallible {
    for (workers, tasks, each) in [(3, 7, 1_001), (8, 40, 50), (40, 40, 1)] {
        for who in Who::everyone(workers, tasks) {
            let place = Place::new()?;
            let ran = run(&who, place.crud(each, tasks)?, &Clock::start())?;
            ran.assert_accounted(&who);
            assert!(ran.run().did_everything(), "{who:?}: {:?}", ran.task(0).error_message());
            assert!(ran.run().tasks().iter().all(|task| task.check == Check::Result));
            assert_eq!(place.names()?, [Crud::FILE], "{who:?}");
            assert_eq!(rows(&place)?, i64::from(each.div_ceil(2)) * i64::try_from(tasks)?, "{who:?}");
        }
    }
    Ok(())
}

#[test]
fn a_database_that_somebody_writes_to_is_waited_for() -> Fallible {
    for who in Who::everyone(4, 6) {
        let place = Place::new()?;
        let workload = place.crud(600, who.tasks)?;
        let mut other = Connection::open(working(&*workload)?.join(Crud::FILE))?;
        let lock = other.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut running = start(&who, workload, &Clock::start());
        // On an event loop too, all that are in progress wait at once.
        running
            .wait_for(who.workers, |fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Locked, .. }))?;
        lock.rollback()?;
        drop(other);
        let ran = running.finish()?;
        ran.assert_accounted(&who);
        assert!(ran.run().did_everything(), "{who:?}: {:?}", ran.task(0).error_message());
        for task in 0..who.workers {
            let phases = phases(&ran, task);
            assert_eq!(phases[..3], [Phase::Writing, Phase::Locked, Phase::Writing], "{who:?}");
        }
        assert_eq!(rows(&place)?, 300 * 6, "{who:?}");
    }
    Ok(())
}

#[test]
fn a_run_is_cancelled_while_it_waits_for_a_lock() -> Fallible {
    for who in Who::everyone(2, 5) {
        let place = Place::new()?;
        let workload = place.crud(10, who.tasks)?;
        let mut other = Connection::open(working(&*workload)?.join(Crud::FILE))?;
        let lock = other.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut running = start(&who, workload, &Clock::start());
        running
            .wait_for(who.workers, |fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Locked, .. }))?;
        running.cancel.cancel();
        let asked = Instant::now();
        let ran = running.finish()?;
        assert!(asked.elapsed() < SOON, "{who:?}: {:?}", asked.elapsed());
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled as usize, who.tasks, "{who:?}");
        drop(lock);
        drop(other);
        assert_eq!(place.names()?, [""; 0], "{who:?}");
    }
    Ok(())
}

#[test]
fn a_run_is_cancelled_in_the_middle_of_a_transaction() -> Fallible {
    for who in Who::everyone(2, 5) {
        let place = Place::new()?;
        let mut running = start(&who, place.crud(1_000_000, who.tasks)?, &Clock::start());
        running.wait_for(1, |fact| matches!(fact, Fact::PhaseEntered { phase: Phase::Writing, .. }))?;
        running.cancel.cancel();
        let asked = Instant::now();
        let ran = running.finish()?;
        assert!(asked.elapsed() < SOON, "{who:?}: {:?}", asked.elapsed());
        ran.assert_accounted(&who);
        assert_eq!(ran.run().counts().cancelled as usize, who.tasks, "{who:?}");
        assert_eq!(place.names()?, [""; 0], "{who:?}");
    }
    Ok(())
}

#[test]
fn a_file_that_came_to_be_where_the_database_goes_is_left_alone() -> Fallible {
    for who in Who::everyone(3, 5) {
        let place = Place::new()?;
        let workload = place.crud(10, who.tasks)?;
        for name in [Crud::FILE, "rows.sqlite-wal", "rows.sqlite.part"] {
            fs::write(place.path().join(name), "theirs")?;
        }
        let ran = run(&who, workload, &Clock::start())?;
        ran.assert_accounted(&who);
        assert!(ran.run().tasks().iter().all(|task| task.stage == Stage::Done), "{who:?}");
        let RunStatus::Ended { end: RunEnd::Failed { message }, .. } = ran.run().status() else {
            return Err(format!("{:?}", ran.run().status()).into());
        };
        assert!(message.contains("rows.sqlite can't be written"), "{message}");
        assert_eq!(place.names()?, [Crud::FILE, "rows.sqlite-wal", "rows.sqlite.part"]);
        for name in place.names()? {
            assert_eq!(fs::read(place.path().join(name))?, b"theirs");
        }
    }
    Ok(())
}
