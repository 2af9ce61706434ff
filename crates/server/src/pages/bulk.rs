//! One decision about several chats, and what it did to each.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::pending_change::{PendingChange, PendingChangeId};
use ctxpin_model::pin_move::{
    BULK_CHANGES_MAX, BULK_CHATS_MAX, BulkMove, BulkOutcome, Decision, MoveBack, SeenChat,
};
use ctxpin_model::reading::taken_by_clients;
use ctxpin_operations::error::Error;
use ctxpin_operations::pending_changes::{self, PendingChat, PendingChoice};
use ctxpin_operations::{bulk_moves, chats};
use ctxpin_protocol::convert::bulk_moves::pending_change_id;
use ctxpin_protocol::convert::members::{InvalidMember, count, hash};
use ctxpin_protocol::problem::ProblemName;

use super::answer::{Toast, Undo, Way};
use super::decided::Decided;
use super::fields::{Fields, incomplete};
use super::form::{PageForm, Wants};
use super::frame::{Frame, Place, html};
use super::parts::command::{chat_command, rollback_command};
use super::parts::number::counted;
use super::parts::resource_name::resource_name;
use super::parts::short_id::{ShortId, last_digits};
use super::parts::text::{PathText, Text};
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::params::PathParams;

/// What failed, in a toast that stays until somebody closes it. The page itself is loaded again after a write.
#[derive(Template)]
#[template(path = "failures.html")]
struct Failures<'f> {
    toast: &'f Toast,
    /// How many chats and changes failed, in words.
    failed: &'f str,
    failures: &'f [Failure],
}

/// The same as a page.
#[derive(Template)]
#[template(path = "bulk.html")]
struct FailuresPage<'f> {
    frame: Frame,
    toast: &'f Toast,
    /// How many chats and changes failed, in words.
    failed: &'f str,
    failures: &'f [Failure],
    /// The path of the page that the decision was made on.
    page: &'f str,
}

/// What a decision left as it was, with the reason and what to do about it.
struct Failure {
    of: Failed,
    reason: String,
}

enum Failed {
    Chat(FailedChat),
    /// The name of a change that nobody waits for.
    Change(String),
}

struct FailedChat {
    id: ChatId,
    title: Option<String>,
    short: String,
}

/// A chat as a page has shown it: a box sends its id, its pin and its head, so that what is decided is what was
/// seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    chat: ChatId,
    seen: Option<SeenChat>,
}

impl Choice {
    /// Returns the value of a chat's box.
    pub fn value(chat: ChatId, pin: Option<SnapshotId>, head: Option<SnapshotId>) -> String {
        match (pin, head) {
            (Some(pin), Some(head)) => format!("{chat} {pin} {head}"),
            _ => chat.to_string(),
        }
    }

    fn read(text: &str) -> Result<Self, InvalidMember> {
        let unknown = || InvalidMember::new("chat", "this is not a chat of the page");
        let mut parts = text.split(' ');
        let chat = parts.next().unwrap_or_default();
        let chat: ChatId = chat.parse().map_err(|_| unknown())?;
        let seen = match (parts.next(), parts.next()) {
            (Some(pin), Some(head)) => Some(SeenChat {
                chat,
                pin: hash("chat", pin)?,
                head: hash("chat", head)?,
            }),
            _ => None,
        };
        Ok(Self { chat, seen })
    }

    fn all(fields: &Fields) -> Result<Vec<Self>, InvalidMember> {
        let texts: Vec<_> = fields.all("chat").collect();
        count("chat", texts.len(), BULK_CHATS_MAX)?;
        texts.into_iter().map(Self::read).collect()
    }
}

/// Decides about chosen chats of the list.
pub(crate) async fn chats(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let chosen = Choice::all(&form.fields)?;
    let decision = match form.fields.get("move") {
        Some("all") => Decision::TakeAll,
        Some("decline") => Decision::Decline,
        Some("undecline") => Decision::Undecline,
        Some("archive") => return archive(&app, form, &chosen, true).await,
        Some("unarchive") => return archive(&app, form, &chosen, false).await,
        Some("undo") => return undo(&app, form, Way::Undo).await,
        Some("redo") => return undo(&app, form, Way::Redo).await,
        _ => return Err(incomplete("move").into()),
    };
    let chats = chosen.iter().filter_map(|choice| choice.seen).collect();
    let request = BulkMove { chats, decision };
    let asides = Asides::default();
    decide(&app, form, request, asides, "all changes", Origin::Chats).await
}

