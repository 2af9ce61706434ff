//! Following the sessions of clients whose hooks tell of them.
//!
//! A session gets a chat that is observed: the pin records what the client read at its start, or at each prompt if it
//! reads then, and each prompt is a turn. A hook waits for nothing but the scan at a start. What can wait is done behind
//! its back, in the order in which the hooks of a session came: also the reading of the client's record, which shows
//! what each turn gave the model.

mod asking;
mod behind;
mod compared;
mod deed;
mod drift;
mod evidence;
mod heads;
mod held;
mod home;
mod pins;
mod processes;
mod read;
mod read_behind;
mod reading_time;
mod record;
mod rows;
mod start;
mod state_files;
#[cfg(test)]
mod tests;
mod untold;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ctxpin_client::PlainHttp;
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::{HookCall, HookEvent, HookReply};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, watch};
use url::Url;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::line::{Line, Place};
use crate::session::{LocalSnapshot, Recent};
use crate::shared::lock;
use asking::{Asking, hook_token};
use deed::{Deed, chat_of, unseen};
use evidence::Evidence;
use held::{HELD_OF_ALL_BYTES_MAX, Held};
use processes::Processes;
use read::{KeptReads, Listing, Read, Subagent};
use read_behind::Ended;
use reading_time::Starting;

pub(crate) use home::other_home;
pub use start::{goes_on_there, has_followed, knows_session, note_missed_start};

/// The longest wait of a session's start for the scan. The client waits meanwhile.
const SCAN_TIME_MAX: Duration = Duration::from_millis(1500);

/// The longest wait for the scan of what is recorded behind the back of a hook, and of the session's later turns. Their
/// stamps depend on it.
const LATE_SCAN_TIME_MAX: Duration = Duration::from_secs(60);

/// The longest wait of a start for the scan and the server together. The hook then tells its person, and has 1.9 s.
const START_TIME_MAX: Duration = Duration::from_millis(1700);

/// The greatest number of sessions that are followed at once. The one that was silent for longest is forgotten, and
/// known again when its next hook comes.
const SESSIONS_MAX: usize = 256;

/// The greatest number of turns and readings that wait for the server.
const WAITING_MAX: usize = 256;

/// The longest wait of a prompt for the answer whether a change was declined. Only one with a change to tell waits.
const DECLINED_TIME_MAX: Duration = Duration::from_millis(300);

/// The longest wait at the end of the process for what goes on behind the back of hooks.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// The greatest length of a name that a client gives, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The greatest length of a path that a client gives, in bytes.
const PATH_BYTES_MAX: usize = 4096;

/// Follows the sessions of one server's clients on this machine.
pub(crate) struct Hooks {
    server: Url,
    plain_http: PlainHttp,
    /// The client of the last hook, whose connection is open and proven.
    asking: Mutex<Option<Asking>>,
    sessions: Arc<Mutex<HashMap<SessionKey, Known>>>,
    evidence: Arc<Evidence>,
    kept_reads: Arc<KeptReads>,
    processes: Arc<Mutex<Processes>>,
    /// Whether a person was told that the state directory cannot be written.
    is_unwritable_told: AtomicBool,
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
    line: Mutex<Line>,
    /// How many events it has had.
    events: AtomicU64,
    /// Why the server could not record an event of the session when it was asked last.
    trouble: Mutex<Option<String>>,
    /// The session's chat, once the server has told it.
    chat: tokio::sync::Mutex<Option<ChatId>>,
    /// What an earlier process kept of it counts until the session's first start here.
    read: OnceCell<Mutex<Read>>,
    /// Held while a record of the session is read.
    reading: tokio::sync::Mutex<()>,
    /// What a plugin has handed over, instead of a record.
    held: Mutex<Held>,
    /// The last event with which it did, without what it handed over.
    giving: Mutex<Option<Event>>,
    /// Whether the record was read since the last turn.
    is_read: AtomicBool,
    /// Whether the log says that the client writes no record of the session.
    is_recordless_told: AtomicBool,
    /// Whether the client may still have to read its files for the last start, and no turn came since.
    is_starting: AtomicBool,
    /// That start, once its scan has ended, until the first turn behind it is recorded.
    starting: Mutex<Option<Starting>>,
}

impl Session {
    /// Forgets a subagent whose record was read to its end. Returns whether it was known.
    fn lost(&self, subagent: &str) -> bool {
        let read = self.read.get();
        read.is_some_and(|read| lock(read).forget(subagent))
    }

