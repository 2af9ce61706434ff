//! Quotas and rates: how much of what one user, agent or token may take, and what is told when it is
//! too much.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::id::UserId;
use crate::moment::Moment;
use crate::resource::{UnknownWord, spelled};

/// How long rates are counted before counting begins anew.
pub const RATE_WINDOW: Duration = Duration::from_secs(60);

/// From which part of a quota on people are warned, in percent.
pub const WARNED_FROM_PERCENT: u64 = 80;

spelled! {
    /// What a user has in store, so that waiting does not make room.
    Stock {
        /// Bytes that the user's agents have sent, each content counted once.
        ContentBytes = "content_bytes",
        /// Agents.
        Agents = "agents",
        /// Chats, archived ones too.
        Chats = "chats",
        /// Tokens of the user's own that open something.
        Tokens = "tokens",
    }
}

spelled! {
    /// What is counted by the minute.
    Rate {
        /// Pushes of one agent, also those that say nothing new.
        Pushes = "pushes",
        /// Bytes that one agent sends, with a push or ahead of it.
        UploadBytes = "upload_bytes",
        /// Turns begun with one token.
        Turns = "turns",
        /// Moves of pins and changes of chats asked for with one token.
        Moves = "moves",
    }
}

/// Something of which there can be too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Of a user, for good.
    Stock(Stock),
    /// Of an agent or a token, in a minute.
    Rate(Rate),
}

impl Limit {
    /// The one spelling of its name.
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

/// A number for each [`Stock`]: what a user has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Of [`Stock::ContentBytes`].
    pub content_bytes: u64,
    /// Of [`Stock::Agents`].
    pub agents: u64,
    /// Of [`Stock::Chats`].
    pub chats: u64,
    /// Of [`Stock::Tokens`].
    pub tokens: u64,
}

impl Amounts {
    /// What a user may have where nobody has said otherwise: far more than honest use takes, and few
    /// enough that one stolen token fills no disk.
    pub const QUOTA: Self = Self {
        content_bytes: 10 * 1024 * 1024 * 1024,
        agents: 1_000,
        chats: 200_000,
        tokens: 1_000,
    };

    /// The number for one stock.
    pub fn of(&self, stock: Stock) -> u64 {
        match stock {
            Stock::ContentBytes => self.content_bytes,
            Stock::Agents => self.agents,
            Stock::Chats => self.chats,
            Stock::Tokens => self.tokens,
        }
    }
}

/// What an admin has said of one user's quota. `None` leaves the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaOverrides {
    /// Of [`Stock::ContentBytes`].
    pub content_bytes: Option<u64>,
    /// Of [`Stock::Agents`].
    pub agents: Option<u64>,
    /// Of [`Stock::Chats`].
    pub chats: Option<u64>,
    /// Of [`Stock::Tokens`].
    pub tokens: Option<u64>,
}

impl QuotaOverrides {
    /// What was said of one stock.
    pub fn of(&self, stock: Stock) -> Option<u64> {
        match stock {
            Stock::ContentBytes => self.content_bytes,
            Stock::Agents => self.agents,
            Stock::Chats => self.chats,
            Stock::Tokens => self.tokens,
        }
    }
}

/// What is to change in a user's quota: for each stock nothing, a number, or back to the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaChange {
    /// Of [`Stock::ContentBytes`].
    pub content_bytes: Option<Option<u64>>,
    /// Of [`Stock::Agents`].
    pub agents: Option<Option<u64>>,
    /// Of [`Stock::Chats`].
    pub chats: Option<Option<u64>>,
    /// Of [`Stock::Tokens`].
    pub tokens: Option<Option<u64>>,
}

impl QuotaChange {
    /// The overrides after it.
    pub fn applied(&self, before: &QuotaOverrides) -> QuotaOverrides {
        QuotaOverrides {
            content_bytes: self.content_bytes.unwrap_or(before.content_bytes),
            agents: self.agents.unwrap_or(before.agents),
            chats: self.chats.unwrap_or(before.chats),
            tokens: self.tokens.unwrap_or(before.tokens),
        }
    }
}

