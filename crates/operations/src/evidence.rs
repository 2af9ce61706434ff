//! Evidence: what clients' records show of the requests of turns, and the keys under which texts of nobody are named.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::evidence::{
    CheckedRow, EvidenceRecord, EvidenceView, HandedIn, ROWS_MAX, Row, TurnEvidence, Verdict,
    deciding, together, worst_of,
};
use ctxpin_model::evidence_key::{EvidenceKey, EvidenceKeyName};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::pin::Reason;
use ctxpin_model::quota::{Rate, Stock, require_room};
use ctxpin_model::token::Credential;
use ctxpin_model::turn::TurnRecord;
use ctxpin_render::sanitise;
use ctxpin_store::database::Transaction;
use ctxpin_store::deed::Deed;
use ctxpin_store::grant::{Caller, Granted, object, right};

use crate::error::{Error, Result};
use crate::frame::{commit, read_account, write, write_account};
use crate::ground::Ground;
use crate::moves::{Cause, Prepared};
use crate::service::Service;

/// The most bytes of rows that are read for one view. Honest rows have a few KiB.
const VIEW_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// The most resources of one view, the worst ones.
const VIEW_RESOURCES_MAX: usize = 1_000;

/// Returns the caller's key of evidence. Makes it if there is none.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller may not hand in evidence.
pub async fn key(service: &Service, credential: Credential) -> Result<EvidenceKey> {
    let operation = Operation::EvidenceKeyRead;
    write(service, credential, operation, None, |_| {
        key_once(service, credential)
    })
    .await
}

async fn key_once(service: &Service, credential: Credential) -> Result<EvidenceKey> {
    let operation = Operation::EvidenceKeyRead;
    let (mut reading, account) = read_account(service, credential, operation).await?;
    if let Some(key) = account.evidence_key(&mut reading).await? {
        return Ok(key);
    }
    drop(reading);
    let caller = service.caller(credential);
    let (mut transaction, account) = write_account(service, &caller, operation).await?;
    let key = EvidenceKey::new(rand::random());
    if account.evidence_key_insert(&mut transaction, &key).await? {
        let deed = account.deed([AuditObject::User(account.owner())], []);
        commit(service, transaction, deed).await?;
        return Ok(key);
    }
    // Another request has made it.
    let key = account.evidence_key(&mut transaction).await?;
    key.ok_or_else(Error::overtaken)
}

/// The result of handing in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// False if the turn had the row already.
    pub is_new: bool,
    /// What all rows of the turn say together.
    pub evidence: TurnEvidence,
}

/// Adds a row to a turn's evidence. The same row again changes nothing. If the row shows which head the client read where
/// nobody has confirmed the turn's pin, the pin goes there in the same transaction, and so do the stamps of the turns that
/// began with it and have no evidence yet.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if the chat has no such turn, [`Error::Invalid`] if the row does not fit the turn, names
/// another key than the chat's owner has, or shows what is no head of the chat's agent, [`Error::PreconditionFailed`] if
/// it shows another head than a turn has whose pin is confirmed or has moved on, or that has evidence already,
/// [`Error::Conflict`] if the turn has another row under this row's key, [`Error::TooLarge`] if the turn has as many rows as are kept, [`Error::QuotaExceeded`] if the owner stores too much or
/// the token hands in too many rows, and [`Error::Store`] if the caller does not own the chat.
pub async fn add(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    turn: i64,
    handed_in: &HandedIn,
) -> Result<Added> {
    require_sanitised(handed_in.row.row())?;
    let (operation, object) = (Operation::EvidenceAdd, Some(AuditObject::Chat(chat)));
    write(service, credential, operation, object, |attempt| {
        add_once(service, credential, chat, (turn, handed_in), attempt)
    })
    .await
}

