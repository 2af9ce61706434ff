//! What the turns of a chat are compared with: the pins of the chat and of those that it was forked from, and the heads of
//! its agent.

use std::collections::{BTreeMap, HashSet};
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
    /// Where those of the chat itself begin, behind those of its parents.
    begins: usize,
    /// The turns, the oldest first.
    pub turns: Vec<Stamp>,
}

impl Stamps {
    /// Returns whether evidence may show the pin of a turn.
    pub fn has_open(&self) -> bool {
        self.turns.iter().any(|turn| turn.is_open)
    }

    /// Returns whether a pin is the first one of the chat, which no turn had, because the client had read an earlier head.
    fn is_created_later(&self, number: usize, timeline: &[SnapshotId]) -> bool {
        let Some([(created, _), (read, _)]) = self.moves.get(number..number + 2) else {
            return false;
        };
        let mut turns = self.turns.iter();
        let is_unused = !turns.any(|turn| turn.snapshot == Some(*created));
        let [created, read] = [created, read].map(|snapshot| place(timeline, *snapshot));
        number == self.begins && is_unused && read.is_some() && created > read
    }
}

/// Returns the place of a snapshot among the heads of an agent.
fn place(timeline: &[SnapshotId], snapshot: SnapshotId) -> Option<usize> {
    timeline.iter().rposition(|head| *head == snapshot)
}

/// A turn, as the server has recorded it.
pub(super) struct Stamp {
    pub number: i64,
    pub reference: String,
    pub snapshot: Option<SnapshotId>,
    started_at: DateTime<Utc>,
    /// Whether nobody has confirmed the pin, which the chat still has, and the turn has no evidence yet.
    pub is_open: bool,
    /// Whether nobody has confirmed the pin, and evidence cannot move it.
    pub is_guess: bool,
}

/// What is known of the heads of an agent.
pub(super) struct KnownHeads {
    pub heads: Vec<Head>,
    /// The heads in the order in which they were the newest.
    pub timeline: Vec<SnapshotId>,
    /// Whether the process has forgotten none, and the server knows each that evidence shows.
    pub are_all: bool,
}

/// The known texts, and the snapshots that have them.
pub(super) struct Compared {
    pub known: Known,
    /// The snapshots by their numbers: the pins in their order, and the heads between them where they were the newest.
    snapshots: Vec<Numbered>,
    /// The heads of the agent in the order in which they were the newest.
    timeline: Vec<SnapshotId>,
    /// Whether the requests were compared with all heads that the process has seen.
    pub has_all_heads: bool,
}

/// A snapshot with a number.
struct Numbered {
    id: SnapshotId,
    /// When the pin moved to it. `None` for a head.
    moved_at: Option<DateTime<Utc>>,
    pin: Arc<Pin>,
}

/// Takes the snapshots that are kept here of the newest moves, and the heads that are none of these.
pub(super) fn compared(
    pins: &Pins,
    stamps: &Stamps,
    key: EvidenceKey,
    known: KnownHeads,
) -> Compared {
    let KnownHeads {
        heads,
        timeline,
        are_all: mut has_all_heads,
    } = known;
    let mut read: BTreeMap<SnapshotId, Arc<Pin>> = BTreeMap::new();
    let mut snapshots: Vec<Numbered> = Vec::new();
    let others = heads.iter().map(|head| (head.id, Arc::clone(&head.pin)));
    let mut others: Vec<_> = others.collect();
    let from = stamps.moves.len().saturating_sub(MOVES_MAX);
    for (number, (id, at)) in stamps.moves.iter().enumerate().skip(from) {
        if !read.contains_key(id)
            && let Some(pin) = pin_of(pins, &heads, *id)
        {
            read.insert(*id, pin);
        }
        let is_same = snapshots.last().is_some_and(|last| last.id == *id);
        let Some(pin) = read.get(id).filter(|_| !is_same) else {
            continue;
        };
        if stamps.is_created_later(number, &timeline) {
            others.push((*id, Arc::clone(pin)));
            continue;
        }
        snapshots.push(Numbered {
            id: *id,
            moved_at: Some(*at),
            pin: Arc::clone(pin),
        });
    }
    for (id, pin) in others {
        if snapshots.iter().any(|known| known.id == id) {
            continue;
        }
        let head = place(&timeline, id);
        // What was a pin before the process began is earlier than all heads.
        let before = snapshots
            .iter()
            .rposition(|before| place(&timeline, before.id) < head || head.is_none());
        let head = Numbered {
            id,
            moved_at: None,
            pin,
        };
        snapshots.insert(before.map_or(0, |before| before + 1), head);
    }
    loop {
        let given: Vec<_> = snapshots
            .iter()
            .map(|numbered| Given {
                snapshot: &numbered.pin.snapshot,
                bodies: &numbered.pin.bodies,
            })
            .collect();
        match Known::new(key.clone(), &given) {
            Ok(known) => {
                return Compared {
                    known,
                    snapshots,
                    timeline,
                    has_all_heads,
                };
            }
            Err(_) => {
                make_room(&mut snapshots);
                has_all_heads = false;
            }
        }
    }
}

