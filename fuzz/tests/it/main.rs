//! Every target on its corpus and on generated inputs, so that `cargo xtask test` runs them too.

mod corpus;
mod generated;
mod mutation;

use std::path::{Path, PathBuf};

/// Returns the path of a folder or file of this package.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Returns the entries of a folder of this package, by name.
fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path(folder)).expect("the folder is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    paths
}

/// Returns the inputs of a target's corpus with their names.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = entries(&format!("corpus/{target}")).into_iter();
    files
        .map(|file| {
            let bytes = std::fs::read(&file).expect("it can be read");
            (file.display().to_string(), bytes)
        })
        .collect()
}
