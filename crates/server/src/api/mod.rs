//! The handlers, by noun. Each reads what was sent, asks one operation and tells its answer.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod chats;
pub(crate) mod contexts;
pub(crate) mod exposures;
pub(crate) mod health;
pub(crate) mod people;
pub(crate) mod prompts;
pub(crate) mod quotas;
pub(crate) mod sessions;
pub(crate) mod skills;
pub(crate) mod tools;
pub(crate) mod turns;
pub(crate) mod watches;
