//! Limits the bytes of requests and responses in memory: for each connection, token and user, and in total.
//! A request past a limit fails at once and can be retried.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctxpin_model::id::{TokenId, UserId};
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::ApiError;
use crate::limits::Limits;

/// A request that reserves more bytes than this is large. The server refuses a large request while three
/// quarters of the total limit are in use, so that small requests find room.
const LARGE_BYTES: u64 = 64 * 1024;

/// The bytes in memory, by account. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    held: Mutex<HashMap<Account, u64>>,
}

/// An account: a party whose bytes in memory are counted and limited. A request counts for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    All,
    /// All callers whose token was not looked up, together.
    Strangers,
    /// The connection's id.
    Connection(u64),
    Token(TokenId),
    /// A user, with the user's agents.
    User(UserId),
}

/// Bytes that are reserved until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    holders: Vec<Account>,
    bytes: u64,
}

/// The error of a reservation that exceeds an account's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget {
    holder: Account,
    bytes_max: u64,
}

impl Budget {
    /// Returns an unused budget.
    pub fn new(limits: Limits) -> Self {
        let held = Mutex::default();
        Self(Arc::new(Shared { limits, held }))
    }

    /// Returns an empty reservation for these accounts and the total.
    pub fn hold(&self, holders: &[Account]) -> Reservation {
        Reservation {
            budget: self.clone(),
            holders: [&[Account::All], holders].concat(),
            bytes: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Account, u64>> {
        // No panic leaves the map inconsistent.
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
    /// Reserves `bytes` more.
    ///
    /// # Errors
    ///
    /// Fails if one of the reservation's accounts, or the total, would exceed its limit. Then the
    /// reservation is unchanged.
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

    /// Transfers the reservation to these accounts and the total.
    ///
    /// # Errors
    ///
    /// Fails if one of these accounts, or the total, would exceed its limit. Then the reservation is empty.
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
            Account::All | Account::Strangers => "The server holds as many bytes as it can",
            Account::Connection(_) => "This connection holds as many bytes as one connection may",
            Account::Token(_) => "This token holds as many bytes as one token may",
            Account::User(_) => "You hold as many bytes as one user may",
        };
        let detail = format!(
            "{whose} ({bytes_max}); read the responses that wait for you, and retry in a moment."
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
    fn a_dropped_reservation_is_free() {
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
    fn a_reservation_past_a_limit_stays_as_it_was() {
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
    fn large_reservations_leave_room_for_small_ones() {
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
    fn a_transfer_frees_the_old_accounts() {
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
