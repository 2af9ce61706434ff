//! Connections: a socket that listens, HTTP/1.1 and HTTP/2 spoken on what comes in, time limits for callers
//! that send or read too slowly, and an orderly end.
//!
//! It serves any [`tower::Service`], and knows no type of ours: it neither knows what a request asks for nor
//! who may ask. The service tells it, through [`Connection`], whether a caller of a connection has
//! proved to be known.

mod body_pace;
mod connection;
mod limits;
mod listen;
mod opening;

pub use body_pace::{BodyError, BodyPace};
pub use connection::{Connection, LocalAddress};
pub use limits::{Limits, PROXY_IDLE_TIME};
pub use listen::{bind, serve};
