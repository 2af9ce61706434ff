//! Which directories and files a scan reads, in which order, and what may be declared as a source.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Status;

use crate::ScanError;
use crate::barred_names::barred;
use crate::boundary::{Admitting, Annexes, Boundaries, Common, Reach};
use crate::known_files::{FileClass, UNKNOWN_FILE, classify};
use crate::project::{LeftOut, Project};
use crate::refused::{Refused, no_regular_file, unresolved};
use crate::trust::{Trust, advice};

/// The directories below the home that all workspaces of a person share, from broad to specific.
pub const USER_ROOT_NAMES: [&str; 3] = [".agents", ".claude", ".codex"];

/// A request to scan a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The working directory. With [`Scope::Single`], the only root, which may be a file.
    pub directory: PathBuf,
    pub scope: Scope,
    /// Whose rules decide what is found. Every profile but the neutral one covers a project.
    pub profile: Profile,
    pub tool: ToolEnvironment,
    /// Whether to scan the user roots too.
    pub user_roots: bool,
    /// The person's home directory. User roots and imports of `~/` lie below it.
    pub home: PathBuf,
    /// The declared sources, in their order.
    pub sources: Vec<Declared>,
    /// The directories below which the operator allows sources. Links of the user roots may lead into them, and under the
    /// profile of a tool those of the project.
    pub allowed: Vec<PathBuf>,
    /// Whose roots the scan reads.
    pub trust: Trust,
}

/// What else decides what a profile's tool finds, besides the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolEnvironment {
    /// The absolute path of the tool's home, if it is not in its usual place below the person's home.
    pub home: Option<PathBuf>,
    /// The values of environment variables, of those that [`crate::variables`] names.
    pub variables: BTreeMap<&'static str, String>,
}

/// How much a request covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The directories from the project's root down to the working directory.
    Project,
    /// One directory or file, and nothing above it.
    Single,
}

/// A source that a person declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// A directory or a file. A relative path starts at the working directory.
    pub path: PathBuf,
}

impl Request {
    /// Requests the project of a working directory, without user roots and declared sources.
    pub fn project(directory: impl Into<PathBuf>, home: impl Into<PathBuf>, trust: Trust) -> Self {
        Self {
            directory: directory.into(),
            scope: Scope::Project,
            profile: Profile::Neutral,
            tool: ToolEnvironment::default(),
            user_roots: false,
            home: home.into(),
            sources: Vec::new(),
            allowed: Vec::new(),
            trust,
        }
    }

    /// Requests one directory or file alone.
    pub fn single(path: impl Into<PathBuf>, home: impl Into<PathBuf>, trust: Trust) -> Self {
        Self {
            scope: Scope::Single,
            ..Self::project(path, home, trust)
        }
    }
}

/// The roots of a request, as they are at this moment.
#[derive(Debug)]
pub struct Roots {
    /// The canonical working directory. For a single file, the directory that holds it.
    pub directory: PathBuf,
    /// The roots from broad to specific, each path once.
    pub list: Vec<Root>,
    ground: Ground,
}

/// A directory or a file that is scanned.
#[derive(Debug)]
pub struct Root {
    /// The canonical path, as far as it exists.
    pub path: PathBuf,
    /// The path in the request, which may be a link.
    pub named: PathBuf,
    pub origin: Origin,
    pub(crate) standing: Standing,
}

impl Root {
    /// Returns whether a person named this root itself, and not the project around it.
    pub(crate) fn is_named_alone(&self) -> bool {
        self.origin == Origin::Declared
    }
}

/// Where a root comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A directory in the person's home.
    User,
    /// A directory above the working directory. It contributes no MCP configuration: a server that is
    /// started must be named in the directory that the person chose.
    Ancestor,
    /// The working directory.
    Working,
    /// A declared source.
    Declared,
}

/// What is at a root's path.
#[derive(Debug)]
pub(crate) enum Standing {
    /// A directory, whose links may lead anywhere below `boundary`.
    Directory {
        /// A canonical path.
        boundary: PathBuf,
        reach: Reach,
    },
    /// A regular file. The directory that holds it bounds its links.
    File(Reach),
    /// Nothing yet. The scan watches for it.
    Missing,
    /// Something that must not or cannot be scanned.
    Refused(Refused),
}

