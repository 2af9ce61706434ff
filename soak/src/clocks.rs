//! The wall clocks of the servers: libfaketime, loaded into each process, adds an offset that is
//! read from a file. Their monotonic clocks do not change, as on a machine whose time is set.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ctxpin_cluster::install;
use tokio::process::Command;

/// The path of the library of Debian's package `libfaketime`, below the directory of the
/// processor's architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The beginnings of the files that the library of a killed process leaves in shared memory. The
/// process's id follows.
const LEFTOVERS: [&str; 2] = ["/dev/shm/faketime_shm_", "/dev/shm/sem.faketime_sem_"];

/// The clocks of servers, one file each.
pub struct Clocks {
    library: PathBuf,
    directory: PathBuf,
    /// Whether servers that are started now have a clock of their own.
    pub are_moved: bool,
}

impl Clocks {
    /// Creates clocks whose files are in `directory`, and installs the library if it is missing.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let library = match find_library() {
            Some(library) => library,
            None => {
                install::package("libfaketime", "the clocks of servers cannot be moved")?;
                find_library().context("the package libfaketime was installed without a library")?
            }
        };
        Ok(Self {
            library,
            directory: directory.to_owned(),
            are_moved: false,
        })
    }

    /// Sets the clock of a server to the machine's time plus `seconds`.
    pub fn set(&self, index: usize, seconds: i64) -> anyhow::Result<()> {
        let path = self.path(index);
        let new = path.with_extension("new");
        // The file is renamed, so that no reader sees half of it.
        std::fs::write(&new, format!("{seconds:+}\n"))
            .and_then(|()| std::fs::rename(&new, &path))
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Gives a clock of its own to a server that is about to start, if clocks are moved.
    pub fn give(&self, index: usize, command: &mut Command) -> anyhow::Result<()> {
        if !self.are_moved {
            return Ok(());
        }
        if !self.path(index).exists() {
            self.set(index, 0)?;
        }
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.path(index))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Ok(())
    }

    fn path(&self, index: usize) -> PathBuf {
        self.directory.join(format!("clock-{index}"))
    }
}

/// Removes the files that the library of a killed process leaves. They would break a process of the
/// same id.
pub fn clean_up(process: u32) {
    for leftover in LEFTOVERS {
        // Mostly there is none.
        let _ = std::fs::remove_file(format!("{leftover}{process}"));
    }
}

fn find_library() -> Option<PathBuf> {
    let directories = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(|root| {
        let below = std::fs::read_dir(root).into_iter().flatten().flatten();
        std::iter::once(PathBuf::from(root)).chain(below.map(|entry| entry.path()))
    });
    directories
        .map(|directory| directory.join(LIBRARY))
        .find(|library| library.is_file())
}

/// Fails unless a time in `told` is further outside of the time from `began` to `ended` than clocks
/// of one machine differ. Times are in microseconds since 1970.
pub fn require_moved(told: &[i64], began: i64, ended: i64) -> anyhow::Result<()> {
    const APART_MICROS: i64 = 10_000_000;
    let is_moved = |at: &i64| *at < began - APART_MICROS || *at > ended + APART_MICROS;
    if told.iter().any(is_moved) {
        return Ok(());
    }
    bail!("the servers' clocks jumped, but no time in a response shows it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_did_not_move_are_told() {
        let second = 1_000_000;
        let moved = |told: &[i64]| require_moved(told, 100 * second, 200 * second).is_ok();
        assert!(!moved(&[100 * second, 150 * second, 205 * second]));
        assert!(moved(&[150 * second, 80 * second]));
        assert!(moved(&[260 * second]));
        assert!(!moved(&[]));
    }
}
