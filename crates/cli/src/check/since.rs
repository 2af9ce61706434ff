//! The findings of an earlier commit, so that only new findings are reported.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use ctxpin_model::warning::Code;
use ctxpin_scan::trust::Trust;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Finding, findings};
use crate::say::{self, Failure, Hint};

/// The variable with the number of settings that git takes from its environment.
const COUNT: &str = "GIT_CONFIG_COUNT";

/// The findings of a commit, with the number of times that each occurs.
pub struct Before(BTreeMap<Key, usize>);

/// A finding without its line, which moves with every edit above it.
type Key = (PathBuf, Code, Option<String>);

impl Before {
    /// Checks out the commit `revision` of the repository at `root` into a private temporary directory, and
    /// checks the same paths there. A file that did not exist yet has no findings, and a directory those of the
    /// directories above it. The checkout is deleted when this function returns or its future is dropped.
    ///
    /// # Errors
    ///
    /// Fails if `root` is not a git repository, or the commit does not exist or cannot be checked out.
    pub async fn read(
        revision: &str,
        root: &Path,
        paths: &[PathBuf],
        home: &Path,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let checked = paths.iter().map(|path| Checked::of(path, root));
        let checked = checked.collect::<Result<Vec<_>, _>>()?;
        let checkout = CheckedOut::make(revision, root).await?;
        let then = checkout.project.canonicalize();
        let then = then.map_err(|error| Failure::new("the checkout is gone").because(error))?;
        let (home, trust) = (home.to_owned(), trust.clone());
        let counting = move || counts(&then, &checked, &home, &trust);
        let counts = tokio::task::spawn_blocking(counting).await;
        counts.map_err(|error| Failure::new("the check stopped unexpectedly").because(error))?
    }

    /// Removes the findings that the commit has, as often as it has them. Of equal findings, the last ones
    /// stay.
    pub fn subtract(mut self, findings: Vec<Finding>, root: &Path) -> Vec<Finding> {
        let mut left = Vec::new();
        for finding in findings {
            match self.0.get_mut(&key(&finding, root)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => left.push(finding),
            }
        }
        left
    }
}

fn key(finding: &Finding, root: &Path) -> Key {
    let path = finding.path.strip_prefix(root).unwrap_or(&finding.path);
    // The detail may contain the path of the checkout. That of a cut has the size of the file, which changes with every
    // edit.
    let root = root.to_string_lossy();
    let detail = finding.detail.as_ref();
    let detail = detail
        .filter(|_| finding.code != Code::CodexCut)
        .map(|detail| detail.replace(&*root, ""));
    (path.to_owned(), finding.code, detail)
}

/// A path that is checked, as it is now.
struct Checked {
    /// Relative to the root.
    below: PathBuf,
    is_directory: bool,
}

impl Checked {
    fn of(path: &Path, root: &Path) -> Result<Self, Failure> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let below = real.strip_prefix(root).map_err(|_| {
            Failure::usage(format!(
                "{} is not in {}",
                say::path(&path),
                say::path(&root)
            ))
        });
        Ok(Self {
            below: below?.to_owned(),
            is_directory: real.is_dir(),
        })
    }

    /// Returns the path to check in a checkout: of a directory that did not exist, the nearest one above it, because the
    /// findings of a directory are also about those above.
    fn then(&self, then: &Path) -> Option<PathBuf> {
        let ways = self.below.ancestors().map(|below| then.join(below));
        let count = if self.is_directory { usize::MAX } else { 1 };
        ways.take(count).find(|path| path.exists())
    }
}

/// Counts the findings of these paths in a checkout.
fn counts(then: &Path, checked: &[Checked], home: &Path, trust: &Trust) -> Result<Before, Failure> {
    let mut counts = BTreeMap::new();
    for path in checked.iter().filter_map(|checked| checked.then(then)) {
        for finding in findings(&[path], home, trust)?.findings {
            *counts.entry(key(&finding, then)).or_insert(0) += 1;
        }
    }
    Ok(Before(counts))
}

