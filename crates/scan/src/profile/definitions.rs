//! Folders with files of which each describes one agent of a tool.

use std::path::{Path, PathBuf};

use ctxpin_model::limits::cut;

use crate::directory::Directory;
use crate::gather::Gathering;
use crate::path_text::source_text;

/// How many agents a reason names, and how much of each name, in bytes.
const SHOWN_MAX: usize = 8;
const NAME_SHOWN_BYTES_MAX: usize = 100;

/// The most files of one folder that are listed.
const FILES_MAX: usize = 64;

/// How deep the folders are looked at.
const DEPTH_MAX: usize = 4;

/// A file that describes an agent.
pub struct Definition {
    /// The name of the file without its ending, behind those of the folders around it.
    pub name: String,
    pub path: PathBuf,
}

/// Returns the files with an ending in a folder and below, in the order of their names, and watches for others. A remark
/// says so if these are not all; `what` names them.
pub fn find(folder: &Path, ending: &str, what: &str, gathering: &mut Gathering) -> Vec<Definition> {
    gathering.places.awaited(folder);
    let mut found = Vec::new();
    if !find_below(folder, ending, "", 0, &mut found, gathering) {
        let folder = source_text(folder).0;
        gathering.remark(format!(
            "only {} {what} of {folder} are listed",
            found.len()
        ));
    }
    found
}

/// Finds the files in a folder and below, where the folders around them are `around`. Returns whether these are all.
fn find_below(
    folder: &Path,
    ending: &str,
    around: &str,
    depth: usize,
    found: &mut Vec<Definition>,
    gathering: &mut Gathering,
) -> bool {
    let Ok(real) = folder.canonicalize() else {
        return true;
    };
    if depth > DEPTH_MAX {
        return false;
    }
    gathering.places.all(&real);
    let listing = Directory::open(&real).and_then(|directory| directory.list());
    let Ok(listing) = listing else {
        return true;
    };
    let mut is_whole = listing.whole;
    for own in &listing.names {
        let path = folder.join(own);
        let own = own.to_string_lossy();
        if path.is_dir() {
            let around = format!("{around}{own}/");
            is_whole &= find_below(&path, ending, &around, depth + 1, found, gathering);
        } else if let Some(own) = own.strip_suffix(ending) {
            if found.len() == FILES_MAX {
                return false;
            }
            gathering.places.awaited(&path);
            let name = format!("{around}{own}");
            found.push(Definition { name, path });
        }
    }
    is_whole
}

/// Returns names for a reason, and how many more there are.
pub fn shown(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_MAX);
    let shown: Vec<_> = shown.map(|name| cut(name, NAME_SHOWN_BYTES_MAX)).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("`{}`{more}", shown.join("`, `"))
}
