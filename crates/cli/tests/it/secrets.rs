//! No output contains secrets. The tests run every command and failing requests with the most
//! verbose log, and then search all files and outputs for planted secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use ctxpin_testing::databases::{create_postgres_database, postgres_rows};

use crate::bench::{Bench, Running, Said, said};

/// Values of `.mcp.json`, which never leave the workspace.
const CONFIGURED: [&str; 6] = [
    "S3NTINEL-env-4f1a",
    "S3NTINEL-header-9b2c",
    "S3NTINEL-argument-77de",
    "S3NTINEL-user-1c3d",
    "S3NTINEL-password-e5f6",
    "S3NTINEL-query-08ab",
];

/// Texts of files, which may be in blobs and in requested outputs, but not in logs.
const BODIES: [&str; 4] = [
    "S3NTINEL-instructions-51aa",
    "S3NTINEL-skill-62bb",
    "S3NTINEL-file-73cc",
    "S3NTINEL-changed-84dd",
];

/// The password of the database.
const PASSWORD: &str = "S3NTINEL-database-c0de";

/// Values in failing requests: in a body, a query, a path, a header, and a token.
const ASKED: [&str; 5] = [
    "S3NTINEL-body-95ee",
    "S3NTINEL-asked-a6ff",
    "S3NTINEL-path-b700",
    "S3NTINEL-sent-c811",
    "S3NTINEL-token-d922",
];

/// Creates a workspace with the planted secrets.
fn workspace(bench: &Bench) -> PathBuf {
    let app = bench.workspace("app", &format!("Be brief. {}\n", BODIES[0]));
    let skill = app.join("skills/pdf");
    fs::create_dir_all(&skill).unwrap();
    let text = format!("---\nname: pdf\ndescription: Reads.\n---\n{}\n", BODIES[1]);
    fs::write(skill.join("SKILL.md"), text).unwrap();
    fs::write(skill.join("data.txt"), BODIES[2]).unwrap();
    let [env, header, argument, user, password, query] = CONFIGURED;
    let config = serde_json::json!({ "mcpServers": {
        "local": { "command": "tool", "args": ["--key", argument], "env": { "KEY": env } },
        "remote": {
            "type": "http",
            "url": format!("https://{user}:{password}@mcp.example/path?key={query}"),
            "headers": { "Authorization": format!("Bearer {header}") },
        },
    }});
    fs::write(app.join(".mcp.json"), config.to_string()).unwrap();
    app
}

/// Everything that was written, by the file or the output.
#[derive(Default)]
pub struct Written(BTreeMap<String, Vec<u8>>);

impl Written {
    pub fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.entry(place.into()).or_default().extend(bytes.into());
    }

    /// Adds every file below a directory.
    pub fn add_files(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                self.add_files(&path);
            } else if metadata.is_file() {
                self.add(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }

    /// Returns the places that contain a text, as it is or in hexadecimal digits.
    pub fn places_of(&self, text: &str) -> Vec<&str> {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let places = self.0.iter().filter(|(_, bytes)| {
            let bytes = String::from_utf8_lossy(bytes);
            bytes.contains(text) || bytes.contains(&hex)
        });
        places.map(|(place, _)| place.as_str()).collect()
    }
}

/// A server and an agent with the most verbose log, and a client.
struct Place<'b> {
    bench: &'b Bench,
    app: PathBuf,
    url: String,
    token_file: PathBuf,
    /// The chat for commands that name none.
    chat: String,
    written: Written,
}

impl Place<'_> {
    /// Runs a command of the first user, and keeps its output.
    fn run(&mut self, arguments: &[&str]) -> Said {
        let token_file = self.token_file.to_str().unwrap().to_owned();
        let server = ["--server", &self.url, "--token-file", &token_file];
        let mut command = self
            .bench
            .command(&self.app, &[arguments, &server].concat());
        if !self.chat.is_empty() {
            command.env("CTXPIN_CHAT", &self.chat);
        }
        self.keep(arguments, &mut command)
    }

    fn keep(&mut self, arguments: &[&str], command: &mut Command) -> Said {
        let said = said(command.env("CTXPIN_LOG", "trace"));
        let name = arguments.join(" ");
        self.written
            .add(format!("stdout of {name}"), said.out.as_bytes());
        self.written
            .add(format!("stderr of {name}"), said.err.as_bytes());
        said
    }

    fn ok(&mut self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said.out
    }

    /// Runs a command about the running agent of the directory.
    fn local(&mut self, arguments: &[&str]) {
        let mut command = self.bench.command(&self.app, arguments);
        let said = self.keep(arguments, &mut command);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    }

    /// Sends a raw request, and keeps the response.
    fn send(&mut self, name: &str, request: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        self.written
            .add(format!("answer to {name}"), answer.as_bytes());
        answer
    }
}

