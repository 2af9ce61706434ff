//! What hooks told, and how the server is told of it.

use std::time::{Duration, Instant};

use ctxpin_client::Client;
use ctxpin_client::error::ClientError;
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::chats::{ChatCreate, ChatStart};
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use tokio::sync::oneshot;

use super::{Event, Session};
use crate::session::LocalSnapshot;
use crate::shared::lock;

/// How long a turn or a row of evidence is tried again.
pub(super) const RETRY_TIME_MAX: Duration = Duration::from_secs(600);

/// The pause between two tries.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The result of the first try.
pub(super) enum Tried {
    Recorded(ChatId),
    /// A later try may succeed. The server says why, if it responds.
    Later(Option<String>),
    Refused(String),
}

fn tried(recorded: &Result<ChatId, ClientError>) -> Tried {
    match recorded {
        Ok(chat) => Tried::Recorded(*chat),
        // A server that does not know the token may be another one, which is worth a word.
        Err(error) if error.is_transient() && !matches!(error, ClientError::Unproven { .. }) => {
            Tried::Later(said(error))
        }
        Err(error) => Tried::Refused(error.to_string()),
    }
}

/// Returns why a server that responds cannot record anything now.
fn said(error: &ClientError) -> Option<String> {
    let problem = error.problem()?;
    Some(problem.to_string().trim_end_matches('.').to_owned())
}

/// What a hook told, for the server.
pub(super) enum Deed {
    Start(ChatStart),
    Turn {
        /// The client's id of the turn.
        turn: String,
        /// The event at which the client reads its files with this turn, if it does.
        at: Option<ClientEvent>,
        /// What the client reads for it, if it reads at each turn, or has read while nobody saw it.
        read: Option<ChatStart>,
    },
    /// The start of a subagent, which is one turn.
    Subagent {
        /// What the subagent reads, if it does not have what its session has.
        read: Option<ChatStart>,
    },
}

/// Sends what a hook told, and again while the server cannot be reached. `tell` receives the result of the first try.
/// Returns whether the server has taken it.
pub(super) async fn insistently(
    client: &Client,
    event: &Event,
    session: &Session,
    deed: &mut Deed,
    mut tell: Option<oneshot::Sender<Tried>>,
) -> bool {
    let mut chat = session.chat.lock().await;
    let until = Instant::now() + RETRY_TIME_MAX;
    loop {
        let recorded = recorded(client, event, &mut chat, deed).await;
        *lock(&session.trouble) = recorded.as_ref().err().and_then(said);
        if let Some(tell) = tell.take() {
            // A hook that does not wait has dropped the other end.
            let _ = tell.send(tried(&recorded));
        }
        match recorded {
            Err(error) if error.is_transient() && Instant::now() < until => {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Err(error) => {
                tracing::warn!(%error, "an event of a session could not be recorded");
                return false;
            }
            Ok(_) => return true,
        }
    }
}

/// Sends what a hook told, and returns the chat that it concerns.
async fn recorded(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
    deed: &mut Deed,
) -> Result<ChatId, ClientError> {
    let is_known = chat.is_some();
    match recorded_once(client, event, chat, deed).await {
        // Somebody has deleted the chat since.
        Err(error) if is_known && error.problem_name() == Some(ProblemName::NotFound) => {
            *chat = None;
            recorded_once(client, event, chat, deed).await
        }
        recorded => recorded,
    }
}

async fn recorded_once(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
    deed: &mut Deed,
) -> Result<ChatId, ClientError> {
    let call = &event.call;
    let (known, is_new) = found_or_made(client, event, chat).await?;
    match (&mut *deed, is_new) {
        (Deed::Turn { read, .. }, true) => {
            read.get_or_insert_with(unseen);
        }
        (Deed::Subagent { .. }, true) => {
            client.chat_start(known, &unseen()).await?;
        }
        (Deed::Start(_), _) | (_, false) => {}
    }
    let (chat, reference) = match (&*deed, &call.subagent) {
        (Deed::Start(start), _) => {
            started(client, known, start).await?;
            return Ok(known);
        }
        (Deed::Turn { turn, read, .. }, _) => {
            if let Some(read) = read {
                client.chat_start(known, read).await?;
            }
            (known, turn)
        }
        (Deed::Subagent { read }, Some(subagent)) => {
            let child = ChatCreate {
                client: Some(event.client.to_string()),
                reference: Some(reference_of(&call.session, Some(subagent))),
                parent_id: Some(known.uuid()),
                ..ChatCreate::default()
            };
            let child = ChatId::from(client.chat_create(&child).await?.chat.id);
            if let Some(read) = read {
                client.chat_start(child, read).await?;
            }
            (child, subagent)
        }
        (Deed::Subagent { .. }, None) => return Ok(known),
    };
    // The client has read its files itself, also if somebody has made the chat a delivered one.
    let turn = TurnBegin {
        reference: Some(reference.clone()),
        delivery: Some(Delivery::Observed.to_string()),
    };
    client.turn_begin(chat, &turn).await?;
    Ok(chat)
}

/// Tells of a start. A head that was never pushed, because a newer scan came before, is left out.
async fn started(client: &Client, chat: ChatId, start: &ChatStart) -> Result<(), ClientError> {
    match client.chat_start(chat, start).await {
        Err(error)
            if start.head.is_some()
                && error.problem_name() == Some(ProblemName::InvalidRequest) =>
        {
            let unconfirmed = start_of(&start.source, None);
            client.chat_start(chat, &unconfirmed).await?;
        }
        told => {
            told?;
        }
    }
    Ok(())
}

/// Returns the reference of a chat. One rule for all clients: it is the client's own id of the session, and that of a
/// subagent stands behind it.
pub(super) fn reference_of(session: &str, subagent: Option<&str>) -> String {
    match subagent {
        Some(subagent) => format!("{session}/{subagent}"),
        None => session.to_owned(),
    }
}

/// Returns the message of a client that has read its files while nobody saw it.
pub(super) fn unseen() -> ChatStart {
    start_of(ClientEvent::Resume.as_str(), None)
}

/// Returns the message that a client reads its files at an event. Without a head, it may have read other ones.
pub(super) fn start_of(source: &str, head: Option<&LocalSnapshot>) -> ChatStart {
    ChatStart {
        source: source.to_owned(),
        head: head.map(|head| head.id.to_string()),
    }
}

/// Finds or makes the chat of a session.
pub(super) async fn chat_of(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
) -> Result<ChatId, ClientError> {
    let (chat, _) = found_or_made(client, event, chat).await?;
    Ok(chat)
}

/// Finds or makes the chat of a session, and returns whether it is new.
async fn found_or_made(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
) -> Result<(ChatId, bool), ClientError> {
    if let Some(known) = *chat {
        return Ok((known, false));
    }
    let wanted = |reference: &str| ChatCreate {
        client: Some(event.client.to_string()),
        reference: Some(reference.to_owned()),
        agent_id: Some(event.agent),
        mode: Some(ctxpin_model::mode::Mode::Observed.to_string()),
        ..ChatCreate::default()
    };
    let mut own = wanted(&event.call.session);
    if let Some(parent) = &event.call.parent {
        let parent = client.chat_create(&wanted(parent)).await?.chat;
        own = ChatCreate {
            agent_id: None,
            parent_id: Some(parent.id),
            ..own
        };
    }
    let opened = client.chat_create(&own).await?;
    let known = *chat.insert(ChatId::from(opened.chat.id));
    Ok((known, opened.is_new))
}
