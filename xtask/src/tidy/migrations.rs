//! Both databases have the same migrations: a file in one folder has a namesake in the other.

use std::collections::BTreeSet;

use super::Breach;
use super::files::File;

const SQLITE: &str = "crates/store/migrations/sqlite/";
const POSTGRES: &str = "crates/store/migrations/postgres/";

/// Reports a migration that one database lacks.
pub fn check(files: &[File]) -> Vec<Breach> {
    let names = |folder: &str| -> BTreeSet<&str> {
        files
            .iter()
            .filter_map(|file| file.path.strip_prefix(folder))
            .collect()
    };
    let (sqlite, postgres) = (names(SQLITE), names(POSTGRES));
    let lacking = |name: &&str, here: &str, there: &str| {
        let says = format!(
            "has no file of the same name in {there}: write each migration for both databases"
        );
        Breach::of_file(&format!("{here}{name}"), says)
    };
    let in_sqlite = sqlite.difference(&postgres);
    let in_postgres = postgres.difference(&sqlite);
    in_sqlite
        .map(|name| lacking(name, SQLITE, POSTGRES))
        .chain(in_postgres.map(|name| lacking(name, POSTGRES, SQLITE)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    #[test]
    fn a_migration_stands_in_both_folders() {
        let both = [
            file("crates/store/migrations/sqlite/0001_start.sql", ""),
            file("crates/store/migrations/postgres/0001_start.sql", ""),
        ];
        assert_eq!(check(&both), []);

        let mut parted = both.to_vec();
        parted.push(file("crates/store/migrations/sqlite/0002_more.sql", ""));
        parted.push(file("crates/store/migrations/postgres/0002_moer.sql", ""));
        let found = lines(check(&parted));
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("crates/store/migrations/sqlite/0002_more.sql: has no"));
        assert!(found[1].starts_with("crates/store/migrations/postgres/0002_moer.sql: has no"));
    }
}
