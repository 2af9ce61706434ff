//! What a caller may take of the server: time, connections, bytes. Together these bounds are what a
//! stranger can make it do before it knows who calls. Those of connections are the listener's.

use std::time::Duration;

pub use ctxpin_listener::PROXY_IDLE_TIME;

/// Longest time from the last byte of a request to the head of its response.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// Longest body of a push, in bytes, before and after it is decompressed: an agent sends up to
/// 4 MiB along, which is 6 MiB of base64, beside a manifest whose paths and reasons take about
/// 1 KiB for each of 2,000 resources and 4,096 files.
pub(crate) const PUSH_BYTES_MAX: u64 = 12 * 1024 * 1024;

/// Longest body of an upload, in bytes: no file that is stored has more than half of it, and what
/// does not compress may grow a little.
pub(crate) const UPLOAD_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Longest body that moves a pin, in bytes: it may name each of 2,000 sources of 1 KiB.
pub(crate) const MOVE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Longest body of anything else, in bytes: a few names and ids.
pub(crate) const OTHER_BYTES_MAX: u64 = 64 * 1024;

/// Longest body, in bytes, that is taken in before the caller's token is looked up. What is shorter
/// costs an honest caller no statement more.
pub(crate) const STRANGER_BYTES_MAX: u64 = 1024;

/// Most requests that a connection has under way on which no token was good; the token of one more is
/// looked up first.
pub(crate) const STRANGER_REQUESTS_MAX: usize = 8;

/// Longest answer, in bytes, that counts for nothing until it is taken: the system keeps about as much
/// of any connection.
pub(crate) const RESPONSE_BYTES_FREE: u64 = 16 * 1024;

/// Largest window of a body that is compressed with zstd, as a power of two: the 8 MiB beyond which
/// HTTP allows none (RFC 9659, section 3). A decoder reserves it before there is any text.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Most values and members in a JSON body. In memory each takes many times its bytes; the largest
/// push, with 1 MiB of tool definitions, has far fewer.
pub(crate) const JSON_VALUES_MAX: usize = 500_000;

/// How long callers may take, how many connections they may have and how many bytes they may hold at a
/// time. A test takes smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Those of connections. A watch sends something every 15 s, so that `quiet_time_max` does not end it.
    pub connections: ctxpin_listener::Limits,
    /// Longest time of a request, where its route allows no less.
    pub request_time_max: Duration,
    /// Most bytes of requests and unread responses at a time, in total; what is large may take three quarters
    /// of it.
    pub held_max: u64,
    /// Most of them of callers whose token was not looked up, together.
    pub held_by_strangers_max: u64,
    /// Most of them on one connection: two of the largest bodies.
    pub held_by_connection_max: u64,
    /// Most of them for one token.
    pub held_by_token_max: u64,
    /// Most of them for one user, with those of their agents.
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
