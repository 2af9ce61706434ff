//! What the pages say of the evidence of turns.

use anyhow::Result;
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::{AnyHash, BlobHash};
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::evidence::{EvidenceRow, ForeignText, ResourceResult};
use ctxpin_protocol::http::turns::TurnBegin;

use crate::browser::{Browser, create_chat, create_observed};
use crate::flows::signed_in;
use crate::pages::{check_golden, editions};
use crate::server::{Agent, Server};

/// The instructions of the workspace at first.
const RULES: &str = "# Rules\n\nBe kind.\nKeep functions short.\n";

/// A text that no snapshot has.
const NOBODYS: &str = "Nobody has this.\n";

/// Hands in rows about turns, as a reader of records does.
pub struct Reader<'s> {
    server: &'s Server,
    key: EvidenceKey,
}

impl<'s> Reader<'s> {
    pub async fn new(server: &'s Server) -> Self {
        let key = server.client.evidence_key().await.unwrap();
        let key: AnyHash = format!("sha256:{}", key.key.expose()).parse().unwrap();
        Self {
            server,
            key: EvidenceKey::new(*key.bytes()),
        }
    }

    /// Begins a turn, and hands in a row about its requests.
    pub async fn turn(&self, chat: ChatId, verdict: &str, resources: Vec<ResourceResult>) -> i64 {
        let client = &self.server.client;
        let turn = client.turn_begin(chat, &TurnBegin::default()).await;
        let number = turn.unwrap().turn.number;
        self.add(chat, number, verdict, resources).await;
        number
    }

    /// Hands in a row about a turn.
    async fn add(&self, chat: ChatId, turn: i64, verdict: &str, resources: Vec<ResourceResult>) {
        let row = self.row(verdict, resources);
        let added = self.server.client.evidence_add(chat, turn, &row).await;
        added.unwrap();
    }

    fn row(&self, verdict: &str, resources: Vec<ResourceResult>) -> EvidenceRow {
        let requests = format!("{resources:?}");
        let is_whole = verdict != "incomplete";
        EvidenceRow {
            owner_key: self.key.name().to_string(),
            source: "transcript".to_owned(),
            client_version: Some("2.1.332".to_owned()),
            key: AnyHash::of(requests.as_bytes()).hex(),
            verdict: verdict.to_owned(),
            requests: 3,
            whole: if is_whole { 3 } else { 2 },
            gaps: match is_whole {
                true => Vec::new(),
                false => vec!["compaction".to_owned()],
            },
            first_different: (verdict == "deviates").then_some(2),
            resources,
            left_out: 0,
            shows: None,
        }
    }

    /// Returns a page with the same name in each run for a text that no snapshot has.
    fn with_a_steady_name(&self, page: &str, text: &str) -> String {
        let [name, _] = self.foreign("", text).foreign.unwrap().names;
        let (bold, rest) = name[..12].split_at(8);
        let short = format!("<b>{bold}</b>{rest}");
        page.replace(&name, "NAME").replace(&short, "<b>NA</b>ME")
    }

    /// Returns a text that no snapshot has, under this path.
    pub fn foreign(&self, path: &str, text: &str) -> ResourceResult {
        let name = |text: &str| self.key.name_of_foreign(BlobHash::of(text.as_bytes()));
        ResourceResult {
            kind: None,
            content_hash: None,
            foreign: Some(ForeignText {
                size_bytes: text.len() as u64,
                names: [text.to_owned(), format!("{text}\n")].map(|text| name(&text).to_string()),
            }),
            ..result("instruction_file", path, "foreign", "")
        }
    }
}

/// Returns what became of a resource.
pub fn result(kind: &str, path: &str, outcome: &str, text: &str) -> ResourceResult {
    ResourceResult {
        path: Some(path.to_owned()),
        kind: Some(kind.to_owned()),
        content_hash: Some(BlobHash::of(text.as_bytes()).to_string()),
        outcome: outcome.to_owned(),
        given_bytes: None,
        size_bytes: None,
        body: None,
        within: false,
        request: 2,
        place: None,
        foreign: None,
    }
}

/// Returns results of every kind, the worst first.
fn mixed(reader: &Reader<'_>) -> Vec<ResourceResult> {
    let file = |path: &str, outcome: &str| result("instruction_file", path, outcome, path);
    vec![
        reader.foreign("notes/<b>rules</b>.md", NOBODYS),
        file("/srv/shop/api/AGENTS.md", "stale"),
        ResourceResult {
            within: true,
            ..file("/srv/shop/web/AGENTS.md", "absent")
        },
        ResourceResult {
            given_bytes: Some(32_768),
            size_bytes: Some(32_770),
            ..result(
                "instruction_file",
                "/srv/shop/AGENTS.md",
                "given-up-to",
                RULES,
            )
        },
        result(
            "skill",
            "/srv/shop/.agents/skills/pdf/SKILL.md",
            "given",
            "pdf",
        ),
        file("/srv/shop/docs/AGENTS.md", "not-asked-for"),
    ]
}

