//! Handing in evidence: what the records of clients show of the turns of a chat.
//!
//! A record is read where an earlier reading ended. What was read counts only when the server has the rows, so a row that
//! could not be handed in is made again at the next event of its session.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ctxpin_client::error::ClientError;
use ctxpin_evidence::reading::{Reading, State};
use ctxpin_model::evidence::Source;
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::{BlobHash, SnapshotId};
use ctxpin_model::id::ChatId;
use ctxpin_model::mode::Mode;
use ctxpin_model::profile::Profile;
use ctxpin_private_files::file;
use ctxpin_private_files::remedy::with_remedy;
use ctxpin_protocol::convert::evidence::row_shape;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatQuery};
use ctxpin_protocol::problem::ProblemName;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::asking::Asking;
use super::compared::{Compared, KnownHeads, Stamps, compared, stamps};
use super::deed::{RETRY_PAUSE, RETRY_TIME_MAX, reference_of};
use super::heads::Heads;
use super::held::HandedOver;
use super::pins::Pins;
use super::read::{Reread, Subagent};
use super::record::{self, BLOCK_BYTES, Origin, PORTION_BYTES, Record, Taken, Unreadable};
use super::rows::{RequestIds, Rows, Said};
use super::state_files::StateFiles;
use crate::blocking::blocking;
use crate::handed_in;
use crate::session::{LocalSnapshot, Recent};
use crate::shared::lock;

/// How many records are read at once. A reading can take a core.
const READINGS_MAX: usize = 2;

/// How often a record is read anew at once because the chat's pin has moved meanwhile.
const OVERTAKEN_MAX: u32 = 3;

/// What is kept of readings: the sessions of some weeks.
const FILES: StateFiles = StateFiles {
    count_max: 256,
    bytes_max: 256 * 1024 * 1024,
};

/// The greatest size of what is kept of one reading, in bytes. The record of a longer session is read from its
/// beginning each time.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Hands in what records show.
#[derive(Debug)]
pub(super) struct Evidence {
    state_directory: PathBuf,
    pins: Arc<Pins>,
    heads: Mutex<Heads>,
    readings: Semaphore,
}

/// Which record is read, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub client: Profile,
    /// The client's id of the session.
    pub session: String,
    /// The client's id of the subagent whose record it is.
    pub subagent: Option<String>,
    /// The client's id of the review of the session whose record it is. Its turn is one of the session.
    pub review: Option<String>,
    /// The client's id of the turn that has ended, if nobody told of its prompt.
    pub untold: Option<String>,
    /// Where the record is. `None` if a plugin hands over what the requests have.
    pub record: Option<record::Place>,
    /// Whether the session starts. Its client may have read a record that somebody has rewritten.
    pub is_started: bool,
    /// Whether the client says that the turn has ended.
    pub is_ended: bool,
    /// What the client read within turns.
    pub rereads: Vec<Reread>,
}

/// Why evidence could not be handed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandInError {
    #[error(transparent)]
    Server(#[from] ClientError),
    #[error("the record of the session in {} is not read: {reason}", path.display())]
    Record { path: PathBuf, reason: String },
    /// The turn has another stamp than a moment ago.
    #[error("the pin of the session's chat keeps moving")]
    Overtaken,
    /// The server does not know a head that evidence shows. It was never pushed, because a newer one came before.
    #[error("the session read {0}, which was never pushed")]
    NoHead(SnapshotId),
}

impl HandInError {
    /// Returns whether it may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Server(error) => error.is_transient(),
            Self::Record { .. } | Self::Overtaken | Self::NoHead(_) => false,
        }
    }
}

/// What is kept of a reading. No text of the record is in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct HandedIn {
    /// The number of the last request of which the server has a row, or which needs none.
    requests: u64,
    /// Which requests these are.
    ids: RequestIds,
    /// Where the reading ended, and the hashes of the blocks before.
    end: u64,
    blocks: Vec<String>,
    /// `None` if it is too large, or if requests at its end must be read again.
    reading: Option<State>,
    /// Whether the last requests are of no turn that the server knows. Such a turn may be recorded soon.
    #[serde(skip)]
    is_open: bool,
}

/// What is known of the heads of a session's agent.
#[derive(Clone, Copy)]
pub(super) struct Timeline<'t> {
    pub agent: Uuid,
    pub newest: &'t watch::Receiver<Option<Arc<LocalSnapshot>>>,
    /// Those of the last minutes.
    pub recent: &'t Recent,
}

