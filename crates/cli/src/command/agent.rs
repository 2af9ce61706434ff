//! `ctxpin agent`: the processes beside workspaces.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use ctxpin_agent::report::{Report, Told};
use ctxpin_agent::run;
use ctxpin_agent::sources::OPERATOR_CONFIG;
use ctxpin_agent::standing::Standing;
use ctxpin_client::Client;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::control::{AgentStatus, PushStatus, ScanSummary, StandingStatus};
use ctxpin_protocol::http::agents::{Agent, AgentCreate, AgentCreated};

use super::source::LocalAgent;
use super::token::{secret_hand_over, token_file, token_state};
use super::tool::ToolArguments;
use super::up::Workspace;
use super::{Output, PageArguments, say_next, words};
use crate::chat_choice::agent_named;
use crate::connect::{AgentConnection, Connection};
use crate::data_directory::DataDirectory;
use crate::home::home_directory;
use crate::log;
use crate::run_note::RunNote;
use crate::say::{self, Failure, Table, Viewpoint};
use crate::stop;
use crate::token_file::TokenFile;
use crate::up::directory_check;

/// Run and manage agents, the ctxpin processes beside workspaces
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(Run),
    Create(Create),
    EnrolmentCode(EnrolmentCode),
    RotateToken(RotateToken),
    /// List your agents, newest first
    List {
        #[command(flatten)]
        page: PageArguments,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        connection: Connection,
    },
    Heads(Heads),
    /// Show the state of the agent that runs on this directory
    Status {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        agent: LocalAgent,
    },
    /// Tell the agent that runs on this directory to scan and push now
    Resync {
        /// How long to wait for the server, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 60,
              value_parser = clap::value_parser!(u64).range(1..=600))]
        timeout: u64,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        agent: LocalAgent,
    },
}

/// Run an agent: scan a workspace, push the result, and repeat on every change
#[derive(Debug, Args)]
struct Run {
    /// The workspace's directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    tool: ToolArguments,
    /// Also scan ~/.agents, ~/.claude, ~/.codex, ~/.config/opencode and ~/.opencode
    #[arg(long)]
    user_roots: bool,
    /// The directory for the agent's declared sources and its control socket [default: in your data
    /// directory]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Ask for a code that the web page shows, unless this was done before in this directory. The
    /// code makes the agent, whose token is kept for the next time
    #[arg(long, conflicts_with = "token_file")]
    enrol: bool,
    #[command(flatten)]
    workspace: Workspace,
    #[command(flatten)]
    connection: AgentConnection,
}

/// Create an agent, and print its token once
#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    agent: NewAgent,
    #[command(flatten)]
    target: TokenTarget,
}

/// Create a one-time code, and print it; `ctxpin agent run --enrol` asks for it and creates the agent
#[derive(Debug, Args)]
struct EnrolmentCode {
    #[command(flatten)]
    agent: NewAgent,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// The arguments for a new agent.
#[derive(Debug, Args)]
struct NewAgent {
    /// The name of the agent's workspace
    #[arg(long)]
    workspace: String,
    /// The agent's name
    #[arg(long)]
    name: Option<String>,
    /// Allow the agent to refresh your chats
    #[arg(long)]
    may_refresh: bool,
    /// The older agent whose chats move to the first push of the new one: its id, the last digits
    /// of the id, its workspace, or `same` for the agent with the same workspace, name, profile and
    /// home
    #[arg(long, value_name = "AGENT")]
    replaces: Option<String>,
    /// The tool whose rules the agent follows; this never changes
    #[arg(long, value_name = "TOOL", default_value_t = Profile::Neutral,
          value_parser = words(Profile::ALL, Profile::as_str))]
    profile: Profile,
    /// The directory of the tool's settings on the agent's machine, if it is not the usual one
    #[arg(long, value_name = "DIR")]
    home: Option<String>,
}

/// Give an agent a new token, and print it once; the old token ends at once
#[derive(Debug, Args)]
struct RotateToken {
    /// The agent: its id, or the last digits of the id (at least 4)
    agent: String,
    #[command(flatten)]
    target: TokenTarget,
}

