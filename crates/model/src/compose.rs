//! A snapshot made of two: the pin with some things taken from the head.

use std::collections::BTreeSet;

use crate::admission::admit;
use crate::diff::{Subject, changes, pairs};
use crate::pin::ToolsMode;
use crate::resource::{Kind, Resource, Status};
use crate::snapshot::Snapshot;

/// Names something that a partial refresh takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Of this kind; of whatever kind if absent.
    pub subject: Option<Subject>,
    /// At this source, in the pin or in the head. Empty for the facts.
    pub source: String,
}

impl Selector {
    fn selects_facts(&self) -> bool {
        self.source.is_empty() && self.subject.is_none_or(|subject| subject == Subject::Facts)
    }

    fn selects(&self, resource: &Resource) -> bool {
        self.source == resource.source
            && self
                .subject
                .is_none_or(|subject| subject == Subject::Resource(resource.kind))
    }
}

/// Selectors that name nothing in the pin or the head, as the caller wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither the pin nor the head has {}", .0.join(", "))]
pub struct UnknownSources(pub Vec<String>);

/// The pin with what is selected taken from the head: added, replaced or removed, under the same
/// limits and shadowing as any snapshot. Resources that the head has stand in the head's order; one
/// that it lacks follows its predecessor in the pin. The error and everything not selected stay the
/// pin's. Once nothing that `mode` counts differs from the head any more, it is the head itself.
pub fn partial(
    pinned: &Snapshot,
    head: &Snapshot,
    selectors: &[Selector],
    mode: ToolsMode,
) -> Result<Snapshot, UnknownSources> {
    let known = |selector: &&Selector| {
        selector.selects_facts()
            || [pinned, head]
                .iter()
                .any(|s| s.resources.iter().any(|r| selector.selects(r)))
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
        return Err(UnknownSources(unknown));
    }
    let facts = selectors.iter().any(Selector::selects_facts);
    let composed = take(pinned, head, facts, |resource| {
        selectors.iter().any(|selector| selector.selects(resource))
    });
    let complete = changes(&composed, head, mode == ToolsMode::Pinned).is_empty();
    Ok(if complete { head.clone() } else { composed })
}

/// The pin with the head's `ok` resources added whose kind and source it does not have. What is
/// pinned keeps its name, bytes and budget: an addition that would shadow, displace or exceed is
/// left out. `None` if nothing can be added.
pub fn additive(pinned: &Snapshot, head: &Snapshot) -> Option<Snapshot> {
    let known: BTreeSet<_> = pinned
        .resources
        .iter()
        .map(|r| (r.kind, r.source.as_str()))
        .collect();
    let candidates: Vec<_> = head
        .resources
        .iter()
        .filter(|r| r.status == Status::Ok && !known.contains(&(r.kind, r.source.as_str())))
        .collect();
    let mut accepted: Vec<&Resource> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        // Mostly all of them fit at once; only else is each tried alone.
        if index == 0
            && let Some(all) = with_added(pinned, head, &candidates)
        {
            return Some(all);
        }
        accepted.push(candidate);
        if with_added(pinned, head, &accepted).is_none() {
            accepted.pop();
        }
    }
    if accepted.is_empty() {
        None
    } else {
        with_added(pinned, head, &accepted)
    }
}

/// The pin with the head's MCP configurations and servers in place of its own, after everything
/// else: the pinned context keeps its order, its limits and so its hash.
pub fn settle(pinned: &Snapshot, head: &Snapshot) -> Snapshot {
    let context = pinned.resources.iter().filter(|r| r.kind.is_context());
    let tools = head.resources.iter().filter(|r| !r.kind.is_context());
    let mut resources: Vec<_> = context.chain(tools).cloned().collect();
    admit(&mut resources);
    Snapshot {
        facts: pinned.facts.clone(),
        error: pinned.error.clone(),
        resources,
    }
}

/// `None` if anything pinned or added would not be used as it is.
fn with_added(pinned: &Snapshot, head: &Snapshot, added: &[&Resource]) -> Option<Snapshot> {
    let composed = take(pinned, head, false, |resource| {
        added
            .iter()
            .any(|a| a.kind == resource.kind && a.source == resource.source)
    });
    let keeps =
        |resource: &Resource| composed.find(resource.kind, &resource.source) == Some(resource);
    let kept = pinned.resources.iter().all(keeps) && added.iter().all(|resource| keeps(resource));
    kept.then_some(composed)
}

fn take(
    pinned: &Snapshot,
    head: &Snapshot,
    facts: bool,
    selected: impl Fn(&Resource) -> bool,
) -> Snapshot {
    let pairs = pairs(pinned, head);
    // The pin's place of each resource that is taken over, to find predecessors.
    let mut resources: Vec<(Option<usize>, Resource)> = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.head.is_some()) {
        let is_selected = pair.head.is_some_and(&selected) || pair.pinned.is_some_and(&selected);
        let taken = if is_selected { pair.head } else { pair.pinned };
        resources.extend(taken.map(|resource| (pair.pinned_at, resource.clone())));
    }
    for pair in pairs.iter().filter(|pair| pair.head.is_none()) {
        let Some(resource) = pair.pinned.filter(|resource| !selected(resource)) else {
            continue;
        };
        // The nearest resource before it in the pin that is still there.
        let predecessor = resources
            .iter()
            .enumerate()
            .filter(|(_, (pinned_at, _))| *pinned_at < pair.pinned_at && pinned_at.is_some())
            .max_by_key(|(_, (pinned_at, _))| *pinned_at);
        let place = predecessor.map_or(0, |(index, _)| index + 1);
        resources.insert(place, (pair.pinned_at, resource.clone()));
    }
    let mut resources: Vec<_> = resources
        .into_iter()
        .map(|(_, resource)| resource)
        .collect();
    // MCP servers stand last in every snapshot.
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
    use crate::resource::Content;

    /// One resource a word: `source=body`, or `source=body*bytes` for one of that size.
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
    fn what_the_head_has_stands_in_its_order() {
        check("a=1 b=1 c=1", "c=2 b=2 a=2", "a", "c=1 b=1 a=2");
        check("a=1 x=1 b=1", "b=2 a=2", "b", "b=2 a=1 x=1");
        check("x=1 a=1", "a=2 b=1", "a", "x=1 a=2");
    }

    #[test]
    fn when_everything_is_taken_it_is_the_head() {
        check("a=1 b=1", "b=1 a=2", "a", "b=1 a=2");
    }

    #[test]
    fn unknown_sources_are_told() {
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

    #[test]
    fn settling_takes_tools_alone() {
        let mut pinned = snapshot("a=1");
        let mut head = snapshot("a=2");
        pinned
            .resources
            .push(Resource::new(Kind::McpServer, "old", Status::Ok));
        head.resources
            .push(Resource::new(Kind::McpServer, "new", Status::Ok));
        let settled = settle(&pinned, &head);
        assert_eq!(settled.resources[0], pinned.resources[0]);
        assert_eq!(settled.resources[1], head.resources[1]);
        assert_eq!(settled.resources.len(), 2);
    }
}
