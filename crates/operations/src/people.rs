//! Users, their tokens and the audit log. The secret of a token is in the response that creates it, and kept
//! nowhere.

use std::collections::BTreeSet;

use chrono::Datelike;
use ctxpin_model::access::{Actor, Operation, Role, Roles, Scope, Scopes, require_no_wider};
use ctxpin_model::audit::{AuditFilter, AuditObject, AuditRecord};
use ctxpin_model::id::{TokenId, UserId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, PAGE_ITEMS_MAX, Page, PageRequest};
use ctxpin_model::proof::{Challenge, Proof};
use ctxpin_model::quota::Stock;
use ctxpin_model::token::TokenRequest;
use ctxpin_model::token::{Credential, Token, TokenRecord};
use ctxpin_model::user::{UserChange, UserRecord};
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, Upkeep, object, right, task};
use ctxpin_store::tokens::{Holder, NewToken, RevokedChild};
use ctxpin_store::topic::Topic;

use crate::error::{Error, Result};
use crate::frame::{audited, commit, read_account, retry, write, write_account};
use crate::quotas::require_room;
use crate::service::Service;

/// The name of the first user of a new database.
pub const FIRST_USER_NAME: &str = "admin";

/// The label of the first user's token.
const FIRST_TOKEN_LABEL: &str = "made by ctxpin serve";

/// The label of a token that the operator chose for the first user.
const CHOSEN_TOKEN_LABEL: &str = "given to ctxpin serve";

/// The last year that RFC 3339 can write (section 5.6).
const YEAR_MAX: i32 = 9999;

/// The cases in which [`first_user`] creates a token for a user that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstToken {
    /// Never, because another replica has kept it.
    OnlyWithUser,
    /// Always, because a user who can write the database's files may have a new token.
    Always,
}

/// Creates the first user, who is a member and admin, with a token of every scope, unless there is a user.
/// Returns whether a token was created. `keep` gets the token before the commit, so that it is never lost.
///
/// # Errors
///
/// Fails if the database does. If `keep` fails, nothing is written, and the inner result is the error of
/// `keep`.
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
        None => create_first_user(&upkeep, &mut transaction, now).await?,
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

/// Adds a token that the operator chose to the first user, with every scope. Creates that user if there is none.
/// Returns whether the token is valid: a token that was revoked stays revoked.
///
/// # Errors
///
/// Fails if the database does.
pub async fn first_token_given(service: &Service, token: &Token) -> Result<bool> {
    let opens = async || match identify(service, token.credential(), None).await {
        Ok(_) => Ok(true),
        Err(Error::Store(ctxpin_store::error::Error::Unauthenticated)) => Ok(false),
        Err(error) => Err(error),
    };
    if opens().await? {
        return Ok(true);
    }
    match add_first_token(service, token).await {
        // A token of that id exists: it was revoked, or another replica has just added it.
        Ok(()) | Err(Error::Store(ctxpin_store::error::Error::Conflict)) => opens().await,
        Err(error) => Err(error),
    }
}

async fn add_first_token(service: &Service, token: &Token) -> Result<()> {
    let now = service.clock.now();
    let upkeep = service.database.upkeep(task::FirstUser);
    let mut transaction = service.database.write().await?;
    let user = match upkeep.user_first(&mut transaction).await? {
        Some(user) => user.id,
        None => create_first_user(&upkeep, &mut transaction, now).await?,
    };
    let new_token = first_token(token, CHOSEN_TOKEN_LABEL, user, now);
    let deed = upkeep.token_insert(&mut transaction, &new_token).await?;
    commit(service, transaction, deed).await
}

async fn create_first_user(
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

/// Returns the row of a token of the first user with every scope.
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

/// Creates a user without a token.
///
/// # Errors
///
/// Returns [`Error::Conflict`] if the name is taken, and [`Error::Store`] if the caller is no admin.
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
    let (mut transaction, account) = write_account(service, &caller, Operation::UserCreate).await?;
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
    Error::Conflict(format!("a user called `{name}` exists already"))
}

