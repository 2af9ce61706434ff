//! The handler of the instruction files that come with a file.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_model::hash::BlobHash;
use ctxpin_operations::instructions::{self, OnDemand};
use ctxpin_protocol::convert::instructions::{instructions, no_instructions};
use ctxpin_protocol::http::instructions::{InstructionQuery, Instructions};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::{PathParams, QueryParams};
use crate::preconditions::{IfNoneMatch, weak_etag};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Read what comes with a file
///
/// The instruction files of the pin that the model gets when it reads the file at `path`: rules for some files, files
/// below the working directory, and lines of the list of skills. What the prompt has is not among them, but for the
/// line of a skill with `paths`. The server does not record what it gave, so a client gives each of them once.
/// Without a pin, there are none and no `ETag`.
#[utoipa::path(get, path = "/chats/{chat}/instructions", operation_id = "instruction_list", tag = "context",
    params(("chat" = Uuid, Path), InstructionQuery, ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Instructions,
            headers(("ETag", description = "A weak tag: `W/` and a hash in quotes"))),
        (status = 304, description = "The caller has it"), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<InstructionQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let chat = path.id("chat")?;
    let known = IfNoneMatch::read(&headers);
    let found = instructions::on_demand(&app.service, credential, chat, &query.path).await?;
    let Some(found) = found else {
        return Ok(Json(no_instructions()).into_response());
    };
    let weight = found.weight();
    let answer = move || response(&found, &known);
    app.build_response(credential, weight, answer).await
}

/// Returns the response with its `ETag`, or 304 if the caller has it.
fn response(found: &OnDemand, known: &IfNoneMatch) -> Response {
    let given = found.given.iter();
    let given = given.map(|given| (&given.file, given.text.as_str()));
    let shape = instructions(found.snapshot, found.path.clone(), given);
    let body = serde_json::to_vec(&shape).unwrap_or_default();
    let hash = BlobHash::of(&body);
    let mut response = match known.has(hash) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(CONTENT_TYPE, JSON)], body).into_response(),
    };
    if let Some(tag) = weak_etag(hash) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
