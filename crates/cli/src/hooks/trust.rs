//! Codex' trust. It runs a hook only if its `config.toml` holds the hook's hash, which stands for the person's yes.
//!
//! Codex asks for it in its terminal interface. `codex exec` asks nothing and runs no other hook.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::settings_file::SettingsFile;
use super::settings_text::{self, BYTE_ORDER_MARK, Hook};
use super::{is_ours, other_notes};
use crate::data_directory::{
    DataDirectory, directory_create, file_remove, file_write, json_read, not_written, unreadable,
};
use crate::say::{self, Failure, Hint};

/// The tables that hold the state of hooks.
const TABLES: [&str; 2] = ["hooks", "state"];

/// The key of a hook's hash.
const HASH_KEY: &str = "trusted_hash";

/// The name of what is noted of the last edit.
const NOTE: &str = "codex-trust.json";

/// The hashes of hooks by Codex' names of them.
type Hashes = BTreeMap<String, String>;

/// The places of the hooks of others, by their event, in their order.
pub type Others = BTreeMap<String, Vec<(usize, usize)>>;

/// The trust in ctxpin's hooks of one home of Codex.
#[derive(Debug)]
pub struct Trust {
    /// The settings that hold the hooks.
    hooks: SettingsFile,
    /// The settings that hold the trust.
    config: SettingsFile,
    /// What the last edit did, in ctxpin's data directory.
    note: PathBuf,
}

/// The last edit of the trust. It holds no text of the person's.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The settings, by their path.
    config: PathBuf,
    /// Whether the edit created the file.
    is_created: bool,
    /// The hash of the edited text.
    edited: String,
    /// The part that the edit inserted, in bytes. `None` if it changed other parts too.
    inserted: Option<(usize, usize)>,
    hashes: Hashes,
}

impl Trust {
    /// Returns the trust in the hooks of a home of Codex.
    pub fn of(home: &Path, data: &DataDirectory) -> Self {
        Self {
            hooks: SettingsFile::at(super::settings_file(Profile::Codex, home)),
            config: SettingsFile::at(home.join("config.toml")),
            note: data.hooks().join(NOTE),
        }
    }

    /// Returns the path of the settings that hold the trust.
    pub fn path(&self) -> &Path {
        self.config.path()
    }

    /// Returns whether Codex trusts all hooks of ctxpin's that are there. They are trusted as install writes them.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read.
    pub fn is_given(&self) -> Result<bool, Failure> {
        let hashes = self.hashes()?;
        let text = self.config.read()?.unwrap_or_default();
        let document = self.parsed(&text)?;
        let is_given = |(key, hash): (&String, &String)| trusted(&document, key) == Some(&**hash);
        Ok(!hashes.is_empty() && hashes.iter().all(is_given))
    }

    /// Checks that the trust can be written, before any hook is.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, or have another form.
    pub fn demand_editable(&self) -> Result<(), Failure> {
        let text = self.config.read()?.unwrap_or_default();
        let mut document = self.parsed(&text)?;
        self.config.demand_one_name()?;
        let is_editable = table(document.as_table_mut(), &TABLES).is_some();
        is_editable.then_some(()).ok_or_else(|| self.other_form())
    }

    /// Writes the trust in the hooks that are there. The caller has the person's yes.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, edited or written. They then stay as they are.
    pub fn give(&self) -> Result<(), Failure> {
        self.take()?;
        let hashes = self.hashes()?;
        let before = self.config.read()?;
        let text = before.as_deref().unwrap_or_default();
        let mut document = self.parsed(text)?;
        for (key, hash) in &hashes {
            let state = table(document.as_table_mut(), &TABLES).ok_or_else(|| self.other_form())?;
            let hook = table(state, &[key]).ok_or_else(|| self.other_form())?;
            hook.insert(HASH_KEY, toml_edit::value(hash));
        }
        let after = rendered(&document, text);
        let note = Note {
            config: self.config.path().to_owned(),
            is_created: before.is_none(),
            edited: BlobHash::of(after.as_bytes()).to_string(),
            inserted: inserted(text, &after),
            hashes,
        };
        directory_create(self.note.parent().unwrap_or(&self.note))?;
        let json = serde_json::to_vec_pretty(&note)
            .map_err(|error| not_written(&self.note).because(error))?;
        self.config.write(Some(&after))?;
        file_write(&self.note, &json)
    }

    /// Returns where the hooks of others are. Codex names a hook by its place, so an edit of ctxpin's can rename them.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read.
    pub fn places_of_others(&self) -> Result<Others, Failure> {
        let mut others = Others::new();
        for hook in self.all()? {
            if !is_ours(Profile::Codex, &hook.command) {
                others.entry(hook.event).or_default().push(hook.place);
            }
        }
        Ok(others)
    }

