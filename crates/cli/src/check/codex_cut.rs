//! What Codex cuts off a project's instruction files, because it gives its model a number of bytes of all of them
//! together.

use ctxpin_model::warning::{Code, Warning, line_of};
use ctxpin_render::profile::effective;
use ctxpin_scan::Scan;

use super::Finding;

/// Returns a finding for each file of a scan by Codex's rules of which Codex gives its model only a part, or nothing.
pub fn findings(found: &Scan) -> Vec<Finding> {
    let effective = effective(&found.snapshot, &found.bodies);
    // Without a limit nothing is cut, and a limit of 0 switches the files off.
    let Some(bytes_max) = effective.bytes_max.filter(|bytes_max| *bytes_max > 0) else {
        return Vec::new();
    };
    let given = effective.given.iter();
    let given = given.map(|given| (given.source.as_str(), given.cut_at));
    let left_out = effective.left_out.iter();
    let left_out = left_out.map(|left_out| (left_out.source.as_str(), left_out.cut_at));
    let cuts = given.chain(left_out);
    let cuts = cuts.filter_map(|(source, cut_at)| of_file(found, source, cut_at?, bytes_max));
    cuts.collect()
}

fn of_file(found: &Scan, source: &str, cut_at: u64, bytes_max: u64) -> Option<Finding> {
    let mut files = found.snapshot.instruction_files();
    let body = files.find(|file| file.source == source)?.body()?;
    let body = found.bodies.get(&body)?;
    let text = String::from_utf8_lossy(body);
    let at = usize::try_from(cut_at).ok()?;
    let detail = format!(
        "Codex cuts it at byte {cut_at} of {}: it gives its model {bytes_max} bytes of the project's files together",
        body.len()
    );
    let warning = Warning::new(Code::CodexCut).about(detail);
    Some(super::finding(source, &warning.at_line(line_of(&text, at))))
}
