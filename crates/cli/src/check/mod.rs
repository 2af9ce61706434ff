//! The findings of `ctxpin check` about a workspace.

mod absent;
mod below;
mod checkout;
mod codex_cut;
mod exceptions;
mod git;
mod imports;
mod lookalike;
mod name_case;
mod named;
mod since;
mod template;
mod tools;
mod unfollowed;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::{Code, LineStarts, Note, Warning};
use ctxpin_protocol::convert;
use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use ctxpin_render::treated::{Fate, Reason};
use ctxpin_scan::roots::{Declared, Request, Roots, Scope};
use ctxpin_scan::trust::Trust;
use ctxpin_scan::{Scan, Unused, scan};

use self::git::Project;
use self::tools::Known;
use crate::say::Failure;

pub use exceptions::Exceptions;
pub use since::{Before, Staged};

const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// A finding about a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file or directory: an absolute path.
    pub path: PathBuf,
    /// The line number, from 1.
    pub line: Option<u64>,
    pub code: Code,
    /// The detail that [`Code`] describes.
    pub detail: Option<String>,
}

impl Finding {
    /// Compares findings by path, line, spelling of the code, and detail.
    fn cmp_by_place(&self, other: &Self) -> Ordering {
        let by_place = self.path.cmp(&other.path).then(self.line.cmp(&other.line));
        let by_code = self.code.as_str().cmp(other.code.as_str());
        by_place.then(by_code).then(self.detail.cmp(&other.detail))
    }
}

/// Scans each path and returns the findings. A directory is scanned with those above it, up to the root of
/// its project, with what the tools give of it, and with the skill that it is. Of a directory that is not the root, or
/// in which nothing else is found, each skill at any depth is scanned too. For a file, only the findings about this file
/// are returned.
///
/// # Errors
///
/// Fails if a path does not exist or cannot be scanned.
pub fn findings(paths: &[PathBuf], home: &Path, trust: &Trust) -> Result<Checked, Failure> {
    let mut found = Vec::new();
    let mut resources = 0;
    for path in paths {
        let project = Project::at(project_root(path, home, trust)?);
        let resources_before = resources;
        let scan = scanned(path, &project.root, home, trust)?;
        resources += scan.snapshot.resources.len();
        let mut of_path = of_scan(&scan, &project);
        let request = request(path, &project.root, home, trust);
        if request.scope == Scope::Project {
            of_path.extend(unfollowed::read(request.clone(), &scan)?);
            // A file is checked by itself, but Codex cuts it behind others.
            let profiles = match path.is_file() {
                true => &[Profile::Codex][..],
                false => &tools::TOOLS,
            };
            let ignored = git::ignored(&project.root);
            let mut known = Known::of(&scan.snapshot.resources);
            let tools = tools::read(profiles, &request, &project, &scan, &ignored, &mut known)?;
            of_path.extend(tools.findings);
            resources += tools.resources;
            absent::settle(&mut of_path, &tools.listed);
            imports::settle(&mut of_path);
            let directory = path.canonicalize().ok().filter(|path| path.is_dir());
            let is_searched =
                |directory: &PathBuf| *directory != project.root || resources == resources_before;
            if let Some(directory) = &directory {
                of_path.extend(name_case::findings(directory, &project.root));
            }
            if let Some(directory) = directory.filter(is_searched) {
                let below = below::skills(&directory, &ignored);
                of_path.extend(below.cut);
                for skill in below.skills {
                    if known.insert(&skill) {
                        let (read, findings) = of_skill(&skill, &project, home, trust);
                        resources += read;
                        of_path.extend(findings);
                    }
                }
            }
        }
        if let Some(file) = path.canonicalize().ok().filter(|path| path.is_file()) {
            // A link that the scan does not follow is reported under its own name.
            let named = std::path::absolute(path).unwrap_or_default();
            of_path.retain(|finding| finding.path == file || finding.path == named);
        }
        found.extend(of_path);
    }
    found.sort_by(Finding::cmp_by_place);
    found.dedup();
    Ok(Checked {
        findings: found,
        resources,
    })
}

/// Scans a `SKILL.md` alone. Returns the number of resources, and the findings.
fn of_skill(skill: &Path, project: &Project, home: &Path, trust: &Trust) -> (usize, Vec<Finding>) {
    match scan(&Request::single(skill, home, trust.clone()), &|| false) {
        Ok(scan) => (scan.snapshot.resources.len(), of_scan(&scan, project)),
        Err(error) => {
            let warning = Warning::new(Code::Unreadable).about(error.to_string());
            (1, vec![finding(&skill.to_string_lossy(), &warning)])
        }
    }
}

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// The findings, sorted by path and line, without duplicates.
    pub findings: Vec<Finding>,
    /// The number of resources that were scanned. A resource that two paths give counts twice.
    pub resources: usize,
}

