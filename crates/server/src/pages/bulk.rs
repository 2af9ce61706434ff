//! One decision about several chats, and what it did to each.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::chat::ChatChange;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::pending_change::PendingChangeId;
use ctxpin_model::pin_move::{
    BULK_CHANGES_MAX, BULK_CHATS_MAX, BulkMove, BulkOutcome, Decision, PinMove, SeenChat,
};
use ctxpin_operations::pending_changes::{self, PendingChat};
use ctxpin_operations::{bulk_moves, chats, pins};
use ctxpin_protocol::convert::bulk_moves::pending_change_id;
use ctxpin_protocol::convert::members::{InvalidMember, count, hash};

use super::answer::{Toast, Undo};
use super::form::{Fields, PageForm, Wants};
use super::frame::{Frame, Place, html};
use super::parts::number::counted;
use super::parts::short_id::{ShortId, last_digits};
use super::parts::text::Text;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::params::PathParams;

/// What failed, in a toast that stays until somebody closes it. The page itself is loaded again after a write.
#[derive(Template)]
#[template(path = "failures.html")]
struct Failures<'f> {
    done: &'f str,
    failures: &'f [Failure],
}

/// The same as a page.
#[derive(Template)]
#[template(path = "bulk.html")]
struct FailuresPage<'f> {
    frame: Frame,
    done: &'f str,
    failures: &'f [Failure],
}

/// A chat that a decision did not change, and why.
struct Failure {
    chat: ChatId,
    short: String,
    reason: String,
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
        Some("undo") => return undo(&app, form).await,
        _ => return Err(unknown_move()),
    };
    let seen = chosen.iter().filter_map(|choice| choice.seen).collect();
    decide(&app, form, seen, decision, "/chats").await
}

/// Decides about chosen changes of the inbox, for all their chats.
pub(crate) async fn changes(State(app): State<App>, form: PageForm) -> ApiResult<Response> {
    let ids: Vec<_> = form.fields.all("change").collect();
    count("change", ids.len(), BULK_CHANGES_MAX)?;
    let ids = ids.into_iter().map(|id| pending_change_id("change", id));
    let mut ids: Vec<PendingChangeId> = ids.collect::<Result<_, InvalidMember>>()?;
    ids.sort_unstable();
    ids.dedup();
    let seen = seen_chats(&app, &form, &ids).await?;
    let decision = decision(&form.fields, ids)?;
    decide(&app, form, seen, decision, "/").await
}

/// Decides about one change, for all its chats or for those that were chosen.
pub(crate) async fn change(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let id = pending_change_id("change", path.text("change"))?;
    let chosen = Choice::all(&form.fields)?;
    let seen: Vec<_> = chosen.iter().filter_map(|choice| choice.seen).collect();
    let seen = match seen.is_empty() {
        true => seen_chats(&app, &form, &[id]).await?,
        false => seen,
    };
    let decision = decision(&form.fields, vec![id])?;
    decide(&app, form, seen, decision, "/").await
}

fn decision(fields: &Fields, ids: Vec<PendingChangeId>) -> ApiResult<Decision> {
    match fields.get("move") {
        Some("all" | "chosen" | "take") => Ok(Decision::Take(ids)),
        Some("decline") => Ok(Decision::Decline),
        _ => Err(unknown_move()),
    }
}

fn unknown_move() -> ApiError {
    let reason = "the form lacks it; load the page again";
    InvalidMember::new("move", reason).into()
}

