//! opencode's plugin: one file in the directory of the person's own configuration, which is ctxpin's as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_private_files::file;
use serde::{Deserialize, Serialize};

use super::settings_file::{directories_missing, directories_remove, replace};
use super::{HookCommand, line, other_notes};
use crate::data_directory::{
    DataDirectory, directory_create, file_remove, file_write, json_read, not_written, unreadable,
    unwritable,
};
use crate::say::{self, Failure, Hint};

/// The plugin, but for its command.
const TEMPLATE: &str = include_str!("opencode.js");

/// The line of the template that holds the command.
const COMMAND_LINE: &str = "const COMMAND = []\n";

/// How the line of the command begins.
const COMMAND_BEGIN: &str = "const COMMAND = ";

/// The greatest size of a file that may be the plugin, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The plugin in a directory of opencode's, and as this machine notes it.
#[derive(Debug)]
pub struct PluginFile {
    path: PathBuf,
    /// What install made, in ctxpin's data directory.
    note: PathBuf,
}

/// What install made.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// The plugin, by its path.
    plugin: PathBuf,
    /// The directories that were missing, the outermost first.
    directories: Vec<PathBuf>,
    /// The hash of what was written. Missing in a note of an earlier version.
    #[serde(default)]
    written: Option<String>,
}

/// Returns the text of the plugin that runs a command.
pub fn text(command: &HookCommand) -> String {
    let words = serde_json::Value::from(command.words());
    TEMPLATE.replace(COMMAND_LINE, &format!("{COMMAND_BEGIN}{words}\n"))
}

impl PluginFile {
    /// Returns the plugin in the directory of a person's own configuration of opencode.
    pub fn of(home: &Path, data: &DataDirectory) -> Self {
        Self {
            path: home.join("plugin/ctxpin.js"),
            note: data.hooks().join(format!("{}.json", Profile::Opencode)),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the words of the command that the plugin runs, or `None` if there is no plugin.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or is not ctxpin's.
    pub fn find(&self) -> Result<Option<Vec<String>>, Failure> {
        let Some(text) = self.read()? else {
            return Ok(None);
        };
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(COMMAND_BEGIN));
        let words = line.and_then(|words| serde_json::from_str(words).ok());
        Ok(Some(words.unwrap_or_default()))
    }

    /// Writes the plugin, in place of another one of ctxpin's. Returns whether it was another one or missing.
    ///
    /// # Errors
    ///
    /// Fails if the file is not ctxpin's or was changed by somebody, or cannot be written.
    pub fn install(&self, command: &HookCommand) -> Result<bool, Failure> {
        let (before, after) = (self.read()?, text(command));
        if before.as_deref() == Some(&*after) {
            return Ok(false);
        }
        self.ensure_unchanged()?;
        let notes = self.notes()?;
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let mut directories = directories_missing(directory);
        if let Some(mut note) = self.noted()? {
            note.directories.retain(|made| !directories.contains(made));
            directories.splice(0..0, note.directories);
        }
        directory_create(self.note.parent().unwrap_or(&self.note))?;
        let note = Note {
            plugin: self.path.clone(),
            directories,
            written: Some(hash(&after)),
        };
        let json = serde_json::to_vec_pretty(&note)
            .map_err(|error| not_written(&self.note).because(error))?;
        file_write(&self.note, &json)?;
        replace(&self.path, &after, 0o600).map_err(|error| unwritable(&self.path, error))?;
        notes
            .iter()
            .filter(|note| **note != self.note)
            .try_for_each(|note| file_remove(note))?;
        Ok(true)
    }

    /// Deletes the plugin, and the directories that install made if nothing else is in them. Returns whether there was
    /// a plugin.
    ///
    /// # Errors
    ///
    /// Fails if the file is not ctxpin's or was changed by somebody, or cannot be deleted.
    pub fn uninstall(&self) -> Result<bool, Failure> {
        let is_found = self.read()?.is_some();
        self.ensure_unchanged()?;
        let (notes, noted) = (self.notes()?, self.noted()?);
        if is_found {
            fs::remove_file(&self.path).map_err(|error| unwritable(&self.path, error))?;
        }
        if let Some(note) = noted {
            directories_remove(&note.directories);
        }
        notes.iter().try_for_each(|note| file_remove(note))?;
        Ok(is_found)
    }

    /// Returns whether somebody changed the file after install wrote it.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or is not ctxpin's.
    pub fn is_changed(&self) -> Result<bool, Failure> {
        let written = self.noted()?.and_then(|note| note.written);
        let present = self.read()?.map(|text| hash(&text));
        let changed = written.zip(present);
        Ok(changed.is_some_and(|(written, present)| written != present))
    }

    fn ensure_unchanged(&self) -> Result<(), Failure> {
        if !self.is_changed()? {
            return Ok(());
        }
        let path = say::path(&self.path).to_string();
        Err(
            Failure::new(format!("{path} was changed after ctxpin wrote it")).hint(Hint::say(
                "move what was added into a plugin of its own, delete the file, and run the command again",
            )),
        )
    }

    fn noted(&self) -> Result<Option<Note>, Failure> {
        for path in self.notes()? {
            let note = json_read::<Note>(&path)?;
            let note = note.filter(|note| note.plugin == self.path);
            if note.is_some() {
                return Ok(note);
            }
        }
        Ok(None)
    }

    /// Returns where it may be noted: by another data directory to which the plugin belongs, and here.
    fn notes(&self) -> Result<Vec<PathBuf>, Failure> {
        let command = line(&self.find()?.unwrap_or_default());
        let mut notes = other_notes(Profile::Opencode, [command.as_str()], &self.note);
        notes.push(self.note.clone());
        Ok(notes)
    }

    /// Returns the text of the file if it is ctxpin's, or `None` if there is no file.
    fn read(&self) -> Result<Option<String>, Failure> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(self.foreign()),
            Err(error) => return Err(unreadable(&self.path).because(error)),
        }
        let (bytes, _) = file::read(&self.path, FILE_BYTES_MAX)
            .map_err(|error| unreadable(&self.path).because(error))?;
        let first_line = TEMPLATE.lines().next();
        let text = String::from_utf8(bytes).ok();
        let text = text.filter(|text| text.lines().next() == first_line);
        text.map(Some).ok_or_else(|| self.foreign())
    }

    fn foreign(&self) -> Failure {
        let path = say::path(&self.path).to_string();
        Failure::new(format!("{path} is not ctxpin's plugin"))
            .hint(Hint::say("move it away, and run the command again"))
    }
}

