//! Which tools of a snapshot a model is offered, and by which names.

use ctxpin_model::mcp::Detail;
use ctxpin_model::offered_tools::Tools;
use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_render::tools::definitions;
use serde_json::json;

use crate::sample::{Sample, tool};

/// The tools of servers given as (name, names of tools).
fn of(servers: &[(&str, &[&str])]) -> Tools {
    let sample = servers
        .iter()
        .fold(Sample::default(), |sample, (server, names)| {
            sample.server(
                server,
                names.iter().map(|name| tool(name, json!({}))).collect(),
            )
        });
    definitions(&sample.snapshot)
}

/// Compares the names offered, and the refused as `server/tool: reason`, where a reason only has to
/// hold the words given.
fn check(servers: &[(&str, &[&str])], offered: &[&str], refused: &[(&str, &str, &str)]) {
    let tools = of(servers);
    let names: Vec<_> = tools
        .offered
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, offered, "{servers:?}");
    let found: Vec<_> = tools
        .refused
        .iter()
        .map(|tool| (tool.server.as_str(), tool.tool.as_str()))
        .collect();
    let expected: Vec<_> = refused
        .iter()
        .map(|(server, tool, _)| (*server, *tool))
        .collect();
    assert_eq!(found, expected, "{servers:?}");
    for (tool, (_, _, words)) in tools.refused.iter().zip(refused) {
        assert!(
            tool.reason.contains(words),
            "{:?} has no {words:?}",
            tool.reason
        );
    }
}

#[test]
fn names_are_prefixed_and_sorted() {
    check(&[], &[], &[]);
    check(&[("empty", &[])], &[], &[]);
    check(
        &[("z", &["b", "a"]), ("a", &["c", "B-1"])],
        &["a__B-1", "a__c", "z__a", "z__b"],
        &[],
    );
    check(
        &[("git", &["git__log", "git_log", "__x"])],
        &["git____x", "git__git_log", "git__log"],
        &[],
    );
}

#[test]
fn unfit_names_are_refused() {
    let fits = "x".repeat(61);
    let long = "x".repeat(62);
    check(&[("a", &[&fits])], &[&format!("a__{fits}")], &[]);
    check(
        &[("a", &[&long])],
        &[],
        &[("a", &long, "has 65 characters: at most 64")],
    );
    check(
        &[("a", &["ok", "", "a__", "b c", "é", "x\ny"])],
        &["a__ok"],
        &[
            ("a", "", "it has no name"),
            ("a", "a__", "it has no name"),
            ("a", "b c", "has ' '"),
            ("a", "x\ny", "has '\\n'"),
            ("a", "é", "has 'é'"),
        ],
    );
    check(
        &[("my server", &["a"])],
        &[],
        &[("my server", "a", "has ' '")],
    );
    check(&[("", &["a"])], &[], &[("", "a", "its server has no name")]);
}

#[test]
fn of_colliding_tools_none_is_offered() {
    let among = |tool: &str, server: &str| {
        format!("2 tools would be called `a__b__c`, `{tool}` of server `{server}`")
    };
    let servers: [(&str, &[&str]); 2] = [("a", &["b__c", "d"]), ("a__b", &["c"])];
    let refused = [
        ("a", "b__c", &among("c", "a__b")[..]),
        ("a__b", "c", &among("b__c", "a")),
    ];
    check(&servers, &["a__d"], &refused);
    let turned = [servers[1], servers[0]];
    assert_eq!(
        of(&turned),
        of(&servers),
        "the order of servers decides nothing"
    );
    let three: [(&str, &[&str]); 3] = [
        ("a", &["b__c__d"]),
        ("a__b", &["c__d"]),
        ("a__b__c", &["d"]),
    ];
    let turned = [three[2], three[1], three[0]];
    assert_eq!(of(&turned), of(&three));
    check(
        &[("s", &["t", "t", "s__t"])],
        &[],
        &[
            ("s", "s__t", "3 tools"),
            ("s", "t", "3 tools"),
            ("s", "t", "3 tools"),
        ],
    );
}

#[test]
fn only_ok_servers_offer() {
    let mut down = Resource::new(Kind::McpServer, "down", Status::Unreadable);
    down.detail = Some(Detail::Tools(vec![tool("a", json!({}))]));
    let mut config = Resource::new(Kind::McpConfig, "/srv/.mcp.json", Status::Ok);
    config.detail = Some(Detail::Shape(vec![]));
    let silent = Resource::new(Kind::McpServer, "silent", Status::Ok);
    let sample = Sample::default().with(down).with(config).with(silent);
    assert_eq!(definitions(&sample.snapshot), Tools::default());
}

#[test]
fn a_schema_stays_as_it_is() {
    let schema = json!({ "type": "object", "properties": {}, "required": [] });
    let tools = vec![tool("full", schema.clone()), tool("empty", json!({}))];
    let tools = definitions(&Sample::default().server("s", tools).snapshot);
    let [empty, full] = &tools.offered[..] else {
        panic!("two tools are offered: {tools:?}")
    };
    assert_eq!(serde_json::to_string(&empty.input_schema).unwrap(), "{}");
    assert_eq!(serde_json::Value::from(full.input_schema.clone()), schema);
    assert_eq!((&full.server[..], &full.tool[..]), ("s", "full"));
    assert_eq!(full.description.as_deref(), Some("What full does."));
}
