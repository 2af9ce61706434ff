//! The neutral profile: what most tools have in common, in every root.

use crate::ScanError;
use crate::boundary::Boundaries;
use crate::discover;
use crate::gather::Gathering;
use crate::roots::Roots;

/// Adds what the roots contribute, from broad to specific.
pub(super) fn find(
    roots: &Roots,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    for root in &roots.list {
        discover::root(root, boundaries, gathering)?;
    }
    Ok(())
}
