//! Typed calls of a ctxpin server's API.
//!
//! The crate knows the shapes of `ctxpin-protocol` and how to send them, but not their meaning. It reads no
//! files, keeps no state between calls, and prints nothing. It retries a request once, if the connection
//! ended before a response began and the request may be sent twice. It sends the token only to the
//! configured server, and to a server on this machine only after a proof that it knows the token. It never
//! shows the token.

mod agents;
mod chats;
mod connection;
mod content;
mod context;
mod enrolment;
pub mod error;
mod event_stream;
mod history;
mod instructions;
mod pending_changes;
mod people;
mod proof;
mod proxy;
mod session;
mod skills;
mod this_machine;
mod turns;
mod user_agent;

pub use chats::ChatOpened;
pub use connection::{Client, IDLE_TIME_MAX, PlainHttp};
pub use context::Prompt;
pub use event_stream::Watch;
pub use proxy::UsedProxy;
pub use this_machine::leads_to_this_machine;
