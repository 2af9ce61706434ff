//! Requests to move a chat's pin.

use ctxpin_model::compose::Selector;
use ctxpin_model::diff::Subject;
use ctxpin_model::id::AgentId;
use ctxpin_model::limits::{SNAPSHOT_LISTED_MAX, SOURCE_BYTES_MAX};
use ctxpin_model::pin_move::{PinMove, RefreshFilter};

use super::members::{InvalidMember, count, hash, text, word};
use crate::http::context;

/// Reads a request to move a pin.
///
/// # Errors
///
/// Fails if members exclude each other, `sources` is empty or longer than a snapshot, a source or a
/// hash is malformed, or there is a `mode`.
pub fn pin_move(body: context::ContextMove) -> Result<PinMove, InvalidMember> {
    let members = [
        ("head", body.head.is_some()),
        ("sources", body.sources.is_some()),
        ("mode", body.mode.is_some()),
        ("decline", body.decline.is_some()),
        ("undecline", body.undecline.is_some()),
        ("snapshot", body.snapshot.is_some()),
        ("policy", body.policy.is_some()),
        ("render", body.render.is_some()),
    ];
    let named: Vec<&str> = members
        .iter()
        .filter(|(_, is_present)| *is_present)
        .map(|(name, _)| *name)
        .collect();
    if let Some(mode) = &body.mode {
        let reason = match mode.as_str() {
            "append" => "this version does not offer `append`; refresh, or keep the pin",
            _ => "the only mode is `append`, which this version does not offer",
        };
        return Err(InvalidMember::new("mode", reason));
    }
    let is_joined = matches!(named[..], ["head", "sources"] | ["snapshot", "policy"]);
    if named.len() > 1 && !is_joined {
        return Err(InvalidMember::new(
            named[1],
            format!(
                "`{}` exclude each other; send one of them (`sources` may come with `head`, and `policy` with `snapshot`)",
                named.join("` and `")
            ),
        ));
    }
    if let Some(render) = body.render {
        return match render {
            true => Ok(PinMove::Render),
            false => Err(InvalidMember::new("render", "it must be true or absent")),
        };
    }
    if let Some(decline) = body.decline {
        let head = hash("decline", &decline)?;
        return Ok(PinMove::Decline(head));
    }
    if let Some(undecline) = body.undecline {
        let head = hash("undecline", &undecline)?;
        return Ok(PinMove::Undecline(head));
    }
    if let Some(snapshot) = body.snapshot {
        let to = hash("snapshot", &snapshot)?;
        return Ok(match body.policy {
            None => PinMove::Rollback(to),
            Some(policy) => PinMove::Undo {
                to,
                policy: word("policy", &policy)?,
            },
        });
    }
    if body.policy.is_some() {
        let reason = "it comes with `snapshot`; to change the policy alone, change the chat";
        return Err(InvalidMember::new("policy", reason));
    }
    let head = body.head.map(|head| hash("head", &head)).transpose()?;
    match body.sources {
        None => Ok(PinMove::Refresh { head }),
        Some(sources) => {
            let selectors = selectors(sources)?;
            Ok(PinMove::Sources { selectors, head })
        }
    }
}

fn selectors(sources: Vec<context::Selector>) -> Result<Vec<Selector>, InvalidMember> {
    if sources.is_empty() {
        return Err(InvalidMember::new(
            "sources",
            "the list is empty; name at least one source, or leave it out to refresh everything",
        ));
    }
    count("sources", sources.len(), SNAPSHOT_LISTED_MAX)?;
    let sources = sources.into_iter().enumerate();
    sources
        .map(|(index, source)| selector(index, source))
        .collect()
}

fn selector(index: usize, selector: context::Selector) -> Result<Selector, InvalidMember> {
    let member = format!("sources[{index}]");
    let (subject, source) = match selector {
        context::Selector::Source(source) => (None, source),
        context::Selector::Resource(named) => {
            let subject: Subject = word(format!("{member}.kind"), &named.kind)?;
            (Some(subject), named.source)
        }
    };
    let source = text(&member, source, SOURCE_BYTES_MAX)?;
    match (subject == Some(Subject::Facts), source.is_empty()) {
        (true, false) => Err(InvalidMember::new(
            member,
            "the source of the facts must be empty",
        )),
        (false, true) => Err(InvalidMember::new(member, "a source must not be empty")),
        _ => Ok(Selector { subject, source }),
    }
}

