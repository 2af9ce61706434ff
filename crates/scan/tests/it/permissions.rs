//! What `permissions.deny` of Claude Code's settings keeps from its model. Each case was seen in a request of Claude
//! Code 2.1.332.

use std::fs;

use ctxpin_model::resource::Status;

use crate::claude_code::workspace;

#[test]
fn what_the_model_may_not_read_is_left_out() {
    let w = workspace(&[
        ("home/.claude/CLAUDE.md", "mine @more.md"),
        ("home/.claude/more.md", "more"),
        ("project/CLAUDE.md", "top"),
        ("project/web/CLAUDE.md", "working @extra.md"),
        ("project/web/extra.md", "extra"),
        ("project/web/.claude/rules/a.md", "rule"),
        ("project/web/deeper/CLAUDE.md", "below"),
        ("project/web/AGENTS.md", "other tools"),
        ("project/web/REAL.md", "behind a link"),
    ]);
    w.link("project/web/CLAUDE.local.md", "REAL.md");
    let deny = |path: &str, rules: &str| {
        let settings = format!("{{\"permissions\": {{\"deny\": [{rules}, 7]}}}}");
        w.write(path, settings);
    };
    deny(
        "home/.claude/settings.json",
        "\"Read(~/**)\", \"Read(/AGENTS.md)\"",
    );
    deny("project/web/.claude/settings.json", "\"Read(/CLAUDE.md)\"");
    deny(
        "project/web/.claude/settings.local.json",
        "\"Read(rules/**)\"",
    );
    deny(
        "project/.claude/settings.local.json",
        "\"Read(/deeper)\", \"Read(REAL.md)\"",
    );
    let found = w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok home/.claude/more.md",
        "ok project/CLAUDE.md",
        "excluded project/web/CLAUDE.md",
        "excluded project/web/.claude/rules/a.md",
        "excluded project/web/CLAUDE.local.md",
        "excluded project/web/AGENTS.md",
        "excluded project/web/deeper/CLAUDE.md",
    ]);
    let reason = "`permissions.deny` in Claude Code's settings says that its model may not read it";
    assert_eq!(w.error(&found, "project/web/CLAUDE.md"), reason);
    // To Claude Code, such a file is not there.
    fs::remove_file(w.path("project/CLAUDE.md")).unwrap();
    w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok home/.claude/more.md",
        "excluded project/web/CLAUDE.md",
        "excluded project/web/.claude/rules/a.md",
        "excluded project/web/CLAUDE.local.md",
        "ok project/web/AGENTS.md",
        "excluded project/web/deeper/CLAUDE.md",
    ]);
    // A list of another type makes the whole file count for nothing.
    let other = "{\"permissions\": {\"deny\": \"Read\"}}";
    w.write("project/web/.claude/settings.json", other);
    let found = w.scan();
    assert!(found.snapshot.error.unwrap().contains("of another type"));
}

#[test]
fn without_the_tool_for_skills_none_is_listed() {
    let w = workspace(&[("project/.claude/commands/c.md", "a command")]);
    w.skill("project/web/.claude/skills/a");
    w.skill("project/web/deeper/.claude/skills/b");
    w.skill("home/.claude/skills/mine");
    let rules = [
        ("Skill(a)", "ok"),
        ("Skill", "excluded"),
        ("Sk*", "excluded"),
    ];
    for (rule, status) in rules {
        let settings = format!("{{\"permissions\": {{\"deny\": [\"{rule}\"]}}}}");
        w.write("project/web/.claude/settings.json", settings);
        let found = w.check(&[
            &format!("{status} project/web/.claude/skills/a/SKILL.md"),
            &format!("{status} home/.claude/skills/mine/SKILL.md"),
            &format!("{status} project/web/deeper/.claude/skills/b/SKILL.md"),
            "excluded project/.claude/commands/c.md",
        ]);
        let reason = w.error(&found, "project/.claude/commands/c.md");
        let is_denied = reason.contains("the tool `Skill`");
        assert_eq!(is_denied, status == "excluded", "{reason}");
    }
}

#[test]
fn a_link_is_judged_by_every_name_on_the_way() {
    let w = workspace(&[
        ("project/web/other/a.md", "a rule"),
        ("project/web/other/b.md", "a rule in a linked folder"),
        ("project/web/other/c.md", "imported"),
        ("project/web/other/d.md", "the instructions @../first.md"),
        ("project/web/deeper/other.md", "a rule below"),
    ]);
    w.link("project/web/middle/a.md", "../other/a.md");
    w.link("project/web/.claude/rules/first.md", "../../middle/a.md");
    w.link("project/web/.claude/rules/folder", "../../folder");
    w.link("project/web/folder/b.md", "../other/b.md");
    w.link("project/web/middle/c.md", "../other/c.md");
    w.link("project/web/first.md", "middle/c.md");
    w.link("project/web/middle/d.md", "../other/d.md");
    w.link("project/web/CLAUDE.md", "middle/d.md");
    w.link("project/web/deeper/.claude/rules/low.md", "../../other.md");
    let check = |rule: &str, denied: &[&str]| {
        let settings = format!("{{\"permissions\": {{\"deny\": [\"{rule}\"]}}}}");
        w.write("project/web/.claude/settings.json", settings);
        let sources = [
            "CLAUDE.md",
            "first.md",
            "other/a.md",
            "other/b.md",
            "deeper/other.md",
        ];
        let found = w.scan();
        let left_out = sources.into_iter().filter(|source| {
            let source = w.text(&format!("project/web/{source}"));
            let mut resources = found.snapshot.resources.iter();
            let listed = resources.find(|resource| resource.source == source);
            listed.is_none_or(|resource| resource.status == Status::Excluded)
        });
        assert_eq!(left_out.collect::<Vec<_>>(), denied, "{rule}");
    };
    check("Read(no.md)", &[]);
    check("Read(middle/**)", &["CLAUDE.md", "first.md", "other/a.md"]);
    check("Read(/first.md)", &["first.md"]);
    check("Read(.claude/rules/first.md)", &["other/a.md"]);
    check("Read(.claude/rules/folder/**)", &["other/b.md"]);
    check(
        "Read(rules/**)",
        &["other/a.md", "other/b.md", "deeper/other.md"],
    );
    check("Read(deeper/.claude/**)", &["deeper/other.md"]);
    // Another name of the same file does.
    w.link("project/web/.claude/rules/second.md", "../../other/a.md");
    check("Read(.claude/rules/first.md)", &[]);
}
