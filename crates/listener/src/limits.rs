//! How long callers may take, how many connections they may have, and what one connection may hold.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longest head of an HTTP/1.1 request, in bytes, and so most of what one connection holds unread: as
/// much as by HTTP/2.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of header fields in an HTTP/2 request, counted as RFC 9113 does (section 6.5.2).
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// Most requests that one HTTP/2 connection has in progress.
pub(crate) const STREAMS_MAX: u32 = 128;

/// How many bytes of one HTTP/2 body, and of all of a connection's, may be on their way unread.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Most requests of an HTTP/2 connection that the client cancelled before they were looked at. Past it
/// the connection ends, because the client makes work and takes it back (CVE-2023-44487).
pub(crate) const STREAMS_CANCELLED_MAX: usize = 20;

/// Most streams of an HTTP/2 connection that the server itself had to break off, because the client
/// does not keep to the protocol. Past it the connection ends (CVE-2025-8671).
pub(crate) const STREAMS_BROKEN_MAX: usize = 256;

/// How many requests of a connection may be refused with 401 before it ends. A caller who tries tokens
/// needs a new connection then.
pub(crate) const REFUSED_MAX: usize = 16;

/// From which part of all connections on, in hundredths, the oldest unknown ones end.
pub(crate) const CONNECTIONS_CROWDED_PERCENT: usize = 80;

/// How long the proxies that usually stand before a server keep an unused connection to it: 60 s for
/// nginx and for the load balancers of AWS. A caller who uses a connection just as the other end closes it
/// gets no response, so each keeps it for less time than the one that it calls: our client, then a proxy,
/// then the server.
pub const PROXY_IDLE_TIME: Duration = Duration::from_secs(60);

/// Longest that an unused connection is kept, with room for a proxy whose clock is late.
const IDLE_TIME_MAX: Duration = PROXY_IDLE_TIME.saturating_add(Duration::from_secs(15));

/// File descriptors that are left for everything but connections: databases, files, sockets.
const DESCRIPTORS_KEPT: usize = 256;

/// How long callers may take, and how many connections they may have at a time.
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
    /// Least bytes of a body in a second. A bad line carries more; 12 MiB take 26 minutes. A caller who was
    /// quicker gains no more than one pause.
    pub body_rate_min: u64,
    /// How long a connection may be without a request in progress and without taking anything of a
    /// response. It is checked that often, so that a quiet connection ends before twice as long. No shorter
    /// than `idle_time_max`, which would not be reached else.
    pub quiet_time_max: Duration,
    /// Most connections at a time. Past four fifths of it each new one ends the oldest that has sent no whole
    /// request, or else the oldest unknown one at rest; only if there is none does it wait. The default has
    /// room for twice the 5,000 watches that one server was measured with. File descriptors may allow fewer.
    pub connections_max: usize,
    /// How long requests in progress may take to end after the shutdown; the rest is cut.
    pub drain_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_time_max: Duration::from_secs(30),
            idle_time_max: IDLE_TIME_MAX,
            body_pause_max: Duration::from_secs(30),
            body_rate_min: 8 * 1024,
            quiet_time_max: IDLE_TIME_MAX,
            connections_max: 10_000,
            drain_time_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Returns the same limits with no more connections than this process may have file descriptors
    /// for. It first raises the soft limit of the process as far as the system allows, because the usual
    /// 1,024 are for programs that use `select`.
    pub fn within_descriptors(self) -> Self {
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

/// Returns how many connections fit beside what else needs file descriptors.
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
