//! After each thing that can happen to a chat, the open pages say what the API says, and what they say when they are
//! loaded anew.

use anyhow::{Result, ensure};
use ctxpin_browser::{Chromium, Tab};
use ctxpin_model::id::ChatId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::create_chat;
use crate::flows::{LIVE, signed_in};
use crate::pages::editions;
use crate::server::{Agent, Server};

/// Resolves as soon as the page is as it would be if it was loaded now. Times go on, and the script counts choices.
const IS_FRESH: &str = "new Promise(async (resolve) => {
    const plain = (page) => ['main', 'places'].map((id) => {
        const copy = page.getElementById(id).cloneNode(true);
        for (const time of copy.querySelectorAll('time')) time.replaceWith(time.dateTime);
        for (const place of copy.querySelectorAll('[data-words]')) place.textContent = '';
        for (const node of [copy, ...copy.querySelectorAll('*')]) {
            for (const name of ['data-chosen', 'data-waiting', 'data-news', 'aria-busy']) node.removeAttribute(name);
        }
        return copy.innerHTML.replace(/\\s+/g, ' ');
    }).join('');
    for (;;) {
        // A diff that somebody reads changes only when asked.
        document.querySelector('#held:not([hidden])')?.click();
        const changed = new Promise((next) => {
            const observer = new MutationObserver(() => { observer.disconnect(); next(); });
            observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
        });
        const response = await fetch(location.href, { headers: { accept: 'text/html' } });
        const page = new DOMParser().parseFromString(await response.text(), 'text/html');
        if (document.title === page.title && plain(document) === plain(page)) return resolve(true);
        await changed;
    }
})";

/// The numbers of a page: the places, the filters, the tabs of a chat, and the titles.
const NUMBERS: &str = "(() => {
    const counts = (selector) => Object.fromEntries([...document.querySelectorAll(selector)].map((link) => {
        const count = link.querySelector('.count')?.textContent ?? '';
        return [link.firstChild.data.trim(), count.replace(/\\D/g, '')];
    }));
    return {
        places: counts('.places a'), filters: counts('.filters a'), tabs: counts('.tabs a'),
        title: document.querySelector('h1').textContent,
        sentence: document.querySelector('.sentence')?.textContent ?? '',
        pin: document.querySelector('[data-pin]')?.dataset.pin ?? null,
    };
})()";

struct Shop {
    server: Server,
    browser: Chromium,
    chats: Vec<ChatId>,
    /// The tabs with the inbox, the list, the archive, and the pages of the first chat.
    tabs: Vec<Tab>,
}

