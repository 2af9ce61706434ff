//! The names of resources.

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

/// Returns a path as it is called from a directory, below which it may lie.
pub(crate) fn name_from<'s>(source: &'s str, directory: Option<&str>) -> &'s str {
    let below = directory.and_then(|directory| source.strip_prefix(directory)?.strip_prefix('/'));
    below.unwrap_or(source)
}
