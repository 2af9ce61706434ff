//! The imports that Claude Code does not follow although their files exist.

use ctxpin_model::profile::Profile;
use ctxpin_model::warning::Code;
use ctxpin_scan::roots::Request;
use ctxpin_scan::{Scan, scan};

use super::Finding;
use crate::say::Failure;

/// Reads a project's instruction files by Claude Code's rules, if one of those that were `found` may import something.
///
/// # Errors
///
/// Fails if the directory of the request cannot be scanned.
pub fn read(request: Request, found: &Scan) -> Result<Vec<Finding>, Failure> {
    let mut bodies = found.bodies.values();
    if !bodies.any(|body| body.contains(&b'@')) {
        return Ok(Vec::new());
    }
    let request = Request {
        profile: Profile::ClaudeCode,
        sources: Vec::new(),
        ..request
    };
    let found = scan(&request, &|| false);
    let found = found.map_err(|error| Failure::usage(error.to_string()))?;
    let notes = found.notes.iter();
    let ignored = notes.filter(|note| note.warning.code == Code::ImportIgnored);
    let findings = ignored.map(|note| {
        let source = note.source.as_deref().unwrap_or_default();
        super::finding(source, &note.warning)
    });
    Ok(findings.collect())
}