/// The result of handing in evidence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub taken: Taken,
    /// What the client has read, if nobody knew it and the evidence shows it.
    pub shown: Option<SnapshotId>,
    /// Whether there are requests of the turn that nobody told of.
    pub is_untold: bool,
}

/// What one portion of a record says.
struct Portion {
    rows: Vec<Said>,
    handed_in: HandedIn,
    is_last: bool,
    is_untold: bool,
    /// How many requests of the chat's turns were not compared, because nobody knows what their client has read.
    uncompared: u64,
}

impl Evidence {
    /// Returns what hands in evidence and keeps its place in a state directory.
    pub fn of(state_directory: &Path) -> Self {
        Self {
            state_directory: state_directory.to_owned(),
            pins: Arc::new(Pins::of(state_directory)),
            heads: Mutex::default(),
            readings: Semaphore::new(READINGS_MAX),
        }
    }

    /// Keeps the head of an agent, to compare evidence with it.
    pub fn note_head(&self, agent: Uuid, head: &LocalSnapshot) {
        lock(&self.heads).note(agent, head);
    }

    /// Keeps snapshots that a client may have read. Returns what to tell people if that fails.
    pub async fn keep_pins(&self, snapshots: [Option<Arc<LocalSnapshot>>; 2]) -> Option<String> {
        let pins = Arc::clone(&self.pins);
        let kept = blocking(move || {
            let mut snapshots = snapshots.iter().flatten();
            snapshots.try_for_each(|snapshot| pins.keep(snapshot))
        });
        let error = kept.await.err()?;
        tracing::warn!(%error, "pins cannot be kept, so evidence is not compared with them");
        Some(format!(
            "ctxpin: {} cannot be written ({}); sessions are recorded, but their evidence may be lost",
            self.state_directory.display(),
            with_remedy(&error)
        ))
    }

