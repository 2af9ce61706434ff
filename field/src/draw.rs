//! Random findings of `ctxpin check` with their lines, for a person to judge.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::Arguments;
use crate::corpus::File;

#[derive(Debug, Deserialize)]
struct Told {
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    code: String,
    path: String,
    line: Option<usize>,
    message: String,
}

/// Checks every file, and prints how often each code occurs and some findings of each.
pub fn print(files: &[File], arguments: &Arguments) -> anyhow::Result<()> {
    let mut by_checkout: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for file in files {
        by_checkout
            .entry(&file.checkout)
            .or_default()
            .push(&file.path);
    }
    let mut all = Vec::new();
    for (checkout, paths) in by_checkout {
        for finding in check(&arguments.program, checkout, &paths)? {
            all.push((checkout.to_owned(), finding));
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, finding) in &all {
        *counts.entry(&finding.code).or_default() += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(code, count)| format!("{count} {code}"))
        .collect();
    println!("  of {}: {}", all.len(), counts.join(", "));
    all.shuffle(&mut StdRng::seed_from_u64(arguments.seed));
    for (checkout, finding) in all.iter().take(arguments.draw) {
        print_one(checkout, finding);
    }
    Ok(())
}

fn check(program: &Path, checkout: &Path, paths: &[&Path]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    // A command line has a limit.
    for paths in paths.chunks(500) {
        let said = Command::new(program)
            .args(["check", "--json"])
            .args(paths)
            .current_dir(checkout)
            .output()
            .with_context(|| program.display().to_string())?;
        ensure!(
            matches!(said.status.code(), Some(0 | 1)),
            "{}: {}",
            checkout.display(),
            String::from_utf8_lossy(&said.stderr)
        );
        let told: Told = serde_json::from_slice(&said.stdout)?;
        findings.extend(told.findings);
    }
    Ok(findings)
}

fn print_one(checkout: &Path, finding: &Finding) {
    let name = checkout.file_name().unwrap_or_default().to_string_lossy();
    let line = finding
        .line
        .map_or(String::new(), |line| format!(":{line}"));
    println!(
        "  {name}/{}{line} [{}] {}",
        finding.path, finding.code, finding.message
    );
    let text = fs::read(checkout.join(&finding.path)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let shown = finding.line.and_then(|line| text.lines().nth(line - 1));
    if let Some(shown) = shown {
        let shown: String = shown.chars().take(160).collect();
        println!("      {}", shown.escape_debug());
    }
}
