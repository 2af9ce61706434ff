//! Pending changes: what drifted chats have not taken yet. Equal changes of any number of chats, in any
//! number of workspaces, are one pending change, so that people decide it once.
//!
//! Two changes are equal if they have the same path below the root and the same content on both sides. Only
//! hashes are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::canonical::{self, Record};
use crate::compose::Selector;
use crate::diff::effect::{Cause, Effect, Sides};
use crate::diff::{Change, Subject, Verb, changes};
use crate::mode::Mode;
use crate::moment::Moment;
use crate::resource::{Content, Resource, ResourceId, Status};
use crate::snapshot::Snapshot;
use crate::treatment::TreatedSnapshot;

/// The most places of changes that are collected. An honest list has a few per chat.
pub const PLACES_MAX: usize = 100_000;

/// The first 16 bytes of a hash over a change: its subject, verb, path below the root, and the content of
/// both sides. Equal changes have equal ids, whatever their chats and workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PendingChangeId([u8; 16]);

impl PendingChangeId {
    /// Returns the id of a change between two snapshots.
    pub fn of(change: &Change<'_>, pinned: &Snapshot, head: &Snapshot) -> Self {
        let mut hasher = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        add(change.subject.as_str().as_bytes());
        add(change.verb.as_str().as_bytes());
        add(path(change).as_bytes());
        let records = match change.subject {
            Subject::Facts => [&pinned.facts, &head.facts].map(|f| Some(canonical::facts(f))),
            Subject::Resource(_) => [change.pinned, change.head].map(held),
        };
        for record in &records {
            add(record.as_ref().map_or(&[], Record::bytes));
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        Self(short)
    }
}

impl fmt::Display for PendingChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PendingChangeId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut short = [0; 16];
        hex::decode_to_slice(text, &mut short)?;
        Ok(Self(short))
    }
}

/// Returns the record of what a usable resource holds. It leaves out where the resource lies.
fn held(resource: Option<&Resource>) -> Option<Record> {
    let usable = resource.filter(|resource| resource.status == Status::Ok);
    usable.map(canonical::held)
}

/// Returns the path of a change below its root, or the name of an MCP server. It is empty for the facts.
pub fn path<'s>(change: &Change<'s>) -> &'s str {
    let Some(resource) = change.head.or(change.pinned) else {
        return "";
    };
    let source = resource.source.as_str();
    let root = resource.root.as_deref();
    let below = root.and_then(|root| source.strip_prefix(root));
    match below.map(|below| below.trim_start_matches('/')) {
        // The root is the file itself.
        Some("") => source.rsplit('/').next().unwrap_or(source),
        Some(below) => below,
        None => source,
    }
}

/// A change that a group of chats has not taken.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingChange {
    pub id: PendingChangeId,
    pub subject: Subject,
    pub verb: Verb,
    /// The path below the root, or the name of an MCP server. It is empty for the facts.
    pub path: String,
    /// The name of a skill.
    pub name: Option<String>,
    /// The strongest effect on a chat.
    pub effect: Effect,
    /// `None` if the workspace is the cause.
    pub cause: Option<Cause>,
    /// The content in the pin. For a skill, it is that of its `SKILL.md`.
    pub pinned: Option<Content>,
    /// The content in the head.
    pub head: Option<Content>,
    pub places: Vec<Place>,
}

/// A place of a pending change: a group of chats, and the resource in their workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of the group.
    pub group: usize,
    /// The source of the resource. It is empty for the facts.
    pub source: String,
    /// `None` for the facts.
    pub resource: Option<ResourceId>,
}

/// What chats of one group have in common: their pin, their agent's head, and how the two are compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'s> {
    pub pinned: &'s TreatedSnapshot,
    pub head: &'s TreatedSnapshot,
    /// Whether changes of tools count.
    pub with_tools: bool,
    /// The version of the renderer of the pin's prompt.
    pub renderer: i64,
    /// The mode of the chats.
    pub mode: Mode,
}

impl<'s> Comparison<'s> {
    fn changes(&self) -> Vec<Change<'s>> {
        changes(self.pinned, self.head, self.with_tools)
    }
}

/// Pending changes, collected from groups of chats.
#[derive(Debug, Clone, Default)]
pub struct PendingChanges {
    by_id: BTreeMap<PendingChangeId, PendingChange>,
    place_count: usize,
    is_full: bool,
}

