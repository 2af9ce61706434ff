//! The files of a commit or of git's index, in a private temporary directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::git;
use crate::say::{self, Failure, Hint};

/// The variable with the number of settings that git takes from its environment.
const COUNT: &str = "GIT_CONFIG_COUNT";

/// The greatest number of submodules that are checked out.
const SUBMODULES_MAX: usize = 1_000;

/// The files of a commit or of the index. They are deleted when the value is dropped.
pub struct Checkout {
    /// The canonical root of the checkout, which has a `.git` so that a scan takes it for a project.
    pub project: PathBuf,
    _directory: TempDir,
}

/// Files to check out.
struct Tree {
    /// A directory of the repository.
    repository: PathBuf,
    /// The id of a commit or of a tree.
    id: String,
    into: PathBuf,
    is_submodule: bool,
}

impl Checkout {
    /// Checks out the commit `revision` of the repository at `root`, with those of its submodules that the work tree has
    /// too. Returns `None` if it is the `HEAD` of a repository that has no commit yet.
    ///
    /// # Errors
    ///
    /// Fails if `root` is not a git repository, or the commit does not exist or cannot be checked out.
    pub async fn of_commit(revision: &str, root: &Path) -> Result<Option<Self>, Failure> {
        let mut command = git::command(root);
        command
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{revision}^{{commit}}"));
        let named = output(command, "--since").await?;
        if named.status.success() {
            return Self::of(trimmed(&named.stdout), revision, root)
                .await
                .map(Some);
        }
        // Git is quiet about a commit that is missing, and says why it cannot look for one.
        let reason = trimmed(&named.stderr);
        let failure = Failure::usage(format!("{} has no commit `{revision}`", say::path(&root)));
        if !reason.is_empty() {
            return Err(failure.because(reason));
        }
        let mut command = git::command(root);
        command.args(["symbolic-ref", "--quiet", "HEAD"]);
        let is_head = matches!(revision, "HEAD" | "@");
        if is_head && output(command, "--since").await?.status.success() {
            return Ok(None);
        }
        Err(failure.hint(Hint::say("a shallow clone lacks older commits")))
    }

    /// Checks out what a commit of now would have: the index, which a hook of git may name.
    ///
    /// # Errors
    ///
    /// Fails if `root` is not a git repository, or its index has conflicts or cannot be checked out.
    pub async fn of_index(root: &Path) -> Result<Self, Failure> {
        let mut command = git::command(root);
        command.arg("write-tree");
        let written = output(command, "--staged").await?;
        if !written.status.success() {
            let failure = Failure::usage(format!("{} has no index to check", say::path(&root)));
            return Err(failure.because(trimmed(&written.stderr)));
        }
        Self::of(trimmed(&written.stdout), "the index", root).await
    }

    async fn of(id: String, name: &str, root: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::new("a temporary directory cannot be created").because(error)
        };
        let directory = tempfile::Builder::new()
            .prefix("ctxpin-check-")
            // The repository may be private, so the umask does not decide.
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(failed)?;
        let project = directory.path().canonicalize().map_err(failed)?;
        let project = project.join("project");
        make_repository(&project.join(".git")).map_err(failed)?;
        let mut trees = vec![Tree {
            repository: root.to_owned(),
            id,
            into: project.clone(),
            is_submodule: false,
        }];
        let mut count = 0;
        while let Some(tree) = trees.pop() {
            let index = directory.path().join(format!("index-{count}"));
            count += 1;
            match tree.check_out(&index).await? {
                Ok(found) => trees.extend(found),
                Err(_) if tree.is_submodule => say::note(&format!(
                    "{} has no commit {}, so what is checked of it counts as new",
                    say::path(&tree.repository),
                    tree.id
                )),
                Err(reason) => {
                    let failure = Failure::new(format!("git cannot check out {name}"));
                    let hint = Hint::say("a partial clone may lack its files");
                    return Err(failure.because(reason).hint(hint));
                }
            }
            trees.truncate(SUBMODULES_MAX.saturating_sub(count));
        }
        Ok(Self {
            project,
            _directory: directory,
        })
    }
}

