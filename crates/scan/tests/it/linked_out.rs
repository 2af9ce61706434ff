//! Links that lead out of what a scan reads, although the tool follows them. Each case was seen in a request of Codex
//! 0.171.0 or opencode 1.18.33.

use crate::workspace::Workspace;
use crate::{claude_code, codex, opencode};

/// Writes a folder of skills with a link to skills outside, and checks that they are listed as a whole until an allowed
/// root lets the scan follow the link.
fn check(mut w: Workspace, folder: &str, followed: [&str; 2]) {
    for name in ["one", "deep/two"] {
        w.skill(&format!("outside/shared/{name}"));
    }
    w.write("outside/none/README.md", "no skill");
    let team = format!("{folder}/team");
    w.link(&team, w.path("outside/shared"));
    w.link(&format!("{folder}/none"), w.path("outside/none"));
    let found = w.check(&[&format!("excluded {team}")]);
    assert_eq!(
        w.error(&found, &team),
        format!(
            "the tool lists the skills in it to its model, but the link escapes {}; --allow-root {} allows it",
            w.text("project"),
            w.text("outside/shared")
        )
    );
    assert_eq!(w.unpinned(&found), [team.as_str()]);
    w.request.allowed.push(w.path("outside/shared"));
    let found = w.check(
        &followed
            .map(|path| format!("ok {path}"))
            .each_ref()
            .map(String::as_str),
    );
    assert_eq!(found.snapshot.error, None);
}

#[test]
fn codex_lists_the_skills_behind_a_link_in_a_folder_of_skills() {
    let followed = [
        "outside/shared/one/SKILL.md",
        "outside/shared/deep/two/SKILL.md",
    ];
    check(codex::workspace(&[]), "project/.agents/skills", followed);
}

#[test]
fn opencode_lists_the_skills_behind_a_link_in_a_folder_of_skills() {
    for folder in [".agents/skills", ".claude/skills", ".opencode/skills"] {
        let folder = format!("project/{folder}");
        let followed = ["one", "deep/two"].map(|name| format!("{folder}/team/{name}/SKILL.md"));
        check(
            opencode::workspace(&[]),
            &folder,
            followed.each_ref().map(String::as_str),
        );
    }
}

#[test]
fn claude_code_lists_what_a_link_leads_to_alone() {
    let mut w = claude_code::workspace(&[]);
    w.skill("outside/shared");
    w.skill("outside/shared/one");
    w.link("project/.claude/skills/team", w.path("outside/shared"));
    w.check(&["excluded project/.claude/skills/team/SKILL.md"]);
    w.request.allowed.push(w.path("outside"));
    w.check(&["ok project/.claude/skills/team/SKILL.md"]);
}

#[test]
fn a_link_of_an_instruction_file_leads_into_an_allowed_root() {
    let mut w = codex::workspace(&[("outside/x.md", "elsewhere")]);
    w.link("project/AGENTS.md", w.path("outside/x.md"));
    w.check(&["excluded project/AGENTS.md"]);
    w.request.allowed.push(w.path("outside"));
    w.check(&["ok project/AGENTS.md"]);
}

#[test]
fn a_link_of_a_user_root_leads_into_another_one() {
    let mut w = opencode::workspace(&[("home/.claude/CLAUDE.md", "mine")]);
    w.link(
        "home/.config/opencode/AGENTS.md",
        w.path("home/.claude/CLAUDE.md"),
    );
    w.check(&["ok home/.config/opencode/AGENTS.md"]);
    w.request.user_roots = false;
    w.check(&["excluded home/.config/opencode/AGENTS.md"]);
    let w = codex::workspace(&[("home/.claude/CLAUDE.md", "mine")]);
    w.link("home/.codex/AGENTS.md", w.path("home/.claude/CLAUDE.md"));
    w.check(&["ok home/.codex/AGENTS.md"]);
}

#[test]
fn by_ctxpins_own_rules_each_user_root_is_for_itself() {
    let mut w = Workspace::with(&[
        ("home/.claude/CLAUDE.md", "mine"),
        ("home/.claude/notes.md", "notes"),
    ]);
    w.link("home/.codex/AGENTS.md", w.path("home/.claude/CLAUDE.md"));
    w.link("home/.codex/CLAUDE.md", w.path("home/.claude/notes.md"));
    w.skill("home/.agents/skills/s");
    w.link("home/.claude/skills/s", w.path("home/.agents/skills/s"));
    w.link("home/.codex/skills", w.path("home/.agents/skills"));
    w.request.user_roots = true;
    // What another root gives is given once, and the rest may be declared.
    let found = w.check(&[
        "ok home/.agents/skills/s/SKILL.md",
        "ok home/.claude/CLAUDE.md",
        "invalid home/.codex/CLAUDE.md",
    ]);
    let expected = format!(
        "the link escapes {}; `ctxpin source add {}` reads it",
        w.text("home/.codex"),
        w.text("home/.claude/notes.md")
    );
    assert_eq!(w.error(&found, "home/.codex/CLAUDE.md"), expected);
}
