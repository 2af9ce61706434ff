//! The limits of connections: time, number and memory.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The longest head of an HTTP/1.1 request, in bytes, as for HTTP/2. It also limits what one connection
/// buffers.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most bytes of header fields in an HTTP/2 request, counted as in RFC 9113, section 6.5.2.
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// The most requests in progress on one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 128;

/// The most unread bytes of one HTTP/2 body.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// The most unread bytes of all HTTP/2 bodies of a connection.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// The most requests of an HTTP/2 connection that the client cancelled before the server accepted them. Past
/// it the connection ends, because the client makes work on purpose (CVE-2023-44487).
pub(crate) const STREAMS_CANCELLED_MAX: usize = 20;

/// The most streams of an HTTP/2 connection that the server reset because the client broke the protocol.
/// Past it the connection ends (CVE-2025-8671).
pub(crate) const STREAMS_BROKEN_MAX: usize = 256;

/// The number of requests with 401 after which a connection ends. A caller who guesses tokens needs a new
/// connection then.
pub(crate) const REFUSED_MAX: usize = 16;

/// The percentage of `connections_max` from which on the oldest unknown connections end.
pub(crate) const CONNECTIONS_CROWDED_PERCENT: usize = 80;

/// How long common proxies keep an idle connection to a server: 60 s for nginx and for the load balancers of
/// AWS. A request on a connection that the other end is closing gets no response, so each side must keep
/// connections for less time than the side that it calls: the client less than the proxy, and the proxy
/// less than the server.
pub const PROXY_IDLE_TIME: Duration = Duration::from_secs(60);

/// The longest time that an idle connection is kept, with a margin for the proxy.
const IDLE_TIME_MAX: Duration = PROXY_IDLE_TIME.saturating_add(Duration::from_secs(15));

/// The file descriptors that are reserved for everything but connections: databases, files, sockets.
const DESCRIPTORS_KEPT: usize = 256;

/// The limits of a server's connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest wait for the first complete head of a connection.
    pub head_time_max: Duration,
    /// The longest pause between two requests of a connection, including the head of the second. It is
    /// longer than [`PROXY_IDLE_TIME`].
    pub idle_time_max: Duration,
    /// The longest wait for the next byte of a body, and the time that a body may take in excess of
    /// `body_rate_min`.
    pub body_pause_max: Duration,
    /// The minimum rate of a body, in bytes a second. A bad line carries more; 12 MiB take 26 minutes.
    pub body_rate_min: u64,
    /// The longest time without a request in progress and without reading anything of a response. It is
    /// checked at this interval, so a quiet connection ends within twice the time. It is no shorter than
    /// `idle_time_max`, which would have no effect otherwise.
    pub quiet_time_max: Duration,
    /// The most connections at a time. Past 80 % of it, each new one ends the oldest that has sent no complete
    /// head, or else the oldest unknown one without a request in progress. If all places are taken, it
    /// waits. The default has room for twice the 5,000 watches that were measured on one server. File
    /// descriptors may allow fewer.
    pub connections_max: usize,
    /// The longest time for requests in progress after the shutdown. Then the connections are cut.
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
    /// Returns the limits with no more connections than the process's file descriptors allow. It first raises
    /// the soft limit of the process to the hard limit, because the usual 1,024 are for programs that use
    /// `select`.
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

/// Returns the number of connections that `descriptors` allow. `None` is no limit.
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
