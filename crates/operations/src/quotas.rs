//! Quotas: how much users may have and how much they have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditObject;
use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_model::quota::{QuotaChange, QuotaWarning, Stock, Usage, UserUsage};
use ctxpin_model::token::Credential;
use ctxpin_store::database::Transaction;
use ctxpin_store::grant::{Granted, object, right, task};

use crate::error::{Error, Result};
use crate::frame::{commit, write};
use crate::service::Service;

/// The interval between two reads of the users near a quota.
const WARNINGS_EVERY: Duration = Duration::from_secs(60);

/// The users near a quota, as of the last read.
pub(crate) type Warnings = Arc<Mutex<HashMap<UserId, Vec<QuotaWarning>>>>;

/// Returns how much a user has of everything that is limited. `None` stands for the caller.
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
pub(crate) async fn demand_room(
    service: &Service,
    transaction: &mut Transaction,
    account: &Granted<object::Account, right::Write>,
    user: UserId,
    stock: Stock,
    now: Moment,
) -> Result<Usage> {
    let usage = account.usage_locked(transaction, user, now).await?;
    let usage = usage.ok_or(Error::NotFound("user"))?;
    usage.demand_room(stock, 1, &service.quotas.amounts)?;
    Ok(usage)
}

/// Changes how much a user may have. A user who already has more keeps it.
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
    let mut transaction = service.database.write().await?;
    let account: Granted<object::Account, right::Write> = transaction
        .grant_account(&caller, Operation::QuotaChange)
        .await?;
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

/// Finds the users who are near a quota, so that they are warned. [`run`] calls this every minute.
///
/// # Errors
///
/// Fails if the database does.
pub async fn refresh_warnings(service: &Service) -> Result<()> {
    let defaults = &service.quotas.amounts;
    let mut reading = service.database.read().await?;
    let upkeep = service.database.upkeep(task::QuotaWarnings);
    let now = service.clock.now();
    let found = upkeep.usage_of_warned(&mut reading, defaults, now).await?;
    let warnings = |(user, usage): (UserId, Usage)| (user, usage.warnings(defaults));
    let found = found.into_iter().map(warnings).collect();
    *service
        .warned
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = found;
    Ok(())
}

/// Calls [`refresh_warnings`] every minute until it is dropped.
pub async fn run(service: &Service) {
    loop {
        if let Err(error) = refresh_warnings(service).await {
            tracing::warn!(%error, "could not look up who is near a quota");
        }
        tokio::time::sleep(WARNINGS_EVERY).await;
    }
}

impl Service {
    /// Returns the quotas that a user is near, as of the last minute.
    pub fn quota_warnings(&self, user: UserId) -> Vec<QuotaWarning> {
        let warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.get(&user).cloned().unwrap_or_default()
    }

    /// Returns how many users are near the quota of each stock, as of the last minute.
    pub fn users_warned(&self) -> Vec<(Stock, u64)> {
        let warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |stock: &Stock| {
            let of_it = |warning: &&QuotaWarning| warning.stock == *stock;
            let users = warned.values().flatten().filter(of_it).count();
            (*stock, users as u64)
        };
        Stock::ALL.iter().map(count).collect()
    }
}
