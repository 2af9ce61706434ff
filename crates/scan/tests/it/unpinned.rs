//! What tools give their models beside what a pin holds, and imports that they do not follow. Each case was seen in a request
//! of Claude Code 2.1.332, Codex 0.171.0 or opencode 1.18.33.

use ctxpin_scan::Scan;

use crate::{claude_code, codex, opencode};

#[test]
fn an_import_that_claude_code_does_not_follow_has_a_reason() {
    let w = claude_code::workspace(&[
        (
            "project/web/CLAUDE.md",
            "@a.md @CLAUDE.md @docs @x.png @link.md `@code.md @none` @gone.md\n\n```\n@src/app.md\n```\n",
        ),
        ("project/web/a.md", "@b.md @CLAUDE.md"),
        ("project/web/b.md", "@c.md"),
        ("project/web/c.md", "@d.md"),
        ("project/web/d.md", "@e.md @a.md @f.md"),
        ("project/web/e.md", "the sixth"),
        ("project/web/code.md", "code"),
        ("project/web/src/app.md", "app"),
        ("project/web/docs/x.md", "x"),
        ("project/web/x.png", "image"),
        ("outside/x.md", "outside"),
    ]);
    w.link("project/web/link.md", w.path("outside/x.md"));
    w.check_notes(&[
        "import-ignored project/web/d.md:1: e.md: at most five files in a row import each other",
        "import-ignored project/web/d.md:1: a.md: it leads to this file, and each is given once",
        "import-missing project/web/d.md:1: f.md",
        "import-ignored project/web/a.md:1: CLAUDE.md: it leads to this file, and each is given once",
        "import-ignored project/web/CLAUDE.md:1: CLAUDE.md: it leads to this file, and each is given once",
        "import-ignored project/web/CLAUDE.md:1: docs: it is a directory",
        "import-ignored project/web/CLAUDE.md:1: x.png: by its extension, it is no text",
        "import-ignored project/web/CLAUDE.md:1: link.md: it is a link to a place outside of the working directory",
        "import-missing project/web/CLAUDE.md:1: gone.md",
        "import-ignored project/web/CLAUDE.md:1: code.md: it stands in code or HTML",
        "import-ignored project/web/CLAUDE.md:4: src/app.md: it stands in code or HTML",
    ]);
}

#[test]
fn a_file_in_code_that_is_given_all_the_same_needs_no_import() {
    let text = "`@AGENTS.md` links here.\n\n@a.md\n\n```\n@a.md @b.md\n```\n";
    let w = claude_code::workspace(&[
        ("project/web/AGENTS.md", text),
        ("project/web/a.md", "`@AGENTS.md` brings `@b.md`"),
        ("project/web/b.md", "b"),
    ]);
    w.link("project/web/CLAUDE.md", "AGENTS.md");
    w.check_notes(&[
        "import-ignored project/web/a.md:1: b.md: it stands in code or HTML",
        "import-ignored project/web/CLAUDE.md:6: b.md: it stands in code or HTML",
    ]);
}

#[test]
fn too_many_imports_are_told() {
    let many: String = (0..1_001).map(|n| format!("@gone{n}.md\n")).collect();
    let w = claude_code::workspace(&[("project/web/CLAUDE.md", &many)]);
    let error = w.scan().snapshot.error.unwrap();
    assert!(
        error.contains("at most 1000 imports of one file"),
        "{error}"
    );
}

#[test]
fn the_plugins_of_claude_code_are_listed_by_who_turns_them_on() {
    let on = "{\"enabledPlugins\": {\"demo@mk\": true, \"off@mk\": false}}";
    let mut w = claude_code::workspace(&[("project/web/.claude/settings.json", on)]);
    // What the project alone turns on was installed, or nothing happens.
    w.check(&[]);
    w.write("home/.claude/settings.json", on);
    let found = w.check(&["excluded home/.claude/plugins"]);
    let reason = w.error(&found, "home/.claude/plugins");
    assert!(reason.contains("(demo@mk)"), "{reason}");
    w.write("home/.claude/settings.json", "{}");
    w.write("plugs/one/x", "");
    let list = format!("{}:{}:relative", w.text("plugs/one"), w.text("plugs/gone"));
    let variables = &mut w.request.tool.variables;
    variables.insert("CLAUDE_CODE_PLUGIN_DIRS", list);
    w.check(&["excluded plugs/one"]);
    // A project may not name any, and the person's settings count before the variable.
    let env = |list: &str| format!("{{\"env\": {{\"CLAUDE_CODE_PLUGIN_DIRS\": \"{list}\"}}}}");
    w.write("project/web/.claude/settings.json", env(""));
    w.check(&["excluded plugs/one"]);
    w.write("home/.claude/settings.json", env(""));
    w.check(&[]);
}

