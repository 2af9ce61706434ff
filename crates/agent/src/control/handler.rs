//! Carries out the requests that come through the control socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::{
    self, AgentStatus, Attached, HookCall, HookEvent, HookReply, LastPush, RESYNC_SECONDS_MAX,
    Refusal, RefusalKind, Request, Response, ResyncReply, SourceChange, SourceDetails,
    StandingStatus,
};
use ctxpin_protocol::convert::resources;
use ctxpin_scan::roots::Roots;
use ctxpin_scan::{roots, scan};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::resync::{fresh, resync_outcome};
use crate::blocking::blocking;
use crate::hooks::{Event as HookedSession, Fresh, Hooks, is_read_at_turns, other_home};
use crate::places::Places;
use crate::reading::ReadingHandle;
use crate::report::{Report, Told};
use crate::session::{PushStatus, SessionHandle};
use crate::shared::lock;
use crate::sources::Sources;
use crate::standing::{Maker, Standing, StandingPlace};

/// One agent of the process, for control requests.
pub(crate) struct StandingHandle {
    pub place: StandingPlace,
    /// The agent's id, if it was known at the start.
    pub agent: Option<Uuid>,
    pub session: SessionHandle,
}

/// A standing to start, and where to say that it was started.
pub(crate) struct Added {
    pub place: StandingPlace,
    pub standing: Standing,
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Adds standings to the process, one after another.
pub(crate) struct Adding {
    maker: Option<Arc<dyn Maker>>,
    adder: tokio::sync::Mutex<mpsc::Sender<Added>>,
}

/// The greatest number of agents of one process. People start their tools in a few directories of a project.
const STANDINGS_MAX: usize = 64;

/// How long a call of a hook is carried out. The hook itself has given up before.
const HOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// Carries out control requests on a reading and the sessions that follow it.
pub(crate) struct ControlHandler {
    /// The random id of this process.
    pub process: Uuid,
    /// The absolute path of the control socket.
    pub socket: PathBuf,
    /// The server's address.
    pub server: String,
    /// The request of the scans. Its sources are not used here.
    pub request: roots::Request,
    /// The declared sources. The lock is held until the reading has each change.
    pub sources: Arc<Mutex<Sources>>,
    pub reading: ReadingHandle,
    /// The agents, in the order of their starts.
    pub standings: Arc<Mutex<Vec<StandingHandle>>>,
    pub adding: Adding,
    /// The places of the agents that were made here.
    pub places: Mutex<Places>,
    /// The sessions of clients.
    pub hooks: Hooks,
    /// Ends the process.
    pub stop: CancellationToken,
}

impl ControlHandler {
    /// Carries out a request and returns the response. The caller ends the agent after it has sent
    /// [`Response::Stopping`].
    pub async fn handle(&self, request: Request) -> Response {
        let response = match request {
            Request::Status {} => Ok(Response::Status(Box::new(self.status()))),
            Request::Resync {
                wait_seconds,
                profile,
                directory,
            } => {
                let place = (directory.as_deref(), profile.as_deref());
                let resynced = self.resync(wait_seconds, place);
                resynced.await.map(Response::Resynced)
            }
            Request::Attach { directory, profile } => {
                let attached = self.attach(Path::new(&directory), &profile).await;
                attached.map(Response::Attached)
            }
            Request::Hook(call) => {
                let told = tokio::time::timeout(HOOK_TIME_MAX, self.hook(&call)).await;
                let told = told.unwrap_or_else(|_| Err("the server does not respond".into()));
                told.map(Response::Hooked)
            }
            Request::SourceAdd { path } => self.source_add(path.into()).await,
            Request::SourceRemove { path } => self.source_remove(path.into()).await,
            Request::SourceList {} => Ok(self.source_list().await),
            Request::SourceShow { path } => self.source_show(path.into()).await,
            Request::Stop {} => Ok(Response::Stopping {}),
        };
        response.unwrap_or_else(|reason| {
            let kind = RefusalKind::Failed;
            Response::Refused(Refusal { kind, reason })
        })
    }

