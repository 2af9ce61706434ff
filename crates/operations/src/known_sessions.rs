//! The sessions of the web page that were looked up recently. A page sends several requests, and the events of a
//! stream need the session too. The operations check the session's token each time all the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxpin_model::moment::Moment;
use ctxpin_model::pass::PassHash;
use ctxpin_store::passes::PassHolder;
use ctxpin_store::topic::Topic;

/// How long a session is known. It bounds how long a session opens after it has ended at another replica, if the
/// notification was lost.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// The most sessions in memory, which take some megabytes.
const KNOWN_MAX: usize = 10_000;

/// The sessions in memory.
#[derive(Debug, Default)]
pub(crate) struct KnownSessions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<PassHash, Session>,
    /// How often sessions were forgotten.
    forgotten: u64,
}

#[derive(Debug)]
struct Session {
    holder: PassHolder,
    since: Moment,
}

impl Session {
    /// Returns whether the session is still known. It is not if the clock was set back.
    fn is_on(&self, now: Moment) -> bool {
        let until = self.since.after(KNOWN_FOR).min(self.holder.expires_at);
        self.since <= now && now < until
    }
}

/// A lookup in the database. Its result is not kept if a session has ended since it began.
#[derive(Debug)]
pub(crate) struct Lookup {
    forgotten: u64,
}

impl KnownSessions {
    /// Returns the token of a session, if the session is known and has not expired.
    pub fn get(&self, session: &PassHash, now: Moment) -> Option<PassHolder> {
        let known = self.lock();
        let found = known.sessions.get(session)?;
        found.is_on(now).then_some(found.holder)
    }

    /// Begins a lookup in the database.
    pub fn look_up(&self) -> Lookup {
        let forgotten = self.lock().forgotten;
        Lookup { forgotten }
    }

    /// Keeps what a lookup found.
    pub fn keep(&self, lookup: &Lookup, session: PassHash, holder: PassHolder, now: Moment) {
        let mut known = self.lock();
        if known.forgotten != lookup.forgotten {
            return;
        }
        if known.sessions.len() >= KNOWN_MAX {
            known.sessions.retain(|_, session| session.is_on(now));
        }
        if known.sessions.len() < KNOWN_MAX {
            let since = now;
            known.sessions.insert(session, Session { holder, since });
        }
    }

    /// Forgets the sessions that a topic concerns, because they may have ended.
    pub fn forget(&self, topic: Topic) {
        let mut known = self.lock();
        match topic {
            Topic::Account { owner } => known
                .sessions
                .retain(|_, session| session.holder.user != owner),
            Topic::Everything => known.sessions.clear(),
            Topic::Agent { .. } | Topic::Chat { .. } => return,
        }
        known.forgotten += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No panic leaves the map inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_model::id::{TokenId, UserId};
    use ctxpin_model::token::Credential;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: u64) -> Moment {
        let start = Moment::from_unix_micros(0).unwrap();
        start.after(Duration::from_secs(seconds))
    }

    fn holder(user: u128) -> PassHolder {
        PassHolder {
            credential: Credential {
                id: TokenId::from(Uuid::from_u128(user)),
                secret_hash: [0; 32],
                is_session: true,
            },
            user: UserId::from(Uuid::from_u128(user)),
            expires_at: at(100),
        }
    }

    fn account(user: u128) -> Topic {
        let owner = holder(user).user;
        Topic::Account { owner }
    }

    #[test]
    fn a_session_is_known_for_a_while() {
        let known = KnownSessions::default();
        known.keep(&known.look_up(), [1; 32], holder(1), at(5));
        let check = |session, seconds, expected: bool| {
            let found = known.get(&[session; 32], at(seconds));
            assert_eq!(found, expected.then_some(holder(1)), "{seconds}");
        };
        check(1, 5, true);
        check(1, 14, true);
        check(1, 15, false);
        check(1, 4, false);
        check(2, 5, false);
        known.keep(&known.look_up(), [1; 32], holder(1), at(95));
        check(1, 99, true);
        // It has expired.
        check(1, 100, false);
    }

    #[test]
    fn a_topic_ends_what_it_concerns() {
        let known = KnownSessions::default();
        let keep = |session, user| {
            known.keep(&known.look_up(), [session; 32], holder(user), at(0));
        };
        let is_known = |session| known.get(&[session; 32], at(0)).is_some();
        keep(1, 1);
        keep(2, 2);
        known.forget(Topic::Chat {
            owner: holder(1).user,
            chat: Uuid::from_u128(3).into(),
        });
        assert!(is_known(1) && is_known(2));
        known.forget(account(1));
        assert!(!is_known(1) && is_known(2));
        known.forget(Topic::Everything);
        assert!(!is_known(2));
    }

    #[test]
    fn a_session_that_ends_during_its_lookup_is_not_kept() {
        let known = KnownSessions::default();
        let lookup = known.look_up();
        known.forget(account(1));
        known.keep(&lookup, [1; 32], holder(1), at(0));
        assert_eq!(known.get(&[1; 32], at(0)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let known = KnownSessions::default();
        for number in 0..=KNOWN_MAX {
            let mut session = [0; 32];
            session[..8].copy_from_slice(&number.to_le_bytes());
            known.keep(&known.look_up(), session, holder(1), at(0));
        }
        assert_eq!(known.lock().sessions.len(), KNOWN_MAX);
    }
}