/// List the versions of a workspace that an agent has pushed, newest first
///
/// `ctxpin exposure` finds the chats and turns that had one of them in force.
#[derive(Debug, Args)]
struct Heads {
    /// The agent: its id, the last digits of the id (at least 4), or its workspace
    agent: String,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// The arguments for what a command does with the agent's new token.
#[derive(Debug, Args)]
struct TokenTarget {
    /// Write the token to this new file, which only you can read, instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    write_token: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if the command does.
    pub async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Run(run) => run.run().await,
            Verb::Create(create) => create.run().await,
            Verb::EnrolmentCode(code) => code.run().await,
            Verb::RotateToken(rotate) => rotate.run().await,
            Verb::List {
                page,
                output,
                connection,
            } => list(&connection.connect()?.client, &page, output).await,
            Verb::Heads(heads) => heads.run().await,
            Verb::Status { output, agent } => {
                let running = agent.running().await?;
                let texts = running.iter().map(|(_, status)| status_text(status));
                match (output.json, running.first()) {
                    (true, Some((_, first))) => say::print_json(first),
                    _ => say::print(&texts.collect::<Vec<_>>().join("\n")),
                }
            }
            Verb::Resync {
                timeout,
                output,
                agent,
            } => {
                let resynced = agent.resync(Duration::from_secs(timeout)).await?;
                if output.json {
                    return say::print_json(&resynced);
                }
                say::print(&format!(
                    "the head is {}, number {}: {}, {} of them unusable\n",
                    say::hash(&resynced.snapshot),
                    resynced.seq,
                    say::counted(resynced.resources, "resource"),
                    resynced.unusable
                ))
            }
        }
    }
}

impl Run {
    async fn run(self) -> Result<(), Failure> {
        log::start();
        let directory = directory_check(&self.dir)?;
        let shutdown = stop::on_signal()?;
        let profile = self.tool.profile;
        let access = match self.enrol {
            true => {
                self.connection
                    .enrol(&directory, profile, &shutdown)
                    .await?
            }
            false => self.connection.get_or_enrolled(&directory, profile)?,
        };
        let state_directory = match self.state_dir {
            Some(directory) => directory,
            None => {
                let data = DataDirectory::locate()?;
                data.create()?;
                data.run_state(&directory, profile)
            }
        };
        let needs_home = self.user_roots || profile != Profile::Neutral;
        let home = home_directory(needs_home)?;
        let noted_directory = directory.clone();
        let settings = run::Settings {
            server: access.server.clone(),
            standings: vec![Standing {
                agent: None,
                token: access.token.secret.clone(),
                profile,
                tool: self.tool.environment()?,
            }],
            plain_http: access.transport.plain_http(),
            directory,
            home,
            user_roots: self.user_roots,
            allowed_roots: self.workspace.allowed_roots()?,
            trust: self.workspace.trust()?,
            operator_config: PathBuf::from(OPERATOR_CONFIG),
            state_directory,
            poll: self.workspace.poll(),
            ready: self.workspace.readiness()?,
        };
        let report = |Told { report, .. }: Told| {
            if let Report::SessionOpened {
                agent: Some(agent), ..
            } = &report
            {
                let note = RunNote::new(*agent, &access.server);
                note_run(&note, &noted_directory, profile);
            }
            say::note(&format!(
                "{} {}",
                say::stamp(say::now()),
                say::text(&report.to_string())
            ));
        };
        run::run(settings, None, shutdown, report)
            .await
            .map_err(|error| access.token.refused(error))
    }
}

/// Records which agent runs on the directory. If that fails, prints the failure and goes on.
fn note_run(note: &RunNote, directory: &Path, profile: Profile) {
    let noted = DataDirectory::locate().and_then(|data| note.write(&data, directory, profile));
    if let Err(failure) = noted {
        say::note(
            "commands in this directory must name the agent, because ctxpin cannot record it:",
        );
        failure.report();
    }
}

impl Create {
    async fn run(self) -> Result<(), Failure> {
        let client = self.target.connection.connect()?.client;
        let request = self.agent.request(&client).await?;
        let file = self.target.file()?;
        let created = client.agent_create(&request).await?;
        let told = format!(
            "created agent {} of workspace \"{}\"",
            created.agent.id,
            say::line(&created.agent.workspace)
        );
        self.target.hand_over(&client, &created, file, &told)
    }
}

impl EnrolmentCode {
    async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        let request = self.agent.request(&client).await?;
        let made = client.enrolment_code_create(&request).await?;
        if self.output.json {
            return say::print_json(&made);
        }
        say::note(&format!(
            "`ctxpin agent run --server {}{}{} --enrol` in the workspace asks for this code, which works once, until {}:",
            client.server().as_str().trim_end_matches('/'),
            self.connection.transport.as_option(),
            profile_option(request.profile.as_deref()),
            say::date(made.expires_at)
        ));
        say::print(&format!("{}\n", made.code.expose()))
    }
}

/// Returns the option for the profile on another command line, with a leading space, or nothing.
fn profile_option(profile: Option<&str>) -> String {
    let named = profile.filter(|profile| *profile != Profile::Neutral.as_str());
    named.map_or(String::new(), |profile| format!(" --profile {profile}"))
}