/// The error of a path that cannot be declared as a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No source may lie there.
    #[error("{} cannot be a source: {reason}", .path.display())]
    Refused {
        /// The absolute path.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
    /// The working directory itself cannot be scanned.
    #[error(transparent)]
    Directory(#[from] ScanError),
}

/// Checks whether a path may be declared as a source of a request. Every scan repeats the check. Returns
/// the absolute path to keep. It is not resolved, so a link may change its target within what is allowed.
/// A path that does not exist yet may be declared.
///
/// # Errors
///
/// Fails if no source may lie there, if a file has another name than a source can have, or if the working
/// directory cannot be scanned.
pub fn check_source(request: &Request, path: &Path) -> Result<PathBuf, SourceError> {
    let ground = Ground::of(request)?;
    let named = ground.directory.join(path);
    let refused = |reason| SourceError::Refused {
        path: named.clone(),
        reason,
    };
    match ground.declared(&named).standing {
        Standing::Refused(Refused { reason, .. }) => Err(refused(reason)),
        Standing::File(_) if classify(&named) == FileClass::Other => {
            Err(refused(UNKNOWN_FILE.to_owned()))
        }
        _ => Ok(named),
    }
}

impl Roots {
    /// Finds the roots of a request.
    ///
    /// # Errors
    ///
    /// Fails if the working directory does not exist, or belongs to another user who is not trusted. With
    /// [`Scope::Single`], the only root takes the place of the working directory.
    pub fn of(request: &Request) -> Result<Self, ScanError> {
        let ground = Ground::of(request)?;
        let mut list = Vec::new();
        if request.user_roots {
            list.extend(ground.user.iter().map(|named| ground.user_root(named)));
        }
        list.extend(ground.own_roots(request));
        for declared in &request.sources {
            list.push(ground.declared(&ground.directory.join(&declared.path)));
        }
        let mut seen = HashSet::new();
        list.retain(|root| {
            // A refused root is listed under each name that it was declared by.
            let is_refused = matches!(root.standing, Standing::Refused(_));
            let path = if is_refused { &root.named } else { &root.path };
            seen.insert(path.clone())
        });
        Ok(Self {
            directory: ground.directory.clone(),
            list,
            ground,
        })
    }

    /// Returns the canonical root of the project. Without a project, returns the working directory.
    pub fn project(&self) -> &Path {
        &self.ground.project.root
    }

    /// Returns the directory by which a scan may read another one, by its canonical path, and what it may read there: the
    /// project, or one that the caller allows.
    pub(crate) fn readable(&self, directory: &Path) -> Option<(PathBuf, Reach)> {
        let project = self.project();
        if directory.starts_with(project) {
            return Some((project.to_owned(), Reach::Project));
        }
        let admitting = self.admitting();
        let (place, reach, _) = admitting.admits(directory)?;
        Some((place.to_owned(), reach))
    }

    /// Returns the repository that is not used as the project, if there is one.
    pub(crate) fn left_out(&self) -> Option<&LeftOut> {
        self.ground.project.left_out.as_ref()
    }

    /// Returns what the boundaries of one scan of these roots share.
    pub(crate) fn common(&self) -> Rc<Common> {
        Common::of(self.ground.trust.clone())
    }

    /// Returns the boundaries of these roots, without opening any. Links of `personal` folders may lead into the others.
    pub(crate) fn boundaries(&self, personal: &[PathBuf], common: Rc<Common>) -> Boundaries {
        let personal = personal.iter().filter_map(|path| path.canonicalize().ok());
        let personal = personal.map(|path| (path, Reach::Personal));
        let allowed = &self.ground.allowed;
        let annexes = Annexes {
            // A tool follows each link.
            of_project: self.ground.is_of_tool.then(|| allowed.clone()),
            of_personal: allowed.iter().cloned().chain(personal).collect(),
        };
        Boundaries::new(&annexes, self.admitting(), common)
    }

    /// Returns the directories that may hold a declared source, at any depth.
    pub(crate) fn admitting(&self) -> Admitting {
        Admitting(self.ground.admitting.clone())
    }
}

/// The facts that decide what the roots are and whether a source may be declared.
#[derive(Debug)]
struct Ground {
    /// The canonical working directory.
    directory: PathBuf,
    project: Project,
    /// Whose roots the scan reads, with canonical paths.
    trust: Trust,
    /// The user roots, not resolved, whether or not they exist.
    user: Vec<PathBuf>,
    /// The canonical directories that the operator allows.
    allowed: Vec<(PathBuf, Reach)>,
    /// Whether a tool's rules decide what is found.
    is_of_tool: bool,
    /// The canonical directories below which a declared source may lie.
    admitting: Vec<(PathBuf, Reach)>,
}

impl Ground {
    fn of(request: &Request) -> Result<Self, ScanError> {
        let path = &request.directory;
        let real = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ScanError::Missing(path.clone()),
            _ => ScanError::Unreadable {
                path: path.clone(),
                error,
            },
        })?;
        let trust = request.trust.settled();
        check_trust(&trust, request.scope, &real)?;
        let directory = match request.scope {
            _ if real.is_dir() => real,
            Scope::Project => return Err(ScanError::NotADirectory(path.clone())),
            Scope::Single => holder(path)?,
        };
        let home = request.home.canonicalize().unwrap_or_default();
        let project = match request.scope {
            Scope::Project => Project::of(&directory, &home, &trust),
            Scope::Single => Project {
                root: directory.clone(),
                left_out: None,
            },
        };
        // Without a home there are no user roots.
        let names = USER_ROOT_NAMES
            .iter()
            .filter(|_| request.home.is_absolute());
        let user: Vec<_> = names.map(|name| request.home.join(name)).collect();
        let of_user = user.iter().filter_map(|path| path.canonicalize().ok());
        let of_user = of_user.map(|path| (path, Reach::Personal));
        let allowed = request
            .allowed
            .iter()
            .filter_map(|path| path.canonicalize().ok());
        let allowed: Vec<_> = allowed
            .map(|path| match home.starts_with(&path) {
                true => (path, Reach::Personal),
                false => (path, Reach::Project),
            })
            .collect();
        let mut admitting = vec![(project.root.clone(), Reach::Project)];
        admitting.extend(of_user);
        admitting.extend(allowed.iter().cloned());
        Ok(Self {
            directory,
            project,
            trust,
            user,
            allowed,
            is_of_tool: request.profile != Profile::Neutral,
            admitting,
        })
    }

    /// Returns the directories of the project, or the only root of [`Scope::Single`].
    fn own_roots(&self, request: &Request) -> Vec<Root> {
        if request.scope == Scope::Single && !request.directory.is_dir() {
            let name = request.directory.file_name().unwrap_or_default();
            return vec![self.single_file(&self.directory.join(name))];
        }
        let below_project = self.directory.ancestors();
        let mut roots: Vec<_> = below_project
            .take_while(|path| path.starts_with(&self.project.root))
            .map(|path| Root {
                path: path.to_owned(),
                named: path.to_owned(),
                origin: match request.scope {
                    Scope::Single => Origin::Declared,
                    Scope::Project if path == self.directory => Origin::Working,
                    Scope::Project => Origin::Ancestor,
                },
                standing: Standing::Directory {
                    boundary: self.project.root.clone(),
                    reach: Reach::Project,
                },
            })
            .collect();
        roots.reverse();
        roots
    }

    /// Returns the root of a single file. A link may lead anywhere below the directory that holds it.
    fn single_file(&self, named: &Path) -> Root {
        let settled = Settled::of(named);
        let admitting = [(self.directory.clone(), Reach::Project)];
        let standing = settled.standing(named, &admitting, &self.trust);
        Root {
            path: settled.path,
            named: named.to_owned(),
            origin: Origin::Declared,
            standing,
        }
    }

    /// Returns the root of a declared source, as it is at this moment.
    fn declared(&self, named: &Path) -> Root {
        let settled = Settled::of(named);
        let standing = settled.standing(named, &self.admitting, &self.trust);
        Root {
            path: settled.path,
            named: named.to_owned(),
            origin: Origin::Declared,
            standing,
        }
    }

    /// Returns the root of a user's directory. A link may lead it anywhere.
    fn user_root(&self, named: &Path) -> Root {
        let settled = Settled::of(named);
        let standing = match &settled.gap {
            None => present(&settled.path, Reach::Personal, &self.trust),
            Some(error) => missing(named, error),
        };
        Root {
            path: settled.path,
            named: named.to_owned(),
            origin: Origin::User,
            standing,
        }
    }
}

