//! Following the sessions of clients whose hooks tell of them.
//!
//! A session gets a chat that is observed: the pin records what the client read at its start, or at each prompt if it
//! reads then, and each prompt is a turn. A hook waits for nothing but the scan at a start. What can wait is done behind its back, in the order in which
//! the hooks of a session came.

mod drift;

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_private_files::token::{self, TokenError};
use ctxpin_protocol::control::{HookCall, HookReply};
use ctxpin_protocol::http::chats::{ChatCreate, ChatStart};
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::http::turns::TurnBegin;
use tokio::sync::{Semaphore, oneshot};
use url::Url;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::session::LocalSnapshot;
use crate::shared::lock;

/// The longest wait of a session's start for the scan. The client waits meanwhile.
pub(crate) const SCAN_TIME_MAX: Duration = Duration::from_millis(1500);

/// The longest wait of a start for the scan and the server together. The hook then tells its person, and has 1.9 s.
const START_TIME_MAX: Duration = Duration::from_millis(1700);

/// The greatest number of sessions that are followed at once. The one that was silent for longest is forgotten, and
/// known again when its next hook comes.
const SESSIONS_MAX: usize = 256;

/// The greatest number of turns that wait for the server.
const WAITING_MAX: usize = 256;

/// How long a turn is tried again.
const RETRY_TIME_MAX: Duration = Duration::from_secs(600);

/// The pause between two tries.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The greatest length of a name that a client gives, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Follows the sessions of one server's clients on this machine.
pub(crate) struct Hooks {
    server: Url,
    plain_http: PlainHttp,
    /// The client of the last hook, whose connection is open and proven.
    client: Mutex<Option<(Secret, Client)>>,
    sessions: Mutex<HashMap<SessionKey, Known>>,
    room: Arc<Semaphore>,
}

/// Which session it is: ids of two clients may be equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionKey {
    client: Profile,
    session: String,
}

/// What is known of a session.
struct Known {
    seen_at: Instant,
    session: Arc<Session>,
}

#[derive(Default)]
struct Session {
    /// The session's chat, once the server has told it. One request at a time locks it, so that they are sent in their
    /// order.
    chat: tokio::sync::Mutex<Option<ChatId>>,
    read: Mutex<Read>,
}

/// What the client has read, and what its person was told.
#[derive(Default)]
struct Read {
    /// The snapshot at the session's last start in this process.
    snapshot: Option<Arc<LocalSnapshot>>,
    /// The snapshot of which the person was told last that it differs.
    told: Option<Arc<LocalSnapshot>>,
}

/// What ends with the snapshot of a scan that began just now, once that is the head, or `None` if it is not in time.
pub(crate) type Fresh = Pin<Box<dyn Future<Output = Option<Arc<LocalSnapshot>>> + Send>>;

/// An event of a session, with what its agent has found.
pub(crate) struct Event {
    pub call: HookCall,
    pub client: Profile,
    /// The agent of the session's directory and client.
    pub agent: Uuid,
}

