//! Quotas: how much of each stock users may have, and how much they have.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_model::quota::{QuotaChange, Stock, Usage, UserUsage};
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right};

use crate::error::{Error, Result};
use crate::frame::{commit, write, write_account};
use crate::service::Service;

/// Returns a user's usage and quotas. `None` stands for the caller.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such user, or the caller may not know of the user.
pub async fn usage(
    service: &Service,
    credential: Credential,
    user: Option<UserId>,
) -> Result<UserUsage> {
    let caller = service.caller(credential);
    let mut transaction = service.database.read().await?;
    let account = transaction
        .grant_account_of(&caller, Operation::UsageRead, user)
        .await?;
    let usage = account.usage(&mut transaction, caller.now).await?;
    Ok(UserUsage {
        user: account.owner(),
        usage: usage.ok_or(Error::NotFound("user"))?,
        defaults: service.quotas.amounts,
    })
}

/// Checks that a user may have one more of a stock, and returns the user's usage. The row stays locked.
pub(crate) async fn require_room(
    service: &Service,
    transaction: &mut Transaction,
    account: &Granted<object::Account, right::Write>,
    user: UserId,
    stock: Stock,
    now: Moment,
) -> Result<Usage> {
    let usage = account.usage_locked(transaction, user, now).await?;
    let usage = usage.ok_or(Error::NotFound("user"))?;
    usage.require_room(stock, 1, &service.quotas.amounts)?;
    Ok(usage)
}

/// Changes how much a user may have. A user who already has more keeps what is stored.
///
/// # Errors
///
/// Returns [`Error::NotFound`] if there is no such user.
pub async fn change(
    service: &Service,
    credential: Credential,
    user: UserId,
    change: &QuotaChange,
) -> Result<UserUsage> {
    let object = Some(AuditObject::User(user));
    write(service, credential, Operation::QuotaChange, object, |_| {
        change_once(service, credential, user, change)
    })
    .await
}

async fn change_once(
    service: &Service,
    credential: Credential,
    user: UserId,
    change: &QuotaChange,
) -> Result<UserUsage> {
    let caller = service.caller(credential);
    let (mut transaction, account) =
        write_account(service, &caller, Operation::QuotaChange).await?;
    let before = account
        .usage_locked(&mut transaction, user, caller.now)
        .await?
        .ok_or(Error::NotFound("user"))?;
    let overrides = change.applied(&before.overrides);
    account
        .quota_set(&mut transaction, user, &overrides)
        .await?;
    let deed = account.deed([AuditObject::User(user)], []);
    commit(service, transaction, deed).await?;
    Ok(UserUsage {
        user,
        usage: Usage {
            overrides,
            ..before
        },
        defaults: service.quotas.amounts,
    })
}
