//! The prompt of a chat.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use ctxpin_model::context::ContextView;
use ctxpin_operations::prompts::{self, PinnedPrompt};

use super::changes::{BYTES_PER_TOKEN, directory};
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::number::{Number, Size, counted};
use crate::pages::parts::resource_name::name_from;
use crate::pages::parts::room::TextRoom;
use crate::pages::parts::text::{LongText, PathText, Text};
use crate::pages::parts::time::Time;
use crate::params::PathParams;

/// The page of a chat's prompt.
#[derive(Template)]
#[template(path = "chat/prompt.html")]
struct PromptPage {
    frame: Frame,
    head: ChatHead,
    prompt: PromptText,
    pinned: Option<Time>,
    copy: Command,
}

/// The text of a prompt, with links to the files in it.
#[derive(Template)]
#[template(path = "chat/prompt_text.html")]
pub(super) struct PromptText {
    pub size: Size,
    pub tokens: Number,
    parts: Vec<PromptPart>,
    cut: Option<Cut>,
}

/// What the page shows of a prompt that is too long for it.
struct Cut {
    shown: Size,
    /// The number of files of which nothing is shown, with its noun.
    unshown_files: Option<String>,
    /// The path of the whole text.
    whole: String,
}

/// A part of a prompt: a file, or what stands between files.
struct PromptPart {
    source: Option<String>,
    /// The source below the working directory.
    name: Option<String>,
    size: Size,
    text: String,
}

impl PromptText {
    /// Splits the bytes of a prompt. `view` has the directory below which paths are shown, and `whole` is the path of
    /// the whole text.
    pub fn new(bytes: &[u8], renderer: i64, view: &ContextView, whole: String) -> Self {
        let below = directory(view);
        let name = |source: &str| name_from(source, below).to_owned();
        let mut room = TextRoom::new();
        let (mut parts, mut shown, mut unshown_files) = (Vec::new(), 0, 0);
        for part in prompts::parts(bytes, renderer) {
            let text = room.take(&part.text);
            if text.is_empty() && room.is_cut() {
                unshown_files += u64::from(part.source.is_some());
                continue;
            }
            shown += text.len() as u64;
            parts.push(PromptPart {
                name: part.source.as_deref().map(name),
                size: Size(part.text.len() as u64),
                text: text.to_owned(),
                source: part.source,
            });
        }
        Self {
            size: Size(bytes.len() as u64),
            tokens: Number((bytes.len() as u64).div_ceil(BYTES_PER_TOKEN)),
            parts,
            cut: room.is_cut().then(|| Cut {
                shown: Size(shown),
                unshown_files: (unshown_files > 0).then(|| counted(unshown_files, "more file")),
                whole,
            }),
        }
    }

    /// Returns whether the page shows all of the prompt.
    pub fn is_whole(&self) -> bool {
        self.cut.is_none()
    }
}

impl HtmlSafe for PromptText {}

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
            frame,
            head,
            view,
            line,
        } = page;
        let pin = line.chat.pin.as_ref();
        let renderer = pin.map_or(0, |pin| pin.pin.prompt.renderer);
        html(&PromptPage {
            prompt: PromptText::new(&bytes, renderer, &view, format!("/chats/{chat}/prompt/raw")),
            pinned: pin.map(|pin| Time::ago(pin.pinned_at, frame.now)),
            copy: Command::new("Copy the prompt", format!("ctxpin prompt {}", head.short)),
            frame,
            head,
        })
    };
    app.build_response(caller.credential, RENDERED_BYTES, render)
        .await?
}

/// About how many bytes rendering the longest prompt takes.
pub(super) const RENDERED_BYTES: u64 = 1024 * 1024;

/// Returns the prompt's bytes as text.
pub(crate) async fn raw(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let prompt = prompts::prompt(&app.service, caller.credential, chat, None).await?;
    Ok(raw_response(prompt))
}

/// Returns a response with the bytes of a prompt as text.
pub(super) fn raw_response(prompt: PinnedPrompt) -> Response {
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(CONTENT_TYPE, text)], prompt.bytes.unwrap_or_default()).into_response()
}
