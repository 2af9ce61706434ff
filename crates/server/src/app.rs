//! What every handler stands on.

use std::sync::Arc;

use ctxpin_model::moment::Moment;
use ctxpin_operations::clock::Clock;
use ctxpin_operations::service::Service;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::metrics::Metrics;

/// The state of a server. Cloning it shares everything.
#[derive(Clone)]
pub(crate) struct App {
    /// The operations.
    pub service: Service,
    /// The service's clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What callers may take.
    pub limits: Limits,
    /// Cancelled when the server is to end.
    pub shutdown: CancellationToken,
}

impl App {
    /// The present moment.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}
