//! The connections to PostgreSQL. Whoever needs one takes what is free; if none is, one is opened, by one
//! task for everybody who waits: whoever waits is given what comes free first, the new one or another's.
//! So a user of few connections is served with those that there are, and PostgreSQL meets one attempt at
//! a time, less and less often while it takes none.

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

/// Longest wait for a free connection.
pub(crate) const TAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait until a connection on which something was given up is at rest again.
const REST_TIME_MAX: Duration = Duration::from_secs(10);

/// Shortest and longest pause after a connection could not be opened; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that nobody needed for so long is closed: its place may be wanted elsewhere.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// After so long a connection is replaced, as what PostgreSQL keeps for it only grows.
const LIFE_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The connections of this process. Cloning it shares them.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Home>);

/// Where the connections are at home.
struct Home {
    sessions: Sessions,
    count_max: u32,
    /// A permit for each connection that is free.
    free: Semaphore,
    /// A permit for each connection that may still be opened.
    room: Arc<Semaphore>,
    state: Mutex<State>,
    /// Told when no connection is open and none can be opened.
    out_of_reach: Notify,
}

#[derive(Default)]
struct State {
    /// Those that are free, the last used one last.
    free: Vec<Free>,
    /// How many wait for one.
    waiting: usize,
    is_opening: bool,
    is_closed: bool,
    /// How it failed last, if it did.
    failing: Option<Failing>,
}

struct Free {
    open: Open,
    since: Instant,
}

/// A connection, which takes its room as long as it is open.
struct Open {
    connection: PgConnection,
    opened_at: Instant,
    room: OwnedSemaphorePermit,
}

struct Failing {
    cause: Cause,
    pause: Duration,
    /// Before it nobody tries again.
    until: Instant,
}

impl Connections {
    /// No connection is open yet; there will be at most `count_max`.
    pub(crate) fn new(sessions: Sessions, count_max: u32) -> Self {
        Self(Arc::new(Home {
            sessions,
            count_max,
            free: Semaphore::new(0),
            room: Arc::new(Semaphore::new(count_max as usize)),
            state: Mutex::default(),
            out_of_reach: Notify::new(),
        }))
    }

    /// Takes a connection, waiting for one if need be.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if none came free in [`TAKE_TIME_MAX`], or if none is open and none can be.
    pub(crate) async fn take(&self) -> Result<Lease> {
        let home = &self.0;
        let taken = timeout(TAKE_TIME_MAX, home.take()).await;
        let open = taken.unwrap_or_else(|_| Err(home.why_none()))?;
        Ok(Lease {
            open: Some(open),
            home: Arc::clone(home),
            under_way: UnderWay::Nothing,
            is_lost: false,
        })
    }

    /// How many are open, whether free or not.
    pub(crate) fn count(&self) -> u32 {
        self.0.count()
    }

    /// How their sessions are begun.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Closes every connection. What is under way is finished first.
    pub(crate) async fn close(&self) {
        let home = &self.0;
        home.free.close();
        let free = {
            let mut state = home.lock();
            state.is_closed = true;
            std::mem::take(&mut state.free)
        };
        for Free { open, .. } in free {
            // It is at rest: nothing is lost with it.
            let _ = open.connection.close().await;
        }
        // It fails only if it was closed, which nobody does.
        let _ = home.room.acquire_many(home.count_max).await;
    }
}

