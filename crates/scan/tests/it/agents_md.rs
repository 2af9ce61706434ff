//! When `AGENTS.md` counts under the profile of Claude Code. Each case was seen in a request of Claude Code 2.1.332.

use crate::claude_code::{approve_imports, workspace};

#[test]
fn agents_md_counts_where_no_directory_has_an_own_name() {
    let w = workspace(&[
        ("home/.claude/CLAUDE.md", "mine"),
        ("project/AGENTS.md", "top @part.md"),
        ("project/part.md", "outside of the working directory"),
        ("project/.claude/AGENTS.md", "inside"),
        ("project/.claude/rules/r.md", "rule"),
        ("project/web/AGENTS.md", "working"),
        ("project/web/.claude/rules/w.md", "working rule"),
        ("project/web/.claude/AGENTS.md", "rule"),
    ]);
    w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok project/.claude/rules/r.md",
        "ok project/AGENTS.md",
        "ok project/.claude/AGENTS.md",
        "ok project/web/.claude/rules/w.md",
        "ok project/web/AGENTS.md",
    ]);
    // A blank file is none.
    w.write("project/CLAUDE.md", " \n");
    let found = w.scan();
    assert_eq!(
        w.resource(&found, "project/AGENTS.md").status.as_str(),
        "ok"
    );
    w.write("project/CLAUDE.local.md", "own");
    let found = w.scan();
    assert_eq!(
        w.resource(&found, "project/AGENTS.md").status.as_str(),
        "excluded"
    );
}

#[test]
fn agents_md_below_counts_where_its_directory_has_no_own_name() {
    let w = workspace(&[
        ("project/web/AGENTS.md", "same"),
        ("project/web/a/AGENTS.md", "a @part.md"),
        ("project/web/a/part.md", "part"),
        ("project/web/a/b/AGENTS.md", "b"),
        ("project/web/a/b/.claude/AGENTS.md", "b inside"),
        ("project/web/local/CLAUDE.local.md", "mine"),
        ("project/web/local/AGENTS.md", "not read"),
        ("project/web/inside/.claude/CLAUDE.md", "inside"),
        ("project/web/inside/AGENTS.md", "not read"),
        ("project/web/blank/CLAUDE.md", " \n"),
        ("project/web/blank/AGENTS.md", "blank"),
        ("project/web/rules/.claude/rules/r.md", "rule"),
        ("project/web/rules/AGENTS.md", "beside a rule"),
        ("project/web/same/AGENTS.md", "same"),
    ]);
    let found = w.check(&[
        "ok project/web/AGENTS.md",
        "ok project/web/blank/CLAUDE.md",
        "ok project/web/inside/.claude/CLAUDE.md",
        "ok project/web/local/CLAUDE.local.md",
        "ok project/web/rules/.claude/rules/r.md",
        "ok project/web/a/AGENTS.md",
        "ok project/web/a/part.md",
        "ok project/web/blank/AGENTS.md",
        "ok project/web/rules/AGENTS.md",
        "ok project/web/a/b/AGENTS.md",
        "ok project/web/a/b/.claude/AGENTS.md",
    ]);
    for path in ["a/AGENTS.md", "a/part.md"] {
        let file = w.resource(&found, &format!("project/web/{path}"));
        let applies = file.applies.as_ref().unwrap();
        assert_eq!(applies.below, w.text("project/web/a"));
    }

    // One file of Claude Code's own name above, and no AGENTS.md counts.
    w.write("project/CLAUDE.md", "top");
    let found = w.scan();
    let sources = found.snapshot.instruction_files();
    assert_eq!(
        sources
            .filter(|file| file.source.ends_with("/AGENTS.md"))
            .count(),
        0
    );

    // Unless the settings want both.
    let both = "{\"pluginConfigs\": {\"cc-plugin-agents-md@builtin\": {\"options\": \
                {\"instructionFiles\": \"claude-md-and-agents-md\"}}}}";
    w.write("home/.claude/settings.json", both);
    let found = w.scan();
    let local = w.resource(&found, "project/web/local/AGENTS.md");
    assert_eq!(local.status.as_str(), "ok");
}

#[test]
fn approved_imports_are_followed_from_an_agents_md_below() {
    let w = workspace(&[
        (
            "project/web/deep/AGENTS.md",
            "@../../outside.md @~/notes.md",
        ),
        (
            "project/web/deep/.claude/rules/r.md",
            "@../../../../outside-rule.md",
        ),
        ("project/outside.md", "outside @more.md"),
        ("project/more.md", "imported from outside"),
        ("project/outside-rule.md", "of a rule"),
        ("home/notes.md", "mine"),
    ]);
    w.check(&[
        "ok project/web/deep/.claude/rules/r.md",
        "ok project/web/deep/AGENTS.md",
    ]);
    approve_imports(&w);
    let found = w.check(&[
        "ok project/web/deep/.claude/rules/r.md",
        "ok project/web/deep/AGENTS.md",
        "ok project/outside.md",
        "ok project/more.md",
        "excluded home/notes.md",
    ]);
    let outside = w.resource(&found, "project/more.md");
    let applies = outside.applies.as_ref().unwrap();
    assert_eq!(applies.below, w.text("project/web/deep"));
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_read_counts_as_missing() {
    let mut w = workspace(&[
        ("CLAUDE.md", "above the project"),
        ("home/.claude/CLAUDE.md", "mine"),
        ("project/CLAUDE.md", "top"),
        ("project/AGENTS.md", "other tools @extra.md"),
        ("project/extra.md", "more"),
        ("project/web/deeper/CLAUDE.md", "below"),
    ]);
    let unreadable = [
        "CLAUDE.md",
        "home/.claude/CLAUDE.md",
        "project/CLAUDE.md",
        "project/extra.md",
        "project/web/deeper/CLAUDE.md",
    ];
    approve_imports(&w);
    unreadable.iter().for_each(|path| w.forbid(path));
    for user_roots in [true, false] {
        w.request.user_roots = user_roots;
        let found = w.check(&[
            "unreadable home/.claude/CLAUDE.md",
            "unreadable CLAUDE.md",
            "unreadable project/CLAUDE.md",
            "ok project/AGENTS.md",
            "unreadable project/extra.md",
            "unreadable project/web/deeper/CLAUDE.md",
        ]);
        for path in unreadable {
            let reason = "cannot be read: Permission denied (os error 13)";
            assert_eq!(w.error(&found, path), reason);
        }
    }
}