/// Starts a command with the most verbose log.
fn start(bench: &Bench, app: &Path, arguments: &[&str], database: Option<&str>) -> Running {
    let mut command = bench.command(app, arguments);
    command.env("CTXPIN_LOG", "trace");
    if let Some(database) = database {
        command.env("CTXPIN_DATABASE", database);
    }
    Running::errors_of(&mut command)
}

/// Runs every command of a user.
fn everyday(place: &mut Place<'_>) {
    let app = place.app.clone();
    place.local(&["scan"]);
    place.local(&["scan", "--json"]);
    place.local(&["agent", "status"]);
    place.local(&["agent", "resync"]);
    place.local(&["source", "add", "skills"]);
    place.local(&["source", "list"]);
    place.local(&["source", "show", "skills"]);
    place.local(&["source", "remove", "skills"]);
    let agents: serde_json::Value =
        serde_json::from_str(&place.ok(&["agent", "list", "--json"])).unwrap();
    let agent = agents["items"][0]["id"].as_str().unwrap().to_owned();
    let chat = place.ok(&["chat", "new", "--agent", &agent, "--json"]);
    let chat: serde_json::Value = serde_json::from_str(&chat).unwrap();
    let chat = chat["id"].as_str().unwrap().to_owned();
    place.chat.clone_from(&chat);
    let text = format!("Be brief. {}\n", BODIES[3]);
    fs::write(app.join("AGENTS.md"), text).unwrap();
    place.local(&["agent", "resync"]);
    for arguments in [
        &["agent", "list"][..],
        &["chat", "list"],
        &["chat", "show"],
        &["chat", "show", "--json"],
        &["chat", "diff"],
        &["chat", "decline"],
        &["chat", "refresh"],
        &["chat", "history"],
        &["chat", "rollback"],
        &["chat", "unpin"],
        &["chat", "refresh"],
        &["chat", "set", &chat, "--policy", "follow"],
        &["prompt"],
        &["skill", "list"],
        &["skill", "show", "pdf"],
        &["chat", "bind", "--none"],
        &["chat", "archive", &chat],
        &["user", "create", "ada"],
        &["user", "list"],
        &["token", "list"],
        &["user", "disable", "ada"],
        &["chat", "delete", &chat],
    ] {
        place.ok(arguments);
    }
}

