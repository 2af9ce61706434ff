//! A chat's pin history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctxpin_model::access::Operation;
use ctxpin_model::diff::{self, Change};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::history::{
    HistoryEntry, HistoryPlace, HistoryRequest, PinChanges, PinRecord, PinStep, RecentMove,
    StepRequest,
};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::Page;
use ctxpin_model::resource::Bodies;
use ctxpin_model::token::Credential;
use ctxpin_model::treatment::TreatedSnapshot;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::Result;
use crate::frame::{read_account, read_bodies, read_chat};
use crate::line_counts::{COUNTING_TIME_MAX, ChangedTexts, Counting};
use crate::portions::portions;
use crate::prompts::weight;
use crate::service::Service;
use crate::workshop::Watch;

/// Returns a page of a chat's pin history, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the chat.
pub async fn list(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    request: HistoryRequest,
) -> Result<Page<HistoryEntry, HistoryPlace>> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::HistoryRead, chat).await?;
    Ok(granted.history(&mut transaction, request).await?)
}

/// Returns the move of that number in a chat's pin history.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the caller may not see the chat.
pub async fn read(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    seq: i64,
) -> Result<Option<PinRecord>> {
    let (mut transaction, granted) =
        read_chat(service, credential, Operation::HistoryRead, chat).await?;
    Ok(granted.history_at(&mut transaction, seq).await?)
}

/// The two snapshots of a move, or of a decision: the pin that was kept and the head. `None` if there was no pin before
/// the move or after it, or if both are the same.
type Step = Option<[SnapshotId; 2]>;

/// Returns what each of some consecutive moves changed and each decision was about, newest first. `None` for a move
/// without a pin before it or after it, and for one that kept the snapshot.
///
/// # Errors
///
/// Returns [`Error::Busy`](crate::error::Error::Busy) if too many of the user's requests wait already, and
/// [`Error::Store`](crate::error::Error::Store) if the caller may not see the chat.
pub async fn changes(
    service: &Service,
    credential: Credential,
    chat: ChatId,
    entries: &[HistoryEntry],
) -> Result<Vec<Option<PinChanges>>> {
    let mut steps: Vec<Step> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let step = match entry {
            HistoryEntry::Decision(decision) => decision.kept.snapshot.zip(Some(decision.head)),
            HistoryEntry::Move(record) => {
                let before = match entries.get(index + 1) {
                    Some(older) => older.pin().snapshot,
                    None if record.seq > 1 => {
                        let older = read(service, credential, chat, record.seq - 1).await?;
                        older.and_then(|record| record.snapshot)
                    }
                    None => None,
                };
                before.zip(record.snapshot)
            }
        };
        let step = step.map(|(from, to)| [from, to]);
        steps.push(step.filter(|[from, to]| from != to));
    }
    let sides = || {
        let steps = steps.iter();
        steps.map(|step| step.iter().flatten().copied())
    };
    let ids: BTreeSet<_> = sides().flatten().collect();
    if ids.is_empty() {
        return Ok(vec![None; steps.len()]);
    }
    let (mut transaction, mut granted) = read_within(service, credential, chat).await?;
    let entries = granted
        .snapshot_entry_counts(&mut transaction, &ids)
        .await?;
    let mut told = Vec::with_capacity(steps.len());
    let mut portions = portions(sides(), &entries).into_iter();
    while let Some(range) = portions.next() {
        let steps = &steps[range];
        told.extend(changes_of(service, credential, transaction, granted, steps).await?);
        if portions.len() == 0 {
            break;
        }
        (transaction, granted) = read_within(service, credential, chat).await?;
    }
    Ok(told)
}

/// Begins a transaction that compares snapshots of a chat.
async fn read_within(
    service: &Service,
    credential: Credential,
    chat: ChatId,
) -> Result<(Transaction, Granted<object::Chat, right::Within>)> {
    let (caller, operation) = (service.caller(credential), Operation::ContextRead);
    let mut transaction = service.database.read().await?;
    let granted = transaction
        .grant_chat_within(&caller, operation, chat)
        .await?;
    Ok((transaction, granted))
}

