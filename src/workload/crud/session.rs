//! What a task does in the database, and how it waits for its turn.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::super::{Session, TaskContext, TaskFault, TaskFuture, TaskResult};
use super::RowWork;
use super::database::{Database, refusal};
use crate::chance::mix;
use crate::event::{Check, ErrorKind, Phase};
use crate::text;

/// Rows between two looks at whether to go on.
const ROWS_AT_ONCE: u32 = 500;

/// The first wait for a lock; each one after it is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// How long a task waits for one lock before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One worker's way into the database.
#[derive(Debug)]
pub(super) struct RowSession {
    /// Opened by the first task, which is where it shows. Closed before the database may be cleared away.
    connection: Option<Connection>,
    database: Arc<Database>,
    work: RowWork,
    seed: u64,
}

impl RowSession {
    pub(super) fn new(database: Arc<Database>, work: RowWork, seed: u64) -> RowSession {
        RowSession { connection: None, database, work, seed }
    }
}

/// Why a transaction was not committed. None of it happened.
enum Trouble {
    /// Somebody else has the lock.
    Busy,
    /// It makes no sense to try again.
    Fault(TaskFault),
}

impl From<TaskFault> for Trouble {
    fn from(fault: TaskFault) -> Trouble {
        Trouble::Fault(fault)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        match error.sqlite_error_code() {
            // The last is what SQLite says when it lost a race for the WAL's index again and again.
            Some(
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
            ) => Trouble::Busy,
            _ => Trouble::Fault(refusal(&error).into()),
        }
    }
}

impl Session for RowSession {
    fn perform<'a>(&'a mut self, context: &'a TaskContext) -> TaskFuture<'a> {
        Box::pin(async move {
            let batch = Batch { task: context.task().0, work: self.work, seed: self.seed };
            self.write(context, |tx| batch.insert(tx, context)).await?;
            self.read(context, |tx| batch.verify(tx, context, Stage::Inserted)).await?;
            self.write(context, |tx| batch.update(tx, context)).await?;
            self.read(context, |tx| batch.verify(tx, context, Stage::Updated)).await?;
            // Checked before it is committed: no task is done in the database and not on the screen.
            let last = |tx: &Transaction<'_>| {
                batch.delete(tx, context)?;
                batch.verify(tx, context, Stage::Halved)
            };
            self.write(context, last).await?;
            self.database.task_finished();
            let count = |rows| text::count(u64::from(rows));
            let (rows, deleted) = (count(self.work.rows), count(self.work.rows - self.work.kept()));
            let result = Some(format!("{rows} rows inserted, read and updated; {deleted} deleted"));
            Ok(TaskResult { bytes: 0, check: Check::Result, result })
        })
    }
}

