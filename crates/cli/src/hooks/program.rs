//! The program that a tool calls: how the person calls this one, and what the command of a hook names.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use ctxpin_model::profile::Profile;
use rustix::fs::{Access, access};

use super::words;

/// What the command of ctxpin's hooks names, if it is as install writes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub program: PathBuf,
    /// The data directory.
    pub data: Option<PathBuf>,
}

impl Named {
    /// Returns what a command of ctxpin's hooks names.
    pub fn of(tool: Profile, command: &str) -> Option<Self> {
        let parts = split(command)?;
        let (program, arguments) = parts.split_first()?;
        let words: Vec<_> = words(tool).split_whitespace().map(str::to_owned).collect();
        let options = arguments.strip_prefix(&words[..])?;
        let mut pairs = options.chunks_exact(2);
        let data = pairs.find_map(|pair| (pair[0] == "--data-dir").then(|| pair[1].clone()));
        let program = Some(PathBuf::from(program)).filter(|path| path.is_absolute())?;
        Some(Self {
            program,
            data: data.map(PathBuf::from),
        })
    }
}

/// Returns the words of a line for a shell. `None` if it has more than words, some of them in quotes.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c if super::is_plain(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Returns the path by which the person has called this program, or else the path of the program itself. A link such as
/// one in `/usr/local/bin` stays one, because it outlives the directory of the release to which it leads. A link in the
/// project does not: it may come from the repository, and lead elsewhere later.
///
/// # Errors
///
/// Fails if the path of the program is unknown.
pub fn called(working: &Path) -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let called = env::args_os().next().unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(called_by(&called, &path, working, &program).unwrap_or(program))
}

fn called_by(called: &OsStr, path: &OsStr, working: &Path, program: &Path) -> Option<PathBuf> {
    let mut candidates = match called.as_bytes().contains(&b'/') {
        true => vec![working.join(called)],
        false => env::split_paths(path)
            .map(|directory| working.join(directory).join(called))
            .collect(),
    }
    .into_iter();
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let found = std::path::absolute(candidates.find(is_program)?).ok()?;
    let is_this = is_same(&found, program);
    let is_direct = !found.components().any(|part| part == Component::ParentDir);
    let project = working
        .ancestors()
        .find(|above| above.join(".git").exists());
    let project = project.unwrap_or(working);
    let real = found.parent()?.canonicalize().ok()?;
    let is_inside = [&found, &real].iter().any(|path| path.starts_with(project));
    (is_this && is_direct && !is_inside).then_some(found)
}

/// Returns whether two paths lead to one file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::HookCommand;
    use super::*;

    #[test]
    fn a_command_says_its_program_and_its_data_directory() {
        let check = |command: &str, expected: Option<[&str; 2]>| {
            let named = Named::of(Profile::Codex, command);
            let expected = expected.map(|[program, data]| Named {
                program: program.into(),
                data: Some(data.into()),
            });
            assert_eq!(named, expected, "{command}");
        };
        let command = |program: &str, data: &str| HookCommand {
            tool: Profile::Codex,
            program: PathBuf::from(program),
            options: vec![("--data-dir", PathBuf::from(data))],
        };
        for [program, data] in [["/opt/ctxpin", "/d"], ["/home/o'b c/ctxpin", "/a b/'/d"]] {
            check(&command(program, data).line(), Some([program, data]));
        }
        check("ctxpin hook run codex --data-dir /d", None);
        check("sleep 1; /opt/ctxpin hook run codex --data-dir /d", None);
        check("/opt/ctxpin hook run claude-code --data-dir /d", None);
        check("/opt/ctxpin hook run codex --data-dir '/d", None);
        check("/opt/other", None);
    }

    #[test]
    fn a_link_that_the_person_calls_stays_one() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let at = |path: &str| base.join(path);
        for directory in ["opt-1", "bin", "project/.git", "project/bin", "other"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        let program = at("opt-1/ctxpin");
        for path in [&program, &at("other/ctxpin")] {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink(at("opt-1"), at("opt")).unwrap();
        for link in ["bin/ctxpin", "project/bin/ctxpin"] {
            symlink(at("opt/ctxpin"), at(link)).unwrap();
        }
        let check = |called: &str, path: &[&str], expected: Option<&str>| {
            let path = env::join_paths(path.iter().map(|path| at(path))).unwrap();
            let called = called.replace("BASE", base.to_str().unwrap());
            let found = called_by(called.as_ref(), &path, &at("project"), &program);
            assert_eq!(found, expected.map(at), "{called} {path:?}");
        };
        check("ctxpin", &["none", "bin", "other"], Some("bin/ctxpin"));
        check("BASE/bin/ctxpin", &[], Some("bin/ctxpin"));
        check("BASE/opt/ctxpin", &[], Some("opt/ctxpin"));
        check("BASE/opt-1/ctxpin", &[], Some("opt-1/ctxpin"));
        // Another program, one that is not there, and the links of a project.
        check("ctxpin", &["other", "bin"], None);
        check("ctxpin", &["none"], None);
        check("", &["bin"], None);
        check("bin/ctxpin", &[], None);
        check("../bin/ctxpin", &[], None);
        check("ctxpin", &["project/bin"], None);
    }
}
