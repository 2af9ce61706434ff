//! Roles of agents under the profile of Codex, whose descriptions its model gets. Each case was seen in requests of Codex
//! 0.171.0 and 0.150.0.

use ctxpin_scan::Scan;

use crate::codex::workspace;
use crate::workspace::Workspace;

const GIVEN: &str = "Codex gives its model the description of this role, but no pin holds it";

/// A workspace in which Codex trusts the project, with more in its own configuration.
fn trusted(files: &[(&str, &str)], more: &str) -> Workspace {
    let w = workspace(files);
    let project = w.text("project");
    let config = format!("{more}\n[projects.{project:?}]\ntrust_level = \"trusted\"\n");
    w.write("home/.codex/config.toml", config);
    w
}

/// The file of a role.
fn role(name: &str) -> String {
    format!("name = \"{name}\"\ndescription = \"d\"\ndeveloper_instructions = \"x\"\n")
}

/// Returns what is given although no pin holds it, and with the reason what is not.
fn told(w: &Workspace, found: &Scan) -> Vec<String> {
    let listed = found.snapshot.resources.iter().map(|resource| {
        let path = resource.source.replace(&w.text(""), "");
        let error = resource.error.clone().unwrap_or_default();
        let error = error.replace(&w.text(""), "");
        match error == GIVEN {
            true => path,
            false => format!("{path}: {error}"),
        }
    });
    listed.collect()
}

#[test]
fn the_roles_of_a_trusted_project_are_listed() {
    let config = "[agents]\nmax_threads = 3\n[agents.b]\ndescription = \"d\"\n[agents.a]\ndescription = \"d\"\n\
                  [agents.blank]\ndescription = \" \"\n[agents.gone]\ndescription = \"d\"\nconfig_file = \"no.toml\"\n\
                  [agents.none]\nconfig_file = \"none.toml\"\n";
    let files = [
        ("project/.codex/config.toml", config),
        (
            "project/.codex/none.toml",
            "developer_instructions = \"x\"\n",
        ),
        ("project/.codex/agents/one.toml", &role("one")),
        ("project/.codex/agents/.deep/in/two.toml", &role("two")),
        ("project/.codex/agents/up.TOML", &role("up")),
        ("project/.codex/roles/no.toml", &role("no")),
        ("project/pkg/.codex/agents/three.toml", &role("three")),
        ("home/.codex/agents/mine.toml", &role("mine")),
    ];
    let w = trusted(&files, "");
    assert_eq!(
        told(&w, &w.scan()),
        [
            "home/.codex/agents/mine.toml",
            "project/.codex/agents/.deep/in/two.toml",
            "project/.codex/agents/one.toml",
            "project/pkg/.codex/agents/three.toml",
            "project/.codex/config.toml: Codex gives its model the descriptions of roles in it (`a`, `b`), but no pin holds that",
        ]
    );
    // Of a project that is not trusted, Codex reads none.
    let w = workspace(&files);
    assert_eq!(told(&w, &w.scan()), ["home/.codex/agents/mine.toml"]);
}

