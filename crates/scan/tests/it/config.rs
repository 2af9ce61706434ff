//! The `.mcp.json` of a workspace: its shape is listed, its secrets are nowhere.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::Detail;
use ctxpin_model::resource::Content;

use crate::workspace::Workspace;

const SECRET: &str = "sk-9fQ-sentinel";

#[test]
fn the_shape_is_listed_and_the_bytes_stay() {
    let json = format!(
        r#"{{"mcpServers":{{"gh":{{"command":"npx","args":["{SECRET}"],"env":{{"TOKEN":"{SECRET}"}}}},
        "web":{{"type":"http","url":"https://{SECRET}@example.com/{SECRET}","headers":{{"Authorization":"{SECRET}"}}}}}}}}"#
    );
    let w = Workspace::with(&[("project/.mcp.json", &json)]);
    let found = w.check(&["ok project/.mcp.json"]);
    let config = &found.snapshot.resources[0];
    assert_eq!(
        config.content,
        Some(Content::Claimed(BlobHash::of(json.as_bytes())))
    );
    assert_eq!(config.size, json.len() as u64);
    let Some(Detail::Shape(servers)) = &config.detail else {
        panic!("{config:?}");
    };
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0].env, ["TOKEN"]);
    assert_eq!(servers[1].host.as_deref(), Some("example.com"));
    assert!(found.bodies.is_empty());
    assert!(!format!("{found:?}").contains(SECRET));
}

#[test]
fn a_broken_one_tells_where_and_not_what() {
    for (json, expected) in [
        (
            format!("{{\"mcpServers\": {SECRET}"),
            "not valid JSON, at line 1 column 16",
        ),
        (format!("\"{SECRET}\""), "it must be a JSON object"),
        (
            format!("{{\"mcpServers\":[\"{SECRET}\"]}}"),
            "`mcpServers` must be an object",
        ),
        (
            format!("{{\"mcpServers\":{{\"a\":\"{SECRET}\"}}}}"),
            "1 of the 1 entries of `mcpServers` are not objects",
        ),
    ] {
        let w = Workspace::with(&[("project/.mcp.json", &json)]);
        let found = w.check(&["invalid project/.mcp.json"]);
        assert_eq!(w.error(&found, "project/.mcp.json"), expected);
        assert!(!format!("{found:?}").contains(SECRET));
    }
}

#[test]
fn one_that_is_too_large_or_linked() {
    let large = format!("{{\"a\":\"{SECRET}{}\"}}", "x".repeat(70_000));
    let w = Workspace::with(&[("project/.mcp.json", &large), ("outside/c.json", "{}")]);
    let found = w.check(&["oversize project/.mcp.json"]);
    assert!(!format!("{found:?}").contains(SECRET));
    std::fs::remove_file(w.path("project/.mcp.json")).unwrap();
    w.link("project/.mcp.json", w.path("outside/c.json"));
    w.check(&["invalid project/.mcp.json"]);
    std::fs::remove_file(w.path("project/.mcp.json")).unwrap();
    w.write("project/config/mcp.json", "{}");
    w.link("project/.mcp.json", "config/mcp.json");
    w.check(&["ok project/config/mcp.json"]);
}
