//! A resource that is one file: an instruction file or an MCP configuration.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use ctxpin_model::limits::PROMPT_FILE_BYTES_MAX;
use ctxpin_model::resource::{Detail, Kind, Status};

use crate::gather::{Finding, Gathering};
use crate::read::{Boundary, Directory, Outcome, Reading, plain_path};
use crate::{imports, mcp_config};

/// Why sound bytes are not used: a scan keeps no more in memory.
pub(crate) const NO_MEMORY: &str = "the files of this scan are too large together";

/// Reads a name in a directory as a resource of that kind. `None` if it is not there in exactly
/// this spelling.
pub(crate) fn read(
    kind: Kind,
    boundary: &Boundary,
    directory: &Directory,
    name: &OsStr,
    root: &Path,
    gathering: &mut Gathering,
) -> Option<Finding> {
    let outcome = boundary.read(directory, name, PROMPT_FILE_BYTES_MAX);
    if matches!(outcome, Outcome::Absent) || !directory.spells(name) {
        return None;
    }
    let path = directory.path.join(name);
    let reading = match outcome {
        Outcome::Read(reading) => reading,
        Outcome::Refused(refused) => {
            await_target(boundary, &path, gathering);
            return Some(Finding::refused(kind, &path, root, refused));
        }
        Outcome::Absent => return None,
    };
    if reading.path != path {
        gathering.places.path(&reading.path);
    }
    let mut finding = Finding::new(kind, &reading.path, root);
    finding.note(&reading);
    take_up(&mut finding, reading, gathering);
    Some(finding)
}

/// Watches for what a dangling link inside the boundary leads to.
pub(crate) fn await_target(boundary: &Boundary, link: &Path, gathering: &mut Gathering) {
    let (Ok(target), Some(parent)) = (fs::read_link(link), link.parent()) else {
        return;
    };
    let target = plain_path(&parent.join(target));
    if target.starts_with(&boundary.directory.path) && !target.exists() {
        gathering.places.awaited(&target);
    }
}

fn take_up(finding: &mut Finding, reading: Reading, gathering: &mut Gathering) {
    let Some(bytes) = reading.bytes else {
        return finding.refuse(Status::Oversize, oversize(reading.size));
    };
    match finding.resource.kind {
        Kind::McpConfig => match mcp_config::shape(&bytes) {
            Ok(servers) => finding.resource.detail = Some(Detail::Shape(servers)),
            Err(error) => finding.refuse(Status::Invalid, error.to_string()),
        },
        _ => {
            match std::str::from_utf8(&bytes) {
                Ok(text) => finding.imports = imports::find(text),
                Err(error) => {
                    let offset = error.valid_up_to();
                    let reason = format!("not UTF-8 (first bad byte at offset {offset})");
                    return finding.refuse(Status::Invalid, reason);
                }
            }
            if finding.resource.status != Status::Ok {
                return;
            }
            match gathering.hold(reading.hash, bytes) {
                Some(content) => finding.resource.content = Some(content),
                None => finding.refuse(Status::Excluded, NO_MEMORY),
            }
        }
    }
}

/// Why a file that reaches the prompt is too large.
pub(crate) fn oversize(size: u64) -> String {
    format!("it has {size} bytes; at most {PROMPT_FILE_BYTES_MAX} are allowed")
}
