//! Names of files and directories that hold secrets or a tool's own data. No link, import or declared
//! source may lead through one of them.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Names that are barred as a whole.
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

/// Beginnings of barred names.
const BEGINNINGS: [&str; 5] = [".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];

/// Endings of barred names.
const ENDINGS: [&str; 3] = [".pem", ".key", ".tfstate"];

/// Returns the first component of a path that no way may lead through. Ignores case, because some file
/// systems do.
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
