//! What auditors and admins see of the chats of others: that something changed, and not what. The test follows every
//! link of every page, and finds no body behind any of them. Another one sends every form of every page, and finds none
//! that its reader may not send.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ctxpin_protocol::http::people::TokenCreate;
use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;

use crate::browser::{Browser, create_chat};
use crate::scene::{self, Content};
use crate::server::{Agent, Server};

/// A word that stands in every body and in nothing else.
const SENTINEL: &str = "quetzalcoatl";

/// The most pages that a walk visits.
const PAGES_MAX: usize = 300;

/// Returns the edition of a workspace with the word in all its bodies.
fn edition(number: u32) -> Workspace {
    let text = |what: &str| format!("{SENTINEL} {what} {number}\n");
    Workspace::with_agents_md("/srv/shop", &text("rules"))
        .file(
            "api/AGENTS.md",
            &format!("<!-- {SENTINEL} {number} -->\nOpen.\n"),
        )
        .skill(
            "pdf",
            &text("description"),
            &[("scripts/run.sh", &text("script"))],
        )
}

/// Returns the paths that a page links to, without fragments.
fn links(page: &str) -> BTreeSet<String> {
    let parts = page.split("href=\"/").skip(1);
    let links = parts.filter_map(|part| part.split_once('"'));
    let links = links.map(|(link, _)| link.split('#').next().unwrap_or_default());
    let links = links.map(|link| format!("/{}", link.replace("&amp;", "&").replace("&#38;", "&")));
    links.filter(|link| !link.starts_with("/assets/")).collect()
}

/// Returns a path with the same words in place of ids, hashes and cursors.
fn kind_of(path: &str) -> String {
    let is_digits = |part: &str| {
        part.len() >= 12
            && part
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    let mut kind = String::new();
    for part in path.split_inclusive(['/', '?', '&', '=', ':']) {
        let (word, end) = match part.char_indices().last() {
            Some((index, last)) if "/?&=:".contains(last) => part.split_at(index),
            _ => (part, ""),
        };
        kind += if is_digits(word) { "ID" } else { word };
        kind += end;
    }
    kind
}

/// Visits everything that a reader of others' chats can reach, and returns for each kind of page the status and the
/// heading.
async fn walk(browser: &Browser<'_>, begin: &[String]) -> BTreeMap<String, String> {
    let mut queue: VecDeque<String> = begin.iter().cloned().collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut told = BTreeMap::new();
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        assert!(
            seen.len() <= PAGES_MAX,
            "there is no end of pages: {seen:?}"
        );
        let page = browser.get(&path).send().await.unwrap();
        let status = page.status();
        assert!(status.as_u16() < 500, "{path}: {status}");
        let page = page.text().await.unwrap();
        assert!(!page.contains(SENTINEL), "{path}: {page}");
        let part = browser.get(&path).header("ctxpin-fragment", "true");
        let part = part.send().await.unwrap();
        assert!(part.status().as_u16() < 500, "{path}: {}", part.status());
        let part = part.text().await.unwrap();
        assert!(!part.contains(SENTINEL), "the fragment of {path}: {part}");
        let heading = page
            .split_once("<h1")
            .and_then(|(_, rest)| rest.split_once('>'));
        let heading = heading.and_then(|(_, rest)| rest.split_once("</h1>"));
        let heading = heading.map_or("no page", |(heading, _)| heading);
        told.entry(kind_of(&path))
            .or_insert_with(|| format!("{} {heading}", status.as_u16()));
        if status == StatusCode::OK {
            queue.extend(links(&page));
        }
    }
    told
}

