//! The workspaces: the agents beside them, their heads, and the chats that are bound to them.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::agent::{AgentRecord, Head};
use ctxpin_model::chat::{ChatFilter, ChatSummary};
use ctxpin_model::history::PinStep;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::PageRequest;
use ctxpin_operations::{agents, chats, history};
use ctxpin_protocol::convert::pages::page_request;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use super::caller::PageCaller;
use super::chats::{ChatRow, title_of};
use super::cursor::{CursorQuery, require_items};
use super::frame::{Frame, Place, html};
use super::parts::map::{Axis, Lane, Range, Step};
use super::parts::rail::{Rail, Stand};
use super::parts::short_id::ShortId;
use super::parts::text::Text;
use super::parts::time::Time;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::params::{PathParams, QueryParams};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most chats of a map, each with its lane.
const LANES_MAX: usize = 24;

/// The most heads and chats on the page of a workspace.
const SHOWN_MAX: i64 = 50;

/// The page of the agents that the caller may read.
#[derive(Template)]
#[template(path = "workspaces.html")]
struct WorkspacesPage {
    frame: Frame,
    rows: Vec<Workspace>,
    next: Option<String>,
}

/// The page of one workspace.
#[derive(Template)]
#[template(path = "workspace.html")]
struct WorkspacePage {
    frame: Frame,
    workspace: Workspace,
    may_refresh: bool,
    map: Option<Map>,
    notes: Vec<String>,
    heads: Vec<HeadRow>,
    chats: Vec<ChatRow>,
    has_more_chats: bool,
    has_more_heads: bool,
}

/// A workspace with the state of its agent.
struct Workspace {
    id: AgentId,
    name: String,
    agent: String,
    short_id: ShortId,
    rail: Rail,
    state: &'static str,
    is_refused: bool,
    refusal: Option<Time>,
    pushed: Option<Time>,
}

/// The map of a workspace.
struct Map {
    range: Range,
    ranges: Vec<RangeLink>,
    axis: Axis,
    lanes: Vec<ChatLane>,
}

/// A link that chooses the range of the map.
struct RangeLink {
    word: &'static str,
    label: &'static str,
    is_current: bool,
}

/// The lane of a chat.
struct ChatLane {
    chat: ChatId,
    title: String,
    lane: Lane,
}

/// A head of a workspace.
struct HeadRow {
    seq: i64,
    snapshot: ShortId,
    at: Time,
    ago: Time,
}

