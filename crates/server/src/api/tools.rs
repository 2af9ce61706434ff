//! Tool definitions.

use axum::Json;
use axum::extract::State;
use ctxpin_model::tool::Offered;
use ctxpin_operations::skills;
use ctxpin_protocol::http::turns::{ToolInvalid, ToolList, ToolOffer};

use crate::address::Segments;
use crate::app::App;
use crate::identify::Identity;
use crate::respond::{Answer, Problems};

/// A tool that is offered, as it is told.
pub(crate) fn tool_offer(tool: Offered) -> ToolOffer {
    ToolOffer {
        name: tool.name,
        server: tool.server,
        tool: tool.tool,
        description: tool.description,
        input_schema: tool.input_schema,
    }
}

/// List the tools that a turn of the chat would offer
#[utoipa::path(get, path = "/chats/{chat}/tools", operation_id = "tool_list", tag = "context",
    params(("chat" = Uuid, Path)),
    responses((status = 200, body = ToolList), Problems))]
pub(crate) async fn list(
    State(app): State<App>,
    Identity(credential): Identity,
    path: Segments,
) -> Answer<Json<ToolList>> {
    let tools = skills::tools(&app.service, credential, path.id("chat")?).await?;
    let offered = tools.offered.into_iter();
    let items: Vec<ToolOffer> = offered.map(tool_offer).collect();
    let refused = tools.refused.into_iter().map(|tool| ToolInvalid {
        server: tool.server,
        tool: tool.tool,
        reason: tool.reason,
    });
    Ok(Json(ToolList {
        items,
        next: None,
        invalid: refused.collect(),
    }))
}
