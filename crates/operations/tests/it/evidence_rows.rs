//! Rows of evidence as readings make them.

use ctxpin_model::evidence::{
    ForeignText, HandedIn, Outcome, Place, ResourceResult, Row, Source, Verdict,
};
use ctxpin_model::evidence_key::{EvidenceKey, EvidenceKeyName};
use ctxpin_model::hash::{AnyHash, BlobHash};
use ctxpin_model::resource::Kind;

/// Returns a row about one whole request, as pinned. `requests` stands for the ids of the requests.
pub fn row(requests: &str) -> Row {
    Row {
        source: Source::Transcript,
        client_version: None,
        key: AnyHash::of(requests.as_bytes()),
        verdict: Verdict::AsPinned,
        requests: 1,
        whole: 1,
        gaps: Vec::new(),
        first_different: None,
        resources: Vec::new(),
        left_out: 0,
    }
}

/// Returns a row as a client hands it in that shows no head.
pub fn handed_in(owner_key: EvidenceKeyName, row: Row) -> HandedIn {
    HandedIn {
        owner_key,
        row: row.checked().expect("a row that fits"),
        shows: None,
    }
}

/// Returns a row about one whole request that deviates by a result.
pub fn deviating(requests: &str, result: ResourceResult) -> Row {
    Row {
        verdict: Verdict::Deviates,
        first_different: Some(result.request),
        resources: vec![result],
        ..row(requests)
    }
}

/// Returns what became of a file of a snapshot.
pub fn file(path: &str, text: &str, outcome: Outcome) -> ResourceResult {
    ResourceResult {
        path: Some(path.to_owned()),
        kind: Some(Kind::InstructionFile),
        content: Some(BlobHash::of(text.as_bytes())),
        outcome,
        given_bytes: None,
        size_bytes: None,
        has_body: None,
        is_within: false,
        request: 1,
        place: None,
        foreign: None,
    }
}

/// Returns a text that no snapshot has.
pub fn foreign(key: &EvidenceKey, path: &str, text: &str) -> ResourceResult {
    let name = |text: &str| key.name_of_foreign(BlobHash::of(text.as_bytes()));
    ResourceResult {
        kind: None,
        content: None,
        place: Some(Place {
            message: 1,
            string: 0,
            at: 20,
        }),
        foreign: Some(ForeignText {
            bytes: text.len() as u64,
            names: [name(text), name(&format!("{text}\n"))],
        }),
        ..file(path, text, Outcome::Foreign)
    }
}
