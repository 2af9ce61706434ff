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

/// Returns the absolute path of a file, with the links on the way to it resolved if its directory exists. Pins and scans
/// name files so.
///
/// # Errors
///
/// Fails if the current directory is gone.
pub fn absolute_in_real_directory(file: &Path) -> Result<PathBuf, Failure> {
    let path = absolute(file)?;
    let real = path.parent().and_then(|parent| parent.canonicalize().ok());
    Ok(match (real, path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path,
    })
}
