//! Reads one instruction file after the other, each once, with what it imports.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::claude_code::{
    FILE_BYTES_MAX, IMPORT_DEPTH_MAX, IMPORTS_MAX, Reading, import_path, is_text,
};
use ctxpin_model::glob::PathGlobs;
use ctxpin_model::profile::ClaudeCodeSettings;
use ctxpin_model::resource::{ALSO_MAX, Also, Kind, Status};
use ctxpin_model::warning::{Code, Warning};

use super::super::{entry_as, forbidden, outside, passed_over, unread};
use super::permissions::{Denied, UNREAD};
use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Reach};
use crate::directory::{Directory, plain_path};
use crate::gather::{Finding, Gathering};
use crate::imports::{self, Places};
use crate::path_text::source_text;
use crate::roots::{Request, Roots};
use crate::unused::Unfollowed;

/// Why a file of the person is left out.
pub const PERSONAL: &str =
    "Claude Code gives this file of yours to its model; it is read only with --user-roots";

/// Why an import is not followed.
const CIRCLE: &str = "it leads to this file, and each is given once";
const TOO_DEEP: &str = "at most five files in a row import each other";
const LINK_OUTSIDE: &str = "it is a link to a place outside of the working directory";
const UNAPPROVED: &str = "it lies outside of the working directory, and you have not approved such imports (Claude Code asks when you start it in a terminal)";
const DIRECTORY: &str = "it is a directory";
const IN_CODE: &str = "it stands in code or HTML";
const NO_TEXT: &str = "by its extension, it is no text";

/// Why no file is given if a variable turns them off.
const DISABLED: &str = "`CLAUDE_CODE_DISABLE_CLAUDE_MDS` turns all instruction files off";

/// Whose file it is, which decides what the model is told of it. An imported file has the scope of the file that
/// imports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    User,
    Project,
    Local,
}

/// An instruction file that was found.
pub struct Item {
    pub finding: Finding,
    pub scope: Scope,
    /// The path of the file, or of the one at the beginning of the imports that lead to it.
    pub top: PathBuf,
    /// `None` if the scan may not read the file.
    pub reading: Option<Reading>,
    /// The source of the file behind which it comes with a file, if it comes with several directories.
    pub behind: Option<String>,
}

impl Item {
    /// Returns a file that the scan does not read.
    pub fn unread(finding: Finding, scope: Scope, top: PathBuf) -> Self {
        Self {
            finding,
            scope,
            top,
            reading: None,
            behind: None,
        }
    }

    /// Returns the path by which Claude Code knows the file.
    pub fn source(&self) -> &str {
        &self.finding.resource.source
    }

    /// Lets the file come with the files of another finding of it too.
    pub fn share(&mut self, other: Self) {
        let applies = self.finding.resource.applies.as_mut();
        if let (Some(applies), Some(further)) = (applies, other.finding.resource.applies)
            && applies.also.len() < ALSO_MAX
        {
            applies.add(Also {
                below: further.below,
                globs: further.globs,
                behind: other.behind,
            });
        }
    }

    /// Returns whether the model gets it with every request, as far as the scan can tell.
    pub fn is_given(&self) -> bool {
        let reading = self.reading.as_ref();
        reading.is_none_or(|reading| !reading.given().is_empty())
    }
}

/// The paths that Claude Code has looked at for the same file, each of which it looks at once.
#[derive(Default)]
pub struct Seen {
    /// Those of the directories above.
    above: Option<Rc<Self>>,
    own: HashSet<PathBuf>,
}

impl Seen {
    /// Goes on with a further directory.
    pub fn below(above: Option<&Rc<Self>>) -> Self {
        Self {
            above: above.cloned(),
            own: HashSet::new(),
        }
    }

    /// Adds the paths of another one, but not those of the directories above it.
    pub fn join(&mut self, other: Self) {
        self.own.extend(other.own);
    }

    /// Adds a path that counts as looked at.
    pub fn insert(&mut self, path: PathBuf) {
        self.own.insert(path);
    }

