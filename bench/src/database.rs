//! The databases that are measured, and fresh ones of each kind.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use ctxpin_operations::service::Storage;
use tempfile::TempDir;
use uuid::Uuid;

use crate::sql::{POSTGRES_CONNECTIONS_MAX, Pool};

/// The name of SQLite in the results.
const SQLITE: &str = "SQLite";

/// One of the databases that are measured side by side.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name in the results.
    pub name: String,
    /// The server on which databases are made; without one it is SQLite.
    url: Option<String>,
}

impl FromStr for Kind {
    type Err = String;

    /// Parses a text of the form `name=postgres://..`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, url) = text
            .split_once('=')
            .ok_or("expected a name, `=` and a URL")?;
        Ok(Self {
            name: name.to_owned(),
            url: Some(url.to_owned()),
        })
    }
}

impl Kind {
    /// Returns a SQLite database in a file.
    pub fn sqlite() -> Self {
        Self {
            name: SQLITE.to_owned(),
            url: None,
        }
    }

    /// Returns whether several servers can share it.
    pub fn has_replicas(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the version as the database prints it.
    pub async fn version(&self) -> anyhow::Result<String> {
        let fresh = self.fresh().await?;
        let pool = fresh.pool().await?;
        let version = match &self.url {
            None => pool.text("select sqlite_version()").await?,
            Some(_) => {
                pool.text("select current_setting('server_version')")
                    .await?
            }
        };
        pool.close().await;
        fresh.remove().await?;
        Ok(version)
    }

    /// Returns a new, empty database.
    pub async fn fresh(&self) -> anyhow::Result<Fresh> {
        let directory = tempfile::Builder::new().prefix("ctxpin-bench-").tempdir()?;
        let Some(server) = &self.url else {
            return Ok(Fresh {
                directory,
                url: None,
                server: None,
            });
        };
        let name = format!("ctxpin_bench_{}", Uuid::new_v4().simple());
        let pool = Pool::postgres(server).await?;
        pool.script(&format!("create database {name}")).await?;
        pool.close().await;
        // The name of the database is the path of the URL, in front of its parameters.
        let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
        let (address, _) = address
            .rsplit_once('/')
            .context("the URL names no database")?;
        Ok(Fresh {
            directory,
            url: Some(format!("{address}/{name}?{parameters}")),
            server: Some((server.clone(), name)),
        })
    }
}

/// A database that is removed after its use.
pub struct Fresh {
    directory: TempDir,
    url: Option<String>,
    server: Option<(String, String)>,
}

impl Fresh {
    /// Returns where the product keeps its data.
    pub fn storage(&self) -> Storage {
        match &self.url {
            None => Storage::Sqlite(self.sqlite_path()),
            Some(url) => Storage::Postgres {
                url: url.clone(),
                connections_max: POSTGRES_CONNECTIONS_MAX,
            },
        }
    }

    /// Opens connections to the database, without the product.
    pub async fn pool(&self) -> anyhow::Result<Pool> {
        match &self.url {
            None => Pool::sqlite(&self.sqlite_path()).await,
            Some(url) => Pool::postgres(url).await,
        }
    }

    /// Returns the address of a PostgreSQL database.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Returns the directory of the database's files. SQLite's file has the same name in it as in a
    /// server's data directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the file of a SQLite database.
    pub fn sqlite_path(&self) -> PathBuf {
        self.directory.path().join("ctxpin.sqlite")
    }

    /// Removes the database. It cuts the connections that are still open.
    pub async fn remove(self) -> anyhow::Result<()> {
        if let Some((server, name)) = &self.server {
            let pool = Pool::postgres(server).await?;
            pool.script(&format!("drop database {name} with (force)"))
                .await?;
            pool.close().await;
        }
        Ok(())
    }
}
