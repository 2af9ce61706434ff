//! The schema, brought up to date at start.
//!
//! Both folders hold the same file names. A migration that was released is never edited; a change
//! expands first and contracts in a later release, so that replicas of two releases work together.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::database::{Database, OpenError};

/// Number, name and the texts for SQLite and PostgreSQL of each migration, in order.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "foundation",
        include_str!("../migrations/sqlite/0001_foundation.sql"),
        include_str!("../migrations/postgres/0001_foundation.sql"),
    ),
    (
        2,
        "renderers",
        include_str!("../migrations/sqlite/0002_renderers.sql"),
        include_str!("../migrations/postgres/0002_renderers.sql"),
    ),
    (
        3,
        "treatments",
        include_str!("../migrations/sqlite/0003_treatments.sql"),
        include_str!("../migrations/postgres/0003_treatments.sql"),
    ),
    (
        4,
        "notes",
        include_str!("../migrations/sqlite/0004_notes.sql"),
        include_str!("../migrations/postgres/0004_notes.sql"),
    ),
    (
        5,
        "exposure",
        include_str!("../migrations/sqlite/0005_exposure.sql"),
        include_str!("../migrations/postgres/0005_exposure.sql"),
    ),
    (
        6,
        "quotas",
        include_str!("../migrations/sqlite/0006_quotas.sql"),
        include_str!("../migrations/postgres/0006_quotas.sql"),
    ),
];

/// The newest schema that this release knows.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Applies what is missing. On PostgreSQL an advisory lock makes replicas that start together do it
/// one after the other; a SQLite file has one server, which holds the lock of its data directory.
pub(crate) async fn apply(database: &Database) -> Result<(), OpenError> {
    let migrator = |pick: fn(&(i64, &'static str, &'static str, &'static str)) -> &'static str| {
        let migrations = MIGRATIONS.iter().map(|migration| {
            let sql = sqlx::SqlSafeStr::into_sql_str(pick(migration));
            Migration::new(
                migration.0,
                Cow::Borrowed(migration.1),
                MigrationType::Simple,
                sql,
                false,
            )
        });
        Migrator::with_migrations(migrations.collect())
    };
    let applied = match (database.postgres(), database.sqlite_writer()) {
        (Some(pool), _) => apply_patiently(pool, &migrator(|migration| migration.3)).await,
        (None, Some(pool)) => migrator(|migration| migration.2).run(pool).await,
        (None, None) => Ok(()),
    };
    match applied {
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::SchemaNewer {
            found,
            known: SCHEMA_VERSION,
        }),
        other => Ok(other?),
    }
}

/// Waits for the lock for as long as another replica migrates, however long that takes: on a
/// connection that serves nothing else.
async fn apply_patiently(pool: &PgPool, migrator: &Migrator) -> Result<(), MigrateError> {
    let options = (*pool.connect_options()).clone();
    let patient = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options.options([("lock_timeout", "0")]));
    let applied = migrator.run(&patient).await;
    patient.close().await;
    applied
}
