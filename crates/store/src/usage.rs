//! What users have of what is limited. Agents and tokens are counted when it is asked, for there are few
//! of them; a user's row keeps the sum of their contents and the number of their chats.

use std::collections::BTreeMap;

use ctxpin_model::agent::PushRefused;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_model::quota::{Amounts, Limit, QuotaOverrides, Stock, Usage, WARNED_FROM_PERCENT};

use crate::database::{CHUNK, Lock, Transaction};
use crate::error::Result;
use crate::grant::{Granted, Upkeep, object::Account, object::Agent, right::Write, task};
use crate::values::{Columns, Row};

/// What a user, whose row is called `u`, has and may have. `$1` is now.
const COLUMNS: &str = "u.content_bytes, \
     (select cast(count(*) as bigint) from agents a where a.owner_id = u.id), u.chat_count, \
     (select cast(count(*) as bigint) from tokens t where t.user_id = u.id and t.revoked_at is null \
        and (t.expires_at is null or t.expires_at > $1)), \
     u.content_bytes_quota, u.agents_quota, u.chats_quota, u.tokens_quota";

fn read(row: &mut Row) -> Result<Usage> {
    Ok(Usage {
        used: Amounts {
            content_bytes: row.take()?,
            agents: row.take()?,
            chats: row.take()?,
            tokens: row.take()?,
        },
        overrides: QuotaOverrides {
            content_bytes: row.take()?,
            agents: row.take()?,
            chats: row.take()?,
            tokens: row.take()?,
        },
    })
}

async fn of_user(
    transaction: &mut Transaction,
    user: UserId,
    now: Moment,
) -> Result<Option<Usage>> {
    transaction
        .query("select ")
        .push_all([COLUMNS, " from users u where u.id = $2"])
        .bind(&now)
        .bind(&user)
        .optional(read)
        .await
}

/// What became of noting contents as sent by a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// How many bytes of them the user had not sent before.
    pub new_bytes: u64,
    /// How many bytes the user had sent before; told if something is new. Others may send more meanwhile:
    /// [`Granted::content_bytes_add`] decides.
    pub used: u64,
    /// How many bytes the user may send, if an admin has said so; told with the others.
    pub quota: Option<u64>,
}

impl Upkeep<'_, task::QuotaWarnings> {
    /// Returns what everybody has who has so much of something that people are warned.
    pub async fn usage_of_warned(
        &self,
        transaction: &mut Transaction,
        defaults: &Amounts,
        now: Moment,
    ) -> Result<Vec<(UserId, Usage)>> {
        const NEAR: [(&str, Stock); 4] = [
            (
                "w.content_bytes * 100 >= cast(coalesce(w.content_bytes_quota, ",
                Stock::ContentBytes,
            ),
            (
                " or w.agents * 100 >= cast(coalesce(w.agents_quota, ",
                Stock::Agents,
            ),
            (
                " or w.chat_count * 100 >= cast(coalesce(w.chats_quota, ",
                Stock::Chats,
            ),
            (
                " or w.tokens * 100 >= cast(coalesce(w.tokens_quota, ",
                Stock::Tokens,
            ),
        ];
        let query = transaction
            .query(
                "with agents_of as (select owner_id, count(*) as number from agents group by owner_id), \
                 tokens_of as (select user_id, count(*) as number from tokens where user_id is not null \
                    and revoked_at is null and (expires_at is null or expires_at > $1) group by user_id), \
                 w as (select u.id, u.content_bytes, cast(coalesce(a.number, 0) as bigint) as agents, u.chat_count, \
                    cast(coalesce(t.number, 0) as bigint) as tokens, \
                    u.content_bytes_quota, u.agents_quota, u.chats_quota, u.tokens_quota \
                    from users u left join agents_of a on a.owner_id = u.id left join tokens_of t on t.user_id = u.id) \
                 select w.id, w.content_bytes, w.agents, w.chat_count, w.tokens, \
                 w.content_bytes_quota, w.agents_quota, w.chats_quota, w.tokens_quota from w where ",
            )
            .bind(&now);
        let query = NEAR.into_iter().fold(query, |query, (near, stock)| {
            // A large quota times a percentage is more than a bigint holds.
            query
                .push(near)
                .value(&defaults.of(stock))
                .push(") as numeric) * ")
                .number(WARNED_FROM_PERCENT as i64)
        });
        query
            .push(" order by w.id")
            .all(|row| Ok((row.take()?, read(row)?)))
            .await
    }
}

impl<R> Granted<Account, R> {
    /// What the account's user has; `None` if there is no such user.
    pub async fn usage(&self, transaction: &mut Transaction, now: Moment) -> Result<Option<Usage>> {
        of_user(self.within(transaction)?, self.owner(), now).await
    }
}

impl Granted<Account, Write> {
    /// Locks what a user has, after every agent and chat that the transaction locks, and tells it: until
    /// the transaction ends nobody else adds to it.
    pub async fn usage_locked(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        now: Moment,
    ) -> Result<Option<Usage>> {
        let transaction = self.within(transaction)?;
        if transaction.has_row_locks() {
            transaction
                .query("select id from users where id = $1")
                .bind(&user)
                .locking(Lock::UpdateNoKey)
                .optional(|row| row.take::<UserId>())
                .await?;
        }
        of_user(transaction, user, now).await
    }

