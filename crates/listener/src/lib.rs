//! Serves HTTP/1.1 and HTTP/2 on a socket, with time limits for slow callers and a graceful shutdown.
//!
//! It serves any [`tower::Service`] and depends on no other crate of this workspace: it knows neither routes
//! nor permissions. The service reports through [`Connection`] whether a caller of a connection is known.

mod body_pace;
mod connection;
mod limits;
mod listen;
mod opening;

pub use body_pace::{BodyError, BodyPace};
pub use connection::{Connection, LocalAddress};
pub use limits::{Limits, PROXY_IDLE_TIME};
pub use listen::{bind, serve};
