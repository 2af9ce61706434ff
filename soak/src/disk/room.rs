//! How a disk is made small: a file system of its own in memory with a file that takes up room; or,
//! for SQLite where none may be mounted, a limit on the size of the server's files.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::servers::Servers;
use crate::service::Service;
use crate::sql::safe;
use ctxpin_cluster::command;

/// Size of the file system below SQLite, and of the file that takes up room on it until the test
/// makes room.
const SQLITE_BYTES: u64 = 10 << 20;
const SQLITE_BALLAST_BYTES: u64 = 3 << 20;

/// The same for PostgreSQL, whose new database has about 8 MiB.
const POSTGRES_BYTES: u64 = 26 << 20;
const POSTGRES_BALLAST_BYTES: u64 = 8 << 20;

/// The longest file of a server, where only that can be limited.
const FILE_BYTES_MAX: u64 = 6 << 20;

/// A small disk. Dropping it takes the file system away.
pub struct Room {
    kind: Kind,
    /// Where the file system is mounted, unless that is the server's own directory.
    _place: Option<TempDir>,
}

enum Kind {
    Mounted { path: PathBuf, ballast: PathBuf },
    Limited,
}

impl Room {
    /// Mounts a small disk for the data of a SQLite server.
    pub fn of_sqlite(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(path)?;
        let kind = if mount(path, SQLITE_BYTES).is_ok() {
            let ballast = path.join("ballast");
            let kind = Kind::Mounted {
                path: path.to_owned(),
                ballast: ballast.clone(),
            };
            std::fs::write(&ballast, vec![0; usize::try_from(SQLITE_BALLAST_BYTES)?])?;
            kind
        } else {
            Kind::Limited
        };
        Ok(Self { kind, _place: None })
    }

    /// Creates a new database in a tablespace on a small disk, so that PostgreSQL's own log has
    /// room. Returns it with its URL, or `None` if no file system can be mounted.
    pub async fn of_postgres(service: &Service) -> anyhow::Result<Option<(Self, String)>> {
        let owner = service.owner().await?;
        let place = tempfile::Builder::new()
            .prefix("ctxpin-soak-space-")
            .tempdir()?;
        let path = place.path().to_owned();
        if mount(&path, POSTGRES_BYTES).is_err() {
            return Ok(None);
        }
        let ballast = path.join("ballast");
        let room = Self {
            kind: Kind::Mounted {
                path: path.clone(),
                ballast: ballast.clone(),
            },
            _place: Some(place),
        };
        let space = path.join("space");
        std::fs::create_dir(&space)?;
        chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        chown(&space, Some(owner.uid()), Some(owner.gid()))?;
        let mut connection = service.connect().await?;
        let tablespace = format!("create tablespace small location '{}'", space.display());
        for sql in [
            tablespace,
            "create database small tablespace small".to_owned(),
        ] {
            let made = sqlx::raw_sql(safe(sql)).execute(&mut connection).await;
            made.context("making a database on a small disk")?;
        }
        connection.close().await?;
        std::fs::write(&ballast, vec![0; usize::try_from(POSTGRES_BALLAST_BYTES)?])?;
        let url = service.url().replacen("/postgres?", "/small?", 1);
        Ok(Some((room, url)))
    }

    /// Returns a description for people.
    pub fn description(&self) -> String {
        match &self.kind {
            Kind::Mounted { path, .. } => {
                format!("a small file system in memory at {}", path.display())
            }
            Kind::Limited => "a limit on the size of the server's files".to_owned(),
        }
    }

    /// Limits the files of a started server, if there is no small file system.
    pub fn limit(&self, servers: &Servers) -> anyhow::Result<()> {
        match self.kind {
            Kind::Mounted { .. } => Ok(()),
            Kind::Limited => limit_files(servers.process(0)?, &FILE_BYTES_MAX.to_string()),
        }
    }

    /// Frees space on the full disk.
    pub fn make(&mut self, servers: &Servers) -> anyhow::Result<()> {
        match &self.kind {
            Kind::Mounted { ballast, .. } => {
                std::fs::remove_file(ballast).context("making room on a full disk")
            }
            Kind::Limited => limit_files(servers.process(0)?, "unlimited"),
        }
    }

    /// Removes the database and the disk. Nobody may use them any more.
    pub async fn remove(self, service: Option<&Service>) -> anyhow::Result<()> {
        let Some(service) = service else {
            return Ok(());
        };
        let mut connection = service.connect().await?;
        for sql in ["drop database small with (force)", "drop tablespace small"] {
            let dropped = sqlx::raw_sql(sql).execute(&mut connection).await;
            dropped.context("removing a database on a small disk")?;
        }
        Ok(connection.close().await?)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Kind::Mounted { path, .. } = &self.kind {
            // Lazily: a process that is ending may still have a file open.
            if let Err(error) = command::output_of(Command::new("umount").arg("-l").arg(path)) {
                eprintln!("cargo xtask: {error:#}");
            }
        }
    }
}

fn mount(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size={bytes},mode=0700"));
    command::output_of(mount.arg("tmpfs").arg(path)).map(drop)
}

/// Limits the size of a process's files, or lifts the limit.
fn limit_files(process: u32, limit: &str) -> anyhow::Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &process.to_string(), &format!("--fsize={limit}:")]);
    command::output_of(&mut prlimit).map(drop)
}
