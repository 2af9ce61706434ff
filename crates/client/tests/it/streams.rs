//! Reading events.

use ctxpin_client::error::ClientError;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_protocol::watch::Event;
use futures_util::StreamExt;
use uuid::Uuid;

use crate::listener::{answer, listener};

const EVENTS: &str = "content-type: text/event-stream\r\n";

/// More bytes than an event may have.
const LONG_BYTES: usize = 1024 * 1024;

async fn events(text: &str) -> Vec<Result<Event, ClientError>> {
    let (client, received) = listener(vec![answer("200 OK", EVENTS, text)]).await;
    let events = client.watch().await.unwrap().collect().await;
    let received = received.await.unwrap();
    assert_eq!(received[0].line(), "get /api/v1/watch");
    assert_eq!(received[0].header("accept"), Some("text/event-stream"));
    events
}

#[tokio::test]
async fn events_come_in_their_order() {
    let id = Uuid::from_u128(7);
    let events = events(&format!(
        ": hello\n\nevent: ready\ndata: {{}}\n\nevent: weather\ndata: rain\n\n\
         event: deleted\ndata: {{\"id\":\"{id}\"}}\n\n\
         event: closed\ndata: {{\"type\":\"urn:ctxpin:problem:unavailable\",\"title\":\"t\",\"status\":503}}\n\n"
    ))
    .await;
    let events: Vec<Event> = events.into_iter().map(Result::unwrap).collect();
    let [
        Event::Ready,
        Event::Deleted(deleted),
        Event::Closed(problem),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(deleted.id, id);
    assert_eq!(problem.name(), Some(ProblemName::Unavailable));
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let mut events = events("event: chat\ndata: {}\n\n").await;
    let error = events.pop().unwrap().unwrap_err();
    assert!(
        error.to_string().contains("event `chat`: missing field"),
        "{error}"
    );
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_answer_without_events_is_an_error() {
    let (client, _received) = listener(vec![answer("200 OK", "", "<html>")]).await;
    let error = client.watch().await.err().unwrap();
    assert!(error.to_string().contains("and no events"), "{error}");
}

#[tokio::test]
async fn finding_19_an_event_without_end_is_left() {
    let line = "x".repeat(LONG_BYTES);
    let lines = "data: x\n".repeat(LONG_BYTES / 8);
    for text in [
        line.clone(),
        format!("data: {line}"),
        format!(": {line}"),
        lines,
    ] {
        let events = events(&format!("event: ready\ndata: {{}}\n\n{text}")).await;
        let [Ok(Event::Ready), Err(error), ..] = &events[..] else {
            panic!("{events:?}");
        };
        assert!(
            error
                .to_string()
                .contains("an event of more than 262144 bytes"),
            "{error}"
        );
        assert!(!error.is_transient(), "it would be the same again");
    }
}

#[tokio::test]
async fn finding_19_a_stream_of_short_events_has_no_end() {
    let comments = ": \n\n".repeat(LONG_BYTES / 4);
    let deleted = format!(
        "event: deleted\r\ndata: {{\"id\":\"{}\"}}\r\n\r\n",
        Uuid::from_u128(7)
    );
    let many = deleted.repeat(LONG_BYTES / deleted.len());
    let events = events(&format!("{comments}{many}event: ready\ndata: {{}}\n\n")).await;
    assert!(events.iter().all(Result::is_ok), "{:?}", events.last());
    assert_eq!(events.len(), LONG_BYTES / deleted.len() + 1);
}
