//! Handlers of enrolment: one-time codes, and the agents that create themselves with them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ctxpin_operations::enrolment;
use ctxpin_protocol::convert::agents::{agent, agent_request};
use ctxpin_protocol::convert::enrolment::agent_enrol;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::enrolment::{AgentEnrol, AgentEnrolled, EnrolmentCode};
use ctxpin_protocol::http::people::Secret;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::request_memory::RequestMemory;

/// Create a one-time code with which an agent creates itself
///
/// `ctxpin agent run --enrol` asks for the code. It is valid for 10 minutes, and ends with the caller's token. The
/// agent becomes the caller's, as this request describes it.
#[utoipa::path(post, path = "/enrolment-codes", operation_id = "enrolment_code_create", tag = "agents",
    request_body = AgentCreate, responses((status = 201, body = EnrolmentCode), Problems))]
pub(crate) async fn code_create(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<AgentCreate>,
) -> ApiResult<(StatusCode, Json<EnrolmentCode>)> {
    let request = agent_request(body)?;
    let issued = enrolment::code_create(&app.service, credential, &request).await?;
    let code = EnrolmentCode {
        code: Secret::new(issued.code.reveal()),
        expires_at: issued.expires_at.utc(),
    };
    Ok((StatusCode::CREATED, Json(code)))
}

/// Exchange a one-time code for an agent
///
/// Needs no token, because the code is the secret. The agent draws the secret of its token and sends the hash, so the
/// secret never travels. A code makes one agent: until the code expires, the same hash gets the same response, and
/// another hash gets `unauthenticated`.
#[utoipa::path(post, path = "/enrolments", operation_id = "agent_enrol", tag = "agents", security(()),
    request_body = AgentEnrol, responses((status = 200, body = AgentEnrolled), Problems))]
pub(crate) async fn enrol(
    State(app): State<App>,
    Extension(memory): Extension<RequestMemory>,
    JsonBody(body): JsonBody<AgentEnrol>,
) -> ApiResult<Json<AgentEnrolled>> {
    let request = agent_enrol(&body)?;
    let _turn = memory.turn().await?;
    let _lookup = app.callers.turn().await;
    let (enrolled, token) = enrolment::enrol(&app.service, &request).await?;
    Ok(Json(AgentEnrolled {
        agent: agent(&enrolled, app.now()),
        token_id: token.uuid(),
    }))
}
