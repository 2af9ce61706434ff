//! Reads a project's file of settings as carefully as its context, and keeps of it what a snapshot can state.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use ctxpin_model::limits::{FACT_BYTES_MAX, cut};

use crate::boundary::{Admitting, Annexes, Boundaries, Common, Outcome, Reach};
use crate::file::oversize;
use crate::gather::Gathering;
use crate::reader::Reader;
use crate::trust::Trust;

/// The greatest size of a file of settings, in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the file `name` in the directory of a project. Returns `None` if there is none. Follows a link only
/// within the directory, and opens only a regular file.
///
/// # Errors
///
/// Fails with a message for people if the file cannot be read or has more than 1 MiB.
pub fn settings(project: &Path, name: &str, trust: &Trust) -> Result<Option<Arc<[u8]>>, String> {
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    let directory = project.canonicalize().map_err(told)?;
    let boundary = Boundaries::new(
        &Annexes::default(),
        Admitting::default(),
        Common::of(trust.settled()),
    )
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

/// Reads a file that a scan lists, as [`settings`] does. Returns `None` if there is none or it cannot be read.
pub fn listed(path: &Path, trust: &Trust) -> Option<Arc<[u8]>> {
    let name = path.file_name()?.to_string_lossy();
    settings(path.parent()?, &name, trust).ok().flatten()
}

/// Cuts a list of a tool's settings to what a snapshot can state. `what` names the list in a remark. A text with a NUL
/// is left out: no path has one.
pub fn shorten(texts: &mut Vec<String>, count_max: usize, what: &str, gathering: &mut Gathering) {
    texts.retain(|text| !text.contains('\0'));
    if texts.len() > count_max {
        gathering.remark(format!("of {what}, only {count_max} are used"));
        texts.truncate(count_max);
    }
    for text in texts {
        *text = cut(text, FACT_BYTES_MAX).to_owned();
    }
}
