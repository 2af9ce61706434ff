//! Starts real AI coding tools in generated workspaces, and compares what each of them gives its model with what
//! ctxpin says that it gives. `cargo xtask doors` builds and runs it.
//!
//! The tools come from the npm registry. They run with an environment of their own, and their model is
//! a program of ours that records each request.

mod client;
mod generate;
mod install;
mod standin;
mod trial;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use client::Client;
use standin::Standin;
use trial::Trial;

/// Compares what tools give their models with what ctxpin says.
#[derive(Debug, Parser)]
struct Arguments {
    /// The directory in which the tools are installed and kept.
    #[arg(long, value_name = "DIR")]
    tools: PathBuf,
    /// Number of workspaces for the newest version of each tool. The older one gets a quarter.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    count: u64,
    /// Only the workspace with this number. Prints it, and what both sides say.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this tool, by the name of its profile.
    #[arg(long)]
    only: Option<String>,
    /// Also try the newest release of each tool.
    #[arg(long)]
    latest: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ctxpin-doors: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Compares all tools. True if there is no difference.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let standin = Standin::start().await?;
    let mut is_equal = true;
    for client in Client::ALL {
        let only = arguments.only.as_deref();
        if only.is_some_and(|only| only != client.name()) {
            continue;
        }
        let mut versions = client.versions().to_vec();
        if arguments.latest {
            versions.insert(0, "latest");
        }
        for (index, version) in versions.iter().enumerate() {
            let program = install::installed(&arguments.tools, client, version)?;
            // One workspace is asked as people start the tool.
            let server = match arguments.seed {
                Some(_) => None,
                None => client.serve(&program, &standin.url()).await?,
            };
            let trial = Trial {
                client,
                version,
                program: &program,
                server: server.as_ref(),
                standin: &standin,
            };
            let count = match index {
                0 => arguments.count,
                _ => arguments.count.div_ceil(4),
            };
            let seeds = arguments.seed.map_or(0..count, |seed| seed..seed + 1);
            let mut different = Vec::new();
            for seed in seeds.clone() {
                let is_shown = arguments.seed.is_some();
                let equal = trial.run(seed, is_shown).await;
                if !equal.with_context(|| format!("in the workspace {seed}"))? {
                    different.push(seed);
                }
            }
            let name = client.name();
            println!(
                "{name} {version}: {} workspaces, {} different",
                seeds.count(),
                different.len()
            );
            for seed in &different {
                println!("  `cargo xtask doors --only {name} --seed {seed}` shows one");
            }
            is_equal &= different.is_empty();
        }
    }
    Ok(is_equal)
}
