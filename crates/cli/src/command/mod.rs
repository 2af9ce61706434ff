//! The commands: one file for each verb or noun.

mod absolute;
mod agent;
mod change;
mod chat;
mod check;
mod completions;
mod down;
mod exposure;
mod hook;
mod open;
mod prompt;
mod push;
mod scan;
mod serve;
mod skill;
mod source;
mod token;
mod tool;
mod trust;
mod up;
mod user;
mod watch;

use std::process::ExitCode;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use ctxpin_client::error::ClientError;
use ctxpin_model::resource::UnknownWord;
use ctxpin_protocol::http::page::{PAGE_ITEMS_MAX, PageQuery};
use ctxpin_protocol::problem::ProblemName;

use crate::say::{self, Failure, Hint};
use crate::setting::{blamed_variable, without_empty_variables};

/// Pins the context of an AI agent's chats: see it, accept it, refuse it, undo it and prove it.
#[derive(Debug, Parser)]
#[command(
    name = "ctxpin",
    version,
    max_term_width = 100,
    after_help = "Start with `ctxpin scan`, which needs no server, or with `ctxpin up`.\n\
                  Exit codes: 0 done, 1 failed, 2 usage; `chat show --exit-code` adds 3."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::Scan),
    Check(check::Check),
    Up(up::Up),
    Down(down::Down),
    Chat(chat::Noun),
    Change(change::Noun),
    Exposure(exposure::Exposure),
    Open(open::Open),
    Prompt(prompt::Prompt),
    Skill(skill::Noun),
    Watch(watch::Watch),
    Source(source::Noun),
    Agent(agent::Noun),
    Hook(hook::Noun),
    Push(push::Push),
    Serve(serve::Serve),
    Token(token::Noun),
    User(user::Noun),
    Completions(completions::Completions),
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    ///
    /// Returns the exit code if the command line is invalid or only asked for help. The message or
    /// the help has been printed.
    pub fn read() -> Result<Self, ExitCode> {
        let mut command = without_empty_variables(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os());
        matches
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| {
                // Nothing can be done if printing fails.
                let _ = error.print();
                command.build();
                if let Some(variable) = blamed_variable(&command, &error) {
                    say::hint(&format!(
                        "the value stands in {variable}, a variable of the environment"
                    ));
                }
                // With 2, a client would take its hook to forbid the prompt.
                let mut arguments = std::env::args_os().skip(1);
                let is_hook = arguments.next().is_some_and(|word| word == "hook")
                    && arguments.next().is_some_and(|word| word == "run");
                match is_hook {
                    true => ExitCode::FAILURE,
                    // 2 for usage, 0 for help.
                    false => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
                }
            })
    }

    /// Runs the command, and returns the exit code.
    ///
    /// # Errors
    ///
    /// Fails if the command does.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Scan(scan) => scan.run()?,
            Command::Check(check) => return check.run().await,
            Command::Up(up) => up.run().await?,
            Command::Down(down) => down.run().await?,
            Command::Chat(noun) => return noun.run().await,
            Command::Change(noun) => return noun.run().await,
            Command::Exposure(exposure) => exposure.run().await?,
            Command::Open(open) => open.run().await?,
            Command::Prompt(prompt) => prompt.run().await?,
            Command::Skill(noun) => noun.run().await?,
            Command::Watch(watch) => watch.run().await?,
            Command::Source(noun) => noun.run().await?,
            Command::Agent(noun) => noun.run().await?,
            Command::Hook(noun) => noun.run().await?,
            Command::Push(push) => push.run().await?,
            Command::Serve(serve) => serve.run().await?,
            Command::Token(noun) => noun.run().await?,
            Command::User(noun) => noun.run().await?,
            Command::Completions(completions) => completions.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The option for the format of the output.
#[derive(Debug, Clone, Copy, Default, Args)]
struct Output {
    /// Print JSON, in the API's shapes
    #[arg(long)]
    json: bool,
}

/// The options for the page of a list.
#[derive(Debug, Clone, Default, Args)]
struct PageArguments {
    /// Maximum number of items to print
    #[arg(long, value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_ITEMS_MAX)))]
    limit: u32,
    /// Where to continue: the cursor that the previous page printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArguments {
    fn query(&self) -> PageQuery {
        PageQuery {
            cursor: self.cursor.clone(),
            limit: Some(self.limit),
        }
    }
}

