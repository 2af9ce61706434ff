//! Grants, the only way to a query: an operation holds what it is authorized to do.
//!
//! A [`Granted`] value proves that its actor may do its operation on its object within one transaction. Its
//! methods are the queries that the operation may use. Only this module makes one. A write takes three
//! steps. A [`Sighting`] checks without a lock, so that a stranger locks nothing. Then the rows are locked:
//! agents, chats, tokens, users. Then a statement of its own checks again, because the caller may have been
//! revoked during the wait.
//!
//! # Errors
//!
//! The functions that check a caller (`grant_*`, `sight_*`, `identify`, `prompt`) return
//! `Error::Unauthenticated` if the token is not valid, `Error::NotFound` if the caller may not know of the
//! object, `Error::Forbidden` if the caller may know of it but not do the operation, and
//! `Error::SchemaNewer` in a transaction that writes if a newer release has migrated the schema. A query of
//! a grant returns `Error::Unexpected` in a transaction other than the grant's.

mod caller;
mod granted;
mod sighting;
mod upkeep;

use ctxpin_model::agent::AgentRecord;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::id::{AgentId, ChatId, UserId};

use crate::query::Query;
use crate::values::{Columns, Value};

pub use caller::Caller;
pub(crate) use caller::{
    PRINCIPAL_COLUMNS, PRINCIPAL_TABLES, check_caller, principal, read_caller, require,
};
pub use granted::Granted;
pub use sighting::{AccountSighting, Sighting};
pub use upkeep::{Task, Upkeep, task};

/// The objects that a grant is for.
pub mod object {
    /// The object of a grant that concerns no single agent or chat. Such a grant allows queries about the
    /// caller's own account, lists, and the creation of objects.
    #[derive(Debug)]
    pub struct Account;
    /// An agent of a user.
    #[derive(Debug)]
    pub struct Agent;
    /// A chat of a user.
    #[derive(Debug)]
    pub struct Chat;
}

/// The rights of a grant.
pub mod right {
    /// Reading what describes an object, without its bodies.
    #[derive(Debug)]
    pub struct Metadata;
    /// Rendering, composing and comparing bodies inside an operation. Its queries return them
    /// [sealed](crate::sealed).
    #[derive(Debug)]
    pub struct Within;
    /// Reading bodies, and returning them to the caller.
    #[derive(Debug)]
    pub struct Body;
    /// Writing, and using bodies as [`Within`] does.
    #[derive(Debug)]
    pub struct Write;

    /// A right whose holder computes with bodies, which are [sealed](crate::sealed).
    pub trait UsesBodies {}
    impl UsesBodies for Within {}
    impl UsesBodies for Body {}
    impl UsesBodies for Write {}
}

/// An object that can be granted.
pub trait Grantable {
    type Id: Copy + std::fmt::Debug + Send + Sync;
    /// The record that the check reads.
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

/// An object with an owner, and the parts of the statement that checks a caller and reads the object.
pub(crate) trait Owned: Grantable<Id: Value, Record: Columns> {
    /// The word for it in errors.
    const NOUN: &str;
    /// Its table and the alias of its row.
    const TABLE: &str;
    /// The column of its id. It is null if the object does not exist.
    const ID: &str;
    /// The joins that the columns need.
    const JOINS: &str;
    /// Adds the columns of its record. Those of a chat include the prompt by `renderer`.
    fn columns(query: Query<'_>, renderer: i64) -> Query<'_>;
    fn owner(record: &Self::Record) -> UserId;
    /// Returns the id of an agent, or of the agent that a chat is bound to.
    fn binding(record: &Self::Record) -> Option<AgentId>;
}
