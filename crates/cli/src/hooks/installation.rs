//! Hooks in a tool's settings: putting them in, taking them out, and what was done.

use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};

use super::settings_file::{SettingsFile, directories_remove};
use super::settings_text::{self, Inserted, SettingsError};
use super::{EVENTS, SECONDS_MAX, is_ours};
use crate::data_directory::{
    DataDirectory, directory_create, file_remove, file_write, json_read, unwritable,
};
use crate::say::{self, Failure, Hint};

/// Hooks of one tool: in its settings, and as this machine notes them.
#[derive(Debug)]
pub struct Installation {
    tool: Profile,
    settings: SettingsFile,
    /// What the last edit did, in ctxpin's data directory.
    note: PathBuf,
}

/// The last edit of a tool's settings. It holds no text of the person's.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The settings, by their path.
    settings: PathBuf,
    /// Whether the edit created the file.
    is_created: bool,
    /// The directories that were missing, the outermost first.
    #[serde(default)]
    directories: Vec<PathBuf>,
    /// The hash of the edited text.
    edited: String,
    inserted: Vec<Inserted>,
}

/// What an edit of a tool's settings comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub settings: PathBuf,
    /// The text, or `None` if there is no file.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Which of a tool's events have a hook of ctxpin's.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    /// The command of the first hook.
    pub command: String,
    /// How many of [`EVENTS`] have that command.
    pub events: usize,
}

impl Installation {
    /// Returns the hooks of a tool whose settings are this file.
    pub fn of(tool: Profile, settings: PathBuf, data: &DataDirectory) -> Self {
        Self {
            tool,
            settings: SettingsFile::at(settings),
            note: data.hooks().join(format!("{tool}.json")),
        }
    }

    /// Returns the tool's settings.
    pub fn settings(&self) -> &Path {
        self.settings.path()
    }

    /// Returns which hooks of ctxpin's are in the settings, if any.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read.
    pub fn find(&self) -> Result<Option<Installed>, Failure> {
        let Some(text) = self.settings.read()? else {
            return Ok(None);
        };
        let hooks = settings_text::hooks(&text).map_err(|error| self.refused(&error))?;
        let ours = hooks
            .iter()
            .filter(|hook| is_ours(self.tool, &hook.command));
        let mut ours = ours.peekable();
        let Some(command) = ours.peek().map(|hook| hook.command.clone()) else {
            return Ok(None);
        };
        let ours: Vec<_> = ours.collect();
        let has_hook = |event: &&&str| {
            ours.iter()
                .any(|hook| hook.event == **event && hook.command == command)
        };
        let events = EVENTS.iter().filter(has_hook).count();
        Ok(Some(Installed { command, events }))
    }

