//! Typed calls of a ctxpin server's API.
//!
//! It knows the shapes of `ctxpin-protocol` and how to send them, and nothing of what they mean: it
//! reads no files, keeps no state between calls, and prints nothing. By itself it repeats only what may come
//! twice, once, if a connection ended before an answer began. The token is sent to the configured server
//! only, on this machine only after that has proved itself, and never shown.

mod agents;
mod chats;
mod connection;
mod content;
mod context;
pub mod error;
mod people;
mod proof;
mod proxy;
mod session;
mod skills;
mod turns;
mod watch;

pub use chats::ChatOpened;
pub use connection::{Client, IDLE_TIME_MAX, PlainHttp, leads_to_this_machine};
pub use context::Prompt;
pub use proxy::UsedProxy;
pub use watch::Watch;
