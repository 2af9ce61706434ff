//! The audit log.

use ctxpin_model::audit::{AuditFilter, AuditObject, AuditRecord, NewTokenRecord};
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;

use super::members::{InvalidMember, word};
use super::people::scope_words;
use crate::http::audit::{AuditEntry, AuditQuery, NewToken, Party};

/// Reads the filter of a query.
///
/// # Errors
///
/// Fails if a word is unknown.
pub fn audit_filter(query: &AuditQuery) -> Result<AuditFilter, InvalidMember> {
    let action = query.action.as_deref().map(|text| word("action", text));
    let outcome = query.outcome.as_deref().map(|text| word("outcome", text));
    Ok(AuditFilter {
        actor: query.actor,
        action: action.transpose()?,
        object: query.object,
        outcome: outcome.transpose()?,
        since: query.since.map(Moment::new),
        until: query.until.map(Moment::new),
    })
}

/// Returns the wire shape of an entry.
pub fn entry(record: AuditRecord) -> AuditEntry {
    let object_name = record.object_name;
    let object = |object: AuditObject| Party {
        kind: object.kind().to_owned(),
        id: Some(object.uuid()),
        name: object_name,
    };
    AuditEntry {
        id: record.id.uuid(),
        actor: Party {
            kind: record.actor.kind().to_owned(),
            id: record.actor.uuid(),
            name: record.actor_name,
        },
        token: record.token.map(TokenId::uuid),
        door: record.door.map(|door| door.to_string()),
        action: record.action.to_string(),
        object: record.object.map(object),
        outcome: record.outcome.to_string(),
        at: record.at.utc(),
        count: record.count,
        new_token: record.new_token.map(new_token),
    }
}

fn new_token(token: NewTokenRecord) -> NewToken {
    NewToken {
        id: token.id.uuid(),
        user: token.user.map(UserId::uuid),
        scopes: scope_words(token.scopes),
        expires_at: token.expires_at.map(Moment::utc),
    }
}
