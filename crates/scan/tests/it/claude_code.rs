//! What is found under the profile of Claude Code. Each case was seen in a request of Claude Code 2.1.332.

use std::fs;

use ctxpin_model::profile::{ClaudeCodeSettings, InstructionFiles, Profile, Settings};
use ctxpin_scan::Scan;

use crate::workspace::{Workspace, skill_md};

/// A workspace under the profile of Claude Code, with the working directory `project/web`.
pub fn workspace(files: &[(&str, &str)]) -> Workspace {
    let mut w = Workspace::with(files);
    w.request.profile = Profile::ClaudeCode;
    w.request.user_roots = true;
    w.request.directory = w.path("project/web");
    fs::create_dir_all(&w.request.directory).unwrap();
    w
}

pub fn settings(found: &Scan) -> &ClaudeCodeSettings {
    match &found.snapshot.facts.rules.as_ref().unwrap().settings {
        Settings::ClaudeCode(settings) => settings,
        other => panic!("{other:?}"),
    }
}

/// Approves imports from outside of the working directory.
pub fn approve_imports(w: &Workspace) {
    let project = w.text("project");
    let approved = "{\"hasClaudeMdExternalIncludesApproved\": true}";
    w.write(
        "home/.claude.json",
        format!("{{\"projects\": {{\"{project}\": {approved}}}}}"),
    );
}

#[test]
fn files_come_from_the_person_and_from_each_directory() {
    let mut w = workspace(&[
        ("CLAUDE.md", "above the project"),
        ("home/.claude/CLAUDE.md", "mine"),
        ("home/.claude/rules/b.md", "my rule"),
        ("project/CLAUDE.md", "top"),
        ("project/CLAUDE.local.md", "top, mine"),
        ("project/.claude/CLAUDE.md", "top, inside"),
        ("project/.claude/rules/b.md", "rule"),
        ("project/.claude/rules/a/deep.md", "deep rule"),
        ("project/.claude/rules/c.txt", "no rule"),
        ("project/AGENTS.md", "other tools"),
        ("project/web/CLAUDE.md", "working"),
        ("project/web/deeper/CLAUDE.md", "below"),
    ]);
    let found = w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok home/.claude/rules/b.md",
        "excluded CLAUDE.md",
        "ok project/CLAUDE.md",
        "ok project/.claude/CLAUDE.md",
        "ok project/.claude/rules/a/deep.md",
        "ok project/.claude/rules/b.md",
        "ok project/CLAUDE.local.md",
        "ok project/web/CLAUDE.md",
        "excluded project/AGENTS.md",
        "ok project/web/deeper/CLAUDE.md",
    ]);
    let advice = format!(
        "the tool gives it to its model, but it lies outside of the project; --allow-root {} reads it",
        w.base.display()
    );
    assert_eq!(w.error(&found, "CLAUDE.md"), advice);
    assert_eq!(
        w.error(&found, "project/AGENTS.md"),
        format!(
            "Claude Code reads it only where no directory has a file of its own, and {} is one",
            w.text("CLAUDE.md")
        )
    );
    w.request.allowed = vec![w.base.clone()];
    assert_eq!(w.resource(&w.scan(), "CLAUDE.md").status.as_str(), "ok");
}

#[test]
fn without_consent_nothing_of_the_person_is_read() {
    let mut w = workspace(&[
        ("home/.claude/CLAUDE.md", "mine @extra.md"),
        ("home/.claude/extra.md", "more"),
        ("project/CLAUDE.md", "top"),
    ]);
    w.skill("home/.claude/skills/own");
    w.request.user_roots = false;
    let found = w.check(&[
        "excluded home/.claude/CLAUDE.md",
        "ok project/CLAUDE.md",
        "excluded home/.claude/skills/own/SKILL.md",
    ]);
    let personal = &found.snapshot.resources[0];
    assert_eq!((personal.content, personal.size), (None, 0));
}

