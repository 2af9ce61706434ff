//! Tools that a model is offered.

use ctxpin_model::offered_tools::{OfferedTool, Tools};

use crate::http::turns::{ToolInvalid, ToolList, ToolOffer};

/// Returns the wire shape of an offered tool.
pub fn tool_offer(tool: OfferedTool) -> ToolOffer {
    ToolOffer {
        name: tool.name,
        server: tool.server,
        tool: tool.tool,
        description: tool.description,
        input_schema: tool.input_schema,
    }
}

/// Returns the wire shape of the tools of a snapshot, including those that are not offered.
pub fn tool_list(tools: Tools) -> ToolList {
    let refused = tools.refused.into_iter().map(|tool| ToolInvalid {
        server: tool.server,
        tool: tool.tool,
        reason: tool.reason,
    });
    ToolList {
        items: tools.offered.into_iter().map(tool_offer).collect(),
        next: None,
        invalid: refused.collect(),
    }
}
