//! The parts of `ctxpin up` on their own: a server, agents with their own tokens, and clients that name
//! both.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ctxpin_testing::databases::create_postgres_database;

use crate::bench::{Bench, Running, assert_says, said};

#[test]
fn finding_06_an_admin_sees_and_raises_a_quota() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let options = [
        "--content-quota=5B",
        "--tokens-quota=7",
        "--pushes-per-minute=9",
    ];
    let served = bench.serve(&app, &options);
    let ok = |arguments: &[&str]| {
        let server = ["--server", &served.url, "--token-file", &served.token];
        bench.ok(&app, &[arguments, &server].concat())
    };
    let token = app.join("agent-token");
    let token = token.to_str().unwrap();
    ok(&[
        "agent",
        "create",
        "--workspace",
        "app",
        "--write-token",
        token,
    ]);
    let push = ["push", "--server", &served.url, "--token-file", token];
    let refused = bench.fails(&app, &push, 1);
    assert_says(
        &refused,
        &["5 bytes", "`ctxpin user quota NAME --content 20GiB`"],
    );
    let raised = ok(&["user", "quota", "admin", "--content", "20GiB"]);
    assert_says(&raised, &["20 GiB", "set by an admin"]);
    bench.ok(&app, &push);
    let usage = ok(&["user", "usage", "admin", "--json"]);
    let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
    assert_eq!(usage["content_bytes"]["used"], 10);
    assert_eq!(usage["tokens"]["quota"], 7);
    let back = ok(&["user", "quota", "admin", "--content", "default"]);
    assert_says(&back, &["content  10 bytes  5 bytes  200 %"]);
    assert_eq!(ok(&["user", "usage"]), back);
}

#[test]
fn a_server_an_agent_and_a_client_apart() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let server = [
        "--server",
        served.url.as_str(),
        "--token-file",
        served.token.as_str(),
    ];
    let with = |arguments: &[&str]| -> Vec<String> {
        let all = arguments.iter().chain(&server);
        all.map(ToString::to_string).collect()
    };
    let ok = |arguments: &[&str]| {
        let arguments = with(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        bench.ok(&app, &arguments)
    };
    let token = app.join("agent-token");
    let token_text = token.to_str().unwrap();
    ok(&[
        "agent",
        "create",
        "--workspace",
        "app",
        "--write-token",
        token_text,
    ]);
    let mode = fs::metadata(&token).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let written = fs::read(&token).unwrap();
    for command in [
        &["agent", "create", "--workspace", "app"][..],
        &["token", "create"],
    ] {
        let arguments = with(&[command, &["--write-token", token_text]].concat());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let refused = bench.fails(&app, &arguments, 1);
        assert_says(
            &refused,
            &["already exists", "no token was created", "hint: "],
        );
        assert_eq!(fs::read(&token).unwrap(), written);
    }
    let agents: serde_json::Value =
        serde_json::from_str(&ok(&["agent", "list", "--json"])).unwrap();
    assert_eq!(agents["items"].as_array().unwrap().len(), 1);
    let agent = agents["items"][0]["id"].as_str().unwrap().to_owned();

    let pushed = bench.ok(
        &app,
        &["push", "--server", &served.url, "--token-file", token_text],
    );
    assert_says(&pushed, &["pushed 1 resource as", "head number 1"]);
    let ending = &agent[agent.len() - 8..];
    let chat = ok(&[
        "chat", "new", "--agent", ending, "--title", "by hand", "--json",
    ]);
    let chat: serde_json::Value = serde_json::from_str(&chat).unwrap();
    let chat = chat["id"].as_str().unwrap();
    assert_says(&ok(&["prompt", &chat[chat.len() - 6..]]), &["Be brief."]);
    assert_says(&ok(&["chat", "list"]), &["by hand", "clean"]);
    assert_says(
        &ok(&["chat", "set", chat, "--policy", "follow"]),
        &["policy follow"],
    );
    assert_says(&ok(&["chat", "archive", chat]), &["archived"]);
    assert_says(&ok(&["chat", "archive", chat, "--undo"]), &["clean"]);
    assert_says(
        &ok(&["chat", "bind", "--none", "--chat", chat]),
        &["no agent"],
    );
    assert_says(&ok(&["chat", "delete", chat]), &["deleted"]);

    let mut command: Command = bench.command(&app, &["chat", "list", "--server", &served.url]);
    let refused = said(command.env("CTXPIN_TOKEN", "not-a-token"));
    assert_eq!(refused.code, Some(1));
    assert_says(
        &refused.err,
        &["error: ", "hint: the token came from CTXPIN_TOKEN"],
    );
    let refused = bench.fails(&app, &["chat", "list", "--server", &served.url], 2);
    assert_says(&refused, &["no token"]);

    for named in [OsStr::new("garbage"), OsStr::from_bytes(b"\xff")] {
        let mut command = bench.command(&app, &["chat", "show", "--server", &served.url]);
        let token = fs::read_to_string(&served.token).unwrap();
        command.env("CTXPIN_TOKEN", token.trim());
        let refused = said(command.env("CTXPIN_CHAT", named));
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert_says(
            &refused.err,
            &["error: CTXPIN_CHAT: ", "is not a chat id", "hint: "],
        );
    }
}

