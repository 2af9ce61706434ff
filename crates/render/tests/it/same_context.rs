//! Equal context hashes mean equal prompts, because the server stores prompts by that hash.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::{Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::Snapshot;
use proptest::prelude::*;

use crate::sample::{Sample, tool};

const SOURCES: [&str; 4] = [
    "/srv/AGENTS.md",
    "/srv/CLAUDE.md",
    "/srv/a/AGENTS.md",
    "/srv/a/CLAUDE.md",
];
const BODIES: [&str; 4] = ["Use tabs.", "Use spaces.\n", "<!-- empty -->", "Source: x"];
const NAMES: [&str; 3] = ["lint", "deploy", "review"];

/// What no model sees of a snapshot.
#[derive(Debug, Clone)]
struct Unseen {
    error: Option<String>,
    broken_error: String,
    size: u64,
    root: Option<String>,
    place: prop::sample::Index,
    reads_last: bool,
}

fn unseen() -> impl Strategy<Value = Unseen> {
    let text = || prop::option::of("[a-z<>]{0,8}");
    (
        text(),
        "[a-z]{0,8}",
        any::<u64>(),
        text(),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(
            |(error, broken_error, size, root, place, reads_last)| Unseen {
                error,
                broken_error,
                size,
                root,
                place,
                reads_last,
            },
        )
}

/// A few files and skills out of small pools, so that two snapshots are often alike.
fn sample() -> impl Strategy<Value = Sample> {
    let files = prop::sample::subsequence(&SOURCES[..], 0..=2);
    let bodies = prop::collection::vec(prop::sample::select(&BODIES[..]), 2);
    let skills = prop::sample::subsequence(&NAMES[..], 0..=2);
    let os = prop::option::of(Just("linux"));
    (files, bodies, skills, os).prop_map(|(files, bodies, skills, os)| {
        let start = Sample::default().facts(os, Some("/work"));
        let with_files = files
            .iter()
            .zip(bodies)
            .fold(start, |sample, (source, body)| sample.file(source, body));
        skills
            .iter()
            .fold(with_files, |sample, name| sample.skill(name, "Does it."))
    })
}

/// Returns the snapshot after a change of everything that no model sees.
fn changed(snapshot: &Snapshot, unseen: &Unseen) -> Snapshot {
    let mut changed = snapshot.clone();
    changed.error = unseen.error.clone();
    for resource in &mut changed.resources {
        resource.size = unseen.size;
        resource.root = unseen.root.clone();
    }
    if unseen.reads_last {
        // The kinds change places; within each the order stays.
        changed
            .resources
            .sort_by_key(|resource| resource.kind == Kind::InstructionFile);
    }
    let mut broken = Resource::new(Kind::InstructionFile, "/srv/BROKEN.md", Status::Oversize);
    broken.error = Some(unseen.broken_error.clone());
    broken.content = Some(Content::Claimed(BlobHash::of(
        unseen.broken_error.as_bytes(),
    )));
    let mut server = Resource::new(Kind::McpServer, "files", Status::Ok);
    server.detail = Some(Detail::Tools(vec![tool(
        &unseen.broken_error,
        serde_json::json!({}),
    )]));
    let place = unseen.place.index(changed.resources.len() + 1);
    changed.resources.insert(place, broken);
    changed.resources.push(server);
    changed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_no_model_sees_changes_no_byte(sample in sample(), unseen in unseen()) {
        let changed = changed(&sample.snapshot, &unseen);
        prop_assert_eq!(changed.addresses().context_hash, sample.snapshot.addresses().context_hash);
        prop_assert_ne!(changed.addresses().id, sample.snapshot.addresses().id);
        let prompt = ctxpin_render::prompt::render(&changed, &sample.bodies);
        prop_assert_eq!(prompt, sample.prompt());
    }

    #[test]
    fn equal_context_hashes_mean_equal_prompts(one in sample(), other in sample()) {
        if one.snapshot.addresses().context_hash == other.snapshot.addresses().context_hash {
            prop_assert_eq!(one.prompt(), other.prompt());
        }
    }
}

#[test]
fn a_broken_file_that_breaks_otherwise_changes_no_byte() {
    let with_error = |status: Status, error: &str| {
        let mut broken = Resource::new(Kind::Skill, "/srv/skills/x/SKILL.md", status);
        broken.name = Some("x".to_owned());
        broken.error = Some(error.to_owned());
        Sample::default()
            .file("/srv/AGENTS.md", "Use tabs.")
            .with(broken)
            .skill("lint", "Checks.")
    };
    let invalid = with_error(Status::Invalid, "no description");
    let unreadable = with_error(Status::Unreadable, "permission denied");
    assert_eq!(
        invalid.snapshot.addresses().context_hash,
        unreadable.snapshot.addresses().context_hash
    );
    assert_eq!(invalid.prompt(), unreadable.prompt());
}

#[test]
fn a_supporting_file_drifts_but_is_not_in_the_prompt() {
    let plain = Sample::default().skill("lint", "Checks.");
    let mut with_file = Sample::default().skill("lint", "Checks.");
    with_file.snapshot.resources[0].files.push(SkillFile {
        path: "run.sh".to_owned(),
        content: Some(Content::Pinned(BlobHash::of(b"true"))),
        size: 4,
        executable: true,
        error: None,
    });
    assert_ne!(
        plain.snapshot.addresses().context_hash,
        with_file.snapshot.addresses().context_hash
    );
    assert_eq!(plain.prompt(), with_file.prompt());
}
