//! Tokens. The database holds only a hash of a token's secret, and the hash never leaves this crate.

use ctxpin_model::access::{Actor, Object, Operation, Scopes};
use ctxpin_model::audit::{AuditObject, NewTokenRecord};
use ctxpin_model::door::Door;
use ctxpin_model::id::{AgentId, TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::proof::{self, Challenge, Proof};
use ctxpin_model::token::Credential;
use ctxpin_model::token::{Maker, TokenRecord};

use crate::audit::Act;
use crate::database::{CHUNK, Database, Transaction};
use crate::deed::Deed;
use crate::error::{Error, Result};
use crate::grant::{Caller, check_caller, read_caller, require};
use crate::grant::{
    Grantable, Granted, Upkeep, object::Account, object::Agent, right::Write, task,
};
use crate::last_used::Uses;
use crate::passes;
use crate::query::Lock;
use crate::values::{Columns, Row, Value, columns};
use ctxpin_model::page::{IdCursor, Page, PageRequest};

/// The holder of a new token.
#[derive(Debug, Clone, Copy)]
pub enum Holder {
    User(UserId),
    Agent(AgentId),
}

/// A token to insert.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub credential: Credential,
    pub holder: Holder,
    /// The user's note on the purpose of the token.
    pub label: Option<String>,
    pub scopes: Scopes,
    pub created_at: Moment,
    /// The time from which the token is not valid.
    pub expires_at: Option<Moment>,
}

impl NewToken {
    /// Returns the token as the audit log names it.
    fn record(&self) -> NewTokenRecord {
        NewTokenRecord {
            id: self.credential.id,
            user: match self.holder {
                Holder::User(user) => Some(user),
                Holder::Agent(_) => None,
            },
            scopes: self.scopes,
            expires_at: self.expires_at,
        }
    }
}

columns! {
    COLUMNS of TokenRecord {
        id: "t.id",
        user: "coalesce(t.user_id, a.owner_id)",
        agent: "t.agent_id",
        label: "t.label",
        scopes: "t.scopes",
        created_at: "t.created_at",
        expires_at: "t.expires_at",
        last_used_at: "t.last_used_at",
        revoked_at: "t.revoked_at",
        made_by: "t.made_by_token, t.made_by_user, m.name",
    }
}

/// The joins that [`COLUMNS`] need: the token is `t`, its agent `a` and the user who made it `m`.
const JOINS: &str =
    " left join agents a on a.id = t.agent_id left join users m on m.id = t.made_by_user";

/// A token that was revoked along with the token that made it.
#[derive(Debug, Clone, Copy)]
pub struct RevokedChild {
    pub token: TokenId,
    /// The user of the token, or the owner of its agent.
    pub user: UserId,
    /// The agent, if the token is an agent's.
    pub agent: Option<AgentId>,
}

/// The tokens of the agent `$1`.
pub(crate) const OF_AGENT: &str = "agent_id = $1";

/// The tokens that the token `$1` made, directly or through others.
const CHILDREN: &str = "with recursive children (id) as (\
     select c.id from tokens c where c.made_by_token = $1 \
     union select c.id from tokens c join children p on p.id = c.made_by_token)";

impl Columns for Option<Maker> {
    fn take(row: &mut Row) -> Result<Self> {
        let token = row.take()?;
        let user: Option<UserId> = row.take()?;
        let name: Option<String> = row.take()?;
        let made_by = user.zip(name);
        Ok(made_by.map(|(user, name)| Maker { token, user, name }))
    }
}

