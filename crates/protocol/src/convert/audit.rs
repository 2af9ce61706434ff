//! The audit log.

use ctxpin_model::audit::{AuditRecord, NewTokenRecord};
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;

use super::people::scope_words;
use crate::http::audit::{AuditEntry, NewToken, Party};

/// Returns the wire shape of an entry.
pub fn entry(record: AuditRecord) -> AuditEntry {
    let object = record.object_kind.map(|kind| Party {
        kind,
        id: record.object_id,
    });
    AuditEntry {
        id: record.id.uuid(),
        actor: Party {
            kind: record.actor_kind,
            id: record.actor_id,
        },
        token: record.token.map(TokenId::uuid),
        action: record.action,
        object,
        outcome: record.outcome,
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
