//! Snapshots composed of a pin and a head, for moves that take only a part of the head.

use std::collections::{HashMap, HashSet};

use crate::admission::{Ledger, admit};
use crate::diff::{Pair, Subject, changes, pairs};
use crate::limits::SNAPSHOT_LISTED_MAX;
use crate::profile::ProfileRules;
use crate::resource::{Kind, Resource, Status};
use crate::snapshot::Snapshot;
use crate::tools_mode::ToolsMode;

/// A selector of what a partial refresh takes from the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// `None` selects every kind.
    pub subject: Option<Subject>,
    /// A source of the pin or of the head. It is empty for the facts.
    pub source: String,
}

impl Selector {
    fn selects_facts(&self) -> bool {
        self.source.is_empty() && self.subject.is_none_or(|subject| subject == Subject::Facts)
    }
}

/// A set of selectors, to look up each resource in constant time.
struct Selected<'s>(HashSet<(Option<Subject>, &'s str)>);

impl<'s> Selected<'s> {
    fn of(selectors: &'s [Selector]) -> Self {
        let named = selectors.iter();
        let named = named.map(|selector| (selector.subject, selector.source.as_str()));
        Self(named.collect())
    }

    fn has(&self, resource: &Resource) -> bool {
        let subjects = [None, Some(Subject::Resource(resource.kind))];
        let mut subjects = subjects.into_iter();
        subjects.any(|subject| self.0.contains(&(subject, resource.source.as_str())))
    }
}

/// The reason why a part of the head cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inseparable {
    /// The selectors select nothing in the pin or the head.
    #[error(transparent)]
    Unknown(#[from] UnknownSources),
    /// The pin and the head were made by other rules, so a part of the one is no part of the other.
    #[error(transparent)]
    OtherProfile(#[from] OtherProfile),
}

/// The error of a part of a head that other rules have made than those of the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", match pinned == head {
    true => format!("the settings of {head} have changed since the pin, so no part of the head can be taken; refresh the whole chat"),
    false => format!("the pin is of {pinned} and the head of {head}, so no part of the head can be taken; refresh the whole chat"),
})]
pub struct OtherProfile {
    pub pinned: ProfileRules,
    pub head: ProfileRules,
}

/// Checks that pin and head were made by the same rules and settings.
///
/// # Errors
///
/// Returns [`OtherProfile`] if they were not.
pub fn require_same_rules(pinned: &Snapshot, head: &Snapshot) -> Result<(), OtherProfile> {
    match pinned.facts.rules == head.facts.rules {
        true => Ok(()),
        false => Err(OtherProfile {
            pinned: pinned.facts.profile_rules(),
            head: head.facts.profile_rules(),
        }),
    }
}

/// The error of selectors that select nothing in the pin or the head. Each has the caller's spelling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither the pin nor the head has {}", .0.join(", "))]
pub struct UnknownSources(pub Vec<String>);

/// Returns the pin after everything selected was added, replaced or removed as in the head.
///
/// The limits and the precedence of skills are those of any snapshot. Resources that the head has are
/// in the head's order. A resource that the head lacks follows its predecessor in the pin. The error,
/// and everything not selected, are the pin's. If nothing that counts under `mode` differs from the
/// head any more, the result is the head itself.
///
/// # Errors
///
/// Fails if a selector selects nothing in the pin or the head, or if other rules have made the head and not all
/// of its changes are selected.
pub fn partial(
    pinned: &Snapshot,
    head: &Snapshot,
    selectors: &[Selector],
    mode: ToolsMode,
) -> Result<Snapshot, Inseparable> {
    let resources = pinned.resources.iter().chain(&head.resources);
    let there: HashSet<_> = resources
        .flat_map(|r| {
            let subjects = [None, Some(Subject::Resource(r.kind))];
            subjects.map(|subject| (subject, r.source.as_str()))
        })
        .collect();
    let known = |selector: &&Selector| {
        selector.selects_facts() || there.contains(&(selector.subject, selector.source.as_str()))
    };
    let unknown: Vec<_> = selectors
        .iter()
        .filter(|selector| !known(selector))
        .map(|selector| match selector.subject {
            Some(subject) => format!("{} `{}`", subject.as_str(), selector.source),
            None => format!("`{}`", selector.source),
        })
        .collect();
    if !unknown.is_empty() {
        return Err(UnknownSources(unknown).into());
    }
    let facts = selectors.iter().any(Selector::selects_facts);
    let selected = Selected::of(selectors);
    let pairs = pairs(pinned, head);
    let composed = take(pinned, head, &pairs, facts, |resource| {
        selected.has(resource)
    });
    if changes(&composed, head, mode.pins_tools()).is_empty() {
        return Ok(head.clone());
    }
    require_same_rules(pinned, head)?;
    Ok(composed)
}

