//! The prompt of a chat.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ctxpin_operations::prompts;

use super::changes::BYTES_PER_TOKEN;
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::number::{Number, counted};
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;
use crate::params::PathParams;

/// The page of a chat's prompt.
#[derive(Template)]
#[template(path = "chat/prompt.html")]
struct PromptPage {
    frame: Frame,
    head: ChatHead,
    pins: String,
    turns: String,
    text: String,
    bytes: Number,
    tokens: Number,
    pinned: Option<Time>,
    copy: Command,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let prompt = prompts::prompt(&app.service, caller.credential, chat, None).await?;
    let page = read(&app, &caller, chat, Tab::Prompt).await?;
    let bytes = prompt.bytes.unwrap_or_default();
    let render = move || {
        let ChatPage {
            frame, head, line, ..
        } = page;
        let pin = line.chat.pin.as_ref();
        html(&PromptPage {
            pins: counted(u64::try_from(line.chat.pin_seq).unwrap_or(0), "pin"),
            turns: counted(u64::try_from(line.chat.turn_count).unwrap_or(0), "turn"),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: Number(bytes.len() as u64),
            tokens: Number(bytes.len() as u64 / BYTES_PER_TOKEN),
            pinned: pin.map(|pin| Time::ago(pin.pinned_at, frame.now)),
            copy: Command::new("Copy", format!("ctxpin prompt {}", head.short)),
            frame,
            head,
        })
    };
    app.build_response(caller.credential, RENDERED_BYTES, render)
        .await?
}

/// About how many bytes rendering the longest prompt takes.
const RENDERED_BYTES: u64 = 1024 * 1024;

/// Returns the prompt's bytes as text.
pub(crate) async fn raw(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let prompt = prompts::prompt(&app.service, caller.credential, chat, None).await?;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(CONTENT_TYPE, text)], prompt.bytes.unwrap_or_default()).into_response())
}
