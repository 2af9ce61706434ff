//! Runs a server: opens its data, serves, and closes the data.

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
use ctxpin_operations::upkeep;
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
use crate::routes;

pub use crate::metrics::MetricsReaders;
pub use ctxpin_listener::bind;

/// The name of the SQLite file in the data directory.
const SQLITE_NAME: &str = "ctxpin.sqlite";

/// The name of the file that a server locks while it uses the SQLite file.
const LOCK_NAME: &str = "ctxpin.lock";

/// The default limit of a server's connections to PostgreSQL. Several replicas fit into PostgreSQL's
/// default of 100.
pub const DATABASE_CONNECTIONS: u32 = 20;

/// The limits of connections that an operator can set. The minimum is 2 because one connection listens to
/// the other replicas.
pub const DATABASE_CONNECTIONS_RANGE: RangeInclusive<u32> = 2..=1_000;

/// The settings of a server.
#[derive(Clone)]
pub struct Settings {
    /// The directory of the server's files. If it is missing, the server creates it for its owner alone.
    pub data_directory: PathBuf,
    /// The URL of a PostgreSQL database. If it is `None`, the data is in SQLite in the data directory.
    pub database: Option<String>,
    /// The most connections to PostgreSQL, within [`DATABASE_CONNECTIONS_RANGE`]. One of them listens to
    /// the other replicas.
    pub database_connections: u32,
    /// A file with the first user's token. If it is `None`, the server creates the token.
    pub first_token: Option<PathBuf>,
    /// Whether pushes get 503 `sync-paused`. Everything else works.
    pub pause_sync: bool,
    pub limits: Limits,
    pub quotas: Quotas,
    pub metrics_readers: MetricsReaders,
    /// Whether sessions of the web page end with this process. If not, every replica accepts them.
    pub bound_sessions: bool,
    /// The only host of the web page besides `public_urls`: a name below `localhost` that nobody else knows. If it is
    /// `None`, the page is at every address of the server.
    pub page_host: Option<String>,
    /// The addresses under which others reach the server, besides those that it listens on.
    pub public_urls: Vec<PublicUrl>,
}

impl fmt::Debug for Settings {
    /// Formats the settings without the database's URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("data_directory", &self.data_directory)
            .field("pause_sync", &self.pause_sync)
            .finish_non_exhaustive()
    }
}

/// The reason why a server did not start or had to stop. Its text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// Another server has locked the data directory.
    #[error(
        "another server uses the data directory {}; stop it first, or choose another directory",
        path.display()
    )]
    InUse { path: PathBuf },
    /// The database cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The token of the first user cannot be written.
    #[error("the token of the first user cannot be written to {}: {source}", path.display())]
    Token { path: PathBuf, source: io::Error },
    /// The given file holds no token.
    #[error("the first user's token cannot be read from {}: {reason}", path.display())]
    GivenToken { path: PathBuf, reason: String },
    /// Files of the data directory were deleted or replaced while the server ran.
    #[error(
        "{} was deleted or replaced while the server ran, so new data would be lost; restore the missing files, or restart the server to begin with an empty database",
        path.display()
    )]
    Lost { path: PathBuf },
    /// The first user cannot be created.
    #[error("the first user cannot be created: {}", with_cause(.0))]
    FirstUser(Error),
}

fn with_cause(error: &Error) -> String {
    match error.cause() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Serves on `listener` until `shutdown` is cancelled. Then it ends all watches, gives the requests in
/// progress 10 seconds, and closes the data.
///
/// In a new database it creates the first user and writes the user's token to `admin-token` in the data
/// directory. With SQLite it also writes a new token if that file is missing, because the owner of the
/// directory owns the data. If the settings name a file with a token, the server adopts that token
/// instead, even if the database has users.
///
/// # Errors
///
/// Fails if the directory or the database cannot be used. While it serves, it fails only with
/// [`ServeError::Lost`].
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
    // Otherwise others could replace the database, the lock or the token by a link.
    directory::open(data_directory, Demand::nobody_else_writes()).map_err(unusable)?;
    let (storage, lock) = match settings.database {
        Some(url) => {
            // One more connection listens to the other replicas.
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
    let service = match settings.bound_sessions {
        true => service.with_bound_sessions(),
        false => service,
    };
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
                page_host: settings.page_host.map(Into::into),
                shutdown: shutdown.clone(),
            };
            serve_until_data_lost(listener, app, &shutdown).await
        }
        Err(error) => Err(error),
    };
    service.close().await;
    // The next server may open the data only now.
    drop(lock);
    served
}

/// Serves `routes` without data, behind the same connections and layers as the API, until `shutdown` is
/// cancelled. The benchmark measures with it what these cost by themselves.
pub async fn serve_routes(listener: TcpListener, shutdown: CancellationToken, routes: Router) {
    let router = routes::foreign_router(routes);
    let limits = Limits::default().connections.within_descriptors();
    ctxpin_listener::serve(listener, router, &shutdown, limits).await;
}

/// Serves until `shutdown` is cancelled or a data file is gone.
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
            tracing::error!(path = %path.display(), "a data file is gone");
            ending.cancel();
            serving.await;
            Err(ServeError::Lost { path })
        }
    }
}

/// Serves, and runs the background work of the service.
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
    let router = routes::router(app);
    tokio::select! {
        () = ctxpin_listener::serve(listener, router, shutdown, limits) => {}
        // The background work never ends by itself.
        () = async {
            upkeep::run(&service).await;
            std::future::pending().await
        } => {}
    }
    upkeep::write_counts(&service).await;
    tracing::info!("stopped");
}

/// Locks a data directory.
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

/// Creates the first user if there is none. `has_data` says that the data is in the directory, so that its
/// owner may get a new token of the first user.
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

/// Makes the token in the file the first user's.
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
            "the token in {} is not valid: it was revoked, or the first user is disabled; use another one",
            file.display()
        );
    }
    Ok(())
}
