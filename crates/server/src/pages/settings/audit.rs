//! The audit log, for admins and auditors.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::audit::{AuditObject, AuditOutcome, AuditRecord};
use ctxpin_model::moment::Moment;
use ctxpin_operations::{overview, people};
use ctxpin_protocol::convert::pages::page_request;

use super::{Tab, TabLink, tabs};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::frame::{Frame, Place, html};
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::time::Time;
use crate::params::QueryParams;

/// The page of the audit log.
#[derive(Template)]
#[template(path = "settings/audit.html")]
struct AuditPage {
    frame: Frame,
    tabs: Vec<TabLink>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    at: Time,
    actor: &'static str,
    actor_id: Option<ShortId>,
    action: &'static str,
    object: Option<Object>,
    is_refused: bool,
    count: u64,
}

/// The object of an operation.
struct Object {
    kind: &'static str,
    id: ShortId,
    /// The path of its page.
    path: Option<String>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let asked = page_request(query.cursor.as_deref(), None)?;
    let log = people::audit_log(&app.service, caller.credential, &asked).await?;
    require_items(query.cursor.as_deref(), &log.items)?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let tabs = tabs(Tab::Audit, overview.user.roles);
    let frame = Frame::of(&app, &caller, overview, Place::Settings, "Audit log");
    let now = frame.now;
    html(&AuditPage {
        frame,
        tabs,
        rows: log
            .items
            .into_iter()
            .map(|record| Row::new(&record, now))
            .collect(),
        next: log
            .next
            .map(|next| format!("/settings/audit?cursor={next}")),
    })
}

impl Row {
    fn new(record: &AuditRecord, now: Moment) -> Self {
        Self {
            at: Time::clock(record.at, now),
            actor: record.actor.kind(),
            actor_id: record
                .actor
                .uuid()
                .map(|id| ShortId::of_id(id, "actor's id")),
            action: record.action.as_str(),
            object: record.object.map(Object::new),
            is_refused: record.outcome != AuditOutcome::Done,
            count: record.count,
        }
    }
}

impl Object {
    fn new(object: AuditObject) -> Self {
        let (kind, id) = (object.kind(), object.uuid());
        Self {
            kind,
            id: ShortId::of_id(id, "object's id"),
            path: match object {
                AuditObject::Chat(chat) => Some(format!("/chats/{chat}/history")),
                AuditObject::Agent(agent) => Some(format!("/workspaces/{agent}")),
                _ => None,
            },
        }
    }
}