    /// Hands in what a record or a plugin says, and again while the server cannot be reached.
    pub async fn hand_in_insistently(
        &self,
        asking: &Asking,
        subject: &Subject,
        handed_over: HandedOver<'_>,
        timeline: Timeline<'_>,
    ) -> Outcome {
        let until = Instant::now() + RETRY_TIME_MAX;
        let mut judging = Judging {
            timeline,
            never_pushed: Vec::new(),
            shown: None,
            is_untold: false,
        };
        let mut overtaken = 0;
        loop {
            let handed_in = match &subject.record {
                Some(record) => self.hand_in(asking, subject, record, &mut judging).await,
                None => {
                    let handed_in = self
                        .hand_in_held(asking, subject, handed_over, &mut judging)
                        .await;
                    handed_in.map(|()| Taken::Now)
                }
            };
            let taken = match handed_in {
                Err(HandInError::Overtaken) if overtaken < OVERTAKEN_MAX => {
                    overtaken += 1;
                    continue;
                }
                Err(HandInError::NoHead(head)) if !judging.never_pushed.contains(&head) => {
                    judging.never_pushed.push(head);
                    continue;
                }
                Err(error) if error.is_transient() && Instant::now() < until => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "evidence could not be handed in");
                    Taken::Not
                }
                Ok(taken) => taken,
            };
            return Outcome {
                taken,
                shown: judging.shown,
                is_untold: judging.is_untold,
            };
        }
    }

    /// Hands in what a record says that the server does not have yet. If the record is as an earlier reading left it,
    /// nothing is asked. The chat of a fork gets its parent.
    async fn hand_in(
        &self,
        asking: &Asking,
        subject: &Subject,
        place: &record::Place,
        judging: &mut Judging<'_>,
    ) -> Result<Taken, HandInError> {
        let reading = self.readings.acquire().await;
        let subject = Arc::new(subject.clone());
        let place = Arc::new(place.clone());
        let Some(record) = blocking({
            let (subject, place) = (Arc::clone(&subject), Arc::clone(&place));
            move || subject.open(&place)
        })
        .await?
        else {
            return Ok(Taken::Not);
        };
        let record = Arc::new(record);
        let path = self.path(&subject);
        let begun = blocking({
            let subject = Arc::clone(&subject);
            let (record, path) = (Arc::clone(&record), path.clone());
            move || begun(&subject, &record, &path)
        });
        let begun = begun.await.map_err(|error| unread(&place, &error))?;
        let Some((kept, origin)) = begun else {
            return Ok(Taken::Before);
        };
        let Some(chat) = subject.chat(asking).await? else {
            return Ok(Taken::Now);
        };
        if subject.part().is_none() {
            subject.tell_parent(asking, &chat, &origin).await?;
        }
        let parents = subject.parents(asking, origin.sessions).await?;
        let against = self.compared(asking, (&chat, &parents), judging).await?;
        let (key, mut stamps, mut compared) = against;
        let mut before = kept;
        loop {
            let portion = blocking({
                let (subject, record) = (Arc::clone(&subject), Arc::clone(&record));
                let place = Arc::clone(&place);
                let (compared, stamps) = (Arc::clone(&compared), Arc::clone(&stamps));
                move || read(&subject, &place, &record, before, &compared, &stamps)
            });
            let portion = portion.await.map_err(|error| unread(&place, &error))?;
            let shown = self
                .send(asking, (&chat, subject.client), key, &portion.rows)
                .await?;
            judging.shown = shown.or(judging.shown);
            judging.is_untold |= portion.is_untold;
            say_uncompared(portion.uncompared);
            let (path, progress) = (path.clone(), portion.handed_in.clone());
            let kept = blocking(move || keep(&path, progress)).await;
            if let Err(error) = kept {
                tracing::warn!(%error, "the place in a record cannot be kept");
            }
            if portion.is_last {
                break;
            }
            before = Some(portion.handed_in);
            if shown.is_some() {
                // The turns have another stamp now.
                let against = self.compared(asking, (&chat, &parents), judging).await?;
                (_, stamps, compared) = against;
            }
        }
        drop(reading);
        Ok(Taken::Now)
    }

    /// Hands in what the requests have that a plugin has handed over.
    async fn hand_in_held(
        &self,
        asking: &Asking,
        subject: &Subject,
        HandedOver { held, until }: HandedOver<'_>,
        judging: &mut Judging<'_>,
    ) -> Result<(), HandInError> {
        let reading = self.readings.acquire().await;
        let (record, count) = lock(held).record(until);
        let Some(source) = subject.source().filter(|_| count > 0) else {
            return Ok(());
        };
        if let Some(chat) = subject.chat(asking).await? {
            let (key, stamps, compared) = self.compared(asking, (&chat, &[]), judging).await?;
            let untold = subject.untold.clone();
            let made = blocking(move || {
                let mut rows = Rows::new(None, source, &compared, &stamps);
                rows.untold = untold.as_deref();
                let mut reading = Reading::new(&compared.known, source);
                // A record in memory can be read.
                let _ = reading.read(&mut &record[..], &mut |request| rows.add(request));
                (rows.is_untold, rows.made())
            });
            let (is_untold, (rows, uncompared)) = made.await;
            if is_untold && !judging.is_untold {
                // It is handed in once the turn is recorded.
                judging.is_untold = true;
                return Ok(());
            }
            let shown = self
                .send(asking, (&chat, subject.client), key, &rows)
                .await?;
            judging.shown = shown.or(judging.shown);
            say_uncompared(uncompared);
        }
        lock(held).forget(count);
        drop(reading);
        Ok(())
    }

    /// Hands in the rows of turns of a client's chat, and notes when. Returns what a row has shown in place of an
    /// unconfirmed pin.
    async fn send(
        &self,
        asking: &Asking,
        (chat, client): (&Chat, Profile),
        key: &EvidenceKey,
        rows: &[Said],
    ) -> Result<Option<SnapshotId>, HandInError> {
        let (mut is_taken, mut shown) = (false, None);
        for Said { turn, row, shows } in rows {
            if let Some(head) = shows {
                self.keep_head(*head).await;
            }
            let shape = row_shape(key.name(), row, *shows);
            let added = asking
                .client
                .evidence_add(ChatId::from(chat.id), *turn, &shape);
            match (added.await, shows) {
                (Ok(_), _) => (is_taken, shown) = (true, shows.or(shown)),
                (Err(error), Some(head)) if is(&error, ProblemName::InvalidRequest) => {
                    return Err(HandInError::NoHead(*head));
                }
                (Err(error), Some(_)) if is(&error, ProblemName::PreconditionFailed) => {
                    return Err(HandInError::Overtaken);
                }
                (Err(error), _) if error.is_transient() => return Err(error.into()),
                // A process that ended before it kept its place has handed in these requests. Their row was made with the
                // heads of then, and is as good.
                (Err(error), _) if is(&error, ProblemName::Conflict) => {
                    tracing::info!(
                        turn,
                        "the server has a row about these requests, and it stays"
                    );
                }
                // One too many, say: what the server has stays.
                (Err(error), _) => {
                    tracing::warn!(%error, turn, "a row of evidence was refused");
                }
            }
        }
        let directory = self.state_directory.clone();
        let noted = blocking(move || match is_taken {
            true => handed_in::note(&directory, client),
            false => Ok(()),
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "when evidence was handed in cannot be noted");
        }
        Ok(shown)
    }

    /// Keeps a head that evidence shows, with which the session's later turns are compared too. Any other snapshot that it
    /// can show is kept already.
    async fn keep_head(&self, head: SnapshotId) {
        let Some(pin) = lock(&self.heads).pin(head) else {
            return;
        };
        let pins = Arc::clone(&self.pins);
        let kept = blocking(move || pins.keep_pin(head, || pin));
        if let Err(error) = kept.await {
            tracing::warn!(%error, "what a session has read cannot be kept, so later evidence is not compared with it");
        }
    }

    /// Returns what the turns of a chat are compared with.
    async fn compared<'a>(
        &self,
        asking: &'a Asking,
        (chat, parents): (&Chat, &[ChatId]),
        judging: &Judging<'_>,
    ) -> Result<(&'a EvidenceKey, Arc<Stamps>, Arc<Compared>), HandInError> {
        let stamps = Arc::new(stamps(asking, chat, parents).await?);
        let key = asking.evidence_key().await?;
        let heads = self.heads(judging, stamps.has_open());
        let compared = blocking({
            let (pins, stamps, key) = (Arc::clone(&self.pins), Arc::clone(&stamps), key.clone());
            move || Arc::new(compared(&pins, &stamps, key, heads))
        });
        Ok((key, stamps, compared.await))
    }

    /// Returns the heads of an agent that are kept. If evidence may show the pin of a turn, those of the last minutes are
    /// kept too.
    fn heads(&self, judging: &Judging<'_>, has_open: bool) -> KnownHeads {
        let Timeline {
            agent,
            newest,
            recent,
        } = judging.timeline;
        let are_recent_all = !recent.has_forgotten();
        let recent = match has_open {
            true => recent.all(),
            false => Vec::new(),
        };
        let newest = newest.borrow().clone();
        let mut heads = lock(&self.heads);
        for head in recent.iter().chain(&newest) {
            heads.note(agent, head);
        }
        let are_known = judging.never_pushed.is_empty();
        let are_all = are_recent_all && are_known && !heads.has_forgotten(agent);
        let heads = heads.of(agent);
        let is_recent = |head: &SnapshotId| recent.iter().any(|recent| recent.id == *head);
        let earlier = heads.iter().map(|head| head.id);
        let earlier = earlier.filter(|head| !is_recent(head));
        let timeline = earlier.chain(recent.iter().map(|head| head.id));
        let timeline = timeline.filter(|head| !judging.never_pushed.contains(head));
        let timeline = timeline.collect();
        KnownHeads {
            heads,
            timeline,
            are_all,
        }
    }

    fn path(&self, subject: &Subject) -> PathBuf {
        let part = subject.part().unwrap_or_default();
        let name = [subject.client.as_str(), &subject.session, part].join("\n");
        let name = BlobHash::of(name.as_bytes()).hex();
        let readings = self.state_directory.join("readings");
        readings.join(format!("{name}.json"))
    }
}

