//! The list of chats.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::chat::{ChatCounts, ChatFilter, ChatState, ChatSummary};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_operations::{chats, overview};
use ctxpin_protocol::convert::members::{InvalidMember, word};
use ctxpin_protocol::convert::pages::page_request;
use serde::Deserialize;
use uuid::Uuid;

use super::bulk::Choice;
use super::caller::PageCaller;
use super::cursor::require_items;
use super::frame::{Frame, Place, html};
use super::parts::number::Number;
use super::parts::rail::{Rail, Stand, is_away};
use super::parts::short_id::ShortId;
use super::parts::text::Text;
use super::parts::time::Time;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::QueryParams;

/// The word in a URL for archived chats.
const ARCHIVED: &str = "archived";

/// The page of the chats that the caller may read.
#[derive(Template)]
#[template(path = "chats.html")]
struct ChatsPage {
    frame: Frame,
    filters: Vec<Filter>,
    /// What the bar of the selection offers.
    offer: Offer,
    /// The path of the same list of all workspaces, if it shows one alone.
    all_workspaces: Option<String>,
    groups: Vec<Group>,
    shown: usize,
    total: Number,
    /// The path of the first page, on another one.
    first: Option<String>,
    /// The path of the next page.
    next: Option<String>,
    /// Whether there is no chat at all, archived ones included.
    has_none: bool,
}

impl ChatsPage {
    /// Returns whether the caller can choose one of the chats.
    fn has_choice(&self) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|group| ChatRow::any_choice(&group.rows))
    }
}

/// What can be done with chosen chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// To take their changes, to keep their pins, or to archive them.
    Decide,
    /// To decide again about what was declined.
    DecideAgain,
    Unarchive,
}

/// A filter as a link with the number of its chats.
struct Filter {
    label: &'static str,
    path: String,
    count: Number,
    is_current: bool,
}

/// The chats of one workspace.
struct Group {
    agent: Option<AgentId>,
    workspace: Option<String>,
    rows: Vec<ChatRow>,
}

/// A chat in a list.
pub(crate) struct ChatRow {
    pub id: ChatId,
    /// The value that the row's box sends. `None` if the caller can decide nothing about the chat.
    pub choice: Option<String>,
    /// The form that the box belongs to.
    pub form: &'static str,
    pub title: String,
    pub client: Option<String>,
    pub short_id: ShortId,
    pub rail: Rail,
    /// The error of the pinned snapshot.
    pub error: Option<String>,
    pub drifted_since: Option<Time>,
    pub is_away: bool,
    pub pinned: Option<Time>,
    pub end: RowEnd,
}