#[test]
fn agents_that_the_permissions_deny_are_not_said_to_be_told() {
    let w = claude_code::workspace(&[("project/web/.claude/agents/a.md", "an agent")]);
    for (rule, expected) in [
        ("Task", "takes its model the tool `Agent`"),
        ("Agent(a)", "names (`a`)"),
        ("Skill", "in it, but no pin holds them"),
    ] {
        let settings = format!("{{\"permissions\": {{\"deny\": [\"{rule}\"]}}}}");
        w.write("project/web/.claude/settings.json", settings);
        let found = w.check(&["excluded project/web/.claude/agents"]);
        let reason = w.error(&found, "project/web/.claude/agents");
        assert!(reason.contains(expected), "{rule}: {reason}");
    }
}

#[test]
fn commands_that_claude_code_does_not_list_have_the_reason() {
    let skill = "---\ndescription: d\n---\n";
    let hidden =
        |word: &str| format!("---\ndescription: d\ndisable-model-invocation: {word}\n---\nDo.\n");
    let commands = "project/web/.claude/commands";
    let mut w = claude_code::workspace(&[
        ("project/web/.claude/skills/both/SKILL.md", skill),
        ("project/.claude/skills/above/SKILL.md", skill),
        ("home/.claude/skills/mine/SKILL.md", skill),
        ("project/web/.claude/skills/synced/SKILL.md", skill),
        ("project/web/.claude/skills/hidden/SKILL.md", &hidden("yes")),
        (
            "project/web/.claude/skills/rust/SKILL.md",
            "---\ndescription: d\npaths: '*.rs'\n---\n",
        ),
        (
            "project/web/.claude/skills/folder/SKILL.md",
            "---\nname: named\ndescription: d\n---\n",
        ),
        (
            "project/web/.claude/settings.json",
            r#"{"skillOverrides": {"off": "off", "front:off": "user-invocable-only", "short": "name-only"}}"#,
        ),
        ("project/.claude/commands/near.md", "Do."),
        ("project/.claude/commands/front/comp.md", "Do."),
        ("project/.claude/commands/first.md", "Do."),
        ("home/.claude/commands/person.md", "Do."),
        ("home/.claude/commands/last.md", &hidden("true")),
    ]);
    for name in [
        "both",
        "above",
        "mine",
        "synced",
        "hidden",
        "rust",
        "folder",
        "named",
        "Both",
        "off",
        "short",
        "near",
        "person",
        "last",
        "front/comp",
        "front/off",
        "comp",
        "a/b/deep",
        "skill/other",
        "skill/deep/x",
        "twice",
        "twice/SKILL",
    ] {
        w.write(&format!("{commands}/{name}.md"), "Do.");
    }
    w.write(&format!("{commands}/skill/SKILL.md"), skill);
    for (name, word) in [
        ("true", "true"),
        ("yes", "\"yes\""),
        ("one", "1"),
        ("no", "no"),
        ("x", "x"),
        ("first", "on"),
    ] {
        w.write(&format!("{commands}/{name}.md"), hidden(word));
    }
    w.write(
        &format!("{commands}/person-only.md"),
        "---\nuser-invocable: false\n---\nDo.\n",
    );
    w.request.user_roots = false;
    let found = w.scan();
    let told = told(&found, &w.text(""), "/.claude/commands/");
    assert_eq!(
        told,
        [
            "project/web/.claude/commands/Both.md",
            "project/web/.claude/commands/above.md: Claude Code lists the skill of its name instead",
            "project/web/.claude/commands/both.md: Claude Code lists the skill of its name instead",
            "project/web/.claude/commands/comp.md",
            "project/web/.claude/commands/first.md: `disable-model-invocation` keeps it out of the list",
            "project/web/.claude/commands/folder.md: Claude Code lists the skill of its name instead",
            "project/web/.claude/commands/hidden.md",
            "project/web/.claude/commands/last.md",
            "project/web/.claude/commands/mine.md: Claude Code lists the skill of its name instead",
            "project/web/.claude/commands/named.md",
            "project/web/.claude/commands/near.md",
            "project/web/.claude/commands/no.md",
            "project/web/.claude/commands/off.md: `skillOverrides` keeps it out of the list",
            "project/web/.claude/commands/one.md: `disable-model-invocation` keeps it out of the list",
            "project/web/.claude/commands/person-only.md",
            "project/web/.claude/commands/person.md: Claude Code lists another command of its name: home/.claude/commands/person.md",
            "project/web/.claude/commands/rust.md",
            "project/web/.claude/commands/short.md",
            "project/web/.claude/commands/synced.md",
            "project/web/.claude/commands/true.md: `disable-model-invocation` keeps it out of the list",
            "project/web/.claude/commands/twice.md",
            "project/web/.claude/commands/x.md",
            "project/web/.claude/commands/yes.md: `disable-model-invocation` keeps it out of the list",
            "project/web/.claude/commands/a/b/deep.md",
            "project/web/.claude/commands/front/comp.md",
            "project/web/.claude/commands/front/off.md: `skillOverrides` keeps it out of the list",
            "project/web/.claude/commands/skill/SKILL.md",
            "project/web/.claude/commands/skill/other.md: Claude Code takes only the SKILL.md of a folder of commands that has one",
            "project/web/.claude/commands/skill/deep/x.md",
            "project/web/.claude/commands/twice/SKILL.md: Claude Code lists another command of its name: project/web/.claude/commands/twice.md",
            "project/.claude/commands/first.md",
            "project/.claude/commands/near.md: Claude Code lists another command of its name: project/web/.claude/commands/near.md",
            "project/.claude/commands/front/comp.md: Claude Code lists another command of its name: project/web/.claude/commands/front/comp.md",
            "home/.claude/commands/last.md: `disable-model-invocation` keeps it out of the list",
            "home/.claude/commands/person.md",
        ]
    );
}