fn hash(text: &str) -> String {
    BlobHash::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn command() -> HookCommand {
        HookCommand {
            tool: Profile::Opencode,
            program: PathBuf::from("/opt/\"c\" txpin"),
            options: vec![("--data-dir", PathBuf::from("/d"))],
        }
    }

    #[test]
    fn the_plugin_holds_the_words_of_its_command() {
        let text = text(&command());
        let line =
            r#"const COMMAND = ["/opt/\"c\" txpin","hook","run","opencode","--data-dir","/d"]"#;
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn what_install_made_goes_again() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(&directory.path().join("data"));
        let home = directory.path().join("config/opencode");
        let plugin = PluginFile::of(&home, &data);
        for _ in 0..2 {
            assert_eq!(plugin.find().unwrap(), None);
            assert!(plugin.install(&command()).unwrap());
            assert!(!plugin.install(&command()).unwrap());
            assert_eq!(plugin.find().unwrap(), Some(command().words()));
            // A moved program replaces the plugin, and what was made for it before is not forgotten.
            let moved = HookCommand {
                program: PathBuf::from("/usr/bin/ctxpin"),
                ..command()
            };
            assert!(plugin.install(&moved).unwrap());
            assert!(plugin.uninstall().unwrap());
            assert!(!directory.path().join("config").exists());
            assert!(!plugin.uninstall().unwrap());
        }
        fs::create_dir_all(home.join("plugin")).unwrap();
        fs::write(home.join("opencode.json"), "{}").unwrap();
        plugin.install(&command()).unwrap();
        plugin.uninstall().unwrap();
        assert!(home.join("plugin").is_dir());
    }

    #[test]
    fn the_plugin_of_another_data_directory_goes_as_it_came() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("config/opencode");
        let [own, other] = ["data", "other"].map(|name| {
            let data = directory.path().join(name);
            let plugin = PluginFile::of(&home, &DataDirectory::at(&data));
            let options = vec![("--data-dir", data)];
            (
                plugin,
                HookCommand {
                    options,
                    ..command()
                },
            )
        });
        own.0.install(&own.1).unwrap();
        other.0.install(&other.1).unwrap();
        assert!(own.0.uninstall().unwrap());
        assert!(!directory.path().join("config").exists());
        for data in ["data", "other"] {
            assert!(
                !directory
                    .path()
                    .join(data)
                    .join("hooks/opencode.json")
                    .exists()
            );
        }
    }

    #[test]
    fn a_file_of_the_person_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(&directory.path().join("data"));
        let plugin = PluginFile::of(directory.path(), &data);
        fs::create_dir(directory.path().join("plugin")).unwrap();
        let check = || {
            for refused in [
                plugin.install(&command()),
                plugin.uninstall(),
                plugin.find().map(|_| true),
            ] {
                let message = refused.unwrap_err().message().to_owned();
                assert!(message.ends_with("is not ctxpin's plugin"), "{message}");
            }
        };
        fs::write(plugin.path(), "export const Mine = 1\n").unwrap();
        check();
        let text = fs::read_to_string(plugin.path()).unwrap();
        assert_eq!(text, "export const Mine = 1\n");
        fs::remove_file(plugin.path()).unwrap();
        symlink(directory.path().join("gone"), plugin.path()).unwrap();
        check();
        assert!(plugin.path().is_symlink());
    }

    #[test]
    fn lines_of_the_person_in_the_plugin_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(&directory.path().join("data"));
        let plugin = PluginFile::of(directory.path(), &data);
        plugin.install(&command()).unwrap();
        assert!(!plugin.is_changed().unwrap());
        let changed = format!("{}// mine\n", text(&command()));
        fs::write(plugin.path(), &changed).unwrap();
        assert!(plugin.is_changed().unwrap());
        for refused in [plugin.install(&command()), plugin.uninstall()] {
            let message = refused.unwrap_err().message().to_owned();
            assert!(
                message.ends_with("was changed after ctxpin wrote it"),
                "{message}"
            );
        }
        assert_eq!(fs::read_to_string(plugin.path()).unwrap(), changed);
        // Without the line, it is ctxpin's again.
        fs::write(plugin.path(), text(&command())).unwrap();
        assert!(plugin.uninstall().unwrap());
    }
}
