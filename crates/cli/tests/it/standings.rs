//! Several agents on one directory, each of another tool.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, assert_says, said};

/// Waits until the server has what both agents of a directory find now.
fn settle(bench: &Bench, directory: &Path) {
    bench.ok(directory, &["agent", "resync"]);
    bench.ok(directory, &["agent", "resync", "--profile", "codex"]);
}

fn is_dirty(bench: &Bench, directory: &Path, chat: &str) -> bool {
    let shown = bench.json(directory, &["chat", "show", chat]);
    shown["context"]["dirty"].as_bool().unwrap()
}

fn id(chat: &Value) -> String {
    chat["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_edit_of_one_tools_file_makes_the_chat_of_that_tool_drift_alone() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    fs::create_dir(bench.root().join("home/.codex")).unwrap();
    bench.ok(&app, &["up", "--detach"]);
    let agents = bench.json(&app, &["agent", "list"]);
    let profiles = agents["items"].as_array().unwrap().iter();
    let profiles: Vec<_> = profiles.map(|agent| agent["profile"].clone()).collect();
    assert_eq!(profiles, ["codex", "neutral"], "{agents}");

    let neutral = id(&bench.json(&app, &["chat", "show"]));
    settle(&bench, &app);
    let codex = id(&bench.json(&app, &["chat", "new", "--profile", "codex"]));
    assert_eq!(id(&bench.json(&app, &["chat", "show"])), codex);
    let prompt = bench.ok(&app, &["prompt", &codex]);
    assert!(
        prompt.starts_with("# AGENTS.md instructions for "),
        "{prompt}"
    );
    assert_says(&prompt, &["Ours."]);
    assert_says(
        &bench.ok(&app, &["prompt", &neutral]),
        &["<workspace-context>", "Ours."],
    );

    // Codex does not read this file.
    fs::write(app.join("CLAUDE.md"), "Theirs.\n").unwrap();
    settle(&bench, &app);
    assert!(is_dirty(&bench, &app, &neutral));
    assert!(!is_dirty(&bench, &app, &codex));
    bench.ok(&app, &["chat", "refresh", &neutral]);

    // Codex alone reads this one, instead of `AGENTS.md`.
    fs::write(app.join("AGENTS.override.md"), "Only mine.\n").unwrap();
    settle(&bench, &app);
    assert!(is_dirty(&bench, &app, &codex));
    assert!(!is_dirty(&bench, &app, &neutral));
    bench.ok(&app, &["chat", "refresh", &codex]);
    assert_says(&bench.ok(&app, &["prompt", &codex]), &["Only mine."]);

    let status = bench.ok(&app, &["agent", "status"]);
    assert_says(&status, &["profile  neutral", "profile  codex"]);
    bench.ok(&app, &["down"]);
}

#[test]
fn an_edit_of_claude_md_makes_the_chat_of_claude_code_drift_and_not_that_of_codex() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    for home in [".codex", ".claude"] {
        fs::create_dir(bench.root().join("home").join(home)).unwrap();
    }
    let tools = "tools     claude-code, codex; `ctxpin chat new --profile TOOL` pins a chat";
    assert_says(&bench.ok(&app, &["up", "--detach"]), &[tools]);
    assert_says(&bench.ok(&app, &["up", "--detach"]), &[tools]);
    let status = bench.ok(&app, &["agent", "status"]);
    assert_says(
        &status,
        &["profile  neutral", "profile  claude-code", "profile  codex"],
    );
    let settle = || {
        for profile in ["neutral", "claude-code", "codex"] {
            bench.ok(&app, &["agent", "resync", "--profile", profile]);
        }
    };
    settle();
    let chat = |profile: &str| id(&bench.json(&app, &["chat", "new", "--profile", profile]));
    let (claude_code, codex) = (chat("claude-code"), chat("codex"));
    let prompt = bench.ok(&app, &["prompt", &claude_code]);
    assert_says(
        &prompt,
        &[
            "AGENTS.md (project instructions, checked into the codebase):",
            "Ours.",
        ],
    );

    // Claude Code reads `AGENTS.md` only without this file.
    fs::write(app.join("CLAUDE.md"), "Theirs. @notes.md\n").unwrap();
    fs::write(app.join("notes.md"), "Imported.\n<!--a-->\n").unwrap();
    settle();
    assert!(is_dirty(&bench, &app, &claude_code));
    assert!(!is_dirty(&bench, &app, &codex));
    bench.ok(&app, &["chat", "refresh", &claude_code]);
    let prompt = bench.ok(&app, &["prompt", &claude_code]);
    assert_says(&prompt, &["Theirs. @notes.md", "Imported."]);
    let shown = bench.ok(&app, &["chat", "show", &claude_code]);
    assert_says(&shown, &["removed  8 B of comments"]);
    assert!(!shown.contains("--removed"), "{shown}");
    assert!(!prompt.contains("Ours."), "{prompt}");

    fs::write(app.join("notes.md"), "Imported anew.\n").unwrap();
    settle();
    assert!(is_dirty(&bench, &app, &claude_code));
    assert!(!is_dirty(&bench, &app, &codex));
    bench.ok(&app, &["down"]);
}