    /// Returns why the tool reads nothing of its settings, if so. It is stricter than an edit, which keeps comments.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read.
    pub fn fault(&self) -> Result<Option<String>, Failure> {
        let text = self.settings.read()?.unwrap_or_default();
        let text = match self.tool {
            Profile::ClaudeCode => settings_text::without_mark(&text).1,
            Profile::Neutral | Profile::Codex | Profile::Opencode => &text,
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err();
        let tool = self.tool;
        Ok(error.map(|error| {
            format!(
                "{tool} ignores the file as a whole, because it is not plain JSON, which has no comments and no trailing \
                 commas: {error}"
            )
        }))
    }

    /// Puts the hooks with this command into the settings, in place of others of ctxpin's.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, edited or written. They then stay as they are.
    pub fn install(&self, command: &str) -> Result<Change, Failure> {
        let before = self.settings.read()?;
        if let Some(Installed {
            command: present,
            events,
        }) = self.find()?
            && present == command
            && events == EVENTS.len()
            && self.has_time(before.as_deref())?
        {
            return Ok(self.change(before.clone(), before));
        }
        let earlier = self.noted()?;
        let text = self.without(before.as_deref(), earlier.as_ref())?;
        let earlier = earlier.map(|note| note.directories);
        let mut directories = earlier.unwrap_or_default();
        directories.retain(|directory| directory.exists());
        directories.extend(self.settings.directories_missing()?);
        let base = text.clone().unwrap_or_default();
        let edited = settings_text::insert(&base, &EVENTS, command, SECONDS_MAX)
            .map_err(|error| self.refused(&error))?;
        let note = Note {
            settings: self.settings.path().to_owned(),
            is_created: text.is_none(),
            directories,
            edited: hash(&edited.text),
            inserted: edited.inserted,
        };
        directory_create(self.note.parent().unwrap_or(&self.note))?;
        let json = serde_json::to_vec_pretty(&note)
            .map_err(|error| unwritable(&self.note).because(error))?;
        self.settings.write(Some(&edited.text))?;
        file_write(&self.note, &json)?;
        Ok(self.change(before, Some(edited.text)))
    }

    /// Returns whether the tool gives all hooks of ctxpin's the time that install writes.
    fn has_time(&self, text: Option<&str>) -> Result<bool, Failure> {
        let hooks = settings_text::hooks(text.unwrap_or_default());
        let hooks = hooks.map_err(|error| self.refused(&error))?;
        let mut ours = hooks
            .iter()
            .filter(|hook| is_ours(self.tool, &hook.command));
        Ok(ours.all(|hook| hook.seconds == Some(SECONDS_MAX)))
    }

    /// Takes the hooks out of the settings. If nobody has changed these since, they become again what they were, byte for
    /// byte.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, edited or written. They then stay as they are.
    pub fn uninstall(&self) -> Result<Change, Failure> {
        let before = self.settings.read()?;
        let note = self.noted()?;
        let after = self.without(before.as_deref(), note.as_ref())?;
        if before != after {
            self.settings.write(after.as_deref())?;
        }
        if let Some(note) = note {
            directories_remove(&note.directories);
        }
        file_remove(&self.note)?;
        Ok(self.change(before, after))
    }

    fn noted(&self) -> Result<Option<Note>, Failure> {
        let note = json_read::<Note>(&self.note)?;
        Ok(note.filter(|note| note.settings == self.settings.path()))
    }

    /// Returns the settings without hooks of ctxpin's, or `None` if there is no file then.
    fn without(&self, text: Option<&str>, note: Option<&Note>) -> Result<Option<String>, Failure> {
        let Some(text) = text else {
            return Ok(None);
        };
        if let Some(note) = note.filter(|note| note.edited == hash(text))
            && let Some(rest) = settings_text::cut_out(text, &note.inserted)
        {
            return Ok(Some(rest).filter(|_| !note.is_created));
        }
        let is_ours = |command: &str| is_ours(self.tool, command);
        let rest = settings_text::remove(text, is_ours).map_err(|error| self.refused(&error))?;
        Ok(Some(rest))
    }

    fn change(&self, before: Option<String>, after: Option<String>) -> Change {
        Change {
            settings: self.settings.path().to_owned(),
            before,
            after,
        }
    }

    fn refused(&self, error: &SettingsError) -> Failure {
        Failure::new(format!(
            "{} cannot be edited: {error}",
            say::path(self.settings.path())
        ))
        .hint(Hint::say("mend the file, and run the command again"))
    }
}

impl Change {
    /// Returns whether the edit changes nothing.
    pub fn is_none(&self) -> bool {
        self.before == self.after
    }
}

fn hash(text: &str) -> String {
    BlobHash::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const COMMAND: &str = "/opt/ctxpin hook run codex --data-dir /d";

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { directory }
        }

        fn settings(&self) -> PathBuf {
            self.directory.path().join("home/hooks.json")
        }

