//! A workspace in a directory of its own, with a home that holds nothing of the developer's.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ctxpin_model::resource::{Kind, Resource, Status};
use ctxpin_scan::roots::{Declared, Request};
use ctxpin_scan::trust::Trust;
use ctxpin_scan::{Scan, scan};
use rustix::process::geteuid;
use tempfile::TempDir;

/// `project/` is a repository; `home/` and `outside/` lie beside it.
pub struct Workspace {
    _directory: TempDir,
    pub base: PathBuf,
    pub request: Request,
}

impl Workspace {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        for path in ["project/.git", "home", "outside"] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        let trust = Trust::of_process();
        let request = Request::project(base.join("project"), base.join("home"), trust);
        Self {
            _directory: directory,
            base,
            request,
        }
    }

    /// A workspace with these files, below its base.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let workspace = Self::new();
        for (path, text) in files {
            workspace.write(path, text);
        }
        workspace
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    pub fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn link(&self, path: &str, target: impl AsRef<Path>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Writes what git demands of a repository, whose own directory is at `git`.
    pub fn repository(&self, git: &str) {
        for folder in ["objects", "refs"] {
            fs::create_dir_all(self.path(&format!("{git}/{folder}"))).unwrap();
        }
        self.write(&format!("{git}/HEAD"), "ref: refs/heads/main\n");
    }

    /// Lets nobody read a file, not even root in this thread.
    #[cfg(target_os = "linux")]
    pub fn forbid(&self, path: &str) {
        use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o000)).unwrap();
        let mut sets = capabilities(None).unwrap();
        let above = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        sets.effective.remove(above);
        sets.permitted.remove(above);
        set_capabilities(None, sets).unwrap();
    }

    pub fn skill(&self, path: &str) {
        let name = path.rsplit('/').next().unwrap();
        self.write(&format!("{path}/SKILL.md"), skill_md(name));
    }

    pub fn declare(&mut self, path: &str) {
        let path = self.path(path);
        self.request.sources.push(Declared { path });
    }

    pub fn scan(&self) -> Scan {
        let found = scan(&self.request, &|| false).unwrap();
        check_invariants(&found);
        found
    }

    /// Scans, and compares each resource, as `status path`, with what is expected.
    pub fn check(&self, expected: &[&str]) -> Scan {
        let found = self.scan();
        let shown: Vec<_> = found
            .snapshot
            .resources
            .iter()
            .map(|r| self.show(r))
            .collect();
        assert_eq!(shown, expected, "{:#?}", found.snapshot.resources);
        found
    }

    pub fn show(&self, resource: &Resource) -> String {
        let base = format!("{}/", self.base.display());
        let source = resource
            .source
            .strip_prefix(&base)
            .unwrap_or(&resource.source);
        format!("{} {source}", resource.status)
    }

    /// The paths of what the tool gives its model although no pin holds it, in their order.
    pub fn unpinned(&self, found: &Scan) -> Vec<String> {
        let base = format!("{}/", self.base.display());
        let sources = found.unused.iter().filter(|(_, why)| why.is_given());
        let mut sources: Vec<_> = sources
            .map(|((_, source), _)| source.strip_prefix(&base).unwrap_or(source).to_owned())
            .collect();
        sources.sort_unstable();
        sources
    }

    /// The notes of a scan, each as `code path:line: detail`.
    pub fn notes(&self, found: &Scan) -> Vec<String> {
        let base = format!("{}/", self.base.display());
        let notes = found.notes.iter().map(|note| {
            let source = note.source.as_deref().unwrap_or_default();
            let source = source.strip_prefix(&base).unwrap_or(source);
            let mut text = format!("{} {source}", note.warning.code);
            if let Some(line) = note.warning.line {
                text += &format!(":{line}");
            }
            if let Some(detail) = &note.warning.detail {
                text += &format!(": {}", detail.replace(&base, ""));
            }
            text
        });
        notes.collect()
    }

    /// Scans, and compares the notes with what is expected.
    pub fn check_notes(&self, expected: &[&str]) -> Scan {
        let found = self.scan();
        assert_eq!(self.notes(&found), expected);
        found
    }

    /// The one resource at a path.
    pub fn resource<'s>(&self, found: &'s Scan, path: &str) -> &'s Resource {
        let source = self.text(path);
        let mut resources = found.snapshot.resources.iter();
        resources
            .find(|resource| resource.source == source)
            .unwrap()
    }

    /// The error of the one resource at a path.
    pub fn error(&self, found: &Scan, path: &str) -> String {
        self.resource(found, path).error.clone().unwrap()
    }
}

/// Runs an ignored test of this program in a mount namespace of its own, after the shell command `mount`, whose
/// `$1` is `place`. `variable` is set for the test. Where nothing may be mounted, it prints so and returns.
pub fn run_in_mount_namespace(mount: &str, place: &Path, test: &str, variable: (&str, &Path)) {
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    run_prepared(unshare, mount, place, test, variable);
}

/// Does the same in a user namespace, whose limits the shell command `prepare` can change.
pub fn run_in_user_namespace(prepare: &str, place: &Path, test: &str, variable: (&str, &Path)) {
    let mut unshare = Command::new("unshare");
    unshare.arg("--map-root-user");
    run_prepared(unshare, prepare, place, test, variable);
}

fn run_prepared(
    mut unshare: Command,
    prepare: &str,
    place: &Path,
    test: &str,
    variable: (&str, &Path),
) {
    let script = format!("{prepare} || exit 77; exec \"$2\" --exact {test} --include-ignored");
    let child = unshare
        .args(["sh", "-c", &script, "sh"])
        .arg(place)
        .arg(std::env::current_exe().unwrap())
        .env(variable.0, variable.1)
        .output();
    match child {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(77) || output.stdout.is_empty() => {
            eprintln!("no namespace can be prepared here: {output:?}");
        }
        Err(error) => eprintln!("no namespace can be prepared here: {error}"),
        Ok(output) => panic!("{output:?}"),
    }
}

pub fn skill_md(name: &str) -> String {
    format!("---\nname: {name}\ndescription: Does {name}.\n---\nBody of {name}.\n")
}

/// What holds of every scan.
fn check_invariants(found: &Scan) {
    let mut sources = std::collections::HashSet::new();
    let mut stored = std::collections::BTreeSet::new();
    for resource in &found.snapshot.resources {
        assert!(
            sources.insert((resource.kind, &resource.source)),
            "twice: {resource:?}"
        );
        assert!(resource.source.len() <= 1024, "{resource:?}");
        assert_eq!(
            resource.error.is_some(),
            resource.status != Status::Ok,
            "{resource:?}"
        );
        let is_pinned = resource.status == Status::Ok && resource.kind != Kind::McpConfig;
        assert_eq!(resource.body().is_some(), is_pinned, "{resource:?}");
        assert!(
            is_pinned || resource.stored().next().is_none(),
            "{resource:?}"
        );
        stored.extend(resource.stored());
    }
    let held: std::collections::BTreeSet<_> = found.bodies.keys().copied().collect();
    assert_eq!(held, stored);
    for (hash, bytes) in &found.bodies {
        assert_eq!(ctxpin_model::hash::BlobHash::of(bytes), *hash);
    }
}
