//! `cargo xtask doors`: compares what ctxpin says about tools with what the tools do.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::command;
use crate::interrupt::Interrupt;

/// Options of a comparison.
#[derive(Debug, Args)]
pub struct Options {
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

/// Builds and compares. True if there is no difference.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let directory = command::build_released(root, &["ctxpin-doors"], &interrupt)?;
    let mut doors = Command::new(directory.join("ctxpin-doors"));
    doors.arg("--tools").arg(root.join("target/tools"));
    doors.arg("--count").arg(options.count.to_string());
    if let Some(seed) = options.seed {
        doors.arg("--seed").arg(seed.to_string());
    }
    if let Some(only) = &options.only {
        doors.arg("--only").arg(only);
    }
    if options.latest {
        doors.arg("--latest");
    }
    command::run_shown(&mut doors, &interrupt)
}
