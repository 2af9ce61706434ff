//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`, one after the other.
//!
//! All fuzzed code is safe Rust, so the fuzzer uses no sanitizer. Without one it runs with the stable
//! toolchain, and tries about twice as many inputs.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::command;
use crate::interrupt::Interrupt;

/// Longest time for one input, in seconds: what takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 10;

/// What to run.
#[derive(Debug, Args)]
pub struct Options {
    /// The target [default: all targets].
    target: Option<String>,
    /// Time for each target, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Runs the fuzzer. True if nothing was found.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let targets = targets(root, options.target.as_deref())?;
    install(root, &interrupt)?;
    let mut runs = Vec::new();
    for target in targets {
        if interrupt.happened() {
            break;
        }
        println!("\n== {target}");
        runs.push(run_target(root, &target, options.seconds, &interrupt)?);
    }
    println!();
    for run in &runs {
        println!("{run}");
    }
    Ok(runs.iter().all(|run| run.passed && run.findings.is_empty()) && !interrupt.happened())
}

/// Returns the names of the targets, or the chosen one if it exists.
fn targets(root: &Path, chosen: Option<&str>) -> anyhow::Result<Vec<String>> {
    let files = files(&root.join("fuzz/targets"))?;
    let names = files.iter().filter_map(|path| path.file_stem()?.to_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    ensure!(!names.is_empty(), "fuzz/targets is empty");
    if let Some(chosen) = chosen {
        if !names.iter().any(|name| name == chosen) {
            bail!("there is no target `{chosen}`: {}", names.join(", "));
        }
        names = vec![chosen.to_owned()];
    }
    Ok(names)
}

/// Returns the files of a folder, or none if the folder does not exist.
fn files(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let entries = folder.read_dir();
    let entries = entries.with_context(|| format!("listing {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Installs `cargo-fuzz` where it is missing.
fn install(root: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    if command::output_of(command::cargo(root).args(["fuzz", "--version"])).is_ok() {
        return Ok(());
    }
    println!("cargo-fuzz is missing; installing it");
    let mut install = command::cargo(root);
    install.args(["install", "cargo-fuzz", "--locked"]);
    ensure!(
        command::run_shown(&mut install, interrupt)?,
        "cargo-fuzz cannot be installed"
    );
    Ok(())
}

/// The results of a target's run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    target: String,
    passed: bool,
    /// How many inputs were tried.
    inputs: u64,
    /// How many edges of the program they reached.
    edges: u64,
    /// The inputs that broke a promise.
    findings: Vec<PathBuf>,
}

impl Run {
    /// Listens to libFuzzer: `#4096  pulse  cov: 3302 ft: ...` and `stat::number_of_executed_units: 8`.
    fn hear(&mut self, line: &str) {
        let number_after = |word: &str| {
            let (_, after) = line.split_once(word)?;
            after.split_whitespace().next()?.parse().ok()
        };
        if line.starts_with('#') {
            self.edges = number_after(" cov: ").unwrap_or(self.edges);
        }
        self.inputs = number_after("stat::number_of_executed_units:").unwrap_or(self.inputs);
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            inputs,
            edges,
            findings,
            passed,
        } = self;
        write!(f, "{target:<12} {inputs:>10} inputs, {edges:>6} edges")?;
        match (findings.as_slice(), passed) {
            ([], true) => write!(f, ", no findings"),
            ([], false) => write!(f, ", did not finish"),
            (findings, _) => {
                for finding in findings {
                    write!(f, "\n  found {}", finding.display())?;
                }
                Ok(())
            }
        }
    }
}

fn run_target(
    root: &Path,
    target: &str,
    seconds: u32,
    interrupt: &Interrupt,
) -> anyhow::Result<Run> {
    let artifacts = root.join("fuzz/artifacts").join(target);
    let before = files(&artifacts)?;
    let mut run = Run {
        target: target.to_owned(),
        ..Run::default()
    };
    let mut command = fuzzer(root, target, seconds)?;
    run.passed = command::run_overheard(&mut command, interrupt, |line| run.hear(line))?;
    run.findings = files(&artifacts)?.difference(&before).cloned().collect();
    Ok(run)
}

/// Returns the fuzzer's command. It writes new inputs into the first folder, which git ignores.
fn fuzzer(root: &Path, target: &str, seconds: u32) -> anyhow::Result<Command> {
    let generated = root.join("fuzz/generated").join(target);
    std::fs::create_dir_all(&generated)
        .with_context(|| format!("making {}", generated.display()))?;
    let mut command = command::cargo(root);
    command
        .args(["fuzz", "run", "--sanitizer", "none"])
        .args(["--features", "libfuzzer", target])
        .arg(generated)
        .arg(root.join("fuzz/corpus").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg("-print_final_stats=1")
        // The release profile is for users: here a build is short, and a finding says where it is.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none");
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_taken_from_what_the_fuzzer_says() {
        let mut run = Run::default();
        for line in [
            "INFO: Loaded 1 modules   (212 inline 8-bit counters): 212",
            "#41\tINITED cov: 3100 ft: 9000 corp: 40/16Kb exec/s: 0 rss: 60Mb",
            "#65536\tpulse  cov: 3302 ft: 13313 corp: 1210/344Kb lim: 4096 exec/s: 9362",
            "Done 90000 runs in 61 second(s)",
            "stat::number_of_executed_units: 90000",
            "stat::average_exec_per_sec:     1475",
        ] {
            run.hear(line);
        }
        assert_eq!((run.inputs, run.edges), (90_000, 3_302));
    }

    #[test]
    fn a_run_tells_what_it_found() {
        let mut run = Run {
            target: "diff".into(),
            passed: true,
            inputs: 7,
            edges: 3,
            findings: Vec::new(),
        };
        let begin = "diff                  7 inputs,      3 edges";
        assert_eq!(run.to_string(), format!("{begin}, no findings"));
        run.passed = false;
        assert_eq!(run.to_string(), format!("{begin}, did not finish"));
        run.findings = vec!["fuzz/artifacts/diff/crash-1".into()];
        let found = format!("{begin}\n  found fuzz/artifacts/diff/crash-1");
        assert_eq!(run.to_string(), found);
    }

    #[test]
    fn a_target_that_is_not_there_is_refused() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a parent");
        assert!(
            targets(root, None)
                .expect("targets")
                .contains(&"diff".to_owned())
        );
        assert_eq!(targets(root, Some("diff")).expect("it is there"), ["diff"]);
        let error = targets(root, Some("dif")).expect_err("it is not there");
        assert!(error.to_string().contains("canonical, diff,"), "{error}");
    }
}
