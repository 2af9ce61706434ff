//! Users, their tokens and the audit log.

use std::collections::BTreeSet;

use chrono::Datelike;
use ctxpin_model::access::{Actor, Operation, Role, Roles, Scope, Scopes, demand_no_wider};
use ctxpin_model::audit::{AuditObject, AuditRecord};
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page, PageRequest};
use ctxpin_model::proof::{Challenge, Proof};
use ctxpin_model::quota::Stock;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::token::{Credential, Token, TokenRecord};
use ctxpin_model::user::{UserChange, UserRecord};
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, Upkeep, object, right, task};
use ctxpin_store::tokens::{Holder, NewToken, RevokedChild};
use ctxpin_store::wake::Topic;

use crate::error::{Error, Result};
use crate::frame::{commit, retry, write};
use crate::quotas::demand_room;
use crate::service::Service;

/// The name of the first user of a new database.
pub const FIRST_USER_NAME: &str = "admin";

/// What the label of the first user's token is.
const FIRST_TOKEN_LABEL: &str = "made by ctxpin serve";

/// What the label of a token is that was given for the first user.
const GIVEN_TOKEN_LABEL: &str = "given to ctxpin serve";

/// The last year that RFC 3339 can write (section 5.6).
const YEAR_MAX: i32 = 9999;

/// When [`first_user`] makes a token for a user that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstToken {
    /// Never: another replica has it.
    OnlyWithUser,
    /// Whoever holds the data itself may have one made anew.
    Always,
}

/// Makes the first user, member and admin, with a token of every scope, if there is no user. The
/// token is handed to `keep` before anything is written for good, so that it is never lost; if
/// `keep` fails, nothing is written. Answers whether a token was made.
pub async fn first_user<E>(
    service: &Service,
    policy: FirstToken,
    keep: impl Fn(&Token) -> std::result::Result<(), E>,
) -> Result<std::result::Result<bool, E>> {
    retry(|_| first_user_once(service, policy, &keep)).await
}

async fn first_user_once<E>(
    service: &Service,
    policy: FirstToken,
    keep: &impl Fn(&Token) -> std::result::Result<(), E>,
) -> Result<std::result::Result<bool, E>> {
    let now = service.clock.now();
    let upkeep = service.database.upkeep(task::FirstUser);
    let mut transaction = service.database.write().await?;
    let user = match upkeep.user_first(&mut transaction).await? {
        Some(_) if policy == FirstToken::OnlyWithUser => return Ok(Ok(false)),
        Some(user) => user.id,
        None => user_make_first(&upkeep, &mut transaction, now).await?,
    };
    let token = Token::new(TokenId::generate(now), rand::random());
    let new_token = first_token(&token, FIRST_TOKEN_LABEL, user, now);
    let deed = upkeep.token_insert(&mut transaction, &new_token).await?;
    if let Err(error) = keep(&token) {
        return Ok(Err(error));
    }
    commit(service, transaction, deed).await?;
    Ok(Ok(true))
}

/// Lets a token of the operator's own making open the database as the first user's, with every scope;
/// the first user, member and admin, is made if there is none. A token that was revoked stays so.
/// Answers whether it opens.
pub async fn first_token_given(service: &Service, token: &Token) -> Result<bool> {
    let opens = async || match may_send(service, token.credential(), None).await {
        Ok(_) => Ok(true),
        Err(Error::Store(ctxpin_store::error::Error::Unauthenticated)) => Ok(false),
        Err(error) => Err(error),
    };
    if opens().await? {
        return Ok(true);
    }
    match first_token_write(service, token).await {
        // There is one of that id: it was revoked, or another replica has just taken it in.
        Ok(()) | Err(Error::Store(ctxpin_store::error::Error::Conflict)) => opens().await,
        Err(error) => Err(error),
    }
}

async fn first_token_write(service: &Service, token: &Token) -> Result<()> {
    let now = service.clock.now();
    let upkeep = service.database.upkeep(task::FirstUser);
    let mut transaction = service.database.write().await?;
    let user = match upkeep.user_first(&mut transaction).await? {
        Some(user) => user.id,
        None => user_make_first(&upkeep, &mut transaction, now).await?,
    };
    let new_token = first_token(token, GIVEN_TOKEN_LABEL, user, now);
    let deed = upkeep.token_insert(&mut transaction, &new_token).await?;
    commit(service, transaction, deed).await
}

