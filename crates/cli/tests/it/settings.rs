//! Settings: the server and the token of commands that name none, and messages about invalid
//! values.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, Running, Said, Served, assert_says, said};

/// Starts a server whose address is a host name.
fn serve(bench: &Bench, directory: &Path) -> Served {
    bench.serve_at("localhost:0", directory, &[])
}

/// Runs a command with environment variables.
fn with(bench: &Bench, directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let mut command: Command = bench.command(directory, arguments);
    said(command.envs(variables.iter().copied()))
}

#[test]
fn case_b12_a_token_for_another_server_is_not_shown_to_the_own_one() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    bench.ok(&app, &["up", "--detach"]);
    let foreign = format!("ctxpin_{}_{}", "0".repeat(32), "0".repeat(64));
    let shown = with(
        &bench,
        &app,
        &[("CTXPIN_TOKEN", &foreign)],
        &["chat", "show"],
    );
    assert_eq!(shown.code, Some(0), "{shown:?}");

    let Served {
        server: _server,
        url,
        token,
    } = serve(&bench, &app);
    let server = ("CTXPIN_SERVER", url.as_str());
    let refused = with(
        &bench,
        &app,
        &[server, ("CTXPIN_TOKEN", &foreign)],
        &["chat", "list"],
    );
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_says(
        &refused.err,
        &[
            "the token came from CTXPIN_TOKEN",
            &url,
            "from CTXPIN_SERVER",
        ],
    );
    let wrong = app.join("wrong");
    fs::write(&wrong, &foreign).unwrap();
    let wrong = wrong.to_str().unwrap();
    let refused = with(
        &bench,
        &app,
        &[server],
        &["chat", "list", "--token-file", wrong],
    );
    assert_says(
        &refused.err,
        &["the token came from ", "wrong (--token-file)"],
    );
    let run = ["agent", "run", "--token-file", wrong];
    // The agent keeps running, and refuses the other server at the address of its own.
    let mut agent = Running::errors_of(bench.command(&app, &run).env(server.0, server.1));
    agent.until(|line| line.contains("has not proved to be").then_some(()));
    drop(agent);

    // The directory is watched by an agent of another server.
    let elsewhere = with(
        &bench,
        &app,
        &[server],
        &["chat", "show", "--token-file", &token],
    );
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
    assert_says(
        &elsewhere.err,
        &[
            "watches this directory with another server",
            "leave CTXPIN_SERVER out",
        ],
    );
    bench.ok(&app, &["down"]);
}

#[test]
fn case_b12_a_bad_value_says_where_it_stands_and_an_empty_one_is_none() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let data = bench.data().join("server");
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let serve = [&listen[..], &["--data-dir", data.to_str().unwrap()]].concat();
    let check = |variable: (&str, &str), arguments: &[&str], says: &[&str]| {
        let refused = with(&bench, &app, &[variable], arguments);
        assert_eq!(refused.code, Some(2), "{variable:?}: {refused:?}");
        assert_says(&refused.err, says);
    };
    check(
        ("CTXPIN_SERVER", "not an address"),
        &["chat", "list"],
        &["it is not an address", "the value stands in CTXPIN_SERVER"],
    );
    check(
        ("CTXPIN_CONTENT_QUOTA", "much"),
        &serve,
        &["the value stands in CTXPIN_CONTENT_QUOTA"],
    );
    check(
        ("CTXPIN_DATABASE", "mysql://db"),
        &serve,
        &["the value of CTXPIN_DATABASE is not"],
    );
    let unwritable = app.join("AGENTS.md").join("data");
    let unwritable = [&listen[..], &["--data-dir", unwritable.to_str().unwrap()]].concat();
    assert_says(
        &bench.fails(&app, &unwritable, 1),
        &["cannot be created", "--data-dir"],
    );
    // A message about a value on the command line does not name the variable.
    let refused = bench.fails(&app, &["chat", "list", "--server", "a.example:1"], 2);
    assert_says(&refused, &["write http:// or https:// before it"]);
    assert!(!refused.contains("CTXPIN_SERVER"), "{refused}");
    let refused = bench.fails(&app, &["serve", "--data-dir", "d", "--listen", "7878"], 2);
    assert_says(&refused, &["an IP address and a port, like 127.0.0.1:7878"]);

    bench.ok(&app, &["up", "--detach"]);
    let names = [
        "SERVER",
        "TOKEN",
        "CHAT",
        "DATABASE",
        "LOG",
        "CONTENT_QUOTA",
        "AGENTS_QUOTA",
    ];
    let names = names.map(|name| format!("CTXPIN_{name}"));
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let shown = with(&bench, &app, &empty, &["chat", "show"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_says(&shown.err, &["the newest of "]);
    let other = bench.workspace("other", "y\n");
    let up = with(&bench, &other, &empty, &["up", "--detach"]);
    assert_eq!(up.code, Some(0), "{up:?}");
    bench.ok(&app, &["down"]);
}

#[test]
fn case_b13_nothing_is_looked_up_before_it_is_needed() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let Served {
        server: _server,
        url,
        token,
    } = serve(&bench, &app);
    let homeless = |arguments: &[&str]| {
        let mut command = bench.command(&app, arguments);
        command.env_remove("HOME").env_remove("CTXPIN_DATA_DIR");
        command
    };
    let server = ["--server", &url, "--token-file", &token];
    let chat = ["chat", "new", "--no-agent", "--json"];
    let chat = said(&mut homeless(&[&chat[..], &server].concat()));
    assert_eq!(chat.code, Some(0), "{chat:?}");
    let chat: serde_json::Value = serde_json::from_str(&chat.out).unwrap();
    let prompt = ["prompt", chat["id"].as_str().unwrap()];
    let prompt = said(&mut homeless(&[&prompt[..], &server].concat()));
    assert_eq!(prompt.code, Some(0), "{prompt:?}");

    // The system may know a home although no variable names one. Otherwise, the command works
    // without a home.
    let mut up = homeless(&["up", "--no-user-roots", "--detach"]);
    let up = said(up.env("CTXPIN_DATA_DIR", bench.data()));
    assert_eq!(up.code, Some(0), "{up:?}");
    bench.ok(&app, &["down"]);
}

