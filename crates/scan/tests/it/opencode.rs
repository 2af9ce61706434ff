//! What is found under the profile of opencode. Each case was seen in a request of opencode 1.18.33.

use std::fs;

use ctxpin_model::profile::{OpencodeSettings, Profile, Settings};
use ctxpin_scan::Scan;

use crate::workspace::{Workspace, skill_md};

const CONFIG: &str = "home/.config/opencode/opencode.json";

/// A workspace under the profile of opencode, with the working directory `project/pkg/web`.
pub fn workspace(files: &[(&str, &str)]) -> Workspace {
    let mut w = Workspace::with(files);
    w.repository("project/.git");
    w.request.profile = Profile::Opencode;
    w.request.user_roots = true;
    w.request.directory = w.path("project/pkg/web");
    fs::create_dir_all(&w.request.directory).unwrap();
    w
}

pub fn settings(found: &Scan) -> &OpencodeSettings {
    match &found.snapshot.facts.rules.as_ref().unwrap().settings {
        Settings::Opencode(settings) => settings,
        other => panic!("{other:?}"),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_read_is_not_said_to_be_given() {
    let mut w = workspace(&[
        ("home/.config/opencode/AGENTS.md", "mine"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/web/AGENTS.md", "working"),
    ]);
    w.forbid("home/.config/opencode/AGENTS.md");
    w.forbid("project/AGENTS.md");
    for user_roots in [true, false] {
        w.request.user_roots = user_roots;
        let found = w.check(&[
            "unreadable home/.config/opencode/AGENTS.md",
            "ok project/pkg/web/AGENTS.md",
            "unreadable project/AGENTS.md",
        ]);
        let reason = "cannot be read: Permission denied (os error 13)";
        assert_eq!(w.error(&found, "project/AGENTS.md"), reason);
    }
}

#[test]
fn the_first_name_that_any_directory_has_counts_from_the_working_directory_upwards() {
    let w = workspace(&[
        ("AGENTS.md", "above the repository"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/CLAUDE.md", "never"),
        ("project/pkg/web/AGENTS.md", "working"),
        ("project/pkg/web/CLAUDE.md", "never"),
        ("project/pkg/web/deeper/AGENTS.md", "on demand"),
    ]);
    w.check(&[
        "ok project/pkg/web/AGENTS.md",
        "ok project/AGENTS.md",
        "ok project/pkg/web/deeper/AGENTS.md",
    ]);
    fs::remove_dir_all(w.path("project/pkg/web/deeper")).unwrap();
    fs::remove_file(w.path("project/AGENTS.md")).unwrap();
    fs::remove_file(w.path("project/pkg/web/AGENTS.md")).unwrap();
    w.link("project/AGENTS.md", "nowhere");
    w.write("project/CONTEXT.md", "never");
    w.check(&["ok project/pkg/web/CLAUDE.md", "ok project/pkg/CLAUDE.md"]);
}

#[test]
fn a_directory_of_the_name_hides_the_other_names_and_gives_nothing() {
    let w = workspace(&[
        ("project/AGENTS.md/file", ""),
        ("project/CLAUDE.md", "hidden"),
        ("home/.config/opencode/AGENTS.md/file", ""),
        ("home/.claude/CLAUDE.md", "hidden"),
    ]);
    w.check(&[]);
}

#[test]
fn a_file_below_is_for_the_files_beside_and_below_it() {
    let w = workspace(&[
        ("project/pkg/web/a/AGENTS.md", "first"),
        ("project/pkg/web/a/CLAUDE.md", "never"),
        ("project/pkg/web/a/b/CONTEXT.md", "deeper"),
        ("project/pkg/web/node_modules/x/CLAUDE.md", "everywhere"),
        ("project/pkg/web/.git/AGENTS.md", "of git"),
        ("project/pkg/web/listed/AGENTS.md", "due"),
        ("project/pkg/web/hidden/AGENTS.md/file", ""),
        ("project/pkg/web/hidden/CLAUDE.md", "hidden"),
        ("project/pkg/beside/AGENTS.md", "never"),
        (CONFIG, r#"{"instructions": ["listed/AGENTS.md"]}"#),
    ]);
    let found = w.check(&[
        "ok project/pkg/web/listed/AGENTS.md",
        "ok project/pkg/web/a/AGENTS.md",
        "ok project/pkg/web/a/b/CONTEXT.md",
        "ok project/pkg/web/node_modules/x/CLAUDE.md",
    ]);
    let below = found.snapshot.resources.iter();
    let below: Vec<_> = below
        .map(|resource| Some(resource.applies.as_ref()?.below.clone()))
        .collect();
    let expected = ["a", "a/b", "node_modules/x"];
    let expected = expected.map(|path| Some(w.text(&format!("project/pkg/web/{path}"))));
    assert_eq!(below[0], None);
    assert_eq!(below[1..], expected);
}

#[test]
fn the_person_has_one_file_of_instructions() {
    let mut w = workspace(&[
        ("home/.claude/CLAUDE.md", "mine"),
        ("project/CLAUDE.md", "top"),
    ]);
    w.check(&["ok home/.claude/CLAUDE.md", "ok project/CLAUDE.md"]);
    w.write("home/.config/opencode/AGENTS.md", "");
    let found = w.check(&["ok home/.config/opencode/AGENTS.md", "ok project/CLAUDE.md"]);
    assert_eq!(settings(&found).home, w.text("home/.config/opencode"));

    // Without the person's consent nothing of it leaves the machine, not even a hash.
    w.request.user_roots = false;
    let found = w.check(&[
        "excluded home/.config/opencode/AGENTS.md",
        "ok project/CLAUDE.md",
    ]);
    let personal = &found.snapshot.resources[0];
    assert_eq!((personal.content, personal.size), (None, 0));
    assert_eq!(
        w.error(&found, "home/.config/opencode/AGENTS.md"),
        "opencode gives this file of yours to its model; it is read only with --user-roots"
    );
}

#[test]
fn the_persons_files_have_the_names_that_the_home_gives_them() {
    let mut w = workspace(&[
        ("home/.config/opencode/AGENTS.md", "mine"),
        ("home/.config/opencode/x.md", "listed"),
        (CONFIG, r#"{"instructions": ["~/.config/opencode/x.md"]}"#),
    ]);
    w.skill("home/.agents/skills/own");
    w.link("linked", "home");
    w.request.home = w.path("linked");
    w.check(&[
        "ok linked/.config/opencode/AGENTS.md",
        "ok linked/.config/opencode/x.md",
        "ok linked/.agents/skills/own/SKILL.md",
    ]);
}

#[test]
fn a_variable_with_permissions_is_told() {
    let mut w = workspace(&[]);
    let variables = &mut w.request.tool.variables;
    variables.insert("OPENCODE_PERMISSION", r#"{"skill": "deny"}"#.to_owned());
    let expected = "`OPENCODE_PERMISSION` is set, which ctxpin does not read; it can keep skills out of opencode's list";
    assert_eq!(w.scan().snapshot.error.as_deref(), Some(expected));
}

#[test]
fn variables_switch_files_and_directories() {
    let mut w = workspace(&[
        ("home/.config/opencode/AGENTS.md", "mine"),
        ("home/.claude/CLAUDE.md", "mine too"),
        ("project/CLAUDE.md", "top"),
        ("project/CONTEXT.md", "context"),
        ("project/x.md", "listed"),
        ("outside/x.md", "listed"),
        ("project/opencode.json", r#"{"instructions": ["x.md"]}"#),
        ("project/extra.json", r#"{"instructions": ["CONTEXT.md"]}"#),
    ]);
    w.request.allowed = vec![w.path("outside")];
    let set = |w: &mut Workspace, name, value: &str| {
        w.request.tool.variables.insert(name, value.to_owned());
    };
    let outside = w.text("outside");
    set(&mut w, "OPENCODE_CONFIG_DIR", &outside);
    // A relative path starts at the working directory.
    set(&mut w, "OPENCODE_CONFIG", "../../extra.json");
    set(&mut w, "OPENCODE_DISABLE_CLAUDE_CODE_PROMPT", "TRUE");
    let found = w.check(&[
        "ok project/CONTEXT.md",
        "ok project/x.md",
        "excluded project/CLAUDE.md",
    ]);
    let reason =
        "`OPENCODE_DISABLE_CLAUDE_CODE` or `OPENCODE_DISABLE_CLAUDE_CODE_PROMPT` turns it off";
    assert_eq!(w.error(&found, "project/CLAUDE.md"), reason);
    set(&mut w, "OPENCODE_DISABLE_PROJECT_CONFIG", "1");
    set(&mut w, "OPENCODE_CONFIG", "");
    let content = r#"{"instructions": ["x.md", "no\u0000.md"]}"#;
    set(&mut w, "OPENCODE_CONFIG_CONTENT", content);
    let found = w.check(&[
        "ok outside/x.md",
        "excluded project/CLAUDE.md",
        "excluded project/CONTEXT.md",
    ]);
    let reason = "`OPENCODE_DISABLE_PROJECT_CONFIG` turns the project's files off";
    assert_eq!(w.error(&found, "project/CONTEXT.md"), reason);
    let expected = OpencodeSettings {
        home: w.text("outside"),
        instructions: vec!["x.md".into()],
        is_claude_code_disabled: true,
        is_project_disabled: true,
        skill_permissions: Vec::new(),
    };
    assert_eq!(*settings(&found), expected);
}

#[test]
fn a_link_gives_its_file_under_its_own_name() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        ("outside/x.md", "elsewhere"),
        ("project/shared/rules.md", "listed"),
        (CONFIG, r#"{"instructions": ["docs/rules.md"]}"#),
    ]);
    w.link("project/pkg/AGENTS.md", "../AGENTS.md");
    w.link("project/pkg/web/AGENTS.md", w.path("outside/x.md"));
    w.link("project/docs", "shared");
    let found = w.check(&[
        "excluded project/pkg/web/AGENTS.md",
        "ok project/pkg/AGENTS.md",
        "ok project/AGENTS.md",
        "ok project/docs/rules.md",
    ]);
    let error = w.error(&found, "project/pkg/web/AGENTS.md");
    let begin = "the tool gives it to its model, but the link escapes ";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn git_decides_where_the_worktree_begins() {
    let mut w = workspace(&[
        ("AGENTS.md", "above"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/AGENTS.md", "package"),
    ]);
    w.request.allowed = vec![w.base.clone()];
    // A directory that is no repository is passed over.
    fs::create_dir(w.path("project/pkg/.git")).unwrap();
    w.check(&["ok project/pkg/AGENTS.md", "ok project/AGENTS.md"]);
    w.repository("project/pkg/.git");
    w.check(&["ok project/pkg/AGENTS.md"]);
    // A worktree or a submodule has a file that leads to its repository.
    fs::rename(w.path("project/pkg/.git"), w.path("project/modules")).unwrap();
    w.write("project/pkg/.git", "gitdir: ../modules\n");
    w.check(&["ok project/pkg/AGENTS.md"]);
    // One that leads nowhere ends the search, and then all directories above count.
    w.write("project/pkg/.git", "gitdir: ../nowhere\n");
    let all = [
        "ok project/pkg/AGENTS.md",
        "ok project/AGENTS.md",
        "ok AGENTS.md",
    ];
    w.check(&all);
    w.request.allowed = Vec::new();
    let found = w.check(&[
        "ok project/pkg/AGENTS.md",
        "excluded project/AGENTS.md",
        "excluded AGENTS.md",
    ]);
    let expected = format!(
        "opencode gives it to its model, but it lies outside of the project; --allow-root {} reads it",
        w.base.display()
    );
    assert_eq!(w.error(&found, "AGENTS.md"), expected);
}

#[test]
fn configurations_list_files_from_the_outside_inwards() {
    let list = |name: &str| format!(r#"{{"instructions": ["{name}.md"]}}"#);
    let mut files = Vec::new();
    for number in 0..=9 {
        files.push((format!("project/{number}.md"), format!("{number}\n")));
    }
    for (path, name) in [
        ("home/.config/opencode/config.json", "0"),
        ("home/.config/opencode/opencode.json", "1"),
        ("home/.config/opencode/opencode.jsonc", "2"),
        ("project/opencode.json", "3"),
        ("project/opencode.jsonc", "4"),
        ("project/pkg/web/opencode.json", "5"),
        ("project/.opencode/opencode.json", "7"),
        ("project/pkg/web/.opencode/opencode.json", "6"),
        ("home/.opencode/opencode.jsonc", "8"),
        ("project/pkg/opencode.json", "2"),
    ] {
        files.push((path.to_owned(), list(name)));
    }
    files.push(("project/pkg/web/4.md".to_owned(), "nearer\n".to_owned()));
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let w = workspace(&files);
    w.check(&[
        "ok project/2.md",
        "ok project/3.md",
        "ok project/pkg/web/4.md",
        "ok project/4.md",
        "ok project/5.md",
        "ok project/6.md",
        "ok project/7.md",
        "ok project/8.md",
    ]);
}

#[test]
fn an_empty_list_takes_the_place_of_the_persons_earlier_one() {
    let w = workspace(&[
        ("project/x.md", "listed"),
        ("project/y.md", "listed"),
        (
            "home/.config/opencode/config.json",
            r#"{"instructions": ["x.md"]}"#,
        ),
        (CONFIG, r#"{"instructions": []}"#),
        ("project/opencode.json", r#"{"instructions": ["y.md"]}"#),
        ("project/opencode.jsonc", r#"{"instructions": []}"#),
    ]);
    w.check(&["ok project/y.md"]);
}

#[test]
fn patterns_find_files() {
    let listed = "{ // comments and the last comma count for nothing\n\"instructions\": [\"docs/*.md\", \"../above.md\", \
         \"~/mine.md\", \"~/.config/opencode/*.md\", \"**/note?.txt\", \"{b,a}.rst\", \"[x-z].md\", \"docs\", \
         \"BASE/outside/*.md\", \"deep/**\", \"linked/**/y.md\", \"[[:digit:]].md\", \"{env:X}.md\", \
         \"https://ada:key@example.org/rules.md?key=x\",],}";
    let mut w = workspace(&[
        ("project/docs/b.md", "b"),
        ("project/docs/.a.md", "hidden"),
        ("project/docs/c.txt", "other"),
        ("project/pkg/web/docs/z.md", "nearer"),
        ("above.md", "outside of the project"),
        ("project/pkg/above.md", "above"),
        ("home/mine.md", "mine"),
        ("home/.config/opencode/rules.md", "mine"),
        ("home/.config/opencode/.hidden.md", "not for a star"),
        ("project/x/y/note1.txt", "deep"),
        ("project/a/b/c/note3.txt", "deeper"),
        ("project/node_modules/note2.txt", "deep"),
        ("project/a.rst", "a"),
        ("project/b.rst", "b"),
        ("project/y.md", "y"),
        ("outside/o.md", "o"),
        ("project/deep/1/.2/3.md", "deep"),
        ("project/elsewhere/1/y.md", "linked"),
    ]);
    w.write(
        CONFIG,
        listed.replace("BASE", &w.base.display().to_string()),
    );
    w.link("project/linked", "elsewhere");
    let expected = [
        "ok project/pkg/web/docs/z.md",
        "ok project/docs/.a.md",
        "ok project/docs/b.md",
        "ok project/pkg/above.md",
        "excluded above.md",
        "excluded home/mine.md",
        "ok home/.config/opencode/rules.md",
        "ok project/node_modules/note2.txt",
        "ok project/x/y/note1.txt",
        "ok project/a/b/c/note3.txt",
        "ok project/b.rst",
        "ok project/a.rst",
        "ok project/y.md",
        "ok project/deep/1/.2/3.md",
        "ok project/linked/1/y.md",
        "excluded https://example.org/\u{2026}",
    ];
    let found = w.check(&expected);
    let told = found.snapshot.error.unwrap().replace(&w.text(""), "");
    assert_eq!(
        told,
        "opencode also looks for instruction files below outside, which ctxpin does not read; \
         opencode's instructions have `[[:digit:]].md`, a form of pattern that ctxpin does not follow; \
         opencode's instructions have `{env:X}.md`, and ctxpin reads no variable or file for it"
    );
    w.request.allowed = vec![w.path("outside")];
    let found = w.scan();
    let shown: Vec<_> = found.snapshot.resources.iter().map(|r| w.show(r)).collect();
    assert!(shown.contains(&"ok outside/o.md".to_owned()), "{shown:?}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_without_its_text() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        ("project/x.md", "never"),
        (CONFIG, r#"{"instructions": ["x.md"]}"#),
        (
            "home/.config/opencode/opencode.jsonc",
            "{\"key\": sk-secret",
        ),
        ("project/opencode.json", r#"{"instructions": "sk-secret"}"#),
    ]);
    let found = w.check(&["ok project/AGENTS.md"]);
    let told = found.snapshot.error.unwrap().replace(&w.text(""), "");
    assert_eq!(
        told,
        "home/.config/opencode/opencode.jsonc is not valid JSON; opencode passes over all of your own \
         configuration; project/opencode.json is not valid: `instructions` is not a list of texts; opencode does \
         not start with it"
    );
}

#[test]
fn skills_come_from_the_folders_of_several_tools() {
    let mut w = workspace(&[
        (
            "project/opencode.json",
            r#"{"skills": {"paths": ["more", "~/shared"]}}"#,
        ),
        ("project/team/file.md", &skill_md("file")),
    ]);
    for path in [
        "home/.claude/skills/h",
        "home/.config/opencode/skill/own",
        "home/.config/opencode/skills/deep/er/own2",
        "project/pkg/web/.claude/skills/near",
        "project/pkg/.agents/skills/.hidden",
        "project/.claude/skills/near/inner",
        "project/.opencode/skills/.never",
        "project/.opencode/skill/o",
        "project/pkg/web/more/m",
        "project/more/never",
        "project/skills/never",
        "project/team/linked",
        "home/shared/s",
    ] {
        w.skill(path);
    }
    w.link("project/.agents/skills/linked", "../../team/linked");
    w.request.allowed = vec![w.path("home/shared")];
    w.check(&[
        "ok home/.claude/skills/h/SKILL.md",
        "ok project/pkg/web/.claude/skills/near/SKILL.md",
        "invalid project/pkg/.agents/skills/.hidden/SKILL.md",
        "ok project/.claude/skills/near/inner/SKILL.md",
        "ok project/.agents/skills/linked/SKILL.md",
        "ok home/.config/opencode/skill/own/SKILL.md",
        "ok home/.config/opencode/skills/deep/er/own2/SKILL.md",
        "ok project/.opencode/skill/o/SKILL.md",
        "ok project/pkg/web/more/m/SKILL.md",
        "ok home/shared/s/SKILL.md",
    ]);
    w.request
        .tool
        .variables
        .insert("OPENCODE_DISABLE_CLAUDE_CODE", "1".to_owned());
    w.request.user_roots = false;
    w.check(&[
        "invalid project/pkg/.agents/skills/.hidden/SKILL.md",
        "ok project/.agents/skills/linked/SKILL.md",
        "excluded home/.config/opencode/skill/own/SKILL.md",
        "excluded home/.config/opencode/skills/deep/er/own2/SKILL.md",
        "ok project/.opencode/skill/o/SKILL.md",
        "ok project/pkg/web/more/m/SKILL.md",
        "ok home/shared/s/SKILL.md",
    ]);
}

#[test]
fn a_configuration_in_a_variable_has_a_bound() {
    let mut w = workspace(&[("project/x.md", "x")]);
    let content = |blanks: usize| {
        let text = format!("{{{}\"instructions\": [\"x.md\"]}}", " ".repeat(blanks));
        ("OPENCODE_CONFIG_CONTENT", text)
    };
    w.request.tool.variables.extend([content(0)]);
    w.check(&["ok project/x.md"]);
    w.request.tool.variables.extend([content(1024 * 1024)]);
    w.check(&[]);
    let error = w.scan().snapshot.error.unwrap();
    assert!(
        error.contains("does not read OPENCODE_CONFIG_CONTENT"),
        "{error}"
    );
}

#[test]
fn permissions_decide_which_skills_are_listed() {
    let w = workspace(&[
        (
            "home/.config/opencode/opencode.json",
            r#"{"permission": {"skill": {"*": "deny", "a": "allow"}}}"#,
        ),
        (
            "project/opencode.jsonc",
            r#"{"permission": {"skill": {"b": "ask", "no\u0000": "deny"}}} // last"#,
        ),
    ]);
    let found = w.scan();
    let permissions = settings(&found).skill_permissions.iter();
    let permissions = permissions.map(|permission| (&*permission.pattern, permission.is_denied));
    assert_eq!(
        permissions.collect::<Vec<_>>(),
        [("*", true), ("a", false), ("b", false)]
    );
    assert_eq!(
        found.snapshot.error.as_deref(),
        Some("of opencode's permissions for skills, only 3 are used")
    );

    w.write(
        "project/opencode.jsonc",
        r#"{"permission": {"skill": "never"}}"#,
    );
    let error = w.scan().snapshot.error.unwrap();
    assert!(error.contains("opencode does not start with it"), "{error}");
}

#[test]
fn what_opencode_fills_in_is_not_read() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        ("project/key.txt", "hush"),
        (
            "project/opencode.json",
            "{\"provider\": {\"x\": {\"apiKey\": \"{env:KEY}\"}}, \"agent\": {\"build\": {\"prompt\": \"{file:key.txt}\"}}}",
        ),
    ]);
    assert_eq!(w.scan().snapshot.error, None);
    let check = |text: &str, expected: &str| {
        w.write("project/opencode.json", text);
        let found = w.scan();
        let error = found.snapshot.error.as_deref().unwrap_or_default();
        assert!(error.ends_with(expected), "{error}");
        assert!(!format!("{found:?}").contains("hush"));
    };
    let about_skills = "has `{env:}` or `{file:}` in a member about skills, and ctxpin reads no variable or file for it";
    for member in [
        "\"permission\": {\"skill\": {\"{file:key.txt}\": \"deny\"}}",
        "\"skills\": {\"paths\": [\"{env:SKILLS}\"]}",
        "\"agent\": {\"plan\": {\"permission\": {\"skill\": {\"{env:A}\": \"deny\"}}}}",
        "\"default_agent\": \"{env:AGENT}\"",
    ] {
        check(&format!("{{{member}}}"), about_skills);
    }
    let unfilled = "; opencode fills in its `{env:}` and `{file:}` first, for which ctxpin reads no variable or file";
    check("{\"permission\": \"{env:ACTION}\"}", unfilled);
    check("{\"instructions\": {env:LIST}}", unfilled);
    check("{\"permission\": 7}", "; opencode does not start with it");
}

#[test]
fn agents_in_markdown_have_permissions_too() {
    const DENIED: &str = "---\npermission:\n  skill:\n    \"*\": deny\n    a: allow\n---\n";
    let w = workspace(&[
        ("project/.opencode/agents/build.md", DENIED),
        (
            "project/.opencode/agent/plan.md",
            "---\ntools:\n  skill: false\n---\n",
        ),
        (
            "home/.config/opencode/mode/build.md",
            "---\nmode: primary\n---\nBuild it.\n",
        ),
    ]);
    let permissions = |w: &Workspace| {
        let found = w.scan();
        let permissions = settings(&found).skill_permissions.iter();
        let permissions = permissions.map(|one| (one.pattern.clone(), one.is_denied));
        permissions.collect::<Vec<_>>()
    };
    let of_build = [("*".to_owned(), true), ("a".to_owned(), false)];
    assert_eq!(permissions(&w), of_build);
    let found = w.check(&["excluded home/.config/opencode/mode/build.md"]);
    assert_eq!(
        w.error(&found, "home/.config/opencode/mode/build.md"),
        "opencode gives its model the prompt of this agent, with which sessions begin, but no pin holds it"
    );
    // Behind the configuration of its folder.
    w.write(
        "project/.opencode/opencode.json",
        r#"{"agent": {"build": {"permission": {"skill": {"a": "deny", "*": "allow"}}}}}"#,
    );
    assert_eq!(permissions(&w), [("*".to_owned(), true)]);
    w.write("project/opencode.json", r#"{"default_agent": "plan"}"#);
    assert_eq!(permissions(&w), [("*".to_owned(), true)]);
    w.write(
        "project/.opencode/agent/plan.md",
        "---\npermission: [\n---\n",
    );
    let path = w.path("project/.opencode/agent/plan.md");
    assert_eq!(
        w.scan().snapshot.error,
        Some(format!(
            "{} has no frontmatter that can be read; ctxpin does not know which skills it denies to this agent",
            path.display()
        ))
    );
    w.write(
        "project/opencode.json",
        r#"{"default_agent": "../agent/plan"}"#,
    );
    assert_eq!(
        w.scan().snapshot.error.as_deref(),
        Some(
            "opencode begins no session, because `default_agent` of its configuration is `../agent/plan`, and there is no such agent; it gives its model nothing"
        )
    );
}

#[test]
fn of_disabled_agents_nothing_counts() {
    // Each was seen in a request of opencode 1.18.33.
    let w = workspace(&[
        (
            "project/.opencode/agent/build.md",
            "---\ndisable: true\npermission:\n  skill: deny\n---\nBuild it.\n",
        ),
        (
            "project/.opencode/agent/plan.md",
            "---\npermission:\n  skill:\n    a: deny\n---\nPlan it.\n",
        ),
    ]);
    let patterns = |found: &Scan| {
        let permissions = settings(found).skill_permissions.iter();
        permissions
            .map(|one| one.pattern.clone())
            .collect::<Vec<_>>()
    };
    let plan = "excluded project/.opencode/agent/plan.md";
    assert_eq!(patterns(&w.check(&[plan])), ["a"]);
    w.write(
        "project/.opencode/agents/build.md",
        "---\ndisable: false\n---\n",
    );
    assert_eq!(
        patterns(&w.check(&["excluded project/.opencode/agent/build.md"])),
        ["*"]
    );
    w.write(
        "project/opencode.json",
        r#"{"default_agent": "mine", "agent": {"mine": {"disable": true, "prompt": "Mine."}}}"#,
    );
    assert_eq!(patterns(&w.check(&[])), [""; 0]);
}

#[test]
fn a_configuration_with_the_prompt_of_the_first_agent_is_listed() {
    let w = workspace(&[
        (
            "home/.config/opencode/opencode.json",
            r#"{"agent": {"plan": {"prompt": "Plan."}, "build": {"prompt": "Build."}}}"#,
        ),
        (
            "project/opencode.json",
            r#"{"agent": {"build": {"tools": {}}}}"#,
        ),
    ]);
    let found = w.check(&["excluded home/.config/opencode/opencode.json"]);
    assert_eq!(
        w.error(&found, "home/.config/opencode/opencode.json"),
        "opencode gives its model the prompt in it of the agent with which sessions begin, but no pin holds it"
    );
    w.write(
        "project/opencode.json",
        r#"{"mode": {"build": {"prompt": "{file:./hidden.md}"}}}"#,
    );
    w.check(&["excluded project/opencode.json"]);
    w.write("project/opencode.json", r#"{"default_agent": "other"}"#);
    w.check(&[]);
}

#[test]
fn addresses_of_skills_are_listed_and_not_fetched() {
    let w = workspace(&[
        (
            CONFIG,
            r#"{"skills": {"urls": ["https://a.example/old/"]}}"#,
        ),
        (
            "project/opencode.json",
            r#"{"skills": {"urls": ["https://me:secret@a.example/skills/?key=1", "notes"]}}"#,
        ),
    ]);
    let found = w.scan();
    let skills = found.snapshot.resources.iter();
    let skills = skills.map(|skill| (skill.kind.as_str(), &*skill.source, skill.status.as_str()));
    let expected = [("skill", "https://a.example/\u{2026}", "excluded")];
    assert_eq!(skills.collect::<Vec<_>>(), expected);
    let reason = "opencode fetches the skills there at each start, so nobody can pin them";
    let error = found.snapshot.resources[0].error.as_deref();
    assert_eq!(error, Some(reason));
}
