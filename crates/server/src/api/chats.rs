//! Handlers of chats.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctxpin_operations::bulk_moves;
use ctxpin_operations::chats;
use ctxpin_operations::pins;
use ctxpin_operations::starts;
use ctxpin_protocol::convert;
use ctxpin_protocol::convert::chats::{chat, chat_change, chat_create, chat_filter, chat_start};
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::pins::refresh_filter;
use ctxpin_protocol::http::agents::Refreshed;
use ctxpin_protocol::http::bulk_moves::{BulkMove, BulkMoved};
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate, ChatQuery, ChatStart};
use ctxpin_protocol::http::context::RefreshFilter;
use ctxpin_protocol::http::page::Page;

use crate::api::created_or_ok;
use crate::api_error::{ApiError, ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};

/// Create a chat
///
/// Returns 200 if a chat of the same client and reference exists.
#[utoipa::path(post, path = "/chats", operation_id = "chat_create", tag = "chats", request_body = ChatCreate,
    responses((status = 201, body = Chat), (status = 200, body = Chat), Problems))]
pub(crate) async fn create(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<ChatCreate>,
) -> ApiResult<(StatusCode, Json<Chat>)> {
    let request = chat_create(body)?;
    let (record, is_new) = chats::create(&app.service, credential, &request).await?;
    let status = created_or_ok(is_new);
    Ok((status, Json(chat(&record))))
}

/// List chats
#[utoipa::path(get, path = "/chats", operation_id = "chat_list", tag = "chats", params(ChatQuery),
    responses((status = 200, body = Page<Chat>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<ChatQuery>,
) -> ApiResult<Json<Page<Chat>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let filter = chat_filter(query)?;
    let chats = chats::list(&app.service, credential, &filter, &asked).await?;
    Ok(Json(page(chats, |record| chat(&record))))
}

/// Read a chat
#[utoipa::path(get, path = "/chats/{chat}", operation_id = "chat_read", tag = "chats", params(("chat" = Uuid, Path)),
    responses((status = 200, body = Chat), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Chat>> {
    let record = chats::read(&app.service, credential, path.id("chat")?).await?;
    Ok(Json(chat(&record)))
}

/// Change a chat, except its pin
#[utoipa::path(patch, path = "/chats/{chat}", operation_id = "chat_change", tag = "chats", params(("chat" = Uuid, Path)),
    request_body = ChatChange, responses((status = 200, body = Chat), Problems))]
pub(crate) async fn change(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<ChatChange>,
) -> ApiResult<Json<Chat>> {
    let change = chat_change(body)?;
    let record = chats::change(&app.service, credential, path.id("chat")?, &change).await?;
    Ok(Json(chat(&record)))
}

/// Tell of an event in a chat's client
///
/// A client, or its hook, sends it when a session begins or goes on. In an observed chat, the pin moves to the head of
/// the scan that began for it, if the client reads its files then. An archived chat is unarchived.
#[utoipa::path(post, path = "/chats/{chat}/start", operation_id = "chat_start", tag = "chats", params(("chat" = Uuid, Path)),
    request_body = ChatStart, responses((status = 200, body = Chat), Problems))]
pub(crate) async fn start(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<ChatStart>,
) -> ApiResult<Json<Chat>> {
    let message = chat_start(body)?;
    let record = starts::start(&app.service, credential, path.id("chat")?, message).await?;
    Ok(Json(chat(&record)))
}

/// Delete a chat with its history and its turns
#[utoipa::path(delete, path = "/chats/{chat}", operation_id = "chat_delete", tag = "chats", params(("chat" = Uuid, Path)),
    responses((status = 204), Problems))]
pub(crate) async fn delete(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<StatusCode> {
    chats::delete(&app.service, credential, path.id("chat")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refresh chats of any user by a filter
#[utoipa::path(post, path = "/chats/refresh", operation_id = "pin_move_many", tag = "chats", request_body = RefreshFilter,
    responses((status = 200, body = Refreshed), Problems))]
pub(crate) async fn refresh_many(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<RefreshFilter>,
) -> ApiResult<Json<Refreshed>> {
    let filter = refresh_filter(&body)?;
    let done = pins::refresh_many(&app.service, credential, filter).await?;
    Ok(Json(wire_refreshed(done)))
}

/// Returns how many chats were moved and left alone, in the shape of the API.
pub(super) fn wire_refreshed(done: pins::Refreshed) -> Refreshed {
    Refreshed {
        refreshed: done.moved,
        observed: done.observed,
    }
}

/// Decide about the drift of several chats
///
/// Moves the pin of each chat, or declines its agent's head, if pin and head are the ones that the caller has
/// seen. A chat that fails has its problem in the results and does not stop the others. A user has one bulk move
/// at a time, which counts as one move for the rate limit; after 30 seconds the remaining chats fail as `busy`.
#[utoipa::path(post, path = "/chats/moves", operation_id = "bulk_move", tag = "chats", request_body = BulkMove,
    responses((status = 200, body = BulkMoved), Problems))]
pub(crate) async fn bulk_move(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<BulkMove>,
) -> ApiResult<Json<BulkMoved>> {
    let request = convert::bulk_moves::bulk_move(body)?;
    let results = bulk_moves::bulk_move(&app.service, credential, &request).await?;
    let results = results.into_iter().map(|(chat, outcome)| {
        let outcome = outcome.map_err(|error| ApiError::from(error).into_problem());
        (chat, outcome)
    });
    Ok(Json(convert::bulk_moves::bulk_moved(results)))
}
