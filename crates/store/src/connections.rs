//! A pool of connections to PostgreSQL. A caller takes a free connection. If none is free, a single task
//! opens new ones for all waiting callers, and each caller gets whichever becomes free first, a new one or a
//! returned one. So the pool stays small under a light load, and an unreachable PostgreSQL sees one attempt
//! at a time, with growing pauses.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{Error, Result};
use crate::fault::{Cause, Fault};
use crate::session::{NoSession, Sessions};

/// The longest wait for a free connection.
pub(crate) const TAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// The longest wait for a rollback, or for the response to a statement whose caller stopped waiting.
const CLEANUP_TIME_MAX: Duration = Duration::from_secs(10);

// The pause after a connection could not be opened, which doubles with each failure.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that was free for this long is closed, because another client may need its place.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// A connection of this age is replaced, because the memory of its PostgreSQL process only grows.
const LIFE_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The pool of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Pool>);

struct Pool {
    sessions: Sessions,
    count_max: u32,
    /// A permit for each free connection.
    free: Semaphore,
    /// A permit for each connection that may still be opened.
    slots: Arc<Semaphore>,
    state: Mutex<State>,
    /// Notified when no connection is open and none can be opened.
    unreachable: Notify,
}

#[derive(Default)]
struct State {
    /// The free connections, ordered by their last use.
    free: Vec<FreeConnection>,
    /// How many callers wait for a connection.
    waiting: usize,
    is_opening: bool,
    is_closed: bool,
    /// The last failure to open a connection, if no later attempt succeeded.
    failure: Option<OpenFailure>,
}

struct FreeConnection {
    open: Open,
    since: Instant,
}

/// An open connection with its permit.
struct Open {
    connection: PgConnection,
    opened_at: Instant,
    slot: OwnedSemaphorePermit,
}

struct OpenFailure {
    cause: Cause,
    pause: Duration,
    /// When the next attempt may begin.
    until: Instant,
}

impl Connections {
    /// Returns a pool of at most `count_max` connections. It opens none yet.
    pub(crate) fn new(sessions: Sessions, count_max: u32) -> Self {
        Self(Arc::new(Pool {
            sessions,
            count_max,
            free: Semaphore::new(0),
            slots: Arc::new(Semaphore::new(count_max as usize)),
            state: Mutex::default(),
            unreachable: Notify::new(),
        }))
    }

    /// Takes a connection, and waits for one if none is free.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unavailable`] if none becomes free within [`TAKE_TIME_MAX`], or if none is open and
    /// none can be opened.
    pub(crate) async fn take(&self) -> Result<Lease> {
        let pool = &self.0;
        let taken = timeout(TAKE_TIME_MAX, pool.take()).await;
        let open = taken.unwrap_or_else(|_| Err(pool.unavailable()))?;
        Ok(Lease {
            open: Some(open),
            pool: Arc::clone(pool),
            in_progress: InProgress::Nothing,
            is_lost: false,
        })
    }

    /// Returns how many connections are open, free or in use.
    pub(crate) fn count(&self) -> u32 {
        self.0.count()
    }

