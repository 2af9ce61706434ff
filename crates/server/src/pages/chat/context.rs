//! The context of a chat: what its pin holds, what of it is used, and the text of one resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::context::ContextView;
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{Kind, Resource, ResourceId, Status};
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_operations::contexts::{self, Effective, LeftOut};
use ctxpin_operations::skills;
use ctxpin_protocol::convert::members::InvalidMember;
use ctxpin_protocol::problem::ProblemName;
use serde::Deserialize;

use super::changes::{BYTES_PER_TOKEN, directory};
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use super::question::Question;
use super::shown::{Form, Shown, plain, saved};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::glyph::{Glyph, Share};
use crate::pages::parts::number::{Number, Size};
use crate::pages::parts::resource_name::name_from;
use crate::pages::parts::resource_tree::{Marks, ResourceTree};
use crate::pages::parts::room::ListRoom;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::unused::{Cure, Taker, Unused, UnusedList};
use crate::params::{PathParams, QueryParams};

/// The page of a chat's context.
#[derive(Template)]
#[template(path = "chat/context.html")]
struct ContextPage {
    frame: Frame,
    head: ChatHead,
    tree: ResourceTree,
    given: Option<Given>,
    /// The form that asks what comes with a file. `None` if nothing does.
    question: Option<Question>,
    unused: UnusedList,
    shown: Option<Shown>,
    /// Whether the caller may read texts.
    tells_bodies: bool,
    is_pinned: bool,
}

/// The most files that the page lists as given by the tool.
const GIVEN_MAX: usize = 200;

/// The command that lists what the page does not.
const COMMAND: &str = "ctxpin chat show --resources";

/// What the tool of the pin's profile gives its model, in its order.
struct Given {
    tool: Profile,
    /// The bytes that count towards the tool's limit. Without a limit, all of them.
    used: Size,
    /// About how many tokens these are.
    tokens: Number,
    bytes_max: Option<Size>,
    files: Vec<GivenFile>,
    /// What the tool gives when the model reads certain files, in no sum.
    on_demand: Vec<OnDemandFile>,
    /// What the tool could read but does not give, by name and reason.
    left_out: Vec<(String, String)>,
    /// How many resources are in neither list, because the page is long enough.
    more: Number,
}

/// A resource that reaches the model.
struct GivenFile {
    name: String,
    size: Size,
    /// The part in the tool's limit. `None` if it does not count.
    share: Option<Share>,
    cut_at: Option<Number>,
}

