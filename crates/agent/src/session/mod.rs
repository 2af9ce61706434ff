//! What one agent sends to its server.

mod backoff;
mod bodies;
mod failure;
pub(crate) mod local_snapshot;
pub(crate) mod plan;
pub(crate) mod pusher;
