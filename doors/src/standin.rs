//! Stands in for the model of a tool: answers each request with a short text, and records it.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The recorded requests, as JSON.
type Requests = Arc<Mutex<Vec<Value>>>;

/// A running stand-in. It ends with this program.
pub struct Standin {
    port: u16,
    requests: Requests,
}

impl Standin {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let requests = Requests::default();
        let service = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&requests));
        tokio::spawn(async { axum::serve(listener, service).await });
        Ok(Self { port, requests })
    }

    /// Returns the address of the API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the requests since the last call.
    pub fn take(&self) -> anyhow::Result<Vec<Value>> {
        let requests = self.requests.lock();
        let mut requests = requests.ok().context("a request was not recorded whole")?;
        Ok(std::mem::take(&mut requests))
    }
}

/// Answers the APIs that the tools use. Each tool reads its own from the path.
async fn answer(State(requests): State<Requests>, uri: Uri, body: Bytes) -> Response {
    let is_responses = uri.path().ends_with("/responses");
    let (Ok(request), true) = (serde_json::from_slice(&body), is_responses) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if let Ok(mut requests) = requests.lock() {
        requests.push(request);
    }
    ([(CONTENT_TYPE, "text/event-stream")], responses()).into_response()
}

/// Returns the events of the Responses API (platform.openai.com/docs/api-reference/responses-streaming) for one
/// short message.
fn responses() -> String {
    let content = json!([{ "type": "output_text", "text": "Done.", "annotations": [] }]);
    let item = json!({
        "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
        "content": content,
    });
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 1, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": 2,
    });
    let response = |status: &str, output: &[&Value], usage: &Value| {
        json!({
            "id": "resp_1", "object": "response", "created_at": 0, "model": "gpt-5",
            "status": status, "output": output, "usage": usage,
        })
    };
    let events = [
        (
            "response.created",
            "response",
            response("in_progress", &[], &Value::Null),
        ),
        ("response.output_item.done", "item", item.clone()),
        (
            "response.completed",
            "response",
            response("completed", &[&item], &usage),
        ),
    ];
    let events = events.iter().map(|(kind, member, value)| {
        let data = json!({ "type": kind, "output_index": 0, *member: value });
        format!("event: {kind}\ndata: {data}\n\n")
    });
    events.collect()
}
