//! Collects what the roots contribute: each thing once, in order, with the bytes that it needs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ctxpin_model::admission::admit;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{ERROR_BYTES_MAX, SOURCE_BYTES_MAX, cut};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status, fit_source};
use ctxpin_model::snapshot::{Facts, Snapshot};

use crate::place::Places;
use crate::read::{Reading, Refused};
use crate::{Import, Scan, ScanError};

/// Most bytes that a scan keeps in memory until it knows which of them the snapshot stores. Far
/// above what a snapshot can hold, because shadowed skills count too.
const HELD_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A resource together with the file that it really is.
#[derive(Debug)]
pub(crate) struct Finding {
    pub resource: Resource,
    /// The canonical path of the file, or where a refused link leads. Two findings of one kind and
    /// identity are one thing, reached by two ways.
    pub identity: Option<PathBuf>,
    /// The texts of the imports that it names.
    pub imports: Vec<String>,
}

impl Finding {
    /// A resource at a path, not yet read. If the path is none that a source can be, the resource
    /// is `invalid` from the start and stays so.
    pub fn new(kind: Kind, path: &Path, root: &Path) -> Self {
        let (source, unfit) = source_text(path);
        let mut resource = Resource::new(kind, source, Status::Ok);
        resource.root = Some(source_text(root).0);
        if let Some(reason) = unfit {
            resource.status = Status::Invalid;
            resource.error = Some(reason.to_owned());
        }
        Self {
            resource,
            identity: None,
            imports: Vec::new(),
        }
    }

    /// A resource that was found at a path and refused.
    pub fn refused(kind: Kind, path: &Path, root: &Path, refused: Refused) -> Self {
        let mut finding = Self::new(kind, path, root);
        finding.refuse(refused.status, refused.reason);
        finding.identity = refused.target;
        finding
    }

    /// Takes it out of use, unless it already is: the first reason stands.
    pub fn refuse(&mut self, status: Status, reason: impl Into<String>) {
        if self.resource.status == Status::Ok {
            let reason = reason.into();
            self.resource.demote(status, cut(&reason, ERROR_BYTES_MAX));
        }
    }

    /// Notes what was read. Its bytes become part of the snapshot only by [`Gathering::hold`].
    pub fn note(&mut self, reading: &Reading) {
        self.resource.content = Some(Content::Claimed(reading.hash));
        self.resource.size = reading.size;
        self.identity = Some(reading.path.clone());
    }

    fn is_sound(&self) -> bool {
        !matches!(self.resource.status, Status::Invalid | Status::Unreadable)
    }
}

/// The text by which a path stands in a snapshot, and why it cannot be used if it cannot.
pub(crate) fn source_text(path: &Path) -> (String, Option<&'static str>) {
    match path.to_str() {
        Some(text) if text.len() <= SOURCE_BYTES_MAX => (text.to_owned(), None),
        Some(text) => (
            fit_source(text),
            Some("its path is longer than 1,024 bytes"),
        ),
        None => {
            // Different bytes may become the same text; their hash keeps them apart.
            let bytes = path.as_os_str().as_bytes();
            let digits = &BlobHash::of(bytes).hex()[..16];
            let text = format!("{}~{digits}", path.to_string_lossy());
            (fit_source(&text), Some("its path is not UTF-8"))
        }
    }
}

/// Everything that the roots have contributed so far.
pub(crate) struct Gathering<'a> {
    /// What to watch.
    pub places: Places,
    /// Directories of skills that were scanned, by their canonical paths.
    pub containers: HashSet<PathBuf>,
    findings: Vec<Option<Finding>>,
    by_identity: HashMap<(Kind, PathBuf), usize>,
    bodies: Bodies,
    bytes_held: u64,
    remarks: BTreeSet<String>,
    cancelled: &'a dyn Fn() -> bool,
    home: &'a Path,
}

impl<'a> Gathering<'a> {
    pub fn new(cancelled: &'a dyn Fn() -> bool, home: &'a Path) -> Self {
        Self {
            places: Places::default(),
            containers: HashSet::new(),
            findings: Vec::new(),
            by_identity: HashMap::new(),
            bodies: Bodies::new(),
            bytes_held: 0,
            remarks: BTreeSet::new(),
            cancelled,
            home,
        }
    }

    /// Ends the scan if nobody wants it any more.
    pub fn go_on(&self) -> Result<(), ScanError> {
        if (self.cancelled)() {
            return Err(ScanError::Cancelled);
        }
        Ok(())
    }

    /// Tells in the snapshot's error what kept the scan from being whole.
    pub fn remark(&mut self, remark: String) {
        self.remarks.insert(remark);
    }

    /// Keeps bytes for the snapshot. Answers `None` if there is no memory for more.
    pub fn hold(&mut self, hash: BlobHash, bytes: Vec<u8>) -> Option<Content> {
        if !self.bodies.contains_key(&hash) {
            let held = self.bytes_held + bytes.len() as u64;
            if held > HELD_BYTES_MAX {
                return None;
            }
            self.bytes_held = held;
            self.bodies.insert(hash, bytes.into());
        }
        Some(Content::Pinned(hash))
    }

    /// Adds a finding. Of one thing that was reached by two ways the first sound one stands.
    pub fn add(&mut self, finding: Finding) {
        let Some(identity) = finding.identity.clone() else {
            return self.findings.push(Some(finding));
        };
        let key = (finding.resource.kind, identity);
        if let Some(&index) = self.by_identity.get(&key) {
            let present = self.findings[index].as_ref();
            if present.is_some_and(Finding::is_sound) {
                return;
            }
            if finding.is_sound() {
                self.findings[index] = None;
            }
        }
        self.by_identity.insert(key, self.findings.len());
        self.findings.push(Some(finding));
    }

    /// Applies the limits of a snapshot and drops every byte that it does not store.
    pub fn finish(mut self, facts: Facts) -> Scan {
        let mut sources = HashSet::new();
        let mut resources = Vec::new();
        let mut imports = Vec::new();
        for finding in self.findings.into_iter().flatten() {
            let resource = finding.resource;
            // A folder of skills behind a refused link that is scanned under its own root.
            let is_elsewhere = resource.status == Status::Invalid
                && finding
                    .identity
                    .is_some_and(|path| self.containers.contains(&path));
            if is_elsewhere || !sources.insert((resource.kind, resource.source.clone())) {
                continue;
            }
            imports.extend(finding.imports.iter().map(|path| Import {
                from: resource.source.clone(),
                path: path.clone(),
                target: crate::imports::target(path, &resource.source, self.home),
            }));
            resources.push(resource);
        }
        let remark = admit(&mut resources);
        let used: HashSet<_> = resources.iter().flat_map(Resource::stored).collect();
        self.bodies.retain(|hash, _| used.contains(hash));
        let used: HashSet<_> = resources
            .iter()
            .filter(|resource| resource.reaches_context())
            .map(|resource| &resource.source)
            .collect();
        imports.retain(|import| used.contains(&import.from));
        let remarks: Vec<_> = self.remarks.into_iter().chain(remark).collect();
        let error = cut(&remarks.join("; "), ERROR_BYTES_MAX).to_owned();
        Scan {
            snapshot: Snapshot {
                facts,
                error: Some(error).filter(|error| !error.is_empty()),
                resources,
            },
            bodies: self.bodies,
            imports,
            places: self.places.finish(),
        }
    }
}
