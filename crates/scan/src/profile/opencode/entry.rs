//! The entries of lists in opencode's configuration: paths, patterns and addresses, and what it fills in before.

use std::path::{Path, PathBuf};

use crate::directory::plain_path;

/// Returns whether opencode fills something in before it reads a text.
pub fn is_filled_in(text: &str) -> bool {
    text.contains("{env:") || text.contains("{file:")
}

/// Returns an entry without what may be secret in an address: all but its scheme and its host.
pub fn plain_entry(entry: &str) -> String {
    match address(entry) {
        Some((scheme, rest)) => plain_address(scheme, rest),
        None => entry.to_owned(),
    }
}

/// Returns an address without what may be secret in it, from its scheme and the rest.
pub fn plain_address(scheme: &str, rest: &str) -> String {
    let (host, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    let rest = if rest.len() > 1 { "/\u{2026}" } else { rest };
    format!("{scheme}{host}{rest}")
}

/// Splits an entry that is the address of a page behind its scheme.
pub fn address(entry: &str) -> Option<(&str, &str)> {
    let schemes = ["https://", "http://"];
    schemes.into_iter().find_map(|scheme| {
        let rest = entry.strip_prefix(scheme)?;
        Some((&entry[..scheme.len()], rest))
    })
}

/// Returns the path of an entry, from the home or from a directory.
pub fn path(entry: &str, home: &Path, directory: &Path) -> PathBuf {
    match entry.strip_prefix("~/") {
        Some(rest) => plain_path(&home.join(rest)),
        None => plain_path(&directory.join(entry)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_what_may_be_secret() {
        for (entry, expected) in [
            (
                "https://ada:key@example.org/a.md?token=x#y",
                "https://example.org/\u{2026}",
            ),
            (
                "https://example.org/sk-key/a.md",
                "https://example.org/\u{2026}",
            ),
            ("https://example.org?key=x", "https://example.org/\u{2026}"),
            ("https://example.org/", "https://example.org/"),
            ("http://example.org", "http://example.org"),
            ("docs/a?b#c@d.md", "docs/a?b#c@d.md"),
        ] {
            assert_eq!(plain_entry(entry), expected);
        }
    }
}