#[test]
fn imports_follow_their_file_and_stay_in_the_working_directory() {
    let w = workspace(&[
        ("project/CLAUDE.md", "@web/a.md @outside.md @missing.md"),
        ("project/outside.md", "outside"),
        (
            "project/web/a.md",
            "@b.txt @c.png @.env\n```\n@code.md\n```",
        ),
        ("project/web/b.txt", "@a.md @d/one.md"),
        ("project/web/c.png", "no text"),
        ("project/web/.env", "SECRET=1"),
        ("project/web/code.md", "code"),
        ("project/web/d/one.md", "@two.md"),
        ("project/web/d/two.md", "@three.md"),
        ("project/web/d/three.md", "five files in a row are read"),
    ]);
    let found = w.check(&[
        "ok project/CLAUDE.md",
        "ok project/web/a.md",
        "ok project/web/b.txt",
        "ok project/web/d/one.md",
        "ok project/web/d/two.md",
        "excluded project/web/.env",
    ]);
    let imported_by = |path| w.resource(&found, path).imported_by.clone();
    assert_eq!(imported_by("project/CLAUDE.md"), None);
    assert_eq!(
        imported_by("project/web/b.txt"),
        Some(w.text("project/web/a.md"))
    );
    assert_eq!(
        w.notes(&found),
        [
            "import-ignored project/web/b.txt:1: a.md: it leads to this file, and each is given once",
            "import-ignored project/web/d/two.md:1: three.md: at most five files in a row import each other",
            "import-ignored project/web/a.md:1: c.png: by its extension, it is no text",
            "import-ignored project/web/a.md:3: code.md: it stands in code or HTML",
            "import-ignored project/CLAUDE.md:1: outside.md: it lies outside of the working directory, and you have not approved such imports (Claude Code asks when you start it in a terminal)",
            "import-missing project/CLAUDE.md:1: missing.md",
        ]
    );

    approve_imports(&w);
    let found = w.scan();
    assert!(settings(&found).allows_external_imports);
    assert_eq!(
        w.resource(&found, "project/outside.md").status.as_str(),
        "ok"
    );
}

#[test]
fn a_file_with_several_names_is_given_once() {
    let w = workspace(&[
        ("project/web/CLAUDE.md", "@link.md"),
        ("project/web/real.md", "once"),
        ("outside/x.md", "elsewhere"),
    ]);
    w.link("project/web/link.md", "real.md");
    w.link("project/web/.claude/CLAUDE.md", "../real.md");
    w.link("project/web/.claude/rules/z.md", "../../real.md");
    w.link("project/web/.claude/rules/x.md", w.path("outside/x.md"));
    w.link("project/web/CLAUDE.local.md", "nowhere");
    w.link("project/CLAUDE.md", w.path("outside/x.md"));
    w.check(&[
        "excluded project/CLAUDE.md",
        "ok project/web/CLAUDE.md",
        "ok project/web/link.md",
    ]);
}

#[test]
fn a_rule_with_globs_is_for_some_files() {
    let w = workspace(&[
        (
            "project/web/.claude/rules/a.md",
            "---\npaths: src/**\n---\nrule @a.txt",
        ),
        ("project/web/.claude/rules/a.txt", "for all"),
        (
            "project/web/.claude/rules/b.md",
            "---\npaths: \"**\"\n---\nfor all too",
        ),
        ("home/.claude/rules/c.md", "---\npaths: \"*.rs\"\n---\nmine"),
    ]);
    let found = w.check(&[
        "ok project/web/.claude/rules/a.txt",
        "ok project/web/.claude/rules/b.md",
        "ok home/.claude/rules/c.md",
        "ok project/web/.claude/rules/a.md",
    ]);
    let applies = |path| w.resource(&found, path).applies.clone();
    assert_eq!(applies("project/web/.claude/rules/b.md"), None);
    let rule = applies("project/web/.claude/rules/a.md").unwrap();
    assert_eq!(
        (rule.below, rule.globs),
        (w.text("project/web"), vec!["src".to_owned()])
    );
    let rule = applies("home/.claude/rules/c.md").unwrap();
    assert_eq!(rule.below, w.text("project/web"));
}