impl Hooks {
    /// Returns what follows sessions at this server.
    pub fn new(server: Url, plain_http: PlainHttp) -> Self {
        Self {
            server,
            plain_http,
            client: Mutex::default(),
            sessions: Mutex::default(),
            room: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Checks a call, and returns its client.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the call is not valid, or means another server.
    pub fn check(&self, call: &HookCall) -> Result<Profile, String> {
        let client = match call.client.parse() {
            Ok(client @ (Profile::ClaudeCode | Profile::Codex | Profile::Opencode)) => client,
            Ok(Profile::Neutral) | Err(_) => {
                return Err(format!("`{}` has no hooks that are known", call.client));
            }
        };
        let names = [
            Some(&call.session),
            call.turn.as_ref(),
            call.subagent.as_ref(),
            call.parent.as_ref(),
        ];
        for name in names.into_iter().flatten() {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
                return Err("an id of the session is not one".into());
            }
        }
        match call.server.parse::<Url>() {
            Ok(server) if server == self.server => Ok(client),
            _ => Err(format!(
                "the agent here pushes to {}, and the hook is for {}: install it again with `ctxpin hook install {client}`",
                self.server, call.server
            )),
        }
    }

    /// Records the start of a session: finds or makes its chat, and moves its pin to what the client reads. `scan` ends
    /// with the head of a scan that began after the start, or `None` if that did not come in time. A start that the
    /// server does not take in time is tried again before any later turn of the session, whose stamp depends on it.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token or the server refuses.
    pub async fn start(&self, event: Event, scan: Fresh) -> Result<HookReply, String> {
        let until = tokio::time::Instant::now() + START_TIME_MAX;
        let session = self.session(&event);
        let snapshot = scan.await;
        let start = start_of(
            event.call.source.as_deref().unwrap_or_default(),
            snapshot.as_ref(),
        );
        *lock(&session.read) = Read {
            snapshot,
            told: None,
        };
        let tried = self
            .behind(event, session, Deed::Start(start), None)
            .await?;
        match tokio::time::timeout_at(until, tried).await {
            Ok(Ok(Ok(chat))) => Ok(HookReply {
                chat: Some(chat.uuid()),
                message: None,
            }),
            Ok(Ok(Err(reason))) => Err(reason),
            Ok(Err(_)) | Err(_) => Err(format!(
                "{} does not respond yet; the session is recorded if it responds soon",
                self.server
            )),
        }
    }

    /// Records a turn, behind the back of the hook. With `fresh`, the pin moves first to what the client reads for the
    /// turn. Returns what to tell the person.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token cannot be read, or too many turns wait for the server.
    pub async fn turn(
        &self,
        event: Event,
        newest: Option<Arc<LocalSnapshot>>,
        fresh: Option<Fresh>,
    ) -> Result<HookReply, String> {
        let session = self.session(&event);
        let message = newest.and_then(|newest| lock(&session.read).drift(&newest, event.client));
        if let Some(turn) = event.call.turn.clone() {
            let deed = Deed::Turn { turn, read: None };
            self.behind(event, session, deed, fresh).await?;
        }
        Ok(HookReply {
            chat: None,
            message,
        })
    }

    /// Records the start of a subagent: a chat below that of its session, with one turn.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token cannot be read, or too many turns wait for the server.
    pub async fn subagent(&self, event: Event) -> Result<HookReply, String> {
        let session = self.session(&event);
        self.behind(event, session, Deed::Subagent, None).await?;
        Ok(HookReply::default())
    }

    /// Forgets a session, unless something of it still waits for the server: a resumed session must stand in line
    /// behind that.
    pub fn end(&self, event: &Event) -> HookReply {
        let mut sessions = lock(&self.sessions);
        let is_idle = |known: &Known| Arc::strong_count(&known.session) == 1;
        if sessions.get(&key(event)).is_some_and(is_idle) {
            sessions.remove(&key(event));
        }
        HookReply::default()
    }

    /// Sends what happened once the requests of the session before it were sent, and tries it again while the server
    /// cannot be reached. A turn waits for the fresh scan, which the client reads too. What it returns receives the
    /// result of the first try.
    async fn behind(
        &self,
        event: Event,
        session: Arc<Session>,
        mut deed: Deed,
        fresh: Option<Fresh>,
    ) -> Result<oneshot::Receiver<Result<ChatId, String>>, String> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let permit =
            permit.map_err(|_| format!("{WAITING_MAX} turns wait for the server already"))?;
        let client = self.client(&event.call).await?;
        let (tell, first) = oneshot::channel();
        tokio::spawn(async move {
            let _permit = permit;
            let mut chat = session.chat.lock().await;
            if let (Some(fresh), Deed::Turn { read, .. }) = (fresh, &mut deed) {
                let head = fresh.await;
                *read = Some(start_of(ClientEvent::Turn.as_str(), head.as_ref()));
            }
            let mut tell = Some(tell);
            let until = Instant::now() + RETRY_TIME_MAX;
            loop {
                let recorded = recorded(&client, &event, &mut chat, &deed).await;
                if let Some(tell) = tell.take() {
                    // A hook that does not wait has dropped the other end.
                    let _ = tell.send(recorded.as_ref().copied().map_err(ToString::to_string));
                }
                match recorded {
                    Err(error) if error.is_transient() && Instant::now() < until => {
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "an event of a session could not be recorded");
                        return;
                    }
                    Ok(_) => return,
                }
            }
        });
        Ok(first)
    }

    /// Returns what is known of the session of an event.
    fn session(&self, event: &Event) -> Arc<Session> {
        let mut sessions = lock(&self.sessions);
        let now = Instant::now();
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&key(event)) {
            let silent = sessions.iter().min_by_key(|(_, known)| known.seen_at);
            let silent = silent.map(|(key, _)| key.clone());
            silent.and_then(|silent| sessions.remove(&silent));
        }
        let known = sessions.entry(key(event)).or_insert_with(|| Known {
            seen_at: now,
            session: Arc::default(),
        });
        known.seen_at = now;
        Arc::clone(&known.session)
    }

    /// Returns a client with the token of the hook.
    async fn client(&self, call: &HookCall) -> Result<Client, String> {
        let path = call.token_file.clone();
        let token = blocking(move || hook_token(Path::new(&path))).await?;
        let mut kept = lock(&self.client);
        if let Some((of, client)) = &*kept
            && *of == token
        {
            return Ok(client.clone());
        }
        let client = Client::with_plain_http(self.server.clone(), token.clone(), self.plain_http);
        let client = client.map_err(|error| error.to_string())?;
        *kept = Some((token, client.clone()));
        Ok(client)
    }
}