impl Home {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) -> u32 {
        let room = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        self.count_max.saturating_sub(room)
    }

    async fn take(self: &Arc<Self>) -> Result<Open> {
        loop {
            if let Ok(permit) = self.free.try_acquire() {
                permit.forget();
            } else {
                let out_of_reach = self.out_of_reach.notified();
                let _waiting = Waiting::begin(self);
                tokio::select! {
                    permit = self.free.acquire() => match permit {
                        Ok(permit) => permit.forget(),
                        Err(_) => return Err(self.why_none()),
                    },
                    () = out_of_reach => return Err(self.why_none()),
                }
            }
            // There is one for each permit, unless they were closed in between.
            let free = self.lock().free.pop();
            // Whoever began to wait in between took this one for theirs.
            self.open_if_wanted();
            if let Some(free) = free {
                return Ok(free.open);
            }
        }
    }

    /// Why nobody is given a connection.
    fn why_none(&self) -> Error {
        let state = self.lock();
        Error::Unavailable(match &state.failing {
            _ if state.is_closed => Cause::new("the connections to the database are closed"),
            Some(failing) => failing.cause.clone(),
            None => Cause::new(format!(
                "all {} connections to PostgreSQL were in use for {} s; if that goes on, give this server more with --database-connections",
                self.count_max,
                TAKE_TIME_MAX.as_secs()
            )),
        })
    }

    /// Opens a connection if somebody waits for one, there is room, and nobody opens one already.
    fn open_if_wanted(self: &Arc<Self>) {
        let room = self.next_room(&mut self.lock());
        if let Some(room) = room {
            tokio::spawn(Arc::clone(self).open_while_wanted(room));
        }
    }

    /// Room for one more connection, if one is wanted and nobody else opens one.
    fn next_room(&self, state: &mut State) -> Option<OwnedSemaphorePermit> {
        if state.is_opening || state.is_closed || state.waiting <= state.free.len() {
            return None;
        }
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        state.is_opening = true;
        Some(room)
    }

    async fn open_while_wanted(self: Arc<Self>, mut room: OwnedSemaphorePermit) {
        loop {
            let until = self.lock().failing.as_ref().map(|failing| failing.until);
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
                    if self.lock().failing.take().is_some() {
                        tracing::info!("PostgreSQL takes connections again");
                    }
                    self.give(Open {
                        connection,
                        opened_at: Instant::now(),
                        room,
                    });
                    let mut state = self.lock();
                    state.is_opening = false;
                    match self.next_room(&mut state) {
                        Some(next) => room = next,
                        None => return,
                    }
                }
                Err(refused) => self.note_failure(refused),
            }
        }
    }

    /// Notes that no connection could be opened; it is logged once until one can. Whoever waits goes on
    /// waiting if another one may come free or the fault may be over in moments.
    fn note_failure(&self, refused: NoSession) {
        // The one that was to be opened is counted.
        let others = self.count() - 1;
        let mut state = self.lock();
        let before = state.failing.take();
        if before.as_ref().map(|failing| &failing.cause) != Some(&refused.cause) {
            tracing::warn!(cause = %refused.cause, open = others,
                "no further connection to PostgreSQL can be opened");
        }
        let pause = before.map_or(PAUSE_MIN, |failing| (failing.pause * 2).min(PAUSE_MAX));
        state.failing = Some(Failing {
            cause: refused.cause,
            pause,
            until: Instant::now() + pause,
        });
        drop(state);
        if !refused.is_brief && others == 0 {
            self.out_of_reach.notify_waiters();
        }
    }

    /// Gives a connection that is at rest to whoever waits longest, or keeps it.
    fn give(self: &Arc<Self>, open: Open) {
        let mut state = self.lock();
        if state.is_closed || open.opened_at.elapsed() > LIFE_TIME_MAX {
            drop(state);
            return self.retire(open);
        }
        let since = Instant::now();
        state.free.push(Free { open, since });
        self.free.add_permits(1);
        let is_stale = |free: &Free| free.since.elapsed() > IDLE_TIME_MAX;
        if state.free.first().is_some_and(is_stale)
            && let Ok(permit) = self.free.try_acquire()
        {
            permit.forget();
            let stale = state.free.remove(0);
            drop(state);
            self.retire(stale.open);
        }
    }

    /// Closes a connection that is at rest, and opens another one if one is wanted.
    fn retire(self: &Arc<Self>, open: Open) {
        let home = Arc::clone(self);
        tokio::spawn(async move {
            let _ = timeout(REST_TIME_MAX, open.connection.close()).await;
            drop(open.room);
            home.open_if_wanted();
        });
    }

    /// Takes back a connection on which something is under way: it is given up first.
    fn bring_to_rest(self: &Arc<Self>, mut open: Open, under_way: UnderWay) {
        let home = Arc::clone(self);
        tokio::spawn(async move {
            let connection = &mut open.connection;
            let at_rest = timeout(REST_TIME_MAX, async {
                match under_way {
                    UnderWay::Transaction => connection.execute("rollback").await.map(drop),
                    UnderWay::Statement | UnderWay::Nothing => connection.ping().await,
                }
            });
            match at_rest.await {
                Ok(Ok(())) => home.give(open),
                _ => home.abandon(open),
            }
        });
    }

    /// Drops a connection that is lost.
    fn abandon(self: &Arc<Self>, open: Open) {
        drop(open);
        self.open_if_wanted();
    }
}

