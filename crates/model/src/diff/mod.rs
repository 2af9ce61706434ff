//! The differences between two snapshots: changes of resources, hunks of their texts, and words of their
//! lines. `unified.rs` renders them as text, and nothing else here knows that form.
//!
//! Changes and hashes are computed from the same records. So there are no changes exactly if the context
//! hashes are equal and, where tools count, the tools hashes.

pub mod attributes;
pub mod effect;
pub mod lines;
mod pairs;
pub mod texts;
pub mod unified;

use std::collections::BTreeMap;

use crate::canonical::{CONTEXT_KINDS, Record, context_entry, tools_entry};
use crate::resource::{Kind, Resource, Status, spelled};
use crate::snapshot::Snapshot;

spelled! {
    /// The kind of a change from the pin to the head. Resources that are not `ok` count as absent.
    Verb {
        /// Only the head has the resource.
        Added = "added",
        /// Only the pin has the resource.
        Removed = "removed",
        /// Both have the resource, with different contents.
        Modified = "modified",
        /// Both have the resource with the same content, in a different order.
        Moved = "moved",
    }
}

/// The subject of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The facts about the workspace, whose source is empty.
    Facts,
    /// A resource of this kind.
    Resource(Kind),
}

impl Subject {
    /// Returns `facts`, or the word for the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Resource(kind) => kind.as_str(),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = crate::resource::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::Facts.as_str() {
            return Ok(Self::Facts);
        }
        text.parse().map(Self::Resource)
    }
}

/// A change from the pin to the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'s> {
    pub subject: Subject,
    pub verb: Verb,
    /// The pin's resource, even if it is not usable.
    pub pinned: Option<&'s Resource>,
    /// The head's resource, even if it is not usable.
    pub head: Option<&'s Resource>,
}

impl Change<'_> {
    /// Returns the head's source, or the pin's if the head lacks the resource. It is empty for the facts.
    pub fn source(&self) -> &str {
        self.head
            .or(self.pinned)
            .map_or("", |resource| resource.source.as_str())
    }
}

/// Returns the changes from the pin to the head: first the facts, then those of resources by kind, in
/// the head's order, and those that the head lacks in the pin's order. MCP configurations and servers
/// count only if `with_tools`.
pub fn changes<'s>(pinned: &'s Snapshot, head: &'s Snapshot, with_tools: bool) -> Vec<Change<'s>> {
    let mut changes = Vec::new();
    if pinned.facts != head.facts {
        changes.push(Change {
            subject: Subject::Facts,
            verb: Verb::Modified,
            pinned: None,
            head: None,
        });
    }
    let pairs = pairs(pinned, head);
    for kind in CONTEXT_KINDS {
        compare(
            &pairs,
            |resource| (resource.kind == kind).then(|| context_entry(resource)),
            &mut changes,
        );
    }
    if with_tools {
        compare(
            &pairs,
            |resource| (!resource.kind.is_context()).then(|| tools_entry(resource)),
            &mut changes,
        );
    }
    changes
}

/// A resource of the pin and its counterpart in the head.
pub(crate) struct Pair<'s> {
    pub pinned: Option<&'s Resource>,
    pub head: Option<&'s Resource>,
    /// The index in the pin's list.
    pub pinned_at: Option<usize>,
}

/// Matches resources by kind and source. If the working directories differ, it also matches by kind and
/// relative path, so that a workspace rebuilt elsewhere is compared file by file. The pairs are in the
/// head's order, then those that the head lacks in the pin's.
pub(crate) fn pairs<'s>(pinned: &'s Snapshot, head: &'s Snapshot) -> Vec<Pair<'s>> {
    let mut unmatched: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    for (index, resource) in pinned.resources.iter().enumerate() {
        unmatched.insert((resource.kind, &resource.source), index);
    }
    let mut matched: Vec<Option<usize>> = head
        .resources
        .iter()
        .map(|resource| unmatched.remove(&(resource.kind, resource.source.as_str())))
        .collect();
    if let (Some(from), Some(to)) = (&pinned.facts.directory, &head.facts.directory)
        && from != to
    {
        let mut by_path: BTreeMap<(Kind, String), usize> = unmatched
            .into_values()
            .rev()
            .map(|index| {
                let resource = &pinned.resources[index];
                ((resource.kind, relative(&resource.source, from)), index)
            })
            .collect();
        for (place, resource) in matched.iter_mut().zip(&head.resources) {
            if place.is_none() {
                *place = by_path.remove(&(resource.kind, relative(&resource.source, to)));
            }
        }
    }
    let mut taken = vec![false; pinned.resources.len()];
    matched
        .iter()
        .flatten()
        .for_each(|index| taken[*index] = true);
    let in_head = head
        .resources
        .iter()
        .zip(matched)
        .map(|(resource, pinned_at)| Pair {
            pinned: pinned_at.map(|index| &pinned.resources[index]),
            head: Some(resource),
            pinned_at,
        });
    let only_pinned = (0..taken.len())
        .filter(|index| !taken[*index])
        .map(|index| Pair {
            pinned: Some(&pinned.resources[index]),
            head: None,
            pinned_at: Some(index),
        });
    in_head.chain(only_pinned).collect()
}