impl Subject {
    /// Returns the subject of a subagent of the session, which may have ended.
    pub fn of_subagent(&self, subagent: Subagent) -> Self {
        let home = self.record.as_ref().map(|record| record.home.clone());
        Self {
            record: home.map(|home| record::Place {
                home,
                path: subagent.record,
            }),
            untold: None,
            subagent: (!subagent.is_review).then(|| subagent.id.clone()),
            review: subagent.is_review.then_some(subagent.id),
            is_ended: true,
            rereads: Vec::new(),
            ..self.clone()
        }
    }

    fn source(&self) -> Option<Source> {
        match self.client {
            Profile::ClaudeCode => Some(Source::Transcript),
            Profile::Codex => Some(Source::Rollout),
            Profile::Opencode => Some(Source::Plugin),
            Profile::Neutral => None,
        }
    }

    /// Returns the client's id of the subagent or of the review whose record it is, if it is not that of the session.
    pub fn part(&self) -> Option<&str> {
        self.subagent.as_deref().or(self.review.as_deref())
    }

    /// Returns the id that the record has.
    fn thread(&self) -> &str {
        self.part().unwrap_or(&self.session)
    }

    /// Opens the record. Returns `None` if there is none.
    fn open(&self, place: &record::Place) -> Result<Option<Record>, HandInError> {
        match Record::open(place, self.thread()) {
            Ok(record) => Ok(Some(record)),
            Err(Unreadable::Missing) => Ok(None),
            Err(reason) => Err(unread(place, &reason)),
        }
    }

