//! `cargo xtask field`: builds the program and what tries it on checkouts of other people's repositories.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command;
use crate::interrupt::Interrupt;

/// Options of a trial.
#[derive(Debug, Args)]
pub struct Options {
    /// Checkouts of repositories.
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Number of findings of `ctxpin check` to draw, for you to judge.
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    draw: usize,
    /// The seed of the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Builds and tries. True if everything is as it must be.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let packages = ["ctxpin-cli", "ctxpin-field"];
    let directory = command::build_released(root, &packages, &interrupt)?;
    let mut field = std::process::Command::new(directory.join("ctxpin-field"));
    field.arg("--program").arg(directory.join("ctxpin"));
    field.arg("--draw").arg(options.draw.to_string());
    field.arg("--seed").arg(options.seed.to_string());
    command::run_shown(field.args(&options.directories), &interrupt)
}
