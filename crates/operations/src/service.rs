//! The service that all operations share: the database, the clock, the wakes and the limits.

use std::sync::Arc;
use std::time::Duration;

use ctxpin_model::id::UserId;
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::PassBinding;
use ctxpin_model::quota::{QuotaWarning, Quotas, Rate, Stock};
use ctxpin_model::token::Credential;
use ctxpin_render::renderer::Renderer;
use ctxpin_store::counts::Counts;
use ctxpin_store::database::Database;
pub use ctxpin_store::database::Storage;
use ctxpin_store::error::OpenError;
use ctxpin_store::grant::Caller;
use uuid::Uuid;

use crate::bulk_movers::BulkMovers;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::news::{NewsMark, NewsMoment};
use crate::quota_warnings::QuotaWarnings;
use crate::rates::RateCounts;
use crate::refusals::Refusals;
use crate::wakes::Wakes;
use crate::watching::{RECHECK_EVERY, Watching};
use crate::workshop::{self, Workshop};

/// The deadline for a caller's work. Its bytes bound the work, so it does not check the deadline.
const WORK_TIME_MAX: Duration = Duration::from_secs(60);

/// The error of opening the database, for the operator who starts the server.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StorageError(#[from] OpenError);

/// The state that all operations share. Clones share everything.
#[derive(Clone)]
pub struct Service {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) recheck_every: Duration,
    pub(crate) workshop: Workshop,
    pub(crate) watching: Arc<Watching>,
    pub(crate) quotas: Quotas,
    pub(crate) rate_counts: RateCounts,
    pub(crate) refusals: Refusals,
    pub(crate) quota_warnings: Arc<QuotaWarnings>,
    pub(crate) bulk_movers: BulkMovers,
    /// Set if passes are valid in this process only.
    pub(crate) pass_binding: Option<PassBinding>,
    sync_paused: bool,
}

impl Service {
    /// Opens the database and applies the missing migrations.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be opened, or if a newer release has migrated it.
    pub async fn open(storage: &Storage, clock: Clock) -> std::result::Result<Self, StorageError> {
        let database = Database::open(storage).await?;
        let database = database.with_renderer(Renderer::CURRENT.number());
        Ok(Self {
            database,
            clock,
            wakes: Arc::new(Wakes::new()),
            recheck_every: RECHECK_EVERY,
            workshop: Workshop::default(),
            watching: Arc::default(),
            quotas: Quotas::default(),
            rate_counts: RateCounts::default(),
            refusals: Refusals::default(),
            quota_warnings: Arc::default(),
            bulk_movers: BulkMovers::default(),
            pass_binding: None,
            sync_paused: false,
        })
    }

    /// Returns the present moment in the news. A reader takes it before it reads.
    pub fn news_moment(&self) -> NewsMoment {
        self.wakes.news.moment()
    }

    /// Returns the mark of what a reader has read of `owner` since a moment. Returns `None` if there were news
    /// meanwhile, because nobody knows whether the reader has seen them.
    pub fn news_mark(&self, owner: UserId, begun: NewsMoment) -> Option<NewsMark> {
        self.wakes.news.mark_since(owner, begun)
    }

    /// Returns the service with pushes paused: they fail with [`Error::SyncPaused`].
    pub fn with_sync_paused(self, sync_paused: bool) -> Self {
        Self {
            sync_paused,
            ..self
        }
    }

    /// Returns the service with sessions of the web page that end with this process.
    pub fn with_bound_sessions(self) -> Self {
        Self {
            pass_binding: Some(PassBinding(rand::random())),
            ..self
        }
    }

    /// Returns the name of this process, if sessions of the web page end with it.
    pub(crate) fn process(&self) -> Option<String> {
        self.pass_binding.as_ref().map(PassBinding::name)
    }

    /// Returns the service with other default quotas and rates.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    /// Returns the service with another interval at which watches read without a wake.
    pub fn with_recheck_every(self, recheck_every: Duration) -> Self {
        Self {
            recheck_every,
            ..self
        }
    }

    /// Returns `sqlite` or `postgres`.
    pub fn storage_kind(&self) -> &'static str {
        self.database.kind()
    }

    /// Returns how much work the database was given so far.
    pub fn counts(&self) -> Counts {
        self.database.counts()
    }

    /// Returns the quotas that a user is near, as of the last minute.
    pub fn quota_warnings(&self, user: UserId) -> Vec<QuotaWarning> {
        self.quota_warnings.of(user)
    }

    /// Returns how many users are near the quota of each stock, as of the last minute.
    pub fn users_warned(&self) -> Vec<(Stock, u64)> {
        self.quota_warnings.users()
    }

    /// Checks, without writing, that the database can be reached and would accept a write.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached or would refuse a write.
    pub async fn require_writable(&self) -> Result<()> {
        Ok(self.database.require_writable().await?)
    }

    /// Closes all connections to the database.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Returns whether [`Self::work`] runs a job on the caller's thread. `bytes` is how much it reads, or work
    /// that takes equally long.
    pub fn is_light(&self, bytes: u64) -> bool {
        workshop::is_light(bytes)
    }

    /// Runs a job of a user: at once if it is light, else in the workshop when it is the user's turn. `bytes` is
    /// how much it reads, or work that takes equally long.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Busy`] if too many of the user's jobs wait already.
    pub async fn work<T: Send + 'static>(
        &self,
        user: UserId,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let done = self.workshop.work(user, bytes, WORK_TIME_MAX, |_| work());
        done.await
    }

    pub(crate) fn caller(&self, credential: Credential) -> Caller {
        Caller {
            credential,
            now: self.clock.now(),
        }
    }

    pub(crate) fn require_sync(&self) -> Result<()> {
        if self.sync_paused {
            Err(Error::SyncPaused)
        } else {
            Ok(())
        }
    }

    /// Counts an event of an agent or a token.
    ///
    /// # Errors
    ///
    /// Returns [`Error::QuotaExceeded`] if there are too many in a minute.
    pub(crate) fn require_rate(
        &self,
        rate: Rate,
        whose: Uuid,
        more: u64,
        now: Moment,
    ) -> Result<()> {
        let key = (rate, whose);
        Ok(self.rate_counts.count(&self.quotas.rates, key, more, now)?)
    }
}
