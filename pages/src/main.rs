//! The pages of the built program in a real browser: how fast they show their first content, what they
//! transfer, and how they look. `cargo xtask bench` and `cargo xtask pages` build both and start this.
//!
//! It knows a server as an agent, a client and a browser see it.

mod clock;
mod measure;
mod server;
mod shoot;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The pages of ctxpin in a browser.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure how fast and how heavy the largest pages are.
    Measure(measure::Measure),
    /// Take screenshots of the pages of an invented company.
    Shoot(shoot::Shoot),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Measure(measure) => measure.run().await,
        Task::Shoot(shoot) => shoot.run().await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ctxpin-pages: {error:#}");
            ExitCode::FAILURE
        }
    }
}
