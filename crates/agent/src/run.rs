//! An agent process: one reading, one session that follows it, and a control socket.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::Secret;
use ctxpin_scan::roots::{Request, Roots};
use ctxpin_scan::trust::Trust;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::control::handler::ControlHandler;
use crate::control::{serve::Socket, socket_path};
use crate::error::AgentError;
use crate::readiness::Readiness;
use crate::reading::{ChangeDetection, Reading};
use crate::report::Report;
use crate::session::Session;
use crate::sources::{Operator, Sources};
use crate::state_directory;

/// The settings of an agent process.
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
    /// The user's home directory.
    pub home: PathBuf,
    /// The tool whose rules decide what is scanned.
    pub profile: Profile,
    /// The directory of the tool's settings, if it is not the usual one.
    pub tool_home: Option<PathBuf>,
    /// Whether the user roots are scanned too.
    pub user_roots: bool,
    /// Directories below which sources may be declared, besides those that the operator allows.
    pub allowed_roots: Vec<PathBuf>,
    /// The trusted directories of other users, besides those that the operator trusts.
    pub trust: Trust,
    /// The configuration file of the machine's operator, usually
    /// [`crate::sources::OPERATOR_CONFIG`]. It need not exist.
    pub operator_config: PathBuf,
    /// The directory of the declared sources and the control socket. It is created if it is missing,
    /// must be the user's own with mode 0700, and serves one agent at a time.
    pub state_directory: PathBuf,
    /// Whether the workspace is scanned every two seconds, instead of when an event reports a change.
    pub poll: bool,
    /// The condition that the first scan waits for.
    pub ready: Option<Readiness>,
}

/// Runs an agent until `shutdown` is cancelled, a request through the control socket stops it, or it fails.
/// Calls `report` with all events; `report` must return at once.
///
/// # Errors
///
/// Fails if the agent cannot start, or must end: a newer process has taken over, or the server no longer
/// accepts the token. The agent retries after transient failures.
pub async fn run(
    settings: Settings,
    shutdown: CancellationToken,
    report: impl Fn(Report) + Send + Sync,
) -> Result<(), AgentError> {
    let (server, token) = (settings.server.clone(), settings.token.clone());
    let client = Client::with_plain_http(server, token, settings.plain_http)?;
    let held = state_directory::hold(&settings.state_directory)?;
    let operator = Operator::read(&settings.operator_config)?;
    let mut request = request_of(&settings)?;
    operator.apply(&mut request);
    let sources = Sources::open(&settings.state_directory, operator)?;
    if settings.ready.is_none() {
        check_directory(request.clone()).await?;
    }
    request.sources = sources.declared();
    let socket = Socket::bind(&settings.state_directory)?;
    let path = socket_path(&settings.state_directory);
    let socket_path =
        std::path::absolute(&path).map_err(|error| AgentError::state(&path, &error))?;
    report(Report::Started { socket: path });

    let process = Uuid::new_v4();
    let changes = match settings.poll {
        true => ChangeDetection::Polling,
        false => ChangeDetection::Events(settings.state_directory.clone()),
    };
    let reading = Reading::new(request.clone(), changes, settings.ready, &report);
    let session = Session::new(
        client,
        process,
        settings.profile,
        reading.handle().scans(),
        &report,
    );
    let stop = shutdown.child_token();
    let handler = Arc::new(ControlHandler {
        process,
        socket: socket_path,
        server: settings.server.to_string(),
        request,
        sources: Arc::new(Mutex::new(sources)),
        reading: reading.handle(),
        session: session.handle(),
        stop: stop.clone(),
    });
    let mut connections = JoinSet::new();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = reading.run() => ended,
        ended = session.run() => ended,
        () = socket.serve(&handler, &mut connections) => Ok(()),
    };
    // A caller who stopped the agent waits for the end of the connection, and then may start another agent.
    drop(socket);
    drop(held);
    connections.shutdown().await;
    ended
}

/// Returns the scan request of the settings, without what the operator adds.
fn request_of(settings: &Settings) -> Result<Request, AgentError> {
    let directory = std::path::absolute(&settings.directory)
        .map_err(|error| AgentError::state(&settings.directory, &error))?;
    let mut request = Request::project(directory, &settings.home, settings.trust.clone());
    request.profile = settings.profile;
    request.tool_home.clone_from(&settings.tool_home);
    request.user_roots = settings.user_roots;
    request.allowed.clone_from(&settings.allowed_roots);
    Ok(request)
}

/// Checks that a directory can be scanned.
async fn check_directory(request: Request) -> Result<(), AgentError> {
    let roots = blocking(move || Roots::of(&request)).await;
    roots.map(drop).map_err(AgentError::from)
}
