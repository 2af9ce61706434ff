//! `cargo xtask`: what a contributor runs on this repository besides cargo itself.
//!
//! It knows the repository's rules, how to start a database for the tests, and how to build and start what
//! measures, attacks and wears out the product. It holds none of that itself, and none of the product: so it
//! is built in seconds.

mod bench;
mod command;
mod field;
mod fuzz;
mod interrupt;
mod postgres;
mod siege;
mod soak;
mod test_run;
mod tidy;

use std::ffi::OsString;
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
    /// Put servers under load, kill them again and again, and check that nothing acknowledged is
    /// lost and that every pin holds what was pushed.
    #[command(disable_help_flag = true)]
    Soak {
        /// Passed on, such as `--minutes 4`; `--help` tells them all.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Attack servers while somebody else works with them, and check that this neighbour is answered in
    /// time and that the memory stays bounded.
    ///
    /// It takes about half an hour for both databases. Nothing else should run meanwhile.
    Siege(siege::Options),
    /// Measure ctxpin beside the obvious design and beside what nothing can beat, and write the
    /// report.
    ///
    /// It takes about ten minutes once everything is built. Nothing else should run meanwhile.
    Bench(bench::Options),
    /// Run the fuzzer on each target, or on one, and tell what it found.
    Fuzz(fuzz::Options),
    /// Try ctxpin on checkouts of other people's repositories.
    ///
    /// Prints what of them is not used and why, and fails if more than one skill in a hundred is not, if
    /// text inside code is lost (by another parser of Markdown), or if sanitising costs too much.
    Field(field::Options),
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
        Task::Soak { arguments } => soak::run(&root, arguments),
        Task::Siege(options) => siege::run(&root, options),
        Task::Bench(options) => bench::run(&root, options),
        Task::Fuzz(options) => fuzz::run(&root, options),
        Task::Field(options) => field::run(&root, options),
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
