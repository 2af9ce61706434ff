//! The rows of evidence that one reading of a record gives, one for each turn and each pin that it is compared with.

use std::collections::{BTreeMap, HashSet};

use ctxpin_evidence::candidates::Candidates;
use ctxpin_evidence::reading::Request;
use ctxpin_evidence::verdict::Turn;
use ctxpin_model::evidence::{Row, Source, Verdict};
use ctxpin_model::hash::SnapshotId;
use serde::{Deserialize, Serialize};

use super::compared::{Compared, Stamps};
use super::read::Reread;

/// How many requests of a record are known by their ids.
const IDS_MAX: usize = 100_000;

/// How many digits of an id are kept.
const ID_DIGITS: usize = 16;

/// The ids of the requests of which the server has a row. A record that was rewritten has some of them once more.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RequestIds(HashSet<String>);

impl RequestIds {
    fn has(&self, id: &str) -> bool {
        id.get(..ID_DIGITS).is_some_and(|id| self.0.contains(id))
    }

    fn note(&mut self, id: &str) {
        let id = id.get(..ID_DIGITS).filter(|_| self.0.len() < IDS_MAX);
        self.0.extend(id.map(str::to_owned));
    }
}

/// What the requests of a turn say.
pub(super) struct Said {
    pub turn: i64,
    pub row: Row,
    /// The head that they show in place of an unconfirmed pin.
    pub shows: Option<SnapshotId>,
}

/// The rows that are being made.
pub(super) struct Rows<'r> {
    /// The client's id of the subagent that made the requests.
    subagent: Option<&'r str>,
    source: Source,
    compared: &'r Compared,
    stamps: &'r Stamps,
    pub rereads: &'r [Reread],
    /// The number of the last request that was handed in before.
    pub handed_in: u64,
    pub ids: RequestIds,
    pub last: u64,
    pub is_open: bool,
    /// The client's id of the turn of which nobody told.
    pub untold: Option<&'r str>,
    /// Whether there are requests of that turn, which the server does not know.
    pub is_untold: bool,
    /// By the number of the turn and of the snapshot.
    turns: BTreeMap<(i64, Option<usize>), Requests<'r>>,
    /// How many requests are compared with nothing, because nobody knows what their client has read.
    uncompared: u64,
}

impl<'r> Rows<'r> {
    pub fn new(
        subagent: Option<&'r str>,
        source: Source,
        compared: &'r Compared,
        stamps: &'r Stamps,
    ) -> Self {
        Self {
            subagent,
            source,
            compared,
            stamps,
            rereads: &[],
            handed_in: 0,
            ids: RequestIds::default(),
            last: 0,
            is_open: false,
            untold: None,
            is_untold: false,
            turns: BTreeMap::new(),
            uncompared: 0,
        }
    }

    pub fn add(&mut self, request: &Request<'_>) {
        if request.number <= self.handed_in {
            return;
        }
        // All requests of a subagent are its one turn. What a client copied of another session is no turn of this one.
        let reference = self.subagent.or(request.turn);
        let turns = &self.stamps.turns;
        let place = turns
            .iter()
            .rposition(|turn| Some(&*turn.reference) == reference);
        let Some(place) = place else {
            self.is_open = true;
            self.is_untold |= reference.is_some() && reference == self.untold;
            return;
        };
        // Turns are recorded in their order, so those before will not be known any more.
        self.is_open = false;
        self.last = request.number;
        if self.ids.has(&request.id) {
            return;
        }
        self.ids.note(&request.id);
        let stamp = &turns[place];
        let next = turns.get(place + 1);
        let mut rereads = self.rereads.iter();
        let reread = rereads.find(|reread| request.is_compacted && reread.turn == stamp.reference);
        let reread = reread.and_then(|reread| reread.snapshot.parse().ok());
        let pin = self.compared.pin(stamp, next, reread);
        if pin.is_none() && stamp.snapshot.is_some() {
            self.uncompared += 1;
            return;
        }
        let (known, source) = (&self.compared.known, self.source);
        let turn = self.turns.entry((stamp.number, pin));
        let turn =
            turn.or_insert_with(|| match pin.filter(|_| stamp.is_open && reread.is_none()) {
                Some(pin) => {
                    let others = self.compared.candidates(stamp);
                    Requests::Open(Box::new(Candidates::new(known, source, pin, others)))
                }
                None if stamp.is_guess && reread.is_none() => {
                    Requests::Guessed(Turn::new(known, source, pin))
                }
                None => Requests::Stamped(Turn::new(known, source, pin)),
            });
        match turn {
            Requests::Stamped(turn) | Requests::Guessed(turn) => turn.add(request),
            Requests::Open(turn) => turn.add(request),
        }
    }

    /// Returns what the requests of each turn say, and how many are compared with nothing. Requests that have not what an
    /// unconfirmed pin says are no deviation, if their client may have read a head that is not known here.
    pub fn made(self) -> (Vec<Said>, u64) {
        let compared = self.compared;
        let mut uncompared = self.uncompared;
        let mut said = Vec::new();
        for ((turn, _), requests) in self.turns {
            let (row, shown, is_certain) = match requests {
                Requests::Stamped(turn) => (turn.row(), None, true),
                Requests::Guessed(turn) => (turn.row(), None, false),
                Requests::Open(turn) => {
                    let (row, shown) = turn.row();
                    (row, shown, shown.is_some() || compared.has_all_heads)
                }
            };
            if !is_certain && row.verdict == Verdict::Deviates {
                uncompared += row.requests;
                continue;
            }
            said.push(Said {
                turn,
                row,
                shows: shown.and_then(|number| compared.snapshot(number)),
            });
        }
        (said, uncompared)
    }
}

/// The requests of a turn, beside its stamp or beside what its client may have read.
enum Requests<'r> {
    Stamped(Turn<'r>),
    /// Nobody has confirmed the stamp, and no evidence can move the pin any more.
    Guessed(Turn<'r>),
    Open(Box<Candidates<'r>>),
}
