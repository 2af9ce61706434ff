//! Users, as they are stored.

use crate::access::Roles;
use crate::id::UserId;
use crate::moment::Moment;

/// A row of `users`.
#[derive(Debug, Clone)]
pub struct UserRecord {
    pub id: UserId,
    /// The user's name, unique on the server.
    pub name: String,
    pub roles: Roles,
    /// Whether the server rejects all tokens of the user and of the user's agents.
    pub disabled: bool,
    pub created_at: Moment,
}

/// A change of a user. `None` keeps the present value.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub name: Option<String>,
    pub roles: Option<Roles>,
    pub disabled: Option<bool>,
}