    /// Finds the chat. A session that has none is not followed.
    async fn chat(&self, asking: &Asking) -> Result<Option<Chat>, ClientError> {
        let reference = reference_of(&self.session, self.subagent.as_deref());
        self.chat_named(asking, reference).await
    }

    /// Finds the chats of other sessions of the client, as far as they are followed.
    async fn parents(
        &self,
        asking: &Asking,
        sessions: Vec<String>,
    ) -> Result<Vec<ChatId>, ClientError> {
        let mut chats = Vec::new();
        for session in sessions {
            let chat = self.chat_named(asking, session).await?;
            chats.extend(chat.map(|chat| ChatId::from(chat.id)));
        }
        Ok(chats)
    }

    async fn chat_named(
        &self,
        asking: &Asking,
        reference: String,
    ) -> Result<Option<Chat>, ClientError> {
        let query = ChatQuery {
            client: Some(self.client.to_string()),
            reference: Some(reference),
            limit: Some(1),
            ..ChatQuery::default()
        };
        let found = asking.client.chats(&query).await?;
        Ok(found.items.into_iter().next())
    }

    /// Tells the chat of a fork its parent, once. A parent that is not followed, or whose chat is younger, is none.
    async fn tell_parent(
        &self,
        asking: &Asking,
        chat: &Chat,
        origin: &Origin,
    ) -> Result<(), ClientError> {
        let Some(forked_from) = &origin.forked_from else {
            return Ok(());
        };
        if chat.parent_id.is_some() || chat.mode != Mode::Observed.as_str() {
            return Ok(());
        }
        let parent = self.chat_named(asking, forked_from.clone()).await?;
        let Some(parent) = parent.filter(|parent| parent.id < chat.id) else {
            return Ok(());
        };
        let change = ChatChange {
            parent_id: Some(parent.id),
            ..ChatChange::default()
        };
        match asking
            .client
            .chat_change(ChatId::from(chat.id), &change)
            .await
        {
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "the parent of a fork cannot be told");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}

fn unread(place: &record::Place, reason: &impl ToString) -> HandInError {
    HandInError::Record {
        path: place.path.clone(),
        reason: reason.to_string(),
    }
}

/// Says how many requests of a chat's turns were not compared.
fn say_uncompared(requests: u64) {
    if requests > 0 {
        tracing::info!(
            requests,
            "requests are not compared: what their client has read is not known here"
        );
    }
}

fn is(error: &ClientError, name: ProblemName) -> bool {
    error.problem_name() == Some(name)
}

/// Returns where an earlier reading of a record ended, and of which sessions the record has messages. If somebody has
/// rewritten it since, the reading begins anew. Returns `None` if the record is as that reading left it, or if it was taken
/// for that of a review and is none.
fn begun(
    subject: &Subject,
    record: &Record,
    path: &Path,
) -> std::io::Result<Option<(Option<HandedIn>, Origin)>> {
    if subject.review.is_some() && !record.is_review_of(&subject.session)? {
        return Ok(None);
    }
    let bytes = record.bytes()?;
    let kept = match kept(path) {
        Some(kept) if is_at(record, &kept, subject.is_started)? => {
            let state = kept.reading.as_ref();
            let is_read = state.is_some_and(|state| {
                let is_told = !(subject.is_ended && state.is_waiting());
                state.position() == bytes && is_told
            });
            if is_read {
                return Ok(None);
            }
            Some(kept)
        }
        Some(HandedIn { ids, .. }) => Some(HandedIn {
            ids,
            ..HandedIn::default()
        }),
        None => None,
    };
    Ok(Some((kept, record.origin(&subject.session)?)))
}

/// Reads a portion of a record, and makes the rows that it gives.
fn read(
    subject: &Subject,
    place: &record::Place,
    record: &Record,
    kept: Option<HandedIn>,
    compared: &Compared,
    stamps: &Stamps,
) -> Result<Portion, String> {
    let failed = |error: std::io::Error| error.to_string();
    let source = subject.source().ok_or("the client writes no record")?;
    let known = &compared.known;
    let HandedIn {
        requests: handed_in,
        ids,
        mut blocks,
        reading: state,
        is_open,
        ..
    } = kept.unwrap_or_default();
    let resumed = state.and_then(|state| Reading::resume(known, state).ok());
    let mut reading = match resumed {
        Some(reading) => reading,
        None => {
            let mut reading = Reading::new(known, source);
            record.read_parents(place, &mut reading).map_err(failed)?;
            reading
        }
    };
    let mut rows = Rows::new(subject.subagent.as_deref(), source, compared, stamps);
    rows.rereads = &subject.rereads;
    rows.untold = subject.untold.as_deref();
    rows.handed_in = handed_in;
    rows.ids = ids;
    rows.last = handed_in;
    rows.is_open = is_open;
    let (from, position) = (reading.state().offset(), reading.state().position());
    // What was read behind the offset is read again, to go on with the message that it belongs to.
    let bytes = position - from + PORTION_BYTES;
    // The client may go on writing.
    let until = record.bytes().map_err(failed)?;
    let mut portion = record.portion(from, until, bytes).map_err(failed)?;
    let read = reading.read(&mut portion, &mut |request| rows.add(request));
    read.map_err(failed)?;
    drop(portion);
    let state = reading.state();
    let named = state.session();
    if named.is_some_and(|named| named != subject.thread() && subject.subagent.is_none()) {
        return Err("it names another session".into());
    }
    let is_last = state.position() == position || until <= state.position();
    if is_last && subject.is_ended {
        reading.end_turn(&mut |request| rows.add(request));
    }
    let state = reading.state().clone();
    let end = state.offset();
    // The last block need not be whole, and a reading that begins anew may end before.
    blocks.pop();
    blocks.truncate(usize::try_from(end / BLOCK_BYTES).unwrap_or(usize::MAX));
    let more = record.blocks(blocks.len(), end).map_err(failed)?;
    blocks.extend(more.iter().flatten().map(BlobHash::hex));
    let (requests, is_open, ids) = (rows.last, rows.is_open, rows.ids.clone());
    let is_untold = rows.is_untold;
    let (rows, uncompared) = rows.made();
    Ok(Portion {
        handed_in: HandedIn {
            requests,
            ids,
            end,
            blocks,
            reading: Some(state),
            is_open,
        },
        is_last,
        is_untold,
        uncompared,
        rows,
    })
}

/// What evidence is judged by, and what it has shown.
struct Judging<'t> {
    timeline: Timeline<'t>,
    /// What evidence has shown and the server does not know.
    never_pushed: Vec<SnapshotId>,
    shown: Option<SnapshotId>,
    is_untold: bool,
}

/// Returns what is kept of the reading of a record. What another release or somebody else has written counts as nothing.
fn kept(path: &Path) -> Option<HandedIn> {
    let (json, _) = file::read(path, FILE_BYTES_MAX).ok()?;
    serde_json::from_slice(&json).ok()
}

/// Returns whether a record goes on where the reading of it ended, by the last block before, or by all if `is_whole`.
fn is_at(record: &Record, kept: &HandedIn, is_whole: bool) -> std::io::Result<bool> {
    let from = match is_whole {
        true => 0,
        false => kept.blocks.len().saturating_sub(1),
    };
    let blocks = record.blocks(from, kept.end)?;
    let blocks = blocks.map(|blocks| blocks.iter().map(BlobHash::hex).collect::<Vec<_>>());
    Ok(blocks.is_some_and(|blocks| blocks == kept.blocks[from..]))
}

fn keep(path: &Path, handed_in: HandedIn) -> std::io::Result<()> {
    let json = serde_json::to_vec(&handed_in)?;
    let json = match json.len() as u64 > FILE_BYTES_MAX || handed_in.is_open {
        false => json,
        true => serde_json::to_vec(&HandedIn {
            reading: None,
            ..handed_in
        })?,
    };
    FILES.write(path, &json)
}
