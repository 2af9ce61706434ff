//! `ctxpin completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use crate::say::{self, Failure};

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell to write completions for
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ctxpin", &mut script);
        say::print_bytes(&script)
    }
}