#[test]
fn a_running_process_makes_the_agent_of_another_tool() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    bench.ok(&app, &["up", "--detach"]);
    let refused = bench.fails(&app, &["agent", "resync", "--profile", "codex"], 1);
    assert_says(
        &refused,
        &["no agent of the profile `codex`", "but of neutral"],
    );
    let again = bench.ok(&app, &["up", "--detach", "--profile", "codex"]);
    assert_says(&again, &["\"app\""]);
    settle(&bench, &app);
    let chat = bench.json(&app, &["chat", "new", "--profile", "codex"]);
    let agents = bench.json(&app, &["agent", "list"]);
    assert_eq!(agents["items"][0]["id"], chat["agent_id"], "{agents}");
    assert_eq!(agents["items"].as_array().unwrap().len(), 2, "{agents}");
    bench.ok(&app, &["down"]);
}

#[test]
fn a_directory_of_the_project_gets_an_agent_of_its_own() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    for directory in [".git", "packages/a", "vendor/sub/.git"] {
        fs::create_dir_all(app.join(directory)).unwrap();
    }
    fs::write(app.join("packages/a/AGENTS.md"), "Of a.\n").unwrap();
    fs::write(app.join("vendor/sub/AGENTS.md"), "Foreign.\n").unwrap();
    bench.ok(&app, &["up", "--detach"]);
    let below = app.join("packages/a");
    let chat = id(&bench.json(&below, &["chat", "new", "--profile", "codex"]));
    bench.until(&below, |state| {
        state["id"] == chat.as_str() && !state["context"]["snapshot"].is_null()
    });
    let prompt = bench.ok(&below, &["prompt", &chat]);
    assert_says(&prompt, &["packages/a", "Ours.", "Of a."]);
    let agents = bench.json(&app, &["agent", "list"]);
    assert_eq!(agents["items"].as_array().unwrap().len(), 2, "{agents}");
    // The same again is the same agent.
    bench.ok(&below, &["chat", "new", "--profile", "codex"]);
    let agents = bench.json(&app, &["agent", "list"]);
    assert_eq!(agents["items"].as_array().unwrap().len(), 2, "{agents}");

    // A restart serves it again, and forgets a directory that is gone.
    let gone = app.join("packages/b");
    fs::create_dir(&gone).unwrap();
    bench.ok(&gone, &["chat", "new", "--profile", "codex"]);
    bench.ok(&app, &["down"]);
    fs::remove_dir(&gone).unwrap();
    bench.ok(&app, &["up", "--detach"]);
    fs::write(app.join("packages/a/AGENTS.md"), "Of a, anew.\n").unwrap();
    bench.until(&below, |state| state["context"]["dirty"] == true);
    let status = bench.json(&app, &["agent", "status"]);
    assert_eq!(status["others"].as_array().unwrap().len(), 1, "{status}");

    let resync = ["agent", "resync", "--profile", "codex"];
    bench.ok(&below, &resync);
    assert_says(
        &bench.fails(&app, &resync, 1),
        &["no agent of the profile `codex` runs on", "but of neutral"],
    );

    // Its scan fails alone, until the directory is there again.
    let away = app.join("packages/away");
    fs::rename(&below, &away).unwrap();
    let below_text = below.to_str().unwrap();
    let of_below = [&resync[..], &["--dir", below_text]].concat();
    assert_says(&bench.fails(&app, &of_below, 1), &["does not exist"]);
    bench.ok(&app, &["agent", "resync"]);
    let status = bench.ok(&app, &["agent", "status"]);
    assert_says(&status, &["scan     failed: ", "packages/a does not exist"]);
    fs::rename(&away, &below).unwrap();
    fs::write(below.join("AGENTS.md"), "Of a, back.\n").unwrap();
    bench.ok(&app, &of_below);
    assert_says(
        &bench.ok(&below, &["chat", "diff", &chat]),
        &["+Of a, back."],
    );

    // Another repository below is never bound to this one, and neither is a submodule or a worktree, whose `.git` is a file.
    for (place, git) in [
        ("vendor/module", "../../.git/modules/module"),
        ("tree", "../.git/worktrees/tree"),
    ] {
        fs::create_dir_all(app.join(place).join(git)).unwrap();
        fs::write(app.join(place).join(".git"), format!("gitdir: {git}\n")).unwrap();
    }
    for place in ["vendor/sub", "vendor/module", "tree"] {
        let place = app.join(place);
        let refused = bench.fails(&place, &["chat", "new", "--profile", "codex"], 1);
        assert_says(
            &refused,
            &["belongs to another project", "`ctxpin up` there"],
        );
    }
    let agents = bench.json(&app, &["agent", "list"]);
    assert_eq!(agents["items"].as_array().unwrap().len(), 3, "{agents}");
    bench.ok(&app, &["down"]);
}