impl NewAgent {
    async fn request(self, client: &Client) -> Result<AgentCreate, Failure> {
        let replaces = match self.replaces.as_deref() {
            None => None,
            Some("same") => Some("same".to_owned()),
            Some(agent) => Some(agent_named(client, agent).await?.to_string()),
        };
        Ok(AgentCreate {
            workspace: self.workspace,
            name: self.name,
            may_refresh: self.may_refresh,
            replaces,
            profile: Some(self.profile.to_string()),
            home: self.home,
        })
    }
}

impl RotateToken {
    async fn run(self) -> Result<(), Failure> {
        let client = self.target.connection.connect()?.client;
        let agent = agent_named(&client, &self.agent).await?;
        let file = self.target.file()?;
        let rotated = client.agent_token_rotate(agent).await?;
        let told = format!(
            "agent {} of workspace \"{}\" has a new token; the old one is no longer valid",
            rotated.agent.id,
            say::line(&rotated.agent.workspace)
        );
        self.target.hand_over(&client, &rotated, file, &told)
    }
}

impl TokenTarget {
    /// Creates the file for the token, if one is named.
    fn file(&self) -> Result<Option<TokenFile>, Failure> {
        token_file(self.write_token.as_deref())
    }

    /// Says what was done and when the agent's new token expires, prints the token or writes it to its
    /// file, and says how to use it. With `--json`, prints all of it as JSON.
    fn hand_over(
        &self,
        client: &Client,
        created: &AgentCreated,
        mut file: Option<TokenFile>,
        told: &str,
    ) -> Result<(), Failure> {
        if self.output.json {
            return say::print_json(created);
        }
        say::note(told);
        if let Some(time) = created.agent.token_expires_at {
            say::note(&format!(
                "its token expires {}, with the token that created it; `ctxpin agent rotate-token` gives it a new one",
                say::date(time)
            ));
        }
        secret_hand_over(created.token.expose(), file.as_mut())?;
        if let Some(path) = &self.write_token {
            say::note(&format!(
                "`ctxpin agent run --server {}{}{} --token-file {}` runs it in its workspace",
                client.server().as_str().trim_end_matches('/'),
                self.connection.transport.as_option(),
                profile_option(Some(&created.agent.profile)),
                say::path(path)
            ));
        }
        Ok(())
    }
}

impl Heads {
    async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        let agent = agent_named(&client, &self.agent).await?;
        let page = client.agent_heads(agent, &self.page.query()).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            say::note("the agent has pushed nothing yet");
            return Ok(());
        }
        let now = say::now();
        let mut table = Table::new(&["#", "snapshot", "context", "pushed"]);
        for head in &page.items {
            table.row([
                head.seq.to_string(),
                say::hash(&head.snapshot),
                say::hash(&head.context_hash),
                say::since(head.received_at, now),
            ]);
        }
        say::print(&table.text())?;
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Returns the state of an agent in the words of the web page. An agent that was never connected has had no process.
pub(super) fn state(agent: &Agent) -> &'static str {
    match (agent.connected, &agent.polling) {
        _ if agent.refused.is_some() => "last push refused",
        (true, None) => "connected",
        (true, Some(_)) => "polling",
        (false, _) if agent.epoch == 0 => "never connected",
        (false, _) => "gone",
    }
}

async fn list(client: &Client, page: &PageArguments, output: Output) -> Result<(), Failure> {
    let page = client.agents(&page.query()).await?;
    if output.json {
        return say::print_json(&page);
    }
    if page.items.is_empty() {
        say::note("no agents; `ctxpin up` or `ctxpin agent create` creates one");
        return Ok(());
    }
    let now = say::now();
    let mut table = Table::new(&[
        "id",
        "workspace",
        "name",
        "profile",
        "state",
        "head",
        "#",
        "last push",
        "token",
    ]);
    for agent in &page.items {
        let head = agent.head.as_ref();
        table.row([
            say::id(agent.id),
            agent.workspace.clone(),
            agent.name.clone().unwrap_or_default(),
            agent.profile.clone(),
            state(agent).to_owned(),
            head.map(|head| say::hash(&head.snapshot))
                .unwrap_or_default(),
            head.map(|head| head.seq.to_string()).unwrap_or_default(),
            head.map_or("never".to_owned(), |head| say::ago(head.received_at, now)),
            token_state(agent.token_revoked_at, agent.token_expires_at, now),
        ]);
    }
    say::print(&table.text())?;
    say_next(page.next.as_deref());
    Ok(())
}

