//! Handlers of evidence: what clients' records show of the requests of turns.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ctxpin_operations::evidence;
use ctxpin_protocol::convert::evidence::{evidence_key, row, turn_evidence};
use ctxpin_protocol::http::evidence::{EvidenceKey, EvidenceRow, TurnEvidence};

use crate::api::created_or_ok;
use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::PathParams;

/// Get the key under which your clients name foreign texts
///
/// The server makes it at the first request, and returns the same one afterwards.
#[utoipa::path(post, path = "/me/evidence-key", operation_id = "evidence_key_read", tag = "turns",
    responses((status = 200, body = EvidenceKey), Problems))]
pub(crate) async fn key(
    State(app): State<App>,
    Identity(credential): Identity,
) -> ApiResult<Json<EvidenceKey>> {
    let key = evidence::key(&app.service, credential).await?;
    Ok(Json(evidence_key(&key)))
}

/// Hand in what a client's record shows of a turn
///
/// Returns 200 if the turn has the same row already, and 409 if it has another one of the same `key`. The response says
/// what all rows of the turn say together.
#[utoipa::path(post, path = "/chats/{chat}/turns/{number}/evidence", operation_id = "evidence_add", tag = "turns",
    params(("chat" = Uuid, Path), ("number" = i64, Path)), request_body = EvidenceRow,
    responses((status = 201, body = TurnEvidence), (status = 200, body = TurnEvidence), Problems))]
pub(crate) async fn add(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    JsonBody(body): JsonBody<EvidenceRow>,
) -> ApiResult<Response> {
    let handed_in = row(body)?;
    let (chat, number) = (path.id("chat")?, path.id("number")?);
    let added = evidence::add(&app.service, credential, chat, number, &handed_in).await?;
    let status = created_or_ok(added.is_new);
    Ok((status, Json(turn_evidence(&added.evidence))).into_response())
}
