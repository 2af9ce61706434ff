//! A resource that is one file: an instruction file or an MCP configuration.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use ctxpin_model::limits::{INSTRUCTION_FILE_BYTES_MAX, MCP_CONFIG_BYTES_MAX};
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::warning::{Code, Warning};

use crate::boundary::{Boundary, Outcome};
use crate::directory::{Directory, plain_path};
use crate::gather::{Finding, Gathering};
use crate::place::LINKS_MAX;
use crate::reader::Reading;
use crate::{elsewhere, mcp_config};

/// Reads an entry of a directory as a resource of a kind. Returns `None` if there is no entry of exactly
/// this spelling.
pub(crate) fn read(
    kind: Kind,
    boundary: &Boundary,
    directory: &Directory,
    name: &OsStr,
    root: &Path,
    gathering: &mut Gathering,
) -> Option<Finding> {
    let bytes_max = bytes_max(kind);
    let outcome = boundary.read(directory, name, bytes_max, &mut gathering.reader);
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
    let source = reading.path.clone();
    let finding = taken(kind, &source, root, reading, gathering);
    elsewhere::link_as_text(boundary, directory, name, gathering);
    Some(finding)
}

fn bytes_max(kind: Kind) -> u64 {
    match kind {
        Kind::McpConfig => MCP_CONFIG_BYTES_MAX,
        _ => INSTRUCTION_FILE_BYTES_MAX,
    }
}

/// Watches for the target of a dangling link, and of each link that it leads to, if they lie inside the boundary.
pub(crate) fn await_target(boundary: &Boundary, link: &Path, gathering: &mut Gathering) {
    let mut link = link.to_owned();
    for _ in 0..LINKS_MAX {
        let (Ok(target), Some(parent)) = (fs::read_link(&link), link.parent()) else {
            return;
        };
        let target = plain_path(&parent.join(target));
        let Ok(below) = target.strip_prefix(&boundary.directory.path) else {
            return;
        };
        // If a way is too long to follow, the scan does not wait for its end either.
        let found = boundary.resolve(below);
        if found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            gathering.places.awaited(&target);
        }
        link = target;
    }
}

/// Returns what was read as a resource at a path. Its bytes are in the snapshot if it can be used.
pub(crate) fn taken(
    kind: Kind,
    source: &Path,
    root: &Path,
    reading: Reading,
    gathering: &mut Gathering,
) -> Finding {
    let mut finding = Finding::new(kind, source, root);
    finding.note(&reading);
    take_up(&mut finding, reading, gathering);
    finding
}

fn take_up(finding: &mut Finding, reading: Reading, gathering: &mut Gathering) {
    let Some(bytes) = reading.bytes else {
        let bytes_max = bytes_max(finding.resource.kind);
        let reason = oversize(reading.size, bytes_max);
        return finding.refuse_here(gathering.profile, Status::Oversize, &reason);
    };
    if finding.resource.kind == Kind::McpConfig {
        match mcp_config::shape(&bytes) {
            Ok(servers) => {
                if servers.is_none() {
                    gathering.note(&reading.path, Warning::new(Code::ServersMissing));
                }
                finding.resource.detail = Some(Detail::Shape(servers.unwrap_or_default()));
            }
            Err(error) => finding.refuse(Status::Invalid, error.to_string()),
        }
        return;
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        let offset = error.valid_up_to();
        let reason = format!("it is not UTF-8 (first bad byte at offset {offset})");
        return finding.refuse_here(gathering.profile, Status::Invalid, &reason);
    }
    if finding.resource.status == Status::Ok {
        finding.resource.content = Some(gathering.hold(reading.hash, bytes));
    }
}

/// Returns the message for a file that is too large.
pub(crate) fn oversize(size: u64, bytes_max: u64) -> String {
    format!("it has {size} bytes; at most {bytes_max} are allowed")
}
