//! Evidence.

use std::fmt::Display;

use ctxpin_model::client_version::{ClientVersion, MalformedVersion};
use ctxpin_model::evidence::{
    self, EvidenceRecord, EvidenceView, HandedIn, InvalidRow, Row, TurnEvidence,
};
use ctxpin_model::evidence_key::{self, EvidenceKeyName, ForeignName, MalformedName};
use ctxpin_model::hash::{AnyHash, SnapshotId};

use super::members::{InvalidMember, hash, word, words};
use crate::http::evidence::{
    EvidenceKey, EvidenceRow, Findings, ForeignText, LastVerdict, Place, ResourceResult, RowFacts,
    TurnEvidence as TurnEvidenceShape,
};
use crate::http::people::Secret;

/// Returns the wire shape of an owner's key.
pub fn evidence_key(key: &evidence_key::EvidenceKey) -> EvidenceKey {
    EvidenceKey {
        key: Secret::new(AnyHash::from(*key.reveal()).hex()),
        name: key.name().to_string(),
    }
}

/// Reads an owner's key.
///
/// # Errors
///
/// Fails if it is not 64 hexadecimal digits.
pub fn read_evidence_key(shape: &EvidenceKey) -> Result<evidence_key::EvidenceKey, InvalidMember> {
    let bytes = name::<ForeignName>("key", shape.key.expose())?;
    Ok(evidence_key::EvidenceKey::new(*bytes.bytes()))
}

/// Returns the wire shape of what the rows of a turn say together.
pub fn turn_evidence(evidence: &TurnEvidence) -> TurnEvidenceShape {
    TurnEvidenceShape {
        verdict: evidence.verdict.to_string(),
        witness: evidence.witness.to_string(),
        requests: evidence.requests,
        client_version: evidence.client_version.map(|version| version.to_string()),
    }
}

/// Returns the wire shape of what the evidence says of the newest turn that has any.
pub fn last_verdict(last: &evidence::LastVerdict) -> LastVerdict {
    LastVerdict {
        turn: last.turn,
        verdict: last.verdict.to_string(),
        witness: last.witness.to_string(),
    }
}

/// Reads a row, with the name of the key under which it names texts and the head that it shows.
///
/// # Errors
///
/// Fails if a member is not valid, or if the members do not fit together.
pub fn row(shape: EvidenceRow) -> Result<HandedIn, InvalidMember> {
    let owner_key = name("owner_key", &shape.owner_key)?;
    let key = name::<ForeignName>("key", &shape.key)?;
    let shows = shape.shows.as_deref().map(|shows| hash("shows", shows));
    let shows = shows.transpose()?;
    let resources = shape.resources.into_iter().enumerate();
    let resources = resources.map(|(index, shape)| result(&format!("resources[{index}]"), shape));
    let row = Row {
        source: word("source", &shape.source)?,
        client_version: version(shape.client_version.as_deref())?,
        key: AnyHash::from(*key.bytes()),
        verdict: word("verdict", &shape.verdict)?,
        requests: shape.requests,
        whole: shape.whole,
        gaps: words("gaps", &shape.gaps)?,
        first_different: shape.first_different,
        resources: resources.collect::<Result<_, _>>()?,
        left_out: shape.left_out,
    };
    let checked = row.checked();
    let checked = checked
        .map_err(|invalid: InvalidRow| InvalidMember::new(invalid.member, invalid.reason))?;
    Ok(HandedIn {
        owner_key,
        row: checked,
        shows,
    })
}

fn version(shape: Option<&str>) -> Result<Option<ClientVersion>, InvalidMember> {
    let version = shape.map(str::parse).transpose();
    version.map_err(|malformed: MalformedVersion| {
        InvalidMember::new("client_version", malformed.to_string())
    })
}

fn result(at: &str, shape: ResourceResult) -> Result<evidence::ResourceResult, InvalidMember> {
    let kind = shape.kind.map(|kind| word(format!("{at}.kind"), &kind));
    let content = shape.content_hash.as_deref();
    let content = content.map(|content| hash(format!("{at}.content_hash"), content));
    let foreign = shape.foreign.map(|foreign| {
        let [given, with_line_end] = &foreign.names;
        let member = format!("{at}.foreign.names");
        Ok(evidence::ForeignText {
            bytes: foreign.size_bytes,
            names: [name(&member, given)?, name(&member, with_line_end)?],
        })
    });
    Ok(evidence::ResourceResult {
        path: shape.path,
        kind: kind.transpose()?,
        content: content.transpose()?,
        outcome: word(format!("{at}.outcome"), &shape.outcome)?,
        given_bytes: shape.given_bytes,
        size_bytes: shape.size_bytes,
        has_body: shape.body,
        is_within: shape.within,
        request: shape.request,
        place: shape.place.map(|place| evidence::Place {
            message: place.message,
            string: place.string,
            at: place.at,
        }),
        foreign: foreign.transpose()?,
    })
}

/// Reads a name of 64 hexadecimal digits.
fn name<N: std::str::FromStr<Err = MalformedName>>(
    member: impl Display,
    text: &str,
) -> Result<N, InvalidMember> {
    text.parse()
        .map_err(|malformed: MalformedName| InvalidMember::new(member, malformed.to_string()))
}