    /// Changes what is said of a user's quota.
    pub async fn quota_set(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        overrides: &QuotaOverrides,
    ) -> Result<()> {
        self.within(transaction)?
            .query(
                "update users set content_bytes_quota = $2, agents_quota = $3, chats_quota = $4, \
                 tokens_quota = $5 where id = $1",
            )
            .bind(&user)
            .bind_optional(overrides.content_bytes.as_ref())
            .bind_optional(overrides.agents.as_ref())
            .bind_optional(overrides.chats.as_ref())
            .bind_optional(overrides.tokens.as_ref())
            .execute()
            .await?;
        Ok(())
    }

    /// How many tokens of a user are kept, with those that open nothing any more.
    pub async fn tokens_kept(&self, transaction: &mut Transaction, user: UserId) -> Result<u64> {
        self.within(transaction)?
            .query("select cast(count(*) as bigint) from tokens where user_id = $1")
            .bind(&user)
            .one(|row| row.take())
            .await
    }

    /// Forgets the tokens of a user that open nothing any more. What they made counts as made by the nearest
    /// of their makers that is kept.
    pub async fn tokens_forget(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        now: Moment,
    ) -> Result<()> {
        const GONE: &str = "user_id = $1 and (revoked_at is not null or expires_at <= $2)";
        let transaction = self.within(transaction)?;
        // From the uppermost downwards: each is gone through once, however long a chain is.
        transaction
            .query("with recursive gone (id, maker) as (select id, made_by_token from tokens where ")
            .push(GONE)
            .push(
                "), heirs (id, maker) as (\
                 select g.id, g.maker from gone g where g.maker is null or g.maker not in (select id from gone) \
                 union all select g.id, h.maker from gone g join heirs h on h.id = g.maker) \
                 update tokens set made_by_token = (select h.maker from heirs h where h.id = tokens.made_by_token) \
                 where made_by_token in (select id from gone) and id not in (select id from gone)",
            )
            .bind(&user)
            .bind(&now)
            .execute()
            .await?;
        transaction
            .query("delete from tokens where ")
            .push(GONE)
            .bind(&user)
            .bind(&now)
            .execute()
            .await?;
        Ok(())
    }
}

impl Granted<Agent, Write> {
    /// Notes that the agent's owner has sent contents, which are written later in this transaction, in
    /// the order of their hashes. Whoever notes them adds what is new to the sum.
    pub async fn contents_note(
        &self,
        transaction: &mut Transaction,
        contents: &BTreeMap<BlobHash, u64>,
    ) -> Result<Noted> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let mut noted = Noted {
            new_bytes: 0,
            used: 0,
            quota: None,
        };
        let contents: Vec<_> = contents.iter().collect();
        for chunk in contents.chunks(CHUNK) {
            let rows: Vec<(u64, u64, Option<u64>)> = transaction
                .query("insert into user_contents (user_id, hash, size) values ")
                .rows(chunk, |row, (hash, size)| {
                    row.value(&owner).value(*hash).value(*size)
                })
                .push(
                    " on conflict do nothing returning size, \
                     (select u.content_bytes from users u where u.id = user_contents.user_id), \
                     (select u.content_bytes_quota from users u where u.id = user_contents.user_id)",
                )
                .all_written(|row| Ok((row.take()?, row.take()?, row.take()?)))
                .await?;
            for (size, used, quota) in rows {
                noted.new_bytes += size;
                (noted.used, noted.quota) = (used, quota);
            }
        }
        Ok(noted)
    }

    /// Adds to the sum of what the agent's owner has sent, after every agent and chat that the
    /// transaction locks; `false` if it would be more than the quota, for others have sent something
    /// since.
    pub async fn content_bytes_add(
        &self,
        transaction: &mut Transaction,
        bytes: u64,
        quota_default: u64,
    ) -> Result<bool> {
        let owner = self.owner();
        let changed = self
            .within(transaction)?
            .query(
                "update users set content_bytes = content_bytes + $2 where id = $1 \
                 and content_bytes + $2 <= coalesce(content_bytes_quota, $3)",
            )
            .bind(&owner)
            .bind(&bytes)
            .bind(&quota_default)
            .execute()
            .await?;
        Ok(changed > 0)
    }

    /// Notes that what the agent sent was refused.
    pub async fn push_refused(
        &self,
        transaction: &mut Transaction,
        refused: PushRefused,
    ) -> Result<()> {
        let agent = self.id();
        self.within(transaction)?
            .query("update agents set refused_limit = $2, refused_at = $3 where id = $1")
            .bind(&agent)
            .bind(&refused.limit)
            .bind(&refused.at)
            .execute()
            .await?;
        Ok(())
    }
}

/// Why and when what an agent sent last was refused.
impl Columns for Option<PushRefused> {
    fn take(row: &mut Row) -> Result<Self> {
        let limit: Option<Limit> = row.take()?;
        let at: Option<Moment> = row.take()?;
        Ok(limit.zip(at).map(|(limit, at)| PushRefused { limit, at }))
    }
}
