//! Handlers of agents, for their owners.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctxpin_model::id::AgentId;
use ctxpin_operations::agents;
use ctxpin_protocol::convert::agents::{agent, agent_request, timeline_head};
use ctxpin_protocol::convert::pages::{page, page_request};
use ctxpin_protocol::convert::resources::note;
use ctxpin_protocol::http::agents::{Agent, AgentCreate, AgentCreated, TimelineHead};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::Secret;

use crate::api_error::{ApiResult, Problems};
use crate::app::App;
use crate::identify::Identity;
use crate::json_body::JsonBody;
use crate::params::{PathParams, QueryParams};

/// Create an agent
///
/// The response shows the agent's token. No other response does.
#[utoipa::path(post, path = "/agents", operation_id = "agent_create", tag = "agents", request_body = AgentCreate,
    responses((status = 201, body = AgentCreated), Problems))]
pub(crate) async fn create(
    State(app): State<App>,
    Identity(credential): Identity,
    JsonBody(body): JsonBody<AgentCreate>,
) -> ApiResult<(StatusCode, Json<AgentCreated>)> {
    let request = agent_request(body)?;
    let (created, token) = agents::create(&app.service, credential, &request).await?;
    let created = AgentCreated {
        agent: agent(&created, app.now()),
        token: Secret::new(token.reveal()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// List agents
#[utoipa::path(get, path = "/agents", operation_id = "agent_list", tag = "agents", params(PageQuery),
    responses((status = 200, body = Page<Agent>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<Agent>>> {
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let agents = agents::list(&app.service, credential, &asked).await?;
    let now = app.now();
    Ok(Json(page(agents, |record| agent(&record, now))))
}

/// Read an agent
#[utoipa::path(get, path = "/agents/{agent}", operation_id = "agent_read", tag = "agents", params(("agent" = Uuid, Path)),
    responses((status = 200, body = Agent), Problems))]
pub(crate) async fn read(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<Agent>> {
    let view = agents::read(&app.service, credential, path.id("agent")?).await?;
    Ok(Json(Agent {
        notes: view.notes.iter().map(note).collect(),
        ..agent(&view, app.now())
    }))
}

/// Delete an agent
///
/// Its chats keep their pins and their history.
#[utoipa::path(delete, path = "/agents/{agent}", operation_id = "agent_delete", tag = "agents", params(("agent" = Uuid, Path)),
    responses((status = 204), Problems))]
pub(crate) async fn delete(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<StatusCode> {
    agents::delete(&app.service, credential, path.id("agent")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an agent another token
///
/// The old token ends at once. The response shows the new one. No other response does.
#[utoipa::path(post, path = "/agents/{agent}/token", operation_id = "agent_token_rotate", tag = "agents",
    params(("agent" = Uuid, Path)),
    responses((status = 200, body = AgentCreated), Problems))]
pub(crate) async fn token_rotate(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
) -> ApiResult<Json<AgentCreated>> {
    let (rotated, token) =
        agents::token_rotate(&app.service, credential, path.id("agent")?).await?;
    Ok(Json(AgentCreated {
        agent: agent(&rotated, app.now()),
        token: Secret::new(token.reveal()),
    }))
}

/// List the heads of an agent
///
/// The timeline of its workspace's context.
#[utoipa::path(get, path = "/agents/{agent}/heads", operation_id = "head_list", tag = "agents",
    params(("agent" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<TimelineHead>), Problems))]
pub(crate) async fn heads(
    State(app): State<App>,
    Identity(credential): Identity,
    path: PathParams,
    QueryParams(query): QueryParams<PageQuery>,
) -> ApiResult<Json<Page<TimelineHead>>> {
    let id: AgentId = path.id("agent")?;
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let heads = agents::heads(&app.service, credential, id, &asked).await?;
    Ok(Json(page(heads, |head| timeline_head(id, head))))
}
