//! The inbox: the changes that the caller's chats have not taken. An equal change is one item over all workspaces.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatSummary;
use ctxpin_model::diff::effect::Effect;
use ctxpin_model::history::RecentMove;
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pending_change::{PendingChange, PendingChangeId, path};
use ctxpin_model::reading::taken_by_clients;
use ctxpin_operations::diffs::{self, DiffRequest, DiffView};
use ctxpin_operations::pending_changes::{self, PendingChat, PendingItem};
use ctxpin_operations::{chats, history, overview};
use serde::Deserialize;

use super::bulk::{Choice, change_value, seen_chat};
use super::caller::{PageCaller, layout};
use super::chat::diff::{DiffForm, TextChange, entries, kind_word, verb_word};
use super::chat::entry_words::{what, who};
use super::chats::{ChatRow, RowEnd, title_or_words};
use super::cursor::{request, require_items};
use super::decided::Decided;
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::lines::Layout;
use super::parts::number::{Number, counted};
use super::parts::pager::Pager;
use super::parts::rail::Stand;
use super::parts::resource_name::resource_name;
use super::parts::sums::Sums;
use super::parts::text::{PathText, Text};
use super::parts::time::Time;
use super::typed::Typed;
use crate::api_error::{ApiResult, sentence};
use crate::app::App;
use crate::params::{PathParams, QueryParams};

/// The most chats that the page of a change lists. A decision about all concerns the others too.
const CHATS_SHOWN_MAX: i64 = 100;

/// The digits of a change's id in a command. The command line accepts the beginning of an id.
const ID_DIGITS: usize = 12;

/// The number of moves that an empty inbox shows.
const RECENT_MAX: i64 = 5;

/// The page of all changes that wait.
#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage<'v> {
    frame: Frame,
    /// The number of chats that may drift.
    chat_count: Number,
    /// Whether there is neither a chat nor a workspace that could bring changes.
    has_no_workspace: bool,
    /// The chats of others that are behind, as `3 chats are`. `None` if there are none.
    others: Option<String>,
    /// The newest moves, if nothing waits.
    recent: Vec<Recent>,
    waiting: String,
    items: Vec<Item>,
    may_decide: bool,
    pager: Pager,
    is_complete: bool,
    /// The differences of the only change.
    diff: Option<DiffForm<'v>>,
}

impl ChangesPage<'_> {
    /// Returns whether a chat that is not observed can take one of the changes.
    fn may_take(&self) -> bool {
        self.items.iter().any(|item| item.may_take)
    }

    /// Returns the button that copies the command which decides about the chosen changes.
    fn command_of_chosen(&self, label: &'static str, verb: &str) -> Command {
        Command::new(label, format!("ctxpin change {verb} CHANGE")).filled("change=CHANGE")
    }
}

/// One of the newest moves.
struct Recent {
    chat: ChatId,
    title: String,
    seq: i64,
    what: &'static str,
    who: String,
    at: Time,
}

/// A change in the inbox.
struct Item {
    id: PendingChangeId,
    /// What its box sends.
    box_value: String,
    path: String,
    kind: &'static str,
    verb: &'static str,
    verb_class: &'static str,
    is_unread: bool,
    sums: Sums,
    place: String,
    /// Since when the first workspace has had the change, or, if that is not known, the first chat has been behind.
    since: Time,
    /// Whether a chat that is not observed can take the change.
    may_take: bool,
    /// The words of the button that keeps the pins.
    keep: String,
    take_command: Command,
    keep_command: Command,
}