/// Returns a page of the users, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller is no admin.
pub async fn users(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<UserRecord, IdCursor>> {
    let (mut transaction, account) = read_account(service, credential, Operation::UserList).await?;
    Ok(account.users(&mut transaction, page).await?)
}

/// Renames, disables or enables a user, or changes the user's roles. While a user is disabled, the tokens of the
/// user and of the user's agents are not valid, and their watches end. Tokens that did not expire and were not
/// revoked meanwhile are valid again once the user is enabled.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such user, [`Error::Conflict`] if the name is taken,
/// [`Error::Invalid`] if admins disable themselves or give up their role, and [`Error::Store`] if the caller is
/// no admin.
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
    let (mut transaction, account) = write_account(service, &caller, Operation::UserChange).await?;
    let before = account
        .user(&mut transaction, user)
        .await?
        .ok_or(Error::NotFound("user"))?;
    if user == account.owner() && removes_admin_access(change) {
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

/// Returns whether the change would keep a user from acting as an admin.
fn removes_admin_access(change: &UserChange) -> bool {
    change.disabled == Some(true) || change.roles.is_some_and(|roles| !roles.has(Role::Admin))
}

/// Creates a token for the caller, or for another user if the caller is an admin.
///
/// # Errors
///
/// Returns [`Error::WiderToken`] if it would have more scopes or be valid for longer than the caller's token,
/// [`Error::Invalid`] if it has no scope or an impossible expiry, [`Error::QuotaExceeded`] if the user has too
/// many tokens, [`Error::NotFound`] if there is no such user, and [`Error::Store`] if the caller may not create
/// it.
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
    let (mut transaction, account) = write_account(service, &caller, operation).await?;
    let scopes = scopes_of(account.actor());
    if request.scopes.is_empty() {
        return Err(Error::Invalid("a token needs at least one scope".into()));
    }
    if scopes.lacking(request.scopes).is_some() {
        return Err(Error::WiderToken(format!(
            "with more scopes than its own, which are: {scopes}"
        )));
    }
    let longest = account.own_token_lock(&mut transaction).await?;
    let expires_at = match (request.expires_at, longest) {
        (Some(asked), Some(longest)) if asked > longest => {
            return Err(Error::WiderToken(format!(
                "that is valid for longer than itself, until {longest}"
            )));
        }
        (asked, longest) => asked.or(longest),
    };
    if expires_at.is_some_and(|at| at.utc().year() > YEAR_MAX) {
        return Err(Error::Invalid(format!(
            "`expires_at` is after the year {YEAR_MAX}; leave it out for a token that does not expire"
        )));
    }
    if expires_at.is_some_and(|at| at <= caller.now) {
        return Err(Error::Invalid("`expires_at` is in the past".into()));
    }
    let user = request.user.unwrap_or(account.owner());
    let (stock, now) = (Stock::Tokens, caller.now);
    let usage = require_room(service, &mut transaction, &account, user, stock, now).await?;
    let kept = account.tokens_kept(&mut transaction, user).await?;
    if kept >= usage.quota(stock, &service.quotas.amounts) {
        // Tokens that are no longer valid stay listed as long as there is room.
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

/// Returns the scopes of a user's token, and none for an agent's.
pub(crate) fn scopes_of(actor: &Actor) -> Scopes {
    match actor {
        Actor::User { scopes, .. } => *scopes,
        Actor::Agent { .. } | Actor::System => Scopes::default(),
    }
}

/// Returns a page of the caller's own tokens, newest first.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller is an agent.
pub async fn tokens(
    service: &Service,
    credential: Credential,
    page: &PageRequest<IdCursor>,
) -> Result<Page<TokenRecord, IdCursor>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::TokenList).await?;
    Ok(account.own_tokens(&mut transaction, page).await?)
}

/// Returns the user whose tokens the caller may revoke: the caller, or `None` (all users) for an admin with the
/// admin scope.
fn revocable_user<R>(account: &Granted<object::Account, R>) -> Option<UserId> {
    let of_everybody = match account.actor() {
        Actor::User { roles, scopes, .. } => roles.has(Role::Admin) && scopes.has(Scope::Admin),
        Actor::Agent { .. } | Actor::System => false,
    };
    (!of_everybody).then_some(account.owner())
}

/// Returns a token, revoked or not, of those that the caller may revoke.
async fn revocable_token<R>(
    transaction: &mut Transaction,
    account: &Granted<object::Account, R>,
    token: TokenId,
) -> Result<TokenRecord> {
    let found = account.token(transaction, token, revocable_user(account));
    found.await?.ok_or(Error::NotFound("token"))
}

/// Requires that a token has no scope that the caller's lacks.
fn require_revocable<R>(account: &Granted<object::Account, R>, token: &TokenRecord) -> Result<()> {
    require_no_wider(scopes_of(account.actor()), token.scopes)
        .map_err(|refusal| ctxpin_store::error::Error::Forbidden(refusal).into())
}

/// Returns a page of the valid tokens that a token created, directly or through others, newest first: those of
/// users and those of agents.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such token, or the caller may not revoke it.
pub async fn token_children(
    service: &Service,
    credential: Credential,
    token: TokenId,
    page: &PageRequest<IdCursor>,
) -> Result<Page<TokenRecord, IdCursor>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::TokenChildren).await?;
    revocable_token(&mut transaction, &account, token).await?;
    let children = account
        .token_children(&mut transaction, token, account.at(), page)
        .await?;
    Ok(children)
}

