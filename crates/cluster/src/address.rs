//! An address that leads to one of several clusters, as that of a service that fails over.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use crate::{Cluster, temporary_root, url};

/// A link to the directory of a cluster's socket. Dropping it removes the link.
#[derive(Debug)]
pub struct Address {
    directory: TempDir,
    url: String,
}

impl Address {
    /// Creates an address that leads to this cluster at first.
    ///
    /// # Errors
    ///
    /// Fails if the link cannot be made.
    pub fn of(cluster: &Cluster) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ctxpin-address-")
            .tempdir_in(temporary_root())
            .context("making a directory for an address")?;
        let url = url(&directory.path().join("to"))?;
        let address = Self { directory, url };
        address.lead_to(cluster)?;
        Ok(address)
    }

    /// Returns the URL of the `postgres` database of the cluster that the address leads to, for the
    /// superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Leads later connections to another cluster.
    ///
    /// # Errors
    ///
    /// Fails if the link cannot be made.
    pub fn lead_to(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let new = self.path("new");
        symlink(cluster.directory(), &new)
            .and_then(|()| std::fs::rename(&new, self.path("to")))
            .with_context(|| format!("linking {}", new.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