#[test]
fn claude_code_lists_the_file_of_several_commands_once() {
    let commands = "project/web/.claude/commands";
    let mut w = claude_code::workspace(&[
        ("project/web/.claude/commands/b.md", "Do."),
        ("project/web/.claude/commands/sub/two.md", "Do."),
        ("home/.claude/commands/mine.md", "Do."),
        ("outside/out.md", "Do."),
    ]);
    for (link, target) in [
        ("a", "b.md"),
        ("z", "b.md"),
        ("dangling", "nowhere"),
        ("circle", "circle.md"),
        ("sub/inner", "../b.md"),
    ] {
        w.link(&format!("{commands}/{link}.md"), target);
    }
    w.link(
        &format!("{commands}/my.md"),
        w.path("home/.claude/commands/mine.md"),
    );
    w.link(&format!("{commands}/out.md"), w.path("outside/out.md"));
    w.link(&format!("{commands}/tree"), "sub");
    w.request.user_roots = false;
    let found = w.scan();
    assert_eq!(
        told(&found, &w.text(""), "/.claude/commands/"),
        [
            "project/web/.claude/commands/a.md",
            "project/web/.claude/commands/b.md: Claude Code lists the same file once, as project/web/.claude/commands/a.md",
            "project/web/.claude/commands/my.md: Claude Code lists the same file once, as home/.claude/commands/mine.md",
            "project/web/.claude/commands/out.md",
            "project/web/.claude/commands/z.md: Claude Code lists the same file once, as project/web/.claude/commands/a.md",
            "project/web/.claude/commands/sub/inner.md: Claude Code lists the same file once, as project/web/.claude/commands/a.md",
            "project/web/.claude/commands/sub/two.md",
            "project/web/.claude/commands/tree/inner.md: Claude Code lists the same file once, as project/web/.claude/commands/a.md",
            "project/web/.claude/commands/tree/two.md: Claude Code lists the same file once, as project/web/.claude/commands/sub/two.md",
            "home/.claude/commands/mine.md",
        ]
    );
}