async fn user_make_first(
    upkeep: &Upkeep<'_, task::FirstUser>,
    transaction: &mut Transaction,
    now: Moment,
) -> Result<UserId> {
    let user = UserRecord {
        id: UserId::generate(now),
        name: FIRST_USER_NAME.into(),
        roles: [Role::Member, Role::Admin].into_iter().collect(),
        disabled: false,
        created_at: now,
    };
    upkeep.user_insert(transaction, &user).await?;
    Ok(user.id)
}

/// Returns a token of the first user with every scope, to be written.
fn first_token(token: &Token, label: &str, user: UserId, now: Moment) -> NewToken {
    NewToken {
        credential: token.credential(),
        holder: Holder::User(user),
        label: Some(label.into()),
        scopes: Scopes::all(),
        created_at: now,
        expires_at: None,
    }
}

/// Creates a user, who has no token yet.
pub async fn user_create(
    service: &Service,
    credential: Credential,
    name: &str,
    roles: Roles,
) -> Result<UserRecord> {
    write(service, credential, Operation::UserCreate, None, |_| {
        user_create_once(service, credential, name, roles)
    })
    .await
}

async fn user_create_once(
    service: &Service,
    credential: Credential,
    name: &str,
    roles: Roles,
) -> Result<UserRecord> {
    let caller = service.caller(credential);
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> = transaction
        .grant_account(&caller, Operation::UserCreate)
        .await?;
    if account.user_name_taken(&mut transaction, name).await? {
        return Err(name_taken(name));
    }
    let user = UserRecord {
        id: UserId::generate(caller.now),
        name: name.to_owned(),
        roles,
        disabled: false,
        created_at: caller.now,
    };
    account.user_insert(&mut transaction, &user).await?;
    let deed = account.deed([AuditObject::User(user.id)], []);
    commit(service, transaction, deed).await?;
    Ok(user)
}

fn name_taken(name: &str) -> Error {
    Error::Conflict(format!("there is a user called `{name}` already"))
}

/// Lists the users, newest first.
pub async fn users(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<UserRecord, IdCursor>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::UserList)
        .await?;
    Ok(account.users(&mut transaction, page).await?)
}

/// Changes a user's name, roles or whether the user is disabled. A disabled user's tokens, and
/// those of the user's agents, open nothing, and the user's watches end. Once enabled, the user has what was
/// there, but for what expired or was revoked meanwhile.
pub async fn user_change(
    service: &Service,
    credential: Credential,
    user: UserId,
    change: &UserChange,
) -> Result<UserRecord> {
    let object = Some(AuditObject::User(user));
    write(service, credential, Operation::UserChange, object, |_| {
        user_change_once(service, credential, user, change)
    })
    .await
}

async fn user_change_once(
    service: &Service,
    credential: Credential,
    user: UserId,
    change: &UserChange,
) -> Result<UserRecord> {
    let caller = service.caller(credential);
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> = transaction
        .grant_account(&caller, Operation::UserChange)
        .await?;
    let before = account
        .user(&mut transaction, user)
        .await?
        .ok_or(Error::NotFound("user"))?;
    if user == account.owner() && locks_out(change) {
        return Err(Error::Invalid(
            "an admin cannot take away their own role or disable themselves; ask another admin"
                .into(),
        ));
    }
    if let Some(name) = change.name.as_ref().filter(|name| **name != before.name)
        && account.user_name_taken(&mut transaction, name).await?
    {
        return Err(name_taken(name));
    }
    let after = account.user_update(&mut transaction, user, change).await?;
    let after = after.ok_or(Error::NotFound("user"))?;
    let deed = account.deed([AuditObject::User(user)], [Topic::Account { owner: user }]);
    commit(service, transaction, deed).await?;
    Ok(after)
}

fn locks_out(change: &UserChange) -> bool {
    change.disabled == Some(true) || change.roles.is_some_and(|roles| !roles.has(Role::Admin))
}

/// Makes a token. Its text is in the answer and nowhere else. It is never wider or longer-lived
/// than the one that makes it, also where an admin makes it for another user.
pub async fn token_create(
    service: &Service,
    credential: Credential,
    request: &TokenRequest,
) -> Result<(TokenRecord, Token)> {
    let operation = match request.user {
        Some(_) => Operation::TokenCreateFor,
        None => Operation::TokenCreate,
    };
    write(service, credential, operation, None, |_| {
        token_create_once(service, credential, request, operation)
    })
    .await
}

