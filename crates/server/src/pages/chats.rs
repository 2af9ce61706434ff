//! The list of chats.

use std::collections::HashSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::chat::{ChatCounts, ChatFilter, ChatPlace, ChatState, ChatSummary, ChatsPart};
use ctxpin_model::evidence::Verdict;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::mode::Mode;
use ctxpin_model::page::ListPart;
use ctxpin_operations::{chats, overview};
use ctxpin_protocol::convert::members::{InvalidMember, word};
use serde::Deserialize;
use uuid::Uuid;

use super::bulk::Choice;
use super::caller::PageCaller;
use super::cursor::{AFTER, BEFORE, part, require_items};
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::number::{Number, counted};
use super::parts::pager::Pager;
use super::parts::rail::{Rail, SCAN_INCOMPLETE, Stand, is_away};
use super::parts::short_id::ShortId;
use super::parts::text::{PathText, Text};
use super::parts::time::Time;
use super::parts::verdict::{LastSaid, Proof};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::QueryParams;

/// The form of a page about one change.
const DECISION: &str = "decision";

/// The chats of a page.
const PAGE_CHATS: usize = 50;

/// The word in a URL for archived chats.
const ARCHIVED: &str = "archived";

/// The word in a URL for observed chats.
const OBSERVED: &str = "observed";

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
    /// Whose chats the list shows, if it shows those of one owner alone.
    of_owner: Option<OfOwner>,
    /// Whether those come first that have been behind for longest. Otherwise the chats are grouped by workspace.
    is_by_drift: bool,
    groups: Vec<Group>,
    pager: Pager,
    /// Whether there is no chat at all, archived ones included.
    has_none: bool,
}

impl ChatsPage {
    /// Returns the head of the last column.
    fn last_column(&self) -> &'static str {
        match self.is_by_drift {
            true => "Workspace",
            false => "Last turn",
        }
    }

    fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.rows.is_empty())
    }

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
    /// To keep the pins of observed chats, or to archive these.
    Keep,
    /// To decide again about what was declined.
    DecideAgain,
    Unarchive,
}

/// The owner of all chats of a list.
struct OfOwner {
    /// The owner's name. `None` in an empty list.
    name: Option<String>,
    /// The path of the same list of all owners.
    all_owners: String,
}

/// A filter as a link with the number of its chats.
struct Filter {
    label: &'static str,
    path: String,
    count: Number,
    is_current: bool,
}

/// The chats of one workspace on a page.
struct Group {
    agent: Option<AgentId>,
    workspace: Option<String>,
    /// The id of the workspace, if another one on the page has the same name.
    short_id: Option<ShortId>,
    /// How many chats of the workspace the whole list has.
    count: u64,
    /// The path of all these chats, if the page shows some of them.
    path: Option<String>,
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
    /// The owner, if that is another user.
    pub owner: Option<RowOwner>,
    pub short_id: ShortId,
    pub rail: Rail,
    /// Why the scan of the pinned snapshot is incomplete.
    pub error: Option<String>,
    pub drifted_since: Option<Time>,
    pub is_away: bool,
    /// Whether the chat is bound to a workspace.
    pub is_bound: bool,
    /// Whether the agent's last push was refused.
    pub is_refused: bool,
    pub proof: Proof,
    pub pinned: Option<Time>,
    pub end: RowEnd,
}

/// The owner of a chat in a list.
pub(crate) struct RowOwner {
    pub name: String,
    /// The path of the owner's chats.
    pub path: String,
}

/// The last column of a chat in a list.
pub(crate) enum RowEnd {
    /// When the last turn began, in a list of one workspace's chats.
    LastTurn(Option<Time>),
    /// The workspace, in a list of chats from several.
    Workspace(String),
}

