//! The directories of other users that a scan trusts.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use ctxpin_agent::sources::{OPERATOR_CONFIG, Operator};
use ctxpin_scan::trust::Trust;

use super::absolute::absolute_paths;
use crate::say::Failure;
use crate::setting::variable;

/// The variable with directories of other users to trust, separated by colons.
const TRUST_VARIABLE: &str = "CTXPIN_TRUST_ROOT";

/// The directories of other users that a scan trusts.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustRoots {
    /// Read this directory and everything below it, although it belongs to another user;
    /// repeatable, adds to CTXPIN_TRUST_ROOT
    #[arg(long = "trust-root", value_name = "DIR")]
    trust_roots: Vec<PathBuf>,
}

impl TrustRoots {
    /// Returns the trust of this process, with the directories that the options, the variable and
    /// the operator name.
    ///
    /// # Errors
    ///
    /// Fails if the current directory is gone, or the operator's configuration cannot be used.
    pub fn get(&self) -> Result<Trust, Failure> {
        let listed = variable(TRUST_VARIABLE).unwrap_or_default();
        let named = env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty());
        let named: Vec<_> = self.trust_roots.iter().cloned().chain(named).collect();
        let mut trust = Trust::of_process();
        trust.roots = absolute_paths(&named)?;
        Operator::read(Path::new(OPERATOR_CONFIG))?.vouch(&mut trust);
        Ok(trust)
    }
}
