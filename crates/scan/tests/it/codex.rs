//! What is found under the profile of Codex. Each case was seen in a request of Codex 0.171.0.

use std::fs;

use ctxpin_model::profile::{CodexSettings, Profile, Settings};
use ctxpin_scan::Scan;

use crate::opencode;
use crate::workspace::Workspace;

/// A workspace under the profile of Codex, with the working directory `project/pkg/web`.
pub fn workspace(files: &[(&str, &str)]) -> Workspace {
    let mut w = Workspace::with(files);
    w.request.profile = Profile::Codex;
    w.request.user_roots = true;
    w.request.directory = w.path("project/pkg/web");
    fs::create_dir_all(&w.request.directory).unwrap();
    w
}

fn settings(found: &Scan) -> &CodexSettings {
    match &found.snapshot.facts.rules.as_ref().unwrap().settings {
        Settings::Codex(settings) => settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_gives_the_first_of_its_names_that_is_a_file() {
    let w = workspace(&[
        ("AGENTS.md", "above the project"),
        ("project/AGENTS.md", "top"),
        ("project/CLAUDE.md", "never"),
        ("project/pkg/AGENTS.override.md", "  \n"),
        ("project/pkg/AGENTS.md", "behind a blank override"),
        ("project/pkg/web/AGENTS.override.md/file", "a directory"),
        ("project/pkg/web/AGENTS.md", "working"),
        ("project/pkg/web/deeper/AGENTS.md", "below"),
    ]);
    w.check(&[
        "ok project/AGENTS.md",
        "ok project/pkg/AGENTS.override.md",
        "ok project/pkg/web/AGENTS.md",
    ]);
}

#[test]
fn texts_of_the_configuration_are_listed_with_the_reason() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        (
            "project/.codex/config.toml",
            "developer_instructions = \"Be brief.\"\nmodel_instructions_file = \"base.md\"\n",
        ),
    ]);
    w.check(&["ok project/AGENTS.md"]);
    let trust = format!(
        "instructions = \"Mine.\"\n[projects.{:?}]\ntrust_level = \"trusted\"\n",
        w.path("project").to_string_lossy()
    );
    w.write("home/.codex/config.toml", trust);
    let found = w.check(&[
        "ok project/AGENTS.md",
        "excluded home/.codex/config.toml",
        "excluded project/.codex/config.toml",
    ]);
    assert_eq!(
        w.error(&found, "project/.codex/config.toml"),
        "Codex gives its model what `developer_instructions`, `model_instructions_file` in it says, but no pin holds that"
    );
}

#[test]
fn links_inside_the_project_give_their_file_once_for_each_name() {
    let w = workspace(&[("project/AGENTS.md", "top"), ("outside/x.md", "elsewhere")]);
    w.link("project/pkg/AGENTS.md", "../AGENTS.md");
    w.link("project/pkg/AGENTS.override.md", "nowhere");
    w.link("project/pkg/web/AGENTS.md", w.path("outside/x.md"));
    let found = w.check(&[
        "ok project/AGENTS.md",
        "ok project/pkg/AGENTS.md",
        "excluded project/pkg/web/AGENTS.md",
    ]);
    let error = w.error(&found, "project/pkg/web/AGENTS.md");
    let begin = "the tool gives it to its model, but the link escapes ";
    assert!(error.starts_with(begin), "{error}");
    assert_eq!(w.unpinned(&found), ["project/pkg/web/AGENTS.md"]);
}

#[test]
fn a_file_that_ctxpin_does_not_take_is_given_all_the_same() {
    let w = workspace(&[]);
    w.write("project/AGENTS.md", "x".repeat(1024 * 1024 + 1));
    w.write("project/pkg/AGENTS.md", b"a\xff");
    let found = w.check(&[
        "oversize project/AGENTS.md",
        "invalid project/pkg/AGENTS.md",
    ]);
    assert_eq!(
        w.error(&found, "project/AGENTS.md"),
        "the tool gives it to its model, but it has 1048577 bytes; at most 1048576 are allowed"
    );
    assert_eq!(
        w.error(&found, "project/pkg/AGENTS.md"),
        "the tool gives it to its model, but it is not UTF-8 (first bad byte at offset 1)"
    );
    let both = ["project/AGENTS.md", "project/pkg/AGENTS.md"];
    assert_eq!(w.unpinned(&found), both);
}

