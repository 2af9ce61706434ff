//! Handlers of turns.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use ctxpin_operations::turns;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::turns::{turn, turn_begun, turn_given, turn_request};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::{Turn, TurnBegin, TurnBegun, TurnGiven};

use crate::api::created_or_ok;
use crate::api::prompts::prompt_response;
use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};
use crate::preconditions::IfNoneMatch;

/// Begin a turn
///
/// Returns 200 if a turn of the same reference exists. A token without the scope `read` gets no prompt,
/// skills and tools.
#[utoipa::path(post, path = "/chats/{chat}/turns", operation_id = "turn_begin", tag = "turns", params(("chat" = Uuid, Path)),
    request_body = TurnBegin,
    responses((status = 201, body = TurnBegun), (status = 200, body = TurnBegun), Problems))]
pub(crate) async fn begin(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<TurnBegin>,
) -> ApiResult<Response> {
    let request = turn_request(body)?;
    let view = turns::begin(&app.service, credential, path.id("chat")?, &request).await?;
    let status = created_or_ok(view.is_new);
    let given = view.given.as_ref();
    let weight = given.map_or(0, |given| given.prompt.len() as u64);
    let answer = move || (status, Json(turn_begun(view))).into_response();
    app.build_response(credential, weight, answer).await
}

/// List the turns of a chat
#[utoipa::path(get, path = "/chats/{chat}/turns", operation_id = "turn_list", tag = "turns",
    params(("chat" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<Turn>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<Turn>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let turns = turns::list(&app.service, credential, path.id("chat")?, &asked).await?;
    Ok(Json(page(turns, |record| turn(&record))))
}

/// Read a turn
///
/// It names what the model was given then. `skills` and `tools` are absent for a caller who may not read
/// them.
#[utoipa::path(get, path = "/chats/{chat}/turns/{number}", operation_id = "turn_read", tag = "turns",
    params(("chat" = Uuid, Path), ("number" = i64, Path)),
    responses((status = 200, body = TurnGiven), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<TurnGiven>> {
    let (chat, number) = (path.id("chat")?, path.id("number")?);
    let view = turns::read(&app.service, credential, chat, number).await?;
    Ok(Json(turn_given(view)))
}

/// Read the prompt that a turn was given
///
/// It is empty and has no `ETag` if the chat had no pin.
#[utoipa::path(get, path = "/chats/{chat}/turns/{number}/prompt", operation_id = "turn_prompt_read", tag = "turns",
    params(("chat" = Uuid, Path), ("number" = i64, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = String, content_type = "text/markdown",
            headers(("ETag", description = "The hash of the prompt, in quotes"))),
        (status = 304, description = "The caller has it"), Problems))]
pub(crate) async fn read_prompt(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (chat, number) = (path.id("chat")?, path.id("number")?);
    let known = IfNoneMatch::read(&headers);
    let prompt = turns::prompt(&app.service, credential, chat, number, known.first()).await?;
    Ok(prompt_response(prompt, &known))
}
