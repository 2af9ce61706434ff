//! No word of a session is told: not in a table, a file, a log or an answer of the API, the page and the commands.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use ctxpin_browser::Chromium;
use ctxpin_model::evidence::Outcome;
use ctxpin_model::hash::BlobHash;
use ctxpin_testing::databases::{create_postgres_database, postgres_rows};
use serde_json::{Value, json};

use crate::bench::said;
use crate::hooks::Watched;
use crate::records::{Record, body};
use crate::secrets::Written;

const PROMPT: &str = "S3NTINEL-prompt-51aa";
const SAID: &str = "S3NTINEL-said-62bb";
const ANSWER: &str = "S3NTINEL-answer-73cc";
const RESULT: &str = "S3NTINEL-result-84dd";
const KEY: &str = "S3NTINEL-key-95ee";
const FOREIGN: &str = "S3NTINEL-foreign-a6ff";

/// The name of a file that no snapshot has.
const FILE: &str = "rules.md";

/// Returns the text of that file.
fn foreign() -> String {
    format!("{}{FOREIGN}\n", body("rules"))
}

/// Lets a client work in a session, and hands in its evidence.
fn work(watched: &Watched) {
    let one = body("one");
    let (agents, file) = (watched.app.join("AGENTS.md"), watched.app.join(FILE));
    let ask = |turn: &str| json!({"prompt_id": turn, "turn_id": turn, "prompt": PROMPT});
    if watched.client == "opencode" {
        watched.edit(&one);
        watched.told("s1", "SessionStart", &json!({"source": "startup"}));
        watched.told("s1", "UserPromptSubmit", &ask("t1"));
        let given = |path: &Path, text: &str| {
            format!(
                "{KEY}\n</env>\nInstructions from: {}\n{text}",
                path.display()
            )
        };
        let texts = [given(&agents, &one), given(&file, &foreign())];
        let given = json!({
            "type": "system", "session": "s1", "turn": "t1", "request": "r1", "version": "1.18.33", "texts": texts,
            "added": [format!("{RESULT}\n{}", texts[1])],
        });
        watched.told("s1", "Given", &json!({"given": given}));
        watched.told("s1", "Stop", &json!({}));
    } else {
        let mut record = Record::begun(watched, &one);
        record.gives(&agents, &one);
        record.gives(&file, &foreign());
        record.says("user", &format!("{SAID} {KEY}"));
        record.results(RESULT);
        watched.calls(&record, "UserPromptSubmit", &ask("t1"));
        record.turn("t1");
        record.says("assistant", ANSWER);
        watched.calls(&record, "Stop", &json!({}));
    }
    assert_eq!(
        watched.verdicts("s1", 1),
        ["deviates"],
        "{}",
        watched.client
    );
    watched.told("s1", "SessionEnd", &json!({}));
}

/// Keeps what the commands say about a chat.
fn commands(watched: &Watched, chat: &str, written: &mut Written) {
    let outside = watched.bench.root().join("outside.md");
    fs::write(&outside, foreign()).unwrap();
    let outside = outside.to_str().unwrap();
    for arguments in [
        &["chat", "list"][..],
        &["chat", "list", "--verdict", "deviates"],
        &["chat", "show", chat],
        &["chat", "history", chat],
        &["chat", "turns", "--chat", chat],
        &["chat", "turns", "1", "--chat", chat],
        &["chat", "turns", "1", "--chat", chat, "--prompt"],
        &["chat", "verify", chat],
        &["chat", "verify", "--chat", chat],
        &["exposure", "--file", outside],
        &["exposure", "--file", "AGENTS.md"],
        &["change", "list"],
        &["agent", "status"],
        &["agent", "list"],
        &["hook", "status"],
    ] {
        for more in [&[][..], &["--json"]] {
            if arguments.contains(&"--prompt") && !more.is_empty() {
                continue;
            }
            let arguments = [arguments, more].concat();
            let mut command = watched.bench.command(&watched.app, &arguments);
            let told = said(command.env("CTXPIN_LOG", "trace"));
            let verifies = arguments.contains(&"verify");
            assert_eq!(told.code, Some(if verifies { 3 } else { 0 }), "{told:#?}");
            let name = arguments.join(" ");
            written.add(format!("stdout of {name}"), told.out);
            written.add(format!("stderr of {name}"), told.err);
        }
    }
}

