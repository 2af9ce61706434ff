//! Watches.

use axum::extract::State;
use axum::response::Response;
use ctxpin_operations::watches::Subject;

use crate::address::Segments;
use crate::app::App;
use crate::events::events;
use crate::identify::Identity;
use crate::respond::{Answer, Problems};

/// Watch the caller's chats and agents
///
/// Server-Sent Events `chat`, `turn`, `agent`, `deleted`, `ready` and `closed`: first the state,
/// agents before chats, then `ready`, then changes.
#[utoipa::path(get, path = "/watch", operation_id = "watch", tag = "watch",
    responses((status = 200, body = String, content_type = "text/event-stream"), Problems))]
pub(crate) async fn own(
    State(app): State<App>,
    Identity(credential): Identity,
) -> Answer<Response> {
    events(app, credential, Subject::Own).await
}

/// Watch one chat
///
/// Server-Sent Events as of `/watch`.
#[utoipa::path(get, path = "/chats/{chat}/watch", operation_id = "chat_watch", tag = "watch",
    params(("chat" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/event-stream"), Problems))]
pub(crate) async fn chat(
    State(app): State<App>,
    Identity(credential): Identity,
    path: Segments,
) -> Answer<Response> {
    events(app, credential, Subject::Chat(path.id("chat")?)).await
}
