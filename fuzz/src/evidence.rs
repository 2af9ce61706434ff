//! The reading of a client's record.

use ctxpin_evidence::known::{Given, Known};
use ctxpin_evidence::reading::{Reading, Request, State};
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::Source;
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::{ClaudeCodeSettings, CodexSettings, OpencodeSettings, Rules, Settings};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;

/// The greatest number of steps for one byte of a record.
const STEPS_PER_BYTE_MAX: u64 = 400;

/// The separator of an input's texts and its record: a byte that never occurs in UTF-8.
const SEPARATOR: u8 = 0xFF;

/// Checks that a record of any kind has a result, that a reading may stop anywhere and go on, and that it takes steps
/// in proportion to the record.
pub fn check(bytes: &[u8]) {
    let mut pieces = bytes.splitn(3, |byte| *byte == SEPARATOR);
    let [old, present, record] = std::array::from_fn(|_| pieces.next().unwrap_or_default());
    for source in [Source::Transcript, Source::Rollout, Source::Plugin] {
        let samples = [old, present].map(|body| sample(source, body));
        let given: Vec<_> = samples
            .iter()
            .map(|(snapshot, bodies)| Given { snapshot, bodies })
            .collect();
        let known = Known::new(EvidenceKey::new([7; 32]), &given).expect("an input is small");
        check_source(&known, source, record);
    }
}

fn check_source(known: &Known, source: Source, record: &[u8]) {
    let mut whole = Reading::new(known, source);
    let mut turn = Turn::new(known, source, Some(1));
    let mut told = Vec::new();
    let each = &mut |request: &Request<'_>| {
        turn.add(request);
        told.push(shown(request));
    };
    whole
        .read(&mut &record[..], each)
        .expect("memory can be read");
    let steps = whole.steps();
    assert!(
        steps <= STEPS_PER_BYTE_MAX * (record.len() as u64 + 1),
        "{steps}"
    );
    let row = turn.row();
    if row.requests > 0 {
        row.checked().expect("a reading makes a row that fits");
    }
    let mut told_in_parts = Vec::new();
    let each = &mut |request: &Request<'_>| told_in_parts.push(shown(request));
    let begun = Reading::new(known, source).state().clone();
    let half = read_on(known, begun, &record[..record.len() / 2], each);
    let end = read_on(known, half, record, each);
    assert_eq!(told_in_parts, told);
    assert_eq!(end, *whole.state());
}

/// Reads a record on from a state that was kept.
fn read_on(
    known: &Known,
    state: State,
    record: &[u8],
    each: &mut impl FnMut(&Request<'_>),
) -> State {
    let kept = serde_json::to_string(&state).expect("a state is JSON");
    let kept: State = serde_json::from_str(&kept).expect("a state reads back");
    let from = usize::try_from(kept.offset()).expect("an offset in the input");
    let mut reading = Reading::resume(known, kept).expect("the known texts are the same");
    let read = reading.read(&mut &record[from..], each);
    read.expect("memory can be read");
    reading.state().clone()
}

fn shown(request: &Request<'_>) -> String {
    format!("{request:?}")
}

/// Returns a workspace with one file and one skill, and one of each that cannot be pinned.
fn sample(source: Source, body: &[u8]) -> (Snapshot, Bodies) {
    let settings = match source {
        Source::Transcript => Settings::ClaudeCode(ClaudeCodeSettings::defaults("/home/ada")),
        Source::Rollout => Settings::Codex(CodexSettings::defaults("/home/ada")),
        Source::Plugin => Settings::Opencode(OpencodeSettings::defaults("/home/ada")),
    };
    let mut snapshot = Snapshot::default();
    snapshot.facts.rules = Some(Rules::newest(settings));
    snapshot.facts.directory = Some("/w".into());
    let mut bodies = Bodies::new();
    for (kind, path) in [
        (Kind::InstructionFile, "/w/AGENTS.md"),
        (Kind::Skill, "/w/deploy/SKILL.md"),
    ] {
        let hash = BlobHash::of(body);
        bodies.insert(hash, body.into());
        let mut resource = Resource::new(kind, path, Status::Ok);
        resource.content = Some(Content::Pinned(hash));
        resource.name = Some("deploy".into());
        resource.description = Some("Deploys".into());
        snapshot.resources.push(resource);
    }
    for (kind, path) in [
        (Kind::InstructionFile, "/w/b/AGENTS.md"),
        (Kind::Skill, "/w/.agents/skills/b c/SKILL.md"),
    ] {
        let unpinned = Resource::new(kind, path, Status::Invalid);
        snapshot.resources.push(unpinned);
    }
    (snapshot, bodies)
}
