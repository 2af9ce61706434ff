//! Resolves a path by following its links one by one, within limits. The system starts at `/` for each link
//! and goes through every name. With thousands of deep or long links, a scan would take hours.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

/// The greatest number of links on one way, as in Linux.
const LINKS_MAX: usize = 40;

/// The greatest number of names on one way, including those in links. Honest links have a few.
const NAMES_MAX: usize = 256;

/// The greatest number of names that one scan looks up to follow links. Each lookup counts all names above
/// it too, because the system goes through them again. This limit is about a second's work; thousands of
/// honest links take a hundredth of it.
const SCAN_NAMES_MAX: usize = 10_000_000;

/// Follows the links of one scan.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// How many more names may be looked up.
    left: Cell<usize>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            left: Cell::new(SCAN_NAMES_MAX),
        }
    }
}

impl Resolver {
    /// Returns whether the limit of the scan is used up, so that it follows no more links.
    pub fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }

    /// Returns the canonical path to which `way` leads from the canonical path `base`.
    ///
    /// # Errors
    ///
    /// Fails if a component is missing, cannot be looked at or is not a directory, if the way has more than
    /// 40 links or 256 names, or if the limit of the scan is used up.
    pub fn resolve(&self, base: &Path, way: &Path) -> io::Result<PathBuf> {
        let mut real = base.to_owned();
        // The next name comes last.
        let mut left = Vec::new();
        push(&mut left, way);
        let mut depth = base.components().count();
        let (mut names, mut links) = (0, 0);
        while let Some(step) = left.pop() {
            let name = match step {
                Step::Top => {
                    real = PathBuf::from("/");
                    depth = 1;
                    continue;
                }
                Step::Up => {
                    if real.pop() {
                        depth -= 1;
                    }
                    continue;
                }
                Step::Down(name) => name,
            };
            names += 1;
            if names + left.len() > NAMES_MAX {
                let reason = format!("its way has more than {NAMES_MAX} names");
                return Err(io::Error::other(reason));
            }
            self.count(depth)?;
            let next = real.join(name);
            let metadata = fs::symlink_metadata(&next)?;
            if metadata.is_symlink() {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                push(&mut left, &fs::read_link(&next)?);
            } else if !metadata.is_dir() && !left.is_empty() {
                return Err(Errno::NOTDIR.into());
            } else {
                real = next;
                depth += 1;
            }
        }
        Ok(real)
    }

    fn count(&self, names: usize) -> io::Result<()> {
        let left = self.left.get().checked_sub(names);
        self.left.set(left.unwrap_or_default());
        left.map(drop).ok_or_else(|| io::Error::other(USED_UP))
    }
}

/// The message for a link that is not followed because the limit is used up.
pub(crate) const USED_UP: &str = "the links of this scan lead over too many names";

enum Step {
    Top,
    Up,
    Down(OsString),
}

fn push(left: &mut Vec<Step>, way: &Path) {
    let steps = way.components().rev().filter_map(|step| match step {
        Component::RootDir => Some(Step::Top),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    left.extend(steps);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_way_leads_where_the_system_says() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("a/b/c")).unwrap();
        fs::write(base.join("a/file"), "x").unwrap();
        for (link, target) in [
            ("near", "a/b".into()),
            ("a/b/up", "../file".into()),
            ("far", base.join("near/c")),
            ("chain", "far/../up".into()),
            ("gone", "a/nothing".into()),
            ("circle", "circle".into()),
            ("through", "a/file/x".into()),
            ("out", PathBuf::from("/")),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        for way in [
            "near",
            "far",
            "chain",
            "a/b/up",
            "near/up",
            "near/../file",
            "out",
            "out/..",
            "gone",
            "circle",
            "through",
            "a/file/..",
            "a/./b",
            "..",
            "nothing",
            "",
        ] {
            let found = Resolver::default().resolve(&base, Path::new(way));
            let expected = base.join(way).canonicalize();
            let errno = |error: &io::Error| Errno::from_io_error(error);
            assert_eq!(
                found.as_ref().map_err(errno),
                expected.as_ref().map_err(errno),
                "{way}"
            );
        }
    }

    #[test]
    fn finding_15_a_way_of_thousands_of_names_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir(base.join("a")).unwrap();
        let way = |names: usize| format!("{}x", "a/../".repeat(names));
        let resolve = |base: &Path, way: &Path| Resolver::default().resolve(base, way);
        fs::write(base.join("x"), "").unwrap();
        assert!(resolve(&base, Path::new(&way(100))).is_ok());
        let error = resolve(&base, Path::new(&way(300))).unwrap_err();
        assert_eq!(error.to_string(), "its way has more than 256 names");
        // Nor is one whose names are spread over links.
        symlink(way(100), base.join("one")).unwrap();
        symlink(format!("{}one", "a/../".repeat(100)), base.join("two")).unwrap();
        assert!(resolve(&base, Path::new("one")).is_ok());
        assert!(resolve(&base, Path::new("two")).is_err());
    }

    #[test]
    fn finding_15_the_links_of_a_scan_lead_over_so_many_names() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::write(base.join("x"), "").unwrap();
        let depth = base.components().count();
        let resolver = Resolver {
            left: Cell::new(2 * depth),
        };
        for _ in 0..2 {
            assert!(!resolver.is_used_up());
            assert!(resolver.resolve(&base, Path::new("x")).is_ok());
        }
        assert!(resolver.is_used_up());
        let error = resolver.resolve(&base, Path::new("x")).unwrap_err();
        assert_eq!(error.to_string(), USED_UP);
    }
}
