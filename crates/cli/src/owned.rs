//! Whose a file or a directory is. What vouches for a server, or holds a token, is believed only if nobody
//! else can have written it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

use crate::data_directory::DATA_DIRECTORY_VARIABLE;
use crate::say::{self, Failure};

/// Refuses a directory that is another user's, or in which others may write. It may be missing, and a link
/// counts for what it leads to.
///
/// # Errors
///
/// If it is refused, or cannot be looked at.
pub fn directory_demand(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) => demand(path, &metadata, Kind::Directory),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unseen(path, &error)),
    }
}

/// Refuses a file that is another user's, that others may write, or that is a link. It may be missing.
///
/// # Errors
///
/// If it is refused, or cannot be looked at.
pub fn file_demand(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(Failure::new(format!(
            "{} is a link, and ctxpin makes none there",
            say::path(&path)
        ))
        .hint("take it away, and start the command again")),
        Ok(metadata) => demand(path, &metadata, Kind::File),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unseen(path, &error)),
    }
}

/// Refuses a file of a token that is another user's, unless that is root, or that others may write.
///
/// # Errors
///
/// If it is refused.
pub fn token_demand(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    let own = geteuid().as_raw();
    let owner = if metadata.uid() == 0 {
        own
    } else {
        metadata.uid()
    };
    told(
        path,
        unfit(owner, metadata.mode(), own, Kind::Token),
        Kind::Token,
    )
}

/// Refuses to root to make a directory below one that another user has: that user could not use it.
///
/// # Errors
///
/// If it is refused.
pub fn place_demand(path: &Path) -> Result<(), Failure> {
    let mut there = path
        .ancestors()
        .filter_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((there, metadata)) = there.next() else {
        return Ok(());
    };
    let owner = metadata.uid();
    match is_foreign_place(owner, geteuid().as_raw()) {
        true => {
            let shown = say::path(&there);
            let reason = format!("{shown} belongs to the user {owner}, and you are root");
            Err(Failure::new(reason).hint(root_hint()))
        }
        false => Ok(()),
    }
}

fn demand(path: &Path, metadata: &Metadata, kind: Kind) -> Result<(), Failure> {
    let unfit = unfit(metadata.uid(), metadata.mode(), geteuid().as_raw(), kind);
    told(path, unfit, kind)
}

fn told(path: &Path, unfit: Option<Unfit>, kind: Kind) -> Result<(), Failure> {
    match unfit {
        None => Ok(()),
        Some(Unfit { reason, remedy }) => {
            let shown = say::path(&path);
            let hint = match remedy {
                Remedy::OtherUser => root_hint(),
                Remedy::Chown(user) => {
                    // Where sudo left a file, it left several.
                    let directory = match kind {
                        Kind::Directory => path,
                        Kind::File | Kind::Token => path.parent().unwrap_or(path),
                    };
                    let directory = say::path(&directory);
                    format!("`sudo chown -R {user} {directory}` makes it yours")
                }
                Remedy::OtherToken => {
                    "take it over into a file of your own, if it is the right one".to_owned()
                }
                Remedy::OtherDirectory => {
                    format!("name a directory of yours in {DATA_DIRECTORY_VARIABLE}")
                }
                Remedy::Chmod => format!(
                    "if nobody else has written there, `chmod go-w {shown}` makes it yours alone"
                ),
            };
            Err(Failure::new(format!("{shown} {reason}")).hint(hint))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    /// One that ctxpin keeps.
    File,
    /// One that was named.
    Token,
}

/// Why something is not believed.
#[derive(Debug, PartialEq, Eq)]
struct Unfit {
    reason: String,
    remedy: Remedy,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    /// To be another user.
    OtherUser,
    /// To give it back to that user: sudo left it.
    Chown(u32),
    OtherDirectory,
    OtherToken,
    Chmod,
}

/// Why what belongs to `owner` and has that mode is not for the user `own`.
fn unfit(owner: u32, mode: u32, own: u32, kind: Kind) -> Option<Unfit> {
    if owner != own {
        let (who, remedy) = match (owner, own) {
            _ if kind == Kind::Token => (format!("the user {owner}"), Remedy::OtherToken),
            (_, 0) => (
                format!("the user {owner}, and you are root"),
                Remedy::OtherUser,
            ),
            (0, _) => (
                "root, as what sudo makes does".to_owned(),
                Remedy::Chown(own),
            ),
            _ => (
                format!("the user {owner}, and you are {own}"),
                Remedy::OtherDirectory,
            ),
        };
        let reason = format!("belongs to {who}");
        return Some(Unfit { reason, remedy });
    }
    if mode & 0o022 != 0 {
        let what = match kind {
            Kind::Directory => "others may write in it",
            Kind::File | Kind::Token => "others may write it",
        };
        let reason = format!("cannot be believed: {what} (mode {:o})", mode & 0o7777);
        let remedy = Remedy::Chmod;
        return Some(Unfit { reason, remedy });
    }
    None
}

/// Whether the user `own` makes nothing below what belongs to `owner`. Whoever is not root cannot, where
/// they should not.
fn is_foreign_place(owner: u32, own: u32) -> bool {
    own == 0 && owner != 0
}

fn root_hint() -> String {
    format!(
        "run the command as that user, without sudo; or name a directory of root's in HOME or {DATA_DIRECTORY_VARIABLE}"
    )
}

fn unseen(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} cannot be looked at: {error}", say::path(&path)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn finding_20_what_others_could_have_written_is_not_believed() {
        let check = |owner, mode, own, expected: Option<Remedy>| {
            let found = unfit(owner, mode, own, Kind::Directory).map(|unfit| unfit.remedy);
            assert_eq!(found, expected, "{owner} {mode:o} {own}");
        };
        check(7, 0o40_700, 7, None);
        check(7, 0o40_755, 7, None);
        check(8, 0o40_700, 7, Some(Remedy::OtherDirectory));
        check(7, 0o40_770, 7, Some(Remedy::Chmod));
        check(7, 0o41_777, 7, Some(Remedy::Chmod));
        // Left by sudo, and about to be.
        check(0, 0o40_700, 7, Some(Remedy::Chown(7)));
        check(7, 0o40_700, 0, Some(Remedy::OtherUser));
        check(0, 0o40_700, 0, None);
    }

    #[test]
    fn finding_20_a_token_of_another_is_not_believed() {
        let unfit = unfit(8, 0o100_600, 7, Kind::Token).unwrap();
        assert_eq!(unfit.remedy, Remedy::OtherToken);
        assert_eq!(unfit.reason, "belongs to the user 8");
    }

    #[test]
    fn case_b16_root_makes_nothing_in_the_home_of_another() {
        assert!(is_foreign_place(7, 0));
        for (owner, own) in [(0, 0), (0, 7), (7, 7), (8, 7)] {
            assert!(!is_foreign_place(owner, own), "{owner} {own}");
        }
    }

    #[test]
    fn finding_20_files_and_directories_are_looked_at() {
        let base = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        directory_demand(base.path()).unwrap();
        directory_demand(&base.path().join("a/b")).unwrap();
        let file = base.path().join("file");
        file_demand(&file).unwrap();
        fs::write(&file, "").unwrap();
        file_demand(&file).unwrap();
        mode(&file, 0o666);
        assert!(file_demand(&file).is_err());
        let link = base.path().join("link");
        symlink(base.path(), &link).unwrap();
        directory_demand(&link).unwrap();
        assert!(file_demand(&link).is_err());
        mode(base.path(), 0o777);
        assert!(directory_demand(base.path()).is_err());
        assert!(directory_demand(&link).is_err());
    }
}
