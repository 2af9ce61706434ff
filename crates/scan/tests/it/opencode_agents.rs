//! Configurations with which opencode begins no session. Each case was seen with opencode 1.18.33.

use crate::opencode;

/// Scans with a configuration of the project, and compares why opencode begins no session.
#[track_caller]
fn check(configuration: &str, expected: Option<&str>) {
    let file = |mode: &str| format!("---\ndescription: d\n{mode}---\nPrompt.\n");
    let w = opencode::workspace(&[
        ("project/AGENTS.md", "top"),
        ("project/opencode.json", configuration),
        ("project/.opencode/agent/both.md", &file("")),
        ("project/.opencode/agent/sub.md", &file("mode: subagent\n")),
        ("project/.opencode/mode/first.md", &file("mode: subagent\n")),
        ("project/.opencode/agent/hidden.md", &file("hidden: true\n")),
    ]);
    let error = w.scan().snapshot.error;
    let expected = expected.map(|reason| {
        format!("opencode begins no session, because {reason}; it gives its model nothing")
    });
    assert_eq!(error, expected, "{configuration}");
}

#[test]
fn a_default_agent_may_be_none_with_which_a_session_begins() {
    for (name, reason) in [
        ("nope", "there is no such agent"),
        ("general", "this agent is a subagent"),
        ("sub", "this agent is a subagent"),
        ("title", "this agent is hidden"),
        ("hidden", "this agent is hidden"),
    ] {
        let reason = format!("`default_agent` of its configuration is `{name}`, and {reason}");
        check(&format!("{{\"default_agent\": \"{name}\"}}"), Some(&reason));
    }
    check(
        r#"{"default_agent": "plan", "agent": {"plan": {"disable": true}}}"#,
        Some("`default_agent` of its configuration is `plan`, and `disable` turns this agent off"),
    );
    for name in ["", "plan", "both", "first", "mine"] {
        let agents = r#"{"mine": {"mode": "all"}}"#;
        let configuration = format!("{{\"default_agent\": \"{name}\", \"agent\": {agents}}}");
        check(&configuration, None);
    }
}

#[test]
fn without_a_default_agent_a_session_begins_with_any_other() {
    check(r#"{"agent": {"build": {"mode": "subagent"}}}"#, None);
    let off = r#""build": {"disable": true}, "plan": {"disable": true}, "both": {"disable": true}"#;
    let rest = r#""sub": {"description": "d"}"#;
    check(&format!("{{\"agent\": {{{off}, {rest}}}}}"), None);
    check(
        &format!("{{\"agent\": {{{off}, \"first\": {{\"disable\": true}}}}}}"),
        Some("there is no agent for it: each is off, hidden or a subagent"),
    );
}

/// The configuration that keeps `build` and `plan` from beginning a session.
const OFF: &str = r#""build": {"mode": "subagent"}, "plan": {"hidden": true}"#;

/// Returns a configuration of agents, of which each may not load one skill.
fn denying(agents: &str) -> String {
    let denied = ["one", "two", "three"].map(|skill| {
        let rule = format!("\"permission\": {{\"skill\": {{\"{skill}\": \"deny\"}}}}");
        (format!("!{skill}"), rule)
    });
    let denied = denied.iter();
    denied.fold(agents.to_owned(), |agents, (name, rule)| {
        agents.replace(name, rule)
    })
}

/// Scans with files, and compares the skill that the agent with which a session begins may not load.
#[track_caller]
fn check_denied(files: &[(&str, &str)], expected: &str) {
    let texts = files
        .iter()
        .map(|(_, text)| denying(&format!("{{{text}}}")));
    let texts: Vec<_> = texts.collect();
    let files = files.iter().zip(&texts).map(|((path, text), json)| {
        let is_json = path.ends_with(".json");
        (*path, if is_json { &**json } else { *text })
    });
    let found = opencode::workspace(&files.collect::<Vec<_>>()).scan();
    let permissions = opencode::settings(&found).skill_permissions.iter();
    let permissions = permissions.map(|permission| (&*permission.pattern, permission.is_denied));
    assert_eq!(
        permissions.collect::<Vec<_>>(),
        [(expected, true)],
        "{texts:?}"
    );
}

#[test]
fn a_session_begins_with_the_first_agent_that_is_neither_off_nor_hidden_nor_a_subagent() {
    let config = "project/opencode.json";
    let own = "home/.config/opencode/opencode.json";
    let check = |agents: &str, expected: &str| check_denied(&[(config, agents)], expected);
    check(r#""agent": {"build": {!one}, "plan": {!two}}"#, "one");
    for off in [
        r#""mode": "subagent""#,
        r#""hidden": true"#,
        r#""disable": true"#,
    ] {
        let agents = format!("\"agent\": {{\"build\": {{{off}, !one}}, \"plan\": {{!two}}}}");
        check(&agents, "two");
    }
    check(
        r#""mode": {"build": {"hidden": true}}, "agent": {"plan": {!one}}"#,
        "one",
    );
    // Others follow in the order of the configuration, opencode's own before them and those of `mode` behind them.
    check(
        &format!(r#""agent": {{{OFF}, "z": {{!one}}, "a": {{!two}}}}"#),
        "one",
    );
    check(
        &format!(r#""agent": {{{OFF}, "sub": {{"mode": "subagent", !one}}, "a": {{!two}}}}"#),
        "two",
    );
    check(
        &format!(
            r#""agent": {{"z": {{!three}}, {OFF}, "explore": {{"mode": "primary", !one}}, "general": {{"mode": "primary", !two}}}}"#
        ),
        "two",
    );
    check(
        &format!(r#""mode": {{"a": {{!one}}}}, "agent": {{{OFF}, "z": {{!two}}}}"#),
        "two",
    );
    let late = format!(r#""agent": {{{OFF}, "late": {{!one}}}}"#);
    check_denied(
        &[(own, &late), (config, r#""agent": {"early": {!two}}"#)],
        "one",
    );
    check_denied(
        &[
            (own, r#""default_agent": "plan""#),
            (config, r#""default_agent": "", "agent": {"build": {!two}}"#),
        ],
        "two",
    );
}

#[test]
fn a_session_may_begin_with_an_agent_of_a_file() {
    let config = "project/opencode.json";
    let denied = |skill: &str| format!("---\npermission:\n  skill:\n    {skill}: deny\n---\n");
    let off = format!("\"agent\": {{{OFF}}}");
    let plan = r#""agent": {"plan": {!one}}"#;
    for (file, text) in [
        ("mode/build", "---\nhidden: true\n---\n"),
        ("agents/build", "---\nmode: subagent\n---\n"),
    ] {
        let file = format!("project/.opencode/{file}.md");
        check_denied(&[(config, plan), (&file, text)], "one");
    }
    check_denied(
        &[
            (config, &off),
            ("project/.opencode/agent/z.md", &denied("one")),
            ("project/.opencode/mode/a.md", &denied("two")),
        ],
        "one",
    );
    check_denied(
        &[
            (config, &format!(r#""agent": {{{OFF}, "z": {{!two}}}}"#)),
            ("project/.opencode/agent/a.md", &denied("one")),
        ],
        "two",
    );
}