#[test]
fn files_below_are_for_the_files_beside_them() {
    let w = workspace(&[
        ("project/web/CLAUDE.md", "working @deep/shared.md"),
        ("project/web/deep/shared.md", "for all"),
        (
            "project/web/deep/CLAUDE.md",
            "deep @part.md @shared.md @../../outside.md",
        ),
        ("project/web/deep/part.md", "part"),
        ("project/web/deep/CLAUDE.local.md", "deep, mine"),
        ("project/web/deep/.claude/CLAUDE.md", "deep, inside"),
        ("project/web/deep/.claude/rules/a.md", "deep rule"),
        (
            "project/web/deep/.claude/rules/b.md",
            "---\npaths: \"*.ts\"\n---\ndeep rule for some",
        ),
        ("project/web/deep/.git/CLAUDE.md", "git's"),
        ("project/web/api/v1/CLAUDE.md", "deeper"),
        ("project/web/node_modules/x/CLAUDE.md", "of a package"),
        (
            "project/web/.claude/rules/c.md",
            "---\npaths: deep\n---\nrule for some",
        ),
        ("project/outside.md", "outside"),
    ]);
    let found = w.check(&[
        "ok project/web/CLAUDE.md",
        "ok project/web/deep/shared.md",
        "ok project/web/deep/CLAUDE.md",
        "ok project/web/deep/part.md",
        "ok project/web/deep/.claude/CLAUDE.md",
        "ok project/web/deep/CLAUDE.local.md",
        "ok project/web/deep/.claude/rules/a.md",
        "ok project/web/deep/.claude/rules/b.md",
        "ok project/web/api/v1/CLAUDE.md",
        "ok project/web/node_modules/x/CLAUDE.md",
        "ok project/web/.claude/rules/c.md",
    ]);
    let given = |path: &str| {
        let path = w.text(path);
        let applying = found.snapshot.resources.iter().filter(|resource| {
            let applies = resource.applies.as_ref();
            applies.is_some_and(|applies| applies.covers(&path))
        });
        applying
            .map(|resource| w.show(resource))
            .collect::<Vec<_>>()
    };
    assert_eq!(given("project/web/a.ts"), [""; 0]);
    assert_eq!(
        given("project/web/deep/a.md"),
        [
            "ok project/web/deep/CLAUDE.md",
            "ok project/web/deep/part.md",
            "ok project/web/deep/.claude/CLAUDE.md",
            "ok project/web/deep/CLAUDE.local.md",
            "ok project/web/deep/.claude/rules/a.md",
            "ok project/web/.claude/rules/c.md",
        ]
    );
    assert_eq!(given("project/web/deep/x/a.ts").len(), 7);
    assert_eq!(
        given("project/web/api/v1/x"),
        ["ok project/web/api/v1/CLAUDE.md"]
    );

    // An approval is for the files that every request holds.
    approve_imports(&w);
    assert_eq!(w.scan().snapshot.resources.len(), 11);
}

