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
    #[arg(long, requires = "only")]
    release: Option<String>,
    /// Also try the newest release of each tool.
    #[arg(long)]
    latest: bool,
    /// Run sessions of the tools with ctxpin's hooks instead, and measure the hooks.
    #[arg(long, conflicts_with_all = ["count", "from", "seed"])]
    sessions: bool,
    /// Only the sessions of this story, such as `prompts`. A wrong name lists all.
    #[arg(long, requires = "sessions")]
    story: Option<String>,
    /// Follow the guides of docs/guides with the tools instead.
    #[arg(long, conflicts_with_all = ["count", "from", "seed", "sessions"])]
    guides: bool,
}

/// Builds and compares. True if there is no difference.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let mut packages = vec!["ctxpin-doors"];
    packages.extend((options.sessions || options.guides).then_some("ctxpin-cli"));
    let directory = command::build_released(root, &packages, &interrupt)?;
    let mut doors = Command::new(directory.join("ctxpin-doors"));
    doors.arg("--tools").arg(root.join("target/tools"));
    doors.arg("--count").arg(options.count.to_string());
    doors.arg("--from").arg(options.from.to_string());
    if let Some(seed) = options.seed {
        doors.arg("--seed").arg(seed.to_string());
    }
    if let Some(only) = &options.only {
        doors.arg("--only").arg(only);
    }
    if let Some(release) = &options.release {
        doors.arg("--release").arg(release);
    }
    if let Some(story) = &options.story {
        doors.arg("--story").arg(story);
    }
    if options.latest {
        doors.arg("--latest");
    }
    if options.sessions {
        doors.arg("--sessions").arg(directory.join("ctxpin"));
    }
    if options.guides {
        doors.arg("--guides").arg(directory.join("ctxpin"));
    }
    command::run_shown(&mut doors, &interrupt)
}