/// Returns the path from `directory` to `source`, with `..` where necessary.
fn relative(source: &str, directory: &str) -> String {
    let mut source_parts = source.split('/').peekable();
    let mut directory_parts = directory.trim_end_matches('/').split('/').peekable();
    while source_parts.peek().is_some() && source_parts.peek() == directory_parts.peek() {
        source_parts.next();
        directory_parts.next();
    }
    let up = "../".repeat(directory_parts.count());
    up + &source_parts.collect::<Vec<_>>().join("/")
}

/// Adds the changes of one group of resources. `entry` returns the record of a resource of the group,
/// and `None` for others.
fn compare<'s>(
    pairs: &[Pair<'s>],
    entry: impl Fn(&Resource) -> Option<Record>,
    changes: &mut Vec<Change<'s>>,
) {
    let usable = |resource: Option<&Resource>| {
        resource
            .filter(|resource| resource.status == Status::Ok)
            .and_then(&entry)
    };
    let mut unchanged: Vec<(usize, usize)> = Vec::new();
    let mut found: Vec<(usize, Change<'s>)> = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let verb = match (usable(pair.pinned), usable(pair.head)) {
            (None, None) => continue,
            (None, Some(_)) => Verb::Added,
            (Some(_), None) => Verb::Removed,
            (Some(pinned), Some(head)) if pinned != head => Verb::Modified,
            (Some(_), Some(_)) => {
                unchanged.extend(pair.pinned_at.map(|pinned_at| (index, pinned_at)));
                continue;
            }
        };
        found.push((index, change(pair, verb)));
    }
    for index in moved(&unchanged) {
        found.push((index, change(&pairs[index], Verb::Moved)));
    }
    found.sort_by_key(|(index, _)| *index);
    changes.extend(found.into_iter().map(|(_, change)| change));
}

fn change<'s>(pair: &Pair<'s>, verb: Verb) -> Change<'s> {
    let kind = pair
        .head
        .or(pair.pinned)
        .map_or(Kind::InstructionFile, |resource| resource.kind);
    Change {
        subject: Subject::Resource(kind),
        verb,
        pinned: pair.pinned,
        head: pair.head,
    }
}

/// Returns the fewest indices that must have moved, those outside a longest increasing subsequence of
/// positions. `unchanged` holds `(index, position in the pin)` in the head's order.
fn moved(unchanged: &[(usize, usize)]) -> Vec<usize> {
    // Patience sorting: `tails[n]` is the last element of the best subsequence of length n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; unchanged.len()];
    for (element, (_, position)) in unchanged.iter().enumerate() {
        let length = tails.partition_point(|tail| unchanged[*tail].1 < *position);
        before[element] = length.checked_sub(1).map(|shorter| tails[shorter]);
        if length == tails.len() {
            tails.push(element);
        } else {
            tails[length] = element;
        }
    }
    let mut stays = vec![false; unchanged.len()];
    let mut element = tails.last().copied();
    while let Some(current) = element {
        stays[current] = true;
        element = before[current];
    }
    let moved = unchanged.iter().zip(stays).filter(|(_, stays)| !stays);
    moved.map(|((index, _), _)| *index).collect()
}

/// Returns a message if two texts differ only in their line ends.
pub fn line_ends(pinned: &str, head: &str) -> Option<String> {
    let unix = |text: &str| text.replace("\r\n", "\n");
    let ends = |text: &str| match (text.matches("\r\n").count(), text.matches('\n').count()) {
        (0, _) => "LF",
        (pairs, all) if pairs == all => "CRLF",
        _ => "mixed",
    };
    (pinned != head && unix(pinned) == unix(head)).then(|| {
        format!(
            "only line ends differ: they were {} and are {} now",
            ends(pinned),
            ends(head)
        )
    })
}