/// The page of one change.
#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage<'v> {
    frame: Frame,
    id: PendingChangeId,
    path: String,
    /// The kind of the resource, as a sentence.
    kind: String,
    /// Whether the pins lack the resource.
    is_new: bool,
    /// When the change came to the first of its workspaces. `None` if their newest heads do not tell.
    came_at: Option<Time>,
    /// Whether the change is in several workspaces.
    has_workspaces: bool,
    /// Since when the first of the chats has been behind.
    since: Option<Time>,
    may_decide: bool,
    /// When the clients take the change by themselves. `None` if a chat that is not observed can take it.
    taken_by_clients: Option<String>,
    /// What the caller has just decided, if only observed chats still wait.
    decided: Option<String>,
    /// The first of the other changes that wait, after a decision.
    next: Option<Item>,
    rows: Vec<ChatRow>,
    has_more: bool,
    diff: DiffForm<'v>,
    /// The commands that decide about all chats of the change, or about the chosen ones.
    take: Command,
    take_chosen: Command,
    keep: Command,
}

/// The page of a change that no chat of the caller has, mostly because it was decided.
#[derive(Template)]
#[template(path = "decided.html")]
struct DecidedPage {
    frame: Frame,
    /// What the caller has just decided.
    decided: Option<String>,
    /// The first of the changes that wait.
    next: Option<Item>,
}

/// The query of the inbox.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InboxQuery {
    cursor: Option<String>,
    before: Option<String>,
    /// The layout of the diff.
    view: Option<String>,
}

/// The query of the page of a change.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeQuery {
    /// The layout of the diff.
    view: Option<String>,
    /// The number of chats for which the reader has just taken the change.
    taken: Option<u64>,
    /// The number of chats whose pins the reader has just kept.
    kept: Option<u64>,
    /// What proves that.
    seal: Option<String>,
}

impl ChangeQuery {
    /// Returns what the reader has just decided, as a title.
    fn decided(&self, change: PendingChangeId, caller: &PageCaller) -> Option<String> {
        let decided = self.taken.map(Decided::Taken);
        let decided = decided.or(self.kept.map(Decided::Kept))?;
        decided.title(change, &caller.page_value, self.seal.as_deref())
    }
}

/// Shows the inbox. If one change waits, its differences are below it.
pub(crate) async fn list(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<InboxQuery>,
) -> ApiResult<Response> {
    let asked = request(query.cursor.as_deref(), query.before.as_deref())?;
    let found = pending_changes::list(&app.service, caller.credential, true, &asked).await?;
    let changes = found.page.items.iter();
    let changes: Vec<_> = changes.map(|item| (&item.change, &*item.chats)).collect();
    let dates = pending_changes::dates(&app.service, caller.credential, &changes).await?;
    let items = found.page.items.iter().zip(dates);
    let items = items.map(|(item, came_at)| (item, came_at.unwrap_or(item.since)));
    let mut items: Vec<_> = items.collect();
    // Parts of the list follow each other by the time of the drift.
    items.sort_by_key(|(_, began_at)| Reverse(*began_at));
    require_items(&asked.part, &found.page.items)?;
    let recent = match found.page.items.is_empty() {
        true => history::recent(&app.service, caller.credential, RECENT_MAX).await?,
        false => Vec::new(),
    };
    let overview = overview::read(&app.service, caller.credential).await?;
    let chat_count = Number(overview.counts.all);
    let counts = &overview.counts;
    let others = counts.drifted.saturating_sub(counts.own_drifted);
    let others = (others > 0).then(|| {
        let verb = if others == 1 { "is" } else { "are" };
        format!("{} {verb}", counted(others, "chat"))
    });
    let has_no_workspace = counts.all == 0 && counts.agents == 0;
    let frame = Frame::of(&app, &caller, overview, Place::Changes, "Changes");
    let now = frame.now;
    let pager = Pager::of(&found.page, |name, place| format!("/?{name}={place}"));
    let only = match &found.page.items[..] {
        [item] if !pager.has_any() && frame.may(Operation::DiffRead) => item.chats.first().cloned(),
        _ => None,
    };
    let page = ChangesPage {
        recent: recent.iter().map(|one| Recent::new(one, now)).collect(),
        chat_count,
        has_no_workspace,
        others,
        may_decide: frame.may(Operation::PinMove),
        waiting: counted(found.chat_count as u64, "chat"),
        is_complete: found.is_complete,
        pager,
        items: items
            .into_iter()
            .map(|(item, began_at)| Item::new(item, began_at, now))
            .collect(),
        diff: None,
        frame,
    };
    let Some(chat) = only else {
        return html(&page);
    };
    let diff = diff_of(&app, &caller, &chat).await?;
    let layout = layout(query.view.as_deref()).unwrap_or(caller.choices.layout);
    let weight = diff.weight();
    let render = move || {
        let changes = shown_changes(&diff, &chat);
        let form = diff_form(&diff, &changes, &chat, layout);
        html(&ChangesPage {
            diff: Some(DiffForm {
                is_within: false,
                has_rows: false,
                ..form
            }),
            frame: page.frame.wide(),
            ..page
        })
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

/// Reads the differences of a change, as one of its chats has them.
async fn diff_of(app: &App, caller: &PageCaller, first: &PendingChat) -> ApiResult<DiffView> {
    let request = DiffRequest {
        resource: first.place.resource,
        with_words: true,
        ..DiffRequest::default()
    };
    let chat = first.drifted.chat.id;
    Ok(diffs::diff(&app.service, caller.credential, chat, request).await?)
}

/// Returns the change alone: the differences of the facts are those of the whole chat.
fn shown_changes<'v>(diff: &'v DiffView, first: &PendingChat) -> Vec<TextChange<'v>> {
    let changes = diff.changes();
    match first.place.resource {
        Some(_) => changes,
        None => changes.into_iter().take(1).collect(),
    }
}

