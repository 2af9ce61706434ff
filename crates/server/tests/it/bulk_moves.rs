//! A decision about several chats on the pages, its undo, and what it could not do.

use ctxpin_testing::workspace::Workspace;

use crate::browser::{Browser, between, create_chat, page_value};
use crate::pages::check_golden;
use crate::server::{Agent, Server};

#[tokio::test]
async fn an_equal_change_is_decided_once_for_many_chats() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agents = [Agent::create(&server).await, Agent::create(&server).await];
    let edition = |text: &str| Workspace::with_agents_md("/w", text);
    let mut chats = Vec::new();
    for agent in &mut agents {
        agent.push(&edition("one\n")).await;
        for _ in 0..2 {
            chats.push(create_chat(&server, Some(agent.id), "A chat").await);
        }
        agent.push(&edition("two\n")).await;
    }
    let dirty = async || {
        let mut dirty = 0;
        for chat in &chats {
            dirty += usize::from(server.client.context(*chat).await.unwrap().pin.dirty);
        }
        dirty
    };
    // One change waits in both workspaces.
    let inbox = browser.page("/").await;
    let change = between(&inbox, "href=\"/changes/", "\"");
    let page = browser.page(&format!("/changes/{change}")).await;
    let value = page_value(&page);
    assert!(
        page.contains("<ins>") || page.contains("text added"),
        "{page}"
    );
    let path = between(&page, "id=\"decision\" method=\"post\" action=\"", "\"");
    let choice = between(&page, "name=\"chat\" value=\"", "\"");
    let chosen = [("move", "chosen"), ("chat", choice)];
    assert_eq!(browser.submit(&page, path, &chosen).await, "/");
    assert_eq!(dirty().await, 3);

    // The script gets the way back for all of them.
    let taken = browser
        .form(path, &[("move", "all")])
        .header("ctxpin-page", page_value(&page))
        .header("ctxpin-fragment", "true");
    let taken = taken.send().await.unwrap().text().await.unwrap();
    assert!(taken.contains(" for 3 chats."), "{taken}");
    assert_eq!(dirty().await, 0);
    let back: Vec<_> = taken
        .split("name=\"back\" value=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert_eq!(back.len(), 3, "{taken}");
    let mut fields: Vec<_> = back.into_iter().map(|back| ("back", back)).collect();
    fields.push(("move", "undo"));
    browser.submit(&page, "/chats/moves", &fields).await;
    assert_eq!(dirty().await, 3);
    // A pin that moved since is not moved back.
    fields.push(("page", &value));
    let late = browser.post("/chats/moves", &fields).await;
    let late = late.text().await.unwrap();
    assert!(late.contains("3 stayed as they were"), "{late}");
    assert!(late.contains("It has changed meanwhile."), "{late}");

    // So does a decline.
    let kept = browser
        .form(path, &[("move", "decline")])
        .header("ctxpin-page", page_value(&page))
        .header("ctxpin-fragment", "true");
    let kept = kept.send().await.unwrap().text().await.unwrap();
    assert!(kept.contains("The pins of 3 chats are kept."), "{kept}");
    let list = browser.page("/chats?show=declined").await;
    assert!(list.contains("Decide again"), "{list}");
    let mut fields: Vec<_> = kept
        .split("name=\"chat\" value=\"")
        .skip(1)
        .map(|rest| ("chat", rest.split_once('"').unwrap().0))
        .collect();
    assert_eq!(fields.len(), 3, "{kept}");
    fields.push(("move", "undecline"));
    browser.submit(&page, "/chats/moves", &fields).await;

    // A chat that is gone by then fails, and the others do not.
    let list = browser.page("/chats?show=drifted").await;
    let choices: Vec<_> = list
        .split("name=\"chat\" value=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0.to_owned())
        .collect();
    assert_eq!(choices.len(), 3);
    let gone = choices[0].split(' ').next().unwrap().parse().unwrap();
    server.client.chat_delete(gone).await.unwrap();
    chats.retain(|chat| *chat != gone);
    let mut fields: Vec<_> = choices
        .iter()
        .map(|choice| ("chat", choice.as_str()))
        .collect();
    fields.push(("move", "all"));
    let failed = browser
        .form("/chats/moves", &fields)
        .header("ctxpin-page", &value)
        .header("ctxpin-fragment", "true");
    let failed = failed.send().await.unwrap().text().await.unwrap();
    let (pass, _) = value.split_once('.').unwrap();
    check_golden("toast-failed", &failed.replace(pass, "PAGE-VALUE"));
    let left = chats.iter().map(|chat| server.client.context(*chat));
    for context in left {
        assert!(!context.await.unwrap().pin.dirty);
    }
    let archived = [("move", "archive"), ("chat", choices[1].as_str())];
    assert_eq!(
        browser.submit(&list, "/chats/moves", &archived).await,
        "/chats"
    );
    let list = browser.page("/chats?show=archived").await;
    assert!(list.contains("value=\"unarchive\">Unarchive"), "{list}");
    // The numbers are those of the chosen workspace.
    let (own, other) = (agents[0].id, agents[1].id);
    let list = browser.page(&format!("/chats?agent={own}")).await;
    let count = |agent| format!("href=\"/chats?agent={agent}\" aria-current=\"true\">All <span");
    assert!(list.contains(&count(own)), "{list}");
    assert!(!list.contains(&count(other)), "{list}");
    server.stop().await;
}
