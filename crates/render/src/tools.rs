//! The tools that a snapshot's MCP servers offer to a model.

use std::collections::BTreeMap;

use ctxpin_model::mcp::{Detail, Tool};
use ctxpin_model::offered_tools::{OfferedTool, RefusedTool, TOOL_NAME_CHARS_MAX, Tools};
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::snapshot::Snapshot;

/// Separates the name of a server from the name of its tool.
pub const TOOL_NAME_SEPARATOR: &str = "__";

/// Returns the tools of the `ok` MCP servers of `snapshot`. A tool whose own name already begins with
/// `server__` keeps its name. Refuses a tool that can have no name, and every tool that would share its
/// name with another, because a server must not take over the name of another server's tool.
pub fn definitions(snapshot: &Snapshot) -> Tools {
    let mut by_name: BTreeMap<String, Vec<(&str, &Tool)>> = BTreeMap::new();
    let mut refused = Vec::new();
    for (server, tool) in server_tools(snapshot) {
        match tool_name(server, &tool.name) {
            Ok(name) => by_name.entry(name).or_default().push((server, tool)),
            Err(reason) => refused.push(refuse(server, tool, reason)),
        }
    }
    let mut offered = Vec::new();
    for (name, mut claimants) in by_name {
        // A reason must not depend on the order of the servers.
        claimants.sort_by_key(|(server, tool)| (*server, &tool.name));
        if let [(server, tool)] = claimants[..] {
            offered.push(offer(name, server, tool));
            continue;
        }
        let reasons = (0..claimants.len()).map(|index| collision(&name, &claimants, index));
        let refusals = claimants.iter().zip(reasons);
        refused.extend(refusals.map(|((server, tool), reason)| refuse(server, tool, reason)));
    }
    refused.sort();
    Tools { offered, refused }
}

fn server_tools(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Tool)> {
    let servers = snapshot
        .resources
        .iter()
        .filter(|resource| resource.kind == Kind::McpServer && resource.status == Status::Ok);
    servers.flat_map(|server| {
        let tools: &[Tool] = match &server.detail {
            Some(Detail::Tools(tools)) => tools,
            Some(Detail::Shape(_)) | None => &[],
        };
        tools.iter().map(|tool| (server.source.as_str(), tool))
    })
}

/// Returns the model's name for a tool, or the reason why it can have none.
fn tool_name(server: &str, tool: &str) -> Result<String, String> {
    let prefix = format!("{server}{TOOL_NAME_SEPARATOR}");
    let own = tool.strip_prefix(&prefix).unwrap_or(tool);
    if server.is_empty() {
        return Err("its server has no name".to_owned());
    }
    if own.is_empty() {
        return Err("it has no name".to_owned());
    }
    let name = prefix + own;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if let Some(unfit) = name.chars().find(|c| !fits(*c)) {
        return Err(format!(
            "its name for a model, the server's and its own with `{TOOL_NAME_SEPARATOR}` between, has {unfit:?}: only A-Z, a-z, 0-9, _ and - are accepted"
        ));
    }
    // The name is ASCII here, so bytes are characters.
    if name.len() > TOOL_NAME_CHARS_MAX {
        return Err(format!(
            "its name for a model, the server's and its own with `{TOOL_NAME_SEPARATOR}` between, has {} characters: at most {TOOL_NAME_CHARS_MAX} are accepted",
            name.len()
        ));
    }
    Ok(name)
}

/// Returns why the claimant at `index` does not get `name`. Names one other claimant, because there can be
/// thousands.
fn collision(name: &str, claimants: &[(&str, &Tool)], index: usize) -> String {
    let (server, tool) = claimants[usize::from(index == 0)];
    format!(
        "{} tools would be called `{name}`, `{}` of server `{server}` among them, so none of them is offered",
        claimants.len(),
        tool.name
    )
}

fn offer(name: String, server: &str, tool: &Tool) -> OfferedTool {
    OfferedTool {
        name,
        server: server.to_owned(),
        tool: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
    }
}

fn refuse(server: &str, tool: &Tool, reason: String) -> RefusedTool {
    RefusedTool {
        server: server.to_owned(),
        tool: tool.name.clone(),
        reason,
    }
}
