//! The origin of a setting: an option, an environment variable, or a file. Failures name it, so that the
//! user knows what to change. An empty variable counts as unset.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::{OsStr as ClapStr, Resettable};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};
use ctxpin_client::leads_to_this_machine;
use url::Url;

use crate::say;

/// The variable with the address of the server to call.
pub const SERVER_VARIABLE: &str = "CTXPIN_SERVER";

/// The variable with a token, so that no command line contains it.
pub const TOKEN_VARIABLE: &str = "CTXPIN_TOKEN";

/// The variable with the address of a server's database.
pub const DATABASE_VARIABLE: &str = "CTXPIN_DATABASE";

/// The variable with another data directory, for tests and for several users of one account.
pub const DATA_DIRECTORY_VARIABLE: &str = "CTXPIN_DATA_DIR";

/// The origin of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An option of the command.
    Option(&'static str),
    /// The file that an option names.
    OptionFile(&'static str, PathBuf),
    /// An environment variable.
    Variable(&'static str),
    /// A file that `ctxpin up` keeps.
    Kept(PathBuf),
    /// A file that `ctxpin agent run --enrol` keeps.
    Enrolled(PathBuf),
}

impl Origin {
    /// Returns the origin of a setting that is set: the option if it is on the command line, otherwise
    /// the variable.
    pub fn of(option: &'static str, variable: &'static str) -> Self {
        match is_given(option) {
            true => Self::Option(option),
            false => Self::Variable(variable),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) | Self::Variable(name) => f.write_str(name),
            Self::OptionFile(name, path) => write!(f, "{} ({name})", say::path(path)),
            Self::Kept(path) => write!(f, "{}, which `ctxpin up` keeps", say::path(path)),
            Self::Enrolled(path) => write!(
                f,
                "{}, which `ctxpin agent run --enrol` keeps",
                say::path(path)
            ),
        }
    }
}

/// Returns the value of an environment variable, unless it is empty or unset.
pub fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the command with empty environment variables treated as unset.
pub fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env().is_some_and(is_empty) {
            true => argument.env(Resettable::<ClapStr>::Reset),
            false => argument,
        })
        .mut_subcommands(without_empty_variables)
}

/// Returns the variable with the value that clap rejected, unless the option itself was given.
pub fn blamed_variable(command: &Command, error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(blamed)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let found = argument(command, &|argument| argument.to_string() == *blamed)?;
    let option = format!("--{}", found.get_long()?);
    let variable = found.get_env()?.to_string_lossy().into_owned();
    (!is_given(&option)).then_some(variable)
}

fn argument<'c>(command: &'c Command, is_meant: &dyn Fn(&Arg) -> bool) -> Option<&'c Arg> {
    let own = command
        .get_arguments()
        .find(|argument| argument.get_env().is_some() && is_meant(argument));
    let mut below = command.get_subcommands();
    own.or_else(|| below.find_map(|command| argument(command, is_meant)))
}

/// Returns whether an option is on the command line.
fn is_given(option: &str) -> bool {
    env::args_os().any(|argument| {
        let argument = argument.to_string_lossy();
        let rest = argument.strip_prefix(option);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// Parses the address of a server. An address of this machine may omit `http://`.
///
/// # Errors
///
/// Returns a message that says how such an address is written.
pub fn server_address(text: &str) -> Result<Url, String> {
    let is_whole = text.contains("://");
    let whole = match is_whole {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let url = Url::parse(&whole)
        .map_err(|_| "it is not an address; write it like http://127.0.0.1:7878".to_owned())?;
    if !is_whole && !leads_to_this_machine(&url) {
        return Err("write http:// or https:// before it".to_owned());
    }
    if url.path().trim_end_matches('/').ends_with("/api/v1") {
        return Err("leave out /api/v1, which is added to it".to_owned());
    }
    Ok(url)
}

/// Parses an address to listen on.
///
/// # Errors
///
/// Returns a message that says how such an address is written.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok())
    {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| {
        "it is written as an IP address and a port, like 127.0.0.1:7878 for this machine alone, or 0.0.0.0:7878 or [::]:7878 for all that reach it".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_k03_addresses_are_taken_or_refused_in_our_words() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let read = server_address(text).map(|url| url.to_string());
            match (read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{reason}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        };
        check("http://a.example:7878", Ok("http://a.example:7878/"));
        check("https://a.example/x/", Ok("https://a.example/x/"));
        check("127.0.0.1:7878", Ok("http://127.0.0.1:7878/"));
        check("localhost:7878", Ok("http://localhost:7878/"));
        check("[::1]:7878", Ok("http://[::1]:7878/"));
        check("0.0.0.0:7878", Ok("http://0.0.0.0:7878/"));
        check("localhost.:7878", Ok("http://localhost.:7878/"));
        check("a.localhost:7878", Ok("http://a.localhost:7878/"));
        check("a.example:7878", Err("write http:// or https://"));
        check("7878", Err("write http:// or https://"));
        check("http://127.0.0.1:78789", Err("it is not an address"));
        check("", Err("it is not an address"));
        check("http://127.0.0.1:1/api/v1", Err("leave out /api/v1"));

        let listen = |text: &str| listen_address(text).map(|address| address.to_string());
        assert_eq!(listen("localhost:7878").unwrap(), "127.0.0.1:7878");
        assert_eq!(listen("[::1]:0").unwrap(), "[::1]:0");
        for text in [
            "localhost",
            "127.0.0.1",
            ":7878",
            "a.example:7878",
            "localhost:x",
            "",
        ] {
            assert!(
                listen(text)
                    .unwrap_err()
                    .contains("an IP address and a port")
            );
        }
    }
}