/// A token, and what depends on it.
#[derive(Debug, Clone)]
pub struct TokenInUse {
    pub token: TokenRecord,
    /// The sessions of browsers that stand for it. They end with it.
    pub session_count: u64,
    /// The valid tokens that it created, directly or through others: at most [`PAGE_ITEMS_MAX`].
    pub child_count: u64,
    /// Whether it created more than were counted.
    pub has_more_children: bool,
}

/// Returns a token that the caller may revoke, and what depends on it.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such token, if it is revoked, or if the caller may not see it, and the
/// store's `Forbidden` if it has more scopes than the caller's token.
pub async fn token_in_use(
    service: &Service,
    credential: Credential,
    token: TokenId,
) -> Result<TokenInUse> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::TokenRevoke).await?;
    let found = revocable_token(&mut transaction, &account, token).await?;
    if found.revoked_at.is_some() {
        return Err(Error::NotFound("token"));
    }
    require_revocable(&account, &found)?;
    let newest = PageRequest::newest(PAGE_ITEMS_MAX);
    let children = account
        .token_children(&mut transaction, token, account.at(), &newest)
        .await?;
    let process = service.process();
    Ok(TokenInUse {
        session_count: account
            .session_count(&mut transaction, token, process.as_ref())
            .await?,
        child_count: children.items.len() as u64,
        has_more_children: children.next.is_some(),
        token: found,
    })
}

/// The tokens that a revocation covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The token alone.
    Alone,
    /// The token, and all tokens that it created, directly or through others. An agent whose token is revoked
    /// stays without one.
    WithChildren,
}

/// Revokes one of the caller's tokens, or any user's if the caller is an admin with the admin scope. An agent's
/// token cannot be named: it is revoked with the token that created it, or with the agent.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such token, or the caller may not see it, and the store's
/// `Forbidden` if the token to revoke has more scopes than the caller's token.
pub async fn token_revoke(
    service: &Service,
    credential: Credential,
    token: TokenId,
    revocation: Revocation,
) -> Result<()> {
    let object = Some(AuditObject::Token(token));
    write(service, credential, Operation::TokenRevoke, object, |_| {
        token_revoke_once(service, credential, token, revocation)
    })
    .await
}

