//! Notes report the entries that a scan ignores, and the imports that lead nowhere.

use ctxpin_model::warning::NOTES_MAX;

use crate::workspace::{Workspace, skill_md};

#[test]
fn an_import_is_judged_by_what_was_found() {
    let mut w = Workspace::with(&[
        ("project/AGENTS.md", "# Rules\n"),
        (
            "project/CLAUDE.md",
            "@AGENTS.md\n\nSee @docs/style.md first.\n",
        ),
        ("project/.claude/CLAUDE.md", "mine\n@../AGENTS.md"),
        ("project/docs/style.md", "STYLE"),
        ("project/pkg/AGENTS.md", "@../AGENTS.md"),
    ]);
    w.check_notes(&["import-unpinned project/CLAUDE.md:3: docs/style.md"]);
    w.request.directory = w.path("project/pkg");
    w.check_notes(&["import-unpinned project/CLAUDE.md:3: docs/style.md"]);
    w.declare("project/docs/style.md");
    w.check_notes(&[]);
}

#[test]
fn an_import_through_a_link_is_what_it_leads_to() {
    let w = Workspace::with(&[
        ("project/docs/rules.md", "rules"),
        ("project/CLAUDE.md", "@docs/rules.md @AGENTS.md @rules.md"),
    ]);
    w.link("project/AGENTS.md", "docs/rules.md");
    w.link("project/rules.md", "docs/rules.md");
    w.check_notes(&[]);
}

#[test]
fn an_import_that_leads_nowhere_is_told_apart() {
    let w = Workspace::with(&[
        (
            "project/AGENTS.md",
            "@gone.md\n@~/mine.md\n@/etc/passwd\n@.env\n@../outside/a.md\n@docs/\n@./docs\n@away.md\n@docs/a.md.\n",
        ),
        ("project/.env", "SECRET"),
        ("project/docs/a.md", "a"),
        ("home/mine.md", "mine"),
        ("outside/a.md", "a"),
    ]);
    w.link("project/away.md", w.path("outside/a.md"));
    w.check_notes(&[
        "import-missing project/AGENTS.md:1: gone.md",
        "import-outside project/AGENTS.md:2: ~/mine.md",
        "import-outside project/AGENTS.md:3: /etc/passwd",
        "import-outside project/AGENTS.md:4: .env",
        "import-outside project/AGENTS.md:5: ../outside/a.md",
        "import-missing project/AGENTS.md:7: ./docs",
        "import-outside project/AGENTS.md:8: away.md",
        "import-missing project/AGENTS.md:9: docs/a.md.",
    ]);
}

#[test]
fn a_file_that_is_not_used_imports_nothing() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "@gone.md\n"),
        ("project/CLAUDE.md", "@gone.md\n"),
    ]);
    w.write("project/.cursorrules", b"@lost.md \xff");
    w.check_notes(&["import-missing project/AGENTS.md:1: gone.md"]);
}

#[test]
fn an_entry_of_a_folder_of_skills_that_is_no_skill_is_told() {
    let w = Workspace::new();
    w.write("project/.claude/skills/foo/skill.md", skill_md("foo"));
    w.skill("project/.claude/skills/group/bar");
    w.write("project/.claude/skills/flat.md", skill_md("flat"));
    w.write("project/.claude/skills/empty/notes.txt", "x");
    // Nobody takes these for skills.
    w.write("project/.claude/skills/README.md", "# Our skills\n");
    w.write("project/.claude/skills/LICENSE", "MIT");
    w.write("project/.claude/skills/.system/x/SKILL.md", skill_md("x"));
    w.write(
        "project/.claude/skills/node_modules/y/SKILL.md",
        skill_md("y"),
    );
    w.skill("project/.claude/skills/good");
    w.write("project/elsewhere/readme.txt", "x");
    w.link("project/.claude/skills/linked", "../../elsewhere");
    w.check_notes(&[
        "skill-absent project/.claude/skills/empty: it has no SKILL.md",
        "skill-absent project/.claude/skills/flat.md: it is a file; a skill is a folder with a SKILL.md",
        "skill-absent project/.claude/skills/foo: it has no SKILL.md, but skill.md",
        "skill-absent project/.claude/skills/group: it has no SKILL.md; bar/SKILL.md is there, and ctxpin by its own rules looks no deeper",
        "skill-absent project/.claude/skills/linked: it has no SKILL.md",
    ]);
}

#[test]
fn a_misspelt_instruction_file_is_told() {
    let w = Workspace::with(&[
        ("project/agents.md", "x"),
        ("project/Claude.md", "x"),
        ("project/sub/claude.md", "x"),
    ]);
    w.check_notes(&[
        "name-case project/agents.md: AGENTS.md",
        "name-case project/Claude.md: CLAUDE.md",
    ]);
}

