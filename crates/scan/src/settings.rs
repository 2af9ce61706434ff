//! A file in which a project says how it wants to be treated, read as carefully as what it gives a model.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use crate::boundary::{Admitting, Boundaries, Common, Outcome, Reach};
use crate::file::oversize;
use crate::reader::Reader;
use crate::trust::Trust;

/// Most bytes of such a file.
const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the file `name` in the directory of a project. `None` if there is none. A link is followed
/// within the directory only, and nothing but a regular file is opened.
///
/// # Errors
///
/// Why it cannot be used, for people.
pub fn settings(project: &Path, name: &str, trust: &Trust) -> Result<Option<Arc<[u8]>>, String> {
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    let directory = project.canonicalize().map_err(told)?;
    let boundary = Boundaries::new(&[], Admitting::default(), Common::of(trust.settled()))
        .at(&directory, Reach::Project)
        .map_err(told)?;
    let name = OsStr::new(name);
    let mut reader = Reader::default();
    let outcome = boundary.read(&boundary.directory, name, SETTINGS_BYTES_MAX, &mut reader);
    match outcome {
        Outcome::Absent => Ok(None),
        Outcome::Refused(refused) => Err(refused.reason),
        Outcome::Read(reading) => match reading.bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(oversize(reading.size, SETTINGS_BYTES_MAX)),
        },
    }
}
