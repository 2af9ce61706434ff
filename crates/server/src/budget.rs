//! How many bytes of requests and answers are under way: of each connection, each token and each user,
//! and in total. Whoever is past a bound is asked to come again; nobody waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::{TokenId, UserId};
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::ApiError;
use crate::limits::Limits;

/// What holds more is large: it leaves a quarter of everything to what is small.
const LARGE_BYTES: u64 = 64 * 1024;

/// The bytes that are under way. Cloning it shares everything.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    held: Mutex<HashMap<Account, u64>>,
}

/// On whose account bytes are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// Everybody's.
    All,
    /// Of those together whose token was not looked up.
    Strangers,
    /// Of one connection.
    Connection(u64),
    /// Of one token.
    Token(TokenId),
    /// Of one user, with those of their agents.
    User(UserId),
}

/// Bytes that are held until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    holders: Vec<Account>,
    bytes: u64,
}

/// More is held than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget {
    holder: Account,
    bytes_max: u64,
}

impl Budget {
    /// A budget of which nothing is used.
    pub fn new(limits: Limits) -> Self {
        let held = Mutex::default();
        Self(Arc::new(Shared { limits, held }))
    }

    /// Begins to hold nothing yet, for these and for all.
    pub fn hold(&self, holders: &[Account]) -> Reservation {
        Reservation {
            budget: self.clone(),
            holders: [&[Account::All], holders].concat(),
            bytes: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Account, u64>> {
        // Nothing is half-done behind a panic.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn most(&self, holder: Account, is_large: bool) -> u64 {
        let limits = &self.0.limits;
        match holder {
            Account::All if is_large => limits.held_max / 4 * 3,
            Account::All => limits.held_max,
            Account::Strangers => limits.held_by_strangers_max,
            Account::Connection(_) => limits.held_by_connection_max,
            Account::Token(_) => limits.held_by_token_max,
            Account::User(_) => limits.held_by_user_max,
        }
    }

    #[cfg(test)]
    fn held(&self, holder: Account) -> Option<u64> {
        self.lock().get(&holder).copied()
    }
}

impl Reservation {
    /// Holds so many bytes more.
    ///
    /// # Errors
    ///
    /// If that is more than one of the holders may: then it holds what it held.
    pub fn grow(&mut self, bytes: u64) -> Result<(), OverBudget> {
        let is_large = self.bytes.saturating_add(bytes) > LARGE_BYTES;
        let mut held = self.budget.lock();
        for holder in &self.holders {
            let bytes_max = self.budget.most(*holder, is_large);
            let now = held.get(holder).copied().unwrap_or_default();
            if now.saturating_add(bytes) > bytes_max {
                let holder = *holder;
                return Err(OverBudget { holder, bytes_max });
            }
        }
        for holder in &self.holders {
            *held.entry(*holder).or_default() += bytes;
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Hands what is held over to these and to all.
    ///
    /// # Errors
    ///
    /// If one of them may not hold it: then nothing is held.
    pub fn transfer(&mut self, holders: &[Account]) -> Result<(), OverBudget> {
        let mut handed_over = self.budget.hold(holders);
        let bytes = self.bytes;
        self.release();
        let grown = handed_over.grow(bytes);
        *self = handed_over;
        grown
    }

    fn release(&mut self) {
        let mut held = self.budget.lock();
        for holder in &self.holders {
            if let Some(of_holder) = held.get_mut(holder) {
                *of_holder -= self.bytes;
                if *of_holder == 0 {
                    held.remove(holder);
                }
            }
        }
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

impl From<OverBudget> for ApiError {
    fn from(full: OverBudget) -> Self {
        let OverBudget { holder, bytes_max } = full;
        let whose = match holder {
            Account::All | Account::Strangers => "The server has as many bytes under way as it can",
            Account::Connection(_) => "This connection has as many bytes under way as one may have",
            Account::Token(_) => "This token has as many bytes under way as one may have",
            Account::User(_) => "You have as many bytes under way as one user may have",
        };
        let detail = format!(
            "{whose} ({bytes_max}); take the answers that wait for you, and try again in a moment."
        );
        Self::new(ProblemName::Busy, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(Limits {
            held_max: 4_000_000,
            held_by_strangers_max: 1_000,
            held_by_connection_max: 2_000_000,
            held_by_token_max: 500_000,
            held_by_user_max: 1_000_000,
            ..Limits::default()
        })
    }

    #[test]
    fn what_is_dropped_is_held_no_more() {
        let budget = budget();
        let mut held = budget.hold(&[Account::Connection(1), Account::Strangers]);
        held.grow(600).unwrap();
        held.grow(400).unwrap();
        assert_eq!(budget.held(Account::All), Some(1_000));
        assert_eq!(budget.held(Account::Connection(1)), Some(1_000));
        drop(held);
        assert_eq!(*budget.lock(), HashMap::new());
    }

    #[test]
    fn whoever_is_past_a_bound_holds_what_they_held() {
        let budget = budget();
        let mut held = budget.hold(&[Account::Connection(1), Account::Strangers]);
        held.grow(900).unwrap();
        let mut other = budget.hold(&[Account::Connection(2), Account::Strangers]);
        let full = other.grow(101).unwrap_err();
        assert_eq!((full.holder, full.bytes_max), (Account::Strangers, 1_000));
        assert_eq!(budget.held(Account::Connection(2)), None);
        other.grow(100).unwrap();
        assert_eq!(budget.held(Account::All), Some(1_000));
    }

    #[test]
    fn what_is_large_leaves_room_for_what_is_small() {
        let budget = budget();
        let mut large: Vec<_> = (0..6)
            .map(|n| budget.hold(&[Account::Connection(n)]))
            .collect();
        let grown = large.iter_mut().map(|held| held.grow(600_000).is_ok());
        let grown: Vec<_> = grown.collect();
        assert_eq!(grown, [true, true, true, true, true, false]);
        for _ in 0..10 {
            budget.hold(&[]).grow(LARGE_BYTES).unwrap();
        }
    }

    #[test]
    fn a_stranger_who_becomes_known_makes_room_for_others() {
        let budget = budget();
        let mut held = budget.hold(&[Account::Connection(1), Account::Strangers]);
        held.grow(1_000).unwrap();
        let moment = ctxpin_model::moment::Moment::from_unix_micros(0).unwrap();
        let user = Account::User(UserId::generate(moment));
        held.transfer(&[Account::Connection(1), user]).unwrap();
        assert_eq!(budget.held(Account::Strangers), None);
        assert_eq!(budget.held(user), Some(1_000));
        held.grow(900_000).unwrap();
        let mut more = budget.hold(&[Account::Connection(2)]);
        more.grow(200_000).unwrap();
        assert!(more.transfer(&[Account::Connection(2), user]).is_err());
        assert_eq!(budget.held(Account::Connection(2)), None);
    }
}