        fn installation(&self) -> Installation {
            let data = DataDirectory::at(&self.directory.path().join("data"));
            Installation::of(Profile::Codex, self.settings(), &data)
        }
    }

    #[test]
    fn a_file_that_install_made_goes_again() {
        let place = Place::new();
        let installation = place.installation();
        assert_eq!(installation.find().unwrap(), None);
        for _ in 0..2 {
            let change = installation.install(COMMAND).unwrap();
            assert_eq!(change.after, fs::read_to_string(place.settings()).ok());
            let installed = installation.find().unwrap().unwrap();
            assert_eq!((installed.command.as_str(), installed.events), (COMMAND, 6));
            assert!(installation.install(COMMAND).unwrap().is_none());
            let mode = fs::metadata(place.settings()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            installation.uninstall().unwrap();
            assert!(!place.settings().exists());
            assert!(installation.uninstall().unwrap().is_none());
        }
    }

    #[test]
    fn a_moved_program_replaces_its_hooks() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        let before = "{\n  \"a\": 1\n}\n";
        fs::write(place.settings(), before).unwrap();
        installation.install(COMMAND).unwrap();
        let moved = COMMAND.replace("/opt", "/usr/bin");
        installation.install(&moved).unwrap();
        let text = fs::read_to_string(place.settings()).unwrap();
        assert_eq!(text.matches(" hook run codex ").count(), 6, "{text}");
        assert!(!text.contains("/opt"), "{text}");
        installation.uninstall().unwrap();
        assert_eq!(fs::read_to_string(place.settings()).unwrap(), before);
    }

    #[test]
    fn what_the_person_changed_since_stays() {
        let place = Place::new();
        let installation = place.installation();
        installation.install(COMMAND).unwrap();
        let text = fs::read_to_string(place.settings()).unwrap();
        let edited = text.replacen("{", "{\n  \"mine\": true,", 1);
        fs::write(place.settings(), &edited).unwrap();
        installation.uninstall().unwrap();
        let rest = fs::read_to_string(place.settings()).unwrap();
        let rest: serde_json::Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(rest, serde_json::json!({"mine": true}));
    }

    #[test]
    fn a_link_and_a_mode_stay() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        let real = place.directory.path().join("dotfiles.json");
        fs::write(&real, "{}").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, place.settings()).unwrap();
        installation.install(COMMAND).unwrap();
        assert!(place.settings().is_symlink());
        let text = fs::read_to_string(&real).unwrap();
        assert!(text.contains(COMMAND), "{text}");
        installation.uninstall().unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "{}");
        let mode = fs::metadata(&real).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_link_to_nothing_stays_one() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        let real = place.directory.path().join("dotfiles/codex.json");
        symlink("link.json", place.settings()).unwrap();
        symlink(&real, place.settings().with_file_name("link.json")).unwrap();
        for _ in 0..2 {
            installation.install(COMMAND).unwrap();
            assert!(place.settings().is_symlink());
            let text = fs::read_to_string(&real).unwrap();
            assert!(text.contains(COMMAND), "{text}");
            installation.uninstall().unwrap();
            assert!(place.settings().is_symlink());
            assert!(!real.parent().unwrap().exists());
        }
        fs::remove_file(place.settings()).unwrap();
        symlink("hooks.json", place.settings()).unwrap();
        assert!(installation.install(COMMAND).is_err());
        assert!(place.settings().is_symlink());
    }

    #[test]
    fn directories_that_install_made_go_if_nothing_else_is_in_them() {
        let place = Place::new();
        let installation = place.installation();
        let home = place.settings().parent().unwrap().to_owned();
        installation.install(COMMAND).unwrap();
        installation
            .install(&COMMAND.replace("/opt", "/usr/bin"))
            .unwrap();
        installation.uninstall().unwrap();
        assert!(!home.exists());
        installation.install(COMMAND).unwrap();
        fs::write(home.join("config.toml"), "").unwrap();
        installation.uninstall().unwrap();
        assert!(home.exists());
    }

    #[test]
    fn a_tool_reads_no_settings_that_are_not_its_json() {
        let place = Place::new();
        let data = DataDirectory::at(&place.directory.path().join("data"));
        let fault = |tool, text: &str| {
            let installation = Installation::of(tool, place.settings(), &data);
            fs::create_dir_all(place.settings().parent().unwrap()).unwrap();
            fs::write(place.settings(), text).unwrap();
            installation.install(COMMAND).unwrap();
            let fault = installation.fault().unwrap();
            installation.uninstall().unwrap();
            assert_eq!(fs::read_to_string(place.settings()).unwrap(), text);
            fault
        };
        let (claude, codex) = (Profile::ClaudeCode, Profile::Codex);
        for text in ["", "{}", "{\n  \"a\": 1\n}\n"] {
            assert_eq!(fault(claude, text), None, "{text}");
            assert_eq!(fault(codex, text), None, "{text}");
        }
        assert_eq!(fault(claude, "\u{feff}{}"), None);
        assert_eq!(
            fault(codex, "\u{feff}{}").unwrap(),
            "codex ignores the file as a whole, because it is not plain JSON, which has no comments and no trailing commas: \
             expected value at line 1 column 1"
        );
        for text in ["// c\n{}", "{\"a\": 1,}"] {
            assert!(fault(claude, text).is_some(), "{text}");
            assert!(fault(codex, text).is_some(), "{text}");
        }
    }

    #[test]
    fn settings_that_cannot_be_edited_stay() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        for text in ["{", "[]", "{\"hooks\": 1}", &"x".repeat(1024 * 1024 + 1)] {
            fs::write(place.settings(), text).unwrap();
            assert!(installation.install(COMMAND).is_err());
            assert_eq!(fs::read_to_string(place.settings()).unwrap(), text);
        }
    }
}