#[tokio::test]
async fn readers_of_others_see_no_body() {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition(1)).await;
    let chat = create_chat(&server, Some(agent.id), "Split the payment step").await;
    let moved = create_chat(&server, Some(agent.id), "Refund flow").await;
    agent.push(&edition(2)).await;
    let owner = Browser::sign_in(&server, &server.token).await;
    let page = owner.page(&format!("/chats/{moved}")).await;
    // The owner sees the bodies, so the word would be seen.
    assert!(page.contains(SENTINEL), "{page}");
    let fields = [
        ("move", "all"),
        ("pin", crate::browser::hidden(&page, "pin")),
        ("head", crate::browser::hidden(&page, "head")),
    ];
    owner
        .submit(&page, &format!("/chats/{moved}/moves"), &fields)
        .await;
    let changes = owner.page("/").await;
    let mut begin: Vec<_> = links(&changes).into_iter().collect();
    for path in [format!("/chats/{chat}"), format!("/chats/{moved}")] {
        for owners in ["", "/context", "/prompt", "/history"] {
            begin.extend(links(&owner.page(&format!("{path}{owners}")).await));
        }
        begin.push(format!("{path}?view=split"));
        begin.push(format!("{path}?file=/srv/shop/AGENTS.md"));
        begin.push(format!("{path}/prompt/raw"));
        begin.push(format!("{path}/history/compare?from=1&to=2"));
    }
    begin.push(format!(
        "/search?q={}",
        edition(1).snapshot().resources[0].body().unwrap()
    ));
    begin.retain(|path| !path.starts_with("/settings"));

    for (name, roles, scopes) in [
        ("auditor", ["auditor"], &["read"][..]),
        ("other admin", ["admin"], &["read", "write", "admin"][..]),
    ] {
        let reader = Browser::of_user(&server, name, &roles, scopes).await;
        let told = walk(&reader, &begin).await;
        for (kind, expected) in [
            ("/", "200 Nothing waits"),
            ("/changes/ID", "404 This change is decided"),
            ("/chats/ID", "200 Split the payment step"),
            (
                "/chats/ID/context?resource=ID",
                "200 Split the payment step",
            ),
            ("/chats/ID/history", "200 Split the payment step"),
            ("/chats/ID/turns", "200 Split the payment step"),
            (
                "/chats/ID/prompt",
                "403 You may see that this changed, not what",
            ),
            ("/search?q=sha256:ID", "200 Search"),
            ("/settings/audit?object=ID", "200 Settings"),
            ("/workspaces/ID", "200 project"),
        ] {
            assert_eq!(
                told.get(kind).map(String::as_str),
                Some(expected),
                "{name}: {kind}"
            );
        }
        let changed = "You may see that this changed, not what";
        for (page, words) in [
            (format!("/chats/{chat}"), changed),
            (format!("/chats/{moved}/prompt"), changed),
            (
                format!("/chats/{moved}/history/compare?from=1&to=2"),
                changed,
            ),
            (format!("/chats/{moved}/context"), "not the texts"),
        ] {
            let shown = reader
                .get(&page)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap();
            assert!(shown.contains(words), "{page}: {shown}");
        }
    }
    server.stop().await;
}

/// A form as a browser sends it by one of its buttons.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    action: String,
    fields: Vec<(String, String)>,
}

/// Returns an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let names = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ];
    let value = names
        .iter()
        .fold(value.to_owned(), |value, (name, character)| {
            value.replace(name, character)
        });
    Some(value.replace("&amp;", "&").replace("&#38;", "&"))
}

/// Returns the tags of a name.
fn tags<'p>(html: &'p str, name: &str) -> Vec<&'p str> {
    let begin = format!("<{name} ");
    let parts = html.split(begin.as_str()).skip(1);
    let tags = parts
        .filter_map(|part| part.split_once('>'))
        .map(|(tag, _)| tag);
    tags.collect()
}

/// Returns the writing forms of a page, once for each button, with one of the boxes that belong to it.
fn forms(page: &str) -> Vec<Sent> {
    let mut sent = Vec::new();
    for part in page.split("<form ").skip(1) {
        let (tag, rest) = part.split_once('>').unwrap();
        if !tag.contains("method=\"post\"") {
            continue;
        }
        let (content, _) = rest.split_once("</form>").unwrap();
        let id = attribute(tag, " id");
        let named = |tag: &&str| {
            id.as_ref()
                .is_some_and(|id| tag.contains(&format!("form=\"{id}\"")))
        };
        let inputs = tags(content, "input");
        let outside = tags(page, "input").into_iter().filter(named).take(1);
        let fields: Vec<_> = inputs
            .into_iter()
            .chain(outside)
            .filter_map(|tag| {
                let value = attribute(tag, "value").unwrap_or_else(|| "x".to_owned());
                Some((attribute(tag, "name")?, value))
            })
            .collect();
        let buttons = tags(content, "button").into_iter();
        for button in buttons.filter(|tag| !tag.contains("type=\"button\"")) {
            let action = attribute(button, "formaction")
                .or(attribute(tag, "action"))
                .unwrap();
            let chosen = attribute(button, "name").zip(attribute(button, "value"));
            let fields = fields.iter().cloned().chain(chosen).collect();
            sent.push(Sent { action, fields });
        }
    }
    sent
}