async fn token_create_once(
    service: &Service,
    credential: Credential,
    request: &TokenRequest,
    operation: Operation,
) -> Result<(TokenRecord, Token)> {
    let caller = service.caller(credential);
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> =
        transaction.grant_account(&caller, operation).await?;
    let scopes = scopes_of(account.actor());
    if request.scopes.is_empty() {
        return Err(Error::Invalid("a token needs at least one scope".into()));
    }
    if !scopes.covers(request.scopes) {
        return Err(Error::WiderToken(format!(
            "with more scopes than its own, which are: {scopes}"
        )));
    }
    let longest = account.own_token_hold(&mut transaction).await?;
    let expires_at = match (request.expires_at, longest) {
        (Some(asked), Some(longest)) if asked > longest => {
            return Err(Error::WiderToken(format!(
                "that lives longer than itself, until {longest}"
            )));
        }
        (asked, longest) => asked.or(longest),
    };
    if expires_at.is_some_and(|at| at.utc().year() > YEAR_MAX) {
        return Err(Error::Invalid(format!(
            "`expires_at` lies after the year {YEAR_MAX}; leave it out for a token that does not expire"
        )));
    }
    if expires_at.is_some_and(|at| at <= caller.now) {
        return Err(Error::Invalid("`expires_at` is in the past".into()));
    }
    let user = request.user.unwrap_or(account.owner());
    let (stock, now) = (Stock::Tokens, caller.now);
    let usage = demand_room(service, &mut transaction, &account, user, stock, now).await?;
    let kept = account.tokens_kept(&mut transaction, user).await?;
    if kept >= usage.quota(stock, &service.quotas.amounts) {
        // Those that open nothing any more are kept to be looked at, as long as there is room.
        account
            .tokens_forget(&mut transaction, user, caller.now)
            .await?;
    }
    let token = Token::new(TokenId::generate(caller.now), rand::random());
    let new_token = NewToken {
        credential: token.credential(),
        holder: Holder::User(user),
        label: request.label.clone(),
        scopes: request.scopes,
        created_at: caller.now,
        expires_at,
    };
    let deed = account.token_insert(&mut transaction, &new_token).await?;
    let id = new_token.credential.id;
    let record = account.token(&mut transaction, id, None).await?;
    commit(service, transaction, deed).await?;
    Ok((record.ok_or(Error::NotFound("token"))?, token))
}

/// What the caller's token may be used for; nothing of an agent's.
fn scopes_of(actor: &Actor) -> Scopes {
    match actor {
        Actor::User { scopes, .. } => *scopes,
        Actor::Agent { .. } | Actor::System => Scopes::default(),
    }
}

/// Lists the caller's own tokens, newest first, without their secrets.
pub async fn tokens(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<TokenRecord, IdCursor>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::TokenList)
        .await?;
    Ok(account.own_tokens(&mut transaction, page).await?)
}

/// Whose tokens the caller may revoke: their own; `None` stands for everybody's, with an admin's scope.
fn revokes_of<R>(account: &Granted<object::Account, R>) -> Option<UserId> {
    let of_everybody = match account.actor() {
        Actor::User { roles, scopes, .. } => roles.has(Role::Admin) && scopes.has(Scope::Admin),
        Actor::Agent { .. } | Actor::System => false,
    };
    (!of_everybody).then_some(account.owner())
}

/// Lists what a token made, and what that made, as far as it opens something: users' and agents' tokens,
/// newest first. How many there are is bounded by how many tokens and agents their users may have.
pub async fn token_children(
    service: &Service,
    credential: Credential,
    token: TokenId,
    page: &PageRequest<IdCursor>,
) -> Result<Page<TokenRecord, IdCursor>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::TokenChildren)
        .await?;
    let owner = revokes_of(&account);
    account
        .token(&mut transaction, token, owner)
        .await?
        .ok_or(Error::NotFound("token"))?;
    let children = account
        .token_children(&mut transaction, token, caller.now, page)
        .await?;
    Ok(children)
}

/// How much ends with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It alone.
    Alone,
    /// What it made too, and what that made: users' tokens, and agents', which stay without one.
    WithChildren,
}