    /// Returns the status without waiting, not even for a disk.
    fn status(&self) -> AgentStatus {
        let now = Instant::now();
        let reading = self.reading.state().borrow().clone();
        let standings = lock(&self.standings);
        let mut standings = standings.iter().map(|standing| standing.status(now));
        let first = standings.next().unwrap_or_default();
        AgentStatus {
            pid: std::process::id(),
            process: self.process,
            socket: self.socket.to_string_lossy().into_owned(),
            server: self.server.clone(),
            not_ready: reading.not_ready,
            polling: reading.polling,
            sources: self.reading.source_count() as u64,
            first,
            others: standings.collect(),
        }
    }

    /// Returns the session of the agent of a directory and a profile. Without a directory, it is the agent of the
    /// process's own directory; without both, it is the first.
    fn session(
        &self,
        (directory, profile): (Option<&str>, Option<&str>),
    ) -> Result<SessionHandle, String> {
        let standings = lock(&self.standings);
        let own = self.request.directory.as_path();
        let directory = directory.map_or(own, Path::new);
        let here = standings.iter();
        let mut here = here.filter(|standing| standing.place.directory == directory);
        let is_named = |standing: &&StandingHandle| {
            profile.is_none_or(|profile| standing.place.profile.as_str() == profile)
        };
        let found = here.clone().find(is_named).ok_or_else(|| {
            let directory = directory.display();
            let served = here.by_ref().map(|here| here.place.profile.as_str());
            match (profile, served.collect::<Vec<_>>().join(", ")) {
                (Some(profile), served) if !served.is_empty() => {
                    format!(
                        "no agent of the profile `{profile}` runs on {directory}, but of {served}"
                    )
                }
                _ => format!("this process runs no agent on {directory}"),
            }
        });
        found.map(|standing| standing.session.clone())
    }

    /// Returns the agent of a directory of the project and a profile. If it is missing, the process's maker makes it,
    /// and its session starts.
    async fn attach(&self, directory: &Path, profile: &str) -> Result<Attached, String> {
        let profile = profile
            .parse::<Profile>()
            .map_err(|error| error.to_string())?;
        let place = StandingPlace {
            directory: self.own_directory(directory).await?,
            profile,
        };
        // One at a time, so that a place gets one agent.
        let adder = self.adding.adder.lock().await;
        {
            let mut standings = lock(&self.standings);
            let is_this =
                |standing: &&StandingHandle| standing.place == place && !standing.has_ended();
            if let Some(standing) = standings.iter().find(is_this) {
                return Ok(attached(&place, standing.agent()));
            }
            if standings.len() >= STANDINGS_MAX {
                // The first one answers requests that name none.
                let mut later = standings.iter().skip(1);
                let ended = later.position(StandingHandle::has_ended).ok_or_else(|| {
                    format!("this process has {STANDINGS_MAX} agents already, and takes no more")
                })?;
                standings.remove(ended + 1);
            }
        }
        let Some(maker) = &self.adding.maker else {
            return Err(format!(
                "this process cannot make agents; create one with `ctxpin agent create --profile {profile}`, and run it with `ctxpin agent run --profile {profile}` in {}",
                place.directory.display()
            ));
        };
        let standing = maker.make(&place).await?;
        // Which tools are served in its own directory, the process is told at each start.
        if place.directory != self.request.directory {
            lock(&self.places).add(&place)?;
        }
        let agent = standing.agent;
        let (answer, answered) = oneshot::channel();
        let added = Added {
            place: place.clone(),
            standing,
            answer,
        };
        let ends = || "the agent ends".to_owned();
        adder.send(added).await.map_err(|_| ends())?;
        answered.await.map_err(|_| ends())??;
        Ok(attached(&place, agent))
    }