/// Refuses a directory or file of another user, unless it is trusted. A working directory must belong to the
/// person, because the search for the project begins there.
fn check_trust(trust: &Trust, scope: Scope, real: &Path) -> Result<(), ScanError> {
    let metadata = fs::metadata(real).map_err(|error| ScanError::Unreadable {
        path: real.to_owned(),
        error,
    })?;
    let is_believed = match scope {
        Scope::Project => trust.is_own(&metadata) || trust.covers(real),
        Scope::Single => trust.doubt_of_named(real, &metadata).is_none(),
    };
    match is_believed {
        true => Ok(()),
        false => Err(ScanError::SomebodyElses {
            path: real.to_owned(),
            owner: metadata.uid(),
        }),
    }
}

/// Returns the canonical directory that holds a file.
fn holder(path: &Path) -> Result<PathBuf, ScanError> {
    let unreadable = |error| ScanError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    parent.canonicalize().map_err(unreadable)
}

/// A path, resolved at this moment.
struct Settled {
    /// The canonical path, as far as it exists.
    path: PathBuf,
    /// The error of resolving the whole path.
    gap: Option<io::Error>,
}

impl Settled {
    fn of(named: &Path) -> Self {
        let error = match named.canonicalize() {
            Ok(path) => return Self { path, gap: None },
            Err(error) => error,
        };
        let mut path = named.to_owned();
        for ancestor in named.ancestors().skip(1) {
            if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), named.strip_prefix(ancestor)) {
                path = real.join(rest);
                break;
            }
        }
        Self {
            path,
            gap: Some(error),
        }
    }

    /// Returns what is there. Refuses it if it lies below none of the admitting directories.
    fn standing(&self, named: &Path, admitting: &[(PathBuf, Reach)], trust: &Trust) -> Standing {
        let is_plain = |component| !matches!(component, Component::ParentDir);
        let mut admitting_it = admitting
            .iter()
            .filter(|_| self.path.components().all(is_plain))
            .filter_map(|(root, reach)| Some((self.path.strip_prefix(root).ok()?, *reach)));
        let Some((below, reach)) = admitting_it.next() else {
            return Standing::Refused(Refused::invalid(outside(admitting)));
        };
        if let Some(name) = barred(below) {
            return Standing::Refused(Refused::invalid(format!(
                "it leads through `{}`, which is never read for context",
                name.display()
            )));
        }
        if let Some(error) = &self.gap {
            return missing(named, error);
        }
        let is_linked = !named.ends_with(below);
        match reach.refusal(below).filter(|_| is_linked) {
            Some(refused) => Standing::Refused(refused),
            None => present(&self.path, reach, trust),
        }
    }
}

