//! `ctxpin up`: a server, an agent on one directory, and a first chat.

pub mod detach;
mod host;
mod identity;
mod voice;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use ctxpin_agent::control;
use ctxpin_agent::error::AgentError;
use ctxpin_agent::readiness::Readiness;
use ctxpin_agent::report::{Report, Told};
use ctxpin_agent::run;
use ctxpin_agent::sources::OPERATOR_CONFIG;
use ctxpin_agent::standing::{Maker, Standing, StandingPlace};
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::chats::ChatQuery;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_scan::profile::is_used;
use ctxpin_scan::roots::{Request, Roots};
use ctxpin_scan::trust::Trust;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent_credentials::AgentCredentials;
use crate::connect::token_given;
use crate::data_directory::{AgentDirectory, DataDirectory, DatabaseKey};
use crate::home::home_directory;
use crate::page_link::PageLink;
use crate::running::{RunningServer, is_locked, lock_note, lock_take, token_read};
use crate::say::{self, Failure, Hint, NextCommand, waited};
use crate::stop;

use host::Plan;
pub use identity::Tool;
pub use voice::{Announcement, Place, Summary, Voice};

/// Maximum number of queued reports. An agent sends a few per second.
const REPORTS_MAX: usize = 256;

/// The arguments of `ctxpin up`.
pub struct Watching {
    /// The directory to watch.
    pub directory: PathBuf,
    /// Whether to scan the user roots too.
    pub user_roots: bool,
    /// Directories below which sources may be declared, besides what the operator allows.
    pub allowed_roots: Vec<PathBuf>,
    /// The directories of other users that are trusted.
    pub trust: Trust,
    /// All tools, the neutral profile first.
    pub tools: Vec<Tool>,
    /// The tools to serve besides the neutral profile. If it is empty, those are served that seem to be used here.
    pub chosen: Vec<Profile>,
    /// The address of the PostgreSQL database, or `None` for SQLite.
    pub database: Option<String>,
    /// Whether to poll for changes every two seconds.
    pub poll: bool,
    /// The condition that the first scan waits for.
    pub ready: Option<Readiness>,
    /// A file with the user's token, if the server's first token is not theirs.
    pub token_file: Option<PathBuf>,
}

/// A directory that this process watches.
struct Session<'a> {
    watching: &'a Watching,
    directory: PathBuf,
    home: PathBuf,
    /// The tools that are served, the neutral profile first.
    tools: Vec<Tool>,
    kept: AgentDirectory,
    data: DataDirectory,
    server: RunningServer,
    client: Client,
}

/// An agent of the directory, and the tool whose rules it follows.
struct ToolAgent {
    tool: Tool,
    credentials: AgentCredentials,
}

/// Makes agents for other tools and other directories of the project, with the user's own token.
struct OwnMaker {
    client: Client,
    data: DataDirectory,
    database: DatabaseKey,
    tools: Vec<Tool>,
}

impl OwnMaker {
    async fn agent(&self, place: &StandingPlace) -> Result<Standing, Failure> {
        let mut tools = self.tools.iter();
        let tool = tools.find(|tool| tool.profile == place.profile);
        let environment = tool.map(|tool| tool.environment.clone());
        let tool = Tool {
            profile: place.profile,
            environment: environment.unwrap_or_default(),
        };
        let kept = self.data.agent(&place.directory);
        kept.create(&place.directory)?;
        let credentials = kept.credentials(&self.database, place.profile);
        let agent = identity::agent_ensure(&self.client, &credentials, &place.directory, &tool);
        let agent = agent.await?;
        Ok(Standing {
            agent: Some(agent.id.uuid()),
            token: agent.token,
            profile: place.profile,
            tool: tool.environment,
        })
    }
}

impl Maker for OwnMaker {
    fn make<'m>(
        &'m self,
        place: &'m StandingPlace,
    ) -> Pin<Box<dyn Future<Output = Result<Standing, String>> + Send + 'm>> {
        let made = self.agent(place);
        Box::pin(async { made.await.map_err(|failure| failure.message().to_owned()) })
    }
}

