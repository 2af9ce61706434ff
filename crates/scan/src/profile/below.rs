//! The directories below the working directory, for tools that give the files there when they read a file beside
//! them.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ctxpin_model::limits::SNAPSHOT_LISTED_MAX;
use ctxpin_model::warning::{Code, Note, Warning};

use crate::ScanError;
use crate::directory::LISTING_MAX;
use crate::gather::Gathering;
use crate::path_text::source_text;
use crate::searches::{Found, Wanted};

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The greatest number of directories that are looked at, with the working directory.
    directories: usize,
    /// How deep below the working directory they are.
    depth: usize,
    /// The greatest number of entries of one directory that are looked at.
    entries: usize,
    /// The greatest number of directories with files.
    found: usize,
}

/// The limits of every scan. The tools have none, because they only look at the directories of the files that they
/// read. A snapshot lists no more files than directories are found, and each of these takes a watch.
const LIMITS: Limits = Limits {
    directories: 50_000,
    depth: 12,
    entries: LISTING_MAX,
    found: SNAPSHOT_LISTED_MAX,
};

/// The directory of git, in which no model works.
const GIT: &str = ".git";

/// Returns the directories below the working directory that have an entry of one of the names, those nearest to it
/// first. Follows no link. An earlier search counts if the caller of the scan kept it.
///
/// # Errors
///
/// Fails if the caller has cancelled the scan.
pub(super) fn directories(
    wanted: Wanted,
    gathering: &mut Gathering,
) -> Result<Vec<PathBuf>, ScanError> {
    let found = match gathering.searches.kept(&wanted) {
        Some(found) => found.clone(),
        None => {
            let passed_over = gathering.searches.passed_over();
            let walk = Walk::of(&wanted, passed_over, LIMITS);
            let found = walk.run(&|| gathering.go_on())?;
            gathering.searches.keep(wanted, &found);
            found
        }
    };
    if let Some(remark) = found.remark {
        gathering.remark(remark);
    }
    for note in found.notes {
        gathering.add_note(note);
    }
    Ok(found.directories)
}

/// A search under way.
struct Walk<'s> {
    wanted: &'s Wanted,
    passed_over: &'s HashSet<PathBuf>,
    limits: Limits,
    /// The directories to look at, with their depths. No directory comes before a less deep one.
    waiting: VecDeque<(PathBuf, usize)>,
    found: Found,
    too_deep: Cut,
    too_long: Cut,
    unlisted: Cut,
}

/// Directories that were not searched for the same reason.
#[derive(Default)]
struct Cut {
    first: Option<PathBuf>,
    others: usize,
}

impl Cut {
    fn add(&mut self, directory: &Path) {
        match self.first {
            None => self.first = Some(directory.to_owned()),
            Some(_) => self.others += 1,
        }
    }

    /// Returns a note about the first directory, if there is one.
    fn note(self, why: &str) -> Option<Note> {
        let others = match self.others {
            0 => String::new(),
            1 => "; this is true of 1 other directory".to_owned(),
            others => format!("; this is true of {others} other directories"),
        };
        Some(Note {
            source: Some(source_text(&self.first?).0),
            warning: Warning::new(Code::SearchCut).about(format!("{why}{others}")),
        })
    }
}

impl<'s> Walk<'s> {
    fn of(wanted: &'s Wanted, passed_over: &'s HashSet<PathBuf>, limits: Limits) -> Self {
        Self {
            wanted,
            passed_over,
            limits,
            waiting: [(wanted.working.clone(), 0)].into(),
            found: Found {
                searched: 1,
                ..Found::default()
            },
            too_deep: Cut::default(),
            too_long: Cut::default(),
            unlisted: Cut::default(),
        }
    }