/// Reads the chats of some changes, at most [`BULK_CHATS_MAX`].
async fn seen_chats(
    app: &App,
    form: &PageForm,
    ids: &[PendingChangeId],
) -> ApiResult<Vec<SeenChat>> {
    let credential = form.caller.credential;
    let found =
        pending_changes::chats_of_any(&app.service, credential, true, ids, BULK_CHATS_MAX).await?;
    Ok(found.iter().filter_map(seen_chat).collect())
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

async fn decide(
    app: &App,
    form: PageForm,
    chats: Vec<SeenChat>,
    decision: Decision,
    page: &str,
) -> ApiResult<Response> {
    let request = BulkMove { chats, decision };
    let results = bulk_moves::bulk_move(&app.service, form.caller.credential, &request).await?;
    let mut back = Vec::new();
    let mut failures = Vec::new();
    for ((chat, result), seen) in results.into_iter().zip(&request.chats) {
        match result {
            Ok(BulkOutcome::Moved(_)) => back.push(("back", format!("{chat} {}", seen.pin))),
            Ok(BulkOutcome::Declined | BulkOutcome::Undeclined) => {
                back.push(("chat", Choice::value(chat, Some(seen.pin), Some(seen.head))));
            }
            Ok(BulkOutcome::Unchanged) => {}
            Err(error) => failures.push(Failure::new(chat, error.into())),
        }
    }
    let decided = counted(back.len() as u64, "chat");
    let (done, opposite) = match request.decision {
        _ if back.is_empty() => ("Nothing was there to decide.".to_owned(), ""),
        Decision::TakeAll | Decision::Take(_) => (format!("Taken for {decided}."), "undo"),
        Decision::Decline => (format!("{decided} kept the pin."), "undecline"),
        Decision::Undecline => (format!("The changes of {decided} wait again."), "decline"),
    };
    let undo = (!back.is_empty()).then(|| {
        back.push(("move", opposite.to_owned()));
        Undo {
            action: "/chats/moves".to_owned(),
            fields: back,
        }
    });
    answer(app, form, done, undo, &failures, page).await
}

/// Moves pins back, each to where it was before a decision.
async fn undo(app: &App, form: PageForm) -> ApiResult<Response> {
    let texts: Vec<_> = form.fields.all("back").map(str::to_owned).collect();
    count("back", texts.len(), BULK_CHATS_MAX)?;
    let mut failures = Vec::new();
    let mut moved = 0;
    for text in texts {
        let unknown = || InvalidMember::new("back", "this is not a chat and its pin");
        let (chat, pin) = text.split_once(' ').ok_or_else(unknown)?;
        let chat: ChatId = chat.parse().map_err(|_| unknown())?;
        let request = PinMove::Rollback(hash("back", pin)?);
        let done = pins::pin_move(&app.service, form.caller.credential, chat, &request, None);
        match done.await {
            Ok(_) => moved += 1,
            Err(error) => failures.push(Failure::new(chat, error.into())),
        }
    }
    let done = format!("Rolled back {}.", counted(moved, "chat"));
    answer(app, form, done, None, &failures, "/").await
}

async fn archive(
    app: &App,
    form: PageForm,
    chosen: &[Choice],
    archived: bool,
) -> ApiResult<Response> {
    let change = ChatChange {
        archived: Some(archived),
        ..ChatChange::default()
    };
    let mut failures = Vec::new();
    let mut back = Vec::new();
    for Choice { chat, .. } in chosen {
        match chats::change(&app.service, form.caller.credential, *chat, &change).await {
            Ok(_) => back.push(("chat", chat.to_string())),
            Err(error) => failures.push(Failure::new(*chat, error.into())),
        }
    }
    let (verb, opposite) = match archived {
        true => ("Archived", "unarchive"),
        false => ("Unarchived", "archive"),
    };
    let done = format!("{verb} {}.", counted(back.len() as u64, "chat"));
    back.push(("move", opposite.to_owned()));
    let undo = Undo {
        action: "/chats/moves".to_owned(),
        fields: back,
    };
    answer(app, form, done, Some(undo), &failures, "/chats").await
}

impl Failure {
    fn new(chat: ChatId, error: ApiError) -> Self {
        Self {
            chat,
            short: last_digits(&chat.to_string()).to_owned(),
            reason: error.into_problem().detail,
        }
    }

    fn short_id(&self) -> ShortId {
        ShortId::of_id(self.chat, "chat's id")
    }
}

async fn answer(
    app: &App,
    form: PageForm,
    done: String,
    undo: Option<Undo>,
    failures: &[Failure],
    page: &str,
) -> ApiResult<Response> {
    if failures.is_empty() {
        let toast = Toast {
            done,
            undo,
            page_value: form.caller.page_value,
        };
        return toast.answer(form.wants, page);
    }
    let done = done.as_str();
    match form.wants {
        Wants::Fragment => html(&Failures { done, failures }),
        Wants::Page => html(&FailuresPage {
            frame: Frame::read(app, &form.caller, Place::Changes, "What failed").await?,
            done,
            failures,
        }),
    }
}

#[cfg(test)]
mod tests {
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
        for text in ["", "x", &format!("{chat} x y")] {
            assert!(Choice::read(text).is_err(), "{text}");
        }
    }
}
