//! Migrations of the schema. They run when a server starts.
//!
//! Both folders hold the same file names. A released migration is never edited. A change expands the
//! schema first and contracts it in a later release, so replicas of two releases can work together.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Executor as _};

use crate::error::OpenError;
use crate::fault::Cause;

/// A migration: its number, its name, and its SQL for SQLite and for PostgreSQL.
type Texts = (i64, &'static str, &'static str, &'static str);

/// All migrations, ordered by number.
const MIGRATIONS: &[Texts] = &[
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
    (
        7,
        "uploads",
        include_str!("../migrations/sqlite/0007_uploads.sql"),
        include_str!("../migrations/postgres/0007_uploads.sql"),
    ),
    (
        8,
        "makers",
        include_str!("../migrations/sqlite/0008_makers.sql"),
        include_str!("../migrations/postgres/0008_makers.sql"),
    ),
];

/// The version of the newest schema that this release knows.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

fn migrator(pick: fn(&Texts) -> &'static str) -> Migrator {
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
}

/// Applies the missing migrations to a SQLite file. No lock is needed: the file has one server, which
/// holds the lock of its data directory.
pub(crate) async fn apply_to_sqlite(writer: &SqlitePool) -> Result<(), OpenError> {
    let applied = migrator(|migration| migration.2).run(writer).await;
    applied.map_err(failure)
}

/// Applies the missing migrations to a PostgreSQL database, in a session of its own. Replicas that start
/// together take turns by an advisory lock. Each waits without limit while another one migrates.
pub(crate) async fn apply_to_postgres(mut session: PgConnection) -> Result<(), OpenError> {
    let patient = session.execute("set lock_timeout = 0").await;
    patient.map_err(|error| failure(MigrateError::Execute(error)))?;
    let migrator = migrator(|migration| migration.3);
    let applied = migrator.run_direct(None, &mut session, false).await;
    // An error changes nothing: the migrations are committed.
    let _ = session.close().await;
    applied.map_err(failure)
}

fn failure(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(found) => OpenError::SchemaNewer {
            found,
            known: SCHEMA_VERSION,
        },
        MigrateError::Execute(error) => OpenError::Migrate(Cause::from(&error)),
        MigrateError::ExecuteMigration(error, number) => {
            OpenError::Migrate(Cause::new(format!("{number}: {}", Cause::from(&error))))
        }
        other => OpenError::Migrate(Cause::new(other.to_string())),
    }
}
