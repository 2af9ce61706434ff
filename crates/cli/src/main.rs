//! The one binary: the command line of ctxpin.
//!
//! It knows the words, tables and exit codes of a command line, what a person keeps on this
//! machine, and how to start a server and an agent. It knows no SQL, no HTTP and no format of
//! workspace files: it reads and changes stored data through `ctxpin-client` alone.

#![deny(clippy::wildcard_enum_match_arm)]

mod agent_credentials;
mod bytes;
mod chat_choice;
mod check;
mod command;
mod connect;
mod data_directory;
mod enrolment;
mod home;
mod hooks;
mod installed;
mod log;
mod owned;
mod page_link;
mod pages;
mod process;
mod run_note;
mod running;
mod say;
mod setting;
mod stop;
mod token_file;
mod up;

use std::process::ExitCode;

use crate::command::Cli;
use crate::say::Failure;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(exit_code) => return exit_code,
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::new("no threads can be started")
                .because(error)
                .report();
        }
    };
    let answer = runtime.block_on(cli.run());
    // Work on other threads is no longer needed, and holds nothing that must be saved.
    runtime.shutdown_background();
    answer.unwrap_or_else(|failure| failure.report())
}