impl RowEnd {
    /// Returns what tells a workspace in a narrow column: the last part of a path, or the whole name.
    pub fn last_part(workspace: &str) -> &str {
        let last = workspace.trim_end_matches('/').rsplit('/').next();
        last.filter(|last| !last.is_empty()).unwrap_or(workspace)
    }
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatsQuery {
    /// A state, `observed`, `deviates` or `archived`.
    show: Option<String>,
    agent: Option<Uuid>,
    owner: Option<Uuid>,
    /// The place after which the page begins.
    cursor: Option<String>,
    /// The place before which the page ends.
    before: Option<String>,
}

/// Shows the page.
pub(crate) async fn list(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<ChatsQuery>,
) -> ApiResult<Response> {
    let filter = filter(&query)?;
    let part = query.part(filter.state)?;
    let overview = overview::read(&app.service, caller.credential).await?;
    let found = chats::part(&app.service, caller.credential, &filter, part, PAGE_CHATS).await?;
    require_items(&part, &found.chats)?;
    let (all, mut counts) = (overview.counts, overview.counts);
    if filter.agent.is_some() || filter.owner.is_some() {
        let (agent, owner) = (filter.agent, filter.owner);
        counts = chats::counts(&app.service, caller.credential, agent, owner).await?;
    }
    let frame = Frame::of(&app, &caller, overview, Place::Chats, "Chats");
    let is_by_drift = ChatPlace::is_by_drift(filter.state);
    html(&ChatsPage {
        filters: filters(&counts, &query),
        offer: match (&filter.state, filter.archived) {
            (_, Some(true)) => Offer::Unarchive,
            (Some(ChatState::Declined), _) => Offer::DecideAgain,
            _ if filter.mode == Some(Mode::Observed) => Offer::Keep,
            _ => Offer::Decide,
        },
        all_workspaces: query.agent.map(|_| {
            let all = ChatsQuery {
                agent: None,
                ..query.list()
            };
            all.path(None)
        }),
        of_owner: query.owner.map(|_| {
            let all = ChatsQuery {
                owner: None,
                ..query.list()
            };
            OfOwner {
                name: found.chats.first().map(|line| line.owner_name.clone()),
                all_owners: all.path(None),
            }
        }),
        has_none: all.all + all.archived == 0,
        pager: pager(&found, &query, filter.state, total(&counts, &query)),
        is_by_drift,
        groups: match is_by_drift {
            true => vec![Group::of_all(&found.chats, &frame)],
            false => groups(found, &query, &frame),
        },
        frame,
    })
}

impl ChatsQuery {
    /// Returns the query of the whole list.
    fn list(&self) -> Self {
        Self {
            show: self.show.clone(),
            agent: self.agent,
            owner: self.owner,
            ..Self::default()
        }
    }