/// Decides about chosen changes of the inbox, for all their chats.
pub(crate) async fn changes(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let texts: Vec<_> = form.fields.all("change").collect();
    count("change", texts.len(), BULK_CHANGES_MAX)?;
    let chosen = texts.into_iter().map(read_change);
    let chosen: BTreeMap<PendingChangeId, &str> = chosen.collect::<Result<_, InvalidMember>>()?;
    let ids: Vec<_> = chosen.keys().copied().collect();
    let found = waiting(&app, &form, &ids).await?;
    let waits = |id: &PendingChangeId| found.changes.iter().any(|change| change.id == *id);
    let gone = chosen.iter().filter(|(id, _)| !waits(id));
    let gone = gone.map(|(_, name)| Failure::of_change(name)).collect();
    let decision = decision(&form.fields, ids)?;
    let (chats, left) = deciding(&found, &decision);
    let request = BulkMove { chats, decision };
    let asides = Asides { left, gone };
    let what = named(&found.changes);
    decide(&app, form, request, asides, &what, Origin::Inbox).await
}

/// Decides about one change, for all its chats or for those that were chosen.
pub(crate) async fn change(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let id = pending_change_id("change", path.text("change"))?;
    let chosen = Choice::all(&form.fields)?;
    let found = waiting(&app, &form, &[id]).await?;
    if form.fields.get("move") == Some("chosen") {
        // None of them means all to the other buttons, and not to the one that says "chosen".
        count("chat", chosen.len(), BULK_CHATS_MAX)?;
    }
    let decision = decision(&form.fields, vec![id])?;
    let chosen: Vec<_> = chosen.iter().filter_map(|choice| choice.seen).collect();
    let (chats, left) = match (chosen.is_empty(), &decision) {
        (true, _) => deciding(&found, &decision),
        (false, Decision::Take(_)) => (still_waiting(chosen, &found), None),
        // Keeping a pin is about all that a workspace has pushed, as it was seen.
        (false, _) => (chosen, None),
    };
    let request = BulkMove { chats, decision };
    let gone = match found.changes.is_empty() {
        true => vec![Failure::of_change("This change")],
        false => Vec::new(),
    };
    let asides = Asides { left, gone };
    let what = named(&found.changes);
    let origin = match form.fields.get("shown") {
        Some("change") => Origin::Change(id),
        _ => Origin::Inbox,
    };
    decide(&app, form, request, asides, &what, origin).await
}

/// Returns chosen chats as they wait for a change now. Its id names the contents before and after, so it is the one that
/// was seen, whatever else their workspaces have pushed since. A chat that waits no more stays as it was seen, and fails.
fn still_waiting(chosen: Vec<SeenChat>, found: &PendingChoice) -> Vec<SeenChat> {
    let now = found.chats.iter().filter_map(seen_chat);
    let now: BTreeMap<ChatId, SeenChat> = now.map(|seen| (seen.chat, seen)).collect();
    let chosen = chosen.into_iter();
    chosen
        .map(|seen| now.get(&seen.chat).copied().unwrap_or(seen))
        .collect()
}

/// Returns the value of a change's box: its id, and its name for the case that it is gone by then.
pub(crate) fn change_value(id: PendingChangeId, name: &str) -> String {
    let start = name.len().saturating_sub(NAME_BYTES_MAX);
    let start = name.ceil_char_boundary(start);
    format!("{id} {}", &name[start..])
}

/// The most bytes of a change's name in a form.
const NAME_BYTES_MAX: usize = 200;

/// Reads the value of a change's box, which may lack the name.
fn read_change(text: &str) -> Result<(PendingChangeId, &str), InvalidMember> {
    let (id, name) = text.split_once(' ').unwrap_or((text, "A change"));
    Ok((pending_change_id("change", id)?, name))
}

