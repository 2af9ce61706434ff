//! Finds PostgreSQL's server programs, which distributions keep off the search path.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;

/// The oldest major version that ctxpin supports.
pub const VERSION_MIN: u32 = 15;

/// The programs without which no server can be started, all from one directory.
const NEEDED: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// A directory that holds every needed program, of a version that is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    pub directory: PathBuf,
    /// The major version of its `postgres`.
    pub version: u32,
}

/// The error that no usable programs were found: the searched places, and the programs that were
/// too old.
#[derive(Debug)]
pub struct Missing {
    too_old: Vec<Programs>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no PostgreSQL {VERSION_MIN} or later was found ({} in one directory; looked on PATH, \
             where pg_config says, in /usr/lib/postgresql, /usr/pgsql-* and Homebrew's directories)",
            NEEDED.join(", ")
        )?;
        for old in &self.too_old {
            write!(
                f,
                "; {} has version {}, which is too old",
                old.directory.display(),
                old.version
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

/// Finds the programs: first those that the caller chose (PATH, pg_config), then the newest
/// installed ones.
pub fn find() -> Result<Programs, Missing> {
    let chosen = on_path().into_iter().chain(named_by_pg_config());
    let mut installed: Vec<Programs> = installed().filter_map(|d| inspect(&d)).collect();
    installed.sort_by_key(|programs| std::cmp::Reverse(programs.version));
    first_usable(chosen.filter_map(|d| inspect(&d)).chain(installed))
}

/// Returns the first programs that are new enough. The error lists the others.
fn first_usable(found: impl Iterator<Item = Programs>) -> Result<Programs, Missing> {
    let mut too_old: Vec<Programs> = Vec::new();
    for programs in found {
        if programs.version >= VERSION_MIN {
            return Ok(programs);
        }
        if !too_old.contains(&programs) {
            too_old.push(programs);
        }
    }
    Err(Missing { too_old })
}

/// Returns the directories of PATH that hold an `initdb`. Follows links, because `initdb` looks for
/// the other programs beside its own real file.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|directory| directory.join(NEEDED[0]).canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_path_buf))
        .collect()
}

fn named_by_pg_config() -> Option<PathBuf> {
    let printed = command::output_of(Command::new("pg_config").arg("--bindir")).ok()?;
    Some(PathBuf::from(printed.trim()))
}

/// Returns the directories in which Debian, Red Hat and Homebrew install each version.
fn installed() -> impl Iterator<Item = PathBuf> {
    let versioned = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ];
    versioned.into_iter().flat_map(|(parent, prefix)| {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        entries
            .filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join("bin"))
            .collect::<Vec<_>>()
    })
}

/// Returns the programs of a directory, if all of them exist and `postgres` prints its version.
fn inspect(directory: &Path) -> Option<Programs> {
    if !NEEDED.iter().all(|name| directory.join(name).is_file()) {
        return None;
    }
    let postgres = directory.join("postgres");
    let printed = command::output_of(Command::new(postgres).arg("--version")).ok()?;
    Some(Programs {
        directory: directory.to_path_buf(),
        version: major_version(&printed)?,
    })
}

/// Returns the major version in a line such as `postgres (PostgreSQL) 15.4 (Debian 15.4-1)` or
/// `postgres (PostgreSQL) 18beta1`.
fn major_version(printed: &str) -> Option<u32> {
    let after = printed.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    after[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_postgres_prints() {
        let cases = [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                Some(15),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres (PostgreSQL) 9.6.24\n", Some(9)),
            ("postgres (PostgreSQL) 17", Some(17)),
            ("postgres (PostgreSQL) devel", None),
            ("mysqld  Ver 8.0", None),
            ("", None),
        ];
        for (printed, expected) in cases {
            assert_eq!(major_version(printed), expected, "{printed:?}");
        }
    }

    #[test]
    fn an_old_version_is_passed_over_and_named_when_nothing_else_is_there() {
        let programs = |directory: &str, version| Programs {
            directory: directory.into(),
            version,
        };
        let (old, new) = (programs("/old", 14), programs("/new", 16));
        let found = first_usable([old.clone(), new.clone()].into_iter());
        assert_eq!(found.expect("one is new enough"), new);

        let missing = first_usable([old.clone(), old].into_iter()).expect_err("all are too old");
        let message = missing.to_string();
        assert_eq!(
            message.matches("/old has version 14").count(),
            1,
            "{message}"
        );
    }
}