/// Returns what is at a path that cannot be resolved.
fn missing(named: &Path, error: &io::Error) -> Standing {
    let is_dangling = fs::symlink_metadata(named).is_ok();
    match error.kind() {
        io::ErrorKind::NotFound if !is_dangling => Standing::Missing,
        _ => Standing::Refused(unresolved(error)),
    }
}

/// Returns what is at a canonical path. Refuses it if an untrusted user may write there.
fn present(path: &Path, reach: Reach, trust: &Trust) -> Standing {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Standing::Refused(unresolved(&error)),
    };
    match metadata.file_type() {
        kind if kind.is_dir() || kind.is_file() => {}
        _ => {
            let kind = rustix::fs::FileType::from_raw_mode(metadata.mode());
            return Standing::Refused(no_regular_file(kind));
        }
    }
    if let Some(doubt) = trust.doubt_of_named(path, &metadata) {
        return Standing::Refused(Refused {
            status: Status::Excluded,
            ..Refused::invalid(format!("{doubt}; {}", advice(path)))
        });
    }
    match metadata.is_dir() {
        true => Standing::Directory {
            boundary: path.to_owned(),
            reach,
        },
        false => Standing::File(reach),
    }
}

fn outside(admitting: &[(PathBuf, Reach)]) -> String {
    let places: Vec<_> = admitting
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    format!(
        "it escapes every place that sources may lie in ({}); the operator can allow another with --allow-root",
        places.join(", ")
    )
}