#[test]
fn a_name_that_codex_cannot_look_at_takes_all_files_of_the_project() {
    let w = workspace(&[
        ("home/.codex/AGENTS.md", "mine"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/web/AGENTS.md", "working"),
    ]);
    let circle = "project/pkg/AGENTS.override.md";
    w.link(circle, "AGENTS.override.md");
    let found = w.check(&[
        "ok home/.codex/AGENTS.md",
        "excluded project/AGENTS.md",
        "excluded project/pkg/web/AGENTS.md",
    ]);
    let reason = format!(
        "Codex cannot look at {}, and so gives its model no file of the project",
        w.path(circle).display()
    );
    assert_eq!(w.error(&found, "project/AGENTS.md"), reason);
    // Codex looks no further than the first name that is a file.
    fs::remove_file(w.path(circle)).unwrap();
    w.write("project/pkg/AGENTS.override.md", "first");
    w.link("project/pkg/AGENTS.md", "AGENTS.md");
    w.check(&[
        "ok home/.codex/AGENTS.md",
        "ok project/AGENTS.md",
        "ok project/pkg/AGENTS.override.md",
        "ok project/pkg/web/AGENTS.md",
    ]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_cannot_be_read_takes_the_others_of_the_project() {
    let w = workspace(&[
        ("home/.codex/AGENTS.override.md", "mine"),
        ("home/.codex/AGENTS.md", "mine too"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/web/AGENTS.md", "working"),
    ]);
    w.forbid("home/.codex/AGENTS.override.md");
    w.forbid("project/AGENTS.md");
    let found = w.check(&[
        "unreadable home/.codex/AGENTS.override.md",
        "ok home/.codex/AGENTS.md",
        "unreadable project/AGENTS.md",
        "excluded project/pkg/web/AGENTS.md",
    ]);
    let reason = "cannot be read: Permission denied (os error 13)";
    assert_eq!(w.error(&found, "project/AGENTS.md"), reason);
    let top = w.path("project/AGENTS.md");
    let reason = format!(
        "Codex cannot look at {}, and so gives its model no file of the project",
        top.display()
    );
    assert_eq!(w.error(&found, "project/pkg/web/AGENTS.md"), reason);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_looked_into_is_listed() {
    for mut w in [workspace(&[]), opencode::workspace(&[])] {
        w.request.directory = w.path("project");
        w.repository("project/.git");
        w.skill("project/.agents/skills/open");
        w.write("project/.agents/skills/open/scripts/run.sh", "");
        w.skill("project/.agents/skills/closed");
        w.forbid("project/.agents/skills/closed");
        w.forbid("project/.agents/skills/open/scripts");
        let found = w.check(&[
            "unreadable project/.agents/skills/closed/SKILL.md",
            "ok project/.agents/skills/open/SKILL.md",
        ]);
        let reason = w.error(&found, "project/.agents/skills/closed/SKILL.md");
        assert_eq!(reason, "cannot be read: Permission denied (os error 13)");
        w.forbid("project/.agents/skills");
        let error = w.scan().snapshot.error.unwrap_or_default();
        let folder = w.path("project/.agents/skills");
        let expected = format!(
            "the folder of skills {} cannot be read: Permission denied (os error 13)",
            folder.display()
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn the_home_gives_its_first_file_that_is_not_blank() {
    let mut w = workspace(&[
        ("home/.codex/AGENTS.override.md", " \n"),
        ("home/.codex/AGENTS.md", "mine"),
        ("project/AGENTS.md", "top"),
    ]);
    w.skill("home/.codex/skills/own");
    w.skill("home/.agents/skills/shared");
    let found = w.check(&[
        "ok home/.codex/AGENTS.md",
        "ok project/AGENTS.md",
        "ok home/.codex/skills/own/SKILL.md",
        "ok home/.agents/skills/shared/SKILL.md",
    ]);
    assert_eq!(settings(&found).home, w.text("home/.codex"));

    // Without the person's consent nothing of it leaves the machine, not even a hash.
    w.request.user_roots = false;
    let found = w.check(&[
        "excluded home/.codex/AGENTS.md",
        "ok project/AGENTS.md",
        "excluded home/.codex/skills/own/SKILL.md",
        "excluded home/.agents/skills/shared/SKILL.md",
    ]);
    let personal = &found.snapshot.resources[0];
    assert_eq!((personal.content, personal.size), (None, 0));
    assert_eq!(
        w.error(&found, "home/.codex/AGENTS.md"),
        "Codex gives this file of yours to its model; it is read only with --user-roots"
    );

    w.request.tool.home = Some(w.path("outside"));
    w.request.user_roots = true;
    w.write("outside/AGENTS.md", "elsewhere");
    w.check(&[
        "ok outside/AGENTS.md",
        "ok project/AGENTS.md",
        "ok home/.agents/skills/shared/SKILL.md",
    ]);
}

#[test]
fn a_configuration_names_other_files_and_another_root() {
    let w = workspace(&[
        ("project/CLAUDE.md", "above the root"),
        ("project/pkg/package.json", "{}"),
        ("project/pkg/CLAUDE.md", "root"),
        ("project/pkg/web/AGENTS.md", "working"),
        ("project/docs/x.md", "a path is no name"),
        (
            "home/.codex/config.toml",
            "project_doc_fallback_filenames = [\" CLAUDE.md \", \"docs/x.md\", \"\", \"a\\u0000\"]\n\
             project_root_markers = [\"\\u0000\", \"package.json\"]\nproject_doc_max_bytes = 100\n",
        ),
    ]);
    let found = w.check(&["ok project/pkg/CLAUDE.md", "ok project/pkg/web/AGENTS.md"]);
    let expected = CodexSettings {
        home: w.text("home/.codex"),
        bytes_max: 100,
        fallback_names: vec!["CLAUDE.md".into()],
        root_markers: vec!["package.json".into()],
    };
    assert_eq!(*settings(&found), expected);
}

#[test]
fn without_a_root_the_working_directory_counts_alone() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        ("project/pkg/web/AGENTS.md", "working"),
        ("home/.codex/config.toml", "project_root_markers = []"),
    ]);
    w.check(&["ok project/pkg/web/AGENTS.md"]);
}

#[test]
fn a_file_above_the_project_is_named_with_the_reason() {
    let mut w = workspace(&[
        ("marker", ""),
        ("AGENTS.md", "above the project"),
        ("project/AGENTS.md", "top"),
        (
            "home/.codex/config.toml",
            "project_root_markers = [\"marker\"]",
        ),
    ]);
    w.skill(".agents/skills/above");
    let found = w.check(&[
        "excluded AGENTS.md",
        "ok project/AGENTS.md",
        "excluded .agents/skills",
    ]);
    let advice = format!(
        "but it lies outside of the project; --allow-root {} reads it",
        w.base.display()
    );
    assert_eq!(
        w.error(&found, ".agents/skills"),
        format!("the tool lists the skills in it to its model, {advice}")
    );
    assert_eq!(
        w.error(&found, "AGENTS.md"),
        format!("Codex gives it to its model, {advice}")
    );
    w.request.allowed = vec![w.base.clone()];
    w.check(&[
        "ok AGENTS.md",
        "ok project/AGENTS.md",
        "ok .agents/skills/above/SKILL.md",
    ]);
}

#[test]
fn the_projects_configuration_counts_where_the_person_trusts_the_project() {
    let w = workspace(&[
        (
            "project/.codex/config.toml",
            "project_doc_max_bytes = 7\nproject_root_markers = [\"pkg\"]",
        ),
        (
            "project/pkg/.codex/config.toml",
            "project_doc_fallback_filenames = [\"Z.md\"]",
        ),
        (
            "project/pkg/web/.codex/config.toml",
            "project_doc_max_bytes = 9",
        ),
        ("project/pkg/Z.md", "fallback"),
        ("project/AGENTS.md", "top"),
    ]);
    let found = w.check(&["ok project/AGENTS.md"]);
    assert_eq!(settings(&found).bytes_max, 32 * 1024);

    let trusted = format!(
        "[projects.\"{}\"]\ntrust_level = \"trusted\"\n",
        w.text("project")
    );
    w.write("home/.codex/config.toml", trusted);
    let found = w.check(&["ok project/AGENTS.md", "ok project/pkg/Z.md"]);
    assert_eq!(settings(&found).bytes_max, 9);
    assert_eq!(settings(&found).root_markers, [".git"]);

    // What is said of a directory itself decides about its file.
    w.write(
        "home/.codex/config.toml",
        said(&w, &[("project/pkg", true)]),
    );
    let found = w.check(&["ok project/AGENTS.md", "ok project/pkg/Z.md"]);
    assert_eq!(settings(&found).bytes_max, 32 * 1024);
    let but = said(&w, &[("project", true), ("project/pkg", false)]);
    w.write("home/.codex/config.toml", but);
    let found = w.check(&["ok project/AGENTS.md"]);
    assert_eq!(settings(&found).bytes_max, 9);

    // Where the working directory is not trusted, no file counts.
    let none = said(&w, &[("project", true), ("project/pkg/web", false)]);
    w.write("home/.codex/config.toml", none);
    let found = w.check(&["excluded project/AGENTS.md"]);
    assert_eq!(settings(&found).bytes_max, 32 * 1024);
}

#[test]
fn a_project_that_is_not_trusted_gives_no_instruction_file() {
    let w = workspace(&[
        ("home/.codex/AGENTS.md", "mine"),
        ("project/AGENTS.md", "top"),
        ("project/pkg/web/AGENTS.md", "working"),
    ]);
    w.write("project/pkg/AGENTS.md", b"a\xff");
    w.skill("project/.agents/skills/one");
    let check = |trust: &[(&str, bool)], untrusted: Option<&str>| {
        w.write("home/.codex/config.toml", said(&w, trust));
        let [status, of_pkg] = match untrusted {
            Some(_) => ["excluded"; 2],
            None => ["ok", "invalid"],
        };
        let found = w.check(&[
            "ok home/.codex/AGENTS.md",
            &format!("{status} project/AGENTS.md"),
            &format!("{of_pkg} project/pkg/AGENTS.md"),
            &format!("{status} project/pkg/web/AGENTS.md"),
            "ok project/.agents/skills/one/SKILL.md",
        ]);
        let not_utf8 = ["project/pkg/AGENTS.md"];
        let unpinned: &[_] = if untrusted.is_some() { &[] } else { &not_utf8 };
        assert_eq!(w.unpinned(&found), unpinned);
        if let Some(untrusted) = untrusted {
            let expected = format!(
                "your Codex does not trust {} (`trust_level`), and so gives its model no file of the project",
                w.text(untrusted)
            );
            assert_eq!(w.error(&found, "project/pkg/AGENTS.md"), expected);
        }
    };
    check(&[], None);
    check(&[("project", false)], Some("project"));
    check(&[("project/pkg/web", false)], Some("project/pkg/web"));
    let both = [("project", true), ("project/pkg/web", false)];
    check(&both, Some("project/pkg/web"));
    check(&[("project", false), ("project/pkg/web", true)], None);
    // What is said of a directory between or above decides nothing.
    check(&[("project/pkg", false)], None);
    check(&[("", false)], None);
    // The repository of a submodule is not known by its directory.
    fs::remove_dir_all(w.path("project/.git")).unwrap();
    w.write("project/.git", "gitdir: ../elsewhere");
    check(&[("project", false)], None);
    check(&[("project/pkg/web", false)], Some("project/pkg/web"));
}

/// Returns a configuration that says of directories whether they are trusted.
fn said(w: &Workspace, trust: &[(&str, bool)]) -> String {
    let projects = trust.iter().map(|(path, is_trusted)| {
        let level = if *is_trusted { "trusted" } else { "untrusted" };
        format!("[projects.{:?}]\ntrust_level = {level:?}\n", w.text(path))
    });
    projects.collect()
}

#[test]
fn what_a_configuration_says_and_ctxpin_does_not_follow_is_told() {
    let w = workspace(&[("project/AGENTS.md", "top")]);
    let check = |config: &str, expected: Option<&str>| {
        w.write("home/.codex/config.toml", config);
        let found = w.check(&["ok project/AGENTS.md"]);
        let path = w.text("home/.codex/config.toml");
        let expected = expected.map(|expected| format!("{path} {expected}"));
        assert_eq!(found.snapshot.error, expected);
    };
    check(
        "default_permissions = \"x\"\n[permissions.x.filesystem]\n\":minimal\" = \"read\"\n",
        Some(
            "has `default_permissions`, which ctxpin does not follow; they can keep the project's files and skills from \
             Codex's model",
        ),
    );
    check("default_permissions = \":workspace\"\n", None);
    check(
        "profile = \"p\"\n",
        Some(
            "has `profile`, which ctxpin does not follow; newer versions of Codex do not start with it",
        ),
    );
}

#[test]
fn trust_of_the_main_repository_counts_in_its_worktrees() {
    let mut w = workspace(&[
        ("project/.git/worktrees/w/commondir", "../..\n"),
        (
            "tree/.codex/config.toml",
            "project_doc_fallback_filenames = [\"Z.md\"]",
        ),
        ("tree/Z.md", "fallback"),
    ]);
    let git = w.text("project/.git/worktrees/w");
    w.write("tree/.git", format!("gitdir: {git}\n"));
    w.write("home/.codex/config.toml", said(&w, &[("project", true)]));
    w.request.directory = w.path("tree");
    // The repository does not know the worktree.
    w.check(&[]);
    let back = format!("{}\n", w.text("tree/.git"));
    w.write("project/.git/worktrees/w/gitdir", back);
    w.check(&["ok tree/Z.md"]);
    let but = said(&w, &[("project", true), ("tree", false)]);
    w.write("home/.codex/config.toml", but);
    w.check(&[]);
    w.write("tree/AGENTS.md", "working");
    w.write("home/.codex/config.toml", said(&w, &[("project", false)]));
    w.check(&["excluded tree/AGENTS.md"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_without_its_text() {
    let w = workspace(&[
        ("project/AGENTS.md", "top"),
        (
            "home/.codex/config.toml",
            "key = \"sk-secret\"\nproject_doc_max_bytes = \"sk-secret\"",
        ),
    ]);
    let told = || w.scan().snapshot.error.unwrap().replace(&w.text(""), "");
    assert_eq!(
        told(),
        "home/.codex/config.toml is not valid: `project_doc_max_bytes` is not a number of bytes; \
         Codex does not start with it"
    );
    w.write("home/.codex/config.toml", "key = \"sk-secret\" x");
    assert_eq!(
        told(),
        "home/.codex/config.toml is not valid TOML; Codex does not start with it"
    );
    w.check(&["ok project/AGENTS.md"]);
}

#[test]
fn skills_lie_up_to_six_directories_deep() {
    let w = workspace(&[(
        "project/team/linked/SKILL.md",
        &crate::workspace::skill_md("linked"),
    )]);
    for path in [
        "project/.codex/skills/cx",
        "project/.agents/skills/a",
        "project/.agents/skills/a/inner",
        "project/.agents/skills/.hidden",
        "project/.agents/skills/1/2/3/4/5/six",
        "project/.agents/skills/1/2/3/4/5/6/seven",
        "project/pkg/web/.agents/skills/near",
        "project/.claude/skills/never",
        "project/skills/never",
    ] {
        w.skill(path);
    }
    w.link("project/.agents/skills/linked", "../../team/linked");
    w.write("project/team/file.md", crate::workspace::skill_md("file"));
    fs::create_dir(w.path("project/.agents/skills/file")).unwrap();
    w.link(
        "project/.agents/skills/file/SKILL.md",
        "../../../team/file.md",
    );
    w.skill("outside/away");
    w.link("project/.agents/skills/away", w.path("outside/away"));
    w.link("project/.agents/skills/outside", w.path("outside"));
    let found = w.check(&[
        "ok project/.codex/skills/cx/SKILL.md",
        "excluded project/.agents/skills/away/SKILL.md",
        "excluded project/.agents/skills/outside",
        "ok project/.agents/skills/a/SKILL.md",
        "ok project/team/linked/SKILL.md",
        "ok project/.agents/skills/a/inner/SKILL.md",
        "ok project/.agents/skills/1/2/3/4/5/six/SKILL.md",
        "ok project/pkg/web/.agents/skills/near/SKILL.md",
    ]);
    let error = w.error(&found, "project/.agents/skills/away/SKILL.md");
    let begin = "the tool gives it to its model, but the link escapes ";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn the_configuration_turns_skills_off() {
    let w = workspace(&[("project/.git/x", "")]);
    for name in ["a", "b", "c", "d"] {
        w.skill(&format!("project/.agents/skills/{name}"));
    }
    w.skill("home/.codex/skills/own");
    let rules = |path: &str, rules: &[(&str, &str, bool)]| {
        let rules = rules.iter().map(|(key, value, is_on)| {
            format!("[[skills.config]]\n{key} = {value:?}\nenabled = {is_on}\n")
        });
        w.write(path, rules.collect::<String>());
    };
    let at = |name: &str| w.text(&format!("project/.agents/skills/{name}/SKILL.md"));
    let check = |expected: [&str; 5]| {
        let names = ["a", "b", "c", "d"].map(|name| format!("project/.agents/skills/{name}"));
        let paths = names
            .into_iter()
            .chain(["home/.codex/skills/own".to_owned()]);
        let found = w.scan();
        for (path, status) in paths.zip(expected) {
            let skill = w.resource(&found, &format!("{path}/SKILL.md"));
            assert_eq!(skill.status.as_str(), status, "{path}");
        }
        found
    };
    rules(
        "home/.codex/config.toml",
        &[
            ("name", "a", false),
            ("path", &at("b"), false),
            ("name", "b", true),
            ("path", &at("c"), true),
            ("name", "c", false),
            // Neither a directory nor another case of letters names a skill.
            ("path", &w.text("project/.agents/skills/d"), false),
            ("name", "D", false),
            ("path", "skills/own/SKILL.md", false),
        ],
    );
    let found = check(["excluded", "ok", "excluded", "ok", "excluded"]);
    assert_eq!(
        w.error(&found, "project/.agents/skills/a/SKILL.md"),
        "`skills.config` in Codex's configuration turns it off"
    );
    rules(
        "home/.codex/config.toml",
        &[("path", "~/.codex/skills/own/SKILL.md", false)],
    );
    check(["ok", "ok", "ok", "ok", "excluded"]);
    // Of a project's configuration, only the list as a whole counts.
    let trust = format!(
        "[projects.{:?}]\ntrust_level = \"trusted\"\n",
        w.text("project")
    );
    w.write("home/.codex/config.toml", trust);
    rules("project/.codex/config.toml", &[("name", "a", false)]);
    check(["ok"; 5]);
    let list = "[skills]\ninclude_instructions = false\n";
    w.write("project/.codex/config.toml", list);
    let found = check(["excluded"; 5]);
    let reason = "`skills.include_instructions` in Codex's configuration is false, so its model gets no list of skills";
    assert_eq!(w.error(&found, "project/.agents/skills/a/SKILL.md"), reason);
    for unfit in [
        "skills = 1",
        "[[skills.config]]\nname = \"a\"",
        "[skills]\ninclude_instructions = 1",
    ] {
        w.write("home/.codex/config.toml", unfit);
        let found = w.scan();
        assert!(
            found
                .snapshot
                .error
                .unwrap()
                .contains("Codex does not start with it"),
            "{unfit}"
        );
    }
}

#[test]
fn a_file_of_a_skill_keeps_it_out_of_the_list() {
    let w = workspace(&[
        (
            "project/.agents/skills/a/agents/openai.yaml",
            "policy:\n  allow_implicit_invocation: false\n",
        ),
        (
            "project/.agents/skills/b/agents/openai.yaml",
            "policy:\n  allow_implicit_invocation: true\n",
        ),
        (
            "outside/openai.yaml",
            "policy:\n  allow_implicit_invocation: false\n",
        ),
    ]);
    for name in ["a", "a/inner", "b", "c"] {
        w.skill(&format!("project/.agents/skills/{name}"));
    }
    w.link("project/.agents/skills/c/agents", w.path("outside"));
    let found = w.check(&[
        "excluded project/.agents/skills/a/SKILL.md",
        "ok project/.agents/skills/b/SKILL.md",
        "ok project/.agents/skills/c/SKILL.md",
        "ok project/.agents/skills/a/inner/SKILL.md",
    ]);
    assert_eq!(
        w.error(&found, "project/.agents/skills/a/SKILL.md"),
        "`allow_implicit_invocation` in its agents/openai.yaml is false, so Codex does not list it to its model"
    );
    let remark = found.snapshot.error.unwrap();
    let end = "; it may keep the skill out of Codex's list";
    assert!(
        remark.contains("skills/c/agents/openai.yaml, because the link escapes")
            && remark.ends_with(end),
        "{remark}"
    );
}
