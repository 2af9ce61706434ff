//! Differences of a resource besides its text, as messages for people.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Change, Subject, Verb, label};
use crate::canonical::CONTEXT_KINDS;
use crate::hash::BlobHash;
use crate::resource::{Content, Kind, Resource, SkillFile, Status};
use crate::snapshot::{Facts, Snapshot};

/// Returns a message, without a full stop, for each difference that a diff of the texts does not show:
/// facts, order, names, and the modes of files.
pub fn attributes(change: &Change<'_>, pinned: &Snapshot, head: &Snapshot) -> Vec<String> {
    let mut sentences = Vec::new();
    match change.subject {
        Subject::Facts => facts(&pinned.facts, &head.facts, &mut sentences),
        Subject::Resource(kind) if change.verb == Verb::Moved => {
            sentences.extend(change.head.map(|resource| {
                let before = change.pinned.unwrap_or(resource);
                let (now, then) = (place(head, kind, resource), place(pinned, kind, before));
                format!("it stands {now} now; it stood {then}")
            }));
        }
        Subject::Resource(_) => match (change.verb, change.pinned, change.head) {
            (Verb::Added, _, Some(head)) => one_side(head, "new", &mut sentences),
            (Verb::Removed, Some(pinned), _) => one_side(pinned, "gone", &mut sentences),
            (_, Some(pinned), Some(head)) => resource(pinned, head, &mut sentences),
            _ => {}
        },
    }
    sentences
}

fn facts(pinned: &Facts, head: &Facts, sentences: &mut Vec<String>) {
    let facts = [
        ("operating system", &pinned.os, &head.os),
        ("working directory", &pinned.directory, &head.directory),
    ];
    for (name, before, now) in facts {
        sentences.extend(became(name, before.as_deref(), now.as_deref()));
    }
    rules(pinned, head, sentences);
}

/// Adds a message for the profile, or for the version of its rules and for each of its settings.
fn rules(pinned: &Facts, head: &Facts, sentences: &mut Vec<String>) {
    let [before, now] = [pinned, head].map(Facts::profile_rules);
    let profiles = [before, now].map(|rules| rules.profile.as_str());
    sentences.extend(became("profile", Some(profiles[0]), Some(profiles[1])));
    if before.profile != now.profile {
        return;
    }
    let [before, now] = [before, now].map(|rules| rules.version.map(|version| version.to_string()));
    let name = format!("version of the rules of {}", profiles[1]);
    sentences.extend(became(&name, before.as_deref(), now.as_deref()));
    let settings = |facts: &Facts| facts.rules.as_ref().map(|rules| rules.settings.json());
    let (before, now) = (settings(pinned), settings(head));
    let members = [&before, &now].into_iter().flatten();
    let members = members.filter_map(Value::as_object).flat_map(Map::keys);
    for name in members.collect::<BTreeSet<_>>() {
        let shown = |json: &Option<Value>| {
            let value = json.as_ref()?.get(name)?;
            let text = value.as_str().map(str::to_owned);
            Some(text.unwrap_or_else(|| value.to_string()))
        };
        let (before, now) = (shown(&before), shown(&now));
        let name = format!("setting {name}");
        sentences.extend(became(&name, before.as_deref(), now.as_deref()));
    }
}

fn became(name: &str, before: Option<&str>, now: Option<&str>) -> Option<String> {
    let shown = |text: Option<&str>| match text {
        Some(text) => format!("`{}`", label(text)),
        None => "not known".to_owned(),
    };
    (before != now).then(|| format!("the {name} is {} now; it was {}", shown(now), shown(before)))
}

/// Adds messages for empty and executable files of a resource that only one side has.
fn one_side(resource: &Resource, what: &str, sentences: &mut Vec<String>) {
    if resource.body().is_some_and(is_empty) {
        sentences.push(format!("it is {what}, and empty"));
    }
    for item in &resource.files {
        sentences.extend(file_of_one_side(item, what));
    }
}

/// Returns a message for an empty or executable file of a skill that only one side has.
fn file_of_one_side(item: &SkillFile, what: &str) -> Option<String> {
    let traits = match (is_empty(item.body()?), item.executable) {
        (true, true) => "empty and executable",
        (true, false) => "empty",
        (false, true) => "executable",
        (false, false) => return None,
    };
    Some(format!("{} is {what}, and {traits}", label(&item.path)))
}

/// Returns which file imports a resource.
fn importer(resource: &Resource) -> &str {
    resource.imported_by.as_deref().unwrap_or("none")
}

