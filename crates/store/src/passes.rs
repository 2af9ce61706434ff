//! Passes: sessions of the web page and one-time codes, by the hashes of their secrets.

use ctxpin_model::access::Actor;
use ctxpin_model::id::TokenId;
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::{PASSES_MAX, PassHash, PassKind};
use ctxpin_model::token::Credential;

use crate::database::{Database, Transaction};
use crate::error::{Error, Result};
use crate::grant::{Granted, Upkeep, object::Account, right::Write, task};

/// A pass to insert. It stands for the caller's own token.
#[derive(Debug, Clone)]
pub struct NewPass {
    pub kind: PassKind,
    pub secret_hash: PassHash,
    pub created_at: Moment,
    pub expires_at: Moment,
}

impl Granted<Account, Write> {
    /// Inserts a pass of the caller's token. Deletes those of the token that exceed the limit of the kind,
    /// oldest first. Returns `false` and inserts nothing if there are too many passes of all tokens.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unauthenticated`] if the caller has no user's token.
    pub async fn pass_insert(&self, transaction: &mut Transaction, pass: &NewPass) -> Result<bool> {
        let Actor::User { token, .. } = *self.actor() else {
            return Err(Error::Unauthenticated);
        };
        let transaction = self.within(transaction)?;
        transaction
            .query(
                "delete from passes where token_id = $1 and kind = $2 and secret_hash not in (\
                 select secret_hash from passes where token_id = $1 and kind = $2 and expires_at > $3 \
                 order by created_at desc limit $4)",
            )
            .bind(&token)
            .bind(&pass.kind)
            .bind(&pass.created_at)
            .bind(&(pass.kind.per_token_max() - 1))
            .execute()
            .await?;
        let inserted = transaction
            .query(
                "insert into passes (secret_hash, kind, token_id, created_at, expires_at) \
                 select $1, $2, t.id, $4, $5 from tokens t \
                 where t.id = $3 and (select count(*) from passes) < $6",
            )
            .bind(&pass.secret_hash)
            .bind(&pass.kind)
            .bind(&token)
            .bind(&pass.created_at)
            .bind(&pass.expires_at)
            .bind(&PASSES_MAX)
            .execute()
            .await?;
        Ok(inserted == 1)
    }
}

impl Database {
    /// Returns the credential of the token that a session stands for. `None` if there is no such session, or it
    /// has expired. Whether the token is valid is checked where it is used.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn session_credential(
        &self,
        secret_hash: &PassHash,
        now: Moment,
    ) -> Result<Option<Credential>> {
        self.single(
            "select t.id, t.secret_hash from passes p join tokens t on t.id = p.token_id \
             where p.secret_hash = $1 and p.kind = $2 and p.expires_at > $3",
        )
        .bind(secret_hash)
        .bind(&PassKind::Session)
        .bind(&now)
        .optional(|row| {
            Ok(Credential {
                id: row.take()?,
                secret_hash: row.take()?,
            })
        })
        .await
    }
}

impl Upkeep<'_, task::Passes> {
    /// Deletes a pass, so that nobody uses it again, and returns the credential of its token. `None` if there is
    /// no such pass, or it has expired.
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
    ) -> Result<Option<Credential>> {
        let taken = transaction
            .query(
                "delete from passes where secret_hash = $1 and kind = $2 and expires_at > $3 returning token_id",
            )
            .bind(secret_hash)
            .bind(&kind)
            .bind(&now)
            .all_written(|row| row.take::<TokenId>())
            .await?;
        let Some(token) = taken.first() else {
            return Ok(None);
        };
        transaction
            .query("select id, secret_hash from tokens where id = $1")
            .bind(token)
            .optional(|row| {
                Ok(Credential {
                    id: row.take()?,
                    secret_hash: row.take()?,
                })
            })
            .await
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