    fn run(mut self, go_on: &dyn Fn() -> Result<(), ScanError>) -> Result<Found, ScanError> {
        while let Some((directory, depth)) = self.waiting.pop_front() {
            go_on()?;
            let mut entries = match Entries::of(&directory, self.wanted, self.limits.entries) {
                Ok(entries) => entries,
                // It was removed or replaced after its name was read.
                Err(error) if is_gone(&error) => continue,
                Err(_) => {
                    self.unlisted.add(&directory);
                    continue;
                }
            };
            let is_searched = |name: &String| !self.passed_over.contains(&directory.join(name));
            entries.directories.retain(is_searched);
            if entries.is_cut {
                self.too_long.add(&directory);
            }
            if depth == self.limits.depth && !entries.directories.is_empty() {
                self.too_deep.add(&directory);
            }
            if depth < self.limits.depth {
                self.wait_for(&directory, entries.directories, depth + 1);
            }
            if depth > 0 && entries.has_names {
                if self.found.directories.len() == self.limits.found {
                    let found = self.limits.found;
                    self.end(format!("{found} directories with such files were read"));
                    break;
                }
                self.found.directories.push(directory);
            }
        }
        Ok(self.finish())
    }

    /// Queues directories of a directory, as many as the limit allows.
    fn wait_for(&mut self, directory: &Path, names: Vec<String>, depth: usize) {
        let directories = self.limits.directories;
        let left = directories - self.found.searched;
        if names.len() > left {
            self.end(format!("{directories} directories were searched"));
        }
        let below = names.into_iter().take(left);
        let below = below.map(|name| (directory.join(name), depth));
        let queued = self.waiting.len();
        self.waiting.extend(below);
        self.found.searched += self.waiting.len() - queued;
    }

    /// Notes why the search does not reach everything.
    fn end(&mut self, limit: String) {
        let Wanted { working, tool, .. } = self.wanted;
        let working = source_text(working).0;
        self.found.remark = Some(format!(
            "{tool} gives files below {working} too, but only the nearest {limit}; an agent in a directory below finds those there"
        ));
    }

    fn finish(self) -> Found {
        let tool = self.wanted.tool;
        let Limits { depth, entries, .. } = self.limits;
        let too_deep = format!(
            "ctxpin looks for files of {tool} {depth} directories deep, and not below this one"
        );
        let too_long =
            format!("ctxpin looks for files of {tool} at its first {entries} entries only");
        let unlisted =
            format!("it cannot be listed, so ctxpin looks for no file of {tool} in and below it");
        let notes = [
            self.too_deep.note(&too_deep),
            self.too_long.note(&too_long),
            self.unlisted.note(&unlisted),
        ];
        Found {
            notes: notes.into_iter().flatten().collect(),
            ..self.found
        }
    }
}

/// What a directory holds, as far as it matters here.
#[derive(Default)]
struct Entries {
    /// The names of the directories in it, in their order, without links.
    directories: Vec<String>,
    /// Whether it has an entry of one of the names.
    has_names: bool,
    /// Whether it has more entries than were looked at.
    is_cut: bool,
}

