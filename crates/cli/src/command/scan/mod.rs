//! `ctxpin scan`: the resources that a pin would hold, without a server.

mod effective;
mod standing;

use std::path::{Path, PathBuf};

use clap::Args;
use ctxpin_agent::sources::{OPERATOR_CONFIG, Operator, declared};
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Status;
use ctxpin_model::treatment::{TreatmentKey, Treatments};
use ctxpin_protocol::convert;
use ctxpin_protocol::http::resources::Removed;
use ctxpin_protocol::http::scan::Scan as Told;
use ctxpin_render::profile::effective;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_scan::Scan as Found;
use ctxpin_scan::roots::{Request, Scope};

use super::absolute::absolute_paths;
use super::tool::ToolHomes;
use super::trust::TrustRoots;
use super::{Output, words};
use crate::check::project_root;
use crate::data_directory::DataDirectory;
use crate::home::home_directory;
use crate::installed;
use crate::say::{self, Failure, Table, Viewpoint};

/// List the files that a pin would hold; needs no server
///
/// For a directory, the scan includes the directories above it, up to the root of its project, and
/// the declared sources of its agent. If PATH is a file, the scan reads that file
/// alone.
///
/// With --profile, the scan follows the rules of a tool instead, and lists what that tool gives its model, in
/// its order.
#[derive(Debug, Args)]
pub struct Scan {
    /// The directory or file
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The tool whose rules decide what is found
    #[arg(long, value_name = "TOOL", value_parser = words(Profile::ALL, Profile::as_str))]
    profile: Option<Profile>,
    /// List which of these tools gives what, side by side
    #[arg(long, value_name = "TOOL,TOOL", value_delimiter = ',', conflicts_with = "profile",
          value_parser = words(Profile::ALL, Profile::as_str))]
    compare: Vec<Profile>,
    /// List which tools give this file to their models
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "compare"])]
    who: Option<PathBuf>,
    #[command(flatten)]
    homes: ToolHomes,
    /// Also scan ~/.agents, ~/.claude, ~/.codex, ~/.config/opencode and ~/.opencode, as `ctxpin up`
    /// does
    #[arg(long)]
    user_roots: bool,
    /// Also follow links of the user roots (under a tool's profile, those of the project too), and
    /// read declared sources, below this directory; repeatable
    #[arg(long = "allow-root", value_name = "DIR")]
    allow_roots: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustRoots,
    #[command(flatten)]
    output: Output,
}

impl Scan {
    /// Scans the path and prints the resources.
    ///
    /// # Errors
    ///
    /// Fails if the path does not exist, cannot be read, or belongs to another user.
    pub fn run(self) -> Result<(), Failure> {
        if let Some(file) = &self.who {
            let tools = standing::who(&self.scans(Profile::ALL)?, file)?;
            if self.output.json {
                let tools = tools.into_iter();
                let tools = tools.map(|(profile, standing)| standing.shape(profile));
                return say::print_json(&tools.collect::<Vec<_>>());
            }
            return say::print(&standing::who_table(&tools));
        }
        if !self.compare.is_empty() {
            let scans = self.scans(&self.compare)?;
            return match self.output.json {
                true => say::print_json(&effective::tools(&scans)),
                false => say::print(&standing::compared(&scans)),
            };
        }
        let found = self.scan(self.profile.unwrap_or(Profile::Neutral))?;
        let addresses = found.snapshot.addresses();
        let treatments = treatments(&found);
        let renderer = Renderer::CURRENT.number();
        let snapshot = &found.snapshot;
        let mut told =
            convert::resources::scan(snapshot, &found.notes, &treatments, renderer, &addresses);
        let effective = self.profile.map(|_| effective(snapshot, &found.bodies));
        if let Some(effective) = &effective {
            told.effective = Some(effective::shapes(effective));
            told.not_effective = Some(effective::reasons(&found, effective));
        }
        if self.output.json {
            return say::print_json(&told);
        }
        let viewpoint = Viewpoint::here();
        self.remark();
        match &effective {
            Some(effective) => say::print(&effective::report(
                &found,
                effective,
                &notes(&told, &viewpoint),
                &viewpoint,
            )),
            None => say::print(&report(&found, &told, &viewpoint)),
        }
    }

    /// Remarks that the installed tool is newer than the one that its rules were compared with.
    fn remark(&self) {
        let directory = self.path.canonicalize();
        let newer = self
            .profile
            .zip(directory.ok())
            .and_then(|(profile, directory)| {
                let project =
                    project_root(&directory, Path::new(""), &self.trust.get().ok()?).ok()?;
                installed::remark(profile, &project)
            });
        if let Some(newer) = newer {
            say::note(&say::line(&newer));
        }
    }

    /// Scans under several profiles.
    fn scans(&self, profiles: &[Profile]) -> Result<Vec<(Profile, Found)>, Failure> {
        let profiles = profiles.iter();
        profiles
            .map(|profile| Ok((*profile, self.scan(*profile)?)))
            .collect()
    }

    fn scan(&self, profile: Profile) -> Result<Found, Failure> {
        let home = home_directory(self.user_roots || profile != Profile::Neutral)?;
        let trust = self.trust.get()?;
        let request = match self.path.is_file() {
            true if profile != Profile::Neutral => {
                return Err(Failure::usage(
                    "a tool starts in a directory, not in a file",
                ));
            }
            true => Request::single(&self.path, home, trust),
            false => Request::project(&self.path, home, trust),
        };
        let mut request = Request {
            profile,
            tool: self.homes.environment(profile)?,
            user_roots: self.user_roots,
            allowed: absolute_paths(&self.allow_roots)?,
            ..request
        };
        declare(&mut request)?;
        ctxpin_scan::scan(&request, &|| false).map_err(Failure::of)
    }
}

