//! Directories that a tool finds only where names do not tell upper from lower case, as on most Macs.

use std::path::Path;

use ctxpin_model::warning::{Code, Warning};

use super::{Finding, finding};

/// The directories of tools, each with the names in it that they read.
const KNOWN: [(&str, &[&str]); 4] = [
    (".agents", &["skills"]),
    (".claude", &["CLAUDE.md", "rules", "skills"]),
    (".codex", &["skills"]),
    (".opencode", &["skill", "skills"]),
];

/// Returns a finding for each name in the directories from the project's root to `directory` that is a known one in
/// another case.
pub fn findings(directory: &Path, root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let ways = directory.ancestors();
    for above in ways.take_while(|above| above.starts_with(root)) {
        for name in names(above) {
            let Some((spelt, inner)) = KNOWN
                .iter()
                .find(|(known, _)| name.eq_ignore_ascii_case(known))
            else {
                continue;
            };
            let path = above.join(&name);
            if name != *spelt {
                found.push(told(&path, spelt));
            }
            for name in names(&path) {
                let spelt = inner.iter().find(|inner| name.eq_ignore_ascii_case(inner));
                if let Some(spelt) = spelt.filter(|spelt| name != **spelt) {
                    found.push(told(&path.join(&name), spelt));
                }
            }
        }
    }
    found
}

fn names(directory: &Path) -> Vec<String> {
    let entries = directory.read_dir().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.collect()
}

fn told(path: &Path, spelt: &str) -> Finding {
    let warning = Warning::new(Code::NameCase).about(spelt);
    finding(&path.to_string_lossy(), &warning)
}
