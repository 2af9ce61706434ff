//! How an agent stands: what its two halves tell each other and whoever asks.

use std::sync::Arc;
use std::time::Instant;

use ctxpin_model::moment::Moment;
use ctxpin_protocol::control::Resynced;
use ctxpin_protocol::http::quotas::QuotaWarning;
use ctxpin_scan::roots::Declared;

use crate::session::local_snapshot::Found;
use crate::session::plan::{Pushing, Trouble};

/// What the scanner is to do. Everything in it only grows or is replaced, so that whoever looks
/// late misses nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// How often something may have changed.
    pub signals: u64,
    /// How often a resync was asked for.
    pub demand: u64,
    /// The declared sources, in their order.
    pub sources: Vec<Declared>,
}

/// How scanning stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scanning {
    /// What the first scan waits for.
    pub not_ready: Option<String>,
    /// Why files are polled.
    pub polling: Option<String>,
    /// Why the last scan failed.
    pub failed: Option<ScanFailed>,
}

/// A scan that failed.
#[derive(Debug, Clone)]
pub(crate) struct ScanFailed {
    /// Why.
    pub reason: String,
    /// The resync that it was the answer to.
    pub demand: u64,
}

/// The newest scan.
pub(crate) type Newest = Option<Arc<Found>>;

/// How pushing stands.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// The number of the session.
    pub epoch: Option<i64>,
    /// What the server last acknowledged.
    pub pushed: Option<Pushed>,
    /// Whether what was found is there.
    pub pushing: Pushing,
    /// What came of the last push that was taken or refused.
    pub settled: Option<Settled>,
    /// What the agent's owner is warned of, as the server last told.
    pub quota_warnings: Vec<QuotaWarning>,
    /// When the agent's token ends, as the server last told.
    pub token_expires_at: Option<Moment>,
}

/// A push that the server acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    /// The head's snapshot.
    pub snapshot: String,
    /// The head's place in the timeline.
    pub seq: i64,
    /// When it was acknowledged.
    pub at: Instant,
}

/// What came of a push.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    /// The resync that it was the answer to, and every one before.
    pub demand: u64,
    /// What the resync is told, or why the push was refused.
    pub outcome: Result<Resynced, String>,
}

impl Sending {
    /// Nothing was pushed yet.
    pub fn new() -> Self {
        Self {
            epoch: None,
            pushed: None,
            pushing: Pushing::Settled,
            settled: None,
            quota_warnings: Vec::new(),
            token_expires_at: None,
        }
    }

    /// Why pushing waits, if it does.
    pub fn trouble(&self) -> Option<&Trouble> {
        match &self.pushing {
            Pushing::Waiting(trouble) => Some(trouble),
            Pushing::Settled | Pushing::Sending | Pushing::Refused(_) => None,
        }
    }
}
