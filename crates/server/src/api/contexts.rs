//! Handlers of a chat's pin, its drift and its moves.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use ctxpin_model::context::ContextView;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::token::Credential;
use ctxpin_operations::contexts;
use ctxpin_operations::diffs::{self, DiffRequest};
use ctxpin_operations::{history, pins};
use ctxpin_protocol::convert;
use ctxpin_protocol::convert::contexts::context;
use ctxpin_protocol::convert::diff::Form;
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::convert::pins::pin_move;
use ctxpin_protocol::convert::resources::resource;
use ctxpin_protocol::http::context::{Context, ContextMove};
use ctxpin_protocol::http::diff::{Diff, DiffQuery};
use ctxpin_protocol::http::resources::ResourceText;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};
use crate::preconditions::{etag, if_match};

/// Returns the response with a context and its `ETag`, which `If-Match` compares.
async fn context_response(
    app: &App,
    credential: Credential,
    view: ContextView,
) -> ApiResult<Response> {
    let weight = contexts::context_weight(&view);
    let warnings = app.service.quota_warnings(view.chat.owner);
    let tag = view
        .chat
        .pin
        .as_ref()
        .and_then(|pin| etag(pin.pin.snapshot));
    let answer = move || {
        let mut response = Json(context(&view, &warnings)).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    };
    app.build_response(credential, weight, answer).await
}

/// Read the pin of a chat and its drift
#[utoipa::path(get, path = "/chats/{chat}/context", operation_id = "context_read", tag = "context",
    params(("chat" = Uuid, Path)),
    responses((status = 200, body = Context,
        headers(("ETag", description = "The pinned snapshot, in quotes"))), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Response> {
    let view = contexts::read(&app.service, credential, path.id("chat")?).await?;
    context_response(&app, credential, view).await
}

/// Move the pin of a chat
///
/// `{}` moves it to the head. With `If-Match: "<snapshot>"` the server moves the pin only if that snapshot
/// is the current pin.
#[utoipa::path(put, path = "/chats/{chat}/context", operation_id = "pin_move", tag = "context",
    params(("chat" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    request_body = ContextMove,
    responses((status = 200, body = Context,
        headers(("ETag", description = "The pinned snapshot, in quotes"))), Problems))]
pub(crate) async fn put(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ContextMove>,
) -> ApiResult<Response> {
    let (chat, only_from) = (path.id("chat")?, if_match(&headers)?);
    let request = pin_move(body)?;
    let view = pins::pin_move(&app.service, credential, chat, &request, only_from).await?;
    context_response(&app, credential, view).await
}

/// Unpin a chat
///
/// With `If-Match: "<snapshot>"` the server clears the pin only if that snapshot is the current pin.
#[utoipa::path(delete, path = "/chats/{chat}/context", operation_id = "pin_clear", tag = "context",
    params(("chat" = Uuid, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Context), Problems))]
pub(crate) async fn clear(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (chat, only_from) = (path.id("chat")?, if_match(&headers)?);
    let view = pins::pin_clear(&app.service, credential, chat, only_from).await?;
    context_response(&app, credential, view).await
}

/// Read the differences with their text
///
/// Compares the pin with the head, or two pins of the chat's history. A change beyond the first 1 MiB has
/// `more: true` and no text; request it alone with `?resource=` and its `id`.
#[utoipa::path(get, path = "/chats/{chat}/context/diff", operation_id = "diff_read", tag = "context",
    params(("chat" = Uuid, Path), DiffQuery),
    responses((status = 200, body = Diff), Problems))]
pub(crate) async fn diff(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<DiffQuery>,
) -> ApiResult<Response> {
    let chat = path.id("chat")?;
    let unknown = || InvalidMember::new("resource", "this is not the id of a resource");
    let resource = query.resource.map(|id| id.parse().map_err(|_| unknown()));
    let form = match query.hunks {
        Some(true) => Form::Hunks,
        _ => Form::Text,
    };
    let request = DiffRequest {
        from: snapshot_at(&app, credential, chat, "from", query.from).await?,
        to: snapshot_at(&app, credential, chat, "to", query.to).await?,
        resource: resource.transpose()?,
        with_words: matches!(form, Form::Hunks),
        with_all_lines: false,
        with_heads: false,
    };
    let view = diffs::diff(&app.service, credential, chat, request).await?;
    let weight = view.weight();
    let answer = move || {
        let (changes, sides) = (view.changes(), view.sides());
        Json(convert::diff::diff(
            view.pinned(),
            view.head(),
            &changes,
            sides,
            form,
        ))
        .into_response()
    };
    app.build_response(credential, weight, answer).await
}

/// Returns the snapshot of the move with number `seq` in the chat's history.
async fn snapshot_at(
    app: &App,
    credential: Credential,
    chat: ChatId,
    member: &str,
    seq: Option<i64>,
) -> ApiResult<Option<SnapshotId>> {
    let Some(seq) = seq else { return Ok(None) };
    let found = history::read(&app.service, credential, chat, seq).await?;
    let invalid = |reason| InvalidMember::new(member, reason);
    let found = found.ok_or_else(|| invalid("the chat's history has no move of this number"))?;
    let snapshot = found.snapshot;
    let snapshot = snapshot.ok_or_else(|| invalid("that move cleared the pin"))?;
    Ok(Some(snapshot))
}

/// Read one pinned resource with its text
#[utoipa::path(get, path = "/chats/{chat}/context/resources/{resource}", operation_id = "resource_read", tag = "context",
    params(("chat" = Uuid, Path), ("resource" = String, Path)),
    responses((status = 200, body = ResourceText), Problems))]
pub(crate) async fn read_resource(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<ResourceText>> {
    let (chat, id) = (path.id("chat")?, path.id("resource")?);
    let found = contexts::resource(&app.service, credential, chat, id).await?;
    Ok(Json(ResourceText {
        resource: resource(&found.resource, found.treatment.as_ref()),
        body: found.body,
    }))
}
