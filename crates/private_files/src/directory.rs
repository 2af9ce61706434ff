//! Private directories.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::exposure::{Demand, Exposure};

/// Creates a directory and its missing parents with the mode 0700. Leaves an existing directory as it is.
///
/// # Errors
///
/// Fails if the directory cannot be created.
pub fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a directory as [`create`] does, or checks the existing one. A link to a directory of the user is
/// accepted.
///
/// # Errors
///
/// Fails if the directory cannot be created, and with [`io::ErrorKind::PermissionDenied`] if it breaks the
/// demand. The text of this error says what to do.
pub fn open(path: &Path, demand: Demand) -> io::Result<()> {
    create(path)?;
    match Exposure::of(&fs::metadata(path)?, demand) {
        None => Ok(()),
        Some(exposure) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            with_remedy(exposure),
        )),
    }
}

fn with_remedy(exposure: Exposure) -> String {
    match exposure {
        Exposure::ForeignOwner { owner: 0, own } => {
            format!("{exposure}; if sudo made it, `sudo chown -R {own}` makes it yours")
        }
        Exposure::ForeignOwner { .. } | Exposure::Link => {
            format!("{exposure}; use another directory")
        }
        Exposure::OthersWrite { .. } => {
            format!("{exposure}; `chmod go-w` it, or use another directory")
        }
        Exposure::OthersEnter { .. } => {
            format!("{exposure}; `chmod 700` it, or use another directory")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_that_others_may_write_in_is_refused() {
        let writes = Demand::nobody_else_writes();
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("a/b");
        open(&directory, writes).unwrap();
        for made in [&base.path().join("a"), &directory] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, 0o700);
        }
        let link = base.path().join("link");
        symlink(&directory, &link).unwrap();
        open(&link, writes).unwrap();
        let shared = base.path().join("shared");
        symlink("/tmp", &shared).unwrap();
        let refused = open(&shared, writes).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        // Others may read what was there before, if the caller allows it.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        open(&directory, writes).unwrap();
        let refused = open(&directory, Demand::nobody_else_enters()).unwrap_err();
        let expected = "others may enter it (mode 755); `chmod 700` it, or use another directory";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn a_file_in_the_way_is_no_directory() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create(&file).is_err());
        assert!(create(&file.join("below")).is_err());
    }
}