/// What a decision does not reach.
#[derive(Default)]
struct Asides {
    /// Says which observed chats are left to their clients.
    left: Option<String>,
    /// The changes that nobody waits for any more.
    gone: Vec<Failure>,
}

/// The page on which a decision was made.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Chats,
    Inbox,
    Change(PendingChangeId),
}

impl Origin {
    /// Returns the path of the page that shows the result without the script.
    fn path(self) -> &'static str {
        match self {
            Self::Chats => "/chats",
            Self::Inbox | Self::Change(_) => "/",
        }
    }

    /// Returns the address at which the page says that this was decided for so many chats.
    fn address(self, decision: &Decision, chat_count: u64, page_value: &str) -> Option<String> {
        let Self::Change(id) = self else {
            return None;
        };
        let decided = match decision {
            Decision::TakeAll | Decision::Take(_) => Decided::Taken(chat_count),
            Decision::Decline => Decided::Kept(chat_count),
            Decision::Undecline => return None,
        };
        (chat_count > 0).then(|| decided.address(id, page_value))
    }
}

/// Returns the chats about which a decision is made, and a sentence about the observed ones that a decision to take
/// leaves to their clients.
fn deciding(found: &PendingChoice, decision: &Decision) -> (Vec<SeenChat>, Option<String>) {
    let is_taken = matches!(decision, Decision::TakeAll | Decision::Take(_));
    let is_left = |chat: &&PendingChat| is_taken && chat.drifted.chat.mode.is_observed();
    let chats = found.chats.iter();
    let (left, decided): (Vec<_>, Vec<_>) = chats.partition(is_left);
    let decided = decided.into_iter().filter_map(seen_chat).collect();
    let clients = left.iter().map(|chat| chat.drifted.chat.client.as_deref());
    (decided, left_words(clients.collect()))
}

/// Returns a sentence about observed chats that are left to these clients.
fn left_words(clients: Vec<Option<&str>>) -> Option<String> {
    let chats = counted(clients.len() as u64, "observed chat");
    let words = || {
        format!(
            "{chats} left alone: {}.",
            taken_by_clients(clients.iter().copied())
        )
    };
    (!clients.is_empty()).then(words)
}

/// Returns the name of one change, or the number of several.
fn named(changes: &[PendingChange]) -> String {
    match changes {
        [one] => resource_name(one.subject, &one.path),
        several => counted(several.len() as u64, "change"),
    }
}

fn decision(fields: &Fields, ids: Vec<PendingChangeId>) -> ApiResult<Decision> {
    match fields.get("move") {
        Some("all" | "chosen" | "take") => Ok(Decision::Take(ids)),
        Some("decline") => Ok(Decision::Decline),
        _ => Err(incomplete("move").into()),
    }
}

/// Reads some changes with the chats that wait for them, at most [`BULK_CHATS_MAX`].
async fn waiting(app: &App, form: &PageForm, ids: &[PendingChangeId]) -> ApiResult<PendingChoice> {
    let credential = form.caller.credential;
    let found =
        pending_changes::chats_of_any(&app.service, credential, true, ids, BULK_CHATS_MAX).await?;
    Ok(found)
}

/// Returns a chat with its pin and head.
pub(crate) fn seen_chat(pending: &PendingChat) -> Option<SeenChat> {
    let chat = &pending.drifted.chat;
    let [pin, head] = pending.drifted.snapshots()?;
    Some(SeenChat {
        chat: chat.id,
        pin,
        head,
    })
}

