//! Installs Debian's PostgreSQL package where that is allowed, and else says what to install.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::command;
use crate::programs::{self, Missing, Programs, VERSION_MIN};

/// Installs the programs and nothing that keeps running: Debian's package would create and start a
/// cluster of its own, which the setting forbids for as long as the installation takes. Its
/// messages go to standard error, because standard output is for the line that a shell evaluates.
const SCRIPT: &str = "
export DEBIAN_FRONTEND=noninteractive
settings=/etc/postgresql-common/createcluster.d
mkdir -p \"$settings\"
printf 'create_main_cluster = false\\n' > \"$settings/ctxpin.conf\"
trap 'rm -f \"$settings/ctxpin.conf\"' EXIT
install='apt-get install -y --no-install-recommends postgresql'
$install || { apt-get update && $install; }
";

/// How root's rights are had here, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    Sudo,
    None,
}

/// What each script begins with. Tests run beside each other and may miss the same program, and apt-get waits for no
/// other one.
const BEGIN: &str = "
set -eu
exec >&2
exec 9> /run/lock/ctxpin-install
flock 9
";

/// Installs the package of a program that has its name, if the program is missing and that is allowed. `why` says what
/// does not work without it.
///
/// # Errors
///
/// Fails if the program is missing and cannot be installed.
pub fn program(name: &str, why: &str) -> anyhow::Result<()> {
    let mut find = Command::new("sh");
    find.args(["-c", "command -v \"$0\"", name]);
    match command::output_of(&mut find) {
        Ok(_) => Ok(()),
        Err(_) => package(name, why),
    }
}

/// Installs one of Debian's packages, if that is allowed. `why` says what does not work without it.
///
/// # Errors
///
/// Fails if it cannot be installed.
pub fn package(name: &str, why: &str) -> anyhow::Result<()> {
    let rights = rights();
    if !has_apt_get() || rights == Rights::None {
        bail!("{why}: install {name} and run this again");
    }
    eprintln!("{why}.\nInstalling Debian's package `{name}` with apt-get.");
    let install = format!("apt-get install -y --no-install-recommends {name}");
    let script = format!("{install} || {{ apt-get update && {install}; }}");
    run(rights, &script).with_context(|| format!("{why}: install {name} and run this again"))
}

/// Finds PostgreSQL's server programs, and installs them if they are missing and that is allowed.
/// The error names the package to install.
pub fn programs() -> anyhow::Result<Programs> {
    match programs::find() {
        Ok(programs) => Ok(programs),
        Err(missing) => {
            postgres(&missing)?;
            programs::find().context("after installing the package")
        }
    }
}

fn postgres(missing: &Missing) -> anyhow::Result<()> {
    let rights = rights();
    if !has_apt_get() || rights == Rights::None {
        bail!("{missing}.\n{}", advice());
    }
    eprintln!("{missing}.\nInstalling Debian's package `postgresql` with apt-get.");
    run(rights, SCRIPT)
        .with_context(|| format!("{missing}, and installing it failed.\n{}", advice()))
}

/// Runs a script with root's rights.
fn run(rights: Rights, script: &str) -> anyhow::Result<()> {
    let mut shell = match rights {
        Rights::Sudo => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "sh"]);
            sudo
        }
        Rights::Root | Rights::None => Command::new("sh"),
    };
    let status = shell
        .args(["-c", &format!("{BEGIN}{script}")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("starting the installation")?;
    if !status.success() {
        bail!("the installation failed ({status})");
    }
    Ok(())
}

fn has_apt_get() -> bool {
    Path::new("/usr/bin/apt-get").exists()
}

fn rights() -> Rights {
    if rustix::process::geteuid().is_root() {
        Rights::Root
    } else if command::output_of(Command::new("sudo").args(["-n", "true"])).is_ok() {
        Rights::Sudo
    } else {
        Rights::None
    }
}

fn advice() -> String {
    format!(
        "Install PostgreSQL {VERSION_MIN} or later (its server, not only its client) and run this \
         again:\n  \
         Debian, Ubuntu:  sudo apt-get install postgresql\n  \
         Fedora:          sudo dnf install postgresql-server\n  \
         macOS:           brew install postgresql@17"
    )
}