    /// Has the person's trust in the hooks of others follow them to where they are now. `before` is where they were.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, edited or written. They then stay as they are.
    pub fn follow(&self, before: &Others) -> Result<(), Failure> {
        let after = self.places_of_others()?;
        let mut moves = Vec::new();
        for (event, places) in before {
            let now = after.get(event).into_iter().flatten();
            for (from, to) in places.iter().zip(now).filter(|(from, to)| from != to) {
                moves.extend(self.keys(event, *from).zip(self.keys(event, *to)));
            }
        }
        let Some(text) = self.config.read()?.filter(|_| !moves.is_empty()) else {
            return Ok(());
        };
        let mut document = self.parsed(&text)?;
        let [hooks, state] = TABLES;
        let states = document.get_mut(hooks).and_then(|hooks| {
            hooks
                .as_table_like_mut()?
                .get_mut(state)?
                .as_table_like_mut()
        });
        let Some(states) = states else {
            return Ok(());
        };
        let moved = moves
            .into_iter()
            .filter_map(|(from, to)| Some((to, states.remove(&from)?)));
        // All go before the first one comes, because one may come to where another one was.
        let moved: Vec<_> = moved.collect();
        if moved.is_empty() {
            return Ok(());
        }
        for (key, state) in moved {
            states.insert(&key, state);
        }
        self.config.write(Some(&rendered(&document, &text)))
    }

    /// Takes the trust in ctxpin's hooks out again: that in those that are there, and that which was last written. If
    /// nobody has changed the settings since, they become again what they were, byte for byte.
    ///
    /// # Errors
    ///
    /// Fails if the settings cannot be read, edited or written. They then stay as they are.
    pub fn take(&self) -> Result<(), Failure> {
        let mut notes = self.others()?;
        notes.push(self.note.clone());
        let mut note = None;
        for path in &notes {
            let noted = json_read::<Note>(path)?;
            note = note.or(noted.filter(|note| note.config == self.config.path()));
        }
        if let Some(text) = self.config.read()? {
            let after = self.without(&text, note.as_ref())?;
            if after.as_ref() != Some(&text) {
                self.config.write(after.as_deref())?;
            }
        }
        notes.iter().try_for_each(|note| file_remove(note))
    }

    /// Returns the notes of other data directories whose hooks are there.
    fn others(&self) -> Result<Vec<PathBuf>, Failure> {
        let hooks = self.all()?;
        let commands = hooks.iter().map(|hook| hook.command.as_str());
        Ok(other_notes(Profile::Codex, commands, &self.note))
    }

    /// Returns the settings without the trust, or `None` if there is no file then.
    fn without(&self, text: &str, note: Option<&Note>) -> Result<Option<String>, Failure> {
        if let Some(note) = note
            && note.edited == BlobHash::of(text.as_bytes()).to_string()
            && let Some((at, length)) = note.inserted
            && let (Some(begin), Some(end)) = (text.get(..at), text.get(at + length..))
        {
            return Ok(Some(format!("{begin}{end}")).filter(|_| !note.is_created));
        }
        let mut hashes = self.hashes()?;
        hashes.extend(note.into_iter().flat_map(|note| note.hashes.clone()));
        let mut document = self.parsed(text)?;
        let is_ours = |(key, hash): &(&String, &String)| trusted(&document, key) == Some(&***hash);
        let ours = hashes.iter().filter(is_ours);
        let ours: Vec<_> = ours.map(|(key, _)| key.clone()).collect();
        if ours.is_empty() {
            return Ok(Some(text.to_owned()));
        }
        for key in ours {
            let [hooks, state] = TABLES;
            let path = [hooks, state, &key];
            if let Some(hook) = table(document.as_table_mut(), &path) {
                hook.remove(HASH_KEY);
            }
            // Whatever this leaves empty goes too.
            for depth in (0..path.len()).rev() {
                let parent = table(document.as_table_mut(), &path[..depth]);
                let Some(parent) = parent else { break };
                let child = parent.get(path[depth]).and_then(Item::as_table_like);
                if !child.is_some_and(TableLike::is_empty) {
                    break;
                }
                parent.remove(path[depth]);
            }
        }
        Ok(Some(rendered(&document, text)))
    }

    /// Returns the hashes of ctxpin's hooks, as Codex 0.150.0 and 0.171.0 compute them: of the canonical JSON of one
    /// hook. Codex names a hook by the path of its settings and by its place in them.
    fn hashes(&self) -> Result<Hashes, Failure> {
        let mut hashes = Hashes::new();
        for hook in self.all()? {
            if !is_ours(Profile::Codex, &hook.command) {
                continue;
            }
            let event = snake_case(&hook.event);
            // The members stand in the order of their names.
            let identity = json!({
                "event_name": event,
                "hooks": [{"async": false, "command": hook.command, "timeout": hook.seconds, "type": "command"}],
            });
            let hash = BlobHash::of(identity.to_string().as_bytes());
            for key in self.keys(&hook.event, hook.place) {
                hashes.insert(key, format!("sha256:{}", hash.hex()));
            }
        }
        Ok(hashes)
    }