    /// Notes what the client has read, which evidence has shown, if nobody knew it. Returns whether that is new.
    fn has_shown(&self, recent: &Recent, shown: SnapshotId) -> bool {
        let recent = recent.all();
        let shown = recent.iter().find(|recent| recent.id == shown);
        let (Some(read), Some(shown)) = (self.read.get(), shown) else {
            return false;
        };
        let mut read = lock(read);
        let is_new = read.snapshot.is_none();
        read.snapshot.get_or_insert_with(|| Listing::of(shown));
        is_new
    }

    /// Notes what the client has read at its last start, which `source` names. Returns whether that is new.
    fn has_read(&self, event: &Event, head: &Arc<LocalSnapshot>, source: &str) -> bool {
        let Some(read) = self.read.get() else {
            return false;
        };
        *lock(&self.starting) = Starting::of(event, Some(head));
        let mut read = lock(read);
        let is_new = read.snapshot.is_none();
        read.snapshot.get_or_insert_with(|| Listing::of(head));
        if is_new && source == ClientEvent::Compact.as_str() {
            read.compacted();
        }
        is_new
    }
}

/// A session with the place of an event in its line.
pub(crate) struct Arrived {
    session: Arc<Session>,
    /// The number of the event in its session, from 1.
    number: u64,
    place: Place,
}

impl Arrived {
    /// Returns whether the client may still have to read its files for the last start, and no turn came since.
    pub fn is_starting(&self) -> bool {
        self.session.is_starting.load(Ordering::Relaxed)
    }
}

/// What ends with the snapshot of a scan that began just now, once that is the head, or `None` if it cannot be.
pub(crate) type Fresh = Pin<Box<dyn Future<Output = Option<Arc<LocalSnapshot>>> + Send>>;

/// An event of a session, with what its agent has found.
#[derive(Clone)]
pub(crate) struct Event {
    pub call: HookCall,
    pub client: Profile,
    /// The agent of the session's directory and client.
    pub agent: Uuid,
    /// The newest snapshot of that agent.
    pub newest: watch::Receiver<Option<Arc<LocalSnapshot>>>,
    /// The snapshots before it.
    pub recent: Arc<Recent>,
    /// When the hook was called. The call may have waited since, because this process was stopped or the machine is busy.
    pub called_at: Instant,
    /// Whether the client's process has told of an event before.
    pub is_process_known: bool,
}

impl Event {
    /// Returns where the client's record is. The home is the one by whose rules the agent scans; without a scan, it is
    /// not known.
    fn record(&self) -> Option<record::Place> {
        let path = self.call.record.as_ref()?.into();
        let newest = self.newest.borrow();
        let settings = newest.as_ref()?.snapshot().facts.settings()?;
        Some(record::Place {
            home: settings.home().into(),
            path,
        })
    }
}

impl Hooks {
    /// Returns what follows sessions at this server, and keeps in the state directory what it must know later.
    pub fn new(server: Url, plain_http: PlainHttp, state_directory: &Path) -> Self {
        Self {
            server,
            plain_http,
            asking: Mutex::default(),
            sessions: Arc::default(),
            evidence: Arc::new(Evidence::of(state_directory)),
            kept_reads: Arc::new(KeptReads::of(state_directory)),
            processes: Arc::default(),
            is_unwritable_told: AtomicBool::default(),
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
            if !is_name(name) {
                return Err(format!(
                    "an id of the session is not one: it has 1 to {NAME_BYTES_MAX} bytes, and no slash or control \
                     character"
                ));
            }
        }
        let is_path = |path: &String| path.starts_with('/') && path.len() <= PATH_BYTES_MAX;
        if !call.record.as_ref().is_none_or(is_path) {
            return Err("the path of the session's record is not an absolute one".into());
        }
        match call.server.parse::<Url>() {
            Ok(server) if server == self.server => Ok(client),
            _ => Err(format!(
                "the agent here pushes to {}, and the hook is for {}: install it again with `ctxpin hook install {client}`",
                self.server, call.server
            )),
        }
    }

    /// Notes the process of a call. Returns whether it has told of an event before.
    pub fn is_process_known(&self, call: &HookCall) -> bool {
        let process = call.process.as_ref();
        process.is_some_and(|process| lock(&self.processes).seen(process))
    }

    /// Returns the event after which the process of a call reads anew with its next request.
    pub fn forgot(&self, call: &HookCall) -> Option<ClientEvent> {
        lock(&self.processes).forgot(call.process.as_ref()?)
    }

