//! A generated workspace: what is written where, and where the tool is started.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Context as _;

/// The home of the person, below the base.
pub const HOME: &str = "home";

/// The repository, below the base.
pub const PROJECT: &str = "project";

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
    #[cfg(test)]
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

    /// Writes everything below a directory that exists.
    pub fn make(&self, base: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(base.join(&self.working))?;
        for (path, entry) in &self.entries {
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
        Ok(())
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
