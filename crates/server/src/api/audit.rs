//! The audit log.

use axum::Json;
use axum::extract::State;
use ctxpin_model::audit::{AuditRecord, NewTokenRecord};
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_operations::people;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::http::audit::{AuditEntry, NewToken, Party};
use ctxpin_protocol::http::page::{Page, PageQuery};

use super::people::scope_words;
use crate::address::Asked;
use crate::app::App;
use crate::identify::Identity;
use crate::respond::{Answer, Problems};

/// List the audit log
#[utoipa::path(get, path = "/audit", operation_id = "audit_read", tag = "people", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<Page<AuditEntry>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let log = people::audit_log(&app.service, credential, &asked).await?;
    Ok(Json(page(log, entry)))
}

fn entry(record: AuditRecord) -> AuditEntry {
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