#[test]
fn agents_that_run_apart_on_one_directory_are_found_by_their_profile() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let mut running = Vec::new();
    for profile in ["neutral", "codex"] {
        let token = bench.agent_of(&app, &served, profile);
        let run = ["agent", "run", "--profile", profile, "--server"];
        let run = [&run[..], &[&served.url, "--token-file", &token]].concat();
        let mut run = Running::errors_of(&mut bench.command(&app, &run));
        run.until(|line| line.contains("pushed").then_some(()));
        running.push(run);
    }
    let status = bench.ok(&app, &["agent", "status"]);
    assert_eq!(status.matches("agent on ").count(), 2, "{status}");
    let status = bench.json(&app, &["agent", "status", "--profile", "codex"]);
    assert_eq!(status["profile"], "codex");
    let neutral = bench.json(&app, &["agent", "status"]);
    assert_eq!(neutral["profile"], "neutral");
    bench.ok(&app, &["agent", "resync", "--profile", "codex"]);
    let other = bench.fails(&app, &["agent", "status", "--profile", "claude-code"], 1);
    assert_says(
        &other,
        &[
            "no agent of the profile `claude-code` runs on",
            "but of neutral, codex",
        ],
    );

    // Another name of this machine leads to the same server.
    let renamed = served.url.replace("127.0.0.1", "localhost");
    let ask = ["--server", &renamed, "--token-file", &served.token];
    for (options, profile) in [(&[][..], "neutral"), (&["--profile", "codex"], "codex")] {
        let new = [&["chat", "new"], options, &ask].concat();
        let chat = bench.json(&app, &new);
        let agents = bench.json(&app, &[&["agent", "list"], &ask[..]].concat());
        let agents = agents["items"].as_array().unwrap();
        let bound = agents.iter().find(|agent| agent["id"] == chat["agent_id"]);
        assert_eq!(bound.unwrap()["profile"], profile);
    }
}

#[test]
fn a_server_says_why_it_cannot_start() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let data = ["serve", "--data-dir", "data"];
    for address in ["mysql://ada:hidden@db/x", "db.example", ""] {
        for command in [&data[..], &["up"]] {
            let arguments = [command, &["--database", address]].concat();
            let refused = bench.fails(&app, &arguments, 2);
            assert_says(&refused, &["error: ", "hint: ", "postgres://"]);
            assert!(!refused.contains("hidden"), "{refused}");
        }
    }
    for arguments in [
        [
            "--database-connections",
            "1",
            "--database",
            "postgres://db/x",
        ]
        .as_slice(),
        &[
            "--database-connections",
            "1001",
            "--database",
            "postgres://db/x",
        ],
        &[
            "--database-connections",
            "many",
            "--database",
            "postgres://db/x",
        ],
    ] {
        let refused = bench.fails(&app, &[&data[..], arguments].concat(), 2);
        assert_says(&refused, &["it must be a number from 2 to 1000"]);
    }
    // SQLite has no connections to limit.
    let refused = bench.fails(
        &app,
        &[&data[..], &["--database-connections", "9"]].concat(),
        2,
    );
    assert_says(&refused, &["--database <URL>"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let refused = bench.fails(&app, &[&data[..], &["--listen", &taken]].concat(), 1);
    assert_says(&refused, &["cannot listen on", "hint: another process"]);
}

#[test]
fn people_and_their_tokens() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let served = bench.serve(&app, &[]);
    let ok = |arguments: &[&str]| {
        let server = ["--server", &served.url, "--token-file", &served.token];
        bench.ok(&app, &[arguments, &server].concat())
    };
    assert_says(
        &ok(&["user", "create", "ada"]),
        &["created user", "ada", "member"],
    );
    let secret = ok(&[
        "token", "create", "--user", "ada", "--scope", "read", "--label", "l",
    ]);
    let mut command = bench.command(&app, &["token", "list", "--server", &served.url]);
    let listed = said(command.env("CTXPIN_TOKEN", secret.trim()));
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_says(&listed.out, &["read", "never expires"]);
    assert_says(&ok(&["user", "disable", "ada"]), &["disabled"]);
    let mut command = bench.command(&app, &["token", "list", "--server", &served.url]);
    let listed = said(command.env("CTXPIN_TOKEN", secret.trim()));
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert_says(&ok(&["user", "list"]), &["ada", "disabled"]);
}