    /// Attaches the agents that an earlier process made here, and calls `report` for each one that cannot be. One whose
    /// directory is gone is forgotten. Without a maker, it does nothing.
    pub async fn attach_again(&self, report: impl Fn(Told)) {
        if self.adding.maker.is_none() {
            return;
        }
        let places = lock(&self.places).all();
        for place in places {
            let attached = match place.directory.is_dir() {
                true => {
                    let profile = place.profile.as_str();
                    self.attach(&place.directory, profile).await.map(drop)
                }
                false => lock(&self.places).remove(&place),
            };
            if let Err(reason) = attached {
                let is_unauthenticated = false;
                report(Told {
                    place: Some(place),
                    report: Report::Ended {
                        reason,
                        is_unauthenticated,
                    },
                });
            }
        }
    }

    /// Returns the canonical path of a directory of the project. A directory of another project is refused, such as one
    /// of a worktree or a submodule below: it must not be bound to an agent of this one.
    async fn own_directory(&self, directory: &Path) -> Result<PathBuf, String> {
        if !directory.is_absolute() {
            return Err("`directory` must be an absolute path".into());
        }
        let own = self.request.clone();
        let asked = roots::Request {
            directory: directory.to_owned(),
            ..own.clone()
        };
        blocking(move || {
            let named = asked.directory.display().to_string();
            let asked = Roots::of(&asked).map_err(|error| error.to_string())?;
            let own = Roots::of(&own).map_err(|error| error.to_string())?;
            let watched = own.directory.display();
            if asked.project() == own.project() {
                return Ok(asked.directory);
            }
            // Without a repository, each directory is a project.
            let is_alone = !asked.project().join(".git").exists();
            Err(match is_alone && asked.directory.starts_with(&own.directory) {
                true => format!(
                    "{named} is below {watched}, but in no repository, so it is a project of its own; run `ctxpin up` \
                     there, or make {watched} a repository with `git init`"
                ),
                false => format!(
                    "{named} belongs to another project than {watched}; run `ctxpin up` there"
                ),
            })
        })
        .await
    }

    /// Follows a session of a client whose hook was called.
    async fn hook(&self, call: &HookCall) -> Result<HookReply, String> {
        let called_at = called_at(call);
        let client = self.hooks.check(call)?;
        // Nothing is waited for before this, so that calls which waited together arrive in their order.
        let arrived = self.hooks.arrived(call, client);
        let is_process_known = self.hooks.is_process_known(call);
        let directory = self.hooks.directory(call, client, &arrived).await;
        let attached = self.attach(&directory, client.as_str()).await?;
        let place = (Some(&*attached.directory), Some(client.as_str()));
        let session = self.session(place)?;
        if let Some(reason) = other_home(call, client, session.newest.clone()).await {
            return Err(reason);
        }
        self.hooks.follows(call, client, &arrived, directory).await;
        let agent = attached.agent_id.ok_or_else(|| {
            format!(
                "the process on {} does not know its agent yet, because it has reached no server",
                attached.directory
            )
        })?;
        let event = HookedSession {
            call: call.clone(),
            client,
            agent,
            newest: session.newest.clone(),
            recent: Arc::clone(&session.recent),
            called_at,
            is_process_known,
        };
        match call.event {
            HookEvent::SessionStart => {
                let fresh = self.fresh(session);
                self.hooks.start(event, arrived, fresh).await
            }
            HookEvent::Prompt => {
                let is_read = is_read_at_turns(client) || self.hooks.forgot(call).is_some();
                // Another hook of the start may have written a file just now.
                let fresh = (is_read || arrived.is_starting()).then(|| self.fresh(session));
                self.hooks.turn(event, arrived, fresh).await
            }
            HookEvent::SubagentStart => {
                let is_read = ClientEvent::Startup.is_read_by_subagent(client);
                let fresh = is_read.then(|| self.fresh(session));
                self.hooks.subagent(event, arrived, fresh).await
            }
            HookEvent::Given => self.hooks.given(event, arrived).await,
            HookEvent::Stop | HookEvent::SubagentStop | HookEvent::SessionEnd => {
                self.hooks.stop(event, arrived).await
            }
        }
    }