#[test]
fn a_link_to_a_folder_around_it_gives_no_command_of_claude_code() {
    let w = claude_code::workspace(&[
        ("project/web/.claude/commands/deploy.md", "Do."),
        ("project/web/.claude/commands/front/comp.md", "Do."),
    ]);
    let commands = "project/web/.claude/commands";
    w.link(&format!("{commands}/a-loop"), ".");
    w.link(&format!("{commands}/front/a-up"), "..");
    w.link("home/.claude/commands", w.path(commands));
    assert_eq!(
        told(&w.scan(), &w.text(""), "/.claude/commands"),
        [
            "project/web/.claude/commands/deploy.md: Claude Code lists the same file once, as home/.claude/commands/deploy.md",
            "project/web/.claude/commands/front/comp.md: Claude Code lists the same file once, as home/.claude/commands/front/comp.md",
            "home/.claude/commands/deploy.md",
            "home/.claude/commands/front/comp.md",
        ]
    );
}

#[test]
fn the_plugins_of_codex_are_listed() {
    let config = "[plugins.\"a@mk\"]\nenabled = true\n[plugins.\"b@mk\"]\nenabled = false\n[plugins.\"c@mk\"]\n";
    let w = codex::workspace(&[
        ("home/.codex/config.toml", config),
        ("home/.codex/plugins/cache/mk/a/1/x", ""),
    ]);
    let found = w.check(&["excluded home/.codex/plugins"]);
    let reason = w.error(&found, "home/.codex/plugins");
    assert!(reason.contains("(a@mk, c@mk)"), "{reason}");
    w.write(
        "home/.codex/config.toml",
        format!("[features]\nplugins = false\n{config}"),
    );
    w.check(&[]);
}

#[test]
fn the_plugins_of_opencode_are_listed() {
    let named = "{\"plugin\": [\"./one.js\", \"superpowers@1.0\", [\"./folder\", {\"a\": 1}], \"./gone.js\", 7, \
                 \"git+https://ada:key@example.org/x.git?y#z\"]}";
    let mut w = opencode::workspace(&[
        ("project/.opencode/plugin/a.js", ""),
        ("project/.opencode/plugin/.hidden.ts", ""),
        ("project/.opencode/plugin/b.mjs", ""),
        ("project/.opencode/plugin/deep/c.js", ""),
        ("project/.opencode/plugins/d.ts", ""),
        ("project/plugin/e.js", ""),
        ("home/.config/opencode/plugin/ctxpin.js", ""),
        ("home/.config/opencode/plugin/f.js", ""),
        ("home/.opencode/plugins/g.js", ""),
        ("project/opencode.json", named),
        ("project/one.js", ""),
        ("project/folder/index.js", ""),
    ]);
    let found = w.scan();
    let resources = found.snapshot.resources.iter();
    let sources: Vec<_> = resources
        .map(|r| r.source.replace(&w.text(""), ""))
        .collect();
    assert_eq!(
        sources,
        [
            "home/.config/opencode/plugin/f.js",
            "project/.opencode/plugin/.hidden.ts",
            "project/.opencode/plugin/a.js",
            "project/.opencode/plugins/d.ts",
            "home/.opencode/plugins/g.js",
            "project/one.js",
            "superpowers@1.0",
            "project/folder",
            "git+https://example.org/\u{2026}",
        ]
    );
    let reason = w.error(&found, "project/one.js");
    assert!(
        reason.contains("can add instructions and skills"),
        "{reason}"
    );
    let variables = &mut w.request.tool.variables;
    variables.insert("OPENCODE_PURE", "1".into());
    w.check(&[]);
}

