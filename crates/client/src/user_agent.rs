//! The name of the client in requests.

/// The `User-Agent` of clients.
pub(crate) const USER_AGENT_NAME: &str = concat!("ctxpin/", env!("CARGO_PKG_VERSION"));
