//! The limits of what a caller can use: time and bytes. The limits of connections are the listener's.
//! Together they bound what the server does for a caller before it knows who that is.

use std::time::Duration;

pub use ctxpin_listener::PROXY_IDLE_TIME;

/// Longest time from the last byte of a request to the head of its response.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// The longest body of a push, in bytes, before and after decompression. An agent sends up to
/// 4 MiB along, which is 6 MiB of base64, beside a manifest whose paths and reasons take about
/// 1 KiB for each of 2,000 resources and 4,096 files.
pub(crate) const PUSH_BYTES_MAX: u64 = 12 * 1024 * 1024;

/// The longest body of an upload, in bytes. No stored file has more than half of it, and a file that does
/// not compress may grow a little.
pub(crate) const UPLOAD_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// The longest body that moves a pin, in bytes. It may name 2,000 sources of 1 KiB each.
pub(crate) const MOVE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The longest body with a row of evidence, in bytes. A row as it is stored has half of it.
pub(crate) const EVIDENCE_BYTES_MAX: u64 = 512 * 1024;

/// The longest body of any other request, in bytes. It holds a few names and ids.
pub(crate) const OTHER_BYTES_MAX: u64 = 64 * 1024;

/// The most bytes of a body that the server reads before it looks up the caller's token. A shorter body
/// needs no lookup of its own.
pub(crate) const STRANGER_BYTES_MAX: u64 = 1024;

/// The most requests in progress on a connection that has sent no valid token. The server first looks up
/// the token of any further request.
pub(crate) const STRANGER_REQUESTS_MAX: usize = 8;

/// A response of at most this many bytes is not counted while it waits for the client to read it. The
/// system buffers about as much for any connection.
pub(crate) const RESPONSE_BYTES_FREE: u64 = 16 * 1024;

/// The largest window of a zstd body, as a power of two: 8 MiB, the limit of HTTP (RFC 9659, section 3). A
/// decoder allocates it at once.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The most values and member names in a JSON body. In memory each takes many times its bytes. The largest
/// push, with 1 MiB of tool definitions, has far fewer.
pub(crate) const JSON_VALUES_MAX: usize = 500_000;

/// The most fields of a form. The largest form names 1,000 chats.
pub(crate) const FORM_FIELDS_MAX: usize = 4_096;

/// The limits of a server. Tests use smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A watch sends something every 15 s, so that `quiet_time_max` does not end it.
    pub connections: ctxpin_listener::Limits,
    /// The longest time of a request, unless its route allows less.
    pub request_time_max: Duration,
    /// The most bytes of requests and unread responses at a time, in total. Large ones may use three
    /// quarters of it.
    pub held_max: u64,
    /// The most for all callers whose token was not looked up, together.
    pub held_by_strangers_max: u64,
    /// The most for one connection: more than two of the largest bodies.
    pub held_by_connection_max: u64,
    pub held_by_token_max: u64,
    /// The most for one user, with the user's agents.
    pub held_by_user_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: ctxpin_listener::Limits::default(),
            request_time_max: REQUEST_TIME_MAX,
            held_max: 192 * 1024 * 1024,
            held_by_strangers_max: 16 * 1024 * 1024,
            held_by_connection_max: 32 * 1024 * 1024,
            held_by_token_max: 32 * 1024 * 1024,
            held_by_user_max: 64 * 1024 * 1024,
        }
    }
}
