//! The requests of the clients and the responses to them. The checks compare them with the servers'
//! data when all faults are over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ctxpin_protocol::http::turns::Turn;
use uuid::Uuid;

use crate::workspace::Listing;

/// The time of a request, from its sending to its response.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Before it was sent.
    pub began: Instant,
    /// After the response was read.
    pub ended: Instant,
    /// The same by the machine's clock, in microseconds since 1970: servers write such times.
    pub ended_micros: i64,
}

/// How often an operation was tried and how that ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// The server said that it is done.
    pub acknowledged: u64,
    /// Requests without a response, or with an error that leaves open whether the server has done
    /// them.
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
    pub span: Span,
}

/// An accepted push.
#[derive(Debug, Clone)]
pub struct PushSeen {
    pub epoch: i64,
    /// Its version in the session.
    pub version: i64,
    /// The head that it became or was.
    pub snapshot: String,
    /// The head's place in the timeline.
    pub seq: i64,
    pub span: Span,
}

/// The acknowledged state of one agent.
#[derive(Debug, Clone, Default)]
pub struct AgentBook {
    /// Its acknowledged sessions.
    pub sessions: Vec<SessionSeen>,
    /// Its accepted pushes.
    pub pushes: Vec<PushSeen>,
    /// Whether it was created with leave to refresh the chats of its owner.
    pub may_refresh: bool,
    /// Whether it is still there.
    pub presence: Presence,
    /// The agent that was created to replace it, and does so with its first accepted push.
    pub successor: Option<Uuid>,
}

impl AgentBook {
    /// Returns when the agent's first accepted push was acknowledged.
    pub fn first_push(&self) -> Option<Instant> {
        self.pushes.iter().map(|push| push.span.ended).min()
    }
}

/// A member of a chat that clients set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Title,
    /// Whether it is archived.
    Archived,
    Agent,
}

/// A requested change.
#[derive(Debug, Clone)]
pub struct ChangeSeen {
    /// The member to change.
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

/// An acknowledged refresh to the present head.
#[derive(Debug, Clone)]
pub struct RefreshSeen {
    /// The snapshot that it pinned.
    pub snapshot: String,
    pub span: Span,
}

/// Whether a chat or an agent is still there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Presence {
    /// Nobody has requested to delete it.
    #[default]
    There,
    /// Somebody has requested to delete it, without a response.
    Doubtful,
    /// It was deleted.
    Gone,
}

/// The acknowledged state of one chat.
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
    /// Every pin in a response. `None` stands for a response without a pin.
    pub observed: BTreeSet<Option<String>>,
    pub refreshes: Vec<RefreshSeen>,
    pub turns: Vec<Turn>,
    /// The requested changes.
    pub changes: Vec<ChangeSeen>,
    /// When each request to unpin the chat ended, or `None` if its response was lost.
    pub unpins: Vec<Option<Instant>>,
    /// Whether the servers' clocks jumped meanwhile, so that times give no order.
    pub is_clock_moved: bool,
}

/// How often each fault was brought about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Replicas that were stopped for a while and went on.
    pub pauses: u64,
    /// The pauses that began in a transaction that held locks.
    pub pauses_with_locks: u64,
    /// The longest of these pauses.
    pub pause_longest: Duration,
    /// The longest that anybody waited at another replica meanwhile.
    pub held_up_longest: Duration,
    /// How often all connections to PostgreSQL were cut.
    pub cuts: u64,
    /// How often only the connections that listen for notifications were cut.
    pub listener_cuts: u64,
    /// How often PostgreSQL was stopped and started.
    pub outages: u64,
    /// How often its standby took its place.
    pub failovers: u64,
    /// How often a server's clock jumped.
    pub jumps: u64,
    /// How often the network of an agent went away.
    pub network_losses: u64,
    /// The longest of these losses.
    pub network_loss_longest: Duration,
    /// How often a disk was full.
    pub full_disks: u64,
    /// How often a token was revoked or a user disabled while it wrote.
    pub revocations: u64,
    /// Deadlocks that PostgreSQL found and resolved.
    pub deadlocks: i64,
}

/// How long things took.
#[derive(Debug, Clone, Default)]
pub struct Delays(Vec<Duration>);

impl Delays {
    /// Adds one delay.
    pub fn add(&mut self, delay: Duration) {
        self.0.push(delay);
    }

