//! git, as a check calls it: no program of the repository runs.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ctxpin_scan::plain_path;

/// The greatest number of bytes that are read of a list of files. A million files have less.
const LIST_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The variables by which a hook of git names its repository. They are of no use in another one.
const OF_REPOSITORY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
];

/// Returns a call of git in a directory. No program of the repository runs, also none that would fetch what a partial
/// clone lacks.
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(["-c", "core.fsmonitor=false"])
        .env("GIT_ALLOW_PROTOCOL", "none");
    command
}

/// Returns a call of git about the repository around a directory, whatever repository a hook runs for.
pub fn command_for(directory: &Path) -> Command {
    let mut command = command(directory);
    for name in OF_REPOSITORY {
        command.env_remove(name);
    }
    command
}

/// Returns the files and directories below `root` that git ignores: absolute paths, those of a directory without those
/// in it. Returns none if git does not answer.
pub fn ignored(root: &Path) -> HashSet<PathBuf> {
    let arguments = ["--others", "--ignored", "--exclude-standard", "--directory"];
    let list = list(root, &arguments);
    let paths = list
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty());
    // A slash at the end marks a directory.
    let paths = paths.map(|path| root.join(path_of(path)).components().collect());
    paths.collect()
}

/// The project that is checked.
pub struct Project {
    pub root: PathBuf,
    /// What a sparse checkout leaves out, read when a path is first asked for: files with the directories around them.
    left_out: OnceCell<HashSet<PathBuf>>,
    /// The files that git does not ignore, relative to the root, read when they are first asked for.
    files: OnceCell<Vec<String>>,
}

impl Project {
    /// Begins with nothing read.
    pub fn at(root: PathBuf) -> Self {
        Self {
            root,
            left_out: OnceCell::new(),
            files: OnceCell::new(),
        }
    }

    /// Returns whether a file or directory is in the index, but left out of the work tree by a sparse checkout.
    pub fn leaves_out(&self, path: &Path) -> bool {
        let path = plain_path(path);
        if !path.starts_with(&self.root) {
            return false;
        }
        self.left_out.get_or_init(|| self.read()).contains(&path)
    }

    /// Returns the files that git does not ignore, relative to the root and in their order. Returns none if git does not
    /// answer.
    pub fn files(&self) -> &[String] {
        self.files.get_or_init(|| {
            let arguments = ["--cached", "--others", "--exclude-standard"];
            let list = list(&self.root, &arguments);
            let paths = list.split(|byte| *byte == 0).map(str::from_utf8);
            let paths = paths.filter_map(|path| path.ok().filter(|path| !path.is_empty()));
            let mut files: Vec<_> = paths.map(str::to_owned).collect();
            files.sort_unstable();
            files
        })
    }

    /// Returns whether git would ignore one of these paths, so that it may be a file of one machine.
    pub fn ignores(&self, paths: &[PathBuf]) -> bool {
        let paths = paths.iter().map(|path| plain_path(path));
        let paths: Vec<_> = paths.filter(|path| path.starts_with(&self.root)).collect();
        if paths.is_empty() {
            return false;
        }
        let mut command = command_for(&self.root);
        command
            .args(["check-ignore", "--no-index", "--"])
            .args(paths);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let ended = command.stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    }

    fn read(&self) -> HashSet<PathBuf> {
        let list = list(&self.root, &["-t"]);
        let entries = list.split(|byte| *byte == 0);
        let files = entries.filter_map(|entry| entry.strip_prefix(b"S "));
        let mut paths = HashSet::new();
        for file in files {
            let file = self.root.join(path_of(file));
            let around = file.ancestors().take_while(|path| *path != self.root);
            for path in around {
                if !paths.insert(path.to_owned()) {
                    break;
                }
            }
        }
        paths
    }
}

/// Returns what `git ls-files` lists, separated by NUL. Returns nothing if git does not answer.
fn list(root: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = command_for(root);
    command.args(["ls-files", "-z"]).args(arguments);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(mut git) = command.stdout(Stdio::piped()).spawn() else {
        return Vec::new();
    };
    let mut listed = Vec::new();
    let read = git.stdout.take().map(|out| {
        let mut out = out.take(LIST_BYTES_MAX);
        out.read_to_end(&mut listed)
    });
    let is_read = matches!(read, Some(Ok(_)));
    // Behind the limit, it ends because nobody reads on.
    let ended = git.wait();
    match ended.is_ok_and(|status| status.success()) && is_read {
        true => listed,
        false => Vec::new(),
    }
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
