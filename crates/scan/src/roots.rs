//! Which directories and files a scan looks at, in which order, and what may be declared as one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::resource::Status;

use crate::ScanError;
use crate::boundary::{Admitting, Boundaries, Common, Reach};
use crate::layout::{FileClass, UNKNOWN_FILE, classify};
use crate::names::barred;
use crate::project::{LeftOut, Project};
use crate::refused::{Refused, no_regular_file, unresolved};
use crate::trust::{Trust, advice};

/// Below the home directory: where a person keeps what all workspaces share. Broad to specific.
pub const USER_ROOT_NAMES: [&str; 3] = [".agents", ".claude", ".codex"];

/// What to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The working directory; with [`Scope::Single`] the one root, which may be a file.
    pub directory: PathBuf,
    /// Whether the working directory's project is scanned, or one root alone.
    pub scope: Scope,
    /// Whether the user roots are scanned too.
    pub user_roots: bool,
    /// The person's home directory. User roots and imports of `~/` are found below it.
    pub home: PathBuf,
    /// The sources that were declared, in their order.
    pub sources: Vec<Declared>,
    /// Directories below which the operator allows sources, and into which links of the user roots may
    /// lead.
    pub allowed: Vec<PathBuf>,
    /// Whose roots are read at all.
    pub trust: Trust,
}

/// How much a request covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The directories from the project's root down to the working directory.
    Project,
    /// One directory or file, and nothing above it.
    Single,
}

/// A source that somebody declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// A directory or a file. A relative path starts at the working directory.
    pub path: PathBuf,
}

impl Request {
    /// The project around a working directory, without user roots and declared sources.
    pub fn project(directory: impl Into<PathBuf>, home: impl Into<PathBuf>, trust: Trust) -> Self {
        Self {
            directory: directory.into(),
            scope: Scope::Project,
            user_roots: false,
            home: home.into(),
            sources: Vec::new(),
            allowed: Vec::new(),
            trust,
        }
    }

    /// One directory or file alone.
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
    /// The canonical working directory; for a single file the directory that holds it.
    pub directory: PathBuf,
    /// The roots from broad to specific, each path once.
    pub list: Vec<Root>,
    ground: Ground,
}

/// A directory, or one file, that is scanned.
#[derive(Debug)]
pub struct Root {
    /// Its canonical path, or where it would be.
    pub path: PathBuf,
    /// The path by which it was named, which may be a link.
    pub named: PathBuf,
    /// Where it comes from.
    pub origin: Origin,
    /// What is there.
    pub(crate) standing: Standing,
}

impl Root {
    /// Whether somebody named it, for what it is and not for what lies around it.
    pub(crate) fn is_named_alone(&self) -> bool {
        self.origin == Origin::Declared
    }
}

/// Where a root comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The person's own.
    User,
    /// Above the working directory. Gives no MCP configuration: what is started must be named in
    /// the very directory that the person chose.
    Ancestor,
    /// The working directory.
    Working,
    /// A declared source.
    Declared,
}

/// What is at a root's path.
#[derive(Debug)]
pub(crate) enum Standing {
    /// A directory. Links in it may lead anywhere below `boundary`.
    Directory {
        /// A canonical path.
        boundary: PathBuf,
        /// Which components of the way they may lead through.
        reach: Reach,
    },
    /// A regular file. A link beside it is bound by its directory.
    File(Reach),
    /// Nothing: it contributes nothing, and is watched for.
    Missing,
    /// Something that must not or cannot be scanned.
    Refused(Refused),
}

/// Why a path cannot be declared as a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It lies where sources are not allowed.
    #[error("{} cannot be a source: {reason}", .path.display())]
    Refused {
        /// The path, absolute.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The working directory cannot be scanned itself.
    #[error(transparent)]
    Directory(#[from] ScanError),
}

/// Checks whether a path may be declared as a source of a request, as every scan will check it
/// again. Answers the absolute path to keep: not resolved, so that a link may change its target
/// within what is allowed. A path that does not exist yet may be declared.
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
    /// If the working directory, or the one root, is not there or is not believed.
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
            // What is refused is told under each name that it was declared by.
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

    /// The canonical root of the project; of a root that was named alone, the working directory.
    pub fn project(&self) -> &Path {
        &self.ground.project.root
    }

    /// What is no root although it could be taken for the project's.
    pub(crate) fn left_out(&self) -> Option<&LeftOut> {
        self.ground.project.left_out.as_ref()
    }

    /// What all boundaries of a scan of these roots have in common.
    pub(crate) fn common(&self) -> Rc<Common> {
        Common::of(self.ground.trust.clone())
    }

    /// The boundaries of these roots, none of them opened yet.
    pub(crate) fn boundaries(&self, common: Rc<Common>) -> Boundaries {
        Boundaries::new(&self.ground.allowed, self.admitting(), common)
    }

    /// Where a declared source may lie.
    pub(crate) fn admitting(&self) -> Admitting {
        Admitting(self.ground.admitting.clone())
    }
}

/// What is needed to find the roots and to judge a declared source.
#[derive(Debug)]
struct Ground {
    /// The canonical working directory.
    directory: PathBuf,
    project: Project,
    /// Whose roots are read, with canonical paths.
    trust: Trust,
    /// The user roots by their plain paths, whether or not they exist.
    user: Vec<PathBuf>,
    /// What the operator allows, canonical.
    allowed: Vec<(PathBuf, Reach)>,
    /// Everything that a declared source may lie under, canonical.
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
            admitting,
        })
    }

    /// The directories of the project, or the one root.
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

    /// A file that was named alone: a link may lead anywhere below the directory that holds it.
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

    /// A declared source, judged by where it is now.
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

    /// A directory of the person's own, wherever it lies.
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

/// Refuses what is somebody else's, unless it is trusted. A working directory must be the person's own: of
/// all that lies above it the rules are taken over from there.
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

/// The canonical directory that holds a file which was named.
fn holder(path: &Path) -> Result<PathBuf, ScanError> {
    let unreadable = |error| ScanError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    parent.canonicalize().map_err(unreadable)
}

/// Where a path leads at this moment.
struct Settled {
    /// Canonical, as far as the path exists.
    path: PathBuf,
    /// What keeps the whole path from being canonical.
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

    /// What stands there, if it lies below one of the admitting directories.
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

/// What stands at a path that cannot be resolved.
fn missing(named: &Path, error: &io::Error) -> Standing {
    let is_dangling = fs::symlink_metadata(named).is_ok();
    match error.kind() {
        io::ErrorKind::NotFound if !is_dangling => Standing::Missing,
        _ => Standing::Refused(unresolved(error)),
    }
}

/// What stands at a canonical path, if whoever may write there is believed.
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