async fn changes_of(
    service: &Service,
    credential: Credential,
    mut transaction: Transaction,
    granted: Granted<object::Chat, right::Within>,
    steps: &[Step],
) -> Result<Vec<Option<PinChanges>>> {
    let ids: BTreeSet<_> = steps.iter().flatten().flatten().copied().collect();
    let with_tools = granted.record()?.tools.pins_tools();
    let user = granted.works_for();
    let Some(bodies) = granted.bodies() else {
        let sealed = granted.snapshots_sealed(&mut transaction, &ids).await?;
        drop(transaction);
        let steps = steps.to_vec();
        let bytes = sealed.disclose(weight_of);
        let named = move || sealed.disclose(|snapshots| named(&steps, snapshots, with_tools));
        return service.work(user, bytes, named).await;
    };
    let snapshots = bodies.snapshots(&mut transaction, &ids).await?;
    let kept = bodies.line_counts(&mut transaction)?;
    drop(transaction);
    let snapshots = Arc::new(snapshots);
    let (compared, steps) = (Arc::clone(&snapshots), steps.to_vec());
    let plan = move |watch: &Watch| {
        let texts = steps.iter().map(|step| {
            let changes = changes_between(step, &compared, with_tools);
            ChangedTexts::of(&changes, watch.deadline())
        });
        let counting = Counting::of(kept, texts.collect());
        (named(&steps, &compared, with_tools), counting)
    };
    let (workshop, bytes) = (&service.workshop, weight_of(&snapshots));
    let (named, counting) = workshop.work(user, bytes, COUNTING_TIME_MAX, plan).await?;
    let mut told = named;
    let mut read = Bodies::new();
    if !counting.blobs().is_empty() {
        let (operation, chat) = (granted.operation(), granted.id());
        let (mut transaction, granted) = read_bodies(service, credential, operation, chat).await?;
        read = granted
            .bodies_of_all(&mut transaction, &snapshots, counting.blobs())
            .await?;
    }
    let bytes = counting.bytes();
    let count = move |watch: &Watch| counting.counts(&read, watch);
    let counts = workshop.work(user, bytes, COUNTING_TIME_MAX, count).await?;
    for (told, lines) in told.iter_mut().zip(counts) {
        if let Some(told) = told {
            told.lines = lines;
        }
    }
    Ok(told)
}

type Snapshots = BTreeMap<SnapshotId, Arc<TreatedSnapshot>>;

fn weight_of(snapshots: &Snapshots) -> u64 {
    snapshots.values().map(|snapshot| weight(snapshot)).sum()
}

fn named(steps: &[Step], snapshots: &Snapshots, with_tools: bool) -> Vec<Option<PinChanges>> {
    let named = steps.iter().map(|step| {
        let changes = changes_between(step, snapshots, with_tools);
        step.map(|_| PinChanges::of(&changes))
    });
    named.collect()
}

fn changes_between<'s>(step: &Step, snapshots: &'s Snapshots, with_tools: bool) -> Vec<Change<'s>> {
    let sides = step.map(|step| step.map(|id| snapshots.get(&id)));
    match sides {
        Some([Some(from), Some(to)]) => diff::changes(from, to, with_tools),
        _ => Vec::new(),
    }
}

/// Returns the newest moves of the caller's own chats, newest first. Leaves out chats that have no pin now.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn recent(
    service: &Service,
    credential: Credential,
    limit: i64,
) -> Result<Vec<RecentMove>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account = transaction
        .grant_account_of(&caller, Operation::HistoryRead, None)
        .await?;
    Ok(account.recent_moves(&mut transaction, limit).await?)
}

/// Returns the newest moves of the pins of an agent's unarchived chats, by chat and then oldest first. Leaves out
/// chats that the caller may not read.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn steps(
    service: &Service,
    credential: Credential,
    request: StepRequest,
) -> Result<Vec<PinStep>> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(account.pin_steps(&mut transaction, request).await?)
}
