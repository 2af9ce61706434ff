//! Passes: sessions of the web page and one-time codes, by the hashes of their secrets.

use std::time::Duration;

use ctxpin_model::access::Actor;
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::{PassHash, PassKind, SessionRecord};
use ctxpin_model::token::Credential;

use crate::database::{Database, Transaction};
use crate::deed::Deed;
use crate::error::{Error, Result};
use crate::grant::{Granted, Upkeep, object::Account, right::Write, task};
use crate::query::Lock;
use crate::topic::Topic;
use crate::values::{Columns, Row, columns};

/// A pass to insert. It stands for the caller's own token.
#[derive(Debug, Clone)]
pub struct NewPass {
    pub kind: PassKind,
    pub secret_hash: PassHash,
    pub created_at: Moment,
    /// The browser that gets the session, in words, if it is known.
    pub browser: Option<String>,
    /// The process with which the pass ends, if it does.
    pub process: Option<String>,
    /// The pass ends at this time, or with the token if that is earlier.
    pub expires_at: Moment,
}

/// A pass that was inserted.
#[derive(Debug, Clone, Copy)]
pub struct InsertedPass {
    /// The time at which the pass ends.
    pub expires_at: Moment,
    /// The topic to wake if sessions ended to make room, because processes have sessions in memory.
    pub wakes: Option<Topic>,
}

/// The least age of the last use of a session at which a new use is recorded.
const USE_RECORDED_EVERY: Duration = Duration::from_secs(60);

columns! {
    SESSION of SessionRecord {
        hash: "p.secret_hash",
        token_label: "t.label",
        scopes: "t.scopes",
        browser: "p.browser",
        created_at: "p.created_at",
        last_used_at: "p.last_used_at",
        expires_at: "p.expires_at",
    }
}

/// The token that a pass stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassHolder {
    pub credential: Credential,
    /// The user of the token.
    pub user: UserId,
    /// The time at which the pass ends.
    pub expires_at: Moment,
}

impl Columns for PassHolder {
    fn take(row: &mut Row) -> Result<Self> {
        let credential = Credential {
            id: row.take()?,
            secret_hash: row.take()?,
            is_session: true,
        };
        Ok(Self {
            credential,
            user: row.take()?,
            expires_at: row.take()?,
        })
    }
}

impl Granted<Account, Write> {
    /// Inserts a pass of the caller's token. Deletes those of the user that have expired
    /// or exceed the limit of the kind, oldest first. Locks the token and then the user, so that the pass is gone
    /// after a revocation or a disabling that comes at the same time.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unauthenticated`] if the caller's token is not a user's, or was revoked or its user disabled
    /// since the grant.
    pub async fn pass_insert(
        &self,
        transaction: &mut Transaction,
        pass: &NewPass,
    ) -> Result<InsertedPass> {
        let Actor::User {
            id: user, token, ..
        } = *self.actor()
        else {
            return Err(Error::Unauthenticated);
        };
        let longest = self.own_token_lock(transaction).await?;
        let transaction = self.within(transaction)?;
        let disabled: bool = transaction
            .query("select disabled from users where id = $1")
            .bind(&user)
            .locking(Lock::UpdateNoKey)
            .one(|row| row.take())
            .await?;
        if disabled {
            return Err(Error::Unauthenticated);
        }
        let deleted = transaction
            .query(
                "delete from passes where kind = $1 and token_id in (select id from tokens where user_id = $2) \
                 and secret_hash not in (select p.secret_hash from passes p join tokens t on t.id = p.token_id \
                 where p.kind = $1 and t.user_id = $2 and p.expires_at > $3 order by p.created_at desc limit $4)",
            )
            .bind(&pass.kind)
            .bind(&user)
            .bind(&pass.created_at)
            .bind(&(pass.kind.per_user_max() - 1))
            .execute()
            .await?;
        let expires_at = longest.map_or(pass.expires_at, |longest| longest.min(pass.expires_at));
        transaction
            .query(
                "insert into passes (secret_hash, kind, token_id, created_at, expires_at, browser, process) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&pass.secret_hash)
            .bind(&pass.kind)
            .bind(&token)
            .bind(&pass.created_at)
            .bind(&expires_at)
            .bind_optional(pass.browser.as_ref())
            .bind_optional(pass.process.as_ref())
            .execute()
            .await?;
        let is_known = pass.kind == PassKind::Session && deleted > 0;
        Ok(InsertedPass {
            expires_at,
            wakes: is_known.then_some(Topic::Account { owner: user }),
        })
    }
}

impl<R> Granted<Account, R> {
    /// Returns the sessions of the caller's user that have not expired, the newest first, without those that ended with
    /// a process other than `process`.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn own_sessions(
        &self,
        transaction: &mut Transaction,
        process: Option<&String>,
    ) -> Result<Vec<SessionRecord>> {
        let (owner, now) = (self.owner(), self.at());
        let query = self.within(transaction)?.query("select ").push(SESSION);
        let query = query.push(
            " from passes p join tokens t on t.id = p.token_id where p.kind = 'session' and t.user_id = ",
        );
        let query = query.value(&owner).push(" and p.expires_at > ").value(&now);
        let mut query = query.push(" and (p.process is null");
        if let Some(process) = process {
            query = query.push(" or p.process = ").value(process);
        }
        query
            .push(") order by p.created_at desc, p.secret_hash")
            .all(Row::take)
            .await
    }