/// Why the agents of the directory run no more.
enum Attended {
    /// The last one has ended.
    Ended(Result<(), AgentError>),
    /// The server no longer accepts the agent of this profile.
    Refused(Profile),
}

/// The agents that run in this process.
struct RunningAgents {
    task: JoinHandle<Result<(), AgentError>>,
    reports: mpsc::Receiver<Told>,
    stop: CancellationToken,
}

impl Watching {
    /// Watches the directory until the process is stopped, and reports through `voice`.
    ///
    /// # Errors
    ///
    /// Fails if the server or the agent cannot start or ends with an error.
    pub async fn run(self, voice: &mut Voice) -> Result<(), Failure> {
        let shutdown = stop::on_signal()?;
        let data = DataDirectory::locate()?;
        data.create()?;
        let directory = directory_check(&self.directory)?;
        let home = home_directory(self.user_roots || !self.chosen.is_empty())?;
        if self.ready.is_none() {
            // Check the directory before anything is started or created.
            let request = Request::project(&directory, &home, self.trust.clone());
            Roots::of(&request).map_err(AgentError::from)?;
        }
        if let Voice::Starter { .. } = voice {
            detach::leave_directory();
        }
        let kept = data.agent(&directory);
        kept.create(&directory)?;
        let Some(lock) = lock_take(&kept.lock())? else {
            return self.already(&data, &directory, voice).await;
        };
        lock_note(&kept.lock(), &lock)?;

        voice.wait(match is_locked(&data.server_lock())? {
            true => "joining the server",
            false => "starting the server",
        });
        let serving = CancellationToken::new();
        let plan = Plan {
            data: data.clone(),
            database: self.database.clone(),
        };
        let mut host = {
            let tell = |text: &str| voice.wait(text);
            let mut starting = std::pin::pin!(plan.start(serving.clone(), tell));
            tokio::select! {
                host = &mut starting => host?,
                () = shutdown.cancelled() => {
                    serving.cancel();
                    return match starting.await {
                        Ok(host) => ended(host.task.await),
                        Err(_) => Ok(()),
                    };
                }
            }
        };
        let token = self.token(&host.server, &data)?;
        let session = Session {
            watching: &self,
            tools: self.tools_here(&directory, &home),
            directory,
            home,
            kept,
            data,
            client: Client::new(host.server.url.clone(), token)?,
            server: host.server,
        };
        // Stop the agent before its server.
        let answer = tokio::select! {
            answer = session.watch(&shutdown, voice) => answer,
            server = &mut host.task => return ended(server),
        };
        serving.cancel();
        answer.and(ended(host.task.await))
    }

    /// Returns the tools that are served in a directory: those that the person chose, or else those that seem to be
    /// used here.
    fn tools_here(&self, directory: &Path, home: &Path) -> Vec<Tool> {
        let is_here = |tool: &&Tool| {
            // Without a home, nobody knows where a tool's settings are.
            let has_home = tool.environment.home.is_some() || !home.as_os_str().is_empty();
            let request = Request {
                profile: tool.profile,
                tool: tool.environment.clone(),
                ..Request::project(directory, home, self.trust.clone())
            };
            match tool.profile == Profile::Neutral || self.chosen.contains(&tool.profile) {
                true => true,
                false => self.chosen.is_empty() && has_home && is_used(&request),
            }
        };
        self.tools.iter().filter(is_here).cloned().collect()
    }

    /// Returns the token of the option, or else the server's first token, or else the token in the
    /// environment, which may be meant for another server.
    fn token(&self, server: &RunningServer, data: &DataDirectory) -> Result<Secret, Failure> {
        if let Some(file) = &self.token_file {
            return token_read(file);
        }
        match server.admin_token(data) {
            Ok(token) => Ok(token),
            Err(failure) => token_given(None)?.map(|token| token.secret).ok_or(failure),
        }
    }

