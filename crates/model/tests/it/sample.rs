//! Random snapshots with parts from small pools, so that two of them are often alike.

use ctxpin_model::admission::admit;
use ctxpin_model::compose::Selector;
use ctxpin_model::diff::{Change, Subject};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::resource::{Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

const DIRECTORIES: [&str; 2] = ["/w", "/old/w"];
const ROOTS: [&str; 2] = ["/w", "/home"];
const NAMES: [&str; 3] = ["a", "ab", "c-1"];
const TEXTS: [&str; 5] = ["", "a", "b", "ab", "é\u{1f980}"];

/// Every kind and source that a random snapshot can have.
const PLACES: [(Kind, &str); 14] = [
    (Kind::InstructionFile, "/w/AGENTS.md"),
    (Kind::InstructionFile, "/w/CLAUDE.md"),
    (Kind::InstructionFile, "/w/é.md"),
    (Kind::InstructionFile, "/old/w/AGENTS.md"),
    (Kind::InstructionFile, "/old/w/CLAUDE.md"),
    (Kind::Skill, "/w/skills/a/SKILL.md"),
    (Kind::Skill, "/w/.agents/skills/a/SKILL.md"),
    (Kind::Skill, "/w/skills/ab/SKILL.md"),
    (Kind::Skill, "/old/w/skills/a/SKILL.md"),
    (Kind::McpConfig, "/w/.mcp.json"),
    (Kind::McpConfig, "/old/w/.mcp.json"),
    // The same source under another kind is another resource.
    (Kind::McpConfig, "/w/AGENTS.md"),
    (Kind::McpServer, "files"),
    (Kind::McpServer, "search"),
];

fn optional_text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(select(&TEXTS[..]).prop_map(str::to_owned))
}

fn hash() -> impl Strategy<Value = BlobHash> {
    select(&["x", "y", "z"][..]).prop_map(|body| BlobHash::of(body.as_bytes()))
}