impl Entries {
    fn of(directory: &Path, wanted: &Wanted, entries_max: usize) -> io::Result<Self> {
        let mut entries = Self::default();
        for (index, entry) in fs::read_dir(directory)?.enumerate() {
            if index == entries_max {
                entries.is_cut = true;
                let mut names = wanted.names.iter().map(|name| directory.join(name));
                entries.has_names |= names.any(|path| path.symlink_metadata().is_ok());
                break;
            }
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            entries.has_names |= wanted.names.contains(&name.as_str());
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && ![GIT, wanted.closed].contains(&name.as_str()) {
                entries.directories.push(name);
            }
        }
        entries.directories.sort_unstable();
        Ok(entries)
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a directory for `CLAUDE.md` within small limits, but not in `dist`.
    fn found_in(working: &Path) -> Found {
        let wanted = Wanted {
            working: working.to_owned(),
            names: vec!["CLAUDE.md"],
            closed: ".claude",
            tool: "Claude Code",
        };
        let limits = Limits {
            directories: 7,
            depth: 2,
            entries: 4,
            found: 3,
        };
        let passed_over = [working.join("dist")].into();
        let walk = Walk::of(&wanted, &passed_over, limits);
        walk.run(&|| Ok(())).unwrap()
    }

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn with(files: &[&str]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            for file in files {
                tree.add(file);
            }
            tree
        }

        fn add(&self, file: &str) {
            let path = self.0.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }

        /// Checks which directories are found, and what the remark and the notes hold.
        fn check(&self, directories: &[&str], remark: Option<&str>, notes: &[&str]) {
            let found = found_in(self.0.path());
            let expected: Vec<_> = directories
                .iter()
                .map(|path| self.0.path().join(path))
                .collect();
            assert_eq!(found.directories, expected);
            let expected = remark.map(|limit| {
                format!(
                    "Claude Code gives files below {} too, but only the nearest {limit}; \
                     an agent in a directory below finds those there",
                    self.0.path().display()
                )
            });
            assert_eq!(found.remark, expected);
            let base = format!("{}/", self.0.path().display());
            let told = found.notes.iter().map(|note| {
                let source = note.source.as_deref().unwrap_or_default();
                let detail = note.warning.detail.as_deref().unwrap_or_default();
                format!("{}: {detail}", source.replace(&base, ""))
            });
            assert_eq!(told.collect::<Vec<_>>(), notes);
        }
    }

    #[test]
    fn the_nearest_directories_are_searched() {
        let tree = Tree::with(&["a/1/x", "a/2/x", "b/1/CLAUDE.md", "b/2/CLAUDE.md"]);
        tree.check(&["b/1", "b/2"], None, &[]);
        tree.add("c/CLAUDE.md");
        tree.check(&["c", "b/1"], Some("7 directories were searched"), &[]);
    }

    #[test]
    fn the_nearest_directories_with_files_are_read() {
        let tree = Tree::with(&["a/1/CLAUDE.md", "b/CLAUDE.md", "c/CLAUDE.md"]);
        tree.check(&["b", "c", "a/1"], None, &[]);
        tree.add("a/2/CLAUDE.md");
        let remark = "3 directories with such files were read";
        tree.check(&["b", "c", "a/1"], Some(remark), &[]);
    }

    #[test]
    fn a_directory_that_is_passed_over_takes_no_room() {
        let tree = Tree::with(&["a/1/x", "a/2/x", "b/1/x", "b/2/CLAUDE.md"]);
        for number in 0..9 {
            tree.add(&format!("dist/{number}/CLAUDE.md"));
        }
        tree.check(&["b/2"], None, &[]);
    }

    #[test]
    fn a_directory_past_the_depth_is_told_once() {
        let tree = Tree::with(&["a/1/CLAUDE.md", "a/1/.claude/x", "a/1/.git/x"]);
        tree.check(&["a/1"], None, &[]);
        let note =
            "a/1: ctxpin looks for files of Claude Code 2 directories deep, and not below this one";
        tree.add("a/1/deep/CLAUDE.md");
        tree.check(&["a/1"], None, &[note]);
        tree.add("a/2/deep/CLAUDE.md");
        let more = format!("{note}; this is true of 1 other directory");
        tree.check(&["a/1"], None, &[&more]);
        tree.add("b/1/deep/CLAUDE.md");
        let more = format!("{note}; this is true of 2 other directories");
        tree.check(&["a/1"], None, &[&more]);
    }

    #[test]
    fn a_long_directory_is_searched_in_part_and_its_own_file_found() {
        let tree = Tree::with(&["a/1", "a/2", "a/3", "a/CLAUDE.md"]);
        tree.check(&["a"], None, &[]);
        for name in 4..40 {
            tree.add(&format!("a/{name}"));
        }
        let note = "a: ctxpin looks for files of Claude Code at its first 4 entries only";
        tree.check(&["a"], None, &[note]);
    }

    #[test]
    fn the_limits_are_those_of_the_documents() {
        let Limits {
            directories,
            depth,
            entries,
            found,
        } = LIMITS;
        assert_eq!(
            (directories, depth, entries, found),
            (50_000, 12, 10_000, 2_000)
        );
    }
}