    /// Returns the path of the part of the list that begins or ends at a place.
    fn path(&self, place: Option<(&'static str, ChatPlace)>) -> String {
        let show = self.show.as_ref().map(|show| format!("show={show}"));
        let agent = self.agent.map(|agent| format!("agent={agent}"));
        let owner = self.owner.map(|owner| format!("owner={owner}"));
        let place = place.map(|(name, place)| format!("{name}={place}"));
        let parts: Vec<_> = [show, agent, owner, place].into_iter().flatten().collect();
        match parts.is_empty() {
            true => "/chats".to_owned(),
            false => format!("/chats?{}", parts.join("&")),
        }
    }

    /// Returns the part of the list that the page shows.
    fn part(&self, state: Option<ChatState>) -> Result<ListPart<ChatPlace>, InvalidMember> {
        let part = part(self.cursor.as_deref(), self.before.as_deref())?;
        let (member, place) = match &part {
            ListPart::First => return Ok(part),
            ListPart::After(place) => (AFTER, place),
            ListPart::Before(place) => (BEFORE, place),
        };
        match place.drifted_since.is_some() == ChatPlace::is_by_drift(state) {
            true => Ok(part),
            false => Err(InvalidMember::new(
                member,
                "it is a place in a list of another order",
            )),
        }
    }
}

/// Returns the links to the parts of the list before and after this one.
fn pager(found: &ChatsPart, query: &ChatsQuery, state: Option<ChatState>, total: u64) -> Pager {
    let place = |line: Option<&ChatSummary>| line.map(|line| ChatPlace::of(&line.chat, state));
    let path = |name, place| query.path(Some((name, place)));
    let (first, last) = (place(found.chats.first()), place(found.chats.last()));
    let previous = first.filter(|_| found.before > 0);
    let next = last.filter(|_| found.has_more);
    let pager = Pager::between(
        previous.map(|first| path(BEFORE, first)),
        next.map(|last| path(AFTER, last)),
    );
    pager.placed(found.before, found.chats.len() as u64, total)
}

fn filter(query: &ChatsQuery) -> Result<ChatFilter, InvalidMember> {
    let filter = ChatFilter {
        agent: query.agent.map(Into::into),
        owner: query.owner.map(Into::into),
        archived: Some(query.show.as_deref() == Some(ARCHIVED)),
        ..ChatFilter::default()
    };
    Ok(match query.show.as_deref() {
        None | Some(ARCHIVED) => filter,
        Some(OBSERVED) => ChatFilter {
            mode: Some(Mode::Observed),
            ..filter
        },
        Some(show) if show == Verdict::Deviates.as_str() => ChatFilter {
            verdict: Some(Verdict::Deviates),
            ..filter
        },
        Some(state) => ChatFilter {
            state: Some(word("show", state)?),
            ..filter
        },
    })
}

/// Returns the filters in their order, with their words in a URL.
fn filters(counts: &ChatCounts, query: &ChatsQuery) -> Vec<Filter> {
    let of_state = |state: ChatState| Some(state.as_str());
    let filters = [
        ("All", None, counts.all),
        ("Behind", of_state(ChatState::Drifted), counts.drifted),
        ("Declined", of_state(ChatState::Declined), counts.declined),
        ("Unpinned", of_state(ChatState::Unpinned), counts.unpinned),
        ("No workspace", of_state(ChatState::Unbound), counts.unbound),
        ("Scan incomplete", of_state(ChatState::Error), counts.error),
        (
            "Deviates",
            Some(Verdict::Deviates.as_str()),
            counts.deviating,
        ),
        ("Observed", Some(OBSERVED), counts.observed),
        ("Archived", Some(ARCHIVED), counts.archived),
    ];
    let shown = |show: Option<&str>| ChatsQuery {
        show: show.map(ToOwned::to_owned),
        ..query.list()
    };
    let filters = filters.map(|(label, show, count)| Filter {
        label,
        path: shown(show).path(None),
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

impl Group {
    /// Returns chats in their order, each with its workspace.
    fn of_all(lines: &[ChatSummary], frame: &Frame) -> Self {
        let row = |line: &ChatSummary| ChatRow {
            end: RowEnd::Workspace(line.workspace.clone().unwrap_or_default()),
            ..ChatRow::new(line, frame)
        };
        Self {
            agent: None,
            workspace: None,
            short_id: None,
            count: lines.len() as u64,
            path: None,
            rows: lines.iter().map(row).collect(),
        }
    }

    /// Returns how many of the chats are on the page, if others are not.
    fn here(&self) -> Option<Number> {
        let here = self.rows.len() as u64;
        (here < self.count).then_some(Number(here))
    }

    fn count(&self) -> String {
        counted(self.count, "chat")
    }
}

/// Groups the chats of a page by workspace, in the order of their newest chats.
fn groups(found: ChatsPart, query: &ChatsQuery, frame: &Frame) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in found.chats {
        let (agent, row) = (line.chat.agent, ChatRow::new(&line, frame));
        match groups.iter_mut().find(|group| group.agent == agent) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                agent,
                workspace: line.workspace,
                short_id: None,
                count: found.by_agent.get(&agent).copied().unwrap_or_default(),
                path: None,
                rows: vec![row],
            }),
        }
    }
    tell_apart(&mut groups);
    for group in &mut groups {
        let of_agent = |agent: AgentId| ChatsQuery {
            agent: Some(agent.uuid()),
            ..query.list()
        };
        group.path = group
            .agent
            .filter(|_| group.here().is_some())
            .map(|agent| of_agent(agent).path(None));
    }
    groups
}

/// Adds their ids to workspaces of one name.
fn tell_apart(groups: &mut [Group]) {
    let repeated = repeated(groups.iter().flat_map(|group| group.workspace.as_deref()));
    for group in groups {
        let has_twin = group
            .workspace
            .as_ref()
            .is_some_and(|name| repeated.contains(name));
        let agent = group.agent.filter(|_| has_twin);
        group.short_id = agent.map(|agent| ShortId::of_id(agent, "workspace's id"));
    }
}

/// Returns the names that occur more than once.
pub(super) fn repeated<'n>(names: impl IntoIterator<Item = &'n str>) -> HashSet<String> {
    let mut known = HashSet::new();
    let repeated = names.into_iter().filter(|name| !known.insert(*name));
    repeated.map(str::to_owned).collect()
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
            owner: frame.is_of_other(chat.owner).then(|| RowOwner {
                name: line.owner_name.clone(),
                path: format!("/chats?owner={}", chat.owner),
            }),
            short_id: ShortId::of_id(chat.id, "chat's id"),
            rail: Rail::of(line, now),
            error: pin.and_then(|pin| pin.error.clone()),
            drifted_since: chat.drift().map(|drift| Time::span(drift.since, now)),
            is_away: is_away(line, now),
            is_bound: chat.agent.is_some(),
            is_refused: chat.agent_refused.is_some(),
            proof: Proof(LastSaid::of(chat)),
            pinned: pin.map(|pin| Time::span(pin.pinned_at, now)),
            end: RowEnd::LastTurn(line.last_turn_at.map(|at| Time::ago(at, now))),
        }
    }

    /// Lets the row's box belong to the form around it, and send this value.
    pub fn choosing(self, choice: String) -> Self {
        Self {
            choice: self.choice.and(Some(choice)),
            form: DECISION,
            ..self
        }
    }

    /// Returns whether the row's box keeps what it was ticked for, although the chat's workspace has pushed again: the
    /// page of one change takes that change alone.
    pub fn holds_choice(&self) -> bool {
        self.form == DECISION
    }

    /// Returns whether the caller can choose one of these rows.
    pub fn any_choice(rows: &[Self]) -> bool {
        rows.iter().any(|row| row.choice.is_some())
    }

    /// Returns whether there is something to decide about the chat.
    pub fn waits(&self) -> bool {
        matches!(self.stand(), Stand::Drifted | Stand::Declined)
    }

    pub fn stand(&self) -> Stand {
        self.rail.stand
    }

    /// Returns why the key of *Take* takes nothing here. `None` if it takes the chat's changes.
    pub fn why_not(&self) -> Option<&'static str> {
        Some(match self.stand() {
            _ if self.choice.is_none() => "You may not decide about this chat.",
            Stand::Drifted | Stand::Declined if self.rail.is_observed => {
                "This chat is observed: its client takes the changes."
            }
            Stand::Drifted | Stand::Declined => return None,
            Stand::Clean => "Nothing waits in this chat.",
            Stand::Unpinned => "This chat has no pin yet.",
            Stand::Unbound => "This chat has no workspace, so nothing waits in it.",
            Stand::Archived => "This chat is archived. Unarchive it to take changes.",
        })
    }

    /// Returns the class of the state's words.
    pub fn class(&self) -> &'static str {
        match self.stand() {
            Stand::Drifted => "is-drift",
            Stand::Clean if self.error.is_some() => "is-wrong",
            Stand::Clean if self.doubts().is_empty() => "faint",
            Stand::Clean | Stand::Declined | Stand::Unpinned | Stand::Unbound | Stand::Archived => {
                "quiet"
            }
        }
    }

    /// Returns why the state may not be the whole truth, in a few words each.
    pub fn doubts(&self) -> Vec<&'static str> {
        let doubts = [
            (self.error.is_some(), SCAN_INCOMPLETE),
            (self.is_refused, "agent refused"),
            (self.is_away, "agent gone"),
        ];
        let doubts = doubts.into_iter().filter(|(is_so, _)| *is_so);
        doubts.map(|(_, words)| words).collect()
    }
}