/// Keeps what the API answers about a chat.
fn answers(watched: &Watched, chat: &str, written: &mut Written) {
    let file = watched.bench.root().join("token");
    let path = file.to_str().unwrap();
    let create = ["token", "create", "--label", "ci", "--write-token", path];
    watched.bench.ok(&watched.app, &create);
    let token = fs::read_to_string(file).unwrap();
    let server = fs::read(watched.bench.data().join("server.json")).unwrap();
    let server: Value = serde_json::from_slice(&server).unwrap();
    let address = server["url"].as_str().unwrap();
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let hash = BlobHash::of(foreign().as_bytes());
    for path in [
        "chats".to_owned(),
        "chats?verdict=deviates".to_owned(),
        format!("chats/{chat}"),
        format!("chats/{chat}/context"),
        format!("chats/{chat}/context/history"),
        format!("chats/{chat}/context/diff"),
        format!("chats/{chat}/turns"),
        format!("chats/{chat}/turns/1"),
        format!("chats/{chat}/turns/1/prompt"),
        format!("hashes/{hash}/chats"),
        "changes".to_owned(),
        "audit".to_owned(),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token.trim()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        written.add(format!("answer to {path}"), answer);
    }
}

/// Keeps what the page shows of a chat.
async fn pages(watched: &Watched, chat: &str, written: &mut Written) {
    let link = watched.bench.ok(&watched.app, &["open", chat, "--print"]);
    let mut browser = Chromium::start().await.unwrap();
    browser.open(link.trim()).await.unwrap();
    let is_there = format!("location.pathname === '/chats/{chat}' && location.hash === ''");
    browser.until(&is_there).await.unwrap();
    let origin = browser.evaluate("location.origin").await.unwrap();
    let origin = origin.as_str().unwrap().to_owned();
    let hash = BlobHash::of(foreign().as_bytes());
    for path in [
        "/chats".to_owned(),
        "/chats?show=deviates".to_owned(),
        format!("/chats/{chat}"),
        format!("/chats/{chat}/context"),
        format!("/chats/{chat}/turns"),
        format!("/chats/{chat}/turns/1"),
        format!("/chats/{chat}/history"),
        format!("/search?q={hash}"),
        "/settings/audit".to_owned(),
    ] {
        browser.open(&format!("{origin}{path}")).await.unwrap();
        let is_there = "document.readyState === 'complete' && document.title !== ''";
        browser.until(is_there).await.unwrap();
        let shown = browser.evaluate("document.documentElement.outerHTML");
        let shown = shown.await.unwrap();
        written.add(format!("page {path}"), shown.as_str().unwrap());
    }
}

async fn nothing_is_told(client: &'static str, database: Option<&str>) {
    let mut variables = vec![("CTXPIN_LOG", "trace")];
    variables.extend(database.map(|database| ("CTXPIN_DATABASE", database)));
    let watched = Watched::with(client, &variables);
    work(&watched);
    let chat = watched.chat("s1")["id"].as_str().unwrap().to_owned();
    let mut written = Written::default();
    commands(&watched, &chat, &mut written);
    answers(&watched, &chat, &mut written);
    pages(&watched, &chat, &mut written).await;
    watched.bench.ok(&watched.app, &["down"]);
    assert!(watched.log().contains("TRACE"), "the log tells everything");
    written.add_files(&watched.bench.data());
    if let Some(database) = database {
        written.add("rows of the database", postgres_rows(database).await);
    }
    for word in [PROMPT, SAID, ANSWER, RESULT, KEY, FOREIGN] {
        assert_eq!(written.places_of(word), [""; 0], "{client}: {word} is told");
    }
    // The evidence is there all the same.
    let places = written.places_of(Outcome::Foreign.as_str());
    let stored = match database {
        Some(_) => "rows of the database",
        None => "ctxpin.sqlite",
    };
    let turn = format!("page /chats/{chat}/turns/1");
    let answer = format!("answer to chats/{chat}/turns/1");
    for place in [stored, &turn, &answer, "stdout of chat turns 1"] {
        let mut places = places.iter();
        assert!(
            places.any(|found| found.contains(place)),
            "{client}: {place}"
        );
    }
    // The chat is found by the file, without a word of it.
    let outside = watched.bench.root().join("outside.md");
    let found = format!("stdout of exposure --file {} --json", outside.display());
    assert!(written.places_of(&chat).contains(&&*found), "{client}");
}

#[tokio::test]
async fn no_word_of_a_session_is_told_on_sqlite() {
    for client in ["claude-code", "codex", "opencode"] {
        nothing_is_told(client, None).await;
    }
}

#[tokio::test]
async fn no_word_of_a_session_is_told_on_postgres() {
    for client in ["claude-code", "codex", "opencode"] {
        let database = create_postgres_database().await;
        nothing_is_told(client, Some(&database)).await;
    }
}