/// Inserts a token that the actor makes.
async fn insert(transaction: &mut Transaction, token: &NewToken, by: &Actor) -> Result<()> {
    let (user, agent) = match token.holder {
        Holder::User(user) => (Some(user), None),
        Holder::Agent(agent) => (None, Some(agent)),
    };
    let made_by = match by {
        Actor::User { id, token, .. } => Some((*token, *id)),
        Actor::Agent { .. } | Actor::System => None,
    };
    let (made_by_token, made_by_user) = made_by.unzip();
    transaction
        .query(
            "insert into tokens (id, user_id, agent_id, label, scopes, secret_hash, created_at, expires_at, \
             made_by_token, made_by_user) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&token.credential.id)
        .bind_optional(user.as_ref())
        .bind_optional(agent.as_ref())
        .bind_optional(token.label.as_ref())
        .bind(&token.scopes)
        .bind(&token.credential.secret_hash)
        .bind(&token.created_at)
        .bind_optional(token.expires_at.as_ref())
        .bind_optional(made_by_token.as_ref())
        .bind_optional(made_by_user.as_ref())
        .execute()
        .await?;
    Ok(())
}

/// Keeps the hashes of the tokens that are about to be deleted: those for which `condition` holds, in which `$1` is
/// `holder` and `$2` the time.
pub(crate) async fn keep_ended(
    transaction: &mut Transaction,
    condition: &'static str,
    holder: &(impl Value + Sync),
    now: Moment,
) -> Result<()> {
    transaction
        .query(
            "insert into ended_tokens (id, secret_hash, ended_at) \
             select id, secret_hash, $2 from tokens where ",
        )
        .push(condition)
        .bind(holder)
        .bind(&now)
        .execute()
        .await?;
    Ok(())
}

impl Upkeep<'_, task::Passes> {
    /// Deletes the hashes of tokens that ended before `before`, and returns how many there were.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn ended_tokens_sweep(
        &self,
        transaction: &mut Transaction,
        before: Moment,
    ) -> Result<u64> {
        transaction
            .query("delete from ended_tokens where ended_at < $1")
            .bind(&before)
            .execute()
            .await
    }
}

impl Database {
    /// Returns the proof that this server knows the token, or the enrolment code of that id, or that it knew the
    /// token not long ago. For an unknown id the same statement runs, and nobody can verify the proof.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_proof(&self, token: TokenId, challenge: &Challenge) -> Result<Proof> {
        let secret_hash: Option<[u8; 32]> = self
            .single(
                "select secret_hash from tokens where id = $1 \
                 union all select secret_hash from enrolment_codes where id = $1 \
                 union all select secret_hash from ended_tokens where id = $1",
            )
            .bind(&token)
            .optional(|row| row.take())
            .await?;
        let decoy_hash = proof::decoy_hash(&self.shared().proof_key.0, token);
        Ok(challenge.proof(&secret_hash.unwrap_or(decoy_hash)))
    }

    /// Returns the actor of the token, if it may do `operation` on an object of its own. With `None`, any
    /// valid token will do.
    ///
    /// # Errors
    ///
    /// Fails if the [check](crate::grant) does.
    pub async fn identify(&self, caller: &Caller, operation: Option<Operation>) -> Result<Actor> {
        let actor = check_caller(self.single(""))
            .bind(&caller.credential.id)
            .optional(|row| read_caller(row, caller, self.last_used(), false))
            .await?
            .ok_or(Error::Unauthenticated)?;
        if let Some(operation) = operation {
            let own = actor.user().map_or(Object::Collection, Object::Owned);
            require(&actor, operation, own, "account")?;
        }
        Ok(actor)
    }
}

impl Upkeep<'_, task::FirstUser> {
    /// Inserts a token of the first user. Returns a deed of the system.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_insert(
        &self,
        transaction: &mut Transaction,
        token: &NewToken,
    ) -> Result<Deed> {
        insert(transaction, token, &Actor::System).await?;
        let object = AuditObject::Token(token.credential.id);
        let act = Act {
            by: Actor::System,
            door: Door::System,
            operation: Operation::TokenCreate,
            at: token.created_at,
        };
        Ok(Deed::of_new_token(act, object, token.record()))
    }
}

