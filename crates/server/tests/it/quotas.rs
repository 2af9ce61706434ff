//! Quotas and rates, as callers see them.

use ctxpin_client::error::ClientError;
use ctxpin_protocol::http::chats::ChatCreate;
use ctxpin_protocol::http::quotas::QuotaChange;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::workspace::Workspace;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::{Agent, Server};

fn file(text: &str) -> Workspace {
    Workspace::with_agents_md("/w", text)
}

/// Returns the status, the seconds of `Retry-After` and the members of a refusal for a quota.
fn told(error: &ClientError) -> (u16, Option<u64>, Value) {
    assert_eq!(error.problem_name(), Some(ProblemName::QuotaExceeded));
    let problem = error.problem().unwrap();
    let seconds = error.retry_after().map(|wait| wait.as_secs());
    (problem.status, seconds, json!(problem.members))
}

/// Checks that the pages say why the head may be older than the workspace, and what to do.
async fn pages_say_that_a_push_was_refused(server: &Server, agent: &Agent) {
    let browser = Browser::sign_in(server, &server.token).await;
    let chats = browser.page("/chats").await;
    assert!(chats.contains(">clean, agent refused<"), "{chats}");
    let workspaces = browser.page("/workspaces").await;
    let sign = "aria-label=\"last push refused\"";
    assert!(workspaces.contains(sign), "{workspaces}");
    let workspace = browser.page(&format!("/workspaces/{}", agent.id)).await;
    for words in [
        "The server refused the agent's last push,",
        "because its owner may have no more content on this server",
        "ctxpin agent status",
    ] {
        assert!(workspace.contains(words), "{words} in {workspace}");
    }
}

#[tokio::test]
async fn finding_06_a_refusal_tells_its_quota() {
    let server = Server::start_with(|settings| {
        settings.quotas.amounts.content_bytes = 10;
        settings.quotas.rates.pushes = 3;
    })
    .await;
    let mut agent = Agent::create(&server).await;
    let create = ChatCreate {
        agent_id: Some(agent.id),
        ..ChatCreate::default()
    };
    let chat = server.client.chat_create(&create).await.unwrap().chat.id;
    agent.push(&file("small\n")).await;
    let error = agent.try_push(&file("too much\n")).await.unwrap_err();
    let expected = json!({ "limit": "content_bytes", "quota": 10, "used": 6 });
    assert_eq!(told(&error), (507, None, expected));
    // The chat has no drift, but says why that may be wrong.
    let context = server.client.context(chat.into()).await.unwrap();
    assert!(!context.pin.dirty);
    assert_eq!(context.pin.agent_refused.unwrap().limit, "content_bytes");
    let read = server.client.agent(agent.id.into()).await.unwrap();
    assert_eq!(read.refused.unwrap().limit, "content_bytes");
    pages_say_that_a_push_was_refused(&server, &agent).await;
    let user = server.client.me().await.unwrap().user.id;
    let change = QuotaChange {
        content_bytes: Some(Some(100)),
        ..QuotaChange::default()
    };
    let usage = server.client.quota_change(user.into(), &change).await;
    let content = usage.unwrap().content_bytes;
    assert_eq!(
        (content.used, content.quota, content.is_default),
        (6, 100, false)
    );
    agent.push(&file("too much\n")).await;
    let context = server.client.context(chat.into()).await.unwrap();
    assert_eq!(context.pin.agent_refused, None);
    assert!(context.pin.dirty);
    let error = agent.try_push(&file("again\n")).await.unwrap_err();
    let (status, seconds, members) = told(&error);
    assert_eq!((status, &members["limit"]), (429, &json!("pushes")));
    assert!(
        seconds.is_some_and(|seconds| (1..=60).contains(&seconds)),
        "{seconds:?}"
    );
    let own = server.client.usage(None).await.unwrap();
    assert_eq!((own.user, own.content_bytes.used), (user, 15));
    assert_eq!(own, server.client.usage(Some(user.into())).await.unwrap());
    server.stop().await;
}

#[tokio::test]
async fn finding_06_whoever_is_near_a_quota_is_told_of_and_not_named() {
    let server = Server::start_with(|settings| settings.quotas.amounts.tokens = 1).await;
    let line = r#"ctxpin_quota_users_warned{limit="tokens"} 1"#;
    // It is looked once at the start, beside the first requests.
    loop {
        let metrics = server.request(Method::GET, "/metrics").send().await;
        let text = metrics.unwrap().text().await.unwrap();
        if text.lines().any(|told| told == line) {
            assert!(text.contains(r#"ctxpin_quota_users_warned{limit="agents"} 0"#));
            break;
        }
    }
    let chat = server.client.chat_create(&ChatCreate::default()).await;
    let chat = chat.unwrap().chat.id;
    let context = server.client.context(chat.into()).await.unwrap();
    let warnings = json!(context.quota_warnings);
    assert_eq!(
        warnings,
        json!([{ "limit": "tokens", "used": 1, "quota": 1 }])
    );
    server.stop().await;
}