#[test]
fn without_a_repository_a_directory_below_is_a_project_of_its_own() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let below = app.join("sub");
    fs::create_dir(&below).unwrap();
    bench.ok(&app, &["up", "--detach", "--profile", "codex"]);
    let refused = bench.fails(&below, &["chat", "new", "--profile", "codex"], 1);
    assert_says(
        &refused,
        &["in no repository", "`ctxpin up` there", "`git init`"],
    );
    fs::create_dir(app.join(".git")).unwrap();
    bench.ok(&below, &["chat", "new", "--profile", "codex"]);
    bench.ok(&app, &["down"]);
}

#[test]
fn an_agent_that_another_process_replaced_ends_alone() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    bench.ok(&app, &["up", "--detach", "--profile", "codex"]);
    settle(&bench, &app);
    let kept = fs::read_dir(bench.data().join("agents")).unwrap().next();
    let token = kept.unwrap().unwrap().path().join("codex/sqlite/token");
    let token_text = token.to_str().unwrap();
    let server = bench.json(&app, &["agent", "status"])["server"]
        .as_str()
        .unwrap()
        .to_owned();
    let push = [
        "push",
        "--profile",
        "codex",
        "--server",
        &server,
        "--token-file",
        token_text,
    ];
    bench.ok(&app, &push);
    let ended = bench.fails(&app, &["agent", "resync", "--profile", "codex"], 1);
    assert_says(&ended, &["a newer process"]);
    bench.ok(&app, &["agent", "resync"]);
    assert_says(
        &bench.ok(&app, &["agent", "status"]),
        &["ended: a newer process"],
    );
    bench.ok(&app, &["down"]);
}

#[test]
fn an_agent_and_its_process_have_one_profile() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let served = bench.serve(&app, &[]);
    let agent = bench.agent_of(&app, &served, "codex");
    let push = ["push", "--server", &served.url, "--token-file", &agent];
    let refused = bench.fails(&app, &push, 1);
    assert_says(
        &refused,
        &[
            "the agent is of the profile `codex`",
            "start it with `--profile codex`",
        ],
    );
    bench.ok(&app, &[&push[..], &["--profile", "codex"]].concat());
}

#[test]
fn the_home_of_a_tool_is_named_from_the_current_directory() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let home = app.join("mine");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("CLAUDE.md"), "Mine.\n").unwrap();
    let scan = [
        "scan",
        "--profile",
        "claude-code",
        "--claude-home",
        "mine",
        "--user-roots",
    ];
    let found = bench.json(&app, &scan);
    let first = found["effective"][0]["source"].as_str().unwrap();
    assert_eq!(Path::new(first), home.join("CLAUDE.md"));
}

