//! The agent as a whole.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ctxpin_client::{Client, PlainHttp};
use ctxpin_protocol::http::people::Secret;
use ctxpin_scan::roots::{Request, Roots};
use ctxpin_scan::trust::Trust;
use ctxpin_scan::{Scan, ScanError, scan};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::control::handler::Desk;
use crate::control::{serve::Socket, socket_path};
use crate::error::AgentError;
use crate::readiness::{self, Readiness};
use crate::reading::scanner::{Scanner, Vigil};
use crate::report::Report;
use crate::session::pusher::Pusher;
use crate::sources::{Operator, Sources};
use crate::standing::{Scanning, Sending, Wishes};
use crate::state_directory;

/// What an agent is to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's address.
    pub server: Url,
    /// The agent's token.
    pub token: Secret,
    /// Whether the token may go to another machine by plain HTTP.
    pub plain_http: PlainHttp,
    /// The workspace's directory.
    pub directory: PathBuf,
    /// The person's home directory.
    pub home: PathBuf,
    /// Whether the person's own files are scanned too.
    pub user_roots: bool,
    /// Directories below which sources may be declared, besides what the operator allows.
    pub allowed_roots: Vec<PathBuf>,
    /// Whose directories are read, besides what the operator trusts.
    pub trust: Trust,
    /// The file of the machine's operator, usually [`crate::sources::OPERATOR_CONFIG`]. It need not
    /// exist.
    pub operator_config: PathBuf,
    /// Where what survives a restart is kept, and where the agent is asked. It is made if it is
    /// missing, must be the user's own with mode 0700, and serves one agent at a time.
    pub state_directory: PathBuf,
    /// Whether the workspace is looked at every two seconds, and not only when an event says that
    /// something changed.
    pub poll: bool,
    /// What the first scan waits for; without it, for nothing.
    pub ready: Option<Readiness>,
}

/// Runs an agent until `shutdown` is cancelled, somebody stops it through its control socket, or it
/// cannot go on. `report` is told what happens; it must be quick.
///
/// # Errors
///
/// If it cannot start, or must end: a newer process has taken over, or the server no longer takes
/// the token. What may pass by itself is no error.
pub async fn run(
    settings: Settings,
    shutdown: CancellationToken,
    report: impl Fn(Report) + Send + Sync,
) -> Result<(), AgentError> {
    let report: &(dyn Fn(Report) + Send + Sync) = &report;
    let (server, token) = (settings.server.clone(), settings.token.clone());
    let client = Client::by(server, token, settings.plain_http)?;
    let held = state_directory::hold(&settings.state_directory)?;
    let operator = Operator::read(&settings.operator_config)?;
    let mut request = request_of(&settings)?;
    operator.apply(&mut request);
    let sources = Sources::open(&settings.state_directory, operator)?;
    if settings.ready.is_none() {
        check_directory(request.clone()).await?;
    }
    let socket = Socket::bind(&settings.state_directory)?;
    report(Report::Started {
        socket: socket_path(&settings.state_directory),
    });

    let process = process_id();
    let declared = sources.declared();
    let (wishes, _) = watch::channel(Wishes {
        sources: declared,
        ..Wishes::default()
    });
    let (newest, found) = watch::channel(None);
    let (scanning, scanning_told) = watch::channel(Scanning::default());
    let (sending, sending_told) = watch::channel(Sending::new());
    let stop = shutdown.child_token();
    let desk = Arc::new(Desk {
        process,
        server: settings.server.to_string(),
        request: request.clone(),
        sources: Arc::new(Mutex::new(sources)),
        wishes: wishes.clone(),
        newest: found.clone(),
        scanning: scanning_told,
        sending: sending_told,
        stop: stop.clone(),
    });
    let scans = async {
        if let Some(readiness) = &settings.ready {
            await_readiness(readiness, &request, &scanning, report).await;
        }
        let vigil = match settings.poll {
            true => Vigil::Polling,
            false => Vigil::Events(settings.state_directory.clone()),
        };
        let scanner = Scanner::new(request.clone(), &wishes, newest, scanning, vigil, report);
        scanner.run().await
    };
    let pushes = Pusher::new(client, process, found, sending, report).run();
    let mut connections = JoinSet::new();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = scans => ended,
        ended = pushes => ended,
        () = socket.serve(&desk, &mut connections) => Ok(()),
    };
    // Whoever stopped the agent waits for the connection's end: by then another one can start.
    drop(socket);
    drop(held);
    connections.shutdown().await;
    ended
}

/// What the settings have scanned, without what the operator adds.
fn request_of(settings: &Settings) -> Result<Request, AgentError> {
    let directory = std::path::absolute(&settings.directory)
        .map_err(|error| AgentError::state(&settings.directory, &error))?;
    let mut request = Request::project(directory, &settings.home, settings.trust.clone());
    request.user_roots = settings.user_roots;
    request.allowed.clone_from(&settings.allowed_roots);
    Ok(request)
}

async fn await_readiness(
    readiness: &Readiness,
    request: &Request,
    scanning: &watch::Sender<Scanning>,
    report: &(dyn Fn(Report) + Send + Sync),
) {
    readiness::wait(readiness, &request.directory, |reason| {
        scanning.send_modify(|scanning| scanning.not_ready = Some(reason.clone()));
        report(Report::NotReady { reason });
    })
    .await;
    scanning.send_modify(|scanning| scanning.not_ready = None);
    report(Report::Ready);
}

/// Whether a directory can be scanned, before anything is promised of it.
async fn check_directory(request: Request) -> Result<(), AgentError> {
    let roots = blocking(move || Roots::of(&request)).await;
    roots.map(drop).map_err(AgentError::from)
}

/// Scans once, on a thread that may wait for the disk.
pub(crate) async fn scan_once(request: Request) -> Result<Scan, ScanError> {
    blocking(move || scan(&request, &|| false)).await
}

/// The id of this process, which nobody can guess or draw twice.
pub(crate) fn process_id() -> Uuid {
    Uuid::new_v4()
}