/// Adds the operator's settings for agents and, for a directory, the declared sources of its agent.
fn declare(request: &mut Request) -> Result<(), Failure> {
    let operator = Operator::read(Path::new(OPERATOR_CONFIG))?;
    if let (Scope::Project, Ok(directory)) = (request.scope, request.directory.canonicalize()) {
        let data = DataDirectory::locate()?;
        let states = [
            data.agent(&directory).state(),
            data.run_state(&directory, request.profile),
        ];
        for state in states {
            request.sources.extend(declared(&state)?);
        }
    }
    operator.apply(request);
    Ok(())
}

/// Renders the resources that were found, and returns their treatments.
pub fn treatments(found: &Found) -> Treatments {
    let mut treatments = Treatments::default();
    for resource in &found.snapshot.resources {
        let body = resource.body().filter(|_| resource.reaches_context());
        let Some((blob, body)) = body.and_then(|blob| Some((blob, found.bodies.get(&blob)?)))
        else {
            continue;
        };
        let key = TreatmentKey {
            blob,
            kind: resource.kind,
            renderer: Renderer::CURRENT.number(),
        };
        let treatment = treat::treatment(resource.kind, body, Renderer::CURRENT);
        treatments.insert(key, treatment);
    }
    treatments
}

fn report(found: &Found, told: &Told, viewpoint: &Viewpoint) -> String {
    let snapshot = &found.snapshot;
    let mut text = String::new();
    if let Some(error) = &snapshot.error {
        let label = say::paint(say::WARNING, "not the whole context:");
        text += &format!("{label} {}\n\n", say::text(error));
    }
    if snapshot.resources.is_empty() {
        text += "nothing to pin here: no AGENTS.md, CLAUDE.md, .cursorrules, skill or .mcp.json\n";
    } else {
        text += &table(found, viewpoint);
        text += &reasons(told, viewpoint);
        text += &format!("\n{}\n", totals(found, told));
    }
    text += &notes(told, viewpoint);
    text += &format!(
        "\nsnapshot      {}\ncontext hash  {}\ntools hash    {}\n",
        told.snapshot, told.context_hash, told.tools_hash
    );
    text
}

fn table(found: &Found, viewpoint: &Viewpoint) -> String {
    let mut table = Table::new(&["kind", "status", "size", "source"]);
    for resource in &found.snapshot.resources {
        let files: u64 = resource.files.iter().map(|file| file.size).sum();
        table.row([
            resource.kind.to_string(),
            resource.status.to_string(),
            say::size(resource.size + files),
            viewpoint.path(&resource.source),
        ]);
    }
    table.text()
}

/// Returns the errors and warnings of all resources, for which the table has no room.
fn reasons(told: &Told, viewpoint: &Viewpoint) -> String {
    let mut text = String::new();
    for resource in &told.resources {
        let source = viewpoint.path(&resource.source);
        if let Some(error) = &resource.error {
            let status = say::paint(say::WARNING, &resource.status);
            text += &format!("{source}: {status}: {}\n", say::line(error));
        }
        for file in &resource.files {
            if let Some(error) = &file.error {
                let path = say::line(&file.path);
                text += &format!("{source}: file {path}: {}\n", say::line(error));
            }
        }
        if let Some(removed) = resource
            .removed
            .filter(|removed| is_told(&resource.kind, removed))
        {
            let removed = say::removed_bytes(std::slice::from_ref(&removed));
            text += &format!("{source}: not in ctxpin's prompt: {removed}\n");
        }
        for warning in &resource.warnings {
            let line = warning
                .line
                .map_or(String::new(), |line| format!(":{line}"));
            let said = say::warning(&warning.code, warning.detail.as_deref());
            text += &format!("{source}{line}: {said}\n");
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("\n{text}"),
    }
}

/// Returns whether removed text is worth a note. Blanks are not.
fn is_told(kind: &str, removed: &Removed) -> bool {
    removed.invisible > 0 || (kind == "instruction_file" && removed.comment > 0)
}

fn totals(found: &Found, told: &Told) -> String {
    let resources = &found.snapshot.resources;
    let used = resources
        .iter()
        .filter(|resource| resource.status == Status::Ok);
    let (mut count, mut bytes, mut files) = (0, 0, 0_u64);
    for resource in used {
        count += 1;
        bytes += resource.size;
        for file in resource.files.iter().filter(|file| file.body().is_some()) {
            files += 1;
            bytes += file.size;
        }
    }
    let mut text = format!("{count} of {} used, ", resources.len());
    if files > 0 {
        text += &format!("with {}, ", say::counted(files, "supporting file"));
    }
    text += &format!("{} in total", say::size(bytes));
    let removed: u64 = told
        .resources
        .iter()
        .filter_map(|resource| {
            resource
                .removed
                .filter(|removed| is_told(&resource.kind, removed))
        })
        .map(|removed| removed.comment + removed.invisible)
        .sum();
    match removed {
        0 => text,
        removed => text + &format!(", {} of them removed from the prompt", say::size(removed)),
    }
}

fn notes(told: &Told, viewpoint: &Viewpoint) -> String {
    if told.notes.is_empty() {
        return String::new();
    }
    let lines = told.notes.iter();
    let lines: String = lines
        .map(|note| format!("  {}\n", say::noted(note, viewpoint)))
        .collect();
    format!("\nnotes on this workspace:\n{lines}")
}
