//! Hooks in a tool's settings: putting them in, taking them out, and what was done.

use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};

use super::settings_file::{SettingsFile, directories_remove};
use super::settings_text::{self, Inserted, SettingsError};
use super::{EVENTS, is_ours, other_notes, seconds_max};
use crate::data_directory::{
    DataDirectory, directory_create, file_remove, file_write, json_read, not_written,
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
    /// The events that stood there with an empty list.
    #[serde(default)]
    empty: Vec<String>,
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
    /// Whether the tool gives each of them the time that install writes.
    pub has_time: bool,
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
        let has_time = ours
            .iter()
            .all(|hook| hook.seconds == Some(seconds_max(&hook.event)));
        Ok(Some(Installed {
            command,
            events,
            has_time,
        }))
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
            has_time: true,
        }) = self.find()?
            && present == command
            && events == EVENTS.len()
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
        let edited = settings_text::insert(&base, &EVENTS, command, seconds_max)
            .map_err(|error| self.refused(&error))?;
        let note = Note {
            settings: self.settings.path().to_owned(),
            is_created: text.is_none(),
            directories,
            edited: hash(&edited.text),
            inserted: edited.inserted,
            empty: settings_text::empty(&base),
        };
        directory_create(self.note.parent().unwrap_or(&self.note))?;
        let json = serde_json::to_vec_pretty(&note)
            .map_err(|error| not_written(&self.note).because(error))?;
        self.settings.write(Some(&edited.text))?;
        file_write(&self.note, &json)?;
        self.forget_others(before.as_deref())?;
        Ok(self.change(before, Some(edited.text)))
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
        self.forget_others(before.as_deref())?;
        Ok(self.change(before, after))
    }

    /// Returns what was noted of the last edit: here, or by the data directory to which the hooks belong.
    fn noted(&self) -> Result<Option<Note>, Failure> {
        let text = self.settings.read()?;
        let mut notes = self.others(text.as_deref());
        notes.push(self.note.clone());
        for path in notes {
            let note = json_read::<Note>(&path)?;
            let note = note.filter(|note| note.settings == self.settings.path());
            if note.is_some() {
                return Ok(note);
            }
        }
        Ok(None)
    }

    /// Returns the notes of other data directories whose hooks are in a text.
    fn others(&self, text: Option<&str>) -> Vec<PathBuf> {
        let hooks = settings_text::hooks(text.unwrap_or_default()).unwrap_or_default();
        let commands = hooks.iter().map(|hook| hook.command.as_str());
        other_notes(self.tool, commands, &self.note)
    }

    /// Forgets what other data directories noted of hooks that are in these settings no more.
    fn forget_others(&self, before: Option<&str>) -> Result<(), Failure> {
        for note in self.others(before) {
            let noted = json_read::<Note>(&note)?;
            if noted.is_some_and(|noted| noted.settings == self.settings.path()) {
                file_remove(&note)?;
            }
        }
        Ok(())
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
        let empty = note.map_or(&[][..], |note| &note.empty);
        let rest =
            settings_text::remove(text, is_ours, empty).map_err(|error| self.refused(&error))?;
        let is_created = note.is_some_and(|note| note.is_created);
        Ok(Some(rest).filter(|rest| !(is_created && settings_text::is_blank(rest))))
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
            self.installation_of("data")
        }

        fn installation_of(&self, data: &str) -> Installation {
            let data = DataDirectory::at(&self.directory.path().join(data));
            Installation::of(Profile::Codex, self.settings(), &data)
        }

        /// Returns the command of a data directory.
        fn command(&self, data: &str) -> String {
            let data = self.directory.path().join(data);
            format!("/opt/ctxpin hook run codex --data-dir {}", data.display())
        }
    }

    #[test]
    fn the_hooks_of_another_data_directory_go_as_they_came() {
        for before in [None, Some("{\n  \"a\": 1\n}\n")] {
            for replaced in [false, true] {
                let place = Place::new();
                fs::create_dir(place.settings().parent().unwrap()).unwrap();
                if let Some(before) = before {
                    fs::write(place.settings(), before).unwrap();
                }
                let [own, other] = ["data", "other"].map(|data| place.installation_of(data));
                own.install(&place.command("data")).unwrap();
                if replaced {
                    other.install(&place.command("other")).unwrap();
                    own.install(&place.command("data")).unwrap();
                }
                assert!(!other.uninstall().unwrap().is_none());
                assert_eq!(fs::read_to_string(place.settings()).ok().as_deref(), before);
                assert!(own.uninstall().unwrap().is_none());
            }
        }
    }

    #[test]
    fn an_empty_list_of_the_person_stays_in_a_file_that_was_laid_out_anew() {
        for before in [
            r#"{"hooks": {"Stop": [], "Other": []}}"#,
            r#"{"hooks": {}}"#,
            r#"{"hooks": {"Stop": []}, "a": 1}"#,
        ] {
            let place = Place::new();
            let installation = place.installation();
            fs::create_dir(place.settings().parent().unwrap()).unwrap();
            fs::write(place.settings(), before).unwrap();
            installation.install(COMMAND).unwrap();
            let text = fs::read_to_string(place.settings()).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            fs::write(place.settings(), value.to_string()).unwrap();
            installation.uninstall().unwrap();
            let rest = fs::read_to_string(place.settings()).unwrap();
            let rest: serde_json::Value = serde_json::from_str(&rest).unwrap();
            let expected: serde_json::Value = serde_json::from_str(before).unwrap();
            assert_eq!(rest, expected);
        }
    }

    #[test]
    fn a_file_of_install_goes_if_others_left_nothing_in_it() {
        let place = Place::new();
        let installation = place.installation();
        installation.install(COMMAND).unwrap();
        let text = fs::read_to_string(place.settings()).unwrap();
        fs::write(place.settings(), format!("{text}\n")).unwrap();
        installation.uninstall().unwrap();
        assert!(!place.settings().exists());
    }

    #[test]
    fn a_file_that_may_only_be_read_stays_so() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        fs::write(place.settings(), "{}").unwrap();
        let only_read = fs::Permissions::from_mode(0o444);
        fs::set_permissions(place.settings(), only_read).unwrap();
        let mode = || fs::metadata(place.settings()).unwrap().permissions().mode();
        installation.install(COMMAND).unwrap();
        assert_eq!(installation.find().unwrap().unwrap().events, 6);
        assert_eq!(mode() & 0o777, 0o444);
        installation.uninstall().unwrap();
        assert_eq!(mode() & 0o777, 0o444);
        assert_eq!(fs::read_to_string(place.settings()).unwrap(), "{}");
    }

    #[test]
    fn a_file_with_two_names_is_not_edited() {
        let place = Place::new();
        let installation = place.installation();
        fs::create_dir(place.settings().parent().unwrap()).unwrap();
        let real = place.directory.path().join("dotfiles.json");
        fs::write(&real, "{}").unwrap();
        fs::hard_link(&real, place.settings()).unwrap();
        let refused = installation.install(COMMAND).unwrap_err();
        assert!(format!("{refused:?}").contains("has another name"));
        assert_eq!(fs::read_to_string(&real).unwrap(), "{}");
        fs::remove_file(&real).unwrap();
        installation.install(COMMAND).unwrap();
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
