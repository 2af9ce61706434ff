//! The faults of a round: servers are killed, connections to PostgreSQL are cut, and PostgreSQL
//! itself is stopped as by a loss of power and started again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::{Connection as _, PgConnection};

use super::servers::Servers;
use crate::postgres::Cluster;

/// Shortest and longest time from one kill to the next, in milliseconds.
const KILL_MILLIS: std::ops::Range<u64> = 300..1_200;

/// Shortest and longest time from one cut of all connections to the next, in milliseconds.
const CUT_MILLIS: std::ops::Range<u64> = 2_000..6_000;

/// Shortest and longest time that PostgreSQL is away, in milliseconds.
const OUTAGE_MILLIS: std::ops::Range<u64> = 200..1_500;

/// What was done to a PostgreSQL cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cuts {
    /// How often all connections were cut.
    pub cuts: u64,
    /// How often it was stopped and started.
    pub outages: u64,
}

/// Kills a server again and again until `deadline`, and starts each again at once.
pub async fn kill(servers: &mut Servers, seed: u64, deadline: Instant) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        pause(&mut random, KILL_MILLIS).await;
        if Instant::now() >= deadline {
            return Ok(());
        }
        servers.tend()?;
        let index = random.random_range(0..servers.count());
        servers.kill(index).await?;
    }
}

/// Cuts connections until `deadline`, and stops and starts the cluster once, half-way.
pub async fn trouble(
    cluster: Arc<Mutex<Cluster>>,
    seed: u64,
    deadline: Instant,
) -> anyhow::Result<Cuts> {
    let mut random = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    let half_way = began + (deadline - began) / 2;
    let mut done = Cuts::default();
    loop {
        pause(&mut random, CUT_MILLIS).await;
        let now = Instant::now();
        if done.outages == 0 && now >= half_way {
            done.outages += 1;
            let outage = Duration::from_millis(random.random_range(OUTAGE_MILLIS));
            of_cluster(&cluster, Cluster::crash).await?;
            // The servers run without their database for this long.
            tokio::time::sleep(outage).await;
            of_cluster(&cluster, Cluster::restart).await?;
        }
        if now >= deadline {
            return Ok(done);
        }
        let url = {
            let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            cluster.url().to_owned()
        };
        cut(&url).await.context("cutting the connections")?;
        done.cuts += 1;
    }
}

/// Does something with the cluster that takes its time, on a thread for that.
async fn of_cluster(
    cluster: &Arc<Mutex<Cluster>>,
    work: fn(&mut Cluster) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let cluster = Arc::clone(cluster);
    let work = move || work(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner));
    tokio::task::spawn_blocking(work).await?
}

/// Ends every other connection to the cluster.
async fn cut(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where pid <> pg_backend_pid() and backend_type = 'client backend'",
    )
    .execute(&mut connection)
    .await?;
    connection.close().await
}

async fn pause(random: &mut StdRng, millis: std::ops::Range<u64>) {
    let millis = random.random_range(millis);
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