#[test]
fn after_agent_run_commands_know_the_directory_and_agents_go_by_their_workspace() {
    let bench = Bench::new();
    let app = bench.workspace("app", "Be brief.\n");
    let Served {
        server: _server,
        url,
        token,
    } = serve(&bench, &app);
    let secret = fs::read_to_string(&token).unwrap();
    let variables = [
        ("CTXPIN_SERVER", url.as_str()),
        ("CTXPIN_TOKEN", secret.trim()),
    ];
    let ok = |directory: &Path, arguments: &[&str]| {
        let done = with(&bench, directory, &variables, arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done.out
    };
    let fails = |directory: &Path, arguments: &[&str]| {
        let done = with(&bench, directory, &variables, arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
        done.err
    };
    assert_says(
        &fails(&app, &["chat", "show"]),
        &["you named no chat", "`ctxpin agent run --server URL` here"],
    );
    let agent = app.join("agent-token");
    let agent = agent.to_str().unwrap();
    let create = ["agent", "create", "--workspace", "my-project"];
    ok(&app, &[&create[..], &["--write-token", agent]].concat());
    let run = ["agent", "run", "--server", &url, "--token-file", agent];
    let mut run = Running::errors_of(&mut bench.command(&app, &run));
    run.until(|line| line.contains("number 1").then_some(()));

    assert_says(
        &ok(&app, &["chat", "new", "--title", "first"]),
        &["opened chat"],
    );
    let below = app.join("below");
    fs::create_dir(&below).unwrap();
    assert_says(&ok(&below, &["prompt"]), &["Be brief."]);
    assert_says(&ok(&app, &["chat", "show"]), &["\"first\"", "clean"]);

    let elsewhere = bench.workspace("elsewhere", "x\n");
    ok(&elsewhere, &["chat", "new", "--agent", "my-project"]);
    let listed = ok(
        &elsewhere,
        &["chat", "list", "--agent", "my-project", "--json"],
    );
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    ok(&app, &create);
    let refused = fails(&elsewhere, &["chat", "new", "--agent", "my-project"]);
    assert_says(
        &refused,
        &["2 agents match my-project", "name one by its id"],
    );
    let unknown = ["chat", "new", "--agent", "nobody"];
    let unknown = with(&bench, &elsewhere, &variables, &unknown);
    assert_says(
        &unknown.err,
        &["no agent of yours has the workspace \"nobody\""],
    );
    assert_eq!(run.terminate(), Some(0));
    assert_says(&ok(&app, &["prompt"]), &["Be brief."]);
}

#[test]
fn finding_22_a_ready_command_is_given_no_secret() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let run = ["agent", "run", "--ready-command", "env > seen"];
    let mut command = bench.command(&app, &run);
    command
        .env("CTXPIN_SERVER", "http://127.0.0.1:1")
        .env("CTXPIN_TOKEN", "S3NTINEL-token")
        .env("CTXPIN_DATABASE", "postgres://ada:S3NTINEL-password@db/x");
    let mut run = Running::errors_of(&mut command);
    run.until(|line| line.ends_with(" ready").then_some(()));
    assert_eq!(run.terminate(), Some(0));
    let seen = fs::read_to_string(app.join("seen")).unwrap();
    assert!(!seen.contains("S3NTINEL"), "{seen}");
    assert_says(&seen, &["PATH=", "CTXPIN_DATA_DIR="]);
}