/// Reads the filter of an admin's refresh.
///
/// # Errors
///
/// Fails if there is no condition, or the hash is malformed.
pub fn refresh_filter(filter: &context::RefreshFilter) -> Result<RefreshFilter, InvalidMember> {
    let content = filter.content_hash.as_deref();
    if filter.agent_id.is_none() && content.is_none() {
        // Without a condition, the refresh would move everybody's chats.
        let reason = "set `agent_id`, `content_hash` or both";
        return Err(InvalidMember::new("agent_id", reason));
    }
    Ok(RefreshFilter {
        agent: filter.agent_id.map(AgentId::from),
        content: content
            .map(|content| hash("content_hash", content))
            .transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxpin_model::hash::SnapshotId;
    use ctxpin_model::policy::Policy;
    use ctxpin_model::resource::Kind;

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn read(json: &str) -> Result<PinMove, String> {
        let body: context::ContextMove =
            serde_json::from_str(&json.replace("HASH", HASH)).map_err(|error| error.to_string())?;
        pin_move(body).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_filter_without_conditions_is_refused() {
        let filter = |json: &str| {
            let filter = serde_json::from_str(&json.replace("HASH", HASH)).expect("a filter");
            refresh_filter(&filter)
        };
        assert!(filter(r#"{"content_hash": "HASH"}"#).is_ok());
        assert!(filter("{}").is_err());
    }

    #[test]
    fn moves() {
        let selector = |subject, source: &str| Selector {
            subject,
            source: source.to_owned(),
        };
        let hash: SnapshotId = HASH.parse().unwrap();
        let check = |json: &str, expected: PinMove| assert_eq!(read(json), Ok(expected), "{json}");
        check("{}", PinMove::Refresh { head: None });
        check(r#"{"head": "HASH"}"#, PinMove::Refresh { head: Some(hash) });
        check(r#"{"decline": "HASH"}"#, PinMove::Decline(hash));
        check(r#"{"undecline": "HASH"}"#, PinMove::Undecline(hash));
        check(r#"{"snapshot": "HASH"}"#, PinMove::Rollback(hash));
        let policy = Policy::Follow;
        check(
            r#"{"snapshot": "HASH", "policy": "follow"}"#,
            PinMove::Undo { to: hash, policy },
        );
        check(r#"{"render": true}"#, PinMove::Render);
        check(
            r#"{"head": "HASH", "sources": ["/a", {"kind": "skill", "source": "/b"}, {"kind": "facts", "source": ""}]}"#,
            PinMove::Sources {
                head: Some(hash),
                selectors: vec![
                    selector(None, "/a"),
                    selector(Some(Subject::Resource(Kind::Skill)), "/b"),
                    selector(Some(Subject::Facts), ""),
                ],
            },
        );
    }

    #[test]
    fn invalid_moves_are_refused() {
        let check = |json: &str, expected: &str| {
            let text = read(json).unwrap_err();
            assert!(text.starts_with(expected), "{json}: {text}");
        };
        check(
            r#"{"policy": "follow"}"#,
            "`policy`: it comes with `snapshot`",
        );
        check(r#"{"snapshot": "HASH", "policy": "never"}"#, "`policy`: ");
        check(r#"{"source": ["/a"]}"#, "unknown field `source`, expected");
        check(
            r#"{"sources": null}"#,
            "invalid type: null, expected a sequence",
        );
        check(r#"{"head": null}"#, "invalid type: null, expected a string");
        check(r#"{"sources": []}"#, "`sources`: the list is empty;");
        check(
            r#"{"sources": [""]}"#,
            "`sources[0]`: a source must not be empty",
        );
        check(
            r#"{"sources": [7]}"#,
            "a source must be a text or {kind, source}",
        );
        check(
            r#"{"sources": [{"kind": "skill", "source": "/a", "root": "/"}]}"#,
            "a source must be a text or {kind, source}",
        );
        check(
            r#"{"sources": ["/a\u0000"]}"#,
            "`sources[0]`: it holds a NUL",
        );
        check(
            r#"{"sources": [{"kind": "skil", "source": "/a"}]}"#,
            "`sources[0].kind`: `skil` is not one of instruction_file, skill",
        );
        check(
            r#"{"sources": [{"kind": "facts", "source": "/a"}]}"#,
            "`sources[0]`: the source of the facts must be empty",
        );
        check(
            r#"{"mode": "append"}"#,
            "`mode`: this version does not offer `append`",
        );
        check(r#"{"mode": "merge"}"#, "`mode`: the only mode is `append`");
        check(
            r#"{"decline": "HASH", "snapshot": "HASH"}"#,
            "`snapshot`: `decline` and `snapshot` exclude each other",
        );
        check(
            r#"{"decline": "HASH", "undecline": "HASH"}"#,
            "`undecline`: `decline` and `undecline` exclude each other",
        );
        check(
            r#"{"head": "HASH", "decline": "HASH"}"#,
            "`decline`: `head` and `decline` exclude each other",
        );
        check(r#"{"head": "HEAD"}"#, "`head`: a hash is written");
        check(
            r#"{"render": false}"#,
            "`render`: it must be true or absent",
        );
        check(
            r#"{"head": "HASH", "render": true}"#,
            "`render`: `head` and `render` exclude each other",
        );
    }
}
