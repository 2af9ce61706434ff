//! Generated manifests: their snapshot is within every limit, agrees with the bytes, and gives
//! itself when an agent claims it again.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::limits::{
    ERROR_BYTES_MAX, GLOB_BYTES_MAX, GLOBS_MAX, INSTRUCTION_FILE_BYTES_MAX, SKILL_FILE_BYTES_MAX,
    SNAPSHOT_PROMPT_BYTES_MAX, SOURCE_BYTES_MAX,
};
use crate::profile::{CodexSettings, OpencodeSettings, Rules, Settings};
use crate::resource::Also;

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

const PATHS: [&str; 5] = ["a", "b/c.sh", "...", "d/..e", "a\n\u{202e}b"];

/// Returns every body that a manifest can name. The last is longer than an instruction file may be.
/// A further one is never sent.
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
        vec![b'x'; usize::try_from(INSTRUCTION_FILE_BYTES_MAX).expect("it is small") + 1],
    ]
}

fn hash() -> impl Strategy<Value = Option<BlobHash>> {
    let hashes: Vec<_> = contents().iter().map(|b| BlobHash::of(b)).collect();
    let hash = prop_oneof![
        40 => select(hashes),
        1 => Just(BlobHash::of(b"never sent")),
    ];
    prop::option::weighted(0.9, hash)
}

fn error() -> impl Strategy<Value = Option<String>> {
    let long = "é".repeat(ERROR_BYTES_MAX / 2);
    prop::option::weighted(0.2, select(vec![String::new(), "why".into(), long]))
}

/// Returns the claimed size, or the number of tools of a server.
fn size() -> impl Strategy<Value = u64> {
    select(&[0, 1, 150, u64::MAX][..])
}

fn supporting_file() -> impl Strategy<Value = ClaimedFile> {
    (select(&PATHS[..]), hash(), size(), error()).prop_map(|(path, content_hash, size, error)| {
        let why = content_hash.is_none().then(|| "a FIFO".to_owned());
        ClaimedFile {
            path: path.into(),
            content_hash,
            size,
            executable: size % 2 == 0,
            error: error.or(why),
        }
    })
}