/// The facts of a status, each with its name. A name is empty if the fact belongs to the one before it.
type Facts = Vec<(&'static str, String)>;

fn status_text(status: &AgentStatus) -> String {
    let first = &status.first;
    let mut facts = vec![
        ("server", status.server.trim_end_matches('/').to_owned()),
        ("process", status.pid.to_string()),
    ];
    let is_neutral = first.profile_name() == Profile::Neutral.as_str();
    if !is_neutral || !status.others.is_empty() {
        facts.push(("profile", first.profile_name().to_owned()));
    }
    facts.extend(push_facts(first));
    let troubles = [("waiting", &status.not_ready), ("polling", &status.polling)];
    for (name, trouble) in troubles {
        if let Some(trouble) = trouble {
            facts.push((name, trouble.clone()));
        }
    }
    facts.push(("sources", status.sources.to_string()));
    facts.extend(remarks(first));
    let heading = format!("agent on {}", say::line(&first.directory));
    let mut text = format!("{}\n{}", say::paint(say::BOLD, &heading), lines(&facts));
    for other in &status.others {
        let mut facts = vec![("profile", other.profile.clone())];
        if other.directory != first.directory {
            facts.push(("on", other.directory.clone()));
        }
        facts.extend(push_facts(other));
        facts.extend(remarks(other));
        text += &format!("\n{}", lines(&facts));
    }
    text
}

fn lines(facts: &Facts) -> String {
    let lines = facts.iter();
    let lines = lines.map(|(name, fact)| format!("  {name:9}{}\n", say::line(fact)));
    lines.collect()
}

/// Returns what an agent has found and pushed.
fn push_facts(status: &StandingStatus) -> Facts {
    let epoch = status.epoch.map(|epoch| epoch.to_string());
    let mut facts = vec![("session", epoch.unwrap_or_else(|| "none yet".to_owned()))];
    if let Some(error) = &status.scan_error {
        facts.push(("scan", format!("failed: {error}")));
    }
    match &status.found {
        Some(found) => {
            facts.push(("found", found_text(found)));
            if let Some(error) = &found.error {
                facts.push(("", error.clone()));
            }
        }
        None => facts.push(("found", "nothing yet".to_owned())),
    }
    let pushed = match &status.pushed {
        Some(pushed) => format!(
            "{}, head number {}, {} ago",
            say::hash(&pushed.snapshot),
            pushed.seq,
            say::counted(pushed.seconds_ago, "second")
        ),
        None => "nothing yet".to_owned(),
    };
    facts.push(("pushed", pushed));
    let pushing = match &status.pushing {
        PushStatus::Settled => "the server has the latest scan".to_owned(),
        PushStatus::Sending => "sending".to_owned(),
        PushStatus::Waiting { reason, seconds } => format!("retries in {seconds} s: {reason}"),
        PushStatus::Refused {
            reason,
            seconds: None,
        } => format!("refused until something changes: {reason}"),
        PushStatus::Refused {
            reason,
            seconds: Some(seconds),
        } => format!("refused; retries in {seconds} s or when something changes: {reason}"),
        PushStatus::Ended { reason } => format!("ended: {reason}"),
    };
    facts.push(("state", pushing));
    facts
}

fn found_text(found: &ScanSummary) -> String {
    format!(
        "{}: {}, {} of them unusable",
        say::hash(&found.snapshot),
        say::counted(found.resources, "resource"),
        found.unusable
    )
}

/// Returns what a person should know of an agent's token, its owner's quotas and its workspace.
fn remarks(status: &StandingStatus) -> Facts {
    let mut facts = Facts::new();
    if let Some(time) = status.token_expires_at {
        let fact = format!(
            "expires {}; `ctxpin agent rotate-token` creates a new one",
            say::date(time)
        );
        facts.push(("token", fact));
    }
    let warnings = status.quota_warnings.iter().map(say::quota_warning);
    facts.extend(warnings.map(|warning| ("quota", warning)));
    let viewpoint = Viewpoint::here();
    let notes = status.found.iter().flat_map(|found| &found.notes);
    let notes: Vec<_> = notes.map(|note| say::noted(note, &viewpoint)).collect();
    let names = std::iter::once("notes").chain(std::iter::repeat(""));
    facts.extend(names.zip(notes));
    facts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn agents_have_the_states_of_the_page() {
        let check = |connected: bool,
                     epoch: u64,
                     more: (&str, serde_json::Value),
                     expected: &str| {
            let mut agent = json!({
                "id": "00000000-0000-7000-8000-000000000001", "workspace": "shop", "name": null,
                "profile": "neutral", "epoch": epoch, "head": null, "mcp_settled": true,
                "connected": connected, "last_push_at": null, "created_at": "2026-11-23T19:46:00Z",
            });
            agent[more.0] = more.1;
            let agent: Agent = serde_json::from_value(agent).unwrap();
            assert_eq!(state(&agent), expected);
        };
        let none = || ("polling", serde_json::Value::Null);
        check(true, 1, none(), "connected");
        check(true, 1, ("polling", json!("a limit")), "polling");
        check(false, 1, none(), "gone");
        check(false, 0, none(), "never connected");
        let refused = json!({ "limit": "content_bytes", "at": "2026-11-23T19:46:00Z" });
        check(true, 1, ("refused", refused), "last push refused");
    }
}
