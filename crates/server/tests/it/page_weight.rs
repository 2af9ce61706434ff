//! What a browser with an empty cache receives for the largest diff that people review: the page with its style and its
//! script, packed as the server packs them.

use ctxpin_model::hash::BlobHash;
use ctxpin_testing::workspace::Workspace;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use crate::browser::{Browser, between, create_chat};
use crate::server::{Agent, Server};

const RESOURCES: usize = 500;
const LINES: usize = 40;
const CHANGED_LINES: [usize; 2] = [7, 23];

/// The most packed bytes of the page with its style and its script. Less than 100 kB are promised, with the heads of the
/// responses.
const PACKED_BYTES_MAX: usize = 95_000;

/// Text of few words packs as prose does.
const WORDS: [&str; 32] = [
    "a",
    "always",
    "and",
    "before",
    "branch",
    "build",
    "change",
    "check",
    "commit",
    "database",
    "deploy",
    "error",
    "every",
    "file",
    "for",
    "handler",
    "if",
    "in",
    "interface",
    "keep",
    "limit",
    "migration",
    "must",
    "never",
    "of",
    "payment",
    "query",
    "release",
    "the",
    "timeout",
    "when",
    "write",
];

fn line(edition: usize, file: usize, number: usize) -> String {
    let edition = match CHANGED_LINES.contains(&number) {
        true => edition,
        false => 0,
    };
    let hash = BlobHash::of(format!("{edition} {file} {number}").as_bytes());
    let words: Vec<_> = hash.bytes()[..9]
        .iter()
        .map(|byte| WORDS[usize::from(*byte) % WORDS.len()])
        .collect();
    words.join(" ") + "\n"
}

fn edition(edition: usize) -> Workspace {
    let workspace = Workspace::new("/srv/work");
    (0..RESOURCES).fold(workspace, |workspace, file| {
        let text: String = (0..LINES)
            .map(|number| line(edition, file, number))
            .collect();
        let path = format!("team-{}/rule-{file:03}/AGENTS.md", file / 20);
        workspace.file(&path, &text)
    })
}

/// Returns the length of a response that is packed like this.
async fn packed_bytes(browser: &Browser<'_>, path: &str, coding: &str) -> usize {
    let request = browser.get(path).header(ACCEPT_ENCODING, coding);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], coding, "{path}");
    response.bytes().await.unwrap().len()
}

// Browsers accept zstd only over TLS and on the machine of the server.
#[tokio::test]
async fn a_diff_of_500_resources_is_light_in_gzip() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition(1)).await;
    let chat = create_chat(&server, Some(agent.id), "Bring all rules up to date").await;
    agent.push(&edition(2)).await;
    for view in ["unified", "split"] {
        let path = format!("/chats/{chat}?view={view}");
        let page = browser.page(&path).await;
        assert_eq!(page.matches("<article").count(), RESOURCES);
        let mut bytes = packed_bytes(&browser, &path, "gzip").await;
        for begin in ["rel=\"stylesheet\" href=\"", "type=\"module\" src=\""] {
            bytes += packed_bytes(&browser, between(&page, begin, "\""), "gzip").await;
        }
        assert!(bytes <= PACKED_BYTES_MAX, "{view}: {bytes} bytes");
    }
    server.stop().await;
}
