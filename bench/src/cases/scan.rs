//! A scan of a workspace with as many resources as a snapshot holds, beside a plain read of the
//! same files.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use ctxpin_scan::trust::Trust;
use rustix::fs::{Advice, fadvise};

use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::repository::{BODY_BYTES, body};

use super::Run;

const SCAN: &str = "scan";

/// Skills of the workspace.
const SKILLS: usize = 500;

/// Measures scans of generated workspaces.
pub fn run(run: &mut Run) -> anyhow::Result<()> {
    let place = tempfile::Builder::new().prefix("ctxpin-bench-").tempdir()?;
    let files = workspace(place.path(), SKILLS)?;
    let request = Request::project(
        workspace_in(place.path()),
        place.path().join("home"),
        Trust::of_process(),
    );
    let mut times = [(); 4].map(|()| Samples::default());
    for _ in 0..run.count(20) {
        for (is_cold, at) in [(true, 0), (false, 2)] {
            if is_cold {
                forget(&files)?;
            }
            let begun = Instant::now();
            let found = scan(&request, &|| false)?;
            times[at].add_time(begun.elapsed());
            let count = found.snapshot.resources.len();
            anyhow::ensure!(found.bodies.len() == SKILLS, "{count} resources were found");
            if is_cold {
                forget(&files)?;
            }
            let begun = Instant::now();
            for file in &files {
                let bytes = std::fs::read(file)?;
                anyhow::ensure!(bytes.len() == BODY_BYTES, "a file has another size");
            }
            times[at + 1].add_time(begun.elapsed());
        }
    }
    let mut note = |measured: &str, design, samples: &Samples| {
        let of = Of::of_machine(SCAN, Unit::Milliseconds, measured);
        run.figures.note(&of, design, samples);
    };
    note(
        "scan of 500 skills, files not in memory",
        Design::Ctxpin,
        &times[0],
    );
    note(
        "plain read of them, files not in memory",
        Design::Limit,
        &times[1],
    );
    note(
        "scan of 500 skills, files in memory",
        Design::Ctxpin,
        &times[2],
    );
    note(
        "plain read of them, files in memory",
        Design::Limit,
        &times[3],
    );
    Ok(())
}

/// Returns the directory of the workspace in `place`.
pub fn workspace_in(place: &Path) -> PathBuf {
    place.join("project")
}

/// Creates a repository with skills, and a home beside it. Returns the paths of the skills' files.
pub fn workspace(place: &Path, skills: usize) -> anyhow::Result<Vec<PathBuf>> {
    let project = workspace_in(place);
    for directory in [project.join(".git"), place.join("home")] {
        std::fs::create_dir_all(directory)?;
    }
    let mut files = Vec::new();
    for index in 0..skills {
        let name = format!("skill-{index:03}");
        let directory = project.join(".agents/skills").join(&name);
        std::fs::create_dir_all(&directory)?;
        let mut text = format!("---\nname: {name}\ndescription: Does number {index}.\n---\n");
        let rest = BODY_BYTES - text.len();
        text.push_str(std::str::from_utf8(&body()[..rest])?);
        let path = directory.join("SKILL.md");
        std::fs::write(&path, text)?;
        // The page cache drops only what is on disk.
        File::open(&path)?.sync_all()?;
        files.push(path);
    }
    Ok(files)
}

/// Drops the contents of the files from the page cache. Names and sizes stay in memory.
fn forget(files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files {
        let file = File::open(path)?;
        fadvise(file.as_fd(), 0, None, Advice::DontNeed).context("dropping a file from memory")?;
    }
    Ok(())
}