/// Leaves out the earlier half of the heads, and without any that of the pins: a turn can be judged without the heads, but
/// not without its pin.
fn make_room(snapshots: &mut Vec<Numbered>) {
    let heads = snapshots
        .iter()
        .filter(|head| head.moved_at.is_none())
        .count();
    let is_head = heads > 0;
    let mut left = match is_head {
        true => heads.div_ceil(2),
        false => snapshots.len().div_ceil(2),
    };
    snapshots.retain(|numbered| {
        let goes = left > 0 && numbered.moved_at.is_none() == is_head;
        left -= usize::from(goes);
        !goes
    });
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
        Some(self.snapshots.get(number)?.id)
    }

    fn number(&self, snapshot: SnapshotId) -> Option<usize> {
        let mut snapshots = self.snapshots.iter();
        snapshots.rposition(|numbered| numbered.id == snapshot)
    }

    /// Returns the numbers of the snapshots that a turn's client may have read in place of the unconfirmed pin, the
    /// likeliest first: the heads before the pin from the newest on, the earlier pins, and the heads behind it.
    pub fn candidates(&self, stamp: &Stamp) -> Vec<usize> {
        let mut before = self.timeline.iter();
        let pin = before.rposition(|head| Some(*head) == stamp.snapshot);
        let (before, after) = self.timeline.split_at(pin.unwrap_or(self.timeline.len()));
        let earlier = before.iter().rev().copied();
        let moved = self.snapshots.iter().rev();
        let moved = moved.filter_map(|pin| pin.moved_at.and(Some(pin.id)));
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
        let is_in_time = |pin: &Numbered| {
            let mut at = pin.moved_at.iter();
            pin.id == snapshot && at.any(|at| until.is_none_or(|until| *at <= until))
        };
        let in_time = self.snapshots.iter().rposition(is_in_time);
        in_time.or_else(|| {
            let mut pins = self.snapshots.iter();
            pins.rposition(|pin| pin.id == snapshot && pin.moved_at.is_some())
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
    let Moves {
        pins: own,
        unconfirmed,
        last,
    } = moves(asking, chat).await?;
    let mut all = Vec::new();
    for parent in parents {
        let mut before = moves(asking, *parent).await?.pins;
        before.retain(|(_, at)| own.first().is_none_or(|(_, first)| at <= first));
        all.extend(before);
    }
    all.sort_by_key(|(_, at)| *at);
    let begins = all.len();
    all.extend(own);
    let newest = PageQuery {
        cursor: None,
        limit: Some(TURNS_MAX),
    };
    let turns = asking.client.turns(chat, &newest).await?.items.into_iter();
    let turns = turns.filter_map(|turn| {
        let moved = turn.pin_seq.filter(|_| is_observed);
        let is_unconfirmed = moved.is_some_and(|moved| unconfirmed.contains(&moved));
        let is_open = is_unconfirmed && moved == last && turn.evidence.is_none();
        Some(Stamp {
            number: turn.number,
            reference: turn.reference?,
            snapshot: turn.snapshot.and_then(|snapshot| snapshot.parse().ok()),
            started_at: turn.started_at,
            is_open,
            is_guess: is_unconfirmed && !is_open,
        })
    });
    let mut turns: Vec<_> = turns.collect();
    turns.reverse();
    Ok(Stamps {
        moves: all,
        begins,
        turns,
    })
}

/// The newest moves of a chat's pin.
struct Moves {
    /// The oldest first.
    pins: Vec<(SnapshotId, DateTime<Utc>)>,
    /// The numbers of those that nobody has confirmed.
    unconfirmed: HashSet<i64>,
    /// The number of the last one.
    last: Option<i64>,
}

async fn moves(asking: &Asking, chat: ChatId) -> Result<Moves, ClientError> {
    let newest = HistoryQuery {
        cursor: None,
        limit: Some(TURNS_MAX),
    };
    let history = asking.client.history(chat, &newest).await?;
    let moves = history.items.into_iter().rev();
    let moves: Vec<_> = moves.filter(|entry| entry.kind == MOVE).collect();
    let unconfirmed = moves.iter().filter(|entry| entry.unconfirmed);
    Ok(Moves {
        unconfirmed: unconfirmed.map(|entry| entry.seq).collect(),
        last: moves.last().map(|last| last.seq),
        pins: moves
            .into_iter()
            .filter_map(|entry| Some((entry.snapshot?.parse().ok()?, entry.at)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use ctxpin_model::resource::Bodies;
    use ctxpin_scan::Scan;

    use super::super::heads::Heads;
    use super::*;
    use crate::reading::ProjectScan;
    use crate::session::LocalSnapshot;

    fn snapshot(directory: &str) -> LocalSnapshot {
        let mut snapshot = ctxpin_model::snapshot::Snapshot::default();
        snapshot.facts.directory = Some(directory.into());
        let scan = Scan {
            snapshot,
            bodies: Bodies::new(),
            notes: Vec::new(),
            places: Vec::new(),
            unused: [].into(),
            unfollowed: Vec::new(),
        };
        LocalSnapshot::of(Arc::new(ProjectScan::new(scan, None, 0)))
    }

    /// Compares pins and heads, which are named by letters, and returns the order of the numbers. Heads stand in brackets.
    fn order(before: &str, heads: &str, pins: &str, turns: &str) -> String {
        let base = tempfile::tempdir().unwrap();
        let kept = Pins::of(base.path());
        let all: BTreeMap<char, LocalSnapshot> = ('a'..='f')
            .map(|name| (name, snapshot(&name.to_string())))
            .collect();
        let agent = uuid::Uuid::nil();
        let mut noted = Heads::default();
        heads
            .chars()
            .for_each(|head| noted.note(agent, &all[&head]));
        let at: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let moves = before.chars().chain(pins.chars()).map(|pin| {
            kept.keep(&all[&pin]).unwrap();
            (all[&pin].id, at)
        });
        let turns = turns.chars().zip(1..).map(|(pin, number)| Stamp {
            number,
            reference: number.to_string(),
            snapshot: Some(all[&pin].id),
            started_at: at,
            is_open: false,
            is_guess: false,
        });
        let stamps = Stamps {
            moves: moves.collect(),
            begins: before.len(),
            turns: turns.collect(),
        };
        let known = KnownHeads {
            heads: noted.of(agent),
            timeline: noted.of(agent).iter().map(|head| head.id).collect(),
            are_all: true,
        };
        let compared = compared(&kept, &stamps, EvidenceKey::new([7; 32]), known);
        let numbered = compared.snapshots.iter().map(|numbered| {
            let (name, _) = all
                .iter()
                .find(|(_, known)| known.id == numbered.id)
                .unwrap();
            match numbered.moved_at {
                Some(_) => name.to_string(),
                None => format!("({name})"),
            }
        });
        numbered.collect()
    }

    #[test]
    fn heads_stand_where_they_were_the_newest() {
        let check = |[before, heads, pins, turns]: [&str; 4], expected: &str| {
            let order = order(before, heads, pins, turns);
            assert_eq!(order, expected, "{before} {heads} {pins} {turns}");
        };
        check(["", "", "ab", "ab"], "ab");
        check(["", "abc", "b", "b"], "(a)b(c)");
        check(["", "abcd", "ac", "ac"], "a(b)c(d)");
        // The process began behind the first pin.
        check(["", "bcd", "ac", "ac"], "a(b)c(d)");
        check(["a", "abc", "b", "b"], "ab(c)");
        // The chat was made when the workspace had moved on from what its client had read.
        check(["", "ab", "ba", "a"], "a(b)");
        check(["c", "cab", "ba", "a"], "ca(b)");
        // A turn had it, or nobody knows which was the newer one.
        check(["", "ab", "ba", "ba"], "ba");
        check(["", "b", "ba", "a"], "ba");
    }
}
