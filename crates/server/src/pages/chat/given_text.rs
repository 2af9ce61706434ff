//! A text that the requests of a turn had, and how it differs from what the turn was pinned to.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::diff::Subject;
use ctxpin_model::hash::{BlobHash, HASH_PREFIX};
use ctxpin_model::id::ChatId;
use ctxpin_model::resource::ResourceId;
use ctxpin_operations::diffs::{self, DiffRequest, DiffView};
use ctxpin_operations::given_texts::{self, GivenText};
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use super::changes::directory;
use super::diff::{DiffForm, Part, Texts, entries};
use super::evidence::details;
use super::head::{ChatHead, ChatPage, Tab, chat_id, read, turn_number};
use super::shown::{Form, Shown, plain, saved};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::caller::layout;
use crate::pages::form::Wants;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::held_text::{holder, text_path};
use crate::pages::parts::lines::Layout;
use crate::pages::parts::outcome::Became;
use crate::pages::parts::resource_name::{name_from, resource_name};
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::PathText;
use crate::params::{PathParams, QueryParams};

/// The page of a text.
#[derive(Template)]
#[template(path = "chat/given_text.html")]
struct GivenTextPage<'v> {
    frame: Frame,
    head: ChatHead,
    number: i64,
    name: String,
    became: Became,
    details: Vec<String>,
    /// The pin or the head that has the text.
    holder: String,
    snapshot: ShortId,
    /// The pin of the turn.
    pinned: Option<ShortId>,
    diff: DiffForm<'v>,
    shown: Shown,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenTextQuery {
    /// The form of the text.
    r#as: Option<String>,
    /// The layout of the diff.
    view: Option<String>,
    /// The resource, of whose diff a part is asked for.
    file: Option<String>,
    /// `all` shows a text with all its lines.
    lines: Option<String>,
    /// The number of the only text to return as a fragment.
    text: Option<usize>,
    /// The unchanged lines to return as a fragment.
    gap: Option<String>,
}

/// The chat, the turn, the resource and the content of a path.
fn asked(path: &PathParams) -> ApiResult<(ChatId, i64, (ResourceId, BlobHash))> {
    let content = format!("{HASH_PREFIX}{}", path.text("content"));
    let unknown = |_| ApiError::new(ProblemName::NotFound, "There is no such text.");
    let content: BlobHash = content.parse().map_err(unknown)?;
    let text = (path.id("resource")?, content);
    Ok((chat_id(path)?, turn_number(path)?, text))
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    headers: HeaderMap,
    QueryParams(query): QueryParams<GivenTextQuery>,
) -> ApiResult<Response> {
    let (chat, number, text) = asked(&path)?;
    let part = Part::read(
        query.file.as_deref(),
        query.lines.as_deref(),
        query.text,
        query.gap.as_deref(),
    )?;
    let wants = Wants::read(&headers);
    let given = given_texts::read(&app.service, caller.credential, chat, number, text).await?;
    let request = DiffRequest {
        from: given.turn.snapshot,
        to: Some(given.snapshot),
        with_heads: true,
        resource: Some(text.0),
        ..part.request()
    };
    let diff = diffs::diff(&app.service, caller.credential, chat, request).await?;
    let page = read(&app, &caller, chat, Tab::Turns).await?;
    let layout = layout(query.view.as_deref()).unwrap_or(caller.choices.layout);
    let form = Form::of(query.r#as.as_deref());
    let weight = diff.weight() + given.text.resource.size;
    let render = move || match wants {
        Wants::Fragment => {
            let changes = diff.changes();
            let directory = directory(&page.view);
            let entries = entries(&diff, &changes, directory, true, Some("?"));
            html(&Texts::of(&entries, layout, part))
        }
        Wants::Page => render(page, given, &diff, layout, form),
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render(
    page: ChatPage,
    given: GivenText,
    diff: &DiffView,
    layout: Layout,
    form: Form,
) -> ApiResult<Response> {
    let ChatPage {
        frame, head, view, ..
    } = page;
    let GivenText {
        turn,
        result,
        held,
        snapshot,
        text,
    } = given;
    let changes = diff.changes();
    let turn_path = format!("/chats/{}/turns/{}", head.id, turn.number);
    let below = directory(&view).unwrap_or_default();
    let name = resource_name(
        Subject::Resource(held.kind),
        name_from(&held.source, Some(below)),
    );
    let entries = entries(diff, &changes, Some(below), true, Some("?"));
    html(&GivenTextPage {
        frame: frame.wide(),
        number: turn.number,
        became: Became(result.outcome),
        details: details(&result),
        holder: holder(&held),
        snapshot: ShortId::of_snapshot(snapshot),
        pinned: turn.snapshot.map(ShortId::of_snapshot),
        diff: DiffForm::compared(diff, layout, "?".to_owned(), entries),
        shown: Shown::new(
            name.clone(),
            (form, None),
            text_path(&turn_path, &held),
            text,
        ),
        name,
        head,
    })
}

/// Returns the text as it is in the file.
pub(crate) async fn raw(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let (chat, number, text) = asked(&path)?;
    let given = given_texts::read(&app.service, caller.credential, chat, number, text).await?;
    Ok(plain(&given.text))
}

/// Returns the bytes of the file, as an attachment.
pub(crate) async fn download(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let (chat, number, text) = asked(&path)?;
    let found = given_texts::bytes(&app.service, caller.credential, chat, number, text).await?;
    let (source, bytes) = found;
    Ok(saved(&source, bytes.to_vec()))
}
