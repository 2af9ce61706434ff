//! What every handler stands on.

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
    /// The operations.
    pub service: Service,
    /// The service's clock.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who may read it.
    pub metrics_readers: MetricsReaders,
    /// What callers may take.
    pub limits: Limits,
    /// What of it is taken.
    pub budget: Budget,
    /// Who called lately.
    pub callers: Callers,
    /// The files that hold the data.
    pub data_files: DataFiles,
    /// Under which addresses others reach the server, beside its own.
    pub public_urls: Arc<[PublicUrl]>,
    /// Cancelled when the server is to end.
    pub shutdown: CancellationToken,
}

impl App {
    /// Puts an answer together by work that takes about as long as going through so many bytes.
    ///
    /// # Errors
    ///
    /// If too much of the caller's work waits already.
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

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}