/// Generates any JSON that a schema could contain, including numbers of all types.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        Just(json!(1)),
        Just(json!(1.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = prop::collection::btree_map(any::<String>(), json_value(), 0..3)
        .prop_map(|map| map.into_iter().collect::<Map<_, _>>());
    (any::<String>(), prop::option::of(any::<String>()), schema).prop_map(
        |(name, description, input_schema)| Tool {
            name,
            description,
            input_schema,
        },
    )
}

fn server_shape() -> impl Strategy<Value = ServerShape> {
    let texts = || prop::collection::vec(any::<String>(), 0..3);
    let optional = || prop::option::of(any::<String>());
    (
        any::<String>(),
        any::<String>(),
        optional(),
        optional(),
        texts(),
        texts(),
    )
        .prop_map(
            |(name, transport, command, host, env, headers)| ServerShape {
                name,
                transport,
                command,
                host,
                env,
                headers,
            },
        )
}

/// Generates any detail.
pub fn detail() -> impl Strategy<Value = Detail> {
    prop_oneof![
        prop::collection::vec(server_shape(), 0..3).prop_map(Detail::Shape),
        prop::collection::vec(tool(), 0..3).prop_map(Detail::Tools),
    ]
}

/// Generates one of a few details, so that two are often equal.
fn small_detail() -> impl Strategy<Value = Option<Detail>> {
    let tool = |name: &str| {
        Detail::Tools(vec![Tool {
            name: name.into(),
            description: None,
            input_schema: Map::new(),
        }])
    };
    select(vec![
        None,
        Some(Detail::Tools(vec![])),
        Some(Detail::Shape(vec![])),
        Some(tool("read")),
        Some(tool("write")),
    ])
}

fn content() -> impl Strategy<Value = Option<Content>> {
    let content = prop_oneof![
        hash().prop_map(Content::Pinned),
        hash().prop_map(Content::Claimed)
    ];
    prop::option::of(content)
}

fn files() -> impl Strategy<Value = Vec<SkillFile>> {
    let paths = subsequence(&["a.md", "b/c.md", "é.sh"][..], 0..=3).prop_shuffle();
    let file = (content(), 0..2_u64, any::<bool>(), optional_text());
    (paths, prop::collection::vec(file, 3)).prop_map(|(paths, files)| {
        let files = paths.into_iter().zip(files);
        files
            .map(|(path, (content, size, executable, error))| SkillFile {
                path: path.to_owned(),
                content,
                size,
                executable,
                error,
            })
            .collect()
    })
}

/// Generates a resource whose members may contradict each other.
fn any_resource(kind: Kind, source: &'static str) -> impl Strategy<Value = Resource> {
    let texts = (
        optional_text(),
        optional_text(),
        optional_text(),
        optional_text(),
    );
    let rest = (select(Status::ALL), content(), 0..2_u64, small_detail());
    (texts, rest, files()).prop_map(move |(texts, rest, files)| {
        let (error, name, description, root) = texts;
        let (status, content, size, detail) = rest;
        Resource {
            error,
            content,
            size,
            name,
            description,
            root,
            detail,
            files,
            ..Resource::new(kind, source, status)
        }
    })
}

/// Generates a valid resource, whose bytes are pinned exactly if it is `ok`.
fn sound_resource(kind: Kind, source: &'static str) -> impl Strategy<Value = Resource> {
    let status = prop_oneof![3 => Just(Status::Ok), 1 => select(Status::ALL)];
    let words = (select(&NAMES[..]), select(&TEXTS[..]), select(&ROOTS[..]));
    (status, hash(), words, small_detail(), files()).prop_map(
        move |(status, hash, (name, description, root), detail, files)| {
            let mut resource = Resource::new(kind, source, Status::Ok);
            match kind {
                Kind::InstructionFile => resource.content = Some(Content::Pinned(hash)),
                Kind::Skill => {
                    resource.content = Some(Content::Pinned(hash));
                    resource.name = Some(name.to_owned());
                    resource.description = Some(description.to_owned());
                    resource.files = files;
                    resource.files.sort_by(|a, b| a.path.cmp(&b.path));
                }
                Kind::McpConfig => resource.content = Some(Content::Claimed(hash)),
                Kind::McpServer => resource.detail = detail,
            }
            resource.root = (kind != Kind::McpServer).then(|| root.to_owned());
            if status != Status::Ok {
                resource.demote(status, "broken");
            }
            resource
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    let directory = prop::option::of(select(&DIRECTORIES[..]).prop_map(str::to_owned));
    (optional_text(), directory).prop_map(|(os, directory)| Facts {
        os,
        directory,
        rules: None,
    })
}

fn resources<S: Strategy<Value = Resource> + 'static>(
    resource: fn(Kind, &'static str) -> S,
) -> impl Strategy<Value = Vec<Resource>> {
    subsequence(&PLACES[..], 0..=PLACES.len())
        .prop_shuffle()
        .prop_flat_map(move |places| {
            let resources = places.into_iter();
            resources
                .map(|(kind, source)| resource(kind, source))
                .collect::<Vec<_>>()
        })
}

fn snapshot_of(resources: impl Strategy<Value = Vec<Resource>>) -> impl Strategy<Value = Snapshot> {
    (facts(), optional_text(), resources).prop_map(|(facts, error, resources)| Snapshot {
        facts,
        error,
        resources,
    })
}

/// Generates a snapshot whose members may contradict each other. The kinds and sources of its resources
/// are unique.
pub fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    snapshot_of(resources(any_resource))
}

/// Generates a valid snapshot: admitted, with the MCP servers last.
pub fn snapshot() -> impl Strategy<Value = Snapshot> {
    snapshot_of(resources(sound_resource)).prop_map(admitted)
}

fn admitted(mut snapshot: Snapshot) -> Snapshot {
    let resources = &mut snapshot.resources;
    resources.sort_by_key(|resource| resource.kind == Kind::McpServer);
    admit(resources);
    snapshot
}

/// Returns the snapshot with at most one change. Some of the changes affect no hash.
fn nearly(snapshot: &Snapshot, change: usize, at: Index) -> Snapshot {
    let mut other = snapshot.clone();
    match change {
        0 => other.facts.os = Some("b".into()),
        1 => other.facts.directory = None,
        2 => other.error = Some(String::new()),
        _ => {}
    }
    let count = other.resources.len();
    if count == 0 {
        return other;
    }
    let index = at.index(count);
    match change {
        3 => other.resources.swap(0, index),
        4 => other.resources[index..].reverse(),
        5 => drop(other.resources.remove(index)),
        _ => {}
    }
    if let Some(resource) = other.resources.get_mut(index) {
        change_resource(resource, change);
    }
    other
}

/// The number of changes that [`nearly`] knows. The last one changes nothing.
const CHANGES: usize = 20;

fn change_resource(resource: &mut Resource, change: usize) {
    match change {
        6 => resource.status = Status::Excluded,
        7 => resource.error = Some("b".into()),
        8 => {
            // The same letters, split differently over two fields.
            let name = resource.name.take().unwrap_or_default();
            let all = name + &resource.description.take().unwrap_or_default();
            resource.description = Some(all);
        }
        9 => resource.name = Some("b".into()),
        10 => resource.content = resource.content.map(|c| Content::Claimed(c.hash())),
        11 => resource.content = Some(Content::Pinned(BlobHash::of(b"other"))),
        12 => resource.size += 1,
        13 => resource.root = None,
        14 => resource.detail = Some(Detail::Tools(vec![])),
        15 => resource.files.reverse(),
        16 => drop(resource.files.pop()),
        _ => {}
    }
    if let Some(file) = resource.files.first_mut() {
        match change {
            17 => file.executable = !file.executable,
            18 => file.content = None,
            _ => {}
        }
    }
}

fn alike<S: Strategy<Value = Snapshot>>(
    snapshot: fn() -> S,
) -> impl Strategy<Value = (Snapshot, Snapshot)> {
    let near = (snapshot(), 0..CHANGES, any::<Index>()).prop_map(|(one, change, at)| {
        let other = nearly(&one, change, at);
        (one, other)
    });
    prop_oneof![(snapshot(), snapshot()), near]
}

/// Generates two of [`any_snapshot`] that are often alike and sometimes equal.
pub fn any_two() -> impl Strategy<Value = (Snapshot, Snapshot)> {
    alike(any_snapshot)
}

/// Generates two of [`snapshot`] that are often alike and sometimes equal.
pub fn two() -> impl Strategy<Value = (Snapshot, Snapshot)> {
    alike(snapshot).prop_map(|(one, other)| (one, admitted(other)))
}

/// Returns the selector of one resource.
pub fn selector(resource: &Resource) -> Selector {
    Selector {
        subject: Some(Subject::Resource(resource.kind)),
        source: resource.source.clone(),
    }
}

/// Returns the selector of the facts.
pub fn facts_selector() -> Selector {
    Selector {
        subject: Some(Subject::Facts),
        source: String::new(),
    }
}

/// Returns the selector of what changed.
pub fn change_selector(change: &Change<'_>) -> Selector {
    Selector {
        subject: Some(change.subject),
        source: change.source().to_owned(),
    }
}