/// The last column of a chat in a list.
pub(crate) enum RowEnd {
    /// When the last turn began, in a list of one workspace's chats.
    LastTurn(Option<Time>),
    /// The workspace, in a list of chats from several.
    Workspace(String),
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatsQuery {
    /// A state, or `archived`.
    show: Option<String>,
    agent: Option<Uuid>,
    cursor: Option<String>,
}

/// Shows the page.
pub(crate) async fn list(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<ChatsQuery>,
) -> ApiResult<Response> {
    let asked = page_request(query.cursor.as_deref(), None)?;
    let filter = filter(&query)?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let page = chats::summaries(&app.service, caller.credential, &filter, &asked).await?;
    require_items(query.cursor.as_deref(), &page.items)?;
    let (all, mut counts) = (overview.counts, overview.counts);
    if let Some(agent) = filter.agent {
        counts = chats::counts_of_agent(&app.service, caller.credential, agent).await?;
    }
    let frame = Frame::of(&app, &caller, overview, Place::Chats, "Chats");
    let shown = page.items.len();
    let next = page
        .next
        .map(|next| path_of(query.show.as_deref(), query.agent, Some(next)));
    html(&ChatsPage {
        filters: filters(&counts, &query),
        offer: match (&filter.state, filter.archived) {
            (_, Some(true)) => Offer::Unarchive,
            (Some(ChatState::Declined), _) => Offer::DecideAgain,
            _ => Offer::Decide,
        },
        all_workspaces: query
            .agent
            .map(|_| path_of(query.show.as_deref(), None, None)),
        shown,
        first: query
            .cursor
            .as_ref()
            .map(|_| path_of(query.show.as_deref(), query.agent, None)),
        total: Number(total(&counts, &query).max(shown as u64)),
        next,
        has_none: all.all + all.archived == 0,
        groups: groups(page.items, &frame),
        frame,
    })
}

fn filter(query: &ChatsQuery) -> Result<ChatFilter, InvalidMember> {
    let is_archived = query.show.as_deref() == Some(ARCHIVED);
    let state = query.show.as_deref().filter(|_| !is_archived);
    Ok(ChatFilter {
        agent: query.agent.map(Into::into),
        state: state.map(|state| word("show", state)).transpose()?,
        archived: Some(is_archived),
        ..ChatFilter::default()
    })
}

/// Returns the filters in their order, with their words in a URL.
fn filters(counts: &ChatCounts, query: &ChatsQuery) -> Vec<Filter> {
    let of_state = |state: ChatState| Some(state.as_str());
    let filters = [
        ("All", None, counts.all),
        ("Behind", of_state(ChatState::Drifted), counts.drifted),
        ("Kept", of_state(ChatState::Declined), counts.declined),
        ("Unpinned", of_state(ChatState::Unpinned), counts.unpinned),
        ("Error", of_state(ChatState::Error), counts.error),
        ("Archived", Some(ARCHIVED), counts.archived),
    ];
    let filters = filters.map(|(label, show, count)| Filter {
        label,
        path: path_of(show, query.agent, None),
        count: Number(count),
        is_current: query.show.as_deref() == show,
    });
    filters.into()
}

/// Returns how many chats the query's filter has.
fn total(counts: &ChatCounts, query: &ChatsQuery) -> u64 {
    let filters = filters(counts, query);
    let current = filters.into_iter().find(|filter| filter.is_current);
    current.map_or(0, |filter| filter.count.0)
}

/// Returns the path of a page of a list.
fn path_of(show: Option<&str>, agent: Option<Uuid>, cursor: Option<Uuid>) -> String {
    let show = show.map(|show| format!("show={show}"));
    let agent = agent.map(|agent| format!("agent={agent}"));
    let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
    let parts: Vec<_> = [show, agent, cursor].into_iter().flatten().collect();
    match parts.is_empty() {
        true => "/chats".to_owned(),
        false => format!("/chats?{}", parts.join("&")),
    }
}

/// Groups the chats of a page by workspace, in the order of their newest chats.
fn groups(lines: Vec<ChatSummary>, frame: &Frame) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in lines {
        let row = ChatRow::new(&line, frame);
        match groups
            .iter_mut()
            .find(|group| group.agent == line.chat.agent)
        {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                agent: line.chat.agent,
                workspace: line.workspace,
                rows: vec![row],
            }),
        }
    }
    groups
}

/// Returns the title of a chat, or words for one without.
pub(crate) fn title_of(line: &ChatSummary) -> String {
    title_or_words(line.chat.title.as_deref())
}

/// Returns a title, or words for none.
pub(crate) fn title_or_words(title: Option<&str>) -> String {
    title.unwrap_or("Untitled").to_owned()
}

impl ChatRow {
    /// Returns the row of a chat.
    pub fn new(line: &ChatSummary, frame: &Frame) -> Self {
        let (chat, now) = (&line.chat, frame.now);
        let pin = chat.pin.as_ref();
        let choice = || {
            let pin = pin.map(|pin| pin.pin.snapshot);
            Choice::value(chat.id, pin, chat.head.map(|head| head.snapshot))
        };
        Self {
            id: chat.id,
            choice: frame.may_on(Operation::PinMove, chat.owner).then(choice),
            form: "selection",
            title: title_of(line),
            client: chat.client.clone(),
            short_id: ShortId::of_id(chat.id, "chat's id"),
            rail: Rail::of(line, now),
            error: pin.and_then(|pin| pin.error.clone()),
            drifted_since: chat.drift().map(|drift| Time::span(drift.since, now)),
            is_away: is_away(line, now),
            pinned: pin.map(|pin| Time::span(pin.pinned_at, now)),
            end: RowEnd::LastTurn(line.last_turn_at.map(|at| Time::ago(at, now))),
        }
    }

    /// Lets the row's box belong to the form around it, and send this value.
    pub fn choosing(self, choice: String) -> Self {
        Self {
            choice: self.choice.and(Some(choice)),
            form: "decision",
            ..self
        }
    }

    /// Returns whether the caller can choose one of these rows.
    pub fn any_choice(rows: &[Self]) -> bool {
        rows.iter().any(|row| row.choice.is_some())
    }

    pub fn stand(&self) -> Stand {
        self.rail.stand
    }
}