#[test]
fn settings_decide_what_is_read() {
    let w = workspace(&[
        ("project/CLAUDE.md", "top"),
        ("project/AGENTS.md", "agents"),
        ("project/web/CLAUDE.md", "working"),
        ("project/web/CLAUDE.local.md", "mine"),
        (
            "home/.claude/settings.json",
            "{\"claudeMdExcludes\": [\"**/web/CLAUDE.md\"]}",
        ),
        (
            "project/.claude/settings.json",
            "{\"claudeMdExcludes\": [\"**\"]}",
        ),
        (
            "project/.claude/settings.local.json",
            "{\"claudeMdExcludes\": [\"**/*.local.md\"]}",
        ),
        (
            "project/web/.claude/settings.json",
            "{\"claudeMdExcludes\": \"**\"}",
        ),
    ]);
    let found = w.check(&[
        "ok project/CLAUDE.md",
        "excluded project/web/CLAUDE.md",
        "excluded project/web/CLAUDE.local.md",
        "excluded project/AGENTS.md",
    ]);
    assert_eq!(
        found.snapshot.error.as_deref(),
        Some(&*format!(
            "{} has a setting of another type than Claude Code wants; it ignores the file",
            w.text("project/web/.claude/settings.json")
        ))
    );

    let plugin = |name: &str| {
        format!(
            "{{\"pluginConfigs\": {{\"cc-plugin-agents-md@builtin\": {{\"options\": \
             {{\"instructionFiles\": \"{name}\"}}}}}}}}"
        )
    };
    w.write("project/web/.claude/settings.json", plugin("claude-md"));
    w.write(
        "home/.claude/settings.json",
        plugin("claude-md-and-agents-md"),
    );
    let found = w.scan();
    let expected = InstructionFiles::ClaudeMdAndAgentsMd;
    assert_eq!(settings(&found).instruction_files, expected);
    assert_eq!(
        w.resource(&found, "project/AGENTS.md").status.as_str(),
        "ok"
    );

    let disabled = "{\"env\": {\"CLAUDE_CODE_DISABLE_CLAUDE_MDS\": \"1\"}}";
    w.write("project/web/.claude/settings.json", disabled);
    let found = w.check(&[
        "excluded project/CLAUDE.md",
        "excluded project/AGENTS.md",
        "excluded project/web/CLAUDE.md",
        "excluded project/web/CLAUDE.local.md",
    ]);
    let reason = "`CLAUDE_CODE_DISABLE_CLAUDE_MDS` turns all instruction files off";
    assert_eq!(w.error(&found, "project/CLAUDE.md"), reason);

    w.write("project/web/.claude/settings.json", "{}");
    w.write("home/.claude/settings.json", plugin("managed-only"));
    let found = w.scan();
    let reason = "`instructionFiles` in Claude Code's settings lets only the machine's file count";
    assert_eq!(w.error(&found, "project/CLAUDE.md"), reason);
}

#[test]
fn a_variable_turns_instruction_files_off_unless_a_setting_says_otherwise() {
    let mut w = workspace(&[("project/CLAUDE.md", "one")]);
    w.check(&["ok project/CLAUDE.md"]);
    let disable = |value: &str| ("CLAUDE_CODE_DISABLE_CLAUDE_MDS", value.to_owned());
    w.request.tool.variables.extend([disable("true")]);
    w.check(&["excluded project/CLAUDE.md"]);
    let enabled = "{\"env\": {\"CLAUDE_CODE_DISABLE_CLAUDE_MDS\": \"0\"}}";
    w.write("project/web/.claude/settings.json", enabled);
    w.check(&["ok project/CLAUDE.md"]);
}

#[test]
fn a_worktree_in_its_repository_does_not_see_the_outer_files() {
    let mut w = workspace(&[
        ("project/.git/worktrees/w/commondir", "../..\n"),
        ("project/CLAUDE.md", "outer"),
        ("project/CLAUDE.local.md", "outer, mine"),
        ("project/trees/w/CLAUDE.md", "tree"),
    ]);
    let git = w.text("project/.git/worktrees/w");
    w.write("project/trees/w/.git", format!("gitdir: {git}\n"));
    w.request.directory = w.path("project/trees/w");
    w.check(&[
        "excluded project/CLAUDE.local.md",
        "ok project/trees/w/CLAUDE.md",
    ]);
}

