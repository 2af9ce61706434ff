//! Handlers of turns.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ctxpin_operations::turns;
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::turns::{turn, turn_begun, turn_request};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::turns::{Turn, TurnBegin, TurnBegun};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};

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
    let status = match view.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
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
