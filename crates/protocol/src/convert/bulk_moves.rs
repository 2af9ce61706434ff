//! Bulk moves.

use ctxpin_model::id::ChatId;
use ctxpin_model::pending_change::PendingChangeId;
use ctxpin_model::pin_move::{
    BULK_CHANGES_MAX, BULK_CHATS_MAX, BulkMove, BulkOutcome, Decision, SeenChat,
};

use super::members::{InvalidMember, count, hash};
use crate::http::bulk_moves::{self, BulkMoved, BulkResult};
use crate::problem::Problem;

/// Reads a request to move the pins of several chats.
///
/// # Errors
///
/// Fails if members exclude each other, a list is empty or too long, a chat occurs twice, or a hash or an id is
/// malformed.
pub fn bulk_move(body: bulk_moves::BulkMove) -> Result<BulkMove, InvalidMember> {
    demand_some("chats", body.chats.len())?;
    count("chats", body.chats.len(), BULK_CHATS_MAX)?;
    let chats = body.chats.iter().enumerate().map(|(index, seen)| {
        Ok(SeenChat {
            chat: seen.chat_id.into(),
            pin: hash(format!("chats[{index}].pin"), &seen.pin)?,
            head: hash(format!("chats[{index}].head"), &seen.head)?,
        })
    });
    let chats: Vec<SeenChat> = chats.collect::<Result<_, InvalidMember>>()?;
    let mut ids: Vec<_> = chats.iter().map(|seen| seen.chat).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let reason = "a chat occurs twice; name each chat once";
        return Err(InvalidMember::new("chats", reason));
    }
    Ok(BulkMove {
        chats,
        decision: decision(body.changes, body.decline, body.undecline)?,
    })
}

fn decision(
    changes: Option<Vec<String>>,
    decline: Option<bool>,
    undecline: Option<bool>,
) -> Result<Decision, InvalidMember> {
    for (member, value) in [("decline", decline), ("undecline", undecline)] {
        if value == Some(false) {
            return Err(InvalidMember::new(member, "it must be true or absent"));
        }
    }
    match (changes, decline, undecline) {
        (None, None, None) => Ok(Decision::TakeAll),
        (None, Some(_), None) => Ok(Decision::Decline),
        (None, None, Some(_)) => Ok(Decision::Undecline),
        (Some(changes), None, None) => {
            demand_some("changes", changes.len())?;
            count("changes", changes.len(), BULK_CHANGES_MAX)?;
            let ids = changes.iter().enumerate();
            let ids = ids.map(|(index, id)| pending_change_id(format!("changes[{index}]"), id));
            let mut ids = ids.collect::<Result<Vec<_>, _>>()?;
            ids.sort_unstable();
            Ok(Decision::Take(ids))
        }
        (_, declined, _) => Err(InvalidMember::new(
            if declined.is_some() {
                "decline"
            } else {
                "undecline"
            },
            "`changes`, `decline` and `undecline` exclude each other; send one of them",
        )),
    }
}

fn demand_some(member: &str, count: usize) -> Result<(), InvalidMember> {
    match count {
        0 => Err(InvalidMember::new(member, "the list is empty")),
        _ => Ok(()),
    }
}

/// Reads the id of a pending change.
///
/// # Errors
///
/// Fails if it is not 32 hexadecimal digits.
pub fn pending_change_id(
    member: impl std::fmt::Display,
    id: &str,
) -> Result<PendingChangeId, InvalidMember> {
    let reason = "this is not the id of a pending change, which has 32 hexadecimal digits";
    id.parse().map_err(|_| InvalidMember::new(member, reason))
}

/// Returns the wire shape of the results of a bulk move.
pub fn bulk_moved(
    results: impl IntoIterator<Item = (ChatId, Result<BulkOutcome, Problem>)>,
) -> BulkMoved {
    let results: Vec<_> = results.into_iter().map(bulk_result).collect();
    let failed = results.iter().filter(|result| result.problem.is_some());
    BulkMoved {
        failed_count: failed.count() as u64,
        results,
    }
}

fn bulk_result((chat, outcome): (ChatId, Result<BulkOutcome, Problem>)) -> BulkResult {
    let (word, snapshot, problem) = match outcome {
        Ok(BulkOutcome::Moved { pin, .. }) => ("moved", Some(pin), None),
        Ok(BulkOutcome::Declined) => ("declined", None, None),
        Ok(BulkOutcome::Undeclined) => ("undeclined", None, None),
        Ok(BulkOutcome::Unchanged) => ("unchanged", None, None),
        Err(problem) => ("failed", None, Some(problem)),
    };
    BulkResult {
        chat_id: chat.uuid(),
        outcome: word.to_owned(),
        snapshot: snapshot.map(|snapshot| snapshot.to_string()),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxpin_model::hash::SnapshotId;
    use serde_json::{Value, json};
    use uuid::Uuid;

    fn read(body: Value) -> Result<BulkMove, String> {
        let body = serde_json::from_value(body).map_err(|error| error.to_string())?;
        bulk_move(body).map_err(|invalid| invalid.member)
    }

    #[test]
    fn decisions() {
        let snapshot = SnapshotId::of(b"a").to_string();
        let chat = Uuid::from_u128(7);
        let seen = json!({"chat_id": chat, "pin": snapshot, "head": snapshot});
        let id = "00112233445566778899aabbccddeeff";
        let check = |rest: Value, expected: Decision| {
            let mut body = json!({"chats": [seen]});
            body.as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            assert_eq!(read(body).unwrap().decision, expected);
        };
        check(json!({}), Decision::TakeAll);
        check(json!({"decline": true}), Decision::Decline);
        check(json!({"undecline": true}), Decision::Undecline);
        let taken = Decision::Take(vec![id.parse().unwrap()]);
        check(json!({ "changes": [id] }), taken);
        let refuse = |body: Value, member: &str| {
            let error = read(body).unwrap_err();
            assert!(error.contains(member), "{error}");
        };
        refuse(json!({}), "missing field `chats`");
        refuse(json!({"chats": []}), "chats");
        refuse(json!({"chats": [seen, seen]}), "chats");
        refuse(json!({"chats": [seen], "changes": []}), "changes");
        refuse(json!({"chats": [seen], "changes": ["x"]}), "changes[0]");
        refuse(json!({"chats": [seen], "changes": null}), "invalid type");
        refuse(json!({"chats": [seen], "decline": false}), "decline");
        refuse(json!({"chats": [seen], "undecline": false}), "undecline");
        refuse(
            json!({"chats": [seen], "changes": [id], "undecline": true}),
            "undecline",
        );
        refuse(
            json!({"chats": [seen], "changes": [id], "decline": true}),
            "decline",
        );
        let many: Vec<_> = (0..1001)
            .map(|n| json!({"chat_id": Uuid::from_u128(n), "pin": snapshot, "head": snapshot}))
            .collect();
        refuse(json!({ "chats": many }), "chats");
    }
}