    /// Takes the place of an event in the line of its session. Events are recorded in the order in which they arrived.
    pub fn arrived(&self, call: &HookCall, client: Profile) -> Arrived {
        let session = self.session(key(call, client));
        let number = session.events.fetch_add(1, Ordering::Relaxed) + 1;
        let place = lock(&session.line).take();
        Arrived {
            session,
            number,
            place,
        }
    }

    /// Returns what to tell the person of a change, unless it was declined.
    async fn drift(
        &self,
        event: &Event,
        session: &Arc<Session>,
        newest: &LocalSnapshot,
    ) -> Option<String> {
        let read = self.known(event, session).await;
        let (message, is_told) = {
            let mut read = lock(read);
            let before = read.told.clone();
            let message = read.drift(newest, event.client);
            (message, read.told != before)
        };
        if is_told {
            keep_read(&self.kept_reads, name(event), session);
        }
        let message = message?;
        let is_declined = self.is_declined(event, session, newest);
        let is_declined = tokio::time::timeout(DECLINED_TIME_MAX, is_declined).await;
        let is_declined = is_declined.ok().flatten().unwrap_or(false);
        (!is_declined).then_some(message)
    }

    /// Asks whether the session's chat has declined a head. Returns `None` if nobody knows.
    async fn is_declined(
        &self,
        event: &Event,
        session: &Session,
        head: &LocalSnapshot,
    ) -> Option<bool> {
        let client = self.asking(&event.call).await.ok()?.client;
        let mut chat = session.chat.lock().await;
        let chat = chat_of(&client, event, &mut chat).await.ok()?;
        let context = client.context(chat).await.ok()?;
        let is_head = context.head?.snapshot == head.id.to_string();
        Some(is_head && context.pin.declined)
    }

    /// Returns the directory of the session of a call. It is that of the session's start, wherever the model has gone since.
    pub async fn directory(&self, call: &HookCall, client: Profile, arrived: &Arrived) -> PathBuf {
        let is_start = call.event == HookEvent::SessionStart;
        let known = self.known_of(call, client, &arrived.session).await;
        let began = lock(known).directory.clone();
        let began = began.filter(|_| !is_start || goes_on_there(call.source.as_deref()));
        began.unwrap_or_else(|| PathBuf::from(&call.directory))
    }

    /// Notes the directory in which a session is followed.
    pub async fn follows(
        &self,
        call: &HookCall,
        client: Profile,
        arrived: &Arrived,
        directory: PathBuf,
    ) {
        let known = self.known_of(call, client, &arrived.session).await;
        if lock(known).directory.replace(directory.clone()) != Some(directory) {
            let name = name_of(client, &call.session);
            keep_read(&self.kept_reads, name, &arrived.session);
        }
    }

