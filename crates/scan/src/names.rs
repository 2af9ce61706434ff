//! Names behind which secrets lie, or what is a tool's alone: no link, import or declared source leads
//! through one of them.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Directories and files of exactly this name.
const NAMES: [&str; 20] = [
    ".git",
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".terraform",
    ".config",
    ".local",
    ".cache",
    ".mozilla",
    ".password-store",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".vault-token",
    "credentials",
    "credentials.json",
];

/// Names that begin so.
const BEGINNINGS: [&str; 5] = [".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];

/// Names that end so.
const ENDINGS: [&str; 3] = [".pem", ".key", ".tfstate"];

/// Returns the first component of a path that is never led through. Case is folded, since there are file
/// systems that do so too.
pub(crate) fn barred(path: &Path) -> Option<&OsStr> {
    path.components().find_map(|component| match component {
        Component::Normal(name) => is_barred(name).then_some(name),
        _ => None,
    })
}

fn is_barred(name: &OsStr) -> bool {
    // Upper case first: some letters fold by their capital alone.
    let folded = name.to_string_lossy().to_uppercase().to_lowercase();
    NAMES.contains(&folded.as_str())
        || BEGINNINGS.iter().any(|begin| folded.starts_with(begin))
        || ENDINGS.iter().any(|end| folded.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_secrets_is_barred() {
        for path in [
            ".git/config",
            "a/.SSH/b",
            "a/.\u{17f}sh/b",
            ".env",
            ".env.local",
            ".envrc",
            "keys/server.PEM",
            "a/tls.key",
            "id_ed25519.pub",
            "prod.tfstate",
            "Credentials/a.md",
            "a/credentials.json",
            ".config/a.md",
        ] {
            assert!(barred(Path::new(path)).is_some(), "{path}");
        }
    }

    #[test]
    fn what_only_looks_so_is_not() {
        for path in [
            ".github/copilot-instructions.md",
            ".cursor/rules/a.mdc",
            ".ai/rules.md",
            ".gitignore",
            "git/a.md",
            "docs/credentials.md",
            "docs/env.md",
            "keys.md",
            "rid_rsa",
        ] {
            assert_eq!(barred(Path::new(path)), None, "{path}");
        }
    }
}
