//! The wall clocks of the servers, which jump in some rounds.

use std::path::{Path, PathBuf};

use anyhow::bail;
use ctxpin_cluster::clock::{self, Mover};
use tokio::process::Command;

/// The beginnings of the files that the library of a killed process leaves in shared memory. The
/// process's id follows.
const LEFTOVERS: [&str; 2] = ["/dev/shm/faketime_shm_", "/dev/shm/sem.faketime_sem_"];

/// The clocks of servers, one file each.
pub struct Clocks {
    mover: Mover,
    directory: PathBuf,
    /// Whether servers that are started now have a clock of their own.
    pub are_moved: bool,
}

impl Clocks {
    /// Creates clocks whose files are in `directory`, and installs the library if it is missing.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            mover: Mover::find("the clocks of servers cannot be moved")?,
            directory: directory.to_owned(),
            are_moved: false,
        })
    }

    /// Sets the clock of a server to the machine's time plus `seconds`.
    pub fn set(&self, index: usize, seconds: i64) -> anyhow::Result<()> {
        clock::set(&self.path(index), seconds)
    }

    /// Gives a clock of its own to a server that is about to start, if clocks are moved.
    pub fn give(&self, index: usize, command: &mut Command) -> anyhow::Result<()> {
        if !self.are_moved {
            return Ok(());
        }
        if !self.path(index).exists() {
            self.set(index, 0)?;
        }
        command.envs(self.mover.environment(&self.path(index)));
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