/// Scans a path. A directory without resources is scanned again as a folder of skills.
fn scanned(path: &Path, project: &Path, home: &Path, trust: &Trust) -> Result<Scan, Failure> {
    let scanned = |request: &Request| {
        let scan = scan(request, &|| false);
        scan.map_err(|error| Failure::usage(error.to_string()))
    };
    let first = scanned(&request(path, project, home, trust))?;
    let directory = path.canonicalize().ok().filter(|path| path.is_dir());
    if let Some(directory) = directory.filter(|_| first.snapshot.resources.is_empty()) {
        let alone = scanned(&Request::single(directory, home, trust.clone()))?;
        if !alone.snapshot.resources.is_empty() {
            return Ok(alone);
        }
    }
    Ok(first)
}

/// Returns the scan of a path. An instruction file is scanned together with those around it, since it may
/// import them. A skill and a configuration file are scanned alone. A directory that is a skill is scanned
/// as one.
fn request(path: &Path, project: &Path, home: &Path, trust: &Trust) -> Request {
    let trust = trust.clone();
    let stands_alone = path.ends_with(SKILL_FILE_NAME) || path.ends_with(".mcp.json");
    match path.canonicalize().ok().filter(|path| path.is_file()) {
        None => {
            let skill = path.join(SKILL_FILE_NAME);
            let is_skill = skill.symlink_metadata().is_ok();
            let directory = path.canonicalize().ok().filter(|_| is_skill);
            let skill = directory.map(|directory| Declared {
                path: directory.join(SKILL_FILE_NAME),
            });
            Request {
                sources: skill.into_iter().collect(),
                ..Request::project(path, home, trust)
            }
        }
        // A link within the project stands for its target.
        Some(file) if stands_alone && file.starts_with(project) => {
            Request::single(file, home, trust)
        }
        Some(_) if stands_alone => Request::single(path, home, trust),
        Some(file) => {
            let directory = file.parent().unwrap_or(Path::new("/"));
            Request {
                sources: vec![Declared { path: file.clone() }],
                ..Request::project(directory, home, trust)
            }
        }
    }
}

/// Returns the root of the project that contains a path, as a scan finds it. The path itself may be a link
/// to anywhere.
///
/// # Errors
///
/// Fails if the directory does not exist, cannot be read, or belongs to another user.
pub fn project_root(path: &Path, home: &Path, trust: &Trust) -> Result<PathBuf, Failure> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let directory = match whole.is_dir() {
        true => whole.as_path(),
        false => whole.parent().unwrap_or(&whole),
    };
    let roots = Roots::of(&Request::project(directory, home, trust.clone()));
    let roots = roots.map_err(|error| Failure::usage(error.to_string()))?;
    Ok(roots.project().to_owned())
}

fn of_scan(scan: &Scan, project: &Project) -> Vec<Finding> {
    let mut found = Vec::new();
    for resource in &scan.snapshot.resources {
        of_resource(resource, scan, &mut found);
        let body = resource.body().and_then(|hash| scan.bodies.get(&hash));
        if let Some(body) = body.filter(|_| resource.reaches_context()) {
            of_body(resource, body, &mut found);
            found.extend(named::missing(resource, body, project));
        }
    }
    same_bytes(&scan.snapshot.resources, &mut found);
    // An author of the workspace can do nothing about these.
    let is_told = |code| !matches!(code, Code::OtherTool | Code::RootLeftOut | Code::SearchCut);
    let notes = scan.notes.iter();
    let notes = notes.filter(|note| is_told(note.warning.code) && !is_left_out(note, project));
    for note in notes {
        let source = note.source.as_deref().unwrap_or_default();
        found.push(finding(source, &note.warning));
    }
    if let Some(error) = &scan.snapshot.error {
        let root = project.root.to_string_lossy();
        let warning = Warning::new(Code::ScanIncomplete);
        found.push(finding(&root, &warning.about(error)));
    }
    found
}

/// Returns whether a note is about an import of a file that a sparse checkout leaves out.
fn is_left_out(note: &Note, project: &Project) -> bool {
    let source = note.source.as_deref().map(Path::new);
    let directory = source.and_then(Path::parent);
    let import = note.warning.detail.as_deref();
    let is_there = |(directory, import): (&Path, &str)| project.leaves_out(&directory.join(import));
    note.warning.code == Code::ImportMissing && directory.zip(import).is_some_and(is_there)
}

fn finding(source: &str, warning: &Warning) -> Finding {
    Finding {
        path: source.into(),
        line: warning.line,
        code: warning.code,
        detail: warning.detail.clone(),
    }
}

