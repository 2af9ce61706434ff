//! Every package uses the workspace's lints. Otherwise one package would accept a warning that all
//! others deny.

use super::Breach;
use super::files::File;

/// Reports a package's manifest without `[lints] workspace = true`.
pub fn check(files: &[File]) -> Vec<Breach> {
    files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .filter(|file| !takes_workspace_lints(file.text.as_deref().unwrap_or_default()))
        .map(|file| Breach::of_file(&file.path, "lacks `[lints]` with `workspace = true`"))
        .collect()
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.by_ref().any(|line| line == "[lints]")
        && lines
            .take_while(|line| !line.starts_with('['))
            .any(|line| line.replace(' ', "") == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{file, lines};

    #[test]
    fn every_package_takes_the_workspace_lints() {
        let files = [
            file("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            file("crates/b/Cargo.toml", "[package]\nname = \"b\"\n"),
            file("crates/c/Cargo.toml", "[lints]\n[x]\nworkspace = true\n"),
            file("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"),
            file("Cargo.toml", "[workspace]\n"),
        ];
        assert_eq!(
            lines(check(&files)),
            [
                "crates/b/Cargo.toml: lacks `[lints]` with `workspace = true`",
                "crates/c/Cargo.toml: lacks `[lints]` with `workspace = true`",
                "xtask/Cargo.toml: lacks `[lints]` with `workspace = true`",
            ]
        );
    }
}
