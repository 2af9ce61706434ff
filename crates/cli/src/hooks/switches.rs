//! The switches by which a tool runs no hooks, wherever these are.

use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_scan::claude_code_settings;
use serde_json::{Map, Value};

use super::settings_file::SettingsFile;
use super::settings_text::without_mark;

/// Claude Code's switch, and the one with which it runs the machine's hooks alone.
const DISABLE_KEY: &str = "disableAllHooks";
const MACHINE_ONLY_KEY: &str = "allowManagedHooksOnly";

/// Codex' table of features, and the names of its switch. The second is older, and works in 0.171.0 still.
const FEATURES_KEY: &str = "features";
const FEATURE_KEYS: [&str; 2] = ["hooks", "codex_hooks"];

/// A switch that is set so that hooks do not run.
#[derive(Debug, PartialEq, Eq)]
pub struct Switch {
    pub settings: PathBuf,
    pub key: String,
}

/// Returns the switch by which a tool with this home of settings runs no hooks in a working directory, if any. A file
/// that cannot be read is passed over, as by the tool.
pub fn find(tool: Profile, home: &Path, working: &Path) -> Option<Switch> {
    match tool {
        Profile::ClaudeCode => claude_code(home, working),
        Profile::Codex => codex(home),
        Profile::Neutral | Profile::Opencode => None,
    }
}

/// Of the files that set the switch, the last counts.
fn claude_code(home: &Path, working: &Path) -> Option<Switch> {
    let files = claude_code_settings(home, working);
    let objects = files.iter().filter_map(|file| Some((file, object(file)?)));
    let objects: Vec<_> = objects.collect();
    let is_set = |object: &Map<String, Value>, key| object.get(key).and_then(Value::as_bool);
    let machine = files.last();
    let machine_only = objects.iter().find(|(file, object)| {
        Some(*file) == machine && is_set(object, MACHINE_ONLY_KEY) == Some(true)
    });
    if let Some((file, _)) = machine_only {
        return Some(Switch::of(file, MACHINE_ONLY_KEY));
    }
    let set = objects.iter().rev();
    let mut set = set.filter_map(|(file, object)| Some((file, is_set(object, DISABLE_KEY)?)));
    let (file, is_off) = set.next()?;
    is_off.then(|| Switch::of(file, DISABLE_KEY))
}

fn object(file: &Path) -> Option<Map<String, Value>> {
    let text = SettingsFile::at(file.to_owned()).read().ok()??;
    serde_json::from_str(without_mark(&text).1).ok()
}

fn codex(home: &Path) -> Option<Switch> {
    let file = home.join("config.toml");
    let text = SettingsFile::at(file.clone()).read().ok()??;
    let config: toml::Table = text.parse().ok()?;
    let features = config.get(FEATURES_KEY)?.as_table()?;
    let is_off = |key: &&str| features.get(*key).and_then(toml::Value::as_bool) == Some(false);
    let key = FEATURE_KEYS.into_iter().find(is_off)?;
    Some(Switch::of(&file, &format!("{FEATURES_KEY}.{key}")))
}

impl Switch {
    fn of(settings: &Path, key: &str) -> Self {
        Self {
            settings: settings.to_owned(),
            key: key.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_file_that_sets_the_switch_counts() {
        let place = tempfile::tempdir().unwrap();
        let (home, project) = (place.path().join(".claude"), place.path().join("project"));
        let (package, above) = (project.join("package/.claude"), project.join(".claude"));
        for directory in [&home, &package, &above, &project.join(".git")] {
            fs::create_dir_all(directory).unwrap();
        }
        let working = project.join("package");
        let found = || find(Profile::ClaudeCode, &home, &working).map(|switch| switch.settings);
        assert_eq!(found(), None);
        let set = |file: PathBuf, text: &str| {
            fs::write(&file, text).unwrap();
            file
        };
        let off = r#"{"disableAllHooks": true}"#;
        // Claude Code reads a project's settings in the working directory alone.
        set(above.join("settings.json"), off);
        assert_eq!(found(), None);
        let file = set(home.join("settings.json"), &format!("\u{feff}{off}"));
        assert_eq!(found(), Some(file));
        let file = set(package.join("settings.json"), off);
        assert_eq!(found(), Some(file));
        // The person's own in a project lie at the top of the repository as well.
        let file = set(above.join("settings.local.json"), off);
        assert_eq!(found(), Some(file.clone()));
        let broken = set(package.join("settings.local.json"), "no JSON");
        assert_ne!(found(), Some(broken));
        let on = r#"{"disableAllHooks": false}"#;
        set(package.join("settings.local.json"), on);
        assert_eq!(found(), Some(file));
        set(above.join("settings.local.json"), on);
        assert_eq!(found(), None);
    }

    #[test]
    fn codex_has_a_feature_for_hooks() {
        let home = tempfile::tempdir().unwrap();
        let key = |text: &str| {
            fs::write(home.path().join("config.toml"), text).unwrap();
            find(Profile::Codex, home.path(), home.path()).map(|switch| switch.key)
        };
        assert_eq!(key("model = \"x\"\n[features]\nhooks = true\n"), None);
        let off = key("[features]\nhooks = false\n");
        assert_eq!(off.as_deref(), Some("features.hooks"));
        let off = key("features = { codex_hooks = false }\n");
        assert_eq!(off.as_deref(), Some("features.codex_hooks"));
        assert_eq!(key("no TOML"), None);
    }
}
