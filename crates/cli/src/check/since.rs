//! The findings of other states of a project than its work tree: of an earlier commit, so that only new findings are
//! reported, and of the index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctxpin_model::warning::Code;
use ctxpin_scan::trust::Trust;

use super::checkout::Checkout;
use super::{Checked, Finding, findings};
use crate::say::{self, Failure};

/// The findings of a commit, with the number of times that each occurs.
pub struct Before(BTreeMap<Key, usize>);

/// A finding without its line, which moves with every edit above it.
type Key = (PathBuf, Code, Option<String>);

impl Before {
    /// Checks out the commit `revision` of the repository at `root` into a private temporary directory, and
    /// checks the same paths there. A file that did not exist yet has no findings, and a directory those of the
    /// directories above it. Before the first commit, there are none. The checkout is deleted when this function returns
    /// or its future is dropped.
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
        let Some(checkout) = Checkout::of_commit(revision, root).await? else {
            return Ok(Self(BTreeMap::new()));
        };
        let checked = there(&checkout, root, paths, home, trust).await?;
        let mut counts = BTreeMap::new();
        for finding in checked.findings {
            *counts.entry(key(&finding, &checkout.project)).or_insert(0) += 1;
        }
        Ok(Self(counts))
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

/// The files that the next commit would have.
pub struct Staged(Checkout);

impl Staged {
    /// Checks out the index of the repository at `root` into a private temporary directory, which is deleted when the
    /// value is dropped.
    ///
    /// # Errors
    ///
    /// Fails if `root` is not a git repository, or its index cannot be checked out.
    pub async fn read(root: &Path) -> Result<Self, Failure> {
        Checkout::of_index(root).await.map(Self)
    }

    /// Returns the root of the checkout.
    pub fn project(&self) -> &Path {
        &self.0.project
    }

    /// Returns the findings about these paths as they are in the index.
    ///
    /// # Errors
    ///
    /// Fails if a path cannot be checked.
    pub async fn findings(
        &self,
        root: &Path,
        paths: &[PathBuf],
        home: &Path,
        trust: &Trust,
    ) -> Result<Checked, Failure> {
        let mut checked = there(&self.0, root, paths, home, trust).await?;
        let (then, now) = (self.project().to_string_lossy(), root.to_string_lossy());
        for finding in &mut checked.findings {
            if let Ok(below) = finding.path.strip_prefix(self.project()) {
                finding.path = root.join(below).components().collect();
            }
            let detail = finding.detail.take();
            finding.detail = detail.map(|detail| detail.replace(&*then, &now));
        }
        Ok(checked)
    }
}

/// A path that is checked, as it is now.
struct Named {
    /// Relative to the root.
    below: PathBuf,
    is_directory: bool,
}

impl Named {
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

    /// Returns the path to check in a checkout: of a directory that it does not have, the nearest one above it, because
    /// the findings of a directory are also about those above.
    fn then(&self, then: &Path) -> Option<PathBuf> {
        let ways = self.below.ancestors().map(|below| then.join(below));
        let count = if self.is_directory { usize::MAX } else { 1 };
        ways.take(count).find(|path| path.exists())
    }
}

/// Checks these paths of the project at `root` in a checkout of it. The findings have paths in the checkout.
async fn there(
    checkout: &Checkout,
    root: &Path,
    paths: &[PathBuf],
    home: &Path,
    trust: &Trust,
) -> Result<Checked, Failure> {
    let named = paths.iter().map(|path| Named::of(path, root));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let paths = named
        .iter()
        .filter_map(|named| named.then(&checkout.project));
    let paths: Vec<_> = paths.collect();
    let (home, trust) = (home.to_owned(), trust.clone());
    let checking = tokio::task::spawn_blocking(move || findings(&paths, &home, &trust));
    let checked = checking.await;
    checked.map_err(|error| Failure::new("the check stopped unexpectedly").because(error))?
}