#[test]
fn finding_11_what_a_stolen_token_made_ends_with_it() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let served = bench.serve(&app, &[]);
    let server = ["--server", &served.url, "--token-file", &served.token];
    let ok = |arguments: &[&str]| bench.ok(&app, &[arguments, &server].concat());
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&ok(&[arguments, &["--json"]].concat())).unwrap()
    };
    let stolen = json(&["token", "create", "--label", "ci", "--days", "1"]);
    let secret = stolen["secret"].as_str().unwrap();
    let id = stolen["token"]["id"].as_str().unwrap();
    let id = &id[id.len() - 12..];
    let (first, second) = (app.join("first"), app.join("second"));
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let by_stolen = |arguments: &[&str]| {
        let arguments = [arguments, &["--server", &served.url]].concat();
        let told = said(bench.command(&app, &arguments).env("CTXPIN_TOKEN", secret));
        assert_eq!(told.code, Some(0), "{}", told.err);
        told
    };
    let create = ["agent", "create", "--workspace", "app"];
    let created = by_stolen(&[&create[..], &["--write-token", first]].concat());
    assert_says(
        &created.err,
        &["its token expires", "ctxpin agent rotate-token"],
    );
    by_stolen(&["token", "create", "--label", "spare", "--scope", "read"]);
    let agent = json(&["agent", "list"]);
    let agent = agent["items"][0]["id"].as_str().unwrap();
    let push = ["push", "--server", &served.url, "--token-file"];
    bench.ok(&app, &[&push[..], &[first]].concat());
    // `token children` lists first what `revoke --with-children` revokes.
    let children = ok(&["token", "children", id]);
    let short = &agent[agent.len() - 8..];
    assert_says(&children, &[&format!("agent {short}"), "spare", "expires"]);
    let revoked = ok(&["token", "revoke", id, "--with-children"]);
    assert_says(&revoked, &["spare", "revoked token", "and its children"]);
    assert_says(
        &ok(&["token", "children", id]),
        &["it created no valid tokens or agents"],
    );
    bench.fails(&app, &[&push[..], &[first]].concat(), 1);
    assert_says(&ok(&["agent", "list"]), &["app", "revoked"]);
    // The agent stays and works with a new token.
    let rotate = ["agent", "rotate-token", agent, "--write-token"];
    let refused = [&rotate[..], &[first], &server].concat();
    let refused = bench.fails(&app, &refused, 1);
    assert_says(&refused, &["already exists", "no token was created"]);
    ok(&[&rotate[..], &[second]].concat());
    bench.ok(&app, &[&push[..], &[second]].concat());
    assert_says(&ok(&["agent", "list"]), &["app", "never expires"]);
}

#[test]
fn finding_12_an_admins_tokens_for_others_are_marked() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let served = bench.serve(&app, &[]);
    let server = ["--server", &served.url, "--token-file", &served.token];
    let ok = |arguments: &[&str]| bench.ok(&app, &[arguments, &server].concat());
    ok(&["user", "create", "ada"]);
    let secret = ok(&["token", "create", "--user", "ada"]);
    let mut command = bench.command(&app, &["token", "list", "--server", &served.url]);
    let listed = said(command.env("CTXPIN_TOKEN", secret.trim()));
    assert_says(&listed.out, &["CREATED BY", "admin admin"]);
    let own = ok(&["token", "list"]);
    assert!(!own.contains("admin admin"), "{own}");
}

