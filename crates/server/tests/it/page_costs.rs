//! What a page costs: the statements in the database, which do not grow with what the page shows, and its size,
//! which has a bound whatever a workspace sends.

use std::fmt::Write as _;

use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::context::ContextMove;
use ctxpin_protocol::http::people::{TokenCreate, UserCreate};
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, between, create_chat};
use crate::document::check_golden;
use crate::evidence::{Reader, result};
use crate::scene::check_complete;
use crate::server::{Agent, Server};
use crate::sign_in::statements;

/// The most bytes of a page, before compression.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

fn edition(number: usize, files: usize) -> Workspace {
    let first = Workspace::with_agents_md("/w", &format!("Edition {number}.\n"));
    (1..files).fold(first, |workspace, file| {
        workspace.file(
            &format!("rules/{file}.md"),
            &format!("Rule {file} of edition {number}.\n"),
        )
    })
}

/// A user's objects: a chat that has drifted, and another one with moves and turns.
struct Scene<'s> {
    server: &'s Server,
    agent: Agent,
    drifted: ChatId,
    moved: ChatId,
    /// The number of the last edition of the workspace.
    edition: usize,
}

impl<'s> Scene<'s> {
    async fn new(server: &'s Server) -> Self {
        let mut agent = Agent::create(server).await;
        agent.push(&edition(0, 2)).await;
        let drifted = create_chat(server, Some(agent.id), "Drifted").await;
        let moved = create_chat(server, Some(agent.id), "Moved").await;
        let mut scene = Self {
            server,
            agent,
            drifted,
            moved,
            edition: 0,
        };
        scene.grow(2).await;
        scene
    }

    /// Adds some of everything that a page lists.
    async fn grow(&mut self, count: usize) {
        let client = &self.server.client;
        for number in 0..count {
            self.edition += 1;
            self.agent.push(&edition(self.edition, 2)).await;
            let refresh = ContextMove::default();
            let moved = client.context_move(self.moved, &refresh, None).await;
            moved.unwrap();
            let stale =
                |file: usize| result("instruction_file", &format!("/w/{file}.md"), "stale", "old");
            let had = format!("Edition {}.\n", self.edition - 1);
            let had = result("instruction_file", "/w/AGENTS.md", "stale", &had);
            let stale: Vec<_> = (0..count).map(stale).chain([had]).collect();
            let reader = Reader::new(self.server).await;
            reader.turn(self.moved, "deviates", stale).await;
            let mut other = Agent::create(self.server).await;
            let own = |edition| {
                let text = format!("Workspace {number} of {count}, edition {edition}.\n");
                Workspace::with_agents_md("/w", &text)
            };
            other.push(&own(1)).await;
            create_chat(self.server, Some(other.id), "Another").await;
            other.push(&own(2)).await;
            let token = TokenCreate::default();
            client.token_create(&token).await.unwrap();
            let user = UserCreate {
                name: format!("User {number} of {count}"),
                roles: vec!["member".into()],
            };
            client.user_create(&user).await.unwrap();
        }
        self.edition += 1;
        self.agent.push(&edition(self.edition, count)).await;
    }

