//! A whole server, from opening its data to closing it.

use std::fmt;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use ctxpin_model::quota::Quotas;
use ctxpin_model::token::{MalformedToken, Token};
use ctxpin_operations::clock::Clock;
use ctxpin_operations::error::Error;
use ctxpin_operations::people::{self, FirstToken};
use ctxpin_operations::service::{Service, Storage, StorageError};
use ctxpin_operations::{quotas, refusals, treatments, wakes};
use ctxpin_private_files::exposure::Demand;
use ctxpin_private_files::lock::Lock;
use ctxpin_private_files::{directory, file};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admin_token::AdminToken;
use crate::app::App;
use crate::authority::PublicUrl;
use crate::budget::Budget;
use crate::callers::Callers;
use crate::data_files::DataFiles;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::router;

pub use crate::metrics::MetricsReaders;
pub use ctxpin_listener::bind;

/// The name of the SQLite file in the data directory.
const SQLITE_NAME: &str = "ctxpin.sqlite";

/// The name of the file whose lock says that a server uses the SQLite file.
const LOCK_NAME: &str = "ctxpin.lock";

/// How many connections to PostgreSQL a server may have at most, if nothing else is chosen: several
/// replicas fit into its usual 100.
pub const DATABASE_CONNECTIONS: u32 = 20;

/// The fewest and the most that can be chosen: one listens to the other replicas, and PostgreSQL is not
/// made for more.
pub const DATABASE_CONNECTIONS_RANGE: RangeInclusive<u32> = 2..=1_000;

/// How a server is to run.
#[derive(Clone)]
pub struct Settings {
    /// Where the server keeps what is its own. ConvertedBody, for its owner alone, if it is missing.
    pub data_directory: PathBuf,
    /// The URL of a PostgreSQL database; without it the data is in SQLite in the data directory.
    pub database: Option<String>,
    /// Most connections to PostgreSQL, of which one listens to the other replicas, within
    /// [`DATABASE_CONNECTIONS_RANGE`].
    pub database_connections: u32,
    /// A file that holds the token of the first user, instead of one that the server makes.
    pub first_token: Option<PathBuf>,
    /// Whether pushes are answered with 503 `sync-paused`; all else works.
    pub pause_sync: bool,
    /// What callers may take of the server.
    pub limits: Limits,
    /// What users may have, and what may be done in a minute.
    pub quotas: Quotas,
    /// Who may read `/metrics`.
    pub metrics_readers: MetricsReaders,
    /// Under which addresses others reach the server, beside those that it listens on.
    pub public_urls: Vec<PublicUrl>,
}

impl fmt::Debug for Settings {
    /// Without the database's URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("data_directory", &self.data_directory)
            .field("pause_sync", &self.pause_sync)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start. Its text is for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server has the data directory.
    #[error(
        "another server uses the data directory {}; stop it first, or choose another directory",
        path.display()
    )]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The token of the first user cannot be written.
    #[error("the token of the first user cannot be written to {}: {source}", path.display())]
    Token {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The token that was given for the first user is none.
    #[error("the first user's token cannot be taken from {}: {reason}", path.display())]
    GivenToken {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Files of the data directory were deleted or replaced while the server ran.
    #[error(
        "{} was deleted or replaced while the server ran, so what is written cannot last; put back what is missing, or start the server again to begin anew",
        path.display()
    )]
    Lost {
        /// The first of them.
        path: PathBuf,
    },
    /// The first user cannot be made.
    #[error("the first user cannot be made: {}", with_cause(.0))]
    FirstUser(Error),
}

