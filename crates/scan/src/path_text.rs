//! Paths as texts: in a snapshot, and in a command.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::SOURCE_BYTES_MAX;
use ctxpin_model::resource::fit_source;

/// Returns the text of a path in a snapshot, and the reason if the path cannot be a source.
pub(crate) fn source_text(path: &Path) -> (String, Option<&'static str>) {
    match path.to_str() {
        Some(text) if text.len() <= SOURCE_BYTES_MAX => (text.to_owned(), None),
        Some(text) => (
            fit_source(text),
            Some("its path is longer than 1,024 bytes"),
        ),
        None => {
            // Different bytes may become the same text. Their hash keeps them apart.
            let bytes = path.as_os_str().as_bytes();
            let digits = &BlobHash::of(bytes).hex()[..16];
            let text = format!("{}~{digits}", path.to_string_lossy());
            (fit_source(&text), Some("its path is not UTF-8"))
        }
    }
}

/// Returns a path as a word of a shell command, quoted if necessary.
pub(crate) fn for_a_shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    match path.chars().all(is_plain) {
        true => path.into_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}