fn source() -> impl Strategy<Value = String> {
    let long = format!("/{}/SKILL.md", "x".repeat(SOURCE_BYTES_MAX - 10));
    prop_oneof![
        9 => select(&SOURCES[..]).prop_map(str::to_owned),
        1 => Just(long),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    let status = prop_oneof![3 => Just(Status::Ok), 1 => select(Status::ALL)];
    let named = prop::option::weighted(0.3, select(&["pdf", "lint", "x"][..]));
    let files = prop::collection::vec(supporting_file(), 0..4);
    let made = (
        select(Kind::ALL),
        source(),
        status,
        hash(),
        named,
        files,
        size(),
    );
    (made, error()).prop_map(
        |((kind, source, status, content_hash, name, mut files, size), error)| {
            let tool = |number: u64| Tool {
                name: format!("tool{number}"),
                description: None,
                input_schema: Default::default(),
            };
            let mut seen = BTreeSet::new();
            files.retain(|file| kind == Kind::Skill && seen.insert(file.path.clone()));
            let is_named = matches!(kind, Kind::Skill | Kind::McpServer);
            let tools = (0..size % 100).map(tool);
            Claim {
                kind,
                root: Some(source.chars().take(2).collect()),
                source,
                // An `ok` resource has a hash.
                status: match content_hash {
                    None if kind.is_context() && status == Status::Ok => Status::Unreadable,
                    _ => status,
                },
                error,
                content_hash,
                size,
                name: name.filter(|_| is_named).map(str::to_owned),
                description: None,
                files,
                tools: tools.filter(|_| kind == Kind::McpServer).collect(),
                shape: None,
                applies: None,
                imported_by: None,
            }
        },
    )
}

fn manifest() -> impl Strategy<Value = Manifest> {
    (prop::collection::vec(claim(), 0..8), error()).prop_map(|(mut resources, error)| {
        let mut seen = BTreeSet::new();
        resources.retain(|claim| seen.insert((claim.kind, claim.source.clone())));
        let claims = Claims {
            resources,
            error,
            ..Claims::default()
        };
        Manifest::new(claims).expect("claims that are well formed")
    })
}

/// Everything in [`contents`], sent along. The long one is slow to hash.
static BLOBS: LazyLock<AgentBlobs> = LazyLock::new(|| {
    let bodies = contents().into_iter();
    let bodies = bodies.map(|bytes| (BlobHash::of(&bytes), bytes.into()));
    let mut blobs = AgentBlobs::new(None, BTreeMap::new());
    blobs.add(&bodies.collect());
    blobs
});

fn check_snapshot(snapshot: &Snapshot, blobs: &AgentBlobs) -> Result<(), TestCaseError> {
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
            let bytes = &blobs.read()[&hash];
            prop_assert_eq!(resource.size, bytes.len() as u64);
            prop_assert!(resource.size <= INSTRUCTION_FILE_BYTES_MAX);
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

#[test]
fn a_file_past_the_limit_of_its_kind_is_listed_and_refuses_no_push() {
    let skill_md = contents()[3].clone();
    let large = vec![b'x'; usize::try_from(SKILL_FILE_BYTES_MAX).expect("it is small") + 1];
    let hash = BlobHash::of(&large);
    let claims = Claims {
        resources: vec![Claim {
            kind: Kind::Skill,
            source: "/w/skills/pdf/SKILL.md".into(),
            status: Status::Ok,
            error: None,
            content_hash: Some(BlobHash::of(&skill_md)),
            size: 0,
            root: None,
            name: None,
            description: None,
            files: vec![ClaimedFile {
                path: "large.bin".into(),
                content_hash: Some(hash),
                size: 0,
                executable: false,
                error: None,
            }],
            tools: Vec::new(),
            shape: None,
            applies: None,
            imported_by: None,
        }],
        blobs: [skill_md, large]
            .map(|bytes| (BlobHash::of(&bytes), bytes.into()))
            .into(),
        ..Claims::default()
    };
    let manifest = Manifest::new(claims).expect("no push is refused for one large file");
    let mut blobs = AgentBlobs::new(None, BTreeMap::new());
    blobs.add(manifest.blobs());
    let snapshot = judge::judge(&manifest, None, &blobs);
    assert_eq!(snapshot.resources[0].status, Status::Ok);
    let file = &snapshot.resources[0].files[0];
    assert_eq!(file.content, Some(Content::Claimed(hash)));
    assert_eq!(file.error.as_deref(), Some("larger than 512 KiB"));
}

proptest! {
    #[test]
    fn a_snapshot_is_sound_and_gives_itself_again(manifest in manifest()) {
        let blobs = &*BLOBS;
        // The server requests the missing bodies, and makes no snapshot yet.
        if !manifest.missing(blobs).is_empty() {
            return Ok(());
        }
        let snapshot = judge::judge(&manifest, None, blobs);
        check_snapshot(&snapshot, blobs)?;
        let again = Manifest::new(Claims::of(&snapshot, Bodies::new()));
        let again = again.expect("a snapshot makes well-formed claims");
        prop_assert!(again.seems_to_repeat(&snapshot));
        for head in [None, Some(&snapshot)] {
            prop_assert_eq!(&judge::judge(&again, head, blobs), &snapshot);
        }
    }
}

#[test]
fn only_what_a_model_reads_is_for_some_files() {
    let check = |kind, applies: Applies, expected: &str| {
        let claim = Claim {
            applies: Some(applies),
            ..Claim::from(&Resource::new(kind, "/w/a", Status::Invalid))
        };
        let claims = Claims {
            resources: vec![claim],
            ..Claims::default()
        };
        let refused = Manifest::new(claims)
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert_eq!(refused.err().as_deref().unwrap_or_default(), expected);
    };
    let applies =
        |globs: &[&str]| Applies::to("/w", globs.iter().map(|glob| (*glob).to_owned()).collect());
    check(Kind::InstructionFile, applies(&["*.rs"]), "");
    check(Kind::Skill, applies(&[]), "");
    check(
        Kind::McpConfig,
        applies(&[]),
        "`resources[0].applies`: an mcp_config has no such member",
    );
    check(
        Kind::InstructionFile,
        applies(&["a", &"x".repeat(GLOB_BYTES_MAX + 1)]),
        "`resources[0].applies.globs[1]`: it has 1025 bytes, and at most 1024 are taken",
    );
    check(
        Kind::InstructionFile,
        applies(&vec!["x"; GLOBS_MAX + 1]),
        "`resources[0].applies.globs`: there are 1001, and at most 1000 are taken",
    );
    let also = |also: Also, count| Applies {
        also: vec![also; count],
        ..applies(&[])
    };
    let further = Also {
        below: "/w/a".into(),
        globs: Vec::new(),
        behind: None,
    };
    check(Kind::InstructionFile, also(further.clone(), 2_000), "");
    check(
        Kind::InstructionFile,
        also(further.clone(), 2_001),
        "`resources[0].applies.also`: there are 2001, and at most 2000 are taken",
    );
    let long = Also {
        behind: Some("x".repeat(SOURCE_BYTES_MAX + 1)),
        ..further
    };
    check(
        Kind::InstructionFile,
        also(long, 1),
        "`resources[0].applies.also[0].behind`: it has 1025 bytes, and at most 1024 are taken",
    );
}

#[test]
fn codex_puts_the_name_of_a_plugin_before_that_of_a_skill() {
    let skill_md = b"---\nname: pdf\ndescription: d\n---\n".to_vec();
    let hash = BlobHash::of(&skill_md);
    let judged = |settings: Settings, name: Option<&str>, head: Option<&Snapshot>| {
        let skill = Claim {
            content_hash: Some(hash),
            name: name.map(str::to_owned),
            ..Claim::from(&Resource::new(Kind::Skill, "/w/pdf/SKILL.md", Status::Ok))
        };
        let claims = Claims {
            facts: Facts {
                rules: Some(Rules::newest(settings)),
                ..Facts::default()
            },
            resources: vec![skill],
            blobs: [(hash, skill_md.clone().into())].into(),
            ..Claims::default()
        };
        let manifest = Manifest::new(claims).expect("well-formed claims");
        let mut blobs = AgentBlobs::new(None, BTreeMap::new());
        let reads = !manifest.to_read(head, &blobs).is_empty();
        blobs.add(manifest.blobs());
        (judge::judge(&manifest, head, &blobs), reads)
    };
    let codex = || Settings::Codex(CodexSettings::defaults("/home/ada/.codex"));
    let (head, _) = judged(codex(), Some("a kit:pdf"), None);
    let (own, _) = judged(codex(), Some("pdf"), None);
    assert_eq!(judged(codex(), None, None).0, own);
    // A name that may have that of a plugin in it is known only if it is claimed again.
    assert!(!judged(codex(), Some("a kit:pdf"), Some(&head)).1);
    assert!(!judged(codex(), None, Some(&own)).1);
    for head in [None, Some(&head), Some(&own)] {
        assert_eq!(judged(codex(), None, head).0, own);
        for name in ["pdf", "a kit:pdf", "b:pdf", "b:c:pdf"] {
            let (snapshot, _) = judged(codex(), Some(name), head);
            let skill = &snapshot.resources[0];
            assert_eq!(
                (skill.name.as_deref(), skill.status),
                (Some(name), Status::Ok)
            );
        }
        let long = format!("{}:pdf", "x".repeat(1_025));
        for name in ["x", "kit:x", "kit pdf", "a\n- b:pdf", "<b>:pdf", &long] {
            let (snapshot, _) = judged(codex(), Some(name), head);
            assert_eq!(snapshot.resources[0].status, Status::Invalid, "{name}");
        }
    }
    let opencode = Settings::Opencode(OpencodeSettings::defaults("/home/ada/.config/opencode"));
    let (snapshot, _) = judged(opencode, Some("a kit:pdf"), None);
    assert_eq!(snapshot.resources[0].status, Status::Invalid);
}
