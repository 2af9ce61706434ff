//! The turns of a chat, grouped by the pin that was in force.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::moment::Moment;
use ctxpin_model::turn::TurnRecord;
use ctxpin_operations::turns;
use ctxpin_protocol::convert::pages::page_request;

use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::frame::{Frame, html};
use crate::pages::parts::number::{Number, counted};
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;
use crate::params::{PathParams, QueryParams};

/// The page of a chat's turns.
#[derive(Template)]
#[template(path = "chat/turns.html")]
struct TurnsPage {
    frame: Frame,
    head: ChatHead,
    pins: String,
    turns: String,
    groups: Vec<Group>,
    shown: usize,
    total: Number,
    /// The path of the older turns.
    next: Option<String>,
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
    prompt: Option<ShortId>,
    tools: Option<ShortId>,
}

/// Shows the page.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let asked = page_request(query.cursor.as_deref(), None)?;
    let page = read(&app, &caller, chat, Tab::Turns).await?;
    let found = turns::list(&app.service, caller.credential, chat, &asked).await?;
    require_items(query.cursor.as_deref(), &found.items)?;
    let ChatPage {
        frame, head, line, ..
    } = page;
    let pin = line.chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    let total = u64::try_from(line.chat.turn_count).unwrap_or(0);
    html(&TurnsPage {
        pins: counted(u64::try_from(line.chat.pin_seq).unwrap_or(0), "pin"),
        turns: counted(total, "turn"),
        shown: found.items.len(),
        total: Number(total),
        groups: groups(found.items, pin, frame.now),
        next: found
            .next
            .map(|next| format!("/chats/{chat}/turns?cursor={next}")),
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
            prompt: record.prompt.map(|hash| ShortId::of_hash(hash, "hash")),
            tools: record.tools_snapshot.map(ShortId::of_snapshot),
        }
    }
}