/// The files of a commit.
struct CheckedOut {
    /// The root of the checkout, which has a `.git` so that a scan takes it for a project.
    project: PathBuf,
    _directory: TempDir,
}

impl CheckedOut {
    async fn make(revision: &str, root: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new("a temporary directory cannot be created").because(error)
        };
        let directory = tempfile::Builder::new()
            .prefix("ctxpin-check-")
            // The repository may be private, so the umask does not decide.
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(failed)?;
        let project = directory.path().join("project");
        std::fs::create_dir_all(project.join(".git")).map_err(failed)?;
        let index = directory.path().join("index");
        let commit = format!("{revision}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let named = git(root, &index, arguments).await?;
        if !named.status.success() {
            let failure =
                Failure::usage(format!("{} has no commit `{revision}`", say::path(&root)));
            // Git is quiet about a commit that is missing, and says why it cannot look for one.
            let reason = String::from_utf8_lossy(&named.stderr);
            return Err(match reason.trim() {
                "" => failure.hint(Hint::say("a shallow clone lacks older commits")),
                reason => failure.because(reason),
            });
        }
        let commit = String::from_utf8_lossy(&named.stdout).trim().to_owned();
        let mut into = OsString::from("--prefix=");
        into.push(&project);
        into.push("/");
        let off = filters_off(root, &index).await?;
        for arguments in [
            vec![OsStr::new("read-tree"), OsStr::new(&commit)],
            vec![OsStr::new("checkout-index"), OsStr::new("--all"), &into],
        ] {
            let said = git_with(root, &index, &off, arguments).await?;
            if !said.status.success() {
                return Err(Failure::new(format!("git cannot check out {revision}"))
                    .because(String::from_utf8_lossy(&said.stderr).trim())
                    .hint(Hint::say("a partial clone may lack its files")));
            }
        }
        Ok(Self {
            project,
            _directory: directory,
        })
    }
}

/// Returns settings that turn off all filters of a repository, as its own, the person's and the machine's configuration
/// name them.
async fn filters_off(root: &Path, index: &Path) -> Result<Vec<(String, &'static str)>, Failure> {
    let pattern = r"^filter\..*\.(smudge|process|required)$";
    let arguments = ["config", "--null", "--name-only", "--get-regexp", pattern];
    let named = git(root, index, arguments).await?;
    let names = String::from_utf8_lossy(&named.stdout).into_owned();
    let names = names.split_terminator('\0');
    let off = names.map(|name| match name.ends_with(".required") {
        true => (name.to_owned(), "false"),
        false => (name.to_owned(), ""),
    });
    Ok(off.collect())
}

/// Runs git on a repository with a separate index.
async fn git<A: AsRef<OsStr>>(
    root: &Path,
    index: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Output, Failure> {
    git_with(root, index, &[], arguments).await
}

/// Runs git as [`git`] does, with more settings. No program of the repository runs, also none that would fetch what a
/// partial clone lacks.
async fn git_with<A: AsRef<OsStr>>(
    root: &Path,
    index: &Path,
    settings: &[(String, &str)],
    arguments: impl IntoIterator<Item = A>,
) -> Result<Output, Failure> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(root)
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .env("GIT_INDEX_FILE", index)
        .env("GIT_ALLOW_PROTOCOL", "none")
        .kill_on_drop(true);
    // The name of a filter may have any character, so it goes into no argument. The caller may have set some already.
    let present = env::var(COUNT).ok().and_then(|count| count.parse().ok());
    let mut count: usize = present.unwrap_or(0);
    for (name, value) in settings {
        command
            .env(format!("GIT_CONFIG_KEY_{count}"), name)
            .env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env(COUNT, count.to_string());
    let said = command.output().await;
    said.map_err(|error| Failure::usage("--since needs git, which cannot be run").because(error))
}
