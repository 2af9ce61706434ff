//! Empty databases, one for each server.

use std::path::Path;

use anyhow::Context as _;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// A kind of database.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A file of the server's own.
    Sqlite,
    /// A database on the PostgreSQL server of this URL.
    Postgres(String),
}

/// A database that nothing is in, and a directory for the server that uses it.
pub struct Fresh {
    directory: TempDir,
    /// The URL of its server, and its name there.
    postgres: Option<(String, String)>,
}

impl Kind {
    /// Returns the name for readers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Creates a new database.
    pub async fn fresh(&self) -> anyhow::Result<Fresh> {
        let directory = tempfile::Builder::new().prefix("ctxpin-siege-").tempdir()?;
        let postgres = match self {
            Self::Sqlite => None,
            Self::Postgres(server) => {
                let name = format!("ctxpin_siege_{}", Uuid::new_v4().simple());
                execute(server, format!("create database {name}")).await?;
                Some((server.clone(), name))
            }
        };
        Ok(Fresh {
            directory,
            postgres,
        })
    }
}

impl Fresh {
    /// Returns the server's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the address of a PostgreSQL database.
    pub fn url(&self) -> anyhow::Result<Option<String>> {
        let Some((server, name)) = &self.postgres else {
            return Ok(None);
        };
        // The name of the database is the path of the URL, in front of its parameters.
        let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
        let (address, _) = address
            .rsplit_once('/')
            .context("the URL names no database")?;
        Ok(Some(format!("{address}/{name}?{parameters}")))
    }

    /// Removes the database, and cuts the connections that are still open.
    pub async fn remove(self) -> anyhow::Result<()> {
        match &self.postgres {
            None => Ok(()),
            Some((server, name)) => {
                execute(server, format!("drop database {name} with (force)")).await
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the names are made here")]
async fn execute(server: &str, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    connection
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
        .await?;
    connection.close().await?;
    Ok(())
}
