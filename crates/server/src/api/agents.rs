//! Agents, as their owners see them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ctxpin_model::agent::{AgentRecord, Head as HeadRecord};
use ctxpin_model::moment::Moment;
use ctxpin_operations::agents::{self, AgentRequest, Replaces};
use ctxpin_protocol::convert;
use ctxpin_protocol::convert::members::{InvalidMember, label};
use ctxpin_protocol::http::agents::{Agent, AgentCreate, AgentCreated, Head, TimelineHead};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::Secret;

use crate::address::{Asked, Segments, page, page_request};
use crate::app::App;
use crate::identify::Identity;
use crate::read::Given;
use crate::respond::{Answer, Problems};

/// An agent, as it is told.
pub(crate) fn agent(agent: &AgentRecord, now: Moment) -> Agent {
    Agent {
        id: agent.id.uuid(),
        workspace: agent.workspace.clone(),
        name: Some(agent.name.clone()).filter(|name| !name.is_empty()),
        epoch: agent.epoch,
        head: agent.head.map(head),
        mcp_settled: agent.mcp_settled,
        connected: agent.is_connected(now),
        last_push_at: agent.last_push_at.map(Moment::utc),
        created_at: agent.created_at.utc(),
        notes: Vec::new(),
        refused: agent.refused.map(convert::quotas::refused),
        token_expires_at: agent.token_expires_at.map(Moment::utc),
        token_revoked_at: agent.token_revoked_at.map(Moment::utc),
    }
}

/// A head, as it is told.
pub(crate) fn head(head: HeadRecord) -> Head {
    Head {
        snapshot: head.snapshot.to_string(),
        seq: head.seq,
        received_at: head.received_at.utc(),
    }
}

/// Create an agent
///
/// The answer shows its token, this once.
#[utoipa::path(post, path = "/agents", operation_id = "agent_create", tag = "agents", request_body = AgentCreate,
    responses((status = 201, body = AgentCreated), Problems))]
pub(crate) async fn create(
    State(app): State<App>,
    Identity(credential): Identity,
    Given(body): Given<AgentCreate>,
) -> Answer<(StatusCode, Json<AgentCreated>)> {
    let name = body.name.map(|name| label("name", name)).transpose()?;
    let request = AgentRequest {
        workspace: label("workspace", body.workspace)?,
        name: name.unwrap_or_default(),
        may_refresh: body.may_refresh,
        replaces: body.replaces.as_deref().map(replaces).transpose()?,
    };
    let (created, token) = agents::create(&app.service, credential, &request).await?;
    let created = AgentCreated {
        agent: agent(&created, app.now()),
        token: Secret::new(token.reveal()),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

fn replaces(text: &str) -> Result<Replaces, InvalidMember> {
    match text {
        "same" => Ok(Replaces::Same),
        id => id.parse().map(Replaces::Agent).map_err(|_| {
            InvalidMember::new("replaces", "it is the id of an agent of yours, or `same`")
        }),
    }
}

/// List agents
#[utoipa::path(get, path = "/agents", operation_id = "agent_list", tag = "agents", params(PageQuery),
    responses((status = 200, body = Page<Agent>), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<Page<Agent>>> {
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
    path: Segments,
) -> Answer<Json<Agent>> {
    let view = agents::read(&app.service, credential, path.id("agent")?).await?;
    Ok(Json(Agent {
        notes: view.notes.iter().map(convert::resources::note).collect(),
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
    path: Segments,
) -> Answer<StatusCode> {
    agents::delete(&app.service, credential, path.id("agent")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an agent another token
///
/// The one that it had ends at once; the answer shows the new one, this once.
#[utoipa::path(post, path = "/agents/{agent}/token", operation_id = "agent_token_rotate", tag = "agents",
    params(("agent" = Uuid, Path)),
    responses((status = 200, body = AgentCreated), Problems))]
pub(crate) async fn token_rotate(
    State(app): State<App>,
    Identity(credential): Identity,
    path: Segments,
) -> Answer<Json<AgentCreated>> {
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
    path: Segments,
    Asked(query): Asked<PageQuery>,
) -> Answer<Json<Page<TimelineHead>>> {
    let id: ctxpin_model::id::AgentId = path.id("agent")?;
    let asked = page_request(query.cursor.as_deref(), query.limit)?;
    let heads = agents::heads(&app.service, credential, id, &asked).await?;
    Ok(Json(page(heads, |head| TimelineHead {
        agent: id.uuid(),
        seq: head.seq,
        snapshot: head.snapshot.to_string(),
        context_hash: head.hashes.context.to_string(),
        tools_hash: head.hashes.tools.to_string(),
        received_at: head.received_at.utc(),
    })))
}
