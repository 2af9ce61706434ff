//! What a workspace was before a change, so that only what the change brought is told.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ctxpin_scan::trust::Trust;
use tempfile::TempDir;

use super::{Finding, findings};
use crate::say::{self, Failure};

/// The findings of a commit, by what they say, with how often they say it.
pub struct Before(BTreeMap<Key, usize>);

/// A finding without its line, which moves with every edit above it.
type Key = (PathBuf, &'static str, Option<String>);

impl Before {
    /// Checks out the commit `revision` of the repository at `root` into a temporary directory, and
    /// checks the same paths there. A path that was not there yet has no findings.
    ///
    /// # Errors
    ///
    /// If `root` is no repository of git, there is no such commit, or it cannot be checked out.
    pub fn read(
        revision: &str,
        root: &Path,
        paths: &[PathBuf],
        home: &Path,
        trust: &Trust,
    ) -> Result<Self, Failure> {
        let tree = checked_out(revision, root)?;
        let then = tree.path().canonicalize();
        let then = then.map_err(|error| Failure::new(format!("the checkout is gone: {error}")))?;
        let mut counts = BTreeMap::new();
        for path in paths {
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let below = real.strip_prefix(root).map_err(|_| {
                Failure::usage(format!(
                    "{} is not in {}",
                    say::path(&path),
                    say::path(&root)
                ))
            })?;
            let path = then.join(below);
            if !path.exists() {
                continue;
            }
            for finding in findings(&[path], home, trust)?.findings {
                *counts.entry(key(&finding, &then)).or_insert(0) += 1;
            }
        }
        Ok(Self(counts))
    }

    /// Takes away what was there before, as often as it was there. Of equal ones the later stay.
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
    // What it says may name the place of the checkout.
    let root = root.to_string_lossy();
    let detail = finding
        .detail
        .as_ref()
        .map(|detail| detail.replace(&*root, ""));
    (path.to_owned(), finding.code, detail)
}

/// The files of a commit in a directory of their own, which is a project as the repository is.
fn checked_out(revision: &str, root: &Path) -> Result<TempDir, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("a temporary directory cannot be made: {error}"))
    };
    let tree = tempfile::Builder::new()
        .prefix("ctxpin-check-")
        .tempdir()
        .map_err(failed)?;
    std::fs::create_dir(tree.path().join(".git")).map_err(failed)?;
    let index = tempfile::tempdir().map_err(failed)?;
    let index = index.path().join("index");
    let commit = format!("{revision}^{{commit}}");
    let named = git(
        root,
        &index,
        [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ],
    )?;
    if !named.status.success() {
        return Err(Failure::usage(format!(
            "{} has no commit `{revision}`; a shallow clone lacks older ones",
            say::path(&root)
        )));
    }
    let commit = String::from_utf8_lossy(&named.stdout).trim().to_owned();
    let mut prefix = tree.path().as_os_str().to_owned();
    prefix.push("/");
    let mut into = std::ffi::OsString::from("--prefix=");
    into.push(&prefix);
    for arguments in [
        vec![OsStr::new("read-tree"), OsStr::new(&commit)],
        vec![OsStr::new("checkout-index"), OsStr::new("--all"), &into],
    ] {
        let said = git(root, &index, arguments)?;
        if !said.status.success() {
            return Err(Failure::new(format!(
                "git cannot check out {revision}: {}",
                String::from_utf8_lossy(&said.stderr).trim()
            )));
        }
    }
    Ok(tree)
}

/// Runs git on a repository with an index of its own. Large files stay the pointers that they are.
fn git<A: AsRef<OsStr>>(
    root: &Path,
    index: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Output, Failure> {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(root)
        .args(arguments)
        .env("GIT_INDEX_FILE", index)
        .env("GIT_LFS_SKIP_SMUDGE", "1");
    command
        .output()
        .map_err(|error| Failure::usage(format!("--since needs git, which cannot be run: {error}")))
}
