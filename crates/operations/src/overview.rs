//! The overview that stands beside every page: who the caller is, and how many chats are in which state.

use ctxpin_model::access::{Actor, Operation};
use ctxpin_model::chat::ChatCounts;
use ctxpin_model::token::Credential;
use ctxpin_model::user::UserRecord;

use crate::error::Result;
use crate::frame::read_account;
use crate::service::Service;

/// The caller, and the numbers of the chats that the caller may read.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Who the caller is to the table of permissions.
    pub actor: Actor,
    pub user: UserRecord,
    pub counts: ChatCounts,
}

/// Returns the caller's overview.
///
/// # Errors
///
/// Returns [`Error::Store`](crate::error::Error::Store) if the token may not read.
pub async fn read(service: &Service, credential: Credential) -> Result<Overview> {
    let (mut transaction, account) = read_account(service, credential, Operation::ChatList).await?;
    Ok(Overview {
        actor: *account.actor(),
        user: account.own_user(&mut transaction).await?,
        counts: account.chat_counts(&mut transaction, None, None).await?,
    })
}
