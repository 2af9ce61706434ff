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

/// Returns the migration whose files have this number and name.
macro_rules! migration {
    ($number:literal, $digits:literal, $name:literal) => {
        (
            $number,
            $name,
            include_str!(concat!(
                "../migrations/sqlite/",
                $digits,
                "_",
                $name,
                ".sql"
            )),
            include_str!(concat!(
                "../migrations/postgres/",
                $digits,
                "_",
                $name,
                ".sql"
            )),
        )
    };
}

/// All migrations, ordered by number.
const MIGRATIONS: &[Texts] = &[
    migration!(1, "0001", "foundation"),
    migration!(2, "0002", "renderers"),
    migration!(3, "0003", "treatments"),
    migration!(4, "0004", "notes"),
    migration!(5, "0005", "exposure"),
    migration!(6, "0006", "quotas"),
    migration!(7, "0007", "uploads"),
    migration!(8, "0008", "makers"),
    migration!(9, "0009", "snapshot_sizes"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed = MIGRATIONS.iter();
        let listed: Vec<_> = listed
            .map(|(number, name, ..)| format!("{number:04}_{name}.sql"))
            .collect();
        assert_eq!(files, listed);
    }
}