/// Decides about chats. `what` names what they take.
async fn decide(
    app: &App,
    form: PageForm,
    request: BulkMove,
    asides: Asides,
    what: &str,
    origin: Origin,
) -> ApiResult<Response> {
    let results = bulk_moves::bulk_move(&app.service, form.caller.credential, &request).await?;
    let (mut back, mut observed) = (Vec::new(), Vec::new());
    let Asides {
        left,
        gone: mut failures,
    } = asides;
    for ((chat, result), seen) in results.into_iter().zip(&request.chats) {
        match result {
            Ok(BulkOutcome::Moved { pin, policy }) => {
                let to = seen.pin;
                let moved = MoveBack {
                    chat,
                    pin,
                    to,
                    policy,
                };
                back.push(("back", back_value(moved)));
            }
            Ok(BulkOutcome::Declined | BulkOutcome::Undeclined) => {
                back.push(("chat", Choice::value(chat, Some(seen.pin), Some(seen.head))));
            }
            Ok(BulkOutcome::Unchanged) => {}
            // Whoever chose it among others is told the same as of one that was not chosen.
            Err(Error::ObservedChat) => observed.push(chat),
            Err(error) => failures.push(Failure::of_chat(chat, error.into())),
        }
    }
    let left = match observed.is_empty() {
        true => left,
        false => {
            let names = chats::names(&app.service, form.caller.credential, &observed).await?;
            left_words(
                names
                    .values()
                    .map(|names| names.client.as_deref())
                    .collect(),
            )
        }
    };
    let way = Way::of_form(&form.fields);
    let decided = counted(back.len() as u64, "chat");
    let (mut done, opposite) = match request.decision {
        _ if back.is_empty() => ("Nothing was there to decide.".to_owned(), ""),
        Decision::TakeAll | Decision::Take(_) => (format!("Took {what} for {decided}."), "undo"),
        Decision::Decline if back.len() == 1 => {
            (format!("The pin of {decided} is kept."), "undecline")
        }
        Decision::Decline => (format!("The pins of {decided} are kept."), "undecline"),
        Decision::Undecline => (format!("The changes of {decided} wait again."), "decline"),
    };
    if !back.is_empty() {
        done = Way::told(way, &done);
    }
    if let Some(left) = left {
        done += &format!(" {left}");
    }
    let page_value = form.caller.page_value.clone();
    let address = origin.address(&request.decision, back.len() as u64, &page_value);
    let undo = (!back.is_empty()).then(|| {
        let moved = back.iter().map(|(_, value)| undoing(opposite, value));
        let command = moved.collect::<Vec<_>>().join("; ");
        back.push(("move", opposite.to_owned()));
        Undo {
            way: Way::back(way),
            command,
            action: "/chats/moves".to_owned(),
            fields: back,
        }
    });
    let toast = Toast {
        done,
        undo,
        page_value,
        address,
    };
    answer(app, form, toast, failures, origin.path()).await
}

/// Returns the command that undoes a decision about one chat. `value` is that of its field.
fn undoing(opposite: &str, value: &str) -> String {
    let mut parts = value.split(' ');
    let chat = last_digits(parts.next().unwrap_or_default());
    match opposite {
        "undo" => {
            let to = parts.nth(1).unwrap_or_default();
            let policy = parts.next().unwrap_or_default();
            rollback_command(chat, to, policy)
        }
        verb => chat_command(verb, chat),
    }
}

/// Moves pins back, each to where it was before a decision or its undo, unless somebody has moved it since.
async fn undo(app: &App, form: PageForm, way: Way) -> ApiResult<Response> {
    let texts: Vec<_> = form.fields.all("back").collect();
    count("back", texts.len(), BULK_CHATS_MAX)?;
    let back: Vec<MoveBack> = texts.into_iter().map(read_back).collect::<Result<_, _>>()?;
    let results = bulk_moves::bulk_rollback(&app.service, form.caller.credential, &back).await?;
    let (moved, failures) = sorted(results);
    let done = format!(
        "{} for {}.",
        way.done(),
        counted(moved.len() as u64, "chat")
    );
    let forward = back.into_iter().filter(|back| moved.contains(&back.chat));
    let forward = forward.map(|back| {
        back_value(MoveBack {
            pin: back.to,
            to: back.pin,
            ..back
        })
    });
    let forward: Vec<_> = forward.collect();
    let commands = forward.iter().map(|value| undoing("undo", value));
    let command = commands.collect::<Vec<_>>().join("; ");
    let fields = forward.into_iter().map(|value| ("back", value));
    let toast = Toast {
        done,
        undo: (!moved.is_empty()).then(|| Undo {
            way: way.opposite(),
            command,
            action: "/chats/moves".to_owned(),
            fields: fields
                .chain([("move", way.opposite().verb().to_owned())])
                .collect(),
        }),
        page_value: form.caller.page_value.clone(),
        address: None,
    };
    answer(app, form, toast, failures, "/").await
}

