//! Choosing a chat or an agent by its id, by the last digits of its id, or by the current directory.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use ctxpin_client::Client;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::chats::{Chat, ChatQuery};
use ctxpin_protocol::http::page::PageQuery;
use uuid::Uuid;

use crate::agent_credentials::AgentCredentials;
use crate::connect::Connected;
use crate::data_directory::DataDirectory;
use crate::pages::each_item;
use crate::run_note::RunNote;
use crate::say::{self, Failure, Hint, NextCommand};
use crate::setting::variable;

/// The variable with the chat for commands that name none.
pub const CHAT_VARIABLE: &str = "CTXPIN_CHAT";

/// The argument that names the chat of a command.
#[derive(Debug, Clone, Default, Args)]
pub struct ChatArgument {
    /// The chat: its id, or the last digits of the id (at least 4) [default: CTXPIN_CHAT, else the
    /// newest chat of this directory]
    chat: Option<String>,
    /// The same as CHAT, as commands with another argument name it
    #[arg(
        long = "chat",
        id = "chat_option",
        value_name = "CHAT",
        conflicts_with = "chat"
    )]
    option: Option<String>,
}

impl ChatArgument {
    /// Returns what the command line names.
    pub fn named(&self) -> Option<&str> {
        self.chat.as_deref().or(self.option.as_deref())
    }
}

/// The option that names the chat of a command whose argument is something else.
#[derive(Debug, Clone, Default, Args)]
pub struct ChatOption {
    /// The chat: its id, or the last digits of the id (at least 4) [default: CTXPIN_CHAT, else the
    /// newest chat of this directory]
    #[arg(long, value_name = "CHAT")]
    chat: Option<String>,
}

impl ChatOption {
    /// Returns what the command line names.
    pub fn named(&self) -> Option<&str> {
        self.chat.as_deref()
    }
}

/// Chooses the chat of a command. If the command line does not name it, standard error says which chat it
/// is.
///
/// # Errors
///
/// Fails if there is no such chat, or more than one.
pub async fn chat(connected: &Connected, named: Option<&str>) -> Result<ChatId, Failure> {
    if let Some(named) = named {
        return chat_named(&connected.client, named).await;
    }
    // A variable that is not UTF-8 is an error and is not ignored.
    let named = variable(CHAT_VARIABLE).unwrap_or_default();
    let named = named.to_string_lossy();
    if !named.trim().is_empty() {
        let chat = chat_named(&connected.client, named.trim())
            .await
            .map_err(|failure| failure.about(CHAT_VARIABLE))?;
        say_choice(&format!(
            "chat {}, from {CHAT_VARIABLE}",
            say::id(chat.uuid())
        ));
        return Ok(chat);
    }
    let (agents, directory) = agents_here(connected, Profile::ALL)?
        .ok_or_else(|| not_watched(connected, IdKind::Chat))?;
    let mut chats = Vec::new();
    for agent in agents {
        let query = ChatQuery {
            agent: Some(agent.uuid()),
            archived: Some(false),
            limit: Some(1),
            ..ChatQuery::default()
        };
        chats.extend(connected.client.chats(&query).await?.items);
    }
    let newest = chats.into_iter().max_by_key(|chat| chat.id);
    let chat = newest.ok_or_else(|| {
        Failure::new(format!("{} has no chat", say::path(&directory)))
            .hint(Hint::run(NextCommand::ChatNew, "opens one"))
    })?;
    say_choice(&format!(
        "chat {}{}, the newest of {}",
        say::id(chat.id),
        title(&chat),
        say::path(&directory)
    ));
    Ok(ChatId::from(chat.id))
}

fn title(chat: &Chat) -> String {
    match &chat.title {
        Some(title) => format!(" \"{}\"", say::line(title)),
        None => String::new(),
    }
}

fn say_choice(text: &str) {
    say::note(&say::paint(say::FAINT, text));
}

/// Returns the failure that no chat or agent was named, and why what `ctxpin up` keeps does not name one.
pub fn not_watched(connected: &Connected, kind: IdKind) -> Failure {
    let server = connected.client.server();
    match (&connected.named_by, is_watched_by_up()) {
        (Some(named_by), true) => Failure::usage(format!(
            "you named no {kind}, and `ctxpin up` watches this directory with another server than {server}, which {named_by} names"
        ))
        .hint(Hint::say(format!("leave {named_by} out to use the server of `ctxpin up`")))
        .hint(Hint::run(kind.list(), format!("shows the {kind}s that you can name"))),
        _ => Failure::usage(format!(
            "you named no {kind}, and no agent of {server} watches this directory"
        ))
        .hint(Hint::run(kind.list(), format!("shows the {kind}s that you can name")))
        .hint(Hint::run(NextCommand::Up, "here starts an agent and a server"))
        .hint(Hint::run(NextCommand::AgentRun, "here starts an agent alone")),
    }
}