    fn contains(&self, path: &Path) -> bool {
        let mut above = self.above.as_deref();
        let above = std::iter::from_fn(|| {
            let seen = above?;
            above = seen.above.as_deref();
            Some(seen)
        });
        [self]
            .into_iter()
            .chain(above)
            .any(|seen| seen.own.contains(path))
    }
}

/// The greatest number of times that files are read again because further directories bring them.
const AGAIN_MAX: usize = 10_000;

/// The files that were read for directories below the working directory.
#[derive(Default)]
struct Rounds {
    /// The number of the directory. Reading a file twice for one counts once.
    current: usize,
    of_path: HashMap<PathBuf, usize>,
    again: usize,
}

/// The reading of the instruction files of one scan.
pub struct Walk<'a, 'g> {
    request: &'a Request,
    roots: &'a Roots,
    home: &'a Path,
    settings: &'a ClaudeCodeSettings,
    excludes: PathGlobs,
    denied: &'a Denied,
    /// Whether the files are for some files only.
    pub is_on_demand: bool,
    /// Why no file is given, if the settings turn all of them off.
    pub off: Option<&'static str>,
    /// Whether imports from elsewhere that the person approved are followed: at the start, and those of `AGENTS.md`.
    pub follows_approved: bool,
    rounds: Rounds,
    boundaries: &'a mut Boundaries,
    pub gathering: &'a mut Gathering<'g>,
}

/// A file on its way into the list.
#[derive(Clone, Copy)]
struct Visit<'v> {
    /// The path at which Claude Code finds it.
    path: &'v Path,
    /// The path by which that one was reached; another one if a rule is a link or stands behind one.
    named: &'v Path,
    scope: Scope,
    /// The directory that it is found for.
    root: &'v Path,
    top: &'v Path,
    import: Option<Import<'v>>,
    depth: usize,
}

impl<'v> Visit<'v> {
    /// Begins with a file that no other one imports.
    fn of(path: &'v Path, scope: Scope, root: &'v Path) -> Self {
        Self {
            path,
            named: path,
            scope,
            root,
            top: path,
            import: None,
            depth: 0,
        }
    }
}

/// How a file is imported.
#[derive(Clone, Copy)]
struct Import<'v> {
    /// The path as it is written.
    written: &'v str,
    /// The file that imports it, and its source.
    by: &'v Visit<'v>,
    source: &'v str,
    /// Where the importing file has its paths.
    places: &'v Places,
}

impl Visit<'_> {
    /// Returns whether a path is that of the file, or of one that leads to it.
    fn comes_from(&self, path: &Path) -> bool {
        self.path == path || self.import.is_some_and(|import| import.by.comes_from(path))
    }
}

impl<'a, 'g> Walk<'a, 'g> {
    /// Begins with no file read.
    pub fn new(
        request: &'a Request,
        roots: &'a Roots,
        home: &'a Path,
        settings: &'a ClaudeCodeSettings,
        denied: &'a Denied,
        boundaries: &'a mut Boundaries,
        gathering: &'a mut Gathering<'g>,
    ) -> Self {
        let globs = settings.excludes.iter().map(String::as_str);
        let mut globs: Vec<_> = globs.map(str::to_owned).collect();
        globs.extend(settings.excludes.iter().filter_map(|glob| resolved(glob)));
        Self {
            request,
            roots,
            home,
            settings,
            excludes: PathGlobs::new(globs.iter().map(String::as_str)),
            denied,
            is_on_demand: false,
            off: settings.is_disabled.then_some(DISABLED),
            follows_approved: true,
            rounds: Rounds::default(),
            boundaries,
            gathering,
        }
    }