/// Adds the findings from the status of a resource and of its files.
fn of_resource(resource: &Resource, scan: &Scan, found: &mut Vec<Finding>) {
    let error = resource.error.as_deref().unwrap_or_default();
    let code = match resource.status {
        Status::Ok => None,
        Status::Invalid => Some(Code::Invalid),
        Status::Unreadable => Some(Code::Unreadable),
        Status::Oversize => Some(Code::Oversize),
        Status::Excluded => match why_unused(resource, scan) {
            Some(Unused::Shadowed { .. }) => Some(Code::SameName),
            // `same_bytes` reports all copies together.
            Some(Unused::SameBytes) => None,
            Some(Unused::Unholdable | Unused::Unread | Unused::NoRoom) | None => {
                Some(Code::Excluded)
            }
        },
    };
    let warning = |code, detail: &str| finding(&resource.source, &Warning::new(code).about(detail));
    found.extend(code.map(|code| warning(code, error)));
    if resource.status != Status::Ok {
        return;
    }
    for file in &resource.files {
        if let Some(error) = &file.error {
            let detail = format!("{}: {error}", file.path);
            found.push(warning(Code::FileUnpinned, &detail));
        }
    }
}

fn why_unused(resource: &Resource, scan: &Scan) -> Option<Unused> {
    let key = (resource.kind, resource.source.clone());
    scan.unused.get(&key).copied()
}

/// Adds the findings from the bytes of a resource.
fn of_body(resource: &Resource, body: &[u8], found: &mut Vec<Finding>) {
    let renderer = Renderer::CURRENT;
    let treatment = treat::treatment(resource.kind, body, renderer);
    // The warnings of the API's response, which also depend on where the resource lies.
    let told = convert::resources::resource(resource, Some(&treatment));
    for warning in told.warnings {
        let Ok(code) = warning.code.parse::<Code>() else {
            continue;
        };
        found.push(Finding {
            path: resource.source.clone().into(),
            line: warning.line,
            code,
            detail: warning.detail,
        });
    }
    let treated = match resource.kind {
        Kind::Skill => treat::skill(body, renderer),
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => {
            treat::instruction_file(body, renderer)
        }
    };
    let text = String::from_utf8_lossy(body);
    let lines = LineStarts::of(&text);
    let marked = text.starts_with(BYTE_ORDER_MARK);
    if marked {
        let warning = Warning::new(Code::ByteOrderMark).at_line(1);
        let warning = match resource.kind {
            Kind::Skill => warning.about("Codex passes over such a SKILL.md"),
            Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => warning,
        };
        found.push(finding(&resource.source, &warning));
    }
    let mark_end = if marked {
        BYTE_ORDER_MARK.len_utf8()
    } else {
        0
    };
    let mut comments: Vec<(u64, u64)> = Vec::new();
    let mut invisible: BTreeMap<u64, u64> = BTreeMap::new();
    for piece in &treated.pieces {
        let (at, bytes) = (piece.range.start, piece.range.len() as u64);
        match piece.fate {
            Fate::Gone(Reason::Comment) => match comments.last_mut() {
                // Line ends and other invisible characters split a comment into several spans.
                Some((_, sum)) if !begins_comment(&text[at..]) => *sum += bytes,
                _ => comments.push((lines.line_of(at), bytes)),
            },
            // The mark has a finding of its own.
            Fate::Gone(Reason::Invisible) if piece.range.end <= mark_end => {}
            Fate::Gone(Reason::Invisible) => {
                let bytes = (piece.range.end - at.max(mark_end)) as u64;
                *invisible.entry(lines.line_of(at)).or_default() += bytes;
            }
            Fate::Kept | Fate::Replaced(_) | Fate::Gone(Reason::Blank) => {}
        }
    }
    let removed = |code, (line, bytes): (u64, u64)| {
        let warning = Warning::new(code).at_line(line);
        finding(&resource.source, &warning.about(bytes.to_string()))
    };
    let comments = comments.into_iter();
    found.extend(comments.map(|comment| removed(Code::CommentRemoved, comment)));
    let invisible = invisible.into_iter();
    found.extend(invisible.map(|line| removed(Code::InvisibleRemoved, line)));
}

fn begins_comment(text: &str) -> bool {
    text.starts_with("<!") || text.starts_with("<?")
}

/// Adds a finding for each instruction file that has the same bytes as an earlier one.
fn same_bytes(resources: &[Resource], found: &mut Vec<Finding>) {
    let mut first: BTreeMap<_, &str> = BTreeMap::new();
    let files = resources.iter().filter(|r| r.kind == Kind::InstructionFile);
    let with = |status| files.clone().filter(move |file| file.status == status);
    // A file in use comes before its excluded copies.
    for file in with(Status::Ok).chain(with(Status::Excluded)) {
        let Some(content) = file.content.filter(|_| file.size > 0) else {
            continue;
        };
        match first.get(&content.hash()) {
            Some(first) => {
                let warning = Warning::new(Code::SameBytes).about(first);
                found.push(finding(&file.source, &warning));
            }
            None => {
                first.insert(content.hash(), &file.source);
            }
        }
    }
}