    /// Begins a scan for what a client reads now.
    fn fresh(&self, session: SessionHandle) -> Fresh {
        fresh(session, self.reading.resync())
    }

    /// Requests a scan and a push of its result by every agent, and waits for the outcome of one. Returns a message
    /// for people if its scan or its push fails, or if nothing is acknowledged within `wait_seconds`.
    async fn resync(
        &self,
        wait_seconds: u64,
        place: (Option<&str>, Option<&str>),
    ) -> Result<ResyncReply, String> {
        let session = self.session(place)?;
        if !(1..=RESYNC_SECONDS_MAX).contains(&wait_seconds) {
            return Err(format!("`wait_seconds` is from 1 to {RESYNC_SECONDS_MAX}"));
        }
        if let Some(reason) = &self.reading.state().borrow().not_ready {
            return Err(format!("the workspace is not ready yet: {reason}"));
        }
        let number = self.reading.resync();
        let wait = Duration::from_secs(wait_seconds);
        match tokio::time::timeout(wait, resync_outcome(&session, number)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let state = session.push_state.borrow();
                let reason = state.waits_because().unwrap_or("the push goes on");
                Err(format!(
                    "nothing was acknowledged within {wait_seconds} s: {reason}"
                ))
            }
        }
    }

    async fn source_add(&self, path: PathBuf) -> Result<Response, String> {
        let request = self.request.clone();
        let changed = self.source_change(move |sources| sources.add(&request, &path));
        let changed = changed.await?;
        let roots::Request { home, trust, .. } = &self.request;
        let alone = roots::Request::single(&changed.path, home, trust.clone());
        let gives = blocking(move || {
            let found = scan(&alone, &|| false);
            found.map_or(0, |found| found.snapshot.resources.len() as u64)
        });
        Ok(Response::SourceChanged(SourceChange {
            gives: Some(gives.await),
            ..changed
        }))
    }

    async fn source_list(&self) -> Response {
        let sources = Arc::clone(&self.sources);
        // Another request may hold the lock while it writes to the disk.
        Response::Sources(blocking(move || lock(&sources).list()).await)
    }

    async fn source_remove(&self, path: PathBuf) -> Result<Response, String> {
        let changed = self.source_change(move |sources| Ok((sources.remove(&path)?, true)));
        changed.await.map(Response::SourceChanged)
    }

    /// Changes the declared sources and requests a scan. When it returns, the change is on disk.
    async fn source_change(
        &self,
        change: impl FnOnce(&mut Sources) -> Result<(PathBuf, bool), String> + Send + 'static,
    ) -> Result<SourceChange, String> {
        let sources = Arc::clone(&self.sources);
        let reading = self.reading.clone();
        let (path, changed) = blocking(move || {
            let mut sources = lock(&sources);
            let changed = change(&mut sources)?;
            // This happens under the lock, so that the later of two changes is the one that is scanned.
            reading.set_sources(sources.declared());
            Ok::<_, String>(changed)
        })
        .await?;
        Ok(SourceChange {
            path: path.to_string_lossy().into_owned(),
            changed,
            gives: None,
        })
    }

    async fn source_show(&self, path: PathBuf) -> Result<Response, String> {
        let sources = Arc::clone(&self.sources);
        let newest = {
            let standings = lock(&self.standings);
            let first = standings.first();
            first.and_then(|first| first.session.newest.borrow().clone())
        };
        let source = blocking(move || {
            let sources = lock(&sources);
            let known = sources.find(&path).map(Path::to_owned);
            let Some(known) = known else {
                return Err(format!(
                    "{} is not declared; `ctxpin source list` shows what is",
                    path.display()
                ));
            };
            // A scan names a root by its canonical path, and a root that it refuses by the declared path.
            let real = known.canonicalize().ok();
            let roots = [Some(known.clone()), real].into_iter().flatten();
            let roots: Vec<_> = roots.map(|r| r.to_string_lossy().into_owned()).collect();
            let listed = sources.list();
            let source = listed.into_iter().find(|source| source.path == roots[0]);
            Ok((source.ok_or("it was removed a moment ago")?, roots))
        });
        let (source, roots) = source.await?;
        let in_source = |root: &Option<String>| root.as_ref().is_some_and(|r| roots.contains(r));
        let found = newest
            .iter()
            .flat_map(|newest| &newest.snapshot().resources);
        let found = found.filter(|resource| in_source(&resource.root));
        Ok(Response::Source(SourceDetails {
            source,
            resources: found
                .map(|resource| resources::resource(resource, None))
                .collect(),
        }))
    }
}

