//! Ingest on manifests that nobody wrote: what is taken is within every limit, is what the bytes say,
//! and is taken as it is when it comes again.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::sync::LazyLock;

use ctxpin_model::limits::SNAPSHOT_PROMPT_BYTES_MAX;
use ctxpin_model::resource::Tool;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const SOURCES: [&str; 9] = [
    "/w/AGENTS.md",
    "/w/CLAUDE.md",
    "/w/a\nSource: b.md",
    "AGENTS.md",
    "/w/skills/pdf/SKILL.md",
    "/home/skills/pdf/SKILL.md",
    "/w/skills/lint/SKILL.md",
    "/w/../skills/\u{202e}/SKILL.md",
    "files",
];

const PATHS: [&str; 9] = [
    "a",
    "b/c.sh",
    "..",
    "../a",
    "a/../../b",
    "/etc/passwd",
    "",
    "a\n\u{202e}b",
    "a\0",
];

/// Every body that a manifest can name; the last is longer than an instruction file may be, and one
/// more is never sent.
fn contents() -> Vec<Vec<u8>> {
    let skill = |name: &str| format!("---\nname: {name}\ndescription: Does it.\n---\n");
    vec![
        Vec::new(),
        b"# Rules\n".to_vec(),
        b"\xff".to_vec(),
        skill("pdf").into_bytes(),
        skill("lint").into_bytes(),
        skill("PDF").into_bytes(),
        b"---\na: &a [*a]\n---\n".to_vec(),
        vec![b'x'; usize::try_from(PROMPT_FILE_BYTES_MAX).expect("it is small") + 1],
    ]
}

fn content() -> impl Strategy<Value = Option<Content>> {
    let hashes: Vec<_> = contents().iter().map(|b| BlobHash::of(b)).collect();
    let hash = prop_oneof![
        40 => select(hashes),
        1 => Just(BlobHash::of(b"never sent")),
    ];
    prop::option::weighted(0.9, hash.prop_map(Content::Claimed))
}

fn error() -> impl Strategy<Value = Option<String>> {
    let long = "é".repeat(ERROR_BYTES_MAX);
    prop::option::weighted(0.2, select(vec![String::new(), "why".into(), long]))
}

/// What is said to be the size; of a server, the number of its tools.
fn size() -> impl Strategy<Value = u64> {
    select(&[0, 1, 150, u64::MAX][..])
}

fn supporting_file() -> impl Strategy<Value = SkillFile> {
    (select(&PATHS[..]), content(), size(), error()).prop_map(|(path, content, size, error)| {
        SkillFile {
            path: path.into(),
            content,
            size,
            executable: size % 2 == 0,
            error,
        }
    })
}

fn source() -> impl Strategy<Value = String> {
    let long = format!("/{}/SKILL.md", "é".repeat(SOURCE_BYTES_MAX));
    prop_oneof![
        9 => select(&SOURCES[..]).prop_map(str::to_owned),
        1 => Just(long),
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    let status = prop_oneof![3 => Just(Status::Ok), 1 => select(Status::ALL)];
    let named = prop::option::weighted(0.3, select(&["pdf", "lint", "x"][..]));
    let files = prop::collection::vec(supporting_file(), 0..4);
    let made = (
        select(Kind::ALL),
        source(),
        status,
        content(),
        named,
        files,
        size(),
    );
    (made, error()).prop_map(
        |((kind, source, status, content, name, files, size), error)| {
            let tool = |number: u64| Tool {
                name: format!("tool{number}"),
                description: None,
                input_schema: Default::default(),
            };
            Resource {
                error,
                content,
                size,
                name: name.map(str::to_owned),
                root: Some(source.chars().take(2).collect()),
                detail: (kind == Kind::McpServer)
                    .then(|| Detail::Tools((0..size % 200).map(tool).collect())),
                files: if kind == Kind::Skill {
                    files
                } else {
                    Vec::new()
                },
                ..Resource::new(kind, source, status)
            }
        },
    )
}

/// What the protocol lets through, except that it is stricter with lengths and paths.
fn manifest() -> impl Strategy<Value = Snapshot> {
    (prop::collection::vec(resource(), 0..8), error()).prop_map(|(mut resources, error)| {
        let mut seen = BTreeSet::new();
        resources.retain(|resource| seen.insert((resource.kind, resource.source.clone())));
        Snapshot {
            resources,
            error,
            ..Snapshot::default()
        }
    })
}

/// Everything in [`contents`], sent along. The long one is slow to hash.
static PROVED: LazyLock<Proved> = LazyLock::new(|| {
    let mut proved = Proved::new(None, BTreeMap::new());
    let bodies = contents().into_iter();
    let bodies = bodies.map(|bytes| (BlobHash::of(&bytes), Arc::from(bytes)));
    proved
        .add_inline(&bodies.collect())
        .expect("its own hashes");
    proved
});

fn check_taken(snapshot: &Snapshot, proved: &Proved) -> std::result::Result<(), TestCaseError> {
    let fits = |error: &Option<String>| error.as_ref().is_none_or(|e| e.len() <= ERROR_BYTES_MAX);
    prop_assert!(fits(&snapshot.error));
    let used = snapshot.resources.iter().filter(|r| r.reaches_context());
    let bytes: u64 = used.map(|resource| resource.size).sum();
    prop_assert!(bytes <= SNAPSHOT_PROMPT_BYTES_MAX);
    let mut names = BTreeSet::new();
    for resource in &snapshot.resources {
        prop_assert!(resource.source.len() <= SOURCE_BYTES_MAX && fits(&resource.error));
        let is_ok = resource.status == Status::Ok;
        prop_assert!(is_ok || resource.error.is_some(), "{:?}", resource);
        prop_assert_eq!(resource.body().is_some(), resource.reaches_context());
        if let Some(hash) = resource.body() {
            let bytes = &proved.bodies[&hash];
            prop_assert_eq!(resource.size, bytes.len() as u64);
            prop_assert!(resource.size <= PROMPT_FILE_BYTES_MAX);
            prop_assert!(std::str::from_utf8(bytes).is_ok() && resource.source.starts_with('/'));
        }
        if resource.kind == Kind::Skill && is_ok {
            let name = resource.name.as_deref();
            prop_assert!(name.is_some_and(|name| !name.is_empty()), "{:?}", resource);
            prop_assert!(names.insert(name), "{:?} is used twice", name);
        }
        for file in &resource.files {
            let mut parts = Path::new(&file.path).components();
            prop_assert!(parts.all(|part| matches!(part, Component::Normal(_))));
            prop_assert!(!file.path.is_empty() && !file.path.contains('\0') && fits(&file.error));
            prop_assert!(file.body().is_none() || is_ok && file.error.is_none());
        }
        prop_assert!(resource.files.is_sorted_by(|a, b| a.path < b.path));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_taken_is_sound_and_is_taken_again_as_it_is(manifest in manifest()) {
        let proved = &*PROVED;
        // A push that names what was not sent comes no further.
        if !missing(&manifest, proved).is_empty() {
            return Ok(());
        }
        let Ok(taken) = ingest(manifest, None, proved) else {
            return Err(TestCaseError::fail("an honest manifest is refused"));
        };
        check_taken(&taken, proved)?;
        for head in [None, Some(&taken)] {
            let again = ingest(taken.clone(), head, proved);
            prop_assert_eq!(again.ok(), Some(taken.clone()));
        }
    }
}