impl Shop {
    async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.server.request(method, &format!("/api/v1{path}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Result<Value> {
        self.api(Method::GET, path, None).await
    }

    /// Opens a page in a tab of its own.
    async fn open(&mut self, path: &str) -> Result<()> {
        let tab = self.browser.open_tab().await?;
        let url = self.server.url.join(path)?;
        self.browser.open(url.as_str()).await?;
        self.browser.until(LIVE).await?;
        self.tabs.push(tab);
        Ok(())
    }

    /// Checks each page against itself and against the API.
    async fn check(&mut self, after: &str) -> Result<()> {
        let listed = self.get("/chats?archived=false").await?;
        let archived = self.get("/chats?archived=true").await?;
        let (listed, archived) = (
            &listed["items"],
            archived["items"].as_array().unwrap().len(),
        );
        let listed = listed.as_array().unwrap();
        let count =
            |is: fn(&Value) -> bool| listed.iter().filter(|chat| is(&chat["context"])).count();
        let behind = count(|context| context["dirty"] == true && context["declined"] != true);
        let declined = count(|context| context["declined"] == true);
        let unpinned = count(|context| context["snapshot"].is_null());
        let agents = self.get("/agents").await?["items"]
            .as_array()
            .unwrap()
            .len();
        let changes = self.get("/changes?own=true").await?["items"]
            .as_array()
            .unwrap()
            .len();
        let first = self.chats[0];
        let chat = self.get(&format!("/chats/{first}")).await?;
        let context = self.get(&format!("/chats/{first}/context")).await?;
        let history = self.get(&format!("/chats/{first}/context/history")).await?;
        let moves = history["items"].as_array().unwrap().iter();
        let moves = moves.filter(|entry| entry["kind"] == "move").count();
        for tab in self.tabs.clone() {
            self.browser.turn_to(tab);
            let fresh = self.browser.evaluate(IS_FRESH).await;
            let found = self.browser.evaluate(NUMBERS).await?;
            ensure!(fresh.is_ok(), "after {after}: {found} {:?}", fresh.err());
            let says = |what: &Value, number: usize| what.as_str() == Some(&*number.to_string());
            let (places, filters, tabs) = (&found["places"], &found["filters"], &found["tabs"]);
            let is_so = says(&places["Changes"], behind)
                && says(&places["Chats"], listed.len())
                && says(&places["Workspaces"], agents);
            ensure!(is_so, "after {after}: {found}, behind {behind}, {listed:?}");
            if !filters["All"].is_null() {
                let is_so = says(&filters["All"], listed.len())
                    && says(&filters["Behind"], behind)
                    && says(&filters["Declined"], declined)
                    && says(&filters["Unpinned"], unpinned)
                    && says(&filters["Archived"], archived);
                ensure!(
                    is_so,
                    "after {after}: {found}, {listed:?}, {archived} archived"
                );
            } else if !tabs["History"].is_null() {
                let title = chat["title"].as_str().unwrap();
                // An archived chat shows no drift.
                let is_archived = chat["archived"] == true;
                let changes = context["changes"].as_array().filter(|_| !is_archived);
                let waiting = changes.map_or(0, Vec::len);
                let is_declined = context["declined"] == true && !is_archived;
                let sentence = found["sentence"].as_str().unwrap();
                let counted = format!(" {waiting} change");
                let pinned = context["snapshot"].as_str();
                let is_so = found["title"] == title
                    && found["pin"].as_str() == pinned
                    && says(&tabs["History"], moves)
                    && (waiting == 0 || sentence.contains(&counted))
                    && sentence.contains(", declined") == is_declined
                    && sentence.contains("It is archived.") == is_archived;
                ensure!(
                    is_so,
                    "after {after}: {found}, {chat}, {context}, {moves} moves"
                );
            } else {
                let title = match changes {
                    0 => "Nothing waits".to_owned(),
                    1 => "1 change waits".to_owned(),
                    more => format!("{more} changes wait"),
                };
                ensure!(found["title"] == title, "after {after}: {found}, {title}");
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn open_pages_say_what_the_api_says() -> Result<()> {
    let server = Server::start().await;
    let mut agent = Agent::create(&server).await;
    let [first, second] = editions();
    agent.push(&first).await;
    let mut chats = Vec::new();
    for title in ["Split the payment step", "Refund flow", "Release notes"] {
        chats.push(create_chat(&server, Some(agent.id), title).await);
    }
    let browser = signed_in(&server, "/").await?;
    let tabs = vec![browser.tab()];
    let [one, two, three] = chats[..] else {
        panic!()
    };
    let mut shop = Shop {
        server,
        browser,
        chats,
        tabs,
    };
    for path in [
        "/chats".to_owned(),
        "/chats?show=archived".to_owned(),
        format!("/chats/{one}"),
        format!("/chats/{one}/history"),
        format!("/chats/{one}/context"),
    ] {
        shop.open(&path).await?;
    }
    shop.check("the beginning").await?;
    let head = agent.push(&second).await.snapshot;
    shop.check("a push").await?;
    let pin = shop.get(&format!("/chats/{one}/context")).await?["snapshot"].clone();
    let seen = |chat: ChatId| json!({ "chat_id": chat.to_string(), "pin": pin, "head": head });
    let context = format!("/chats/{one}/context");
    let chat = format!("/chats/{one}");
    let patch = |body: Value| (Method::PATCH, chat.clone(), body);
    let moved = |body: Value| (Method::PUT, context.clone(), body);
    let bulk = |body: Value| (Method::POST, "/chats/moves".to_owned(), body);
    for (method, path, body) in [
        patch(json!({ "title": "Renamed" })),
        moved(json!({ "sources": ["/srv/shop/AGENTS.md"] })),
        moved(json!({ "decline": head })),
        moved(json!({ "undecline": head })),
        moved(json!({ "snapshot": pin })),
        patch(json!({ "archived": true })),
        patch(json!({ "archived": false })),
        bulk(json!({ "chats": [seen(one), seen(two)], "decline": true })),
        bulk(json!({ "chats": [seen(one), seen(two)], "undecline": true })),
        bulk(json!({ "chats": [seen(one), seen(two), seen(three)] })),
        moved(json!({ "snapshot": pin })),
        patch(json!({ "policy": "follow" })),
        (Method::POST, format!("/chats/{one}/turns"), json!({})),
        moved(json!({ "snapshot": pin })),
        patch(json!({ "agent_id": null })),
        patch(json!({ "agent_id": agent.id })),
    ] {
        let after = format!("{method} {path} {body}");
        shop.api(method, &path, Some(body)).await?;
        shop.check(&after).await?;
    }
    for path in [format!("/chats/{two}"), format!("/chats/{three}")] {
        shop.api(Method::DELETE, &path, None).await?;
        shop.check(&format!("deleting {path}")).await?;
    }
    shop.browser.no_errors()?;
    shop.server.stop().await;
    Ok(())
}