impl PendingChanges {
    /// Adds the changes of a group of chats. Adds nothing if there would be more than [`PLACES_MAX`] places, and
    /// nothing after that.
    pub fn add(&mut self, group: usize, comparison: Comparison<'_>) {
        let changes = comparison.changes();
        self.is_full |= self.place_count + changes.len() > PLACES_MAX;
        if self.is_full {
            return;
        }
        self.place_count += changes.len();
        let (pinned, head) = (comparison.pinned, comparison.head);
        let (renderer, mode) = (comparison.renderer, comparison.mode);
        let sides = Sides::of(Some(pinned), Some(head), renderer, mode);
        for change in &changes {
            let id = PendingChangeId::of(change, pinned, head);
            let effect = change.effect(sides);
            let pending = self
                .by_id
                .entry(id)
                .or_insert_with(|| PendingChange::new(id, change, effect));
            pending.effect = pending.effect.max(effect);
            pending.places.push(Place {
                group,
                source: change.source().to_owned(),
                resource: change.head.or(change.pinned).map(Resource::id),
            });
        }
    }

    /// Returns whether the changes of a group were left out.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns the change with this id.
    pub fn get(&self, id: PendingChangeId) -> Option<&PendingChange> {
        self.by_id.get(&id)
    }

    /// Returns all changes, in the order of their ids.
    pub fn all(&self) -> impl Iterator<Item = &PendingChange> {
        self.by_id.values()
    }
}

impl PendingChange {
    fn new(id: PendingChangeId, change: &Change<'_>, effect: Effect) -> Self {
        let content = |resource: Option<&Resource>| {
            let usable = resource.filter(|resource| resource.status == Status::Ok);
            usable.and_then(|resource| resource.content)
        };
        let name = change.head.or(change.pinned);
        Self {
            id,
            subject: change.subject,
            verb: change.verb,
            path: path(change).to_owned(),
            name: name.and_then(|resource| resource.name.clone()),
            effect,
            cause: change.cause(),
            pinned: content(change.pinned),
            head: content(change.head),
            places: Vec::new(),
        }
    }
}

impl PendingChange {
    /// Returns whether two snapshots of a workspace hold the same at a place of the change.
    pub fn is_same_at(&self, place: &Place, one: &Snapshot, other: &Snapshot) -> bool {
        match self.subject {
            Subject::Facts => canonical::facts(&one.facts) == canonical::facts(&other.facts),
            Subject::Resource(kind) => {
                let held_by =
                    |snapshot: &Snapshot| {
                        let mut resources = snapshot.resources.iter();
                        held(resources.find(|resource| {
                            resource.kind == kind && resource.source == place.source
                        }))
                    };
                held_by(one) == held_by(other)
            }
        }
    }
}

/// Returns selectors of the changes from `pinned` to `head` that have one of the ids, which are sorted.
pub fn selectors(
    pinned: &Snapshot,
    head: &Snapshot,
    with_tools: bool,
    ids: &[PendingChangeId],
) -> Vec<Selector> {
    let all = changes(pinned, head, with_tools);
    let chosen = all.iter().filter(|change| {
        let id = PendingChangeId::of(change, pinned, head);
        ids.binary_search(&id).is_ok()
    });
    let selectors = chosen.flat_map(|change| {
        // A file that lies elsewhere in a rebuilt workspace has two sources.
        let sides = [change.pinned, change.head].into_iter().flatten();
        let mut sources: Vec<_> = sides.map(|side| side.source.clone()).collect();
        sources.dedup();
        if change.subject == Subject::Facts {
            sources.push(String::new());
        }
        sources.into_iter().map(|source| Selector {
            subject: Some(change.subject),
            source,
        })
    });
    selectors.collect()
}

/// The place of a pending change in the list, which is sorted by time, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingChangeCursor {
    pub since: Moment,
    pub id: PendingChangeId,
}

impl fmt::Display for PendingChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.since.utc().timestamp_micros(), self.id)
    }
}

/// The error of parsing a [`PendingChangeCursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of pending changes")]
pub struct MalformedCursor;