/// What a user has and may have.
#[derive(Debug, Clone, Copy)]
pub struct UserUsage {
    /// Whose it is.
    pub user: UserId,
    /// What there is, and what an admin has set.
    pub usage: Usage,
    /// What holds where no admin has set anything.
    pub defaults: Amounts,
}

/// What a user has, and what was said of how much it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What there is.
    pub used: Amounts,
    /// What an admin has said.
    pub overrides: QuotaOverrides,
}

impl Usage {
    /// How much the user may have of one stock, where `defaults` hold for whoever has no override.
    pub fn quota(&self, stock: Stock, defaults: &Amounts) -> u64 {
        let overridden = self.overrides.of(stock);
        overridden.unwrap_or(defaults.of(stock))
    }

    /// Refuses to add `more` if there would be more than the quota.
    pub fn demand_room(
        &self,
        stock: Stock,
        more: u64,
        defaults: &Amounts,
    ) -> Result<(), QuotaExceeded> {
        demand_room(
            stock,
            self.used.of(stock),
            more,
            self.quota(stock, defaults),
        )
    }

    /// What people are warned of: every stock of which the user has nearly as much as is allowed, or
    /// more.
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

/// Refuses to add `more` to what is `used` if it would be more than the quota. Whoever adds nothing is never
/// refused, though the quota was lowered below what there is.
pub fn demand_room(stock: Stock, used: u64, more: u64, quota: u64) -> Result<(), QuotaExceeded> {
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

/// Whether so much of a quota is used that people are warned.
fn is_nearly(used: u64, quota: u64) -> bool {
    u128::from(used) * 100 >= u128::from(quota) * u128::from(WARNED_FROM_PERCENT)
}

/// A stock of which a user has nearly as much as is allowed, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaWarning {
    /// Which.
    pub stock: Stock,
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub quota: u64,
}

/// How much may be done in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of [`Rate::Pushes`].
    pub pushes: u64,
    /// Of [`Rate::UploadBytes`].
    pub upload_bytes: u64,
    /// Of [`Rate::Turns`].
    pub turns: u64,
    /// Of [`Rate::Moves`].
    pub moves: u64,
}

impl Rates {
    /// What may be done where nobody has said otherwise: ten times what an honest caller does in a busy
    /// minute.
    pub const DEFAULT: Self = Self {
        pushes: 600,
        upload_bytes: 256 * 1024 * 1024,
        turns: 600,
        moves: 600,
    };

    /// The number for one rate.
    pub fn of(&self, rate: Rate) -> u64 {
        match rate {
            Rate::Pushes => self.pushes,
            Rate::UploadBytes => self.upload_bytes,
            Rate::Turns => self.turns,
            Rate::Moves => self.moves,
        }
    }

    /// Refuses `more` in a minute that began at `since`, when `used` are done already. What comes first
    /// in a minute is taken, however much it is.
    pub fn demand(
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

/// What the operator lets everybody have and do.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// What a user may have for whom no admin has said otherwise.
    pub amounts: Amounts,
    /// What may be done in a minute.
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

/// Somebody has, or does, as much as is allowed. Its text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct QuotaExceeded {
    /// Of what.
    pub limit: Limit,
    /// How much is allowed.
    pub quota: u64,
    /// How much there is, or was done in this minute.
    pub used: u64,
    /// When it may go on; never by itself for a stock.
    pub wait: Option<Duration>,
}

impl QuotaExceeded {
    /// In how many whole seconds it may go on.
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
                "your agents have sent {} of the {} that are kept for you; ask an admin to raise it: \
                 `ctxpin user quota NAME --content 20GiB`",
                bytes_text(*used),
                bytes_text(*quota)
            ),
            Limit::Stock(Stock::Agents) => write!(
                f,
                "you have {used} of {quota} agents; delete those that you no longer need, or ask an admin \
                 to raise it: `ctxpin user quota NAME --agents N`"
            ),
            Limit::Stock(Stock::Chats) => write!(
                f,
                "you have {used} of {quota} chats; delete those that you no longer need, or ask an admin \
                 to raise it: `ctxpin user quota NAME --chats N`"
            ),
            Limit::Stock(Stock::Tokens) => write!(
                f,
                "the user has {used} of {quota} tokens; revoke those that are no longer needed, or ask an \
                 admin to raise it: `ctxpin user quota NAME --tokens N`"
            ),
            Limit::Rate(rate) => {
                let seconds = self.wait_seconds().unwrap_or(1);
                let (done, most) = match rate {
                    Rate::UploadBytes => (bytes_text(*used), bytes_text(*quota)),
                    Rate::Pushes | Rate::Turns | Rate::Moves => {
                        (used.to_string(), quota.to_string())
                    }
                };
                let (whose, what) = match rate {
                    Rate::Pushes => ("agent", "pushes"),
                    Rate::UploadBytes => ("agent", "that it may send"),
                    Rate::Turns => ("token", "turns"),
                    Rate::Moves => ("token", "moves of pins and changes of chats"),
                };
                write!(
                    f,
                    "this {whose} has used {done} of the {most} {what} in a minute; wait {seconds} s"
                )
            }
        }
    }
}

