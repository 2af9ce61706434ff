//! Users, as they are stored.

use crate::access::Roles;
use crate::id::UserId;
use crate::moment::Moment;

/// A row of `users`.
#[derive(Debug, Clone)]
pub struct UserRecord {
    /// Its id.
    pub id: UserId,
    /// Unique, for people.
    pub name: String,
    /// What the user is.
    pub roles: Roles,
    /// A disabled user's tokens, and those of the user's agents, open nothing.
    pub disabled: bool,
    /// When it was created.
    pub created_at: Moment,
}

/// What may be changed of a user.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// A new name.
    pub name: Option<String>,
    /// New roles.
    pub roles: Option<Roles>,
    /// Disabled or enabled.
    pub disabled: Option<bool>,
}
