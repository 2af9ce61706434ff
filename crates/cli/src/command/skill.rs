//! `ctxpin skill`: the skills of a chat's pin.

use clap::{Args, Subcommand};
use ctxpin_protocol::http::skills::SkillQuery;

use super::{Output, absent};
use crate::chat_choice::{self, ChatArgument, ChatOption};
use crate::connect::Connection;
use crate::say::{self, Failure, Hint, NextCommand, Table};

/// Show the skills of a chat's pin, even if the workspace no longer exists
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the skills
    List {
        #[command(flatten)]
        chat: ChatArgument,
        #[command(flatten)]
        output: Output,
    },
    /// Print a skill's SKILL.md, or one of its files
    Show {
        /// The skill's name
        name: String,
        /// The path of one of its files, below the skill's directory
        #[arg(conflicts_with_all = ["json", "sanitised"])]
        file: Option<String>,
        /// Print the SKILL.md as a model gets it
        #[arg(long)]
        sanitised: bool,
        #[command(flatten)]
        chat: ChatOption,
        #[command(flatten)]
        output: Output,
    },
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat or skill, or the skill cannot be read.
    pub async fn run(self) -> Result<(), Failure> {
        let connected = self.connection.connect()?;
        let client = &connected.client;
        match self.verb {
            Verb::List { chat, output } => {
                let chat = chat_choice::chat(&connected, chat.named()).await?;
                let page = client.skills(chat).await?;
                if output.json {
                    return say::print_json(&page);
                }
                let mut table = Table::new(&["name", "description"]);
                for skill in &page.items {
                    table.row([&skill.name, &skill.description]);
                }
                match table.is_empty() {
                    true => {
                        say::note("the chat's pin holds no skills");
                        Ok(())
                    }
                    false => say::print(&table.text()),
                }
            }
            Verb::Show {
                name,
                file,
                sanitised,
                chat,
                output,
            } => {
                let chat = chat_choice::chat(&connected, chat.named()).await?;
                if let Some(file) = file {
                    let hint =
                        Hint::run(NextCommand::SkillShow, format!("lists the files of {name}"));
                    let bytes = client
                        .skill_file(chat, &name, &file)
                        .await
                        .map_err(|error| absent(error, hint))?;
                    return say::print_bytes(&bytes);
                }
                let query = SkillQuery { raw: !sanitised };
                let skill = client.skill(chat, &name, &query).await.map_err(|error| {
                    absent(
                        error,
                        Hint::run(NextCommand::SkillList, "shows what the chat's pin holds"),
                    )
                })?;
                if output.json {
                    return say::print_json(&skill);
                }
                for file in &skill.files {
                    let size = say::size(file.size_bytes);
                    say::note(&format!("file {} ({size})", say::line(&file.path)));
                }
                say::print_bytes(skill.body.as_bytes())
            }
        }
    }
}