#[test]
fn the_agents_and_tools_of_opencode_are_listed() {
    let agent = |more: &str| format!("---\ndescription: d\n{more}---\nPrompt.\n");
    let subagent = agent("mode: subagent\n");
    let w = opencode::workspace(&[
        (
            "project/opencode.json",
            r#"{"agent": {"off": {"disable": true}}, "permission": {"task": {"den*": "deny"}}}"#,
        ),
        ("project/.opencode/agent/one.md", &subagent),
        ("project/.opencode/agents/deep/two.md", &subagent),
        ("project/.opencode/agent/all.md", &agent("mode: all\n")),
        ("project/.opencode/agent/none.md", &agent("")),
        ("project/.opencode/agent/text.md", "No frontmatter."),
        ("project/.opencode/agent/general.md", &agent("")),
        ("project/.opencode/agent/plan.md", &agent("")),
        ("project/.opencode/agent/main.md", &agent("mode: primary\n")),
        (
            "project/.opencode/agent/gone.md",
            &agent("mode: subagent\ndisable: true\n"),
        ),
        ("project/.opencode/agent/off.md", &subagent),
        ("project/.opencode/agent/denied.md", &subagent),
        ("project/.opencode/agent/UP.MD", &subagent),
        ("project/.opencode/mode/mode.md", &subagent),
        ("project/.claude/agents/other.md", &subagent),
        ("home/.config/opencode/agents/mine.md", &subagent),
        ("home/.config/opencode/agent/one.md", &subagent),
        ("project/.opencode/tool/a.ts", ""),
        ("project/.opencode/tools/b.js", ""),
        ("project/.opencode/tool/c.mjs", ""),
        ("project/.opencode/tool/deep/d.ts", ""),
        ("home/.config/opencode/tool/e.ts", ""),
        ("home/.opencode/tools/f.ts", ""),
    ]);
    assert_eq!(
        told(&w.scan(), &w.text(""), ""),
        [
            "home/.config/opencode/tool/e.ts",
            "project/.opencode/tool/a.ts",
            "project/.opencode/tools/b.js",
            "home/.opencode/tools/f.ts",
            "home/.config/opencode/agent/one.md: opencode takes another file of its name: project/.opencode/agent/one.md",
            "home/.config/opencode/agents/mine.md",
            "project/.opencode/agent/all.md",
            "project/.opencode/agent/denied.md: the permission `task` keeps this agent from the model",
            "project/.opencode/agent/general.md",
            "project/.opencode/agent/gone.md: `disable` turns this agent off",
            "project/.opencode/agent/main.md: opencode tells its model of no agent whose `mode` is `primary`",
            "project/.opencode/agent/none.md",
            "project/.opencode/agent/off.md: `disable` turns this agent off",
            "project/.opencode/agent/one.md",
            "project/.opencode/agent/text.md",
            "project/.opencode/agents/deep/two.md"
        ]
    );
}

#[test]
fn the_agents_of_a_configuration_of_opencode_are_listed() {
    let agent = |more: &str| format!("---\n{more}---\nPrompt.\n");
    let config = r#"{
        "agent": {
            "one": {"description": "d"}, "two": {"description": "d", "mode": "all"}, "bare": {"mode": "subagent"},
            "main": {"description": "d", "mode": "primary"}, "off": {"description": "d", "disable": true},
            "denied": {"description": "d"}, "general": {"description": "d"}, "explore": {"model": "m"},
            "plan": {"description": "d"}, "build": {"prompt": "x"},
            "md-main": {"mode": "primary"}, "md-own": {"mode": "primary"}, "md-text": {"description": "d"},
            "md-last": {"description": "d"}, "md-off": {"disable": false}, "moded": {"description": "d"}
        },
        "mode": {"older": {"description": "d"}},
        "permission": {"task": {"den*": "deny"}}
    }"#;
    let late = r#"{"agent": {"early": {"description": "d"}, "late": {"description": "d"}}}"#;
    let subagent = agent("description: d\nmode: subagent\n");
    let w = opencode::workspace(&[
        ("project/opencode.json", config),
        (
            "project/.opencode/agent/md-main.md",
            &agent("description: d\n"),
        ),
        ("project/.opencode/agent/md-own.md", &subagent),
        (
            "project/.opencode/agent/md-text.md",
            &agent("mode: subagent\n"),
        ),
        ("home/.config/opencode/agent/md-last.md", &subagent),
        (
            "home/.config/opencode/agent/md-off.md",
            &agent("disable: true\n"),
        ),
        ("home/.config/opencode/agent/early.md", &subagent),
        ("project/.opencode/opencode.json", late),
        ("project/.opencode/modes/moded.md", &agent("")),
    ]);
    let found = w.scan();
    assert_eq!(
        told(&found, &w.text(""), ""),
        [
            "home/.config/opencode/agent/early.md: opencode takes the description of this subagent in project/.opencode/opencode.json",
            "home/.config/opencode/agent/md-last.md",
            "home/.config/opencode/agent/md-off.md: `disable` turns this agent off",
            "project/.opencode/agent/md-main.md: opencode tells its model of no agent whose `mode` is `primary`",
            "project/.opencode/agent/md-own.md",
            "project/.opencode/agent/md-text.md: opencode takes the description of this subagent in project/opencode.json",
            "project/.opencode/opencode.json",
            "project/opencode.json",
        ]
    );
    assert_eq!(
        w.error(&found, "project/opencode.json"),
        "opencode gives its model the prompt in it of the agent with which sessions begin and the descriptions of subagents \
         in it (`bare`, `general`, `md-text`, `one`, `two`), but no pin holds them"
    );
    assert_eq!(
        w.error(&found, "project/.opencode/opencode.json"),
        "opencode gives its model the descriptions of subagents in it (`early`, `late`), but no pin holds them"
    );
}

