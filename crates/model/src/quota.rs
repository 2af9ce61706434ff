//! Limits on what a user can store and on what an agent or a token can do in a minute, and the error
//! when one of them is exceeded.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::id::UserId;
use crate::limits::format_bytes;
use crate::moment::Moment;
use crate::resource::{UnknownWord, spelled};

/// The time after which the counters of rates are reset.
pub const RATE_WINDOW: Duration = Duration::from_secs(60);

/// The used part of a quota, in percent, from which on people are warned.
pub const WARNED_FROM_PERCENT: u64 = 80;

spelled! {
    /// Something stored for a user. Waiting does not reduce it.
    Stock {
        /// Bytes that the user's agents have sent, each content counted once, and the bytes of the evidence that is kept.
        ContentBytes = "content_bytes",
        Agents = "agents",
        /// Chats, including archived ones.
        Chats = "chats",
        /// The user's own valid tokens, without those of the user's agents.
        Tokens = "tokens",
    }
}

spelled! {
    /// Something counted per minute.
    Rate {
        /// Pushes of one agent, including unchanged ones.
        Pushes = "pushes",
        /// Bytes that one agent sends, with a push or before it.
        UploadBytes = "upload_bytes",
        /// Turns begun and rows of evidence handed in with one token.
        Turns = "turns",
        /// Moves of pins and changes of chats, requested with one token.
        Moves = "moves",
        /// Sessions of the web page, one-time codes for it and enrolment codes made with one token.
        SignIns = "sign_ins",
    }
}

/// Something that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    Stock(Stock),
    Rate(Rate),
}

impl Limit {
    /// Returns the name that [`str::parse`] reads back.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stock(stock) => stock.as_str(),
            Self::Rate(rate) => rate.as_str(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Limit {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.parse() {
            Ok(rate) => Ok(Self::Rate(rate)),
            Err(_) => text.parse().map(Self::Stock),
        }
    }
}

/// A number for each [`Stock`]: what a user has, or can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    pub content_bytes: u64,
    pub agents: u64,
    pub chats: u64,
    pub tokens: u64,
}

impl Amounts {
    /// The default quota: far more than honest use needs, but too little for one stolen token to fill
    /// a disk.
    pub const QUOTA: Self = Self {
        content_bytes: 10 * 1024 * 1024 * 1024,
        agents: 1_000,
        chats: 200_000,
        tokens: 1_000,
    };

    /// Returns the number for one stock.
    pub fn of(&self, stock: Stock) -> u64 {
        match stock {
            Stock::ContentBytes => self.content_bytes,
            Stock::Agents => self.agents,
            Stock::Chats => self.chats,
            Stock::Tokens => self.tokens,
        }
    }
}

/// The parts of one user's quota that an admin has set. `None` means the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaOverrides {
    pub content_bytes: Option<u64>,
    pub agents: Option<u64>,
    pub chats: Option<u64>,
    pub tokens: Option<u64>,
}

impl QuotaOverrides {
    /// Returns the override for one stock.
    pub fn of(&self, stock: Stock) -> Option<u64> {
        match stock {
            Stock::ContentBytes => self.content_bytes,
            Stock::Agents => self.agents,
            Stock::Chats => self.chats,
            Stock::Tokens => self.tokens,
        }
    }
}

/// A change of a user's quota. For each stock, `None` keeps the override, `Some(None)` removes it, and
/// `Some(Some(n))` sets it to `n`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaChange {
    pub content_bytes: Option<Option<u64>>,
    pub agents: Option<Option<u64>>,
    pub chats: Option<Option<u64>>,
    pub tokens: Option<Option<u64>>,
}

impl QuotaChange {
    /// Returns the overrides after this change.
    pub fn applied(&self, before: &QuotaOverrides) -> QuotaOverrides {
        QuotaOverrides {
            content_bytes: self.content_bytes.unwrap_or(before.content_bytes),
            agents: self.agents.unwrap_or(before.agents),
            chats: self.chats.unwrap_or(before.chats),
            tokens: self.tokens.unwrap_or(before.tokens),
        }
    }
}

/// A user's usage, with the quota that holds where no admin has set one.
#[derive(Debug, Clone, Copy)]
pub struct UserUsage {
    pub user: UserId,
    pub usage: Usage,
    pub defaults: Amounts,
}

/// A user's stored amounts, with the overrides of the user's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub used: Amounts,
    pub overrides: QuotaOverrides,
}

impl Usage {
    /// Returns the user's quota of one stock: the override, or the default.
    pub fn quota(&self, stock: Stock, defaults: &Amounts) -> u64 {
        let overridden = self.overrides.of(stock);
        overridden.unwrap_or(defaults.of(stock))
    }

    /// Checks whether the user can add `more` to a stock.
    ///
    /// # Errors
    ///
    /// Returns [`QuotaExceeded`] if the sum would exceed the quota. Adding 0 never fails.
    pub fn require_room(
        &self,
        stock: Stock,
        more: u64,
        defaults: &Amounts,
    ) -> Result<(), QuotaExceeded> {
        require_room(
            stock,
            self.used.of(stock),
            more,
            self.quota(stock, defaults),
        )
    }