    /// Returns the [`Sessions`] that begin new sessions.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Closes all connections, after the requests in progress have finished.
    pub(crate) async fn close(&self) {
        let pool = &self.0;
        pool.free.close();
        let free = {
            let mut state = pool.lock();
            state.is_closed = true;
            std::mem::take(&mut state.free)
        };
        for FreeConnection { open, .. } in free {
            // The connection is idle, so an error loses nothing.
            let _ = open.connection.close().await;
        }
        // This fails only if the semaphore was closed, and nothing closes it.
        let _ = pool.slots.acquire_many(pool.count_max).await;
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> u32 {
        let unused = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        self.count_max.saturating_sub(unused)
    }

    async fn take(self: &Arc<Self>) -> Result<Open> {
        loop {
            if let Ok(permit) = self.free.try_acquire() {
                permit.forget();
            } else {
                let unreachable = self.unreachable.notified();
                let _waiting = Waiting::begin(self);
                tokio::select! {
                    permit = self.free.acquire() => match permit {
                        Ok(permit) => permit.forget(),
                        Err(_) => return Err(self.unavailable()),
                    },
                    () = unreachable => return Err(self.unavailable()),
                }
            }
            // There is a free connection for each permit, unless the pool was closed in between.
            let free = self.lock().free.pop();
            // A caller who began to wait in between counted on this connection.
            self.open_if_wanted();
            if let Some(free) = free {
                return Ok(free.open);
            }
        }
    }

    /// Returns the error for a caller who gets no connection.
    fn unavailable(&self) -> Error {
        let state = self.lock();
        Error::Unavailable(match &state.failure {
            _ if state.is_closed => Cause::new("the connections to the database are closed"),
            Some(failure) => failure.cause.clone(),
            None => Cause::new(format!(
                "all {} connections to PostgreSQL were in use for {} s; if that goes on, raise --database-connections",
                self.count_max,
                TAKE_TIME_MAX.as_secs()
            )),
        })
    }

    /// Starts the task that opens connections, if a caller waits, the limit allows one more, and the task
    /// does not run already.
    fn open_if_wanted(self: &Arc<Self>) {
        let slot = self.next_slot(&mut self.lock());
        if let Some(slot) = slot {
            tokio::spawn(Arc::clone(self).open_while_wanted(slot));
        }
    }

    /// Returns a permit for one more connection, if one is wanted and the opening task does not run.
    fn next_slot(&self, state: &mut State) -> Option<OwnedSemaphorePermit> {
        if state.is_opening || state.is_closed || state.waiting <= state.free.len() {
            return None;
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        state.is_opening = true;
        Some(slot)
    }

    async fn open_while_wanted(self: Arc<Self>, mut slot: OwnedSemaphorePermit) {
        loop {
            let until = self.lock().failure.as_ref().map(|failure| failure.until);
            if let Some(until) = until {
                sleep_until(until).await;
            }
            {
                let mut state = self.lock();
                if state.is_closed || state.waiting <= state.free.len() {
                    state.is_opening = false;
                    return;
                }
            }
            match self.sessions.begin().await {
                Ok(connection) => {
                    if self.lock().failure.take().is_some() {
                        tracing::info!("PostgreSQL takes connections again");
                    }
                    self.put_back(Open {
                        connection,
                        opened_at: Instant::now(),
                        slot,
                    });
                    let mut state = self.lock();
                    state.is_opening = false;
                    match self.next_slot(&mut state) {
                        Some(next) => slot = next,
                        None => return,
                    }
                }
                Err(refused) => self.note_failure(refused),
            }
        }
    }

    /// Records that no connection could be opened, and logs each new cause once. Callers go on waiting if
    /// another connection may become free, or if the cause may pass within moments.
    fn note_failure(&self, refused: NoSession) {
        // The count includes the connection that could not be opened.
        let others = self.count() - 1;
        let mut state = self.lock();
        let before = state.failure.take();
        if before.as_ref().map(|failure| &failure.cause) != Some(&refused.cause) {
            tracing::warn!(cause = %refused.cause, open = others,
                "no further connection to PostgreSQL can be opened");
        }
        let pause = before.map_or(PAUSE_MIN, |failure| (failure.pause * 2).min(PAUSE_MAX));
        state.failure = Some(OpenFailure {
            cause: refused.cause,
            pause,
            until: Instant::now() + pause,
        });
        drop(state);
        if !refused.is_brief && others == 0 {
            self.unreachable.notify_waiters();
        }
    }

    /// Returns an idle connection to the pool, where the longest waiting caller gets it.
    fn put_back(self: &Arc<Self>, open: Open) {
        let mut state = self.lock();
        if state.is_closed || open.opened_at.elapsed() > LIFE_TIME_MAX {
            drop(state);
            return self.retire(open);
        }
        let since = Instant::now();
        state.free.push(FreeConnection { open, since });
        self.free.add_permits(1);
        let is_stale = |free: &FreeConnection| free.since.elapsed() > IDLE_TIME_MAX;
        if state.free.first().is_some_and(is_stale)
            && let Ok(permit) = self.free.try_acquire()
        {
            permit.forget();
            let stale = state.free.remove(0);
            drop(state);
            self.retire(stale.open);
        }
    }

    /// Closes an idle connection, and opens another one if a caller waits.
    fn retire(self: &Arc<Self>, open: Open) {
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let _ = timeout(CLEANUP_TIME_MAX, open.connection.close()).await;
            drop(open.slot);
            pool.open_if_wanted();
        });
    }