#[test]
fn a_worktree_has_the_persons_settings_of_its_main_repository() {
    let mut w = workspace(&[
        ("project/.git/worktrees/w/commondir", "../..\n"),
        (
            "project/.claude/settings.local.json",
            r#"{"claudeMdExcludes": ["**/rules/**"]}"#,
        ),
        (
            "tree/.claude/settings.local.json",
            r#"{"claudeMdExcludes": ["**/CLAUDE.md"]}"#,
        ),
        ("tree/.claude/rules/r.md", "rule"),
        ("tree/CLAUDE.md", "@../elsewhere/x.md"),
        ("tree/web/x", ""),
        ("elsewhere/x.md", "far"),
    ]);
    let git = w.text("project/.git/worktrees/w");
    w.write("tree/.git", format!("gitdir: {git}\n"));
    let back = format!("{}\n", w.text("tree/.git"));
    w.write("project/.git/worktrees/w/gitdir", back);
    w.request.directory = w.path("tree/web");
    let approve = |file: &str, path: &str| {
        let projects = format!(
            "{{\"projects\": {{{:?}: {{\"hasClaudeMdExternalIncludesApproved\": true}}}}}}",
            w.text(path)
        );
        w.write(file, projects);
    };
    let without = ["ok tree/CLAUDE.md", "excluded tree/.claude/rules/r.md"];
    let with = [
        "ok tree/CLAUDE.md",
        "excluded elsewhere/x.md",
        "excluded tree/.claude/rules/r.md",
    ];
    approve("home/.claude.json", "tree");
    w.check(&without);
    approve("home/.claude.json", "project");
    w.check(&with);
    // The older file counts in place of the other one.
    approve("home/.claude/.config.json", "elsewhere");
    w.check(&without);
    approve("home/.claude/.config.json", "project");
    w.check(&with);
}

#[test]
fn what_no_pin_holds_is_listed_with_the_reason() {
    let w = workspace(&[
        ("home/.claude/commands/mine.md", "Do."),
        ("home/.claude/plugins/known.json", "{}"),
        (
            "home/.claude/settings.json",
            r#"{"enabledPlugins": {"deploy@shop": true, "off@shop": true, "x@builtin": true}}"#,
        ),
        ("project/.claude/commands/ship.md", "Do."),
        ("project/web/.claude/agents/reviewer.md", "Review."),
        ("project/.claude/commands/front/comp.md", "Do."),
        ("project/.claude/commands/front/notes.txt", "No command."),
        (
            "project/web/.claude/settings.json",
            r#"{"enabledPlugins": {"off@shop": false}}"#,
        ),
    ]);
    let project = w.path("project").to_string_lossy().into_owned();
    let name = project.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let memory = format!("home/.claude/projects/{name}/memory/MEMORY.md");
    w.write(&memory, "Ada likes tabs.");
    let commands = [
        "excluded project/web/.claude/agents",
        "excluded project/.claude/commands/ship.md",
        "excluded project/.claude/commands/front/comp.md",
        "excluded home/.claude/commands/mine.md",
        "excluded home/.claude/plugins",
    ];
    let found = w.check(&[&[&*format!("excluded {memory}")], &commands[..]].concat());
    assert_eq!(
        w.error(&found, &memory),
        "Claude Code gives these notes of its own to its model, and changes them while it works; no pin holds them"
    );
    assert_eq!(
        w.error(&found, "home/.claude/plugins"),
        "Claude Code gives its model the skills and agents of the plugins that its settings turn on (deploy@shop), and runs \
         their hooks, but no pin holds them"
    );
    w.write(
        "project/.claude/settings.local.json",
        r#"{"autoMemoryEnabled": false}"#,
    );
    w.check(&commands);
    for number in 0..100 {
        w.write(&format!("home/.claude/commands/c{number}.md"), "Do.");
    }
    let found = w.scan();
    let all = |text: &str| {
        let resources = found.snapshot.resources.iter();
        resources
            .filter(|resource| resource.source.contains(text))
            .count()
    };
    assert_eq!(all("home/.claude/commands/"), 64);
    assert!(
        w.error(&found, "home/.claude/commands")
            .contains("too many of them")
    );
}