/// Returns the pin with the `ok` resources added that only the head has. Returns `None` if nothing
/// can be added, or if other rules have made the head.
///
/// An addition is left out if it would take precedence over a pinned skill, displace a pinned
/// resource or exceed a limit. The time is linear in the number of resources.
pub fn additive(pinned: &Snapshot, head: &Snapshot) -> Option<Snapshot> {
    require_same_rules(pinned, head).ok()?;
    let pairs = pairs(pinned, head);
    let mut ledger = Ledger::of(&pinned.resources);
    let mut room = SNAPSHOT_LISTED_MAX.saturating_sub(pinned.resources.len());
    let mut added = HashSet::new();
    for pair in &pairs {
        // A resource with a counterpart in the pin is no addition, even under another source.
        let candidate = pair.head.filter(|_| pair.pinned.is_none());
        let Some(candidate) = candidate.filter(|candidate| candidate.status == Status::Ok) else {
            continue;
        };
        if room > 0 && ledger.take(candidate) {
            room -= 1;
            added.insert((candidate.kind, candidate.source.as_str()));
        }
    }
    if added.is_empty() {
        return None;
    }
    let composed = take(pinned, head, &pairs, false, |resource| {
        added.contains(&(resource.kind, resource.source.as_str()))
    });
    let there: HashMap<_, _> = composed
        .resources
        .iter()
        .map(|r| ((r.kind, r.source.as_str()), r))
        .collect();
    let is_kept = |r: &&Resource| there.get(&(r.kind, r.source.as_str())) == Some(r);
    // A pin of an older release may exceed the present limits.
    let is_whole = pinned.resources.iter().all(|r| is_kept(&r));
    is_whole.then_some(composed)
}

/// Returns the pin with its MCP configurations and servers replaced by the head's. They come after
/// everything else, so the pinned context keeps its order, its limits and its hash. Returns `None` if other rules
/// have made the head.
pub fn settle(pinned: &Snapshot, head: &Snapshot) -> Option<Snapshot> {
    require_same_rules(pinned, head).ok()?;
    let context = pinned.resources.iter().filter(|r| r.kind.is_context());
    let tools = head.resources.iter().filter(|r| !r.kind.is_context());
    let mut resources: Vec<_> = context.chain(tools).cloned().collect();
    admit(&mut resources);
    Some(Snapshot {
        facts: pinned.facts.clone(),
        error: pinned.error.clone(),
        resources,
    })
}