impl FromStr for PendingChangeCursor {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> Result<Self, MalformedCursor> {
        let (since, id) = text.rsplit_once('-').ok_or(MalformedCursor)?;
        let micros = since.parse().map_err(|_| MalformedCursor)?;
        Ok(Self {
            since: Moment::from_unix_micros(micros).ok_or(MalformedCursor)?,
            id: id.parse().map_err(|_| MalformedCursor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;
    use crate::resource::{Kind, SkillFile};
    use crate::snapshot::Facts;

    fn file(root: &str, path: &str, body: &str) -> Resource {
        let mut resource =
            Resource::new(Kind::InstructionFile, format!("{root}/{path}"), Status::Ok);
        resource.root = Some(root.into());
        resource.content = Some(Content::Pinned(BlobHash::of(body.as_bytes())));
        resource
    }

    fn snapshot(directory: &str, resources: Vec<Resource>) -> TreatedSnapshot {
        TreatedSnapshot {
            snapshot: Snapshot {
                facts: Facts {
                    os: None,
                    directory: Some(directory.into()),
                    rules: None,
                },
                error: None,
                resources,
            },
            ..TreatedSnapshot::default()
        }
    }

    /// Collects the changes of groups, each given as pin and head.
    fn collected(groups: &[(TreatedSnapshot, TreatedSnapshot)]) -> PendingChanges {
        let mut found = PendingChanges::default();
        for (group, (pinned, head)) in groups.iter().enumerate() {
            let comparison = Comparison {
                pinned,
                head,
                with_tools: false,
                renderer: 1,
                mode: Mode::Delivered,
            };
            found.add(group, comparison);
        }
        found
    }

    fn told(found: &PendingChanges) -> Vec<String> {
        let told = found.all().map(|change| {
            let groups: Vec<_> = change.places.iter().map(|place| place.group).collect();
            format!("{} {} {groups:?}", change.verb, change.path)
        });
        let mut told: Vec<_> = told.collect();
        told.sort();
        told
    }

    #[test]
    fn equal_changes_of_several_workspaces_are_one() {
        let group = |root: &str, old: &str, new: &str| {
            let pinned = vec![file(root, "AGENTS.md", old), file(root, "same.md", "s")];
            let head = vec![file(root, "AGENTS.md", new), file(root, "same.md", "s")];
            (snapshot(root, pinned), snapshot(root, head))
        };
        let groups = [
            group("/a", "one", "two"),
            group("/home/b", "one", "two"),
            group("/c", "another", "two"),
            group("/d", "one", "three"),
        ];
        assert_eq!(
            told(&collected(&groups)),
            [
                "modified AGENTS.md [0, 1]",
                "modified AGENTS.md [2]",
                "modified AGENTS.md [3]"
            ]
        );
    }

    #[test]
    fn everything_that_a_resource_holds_counts() {
        let skill = |root: &str, change: &dyn Fn(&mut Resource)| {
            let mut skill = file(root, "skills/s/SKILL.md", "text");
            skill.kind = Kind::Skill;
            skill.name = Some("s".into());
            skill.description = Some("does".into());
            skill.files = vec![SkillFile {
                path: "run.sh".into(),
                content: Some(Content::Pinned(BlobHash::of(b"run"))),
                size: 3,
                executable: false,
                error: None,
            }];
            change(&mut skill);
            (snapshot(root, vec![]), snapshot(root, vec![skill]))
        };
        let check = |change: &dyn Fn(&mut Resource), is_equal: bool| {
            let groups = [skill("/a", &|_| {}), skill("/b", change)];
            let count = collected(&groups).all().count();
            assert_eq!(count == 1, is_equal);
        };
        check(&|_| {}, true);
        check(&|skill| skill.description = Some("does more".into()), false);
        check(&|skill| skill.files[0].executable = true, false);
        check(&|skill| skill.files[0].path = "run".into(), false);
        check(
            &|skill| skill.content = Some(Content::Pinned(BlobHash::of(b"other"))),
            false,
        );
        check(
            &|skill| skill.source = "/b/elsewhere/SKILL.md".into(),
            false,
        );
    }

    #[test]
    fn the_chosen_changes_are_selected() {
        let pinned = snapshot("/w", vec![file("/w", "a", "1"), file("/w", "b", "1")]);
        let head = snapshot("/w", vec![file("/w", "a", "2"), file("/w", "b", "2")]);
        let found = collected(&[(pinned.clone(), head.clone())]);
        let chosen = found.all().find(|change| change.path == "b").unwrap();
        let selected = selectors(&pinned, &head, false, &[chosen.id]);
        let sources: Vec<_> = selected.iter().map(|one| one.source.as_str()).collect();
        assert_eq!(sources, ["/w/b"]);
        // In a snapshot that has other content, nothing has that id.
        let other = snapshot("/w", vec![file("/w", "a", "2"), file("/w", "b", "3")]);
        assert!(selectors(&pinned, &other, false, &[chosen.id]).is_empty());
    }

    #[test]
    fn a_root_that_is_a_file_gives_its_name() {
        let mut declared = file("/x", "rules.md", "1");
        declared.root = Some("/x/rules.md".into());
        let groups = [(snapshot("/w", vec![]), snapshot("/w", vec![declared]))];
        assert_eq!(told(&collected(&groups)), ["added rules.md [0]"]);
    }

    #[test]
    fn a_cursor_has_one_spelling() {
        let cursor = PendingChangeCursor {
            since: Moment::from_unix_micros(-5).unwrap(),
            id: PendingChangeId([7; 16]),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1-", "x-07", "1-zz"] {
            assert_eq!(
                text.parse::<PendingChangeCursor>(),
                Err(MalformedCursor),
                "{text}"
            );
        }
    }
}
