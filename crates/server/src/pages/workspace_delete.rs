//! Deleting a workspace's agent, after the page has said what it costs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::id::AgentId;
use ctxpin_operations::{agents, chats};

use super::answer::elsewhere;
use super::caller::PageCaller;
use super::done::saying;
use super::form::PageForm;
use super::frame::{Frame, Place, html};
use super::parts::number::counted;
use super::parts::text::PathText;
use super::workspaces::agent_id;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::PathParams;

/// The page that asks before it deletes an agent.
#[derive(Template)]
#[template(path = "workspace_delete.html")]
struct DeletePage {
    frame: Frame,
    agent: AgentId,
    workspace: String,
    /// The bound chats, archived ones included. `None` if there are none.
    chats: Option<String>,
    /// `None` before the first push.
    heads: Option<String>,
    is_connected: bool,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let id = agent_id(&path)?;
    let agent = agents::read(&app.service, caller.credential, id).await?;
    let counts = chats::counts(&app.service, caller.credential, Some(id), None).await?;
    let title = format!("Delete {}", agent.workspace);
    let frame = Frame::read(&app, &caller, Place::Workspaces, title).await?;
    frame.require_on(Operation::AgentDelete, agent.owner)?;
    let chats = counts.all + counts.archived;
    let heads = agent.head.and_then(|head| u64::try_from(head.seq).ok());
    html(&DeletePage {
        agent: id,
        workspace: agent.workspace.clone(),
        chats: (chats > 0).then(|| counted(chats, "chat")),
        heads: heads.map(|heads| counted(heads, "head")),
        is_connected: agent.is_connected(frame.now),
        frame: frame.watching([id.uuid()]),
    })
}

/// Deletes the agent.
pub(crate) async fn delete(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let (credential, id) = (form.caller.credential, agent_id(&path)?);
    let agent = agents::read(&app.service, credential, id).await?;
    let counts = chats::counts(&app.service, credential, Some(id), None).await?;
    agents::delete(&app.service, credential, id).await?;
    let chats = match counts.all + counts.archived {
        0 => "No chat was bound to it.".to_owned(),
        1 => "Its chat keeps its pin and its history, and has no workspace now.".to_owned(),
        many => format!(
            "Its {} keep their pins and their history, and have no workspace now.",
            counted(many, "chat")
        ),
    };
    let done = format!("Deleted the workspace {}. {chats}", agent.workspace);
    Ok(saying(elsewhere(form.wants, "/workspaces"), &done))
}