/// Returns the value of a field that moves a chat's pin back.
fn back_value(back: MoveBack) -> String {
    let MoveBack {
        chat,
        pin,
        to,
        policy,
    } = back;
    format!("{chat} {pin} {to} {policy}")
}

fn read_back(text: &str) -> Result<MoveBack, InvalidMember> {
    let unknown = || InvalidMember::new("back", "this is not a chat and its pins");
    let mut parts = text.splitn(4, ' ');
    let mut part = || parts.next().ok_or_else(unknown);
    Ok(MoveBack {
        chat: part()?.parse().map_err(|_| unknown())?,
        pin: hash("back", part()?)?,
        to: hash("back", part()?)?,
        policy: part()?.parse().map_err(|_| unknown())?,
    })
}

/// Returns the chats that changed, and those that failed.
fn sorted(results: Vec<(ChatId, Result<(), Error>)>) -> (Vec<ChatId>, Vec<Failure>) {
    let mut changed = Vec::new();
    let mut failures = Vec::new();
    for (chat, result) in results {
        match result {
            Ok(()) => changed.push(chat),
            Err(error) => failures.push(Failure::of_chat(chat, error.into())),
        }
    }
    (changed, failures)
}

async fn archive(
    app: &App,
    form: PageForm,
    chosen: &[Choice],
    archived: bool,
) -> ApiResult<Response> {
    let chats: Vec<_> = chosen.iter().map(|choice| choice.chat).collect();
    let credential = form.caller.credential;
    let results = bulk_moves::bulk_archive(&app.service, credential, &chats, archived).await?;
    let (changed, failures) = sorted(results);
    let (verb, opposite) = match archived {
        true => ("Archived", "unarchive"),
        false => ("Unarchived", "archive"),
    };
    let way = Way::of_form(&form.fields);
    let done = format!("{verb} {}.", counted(changed.len() as u64, "chat"));
    let chats = changed.iter().map(|chat| ("chat", chat.to_string()));
    let back: Vec<_> = chats.chain([("move", opposite.to_owned())]).collect();
    let commands = changed.iter();
    let commands = commands.map(|chat| undoing(opposite, &chat.to_string()));
    let undo = (!changed.is_empty()).then(|| Undo {
        way: Way::back(way),
        command: commands.collect::<Vec<_>>().join("; "),
        action: "/chats/moves".to_owned(),
        fields: back,
    });
    let toast = Toast {
        done: Way::told(way, &done),
        undo,
        page_value: form.caller.page_value.clone(),
        address: None,
    };
    answer(app, form, toast, failures, "/chats").await
}

impl Failure {
    fn of_chat(chat: ChatId, error: ApiError) -> Self {
        Self {
            of: Failed::Chat(FailedChat {
                id: chat,
                title: None,
                short: last_digits(&chat.to_string()).to_owned(),
            }),
            reason: advice(error),
        }
    }

    fn of_change(name: &str) -> Self {
        let reason = "No chat waits for it any more: somebody has decided it, or its workspaces have something else \
                      there now. If so, that waits in the list.";
        Self {
            of: Failed::Change(name.to_owned()),
            reason: reason.to_owned(),
        }
    }

    /// Returns the chat that failed, if that was one.
    fn chat(&mut self) -> Option<&mut FailedChat> {
        match &mut self.of {
            Failed::Chat(chat) => Some(chat),
            Failed::Change(_) => None,
        }
    }
}

impl FailedChat {
    fn short_id(&self) -> ShortId {
        ShortId::of_id(self.id, "chat's id")
    }
}

/// Returns why a chat stayed as it was, and what a person can do about it.
fn advice(error: ApiError) -> String {
    let problem = error.into_problem();
    let advice = match problem.name() {
        Some(ProblemName::PreconditionFailed) => {
            "It has changed meanwhile. Open it, and decide about what it shows now."
        }
        Some(ProblemName::NotFound) => "It is not here any more: somebody has deleted it.",
        Some(ProblemName::Forbidden) => "It belongs to somebody else, who decides about it.",
        Some(ProblemName::NoHead) => {
            "Its workspace has pushed nothing. Bind the chat to another one."
        }
        Some(ProblemName::Busy | ProblemName::Unavailable) => {
            "The server did not get to it. Choose it again."
        }
        _ => return problem.detail,
    };
    advice.to_owned()
}