#[tokio::test]
async fn pages_tell_what_a_turn_really_had() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let reader = Reader::new(&server).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&editions()[0]).await;
    let chat = create_observed(&server, Some(agent.id), "Split the payment step").await;
    let other = create_chat(&server, Some(agent.id), "Another").await;
    reader.turn(chat, "as-pinned", Vec::new()).await;
    reader.turn(chat, "incomplete", Vec::new()).await;
    let turn = reader.turn(chat, "deviates", mixed(&reader)).await;
    server
        .client
        .turn_begin(chat, &TurnBegin::default())
        .await
        .unwrap();
    reader.turn(other, "as-pinned", Vec::new()).await;
    let path = format!("/chats/{chat}/turns");
    check_golden(
        "evidence-chats",
        &browser.page("/chats?show=deviates").await,
    );
    check_golden("evidence-turns", &browser.page(&path).await);
    let page = browser.page(&format!("{path}/{turn}")).await;
    check_golden("evidence-turn", &reader.with_a_steady_name(&page, NOBODYS));
    assert!(!page.contains("Nobody has this"), "{page}");
    // A script puts the same into the list.
    let part = browser
        .get(&format!("{path}/{turn}"))
        .header("ctxpin-fragment", "true");
    let part = part.send().await.unwrap().text().await.unwrap();
    assert!(part.contains("/srv/shop/api/AGENTS.md"), "{part}");
    // Nobody takes a turn without evidence for one that is as pinned.
    let none = browser.page(&format!("{path}/{}", turn + 1)).await;
    assert!(none.contains("<b>No evidence was handed in</b>"), "{none}");
    assert!(none.contains("ctxpin hook status"), "{none}");
    // A search tells what was in force, and beside it what was really given.
    for (name, text) in [("given", RULES), ("foreign", NOBODYS)] {
        let hash = BlobHash::of(text.as_bytes());
        let found = browser.page(&format!("/search?q={hash}")).await;
        check_golden(&format!("evidence-search-{name}"), &found);
    }
    // A file beside the pin may be there by mistake.
    let beside = create_observed(&server, Some(agent.id), "Beside").await;
    let only = vec![reader.foreign("notes/rules.md", NOBODYS)];
    let deviating = reader.turn(beside, "deviates", only).await;
    let path_beside = format!("/chats/{beside}/turns/{deviating}");
    let page = browser.page(&path_beside).await;
    assert!(
        page.contains("If its file should not be there, take it away"),
        "{page}"
    );
    // The text that a delivered chat's requests lacked is not what they were given.
    let delivered = create_chat(&server, Some(agent.id), "Delivered").await;
    let stale = result("instruction_file", "/srv/shop/AGENTS.md", "stale", "before");
    for (verdict, resources, heading) in [
        ("as-pinned", Vec::new(), "The prompt as it was given"),
        ("deviates", vec![stale], "The prompt as pinned"),
    ] {
        let turn = reader.turn(delivered, verdict, resources).await;
        let page = browser
            .page(&format!("/chats/{delivered}/turns/{turn}"))
            .await;
        assert!(page.contains(heading), "{page}");
    }
    // Without evidence, or with less than all of it, nobody knows what the requests had.
    let begin = TurnBegin::default();
    let begun = server.client.turn_begin(delivered, &begin);
    let silent = begun.await.unwrap().turn.number;
    let incomplete = reader.turn(delivered, "incomplete", Vec::new()).await;
    for turn in [silent, incomplete] {
        let page = browser
            .page(&format!("/chats/{delivered}/turns/{turn}"))
            .await;
        assert!(page.contains("no proof that the requests had it"), "{page}");
        assert!(!page.contains("as it was given"), "{page}");
    }
    // An auditor sees what became of each file, and no text.
    let auditor = Browser::of_user(&server, "auditor", &["auditor"], &["read"]).await;
    let seen = auditor.page(&format!("{path}/{turn}")).await;
    assert!(seen.contains("deviates"), "{seen}");
    assert!(!seen.contains("Resume the session"), "{seen}");
    assert!(!seen.contains("prompt-title"), "{seen}");
    server.stop().await;
}

/// The fifth task of the page: which file did the model of this chat not get?
#[tokio::test]
async fn a_stranger_finds_the_file_that_a_model_did_not_get() -> Result<()> {
    let server = Server::start().await;
    let reader = Reader::new(&server).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&editions()[0]).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    create_chat(&server, Some(agent.id), "Another").await;
    let absent = vec![result(
        "instruction_file",
        "/srv/shop/api/AGENTS.md",
        "absent",
        "api",
    )];
    let mut browser = signed_in(&server, "/chats").await?;
    // The evidence comes while the list is open.
    reader.turn(chat, "deviates", absent).await;
    browser
        .until("[...document.querySelectorAll('.filters a')].some((link) => link.textContent === 'Deviates 1')")
        .await?;
    browser
        .follow(".filters a[href='/chats?show=deviates']")
        .await?;
    let rows = browser
        .evaluate("document.querySelectorAll('.row-link').length")
        .await?;
    assert_eq!(rows, 1);
    browser.follow("a.proof").await?;
    let found = browser
        .evaluate("document.querySelector('.results tbody tr').innerText")
        .await?;
    let found = found.as_str().unwrap_or_default();
    assert!(
        found.contains("absent") && found.contains("api/AGENTS.md"),
        "{found}"
    );
    // The same from the chat: its button, and the row of the turn.
    browser
        .open(server.url.join(&format!("/chats/{chat}"))?.as_str())
        .await?;
    browser.follow(".head a.primary").await?;
    browser
        .until("document.querySelector('.results td').textContent === 'absent'")
        .await?;
    browser.follow(".tabs a[href$='/turns']").await?;
    browser.click(".turn summary").await?;
    browser
        .until("document.querySelector('.turn[open] .results td')?.textContent === 'absent'")
        .await?;
    // An open turn follows what comes later.
    let newer = result("instruction_file", "/srv/shop/AGENTS.md", "newer", "new");
    reader.add(chat, 1, "deviates", vec![newer]).await;
    browser
        .until("document.querySelector('.turn[open] .results td')?.textContent === 'newer'")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
