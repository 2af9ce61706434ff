//! Hints: what to do next. The commands and settings of hints are lists, so that a test can compare them
//! with the command line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A next step after a failure. It reads as a sentence that begins with the command or the setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// Run a command, which does this.
    Run(NextCommand, String),
    /// Give an option or set a variable. The text says what that does.
    Set(Setting, String),
    /// A whole sentence that names neither a command nor a setting.
    Say(String),
}

impl Hint {
    /// Returns the hint to run a command; `does` is the rest of the sentence, such as `shows your chats`.
    pub fn run(command: NextCommand, does: impl Into<String>) -> Self {
        Self::Run(command, does.into())
    }

    /// Returns the hint to give a setting; `does` is the rest of the sentence, such as `names a directory`.
    pub fn set(setting: Setting, does: impl Into<String>) -> Self {
        Self::Set(setting, does.into())
    }

    /// Returns a hint of a whole sentence.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(command, does) => write!(f, "`{}` {does}", command.as_str()),
            Self::Set(setting, does) => write!(f, "{} {does}", setting.as_str()),
            Self::Say(text) => f.write_str(text),
        }
    }
}

/// Defines an enum with the text of each variant and the list of all.
macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns it as a person types it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

texts! {
    /// A command that a hint names. A word in capitals stands for a value.
    NextCommand {
        AgentCreate = "ctxpin agent create --workspace WORKSPACE --write-token FILE",
        AgentEnrol = "ctxpin agent run --server URL --enrol",
        AgentEnrolmentCode = "ctxpin agent enrolment-code --workspace WORKSPACE",
        AgentList = "ctxpin agent list",
        AgentRun = "ctxpin agent run --server URL",
        ChatBind = "ctxpin chat bind AGENT",
        ChatDiff = "ctxpin chat diff",
        ChatHistory = "ctxpin chat history",
        ChatList = "ctxpin chat list",
        ChatListArchived = "ctxpin chat list --archived",
        ChatNew = "ctxpin chat new",
        ChatRefresh = "ctxpin chat refresh",
        ChatShow = "ctxpin chat show",
        ChatTurns = "ctxpin chat turns",
        ChatUnarchive = "ctxpin chat archive CHAT --undo",
        ChatUnpin = "ctxpin chat unpin",
        Down = "ctxpin down",
        Prompt = "ctxpin prompt",
        Scan = "ctxpin scan FILE",
        SkillList = "ctxpin skill list",
        SkillShow = "ctxpin skill show NAME",
        TokenList = "ctxpin token list",
        Up = "ctxpin up",
        UserList = "ctxpin user list",
    }
}

texts! {
    /// An option or a variable of the environment that a hint names.
    Setting {
        DataDirectory = "--data-dir DIR",
        DataDirectoryVariable = "CTXPIN_DATA_DIR",
        Database = "--database URL",
        Directory = "--dir DIR",
        Home = "HOME",
        Listen = "--listen ADDRESS",
        Server = "--server URL",
        Token = "CTXPIN_TOKEN",
        TokenFile = "--token-file FILE",
        WriteToken = "--write-token FILE",
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::*;
    use crate::command::Cli;
    use crate::setting::{DATA_DIRECTORY_VARIABLE, TOKEN_VARIABLE};

    #[test]
    fn the_commands_of_hints_can_be_run() {
        for command in NextCommand::ALL {
            let line = command.as_str().replace("URL", "http://127.0.0.1:1");
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn the_settings_of_hints_exist() {
        fn is_option(command: &Command, name: &str, value: &str) -> bool {
            let mut own = command.get_arguments();
            own.any(|argument| {
                let values = argument.get_value_names().unwrap_or_default();
                argument.get_long() == Some(name) && values.iter().any(|known| known == value)
            }) || command
                .get_subcommands()
                .any(|command| is_option(command, name, value))
        }
        // Of the variables, these are read without clap.
        let variables = ["HOME", DATA_DIRECTORY_VARIABLE, TOKEN_VARIABLE];
        for setting in Setting::ALL {
            let text = setting.as_str();
            let exists = match text
                .strip_prefix("--")
                .and_then(|text| text.split_once(' '))
            {
                Some((name, value)) => is_option(&Cli::command(), name, value),
                None => variables.contains(&text),
            };
            assert!(exists, "{text}");
        }
    }
}
