//! What differs between two heads of a workspace.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::agent::Head;
use ctxpin_model::id::AgentId;
use ctxpin_model::page::{ListPart, PageRequest};
use ctxpin_operations::agents;
use ctxpin_operations::diffs::{self, DiffRequest, DiffView};
use ctxpin_protocol::convert::members::InvalidMember;
use serde::Deserialize;

use super::caller::{PageCaller, layout};
use super::chat::diff::{DiffForm, Part, Texts, entries};
use super::form::Wants;
use super::frame::{Frame, Place, html};
use super::parts::lines::Layout;
use super::parts::text::PathText;
use super::parts::time::Time;
use super::workspaces::agent_id;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::{PathParams, QueryParams};

/// The page that compares two heads.
#[derive(Template)]
#[template(path = "workspace_compare.html")]
struct ComparePage<'v> {
    frame: Frame,
    agent: AgentId,
    workspace: String,
    from: i64,
    to: i64,
    from_at: Time,
    to_at: Time,
    diff: DiffForm<'v>,
}

/// The query of a comparison.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareQuery {
    /// The number of a head.
    from: i64,
    to: i64,
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

/// Compares two heads.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    headers: HeaderMap,
    QueryParams(query): QueryParams<CompareQuery>,
) -> ApiResult<Response> {
    let id = agent_id(&path)?;
    let part = Part::read(
        query.file.as_deref(),
        query.lines.as_deref(),
        query.text,
        query.gap.as_deref(),
    )?;
    let wants = Wants::read(&headers);
    let agent = agents::read(&app.service, caller.credential, id).await?;
    let from = head_at(&app, &caller, id, "from", query.from).await?;
    let to = head_at(&app, &caller, id, "to", query.to).await?;
    let request = DiffRequest {
        from: Some(from.snapshot),
        to: Some(to.snapshot),
        ..part.request()
    };
    let diff = diffs::of_heads(&app.service, caller.credential, id, request).await?;
    let layout = layout(query.view.as_deref()).unwrap_or(caller.choices.layout);
    let workspace = agent.workspace.clone();
    let title = format!("{workspace} · Heads {} and {}", from.seq, to.seq);
    let frame = Frame::read(&app, &caller, Place::Workspaces, title).await?;
    let weight = diff.weight();
    let render = move || match wants {
        Wants::Fragment => {
            let changes = diff.changes();
            let loads = loads(&from, &to);
            let entries = entries(&diff, &changes, diff.directory(), true, Some(&loads));
            html(&Texts::of(&entries, layout, part))
        }
        Wants::Page => {
            let is_alone = part.resource.is_some();
            render(
                frame,
                (id, workspace),
                [&from, &to],
                &diff,
                layout,
                is_alone,
            )
        }
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render(
    frame: Frame,
    (agent, workspace): (AgentId, String),
    [from, to]: [&Head; 2],
    diff: &DiffView,
    layout: Layout,
    is_alone: bool,
) -> ApiResult<Response> {
    let changes = diff.changes();
    let loads = loads(from, to);
    let entries = entries(diff, &changes, diff.directory(), is_alone, Some(&loads));
    html(&ComparePage {
        agent,
        workspace,
        from: from.seq,
        to: to.seq,
        from_at: Time::clock(from.received_at, frame.now),
        to_at: Time::clock(to.received_at, frame.now),
        diff: DiffForm::compared(diff, layout, loads, entries),
        // Two heads never change.
        frame: frame.watching([agent.uuid()]).wide(),
    })
}

/// Returns the start of the queries that lead to parts of a comparison.
fn loads(from: &Head, to: &Head) -> String {
    format!("?from={}&to={}&", from.seq, to.seq)
}

/// Reads the head of that number.
async fn head_at(
    app: &App,
    caller: &PageCaller,
    agent: AgentId,
    member: &str,
    seq: i64,
) -> ApiResult<Head> {
    let page = PageRequest {
        part: ListPart::after(seq.checked_add(1)),
        limit: 1,
    };
    let found = agents::heads(&app.service, caller.credential, agent, &page).await?;
    let found = found.items.into_iter().find(|head| head.seq == seq);
    let unknown = || InvalidMember::new(member, "the workspace has no head of this number");
    Ok(found.ok_or_else(unknown)?)
}