#[test]
fn a_scan_needs_no_server() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief. @docs/more.md\n");
    let scanned = bench.ok(&app, &["scan"]);
    assert_says(
        &scanned,
        &["AGENTS.md", "ok", "@docs/more.md", "snapshot      sha256:"],
    );
    let json = bench.json(&app, &["scan"]);
    assert_eq!(json["resources"][0]["kind"], "instruction_file");
    assert!(json.get("error").is_none());
    assert_says(
        &bench.fails(&app, &["scan", "nowhere"], 1),
        &["does not exist"],
    );
    assert!(!bench.data().exists(), "a scan keeps nothing");
}

/// A server names the file of its first token only if the file exists. A second replica has none, unless a
/// token is supplied.
#[test]
fn case_b10_a_server_names_the_file_of_the_first_token_if_it_exists() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(create_postgres_database());
    let told = |data: &str, given: &[&str]| {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data];
        let arguments = [&serve[..], &["--database", &database], given].concat();
        let mut server = Running::errors_of(&mut bench.command(&app, &arguments));
        server.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
        let (code, said) = server.terminate_and_read();
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let first = told("first", &[]);
    assert_says(&first, &["the first user's token: first/admin-token"]);
    let second = told("second", &[]);
    assert!(!second.contains("the first user's token"), "{second}");
    let given = format!("ctxpin_{}_{}\n", "7".repeat(32), "e".repeat(64));
    fs::write(app.join("given"), given).unwrap();
    let third = told("third", &["--first-token-file", "given"]);
    assert_says(&third, &["the first user's token: given"]);
    assert!(!app.join("third/admin-token").exists());
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "third"];
    let missing = [&serve[..], &["--first-token-file", "missing"]].concat();
    let refused = bench.fails(&app, &missing, 1);
    assert_says(
        &refused,
        &["the first user's token", "missing cannot be read: "],
    );
}

/// Returns the shell blocks of a section of the README. Each runs in a separate terminal.
fn blocks_of_readme(title: &str) -> Vec<String> {
    let readme = include_str!("../../../../README.md");
    let (_, section) = readme.split_once(&format!("\n## {title}\n")).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").unwrap().0.to_owned());
    blocks.collect()
}

#[test]
fn the_readme_runs_for_others_as_it_is_printed() {
    let bench = Bench::new();
    let place = bench.workspace("machine", "Not the project's.\n");
    let bin = Path::new(env!("CARGO_BIN_EXE_ctxpin")).parent().unwrap();
    let mut path = bin.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    // The port of the README may be taken.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = port.unwrap().port().to_string();
    let terminal = |block: &str| {
        let block = block.replace("7878", &port);
        // The last command replaces the shell, so that it gets the signals. The last of a pipeline would
        // replace a subshell and outlive the shell, so it reads the one before it as a file.
        let block = block.trim_end();
        let (piped, input) = match block.rsplit_once(" |\n") {
            Some((before, last)) => {
                let (before, first) = before.rsplit_once('\n').unwrap_or(("", before));
                (format!("{before}\n{last}"), format!(" < <({first})"))
            }
            None => (block.to_owned(), String::new()),
        };
        let (before, last) = piped.rsplit_once('\n').unwrap_or(("", &piped));
        let mut shell = Command::new("bash");
        let program = bench.command(&place, &[]);
        let environment = program.get_envs();
        shell
            .args(["-ec", &format!("{before}\nexec {last}{input}")])
            .current_dir(&place)
            .env_clear()
            .envs(environment.filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", &path);
        shell
    };
    let [server, agent, chat] = &blocks_of_readme("Run it for others")[..] else {
        panic!("there are three terminals");
    };
    let mut server = Running::errors_of(&mut terminal(server));
    server.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
    let mut agent = Running::errors_of(&mut terminal(agent));
    agent.until(|line| line.contains("pushed").then_some(()));
    let given = said(&mut terminal(chat));
    assert_eq!(given.code, Some(0), "{given:#?}");
    assert!(
        given.out.contains("\nWrite the test first.\n"),
        "{given:#?}"
    );
    assert!(!given.out.contains("Not the project's"), "{given:#?}");
}
