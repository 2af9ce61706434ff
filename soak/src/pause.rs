//! A replica that stops for a while and comes back, as on a machine that sleeps. It is stopped in the
//! middle of a transaction that holds locks, if it can be caught in one.

use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::servers::Servers;
use crate::service::Service;

/// How long the soak pauses and resumes the replica in search of a moment at which it holds locks.
const TRIES_TIME_MAX: Duration = Duration::from_secs(6);

/// How long a transaction must be idle to count as one of the paused replica: at first, and then to be
/// sure. On a busy machine, a transaction of another replica may be idle for a moment.
const WATCHED_FOR: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(900)];

/// How long it runs between two tries.
const RUN_FOR: Duration = Duration::from_millis(15);

/// The replica to pause, and when.
pub struct Pause<'s> {
    pub index: usize,
    /// When it stops.
    pub at: Instant,
    /// For how long.
    pub length: Duration,
    /// The PostgreSQL in which its transactions are visible.
    pub service: &'s Service,
    /// The time since which the replica is stopped, and whether it was stopped before.
    since: Option<Instant>,
    is_over: bool,
}

impl<'s> Pause<'s> {
    /// Returns a pause that begins at `at`.
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

    /// Pauses or resumes the replica if it is time for that. At the end of the round it resumes it
    /// in any case.
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
            // A replica that ended by itself cannot be paused.
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

    /// Returns whether a transaction that locks rows has been idle for as long as the replica is
    /// stopped. Returns `false` while PostgreSQL is down.
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