    /// Returns the count.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the delay below which `percent` of the delays lie. 100 gives the longest.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    }
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
    /// The content of each pushed snapshot.
    pub listings: BTreeMap<String, Listing>,
    /// The prompt of each snapshot, by its hash.
    pub prompts: BTreeMap<String, String>,
    /// The violations, in words.
    pub violations: Vec<String>,
    /// How many comparisons were made.
    pub checks: u64,
    /// The replica that is paused at the moment: callers mostly go to another one.
    pub paused: Option<usize>,
    /// When the last pause was over.
    pub resumed: Option<Instant>,
    /// How long after its acknowledgement watchers learned of a write, without faults.
    pub delays_quiet: Delays,
    /// The same under faults.
    pub delays_faults: Delays,
    /// The faults that the run caused.
    pub faults: Faults,
}

impl State {
    /// Records a violation.
    pub fn violation(&mut self, says: impl fmt::Display) {
        let says = says.to_string();
        println!("VIOLATION: {says}");
        self.violations.push(says);
    }

    /// Counts a comparison, and records a violation if it does not hold.
    pub fn check(&mut self, holds: bool, says: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.violation(says());
        }
    }

    /// Returns the possible bindings of a chat that was bound to `agent` and not rebound since: the
    /// agents that replaced it, or no agent if it was deleted.
    pub fn bindings(&self, agent: Uuid) -> BTreeSet<Option<Uuid>> {
        let Some(book) = self.agents.get(&agent) else {
            return [Some(agent)].into();
        };
        let mut bindings = match book.presence {
            Presence::Gone => return [None].into(),
            Presence::Doubtful => BTreeSet::from([None, Some(agent)]),
            Presence::There => BTreeSet::from([Some(agent)]),
        };
        if let Some(successor) = book.successor {
            if self.taken_over(agent).is_some() {
                bindings.clear();
            }
            bindings.extend(self.bindings(successor));
        }
        bindings
    }

    /// Returns when the replacement of `agent` by its successor was acknowledged.
    pub fn taken_over(&self, agent: Uuid) -> Option<Instant> {
        let successor = self.agents.get(&agent)?.successor?;
        self.agents.get(&successor)?.first_push()
    }

    /// Records the pin in a response about a chat.
    pub fn observe(&mut self, chat: Uuid, snapshot: Option<String>) {
        if let Some(book) = self.chats.get_mut(&chat) {
            book.observed.insert(snapshot);
        }
    }

    /// Records the content of a pushed snapshot. The same id must always have the same content.
    pub fn listing(&mut self, snapshot: &str, listing: Listing) {
        let known = self.listings.entry(snapshot.to_owned());
        let same = *known.or_insert_with(|| listing.clone()) == listing;
        self.check(same, || {
            format!("snapshot {snapshot} stands for two contents")
        });
    }

    /// Records the prompt of a snapshot. The same snapshot must always have the same prompt.
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
    /// Locks the record. The caller must not hold the lock across an `await`.
    pub fn open(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ended: Instant) -> PushSeen {
        PushSeen {
            epoch: 1,
            version: 1,
            snapshot: "s".to_owned(),
            seq: 1,
            span: Span {
                began: ended,
                ended,
                ended_micros: 0,
            },
        }
    }

    #[test]
    fn a_binding_follows_replacements_and_deletions() {
        let [old, new, gone] = [1, 2, 3].map(Uuid::from_u128);
        let mut state = State::default();
        state.agents.entry(old).or_default().successor = Some(new);
        state.agents.entry(new).or_default();
        state.agents.entry(gone).or_default().presence = Presence::Gone;
        assert_eq!(state.bindings(old), [Some(old), Some(new)].into());
        assert_eq!(state.bindings(gone), [None].into());
        state.agents.entry(gone).or_default().presence = Presence::Doubtful;
        assert_eq!(state.bindings(gone), [None, Some(gone)].into());
        let at = Instant::now();
        state.agents.entry(new).or_default().pushes.push(push(at));
        assert_eq!(state.taken_over(old), Some(at));
        assert_eq!(state.bindings(old), [Some(new)].into());
    }

    #[test]
    fn percentiles_are_of_what_was_noted() {
        let mut delays = Delays::default();
        assert_eq!(delays.percentile(50), Duration::ZERO);
        for millis in (1..=100).rev() {
            delays.add(Duration::from_millis(millis));
        }
        let percentiles = [50, 99, 100].map(|percent| delays.percentile(percent).as_millis());
        assert_eq!(percentiles, [50, 99, 100]);
    }
}
