//! The audit log.

use axum::Json;
use axum::extract::State;
use ctxpin_model::audit::AuditRecord;
use ctxpin_operations::people;
use ctxpin_protocol::http::audit::{AuditEntry, Party};
use ctxpin_protocol::http::page::{Page, PageQuery};

use crate::address::{Asked, page, page_request};
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
        action: record.action,
        object,
        outcome: record.outcome,
        at: record.at.utc(),
        count: record.count,
    }
}
