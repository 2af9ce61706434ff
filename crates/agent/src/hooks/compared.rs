//! What the turns of a chat are compared with: the pins of the chat and of those that it was forked from, and the heads of
//! its agent.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ctxpin_client::error::ClientError;
use ctxpin_evidence::known::{Given, Known};
use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::mode::Mode;
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::history::{HistoryQuery, MOVE};
use ctxpin_protocol::http::page::PageQuery;

use super::asking::Asking;
use super::heads::Head;
use super::pins::{Pin, Pins};

/// How many moves of a chat's pin are looked at, the newest ones.
const MOVES_MAX: usize = 64;

/// How many turns of a chat are looked at, the newest ones: as many as one page has.
const TURNS_MAX: u32 = 500;

/// What a chat's turns are compared with.
pub(super) struct Stamps {
    /// The snapshots of the pins in their order.
    moves: Vec<(SnapshotId, DateTime<Utc>)>,
    /// The turns, the oldest first.
    pub turns: Vec<Stamp>,
}

impl Stamps {
    /// Returns whether evidence may show the pin of a turn.
    pub fn has_open(&self) -> bool {
        self.turns.iter().any(|turn| turn.is_open)
    }
}

/// A turn, as the server has recorded it.
pub(super) struct Stamp {
    pub number: i64,
    pub reference: String,
    pub snapshot: Option<SnapshotId>,
    started_at: DateTime<Utc>,
    /// Whether nobody has confirmed the pin, which the chat still has, and the turn has no evidence yet.
    pub is_open: bool,
}

/// The known texts, and the snapshots that have them: those of moves, and the heads behind.
pub(super) struct Compared {
    pub known: Known,
    moves: Vec<(SnapshotId, DateTime<Utc>)>,
    heads: Vec<SnapshotId>,
    /// The heads of the agent in the order in which they were the newest.
    timeline: Vec<SnapshotId>,
}

/// Takes the snapshots that are kept here of the newest moves, and the heads that are none of these. `timeline` has the
/// heads in the order in which they were the newest.
pub(super) fn compared(
    pins: &Pins,
    stamps: &Stamps,
    key: EvidenceKey,
    mut heads: Vec<Head>,
    timeline: Vec<SnapshotId>,
) -> Compared {
    let mut read: BTreeMap<SnapshotId, Arc<Pin>> = BTreeMap::new();
    let mut moves: Vec<(SnapshotId, DateTime<Utc>)> = Vec::new();
    let from = stamps.moves.len().saturating_sub(MOVES_MAX);
    for (snapshot, at) in &stamps.moves[from..] {
        if !read.contains_key(snapshot)
            && let Some(pin) = pin_of(pins, &heads, *snapshot)
        {
            read.insert(*snapshot, pin);
        }
        let is_same = moves.last().is_some_and(|(last, _)| last == snapshot);
        if read.contains_key(snapshot) && !is_same {
            moves.push((*snapshot, *at));
        }
    }
    heads.retain(|head| !read.contains_key(&head.id));
    loop {
        let pins = moves.iter().filter_map(|(snapshot, _)| read.get(snapshot));
        let heads_here = heads.iter().map(|head| &head.pin);
        let given: Vec<_> = pins
            .chain(heads_here)
            .map(|pin| Given {
                snapshot: &pin.snapshot,
                bodies: &pin.bodies,
            })
            .collect();
        match Known::new(key.clone(), &given) {
            Ok(known) => {
                return Compared {
                    known,
                    moves,
                    heads: heads.iter().map(|head| head.id).collect(),
                    timeline,
                };
            }
            // A turn can be judged without the heads, but not without its pin.
            Err(_) if !heads.is_empty() => drop(heads.drain(..heads.len().div_ceil(2))),
            Err(_) => drop(moves.drain(..moves.len().div_ceil(2))),
        }
    }
}

/// Returns the snapshot of a move. A pin that nobody has confirmed is one of the heads alone.
fn pin_of(pins: &Pins, heads: &[Head], snapshot: SnapshotId) -> Option<Arc<Pin>> {
    let kept = pins.read(snapshot).map(Arc::new);
    kept.or_else(|| {
        let mut heads = heads.iter();
        let head = heads.find(|head| head.id == snapshot)?;
        Some(Arc::clone(&head.pin))
    })
}

impl Compared {
    /// Returns the snapshot of a number.
    pub fn snapshot(&self, number: usize) -> Option<SnapshotId> {
        let moves = self.moves.iter().map(|(snapshot, _)| *snapshot);
        moves.chain(self.heads.iter().copied()).nth(number)
    }

