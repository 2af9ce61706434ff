//! The only door to the queries: authorization is something that an operation holds.
//!
//! A [`Granted`] value says that its actor may do its operation on its object, within one
//! transaction, and carries the queries that the operation may use. It is made here and nowhere
//! else. Whoever writes goes three steps: a [`Sighting`] checks without locking, so that a stranger
//! locks nothing; then the locks are taken, agents before chats before users; then the permission is
//! checked again in a statement of its own, since a caller may have been revoked while waiting.

mod caller;
mod granted;
mod sighting;
mod upkeep;

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId, UserId};

use crate::query::Query;
use crate::values::{Columns, Value};

pub use caller::{Caller, LastUsed, Uses};
pub(crate) use caller::{
    PRINCIPAL_COLUMNS, PRINCIPAL_TABLES, check_caller, demand, principal, read_caller,
};
pub use granted::Granted;
pub use sighting::Sighting;
pub use upkeep::{Task, Upkeep, task};

/// The objects that can be granted.
pub mod object {
    /// A list, something new, or the caller's own account.
    #[derive(Debug)]
    pub struct Account;
    /// An agent.
    #[derive(Debug)]
    pub struct Agent;
    /// A chat.
    #[derive(Debug)]
    pub struct Chat;
}

/// What a grant allows.
pub mod right {
    /// Reading what describes an object: no bodies.
    #[derive(Debug)]
    pub struct Metadata;
    /// Working things out with bodies within an operation: to render, compose or compare them. What it
    /// tells is hashes, sizes and whether something differs, unless the caller may read the bodies.
    #[derive(Debug)]
    pub struct Within;
    /// Reading bodies, and telling them.
    #[derive(Debug)]
    pub struct Body;
    /// Writing; working things out with bodies too.
    #[derive(Debug)]
    pub struct Write;

    /// A right that works things out with bodies.
    pub trait UsesBodies {}
    impl UsesBodies for Within {}
    impl UsesBodies for Body {}
    impl UsesBodies for Write {}
}

/// Something that can be granted, by its id.
pub trait Grantable {
    /// What names it.
    type Id: Copy + std::fmt::Debug + Send + Sync;
    /// What is told of it.
    type Record: Clone + std::fmt::Debug + Send + Sync;
}

impl Grantable for object::Account {
    type Id = ();
    type Record = ();
}

impl Grantable for object::Agent {
    type Id = AgentId;
    type Record = AgentRecord;
}

impl Grantable for object::Chat {
    type Id = ChatId;
    type Record = ChatRecord;
}

/// An object that has an owner, and how the statement that checks reads it along.
pub(crate) trait Owned: Grantable<Id: Value, Record: Columns> {
    /// What people call it.
    const NOUN: &str;
    /// Its table, and what the statement calls a row of it.
    const TABLE: &str;
    /// The column that tells whether it is there.
    const ID: &str;
    /// What its row refers to.
    const JOINS: &str;
    /// Adds the columns of its record. `renderer` is whose prompts are looked for.
    fn columns(query: Query<'_>, renderer: i64) -> Query<'_>;
    fn owner(record: &Self::Record) -> UserId;
    /// The agent that it is, or is bound to.
    fn binding(record: &Self::Record) -> Option<AgentId>;
}
