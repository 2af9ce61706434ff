//! `cargo xtask bench`: builds the program and the benchmarks as they are released, starts the
//! databases, and measures. The pages are measured in a browser, on SQLite.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::command;
use crate::interrupt::Interrupt;
use crate::postgres::{self, Cluster};

/// The settings of a tuned PostgreSQL on a machine of this kind. The settings that make commits durable
/// keep their defaults.
const TUNED: &str = "
shared_buffers = 1GB
effective_cache_size = 3GB
max_wal_size = 8GB
wal_buffers = 64MB
wal_compression = on
checkpoint_timeout = 30min
work_mem = 32MB
random_page_cost = 1.1
jit = off
";

/// The defaults of a new PostgreSQL, for the settings that our clusters change.
const DEFAULT: &str = "
shared_buffers = 128MB
wal_level = replica
";

/// The subject that a program of its own measures.
const PAGES: &str = "pages";

/// The directory of the report.
const OUTPUT: &str = "docs/performance";

/// Options of a measurement.
#[derive(Debug, Args)]
pub struct Options {
    /// Measure only this subject; prints the figures and keeps the report.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Use small counts, to try a case out; keeps the report.
    #[arg(long)]
    quick: bool,
    /// Compare with another commit instead; fails if anything certainly takes more than 1.1 times as
    /// long. `--only` then is `scan` or `http`.
    #[arg(long, value_name = "REV", conflicts_with = "quick")]
    against: Option<String>,
}

/// Builds, starts and measures. Returns `true` if everything could be measured, nothing is certainly
/// slower than the other commit, and the large project and each page meet their goals.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let is_pages = options.only.as_deref() == Some(PAGES);
    if is_pages && options.against.is_some() {
        bail!("the pages are not compared with another commit; leave --only out");
    }
    let packages = ["ctxpin-cli", "ctxpin-bench", "ctxpin-pages"];
    let directory = command::build_released(root, &packages, &interrupt)?;
    let mut passed = true;
    if !is_pages {
        passed &= measure(root, options, &directory, &interrupt)?;
    }
    if is_pages || (options.only.is_none() && options.against.is_none()) {
        passed &= measure_pages(root, options, &directory, &interrupt)?;
    }
    Ok(passed)
}

/// Returns whether the measurement is one of everything, whose report is kept.
fn is_reported(options: &Options) -> bool {
    options.only.is_none() && !options.quick && options.against.is_none()
}

/// Measures the pages. Returns `true` if each meets its goals.
fn measure_pages(
    root: &Path,
    options: &Options,
    directory: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<bool> {
    let mut pages = Command::new(directory.join("ctxpin-pages"));
    pages.arg("measure");
    pages.arg("--program").arg(directory.join("ctxpin"));
    if options.quick {
        pages.arg("--quick");
    }
    if is_reported(options) {
        pages.arg("--output").arg(root.join(OUTPUT));
    }
    command::run_shown(&mut pages, interrupt)
}

/// Measures everything but the pages, or compares with another commit.
fn measure(
    root: &Path,
    options: &Options,
    directory: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<bool> {
    let against = match &options.against {
        Some(revision) => Some(build_of(root, revision, interrupt)?),
        None => None,
    };
    let clusters = [
        ("PostgreSQL", postgres::start_durable(DEFAULT)?),
        ("PostgreSQL, tuned", postgres::start_durable(TUNED)?),
    ];
    let mut measure = Command::new(directory.join("ctxpin-bench"));
    match &against {
        Some(program) => measure.arg("compare").arg("--against").arg(program),
        None => measure.arg("measure"),
    };
    measure.arg("--program").arg(directory.join("ctxpin"));
    for (name, cluster) in &clusters {
        measure
            .arg("--postgres")
            .arg(format!("{name}={}", cluster.url()));
    }
    if let Some(case) = &options.only {
        measure.arg("--only").arg(case);
    }
    if options.quick {
        measure.arg("--quick");
    }
    if is_reported(options) {
        measure.arg("--output").arg(root.join(OUTPUT));
    }
    let passed = command::run_shown(&mut measure, interrupt)?;
    for (_, cluster) in clusters {
        Cluster::stop(cluster)?;
    }
    Ok(passed)
}

/// Builds the program of a commit and returns its path. The checkout and its build stay in the target
/// directory, so that the next comparison builds only changes.
fn build_of(root: &Path, revision: &str, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let git = |directory: &Path, arguments: &[&str]| {
        command::output_of(Command::new("git").arg("-C").arg(directory).args(arguments))
    };
    let commit = format!("{revision}^{{commit}}");
    let commit = git(
        root,
        &["rev-parse", "--verify", "--end-of-options", &commit],
    )?;
    let commit = commit.trim();
    let place = command::target_directory()?.join("against");
    let checkout = place.join("checkout");
    if checkout.join(".git").exists() {
        git(&checkout, &["checkout", "--quiet", "--detach", commit])?;
    } else {
        let path = checkout
            .to_str()
            .context("the target directory is no text")?;
        // Git still knows the checkout if the target directory was removed.
        git(root, &["worktree", "prune"])?;
        git(
            root,
            &["worktree", "add", "--quiet", "--detach", path, commit],
        )?;
    }
    let target = place.join("target");
    let mut build = command::cargo(&checkout);
    build.args(["build", "--release", "-p", "ctxpin-cli"]);
    build.arg("--target-dir").arg(&target);
    if !command::run_shown(&mut build, interrupt)? {
        bail!("the program of {revision} does not build");
    }
    Ok(target.join("release").join("ctxpin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_setting_gives_durability_up() {
        for settings in [DEFAULT, TUNED] {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                assert!(!settings.contains(name), "{name} is set: {settings}");
            }
        }
    }
}
