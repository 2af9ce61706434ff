//! The turns of a chat, grouped by the pin that was in force.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::evidence::Verdict;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::held_text::HeldText;
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_model::offered_tools::OfferedTool;
use ctxpin_model::resource::Resource;
use ctxpin_model::turn::{PromptFacts, TurnRecord, TurnView};
use ctxpin_operations::{given_texts, turns};

use super::evidence::Evidence;
use super::head::{ChatHead, ChatPage, Tab, chat_id, read, turn_number};
use super::prompt::{PromptText, RENDERED_BYTES, raw_response};
use super::resume::Advice;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::form::Wants;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::number::{Number, Size, counted};
use crate::pages::parts::pager::Pager;
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::time::Time;
use crate::pages::parts::verdict::{LastSaid, Said, Unproved};
use crate::params::{PathParams, QueryParams};

/// The page of a chat's turns.
#[derive(Template)]
#[template(path = "chat/turns.html")]
struct TurnsPage {
    frame: Frame,
    head: ChatHead,
    groups: Vec<Group>,
    pager: Pager,
}

/// Turns that follow each other under one pin.
struct Group {
    snapshot: Option<SnapshotId>,
    is_current: bool,
    turns: Vec<Turn>,
}

struct Turn {
    number: i64,
    clock: Time,
    ago: Time,
    delivery: &'static str,
    reference: Option<String>,
    /// What the evidence says, and of how many requests. `None` if there is none.
    proof: Option<(Said, String)>,
}

/// The page of one turn.
#[derive(Template)]
#[template(path = "chat/turn.html")]
struct TurnPage {
    frame: Frame,
    head: ChatHead,
    number: i64,
    clock: Time,
    facts: TurnFacts,
    /// Whether the client read its files itself, so that nobody was given the prompt.
    is_observed: bool,
    /// Whether evidence says that the requests had something else than the pinned text.
    deviates: bool,
    /// Whether evidence says that every request had the pinned text.
    is_as_pinned: bool,
    /// `None` if the chat had no pin, or if the caller may not read texts.
    prompt: Option<PromptText>,
    copy: Command,
    /// What to do about it, if the turn gave the chat its last verdict and deviates.
    advice: Option<Advice>,
    older: Option<i64>,
    newer: Option<i64>,
}

/// What a turn gave to the model.
#[derive(Template)]
#[template(path = "chat/turn_facts.html")]
struct TurnFacts {
    /// The path of the turn's page.
    path: String,
    /// Whether the facts stand in the list of turns, without the prompt.
    is_alone: bool,
    snapshot: Option<ShortId>,
    /// The snapshot with which the turn began, if evidence has shown another one since.
    believed: Option<ShortId>,
    hash: Option<ShortId>,
    prompt: Option<PromptFacts>,
    delivery: &'static str,
    reference: Option<String>,
    /// `None` if the caller may not read texts.
    offer: Option<Offered>,
    /// `None` if nobody handed any in.
    evidence: Option<Evidence>,
}

/// The most skills, and the most MCP servers, that the facts of a turn name.
const OFFERED_MAX: usize = 100;

/// What the model could ask for in a turn, in words.
struct Offered {
    /// The names of the skills, each with its description.
    skills: Vec<(String, String)>,
    more_skills: Number,
    /// As `6 of tracker`, for each MCP server.
    tools: Vec<String>,
    more_servers: Number,
    /// The snapshot that the tools came from, if there are any and it is another than the pin's.
    tools_snapshot: Option<ShortId>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let asked = query.request()?;
    let page = read(&app, &caller, chat, Tab::Turns).await?;
    let found = turns::list(&app.service, caller.credential, chat, &asked).await?;
    require_items(&asked.part, &found.items)?;
    let ChatPage {
        frame, head, line, ..
    } = page;
    let pin = line.chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    let total = u64::try_from(line.chat.turn_count).unwrap_or(0);
    html(&TurnsPage {
        pager: match found.items.first() {
            Some(newest) => {
                let newer = line.chat.turn_count - newest.number;
                let shown = found.items.len() as u64;
                Pager::of(&found, |name, place| {
                    format!("/chats/{chat}/turns?{name}={place}")
                })
                .placed(u64::try_from(newer).unwrap_or(0), shown, total)
            }
            None => Pager::default(),
        },
        groups: groups(found.items, pin, frame.now),
        frame,
        head,
    })
}

fn groups(turns: Vec<TurnRecord>, pin: Option<SnapshotId>, now: Moment) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for record in turns {
        let snapshot = record.snapshot;
        let turn = Turn::new(record, now);
        match groups.last_mut().filter(|group| group.snapshot == snapshot) {
            Some(group) => group.turns.push(turn),
            None => groups.push(Group {
                snapshot,
                is_current: groups.is_empty() && snapshot.is_some() && snapshot == pin,
                turns: vec![turn],
            }),
        }
    }
    groups
}

impl Group {
    fn short_id(&self) -> Option<ShortId> {
        self.snapshot.map(ShortId::of_snapshot)
    }

    fn count(&self) -> String {
        counted(self.turns.len() as u64, "turn")
    }

    /// Returns the number of the group's last turn, by which the page knows the group again.
    fn key(&self) -> i64 {
        self.turns.last().map_or(0, |turn| turn.number)
    }
}

