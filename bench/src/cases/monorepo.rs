//! A project of 30,000 directories, 200 of which have instruction files: its first scan, an edit of a file below, and
//! the memory and watches of an agent. Its goals decide whether the run passes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ctxpin_model::profile::Profile;
use ctxpin_scan::roots::Request;
use ctxpin_scan::scan;
use ctxpin_scan::trust::Trust;

use crate::database::Kind;
use crate::figures::{Design, Of, Unit};
use crate::measure::Samples;
use crate::program::{Server, agent_start};
use crate::repository::body;
use crate::scene::Scene;
use crate::wire::{self, Connection};

use super::scan::workspace_in;
use super::{Run, edits};

const MONOREPO: &str = "monorepo";

/// The least number of directories of the project.
const DIRECTORIES: usize = 30_000;

/// The packages with an instruction file for each tool.
const NESTED: usize = 200;

/// The packages of the project. Each has 112 directories.
const PACKAGES: usize = 268;

/// Longest pause between two edits, in milliseconds. In that time the agent may search the directories below for new
/// files, because something has changed.
const PAUSE_MS_MAX: u64 = 2_000;

/// Returns the name of the measurement of a first scan.
pub fn first_scan(profile: Profile) -> String {
    format!("first scan, {profile}")
}

/// Returns the name of the measurement of an edit.
pub fn edit(profile: Profile) -> String {
    format!("edit of a file below until a watcher sees the drift, {profile}")
}

/// Returns the name of the measurement of an agent's memory.
pub fn memory(profile: Profile) -> String {
    format!("most memory of an agent, {profile}")
}

/// Measures scans and agents of the project.
pub async fn run(run: &mut Run) -> anyhow::Result<()> {
    let place = tempfile::Builder::new().prefix("ctxpin-bench-").tempdir()?;
    let tree = Tree::make(place.path())?;
    scans(run, &tree)?;
    let kind = run.kinds[0].clone();
    for profile in Profile::ALL {
        agent(run, &kind, &tree, *profile).await?;
    }
    Ok(())
}

/// The project on disk.
struct Tree {
    place: PathBuf,
    /// The directories with instruction files, the working directory first.
    packages: Vec<PathBuf>,
}

impl Tree {
    fn make(place: &Path) -> anyhow::Result<Self> {
        let project = workspace_in(place);
        for directory in [project.join(".git"), place.join("home")] {
            fs::create_dir_all(directory)?;
        }
        let mut packages = vec![project.clone()];
        for index in 0..PACKAGES {
            let group = project.join(format!("packages/group-{:02}", index / 20));
            let package = group.join(format!("package-{index:03}"));
            for part in 0..100 {
                let module = package.join(format!("src/module-{}", part / 10));
                let directory = module.join(format!("part-{}", part % 10));
                fs::create_dir_all(&directory)?;
                fs::write(directory.join("index.ts"), "")?;
            }
            if index < NESTED {
                packages.push(package);
            }
        }
        for package in &packages {
            for name in ["AGENTS.md", "CLAUDE.md"] {
                fs::write(package.join(name), body())?;
            }
        }
        Ok(Self {
            place: place.to_owned(),
            packages,
        })
    }

    /// Returns the file whose edits are measured: one below, if the tool reads those.
    fn edited(&self, profile: Profile) -> PathBuf {
        let last = self.packages.len() - 1;
        match profile {
            Profile::ClaudeCode => self.packages[last].join("CLAUDE.md"),
            Profile::Opencode => self.packages[last].join("AGENTS.md"),
            Profile::Neutral | Profile::Codex => self.packages[0].join("AGENTS.md"),
        }
    }
}

/// Measures first scans under each profile beside a listing of the same directories.
fn scans(run: &mut Run, tree: &Tree) -> anyhow::Result<()> {
    let mut times = vec![Samples::default(); Profile::ALL.len()];
    let mut listings = Samples::default();
    let (project, home) = (workspace_in(&tree.place), tree.place.join("home"));
    for _ in 0..run.count(20) {
        for (profile, times) in Profile::ALL.iter().copied().zip(&mut times) {
            let mut request = Request::project(project.clone(), home.clone(), Trust::of_process());
            request.profile = profile;
            let begun = Instant::now();
            let found = scan(&request, &|| false)?;
            times.add_time(begun.elapsed());
            let count = found.snapshot.resources.len();
            let expected = match profile {
                Profile::ClaudeCode | Profile::Opencode => NESTED,
                Profile::Neutral | Profile::Codex => 0,
            };
            anyhow::ensure!(count > expected, "{profile} gives {count} resources");
        }
        let begun = Instant::now();
        let count = listed(&project)?;
        listings.add_time(begun.elapsed());
        anyhow::ensure!(count >= DIRECTORIES, "there are {count} directories");
    }
    for (profile, times) in Profile::ALL.iter().copied().zip(&times) {
        let of = Of::of_machine(MONOREPO, Unit::Milliseconds, &first_scan(profile));
        run.figures.note(&of, Design::Ctxpin, times);
        if matches!(profile, Profile::ClaudeCode | Profile::Opencode) {
            run.figures.note(&of, Design::Limit, &listings);
        }
    }
    Ok(())
}

/// Lists a directory and all below it. Returns how many there are.
fn listed(project: &Path) -> anyhow::Result<usize> {
    let mut waiting = vec![project.to_owned()];
    let mut count = 0;
    while let Some(directory) = waiting.pop() {
        count += 1;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(count)
}

/// Measures one agent: edits, and what the process holds.
async fn agent(run: &mut Run, kind: &Kind, tree: &Tree, profile: Profile) -> anyhow::Result<()> {
    let scene = Scene::open(kind).await?;
    let agent = scene.agent_of(MONOREPO, profile).await?;
    let chat = scene.chats_unpinned(agent.id, 1).await?[0];
    let (fresh, token) = scene.leave().await;
    let server = Server::start(&run.program, &fresh, 0).await?;
    let request = wire::get(&format!("/api/v1/chats/{chat}/watch"), &token.reveal());
    let mut events = Connection::open(server.address)
        .await?
        .watch(&request)
        .await?;
    let place = tree.place.join(profile.as_str());
    fs::create_dir_all(&place)?;
    let agent_token = agent.token.reveal();
    let project = workspace_in(&tree.place);
    let process = agent_start(
        &run.program,
        server.address,
        &agent_token,
        &project,
        &place,
        profile,
    )?;
    events.until("event: chat").await?;
    let (file, count) = (tree.edited(profile), run.count(30));
    let times = edits::edited(&mut events, &file, count, PAUSE_MS_MAX).await?;
    let of = Of::new(MONOREPO, kind, Unit::Milliseconds, &edit(profile));
    run.figures.note(&of, Design::Ctxpin, &times);
    let bytes = process.most_resident_bytes()? as f64;
    let of = Of::new(MONOREPO, kind, Unit::Bytes, &memory(profile));
    run.figures
        .note(&of, Design::Ctxpin, &Samples::from_iter([bytes]));
    let watches = process.file_watches()? as f64;
    let measured = format!("watches of an agent, {profile}");
    let of = Of::new(MONOREPO, kind, Unit::Count, &measured);
    run.figures
        .note(&of, Design::Ctxpin, &Samples::from_iter([watches]));
    process.stop().await?;
    server.stop().await?;
    fresh.remove().await
}
