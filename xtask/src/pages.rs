//! `cargo xtask pages`: builds the program and what looks at its pages, and takes screenshots.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use clap::Args;
use ctxpin_cluster::install;

use crate::command;
use crate::interrupt::Interrupt;

/// The fonts of the screenshots, with Debian's package of each.
const FONTS: [(&str, &str); 2] = [
    ("Inter", "fonts-inter"),
    ("JetBrains Mono", "fonts-jetbrains-mono"),
];

/// Options of the screenshots.
#[derive(Debug, Args)]
pub struct Options {
    /// The directory for the pictures. The default is `screenshots` in the target directory.
    #[arg(long, value_name = "DIRECTORY")]
    into: Option<PathBuf>,
    /// Take only the scenes whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Show whole pages, however long they are.
    #[arg(long)]
    whole: bool,
    /// Take only the pictures of the README and of docs/page.md, and replace them.
    #[arg(long, conflicts_with_all = ["into", "whole"])]
    documents: bool,
    /// Take no picture, but keep the server running until Ctrl-C, and print the tokens of its people.
    #[arg(long, conflicts_with_all = ["into", "whole", "only", "documents"])]
    stay: bool,
}

/// Builds the program, and takes the pictures. Returns `true` if all could be taken.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let mut build = command::cargo(root);
    build.args(["build", "-p", "ctxpin-cli", "-p", "ctxpin-pages"]);
    ensure!(
        command::run_shown(&mut build, &interrupt)?,
        "the program does not build"
    );
    for (family, package) in FONTS {
        if !has_font(family) {
            install::package(package, "the screenshots have a font of their own")?;
        }
    }
    let target = command::target_directory()?;
    let directory = target.join("debug");
    let into = options.into.clone();
    let into = into.unwrap_or_else(|| target.join("screenshots"));
    let mut shoot = Command::new(directory.join("ctxpin-pages"));
    shoot.arg("shoot");
    shoot.arg("--program").arg(directory.join("ctxpin"));
    shoot.arg("--into").arg(&into);
    if let Some(only) = &options.only {
        shoot.arg("--only").arg(only);
    }
    if options.whole {
        shoot.arg("--whole");
    }
    if options.stay {
        shoot.arg("--stay");
    }
    if options.documents {
        shoot.arg("--documents").arg(root.join("docs/page"));
    }
    shoot.env("FONTCONFIG_FILE", root.join("pages/fonts.conf"));
    let passed = command::run_shown(&mut shoot, &interrupt)?;
    if passed && !options.documents {
        println!("The pictures are in {}.", into.display());
    }
    Ok(passed)
}

fn has_font(family: &str) -> bool {
    let mut search = Command::new("fc-match");
    search.args(["--format", "%{family}", family]);
    command::output_of(&mut search).is_ok_and(|found| found.contains(family))
}
