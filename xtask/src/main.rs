//! `cargo xtask`: the commands for contributors to this repository besides cargo's own.
//!
//! It knows the repository's rules, how to start a database for the tests, and how to build and start the
//! programs that measure, attack and wear out the product. It contains neither these programs nor the
//! product, so it builds in seconds.

mod bench;
mod command;
mod doors;
mod field;
mod fuzz;
mod interrupt;
mod pages;
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
    /// The task starts and stops a private PostgreSQL server in a temporary directory, unless
    /// CTXPIN_TEST_POSTGRES names one.
    Test {
        /// Arguments for `cargo test`, such as `-- -p ctxpin-store name_of_a_test`.
        #[arg(last = true)]
        cargo_arguments: Vec<String>,
    },
    /// Start a private PostgreSQL server for your own tests, and stop it on Ctrl-C.
    Postgres,
    /// Put servers under load, kill them repeatedly, and check that no acknowledged write is lost
    /// and that every pin holds the pushed content.
    #[command(disable_help_flag = true)]
    Soak {
        /// Arguments for the soak, such as `--minutes 4`; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Attack servers while a neighbour uses them, and check that the neighbour gets responses in
    /// time and that the memory stays bounded.
    ///
    /// This takes about half an hour for both databases. Run nothing else meanwhile.
    Siege(siege::Options),
    /// Compare ctxpin with the obvious design and with a lower limit for each task, and write the
    /// report.
    ///
    /// This takes about ten minutes after the build. Run nothing else meanwhile.
    Bench(bench::Options),
    /// Take screenshots of the web pages: an invented company at work, at three widths, light and dark.
    ///
    /// This takes about three minutes after the build.
    Pages(pages::Options),
    /// Run the fuzzer on each target, or on one, and report its findings.
    Fuzz(fuzz::Options),
    /// Try ctxpin on checkouts of other people's repositories.
    ///
    /// Prints the unused files with their reasons. Fails if more than one skill in a hundred is
    /// unused, if text inside code is lost (according to another Markdown parser), or if sanitising
    /// costs too much.
    Field(field::Options),
    /// Compare what ctxpin says that tools give their models with what they do.
    ///
    /// Installs fixed versions of the tools from the npm registry and starts them in generated workspaces.
    /// Fails at any difference.
    Doors(doors::Options),
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
        Task::Pages(options) => pages::run(&root, options),
        Task::Fuzz(options) => fuzz::run(&root, options),
        Task::Field(options) => field::run(&root, options),
        Task::Doors(options) => doors::run(&root, options),
        Task::Tidy => tidy::run(&root),
    }
}

/// Returns the directory of the workspace, the parent of this package's, whatever the working directory is.
fn repository_root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: start this through `cargo xtask`")?;
    Path::new(&package)
        .parent()
        .map(Path::to_path_buf)
        .context("the xtask package has no parent directory")
}
