//! `cargo xtask soak`: builds the program and what puts it under load and faults, and starts that.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::command;
use crate::interrupt::Interrupt;

/// Builds the soak, and runs it with these arguments. Returns `true` if there was no violation.
pub fn run(root: &Path, arguments: &[OsString]) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let mut build = command::cargo(root);
    build.args(["build", "-p", "ctxpin-cli", "-p", "ctxpin-soak"]);
    ensure!(
        command::run_shown(&mut build, &interrupt)?,
        "the program does not build"
    );
    let program = command::target_directory()?.join("debug/ctxpin-soak");
    command::run_shown(Command::new(program).args(arguments), &interrupt)
}
