//! Handlers of watches.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::pass::Pass;
use ctxpin_model::watch::Subject;
use ctxpin_protocol::watch::WatchQuery;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::events::events;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};

/// Watch the caller's chats and agents
///
/// Sends the Server-Sent Events `chat`, `turn`, `agent`, `deleted`, `ready` and `closed`: first the state,
/// agents before chats, then `ready`, then changes. With `state=false` it sends `ready` at once, then `changed`.
/// A token has at most 16 watches.
#[utoipa::path(get, path = "/watch", operation_id = "watch", tag = "watch", params(WatchQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), Problems))]
pub(crate) async fn own(
    State(app): State<App>,
    Identity(credential): Identity,
    session: Option<Extension<Pass>>,
    QueryParams(query): QueryParams<WatchQuery>,
) -> ApiResult<Response> {
    let session = session.map(|Extension(session)| session);
    events(app, credential, session, Subject::Own, &query).await
}

/// Watch one chat
///
/// Sends the same events as `/watch`.
#[utoipa::path(get, path = "/chats/{chat}/watch", operation_id = "chat_watch", tag = "watch",
    params(("chat" = Uuid, Path), WatchQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), Problems))]
pub(crate) async fn chat(
    State(app): State<App>,
    Identity(credential): Identity,
    session: Option<Extension<Pass>>,
    path: PathParams,
    QueryParams(query): QueryParams<WatchQuery>,
) -> ApiResult<Response> {
    let session = session.map(|Extension(session)| session);
    let subject = Subject::Chat(path.id("chat")?);
    events(app, credential, session, subject, &query).await
}