/// Returns which files a resource is for.
fn files_for(resource: &Resource) -> String {
    let Some(applies) = &resource.applies else {
        return "all".to_owned();
    };
    let ways = applies.ways().map(|(below, globs)| match globs.is_empty() {
        true => format!("all below {below}"),
        false => format!("{} below {below}", globs.join(", ")),
    });
    let ways: Vec<_> = ways.collect();
    ways.join("; ")
}

fn is_empty(body: BlobHash) -> bool {
    body == BlobHash::of(b"")
}

fn resource(pinned: &Resource, head: &Resource, sentences: &mut Vec<String>) {
    if pinned.source != head.source {
        sentences.extend(became("path", Some(&pinned.source), Some(&head.source)));
    }
    // If the bodies differ, the diff of their texts shows name and description.
    if pinned.body() == head.body() {
        sentences.extend(became("name", pinned.name.as_deref(), head.name.as_deref()));
        let (before, now) = (pinned.description.as_deref(), head.description.as_deref());
        sentences.extend(became("description", before, now));
    }
    let (before, now) = (importer(pinned), importer(head));
    sentences.extend(became("importing file", Some(before), Some(now)));
    let (before, now) = (files_for(pinned), files_for(head));
    sentences.extend(became(
        "set of files that it is for",
        Some(&before),
        Some(&now),
    ));
    let hash = |resource: &Resource| resource.content.map(Content::hash);
    if !head.kind.is_context() && hash(pinned) != hash(head) {
        let digits = |hash: Option<BlobHash>| hash.map(|hash| hash.to_string());
        let (before, now) = (digits(hash(pinned)), digits(hash(head)));
        sentences.extend(became(
            "hash of its bytes",
            before.as_deref(),
            now.as_deref(),
        ));
    }
    let stored = |resource: &Resource| -> BTreeMap<String, SkillFile> {
        let files = resource.files.iter().filter(|file| file.body().is_some());
        files
            .map(|file| (file.path.clone(), file.clone()))
            .collect()
    };
    let (mut before, now) = (stored(pinned), stored(head));
    for (path, file) in &now {
        match before.remove(path) {
            None => sentences.extend(file_of_one_side(file, "new")),
            Some(before) if before.executable != file.executable => {
                let path = label(path);
                sentences.push(match file.executable {
                    true => format!("{path} is executable now"),
                    false => format!("{path} is not executable any more"),
                });
            }
            Some(_) => {}
        }
    }
    for file in before.values() {
        sentences.extend(file_of_one_side(file, "gone"));
    }
}

/// Returns the position of a resource among those of its group.
fn place(snapshot: &Snapshot, kind: Kind, resource: &Resource) -> String {
    let same_group = |other: &&Resource| {
        let is_same = match CONTEXT_KINDS.contains(&kind) {
            true => other.kind == kind,
            false => !other.kind.is_context(),
        };
        other.status == Status::Ok && is_same
    };
    let before = snapshot
        .resources
        .iter()
        .filter(same_group)
        .take_while(|other| other.source != resource.source || other.kind != resource.kind)
        .last();
    match before {
        Some(before) => format!("behind {}", label(&before.source)),
        None => "first".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{CodexSettings, Rules, Settings};

    fn codex(change: impl FnOnce(&mut CodexSettings)) -> Facts {
        let mut settings = CodexSettings::defaults("/home/.codex");
        change(&mut settings);
        Facts {
            rules: Some(Rules::newest(Settings::Codex(settings))),
            ..Facts::default()
        }
    }

    fn check(pinned: &Facts, head: &Facts, expected: &[&str]) {
        let mut sentences = Vec::new();
        facts(pinned, head, &mut sentences);
        assert_eq!(sentences, expected);
    }

    #[test]
    fn each_setting_that_changed_is_named() {
        let pinned = codex(|_| {});
        check(&pinned, &pinned, &[]);
        let head = codex(|settings| {
            settings.bytes_max = 7;
            settings.fallback_names = vec!["RULES.md".into()];
        });
        check(
            &pinned,
            &head,
            &[
                "the setting project_doc_fallback_filenames is `[\"RULES.md\"]` now; it was `[]`",
                "the setting project_doc_max_bytes is `7` now; it was `32768`",
            ],
        );
    }

    #[test]
    fn another_profile_and_other_rules_are_named() {
        let pinned = codex(|_| {});
        check(
            &Facts::default(),
            &pinned,
            &["the profile is `codex` now; it was `neutral`"],
        );
        let mut head = pinned.clone();
        head.rules.as_mut().unwrap().version = 2;
        check(
            &pinned,
            &head,
            &["the version of the rules of codex is `2` now; it was `1`"],
        );
    }
}
