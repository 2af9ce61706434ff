//! The findings about imports: one for each.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ctxpin_model::warning::Code;

use super::Finding;

/// What is behind the last `@path` of inline code that Claude Code takes for an import.
const CODE_END: char = '`';

/// Leaves one finding for each import. Where Claude Code reads a part of inline code as an import whose name ends with a
/// backtick, nobody meant one: nothing is said of it, except if the file without the backtick exists.
pub fn settle(findings: &mut Vec<Finding>) {
    let ignored: HashSet<(PathBuf, String)> = findings
        .iter()
        .filter(|found| found.code == Code::ImportIgnored)
        .filter_map(|found| {
            let (written, _) = found.detail.as_ref()?.rsplit_once(": ")?;
            Some((found.path.clone(), written.to_owned()))
        })
        .collect();
    findings.retain(|found| {
        let detail = found.detail.as_deref().unwrap_or_default();
        let is_told = |written: &str| ignored.contains(&(found.path.clone(), written.to_owned()));
        if !matches!(
            found.code,
            Code::ImportMissing | Code::ImportOutside | Code::ImportUnpinned
        ) {
            return true;
        }
        let plain = detail.trim_end_matches(CODE_END);
        let directory = found.path.parent().unwrap_or(Path::new("/"));
        !is_told(plain) && (plain == detail || directory.join(plain).exists())
    });
}
