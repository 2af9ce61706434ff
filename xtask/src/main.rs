//! `cargo xtask`: what a contributor runs on this repository besides cargo itself.
//!
//! It knows the repository's rules and how to start a database for the tests. It knows nothing of
//! the product: no crate of the workspace is used here, so that it builds in seconds and runs when
//! they do not compile.

mod command;
mod interrupt;
mod postgres;
mod test_run;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// Development tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check format, lints and house rules, then run every test on SQLite and on PostgreSQL.
    ///
    /// PostgreSQL is a private server in a temporary directory, started and stopped here, unless
    /// CTXPIN_TEST_POSTGRES names one.
    Test {
        /// Passed on to `cargo test`, for instance `-- -p ctxpin-store name_of_a_test`.
        #[arg(last = true)]
        cargo_arguments: Vec<String>,
    },
    /// Start a private PostgreSQL server for tests of your own and keep it until Ctrl-C.
    Postgres,
    /// Check the house rules: which crate may use what, forgotten files, names, links, leftovers.
    Tidy,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match run(&task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task; false means that it ran and found something wrong, which it has printed.
fn run(task: &Task) -> anyhow::Result<bool> {
    let root = repository_root()?;
    match task {
        Task::Test { cargo_arguments } => test_run::run(&root, cargo_arguments),
        Task::Postgres => postgres::serve_until_interrupted().map(|()| true),
        Task::Tidy => tidy::run(&root),
    }
}

/// The directory of the workspace, wherever the caller stands: the parent of this package's.
fn repository_root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: start this through `cargo xtask`")?;
    Path::new(&package)
        .parent()
        .map(Path::to_path_buf)
        .context("the xtask package has no parent directory")
}
