//! Scans of both programs, in turns.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::cases::scan::{workspace, workspace_in};
use crate::measure::Samples;

use super::ratio::Ratio;
use super::{RATIO_MAX, ROUNDS, is_now_first};

/// Skills of the workspace.
const SKILLS: usize = 500;

/// Scans in a round, so that it takes a few tenths of a second.
const REPETITIONS: usize = 15;

/// Compares the scan of a workspace, as `ctxpin scan` from its start to its end. Returns `true` if it is not certainly
/// slower.
pub fn compare(now: &Path, before: &Path) -> anyhow::Result<bool> {
    let place = tempfile::Builder::new().prefix("ctxpin-bench-").tempdir()?;
    let place = place.path();
    workspace(place, SKILLS)?;
    // The first time warms everything up.
    scans(now, place)?;
    scans(before, place)?;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(if is_now_first(round) {
            let now = scans(now, place)?;
            (scans(before, place)?, now)
        } else {
            let before = scans(before, place)?;
            (before, scans(now, place)?)
        });
    }
    let ratio = Ratio::of(&rounds);
    println!("| `ctxpin scan` of {SKILLS} skills | none | {ratio} |");
    Ok(ratio.low <= RATIO_MAX)
}

/// Scans as often as a round does, and returns the median time in milliseconds.
fn scans(program: &Path, place: &Path) -> anyhow::Result<f64> {
    let mut times = Samples::default();
    for _ in 0..REPETITIONS {
        let mut command = Command::new(program);
        command
            .arg("scan")
            .current_dir(workspace_in(place))
            // Nothing of the caller's own shall be found.
            .env("HOME", place.join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let begun = Instant::now();
        let status = command.status().context("starting a scan")?;
        times.add_time(begun.elapsed());
        ensure!(status.success(), "{} scan failed", program.display());
    }
    let summary = times.summary().context("nothing was measured")?;
    Ok(summary.median)
}
