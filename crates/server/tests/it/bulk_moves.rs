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
    assert!(late.contains("3 chats stayed as they were"), "{late}");
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

/// Returns the values of the boxes of a name.
fn boxes(page: &str, name: &str) -> Vec<String> {
    let before = format!("name=\"{name}\" value=\"");
    let values = page.split(&before).skip(1);
    let values = values.map(|rest| rest.split_once('"').unwrap().0.to_owned());
    values.collect()
}

/// Sends a form as the script does, and returns the answer.
async fn send(browser: &Browser<'_>, page: &str, path: &str, fields: &[(&str, &str)]) -> String {
    let form = browser
        .form(path, fields)
        .header("ctxpin-page", page_value(page))
        .header("ctxpin-fragment", "true");
    form.send().await.unwrap().text().await.unwrap()
}

/// A workspace with these two files, each of which can change alone.
fn edition(text: &str, other: &str) -> Workspace {
    Workspace::with_agents_md("/w", text).file("sub/AGENTS.md", other)
}

#[tokio::test]
async fn a_chosen_change_that_is_gone_is_named_and_the_others_are_taken() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("one\n", "one\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&edition("two\n", "two\n")).await;
    let inbox = browser.page("/").await;
    let chosen = boxes(&inbox, "change");
    assert_eq!(chosen.len(), 2, "{inbox}");
    agent.push(&edition("two\n", "three\n")).await;
    let mut fields: Vec<_> = chosen
        .iter()
        .map(|value| ("change", value.as_str()))
        .collect();
    fields.push(("move", "take"));
    let taken = send(&browser, &inbox, "/changes/moves", &fields).await;
    assert!(
        taken.contains("Took AGENTS.md for 1 chat. 1 change was not taken:"),
        "{taken}"
    );
    assert!(
        taken.contains(
            "<b>sub/<wbr>AGENTS.md</b> <span class=\"quiet\">No chat waits for it any more"
        ),
        "{taken}"
    );
    let context = server.client.context(chat).await.unwrap();
    assert_eq!(context.changes.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_change_is_taken_for_the_chosen_although_another_file_moved() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&edition("one\n", "one\n")).await;
    let chat = create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&edition("two\n", "one\n")).await;
    let inbox = browser.page("/").await;
    let change = between(&inbox, "href=\"/changes/", "\"");
    let page = browser.page(&format!("/changes/{change}")).await;
    let path = format!("/changes/{change}/moves");
    let chosen = &boxes(&page, "chat")[0];
    agent.push(&edition("two\n", "two\n")).await;
    // The command line tells the same age as the page, which is that of the change.
    let changes = server.request(reqwest::Method::GET, "/api/v1/changes");
    let changes = changes.send().await.unwrap().text().await.unwrap();
    assert!(changes.contains("\"came_at\":\""), "{changes}");
    // To keep the pin is about all that the workspace has, as it was seen.
    let keep = [("chat", chosen.as_str()), ("move", "decline")];
    let kept = send(&browser, &page, &path, &keep).await;
    assert!(kept.contains("It has changed meanwhile."), "{kept}");
    let take = [("chat", chosen.as_str()), ("move", "chosen")];
    let taken = send(&browser, &page, &path, &take).await;
    assert!(taken.contains("Took AGENTS.md for 1 chat."), "{taken}");
    let context = server.client.context(chat).await.unwrap();
    assert_eq!(context.changes.len(), 1);

    // The change itself has moved.
    let page = browser.page("/chats").await;
    let chosen = &boxes(&page, "chat")[0];
    agent.push(&edition("two\n", "three\n")).await;
    let inbox = browser.page("/").await;
    let change = between(&inbox, "href=\"/changes/", "\"");
    agent.push(&edition("two\n", "four\n")).await;
    let take = [("chat", chosen.as_str()), ("move", "chosen")];
    let path = format!("/changes/{change}/moves");
    let taken = send(&browser, &page, &path, &take).await;
    assert!(taken.contains("It has changed meanwhile."), "{taken}");
    server.stop().await;
}

#[tokio::test]
async fn what_an_undo_did_is_done_again_by_another_button() {
    let server = Server::start().await;
    let browser = Browser::sign_in(&server, &server.token).await;
    let mut agent = Agent::create(&server).await;
    agent.push(&Workspace::with_agents_md("/w", "one\n")).await;
    create_chat(&server, Some(agent.id), "A chat").await;
    agent.push(&Workspace::with_agents_md("/w", "two\n")).await;
    let page = browser.page("/chats").await;
    let chosen = &boxes(&page, "chat")[0];
    let has_key = |toast: &str| toast.contains("data-keys=\"u\"");
    for (deed, undo, told) in [
        (
            "decline",
            "undecline",
            "Undone. The changes of 1 chat wait again.",
        ),
        ("archive", "unarchive", "Undone. Unarchived 1 chat."),
    ] {
        let fields = |verb| [("chat", chosen.as_str()), ("move", verb)];
        let done = send(&browser, &page, "/chats/moves", &fields(deed)).await;
        assert!(has_key(&done) && done.contains(">Undo</button>"), "{done}");
        let way = [
            &fields(undo)[..],
            &[("way", between(&done, "name=\"way\" value=\"", "\""))],
        ]
        .concat();
        let undone = send(&browser, &page, "/chats/moves", &way).await;
        assert!(undone.contains(told), "{undone}");
        assert!(
            !has_key(&undone) && undone.contains(">Redo</button>"),
            "{undone}"
        );
    }
    server.stop().await;
}
