//! A pool of database connections, here of SQLite through blocking jobs.
//!
//! Use it for anything costly to open and not to be shared. A blocking driver on the blocking pool
//! runs on every backend and needs no `[patch]`; drivers that ask for Tokio (sqlx, tokio-postgres)
//! need it, or the Tokio backend.
//! What guides miss: waiting for a connection needs a time limit; a connection whose job panicked
//! must not go back; the limit must hold while a job runs, even if its caller has gone.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use anyrt::sync::Semaphore;
use anyrt::task::{JoinSet, spawn_blocking};
use anyrt::time::{Duration, timeout};
use rusqlite::{Connection, TransactionBehavior, params};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = Pool::new(folder.path().join("bank.db"), 4);
    pool.run(|db| {
        db.execute_batch(
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
             INSERT INTO account VALUES (1, 1000), (2, 0);",
        )
    })
    .await??;

    // ANCHOR: use
    let mut transfers = JoinSet::new();
    for _ in 0..40 {
        let pool = pool.clone();
        transfers.spawn(async move { pool.run(|db| transfer(db, 1, 2, 10)).await });
    }
    while let Some(done) = transfers.join_next().await {
        done???;
    }
    let balances = pool.run(|db| read_balances(db)).await??;
    assert_eq!(balances, [600, 400]);
    // ANCHOR_END: use

    // The database enforces the rule: the transaction is rolled back.
    assert!(pool.run(|db| transfer(db, 1, 2, 601)).await?.is_err());
    // A panic in the middle of a transaction: the connection is closed, which rolls back, and is
    // not used again.
    let panicked = pool.run(|db| -> rusqlite::Result<()> {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute("UPDATE account SET balance = 0", [])?;
        panic!("a bug");
    });
    assert!(panicked.await.is_err());
    assert_eq!(pool.run(|db| read_balances(db)).await??, [600, 400]);
    assert_eq!(pool.slots.available_permits(), 4);
    println!("connection_pool: 40 transfers over at most 4 connections, balances {balances:?}");
    Ok(())
}

fn transfer(db: &mut Connection, from: u32, to: u32, amount: i64) -> rusqlite::Result<()> {
    // `Immediate` takes the write lock now. The default takes it at the first write, where two that
    // have read both fail.
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute(
        "UPDATE account SET balance = balance - ? WHERE id = ?",
        params![amount, from],
    )?;
    change.execute(
        "UPDATE account SET balance = balance + ? WHERE id = ?",
        params![amount, to],
    )?;
    change.commit()
}

fn read_balances(db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut query = db.prepare_cached("SELECT balance FROM account ORDER BY id")?;
    query.query_map([], |row| row.get(0))?.collect()
}

// ANCHOR: pool
#[derive(Clone)]
struct Pool {
    path: PathBuf,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Pool {
    const PATIENCE: Duration = Duration::from_secs(30);

    fn new(path: PathBuf, connections: usize) -> Self {
        Self {
            path,
            slots: Arc::new(Semaphore::new(connections)),
            idle: Arc::default(),
        }
    }

    /// Runs `job` with a connection, on the blocking pool.
    ///
    /// # Errors
    /// Fails if no connection is free in time, if none can be opened, or if `job` panics.
    ///
    /// # Cancel safety
    /// If the future is dropped before it has a connection, `job` does not run; after that it runs
    /// to its end.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let slot = timeout(Self::PATIENCE, Arc::clone(&self.slots).acquire_owned())
            .await
            .context("no connection became free")??;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        spawn_blocking(move || {
            // Held here, not in the caller, so that the slot is taken for as long as the job runs.
            let _slot = slot;
            let waiting = idle.lock().expect("no holder panics").pop();
            let mut connection = match waiting {
                Some(connection) => connection,
                None => open(&path)?,
            };
            let result = job(&mut connection);
            // A job that panics does not get here, and unwinding closes its connection.
            idle.lock().expect("no holder panics").push(connection);
            anyhow::Ok(result)
        })
        .await
        .context("the job panicked")?
    }
}

fn open(path: &PathBuf) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    // Readers go on while one writes; writers wait for each other instead of failing.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok(connection)
}
// ANCHOR_END: pool
