//! Handlers for agents, which use their own token.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ctxpin_model::push;
use ctxpin_operations::pins;
use ctxpin_operations::pushes;
use ctxpin_protocol::convert::agents::{session, session_request};
use ctxpin_protocol::convert::manifest;
use ctxpin_protocol::convert::members::{InvalidMember, hash};
use ctxpin_protocol::convert::pushes::push_answer;
use ctxpin_protocol::http::agents::{EPOCH_HEADER, Refreshed, Session, SessionOpen};
use ctxpin_protocol::http::push::{Push, PushAnswer};
use ctxpin_protocol::problem::Problem;

use super::chats::wire_refreshed;
use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::body::RawBody;
use crate::identify::Identity;
use crate::json_body::{ConvertedBody, FromBody, JsonBody};
use crate::limits::PUSH_BYTES_MAX;
use crate::params::PathParams;

/// Open the session of an agent's process
///
/// A retry gets the same response. Agents also use it as a heartbeat.
#[utoipa::path(post, path = "/agent/session", operation_id = "session_open", tag = "agent", request_body = SessionOpen,
    responses((status = 200, body = Session), Problems))]
pub(crate) async fn open(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<SessionOpen>,
) -> ApiResult<Json<Session>> {
    let request = session_request(body)?;
    let opened = pushes::session_open(&app.service, credential, request).await?;
    Ok(Json(session(&opened, PUSH_BYTES_MAX)))
}

impl FromBody for Result<push::Push, Problem> {
    type Body = Push;

    fn from_body(push: Push) -> Self {
        manifest::read(push)
    }
}

/// Push a snapshot
#[utoipa::path(put, path = "/agent/context", operation_id = "context_push", tag = "agent", request_body = Push,
    responses((status = 200, body = PushAnswer), Problems))]
pub(crate) async fn push(
    State(app): State<App>,
    Identity(credential): Identity,
    ConvertedBody(push): ConvertedBody<Result<push::Push, Problem>>,
) -> ApiResult<Json<PushAnswer>> {
    let refused = || app.metrics.push("refused", 0);
    let push = push.inspect_err(|_| refused())?;
    let outcome = pushes::push(&app.service, credential, push)
        .await
        .inspect_err(|_| refused())?;
    app.metrics.push(outcome.verdict.as_str(), outcome.hydrated);
    Ok(Json(push_answer(&outcome)))
}

/// Send bytes ahead of a push
///
/// For files that are too large to go with the push. The response does not say whether the server had them
/// already.
#[utoipa::path(put, path = "/agent/blobs/{hash}", operation_id = "blob_upload", tag = "agent",
    params(("hash" = String, Path), ("ctxpin-epoch" = i64, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 204), Problems))]
pub(crate) async fn blob_upload(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    headers: HeaderMap,
    RawBody { body: bytes, .. }: RawBody,
) -> ApiResult<StatusCode> {
    let (claimed, epoch) = (hash("hash", path.text("hash"))?, epoch(&headers)?);
    pushes::blob_upload(&app.service, credential, epoch, claimed, bytes[..].into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refresh the drifted chats of the agent
///
/// Only for an agent that was created with `may_refresh`.
#[utoipa::path(post, path = "/agent/refresh", operation_id = "agent_refresh", tag = "agent",
    params(("ctxpin-epoch" = i64, Header)),
    responses((status = 200, body = Refreshed), Problems))]
pub(crate) async fn refresh(
    State(app): State<App>,
    Identity(credential): Identity,
    headers: HeaderMap,
) -> ApiResult<Json<Refreshed>> {
    let epoch = epoch(&headers)?;
    let done = pins::refresh_of_agent(&app.service, credential, epoch).await?;
    Ok(Json(wire_refreshed(done)))
}

fn epoch(headers: &HeaderMap) -> Result<i64, InvalidMember> {
    let epoch = headers.get(EPOCH_HEADER).and_then(|v| v.to_str().ok());
    epoch.and_then(|epoch| epoch.parse().ok()).ok_or_else(|| {
        let reason = "send the epoch of the session in this header";
        InvalidMember::new(EPOCH_HEADER, reason)
    })
}
