//! The history of a chat: each move of its pin, the way back to it, and the differences between two; and what was
//! declined between the moves.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use ctxpin_model::access::Operation;
use ctxpin_model::context::ContextView;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::{
    Decision, DecisionRecord, HistoryEntry, HistoryRequest, PinChanges, PinRecord,
};
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_model::pin::Reason;
use ctxpin_operations::diffs::{self, DiffRequest, DiffView};
use ctxpin_operations::history;
use ctxpin_protocol::convert::members::InvalidMember;
use serde::Deserialize;

use super::changes::directory;
use super::diff::{DiffForm, Part, Texts, entries};
use super::entry_words::{what, who, who_at};
use super::head::{ChatHead, ChatPage, Tab, chat_id, read};
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::caller::layout;
use crate::pages::cursor::{CursorQuery, require_items};
use crate::pages::form::Wants;
use crate::pages::frame::{Frame, html};
use crate::pages::parts::command::Command;
use crate::pages::parts::lines::Layout;
use crate::pages::parts::pager::Pager;
use crate::pages::parts::resource_name::resource_name;
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::sums::Sums;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::time::Time;
use crate::params::{PathParams, QueryParams};

/// The page of a chat's history.
#[derive(Template)]
#[template(path = "chat/history.html")]
struct HistoryPage {
    frame: Frame,
    head: ChatHead,
    entries: Vec<Entry>,
    /// Whether there are two moves whose difference the caller may read.
    may_compare: bool,
    pager: Pager,
}

/// An entry of the history.
enum Entry {
    Move(Box<Move>),
    Decision(Decided),
}

impl Entry {
    fn is_move(&self) -> bool {
        matches!(self, Self::Move(_))
    }
}

/// A decision that left the pin where it was.
struct Decided {
    key: String,
    what: String,
    sums: Sums,
    who: String,
    clock: Time,
    ago: Time,
}

/// A move of the pin.
struct Move {
    seq: i64,
    what: String,
    sums: Sums,
    who: String,
    pin: Option<ShortId>,
    /// The snapshot to which a person can roll back, which is not the present pin.
    back: Option<SnapshotId>,
    back_command: Command,
    clock: Time,
    ago: Time,
    is_current: bool,
    /// Whether an earlier move went to the present pin, so that there is no way back to it.
    is_same: bool,
    /// Whether the move is chosen to be compared from, and to.
    is_from: bool,
    is_to: bool,
}

/// The page that compares two pins.
#[derive(Template)]
#[template(path = "chat/compare.html")]
struct ComparePage<'v> {
    frame: Frame,
    chat: ChatId,
    title: String,
    from: i64,
    to: i64,
    from_at: Time,
    to_at: Time,
    /// What the later move was.
    what: &'static str,
    who: String,
    diff: DiffForm<'v>,
}

/// The query of a comparison.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompareQuery {
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

/// Shows the history.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    QueryParams(query): QueryParams<CursorQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let request = HistoryRequest {
        page: query.request()?,
    };
    let page = read(&app, &caller, chat, Tab::History).await?;
    let found = history::list(&app.service, caller.credential, chat, request).await?;
    require_items(&request.page.part, &found.items)?;
    let ChatPage {
        frame, head, line, ..
    } = page;
    let present = line.chat.pin_seq;
    let pin = line.chat.pin.as_ref().map(|pin| pin.pin.snapshot);
    let changes = history::changes(&app.service, caller.credential, chat, &found.items).await?;
    let mut pins = 0..;
    let entries = found.items.iter().zip(&changes);
    let entries = entries.map(|(entry, changes)| match entry {
        HistoryEntry::Decision(decision) => {
            Entry::Decision(Decided::new(decision, changes.as_ref(), frame.now))
        }
        HistoryEntry::Move(record) => {
            let is_current = record.seq == present;
            let is_same = !is_current && record.snapshot.is_some() && record.snapshot == pin;
            let back_to = earlier_of(record, &found.items);
            let index = pins.next();
            Entry::Move(Box::new(Move {
                is_from: index == Some(1),
                is_to: index == Some(0),
                is_current,
                is_same,
                back: record
                    .snapshot
                    .filter(|_| !is_current && !is_same && head.may_move && !head.is_observed),
                ..Move::new(record, back_to, changes.as_ref(), &head.short, frame.now)
            }))
        }
    });
    let entries: Vec<_> = entries.collect();
    html(&HistoryPage {
        may_compare: frame.may_on(Operation::DiffRead, line.chat.owner)
            && entries.iter().filter(|entry| entry.is_move()).count() > 1,
        entries,
        pager: Pager::of(&found, |name, place| {
            format!("/chats/{chat}/history?{name}={place}")
        }),
        frame,
        head,
    })
}