fn take(
    pinned: &Snapshot,
    head: &Snapshot,
    pairs: &[Pair<'_>],
    facts: bool,
    selected: impl Fn(&Resource) -> bool,
) -> Snapshot {
    let taken_of = |pair: &Pair<'_>| {
        let is_selected = pair.head.is_some_and(&selected) || pair.pinned.is_some_and(&selected);
        if is_selected {
            pair.head.cloned()
        } else {
            pair.pinned.cloned()
        }
    };
    // The resources that the head has, in its order, each with its index in the pin.
    let in_head = pairs.iter().filter(|pair| pair.head.is_some());
    let in_head: Vec<(Option<usize>, Resource)> = in_head
        .filter_map(|pair| Some((pair.pinned_at, taken_of(pair)?)))
        .collect();
    // Resources that only the pin has, each after the nearest one before it that remains.
    let still_there: HashSet<_> = in_head.iter().filter_map(|(at, _)| *at).collect();
    let only_pinned = pairs.iter().filter(|pair| pair.head.is_none());
    let mut only_pinned: HashMap<_, _> = only_pinned
        .filter_map(|pair| Some((pair.pinned_at?, taken_of(pair)?)))
        .collect();
    let mut followers: HashMap<Option<usize>, Vec<Resource>> = HashMap::new();
    let mut before = None;
    for at in 0..pinned.resources.len() {
        if still_there.contains(&at) {
            before = Some(at);
        } else if let Some(resource) = only_pinned.remove(&at) {
            followers.entry(before).or_default().push(resource);
        }
    }
    let mut resources = followers.remove(&None).unwrap_or_default();
    for (at, resource) in in_head {
        resources.push(resource);
        if at.is_some() {
            resources.extend(followers.remove(&at).unwrap_or_default());
        }
    }
    // MCP servers are last in every snapshot.
    resources.sort_by_key(|resource| resource.kind == Kind::McpServer);
    admit(&mut resources);
    let facts = if facts { &head.facts } else { &pinned.facts };
    Snapshot {
        facts: facts.clone(),
        error: pinned.error.clone(),
        resources,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;
    use crate::limits::SNAPSHOT_PROMPT_BYTES_MAX;
    use crate::profile::{CodexSettings, Rules, Settings};
    use crate::resource::Content;

    /// Makes a resource of each word: `source=body`, or `source=body*size`.
    fn snapshot(words: &str) -> Snapshot {
        let resources = words.split_whitespace().map(|word| {
            let (source, body) = word.split_once('=').unwrap();
            let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
            resource.content = Some(Content::Pinned(BlobHash::of(body.as_bytes())));
            resource.size = body
                .split_once('*')
                .map_or(1, |(_, size)| size.parse().unwrap());
            resource
        });
        Snapshot {
            resources: resources.collect(),
            ..Snapshot::default()
        }
    }

    fn skill(source: &str, root: &str, name: &str) -> Resource {
        let mut resource = Resource::new(Kind::Skill, source, Status::Ok);
        resource.content = Some(Content::Pinned(BlobHash::of(source.as_bytes())));
        resource.root = Some(root.into());
        resource.name = Some(name.into());
        resource
    }

    fn by_source(source: &str) -> Selector {
        Selector {
            subject: None,
            source: source.into(),
        }
    }

    fn check(pinned: &str, head: &str, sources: &str, expected: &str) {
        let (pinned, mut head) = (snapshot(pinned), snapshot(head));
        head.error = Some("of the head".into());
        let selectors: Vec<_> = sources.split_whitespace().map(by_source).collect();
        let composed = partial(&pinned, &head, &selectors, ToolsMode::Live).unwrap();
        assert_eq!(composed.resources, snapshot(expected).resources);
        let is_head = composed.resources == head.resources;
        assert_eq!(
            composed.error.is_some(),
            is_head,
            "the head's error comes with the head only"
        );
    }

    #[test]
    fn a_partial_refresh_takes_what_is_named() {
        check("a=1 b=1 c=1", "a=2 b=2 c=2", "b", "a=1 b=2 c=1");
        check("a=1 b=1", "a=2 n=1 b=2", "n", "a=1 n=1 b=1");
        check("a=1 b=1 c=1", "a=2 c=1", "b", "a=1 c=1");
        check("a=1 b=1 c=1", "a=2 c=2", "c", "a=1 b=1 c=2");
    }

    #[test]
    fn resources_of_the_head_are_in_its_order() {
        check("a=1 b=1 c=1", "c=2 b=2 a=2", "a", "c=1 b=1 a=2");
        check("a=1 x=1 b=1", "b=2 a=2", "b", "b=2 a=1 x=1");
        check("x=1 a=1", "a=2 b=1", "a", "x=1 a=2");
    }

    #[test]
    fn when_everything_is_taken_it_is_the_head() {
        check("a=1 b=1", "b=1 a=2", "a", "b=1 a=2");
    }

    #[test]
    fn unknown_sources_are_an_error() {
        let (pinned, head) = (snapshot("a=1"), snapshot("a=2"));
        let selectors = [
            by_source("a"),
            by_source("z"),
            Selector {
                subject: Some(Subject::Resource(Kind::Skill)),
                source: "a".into(),
            },
        ];
        let error = partial(&pinned, &head, &selectors, ToolsMode::Live).unwrap_err();
        assert_eq!(
            error.to_string(),
            "neither the pin nor the head has `z`, skill `a`"
        );
    }

    #[test]
    fn facts_are_taken_only_when_named() {
        let (pinned, mut head) = (snapshot("a=1"), snapshot("a=2"));
        head.facts.os = Some("linux".into());
        let composed = partial(&pinned, &head, &[by_source("a")], ToolsMode::Live).unwrap();
        assert_eq!(composed.facts.os, None);
        let facts = Selector {
            subject: Some(Subject::Facts),
            source: String::new(),
        };
        let composed = partial(&pinned, &head, &[facts], ToolsMode::Live).unwrap();
        assert_eq!(composed.facts.os.as_deref(), Some("linux"));
        assert_eq!(composed.resources, pinned.resources);
    }

    #[test]
    fn a_partial_refresh_is_under_the_limits() {
        let room = SNAPSHOT_PROMPT_BYTES_MAX;
        let pinned = snapshot(&format!("a=1*{} b=1*5", room - 10));
        let head = snapshot(&format!("a=1*{} n=1*6 b=2*5", room - 10));
        let composed = partial(&pinned, &head, &[by_source("n")], ToolsMode::Live).unwrap();
        let statuses: Vec<_> = composed.resources.iter().map(|r| r.status).collect();
        assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Excluded]);
    }

    #[test]
    fn additions_displace_nothing() {
        let mut pinned = snapshot("a=1");
        pinned.resources.push(skill("/home/s", "/home", "s"));
        let mut head = snapshot("a=2 n=1");
        head.resources.push(skill("/home/s", "/home", "s"));
        head.resources.push(skill("/w/s", "/w", "s"));
        let composed = additive(&pinned, &head).unwrap();
        let sources: Vec<_> = composed
            .resources
            .iter()
            .map(|r| r.source.as_str())
            .collect();
        assert_eq!(sources, ["a", "n", "/home/s"]);
        assert_eq!(composed.resources[0], pinned.resources[0]);
        assert_eq!(additive(&composed, &head), None);
    }

    fn codex(words: &str, bytes_max: u64) -> Snapshot {
        let mut snapshot = snapshot(words);
        snapshot.facts.rules = Some(Rules::newest(Settings::Codex(CodexSettings {
            bytes_max,
            ..CodexSettings::defaults("/home/.codex")
        })));
        snapshot
    }

    #[test]
    fn nothing_is_taken_in_part_between_rules() {
        let facts = Selector {
            subject: Some(Subject::Facts),
            source: String::new(),
        };
        let check = |pinned: Snapshot, reason: &str| {
            let head = codex("a=2 b=1", 7);
            for part in [vec![by_source("a")], vec![facts.clone(), by_source("a")]] {
                let refused = partial(&pinned, &head, &part, ToolsMode::Live).unwrap_err();
                assert_eq!(refused.to_string(), reason);
            }
            let all = [facts.clone(), by_source("a"), by_source("b")];
            let whole = partial(&pinned, &head, &all, ToolsMode::Live);
            assert_eq!(whole, Ok(head.clone()));
            assert_eq!(additive(&pinned, &head), None);
            assert_eq!(settle(&pinned, &head), None);
        };
        check(
            snapshot("a=1"),
            "the pin is of the profile `neutral` and the head of the profile `codex` (rules 1), so no part of the head can be taken; refresh the whole chat",
        );
        check(
            codex("a=1", 8),
            "the settings of the profile `codex` (rules 1) have changed since the pin, so no part of the head can be taken; refresh the whole chat",
        );
    }

    #[test]
    fn settling_takes_tools_alone() {
        let mut pinned = snapshot("a=1");
        let mut head = snapshot("a=2");
        pinned
            .resources
            .push(Resource::new(Kind::McpServer, "old", Status::Ok));
        head.resources
            .push(Resource::new(Kind::McpServer, "new", Status::Ok));
        let settled = settle(&pinned, &head).unwrap();
        assert_eq!(settled.resources[0], pinned.resources[0]);
        assert_eq!(settled.resources[1], head.resources[1]);
        assert_eq!(settled.resources.len(), 2);
    }
}