/// Shows the list.
pub(crate) async fn list(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let asked = page_request(query.cursor.as_deref(), None)?;
    let agents = agents::list(&app.service, caller.credential, &asked).await?;
    require_items(query.cursor.as_deref(), &agents.items)?;
    let frame = Frame::read(&app, &caller, Place::Workspaces, "Workspaces").await?;
    let now = frame.now;
    html(&WorkspacesPage {
        rows: agents
            .items
            .iter()
            .map(|agent| Workspace::new(agent, now))
            .collect(),
        next: agents.next.map(|next| format!("/workspaces?cursor={next}")),
        frame,
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
    let id: AgentId = path.id("agent").map_err(|_: ApiError| {
        let detail = "There is no agent of this id, or you may not see it.";
        ApiError::new(ProblemName::NotFound, detail)
    })?;
    let agent = agents::read(&app.service, caller.credential, id).await?;
    let newest = PageRequest::newest(SHOWN_MAX);
    let heads = agents::heads(&app.service, caller.credential, id, &newest).await?;
    let filter = ChatFilter {
        agent: Some(id),
        archived: Some(false),
        ..ChatFilter::default()
    };
    let newest = PageRequest::newest(SHOWN_MAX);
    let chats = chats::summaries(&app.service, caller.credential, &filter, &newest).await?;
    let mut map = None;
    if chats.next.is_none() && chats.items.len() <= LANES_MAX && !heads.items.is_empty() {
        let ids: Vec<_> = chats.items.iter().map(|line| line.chat.id).collect();
        let steps = history::steps(&app.service, caller.credential, &ids).await?;
        let range = query.range.as_deref().unwrap_or("7d");
        map = Some(Map::new(
            &heads.items,
            &chats.items,
            &steps,
            range,
            app.now(),
        ));
    }
    let title = agent.workspace.clone();
    let frame = Frame::read(&app, &caller, Place::Workspaces, title).await?;
    let frame = frame.watching([id.uuid()]);
    let now = frame.now;
    let notes = agent.notes.iter().map(|note| {
        let (source, detail) = (note.source.as_deref(), note.warning.detail.as_deref());
        let parts = [source, Some(note.warning.code.as_str()), detail];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    });
    html(&WorkspacePage {
        workspace: Workspace::new(&agent.agent, now),
        may_refresh: agent.may_refresh,
        map,
        notes: notes.collect(),
        heads: heads
            .items
            .iter()
            .map(|head| HeadRow::new(head, now))
            .collect(),
        chats: chats
            .items
            .iter()
            .map(|line| ChatRow::new(line, now))
            .collect(),
        has_more_chats: chats.next.is_some(),
        has_more_heads: heads.next.is_some(),
        frame,
    })
}

impl Workspace {
    fn new(agent: &AgentRecord, now: Moment) -> Self {
        let is_connected = agent.is_connected(now);
        let state = match (agent.refused, is_connected, agent.last_seen_at) {
            (Some(_), _, _) => "last push refused",
            (None, true, _) => "connected",
            (None, false, Some(_)) => "gone",
            (None, false, None) => "never connected",
        };
        Self {
            id: agent.id,
            name: agent.workspace.clone(),
            agent: agent.name.clone(),
            short_id: ShortId::of_id(agent.id, "agent's id"),
            rail: Rail {
                stand: match agent.head {
                    Some(_) => Stand::Clean,
                    None => Stand::Unpinned,
                },
                behind: 0,
                is_away: agent.head.is_some() && !is_connected,
                has_error: agent.refused.is_some(),
                is_large: false,
            },
            state,
            is_refused: agent.refused.is_some(),
            refusal: agent.refused.map(|refused| Time::ago(refused.at, now)),
            pushed: agent.last_push_at.map(|at| Time::ago(at, now)),
        }
    }
}

impl Map {
    fn new(
        heads: &[Head],
        chats: &[ChatSummary],
        steps: &[PinStep],
        word: &str,
        now: Moment,
    ) -> Self {
        let first = heads.last().map_or(now, |head| head.received_at);
        let from = match word {
            "24h" => now.before(DAY),
            "30d" => now.before(30 * DAY),
            "all" => first,
            _ => now.before(7 * DAY),
        };
        let range = Range { from, to: now };
        let links = [
            ("24h", "24 hours"),
            ("7d", "7 days"),
            ("30d", "30 days"),
            ("all", "All"),
        ];
        let of_head = |head: &Head| Step {
            at: head.received_at,
            head: Some(head.seq),
        };
        let lanes = chats.iter().map(|line| {
            let chat = line.chat.id;
            let own = steps.iter().filter(|step| step.chat == chat);
            let steps = own.map(|step| Step {
                at: step.at,
                head: step.head_seq,
            });
            ChatLane {
                chat,
                title: title_of(line),
                lane: Lane {
                    range,
                    steps: steps.collect(),
                },
            }
        });
        Self {
            range,
            ranges: links
                .map(|(known, label)| RangeLink {
                    word: known,
                    label,
                    is_current: known == word,
                })
                .into(),
            axis: Axis(Lane {
                range,
                steps: heads.iter().rev().map(of_head).collect(),
            }),
            lanes: lanes.collect(),
        }
    }
}

impl HeadRow {
    fn new(head: &Head, now: Moment) -> Self {
        Self {
            seq: head.seq,
            snapshot: ShortId::of_snapshot(head.snapshot),
            at: Time::clock(head.received_at, now),
            ago: Time::ago(head.received_at, now),
        }
    }
}
