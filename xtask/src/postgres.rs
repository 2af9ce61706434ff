//! A PostgreSQL server for the tests: one that the caller names, or a private one.

use anyhow::Context;
pub use ctxpin_cluster::Cluster;
use ctxpin_cluster::install;

use crate::interrupt::Interrupt;

/// The variable that tells the tests which PostgreSQL server to use. Tests create databases of
/// their own on it.
pub const VARIABLE: &str = "CTXPIN_TEST_POSTGRES";

/// The server that the tests shall use. Dropping it stops a private one and removes its files.
pub enum Server {
    /// The caller's own, from [`VARIABLE`].
    Given(String),
    Private(Cluster),
}

impl Server {
    /// Takes the server that [`VARIABLE`] names. Otherwise starts a private one, and installs
    /// PostgreSQL if it is missing and that is possible.
    pub fn find_or_start() -> anyhow::Result<Self> {
        if let Ok(url) = std::env::var(VARIABLE)
            && !url.is_empty()
        {
            return Ok(Self::Given(url));
        }
        let programs = install::programs().with_context(|| {
            format!(
                "no PostgreSQL for the tests; install it, or name a server on which the tests may create \
                 databases: export {VARIABLE}=postgres://USER:PASSWORD@HOST/postgres"
            )
        })?;
        Ok(Self::Private(Cluster::start(&programs)?))
    }

    /// Returns the URL for [`VARIABLE`].
    pub fn url(&self) -> &str {
        match self {
            Self::Given(url) => url,
            Self::Private(cluster) => cluster.url(),
        }
    }

    /// Returns a description for people.
    pub fn description(&self) -> String {
        match self {
            // Not its URL, which may hold a password.
            Self::Given(_) => format!("the server that {VARIABLE} names"),
            Self::Private(cluster) => cluster.description(),
        }
    }
}

/// Runs `cargo xtask postgres`: starts a private server, prints the line with which a shell selects
/// it, and stops it when a signal comes.
pub fn serve_until_interrupted() -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
    let cluster = Cluster::start(&install::programs()?)?;
    eprintln!("{}; Ctrl-C stops it", cluster.description());
    println!("export {VARIABLE}='{}'", cluster.url());
    interrupt.wait();
    eprintln!("stopping");
    cluster.stop()
}

/// Starts a private server with further lines of configuration. It keeps acknowledged writes when
/// it is killed, for tasks that kill or measure it.
pub fn start_durable(settings: &str) -> anyhow::Result<Cluster> {
    Cluster::start_durable(&install::programs()?, settings)
}
