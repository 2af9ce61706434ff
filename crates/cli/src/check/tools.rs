//! What the tools give their models of a project besides what ctxpin's own rules find: rules, imports, a person's own
//! files, and files below the working directory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_model::warning::{Code, Warning};
use ctxpin_scan::roots::Request;
use ctxpin_scan::{Scan, Searches, Unused, scan_again};

use super::absent::Listed;
use super::git::Project;
use super::{Finding, codex_cut, finding, is_left_out, named, of_body, of_resource, why_unused};
use crate::say::Failure;

/// The profiles of tools.
pub const TOOLS: [Profile; 3] = [Profile::ClaudeCode, Profile::Codex, Profile::Opencode];

/// The files that were looked at, each of them once however many tools give it.
pub struct Known(HashSet<PathBuf>);

impl Known {
    /// Begins with the resources of ctxpin's own rules.
    pub fn of(resources: &[Resource]) -> Self {
        let mut known = Self(HashSet::new());
        for resource in resources {
            known.insert(Path::new(&resource.source));
        }
        known
    }

    /// Adds a file under its own name and under that of the file that it links to. Returns whether it is new.
    pub fn insert(&mut self, own: &Path) -> bool {
        let target = own.canonicalize().unwrap_or_else(|_| own.to_owned());
        let is_new = !self.0.contains(&target);
        self.0.extend([own.to_owned(), target]);
        is_new
    }
}

/// What was looked at for the tools.
#[derive(Default)]
pub struct Read {
    pub findings: Vec<Finding>,
    /// The number of files and skills that only tools give.
    pub resources: usize,
    /// The skills that tools list, those of one tool after another.
    pub listed: Vec<Listed>,
}

/// Checks what these tools give of a project, except for what is known, and adds it there. `ignored` are the files and
/// directories that git ignores.
///
/// # Errors
///
/// Fails if the directory of the request cannot be scanned.
pub fn read(
    profiles: &[Profile],
    request: &Request,
    project: &Project,
    neutral: &Scan,
    ignored: &HashSet<PathBuf>,
    known: &mut Known,
) -> Result<Read, Failure> {
    // No change of the project brings what git ignores, such as the files of installed packages.
    let mut searches = Searches::without(ignored.iter().cloned());
    let mut read = Read::default();
    // Several tools give what lies below. One that does not reach a directory says so for all.
    let mut cuts = HashSet::new();
    for &profile in profiles {
        let request = Request {
            profile,
            sources: Vec::new(),
            ..request.clone()
        };
        let found = scan_again(&request, &mut searches, &|| false);
        let found = found.map_err(|error| Failure::usage(error.to_string()))?;
        if profile == Profile::Codex {
            read.findings.extend(codex_cut::findings(&found));
        }
        let skills = found.snapshot.resources.iter();
        let skills = skills.filter(|skill| skill.kind == Kind::Skill && is_given(skill, &found));
        read.listed.extend(skills.map(|skill| Listed {
            profile,
            source: PathBuf::from(&skill.source),
        }));
        let new = found.snapshot.resources.iter().filter(|resource| {
            let path = Path::new(&resource.source);
            let is_below = resource.applies.is_some();
            path.starts_with(&project.root) && !(is_below && ignored.contains(path))
        });
        let mut sources = HashSet::new();
        for resource in new {
            if is_given(resource, &found) && known.insert(Path::new(&resource.source)) {
                sources.insert(resource.source.as_str());
                read.findings.extend(of_file(resource, &found, project));
            }
        }
        read.resources += sources.len();
        let notes = of_notes(&found, &sources, project);
        let (of_tool, others): (Vec<_>, Vec<_>) = notes
            .into_iter()
            .partition(|note| note.code == Code::SearchCut);
        read.findings.extend(others);
        let new: Vec<_> = of_tool
            .into_iter()
            .filter(|cut| !cuts.contains(&cut.path))
            .collect();
        cuts.extend(new.iter().map(|cut| cut.path.clone()));
        read.findings.extend(new);
        let error = found.snapshot.error.as_ref();
        if let Some(error) = error.filter(|error| neutral.snapshot.error.as_ref() != Some(*error)) {
            let detail = format!("with the rules of {profile}: {error}");
            let warning = Warning::new(Code::ScanIncomplete).about(detail);
            read.findings
                .push(finding(&project.root.to_string_lossy(), &warning));
        }
    }
    Ok(read)
}

/// Returns whether a tool gives a resource to its model, or would if the file were in order. Not what no pin can hold.
fn is_given(resource: &Resource, found: &Scan) -> bool {
    let is_text = matches!(resource.kind, Kind::InstructionFile | Kind::Skill);
    let is_given = match resource.status {
        Status::Ok | Status::Invalid | Status::Unreadable | Status::Oversize => true,
        Status::Excluded => match why_unused(resource, found) {
            Some(Unused::Unread | Unused::NoRoom | Unused::Shadowed { .. }) => true,
            Some(Unused::Unholdable | Unused::SameBytes) | None => false,
        },
    };
    is_text && is_given
}

fn of_file(resource: &Resource, found: &Scan, project: &Project) -> Vec<Finding> {
    let is_unread = why_unused(resource, found) == Some(Unused::Unread);
    if resource.status == Status::Excluded && is_unread {
        let error = resource.error.as_deref().unwrap_or_default();
        let warning = Warning::new(Code::Invalid).about(error);
        return vec![finding(&resource.source, &warning)];
    }
    let mut findings = Vec::new();
    of_resource(resource, found, &mut findings);
    let body = resource.body().and_then(|hash| found.bodies.get(&hash));
    if let Some(body) = body.filter(|_| resource.reaches_context()) {
        of_body(resource, body, &mut findings);
        findings.extend(named::missing(resource, body, project));
    }
    findings
}

/// Returns the findings about directories that were not searched, and about imports of these files that lead nowhere.
fn of_notes(found: &Scan, sources: &HashSet<&str>, project: &Project) -> Vec<Finding> {
    let notes = found.notes.iter().filter_map(|note| {
        let source = note.source.as_deref()?;
        let code = note.warning.code;
        let is_dead_import = code == Code::ImportMissing && sources.contains(source);
        let is_told = code == Code::SearchCut || is_dead_import && !is_left_out(note, project);
        is_told.then(|| finding(source, &note.warning))
    });
    notes.collect()
}
