//! The changes that a chat has not taken.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::context::ContextView;
use ctxpin_model::diff::Change;
use ctxpin_model::diff::effect::Effect;
use ctxpin_model::history::HistoryRequest;
use ctxpin_model::id::ChatId;
use ctxpin_model::reading::next_reading;
use ctxpin_model::resource::Content;
use ctxpin_operations::diffs::{self, DiffView};
use ctxpin_operations::history;
use serde::Deserialize;

use super::diff::{
    DiffForm, Foot, Part, ShownPath, TextChange, Texts, entries, kind_word, verb_word,
};
use super::entry_words::LastEntry;
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use super::resume::resume_command;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::caller::layout;
use crate::pages::form::Wants;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::lines::Layout;
use crate::pages::parts::number::Number;
use crate::pages::parts::rail::Stand;
use crate::pages::parts::room::{ITEMS_MAX, ListRoom};
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::unused::Cure;
use crate::params::{PathParams, QueryParams};

/// An estimate of the bytes of a token, for any model.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// The page of a chat's changes.
#[derive(Template)]
#[template(path = "chat/changes.html")]
struct ChangesPage<'v> {
    frame: Frame,
    head: ChatHead,
    stand: Stand,
    /// Why the scan of the pinned snapshot is incomplete.
    error: Option<String>,
    /// What helps then.
    cure: Cure,
    workspace: Option<String>,
    /// Whether the agent has gone, so that newer changes are not known.
    is_away: bool,
    /// `None` if there is nothing to compare, or if the caller may not read texts.
    diff: Option<DiffForm<'v>>,
    /// What happened last to the chat, if nothing waits.
    last: Option<LastEntry>,
    /// The changes without their texts, for callers who may not read these.
    names: Vec<ChangeName>,
    /// How many changes there are besides those in `names`.
    more_names: Number,
}

