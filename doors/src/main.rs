//! Starts real AI coding tools in generated workspaces, and compares what each of them gives its model with what
//! ctxpin says that it gives. `cargo xtask doors` builds and runs it.
//!
//! The tools come from the npm registry. They run with an environment of their own, and their model is
//! a program of ours that records each request.

mod cases;
mod client;
mod generate;
mod guide;
mod install;
mod process;
mod session;
mod standin;
mod terminal;
mod trial;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Parser;

use client::Client;
use guide::Guide;
use session::{Sessions, Story};
use standin::Standin;
use trial::{Outcome, Trial};

/// After so many workspaces in a row without an answer, the tool or the machine is at fault and not a workspace.
const UNANSWERED_MAX: usize = 5;

/// Compares what tools give their models with what ctxpin says.
#[derive(Debug, Parser)]
struct Arguments {
    /// The directory in which the tools are installed and kept.
    #[arg(long, value_name = "DIR")]
    tools: PathBuf,
    /// Number of workspaces for the newest version of each tool. The older one gets a quarter.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    count: u64,
    /// The number of the first workspace.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
    /// Only the workspace with this number. Prints it, and what both sides say.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this tool, by the name of its profile.
    #[arg(long)]
    only: Option<String>,
    /// Only this version of the tool that `--only` names.
    #[arg(long, value_name = "VERSION", requires = "only")]
    release: Option<String>,
    /// Also try the newest release of each tool.
    #[arg(long)]
    latest: bool,
    /// Run sessions with the hooks of this built ctxpin instead.
    #[arg(long, value_name = "FILE")]
    sessions: Option<PathBuf>,
    /// Only the sessions of this story.
    #[arg(long, value_enum, requires = "sessions")]
    story: Option<Story>,
    /// Follow the guides of docs/guides with this built ctxpin instead.
    #[arg(long, value_name = "FILE", conflicts_with = "sessions")]
    guides: Option<PathBuf>,
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
        if let Some(ctxpin) = &arguments.guides {
            is_equal &= read(arguments, client, ctxpin, &standin).await?;
            continue;
        }
        let mut versions = match arguments.sessions {
            Some(_) => client.session_versions(),
            None => client.versions().to_vec(),
        };
        if arguments.latest {
            versions.insert(0, "latest");
        }
        if let Some(release) = &arguments.release {
            versions = vec![release];
        }
        for (index, version) in versions.iter().enumerate() {
            if let Some(ctxpin) = &arguments.sessions {
                is_equal &= follow(arguments, client, version, ctxpin, &standin).await?;
                continue;
            }
            let count = match index {
                0 => arguments.count,
                _ => arguments.count.div_ceil(4),
            };
            is_equal &= compare(arguments, client, version, count, &standin).await?;
        }
    }
    Ok(is_equal)
}

/// Follows the guide of a tool with its newest version. True if there is no difference.
async fn read(
    arguments: &Arguments,
    client: Client,
    ctxpin: &Path,
    standin: &Standin,
) -> anyhow::Result<bool> {
    let newest = client.versions().first().copied();
    let version = newest.filter(|_| !arguments.latest).unwrap_or("latest");
    let program = install::installed(&arguments.tools, client, version)?;
    let guide = Guide {
        client,
        program: &program,
        ctxpin,
        standin,
    };
    let differences = guide.follow().await;
    let differences = differences.with_context(|| format!("the guide of {}", client.name()))?;
    for difference in &differences {
        println!("{difference}");
    }
    Ok(differences.is_empty())
}

/// Compares whole sessions of one version of a tool. True if there is no difference.
async fn follow(
    arguments: &Arguments,
    client: Client,
    version: &str,
    ctxpin: &Path,
    standin: &Standin,
) -> anyhow::Result<bool> {
    let program = install::installed(&arguments.tools, client, version)?;
    let ctxpin = ctxpin.canonicalize().context("looking for ctxpin")?;
    let sessions = Sessions {
        client,
        version,
        program: &program,
        ctxpin: &ctxpin,
        standin,
    };
    let differences = sessions.run(arguments.story).await;
    let differences = differences.with_context(|| format!("{} {version}", client.name()))?;
    for difference in &differences {
        println!("  {difference}");
    }
    Ok(differences.is_empty())
}

/// Compares one version of a tool. True if the tool answered in every workspace, and each answer was equal, at once or
/// when the tool was asked again.
async fn compare(
    arguments: &Arguments,
    client: Client,
    version: &str,
    count: u64,
    standin: &Standin,
) -> anyhow::Result<bool> {
    let program = install::installed(&arguments.tools, client, version)?;
    // One workspace is asked as people start the tool.
    let is_shown = arguments.seed.is_some();
    let mut trial = Trial::new(client, version, &program, standin, !is_shown).await?;
    let from = arguments.from;
    let seeds = from..from + count;
    let seeds = arguments.seed.map_or(seeds, |seed| seed..seed + 1);
    let name = client.name();
    let (mut different, mut unanswered) = (Vec::new(), Vec::new());
    let mut again = Vec::new();
    let mut in_a_row = 0;
    for seed in seeds.clone() {
        let outcome = trial.run(seed, is_shown).await;
        match outcome.with_context(|| format!("in the workspace {seed}"))? {
            Outcome::Equal => in_a_row = 0,
            Outcome::EqualAgain => {
                in_a_row = 0;
                again.push(seed);
            }
            Outcome::Different => {
                in_a_row = 0;
                different.push(seed);
            }
            Outcome::Unanswered(error) => {
                println!("{name} {version}: no answer in the workspace {seed}: {error:#}");
                in_a_row += 1;
                unanswered.push(seed);
            }
        }
        if in_a_row == UNANSWERED_MAX {
            bail!(
                "{name} {version} gave no answer in {UNANSWERED_MAX} workspaces in a row, the last of them {seed}; look \
                 at its last words above, or try again when the machine is less busy"
            );
        }
    }
    println!(
        "{name} {version}: {} workspaces, {} different, {} equal only when asked again, {} without an answer",
        seeds.count(),
        different.len(),
        again.len(),
        unanswered.len()
    );
    print!("{}", trial.counts.table(client.lacks()));
    for seed in different.iter().chain(&again).chain(&unanswered) {
        println!("  `cargo xtask doors --only {name} --seed {seed}` shows one");
    }
    Ok(different.is_empty() && unanswered.is_empty())
}