/// Returns how many chats and how many changes failed, in words.
fn failed_words(failures: &[Failure], is_kept: bool) -> String {
    let is_chat = |failure: &&Failure| matches!(failure.of, Failed::Chat(_));
    let (chats, changes): (Vec<_>, Vec<_>) = failures.iter().partition(is_chat);
    let said = |count: usize, noun, one: &str, many: &str| {
        let words = if count == 1 { one } else { many };
        (count > 0).then(|| format!("{} {words}", counted(count as u64, noun)))
    };
    let (was, were) = match is_kept {
        true => ("was not decided", "were not decided"),
        false => ("was not taken", "were not taken"),
    };
    let chats = said(
        chats.len(),
        "chat",
        "stayed as it was",
        "stayed as they were",
    );
    let changes = said(changes.len(), "change", was, were);
    let parts: Vec<_> = chats.into_iter().chain(changes).collect();
    parts.join(", and ")
}

async fn answer(
    app: &App,
    form: PageForm,
    toast: Toast,
    mut failures: Vec<Failure>,
    page: &str,
) -> ApiResult<Response> {
    if failures.is_empty() {
        return toast.answer(form.wants, page);
    }
    let failed = failures.iter_mut().filter_map(Failure::chat);
    let ids: Vec<_> = failed.map(|chat| chat.id).collect();
    let mut names = chats::names(&app.service, form.caller.credential, &ids).await?;
    for chat in failures.iter_mut().filter_map(Failure::chat) {
        chat.title = names.remove(&chat.id).and_then(|names| names.title);
    }
    let is_kept = form.fields.get("move") == Some("decline");
    let failed = &failed_words(&failures, is_kept);
    let (toast, failures) = (&toast, failures.as_slice());
    match form.wants {
        Wants::Fragment => html(&Failures {
            toast,
            failed,
            failures,
        }),
        Wants::Page => html(&FailuresPage {
            frame: Frame::read(app, &form.caller, Place::Changes, "What failed").await?,
            toast,
            failed,
            failures,
            page,
        }),
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_model::policy::Policy;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_box_sends_what_was_seen() {
        let chat = ChatId::from(Uuid::from_u128(7));
        let (pin, head) = (SnapshotId::of(b"pin"), SnapshotId::of(b"head"));
        let check = |text: &str, seen| {
            assert_eq!(Choice::read(text).ok(), Some(Choice { chat, seen }));
        };
        let seen = SeenChat { chat, pin, head };
        check(&Choice::value(chat, Some(pin), Some(head)), Some(seen));
        check(&Choice::value(chat, None, Some(head)), None);
        let change: PendingChangeId = "0f85843b53bc0f85843b53bc0f85843b".parse().unwrap();
        let long = "é".repeat(NAME_BYTES_MAX);
        let value = change_value(change, &long);
        assert_eq!(read_change(&value), Ok((change, &long[NAME_BYTES_MAX..])));
        assert_eq!(read_change(&change.to_string()), Ok((change, "A change")));
        for text in ["", "x", &format!("{chat} x y")] {
            assert!(Choice::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_undo_names_where_the_pin_is_and_was() {
        let chat = ChatId::from(Uuid::from_u128(7));
        let (pin, to) = (SnapshotId::of(b"pin"), SnapshotId::of(b"to"));
        let policy = Policy::Follow;
        let back = MoveBack {
            chat,
            pin,
            to,
            policy,
        };
        assert_eq!(read_back(&back_value(back)).ok(), Some(back));
        for text in [
            "",
            "x",
            &format!("{chat} {pin}"),
            &format!("{chat} {pin} {to}"),
            &format!("{chat} {pin} {to} follow "),
        ] {
            assert!(read_back(text).is_err(), "{text}");
        }
    }
}
