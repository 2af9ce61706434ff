//! What a caller may take of the server: time, connections, bytes. Together these bounds are what a
//! stranger can make it do before it knows who calls.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// How many tokens a connection may try in vain before it is ended: trying costs whoever tries a new
/// connection then.
pub(crate) const TOKENS_REFUSED_MAX: usize = 16;

/// Longest answer, in bytes, that counts for nothing until it is taken: the system keeps about as much
/// of any connection.
pub(crate) const ANSWER_BYTES_FREE: u64 = 16 * 1024;

/// Largest window of a body that is compressed with zstd, as a power of two: the 8 MiB beyond which
/// HTTP allows none (RFC 9659, section 3). A decoder reserves it before there is any text.
pub(crate) const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Most values and members in a JSON body. In memory each takes many times its bytes; the largest
/// push, with 1 MiB of tool definitions, has far fewer.
pub(crate) const JSON_VALUES_MAX: usize = 500_000;

/// Longest head of an HTTP/1.1 request, in bytes, and so most of what one connection holds unread: as
/// much as by HTTP/2.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of header fields in an HTTP/2 request, counted as RFC 9113 does (section 6.5.2).
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// Most requests that one HTTP/2 connection has under way.
pub(crate) const STREAMS_MAX: u32 = 128;

/// How many bytes of one HTTP/2 body, and of all of a connection's, may be on their way unread.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Most requests of an HTTP/2 connection that were cancelled before they were looked at; past it
/// the connection ends, for somebody makes work and takes it back (CVE-2023-44487).
pub(crate) const STREAMS_CANCELLED_MAX: usize = 20;

/// Most streams of an HTTP/2 connection that the server itself had to break off, for the client
/// does not keep to the protocol; past it the connection ends (CVE-2025-8671).
pub(crate) const STREAMS_BROKEN_MAX: usize = 256;

/// How long the proxies that usually stand before a server keep a connection to it that nobody uses: 60 s for
/// nginx and for the load balancers of AWS. Whoever uses a connection just as the other end closes it gets no
/// answer, so each keeps it for less time than the one that it calls: our client, then a proxy, then this
/// server.
pub const PROXY_IDLE_TIME: Duration = Duration::from_secs(60);

/// Longest that a connection is kept which nobody uses, with room for a proxy whose clock is late.
const IDLE_TIME_MAX: Duration = PROXY_IDLE_TIME.saturating_add(Duration::from_secs(15));

/// From which part of all connections on the oldest ones end that show no token, in hundredths.
pub(crate) const CONNECTIONS_CROWDED_PERCENT: usize = 80;

/// File descriptors that are left for everything but connections: databases, files, sockets.
const DESCRIPTORS_KEPT: usize = 256;

/// How long callers may take, and how many connections they may have at a time. A test takes
/// shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest wait for the first whole head of a connection.
    pub head_time_max: Duration,
    /// Longest pause between two requests of a connection, with the head of the second: longer than
    /// [`PROXY_IDLE_TIME`].
    pub idle_time_max: Duration,
    /// Longest wait for more of a body, and how long it may take beyond what its bytes take at
    /// `body_rate_min`.
    pub body_pause_max: Duration,
    /// How many bytes of a body come in a second. A bad line has more; 12 MiB take 26 minutes. Who was
    /// quicker gains no more than a pause: what is held is held for somebody who sends.
    pub body_rate_min: u64,
    /// Longest time from the last byte of a request to the head of its answer. The events of a
    /// watch come after that.
    pub request_time_max: Duration,
    /// How long a connection may be without a request under way and without taking anything of
    /// an answer. It is looked at that often, so that a quiet one ends before twice as long. A watch
    /// tells something every 15 s. No shorter than `idle_time_max`, or it would end that.
    pub quiet_time_max: Duration,
    /// Most bytes of requests and unread answers at a time, in total; of what is large three quarters
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
    /// Most connections at a time. Past four fifths of it each new one ends the oldest that has sent no whole
    /// request, or else the oldest at rest on which no token was good; only if there is none does it wait. It leaves room for twice the
    /// 5,000 watches that one server was measured with. File descriptors may allow fewer.
    pub connections_max: usize,
    /// How long what is under way may take to end once the server is to end; the rest is cut.
    pub drain_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_time_max: Duration::from_secs(30),
            idle_time_max: IDLE_TIME_MAX,
            body_pause_max: Duration::from_secs(30),
            body_rate_min: 8 * 1024,
            request_time_max: Duration::from_secs(60),
            quiet_time_max: IDLE_TIME_MAX,
            held_max: 192 * 1024 * 1024,
            held_by_strangers_max: 16 * 1024 * 1024,
            held_by_connection_max: 32 * 1024 * 1024,
            held_by_token_max: 32 * 1024 * 1024,
            held_by_user_max: 64 * 1024 * 1024,
            connections_max: 10_000,
            drain_time_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The same, with no more connections than this process may have file descriptors for. What
    /// the system lets it have is asked for first: the usual soft limit of 1,024 is for programs
    /// that use `select`.
    pub(crate) fn within_descriptors(self) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        let descriptors = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => maximum,
            Err(_) => current,
        };
        let connections_max = self.connections_max.min(connections_with(descriptors));
        if connections_max < self.connections_max {
            tracing::warn!(
                connections_max,
                wanted = self.connections_max,
                "the limit of open files (ulimit -n) allows fewer connections"
            );
        }
        Self {
            connections_max,
            ..self
        }
    }
}

/// How many connections fit beside what else needs file descriptors.
fn connections_with(descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else {
        return usize::MAX;
    };
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    (descriptors - DESCRIPTORS_KEPT.min(descriptors / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (descriptors, expected) in [
            (None, usize::MAX),
            (Some(0), 1),
            (Some(64), 32),
            (Some(1024), 768),
            (Some(20_000), 19_744),
        ] {
            assert_eq!(connections_with(descriptors), expected, "{descriptors:?}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised() {
        let limits = Limits::default().within_descriptors();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        let fitting = connections_with(maximum);
        assert_eq!(
            limits.connections_max,
            Limits::default().connections_max.min(fitting)
        );
    }
}
