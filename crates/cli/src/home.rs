//! The home directory of the person.

use std::path::PathBuf;

use crate::say::{Failure, Hint, Setting};

/// Returns the person's home directory, or an empty path if it cannot be found and is not needed. It
/// is needed where user roots are scanned.
///
/// # Errors
///
/// Fails if it is needed and cannot be found.
pub fn home_directory(is_needed: bool) -> Result<PathBuf, Failure> {
    match etcetera::home_dir() {
        Ok(home) => Ok(home),
        Err(_) if !is_needed => Ok(PathBuf::new()),
        Err(_) => Err(Failure::new("your home directory cannot be found")
            .hint(Hint::set(Setting::Home, "names it"))),
    }
}