    /// Prints that another process already watches the directory, and the state of the directory's chat.
    async fn already(
        &self,
        data: &DataDirectory,
        directory: &Path,
        voice: &mut Voice,
    ) -> Result<(), Failure> {
        voice.tell(&format!(
            "`ctxpin up` already runs on {}; nothing was started",
            say::path(&directory)
        ));
        let Some(server) = RunningServer::find(data)? else {
            return Ok(());
        };
        let place = data.agent(directory);
        let place = place.credentials(&server.database, Profile::Neutral);
        let Some(agent) = AgentCredentials::read(&place)? else {
            return Ok(());
        };
        let process = control::Client::new(&data.agent(directory).state());
        for profile in &self.chosen {
            process.attach(directory, *profile).await?;
            voice.tell(&format!("it serves {profile}"));
        }
        let client = Client::new(server.url.clone(), self.token(&server, data)?)?;
        let asked = async {
            let chat = identity::chat_ensure(&client, &agent, directory).await?;
            let context = client.context(ChatId::from(chat.id)).await?;
            let page = page_link(&client).await;
            Ok::<_, Failure>((chat, context, page))
        };
        let told = || voice.wait(&host::waiting(data));
        let (chat, context, page) = waited(asked, told).await?;
        // Which tools are served is only a convenience, so errors are ignored.
        let others = process.status().await.map(|status| status.others);
        let own = directory.to_string_lossy();
        let others = others.into_iter().flatten();
        let here = others.filter(|other| other.directory == own);
        let summary = Summary::new(
            directory,
            &chat,
            &context,
            &server,
            data.path(),
            page.as_ref(),
            here.map(|other| other.profile).collect(),
        );
        voice.ready(&summary, Place::Elsewhere)
    }
}

