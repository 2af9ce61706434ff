//! The manifest of a push: an accepted manifest is within the limits, and reads back unchanged.

use ctxpin_model::admission::admit;
use ctxpin_model::limits::{
    BLOB_UPLOAD_BYTES_MAX, ERROR_BYTES_MAX, FACT_BYTES_MAX, FRONTMATTER_BYTES_MAX,
    SERVER_TOOLS_MAX, SKILL_LISTED_MAX, SNAPSHOT_LISTED_MAX, SNAPSHOT_PROMPT_BYTES_MAX,
    SNAPSHOT_RESOURCES_MAX, SNAPSHOT_SKILL_BYTES_MAX, SNAPSHOT_SKILL_FILES_MAX,
    SNAPSHOT_TOOLS_BYTES_MAX, SOURCE_BYTES_MAX,
};
use ctxpin_model::manifest::agent_blobs::AgentBlobs;
use ctxpin_model::manifest::judge::judge;
use ctxpin_model::manifest::{Claim, ClaimedFile, Claims, Manifest};
use ctxpin_model::mcp::Detail;
use ctxpin_model::push::{self, Position};
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_protocol::convert::manifest::{push as write, read};
use ctxpin_protocol::http::push::Push;

/// Longest refusal: it names a place and a reason, and quotes at most one source.
const REFUSAL_BYTES_MAX: usize = 2_000;

/// Checks the JSON body of a push.
pub fn check(bytes: &[u8]) {
    let Ok(sent) = serde_json::from_slice::<Push>(bytes) else {
        return;
    };
    let push = match read(sent.clone()) {
        Ok(push) => push,
        Err(problem) => {
            assert!(problem.detail.len() <= REFUSAL_BYTES_MAX, "{problem:?}");
            return;
        }
    };
    assert_eq!(read(sent).expect("it was taken before"), push);
    let Position { epoch, version } = push.position;
    assert!(epoch >= 0 && version >= 1);
    check_claims(push.manifest.claims());
    for (hash, bytes) in push.manifest.blobs() {
        let computed = ctxpin_model::hash::BlobHash::of(bytes);
        assert_eq!(computed, *hash);
        assert!(bytes.len() as u64 <= BLOB_UPLOAD_BYTES_MAX);
    }
    let snapshot = judged(&push.manifest);
    check_snapshot(&snapshot);
    check_sent_on(&push, &snapshot);
}

fn check_claims(claims: &Claims) {
    let used = claims.resources.iter().filter(|c| c.status == Status::Ok);
    assert!(used.count() <= SNAPSHOT_RESOURCES_MAX);
    assert!(claims.resources.len() <= SNAPSHOT_LISTED_MAX);
    check_text(&claims.error, ERROR_BYTES_MAX);
    check_text(&claims.facts.os, FACT_BYTES_MAX);
    check_text(&claims.facts.directory, FACT_BYTES_MAX);
    for (index, claim) in claims.resources.iter().enumerate() {
        let others = &claims.resources[index + 1..];
        let is_same = |other: &Claim| (other.kind, &other.source) == (claim.kind, &claim.source);
        assert!(!others.iter().any(is_same), "{claim:?} is there twice");
        check_claim(claim);
    }
}

fn check_claim(claim: &Claim) {
    check_text([&claim.source], SOURCE_BYTES_MAX);
    check_text(&claim.root, SOURCE_BYTES_MAX);
    check_text(&claim.error, ERROR_BYTES_MAX);
    check_text(&claim.name, FRONTMATTER_BYTES_MAX);
    check_text(&claim.description, FRONTMATTER_BYTES_MAX);
    assert!(!claim.source.is_empty());
    assert!(claim.size < 1 << 53);
    assert!(!claim.reaches_context() || claim.content_hash.is_some());
    assert!(claim.files.is_empty() || claim.kind == Kind::Skill);
    assert!(claim.files.len() <= SKILL_LISTED_MAX);
    claim.files.iter().for_each(check_file);
    assert!(claim.tools.is_empty() || claim.kind == Kind::McpServer);
    assert!(claim.tools.len() <= SERVER_TOOLS_MAX);
    assert!(claim.shape.is_none() || claim.kind == Kind::McpConfig);
}

/// Returns the snapshot of a manifest. Bodies that the push does not contain are empty.
fn judged(manifest: &Manifest) -> Snapshot {
    let empty = |hash| (hash, 0);
    let mut blobs = AgentBlobs::default();
    blobs.add(manifest.blobs());
    let missing = manifest.missing(&blobs);
    let mut blobs = AgentBlobs::new(None, missing.into_iter().map(empty).collect());
    blobs.add(manifest.blobs());
    judge(manifest, None, &blobs)
}

