//! An agent process: one reading of a project, a session for each of its agents, and a control socket.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use ctxpin_client::{Client, PlainHttp};
use ctxpin_protocol::http::people::Secret;
use ctxpin_scan::roots::{Request, Roots};
use ctxpin_scan::trust::Trust;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::control::handler::{Added, Adding, ControlHandler, StandingHandle};
use crate::control::{serve::Socket, socket_path};
use crate::error::AgentError;
use crate::hooks::Hooks;
use crate::places::Places;
use crate::readiness::Readiness;
use crate::reading::{ChangeDetection, Reading, ReadingHandle};
use crate::report::{Report, Told};
use crate::session::{Session, SessionHandle};
use crate::shared::lock;
use crate::sources::{Operator, Sources};
use crate::standing::{Maker, Standing, StandingPlace};
use crate::state_directory;

/// The settings of an agent process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's address.
    pub server: Url,
    /// The agents of the directory, at least one, each of another profile. The first answers requests through the
    /// control socket that name none.
    pub standings: Vec<Standing>,
    /// Whether tokens may go to another machine by plain HTTP.
    pub plain_http: PlainHttp,
    /// The workspace's directory.
    pub directory: PathBuf,
    /// The user's home directory.
    pub home: PathBuf,
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
    /// must be the user's own with mode 0700, and serves one process at a time.
    pub state_directory: PathBuf,
    /// Whether the workspace is scanned every two seconds, instead of when an event reports a change.
    pub poll: bool,
    /// The condition that the first scan waits for.
    pub ready: Option<Readiness>,
}

/// The session of a standing, with its place. It ends with the agent.
type Running<'r> =
    Pin<Box<dyn Future<Output = (StandingPlace, Result<(), AgentError>)> + Send + 'r>>;

/// Runs the agents of a directory until `shutdown` is cancelled, a request through the control socket stops them,
/// or the last of them must end. Calls `report` with all events; `report` must return at once. A request through the
/// control socket adds agents that `maker` makes; without it, none is added.
///
/// # Errors
///
/// Fails if the agents cannot start, or the last one must end: a newer process has taken over, or the server no
/// longer accepts the token. An agent retries after transient failures.
pub async fn run(
    settings: Settings,
    maker: Option<Arc<dyn Maker>>,
    shutdown: CancellationToken,
    report: impl Fn(Told) + Send + Sync,
) -> Result<(), AgentError> {
    let clients = settings.standings.iter();
    let clients = clients.map(|standing| client(&settings, standing.token.clone()));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let held = state_directory::hold(&settings.state_directory)?;
    let operator = Operator::read(&settings.operator_config)?;
    let mut request = request_of(&settings)?;
    operator.apply(&mut request);
    let sources = Sources::open(&settings.state_directory, operator)?;
    let places_made = Places::open(&settings.state_directory)?;
    if settings.ready.is_none() {
        check_directory(request.clone()).await?;
    }
    let socket = Socket::bind(&settings.state_directory)?;
    let path = socket_path(&settings.state_directory);
    let socket_path =
        std::path::absolute(&path).map_err(|error| AgentError::state(&path, &error))?;
    let report_of_all = |event| {
        report(Told {
            place: None,
            report: event,
        });
    };
    report_of_all(Report::Started { socket: path });

    let process = Uuid::new_v4();
    let changes = match settings.poll {
        true => ChangeDetection::Polling,
        false => ChangeDetection::Events(settings.state_directory.clone()),
    };
    let declared = sources.declared();
    let directory = request.directory.clone();
    let reading = Reading::new(
        directory.clone(),
        declared,
        changes,
        settings.ready.clone(),
        &report_of_all,
    );
    let starter = Starter {
        process,
        request: &request,
        reading: reading.handle(),
        standings: Arc::default(),
        report: &report,
    };
    let places = settings
        .standings
        .iter()
        .zip(clients)
        .map(|(standing, client)| {
            let place = StandingPlace {
                directory: directory.clone(),
                profile: standing.profile,
            };
            starter.start(place, standing, client)
        });
    let running = places.collect();
    let (adder, added) = mpsc::channel(1);
    let stop = shutdown.child_token();
    let handler = Arc::new(ControlHandler {
        process,
        socket: socket_path,
        server: settings.server.to_string(),
        request: request.clone(),
        sources: Arc::new(Mutex::new(sources)),
        reading: reading.handle(),
        standings: Arc::clone(&starter.standings),
        adding: Adding::new(maker, adder),
        places: Mutex::new(places_made),
        hooks: Hooks::new(
            settings.server.clone(),
            settings.plain_http,
            &settings.state_directory,
        ),
        stop: stop.clone(),
    });
    let again = async {
        handler.attach_again(&report).await;
        // The agents run on.
        std::future::pending().await
    };
    let mut connections = JoinSet::new();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = reading.run() => ended,
        ended = attend(running, added, &starter, &settings) => ended,
        () = socket.serve(&handler, &mut connections) => Ok(()),
        () = again => Ok(()),
    };
    // A caller who stopped the agent waits for the end of the connection, and then may start another agent.
    drop(socket);
    handler.hooks.end().await;
    drop(held);
    connections.shutdown().await;
    ended
}