#[test]
fn a_tool_of_opencode_that_is_turned_off_is_not_given() {
    let tool = "export default { description: \"d\", args: {} }\n";
    let several = "export const one = {}\nexport async function two() {}\n";
    let w = opencode::workspace(&[
        ("project/.opencode/tool/hello.ts", tool),
        ("project/.opencode/tool/more.ts", several),
        (
            "project/.opencode/tool/other.ts",
            "const a = {}\nexport { a }\n",
        ),
    ]);
    let check = |config: &str, off: &[&str]| {
        w.write("project/opencode.json", config);
        let reason = "the permissions, or `tools`, keep the tools of this program from the model";
        let expected = ["hello", "more", "other"].map(|name| {
            let path = format!("project/.opencode/tool/{name}.ts");
            match off.contains(&name) {
                true => format!("{path}: {reason}"),
                false => path,
            }
        });
        assert_eq!(told(&w.scan(), &w.text(""), "/tool/"), expected, "{config}");
    };
    check("{}", &[]);
    let some = r#"{"permission": {"hello": "deny", "more_one": "deny", "other": "deny"}}"#;
    check(some, &["hello"]);
    let all = r#"{"permission": {"hello": {"*": "deny"}, "more*": "deny"}}"#;
    check(all, &["hello", "more"]);
    check(r#"{"permission": {"hello": {"a": "deny"}}}"#, &[]);
    check(
        r#"{"permission": {"*": "deny", "hello": "allow"}}"#,
        &["more"],
    );
    check(r#"{"tools": {"hello": false}}"#, &["hello"]);
    check(
        r#"{"tools": {"hello": false}, "permission": {"hello": "allow"}}"#,
        &[],
    );
    let of_agent = r#"{"agent": {"build": {"tools": {"hello": false, "more_*": false}}}}"#;
    check(of_agent, &["hello", "more"]);
    check(r#"{"agent": {"plan": {"tools": {"hello": false}}}}"#, &[]);
}

/// Returns what a scan lists below folders of a name, and of what the tool does not give, the reason.
fn told(found: &Scan, root: &str, folder: &str) -> Vec<String> {
    let resources = found.snapshot.resources.iter();
    let told = resources
        .filter(|resource| resource.source.contains(folder))
        .map(|resource| {
            let source = resource.source.replace(root, "");
            let reason = resource
                .error
                .as_deref()
                .unwrap_or_default()
                .replace(root, "");
            let is_given = found
                .unused
                .get(&(resource.kind, resource.source.clone()))
                .is_some_and(|why| why.is_given());
            match is_given {
                true => source,
                false => format!("{source}: {reason}"),
            }
        });
    told.collect()
}

#[test]
fn variables_that_are_not_followed_are_told() {
    let mut w = claude_code::workspace(&[]);
    for (name, effect) in [
        (
            "CLAUDE_CODE_SIMPLE",
            "Claude Code gives its model no instruction file and no skill with it",
        ),
        (
            "CLAUDE_CODE_DISABLE_ATTACHMENTS",
            "Claude Code gives its model no list of skills, and nothing below the working directory with it",
        ),
    ] {
        w.request.tool.variables = [(name, "1".to_owned())].into();
        let expected = format!("`{name}` is set, which ctxpin does not follow; {effect}");
        assert_eq!(w.scan().snapshot.error, Some(expected));
    }
}