    /// Returns a warning for every stock of which [`WARNED_FROM_PERCENT`] or more of the quota is used.
    pub fn warnings(&self, defaults: &Amounts) -> Vec<QuotaWarning> {
        let warned = |stock: &Stock| {
            let (used, quota) = (self.used.of(*stock), self.quota(*stock, defaults));
            is_nearly(used, quota).then_some(QuotaWarning {
                stock: *stock,
                used,
                quota,
            })
        };
        Stock::ALL.iter().filter_map(warned).collect()
    }
}

/// Checks whether `more` can be added to what is `used` of a stock.
///
/// # Errors
///
/// Returns [`QuotaExceeded`] if the sum would exceed the quota. Adding 0 never fails, even if the quota
/// was lowered below what is used.
pub fn require_room(stock: Stock, used: u64, more: u64, quota: u64) -> Result<(), QuotaExceeded> {
    if more == 0 || used.saturating_add(more) <= quota {
        return Ok(());
    }
    Err(QuotaExceeded {
        limit: Limit::Stock(stock),
        quota,
        used,
        wait: None,
    })
}

/// Returns whether [`WARNED_FROM_PERCENT`] or more of a quota is used.
fn is_nearly(used: u64, quota: u64) -> bool {
    u128::from(used) * 100 >= u128::from(quota) * u128::from(WARNED_FROM_PERCENT)
}

/// A warning that a quota is nearly used up, or exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaWarning {
    pub stock: Stock,
    pub used: u64,
    pub quota: u64,
}

/// The limit of each [`Rate`] in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub pushes: u64,
    pub upload_bytes: u64,
    pub turns: u64,
    pub moves: u64,
    pub sign_ins: u64,
}

impl Rates {
    /// The default limits: ten times what an honest caller does in a busy minute.
    pub const DEFAULT: Self = Self {
        pushes: 600,
        upload_bytes: 256 * 1024 * 1024,
        turns: 600,
        moves: 600,
        sign_ins: 120,
    };

    /// Returns the limit of one rate.
    pub fn of(&self, rate: Rate) -> u64 {
        match rate {
            Rate::Pushes => self.pushes,
            Rate::UploadBytes => self.upload_bytes,
            Rate::Turns => self.turns,
            Rate::Moves => self.moves,
            Rate::SignIns => self.sign_ins,
        }
    }

    /// Checks whether `more` can be done in the minute that began at `since`, in which `used` is done
    /// already.
    ///
    /// # Errors
    ///
    /// Returns [`QuotaExceeded`] if the sum would exceed the limit. The first request of a minute never
    /// fails, however large it is.
    pub fn require(
        &self,
        rate: Rate,
        used: u64,
        more: u64,
        since: Moment,
        now: Moment,
    ) -> Result<(), QuotaExceeded> {
        let quota = self.of(rate);
        if used == 0 || used.saturating_add(more) <= quota {
            return Ok(());
        }
        let over = since.after(RATE_WINDOW).since_unix_epoch();
        Err(QuotaExceeded {
            limit: Limit::Rate(rate),
            quota,
            used,
            wait: Some(over.saturating_sub(now.since_unix_epoch())),
        })
    }
}

/// The limits that an operator configures for a server.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// The quota of a user for whom no admin has set another.
    pub amounts: Amounts,
    pub rates: Rates,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            amounts: Amounts::QUOTA,
            rates: Rates::DEFAULT,
        }
    }
}

/// A request would exceed a quota or a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct QuotaExceeded {
    pub limit: Limit,
    pub quota: u64,
    /// The stored amount, or the count of this minute.
    pub used: u64,
    /// The time until the caller can retry. `None` for a stock, which time does not reduce.
    pub wait: Option<Duration>,
}

