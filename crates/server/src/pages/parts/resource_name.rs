//! The names of resources in sentences.

use ctxpin_model::diff::Subject;
use ctxpin_model::resource::Kind;

/// Returns the name of a resource in a sentence. `path` is the path below the root, or the name of an MCP server.
pub(crate) fn resource_name(subject: Subject, path: &str) -> String {
    match subject {
        Subject::Facts => "the facts of the workspace".to_owned(),
        Subject::Resource(Kind::Skill) => {
            let directory = path.strip_suffix("/SKILL.md").unwrap_or(path);
            let name = directory.rsplit('/').next().unwrap_or(directory);
            format!("skill {name}")
        }
        Subject::Resource(Kind::McpServer) => format!("MCP server {path}"),
        Subject::Resource(Kind::InstructionFile | Kind::McpConfig) => path.to_owned(),
    }
}
