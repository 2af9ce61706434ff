//! The grants of the server's own work, which no caller asks for. The grant of a task allows the queries of
//! that task alone.

use std::marker::PhantomData;

use crate::database::Database;

/// The tasks of the server.
pub mod task {
    /// Creating the first user of a new database, and a token for the holder of the database.
    #[derive(Debug)]
    pub struct FirstUser;
    /// Writing when tokens were last used and agents last seen.
    #[derive(Debug)]
    pub struct LastUsed;
    /// Writing which requests were refused, and how often.
    #[derive(Debug)]
    pub struct Refusals;
    /// Finding the users who are near a quota.
    #[derive(Debug)]
    pub struct QuotaWarnings;
    /// Taking one-time codes, ending sessions, and deleting the codes and sessions that have expired.
    #[derive(Debug)]
    pub struct Passes;
    /// Storing the treatments of bodies that were stored before a new renderer.
    #[derive(Debug)]
    pub struct Treatments;
}

/// A task of the server.
pub trait Task {
    /// The task in a few words, for traces.
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

impl Task for task::Passes {
    const NAME: &str = "take and delete passes";
}

impl Task for task::Treatments {
    const NAME: &str = "treat what is stored";
}

/// The grant for one task of the server's own work. It allows the queries of that task.
#[derive(Clone, Copy)]
pub struct Upkeep<'d, T> {
    pub(crate) database: &'d Database,
    task: PhantomData<fn() -> T>,
}

impl Database {
    /// Grants the server a task of its own.
    pub fn upkeep<T: Task>(&self, _: T) -> Upkeep<'_, T> {
        Upkeep {
            database: self,
            task: PhantomData,
        }
    }
}