impl Turn {
    fn new(record: TurnRecord, now: Moment) -> Self {
        Self {
            number: record.number,
            clock: Time::clock(record.started_at, now),
            ago: Time::ago(record.started_at, now),
            delivery: match record.snapshot {
                Some(_) => record.delivery.as_str(),
                None => "no pin",
            },
            reference: record.reference,
            proof: record
                .evidence
                .map(|evidence| (Said::of(&evidence), counted(evidence.requests, "request"))),
        }
    }
}

/// Shows one turn. The script gets what the turn gave, without the prompt's text.
pub(crate) async fn turn(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (chat, number) = (chat_id(&path)?, turn_number(&path)?);
    let view = turns::read(&app.service, caller.credential, chat, number).await?;
    let mut held = None;
    if view.offer.is_some() {
        held = Some(given_texts::held(&app.service, caller.credential, chat, &view).await?);
    }
    let mut facts = TurnFacts::new(chat, &view, held.as_deref());
    if Wants::read(&headers) == Wants::Fragment {
        return html(&facts);
    }
    facts.is_alone = false;
    let mut bytes = None;
    if view.offer.is_some() {
        let prompt = turns::prompt(&app.service, caller.credential, chat, number, None).await?;
        bytes = prompt.bytes;
    }
    let page = read(&app, &caller, chat, Tab::Turns).await?;
    let render = move || {
        let ChatPage {
            frame,
            head,
            view: context,
            line,
        } = page;
        let renderer = view.prompt.map_or(0, |prompt| prompt.renderer);
        let last = LastSaid::of(&line.chat).filter(|last| last.turn == number);
        let is_alarm = last.is_some_and(|last| last.said.is_alarm());
        let head = match is_alarm {
            true => head.without_next(),
            false => head,
        };
        html(&TurnPage {
            number,
            clock: Time::clock(view.turn.started_at, frame.now),
            facts,
            is_observed: view.turn.delivery == Delivery::Observed,
            deviates: view
                .turn
                .evidence
                .is_some_and(|evidence| Said::of(&evidence).is_alarm()),
            is_as_pinned: view
                .turn
                .evidence
                .is_some_and(|evidence| evidence.verdict == Verdict::AsPinned),
            prompt: bytes.map(|bytes| {
                let whole = format!("/chats/{chat}/turns/{number}/prompt/raw");
                PromptText::new(&bytes, renderer, &context, whole)
            }),
            copy: Command::new(
                "Copy the prompt",
                format!("ctxpin chat turns {number} --prompt --chat {}", head.short),
            ),
            advice: (is_alarm && head.may_change)
                .then(|| Advice::of(&line.chat, view.evidence.as_ref())),
            older: (number > 1).then(|| number - 1),
            newer: (number < line.chat.turn_count).then(|| number + 1),
            frame,
            head,
        })
    };
    app.build_response(caller.credential, RENDERED_BYTES, render)
        .await?
}

/// Returns the bytes of the prompt that a turn was given, as text.
pub(crate) async fn raw(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
) -> ApiResult<Response> {
    let (chat, number) = (chat_id(&path)?, turn_number(&path)?);
    let prompt = turns::prompt(&app.service, caller.credential, chat, number, None).await?;
    Ok(raw_response(prompt))
}

impl TurnFacts {
    fn new(chat: ChatId, view: &TurnView, held: Option<&[HeldText]>) -> Self {
        let turn = &view.turn;
        let path = format!("/chats/{chat}/turns/{}", turn.number);
        let has_tools = view
            .offer
            .as_ref()
            .is_some_and(|offer| !offer.tools.offered.is_empty());
        let tools_snapshot = turn
            .tools_snapshot
            .filter(|id| has_tools && Some(*id) != turn.snapshot);
        Self {
            evidence: turn
                .evidence
                .zip(view.evidence.as_ref())
                .map(|(turn, view)| Evidence::new(&turn, view, &path, held)),
            path,
            is_alone: true,
            snapshot: turn.snapshot.map(ShortId::of_snapshot),
            believed: turn.believed.map(ShortId::of_snapshot),
            hash: turn.prompt.map(|hash| ShortId::of_hash(hash, "hash")),
            prompt: view.prompt,
            delivery: turn.delivery.as_str(),
            reference: turn.reference.clone(),
            offer: view.offer.as_ref().map(|offer| {
                let mut tools = by_server(&offer.tools.offered);
                let more = |count: usize| Number(count.saturating_sub(OFFERED_MAX) as u64);
                let more_servers = more(tools.len());
                tools.truncate(OFFERED_MAX);
                Offered {
                    skills: offer.skills.iter().take(OFFERED_MAX).map(named).collect(),
                    more_skills: more(offer.skills.len()),
                    tools,
                    more_servers,
                    tools_snapshot: tools_snapshot.map(ShortId::of_snapshot),
                }
            }),
        }
    }
}

impl HtmlSafe for TurnFacts {}

/// Returns the name and the description of a skill.
fn named(skill: &Resource) -> (String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&skill.name), text(&skill.description))
}

/// Returns the number of tools of each server.
fn by_server(tools: &[OfferedTool]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for tool in tools {
        *counts.entry(&tool.server).or_default() += 1;
    }
    let counts = counts.into_iter();
    let counts = counts.map(|(server, count)| format!("{} of {server}", Number(count)));
    counts.collect()
}
