//! Whole sessions of the command line, with both outputs and the exit status of each command.

use std::fs;

use crate::session::{Session, stable};

/// The README's example workspace.
const AGENTS: &str = "# House rules\nWrite the test first.\nKeep functions short.\n";
const AGENTS_EDITED: &str =
    "# House rules\nWrite the test first.\nKeep functions short, and names long.\n";
const SKILL: &str = "---\nname: release-notes\ndescription: Writes release notes from the commits since the last tag. Use it before a release.\n---\nList what users notice in their own words, with its change.\n";
const SKILL_PATH: &str = ".agents/skills/release-notes/SKILL.md";

#[test]
fn the_first_session_of_the_readme_is_what_is_printed() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let section = readme
        .split("\n## ")
        .find(|section| section.starts_with("A first session\n"));
    let blocks = section.unwrap().split("```text\n").skip(1);
    let blocks: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2, "the edit is between two blocks");

    let mut session = Session::start("shop", AGENTS);
    session.file(SKILL_PATH, SKILL);
    let mut printed = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if number == 1 {
            session.edit("AGENTS.md", AGENTS_EDITED);
        }
        let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
        let outputs = lines.map(|line| {
            let said = session.run(line);
            assert_eq!(said.code, Some(0), "{line}: {said:#?}");
            format!("$ {line}\n{}", said.out)
        });
        printed.push(outputs.collect::<Vec<_>>().join("\n"));
    }
    let printed = session.stable(&printed.join("\n"));
    assert_shown(&stable(&blocks.join("\n")), &printed);
    session.run("ctxpin down");
    session.check("readme");
}

/// Asserts that two texts are equal, and names the first line that differs.
#[track_caller]
fn assert_shown(readme: &str, printed: &str) {
    for (shown, found) in readme.lines().zip(printed.lines()) {
        assert_eq!(
            shown, found,
            "the README is not what is printed:\n{printed}"
        );
    }
    assert_eq!(readme, printed);
}

#[test]
fn a_partial_refresh_a_decline_and_a_rollback() {
    let mut session = Session::start("shop", AGENTS);
    session.file(SKILL_PATH, SKILL);
    for line in ["ctxpin up --detach", "ctxpin chat show --exit-code"] {
        session.run(line);
    }
    session.edit("AGENTS.md", AGENTS_EDITED);
    for line in [
        "ctxpin chat decline",
        "ctxpin chat show --exit-code",
        "ctxpin chat decline --undo",
        "ctxpin chat decline --undo",
        "ctxpin chat decline",
    ] {
        session.run(line);
    }
    session.edit(".cursorrules", "Answer in English.\n");
    for line in [
        "ctxpin agent resync",
        "ctxpin chat show --resources",
        "ctxpin chat diff",
        "ctxpin chat refresh --source .cursorrules",
        "ctxpin chat history",
        "ctxpin chat turns",
        "ctxpin chat rollback 1",
        "ctxpin chat refresh",
        "ctxpin chat refresh",
        "ctxpin chat set --policy follow --title \"the till\"",
        "ctxpin chat list",
        "ctxpin skill list",
        "ctxpin skill show release-notes",
        "ctxpin agent list",
        "ctxpin agent heads shop",
        "ctxpin agent status",
        "ctxpin source list",
        "ctxpin chat unpin",
        "ctxpin prompt",
        "ctxpin prompt --path src/till.py --json",
        "ctxpin down",
        "ctxpin down",
    ] {
        session.run(line);
    }
    session.check("chat");
}

#[test]
fn an_observed_chat_is_left_to_its_client() {
    let mut session = Session::start("shop", AGENTS);
    for line in [
        "ctxpin up --detach",
        "ctxpin chat new --mode observed --client claude-code --reference session-1 --title \"the till\"",
        "ctxpin chat show",
    ] {
        session.run(line);
    }
    session.edit("AGENTS.md", AGENTS_EDITED);
    for line in [
        "ctxpin chat show",
        "ctxpin chat refresh",
        "ctxpin chat refresh --source AGENTS.md",
        "ctxpin chat rollback 1",
        "ctxpin chat unpin",
        "ctxpin chat set --policy follow",
        "ctxpin change list",
        "ctxpin change take --all",
        "ctxpin chat decline",
        "ctxpin chat list --mode observed",
        "ctxpin chat set --mode delivered",
        "ctxpin chat refresh",
        "ctxpin chat history",
        "ctxpin chat set --policy follow",
        "ctxpin chat set --mode observed",
        "ctxpin chat set --mode watched",
        "ctxpin down",
    ] {
        session.run(line);
    }
    session.check("observed");
}