/// Somebody who waits for a connection, until it is dropped.
struct Waiting<'h>(&'h Home);

impl<'h> Waiting<'h> {
    fn begin(home: &'h Arc<Home>) -> Self {
        home.lock().waiting += 1;
        home.open_if_wanted();
        Self(home)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

/// What is under way on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    /// A statement that was not answered, or that failed, outside any transaction.
    Statement,
    Transaction,
}

/// A connection that somebody has. Dropped, it goes home: at once if nothing is under way on it, else
/// once that was given up; a lost one is closed.
pub(crate) struct Lease {
    open: Option<Open>,
    home: Arc<Home>,
    under_way: UnderWay,
    is_lost: bool,
}

impl Lease {
    /// Begins a transaction by a statement of its own.
    pub(crate) async fn begin(&mut self, statement: &'static str) -> sqlx::Result<()> {
        // Whoever stops waiting for the answer leaves open whether it has begun.
        self.is_lost = true;
        (**self).execute(statement).await?;
        self.is_lost = false;
        self.under_way = UnderWay::Transaction;
        Ok(())
    }

    /// Commits the transaction.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let committed = (*self).execute("commit").await;
        if committed.is_ok() {
            self.under_way = UnderWay::Nothing;
        }
        self.noted(committed).map(drop)
    }

    /// Runs a statement and reads its rows.
    pub(crate) async fn fetch_all(
        &mut self,
        sql: AssertSqlSafe<String>,
        arguments: PgArguments,
    ) -> sqlx::Result<Vec<PgRow>> {
        self.run();
        let query = sqlx::query_with(sql, arguments);
        let fetched = (**self).fetch_all(query).await;
        self.noted(fetched)
    }

    /// Runs a statement and tells how many rows it wrote.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        arguments: PgArguments,
    ) -> sqlx::Result<u64> {
        self.run();
        let query = sqlx::query_with(sql, arguments);
        let done = (**self).execute(query).await;
        self.noted(done.map(|done| done.rows_affected()))
    }

    /// Notes that a statement is sent.
    fn run(&mut self) {
        if self.under_way == UnderWay::Nothing {
            self.under_way = UnderWay::Statement;
        }
    }

    /// Notes what an answer tells of the connection.
    fn noted<T>(&mut self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        match &answer {
            Ok(_) if self.under_way == UnderWay::Statement => self.under_way = UnderWay::Nothing,
            Ok(_) => {}
            Err(error) => self.is_lost |= Fault::of(error) == Fault::Lost,
        }
        answer
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

/// Why a lease has a connection.
const HELD: &str = "a lease has its connection until it is dropped";

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if self.is_lost {
            self.home.abandon(open);
        } else if self.under_way == UnderWay::Nothing {
            self.home.give(open);
        } else {
            self.home.bring_to_rest(open, self.under_way);
        }
    }
}
