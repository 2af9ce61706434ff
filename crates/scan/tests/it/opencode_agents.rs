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