impl Upkeep<'_, task::LastUsed> {
    /// Writes `at` as the last use of these tokens, agents and sessions. Locks agents before tokens and these before
    /// sessions, and rows in the order of their ids, because several replicas may write at once.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn last_used_write(
        &self,
        transaction: &mut Transaction,
        uses: &Uses,
        at: Moment,
    ) -> Result<()> {
        let agents: Vec<_> = uses.agents.iter().collect();
        for chunk in agents.chunks(CHUNK) {
            let lock = "select id from agents where id in ";
            let update = ["update agents set last_seen_at = ", " where id in "];
            write_time(transaction, lock, update, chunk, at).await?;
        }
        let tokens: Vec<_> = uses.tokens.iter().collect();
        for chunk in tokens.chunks(CHUNK) {
            let lock = "select id from tokens where id in ";
            let update = ["update tokens set last_used_at = ", " where id in "];
            write_time(transaction, lock, update, chunk, at).await?;
        }
        let sessions: Vec<_> = uses.sessions.iter().collect();
        for chunk in sessions.chunks(CHUNK) {
            let lock = "select secret_hash from passes where secret_hash in ";
            let update = [
                "update passes set last_used_at = ",
                " where secret_hash in ",
            ];
            write_time(transaction, lock, update, chunk, at).await?;
        }
        Ok(())
    }
}

/// Locks rows in the order of their ids, and writes the time into them.
async fn write_time<V: Value>(
    transaction: &mut Transaction,
    lock: &'static str,
    [update, of_ids]: [&'static str; 2],
    ids: &[&V],
    at: Moment,
) -> Result<()> {
    transaction
        .query(lock)
        .list(ids.iter().copied())
        .push(" order by 1")
        .locking(Lock::Update)
        .all(|row| row.take::<V>())
        .await?;
    transaction
        .query(update)
        .value(&at)
        .push(of_ids)
        .list(ids.iter().copied())
        .execute()
        .await?;
    Ok(())
}

impl<O: Grantable> Granted<O, Write> {
    /// Returns the expiry of the caller's own token, and locks it against revocation until the transaction
    /// ends. A revocation with its children therefore finds the tokens that this transaction makes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unauthenticated`] if the token was revoked since the grant, or is an agent's.
    pub async fn own_token_lock(&self, transaction: &mut Transaction) -> Result<Option<Moment>> {
        let Actor::User { token, .. } = *self.actor() else {
            return Err(Error::Unauthenticated);
        };
        let (expires_at, revoked_at): (_, Option<Moment>) = self
            .within(transaction)?
            .query("select expires_at, revoked_at from tokens where id = $1")
            .bind(&token)
            .locking(Lock::Share)
            .one(|row| Ok((row.take()?, row.take()?)))
            .await?;
        match revoked_at {
            Some(_) => Err(Error::Unauthenticated),
            None => Ok(expires_at),
        }
    }
}

impl Granted<Account, Write> {
    /// Inserts a token that the caller makes.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_insert(
        &self,
        transaction: &mut Transaction,
        token: &NewToken,
    ) -> Result<Deed> {
        insert(self.within(transaction)?, token, self.actor()).await?;
        let object = AuditObject::Token(token.credential.id);
        Ok(Deed::of_new_token(self.act(), object, token.record()))
    }

    /// Revokes a token, and ends its passes. A token that is revoked already keeps its time.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_revoke(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        at: Moment,
    ) -> Result<()> {
        let transaction = self.within(transaction)?;
        transaction
            .query("update tokens set revoked_at = coalesce(revoked_at, $2) where id = $1")
            .bind(&token)
            .bind(&at)
            .execute()
            .await?;
        passes::end_those_of_tokens(transaction, [&token]).await
    }

    /// Revokes the valid tokens of users and agents that a token made, directly or through others, ends their
    /// passes, and returns the tokens. Another token may be made meanwhile, so call this until it returns none.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_children_revoke(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        at: Moment,
    ) -> Result<Vec<RevokedChild>> {
        let transaction = self.within(transaction)?;
        let children = transaction
            .query(
                "select t.id, coalesce(t.user_id, (select a.owner_id from agents a where a.id = t.agent_id)), t.agent_id \
                 from tokens t where t.id in (",
            )
            .push(CHILDREN)
            .push(
                " select id from children) and t.revoked_at is null \
                 and (t.expires_at is null or t.expires_at > $2) order by t.id",
            )
            .bind(&token)
            .bind(&at)
            .locking(Lock::Update)
            .all(|row| {
                Ok(RevokedChild {
                    token: row.take()?,
                    user: row.take()?,
                    agent: row.take()?,
                })
            })
            .await?;
        for chunk in children.chunks(CHUNK) {
            transaction
                .query("update tokens set revoked_at = ")
                .value(&at)
                .push(" where id in ")
                .list(chunk.iter().map(|child| &child.token))
                .execute()
                .await?;
            passes::end_those_of_tokens(transaction, chunk.iter().map(|child| &child.token))
                .await?;
        }
        Ok(children)
    }
}