/// A resource that reaches the model with certain files.
struct OnDemandFile {
    name: String,
    /// With which files, as a message for people.
    condition: String,
    size: Size,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextQuery {
    resource: Option<String>,
    r#as: Option<String>,
    /// The file of the question.
    file: Option<String>,
}

/// The query of a skill's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileQuery {
    path: String,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<ContextQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let page = read(&app, &caller, chat, Tab::Context).await?;
    let unknown = || InvalidMember::new("resource", "this is not the id of a resource");
    let asked = query.resource.map(|id| id.parse().map_err(|_| unknown()));
    let asked: Option<ResourceId> = asked.transpose()?;
    let form = Form::of(query.r#as.as_deref());
    let first = || {
        let mut pinned = page.view.pinned.iter().flat_map(|side| &side.resources);
        let first = pinned.find(|resource| resource.reaches_context());
        first.map(Resource::id)
    };
    let id = asked.or_else(first).filter(|_| page.view.tells_bodies);
    let mut shown = None;
    if let Some(id) = id {
        let reviewed = contexts::review(&app.service, caller.credential, chat, id).await?;
        let name = name_from(&reviewed.resource.source, directory(&page.view)).to_owned();
        let path = format!("/chats/{chat}/context/{id}");
        let query = Some(format!("resource={id}"));
        shown = Some(Shown::new(name, (form, query), path, reviewed));
    }
    let is_of_tool = |pinned: &TreatedSnapshot| pinned.facts.rules.is_some();
    let is_of_tool = page.view.pinned.as_deref().is_some_and(is_of_tool);
    let effective = match is_of_tool && page.view.tells_bodies {
        true => contexts::effective(&app.service, caller.credential, chat).await?,
        false => None,
    };
    let mut question = None;
    if let Some(pinned) = page.view.pinned.as_ref().filter(|_| page.view.tells_bodies)
        && pinned
            .instruction_files()
            .any(|file| file.applies.is_some())
    {
        let directory = pinned.facts.directory.as_deref().unwrap_or_default();
        let asked = Question::ask(&app, caller.credential, chat, query.file, directory);
        question = Some(asked.await?);
    }
    let weight = contexts::context_weight(&page.view);
    let weight = weight + shown.as_ref().map_or(0, Shown::bytes);
    let render = move || render(page, id, shown, effective, question);
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render(
    page: ChatPage,
    id: Option<ResourceId>,
    shown: Option<Shown>,
    effective: Option<Effective>,
    question: Option<Question>,
) -> ApiResult<Response> {
    let ChatPage {
        frame, head, view, ..
    } = page;
    let tree = tree(&view, head.id, id);
    let unused = UnusedList::new(unused(&view, head.taker()), COMMAND);
    let given = effective.map(|effective| Given::new(&effective, &view));
    html(&ContextPage {
        frame: frame.wide(),
        tree,
        given,
        question,
        unused,
        shown,
        tells_bodies: view.tells_bodies,
        is_pinned: view.pinned.is_some(),
        head,
    })
}

/// Returns what the pin has in use, with what the workspace has changed of it.
fn tree(view: &ContextView, chat: ChatId, current: Option<ResourceId>) -> ResourceTree {
    let changes = view.changes();
    let changed = changes.iter().filter_map(|change| change.pinned);
    let pinned = view.pinned.as_deref();
    let resources = pinned.map_or(&[][..], |pinned| &pinned.resources);
    let directory = pinned.and_then(|pinned| pinned.facts.directory.as_deref());
    let marks = Marks {
        changed: changed.map(Resource::id).collect(),
        chat: Some(chat),
        current,
    };
    ResourceTree::new(resources, directory.unwrap_or_default(), &marks, COMMAND)
}

/// Returns what is not used: what the scan of the pin could not read, the resources of the pin, and those that only
/// the workspace has.
fn unused(view: &ContextView, taker: Taker) -> Vec<Unused> {
    let below = directory(view);
    let by_id = |side: &Option<Arc<TreatedSnapshot>>| {
        let resources = side.iter().flat_map(|side| &side.resources);
        let statuses = resources.map(|resource| (resource.id(), resource.status));
        statuses.collect::<BTreeMap<_, _>>()
    };
    let (pinned, head) = (by_id(&view.pinned), by_id(&view.head));
    let of_pin = view.pinned.iter().flat_map(|side| &side.resources);
    let of_pin = of_pin.filter(|resource| resource.status != Status::Ok);
    let of_pin = of_pin.map(|resource| {
        let is_mended = head.get(&resource.id()) == Some(&Status::Ok);
        let cure = match is_mended {
            true => Cure::Mended(taker),
            false => Cure::Chat,
        };
        Unused::new(resource, below, cure)
    });
    let of_head = view.head.iter().flat_map(|side| &side.resources);
    // Live tools come from the workspace, whatever the pin has.
    let is_pinnable =
        |resource: &Resource| resource.kind != Kind::McpServer || view.chat.tools.pins_tools();
    let of_head =
        of_head.filter(|resource| is_pinnable(resource) && !pinned.contains_key(&resource.id()));
    let of_head = of_head.map(|resource| {
        let cure = match resource.status {
            Status::Ok => Cure::Mended(taker),
            Status::Excluded | Status::Oversize | Status::Unreadable | Status::Invalid => {
                Cure::Chat
            }
        };
        Unused::new(resource, below, cure)
    });
    let error = view.pinned.iter().filter_map(|side| side.error.as_deref());
    let of_scan = error.map(|error| Unused::of_scan(error, Cure::of_pin(view, taker)));
    of_scan.chain(of_pin).chain(of_head).collect()
}

impl Given {
    fn new(effective: &Effective, view: &ContextView) -> Self {
        let below = directory(view);
        let name = |source: &str| name_from(source, below).to_owned();
        let counted = effective
            .given
            .iter()
            .filter(|given| effective.counts(given));
        let used: u64 = counted.map(|given| given.bytes).sum();
        let total = effective.bytes_max.unwrap_or(used).max(used);
        let mut before = 0;
        let mut room = ListRoom::new(GIVEN_MAX);
        let files = effective.given.iter().map_while(|given| {
            if !room.takes(given.source.len()) {
                return None;
            }
            let share = effective.counts(given).then_some(Share {
                before,
                own: given.bytes,
                total,
            });
            before += share.map_or(0, |share| share.own);
            Some(GivenFile {
                name: name(&given.source),
                size: Size(given.bytes),
                share,
                cut_at: given.cut_at.map(Number),
            })
        });
        let files: Vec<_> = files.collect();
        let pinned = view.pinned.as_deref();
        let is_used = |left_out: &&LeftOut| {
            let found = pinned.and_then(|pinned| pinned.find(left_out.kind, &left_out.source));
            found.is_some_and(|resource| resource.status == Status::Ok)
        };
        // The others are listed as not used.
        let all: Vec<_> = effective.left_out.iter().filter(is_used).collect();
        let shown = all.iter();
        let shown =
            shown.take_while(|left_out| room.takes(left_out.source.len() + left_out.reason.len()));
        let shown: Vec<_> = shown.collect();
        let (mut on_demand, mut left_out) = (Vec::new(), Vec::new());
        for one in &shown {
            let (name, reason) = (name(&one.source), one.reason.clone());
            match one.on_demand_bytes {
                Some(bytes) => on_demand.push(OnDemandFile {
                    name,
                    condition: reason,
                    size: Size(bytes),
                }),
                None => left_out.push((name, reason)),
            }
        }
        let more = effective.given.len() + all.len() - files.len() - shown.len();
        let rules = pinned.map(|pinned| pinned.facts.profile_rules());
        Self {
            tool: rules.map_or(Profile::Neutral, |rules| rules.profile),
            used: Size(used),
            tokens: Number(used.div_ceil(BYTES_PER_TOKEN)),
            bytes_max: effective.bytes_max.map(Size),
            files,
            on_demand,
            left_out,
            more: Number(more as u64),
        }
    }
}

/// Returns the text of a resource as it is in the workspace.
pub(crate) async fn raw(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let (chat, id) = (chat_id(&path)?, path.id("resource")?);
    let reviewed = contexts::review(&app.service, caller.credential, chat, id).await?;
    Ok(plain(&reviewed))
}

/// Returns a file of a skill as an attachment, because nobody knows what it is.
pub(crate) async fn file(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<FileQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let id: ResourceId = path.id("resource")?;
    let view = contexts::read(&app.service, caller.credential, chat).await?;
    let missing = || ApiError::new(ProblemName::NotFound, "The pin has no such skill.");
    let pinned = view.pinned.as_ref().ok_or_else(missing)?;
    let skill = pinned.find_id(id).and_then(|skill| skill.name.as_deref());
    let skill = skill.ok_or_else(missing)?;
    let file = skills::file(&app.service, caller.credential, chat, skill, &query.path).await?;
    Ok(saved(&query.path, file.bytes.to_vec()))
}

/// Returns the bytes of a pinned file as they are in the workspace, as an attachment.
pub(crate) async fn download(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let (chat, id) = (chat_id(&path)?, path.id("resource")?);
    let (resource, bytes) =
        contexts::resource_bytes(&app.service, caller.credential, chat, id).await?;
    Ok(saved(&resource.source, bytes.to_vec()))
}
