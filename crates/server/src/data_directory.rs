//! The directory in which a server keeps what is its own: its database, its lock, its first token.
//! Whoever else could write there could put a link in the place of any of them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// Makes the directory, for its owner alone, or sees that the one that is there is nobody else's.
///
/// # Errors
///
/// If it cannot be made, or somebody else owns it or may write in it.
pub(crate) fn open(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(directory)?;
    let metadata = fs::metadata(directory)?;
    match unfit(metadata.uid(), metadata.mode(), geteuid().as_raw()) {
        Some(reason) => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)),
        None => Ok(()),
    }
}

/// Why a directory of that owner and mode is not for a server of the user `own`.
fn unfit(owner: u32, mode: u32, own: u32) -> Option<String> {
    if owner != own {
        let remedy = match owner {
            0 => format!("; if sudo made it, `sudo chown -R {own}` makes it yours"),
            _ => String::new(),
        };
        return Some(format!(
            "it belongs to the user {owner}, and the server runs as {own}{remedy}"
        ));
    }
    if mode & 0o022 != 0 {
        let mode = mode & 0o777;
        return Some(format!(
            "others may write in it (mode {mode:o}); `chmod go-w` it, or use another directory"
        ));
    }
    None
}

/// Opens a file for writing, and makes it, for its owner alone, if it is missing. A link is not
/// followed.
///
/// # Errors
///
/// If it is a link, or cannot be opened.
pub(crate) fn file_create(path: &Path) -> io::Result<File> {
    let no_link = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_link)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_that_others_may_write_in_is_refused() {
        assert_eq!(unfit(7, 0o40_700, 7), None);
        // What is there already may be read by others: its files may not.
        assert_eq!(unfit(7, 0o40_755, 7), None);
        for (owner, mode) in [(8, 0o40_700), (0, 0o40_755), (7, 0o40_770), (7, 0o41_777)] {
            assert!(unfit(owner, mode, 7).is_some(), "{owner} {mode:o}");
        }
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        open(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        // A link to what is one's own is a way like any other, one to what is not is none.
        let link = base.path().join("link");
        symlink(&directory, &link).unwrap();
        open(&link).unwrap();
        let shared = base.path().join("shared");
        symlink("/tmp", &shared).unwrap();
        let refused = open(&shared).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn files_are_for_their_owner_and_no_links() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        file_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, "kept").unwrap();
        file_create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        let link = base.path().join("link");
        symlink(base.path().join("elsewhere"), &link).unwrap();
        assert!(file_create(&link).is_err());
        assert!(!base.path().join("elsewhere").exists());
    }
}
