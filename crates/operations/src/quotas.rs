//! How much users may have and have.

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

/// How often it is looked who is to be warned.
const LOOKED_EVERY: Duration = Duration::from_secs(60);

/// Who was to be warned when it was looked last.
pub(crate) type Warned = Arc<Mutex<HashMap<UserId, Vec<QuotaWarning>>>>;

/// Tells what a user has; for `None` the caller.
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

/// Refuses to give a user one more of a stock if they have as many as they may. Returns what they have,
/// which stays locked.
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

/// Changes how much a user may have. Nothing is taken away from whoever has more by now.
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

/// Looks who has nearly as much as is allowed, so that they are warned. [`run`] does so every minute.
///
/// # Errors
/// If the data cannot be read.
pub async fn look(service: &Service) -> Result<()> {
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

/// Looks every minute who is to be warned. Runs until it is dropped.
pub async fn run(service: &Service) {
    loop {
        if let Err(error) = look(service).await {
            tracing::warn!(%error, "it could not be looked who is near a quota");
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    }
}

impl Service {
    /// What a user is to be warned of, as it was within the last minute.
    pub fn quota_warnings(&self, user: UserId) -> Vec<QuotaWarning> {
        let warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        warned.get(&user).cloned().unwrap_or_default()
    }

    /// How many users are to be warned of each stock, as it was within the last minute.
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