    /// Returns the paths of all pages.
    async fn paths(&self, browser: &Browser<'_>) -> Vec<String> {
        let inbox = browser.page("/").await;
        let change = between(&inbox, "href=\"/changes/", "\"");
        let context = browser
            .page(&format!("/chats/{}/context", self.drifted))
            .await;
        let resource = between(&context, "/context?resource=", "\"");
        let mut paths: Vec<_> = [
            "/",
            "/chats",
            "/chats?show=drifted",
            "/chats?show=deviates",
            "/chats/new",
            "/workspaces",
            "/workspaces/new",
            "/search",
            "/search?q=drifted",
            "/settings",
            "/settings/users",
            "/settings/sessions",
            "/settings/usage",
            "/settings/audit",
            "/sign-in",
        ]
        .map(str::to_owned)
        .into();
        paths.push(format!("/changes/{change}"));
        let tokens = browser.page("/settings").await;
        let token = between(&tokens, "href=\"/settings/tokens/", "\"");
        paths.push(format!("/settings/tokens/{token}"));
        let agent = self.agent.id;
        paths.push(format!("/workspaces/{agent}"));
        paths.push(format!("/workspaces/{agent}/compare?from=1&to=2"));
        paths.push(format!("/workspaces/{agent}/delete"));
        paths.push(format!("/search?agent={agent}"));
        let hash = edition(0, 2).snapshot().resources[0].body().unwrap();
        paths.push(format!("/search?q={hash}"));
        let drifted = [
            "?view=unified".to_owned(),
            "?view=split".to_owned(),
            "/context".to_owned(),
            format!("/context/{resource}/raw"),
            "/prompt".to_owned(),
            "/prompt/raw".to_owned(),
            "/settings".to_owned(),
            "/delete".to_owned(),
        ];
        paths.extend(drifted.map(|tab| format!("/chats/{}{tab}", self.drifted)));
        let turn = format!("/chats/{}/turns/1", self.moved);
        let texts = format!("{turn}/texts/");
        let text = browser.page(&turn).await;
        paths.push(format!("{texts}{}", between(&text, &texts, "\"")));
        let moved = [
            "/turns",
            "/turns/1",
            "/turns/1/prompt/raw",
            "/history",
            "/history/compare?from=1&to=2",
        ];
        paths.extend(moved.map(|tab| format!("/chats/{}{tab}", self.moved)));
        check_complete(&paths);
        paths
    }
}

/// Returns a path with words in place of ids.
fn pattern(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_id =
        |part: &str| part.len() >= 16 && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let parts = path.split('/').map(|part| match is_id(part) {
        true => "ID",
        false => part,
    });
    let path = parts.collect::<Vec<_>>().join("/");
    let hash = query.split_once("sha256:");
    match hash.or(query.split_once("agent=")) {
        Some((before, _)) if hash.is_some() => format!("{path}?{before}HASH"),
        Some((before, _)) => format!("{path}?{before}agent=ID"),
        None if query.is_empty() => path,
        None => format!("{path}?{query}"),
    }
}

/// Returns how many statements each page executes that was read before. The least of several loads is without the
/// server's own work.
async fn costs(server: &Server, scene: &Scene<'_>) -> Vec<(String, u64)> {
    let browser = Browser::sign_in(server, &server.token).await;
    let mut costs = Vec::new();
    for path in scene.paths(&browser).await {
        let mut least = u64::MAX;
        for _ in 0..4 {
            let before = statements(server).await;
            browser.page(&path).await;
            least = least.min(statements(server).await - before);
        }
        costs.push((pattern(&path), least));
    }
    costs
}

async fn pages_cost_what_was_reviewed(server: Server) {
    let mut scene = Scene::new(&server).await;
    let few = costs(&server, &scene).await;
    let mut table = String::from("statements page\n");
    for (page, cost) in &few {
        writeln!(table, "{cost:>10} {page}").unwrap();
    }
    check_golden("page-costs", &table);
    scene.grow(40).await;
    assert_eq!(costs(&server, &scene).await, few, "with more rows");
    server.stop().await;
}

#[tokio::test]
async fn pages_cost_what_was_reviewed_on_sqlite() {
    pages_cost_what_was_reviewed(Server::start().await).await;
}

#[tokio::test]
async fn pages_cost_what_was_reviewed_on_postgres() {
    let database = create_postgres_database().await;
    pages_cost_what_was_reviewed(Server::start_on(Some(database)).await).await;
}

/// Returns a workspace at its limits: as many files of the prompt and files of skills as a snapshot has.
fn full(edition: usize) -> Workspace {
    const FILES: usize = 980;
    let line = format!("Edition {edition} <has> \"marks\" & more.\n");
    let text = line.repeat(2_000 / line.len());
    let long = "<long>".repeat(20);
    let mut workspace = Workspace::new("/w");
    for number in 0..FILES {
        let path = format!("{long}/{edition}/{number}/AGENTS.md");
        workspace = workspace.file(&path, &format!("{number}\n{text}"));
    }
    for number in 0..8 {
        let paths: Vec<_> = (0..500).map(|file| format!("{long}/{file}.md")).collect();
        let files: Vec<_> = paths
            .iter()
            .map(|path| (path.as_str(), line.as_str()))
            .collect();
        workspace = workspace.skill(&format!("skill-{number}"), &long, &files);
    }
    workspace
}