#[test]
fn faults_that_need_no_server() {
    let mut session = Session::start("shop", AGENTS);
    for line in [
        "ctxpin chat show",
        "ctxpin up nowhere",
        "ctxpin scan nowhere",
        "ctxpin source list",
        "ctxpin source list --dir nowhere",
        "ctxpin chat list --server http://127.0.0.1:1",
        "CTXPIN_TOKEN=x ctxpin chat list --server http://127.0.0.1:1",
        "ctxpin chat list --server http://127.0.0.1:1 --token-file nowhere",
        "ctxpin chat list --server shop",
        "ctxpin push --server http://127.0.0.1:1 --token-file AGENTS.md --timeout 0",
        "CTXPIN_DATA_DIR=AGENTS.md ctxpin up --detach",
        "ctxpin serve --data-dir AGENTS.md",
        "ctxpin serve --data-dir data --listen localhost",
        "ctxpin serve --data-dir data --listen 192.0.2.1:7878",
        "ctxpin serve --data-dir data --database mysql://db/x",
        "ctxpin",
        "ctxpin chat",
        "ctxpin chet show",
        "ctxpin chat show --colour",
        "ctxpin chat set",
        "ctxpin chat set --policy sometimes",
        "git init --quiet && ctxpin check --since HEAD~1",
        "ctxpin completions dos",
    ] {
        session.run(line);
    }
    session.check("faults");
}

#[test]
fn faults_of_what_is_named() {
    let mut session = Session::start("shop", AGENTS);
    session.run("ctxpin up --detach");
    for line in [
        "ctxpin chat show 00000000",
        "ctxpin chat show 000",
        "ctxpin chat show shop",
        "ctxpin chat show 00000000-0000-7000-8000-000000000000",
        "CTXPIN_CHAT=00000000 ctxpin chat show",
        "ctxpin chat diff --from 1 --to 9",
        "ctxpin chat refresh --head 0000",
        "ctxpin chat refresh --source nowhere.md",
        "ctxpin chat rollback",
        "ctxpin chat rollback 9",
        "ctxpin chat turns 9",
        "ctxpin chat bind 00000000",
        "ctxpin skill show nothing",
        "ctxpin prompt --path src/main.rs",
        "ctxpin prompt --path ../AGENTS.md",
        "ctxpin prompt --path .",
        "ctxpin prompt --json",
        "ctxpin source remove nowhere",
        "ctxpin source add /etc",
        "ctxpin agent rotate-token 00000000",
        "ctxpin token revoke 00000000",
        "ctxpin user quota nobody --content 1GiB",
        "ctxpin token create --write-token AGENTS.md",
        "cd .. && ctxpin chat show",
        "ctxpin chat archive && ctxpin chat refresh",
        "ctxpin down",
    ] {
        session.run(line);
    }
    session.check("not_found");
}

#[test]
fn what_a_tool_gives_its_model() {
    let mut session = Session::start("shop", "Use tabs.\n");
    session.file("web/AGENTS.md", "Prefer small components.\n");
    session.file("web/CLAUDE.md", "Be <!-- very --> brief.\n");
    session.file("../home/.codex/AGENTS.md", "Mine.\n");
    for name in ["claude", "codex", "opencode"] {
        session.tool(name, "0.0.1");
    }
    session.file(SKILL_PATH, SKILL);
    for line in [
        "git init --quiet",
        "cd web && ctxpin scan --profile codex --user-roots",
        "cd web && ctxpin scan --profile claude-code",
        "cd web && ctxpin scan --profile opencode",
        "cd web && ctxpin scan --compare neutral,codex,opencode",
        "cd web && ctxpin scan --compare neutral,codex --json",
        "cd web && ctxpin scan --who CLAUDE.md",
        "cd web && ctxpin scan --who CLAUDE.md --json",
        "cd web && ctxpin scan --who missing.md",
        "mkdir -p .claude/commands && touch .claude/commands/ship.md",
        "ctxpin scan --who .claude/commands/ship.md",
        "ctxpin scan --profile codex AGENTS.md",
        "ctxpin scan --profile vim",
    ] {
        session.run(line);
    }
    session.check("tool");
}