    /// Returns what is known of what a session has read. What an earlier process kept counts.
    async fn known<'s>(&self, event: &Event, session: &'s Session) -> &'s Mutex<Read> {
        self.known_of(&event.call, event.client, session).await
    }

    async fn known_of<'s>(
        &self,
        call: &HookCall,
        client: Profile,
        session: &'s Session,
    ) -> &'s Mutex<Read> {
        let kept = session.read.get_or_init(|| async {
            let kept = Arc::clone(&self.kept_reads);
            let name = name_of(client, &call.session);
            Mutex::new(blocking(move || kept.read(&name)).await)
        });
        kept.await
    }

    /// Returns whether the session had a start of which its hook could tell nobody. What it had read before is forgotten.
    async fn has_read_unseen(&self, event: &Event, session: &Session) -> bool {
        let known = self.known(event, session).await;
        let (kept, name) = (Arc::clone(&self.kept_reads), name(event));
        let has_missed = blocking(move || kept.take_missed(&name)).await;
        if has_missed {
            let mut known = lock(known);
            (known.snapshot, known.told) = (None, None);
        }
        has_missed
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
        arrived: Arrived,
        fresh: Option<Fresh>,
    ) -> Result<HookReply, String> {
        let session = Arc::clone(&arrived.session);
        let newest = event.newest.borrow().clone();
        let has_read_unseen = self.has_read_unseen(&event, &session).await;
        let at = match is_read_at_turns(event.client) {
            true => Some(ClientEvent::Turn),
            false => self.forgot(&event.call),
        };
        if let Some(newest) = &newest {
            self.evidence.note_head(event.agent, newest);
        }
        let message = match newest {
            // It reads the newest with this prompt.
            Some(_) if at.is_some_and(|at| at != ClientEvent::Turn) => None,
            // Nobody knows what it has read, before the evidence says so.
            Some(newest) if is_edited_behind(&session, &newest).await => None,
            Some(newest) => self.drift(&event, &session, &newest).await,
            None => None,
        };
        if let Some(turn) = event.call.turn.clone() {
            let known = self.known(&event, &session).await;
            lock(known).turn = Some(turn.clone());
            let named = event.call.record.as_deref();
            let review =
                named.and_then(|named| Subagent::review(event.client, &event.call.session, named));
            let is_review = review.is_some();
            if let Some(review) = review {
                lock(known).began(review);
                keep_read(&self.kept_reads, name(&event), &session);
            }
            let read = has_read_unseen.then(unseen);
            session.is_starting.store(false, Ordering::Relaxed);
            let deed = Deed::Turn { turn, at, read };
            self.behind(event.clone(), arrived, deed, fresh).await?;
            let is_read = session.is_read.swap(false, Ordering::Relaxed);
            let known = self.known(&event, &session).await;
            let has_subagents = !lock(known).subagents.is_empty();
            // A turn or a subagent that somebody broke off has no end. A review has its record read at the next event, which
            // names that of the session again.
            if !is_review && (!is_read || has_subagents) {
                self.read_behind(event, session).await?;
            }
        }
        Ok(HookReply {
            chat: None,
            message,
        })
    }

    /// Records the start of a subagent: a chat below that of its session, with one turn. With `fresh`, the pin moves first
    /// to what the subagent reads.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token cannot be read, or too many turns wait for the server.
    pub async fn subagent(
        &self,
        event: Event,
        arrived: Arrived,
        fresh: Option<Fresh>,
    ) -> Result<HookReply, String> {
        let call = &event.call;
        if let (Some(id), Some(named)) = (&call.subagent, &call.record)
            && let Some(subagent) = Subagent::of(event.client, id, named)
        {
            let known = self.known(&event, &arrived.session).await;
            lock(known).began(subagent);
            keep_read(&self.kept_reads, name(&event), &arrived.session);
        }
        let deed = Deed::Subagent { read: None };
        self.behind(event, arrived, deed, fresh).await?;
        Ok(HookReply::default())
    }

    /// Hands in evidence of what the session's record, or that of its subagent, has since the last time.
    ///
    /// # Errors
    ///
    /// Returns a message for people if the token cannot be read, or too many turns wait for the server.
    pub async fn stop(&self, event: Event, arrived: Arrived) -> Result<HookReply, String> {
        let session = Arc::clone(&arrived.session);
        let number = arrived.number;
        drop(arrived);
        let untold = self.untold(&event, &session).await;
        if event.call.event == HookEvent::Stop {
            remembers(&self.processes, &event, None);
        }
        let ended = Ended { number, untold };
        self.read_ended(event, session, ended).await?;
        Ok(HookReply::default())
    }

    /// Takes what a plugin hands over of a request. It is compared when the turn ends.
    ///
    /// # Errors
    ///
    /// Returns a message for people if it cannot be held.
    pub async fn given(&self, mut event: Event, arrived: Arrived) -> Result<HookReply, String> {
        let session = Arc::clone(&arrived.session);
        let number = arrived.number;
        drop(arrived);
        let given = event.call.given.take().unwrap_or_default();
        *lock(&session.giving) = Some(event.clone());
        let room = self.room_left();
        let added = lock(&session.held).add(&given, room);
        match added {
            Ok(true) => self.read_behind(event, session).await?,
            // What was handed over before one that is refused waits for this event too.
            Ok(false) | Err(_) => self.read_without_end(event, session, number).await?,
        }
        added.map(|_| HookReply::default())
    }

    /// Returns how many bytes may be held besides what is held of all sessions.
    fn room_left(&self) -> usize {
        let sessions = lock(&self.sessions);
        let held = sessions
            .values()
            .map(|known| lock(&known.session.held).bytes());
        HELD_OF_ALL_BYTES_MAX.saturating_sub(held.sum())
    }

    /// Hands in what is held of sessions, and waits shortly for everything that goes on behind the back of hooks. Says in
    /// the log what is lost. No hook may be called any more.
    pub async fn end(&self) {
        let sessions: Vec<_> = {
            let sessions = lock(&self.sessions);
            let sessions = sessions.values().map(|known| Arc::clone(&known.session));
            sessions.collect()
        };
        for session in &sessions {
            let giving = lock(&session.giving).clone();
            let giving = giving.filter(|_| lock(&session.held).requests() > 0);
            if let Some(event) = giving {
                // What cannot be handed in is counted below.
                let _ = self.read_behind(event, Arc::clone(session)).await;
            }
        }
        let all = self.room.acquire_many(WAITING_MAX as u32);
        let is_done = tokio::time::timeout(END_TIME_MAX, all).await.is_ok();
        let requests: usize = sessions
            .iter()
            .map(|session| lock(&session.held).requests())
            .sum();
        if requests > 0 {
            tracing::warn!(
                requests,
                "what opencode's requests had is lost with this process, because it could not be handed in"
            );
        }
        if !is_done {
            let events = WAITING_MAX - self.room.available_permits();
            tracing::warn!(events, "events of sessions are lost with this process");
        }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, String> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        permit.map_err(|_| format!("{WAITING_MAX} events wait for the server already"))
    }

    /// Returns what is known of a session.
    fn session(&self, key: SessionKey) -> Arc<Session> {
        let mut sessions = lock(&self.sessions);
        let now = Instant::now();
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&key) {
            let silent = sessions.iter().min_by_key(|(_, known)| known.seen_at);
            let silent = silent.map(|(key, _)| key.clone());
            silent.and_then(|silent| sessions.remove(&silent));
        }
        let known = sessions.entry(key).or_insert_with(|| Known {
            seen_at: now,
            session: Arc::default(),
        });
        known.seen_at = now;
        Arc::clone(&known.session)
    }

    /// Returns a client with the token of the hook.
    async fn asking(&self, call: &HookCall) -> Result<Asking, String> {
        let path = call.token_file.clone();
        let token = blocking(move || hook_token(Path::new(&path))).await?;
        let mut kept = lock(&self.asking);
        if let Some(asking) = &*kept
            && asking.token == token
        {
            return Ok(asking.clone());
        }
        let asking = Asking::with(token, &self.server, self.plain_http);
        let asking = asking.map_err(|error| error.to_string())?;
        *kept = Some(asking.clone());
        Ok(asking)
    }
}

