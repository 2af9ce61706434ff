//! The faults of a round that are brought about from outside: servers are killed, their clocks jump, connections to PostgreSQL are cut, PostgreSQL itself is stopped as by a loss of power and started
//! again, and its standby takes its place.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::Connection as _;

use crate::ledger::Ledger;
use crate::pause::Pause;
use crate::servers::Servers;
use crate::service::{Replaced, Service};
use crate::sql::safe;

/// Shortest and longest time from one kill to the next, in milliseconds: of the only server, which
/// has to serve in between, and of one replica of several.
const KILL_ONLY_MILLIS: std::ops::Range<u64> = 300..1_200;
const KILL_ONE_MILLIS: std::ops::Range<u64> = 150..750;

/// Shortest and longest time from one jump of a clock to the next, in milliseconds.
const JUMP_MILLIS: std::ops::Range<u64> = 500..2_500;

/// How far from the machine's time a clock jumps, in seconds.
const JUMP_SECONDS: std::ops::Range<i64> = -300..300;

/// Shortest and longest time from one cut of all connections to the next, in milliseconds.
const CUT_MILLIS: std::ops::Range<u64> = 2_000..6_000;

/// Shortest and longest time that PostgreSQL is away, in milliseconds.
const OUTAGE_MILLIS: std::ops::Range<u64> = 200..1_500;

/// The percentage of the cuts that end only the connections that listen.
const LISTENERS_PERCENT: u32 = 40;

/// Kills servers until `deadline`, and starts each again at once. It leaves a paused server alone, because a
/// paused server must resume.
pub async fn kill(
    servers: &mut Servers,
    ledger: &Ledger,
    seed: u64,
    deadline: Instant,
    mut pause: Option<Pause<'_>>,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut next_jump = Instant::now();
    let kill_millis = if servers.count() == 1 {
        KILL_ONLY_MILLIS
    } else {
        KILL_ONE_MILLIS
    };
    loop {
        sleep(&mut random, kill_millis.clone()).await;
        let now = Instant::now();
        if let Some(pause) = &mut pause {
            pause.tend(servers, ledger, now >= deadline).await?;
        }
        if now >= deadline {
            return Ok(());
        }
        if servers
            .clocks
            .as_ref()
            .is_some_and(|clocks| clocks.are_moved)
            && now >= next_jump
        {
            jump(servers, ledger, &mut random)?;
            next_jump = now + Duration::from_millis(random.random_range(JUMP_MILLIS));
        }
        servers.tend()?;
        let mut index = random.random_range(0..servers.count());
        if ledger.open().paused == Some(index) {
            index = (index + 1) % servers.count();
        }
        servers.kill(index).await?;
    }
}

fn jump(servers: &Servers, ledger: &Ledger, random: &mut StdRng) -> anyhow::Result<()> {
    let Some(clocks) = &servers.clocks else {
        return Ok(());
    };
    let index = random.random_range(0..servers.count());
    clocks.set(index, random.random_range(JUMP_SECONDS))?;
    ledger.open().faults.jumps += 1;
    Ok(())
}

/// Cuts connections until `deadline`. Stops and starts PostgreSQL after two fifths of the time, and
/// promotes its standby after three fifths.
pub async fn trouble(
    service: &Service,
    ledger: &Ledger,
    seed: u64,
    deadline: Instant,
) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    let length = deadline - began;
    let mut breaks = vec![
        (began + length * 3 / 5, Break::Failover),
        (began + length * 2 / 5, Break::Outage),
    ];
    loop {
        sleep(&mut random, CUT_MILLIS).await;
        let now = Instant::now();
        if let Some(due) = breaks.pop_if(|(at, _)| *at <= now) {
            let away = Duration::from_millis(random.random_range(OUTAGE_MILLIS));
            let replaced = match random.random() {
                true => Replaced::Gone,
                false => Replaced::Demoted,
            };
            // PostgreSQL loses its counts when it dies.
            count_deadlocks(service, ledger).await?;
            match due.1 {
                Break::Outage => {
                    service.stop_for(away).await?;
                    ledger.open().faults.outages += 1;
                }
                Break::Failover => {
                    service.fail_over(replaced, away).await?;
                    ledger.open().faults.failovers += 1;
                }
            }
        }
        if now >= deadline {
            return Ok(());
        }
        // A cut of all connections would release the locks of a paused replica.
        let is_paused = ledger.open().paused.is_some();
        let only_listeners = random.random_range(0..100) < LISTENERS_PERCENT || is_paused;
        cut(service, only_listeners).await?;
        let mut state = ledger.open();
        if only_listeners {
            state.faults.listener_cuts += 1;
        } else {
            state.faults.cuts += 1;
        }
    }
}

/// The faults of PostgreSQL as a whole.
enum Break {
    Outage,
    Failover,
}

/// Adds the deadlocks that PostgreSQL has counted since the last call to those of the run.
pub async fn count_deadlocks(service: &Service, ledger: &Ledger) -> anyhow::Result<()> {
    let mut connection = service.connect().await?;
    let counted: i64 = sqlx::query_scalar(
        "select deadlocks from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .context("counting the deadlocks")?;
    sqlx::query("select pg_stat_reset()")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    ledger.open().faults.deadlocks += counted;
    Ok(())
}

/// Ends every other connection to PostgreSQL, or only those that listen, which loses nothing but
/// notifications.
async fn cut(service: &Service, only_listeners: bool) -> anyhow::Result<()> {
    let mut connection = service.connect().await?;
    let only = if only_listeners {
        "and query ilike 'listen %'"
    } else {
        ""
    };
    let sql = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where pid <> pg_backend_pid() and backend_type = 'client backend' {only}"
    );
    sqlx::query(safe(sql))
        .execute(&mut connection)
        .await
        .context("cutting connections")?;
    Ok(connection.close().await?)
}

async fn sleep(random: &mut StdRng, millis: std::ops::Range<u64>) {
    let millis = random.random_range(millis);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