async fn token_revoke_once(
    service: &Service,
    credential: Credential,
    token: TokenId,
    revocation: Revocation,
) -> Result<()> {
    let operation = Operation::TokenRevoke;
    let caller = service.caller(credential);
    let (mut transaction, account) = write_account(service, &caller, operation).await?;
    let named = revocable_token(&mut transaction, &account, token).await?;
    // Its children have no more scopes than itself.
    require_revocable(&account, &named)?;
    account
        .token_revoke(&mut transaction, token, caller.now)
        .await?;
    let children = match revocation {
        Revocation::Alone => Vec::new(),
        Revocation::WithChildren => {
            revoke_children(&mut transaction, &account, token, caller.now).await?
        }
    };
    let tokens = std::iter::once(token).chain(children.iter().map(|child| child.token));
    let mut topics = BTreeSet::from([Topic::Account { owner: named.user }]);
    topics.extend(children.iter().map(topic));
    let deed = account.deed(tokens.map(AuditObject::Token), topics);
    commit(service, transaction, deed).await
}

/// Revokes the children of a token. Repeats until none is found, because new ones may be created meanwhile.
async fn revoke_children(
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

/// Returns the topic that wakes the watches of a revoked child's holder.
fn topic(child: &RevokedChild) -> Topic {
    let owner = child.user;
    match child.agent {
        Some(agent) => Topic::Agent { owner, agent },
        None => Topic::Account { owner },
    }
}

/// Returns the calling user and the token of the request.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token is not valid, or the caller is an agent.
pub async fn me(service: &Service, credential: Credential) -> Result<(UserRecord, TokenRecord)> {
    let (mut transaction, account) = read_account(service, credential, Operation::MeRead).await?;
    let user = account.own_user(&mut transaction).await?;
    let token = account.token(&mut transaction, credential.id, None).await?;
    Ok((user, token.ok_or(Error::NotFound("token"))?))
}

/// Proves to the holder of a token that this server knows the token. Needs no permission: without the token, a
/// proof does not even reveal whether a token of that id exists.
///
/// # Errors
///
/// Fails if the database does.
pub async fn token_proof(
    service: &Service,
    token: TokenId,
    challenge: &Challenge,
) -> Result<Proof> {
    Ok(service.database.token_proof(token, challenge).await?)
}

/// Returns the user of a token, or the owner of its agent, in one statement, so that a request can be refused
/// before its body is read. With an operation, checks that the caller may do it on objects of their own. The
/// operation itself checks the object of the request.
///
/// # Errors
///
/// Returns [`Error::Store`] if the token is not valid, or the caller may not do the operation.
pub async fn identify(
    service: &Service,
    credential: Credential,
    operation: Option<Operation>,
) -> Result<UserId> {
    let caller = service.caller(credential);
    let actor = service.database.identify(&caller, operation).await;
    let actor = actor.map_err(Error::from);
    let actor = match operation {
        Some(operation) => audited(service, credential, operation, None, actor).await?,
        None => actor?,
    };
    actor.user().ok_or(Error::NotFound("account"))
}

/// Checks that the caller may read the server's metrics.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller is neither auditor nor admin.
pub async fn require_metrics(service: &Service, credential: Credential) -> Result<()> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let _granted: Granted<object::Account, right::Metadata> = transaction
        .grant_account(&caller, Operation::MetricsRead)
        .await?;
    Ok(())
}

/// Returns a page of the rows of the audit log that a filter accepts, newest first. A page may have fewer rows than its
/// limit, or none, and be followed by another.
///
/// # Errors
///
/// Returns [`Error::Store`] if the caller is neither auditor nor admin.
pub async fn audit_log(
    service: &Service,
    credential: Credential,
    filter: &AuditFilter,
    page: &PageRequest<IdCursor>,
) -> Result<Page<AuditRecord, IdCursor>> {
    let (mut transaction, account) =
        read_account(service, credential, Operation::AuditRead).await?;
    Ok(account.audit_log(&mut transaction, filter, page).await?)
}
