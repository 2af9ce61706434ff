//! The wall clock of another process: libfaketime, loaded into it, adds an offset that is read from a file. Its
//! monotonic clock does not change, as on a machine whose time is set.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::install;

/// The path of the library of Debian's package `libfaketime`, below the directory of the processor's
/// architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The library that moves the clocks of processes.
pub struct Mover {
    library: PathBuf,
}

impl Mover {
    /// Finds the library, and installs it if it is missing. `without` says what cannot be done without it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be installed.
    pub fn find(without: &str) -> anyhow::Result<Self> {
        let library = match find_library() {
            Some(library) => library,
            None => {
                install::package("libfaketime", without)?;
                find_library().context("the package libfaketime was installed without a library")?
            }
        };
        Ok(Self { library })
    }

    /// Returns the environment of a process that adds the offset in a file to its clock. [`set`] writes the file,
    /// which must exist before the process starts.
    pub fn environment(&self, offset: &Path) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE", offset.into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }
}

/// Sets the clock of the processes that read a file to the machine's time plus `seconds`.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub fn set(offset: &Path, seconds: i64) -> anyhow::Result<()> {
    let new = offset.with_extension("new");
    // The file is renamed, so that no process reads half of it.
    fs::write(&new, format!("{seconds:+}\n"))
        .and_then(|()| fs::rename(&new, offset))
        .with_context(|| format!("writing {}", offset.display()))
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