/// Makes a directory that the tools take for a repository.
fn make_repository(git: &Path) -> io::Result<()> {
    std::fs::create_dir_all(git.join("objects"))?;
    std::fs::create_dir(git.join("refs"))?;
    std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n")
}

impl Tree {
    /// Writes the files, by means of an index of their own. Returns the submodules among them, or what git says if it
    /// cannot.
    async fn check_out(&self, index: &Path) -> Result<Result<Vec<Self>, String>, Failure> {
        let mut into = OsString::from("--prefix=");
        into.push(&self.into);
        into.push("/");
        let off = self.filters_off().await?;
        let mut listed = Vec::new();
        for arguments in [
            vec![OsStr::new("read-tree"), OsStr::new(&self.id)],
            vec![OsStr::new("checkout-index"), OsStr::new("--all"), &into],
            vec![
                OsStr::new("ls-files"),
                OsStr::new("--stage"),
                OsStr::new("-z"),
            ],
        ] {
            let mut command = self.git();
            command.args(arguments).env("GIT_INDEX_FILE", index);
            set(&mut command, &off);
            let said = output(command, "a checkout").await?;
            if !said.status.success() {
                return Ok(Err(trimmed(&said.stderr)));
            }
            listed = said.stdout;
        }
        let entries = listed.split(|byte| *byte == 0);
        Ok(Ok(entries
            .filter_map(|entry| self.submodule(entry))
            .collect()))
    }

    fn git(&self) -> Command {
        match self.is_submodule {
            true => git::command_for(&self.repository),
            false => git::command(&self.repository),
        }
    }

    /// Returns settings that turn off all filters of the repository, as its own, the person's and the machine's
    /// configuration name them.
    async fn filters_off(&self) -> Result<Vec<(String, &'static str)>, Failure> {
        let mut command = self.git();
        command
            .args(["config", "--null", "--name-only", "--get-regexp"])
            .arg(r"^filter\..*\.(smudge|process|required)$");
        let named = output(command, "a checkout").await?;
        let names = String::from_utf8_lossy(&named.stdout).into_owned();
        let names = names.split_terminator('\0');
        let off = names.map(|name| match name.ends_with(".required") {
            true => (name.to_owned(), "false"),
            false => (name.to_owned(), ""),
        });
        Ok(off.collect())
    }

    /// Returns the submodule that an entry of the index stands for, if the work tree has it.
    fn submodule(&self, entry: &[u8]) -> Option<Self> {
        let text = entry.strip_prefix(b"160000 ")?;
        let tab = text.iter().position(|byte| *byte == b'\t')?;
        let id = str::from_utf8(&text[..tab]).ok()?.split(' ').next()?;
        let path = Path::new(OsStr::from_bytes(&text[tab + 1..]));
        let repository = self.repository.join(path);
        let is_own = repository.canonicalize().ok()? == repository;
        (is_own && repository.join(".git").exists()).then(|| Self {
            id: id.to_owned(),
            into: self.into.join(path),
            repository,
            is_submodule: true,
        })
    }
}

/// Adds settings to a call of git. The name of a filter may have any character, so it goes into no argument. The caller
/// of this process may have set some already.
fn set(command: &mut Command, settings: &[(String, &str)]) {
    let present = env::var(COUNT).ok().and_then(|count| count.parse().ok());
    let mut count: usize = present.unwrap_or(0);
    for (name, value) in settings {
        command
            .env(format!("GIT_CONFIG_KEY_{count}"), name)
            .env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env(COUNT, count.to_string());
}

/// Runs git to its end. `option` needs it.
async fn output(command: Command, option: &str) -> Result<Output, Failure> {
    let mut command = tokio::process::Command::from(command);
    let said = command.kill_on_drop(true).output().await;
    said.map_err(|error| {
        Failure::usage(format!("{option} needs git, which cannot be run")).because(error)
    })
}

fn trimmed(said: &[u8]) -> String {
    String::from_utf8_lossy(said).trim().to_owned()
}
