//! The clock of a server: libfaketime, loaded into its process, adds an offset that is read from a file. So
//! what happens in a scene within a second has the ages of a week of work. The product is the released one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ctxpin_cluster::install;
use tokio::process::Command;

/// The path of the library of Debian's package `libfaketime`, below the directory of the processor's
/// architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock of one server.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// Creates a clock that shows the machine's time, with its file in a directory. Installs the library if
    /// it is missing.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let library = match find_library() {
            Some(library) => library,
            None => {
                install::package("libfaketime", "what a scene shows has no ages")?;
                find_library().context("the package libfaketime was installed without a library")?
            }
        };
        let clock = Self {
            library,
            offset: directory.join("clock"),
        };
        clock.set_back(Duration::ZERO)?;
        Ok(clock)
    }

    /// Sets the clock to a time before the machine's.
    pub fn set_back(&self, by: Duration) -> anyhow::Result<()> {
        let new = self.offset.with_extension("new");
        // The file is renamed, so that the server never reads half of it.
        fs::write(&new, format!("-{}\n", by.as_secs()))
            .and_then(|()| fs::rename(&new, &self.offset))
            .context("setting the server's clock")
    }

    /// Gives the clock to a process that is about to start.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

fn find_library() -> Option<PathBuf> {
    let directories = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(|root| {
        let below = fs::read_dir(root).into_iter().flatten().flatten();
        std::iter::once(PathBuf::from(root)).chain(below.map(|entry| entry.path()))
    });
    directories
        .map(|directory| directory.join(LIBRARY))
        .find(|library| library.is_file())
}