    fn number(&self, snapshot: SnapshotId) -> Option<usize> {
        let mut moves = self.moves.iter();
        let moved = moves.rposition(|(moved, _)| *moved == snapshot);
        moved.or_else(|| {
            let head = self.heads.iter().position(|head| *head == snapshot)?;
            Some(self.moves.len() + head)
        })
    }

    /// Returns the numbers of the snapshots that a turn's client may have read in place of the unconfirmed pin, the
    /// likeliest first: the heads before the pin from the newest on, the earlier pins, and the heads behind it.
    pub fn candidates(&self, stamp: &Stamp) -> Vec<usize> {
        let mut before = self.timeline.iter();
        let pin = before.rposition(|head| Some(*head) == stamp.snapshot);
        let (before, after) = self.timeline.split_at(pin.unwrap_or(self.timeline.len()));
        let earlier = before.iter().rev().copied();
        let moved = self.moves.iter().rev().map(|(snapshot, _)| *snapshot);
        let likely = earlier.chain(moved).chain(after.iter().copied());
        let mut numbers: Vec<usize> = Vec::new();
        for number in likely.filter_map(|snapshot| self.number(snapshot)) {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers
    }

    /// Returns the number of the snapshot that a turn was stamped with, or of the one that the client has read since.
    pub fn pin(
        &self,
        stamp: &Stamp,
        next: Option<&Stamp>,
        reread: Option<SnapshotId>,
    ) -> Option<usize> {
        let snapshot = reread.or(stamp.snapshot)?;
        let until = match reread {
            Some(_) => next.map(|next| next.started_at),
            None => Some(stamp.started_at),
        };
        let in_time = self
            .moves
            .iter()
            .rposition(|(moved, at)| *moved == snapshot && until.is_none_or(|until| *at <= until));
        in_time.or_else(|| {
            let mut moves = self.moves.iter();
            moves.rposition(|(moved, _)| *moved == snapshot)
        })
    }
}

/// Asks for the pins and the turns of a chat. The pins that its parents had before it come first: the requests of a fork
/// have the messages of the session that it was forked from.
pub(super) async fn stamps(
    asking: &Asking,
    chat: &Chat,
    parents: &[ChatId],
) -> Result<Stamps, ClientError> {
    let is_observed = chat.mode == Mode::Observed.as_str();
    let chat = ChatId::from(chat.id);
    let (own, unconfirmed) = moves(asking, chat).await?;
    let unconfirmed = unconfirmed.filter(|_| is_observed);
    let mut all = Vec::new();
    for parent in parents {
        let (mut before, _) = moves(asking, *parent).await?;
        before.retain(|(_, at)| own.first().is_none_or(|(_, first)| at <= first));
        all.extend(before);
    }
    all.sort_by_key(|(_, at)| *at);
    all.extend(own);
    let newest = PageQuery {
        cursor: None,
        limit: Some(TURNS_MAX),
    };
    let turns = asking.client.turns(chat, &newest).await?.items.into_iter();
    let turns = turns.filter_map(|turn| {
        Some(Stamp {
            number: turn.number,
            reference: turn.reference?,
            snapshot: turn.snapshot.and_then(|snapshot| snapshot.parse().ok()),
            started_at: turn.started_at,
            is_open: unconfirmed.is_some()
                && turn.pin_seq == unconfirmed
                && turn.evidence.is_none(),
        })
    });
    let mut turns: Vec<_> = turns.collect();
    turns.reverse();
    Ok(Stamps { moves: all, turns })
}

/// Asks for the newest moves of a chat's pin, and returns them oldest first, with the number of the last one if nobody has
/// confirmed it.
async fn moves(
    asking: &Asking,
    chat: ChatId,
) -> Result<(Vec<(SnapshotId, DateTime<Utc>)>, Option<i64>), ClientError> {
    let newest = HistoryQuery {
        cursor: None,
        limit: Some(TURNS_MAX),
    };
    let history = asking.client.history(chat, &newest).await?;
    let moves = history.items.into_iter().rev();
    let moves: Vec<_> = moves.filter(|entry| entry.kind == MOVE).collect();
    let last = moves.last().filter(|last| last.unconfirmed);
    let unconfirmed = last.map(|last| last.seq);
    let moves = moves
        .into_iter()
        .filter_map(|entry| Some((entry.snapshot?.parse().ok()?, entry.at)));
    Ok((moves.collect(), unconfirmed))
}