#[test]
fn of_two_roles_of_one_name_the_later_layer_counts() {
    let w = trusted(
        &[
            ("home/.codex/agents/one.toml", &role("one")),
            ("home/.codex/agents/two.toml", &role("two")),
            ("project/.codex/agents/a.toml", &role("one")),
            ("project/.codex/agents/b.toml", &role("one")),
            (
                "project/.codex/agents/two.toml",
                "name = \"two\"\ndeveloper_instructions = \"x\"\n",
            ),
            (
                "project/.codex/agents/three.toml",
                "name = \"three\"\ndeveloper_instructions = \"x\"\n",
            ),
            (
                "project/pkg/.codex/config.toml",
                "[agents.four]\nconfig_file = \"agents/four.toml\"\n[agents.five]\ndescription = \"d\"\nconfig_file = \"x/5.toml\"\n",
            ),
            (
                "project/pkg/.codex/agents/four.toml",
                "description = \"d\"\n",
            ),
            ("project/pkg/.codex/agents/five.toml", &role("six")),
            ("project/pkg/.codex/x/5.toml", "name = \"six\"\n"),
        ],
        "[agents.four]\ndescription = \"d\"\n",
    );
    assert_eq!(
        told(&w, &w.scan()),
        [
            "home/.codex/agents/one.toml: Codex takes another description of its role: project/.codex/agents/a.toml",
            "home/.codex/agents/two.toml",
            "project/.codex/agents/a.toml",
            "project/.codex/agents/b.toml: Codex takes another role of its name that the same layer describes",
            "project/.codex/agents/three.toml: Codex passes over a role without a `description`",
            "project/.codex/agents/two.toml: Codex takes another description of its role: home/.codex/agents/two.toml",
            "project/pkg/.codex/agents/four.toml",
            "project/pkg/.codex/agents/five.toml: Codex takes another role of its name that the same layer describes",
            "project/pkg/.codex/config.toml: Codex gives its model the descriptions of roles in it (`six`), but no pin holds that",
        ]
    );
}

#[test]
fn a_role_that_codex_passes_over_has_a_reason() {
    let without = |member: &str| format!("Codex passes over a role without a `{member}`");
    let w = trusted(&[("outside/x.toml", &role("x"))], "");
    w.link(
        "project/.codex/agents/linked.toml",
        w.path("outside/x.toml"),
    );
    let check = |text: &str, expected: &str| {
        w.write("project/.codex/agents/r.toml", text);
        let found = w.scan();
        assert_eq!(w.error(&found, "project/.codex/agents/r.toml"), expected);
    };
    check(&role("r"), GIVEN);
    check(
        "name = \"r\" bad",
        "Codex passes over a role that is not valid TOML",
    );
    check(
        "description = \"d\"\ndeveloper_instructions = \"x\"",
        &without("name"),
    );
    check(
        "name = \"r\"\ndescription = \"d\"",
        &without("developer_instructions"),
    );
    check(
        "name = \"r\"\ndescription = \" \"\ndeveloper_instructions = \"x\"",
        &without("description"),
    );
    let unknown = "Codex 0.171.0 passes over a role with a key that it does not know: `tool`";
    check(&format!("tool = 1\n{}", role("r")), unknown);
    check(&format!("{}[tool]\nx = 1\n", role("r")), unknown);
    for known in [
        "model = \"m\"",
        "nickname_candidates = [\"n\"]",
        "[mcp_servers.x]\ncommand = \"c\"\nunknown = 1",
        "[features]\nunknown = true",
    ] {
        check(&format!("{}{known}\n", role("r")), GIVEN);
    }
    assert_eq!(
        w.error(&w.scan(), "project/.codex/agents/linked.toml"),
        "Codex may give its model the description of this role, but ctxpin does not read it"
    );
    for off in [
        "[features]\nmulti_agent = false\n",
        "[agents]\nenabled = false\n",
    ] {
        w.write("project/.codex/config.toml", off);
        check(
            &role("r"),
            "`multi_agent` in `[features]` or `enabled` in `[agents]` keeps every role from the model",
        );
    }
    w.write(
        "project/.codex/config.toml",
        "[agents.r]\ndescription = 3\n",
    );
    let error = w.scan().snapshot.error.unwrap();
    assert!(
        error.ends_with(
            "is not valid: `agents` is not a table of roles; Codex does not start with it"
        ),
        "{error}"
    );
}

#[test]
fn a_configuration_with_a_text_and_roles_is_listed_once() {
    let config = "developer_instructions = \"Be brief.\"\n[agents.a]\ndescription = \"d\"\n";
    let w = trusted(&[("project/.codex/config.toml", config)], "");
    assert_eq!(
        told(&w, &w.scan()),
        [
            "project/.codex/config.toml: Codex gives its model what `developer_instructions` in it says and the descriptions of roles in it (`a`), but no pin holds that"
        ]
    );
}