/// Returns the differences of a change within the form that decides about it. The page of the chat has the parts of a
/// text that they fold.
fn diff_form<'v>(
    diff: &'v DiffView,
    changes: &[TextChange<'v>],
    first: &PendingChat,
    layout: Layout,
) -> DiffForm<'v> {
    let resource = changes.first().map(|(change, _)| change);
    let resource = resource.and_then(|change| change.head.or(change.pinned));
    let root = resource.and_then(|resource| resource.root.as_deref());
    let loads = format!("/chats/{}?", first.drifted.chat.id);
    DiffForm {
        page_value: "",
        action: String::new(),
        short: "",
        pin: diff.pinned().map(|pin| pin.to_string()),
        head: diff.head().map(|head| head.to_string()),
        layout,
        typed: Typed::default(),
        views: "?".to_owned(),
        is_within: true,
        has_rows: true,
        entries: entries(diff, changes, root, false, Some(&loads)),
        last: None,
        foot: None,
    }
}

/// Shows one change with its chats.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<ChangeQuery>,
) -> ApiResult<Response> {
    let (app, caller, id) = (&app, &caller, path.id("change")?);
    let newest = PageRequest::newest(CHATS_SHOWN_MAX);
    let found = pending_changes::chats(&app.service, caller.credential, true, id, &newest).await?;
    let decided = query.decided(id, caller);
    let (Some(change), Some(first)) = (&found.change, found.page.items.first()) else {
        return show_decided(app, caller, decided).await;
    };
    let dated = [(change, &*found.page.items)];
    let dates = pending_changes::dates(&app.service, caller.credential, &dated).await?;
    let ids: Vec<_> = found.page.items.iter().map(id_of).collect();
    let summaries = chats::summaries_of(&app.service, caller.credential, &ids).await?;
    let next = match decided {
        Some(_) => next(app, caller, Some(id)).await?,
        None => None,
    };
    let diff = diff_of(app, caller, first).await?;
    let first = first.clone();
    let frame = Frame::read(app, caller, Place::Changes, "Changes").await?;
    let layout = layout(query.view.as_deref()).unwrap_or(caller.choices.layout);
    let weight = diff.weight();
    let concerned = Concerned {
        came_at: dates.into_iter().flatten().next(),
        rows: rows(&found.page.items, &summaries, &frame),
        has_more: found.page.next.is_some(),
        chats: found.page.items,
    };
    let render = move || {
        let changes = shown_changes(&diff, &first);
        let form = diff_form(&diff, &changes, &first, layout);
        render(frame.wide(), id, concerned, &changes, form, (decided, next))
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

/// Shows that no chat waits for the change, and leads to the next one.
async fn show_decided(
    app: &App,
    caller: &PageCaller,
    decided: Option<String>,
) -> ApiResult<Response> {
    let next = next(app, caller, None).await?;
    let frame = Frame::read(app, caller, Place::Changes, "Changes").await?;
    let next = next.map(|item| Item::new(&item, item.since, frame.now));
    // What nobody knows to be decided may never have been there.
    let status = match decided {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    let page = html(&DecidedPage {
        frame,
        decided,
        next,
    })?;
    Ok((status, page).into_response())
}

/// Returns the first of the changes that wait, except one.
async fn next(
    app: &App,
    caller: &PageCaller,
    except: Option<PendingChangeId>,
) -> ApiResult<Option<PendingItem>> {
    let first = PageRequest::newest(2);
    let waiting = pending_changes::list(&app.service, caller.credential, true, &first).await?;
    let mut items = waiting.page.items.into_iter();
    Ok(items.find(|item| Some(item.change.id) != except))
}

/// The chats that a change concerns.
struct Concerned {
    chats: Vec<PendingChat>,
    /// The chats that are still there.
    rows: Vec<ChatRow>,
    /// Whether there are more.
    has_more: bool,
    /// When the change came to the first of their workspaces, if that is known.
    came_at: Option<Moment>,
}

fn render(
    frame: Frame,
    id: PendingChangeId,
    concerned: Concerned,
    changes: &[TextChange<'_>],
    diff: DiffForm<'_>,
    (decided, next): (Option<String>, Option<PendingItem>),
) -> ApiResult<Response> {
    let now = frame.now;
    let Concerned {
        chats,
        rows,
        has_more,
        came_at,
    } = concerned;
    let workspaces: BTreeSet<_> = chats.iter().map(|chat| chat.drifted.chat.agent).collect();
    let facts = chats
        .first()
        .is_some_and(|chat| chat.place.resource.is_none());
    let change = changes.first().map(|(change, _)| change);
    let since = chats.iter().filter_map(|chat| chat.drifted.chat.drift());
    let may_take = has_more
        || chats
            .iter()
            .any(|chat| !chat.drifted.chat.mode.is_observed());
    let clients = chats.iter().map(|chat| chat.drifted.chat.client.as_deref());
    let path = match change.map(path) {
        None | Some("") => "Facts of the workspace".to_owned(),
        Some(path) => path.to_owned(),
    };
    html(&ChangePage {
        id,
        // After an undo, the others wait again.
        decided: decided.filter(|_| !may_take),
        next: next.map(|item| Item::new(&item, item.since, now)),
        came_at: came_at.map(|at| Time::ago(at, now)),
        has_workspaces: has_more || workspaces.len() > 1,
        take: command("Take for all", "take", id),
        take_chosen: command("Take for the chosen", "take", id).filled(CHOSEN),
        keep: command("Keep the pins", "decline", id).filled(CHOSEN),
        kind: sentence(diff.entries.first().map_or("", |entry| entry.kind)),
        is_new: change.is_some_and(|change| change.pinned.is_none()) && !facts,
        since: since
            .map(|drift| drift.since)
            .min()
            .map(|since| Time::span(since, now)),
        may_decide: frame.may(Operation::PinMove),
        taken_by_clients: (!may_take).then(|| sentence(taken_by_clients(clients))),
        rows,
        has_more,
        diff,
        frame: frame.about(&path),
        path,
    })
}

/// The option that restricts a decision to the chosen chats.
const CHOSEN: &str = "chat=--chat=CHAT";

/// Returns the button that copies the command which decides about a change.
fn command(label: &'static str, verb: &str, change: PendingChangeId) -> Command {
    let id = change.to_string();
    Command::new(label, format!("ctxpin change {verb} {}", &id[..ID_DIGITS]))
}

fn id_of(pending: &PendingChat) -> ChatId {
    pending.drifted.chat.id
}

/// Returns the rows of chats, as all lists show them. Leaves out a chat that is deleted by now.
fn rows(chats: &[PendingChat], summaries: &[ChatSummary], frame: &Frame) -> Vec<ChatRow> {
    let summaries = summaries.iter();
    let summaries: BTreeMap<_, _> = summaries.map(|line| (line.chat.id, line)).collect();
    let rows = chats.iter().filter_map(|pending| {
        let line = summaries.get(&id_of(pending))?;
        Some(row(pending, line, frame))
    });
    rows.collect()
}

/// Returns the row of a chat, whose box sends what the change was collected from.
fn row(pending: &PendingChat, line: &ChatSummary, frame: &Frame) -> ChatRow {
    let row = ChatRow {
        end: RowEnd::Workspace(pending.drifted.workspace.clone()),
        ..ChatRow::new(line, frame)
    };
    match seen_chat(pending) {
        Some(seen) => row.choosing(Choice::value(seen.chat, Some(seen.pin), Some(seen.head))),
        None => row,
    }
}

/// Says how many chats a change concerns, how many of them are observed, and in which workspace, if there is only one.
fn place(item: &PendingItem) -> String {
    let mut chats = counted(item.chat_count as u64, "chat");
    match item.observed_count {
        0 => {}
        observed if observed == item.chat_count => chats += ", observed,",
        observed => chats += &format!(", {} observed,", Number(observed as u64)),
    }
    match item.chats.first() {
        Some(chat) if item.workspace_count == 1 => {
            format!("{chats} in {}", chat.drifted.workspace)
        }
        _ => {
            let workspaces = counted(item.workspace_count as u64, "workspace");
            format!("{chats} in {workspaces}")
        }
    }
}

/// Returns the words of the button that keeps the pins of a change's chats. It says how many changes that declines,
/// because a chat declines a whole push.
fn keep(item: &PendingItem) -> String {
    let pins = match item.chat_count {
        1 => "Keep the pin",
        _ => "Keep the pins",
    };
    match item.change_count {
        ..=1 => pins.to_owned(),
        count => format!("{pins}, declines {}", Number(count as u64)),
    }
}

impl Recent {
    fn new(recent: &RecentMove, now: Moment) -> Self {
        let RecentMove {
            chat,
            title,
            record,
        } = recent;
        Self {
            chat: *chat,
            title: title_or_words(title.as_deref()),
            seq: record.seq,
            what: what(record.reason),
            who: who(record),
            at: Time::ago(record.at, now),
        }
    }
}

impl Item {
    fn new(item: &PendingItem, began_at: Moment, now: Moment) -> Self {
        let PendingChange { verb, subject, .. } = item.change;
        let name = resource_name(subject, &item.change.path);
        Self {
            id: item.change.id,
            box_value: change_value(item.change.id, &name),
            path: match item.change.path.as_str() {
                "" => "Facts of the workspace".to_owned(),
                path => path.strip_suffix("/SKILL.md").unwrap_or(path).to_owned(),
            },
            kind: kind_word(item.change.subject),
            verb: verb_word(verb),
            verb_class: match verb_word(verb) {
                "new" => "is-clean",
                "gone" => "is-wrong",
                _ => "is-drift",
            },
            is_unread: item.change.effect == Effect::None,
            sums: Sums(item.lines.unwrap_or_default()),
            place: place(item),
            since: Time::span(began_at, now),
            may_take: item.observed_count < item.chat_count,
            keep: keep(item),
            take_command: command("Take", "take", item.change.id),
            keep_command: command("Keep the pin", "decline", item.change.id),
        }
    }
}
