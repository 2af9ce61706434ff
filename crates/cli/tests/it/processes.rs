//! Processes: which signals they obey, and how long whatever they call is kept waiting.

use std::time::Duration;

use ctxpin_server::limits::{Limits, PROXY_IDLE_TIME};

#[test]
fn case_b01_timeouts_stand_in_order() {
    let server = Limits::default();
    let heartbeat = ctxpin_agent::HEARTBEAT_INTERVAL;
    let idle = ctxpin_client::IDLE_TIME_MAX;
    assert!(idle < PROXY_IDLE_TIME);
    assert!(PROXY_IDLE_TIME < server.idle_time_max);
    assert!(server.idle_time_max <= server.quiet_time_max);
    for time in [idle, PROXY_IDLE_TIME, server.idle_time_max] {
        let (shorter, longer) = (time.min(heartbeat), time.max(heartbeat));
        let rest = longer.as_secs() % shorter.as_secs();
        assert_ne!(Duration::from_secs(rest), Duration::ZERO, "{time:?}");
    }
}
