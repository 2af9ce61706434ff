//! The state that all handlers share.

use std::sync::Arc;

use ctxpin_model::moment::Moment;
use ctxpin_model::token::Credential;
use ctxpin_operations::clock::Clock;
use ctxpin_operations::service::Service;
use tokio_util::sync::CancellationToken;

use crate::api_error::ApiResult;
use crate::authority::PublicUrl;
use crate::budget::Budget;
use crate::callers::Callers;
use crate::data_files::DataFiles;
use crate::limits::Limits;
use crate::metrics::{Metrics, MetricsReaders};

/// The state of a server. Cloning it shares everything.
#[derive(Clone)]
pub(crate) struct App {
    pub service: Service,
    /// The clock of the service.
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Who may read the metrics.
    pub metrics_readers: MetricsReaders,
    pub limits: Limits,
    /// The memory that requests and responses hold.
    pub budget: Budget,
    /// The tokens that were looked up recently.
    pub callers: Callers,
    pub data_files: DataFiles,
    /// The addresses under which others reach the server, besides its own.
    pub public_urls: Arc<[PublicUrl]>,
    /// The only host of the web page besides `public_urls`, if it has one of its own.
    pub page_host: Option<Arc<str>>,
    /// Cancelled when the server must stop.
    pub shutdown: CancellationToken,
}

impl App {
    /// Returns what `work` builds. It runs in the workshop unless it is light; `bytes` is about how many
    /// bytes it processes.
    ///
    /// # Errors
    ///
    /// Fails if the token is not valid, or if too much of the caller's work is waiting.
    pub async fn build_response<T: Send + 'static>(
        &self,
        credential: Credential,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> ApiResult<T> {
        if self.service.is_light(bytes) {
            return Ok(work());
        }
        let known = self.callers.known(&self.service, credential, None).await?;
        Ok(self.service.work(known.user, bytes, work).await?)
    }

    /// Returns the current time.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}
