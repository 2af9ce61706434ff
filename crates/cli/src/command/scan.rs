//! `ctxpin scan`: what would be pinned, without a server.

use std::path::PathBuf;

use clap::Args;
use ctxpin_model::resource::Status;
use ctxpin_model::snapshot::Addresses;
use ctxpin_protocol::convert;
use ctxpin_scan::roots::Request;
use ctxpin_scan::{Import, Scan as Found};

use super::Output;
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
        if self.output.json {
            return say::print_json(&convert::resources::scan(&found.snapshot, &addresses));
        }
        say::print(&report(&found, &addresses, &Viewpoint::here()))
    }
}

/// The person's home, which is needed only where user roots are wanted.
fn home_directory(is_needed: bool) -> Result<PathBuf, Failure> {
    match etcetera::home_dir() {
        Ok(home) => Ok(home),
        Err(_) if !is_needed => Ok(PathBuf::new()),
        Err(_) => Err(Failure::new("your home directory cannot be found").hint("set HOME")),
    }
}

fn report(found: &Found, addresses: &Addresses, viewpoint: &Viewpoint) -> String {
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
        text += &reasons(found, viewpoint);
        text += &format!("\n{}\n", totals(found));
    }
    text += &imports(&found.imports, viewpoint);
    text += &format!(
        "snapshot      {}\ncontext hash  {}\ntools hash    {}\n",
        addresses.id, addresses.context_hash, addresses.tools_hash
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

/// Why something is not used: the table has no room for it.
fn reasons(found: &Found, viewpoint: &Viewpoint) -> String {
    let mut text = String::new();
    for resource in &found.snapshot.resources {
        let source = viewpoint.path(&resource.source);
        if let Some(error) = &resource.error {
            let status = say::paint(say::WARNING, &resource.status.to_string());
            text += &format!("{source}: {status}: {}\n", say::line(error));
        }
        for file in &resource.files {
            if let Some(error) = &file.error {
                let path = say::line(&file.path);
                text += &format!("{source}: file {path}: {}\n", say::line(error));
            }
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("\n{text}"),
    }
}

fn totals(found: &Found) -> String {
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
    text + &format!("{} together", say::size(bytes))
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