    /// Returns the directory in which Claude Code is started.
    pub fn working(&self) -> &'a Path {
        &self.roots.directory
    }

    /// Returns the path of Claude Code's home.
    pub fn home(&self) -> &'a Path {
        self.home
    }

    /// Returns whether a directory lies in the project that the scan reads.
    pub fn is_of_project(&self, directory: &Path) -> bool {
        directory.starts_with(self.roots.project())
    }

    /// Returns whether a path lies in the working directory, in any case of its letters.
    pub fn is_inside(&self, path: &Path) -> bool {
        let folded = |path: &Path| PathBuf::from(path.to_string_lossy().to_lowercase());
        folded(path).starts_with(folded(self.working()))
    }

    /// Returns whether a file of this scope may import files from outside of the working directory.
    pub fn allows_external(&self, scope: Scope) -> bool {
        scope == Scope::User || self.settings.allows_external_imports && self.follows_approved
    }

    /// Returns why a file that may import none from outside of the working directory may not.
    fn why_not_external(&self) -> &'static str {
        match self.settings.allows_external_imports {
            false => UNAPPROVED,
            true => "a file that comes later imports none from outside of the working directory",
        }
    }

    /// Returns whether the settings exclude a path.
    pub fn is_excluded(&self, path: &Path) -> bool {
        self.excludes.matches(&path.to_string_lossy())
    }

    /// Begins with the files of another directory, which may bring the same ones.
    pub fn next_directory(&mut self) {
        self.rounds.current += 1;
    }

    /// Returns whether a file may be read. Two thousand directories that all bring a thousand files would take hours.
    fn may_read(&mut self, path: &Path) -> bool {
        let current = self.rounds.current;
        let before = self.rounds.of_path.insert(path.to_owned(), current);
        if before.is_none_or(|before| before == current) {
            return true;
        }
        self.rounds.again += 1;
        if self.rounds.again > AGAIN_MAX {
            self.gathering.remark(format!(
                "directories below bring the same files more than {AGAIN_MAX} times, and ctxpin looked at no more"
            ));
        }
        self.rounds.again <= AGAIN_MAX
    }

    /// Adds a file of a directory with what it imports, unless it is there already.
    pub fn file(
        &mut self,
        path: &Path,
        scope: Scope,
        root: &Path,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        self.visit(&Visit::of(path, scope, root), seen, items)
    }

    /// Adds a rule as [`Self::file`] does. `named` is where it was found, and `path` where that leads.
    pub fn rule(
        &mut self,
        named: &Path,
        path: &Path,
        scope: Scope,
        root: &Path,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        let visit = Visit {
            named,
            ..Visit::of(path, scope, root)
        };
        self.visit(&visit, seen, items)
    }

    fn visit(
        &mut self,
        visit: &Visit,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        self.gathering.go_on()?;
        let path = visit.path;
        if seen.contains(path) {
            if visit
                .import
                .is_some_and(|import| import.by.comes_from(path))
            {
                self.ignore(visit, CIRCLE);
            }
            return Ok(());
        }
        if visit.depth >= IMPORT_DEPTH_MAX {
            self.ignore(visit, TOO_DEEP);
            return Ok(());
        }
        self.gathering.places.awaited(path);
        if self.is_excluded(path) {
            self.leave_out(
                visit,
                "`claudeMdExcludes` in Claude Code's settings names it",
                items,
            );
            return Ok(());
        }
        let real = path.canonicalize().ok();
        let is_link = real.as_deref().is_some_and(|real| real != path);
        if real.is_none() && path.symlink_metadata().is_ok() {
            return Ok(());
        }
        let target = real.as_deref().unwrap_or(path);
        let is_import = visit.import.is_some();
        if is_import && !self.allows_external(visit.scope) && !self.is_inside(target) {
            self.ignore(visit, LINK_OUTSIDE);
            return Ok(());
        }
        let is_denied =
            self.denied.has_on_the_way(visit.named) || is_link && self.denied.has(target);
        let denied = (is_denied && visit.scope != Scope::User).then_some(UNREAD);
        if let Some(reason) = self.off.or(denied) {
            self.leave_out(visit, reason, items);
            return Ok(());
        }
        if is_link && seen.contains(target) {
            return Ok(());
        }
        if self.is_on_demand && !self.may_read(path) {
            return Ok(());
        }
        self.take(visit, target, seen, items)
    }

    /// Adds the file of a visit, which leads to `target`, with what it imports.
    fn take(
        &mut self,
        visit: &Visit,
        target: &Path,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        let path = visit.path;
        seen.insert(path.to_owned());
        seen.insert(target.to_owned());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let metadata = fs::metadata(path).ok();
        let file = metadata.filter(|metadata| metadata.is_file() && is_text(&name));
        let Some(file) = file else {
            let reason = if path.is_dir() { DIRECTORY } else { NO_TEXT };
            self.ignore(visit, reason);
            return Ok(());
        };
        if file.len() > FILE_BYTES_MAX {
            let reason =
                format!("Claude Code passes over a file with more than {FILE_BYTES_MAX} bytes");
            self.leave_out(visit, &reason, items);
            return Ok(());
        }
        let finding = self.finding(visit);
        let body = self.gathering.body(&finding);
        let reading = match finding.resource.status {
            // To Claude Code, what it cannot read is not there.
            Status::Unreadable => Some(Reading::of(b"")),
            _ => body.as_ref().map(|body| Reading::of(body)),
        };
        let item = Item {
            finding,
            scope: visit.scope,
            top: visit.top.to_owned(),
            reading,
            behind: None,
        };
        let [imports, passed_over] = match &item.reading {
            Some(reading) if !reading.given().is_empty() => {
                [&reading.imports, &reading.passed_over].map(Clone::clone)
            }
            _ => Default::default(),
        };
        let source = item.finding.resource.source.clone();
        items.push(item);
        let directory = target.parent().unwrap_or(Path::new("/"));
        if imports.is_empty() && passed_over.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(body.as_deref().unwrap_or_default());
        let places = Places::of(&text);
        for written in &imports {
            let import = Import {
                written,
                by: visit,
                source: &source,
                places: &places,
            };
            self.import(import, directory, seen, items)?;
        }
        if imports.len() == IMPORTS_MAX {
            self.gathering.remark(format!(
                "ctxpin follows at most {IMPORTS_MAX} imports of one file, and {source} may have more"
            ));
        }
        // Code has many words with an `@` that are no paths. A file that is given all the same needs no import.
        for written in &passed_over {
            let path = plain_path(&import_path(written, directory, &self.request.home));
            let is_given = seen.contains(&path);
            if self.is_inside(&path) && path.is_file() && !is_given {
                let unfollowed = Unfollowed {
                    source: source.clone(),
                    line: places.in_code(written),
                    path,
                    reason: IN_CODE.to_owned(),
                };
                self.gathering.unfollowed(written, unfollowed);
            }
        }
        Ok(())
    }

    /// Adds a file that another one imports.
    fn import(
        &mut self,
        import: Import,
        directory: &Path,
        seen: &mut Seen,
        items: &mut Vec<Item>,
    ) -> Result<(), ScanError> {
        let Import {
            written,
            by,
            source,
            ..
        } = import;
        let path = plain_path(&import_path(written, directory, &self.request.home));
        if imports::is_likely(written) && !seen.contains(&path) && !path.exists() {
            let warning = Warning {
                line: import.places.of_import(written),
                ..Warning::new(Code::ImportMissing).about(written)
            };
            self.gathering.note(Path::new(source), warning);
        }
        let visit = Visit {
            path: &path,
            named: &path,
            import: Some(import),
            depth: by.depth + 1,
            ..*by
        };
        if !self.allows_external(by.scope) && !self.is_inside(&path) {
            self.ignore(&visit, self.why_not_external());
            return Ok(());
        }
        self.visit(&visit, seen, items)
    }

    /// Notes why an import leads to nothing although its file exists. Of a file that is no import, nothing needs to be said.
    fn ignore(&mut self, visit: &Visit, reason: &str) {
        if let Some(import) = visit.import.filter(|_| visit.path.exists()) {
            let unfollowed = Unfollowed {
                source: import.source.to_owned(),
                line: import.places.of_import(import.written),
                path: visit.path.to_owned(),
                reason: reason.to_owned(),
            };
            self.gathering.unfollowed(import.written, unfollowed);
        }
    }

    /// Adds a file of the project or of the person that Claude Code passes over, with the reason.
    fn leave_out(&self, visit: &Visit, reason: &str, items: &mut Vec<Item>) {
        let is_near = self.is_of_project(visit.path) || visit.scope == Scope::User;
        let is_shown = is_near && visit.path.is_file();
        if is_shown {
            let source = source_text(visit.path).0;
            let finding = passed_over(Kind::InstructionFile, &source, visit.root, reason);
            items.push(Item {
                reading: Some(Reading::of(b"")),
                ..Item::unread(finding, visit.scope, visit.top.to_owned())
            });
        }
    }

    /// Reads a file that exists, if the scan may.
    fn finding(&mut self, visit: &Visit) -> Finding {
        let mut finding = self.read(visit);
        let imported_by = visit.import.map(|import| import.source.to_owned());
        finding.resource.imported_by = imported_by;
        finding
    }

    fn read(&mut self, visit: &Visit) -> Finding {
        if let Some(forbidden) = forbidden(visit.path, visit.root) {
            return forbidden;
        }
        let source = source_text(visit.path).0;
        let refused = |reason: &str| unread(Kind::InstructionFile, &source, visit.root, reason);
        if visit.scope == Scope::User && !self.request.user_roots {
            return refused(PERSONAL);
        }
        let parent = visit
            .path
            .parent()
            .and_then(|parent| parent.canonicalize().ok());
        let name = visit.path.file_name().and_then(|name| name.to_str());
        let (Some(parent), Some(name)) = (parent, name) else {
            return refused("its path is not UTF-8");
        };
        let Some((boundary, directory, below)) = self.held(&parent) else {
            return refused(&outside("the tool gives it to its model", &parent));
        };
        if let Some(refusal) = boundary.reach.refusal(&below.join(name)) {
            let reason = refusal
                .reason
                .replacen("the link leads", "its path leads", 1);
            return refused(&format!("the tool gives it to its model, but {reason}"));
        }
        let found = entry_as(
            &boundary,
            &directory,
            name,
            visit.path,
            visit.root,
            self.gathering,
        );
        found.unwrap_or_else(|| {
            let mut finding = refused("it was gone when ctxpin read it");
            finding.resource.status = Status::Unreadable;
            finding
        })
    }

    /// Opens a directory that the scan may read, by its canonical path. Returns its boundary too, and the path
    /// below that.
    fn held(&mut self, directory: &Path) -> Option<(Rc<Boundary>, Directory, PathBuf)> {
        let project = (self.roots.project().to_owned(), Reach::Project);
        let home = self.home.canonicalize().ok();
        let home = home.map(|home| (home, Reach::Personal));
        let admitting = self.roots.admitting().0;
        let mut places = [project].into_iter().chain(home).chain(admitting);
        let (place, reach) = places.find(|(place, _)| directory.starts_with(place))?;
        let below = directory.strip_prefix(&place).ok()?.to_owned();
        let boundary = self.boundaries.at(&place, reach).ok()?;
        let held = boundary.directory.descend(&below).ok()?;
        Some((boundary, held, below))
    }
}

/// Returns a glob whose fixed beginning is a path with links, with the path that they lead to.
fn resolved(glob: &str) -> Option<String> {
    let fixed = glob.find(['*', '?', '{', '[']).unwrap_or(glob.len());
    let begin = Path::new(&glob[..fixed])
        .parent()
        .filter(|begin| begin.is_absolute())?;
    let real = begin.canonicalize().ok().filter(|real| real != begin)?;
    let rest = &glob[begin.as_os_str().len()..];
    Some(format!("{}{rest}", real.to_str()?))
}