/// Sends failing requests, each with a secret.
fn failures(place: &mut Place<'_>, token: &str) {
    let [in_body, in_query, in_path, in_header, in_token] = ASKED;
    let close = "connection: close\r\nhost: localhost\r\n";
    let json = "content-type: application/json\r\n";
    let bearer = format!("authorization: Bearer {token}\r\n");
    for (path, body) in [
        ("/api/v1/chats", format!(r#"{{"title": {in_body}}}"#)),
        (
            "/api/v1/chats",
            format!(r#"{{"policy": 7, "title": "{in_body}"}}"#),
        ),
        ("/api/v1/chats", format!(r#"{{"agent_id": "{in_body}"}}"#)),
        ("/api/v1/chats", format!(r#"["{in_body}"]"#)),
        (
            "/api/v1/agents",
            format!(r#"{{"workspace": ["{in_body}"]}}"#),
        ),
        (
            "/api/v1/tokens",
            format!(r#"{{"expires_at": "{in_body}"}}"#),
        ),
        (
            "/api/v1/agent/session",
            format!(r#"{{"process": "{in_body}"}}"#),
        ),
    ] {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\n{close}{json}{bearer}content-length: {length}");
        let answer = place.send("a malformed body", &format!("{head}\r\n\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\n{close}{more}\r\n");
    for request in [
        get(&format!("/api/v1/chats?limit={in_query}"), &bearer),
        get(&format!("/api/v1/chats?agent={in_query}"), &bearer),
        get(&format!("/api/v1/chats/{in_path}"), &bearer),
        get(&format!("/{in_path}"), &bearer),
        get(
            "/api/v1/chats",
            &format!("authorization: Bearer {in_token}\r\n"),
        ),
        get(
            "/api/v1/chats",
            &format!("authorization: Basic {in_token}\r\n"),
        ),
        get("/api/v1/chats", &format!("{bearer}{bearer}")),
        get(
            "/api/v1/chats",
            &format!("cookie: {in_header}\r\nx: {in_header}\r\n"),
        ),
        get("/api/v1/chats", &format!("bad header: {in_header}\r\n")),
    ] {
        let answer = place.send("a bad request", &request);
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let metrics = place.send("/metrics", &get("/metrics", ""));
    assert!(metrics.contains("ctxpin_http_requests_total"), "{metrics}");
    for value in ["S3NTINEL-token-d922", "ctxpin_00_11"] {
        let arguments = ["chat", "list", "--server", &place.url.clone()];
        let mut command = place.bench.command(&place.app, &arguments);
        let refused = place.keep(&["chat", "list"], command.env("CTXPIN_TOKEN", value));
        assert_eq!(refused.code, Some(1), "{refused:?}");
    }
}

/// Runs all commands and failing requests on a database, and searches all outputs. `rows` returns
/// the content of a database that is not a file.
fn nothing_is_told(database: Option<&str>, rows: impl FnOnce() -> String) {
    let bench = Bench::new();
    let app = workspace(&bench);
    let data = bench.data().join("server");
    let data_text = data.to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_text];
    let mut server = start(&bench, &app, &arguments, database);
    let url = server.until(|line| line.strip_prefix("serving ").map(str::to_owned));
    server.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
    let mut place = Place {
        bench: &bench,
        app: app.clone(),
        url: url.clone(),
        token_file: data.join("admin-token"),
        chat: String::new(),
        written: Written::default(),
    };
    let keys = bench.data().join("keys");
    fs::create_dir(&keys).unwrap();
    let (agent_token, user_token) = (keys.join("agent"), keys.join("user"));
    let write = |path: &Path| {
        [
            "--write-token".to_owned(),
            path.to_str().unwrap().to_owned(),
        ]
    };
    let [flag, path] = write(&agent_token);
    place.ok(&["agent", "create", "--workspace", "app", &flag, &path]);
    let [flag, user_path] = write(&user_token);
    place.ok(&["token", "create", "--label", "ci", &flag, &user_path]);
    place.local(&["push", "--server", &url, "--token-file", &path]);
    let run = ["agent", "run", "--server", &url, "--token-file", &path];
    let mut agent = start(&bench, &app, &run, None);
    agent.until(|line| line.contains(" is open;").then_some(()));

    everyday(&mut place);
    let token = fs::read_to_string(&place.token_file).unwrap();
    failures(&mut place, token.trim());

    let mut written = place.written;
    let (code, log) = agent.terminate_and_read();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("TRACE"), "the log tells everything");
    written.add("log of the agent", log);
    let (code, log) = server.terminate_and_read();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("TRACE") && log.contains("answered"),
        "the log tells everything"
    );
    written.add("log of the server", log);
    written.add("rows of the database", rows());
    written.add_files(&bench.data());

    let tokens = [&place.token_file, &agent_token, &user_token];
    let secrets = tokens.map(|file| {
        let token = fs::read_to_string(file).unwrap();
        (token.trim().rsplit('_').next().unwrap().to_owned(), file)
    });
    for (secret, file) in &secrets {
        let places = written.places_of(secret);
        assert_eq!(places, [file.to_str().unwrap()], "a token is told");
    }
    for value in CONFIGURED.iter().chain(&ASKED).chain([&PASSWORD]) {
        assert_eq!(written.places_of(value), [""; 0], "{value} is told");
    }
    for body in BODIES {
        let places = written.places_of(body);
        assert!(!places.is_empty(), "{body} is stored");
        let may_hold = |place: &&str| {
            let is_asked_for = ["prompt", "skill show", "chat diff", "chat show --json"];
            place.contains("ctxpin.sqlite")
                || *place == "rows of the database"
                || is_asked_for
                    .iter()
                    .any(|name| place.starts_with(&format!("stdout of {name}")))
        };
        let elsewhere: Vec<_> = places.iter().filter(|place| !may_hold(place)).collect();
        assert!(elsewhere.is_empty(), "{body} is told in {elsewhere:?}");
    }
}

#[test]
fn nothing_is_told_on_sqlite() {
    nothing_is_told(None, String::new);
}

#[test]
fn nothing_is_told_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(create_postgres_database());
    // The test's PostgreSQL accepts any password. It is enough that the server sends one.
    let (scheme, rest) = database.split_once("://").unwrap();
    let (user, host) = rest.split_once('@').unwrap();
    let with_password = format!("{scheme}://{user}:{PASSWORD}@{host}");
    nothing_is_told(Some(&with_password), || {
        runtime.block_on(postgres_rows(&database))
    });
}