#[test]
fn files_of_other_tools_are_named_once_for_each_root() {
    let mut w = Workspace::with(&[
        ("project/GEMINI.md", "x"),
        ("project/CLAUDE.local.md", "x"),
        ("project/.github/copilot-instructions.md", "x"),
        ("project/.cursor/rules/a.mdc", "x"),
        ("project/.clinerules/a.md", "x"),
        ("project/pkg/AGENTS.override.md", "x"),
        ("home/.claude/rules/a.md", "mine"),
    ]);
    w.request.directory = w.path("project/pkg");
    w.request.user_roots = true;
    w.check_notes(&[
        "other-tool project: CLAUDE.local.md, GEMINI.md, .clinerules, .cursor/rules, .github/copilot-instructions.md",
        "other-tool project/pkg: AGENTS.override.md",
    ]);
    // An entry that is read all the same has no note.
    w.declare("project/GEMINI.md");
    w.declare("project/CLAUDE.local.md");
    w.declare("project/.cursor/rules/a.mdc");
    w.link("project/AGENTS.md", ".github/copilot-instructions.md");
    w.check_notes(&[
        "other-tool project: .clinerules",
        "other-tool project/pkg: AGENTS.override.md",
    ]);
}

#[test]
fn a_source_that_gives_nothing_says_so() {
    let mut w = Workspace::with(&[
        ("project/.claude/rules/a.md", "x"),
        ("project/docs/AGENTS.md", "x"),
    ]);
    w.skill("project/skills/a");
    for path in [
        "project/.claude/rules",
        "project/docs",
        "project/skills",
        "project/later.md",
    ] {
        w.declare(path);
    }
    w.check_notes(&[
        "source-empty project/.claude/rules: nothing was found in it",
        "source-empty project/later.md: it does not exist",
        "other-tool project: .claude/rules",
    ]);
}

#[test]
fn a_link_that_could_not_be_made_is_told() {
    let w = Workspace::with(&[
        ("project/AGENTS.md", "# Rules\n"),
        ("project/CLAUDE.md", "AGENTS.md"),
        (
            "project/.agents/skills/a/SKILL.md",
            "---\nname: a\ndescription: d\n---\n",
        ),
        ("project/.claude/skills", "../.agents/skills"),
        ("project/skills/a", "../.agents/skills/a"),
        ("project/.codex", ".agents"),
        // These only look so.
        ("project/.cursorrules", "nowhere.md"),
    ]);
    w.check_notes(&[
        "link-as-text project/.codex: .agents",
        "link-as-text project/CLAUDE.md: AGENTS.md",
        "link-as-text project/skills/a: ../.agents/skills/a",
        "link-as-text project/.claude/skills: ../.agents/skills",
    ]);
    let w = Workspace::with(&[
        ("project/AGENTS.md", "CLAUDE.md\n"),
        ("project/CLAUDE.md", "x"),
    ]);
    w.check_notes(&[]);
}

#[test]
fn a_configuration_that_declares_nothing_is_told() {
    let w = Workspace::with(&[("project/.mcp.json", "{\"servers\":{\"a\":{}}}")]);
    w.check(&["ok project/.mcp.json"]);
    w.check_notes(&["servers-missing project/.mcp.json"]);
    w.write("project/.mcp.json", "\u{feff}{\"mcpServers\":{}}");
    w.check(&["ok project/.mcp.json"]);
    w.check_notes(&[]);
}

#[test]
fn what_a_skill_names_in_a_directory_that_is_left_out_is_told() {
    let w = Workspace::new();
    let text =
        skill_md("v") + "Run `./venv/bin/python run.py`, or venv/bin/pip.\nNot venv or myvenv/x.\n";
    w.write("project/skills/v/SKILL.md", text);
    w.write("project/skills/v/venv/pyvenv.cfg", "home = /usr\n");
    w.check_notes(&["file-left-out project/skills/v/SKILL.md:6: ./venv/bin/python"]);
}

#[test]
fn a_home_is_no_project() {
    let mut w = Workspace::with(&[
        ("home/.git/HEAD", "x"),
        ("home/AGENTS.md", "of the home"),
        ("home/notes/AGENTS.md", "of the notes"),
        ("home/code/.git/HEAD", "x"),
        ("home/code/AGENTS.md", "of the code"),
        ("home/code/pkg/AGENTS.md", "of the package"),
    ]);
    let left_out = "root-left-out home: a home directory is no project";
    w.request.directory = w.path("home/notes");
    w.check(&["ok home/notes/AGENTS.md"]);
    w.check_notes(&[left_out]);
    w.request.directory = w.path("home/code/pkg");
    w.check(&["ok home/code/AGENTS.md", "ok home/code/pkg/AGENTS.md"]);
    w.check_notes(&[]);
    // The home itself may be the working directory, and stands alone then.
    w.request.directory = w.path("home");
    w.check(&["ok home/AGENTS.md"]);
    w.check_notes(&[left_out]);
    // Nothing above a home counts either.
    std::fs::remove_dir_all(w.path("home/.git")).unwrap();
    w.write(".git/HEAD", "x");
    w.write("AGENTS.md", "above");
    w.request.directory = w.path("home/notes");
    w.check(&["ok home/notes/AGENTS.md"]);
    w.check_notes(&[]);
}

#[test]
fn notes_have_an_end() {
    let w = Workspace::new();
    for index in 0..NOTES_MAX + 50 {
        w.write(&format!("project/skills/s{index:04}/x"), "x");
    }
    let notes = w.scan().notes;
    assert_eq!(notes.len(), NOTES_MAX);
    let last = &notes[NOTES_MAX - 1].warning;
    assert_eq!(
        (last.code.as_str(), last.detail.as_deref()),
        ("notes-cut", Some("51"))
    );
}
