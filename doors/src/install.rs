//! Installs the tools from the npm registry, each version in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::client::Client;

/// Returns the program of a version of a tool, which is installed if it is missing. `latest` is looked up each
/// time.
pub fn installed(tools: &Path, client: Client, version: &str) -> anyhow::Result<PathBuf> {
    let directory = tools.join(format!("{}-{version}", client.name()));
    let program = directory.join("node_modules").join(client.program());
    if version != "latest" && program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&directory)?;
    let package = format!("{}@{version}", client.package());
    println!("installing {package}");
    let status = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
        .arg(&directory)
        .arg(&package)
        .status()
        .context("starting npm; Debian's package `npm` has it")?;
    ensure!(status.success(), "npm could not install {package}");
    let found = program.is_file();
    ensure!(found, "{package} has no {}", program.display());
    Ok(program)
}
