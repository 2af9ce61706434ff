//! The clock of a server. It makes that what happens in a scene within a second has the ages of a week of work. The
//! product is the released one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ctxpin_cluster::clock::{self, Mover};
use tokio::process::Command;

/// The clock of one server.
pub struct Clock {
    mover: Mover,
    offset: PathBuf,
}

impl Clock {
    /// Creates a clock that shows the machine's time, with its file in a directory.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let clock = Self {
            mover: Mover::find("what a scene shows has no ages")?,
            offset: directory.join("clock"),
        };
        clock.set_back(Duration::ZERO)?;
        Ok(clock)
    }

    /// Sets the clock to a time before the machine's.
    pub fn set_back(&self, by: Duration) -> anyhow::Result<()> {
        clock::set(&self.offset, -i64::try_from(by.as_secs())?)
    }

    /// Gives the clock to a process that is about to start.
    pub fn give(&self, command: &mut Command) {
        command.envs(self.mover.environment(&self.offset));
    }
}