impl Move {
    fn new(
        record: &PinRecord,
        back_to: Option<i64>,
        changes: Option<&PinChanges>,
        short: &str,
        now: Moment,
    ) -> Self {
        let command = format!("ctxpin chat rollback {} --chat {short}", record.seq);
        Self {
            seq: record.seq,
            what: match back_to {
                Some(seq) => what_with_words(&format!("Back to pin {seq}"), changes),
                None => what_it_changed(record, changes),
            },
            sums: sums(changes),
            who: who(record),
            pin: record.snapshot.map(ShortId::of_snapshot),
            back: None,
            back_command: Command::new("Roll back to here", command),
            clock: Time::clock(record.at, now),
            ago: Time::ago(record.at, now),
            is_current: false,
            is_same: false,
            is_from: false,
            is_to: false,
        }
    }
}

impl Decided {
    fn new(decided: &DecisionRecord, changes: Option<&PinChanges>, now: Moment) -> Self {
        let named = changes.filter(|changes| changes.count > 0).map(named);
        let named = named.unwrap_or_else(|| "the head".to_owned());
        Self {
            key: format!("decision-{}", decided.number),
            what: match decided.decision {
                Decision::Decline => format!("Declined {named}"),
                Decision::Undecline => format!("Took back the decline of {named}"),
            },
            sums: sums(changes),
            who: who_at(decided.actor_name.as_deref(), decided.door),
            clock: Time::clock(decided.at, now),
            ago: Time::ago(decided.at, now),
        }
    }
}

/// Returns how many lines an entry adds and removes.
fn sums(changes: Option<&PinChanges>) -> Sums {
    Sums(
        changes
            .and_then(|changes| changes.lines)
            .unwrap_or_default(),
    )
}

/// Returns the number of the pin to which a rollback went, if it is on the page. The undo of a rollback is one too, and
/// goes to a later pin than the rollback did.
fn earlier_of(record: &PinRecord, shown: &[HistoryEntry]) -> Option<i64> {
    if record.reason != Reason::Rollback {
        return None;
    }
    let pins = shown.iter().map(HistoryEntry::pin);
    let mut older = pins.filter(|other| other.seq < record.seq);
    let same = older.find(|other| other.snapshot == record.snapshot)?;
    Some(same.seq)
}

/// Returns what a move did, with the names of what it changed, in words.
pub(super) fn what_it_changed(record: &PinRecord, changes: Option<&PinChanges>) -> String {
    let what = match changes.filter(|changes| changes.count > 0) {
        Some(changes) => what_with(record.reason, &named(changes)),
        None => what(record.reason).to_owned(),
    };
    match (record.unconfirmed, record.evidence_turn) {
        (true, _) => format!("{what} (unconfirmed: it may have read other files)"),
        (false, Some(turn)) => format!("{what} (shown by the evidence of turn {turn})"),
        (false, None) => what,
    }
}

/// Returns words for a move, with the names of what it changed.
fn what_with_words(words: &str, changes: Option<&PinChanges>) -> String {
    match changes.filter(|changes| changes.count > 0) {
        Some(changes) => format!("{words}: {}", named(changes)),
        None => words.to_owned(),
    }
}