/// Visits these pages and all that they lead to, and returns the forms on them. Checks that no link leads to a refusal.
async fn offered(browser: &Browser<'_>, begin: &[String]) -> BTreeSet<Sent> {
    let mut queue: VecDeque<_> = begin.iter().map(|path| (path.clone(), false)).collect();
    let mut seen = BTreeSet::new();
    let mut offered = BTreeSet::new();
    while let Some((path, is_linked)) = queue.pop_front() {
        // A script of the page reads it and stays.
        if path.starts_with("/sign-in") || !seen.insert(path.clone()) {
            continue;
        }
        assert!(
            seen.len() <= PAGES_MAX,
            "there is no end of pages: {seen:?}"
        );
        let response = browser.get(&path).send().await.unwrap();
        let status = response.status();
        let is_refused = status == StatusCode::FORBIDDEN;
        assert!(!is_linked || !is_refused, "a page links to {path}");
        let page = response.text().await.unwrap();
        offered.extend(forms(&page));
        if status == StatusCode::OK {
            queue.extend(links(&page).into_iter().map(|path| (path, true)));
        }
    }
    offered
}

/// Returns the paths and the words of the buttons of a page that write and have no command beside them.
fn without_command(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for form in page.split("<form ").skip(1) {
        let (form, _) = form.split_once("</form>").unwrap();
        let (tag, content) = form.split_once('>').unwrap();
        let action = attribute(tag, " action").unwrap_or_default();
        let buttons = content.split("<button type=\"submit\"").skip(1);
        for button in buttons.filter(|_| tag.contains("method=\"post\"")) {
            let (button, after) = button.split_once("</button>").unwrap();
            let (_, words) = button.split_once('>').unwrap();
            let words = words.split('<').next().unwrap();
            if !after.starts_with("<button type=\"button\" class=\"command") {
                found.push(format!("{} {words}", kind_of(&action)));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_action_copies_its_command() {
    let server = Server::start().await;
    let content = Content {
        editions: [2, 3, 1].map(edition),
        name: "shop".into(),
    };
    let paths = scene::set(&server, &content).await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut found = BTreeSet::new();
    for path in &paths {
        let page = browser.get(path).send().await.unwrap();
        found.extend(without_command(&page.text().await.unwrap()));
    }
    // The command line has no sessions of browsers, deletes no agent and changes no roles.
    let expected = [
        "/settings/sessions/ID/end Sign out",
        "/settings/sessions/others/end Sign out everywhere else",
        "/settings/users/ID Save the roles",
        "/sign-in Sign in",
        "/sign-out Sign out",
        "/workspaces/ID/delete Delete the workspace",
    ];
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, expected);
    server.stop().await;
}

#[tokio::test]
async fn no_page_offers_what_its_reader_may_not_do() {
    let server = Server::start().await;
    let content = Content {
        editions: [2, 3, 1].map(edition),
        name: "shop".into(),
    };
    let paths = scene::set(&server, &content).await;
    let read_alone = TokenCreate {
        scopes: Some(vec!["read".into()]),
        ..TokenCreate::default()
    };
    let read_alone = server.client.token_create(&read_alone).await.unwrap();
    let of_user = async |name: &str, roles: &[&str], scopes: &[&str]| {
        Browser::of_user(&server, name, roles, scopes).await
    };
    let readers = [
        Browser::sign_in(&server, read_alone.secret.expose()).await,
        of_user("reads", &["auditor"], &["read"]).await,
        of_user("may write", &["auditor"], &["read", "write"]).await,
        of_user("no scope", &["admin"], &["read", "write"]).await,
        of_user("both", &["member", "auditor"], &["read", "write"]).await,
        // The last one, because it disables the others.
        of_user("admin2", &["admin"], &["read", "write", "admin"]).await,
    ];
    let mut counts = Vec::new();
    for reader in &readers {
        let offered = offered(reader, &paths).await;
        let mut offered: Vec<_> = offered.into_iter().collect();
        offered.retain(|form| form.action != "/sign-out");
        // The last one ends the session.
        offered.sort_by_key(|form| form.action.ends_with("/revoke"));
        counts.push(offered.len());
        for Sent { action, fields } in &offered {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let fields: Vec<_> = fields.collect();
            let answer = reader.post(action, &fields).await;
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(
                status != StatusCode::FORBIDDEN,
                "{action} {fields:?}: {text}"
            );
            assert!(
                !text.contains("only its owner"),
                "{action} {fields:?}: {text}"
            );
        }
    }
    assert_eq!(counts[..2], [0, 0]);
    assert!(counts[2..].iter().all(|count| *count > 0), "{counts:?}");
    server.stop().await;
}
