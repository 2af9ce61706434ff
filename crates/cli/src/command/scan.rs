//! `ctxpin scan`: what would be pinned, without a server.

use std::path::PathBuf;

use clap::Args;
use ctxpin_model::resource::Status;
use ctxpin_model::treatment::{TreatmentKey, Treatments};
use ctxpin_protocol::convert;
use ctxpin_protocol::http::resources::Removed;
use ctxpin_protocol::http::scan::Scan as Told;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_scan::roots::Request;
use ctxpin_scan::{Import, Scan as Found};

use super::{Output, removed_bytes};
use crate::say::{self, Failure, Table, Viewpoint};

/// Show what would be pinned, without a server
///
/// A directory is scanned with those above it, up to the root of its project; a file alone.
#[derive(Debug, Args)]
pub struct Scan {
    /// The directory or file
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Also scan ~/.agents, ~/.claude and ~/.codex, as `ctxpin up` does
    #[arg(long)]
    user_roots: bool,
    #[command(flatten)]
    output: Output,
}

impl Scan {
    /// Scans and prints.
    ///
    /// # Errors
    ///
    /// If the path does not exist or cannot be read.
    pub fn run(self) -> Result<(), Failure> {
        let home = home_directory(self.user_roots)?;
        let request = match self.path.is_file() {
            true => Request::single(&self.path, home),
            false => Request::project(&self.path, home),
        };
        let request = Request {
            user_roots: self.user_roots,
            ..request
        };
        let found = ctxpin_scan::scan(&request, &|| false)
            .map_err(|error| Failure::new(error.to_string()))?;
        let addresses = found.snapshot.addresses();
        let treatments = treatments(&found);
        let renderer = Renderer::CURRENT.number();
        let told = convert::resources::scan(&found.snapshot, &treatments, renderer, &addresses);
        if self.output.json {
            return say::print_json(&told);
        }
        say::print(&report(&found, &told, &Viewpoint::here()))
    }
}

/// What the renderer makes of what was found.
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

/// The person's home, which is needed only where user roots are wanted.
fn home_directory(is_needed: bool) -> Result<PathBuf, Failure> {
    match etcetera::home_dir() {
        Ok(home) => Ok(home),
        Err(_) if !is_needed => Ok(PathBuf::new()),
        Err(_) => Err(Failure::new("your home directory cannot be found").hint("set HOME")),
    }
}

fn report(found: &Found, told: &Told, viewpoint: &Viewpoint) -> String {
    let snapshot = &found.snapshot;
    let mut text = String::new();
    if let Some(error) = &snapshot.error {
        let label = say::paint(say::WARNING, "not the whole context:");
        text += &format!("{label} {}\n\n", say::text(error));
    }
    if snapshot.resources.is_empty() {
        text +=
            "nothing to pin here: no AGENTS.md, CLAUDE.md, .cursorrules, skill or .mcp.json\n\n";
    } else {
        text += &table(found, viewpoint);
        text += &reasons(told, viewpoint);
        text += &format!("\n{}\n", totals(found, told));
    }
    text += &imports(&found.imports, viewpoint);
    text += &format!(
        "snapshot      {}\ncontext hash  {}\ntools hash    {}\n",
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

/// Why something is not used, and what there is to know of the rest: the table has no room for it.
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
            let removed = removed_bytes(std::slice::from_ref(&removed));
            text += &format!("{source}: not given to a model: {removed}\n");
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

/// Whether what is taken out is worth a word: blanks are not.
fn is_told(kind: &str, removed: &Removed) -> bool {
    removed.invisible > 0 || (kind == "instruction_file" && removed.comment > 0)
}

fn totals(found: &Found, told: &Told) -> String {
    let resources = &found.snapshot.resources;
    let used = resources
        .iter()
        .filter(|resource| resource.status == Status::Ok);
    let (mut count, mut bytes, mut files) = (0, 0, 0);
    for resource in used {
        count += 1;
        bytes += resource.size;
        for file in &resource.files {
            files += 1;
            bytes += file.size;
        }
    }
    let mut text = format!("{count} of {} are used, ", resources.len());
    if files > 0 {
        text += &format!("with {files} supporting files, ");
    }
    text += &format!("{} together", say::size(bytes));
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
        removed => text + &format!(", {} of them not given to a model", say::size(removed)),
    }
}

fn imports(imports: &[Import], viewpoint: &Viewpoint) -> String {
    if imports.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nnamed but not followed, and so not pinned:\n");
    for import in imports {
        text += &format!(
            "  @{} in {}\n",
            say::line(&import.path),
            viewpoint.path(&import.from)
        );
    }
    text += "`ctxpin source add PATH` pins such a file while `ctxpin up` runs\n\n";
    text
}
