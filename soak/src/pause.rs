//! A replica that stops for a while and comes back, as on a machine that sleeps. It is stopped in the
//! middle of a transaction that holds locks, if it can be caught in one.

use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::servers::Servers;
use crate::service::Service;

/// How long the replica is stopped and let go again until it holds locks.
const TRIES_TIME_MAX: Duration = Duration::from_secs(6);

/// How long a stopped replica is watched before its transactions are told from those that go on, at
/// first, and to be sure: on a busy machine another one may stand still for a moment.
const WATCHED_FOR: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(900)];

/// How long it runs between two tries.
const RUN_FOR: Duration = Duration::from_millis(15);

/// Whose turn it is to be paused, and when.
pub struct Pause<'s> {
    pub index: usize,
    /// When it stops.
    pub at: Instant,
    /// For how long.
    pub length: Duration,
    /// Where its transactions are seen.
    pub service: &'s Service,
    /// Since when it is stopped, and whether it has been.
    since: Option<Instant>,
    is_over: bool,
}

impl<'s> Pause<'s> {
    /// A pause that is to come.
    pub fn new(index: usize, at: Instant, length: Duration, service: &'s Service) -> Self {
        Self {
            index,
            at,
            length,
            service,
            since: None,
            is_over: false,
        }
    }

    /// Stops the replica or lets it go on if it is time to; at the end of the round in any case.
    pub async fn tend(
        &mut self,
        servers: &mut Servers,
        ledger: &Ledger,
        is_end: bool,
    ) -> anyhow::Result<()> {
        if let Some(since) = self.since {
            if is_end || since.elapsed() >= self.length {
                self.go_on(servers, ledger, since)?;
            }
        } else if !self.is_over && !is_end && Instant::now() >= self.at {
            self.stop(servers, ledger).await?;
        }
        Ok(())
    }

    async fn stop(&mut self, servers: &mut Servers, ledger: &Ledger) -> anyhow::Result<()> {
        let mut holds_locks = false;
        let began = Instant::now();
        while began.elapsed() < TRIES_TIME_MAX {
            // One that ended by itself cannot be stopped.
            servers.tend()?;
            servers.pause(self.index)?;
            let mut watched = Duration::ZERO;
            for watched_for in WATCHED_FOR {
                tokio::time::sleep(watched_for).await;
                watched += watched_for;
                holds_locks = self.holds_locks(watched).await;
                if !holds_locks {
                    break;
                }
            }
            if holds_locks {
                break;
            }
            servers.resume(self.index)?;
            tokio::time::sleep(RUN_FOR).await;
        }
        if !holds_locks {
            servers.tend()?;
            servers.pause(self.index)?;
        }
        self.since = Some(Instant::now());
        let mut state = ledger.open();
        state.paused = Some(self.index);
        state.faults.pauses_with_locks += u64::from(holds_locks);
        Ok(())
    }

    /// Whether a transaction has stood still for as long as the replica has, and locks rows. While
    /// PostgreSQL is away there is none.
    async fn holds_locks(&self, watched: Duration) -> bool {
        let Ok(mut connection) = self.service.connect().await else {
            return false;
        };
        let still = sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity a where a.state = 'idle in transaction' \
             and clock_timestamp() - a.state_change > make_interval(secs => $1) and exists \
             (select 1 from pg_locks l where l.pid = a.pid and l.mode = 'RowShareLock' and l.granted)",
        )
        .bind(watched.as_secs_f64())
        .fetch_one(&mut connection)
        .await;
        still.is_ok_and(|count| count > 0)
    }

    fn go_on(&mut self, servers: &Servers, ledger: &Ledger, since: Instant) -> anyhow::Result<()> {
        servers.resume(self.index)?;
        self.since = None;
        self.is_over = true;
        let mut state = ledger.open();
        state.paused = None;
        state.resumed = Some(Instant::now());
        state.faults.pauses += 1;
        state.faults.pause_longest = state.faults.pause_longest.max(since.elapsed());
        Ok(())
    }
}