/// Returns a parser of the words in `all`. The help lists them, and every other word is refused.
fn words<W>(all: &'static [W], spelling: fn(W) -> &'static str) -> impl TypedValueParser<Value = W>
where
    W: Copy + FromStr<Err = UnknownWord> + Send + Sync,
{
    let spellings = all.iter().map(move |word| spelling(*word));
    PossibleValuesParser::new(spellings).try_map(|word| word.parse())
}

/// Returns the failure of a request, with a hint what exists if the server found nothing under the
/// name.
fn absent(error: ClientError, hint: Hint) -> Failure {
    let is_absent = error.problem_name() == Some(ProblemName::NotFound);
    let failure = Failure::from(error);
    match is_absent {
        true => failure.only_hint(hint),
        false => failure,
    }
}

/// Says how to get the next page, if there is one.
fn say_next(next: Option<&str>) {
    if let Some(next) = next {
        say::note(&format!("for the next page, add --cursor {next}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let check = |line: &str, is_read: bool| {
            let read = Cli::try_parse_from(line.split_whitespace());
            assert_eq!(read.is_ok(), is_read, "{line}");
        };
        check("ctxpin scan", true);
        check("ctxpin scan a b", false);
        check("ctxpin chat", false);
        check("ctxpin chat show --exit-code 89ab", true);
        check("ctxpin chat show --server not-an-address", false);
        check("ctxpin chat show --server http://127.0.0.1:1", true);
        check(
            "ctxpin chat list --server http://127.0.0.1:1 --limit 500",
            true,
        );
        check("ctxpin chat list --limit 501", false);
        check("ctxpin chat list --limit 0", false);
        check("ctxpin chat list --archived --all", false);
        check("ctxpin chat diff --from 1", false);
        check("ctxpin chat diff --from 1 --to 2", true);
        check("ctxpin chat set --policy whatever", false);
        check("ctxpin chat set", false);
        check("ctxpin chat set --policy follow", true);
        check("ctxpin chat bind", false);
        check("ctxpin chat bind 89ab --none", false);
        check("ctxpin chat bind --none", true);
        check("ctxpin chat delete", false);
        check("ctxpin skill show name file --json", false);
        check("ctxpin skill list 89ab", true);
        check("ctxpin skill show name file --chat 89ab", true);
        check("ctxpin check --json --format text", false);
        check("ctxpin serve", false);
        check("ctxpin serve --data-dir d --listen localhost", false);
        check("ctxpin serve --data-dir d --listen [::1]:0", true);
        check("ctxpin up --ready-file a --ready-command b", false);
        check("ctxpin push --server http://127.0.0.1:1 --timeout 0", false);
        check(
            "ctxpin push --server http://127.0.0.1:1 --token-file f",
            true,
        );
        check("ctxpin push", false);
        check(
            "ctxpin token create --days 1 --expires-at 2027-01-31T00:00:00Z",
            false,
        );
        check("ctxpin token create --expires-at tomorrow", false);
        check("ctxpin token create --scope root", false);
        check("ctxpin exposure", false);
        check("ctxpin exposure 0123abcd", true);
        check("ctxpin exposure 0123abcd --file f", false);
        check("ctxpin agent create", false);
        check("ctxpin completions fish", true);
        check("ctxpin completions dos", false);
    }

    #[test]
    fn a_chat_is_a_bare_word_wherever_no_other_may_be() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            command
                .get_subcommands()
                .for_each(|command| check(command, &path));
            let Some(chat) = command
                .get_arguments()
                .find(|argument| argument.get_id() == "chat")
            else {
                return;
            };
            let mut others = command
                .get_positionals()
                .filter(|argument| argument.get_id() != "chat");
            let may_be_other = others.any(|argument| !argument.is_required_set());
            assert_eq!(chat.is_positional(), !may_be_other, "{path}");
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn the_help_is_as_it_was() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut help = String::new();
        help_write(&mut command, &mut help);
        insta::with_settings!({
            snapshot_path => "../../tests/golden",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("help", help) });
    }

    fn help_write(command: &mut clap::Command, help: &mut String) {
        let name = command.get_bin_name().unwrap_or("ctxpin").to_owned();
        *help += &format!("$ {name} --help\n{}\n", command.render_long_help());
        let below = command.get_subcommands_mut();
        below
            .filter(|below| below.get_name() != "help")
            .for_each(|below| help_write(below, help));
    }
}