#[test]
fn who_gives_a_file_to_which_links_lead() {
    let mut session = Session::start("shop", "Use tabs.\n");
    session.file(SKILL_PATH, SKILL);
    session.file(".agents/skills/release-notes/template.md", "Changes\n");
    session.file(".claude/settings.json", "{}\n");
    session.file(".mcp.json", "{\"mcpServers\": {}}\n");
    let deep = "d/".repeat(13);
    session.file(&format!("{deep}CLAUDE.md"), "Deep.\n");
    for line in [
        "git init --quiet",
        "ln -s AGENTS.md CLAUDE.md",
        "mkdir .claude/skills && ln -s ../../.agents/skills/release-notes .claude/skills",
        "ctxpin scan --who AGENTS.md",
        "ctxpin scan --who CLAUDE.md",
        "ctxpin scan --who .claude/skills/release-notes/SKILL.md",
        "ctxpin scan --who .agents/skills/release-notes/SKILL.md",
        "ctxpin scan --who .claude/skills/release-notes/template.md",
        "ctxpin scan --who .claude/settings.json",
        "ctxpin scan --who .mcp.json",
        &format!("ctxpin scan --who {deep}CLAUDE.md"),
        "mkdir pay .claude/rules && echo Short. > pay/CLAUDE.md && printf 'a\\377' > .claude/rules/latin.md",
        "ctxpin scan --who pay/CLAUDE.md",
        "ctxpin scan --who .claude/rules/latin.md",
        "ctxpin scan --who .claude/rules/latin.md --json | grep gives",
        "ctxpin scan --profile claude-code",
        "ctxpin scan --compare claude-code,codex",
        "rm CLAUDE.md && mv AGENTS.md CLAUDE.md && ln -s CLAUDE.md AGENTS.md",
        "ctxpin scan --who AGENTS.md",
        "ctxpin scan --who CLAUDE.md",
        "mkdir -p ../bare/.claude/rules && mv .claude/rules/latin.md ../bare/.claude/rules",
        "cd ../bare && ctxpin scan --profile claude-code",
        "mkdir -p kit web && echo Team. > kit/team.md && echo @../kit/team.md > web/CLAUDE.md && git init --quiet",
        "cd web && ctxpin scan --who ../kit/team.md",
    ] {
        session.run(line);
    }
    session.check("who");
}

#[test]
fn what_comes_with_a_file() {
    let mut session = Session::start("shop", "Use tabs.\n");
    session.file("CLAUDE.md", "Write the test first.\n");
    session.file(
        ".claude/rules/types.md",
        "---\npaths: src/**/*.ts\n---\nName every type. <!-- Tell nobody. -->\n",
    );
    session.file("pay/CLAUDE.md", "Keep functions short.\n");
    for line in [
        "git init --quiet",
        "ctxpin up --detach --profile claude-code",
        "ctxpin agent resync --profile claude-code",
        "ctxpin chat new --profile claude-code",
        "ctxpin prompt",
        "ctxpin prompt --path src/cart.ts",
        "cd pay && ctxpin prompt --path ../src/cart.ts --json | grep -E '\"(path|text)\"'",
        "ctxpin prompt --path pay/refund.py",
        "ctxpin prompt --path README.md",
        "ctxpin chat show | grep profile",
        "ctxpin down",
    ] {
        session.run(line);
    }
    session.check("with_a_file");
}

#[test]
fn a_tool_that_is_newer_than_its_rules_is_remarked() {
    let mut session = Session::start("shop", "Use tabs.\n");
    session.tool("codex", "0.999.0");
    session.file("bin/codex", "#!/bin/sh\ntouch ran\necho codex 9.9.9\n");
    for line in [
        "git init --quiet",
        "ctxpin scan --profile codex",
        "ctxpin scan --profile codex --json >/dev/null",
        // No program of the project is run.
        "chmod +x bin/codex && PATH=bin:$PWD/bin:$PATH ctxpin scan --profile codex && ls",
    ] {
        session.run(line);
    }
    session.check("newer_tool");
}

#[test]
fn what_codex_cuts_is_found_before_a_merge() {
    let mut session = Session::start("shop", &"Use tabs.\n".repeat(3_000));
    session.file("web/AGENTS.md", &"Prefer small components.\n".repeat(200));
    session.file("web/api/AGENTS.md", "Return JSON.\n");
    for line in [
        "git init --quiet",
        "ctxpin check",
        "ctxpin check web/api",
        "ctxpin check --format github web/AGENTS.md",
    ] {
        session.run(line);
    }
    session.file(
        "../home/.codex/config.toml",
        "project_doc_max_bytes = 100000\n",
    );
    session.run("ctxpin check web/api");
    session.check("codex_cut");
}

#[test]
fn a_workspace_is_scanned_and_checked() {
    let mut session = Session::start(
        "shop",
        "# House rules\n<!-- Tell nobody. -->\nRead docs/style.md first.\n",
    );
    session.file(SKILL_PATH, SKILL);
    session.file(".agents/skills/broken/SKILL.md", "No frontmatter.\n");
    session.file(
        ".mcp.json",
        r#"{"mcpServers": {"files": {"command": "mcp-files", "env": {"KEY": "x"}}}}"#,
    );
    for line in [
        "ctxpin scan",
        "ctxpin scan AGENTS.md",
        "ctxpin check",
        "ctxpin check --format github",
        "ctxpin check .agents/skills/release-notes",
        "ctxpin check nowhere",
    ] {
        session.run(line);
    }
    session.file(".ctxpin.toml", "[[check.except]]\ncode = \"no-such\"\n");
    session.run("ctxpin check");
    session.file(".ctxpin.toml", "[check]\nexcept = 1\n");
    session.run("ctxpin check");
    session.check("check");
}