/// Returns whether `ctxpin up` keeps something of the current directory or of one above it. Returns `false`
/// if that cannot be read.
fn is_watched_by_up() -> bool {
    let (Ok(data), Ok(current)) = (DataDirectory::locate(), current_directory()) else {
        return false;
    };
    let mut directories = current.ancestors();
    directories.any(|directory| data.agent(directory).directory().is_some())
}

/// Returns the agents of these profiles that `ctxpin up` or `ctxpin agent run` keeps for the current directory, or for
/// the nearest directory above it that has one, and that directory. They come in the order of the profiles.
///
/// # Errors
///
/// Fails if what is kept cannot be read.
pub fn agents_here(
    connected: &Connected,
    profiles: &[Profile],
) -> Result<Option<(Vec<AgentId>, PathBuf)>, Failure> {
    // Without a data directory, nothing is kept.
    let Ok(data) = DataDirectory::locate() else {
        return Ok(None);
    };
    for directory in current_directory()?.ancestors() {
        let agents = profiles
            .iter()
            .map(|profile| kept_agent(connected, &data, directory, *profile));
        let agents = agents.collect::<Result<Vec<_>, _>>()?;
        let agents: Vec<_> = agents.into_iter().flatten().collect();
        if !agents.is_empty() {
            return Ok(Some((agents, directory.to_owned())));
        }
    }
    Ok(None)
}

fn kept_agent(
    connected: &Connected,
    data: &DataDirectory,
    directory: &Path,
    profile: Profile,
) -> Result<Option<AgentId>, Failure> {
    if let Some(local) = &connected.local {
        let place = local.data.agent(directory);
        let place = place.credentials(&local.database, profile);
        if let Some(kept) = AgentCredentials::read(&place)? {
            return Ok(Some(kept.id));
        }
    }
    RunNote::agent_of(data, directory, profile, connected.client.server())
}

/// Returns the canonical path of the current directory.
///
/// # Errors
///
/// Fails if the directory no longer exists.
pub fn current_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .and_then(|directory| directory.canonicalize())
        .map_err(|error| Failure::new("the current directory cannot be read").because(error))
}

/// Finds a chat by its id or the last digits of its id.
///
/// # Errors
///
/// Fails if there is no such chat, or more than one.
pub async fn chat_named(client: &Client, named: &str) -> Result<ChatId, Failure> {
    if let Some(id) = whole_id(IdKind::Chat, named)? {
        return Ok(ChatId::from(id));
    }
    let mut ids = Vec::new();
    let read = async |page: &PageQuery| client.chats(&page.clone().into()).await;
    each_item(read, |chat| ids.push(chat.id)).await?;
    let ids = ids.into_iter();
    only(
        IdKind::Chat,
        named,
        ids.filter(|id| say::ends_with(*id, named)),
    )
    .map(ChatId::from)
}

/// Finds an agent by its id, by the last digits of its id, or by its workspace: the name, or the last
/// component of a name that is a path.
///
/// # Errors
///
/// Fails if there is no such agent, or more than one.
pub async fn agent_named(client: &Client, named: &str) -> Result<AgentId, Failure> {
    if let Ok(id) = Uuid::parse_str(named) {
        return Ok(AgentId::from(id));
    }
    let mut found = Vec::new();
    let read = async |page: &PageQuery| client.agents(page).await;
    each_item(read, |agent| {
        if is_agent_named(agent.id, &agent.workspace, named) {
            found.push((agent.id, agent.workspace, agent.profile));
        }
    })
    .await?;
    match &found[..] {
        [(id, ..)] => Ok(AgentId::from(*id)),
        [] => Err(Failure::new(format!(
            "no agent of yours has the workspace \"{0}\", or an id that ends in {0}",
            say::line(named)
        ))
        .hint(Hint::run(NextCommand::AgentList, "shows yours"))),
        _ => {
            let found = found
                .iter()
                .map(|(id, workspace, profile)| format!("{id} (\"{workspace}\", {profile})"));
            Err(Failure::usage(format!(
                "{} agents match {}: {}",
                found.len(),
                say::line(named),
                found.collect::<Vec<_>>().join(", ")
            ))
            .hint(Hint::run(
                NextCommand::AgentList,
                "shows which of them is connected; name one by its id",
            )))
        }
    }
}