    /// Returns all hooks that are there.
    fn all(&self) -> Result<Vec<Hook>, Failure> {
        let text = self.hooks.read()?.unwrap_or_default();
        settings_text::hooks(&text).map_err(|error| unreadable(self.hooks.path()).because(error))
    }

    /// Returns Codex' names of the hook at a place. It follows a link if a variable names its home, and not otherwise.
    fn keys(&self, event: &str, (group, index): (usize, usize)) -> impl Iterator<Item = String> {
        let home = self.hooks.path().parent().unwrap_or(Path::new("/"));
        let homes = [Some(home.to_owned()), home.canonicalize().ok()];
        let event = snake_case(event);
        homes.into_iter().flatten().map(move |home| {
            let settings = super::settings_file(Profile::Codex, &home);
            format!("{}:{event}:{group}:{index}", settings.to_string_lossy())
        })
    }

    fn parsed(&self, text: &str) -> Result<DocumentMut, Failure> {
        text.parse().map_err(|error: toml_edit::TomlError| {
            let message = error.message();
            self.refused(&format!("it is not TOML: {message}"))
        })
    }

    fn other_form(&self) -> Failure {
        self.refused(&format!("`{}` is not a table", TABLES.join(".")))
    }

    fn refused(&self, reason: &str) -> Failure {
        let path = say::path(self.config.path());
        Failure::new(format!("{path} cannot be edited: {reason}"))
            .hint(Hint::say("mend the file, and run the command again"))
    }
}

/// Returns the edited text with the byte order mark and the line ends of the text before, which the parser does not keep.
fn rendered(document: &DocumentMut, before: &str) -> String {
    let mut text = document.to_string();
    if before.contains("\r\n") {
        text = text.replace('\n', "\r\n");
    }
    if before.starts_with(BYTE_ORDER_MARK) {
        text.insert(0, BYTE_ORDER_MARK);
    }
    text
}

/// Returns the hash by which Codex trusts a hook.
fn trusted<'d>(document: &'d DocumentMut, key: &str) -> Option<&'d str> {
    let [hooks, state] = TABLES;
    let state = document.get(hooks)?.as_table_like()?.get(state)?;
    let hook = state.as_table_like()?.get(key)?.as_table_like()?;
    hook.get(HASH_KEY)?.as_str()
}

/// Returns the table at a path, which is made where it is missing. Returns `None` if something else is there.
fn table<'t>(mut at: &'t mut dyn TableLike, path: &[&str]) -> Option<&'t mut dyn TableLike> {
    for name in path {
        let made = || {
            let mut table = Table::new();
            // A table that holds tables alone needs no header.
            table.set_implicit(true);
            Item::Table(table)
        };
        at = at.entry(name).or_insert_with(made).as_table_like_mut()?;
    }
    Some(at)
}

/// Returns the place and the length of what was inserted, if nothing else differs.
fn inserted(before: &str, after: &str) -> Option<(usize, usize)> {
    let common = before.bytes().zip(after.bytes());
    let mut at = common.take_while(|(before, after)| before == after).count();
    while !before.is_char_boundary(at) {
        at -= 1;
    }
    let length = after.len().checked_sub(before.len())?;
    (after.get(at + length..) == before.get(at..)).then_some((at, length))
}