async fn add_once(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    (number, handed_in): (i64, &HandedIn),
    attempt: u32,
) -> Result<Added> {
    let caller = service.caller(credential);
    let sighted = service
        .database
        .sight_chat(&caller, Operation::EvidenceAdd, chat);
    let (sighting, before) = sighted.await?;
    if attempt == 1 {
        service.require_rate(Rate::Turns, credential.id.uuid(), 1, caller.now)?;
    }
    let mut shown = match handed_in.shows {
        Some(shows) => Shown::plan_early(service, &caller, &before, shows).await?,
        None => None,
    };
    let mut transaction = service.database.write().await?;
    let granted = transaction
        .grant_chat_locked(&caller, &sighting, &[])
        .await?;
    let mut now = granted.record()?.clone();
    if let (Some(shows), false) = (handed_in.shows, before.stands_as(&now)) {
        let mut ground = Ground::locked(attempt, service, &mut transaction, &granted)?;
        shown = Shown::plan(&mut ground, &now, shows).await?;
    }
    let (owner_key, row) = (handed_in.owner_key, &handed_in.row);
    let turn = granted.turn_at(&mut transaction, number).await?;
    let turn = turn.ok_or(Error::NotFound("turn"))?.turn;
    require_owners_key(&mut transaction, &granted, owner_key).await?;
    require_fit(turn.snapshot, row.row())?;
    let rows = granted.evidence_records(&mut transaction, number).await?;
    if let Some(known) = rows.iter().find(|known| known.key == row.row().key) {
        require_same(&mut transaction, &granted, number, known, (owner_key, row)).await?;
        let evidence = turn.evidence.ok_or_else(Error::overtaken)?;
        return Ok(Added {
            is_new: false,
            evidence,
        });
    }
    if rows.len() >= ROWS_MAX {
        return Err(Error::TooLarge(format!(
            "the turn has {ROWS_MAX} rows of evidence already, and more are not kept"
        )));
    }
    let mut deed = granted.deed();
    if let Some(shows) = handed_in.shows {
        require_as_shown(row.row())?;
        let shown = shown.ok_or_else(|| unknown_head(shows))?;
        let about = (&turn, !rows.is_empty());
        shown
            .carry_out(&mut transaction, &granted, &mut now, about, &mut deed)
            .await?;
    }
    let summaries = rows.iter().map(|known| known.summary);
    let summaries: Vec<_> = summaries.chain([row.row().summary()]).collect();
    let evidence = together(&summaries).ok_or_else(Error::overtaken)?;
    granted
        .evidence_insert(&mut transaction, number, row, owner_key, &evidence)
        .await?;
    charge(service, &mut transaction, &granted, row.json().len() as u64).await?;
    commit(service, transaction, deed).await?;
    Ok(Added {
        is_new: true,
        evidence,
    })
}

/// The move of an unconfirmed pin to the head that evidence shows.
struct Shown {
    prepared: Prepared,
}

impl Shown {
    /// Prepares the move before the chat is locked.
    async fn plan_early(
        service: &Service,
        caller: &Caller,
        chat: &ChatRecord,
        shows: SnapshotId,
    ) -> Result<Option<Self>> {
        let operation = Operation::EvidenceAdd;
        let mut reading = service.database.read().await?;
        let seen = reading
            .grant_chat_within(caller, operation, chat.id)
            .await?;
        let mut ground = Ground::reading(service, caller, operation, reading, seen);
        Self::plan(&mut ground, chat, shows).await
    }

    /// Prepares the move. Returns `None` if the head is not in the timeline of the chat's agent.
    async fn plan(
        ground: &mut Ground<'_>,
        chat: &ChatRecord,
        shows: SnapshotId,
    ) -> Result<Option<Self>> {
        let Some(head) = ground.agent_head(shows).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            prepared: Prepared::stored(ground, chat, head.target()).await?,
        }))
    }

    /// Moves the pin of the locked chat and stamps its turns. If the turn is stamped with the head and the pin is
    /// confirmed, writes nothing.
    async fn carry_out(
        &self,
        transaction: &mut Transaction,
        granted: &Granted<object::Chat, right::Write>,
        chat: &mut ChatRecord,
        (turn, is_judged): (&TurnRecord, bool),
        deed: &mut Deed,
    ) -> Result<()> {
        let is_stamped = turn.snapshot == Some(self.prepared.target.snapshot);
        let is_unconfirmed = chat.pin.as_ref().is_some_and(|pin| pin.unconfirmed);
        let is_open =
            chat.mode.is_observed() && is_unconfirmed && turn.pin_seq == Some(chat.pin_seq);
        match (is_open, is_stamped) {
            (false, true) => return Ok(()),
            (true, true) => {}
            (true, false) if !is_judged => {}
            (_, false) => {
                return Err(Error::PreconditionFailed(
                    "`shows`: the turn's pin is confirmed, has moved on, or has evidence already; read the turn and the history again, and compare the requests with the stamp".into(),
                ));
            }
        }
        let believed_seq = chat.pin_seq;
        let cause = Cause {
            evidence_turn: Some(turn.number),
            ..Cause::of(Reason::Observe, chat, granted.at())
        };
        self.prepared
            .carry_out(transaction, granted, chat, &cause, deed)
            .await?;
        match &chat.pin {
            Some(pin) if !is_stamped => {
                let to = (chat.pin_seq, &pin.pin);
                Ok(granted.turns_restamp(transaction, believed_seq, to).await?)
            }
            _ => Ok(()),
        }
    }
}

fn unknown_head(shows: SnapshotId) -> Error {
    Error::Invalid(format!(
        "`shows`: {shows} is not in the timeline of the chat's agent; compare the requests with the turn's pin, and leave `shows` out"
    ))
}

/// Checks that a row which shows a head has been compared with it, and that nothing in it contradicts.
fn require_as_shown(row: &Row) -> Result<()> {
    match row.verdict {
        Verdict::AsPinned => Ok(()),
        Verdict::Unpinned
        | Verdict::OtherProfile
        | Verdict::Incomplete
        | Verdict::Disputed
        | Verdict::Deviates => Err(Error::Invalid(
            "`shows`: only a row that is `as-pinned` with a head shows that the client read it; leave `shows` out".into(),
        )),
    }
}