#[test]
fn an_agent_of_opencode_finds_what_the_variables_of_its_process_name() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    fs::create_dir_all(app.join("xdg/opencode")).unwrap();
    fs::write(app.join("rules.md"), "Configured.\n").unwrap();
    let own = r#"{"instructions": ["rules.md"]}"#;
    fs::write(app.join("xdg/opencode/opencode.json"), own).unwrap();
    let served = bench.serve(&app, &[]);
    let asking = ["--server", &served.url, "--token-file", &served.token];
    let agent = bench.agent_of(&app, &served, "opencode");
    let push = [
        "push",
        "--profile",
        "opencode",
        "--server",
        &served.url,
        "--token-file",
        &agent,
    ];
    let mut pushing = bench.command(&app, &push);
    let pushed = said(pushing.env("XDG_CONFIG_HOME", app.join("xdg")));
    assert_says(&pushed.out, &["pushed 2 resources"]);
    bench.ok(
        &app,
        &[&push[..], &["--opencode-home", "xdg/opencode"]].concat(),
    );
    let chat = bench.json(
        &app,
        &[&["chat", "new", "--agent", "app"][..], &asking].concat(),
    );
    let prompt = bench.ok(&app, &[&["prompt", &id(&chat)][..], &asking].concat());
    assert_says(
        &prompt,
        &["Ours.\nInstructions from: ", "/rules.md\nConfigured."],
    );
}

#[test]
fn up_serves_opencode_with_the_variables_that_it_was_started_with() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let xdg = bench.root().join("xdg");
    fs::create_dir_all(xdg.join("opencode")).unwrap();
    fs::write(xdg.join("opencode/AGENTS.md"), "Mine.\n").unwrap();
    let mut up = bench.command(&app, &["up", "--detach"]);
    let started = said(up.env("XDG_CONFIG_HOME", &xdg));
    assert_eq!(started.code, Some(0), "{started:?}");
    bench.ok(&app, &["agent", "resync", "--profile", "opencode"]);
    let chat = id(&bench.json(&app, &["chat", "new", "--profile", "opencode"]));
    let prompt = bench.ok(&app, &["prompt", &chat]);
    assert_says(
        &prompt,
        &["xdg/opencode/AGENTS.md\nMine.", "AGENTS.md\nOurs."],
    );
    bench.ok(&app, &["down"]);
}

#[test]
fn an_edit_of_each_kind_of_file_of_claude_code_arrives_by_its_event() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Ours.\n");
    let home = bench.root().join("home/.claude");
    let rules = app.join(".claude/rules/deep");
    for directory in [&home.join("rules"), &rules, &app.join("api")] {
        fs::create_dir_all(directory).unwrap();
    }
    fs::write(app.join("CLAUDE.md"), "Theirs. @notes.md\n").unwrap();
    fs::write(app.join("api/CLAUDE.md"), "Of the API.\n").unwrap();
    bench.ok(&app, &["up", "--detach"]);
    bench.ok(&app, &["agent", "resync", "--profile", "claude-code"]);
    let chat = id(&bench.json(&app, &["chat", "new", "--profile", "claude-code"]));
    // The last scan that no event triggered was just before, and the next one is a minute later.
    for (file, text) in [
        (app.join("notes.md"), "Imported.\n"),
        (rules.join("rule.md"), "A rule.\n"),
        (
            rules.join("rule.md"),
            "---\npaths: \"*.rs\"\n---\nFor some files.\n",
        ),
        (app.join("api/CLAUDE.md"), "Of the API, too.\n"),
        (app.join("CLAUDE.local.md"), "Private.\n"),
        (home.join("CLAUDE.md"), "Mine.\n"),
        (home.join("rules/mine.md"), "My rule.\n"),
        (
            home.join("settings.json"),
            "{\"claudeMdExcludes\": [\"**/api/**\"]}",
        ),
        (
            app.join(".claude/settings.json"),
            "{\"env\": {\"CLAUDE_CODE_DISABLE_CLAUDE_MDS\": \"1\"}}",
        ),
    ] {
        fs::write(&file, text).unwrap();
        bench.until(&app, |state| {
            state["id"] == chat.as_str() && state["context"]["dirty"] == true
        });
        bench.ok(&app, &["chat", "refresh", &chat]);
    }
    bench.ok(&app, &["down"]);
}
