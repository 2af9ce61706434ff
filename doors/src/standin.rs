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

/// What begins a question that the model answers by reading a file first.
pub const READ: &str = "Read the file ";

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
    let Ok(request) = serde_json::from_slice(&body) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let events = match uri.path().rsplit('/').next() {
        Some("responses") => responses(),
        Some("messages") => messages(&request),
        Some("completions") => completions(&request),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if let Ok(mut requests) = requests.lock() {
        requests.push(request);
    }
    ([(CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// Returns the events of the Messages API (docs.anthropic.com/en/api/messages-streaming): a call that reads the file
/// of the question, unless it was read, or else one short message.
fn messages(request: &Value) -> String {
    let contents = request["messages"].as_array().into_iter().flatten();
    let contents = contents.filter_map(|message| message["content"].as_array());
    let contents: Vec<_> = contents.flatten().collect();
    let is_read = contents
        .iter()
        .any(|content| content["type"] == "tool_result");
    let mut texts = contents
        .iter()
        .filter_map(|content| content["text"].as_str());
    let wanted = texts.find_map(|text| text.strip_prefix(READ));
    let (content, delta, stop) = match wanted.filter(|_| !is_read) {
        Some(path) => {
            let input = json!({ "file_path": path }).to_string();
            (
                json!({ "type": "tool_use", "id": "toolu_1", "name": "Read", "input": {} }),
                json!({ "type": "input_json_delta", "partial_json": input }),
                "tool_use",
            )
        }
        None => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": "Done." }),
            "end_turn",
        ),
    };
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    let events = [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": content }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
            "usage": usage,
        }),
        json!({ "type": "message_stop" }),
    ];
    let events = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    events.collect()
}

/// Returns the events of the Chat Completions API (platform.openai.com/docs/api-reference/chat-streaming): a call that
/// reads the file of the question, unless it was read, or else one short message.
fn completions(request: &Value) -> String {
    let messages = request["messages"].as_array();
    let messages: Vec<_> = messages.into_iter().flatten().collect();
    let is_read = messages.iter().any(|message| message["role"] == "tool");
    let mut texts = messages.iter().filter_map(|message| {
        let content = &message["content"];
        content.as_str().or_else(|| content[0]["text"].as_str())
    });
    // `opencode run` puts a question with spaces in quotes.
    let wanted = texts.find_map(|text| text.trim_matches('"').strip_prefix(READ));
    let (delta, finish_reason) = match wanted.filter(|_| !is_read) {
        Some(path) => {
            let arguments = json!({ "filePath": path }).to_string();
            let call = json!({
                "index": 0, "id": "call_1", "type": "function",
                "function": { "name": "read", "arguments": arguments },
            });
            (
                json!({ "role": "assistant", "tool_calls": [call] }),
                "tool_calls",
            )
        }
        None => (json!({ "role": "assistant", "content": "Done." }), "stop"),
    };
    let chunk = |delta: &Value, finish_reason: Value| {
        json!({
            "id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 0, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
        })
    };
    let begin = chunk(&delta, Value::Null);
    let end = chunk(&json!({}), finish_reason.into());
    format!("data: {begin}\n\ndata: {end}\n\ndata: [DONE]\n\n")
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