    /// Returns how many sessions of a token have not expired, without those that ended with a process other than
    /// `process`.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn session_count(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        process: Option<&String>,
    ) -> Result<u64> {
        let now = self.at();
        self.within(transaction)?
            .query(
                "select cast(count(*) as bigint) from passes where kind = 'session' and token_id = $1 \
                 and expires_at > $2 and (process is null or process = $3)",
            )
            .bind(&token)
            .bind(&now)
            .bind_optional(process)
            .one(|row| row.take())
            .await
    }
}

impl Granted<Account, Write> {
    /// Deletes these sessions, as far as they are of the caller's user, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn sessions_end(
        &self,
        transaction: &mut Transaction,
        sessions: &[PassHash],
    ) -> Result<u64> {
        let owner = self.owner();
        let query = self
            .within(transaction)?
            .query("delete from passes where kind = 'session' and secret_hash in ")
            .list(sessions);
        query
            .push(" and token_id in (select id from tokens where user_id = ")
            .value(&owner)
            .push(")")
            .execute()
            .await
    }

    /// Returns the deed of ending sessions of the caller's user. It has no line in the audit log, like a sign-out,
    /// and every replica forgets the user's sessions that it has in memory.
    pub fn sessions_ended(&self) -> Deed {
        let owner = self.owner();
        Deed::unaudited("sessions end without a line").waking([Topic::Account { owner }])
    }
}

/// Deletes the passes of tokens that are revoked in the same transaction.
pub(crate) async fn end_those_of_tokens(
    transaction: &mut Transaction,
    tokens: impl IntoIterator<Item = &TokenId>,
) -> Result<()> {
    transaction
        .query("delete from passes where token_id in ")
        .list(tokens)
        .execute()
        .await?;
    Ok(())
}

/// Deletes the passes of a user who is disabled in the same transaction.
pub(crate) async fn end_those_of_user(transaction: &mut Transaction, user: UserId) -> Result<()> {
    transaction
        .query("delete from passes where token_id in (select id from tokens where user_id = $1)")
        .bind(&user)
        .execute()
        .await?;
    Ok(())
}

impl Database {
    /// Returns the token that a pass stands for, and records the use of a session. `None` if there is no such pass, or
    /// it has expired. Whether the token is valid is checked where it is used.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pass_holder(
        &self,
        kind: PassKind,
        secret_hash: &PassHash,
        now: Moment,
    ) -> Result<Option<PassHolder>> {
        let found: Option<(PassHolder, Option<Moment>)> = self
            .single(
                "select t.id, t.secret_hash, t.user_id, p.expires_at, p.last_used_at from passes p \
                 join tokens t on t.id = p.token_id \
                 where p.secret_hash = $1 and p.kind = $2 and p.expires_at > $3",
            )
            .bind(secret_hash)
            .bind(&kind)
            .bind(&now)
            .optional(|row| Ok((row.take()?, row.take()?)))
            .await?;
        let is_due = |used: Option<Moment>| {
            kind == PassKind::Session && used.is_none_or(|at| at.is_due(USE_RECORDED_EVERY, now))
        };
        Ok(found.map(|(holder, used)| {
            if is_due(used) {
                self.last_used().session_used(*secret_hash);
            }
            holder
        }))
    }
}

impl Upkeep<'_, task::Passes> {
    /// Deletes a pass, so that nobody uses it again, and returns the token that it stood for. `None` if there is no
    /// such pass, or it has expired.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn pass_take(
        &self,
        transaction: &mut Transaction,
        kind: PassKind,
        secret_hash: &PassHash,
        now: Moment,
    ) -> Result<Option<PassHolder>> {
        let taken = transaction
            .query(
                "delete from passes where secret_hash = $1 and kind = $2 and expires_at > $3 returning token_id, \
                 (select t.secret_hash from tokens t where t.id = token_id), \
                 (select t.user_id from tokens t where t.id = token_id), expires_at",
            )
            .bind(secret_hash)
            .bind(&kind)
            .bind(&now)
            .all_written(Row::take)
            .await?;
        Ok(taken.into_iter().next())
    }

    /// Returns the deed that a user's session has ended. It has no line in the audit log, and every replica forgets
    /// the user's sessions that it has in memory.
    pub fn session_ended(&self, user: UserId) -> Deed {
        self.unaudited().waking([Topic::Account { owner: user }])
    }

    /// Deletes the passes that have expired, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn passes_sweep(&self, transaction: &mut Transaction, now: Moment) -> Result<u64> {
        transaction
            .query("delete from passes where expires_at <= $1")
            .bind(&now)
            .execute()
            .await
    }
}
