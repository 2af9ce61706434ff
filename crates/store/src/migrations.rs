//! Migrations of the schema. They run when a server starts.
//!
//! A migration is one file in `migrations/both`, or a file of the same name in `migrations/sqlite` and in
//! `migrations/postgres` if the databases need different texts. A released migration is never edited. A change
//! expands the schema first and contracts it in a later release, so replicas of two releases can work together.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Executor as _};

use crate::error::OpenError;
use crate::fault::Cause;

/// A migration: the name of its files, and its SQL for SQLite and for PostgreSQL.
type Texts = (&'static str, &'static str, &'static str);

/// Returns the migration with this name, whose text is the same for both databases or not.
macro_rules! migration {
    (both, $name:literal) => {
        migration!("both", "both", $name)
    };
    (each, $name:literal) => {
        migration!("sqlite", "postgres", $name)
    };
    ($sqlite:literal, $postgres:literal, $name:literal) => {
        (
            $name,
            include_str!(concat!("../migrations/", $sqlite, "/", $name, ".sql")),
            include_str!(concat!("../migrations/", $postgres, "/", $name, ".sql")),
        )
    };
}

/// All migrations. Their numbers count from 1.
const MIGRATIONS: &[Texts] = &[
    migration!(each, "0001_foundation"),
    migration!(each, "0002_renderers"),
    migration!(each, "0003_treatments"),
    migration!(both, "0004_notes"),
    migration!(both, "0005_exposure"),
    migration!(each, "0006_quotas"),
    migration!(each, "0007_uploads"),
    migration!(each, "0008_makers"),
    migration!(each, "0009_snapshot_sizes"),
    migration!(each, "0010_passes"),
    migration!(each, "0011_enrolment_codes"),
    migration!(both, "0012_recent_pins"),
    migration!(both, "0013_contexts"),
    migration!(both, "0014_audit_filters"),
    migration!(each, "0015_audit_doors"),
    migration!(each, "0016_session_uses"),
    migration!(each, "0017_profiles"),
    migration!(both, "0018_applies"),
    migration!(each, "0019_modes"),
    migration!(each, "0020_decisions"),
    migration!(both, "0021_polling"),
    migration!(each, "0022_evidence"),
    migration!(each, "0023_last_verdict"),
    migration!(both, "0024_browsers"),
    migration!(both, "0025_client_versions"),
    migration!(each, "0026_shown_pins"),
    migration!(each, "0027_ended_tokens"),
    migration!(each, "0028_lacked_texts"),
];

/// The version of the newest schema that this release knows.
pub(crate) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

fn migrator(pick: fn(&Texts) -> &'static str) -> Migrator {
    let migrations = MIGRATIONS.iter().zip(1..).map(|(migration, number)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(pick(migration));
        // The digits in the name are for people who list the folder.
        let (_, title) = migration.0.split_once('_').unwrap_or(("", migration.0));
        let title = Cow::Borrowed(title);
        Migration::new(number, title, MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Applies the missing migrations to a SQLite file. No lock is needed: the file has one server, which
/// holds the lock of its data directory.
pub(crate) async fn apply_to_sqlite(writer: &SqlitePool) -> Result<(), OpenError> {
    let applied = migrator(|migration| migration.1).run(writer).await;
    applied.map_err(failure)
}

/// Applies the missing migrations to a PostgreSQL database, in a session of its own. Replicas that start
/// together take turns by an advisory lock. Each waits without limit while another one migrates.
pub(crate) async fn apply_to_postgres(mut session: PgConnection) -> Result<(), OpenError> {
    let patient = session.execute("set lock_timeout = 0").await;
    patient.map_err(|error| failure(MigrateError::Execute(error)))?;
    let migrator = migrator(|migration| migration.2);
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
    use std::collections::BTreeSet;

    use super::*;

    fn files(folder: &str) -> BTreeSet<String> {
        let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn every_file_is_listed_by_its_number() {
        let both = files("both");
        for own in ["sqlite", "postgres"] {
            let own = files(own);
            assert!(own.is_disjoint(&both), "a name is used twice: {own:?}");
            let all: Vec<_> = own.union(&both).cloned().collect();
            let listed = MIGRATIONS.iter().map(|(name, ..)| format!("{name}.sql"));
            assert_eq!(all, listed.collect::<Vec<_>>());
        }
        for ((name, ..), number) in MIGRATIONS.iter().zip(1..) {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
    }
}
