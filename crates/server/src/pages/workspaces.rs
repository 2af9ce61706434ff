//! The workspaces: the agents beside them, their heads, and the chats that are bound to them.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::agent::{AgentCounts, AgentRecord, AgentState, Head};
use ctxpin_model::chat::{ChatFilter, ChatSummary};
use ctxpin_model::id::AgentId;
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::profile::Profile;
use ctxpin_model::quota::{Limit, Rate, Stock};
use ctxpin_model::resource::Status;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_operations::agents::{self, AgentView};
use ctxpin_operations::{chats, prompts};
use ctxpin_protocol::convert::members::word;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;
use uuid::Uuid;

use super::caller::PageCaller;
use super::chats::{ChatRow, RowEnd};
use super::cursor::{request, require_items};
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::number::Number;
use super::parts::pager::Pager;
use super::parts::rail::{Rail, Stand};
use super::parts::resource_tree::{Marks, ResourceTree};
use super::parts::short_id::ShortId;
use super::parts::text::{PathText, Text};
use super::parts::time::Time;
use super::parts::unused::{Cure, Unused, UnusedList};
use super::search::exposed_path;
use super::workspace_map::Map;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::params::{PathParams, QueryParams};

/// The most heads and chats on the page of a workspace.
const SHOWN_MAX: i64 = 50;

/// The most heads on the map of a workspace.
const MAP_HEADS_MAX: i64 = 200;

/// The page of the agents that the caller may read.
#[derive(Template)]
#[template(path = "workspaces.html")]
struct WorkspacesPage {
    frame: Frame,
    filters: Vec<Filter>,
    /// Whether there is no workspace in any state.
    has_none: bool,
    rows: Vec<Workspace>,
    pager: Pager,
}

/// A state as a link with the number of its agents.
struct Filter {
    label: &'static str,
    path: String,
    count: Number,
    is_current: bool,
}

/// The page of one workspace.
#[derive(Template)]
#[template(path = "workspace.html")]
struct WorkspacePage {
    frame: Frame,
    workspace: Workspace,
    /// Whether the workspace is the caller's.
    is_own: bool,
    may_refresh: bool,
    /// Why the agent polls files.
    polling: Option<String>,
    may_delete: bool,
    map: Option<Map>,
    notes: Vec<String>,
    /// What the workspace has now. `None` before the first push, and for a caller who may not read it.
    content: Option<WorkspaceContent>,
    may_read_content: bool,
    heads: Vec<HeadRow>,
    /// Whether there are two heads whose texts the caller may compare.
    may_compare: bool,
    chats: Vec<ChatRow>,
    has_more_chats: bool,
    has_more_heads: bool,
}

/// What a workspace has now.
struct WorkspaceContent {
    tree: ResourceTree,
    unused: UnusedList,
}

