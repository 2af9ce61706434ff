//! Short forms of ids, hashes and paths.

use std::path::Path;

use uuid::Uuid;

/// Digits of an id that are printed. The end of a UUIDv7 is random, its beginning is the time.
const ID_DIGITS: usize = 8;

/// Digits of a hash that are printed.
const HASH_DIGITS: usize = 12;

/// Minimum number of digits that name an id or a hash.
pub const DIGITS_MIN: usize = 4;

/// Returns the end of an id.
pub fn id(id: Uuid) -> String {
    let digits = id.simple().to_string();
    digits[digits.len() - ID_DIGITS..].to_owned()
}

/// Returns whether an id ends in these hexadecimal digits, of which there must be at least four.
/// Hyphens and case do not matter.
pub fn ends_with(id: Uuid, ending: &str) -> bool {
    let ending = ending.replace('-', "").to_lowercase();
    ending.len() >= DIGITS_MIN && id.simple().to_string().ends_with(&ending)
}

/// Returns the beginning of a hash, without the name of its algorithm.
pub fn hash(hash: &str) -> String {
    let digits = hash.strip_prefix("sha256:").unwrap_or(hash);
    digits.chars().take(HASH_DIGITS).collect()
}

/// Returns whether a hash begins with these hexadecimal digits, of which there must be at least
/// four.
pub fn hash_starts_with(hash: &str, beginning: &str) -> bool {
    let digits = hash.strip_prefix("sha256:").unwrap_or(hash);
    let beginning = beginning.strip_prefix("sha256:").unwrap_or(beginning);
    beginning.len() >= DIGITS_MIN && digits.starts_with(&beginning.to_lowercase())
}

/// Returns a path relative to the current directory or else to the home directory, if it lies below
/// one.
pub fn path(path: &str, current: &Path, home: &Path) -> String {
    let whole = Path::new(path);
    if let Some(below) = below(whole, current) {
        return below.to_string_lossy().into_owned();
    }
    match below(whole, home) {
        Some(below) => format!("~/{}", below.to_string_lossy()),
        None => path.to_owned(),
    }
}

/// Returns a path relative to a directory. Returns `None` for the directory itself, for a path
/// elsewhere, and if the directory is unknown.
fn below<'p>(path: &'p Path, directory: &Path) -> Option<&'p Path> {
    let below = path.strip_prefix(directory).ok()?;
    let is_told = directory.parent().is_some() && !below.as_os_str().is_empty();
    is_told.then_some(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_by_its_end() {
        let uuid: Uuid = "0192f0c1-1111-7abc-8def-0123456789ab".parse().unwrap();
        assert_eq!(id(uuid), "456789ab");
        for (ending, expected) in [
            ("456789ab", true),
            ("89AB", true),
            ("9ab", false),
            ("", false),
            ("8def-0123456789ab", true),
            ("0192f0c1-1111-7abc-8def-0123456789ab", true),
            ("456789ac", false),
        ] {
            assert_eq!(ends_with(uuid, ending), expected, "{ending}");
        }
    }

    #[test]
    fn a_hash_is_named_by_its_beginning() {
        let whole = "sha256:0123456789abcdef";
        assert_eq!(hash(whole), "0123456789ab");
        for (beginning, expected) in [
            ("0123", true),
            ("sha256:0123", true),
            ("012", false),
            ("0124", false),
            ("sha256:", false),
            ("0123456789ABCDEF", true),
        ] {
            assert_eq!(hash_starts_with(whole, beginning), expected, "{beginning}");
        }
    }

    #[test]
    fn a_path_is_told_from_where_one_stands() {
        let check = |input: &str, expected: &str| {
            let told = path(input, Path::new("/home/ada/app"), Path::new("/home/ada"));
            assert_eq!(told, expected);
        };
        check("/home/ada/app/AGENTS.md", "AGENTS.md");
        check("/home/ada/.claude/CLAUDE.md", "~/.claude/CLAUDE.md");
        check("/home/ada/app", "~/app");
        check("/home/ada2/x", "/home/ada2/x");
        check("/srv/x", "/srv/x");
        check("files", "files");
        let told = path("/srv/x", Path::new("/"), Path::new(""));
        assert_eq!(told, "/srv/x");
    }
}