/// Bytes as people say them: in the largest unit of which there is one, cut to a tenth.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let fits = |power: &usize| bytes >> (10 * power) > 0;
    let Some(power) = (1..=UNITS.len()).rev().find(fits) else {
        return format!("{bytes} bytes");
    };
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    let unit = UNITS[power - 1];
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
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
    fn what_fits_is_taken_and_no_byte_more() {
        let demand = |used, more| {
            let room = usage(used).demand_room(Stock::ContentBytes, more, &Amounts::QUOTA);
            room.map_err(|exceeded| (exceeded.used, exceeded.quota, exceeded.wait))
        };
        assert_eq!(demand(990, 10), Ok(()));
        assert_eq!(demand(990, 11), Err((990, 1_000, None)));
        // Lowered below what there is: nothing is taken away, and nothing is added.
        assert_eq!(demand(2_000, 1), Err((2_000, 1_000, None)));
        assert_eq!(demand(2_000, 0), Ok(()));
        assert_eq!(demand(1, u64::MAX), Err((1, 1_000, None)));
        let chats = usage(0).demand_room(Stock::Chats, 1, &Amounts::QUOTA);
        assert_eq!(chats.unwrap_err().quota, 200_000, "the default holds");
    }

    #[test]
    fn people_are_warned_from_four_fifths_on() {
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
        let demand = |used, more| Rates::DEFAULT.demand(Rate::Pushes, used, more, start, now);
        assert_eq!(demand(599, 1), Ok(()));
        let refused = demand(600, 1).unwrap_err();
        assert_eq!(refused.wait, Some(Duration::from_millis(59_500)));
        assert_eq!(
            refused.wait_seconds(),
            Some(60),
            "a part of a second counts"
        );
        assert_eq!(demand(0, 1_000), Ok(()), "the first is always taken");
    }

    #[test]
    fn texts_say_what_to_do() {
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
            "your agents have sent 9.9 GiB of the 10 GiB that are kept for you; ask an admin to raise it: \
             `ctxpin user quota NAME --content 20GiB`"
        );
        assert_eq!(
            exceeded(
                Limit::Rate(Rate::UploadBytes),
                256 << 20,
                255 << 20,
                Some(7)
            ),
            "this agent has used 255 MiB of the 256 MiB that it may send in a minute; wait 7 s"
        );
        assert_eq!(
            exceeded(Limit::Rate(Rate::Turns), 600, 600, Some(59)),
            "this token has used 600 of the 600 turns in a minute; wait 59 s"
        );
    }

    #[test]
    fn bytes_as_people_say_them() {
        let check = |bytes, expected: &str| assert_eq!(bytes_text(bytes), expected);
        check(0, "0 bytes");
        check(1_023, "1023 bytes");
        check(1_024, "1 KiB");
        check(1_536, "1.5 KiB");
        check(10 << 30, "10 GiB");
        check(u64::MAX, "15.9 EiB");
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        for limit in Rate::ALL.iter().map(|rate| Limit::Rate(*rate)) {
            assert_eq!(limit.as_str().parse(), Ok(limit));
        }
        for limit in Stock::ALL.iter().map(|stock| Limit::Stock(*stock)) {
            assert_eq!(limit.as_str().parse(), Ok(limit));
        }
        assert!("apples".parse::<Limit>().is_err());
    }
}
