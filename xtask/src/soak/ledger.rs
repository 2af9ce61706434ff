//! What the clients did and were answered. The checks compare it with what the servers tell when
//! everything has settled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ctxpin_protocol::http::turns::Turn;
use uuid::Uuid;

use super::workspace::Listing;

/// From the sending of a request to its answer.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Before it was sent.
    pub began: Instant,
    /// After its answer was read.
    pub ended: Instant,
    /// The same by the machine's clock, in microseconds since 1970: servers write such times.
    pub ended_micros: i64,
}

/// How often an operation was tried and how that ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// The server said that it is done.
    pub acknowledged: u64,
    /// No answer came, or one that it cannot be answered now: it is done or it is not.
    pub unknown: u64,
    /// The server said why it is not done.
    pub refused: u64,
}

/// An acknowledged session.
#[derive(Debug, Clone, Copy)]
pub struct SessionSeen {
    /// The process that opened it.
    pub process: Uuid,
    /// The number that it was given.
    pub epoch: i64,
    /// When.
    pub span: Span,
}

/// An accepted push.
#[derive(Debug, Clone)]
pub struct PushSeen {
    /// Its session.
    pub epoch: i64,
    /// Its version in the session.
    pub version: i64,
    /// The head that it became or was.
    pub snapshot: String,
    /// The head's place in the timeline.
    pub seq: i64,
    /// When.
    pub span: Span,
}

/// One agent.
#[derive(Debug, Clone, Default)]
pub struct AgentBook {
    /// Its acknowledged sessions.
    pub sessions: Vec<SessionSeen>,
    /// Its accepted pushes.
    pub pushes: Vec<PushSeen>,
}

/// A member of a chat that clients set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The title.
    Title,
    /// Whether it is archived.
    Archived,
    /// The agent.
    Agent,
}

/// A change that was asked for.
#[derive(Debug, Clone)]
pub struct ChangeSeen {
    /// What was to change.
    pub field: Field,
    /// To what, as text.
    pub value: String,
    /// When it was sent.
    pub began: Instant,
    /// When it was acknowledged or refused; `None` while that is unknown.
    pub ended: Option<Instant>,
    /// Whether it was refused.
    pub refused: bool,
}

/// An acknowledged refresh to whatever the head is.
#[derive(Debug, Clone)]
pub struct RefreshSeen {
    /// The snapshot that it pinned.
    pub snapshot: String,
    /// When.
    pub span: Span,
}

/// Whether a chat is still there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Presence {
    /// Nobody asked to delete it.
    #[default]
    There,
    /// Somebody did, without an answer.
    Doubtful,
    /// It was deleted.
    Gone,
}

/// One chat.
#[derive(Debug, Clone, Default)]
pub struct ChatBook {
    /// The client's own id of it.
    pub reference: String,
    /// The agent that it was created with.
    pub agent: Option<Uuid>,
    /// Whether clients bind it to other agents.
    pub is_rebound: bool,
    /// Whether it is still there.
    pub presence: Presence,
    /// Every pin that an answer told; `None` for an answer that told of none.
    pub observed: BTreeSet<Option<String>>,
    /// Acknowledged refreshes.
    pub refreshes: Vec<RefreshSeen>,
    /// Acknowledged turns.
    pub turns: Vec<Turn>,
    /// Changes that were asked for.
    pub changes: Vec<ChangeSeen>,
}

/// Everything that is noted.
#[derive(Debug, Default)]
pub struct State {
    /// Operations by kind.
    pub operations: BTreeMap<&'static str, Tally>,
    /// Problems by name.
    pub problems: BTreeMap<String, u64>,
    /// Agents by id.
    pub agents: BTreeMap<Uuid, AgentBook>,
    /// Chats by id.
    pub chats: BTreeMap<Uuid, ChatBook>,
    /// What each pushed snapshot holds.
    pub listings: BTreeMap<String, Listing>,
    /// The prompt of each snapshot, by its hash.
    pub prompts: BTreeMap<String, String>,
    /// What is wrong.
    pub violations: Vec<String>,
    /// How many comparisons were made.
    pub checks: u64,
}

impl State {
    /// Notes something that is wrong.
    pub fn violation(&mut self, says: impl fmt::Display) {
        let says = says.to_string();
        println!("VIOLATION: {says}");
        self.violations.push(says);
    }

    /// Makes one comparison.
    pub fn check(&mut self, holds: bool, says: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.violation(says());
        }
    }

    /// Notes the pin that an answer about a chat told.
    pub fn observe(&mut self, chat: Uuid, snapshot: Option<String>) {
        if let Some(book) = self.chats.get_mut(&chat) {
            book.observed.insert(snapshot);
        }
    }

    /// Notes what a snapshot was pushed as; the same id must always hold the same.
    pub fn listing(&mut self, snapshot: &str, listing: Listing) {
        let known = self.listings.entry(snapshot.to_owned());
        let same = *known.or_insert_with(|| listing.clone()) == listing;
        self.check(same, || {
            format!("snapshot {snapshot} stands for two contents")
        });
    }

    /// Notes the prompt of a snapshot; the same snapshot must always have the same.
    pub fn prompt(&mut self, snapshot: &str, hash: &str) {
        let known = self.prompts.entry(snapshot.to_owned());
        let same = known.or_insert_with(|| hash.to_owned()) == hash;
        self.check(same, || format!("snapshot {snapshot} has two prompts"));
    }
}

/// The shared record of a run on one database.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

impl Ledger {
    /// The record, for a moment: never held over a wait.
    pub fn open(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