impl QuotaExceeded {
    /// Returns the time until the caller can retry, in whole seconds, rounded up.
    pub fn wait_seconds(&self) -> Option<u64> {
        let wait = self.wait?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, used, .. } = self;
        match self.limit {
            Limit::Stock(Stock::ContentBytes) => write!(
                f,
                "your agents and clients have sent {} of your {}; ask an admin to raise the quota: \
                 `ctxpin user quota NAME --content 20GiB`",
                format_bytes(*used),
                format_bytes(*quota)
            ),
            Limit::Stock(Stock::Agents) => write!(
                f,
                "you have {used} of {quota} agents; delete those that you no longer need, or ask an admin \
                 to raise the quota: `ctxpin user quota NAME --agents N`"
            ),
            Limit::Stock(Stock::Chats) => write!(
                f,
                "you have {used} of {quota} chats; delete those that you no longer need, or ask an admin \
                 to raise the quota: `ctxpin user quota NAME --chats N`"
            ),
            Limit::Stock(Stock::Tokens) => write!(
                f,
                "the user has {used} of {quota} tokens; revoke those that are no longer needed, or ask an \
                 admin to raise the quota: `ctxpin user quota NAME --tokens N`"
            ),
            Limit::Rate(rate) => {
                let seconds = self.wait_seconds().unwrap_or(1);
                let (done, most) = match rate {
                    Rate::UploadBytes => (format_bytes(*used), format_bytes(*quota)),
                    Rate::Pushes | Rate::Turns | Rate::Moves | Rate::SignIns => {
                        (used.to_string(), quota.to_string())
                    }
                };
                let (subject, what) = match rate {
                    Rate::Pushes => ("agent", "pushes"),
                    Rate::UploadBytes => ("agent", "of uploads"),
                    Rate::Turns => ("token", "turns and rows of evidence"),
                    Rate::Moves => ("token", "moves of pins and changes of chats"),
                    Rate::SignIns => ("token", "sign-ins, links and enrolment codes"),
                };
                write!(
                    f,
                    "this {subject} has used {done} of its {most} {what} per minute; wait {seconds} s"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(content_bytes: u64) -> Usage {
        Usage {
            used: Amounts {
                content_bytes,
                agents: 799,
                chats: 200_000,
                tokens: 0,
            },
            overrides: QuotaOverrides {
                content_bytes: Some(1_000),
                ..QuotaOverrides::default()
            },
        }
    }

    #[test]
    fn a_stock_can_be_filled_up_to_its_quota() {
        let require = |used, more| {
            let room = usage(used).require_room(Stock::ContentBytes, more, &Amounts::QUOTA);
            room.map_err(|exceeded| (exceeded.used, exceeded.quota, exceeded.wait))
        };
        assert_eq!(require(990, 10), Ok(()));
        assert_eq!(require(990, 11), Err((990, 1_000, None)));
        // A quota below what is used refuses every addition, but not an empty one.
        assert_eq!(require(2_000, 1), Err((2_000, 1_000, None)));
        assert_eq!(require(2_000, 0), Ok(()));
        assert_eq!(require(1, u64::MAX), Err((1, 1_000, None)));
        let chats = usage(0).require_room(Stock::Chats, 1, &Amounts::QUOTA);
        assert_eq!(chats.unwrap_err().quota, 200_000, "the default holds");
    }

    #[test]
    fn people_are_warned_from_80_percent_on() {
        let warned = |used| {
            let warnings = usage(used).warnings(&Amounts::QUOTA);
            let names: Vec<_> = warnings.iter().map(|warning| warning.stock).collect();
            names
        };
        assert_eq!(warned(799), [Stock::Chats]);
        assert_eq!(warned(800), [Stock::ContentBytes, Stock::Chats]);
    }

    #[test]
    fn a_rate_tells_how_long_to_wait() {
        let start = Moment::from_unix_micros(1_000_000_000).unwrap();
        let now = start.after(Duration::from_millis(500));
        let require = |used, more| Rates::DEFAULT.require(Rate::Pushes, used, more, start, now);
        assert_eq!(require(599, 1), Ok(()));
        let refused = require(600, 1).unwrap_err();
        assert_eq!(refused.wait, Some(Duration::from_millis(59_500)));
        assert_eq!(
            refused.wait_seconds(),
            Some(60),
            "a part of a second counts"
        );
        assert_eq!(require(0, 1_000), Ok(()), "the first is always taken");
    }

    #[test]
    fn messages_say_what_to_do() {
        let exceeded = |limit, quota, used, wait: Option<u64>| {
            let wait = wait.map(Duration::from_secs);
            QuotaExceeded {
                limit,
                quota,
                used,
                wait,
            }
            .to_string()
        };
        assert_eq!(
            exceeded(
                Limit::Stock(Stock::ContentBytes),
                10 << 30,
                (10 << 30) - 1,
                None
            ),
            "your agents and clients have sent 9.9 GiB of your 10 GiB; ask an admin to raise the quota: \
             `ctxpin user quota NAME --content 20GiB`"
        );
        assert_eq!(
            exceeded(
                Limit::Rate(Rate::UploadBytes),
                256 << 20,
                255 << 20,
                Some(7)
            ),
            "this agent has used 255 MiB of its 256 MiB of uploads per minute; wait 7 s"
        );
        assert_eq!(
            exceeded(Limit::Rate(Rate::Turns), 600, 600, Some(59)),
            "this token has used 600 of its 600 turns and rows of evidence per minute; wait 59 s"
        );
    }

    #[test]
    fn a_limit_parses_its_own_name() {
        for limit in Rate::ALL.iter().map(|rate| Limit::Rate(*rate)) {
            assert_eq!(limit.as_str().parse(), Ok(limit));
        }
        for limit in Stock::ALL.iter().map(|stock| Limit::Stock(*stock)) {
            assert_eq!(limit.as_str().parse(), Ok(limit));
        }
        assert!("apples".parse::<Limit>().is_err());
    }
}
