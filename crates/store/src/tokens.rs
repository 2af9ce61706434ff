//! Tokens. Of a token's secret only a hash is here, and it never leaves this crate.

use ctxpin_model::access::{Actor, Object, Operation, Scopes};
use ctxpin_model::id::{AgentId, TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;
use ctxpin_model::token::TokenRecord;

use uuid::Uuid;

use crate::database::{CHUNK, Database, Lock, Transaction, placeholders};
use crate::error::{Error, Result};
use crate::grant::{Caller, check_caller_sql, demand, read_caller};
use crate::grant::{Granted, SignsOfLife, object::Account, object::Agent, right::Write};
use crate::values::{Row, Value};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

/// Whom a new token is for.
#[derive(Debug, Clone, Copy)]
pub enum Holder {
    /// A user.
    User(UserId),
    /// An agent.
    Agent(AgentId),
}

/// A token to write.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its id and the hash of its secret.
    pub credential: Credential,
    /// Whom it is for.
    pub holder: Holder,
    /// What it is for.
    pub label: Option<String>,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Moment,
    /// From when on it opens nothing.
    pub expires_at: Option<Moment>,
}

const COLUMNS: &str =
    "id, user_id, label, scopes, created_at, expires_at, last_used_at, revoked_at";

fn read(row: &mut Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: row.take()?,
        user: row.take()?,
        label: row.take_optional()?,
        scopes: row.take()?,
        created_at: row.take()?,
        expires_at: row.take_optional()?,
        last_used_at: row.take_optional()?,
        revoked_at: row.take_optional()?,
    })
}

async fn insert(transaction: &mut Transaction, token: &NewToken) -> Result<()> {
    let (user, agent) = match token.holder {
        Holder::User(user) => (Some(user), None),
        Holder::Agent(agent) => (None, Some(agent)),
    };
    transaction
        .query(
            "insert into tokens (id, user_id, agent_id, label, scopes, secret_hash, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&token.credential.id)
        .bind_optional(user.as_ref())
        .bind_optional(agent.as_ref())
        .bind_optional(token.label.as_ref())
        .bind(&token.scopes)
        .bind(&token.credential.secret_hash)
        .bind(&token.created_at)
        .bind_optional(token.expires_at.as_ref())
        .execute()
        .await?;
    Ok(())
}

impl Database {
    /// Tells who calls, if they may do the operation on what is theirs. Without one it is enough that the
    /// token opens anything.
    pub async fn identify(&self, caller: &Caller, operation: Option<Operation>) -> Result<Actor> {
        let actor = self
            .single(check_caller_sql())
            .bind(&caller.credential.id)
            .optional(|row| read_caller(row, caller, self.signs(), false))
            .await?
            .ok_or(Error::Unauthenticated)?;
        if let Some(operation) = operation {
            let own = actor.user().map_or(Object::Collection, Object::Owned);
            demand(&actor, operation, own, "account")?;
        }
        Ok(actor)
    }
}

impl Transaction {
    /// Writes a token for the first user, whom nobody is there to grant it.
    pub async fn token_insert_first(&mut self, token: &NewToken) -> Result<()> {
        insert(self, token).await
    }

    /// Writes signs of life: when tokens were used last, and when agents were seen. Rows are locked
    /// in the order of their ids, since several replicas may do so at once.
    pub async fn signs_write(&mut self, signs: &SignsOfLife, at: Moment) -> Result<()> {
        let tokens: Vec<_> = signs.tokens.iter().collect();
        for chunk in tokens.chunks(CHUNK) {
            self.sign("tokens", "last_used_at", chunk, at).await?;
        }
        let agents: Vec<_> = signs.agents.iter().collect();
        for chunk in agents.chunks(CHUNK) {
            self.sign("agents", "last_seen_at", chunk, at).await?;
        }
        Ok(())
    }

    async fn sign<V: Value>(
        &mut self,
        table: &str,
        column: &str,
        ids: &[&V],
        at: Moment,
    ) -> Result<()> {
        let list = placeholders(1, ids.len(), 1);
        let sql = format!("select id from {table} where id in {list} order by id");
        self.query_locking(&sql, Lock::Update)
            .bind_all(ids.iter().copied())
            .all(|row| row.take::<Uuid>())
            .await?;
        let list = placeholders(1, ids.len(), 2);
        self.query(format!(
            "update {table} set {column} = $1 where id in {list}"
        ))
        .bind(&at)
        .bind_all(ids.iter().copied())
        .execute()
        .await?;
        Ok(())
    }
}

impl Granted<Account, Write> {
    /// Writes a token.
    pub async fn token_insert(
        &self,
        transaction: &mut Transaction,
        token: &NewToken,
    ) -> Result<()> {
        insert(self.within(transaction)?, token).await
    }

    /// When the caller's own token expires.
    pub async fn own_token_expiry(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
    ) -> Result<Option<Moment>> {
        let transaction = self.within(transaction)?;
        transaction
            .query("select expires_at from tokens where id = $1")
            .bind(&token)
            .one(|row| row.take_optional())
            .await
    }

    /// Revokes a token of `owner`; `false` if there is none of that id. Revoking twice keeps the
    /// first time.
    pub async fn token_revoke(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        owner: Option<UserId>,
        at: Moment,
    ) -> Result<bool> {
        let transaction = self.within(transaction)?;
        let of_owner = if owner.is_some() {
            "and user_id = $3"
        } else {
            "and user_id is not null"
        };
        let mut query = transaction
            .query(format!(
                "update tokens set revoked_at = coalesce(revoked_at, $2) where id = $1 {of_owner}"
            ))
            .bind(&token)
            .bind(&at);
        if let Some(owner) = &owner {
            query = query.bind(owner);
        }
        Ok(query.execute().await? > 0)
    }
}

impl Granted<Agent, Write> {
    /// Writes the token of the agent.
    pub async fn agent_token_insert(
        &self,
        transaction: &mut Transaction,
        token: &NewToken,
    ) -> Result<()> {
        insert(self.within(transaction)?, token).await
    }
}

impl<R> Granted<Account, R> {
    /// Lists the caller's own tokens, newest first, those revoked and expired too.
    pub async fn own_tokens(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<TokenRecord, IdCursor>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let after = if page.after.is_some() {
            "and id < $3"
        } else {
            ""
        };
        let sql = format!(
            "select {COLUMNS} from tokens where user_id = $1 {after} order by id desc limit $2"
        );
        let mut query = transaction.query(sql).bind(&owner).bind(&(page.limit + 1));
        if let Some(after) = &page.after {
            query = query.bind(after);
        }
        let tokens = query.all(read).await?;
        Ok(Page::of(tokens, page.limit, |token| token.id.uuid()))
    }

    /// The caller's own token.
    pub async fn own_token(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
    ) -> Result<TokenRecord> {
        let transaction = self.within(transaction)?;
        let sql = format!("select {COLUMNS} from tokens where id = $1");
        transaction.query(sql).bind(&token).one(read).await
    }
}
