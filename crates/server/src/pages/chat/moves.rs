//! Moves of a chat's pin.

use axum::extract::State;
use axum::response::Response;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::HistoryEntry;
use ctxpin_model::id::ChatId;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::policy::Policy;
use ctxpin_model::token::Credential;
use ctxpin_operations::{chats, history, pins};
use ctxpin_protocol::convert::members::{InvalidMember, hash};
use ctxpin_protocol::convert::pins::pin_move;
use ctxpin_protocol::http::context::{ContextMove, KindAndSource, Selector};

use super::changes::page_of_form;
use super::head::chat_id;
use super::history::what_it_changed;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::pages::answer::{Toast, Undo, Way};
use crate::pages::fields::{Fields, incomplete};
use crate::pages::form::PageForm;
use crate::pages::parts::command::{chat_command, rollback_command};
use crate::pages::parts::short_id::last_digits;
use crate::params::PathParams;

/// Moves the pin, and says how to undo it.
pub(crate) async fn post(
    State(app): State<App>,
    path: PathParams,
    form: PageForm,
) -> ApiResult<Response> {
    let chat = chat_id(&path)?;
    let pin = form.fields.filled("pin");
    let pin: Option<SnapshotId> = pin.map(|pin| hash("pin", pin)).transpose()?;
    let is_ticked = form.fields.get("source").is_some();
    let request = match requested(&form.fields) {
        // Without the script, what was ticked would be gone.
        Err(refusal) if is_ticked => {
            let view = form.fields.get("view").map(str::to_owned);
            let again = |caller| page_of_form(&app, caller, chat, view);
            return form.shown_again(refusal.into(), again).await;
        }
        found => found?,
    };
    let verb = form.fields.get("move");
    let way = Way::of_form(&form.fields).or(Way::of(verb));
    let credential = form.caller.credential;
    let policy_before = match request {
        PinMove::Rollback(_) | PinMove::Undo { .. } => {
            Some(chats::read(&app.service, credential, chat).await?.policy)
        }
        _ => None,
    };
    let moved = pins::pin_move(&app.service, credential, chat, &request, pin).await?;
    let after = moved.chat.pin.map(|pin| pin.pin.snapshot);
    let policy = moved.chat.policy;
    let policy_before = policy_before.unwrap_or(policy);
    let new_policy = (policy != policy_before).then_some(policy);
    let done = match sentence(&request, way, new_policy) {
        Some(sentence) => sentence,
        None => taken(&app, credential, chat, moved.chat.pin_seq).await?,
    };
    let toast = Toast {
        done,
        undo: undo(chat, &request, way, policy_before, pin, after),
        page_value: form.caller.page_value,
        address: None,
    };
    toast.answer(form.wants, &format!("/chats/{chat}"))
}

/// Returns the move that a form requests.
fn requested(fields: &Fields) -> Result<PinMove, InvalidMember> {
    let field = |name| fields.filled(name).map(str::to_owned);
    let wanted = match fields.get("move") {
        Some("all") => ContextMove {
            head: field("head"),
            ..ContextMove::default()
        },
        Some("chosen") => ContextMove {
            head: field("head"),
            sources: Some(
                fields
                    .all("source")
                    .map(selector)
                    .collect::<Result<_, _>>()?,
            ),
            ..ContextMove::default()
        },
        Some("decline") => ContextMove {
            decline: field("head"),
            ..ContextMove::default()
        },
        Some("undecline") => ContextMove {
            undecline: field("head"),
            ..ContextMove::default()
        },
        Some("rollback") => ContextMove {
            snapshot: field("snapshot"),
            ..ContextMove::default()
        },
        Some("undo" | "redo") => ContextMove {
            snapshot: field("snapshot"),
            policy: field("policy"),
            ..ContextMove::default()
        },
        _ => return Err(incomplete("move")),
    };
    // Without this, an empty field would refresh everything.
    match fields.get("move") {
        Some("decline") if wanted.decline.is_none() => Err(incomplete("head")),
        Some("undecline") if wanted.undecline.is_none() => Err(incomplete("head")),
        Some("rollback" | "undo" | "redo") if wanted.snapshot.is_none() => {
            Err(incomplete("snapshot"))
        }
        Some("undo" | "redo") if wanted.policy.is_none() => Err(incomplete("policy")),
        Some("all" | "chosen") if wanted.head.is_none() => Err(incomplete("head")),
        // A page whose button and boxes disagree must not take more than its reader chose.
        Some("all") if fields.get("source").is_some() => {
            let reason =
                "some changes are ticked; take the ticked ones, or untick them to take all";
            Err(InvalidMember::new("source", reason))
        }
        _ => pin_move(wanted),
    }
}