/// What a hook told, for the server.
enum Deed {
    Start(ChatStart),
    Turn {
        /// The client's id of the turn.
        turn: String,
        /// What the client reads for it, if it reads at each turn.
        read: Option<ChatStart>,
    },
    /// The start of a subagent, which is one turn.
    Subagent,
}

/// Sends what a hook told, and returns the chat that it concerns.
async fn recorded(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
    deed: &Deed,
) -> Result<ChatId, ClientError> {
    let call = &event.call;
    if matches!(deed, Deed::Start(_)) {
        // Somebody may have deleted the chat since.
        *chat = None;
    }
    let known = chat_of(client, event, chat).await?;
    let (chat, reference) = match (deed, &call.subagent) {
        (Deed::Start(start), _) => {
            client.chat_start(known, start).await?;
            return Ok(known);
        }
        (Deed::Turn { turn, read }, _) => {
            if let Some(read) = read {
                client.chat_start(known, read).await?;
            }
            (known, turn)
        }
        (Deed::Subagent, Some(subagent)) => {
            let child = ChatCreate {
                client: Some(event.client.to_string()),
                reference: Some(format!("{}/{subagent}", call.session)),
                parent_id: Some(known.uuid()),
                ..ChatCreate::default()
            };
            let child = client.chat_create(&child).await?.chat;
            (ChatId::from(child.id), subagent)
        }
        (Deed::Subagent, None) => return Ok(known),
    };
    let turn = TurnBegin {
        reference: Some(reference.clone()),
        delivery: None,
    };
    client.turn_begin(chat, &turn).await?;
    Ok(chat)
}

/// Finds or makes the chat of a session. One table for all clients: the client's own id of the session is the chat's
/// reference, and that of a subagent stands behind it.
async fn chat_of(
    client: &Client,
    event: &Event,
    chat: &mut Option<ChatId>,
) -> Result<ChatId, ClientError> {
    if let Some(known) = *chat {
        return Ok(known);
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
    Ok(*chat.insert(ChatId::from(opened.chat.id)))
}

/// Returns the message that a client reads its files at an event. Without a head, it may have read newer ones.
fn start_of(source: &str, head: Option<&Arc<LocalSnapshot>>) -> ChatStart {
    ChatStart {
        source: source.to_owned(),
        head: head.map(|head| head.id.to_string()),
    }
}

fn key(event: &Event) -> SessionKey {
    SessionKey {
        client: event.client,
        session: event.call.session.clone(),
    }
}

/// Reads a token that nobody else can have written.
fn hook_token(path: &Path) -> Result<Secret, String> {
    let failed = |reason: String| format!("the token of the hook in {} {reason}", path.display());
    if !path.is_absolute() {
        return Err(failed("is not named by an absolute path".into()));
    }
    match token::read(path) {
        Ok((token, _)) => Ok(Secret::new(token)),
        Err(error) => Err(failed(match error {
            TokenError::Unreadable(error) => format!("cannot be read: {error}"),
            TokenError::Exposed(exposure) => format!("is not trusted: {exposure}"),
            TokenError::NotText => "is not UTF-8".into(),
            TokenError::Empty => "is empty".into(),
        })),
    }
}