fn client(settings: &Settings, token: Secret) -> Result<Client, AgentError> {
    let server = settings.server.clone();
    Ok(Client::with_plain_http(server, token, settings.plain_http)?)
}

/// What all standings of a process have in common.
struct Starter<'r, R> {
    process: Uuid,
    /// The request of the scans under the neutral profile.
    request: &'r Request,
    reading: ReadingHandle,
    /// The standings, in the order of their starts.
    standings: Arc<Mutex<Vec<StandingHandle>>>,
    report: &'r R,
}

impl<'r, R: Fn(Told) + Send + Sync> Starter<'r, R> {
    /// Adds a standing to the list, and returns its session. A standing that ended at the same place leaves the list.
    fn start(&self, place: StandingPlace, standing: &Standing, client: Client) -> Running<'r> {
        let scans = self.reading.follow(Request {
            directory: place.directory.clone(),
            profile: place.profile,
            tool: standing.tool.clone(),
            ..self.request.clone()
        });
        let (process, report) = (self.process, self.report);
        let (newest, push_state) = (watch::Sender::new(None), watch::Sender::default());
        let recent = Arc::default();
        let handle = StandingHandle {
            place: place.clone(),
            agent: standing.agent,
            session: SessionHandle::of(&scans, &newest, &recent, &push_state),
        };
        let mut standings = lock(&self.standings);
        standings.retain(|known| known.place != place);
        standings.push(handle);
        Box::pin(async move {
            let told = place.clone();
            let reporter = move |event| {
                report(Told {
                    place: Some(told.clone()),
                    report: event,
                });
            };
            let profile = place.profile;
            let session = Session::new(client, process, profile, scans, &reporter);
            let ended = session.publishing(newest, recent, push_state).run().await;
            (place, ended)
        })
    }
}

/// Waits until the last agent has ended, and returns its result. An agent that ends before is reported. Starts the
/// agents that are added meanwhile.
async fn attend<'r, R: Fn(Told) + Send + Sync>(
    mut running: FuturesUnordered<Running<'r>>,
    mut added: mpsc::Receiver<Added>,
    starter: &Starter<'r, R>,
    settings: &Settings,
) -> Result<(), AgentError> {
    loop {
        let (place, ended) = tokio::select! {
            Some(ended) = running.next() => ended,
            Some(Added { place, standing, answer }) = added.recv() => {
                let client = client(settings, standing.token.clone());
                let started = client.map(|client| {
                    running.push(starter.start(place, &standing, client));
                });
                // A caller that is gone needs no answer.
                let _ = answer.send(started.map_err(|error| error.to_string()));
                continue;
            }
        };
        match ended {
            Err(error) if !running.is_empty() => (starter.report)(Told {
                place: Some(place),
                report: Report::Ended {
                    is_unauthenticated: matches!(error, AgentError::Unauthenticated { .. }),
                    reason: error.to_string(),
                },
            }),
            ended => return ended,
        }
    }
}

/// Returns the scan request of the settings under the neutral profile, without what the operator adds.
fn request_of(settings: &Settings) -> Result<Request, AgentError> {
    let directory = std::path::absolute(&settings.directory)
        .map_err(|error| AgentError::state(&settings.directory, &error))?;
    let mut request = Request::project(directory, &settings.home, settings.trust.clone());
    request.user_roots = settings.user_roots;
    request.allowed.clone_from(&settings.allowed_roots);
    Ok(request)
}

/// Checks that a directory can be scanned.
async fn check_directory(request: Request) -> Result<(), AgentError> {
    let roots = blocking(move || Roots::of(&request)).await;
    roots.map(drop).map_err(AgentError::from)
}