/// Returns the name of an event as Codex writes it in keys.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::hooks::installation::Installation;

    const COMMAND: &str = "/x/ctxpin hook run codex --data-dir /d";

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir(directory.path().join("codex")).unwrap();
            Self { directory }
        }

        fn home(&self) -> PathBuf {
            self.directory.path().join("codex")
        }

        fn data(&self) -> DataDirectory {
            DataDirectory::at(&self.directory.path().join("data"))
        }

        fn install(&self, command: &str) {
            let settings = super::super::settings_file(Profile::Codex, &self.home());
            let installation = Installation::of(Profile::Codex, settings, &self.data());
            installation.install(command).unwrap();
        }

        fn trust(&self) -> Trust {
            Trust::of(&self.home(), &self.data())
        }
    }

    /// The hash is what `hooks/list` of Codex 0.150.0 and 0.171.0 says of this hook.
    #[test]
    fn a_hash_is_that_of_codex() {
        let place = Place::new();
        place.install(COMMAND);
        let home = place.home();
        let settings = super::super::settings_file(Profile::Codex, &home);
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, text.replace("\"timeout\": 5", "\"timeout\": 2")).unwrap();
        let key = format!("{}/hooks.json:session_start:0:0", home.display());
        let hashes = place.trust().hashes().unwrap();
        assert_eq!(hashes.len(), 6);
        assert_eq!(
            hashes[&key],
            "sha256:466c570b689afd3f0cb97095c0213b0bed97bfe5b10adb3c8969d70d80f541c6"
        );
        assert!(
            hashes
                .keys()
                .any(|key| key.contains(":user_prompt_submit:0:0"))
        );
    }

    #[test]
    fn trust_goes_as_it_came() {
        for before in [
            None,
            Some(""),
            Some("model = \"x\""),
            Some("# mine\nmodel = \"x\"\n\n[hooks.state.\"other\"]\ntrusted_hash = \"sha256:1\"\n"),
            Some("[hooks]\n# mine\n\n[z]\na = 1\n"),
            Some("hooks = { state = { other = { enabled = false } } }\n[z]\n"),
            Some("[z]\r\na = \"\u{e4}\" # b\r\n"),
            Some("\u{feff}model = \"x\"\n"),
        ] {
            let place = Place::new();
            let config = place.home().join("config.toml");
            if let Some(before) = before {
                fs::write(&config, before).unwrap();
            }
            place.install(COMMAND);
            let trust = place.trust();
            assert!(!trust.is_given().unwrap());
            trust.give().unwrap();
            assert!(trust.is_given().unwrap());
            // A moved program has other hashes, and gets a yes of its own.
            place.install(&COMMAND.replace("/x/", "/y/"));
            assert!(!trust.is_given().unwrap());
            trust.give().unwrap();
            let text = fs::read_to_string(&config).unwrap();
            assert_eq!(text.matches(":session_start:0:0").count(), 1, "{text}");
            trust.take().unwrap();
            assert_eq!(fs::read_to_string(&config).ok().as_deref(), before);
        }
    }

    #[test]
    fn what_the_person_changed_since_stays() {
        let place = Place::new();
        let config = place.home().join("config.toml");
        place.install(COMMAND);
        place.trust().give().unwrap();
        let text = fs::read_to_string(&config).unwrap();
        let mine = "[hooks.state.\"other\"]\ntrusted_hash = \"sha256:1\"\n";
        fs::write(&config, format!("a = 1 # mine\n{text}\n{mine}")).unwrap();
        place.trust().take().unwrap();
        let text = fs::read_to_string(&config).unwrap();
        assert!(
            text.starts_with("a = 1 # mine\n") && text.ends_with(mine),
            "{text}"
        );
        assert!(!text.contains("hooks.json"), "{text}");
    }

    #[test]
    fn trust_in_the_hooks_of_others_follows_them() {
        let place = Place::new();
        let config = place.home().join("config.toml");
        let settings = super::super::settings_file(Profile::Codex, &place.home());
        place.install(COMMAND);
        place.trust().give().unwrap();
        // Others come behind, and one of them is trusted.
        let mut hooks: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
        let others = hooks["hooks"]["SessionStart"].as_array_mut().unwrap();
        for other in ["/x/one", "/x/two"] {
            others.push(json!({"hooks": [{"type": "command", "command": other}]}));
        }
        fs::write(&settings, hooks.to_string()).unwrap();
        let state = |group: usize| {
            let path = settings.display();
            format!(
                "[hooks.state.\"{path}:session_start:{group}:0\"]\ntrusted_hash = \"sha256:2\"\n"
            )
        };
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}\n# of the second\n{}", state(2))).unwrap();

        let trust = place.trust();
        let before = trust.places_of_others().unwrap();
        trust.take().unwrap();
        Installation::of(Profile::Codex, settings.clone(), &place.data())
            .uninstall()
            .unwrap();
        trust.follow(&before).unwrap();
        let text = fs::read_to_string(&config).unwrap();
        assert_eq!(text.trim(), format!("# of the second\n{}", state(1)).trim());
        // Nothing moves now.
        trust.follow(&trust.places_of_others().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&config).unwrap(), text);
    }

    #[test]
    fn a_home_behind_a_link_has_both_names() {
        let place = Place::new();
        place.install(COMMAND);
        let link = place.directory.path().join("link");
        symlink(place.home(), &link).unwrap();
        let trust = Trust::of(&link, &place.data());
        assert_eq!(trust.hashes().unwrap().len(), 12);
    }

    #[test]
    fn settings_that_cannot_be_edited_stay() {
        for text in [
            "a = ",
            "hooks = 1\n",
            "[hooks]\nstate = []\n",
            "[hooks]\nstate = 3\n",
        ] {
            let place = Place::new();
            let config = place.home().join("config.toml");
            fs::write(&config, text).unwrap();
            place.install(COMMAND);
            assert!(place.trust().demand_editable().is_err());
            assert!(place.trust().give().is_err());
            assert_eq!(fs::read_to_string(&config).unwrap(), text);
        }
    }
}