/// Revokes one of the caller's own tokens; an admin with the admin scope any user's. It revokes none wider
/// than itself. An agent's token is not named: it goes with its maker, or with the agent.
pub async fn token_revoke(
    service: &Service,
    credential: Credential,
    token: TokenId,
    revoked: Revoked,
) -> Result<()> {
    let object = Some(AuditObject::Token(token));
    write(service, credential, Operation::TokenRevoke, object, |_| {
        token_revoke_once(service, credential, token, revoked)
    })
    .await
}

async fn token_revoke_once(
    service: &Service,
    credential: Credential,
    token: TokenId,
    revoked: Revoked,
) -> Result<()> {
    let operation = Operation::TokenRevoke;
    let caller = service.caller(credential);
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> =
        transaction.grant_account(&caller, operation).await?;
    let owner = revokes_of(&account);
    let named = account.token(&mut transaction, token, owner).await?;
    let named = named.ok_or(Error::NotFound("token"))?;
    // What it made is no wider than itself.
    demand_no_wider(scopes_of(account.actor()), named.scopes)
        .map_err(ctxpin_store::error::Error::Forbidden)?;
    account
        .token_revoke(&mut transaction, token, caller.now)
        .await?;
    let children = match revoked {
        Revoked::Alone => Vec::new(),
        Revoked::WithChildren => {
            children_revoke(&mut transaction, &account, token, caller.now).await?
        }
    };
    let tokens = std::iter::once(token).chain(children.iter().map(|child| child.token));
    let mut topics = BTreeSet::from([Topic::Account { owner: named.user }]);
    topics.extend(children.iter().map(topic));
    let deed = account.deed(tokens.map(AuditObject::Token), topics);
    commit(service, transaction, deed).await
}

/// Revokes what a token made until there is no more: what was being made meanwhile too.
async fn children_revoke(
    transaction: &mut Transaction,
    account: &Granted<object::Account, right::Write>,
    token: TokenId,
    at: Moment,
) -> Result<Vec<RevokedChild>> {
    let mut revoked = Vec::new();
    loop {
        let children = account
            .token_children_revoke(transaction, token, at)
            .await?;
        if children.is_empty() {
            return Ok(revoked);
        }
        revoked.extend(children);
    }
}

/// What those who watch are told of a token that ended with another one.
fn topic(child: &RevokedChild) -> Topic {
    let owner = child.user;
    match child.agent {
        Some(agent) => Topic::Agent { owner, agent },
        None => Topic::Account { owner },
    }
}

/// Who the caller is, and by which token.
pub async fn me(service: &Service, credential: Credential) -> Result<(UserRecord, TokenRecord)> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::MeRead)
        .await?;
    let user = account.own_user(&mut transaction).await?;
    let token = account.token(&mut transaction, credential.id, None).await?;
    Ok((user, token.ok_or(Error::NotFound("token"))?))
}

/// Proves to whoever has a token that this server knows it. Nobody is asked who they are: a proof tells
/// nothing to those who do not have the token, not even whether there is one of that id.
pub async fn token_proof(
    service: &Service,
    token: TokenId,
    challenge: &Challenge,
) -> Result<Proof> {
    Ok(service.database.token_proof(token, challenge).await?)
}

/// Tells who presents a token, or whose agent does, in one statement: before more is done for them than
/// to read a few bytes. With an operation, only if they may do it on what is theirs; whether they may do
/// it on what they ask for is seen by the operation itself.
pub async fn may_send(
    service: &Service,
    credential: Credential,
    operation: Option<Operation>,
) -> Result<UserId> {
    let caller = service.caller(credential);
    let actor = service.database.identify(&caller, operation).await;
    let actor = actor.map_err(Error::from);
    let actor = match operation {
        Some(operation) => service.audited(credential, operation, None, actor).await?,
        None => actor?,
    };
    actor.user().ok_or(Error::NotFound("account"))
}

/// Demands that the caller may read what the server counts.
pub async fn demand_metrics(service: &Service, credential: Credential) -> Result<()> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let _granted: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::MetricsRead)
        .await?;
    Ok(())
}

/// Lists the audit log, newest first.
pub async fn audit_log(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<AuditRecord, IdCursor>> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::AuditRead)
        .await?;
    Ok(account.audit_log(&mut transaction, page).await?)
}