/// Returns what a move did to the resources that `named` lists, in words.
fn what_with(reason: Reason, named: &str) -> String {
    match reason {
        Reason::Refresh => format!("Took {named}"),
        Reason::Additive => format!("Took {named}"),
        Reason::Create
        | Reason::Hydrate
        | Reason::Rebind
        | Reason::Rollback
        | Reason::Inherit
        | Reason::Follow
        | Reason::Settle
        | Reason::Clear
        | Reason::Render
        | Reason::Observe => format!("{}: {named}", what(reason)),
    }
}

/// Returns the names of what changed as `AGENTS.md, skill triage and 2 more`.
fn named(changes: &PinChanges) -> String {
    let names = changes.named.iter();
    let mut names: Vec<_> = names
        .map(|changed| resource_name(changed.subject, &changed.path))
        .collect();
    let more = changes.count.saturating_sub(names.len());
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

/// Compares two pins of the history.
pub(crate) async fn compare(
    State(app): State<App>,
    caller: PageCaller,
    path: PathParams,
    headers: HeaderMap,
    QueryParams(query): QueryParams<CompareQuery>,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let part = Part::read(
        query.file.as_deref(),
        query.lines.as_deref(),
        query.text,
        query.gap.as_deref(),
    )?;
    let wants = Wants::read(&headers);
    // A person may choose the later one first.
    let (earlier, later) = (query.from.min(query.to), query.from.max(query.to));
    let (from, from_snapshot) = pin_at(&app, &caller, chat, "from", earlier).await?;
    let (to, to_snapshot) = pin_at(&app, &caller, chat, "to", later).await?;
    let request = DiffRequest {
        from: Some(from_snapshot),
        to: Some(to_snapshot),
        ..part.request()
    };
    let diff = diffs::diff(&app.service, caller.credential, chat, request).await?;
    let page = read(&app, &caller, chat, Tab::History).await?;
    let layout = layout(query.view.as_deref()).unwrap_or(caller.choices.layout);
    let weight = diff.weight();
    let render = move || match wants {
        Wants::Fragment => {
            let changes = diff.changes();
            let loads = loads(&from, &to);
            let directory = directory(&page.view);
            let entries = entries(&diff, &changes, directory, true, Some(&loads));
            html(&Texts::of(&entries, layout, part))
        }
        Wants::Page => render(page, [&from, &to], &diff, layout, part.resource.is_some()),
    };
    app.build_response(caller.credential, weight, render)
        .await?
}

fn render(
    page: ChatPage,
    [from, to]: [&PinRecord; 2],
    diff: &DiffView,
    layout: Layout,
    is_alone: bool,
) -> ApiResult<Response> {
    let changes = diff.changes();
    let now = page.frame.now;
    let directory = directory_of(&page.view);
    let loads = loads(from, to);
    let entries = entries(diff, &changes, directory.as_deref(), is_alone, Some(&loads));
    html(&ComparePage {
        chat: page.head.id,
        title: page.head.title.clone(),
        from: from.seq,
        to: to.seq,
        from_at: Time::clock(from.at, now),
        to_at: Time::clock(to.at, now),
        what: what(to.reason),
        who: who(to),
        diff: DiffForm::compared(diff, layout, loads, entries),
        frame: page.frame.wide(),
    })
}

/// Returns the start of the queries that lead to parts of a comparison.
fn loads(from: &PinRecord, to: &PinRecord) -> String {
    format!("?from={}&to={}&", from.seq, to.seq)
}

fn directory_of(view: &ContextView) -> Option<String> {
    directory(view).map(str::to_owned)
}

/// Reads a move of the history that left a pin.
async fn pin_at(
    app: &App,
    caller: &PageCaller,
    chat: ChatId,
    member: &str,
    seq: i64,
) -> ApiResult<(PinRecord, SnapshotId)> {
    let found = history::read(&app.service, caller.credential, chat, seq).await?;
    let unknown = || InvalidMember::new(member, "the chat's history has no pin of this number");
    let record = found.ok_or_else(unknown)?;
    let snapshot = record.snapshot.ok_or_else(unknown)?;
    Ok((record, snapshot))
}