/// A change without its text.
struct ChangeName {
    path: String,
    kind: &'static str,
    verb: &'static str,
    hash: Option<ShortId>,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangesQuery {
    /// The layout of the diff.
    view: Option<String>,
    /// The only change to show.
    file: Option<String>,
    /// `all` shows a text with all its lines.
    lines: Option<String>,
    /// The number of the only text to return as a fragment.
    text: Option<usize>,
    /// The unchanged lines to return as a fragment.
    gap: Option<String>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    headers: HeaderMap,
    QueryParams(query): QueryParams<ChangesQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let part = Part::read(
        query.file.as_deref(),
        query.lines.as_deref(),
        query.text,
        query.gap.as_deref(),
    )?;
    let asked = Asked {
        view: query.view,
        part,
        wants: Wants::read(&headers),
        here: "?".to_owned(),
    };
    shown(&app, caller, chat, asked).await
}

/// Shows the page at the address of a form of it that failed.
pub(super) async fn page_of_form(
    app: &App,
    caller: PageCaller,
    chat: ChatId,
    view: Option<String>,
) -> ApiResult<Response> {
    let asked = Asked {
        view,
        part: Part::default(),
        wants: Wants::Page,
        here: format!("/chats/{chat}?"),
    };
    shown(app, caller, chat, asked).await
}

/// What a request asks for.
struct Asked {
    /// The layout of the diff.
    view: Option<String>,
    part: Part,
    wants: Wants,
    /// The start of the links to the page itself.
    here: String,
}

async fn shown(app: &App, caller: PageCaller, chat: ChatId, asked: Asked) -> ApiResult<Response> {
    let Asked {
        view,
        part,
        wants,
        here,
    } = asked;
    let page = read(app, &caller, chat, Tab::Changes).await?;
    let mut diff = None;
    let stand = Stand::of(&page.line);
    if matches!(stand, Stand::Drifted | Stand::Declined) && page.view.tells_bodies {
        let request = part.request();
        diff = Some(diffs::diff(&app.service, caller.credential, chat, request).await?);
    }
    let mut last = None;
    if matches!(stand, Stand::Drifted | Stand::Declined | Stand::Clean) && wants == Wants::Page {
        let newest = HistoryRequest::newest(1);
        let found = history::list(&app.service, caller.credential, chat, newest).await?;
        let entry = found.items.first();
        last = entry.map(|entry| LastEntry::new(entry, page.frame.now));
    }
    let weight = diff.as_ref().map_or(0, DiffView::weight);
    let layout = layout(view.as_deref()).unwrap_or(caller.choices.layout);
    let render = move || {
        let changes = diff.as_ref().map_or_else(Vec::new, DiffView::changes);
        let compared = diff.as_ref().map(|view| (view, changes.as_slice()));
        match (compared, wants) {
            (Some((view, changes)), Wants::Fragment) => {
                let directory = directory(&page.view);
                let entries = entries(view, changes, directory, true, Some(&here));
                html(&Texts::of(&entries, layout, part))
            }
            _ => render(page, compared, last, layout, part.resource.is_some(), here),
        }
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render<'v>(
    page: ChatPage,
    compared: Option<(&'v DiffView, &[TextChange<'v>])>,
    last: Option<LastEntry>,
    layout: Layout,
    is_alone: bool,
    here: String,
) -> ApiResult<Response> {
    let ChatPage {
        frame,
        head,
        view,
        line,
    } = page;
    let page_value = frame.page_value().to_owned();
    let short = head.short.clone();
    let action = format!("/chats/{}/moves", head.id);
    let typed = frame.typed(&action);
    let directory = directory(&view);
    let stand = Stand::of(&line);
    let (of_diff, last) = match compared {
        Some(_) => (last, None),
        None => (None, last),
    };
    let diff = compared.map(|(diff, changes)| DiffForm {
        page_value: &page_value,
        typed,
        action,
        short: &short,
        pin: diff.pinned().map(|id| id.to_string()),
        head: diff.head().map(|id| id.to_string()),
        layout,
        is_within: false,
        has_rows: true,
        entries: entries(diff, changes, directory, is_alone, Some(&here)),
        views: here,
        last: of_diff,
        foot: head.may_move.then(|| Foot {
            price: match head.is_observed {
                true => String::new(),
                false => price(&view),
            },
            is_declined: stand == Stand::Declined,
            may_take: !head.is_observed,
            next_reading: next_reading(line.chat.client.as_deref()),
            resume: resume_command(&line.chat),
        }),
    });
    let names = match diff {
        None if stand != Stand::Archived => names(&view, directory),
        _ => Vec::new(),
    };
    let pin = line.chat.pin.as_ref();
    let count = match diff {
        None if stand != Stand::Archived => view.changes().len(),
        _ => 0,
    };
    html(&ChangesPage {
        more_names: Number(count.saturating_sub(names.len()) as u64),
        frame: if diff.is_some() { frame.wide() } else { frame },
        stand,
        error: pin
            .and_then(|pin| pin.error.as_deref())
            .map(|error| error.trim_end_matches('.').to_owned()),
        cure: Cure::of_pin(&view, head.taker()),
        workspace: line.workspace.clone(),
        is_away: head.is_away(),
        head,
        diff,
        last,
        names,
    })
}

/// Returns the working directory, below which paths are shown.
pub(super) fn directory(view: &ContextView) -> Option<&str> {
    let side = view.head.as_ref().or(view.pinned.as_ref())?;
    side.facts.directory.as_deref()
}

/// Returns what taking the changes costs, in words. The tokens are an estimate.
fn price(view: &ContextView) -> String {
    let sides = view.sides();
    let changes = view.changes();
    let mut effects = changes.iter().map(|change| change.effect(sides));
    if !effects.any(Effect::loses_cache) {
        return "Keeps what a provider has cached".to_owned();
    }
    let files = view.head.iter().flat_map(|head| head.due_files());
    let bytes: u64 = files.map(|file| file.size).sum();
    let tokens = (bytes / BYTES_PER_TOKEN).next_multiple_of(100);
    format!("Rewrites about {} cached tokens", Number(tokens))
}

fn names(view: &ContextView, directory: Option<&str>) -> Vec<ChangeName> {
    let name = |change: &Change<'_>| {
        let content = change.head.or(change.pinned).and_then(|side| side.content);
        ChangeName {
            path: ShownPath::of(change, directory).whole().to_owned(),
            kind: kind_word(change.subject),
            verb: verb_word(change.verb),
            hash: content.map(|content: Content| ShortId::of_hash(content.hash(), "hash")),
        }
    };
    let mut room = ListRoom::new(ITEMS_MAX);
    let changes = view.changes();
    let names = changes.iter().map(name);
    names
        .take_while(|name| room.takes(name.path.len()))
        .collect()
}