#[test]
fn the_folders_of_a_style_of_output_that_is_chosen_are_listed() {
    let w = workspace(&[
        ("home/.claude/output-styles/mine.md", "Mine."),
        ("project/.claude/output-styles/terse.md", "Terse."),
        ("project/.claude/settings.json", r#"{"outputStyle": "far"}"#),
    ]);
    w.check(&[]);
    w.write(
        "project/web/.claude/settings.json",
        r#"{"outputStyle": "terse"}"#,
    );
    let found = w.check(&[
        "excluded project/.claude/output-styles",
        "excluded home/.claude/output-styles",
    ]);
    assert_eq!(
        w.error(&found, "project/.claude/output-styles"),
        "Claude Code gives its model the style of output that its settings choose (`terse`) if it is in it, but no pin \
         holds it"
    );
}

#[test]
fn files_that_claude_code_finds_too_large_are_listed() {
    const MIB: usize = 1024 * 1024;
    let w = workspace(&[
        ("project/web/AGENTS.md", "counts without the other"),
        ("project/web/pkg/AGENTS.md", "counts too"),
    ]);
    w.write("project/web/CLAUDE.md", "x".repeat(4 * MIB + 1));
    w.write("project/web/pkg/CLAUDE.md", "x".repeat(4 * MIB + 1));
    w.write("project/web/.claude/rules/a.md", "x".repeat(4 * MIB));
    for (name, size) in [("a", 1_000_000), ("b", 1_000_001), ("c", 4 * MIB)] {
        let path = format!("project/web/.claude/skills/{name}/SKILL.md");
        let text = skill_md(name);
        w.write(&path, format!("{text}{}", "x".repeat(size - text.len())));
    }
    let found = w.check(&[
        "excluded project/web/CLAUDE.md",
        "oversize project/web/.claude/rules/a.md",
        "ok project/web/AGENTS.md",
        "excluded project/web/pkg/CLAUDE.md",
        "ok project/web/pkg/AGENTS.md",
        "ok project/web/.claude/skills/a/SKILL.md",
        "excluded project/web/.claude/skills/b/SKILL.md",
        "excluded project/web/.claude/skills/c/SKILL.md",
    ]);
    for (path, error) in [
        (
            "project/web/.claude/rules/a.md",
            "the tool gives it to its model, but it has 4194304 bytes; at most 1048576 are allowed",
        ),
        (
            "project/web/CLAUDE.md",
            "Claude Code passes over a file with more than 4194304 bytes",
        ),
        (
            "project/web/.claude/skills/b/SKILL.md",
            "the tool passes over a SKILL.md with more than 1000000 bytes",
        ),
    ] {
        assert_eq!(w.error(&found, path), error);
    }
}

#[test]
fn an_extended_glob_that_excludes_files_is_remarked() {
    let w = workspace(&[
        ("project/web/CLAUDE.md", "Use tabs."),
        (
            "home/.claude/settings.json",
            r#"{"claudeMdExcludes": ["**/{a,b}.md", "**/@(CLAUDE|AGENTS).md"]}"#,
        ),
    ]);
    let found = w.check(&["ok project/web/CLAUDE.md"]);
    assert_eq!(
        found.snapshot.error.as_deref(),
        Some(
            "`**/@(CLAUDE|AGENTS).md` in Claude Code's `claudeMdExcludes` is an extended glob, which is not read here; \
             Claude Code may pass over files that are listed"
        )
    );
}

#[test]
fn what_no_path_can_be_stays_out_of_the_settings() {
    let w = workspace(&[(
        "project/web/.claude/settings.json",
        "{\"claudeMdExcludes\": [\"a\\u0000\", \"b\"], \"enabledPlugins\": {\"p\\u0000@shop\": true}}",
    )]);
    let found = w.scan();
    assert_eq!(settings(&found).excludes, ["b"]);
    let whole = format!("{:?}", found.snapshot);
    assert!(!whole.contains("\\0"), "{whole}");
}