impl Session<'_> {
    /// Runs the agents until the last one ends. Replaces each agent that the server refuses, once.
    async fn watch(&self, shutdown: &CancellationToken, voice: &mut Voice) -> Result<(), Failure> {
        let mut agents = Vec::new();
        for tool in &self.tools {
            let place = self.place(tool);
            let ensured = identity::agent_ensure(&self.client, &place, &self.directory, tool);
            match ensured.await {
                Ok(credentials) => agents.push(ToolAgent {
                    tool: tool.clone(),
                    credentials,
                }),
                // A server of an older release knows no profile.
                Err(failure)
                    if tool.profile != Profile::Neutral && self.watching.chosen.is_empty() =>
                {
                    voice.tell(&format!("{} is not served here:", tool.profile));
                    failure.report();
                }
                Err(failure) => return Err(failure),
            }
        }
        let mut replaced = BTreeSet::new();
        loop {
            match self.attend(&agents, &replaced, shutdown, voice).await? {
                Attended::Ended(ended) => return Ok(ended?),
                Attended::Refused(profile) => {
                    replaced.insert(profile);
                    for agent in agents
                        .iter_mut()
                        .filter(|agent| agent.tool.profile == profile)
                    {
                        let (place, tool) = (self.place(&agent.tool), &agent.tool);
                        let made =
                            identity::agent_replace(&self.client, &place, &self.directory, tool);
                        agent.credentials = made.await?;
                    }
                }
            }
        }
    }

    /// Returns the directory with the id and the token of the agent for a tool.
    fn place(&self, tool: &Tool) -> PathBuf {
        self.kept.credentials(&self.server.database, tool.profile)
    }

    /// Runs the agents until the last one ends, or the server refuses one that was not replaced yet, and prints their
    /// reports.
    async fn attend(
        &self,
        agents: &[ToolAgent],
        replaced: &BTreeSet<Profile>,
        shutdown: &CancellationToken,
        voice: &mut Voice,
    ) -> Result<Attended, Failure> {
        let mut running = self.agents_start(agents, shutdown);
        let mut alive: BTreeSet<_> = agents.iter().map(|agent| agent.tool.profile).collect();
        let mut pushed = BTreeSet::new();
        voice.wait("scanning");
        loop {
            let Told { place, report } = tokio::select! {
                biased;
                Some(told) = running.reports.recv() => told,
                ended = &mut running.task => {
                    let ended = ended.map_err(|error| Failure::new("the agent stopped unexpectedly").because(error))?;
                    let last = alive.first().filter(|profile| !replaced.contains(profile));
                    return Ok(match (&ended, last) {
                        (Err(AgentError::Unauthenticated { .. }), Some(last)) => Attended::Refused(*last),
                        _ => Attended::Ended(ended),
                    });
                }
            };
            // Agents that were added later, for other directories, end alone.
            let own = place
                .as_ref()
                .filter(|place| place.directory == self.directory);
            let agent = agents
                .iter()
                .find(|agent| own.is_some_and(|place| place.profile == agent.tool.profile));
            let refused = match (&report, agent) {
                (Report::Waiting { reason, .. }, Some(agent)) => {
                    let is_gone = self.is_gone(&agent.credentials, shutdown).await;
                    is_gone.then_some((agent.tool.profile, reason))
                }
                (
                    Report::Ended {
                        reason,
                        is_unauthenticated,
                    },
                    Some(agent),
                ) => {
                    alive.remove(&agent.tool.profile);
                    let is_new = !replaced.contains(&agent.tool.profile);
                    (*is_unauthenticated && is_new).then_some((agent.tool.profile, reason))
                }
                _ => None,
            };
            if let Some((profile, reason)) = refused {
                running.stop.cancel();
                // The result of the agents no longer matters.
                let _ = running.task.await;
                return Ok(match replaced.contains(&profile) {
                    false => Attended::Refused(profile),
                    true => Attended::Ended(Err(AgentError::Unauthenticated {
                        reason: reason.clone(),
                    })),
                });
            }
            let is_ready = pushed.contains(&Profile::Neutral);
            match (&report, agent) {
                (Report::Pushed { .. } | Report::Unchanged { .. }, Some(agent))
                    if pushed.insert(agent.tool.profile) =>
                {
                    if agent.tool.profile == Profile::Neutral {
                        let tools = agents.iter().map(|agent| agent.tool.profile);
                        let summary = self.summary(&agent.credentials, tools).await?;
                        voice.ready(&summary, Place::Foreground)?;
                    }
                }
                (Report::Pushed { snapshot, seq, .. }, Some(agent)) => {
                    voice.tell(&self.drift(agent, snapshot, *seq).await);
                }
                (Report::NotReady { reason }, _) if !is_ready => voice.wait(reason),
                (Report::Ready, _) if !is_ready => voice.wait("scanning"),
                (
                    Report::Waiting { .. } | Report::Refused { .. } | Report::NoRoom { .. },
                    Some(agent),
                ) if !is_ready && agent.tool.profile == Profile::Neutral => {
                    voice.wait(&report.to_string());
                }
                (
                    Report::Waiting { .. }
                    | Report::Refused { .. }
                    | Report::NoRoom { .. }
                    | Report::ScanFailed { .. }
                    | Report::Polling { .. }
                    | Report::Watching
                    | Report::Ended { .. },
                    _,
                ) => match &place {
                    Some(place) if place.directory != self.directory => {
                        let directory = say::path(&place.directory);
                        voice.tell(&format!("{} on {directory}: {report}", place.profile));
                    }
                    Some(place) if place.profile != Profile::Neutral => {
                        voice.tell(&format!("{}: {report}", place.profile));
                    }
                    _ => voice.tell(&report.to_string()),
                },
                (
                    Report::Started { .. }
                    | Report::NotReady { .. }
                    | Report::Ready
                    | Report::SessionOpened { .. }
                    | Report::Scanned { .. }
                    | Report::Pushed { .. }
                    | Report::Unchanged { .. }
                    | Report::Fenced,
                    _,
                ) => {}
            }
        }
    }

    /// Returns whether the server no longer knows the agent. The agent's own requests cannot tell, because
    /// a server proves its identity only for tokens that it knows.
    async fn is_gone(&self, agent: &AgentCredentials, shutdown: &CancellationToken) -> bool {
        let answer = tokio::select! {
            answer = self.client.agent(agent.id) => answer,
            () = shutdown.cancelled() => return false,
        };
        let problem = answer.err().and_then(|error| error.problem_name());
        problem == Some(ProblemName::NotFound)
    }

    fn agents_start(&self, agents: &[ToolAgent], shutdown: &CancellationToken) -> RunningAgents {
        let standings = agents.iter().map(|agent| Standing {
            agent: Some(agent.credentials.id.uuid()),
            token: agent.credentials.token.clone(),
            profile: agent.tool.profile,
            tool: agent.tool.environment.clone(),
        });
        let settings = run::Settings {
            server: self.server.url.clone(),
            standings: standings.collect(),
            // The server runs on this machine.
            plain_http: PlainHttp::Refused,
            directory: self.directory.clone(),
            home: self.home.clone(),
            user_roots: self.watching.user_roots,
            allowed_roots: self.watching.allowed_roots.clone(),
            trust: self.watching.trust.clone(),
            operator_config: PathBuf::from(OPERATOR_CONFIG),
            state_directory: self.kept.state(),
            poll: self.watching.poll,
            ready: self.watching.ready.clone(),
        };
        let (sender, reports) = mpsc::channel(REPORTS_MAX);
        // A full queue means that nobody reads it, so the newest reports are dropped.
        let report = move |told| drop(sender.try_send(told));
        let stop = shutdown.child_token();
        let maker = Arc::new(OwnMaker {
            client: self.client.clone(),
            data: self.data.clone(),
            database: self.server.database.clone(),
            tools: self.watching.tools.clone(),
        });
        let task = tokio::spawn(run::run(settings, Some(maker), stop.clone(), report));
        RunningAgents {
            task,
            reports,
            stop,
        }
    }

    /// Returns the state of the directory, in which these profiles are served. Creates the first chat if there is none.
    async fn summary(
        &self,
        agent: &AgentCredentials,
        profiles: impl Iterator<Item = Profile>,
    ) -> Result<Summary, Failure> {
        let chat = identity::chat_ensure(&self.client, agent, &self.directory).await?;
        let context = self.client.context(ChatId::from(chat.id)).await?;
        let page = page_link(&self.client).await;
        if let Some(page) = &page {
            page.open(&self.data);
        }
        Ok(Summary::new(
            &self.directory,
            &chat,
            &context,
            &self.server,
            self.data.path(),
            page.as_ref(),
            profiles
                .filter(|profile| *profile != Profile::Neutral)
                .map(|profile| profile.to_string())
                .collect(),
        ))
    }

    /// Says what a push changed, and how many of the agent's chats are behind.
    async fn drift(&self, agent: &ToolAgent, snapshot: &str, seq: i64) -> String {
        let whose = match agent.tool.profile == Profile::Neutral {
            true => String::new(),
            false => format!(" for {}", agent.tool.profile),
        };
        let mut text = format!(
            "the workspace changed{whose}: its head is {}, number {seq}",
            say::hash(snapshot)
        );
        let query = ChatQuery {
            agent: Some(agent.credentials.id.uuid()),
            dirty: Some(true),
            archived: Some(false),
            ..ChatQuery::default()
        };
        // The number of these chats is only a convenience, so errors are ignored.
        if let Ok(page) = self.client.chats(&query).await {
            match &page.items[..] {
                [] => text += "; no chat is behind",
                [chat] => text += &format!("; chat {} is behind", say::id(chat.id)),
                chats => text += &format!("; {} chats are behind", chats.len()),
            }
        }
        text
    }
}

/// Returns a link to the web page. `None` if the server makes no code now: everything else works without one.
async fn page_link(client: &Client) -> Option<PageLink> {
    PageLink::create(client, "/").await.ok()
}

/// Returns the canonical path of a directory.
///
/// # Errors
///
/// Fails if there is no such directory.
pub fn directory_check(path: &Path) -> Result<PathBuf, Failure> {
    let canonical = path.canonicalize().map_err(|error| {
        Failure::new(format!("{} cannot be watched", say::path(&path))).because(error)
    })?;
    match canonical.is_dir() {
        true => Ok(canonical),
        false => Err(
            Failure::new(format!("{} is not a directory", say::path(&path)))
                .hint(Hint::run(NextCommand::Scan, "shows what is in a file")),
        ),
    }
}

fn ended(answer: Result<Result<(), Failure>, tokio::task::JoinError>) -> Result<(), Failure> {
    answer.map_err(|error| Failure::new("the server stopped unexpectedly").because(error))?
}