/// Returns a path with control characters and line separators escaped, so that it cannot write lines of
/// a diff.
pub fn label(path: &str) -> String {
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let shown = path.chars().map(|c| match ends_line(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;
    use crate::resource::Content;
    use crate::snapshot::Facts;

    /// Creates a snapshot with a resource for each word: `path=body`, `path!status` for one that is not ok,
    /// `mcp:path=body`.
    fn snapshot(directory: &str, words: &str) -> Snapshot {
        let resources = words.split_whitespace().map(|word| {
            let (kind, word) = match word.strip_prefix("mcp:") {
                Some(rest) => (Kind::McpConfig, rest),
                None => (Kind::InstructionFile, word),
            };
            if let Some((source, status)) = word.split_once('!') {
                return Resource::new(
                    kind,
                    format!("{directory}/{source}"),
                    status.parse().unwrap(),
                );
            }
            let (source, body) = word.split_once('=').unwrap();
            let mut resource = Resource::new(kind, format!("{directory}/{source}"), Status::Ok);
            let hash = BlobHash::of(body.as_bytes());
            resource.content = Some(match kind {
                Kind::McpConfig => Content::Claimed(hash),
                Kind::InstructionFile | Kind::Skill | Kind::McpServer => Content::Pinned(hash),
            });
            resource
        });
        Snapshot {
            facts: Facts {
                os: None,
                directory: Some(directory.into()),
                rules: None,
            },
            error: None,
            resources: resources.collect(),
        }
    }

    fn check(pinned: &str, head: &str, expected: &str) {
        check_between(
            &snapshot("/w", pinned),
            &snapshot("/w", head),
            false,
            expected,
        );
    }

    fn check_between(pinned: &Snapshot, head: &Snapshot, with_tools: bool, expected: &str) {
        let changes = changes(pinned, head, with_tools);
        let found: Vec<_> = changes
            .iter()
            .map(|change| match change.subject {
                Subject::Facts => "facts".to_owned(),
                Subject::Resource(_) => format!("{} {}", change.verb, change.source()),
            })
            .collect();
        assert_eq!(found.join(", "), expected);
        let (a, b) = (pinned.addresses(), head.addresses());
        let same =
            a.context_hash == b.context_hash && (!with_tools || a.tools_hash == b.tools_hash);
        assert_eq!(changes.is_empty(), same);
    }

    #[test]
    fn changes_are_told_by_verb() {
        check("a=1 b=2", "a=1 b=2", "");
        check("a=1 b=2", "a=1 b=3 c=4", "modified /w/b, added /w/c");
        check("a=1 b=2", "b=2", "removed /w/a");
        check("a=1 b=2 c=3", "c=3 a=1 b=2", "moved /w/c");
        check("a=1 b=2", "b=3 a=1", "modified /w/b");
        check("a=1", "a!oversize", "removed /w/a");
        check("a!invalid", "a=1", "added /w/a");
        check("a!invalid", "a!unreadable", "");
        check("a=1 mcp:m=1", "a=1 mcp:m=2", "");
    }

    #[test]
    fn tools_count_when_asked() {
        let (a, b) = (snapshot("/w", "a=1 mcp:m=1"), snapshot("/w", "a=1 mcp:m=2"));
        check_between(&a, &b, true, "modified /w/m");
    }

    #[test]
    fn a_rebuilt_workspace_is_compared_file_by_file() {
        let (a, b) = (snapshot("/old/w", "a=1 b=2"), snapshot("/new/w", "a=1 c=2"));
        // The path is in the prompt, so an equal file at another path is a change all the same.
        check_between(
            &a,
            &b,
            false,
            "facts, modified /new/w/a, added /new/w/c, removed /old/w/b",
        );
    }

    #[test]
    fn relative_paths() {
        assert_eq!(relative("/w/repo/AGENTS.md", "/w/repo/pkg"), "../AGENTS.md");
        assert_eq!(relative("/w/repo/pkg/a", "/w/repo/pkg"), "a");
        assert_eq!(relative("files", "/w"), "../../files");
    }
}