/// Returns the wire shape of a row and of the head that it shows.
pub fn row_shape(owner_key: EvidenceKeyName, row: &Row, shows: Option<SnapshotId>) -> EvidenceRow {
    EvidenceRow {
        owner_key: owner_key.to_string(),
        source: row.source.to_string(),
        client_version: row.client_version.map(|version| version.to_string()),
        key: row.key.hex(),
        verdict: row.verdict.to_string(),
        requests: row.requests,
        whole: row.whole,
        gaps: row.gaps.iter().map(ToString::to_string).collect(),
        first_different: row.first_different,
        resources: row.resources.iter().map(result_shape).collect(),
        left_out: row.left_out,
        shows: shows.map(|shows| shows.to_string()),
    }
}

fn result_shape(result: &evidence::ResourceResult) -> ResourceResult {
    ResourceResult {
        path: result.path.clone(),
        kind: result.kind.map(|kind| kind.to_string()),
        content_hash: result.content.map(|content| content.to_string()),
        outcome: result.outcome.to_string(),
        given_bytes: result.given_bytes,
        size_bytes: result.size_bytes,
        body: result.has_body,
        within: result.is_within,
        request: result.request,
        place: result.place.map(|place| Place {
            message: place.message,
            string: place.string,
            at: place.at,
        }),
        foreign: result.foreign.as_ref().map(|foreign| ForeignText {
            size_bytes: foreign.bytes,
            names: foreign.names.map(|name| name.to_string()),
        }),
    }
}

/// Returns the wire shape of the rows of a turn.
pub fn findings(view: &EvidenceView) -> Findings {
    Findings {
        first_different: view.first_different,
        gaps: view.gaps.iter().map(ToString::to_string).collect(),
        resources: view.resources.iter().map(result_shape).collect(),
        complete: view.is_complete,
        rows: view.rows.iter().map(row_facts).collect(),
    }
}

fn row_facts(record: &EvidenceRecord) -> RowFacts {
    RowFacts {
        source: record.source.to_string(),
        client_version: record
            .summary
            .client_version
            .map(|version| version.to_string()),
        witness: record.summary.witness.to_string(),
        verdict: record.summary.verdict.to_string(),
        requests: record.summary.requests,
        whole: record.summary.whole,
        key: record.key.hex(),
        at: record.at.utc(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shape() -> Value {
        json!({
            "owner_key": "01".repeat(32), "source": "transcript", "client_version": "2.1.332", "key": "02".repeat(32), "verdict": "deviates",
            "requests": 2, "whole": 1, "gaps": ["cut"], "first_different": 2,
            "resources": [
                {
                    "path": "rules.md", "outcome": "foreign", "request": 2,
                    "place": { "message": 1, "string": 0, "at": 7 },
                    "foreign": { "size_bytes": 9, "names": ["03".repeat(32), "04".repeat(32)] },
                },
                {
                    "path": "/w/AGENTS.md", "kind": "instruction_file", "content_hash": format!("sha256:{}", "05".repeat(32)),
                    "outcome": "given-up-to", "given_bytes": 32768, "size_bytes": 32770, "request": 1,
                },
            ],
            "left_out": 0,
        })
    }

    #[test]
    fn a_key_reads_back() {
        let key = evidence_key::EvidenceKey::new([7; 32]);
        let read = read_evidence_key(&evidence_key(&key)).unwrap();
        assert_eq!(read.reveal(), key.reveal());
    }

    #[test]
    fn a_row_reads_back() {
        let shows = format!("sha256:{}", "06".repeat(32));
        for shows in [None, Some(shows)] {
            let mut shape = shape();
            if let Some(shows) = &shows {
                shape["shows"] = json!(shows);
            }
            let sent: EvidenceRow = serde_json::from_value(shape.clone()).unwrap();
            let read = row(sent.clone()).unwrap();
            assert_eq!(row_shape(read.owner_key, read.row.row(), read.shows), sent);
            assert_eq!(serde_json::to_value(&sent).unwrap(), shape);
        }
    }

    #[test]
    fn a_member_that_is_not_valid_is_named() {
        let check = |pointer: &str, value: Value, expected: &str| {
            let mut shape = shape();
            *shape.pointer_mut(pointer).unwrap() = value;
            let sent: EvidenceRow = serde_json::from_value(shape).unwrap();
            assert_eq!(row(sent).unwrap_err().to_string(), expected);
        };
        check(
            "/source",
            json!("gateway"),
            "`source`: `gateway` is not one of transcript, rollout, plugin",
        );
        check(
            "/client_version",
            json!("a text"),
            "`client_version`: a version begins with two numbers and a point between them, such as 2.1, and has at most 32 ASCII letters, digits and `.+-_`",
        );
        check(
            "/owner_key",
            json!("01"),
            "`owner_key`: a name is written as 64 lower-case hexadecimal digits",
        );
        check(
            "/resources/0/foreign/names/1",
            json!("a text"),
            "`resources[0].foreign.names`: a name is written as 64 lower-case hexadecimal digits",
        );
        check(
            "/resources/0/path",
            json!("two\nlines"),
            "`resources[0].path`: a path is one line of 1 to 1024 bytes",
        );
        check(
            "/whole",
            json!(2),
            "`gaps`: it says why requests are not whole, and is empty if all are",
        );
    }

    #[test]
    fn an_unknown_member_is_an_error() {
        for pointer in [
            "",
            "/resources/0",
            "/resources/0/place",
            "/resources/0/foreign",
        ] {
            let mut shape = shape();
            shape.pointer_mut(pointer).unwrap()["text"] = json!("what was said");
            assert!(
                serde_json::from_value::<EvidenceRow>(shape).is_err(),
                "{pointer}"
            );
        }
    }
}