fn check_snapshot(snapshot: &Snapshot) {
    for resource in &snapshot.resources {
        assert_eq!(resource.body().is_some(), resource.reaches_context());
        if let Some(detail) = &resource.detail {
            let json = detail.canonical_json();
            let text = String::from_utf8(json.clone()).expect("JSON is text");
            assert!(!has_nul(&text), "{text}");
            let again = Detail::from_canonical_json(&json).expect("it reads back");
            assert_eq!(again.canonical_json(), json);
        }
    }
    check_admitted(snapshot.clone());
}

/// Returns whether a string in the JSON holds a NUL: an escape that no backslash escapes.
fn has_nul(json: &str) -> bool {
    let is_escape = |(at, _): (usize, &str)| {
        let before = json[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    };
    json.match_indices("\\u0000").any(is_escape)
}

fn check_file(file: &ClaimedFile) {
    check_text([&file.path], SOURCE_BYTES_MAX);
    check_text(&file.error, ERROR_BYTES_MAX);
    let mut parts = std::path::Path::new(&file.path).components();
    let is_name = |part| matches!(part, std::path::Component::Normal(_));
    assert!(parts.all(is_name), "{:?} leads elsewhere", file.path);
    assert!(!file.path.is_empty() && !file.path.ends_with('/'));
    assert!(file.size < 1 << 53);
}

fn check_text<'t>(texts: impl IntoIterator<Item = &'t String>, bytes_max: usize) {
    for text in texts {
        assert!(text.len() <= bytes_max && !text.contains('\0'), "{text:?}");
    }
}

/// Checks that the push of a snapshot, as an agent sends it, reads back as the snapshot's claims.
fn check_sent_on(read_before: &push::Push, snapshot: &Snapshot) {
    let Position { epoch, version } = read_before.position;
    let settled = read_before.mcp_settled;
    let bodies = read_before.manifest.blobs();
    let sent = write(
        epoch,
        version,
        settled,
        snapshot,
        &read_before.notes,
        bodies,
    );
    let json = serde_json::to_string(&sent).expect("a push is JSON");
    let sent = serde_json::from_str(&json).expect("and reads back");
    let again = read(sent).expect("what was taken is taken again");
    let claims = Claims::of(snapshot, again.manifest.blobs().clone());
    assert_eq!(*again.manifest.claims(), claims);
    assert_eq!(again.notes, read_before.notes);
    assert!(again.manifest.seems_to_repeat(snapshot));
}

/// Checks that admission keeps the limits of a snapshot, and that a second admission changes
/// nothing.
fn check_admitted(snapshot: Snapshot) {
    let mut admitted = snapshot.resources;
    assert_eq!(admit(&mut admitted), None, "no more are listed than fit");
    let again = {
        let mut again = admitted.clone();
        admit(&mut again);
        again
    };
    assert_eq!(again, admitted);
    let used = admitted.iter().filter(|r| r.status == Status::Ok);
    let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
    let prompt = used.clone().map(|resource| match resource.kind {
        Kind::InstructionFile => resource.size,
        Kind::Skill => length(&resource.name) + length(&resource.description),
        Kind::McpConfig | Kind::McpServer => 0,
    });
    let prompt: u64 = prompt.sum();
    assert!(prompt <= SNAPSHOT_PROMPT_BYTES_MAX, "{prompt}");
    let skills = used.clone().filter(|r| r.kind == Kind::Skill);
    let files = skills.clone().flat_map(|resource| &resource.files);
    let stored = files.filter(|file| file.body().is_some());
    let count = skills.clone().count() + stored.clone().count();
    assert!(count <= SNAPSHOT_SKILL_FILES_MAX);
    let bodies: u64 = skills.map(|skill| skill.size).sum();
    let bytes = bodies + stored.map(|file| file.size).sum::<u64>();
    assert!(bytes <= SNAPSHOT_SKILL_BYTES_MAX);
    let tools = used.filter(|r| r.kind == Kind::McpServer);
    let tools = tools.flat_map(|server| &server.detail);
    let bytes: usize = tools.map(|detail| detail.canonical_json().len()).sum();
    assert!(bytes as u64 <= SNAPSHOT_TOOLS_BYTES_MAX);
    let mut names: Vec<_> = admitted
        .iter()
        .filter(|r| r.kind == Kind::Skill && r.status == Status::Ok)
        .filter_map(|skill| skill.name.as_deref())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name is used once");
}