impl RowSession {
    async fn write(
        &mut self,
        context: &TaskContext,
        steps: impl Fn(&Transaction<'_>) -> Result<(), Trouble> + Send,
    ) -> Result<(), TaskFault> {
        self.transact(context, Phase::Writing, TransactionBehavior::Immediate, steps).await
    }

    async fn read(
        &mut self,
        context: &TaskContext,
        steps: impl Fn(&Transaction<'_>) -> Result<(), Trouble> + Send,
    ) -> Result<(), TaskFault> {
        self.transact(context, Phase::Waiting, TransactionBehavior::Deferred, steps).await
    }

    /// Does `steps` in one transaction, and as often as it takes: one that meets a lock is rolled back and
    /// done again.
    async fn transact(
        &mut self,
        context: &TaskContext,
        phase: Phase,
        behavior: TransactionBehavior,
        steps: impl Fn(&Transaction<'_>) -> Result<(), Trouble> + Send,
    ) -> Result<(), TaskFault> {
        context.enter(phase);
        let mut locked: Option<Instant> = None;
        let mut wait = FIRST_WAIT;
        loop {
            context.checkpoint()?;
            let begun = || {
                if locked.is_some() {
                    context.enter(phase);
                }
            };
            let entered_again = match self.attempt(context, behavior, &steps, begun) {
                Ok(()) => return Ok(()),
                Err((Trouble::Fault(fault), _)) => return Err(fault),
                Err((Trouble::Busy, Got::Lock)) => true,
                Err((Trouble::Busy, Got::Nothing)) => false,
            };
            if locked.is_none() || entered_again {
                context.enter(Phase::Locked);
            }
            if locked.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                let words = format!("other tasks held the database's lock for {} s", PATIENCE.as_secs());
                return Err(TaskFault::failed(ErrorKind::Database, words));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn attempt(
        &mut self,
        context: &TaskContext,
        behavior: TransactionBehavior,
        steps: impl Fn(&Transaction<'_>) -> Result<(), Trouble>,
        begun: impl FnOnce(),
    ) -> Result<(), (Trouble, Got)> {
        let nothing = |error: rusqlite::Error| (Trouble::from(error), Got::Nothing);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(context.blocking(|| self.database.connect()).map_err(nothing)?),
        };
        let transaction =
            context.blocking(|| connection.transaction_with_behavior(behavior)).map_err(nothing)?;
        begun();
        let done = steps(&transaction);
        done.and_then(|()| Ok(context.blocking(|| transaction.commit())?))
            .map_err(|trouble| (trouble, Got::Lock))
    }
}

/// How far an attempt came.
enum Got {
    /// It found the database locked.
    Nothing,
    /// It began its transaction.
    Lock,
}

/// How far a task is with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Inserted,
    Updated,
    Halved,
}

/// The rows of one task.
struct Batch {
    task: u32,
    work: RowWork,
    seed: u64,
}

impl Batch {
    fn amount(&self, number: u32) -> i64 {
        let bits = mix(mix(self.seed) ^ (u64::from(self.task) << 32 | u64::from(number)));
        i64::from((bits >> 44) as u32)
    }

    fn note(&self, number: u32) -> String {
        format!("row {number} of task {}", self.task)
    }

    /// The numbers of the rows, some at a time.
    fn numbers(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let rows = self.work.rows;
        (0..rows).step_by(ROWS_AT_ONCE as usize).map(move |from| from..(from + ROWS_AT_ONCE).min(rows))
    }

    fn insert(&self, tx: &Transaction<'_>, context: &TaskContext) -> Result<(), Trouble> {
        let mut insert = context.blocking(|| tx.prepare("INSERT INTO items VALUES (?1, ?2, ?3, ?4)"))?;
        for mut numbers in self.numbers() {
            context.checkpoint()?;
            context.blocking(|| {
                numbers.try_for_each(|number| {
                    let row = params![self.task, number, self.amount(number), self.note(number)];
                    insert.execute(row).map(drop)
                })
            })?;
        }
        context.blocking(|| {
            let batch = params![self.task, self.work.rows];
            tx.execute("INSERT INTO batches VALUES (?1, ?2, FALSE)", batch).map(drop)
        })?;
        Ok(())
    }

    fn update(&self, tx: &Transaction<'_>, context: &TaskContext) -> Result<(), Trouble> {
        let change = "UPDATE items SET amount = amount + 1 WHERE task = ?1 AND number >= ?2 AND number < ?3";
        self.change(tx, context, change, self.work.rows)
    }

    fn delete(&self, tx: &Transaction<'_>, context: &TaskContext) -> Result<(), Trouble> {
        let change = "DELETE FROM items WHERE task = ?1 AND number >= ?2 AND number < ?3 AND number % 2 = 1";
        let kept = self.work.kept();
        self.change(tx, context, change, self.work.rows - kept)?;
        context.blocking(|| {
            let batch = params![self.task, kept];
            tx.execute("UPDATE batches SET rows = ?2, done = TRUE WHERE task = ?1", batch).map(drop)
        })?;
        Ok(())
    }

    /// Makes a change to rows, some at a time, and sees that it met as many as it must.
    fn change(
        &self,
        tx: &Transaction<'_>,
        context: &TaskContext,
        sql: &str,
        wanted: u32,
    ) -> Result<(), Trouble> {
        let mut change = context.blocking(|| tx.prepare(sql))?;
        let mut changed = 0;
        for numbers in self.numbers() {
            context.checkpoint()?;
            changed +=
                context.blocking(|| change.execute(params![self.task, numbers.start, numbers.end]))? as u64;
        }
        if changed != u64::from(wanted) {
            let (changed, wanted) = (text::count(changed), text::count(u64::from(wanted)));
            let words = format!("{changed} rows were changed, and {wanted} should have been");
            return Err(TaskFault::failed(ErrorKind::Wrong, words).into());
        }
        Ok(())
    }

    /// Reads the task's rows and holds each against what it must be by now.
    fn verify(&self, tx: &Transaction<'_>, context: &TaskContext, stage: Stage) -> Result<(), Trouble> {
        let mut read = context.blocking(|| {
            tx.prepare(
                "SELECT number, amount, note FROM items
                 WHERE task = ?1 AND number >= ?2 AND number < ?3 ORDER BY number",
            )
        })?;
        for numbers in self.numbers() {
            context.checkpoint()?;
            let (from, to) = (numbers.start, numbers.end);
            let found = context.blocking(|| {
                let rows = read.query_map(params![self.task, from, to], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
                rows.collect::<rusqlite::Result<Vec<(u32, i64, String)>>>()
            })?;
            let wanted = numbers.filter(|number| stage != Stage::Halved || number % 2 == 0).map(|number| {
                (number, self.amount(number) + i64::from(stage != Stage::Inserted), self.note(number))
            });
            if !found.into_iter().eq(wanted) {
                let words = format!("rows {from} to {} are not what they must be", to - 1);
                return Err(TaskFault::failed(ErrorKind::Wrong, words).into());
            }
        }
        Ok(())
    }
}