/// A workspace with the state of its agent.
struct Workspace {
    id: AgentId,
    name: String,
    agent: String,
    profile: Profile,
    home: Option<String>,
    short_id: ShortId,
    rail: Rail,
    state: &'static str,
    is_refused: bool,
    /// When the last push was refused, and the limit that it exceeds.
    refusal: Option<(Time, &'static str)>,
    pushed: Option<Time>,
    /// How many resources of the head are unusable, in the list of workspaces. `None` if all are usable.
    unusable: Option<Number>,
}

/// A head of a workspace.
struct HeadRow {
    seq: i64,
    snapshot: ShortId,
    /// The path of the chats that had it in force.
    exposed: String,
    /// Whether the head is chosen to be compared from, and to.
    is_from: bool,
    is_to: bool,
    at: Time,
    ago: Time,
}

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspacesQuery {
    /// The only state to show.
    show: Option<String>,
    cursor: Option<String>,
    before: Option<String>,
}

/// Shows the list.
pub(crate) async fn list(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<WorkspacesQuery>,
) -> ApiResult<Response> {
    let asked = request(query.cursor.as_deref(), query.before.as_deref())?;
    let state = query.show.as_deref().map(|text| word("show", text));
    let state: Option<AgentState> = state.transpose()?;
    let (agents, counts) =
        agents::list_by_state(&app.service, caller.credential, state, &asked).await?;
    require_items(&asked.part, &agents.items)?;
    let (service, credential) = (&app.service, caller.credential);
    let unusable = agents::unusable_counts(service, credential, &agents.items).await?;
    let frame = Frame::read(&app, &caller, Place::Workspaces, "Workspaces").await?;
    let now = frame.now;
    html(&WorkspacesPage {
        filters: filters(&counts, state),
        has_none: counts.all() == 0,
        rows: agents
            .items
            .iter()
            .map(|agent| Workspace {
                unusable: agent
                    .head
                    .and_then(|head| unusable.get(&head.snapshot).copied().map(Number)),
                ..Workspace::new(agent, now)
            })
            .collect(),
        pager: Pager::of(&agents, |name, place| path_of(state, Some((name, *place)))),
        frame,
    })
}

/// Returns the filters in their order.
fn filters(counts: &AgentCounts, current: Option<AgentState>) -> Vec<Filter> {
    let of = |state: AgentState| (Some(state), counts.of(state));
    let filters = [
        ("All", (None, counts.all())),
        ("Connected", of(AgentState::Connected)),
        ("Polling", of(AgentState::Polling)),
        ("Refused", of(AgentState::Refused)),
        ("Gone", of(AgentState::Gone)),
        ("Never connected", of(AgentState::New)),
    ];
    let filters = filters.map(|(label, (state, count))| Filter {
        label,
        path: path_of(state, None),
        count: Number(count),
        is_current: state == current,
    });
    filters.into()
}

/// Returns the path of a page of the list.
fn path_of(state: Option<AgentState>, place: Option<(&'static str, Uuid)>) -> String {
    let state = state.map(|state| format!("show={state}"));
    let place = place.map(|(name, place)| format!("{name}={place}"));
    let parts: Vec<_> = [state, place].into_iter().flatten().collect();
    match parts.is_empty() {
        true => "/workspaces".to_owned(),
        false => format!("/workspaces?{}", parts.join("&")),
    }
}

/// Reads the id of an agent in a path.
///
/// # Errors
///
/// Returns `not-found` if the text is no id.
pub(super) fn agent_id(path: &PathParams) -> ApiResult<AgentId> {
    path.id("agent").map_err(|_: ApiError| {
        let detail = "There is no workspace of this id, or you may not see it.";
        ApiError::new(ProblemName::NotFound, detail)
    })
}

/// The query of one workspace.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceQuery {
    range: Option<String>,
}

/// Shows one workspace.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<WorkspaceQuery>,
) -> ApiResult<Response> {
    let id = agent_id(&path)?;
    let agent = agents::read(&app.service, caller.credential, id).await?;
    let newest = PageRequest::newest(MAP_HEADS_MAX);
    let heads = agents::heads(&app.service, caller.credential, id, &newest).await?;
    let filter = ChatFilter {
        agent: Some(id),
        archived: Some(false),
        ..ChatFilter::default()
    };
    let newest = PageRequest::newest(SHOWN_MAX);
    let chats = chats::summaries(&app.service, caller.credential, &filter, &newest).await?;
    let map = Map::read(
        &app,
        &caller,
        id,
        &heads.items,
        &chats,
        query.range.as_deref(),
    )
    .await?;
    let title = agent.workspace.clone();
    let frame = Frame::read(&app, &caller, Place::Workspaces, title).await?;
    let frame = frame.watching([id.uuid()]);
    let may_read = frame.may_on(Operation::DiffRead, agent.owner);
    let head = match may_read {
        true => agents::head_snapshot(&app.service, caller.credential, id).await?,
        false => None,
    };
    let weight = head.as_ref().map_or(0, |head| prompts::weight(head));
    let render = move || {
        let content = head.map(|head| WorkspaceContent::new(&head));
        render(frame, &agent, map, &heads, &chats, content)
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render(
    frame: Frame,
    agent: &AgentView,
    map: Option<Map>,
    heads: &Page<Head, i64>,
    chats: &Page<ChatSummary, IdCursor>,
    content: Option<WorkspaceContent>,
) -> ApiResult<Response> {
    let now = frame.now;
    let may_read = frame.may_on(Operation::DiffRead, agent.owner);
    let notes = agent.notes.iter().map(|note| {
        let (source, detail) = (note.source.as_deref(), note.warning.detail.as_deref());
        let parts = [source, Some(note.warning.code.as_str()), detail];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    });
    let rows = heads.items.iter().take(SHOWN_MAX as usize).enumerate();
    html(&WorkspacePage {
        workspace: Workspace::new(&agent.agent, now),
        is_own: !frame.is_of_other(agent.owner),
        may_refresh: agent.may_refresh,
        polling: agent.polling.clone(),
        may_delete: frame.may_on(Operation::AgentDelete, agent.owner),
        may_compare: heads.items.len() > 1 && may_read,
        map,
        notes: notes.collect(),
        content,
        may_read_content: may_read,
        heads: rows
            .map(|(index, head)| HeadRow {
                is_from: index == 1,
                is_to: index == 0,
                ..HeadRow::new(head, now)
            })
            .collect(),
        chats: chats
            .items
            .iter()
            .map(|line| ChatRow::new(line, &frame))
            .collect(),
        has_more_chats: chats.next.is_some(),
        has_more_heads: heads.items.len() > SHOWN_MAX as usize,
        frame,
    })
}

impl WorkspaceContent {
    fn new(head: &TreatedSnapshot) -> Self {
        let directory = head.facts.directory.as_deref();
        let command = "ctxpin scan";
        let resources = &head.resources;
        let of_scan = head.error.iter();
        let of_scan = of_scan.map(|error| Unused::of_scan(error, Cure::Workspace));
        let unused = resources.iter().filter(|one| one.status != Status::Ok);
        let unused = unused.map(|one| Unused::new(one, directory, Cure::Workspace));
        Self {
            tree: ResourceTree::new(
                resources,
                directory.unwrap_or_default(),
                &Marks::default(),
                command,
            ),
            unused: UnusedList::new(of_scan.chain(unused).collect(), command),
        }
    }
}

impl Workspace {
    fn new(agent: &AgentRecord, now: Moment) -> Self {
        let is_connected = agent.is_connected(now);
        let state = match agent.state(now) {
            AgentState::Refused => "last push refused",
            AgentState::Connected => "connected",
            AgentState::Polling => "polling",
            AgentState::Gone => "gone",
            AgentState::New => "never connected",
        };
        Self {
            id: agent.id,
            name: agent.workspace.clone(),
            agent: agent.name.clone(),
            profile: agent.profile,
            home: agent.home.clone(),
            short_id: ShortId::of_id(agent.id, "agent's id"),
            rail: Rail {
                stand: match agent.head {
                    Some(_) => Stand::Clean,
                    None => Stand::Unpinned,
                },
                behind: None,
                is_away: agent.head.is_some() && !is_connected,
                notch: agent.refused.map(|_| "push refused"),
                is_observed: false,
                is_large: false,
                of_agent: Some(state),
            },
            state,
            is_refused: agent.refused.is_some(),
            refusal: agent
                .refused
                .map(|refused| (Time::ago(refused.at, now), exceeded(refused.limit))),
            pushed: agent.head.map(|head| Time::ago(head.received_at, now)),
            unusable: None,
        }
    }
}

/// Returns what a push would have had too much of, as the end of a sentence.
fn exceeded(limit: Limit) -> &'static str {
    match limit {
        Limit::Stock(Stock::ContentBytes) => "its owner may have no more content on this server",
        Limit::Stock(Stock::Agents) => "its owner may have no more workspaces on this server",
        Limit::Stock(Stock::Chats) => "its owner may have no more chats on this server",
        Limit::Stock(Stock::Tokens) => "its owner may have no more tokens on this server",
        Limit::Rate(Rate::Pushes) => "it pushed too often in a minute",
        Limit::Rate(Rate::UploadBytes) => "it sent too much in a minute",
        Limit::Rate(Rate::Turns) => "too many turns began in a minute",
        Limit::Rate(Rate::Moves) => "too many pins moved in a minute",
        Limit::Rate(Rate::SignIns) => "too many people signed in in a minute",
    }
}

impl HeadRow {
    fn new(head: &Head, now: Moment) -> Self {
        Self {
            seq: head.seq,
            snapshot: ShortId::of_snapshot(head.snapshot),
            exposed: exposed_path(head),
            is_from: false,
            is_to: false,
            at: Time::clock(head.received_at, now),
            ago: Time::ago(head.received_at, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ctxpin_model::drift::Hashes;
    use ctxpin_model::hash::{ContextHash, SnapshotId, ToolsHash};

    use super::*;

    #[test]
    fn a_push_that_changed_nothing_is_none() {
        let pushed_at = Moment::from_unix_micros(1_795_788_000_000_000).unwrap();
        let now = pushed_at.after(Duration::from_secs(60 * 20));
        let agent = AgentRecord {
            id: Uuid::from_u128(1).into(),
            owner: Uuid::from_u128(2).into(),
            workspace: "shop".into(),
            name: String::new(),
            may_refresh: false,
            profile: Profile::Neutral,
            home: None,
            replaces: None,
            replaced_by: None,
            epoch: 2,
            version: 1,
            head: Some(Head {
                seq: 1,
                snapshot: SnapshotId::of(b"snapshot"),
                hashes: Hashes {
                    context: ContextHash::of(b"context"),
                    tools: ToolsHash::of(b"tools"),
                },
                received_at: pushed_at,
            }),
            mcp_settled: true,
            last_push_at: Some(now),
            last_seen_at: Some(now),
            polling: None,
            created_at: pushed_at,
            refused: None,
            token_expires_at: None,
            token_revoked_at: None,
        };
        let pushed = Workspace::new(&agent, now).pushed.unwrap().to_string();
        assert!(pushed.contains("20 min ago"), "{pushed}");
    }
}
