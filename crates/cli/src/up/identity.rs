//! The agent and the first chat of a watched directory, as the server knows them.

use std::path::Path;

use ctxpin_client::Client;
use ctxpin_model::limits::CHOSEN_NAME_CHARS_MAX;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::chats::{Chat, ChatCreate, ChatQuery};
use ctxpin_protocol::problem::ProblemName;
use ctxpin_scan::roots::ToolEnvironment;

use crate::agent_credentials::AgentCredentials;
use crate::data_directory::path_key;
use crate::say::{self, Failure};

/// The `client` of the chats that `ctxpin up` creates.
const CHAT_CLIENT: &str = "ctxpin";

/// The tool whose rules an agent follows.
#[derive(Debug, Clone)]
pub struct Tool {
    pub profile: Profile,
    pub environment: ToolEnvironment,
}

/// Finds the agent of a directory for a tool, or creates it. Replaces an agent that the server does not know,
/// for example because its database is new.
///
/// # Errors
///
/// Fails if the server does not answer, or the credentials cannot be read or written.
pub async fn agent_ensure(
    client: &Client,
    credentials: &Path,
    directory: &Path,
    tool: &Tool,
) -> Result<AgentCredentials, Failure> {
    let Some(kept) = AgentCredentials::read(credentials)? else {
        return agent_create(client, credentials, directory, tool, None).await;
    };
    match client.agent(kept.id).await {
        Ok(_) => Ok(kept),
        Err(error) if error.problem_name() == Some(ProblemName::NotFound) => {
            agent_replace(client, credentials, directory, tool).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates a new agent for a directory whose old agent the server refuses. The chats of the old
/// agent move to the new one.
///
/// # Errors
///
/// Fails if the server does not answer, or the credentials cannot be written.
pub async fn agent_replace(
    client: &Client,
    credentials: &Path,
    directory: &Path,
    tool: &Tool,
) -> Result<AgentCredentials, Failure> {
    say::note("the server no longer accepts this directory's agent; ctxpin creates a new one");
    let replaces = Some("same".to_owned());
    agent_create(client, credentials, directory, tool, replaces).await
}

async fn agent_create(
    client: &Client,
    credentials: &Path,
    directory: &Path,
    tool: &Tool,
    replaces: Option<String>,
) -> Result<AgentCredentials, Failure> {
    let home = tool.environment.home.as_ref();
    let create = AgentCreate {
        workspace: workspace_name(directory),
        name: None,
        may_refresh: false,
        replaces,
        // A server of an older release knows no profile.
        profile: (tool.profile != Profile::Neutral).then(|| tool.profile.to_string()),
        home: home.map(|home| home.to_string_lossy().into_owned()),
    };
    let created = client.agent_create(&create).await?;
    AgentCredentials::write(credentials, &created)
}

/// Returns the path as the name of a workspace, so that directories with the same name are
/// different workspaces. A path that is too long is cut to its end, with a key of the whole path.
fn workspace_name(directory: &Path) -> String {
    let path = say::line(&directory.to_string_lossy()).into_owned();
    let chars = path.chars().count();
    if chars <= CHOSEN_NAME_CHARS_MAX {
        return path;
    }
    let key = path_key(directory);
    let kept = CHOSEN_NAME_CHARS_MAX - key.len() - 2;
    let end: String = path.chars().skip(chars - kept).collect();
    format!("{key} …{end}")
}

/// Finds the newest chat of an agent, or creates the first one. An archived chat counts only if it
/// is this first one.
///
/// # Errors
///
/// Fails if the server does not answer.
pub async fn chat_ensure(
    client: &Client,
    agent: &AgentCredentials,
    directory: &Path,
) -> Result<Chat, Failure> {
    let query = ChatQuery {
        agent: Some(agent.id.uuid()),
        archived: Some(false),
        limit: Some(1),
        ..ChatQuery::default()
    };
    let page = client.chats(&query).await?;
    if let Some(chat) = page.items.into_iter().next() {
        return Ok(chat);
    }
    let name = directory.file_name().unwrap_or(directory.as_os_str());
    let title: String = say::line(&name.to_string_lossy())
        .chars()
        .take(CHOSEN_NAME_CHARS_MAX)
        .collect();
    let create = ChatCreate {
        client: Some(CHAT_CLIENT.to_owned()),
        // The reference makes concurrent and repeated requests create one chat only.
        reference: Some(agent.id.to_string()),
        agent_id: Some(agent.id.uuid()),
        title: Some(title),
        ..ChatCreate::default()
    };
    Ok(client.chat_create(&create).await?.chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_named_by_its_path() {
        assert_eq!(workspace_name(Path::new("/srv/app")), "/srv/app");
        let long = format!("/{}/end", "é".repeat(300));
        let name = workspace_name(Path::new(&long));
        assert_eq!(name.chars().count(), CHOSEN_NAME_CHARS_MAX);
        assert!(name.ends_with("é/end"));
    }
}
