//! The grants of the server's own work, which no caller asks for. A task is granted its own queries and
//! no other.

use std::marker::PhantomData;

use crate::database::Database;
use crate::deed::Deed;

/// The tasks.
pub mod task {
    /// Making the first user of a new database, and a token for whoever holds the database itself.
    #[derive(Debug)]
    pub struct FirstUser;
    /// Writing when tokens were last used and agents last seen.
    #[derive(Debug)]
    pub struct LastUsed;
    /// Writing who was refused what, and how often.
    #[derive(Debug)]
    pub struct Refusals;
    /// Looking who is to be warned of a quota.
    #[derive(Debug)]
    pub struct QuotaWarnings;
    /// Treating what was stored before a renderer came.
    #[derive(Debug)]
    pub struct Treatments;
}

/// A task of the server.
pub trait Task {
    /// What the server does.
    const NAME: &str;
}

impl Task for task::FirstUser {
    const NAME: &str = "make the first user";
}

impl Task for task::LastUsed {
    const NAME: &str = "write last uses";
}

impl Task for task::Refusals {
    const NAME: &str = "note refusals";
}

impl Task for task::QuotaWarnings {
    const NAME: &str = "warn of quotas";
}

impl Task for task::Treatments {
    const NAME: &str = "treat what is stored";
}

/// Proof that the server itself does a task.
#[derive(Clone, Copy)]
pub struct Upkeep<'d, T> {
    pub(crate) database: &'d Database,
    task: PhantomData<fn() -> T>,
}

impl Database {
    /// Grants the server its own work.
    pub fn upkeep<T: Task>(&self, _: T) -> Upkeep<'_, T> {
        Upkeep {
            database: self,
            task: PhantomData,
        }
    }
}

impl<T: Task> Upkeep<'_, T> {
    /// Returns the deed of a task that leaves no line in the audit log.
    pub fn unnoted(&self) -> Deed {
        Deed::unnoted(T::NAME)
    }
}
