//! Checks of the owner and the permissions of files and directories. A file that describes a server or
//! holds a token is used only if nobody else can have written it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ctxpin_private_files::exposure::{Demand, Exposure};
use rustix::process::geteuid;

use crate::say::{self, Failure, Hint, Setting};

/// Refuses a directory that belongs to another user or is writable for others. The directory may be
/// missing. For a link, the target counts.
///
/// # Errors
///
/// Fails if it is refused, or its metadata cannot be read.
pub fn directory_demand(path: &Path) -> Result<(), Failure> {
    let exposure = Exposure::of_directory(path, Demand::nobody_else_writes());
    require(path, exposure, Kind::Directory)
}

/// Refuses a file that belongs to another user, is writable for others, or is a link. The file may be
/// missing.
///
/// # Errors
///
/// Fails if it is refused, or its metadata cannot be read.
pub fn file_demand(path: &Path) -> Result<(), Failure> {
    let exposure = Exposure::of_file(path, Demand::nobody_else_writes());
    require(path, exposure, Kind::File)
}

/// Returns the failure that a token file belongs to another user than root, or is writable for others.
pub fn token_refusal(path: &Path, exposure: Exposure) -> Failure {
    refusal(path, exposure, Kind::Token)
}

/// Returns whether everybody on this machine can read the user's own file. One that root owns, such as a mounted secret,
/// must be readable for others.
pub fn is_for_all(metadata: &Metadata) -> bool {
    metadata.mode() & 0o004 != 0 && metadata.uid() == geteuid().as_raw()
}

/// Refuses root a new directory below a directory of another user, because that user could not use it.
///
/// # Errors
///
/// Fails if it is refused.
pub fn place_demand(path: &Path) -> Result<(), Failure> {
    let mut there = path
        .ancestors()
        .filter_map(|path| Some((path, fs::metadata(path).ok()?)));
    let Some((there, metadata)) = there.next() else {
        return Ok(());
    };
    let owner = metadata.uid();
    match is_foreign_place(owner, geteuid().as_raw()) {
        true => Err(foreign_to_root(there, owner)),
        false => Ok(()),
    }
}

fn require(path: &Path, found: io::Result<Option<Exposure>>, kind: Kind) -> Result<(), Failure> {
    match found {
        Ok(None) => Ok(()),
        Ok(Some(exposure)) => Err(refusal(path, exposure, kind)),
        Err(error) => {
            Err(Failure::new(format!("{} cannot be checked", say::path(&path))).because(error))
        }
    }
}

/// Returns the failure that a file or a directory is refused, with hints what to do.
fn refusal(path: &Path, exposure: Exposure, kind: Kind) -> Failure {
    let shown = say::path(&path);
    match exposure {
        Exposure::Link => Failure::new(format!("{shown} is a link, and ctxpin creates none there"))
            .hint(Hint::say("remove it, and run the command again")),
        Exposure::ForeignOwner { owner, .. } if kind == Kind::Token => {
            Failure::new(format!("{shown} belongs to the user {owner}")).hint(Hint::say(
                "copy it into a file of your own, if it is the right token",
            ))
        }
        Exposure::ForeignOwner { owner, own: 0 } => foreign_to_root(path, owner),
        Exposure::ForeignOwner { owner: 0, own } => {
            // `sudo` usually creates several files at once.
            let directory = match kind {
                Kind::Directory => path,
                Kind::File | Kind::Token => path.parent().unwrap_or(path),
            };
            Failure::new(format!(
                "{shown} belongs to root, like all files that sudo creates"
            ))
            .hint(Hint::say(format!(
                "`sudo chown -R {own} {}` makes it yours",
                say::path(&directory)
            )))
        }
        Exposure::ForeignOwner { owner, own } => Failure::new(format!(
            "{shown} belongs to the user {owner}, and you are {own}"
        ))
        .hint(Hint::set(
            Setting::DataDirectoryVariable,
            "names a directory of yours",
        )),
        Exposure::OthersWrite { .. } if kind == Kind::Token => {
            Failure::new(format!("{shown} is not trusted: {exposure}")).hint(Hint::say(format!(
                "if nobody else has written there, `chmod 600 {shown}` makes it yours alone; \
                 others may have read the token, and `ctxpin token revoke` ends it"
            )))
        }
        Exposure::OthersWrite { .. } | Exposure::OthersEnter { .. } => {
            Failure::new(format!("{shown} is not trusted: {exposure}")).hint(Hint::say(format!(
                "if nobody else has written there, `chmod go-w {shown}` makes it yours alone"
            )))
        }
    }
}

fn foreign_to_root(path: &Path, owner: u32) -> Failure {
    let shown = say::path(&path);
    Failure::new(format!(
        "{shown} belongs to the user {owner}, and you are root"
    ))
    .hint(Hint::say("run the command as that user, without sudo"))
    .hint(Hint::set(Setting::Home, "names a directory of root's"))
    .hint(Hint::set(
        Setting::DataDirectoryVariable,
        "names a directory of root's too",
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    /// A file that ctxpin keeps.
    File,
    /// A token file that the user named.
    Token,
}

/// Returns whether the user `own` must create nothing below a directory of `owner`. Other users than root
/// are stopped by the system itself.
fn is_foreign_place(owner: u32, own: u32) -> bool {
    own == 0 && owner != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn finding_20_what_others_could_have_written_is_not_believed() {
        let check = |owner, own, kind, expected: [&str; 2]| {
            let exposure = Exposure::ForeignOwner { owner, own };
            let said = format!("{:?}", refusal(Path::new("/d/f"), exposure, kind));
            for part in expected {
                assert!(said.contains(part), "{said}");
            }
        };
        let yours = "names a directory of yours";
        check(
            8,
            7,
            Kind::Directory,
            ["belongs to the user 8, and you are 7", yours],
        );
        // What `sudo` created, and what it would create.
        let chown = "`sudo chown -R 7 /d/f`";
        check(
            0,
            7,
            Kind::Directory,
            ["belongs to root, like all files that sudo creates", chown],
        );
        check(
            0,
            7,
            Kind::File,
            ["belongs to root", "`sudo chown -R 7 /d`"],
        );
        check(7, 0, Kind::File, ["and you are root", "without sudo"]);
        check(
            8,
            7,
            Kind::Token,
            ["belongs to the user 8", "a file of your own"],
        );
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
