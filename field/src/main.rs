//! Tries ctxpin on checkouts of other people's repositories: what of them is not used and why, whether
//! a prompt loses text inside code, what sanitising costs, and what `ctxpin check` finds.
//!
//! Started by `cargo xtask field DIR...`. Nothing of the checkouts is kept.

mod corpus;
mod cost;
mod draw;
mod judge;
mod standing;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Largest share of skills that may be refused, in percent.
const REFUSED_PERCENT_MAX: f64 = 1.0;

/// Fewest skills that say something of that share.
const SKILLS_MIN: usize = 3_000;

/// Tries ctxpin on checkouts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Checkouts of repositories
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// The program, which finds the findings of `ctxpin check` to draw from
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Number of findings to draw
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    draw: usize,
    /// The seed of the draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ctxpin-field: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every task and prints its results. Returns `false` if a limit is exceeded.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let files = corpus::read(&arguments.directories)?;
    let standing = standing::of(&files);
    println!("{standing}");
    let lost = judge::lost(&files);
    println!("code, according to another Markdown parser:");
    println!(
        "  {} of {} files lose text inside code",
        lost.len(),
        files.len()
    );
    for (path, code) in &lost {
        println!("    {}: {code:?}", path.display());
    }
    let costs = cost::measure(&files);
    println!("\nsanitising compared with the first renderer, median of rounds:");
    for cost in &costs {
        println!("  {cost}");
    }
    println!(
        "\n{} findings of `ctxpin check`, drawn with seed {}:",
        arguments.draw, arguments.seed
    );
    draw::print(&files, arguments)?;
    let is_few = standing.skills < SKILLS_MIN;
    if is_few {
        println!("\nfewer than {SKILLS_MIN} skills: too few to judge the share of refused ones");
    }
    let is_fine = lost.is_empty()
        && standing.refused_percent() < REFUSED_PERCENT_MAX
        && costs.iter().all(cost::Cost::is_within);
    println!(
        "\n{}",
        if is_fine {
            "all checks passed"
        } else {
            "some checks FAILED"
        }
    );
    Ok(is_fine)
}