    /// Returns a connection to the pool after its transaction is rolled back or its statement has ended.
    fn roll_back(self: &Arc<Self>, mut open: Open, in_progress: InProgress) {
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let connection = &mut open.connection;
            let done = timeout(CLEANUP_TIME_MAX, async {
                match in_progress {
                    InProgress::Transaction => connection.execute("rollback").await.map(drop),
                    InProgress::Statement | InProgress::Nothing => connection.ping().await,
                }
            });
            match done.await {
                Ok(Ok(())) => pool.put_back(open),
                _ => pool.abandon(open),
            }
        });
    }

    /// Drops a lost connection, and opens another one if a caller waits.
    fn abandon(self: &Arc<Self>, open: Open) {
        drop(open);
        self.open_if_wanted();
    }
}

/// Counts a caller as waiting until it is dropped.
struct Waiting<'h>(&'h Pool);

impl<'h> Waiting<'h> {
    fn begin(pool: &'h Arc<Pool>) -> Self {
        pool.lock().waiting += 1;
        pool.open_if_wanted();
        Self(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

/// The current use of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InProgress {
    Nothing,
    /// A statement outside a transaction, which has no response yet or has failed.
    Statement,
    Transaction,
}

/// A connection on loan from the pool. When the lease is dropped, an idle connection returns at once,
/// another one after a rollback, and a lost one is closed.
pub(crate) struct Lease {
    open: Option<Open>,
    pool: Arc<Pool>,
    in_progress: InProgress,
    is_lost: bool,
}

impl Lease {
    /// Begins a transaction by executing `statement`.
    pub(crate) async fn begin(&mut self, statement: &'static str) -> sqlx::Result<()> {
        // If the caller stops waiting here, nobody knows whether the transaction has begun.
        self.is_lost = true;
        (**self).execute(statement).await?;
        self.is_lost = false;
        self.in_progress = InProgress::Transaction;
        Ok(())
    }

    /// Commits the transaction and returns the connection to the pool.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let committed = (*self).execute("commit").await;
        if committed.is_ok() {
            self.in_progress = InProgress::Nothing;
        }
        self.tracked(committed).map(drop)
    }

    /// Executes a statement and returns its rows.
    pub(crate) async fn fetch_all(
        &mut self,
        sql: AssertSqlSafe<String>,
        arguments: PgArguments,
    ) -> sqlx::Result<Vec<PgRow>> {
        self.run();
        let query = sqlx::query_with(sql, arguments);
        let fetched = (**self).fetch_all(query).await;
        self.tracked(fetched)
    }

    /// Executes a statement and returns how many rows it wrote.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        arguments: PgArguments,
    ) -> sqlx::Result<u64> {
        self.run();
        let query = sqlx::query_with(sql, arguments);
        let done = (**self).execute(query).await;
        self.tracked(done.map(|done| done.rows_affected()))
    }

    /// Records that a statement is sent.
    fn run(&mut self) {
        if self.in_progress == InProgress::Nothing {
            self.in_progress = InProgress::Statement;
        }
    }

    /// Records what a response says about the state of the connection.
    fn tracked<T>(&mut self, response: sqlx::Result<T>) -> sqlx::Result<T> {
        match &response {
            Ok(_) if self.in_progress == InProgress::Statement => {
                self.in_progress = InProgress::Nothing
            }
            Ok(_) => {}
            Err(error) => self.is_lost |= Fault::of(error) == Fault::Lost,
        }
        response
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.open.as_ref().expect(HELD).connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.open.as_mut().expect(HELD).connection
    }
}

/// The reason why a lease always holds a connection.
const HELD: &str = "a lease has its connection until it is dropped";

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if self.is_lost {
            self.pool.abandon(open);
        } else if self.in_progress == InProgress::Nothing {
            self.pool.put_back(open);
        } else {
            self.pool.roll_back(open, self.in_progress);
        }
    }
}