/// Checks that the paths of a row are sanitised, as readers make them.
fn require_sanitised(row: &Row) -> Result<()> {
    let paths = row.resources.iter().enumerate();
    let mut paths = paths.filter_map(|(index, result)| Some((index, result.path.as_ref()?)));
    match paths.find(|(_, path)| sanitise::line(path) != **path) {
        None => Ok(()),
        Some((index, _)) => Err(Error::Invalid(format!(
            "`resources[{index}].path`: a path has no invisible characters, no tags of ctxpin and no blanks at its ends"
        ))),
    }
}

/// Checks that a row names texts under the key of the chat's owner.
async fn require_owners_key(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    owner_key: EvidenceKeyName,
) -> Result<()> {
    let key = granted.owners_evidence_key(transaction).await?;
    match key.map(|key| key.name()) == Some(owner_key) {
        true => Ok(()),
        false => Err(Error::Invalid(
            "`owner_key` is not the name of the key that the chat's owner has; ask for it with `POST /me/evidence-key`, and read the record anew".into(),
        )),
    }
}

/// Checks that a row is about a turn with such a stamp.
fn require_fit(pin: Option<SnapshotId>, row: &Row) -> Result<()> {
    let is_unpinned = row.verdict == Verdict::Unpinned;
    match (pin, is_unpinned) {
        (None, true) | (Some(_), false) => Ok(()),
        (None, false) => Err(Error::Invalid(
            "`verdict`: the turn has no pin, so the row can only be `unpinned`".into(),
        )),
        (Some(pin), true) => Err(Error::Invalid(format!(
            "`verdict`: the turn is pinned to {pin}, so the row is not `unpinned`; compare the requests with that pin"
        ))),
    }
}

/// Checks that a turn's row is the one that is handed in again.
async fn require_same(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    turn: i64,
    known: &EvidenceRecord,
    (owner_key, row): (EvidenceKeyName, &CheckedRow),
) -> Result<()> {
    let contents = granted
        .evidence_contents(transaction, turn, &[known.key])
        .await?;
    let is_same = known.owner_key == owner_key
        && contents
            .iter()
            .all(|content| content == row.json().as_bytes());
    match is_same {
        true => Ok(()),
        false => Err(Error::Conflict(
            "the turn has another row of evidence under this key; rows are never changed".into(),
        )),
    }
}

/// Adds the bytes of a row to what the chat's owner stores. This locks the owner, so it follows all other locks.
async fn charge(
    service: &Service,
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, right::Write>,
    bytes: u64,
) -> Result<()> {
    let quota_default = service.quotas.amounts.content_bytes;
    if granted
        .evidence_bytes_add(transaction, bytes, quota_default)
        .await?
    {
        return Ok(());
    }
    let room = granted.content_room(transaction).await?;
    let quota = room.quota.unwrap_or(quota_default);
    require_room(Stock::ContentBytes, room.used, bytes, quota)?;
    // Something was deleted meanwhile.
    Err(Error::overtaken())
}

/// Reads the rows of a turn, and what those of the deciding witness say together about each resource. `None` without
/// rows.
pub(crate) async fn view<R>(
    transaction: &mut Transaction,
    granted: &Granted<object::Chat, R>,
    turn: i64,
) -> Result<Option<EvidenceView>> {
    let rows = granted.evidence_records(transaction, turn).await?;
    let summaries: Vec<_> = rows.iter().map(|row| row.summary).collect();
    let Some(witness) = deciding(&summaries) else {
        return Ok(None);
    };
    let own = rows.iter().filter(|row| row.summary.witness == witness);
    // The worst rows say most, and the newest of them.
    let mut own: Vec<_> = own.rev().collect();
    own.sort_by_key(|row| std::cmp::Reverse(row.summary.verdict));
    let mut bytes = 0;
    let read = own.iter().take_while(|row| {
        bytes += row.size_bytes;
        bytes <= VIEW_BYTES_MAX
    });
    let keys: Vec<_> = read.map(|row| row.key).collect();
    let contents = granted.evidence_contents(transaction, turn, &keys).await?;
    let parsed = contents.iter();
    let parsed: Vec<_> = parsed
        .filter_map(|content| Row::from_canonical_json(content))
        .collect();
    let mut is_complete = parsed.len() == own.len() && parsed.iter().all(|row| row.left_out == 0);
    let mut gaps: Vec<_> = parsed.iter().flat_map(|row| row.gaps.clone()).collect();
    gaps.sort_unstable();
    gaps.dedup();
    let mut resources = worst_of(parsed);
    is_complete &= resources.len() <= VIEW_RESOURCES_MAX;
    resources.truncate(VIEW_RESOURCES_MAX);
    let first_different = rows.iter();
    let mut first_different = first_different.filter(|row| row.summary.witness == witness);
    let first_different = first_different.find_map(|row| row.summary.first_different);
    Ok(Some(EvidenceView {
        rows,
        first_different,
        gaps,
        resources,
        is_complete,
    }))
}
