//! `ctxpin up`: a server, an agent on one directory, and a first chat.

pub mod detach;
mod host;
mod identity;
mod voice;

use std::path::{Path, PathBuf};

use ctxpin_agent::error::AgentError;
use ctxpin_agent::readiness::Readiness;
use ctxpin_agent::report::Report;
use ctxpin_agent::run;
use ctxpin_agent::sources::OPERATOR_CONFIG;
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::id::ChatId;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::chats::ChatQuery;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_scan::roots::{Request, Roots};
use ctxpin_scan::trust::Trust;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent_credentials::AgentCredentials;
use crate::connect::token_given;
use crate::data_directory::{AgentDirectory, DataDirectory};
use crate::home::home_directory;
use crate::page_link::PageLink;
use crate::running::{RunningServer, is_locked, lock_note, lock_take, token_read};
use crate::say::{self, Failure, Hint, NextCommand, waited};
use crate::stop;

use host::Plan;
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
    kept: AgentDirectory,
    data: DataDirectory,
    server: RunningServer,
    client: Client,
}

/// An agent that runs in this process.
struct RunningAgent {
    task: JoinHandle<Result<(), AgentError>>,
    reports: mpsc::Receiver<Report>,
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
        let home = home_directory(self.user_roots)?;
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
        let place = data.agent(directory).credentials(&server.database);
        let Some(agent) = AgentCredentials::read(&place)? else {
            return Ok(());
        };
        let client = Client::new(server.url.clone(), self.token(&server, data)?)?;
        let asked = async {
            let chat = identity::chat_ensure(&client, &agent, directory).await?;
            let context = client.context(ChatId::from(chat.id)).await?;
            let page = page_link(&client).await;
            Ok::<_, Failure>((chat, context, page))
        };
        let told = || voice.wait(&host::waiting(data));
        let (chat, context, page) = waited(asked, told).await?;
        let summary = Summary::new(
            directory,
            &chat,
            &context,
            &server,
            data.path(),
            page.as_ref(),
        );
        voice.ready(&summary, Place::Elsewhere)
    }
}

impl Session<'_> {
    /// Runs the agent until it ends. Replaces an agent that the server refuses, once.
    async fn watch(&self, shutdown: &CancellationToken, voice: &mut Voice) -> Result<(), Failure> {
        let place = self.kept.credentials(&self.server.database);
        let agent = identity::agent_ensure(&self.client, &place, &self.directory).await?;
        match self.attend(&agent, shutdown, voice).await? {
            Err(AgentError::Unauthenticated { .. }) => {
                let agent = identity::agent_replace(&self.client, &place, &self.directory).await?;
                Ok(self.attend(&agent, shutdown, voice).await??)
            }
            ended => Ok(ended?),
        }
    }

    /// Runs the agent until it ends, and prints its reports. The inner result is that of the agent.
    async fn attend(
        &self,
        agent: &AgentCredentials,
        shutdown: &CancellationToken,
        voice: &mut Voice,
    ) -> Result<Result<(), AgentError>, Failure> {
        let mut running = self.agent_start(agent, shutdown);
        let mut is_ready = false;
        voice.wait("scanning");
        loop {
            let report = tokio::select! {
                biased;
                Some(report) = running.reports.recv() => report,
                ended = &mut running.task => {
                    return ended.map_err(|error| Failure::new("the agent stopped unexpectedly").because(error));
                }
            };
            if let Report::Waiting { reason, .. } = &report
                && self.is_gone(agent, shutdown).await
            {
                running.stop.cancel();
                // The result of the agent no longer matters.
                let _ = running.task.await;
                let reason = reason.clone();
                return Ok(Err(AgentError::Unauthenticated { reason }));
            }
            match &report {
                Report::Pushed { .. } | Report::Unchanged { .. } if !is_ready => {
                    is_ready = true;
                    voice.ready(&self.summary(agent).await?, Place::Foreground)?;
                }
                Report::Pushed { snapshot, seq, .. } => {
                    voice.tell(&self.drift(agent, snapshot, *seq).await);
                }
                Report::NotReady { reason } if !is_ready => voice.wait(reason),
                Report::Ready if !is_ready => voice.wait("scanning"),
                Report::Waiting { .. } | Report::Refused { .. } | Report::NoRoom { .. }
                    if !is_ready =>
                {
                    voice.wait(&report.to_string());
                }
                Report::Waiting { .. }
                | Report::Refused { .. }
                | Report::NoRoom { .. }
                | Report::ScanFailed { .. }
                | Report::Polling { .. }
                | Report::Watching => voice.tell(&report.to_string()),
                Report::Started { .. }
                | Report::NotReady { .. }
                | Report::Ready
                | Report::SessionOpened { .. }
                | Report::Scanned { .. }
                | Report::Unchanged { .. }
                | Report::Fenced => {}
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

    fn agent_start(&self, agent: &AgentCredentials, shutdown: &CancellationToken) -> RunningAgent {
        let settings = run::Settings {
            server: self.server.url.clone(),
            token: agent.token.clone(),
            // The server runs on this machine.
            plain_http: PlainHttp::Refused,
            directory: self.directory.clone(),
            home: self.home.clone(),
            profile: Profile::Neutral,
            tool_home: None,
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
        let report = move |report| drop(sender.try_send(report));
        let stop = shutdown.child_token();
        let task = tokio::spawn(run::run(settings, stop.clone(), report));
        RunningAgent {
            task,
            reports,
            stop,
        }
    }

    /// Returns the state of the directory. Creates the first chat if there is none.
    async fn summary(&self, agent: &AgentCredentials) -> Result<Summary, Failure> {
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
        ))
    }

    /// Says what a push changed, and how many of the agent's chats are dirty.
    async fn drift(&self, agent: &AgentCredentials, snapshot: &str, seq: i64) -> String {
        let mut text = format!(
            "the workspace changed: its head is {}, number {seq}",
            say::hash(snapshot)
        );
        let query = ChatQuery {
            agent: Some(agent.id.uuid()),
            dirty: Some(true),
            archived: Some(false),
            ..ChatQuery::default()
        };
        // The number of dirty chats is only a convenience, so errors are ignored.
        if let Ok(page) = self.client.chats(&query).await {
            match &page.items[..] {
                [] => text += "; no chat is dirty",
                [chat] => text += &format!("; chat {} is dirty", say::id(chat.id)),
                chats => text += &format!("; {} chats are dirty", chats.len()),
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