fn with_cause(error: &Error) -> String {
    match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Serves on `listener` until `shutdown` is cancelled. Then every watch ends, what is under way has
/// 10 seconds to end, and the data is closed.
///
/// A new database is given its first user, whose token is written to `admin-token` in the data
/// directory; with SQLite also whenever that file is missing, for whoever has the directory has the
/// data. A token that is given in a file is taken instead, also by a database that has users: whoever
/// chooses how its server runs holds the data.
///
/// # Errors
///
/// If the directory or the database cannot be used. Once it serves, only if files of the directory are gone:
/// then it ends by itself.
pub async fn serve(
    listener: TcpListener,
    shutdown: CancellationToken,
    settings: Settings,
) -> Result<(), ServeError> {
    let data_directory = &settings.data_directory;
    let unusable = |source| ServeError::Directory {
        path: data_directory.clone(),
        source,
    };
    // Others could put a link in the place of the database, the lock or the token.
    directory::open(data_directory, Demand::nobody_else_writes()).map_err(unusable)?;
    let (storage, lock) = match settings.database {
        Some(url) => {
            // Another one listens.
            let connections_max = settings.database_connections.saturating_sub(1).max(1);
            let storage = Storage::Postgres {
                url,
                connections_max,
            };
            (storage, None)
        }
        None => {
            let lock = lock(data_directory)?;
            let path = data_directory.join(SQLITE_NAME);
            file::open_to_write(&path).map_err(unusable)?;
            (Storage::Sqlite(path), Some(lock))
        }
    };
    let files = match &storage {
        Storage::Sqlite(path) => vec![path.clone(), data_directory.join(LOCK_NAME)],
        Storage::Postgres { .. } => Vec::new(),
    };
    let data_files = DataFiles::on(files).map_err(unusable)?;
    let clock = Clock::system();
    let service = Service::open(&storage, clock.clone())
        .await?
        .with_sync_paused(settings.pause_sync)
        .with_quotas(settings.quotas);
    let user = match &settings.first_token {
        Some(file) => adopt_first_token(&service, file).await,
        None => first_user(&service, data_directory, lock.is_some()).await,
    };
    let served = match user {
        Ok(()) => {
            let mut limits = settings.limits;
            limits.connections = limits.connections.within_descriptors();
            let app = App {
                service: service.clone(),
                clock,
                metrics: Arc::new(Metrics::new()),
                metrics_readers: settings.metrics_readers,
                limits,
                budget: Budget::new(limits),
                callers: Callers::default(),
                data_files,
                public_urls: settings.public_urls.into(),
                shutdown: shutdown.clone(),
            };
            serve_until_data_lost(listener, app, &shutdown).await
        }
        Err(error) => Err(error),
    };
    service.close().await;
    // The next server may have the data only now.
    drop(lock);
    served
}

/// Serves other routes than the API's, without data, behind the same connections and layers, until
/// `shutdown` is cancelled. So it can be measured what these cost by themselves.
pub async fn serve_routes(listener: TcpListener, shutdown: CancellationToken, routes: Router) {
    let router = router::foreign_router(routes);
    let limits = Limits::default().connections.within_descriptors();
    ctxpin_listener::serve(listener, router, &shutdown, limits).await;
}

/// Serves until `shutdown`, or until files that have to be there are gone.
async fn serve_until_data_lost(
    listener: TcpListener,
    mut app: App,
    shutdown: &CancellationToken,
) -> Result<(), ServeError> {
    let ending = shutdown.child_token();
    app.shutdown = ending.clone();
    let data_files = app.data_files.clone();
    let mut serving = std::pin::pin!(serve_app(listener, app, &ending));
    tokio::select! {
        () = &mut serving => Ok(()),
        path = data_files.until_lost() => {
            tracing::error!(path = %path.display(), "files of the server are gone");
            ending.cancel();
            serving.await;
            Err(ServeError::Lost { path })
        }
    }
}

/// Serves, with the background work of the service beside.
async fn serve_app(listener: TcpListener, app: App, shutdown: &CancellationToken) {
    let service = app.service.clone();
    let address = listener.local_addr();
    tracing::info!(
        address = address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        storage = service.storage_kind(),
        "serving"
    );
    let limits = app.limits.connections;
    let router = router::router(app);
    tokio::select! {
        () = ctxpin_listener::serve(listener, router, shutdown, limits) => {}
        // It ends only when it is dropped.
        () = async {
            tokio::join!(
                wakes::run(&service),
                treatments::run(&service),
                quotas::run(&service)
            );
            std::future::pending().await
        } => {}
    }
    if let Err(error) = refusals::write(&service).await {
        tracing::warn!(%error, "it could not be noted how often something was refused");
    }
    tracing::info!("stopped");
}

/// Takes the lock of a data directory.
fn lock(directory: &Path) -> Result<Lock, ServeError> {
    let failed = |source| ServeError::Directory {
        path: directory.to_owned(),
        source,
    };
    let lock = Lock::take(&directory.join(LOCK_NAME)).map_err(failed)?;
    lock.ok_or_else(|| ServeError::InUse {
        path: directory.to_owned(),
    })
}

/// Sees to it that somebody can call. `has_data` tells that whoever has the directory has the data
/// itself, and so may have a token of the first user made anew.
async fn first_user(service: &Service, directory: &Path, has_data: bool) -> Result<(), ServeError> {
    let file = AdminToken::new(directory);
    let failed = |source| ServeError::Token {
        path: file.path(),
        source,
    };
    let policy = match has_data && !file.exists().map_err(failed)? {
        true => FirstToken::Always,
        false => FirstToken::OnlyWithUser,
    };
    let was_made = people::first_user(service, policy, |token| file.write(token))
        .await
        .map_err(ServeError::FirstUser)?
        .map_err(failed)?;
    if was_made {
        let path = file.path();
        tracing::info!("the token of the first user is in {}", path.display());
    }
    Ok(())
}

/// Sees to it that the token in the file opens the database, as the first user's.
async fn adopt_first_token(service: &Service, file: &Path) -> Result<(), ServeError> {
    let failed = |reason: String| ServeError::GivenToken {
        path: file.to_owned(),
        reason,
    };
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let token = text.trim().parse();
    let token: Token = token.map_err(|error: MalformedToken| failed(error.to_string()))?;
    let given = people::first_token_given(service, &token).await;
    if !given.map_err(ServeError::FirstUser)? {
        tracing::warn!(
            "the token in {} opens nothing: it was revoked, or the first user is disabled; give another one",
            file.display()
        );
    }
    Ok(())
}
