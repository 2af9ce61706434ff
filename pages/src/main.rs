//! The pages of the built program in a real browser: how fast they show their first content, and what they
//! transfer. `cargo xtask bench` builds both and starts this.
//!
//! It knows a server as an agent, a client and a browser see it.

mod measure;
mod server;

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
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Measure(measure) => measure.run().await,
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