#[tokio::test]
async fn no_page_is_larger_than_its_bound() {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let pushed = agent.push(&full(1)).await;
    assert!(pushed.accepted, "{pushed:?}");
    let chat = create_chat(&server, Some(agent.id), "Full").await;
    let refresh = ContextMove::default();
    let long = "<long>".repeat(30);
    let stale = |file: usize| {
        result(
            "instruction_file",
            &format!("/w/{long}/{file}.md"),
            "stale",
            "old",
        )
    };
    let reader = Reader::new(&server).await;
    reader
        .turn(chat, "deviates", (0..500).map(stale).collect())
        .await;
    agent.push(&full(2)).await;
    let moved = create_chat(&server, Some(agent.id), "Moved").await;
    agent.push(&full(3)).await;
    server
        .client
        .context_move(moved, &refresh, None)
        .await
        .unwrap();
    let (auditor, browser) = (
        Browser::of_user(&server, "auditor", &["auditor"], &["read"]).await,
        Browser::sign_in(&server, &server.token).await,
    );
    let tabs = [
        "",
        "?view=split",
        "/context",
        "/prompt",
        "/turns/1",
        "/history",
    ];
    let mut pages: Vec<_> = tabs.map(|tab| format!("/chats/{chat}{tab}")).into();
    pages.push(format!("/chats/{moved}/history/compare?from=1&to=2"));
    pages.push("/".to_owned());
    pages.push(format!("/workspaces/{}", agent.id));
    for path in &pages {
        let size = browser.page(path).await.len();
        assert!(size <= PAGE_BYTES_MAX, "{path} has {size} bytes");
    }
    let seen = auditor.page(&format!("/chats/{chat}")).await;
    assert!(
        seen.len() <= PAGE_BYTES_MAX,
        "{} bytes for an auditor",
        seen.len()
    );

    let changes = browser.page(&format!("/chats/{chat}")).await;
    let shown = changes.matches("<article").count();
    assert!((500..=1_000).contains(&shown), "{shown} changes");
    let more = "changes are too many for a page";
    assert!(changes.contains(more), "no word of the others");
    let context = browser.page(&format!("/chats/{chat}/context")).await;
    assert!(
        context.contains("more are not shown"),
        "no word of the others"
    );
    let prompt = browser.page(&format!("/chats/{chat}/prompt")).await;
    assert!(
        prompt.contains("These are the first 128.0 KiB of"),
        "no word of the rest"
    );
    assert!(!prompt.contains("data-copy-from"), "a copy of a part");
    let whole = between(&prompt, "<p class=\"notice\">", "</p>");
    let whole = between(whole, "href=\"", "\"");
    let whole = browser
        .get(whole)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(whole.len() > 1_900_000, "{} bytes", whole.len());
    server.stop().await;
}

#[tokio::test]
async fn a_long_text_is_shown_in_part_and_read_whole() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    let text = "<!-- x -->a\n\n".repeat(20_000);
    agent.push(&Workspace::with_agents_md("/w", &text)).await;
    let chat = create_chat(&server, Some(agent.id), "Long").await;
    for form in ["raw", "rendered", "removed"] {
        let page = browser
            .page(&format!("/chats/{chat}/context?as={form}"))
            .await;
        assert!(page.len() < PAGE_BYTES_MAX, "{form}: {} bytes", page.len());
        let (_, cut) = page
            .split_once("The text is too long for a page.")
            .expect(form);
        let whole = browser
            .get(between(cut, "href=\"", "\""))
            .send()
            .await
            .unwrap();
        assert_eq!(whole.headers()["content-type"], "text/plain; charset=utf-8");
        assert!(whole.text().await.unwrap() == text, "{form}");
    }
    server.stop().await;
}
