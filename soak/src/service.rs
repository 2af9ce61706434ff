//! PostgreSQL as a service has it: a primary, a standby that confirms each commit, and one address for
//! both. When the primary fails, the standby takes its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ctxpin_cluster::{Address, Cluster, install};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

use crate::servers::LOOK_INTERVAL;
use crate::sql::safe;

/// Longest wait until a new standby has caught up with its primary.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// The service of a run.
pub struct Service {
    url: String,
    pair: Arc<Mutex<Pair>>,
}

struct Pair {
    address: Address,
    primary: Cluster,
    standby: Option<Cluster>,
}

/// The fate of a replaced primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It is gone.
    Gone,
    /// It continues as a standby, and answers whoever still connects to it.
    Demoted,
}

impl Service {
    /// Starts a service of two clusters that sync to disk.
    pub async fn start() -> anyhow::Result<Self> {
        let pair = tokio::task::spawn_blocking(|| {
            let primary = Cluster::start_durable_primary(&install::programs()?)?;
            anyhow::Ok(Pair {
                address: Address::of(&primary)?,
                standby: Some(primary.start_standby()?),
                primary,
            })
        });
        let pair = pair.await??;
        let service = Self {
            url: pair.address.url().to_owned(),
            pair: Arc::new(Mutex::new(pair)),
        };
        service.rely_on_standby().await?;
        Ok(service)
    }

    /// Returns the URL of the `postgres` database for the superuser. It stays the same after a
    /// failover.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens a connection to the primary.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        let connection = PgConnection::connect(&self.url).await;
        connection.context("connecting to PostgreSQL")
    }

    /// Returns the metadata of the primary's files, which name their owner.
    pub async fn owner(&self) -> anyhow::Result<std::fs::Metadata> {
        let pair = self.pair.lock().await;
        Ok(std::fs::metadata(pair.primary.directory())?)
    }

    /// Stops the primary as a loss of power would, and starts it again after `away`.
    pub async fn stop_for(&self, away: Duration) -> anyhow::Result<()> {
        self.work(|pair| pair.primary.crash()).await?;
        // The servers run without their database for this long.
        tokio::time::sleep(away).await;
        self.work(|pair| pair.primary.restart()).await
    }

    /// Promotes the standby, leads the address to it after `misled`, and starts a new standby. No
    /// acknowledged commit is lost, because the standby had confirmed it.
    pub async fn fail_over(&self, replaced: Replaced, misled: Duration) -> anyhow::Result<()> {
        self.work(move |pair| {
            let standby = pair.standby.take().context("there is no standby")?;
            match replaced {
                Replaced::Gone => pair.primary.crash()?,
                Replaced::Demoted => pair.primary.demote()?,
            }
            standby.promote()?;
            pair.standby = Some(std::mem::replace(&mut pair.primary, standby));
            Ok(())
        })
        .await?;
        tokio::time::sleep(misled).await;
        self.work(|pair| {
            pair.address.lead_to(&pair.primary)?;
            // This ends the old primary and its last connections.
            pair.standby = None;
            pair.standby = Some(pair.primary.start_standby()?);
            Ok(())
        })
        .await?;
        self.rely_on_standby().await
    }

    /// Stops the standby, and requires no more confirmations of it.
    pub async fn part(&self) -> anyhow::Result<()> {
        self.confirm_by("").await?;
        self.work(|pair| {
            pair.standby = None;
            Ok(())
        })
        .await
    }

    /// Requires that the standby confirms each commit, once the standby has caught up.
    async fn rely_on_standby(&self) -> anyhow::Result<()> {
        self.confirm_by("*").await?;
        let mut connection = self.connect().await?;
        let began = Instant::now();
        loop {
            let confirming: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_replication where sync_state = 'sync'",
            )
            .fetch_one(&mut connection)
            .await?;
            if confirming == 1 {
                return Ok(connection.close().await?);
            }
            ensure!(
                began.elapsed() < CATCH_UP_MAX,
                "the standby does not follow its primary"
            );
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn confirm_by(&self, standbys: &'static str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let names = format!("alter system set synchronous_standby_names = '{standbys}'");
        for sql in [&names, "select pg_reload_conf()"] {
            sqlx::raw_sql(safe(sql.to_owned()))
                .execute(&mut connection)
                .await?;
        }
        Ok(connection.close().await?)
    }

    /// Runs blocking work with the clusters on a thread for that.
    async fn work(
        &self,
        work: impl FnOnce(&mut Pair) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut pair = Arc::clone(&self.pair).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut pair)).await?
    }
}
