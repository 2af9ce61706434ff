//! A generated workspace: what is written where, and where the tool is started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, ensure};

/// The home of the person, below the base.
pub const HOME: &str = "home";

/// The repository, below the base.
pub const PROJECT: &str = "project";

/// Where workspaces are made: a file system in memory, which lists the newest entry of a directory first.
pub const PLACE: &str = "/dev/shm";

/// The size of the largest file that ctxpin takes, in bytes. Claude Code takes four times as many.
pub const MIB: usize = 1024 * 1024;

/// What stands for the base in a text. The path is not known when the text is made.
const BASE: &str = "{base}";

/// An entry of a workspace.
#[derive(Debug, Clone)]
pub enum Entry {
    File(String),
    Link(String),
    Directory,
}

/// What is written into one directory, the base. Paths are relative to it.
#[derive(Debug, Default)]
pub struct Workspace {
    entries: BTreeMap<String, Entry>,
    /// Where the tool is started.
    pub working: String,
    /// A file that the model reads, if the tool gives more with it.
    pub wanted: Option<String>,
}

impl Workspace {
    /// Adds a file. A later one takes the place of an earlier one.
    pub fn write(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.entries.insert(path.into(), Entry::File(text.into()));
    }

    /// Adds an entry unless something is there.
    pub fn add(&mut self, path: impl Into<String>, entry: Entry) {
        self.entries.entry(path.into()).or_insert(entry);
    }

    /// Adds what git demands of a repository.
    pub fn add_repository(&mut self, path: &str) {
        self.add(
            format!("{path}/HEAD"),
            Entry::File("ref: refs/heads/main\n".into()),
        );
        for name in ["objects", "refs"] {
            self.add(format!("{path}/{name}/.keep"), Entry::File(String::new()));
        }
    }

    /// Returns the paths of the files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.entries.iter();
        let files = files.filter(|(_, entry)| matches!(entry, Entry::File(_)));
        files.map(|(path, _)| path.as_str())
    }

    /// Lengthens a file to a number of bytes with a line of its own, and takes out what could be an import.
    pub fn pad(&mut self, path: &str, size_bytes: usize) {
        if let Some(Entry::File(text)) = self.entries.get_mut(path) {
            *text = text.replace('@', " ").replace(BASE, "base");
            let missing = size_bytes.saturating_sub(text.len() + 2);
            *text += &format!("\n{}\n", "x".repeat(missing));
        }
    }

    /// Removes the file or link at a path.
    pub fn remove_file(&mut self, path: &str) {
        self.entries.remove(path);
    }

    /// Removes all entries with this name.
    pub fn remove(&mut self, name: &str) {
        self.entries
            .retain(|path, _| !path.ends_with(&format!("/{name}")));
    }

    /// Returns whether an entry has this path or lies below it.
    pub fn has(&self, path: &str) -> bool {
        let mut behind = self.entries.range(path.to_owned()..);
        behind
            .next()
            .is_some_and(|(entry, _)| Path::new(entry).starts_with(path))
    }

    /// Returns the directories of the project, each before those below it.
    pub fn directories(&self) -> Vec<String> {
        let is_directory = |(path, entry): (&String, &Entry)| {
            matches!(entry, Entry::Directory).then(|| path.clone())
        };
        self.entries.iter().filter_map(is_directory).collect()
    }

    /// Returns the paths of the entries, each with what is there.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// Changes the text of each file.
    pub fn change_texts(&mut self, change: impl Fn(&str) -> String) {
        for entry in self.entries.values_mut() {
            if let Entry::File(text) = entry {
                *text = change(text);
            }
        }
    }

    /// Writes everything below a directory that exists. Each directory then lists its entries in the order of their names, or
    /// in the reverse order. Some tools take files as the file system lists them, and ctxpin has these in the order of their
    /// names.
    ///
    /// # Errors
    ///
    /// Fails if a directory lists its entries in another order. Any may that does not lie in [`PLACE`].
    pub fn make(&self, base: &Path, is_reverse: bool) -> anyhow::Result<()> {
        // By their parts, so that what one directory holds stands together and behind it.
        let entries = self.entries.iter().map(|(path, entry)| {
            let path = Path::new(path);
            (path.strip_prefix(".").unwrap_or(path), entry)
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|(path, _)| *path);
        // The newest entry is the first.
        if !is_reverse {
            entries.reverse();
        }
        for (path, entry) in entries {
            let path = base.join(path);
            let parent = path.parent().context("an entry lies below the base")?;
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
            match entry {
                Entry::Directory => fs::create_dir_all(&path)?,
                Entry::File(text) => {
                    fs::write(&path, text.replace(BASE, &base.to_string_lossy()))?;
                }
                Entry::Link(target) => symlink(target, &path)?,
            }
        }
        check_order(base, is_reverse)
    }

    /// Prints the entries, and the beginning of each file.
    pub fn print(&self) {
        println!("started in {}", self.working);
        if let Some(wanted) = &self.wanted {
            println!("the model reads {wanted}");
        }
        for (path, entry) in &self.entries {
            match entry {
                Entry::Directory => println!("  {path}/"),
                Entry::Link(target) => println!("  {path} -> {target}"),
                Entry::File(text) => {
                    let begin: String = text.chars().take(200).collect();
                    println!("  {path} ({} bytes) {begin:?}", text.len());
                }
            }
        }
    }
}

/// Checks that a directory and those below it list their entries in the order of their names, or in the reverse order.
fn check_order(directory: &Path, is_reverse: bool) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            check_order(&entry.path(), is_reverse)?;
        }
        names.push(entry.file_name());
    }
    if is_reverse {
        names.reverse();
    }
    ensure!(
        names.is_sorted(),
        "{} lists its newest entry not first, so the order of files cannot be compared; {PLACE} must be a tmpfs",
        directory.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_lists_its_entries_in_the_order_of_their_names() {
        let mut workspace = Workspace::default();
        for path in [
            "project/a/d.md",
            "./b.md",
            "project/a.md",
            "project/a b/c.md",
            "a.md",
            "project/a/c/x.md",
        ] {
            workspace.write(path, "");
        }
        workspace.add("project/z", Entry::Directory);
        workspace.add("project/b", Entry::Link("a".into()));
        for is_reverse in [false, true] {
            let directory = tempfile::tempdir_in(PLACE).unwrap();
            workspace.make(directory.path(), is_reverse).unwrap();
            for name in ["zz", "aa"] {
                fs::write(directory.path().join("project").join(name), "").unwrap();
            }
            check_order(directory.path(), is_reverse).unwrap_err();
        }
    }
}