/// Returns whether `named` may mean an agent with this id and workspace.
fn is_agent_named(id: Uuid, workspace: &str, named: &str) -> bool {
    let by_path = Path::new(workspace)
        .is_absolute()
        .then(|| Path::new(workspace).file_name());
    workspace == named
        || by_path.flatten().is_some_and(|name| name == named)
        || (is_ending(named) && say::ends_with(id, named))
}

/// The kind of object that an id on the command line names.
#[derive(Debug, Clone, Copy)]
pub enum IdKind {
    Agent,
    Chat,
    Token,
    User,
}

impl IdKind {
    /// Returns the command that lists the objects of this kind.
    fn list(self) -> NextCommand {
        match self {
            Self::Agent => NextCommand::AgentList,
            Self::Chat => NextCommand::ChatList,
            Self::Token => NextCommand::TokenList,
            Self::User => NextCommand::UserList,
        }
    }
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Chat => "chat",
            Self::Token => "token",
            Self::User => "user",
        })
    }
}

/// Reads a complete id. Returns `None` if `named` may be the end of one.
///
/// # Errors
///
/// Fails if `named` is neither an id nor the end of one.
pub fn whole_id(kind: IdKind, named: &str) -> Result<Option<Uuid>, Failure> {
    if let Ok(id) = Uuid::parse_str(named) {
        return Ok(Some(id));
    }
    match is_ending(named) {
        true => Ok(None),
        false => Err(
            Failure::usage(format!("\"{}\" is not a {kind} id", say::line(named)))
                .hint(Hint::say(format!(
                    "give a whole id, or at least {} of its last hexadecimal digits",
                    say::DIGITS_MIN
                )))
                .hint(Hint::run(kind.list(), "shows them")),
        ),
    }
}

/// Returns whether `named` may be the end of an id.
fn is_ending(named: &str) -> bool {
    let digits = named.replace('-', "");
    (say::DIGITS_MIN..32).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the id that was found, if it is the only one.
///
/// # Errors
///
/// Fails if there is none, or more than one.
pub fn only(kind: IdKind, named: &str, found: impl Iterator<Item = Uuid>) -> Result<Uuid, Failure> {
    let found: Vec<Uuid> = found.collect();
    match found[..] {
        [id] => Ok(id),
        [] => Err(
            Failure::new(format!("no {kind} of yours has an id that ends in {named}"))
                .hint(Hint::run(kind.list(), "shows yours")),
        ),
        _ => {
            let ids: Vec<String> = found.iter().map(Uuid::to_string).collect();
            Err(Failure::usage(format!(
                "{} {kind}s have an id that ends in {named}: {}",
                ids.len(),
                ids.join(", ")
            ))
            .hint(Hint::say("give more digits")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_whole_or_an_ending() {
        let whole = "0192f0c1-1111-7abc-8def-0123456789ab";
        let check = |input: &str, expected: Result<bool, ()>| {
            let found = whole_id(IdKind::Chat, input).map(|id| id.is_some());
            assert_eq!(found.map_err(drop), expected, "{input}");
        };
        check(whole, Ok(true));
        check("89ab", Ok(false));
        check("8def-0123456789ab", Ok(false));
        check("9ab", Err(()));
        check("xyzw", Err(()));
        check("", Err(()));
        check(&"0".repeat(33), Err(()));
    }

    #[test]
    fn an_agent_is_named_by_its_id_or_its_workspace() {
        let id = Uuid::from_u128(0x1234_abcd);
        let check = |workspace: &str, named: &str, expected: bool| {
            let found = is_agent_named(id, workspace, named);
            assert_eq!(found, expected, "{workspace} {named}");
        };
        check("shop", "shop", true);
        check("shop", "sho", false);
        check("shop", "abcd", true);
        check("shop", "bcd", false);
        check("/srv/shop", "shop", true);
        check("/srv/shop", "/srv/shop", true);
        check("a/shop", "shop", false);
        check("bcd", "bcd", true);
    }

    #[test]
    fn an_ending_names_one() {
        let one = Uuid::from_u128(0x1234_5678);
        let other = Uuid::from_u128(0x9abc_5678);
        assert_eq!(only(IdKind::Chat, "5678", [one].into_iter()), Ok(one));
        assert!(only(IdKind::Chat, "5678", [].into_iter()).is_err());
        let failure = only(IdKind::Chat, "5678", [one, other].into_iter()).unwrap_err();
        assert!(format!("{failure:?}").contains(&other.to_string()));
    }
}
