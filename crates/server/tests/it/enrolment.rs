//! Enrolment over HTTP: the page that shows a code, the exchange of the code, and strangers who guess.

use anyhow::Result;
use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::enrolment::EnrolmentCode;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::AgentId;
use ctxpin_model::token::Token;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::enrolment::{AgentEnrol, AgentEnrolled};
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_testing::databases::create_postgres_database;
use ctxpin_testing::workspace::Workspace;
use reqwest::StatusCode;
use serde_json::json;

use crate::browser::create_chat;
use crate::flows::{LIVE, signed_in};
use crate::server::{Agent, Server, problem};

const SECRET: [u8; 32] = [7; 32];

/// Exchanges a code as an agent with [`SECRET`] does.
pub async fn enrol(
    server: &Server,
    code: &EnrolmentCode,
) -> std::result::Result<AgentEnrolled, ClientError> {
    let client = Client::enrolling(server.url.clone(), code, PlainHttp::Refused)?;
    let enrol = AgentEnrol {
        profile: None,
        code: Secret::new(code.reveal()),
        secret_hash: BlobHash::of(&SECRET).to_string(),
    };
    client.agent_enrol(&enrol).await
}

/// Returns an enrolled agent with an open session.
pub async fn enrolled(server: &Server, code: &EnrolmentCode) -> Agent {
    let enrolled = enrol(server, code).await.expect("an agent");
    let token = Token::new(enrolled.token_id.into(), SECRET).reveal();
    Agent::of(server, enrolled.agent.id, Secret::new(token)).await
}

async fn code(server: &Server) -> EnrolmentCode {
    let request = AgentCreate {
        workspace: "payments".into(),
        name: None,
        may_refresh: false,
        replaces: None,
        ..AgentCreate::default()
    };
    let made = server.client.enrolment_code_create(&request).await;
    made.unwrap().code.expose().parse().unwrap()
}

async fn an_agent_enrols(server: Server) {
    let code = code(&server).await;
    let mut agent = enrolled(&server, &code).await;
    agent
        .push(&Workspace::with_agents_md("/w", "Be kind.\n"))
        .await;
    let found = server.client.agent(AgentId::from(agent.id)).await.unwrap();
    assert_eq!(found.workspace, "payments");
    assert_eq!(found.head.unwrap().seq, 1);
    // The response to the first exchange was lost.
    let again = enrol(&server, &code).await.unwrap();
    assert_eq!(again.agent.id, agent.id);
    // The server proves that it knows the code before the client sends it, and knows no other.
    let unknown = enrol(&server, &EnrolmentCode::new([9; 10]))
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, ClientError::UnknownCode { .. }),
        "{unknown}"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_agent_enrols_on_sqlite() {
    an_agent_enrols(Server::start().await).await;
}

#[tokio::test]
async fn an_agent_enrols_on_postgres() {
    an_agent_enrols(Server::start_on(Some(create_postgres_database().await)).await).await;
}

#[tokio::test]
async fn what_is_no_exchange_is_refused() {
    let server = Server::start().await;
    let code = code(&server).await;
    let url = server.url.join("/api/v1/enrolments").unwrap();
    let hash = BlobHash::of(&SECRET).to_string();
    for (body, expected) in [
        (
            json!({ "code": "x", "secret_hash": hash }),
            "16 letters and digits",
        ),
        (
            json!({ "code": code.reveal(), "secret_hash": "7" }),
            "secret_hash",
        ),
        (json!({ "code": code.reveal() }), "secret_hash"),
        (
            json!({ "code": code.reveal(), "secret_hash": hash, "workspace": "x" }),
            "workspace",
        ),
    ] {
        let refused = server
            .http
            .post(url.clone())
            .json(&body)
            .send()
            .await
            .unwrap();
        let (name, problem) = problem(refused).await;
        assert_eq!(name, ProblemName::InvalidRequest, "{body}");
        assert!(problem.detail.contains(expected), "{problem:?}");
        assert!(!problem.detail.contains(&code.reveal()), "{problem:?}");
    }
    server.stop().await;
}

/// A connection that guesses is closed after some refusals, as one that guesses tokens is.
#[tokio::test]
async fn guesses_are_bounded() {
    let server = Server::start().await;
    let url = server.url.join("/api/v1/enrolments").unwrap();
    let single = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let statements = async || {
        let metrics = server.request(reqwest::Method::GET, "/metrics");
        let text = metrics.send().await.unwrap().text().await.unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ctxpin_database_statements_total "));
        line.expect("the count of statements")
            .parse::<u64>()
            .unwrap()
    };
    let before = statements().await;
    let guesses = (0..100).map(|number| {
        let body = json!({
            "code": EnrolmentCode::new([number; 10]).reveal(),
            "secret_hash": BlobHash::of(&SECRET).to_string(),
        });
        single.post(url.clone()).json(&body).send()
    });
    let answered = futures_util::future::join_all(guesses).await;
    // The connection may end before some responses.
    for response in answered.into_iter().flatten() {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let asked = statements().await - before;
    assert!(
        asked < 40,
        "{asked} statements for one connection's guesses"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_open_page_goes_on_to_the_workspace_that_its_code_has_connected() -> Result<()> {
    let server = Server::start().await;
    let mut browser = signed_in(&server, "/workspaces/new").await?;
    browser
        .evaluate("document.querySelector('input[name=workspace]').value = 'payments'")
        .await?;
    browser.click("main form button[type=submit]").await?;
    browser
        .until("document.querySelector('.enrol-code') !== null && document.getElementById('stream').dataset.stream === 'live'")
        .await?;
    let shown = "document.querySelector('.enrol-code code')?.textContent";
    let code = browser.evaluate(shown).await?;
    let code = code.as_str().expect("a code").to_owned();
    // Other news leave the code where it is.
    create_chat(&server, None, "Has no workspace").await;
    browser
        .until("document.querySelector('#places a[href=\"/chats\"] .count').textContent === '1'")
        .await?;
    assert_eq!(browser.evaluate(shown).await?, code);
    let address = browser
        .evaluate("location.pathname + location.search")
        .await?;
    let address = address.as_str().expect("an address");
    assert!(address.starts_with("/workspaces/new?code="), "{address}");

    let mut agent = enrolled(&server, &code.parse()?).await;
    browser
        .until(&format!("location.pathname === '/workspaces/{}' && document.querySelector('h1').textContent === 'payments'", agent.id))
        .await?;
    // The way back leads to the page of the code, which goes nowhere any more.
    browser.until(LIVE).await?;
    browser.evaluate("history.back()").await?;
    browser
        .until(&format!("location.pathname === '/workspaces/new' && {LIVE} && document.querySelector('#code').textContent.includes('has pushed nothing yet')"))
        .await?;
    agent
        .push(&Workspace::with_agents_md("/w", "Be kind.\n"))
        .await;
    browser
        .until("document.querySelector('#code').textContent.includes('Its agent pushed')")
        .await?;
    browser.follow("#code .actions a").await?;
    browser
        .until("document.querySelector('h1').textContent === 'payments'")
        .await?;
    browser.no_errors()?;
    server.stop().await;
    Ok(())
}