impl Granted<Agent, Write> {
    /// Inserts the token that the caller makes for the agent, and deletes the agent's previous one.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn agent_token_set(
        &self,
        transaction: &mut Transaction,
        token: &NewToken,
    ) -> Result<Deed> {
        let agent = self.id();
        let transaction = self.within(transaction)?;
        keep_ended(transaction, OF_AGENT, &agent, token.created_at).await?;
        transaction
            .query("delete from tokens where ")
            .push(OF_AGENT)
            .bind(&agent)
            .execute()
            .await?;
        insert(transaction, token, self.actor()).await?;
        let object = AuditObject::Agent(agent);
        let deed = Deed::of_new_token(self.act(), object, token.record());
        Ok(deed.waking([self.topic()]))
    }
}

impl<R> Granted<Account, R> {
    /// Returns a page of the caller's own tokens, newest first, with those revoked and expired.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn own_tokens(
        &self,
        transaction: &mut Transaction,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<TokenRecord, IdCursor>> {
        let owner = self.owner();
        let transaction = self.within(transaction)?;
        let query = transaction
            .query("select ")
            .push_all([COLUMNS, " from tokens t", JOINS, " where t.user_id = "])
            .value(&owner);
        let tokens = query.page("t.id", page).all(Row::take).await?;
        Ok(Page::of(tokens, page, |token: &TokenRecord| {
            token.id.uuid()
        }))
    }

    /// Returns the user's token of that id. With `owner`, returns it only if it is theirs.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        owner: Option<UserId>,
    ) -> Result<Option<TokenRecord>> {
        let transaction = self.within(transaction)?;
        let query = transaction
            .query("select ")
            .push_all([COLUMNS, " from tokens t", JOINS]);
        let query = query.push(" where t.id = $1 and t.user_id is not null");
        let found: Option<TokenRecord> = query.bind(&token).optional(Row::take).await?;
        Ok(found.filter(|found| owner.is_none_or(|owner| found.user == owner)))
    }

    /// Returns a page of the tokens of users and agents that a token made, directly or through others, and
    /// that are valid at `now`, newest first.
    ///
    /// # Errors
    ///
    /// Fails if the database does.
    pub async fn token_children(
        &self,
        transaction: &mut Transaction,
        token: TokenId,
        now: Moment,
        page: &PageRequest<IdCursor>,
    ) -> Result<Page<TokenRecord, IdCursor>> {
        let transaction = self.within(transaction)?;
        let query = transaction
            .query(CHILDREN)
            .push_all([
                " select ",
                COLUMNS,
                " from children join tokens t on t.id = children.id",
                JOINS,
            ])
            .push(" where t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)")
            .bind(&token)
            .bind(&now);
        let tokens = query.page("t.id", page).all(Row::take).await?;
        Ok(Page::of(tokens, page, |token: &TokenRecord| {
            token.id.uuid()
        }))
    }
}
