//! The handler of a chat's prompt.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ctxpin_operations::prompts::{self, PinnedPrompt};

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::params::PathParams;
use crate::preconditions::{IfNoneMatch, etag};

const MARKDOWN: HeaderValue = HeaderValue::from_static("text/markdown; charset=utf-8");

/// Read the prompt of a chat
///
/// It is empty and has no `ETag` while the chat is unpinned.
#[utoipa::path(get, path = "/chats/{chat}/prompt", operation_id = "prompt_read", tag = "context",
    params(("chat" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = String, content_type = "text/markdown",
            headers(("ETag", description = "The hash of the prompt, in quotes"))),
        (status = 304, description = "The caller has it"), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let known = IfNoneMatch::read(&headers);
    let prompt = prompts::prompt(&app.service, credential, path.id("chat")?, known.first()).await?;
    Ok(prompt_response(prompt, &known))
}

/// Returns the response with a prompt and its `ETag`, or 304 if the caller has it.
pub(crate) fn prompt_response(prompt: PinnedPrompt, known: &IfNoneMatch) -> Response {
    let Some(hash) = prompt.hash else {
        return ([(CONTENT_TYPE, MARKDOWN)], "").into_response();
    };
    let mut response = match (known.has(hash), prompt.bytes) {
        (false, Some(bytes)) => ([(CONTENT_TYPE, MARKDOWN)], bytes).into_response(),
        _ => StatusCode::NOT_MODIFIED.into_response(),
    };
    if let Some(tag) = etag(hash) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
