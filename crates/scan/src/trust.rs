//! Whose directories are trusted. A model receives what a scan reads, so everybody who may write into a root
//! speaks to the model in the person's name.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::path_text::for_a_shell;

/// The user who may do everything on a machine, so that distrust is pointless.
const ROOT_UID: u32 = 0;

/// The variable in which `sudo` reports its caller.
const SUDO_UID: &str = "SUDO_UID";

/// Whose directories are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The ids of the users who count as the person that scans.
    own: Vec<u32>,
    /// The absolute paths of directories that are trusted with everything below them, whoever owns them.
    /// A missing directory is ignored.
    pub roots: Vec<PathBuf>,
}

impl Trust {
    /// Trusts the user `uid`. If that is root, also trusts the caller of `sudo`, whose id is `sudo_uid`, as
    /// git does.
    pub fn of(uid: u32, sudo_uid: Option<&str>) -> Self {
        let caller = sudo_uid.filter(|_| uid == ROOT_UID);
        let caller = caller.and_then(|caller| caller.parse().ok());
        Self {
            own: std::iter::once(uid).chain(caller).collect(),
            roots: Vec::new(),
        }
    }

    /// Trusts the user of this process as [`Trust::of`] does.
    pub fn of_process() -> Self {
        let sudo_uid = std::env::var(SUDO_UID).ok();
        Self::of(rustix::process::geteuid().as_raw(), sudo_uid.as_deref())
    }

    /// Returns the same trust with canonical roots, as they are at this moment.
    pub(crate) fn settled(&self) -> Self {
        let roots = self.roots.iter();
        Self {
            own: self.own.clone(),
            roots: roots.filter_map(|root| root.canonicalize().ok()).collect(),
        }
    }

    /// Returns whether a canonical path lies in one of the trusted directories.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

    /// Returns whether a file or a directory belongs to the person.
    pub(crate) fn is_own(&self, metadata: &Metadata) -> bool {
        self.own.contains(&metadata.uid())
    }

    /// Returns whether a file of the user `owner` at a canonical path is trusted.
    pub(crate) fn is_believed(&self, owner: u32, path: &Path) -> bool {
        owner == ROOT_UID || self.own.contains(&owner) || self.covers(path)
    }

    /// Returns why a root that a person named is not trusted. Returns `None` if it is. A directory of root is
    /// trusted unless everybody may write there, because root controls the machine in any case.
    pub(crate) fn doubt_of_named(&self, path: &Path, metadata: &Metadata) -> Option<Doubt> {
        if self.is_own(metadata) || self.covers(path) {
            return None;
        }
        match metadata.uid() {
            ROOT_UID => is_open(metadata).then_some(Doubt::Open),
            owner => Some(Doubt::Owner(owner)),
        }
    }

    /// Returns why the search for the project stops at a directory above the working directory. Returns
    /// `None` if the directory is trusted. `device` is the working directory's file system.
    pub(crate) fn doubt_of_ancestor(&self, path: &Path, device: u64) -> Option<Doubt> {
        if self.covers(path) {
            return None;
        }
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return Some(Doubt::Unknown(error.to_string())),
        };
        if metadata.dev() != device {
            return Some(Doubt::Border);
        }
        if !self.is_own(&metadata) && metadata.uid() != ROOT_UID {
            return Some(Doubt::Owner(metadata.uid()));
        }
        is_open(&metadata).then_some(Doubt::Open)
    }
}

/// The reason why a directory is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    /// It belongs to another user, whose id this is.
    #[error("it belongs to the user {0}")]
    Owner(u32),
    /// Everybody may create files in it.
    #[error("everybody may write in it")]
    Open,
    /// It lies on another file system, which somebody else may have mounted.
    #[error("it lies on another file system than the working directory")]
    Border,
    /// Its `.git` belongs to another user, whose id this is.
    #[error("its .git belongs to the user {0}")]
    Repository(u32),
    /// Its owner is unknown.
    #[error("it cannot be looked at: {0}")]
    Unknown(String),
}

/// Returns the advice that says how to trust a directory.
pub(crate) fn advice(path: &Path) -> String {
    format!(
        "if you trust whoever writes there, have it scanned with `--trust-root {}`",
        for_a_shell(path)
    )
}

/// Returns the line of TOML with which the machine's operator trusts a directory.
pub(crate) fn operator_line(path: &Path) -> String {
    let mut text = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text += &format!("\\u{:04X}", u32::from(c)),
            c => text.push(c),
        }
    }
    format!("trust_roots = [\"{text}\"]")
}

/// Returns whether everybody may create files in a directory. The sticky bit (mode 1777) keeps users from
/// removing files of others, but not from adding their own.
fn is_open(metadata: &Metadata) -> bool {
    metadata.is_dir() && metadata.mode() & 0o002 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_also_who_called_sudo() {
        let own = |uid, sudo_uid| Trust::of(uid, sudo_uid).own;
        assert_eq!(own(1000, None), [1000]);
        assert_eq!(own(0, Some("1000")), [0, 1000]);
        // Anybody can set the variable.
        assert_eq!(own(1000, Some("0")), [1000]);
        assert_eq!(own(0, Some("")), [0]);
        assert_eq!(own(0, Some("-1")), [0]);
    }

    #[test]
    fn finding_07_going_up_stops_at_a_file_systems_border() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let device = fs::metadata(&path).unwrap().dev();
        let mut trust = Trust::of_process();
        assert_eq!(trust.doubt_of_ancestor(&path, device), None);
        let other = device ^ 1;
        assert_eq!(trust.doubt_of_ancestor(&path, other), Some(Doubt::Border));
        trust.roots.push(path.clone());
        assert_eq!(trust.doubt_of_ancestor(&path, other), None);
    }

    #[test]
    fn the_operators_line_is_toml() {
        let check = |path: &str, expected: &str| {
            assert_eq!(operator_line(Path::new(path)), expected);
        };
        check("/srv/a b", r#"trust_roots = ["/srv/a b"]"#);
        check("/a\"\\\n", r#"trust_roots = ["/a\"\\\u000A"]"#);
    }
}
