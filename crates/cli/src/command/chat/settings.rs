//! The settings of a chat: the options of `ctxpin chat new` and `set`, and their lines in `show`.

use clap::Args;
use ctxpin_model::mode::Mode;
use ctxpin_model::policy::Policy;
use ctxpin_model::reading;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate};

use crate::command::words;

/// The settings of a chat, as options.
#[derive(Debug, Args)]
#[group(id = "settings", multiple = true)]
pub struct Settings {
    /// The chat's title
    #[arg(long)]
    title: Option<String>,
    #[arg(long, help = Mode::explained(), value_parser = words(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
    #[arg(long, help = Policy::explained(), value_parser = words(Policy::ALL, Policy::as_str))]
    policy: Option<Policy>,
    #[arg(long, help = ToolsMode::explained(), value_parser = words(ToolsMode::ALL, ToolsMode::as_str))]
    tools: Option<ToolsMode>,
}

impl Settings {
    /// Returns the request for a chat with these settings.
    pub fn create(self) -> ChatCreate {
        ChatCreate {
            title: self.title,
            mode: self.mode.map(|mode| mode.to_string()),
            policy: self.policy.map(|policy| policy.to_string()),
            tools: self.tools.map(|tools| tools.to_string()),
            ..ChatCreate::default()
        }
    }

    /// Returns the change of a chat to these settings. Absent options change nothing.
    pub fn change(self) -> ChatChange {
        ChatChange {
            title: self.title.map(Some),
            mode: self.mode.map(|mode| mode.to_string()),
            policy: self.policy.map(|policy| policy.to_string()),
            tools: self.tools.map(|tools| tools.to_string()),
            ..ChatChange::default()
        }
    }
}

/// Returns whether the pin of a chat records what its client read.
pub fn is_observed(chat: &Chat) -> bool {
    chat.mode == Mode::Observed.as_str()
}

/// Returns when the client of an observed chat takes changes, and the command by which it does if that is known.
pub fn taken_by_client(chat: &Chat, changes: &str) -> String {
    let client = chat.client.as_deref();
    let when = reading::next_reading(client);
    let command = reading::resume_command(client, chat.reference.as_deref());
    let command = command.map_or_else(String::new, |command| format!(": {command}"));
    format!("the client takes {changes} {when}{command}")
}

/// Returns the names and texts of a chat's settings, without its title.
pub fn facts(chat: &Chat) -> Vec<(&'static str, String)> {
    let settings = format!("{}, tools {}", chat.policy, chat.tools);
    let mode = is_observed(chat).then(|| {
        let told = "observed: the client reads its files itself, and the pin records them";
        ("mode", told.to_owned())
    });
    mode.into_iter().chain([("policy", settings)]).collect()
}
