//! How much users have of what quotas limit. A user's row holds the bytes of their contents and the number
//! of their chats. Agents and tokens are few, and each query counts them.

use std::collections::BTreeMap;

use ctxpin_model::agent::PushRefused;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_model::quota::{Amounts, Limit, QuotaOverrides, Stock, Usage, WARNED_FROM_PERCENT};

use crate::database::{CHUNK, Transaction};
use crate::error::Result;
use crate::grant::{Granted, Upkeep, object::Account, object::Agent, right::Write, task};
use crate::query::Lock;
use crate::tokens;
use crate::values::{Columns, Row, columns};

columns! {
    AMOUNTS of Amounts {
        content_bytes: "w.content_bytes",
        agents: "w.agents",
        chats: "w.chat_count",
        tokens: "w.tokens",
    }
}

columns! {
    QUOTAS of QuotaOverrides {
        content_bytes: "w.content_bytes_quota",
        agents: "w.agents_quota",
        chats: "w.chats_quota",
        tokens: "w.tokens_quota",
    }
}

/// The columns of a [`Usage`].
const COLUMNS: [&str; 3] = [AMOUNTS, ", ", QUOTAS];

impl Columns for Usage {
    fn take(row: &mut Row) -> Result<Self> {
        Ok(Self {
            used: row.take()?,
            overrides: row.take()?,
        })
    }
}

/// The user `$2` as the table `w` that [`COLUMNS`] are read from. `$1` is the time.
const OF_USER: &str = " from (select u.content_bytes, \
     (select cast(count(*) as bigint) from agents a where a.owner_id = u.id) as agents, u.chat_count, \
     (select cast(count(*) as bigint) from tokens t where t.user_id = u.id and t.revoked_at is null \
        and (t.expires_at is null or t.expires_at > $1)) as tokens, \
     u.content_bytes_quota, u.agents_quota, u.chats_quota, u.tokens_quota from users u where u.id = $2) w";

async fn of_user(
    transaction: &mut Transaction,
    user: UserId,
    now: Moment,
) -> Result<Option<Usage>> {
    transaction
        .query("select ")
        .push_all(COLUMNS)
        .push(OF_USER)
        .bind(&now)
        .bind(&user)
        .optional(Row::take)
        .await
}

/// The contents that a push added to those of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentContents {
    /// The bytes that the user had not sent before.
    pub new_bytes: u64,
    /// The bytes that the user had sent before, or 0 if nothing is new. Other transactions may add to them,
    /// so [`Granted::content_bytes_add`] decides.
    pub used: u64,
    /// The user's own quota of bytes, if an admin has set one and something is new.
    pub quota: Option<u64>,
}

impl Upkeep<'_, task::QuotaWarnings> {
    /// Returns the usage of every user who is near one of their quotas.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
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
                 select w.id, ",
            )
            .push_all(COLUMNS)
            .push(" from w where ")
            .bind(&now);
        let query = NEAR.into_iter().fold(query, |query, (near, stock)| {
            // A large quota times a percentage exceeds a bigint.
            query
                .push(near)
                .value(&defaults.of(stock))
                .push(") as numeric) * ")
                .number(WARNED_FROM_PERCENT as i64)
        });
        query
            .push(" order by w.id")
            .all(|row| Ok((row.take()?, row.take()?)))
            .await
    }
}

impl<R> Granted<Account, R> {
    /// Returns the usage of the account's user, or `None` if there is no such user.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn usage(&self, transaction: &mut Transaction, now: Moment) -> Result<Option<Usage>> {
        of_user(self.within(transaction)?, self.owner(), now).await
    }
}

impl Granted<Account, Write> {
    /// Locks the row of a user and returns the usage, which no other transaction changes until this one
    /// ends. Call it after the locks on agents and chats.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
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

    /// Writes a user's own quotas.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
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

    /// Returns how many tokens of a user are stored, with those revoked and expired.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn tokens_kept(&self, transaction: &mut Transaction, user: UserId) -> Result<u64> {
        self.within(transaction)?
            .query("select cast(count(*) as bigint) from tokens where user_id = $1")
            .bind(&user)
            .one(|row| row.take())
            .await
    }

    /// Deletes the user's tokens that are revoked or expired. A token that was made with a deleted token
    /// then counts as made with the nearest maker that is kept.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn tokens_forget(
        &self,
        transaction: &mut Transaction,
        user: UserId,
        now: Moment,
    ) -> Result<()> {
        const GONE: &str = "user_id = $1 and (revoked_at is not null or expires_at <= $2)";
        let transaction = self.within(transaction)?;
        // Going down from the topmost maker visits each token once, however long a chain is.
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
        tokens::keep_ended(transaction, GONE, &user, now).await?;
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

/// Adds to the bytes that a user stores. Returns `false` if the sum would exceed the quota.
pub(crate) async fn content_bytes_add(
    transaction: &mut Transaction,
    user: &UserId,
    bytes: u64,
    quota_default: u64,
) -> Result<bool> {
    let changed = transaction
        .query(
            "update users set content_bytes = content_bytes + $2 where id = $1 \
             and content_bytes + $2 <= coalesce(content_bytes_quota, $3)",
        )
        .bind(user)
        .bind(&bytes)
        .bind(&quota_default)
        .execute()
        .await?;
    Ok(changed > 0)
}

impl Granted<Agent, Write> {
    /// Records that the agent's owner has sent contents, in the order of their hashes. The blobs are
    /// inserted later in this transaction, and the caller adds the new bytes with
    /// [`Self::content_bytes_add`].
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn contents_record(
        &self,
        transaction: &mut Transaction,
        contents: &BTreeMap<BlobHash, u64>,
    ) -> Result<SentContents> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let mut sent = SentContents {
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
                sent.new_bytes += size;
                (sent.used, sent.quota) = (used, quota);
            }
        }
        Ok(sent)
    }

    /// Adds to the bytes that the agent's owner has sent. Returns `false` if the sum would exceed the
    /// quota, because another transaction has added to it. Call it after the locks on agents and chats.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn content_bytes_add(
        &self,
        transaction: &mut Transaction,
        bytes: u64,
        quota_default: u64,
    ) -> Result<bool> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        content_bytes_add(transaction, &owner, bytes, quota_default).await
    }

    /// Records that the agent's latest push was refused.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
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

impl Columns for Option<PushRefused> {
    fn take(row: &mut Row) -> Result<Self> {
        let limit: Option<Limit> = row.take()?;
        let at: Option<Moment> = row.take()?;
        Ok(limit.zip(at).map(|(limit, at)| PushRefused { limit, at }))
    }
}