/// Returns whether files were edited behind the start of a session while its client may have read them, and no turn was
/// recorded since.
async fn is_edited_behind(session: &Session, newest: &Arc<LocalSnapshot>) -> bool {
    let Some(starting) = lock(&session.starting).clone() else {
        return false;
    };
    let newest = Arc::clone(newest);
    blocking(move || starting.is_edited_behind(&newest)).await
}

/// Notes that the process of an event has made requests, and so has read anew what it forgot.
fn remembers(processes: &Mutex<Processes>, event: &Event, read: Option<&Listing>) {
    let Some(process) = &event.call.process else {
        return;
    };
    let mut processes = lock(processes);
    processes.remembers(process);
    if let Some(read) = read {
        processes.has_read(process, read);
    }
}

/// Keeps what a session has read for a later process, behind the back of the hook.
fn keep_read(kept: &Arc<KeptReads>, name: String, session: &Arc<Session>) {
    let (kept, session) = (Arc::clone(kept), Arc::clone(session));
    tokio::task::spawn_blocking(move || {
        let read = || session.read.get().map(|read| lock(read).clone());
        if let Err(error) = kept.keep(&name, || read().unwrap_or_default()) {
            tracing::warn!(%error, "what a session has read cannot be kept");
        }
    });
}

/// Returns whether a client reads its files at each turn.
pub(crate) fn is_read_at_turns(client: Profile) -> bool {
    ClientEvent::Turn.is_read_by(Some(client.as_str()))
}

/// Returns the name under which what a session has read is kept.
fn name(event: &Event) -> String {
    name_of(event.client, &event.call.session)
}

fn name_of(client: Profile, session: &str) -> String {
    format!("{client}\n{session}")
}

/// Returns whether a client may call a session, a turn or a subagent so.
fn is_name(name: &str) -> bool {
    let is_line = !name.is_empty() && !name.contains(char::is_control);
    // The reference of a subagent's chat has one between its two names.
    is_line && name.len() <= NAME_BYTES_MAX && !name.contains('/')
}

fn key(call: &HookCall, client: Profile) -> SessionKey {
    SessionKey {
        client,
        session: call.session.clone(),
    }
}