impl Adding {
    /// Returns what adds standings through `adder`.
    pub fn new(maker: Option<Arc<dyn Maker>>, adder: mpsc::Sender<Added>) -> Self {
        Self {
            maker,
            adder: tokio::sync::Mutex::new(adder),
        }
    }
}

fn attached(place: &StandingPlace, agent: Option<Uuid>) -> Attached {
    Attached {
        directory: place.directory.to_string_lossy().into_owned(),
        profile: place.profile.to_string(),
        agent_id: agent,
    }
}

impl StandingHandle {
    /// Returns the agent's id, if it is known: from its start, or since its first session.
    fn agent(&self) -> Option<Uuid> {
        self.agent.or(self.session.push_state.borrow().agent)
    }

    fn has_ended(&self) -> bool {
        let state = self.session.push_state.borrow();
        matches!(state.status, PushStatus::Ended(_))
    }

    fn status(&self, now: Instant) -> StandingStatus {
        let push_state = self.session.push_state.borrow().clone();
        let newest = self.session.newest.borrow().clone();
        let failure = self.session.scans.borrow().failure.clone();
        StandingStatus {
            profile: self.place.profile.to_string(),
            directory: self.place.directory.to_string_lossy().into_owned(),
            agent_id: self.agent.or(push_state.agent),
            epoch: push_state.epoch,
            scan_error: failure.map(|failure| failure.reason),
            found: newest.map(|newest| newest.to_wire()),
            pushed: push_state.acknowledged.map(|push| LastPush {
                snapshot: push.snapshot,
                seq: push.seq,
                seconds_ago: now.saturating_duration_since(push.at).as_secs(),
            }),
            pushing: to_wire(push_state.status, now),
            quota_warnings: push_state.quota_warnings,
            token_expires_at: push_state.token_expires_at.map(Moment::utc),
        }
    }
}

fn to_wire(status: PushStatus, now: Instant) -> control::PushStatus {
    match status {
        PushStatus::Settled => control::PushStatus::Settled,
        PushStatus::Sending => control::PushStatus::Sending,
        PushStatus::Waiting(retry) => control::PushStatus::Waiting {
            seconds: seconds_until(retry.at, now),
            reason: retry.reason,
        },
        PushStatus::Refused(refusal) => control::PushStatus::Refused {
            reason: refusal.reason,
            seconds: refusal.retry_at.map(|at| seconds_until(at, now)),
        },
        PushStatus::Ended(reason) => control::PushStatus::Ended { reason },
    }
}

/// Returns when a hook was called, which its process has told. The call may have waited since.
#[expect(
    clippy::disallowed_methods,
    reason = "another process tells its time by the clock of the system"
)]
fn called_at(call: &HookCall) -> Instant {
    let now = Instant::now();
    let called = call.at_ms.map(Duration::from_millis);
    let called = called.and_then(|since| UNIX_EPOCH.checked_add(since));
    let waited = called.and_then(|called| SystemTime::now().duration_since(called).ok());
    let called_at = waited.and_then(|waited| now.checked_sub(waited));
    called_at.unwrap_or(now)
}

/// Returns the seconds from `now` until a moment, rounded up.
fn seconds_until(until: Instant, now: Instant) -> u64 {
    let left = until.saturating_duration_since(now);
    left.as_millis().div_ceil(1000) as u64
}