/// Reads the kind and the source of a box, which stand behind the id of the change.
fn selector(text: &str) -> Result<Selector, InvalidMember> {
    let mut parts = text.splitn(3, ' ').skip(1);
    match (parts.next(), parts.next()) {
        (Some(kind), Some(source)) => Ok(Selector::Resource(KindAndSource {
            kind: kind.to_owned(),
            source: source.to_owned(),
        })),
        _ => Err(incomplete("source")),
    }
}

/// Returns what a move did, in words, with the policy if it changed that. `way` is that of its form, if a toast has
/// offered it. `None` if only the pins before and after it tell.
fn sentence(request: &PinMove, way: Option<Way>, new_policy: Option<Policy>) -> Option<String> {
    if let PinMove::Undo { .. } = request {
        let done = way.unwrap_or(Way::Undo).done();
        return Some(match new_policy {
            None => format!("{done}."),
            Some(policy) => format!("{done}. The policy is {policy} again."),
        });
    }
    let done = match request {
        PinMove::Refresh { .. }
        | PinMove::Changes { .. }
        | PinMove::Sources { .. }
        | PinMove::Undo { .. } => return None,
        PinMove::Decline(_) => "The pin is kept. The next change asks again.",
        PinMove::Undecline(_) => "The changes wait again.",
        PinMove::Rollback(_) => "Rolled back.",
        PinMove::Render => "Rendered again.",
    };
    let done = Way::told(way, done);
    Some(match new_policy {
        None => done,
        Some(policy) => format!("{done} The policy is {policy} now: the chat waits for you."),
    })
}

/// Returns what the move with number `seq` took, as the history names it.
async fn taken(app: &App, credential: Credential, chat: ChatId, seq: i64) -> ApiResult<String> {
    let Some(record) = history::read(&app.service, credential, chat, seq).await? else {
        return Ok("Took changes.".to_owned());
    };
    let entry = [HistoryEntry::Move(record)];
    let changes = history::changes(&app.service, credential, chat, &entry).await?;
    let changes = changes.first().and_then(Option::as_ref);
    Ok(format!("{}.", what_it_changed(entry[0].pin(), changes)))
}

/// Returns the form that undoes a move from `pin` and `policy`, unless the pin is not the one `after` the move any more.
fn undo(
    chat: ChatId,
    request: &PinMove,
    way: Option<Way>,
    policy: Policy,
    pin: Option<SnapshotId>,
    after: Option<SnapshotId>,
) -> Option<Undo> {
    let way = Way::back(way);
    let (field, snapshot, back) = match request {
        PinMove::Refresh { .. }
        | PinMove::Sources { .. }
        | PinMove::Changes { .. }
        | PinMove::Rollback(_)
        | PinMove::Undo { .. } => ("snapshot", pin?, way.verb()),
        PinMove::Decline(head) => ("head", *head, "undecline"),
        PinMove::Undecline(head) => ("head", *head, "decline"),
        PinMove::Render => return None,
    };
    let id = chat.to_string();
    let short = last_digits(&id);
    Some(Undo {
        way,
        command: match back {
            "undo" | "redo" => rollback_command(short, snapshot, policy),
            verb => chat_command(verb, short),
        },
        action: format!("/chats/{chat}/moves"),
        fields: vec![
            ("pin", after?.to_string()),
            (field, snapshot.to_string()),
            ("policy", policy.to_string()),
            ("move", back.to_owned()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "sha256%3Aba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn forms_are_moves() {
        let check = |body: &str, expected: Option<Option<&str>>| {
            let body = body.replace("HEAD", HEAD);
            let request = requested(&Fields::read(body.as_bytes()));
            let sentence = request.ok().map(|request| sentence(&request, None, None));
            assert_eq!(sentence.as_ref().map(Option::as_deref), expected, "{body}");
        };
        check("move=all&head=HEAD", Some(None));
        check(
            "move=chosen&head=HEAD&source=0a+skill+%2Fw%2Fa+b&source=0b+facts+",
            Some(None),
        );
        check(
            "move=decline&head=HEAD",
            Some(Some("The pin is kept. The next change asks again.")),
        );
        check(
            "move=undecline&head=HEAD",
            Some(Some("The changes wait again.")),
        );
        check("move=rollback&snapshot=HEAD", Some(Some("Rolled back.")));
        check(
            "move=undo&snapshot=HEAD&policy=follow",
            Some(Some("Undone.")),
        );
        // A form that lacks a field moves nothing.
        for body in [
            "",
            "move=all",
            "move=chosen&head=HEAD",
            "move=chosen&source=0a+skill+a",
            "move=chosen&head=HEAD&source=skill",
            "move=decline",
            "move=undecline",
            "move=rollback&head=HEAD",
            "move=undo&snapshot=HEAD",
            "move=undo&policy=follow",
            "move=all&head=x",
            "move=all&head=HEAD&source=skill+a",
        ] {
            check(body, None);
        }
    }
}
