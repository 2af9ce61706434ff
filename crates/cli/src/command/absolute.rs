//! Absolute paths for the paths of the command line.

use std::path::{Path, PathBuf};

use crate::say::{self, Failure};

/// Returns the paths relative to the current directory as absolute paths.
///
/// # Errors
///
/// Fails if the current directory is gone.
pub fn absolute_paths(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    paths.iter().map(|path| absolute(path)).collect()
}

/// Returns a path relative to the current directory as an absolute path.
///
/// # Errors
///
/// Fails if the current directory is gone.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(say::path(&path)).because(error))
}
